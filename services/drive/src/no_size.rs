//! A disk to which the kernel gives no size: nothing that may be read or written, but there, and in somebody's hands.
//!
//! The kernel tells only its log why. The reason in words is what the bus makes likely; where that is the drive's sectors, it is listed
//! and refused ([`crate::sysfs::shown`]). Tested over made-up trees in `tests/sysfs_trees.rs`, and tried by hand on a SCSI target that
//! told sectors of 520 bytes.

use wire::drive::Bus;

use crate::sysfs::{self, DevNum};
use crate::system::{System, number};

/// Why, most likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSize {
    /// A reader or a dock that is empty.
    #[error("it tells no size: no medium or drive is in it")]
    Medium,
    /// Sectors that Linux does not take. Source: `sd_read_capacity` in drivers/scsi/sd.c, which takes those of 512, 1024, 2048 and 4096
    /// bytes and gives a drive with others, or that does not tell its capacity, the size 0.
    #[error(
        "it tells no size: either it does not answer, or it has sectors of 520 or 528 bytes, as used drives from arrays have, which Linux \
         does not take; `sg_format --format --size=512 DEVICE` erases such a drive and makes it usable"
    )]
    Sectors,
    /// Nothing that is known here.
    #[error("it tells no size")]
    Untold,
}

impl NoSize {
    /// Of the disk called `name`; `None` where it has a size, is gone, or is no disk.
    pub fn of(system: &System, name: &str) -> Option<Self> {
        let dir = sysfs::disk(system, name)?;
        if number::<u64>(&dir.join("size"))? > 0 {
            return None;
        }
        if number::<u8>(&dir.join("removable")) == Some(1) {
            return Some(Self::Medium);
        }
        Some(match sysfs::bus(name, dir.to_str()?) {
            Bus::Usb | Bus::Mmc => Self::Medium,
            Bus::Scsi | Bus::Sata => Self::Sectors,
            Bus::Nvme | Bus::Virtio | Bus::Loop | Bus::Other => Self::Untold,
        })
    }

    /// Of the disk with device number `number`.
    pub fn of_number(system: &System, number: DevNum) -> Option<Self> {
        Self::of(system, &sysfs::name_of(system, number)?)
    }
}

//! The nodes by which a drive can be reached: its block devices, and the character devices that take commands for it.
//!
//! ```text
//!  /sys/block/sda/device/scsi_generic/sg0/dev        SCSI commands; a virtual machine with the whole drive holds this one
//!  /sys/block/sda/device/bsg/2:0:0:0/dev             the same, newer
//!  /sys/block/nvme0n1/device/ng0n1/dev               NVMe commands to the name space
//!  /sys/block/nvme0n1/device/dev                     to its controller; where there are several: device/nvme0/dev …
//! ```
//!
//! A command written to one of these reaches the drive past its block device, whose exclusive open knows nothing of it.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::unknown::Reader;
use crate::sysfs::{DevNum, Device};
use crate::system::System;

/// A node; block and character devices are numbered apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// A block device.
    Block(DevNum),
    /// A character device.
    Character(DevNum),
}

impl Node {
    /// What a file is, if it is a device.
    pub(super) fn of(file: &Metadata) -> Option<Self> {
        let (kind, number) = (file.file_type(), DevNum::from_raw(file.rdev()));
        match () {
            () if kind.is_block_device() => Some(Node::Block(number)),
            () if kind.is_char_device() => Some(Node::Character(number)),
            () => None,
        }
    }
}

/// The character devices that take commands for a drive, with their names below `/dev`.
pub(super) fn commanding(system: &System, device: &Device, reader: &mut Reader) -> Vec<(String, Node)> {
    let dir = system.path("sys").join(&device.syspath).join("device");
    let mut found = Vec::new();
    let mut add = |name: String, path: &str, reader: &mut Reader| {
        let number = reader.text(&dir.join(path).join("dev"));
        found.extend(number.and_then(|number| Some((name, Node::Character(DevNum::parse(&number)?)))));
    };
    let Some(space) = device.name.strip_prefix("nvme") else {
        for (class, prefix) in [("scsi_generic", ""), ("bsg", "bsg/")] {
            for name in reader.names(&dir.join(class)) {
                add(format!("{prefix}{name}"), &format!("{class}/{name}"), reader);
            }
        }
        return found;
    };
    add(format!("ng{space}"), &format!("ng{space}"), reader);
    let is_controller = |name: &String| {
        name.strip_prefix("nvme")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    // A name space hangs below its controller, or below what joins several of them.
    match space.split_once('n') {
        Some((controller, _)) if dir.join("dev").exists() => add(format!("nvme{controller}"), "", reader),
        Some(_) | None => {
            for name in reader.names(&dir).into_iter().filter(is_controller) {
                add(name.clone(), &name, reader);
            }
        }
    }
    found
}

//! Which medium a drive's name stands for, by the kernel's count of them (`diskseq`), which begins anew with each boot.

use serde::{Deserialize, Serialize};
use wire::drive::Bus;

/// A medium by the kernel's count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// Kernel's id of the boot.
    pub boot_id: String,
    /// The count.
    pub sequence: u64,
}

impl Medium {
    /// Whether the kernel has counted another medium since, on a bus where one name may stand for several: docks, bridges and card
    /// readers tell one for each drive that is put into them. Over a boot nobody knows, and a drive that was merely reset is counted anew, too.
    pub fn is_another(&self, now: &Self, bus: Bus) -> bool {
        let borrows = match bus {
            Bus::Usb | Bus::Mmc | Bus::Loop | Bus::Other => true,
            Bus::Sata | Bus::Scsi | Bus::Nvme | Bus::Virtio => false,
        };
        borrows && self.boot_id == now.boot_id && self.sequence != now.sequence
    }
}

/// What is told where the kernel has counted another medium.
pub const RECOUNTED: &str = "the kernel counts another medium in its place, or it was reset";

/// The kernel's id of this boot; empty where there is no such file.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_medium_is_told_in_one_boot_where_names_are_borrowed() {
        let medium = |boot_id: &str, sequence| Medium {
            boot_id: boot_id.into(),
            sequence,
        };
        let then = medium("now", 7);
        for bus in [Bus::Usb, Bus::Mmc, Bus::Loop, Bus::Other] {
            assert!(then.is_another(&medium("now", 8), bus), "{bus:?}");
            assert!(!then.is_another(&then, bus), "{bus:?}");
            assert!(
                !then.is_another(&medium("later", 8), bus),
                "{bus:?}: a boot counts anew"
            );
        }
        for own in [Bus::Sata, Bus::Scsi, Bus::Nvme, Bus::Virtio] {
            assert!(!then.is_another(&medium("now", 8), own), "{own:?} tells its own name");
        }
    }
}

//! Whether a drive has platters: what the kernel says of it, and what its SMART does. Pure.
//!
//! A USB bridge answers the kernel for its disk, and some call every disk flash; smartctl asks the disk itself.

use drive::smart::Snapshot;
use wire::drive::Rotation;

/// Whether it has platters; `None` where nobody knows.
///
/// The kernel's word counts, but for two: what it does not know SMART may, and a drive that tells its revolutions is no flash. That a
/// drive turns, without how fast, is what the kernel takes for granted where it tells neither. Source: linux/drivers/scsi/sd.c,
/// `sd_read_block_characteristics`: without VPD page B1h nothing takes back the queue's default.
pub fn spins(kernel: Rotation, smart: Option<&Snapshot>) -> Option<bool> {
    match (kernel, smart.and_then(Snapshot::spins)) {
        (Rotation::Spinning { rpm: Some(_) }, _) | (Rotation::SolidState, Some(true)) => Some(true),
        (Rotation::SolidState, Some(false) | None) => Some(false),
        (Rotation::Spinning { rpm: None } | Rotation::Unknown, told) => told,
    }
}

#[cfg(test)]
mod tests {
    use drive::smart::NvmeHealth;

    use super::*;

    #[test]
    fn revolutions_count_against_a_bridge_that_says_flash() {
        let disk = Rotation::Spinning { rpm: Some(7200) };
        let default = Rotation::Spinning { rpm: None };
        let told = |rpm| Snapshot {
            rpm,
            ..Snapshot::default()
        };
        let nvme = Snapshot {
            nvme: Some(NvmeHealth::default()),
            ..told(None)
        };
        for (kernel, smart, want) in [
            (Rotation::SolidState, Some(told(Some(5400))), Some(true)),
            (Rotation::SolidState, Some(told(Some(0))), Some(false)),
            (Rotation::SolidState, Some(told(None)), Some(false)),
            (Rotation::SolidState, None, Some(false)),
            (Rotation::Unknown, Some(told(Some(5400))), Some(true)),
            (Rotation::Unknown, Some(told(Some(0))), Some(false)),
            (Rotation::Unknown, Some(nvme), Some(false)),
            (Rotation::Unknown, Some(told(None)), None),
            (Rotation::Unknown, None, None),
            (default, Some(told(Some(5400))), Some(true)),
            (default, Some(told(Some(0))), Some(false)),
            (default, Some(told(None)), None),
            (default, None, None),
            (disk, Some(told(Some(0))), Some(true)),
            (disk, None, Some(true)),
        ] {
            assert_eq!(spins(kernel, smart.as_ref()), want, "{kernel:?} {smart:?}");
        }
    }
}

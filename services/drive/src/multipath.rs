//! The controllers behind an NVMe drive that several lead to: its own directory names none of them.
//!
//! ```text
//!  /sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1     the drive
//!                                                  /nvme0 ─►    /sys/devices/pci…/0000:02:00.0/nvme/nvme0
//!                                                  /nvme1 ─►    /sys/devices/pci…/0000:03:00.0/nvme/nvme1
//! ```
//!
//! Source: Linux `drivers/nvme/host/core.c` (`nvme_init_subsystem` links each controller) and `multipath.c` (the drive is
//! its subsystem's child). The paths themselves (`nvme0c1n1`) are hidden and no drives.

use crate::system::{System, names};

/// Whether the drive at `syspath`, below `/sys`, is one that several controllers may lead to.
pub fn is_shared(syspath: &str) -> bool {
    syspath.contains("/nvme-subsystem/")
}

/// The directories below `/sys`, resolved, of the controllers that lead to the drive at `syspath`, by the controllers' names.
/// None where the drive hangs on one controller alone, in whose directory it lies.
pub fn controllers(system: &System, syspath: &str) -> Vec<String> {
    let subsystem = syspath.rsplit_once('/').filter(|_| is_shared(syspath));
    let (Some((subsystem, _)), Ok(sys)) = (subsystem, std::fs::canonicalize(system.path("sys"))) else {
        return Vec::new();
    };
    let subsystem = sys.join(subsystem);
    let controller = |name: &String| {
        let at = std::fs::canonicalize(subsystem.join(name)).ok()?;
        Some(at.strip_prefix(&sys).ok()?.to_str()?.to_owned())
    };
    let entries = names(&subsystem);
    entries
        .iter()
        .filter(|name| is_controller(name))
        .filter_map(controller)
        .collect()
}

/// `nvme0`, and not `nvme0n1` or `nvme-subsys0`.
fn is_controller(name: &str) -> bool {
    let number = name.strip_prefix("nvme").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// A drive that two controllers lead to, in a made-up tree: `nvme0` and `nvme1` at these PCI addresses. Gives the drive's
/// directory below `/sys`.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) fn made_up(root: &std::path::Path, subsystem: u32, pci: [&str; 2]) -> String {
    let dir = format!("devices/virtual/nvme-subsystem/nvme-subsys{subsystem}");
    let sys = root.join("sys");
    std::fs::create_dir_all(sys.join(&dir).join(format!("nvme{subsystem}n1"))).unwrap();
    std::fs::create_dir_all(sys.join(&dir).join("power")).unwrap();
    for (number, pci) in (2 * subsystem..).zip(pci) {
        let name = format!("nvme{number}");
        let controller = sys.join(format!("devices/pci0000:00/0000:00:1c.0/{pci}/nvme/{name}"));
        // The hidden path, which is the controller's child.
        std::fs::create_dir_all(controller.join(format!("nvme{subsystem}c{number}n1"))).unwrap();
        std::os::unix::fs::symlink(&controller, sys.join(&dir).join(name)).unwrap();
    }
    format!("{dir}/nvme{subsystem}n1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_controller_is_found_by_its_own_directory() {
        let root = tempfile::tempdir().unwrap();
        let syspath = made_up(root.path(), 0, ["0000:02:00.0", "0000:03:00.0"]);
        let system = System::at(root.path());
        assert_eq!(
            controllers(&system, &syspath),
            [
                "devices/pci0000:00/0000:00:1c.0/0000:02:00.0/nvme/nvme0",
                "devices/pci0000:00/0000:00:1c.0/0000:03:00.0/nvme/nvme1"
            ]
        );
        let alone = "devices/pci0000:00/0000:00:1c.0/0000:02:00.0/nvme/nvme0/nvme0n1";
        assert!(controllers(&system, alone).is_empty() && !is_shared(alone));
        assert!(controllers(&system, "devices/virtual/nvme-subsystem/nvme-subsys9/nvme9n1").is_empty());
    }
}

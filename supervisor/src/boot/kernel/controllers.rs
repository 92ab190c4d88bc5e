//! Controllers that no driver works, and drives that a controller hides: why a drive that is plugged in may be nowhere on the dashboard.
//!
//! Read from `/sys/bus/pci/devices`, whose attributes no device is asked for. Tested here over made-up trees, in a boot test over an
//! adapter that no driver of the image takes; never met on a real board.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::modules::Modules;

/// Most that one banner tells; a box without the driver of its backplane would have one for each drive.
const TOLD_MAX: usize = 4;

/// PCI's devices.
pub const PCI: &str = "/sys/bus/pci/devices";

/// One that somebody has to do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No driver has bound to it, so that what is behind it does not exist.
    Unbound {
        /// Where it is, what it is and its numbers: `0000:01:00.0, a RAID controller (1000:0097)`.
        which: String,
        /// A network adapter, not a controller of drives.
        network: bool,
        /// Its modules in this system: there are some, so they have given up.
        gave_up: BTreeSet<String>,
    },
    /// NVMe drives that the firmware put behind a SATA controller, where Linux cannot reach them.
    Remapped {
        /// As above.
        which: String,
        /// How many.
        drives: u32,
    },
}

impl Trouble {
    /// As a sentence with what to do.
    pub fn told(&self) -> String {
        match self {
            Self::Unbound {
                which,
                network,
                gave_up,
            } => {
                let lost = if *network {
                    "nothing comes in by it"
                } else {
                    "drives behind it are not seen"
                };
                let why = if gave_up.is_empty() {
                    "this system has no driver for it".to_owned()
                } else {
                    let names: Vec<&str> = gave_up.iter().map(String::as_str).collect();
                    format!(
                        "its driver ({}) did not take it, and the log may say why",
                        names.join(", ")
                    )
                };
                format!("{which}: {lost}; {why}")
            }
            Self::Remapped { which, drives } => {
                let (they, are) = if *drives == 1 {
                    ("drive", "is")
                } else {
                    ("drives", "are")
                };
                format!(
                    "{which}: {drives} NVMe {they} {are} hidden behind it by the firmware (Intel RST, Optane) and not seen; choose AHCI or \
                     turn RST off in the firmware's setup"
                )
            }
        }
    }
}

/// What is wrong with the devices below `pci`, in the order of their addresses; `modules` are read only if one has no driver.
pub fn look(pci: &Path, modules: impl FnOnce() -> Option<Modules>) -> Vec<Trouble> {
    let mut names: Vec<_> = fs::read_dir(pci)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    names.sort();
    let mut modules = Some(modules);
    let mut tables: Option<Modules> = None;
    let mut found = Vec::new();
    for name in names {
        let dir = pci.join(&name);
        let read = |attribute: &str| fs::read_to_string(dir.join(attribute)).map(|text| text.trim().to_owned());
        let Some((kind, network)) = read("class").ok().and_then(|class| kind(&class)) else {
            continue;
        };
        let number = |attribute: &str| {
            read(attribute).map_or_else(|_| "?".to_owned(), |n| n.trim_start_matches("0x").to_owned())
        };
        let which = format!(
            "{}, {kind} ({}:{})",
            name.to_string_lossy(),
            number("vendor"),
            number("device")
        );
        let hidden = read("remapped_nvme").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        if hidden > 0 {
            found.push(Trouble::Remapped { which, drives: hidden });
        } else if !dir.join("driver").exists() {
            if let Some(read) = modules.take() {
                tables = read();
            }
            let alias = BTreeSet::from_iter(read("modalias"));
            let gave_up = tables.as_ref().map(|tables| tables.wanted(&alias)).unwrap_or_default();
            found.push(Trouble::Unbound {
                which,
                network,
                gave_up,
            });
        }
    }
    found
}

/// All of them for one banner; `None` where nothing is wrong.
pub fn banner(troubles: &[Trouble]) -> Option<String> {
    let mut told: Vec<String> = troubles.iter().take(TOLD_MAX).map(Trouble::told).collect();
    if troubles.len() > TOLD_MAX {
        told.push(format!("And {} more", troubles.len() - TOLD_MAX));
    }
    (!told.is_empty()).then(|| format!("Not everything that is built in works here. {}.", told.join(". ")))
}

/// What a device of this class is, and whether that is a network adapter; `None` where no drive and no page depends on it. A wireless
/// adapter is none: this box has no use for it.
///
/// Source: PCI Code and ID Assignment 1.11, §1.2 and §1.3.
fn kind(class: &str) -> Option<(&'static str, bool)> {
    let class = u32::from_str_radix(class.strip_prefix("0x")?, 16).ok()?;
    Some(match class >> 8 {
        0x01_00 => ("a SCSI controller", false),
        0x01_01 => ("an IDE controller", false),
        0x01_04 => ("a RAID controller", false),
        0x01_05 | 0x01_06 => ("a SATA controller", false),
        0x01_07 => ("a SAS controller", false),
        0x01_08 => ("an NVMe drive", false),
        0x01_02..=0x01_ff => ("a storage controller", false),
        0x02_00 => ("an Ethernet adapter", true),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// A tree of devices: address, class, vendor and device, whether a driver has it.
    fn tree(devices: &[(&str, &str, &str, &str, bool)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (address, class, vendor, device, bound) in devices {
            let dir = tree.path().join(address);
            fs::create_dir(&dir).unwrap();
            for (name, text) in [("class", class), ("vendor", vendor), ("device", device)] {
                fs::write(dir.join(name), format!("{text}\n")).unwrap();
            }
            if *bound {
                fs::create_dir(dir.join("driver")).unwrap();
            }
        }
        tree
    }

    #[test]
    fn what_no_driver_works_is_told_with_its_numbers() {
        let tree = tree(&[
            ("0000:00:02.0", "0x030000", "0x8086", "0x9a49", false),
            ("0000:00:0e.0", "0x010400", "0x8086", "0x9a0b", false),
            ("0000:00:14.3", "0x028000", "0x8086", "0xa0f0", false),
            ("0000:00:17.0", "0x010601", "0x8086", "0xa0d3", true),
            ("0000:01:00.0", "0x020000", "0x10ec", "0x8168", false),
        ]);
        let told: Vec<String> = look(tree.path(), || None).iter().map(Trouble::told).collect();
        assert_eq!(
            told,
            [
                "0000:00:0e.0, a RAID controller (8086:9a0b): drives behind it are not seen; this system has no driver for it",
                "0000:01:00.0, an Ethernet adapter (10ec:8168): nothing comes in by it; this system has no driver for it",
            ]
        );
    }

    #[test]
    fn a_driver_that_gave_up_is_not_called_missing() {
        let tree = tree(&[("0000:01:00.0", "0x010700", "0x1000", "0x0097", false)]);
        fs::write(tree.path().join("0000:01:00.0/modalias"), "pci:v00001000d00000097sv0\n").unwrap();
        let tables = tempfile::tempdir().unwrap();
        fs::write(
            tables.path().join("modules.dep"),
            "kernel/drivers/scsi/mpt3sas/mpt3sas.ko.xz:\n",
        )
        .unwrap();
        fs::write(
            tables.path().join("modules.alias"),
            "alias pci:v00001000d00000097sv* mpt3sas\nalias pci:v0000AAAAd* other\n",
        )
        .unwrap();
        let found = look(tree.path(), || Modules::below(tables.path()).ok());
        assert_eq!(
            found[0].told(),
            "0000:01:00.0, a SAS controller (1000:0097): drives behind it are not seen; its driver (mpt3sas) did not take it, and the log may say why"
        );
    }

    #[test]
    fn drives_that_the_firmware_hides_are_told_and_tables_not_read_for_them() {
        let tree = tree(&[
            ("0000:00:17.0", "0x010400", "0x8086", "0x2822", true),
            ("0000:00:18.0", "0x010601", "0x8086", "0xa0d3", true),
        ]);
        fs::write(tree.path().join("0000:00:17.0/remapped_nvme"), "1\n").unwrap();
        fs::write(tree.path().join("0000:00:18.0/remapped_nvme"), "0\n").unwrap();
        let found = look(tree.path(), || panic!("nobody is without a driver"));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].told().contains("1 NVMe drive is hidden behind it"),
            "{}",
            found[0].told()
        );
    }

    #[test]
    fn a_banner_stays_short() {
        let one = Trouble::Remapped {
            which: "0000:00:17.0, a RAID controller (8086:2822)".to_owned(),
            drives: 2,
        };
        assert_eq!(banner(&[]), None);
        let text = banner(&vec![one; 6]).unwrap();
        assert!(text.ends_with("firmware's setup. And 2 more."), "{text}");
    }

    #[test]
    fn nothing_is_wrong_where_there_is_no_pci() {
        assert_eq!(look(Path::new("/nowhere"), || None), []);
    }
}

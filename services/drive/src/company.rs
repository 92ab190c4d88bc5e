//! The controller that a drive hangs on, and how many others behind it move data: what they take of it is no fault of this one.

use std::collections::BTreeMap;

use crate::System;

/// Sectors of 512 bytes that another drive moves between two looks when it takes part: 10 MiB, which in ten seconds is less than
/// the slowest bus gives to one of many, and more than a system writes to its own disk.
const BUSY: u64 = 20_480;

/// Looks at the drives beside one.
#[derive(Debug)]
pub struct Company {
    system: System,
    syspath: String,
    /// Sectors that each of the others has moved, by its directory below `/sys`.
    moved: BTreeMap<String, u64>,
}

impl Company {
    /// Of the drive whose directory below `/sys` this is, from now on.
    pub fn of(system: &System, syspath: &str) -> Self {
        let mut company = Self {
            system: system.clone(),
            syspath: syspath.to_owned(),
            moved: BTreeMap::new(),
        };
        company.moved = company.count();
        company
    }

    /// How many other drives behind its controller were busy since the last look.
    pub fn look(&mut self) -> usize {
        let now = self.count();
        let busy = |(drive, moved): (&String, &u64)| {
            let before = self.moved.get(drive);
            before.is_some_and(|before| moved.saturating_sub(*before) >= BUSY)
        };
        let others = now.iter().filter(|other| busy(*other)).count();
        self.moved = now;
        others
    }

    fn count(&self) -> BTreeMap<String, u64> {
        let mine = controller(&self.syspath);
        let Ok(sys) = std::fs::canonicalize(self.system.path("sys")) else {
            return BTreeMap::new();
        };
        let links = std::fs::read_dir(sys.join("block")).into_iter().flatten().flatten();
        links
            .filter_map(|link| {
                let dir = std::fs::canonicalize(link.path()).ok()?;
                let syspath = dir.strip_prefix(&sys).ok()?.to_str()?.to_owned();
                let beside = syspath != self.syspath && controller(&syspath) == mine;
                let told = beside.then(|| std::fs::read_to_string(dir.join("stat")).ok())??;
                Some((syspath, moved(&told)?))
            })
            .collect()
    }
}

/// Sectors read and written by the third and the seventh number of `stat`. Source: `Documentation/block/stat.rst`.
fn moved(stat: &str) -> Option<u64> {
    let number = |at| stat.split_ascii_whitespace().nth(at)?.parse::<u64>().ok();
    Some(number(2)?.saturating_add(number(6)?))
}

/// The controller that a drive hangs on: its path below `/sys` up to the last PCI function, else up to where the bus of
/// the drive begins.
pub fn controller(syspath: &str) -> String {
    const BUSES: [&str; 8] = ["ata", "host", "usb", "nvme", "mmc", "virtio", "target", "block"];
    let parts: Vec<&str> = syspath.split('/').collect();
    let function = parts.iter().rposition(|part| is_pci_function(part));
    let end = function.map_or_else(
        || {
            let bus = |part: &&str| {
                BUSES.iter().any(|bus| {
                    part.strip_prefix(bus)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
                })
            };
            parts.iter().position(bus).unwrap_or(parts.len())
        },
        |at| at + 1,
    );
    parts[..end].join("/")
}

/// Whether a part of a path is like `0000:00:1f.2`.
fn is_pci_function(part: &str) -> bool {
    let shape: Vec<usize> = part.split([':', '.']).map(str::len).collect();
    shape == [4, 2, 2, 1] && part.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    #[test]
    fn drives_of_one_controller_share_its_name() {
        let ahci = "devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda";
        assert_eq!(controller(ahci), "devices/pci0000:00/0000:00:1f.2");
        assert_eq!(controller(&ahci.replace("ata1/host0", "ata2/host1")), controller(ahci));
        assert_eq!(
            controller("devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1"),
            "devices/pci0000:00/0000:00:1d.0/0000:03:00.0"
        );
        assert_eq!(
            controller("devices/platform/soc/fe010000.sata/ata3/host2/target2:0:0/2:0:0:0/block/sdc"),
            "devices/platform/soc/fe010000.sata"
        );
        assert_eq!(controller("devices/virtual/block/loop3"), "devices/virtual");
    }

    #[test]
    fn only_what_moves_behind_the_same_controller_is_company() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path().join("sys");
        fs::create_dir_all(sys.join("block")).unwrap();
        let path =
            |function: &str, name: &str| format!("devices/pci0000:00/0000:00:{function}/ata1/host0/block/{name}");
        let told = |function: &str, name: &str, read: u64, written: u64| {
            let dir = sys.join(path(function, name));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("stat"), format!("  9 0 {read} 7 5 0 {written} 3 0 1 2\n")).unwrap();
            let _exists = std::os::unix::fs::symlink(&dir, sys.join("block").join(name));
        };
        for (function, name) in [("1f.2", "sda"), ("1f.2", "sdb"), ("17.0", "sdc")] {
            told(function, name, 1 << 40, 1 << 40);
        }
        let mut company = Company::of(&System::at(root.path()), &path("1f.2", "sda"));
        assert_eq!(company.look(), 0);
        told("1f.2", "sda", 1 << 41, 1 << 41);
        assert_eq!(company.look(), 0, "it is its own");
        told("17.0", "sdc", 1 << 41, 1 << 40);
        assert_eq!(company.look(), 0, "it hangs elsewhere");
        told("1f.2", "sdb", (1 << 40) + BUSY - 1, 1 << 40);
        assert_eq!(company.look(), 0, "a few words now and then");
        told("1f.2", "sdb", (1 << 40) + BUSY - 1, (1 << 40) + BUSY);
        assert_eq!(company.look(), 1);
        assert_eq!(company.look(), 0, "it has ended");
        told("1f.2", "sdd", 1 << 40, 0);
        assert_eq!(company.look(), 0, "what it moved before it came");
        told("1f.2", "sdd", 1 << 40, BUSY);
        assert_eq!(company.look(), 1);
        told("1f.2", "sdb", 1 << 42, 1 << 42);
        told("1f.2", "sdd", 1 << 42, BUSY);
        assert_eq!(company.look(), 2);
        fs::write(sys.join(path("1f.2", "sdb")).join("stat"), "nonsense").unwrap();
        assert_eq!(company.look(), 0);
    }
}

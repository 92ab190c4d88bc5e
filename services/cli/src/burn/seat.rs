//! Where a drive sits, for a person with twelve equal ones: the name of its path and, where an enclosure tells one, its bay.
//!
//! It names no drive: another one may sit there tomorrow, so it is in no plan's digest and agrees to nothing.

use std::fs;
use std::path::Path;

use drive::System;
use drive::locate::place;
use drive::sysfs::Device;
use serde::Serialize;

/// Where a drive sits; nothing of it is known of a loop device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Seat {
    /// The path to it by the name that it has in `/dev/disk/by-path`, else by the one that it would have.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_path: Option<String>,
    /// Its bay, in the enclosure's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    bay: Option<String>,
}

impl Seat {
    pub(super) fn of(system: &System, device: &Device) -> Self {
        let place = place(system, device);
        let own = Some(place.path).filter(|path| !path.is_empty());
        Self {
            by_path: named(system, &device.name).or(own),
            bay: place.bay,
        }
    }

    /// A drive at this node, in words: `/dev/sdb, pci-0000:00:1f.2-ata-3, bay Slot 03`, each as far as it is known, and once.
    pub(super) fn words(&self, node: &Path) -> String {
        let is_told = |path: &&String| node.file_name().is_some_and(|name| name == path.as_str());
        let path = self.by_path.as_ref().filter(|path| !is_told(path)).cloned();
        let bay = self.bay.as_ref().map(|bay| format!("bay {bay}"));
        let known = std::iter::once(node.display().to_string()).chain(path).chain(bay);
        known.collect::<Vec<_>>().join(", ")
    }
}

/// The shortest name of this disk in `/dev/disk/by-path`: udev gives a SATA drive two.
fn named(system: &System, disk: &str) -> Option<String> {
    let links = fs::read_dir(system.path("dev/disk/by-path")).ok()?.flatten();
    let is_its = |link: &fs::DirEntry| {
        let to = fs::read_link(link.path());
        to.is_ok_and(|to| to.file_name().is_some_and(|name| name == disk))
    };
    let names = links
        .filter(is_its)
        .filter_map(|link| link.file_name().into_string().ok());
    names.min_by(|one, other| (one.len(), one).cmp(&(other.len(), other)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::symlink;

    use super::super::target::made_up;
    use super::*;

    #[test]
    fn it_is_told_by_what_is_known_of_it() {
        let seat = |by_path: Option<&str>, bay: Option<&str>| Seat {
            by_path: by_path.map(str::to_owned),
            bay: bay.map(str::to_owned),
        };
        let path = Some("pci-0000:00:1f.2-ata-3");
        let link = "/dev/disk/by-path/pci-0000:00:1f.2-ata-3";
        for (seat, node, words) in [
            (seat(None, None), "/dev/loop0", "/dev/loop0".to_owned()),
            (
                seat(path, None),
                "/dev/sdb",
                "/dev/sdb, pci-0000:00:1f.2-ata-3".to_owned(),
            ),
            (
                seat(path, Some("Slot 03")),
                "/dev/sdb",
                "/dev/sdb, pci-0000:00:1f.2-ata-3, bay Slot 03".to_owned(),
            ),
            (seat(path, Some("Slot 03")), link, format!("{link}, bay Slot 03")),
        ] {
            assert_eq!(seat.words(Path::new(node)), words);
        }
    }

    #[test]
    fn a_name_that_udev_gave_is_told_before_the_one_that_it_would_have() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        let mut device = made_up("", "M", "S", "5000c500a1b2c3d4").device.unwrap();
        device.syspath = "devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sdx".to_owned();
        let by_path = |device: &Device| Seat::of(&system, device).by_path;
        assert_eq!(by_path(&device).as_deref(), Some("pci-0000:00:1f.2-ata-3"));
        let dir = system.path("dev/disk/by-path");
        fs::create_dir_all(&dir).unwrap();
        for (name, to) in [
            ("pci-0000:00:1f.2-ata-4.0", "../../sdx"),
            ("pci-0000:00:1f.2-ata-4", "../../sdx"),
            ("pci-0000:00:1f.2-ata-4-part1", "../../sdx1"),
            ("pci-0", "../../sda"),
        ] {
            symlink(to, dir.join(name)).unwrap();
        }
        assert_eq!(by_path(&device).as_deref(), Some("pci-0000:00:1f.2-ata-4"));
    }
}

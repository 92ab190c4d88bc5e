//! Drives that this kernel hands to others: to other computers by its SCSI target (LIO), its NVMe target and its USB gadget, as configfs
//! shows them, and to Xen's guests.
//!
//! ```text
//!  /sys/kernel/config/target/core/iblock_0/disk/{enable,udev_path,info}            LIO: iblock, fileio, pscsi
//!  /sys/kernel/config/nvmet/subsystems/NQN/namespaces/1/{enable,device_path}       nvmet
//!  /sys/kernel/config/nvmet/subsystems/NQN/passthru/{enable,device_path}           nvmet: a whole controller, /dev/nvme0
//!  /sys/kernel/config/usb_gadget/g1/functions/mass_storage.usb0/lun.0/file         USB mass storage
//!  /sys/bus/xen-backend/devices/vbd-3-51712/physical_device                        xen-blkback: `8:10`, hexadecimal
//! ```
//!
//! LIO's iblock claims its drive, so that the exclusive open fails; the others merely open it, and nothing else shows
//! that they do: they are no processes. Without configfs nothing is known of its part, and nothing at all of the old `g_mass_storage`, whose
//! drive is its module's parameter. Tested over made-up trees; LIO and nvmet met it by hand alone. Source of the last two:
//! `drivers/usb/gadget/function/f_mass_storage.c` and `drivers/block/xen-blkback/xenbus.c`.

use super::nodes::Node;
use super::unknown::Reader;
use crate::sysfs::DevNum;
use crate::system::System;

/// One backing store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Export {
    /// What the target was given, with links resolved where they are.
    pub path: String,
    /// Whether it was found.
    pub is_there: bool,
    /// Which device that is.
    pub node: Option<Node>,
    /// Which target, in words.
    pub target: String,
}

/// All that are switched on.
pub(super) fn exports(system: &System, reader: &mut Reader) -> Vec<Export> {
    let mut all = Vec::new();
    let mut add = |target: String, path: &str| {
        let found = std::fs::canonicalize(system.path(path)).ok();
        let resolved = found
            .as_ref()
            .and_then(|found| found.strip_prefix(system.path("")).ok());
        let there = found.as_ref().and_then(|found| std::fs::metadata(found).ok());
        all.push(Export {
            path: resolved.map_or_else(|| path.to_owned(), |found| format!("/{}", found.display())),
            is_there: there.is_some(),
            node: there.as_ref().and_then(Node::of),
            target,
        });
    };
    let cores = system.path("sys/kernel/config/target/core");
    for adapter in reader.names(&cores) {
        for store in reader.names(&cores.join(&adapter)) {
            let dir = cores.join(&adapter).join(&store);
            if reader.text(&dir.join("enable")).as_deref() == Some("0") {
                continue;
            }
            // What was configured by hand stands in the description alone.
            let info = reader.text(&dir.join("info")).unwrap_or_default();
            let told = reader.text(&dir.join("udev_path"));
            for path in told.iter().map(String::as_str).chain(devices_in(&info)) {
                add(format!("SCSI target ({adapter}/{store})"), path);
            }
        }
    }
    let subsystems = system.path("sys/kernel/config/nvmet/subsystems");
    for subsystem in reader.names(&subsystems) {
        let dir = subsystems.join(&subsystem);
        let spaces = reader.names(&dir.join("namespaces")).into_iter();
        let spaces = spaces.map(|space| (format!("namespaces/{space}"), format!("name space {space}")));
        let whole = ("passthru".to_owned(), "a whole controller".to_owned());
        for (place, words) in spaces.chain([whole]) {
            let mut of = |attribute: &str| reader.text(&dir.join(&place).join(attribute));
            if let (Some(path), true) = (of("device_path"), of("enable").as_deref() != Some("0")) {
                add(format!("NVMe target ({subsystem}, {words})"), &path);
            }
        }
    }
    let gadgets = system.path("sys/kernel/config/usb_gadget");
    for gadget in reader.names(&gadgets) {
        let functions = gadgets.join(&gadget).join("functions");
        let disks = reader
            .names(&functions)
            .into_iter()
            .filter(|name| name.starts_with("mass_storage."));
        for function in disks {
            let units = functions.join(&function);
            for unit in reader.names(&units).into_iter().filter(|name| name.starts_with("lun.")) {
                if let Some(path) = reader.text(&units.join(&unit).join("file")) {
                    add(format!("USB gadget ({gadget}, {function}, {unit})"), &path);
                }
            }
        }
    }
    all.extend(guests(system, reader));
    all
}

/// What Xen's guests have: a number, and no path.
fn guests(system: &System, reader: &mut Reader) -> Vec<Export> {
    let backends = system.path("sys/bus/xen-backend/devices");
    let names = reader
        .names(&backends)
        .into_iter()
        .filter(|name| name.starts_with("vbd-"));
    let of = |name: String| {
        let number = reader.number(&backends.join(&name).join("physical_device"), DevNum::parse_hexadecimal)?;
        Some(Export {
            path: number.to_string(),
            is_there: true,
            node: Some(Node::Block(number)),
            target: format!("Xen backend ({name})"),
        })
    };
    names.filter_map(of).collect()
}

/// The nodes in a store's description, and the file, which may be a node by a path of its own.
/// Source: `target_core_iblock.c` ("UDEV PATH: /dev/sdb"), `target_core_file.c` ("File: /run/my disk  Size: 4096  Mode: …").
fn devices_in(info: &str) -> impl Iterator<Item = &str> {
    let file = info.split_once("File: ").map(|(_, rest)| {
        let upto = rest.find("  Size:").or_else(|| rest.find('\n'));
        &rest[..upto.unwrap_or(rest.len())]
    });
    let words = info.split_whitespace().filter(|word| word.starts_with("/dev/"));
    words.chain(file.map(str::trim)).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stores_file_may_lie_anywhere() {
        for (info, want) in [
            (
                "Status: ACTIVATED\n iBlock device: sdb  UDEV PATH: /dev/sdb  readonly: 0\n",
                &["/dev/sdb"][..],
            ),
            (
                "TCM FILEIO ID: 0        File: /run/al3  Size: 268435456  Mode: O_DSYNC Async: 0\n",
                &["/run/al3"],
            ),
            (
                "TCM FILEIO ID: 0        File: /srv/my disk  Size: 4096  Mode: Buffered\n",
                &["/srv/my disk"],
            ),
            (
                "TCM FILEIO ID: 0        File: /dev/sdc  Size: 4096\n",
                &["/dev/sdc", "/dev/sdc"],
            ),
            ("SCSI Host ID: 0 Channel ID: 0\n", &[]),
        ] {
            assert_eq!(devices_in(info).collect::<Vec<_>>(), want, "{info}");
        }
    }
}

//! Drives that this kernel exports to other computers: its SCSI target (LIO) and its NVMe target, as configfs shows them.
//!
//! ```text
//!  /sys/kernel/config/target/core/iblock_0/disk/{enable,udev_path,info}          LIO: iblock, fileio, pscsi
//!  /sys/kernel/config/nvmet/subsystems/NQN/namespaces/1/{enable,device_path}     nvmet
//!  /sys/kernel/config/nvmet/subsystems/NQN/passthru/{enable,device_path}         nvmet: a whole controller, /dev/nvme0
//! ```
//!
//! LIO's iblock claims its drive, so that the exclusive open fails; nvmet and fileio merely open it, and nothing else shows
//! that they do: they are no processes. Without configfs nothing is known. Tested over made-up trees; it never ran beside a real
//! target.

use super::nodes::Node;
use super::unknown::Reader;
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
    all
}

/// The nodes in a store's description. Source: `target_core_iblock.c` ("UDEV PATH: /dev/sdb"), `target_core_file.c` ("File: /dev/sdb").
fn devices_in(info: &str) -> impl Iterator<Item = &str> {
    info.split_whitespace().filter(|word| word.starts_with("/dev/"))
}

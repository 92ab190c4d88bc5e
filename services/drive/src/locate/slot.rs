//! A slot of an enclosure by what stays: drives are put into other slots, and buses are numbered anew, while a light shines on.
//!
//! Whoever lights a light keeps its slot, and puts out that one. Without an identity of its enclosure there is none: then a light is
//! known by its drive alone. Tested in `tests/locate.rs`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Means, Tools, means};
use crate::sysfs;
use crate::system::{System, names, text};

/// A slot of an enclosure, wherever on the buses that is now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// The enclosure's logical identifier (SES-3 §6.1.2), in hexadecimal digits without zeros before them.
    pub enclosure: String,
    /// The slot's name in `/sys`: `Slot 03`, `ArrayDevice02` …
    pub name: String,
}

impl Slot {
    /// Where the disk of this kernel name sits now; `None` where no enclosure with an identity tells.
    pub fn of(system: &System, kernel_name: &str) -> Option<Self> {
        let (_, dir) = means::slot(system, kernel_name)?;
        Some(Self {
            enclosure: enclosure(dir.parent()?)?,
            name: dir.file_name()?.to_str()?.to_owned(),
        })
    }

    /// Whether its enclosure is there, and has it.
    pub fn is_there(&self, system: &System) -> bool {
        !self.dirs(system).is_empty()
    }

    /// Puts out its light by every means, whatever sits in it; whether any means took the order. May take as long as each tool may.
    pub fn put_out(&self, system: &System, tools: &Tools) -> bool {
        let lights = self.lights(system);
        let ledctl = |means: &Means| matches!(means, Means::Ledctl { .. });
        // It says that it did, also where it has no light: it counts where there is nothing else.
        let has_own = !lights.iter().all(ledctl);
        let took = lights.into_iter().filter(|means| means.light(tools, false).is_ok());
        took.filter(|means| !(has_own && ledctl(means))).count() > 0
    }

    /// All means of lighting it; `ledctl` by the disk that sits in it now. Source: Linux `drivers/misc/enclosure.c`, which links that
    /// as `device`.
    pub(super) fn lights(&self, system: &System) -> Vec<Means> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for dir in self.dirs(system) {
            own.extend(means::of_slot(system, self.name.trim(), &dir));
            let disks = names(&dir.join("device/block")).into_iter();
            others.extend(disks.map(|disk| Means::Ledctl {
                node: sysfs::node(system, &disk),
                attribute: means::locate(&dir),
            }));
        }
        own.into_iter().chain(others).collect()
    }

    /// Its directories: an enclosure that is reached over two paths is there twice.
    fn dirs(&self, system: &System) -> Vec<PathBuf> {
        let class = system.path("sys/class/enclosure");
        let all = names(&class).into_iter().map(|at| class.join(at));
        let own = all.filter(|at| enclosure(at).as_ref() == Some(&self.enclosure));
        own.map(|at| at.join(&self.name)).filter(|slot| slot.is_dir()).collect()
    }
}

/// The identity that the enclosure in this directory tells. Source: Linux `drivers/scsi/ses.c`, `ses_show_id`.
fn enclosure(dir: &Path) -> Option<String> {
    identity(&text(&dir.join("id"))?)
}

/// An identifier as the kernel prints it (`0x500304800000aaaa`) without what may differ; `None` for one that is 0.
pub(super) fn identity(hex: &str) -> Option<String> {
    let digits = hex.trim_start_matches("0x").trim_start_matches('0').to_lowercase();
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

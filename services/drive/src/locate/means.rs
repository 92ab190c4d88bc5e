//! By which means a drive can be shown, from `/sys`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Tools, tool};
use crate::multipath;
use crate::sysfs::{self, Device};
use crate::system::{System, names, number, text};

/// How often a light is read back until it tells what was ordered, and the pause between: each reading asks the enclosure
/// anew, and a slow one tells its state a moment after it took an order. A second in all, which a person waits for.
const READ_BACK: u32 = 10;
const READ_BACK_EACH: Duration = Duration::from_millis(100);

/// What a rhythm shows.
pub(super) const FLICKERS: &str = "its own activity light flickers three times, then rests, over and over";

/// One means of showing a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// The slot's `locate` attribute of the kernel's enclosure driver.
    Slot {
        /// The slot's name: `Slot 03`, `ArrayDevice02` …
        bay: String,
        /// The attribute.
        attribute: PathBuf,
    },
    /// `sg_ses` on the enclosure's generic node.
    Ses {
        /// The slot's name.
        bay: String,
        /// The enclosure's node, `/dev/sg7`.
        node: PathBuf,
        /// The slot's number, as the enclosure tells it: many count from 1, which no element index does.
        slot: u32,
    },
    /// The LED of a PCI slot (NPEM).
    PciSlot {
        /// Its `brightness` attribute.
        attribute: PathBuf,
    },
    /// `ledctl`.
    Ledctl {
        /// The drive's node.
        node: PathBuf,
        /// The slot's `locate` attribute, where an enclosure has one: it tells whether the light is on.
        attribute: Option<PathBuf>,
    },
    /// A rhythm of reads.
    Rhythm,
}

impl Means {
    /// What a person looks for.
    pub fn words(&self) -> String {
        match self {
            Self::Slot { bay, .. } | Self::Ses { bay, .. } => format!("the enclosure's light of bay {bay} is on"),
            Self::PciSlot { .. } => "the light of its PCI slot is on".to_owned(),
            Self::Ledctl { .. } => "the light of its bay is on, if the backplane has one (ledctl)".to_owned(),
            Self::Rhythm => format!("no bay light is known: {FLICKERS}"),
        }
    }

    /// Whether a light that took its order may not be there: nothing reads it back.
    pub(super) fn may_be_dark(&self) -> bool {
        match self {
            Self::Ledctl { attribute, .. } => attribute.is_none(),
            Self::Slot { .. } | Self::Ses { .. } | Self::PciSlot { .. } | Self::Rhythm => false,
        }
    }

    /// Turns the light on or off; a rhythm needs neither. The reason in words where it did not work.
    pub(super) fn light(&self, tools: &Tools, on: bool) -> Result<(), String> {
        match self {
            Self::Slot { attribute, .. } | Self::PciSlot { attribute } => write(attribute, on),
            Self::Ses { node, slot, .. } => {
                let run = |order: &str| {
                    let mut command = Command::new(&tools.sg_ses);
                    command.arg(format!("--dev-slot-num={slot}")).arg(order).arg(node);
                    tool(&mut command, node)
                };
                run(if on { "--set=ident" } else { "--clear=ident" })?;
                // It exits with 0 where the enclosure took the order and did nothing.
                changed(on, || Ok(is_lit(&run("--get=ident")?)))
            }
            Self::Ledctl { node, attribute } => {
                let order = if on { "locate" } else { "locate_off" };
                tool(
                    Command::new(&tools.ledctl)
                        // Without it the lights of all other drives are turned off (ledctl(8)).
                        .arg("--listed-only")
                        // Its own log would grow for ever, in memory on the box; it still asks for its default's folder.
                        .arg("--log=/dev/null")
                        .arg(format!("{order}={}", node.display())),
                    node,
                )?;
                match attribute {
                    Some(attribute) => changed(on, || Ok(lit(attribute))),
                    None => Ok(()),
                }
            }
            Self::Rhythm => Ok(()),
        }
    }
}

/// Turns a light by its attribute, and reads it back: the kernel takes every order and tells nobody that the enclosure refused it
/// (Linux `drivers/misc/enclosure.c`, `set_component_locate`; `drivers/leds/led-class.c`, `brightness_store`).
fn write(attribute: &Path, on: bool) -> Result<(), String> {
    let words = |why: &str| format!("{}: {why}", attribute.display());
    std::fs::write(attribute, if on { "1" } else { "0" }).map_err(|error| words(&error.to_string()))?;
    changed(on, || Ok(lit(attribute))).map_err(|why| {
        if on {
            // One that shines and does not say so would never be put out again.
            let _dark = std::fs::write(attribute, "0");
        }
        words(&why)
    })
}

/// Reads a light until it tells what it was ordered; an error where it does not in time, or cannot be asked.
fn changed(on: bool, mut lit: impl FnMut() -> Result<Option<bool>, String>) -> Result<(), String> {
    for reading in 0..READ_BACK {
        if reading > 0 {
            std::thread::sleep(READ_BACK_EACH);
        }
        if lit()? == Some(on) {
            return Ok(());
        }
    }
    Err("the order was taken, and the light did not change".to_owned())
}

/// Whether a light is on, by its attribute.
fn lit(attribute: &Path) -> Option<bool> {
    is_lit(&text(attribute)?)
}

/// Whether a light is on, by the number that is told of it.
fn is_lit(told: &str) -> Option<bool> {
    told.trim().parse::<u32>().ok().map(|lit| lit > 0)
}

/// All means for `device`, best first; the last one is always the rhythm.
pub fn how(system: &System, device: &Device) -> Vec<Means> {
    let mut all = Vec::new();
    let slot = slot(system, &device.name);
    if let Some((bay, slot)) = &slot {
        all.extend(of_slot(system, bay, slot));
    }
    all.extend(pci_slot(system, device).map(|attribute| Means::PciSlot { attribute }));
    all.push(Means::Ledctl {
        node: sysfs::node(system, &device.name),
        attribute: slot.and_then(|(_, slot)| locate(&slot)),
    });
    all.push(Means::Rhythm);
    all
}

/// The means of the enclosure slot in this directory.
pub(super) fn of_slot(system: &System, bay: &str, slot: &Path) -> Vec<Means> {
    let bay = bay.to_owned();
    let own = locate(slot).map(|attribute| Means::Slot {
        bay: bay.clone(),
        attribute,
    });
    let ses = generic(system, slot).map(|(node, slot)| Means::Ses { bay, node, slot });
    own.into_iter().chain(ses).collect()
}

/// The `locate` attribute of the slot in this directory.
pub(super) fn locate(slot: &Path) -> Option<PathBuf> {
    Some(slot.join("locate")).filter(|attribute| attribute.exists())
}

/// The enclosure slot that the disk of this kernel name sits in: its name and its directory. Source: Linux `drivers/misc/enclosure.c`, which
/// links it as `enclosure_device:NAME` below the SCSI device.
pub(super) fn slot(system: &System, kernel_name: &str) -> Option<(String, PathBuf)> {
    let at = system.path("sys/block").join(kernel_name).join("device");
    names(&at).into_iter().find_map(|entry| {
        let bay = entry.strip_prefix("enclosure_device:")?.trim().to_owned();
        let slot = std::fs::canonicalize(at.join(&entry)).ok()?;
        Some((bay, slot))
    })
}

/// The enclosure's generic node and the slot's number, for `sg_ses`. Where the enclosure tells none the kernel puts the
/// element's index there (`drivers/misc/enclosure.c`), which `sg_ses` then finds no slot by: the next means is tried, and no
/// neighbour is lit.
fn generic(system: &System, slot: &Path) -> Option<(PathBuf, u32)> {
    // …/enclosure/H:C:T:L/SLOT; its device's generic node stands at …/enclosure/H:C:T:L/device/scsi_generic/sgN.
    let number = number(&slot.join("slot"))?;
    let generic = names(&slot.parent()?.join("device/scsi_generic"));
    let name = generic.into_iter().find(|name| name.starts_with("sg"))?;
    Some((system.path("dev").join(name), number))
}

/// The locate LED of the PCI slot above `device`. Source: Linux 6.13 `drivers/pci/npem.c`:
/// `…/PORT/leds/PORT:enclosure:locate/brightness`.
fn pci_slot(system: &System, device: &Device) -> Option<PathBuf> {
    let sys = system.path("sys");
    let starts = std::iter::once(device.syspath.clone()).chain(multipath::controllers(system, &device.syspath));
    let starts: Vec<PathBuf> = starts.map(|start| sys.join(start)).collect();
    let mut above = starts
        .iter()
        .flat_map(|start| start.ancestors().take_while(|at| at.starts_with(&sys)));
    above.find_map(|at| {
        let leds = at.join("leds");
        let led = names(&leds)
            .into_iter()
            .find(|name| name.ends_with(":enclosure:locate"))?;
        Some(leds.join(led).join("brightness"))
    })
}

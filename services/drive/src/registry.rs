//! The registry: which drives there are, as a pure function of what was seen. No clock, no I/O.
//!
//! ```text
//!            Seen ┌──────────► present ──── Gone ───► absent (kept while it has an identity)
//!                 │              │  ▲                    │
//!   (another sequence: plugged in again) └── Looked, Used, Warmth
//! ```
//!
//! A device is one *plugging in*: its place in `/sys` and the kernel's sequence number. An answer about an earlier one
//! (a probe that came back late) is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use wire::drive::{Content, Drive, Refused};
use wire::{Celsius, DriveId, Time};

use crate::content::Look;
use crate::guard::Refusal;
use crate::no_size::NoSize;
use crate::sysfs::Device;

/// Absent drives that are remembered.
const ABSENT_MAX: usize = 64;

/// Which plugging in of which device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plug {
    /// Place below `/sys`.
    pub syspath: String,
    /// Kernel's sequence number.
    pub sequence: u64,
}

impl Plug {
    /// The plugging in that `device` is.
    pub fn of(device: &Device) -> Self {
        Plug {
            syspath: device.syspath.clone(),
            sequence: device.sequence,
        }
    }
}

/// Something that was seen.
#[derive(Debug, Clone)]
pub enum Input {
    /// A device is there, or is there with other attributes.
    Seen(Device),
    /// The device at this place is gone.
    Gone {
        /// Place below `/sys`.
        syspath: String,
    },
    /// These devices are there and no others.
    Walked(Vec<Device>),
    /// What stands on it, by a look that began then: looks overtake each other, and the one that began last counts.
    Looked(Plug, Look, Instant),
    /// What a look saw, with how full it is: of no weight where something else stands there by now.
    Counted(Plug, Content),
    /// Why it is not offered, or `None` if nothing is against it.
    Used(Plug, Option<Refused>),
    /// Its temperature.
    Warmth(Plug, Option<Celsius>),
    /// These are held by a descriptor and no others.
    Held(BTreeSet<Plug>),
}

/// What a step changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Plugged in: to be looked at and watched.
    pub arrived: Vec<Plug>,
    /// Gone: to be watched no more.
    pub left: Vec<Plug>,
    /// There as before, but its size or partitions changed: to be looked at again.
    pub altered: Vec<Plug>,
    /// Whether anything that people see is different.
    pub visible: bool,
}

#[derive(Debug, Clone)]
struct Present {
    device: Device,
    look: Option<Look>,
    looked: Option<Instant>,
    refused: Option<Refused>,
    temperature: Option<Celsius>,
    since: Time,
}

/// See the module's head.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    present: BTreeMap<String, Present>,
    held: BTreeSet<Plug>,
    absent: BTreeMap<DriveId, Drive>,
}

impl Registry {
    /// Takes in what was seen at `now`.
    pub fn step(&mut self, now: Time, input: Input) -> Changes {
        let mut changes = Changes::default();
        match input {
            Input::Seen(device) => self.seen(now, device, &mut changes),
            Input::Gone { syspath } => self.gone(now, &syspath, &mut changes),
            Input::Walked(devices) => {
                let there: Vec<&String> = devices.iter().map(|device| &device.syspath).collect();
                let gone: Vec<String> = self
                    .present
                    .keys()
                    .filter(|path| !there.contains(path))
                    .cloned()
                    .collect();
                for syspath in gone {
                    self.gone(now, &syspath, &mut changes);
                }
                for device in devices {
                    self.seen(now, device, &mut changes);
                }
            }
            Input::Looked(plug, look, began) => self.set(&plug, &mut changes, |entry| {
                if entry.looked.is_some_and(|newest| began < newest) {
                    return false;
                }
                entry.looked = Some(began);
                let look = match &entry.look {
                    Some(before) => Look {
                        content: look.content.counting(&before.content),
                        ..look
                    },
                    None => look,
                };
                replace(&mut entry.look, Some(look))
            }),
            Input::Counted(plug, content) => self.set(&plug, &mut changes, |entry| match &mut entry.look {
                Some(look) if content.is_same(&look.content) => {
                    let told = content.counting(&look.content);
                    replace(&mut look.content, told)
                }
                Some(_) | None => false,
            }),
            Input::Used(plug, refused) => self.set(&plug, &mut changes, |entry| replace(&mut entry.refused, refused)),
            Input::Warmth(plug, degrees) => {
                self.set(&plug, &mut changes, |entry| replace(&mut entry.temperature, degrees));
            }
            Input::Held(plugs) => changes.visible = replace(&mut self.held, plugs),
        }
        changes
    }

    fn seen(&mut self, now: Time, device: Device, changes: &mut Changes) {
        let plug = Plug::of(&device);
        match self.present.get_mut(&device.syspath) {
            Some(entry)
                if entry.device.sequence == device.sequence && entry.device.identity.id == device.identity.id =>
            {
                if entry.device == device {
                    return;
                }
                let altered = entry.device.identity.capacity != device.identity.capacity
                    || entry.device.partitions != device.partitions;
                if altered {
                    changes.altered.push(plug);
                }
                entry.device = device;
                changes.visible = true;
                return;
            }
            // The same place, plugged in anew (or another drive behind the same bridge), and its removal was missed.
            Some(_) => self.gone(now, &device.syspath, changes),
            None => {}
        }
        if let Some(id) = &device.identity.id {
            self.absent.remove(id);
        }
        changes.arrived.push(plug);
        changes.visible = true;
        let entry = Present {
            device,
            look: None,
            looked: None,
            refused: None,
            temperature: None,
            since: now,
        };
        self.present.insert(entry.device.syspath.clone(), entry);
    }

    fn gone(&mut self, now: Time, syspath: &str, changes: &mut Changes) {
        let Some(entry) = self.present.remove(syspath) else {
            return;
        };
        changes.left.push(Plug::of(&entry.device));
        changes.visible = true;
        let id = entry.device.identity.id.clone();
        // Where a twin of it is still there, it is not absent.
        if let Some(id) = id.filter(|id| {
            !self
                .present
                .values()
                .any(|other| other.device.identity.id.as_ref() == Some(id))
        }) {
            let mut drive = view(&entry, Some(id.clone()), None);
            drive.present = false;
            drive.since = now;
            drive.temperature = None;
            drive.refused = None;
            self.absent.insert(id, drive);
            while self.absent.len() > ABSENT_MAX {
                let oldest = self
                    .absent
                    .iter()
                    .min_by_key(|(_, drive)| drive.since)
                    .map(|(id, _)| id.clone());
                oldest.map(|id| self.absent.remove(&id));
            }
        }
    }

    fn set(&mut self, plug: &Plug, changes: &mut Changes, change: impl FnOnce(&mut Present) -> bool) {
        if let Some(entry) = self.present.get_mut(&plug.syspath)
            && entry.device.sequence == plug.sequence
        {
            changes.visible |= change(entry);
        }
    }

    /// All drives as people see them: present ones by kernel name, then absent ones.
    pub fn drives(&self) -> Vec<Drive> {
        let mut count: BTreeMap<&DriveId, Vec<&str>> = BTreeMap::new();
        for entry in self.present.values() {
            if let Some(id) = &entry.device.identity.id {
                count.entry(id).or_default().push(&entry.device.name);
            }
        }
        let mut drives: Vec<Drive> = self
            .present
            .values()
            .map(|entry| {
                let own = &entry.device.identity.id;
                let twins: Vec<&str> = own
                    .iter()
                    .flat_map(|id| &count[id])
                    .copied()
                    .filter(|name| *name != entry.device.name)
                    .collect();
                if own.is_none() {
                    return view(entry, None, Some(nameless(&entry.device).view()));
                }
                if twins.is_empty() {
                    return view(entry, own.clone(), None);
                }
                let others = twins.into_iter().map(str::to_owned).collect();
                let own = own.clone().filter(|id| self.find(id) == Some(&entry.device));
                view(entry, own, Some(Refusal::SameIdentity { others }.view()))
            })
            .collect();
        drives.sort_by(|a, b| (a.kernel_name.len(), &a.kernel_name).cmp(&(b.kernel_name.len(), &b.kernel_name)));
        drives.extend(self.absent.values().cloned());
        drives
    }

    /// The present device with this identity; `None` also where two devices have it, unless one of them is held: that one was there by
    /// itself when it was opened.
    pub fn find(&self, id: &DriveId) -> Option<&Device> {
        let found = self.devices().filter(|device| device.identity.id.as_ref() == Some(id));
        let held = found.clone().filter(|device| self.held.contains(&Plug::of(device)));
        let (all, held): (Vec<&Device>, Vec<&Device>) = (found.collect(), held.collect());
        match (all.as_slice(), held.as_slice()) {
            ([one], _) | (_, [one]) => Some(one),
            (_, _) => None,
        }
    }

    /// The device of a plugging in, if it is still that one.
    pub fn device(&self, plug: &Plug) -> Option<&Device> {
        self.present
            .get(&plug.syspath)
            .map(|entry| &entry.device)
            .filter(|device| device.sequence == plug.sequence)
    }

    /// What was seen of a plugging in's content.
    pub fn look(&self, plug: &Plug) -> Option<&Look> {
        self.present
            .get(&plug.syspath)
            .filter(|entry| entry.device.sequence == plug.sequence)?
            .look
            .as_ref()
    }

    /// All present devices.
    pub fn devices(&self) -> impl Iterator<Item = &Device> + Clone {
        self.present.values().map(|entry| &entry.device)
    }

    /// Whether a drive is refused at present.
    pub fn is_refused(&self, plug: &Plug) -> bool {
        self.present
            .get(&plug.syspath)
            .is_some_and(|entry| entry.refused.is_some())
    }
}

fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

/// Why one without an identity is refused.
fn nameless(device: &Device) -> Refusal {
    match device.identity.capacity.0 {
        0 => Refusal::NoSize {
            number: device.number,
            why: NoSize::Sectors,
        },
        _ => Refusal::NoIdentity,
    }
}

/// A present drive as people see it. `id` is its identity where it can be trusted; `against` what speaks against it in
/// the list as a whole.
fn view(entry: &Present, id: Option<DriveId>, against: Option<Refused>) -> Drive {
    let Device { identity, .. } = &entry.device;
    Drive {
        key: id
            .as_ref()
            .map_or_else(|| format!("/{}", entry.device.syspath), ToString::to_string),
        id,
        kernel_name: entry.device.name.clone(),
        model: identity.model.clone(),
        serial: identity.serial.clone(),
        wwn: identity.wwn.clone(),
        capacity: identity.capacity,
        logical_sector: identity.logical_sector,
        physical_sector: entry.device.physical_sector,
        bus: identity.bus,
        link_mbps: entry.device.link_mbps,
        rotation: entry.device.rotation,
        location: entry.device.location.clone(),
        temperature: entry.temperature,
        content: entry
            .look
            .as_ref()
            .map_or(Content::Unknown, |look| look.content.clone()),
        refused: against.or_else(|| entry.refused.clone()),
        present: true,
        since: entry.since,
        as_of: None,
        bay: None,
        heat_limit: None,
        ill: None,
        shown_until: None,
    }
}

#[cfg(test)]
mod tests;

//! All drives as they are now, for the agent's tasks: the watch of `drive` behind a `tokio` channel.
//!
//! With `--allow-loop` (tests) loop devices that have a backing file are listed as well, looked at once a second.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drive::content::Look;
use drive::guard::Guard;
use drive::guard::facts::Usage;
use drive::locate::Place;
use drive::smart::Smartctl;
use drive::watch::Watch;
use drive::{System, probe, sysfs};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;
use wire::drive::Drive;
use wire::{Celsius, DriveId, Time};

use crate::gate::{Media, Members};

/// Longest wait for a fresh look before a plan; what was seen before counts after that, and the look on the open
/// descriptor decides at the start.
const LOOK: Duration = Duration::from_secs(8);

/// How often loop devices are looked at.
const LOOP_PERIOD: Duration = Duration::from_secs(1);

/// The list of drives; clones share it.
#[derive(Clone, Debug)]
pub struct Registry {
    watch: Arc<Watch>,
    /// Where loop devices are listed.
    guard: Option<Guard>,
    drives: watch::Receiver<Arc<Vec<Drive>>>,
}

impl Registry {
    /// Starts watching, on threads of its own.
    ///
    /// # Errors
    /// When the netlink socket or a thread cannot be had.
    pub fn start(guard: Guard, smartctl: Smartctl) -> std::io::Result<Self> {
        let (list, drives) = watch::channel(Arc::new(Vec::new()));
        let (parts, merged) = std::sync::mpsc::channel::<(Part, Vec<Drive>)>();
        let real = parts.clone();
        let loops = guard.allow_loop.then(|| guard.clone());
        if guard.allow_loop {
            let guard = guard.clone();
            std::thread::Builder::new()
                .name("loops".to_owned())
                .spawn(move || watch_loops(&guard, &parts))?;
        }
        std::thread::Builder::new()
            .name("drive-list".to_owned())
            .spawn(move || {
                let (mut drives, mut loops) = (Vec::new(), Vec::new());
                while let Ok((part, changed)) = merged.recv() {
                    match part {
                        Part::Drives => drives = changed,
                        Part::Loops => loops = changed,
                    }
                    let all: Vec<Drive> = drives.iter().chain(&loops).cloned().collect();
                    list.send_replace(Arc::new(all));
                }
            })?;
        let watch = drive::watch::watch(guard, smartctl, move |drives| {
            // The list's thread ends with the process only.
            let _ended = real.send((Part::Drives, drives));
        })?;
        Ok(Self {
            watch: Arc::new(watch),
            guard: loops,
            drives,
        })
    }

    /// The list, and its changes.
    pub fn drives(&self) -> watch::Receiver<Arc<Vec<Drive>>> {
        self.drives.clone()
    }

    /// Where a drive is; `None` for one that is not there.
    pub fn place(&self, id: &DriveId) -> Option<Place> {
        if let Some(found) = self.watch.find(id) {
            return Some(drive::locate::place(&System::default(), &found.device));
        }
        // A loop device sits at its number.
        let list = self.guard.as_ref().map(|_| self.drives.borrow())?;
        let listed = list
            .iter()
            .find(|drive| drive.present && drive.id.as_ref() == Some(id))?;
        Some(Place {
            path: listed.kernel_name.clone(),
            bay: None,
        })
    }

    /// Looks at a drive's content again, whenever that comes.
    pub fn refresh(&self, id: &DriveId) {
        self.watch.refresh(Some(id));
    }

    /// How the kernel counts the media of these drives now; to be asked before their content is looked at.
    pub async fn media(&self, ids: &[DriveId]) -> Media {
        let (list, ids) = (Arc::clone(&self.drives.borrow()), ids.to_vec());
        let counted = spawn_blocking(move || {
            let named = list.iter().filter(|drive| drive.present);
            let named = named.filter_map(|drive| Some((drive.id.clone()?, &drive.kernel_name)));
            let count = |(id, name): (DriveId, &String)| {
                let now = sysfs::read(&System::default(), name)?;
                (now.identity.id.as_ref() == Some(&id)).then_some((id, now.sequence))
            };
            named.filter(|(id, _)| ids.contains(id)).filter_map(count).collect()
        });
        // Without a count nothing is started.
        counted.await.unwrap_or_default()
    }

    /// Looks at these drives' content now, all at once, and waits a while for it; returns the list as it is then, and
    /// what stands on them that belongs to something larger: of a drive that is slower, what was seen before.
    pub async fn look_now(&self, ids: &[DriveId]) -> (Arc<Vec<Drive>>, Members) {
        let looks: Vec<_> = ids
            .iter()
            .cloned()
            .map(|id| {
                let watch = Arc::clone(&self.watch);
                let loops = self.guard.clone();
                spawn_blocking(move || {
                    let look = match watch.look_now(&id) {
                        Some((_, look)) => Some(look),
                        None => loops.and_then(|guard| look_at_loop(&guard, &id)),
                    };
                    look.map(|look| (id, look))
                })
            })
            .collect();
        let mut fresh = Vec::new();
        let all = async {
            for look in looks {
                if let Ok(Some(look)) = look.await {
                    fresh.push(look);
                }
            }
        };
        if timeout(LOOK, all).await.is_err() {
            warn!("a drive is slow to be looked at; the plan rests on the look before");
        }
        let mut drives = self.drives.borrow().as_ref().clone();
        let mut members = Members::new();
        for (id, look) in fresh {
            for drive in drives
                .iter_mut()
                .filter(|drive| drive.present && drive.id.as_ref() == Some(&id))
            {
                // How full it is was counted when it came.
                drive.content = look.content.clone().counting(&drive.content);
            }
            members.insert(id, look.members);
        }
        // Else nothing on a slow drive could be given up, and it would be refused for what stands on it at every start.
        for id in ids
            .iter()
            .filter(|id| !members.contains_key(*id))
            .cloned()
            .collect::<Vec<_>>()
        {
            if let Some(look) = self.watch.seen(&id) {
                members.insert(id, look.members);
            }
        }
        (Arc::new(drives), members)
    }
}

enum Part {
    Drives,
    Loops,
}

fn watch_loops(guard: &Guard, parts: &std::sync::mpsc::Sender<(Part, Vec<Drive>)>) {
    let mut last = Vec::new();
    loop {
        let mut loops = loops(guard);
        for drive in &mut loops {
            // Since when it is there is kept from the look before.
            if let Some(before) = last.iter().find(|before: &&Drive| before.key == drive.key) {
                drive.since = before.since;
            }
        }
        if loops != last {
            last.clone_from(&loops);
            if parts.send((Part::Loops, loops)).is_err() {
                return;
            }
        }
        std::thread::sleep(LOOP_PERIOD);
    }
}

fn loops(guard: &Guard) -> Vec<Drive> {
    let system = System::default();
    let Ok(entries) = std::fs::read_dir(system.path("sys/block")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("loop") && backing(&system, name).is_some())
        .collect();
    names.sort();
    names
        .iter()
        .filter_map(|name| loop_drive(guard, &system, name))
        .collect()
}

fn look_at_loop(guard: &Guard, id: &DriveId) -> Option<Look> {
    let system = System::default();
    let listed = loops(guard).into_iter().find(|drive| drive.id.as_ref() == Some(id))?;
    let node = sysfs::node(&system, &listed.kernel_name);
    probe::probe_with_deadline(&guard.prober, (&node, &node), None, guard.deadline).ok()
}

/// A loop device has no sensor: a test writes degrees Celsius into a file beside the backing one.
fn told_temperature(system: &System, name: &str) -> Option<Celsius> {
    let mut path = backing(system, name)?.into_os_string();
    path.push(".temperature");
    std::fs::read_to_string(path).ok()?.trim().parse().ok().map(Celsius)
}

fn backing(system: &System, name: &str) -> Option<PathBuf> {
    system
        .text(format!("sys/block/{name}/loop/backing_file"))
        .map(PathBuf::from)
}

fn loop_drive(guard: &Guard, system: &System, name: &str) -> Option<Drive> {
    let device = sysfs::read(system, name)?;
    let node = sysfs::node(system, name);
    let look = match probe::probe_with_deadline(&guard.prober, (&node, &node), Some(device.number), guard.deadline) {
        Ok(look) => look,
        Err(error) => Look::unreadable(error.to_string()),
    };
    let refusal = guard.view(&Usage::collect(system), &device, Some(&look));
    let identity = device.identity;
    Some(Drive {
        key: identity
            .id
            .as_ref()
            .map_or_else(|| device.syspath.clone(), ToString::to_string),
        id: identity.id,
        kernel_name: name.to_owned(),
        model: identity.model,
        serial: identity.serial,
        wwn: identity.wwn,
        capacity: identity.capacity,
        logical_sector: identity.logical_sector,
        physical_sector: device.physical_sector,
        bus: identity.bus,
        link_mbps: device.link_mbps,
        rotation: device.rotation,
        location: device.location,
        temperature: told_temperature(system, name),
        content: look.content,
        refused: refusal.map(|refusal| refusal.view()),
        present: true,
        since: Time::now(),
        as_of: None,
        bay: None,
        heat_limit: None,
        ill: None,
        shown_until: None,
    })
}

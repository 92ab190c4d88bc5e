//! The watch: threads that feed the [`Registry`] with what the kernel, the prober and the sensors say.
//!
//! ```text
//!  drive-uevents ──┐                       ┌─► drive-look (one a look, ends with it)
//!  drive-look    ──┼─► channel ─► drive-watch (owns the registry) ─► on_change(list)
//!  drive-heat    ──┘                       └─► drive-heat (one a drive, every 10 s)
//! ```
//!
//! Only the threads of one drive ever touch it, so a drive that hangs keeps nobody waiting. The order at start is:
//! listen, then walk; so nothing falls between. Tested over `/sys` of the machine in `tests/watch.rs`, and with real
//! hot-plug by the image's boot tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wire::drive::{Content, Drive};
use wire::uevent::{Action, Uevent};
use wire::{DriveId, Time};

use crate::content::Look;
use crate::guard::stuck::{Accesses, Hanging};
use crate::guard::{Guard, Usage};
use crate::identity::Identity;
use crate::probe;
use crate::registry::{Input, Plug, Registry};
use crate::smart::Smartctl;
use crate::sysfs::{self, DevNum, Device};
use crate::temperature::Thermometer;
use crate::uevents::{Heard, Listener};

/// How often what uses the drives is looked up: mounts and arrays give no uevent of their own.
const USAGE_PERIOD: Duration = Duration::from_secs(3);

/// How often each drive's temperature is read.
const HEAT_PERIOD: Duration = Duration::from_secs(10);

/// How often all of `/sys/block` is walked although nothing was heard, in case a uevent never came.
const WALK_PERIOD: Duration = Duration::from_mins(1);

/// Stack of the small threads, of which each drive has one.
const STACK: usize = 256 << 10;

/// A message to the thread that owns the registry.
enum Message {
    Uevent(Uevent),
    /// The medium in the device of this name was asked for.
    Opened(String),
    Walk,
    /// A look, and when it began.
    Looked(Plug, Look, Instant),
    /// What a look of the watch's own saw, with how full it is: the end of that look.
    Counted(Plug, Content),
    Heat(Plug, Option<wire::Celsius>),
    Refresh(Option<DriveId>),
    Stop,
}

/// Where a drive is now.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its node, `/dev/sdb`, at this moment.
    pub node: PathBuf,
    /// Who it is.
    pub identity: Identity,
    /// What the kernel says of it.
    pub device: Device,
}

/// A running watch; it ends when this is dropped.
pub struct Watch {
    messages: Sender<Message>,
    registry: Arc<Mutex<Registry>>,
    guard: Guard,
    stop: Arc<AtomicBool>,
    owner: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

/// Starts watching; `on_change` gets the whole list at once and after every change, on a thread of the watch. `smartctl` asks
/// drives without a sensor for their temperature.
///
/// # Errors
/// When the netlink socket or a thread cannot be had.
pub fn watch(
    guard: Guard,
    smartctl: Smartctl,
    on_change: impl FnMut(Vec<Drive>) + Send + 'static,
) -> std::io::Result<Watch> {
    let (messages, inbox) = channel();
    let registry = Arc::new(Mutex::new(Registry::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let listener = Listener::open()?;
    let (to, stopping) = (messages.clone(), Arc::clone(&stop));
    thread("drive-uevents", move || listen(listener, &to, &stopping))?;
    let owner = Owner {
        guard: guard.clone(),
        smartctl,
        registry: Arc::clone(&registry),
        messages: messages.clone(),
        looking: BTreeSet::new(),
        look_again: BTreeSet::new(),
        sensors: BTreeMap::new(),
        hanging: Hanging::default(),
        on_change: Box::new(on_change),
    };
    let owner = thread("drive-watch", move || owner.run(&inbox))?;
    Ok(Watch {
        messages,
        registry,
        guard,
        stop,
        owner: Some(owner),
    })
}

impl Watch {
    /// All drives as people see them now.
    pub fn drives(&self) -> Vec<Drive> {
        lock(&self.registry).drives()
    }

    /// Where the drive with this identity is now; `None` if it is absent, or two devices tell it of which none is held.
    pub fn find(&self, id: &DriveId) -> Option<Found> {
        let device = lock(&self.registry).find(id)?.clone();
        let node = sysfs::node(&self.guard.system, &device.name);
        Some(Found {
            node,
            identity: device.identity.clone(),
            device,
        })
    }

    /// Looks at a drive's content again (all drives without `id`): after a job, and before a plan.
    pub fn refresh(&self, id: Option<&DriveId>) {
        let _stopped = self.messages.send(Message::Refresh(id.cloned()));
    }

    /// Looks at a drive's content now and waits for it: for a plan, which must not rest on an old look.
    ///
    /// # Errors
    /// `None` where the drive is absent.
    pub fn look_now(&self, id: &DriveId) -> Option<(Found, Look)> {
        let (found, began) = (self.find(id)?, Instant::now());
        let look = look(&self.guard, &found.device);
        let _stopped = self
            .messages
            .send(Message::Looked(Plug::of(&found.device), look.clone(), began));
        Some((found, look))
    }

    /// What was seen last of a drive's content; `None` for one that is absent or was not looked at yet.
    pub fn seen(&self, id: &DriveId) -> Option<Look> {
        let registry = lock(&self.registry);
        registry.look(&Plug::of(registry.find(id)?)).cloned()
    }

    /// Why the drive would be refused now, with everything read again but its content.
    pub fn refusal(&self, id: &DriveId, look: Option<&Look>) -> Option<crate::guard::Refusal> {
        let device = lock(&self.registry).find(id)?.clone();
        self.guard.view(&Usage::collect(&self.guard.system), &device, look)
    }

    /// How drives are guarded here.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _stopped = self.messages.send(Message::Stop);
        if let Some(owner) = self.owner.take()
            && owner.thread().id() != std::thread::current().id()
        {
            let _panicked = owner.join();
        }
    }
}

fn lock(registry: &Mutex<Registry>) -> MutexGuard<'_, Registry> {
    registry.lock().unwrap_or_else(PoisonError::into_inner)
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(work)
}

fn listen(mut listener: Listener, to: &Sender<Message>, stop: &AtomicBool) {
    // Whatever was there before the socket was; the owner walks on this.
    let mut message = Some(Message::Walk);
    while !stop.load(Ordering::Acquire) {
        if let Some(message) = message.take()
            && to.send(message).is_err()
        {
            return;
        }
        message = match listener.next(Duration::from_millis(500)) {
            Ok(Heard::Block(uevent)) => Some(Message::Uevent(uevent)),
            Ok(Heard::Lost) => {
                tracing::warn!("uevents were lost; all drives are walked again");
                Some(Message::Walk)
            }
            Ok(Heard::Nothing) => None,
            Err(error) => {
                // The owner's own walks go on finding drives, only later.
                tracing::error!(%error, "listening for uevents failed");
                return;
            }
        };
    }
}

/// A look in a child; a drive that does not answer is unreadable, not absent.
fn look(guard: &Guard, device: &Device) -> Look {
    let node = sysfs::node(&guard.system, &device.name);
    match probe::probe_with_deadline(&guard.prober, (&node, &node), Some(device.number), guard.deadline) {
        Ok(look) => look,
        Err(error) => Look::unreadable(error.to_string()),
    }
}

struct Owner {
    guard: Guard,
    smartctl: Smartctl,
    registry: Arc<Mutex<Registry>>,
    messages: Sender<Message>,
    /// Looks that are under way; one at a time for each drive.
    looking: BTreeSet<Plug>,
    /// Looks that were asked for while one was under way.
    look_again: BTreeSet<Plug>,
    /// Dropping a sender ends its thread.
    sensors: BTreeMap<Plug, SyncSender<()>>,
    hanging: Hanging,
    on_change: Box<dyn FnMut(Vec<Drive>) + Send>,
}

impl Owner {
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut next_usage = Instant::now();
        let mut next_walk = Instant::now() + WALK_PERIOD;
        let mut first = true;
        loop {
            let wait = next_usage.min(next_walk).saturating_duration_since(Instant::now());
            let mut visible = false;
            match inbox.recv_timeout(wait) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => {
                    visible |= self.take(message);
                    // A burst (a shelf of drives) becomes one list.
                    for message in inbox.try_iter().take(256) {
                        if matches!(message, Message::Stop) {
                            return;
                        }
                        visible |= self.take(message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= next_walk {
                visible |= self.take(Message::Walk);
                next_walk = Instant::now() + WALK_PERIOD;
            }
            if visible || Instant::now() >= next_usage {
                visible |= self.usage();
                next_usage = Instant::now() + USAGE_PERIOD;
            }
            if visible || first {
                first = false;
                let drives = lock(&self.registry).drives();
                (self.on_change)(drives);
            }
        }
    }

    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Uevent(uevent) => self.uevent(&uevent),
            Message::Opened(name) => self.reread(&name),
            Message::Walk => self.step(Input::Walked(sysfs::walk_shown(&self.guard.system))),
            Message::Looked(plug, look, began) => self.step(Input::Looked(plug, look, began)),
            Message::Counted(plug, content) => {
                self.looking.remove(&plug);
                if self.look_again.remove(&plug) {
                    self.look(plug.clone());
                }
                self.step(Input::Counted(plug, content))
            }
            Message::Heat(plug, degrees) => self.step(Input::Warmth(plug, degrees)),
            Message::Refresh(id) => {
                let plugs: Vec<Plug> = lock(&self.registry)
                    .devices()
                    .filter(|device| id.is_none() || device.identity.id == id)
                    .map(Plug::of)
                    .collect();
                for plug in plugs {
                    self.look(plug);
                }
                false
            }
            Message::Stop => false,
        }
    }

    fn uevent(&mut self, uevent: &Uevent) -> bool {
        let path = uevent.devpath.trim_start_matches('/');
        let Some(name) = path.rsplit('/').next() else {
            return false;
        };
        if uevent.get("DEVTYPE") == Some("partition") {
            // Its disk's partitions changed; the disk is the directory above.
            let disk = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
            return !sysfs::is_noise(&disk) && self.reread(&disk);
        }
        if sysfs::is_noise(name) {
            return false;
        }
        match uevent.action {
            Action::Remove | Action::Offline => self.step(Input::Gone {
                syspath: path.to_owned(),
            }),
            Action::Add | Action::Change | Action::Move | Action::Online | Action::Bind | Action::Unbind => {
                tracing::debug!(name, action = ?uevent.action, "a disk's uevent");
                if uevent.get("DISK_MEDIA_CHANGE") == Some("1") {
                    self.open(name);
                }
                self.reread(name)
            }
        }
    }

    /// Opens and closes a device whose medium came or went: the kernel asks for the size of another one only then.
    fn open(&self, name: &str) {
        let (to, node, name) = (
            self.messages.clone(),
            sysfs::node(&self.guard.system, name),
            name.to_owned(),
        );
        let started = thread("drive-medium", move || {
            // An empty reader answers that it is empty, which its size tells then, too.
            let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(node);
            drop(opened);
            let _stopped = to.send(Message::Opened(name));
        });
        if let Err(error) = started {
            tracing::error!(%error, "a medium could not be asked for");
        }
    }

    /// Reads a device again: it is there, or it is not (any more).
    fn reread(&mut self, name: &str) -> bool {
        if let Some(device) = sysfs::shown(&self.guard.system, name) {
            return self.step(Input::Seen(device));
        }
        let known = lock(&self.registry)
            .devices()
            .find(|device| device.name == name)
            .map(|d| d.syspath.clone());
        known.is_some_and(|syspath| self.step(Input::Gone { syspath }))
    }

    fn step(&mut self, input: Input) -> bool {
        let changes = lock(&self.registry).step(Time::now(), input);
        for plug in changes.left {
            self.sensors.remove(&plug);
            self.hanging.left(&plug);
            self.look_again.remove(&plug);
        }
        for plug in changes.arrived {
            let device = lock(&self.registry).device(&plug).cloned();
            if let Some(device) = device {
                tracing::info!(
                    name = device.name,
                    drive = device.identity.id.as_ref().map(DriveId::as_str),
                    model = device.identity.model,
                    serial = device.identity.serial,
                    capacity = %device.identity.capacity,
                    "drive plugged in"
                );
                // Of one without a size nothing can be read.
                if device.identity.capacity.0 == 0 {
                    continue;
                }
                self.sense(plug.clone(), device);
            }
            self.look(plug);
        }
        for plug in changes.altered {
            self.look(plug);
        }
        changes.visible
    }

    /// Starts a look, unless one is under way: then another one after it.
    fn look(&mut self, plug: Plug) {
        let Some(device) = lock(&self.registry).device(&plug).cloned() else {
            return;
        };
        if !self.looking.insert(plug.clone()) {
            self.look_again.insert(plug);
            return;
        }
        let (to, guard) = (self.messages.clone(), self.guard.clone());
        let its = plug.clone();
        let started = thread("drive-look", move || {
            let began = Instant::now();
            let seen = look(&guard, &device);
            // What stands on it is known at once; how full it is may take seconds.
            let content = seen.content.clone();
            let _stopped = to.send(Message::Looked(its.clone(), seen, began));
            let node = sysfs::node(&guard.system, &device.name);
            let content = probe::counted(&guard.prober, (&node, &node), content);
            let _stopped = to.send(Message::Counted(its, content));
        });
        if let Err(error) = started {
            tracing::error!(%error, "a drive could not be looked at");
            self.looking.remove(&plug);
        }
    }

    /// Starts a drive's thermometer.
    fn sense(&mut self, plug: Plug, device: Device) {
        let (alive, ended) = sync_channel::<()>(0);
        let (to, guard, smartctl) = (self.messages.clone(), self.guard.clone(), self.smartctl.clone());
        let its = plug.clone();
        let started = thread("drive-heat", move || {
            let mut thermometer = Thermometer::new(device, Instant::now());
            loop {
                let degrees = thermometer.read(&guard, &smartctl, Instant::now());
                if to.send(Message::Heat(its.clone(), degrees)).is_err() {
                    return;
                }
                // Nothing is ever sent: it ends when the other end is dropped.
                match ended.recv_timeout(HEAT_PERIOD) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        match started {
            Ok(_) => drop(self.sensors.insert(plug, alive)),
            Err(error) => tracing::error!(%error, "a drive's temperature is not watched"),
        }
    }

    /// Drives that leave an access unanswered; what one that is `held` here leaves so is for its holder to say.
    fn hanging(&mut self, held: &BTreeSet<Plug>) -> BTreeSet<DevNum> {
        let now = Instant::now();
        let registry = lock(&self.registry);
        let hanging = registry.devices().filter_map(|device| {
            let plug = Plug::of(device);
            let hangs = self
                .hanging
                .step(now, &plug, Accesses::of(&self.guard.system, &device.name));
            (hangs && !held.contains(&plug)).then_some(device.number)
        });
        hanging.collect()
    }

    /// Looks up what uses the drives; a drive that became free is looked at again.
    fn usage(&mut self) -> bool {
        let held = self.guard.seats.held();
        let hanging = self.hanging(&held);
        let usage = Usage::collect(&self.guard.system).with_hanging(hanging);
        let views: Vec<(Plug, Option<wire::drive::Refused>)> = {
            let registry = lock(&self.registry);
            registry
                .devices()
                .map(|device| {
                    let plug = Plug::of(device);
                    let refused = self.guard.view(&usage, device, registry.look(&plug));
                    (plug, refused.map(|refusal| refusal.view()))
                })
                .collect()
        };
        let mut visible = self.step(Input::Held(held));
        for (plug, refused) in views {
            let freed = refused.is_none() && lock(&self.registry).is_refused(&plug);
            visible |= self.step(Input::Used(plug.clone(), refused));
            if freed {
                self.look(plug);
            }
        }
        visible
    }
}

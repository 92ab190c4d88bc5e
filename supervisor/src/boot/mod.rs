//! Bringing the box up: what PID 1 does besides supervising units.
//!
//! [`Machine`] is a small state machine fed by the loop: helpers report, uevents arrive, and each report starts the next
//! step. Order: kernel file systems; the board's watchdog; EROFS and `/system`; then, at the same time, modules for every
//! device and the keeper of the boot medium. Units wait for milestones, so the server starts as soon as its state is there.

pub mod board;
pub mod cmdline;
pub mod dhcp;
pub mod gpt;
pub mod medium;
pub mod mirror;
pub mod modules;
pub mod mounts;
pub mod net;
pub mod record;
pub mod site;
pub mod uevents;
mod work;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use nix::sys::reboot::{RebootMode, reboot};
use wire::event::Severity;
use wire::supervisor::{Medium, Status};
use wire::uevent::Action;

use crate::console;
use crate::core::{Ending, Exit, Input, Milestone, Millis};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;
use crate::shell::paths::Paths;
use crate::shell::run::Shell;
use board::Board;
use cmdline::Cmdline;
use record::{Record, Traces};
use site::Site;
use uevents::{Next, Uevents};

/// Modaliases remembered as served; a full box has a few hundred.
const SEEN_MAX: usize = 8_192;
/// Modaliases that one hot-plug helper takes.
const BATCH: usize = 128;
/// Hot-plug helpers at a time: a driver that hangs must not keep the others out.
const HOTPLUG_MAX: usize = 4;
/// How long the bus must be quiet before start-up counts as over, in milliseconds.
const QUIET: Millis = 700;
/// Longest wait for that, in milliseconds.
const SETTLE_MAX: Millis = 20_000;
/// Longest wait for the services to stop when the medium was pulled, in milliseconds.
const STOPS_WITHIN: Millis = 15_000;
/// Longest wait for the keeper to write its copy, in milliseconds.
const SAVES_WITHIN: Millis = 15_000;
/// Silence of the medium's keeper that is reported, in milliseconds.
const SILENCE: Millis = 15_000;
/// Where other programs read the boot disk's device number.
const BOOT_DISK: &str = "/run/kiln/boot-disk";
/// Where the journal reads whether state is on disk.
const STATE_WHERE: &str = "/run/kiln/state";

/// The box.
#[derive(Debug)]
pub struct Machine {
    cmdline: Cmdline,
    board: Board,
    site: Site,
    uevents: Option<Uevents>,
    addresses: Option<net::Watch>,
    seen: BTreeSet<String>,
    queue: BTreeSet<String>,
    walk_again: bool,
    begun: Millis,
    system: bool,
    last_device: Millis,
    coldplug_done: bool,
    modules_done: bool,
    late_done: bool,
    /// Keeps every exclusive open of the whole boot disk from succeeding.
    held: Option<OwnedFd>,
    disk_path: Option<String>,
    /// Last word of the medium's keeper, while it has one to say.
    heard_at: Option<Millis>,
    data_settled: bool,
    traces: Traces,
    reboots: u32,
    progress: Option<String>,
    fixed_done: bool,
    moving: Option<Moving>,
}

/// State on its way from a pulled medium into RAM.
#[derive(Debug, Clone, Copy)]
enum Moving {
    /// Services are stopping, since then.
    Stopping(Millis),
    /// The keeper is writing, since then.
    Saving(Millis),
}

impl Machine {
    /// Reads what the boot loader and the image say.
    pub fn new(desk: &mut Desk) -> Machine {
        let cmdline = Cmdline::parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default());
        let (board, board_error) = Board::read(Path::new("/kiln/board.toml"));
        if let Some(e) = board_error {
            desk.banner(
                "board",
                Severity::Warning,
                format!("The image's board file cannot be used: {e}. Drivers that no device asks for are missing."),
            );
        }
        let (site, errors) = match fs::read_to_string("/kiln/kiln.toml") {
            Ok(text) => Site::parse(&text),
            Err(_) => (Site::default(), Vec::new()),
        };
        if !errors.is_empty() {
            desk.banner("site", Severity::Warning, format!("A setting was not understood and is not used: {}. Correct it on the boot partition and restart the box.", errors.join("; ")));
        }
        desk.host = site.hostname.clone().unwrap_or_else(|| "kiln".into());
        let _ = nix::unistd::sethostname(&desk.host);
        desk.env = site.env.clone().into_iter().collect();
        if site.network.is_some() {
            desk.left_out.push("network".into());
        }
        let read = |p: &str| fs::read_to_string(p).unwrap_or_default().trim().to_owned();
        desk.boot.slot.clone_from(&cmdline.slot);
        desk.boot.why.clone_from(&cmdline.why);
        desk.boot.via.clone_from(&cmdline.via);
        desk.boot.kernel = read("/proc/sys/kernel/osrelease");
        desk.boot.boot_id = read("/proc/sys/kernel/random/boot_id");
        Machine {
            cmdline,
            board,
            site,
            uevents: None,
            addresses: None,
            seen: BTreeSet::new(),
            queue: BTreeSet::new(),
            walk_again: false,
            begun: 0,
            system: false,
            last_device: 0,
            coldplug_done: false,
            modules_done: false,
            late_done: false,
            held: None,
            disk_path: None,
            heard_at: None,
            data_settled: false,
            traces: Traces::default(),
            reboots: 0,
            progress: None,
            fixed_done: false,
            moving: None,
        }
    }

    /// First steps: sockets that must not miss anything, loopback, the early modules.
    pub fn begin(&mut self, now: Millis, desk: &mut Desk) {
        self.begun = now;
        self.uevents = Uevents::listen()
            .inspect_err(|e| log::error(&format!("uevents: {e}")))
            .ok();
        self.addresses = net::Watch::listen()
            .inspect_err(|e| log::error(&format!("addresses: {e}")))
            .ok();
        if let Err(e) = net::up("lo") {
            log::error(&format!("loopback: {e}"));
        }
        let board = self.board.clone();
        desk.start(Task::Early, move |line| work::early(line, &board));
        let serial = console::serial_devices();
        desk.start(Task::Console, move |line| console::draw(line, &serial));
        desk.boot.reason = "not known yet".into();
    }

    /// Descriptors to wait on.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.uevents
            .iter()
            .map(AsFd::as_fd)
            .chain(self.addresses.iter().map(AsFd::as_fd))
    }

    /// Looks at everything that has changed and starts what is due.
    pub fn turn(&mut self, now: Millis, desk: &mut Desk) {
        self.read_uevents(now, desk);
        if self.addresses.as_ref().is_none_or(net::Watch::changed)
            || (desk.addresses.is_empty() && now.saturating_sub(self.begun) < 5_000)
        {
            let found = net::addresses();
            if found.is_empty() == desk.addresses.is_empty() && found == desk.addresses {
                // Nothing new.
            } else {
                desk.inputs.push_back(Input::Milestone {
                    which: Milestone::Network,
                    holds: !found.is_empty(),
                });
                desk.addresses = found;
            }
        }
        if self.system {
            self.load_modules(now, desk);
        }
        self.move_state(now, desk);
        if let Some(at) = self.heard_at {
            let silent = now.saturating_sub(at);
            desk.inputs.push_back(Input::MediumSilent { for_ms: silent });
            if silent > SILENCE {
                desk.banner(
                    "silent",
                    Severity::Warning,
                    "The boot medium does not answer. If it stays silent, the box restarts.".into(),
                );
            } else {
                desk.unbanner("silent");
            }
        }
        if let (Some(fixed), false) = (&self.site.network, self.fixed_done) {
            match net::set_fixed(fixed) {
                Ok(done) => self.fixed_done = done,
                Err(e) => {
                    self.fixed_done = true;
                    desk.banner(
                        "fixed",
                        Severity::Warning,
                        format!("The fixed address {} could not be set: {e}.", fixed.address),
                    );
                }
            }
        }
    }

    fn read_uevents(&mut self, now: Millis, desk: &mut Desk) {
        for _ in 0..2_048 {
            match self.uevents.as_ref().map_or(Next::Empty, Uevents::next) {
                Next::Empty => return,
                Next::Lost => {
                    log::warn("uevents were lost: walking /sys again");
                    self.walk_again = true;
                }
                Next::Event(e) => {
                    self.last_device = now;
                    match (e.action, e.get("MODALIAS")) {
                        (Action::Add, Some(alias)) => self.want(alias),
                        (Action::Remove, _) if self.disk_path.as_deref() == Some(e.devpath.as_str()) => {
                            self.medium_gone(now, "the boot medium was pulled", desk);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn want(&mut self, modalias: &str) {
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        if self.seen.insert(modalias.to_owned()) && self.queue.len() < SEEN_MAX {
            self.queue.insert(modalias.to_owned());
        }
    }

    fn load_modules(&mut self, now: Millis, desk: &mut Desk) {
        if self.walk_again && !desk.runs(Task::Coldplug) {
            self.walk_again = false;
            self.start_coldplug(desk);
        }
        let busy = desk.helpers.iter().filter(|h| h.task == Task::Hotplug).count();
        if !self.queue.is_empty() && busy < HOTPLUG_MAX {
            let batch: BTreeSet<String> = self.queue.iter().take(BATCH).cloned().collect();
            let mine = batch.clone();
            if desk.start(Task::Hotplug, move |_| work::hotplug(&mine)) {
                self.queue.retain(|m| !batch.contains(m));
            }
        }
        let quiet = self.queue.is_empty() && busy == 0 && now.saturating_sub(self.last_device) >= QUIET;
        if self.coldplug_done && !self.modules_done && (quiet || now.saturating_sub(self.begun) > SETTLE_MAX) {
            self.modules_done = true;
            desk.inputs.push_back(Input::Milestone {
                which: Milestone::Modules,
                holds: true,
            });
            let board = self.board.clone();
            desk.start(Task::Late, move |_| work::late(&board));
        }
    }

    fn start_coldplug(&mut self, desk: &mut Desk) {
        let extra = if self.coldplug_done {
            Vec::new()
        } else {
            self.board.extra.clone()
        };
        desk.start(Task::Coldplug, move |line| work::coldplug(line, &extra));
    }

    /// A helper said something.
    pub fn heard(&mut self, now: Millis, task: Task, line: &str, fd: Option<OwnedFd>, desk: &mut Desk) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (task, word) {
            (Task::Early, "system") => {
                self.system = true;
                desk.inputs.push_back(Input::Milestone {
                    which: Milestone::System,
                    holds: true,
                });
                self.start_coldplug(desk);
                self.start_keeper(now, desk);
            }
            (Task::Early, "env") => {
                if let Some((k, v)) = rest.split_once('=').filter(|(k, _)| site::is_variable(k)) {
                    desk.env.retain(|(old, _)| old != k);
                    desk.env.push((k.to_owned(), v.to_owned()));
                    desk.env_changed = true;
                }
            }
            (Task::Early, "broken") => {
                desk.banner(
                    "system",
                    Severity::Critical,
                    format!("The system image cannot be used: {rest}. Write the image to the stick again."),
                );
                self.start_keeper(now, desk);
            }
            (Task::Coldplug, "seen") => {
                self.seen.extend(rest.split('\n').map(str::to_owned));
            }
            (Task::Medium, _) => self.heard_medium(now, word, rest, fd, desk),
            _ => {}
        }
    }

    fn start_keeper(&mut self, now: Millis, desk: &mut Desk) {
        match &self.cmdline.part {
            Some(part) if self.system => {
                let part = part.clone();
                self.heard_at = None;
                let _ = now;
                if desk.start(Task::Medium, move |line| medium::keep(line, &part)) {
                    return;
                }
                self.to_ram("no process for the boot medium", desk);
            }
            Some(_) => self.to_ram("without the system image there are no tools for the boot medium", desk),
            None => self.to_ram("the box was started without a boot medium of its own", desk),
        }
    }

    fn heard_medium(&mut self, now: Millis, word: &str, rest: &str, fd: Option<OwnedFd>, desk: &mut Desk) {
        if self.heard_at.is_some() {
            self.heard_at = Some(now);
        }
        match word {
            "progress" => {
                log::warn(rest);
                self.progress = Some(rest.to_owned());
            }
            "disk" => {
                if let Some((number, path)) = rest.split_once(' ') {
                    log::info(&format!("boot disk {number} {path}"));
                    self.disk_path = Some(path.strip_prefix("/sys").unwrap_or(path).to_owned());
                    let _ = fs::write(BOOT_DISK, format!("{number}\n"));
                }
                if fd.is_none() {
                    desk.banner(
                        "held",
                        Severity::Warning,
                        "The boot disk could not be locked against erasing; the agent still refuses it by its number."
                            .into(),
                    );
                }
                self.held = fd;
            }
            "traces" => self.heard_traces(rest, desk),
            "mounted" => {
                log::info(&format!("DATA is mounted ({rest})"));
                self.progress = None;
                if rest == "remade" {
                    desk.banner("data", Severity::Warning, "The DATA partition could not be repaired and was made anew: history and settings of this box are lost.".into());
                } else if rest == "repaired" {
                    desk.banner(
                        "data",
                        Severity::Info,
                        "The DATA partition was repaired at this start.".into(),
                    );
                }
                desk.boot.medium = Medium::Disk;
                self.heard_at = Some(now);
                self.settled("disk", desk);
            }
            "ram" => self.to_ram(rest, desk),
            "gone" => self.medium_gone(now, rest, desk),
            "saved" if self.moving.is_some() => {
                log::warn(&format!("state has moved into memory: {rest}"));
                self.moving = None;
                desk.boot.medium = Medium::Ram;
                self.settled("ram", desk);
            }
            _ => {}
        }
    }

    fn heard_traces(&mut self, json: &str, desk: &mut Desk) {
        #[derive(serde::Deserialize)]
        struct Told {
            record: Option<Record>,
            cut_short: bool,
            panic: Option<String>,
        }
        if let Ok(t) = serde_json::from_str::<Told>(json) {
            self.reboots = t.record.as_ref().filter(|r| r.ladder).map_or(0, |r| r.reboots);
            desk.inputs.push_back(Input::Reboots { in_a_row: self.reboots });
            self.traces = Traces {
                record: t.record,
                cut_short: t.cut_short,
                panic: t.panic,
                has_state: true,
                ..self.traces
            };
        }
        desk.boot.reason = self.traces.reason();
    }

    /// State goes on in RAM; the helper reports when it does.
    fn to_ram(&mut self, why: &str, desk: &mut Desk) {
        self.heard_at = None;
        self.progress = None;
        let text = if self.data_settled {
            format!(
                "State is kept in memory: {why}. Running jobs go on; history since the start of this boot is lost with the power."
            )
        } else {
            format!("State is kept in memory: {why}. Settings and history are lost with the power.")
        };
        desk.banner("ram", Severity::Warning, text);
        desk.inputs.push_back(Input::Medium { present: false });
        desk.start(Task::ToRam, |_| match mounts::state_in_ram() {
            Ok(()) => 0,
            Err(e) => {
                log::error(&format!("state in RAM: {e}"));
                1
            }
        });
    }

    /// Services that keep state stop and wait; then the keeper writes its copy into RAM; then they start again.
    fn medium_gone(&mut self, now: Millis, why: &str, desk: &mut Desk) {
        if self.disk_path.take().is_none() {
            return;
        }
        let _ = fs::remove_file(BOOT_DISK);
        self.held = None;
        self.heard_at = None;
        if !self.data_settled || desk.boot.medium == Medium::Ram {
            // State was never on it: nothing moves.
            return;
        }
        let text = format!(
            "{}: state is kept in memory from now on. Jobs go on; everything since this start is lost with the power.",
            sentence(why)
        );
        desk.banner("ram", Severity::Warning, text);
        desk.inputs.push_back(Input::Medium { present: false });
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::Data,
            holds: false,
        });
        desk.state_moved = Some("its state moves to memory".into());
        self.moving = Some(Moving::Stopping(now));
    }

    fn move_state(&mut self, now: Millis, desk: &mut Desk) {
        match self.moving {
            None => {}
            Some(Moving::Stopping(since)) => {
                let waited = now.saturating_sub(since);
                // The first turn only hands the requests to the core.
                if waited > 0 && (!desk.stateful_run || waited > STOPS_WITHIN) && desk.state_moved.is_none() {
                    let told = desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell("save"));
                    self.moving = Some(Moving::Saving(now));
                    if !told {
                        self.start_empty(desk);
                    }
                }
            }
            Some(Moving::Saving(since)) => {
                if now.saturating_sub(since) > SAVES_WITHIN || !(desk.runs(Task::Medium) || desk.runs(Task::ToRam)) {
                    self.start_empty(desk);
                }
            }
        }
    }

    /// The copy is lost: services start afresh.
    fn start_empty(&mut self, desk: &mut Desk) {
        self.moving = None;
        for h in desk.helpers.iter().filter(|h| h.task == Task::Medium) {
            h.kill();
        }
        self.to_ram(
            "the boot medium was pulled and no copy of the state could be made",
            desk,
        );
    }

    fn settled(&mut self, place: &str, desk: &mut Desk) {
        let _ = fs::write(STATE_WHERE, format!("{place}\n"));
        desk.boot.reason = self.traces.reason();
        self.data_settled = true;
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::Data,
            holds: true,
        });
    }

    /// A helper has ended.
    pub fn ended(&mut self, now: Millis, task: Task, exit: Exit, desk: &mut Desk) {
        if exit != Exit::Code(0) {
            log::info(&format!("{task:?} ended with {exit}"));
        }
        match task {
            Task::Early if !self.system => {
                self.heard(now, Task::Early, "broken it could not be mounted", None, desk);
            }
            Task::Coldplug => self.coldplug_done = true,
            Task::Late => {
                self.late_done = true;
                if !Path::new("/dev/watchdog").exists() {
                    desk.banner(
                        "watchdog",
                        Severity::Warning,
                        "No hardware watchdog was found: a box that hangs will not restart by itself.".into(),
                    );
                }
            }
            Task::ToRam => {
                desk.boot.medium = Medium::Ram;
                self.settled("ram", desk);
            }
            Task::Medium
                if self.moving.is_none()
                    && !self.data_settled
                    && !desk.runs(Task::ToRam)
                    && desk.boot.medium == Medium::Ram =>
            {
                self.to_ram("the keeper of the boot medium ended", desk);
            }
            Task::Medium if self.disk_path.is_some() && desk.boot.medium == Medium::Disk && self.moving.is_none() => {
                // It ends by itself only when PID 1 wants it to; this was a mishap.
                self.heard_at = Some(now);
                if let Some(part) = self.cmdline.part.clone() {
                    desk.start(Task::Medium, move |line| medium::watch(line, &part));
                }
            }
            Task::Console => {
                let serial = console::serial_devices();
                desk.start(Task::Console, move |line| console::draw(line, &serial));
            }
            Task::Early | Task::Medium | Task::Hotplug | Task::Farewell => {}
        }
    }

    /// The watchdog is open.
    pub fn watchdog_found(&mut self, reset_us: bool, desk: &mut Desk) {
        self.traces.watchdog = reset_us;
        desk.unbanner("watchdog");
        if self.data_settled {
            desk.boot.reason = self.traces.reason();
        }
    }

    /// Puts the present state on the console.
    pub fn show(&self, status: &Status, claim: Option<&str>, desk: &Desk) {
        let screen = console::Screen {
            status: status.clone(),
            claim: claim.map(str::to_owned),
            progress: self.progress.clone(),
        };
        let text = serde_json::to_string(&screen).unwrap_or_default();
        for h in desk.helpers.iter().filter(|h| h.task == Task::Console) {
            h.tell(&text);
        }
    }

    /// Last writes: the record, everything in the cache, the mount.
    pub fn farewell(&mut self, why: &str, ladder: bool, desk: &mut Desk) {
        let record = Record {
            why: why.to_owned(),
            ladder,
            reboots: if ladder { self.reboots + 1 } else { 0 },
        };
        let on_disk = desk.boot.medium == Medium::Disk;
        desk.start(Task::Farewell, move |_| {
            if on_disk {
                record::leave(Path::new(record::FOLDER), &record);
            }
            nix::unistd::sync();
            let _ = nix::mount::umount2("/var/lib/kiln", nix::mount::MntFlags::MNT_DETACH);
            nix::unistd::sync();
            0
        });
    }
}

/// With a capital letter at its start.
fn sentence(text: &str) -> String {
    let mut c = text.chars();
    c.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(c).collect())
}

/// PID 1.
pub fn main() -> ExitCode {
    // The loop survives a panic (see `Shell::run`); what happened must be in the log either way.
    std::panic::set_hook(Box::new(|info| log::error(&format!("PID 1 panicked: {info}"))));
    let failed = mounts::kernel();
    log::use_kmsg();
    for f in failed {
        log::error(&format!("mount {f}"));
    }
    if let Err(e) = crate::shell::cgroup::prepare() {
        log::error(&format!("cgroups: {e}"));
    }
    let _ = fs::write("/proc/sys/net/unix/max_dgram_qlen", "1024\n");
    let _ = fs::write("/proc/sys/kernel/panic", "10\n");
    // Ctrl-Alt-Del becomes a signal, so that it is an orderly reboot.
    let _ = nix::sys::reboot::set_cad_enabled(false);
    let mut desk = Desk::default();
    let machine = Machine::new(&mut desk);
    let ending = match Shell::new(Paths::new(None), Some(machine), desk, 0) {
        Ok(mut shell) => shell.run(),
        Err(e) => Err(e),
    };
    let mode = match ending {
        Ok(Ending::PowerOff) => RebootMode::RB_POWER_OFF,
        Ok(Ending::Reboot) => RebootMode::RB_AUTOBOOT,
        Err(e) => {
            log::error(&format!("PID 1 cannot go on: {e}"));
            record::leave(
                Path::new(record::FOLDER),
                &Record {
                    why: format!("PID 1 could not go on: {e}"),
                    ladder: true,
                    reboots: 1,
                },
            );
            RebootMode::RB_AUTOBOOT
        }
    };
    let e = reboot(mode);
    log::error(&format!("reboot: {e:?}"));
    // The watchdog is not fed any more.
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

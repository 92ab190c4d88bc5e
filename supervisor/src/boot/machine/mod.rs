//! The box, a small state machine fed by the loop: helpers report, uevents arrive, and each report starts the next step.
//!
//! This file has its facts and its turn. `heard` takes what helpers say, of whom `work` has those that load and mount, and leads
//! it on: `devices` to drivers, `medium` to the boot medium, `traces` to why the last boot ended (after too many such ends
//! `safe` mode begins), `state` to moving the services' state between disk and RAM, `reset` to a factory reset. `clock` and
//! `identity` look after time and name; `succeed` makes this machine of a replaced PID 1's.

mod clock;
mod devices;
mod heard;
mod identity;
mod medium;
mod reset;
mod safe;
mod state;
mod succeed;
mod traces;
mod work;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use serde::{Deserialize, Serialize};
use wire::event::Severity;
use wire::supervisor::{Medium, Status};

use crate::boot::config::board::Board;
use crate::boot::config::cmdline::Cmdline;
use crate::boot::config::site::Site;
use crate::boot::end::farewell;
use crate::boot::end::farewell::Last;
use crate::boot::end::record::{Record, Traces};
use crate::boot::kernel::uevents::Uevents;
use crate::boot::kernel::{grace, net};
use crate::boot::medium::fence;
use crate::console;
use crate::core::{Input, Milestone, Millis};
use crate::shell::desk::Desk;
use crate::shell::helper::{LINE_MAX, Task};
use crate::shell::log;
use crate::update::{Known, block};
use reset::Marking;

/// Silence of the medium's keeper that is reported, in milliseconds.
const SILENCE: Millis = 15_000;

/// Longest that drivers of the network, clock and addresses wait for the server to listen, in milliseconds: a medium may be
/// slow, and a link takes seconds to come up.
const LISTENS_WITHIN: Millis = 2_000;

/// Between two tries to hear of devices and addresses from the kernel, in milliseconds; until it can be heard, everything is
/// looked at as often.
const LISTEN_EVERY: Millis = 10_000;

/// The box.
#[derive(Debug)]
pub struct Machine {
    cmdline: Cmdline,
    board: Board,
    site: Site,
    uevents: Option<Uevents>,
    addresses: Option<net::Watch>,
    /// Keeps every exclusive open of the whole boot disk from succeeding.
    held: Option<OwnedFd>,
    facts: Facts,
}

/// What the machine knows, as plain data: PID 1's replacement goes on with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    seen: BTreeSet<String>,
    queue: BTreeSet<String>,
    walk_again: bool,
    begun: Millis,
    system: bool,
    last_device: Millis,
    /// What listening does not need may begin.
    listening: bool,
    /// The walk that leaves no driver out has begun.
    whole_begun: bool,
    coldplug_done: bool,
    modules_done: bool,
    late_done: bool,
    disk_path: Option<String>,
    /// Last word of the medium's keeper, while it has one to say.
    heard_at: Option<Millis>,
    data_settled: bool,
    traces: Traces,
    progress: Option<String>,
    moving: Option<Moving>,
    /// DATA is to be made anew after the reboot that is under way.
    #[serde(default)]
    reset: bool,
    /// A reset that was asked for, until the medium has taken its mark.
    #[serde(default)]
    marking: Option<Marking>,
    /// The boot partition's name and mark, since the medium was given its own; the mark is empty where nobody can tell it.
    #[serde(default)]
    part: Option<String>,
    #[serde(default)]
    mark: Option<String>,
    /// What the medium is known by when it comes back.
    #[serde(default)]
    same: Option<String>,
    /// State was on the medium at some time of this boot.
    #[serde(default)]
    was_on_disk: bool,
    /// Memory holds all that was on the medium when it left.
    #[serde(default)]
    whole: bool,
    /// Reboots by the ladder in a row of the slot that runs.
    #[serde(default)]
    in_a_row: u32,
    /// That count, as the medium has been told it.
    #[serde(default)]
    row_kept: Option<u32>,
    /// An interface has come since dhcpcd was told of all there are.
    #[serde(default)]
    interface_came: bool,
    /// Whether interfaces that `kiln.toml` sets were looked for: at the latest when a slow adapter is there.
    #[serde(default)]
    interfaces_looked: bool,
    /// When a PCI device last came, went, or got or lost its driver; `None` once controllers were looked at since.
    #[serde(default)]
    controllers_changed: Option<Millis>,
    /// Whether they were looked at in this boot.
    #[serde(default)]
    controllers_looked: bool,
    /// An input device may have come since the power button's helper looked.
    #[serde(default)]
    button_came: bool,
    /// When that helper was last started.
    #[serde(default)]
    button_begun: Option<Millis>,
    /// The console has not taken what was last put on it.
    #[serde(default)]
    unshown: bool,
    /// An address or a link has changed since the addresses were asked for.
    #[serde(default)]
    addresses_changed: bool,
    /// When it was last tried to hear of devices or addresses where that had failed.
    #[serde(default)]
    listened: Millis,
    /// The keeper was asked to look for crash dumps once all drivers were loaded.
    #[serde(default)]
    dumps_looked: bool,
    /// When the last debug bundle's helper ended.
    #[serde(default)]
    bundled: Option<Millis>,
    /// Whether the box was named after its interfaces, where nothing else names it.
    #[serde(default)]
    name_looked: bool,
    /// The last writes have begun: no helper is started any more.
    #[serde(default)]
    ending: bool,
    /// The last writes, until a helper makes them.
    #[serde(default)]
    last: Option<Last>,
}

/// State on its way from a medium that has left into RAM, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Moving {
    /// Services are stopping, since then.
    Stopping(Millis),
    /// The keeper is writing, since then.
    Saving(Millis),
    /// The medium is back: services are stopping, since then.
    Leaving(Millis),
    /// The keeper is writing to it, since then.
    Carrying(Millis),
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
        let (site, errors) = Site::read();
        if !errors.is_empty() {
            desk.banner("site", Severity::Warning, site.banner(&errors));
        }
        clock::begin(board.built, desk);
        if cmdline.why == "all-bad" {
            block::all_bad(&cmdline.slot, desk);
        }
        if cmdline.unread {
            // DATA, and the block itself, are read much later, if ever.
            block::unread(&cmdline.slot, desk);
        }
        name(&site, false, desk);
        desk.env = site.env.clone().into_iter().collect();
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
            held: None,
            facts: Facts::default(),
        }
    }

    /// First steps: sockets that must not miss anything, loopback, the early modules.
    pub fn begin(&mut self, now: Millis, desk: &mut Desk) {
        self.facts.begun = now;
        safe::begin(desk);
        if let Err(why) = self.listen() {
            log::error(&why);
        }
        // Nothing was missed: the first walk is still to come.
        (self.facts.walk_again, self.facts.interface_came) = (false, false);
        if let Err(e) = net::up("lo") {
            log::error(&format!("loopback: {e}"));
        }
        let board = self.board.clone();
        desk.start(Task::Early, move |line| work::early(line, &board));
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
        self.listen_again(now, desk);
        self.read_uevents(now, desk);
        self.look_at_interfaces(now, desk);
        self.look_at_controllers(now, desk);
        self.look_at_addresses(desk);
        self.look_at_button(now, desk);
        self.look_at_clock(desk);
        if !self.facts.listening && (desk.served || now.saturating_sub(self.facts.begun) >= LISTENS_WITHIN) {
            self.facts.listening = true;
            if let Err(e) = grace::hurry(Path::new("/"), false) {
                log::warn(&format!(
                    "grace periods stay hurried, each interrupts every processor: {e}"
                ));
            }
            desk.inputs.push_back(Input::Milestone {
                which: Milestone::Listening,
                holds: true,
            });
        }
        // Also where it could not be started before, for want of memory.
        if self.facts.listening && !self.facts.ending && !desk.runs(Task::Console) {
            self.start_console(desk);
        }
        if self.facts.system {
            self.load_modules(now, desk);
        }
        self.look_at_name(now, desk);
        self.look_at_fence(Path::new(fence::NOTE), desk);
        self.move_state(now, desk);
        self.keep_row(desk);
        self.look_at_dumps(desk);
        self.look_at_reset(desk);
        if let Some(at) = self.facts.heard_at {
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
    }

    /// Has a helper ask for the addresses when one may have changed: the kernel answers under its network lock, which a driver
    /// that hangs may hold.
    fn look_at_addresses(&mut self, desk: &mut Desk) {
        if self.addresses.as_ref().is_some_and(net::Watch::changed) {
            self.facts.addresses_changed = true;
        }
        if self.facts.addresses_changed && !self.facts.ending && !desk.runs(Task::Addresses) {
            self.facts.addresses_changed = !desk.start(Task::Addresses, |line| {
                line.say(&format!("are {}", net::addresses().join(" ")));
                0
            });
        }
    }

    /// Names a box that has no number of its own, once its interfaces are there.
    fn look_at_name(&mut self, now: Millis, desk: &mut Desk) {
        if !self.facts.name_looked && self.interfaces_settled(now) {
            self.facts.name_looked = true;
            name(&self.site, true, desk);
        }
    }

    /// Ports that the owner wants besides those of the unit files.
    pub fn ports(&self) -> &[u16] {
        &self.site.ports
    }

    /// What an update has to know of this start.
    pub fn known(&self, medium: Medium) -> Known {
        Known {
            part: self.cmdline.part.clone(),
            left: self.cmdline.left.clone(),
            unread: self.cmdline.unread,
            in_a_row: self.facts.in_a_row,
            lost: self.facts.data_settled && !self.facts.was_on_disk && self.cmdline.on_trial(),
            step: self.step(medium).map(str::to_owned),
            moves: self.facts.moving.is_some(),
            traces: self.facts.traces.clone(),
        }
    }

    /// What a start on trial is at until its trial can begin; `None` where it cannot, without the medium. A proven slot has all
    /// the time that it takes.
    fn step(&self, medium: Medium) -> Option<&str> {
        let f = &self.facts;
        if !self.cmdline.on_trial() {
            None
        } else if f.data_settled {
            (medium == Medium::Disk && f.moving.is_none()).then_some("looking at the slots")
        } else if !f.system {
            Some("mounting the system image")
        } else {
            let quiet = match f.disk_path {
                None => "looking for the boot medium",
                Some(_) => "mounting DATA",
            };
            Some(f.progress.as_deref().unwrap_or(quiet))
        }
    }

    /// The watchdog is open.
    pub fn watchdog_found(&mut self, reset_us: bool, desk: &mut Desk) {
        self.facts.traces.watchdog = reset_us;
        desk.unbanner("watchdog");
        if self.facts.data_settled {
            desk.boot.reason = self.facts.traces.reason();
            if reset_us && self.facts.was_on_disk {
                self.count(desk);
            }
        }
    }

    /// Puts the present state on the console.
    pub fn show(&mut self, status: &Status, (claim, fingerprint): (Option<&str>, Option<&str>), desk: &Desk) {
        let screen = console::Screen {
            status: status.clone(),
            claim: claim.map(str::to_owned),
            fingerprint: fingerprint.map(str::to_owned),
            progress: self.facts.progress.clone(),
        };
        let text = screen.told(LINE_MAX);
        self.facts.unshown = false;
        for h in desk.helpers.iter().filter(|h| h.task == Task::Console) {
            self.facts.unshown |= !h.tell(&text);
        }
    }

    /// Starts what draws the console. Nobody reads it in the first second, and drawing holds up the server.
    fn start_console(&mut self, desk: &mut Desk) {
        let serial = console::serial_devices();
        desk.start(Task::Console, move |line| console::draw(line, &serial));
        self.facts.unshown = true;
    }

    /// Whether the console has missed what was last put on it: it was busy, or was started since.
    pub fn is_unshown(&self) -> bool {
        self.facts.unshown
    }

    /// Prepares the last writes: the record, everything in the cache, the mount. `in_a_row`: the ladder reboots, for so many times.
    pub fn farewell(&mut self, why: &str, in_a_row: Option<u32>, desk: &mut Desk) {
        let record = Record {
            why: why.to_owned(),
            ladder: in_a_row.is_some(),
            reboots: in_a_row.unwrap_or(0),
            slot: desk.boot.slot.clone(),
            reset: self.facts.reset,
        };
        let on_disk = desk.boot.medium == Medium::Disk;
        self.facts.ending = true;
        self.facts.last = Some(Last { record, on_disk });
        // They hold files of DATA; nothing of theirs is worth more than an unmounted file system.
        for h in desk.helpers.iter().filter(|h| h.task != Task::Console) {
            h.kill();
        }
    }

    /// Has the last writes made; whether they are done, or `over`: their time is up.
    pub fn may_end(&mut self, over: bool, desk: &mut Desk) -> bool {
        let runs = desk.runs(Task::Farewell);
        let start = |last: &Last| {
            let last = last.clone();
            desk.start(Task::Farewell, move |_| last.bid())
        };
        farewell::may_end(&mut self.facts.last, over, runs, start, Last::keep)
    }
}

/// Gives the box its name, which it keeps from then on. `settled`: its interfaces are there.
fn name(site: &Site, settled: bool, desk: &mut Desk) {
    if let Some(name) = new_name(&desk.host, site, || identity::name(Path::new("/"), settled)) {
        desk.host = name;
        let _ = nix::unistd::sethostname(&desk.host);
    }
}

/// The name for a box that has none yet: the owner's, or the machine's own as soon as that is known.
fn new_name(now: &str, site: &Site, own: impl FnOnce() -> Option<String>) -> Option<String> {
    let known = !now.is_empty() && now != identity::UNNAMED;
    (!known).then(|| {
        let name = site.hostname.clone().or_else(own);
        name.unwrap_or_else(|| identity::UNNAMED.into())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::medium::said::Said;
    use crate::shell::helper::Helper;

    pub(super) fn machine() -> Machine {
        Machine {
            cmdline: Cmdline::parse("kiln.slot=a"),
            board: Board::default(),
            site: Site::default(),
            uevents: None,
            addresses: None,
            held: None,
            facts: Facts::default(),
        }
    }

    #[test]
    fn the_name_by_interfaces_waits_until_they_are_there_and_no_longer_than_a_bound() {
        let mut m = machine();
        let settled = |m: &Machine, now| m.interfaces_settled(now);
        assert_eq!([0, 20_000, 20_001].map(|now| settled(&m, now)), [false, false, true]);
        m.facts.modules_done = true;
        assert!(settled(&m, 0));
        // Two drivers, of which either may be the first.
        let (low, high) = ("52:54:00:00:00:01", "52:54:00:00:00:02");
        let named = |now: &str, macs: &[&str], settled| {
            let machine = identity::tests::machine("0", macs);
            new_name(now, &Site::default(), || identity::name(machine.path(), settled)).unwrap()
        };
        let [one, other] = [low, high].map(|first| {
            let before = named("", &[first], false);
            assert_eq!(before, identity::UNNAMED);
            named(&before, &[high, low], true)
        });
        assert!(one == other && one != identity::UNNAMED, "{one} {other}");
    }

    #[test]
    fn a_box_keeps_the_name_that_it_has_when_pid_1_is_replaced() {
        let site = Site::default();
        let own = |name: &'static str| move || Some(name.to_owned());
        let first = new_name("", &site, own("kiln-0001"));
        assert_eq!(first.as_deref(), Some("kiln-0001"));
        // An adapter has come since, by which the box would be named now.
        for kernels in ["kiln-0001", "bench-3"] {
            let desk = succeed::named_desk(kernels);
            assert_eq!(desk.host, kernels);
            assert_eq!(new_name(&desk.host, &site, own("kiln-ffff")), None);
        }
        for unnamed in ["", "(none)", "localhost", identity::UNNAMED] {
            let desk = succeed::named_desk(unnamed);
            assert_eq!(
                new_name(&desk.host, &site, own("kiln-0001")).as_deref(),
                Some("kiln-0001")
            );
        }
    }

    #[test]
    fn a_console_that_took_nothing_is_told_again() {
        let (mut m, mut desk) = (machine(), Desk::default());
        let status = console::tests::screen().status;
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        while ours.send(&[0; 512]).is_ok() {}
        desk.helpers.push(Helper::of(Task::Console, 0, ours.into()));
        m.show(&status, (Some("ABCD1234"), None), &desk);
        assert!(m.is_unshown(), "it is full");
        let mut buf = [0; 4096];
        theirs.set_nonblocking(true).unwrap();
        while theirs.recv(&mut buf).is_ok() {}
        m.show(&status, (Some("ABCD1234"), None), &desk);
        assert!(!m.is_unshown());
        let told = theirs.recv(&mut buf).unwrap();
        assert!(String::from_utf8_lossy(&buf[..told]).contains("ABCD1234"));
    }

    #[test]
    fn a_start_on_trial_says_what_it_is_at_and_a_proven_one_has_all_its_time() {
        let (mut m, mut desk) = (machine(), Desk::default());
        assert_eq!(m.known(Medium::Ram).step, None);
        m.cmdline = Cmdline::parse("kiln.slot=b kiln.state=trying");
        let is_at = |m: &Machine, medium: Medium, what: Option<&str>| {
            assert_eq!(m.known(medium).step.as_deref(), what);
        };
        is_at(&m, Medium::Ram, Some("mounting the system image"));
        m.facts.system = true;
        is_at(&m, Medium::Ram, Some("looking for the boot medium"));
        m.facts.disk_path = Some("/devices/x".into());
        is_at(&m, Medium::Ram, Some("mounting DATA"));
        m.heard_medium(0, Said::Progress("repairing DATA".into()), None, &mut desk);
        is_at(&m, Medium::Ram, Some("repairing DATA"));
        m.facts.data_settled = true;
        is_at(&m, Medium::Disk, Some("looking at the slots"));
        // Pulled: no fault of the system's.
        is_at(&m, Medium::Ram, None);
        assert!(!m.known(Medium::Disk).moves);
        m.facts.moving = Some(Moving::Stopping(0));
        is_at(&m, Medium::Disk, None);
        assert!(m.known(Medium::Disk).moves);
    }
}

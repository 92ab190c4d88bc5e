//! What helpers say, and what their end means.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use wire::event::Severity;
use wire::supervisor::Medium;

use super::reset::not_done;
use super::{Facts, Machine, Moving, name, safe};
use crate::boot::record::{Record, Row, Traces};
use crate::boot::said::Said;
use crate::boot::{bundle, keeper, pstore, site};
use crate::core::{Ending, Exit, Input, Milestone, Millis, REBOOTS_MAX};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;

/// Where other programs read the boot disk's device number.
pub(super) const BOOT_DISK: &str = "/run/kiln/boot-disk";
/// Where a PID 1 that has lost its notes reads the names that the medium was given since the boot loader told them.
pub(super) const BOOT_NAMES: &str = "/run/kiln/boot-names";

/// From the end of one debug bundle until a key at the console begins the next, in milliseconds: a line that brings noise, or its
/// own echo, would else have the boot partition written to for as long as the box runs.
const BUNDLE_EVERY: Millis = 60_000;

impl Facts {
    /// The medium's own names, a line each.
    fn names(&self) -> String {
        let line =
            |word: &str, name: &Option<String>| name.as_ref().map(|n| format!("{word} {n}\n")).unwrap_or_default();
        line("part", &self.part) + &line("mark", &self.mark)
    }

    /// Whether the console may have a debug bundle made.
    fn may_bundle(&self, now: Millis) -> bool {
        self.bundled
            .is_none_or(|ended| now.saturating_sub(ended) >= BUNDLE_EVERY)
    }

    /// Takes the names from such lines.
    pub(super) fn renamed_at(&mut self, names: &str) {
        for l in names.lines() {
            match l.split_once(' ') {
                Some(("part", name)) => self.part = Some(name.to_owned()),
                Some(("mark", name)) => self.mark = Some(name.to_owned()),
                Some(_) | None => {}
            }
        }
    }
}

impl Machine {
    /// A helper said something.
    pub fn heard(&mut self, now: Millis, task: Task, line: &str, fd: Option<OwnedFd>, desk: &mut Desk) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (task, word) {
            (Task::Early, "system") => {
                self.facts.system = true;
                desk.inputs.push_back(Input::Milestone {
                    which: Milestone::System,
                    holds: true,
                });
                if self.drivers_may_load() {
                    self.start_coldplug(desk);
                }
                self.start_keeper(desk);
            }
            (Task::Early, "env") => {
                if let Some((k, v)) = rest.split_once('=').filter(|(k, _)| site::is_variable(k)) {
                    desk.env.retain(|(old, _)| old != k);
                    desk.env.push((k.to_owned(), v.to_owned()));
                    desk.env_changed = true;
                }
            }
            (Task::Early, "broken") => {
                desk.banner("system", Severity::Critical, broken(&self.cmdline.slot, rest));
                self.start_keeper(desk);
            }
            (Task::Coldplug, "seen") => {
                self.facts.seen.extend(rest.split('\n').map(str::to_owned));
            }
            (Task::Console, "recover") => {
                desk.recovery += 1;
                log::warn("a person at the console asks for a new claim code");
            }
            (Task::Console, "reset") => desk.reset = Some("asked for at the console".into()),
            (Task::Console, "back") => desk.back = Some("asked for at the console".into()),
            (Task::Console, "power-off") => end(Ending::PowerOff, "power-off, asked for at the console", desk),
            (Task::Console, "restart") => end(Ending::Reboot, "restart, asked for at the console", desk),
            (Task::Button, "power") => end(Ending::PowerOff, "power-off, asked for by the power button", desk),
            (Task::Console, "bundle") if !desk.runs(Task::Bundle) && self.facts.may_bundle(now) => {
                let part = self.cmdline.part.clone();
                let secrets: Vec<String> = desk.env.iter().map(|(_, v)| v.clone()).collect();
                desk.banner("bundle", Severity::Info, "A debug bundle is being saved.".into());
                desk.start(Task::Bundle, move |line| bundle::save(line, part.as_deref(), &secrets));
            }
            (Task::Bundle, "said") => desk.banner("bundle", Severity::Info, rest.to_owned()),
            (Task::Addresses, "are") => {
                let found: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
                if found != desk.addresses {
                    desk.inputs.push_back(Input::Milestone {
                        which: Milestone::Network,
                        holds: !found.is_empty(),
                    });
                    desk.addresses = found;
                }
                name(&self.site, self.interfaces_settled(now), desk);
            }
            (Task::Medium, _) => match Said::parse(line) {
                Some(said) => self.heard_medium(now, said, fd, desk),
                None => log::error(&format!("the boot medium's keeper said what nobody knows: {line}")),
            },
            _ => {}
        }
    }

    pub(super) fn start_keeper(&mut self, desk: &mut Desk) {
        match &self.cmdline.part {
            Some(part) if self.facts.system => {
                let (part, mark, reset) = (part.clone(), self.cmdline.mark.clone(), self.site.factory_reset);
                self.facts.heard_at = None;
                if desk.start(Task::Medium, move |line| {
                    keeper::keep(line, &part, mark.as_deref(), reset)
                }) {
                    return;
                }
                self.go_to_ram("no process for the boot medium", desk);
            }
            Some(_) => self.go_to_ram("without the system image there are no tools for the boot medium", desk),
            None => self.go_to_ram("the box was started without a boot medium of its own", desk),
        }
    }

    /// What the boot loader told of the medium is no longer so: it has a name or a mark of its own by now.
    pub(super) fn renamed(&mut self) {
        for (told, now) in [
            (&mut self.cmdline.part, &self.facts.part),
            (&mut self.cmdline.mark, &self.facts.mark),
        ] {
            if now.is_some() {
                told.clone_from(now);
            }
        }
    }

    /// The boot medium's keeper, or who waits for the medium, said something.
    pub(super) fn heard_medium(&mut self, now: Millis, said: Said, fd: Option<OwnedFd>, desk: &mut Desk) {
        if self.facts.heard_at.is_some() {
            self.facts.heard_at = Some(now);
        }
        match said {
            Said::Progress(text) => {
                log::warn(&text);
                self.facts.progress = Some(text);
            }
            Said::Part(name) => {
                log::info(&format!("the boot partition is {name} from now on"));
                self.facts.part = Some(name);
                let _ = fs::write(BOOT_NAMES, self.facts.names());
                self.renamed();
            }
            Said::Mark(mark) => {
                self.facts.mark = Some(mark);
                let _ = fs::write(BOOT_NAMES, self.facts.names());
                self.renamed();
            }
            Said::Disk(told) => {
                if let Some((number, path)) = told.split_once(' ') {
                    log::info(&format!("boot disk {number} {path}"));
                    self.facts.disk_path = Some(path.strip_prefix("/sys").unwrap_or(path).to_owned());
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
            Said::Traces(json) => self.heard_traces(&json, desk),
            Said::Mounted(how) => {
                log::info(&format!("DATA is mounted ({how})"));
                self.facts.progress = None;
                if how == "remade" {
                    desk.banner("data", Severity::Warning, "The DATA partition could not be repaired and was made anew: history and settings of this box are lost.".into());
                } else if how == "reset" {
                    desk.banner(
                        "data",
                        Severity::Info,
                        "This box was reset: history, settings and owner are gone; kiln.toml stays on its boot partition, with whatever passwords are in it. Claim the box with the code on its console.".into(),
                    );
                } else if how == "repaired" {
                    desk.banner(
                        "data",
                        Severity::Info,
                        "The DATA partition was repaired at this start.".into(),
                    );
                }
                if let Some(told) = how.strip_prefix("returned ") {
                    self.returned(told, desk);
                }
                desk.boot.medium = Medium::Disk;
                self.facts.was_on_disk = true;
                self.facts.heard_at = Some(now);
                self.settled("disk", desk);
            }
            Said::Crash(told) => {
                log::warn(&format!("in an earlier boot: {told}"));
                desk.banner(
                    "crash",
                    Severity::Info,
                    format!("In an earlier boot {told}. The debug bundle has the report."),
                );
            }
            Said::Dumps(json) => self.heard_dumps(&json, desk),
            Said::Unwritten(told) => {
                log::warn(&format!("factory reset: {told}"));
                desk.banner(
                    "unwritten",
                    Severity::Warning,
                    format!("Of the factory reset: {told}. Whoever gets this medium may read the rest with a recovery program; if that matters, destroy it."),
                );
            }
            Said::NoReset(why) => not_done(&why, desk),
            Said::Bundle(why) => desk.banner(
                "unwritten-bundle",
                Severity::Warning,
                format!("Of the factory reset: the debug bundle {} on the boot partition, if one was saved, could not be erased ({why}). Remove it with another computer; whoever gets this medium may read it with a recovery program.", bundle::NAME),
            ),
            Said::Marked => self.marked(desk),
            Said::Unmarked(why) => self.unmarked(&why, desk),
            Said::Ram(why) => self.go_to_ram(&why, desk),
            Said::Alive => {}
            Said::Gone(why) => self.medium_gone(now, &why, desk),
            Said::Faulty(why) => self.medium_faulty(now, &why, desk),
            Said::Same(text) => self.facts.same = Some(text),
            Said::Room(percent) => self.room(percent, desk),
            Said::Back => self.medium_back(now, desk),
            Said::Stays(why) => self.stays(&why, desk),
            Said::Saved(told) => {
                // Else its time is up, and the services have begun without it.
                if matches!(self.facts.moving, Some(Moving::Saving(_))) {
                    self.saved(&told, desk);
                }
            }
            // It ends with that, and services start afresh (`move_state`).
            Said::Failed(why) => log::error(&format!("state could not move into memory: {why}")),
        }
    }

    pub(super) fn heard_traces(&mut self, json: &str, desk: &mut Desk) {
        #[derive(serde::Deserialize)]
        struct Told {
            record: Option<Record>,
            cut_short: bool,
            panic: Option<String>,
            older: Option<String>,
            since: Option<u64>,
            fault: Option<String>,
            #[serde(default)]
            row: Row,
        }
        if let Ok(t) = serde_json::from_str::<Told>(json) {
            self.facts.traces = Traces {
                record: t.record,
                cut_short: t.cut_short,
                panic: t.panic,
                older: t.older,
                since: t.since,
                fault: t.fault,
                row: t.row,
                has_state: true,
                watchdog: self.facts.traces.watchdog,
            };
            // Before DATA is there, and so before anything waits for it.
            self.count(desk);
            self.tell_dump(desk);
            if self.facts.traces.reset_undone() {
                not_done(
                    "the boot medium has not kept the mark that was written for it, and all that it held is still there. Ask again; if that does not help, destroy the medium and flash another",
                    desk,
                );
            }
        }
        desk.boot.reason = self.facts.traces.reason();
    }

    /// Once every driver has been loaded: has the keeper look for crash dumps again, where the kernel keeps them may have a
    /// driver that came late.
    pub(super) fn look_at_dumps(&mut self, desk: &Desk) {
        let f = &self.facts;
        if f.dumps_looked || !f.late_done || !f.was_on_disk || desk.boot.medium != Medium::Disk || f.moving.is_some() {
            return;
        }
        let since = f.traces.since.map(|s| s.to_string()).unwrap_or_default();
        let text = format!("pstore {since}");
        self.facts.dumps_looked = desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell(&text));
    }

    /// Crash dumps that came late: they tell of the last boot's end as if they had been there at once.
    fn heard_dumps(&mut self, json: &str, desk: &mut Desk) {
        let Ok(found) = serde_json::from_str::<pstore::Found>(json) else {
            return;
        };
        let traces = &mut self.facts.traces;
        traces.older = traces.older.take().or(found.older);
        if traces.panic.is_none() && found.last.is_some() {
            traces.panic = found.last;
            if self.facts.data_settled {
                desk.boot.reason = self.facts.traces.reason();
                log::warn(&format!(
                    "a crash dump that came late tells why the last boot ended: {}",
                    desk.boot.reason
                ));
            }
            self.count(desk);
        }
        self.tell_dump(desk);
    }

    /// Tells of a crash dump that says nothing of why the last boot ended.
    fn tell_dump(&self, desk: &mut Desk) {
        if let Some(line) = self.facts.traces.dump_beside() {
            desk.banner(
                "dump",
                Severity::Info,
                format!("In an earlier boot the kernel met a fault: {line}. The debug bundle has its dump."),
            );
        }
    }

    /// Counts reboots in a row: once it is known what the last boot left behind, and again should the watchdog, whose driver
    /// may come late, say only then that it reset the box.
    pub(super) fn count(&mut self, desk: &mut Desk) {
        let in_a_row = self.facts.traces.in_a_row(&self.cmdline.slot);
        if in_a_row >= REBOOTS_MAX && self.facts.in_a_row < REBOOTS_MAX {
            let why = match &self.facts.traces.record {
                Some(r) => r.why.clone(),
                None => self.facts.traces.reason(),
            };
            safe::enter(&why, in_a_row, desk);
        }
        self.facts.in_a_row = in_a_row;
        desk.inputs.push_back(Input::Reboots { in_a_row });
    }

    /// Has the medium keep where this boot stands in a row: the watchdog, should it reset the box, leaves no record.
    pub(super) fn keep_row(&mut self, desk: &Desk) {
        // What was just counted is known in the next turn.
        let counted = desk.inputs.iter().any(|i| matches!(i, Input::Reboots { .. }));
        if counted
            || !self.facts.was_on_disk
            || desk.boot.medium != Medium::Disk
            || self.facts.row_kept == Some(desk.reboots)
        {
            return;
        }
        let row = Row {
            reboots: desk.reboots,
            slot: self.cmdline.slot.clone(),
        };
        let text = format!("row {}", serde_json::to_string(&row).unwrap_or_default());
        if desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell(&text)) {
            self.facts.row_kept = Some(desk.reboots);
        }
    }

    /// A helper has ended.
    pub fn ended(&mut self, now: Millis, task: Task, exit: Exit, desk: &mut Desk) {
        if exit != Exit::Code(0) {
            log::info(&format!("{task:?} {exit}"));
        }
        if self.facts.ending {
            return;
        }
        if task == Task::Medium {
            self.mark_again();
        }
        match task {
            Task::Early if !self.facts.system && !desk.is_told("system") => {
                self.heard(now, Task::Early, "broken it could not be mounted", None, desk);
            }
            Task::Coldplug => self.facts.coldplug_done = self.facts.whole_begun && !desk.runs(Task::Coldplug),
            Task::Late => {
                self.facts.late_done = true;
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
                if self.facts.moving.is_none()
                    && !self.facts.data_settled
                    && !desk.runs(Task::ToRam)
                    && desk.boot.medium == Medium::Ram =>
            {
                self.go_to_ram("the keeper of the boot medium ended", desk);
            }
            Task::Medium
                if self.facts.disk_path.is_some()
                    && desk.boot.medium == Medium::Disk
                    && self.facts.moving.is_none() =>
            {
                // It ends by itself only when PID 1 wants it to; this was a mishap.
                self.facts.heard_at = Some(now);
                if let Some(path) = self.facts.disk_path.clone() {
                    desk.start(Task::Medium, move |line| keeper::watch(line, &path));
                }
            }
            Task::Console => self.start_console(desk),
            Task::Bundle => self.facts.bundled = Some(now),
            Task::Early
            | Task::Medium
            | Task::Button
            | Task::Hotplug
            | Task::Network
            | Task::Addresses
            | Task::Farewell
            | Task::Faults
            | Task::Update
            | Task::Slots => {}
        }
    }
}

/// What a person reads on the console of a box that has nothing else: PID 1 can write no sector of the medium then, so nothing
/// changes the slot by itself, and GRUB cannot tell such a start from one that the power was cut of.
fn broken(slot: &str, why: &str) -> String {
    let other = if slot == "a" { "b" } else { "a" };
    format!(
        "The system in slot {} cannot be used: {why}. Without it there are no drivers, no network and no dashboard. Switch the box off and on once: it may have been misread. If this comes again, let another computer start slot {}, if it holds a system: grub-editenv EFI/debian/grubenv set prefer={other} on the stick's boot partition; an update then mends this one. Else write the image to the stick again.",
        slot.to_uppercase(),
        other.to_uppercase()
    )
}

/// The box ends in order, as if the server had asked: services stop first, and with them jobs write down where they are.
fn end(ending: Ending, why: &str, desk: &mut Desk) {
    let why = why.to_owned();
    desk.inputs.push_back(Input::Shutdown { ending, why });
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::board::Board;
    use crate::boot::cmdline::Cmdline;
    use crate::boot::site::Site;
    use crate::shell::desk::HELPERS_MAX;
    use crate::shell::helper::Helper;

    pub(in super::super) fn machine() -> Machine {
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
    fn the_mediums_own_name_and_mark_outlive_pid_1s_replacement() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.cmdline = Cmdline::parse("kiln.part=AA kiln.mark=2");
        m.renamed();
        assert_eq!(
            (m.cmdline.part.as_deref(), m.cmdline.mark.as_deref()),
            (Some("aa"), Some("2"))
        );
        m.heard_medium(0, Said::Part("bb".into()), None, &mut desk);
        m.heard_medium(0, Said::Mark("2beef".into()), None, &mut desk);
        let mut lost = Facts::default();
        lost.renamed_at(&m.facts.names());
        assert_eq!(
            (&lost.part, &lost.mark),
            (&m.facts.part, &m.facts.mark),
            "without its notes, too"
        );
        let handed = serde_json::to_string(&m.facts).unwrap();
        // The new PID 1 reads the boot loader's words again.
        let mut new = machine();
        new.cmdline = Cmdline::parse("kiln.part=AA kiln.mark=2");
        new.facts = serde_json::from_str(&handed).unwrap();
        new.renamed();
        assert_eq!(
            (new.cmdline.part.as_deref(), new.cmdline.mark.as_deref()),
            (Some("bb"), Some("2beef"))
        );
    }

    #[test]
    fn addresses_are_those_that_a_helper_has_told() {
        let (mut m, mut desk) = (machine(), Desk::default());
        desk.host = "named".into();
        let network = |holds| Input::Milestone {
            which: Milestone::Network,
            holds,
        };
        for (told, addresses, inputs) in [
            ("are 192.0.2.7 2001:db8::1", 2, vec![network(true)]),
            ("are 192.0.2.7 2001:db8::1", 2, vec![]),
            ("are ", 0, vec![network(false)]),
        ] {
            m.heard(0, Task::Addresses, told, None, &mut desk);
            assert_eq!(desk.addresses.len(), addresses);
            assert_eq!(desk.inputs.drain(..).collect::<Vec<_>>(), inputs, "{told}");
        }
    }

    #[test]
    fn a_console_that_took_nothing_is_told_again() {
        let (mut m, mut desk) = (machine(), Desk::default());
        let status = crate::console::tests::screen().status;
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        while ours.send(&[0; 512]).is_ok() {}
        desk.helpers
            .push(crate::shell::helper::Helper::of(Task::Console, 0, ours.into()));
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
    fn a_system_that_cannot_be_mounted_is_told_once_with_its_cause_and_the_way_out() {
        // No place is left for helpers: one would mount.
        let full = || {
            let helper = || {
                let (ours, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
                Helper::of(Task::Hotplug, 0, ours.into())
            };
            Desk {
                helpers: std::iter::repeat_with(helper).take(HELPERS_MAX).collect(),
                ..Desk::default()
            }
        };
        let (mut m, mut desk) = (machine(), full());
        m.cmdline = Cmdline::parse("kiln.slot=a kiln.part=0b1d kiln.state=good");
        let why = "system.erofs: EUCLEAN: Structure needs cleaning";
        m.heard(0, Task::Early, &format!("broken {why}"), None, &mut desk);
        m.ended(1, Task::Early, Exit::Code(1), &mut desk);
        let told: Vec<&str> = desk
            .banners
            .iter()
            .filter(|(k, _)| *k == "system")
            .map(|(_, b)| b.text.as_str())
            .collect();
        let [told] = told[..] else { panic!("{told:?}") };
        for words in [why, "slot A", "set prefer=b", "write the image"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let mut desk = full();
        m.ended(1, Task::Early, Exit::Code(1), &mut desk);
        assert!(desk.is_told("system"), "a helper that ended without a word");
    }

    #[test]
    fn console_and_power_button_end_the_box_in_order() {
        let (mut m, mut desk) = (machine(), Desk::default());
        for (task, word, ended) in [
            (Task::Console, "power-off", Some((Ending::PowerOff, "at the console"))),
            (Task::Console, "restart", Some((Ending::Reboot, "at the console"))),
            (Task::Button, "power", Some((Ending::PowerOff, "by the power button"))),
            (Task::Addresses, "power", None),
            (Task::Console, "power", None),
        ] {
            m.heard(0, task, word, None, &mut desk);
            match (desk.inputs.pop_front(), ended) {
                (Some(Input::Shutdown { ending, why }), Some((wanted, by))) => {
                    assert!(ending == wanted && why.ends_with(by), "{word}: {ending:?} {why}");
                }
                (None, None) => {}
                (input, _) => panic!("{word}: {input:?}"),
            }
            assert!(desk.inputs.is_empty());
        }
    }

    #[test]
    fn a_console_that_asks_without_end_gets_a_bundle_a_minute() {
        let (mut m, mut desk) = (machine(), Desk::default());
        // Nothing can be saved without a medium; how many helpers were started is all that counts.
        let mut begun = |m: &mut Machine, now| {
            m.heard(now, Task::Console, "bundle", None, &mut desk);
            let helpers = desk.helpers.len();
            for h in desk.helpers.drain(..) {
                h.kill();
                m.ended(now, h.task, Exit::Signal(9), &mut Desk::default());
            }
            helpers
        };
        assert_eq!(begun(&mut m, 1_000), 1);
        assert_eq!([1_001, 30_000, 60_999].map(|now| begun(&mut m, now)), [0, 0, 0]);
        assert_eq!(begun(&mut m, 62_000), 1);
    }

    #[test]
    fn where_the_kernel_could_not_be_listened_to_it_is_tried_again_and_looked_in_the_meantime() {
        let (mut m, mut desk) = (machine(), Desk::default());
        // No helper is to be started here.
        (m.facts.ending, m.facts.listening) = (true, true);
        m.turn(9_000, &mut desk);
        assert_eq!((m.facts.addresses_changed, m.facts.walk_again), (false, false));
        m.turn(10_000, &mut desk);
        assert_eq!((m.facts.addresses_changed, m.facts.walk_again), (true, true));
        assert!(
            m.facts.interface_came,
            "one that kiln.toml sets may be among what was missed"
        );
        assert_eq!(m.fds().count(), 2);
        assert_eq!(desk.banners.len(), 0);
    }

    /// Nobody is told that nothing was lost where something was.
    #[test]
    fn backups_that_found_no_room_on_the_medium_are_told() {
        for (told, severity, words) in [
            ("12 0", Severity::Info, "nothing was lost (12 files)."),
            ("12 2", Severity::Warning, "nothing was lost but 2 of the backups"),
        ] {
            let mut desk = Desk::default();
            machine().returned(told, &mut desk);
            let (_, banner) = &desk.banners[0];
            assert_eq!(banner.severity, severity);
            assert!(banner.text.contains(words), "{}", banner.text);
        }
    }

    #[test]
    fn what_memory_could_not_hold_is_named_and_no_return_is_promised() {
        let told = |line: &str| {
            let (mut m, mut desk) = (machine(), Desk::default());
            (m.facts.data_settled, desk.boot.medium) = (true, Medium::Disk);
            m.facts.disk_path = Some("/devices/x".into());
            m.medium_gone(0, "the boot medium was pulled", &mut desk);
            m.facts.moving = Some(Moving::Saving(0));
            m.heard_medium(0, Said::Saved(line.into()), None, &mut desk);
            let (_, banner) = desk.banners.iter().find(|(k, _)| k == "ram").unwrap().clone();
            (banner.severity, banner.text, m.facts.whole)
        };
        let (severity, text, whole) = told("whole 4 files");
        assert!(severity == Severity::Warning && whole, "{text}");
        assert!(text.contains("unless the medium is put back"), "{text}");
        let (severity, text, whole) = told("part 3 files; lost are 1: agent/kiln.mdb (not held in memory)");
        assert!(severity == Severity::Critical && !whole, "{text}");
        assert!(
            text.contains("(1: agent/kiln.mdb") && text.contains("is still on it"),
            "{text}"
        );
        assert!(!text.contains("unless"), "{text}");
    }

    #[test]
    fn what_a_reset_did_not_write_over_is_told_after_it() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.heard_medium(
            0,
            Said::Unwritten("2 files of DATA were written over, 1 (7 MiB) removed".into()),
            None,
            &mut desk,
        );
        m.heard_medium(0, Said::Progress("making DATA".into()), None, &mut desk);
        let (name, banner) = &desk.banners[0];
        assert!(
            *name == "unwritten" && banner.text.contains("(7 MiB)"),
            "{}",
            banner.text
        );
    }

    #[test]
    fn a_bundle_that_a_reset_could_not_erase_is_told_beside_what_it_left_of_data() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.heard_medium(
            0,
            Said::Bundle("Read-only file system (os error 30)".into()),
            None,
            &mut desk,
        );
        m.heard_medium(0, Said::Unwritten("1 (7 MiB) removed".into()), None, &mut desk);
        assert_eq!(desk.banners.len(), 2);
        assert!(desk.banners[0].1.text.contains("KILNDBG.TGZ"), "{:?}", desk.banners);
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

    #[test]
    fn a_crash_dump_whose_driver_comes_late_tells_of_its_boot() {
        let (last, older) = ("Kernel panic - not syncing: new", "Kernel panic - not syncing: old");
        let found =
            |last: Option<&str>, older: Option<&str>| serde_json::json!({ "last": last, "older": older }).to_string();
        let told = |desk: &Desk| {
            desk.banners
                .iter()
                .any(|(k, b)| k == "dump" && b.text.contains("not syncing: "))
        };
        let row =
            r#"{"record":null,"cut_short":true,"panic":null,"fault":null,"since":100,"row":{"reboots":2,"slot":"a"}}"#;
        let mut desk = Desk::default();
        let mut m = machine();
        m.heard_traces(row, &mut desk);
        assert_eq!(m.facts.traces.since, Some(100));
        (m.facts.was_on_disk, m.facts.data_settled) = (true, true);
        counted(&mut desk);
        // One of an older boot says nothing of this one's end, and counts nothing.
        m.heard_medium(0, Said::Dumps(found(None, Some(older))), None, &mut desk);
        assert_eq!(counted(&mut desk), []);
        assert!(told(&desk) && m.facts.traces.reason().starts_with("the power was cut"));
        m.heard_medium(0, Said::Dumps(found(Some(last), None)), None, &mut desk);
        assert!(counted(&mut desk).contains(&Input::Reboots { in_a_row: 3 }));
        assert_eq!(desk.boot.reason, format!("the kernel crashed: {last}"));
        // After an orderly end it is told beside the reason.
        let orderly = r#"{"record":{"why":"asked for"},"cut_short":false,"panic":null,"fault":null}"#;
        let mut desk = Desk::default();
        let mut m = machine();
        m.heard_traces(orderly, &mut desk);
        assert!(!told(&desk));
        m.heard_medium(0, Said::Dumps(found(Some(last), None)), None, &mut desk);
        assert!(told(&desk) && m.facts.traces.reason() == "orderly end: asked for");
    }

    fn counted(desk: &mut Desk) -> Vec<Input> {
        desk.inputs
            .drain(..)
            .filter(|i| matches!(i, Input::Reboots { .. } | Input::Milestone { .. }))
            .collect()
    }

    #[test]
    fn a_third_reset_by_the_watchdog_is_safe_mode_even_when_its_driver_comes_late() {
        let row = r#"{"record":null,"cut_short":true,"panic":null,"fault":null,"row":{"reboots":2,"slot":"a"}}"#;
        let reboots = |in_a_row| Input::Reboots { in_a_row };
        let safe = Input::Milestone {
            which: Milestone::Normal,
            holds: false,
        };
        for (early, before, after) in [
            (true, vec![safe.clone(), reboots(3)], vec![]),
            (false, vec![reboots(0)], vec![safe, reboots(3)]),
        ] {
            let mut desk = Desk::default();
            let mut m = machine();
            if early {
                m.watchdog_found(true, &mut desk);
            }
            m.heard_traces(row, &mut desk);
            assert_eq!(counted(&mut desk), before);
            (m.facts.was_on_disk, m.facts.data_settled) = (true, true);
            if !early {
                m.watchdog_found(true, &mut desk);
            }
            assert_eq!(counted(&mut desk), after);
            assert!(
                desk.banners
                    .iter()
                    .any(|(_, b)| b.text.contains("3 times in a row (the hardware watchdog"))
            );
        }
    }
}

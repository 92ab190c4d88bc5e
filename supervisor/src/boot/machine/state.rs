//! Where the services' state is: on the medium, in RAM, or on its way from one to the other.

use std::fs;
use std::path::Path;

use wire::event::Severity;
use wire::supervisor::Medium;

use super::medium::BOOT_DISK;
use super::{Machine, Moving};
use crate::boot::data::{place, proof};
use crate::boot::keeper::comeback;
use crate::boot::medium::fence;
use crate::core::{Input, Milestone, Millis};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;
use crate::words::sentence;

/// Longest wait for the services to stop when the medium was pulled, in milliseconds.
const STOPS_WITHIN: Millis = 15_000;
/// Longest wait for the keeper to write its copy, in milliseconds.
const SAVES_WITHIN: Millis = 15_000;
/// Longest wait for the way back to the medium, in milliseconds: 320 MiB (`mirror::room`) at 2 MB/s.
const CARRIES_WITHIN: Millis = 170_000;

impl Machine {
    /// State goes on in RAM; the helper reports when it does.
    pub(super) fn go_to_ram(&mut self, why: &str, desk: &mut Desk) {
        self.facts.heard_at = None;
        self.facts.progress = None;
        self.facts.whole = false;
        if self.facts.data_settled {
            begun_without(&format!("all that was on the boot medium ({why})"), desk);
        } else {
            desk.banner(
                "ram",
                Severity::Warning,
                format!("State is kept in memory: {why}. Settings and history are lost with the power."),
            );
        }
        desk.inputs.push_back(Input::Medium { present: false });
        desk.start(Task::ToRam, |_| match place::state_in_ram() {
            Ok(()) => 0,
            Err(e) => {
                log::error(&format!("state in RAM: {e}"));
                1
            }
        });
    }

    /// The medium has left: it is not guarded any more, and state goes on in memory.
    pub(super) fn medium_gone(&mut self, now: Millis, why: &str, desk: &mut Desk) {
        if self.facts.disk_path.take().is_none() {
            return;
        }
        let _ = fs::remove_file(BOOT_DISK);
        self.held = None;
        desk.unbanner("held");
        // Neither what is sent nor what is judged goes to what is put in its place; the server begins again, and is refused.
        for h in desk
            .helpers
            .iter()
            .filter(|h| matches!(h.task, Task::Update | Task::Slots))
        {
            h.kill();
        }
        let text = format!(
            "{}: state is kept in memory from now on. Jobs go on; everything since this start is lost with the power, unless the medium is put back.",
            sentence(why)
        );
        if !self.leave_medium(now, text, desk) && self.facts.moving.is_none() {
            // A keeper of what is not there is of no use; another waits for the medium to come back.
            for h in desk.helpers.iter().filter(|h| h.task == Task::Medium) {
                h.kill();
            }
        }
    }

    /// Has the disk that the medium was take commands again, when nothing of ours can be written to what lies there now. `note` says
    /// that there is one ([`fence::NOTE`]): its keeper may have been killed, and PID 1 may have lost its notes.
    pub(super) fn look_at_fence(&self, note: &Path, desk: &mut Desk) {
        let is_left = self.facts.disk_path.is_none() && !self.facts.ending;
        if is_left && !desk.runs(Task::Fence) && note.exists() {
            desk.start(Task::Fence, fence::lift);
        }
    }

    /// The medium is there, and guarded as ever, but it keeps nothing any more.
    pub(super) fn medium_faulty(&mut self, now: Millis, why: &str, desk: &mut Desk) {
        let text = format!(
            "{}: state is kept in memory from now on. Jobs go on; everything since this start is lost with the power. Save a backup, then restart the box: it repairs its medium, or says that it has to be replaced.",
            sentence(why)
        );
        self.leave_medium(now, text, desk);
    }

    /// Services that keep state stop and wait; then the keeper writes its copy into RAM; then they start again. `false` where
    /// state is not on the medium, or on its way already.
    fn leave_medium(&mut self, now: Millis, text: String, desk: &mut Desk) -> bool {
        self.facts.heard_at = None;
        if !self.facts.data_settled || desk.boot.medium == Medium::Ram || self.facts.moving.is_some() {
            return false;
        }
        desk.unbanner("room");
        desk.unbanner("returned");
        desk.banner("ram", Severity::Warning, text);
        desk.inputs.push_back(Input::Medium { present: false });
        Self::stop_services("its state moves to memory", desk);
        self.facts.moving = Some(Moving::Stopping(now));
        true
    }

    fn stop_services(why: &str, desk: &mut Desk) {
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::Data,
            holds: false,
        });
        desk.state_moved = Some(why.into());
    }

    /// The medium is there again, and guarded. State goes back to it where memory holds all of it.
    pub(super) fn medium_back(&mut self, now: Millis, desk: &mut Desk) {
        if self.facts.moving.is_some() || self.facts.ending || desk.boot.medium == Medium::Disk {
            return;
        }
        if !self.facts.whole {
            return self.stays("memory does not hold what was on it before", desk);
        }
        desk.banner(
            "ram",
            Severity::Info,
            "The boot medium is back: what memory holds is being written to it. Jobs go on.".into(),
        );
        Self::stop_services("its state moves back to the medium", desk);
        self.facts.moving = Some(Moving::Leaving(now));
    }

    /// State stays in memory although the medium is there.
    pub(super) fn stays(&mut self, why: &str, desk: &mut Desk) {
        let text = format!(
            "The boot medium is there, and is not offered for erasing, but state stays in memory: {why}. A restart goes on with what is on the medium; what has happened since it left is lost then, so save a backup before."
        );
        self.stays_in_memory(text, desk);
    }

    /// The medium left once more, says its keeper, before anything was written to it; another keeper waits for it then.
    pub(super) fn left_again(&mut self, why: &str, desk: &mut Desk) {
        if self.is_coming_back() {
            let text = format!(
                "{} before what memory holds was written to it: state stays in memory, and is lost with the power, unless the medium is put back.",
                sentence(why)
            );
            self.stays_in_memory(text, desk);
        }
    }

    fn stays_in_memory(&mut self, text: String, desk: &mut Desk) {
        desk.banner("ram", Severity::Warning, text);
        let came_back = self.is_coming_back();
        self.facts.moving = None;
        if came_back {
            self.settled("ram", desk);
        }
    }

    /// Whether services are stopped so that state can go back to the medium.
    fn is_coming_back(&self) -> bool {
        matches!(self.facts.moving, Some(Moving::Leaving(_) | Moving::Carrying(_)))
    }

    /// State is on the medium again; `told`: how many files, and how many backups found no room.
    pub(super) fn returned(&mut self, told: &str, desk: &mut Desk) {
        self.facts.moving = None;
        self.facts.whole = false;
        desk.unbanner("ram");
        let (files, left) = told.split_once(' ').unwrap_or((told, "0"));
        let (severity, lost) = match left {
            "0" => (Severity::Info, format!("nothing was lost ({files} files)")),
            _ => (
                Severity::Warning,
                format!(
                    "nothing was lost but {left} of the backups that were made meanwhile, for which it has no room ({files} files). Make room on it and back up anew"
                ),
            ),
        };
        desk.banner(
            "returned",
            severity,
            format!("The boot medium is back: state is written to it again, and {lost}."),
        );
        desk.inputs.push_back(Input::Medium { present: true });
    }

    /// How full DATA is.
    pub(super) fn room(&mut self, percent: u8, desk: &mut Desk) {
        if desk.boot.medium == Medium::Ram && self.facts.data_settled {
            return;
        }
        match percent {
            proof::SHARE_FULL.. => desk.banner(
                "room",
                Severity::Critical,
                format!("The DATA partition is full ({percent} %): what happens from now on may not be kept. Jobs go on. Remove old history, or use a larger stick."),
            ),
            proof::SHARE_MAX.. => desk.banner(
                "room",
                Severity::Warning,
                format!("The DATA partition is {percent} % full; it should stay below {} %. The oldest log files are removed.", proof::SHARE_MAX),
            ),
            // Not at once, so that the banner does not come and go.
            _ if percent + 3 < proof::SHARE_MAX => desk.unbanner("room"),
            _ => {}
        }
    }

    pub(super) fn move_state(&mut self, now: Millis, desk: &mut Desk) {
        match self.facts.moving {
            None => self.wait_for_medium(desk),
            Some(Moving::Stopping(since)) => {
                let waited = now.saturating_sub(since);
                // The first turn only hands the requests to the core.
                if waited > 0 && (!desk.stateful_run || waited > STOPS_WITHIN) && desk.state_moved.is_none() {
                    let told = desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell("save"));
                    self.facts.moving = Some(Moving::Saving(now));
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
            Some(Moving::Leaving(since)) => {
                let waited = now.saturating_sub(since);
                if waited == 0 || desk.state_moved.is_some() {
                    // The first turn only hands the requests to the core.
                } else if !desk.stateful_run {
                    let told = desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell("return"));
                    self.facts.moving = Some(Moving::Carrying(now));
                    if !told {
                        self.stays("its keeper is gone", desk);
                    }
                } else if waited > STOPS_WITHIN {
                    // What is still written to cannot be carried.
                    self.stays("a service did not stop in time", desk);
                }
            }
            Some(Moving::Carrying(since)) => {
                if now.saturating_sub(since) > CARRIES_WITHIN || !desk.runs(Task::Medium) {
                    for h in desk.helpers.iter().filter(|h| h.task == Task::Medium) {
                        h.kill();
                    }
                    self.stays("it could not be written to", desk);
                }
            }
        }
    }

    /// While state is in memory somebody looks out for the medium: be it only so that nobody erases it.
    fn wait_for_medium(&mut self, desk: &mut Desk) {
        let idle = self.facts.data_settled && desk.boot.medium == Medium::Ram && self.facts.disk_path.is_none();
        let Some(part) = self.cmdline.part.clone().filter(|_| idle && self.facts.system) else {
            return;
        };
        if self.facts.ending || desk.runs(Task::Medium) || desk.runs(Task::ToRam) {
            return;
        }
        let (mark, same) = (self.cmdline.mark.clone(), self.facts.same.clone());
        desk.start(Task::Medium, move |line| {
            comeback::wait(line, &part, mark.as_deref(), same.as_deref())
        });
    }

    /// The keeper's copy is in RAM, `told` what of it: `whole …`, or `part … lost are N: FILES`.
    pub(super) fn saved(&mut self, told: &str, desk: &mut Desk) {
        log::warn(&format!("state has moved into memory: {told}"));
        self.facts.moving = None;
        self.facts.whole = told.starts_with("whole ");
        if !self.facts.whole {
            let (_, lost) = told.split_once("lost are ").unwrap_or(("", told));
            begun_without(
                &format!("what memory could not hold of the boot medium's files ({lost})"),
                desk,
            );
        }
        desk.boot.medium = Medium::Ram;
        self.settled("ram", desk);
    }

    /// The copy is lost: services start afresh.
    pub(super) fn start_empty(&mut self, desk: &mut Desk) {
        self.facts.moving = None;
        for h in desk.helpers.iter().filter(|h| h.task == Task::Medium) {
            h.kill();
        }
        self.go_to_ram("no copy of what was on the boot medium could be made", desk);
    }

    pub(super) fn settled(&mut self, place: &str, desk: &mut Desk) {
        let _ = fs::write(place::STATE_WHERE, format!("{place}\n"));
        desk.boot.reason = self.facts.traces.reason();
        self.facts.data_settled = true;
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::Data,
            holds: true,
        });
    }
}

/// State goes on in memory without `lost`: so nothing of it is written to a medium that comes back ([`Machine::medium_back`]).
fn begun_without(lost: &str, desk: &mut Desk) {
    desk.banner(
        "ram",
        Severity::Critical,
        format!("State is kept in memory, and {lost} begins anew: burn-ins whose record that was have ended. What the medium has kept is still on it, but putting it back does not bring it into use. A restart with the medium goes on with what is on it; what has happened since it left is lost then, as with the power, so save a backup before."),
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::super::tests::machine;
    use super::*;
    use crate::boot::medium::found::PULLED;
    use crate::boot::medium::said::Said;
    use crate::shell::helper::Helper;

    /// Whoever holds the partition open would write to the next card in the reader.
    #[test]
    fn who_writes_to_the_boot_partition_ends_with_the_medium_and_nobody_else() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.facts.disk_path = Some("/devices/x".into());
        let mut begun = [Task::Update, Task::Slots, Task::Console].map(|task| {
            let child = Command::new("sleep").arg("60").spawn().unwrap();
            let (ours, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            desk.helpers.push(Helper::of(task, pid, ours.into()));
            child
        });
        m.medium_gone(0, PULLED, &mut desk);
        for child in &mut begun[..2] {
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
        assert!(begun[2].try_wait().unwrap().is_none());
        begun[2].kill().unwrap();
        begun[2].wait().unwrap();
    }

    #[test]
    fn a_fence_is_lifted_however_its_keeper_has_ended_but_not_before_the_medium_counts_as_gone() {
        let note = tempfile::NamedTempFile::new().unwrap();
        let (mut m, mut desk) = (machine(), Desk::default());
        m.facts.disk_path = Some("/devices/x".into());
        m.look_at_fence(note.path(), &mut desk);
        assert!(desk.helpers.is_empty());
        m.medium_gone(0, PULLED, &mut desk);
        m.look_at_fence(Path::new("/nonexistent"), &mut desk);
        assert!(desk.helpers.is_empty(), "there is none");
        for _ in 0..2 {
            m.look_at_fence(note.path(), &mut desk);
            assert!(desk.helpers.len() == 1 && desk.runs(Task::Fence), "one at a time");
        }
        let helper = desk.helpers.remove(0);
        helper.kill();
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(helper.pid), None).unwrap();
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
    fn a_medium_that_leaves_while_services_end_for_it_leaves_them_running_on_memory() {
        for moving in [Moving::Leaving(0), Moving::Carrying(0)] {
            let (mut m, mut desk) = (machine(), Desk::default());
            (m.facts.data_settled, desk.boot.medium) = (true, Medium::Ram);
            (m.facts.disk_path, m.facts.moving) = (Some("/devices/x".into()), Some(moving));
            m.heard_medium(0, Said::Gone(PULLED.to_owned()), None, &mut desk);
            let (_, banner) = desk.banners.iter().find(|(key, _)| key == "ram").unwrap();
            let promise = "unless the medium is put back";
            assert!(
                banner.text.contains(promise) && banner.text.starts_with("The boot medium was pulled"),
                "{}",
                banner.text
            );
            assert!(
                m.facts.moving.is_none() && m.facts.disk_path.is_none(),
                "it is waited for"
            );
        }
    }
}

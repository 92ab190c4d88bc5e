//! Where the services' state is: on the medium, in RAM, or on its way from one to the other.

use std::fs;

use wire::event::Severity;
use wire::supervisor::Medium;

use super::heard::BOOT_DISK;
use super::{Machine, Moving};
use crate::boot::mounts;
use crate::core::{Input, Milestone, Millis};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;

/// Longest wait for the services to stop when the medium was pulled, in milliseconds.
const STOPS_WITHIN: Millis = 15_000;
/// Longest wait for the keeper to write its copy, in milliseconds.
const SAVES_WITHIN: Millis = 15_000;
/// Where the journal reads whether state is on disk.
const STATE_WHERE: &str = "/run/kiln/state";

impl Machine {
    /// State goes on in RAM; the helper reports when it does.
    pub(super) fn to_ram(&mut self, why: &str, desk: &mut Desk) {
        self.facts.heard_at = None;
        self.facts.progress = None;
        let text = if self.facts.data_settled {
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
    pub(super) fn medium_gone(&mut self, now: Millis, why: &str, desk: &mut Desk) {
        if self.facts.disk_path.take().is_none() {
            return;
        }
        let _ = fs::remove_file(BOOT_DISK);
        self.held = None;
        self.facts.heard_at = None;
        if !self.facts.data_settled || desk.boot.medium == Medium::Ram {
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
        self.facts.moving = Some(Moving::Stopping(now));
    }

    pub(super) fn move_state(&mut self, now: Millis, desk: &mut Desk) {
        match self.facts.moving {
            None => {}
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
        }
    }

    /// The copy is lost: services start afresh.
    pub(super) fn start_empty(&mut self, desk: &mut Desk) {
        self.facts.moving = None;
        for h in desk.helpers.iter().filter(|h| h.task == Task::Medium) {
            h.kill();
        }
        self.to_ram(
            "the boot medium was pulled and no copy of the state could be made",
            desk,
        );
    }

    pub(super) fn settled(&mut self, place: &str, desk: &mut Desk) {
        let _ = fs::write(STATE_WHERE, format!("{place}\n"));
        desk.boot.reason = self.facts.traces.reason();
        self.facts.data_settled = true;
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::Data,
            holds: true,
        });
    }
}

/// With a capital letter at its start.
fn sentence(text: &str) -> String {
    let mut c = text.chars();
    c.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(c).collect())
}

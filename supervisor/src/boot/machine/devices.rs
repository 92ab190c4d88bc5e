//! Drivers: a module for every device that is there, and for every one that appears.

use std::collections::BTreeSet;

use wire::uevent::Action;

use super::Machine;
use crate::boot::uevents::{Next, Uevents};
use crate::boot::work;
use crate::core::{Input, Milestone, Millis};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;

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

impl Machine {
    pub(super) fn read_uevents(&mut self, now: Millis, desk: &mut Desk) {
        for _ in 0..2_048 {
            match self.uevents.as_ref().map_or(Next::Empty, Uevents::next) {
                Next::Empty => return,
                Next::Lost => {
                    log::warn("uevents were lost: walking /sys again");
                    self.facts.walk_again = true;
                }
                Next::Event(e) => {
                    self.facts.last_device = now;
                    match (e.action, e.get("MODALIAS")) {
                        (Action::Add, Some(alias)) => self.want(alias),
                        (Action::Remove, _) if self.facts.disk_path.as_deref() == Some(e.devpath.as_str()) => {
                            self.medium_gone(now, "the boot medium was pulled", desk);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    pub(super) fn want(&mut self, modalias: &str) {
        if self.facts.seen.len() >= SEEN_MAX {
            self.facts.seen.clear();
        }
        if self.facts.seen.insert(modalias.to_owned()) && self.facts.queue.len() < SEEN_MAX {
            self.facts.queue.insert(modalias.to_owned());
        }
    }

    pub(super) fn load_modules(&mut self, now: Millis, desk: &mut Desk) {
        // The walk for the medium may hang in a driver: the whole one does not wait for it.
        let whole = self.facts.listening && !self.facts.whole_begun;
        if whole || (self.facts.walk_again && !desk.runs(Task::Coldplug)) {
            self.facts.walk_again = false;
            self.start_coldplug(desk);
        }
        let busy = desk.helpers.iter().filter(|h| h.task == Task::Hotplug).count();
        if !self.facts.queue.is_empty() && busy < HOTPLUG_MAX {
            let batch: BTreeSet<String> = self.facts.queue.iter().take(BATCH).cloned().collect();
            let mine = batch.clone();
            let whole = self.facts.whole_begun;
            if desk.start(Task::Hotplug, move |_| work::hotplug(&mine, whole)) {
                self.facts.queue.retain(|m| !batch.contains(m));
            }
        }
        let quiet = self.facts.queue.is_empty() && busy == 0 && now.saturating_sub(self.facts.last_device) >= QUIET;
        if self.facts.coldplug_done
            && !self.facts.modules_done
            && (quiet || now.saturating_sub(self.facts.begun) > SETTLE_MAX)
        {
            self.facts.modules_done = true;
            desk.inputs.push_back(Input::Milestone {
                which: Milestone::Modules,
                holds: true,
            });
            let board = self.board.clone();
            desk.start(Task::Late, move |_| work::late(&board));
        }
    }

    /// A walk over all devices; before the server listens only for what its medium may need.
    pub(super) fn start_coldplug(&mut self, desk: &mut Desk) {
        let whole = self.facts.listening;
        let extra = if self.facts.coldplug_done {
            Vec::new()
        } else {
            self.board.extra.clone()
        };
        if desk.start(Task::Coldplug, move |line| work::coldplug(line, &extra, whole)) {
            self.facts.whole_begun |= whole;
        }
    }
}

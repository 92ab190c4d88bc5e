//! PID 1's part: it starts the helpers, hears them, and judges the trial. It never waits for any of them.

use std::path::Path;

use wire::Time;
use wire::event::Severity;
use wire::supervisor::{Medium, Status};
use wire::update::{LastUpdate, SlotView, UpdateOutcome, Writing};

use super::back::Back;
use super::settle::{self, Settled, Start};
use super::slots::Slots;
use super::trial::{self, Trial, Verdict};
use super::{Facts, Here, block, serve};
use crate::boot::end::record::Traces;
use crate::core::{Ending, Input, Millis, REBOOTS_MAX};
use crate::shell::desk::Desk;
use crate::shell::helper::{Line, Task};
use crate::shell::log;
use crate::shell::paths::Paths;
use crate::words::sentence;

/// How often the slots are looked at in vain.
const LOOKS: u32 = 3;

/// What the machine knows of this start.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// GUID of the boot partition.
    pub part: Option<String>,
    /// Tries left when GRUB started this slot.
    pub left: String,
    /// What the last start left behind.
    pub traces: Traces,
    /// GRUB could not read its environment block.
    pub unread: bool,
    /// Reboots by the ladder in a row of the slot that runs.
    pub in_a_row: u32,
    /// The running slot is on trial, and could not use the medium that GRUB loaded it from.
    pub lost: bool,
    /// The running slot is on trial: what it is at until its trial can begin.
    pub step: Option<String>,
    /// State is on its way between the medium and memory, and the services that keep it are stopped.
    pub moves: bool,
}

impl Facts {
    /// The server has asked for the writer.
    pub fn asked(desk: &mut Desk, paths: &Paths, known: Option<Known>, uids: Vec<u32>) {
        if desk.runs(Task::Update) {
            return;
        }
        let here = here(desk, paths, known.as_ref());
        desk.start(Task::Update, move |line| serve::serve(line, &here, &uids));
    }

    /// The server says what it has not proven yet.
    pub fn proof(&mut self, now: Millis, missing: Option<String>) {
        if let Some(t) = &mut self.trial {
            t.heard(now, missing);
        }
    }

    /// A helper said something.
    pub fn heard(&mut self, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "slots" => {
                if let Ok(slots) = serde_json::from_str::<Vec<SlotView>>(rest) {
                    self.view.slots = slots;
                }
            }
            "keys" => self.view.keys = serde_json::from_str(rest).unwrap_or(None),
            "writing" => self.view.writing = serde_json::from_str::<Option<Writing>>(rest).unwrap_or(None),
            "last" => {
                if let Ok(last) = serde_json::from_str::<LastUpdate>(rest) {
                    log::info(&last.text);
                    self.view.last = Some(last);
                }
            }
            "trial" => {
                self.looked = true;
                self.trial = (rest != "no").then(Trial::default);
                self.heal = rest == "heal";
                if self.trial.is_none() {
                    self.view.trial = None;
                }
            }
            "block" => {
                self.healed |= rest.is_empty() && self.block.as_ref().is_some_and(|b| !b.is_empty());
                if !self.healed {
                    self.block = Some(rest.to_owned());
                }
                self.trouble = None;
            }
            "back" | "noback" => self.back.heard(word, rest),
            "failed" => {
                log::warn(&format!("the boot partition: {rest}"));
                self.trouble = Some(rest.to_owned());
            }
            _ => log::warn(&format!("update: {text}")),
        }
    }

    /// A helper has ended.
    pub fn ended(&mut self, task: Task, well: bool) {
        if task == Task::Slots {
            self.back.ended();
        }
        match task {
            Task::Update => self.view.writing = None,
            // What it was to write is not written: the verdict is given again.
            Task::Slots if !well => {
                // Somebody had the partition mounted, perhaps; a damaged one stays so.
                self.failed += 1;
                self.settled = self.settled && (self.trial.is_some() || self.failed >= LOOKS);
                if let Some(t) = &mut self.trial {
                    t.again();
                }
            }
            Task::Slots => {}
            Task::Early | Task::Coldplug | Task::Hotplug | Task::Late | Task::Medium | Task::ToRam | Task::Fence => {}
            Task::Console
            | Task::Button
            | Task::Network
            | Task::Addresses
            | Task::Bundle
            | Task::Faults
            | Task::Farewell => {}
        }
    }

    /// Looks at everything and starts what is due.
    pub fn turn(now: Millis, desk: &mut Desk, paths: &Paths, status: &Status, known: Option<&Known>) {
        match desk.update.view.last.clone() {
            Some(last) if last.outcome == UpdateOutcome::FellBack => {
                // A note's text has no full stop.
                desk.banner("update", Severity::Warning, format!("{}.", sentence(&last.text)));
            }
            _ => desk.unbanner("update"),
        }
        block::tell(desk, known.is_some_and(|k| k.unread));
        if let Some(order) = Back::turn(desk, known.map_or(0, |k| k.in_a_row)) {
            let (here, start) = (here(desk, paths, known), start(desk, known));
            let begun = desk.start(Task::Slots, move |line| {
                let done = here
                    .open()
                    .and_then(|mut p| settle::back(&mut p, &here.notes(), &start, &order));
                match &done {
                    Ok(text) => line.say(&format!("back {text}")),
                    Err(why) => line.say(&format!("noback {why}")),
                }
                // Not done is an answer, too: nobody looks again because of it.
                0
            });
            if !begun {
                desk.update.back.ended();
            }
            return;
        }
        let lost = desk.boot.medium != Medium::Disk && known.is_some_and(|k| k.lost);
        let step = known.and_then(|k| k.step.as_deref()).filter(|_| !desk.update.looked);
        if step.is_none() {
            desk.update.step = trial::Step::default();
        }
        if let Some(why) = trial::lost(now, lost).or_else(|| desk.update.step.stuck(now, step?))
            && desk
                .update
                .view
                .trial
                .replace(why.clone())
                .is_none_or(|told| told != why)
        {
            let ending = Ending::Reboot;
            desk.inputs.push_back(Input::Shutdown { ending, why });
        }
        if desk.boot.medium != Medium::Disk || known.is_some_and(|k| k.moves) {
            // Services that stop, or start anew, because the medium was pulled or put back are no fault of the system's.
            if let Some(t) = &mut desk.update.trial {
                *t = Trial::default();
                let text = "state is not on the boot medium; the trial begins anew once it is there again";
                desk.update.view.trial = Some(text.into());
            }
            return;
        }
        if desk.runs(Task::Slots) {
            return;
        }
        // Below a root there is a boot partition only where a test has put one.
        if known.is_none() && !paths.at(Path::new("/dev/boot")).exists() {
            return;
        }
        if !desk.update.settled {
            let (here, start) = (here(desk, paths, known), start(desk, known));
            // No helper now is one later.
            desk.update.settled = desk.start(Task::Slots, move |line| {
                look(line, &here, |m| settle::settle(m, &here.notes(), &start))
            });
            return;
        }
        let Some(mut trial) = desk.update.trial.take() else {
            return;
        };
        let safe = known.is_some_and(|k| k.in_a_row >= REBOOTS_MAX);
        let act = Act::of(trial.step(now, status), desk.update.heal, safe);
        match act {
            Act::Nothing => {}
            Act::Wait(text) => desk.update.view.trial = Some(text),
            Act::Keep | Act::Mend => {
                let (here, start) = (here(desk, paths, known), start(desk, known));
                let work = if act == Act::Keep { settle::keep } else { settle::mend };
                let begun = desk.start(Task::Slots, move |line| {
                    look(line, &here, |m| work(m, &here.notes(), &start))
                });
                if !begun {
                    trial.again();
                }
            }
            Act::Again(why) => {
                log::warn(&format!("not proven: {why}"));
                trial.again();
            }
            Act::Reboot(why) => desk.inputs.push_back(Input::Shutdown {
                ending: Ending::Reboot,
                why,
            }),
        }
        desk.update.trial = Some(trial);
    }
}

/// What follows from a verdict.
#[derive(Debug, PartialEq, Eq)]
enum Act {
    Nothing,
    Wait(String),
    Keep,
    /// The block is written anew, and nothing is said of the running system.
    Mend,
    Again(String),
    Reboot(String),
}

impl Act {
    /// `heal`: the slot has to prove itself only because its block cannot be read. `safe`: burn-ins are off.
    fn of(verdict: Verdict, heal: bool, safe: bool) -> Self {
        match verdict {
            Verdict::Given => Self::Nothing,
            Verdict::Wait(text) => Self::Wait(text),
            Verdict::Keep => Self::Keep,
            // Without its agent it never proves itself, and without a block there is no way back and no update.
            Verdict::Failed(_) if heal && safe => Self::Mend,
            // A slot that is good but for its unreadable block has no other to go back to.
            Verdict::Failed(why) if heal => Self::Again(why),
            Verdict::Failed(why) => Self::Reboot(why),
        }
    }
}

fn here(desk: &Desk, paths: &Paths, known: Option<&Known>) -> Here {
    Here {
        part: known.and_then(|k| k.part.clone()),
        root: paths.clone(),
        slot: if desk.boot.slot == "b" { "b".into() } else { "a".into() },
    }
}

fn start(desk: &Desk, known: Option<&Known>) -> Start {
    let known = known.cloned().unwrap_or_default();
    Start {
        slot: if desk.boot.slot == "b" { "b".into() } else { "a".into() },
        why: desk.boot.why.clone(),
        left: known.left,
        traces: known.traces,
        now: Time::now(),
    }
}

/// A helper's work on the slots: what came of it, and what they are now.
fn look(
    line: &Line,
    here: &Here,
    work: impl FnOnce(&mut super::partition::Partition) -> Result<Settled, String>,
) -> i32 {
    here.tell_keys(line);
    let done = here.open().and_then(|mut p| {
        let settled = work(&mut p)?;
        let slots = Slots::read(&p)?;
        let damage = slots.env.as_ref().err().cloned().unwrap_or_default();
        Ok((settled, slots.view(&here.slot), damage))
    });
    match done {
        Ok((settled, slots, damage)) => {
            line.say(&format!("slots {}", serde_json::to_string(&slots).unwrap_or_default()));
            line.say(&format!("block {damage}"));
            line.say(match (settled.on_trial, settled.heal) {
                (true, _) => "trial yes",
                (false, true) => "trial heal",
                (false, false) => "trial no",
            });
            if let Some(last) = settled.last {
                line.say(&format!("last {}", serde_json::to_string(&last).unwrap_or_default()));
            }
            0
        }
        Err(e) => {
            line.say(&format!("failed {e}"));
            1
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn in_safe_mode_a_block_that_cannot_be_read_is_written_anew_all_the_same() {
        let failed = || Verdict::Failed("agent not READY".into());
        let why = || "agent not READY".to_owned();
        for (heal, safe, act) in [
            (false, false, Act::Reboot(why())),
            (false, true, Act::Reboot(why())),
            (true, false, Act::Again(why())),
            (true, true, Act::Mend),
        ] {
            assert_eq!(Act::of(failed(), heal, safe), act, "{heal} {safe}");
            assert_eq!(Act::of(Verdict::Keep, heal, safe), Act::Keep);
            assert_eq!(Act::of(Verdict::Given, heal, safe), Act::Nothing);
        }
    }

    #[test]
    fn a_start_on_trial_whose_trial_never_begins_ends_in_one_reboot() {
        let json = serde_json::json!({ "host": "", "addresses": [], "units": [],
            "boot": wire::supervisor::BootView::default(), "banners": [] });
        let status: Status = serde_json::from_value(json).unwrap();
        // DATA never settles; or it does, and the boot partition was looked at in vain as often as it is.
        for (medium, looked) in [(Medium::Ram, false), (Medium::Disk, false), (Medium::Disk, true)] {
            let mut desk = Desk::default();
            desk.boot.medium = medium;
            (desk.update.settled, desk.update.failed, desk.update.looked) = (true, LOOKS, looked);
            let known = Known {
                step: Some("looking at the slots".into()),
                ..Known::default()
            };
            let mut reboots = Vec::new();
            for now in [1_000, 179_999, 180_000, 181_000] {
                Facts::turn(
                    now,
                    &mut desk,
                    &Paths::new(Some("/nowhere".into())),
                    &status,
                    Some(&known),
                );
                reboots.extend(desk.inputs.drain(..).map(|input| (now, input)));
            }
            let why = "the system on trial got no further than: looking at the slots".to_owned();
            let ending = Ending::Reboot;
            let wanted = [(180_000, Input::Shutdown { ending, why })];
            assert_eq!(reboots, &wanted[usize::from(looked)..], "{medium:?} {looked}");
        }
    }

    /// Nothing of a pulled stick is the new system's fault: neither that its services stop, nor that they start anew when it is
    /// put back long after the trial's time.
    #[test]
    fn a_stick_that_is_pulled_during_a_trial_and_put_back_costs_no_start_and_the_time_begins_anew() {
        let json = serde_json::json!({ "host": "", "addresses": [], "units": [],
            "boot": wire::supervisor::BootView::default(), "banners": [] });
        let status: Status = serde_json::from_value(json).unwrap();
        // In its trial, and just before it.
        for looked in [true, false] {
            let mut desk = Desk::default();
            (desk.update.settled, desk.update.looked) = (true, looked);
            desk.update.trial = looked.then(Trial::default);
            let step = "looking at the slots";
            for (now, medium, moves, reboots) in [
                (50_000, Medium::Disk, false, false),
                (179_000, Medium::Disk, true, false),
                (200_000, Medium::Disk, true, false),
                (201_000, Medium::Ram, false, false),
                (600_000, Medium::Ram, true, false),
                (601_000, Medium::Disk, false, false),
                (720_999, Medium::Disk, false, false),
                (721_000, Medium::Disk, false, true),
            ] {
                desk.boot.medium = medium;
                let known = Known {
                    step: (medium == Medium::Disk && !moves).then(|| step.to_owned()),
                    moves,
                    ..Known::default()
                };
                let root = Paths::new(Some("/nowhere".into()));
                Facts::turn(now, &mut desk, &root, &status, Some(&known));
                let ends = desk.inputs.drain(..).any(|i| matches!(i, Input::Shutdown { .. }));
                assert_eq!(ends, reboots, "{looked} {now}");
                let away = desk
                    .update
                    .view
                    .trial
                    .as_ref()
                    .is_some_and(|t| t.contains("begins anew"));
                assert_eq!(away, looked && (moves || medium == Medium::Ram), "{looked} {now}");
            }
        }
    }
}

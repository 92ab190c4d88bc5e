//! At each start, once DATA is mounted: how the last update ended, and what GRUB has decided.
//!
//! It is also what writes `good` when the trial is won. Each change of the environment block is one sector.

use std::path::Path;

use bundle::env::Env;
use bundle::fat::Entry;
use wire::Time;
use wire::update::{LastUpdate, SlotState, UpdateOutcome};

use super::back::Order;
use super::floor;
use super::notes::{self, TrialNote};
use super::partition::Medium;
use super::slots::{Slots, other};
use crate::boot::end::record::Traces;

/// Damaged files that are named at a start.
const DAMAGE_TOLD: usize = 8;

/// What is known of this start.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    /// The slot that runs.
    pub slot: String,
    /// Why GRUB took it.
    pub why: String,
    /// Tries left when GRUB started it.
    pub left: String,
    /// What the last start left behind.
    pub traces: Traces,
    /// Now.
    pub now: Time,
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    /// The running slot has to prove itself.
    pub on_trial: bool,
    /// The environment block is not readable.
    pub heal: bool,
    /// How the last update ended.
    pub last: Option<LastUpdate>,
}

/// What the log says of something damaged: a system is the box's, all else a person's, who may do with it what they like.
pub(super) fn warning(e: &Entry, told: &str) -> String {
    let ending = if e.is_of_system() {
        "it is part of a system of the box, so leave it as it is and send an update; where none is taken, go back to the other system first, or write the image to another stick"
    } else {
        "repair the partition at another computer, or remove the file there"
    };
    format!("the boot partition has a damaged file: {told}; {ending}")
}

/// Looks, notes, and marks a slot that GRUB could not start.
///
/// # Errors
/// The boot partition cannot be read or written.
pub(super) fn settle(medium: &mut impl Medium, dir: &Path, start: &Start) -> Result<Settled, String> {
    let mut slots = Slots::read(medium)?;
    for (e, told) in slots.damage().take(DAMAGE_TOLD) {
        crate::shell::log::warn(&warning(e, &told));
    }
    let on_trial = slots.state(&start.slot) == SlotState::Trying;
    let note = notes::trial(dir);
    let heal = slots.env.is_err();
    match note {
        Some(mut note) if note.slot == start.slot && on_trial => {
            // The first try has nothing behind it but the orderly end of the system before.
            if start.left != "2" {
                note.failed.push(why_failed(&start.traces, &note.slot));
                noted(notes::set_trial(dir, Some(&note)));
            }
        }
        // Kept, and the cut came before the note was taken back.
        Some(note) if note.slot == start.slot => noted(notes::set_trial(dir, None)),
        // It was kept, the note could not be taken back, and a person chose the other slot.
        Some(note) if slots.state(&note.slot) == SlotState::Good => noted(notes::set_trial(dir, None)),
        Some(note) => left_behind(&mut slots, medium, dir, start, note)?,
        None => {
            let slot = other(&start.slot);
            if matches!(start.why.as_str(), "tries-spent" | "kernel-refused")
                || (start.why == "env-not-writable" && slots.state(slot) == SlotState::Trying)
            {
                let note = TrialNote {
                    slot: slot.to_owned(),
                    version: slots.version(slot).unwrap_or_default().to_owned(),
                    failed: Vec::new(),
                };
                left_behind(&mut slots, medium, dir, start, note)?;
            }
        }
    }
    Ok(Settled {
        on_trial,
        heal,
        last: notes::last(dir),
    })
}

/// The trial is over and its slot does not run.
fn left_behind(
    slots: &mut Slots,
    medium: &mut impl Medium,
    dir: &Path,
    start: &Start,
    mut note: TrialNote,
) -> Result<(), String> {
    let name = note.slot.to_uppercase();
    let version = match note.version.as_str() {
        "" => String::new(),
        v => format!(" ({v})"),
    };
    let mut outcome = UpdateOutcome::FellBack;
    let before = start.slot.to_uppercase();
    let text = match start.why.as_str() {
        "kernel-refused" => format!(
            "slot {name}{version} was not started: GRUB could not load its kernel (with Secure Boot: its signature was not accepted). The system in slot {before} runs on"
        ),
        "preferred" => {
            outcome = UpdateOutcome::Failed;
            format!("the update to slot {name}{version} was cut off before it was switched to; send it again")
        }
        "preferred-gone" | "once" => format!(
            "slot {name}{version} was not started: its files could not be loaded. The system in slot {before} runs on"
        ),
        "env-not-writable" => format!(
            "slot {name}{version} was not started: GRUB cannot write to the boot medium, so its tries could not be counted"
        ),
        _ => {
            note.failed.push(why_failed(&start.traces, &note.slot));
            failed_text(&name, &version, &note.failed, &before)
        }
    };
    if let Ok(env) = slots.env.clone() {
        let env = env
            .with("prefer", &start.slot)
            .with(&note.slot, "bad")
            .with("left", "0");
        slots.set(medium, env)?;
    }
    let version = Some(note.version).filter(|v| !v.is_empty());
    noted(notes::set_last(
        dir,
        &LastUpdate {
            at: start.now,
            version,
            slot: note.slot,
            outcome,
            text,
        },
    ));
    noted(notes::set_trial(dir, None));
    Ok(())
}

/// `slot B (2.0) failed 3 times: server not READY in 180 s`
fn failed_text(name: &str, version: &str, failed: &[String], before: &str) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for f in failed {
        if !reasons.contains(&f.as_str()) {
            reasons.push(f);
        }
    }
    // GRUB gives three tries; a start that left no word is one of them.
    format!(
        "slot {name}{version} failed 3 times: {}. The system in slot {before} runs again",
        reasons.join("; then ")
    )
}

/// Why the start before this one failed, as far as it could tell.
fn why_failed(traces: &Traces, slot: &str) -> String {
    let own = traces.record.as_ref().filter(|r| r.slot == slot);
    match (own, &traces.panic) {
        (Some(r), _) => r.why.clone(),
        (None, Some(line)) => format!("its kernel crashed ({line})"),
        (None, None) if traces.watchdog => "the hardware watchdog reset it".into(),
        (None, None) if traces.cut_short && traces.record.is_none() => {
            "the power was cut or the machine was reset".into()
        }
        (None, None) => {
            "it ended before it could write down why (its kernel crashed, PID 1 died, or it could not use its boot medium)"
                .into()
        }
    }
}

/// Keeps the running slot; a block that was not readable is written anew.
///
/// # Errors
/// The boot partition cannot be written.
pub(super) fn keep(medium: &mut impl Medium, dir: &Path, start: &Start) -> Result<Settled, String> {
    let mut slots = Slots::read(medium)?;
    let env = known_or_fresh(&slots, dir, start).with("kept", &start.slot);
    slots.set(medium, env)?;
    if let Some(version) = slots.version(&start.slot) {
        noted(floor::kept(dir, version));
    }
    if let Some(note) = notes::trial(dir).filter(|n| n.slot == start.slot) {
        let name = note.slot.to_uppercase();
        let tries = match note.failed.len() {
            0 => String::new(),
            n => format!(", after {n} failed starts ({})", note.failed.join("; then ")),
        };
        noted(notes::set_last(
            dir,
            &LastUpdate {
                at: start.now,
                text: format!(
                    "version {} in slot {name} has proven itself and is kept{tries}",
                    note.version
                ),
                version: Some(note.version),
                slot: note.slot,
                outcome: UpdateOutcome::Kept,
            },
        ));
        noted(notes::set_trial(dir, None));
    }
    Ok(Settled {
        on_trial: false,
        heal: false,
        last: notes::last(dir),
    })
}

/// Writes a block anew that was not readable, for a system that cannot prove itself: GRUB judges as it did without one, but there
/// is a way back again, and an update.
///
/// # Errors
/// The boot partition cannot be written.
pub(super) fn mend(medium: &mut impl Medium, dir: &Path, start: &Start) -> Result<Settled, String> {
    let mut slots = Slots::read(medium)?;
    if slots.env.is_err() {
        let env = known_or_fresh(&slots, dir, start);
        slots.set(medium, env)?;
    }
    Ok(Settled {
        on_trial: false,
        heal: false,
        last: notes::last(dir),
    })
}

/// The block with the running slot as the good and preferred one; a new one where it is not readable.
fn known_or_fresh(slots: &Slots, dir: &Path, start: &Start) -> Env {
    let env = slots.env.clone().unwrap_or_else(|_| {
        let other = other(&start.slot);
        let proven = slots.state(other) == SlotState::Good && !failed_last(dir, other);
        let fresh = Env::fresh().with(other, if proven { "good" } else { "bad" });
        fresh.with("kept", &start.slot)
    });
    env.with("prefer", &start.slot)
        .with(&start.slot, "good")
        .with("left", "0")
        .with("once", "")
}

/// Makes the other slot, which has proven itself, the one that the next start takes. Says why the box restarts.
///
/// # Errors
/// It is no such slot, or the boot partition cannot be read or written; nothing has changed then.
pub(super) fn back(medium: &mut impl Medium, dir: &Path, start: &Start, order: &Order) -> Result<String, String> {
    let mut slots = Slots::read(medium)?;
    let (this, other) = (start.slot.as_str(), other(&start.slot));
    let name = other.to_uppercase();
    if slots.state(other) != SlotState::Good {
        return Err(format!("there is no system in slot {name} that has proven itself"));
    }
    let on_trial = slots.state(this) == SlotState::Trying;
    let mut env = slots
        .env
        .clone()?
        .with("prefer", other)
        .with("left", "0")
        .with("once", "");
    if order.bad || on_trial {
        env = env.with(this, "bad");
    }
    slots.set(medium, env)?;
    let version = |slot: &str| slots.version(slot).map(|v| format!(" ({v})")).unwrap_or_default();
    let why = format!("back to the system in slot {name}{}, {}", version(other), order.why);
    if order.bad || on_trial {
        noted(notes::set_last(
            dir,
            &LastUpdate {
                at: start.now,
                version: slots.version(this).map(str::to_owned),
                slot: this.to_owned(),
                outcome: UpdateOutcome::FellBack,
                text: format!("slot {}{} was left: {why}", this.to_uppercase(), version(this)),
            },
        ));
        noted(notes::set_trial(dir, None));
    }
    Ok(why)
}

/// A slot was taken from the system that waited in it for its trial, for `version`: its trial is over, which is returned to be told. `None`
/// where none waited there.
pub(super) fn emptied(dir: &Path, slot: &str, version: &str, now: Time) -> Option<LastUpdate> {
    let waited = notes::trial(dir)
        .filter(|note| note.slot == slot)
        .map(|note| note.version);
    let written = |l: &LastUpdate| l.slot == slot && l.outcome == UpdateOutcome::Written;
    let waited = waited.or_else(|| notes::last(dir).filter(written).map(|l| l.version.unwrap_or_default()))?;
    let last = LastUpdate {
        at: now,
        text: format!(
            "version {waited}, which was written to slot {} and not started yet, gave way to version {version}; nothing can be started from there \
             until an update has come to its end",
            slot.to_uppercase()
        ),
        version: Some(waited).filter(|v| !v.is_empty()),
        slot: slot.to_owned(),
        outcome: UpdateOutcome::Failed,
    };
    noted(notes::set_last(dir, &last));
    noted(notes::set_trial(dir, None));
    Some(last)
}

/// Whether what went into a slot last did not come to its end or did not prove itself: a block that is made anew must not say
/// that it has.
fn failed_last(dir: &Path, slot: &str) -> bool {
    let failed = |l: &LastUpdate| {
        l.slot == slot
            && matches!(
                l.outcome,
                UpdateOutcome::Failed | UpdateOutcome::FellBack | UpdateOutcome::Written
            )
    };
    notes::trial(dir).is_some_and(|n| n.slot == slot) || notes::last(dir).as_ref().is_some_and(failed)
}

/// A note on DATA is worth less than the block: a DATA that is full or takes no writes undoes no verdict.
fn noted(done: std::io::Result<()>) {
    if let Err(e) = done {
        crate::shell::log::warn(&format!("update: noting it on DATA: {e}"));
    }
}

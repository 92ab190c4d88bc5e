//! How far a reading can be trusted: what smartctl's exit status, its messages and its checksums say of the asking itself.

use drive::smart::{Snapshot, exit};

use wire::drive::Rotation;

use super::Metrics;
use super::changes::told_once;
use crate::platters::spins;
use crate::verdict::Case;

/// What a structure with a wrong checksum is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Values that rules compare.
    Attributes,
    /// Entries that rules look at.
    Logs,
    /// Nothing that is judged: the selective self-test log, the identity, which is compared with the kernel's.
    Nothing,
}

/// What a structure of this name holds.
fn holds(name: &str) -> Holds {
    match name {
        _ if name.starts_with("SMART Attribute") => Holds::Attributes,
        _ if name.contains(" Log") && !name.contains("Selective") => Holds::Logs,
        _ => Holds::Nothing,
    }
}

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let sides = [("before", case.first()), ("after", case.last())];
    let sides: Vec<(&str, &Snapshot)> = sides
        .into_iter()
        .filter_map(|(side, told)| Some((side, told?)))
        .collect();
    if sides.is_empty() {
        return;
    }
    let mut put = |name: &str, said: Vec<String>| match said.len() {
        0 => metrics.put(name, 0.0),
        n => metrics.say(name, n as f64, said.join("; ")),
    };
    let all = |of: fn(&Snapshot) -> Vec<String>| -> Vec<String> {
        let told = sides.iter().filter_map(|(side, snapshot)| {
            let said = of(snapshot);
            (!said.is_empty()).then(|| format!("{side}: {}", said.join(", ")))
        });
        told.collect()
    };
    put("smart.not_trusted", all(distrusted));
    put("smart.logs_not_trusted", all(|told| checksums(told, Holds::Logs)));
    put("smart.failed_in_part", all(in_part));
    put("smart.error_log_entries", all(error_log));
    put(
        "smart.strange",
        all(|told| told.strange.iter().take(8).cloned().collect()),
    );
    put("smart.exit_unknown", all(no_status));
    let newly = case.first().zip(case.last());
    metrics.flag(
        "smart.newly_failed_in_part",
        newly.is_some_and(|(before, after)| newly_in_part(before, after)),
    );
}

/// What a reading lacks that the drive can be expected to tell when it is asked once more: after hours of others a bridge may leave one
/// command of many unanswered, and a comparison that is lost with it costs the whole burn-in its verdict. `before`: what the drive told
/// at the beginning; `None`: it lacks nothing.
pub fn lacks(before: Option<&Snapshot>, now: &Snapshot, rotation: Rotation) -> Option<String> {
    let mut lacks = distrusted(now);
    if let Some(before) = before {
        if newly_in_part(before, now) {
            lacks.extend(in_part(now));
        }
        let (gone, _) = told_once(before, now, spins(rotation, Some(now)));
        lacks.extend(gone.into_iter().map(|name| format!("{name} is not told")));
    }
    (!lacks.is_empty()).then(|| lacks.join(", "))
}

/// Asked alike, it answered before and does not answer everything now.
fn newly_in_part(before: &Snapshot, now: &Snapshot) -> bool {
    now.exited_with(exit::IN_PART) && !before.exited_with(exit::IN_PART)
}

/// Why nothing of a reading, or nothing of its attributes, can be taken.
fn distrusted(told: &Snapshot) -> Vec<String> {
    let mut why = checksums(told, Holds::Attributes);
    if told.exited_with(exit::NOT_ASKED) {
        why.push(status(told));
    }
    why
}

fn checksums(told: &Snapshot, of: Holds) -> Vec<String> {
    let wrong = told.wrong_checksums.iter();
    let wrong = wrong.filter(|name| holds(name) == of);
    wrong.map(|name| format!("wrong checksum of the {name}")).collect()
}

/// That a command failed, and what smartctl said about it; its errors are told whatever its exit status.
fn in_part(told: &Snapshot) -> Vec<String> {
    let failed = told.exited_with(exit::IN_PART);
    let said = told.messages.iter().filter(|message| match message.severity.as_str() {
        "error" => true,
        "information" => false,
        _ => failed,
    });
    let said = said
        .take(4)
        .map(|message| message.text.trim_end_matches('.').to_owned());
    let by_status = failed.then(|| status(told));
    let wrong = checksums(told, Holds::Nothing);
    by_status.into_iter().chain(said).chain(wrong).collect()
}

fn error_log(told: &Snapshot) -> Vec<String> {
    let by_status = told.exited_with(exit::ERROR_LOG);
    match told.error_log_count {
        Some(0) | None if !by_status => Vec::new(),
        Some(count) if count > 0 => vec![format!("{count} in all")],
        Some(_) | None => vec![status(told)],
    }
}

fn no_status(told: &Snapshot) -> Vec<String> {
    let missing = told.exit_status.is_none();
    missing.then(|| "no exit status".to_owned()).into_iter().collect()
}

fn status(told: &Snapshot) -> String {
    format!("exit status {}", told.exit_status.unwrap_or(0))
}

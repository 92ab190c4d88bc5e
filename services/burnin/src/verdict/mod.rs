//! From evidence and SMART to one word, with every rule that fired.
//!
//! Two pure steps: [`metrics`] reduces everything that is known to named numbers, and the
//! rules in `rules.toml` compare them with limits. A number that is not known fires no
//! rule; that it is not known is a number, too. The order is FAILED, INCONCLUSIVE, WARN,
//! PASSED: proof that a drive is bad outranks the question whether everything was looked
//! at, and what was written and read back outranks what the drive says of itself.

mod case;
mod failing;
mod figures;
mod heat;
mod limit;
mod metrics;
mod peer;
mod population;
mod rules;

use drive::smart::Row;
use wire::job::{FaultKind, Outcome, PhaseStatus, RuleHit, SmartLimit, Verdict};
use wire::{Bytes, Lba};

use crate::ENGINE;
use crate::evidence::{Evidence, Stop};
use crate::findings::{Class, not_met_again, outcome_of_all};

pub use case::Case;
pub use failing::{Failing, failing};
pub use figures::{Figure, Figures, figures};
pub use metrics::{Metrics, lacks, metrics};
pub use peer::{PEER_ZONES, Peer, model, newest};
pub use population::{Unlike, compare};
pub use rules::{Rule, Rules};
pub use wire::options::Profile;

/// The verdict.
pub fn judge(case: &Case<'_>) -> Verdict {
    let metrics = metrics(case);
    let mut hits: Vec<RuleHit> = Rules::built_in().fired(&metrics, case.profile);
    let worst = worst(case.evidence);
    for hit in &mut hits {
        hit.outcome = hit.outcome.min(worst);
    }
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.outcome));
    let mut outcome = hits.first().map_or(Outcome::Passed, |hit| hit.outcome);
    let mut summary = summary(case, outcome, &hits, &metrics);
    if let Some(hit) = before_loss(case) {
        if hit.outcome > outcome {
            outcome = hit.outcome;
            summary = format!(
                "{}, found before an interruption and not met again. {summary}",
                hit.value
            );
        }
        let place = hits.partition_point(|rule| rule.outcome >= hit.outcome);
        hits.insert(place, hit);
    }
    Verdict {
        outcome,
        rules: hits,
        summary,
        verified: verified(case, &metrics),
        engine: engine(&case.evidence.engine),
    }
}

/// By how much a row of SMART may change until a rule speaks of it.
pub(crate) fn limit(row: &Row, case: &Case<'_>) -> Option<SmartLimit> {
    metrics::limit(row, case)
}

/// What judged, and what had begun it where that was another version.
fn engine(began: &str) -> String {
    match began {
        ENGINE => ENGINE.to_owned(),
        began => format!("{ENGINE}, begun by {began}"),
    }
}

/// Bytes of this drive that were read back and equal: of another one's none.
fn verified(case: &Case<'_>, metrics: &Metrics) -> Bytes {
    let another = ["run.stranger", "smart.other_drive"];
    match another.iter().any(|name| metrics.get(name) > Some(0.0)) {
        true => Bytes(0),
        false => case.evidence.verified(),
    }
}

/// The worst that it can come to: what another drive may have told proves nothing against this one.
fn worst(evidence: &Evidence) -> Outcome {
    match evidence.stopped {
        Some(Stop::Stranger { .. }) => Outcome::Inconclusive,
        _ => Outcome::Failed,
    }
}

/// The rule for findings whose checkpoint was lost.
fn before_loss(case: &Case<'_>) -> Option<RuleHit> {
    let findings = not_met_again(case.findings_before_loss, &case.evidence.all_findings());
    let outcome = outcome_of_all(&findings, case.findings_before_loss, case.evidence.memory.bad > 0)?;
    Some(RuleHit {
        id: "findings-before-loss".to_owned(),
        outcome: outcome.min(worst(case.evidence)),
        value: match findings.len() {
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        },
        limit: "none".to_owned(),
        source: "What was once read wrong stays a finding, also when the record of it had to be begun again."
            .to_owned(),
        means: String::new(),
    })
}

/// The rule of what nothing was written to.
const ONLY_READ: &str = "only-read";

fn summary(case: &Case<'_>, outcome: Outcome, hits: &[RuleHit], metrics: &Metrics) -> String {
    let evidence = case.evidence;
    let whole = Bytes(evidence.geometry.bytes());
    // That a scan only reads is known before: what it found stands in the sentence.
    let mut of_it = hits
        .iter()
        .filter(|hit| hit.outcome == outcome && outcome != Outcome::Passed);
    let first = of_it.next();
    let worst = first
        .filter(|hit| hit.id != ONLY_READ)
        .or_else(|| of_it.next())
        .or(first);
    let mut text = match worst {
        None => format!("All {whole} were written, read back and equal."),
        Some(hit) => sentence(hit, &place(evidence, &hit.id), metrics),
    };
    if outcome == Outcome::Warn && is_read_whole(evidence) {
        let read = format!("All {whole} could be read, and nothing was written.");
        text = match worst.is_some_and(|hit| hit.id == ONLY_READ) {
            true => format!("{read} Only a test that erases can tell more."),
            false => format!("{read} {text}"),
        };
    }
    match &evidence.stopped {
        Some(Stop::Asked { why }) if worst.is_some_and(|hit| hit.id == "not-finished") => {
            text = format!("The job was ended before its end: {why}.");
        }
        Some(Stop::FirstFault) => text += " It was to end at the first fault that fails it: the rest was not tested.",
        Some(Stop::Asked { why }) => text += &format!(" It was ended before its end: {why}."),
        Some(Stop::Engine { why }) => text += &format!(" It did not go on: {why}."),
        Some(Stop::Stranger { why }) => text += &format!(" {}.", capital(why)),
        Some(Stop::Reserved) if worst.is_none_or(|hit| hit.id != "reserved-elsewhere") => {
            text += " It was ended because another computer has reserved the drive.";
        }
        _ => {}
    }
    if let Some(held) = &evidence.held {
        text += &format!(" {}.", capital(held));
    }
    let went_on = !matches!(evidence.stopped, Some(Stop::Engine { .. }));
    match case.interruptions() {
        [] => {}
        [one] if !went_on => text += &format!(" It had been interrupted ({}).", one.why),
        more if !went_on => text += &format!(" It had been interrupted {} times.", more.len()),
        [one] => text += &format!(" It went on after one interruption ({}).", one.why),
        more => text += &format!(" It went on after {} interruptions.", more.len()),
    }
    text
}

/// What a rule says, with its number where that is one.
fn sentence(hit: &RuleHit, place: &str, metrics: &Metrics) -> String {
    let means = capital(&hit.means);
    match (hit.id.as_str(), hit.value.as_str()) {
        // How many they would be on a drive of a tebibyte is no number of answers.
        ("slow-outliers", _) => match metrics.figures("pace.outliers_per_tib") {
            Some(answers) => format!("{}.", capital(answers)),
            None => format!("{means}."),
        },
        (_, "1 time" | "1 playbook" | "1 snapshot" | "2 snapshots") if place.is_empty() => format!("{means}."),
        (_, value) => format!("{means} ({value}{place})."),
    }
}

/// Whether every sector was read the first time that it was asked for, and nothing written.
fn is_read_whole(evidence: &Evidence) -> bool {
    let failed = [FaultKind::ReadError, FaultKind::Transient, FaultKind::Hang];
    evidence.only_reads()
        && evidence.stopped.is_none()
        && unfinished(evidence) == 0
        && evidence
            .phases
            .iter()
            .all(|record| !record.lost && record.unsupported.is_none())
        && !evidence.lost
        && evidence.bad_sectors() == 0
        && !failed.iter().any(|kind| evidence.incident_counts.contains_key(kind))
}

/// As a sentence begins.
fn capital(words: &str) -> String {
    let mut words = words.to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// Where what the rule counts begins, and what its most telling finding says.
fn place(evidence: &Evidence, rule: &str) -> String {
    placed(evidence, rule).map_or_else(String::new, |(_, words)| words)
}

/// The same with the first place by itself. The findings are the most telling ones of perhaps thousands of runs, so the first place is
/// asked of all runs.
///
/// Where sectors are counted, an access that went well when it was tried again has no part in the number, and none in its place.
fn placed(evidence: &Evidence, rule: &str) -> Option<(Lba, String)> {
    let findings = match rule {
        "slow-access" => evidence.findings(),
        _ => evidence.defects.findings(evidence.geometry),
    };
    let mut placed = findings
        .iter()
        .filter(|finding| shows(rule, finding.kind))
        .filter_map(|finding| Some((finding.lba?, finding)));
    let (at, telling) = placed.next()?;
    let counts = |class: Class| counts(rule, class);
    let runs = evidence.defects.runs().filter(|run| counts(run.fault.class()));
    let first = runs.map(|run| Lba(run.first)).chain(placed.map(|(lba, _)| lba)).min();
    let first = first.unwrap_or(at).min(at);
    let which = match evidence.defects.beyond(counts) {
        0 => "first",
        _ => "among other places",
    };
    let words = match first == at {
        true => format!("; {which} at {first}: {}", telling.detail),
        false => format!("; {which} at {first}; at {at}: {}", telling.detail),
    };
    Some((first, words))
}

/// Whether the rule counts sectors of this class.
fn counts(rule: &str, class: Class) -> bool {
    rule == match class {
        Class::Bits | Class::Content => "verify-mismatch",
        Class::Misplaced => "verify-misplaced",
        Class::Transient => "verify-transient",
        Class::Read => "read-error",
        Class::Write => "write-error",
    }
}

/// Whether a finding of this kind is one of those that the rule counts, so that its place belongs to the rule's number.
fn shows(rule: &str, kind: FaultKind) -> bool {
    let rules: &[&str] = match kind {
        FaultKind::BitFlip | FaultKind::Corrupt | FaultKind::LostWrite | FaultKind::Stale | FaultKind::Zeroed => {
            &["verify-mismatch"]
        }
        FaultKind::Misdirected => &["verify-misplaced"],
        FaultKind::WrapAround => &["verify-misplaced", "capacity-false"],
        FaultKind::Truncated => &["verify-mismatch", "capacity-false"],
        FaultKind::Transient => &["verify-transient"],
        FaultKind::ReadError => &["read-error"],
        FaultKind::WriteError => &["write-error"],
        FaultKind::Slow => &["slow-access"],
        FaultKind::Disconnect | FaultKind::Reset | FaultKind::Hang | FaultKind::HostMemory => &[],
    };
    rules.contains(&rule)
}

/// How many steps that move data did not run to their end, those that the drive cannot do left out.
pub(crate) fn unfinished(evidence: &Evidence) -> usize {
    evidence
        .phases
        .iter()
        .filter(|record| record.status != PhaseStatus::Done && record.unsupported.is_none())
        .count()
}

#[cfg(test)]
mod tests;

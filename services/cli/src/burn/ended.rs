//! A job that ended: its word, its certificate, and how it is told.

use std::path::{Path, PathBuf};

use burnin::format;
use burnin::playbook::Step;
use certificate::Signed;
use certificate::report::many;
use serde::{Deserialize, Serialize};
use wire::job::{Finding, Job, JobState, Outcome, RuleHit, Verdict};
use wire::options::{FileSystem, FormatRequest, Formatted, Table};
use wire::{Bytes, DriveId, Time};

use super::choice::Choice;
use super::place::{self, Place};
use super::print_json;
use super::refuted;
use super::screen::Line;
use super::seat::Seat;
use super::unended;
use crate::cert::Form;
use crate::signing::Signing;
use crate::{file, seals};

/// A job that ended.
pub(super) struct Ended {
    node: PathBuf,
    seat: Seat,
    job: Job,
    /// What is to be known besides.
    pub notes: Vec<String>,
    /// Whether it was begun; else nothing was written.
    pub begun: bool,
}

impl Ended {
    pub(super) fn new(node: PathBuf, job: Job, notes: Vec<String>) -> Self {
        Self {
            node,
            seat: Seat::default(),
            job,
            notes,
            begun: true,
        }
    }

    /// The same, of a drive that sits there.
    pub(super) fn seated(self, seat: Seat) -> Self {
        Self { seat, ..self }
    }

    /// All of it, to be kept until it is told and signed [`again`](Ended::again).
    pub(super) fn kept(&self, steps: &[Step]) -> Option<serde_json::Value> {
        let kept = Kept {
            job: self.job.clone(),
            notes: self.notes.clone(),
            steps: steps.to_vec(),
        };
        serde_json::to_value(kept).ok()
    }

    /// One that ended before, as it was kept; `None` where that cannot be read, or something else is asked for now.
    pub(super) fn again((node, drive): (PathBuf, &DriveId), kept: serde_json::Value, choice: &Choice) -> Option<Self> {
        let Kept { job, notes, steps } = serde_json::from_value(kept).ok()?;
        // A person's playbook may have changed under its name.
        let is_asked_for = job.drive == *drive
            && job.playbook == choice.playbook.name
            && job.options == choice.options
            && steps == choice.steps;
        (is_asked_for && job.verdict.is_some()).then(|| Self::new(node, job, notes))
    }

    /// One that ended before, with nothing told of it yet; `None` where what is kept cannot be read.
    pub(super) fn kept_for(node: PathBuf, kept: &serde_json::Value) -> Option<Self> {
        Self::job(kept).map(|job| Self::new(node, job, Vec::new()))
    }

    /// The job of one that ended before, as it was kept; `None` where that cannot be read.
    pub(super) fn job(kept: &serde_json::Value) -> Option<Job> {
        Kept::deserialize(kept).ok().map(|kept| kept.job)
    }

    /// Why it is not signed again, in words; `None` where it may be.
    pub(super) fn revoked(&self, state: &Path) -> Option<String> {
        match seals::revoked(state, self.job.id) {
            // A state folder of an earlier version, or one that was copied back, may hold what a failure refutes.
            Ok(None) => refuted::by(state, &self.job)
                .map(|failed| refuted::words(&failed))
                .or_else(|| self.doubted(state)),
            Ok(Some(by)) => Some(format!(
                "its certificate was revoked on {}: {}",
                certificate::report::day(by.at),
                certificate::revoke::reason(&by.why)
            )),
            Err(why) => Some(format!("whether its certificate was revoked is not known: {why}")),
        }
    }

    /// What would refute it, if that ended as it stands; in words.
    fn doubted(&self, state: &Path) -> Option<String> {
        let refutes = |one: &unended::Unended| certificate::revoke::is_refuted(&self.job, &one.job, false);
        let by = unended::all(state).into_iter().find(refutes)?;
        Some(format!("whether it still holds is not known: {}", by.words()))
    }

    /// The same, of one that came to this at another time than now.
    pub(super) fn at(mut self, when: Time) -> Self {
        self.job.ended = Some(when);
        self
    }

    /// The same, of one that wrote nothing.
    pub(super) fn unbegun(self) -> Self {
        Self { begun: false, ..self }
    }

    /// Whether a person ended it while its drive, which had come through, was formatted.
    pub(super) fn is_cut_in_format(&self) -> bool {
        let is_unmade = self.job.formatted.as_ref().is_some_and(|made| made.problem.is_some());
        is_unmade && self.job.state == JobState::Aborted
    }

    /// Whether a person ended it so, and no table is known to stand on its drive. A format that the drive itself failed is no such: made
    /// anew, it would hide that.
    pub(super) fn is_untabled(&self) -> bool {
        let made = self.job.formatted.as_ref();
        self.is_cut_in_format() && made.is_some_and(|made| made.table == Table::Auto)
    }

    /// The verdict's word.
    pub(super) fn outcome(&self) -> Outcome {
        self.job.verdict.as_ref().map_or(Outcome::Inconclusive, |v| v.outcome)
    }

    /// A drive that has just failed takes back what was signed here of it as good, and what could be still. A failure of that is told,
    /// and changes no verdict.
    pub(super) fn take_back(&mut self, state: &Path, line: &Line) {
        if !certificate::revoke::has_failed(&self.job) {
            return;
        }
        let told = seals::note(state, &self.job, false).unwrap_or_else(|why| {
            vec![format!(
                "{why}: what was signed of this drive as good is not revoked here"
            )]
        });
        for text in told.into_iter().chain(refuted::take_back(state, &self.job)) {
            line.say(&text);
            self.notes.push(text);
        }
    }

    /// Signs its certificate and puts it in its place. A failure is told, and changes no verdict.
    pub(super) fn certify(&mut self, signing: &Signing, state: &Path, place: &Place) {
        match signing.sign(&self.job) {
            Ok(signed) => {
                self.job.certificate = Some(signed.info());
                // First: one that is in nobody's list could never be revoked.
                match seals::note(state, &self.job, true) {
                    Ok(told) => {
                        let told = told.into_iter().chain(signing.lost(state));
                        self.notes.extend(told.inspect(|text| tell!("{text}")));
                    }
                    Err(why) => {
                        return self.uncertified(format!(
                            "{why}; once that file can be written, the same command with --resume signs it, unless its progress could not be \
                             kept there either"
                        ));
                    }
                }
                self.put(&signed, state, place);
            }
            Err(why) => self.uncertified(why),
        }
    }

    /// Into its place, else, whatever became of that since the beginning, into the state folder.
    fn put(&mut self, signed: &Signed, state: &Path, place: &Place) {
        let id = signed.info().id;
        let (path, form) = place.file(&id);
        let Err(error) = place::put(&path, &form.bytes(signed), &self.job.drive) else {
            tell!("certificate: {}", path.display());
            return;
        };
        let instead = state.join(format!("{id}.json"));
        match file::replace(&instead, &Form::Json.bytes(signed)) {
            Ok(()) => {
                let note = format!(
                    "the certificate could not be written to {}: {error}; it lies in {} (`kiln cert show` makes page and PDF of it)",
                    path.display(),
                    instead.display()
                );
                tell!("{note}");
                self.notes.push(note);
            }
            Err(other) => self.uncertified(format!(
                "{}: {error}; {}: {other}; once there is room, the same command with --resume signs it again",
                path.display(),
                instead.display()
            )),
        }
    }

    fn uncertified(&mut self, why: String) {
        let note = format!("no certificate: {why}");
        tell!("{note}");
        self.notes.push(note);
        self.job.certificate = None;
    }

    /// Tells the result: JSON on standard output, or words. False where whoever waits for it does not get it; words are told on
    /// standard error then.
    pub(super) fn tell(&self, json: bool) -> bool {
        if json {
            let told = Told {
                path: &self.node,
                seat: &self.seat,
                notes: &self.notes,
                job: &self.job,
            };
            return print_json(&told, self.told_again());
        }
        let Some(verdict) = &self.job.verdict else { return true };
        let words = self.words(verdict);
        // Whoever closed a pipe before the result has not read it.
        let Err(error) = crate::write_out(&crate::lines(&words)) else {
            return true;
        };
        tell!("kiln burn: the result could not be written: {error}");
        for text in words {
            tell!("{text}");
        }
        false
    }

    /// How to have a result again that could not be told: after Ctrl-C the burn-in itself goes on.
    fn told_again(&self) -> &'static str {
        match self.begun {
            true => "; once there is room, the same command with --resume --cert FILE tells it again, or goes on",
            false => "",
        }
    }

    /// The result, line by line.
    fn words(&self, verdict: &Verdict) -> Vec<String> {
        let (word, place) = (verdict.outcome.word(), self.seat.words(&self.node));
        let first = format!("{word}  {} {} ({place})", self.job.model, self.job.serial);
        let mut below = vec![verdict.summary.clone()];
        below.extend(verdict.rules.iter().flat_map(of_rule));
        below.extend(self.job.findings.iter().take(FINDINGS).map(of_finding));
        let more = self.job.findings.len().saturating_sub(FINDINGS);
        if more > 0 {
            below.push(format!("and {more} more (--json tells all)"));
        }
        below.extend(self.job.formatted.as_ref().map(|made| match &made.problem {
            None => format!("formatted: {}", of_format(made)),
            Some(problem) => format!("not formatted: {problem}"),
        }));
        let below = below.into_iter().map(|text| format!("  {text}"));
        std::iter::once(first).chain(below).collect()
    }
}

/// Findings that are told in words: more of them hide the verdict above.
const FINDINGS: usize = 20;

/// Where and when it was, and what.
fn of_finding(finding: &Finding) -> String {
    let place = finding
        .lba
        .map(|lba| format!("{lba}, {}: ", many(finding.sectors, "sector")))
        .unwrap_or_default();
    format!("{}: {place}{}", finding.phase.label(), finding.detail)
}

/// A rule that fired, what that means, and by what source: `WARN reallocated: 3 sectors (at least 1 sector is WARN)`, and below it.
fn of_rule(hit: &RuleHit) -> Vec<String> {
    let (word, id, value) = (hit.outcome.word(), &hit.id, &hit.value);
    let first = match (hit.outcome, hit.limit.as_str()) {
        (Outcome::Passed, _) => format!("told {id}: {value}"),
        (_, "none") => format!("{word} {id}: {value}"),
        (_, limit) => format!("{word} {id}: {value} ({limit} is {word})"),
    };
    let below = [&hit.means, &hit.source].into_iter().filter(|text| !text.is_empty());
    std::iter::once(first)
        .chain(below.map(|text| format!("  {text}")))
        .collect()
}

/// What stands on the drive now: `GPT, ext4 "photos", 66.1 MB`.
fn of_format(formatted: &Formatted) -> String {
    let table = match formatted.table {
        Table::Gpt => "GPT",
        Table::Mbr => "MBR",
        Table::Auto => "no partition table",
    };
    let named = named(formatted.filesystem, &formatted.label);
    format!("{table}, {named}, {}", formatted.size)
}

/// What is to stand on it: `MBR, ext4 "photos", 2 % kept for root`.
/// The table is the one that a drive of this size gets, where that is known.
pub(super) fn of_request(request: &FormatRequest, capacity: Bytes, sector: u32) -> String {
    let layout = format::plan(capacity.0, sector, request);
    let table = match layout.map_or(request.table, |layout| layout.table) {
        Table::Gpt => "GPT",
        Table::Mbr => "MBR",
        Table::Auto => "MBR up to 2 TiB and GPT above",
    };
    let kept = match request.filesystem {
        FileSystem::Ext4 => format!(", {} % kept for root", request.reserved_percent),
        FileSystem::Xfs | FileSystem::Btrfs | FileSystem::Exfat | FileSystem::Swap | FileSystem::Raw => String::new(),
    };
    format!("{table}, {}{kept}", named(request.filesystem, &request.label))
}

fn named(filesystem: FileSystem, label: &str) -> String {
    let filesystem = match certificate::report::filesystem(filesystem) {
        "none" => "no file system",
        name => name,
    };
    match label {
        "" => filesystem.to_owned(),
        label => format!("{filesystem} \"{label}\""),
    }
}

/// What is kept of it.
#[derive(Serialize, Deserialize)]
struct Kept {
    job: Job,
    notes: Vec<String>,
    /// What was run, to its last detail; nothing in a file of an earlier version, which then answers for no playbook.
    #[serde(default)]
    steps: Vec<Step>,
}

/// What `--json` prints: the job as everywhere else, where it was, and what is to be known besides.
#[derive(serde::Serialize)]
struct Told<'a> {
    path: &'a PathBuf,
    #[serde(flatten)]
    seat: &'a Seat,
    notes: &'a [String],
    #[serde(flatten)]
    job: &'a Job,
}

#[cfg(test)]
mod tests {
    use wire::Lba;
    use wire::job::{FaultKind, Phase};

    use super::*;
    use crate::seals::tests::{ONE, ended};

    #[test]
    fn findings_that_are_left_out_are_counted() {
        let told = |count: u64| {
            let found = |at| Finding {
                step: 0,
                kind: FaultKind::BitFlip,
                lba: Some(Lba(at)),
                sectors: 1,
                found: None,
                phase: Phase::Verify,
                detail: "1 bit differs".to_owned(),
            };
            let mut job = ended(ONE, Outcome::Failed, None);
            job.findings = (0..count).map(found).collect();
            let verdict = job.verdict.clone();
            let ended = Ended::new("/dev/x".into(), job, Vec::new());
            verdict.map(|verdict| ended.words(&verdict)).unwrap_or_default()
        };
        let all = told(20);
        assert_eq!(all.len(), 22);
        assert!(!all.concat().contains("more"), "{all:?}");
        let some = told(23);
        assert_eq!((some.len(), some[22].as_str()), (23, "  and 3 more (--json tells all)"));
    }

    #[test]
    fn a_rule_is_told_by_what_it_means() {
        let mut hit = RuleHit {
            id: "not-whole-drive".to_owned(),
            outcome: Outcome::Warn,
            value: "1 playbook".to_owned(),
            limit: "at least 1 playbook".to_owned(),
            source: "The source.".to_owned(),
            means: "only a part of the drive was compared".to_owned(),
        };
        let told = of_rule(&hit);
        assert_eq!(
            told[0],
            "WARN not-whole-drive: 1 playbook (at least 1 playbook is WARN)"
        );
        assert_eq!(told[1..], ["  only a part of the drive was compared", "  The source."]);
        (hit.limit, hit.means) = ("none".to_owned(), String::new());
        assert_eq!(of_rule(&hit), ["WARN not-whole-drive: 1 playbook", "  The source."]);
    }

    #[test]
    fn what_was_made_is_told_by_its_names() {
        let made = |table, filesystem, label: &str| {
            of_format(&Formatted {
                table,
                filesystem,
                label: label.to_owned(),
                uuid: None,
                size: Bytes(66_100_000),
                checks: Vec::new(),
                problem: None,
            })
        };
        assert_eq!(
            made(Table::Mbr, FileSystem::Ext4, "photos"),
            "MBR, ext4 \"photos\", 66.1 MB"
        );
        assert_eq!(made(Table::Gpt, FileSystem::Raw, ""), "GPT, no file system, 66.1 MB");
    }
}

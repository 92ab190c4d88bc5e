//! What happened, in the words of the event log and of the add-on protocol's notifications. Pure.
//!
//! | event | notification |
//! |---|---|
//! | `job.started` | `job_started` info |
//! | `job.phase_finished` | `phase_complete` info |
//! | `job.resumed`, `job.waiting`, `job.paused`, `job.continued`, `job.too_hot`, `job.cooled` | – |
//! | `job.failing` | – |
//! | `job.place_recovered`, `job.offered`, `job.not_gone_on`, `certificate.revoked` | – |
//! | `job.passed` | `burnin_passed` info and `job_complete` info |
//! | `job.warned` | `job_complete` warning |
//! | `job.inconclusive` | `job_complete` warning |
//! | `job.aborted` | `job_complete` info |
//! | `job.failed` | `job_failed` critical |
//!
//! `burnin_passed` is said for PASSED and nothing else.

use std::collections::BTreeMap;

use burnin::playbook;
use certificate::revoke;
use serde::{Deserialize, Serialize};
use wire::drive::Drive;
use wire::event::{NewEvent, Severity};
use wire::frame::Notification;
use wire::job::{Job, JobState, Outcome, Phase, PhaseState, Resume};
use wire::{Celsius, DriveId, Lasted};

use crate::gate::has_twin;
use crate::record::Heads;

/// An event with the notifications that go with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// For the event log.
    pub event: NewEvent,
    /// For the add-on protocol.
    pub notifications: Vec<Notification>,
    /// When it was written down; a server that was away is told then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<wire::Time>,
}

impl Happening {
    /// Something that is about no job.
    pub fn new(
        kind: &str,
        severity: Severity,
        drive: Option<DriveId>,
        message: String,
        data: serde_json::Value,
    ) -> Self {
        let event = NewEvent {
            kind: kind.to_owned(),
            severity,
            job: None,
            drive,
            message,
            data,
            origin: None,
        };
        Self {
            event,
            notifications: Vec::new(),
            at: None,
        }
    }

    fn of(job: &Job, kind: &str, severity: Severity, message: String, data: serde_json::Value) -> Self {
        let mut happening = Self::new(kind, severity, Some(job.drive.clone()), message, data);
        happening.event.job = Some(job.id);
        happening
    }

    fn notify(mut self, job: &Job, event_type: &str, severity: Severity) -> Self {
        let metadata = BTreeMap::from([
            ("job_id".to_owned(), job.id.to_string()),
            ("drive_id".to_owned(), job.drive.to_string()),
            ("model".to_owned(), job.model.clone()),
            ("serial".to_owned(), job.serial.clone()),
            ("playbook".to_owned(), job.playbook.clone()),
        ]);
        self.notifications.push(Notification {
            event_type: event_type.to_owned(),
            severity,
            message: self.event.message.clone(),
            host: String::new(),
            metadata,
        });
        self
    }
}

/// The drive of a job as people know it: model, serial, capacity.
pub fn drive_words(job: &Job) -> String {
    format!("{} {} ({})", job.model, job.serial, job.capacity)
}

/// What is done to the drive, in front of its words: whoever fears for data reads at once that a scan writes nothing.
fn deed(job: &Job) -> &'static str {
    if erases(job) {
        "Burn-in of"
    } else if job.phases.iter().any(|of| of.phase == Phase::Scan) {
        "Read scan of"
    } else {
        "Test of"
    }
}

/// Of a job whose steps are known; the record's own answer is by the steps themselves.
fn erases(job: &Job) -> bool {
    job.options.format.is_some() || job.phases.iter().any(|of| playbook::erases(of.phase))
}

/// A job began.
pub fn started(job: &Job) -> Happening {
    let message = format!(
        "{} {} started by {}, playbook {}{}",
        deed(job),
        drive_words(job),
        job.actor,
        job.playbook,
        if erases(job) { "" } else { "; nothing is written" }
    );
    let data = serde_json::json!({ "playbook": job.playbook, "actor": job.actor });
    Happening::of(job, "job.started", Severity::Info, message, data).notify(job, "job_started", Severity::Info)
}

/// A phase ended.
pub fn phase_finished(job: &Job, phase: &PhaseState) -> Happening {
    let message = format!(
        "{} of {} finished after {}",
        phase.phase.label(),
        drive_words(job),
        Lasted(phase.seconds)
    );
    let data = serde_json::json!({ "phase": phase.phase, "seconds": phase.seconds, "bytes": phase.bytes });
    Happening::of(job, "job.phase_finished", Severity::Info, message, data).notify(
        job,
        "phase_complete",
        Severity::Info,
    )
}

/// A job went on after an interruption.
pub fn resumed(job: &Job, resume: &Resume) -> Happening {
    let message = format!(
        "{} {} goes on in phase {} at {} after: {}",
        deed(job),
        drive_words(job),
        resume.phase.label(),
        resume.from,
        resume.why
    );
    let data = serde_json::json!({ "phase": resume.phase, "from": resume.from, "why": resume.why });
    Happening::of(job, "job.resumed", Severity::Info, message, data)
}

/// Something about a job that nobody else needs to hear of.
pub fn of_job(job: &Job, kind: &str, severity: Severity, message: String) -> Happening {
    Happening::of(job, kind, severity, message, serde_json::Value::Null)
}

/// A job heads for FAILED, and goes on; `phase`: the one under way.
pub fn failing(job: &Job, phase: Option<Phase>, why: &Heads) -> Happening {
    let percent = job.progress.as_ref().map(|progress| progress.percent.floor());
    let at = match (phase, percent) {
        (Some(phase), Some(percent)) => format!(". {}, at {percent} % of all", phase.label()),
        (Some(phase), None) => format!(". {}", phase.label()),
        (None, _) => String::new(),
    };
    let message = format!(
        "{} is heading for FAILED: {}{at}. Its test goes on over the rest",
        drive_words(job),
        why.words
    );
    let data = serde_json::json!({ "rule": why.rule, "phase": phase, "percent": percent, "lba": why.lba });
    Happening::of(job, "job.failing", Severity::Warning, message, data)
}

/// A person holds a job.
pub fn paused(job: &Job, actor: &str) -> Happening {
    let message = format!("{} {} paused by {actor}", deed(job), drive_words(job));
    let data = serde_json::json!({ "actor": actor });
    Happening::of(job, "job.paused", Severity::Info, message, data)
}

/// A person lets a held job go on.
pub fn continued(job: &Job, actor: &str) -> Happening {
    let message = format!("{} {} goes on: {actor} let it", deed(job), drive_words(job));
    let data = serde_json::json!({ "actor": actor });
    Happening::of(job, "job.continued", Severity::Info, message, data)
}

/// A job's drive is too hot to go on.
pub fn too_hot(job: &Job, at: Celsius, resume: Celsius) -> Happening {
    let message = format!(
        "{} is at {at}: its test pauses until it has cooled to {resume}",
        drive_words(job)
    );
    let data = serde_json::json!({ "temperature": at, "resume": resume });
    Happening::of(job, "job.too_hot", Severity::Warning, message, data)
}

/// A job's drive has cooled.
pub fn cooled(job: &Job, at: Celsius) -> Happening {
    let message = format!("{} has cooled to {at}: its test goes on", drive_words(job));
    Happening::of(
        job,
        "job.cooled",
        Severity::Info,
        message,
        serde_json::json!({ "temperature": at }),
    )
}

/// A certificate no longer holds; `None` where the job has none.
pub fn revoked(job: &Job, failed: &Job) -> Option<Happening> {
    let event = revoke::event(&revoke::entry(job)?, failed.id);
    let (notifications, at) = (Vec::new(), None);
    Some(Happening {
        event,
        notifications,
        at,
    })
}

/// A job waits for something.
pub fn waiting(job: &Job, why: &str) -> Happening {
    let message = format!("{} {} waits: {why}", deed(job), drive_words(job));
    Happening::of(
        job,
        "job.waiting",
        Severity::Warning,
        message,
        serde_json::json!({ "why": why }),
    )
}

/// A job ended.
pub fn ended(job: &Job) -> Happening {
    let (outcome, summary) = match &job.verdict {
        Some(verdict) => (verdict.outcome, verdict.summary.clone()),
        None => (Outcome::Inconclusive, "it ended without a verdict".to_owned()),
    };
    let message = format!("{}: {}. {summary}", outcome.word(), drive_words(job));
    let rules: Vec<&str> = job
        .verdict
        .iter()
        .flat_map(|v| &v.rules)
        .map(|rule| rule.id.as_str())
        .collect();
    let data = serde_json::json!({ "outcome": outcome, "rules": rules, "bad_sectors": job.bad_sectors });
    let happening = |kind, severity| Happening::of(job, kind, severity, message, data);
    match (&job.state, outcome) {
        (JobState::Aborted, Outcome::Passed | Outcome::Warn | Outcome::Inconclusive) => {
            happening("job.aborted", Severity::Info).notify(job, "job_complete", Severity::Info)
        }
        (_, Outcome::Passed) => happening("job.passed", Severity::Info)
            .notify(job, "burnin_passed", Severity::Info)
            .notify(job, "job_complete", Severity::Info),
        (_, Outcome::Warn) => happening("job.warned", Severity::Warning).notify(job, "job_complete", Severity::Warning),
        (_, Outcome::Inconclusive) => {
            happening("job.inconclusive", Severity::Warning).notify(job, "job_complete", Severity::Warning)
        }
        (_, Outcome::Failed) => {
            happening("job.failed", Severity::Critical).notify(job, "job_failed", Severity::Critical)
        }
    }
}

/// What is kept of a drive from one start of the agent to the next, to tell what came and went meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Identity.
    pub id: DriveId,
    /// Model, serial and capacity in words.
    pub words: String,
}

/// The present drives with an identity, by it.
pub fn known(drives: &[Drive]) -> BTreeMap<DriveId, Known> {
    drives
        .iter()
        .filter(|drive| drive.present)
        .filter_map(|drive| {
            let id = drive.id.clone()?;
            Some((
                id.clone(),
                Known {
                    id,
                    words: words(drive),
                },
            ))
        })
        .collect()
}

/// Whether a drive that was known is there still, listed without its identity since a second device tells it.
pub fn is_twin(known: &Known, drives: &[Drive]) -> bool {
    let mut present = drives.iter().filter(|drive| drive.present);
    present.any(|drive| has_twin(drive) && words(drive) == known.words)
}

fn words(drive: &Drive) -> String {
    format!("{} {} ({})", drive.model, drive.serial, drive.capacity)
}

/// A drive is there that was not; `place` tells where.
pub fn came(drive: &Known, place: &str) -> Happening {
    of_drive("drive.added", drive, format!("{} was plugged in{place}", drive.words))
}

/// A drive is there no more; `place` tells where it sat.
pub fn went(drive: &Known, place: &str) -> Happening {
    of_drive("drive.removed", drive, format!("{} is gone{place}", drive.words))
}

fn of_drive(kind: &str, drive: &Known, message: String) -> Happening {
    Happening::new(
        kind,
        Severity::Info,
        Some(drive.id.clone()),
        message,
        serde_json::Value::Null,
    )
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::{Phase, PhaseStatus, Verdict};
    use wire::{Bytes, JobId, Time};

    use super::*;

    pub(crate) fn job() -> Job {
        Job {
            model: "WD80EFAX".into(),
            serial: "VK1234".into(),
            capacity: Bytes(8_000_000_000_000),
            sector: 512,
            actor: "ann".into(),
            ..Job::new(
                JobId::now(),
                DriveId::parse("wwn-5000c500a1b2c3d4").unwrap(),
                "standard",
                Time::UNIX_EPOCH,
            )
        }
    }

    /// A job that ended well.
    pub(crate) fn passed() -> Job {
        Job {
            ended: Some(Time::UNIX_EPOCH),
            ..over(Outcome::Passed, JobState::Finished)
        }
    }

    fn over(outcome: Outcome, state: JobState) -> Job {
        let verdict = Verdict {
            outcome,
            rules: vec![],
            summary: "Why.".into(),
            verified: Bytes(0),
            engine: String::new(),
        };
        Job {
            verdict: Some(verdict),
            state,
            ..job()
        }
    }

    #[test]
    fn a_scan_is_called_one_wherever_it_is_told_of() {
        let with = |phases: &[Phase]| Job {
            phases: phases.iter().map(|phase| PhaseState::pending(*phase, "")).collect(),
            ..job()
        };
        let told = |job: &Job| {
            [
                started(job),
                paused(job, "ann"),
                continued(job, "ann"),
                waiting(job, "it is hot"),
            ]
            .map(|of| of.event.message)
        };
        for message in told(&with(&[Phase::SmartBefore, Phase::Scan])) {
            assert!(message.starts_with("Read scan of WD80EFAX VK1234"), "{message}");
        }
        for message in told(&with(&[Phase::Write, Phase::Verify, Phase::Scan])) {
            assert!(message.starts_with("Burn-in of WD80EFAX VK1234"), "{message}");
        }
        assert!(told(&with(&[Phase::SelfTestShort]))[0].starts_with("Test of WD80EFAX"));
        assert_eq!(
            started(&with(&[Phase::Scan])).event.message,
            "Read scan of WD80EFAX VK1234 (8 TB) started by ann, playbook standard; nothing is written"
        );
    }

    #[test]
    fn a_drive_whose_identity_a_second_one_tells_is_neither_gone_nor_new() {
        let mut list = crate::vigil::shapes::tests::drives(2);
        let before = known(&list);
        let [a, b] = before.values().collect::<Vec<_>>()[..] else {
            panic!()
        };
        assert!(!is_twin(a, &list) && !is_twin(b, &list));
        list[0].id = None;
        list[0].refused = Some(wire::drive::Refused {
            kind: "same-identity".into(),
            reason: String::new(),
        });
        let now = known(&list);
        let gone: Vec<&Known> = before.values().filter(|known| !now.contains_key(&known.id)).collect();
        assert_eq!(gone.len(), 1);
        assert!(is_twin(gone[0], &list));
        list[0].present = false;
        assert!(!is_twin(gone[0], &list));
    }

    #[test]
    fn burnin_passed_is_said_for_passed_and_nothing_else() {
        for (outcome, state, kind, notifications) in [
            (
                Outcome::Passed,
                JobState::Finished,
                "job.passed",
                vec!["burnin_passed", "job_complete"],
            ),
            (Outcome::Warn, JobState::Finished, "job.warned", vec!["job_complete"]),
            (
                Outcome::Inconclusive,
                JobState::Finished,
                "job.inconclusive",
                vec!["job_complete"],
            ),
            (Outcome::Failed, JobState::Finished, "job.failed", vec!["job_failed"]),
            (
                Outcome::Inconclusive,
                JobState::Aborted,
                "job.aborted",
                vec!["job_complete"],
            ),
            (Outcome::Failed, JobState::Aborted, "job.failed", vec!["job_failed"]),
        ] {
            let happening = ended(&over(outcome, state));
            assert_eq!(happening.event.kind, kind);
            let types: Vec<&str> = happening.notifications.iter().map(|n| n.event_type.as_str()).collect();
            assert_eq!(types, notifications, "{kind}");
            assert!(
                happening.event.message.contains("VK1234"),
                "{}",
                happening.event.message
            );
        }
        let none = ended(&Job {
            state: JobState::Finished,
            ..job()
        });
        assert_eq!(
            none.event.kind, "job.inconclusive",
            "a job without a verdict is never passed"
        );
    }

    #[test]
    fn a_job_that_heads_for_failed_says_why_where_and_that_it_goes_on() {
        let why = Heads {
            rule: "read-error".into(),
            lba: Some(wire::Lba(7)),
            words: "sectors could not be read (1 sector; first at LBA 7: EIO)".into(),
        };
        let progress = wire::job::Progress {
            step: 2,
            phase_percent: None,
            phase: Phase::Verify,
            done: Bytes(1),
            total: Bytes(2),
            rate: Bytes(3),
            eta: None,
            eta_job: None,
            percent: 41.7,
            temperature: None,
        };
        let job = Job {
            progress: Some(progress),
            ..job()
        };
        let told = failing(&job, Some(Phase::Verify), &why);
        assert_eq!(
            (told.event.kind.as_str(), told.event.severity),
            ("job.failing", Severity::Warning)
        );
        assert_eq!(
            told.event.message,
            "WD80EFAX VK1234 (8 TB) is heading for FAILED: sectors could not be read (1 sector; first at LBA 7: EIO). Read back and \
             verify, at 41 % of all. Its test goes on over the rest"
        );
        assert_eq!(
            (&told.event.data["lba"], &told.event.data["percent"]),
            (&7.into(), &41.0.into())
        );
        assert_eq!(told.notifications, [], "Vigil's words have none for it");
    }

    #[test]
    fn severities_are_those_of_the_protocol() {
        let severity = |happening: Happening| happening.notifications[0].severity;
        assert_eq!(severity(started(&job())), Severity::Info);
        let phase = PhaseState {
            status: PhaseStatus::Done,
            seconds: 7980.0,
            bytes: Bytes(1),
            ..PhaseState::pending(Phase::Write, "")
        };
        let finished = phase_finished(&job(), &phase);
        assert!(
            finished.event.message.contains("2 h 13 min"),
            "{}",
            finished.event.message
        );
        assert_eq!(severity(finished), Severity::Info);
        assert_eq!(
            severity(ended(&over(Outcome::Failed, JobState::Finished))),
            Severity::Critical
        );
    }
}

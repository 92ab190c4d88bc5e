//! The jobs: the state that the agent told last, and the latest samples of their progress.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::time::Duration;

use certificate::revoke;
use serde::Serialize;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};
use wire::frame::{LogLine, ProgressFrame};
use wire::job::{FaultKind, Job, JobState, Outcome, PhaseStatus, Progress, RuleHit, Verdict};
use wire::{Bytes, DriveId, JobId, Time};

use super::effect::server_actor;
use super::ring::Ring;
use super::{Effect, Hub, Stream};
use crate::acknowledged;
use crate::clock::Now;
use crate::last_words::{LastWords, Word};

/// Samples of progress kept of one job: at most one each [`SAMPLE`], so ten minutes at least.
pub(super) const SAMPLES: usize = 600;

/// Least time between two kept samples of one job's progress.
const SAMPLE: Duration = Duration::from_secs(1);

/// Longest time that the medium lags behind a job of which nothing but its progress changes: each record is some ten
/// kilobytes, and the agent tells all of it anew whenever it connects.
const LAG: Duration = Duration::from_mins(10);

/// Jobs held in memory, beside those that run and those with the last word on each listed drive: its card says what became of it.
/// Other older ones are on the medium only. As many are read at start, so fewer than these are all that there are.
pub(crate) const JOBS: usize = 200;

/// One sample of a job's progress.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Sample {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// How far it was.
    pub progress: Progress,
    /// Bad sectors found up to then; for the time line.
    #[serde(skip)]
    pub bad_sectors: u64,
}

/// What of a job stays when it has only come further.
fn lasting(job: &Job) -> Job {
    let mut job = Job {
        progress: None,
        timeline: Vec::new(),
        ..job.clone()
    };
    for phase in &mut job.phases {
        (phase.seconds, phase.bytes) = (0.0, Bytes(0));
    }
    job
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) job: Job,
    samples: Ring<Sample>,
    sampled: Option<Duration>,
    /// When it was last handed in to be kept.
    saved: Option<Duration>,
}

impl Hub {
    pub(super) fn progress(&mut self, now: Now, frame: ProgressFrame, out: &mut Vec<Effect>) {
        let Some((id, progress)) = frame.job_id.parse::<JobId>().ok().zip(frame.kiln) else {
            return;
        };
        let Some(held) = self.jobs.get_mut(&id).filter(|held| !held.job.state.is_over()) else {
            return;
        };
        held.sample(now, &progress);
        held.job.progress = Some(progress.clone());
        out.push(Effect::Stream(Stream::Progress(id, progress)));
    }

    pub(super) fn line(&mut self, job: Option<JobId>, line: LogLine, out: &mut Vec<Effect>) {
        out.push(Effect::Stream(Stream::Line(job, line.clone())));
        match job {
            Some(job) => out.push(Effect::SaveLine { job, line }),
            None => {
                self.lines.push(line);
            }
        }
    }

    pub(super) fn job(&mut self, now: Now, mut job: Job, out: &mut Vec<Effect>) {
        if let Some(over) = self.job_of(job.id).filter(|held| held.state.is_over()) {
            // The agent's state is older: of a stick that was pulled or put back. Nobody expects the drive to be written any more. An end that
            // was not signed it had not written down, and comes to once more.
            let is_ended = over.state == JobState::Aborted || over.certificate.is_some();
            if !job.state.is_over() && is_ended {
                out.push(Effect::Abandon(job.id));
                return;
            }
            // A failure is not taken back by what knows less of the job, and what that had signed as good is revoked.
            if job.state.is_over() && revoke::has_failed(over) && !revoke::has_failed(&job) {
                let is_good = revoke::is_good(job.verdict.as_ref().map(|verdict| verdict.outcome));
                let mut certificate = job.certificate.take();
                if let Some(info) = certificate.as_mut().filter(|_| is_good) {
                    revoke::had_failed(info, job.id);
                }
                job = Job {
                    certificate: certificate.or_else(|| over.certificate.clone()),
                    ..over.clone()
                };
            }
        }
        if !job.state.is_over() {
            self.succeeded(now, &job, out);
        }
        // Said here, never by the agent.
        job.acknowledged = self.job_of(job.id).and_then(|held| acknowledged::stays(held, &job));
        if !self.jobs.contains_key(&job.id) {
            self.make_room();
        }
        let held = self.jobs.entry(job.id).or_insert_with(|| Held::new(job.clone()));
        if let Some(progress) = &job.progress {
            held.sample(now, progress);
        }
        // The agent may not know of it.
        revoke::stay(job.certificate.as_mut(), held.job.certificate.as_ref());
        let lags = held.saved.is_none_or(|saved| now.mono.saturating_sub(saved) >= LAG);
        let save = lags || lasting(&held.job) != lasting(&job);
        held.job = job;
        if save {
            held.saved = Some(now.mono);
            out.push(Effect::SaveJob(Box::new(held.job.clone())));
        }
        out.push(Effect::Stream(Stream::Job(Box::new(held.job.clone()))));
    }

    /// Ends those that had not ended on the same drive before this one began: an agent has one job a drive, so it has lost them.
    fn succeeded(&mut self, now: Now, by: &Job, out: &mut Vec<Effect>) {
        let lost = |job: &&Job| job.drive == by.drive && job.id < by.id && !job.state.is_over();
        let lost: Vec<Job> = self.jobs.values().map(|held| &held.job).filter(lost).cloned().collect();
        for job in lost {
            self.job_gone(now, job, out);
        }
    }

    /// Takes what is known of a job here alone. What is held of the job may be newer than what the medium has.
    pub(super) fn amended(&mut self, kept: Job, out: &mut Vec<Effect>) {
        let job = match self.jobs.get_mut(&kept.id) {
            Some(held) => {
                revoke::stay(held.job.certificate.as_mut(), kept.certificate.as_ref());
                held.job.acknowledged = acknowledged::stays(&kept, &held.job);
                held.job.clone()
            }
            None => kept,
        };
        out.push(Effect::Stream(Stream::Job(Box::new(job))));
    }

    /// Lets the oldest jobs go until there is room for one more, or none that may go.
    fn make_room(&mut self) {
        if self.jobs.len() < JOBS {
            return;
        }
        let words: Vec<Word> = self.jobs.values().map(|held| Word::from(&held.job)).collect();
        let last = LastWords::of_all(&words);
        let listed = self.drives.iter().filter_map(|drive| drive.id.as_ref());
        let stay: BTreeSet<JobId> = listed.flat_map(|id| last.of(id)).collect();
        let may_go = self
            .jobs
            .iter()
            .filter(|(id, held)| held.job.state.is_over() && !stay.contains(id));
        let go: Vec<JobId> = may_go.map(|(id, _)| *id).take(self.jobs.len() + 1 - JOBS).collect();
        for id in go {
            self.jobs.remove(&id);
        }
    }

    /// Has the jobs looked up that have the last word on each drive here, once for as long as it is here: though a newer one is held, a
    /// failure may stand that is older. Before as many are held as may be, none was ever let go, and the medium has no others.
    pub(super) fn recall(&mut self, out: &mut Vec<Effect>) {
        if self.jobs.len() < JOBS {
            return;
        }
        let here: BTreeSet<&DriveId> = self
            .drives
            .iter()
            .filter(|drive| drive.present)
            .filter_map(|drive| drive.id.as_ref())
            .collect();
        self.looked_up.retain(|id| here.contains(id));
        let new = here.into_iter().filter(|id| !self.looked_up.contains(*id));
        let missing: Vec<DriveId> = new.cloned().collect();
        if !missing.is_empty() {
            self.looked_up.extend(missing.iter().cloned());
            out.push(Effect::Recall(missing));
        }
    }

    /// Takes what was looked up; a job that has come meanwhile is the newer one.
    pub(super) fn recalled(&mut self, jobs: Vec<Job>, out: &mut Vec<Effect>) {
        for job in jobs {
            if let Entry::Vacant(place) = self.jobs.entry(job.id) {
                out.push(Effect::Stream(Stream::Job(Box::new(job.clone()))));
                place.insert(Held::new(job));
            }
        }
    }

    /// The agent has told all its jobs, and that of them `unfinished` are not over: what else is held as running, it has lost.
    pub(super) fn unfinished_told(&mut self, now: Now, unfinished: &[JobId], out: &mut Vec<Effect>) {
        let lost = |job: &&Job| !job.state.is_over() && !unfinished.contains(&job.id);
        let lost: Vec<Job> = self.jobs.values().map(|held| &held.job).filter(lost).cloned().collect();
        for job in lost {
            let message = format!(
                "The agent does not know the burn-in of {} {} any more: its records were lost. The drive may tell how far it was",
                job.model, job.serial
            );
            let (id, drive) = (job.id, job.drive.clone());
            self.job_gone(now, job, out);
            let mut event = NewEvent::new("job.forgotten", Severity::Warning, message, serde_json::Value::Null);
            (event.job, event.drive) = (Some(id), Some(drive));
            out.push(Effect::Event(event, server_actor()));
        }
    }

    /// Ends a job that the agent does not know any more: nobody is at it, and nothing else would ever end it.
    ///
    /// `kept` is what the medium has of it, which counts where memory has let go of it.
    pub(super) fn job_gone(&mut self, now: Now, kept: Job, out: &mut Vec<Effect>) {
        let job = self.job_of(kept.id).cloned().unwrap_or(kept);
        if job.state.is_over() {
            return;
        }
        let verdict = of_lost(&job);
        let mut job = Job {
            state: JobState::Aborted,
            ended: Some(now.wall),
            progress: None,
            heading: Vec::new(),
            ..job
        };
        for phase in &mut job.phases {
            phase.status = match phase.status {
                PhaseStatus::Pending => PhaseStatus::Skipped,
                PhaseStatus::Running => PhaseStatus::Interrupted,
                over @ (PhaseStatus::Done | PhaseStatus::Skipped | PhaseStatus::Interrupted) => over,
            };
        }
        job.verdict.get_or_insert(verdict);
        self.job(now, job, out);
    }

    /// The jobs held in memory, newest first.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().rev().map(|held| &held.job)
    }

    /// One job.
    pub fn job_of(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|held| &held.job)
    }

    /// Samples of a job's progress, oldest first.
    pub fn samples(&self, id: JobId) -> Vec<Sample> {
        self.jobs
            .get(&id)
            .map(|held| held.samples.iter().cloned().collect())
            .unwrap_or_default()
    }
}

/// The verdict on a job that the agent has lost: nothing that it had done counts, what it had found wrong does.
fn of_lost(job: &Job) -> Verdict {
    let mut verdict = Verdict {
        outcome: Outcome::Inconclusive,
        rules: Vec::new(),
        summary: "It was ended after the agent had lost it: nobody knows what it had done.".to_owned(),
        verified: Bytes(0),
        engine: String::new(),
    };
    if job.bad_sectors > 0 {
        let value = match job.bad_sectors {
            1 => "1 bad sector".to_owned(),
            count => format!("{count} bad sectors"),
        };
        if !may_be_the_hosts(job) {
            verdict.outcome = Outcome::Failed;
        }
        verdict.summary += &format!(" Before that it had found {value}.");
        verdict.rules.push(RuleHit {
            id: "findings-before-loss".to_owned(),
            outcome: verdict.outcome,
            value,
            limit: "none".to_owned(),
            source: "What was once found wrong stays found, also when the record of it was lost.".to_owned(),
            means: String::new(),
        });
    }
    for told in &job.heading {
        verdict.outcome = verdict.outcome.max(told.outcome);
        verdict.rules.push(told.clone());
    }
    verdict
}

/// Whether all that was found may be the box's own memory, which failed its test.
fn may_be_the_hosts(job: &Job) -> bool {
    let bad = job.findings.iter().any(|finding| finding.kind == FaultKind::HostMemory);
    bad && job.findings.iter().all(|finding| {
        matches!(
            finding.kind,
            FaultKind::HostMemory | FaultKind::BitFlip | FaultKind::Corrupt | FaultKind::Transient
        )
    })
}

impl Held {
    pub(super) fn new(job: Job) -> Self {
        Self {
            job,
            samples: Ring::new(SAMPLES),
            sampled: None,
            saved: None,
        }
    }

    pub(super) fn sample(&mut self, now: Now, progress: &Progress) {
        let due = self.sampled.is_none_or(|at| now.mono.saturating_sub(at) >= SAMPLE);
        if due && self.samples.last().is_none_or(|last| last.progress != *progress) {
            self.samples.push(Sample {
                at: now.wall,
                progress: progress.clone(),
                bad_sectors: self.job.bad_sectors,
            });
            self.sampled = Some(now.mono);
        }
    }
}

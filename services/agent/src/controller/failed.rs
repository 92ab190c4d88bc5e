//! A job whose own task failed: a fault of ours, as a rule a panic, which takes the task's worker and its descriptor along.
//!
//! What is kept of the job is what an agent finds that was killed; so it is taken up from there, once. A second failure ends
//! it INCONCLUSIVE without a look at its drive, and one in that end gives it its last state by hand: no fault of ours
//! leaves a job that nobody works on, nor a drive that stays busy. Tested in `tests/failed.rs`.

use tokio::task::JoinError;
use tracing::{error, warn};
use wire::job::{JobState, Outcome, RuleHit, Verdict};
use wire::{Bytes, Time};

use super::Controller;
use crate::ends;
use crate::events;
use crate::job::JobTask;
use crate::jobs::{Ended, Kept};
use crate::record::{Record, log_line};

/// Failures of one job's tasks after which nothing more is asked of its drive.
const TAKEN_UP: u32 = 1;

/// Failures after which its end is not left to a task, either.
const ENDED: u32 = 2;

impl Controller {
    /// A job's task failed.
    pub(super) async fn task_failed(&mut self, failure: JoinError) {
        let task = failure.id();
        let why = words(failure);
        let mut active = self.active.iter();
        let Some((id, failures)) =
            active.find_map(|(id, active)| (active.task == task).then_some((*id, active.failures)))
        else {
            error!(why, "a task of no job failed");
            return;
        };
        error!(job = %id, failures, why, "a job's task failed");
        // What it wrote down last is on the medium before it is read again, unless that takes no writes.
        if let Err(cause) = self.means.jobs.store().touch().await {
            warn!(error = %cause, "the store does not answer; a failed job goes on from its copy in RAM");
        }
        let kept = match self.means.jobs.newest(id) {
            Ok(Some(kept)) => kept,
            Ok(None) => return self.job_ended(id),
            Err(cause) => {
                error!(job = %id, error = %cause, "a failed job cannot be read; it is let go of");
                return self.job_ended(id);
            }
        };
        if kept.record.job.state.is_over() {
            return self.job_ended(id);
        }
        Box::pin(self.after_failure(kept, failures, why)).await;
    }

    /// What is done about a job that is not over, after as many earlier failures.
    async fn after_failure(&mut self, kept: Kept, failures: u32, why: String) {
        let Kept { mut record, checkpoint } = kept;
        let id = record.job.id;
        let wished = self.active.get(&id).and_then(|active| active.wished.clone());
        if let Some(wish) = &wished {
            wish.stands_in(&mut record);
        }
        let then = match failures {
            ..TAKEN_UP => "it is taken up again from its last checkpoint",
            TAKEN_UP.. => "it ends here",
        };
        let line = format!("The agent itself failed in this job ({why}); {then}");
        self.means.outbox.log(log_line(&record.job, "error", line, Time::now()));
        let why = format!("the agent itself failed in this job: {why}");
        match failures {
            ..TAKEN_UP => self.run_job(record, checkpoint, Some(why), None),
            TAKEN_UP..ENDED => self.spawn(record, |means, record, wishes| {
                Box::new(JobTask::new(means, record, checkpoint, None, wishes)).give_up(why)
            }),
            ENDED.. => {
                conclude(&mut record, &why);
                Box::pin(self.let_go(record)).await;
                return self.job_ended(id);
            }
        }
        if let Some(active) = self.active.get_mut(&id) {
            active.failures = failures + 1;
            active.wished = wished;
        }
    }

    /// Writes down and tells the end of a job that no task could end.
    async fn let_go(&self, record: Record) {
        let end = Ended {
            told: vec![events::ended(&record.job)],
            ..Ended::default()
        };
        ends::end(&self.means.jobs, &self.means.outbox, record, end).await;
    }
}

/// The last state of a job whose verdict could not be made: whatever is known of its drive, it is not called good.
fn conclude(record: &mut Record, why: &str) {
    let job = &mut record.job;
    let summary = format!("No verdict could be made of what was seen: {why}.");
    job.verdict = Some(Verdict {
        outcome: Outcome::Inconclusive,
        rules: vec![RuleHit {
            id: "agent-failed".to_owned(),
            outcome: Outcome::Inconclusive,
            value: format!("{} failures", ENDED + 1),
            limit: "none".to_owned(),
            source: "What the agent could not judge is not passed.".to_owned(),
            means: String::new(),
        }],
        summary,
        verified: Bytes(0),
        engine: burnin::ENGINE.to_owned(),
    });
    job.progress = None;
    job.state = match &record.aborted_by {
        Some(_) => JobState::Aborted,
        None => JobState::Finished,
    };
    job.ended = Some(Time::now());
}

/// What a task said when it failed.
fn words(failure: JoinError) -> String {
    match failure.try_into_panic() {
        Ok(said) => match (said.downcast_ref::<&str>(), said.downcast_ref::<String>()) {
            (Some(said), _) => (*said).to_owned(),
            (None, Some(said)) => said.clone(),
            (None, None) => "a panic without words".to_owned(),
        },
        Err(ended) => ended.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[tokio::test]
    async fn what_a_task_said_is_told() {
        let whole = tokio::spawn(async { panic!("it broke") }).await;
        let made = tokio::spawn(async { panic!("it broke {} times", 2) }).await;
        assert_eq!(whole.map_err(words), Err::<(), _>("it broke".to_owned()));
        assert_eq!(made.map_err(words), Err::<(), _>("it broke 2 times".to_owned()));
    }

    #[test]
    fn a_job_without_a_verdict_is_never_passed_and_an_aborted_one_stays_aborted() {
        let mut record = record();
        conclude(&mut record, "it broke");
        assert_eq!(record.job.state, JobState::Finished);
        let verdict = record.job.verdict.as_ref();
        assert!(
            verdict.is_some_and(|verdict| verdict.outcome == Outcome::Inconclusive && verdict.verified == Bytes(0))
        );
        record.aborted_by = Some("ann".to_owned());
        conclude(&mut record, "it broke");
        assert_eq!(record.job.state, JobState::Aborted);
    }
}

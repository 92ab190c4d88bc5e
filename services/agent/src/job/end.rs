//! The end of a job: verdict and last state; or, where only the agent ends, a parked job.

use super::*;

impl JobTask {
    /// Verdict and end. `held` is the drive if it is still there to be asked.
    pub(super) async fn conclude(mut self, evidence: Option<Box<Evidence>>, held: Option<&Held>) -> JobId {
        let mut evidence = evidence.unwrap_or_else(|| self.evidence_so_far());
        if let Some(actor) = &self.abort_by {
            evidence.stopped = Some(Stopped::Asked {
                why: format!("aborted by {actor}"),
            });
        }
        let mut after = Err("the drive is gone".to_owned());
        if self.record.is_pending(Phase::SmartAfter) {
            let began = Instant::now();
            if let Some(held) = held {
                self.set_phase(Phase::SmartAfter, PhaseStatus::Running, 0.0);
                after = tokio::select! {
                    after = self.means.hands.smart(held) => after,
                    // The last checkpoint brings it back here in no time.
                    () = self.means.stop.asked() => {
                        self.set_phase(Phase::SmartAfter, PhaseStatus::Pending, 0.0);
                        return self.park().await;
                    }
                };
            }
            let status = if after.is_ok() {
                PhaseStatus::Done
            } else {
                PhaseStatus::Skipped
            };
            if let Err(why) = &after {
                self.log("warn", format!("SMART after could not be read: {why}"));
            }
            self.set_phase(Phase::SmartAfter, status, began.elapsed().as_secs_f64());
        }
        verdict::conclude(
            &mut self.record,
            &evidence,
            after.as_ref().ok(),
            self.abort_by.is_some(),
            Time::now(),
        );
        let job = self.record.job.clone();
        let outcome = job.verdict.as_ref().map_or("", |verdict| verdict.outcome.word());
        info!(job = %job.id, outcome, "job ended");
        self.log("info", events::ended(&job).event.message);
        let (id, told) = (job.id, vec![events::ended(&job)]);
        // Nobody is told PASSED before it is on the medium, nor of the event before the job's last state.
        let hold = self.means.outbox.hold();
        let written = self.means.jobs.finish(&mut self.record, &told).await;
        self.means.outbox.job(job);
        drop(hold);
        match written {
            Ok(gone) => self.means.outbox.forget_jobs(&gone),
            Err(cause) => {
                error!(job = %id, error = %cause, "the end of a job was not written down");
                self.means.outbox.tell_once(told);
            }
        }
        id
    }

    /// The agent stops: the record says that it stopped in order.
    pub(super) async fn park(mut self) -> JobId {
        self.record.parked = true;
        for state in &mut self.record.job.phases {
            if state.status == PhaseStatus::Running {
                state.status = PhaseStatus::Interrupted;
            }
        }
        self.set_state(JobState::Waiting {
            why: "the agent stops".to_owned(),
        });
        let checkpoint = self.checkpoint.take();
        if let Err(cause) = self.means.jobs.save(&mut self.record, checkpoint.as_deref(), &[]).await {
            error!(job = %self.record.job.id, error = %cause, "a parked job was not written down");
        }
        self.record.job.id
    }
}

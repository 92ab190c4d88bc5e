//! The end of a job: what is left to do on the drive, verdict, certificate, last state; or, where only the agent ends, a
//! parked job.

use burnin::Evidence;
use burnin::evidence::Stop as Stopped;
use burnin::job::{Left, Mark};
use tracing::{error, info, warn};
use wire::job::{JobState, Outcome, Phase, PhaseStatus};
use wire::{JobId, Time};

use super::doubt::{First, Since};
use super::{JobTask, Own};
use crate::ends;
use crate::events;
use crate::hands::Held;
use crate::jobs::Ended;
use crate::verdict;

impl JobTask {
    /// Verdict and end. `held` is the drive if it is still there to be asked.
    pub(super) async fn conclude(mut self: Box<Self>, evidence: Option<Box<Evidence>>, held: Option<Held>) -> JobId {
        self.means.fail_if_asked("before a verdict");
        let mut evidence = evidence.unwrap_or_else(|| self.all_evidence());
        let held = match held {
            // That may be why the engine failed: what another drive tells is nobody's verdict.
            Some(held) if matches!(evidence.stopped, Some(Stopped::Engine { .. })) && self.is_another(&held).await => {
                None
            }
            held => held,
        };
        if let Some(held) = &held {
            let left = match self.abort_by {
                None => Left::of(evidence.stopped.as_ref()),
                Some(_) => Left::SmartAfter,
            };
            let own = match left {
                Left::All => self.own_steps(held, self.record.behind_all()).await,
                Left::SmartAfter => self.smart_after(held).await,
                Left::Nothing => Own::Done,
            };
            match own {
                Own::Done | Own::Aborted => {}
                // The last checkpoint brings it back here in no time.
                Own::Parked => return self.park().await,
                Own::Gone => evidence.end_by(Stopped::Disconnected),
                Own::Stranger => {
                    let why = self.stranger.take().unwrap_or_default();
                    evidence.end_by(Stopped::Stranger { why });
                }
            }
        }
        let peers = self.means.jobs.peers(verdict::model(&self.record), &self.record);
        let peers = peers.unwrap_or_else(|cause| {
            warn!(error = %cause, "other drives of this model cannot be compared with");
            Vec::new()
        });
        // Of a drive that is bad anyway nobody has to ask whether it is still there, nor what is to be done to it.
        let so_far = verdict::judged(&self.record, &evidence, &peers, Time::now());
        let good = matches!(so_far, Outcome::Passed | Outcome::Warn);
        let mut refused = None;
        if let Some(held) = held
            .as_ref()
            .filter(|_| good && evidence.stopped.is_none() && self.abort_by.is_none())
        {
            match self.still_ours(held, &mut evidence).await {
                Since::Ours => {}
                // Its test had come to its end: that it is not formatted is all that is missing.
                Since::Ended(First::Aborted) => {
                    let actor = self.abort_by.as_deref().unwrap_or("a person");
                    refused = Some(match self.record.formatting {
                        true => format!("aborted by {actor}, and begun before: the drive is to be formatted anew"),
                        false => format!("aborted by {actor} before it was begun"),
                    });
                }
                Since::Ended(First::Parked) => return self.park().await,
                Since::Ended(First::Gone) => evidence.stopped = Some(Stopped::Disconnected),
                Since::Refused(why) => refused = Some(why),
                // Another one that came meanwhile is not called formatted, nor tested.
                Since::Another(why) => {
                    self.log("error", format!("The drive was exchanged: {why}"));
                    evidence.stopped = Some(Stopped::Engine { why });
                }
            }
        }
        // One that was found not to answer is not waited for once more.
        if let Some(why) = &evidence.held {
            warn!(job = %self.record.job.id, "the mark of the end is not written: {why}");
        } else if let (Some(held), true) = (&held, self.record.erases()) {
            let mark = Mark::of(&evidence, self.is_aborted());
            let kept = mark == Mark::OnceKept && self.is_written_down().await;
            if mark.is_due(kept) {
                self.retire(held).await;
            }
        }
        if let Some(held) = held {
            // By what was met at the last look, too.
            let so_far = verdict::judged(&self.record, &evidence, &peers, Time::now());
            let good = matches!(so_far, Outcome::Passed | Outcome::Warn);
            let is_tested = evidence.stopped.is_none() && (self.abort_by.is_none() || refused.is_some());
            let good = good && is_tested;
            if self.format(held, good, refused).await == Own::Parked {
                return self.park().await;
            }
        }
        self.turn = None;
        self.means.fail_if_asked("before the end");
        self.hear_the_last();
        // The test of a drive whose format a person ended had come to its end.
        let made = self.record.job.formatted.as_ref();
        let is_cut = made.is_some_and(|made| made.problem.is_some());
        if let Some(actor) = self.abort_by.as_ref().filter(|_| !is_cut) {
            evidence.end_by(Stopped::Asked {
                why: format!("aborted by {actor}"),
            });
        }
        let now = Time::now();
        let peer = verdict::conclude(&mut self.record, &evidence, &peers, self.abort_by.is_some(), now);
        let signed = self.means.notary.certify(&self.record.job, now);
        let (info, certificate) = signed.map_or((None, None), |(info, text)| (Some(info), Some(text)));
        self.record.job.certificate = info;
        let job = self.record.job.clone();
        let outcome = job.verdict.as_ref().map_or("", |verdict| verdict.outcome.word());
        info!(job = %job.id, outcome, "job ended");
        self.log("info", events::ended(&job).event.message);
        let end = Ended {
            told: vec![events::ended(&job)],
            certificate,
            peer,
            late: false,
        };
        ends::end(&self.means.jobs, &self.means.outbox, self.record, end).await;
        job.id
    }

    /// SMART after, where it is due, and no other step.
    async fn smart_after(&mut self, held: &Held) -> Own {
        let mut states = (0_u16..).zip(&self.record.job.phases);
        let due = states.find(|(_, state)| state.phase == Phase::SmartAfter && state.status == PhaseStatus::Pending);
        match due.map(|(step, _)| step) {
            Some(step) => self.smart(held, step, Phase::SmartAfter).await,
            None => Own::Done,
        }
    }

    /// The agent stops: the record says that it stopped in order.
    pub(super) async fn park(mut self: Box<Self>) -> JobId {
        self.record.parked = true;
        for state in &mut self.record.job.phases {
            if state.status == PhaseStatus::Running {
                state.status = PhaseStatus::Interrupted;
            }
        }
        self.record.job.state = match &self.record.paused {
            Some(_) => self.waits(),
            None => JobState::Waiting {
                why: "the agent stops".to_owned(),
            },
        };
        self.means.outbox.job(self.record.job.clone());
        self.is_written_down().await;
        self.record.job.id
    }

    /// Writes down all that is known of the job; whether that stands on the medium.
    async fn is_written_down(&mut self) -> bool {
        let checkpoint = self.checkpoint.as_deref();
        let written = self.means.jobs.save(&mut self.record, checkpoint, &[]).await;
        if let Err(cause) = &written {
            error!(job = %self.record.job.id, error = %cause, "a job was not written down");
        }
        written.is_ok()
    }
}

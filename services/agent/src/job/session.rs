//! One worker, from its start to its end.

use std::time::Duration;

use burnin::Evidence;
use burnin::evidence::Stop as Stopped;
use burnin::findings::fails;
use burnin::header::Note;
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use drive::guard::Place;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};
use tracing::info;
use wire::{Bytes, Time};

use super::course::{Course, Reason, SILENCE, STOPPING};
use super::doubt::{DOUBT, DOUBTED};
use super::hold::{Holds, LOOK};
use super::{JobTask, Own, Session, Wish};
use crate::hands::{Hands, Held};
use crate::worker::Worker;

/// Time for a worker that has said all to end.
const ENDING: Duration = Duration::from_secs(5);

impl JobTask {
    fn order(&mut self, held: &Held) -> Order {
        let resume = self.checkpoint.as_ref().map(|text| Resumption {
            checkpoint: text.clone(),
            why: self.why.clone().unwrap_or_else(|| "worker ended".to_owned()),
            at: Time::now(),
        });
        let limits = Limits {
            checkpoint_in_ms: Some(self.means.pacer.until_checkpoints(self.means.limits.checkpoint_s)),
            stop_at_first: self.record.job.options.stop_at_first,
            ..self.means.limits
        };
        let job = &self.record.job;
        // A drive that is only read keeps nothing of the job.
        let header = self.record.erases().then(|| Note {
            job: job.id.to_string(),
            drive: job.drive.clone(),
            playbook: job.playbook.clone(),
            options: job.options.clone(),
            started: job.started,
            baseline: self
                .record
                .smart_before
                .as_ref()
                .and_then(|smart| serde_json::to_string(smart).ok()),
            front: self.record.front,
        });
        Order {
            key: self.record.key,
            geometry: self.record.geometry,
            steps: self.record.steps.clone(),
            header,
            limits,
            io: Io::for_drive(held.identity.bus, self.record.rotation),
            resume,
            failed_before: fails(&self.record.findings_before_loss),
            pace: self.share.as_ref().and_then(crate::pacing::Share::rate),
            medium: Hands::counted(held).filter(|_| self.record.erases()),
        }
    }

    /// One worker, from its start to its end.
    pub(super) async fn session(&mut self, held: &Held) -> Session {
        let order = self.order(held);
        if let Some(before) = &self.record.smart_before {
            self.means.hands.recall(held, before);
        }
        let why = self.why.take();
        let mut worker = match Worker::start(self.record.job.id, &held.file, order).await {
            Ok(worker) => worker,
            Err(error) => {
                sleep(Duration::from_secs(1)).await;
                return Session::Crashed(format!("worker could not be started: {error}"));
            }
        };
        info!(job = %self.record.job.id, pid = worker.pid(), "worker started");
        self.settled = false;
        let mut course = Course::new(self.heat_limits(), held.identity.bus);
        self.mind_pause(&mut course.holds, &mut worker).await;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = course.ends();
            tokio::select! {
                report = worker.report() => match report {
                    Some(Report::Done { evidence }) => return self.done(held, &course, worker, evidence).await,
                    Some(Report::Yield { step }) if !asked => {
                        self.between(held, step, &mut course, &mut worker).await;
                    }
                    Some(report) => self.hear(held, report, why.as_deref(), &mut course, &mut worker).await,
                    None => {
                        let word = worker.end(ENDING).await;
                        return self.without_evidence(course.reason, word);
                    }
                },
                wish = self.wishes.recv(), if !asked => self.heed(held, wish, &mut course, &mut worker).await,
                () = self.means.stop.asked(), if !asked => {
                    worker.stop("the agent stops").await;
                    course.end(Reason::Stop);
                }
                changed = self.means.drives.changed(), if !asked => {
                    if changed.is_ok() && self.is_gone(held) {
                        self.log("warn", "The drive is gone".to_owned());
                        course.lose();
                    } else {
                        self.mind_drive(held, false, &mut course, &mut worker).await;
                    }
                }
                rate = next_rate(&mut self.share), if !asked => worker.pace(rate).await,
                _ = look.tick(), if !asked => {
                    let reset = self.note_resets(false).await;
                    if self.mind_drive(held, reset, &mut course, &mut worker).await {
                        continue;
                    }
                    // A worker that is held has nothing to say.
                    if !reset && course.holds.any() {
                        let temperature = self.newest_temperature(&course.holds);
                        self.sample(Bytes(0), temperature);
                    }
                    if reset || course.holds.any() {
                        course.live();
                    }
                }
                () = sleep_until(course.until) => {
                    let word = worker.end(Duration::ZERO).await;
                    let word = match course.ends() {
                        true => word,
                        false => format!("worker said nothing for {} s; {word}", SILENCE.as_secs()),
                    };
                    return self.held_at_end(course.reason, word);
                }
            }
        }
    }

    /// The agent's own steps between two of the worker's, which waits meanwhile.
    async fn between(&mut self, held: &Held, step: u16, course: &mut Course, worker: &mut Worker) {
        self.rests(true);
        let reason = match self.own_steps(held, step).await {
            Own::Done => self.doubt(held).await,
            Own::Parked => Some(Reason::Stop),
            Own::Aborted => Some(Reason::Abort),
            Own::Gone => Some(Reason::Gone),
            Own::Stranger => Some(Reason::Stranger),
        };
        // Held first, where a person paused it meanwhile.
        if reason.is_none() {
            self.mind_pause(&mut course.holds, worker).await;
            worker.go(step).await;
            course.live();
        } else {
            worker.stop("it is not to go on").await;
            course.end_if(reason);
        }
    }

    /// Heeds what a person wishes; the controller, which passes it on, is gone only when the agent stops.
    async fn heed(&mut self, held: &Held, wish: Option<Wish>, course: &mut Course, worker: &mut Worker) {
        let Some(wish) = wish else {
            worker.stop("the agent stops").await;
            return course.end(Reason::Stop);
        };
        if let Wish::Abort(actor) = wish {
            worker.stop(&format!("aborted by {actor}")).await;
            self.aborted(actor);
            return course.end(Reason::Abort);
        }
        if !self.wish(&wish) {
            return;
        }
        let doubt = match wish {
            // A pause is when a person exchanges a drive.
            Wish::Resume(_) => self.doubt(held).await,
            Wish::Pause(_) | Wish::Abort(_) => None,
        };
        if doubt.is_some() {
            worker.stop(DOUBT).await;
            course.end_if(doubt);
        } else {
            self.mind_pause(&mut course.holds, worker).await;
            course.live();
        }
    }

    /// Looks whose drive it is, and how hot; whether its worker was asked to end for it.
    async fn mind_drive(&mut self, held: &Held, reset: bool, course: &mut Course, worker: &mut Worker) -> bool {
        let doubt = self.whose(held, reset, &course.holds, worker).await;
        if course.end_if(doubt) {
            return true;
        }
        let hot = self.mind_heat(held, &mut course.heat, &mut course.holds, worker).await;
        course.end_if(hot)
    }

    /// Asks whose drive it is where it was `reset` or counted anew; the worker waits meanwhile, since until that is known nothing more
    /// is written. Why it must not go on: it is told to end then.
    pub(super) async fn whose(
        &mut self,
        held: &Held,
        reset: bool,
        holds: &Holds,
        worker: &mut Worker,
    ) -> Option<Reason> {
        if !reset && Hands::place(held) == Place::Same {
            return None;
        }
        worker.hold(DOUBTED).await;
        let doubt = self.doubt(held).await;
        match doubt {
            Some(_) => worker.stop(DOUBT).await,
            None => {
                if let Some(count) = Hands::counted(held) {
                    worker.medium(count).await;
                }
                self.apply_holds(holds, worker).await;
            }
        }
        doubt
    }

    /// How a session ended whose worker gave its evidence.
    async fn done(&mut self, held: &Held, course: &Course, worker: Worker, evidence: Box<Evidence>) -> Session {
        let reason = course.reason;
        let exchanged = match reason {
            Reason::None => {
                (self.note_resets(true).await || Hands::place(held) != Place::Same) && self.is_another(held).await
            }
            Reason::Doubt | Reason::Gone | Reason::Stranger => match course.strange {
                Some(strange) => strange,
                None => self.is_another(held).await,
            },
            Reason::Stop | Reason::Abort | Reason::Hot => false,
        };
        if exchanged {
            let word = worker.end(ENDING).await;
            info!(job = %self.record.job.id, word, "worker done, with another drive");
            return match Hands::place(held) {
                Place::Same if reason == Reason::Stranger => self.without_evidence(reason, word),
                Place::Same => self.without_evidence(Reason::Doubt, word),
                Place::Recounted | Place::Another | Place::Empty => Session::Gone(None),
            };
        }
        self.take(
            &Report::Done {
                evidence: evidence.clone(),
            },
            None,
            self.temperature(),
        );
        let word = worker.end(ENDING).await;
        info!(job = %self.record.job.id, word, stopped = ?evidence.stopped, "worker done");
        match (reason, &evidence.stopped) {
            (Reason::Stop, Some(Stopped::Asked { .. })) => Session::Parked,
            (Reason::Abort, _) => Session::Aborted(Some(evidence)),
            (Reason::Gone, _) => Session::Gone(Some(evidence)),
            (Reason::Stranger, _) => self.with_a_stranger(evidence),
            // What it read last may be another drive's: it had come to its end, or to a fault, before it heard of the doubt.
            (Reason::Doubt, Some(Stopped::Asked { .. } | Stopped::FirstFault)) => Session::Crashed(DOUBT.to_owned()),
            (Reason::Doubt, None) if self.checkpoint.is_some() => Session::Crashed(DOUBT.to_owned()),
            (Reason::Doubt, None) => {
                let why = DOUBT.to_owned();
                Session::Done(Box::new(Evidence {
                    stopped: Some(Stopped::Engine { why }),
                    ..*evidence
                }))
            }
            (Reason::None | Reason::Stop | Reason::Hot | Reason::Doubt, _) => Session::Done(evidence),
        }
    }

    /// How a session ended whose worker had to be killed: of an end that a person or the heat asked for it is told that the drive held
    /// an access.
    fn held_at_end(&mut self, reason: Reason, word: String) -> Session {
        let held = format!(
            "an access had not come back {} s after the job was ended",
            STOPPING.as_secs()
        );
        let mut session = self.without_evidence(reason, word);
        match &mut session {
            Session::Aborted(evidence) => evidence.get_or_insert_with(|| self.all_evidence()).held = Some(held),
            Session::Done(evidence) => evidence.held = Some(held),
            Session::Gone(_) | Session::Parked | Session::Crashed(_) | Session::Refused(_) => {}
        }
        session
    }

    /// How a session ended whose worker gave no evidence.
    fn without_evidence(&mut self, reason: Reason, word: String) -> Session {
        match reason {
            Reason::None => Session::Crashed(word),
            Reason::Doubt => Session::Crashed(DOUBT.to_owned()),
            Reason::Stop => Session::Parked,
            Reason::Abort => Session::Aborted(None),
            Reason::Gone => Session::Gone(None),
            Reason::Stranger => {
                let evidence = self.all_evidence();
                self.with_a_stranger(evidence)
            }
            Reason::Hot => {
                let mut evidence = self.all_evidence();
                evidence.stopped = Some(Stopped::Asked {
                    why: "too hot".to_owned(),
                });
                Session::Done(evidence)
            }
        }
    }

    /// How a session ended in which another drive answered.
    fn with_a_stranger(&mut self, mut evidence: Box<Evidence>) -> Session {
        let why = self.stranger.take().unwrap_or_default();
        evidence.end_by(Stopped::Engine { why });
        Session::Refused(evidence)
    }
}

/// The share's next rate; never resolves without a share.
async fn next_rate(share: &mut Option<crate::pacing::Share>) -> Option<u64> {
    match share {
        Some(share) => share.changed().await,
        None => std::future::pending().await,
    }
}

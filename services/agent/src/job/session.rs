//! One worker, from its start to its end, and what its reports set going.

use std::time::Duration;

use burnin::Evidence;
use burnin::evidence::Stop as Stopped;
use burnin::header::Note;
use burnin::heat::Heat;
use burnin::timeline;
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use drive::guard::Place;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tracing::info;
use wire::{Bytes, Time};

use super::doubt::{DOUBT, DOUBTED};
use super::hold::{Holds, LOOK};
use super::{JobTask, Own, Session, Wish};
use crate::events;
use crate::hands::{Hands, Held};
use crate::worker::Worker;

/// Time for a worker to take a checkpoint and end when asked. It waits ten seconds for a read or write, and longer for a flush.
const STOPPING: Duration = Duration::from_secs(20);

/// Time for a worker to end by itself after its drive is gone.
const DISCONNECTING: Duration = Duration::from_secs(10);

/// Checkpoint of a session by which its headers are on the drive for certain: one that goes on takes its first before it writes.
const SETTLED: u32 = 2;

/// A worker that says nothing for this long hangs; its own limit for one access is four minutes.
const SILENCE: Duration = Duration::from_mins(10);

/// Why a worker was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    None,
    Stop,
    Abort,
    Gone,
    Hot,
    Stranger,
    /// Another drive may be in its place: the worker goes on only after it has proved the drive by what it wrote.
    Doubt,
}

impl JobTask {
    fn order(&mut self, held: &Held) -> Order {
        let resume = self.checkpoint.as_ref().map(|text| Resumption {
            checkpoint: text.clone(),
            why: self.why.clone().unwrap_or_else(|| "worker ended".to_owned()),
            at: Time::now(),
        });
        let limits = Limits {
            checkpoint_in_ms: Some(self.means.pacer.until_checkpoints(self.means.limits.checkpoint_s)),
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
        });
        Order {
            key: self.record.key,
            geometry: self.record.geometry,
            steps: self.record.steps.clone(),
            header,
            limits,
            io: Io::for_drive(held.identity.bus, self.record.rotation),
            resume,
            pace: self.share.as_ref().and_then(crate::pacing::Share::rate),
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
        let mut reason = Reason::None;
        // Whether another drive is in its place, once that was asked: what the worker saw of that counts for nothing.
        let mut strange = None;
        let mut until = Instant::now() + SILENCE;
        self.settled = false;
        let mut checkpoints = 0_u32;
        let (mut heat, mut holds) = (Heat::new(self.heat_limits()), Holds::of(held.identity.bus));
        self.mind_pause(&mut holds, &mut worker).await;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = reason != Reason::None;
            tokio::select! {
                report = worker.report() => match report {
                    Some(Report::Done { evidence }) => {
                        let exchanged = match reason {
                            Reason::None => {
                                (self.note_resets(true).await || Hands::place(held) != Place::Same)
                                    && self.is_another(held).await
                            }
                            Reason::Doubt | Reason::Gone | Reason::Stranger => match strange {
                                Some(strange) => strange,
                                None => self.is_another(held).await,
                            },
                            Reason::Stop | Reason::Abort | Reason::Hot => false,
                        };
                        if exchanged {
                            let word = worker.end(Duration::from_secs(5)).await;
                            info!(job = %self.record.job.id, word, "worker done, with another drive");
                            return match Hands::place(held) {
                                Place::Same if reason == Reason::Stranger => self.without_evidence(reason, word),
                                Place::Same => self.without_evidence(Reason::Doubt, word),
                                Place::Recounted | Place::Another | Place::Empty => Session::Gone(None),
                            };
                        }
                        self.take(&Report::Done { evidence: evidence.clone() }, None);
                        let word = worker.end(Duration::from_secs(5)).await;
                        info!(job = %self.record.job.id, word, stopped = ?evidence.stopped, "worker done");
                        return match (reason, &evidence.stopped) {
                            (Reason::Stop, Some(Stopped::Asked { .. })) => Session::Parked,
                            (Reason::Abort, _) => Session::Aborted(Some(evidence)),
                            (Reason::Gone, _) => Session::Gone(Some(evidence)),
                            (Reason::Stranger, _) => self.with_a_stranger(evidence),
                            (Reason::Doubt, Some(Stopped::Asked { .. })) => Session::Crashed(DOUBT.to_owned()),
                            // It had come to its end before it heard of the doubt: what it read last may be another drive's.
                            (Reason::Doubt, None) if self.checkpoint.is_some() => Session::Crashed(DOUBT.to_owned()),
                            (Reason::Doubt, None) => {
                                let why = DOUBT.to_owned();
                                Session::Done(Box::new(Evidence { stopped: Some(Stopped::Engine { why }), ..*evidence }))
                            }
                            (Reason::None | Reason::Stop | Reason::Hot | Reason::Doubt, _) => Session::Done(evidence),
                        };
                    }
                    Some(Report::Yield { step }) if !asked => {
                        self.rests(true);
                        let asks = match self.own_steps(held, step).await {
                            Own::Done => self.doubt(held).await,
                            Own::Parked => Some(Reason::Stop),
                            Own::Aborted => Some(Reason::Abort),
                            Own::Gone => Some(Reason::Gone),
                            Own::Stranger => Some(Reason::Stranger),
                        };
                        match asks {
                            // Held first, where a person paused it meanwhile.
                            None => {
                                self.mind_pause(&mut holds, &mut worker).await;
                                worker.go(step).await;
                            }
                            Some(asks) => {
                                worker.stop("it is not to go on").await;
                                reason = asks;
                            }
                        }
                        until = Instant::now() + if asks.is_none() { SILENCE } else { STOPPING };
                    }
                    Some(report) => {
                        if matches!(report, Report::Checkpoint { .. } | Report::Findings { .. }) {
                            // The kernel tells a reset before anything is read behind it.
                            if !asked {
                                if self.note_resets(true).await {
                                    reason = self.whose(held, true, &holds, &mut worker).await.unwrap_or(reason);
                                } else if Hands::place(held) != Place::Same && self.is_another(held).await {
                                    worker.stop(DOUBT).await;
                                    (reason, strange) = (Reason::Gone, Some(true));
                                }
                                if reason != Reason::None {
                                    until = Instant::now() + STOPPING;
                                }
                            }
                            if strange.is_none() && matches!(reason, Reason::Doubt | Reason::Gone | Reason::Stranger) {
                                strange = Some(self.is_another(held).await);
                                // A sick drive takes its time to answer, in which its worker has said all.
                                until = Instant::now() + STOPPING;
                            }
                            if strange == Some(true) {
                                continue;
                            }
                        }
                        self.take(&report, why.as_deref());
                        if matches!(report, Report::Started { .. }) {
                            // Its worker found it to be the job's, by more than a constant.
                            if !self.rests_on_a_constant() {
                                self.record.medium = Some(self.medium(held));
                            }
                        }
                        if matches!(report, Report::Started { .. }) && holds.any() {
                            // It may have been too hot before its worker's first word.
                            self.mind_pause(&mut holds, &mut worker).await;
                        }
                        checkpoints += u32::from(matches!(report, Report::Checkpoint { .. }));
                        if checkpoints == SETTLED {
                            self.settled |= Hands::place(held) == Place::Same;
                        }
                        if reason == Reason::None {
                            until = Instant::now() + SILENCE;
                            if self.record.doubted
                                && self.record.saved
                                && let Some(doubt) = self.whose(held, true, &holds, &mut worker).await
                            {
                                reason = doubt;
                                until = Instant::now() + STOPPING;
                            }
                        }
                    }
                    None => {
                        let word = worker.end(Duration::from_secs(5)).await;
                        return self.without_evidence(reason, word);
                    }
                },
                wish = self.wishes.recv(), if !asked => match wish {
                    Some(Wish::Abort(actor)) => {
                        worker.stop(&format!("aborted by {actor}")).await;
                        self.aborted(actor);
                        reason = Reason::Abort;
                        until = Instant::now() + STOPPING;
                    }
                    Some(wish) => if self.wish(&wish) {
                        let doubt = match wish {
                            // A pause is when a person exchanges a drive.
                            Wish::Resume(_) => self.doubt(held).await,
                            Wish::Pause(_) | Wish::Abort(_) => None,
                        };
                        match doubt {
                            None => {
                                self.mind_pause(&mut holds, &mut worker).await;
                                until = Instant::now() + SILENCE;
                            }
                            Some(doubt) => {
                                worker.stop(DOUBT).await;
                                reason = doubt;
                                until = Instant::now() + STOPPING;
                            }
                        }
                    },
                    // The controller is gone only when the agent stops.
                    None => {
                        worker.stop("the agent stops").await;
                        reason = Reason::Stop;
                        until = Instant::now() + STOPPING;
                    }
                },
                () = self.means.stop.asked(), if !asked => {
                    worker.stop("the agent stops").await;
                    reason = Reason::Stop;
                    until = Instant::now() + STOPPING;
                }
                changed = self.means.drives.changed(), if !asked => {
                    if changed.is_ok() && self.is_gone(held) {
                        // Its accesses fail at once, as a rule, and it ends by itself with what it knows.
                        self.log("warn", "The drive is gone".to_owned());
                        reason = Reason::Gone;
                        until = Instant::now() + DISCONNECTING;
                    } else if let Some(doubt) = self.whose(held, false, &holds, &mut worker).await {
                        reason = doubt;
                        until = Instant::now() + STOPPING;
                    } else if let Some(hot) = self.mind_heat(held, &mut heat, &mut holds, &mut worker).await {
                        reason = hot;
                        until = Instant::now() + STOPPING;
                    }
                }
                rate = next_rate(&mut self.share), if !asked => worker.pace(rate).await,
                _ = look.tick(), if !asked => {
                    let reset = self.note_resets(false).await;
                    if let Some(doubt) = self.whose(held, reset, &holds, &mut worker).await {
                        reason = doubt;
                        until = Instant::now() + STOPPING;
                    } else if let Some(hot) = self.mind_heat(held, &mut heat, &mut holds, &mut worker).await {
                        reason = hot;
                        until = Instant::now() + STOPPING;
                    } else if reset {
                        until = Instant::now() + SILENCE;
                    } else if holds.any() {
                        self.sample(Bytes(0));
                        // A worker that is held has nothing to say.
                        until = Instant::now() + SILENCE;
                    }
                }
                () = sleep_until(until) => {
                    let word = worker.end(Duration::ZERO).await;
                    let word = match reason {
                        Reason::None => format!("worker said nothing for {} s; {word}", SILENCE.as_secs()),
                        Reason::Stop
                        | Reason::Abort
                        | Reason::Gone
                        | Reason::Hot
                        | Reason::Stranger
                        | Reason::Doubt => word,
                    };
                    return self.held_at_end(reason, word);
                }
            }
        }
    }

    /// Asks whose drive it is where it was `reset` or counted anew; the worker waits meanwhile, since until that is known nothing more
    /// is written. Why it must not go on: it is told to end then.
    async fn whose(&mut self, held: &Held, reset: bool, holds: &Holds, worker: &mut Worker) -> Option<Reason> {
        if !reset && Hands::place(held) == Place::Same {
            return None;
        }
        worker.hold(DOUBTED).await;
        let doubt = self.doubt(held).await;
        match doubt {
            Some(_) => worker.stop(DOUBT).await,
            None => self.apply_holds(holds, worker).await,
        }
        doubt
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

    /// A point of the time line, where one is due.
    fn sample(&mut self, rate: Bytes) {
        let Some(step) = self.record.job.progress.as_ref().map(|progress| progress.step) else {
            return;
        };
        let temperature = self.temperature();
        let point = self.record.point(step, rate, temperature);
        if timeline::sample(&mut self.record.job.timeline, point) {
            self.means.jobs.sample(&self.record);
        }
    }

    /// Takes one report, keeps and tells what it means.
    fn take(&mut self, report: &Report, why: Option<&str>) {
        let temperature = self.temperature();
        // The first checkpoint and that there is one stand in one commit.
        let first = !self.record.saved;
        let effects = self.record.apply(report, why, temperature, Time::now());
        if let Report::Progress(progress) = report {
            if let Some(share) = &self.share {
                self.record.shared |= share.measured(progress.rate.0);
            }
            self.sample(progress.rate);
        }
        if let Some(line) = effects.log {
            self.log("info", line);
        }
        if let Some(progress) = effects.progress {
            self.means.outbox.progress(self.record.job.id, progress);
        }
        let mut told = Vec::new();
        if let Some(resume) = effects.resumed {
            self.log(
                "info",
                format!(
                    "Going on in phase {} at {} after: {}",
                    resume.phase.label(),
                    resume.from,
                    resume.why
                ),
            );
            told.push(events::resumed(&self.record.job, &resume));
        }
        if let Some(phase) = effects.finished {
            told.push(events::phase_finished(&self.record.job, &phase));
        }
        if let (Report::Checkpoint { text, waits }, true) = (report, told.is_empty() && !first) {
            self.means.outbox.job(self.record.job.clone());
            self.means.jobs.save_checkpoint(&mut self.record, text, *waits).forget();
        } else if effects.checkpoint.is_some() || effects.changed || !told.is_empty() {
            self.keep(effects.checkpoint.as_deref(), told);
        }
        if effects.checkpoint.is_some() {
            self.checkpoint = effects.checkpoint;
            self.means.fail_if_asked("behind a checkpoint");
        }
    }
}

/// The share's next rate; never resolves without a share.
async fn next_rate(share: &mut Option<crate::pacing::Share>) -> Option<u64> {
    match share {
        Some(share) => share.changed().await,
        None => std::future::pending().await,
    }
}

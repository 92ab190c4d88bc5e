//! A self-test of the drive's own: started, followed to its end, judged by its own entry in the drive's log.
//!
//! It goes on in the drive while the agent is restarted, and is then followed on. One that was cut short meanwhile (a
//! power cut ends it) is started anew: once for each interruption.

use std::time::Duration;

use drive::selftest::{Kind, NotStarted, Step};
use tokio::time::{Instant, sleep_until};
use tracing::info;
use wire::job::{Phase, PhaseStatus, Progress, SelfTest, SelfTestOutcome};
use wire::{Bytes, Time};

use super::{JobTask, Own, Wish};
use crate::hands::Held;
use crate::record::{SelfTestUnderWay, progress_frame};

/// How often a drive is asked that runs another self-test.
const BUSY: Duration = Duration::from_secs(10);

/// How long another self-test's end is waited for.
const OTHERS: Duration = Duration::from_secs(24 * 3600);

impl JobTask {
    /// Runs the self-test that is this step, or goes on following it.
    pub(super) async fn self_test(&mut self, held: &Held, step: u16, kind: Kind) -> Own {
        let began = Instant::now();
        let phase = kind.phase();
        let before = self.record.step_mut(step).map_or(0.0, |state| state.seconds);
        self.set_step(step, PhaseStatus::Running, before);
        let mut taken_up = self.record.self_test.as_ref().is_some_and(|test| test.step == step);
        loop {
            let mut test = match self.record.self_test.clone().filter(|test| test.step == step) {
                Some(test) => test,
                None => match self.means.hands.start_self_test(held, kind).await {
                    Ok(running) => {
                        let since = Time::now();
                        let test = SelfTestUnderWay { step, running, since };
                        self.record.self_test = Some(test.clone());
                        self.keep(None, Vec::new());
                        test
                    }
                    // Maybe our own, started a moment before the agent was killed; its end is waited for, then comes ours.
                    Err(NotStarted::Busy { remaining }) if began.elapsed() < OTHERS => {
                        self.log(
                            "info",
                            format!("Another self-test runs on the drive ({remaining} % left); waiting for its end"),
                        );
                        match self.rest(Instant::now() + BUSY, held).await {
                            Ok(()) => continue,
                            Err(Own::Parked) => return Own::Parked,
                            Err(other) => {
                                self.set_step(step, PhaseStatus::Interrupted, before + began.elapsed().as_secs_f64());
                                return other;
                            }
                        }
                    }
                    Err(NotStarted::OtherDrive(why)) => {
                        self.set_step(step, PhaseStatus::Interrupted, before + began.elapsed().as_secs_f64());
                        return self.other_drive(&why);
                    }
                    Err(not) => {
                        self.self_test_ended(step, not.told(kind), before + began.elapsed().as_secs_f64());
                        return Own::Done;
                    }
                },
            };
            info!(job = %self.record.job.id, ?phase, "self-test under way");
            let ended = match self.follow(held, &mut test, phase).await {
                Ok(ended) => ended,
                Err(Own::Parked) => return Own::Parked,
                Err(other) => {
                    let why = match &self.abort_by {
                        Some(actor) => format!("aborted by {actor}"),
                        None => "the drive went away".to_owned(),
                    };
                    self.self_test_ended(
                        step,
                        test.running.ended_by(&why),
                        before + began.elapsed().as_secs_f64(),
                    );
                    return other;
                }
            };
            let cut = matches!(ended.outcome, SelfTestOutcome::Aborted | SelfTestOutcome::Unknown);
            if cut && std::mem::take(&mut taken_up) {
                self.log(
                    "warn",
                    format!(
                        "The {} did not survive the interruption ({}); it is started anew",
                        phase.label(),
                        ended.told
                    ),
                );
                self.record.self_test = None;
                self.keep(None, Vec::new());
                continue;
            }
            self.self_test_ended(step, ended, before + began.elapsed().as_secs_f64());
            return Own::Done;
        }
    }

    /// Looks at a running test until it ends.
    async fn follow(&mut self, held: &Held, test: &mut SelfTestUnderWay, phase: Phase) -> Result<SelfTest, Own> {
        loop {
            let elapsed = seconds_since(test.since);
            let (running, looked) = self
                .means
                .hands
                .poll_self_test(held, test.running.clone(), elapsed)
                .await;
            test.running = running;
            self.record.self_test = Some(test.clone());
            match looked {
                Step::Ended(ended) => return Ok(ended),
                Step::Running { percent } => self.self_test_progress(test, phase, percent, elapsed),
            }
            self.note_resets(false).await;
            self.rest(Instant::now() + test.running.limits.every, held).await?;
        }
    }

    /// Waits until then, and hears meanwhile what ends a self-test.
    async fn rest(&mut self, until: Instant, held: &Held) -> Result<(), Own> {
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                changed = self.means.drives.changed() => {
                    if changed.is_err() {
                        return Err(Own::Parked);
                    }
                    if self.is_gone(held) {
                        self.log("warn", "The drive is gone".to_owned());
                        return Err(Own::Gone);
                    }
                }
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Abort(actor)) => {
                        self.aborted(actor);
                        if self.record.self_test.is_some()
                            && let Err(why) = self.means.hands.abort_self_test(held).await
                        {
                            self.log("warn", format!("The drive did not end its self-test: {why}"));
                        }
                        return Err(Own::Aborted);
                    }
                    Some(wish) => if self.wish(&wish) && self.record.paused.is_some() {
                        self.log("info", "The drive's self-test goes on to its end meanwhile".to_owned());
                    },
                    None => return Err(Own::Parked),
                },
                // It goes on in the drive, and is followed on by the agent's next start.
                () = self.means.stop.asked() => return Err(Own::Parked),
            }
        }
    }

    fn self_test_ended(&mut self, step: u16, ended: SelfTest, seconds: f64) {
        self.record.self_test = None;
        self.log("info", format!("{}: {}", ended.phase.label(), ended.told));
        let status = match ended.outcome {
            SelfTestOutcome::Passed | SelfTestOutcome::Failed => PhaseStatus::Done,
            SelfTestOutcome::Unsupported => PhaseStatus::Skipped,
            SelfTestOutcome::Aborted | SelfTestOutcome::Unknown => PhaseStatus::Interrupted,
        };
        self.record.job.self_tests.push(ended);
        self.set_step(step, status, seconds);
    }

    fn self_test_progress(&mut self, test: &SelfTestUnderWay, phase: Phase, percent: f64, elapsed: Duration) {
        let temperature = self.temperature();
        let progress = Progress {
            phase,
            step: test.step,
            done: Bytes(0),
            total: Bytes(0),
            rate: Bytes(0),
            eta: Some((test.running.limits.announced.as_secs_f64() - elapsed.as_secs_f64()).max(0.0)),
            eta_job: None,
            percent: self.record.job.progress.as_ref().map_or(0.0, |before| before.percent),
            temperature,
            phase_percent: Some(percent),
        };
        crate::record::timeline::sample(&mut self.record.job, test.step, Bytes(0), temperature, Time::now());
        let frame = progress_frame(&self.record.job, &progress);
        self.record.job.progress = Some(progress);
        self.means.outbox.progress(self.record.job.id, frame);
        self.keep(None, Vec::new());
    }
}

/// Wall time since, for a test that goes on while no process of ours runs; a clock that was set back counts as no time.
fn seconds_since(since: Time) -> Duration {
    let seconds = Time::now().as_second().saturating_sub(since.as_second());
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

//! A self-test of the drive's own: started, followed to its end, judged by its own entry in the drive's log.
//!
//! It goes on in the drive while the agent is restarted, and is then followed on. One that was cut short meanwhile (a
//! power cut ends it) is started anew: once for each interruption. It cannot be paused: at the limit of heat it is ended, and
//! started anew when the drive has cooled ([`TestHeat`]).

use std::time::Duration;

use burnin::heat::celsius;
use burnin::job::{TestAct, TestHeat, warmest};
use burnin::timeline;
use drive::selftest::{self, Kind, NotStarted, Step};
use drive::smart::Meanwhile;
use tokio::time::{Instant, sleep_until};
use tracing::info;
use wire::job::{JobState, Phase, PhaseStatus, Progress, SelfTest, SelfTestOutcome};
use wire::{Bytes, Celsius, Time};

use super::hold::LOOK;
use super::{JobTask, Own, Wish};
use crate::events;
use crate::hands::Held;
use crate::record::{SelfTestUnderWay, Spent, progress_frame};
use crate::verdict::head;

/// How a test under way was left.
enum Followed {
    /// It ended, one way or another.
    Ended(SelfTest),
    /// The drive reached this temperature, at which a job pauses.
    Hot(Celsius),
}

/// Whether a drive that was too hot may go on.
enum Cooled {
    Yes,
    /// Why not.
    No(String),
    /// Its self-test was over before it could be ended; the result is told.
    Over,
}

/// A step that is a self-test, from its first start on.
struct Turn {
    step: u16,
    kind: Kind,
    began: Instant,
    /// Seconds that the step took before.
    before: f64,
    heat: TestHeat,
    /// What another's self-test was last said to have left: it is asked for a day and more.
    said: String,
}

impl Turn {
    /// Seconds of the step so far.
    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }
}

impl JobTask {
    /// Runs the self-test that is this step, or goes on following it.
    pub(super) async fn self_test(&mut self, held: &Held, step: u16, kind: Kind) -> Own {
        let mut turn = Turn {
            step,
            kind,
            began: Instant::now(),
            before: self.record.step_mut(step).map_or(0.0, |state| state.seconds),
            heat: TestHeat::new(self.heat_limits()),
            said: String::new(),
        };
        let phase = kind.phase();
        self.set_step(step, PhaseStatus::Running, turn.before);
        let mut taken_up = self.record.self_test.as_ref().is_some_and(|test| test.step == step);
        loop {
            let under_way = self.record.self_test.clone().filter(|test| test.step == step);
            // A test of hours begins in no pause: a person may be about to take the drive out.
            if under_way.is_none() {
                match self.heed_wishes().await {
                    Own::Done => {}
                    ended @ (Own::Parked | Own::Aborted | Own::Gone | Own::Stranger) => return ended,
                }
            }
            let told = self.record.job.self_tests.len();
            let mut test = match under_way {
                Some(test) => test,
                None => match self.start(held, &mut turn).await {
                    Ok(Some(test)) => test,
                    Ok(None) => continue,
                    Err(end) => return end,
                },
            };
            info!(job = %self.record.job.id, ?phase, "self-test under way");
            let ended = match self.follow(held, &mut test, phase, &mut turn.heat).await {
                Ok(Followed::Ended(ended)) => ended,
                Ok(Followed::Hot(at)) => match self.cool(held, &mut turn.heat, at, phase).await {
                    Ok(Cooled::Yes) => {
                        // One that would not end is followed on, and its late end by our order is none of its own.
                        taken_up |= self.record.self_test.is_some();
                        continue;
                    }
                    Ok(Cooled::Over) => return Own::Done,
                    Ok(Cooled::No(why)) => {
                        self.record.too_hot = Some(why.clone());
                        let how = match self.record.self_test {
                            Some(_) => "too hot, and the drive did not end it",
                            None => "ended for heat",
                        };
                        let told = test.running.ended_by(&format!("{how}: {why}"));
                        self.self_test_ended(step, told, turn.seconds());
                        return Own::Done;
                    }
                    Err(Own::Parked) => return Own::Parked,
                    Err(other) if self.record.job.self_tests.len() > told => return other,
                    Err(other) => {
                        let told = test.running.ended_by(&format!("ended for heat at {at}"));
                        self.self_test_ended(step, told, turn.seconds());
                        return other;
                    }
                },
                Err(Own::Parked) => return Own::Parked,
                // Its own result came before the abort.
                Err(other) if self.record.job.self_tests.len() > told => return other,
                Err(other) => {
                    let why = match &self.abort_by {
                        Some(actor) => format!("aborted by {actor}"),
                        None => "the drive went away".to_owned(),
                    };
                    self.self_test_ended(step, test.running.ended_by(&why), turn.seconds());
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
            self.self_test_ended(step, ended, turn.seconds());
            return Own::Done;
        }
    }

    /// Starts the self-test; `None` where it is to be tried again.
    ///
    /// # Errors
    /// How the step ended without one.
    async fn start(&mut self, held: &Held, turn: &mut Turn) -> Result<Option<SelfTestUnderWay>, Own> {
        let (step, kind) = (turn.step, turn.kind);
        match self.means.hands.start_self_test(held, kind).await {
            Ok(running) => {
                let since = Time::now();
                let spent = Spent::default();
                let mut test = SelfTestUnderWay {
                    step,
                    running,
                    since,
                    spent,
                };
                self.spent(&mut test);
                self.record.self_test = Some(test.clone());
                self.keep(None, Vec::new());
                Ok(Some(test))
            }
            Err(not) if let Some(pause) = not.again(turn.began.elapsed()) => {
                let text = not.waits();
                if turn.said != text {
                    self.log("info", text.clone());
                    turn.said = text;
                }
                match self.others(held, &mut turn.heat, pause, kind.phase()).await {
                    Ok(Cooled::Yes | Cooled::Over) => Ok(None),
                    Ok(Cooled::No(why)) => {
                        let told = format!("not started for heat: {why}");
                        self.record.too_hot = Some(why);
                        let told = SelfTest { told, ..not.told(kind) };
                        self.self_test_ended(step, told, turn.seconds());
                        Err(Own::Done)
                    }
                    Err(Own::Parked) => Err(Own::Parked),
                    Err(other) => {
                        self.set_step(step, PhaseStatus::Interrupted, turn.seconds());
                        Err(other)
                    }
                }
            }
            Err(NotStarted::OtherDrive(why)) => {
                self.set_step(step, PhaseStatus::Interrupted, turn.seconds());
                Err(self.other_drive(&why))
            }
            Err(not) => {
                self.self_test_ended(step, not.told(kind), turn.seconds());
                Err(Own::Done)
            }
        }
    }

    /// Looks at a running test until it ends.
    async fn follow(
        &mut self,
        held: &Held,
        test: &mut SelfTestUnderWay,
        phase: Phase,
        heat: &mut TestHeat,
    ) -> Result<Followed, Own> {
        loop {
            let elapsed = self.spent(test);
            let (running, looked) = self
                .means
                .hands
                .poll_self_test(held, test.running.clone(), elapsed)
                .await;
            test.running = running;
            self.record.self_test = Some(test.clone());
            self.note_health(test.running.told());
            let percent = match looked {
                Step::Ended(ended) => return Ok(Followed::Ended(ended)),
                Step::Running { percent } => percent,
            };
            let sensed = self.means.hands.sensed(held).await.ok().flatten();
            let reading = warmest(sensed, &test.running);
            self.self_test_progress(test, phase, percent, elapsed, reading);
            if let Some(TestAct::End { at }) = heat.step(self.heat_time(), reading) {
                return Ok(Followed::Hot(at));
            }
            self.note_resets(false).await;
            self.rest(Instant::now() + test.running.limits.every, held).await?;
        }
    }

    /// How long a self-test has run.
    fn spent(&self, test: &mut SelfTestUnderWay) -> Duration {
        let up = up().unwrap_or_else(|| self.began.elapsed());
        test.spent.look(&self.means.boot_id, up)
    }

    /// The time by which heat is waited out.
    fn heat_time(&self) -> Duration {
        self.began.elapsed() * self.means.heat_clock
    }

    /// Waits a while for the end of another's self-test, or until the drive has cooled that it made too hot.
    async fn others(&mut self, held: &Held, heat: &mut TestHeat, pause: Duration, phase: Phase) -> Result<Cooled, Own> {
        let reading = self.reading(held).await;
        match heat.anothers(self.heat_time(), reading) {
            None => self.rest(Instant::now() + pause, held).await.map(|()| Cooled::Yes),
            Some(at) => {
                let why = heat.words(at, phase);
                self.log("warn", why.clone());
                self.wait_until_cool(held, heat, at, why, None).await
            }
        }
    }

    /// Ends the self-test, and waits until the drive has cooled.
    async fn cool(&mut self, held: &Held, heat: &mut TestHeat, at: Celsius, phase: Phase) -> Result<Cooled, Own> {
        let why = heat.words(at, phase);
        self.log("warn", format!("Ending the self-test at {why}"));
        self.record.was_hot = true;
        let mut said = None;
        if self.tries_to_end(held, &mut said).await {
            return Ok(Cooled::Over);
        }
        self.wait_until_cool(held, heat, at, why, said).await
    }

    /// `said`: why the drive did not end its self-test. It is told to at each look until it does: running it does not cool.
    async fn wait_until_cool(
        &mut self,
        held: &Held,
        heat: &mut TestHeat,
        at: Celsius,
        why: String,
        mut said: Option<String>,
    ) -> Result<Cooled, Own> {
        self.record.was_hot = true;
        let told = vec![events::too_hot(&self.record.job, at, heat.limits().resume)];
        let waits = JobState::Waiting { why };
        self.set_state(waits.clone(), told);
        loop {
            self.rest(Instant::now() + LOOK / self.means.heat_clock.max(1), held)
                .await?;
            // Who let it go on meanwhile did not cool it.
            if self.record.paused.is_none() && self.record.job.state != waits {
                self.set_state(waits.clone(), Vec::new());
            }
            if self.tries_to_end(held, &mut said).await {
                self.set_state(JobState::Running, Vec::new());
                return Ok(Cooled::Over);
            }
            let reading = self.reading(held).await;
            if self.record.paused.is_some() {
                heat.restart_patience(self.heat_time());
            }
            match heat.step(self.heat_time(), reading) {
                Some(TestAct::Again { at }) => {
                    self.log("info", format!("Cooled to {at}"));
                    let told = vec![events::cooled(&self.record.job, at)];
                    self.set_state(JobState::Running, told);
                    return Ok(Cooled::Yes);
                }
                Some(TestAct::GiveUp(why)) => {
                    self.log("error", format!("Giving up the self-test: {why}"));
                    self.set_state(JobState::Running, Vec::new());
                    return Ok(Cooled::No(why));
                }
                Some(TestAct::End { .. }) | None => {}
            }
        }
    }

    /// The temperature of this moment: by the kernel's sensor, else by SMART, which wakes a drive in standby. What the list tells of a
    /// drive without a sensor may be ten minutes old. One whose sensor does not answer is not asked for more: smartctl would hang, too.
    pub(super) async fn reading(&mut self, held: &Held) -> Option<Celsius> {
        let sensed = self.means.hands.sensed(held).await.ok()?;
        if sensed.is_some() {
            return sensed;
        }
        let (told, _) = self.means.hands.smart(held).await.ok()?;
        let mut meanwhile = Meanwhile::default();
        meanwhile.heed(&told);
        self.note_health(meanwhile);
        celsius(told.temperature)
    }

    /// Takes note of what the drive said of its health meanwhile: it may take it back.
    fn note_health(&mut self, told: Meanwhile) {
        let before = self.record.meanwhile;
        self.record.meanwhile.add(told);
        if self.record.meanwhile != before {
            self.log(
                "warn",
                "The drive said that it fails, or gave a critical warning".to_owned(),
            );
            head(&mut self.record);
            let told = self.heading_told(self.record.phase()).into_iter().collect();
            self.keep(None, told);
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
                        self.end_self_test(held).await;
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

    /// Ends the self-test that the drive runs for the job.
    pub(super) async fn end_self_test(&mut self, held: &Held) {
        self.tries_to_end(held, &mut None).await;
    }

    /// The same; whether it was over already, and its result is told now. `said`: why it failed the last time.
    async fn tries_to_end(&mut self, held: &Held, said: &mut Option<String>) -> bool {
        let Some(mut test) = self.record.self_test.clone() else {
            return false;
        };
        if test.running.note_end_ordered() {
            self.record.self_test = Some(test.clone());
            self.keep(None, Vec::new());
        }
        match self.means.hands.abort_self_test(held, &test.running).await {
            Ok(None) => {
                self.record.self_test = None;
                self.keep(None, Vec::new());
                false
            }
            Ok(Some(ended)) => {
                let seconds = self.spent(&mut test).as_secs_f64();
                self.self_test_ended(test.step, ended, seconds);
                true
            }
            Err(why) => {
                if said.as_ref() != Some(&why) {
                    self.log("warn", format!("The drive did not end its self-test: {why}"));
                    *said = Some(why);
                }
                false
            }
        }
    }

    fn self_test_ended(&mut self, step: u16, ended: SelfTest, seconds: f64) {
        self.record.self_test = None;
        self.log("info", format!("{}: {}", ended.phase.label(), ended.told));
        let status = selftest::status(ended.outcome);
        self.record.job.self_tests.push(SelfTest {
            step: Some(step),
            ..ended
        });
        head(&mut self.record);
        self.set_step(step, status, seconds);
    }

    fn self_test_progress(
        &mut self,
        test: &SelfTestUnderWay,
        phase: Phase,
        percent: f64,
        elapsed: Duration,
        reading: Option<Celsius>,
    ) {
        let temperature = reading.or(self.temperature());
        let elapsed = elapsed.as_secs_f64();
        let left = (test.running.limits.announced.as_secs_f64() - elapsed).max(0.0);
        let (eta_job, whole) = self.record.whole().with_test(elapsed, left);
        let progress = Progress {
            phase,
            step: test.step,
            done: Bytes(0),
            total: Bytes(0),
            rate: Bytes(0),
            eta: Some(left),
            eta_job,
            percent: whole,
            temperature,
            phase_percent: Some(percent),
        };
        let point = self.record.point(test.step, Bytes(0), temperature);
        timeline::sample(&mut self.record.job.timeline, point);
        let frame = progress_frame(&self.record.job, &progress);
        self.record.job.progress = Some(progress);
        self.means.outbox.progress(self.record.job.id, frame);
        self.keep(None, Vec::new());
    }
}

/// The kernel's time since the start of this boot. Source: `proc_uptime(5)`, the first field.
fn up() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = told.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

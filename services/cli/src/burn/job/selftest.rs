//! A self-test of the drive's own: started, followed to its end, judged by its own entry in the drive's log. One that grows too
//! hot is ended and starts again when the drive has cooled; the decision is [`TestHeat`]'s.

use std::time::{Duration, Instant};

use burnin::heat::{Limits, celsius};
use burnin::job::{TestAct, TestHeat, warmest};
use drive::child::Failed;
use drive::selftest::{self, Kind, NotStarted, Running, Step};
use drive::smart::Snapshot;
use drive::temperature;
use wire::job::{PhaseStatus, Progress, SelfTest, SelfTestOutcome};
use wire::{Bytes, Celsius};

use super::Job;
use super::own::{LOOK, Own};
use super::watch::Watch;
use crate::burn::screen::Line;

/// How often the temperature of a drive that cools is looked at.
const COOLS: Duration = Duration::from_secs(10);

/// How a self-test was left.
enum Followed {
    /// It ended, one way or another.
    Ended(SelfTest),
    /// A signal came.
    Asked,
    /// The drive reached this temperature, at which a job pauses.
    Hot(Celsius),
}

/// Whether a drive that was too hot may go on.
enum Cooled {
    Yes,
    /// Why not.
    No(String),
    /// A signal came.
    Asked,
    /// Its self-test was over before it could be ended.
    Over(SelfTest),
}

/// A self-test and its drive's heat.
struct Test<'a> {
    job: &'a Job,
    kind: Kind,
    step: u16,
    watch: &'a Watch,
    line: &'a Line,
    heat: TestHeat,
    began: Instant,
}

impl Job {
    /// At which temperatures its drive pauses and goes on.
    pub(super) fn heat_limits(&self, before: Option<&Snapshot>) -> Limits {
        Limits::of_drive(self.held.device.rotation, before)
    }
}

impl Own {
    /// Does the self-test that is this step. One that a signal ends is begun again with `--resume`.
    pub(super) fn self_test(&mut self, job: &Job, kind: Kind, step: u16, watch: &Watch, line: &Line) -> PhaseStatus {
        let mut test = Test {
            job,
            kind,
            step,
            watch,
            line,
            heat: TestHeat::new(job.heat_limits(self.before.as_ref())),
            began: Instant::now(),
        };
        // What another's self-test was last said to have left: it is asked for a day and more.
        let mut said = String::new();
        // The one that the drive runs, and since when.
        let mut under_way: Option<(Running, Instant)> = None;
        // Whether the drive was told to end it, and did not say that it did.
        let mut is_to_end = false;
        loop {
            let start = || selftest::start(&job.smartctl, &job.node, &job.held.identity, kind);
            let started = match under_way.take() {
                Some(ours) => Ok(ours),
                None => start().map(|running| (running, Instant::now())),
            };
            let (mut running, since) = match started {
                Ok(ours) => ours,
                Err(why) if let Some(pause) = why.again(test.began.elapsed()) => {
                    let text = why.waits();
                    if said != text {
                        line.say(&text);
                        said = text;
                    }
                    let reading = test.reading();
                    let Some(at) = test.heat.anothers(test.began.elapsed(), reading) else {
                        if test.waits(pause) {
                            return PhaseStatus::Interrupted;
                        }
                        continue;
                    };
                    self.was_hot = true;
                    watch.told(step, Some(at));
                    line.say(&test.heat.words(at, kind.phase()));
                    match test.cool(&mut None) {
                        Cooled::Yes => continue,
                        Cooled::Over(ended) => return self.tested(step, ended, line),
                        Cooled::No(heat) => {
                            let told = format!("not started for heat: {heat}");
                            self.too_hot = Some(heat);
                            return self.tested(step, SelfTest { told, ..why.told(kind) }, line);
                        }
                        Cooled::Asked => return PhaseStatus::Interrupted,
                    }
                }
                Err(why) => {
                    if let NotStarted::OtherDrive(why) = &why {
                        self.other_drive(why);
                    }
                    return self.tested(step, why.told(kind), line);
                }
            };
            let at = match test.follow(self, &mut running, since) {
                // By our order, which came late.
                Followed::Ended(ended)
                    if ended.outcome == SelfTestOutcome::Aborted && std::mem::take(&mut is_to_end) =>
                {
                    continue;
                }
                Followed::Ended(ended) => return self.tested(step, ended, line),
                Followed::Asked => return self.by_signal(&test, &running),
                Followed::Hot(at) => at,
            };
            self.was_hot = true;
            watch.told(step, Some(at));
            line.say(&format!(
                "ending the self-test at {}",
                test.heat.words(at, kind.phase())
            ));
            under_way = Some((running.clone(), since));
            let cooled = test.cool(&mut under_way);
            is_to_end = under_way.is_some();
            match cooled {
                Cooled::Yes => {}
                Cooled::Over(ended) => return self.tested(step, ended, line),
                Cooled::No(why) => {
                    let how = match under_way {
                        Some(_) => "too hot, and the drive did not end it",
                        None => "ended for heat",
                    };
                    let told = running.ended_by(&format!("{how}: {why}"));
                    self.too_hot = Some(why);
                    return self.tested(step, told, line);
                }
                Cooled::Asked if is_to_end => return self.by_signal(&test, &running),
                Cooled::Asked => return PhaseStatus::Interrupted,
            }
        }
    }

    /// Ends a self-test because a signal came.
    fn by_signal(&mut self, test: &Test<'_>, running: &Running) -> PhaseStatus {
        test.line.say(&match test.end(running) {
            Ok(None) => "ended by a signal".to_owned(),
            Ok(Some(ended)) => return self.tested(test.step, ended, test.line),
            Err(why) => format!("a signal came, but it could not be ended: {why}"),
        });
        PhaseStatus::Interrupted
    }

    fn tested(&mut self, step: u16, test: SelfTest, line: &Line) -> PhaseStatus {
        line.say(&format!("{}: {}", test.phase.label(), test.told));
        let status = selftest::status(test.outcome);
        self.self_tests.push(SelfTest {
            step: Some(step),
            ..test
        });
        status
    }
}

impl Test<'_> {
    /// Looks at a running test until it ends.
    fn follow(&mut self, own: &mut Own, running: &mut Running, since: Instant) -> Followed {
        let Job {
            smartctl, node, held, ..
        } = self.job;
        loop {
            if self.waits(running.limits.every) {
                return Followed::Asked;
            }
            let elapsed = since.elapsed();
            let percent = match selftest::poll(smartctl, node, &held.identity, running, elapsed) {
                Step::Running { percent } => percent,
                Step::Ended(test) => return Followed::Ended(test),
            };
            let temperature = warmest(self.sensed().ok().flatten(), running);
            self.watch.beside(self.step, temperature);
            let left = running.limits.announced.saturating_sub(elapsed).as_secs_f64();
            let (eta_job, whole) = own.with_test(elapsed.as_secs_f64(), left);
            self.line.progress(&Progress {
                phase: self.kind.phase(),
                step: self.step,
                done: Bytes(0),
                total: Bytes(0),
                rate: Bytes(0),
                eta: Some(left),
                eta_job,
                percent: whole,
                temperature,
                phase_percent: Some(percent),
            });
            if let Some(TestAct::End { at }) = self.heat.step(self.began.elapsed(), temperature) {
                return Followed::Hot(at);
            }
        }
    }

    /// Waits until the drive has cooled. It is told to end `ours` at each look until it does: running it does not cool.
    fn cool(&mut self, ours: &mut Option<(Running, Instant)>) -> Cooled {
        let mut said = None;
        loop {
            let ordered = ours.as_mut().map(|(running, _)| {
                running.note_end_ordered();
                self.end(running)
            });
            match ordered {
                Some(Ok(None)) => *ours = None,
                Some(Ok(Some(ended))) => return Cooled::Over(ended),
                Some(Err(why)) if said.as_ref() != Some(&why) => {
                    self.line.say(&format!("the drive did not end its self-test: {why}"));
                    said = Some(why);
                }
                Some(Err(_)) | None => {}
            }
            if self.waits(COOLS) {
                return Cooled::Asked;
            }
            let reading = self.reading();
            match self.heat.step(self.began.elapsed(), reading) {
                Some(TestAct::Again { at }) => {
                    self.line.say(&format!("cooled to {at}"));
                    return Cooled::Yes;
                }
                Some(TestAct::GiveUp(why)) => return Cooled::No(why),
                Some(TestAct::End { .. }) | None => {}
            }
        }
    }

    fn end(&self, running: &Running) -> Result<Option<SelfTest>, String> {
        let Job {
            smartctl, node, held, ..
        } = self.job;
        selftest::abort(smartctl, node, &held.identity, running).map_err(|why| why.to_string())
    }

    /// The temperature by the kernel's sensor, else by SMART. Where the sensor does not answer smartctl would hang, too.
    fn reading(&self) -> Option<Celsius> {
        let reading = self.sensed().ok().and_then(|sensed| sensed.or_else(|| self.told()));
        self.watch.beside(self.step, reading);
        reading
    }

    /// The temperature by the kernel's sensor.
    fn sensed(&self) -> Result<Option<Celsius>, Failed> {
        temperature::sensed(&self.job.guard, &self.job.held.device.name)
    }

    /// The temperature by SMART, of a drive without a sensor.
    fn told(&self) -> Option<Celsius> {
        let Job {
            smartctl, node, held, ..
        } = self.job;
        celsius(smartctl.read(node, &held.identity).ok()?.temperature)
    }

    /// Waits so long; true where a signal came first.
    fn waits(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.job.is_asked() {
            std::thread::sleep(LOOK);
        }
        self.job.is_asked()
    }
}

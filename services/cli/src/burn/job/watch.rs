//! A thread beside the whole job that looks at the drive's temperature and keeps the time line, at who else is busy behind its
//! controller, and beside the engine pauses it, goes on and gives up.
//!
//! The decisions are [`burnin::heat`]'s and [`burnin::timeline`]'s. Reading a temperature may block as long as the drive does, so it
//! is not done in the engine's thread.

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burnin::heat::{Decision, Heat, Limits, celsius};
use burnin::pace::Company as Others;
use burnin::runner::Ask;
use burnin::timeline;
use drive::company::Company;
use drive::kernel_log::Account;
use drive::temperature::{self, Thermometer, Waking};
use wire::job::{Progress, TimePoint};
use wire::{Bytes, Celsius, Time};

use super::Job;
use crate::burn::remains::Remains;
use crate::burn::saved::Saved;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(10);

/// What is known of a job under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Over all sessions.
    pub timeline: Vec<TimePoint>,
    /// Why it was given up.
    pub too_hot: Option<String>,
    /// Whether it ever paused for heat.
    pub paused: bool,
    /// Whether other drives behind its controller were ever busy.
    pub shared: bool,
    /// How many they were.
    pub company: Others,
    /// Whether a session of an older version, which counted none, is part of it.
    pub uncounted: bool,
    /// What the kernel told of the drive.
    pub kernel: Account,
    /// The kernel's count of the drive's medium, by which it was opened or taken up since.
    pub sequence: Option<u64>,
    temperature: Option<Celsius>,
    step: u16,
    rate: Bytes,
    bad_sectors: u64,
    asks: VecDeque<Ask>,
    /// The engine's; `None` while it has not begun, or is done.
    heat: Option<Heat>,
}

/// The thread, and what it shares with the engine's.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Begins to look; `earlier` is what sessions before saw.
    pub(super) fn start(job: &Job, earlier: Seen) -> Self {
        let seen = Arc::new(Mutex::new(earlier));
        let (end, ended) = channel();
        let mut thermometer = Thermometer::new(job.held.device.clone(), Instant::now());
        let mut company = Company::of(&job.guard.system, &job.held.device.syspath);
        let (guard, smartctl, shared) = (job.guard.clone(), job.smartctl.clone(), Arc::clone(&seen));
        let (node, identity) = (job.node.clone(), job.held.identity.clone());
        let mut waking = Waking::of(identity.bus);
        let name = job.held.device.name.clone();
        let began = Instant::now();
        let look = move || {
            loop {
                let told = thermometer.read(&guard, &smartctl, Instant::now());
                let hot = lock(&shared).is_held_for_heat();
                let now = began.elapsed();
                if waking.is_due(now, hot, told) {
                    let by_smart = || celsius(smartctl.read(&node, &identity).ok()?.temperature);
                    // Where its sensor does not answer smartctl would hang, too.
                    let sensed = temperature::sensed(&guard, &name).ok();
                    waking.took(sensed.and_then(|sensed| sensed.or_else(by_smart)), told);
                }
                let reading = waking.newest(now, told);
                let busy = company.look();
                let mut seen = lock(&shared);
                seen.beside_busy(busy);
                seen.look(began.elapsed(), reading, Time::now());
                drop(seen);
                if ended.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("temperature".to_owned())
            .spawn(look)
            .ok();
        Self {
            seen,
            thread: thread.map(|thread| (end, thread)),
        }
    }

    /// The engine begins, whose drive pauses at these temperatures.
    pub(super) fn engine(&self, limits: Limits) {
        lock(&self.seen).heat = Some(Heat::new(limits));
    }

    /// The engine is done.
    pub(super) fn engine_is_done(&self) {
        let mut seen = lock(&self.seen);
        seen.heat = None;
        seen.asks.clear();
    }

    /// Another step than the engine's begins.
    pub(super) fn begins(&self, step: u16) {
        let mut seen = lock(&self.seen);
        (seen.step, seen.rate) = (step, Bytes(0));
        seen.sample(Time::now());
    }

    /// What SMART tells in this step, or how hot a self-test made the drive: that stands on the time line in any case.
    pub(super) fn told(&self, step: u16, at: Option<Celsius>) {
        let mut seen = lock(&self.seen);
        (seen.step, seen.rate, seen.temperature) = (step, Bytes(0), at.or(seen.temperature));
        let point = seen.point(Time::now());
        timeline::mark(&mut seen.timeline, point);
    }

    /// Another step than the engine's is under way; `reading`: what it told of the temperature.
    pub(super) fn beside(&self, step: u16, reading: Option<Celsius>) {
        let mut seen = lock(&self.seen);
        let reading = reading.or(seen.temperature);
        seen.beside(step, reading, Time::now());
    }

    /// Takes note of the engine's progress; gives the temperature.
    pub(super) fn saw(&self, progress: &Progress) -> Option<Celsius> {
        let mut seen = lock(&self.seen);
        seen.step = progress.step;
        seen.rate = progress.rate;
        seen.temperature
    }

    /// Takes note of what was found.
    pub(super) fn found(&self, bad_sectors: u64) {
        lock(&self.seen).bad_sectors = bad_sectors;
    }

    /// What the engine is to be asked next.
    pub(super) fn next(&self) -> Option<Ask> {
        lock(&self.seen).asks.pop_front()
    }

    /// Why the job is to be given up.
    pub(super) fn too_hot(&self) -> Option<String> {
        lock(&self.seen).too_hot.clone()
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Ends the thread; one that the drive holds is left behind.
    pub(super) fn end(mut self) -> Seen {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            let deadline = Instant::now() + Duration::from_secs(2);
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        lock(&self.seen).clone()
    }
}

impl Seen {
    /// What an earlier session kept of it.
    pub(super) fn of(saved: &Saved) -> Self {
        let last = saved.timeline.last();
        Self {
            // Until the engine tells anew.
            step: last.map_or(0, |last| last.step),
            bad_sectors: last.map_or(0, |last| last.bad_sectors),
            timeline: saved.timeline.clone(),
            paused: saved.paused,
            shared: saved.shared,
            company: saved.company.unwrap_or_default(),
            uncounted: saved.company.is_none(),
            kernel: saved.kernel.clone(),
            ..Self::default()
        }
    }

    /// What is left of one that is not gone on with.
    pub(super) fn left(remains: &Remains) -> Self {
        Self {
            paused: remains.paused,
            kernel: remains.kernel.clone(),
            ..Self::default()
        }
    }

    /// So many others behind its controller were busy. While it moves nothing itself they take nothing of it.
    fn beside_busy(&mut self, others: usize) {
        self.shared |= others > 0;
        if self.heat.is_some() && !self.is_held_for_heat() {
            self.company.add(others);
        }
    }

    /// How many others were busy on the mean; `None` where nobody counted, or not all the while.
    pub(super) fn mean_company(&self) -> Option<f64> {
        let counted = !self.uncounted && (self.company.is_any() || !self.shared);
        self.company.mean().filter(|_| counted)
    }

    fn is_held_for_heat(&self) -> bool {
        self.heat.as_ref().is_some_and(|heat| heat.paused().is_some())
    }

    fn look(&mut self, now: Duration, reading: Option<Celsius>, at: Time) {
        self.temperature = reading;
        if let Some(heat) = &mut self.heat {
            let limits = heat.limits();
            match heat.step(now, reading) {
                Some(Decision::Pause { at }) => {
                    self.paused = true;
                    let why = format!("{at}: too hot; it goes on at {}", limits.resume);
                    self.asks.push_back(Ask::Hold(why));
                }
                Some(Decision::Resume { .. }) => self.asks.push_back(Ask::Release),
                Some(Decision::GiveUp(last)) => self.too_hot = Some(limits.gave_up(last)),
                None => {}
            }
        }
        self.sample(at);
    }

    /// Another step than the engine's is under way.
    pub(super) fn beside(&mut self, step: u16, reading: Option<Celsius>, at: Time) {
        (self.step, self.rate, self.temperature) = (step, Bytes(0), reading);
        self.sample(at);
    }

    /// A point of the time line, where one is due.
    fn sample(&mut self, at: Time) {
        let point = self.point(at);
        timeline::sample(&mut self.timeline, point);
    }

    fn point(&self, at: Time) -> TimePoint {
        TimePoint {
            at,
            step: self.step,
            temperature: self.temperature,
            rate: self.rate,
            bad_sectors: self.bad_sectors,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::heat::Named;
    use wire::drive::Rotation;

    use super::*;
    use crate::burn::saved::tests::saved;

    #[test]
    fn others_are_counted_while_the_drive_moves() {
        let mut seen = Seen::default();
        seen.beside_busy(3);
        assert_eq!(
            (seen.shared, seen.mean_company()),
            (true, None),
            "the engine has not begun"
        );
        seen.heat = Some(Heat::new(Limits::of(Rotation::SolidState, &Named::default())));
        seen.beside_busy(0);
        assert_eq!(seen.mean_company(), None, "there were some, and nobody counted them");
        seen.beside_busy(4);
        assert_eq!(seen.mean_company(), Some(2.0));
        let mut alone = Seen {
            heat: seen.heat.take(),
            ..Seen::default()
        };
        alone.beside_busy(0);
        assert_eq!((alone.shared, alone.mean_company()), (false, Some(0.0)));
    }

    /// Its sessions before the update stood beside busy drives, and those since beside one: the mean of these alone is none of the job's.
    #[test]
    fn company_that_an_older_version_did_not_count_is_not_known_by_what_is_counted_since() {
        let read = |without: &[&str]| {
            let mut kept = serde_json::to_value(saved()).unwrap();
            kept["shared"] = true.into();
            for name in without {
                kept.as_object_mut().unwrap().remove(*name);
            }
            let mut seen = Seen::of(&serde_json::from_value(kept).unwrap());
            seen.heat = Some(Heat::new(Limits::of(Rotation::SolidState, &Named::default())));
            seen.beside_busy(1);
            seen.mean_company()
        };
        assert_eq!((read(&[]), read(&["company"])), (Some(1.0), None));
    }

    #[test]
    fn a_hot_drive_pauses_goes_on_and_is_given_up() {
        let limits = Limits::of(Rotation::SolidState, &Named::default());
        let mut seen = Seen {
            heat: Some(Heat::new(limits)),
            ..Seen::default()
        };
        let mut now = Duration::ZERO;
        let mut look = |seen: &mut Seen, degrees: i32, minutes: u64| {
            for _ in 0..minutes * 6 {
                now += LOOK;
                seen.look(now, Some(Celsius(degrees)), Time::UNIX_EPOCH);
            }
        };
        look(&mut seen, 30, 2);
        assert!(seen.asks.is_empty() && !seen.paused);
        look(&mut seen, limits.pause.0 + 1, 5);
        assert!(matches!(seen.asks.pop_front(), Some(Ask::Hold(_))) && seen.paused && seen.is_held_for_heat());
        look(&mut seen, limits.resume.0 - 1, 5);
        assert_eq!(seen.asks.pop_front(), Some(Ask::Release));
        assert!(!seen.is_held_for_heat());
        look(&mut seen, limits.pause.0 + 1, 90);
        assert!(seen.too_hot.unwrap().contains("for 30 minutes without work"));
    }
}

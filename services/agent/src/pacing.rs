//! How fast each drive may go: the limits of the box shared among its jobs, and one start after the other. And when all take
//! their checkpoints: at the same moments, so that one commit carries them.
//!
//! The shares themselves are `burnin::pace`, pure and tested there. Here is the clock that turns it once a second, and
//! what belongs to one controller: everything below one device of the bus (a PCI function, a platform device).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use burnin::pace::{Governor, Limits};
use drive::company::controller;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wire::JobId;

use crate::stop::Stop;

/// How often rates are set anew. Source: `Governor::step`.
const PERIOD: Duration = Duration::from_secs(1);

/// Shares the limits among the jobs; clones are the same.
#[derive(Clone, Debug)]
pub struct Pacer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    epoch: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    governor: Governor<JobId, String>,
    rates: BTreeMap<JobId, watch::Sender<Option<u64>>>,
}

/// One job's share; given back when dropped.
#[derive(Debug)]
pub struct Share {
    pacer: Pacer,
    job: JobId,
    rate: watch::Receiver<Option<u64>>,
}

impl Pacer {
    /// Shares these limits.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            governor: Governor::new(limits),
            rates: BTreeMap::new(),
        };
        Self {
            inner: Arc::new(Inner {
                epoch: Instant::now(),
                state: Mutex::new(state),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic could leave half done is set right by the next turn.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job in; it waits (a rate of 0) until its turn.
    pub fn join(&self, job: JobId, syspath: &str) -> Share {
        let (sender, rate) = watch::channel(Some(0));
        let mut state = self.state();
        state.governor.add(self.inner.epoch.elapsed(), job, controller(syspath));
        state.rates.insert(job, sender);
        drop(state);
        Share {
            pacer: self.clone(),
            job,
            rate,
        }
    }

    /// How long a job waits until it touches its drive for the first time, which may be asleep: they spin up one after the other.
    pub fn until_touch(&self) -> Duration {
        let now = self.inner.epoch.elapsed();
        self.state().governor.touch(now).saturating_sub(now)
    }

    /// Milliseconds until the next moment at which all jobs take their checkpoints, one every so many seconds.
    pub fn until_checkpoints(&self, every: u64) -> u64 {
        let every = every.max(1) * 1000;
        let now = u64::try_from(self.inner.epoch.elapsed().as_millis()).unwrap_or(0);
        every - now % every
    }

    /// Tells each job its rate, where it changed.
    fn turn(&self) {
        let now = self.inner.epoch.elapsed();
        let mut guard = self.state();
        let state = &mut *guard;
        for (job, rate) in state.governor.step(now) {
            if let Some(sender) = state.rates.get(&job) {
                sender.send_replace(rate);
            }
        }
    }

    /// Turns once a second until `stop`.
    pub async fn run(self, mut stop: Stop) {
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.turn(),
                () = stop.asked() => return,
            }
        }
    }
}

impl Share {
    /// The rate that holds now, in bytes a second: `None` for none, 0 to wait.
    pub fn rate(&self) -> Option<u64> {
        *self.rate.borrow()
    }

    /// Resolves with the next rate. May be dropped and called again without loss.
    pub async fn changed(&mut self) -> Option<u64> {
        // The sender lives as long as this share.
        let _kept = self.rate.changed().await;
        *self.rate.borrow_and_update()
    }

    /// Whether the drive moves nothing for now: others have its share meanwhile. Before it goes on its worker is to be told the
    /// [rate](Share::rate) of that moment.
    pub fn rests(&self, rests: bool) {
        self.pacer.state().governor.rests(&self.job, rests);
    }

    /// What the drive moves now, in bytes a second. Tells with how many other jobs' drives it shares its controller.
    pub fn measured(&self, rate: u64) -> usize {
        let mut state = self.pacer.state();
        state.governor.measured(&self.job, rate);
        state.governor.company(&self.job)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        state.governor.remove(&self.job);
        state.rates.remove(&self.job);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests")]
    use super::*;

    /// A drive that tests itself between two of its worker's steps kept its share for hours.
    #[tokio::test(start_paused = true)]
    async fn what_a_drive_that_rests_leaves_goes_to_the_others_until_it_goes_on() {
        let pacer = Pacer::new(Limits {
            total: Some(100_000_000),
            ..Limits::default()
        });
        let [rests, other] = ["loop0", "loop1"].map(|name| pacer.join(JobId::now(), name));
        for (until, is_resting, share) in [
            (30, false, 50_000_000),
            (60, true, 100_000_000),
            (90, false, 50_000_000),
        ] {
            rests.rests(is_resting);
            while pacer.inner.epoch.elapsed().as_secs() < until {
                tokio::time::advance(PERIOD).await;
                pacer.turn();
                for share in [&rests, &other].into_iter().skip(usize::from(is_resting)) {
                    share.measured(share.rate().unwrap());
                }
            }
            assert_eq!(other.rate(), Some(share), "after {until} s");
            assert_eq!(rests.rate(), Some(100_000_000 - share), "after {until} s");
        }
    }

    #[test]
    fn a_share_waits_for_its_turn_and_is_given_back() {
        let pacer = Pacer::new(Limits {
            drive: None,
            controller: None,
            total: Some(100_000_000),
        });
        let share = pacer.join(JobId::now(), "devices/virtual/block/loop0");
        assert_eq!(share.rate(), Some(0));
        pacer.turn();
        let alone = share.rate();
        assert!(alone.is_some_and(|rate| rate > 0), "{alone:?}");
        assert_eq!(share.measured(50_000_000), 0, "nobody else is there");
        let other = pacer.join(JobId::now(), "devices/virtual/block/loop1");
        assert_eq!((share.measured(50_000_000), other.measured(50_000_000)), (1, 1));
        drop(other);
        assert_eq!(share.measured(50_000_000), 0);
        drop(share);
        assert!(pacer.state().rates.is_empty());
    }

    /// As jobs do whose playbook begins with a self-test of two minutes: all of them came to their workers in the same second.
    #[tokio::test(start_paused = true)]
    async fn drives_are_touched_one_after_the_other_and_so_their_workers_begin() {
        let pacer = Pacer::new(Limits::default());
        let began = Instant::now();
        let jobs: Vec<_> = (0..24)
            .map(|_| {
                let pacer = pacer.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(pacer.until_touch()).await;
                    let touched = began.elapsed();
                    tokio::time::sleep_until(began + Duration::from_mins(2)).await;
                    let mut share = pacer.join(JobId::now(), "devices/virtual/block/loop0");
                    while share.rate() == Some(0) {
                        share.changed().await;
                    }
                    let begins = began.elapsed();
                    // Until the others have begun, too.
                    tokio::time::sleep(Duration::from_mins(10)).await;
                    (touched, begins)
                })
            })
            .collect();
        let (_asks, stop) = crate::stop::pair();
        let turning = tokio::spawn(pacer.run(stop));
        let (mut touched, mut begun) = (Vec::new(), Vec::new());
        for job in jobs {
            let (first, worker) = job.await.unwrap();
            touched.push(first);
            begun.push(worker);
        }
        turning.abort();
        for mut starts in [touched, begun] {
            starts.sort();
            // The pacer turns once a second.
            let least = burnin::pace::STAGGER - PERIOD;
            assert!(starts.windows(2).all(|two| two[1] - two[0] >= least), "{starts:?}");
            assert!(
                starts[23] - starts[0] >= 23 * burnin::pace::STAGGER - PERIOD,
                "{starts:?}"
            );
        }
    }
}

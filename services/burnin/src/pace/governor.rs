//! The shares over time: who may begin when, who gives up what, who gets it.
//!
//! The parent of all workers keeps one. It tells each worker's measured rate ([`Governor::measured`]), asks once a second
//! what has changed ([`Governor::step`]) and sends that to the workers as their pace. What one moment's messages do not
//! reach at once must not break a limit: a rate that falls is told first, a rate that rises (and the first rate of a
//! drive that begins) [`SETTLE`] later, so the sum of what *may* be in force is never above a limit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shares::{Claim, Limits, share};

/// Least time between the beginnings of two drives: the spin-up of one draws as much as the work of three.
/// Source: `facts`: staggered start; SAS hosts stagger by the same (SPL-4 §6.12, NOTIFY ENABLE SPINUP).
pub const STAGGER: Duration = Duration::from_secs(2);

/// Time in which a worker surely obeys a lower rate: it listens several times a second.
pub const SETTLE: Duration = Duration::from_secs(1);

/// How often shares are taken from who does not use them.
pub const BALANCE: Duration = Duration::from_secs(5);

/// What a drive may rise by between two balances beyond what it used: a quarter, and this many bytes a second.
const HEADROOM: u64 = 4_000_000;

#[derive(Clone, Debug)]
struct Drive<C> {
    controller: C,
    begins: Duration,
    /// Whether it moves nothing for as long as others do something to it: a self-test, a pause.
    rests: bool,
    /// What it moved lately, since its rate last changed.
    measured: Option<u64>,
    /// The rate it was told; `None`: no limit.
    granted: Option<u64>,
    /// The rate it is going to be told.
    target: Option<u64>,
}

/// Paces any number of drives. `K` names a job, `C` a controller.
#[derive(Clone, Debug)]
pub struct Governor<K, C> {
    limits: Limits,
    drives: BTreeMap<K, Drive<C>>,
    begun: Option<Duration>,
    touched: Option<Duration>,
    balanced: Option<Duration>,
    /// When rates may rise: everybody obeys the lower ones then.
    settled: Duration,
}

impl<K: Ord + Clone, C: Ord + Clone> Governor<K, C> {
    /// Paces nobody yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            drives: BTreeMap::new(),
            begun: None,
            touched: None,
            balanced: None,
            settled: Duration::ZERO,
        }
    }

    /// How many other drives behind its controller are paced as well: what they move is what the controller has.
    pub fn company(&self, key: &K) -> usize {
        let Some(own) = self.drives.get(key) else { return 0 };
        let others = self.drives.iter().filter(|(other, _)| *other != key);
        others.filter(|(_, drive)| drive.controller == own.controller).count()
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// One more drive. Its worker starts with a pace of 0 (nothing moves) and hears from [`Governor::step`] when it may
    /// begin and how fast; this tells the earliest moment.
    pub fn add(&mut self, now: Duration, key: K, controller: C) -> Duration {
        let begins = turn(&mut self.begun, now);
        let drive = Drive {
            controller,
            begins,
            rests: false,
            measured: None,
            granted: Some(0),
            target: Some(0),
        };
        self.drives.insert(key, drive);
        begins
    }

    /// When one more drive may be touched at all: reading its SMART spins it up as its worker would, and self-tests go on for hours
    /// before that one begins.
    pub fn touch(&mut self, now: Duration) -> Duration {
        turn(&mut self.touched, now)
    }

    /// A drive is done, or its worker ended.
    pub fn remove(&mut self, key: &K) {
        if self.drives.remove(key).is_some() {
            self.balanced = None;
        }
    }

    /// Whether a drive moves nothing for now. One that rests leaves its share to the others, and is told what is left of it meanwhile;
    /// before its worker goes on it is to be told the rate that [is granted](Governor::granted) now.
    pub fn rests(&mut self, key: &K, rests: bool) {
        if let Some(drive) = self.drives.get_mut(key)
            && drive.rests != rests
        {
            drive.rests = rests;
            drive.measured = None;
            self.balanced = None;
        }
    }

    /// What a drive moved lately, in bytes a second: its worker's progress tells it.
    pub fn measured(&mut self, key: &K, rate: u64) {
        if let Some(drive) = self.drives.get_mut(key) {
            drive.measured = Some(rate);
        }
    }

    /// The rate that a drive was told; `None`: no limit, or no such drive.
    pub fn granted(&self, key: &K) -> Option<u64> {
        self.drives.get(key)?.granted
    }

    /// What is to be told to which worker now: a rate in bytes a second, `None` for no limit. To be called once a second.
    pub fn step(&mut self, now: Duration) -> Vec<(K, Option<u64>)> {
        let waits = |drive: &Drive<C>| drive.granted == Some(0) && drive.target == Some(0) && !drive.rests;
        let begins = self.drives.values().any(|drive| waits(drive) && drive.begins <= now);
        if begins || self.balanced.is_none_or(|at| now.saturating_sub(at) >= BALANCE) {
            self.balance(now);
        }
        let mut told = Vec::new();
        for (key, drive) in &mut self.drives {
            if below(drive.target, drive.granted) {
                drive.granted = drive.target;
                drive.measured = None;
                self.settled = now + SETTLE;
                told.push((key.clone(), drive.granted));
            }
        }
        if now >= self.settled {
            for (key, drive) in &mut self.drives {
                if below(drive.granted, drive.target) {
                    drive.granted = drive.target;
                    drive.measured = None;
                    told.push((key.clone(), drive.granted));
                }
            }
        }
        told
    }

    /// New targets for everybody that has begun.
    fn balance(&mut self, now: Duration) {
        self.balanced = Some(now);
        let begun = || self.drives.iter().filter(|(_, drive)| drive.begins <= now);
        let claims: Vec<Claim<C>> = begun()
            .map(|(_, drive)| Claim {
                controller: drive.controller.clone(),
                wants: wants(drive),
            })
            .collect();
        let keys: Vec<K> = begun().map(|(key, _)| key.clone()).collect();
        for (key, rate) in keys.iter().zip(share(&claims, &self.limits)) {
            if let Some(drive) = self.drives.get_mut(key) {
                drive.target = rate;
            }
        }
    }
}

/// The next turn after the last one.
fn turn(last: &mut Option<Duration>, now: Duration) -> Duration {
    let turn = last.map_or(now, |last| now.max(last + STAGGER));
    *last = Some(turn);
    turn
}

/// What a drive can use: more than it has if it uses all it has, else a little more than it uses.
fn wants<C>(drive: &Drive<C>) -> Option<u64> {
    if drive.rests {
        return Some(0);
    }
    let (measured, granted) = (drive.measured?, drive.granted?);
    (measured < granted / 10 * 9).then(|| measured + measured / 4 + HEADROOM)
}

/// Whether rate `a` is below rate `b`; `None` is no limit.
fn below(a: Option<u64>, b: Option<u64>) -> bool {
    a.unwrap_or(u64::MAX) < b.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests")]
    use proptest::prelude::*;

    use super::super::bucket::{Bucket, TOLERANCE};
    use super::*;

    const MB: u64 = 1_000_000;
    const BLOCK: u64 = 512 << 10;
    const TICK: Duration = Duration::from_millis(10);

    /// A worker and its drive: moves as fast as the drive and its pace allow; hears messages a little late.
    struct Worker {
        rests: bool,
        bucket: Bucket,
        speed: u64,
        done: Duration,
        moved: Vec<(Duration, u64)>,
        inbox: Vec<(Duration, Option<u64>)>,
    }

    /// Runs drives of these controllers and speeds (MB/s; 0 hangs) under limits; their accesses in order of time. `rests`: for each
    /// drive the second in which a self-test of it begins and the one in which it ends.
    fn run(
        drives: &[(u8, u64)],
        rests: &[(u64, u64)],
        limits: Limits,
        seconds: u64,
        delay: Duration,
    ) -> Vec<Vec<(Duration, u64)>> {
        let mut governor = Governor::new(limits);
        let mut workers: Vec<Worker> = drives
            .iter()
            .enumerate()
            .map(|(n, (controller, speed))| {
                governor.add(Duration::ZERO, n, *controller);
                Worker {
                    rests: false,
                    bucket: Bucket::new(Some(0)),
                    speed: speed * MB,
                    done: Duration::ZERO,
                    moved: Vec::new(),
                    inbox: Vec::new(),
                }
            })
            .collect();
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(seconds) {
            if now.subsec_nanos() == 0 {
                for (n, (from, to)) in rests.iter().enumerate() {
                    let (second, worker) = (now.as_secs(), &mut workers[n]);
                    let rests = (*from..*to).contains(&second);
                    governor.rests(&n, rests);
                    // It hears nothing meanwhile, and the rate of now before it goes on.
                    if worker.rests && !rests {
                        worker.inbox.clear();
                        worker.bucket.set_rate(now, governor.granted(&n));
                    }
                    worker.rests = rests;
                }
                for (n, worker) in workers.iter().enumerate().filter(|(_, worker)| !worker.rests) {
                    let lately = worker
                        .moved
                        .iter()
                        .rev()
                        .take_while(|(at, _)| now - *at <= Duration::from_secs(1));
                    governor.measured(&n, lately.map(|(_, bytes)| bytes).sum());
                }
                for (n, rate) in governor.step(now) {
                    workers[n].inbox.push((now + delay, rate));
                }
            }
            for worker in &mut workers {
                let heard = worker
                    .inbox
                    .first()
                    .copied()
                    .filter(|(at, _)| *at <= now && !worker.rests);
                if let Some((_, rate)) = heard {
                    worker.bucket.set_rate(now, rate);
                    worker.inbox.remove(0);
                }
                while worker.speed > 0 && !worker.rests && worker.done <= now && worker.bucket.wait(now).is_none() {
                    worker.bucket.take(now, BLOCK);
                    worker.moved.push((now, BLOCK));
                    let took = Duration::from_nanos(BLOCK * 1_000_000_000 / worker.speed);
                    // A drive that was waited for does not catch up.
                    worker.done = worker.done.max(now.saturating_sub(TICK)) + took;
                }
            }
            now += TICK;
        }
        workers.into_iter().map(|worker| worker.moved).collect()
    }

    /// Bytes that start in the busiest window of this length.
    fn busiest(moved: &[&Vec<(Duration, u64)>], window: Duration) -> u64 {
        let mut all: Vec<(Duration, u64)> = moved.iter().flat_map(|m| m.iter().copied()).collect();
        all.sort_unstable();
        let (mut sum, mut first, mut most) = (0, 0, 0);
        for (at, bytes) in &all {
            sum += bytes;
            while all[first].0 + window < *at {
                sum -= all[first].1;
                first += 1;
            }
            most = most.max(sum);
        }
        most
    }

    #[test]
    fn drives_begin_two_seconds_apart() {
        let mut governor = Governor::new(Limits::default());
        let begins: Vec<u64> = (0..24).map(|n| governor.add(Duration::ZERO, n, 0).as_secs()).collect();
        assert_eq!(begins, (0..24).map(|n| 2 * n).collect::<Vec<u64>>());
        assert_eq!(governor.step(Duration::ZERO), [(0, None)]);
        assert_eq!(governor.step(Duration::from_secs(1)), []);
        assert_eq!(governor.step(Duration::from_secs(2)), [(1, None)]);
        assert!(governor.company(&0) > 0);
        assert_eq!(governor.company(&99), 0);
        // One that comes much later waits for nobody.
        assert_eq!(governor.add(Duration::from_mins(10), 99, 0), Duration::from_mins(10));
        governor.remove(&99);
        assert_eq!(governor.granted(&99), None);
        governor.add(Duration::ZERO, 99, 1);
        assert_eq!(governor.company(&99), 0, "behind a controller of its own");
    }

    #[test]
    fn a_rate_rises_only_after_the_others_have_fallen() {
        let limits = Limits {
            total: Some(200 * MB),
            ..Limits::default()
        };
        let mut governor = Governor::new(limits);
        governor.add(Duration::ZERO, 'a', 0);
        assert_eq!(governor.step(Duration::ZERO), [('a', Some(200 * MB))]);
        governor.add(Duration::ZERO, 'b', 0);
        assert_eq!(governor.step(Duration::from_secs(2)), [('a', Some(100 * MB))]);
        assert_eq!(governor.step(Duration::from_secs(3)), [('b', Some(100 * MB))]);
        governor.remove(&'a');
        assert_eq!(governor.step(Duration::from_secs(4)), [('b', Some(200 * MB))]);
    }

    #[test]
    fn a_hanging_and_a_slow_drive_leave_their_shares_to_the_others() {
        let limits = Limits {
            total: Some(400 * MB),
            ..Limits::default()
        };
        let drives = [(0, 300), (0, 300), (1, 0), (1, 10)];
        let moved = run(&drives, &[], limits, 60, Duration::from_millis(250));
        let last_half = |n: usize| -> u64 {
            let late = moved[n].iter().filter(|(at, _)| at.as_secs() >= 30);
            late.map(|(_, bytes)| bytes).sum::<u64>() / 30 / MB
        };
        assert_eq!(last_half(2), 0);
        assert!(last_half(3) >= 9, "{}", last_half(3));
        for n in [0, 1] {
            assert!((170..=200).contains(&last_half(n)), "drive {n}: {} MB/s", last_half(n));
        }
    }

    /// It kept its share for the hours of an extended self-test.
    #[test]
    fn a_drive_that_rests_leaves_its_share_to_the_others_and_has_it_again_when_it_goes_on() {
        let limits = Limits {
            total: Some(400 * MB),
            ..Limits::default()
        };
        let moved = run(
            &[(0, 300), (0, 300)],
            &[(20, 60)],
            limits,
            90,
            Duration::from_millis(250),
        );
        let between = |n: usize, from: u64, to: u64| -> u64 {
            let inside = moved[n].iter().filter(|(at, _)| (from..to).contains(&at.as_secs()));
            inside.map(|(_, bytes)| bytes).sum::<u64>() / (to - from) / MB
        };
        for (n, from, to, rate) in [
            (0, 10, 20, 180..=200),
            (1, 10, 20, 180..=200),
            (0, 20, 60, 0..=0),
            (1, 25, 60, 280..=300),
            (0, 70, 90, 180..=200),
            (1, 70, 90, 180..=200),
        ] {
            let told = between(n, from, to);
            assert!(rate.contains(&told), "drive {n} from {from} s: {told} MB/s");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Over any window, whatever the drives do and however late (up to [`SETTLE`]) the workers hear.
        #[test]
        fn no_window_is_above_any_limit(
            drives in prop::collection::vec((0_u8..3, 0_u64..400), 1..8),
            rests in prop::collection::vec((0_u64..40, 0_u64..40), 8),
            drive in prop::option::of(10_u64..300), controller in prop::option::of(20_u64..500),
            total in prop::option::of(30_u64..900), delay in 0_u64..1000,
        ) {
            let limits = Limits {
                drive: drive.map(|mb| mb * MB),
                controller: controller.map(|mb| mb * MB),
                total: total.map(|mb| mb * MB),
            };
            let rests = &rests[..drives.len()];
            let moved = run(&drives, rests, limits, 40, Duration::from_millis(delay));
            for window in [TICK, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(7), Duration::from_secs(40)] {
                let most = |limit: u64, of: &dyn Fn(usize) -> bool| {
                    let some: Vec<_> = (0..drives.len()).filter(|n| of(*n)).map(|n| &moved[n]).collect();
                    let slack = some.len() as u64 * BLOCK;
                    let allowed = limit as f64 * (window + TOLERANCE).as_secs_f64() + slack as f64;
                    (busiest(&some, window), allowed)
                };
                for n in 0..drives.len() {
                    if let Some(limit) = limits.drive {
                        let (got, allowed) = most(limit, &|m| m == n);
                        prop_assert!(got as f64 <= allowed, "drive {n}: {got} in {window:?}, allowed {allowed}");
                    }
                    if let Some(limit) = limits.controller {
                        let (got, allowed) = most(limit, &|m| drives[m].0 == drives[n].0);
                        prop_assert!(got as f64 <= allowed, "controller of {n}: {got} in {window:?}, allowed {allowed}");
                    }
                }
                if let Some(limit) = limits.total {
                    let (got, allowed) = most(limit, &|_| true);
                    prop_assert!(got as f64 <= allowed, "total: {got} in {window:?}, allowed {allowed}");
                }
            }
        }
    }
}

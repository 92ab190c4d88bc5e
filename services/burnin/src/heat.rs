//! When a drive is too hot to go on, when it may go on again, and when it is time to give up.
//!
//! ```text
//!           at or above pause                     at or below resume
//!   Going ────────────────────► Paused (since) ────────────────────► Going
//!                                   │ 30 minutes without cooling
//!                                   ▼
//!                                GaveUp ──► the job ends INCONCLUSIVE
//! ```
//!
//! One that is below [`COOL`] by then is not hot, and goes on, where its last reading is no older than [`FRESH`].
//!
//! A pure state machine: whoever reads the thermometer hands in each reading with the time, and carries the decision to
//! the worker. Between a pause and the next resume lie [`HYSTERESIS`] degrees, so a reading that trembles around a limit
//! decides nothing twice. A thermometer that falls silent leaves things as they are: a drive that was hot stays paused
//! and its thirty minutes go on, because nothing says that it cooled. Nor does one that suddenly tells a cold drive: a drive has mass, and
//! what falls faster than it can cool ([`FALL`], [`COOLING`]), or below zero in the half hour after it was hot, is no reading.
//!
//! The alert that a drive is too hot has a limit of its own (`health::alert::limit`), below this one or above it: it tells a person,
//! and works on drives that rest, too.
//!
//! It never ran on a drive that was really hot: the tests here are tables and random walks, and a boot test plays a hot disk.

mod limits;

use std::time::Duration;

use wire::Celsius;

pub use limits::{
    COOL, FLASH, HYSTERESIS, Limits, MARGIN, NAMED_MAX, NAMED_MIN, Named, PLATTERS, WARNING_MARGIN, celsius,
};

/// Degrees by which the reading of a hot drive may fall from one to the next, however soon that comes: the sensor of flash lies on its
/// controller, which cools within seconds from its own heat to that of the board. Chosen.
pub const FALL: i32 = 25;

/// Degrees by which it may fall besides in each minute since. Chosen: more than disks and flash cool by, and so few that a reading that
/// stands for minutes, since no new one is had, lets none go on; and so many that a drive which was never hot, but for one wrong
/// reading, goes on within [`PATIENCE`].
pub const COOLING: i32 = 4;

/// How long a drive may stay paused before the job gives up.
pub const PATIENCE: Duration = Duration::from_mins(30);

/// How old a reading may be by which a drive is not hot when [`PATIENCE`] is over: a thermometer that fails once costs no job, and one
/// that fell silent tells nothing. Source: a drive without a sensor is asked once in five minutes, or in ten behind USB
/// (`drive::temperature`).
pub const FRESH: Duration = Duration::from_mins(10);

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Pause: the drive is at `at`.
    Pause {
        /// What it measured.
        at: Celsius,
    },
    /// Go on: the drive has cooled to `at`.
    Resume {
        /// What it measured.
        at: Celsius,
    },
    /// End the job: it did not show in [`PATIENCE`] that it cooled.
    GiveUp(Uncooled),
}

/// What a drive told last that did not show that it cooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncooled {
    /// The last reading.
    pub at: Celsius,
    /// How old that is.
    pub age: Duration,
}

impl Uncooled {
    /// Whether it is too old to tell anything of now.
    pub fn is_silent(&self) -> bool {
        self.age > FRESH
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Going,
    /// `last`: the last reading that counts; `told`: when it was told.
    Paused {
        since: Duration,
        last: Celsius,
        told: Duration,
    },
    GaveUp,
}

/// Watches over the heat of one drive.
#[derive(Clone, Debug)]
pub struct Heat {
    limits: Limits,
    state: State,
}

impl Heat {
    /// Watches a drive that may work now.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Going,
        }
    }

    /// The limits it watches.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Since when it is paused.
    pub fn paused(&self) -> Option<Duration> {
        match self.state {
            State::Paused { since, .. } => Some(since),
            State::Going | State::GaveUp => None,
        }
    }

    /// Begins [`PATIENCE`] anew: a job that a person holds is not given up meanwhile, and has all of it when it is let go.
    pub fn restart_patience(&mut self, now: Duration) {
        if let State::Paused { since, .. } = &mut self.state {
            *since = now;
        }
    }

    /// Takes a reading, or hears that there is none, and says what is to be done now; `None`: go on as before.
    ///
    /// To be called at least once a minute, with `now` on any clock that never goes back.
    pub fn step(&mut self, now: Duration, reading: Option<Celsius>) -> Option<Decision> {
        match self.state {
            State::Going => {
                let at = reading.filter(|at| *at >= self.limits.pause)?;
                self.state = State::Paused {
                    since: now,
                    last: at,
                    told: now,
                };
                Some(Decision::Pause { at })
            }
            State::Paused { since, last, told } => {
                let reading = reading.filter(|at| is_cooling(last, *at, now.saturating_sub(told)));
                let (last, told) = reading.map_or((last, told), |at| (at, now));
                let is_over = now.saturating_sub(since) >= PATIENCE;
                let uncooled = Uncooled {
                    at: last,
                    age: now.saturating_sub(told),
                };
                let is_cool = last < COOL && !uncooled.is_silent();
                if reading.is_some_and(|at| at <= self.limits.resume) || (is_over && is_cool) {
                    self.state = State::Going;
                    return Some(Decision::Resume { at: last });
                }
                if is_over {
                    self.state = State::GaveUp;
                    return Some(Decision::GiveUp(uncooled));
                }
                self.state = State::Paused { since, last, told };
                None
            }
            State::GaveUp => None,
        }
    }
}

/// Whether a hot drive that was at `last` may be `at` so many degrees after `time`. Below zero it passed where it goes on long before.
fn is_cooling(last: Celsius, at: Celsius, time: Duration) -> bool {
    let minutes = i32::try_from(time.as_secs() / 60).unwrap_or(i32::MAX);
    let most = minutes.saturating_mul(COOLING).saturating_add(FALL);
    at.0 >= 0 && last.0.saturating_sub(at.0) <= most
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests")]
    use drive::temperature::Waking;
    use proptest::prelude::*;
    use wire::drive::Rotation;

    use super::limits::tests::named;
    use super::*;

    const DISK: Rotation = Rotation::Spinning { rpm: Some(7200) };

    /// By a reading that is so many minutes old.
    fn gives_up(at: i32, minutes: u64) -> Decision {
        Decision::GiveUp(Uncooled {
            at: Celsius(at),
            age: Duration::from_mins(minutes),
        })
    }

    #[test]
    fn a_hot_drive_pauses_and_goes_on_when_it_has_cooled() {
        let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
        let minute = |n: u64| Duration::from_secs(60 * n);
        let mut at = |n, reading: i32| heat.step(minute(n), Some(Celsius(reading)));
        assert_eq!(at(0, 59), None);
        assert_eq!(at(1, 60), Some(Decision::Pause { at: Celsius(60) }));
        assert_eq!(at(2, 61), None);
        assert_eq!(at(3, 54), None);
        assert_eq!(at(4, 53), Some(Decision::Resume { at: Celsius(53) }));
        assert_eq!(at(5, 59), None);
    }

    /// An HGST HUH721010AL5200 names 50 °C, and stands at 46 in a warm shelf.
    #[test]
    fn a_drive_below_fifty_degrees_is_never_given_up() {
        for (idle, ends) in [(49, Decision::Resume { at: Celsius(49) }), (50, gives_up(50, 0))] {
            let mut heat = Heat::new(Limits::of(DISK, &named(&[50], None)));
            assert!(heat.step(Duration::ZERO, Some(Celsius(51))).is_some());
            for minute in 1..30 {
                assert_eq!(heat.step(Duration::from_mins(minute), Some(Celsius(idle))), None);
            }
            assert_eq!(heat.step(PATIENCE, Some(Celsius(idle))), Some(ends));
        }
    }

    /// It may be as hot as ever; and of a thermometer that fails once the reading before counts.
    #[test]
    fn a_drive_whose_thermometer_fell_silent_does_not_go_on_by_what_it_told_before() {
        for (silent_from, ends) in [
            (3, gives_up(49, 28)),
            (20, gives_up(49, 11)),
            (21, Decision::Resume { at: Celsius(49) }),
            (30, Decision::Resume { at: Celsius(49) }),
        ] {
            let mut heat = Heat::new(Limits::of(DISK, &named(&[50], None)));
            assert!(heat.step(Duration::ZERO, Some(Celsius(51))).is_some());
            let readings = (1..=30).map(|minute| (minute, (minute < silent_from).then_some(Celsius(49))));
            let decisions: Vec<_> = readings
                .filter_map(|(minute, reading)| heat.step(Duration::from_mins(minute), reading))
                .collect();
            assert_eq!(decisions, [ends], "silent from minute {silent_from} on");
        }
    }

    #[test]
    fn a_drive_that_does_not_cool_is_given_up_after_half_an_hour_and_only_once() {
        let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
        assert!(heat.step(Duration::from_secs(100), Some(Celsius(66))).is_some());
        for s in (110..1900).step_by(10) {
            assert_eq!(heat.step(Duration::from_secs(s), Some(Celsius(58))), None, "{s}");
        }
        let end = heat.step(Duration::from_secs(1900), Some(Celsius(58)));
        assert_eq!(end, Some(gives_up(58, 0)));
        assert_eq!(heat.step(Duration::from_secs(2000), Some(Celsius(20))), None);
    }

    /// Behind USB the thermometer is read every ten minutes. What it told last would end the job, or hold the drive at once again.
    #[test]
    fn a_drive_behind_usb_that_cools_between_two_readings_goes_on_and_is_not_held_again_for_an_old_one() {
        for (hot_for, resumes) in [(20, 25), (22, 22)] {
            let minute = |now: Duration| now.as_secs() / 60;
            let is = |now: Duration| match minute(now) {
                m if m < hot_for => Celsius(60),
                m if m < resumes => Celsius(55),
                _ => Celsius(52),
            };
            let (mut heat, mut waking) = (
                Heat::new(Limits::of(DISK, &Named::default())),
                Waking::of(wire::drive::Bus::Usb),
            );
            let mut decisions = Vec::new();
            for second in (0..60 * 60).step_by(10) {
                let now = Duration::from_secs(second);
                let told = Some(is(Duration::from_secs(second / 600 * 600)));
                if waking.is_due(now, heat.paused().is_some(), told) {
                    waking.took(Some(is(now)), told);
                }
                decisions.extend(
                    heat.step(now, waking.newest(now, told))
                        .map(|decision| (minute(now), decision)),
                );
            }
            let (paused, resumed) = (
                Decision::Pause { at: Celsius(60) },
                Decision::Resume { at: Celsius(52) },
            );
            assert_eq!(decisions[0], (0, paused));
            assert_eq!(decisions[1].1, resumed);
            assert!((resumes..=resumes + 1).contains(&decisions[1].0), "{decisions:?}");
            assert_eq!(decisions.len(), 2, "{decisions:?}");
        }
    }

    #[test]
    fn a_job_that_a_person_holds_is_not_given_up_and_has_all_its_patience_when_it_is_let_go() {
        let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
        let mut now = Duration::ZERO;
        assert!(heat.step(now, Some(Celsius(66))).is_some());
        for _ in 0..600 {
            now += Duration::from_secs(10);
            heat.restart_patience(now);
            assert_eq!(heat.step(now, Some(Celsius(66))), None, "{now:?}");
        }
        assert_eq!(heat.step(now + PATIENCE / 2, Some(Celsius(66))), None);
        let end = heat.step(now + PATIENCE, Some(Celsius(66)));
        assert_eq!(end, Some(gives_up(66, 0)));
        heat.restart_patience(now + PATIENCE);
        assert_eq!(heat.paused(), None, "what was given up stays so");
    }

    #[test]
    fn a_thermometer_that_falls_silent_changes_nothing() {
        let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
        assert_eq!(heat.step(Duration::ZERO, None), None);
        assert!(heat.step(Duration::from_secs(1), Some(Celsius(70))).is_some());
        assert_eq!(heat.step(Duration::from_mins(1), None), None);
        let end = heat.step(Duration::from_secs(1801), None);
        assert_eq!(end, Some(gives_up(70, 30)));
    }

    /// A thermometer that is lost tells -1 °C, 0 or nothing, and the drive is as hot as before.
    #[test]
    fn a_reading_that_falls_at_once_lets_no_hot_drive_go_on() {
        for wrong in [-60, -1, 0, 5, 30] {
            let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
            let minute = |n: u64| Duration::from_mins(n);
            let mut at = |n, reading: i32| heat.step(minute(n), Some(Celsius(reading)));
            assert!(at(0, 61).is_some());
            assert_eq!(at(1, wrong), None, "{wrong}");
            assert_eq!(at(2, 61), None);
            assert_eq!(at(3, wrong), None, "{wrong}");
            assert_eq!(at(4, 59), None);
            assert_eq!(at(5, 50), Some(Decision::Resume { at: Celsius(50) }));
        }
        // One that tells nothing else is given up by what it told before.
        let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
        heat.step(Duration::ZERO, Some(Celsius(66)));
        let decisions: Vec<_> = (1..40)
            .filter_map(|n| heat.step(Duration::from_mins(n), Some(Celsius(-2))))
            .collect();
        assert_eq!(decisions, [gives_up(66, 30)]);
    }

    /// A cold room, flash that cools fast, a drive of which nothing was told for long, and one that was never hot.
    #[test]
    fn a_drive_that_cooled_goes_on_however_cold_it_is() {
        let limits = Limits::of(Rotation::SolidState, &Named::default());
        for (readings, resumes) in [
            (&[(0, 80), (10, 55)][..], 10),
            (&[(0, 80), (60, 51)], 60),
            (&[(0, 80), (660, 11)], 660),
            (&[(0, 66 + 60), (60, 40), (600, 40), (1140, 40)], 1140),
            (&[(0, 76), (300, 20)], 0),
        ] {
            let mut heat = Heat::new(limits);
            let resumed = readings.iter().find_map(|&(second, at)| {
                let decision = heat.step(Duration::from_secs(second), Some(Celsius(at)));
                matches!(decision, Some(Decision::Resume { .. })).then_some(second)
            });
            assert_eq!(resumed.unwrap_or_default(), resumes, "{readings:?}");
        }
        // What works is never held for cold.
        let mut heat = Heat::new(limits);
        for (n, at) in (0_u64..).zip([45, -1, 20, -20, 0]) {
            assert_eq!(heat.step(Duration::from_mins(n), Some(Celsius(at))), None);
        }
    }

    proptest! {
        /// A hot drive whose thermometer is wrong now and then, for less than the time in which it could have cooled by as much.
        #[test]
        fn single_wrong_readings_let_no_hot_drive_go_on(
            hot in 60_i32..90,
            wrong in prop::collection::vec(prop::option::weighted(0.4, -60_i32..40), 1..170),
        ) {
            let mut heat = Heat::new(Limits::of(DISK, &Named::default()));
            let mut now = Duration::ZERO;
            prop_assert!(heat.step(now, Some(Celsius(hot))).is_some());
            for wrong in wrong {
                now += Duration::from_secs(5);
                // It falls by less than what is held for possible at once.
                let reading = wrong.filter(|at| hot - at > FALL).unwrap_or(hot);
                prop_assert_eq!(heat.step(now, Some(Celsius(reading))), None);
                now += Duration::from_secs(5);
                prop_assert_eq!(heat.step(now, Some(Celsius(hot))), None);
            }
        }

        /// One that cools by up to the degrees of a minute in each minute goes on at the first reading at its limit, whatever is
        /// missing in between.
        #[test]
        fn a_drive_that_cools_slowly_goes_on_at_its_limit(
            hot in 60_i32..90,
            falls in prop::collection::vec((0..=COOLING, any::<bool>()), 1..30),
        ) {
            let limits = Limits::of(DISK, &Named::default());
            let mut heat = Heat::new(limits);
            let (mut now, mut at) = (Duration::ZERO, Celsius(hot));
            prop_assert!(heat.step(now, Some(at)).is_some());
            for (fall, is_told) in falls {
                now += Duration::from_mins(1);
                at = Celsius((at.0 - fall).max(0));
                let decision = heat.step(now, is_told.then_some(at));
                if is_told && at <= limits.resume {
                    prop_assert_eq!(decision, Some(Decision::Resume { at }));
                    break;
                }
                prop_assert_eq!(decision, None);
            }
        }

        /// Over any walk of readings: pause and resume alternate, a pause stands on a reading at its limit, a resume on
        /// one seven degrees lower, and a drive paused for half an hour is given up.
        #[test]
        fn decisions_alternate_and_lie_a_hysteresis_apart(
            start in 20_i32..80,
            walk in prop::collection::vec((1_u64..400, prop::option::weighted(0.9, -9_i32..10)), 1..400),
            limit in 40_i32..90,
        ) {
            let limits = Limits::of(DISK, &named(&[limit], None));
            let mut heat = Heat::new(limits);
            let (mut now, mut at) = (Duration::ZERO, start);
            let mut paused: Option<(Duration, Celsius)> = None;
            let mut told = now;
            let mut over = false;
            for (seconds, step) in walk {
                now += Duration::from_secs(seconds);
                if let Some(step) = step {
                    at = (at + step).clamp(0, 120);
                }
                let reading = step.map(|_| Celsius(at));
                told = reading.map_or(told, |_| now);
                match heat.step(now, reading) {
                    Some(Decision::Pause { at }) => {
                        prop_assert!(paused.is_none() && !over && at >= limits.pause);
                        paused = Some((now, at));
                    }
                    Some(Decision::Resume { at }) => {
                        let (since, hot) = paused.take().expect("resumed without a pause");
                        let has_cooled = at.0 <= hot.0 - HYSTERESIS && at <= limits.resume;
                        prop_assert!(has_cooled || (at < COOL && now - told <= FRESH && now - since >= PATIENCE));
                    }
                    Some(Decision::GiveUp(last)) => {
                        let (since, _) = paused.take().expect("gave up without a pause");
                        prop_assert!(now - since >= PATIENCE && (last.at >= COOL || last.is_silent()));
                        prop_assert_eq!(last.age, now - told);
                        over = true;
                    }
                    None => {
                        if let Some((since, _)) = paused {
                            prop_assert!(now - since < PATIENCE && reading.is_none_or(|at| at > limits.resume));
                        } else if !over {
                            prop_assert!(reading.is_none_or(|at| at < limits.pause));
                        }
                    }
                }
                prop_assert_eq!(heat.paused(), paused.map(|(since, _)| since));
            }
        }
    }
}

//! A self-test of the drive's own that grows too hot: nobody can pause it, so it is ended, and starts again when the drive has
//! cooled. Another one that runs on the drive is nobody's here to end: its heat is waited out like its end. Pure: time is passed in.
//!
//! ```text
//!            too hot                  cooled, and a try is left
//!  Running ───────────► Cooling ──────────────────────────────────► Running
//!                        ▲ │ 30 minutes without cooling, or too hot in every try
//!  another's ── too hot ─┘ ▼
//!                       given up: INCONCLUSIVE
//! ```

use std::time::Duration;

use wire::Celsius;
use wire::job::Phase;

use drive::selftest::Running;

use crate::heat::{Decision, Heat, Limits, PATIENCE, celsius};

/// How often a self-test that heat ended is started again.
const TRIES: u32 = 3;

/// Watches over the heat of a drive that tests itself.
#[derive(Clone, Debug)]
pub struct TestHeat {
    heat: Heat,
    ended: u32,
    /// Whether it is another's self-test that made it too hot.
    anothers: bool,
}

/// What sensor and SMART tell of the temperature of a drive that tests itself, the higher of both. Both have to be of this moment: an
/// old one ends a test that has just begun, or begins one too early.
pub fn warmest(sensed: Option<Celsius>, running: &Running) -> Option<Celsius> {
    sensed.max(celsius(running.temperature()))
}

/// What is to be done with the self-test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestAct {
    /// End it: the drive is at `at`. Readings go on while it cools.
    End {
        /// What it measured.
        at: Celsius,
    },
    /// Start it again: the drive has cooled to `at`.
    Again {
        /// What it measured.
        at: Celsius,
    },
    /// Start it no more; why, in words.
    GiveUp(String),
}

impl TestHeat {
    /// Watches a self-test that is about to start.
    pub fn new(limits: Limits) -> Self {
        Self {
            heat: Heat::new(limits),
            ended: 0,
            anothers: false,
        }
    }

    /// The limits it watches.
    pub fn limits(&self) -> Limits {
        self.heat.limits()
    }

    /// As [`Heat::restart_patience`].
    pub fn restart_patience(&mut self, now: Duration) {
        self.heat.restart_patience(now);
    }

    /// Why it is ended, or not started, at `at`, in words.
    pub fn words(&self, at: Celsius, phase: Phase) -> String {
        let (phase, resume) = (phase.label(), self.limits().resume);
        match self.anothers {
            true => {
                format!("{at}: too hot by another self-test that runs on the drive; the {phase} waits for {resume}")
            }
            false if self.ended > TRIES => format!("{at}: too hot; that was the last try of the {phase}"),
            false => format!("{at}: too hot; the {phase} starts again at {resume}"),
        }
    }

    /// Takes a reading while the end of another's self-test is waited for. Where it gives the temperature, that is too hot to start: readings
    /// go on by [`TestHeat::step`] while it cools.
    pub fn anothers(&mut self, now: Duration, reading: Option<Celsius>) -> Option<Celsius> {
        match self.heat.step(now, reading)? {
            Decision::Pause { at } => {
                self.anothers = true;
                Some(at)
            }
            Decision::Resume { .. } | Decision::GiveUp(_) => None,
        }
    }

    /// Takes a reading, or hears that there is none; `None`: as before. To be called as [`Heat::step`] is.
    pub fn step(&mut self, now: Duration, reading: Option<Celsius>) -> Option<TestAct> {
        Some(match self.heat.step(now, reading)? {
            Decision::Pause { at } => {
                self.ended += 1;
                self.anothers = false;
                TestAct::End { at }
            }
            Decision::Resume { at } if self.anothers || self.ended <= TRIES => TestAct::Again { at },
            Decision::Resume { .. } => {
                TestAct::GiveUp(format!("the drive grew too hot in each of {} tries", self.ended))
            }
            Decision::GiveUp(last) if self.anothers => TestAct::GiveUp(match self.limits().silent(last) {
                Some(why) => format!("another self-test runs on the drive; {why}"),
                None => format!(
                    "another self-test runs on the drive, which was at {} after {} minutes and had not cooled to {}",
                    last.at,
                    PATIENCE.as_secs() / 60,
                    self.limits().resume
                ),
            }),
            Decision::GiveUp(last) => TestAct::GiveUp(self.limits().gave_up(last)),
        })
    }
}

#[cfg(test)]
mod tests {
    use wire::drive::Rotation;

    use super::*;
    use crate::heat::Named;

    fn disk() -> TestHeat {
        TestHeat::new(Limits::of(Rotation::Unknown, &Named::default()))
    }

    #[test]
    fn a_hot_test_is_ended_and_starts_again_three_times_at_most() {
        let mut heat = disk();
        let (hot, cool) = (heat.limits().pause, heat.limits().resume);
        let mut now = Duration::ZERO;
        let mut step = |reading| {
            now += Duration::from_mins(1);
            heat.step(now, reading)
        };
        for _ in 0..TRIES {
            assert_eq!(step(Some(Celsius(hot.0 - 1))), None);
            assert_eq!(step(Some(hot)), Some(TestAct::End { at: hot }));
            assert_eq!(step(None), None, "a silent thermometer does not say that it cooled");
            assert_eq!(step(Some(cool)), Some(TestAct::Again { at: cool }));
        }
        assert_eq!(step(Some(hot)), Some(TestAct::End { at: hot }));
        let given_up = step(Some(cool));
        assert!(
            matches!(&given_up, Some(TestAct::GiveUp(why)) if why.contains("each of 4 tries")),
            "{given_up:?}"
        );
        assert!(heat.words(hot, Phase::SelfTestShort).contains("that was the last try"));
    }

    /// It is not ours to end, and none of our tries.
    #[test]
    fn the_heat_of_anothers_test_is_waited_out_and_given_up_like_our_own() {
        let mut heat = disk();
        let (hot, cool) = (heat.limits().pause, heat.limits().resume);
        let mut now = Duration::ZERO;
        let mut minute = || {
            now += Duration::from_mins(1);
            now
        };
        for _ in 0..=TRIES {
            assert_eq!(heat.anothers(minute(), Some(Celsius(hot.0 - 1))), None);
            assert_eq!(heat.anothers(minute(), Some(hot)), Some(hot));
            assert!(heat.words(hot, Phase::SelfTestShort).contains("another self-test"));
            assert_eq!(heat.step(minute(), Some(hot)), None);
            assert_eq!(heat.step(minute(), Some(cool)), Some(TestAct::Again { at: cool }));
        }
        assert_eq!(
            heat.step(minute(), Some(hot)),
            Some(TestAct::End { at: hot }),
            "its own"
        );
        assert!(!heat.words(hot, Phase::SelfTestShort).contains("another"));
        assert_eq!(heat.step(minute(), Some(cool)), Some(TestAct::Again { at: cool }));
        assert_eq!(heat.anothers(minute(), Some(hot)), Some(hot));
        let given_up = heat.step(minute() + PATIENCE, Some(hot));
        assert!(
            matches!(&given_up, Some(TestAct::GiveUp(why)) if why.contains("another self-test runs")),
            "{given_up:?}"
        );
    }

    #[test]
    fn a_drive_that_does_not_cool_is_given_up() {
        let mut heat = disk();
        let hot = heat.limits().pause;
        assert_eq!(heat.step(Duration::ZERO, Some(hot)), Some(TestAct::End { at: hot }));
        assert_eq!(heat.step(PATIENCE / 2, Some(hot)), None);
        let given_up = heat.step(PATIENCE, Some(hot));
        assert!(
            matches!(&given_up, Some(TestAct::GiveUp(why)) if why.contains("did not cool")),
            "{given_up:?}"
        );
        assert_eq!(heat.step(PATIENCE * 2, Some(hot)), None);
    }

    /// A bridge that answers nothing any more says nothing of the drive's heat.
    #[test]
    fn a_drive_whose_thermometer_fell_silent_is_not_told_to_have_stayed_as_hot() {
        for anothers in [false, true] {
            let mut heat = disk();
            let hot = heat.limits().pause;
            match anothers {
                true => assert_eq!(heat.anothers(Duration::ZERO, Some(hot)), Some(hot)),
                false => assert_eq!(heat.step(Duration::ZERO, Some(hot)), Some(TestAct::End { at: hot })),
            }
            assert_eq!(heat.step(Duration::from_mins(1), Some(Celsius(hot.0 - 5))), None);
            let Some(TestAct::GiveUp(why)) = heat.step(PATIENCE, None) else {
                panic!("it was not given up")
            };
            assert_eq!(why.contains("another self-test runs"), anothers, "{why}");
            let at = format!("told nothing for 29 minutes, after {}", Celsius(hot.0 - 5));
            assert!(why.contains(&at) && !why.contains("after 30 minutes"), "{why}");
        }
    }
}

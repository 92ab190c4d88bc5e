//! A self-test of the drive's own that grows too hot: nobody can pause it, so it is ended, and starts again when the drive has
//! cooled. Pure: time is passed in.
//!
//! ```text
//!            too hot                  cooled, and a try is left
//!  Running ───────────► Cooling ──────────────────────────────────► Running
//!                          │ 30 minutes without cooling, or too hot in every try
//!                          ▼
//!                       given up: INCONCLUSIVE
//! ```

use std::time::Duration;

use wire::Celsius;
use wire::job::Phase;

use crate::heat::{Decision, Heat, Limits};

/// How often a self-test that heat ended is started again.
const TRIES: u32 = 3;

/// Watches over the heat of a drive that tests itself.
#[derive(Clone, Debug)]
pub struct TestHeat {
    heat: Heat,
    ended: u32,
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
        }
    }

    /// The limits it watches.
    pub fn limits(&self) -> Limits {
        self.heat.limits()
    }

    /// Why it is ended at `at`, in words.
    pub fn words(&self, at: Celsius, phase: Phase) -> String {
        format!(
            "{at}: too hot; the {} starts again at {}",
            phase.label(),
            self.limits().resume
        )
    }

    /// Takes a reading, or hears that there is none; `None`: as before. To be called as [`Heat::step`] is.
    pub fn step(&mut self, now: Duration, reading: Option<Celsius>) -> Option<TestAct> {
        Some(match self.heat.step(now, reading)? {
            Decision::Pause { at } => {
                self.ended += 1;
                TestAct::End { at }
            }
            Decision::Resume { at } if self.ended <= TRIES => TestAct::Again { at },
            Decision::Resume { .. } => {
                TestAct::GiveUp(format!("the drive grew too hot in each of {} tries", self.ended))
            }
            Decision::GiveUp { at } => TestAct::GiveUp(self.limits().gave_up(at)),
        })
    }
}

#[cfg(test)]
mod tests {
    use wire::drive::Rotation;

    use super::*;
    use crate::heat::{Named, PATIENCE};

    fn disk() -> TestHeat {
        TestHeat::new(Limits::of(Rotation::Unknown, &Named::default()))
    }

    #[test]
    fn a_hot_test_is_ended_and_starts_again_three_times_at_most() {
        let mut heat = disk();
        let (hot, cool) = (heat.limits().pause, heat.limits().resume);
        let mut now = Duration::ZERO;
        let mut step = |reading| {
            now += Duration::from_secs(60);
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
}

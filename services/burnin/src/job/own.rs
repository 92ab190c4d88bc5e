//! The steps that are not the engine's (SMART, self-tests): which of them a session that goes on takes again, and which are still done
//! once the engine has ended.

use drive::smart::Switch;
use wire::job::{Phase, PhaseState, PhaseStatus, SelfTest, SelfTestOutcome};

use crate::evidence::Stop;

/// Has those steps taken again that were cut short, and SMART after: what it told then is not what the drive tells after this session.
///
/// A self-test that came to no result is made again, too, and how it ended before is forgotten: the next one tells, and as long as none
/// has, it is missing. `own`: the caller's own steps, by number.
pub fn take_again<'a>(own: impl IntoIterator<Item = (u16, &'a mut PhaseState)>, tests: &mut Vec<SelfTest>) {
    for (step, state) in own {
        let again = match state.status {
            PhaseStatus::Running | PhaseStatus::Interrupted => true,
            PhaseStatus::Pending | PhaseStatus::Done | PhaseStatus::Skipped => state.phase == Phase::SmartAfter,
        };
        if again {
            state.status = PhaseStatus::Pending;
            // Entries of older versions tell no step; their step is one that was cut short, too.
            let is_its = |test: &SelfTest| test.phase == state.phase && test.step.is_none_or(|of| of == step);
            tests.retain(|test| is_result(test.outcome) || !is_its(test));
        }
    }
}

/// Whether a self-test that ended so is not made again.
fn is_result(outcome: SelfTestOutcome) -> bool {
    match outcome {
        SelfTestOutcome::Passed | SelfTestOutcome::Failed | SelfTestOutcome::Unsupported => true,
        SelfTestOutcome::Aborted | SelfTestOutcome::Unknown => false,
    }
}

/// What is told of a reading of SMART where that is, or was, switched off.
pub fn switched(switch: Switch) -> Option<&'static str> {
    match switch {
        Switch::On => None,
        Switch::Off => Some("SMART is switched off on this drive: it tells nothing of its health"),
        Switch::SwitchedOn => Some("SMART was switched off on this drive, and was switched on"),
    }
}

/// The caller's own steps that are still done once the engine has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// All of them.
    All,
    /// What SMART tells after it, and no self-test of hours: it could change nothing.
    SmartAfter,
    /// None.
    Nothing,
}

impl Left {
    /// Of an engine that ended so; `None`: it ran to its end.
    pub fn of(stopped: Option<&Stop>) -> Self {
        match stopped {
            None => Self::All,
            Some(Stop::Disconnected | Stop::Stranger { .. }) => Self::Nothing,
            // One that hung or was taken may answer again, and it is asked with a deadline.
            Some(
                Stop::Asked { .. }
                | Stop::Engine { .. }
                | Stop::Resized { .. }
                | Stop::Hung
                | Stop::Reserved
                | Stop::FakeCapacity
                | Stop::TooManyErrors
                | Stop::FirstFault,
            ) => Self::SmartAfter,
        }
    }

    /// Whether a step of this phase is among them.
    pub fn has(self, phase: Phase) -> bool {
        match self {
            Self::All => true,
            Self::SmartAfter => phase == Phase::SmartAfter,
            Self::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::Bytes;

    use super::*;

    /// What a restart cuts short is made again: what stood there of it made the verdict INCONCLUSIVE for ever.
    #[test]
    fn a_self_test_that_is_made_again_leaves_no_entry_of_how_it_was_cut_short() {
        use PhaseStatus::{Done, Interrupted, Pending, Running, Skipped};
        use SelfTestOutcome::{Aborted, Failed, Passed, Unknown, Unsupported};
        let (short, extended) = (Phase::SelfTestShort, Phase::SelfTestExtended);
        let mut states = [
            (short, Done),
            (short, Interrupted),
            (extended, Running),
            (short, Skipped),
            (Phase::SmartBefore, Done),
            (Phase::SmartAfter, Done),
            (Phase::SmartAfter, Skipped),
        ]
        .map(|(phase, status)| PhaseState {
            status,
            ..PhaseState::pending(phase, "")
        });
        let entry = |step, phase, outcome| SelfTest {
            phase,
            outcome,
            told: String::new(),
            lba: None,
            step,
        };
        let kept = [
            entry(Some(0), short, Passed),
            entry(Some(2), extended, Failed),
            entry(Some(3), short, Unsupported),
            entry(None, short, Failed),
        ];
        let mut tests = kept.to_vec();
        tests.insert(1, entry(Some(1), short, Unknown));
        tests.insert(2, entry(Some(2), extended, Aborted));
        tests.push(entry(None, extended, Aborted));
        take_again((0..).zip(&mut states), &mut tests);
        assert_eq!(tests, kept);
        let told: Vec<PhaseStatus> = states.iter().map(|state| state.status).collect();
        assert_eq!(told, [Done, Pending, Pending, Skipped, Done, Pending, Pending]);
    }

    #[test]
    fn what_was_ended_early_is_tested_no_further_and_asked_wherever_it_may_answer() {
        let why = String::new;
        for (stop, left) in [
            (None, Left::All),
            (Some(Stop::Disconnected), Left::Nothing),
            (Some(Stop::Stranger { why: why() }), Left::Nothing),
            (Some(Stop::Asked { why: why() }), Left::SmartAfter),
            (Some(Stop::Engine { why: why() }), Left::SmartAfter),
            (Some(Stop::Resized { bytes: Bytes(0) }), Left::SmartAfter),
            (Some(Stop::Hung), Left::SmartAfter),
            (Some(Stop::Reserved), Left::SmartAfter),
            (Some(Stop::FakeCapacity), Left::SmartAfter),
            (Some(Stop::TooManyErrors), Left::SmartAfter),
            (Some(Stop::FirstFault), Left::SmartAfter),
        ] {
            assert_eq!(Left::of(stop.as_ref()), left, "{stop:?}");
            assert_eq!(left.has(Phase::SelfTestExtended), left == Left::All);
            assert_eq!(left.has(Phase::SmartAfter), left != Left::Nothing);
        }
    }
}

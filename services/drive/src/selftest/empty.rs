//! Whether an ATA drive's log was empty before the test, so that what is in it later was written since. Pure.
//!
//! Many drives count the hours in their log otherwise than their own, so that these prove nothing ([`super::hours`]). In a log that was
//! empty no entry can be older than the test. But two logs hold an ATA drive's tests, and smartctl shows the one where it cannot read
//! the other; a command may go wrong; somebody else's test may end a moment before ours begins, and its entry come late. So this is
//! only sure of the very log that was told empty before the start and again while the test ran, which later has one entry and no
//! other, while nothing runs, and while the drive's status beside it tells the same end. Anything else leaves it to the hours.
//!
//! ```text
//!            told empty             told empty, while one runs
//!  Unknown ─────────────► Before ──────────────────────────────► During
//!     ▲   at the start      │                                      │
//!     │                     │ any entry          an entry of       │
//!     └─────────────────────┴────────────────────another log, or ──┘
//!                                                while one runs
//! ```

use serde::{Deserialize, Serialize};

use super::{is_garbled, own};
use crate::smart::{Protocol, SelfTestLog, Snapshot};

/// What is known of the log from before the test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Empty {
    /// Not that it was empty; so it is of a test that an older version began.
    #[default]
    Unknown,
    /// This one was empty before the start.
    Before(SelfTestLog),
    /// It was so before the start, and while the test ran: what has joined it since is of this test, or of a later one.
    During(SelfTestLog),
}

impl Empty {
    /// What the drive told before the start says. A status that tells of a failure has lost its entry, or has it still to write.
    pub(super) fn of(before: &Snapshot) -> Self {
        let is_empty = before.protocol == Protocol::Ata && before.self_tests.is_empty() && !is_garbled(before);
        match before.self_test_log {
            Some(log) if is_empty && !before.self_test_failed => Self::Before(log),
            Some(_) | None => Self::Unknown,
        }
    }

    /// Takes a later answer of the same drive by the same command set.
    pub(super) fn look(&mut self, now: &Snapshot) {
        let (Self::Before(log) | Self::During(log)) = *self else {
            return;
        };
        let is_it = now.self_test_log == Some(log) && !is_garbled(now);
        let runs = now.self_test_remaining.is_some();
        if own::ended(&now.self_tests).is_empty() {
            if is_it && runs {
                *self = Self::During(log);
            }
        } else if !is_it || runs || *self == Self::Before(log) {
            *self = Self::Unknown;
        }
    }

    /// Whether the one entry that the drive's log has now cannot have been there before the start.
    pub(super) fn proves(self, now: &Snapshot) -> bool {
        let Self::During(log) = self else { return false };
        let [entry] = now.self_tests.as_slice() else {
            return false;
        };
        now.self_test_log == Some(log)
            && now.self_test_remaining.is_none()
            && now.self_test_failed == (entry.passed == Some(false))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use wire::job::SelfTestOutcome;

    use crate::selftest::{Kind, Running, Step, own};
    use crate::smart::{Protocol, SelfTest, SelfTestAbility, SelfTestLog, Snapshot};

    const EXTENDED: Option<SelfTestLog> = Some(SelfTestLog::Extended);
    const STANDARD: Option<SelfTestLog> = Some(SelfTestLog::Standard);

    /// An entry of hours that are not the drive's (900).
    fn entry(kind: &str, passed: Option<bool>) -> SelfTest {
        own::tests::entry(kind, 3, passed)
    }

    fn short(passed: Option<bool>) -> SelfTest {
        entry("Short offline", passed)
    }

    fn drive(log: Option<SelfTestLog>, entries: &[SelfTest], remaining: Option<u8>) -> Snapshot {
        Snapshot {
            protocol: Protocol::Ata,
            self_tests: entries.to_vec(),
            self_test_log: log,
            self_test_remaining: remaining,
            self_test_failed: entries.first().is_some_and(|entry| entry.passed == Some(false)),
            self_test: SelfTestAbility {
                supported: Some(true),
                log_told: true,
                short_minutes: Some(2),
                extended_minutes: Some(60),
            },
            power_on_hours: Some(900),
            ..Snapshot::default()
        }
    }

    /// What a short test comes to whose drive told `looks`, the first of them before the start, and the last one for ever.
    fn result(looks: &[Snapshot]) -> SelfTestOutcome {
        let (before, later) = looks.split_first().expect("a look before the start");
        let mut running = Running::new(Kind::Short, before, true);
        let last = later.last().expect("a look after it");
        for (n, now) in (1..).zip(later.iter().chain(std::iter::repeat_n(last, 200))) {
            if let Step::Ended(test) = running.step(Duration::from_secs(10 * n), now) {
                return test.outcome;
            }
        }
        panic!("it never ended");
    }

    #[test]
    fn an_entry_in_the_log_that_was_empty_while_the_test_ran_is_its_own_whatever_its_hours() {
        for log in [EXTENDED, STANDARD] {
            for (passed, outcome) in [
                (Some(true), SelfTestOutcome::Passed),
                (Some(false), SelfTestOutcome::Failed),
                (None, SelfTestOutcome::Aborted),
            ] {
                let (before, runs) = (drive(log, &[], None), drive(log, &[], Some(60)));
                let after = drive(log, &[short(passed)], None);
                assert_eq!(result(&[before.clone(), runs, after.clone()]), outcome);
                // Many list the one that runs, which is no result.
                let listed = SelfTest {
                    status: "Self-test routine in progress".into(),
                    ..short(None)
                };
                let runs = drive(log, &[listed], Some(60));
                assert_eq!(result(&[before.clone(), runs.clone(), after.clone()]), outcome);
                // Another one of the log's looks may fail, if it shows no entry.
                for fails in [drive(None, &[], Some(30)), drive(None, &[], None)] {
                    assert_eq!(result(&[before.clone(), runs.clone(), fails, after.clone()]), outcome);
                }
            }
        }
    }

    #[test]
    fn a_log_that_was_not_read_or_is_another_one_proves_nothing() {
        let all = [None, EXTENDED, STANDARD];
        for n in 0..27 {
            let (before, runs, after) = (all[n % 3], all[n / 3 % 3], all[n / 9]);
            if before.is_some() && before == runs && runs == after {
                continue;
            }
            let looks = [
                drive(before, &[], None),
                drive(runs, &[], Some(60)),
                drive(after, &[short(Some(true))], None),
            ];
            assert_eq!(
                result(&looks),
                SelfTestOutcome::Unknown,
                "{before:?} {runs:?} {after:?}"
            );
        }
        // Nor does one that came with a wrong checksum, at any time.
        for garbled in 0..3 {
            let mut looks = [
                drive(EXTENDED, &[], None),
                drive(EXTENDED, &[], Some(60)),
                drive(EXTENDED, &[short(Some(true))], None),
            ];
            looks[garbled].wrong_checksums = vec!["SMART Extended Self-test Log Structure".into()];
            assert_eq!(result(&looks), SelfTestOutcome::Unknown, "{garbled}");
        }
    }

    /// The extended log once cannot be read, and the standard one has older tests: so the extended one was not told as it is.
    #[test]
    fn a_log_beside_another_one_with_entries_was_not_empty() {
        let (before, runs) = (drive(EXTENDED, &[], None), drive(EXTENDED, &[], Some(60)));
        let old = [short(Some(true))];
        let after = drive(EXTENDED, &old, None);
        for other in [
            drive(STANDARD, &old, Some(30)),
            drive(STANDARD, &old, None),
            drive(None, &old, Some(30)),
            drive(None, &old, None),
        ] {
            assert_eq!(
                result(&[before.clone(), other.clone(), runs.clone(), after.clone()]),
                SelfTestOutcome::Unknown
            );
            assert_eq!(
                result(&[before.clone(), runs.clone(), other, after.clone()]),
                SelfTestOutcome::Unknown
            );
        }
    }

    /// Somebody else's ended a moment before ours was started, and its entry comes late; or was started over ours.
    #[test]
    fn an_entry_that_may_be_anothers_is_no_result() {
        let (before, runs) = (drive(EXTENDED, &[], None), drive(EXTENDED, &[], Some(60)));
        let passed = [short(Some(true))];
        let (beside, after) = (drive(EXTENDED, &passed, Some(30)), drive(EXTENDED, &passed, None));
        for looks in [
            // It was never seen to run in an empty log.
            vec![before.clone(), after.clone()],
            vec![before.clone(), after.clone(), runs.clone(), after.clone()],
            vec![before.clone(), beside.clone(), after.clone()],
            // There is an entry while ours still runs.
            vec![before.clone(), runs.clone(), beside.clone()],
            vec![before.clone(), runs.clone(), beside, after.clone()],
            // Another type.
            vec![
                before.clone(),
                runs.clone(),
                drive(EXTENDED, &[entry("Extended offline", Some(true))], None),
            ],
            // More than this one's.
            vec![
                before.clone(),
                runs.clone(),
                drive(
                    EXTENDED,
                    &[short(Some(true)), entry("Extended offline", Some(true))],
                    None,
                ),
            ],
            vec![
                before.clone(),
                runs.clone(),
                drive(EXTENDED, &[short(Some(true)), short(Some(false))], None),
            ],
            // An index that counts from zero: a full log told as empty.
            vec![
                before.clone(),
                runs.clone(),
                drive(EXTENDED, &vec![short(Some(true)); 21], None),
            ],
        ] {
            assert_eq!(result(&looks), SelfTestOutcome::Unknown, "{looks:?}");
        }
        // The status beside the log tells of another end, before or after.
        for at in [0, 2] {
            let mut looks = [before.clone(), runs.clone(), after.clone()];
            looks[at].self_test_failed = true;
            assert_eq!(result(&looks), SelfTestOutcome::Unknown, "{at}");
        }
        let mut unsaid = drive(EXTENDED, &[short(Some(false))], None);
        unsaid.self_test_failed = false;
        assert_eq!(result(&[before, runs, unsaid]), SelfTestOutcome::Unknown);
    }

    #[test]
    fn a_log_that_had_entries_and_was_cleared_or_is_full_is_judged_as_ever() {
        let (old, passed) = ([short(None)], [short(Some(true))]);
        let runs = drive(EXTENDED, &[], Some(60));
        let cleared = [drive(EXTENDED, &old, None), runs, drive(EXTENDED, &passed, None)];
        assert_eq!(result(&cleared), SelfTestOutcome::Unknown);
        // Counts that end at 21 say nothing of a new entry like the old ones.
        let full = vec![short(Some(true)); 21];
        let still = [
            drive(STANDARD, &full, None),
            drive(STANDARD, &full, Some(60)),
            drive(STANDARD, &full, None),
        ];
        assert_eq!(result(&still), SelfTestOutcome::Unknown);
    }

    /// The one has what the other lacks, below ours, which failed.
    #[test]
    fn an_old_pass_that_only_the_other_log_has_is_no_result() {
        let [passed, failed] = [true, false].map(|passed| short(Some(passed)));
        let before = drive(EXTENDED, std::slice::from_ref(&failed), None);
        let runs = drive(EXTENDED, std::slice::from_ref(&failed), Some(60));
        for log in [STANDARD, None] {
            let mut after = drive(log, &[failed.clone(), passed.clone(), failed.clone()], None);
            assert_eq!(
                result(&[before.clone(), runs.clone(), after.clone()]),
                SelfTestOutcome::Unknown
            );
            // Its hours prove one that is new in the other log, too.
            after.self_tests.remove(1);
            after.self_tests[0].hours = Some(900);
            assert_eq!(result(&[before.clone(), runs.clone(), after]), SelfTestOutcome::Failed);
        }
    }

    #[test]
    fn a_test_that_an_older_version_began_is_followed_as_it_was() {
        let mut running = Running::new(Kind::Short, &drive(EXTENDED, &[], None), true);
        running.step(Duration::from_secs(10), &drive(EXTENDED, &[], Some(60)));
        let kept = serde_json::to_value(&running).expect("it serialises");
        let after = drive(EXTENDED, &[short(Some(true))], None);
        let mut older = kept.clone();
        older.as_object_mut().expect("an object").remove("empty");
        for (kept, is_over) in [(kept, true), (older, false)] {
            let mut running: Running = serde_json::from_value(kept).expect("it was written so");
            assert_eq!(running.over(&after).is_some(), is_over);
            let step = running.step(Duration::from_secs(20), &after);
            assert_eq!(matches!(step, Step::Ended(_)), is_over);
        }
    }

    proptest! {
        /// Two logs, either of which may lack what the other one has; each look shows one of them, and the later ones may not say
        /// which.
        #[test]
        fn no_older_entry_is_ever_a_result(
            extended in proptest::collection::vec(prop::sample::select(vec![Some(true), Some(false), None]), 0..23),
            standard in proptest::collection::vec(prop::sample::select(vec![Some(true), Some(false), None]), 0..23),
            ours in prop::sample::select(vec![Some(Some(true)), Some(Some(false)), Some(None), None]),
            shown in proptest::collection::vec((any::<bool>(), 0..4_u8), 5),
        ) {
            let look = |n: usize, remaining: Option<u8>| {
                let (is_extended, told) = shown[n];
                let (old, longest) = if is_extended { (&extended, 19) } else { (&standard, 21) };
                // The last two are after the end.
                let new = ours.filter(|_| n >= 3);
                let entries: Vec<SelfTest> = new.iter().chain(old).map(|passed| short(*passed)).take(longest).collect();
                let log = if is_extended { EXTENDED } else { STANDARD };
                Snapshot {
                    self_test_failed: new == Some(Some(false)),
                    ..drive(log.filter(|_| n == 0 || told > 0), &entries, remaining)
                }
            };
            let looks = [look(0, None), look(1, Some(60)), look(2, Some(10)), look(3, None), look(4, None)];
            match result(&looks) {
                SelfTestOutcome::Passed => prop_assert_eq!(ours, Some(Some(true))),
                SelfTestOutcome::Failed => prop_assert_eq!(ours, Some(Some(false))),
                SelfTestOutcome::Aborted => prop_assert_eq!(ours, Some(None)),
                SelfTestOutcome::Unknown | SelfTestOutcome::Unsupported => {}
            }
        }
    }
}

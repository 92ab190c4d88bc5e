//! Whether a SCSI drive's log that is full of equal entries has a new one like them. Pure.
//!
//! A disk that was tested daily for years has twenty entries that differ in nothing: their 16 bits for the hours stand at the highest.
//! Another pass pushes out one that is like it, and the log looks as before. So what it showed in between has to tell: while a test
//! runs, the log has it as its newest entry, "in progress", in the place of one that ended.
//!
//! ```text
//!            in progress above 19 of them        20 of them, none runs
//!  Before ───────────────────────────► During ────────────────────────► After ── 2 minutes later the same ─► proven
//!    │                                   ▲ │                              │ │
//!    │                                   └─┼───────── another runs ───────┘ │
//!    └─────────────────────────────────────┴────────────────────────────────┴─► Unknown
//!              another entry, a log of another length, a start-stop cycle, too long between two looks
//! ```
//!
//! Why it is sound, with what could look alike and is none of it:
//!
//! - *An old entry in the place of the new one.* Some firmware adds the running test only while it is asked, and writes its entry after
//!   the end; until then the twenty old ones show again. So the log has to stay so for [`ENTRY_LATE`] beside a drive that says that
//!   nothing runs: by then an entry of a failure would stand there, and is found as one that differs.
//! - *A test that left no entry.* Every test that ends, is aborted or is ended by a reset has to leave one (SPC-5, self-test operations and
//!   log page 10h), but a loss of power ends both. A drive that starts again counts a cycle (log page 0Eh); one that does not tell its
//!   count proves nothing. Nor does a test that we ordered to end ([`super::Running::note_end_ordered`]), even where the order seemed to
//!   fail: not every drive notes those.
//! - *A test that another began.* It may have run in place of ours, if it is of the same type; it passed since ours was ordered, by this
//!   drive's own word. One of another type, or two that run, prove nothing. A failure of ours below another's pass is an entry that
//!   differs.
//! - *A failure that was pushed out.* Twenty tests take longer than [`LOOKS_APART`], beyond which two looks prove nothing.
//! - *A log that was cleared* has fewer entries, and is not full again without twenty tests.
//!
//! It is asked last: an entry that differs from all before is found by [`super::own`], and is judged alone. ATA is none of this: it has
//! two logs, and its hours run over. Tested below against logs of drives of all these kinds.

use serde::{Deserialize, Serialize};

use super::{ENTRY_LATE, Kind, SILENT, own};
use crate::smart::{Protocol, SelfTest, Snapshot};

/// Entries of a SCSI drive's log (SPC-5, log page 10h).
const ENTRIES: usize = 20;

/// Longest between the look that shows a test running and the one that shows it over, in seconds. Twenty short tests take half an hour.
const LOOKS_APART: u64 = SILENT;

/// What the log has shown of the test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Full {
    /// Nothing that proves anything; so it is of a test that an older version began.
    #[default]
    Unknown,
    /// It was full of equal entries before the start, or had one less. `cycles`: start-stop cycles by then, of the others alike.
    Before {
        /// Start-stop cycles.
        cycles: u64,
    },
    /// One of the test's type is in progress.
    During {
        /// Start-stop cycles.
        cycles: u64,
        /// Seconds after the start of the test at which it was last seen so.
        seen: u64,
    },
    /// It was in progress, and now all entries are of tests that ended.
    After {
        /// Start-stop cycles.
        cycles: u64,
        /// Seconds after the start of the test at which that was first seen.
        since: u64,
    },
}

impl Full {
    /// What the drive told before the start says.
    pub(super) fn of(kind: Kind, before: &Snapshot) -> Self {
        let log = &before.self_tests;
        let is_full = (ENTRIES - 1..=ENTRIES).contains(&log.len()) && own::ended(log).len() == log.len();
        let is_alike = log
            .first()
            .is_some_and(|first| kind.matches(&first.kind) && log.iter().all(|entry| entry == first));
        match before.start_stop_cycles {
            Some(cycles) if before.protocol == Protocol::Scsi && is_full && is_alike => Self::Before { cycles },
            Some(_) | None => Self::Unknown,
        }
    }

    /// Takes an answer of the same drive by the same command set, `second`s after the start. `before`: the log from before it.
    pub(super) fn look(&mut self, kind: Kind, before: &[SelfTest], second: u64, now: &Snapshot) {
        let cycles = match *self {
            Self::Unknown => return,
            Self::Before { cycles } | Self::During { cycles, .. } | Self::After { cycles, .. } => cycles,
        };
        // How long looks may fail is limited.
        let Some(counted) = counted(now) else { return };
        let is_same = counted == cycles;
        *self = match (running(kind, before, now), *self) {
            (Some(true), _) if is_same => Self::During { cycles, seen: second },
            (Some(false), Self::During { seen, .. }) if is_same && second.saturating_sub(seen) <= LOOKS_APART => {
                Self::After { cycles, since: second }
            }
            // One that has not begun shows what it showed before.
            (_, Self::Before { .. }) if is_same && now.self_tests == before => *self,
            (Some(false), Self::After { .. }) if is_same => *self,
            (Some(_) | None, _) => Self::Unknown,
        };
    }

    /// Whether `second`s after the start another look may prove what this one does not yet.
    pub(super) fn waits(self, second: u64, now: &Snapshot) -> bool {
        let Self::After { since, .. } = self else { return false };
        let waited = second.saturating_sub(since);
        waited < ENTRY_LATE || (waited < LOOKS_APART && counted(now).is_none())
    }

    /// The test's own entry, if what was seen proves that it is one of the equal ones that the log has `now`, at the same `second` that
    /// [`Full::look`] took it.
    pub(super) fn entry(self, kind: Kind, before: &[SelfTest], second: u64, now: &Snapshot) -> Option<SelfTest> {
        let Self::After { cycles, since } = self else {
            return None;
        };
        let is_so = now.start_stop_cycles == Some(cycles) && running(kind, before, now) == Some(false);
        let is_late = second.saturating_sub(since) >= ENTRY_LATE;
        (is_so && is_late).then(|| before.first().cloned()).flatten()
    }
}

/// Start-stop cycles of an answer that tells the log, too: one command that failed says nothing of either.
fn counted(now: &Snapshot) -> Option<u64> {
    now.start_stop_cycles.filter(|_| !now.self_tests.is_empty())
}

/// Whether the log has a test of this kind in progress above nineteen entries like those before, or twenty like those and none; `None`:
/// it has anything else.
fn running(kind: Kind, before: &[SelfTest], now: &Snapshot) -> Option<bool> {
    let ended = own::ended(&now.self_tests);
    let (log, old) = (&now.self_tests, before.first()?);
    if log.len() != ENTRIES || ended.iter().any(|entry| *entry != old) {
        return None;
    }
    let newest = log.first()?;
    match (ENTRIES - ended.len(), now.self_test_remaining) {
        (0, None) => Some(false),
        (1, Some(_)) if kind.matches(&newest.kind) && newest != old => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use wire::job::SelfTestOutcome;

    use super::*;
    use crate::selftest::{Running, Step};
    use crate::smart::SelfTestAbility;

    const SHORT: &str = "Background short";
    const LONG: &str = "Background long";

    /// As smartctl tells one of a drive that counts more hours than the log has room for.
    fn entry(kind: &str, passed: Option<bool>) -> SelfTest {
        SelfTest {
            kind: kind.to_owned(),
            status: match passed {
                Some(true) => "Completed",
                Some(false) => "Failed in segment -->",
                None => "Aborted (by user command)",
            }
            .to_owned(),
            passed,
            hours: Some(0xffff),
            lba: None,
        }
    }

    fn in_progress(kind: &str) -> SelfTest {
        SelfTest {
            status: "Self test in progress ...".to_owned(),
            hours: None,
            ..entry(kind, None)
        }
    }

    fn told(log: &[SelfTest], cycles: Option<u64>) -> Snapshot {
        let runs = log.iter().any(|entry| entry.status.contains("in progress"));
        Snapshot {
            protocol: Protocol::Scsi,
            self_tests: log.to_vec(),
            self_test_remaining: runs.then_some(100),
            self_test: SelfTestAbility {
                log_told: true,
                short_minutes: Some(2),
                ..SelfTestAbility::default()
            },
            power_on_hours: Some(80_000),
            start_stop_cycles: cycles,
            ..Snapshot::default()
        }
    }

    fn full(kind: &str) -> Vec<SelfTest> {
        vec![entry(kind, Some(true)); ENTRIES]
    }

    /// The log while one runs.
    fn beside(newest: SelfTest, log: &[SelfTest]) -> Vec<SelfTest> {
        std::iter::once(newest)
            .chain(log.iter().cloned())
            .take(ENTRIES)
            .collect()
    }

    /// What a short test comes to whose drive told `looks`, one in five seconds, the first of them before the start, and the last one
    /// for ever.
    fn result(looks: &[Snapshot]) -> SelfTestOutcome {
        let (before, later) = looks.split_first().expect("a look before the start");
        let mut running = Running::new(Kind::Short, before, true);
        let last = later.last().expect("a look after it");
        for (n, now) in (1..).zip(later.iter().chain(std::iter::repeat_n(last, 200))) {
            // Whoever is started anew meanwhile goes on following it.
            let kept = serde_json::to_string(&running).expect("it serialises");
            running = serde_json::from_str(&kept).expect("it was written so");
            if let Step::Ended(test) = running.step(Duration::from_secs(5 * n), now) {
                return test.outcome;
            }
        }
        panic!("it never ended");
    }

    #[test]
    fn a_new_pass_in_a_log_full_of_equal_ones_is_its_own_once_it_was_seen_to_run() {
        for before in [full(SHORT), full(SHORT)[1..].to_vec()] {
            let runs = told(&beside(in_progress(SHORT), &before), Some(70));
            let (before, after) = (told(&before, Some(70)), told(&full(SHORT), Some(70)));
            let looks = [
                before.clone(),
                before.clone(),
                runs.clone(),
                runs.clone(),
                after.clone(),
            ];
            assert_eq!(result(&looks), SelfTestOutcome::Passed);
            // A command that failed once, or lacks a log, is no look.
            for fails in [told(&[], Some(70)), told(&[], None), told(&full(SHORT), None)] {
                let looks = [
                    before.clone(),
                    runs.clone(),
                    fails.clone(),
                    runs.clone(),
                    fails,
                    after.clone(),
                ];
                assert_eq!(result(&looks), SelfTestOutcome::Passed);
            }
        }
    }

    /// As smartctl 7.4 prints the log of an old SAS disk.
    fn document(is_running: bool) -> Snapshot {
        let mut told = serde_json::json!({
            "smartctl": {"version": [7, 4], "exit_status": 0},
            "device": {"name": "/dev/sda", "type": "scsi", "protocol": "SCSI"},
            "smart_status": {"passed": true},
            "power_on_time": {"hours": 81_234, "minutes": 5},
            "scsi_start_stop_cycle_counter": {"accumulated_start_stop_cycles": 70, "accumulated_load_unload_cycles": 3472},
        });
        for n in 0..ENTRIES {
            told[format!("scsi_self_test_{n}")] = match (n, is_running) {
                (0, true) => serde_json::json!({
                    "code": {"value": 1, "string": SHORT},
                    "result": {"value": 15, "string": "Self test in progress ..."},
                    "self_test_in_progress": true,
                }),
                _ => serde_json::json!({
                    "code": {"value": 1, "string": SHORT},
                    "result": {"value": 0, "string": "Completed"},
                    "power_on_time": {"hours": 65_535, "aka": "accumulated_power_on_hours"},
                }),
            };
        }
        crate::smart::parse(told.to_string().as_bytes()).expect("a document")
    }

    #[test]
    fn an_old_sas_disk_with_twenty_equal_passes_passes_another() {
        let [runs, rests] = [true, false].map(document);
        let looks = [rests.clone(), runs.clone(), runs, rests.clone()];
        assert_eq!(result(&looks), SelfTestOutcome::Passed);
        assert_eq!(result(&[rests.clone(), rests]), SelfTestOutcome::Unknown);
    }

    #[test]
    fn a_log_full_of_equal_entries_proves_nothing_by_itself() {
        let (before, runs) = (full(SHORT), beside(in_progress(SHORT), &full(SHORT)));
        let at = |log: &[SelfTest]| told(log, Some(70));
        let (long, failed) = (entry(LONG, Some(true)), entry(SHORT, Some(false)));
        for (what, looks) in [
            ("never seen to run", vec![at(&before), at(&before)]),
            (
                "without power since",
                vec![at(&before), at(&runs), told(&before, Some(71))],
            ),
            (
                "so before it was over",
                vec![at(&before), told(&runs, Some(71)), told(&before, Some(71))],
            ),
            ("cycles not told", vec![at(&before), at(&runs), told(&before, None)]),
            (
                "cycles never told",
                vec![told(&before, None), told(&runs, None), told(&before, None)],
            ),
            (
                "another type",
                vec![at(&before), at(&beside(in_progress(LONG), &before)), at(&before)],
            ),
            ("cleared", vec![at(&before), at(&runs), at(&before[..1])]),
            (
                "cleared and full again",
                vec![at(&before), at(&runs), at(&before[..1]), at(&before)],
            ),
            ("its entry is gone", vec![at(&before), at(&runs), at(&before[1..])]),
            (
                "another's above it",
                vec![at(&before), at(&runs), at(&beside(long, &before)), at(&before)],
            ),
        ] {
            assert_eq!(result(&looks), SelfTestOutcome::Unknown, "{what}");
        }
        // Some write their entry late.
        for late in [1, 10, 20] {
            let mut looks = vec![at(&before), at(&runs)];
            looks.extend(vec![at(&before); late]);
            looks.push(at(&beside(failed.clone(), &before)));
            assert_eq!(result(&looks), SelfTestOutcome::Failed, "{late}");
        }
        let aborted = at(&beside(entry(SHORT, None), &before));
        assert_eq!(
            result(&[at(&before), at(&runs), at(&before), aborted]),
            SelfTestOutcome::Aborted
        );
    }

    #[test]
    fn a_test_that_was_ordered_to_end_or_was_out_of_sight_for_long_is_unknown() {
        let (before, runs) = (
            told(&full(SHORT), Some(70)),
            told(&beside(in_progress(SHORT), &full(SHORT)), Some(70)),
        );
        for (is_ordered, later, is_passed) in [(false, 600, true), (false, 601, false), (true, 20, false)] {
            let mut running = Running::new(Kind::Short, &before, true);
            running.limits.longest = Duration::from_hours(2);
            running.step(Duration::from_secs(10), &runs);
            if is_ordered {
                assert!(running.note_end_ordered());
                assert!(!running.note_end_ordered());
            }
            let steps =
                [later, later + 119, later + 120].map(|second| running.step(Duration::from_secs(10 + second), &before));
            let [Step::Running { .. }, Step::Running { .. }, Step::Ended(test)] = steps else {
                panic!("{steps:?}");
            };
            assert_eq!(
                test.outcome == SelfTestOutcome::Passed,
                is_passed,
                "{is_ordered} {later}"
            );
        }
    }

    /// One that ends when it should long have ended may have its entry still to write, too.
    #[test]
    fn the_entry_of_a_test_that_took_longest_is_waited_for() {
        let before = told(&full(SHORT), Some(70));
        let runs = told(&beside(in_progress(SHORT), &full(SHORT)), Some(70));
        let failed = told(&beside(entry(SHORT, Some(false)), &full(SHORT)), Some(70));
        for (last, outcome) in [(&before, SelfTestOutcome::Passed), (&failed, SelfTestOutcome::Failed)] {
            let mut running = Running::new(Kind::Short, &before, true);
            running.limits.longest = Duration::from_mins(1);
            running.step(Duration::from_secs(55), &runs);
            for second in [60, 179] {
                let step = running.step(Duration::from_secs(second), &before);
                assert!(matches!(step, Step::Running { .. }), "{second}: {step:?}");
            }
            let Step::Ended(test) = running.step(Duration::from_mins(3), last) else {
                panic!("it still runs");
            };
            assert_eq!(test.outcome, outcome);
        }
    }

    /// What happens to the drive, and how many seconds after the one before.
    #[derive(Debug, Clone)]
    enum Event {
        /// A test begins, where none runs: ours or another's.
        Begins(&'static str),
        /// It ends so.
        Ends(Option<bool>),
        /// Its power goes and comes back: a test that runs leaves no entry.
        PowerLoss,
        Cleared,
    }

    fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
        let event = prop_oneof![
            3 => Just(Event::Begins(SHORT)),
            1 => Just(Event::Begins(LONG)),
            4 => prop::sample::select(vec![Some(true), Some(true), Some(false), None]).prop_map(Event::Ends),
            1 => Just(Event::PowerLoss),
            1 => Just(Event::Cleared),
        ];
        prop::collection::vec((0_u64..400, event), 0..8)
    }

    /// A SCSI drive's log.
    #[derive(Debug)]
    struct Model {
        /// Whether the test that runs has an entry that is kept; else it is only shown.
        keeps_running: bool,
        /// Seconds after which an entry is written.
        late: u64,
        log: Vec<SelfTest>,
        runs: Option<&'static str>,
        unwritten: Option<(u64, SelfTest)>,
        cycles: u64,
        /// Those that passed since the first began, and those of the short type that did anything else, by what the log has.
        passed: u64,
    }

    impl Model {
        fn pass_time(&mut self, now: u64) {
            if let Some((_, entry)) = self.unwritten.take_if(|(at, _)| *at <= now) {
                self.log = beside(entry, &self.log);
            }
        }

        fn take(&mut self, now: u64, event: &Event) {
            // A drive writes the last entry before it begins anew.
            self.pass_time(u64::MAX);
            match event {
                Event::Begins(kind) if self.runs.is_none() => {
                    self.runs = Some(kind);
                    if self.keeps_running {
                        self.log = beside(in_progress(kind), &self.log);
                    }
                }
                Event::Ends(passed) if let Some(kind) = self.runs.take() => {
                    self.passed += u64::from(kind == SHORT && *passed == Some(true));
                    match self.keeps_running {
                        true => self.log[0] = entry(kind, *passed),
                        false => self.unwritten = Some((now + self.late, entry(kind, *passed))),
                    }
                }
                Event::PowerLoss => {
                    if self.runs.take().is_some() && self.keeps_running {
                        self.log.remove(0);
                    }
                    self.cycles += 1;
                }
                Event::Cleared => {
                    self.log
                        .truncate(usize::from(self.runs.is_some() && self.keeps_running));
                }
                Event::Begins(_) | Event::Ends(_) => {}
            }
        }

        fn look(&self, tells_cycles: bool) -> Snapshot {
            let log = match self.runs {
                Some(kind) if !self.keeps_running => beside(in_progress(kind), &self.log),
                Some(_) | None => self.log.clone(),
            };
            told(&log, tells_cycles.then_some(self.cycles))
        }
    }

    /// Mostly one long row of equal entries.
    fn old_logs() -> impl Strategy<Value = Vec<SelfTest>> {
        let one = || {
            (any::<bool>(), prop::sample::select(vec![Some(true), Some(false), None]))
                .prop_map(|(short, passed)| entry(if short { SHORT } else { LONG }, passed))
        };
        prop_oneof![
            4 => Just(full(SHORT)),
            1 => (0..ENTRIES).prop_map(|n| full(SHORT)[n..].to_vec()),
            1 => (one(), 0..=ENTRIES).prop_map(|(one, n)| vec![one; n]),
            1 => (one(), 0..ENTRIES).prop_map(|(one, n)| {
                let mut log = full(SHORT);
                log[n] = one;
                log
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Of all drives, with others' tests, failures, losses of power and cleared logs in between, and looks that fail.
        #[test]
        fn no_old_entry_of_a_full_log_is_ever_a_pass(
            old in old_logs(),
            keeps_running in any::<bool>(),
            late in 0_u64..118,
            is_begun in prop::bool::weighted(0.9),
            events in events(),
            every in 5_u64..120,
            fails in prop::collection::vec(0..12_u8, 400),
        ) {
            let mut drive = Model {
                keeps_running,
                late,
                log: old,
                runs: None,
                unwritten: None,
                cycles: 70,
                passed: 0,
            };
            let mut running = Running::new(Kind::Short, &drive.look(true), is_begun);
            running.limits.longest = Duration::from_hours(6);
            if is_begun {
                drive.take(0, &Event::Begins(SHORT));
            }
            let mut when = 0;
            let mut events = events.iter().map(|(after, event)| {
                when += after;
                (when, event)
            }).peekable();
            for (n, fails) in (1..).zip(&fails) {
                let now = every * n;
                while let Some((at, event)) = events.next_if(|(at, _)| *at <= now) {
                    drive.pass_time(at);
                    drive.take(at, event);
                }
                drive.pass_time(now);
                let seen = match fails {
                    0 => running.silent(Duration::from_secs(now), "no answer"),
                    1 => running.step(Duration::from_secs(now), &drive.look(false)),
                    _ => running.step(Duration::from_secs(now), &drive.look(true)),
                };
                if let Step::Ended(test) = seen {
                    prop_assert!(
                        test.outcome != SelfTestOutcome::Passed || drive.passed > 0,
                        "{}: {:?}", test.told, drive
                    );
                    break;
                }
            }
        }

        /// And one that nothing disturbs is found, however the drive writes its log.
        #[test]
        fn a_pass_that_nothing_disturbs_is_always_found(
            keeps_running in any::<bool>(),
            late in 0_u64..118,
            lasts in 30_u64..3_000,
            every in 5_u64..20,
            passed in prop::sample::select(vec![Some(true), Some(false), None]),
        ) {
            let mut drive = Model {
                keeps_running,
                late,
                log: full(SHORT),
                runs: None,
                unwritten: None,
                cycles: 70,
                passed: 0,
            };
            let mut running = Running::new(Kind::Short, &drive.look(true), true);
            running.limits.longest = Duration::from_hours(6);
            drive.take(0, &Event::Begins(SHORT));
            let mut ends = vec![Event::Ends(passed)];
            let outcome = (1..).map(|n| every * n).find_map(|now| {
                if now >= lasts && let Some(event) = ends.pop() {
                    drive.take(now, &event);
                }
                drive.pass_time(now);
                match running.step(Duration::from_secs(now), &drive.look(true)) {
                    Step::Ended(test) => Some(test.outcome),
                    Step::Running { .. } => None,
                }
            });
            let want = match passed {
                Some(true) => SelfTestOutcome::Passed,
                Some(false) => SelfTestOutcome::Failed,
                None => SelfTestOutcome::Aborted,
            };
            prop_assert_eq!(outcome, Some(want));
        }
    }
}

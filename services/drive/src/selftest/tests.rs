#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::unchecked_time_subtraction,
    reason = "tests"
)]

use super::start::{BUSY, OTHERS, UNTOLD, busy, lacks, understood};
use super::*;
use crate::smart::{Answer, SelfTestAbility};

fn entry(status: &str, passed: Option<bool>, hours: u64) -> SelfTest {
    SelfTest {
        kind: "Short offline".into(),
        status: status.into(),
        passed,
        hours: Some(hours),
        lba: None,
    }
}

fn drive(log: &[SelfTest], remaining: Option<u8>) -> Snapshot {
    Snapshot {
        protocol: Protocol::Ata,
        self_tests: log.to_vec(),
        self_test_remaining: remaining,
        self_test: SelfTestAbility {
            supported: Some(true),
            log_told: true,
            short_minutes: Some(2),
            extended_minutes: Some(60),
        },
        power_on_hours: Some(100),
        ..Snapshot::default()
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outcome(step: Step) -> (SelfTestOutcome, String) {
    match step {
        Step::Ended(test) => (test.outcome, test.told),
        Step::Running { .. } => panic!("it still runs"),
    }
}

#[test]
fn progress_goes_up_and_the_own_entry_decides() {
    let old = entry("Completed: read failure", Some(false), 50);
    let good = entry("Completed without error", Some(true), 100);
    let mut running = Running::new(Kind::Short, &drive(std::slice::from_ref(&old), None), true);
    let percent =
        |running: &mut Running, s, left| match running.step(at(s), &drive(std::slice::from_ref(&old), Some(left))) {
            Step::Running { percent } => percent,
            Step::Ended(test) => panic!("{test:?}"),
        };
    assert_eq!(percent(&mut running, 5, 100), 0.0);
    assert_eq!(percent(&mut running, 20, 60), 40.0);
    assert_eq!(percent(&mut running, 25, 90), 40.0, "never back");
    let (word, told) = outcome(running.step(at(70), &drive(&[good, old], None)));
    assert_eq!(word, SelfTestOutcome::Passed);
    assert!(told.contains("Completed without error, at 100 h"), "{told}");
}

#[test]
fn the_late_entry_of_anothers_test_is_not_its_own() {
    let good = |hours| entry("Completed without error", Some(true), hours);
    for others in [100, 70] {
        let mut running = Running::new(Kind::Short, &drive(&[good(50)], None), true);
        let seen = [good(others), good(50)];
        for second in [10, 70] {
            let step = running.step(at(second), &drive(&seen, Some(90)));
            assert!(matches!(step, Step::Running { .. }), "{second} s: {step:?}");
        }
        let own = [
            entry("Completed: read failure", Some(false), 100),
            good(others),
            good(50),
        ];
        let (word, told) = outcome(running.step(at(120), &drive(&own, None)));
        assert_eq!(word, SelfTestOutcome::Failed, "{told}");
    }
}

/// A monitor's own schedule starts one as soon as ours has failed; or ours fails after one of the monitor's that passed.
#[test]
fn of_two_tests_one_of_which_failed_none_is_a_pass() {
    let [good, bad] = [true, false].map(|passed| entry("its end", Some(passed), 100));
    let old = entry("Completed without error", Some(true), 50);
    let looks = |looks: &[(u64, &[&SelfTest], Option<u8>)]| {
        let mut running = Running::new(Kind::Short, &drive(std::slice::from_ref(&old), None), true);
        let mut last = Step::Running { percent: 0.0 };
        for (second, new, remaining) in looks {
            let log: Vec<SelfTest> = new.iter().copied().chain([&old]).cloned().collect();
            last = running.step(at(*second), &drive(&log, *remaining));
        }
        outcome(last).0
    };
    let late = [good.clone(), bad.clone()];
    let [good, bad] = late.each_ref();
    let (failed, unknown) = (SelfTestOutcome::Failed, SelfTestOutcome::Unknown);
    for (what, seen, want) in [
        (
            "ours failed, theirs began",
            &[
                (30, &[bad][..], Some(90)),
                (70, &[bad][..], Some(40)),
                (150, &[good, bad][..], None),
            ][..],
            unknown,
        ),
        (
            "the same, as it began anew",
            &[(20, &[][..], Some(40)), (30, &[bad][..], Some(90))][..],
            failed,
        ),
        (
            "the same, soon over",
            &[(30, &[bad][..], Some(90)), (50, &[good, bad][..], None)][..],
            unknown,
        ),
        (
            "theirs passed late, ours failed soon",
            &[(10, &[good][..], Some(90)), (25, &[bad, good][..], None)][..],
            failed,
        ),
        (
            "theirs passed late, ours failed",
            &[
                (10, &[good][..], Some(90)),
                (50, &[good][..], Some(50)),
                (90, &[bad, good][..], None),
            ][..],
            failed,
        ),
    ] {
        assert_eq!(looks(seen), want, "{what}");
    }
}

/// smartctl asks for the status first, and some drives tell for seconds that one runs which has its entry.
#[test]
fn its_own_entry_that_came_before_the_status_counts() {
    let old = entry("Completed without error", Some(true), 50);
    for (passed, want) in [(true, SelfTestOutcome::Passed), (false, SelfTestOutcome::Failed)] {
        let mut running = Running::new(Kind::Short, &drive(std::slice::from_ref(&old), None), true);
        let seen = [entry("its own", Some(passed), 100), old.clone()];
        for second in [30, 35, 55] {
            let step = running.step(at(second), &drive(&seen, Some(10)));
            assert!(matches!(step, Step::Running { .. }), "{second} s: {step:?}");
        }
        assert_eq!(outcome(running.step(at(62), &drive(&seen, None))).0, want);
    }
}

#[test]
fn an_old_entry_is_never_its_result() {
    let old = entry("Completed without error", Some(true), 99);
    let now = drive(&[old], None);
    let mut running = Running::new(Kind::Short, &now, false);
    assert!(
        matches!(running.step(at(5), &now), Step::Running { .. }),
        "the entry may come late"
    );
    assert!(matches!(running.step(at(100), &now), Step::Running { .. }));
    let (word, told) = outcome(running.step(at(126), &now));
    assert_eq!(word, SelfTestOutcome::Unknown);
    assert!(told.contains("never ran"), "{told}");
}

#[test]
fn failures_carry_their_sector_and_aborts_are_no_failures() {
    let empty = drive(&[], None);
    let mut failed = entry("Completed: read failure", Some(false), 100);
    failed.lba = Some(123_456);
    let mut running = Running::new(Kind::Short, &empty, true);
    match running.step(at(30), &drive(&[failed], None)) {
        Step::Ended(test) => assert_eq!(
            (test.outcome, test.lba),
            (SelfTestOutcome::Failed, Some(wire::Lba(123_456)))
        ),
        Step::Running { .. } => panic!(),
    }
    let reset = entry("Interrupted (host reset)", None, 100);
    let mut running = Running::new(Kind::Short, &empty, true);
    assert_eq!(
        outcome(running.step(at(30), &drive(&[reset], None))).0,
        SelfTestOutcome::Aborted
    );
}

#[test]
fn one_that_never_ends_is_unknown_after_three_times_its_minutes() {
    let empty = drive(&[], None);
    let mut running = Running::new(Kind::Extended, &empty, true);
    assert_eq!(running.limits.longest, at(3 * 3600 + 600));
    assert!(matches!(
        running.step(at(3 * 3600), &drive(&[], Some(10))),
        Step::Running { .. }
    ));
    let (word, told) = outcome(running.step(at(3 * 3600 + 601), &drive(&[], Some(10))));
    assert_eq!(word, SelfTestOutcome::Unknown);
    assert!(told.contains("announced 60 min"), "{told}");
}

#[test]
fn a_drive_that_does_not_answer_is_waited_for_and_then_unknown() {
    let mut running = Running::new(Kind::Short, &drive(&[], None), true);
    assert!(matches!(running.silent(at(10), "no answer"), Step::Running { .. }));
    assert!(matches!(running.silent(at(600), "no answer"), Step::Running { .. }));
    // One answer in between, and the time begins anew.
    assert!(matches!(
        running.step(at(605), &drive(&[], Some(50))),
        Step::Running { .. }
    ));
    assert!(matches!(running.silent(at(611), "no answer"), Step::Running { .. }));
    assert_eq!(
        outcome(running.silent(at(1300), "no answer")).0,
        SelfTestOutcome::Unknown
    );
}

#[test]
fn it_goes_on_being_followed_by_a_new_process() {
    let running = Running::new(
        Kind::Short,
        &drive(&[entry("Completed without error", Some(true), 9)], None),
        true,
    );
    let text = serde_json::to_string(&running).unwrap();
    assert_eq!(serde_json::from_str::<Running>(&text).unwrap(), running);
}

#[test]
fn a_scsi_log_that_was_hidden_before_proves_nothing() {
    let mut before = drive(&[], None);
    before.protocol = Protocol::Scsi;
    before.power_on_hours = Some(40_000);
    let mut entry = entry("Completed", Some(true), 39_000);
    entry.kind = "Background short".into();
    let mut running = Running::new(Kind::Short, &before, true);
    let mut after = before.clone();
    after.self_tests = vec![entry.clone()];
    assert!(matches!(running.step(at(60), &after), Step::Running { .. }));
    after.self_tests[0].hours = Some(40_000);
    assert_eq!(outcome(running.step(at(61), &after)).0, SelfTestOutcome::Passed);
}

#[test]
fn smartctls_answers_to_an_order_are_understood() {
    let answer = |status, text: &str| Answer {
        status,
        lines: text.lines().map(str::to_owned).collect(),
    };
    let of = |status, text| match understood(Kind::Short, &drive(&[], None), &answer(status, text)) {
        Ok(begun) => format!("begun {begun}"),
        Err(NotStarted::Unsupported { .. }) => "unsupported".into(),
        Err(NotStarted::Busy { remaining, .. }) => format!("busy {remaining}"),
        Err(NotStarted::Stuck { remaining }) => format!("stuck {remaining}"),
        Err(NotStarted::Failed(why)) => format!("failed: {why}"),
        Err(NotStarted::OtherDrive(why)) => format!("another drive: {why}"),
        Err(NotStarted::Silent(why)) => format!("silent: {why}"),
    };
    // What smartctl 7.3 and 7.4 print.
    assert_eq!(
        of(0, "Testing has begun.\nPlease wait 2 minutes for test to complete."),
        "begun true"
    );
    assert_eq!(of(0, "Self-test has begun"), "begun true");
    assert_eq!(
        of(0, "Short Background Self Test has begun\nUse smartctl -X to abort test"),
        "begun true"
    );
    assert_eq!(of(0, ""), "begun false");
    assert_eq!(of(0, "Self-tests not supported"), "unsupported");
    assert_eq!(
        of(4, "Warning: device does not support Self-Test functions."),
        "unsupported"
    );
    assert_eq!(
        of(4, "Short offline self test failed [unsupported scsi opcode]"),
        "unsupported"
    );
    assert_eq!(of(1, "=======> UNRECOGNIZED OPTION: t"), "unsupported");
    assert_eq!(
        of(
            4,
            "Can't start self-test without aborting current test (90% remaining),"
        ),
        "busy 90"
    );
    assert_eq!(
        of(
            4,
            "Command \"Execute SMART Short self-test routine immediately in off-line mode\" failed: Input/output error"
        ),
        "failed: Command \"Execute SMART Short self-test routine immediately in off-line mode\" failed: Input/output error"
    );
}

#[test]
fn what_cannot_be_judged_is_not_started() {
    let mut drive = drive(&[], None);
    assert_eq!(lacks(&drive), None);
    drive.self_test.supported = Some(false);
    assert!(lacks(&drive).unwrap().contains("no self-tests"));
    drive.self_test.supported = None;
    drive.self_test.log_told = false;
    assert!(lacks(&drive).unwrap().contains("log cannot be read"));
    drive.protocol = Protocol::Nvme;
    drive.smartctl = Some((7, 3));
    assert!(lacks(&drive).unwrap().contains("7.4"));
    drive.protocol = Protocol::Scsi;
    assert_eq!(lacks(&drive), None);
    drive.smartctl = Some((7, 2));
    assert!(lacks(&drive).unwrap().contains("7.3"));
}

#[test]
fn an_entry_of_a_log_with_a_wrong_checksum_is_no_result() {
    let good = entry("Completed without error", Some(true), 100);
    let told = |name: &str| Snapshot {
        wrong_checksums: vec![name.to_owned()],
        ..drive(std::slice::from_ref(&good), None)
    };
    let mut running = Running::new(Kind::Short, &drive(&[], None), true);
    let garbled = told("SMART Self-Test Log Structure");
    assert!(matches!(running.step(at(5), &garbled), Step::Running { .. }));
    let (word, _) = outcome(running.step(at(200), &garbled));
    assert_eq!(word, SelfTestOutcome::Unknown);
    // The selective log is another one.
    let mut running = Running::new(Kind::Short, &drive(&[], None), true);
    let (word, _) = outcome(running.step(at(5), &told("SMART Selective Self-Test Log Structure")));
    assert_eq!(word, SelfTestOutcome::Passed);
}

#[test]
fn another_ones_end_and_a_drive_that_was_read_before_are_waited_for_and_no_other_reason() {
    let hour = |hours: u64| Duration::from_secs(3600 * hours);
    for (minutes, waits) in [(Some(60), OTHERS), (None, OTHERS), (Some(2400), hour(120) + at(600))] {
        let mut told = drive(&[], Some(90));
        told.self_test.extended_minutes = minutes;
        let busy = busy(90, &told);
        assert_eq!(busy.again(Duration::ZERO), Some(BUSY));
        assert_eq!(busy.again(waits - BUSY), Some(BUSY), "{minutes:?}");
        assert_eq!(busy.again(waits), None, "{minutes:?}");
    }
    let silent = NotStarted::Silent("x".into());
    assert_eq!(silent.again(UNTOLD - BUSY), Some(BUSY));
    assert_eq!(silent.again(UNTOLD), None);
    for not in [
        NotStarted::OtherDrive("x".into()),
        NotStarted::Failed("x".into()),
        NotStarted::Unsupported {
            kind: Kind::Short,
            why: "x".into(),
        },
    ] {
        assert_eq!(not.again(Duration::ZERO), None, "{not}");
    }
}

fn extended(status: &str, passed: Option<bool>, hours: u64) -> SelfTest {
    SelfTest {
        kind: "Extended offline".into(),
        ..entry(status, passed, hours)
    }
}

/// Nineteen entries, as an extended log of one sector shows, and the two older ones that the standard log shows besides.
fn cut_and_whole() -> (Vec<SelfTest>, Vec<SelfTest>) {
    let mut whole: Vec<SelfTest> = (0..19)
        .map(|n| entry("Completed without error", Some(true), 99 - n))
        .collect();
    let cut = whole.clone();
    whole.push(extended("Completed without error", Some(true), 40));
    whole.push(entry("Completed without error", Some(true), 39));
    (cut, whole)
}

#[test]
fn older_entries_that_another_log_shows_are_no_result() {
    let (cut, whole) = cut_and_whole();
    for kind in [Kind::Short, Kind::Extended] {
        let mut running = Running::new(kind, &drive(&cut, None), true);
        assert!(matches!(
            running.step(at(60), &drive(&whole, None)),
            Step::Running { .. }
        ));
        let (word, told) = outcome(running.step(at(300), &drive(&whole, None)));
        assert_eq!(word, SelfTestOutcome::Unknown, "{told}");
    }
    for (own, want) in [
        (extended("Aborted by host", None, 100), SelfTestOutcome::Aborted),
        (
            extended("Completed: read failure", Some(false), 100),
            SelfTestOutcome::Failed,
        ),
        (
            extended("Completed without error", Some(true), 100),
            SelfTestOutcome::Passed,
        ),
    ] {
        let mut after = vec![own];
        after.extend(whole.clone());
        after.truncate(21);
        let mut running = Running::new(Kind::Extended, &drive(&cut, None), true);
        assert_eq!(outcome(running.step(at(60), &drive(&after, None))).0, want);
        // And the other way round: the standard log at the start, the extended one later.
        let mut running = Running::new(Kind::Extended, &drive(&whole, None), true);
        assert_eq!(outcome(running.step(at(60), &drive(&after[..19], None))).0, want);
    }
}

/// The standard log has 28 bits for a sector, the extended one 48.
#[test]
fn a_log_that_tells_a_failures_sector_otherwise_is_the_same_log() {
    let (mut cut, mut whole) = cut_and_whole();
    cut[0] = extended("Completed: read failure", Some(false), 99);
    whole[0] = cut[0].clone();
    cut[0].lba = Some(0x1_2345_6789);
    whole[0].lba = Some(0x0fff_ffff);
    let mut running = Running::new(Kind::Extended, &drive(&cut, None), true);
    assert!(matches!(
        running.step(at(60), &drive(&whole, None)),
        Step::Running { .. }
    ));
    assert_eq!(
        outcome(running.step(at(300), &drive(&whole, None))).0,
        SelfTestOutcome::Unknown
    );
}

#[test]
fn an_entry_in_a_log_that_was_empty_must_be_as_old_as_the_test() {
    let all = [Protocol::Ata, Protocol::Nvme, Protocol::Scsi].as_slice();
    for (protocols, start, hours, proven) in [
        (all, Some(100), Some(100), true),
        (all, Some(100), Some(103), true),
        (all, Some(100), Some(40), false),
        (all, None, Some(100), false),
        (all, Some(100), None, false),
        // 16 bits that run over.
        (&[Protocol::Ata], Some(65_536 + 100), Some(100), true),
        (all, Some(65_536 + 100), Some(40), false),
        (all, Some(65_536 + 100), Some(5_000), false),
        (&[Protocol::Ata], Some(80_000), Some(65_535), false),
        // Or do so during the test.
        (&[Protocol::Ata], Some(65_535), Some(0), true),
        (&[Protocol::Ata], Some(65_530), Some(6), false),
        (&[Protocol::Nvme, Protocol::Scsi], Some(65_535), Some(0), false),
        // And some that stay at the highest.
        (&[Protocol::Scsi], Some(80_000), Some(65_535), true),
    ] {
        for &protocol in protocols {
            let before = Snapshot {
                protocol,
                power_on_hours: start,
                ..drive(&[], None)
            };
            let mut after = before.clone();
            after.self_tests = vec![entry("Completed without error", Some(true), 0)];
            after.self_tests[0].hours = hours;
            let mut running = Running::new(Kind::Short, &before, true);
            let step = running.step(at(60), &after);
            let found = match step {
                Step::Ended(test) => Some(test.outcome),
                Step::Running { .. } => None,
            };
            let want = proven.then_some(SelfTestOutcome::Passed);
            assert_eq!(found, want, "{protocol:?} {start:?} {hours:?}");
        }
    }
}

#[test]
fn entries_of_the_same_hour_that_differ_tell_nothing_where_the_log_seemed_empty() {
    let mut running = Running::new(Kind::Short, &drive(&[], None), true);
    let failed = entry("Completed: read failure", Some(false), 100);
    let passed = entry("Completed without error", Some(true), 100);
    let now = drive(&[failed, passed], None);
    assert!(matches!(running.step(at(60), &now), Step::Running { .. }));
    assert_eq!(outcome(running.step(at(300), &now)).0, SelfTestOutcome::Unknown);
}

/// Many SAS drives have an empty log, and some tell no hours.
#[test]
fn a_log_that_showed_the_running_test_alone_was_empty() {
    let hourless = |log: &[SelfTest], remaining| Snapshot {
        protocol: Protocol::Scsi,
        power_on_hours: None,
        ..drive(log, remaining)
    };
    let mut running = Running::new(Kind::Short, &hourless(&[], None), true);
    let own = SelfTest {
        hours: None,
        ..entry("Self test in progress ...", None, 0)
    };
    assert!(matches!(
        running.step(at(20), &hourless(&[own], Some(100))),
        Step::Running { .. }
    ));
    let passed = entry("Completed", Some(true), 7);
    assert_eq!(
        outcome(running.step(at(130), &hourless(&[passed], None))).0,
        SelfTestOutcome::Passed
    );
}

#[test]
fn its_own_entry_ends_it_though_another_test_runs_by_now() {
    let (cut, _) = cut_and_whole();
    let mut after = vec![extended("Completed without error", Some(true), 100)];
    after.extend(cut[..18].to_vec());
    let mut running = Running::new(Kind::Extended, &drive(&cut, None), true);
    assert!(matches!(
        running.step(at(60), &drive(&cut, Some(90))),
        Step::Running { .. }
    ));
    assert!(running.over(&drive(&cut, Some(90))).is_none());
    assert!(
        running.over(&drive(&after, Some(90))).is_some(),
        "what runs is not ended for ours"
    );
    let (word, told) = outcome(running.step(at(3600), &drive(&after, Some(90))));
    assert_eq!(word, SelfTestOutcome::Passed, "{told}");
    // Where the log seemed empty, an entry of this hour may be an old one.
    for (hours, is_over) in [(100, false), (101, false), (103, true)] {
        let mut running = Running::new(Kind::Extended, &drive(&[], None), true);
        let now = drive(&[extended("Completed without error", Some(true), hours)], Some(90));
        assert_eq!(
            matches!(running.step(at(3600), &now), Step::Ended(_)),
            is_over,
            "{hours}"
        );
    }
}

/// A drive whose hours were set back, and whose extended log once cannot be read: the standard one then shows older tests.
#[test]
fn an_entry_of_hours_that_no_test_can_have_reached_ends_none_that_runs() {
    // (start, hours of the entry, whether it is surely of a test since then); this one takes three hours and more.
    let cases = [
        (5, 30_000, false),
        (5, 11, false),
        (5, 10, true),
        (65_534, 3, true),
        (65_534, 4, false),
        (65_534, 65_535, false),
    ];
    for (start, hours, is_later) in cases {
        let told = |log: &[SelfTest], remaining| Snapshot {
            power_on_hours: Some(start),
            ..drive(log, remaining)
        };
        let mut running = Running::new(Kind::Extended, &told(&[], None), true);
        running.step(at(10), &told(&[], Some(90)));
        let old = extended("Completed without error", Some(true), hours);
        let now = told(&[old], Some(90));
        assert_eq!(
            running.over(&now).is_some(),
            is_later,
            "{start} {hours}: it would not be ended"
        );
        let ends = matches!(running.step(at(20), &now), Step::Ended(_));
        assert_eq!(ends, is_later, "{start} {hours}");
    }
    // Nor one that may run: the answer that lacks one log may lack the status, too.
    let running = Running::new(Kind::Extended, &drive(&[], None), true);
    let ended = |hours| drive(&[extended("Completed without error", Some(true), hours)], None);
    assert!(running.over(&ended(30_000)).is_none());
    assert!(running.over(&ended(101)).is_some());
}

/// NVMe has one log, and some drives count its hours otherwise than their own, or tell none.
#[test]
fn an_nvme_log_that_was_empty_while_the_test_ran_has_only_later_entries() {
    for (start, hours) in [(Some(900), 0), (None, 7)] {
        let told = |log: &[SelfTest], remaining| Snapshot {
            protocol: Protocol::Nvme,
            power_on_hours: start,
            ..drive(log, remaining)
        };
        let after = told(&[entry("Completed without error", Some(true), hours)], None);
        let mut running = Running::new(Kind::Short, &told(&[], None), true);
        assert!(matches!(
            running.step(at(10), &told(&[], Some(60))),
            Step::Running { .. }
        ));
        assert_eq!(outcome(running.step(at(130), &after)).0, SelfTestOutcome::Passed);
        // Never seen empty, or seen so in a log that had entries.
        let mut running = Running::new(Kind::Short, &told(&[], None), true);
        assert!(matches!(running.step(at(130), &after), Step::Running { .. }));
        let had = told(&[entry("Aborted by host", None, 3)], None);
        let mut running = Running::new(Kind::Short, &had, true);
        running.step(at(10), &told(&[], Some(60)));
        assert!(matches!(running.step(at(130), &after), Step::Running { .. }));
    }
}

#[test]
fn an_answer_by_another_protocol_is_silence() {
    let old = entry("Completed without error", Some(true), 100);
    let mut running = Running::new(Kind::Short, &drive(&[], None), true);
    let other = Snapshot {
        protocol: Protocol::Scsi,
        ..drive(&[old], None)
    };
    assert!(matches!(running.step(at(60), &other), Step::Running { .. }));
    let (word, told) = outcome(running.step(at(660), &other));
    assert_eq!(word, SelfTestOutcome::Unknown);
    assert!(told.contains("not answered"), "{told}");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Entries that are often alike, of the hours `from` and the next three.
    fn logs(from: u64, sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<SelfTest>> {
        let one = (any::<bool>(), from..from + 4, 0..3_usize).prop_map(|(short, hours, result)| {
            let passed = [Some(true), Some(false), None][result];
            let status = ["Completed without error", "Completed: read failure", "Aborted by host"][result];
            if short {
                entry(status, passed, hours)
            } else {
                extended(status, passed, hours)
            }
        });
        proptest::collection::vec(one, sizes)
    }

    proptest! {
        /// Each log may show 19 or 21 entries, whatever the other one showed, and may have lost its newest.
        #[test]
        fn no_result_is_ever_an_older_entry(
            old in logs(50, 0..30),
            new in logs(100, 0..4),
            lost in 0_usize..3,
            sizes in prop::sample::select(vec![(19_usize, 19_usize), (19, 21), (21, 19), (21, 21), (0, 19), (0, 21), (20, 20), (19, 25)]),
        ) {
            let mut after = new.clone();
            after.extend(old.iter().skip(lost).cloned());
            after.truncate(sizes.1);
            let before: Vec<SelfTest> = old.into_iter().take(sizes.0).collect();
            for kind in [Kind::Short, Kind::Extended] {
                let mut running = Running::new(kind, &drive(&before, None), true);
                let found = match running.step(at(60), &drive(&after, None)) {
                    Step::Ended(test) => test,
                    Step::Running { .. } => match running.step(at(300), &drive(&after, None)) {
                        Step::Ended(test) => test,
                        Step::Running { .. } => panic!("it still runs"),
                    },
                };
                let ours: Vec<Option<bool>> = new.iter().filter(|e| kind.matches(&e.kind)).map(|e| e.passed).collect();
                match found.outcome {
                    SelfTestOutcome::Passed => prop_assert!(ours.contains(&Some(true)), "{}", found.told),
                    SelfTestOutcome::Failed => prop_assert!(ours.contains(&Some(false)), "{}", found.told),
                    SelfTestOutcome::Aborted => prop_assert!(ours.contains(&None), "{}", found.told),
                    SelfTestOutcome::Unknown | SelfTestOutcome::Unsupported => {}
                }
                // One that is like none before is found, whichever log shows it.
                if let ([ours], 0) = (ours.as_slice(), lost) {
                    let want = match ours {
                        Some(true) => SelfTestOutcome::Passed,
                        Some(false) => SelfTestOutcome::Failed,
                        None => SelfTestOutcome::Aborted,
                    };
                    prop_assert_eq!(found.outcome, want);
                }
            }
        }
    }
}

/// It may say so between SMART before and after the job, and never again.
#[test]
fn what_a_drive_says_of_its_health_while_it_tests_itself_is_kept() {
    let told = |passed| Snapshot {
        passed: Some(passed),
        ..Snapshot::default()
    };
    let mut running = Running::new(Kind::Short, &told(true), true);
    for (passed, failing) in [(true, false), (false, true), (true, true)] {
        running.step(Duration::from_mins(1), &told(passed));
        assert_eq!(running.told().failing, failing);
    }
    assert!(Running::new(Kind::Short, &told(false), true).told().failing);
}

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::unchecked_time_subtraction,
    reason = "tests"
)]

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

//! Self-tests followed with a smartctl that plays recorded sequences: it is a real process, called by the real runner.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use drive::Identity;
use drive::selftest::{Kind, NotStarted, Running, Step, abort, poll, start};
use drive::smart::Smartctl;
use wire::drive::Bus;
use wire::job::{Phase, SelfTest, SelfTestOutcome};
use wire::{Bytes, DriveId};

const NODE: &str = "/dev/null";

/// A smartctl that answers the n-th reading with the n-th document (the last one for ever), and an order with `order`.
struct Stage {
    dir: tempfile::TempDir,
    smartctl: Smartctl,
    drive: Identity,
}

impl Stage {
    fn new(bus: Bus, documents: &[String], (status, order): (i32, &str)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (n, document) in documents.iter().enumerate() {
            std::fs::write(at(&format!("{n}.json")), document).unwrap();
        }
        let lines: Vec<&str> = order.lines().collect();
        let answer = serde_json::json!({ "smartctl": { "output": lines, "exit_status": status } });
        std::fs::write(at("order.json"), answer.to_string()).unwrap();
        let script = format!(
            "cd {dir}\necho \"$*\" >> calls\ncase \" $* \" in *' -X '*) [ -e deaf ] && {{ cat deaf; exit 4; }};; esac\n\
             case \" $* \" in *' -t '*|*' -X '*) cat order.json; exit {status};; esac\n\
             n=$(cat n 2>/dev/null || echo 0); [ -e $((n+1)).json ] && echo $((n+1)) > n; cat $n.json\n",
            dir = dir.path().display()
        );
        let program = at("smartctl");
        common::script(&program, &script);
        let smartctl = Smartctl {
            program,
            deadline: Duration::from_secs(30),
            ..Smartctl::default()
        };
        let drive = Identity {
            id: DriveId::from_serial("M", "S123", 1000),
            model: "M".into(),
            serial: "S123".into(),
            wwn: None,
            capacity: Bytes(1000),
            logical_sector: 512,
            bus,
        };
        Stage { dir, smartctl, drive }
    }

    fn start(&self, kind: Kind) -> Result<Running, NotStarted> {
        start(&self.smartctl, Path::new(NODE), &self.drive, kind)
    }

    /// Polls every ten seconds of made-up time until it ended, at most a day; also the percentages on the way.
    fn follow(&self, mut running: Running) -> (SelfTest, Vec<f64>) {
        let mut percents = Vec::new();
        for tens in 1..8_640 {
            let elapsed = Duration::from_secs(10 * tens);
            match poll(&self.smartctl, Path::new(NODE), &self.drive, &mut running, elapsed) {
                Step::Running { percent } => percents.push(percent),
                Step::Ended(test) => return (test, percents),
            }
        }
        panic!("it never ended: {percents:?}");
    }

    /// Looks at it once, when it has taken as long as it may.
    fn overdue(&self, running: &mut Running) -> SelfTest {
        let longest = running.limits.longest;
        match poll(&self.smartctl, Path::new(NODE), &self.drive, running, longest) {
            Step::Ended(test) => test,
            Step::Running { percent } => panic!("it still runs, at {percent}"),
        }
    }

    /// From now on the drive takes no order to end a self-test.
    fn deaf(&self) {
        let answer = r#"{"smartctl":{"output":["Abort self test failed [aborted command]"],"exit_status":4}}"#;
        std::fs::write(self.dir.path().join("deaf"), answer).unwrap();
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("calls")).unwrap()
    }
}

const BEGUN: (i32, &str) = (0, "Testing has begun.\nPlease wait 2 minutes for test to complete.");

/// An ATA document: execution status, and the log as (type, status byte, hours, first bad LBA), newest first.
fn ata(status: u8, log: &[(u8, u8, u64, Option<u64>)]) -> String {
    let word = |status: u8| match status >> 4 {
        0 => "Completed without error",
        1 => "Aborted by host",
        2 => "Interrupted (host reset)",
        7 => "Completed: read failure",
        15 => "Self-test routine in progress",
        _ => "Unknown",
    };
    let table: Vec<serde_json::Value> = log
        .iter()
        .map(|(kind, status, hours, lba)| {
            let kind = serde_json::json!({"value": kind, "string": if *kind == 1 { "Short offline" } else { "Extended offline" }});
            let mut row = serde_json::json!({
                "type": kind,
                "status": {"value": status, "string": word(*status)},
                "lifetime_hours": hours,
            });
            if let Some(lba) = lba {
                row["lba"] = (*lba).into();
            }
            row
        })
        .collect();
    let mut execution = serde_json::json!({"value": status, "string": word(status)});
    if status >> 4 == 15 {
        execution["remaining_percent"] = (u64::from(status & 15) * 10).into();
    }
    serde_json::json!({
        "smartctl": {"version": [7, 4], "exit_status": 0},
        "device": {"type": "sat", "protocol": "ATA"},
        "serial_number": "S123",
        "smart_status": {"passed": true},
        "power_on_time": {"hours": 500},
        "ata_smart_data": {
            "self_test": {"status": execution, "polling_minutes": {"short": 2, "extended": 60}},
            "capabilities": {"self_tests_supported": true},
        },
        "ata_smart_self_test_log": {"standard": {"table": table, "count": log.len()}},
    })
    .to_string()
}

const OLD: (u8, u8, u64, Option<u64>) = (1, 0x00, 400, None);

/// The document with its log as smartctl tells one that it read whole: the extended one, or else the standard one.
fn whole(document: &str, name: &str) -> String {
    let mut document: serde_json::Value = serde_json::from_str(document).unwrap();
    let mut log = document["ata_smart_self_test_log"]["standard"].take();
    log["revision"] = 1.into();
    if log["count"] == 0 {
        log.as_object_mut().unwrap().remove("table");
    }
    document["ata_smart_self_test_log"] = serde_json::json!({ name: log });
    document.to_string()
}

/// The drive is 500 hours old, and counts from its first self-test on in the log.
#[test]
fn a_new_drives_first_self_test_has_a_result_though_its_log_counts_hours_of_its_own() {
    let (empty, runs) = (ata(0, &[]), ata(0xF4, &[]));
    let (passed, failed) = (ata(0, &[(1, 0, 0, None)]), ata(0x74, &[(1, 0x74, 0, Some(7))]));
    for (before, during, end, outcome) in [
        (
            "extended",
            "extended",
            whole(&passed, "extended"),
            SelfTestOutcome::Passed,
        ),
        (
            "standard",
            "standard",
            whole(&passed, "standard"),
            SelfTestOutcome::Passed,
        ),
        (
            "extended",
            "extended",
            whole(&failed, "extended"),
            SelfTestOutcome::Failed,
        ),
        // smartctl fell back to the other log, or did not say that it read one whole.
        (
            "extended",
            "extended",
            whole(&passed, "standard"),
            SelfTestOutcome::Unknown,
        ),
        (
            "extended",
            "standard",
            whole(&passed, "standard"),
            SelfTestOutcome::Unknown,
        ),
        ("standard", "standard", passed.clone(), SelfTestOutcome::Unknown),
    ] {
        let documents = [whole(&empty, before), whole(&runs, during), end];
        let stage = Stage::new(Bus::Sata, &documents, BEGUN);
        let (test, _) = stage.follow(stage.start(Kind::Short).unwrap());
        assert_eq!(test.outcome, outcome, "{before} {during} {}", documents[2]);
    }
}

/// After hours of other commands a bridge may answer the first one with nothing: that is no word about what its drive can do.
#[test]
fn a_drive_whose_smart_was_read_before_is_not_called_incapable_where_it_tells_nothing_once() {
    let nothing = "{}".to_owned();
    let stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), nothing.clone()], BEGUN);
    stage.smartctl.read(Path::new(NODE), &stage.drive).unwrap();
    for _ in 0..2 {
        let not = stage.start(Kind::Extended).unwrap_err();
        assert!(matches!(not, NotStarted::Silent(_)), "{not:?}");
        assert!(not.again(Duration::ZERO).is_some(), "it is asked again");
        assert_eq!(not.told(Kind::Extended).outcome, SelfTestOutcome::Unknown);
    }
    // One of which nothing was ever read has none.
    let stage = Stage::new(Bus::Sata, &[nothing], BEGUN);
    assert!(matches!(stage.start(Kind::Short), Err(NotStarted::Unsupported { .. })));
}

#[test]
fn a_short_test_is_followed_to_its_own_entry() {
    let documents = [
        ata(0, &[OLD]),
        ata(0xF9, &[OLD]),
        ata(0xF4, &[OLD]),
        ata(0, &[(1, 0, 500, None), OLD]),
    ];
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    let (test, percents) = stage.follow(stage.start(Kind::Short).unwrap());
    assert_eq!(percents, [10.0, 60.0]);
    assert_eq!(
        (test.phase, test.outcome),
        (Phase::SelfTestShort, SelfTestOutcome::Passed)
    );
    assert!(test.told.contains("at 500 h"), "{}", test.told);
    assert!(
        stage.calls().contains("--json=co -t short /dev/null"),
        "{}",
        stage.calls()
    );
}

#[test]
fn an_extended_test_that_finds_a_bad_sector_fails_with_its_place() {
    let failed = (2, 0x74, 500, Some(1_953_525_167));
    let documents = [ata(0, &[OLD]), ata(0xF9, &[OLD]), ata(0x74, &[failed, OLD])];
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    let (test, _) = stage.follow(stage.start(Kind::Extended).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Failed);
    assert_eq!(test.lba, Some(wire::Lba(1_953_525_167)));
    assert!(stage.calls().contains("-t long"), "{}", stage.calls());
}

#[test]
fn fault_11_last_years_pass_is_no_result_of_todays_test() {
    // smartctl says that it began; the drive shows nothing but an old entry that passed, and status 0 "completed".
    let stage = Stage::new(Bus::Sata, &[ata(0, &[OLD])], BEGUN);
    let (test, percents) = stage.follow(stage.start(Kind::Short).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Unknown);
    assert!(percents.len() >= 10, "the entry may come late");
}

#[test]
fn a_host_that_resets_the_drive_aborts_its_test() {
    let documents = [
        ata(0, &[OLD]),
        ata(0xF9, &[OLD]),
        ata(0x29, &[(1, 0x29, 500, None), OLD]),
    ];
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    let (test, _) = stage.follow(stage.start(Kind::Short).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Aborted);
    assert!(test.told.contains("Interrupted (host reset)"), "{}", test.told);
}

#[test]
fn a_drive_that_vanishes_in_the_middle_is_unknown_after_a_while() {
    let gone =
        r#"{"smartctl":{"exit_status":2,"messages":[{"string":"open device: No such device","severity":"error"}]}}"#;
    let stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), ata(0xF9, &[OLD]), gone.to_owned()], BEGUN);
    let (test, percents) = stage.follow(stage.start(Kind::Extended).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Unknown);
    assert!(test.told.contains("No such device"), "{}", test.told);
    assert!(percents.len() > 50, "{}", percents.len());
}

#[test]
fn another_drive_at_the_node_never_gives_the_result() {
    let other = ata(0, &[(1, 0, 500, None), OLD]).replace("S123", "S999");
    let stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), other], BEGUN);
    let (test, _) = stage.follow(stage.start(Kind::Short).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Unknown, "{}", test.told);
}

#[test]
fn one_that_runs_already_is_not_ended_for_ours() {
    let stage = Stage::new(Bus::Sata, &[ata(0xF7, &[OLD])], BEGUN);
    assert!(matches!(
        stage.start(Kind::Short),
        Err(NotStarted::Busy { remaining: 70, .. })
    ));
    assert!(!stage.calls().contains("-t "), "{}", stage.calls());
}

#[test]
fn a_drive_without_self_tests_is_told_as_that() {
    let without = ata(0, &[]).replace("\"self_tests_supported\":true", "\"self_tests_supported\":false");
    let silent =
        r#"{"smartctl":{"exit_status":1,"messages":[{"string":"Unable to detect device type","severity":"error"}]}}"#;
    for (bus, document, answer, word) in [
        (Bus::Sata, without.as_str(), BEGUN, "no self-tests"),
        (Bus::Virtio, silent, BEGUN, "Unable to detect"),
        (
            Bus::Sata,
            &ata(0, &[]),
            (4, "Warning: device does not support Self-Test functions."),
            "does not support",
        ),
    ] {
        let stage = Stage::new(bus, &[document.to_owned()], answer);
        let error = stage.start(Kind::Short).unwrap_err();
        assert_eq!(error.told(Kind::Short).outcome, SelfTestOutcome::Unsupported, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    // A command that failed is no lack of self-tests.
    let stage = Stage::new(Bus::Sata, &[ata(0, &[])], (4, "Command failed: Input/output error"));
    let error = stage.start(Kind::Short).unwrap_err();
    assert_eq!(error.told(Kind::Short).outcome, SelfTestOutcome::Unknown, "{error}");
}

#[test]
fn one_answer_that_fails_does_not_keep_abort_from_a_hot_drive() {
    let busy = r#"{"smartctl":{"exit_status":2,"messages":[{"string":"scsi error busy","severity":"error"}]}}"#;
    // Without patience each reading of a SATA drive tries two types.
    let documents = [
        ata(0, &[OLD]),
        ata(0xF9, &[OLD]),
        busy.to_owned(),
        busy.to_owned(),
        ata(0xF9, &[OLD]),
    ];
    let mut stage = Stage::new(Bus::Sata, &documents, BEGUN);
    stage.smartctl.patience = Duration::ZERO;
    let mut running = stage.start(Kind::Extended).unwrap();
    poll(
        &stage.smartctl,
        Path::new(NODE),
        &stage.drive,
        &mut running,
        Duration::ZERO,
    );
    abort(&stage.smartctl, Path::new(NODE), &stage.drive, &running).unwrap();
    assert!(
        stage.calls().lines().last().unwrap().contains("-X"),
        "{}",
        stage.calls()
    );
}

/// A busy bridge may answer once without its drive's serial: that is no other drive.
#[test]
fn one_answer_without_a_serial_is_asked_for_again() {
    let nameless = || ata(0, &[OLD]).replace("S123", "");
    for bus in [Bus::Usb, Bus::Sata] {
        let stage = Stage::new(bus, &[ata(0, &[OLD]), nameless(), ata(0, &[OLD])], BEGUN);
        stage.smartctl.read(Path::new(NODE), &stage.drive).unwrap();
        let not = stage.start(Kind::Short).unwrap_err();
        assert!(matches!(not, NotStarted::Silent(_)), "{bus:?} {not:?}");
        stage.start(Kind::Short).unwrap();
        // One that never told who it is, is asked nothing more.
        let stage = Stage::new(bus, &[nameless()], BEGUN);
        assert!(matches!(stage.start(Kind::Short), Err(NotStarted::Failed(_))));

        let mut stage = Stage::new(bus, &[ata(0, &[OLD]), nameless(), ata(0xF9, &[OLD])], BEGUN);
        stage.smartctl.patience = Duration::from_secs(1);
        let running = stage.start(Kind::Extended).unwrap();
        abort(&stage.smartctl, Path::new(NODE), &stage.drive, &running).unwrap();
        assert!(stage.calls().contains("-X"), "{bus:?} {}", stage.calls());
    }
}

#[test]
fn abort_is_an_order_to_the_drive() {
    let stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), ata(0xF9, &[OLD])], BEGUN);
    let running = stage.start(Kind::Extended).unwrap();
    abort(&stage.smartctl, Path::new(NODE), &stage.drive, &running).unwrap();
    assert!(
        stage.calls().lines().last().unwrap().contains("-X"),
        "{}",
        stage.calls()
    );
    let told = running.ended_by("aborted by ann");
    assert_eq!(
        (told.outcome, told.told.as_str()),
        (SelfTestOutcome::Aborted, "aborted by ann")
    );
}

/// Hours lie between start and end, in which a dock's drive is exchanged: the other one's self-test goes on.
#[test]
fn another_drives_self_test_is_never_ended() {
    let other = ata(0xF9, &[]).replace("S123", "S999");
    for (answer, told) in [(other, "of drive \"S999\""), ("{}".to_owned(), "no health data")] {
        let mut stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), answer], BEGUN);
        stage.smartctl.patience = Duration::ZERO;
        let running = stage.start(Kind::Extended).unwrap();
        let error = abort(&stage.smartctl, Path::new(NODE), &stage.drive, &running).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(!stage.calls().contains("-X"), "{}", stage.calls());
    }
}

/// A monitor's own schedule may start one as soon as ours is over.
#[test]
fn another_ones_self_test_that_runs_after_ours_is_neither_waited_for_nor_ended() {
    let ours = (2, 0, 500, None);
    // A look every ten seconds: sooner than after two minutes it would be somebody else's, of before.
    let mut documents = vec![ata(0xF9, &[OLD]); 14];
    documents[0] = ata(0, &[OLD]);
    documents[13] = ata(0xF9, &[ours, OLD]);
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    let running = stage.start(Kind::Extended).unwrap();
    let (test, percents) = stage.follow(running.clone());
    assert_eq!((test.outcome, percents), (SelfTestOutcome::Passed, vec![10.0; 12]));
    abort(&stage.smartctl, Path::new(NODE), &stage.drive, &running).unwrap();
    assert!(!stage.calls().contains("-X"), "{}", stage.calls());
    // Ours that runs is ended.
    let stage = Stage::new(Bus::Sata, &documents[..2], BEGUN);
    let running = stage.start(Kind::Extended).unwrap();
    abort(&stage.smartctl, Path::new(NODE), &stage.drive, &running).unwrap();
    assert!(stage.calls().contains("-X"), "{}", stage.calls());
}

/// Whoever ends a hot drive's test starts it anew: a pass of that one would hide the failure of this one.
#[test]
fn abort_tells_the_result_of_a_test_that_ended_a_moment_before() {
    for (status, want) in [
        (0x74, Some(SelfTestOutcome::Failed)),
        (0x00, Some(SelfTestOutcome::Passed)),
        // Nobody's result: by an earlier try to end it, perhaps.
        (0x10, None),
    ] {
        for log in [&[OLD][..], &[]] {
            let mut after = vec![(2, status, 500, None)];
            after.extend(log);
            let documents = [ata(0, log), ata(0xF1, log), ata(status, &after)];
            let stage = Stage::new(Bus::Sata, &documents, BEGUN);
            let mut running = stage.start(Kind::Extended).unwrap();
            let node = Path::new(NODE);
            poll(&stage.smartctl, node, &stage.drive, &mut running, Duration::ZERO);
            let ended = abort(&stage.smartctl, node, &stage.drive, &running).unwrap();
            assert_eq!(ended.map(|test| test.outcome), want, "{log:?}");
            assert!(!stage.calls().contains("-X"), "{}", stage.calls());
        }
    }
}

/// What runs on beside write and verify, and keeps the next self-test waiting, is no more ours to follow but still ours to end.
#[test]
fn a_self_test_that_takes_too_long_is_ended_on_the_drive_and_has_no_result() {
    let aborted = ata(0x19, &[(1, 0x19, 500, None), OLD]);
    let documents = [ata(0, &[OLD]), ata(0xF9, &[OLD]), ata(0xF9, &[OLD]), aborted];
    let mut stage = Stage::new(Bus::Sata, &documents, BEGUN);
    stage.smartctl.patience = Duration::ZERO;
    let test = stage.overdue(&mut stage.start(Kind::Short).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Unknown);
    assert!(test.told.contains("still running after 16 min"), "{}", test.told);
    assert!(test.told.ends_with("it was ended on the drive"), "{}", test.told);
    assert_eq!(stage.calls().matches(" -X ").count(), 1, "{}", stage.calls());
    // None is in the way of the next one.
    stage.start(Kind::Extended).unwrap();
}

/// The status of a simulated SATA disk stuck at "in progress", and the next step waited a day for it.
#[test]
fn a_self_test_of_ours_that_is_stuck_keeps_the_next_one_waiting_for_minutes_and_not_for_a_day() {
    for is_deaf in [true, false] {
        let mut stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), ata(0xF9, &[OLD])], BEGUN);
        stage.smartctl.patience = Duration::ZERO;
        let mut running = stage.start(Kind::Short).unwrap();
        if is_deaf {
            stage.deaf();
        }
        let test = stage.overdue(&mut running);
        assert_eq!(test.outcome, SelfTestOutcome::Unknown);
        let why = match is_deaf {
            true => "the drive did not end it: Abort self test failed [aborted command]",
            false => "the drive was ordered to end it and does not show that it did",
        };
        assert!(test.told.ends_with(why), "{}", test.told);
        assert!(stage.calls().contains(" -X "), "{}", stage.calls());
        let ordered = stage.calls().matches(" -t ").count();
        let not = stage.start(Kind::Extended).unwrap_err();
        assert!(not.again(Duration::ZERO).is_some(), "{not}: it may end yet");
        assert!(not.again(Duration::from_mins(5)).is_none(), "{not}");
        let told = not.told(Kind::Extended);
        assert_eq!(
            (told.phase, told.outcome),
            (Phase::SelfTestExtended, SelfTestOutcome::Unknown)
        );
        assert!(told.told.contains("given up"), "{}", told.told);
        assert_eq!(
            stage.calls().matches(" -t ").count(),
            ordered,
            "none is begun beside it"
        );
        // Once it has ended, another's that runs is another's again.
        for (n, document) in [(2, ata(0x10, &[OLD])), (3, ata(0xF9, &[OLD]))] {
            std::fs::write(stage.dir.path().join(format!("{n}.json")), document).unwrap();
        }
        std::fs::write(stage.dir.path().join("n"), "2").unwrap();
        stage.start(Kind::Extended).unwrap();
        let not = stage.start(Kind::Short).unwrap_err();
        assert!(not.again(Duration::from_hours(1)).is_some(), "{not}");
    }
}

#[test]
fn a_self_test_that_ends_as_it_is_given_up_may_have_failed_and_never_has_passed() {
    for (status, want) in [
        (0x74, SelfTestOutcome::Failed),
        (0x00, SelfTestOutcome::Unknown),
        (0x10, SelfTestOutcome::Unknown),
    ] {
        // Another's runs by now: it is neither ended nor taken for ours.
        let after = ata(0xF9, &[(1, status, 500, None), OLD]);
        let mut stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), ata(0xF1, &[OLD]), after], BEGUN);
        stage.smartctl.patience = Duration::ZERO;
        let test = stage.overdue(&mut stage.start(Kind::Short).unwrap());
        assert_eq!(test.outcome, want, "{}", test.told);
        assert!(!stage.calls().contains(" -X "), "{}", stage.calls());
        let not = stage.start(Kind::Short).unwrap_err();
        assert!(matches!(not, NotStarted::Busy { .. }), "{not}");
        // It ended on our order, but not by it.
        let after = ata(0, &[(1, status, 500, None), OLD]);
        let documents = [ata(0, &[OLD]), ata(0xF1, &[OLD]), ata(0xF1, &[OLD]), after];
        let mut stage = Stage::new(Bus::Sata, &documents, BEGUN);
        stage.smartctl.patience = Duration::ZERO;
        let test = stage.overdue(&mut stage.start(Kind::Short).unwrap());
        assert_eq!(test.outcome, want, "{}", test.told);
    }
}

/// Who exchanges the drive takes its stuck test along.
#[test]
fn another_drives_self_test_is_not_ended_for_one_of_ours_that_takes_too_long() {
    let other = ata(0xF9, &[]).replace("S123", "S999");
    let mut stage = Stage::new(Bus::Sata, &[ata(0, &[OLD]), ata(0xF9, &[OLD]), other], BEGUN);
    stage.smartctl.patience = Duration::ZERO;
    let test = stage.overdue(&mut stage.start(Kind::Short).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Unknown);
    assert!(test.told.contains("of drive \"S999\""), "{}", test.told);
    assert!(!stage.calls().contains(" -X "), "{}", stage.calls());
}

/// An NVMe document: what runs (0 nothing), percent done, and the log as (code, result, hours).
fn nvme(running: u8, done: u8, log: &[(u8, u8, u64)]) -> String {
    let row = |(code, result, hours): &(u8, u8, u64)| {
        serde_json::json!({
            "self_test_code": {"value": code, "string": if *code == 1 { "Short" } else { "Extended" }},
            "self_test_result": {"value": result, "string": if *result == 0 { "Completed without error" } else { "Completed: failed segments" }},
            "power_on_hours": hours,
        })
    };
    serde_json::json!({
        "smartctl": {"version": [7, 4], "exit_status": 0},
        "device": {"type": "nvme", "protocol": "NVMe"},
        "serial_number": "S123",
        "smart_status": {"passed": true},
        "nvme_smart_health_information_log": {"critical_warning": 0, "temperature": 30, "available_spare": 100},
        "nvme_self_test_log": {
            "current_self_test_operation": {"value": running, "string": "x"},
            "current_self_test_completion_percent": done,
            "table": log.iter().map(row).collect::<Vec<_>>(),
        },
    })
    .to_string()
}

#[test]
fn fault_11_nvme_tests_are_followed_likewise() {
    let begun = (0, "Self-test has begun\nUse smartctl -X to abort test");
    for (result, want) in [
        (0, SelfTestOutcome::Passed),
        (7, SelfTestOutcome::Failed),
        (1, SelfTestOutcome::Aborted),
    ] {
        let documents = [
            nvme(0, 0, &[(1, 0, 90)]),
            nvme(1, 40, &[(1, 0, 90)]),
            nvme(0, 0, &[(1, result, 91), (1, 0, 90)]),
        ];
        let stage = Stage::new(Bus::Nvme, &documents, begun);
        let (test, percents) = stage.follow(stage.start(Kind::Short).unwrap());
        assert_eq!((test.outcome, percents), (want, vec![40.0]));
    }
    // smartctl 7.3 exits with 0 and does nothing: it is not asked.
    let stage = Stage::new(Bus::Nvme, &[nvme(0, 0, &[]).replace("[7,4]", "[7,3]")], begun);
    assert!(matches!(stage.start(Kind::Short), Err(NotStarted::Unsupported { .. })));
    let stage = Stage::new(Bus::Nvme, &[nvme(0, 0, &[])], (0, "Self-tests not supported"));
    assert!(matches!(stage.start(Kind::Short), Err(NotStarted::Unsupported { .. })));
}

/// A SAS document with its log as (code, result, hours), newest first; result 15 is the running one.
fn sas(log: &[(u8, u8, u64)]) -> String {
    let mut document = serde_json::json!({
        "smartctl": {"version": [7, 4], "exit_status": 0},
        "device": {"type": "scsi", "protocol": "SCSI"},
        "serial_number": "S123",
        "smart_status": {"passed": true},
        "scsi_grown_defect_list": 0,
        "power_on_time": {"hours": 22_364},
    });
    for (n, (code, result, hours)) in log.iter().enumerate() {
        let mut row = serde_json::json!({
            "code": {"value": code, "string": if *code == 1 { "Background short" } else { "Background long" }},
            "result": {"value": result, "string": match result { 0 => "Completed", 15 => "Self test in progress ...", _ => "Failed in segment" }},
        });
        if *result == 15 {
            row["self_test_in_progress"] = true.into();
        } else {
            row["power_on_time"] = serde_json::json!({"hours": hours});
        }
        if *result == 7 {
            row["lba_first_failure"] = serde_json::json!({"value": 4711});
        }
        document[format!("scsi_self_test_{n}")] = row;
    }
    document["scsi_extended_self_test_seconds"] = 3600.into();
    document.to_string()
}

#[test]
fn fault_11_sas_tests_are_followed_likewise() {
    let begun = (0, "Short Background Self Test has begun\nUse smartctl -X to abort test");
    let old = (1, 0, 20_000);
    for (result, want, lba) in [
        (0, SelfTestOutcome::Passed, None),
        (7, SelfTestOutcome::Failed, Some(wire::Lba(4711))),
    ] {
        let documents = [sas(&[old]), sas(&[(1, 15, 0), old]), sas(&[(1, result, 22_364), old])];
        let stage = Stage::new(Bus::Scsi, &documents, begun);
        let running = stage.start(Kind::Short).unwrap();
        assert_eq!(running.limits.announced, Duration::from_mins(2));
        let (test, _) = stage.follow(running);
        assert_eq!((test.outcome, test.lba), (want, lba), "{}", test.told);
    }
    let stage = Stage::new(Bus::Scsi, &[sas(&[])], begun);
    assert_eq!(
        stage.start(Kind::Extended).unwrap().limits.announced,
        Duration::from_hours(1)
    );
    // What QEMU's SCSI disks answer.
    let stage = Stage::new(
        Bus::Scsi,
        &[sas(&[])],
        (4, "Short offline self test failed [unsupported scsi opcode]"),
    );
    assert!(matches!(stage.start(Kind::Short), Err(NotStarted::Unsupported { .. })));
}

#[test]
fn a_test_is_followed_on_after_its_follower_was_replaced() {
    let documents = [ata(0, &[OLD]), ata(0xF9, &[OLD]), ata(0, &[(1, 0, 500, None), OLD])];
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    let text = serde_json::to_string(&stage.start(Kind::Short).unwrap()).unwrap();
    let (test, _) = stage.follow(serde_json::from_str(&text).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Passed);
}

#[test]
fn a_missing_smartctl_is_told() {
    let mut stage = Stage::new(Bus::Sata, &[ata(0, &[])], BEGUN);
    stage.smartctl.program = PathBuf::from("/no/such/smartctl");
    let error = stage.start(Kind::Short).unwrap_err();
    assert!(error.to_string().contains("/no/such/smartctl"), "{error}");
    assert_eq!(error.told(Kind::Short).outcome, SelfTestOutcome::Unknown);
}

/// One wrong byte in the reading before the start would make a true old entry a new one later.
#[test]
fn a_log_with_a_wrong_checksum_before_the_start_is_asked_for_again() {
    let garbled = ata(0, &[(1, 0, 401, None)]).replacen(
        "\"exit_status\":0",
        r#""output":["Warning! SMART Self-Test Log Structure error: invalid SMART checksum."],"exit_status":4"#,
        1,
    );
    let documents = [garbled, ata(0, &[OLD]), ata(0xF9, &[OLD]), ata(0, &[OLD])];
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    let not = stage.start(Kind::Short).unwrap_err();
    assert!(matches!(not, NotStarted::Silent(_)), "{not:?}");
    assert!(!stage.calls().contains("-t "), "{}", stage.calls());
    assert_eq!(not.told(Kind::Short).outcome, SelfTestOutcome::Unknown);
    let (test, _) = stage.follow(stage.start(Kind::Short).unwrap());
    assert_eq!(test.outcome, SelfTestOutcome::Unknown, "{}", test.told);
}

/// A document in which the self-test log could not be read.
fn logless() -> String {
    ata(0, &[OLD]).replace("ata_smart_self_test_log", "x")
}

#[test]
fn a_log_that_was_read_before_and_is_missing_now_is_asked_for_again() {
    let documents = [ata(0, &[OLD]), logless(), logless(), ata(0, &[OLD])];
    let stage = Stage::new(Bus::Sata, &documents, BEGUN);
    stage.smartctl.read(Path::new(NODE), &stage.drive).unwrap();
    let not = stage.start(Kind::Short).unwrap_err();
    assert!(matches!(not, NotStarted::Silent(_)), "{not:?}");
    stage.start(Kind::Short).unwrap();
}

#[test]
fn a_log_that_was_never_read_is_asked_for_twice() {
    let stage = Stage::new(Bus::Sata, &[logless(), ata(0, &[OLD])], BEGUN);
    stage.start(Kind::Short).unwrap();
    let stage = Stage::new(Bus::Sata, &[logless()], BEGUN);
    assert!(matches!(stage.start(Kind::Short), Err(NotStarted::Unsupported { .. })));
    assert_eq!(stage.calls().lines().count(), 2, "{}", stage.calls());
}

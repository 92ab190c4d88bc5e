//! smartctl replaced by scripts that hang, lie, print nonsense, or only answer to one `-d` type.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drive::Identity;
use drive::smart::{Farm, FarmErrors, Protocol, Smartctl, Snapshot, Switch, Unreadable};
use wire::drive::Bus;
use wire::{Bytes, DriveId};

fn smartctl(dir: &Path, script: &str) -> Smartctl {
    let program = dir.join("smartctl");
    common::script(&program, script);
    Smartctl {
        program,
        deadline: Duration::from_secs(30),
        ..Smartctl::default()
    }
}

fn expected(serial: &str, bus: Bus) -> Identity {
    Identity {
        id: DriveId::from_serial("M", serial, 1000),
        model: "M".into(),
        serial: serial.into(),
        wwn: Some("5000cca264eb01d7".into()),
        capacity: Bytes(1000),
        logical_sector: 512,
        bus,
    }
}

/// A document of a healthy ATA drive with `serial`.
fn document(serial: &str) -> String {
    format!(
        r#"{{"smartctl":{{"exit_status":0}},"device":{{"name":"x","type":"sat","protocol":"ATA"}},"serial_number":"{serial}","smart_status":{{"passed":true}}}}"#
    )
}

const NODE: &str = "/dev/null";

#[test]
fn a_healthy_answer_with_the_right_serial_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let tool = smartctl(dir.path(), &format!("printf '%s' '{}'", document("  abc-123 ")));
    let snapshot = tool.read(Path::new(NODE), &expected("ABC123", Bus::Sata)).unwrap();
    assert_eq!((snapshot.protocol, snapshot.passed), (Protocol::Ata, Some(true)));
}

#[test]
fn an_answer_of_another_drive_is_never_taken() {
    let dir = tempfile::tempdir().unwrap();
    let tool = smartctl(dir.path(), &format!("printf '%s' '{}'", document("OTHER")));
    let error = tool.read(Path::new(NODE), &expected("ABC", Bus::Sata)).unwrap_err();
    assert!(matches!(error, Unreadable::OtherDrive { .. }), "{error}");
    // One that hides its serial is another drive as well.
    let tool = smartctl(dir.path(), &format!("printf '%s' '{}'", document("")));
    assert!(matches!(
        tool.read(Path::new(NODE), &expected("", Bus::Sata)),
        Err(Unreadable::OtherDrive { .. })
    ));
    // The world wide name is as good as the serial.
    let named = document("").replace(
        "\"serial_number\"",
        r#""wwn":{"naa":5,"oui":3274,"id":10283057623},"serial_number""#,
    );
    let tool = smartctl(dir.path(), &format!("printf '%s' '{named}'"));
    tool.read(Path::new(NODE), &expected("ABC", Bus::Sata)).unwrap();
}

/// Its kernel knows it by its world wide name, which smartctl calls a logical unit's.
#[test]
fn a_sas_disk_whose_serial_is_garbage_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let told = r#"{"smartctl":{"exit_status":0},"device":{"name":"x","type":"scsi","protocol":"SCSI"},"logical_unit_id":"0x5000cca264eb01d7","serial_number":"????????","smart_status":{"passed":true},"scsi_grown_defect_list":3}"#;
    let tool = smartctl(dir.path(), &format!("printf '%s' '{told}'"));
    let disk = expected("", Bus::Scsi);
    assert_eq!(tool.read(Path::new(NODE), &disk).unwrap().passed, Some(true));
    let other = Identity {
        wwn: Some("5000cca264eb01d8".to_owned()),
        ..disk
    };
    assert!(matches!(
        tool.read(Path::new(NODE), &other),
        Err(Unreadable::OtherDrive { certain: false, .. })
    ));
}

#[test]
fn another_drive_is_certain_only_where_both_tell_who_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let named = |serial: &str| {
        let wwn = r#""wwn":{"naa":5,"oui":3274,"id":10283057623},"serial_number""#;
        document(serial).replace("\"serial_number\"", wwn)
    };
    let wwn = Some("5000c500ffffffff".to_owned());
    for (bus, told, wwn, certain) in [
        (Bus::Sata, document("OTHER"), None, true),
        (Bus::Nvme, document("OTHER"), None, true),
        (Bus::Sata, document(""), None, false),
        (Bus::Sata, named(""), wwn.clone(), true),
        (Bus::Usb, document("OTHER"), None, false),
        (Bus::Usb, document("OTHER"), wwn.clone(), false),
        (Bus::Usb, named("OTHER"), None, false),
        (Bus::Usb, named("OTHER"), wwn.clone(), true),
    ] {
        let tool = smartctl(dir.path(), &format!("printf '%s' '{told}'"));
        let expected = Identity {
            wwn,
            ..expected("ABC", bus)
        };
        match tool.read(Path::new(NODE), &expected) {
            Err(Unreadable::OtherDrive { certain: is, .. }) => assert_eq!(is, certain, "{bus:?} {told}"),
            other => panic!("{bus:?} {told}: {other:?}"),
        }
    }
}

/// smartctl calls it `sat` when it is asked as `sat,12`.
#[test]
fn the_type_that_worked_is_the_one_that_another_process_recalls() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        r#"case "$*" in
  *"-d sat,12"*) printf '%s' '{good}' ;;
  *) printf '%s' '{{"smartctl":{{"exit_status":1,"messages":[{{"string":"Unknown USB bridge","severity":"error"}}]}}}}' ;;
esac"#,
        good = document("ABC"),
    );
    let drive = expected("ABC", Bus::Usb);
    let read = smartctl(dir.path(), &script).read(Path::new(NODE), &drive).unwrap();
    let later = smartctl(dir.path(), &script);
    later.recall(&drive, &read);
    assert_eq!(later.glance(Path::new(NODE), &drive).unwrap().passed, Some(true));
}

#[test]
fn behind_a_usb_bridge_the_type_is_found_by_trying() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        r#"echo "$*" >> {log}
case "$*" in
  *sntrealtek*) printf '%s' '{good}' ;;
  *"-d sat"*) printf '%s' '{{"smartctl":{{"exit_status":4}},"device":{{"name":"x","type":"sat","protocol":"ATA"}}}}' ;;
  *) printf '%s' '{{"smartctl":{{"exit_status":1,"messages":[{{"string":"Unknown USB bridge [0x46f4:0x0001]","severity":"error"}}]}}}}' ;;
esac"#,
        log = dir.path().join("log").display(),
        good = document("ABC"),
    );
    let tool = smartctl(dir.path(), &script);
    assert_eq!(
        tool.read(Path::new(NODE), &expected("ABC", Bus::Usb)).unwrap().passed,
        Some(true)
    );
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    let calls: Vec<&str> = log.lines().collect();
    assert_eq!(calls.len(), 3, "{log}");
    assert!(
        calls
            .iter()
            .all(|call| call.starts_with("--json=co -x ") && call.ends_with(NODE)),
        "{log}"
    );
    // What worked is remembered.
    tool.read(Path::new(NODE), &expected("ABC", Bus::Usb)).unwrap();
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert_eq!(log.lines().count(), 4, "{log}");
    assert!(log.ends_with("-d sntrealtek /dev/null\n"), "{log}");
    // Where nothing works, what smartctl said is told.
    let error = tool.read(Path::new(NODE), &expected("ABC", Bus::Virtio)).unwrap_err();
    assert!(error.to_string().contains("Unknown USB bridge"), "{error}");
}

#[test]
fn one_that_hangs_is_left_after_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let mut tool = smartctl(dir.path(), "exec sleep 300");
    tool.deadline = Duration::from_millis(300);
    let started = Instant::now();
    assert!(matches!(
        tool.read(Path::new(NODE), &expected("ABC", Bus::Sata)),
        Err(Unreadable::Run(_))
    ));
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[test]
fn nonsense_and_a_missing_program_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let tool = smartctl(dir.path(), "echo smartctl: segmentation fault");
    let error = tool.read(Path::new(NODE), &expected("ABC", Bus::Nvme)).unwrap_err();
    assert!(error.to_string().contains("no JSON"), "{error}");
    let tool = Smartctl {
        program: PathBuf::from("/no/such/smartctl"),
        deadline: Duration::from_secs(9),
        ..Smartctl::default()
    };
    assert!(matches!(
        tool.read(Path::new(NODE), &expected("ABC", Bus::Nvme)),
        Err(Unreadable::Run(_))
    ));
}

#[test]
fn a_bridge_that_answers_for_itself_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "case \"$*\" in *sntjmicron*) printf '%s' '{}' ;; *) printf '%s' '{}' ;; esac",
        document("ABC"),
        document("BRIDGE"),
    );
    let tool = smartctl(dir.path(), &script);
    tool.read(Path::new(NODE), &expected("ABC", Bus::Usb)).unwrap();
    let error = tool.read(Path::new(NODE), &expected("XYZ", Bus::Usb)).unwrap_err();
    assert!(matches!(error, Unreadable::OtherDrive { .. }), "{error}");
}

#[test]
fn trying_types_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut tool = smartctl(dir.path(), "sleep 1; echo '{}'");
    tool.budget = Duration::from_millis(1500);
    let started = Instant::now();
    let error = tool.read(Path::new(NODE), &expected("ABC", Bus::Usb)).unwrap_err();
    assert!(error.to_string().contains("types answered within"), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "ten types would take ten seconds and more"
    );
}

#[test]
fn a_drive_in_standby_is_not_woken_by_a_glance() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "case \"$*\" in *'-n standby,77'*) exit 77 ;; *) printf '%s' '{}' ;; esac",
        document("ABC")
    );
    let tool = smartctl(dir.path(), &script);
    assert!(matches!(
        tool.glance(Path::new(NODE), &expected("ABC", Bus::Sata)),
        Err(Unreadable::Asleep)
    ));
    tool.read(Path::new(NODE), &expected("ABC", Bus::Sata)).unwrap();
}

#[test]
fn seagates_field_log_is_asked_for_by_a_smartctl_that_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    // `-x` asks for no FARM log and says whether there is one, as does `-l farm`.
    let seagate = |version: &str, supported: &str, lines: &str| {
        document("ABC")
            .replace(
                r#""exit_status":0"#,
                &format!(r#""version":{version},"output":[{lines}],"exit_status":0"#),
            )
            .replace(
                r#""serial_number""#,
                &format!(r#""model_name":"ST4000DM000-1F2168","seagate_farm_log":{supported},"serial_number""#),
            )
    };
    let (yes, no) = (r#"{"supported":true}"#, r#"{"supported":false}"#);
    let hours = r#"{"supported":true,"page_1_drive_information":{"poh":31204}}"#;
    let told = |everything: &str, farm: &str| {
        let script =
            format!("case \"$*\" in *'-l farm'*) printf '%s' '{farm}' ;; *) printf '%s' '{everything}' ;; esac");
        let tool = smartctl(dir.path(), &script);
        tool.read(Path::new(NODE), &expected("ABC", Bus::Sata)).unwrap().farm
    };
    let has_one = seagate(
        "[7,4]",
        yes,
        r#""Seagate FARM log (GP Log 0xa6) supported [try: -l farm]""#,
    );
    let has_none = seagate("[7,4]", no, "");
    let farm = |supported: &str, line: &str| seagate("[7,4]", supported, &format!("\"{line}\""));
    let absent = farm(no, "FARM log (GP Log 0xa6) not supported");
    assert_eq!(
        told(&has_one, &farm(hours, "")),
        Farm::Told {
            hours: 31204,
            errors: FarmErrors::default()
        }
    );
    assert_eq!(told(&has_none, &absent), Farm::Absent);
    for unanswered in [
        "Read FARM log (GP Log 0xa6) failed",
        "Read GP Log Directory failed",
        "FARM log (GP Log 0xa6) not supported for non-Seagate drives",
    ] {
        assert_eq!(told(&has_none, &farm(no, unanswered)), Farm::NotAsked, "{unanswered}");
    }
    for everything in [&has_one, &has_none] {
        assert_eq!(told(everything, "nonsense"), Farm::NotAsked);
    }
    // 7.3 knows no such log, and to `-l farm` it would only print its usage.
    let before = seagate("[7,3]", "null", "");
    assert_eq!(told(&before, &farm(hours, "")), Farm::NotAsked);
}

#[test]
fn wrong_checksums_are_read_from_what_is_printed_and_of_the_printed_lines_only_those_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let printed = r#""output":["", "=== START ===", "Warning! SMART Attribute Data Structure error: invalid SMART checksum.", 7],"exit_status""#;
    let told = document("ABC").replacen("\"exit_status\"", printed, 1);
    let tool = smartctl(dir.path(), &format!("printf '%s' '{told}'; exit 4"));
    let (snapshot, document) = tool.read_whole(Path::new(NODE), &expected("ABC", Bus::Sata)).unwrap();
    assert_eq!(snapshot.wrong_checksums, ["SMART Attribute Data Structure"]);
    assert_eq!(snapshot.exit_status, Some(4), "the process's own status counts as well");
    // Who reads the document later, for alerts, has to know it as well.
    let kept = document["smartctl"]["output"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(
        smart::read(&document).unwrap().wrong_checksums,
        snapshot.wrong_checksums
    );
}

#[test]
fn a_smartctl_that_was_killed_has_said_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tool = smartctl(dir.path(), &format!("printf '%s' '{}'; kill -9 $$", document("ABC")));
    let error = tool.read(Path::new(NODE), &expected("ABC", Bus::Other)).unwrap_err();
    assert!(matches!(error, Unreadable::Nothing(Some(_))), "{error}");
}

/// A SATA disk behind a SAS HBA: as `sat` it tells its counters, unless a file `busy` is there; as `scsi` that it is well.
fn behind_an_hba(dir: &Path) -> Smartctl {
    let counters = document("ABC").replacen(
        "\"smart_status\"",
        r#""ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"raw":{"value":0,"string":"0"}}]},"smart_status""#,
        1,
    );
    let bare = document("ABC")
        .replace("\"sat\"", "\"scsi\"")
        .replace("\"ATA\"", "\"SCSI\"");
    let script = format!(
        r#"echo "$*" >> {log}
case "$*" in
  *"-d scsi"*) printf '%s' '{bare}' ;;
  *) [ -e {busy} ] && echo '{{"smartctl":{{"exit_status":2}},"device":{{"type":"sat","protocol":"ATA"}}}}' && exit 2; printf '%s' '{counters}' ;;
esac"#,
        log = dir.join("log").display(),
        busy = dir.join("busy").display(),
    );
    smartctl(dir, &script)
}

#[test]
fn one_failed_command_lets_no_other_type_answer() {
    let dir = tempfile::tempdir().unwrap();
    let tool = behind_an_hba(dir.path());
    let drive = expected("ABC", Bus::Scsi);
    let read = || tool.read(Path::new(NODE), &drive);
    assert_eq!(read().unwrap().protocol, Protocol::Ata);
    std::fs::write(dir.path().join("busy"), "").unwrap();
    for _ in 0..3 {
        let error = read().unwrap_err();
        assert!(matches!(error, Unreadable::Nothing(_)), "{error}");
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(!log.contains("-d"), "nothing else was tried: {log}");
    assert!(tool.knows(&drive), "the type is not forgotten");
    std::fs::remove_file(dir.path().join("busy")).unwrap();
    assert_eq!(read().unwrap().protocol, Protocol::Ata);
}

#[test]
fn a_type_that_tells_no_counters_does_not_win_by_a_busy_moment_of_the_first_reading() {
    let dir = tempfile::tempdir().unwrap();
    let tool = behind_an_hba(dir.path());
    let drive = expected("ABC", Bus::Scsi);
    let read = || tool.read(Path::new(NODE), &drive).unwrap();
    std::fs::write(dir.path().join("busy"), "").unwrap();
    assert_eq!(read().protocol, Protocol::Scsi, "it is all that answers");
    std::fs::remove_file(dir.path().join("busy")).unwrap();
    assert_eq!(read().protocol, Protocol::Ata, "it is not remembered for good");
}

#[test]
fn one_word_on_health_is_kept_where_another_type_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let bare = document("ABC")
        .replace("\"sat\"", "\"scsi\"")
        .replace("\"ATA\"", "\"SCSI\"");
    let tool = |sat: &str| {
        let mut tool = smartctl(
            dir.path(),
            &format!("case \"$*\" in *'-d sat'*) {sat} ;; *) printf '%s' '{bare}' ;; esac"),
        );
        tool.deadline = Duration::from_secs(3);
        tool
    };
    let drive = expected("ABC", Bus::Scsi);
    let nameless = document("");
    for sat in ["exec sleep 300".to_owned(), format!("printf '%s' '{nameless}'")] {
        let told = tool(&sat).read(Path::new(NODE), &drive).unwrap();
        assert_eq!(told.protocol, Protocol::Scsi, "{sat}");
    }
    // Another drive at the node is no word of this one, and a drive that sleeps is told as that.
    let other = tool(&format!("printf '%s' '{}'", document("OTHER")));
    let error = other.read(Path::new(NODE), &drive).unwrap_err();
    assert!(matches!(error, Unreadable::OtherDrive { certain: true, .. }), "{error}");
    let error = tool("exit 77").at_rest(Path::new(NODE), &drive).unwrap_err();
    assert!(matches!(error, Unreadable::Asleep), "{error}");
}

#[test]
fn counters_are_never_given_up_for_one_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut tool = behind_an_hba(dir.path());
    tool.patience = Duration::ZERO;
    let drive = expected("ABC", Bus::Scsi);
    let read = || tool.read(Path::new(NODE), &drive);
    assert_eq!(read().unwrap().protocol, Protocol::Ata);
    std::fs::write(dir.path().join("busy"), "").unwrap();
    for _ in 0..2 {
        let error = read().unwrap_err();
        assert!(error.to_string().contains("tells less as scsi"), "{error}");
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("-d sat"), "the others are tried: {log}");
    assert!(tool.has_told(&drive) && !tool.knows(&drive));
    std::fs::remove_file(dir.path().join("busy")).unwrap();
    assert_eq!(read().unwrap().protocol, Protocol::Ata);
    // An earlier process's reading counts alike.
    let told = read().unwrap();
    let mut later = behind_an_hba(dir.path());
    later.patience = Duration::ZERO;
    later.recall(
        &drive,
        &Snapshot {
            device_type: "sat".into(),
            ..told
        },
    );
    std::fs::write(dir.path().join("busy"), "").unwrap();
    assert!(later.read(Path::new(NODE), &drive).is_err());
}

/// Another dock hides the same drive behind another bridge.
#[test]
fn another_type_that_tells_counters_takes_over_once_the_known_one_fails_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let counters = document("ABC").replacen(
        "\"smart_status\"",
        r#""ata_smart_attributes":{"table":[{"id":5,"name":"x","value":100,"worst":100,"thresh":10,"raw":{"value":0}}]},"smart_status""#,
        1,
    );
    let script = format!(
        "type=\"-d sat\"; [ -e {} ] && type=\"-d usbjmicron\"\ncase \"$*\" in *\"$type \"*) printf '%s' '{counters}' ;; *) exit 2 ;; esac",
        dir.path().join("moved").display()
    );
    let mut tool = smartctl(dir.path(), &script);
    tool.patience = Duration::ZERO;
    let drive = expected("ABC", Bus::Usb);
    assert_eq!(tool.read(Path::new(NODE), &drive).unwrap().device_type, "sat");
    std::fs::write(dir.path().join("moved"), "").unwrap();
    assert_eq!(tool.read(Path::new(NODE), &drive).unwrap().device_type, "usbjmicron");
}

/// A smartctl of a drive whose SMART is off: it takes the order to switch that on, if the file `takes` is there, and notes each in `asked`.
/// Then so many readings fail as the file `loses` has lines.
fn off(dir: &Path) -> Smartctl {
    let off = r#"{"smartctl":{"exit_status":0},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"ABC","rotation_rate":7200,"smart_support":{"available":true,"enabled":false}}"#;
    let script = format!(
        r#"cd '{}'; echo "$*" >>asked
case "$*" in
  *"-s on"*) test ! -e takes || touch on ;;
  *) if test -e on; then test -s loses && sed -i 1d loses && exit 2; printf '%s' '{on}'; else printf '%s' '{off}'; fi ;;
esac"#,
        dir.display(),
        on = document("ABC"),
    );
    smartctl(dir, &script)
}

#[test]
fn a_drive_whose_smart_is_off_is_told_as_that_and_left_so_by_who_only_reads() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("takes"), "").unwrap();
    for bus in [Bus::Sata, Bus::Scsi, Bus::Usb] {
        let drive = expected("ABC", bus);
        let error = off(dir.path()).read(Path::new(NODE), &drive).unwrap_err();
        assert!(matches!(error, Unreadable::SwitchedOff { .. }), "{bus:?} {error}");
        assert_eq!(error.to_string(), "SMART is switched off on this drive");
        let (told, _) = off(dir.path()).read_for_job(Path::new(NODE), &drive, false).unwrap();
        assert_eq!(
            (told.switch, told.rpm, told.tells_health()),
            (Switch::Off, Some(7200), false)
        );
    }
    let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(!asked.contains("-s on"), "{asked}");
    // Another drive's word is no word on this one.
    let other = off(dir.path()).read_for_job(Path::new(NODE), &expected("DEF", Bus::Sata), true);
    assert!(matches!(other, Err(Unreadable::OtherDrive { certain: true, .. })));
}

#[test]
fn a_job_that_may_erase_switches_smart_on_once_and_says_so() {
    for (takes, switch) in [(true, Switch::SwitchedOn), (false, Switch::Off)] {
        let dir = tempfile::tempdir().unwrap();
        if takes {
            std::fs::write(dir.path().join("takes"), "").unwrap();
        }
        let (tool, drive) = (off(dir.path()), expected("ABC", Bus::Sata));
        let (told, _) = tool.read_for_job(Path::new(NODE), &drive, true).unwrap();
        assert_eq!((told.switch, told.passed), (switch, takes.then_some(true)));
        let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
        assert_eq!(asked.matches("-s on").count(), 1, "{asked}");
    }
}

/// The reading behind the order may be the one that a bridge loses; each is tried as two types.
#[test]
fn an_order_whose_own_reading_is_lost_is_told_by_the_next_one_of_a_job_that_erases_and_once() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("takes", ""), ("loses", "1\n2\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let (tool, drive) = (off(dir.path()), expected("ABC", Bus::Sata));
    let read = |may_set| tool.read_for_job(Path::new(NODE), &drive, may_set);
    let lost = read(true).unwrap_err();
    assert!(matches!(lost, Unreadable::Nothing(_)), "{lost}");
    for (may_set, switch) in [(false, Switch::On), (true, Switch::SwitchedOn), (true, Switch::On)] {
        assert_eq!(read(may_set).unwrap().0.switch, switch, "{may_set}");
    }
}

/// The type that told it is the one that is given the order.
#[test]
fn a_bridge_is_given_the_order_by_the_type_that_told() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        r#"cd '{}'
case "$*" in
  *"-s on"*"-d sat "*) touch on ;;
  *"-d sat "*) test -e on && printf '%s' '{on}' || printf '%s' '{{"device":{{"name":"x","type":"sat","protocol":"ATA"}},"serial_number":"ABC","smart_support":{{"available":true,"enabled":false}}}}' ;;
  *) printf '%s' '{{"smartctl":{{"exit_status":1,"messages":[{{"string":"Unknown USB bridge","severity":"error"}}]}}}}' ;;
esac"#,
        dir.path().display(),
        on = document("ABC"),
    );
    let tool = smartctl(dir.path(), &script);
    let (told, _) = tool
        .read_for_job(Path::new(NODE), &expected("ABC", Bus::Usb), true)
        .unwrap();
    assert_eq!((told.switch, told.device_type.as_str()), (Switch::SwitchedOn, "sat"));
}

//! smartctl replaced by scripts that hang, lie, print nonsense, or only answer to one `-d` type.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drive::Identity;
use drive::smart::{Protocol, Smartctl, Unreadable};
use wire::drive::Bus;
use wire::{Bytes, DriveId};

fn smartctl(dir: &Path, script: &str) -> Smartctl {
    let program = dir.join("smartctl");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Smartctl {
        program,
        deadline: Duration::from_secs(30),
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
    assert_eq!(calls.len(), 4, "{log}");
    assert!(
        calls
            .iter()
            .all(|call| call.starts_with("--json=c -x ") && call.ends_with(NODE)),
        "{log}"
    );
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
    assert!(started.elapsed() < Duration::from_secs(60));
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
    };
    assert!(matches!(
        tool.read(Path::new(NODE), &expected("ABC", Bus::Nvme)),
        Err(Unreadable::Run(_))
    ));
}

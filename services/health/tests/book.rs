//! The book over a real store: what a report changes, what is told once, what outlives a restart, what is bounded.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests"
)]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use health::book::Packed;
use health::enrol::{Auth, Register};
use health::tables::NAMES;
use health::{Book, Failure, report};
use serde_json::{Value, json};
use store::{Check, Options};
use wire::event::Severity;
use wire::{DriveId, Time};

fn open(dir: &std::path::Path) -> Book {
    let mut names = NAMES.to_vec();
    names.push("numbers");
    let options = Options {
        check: Check::InProcess,
        ..Options::new(&names)
    };
    Book::new(store::open(dir, &options).unwrap().store)
}

fn at(hour: i64) -> Time {
    Time::from_second(1_700_000_000 + hour * 3600).unwrap()
}

fn form(host: &str, key: u8) -> Register {
    Register {
        hostname: host.into(),
        name: String::new(),
        fingerprint: format!("mid:{key}"),
        public_key: STANDARD.encode(SigningKey::from_bytes(&[key; 32]).verifying_key().to_bytes()),
        signed: None,
    }
}

#[tokio::test]
async fn a_drive_that_is_reported_no_more_can_be_forgotten_with_its_history() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let agent = enrol(&book, "nas", 1).await;
    send(&book, agent, "nas", vec![drive("S1", 0), drive("S2", 0)], 0)
        .await
        .unwrap();
    send(&book, agent, "nas", vec![drive("S1", 0)], 1).await.unwrap();
    let id = |serial: &str| {
        book.drives(|drive| drive.reading.serial == serial)
            .unwrap()
            .pop()
            .map(|drive| drive.id)
    };
    let (here, gone) = (id("S1").unwrap(), id("S2").unwrap());
    let forget = async |host: &str, id: &str| match book.drop_drive(host.to_owned(), id.to_owned()).await {
        Ok(drive) => Ok(drive.map(|drive| drive.reading.serial)),
        Err(Failure::Refused(problem)) => Err(problem.kind),
        Err(Failure::Store(error)) => panic!("{error}"),
    };
    assert_eq!(forget("nas", &here).await, Err("drive-present".to_owned()));
    assert_eq!(forget("other", &gone).await, Ok(None));
    assert_eq!(forget("nas", &gone).await, Ok(Some("S2".to_owned())));
    assert_eq!(forget("nas", &gone).await, Ok(None));
    assert_eq!((id("S1"), id("S2")), (Some(here), None));
    assert!(book.points(&gone, at(-1)).unwrap().is_empty());
}

/// Reports come late: one that is too long to be kept says nothing of a newer one that is.
#[tokio::test]
async fn an_older_report_leaves_the_newer_one_whatever_its_length() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let agent = enrol(&book, "nas", 7).await;
    send(&book, agent, "nas", vec![drive("S1", 0)], 5).await.unwrap();
    let keep = |hour, packed| book.keep_last("nas".into(), at(hour), packed);
    keep(5, Packed::of("newer")).await.unwrap();
    for packed in [Packed::of("older"), None] {
        keep(4, packed).await.unwrap();
        assert_eq!(book.last("nas").unwrap().as_deref(), Some("newer"));
    }
    keep(5, None).await.unwrap();
    assert_eq!(book.last("nas").unwrap(), None);
}

async fn enrol(book: &Book, host: &str, key: u8) -> u64 {
    let hash = format!("token {key}");
    book.new_token("t".into(), hash.clone(), at(0), None).await.unwrap();
    book.register(form(host, key), Some(hash), format!("session {key}"), at(0))
        .await
        .unwrap()
        .agent_id
}

fn drive(serial: &str, pending: u64) -> Value {
    json!({
        "device": { "name": "/dev/sda", "type": "sat", "protocol": "ATA" }, "model_name": "MODEL", "serial_number": serial,
        "rotation_rate": 7200, "smart_status": { "passed": true }, "temperature": { "current": 30 },
        "ata_smart_attributes": { "table": [
            { "id": 197, "name": "Current_Pending_Sector", "value": 100, "worst": 100, "thresh": 0, "raw": { "value": pending, "string": pending.to_string() } },
        ] },
    })
}

async fn send(book: &Book, agent: u64, host: &str, drives: Vec<Value>, hour: i64) -> Result<usize, String> {
    let body = json!({ "hostname": host, "timestamp": at(hour), "drives": drives });
    let read = report(&body, at(hour)).unwrap();
    // The server's clock goes on while reports come late.
    let now = book
        .hosts()
        .unwrap()
        .iter()
        .map(|host| host.last_seen)
        .max()
        .unwrap_or(at(0));
    match book.take(agent, read, None, 3600, at(hour).max(now)).await {
        Ok(taken) => Ok(taken.drives),
        Err(Failure::Refused(problem)) => Err(problem.kind),
        Err(Failure::Store(error)) => panic!("{error}"),
    }
}

fn told(book: &Book) -> Vec<String> {
    book.outbox()
        .unwrap()
        .into_iter()
        .map(|(_, event)| format!("{} {}", event.kind, event.data["alert"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn alerts_are_told_once_also_over_a_restart_and_are_resolved() {
    let dir = tempfile::tempdir().unwrap();
    let agent = {
        let book = open(dir.path());
        let agent = enrol(&book, "nas", 1).await;
        send(&book, agent, "nas", vec![drive("S1", 0)], 0).await.unwrap();
        assert!(told(&book).is_empty());
        send(&book, agent, "nas", vec![drive("S1", 2)], 1).await.unwrap();
        send(&book, agent, "nas", vec![drive("S1", 2)], 2).await.unwrap();
        agent
    };
    let book = open(dir.path());
    assert_eq!(
        told(&book),
        ["drive.alert pending"],
        "it waits for the log over a restart"
    );
    let last = book.outbox().unwrap().last().unwrap().0;
    book.logged(last).await.unwrap();
    send(&book, agent, "nas", vec![drive("S1", 2)], 3).await.unwrap();
    assert!(told(&book).is_empty());
    send(&book, agent, "nas", vec![drive("S1", 0)], 4).await.unwrap();
    assert_eq!(told(&book), ["drive.alert_resolved pending"]);
    let drives = book.drives(|_| true).unwrap();
    assert_eq!(
        (drives.len(), drives[0].score.score, drives[0].reports),
        (1, Some(100), 5)
    );
    let history: Vec<u64> = book
        .points(&drives[0].id, at(-1))
        .unwrap()
        .into_iter()
        .map(|(_, p)| p.values["197"])
        .collect();
    assert_eq!(history, [0, 2, 2, 2, 0]);
}

#[tokio::test]
async fn a_late_report_adds_to_the_history_and_changes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let agent = enrol(&book, "nas", 1).await;
    send(&book, agent, "nas", vec![drive("S1", 0), drive("S2", 0)], 5)
        .await
        .unwrap();
    send(&book, agent, "nas", vec![drive("S1", 9)], 1).await.unwrap();
    assert!(told(&book).is_empty());
    let drives = book.drives(|_| true).unwrap();
    assert!(drives.iter().all(|d| d.present && d.alerts.is_empty()));
    let both = drives
        .iter()
        .map(|d| book.points(&d.id, at(0)).unwrap().len())
        .sum::<usize>();
    assert_eq!(both, 3);
    send(&book, agent, "nas", vec![drive("S2", 0)], 6).await.unwrap();
    let present: Vec<bool> = book.drives(|_| true).unwrap().iter().map(|d| d.present).collect();
    assert_eq!(present.iter().filter(|p| **p).count(), 1, "S1 was taken out");
}

#[tokio::test]
async fn a_token_admits_one_key_and_a_host_has_one_agent() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let word = |result: Result<health::book::Admitted, Failure>| match result {
        Ok(admitted) => format!("agent {}", admitted.agent_id),
        Err(Failure::Refused(problem)) => format!("{} {}", problem.status, problem.kind),
        Err(Failure::Store(error)) => panic!("{error}"),
    };
    let register =
        |key, token: Option<&str>| book.register(form("nas", key), token.map(str::to_owned), "s".into(), at(1));
    book.new_token("t".into(), "T1".into(), at(0), None).await.unwrap();
    book.new_token("t".into(), "T2".into(), at(0), Some(at(1)))
        .await
        .unwrap();
    assert_eq!(word(register(1, None).await), "401 token-wrong");
    assert_eq!(word(register(1, Some("T2")).await), "401 token-wrong", "it has expired");
    assert_eq!(word(register(1, Some("T1")).await), "agent 1");
    assert_eq!(word(register(1, None).await), "agent 1", "its key is known");
    assert_eq!(word(register(2, Some("T1")).await), "401 token-wrong", "it was used");
    let stolen = Register {
        fingerprint: "mid:1".into(),
        ..form("nas", 3)
    };
    assert_eq!(
        word(book.register(stolen, None, "s".into(), at(1)).await),
        "409 fingerprint-taken"
    );
    send(&book, 1, "nas", vec![drive("S1", 0)], 2).await.unwrap();
    let other = enrol(&book, "shed", 4).await;
    assert_eq!(send(&book, other, "nas", vec![], 3).await, Err("host-taken".into()));
    let again = enrol(&book, "nas", 5).await;
    assert_eq!(
        send(&book, again, "nas", vec![], 3).await,
        Ok(0),
        "a person's token says that this is the host now"
    );
    assert_eq!(send(&book, 1, "nas", vec![], 4).await, Err("host-taken".into()));
    assert_eq!(book.drop_agent(again).await.unwrap().as_deref(), Some("nas"));
    assert!(
        book.hosts().unwrap().iter().all(|host| host.hostname != "nas") && book.drives(|_| true).unwrap().is_empty()
    );
    assert_eq!(send(&book, again, "nas", vec![], 5).await, Err("agent-unknown".into()));
}

#[tokio::test]
async fn a_signature_that_registered_an_agent_brings_one_session() {
    use ed25519_dalek::Signer;
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let id = enrol(&book, "nas", 1).await;
    let now = at(1);
    let text = format!("{id}:mid:1:{}", now.as_second());
    let auth = Auth {
        agent_id: id,
        fingerprint: "mid:1".into(),
        timestamp: now.as_second(),
        signature: STANDARD.encode(SigningKey::from_bytes(&[1; 32]).sign(text.as_bytes()).to_bytes()),
    };
    let signed = || Register {
        signed: Some(auth.clone()),
        ..form("nas", 1)
    };
    book.register(signed(), None, "session a".into(), now).await.unwrap();
    let heard = book.register(signed(), None, "session b".into(), now).await;
    let Err(Failure::Refused(problem)) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(problem.kind, "replayed");
    let Err(Failure::Refused(problem)) = book.authenticate(auth, "session c".into(), now).await else {
        panic!("taken")
    };
    assert_eq!(problem.kind, "replayed");
}

#[tokio::test]
async fn a_silent_host_is_told_of_once_and_its_return_too() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let agent = enrol(&book, "nas", 1).await;
    send(&book, agent, "nas", vec![drive("S1", 0)], 0).await.unwrap();
    for _ in 0..2 {
        book.listen(
            BTreeMap::from([("nas".into(), "no report for 3 h".into()), ("gone".into(), "x".into())]),
            at(4),
        )
        .await
        .unwrap();
    }
    assert_eq!(told(&book), ["drive.alert host_silent"]);
    send(&book, agent, "nas", vec![], 5).await.unwrap();
    assert_eq!(
        told(&book),
        ["drive.alert host_silent", "drive.alert_resolved host_silent"]
    );
}

#[tokio::test]
async fn a_year_of_reports_stays_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let agent = enrol(&book, "nas", 1).await;
    for hour in (0..400 * 24).step_by(6) {
        send(&book, agent, "nas", vec![drive("S1", 0)], hour).await.unwrap();
    }
    let id = book.drives(|_| true).unwrap()[0].id.clone();
    let kept = book.points(&id, at(-1)).unwrap().len();
    assert!((380..=health::thin::MOST + 16).contains(&kept), "{kept}");
    assert_eq!(
        book.clean(at(399 * 24)).await.unwrap() + book.points(&id, at(-1)).unwrap().len(),
        kept
    );
}

fn own(serial: &str, pending: u64, present: &[&str], hour: i64) -> health::Own {
    health::Own {
        reading: health::read(&drive(serial, pending)).unwrap(),
        drive: DriveId::from_serial("MODEL", serial, 1 << 40),
        at: at(hour),
        present: present.iter().map(|&serial| serial.to_owned()).collect(),
    }
}

#[tokio::test]
async fn this_boxs_own_drives_have_histories_and_alerts_and_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    assert!(book.take_own(own("S1", 0, &["S1", "S2"], 1), at(1000)).await.unwrap());
    assert!(book.take_own(own("S2", 0, &["s1 ", "S2"], 2), at(1000)).await.unwrap());
    assert!(book.drives(|_| true).unwrap().iter().all(|drive| drive.present));
    assert!(book.outbox().unwrap().is_empty());
    // It gets worse while the other one is pulled.
    assert!(book.take_own(own("S1", 8, &["S1"], 3), at(1000)).await.unwrap());
    let told: Vec<_> = book.outbox().unwrap().into_iter().map(|(_, event)| event).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind, "drive.alert");
    assert!(
        told[0].message.starts_with("this box /dev/sda (MODEL, S1): "),
        "{told:?}"
    );
    assert_eq!(told[0].drive, DriveId::from_serial("MODEL", "S1", 1 << 40));
    let drives = book.drives(|drive| drive.hostname == health::THIS_BOX).unwrap();
    let of = |serial: &str| drives.iter().find(|drive| drive.reading.serial == serial).unwrap();
    assert!(of("S1").present && !of("S2").present);
    assert!(of("S1").score.score < of("S2").score.score);
    assert_eq!(book.points(&of("S1").id, at(0)).unwrap().len(), 2);
    // The box itself is no host that could fall silent, and none that an agent could speak for.
    assert!(book.hosts().unwrap().is_empty());
    assert!(report(&json!({ "hostname": health::THIS_BOX, "drives": [] }), at(0)).is_err());
}

#[tokio::test]
async fn a_reading_under_a_clock_that_was_ahead_does_not_freeze_a_drive() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let years = 9 * 365 * 24;
    assert!(book.take_own(own("S1", 0, &["S1"], years), at(years)).await.unwrap());
    // The clock is right now, and the drive fails.
    assert!(book.take_own(own("S1", 9, &["S1"], 3), at(3)).await.unwrap());
    let drives = book.drives(|_| true).unwrap();
    assert_eq!((drives[0].last_seen, drives[0].alerts.len()), (at(3), 1));
    // What comes late is still older than that.
    assert!(book.take_own(own("S1", 0, &["S1"], 2), at(3)).await.unwrap());
    assert_eq!(book.drives(|_| true).unwrap()[0].last_seen, at(3));
}

/// Each sixteenth reading thins the history.
#[tokio::test]
async fn readings_under_a_wrong_clock_cost_a_drive_no_history() {
    let years = 9 * 365 * 24;
    // Two hours apart and within a week nothing is thinned out.
    for (before, wrong, after) in [
        (40, years, 1),
        (47, years, 1),
        (45, years, 3),
        (46, years, 3),
        (40, -years, 20),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let book = open(dir.path());
        let right = (0..before).chain(before..before + 20).map(|n| 2 * n);
        let under = (0..after).map(|n| wrong + 2 * n);
        let hours = right
            .clone()
            .take(before as usize)
            .chain(under)
            .chain(right.clone().skip(before as usize));
        for hour in hours {
            assert!(book.take_own(own("S1", 0, &["S1"], hour), at(hour)).await.unwrap());
        }
        let id = book.drives(|_| true).unwrap()[0].id.clone();
        let kept: Vec<i64> = book.points(&id, at(0)).unwrap().into_iter().map(|(at, _)| at).collect();
        let right: Vec<i64> = right.map(|hour| at(hour).as_second()).collect();
        assert_eq!(kept, right, "{wrong} h after {before} readings");
    }
}

#[tokio::test]
async fn a_host_that_fills_the_table_hides_no_failing_drive() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let flood = enrol(&book, "flood", 1).await;
    let many = (0..256).map(|n| drive(&format!("F{n}"), 0)).collect();
    assert_eq!(send(&book, flood, "flood", many, 1).await.unwrap(), 256);
    assert!(book.outbox().unwrap().is_empty());
    // The box's own drives have room of their own.
    assert!(book.take_own(own("OWN", 0, &["OWN"], 2), at(2)).await.unwrap());
    let nas = enrol(&book, "nas", 2).await;
    let mut bad = drive("BAD", 0);
    for (hour, passed) in [(3, true), (4, false), (5, false)] {
        bad["smart_status"]["passed"] = passed.into();
        assert_eq!(send(&book, nas, "nas", vec![bad.clone()], hour).await.unwrap(), 0);
    }
    // Once that there is no room, and once more that it fails; not with each report.
    let told: Vec<_> = book.outbox().unwrap().into_iter().map(|(_, event)| event).collect();
    let severities: Vec<_> = told.iter().map(|event| event.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Critical], "{told:?}");
    assert!(
        told.iter()
            .all(|event| event.data["alert"] == "no_room" && event.message.contains("BAD"))
    );
    // Each that begins to fail is told, the new one first; one that comes and goes is not told again.
    let mut others: Vec<_> = (0..5).map(|n| drive(&format!("ALSO{n}"), 0)).collect();
    for (hour, failing, passed) in [(6, 4, false), (7, 4, true), (8, 4, false), (9, 3, false)] {
        others[failing]["smart_status"]["passed"] = passed.into();
        let all = [vec![bad.clone()], others.clone()].concat();
        assert_eq!(send(&book, nas, "nas", all, hour).await.unwrap(), 0);
    }
    let more: Vec<_> = book
        .outbox()
        .unwrap()
        .into_iter()
        .skip(2)
        .map(|(_, event)| event)
        .collect();
    assert_eq!(more.len(), 2, "{more:?}");
    for (event, serial) in more.iter().zip(["ALSO4", "ALSO3"]) {
        let first = event.message.find(serial).unwrap();
        assert!(event.severity == Severity::Critical && first < event.message.find("BAD").unwrap());
    }
    assert_eq!(send(&book, nas, "nas", Vec::new(), 10).await.unwrap(), 0);
    let (_, last) = book.outbox().unwrap().pop().unwrap();
    assert_eq!(
        (last.kind.as_str(), &last.data["alert"]),
        ("drive.alert_resolved", &"no_room".into())
    );
}

#[tokio::test]
async fn drives_that_are_long_gone_make_place() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    for n in 0..300 {
        let serial = format!("S{n}");
        assert!(book.take_own(own(&serial, 0, &[&serial], n), at(1000)).await.unwrap());
    }
    let drives = book.drives(|_| true).unwrap();
    assert_eq!(drives.len(), 256);
    assert!(drives.iter().any(|drive| drive.reading.serial == "S299"));
    assert!(!drives.iter().any(|drive| drive.reading.serial == "S0"));
}

#[tokio::test]
async fn fault_8_a_pool_that_loses_a_device_counts_errors_or_fills_up_is_told_once_and_when_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path());
    let agent = enrol(&book, "nas", 1).await;
    let state = |health: &str, errors: u64, used: u64| {
        json!({ "zfs_available": true, "pools": [{ "name": "tank", "health": health, "capacity_pct": used, "read_errors": 0,
            "write_errors": 0, "checksum_errors": errors, "devices": [{ "name": "sda", "state": health }] }] })
    };
    let none = json!({ "zfs_available": true, "pools": [] });
    for (hour, zfs, expected) in [
        (1, state("ONLINE", 0, 50), vec![]),
        (
            2,
            state("DEGRADED", 3, 50),
            vec!["warning zfs_pool_degraded", "warning zfs_vdev_errors"],
        ),
        (3, state("DEGRADED", 3, 50), vec![]),
        // What a report does not name is not cured.
        (4, none, vec![]),
        (
            5,
            state("FAULTED", 5, 91),
            vec![
                "critical zfs_pool_faulted",
                "warning zfs_vdev_errors",
                "warning zfs_capacity_warning",
            ],
        ),
        (
            6,
            state("ONLINE", 5, 98),
            vec!["info null", "critical zfs_capacity_critical"],
        ),
        (7, state("ONLINE", 0, 50), vec!["info null", "info null"]),
    ] {
        let body = json!({ "hostname": "nas", "timestamp": at(hour), "drives": [], "zfs": zfs });
        book.take(agent, report(&body, at(hour)).unwrap(), None, 3600, at(hour))
            .await
            .unwrap();
        let told = book.outbox().unwrap();
        let words: Vec<String> = told
            .iter()
            .map(|(_, event)| {
                assert!(event.message.starts_with("nas ZFS pool tank: "), "{event:?}");
                let severity = serde_json::to_value(event.severity).unwrap();
                format!(
                    "{} {}",
                    severity.as_str().unwrap(),
                    event.data["event_type"].as_str().unwrap_or("null")
                )
            })
            .collect();
        assert_eq!(words, expected, "hour {hour}: {told:?}");
        if let Some((last, _)) = told.last() {
            book.logged(*last).await.unwrap();
        }
    }
    assert!(book.hosts().unwrap()[0].pools.is_empty());
}

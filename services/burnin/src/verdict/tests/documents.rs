//! What smartctl printed, from its text to the verdict: what stands there and is not the drive's word, and what the drive says in
//! a place of its own.

use drive::smart::parse;
use serde_json::{Value, json};

use super::*;

/// A disk without a fault, as smartctl prints it, after a change.
fn document(change: impl FnOnce(&mut Value)) -> Snapshot {
    let row = |id: u16| {
        json!({ "id": id, "name": format!("attribute {id}"), "value": 100, "worst": 100, "thresh": 10,
            "raw": { "value": 0, "string": "0" } })
    };
    let rows = [5, 10, 184, 187, 188, 196, 197, 198, 199].map(row);
    let mut json = json!({
        "smartctl": { "version": [7, 4], "exit_status": 0 },
        "device": { "name": "/dev/sda", "type": "sat", "protocol": "ATA" },
        "rotation_rate": 7200, "temperature": { "current": 33 },
        "power_on_time": { "hours": 5 }, "power_cycle_count": 2,
        "smart_status": { "passed": true },
        "ata_smart_attributes": { "table": rows },
    });
    change(&mut json);
    parse(json.to_string().as_bytes()).unwrap()
}

/// The outcome and the rules that fired, of a document before and after a run in which nothing was seen.
fn of(before: &Snapshot, after: &Snapshot) -> (Outcome, String) {
    let verdict = verdict(&clean(), Some(before), Some(after));
    (verdict.outcome, ids(&verdict).join(" "))
}

fn both_sides(told: &Snapshot) -> (Outcome, String) {
    of(told, told)
}

#[test]
fn a_document_without_a_fault_passes() {
    assert_eq!(both_sides(&document(|_| {})), (Outcome::Passed, String::new()));
}

#[test]
fn what_smartctl_concludes_from_attributes_is_not_the_drives_word() {
    let check = "Warning: This result is based on an Attribute check.";
    let told = |passed: bool, status: u8, printed: bool| {
        document(|json| {
            json["smart_status"]["passed"] = passed.into();
            json["smartctl"]["exit_status"] = status.into();
            match printed {
                true => json["smartctl"]["output"] = json!(["SMART overall-health: PASSED", check]),
                false => json["smartctl"]["messages"] = json!([{ "string": check, "severity": "warning" }]),
            }
        })
    };
    for printed in [false, true] {
        for (status, rules) in [
            (0, "smart-without-verdict"),
            (4, "smart-without-verdict smart-failed-in-part"),
        ] {
            let verdict = both_sides(&told(true, status, printed));
            assert_eq!(verdict, (Outcome::Warn, rules.to_owned()), "{status} {printed}");
        }
        // An attribute at its threshold is one whoever says so.
        assert_eq!(both_sides(&told(false, 0, printed)).0, Outcome::Failed);
    }
}

#[test]
fn a_self_test_that_the_status_says_failed_is_one_without_its_entry() {
    let with = |value: u16, log: Value| {
        document(|json| {
            json["ata_smart_data"]["self_test"]["status"] = json!({ "value": value });
            json["ata_smart_self_test_log"] = log;
        })
    };
    let logged = |values: &[u16]| {
        let row =
            |value| json!({ "type": { "string": "Short offline" }, "status": { "value": value }, "lifetime_hours": 4 });
        let rows: Vec<Value> = values.iter().map(row).collect();
        json!({ "standard": { "table": rows } })
    };
    let nothing = (Outcome::Passed, String::new());
    for log in [Value::Null, logged(&[]), logged(&[0])] {
        for value in [48, 64, 80, 96, 112, 121, 128] {
            let told = with(value, log.clone());
            assert_eq!(
                both_sides(&told),
                (Outcome::Failed, "self-test-failed".to_owned()),
                "{value} {log}"
            );
            // A newer one that passed leaves it one of the past.
            let after = of(&told, &with(0, logged(&[0])));
            assert_eq!(after, (Outcome::Warn, "self-test-failed-before".to_owned()), "{value}");
        }
        // Passed, aborted, interrupted, reserved, running.
        for value in [0, 25, 41, 144, 224, 249, 1904] {
            assert_eq!(both_sides(&with(value, log.clone())), nothing, "{value} {log}");
        }
    }
    for value in [0, 25, 41, 249] {
        assert_eq!(both_sides(&with(value, logged(&[0, 112]))).1, "self-test-failed-before");
        assert_eq!(both_sides(&with(value, logged(&[25, 112, 0]))).1, "self-test-failed");
    }
}

#[test]
fn the_log_of_pending_defects_is_judged_as_pending_sectors_are() {
    let counts =
        |count: Value| document(|json| json["ata_pending_defects_log"] = json!({ "size": 65_535, "count": count }));
    let (none, five, untold) = (counts(0.into()), counts(5.into()), document(|_| {}));
    for (before, after, outcome, rules) in [
        (&none, &none, Outcome::Passed, ""),
        (&five, &five, Outcome::Failed, "pending-after pending-before"),
        (&none, &five, Outcome::Failed, "pending-after"),
        (&five, &none, Outcome::Warn, "pending-before"),
        (&none, &untold, Outcome::Inconclusive, "smart-counters-gone"),
        (&untold, &none, Outcome::Inconclusive, "smart-counters-new"),
    ] {
        assert_eq!(of(before, after), (outcome, rules.to_owned()));
    }
    let broken = counts("5".into());
    assert_eq!(both_sides(&broken), (Outcome::Warn, "smart-strange".to_owned()));
}

/// A burn-in of days goes over an update of the box: its baseline was read by the older version.
#[test]
fn what_an_older_version_did_not_read_is_no_change() {
    let now = document(|json| {
        json["ata_pending_defects_log"] = json!({ "size": 65_535, "count": 0 });
        let table = json["ata_smart_attributes"]["table"].as_array_mut().unwrap();
        let row = table.iter_mut().find(|row| row["id"] == 198).unwrap();
        row["name"] = "Uncorrectable_Sector_Ct".into();
        row["raw"] = json!({ "value": 214_539, "string": "0/214539" });
    });
    let mut kept = serde_json::to_value(&now).unwrap();
    let older = kept.as_object_mut().unwrap();
    older.remove("reading");
    older.remove("pending_defects");
    let rows = older["attributes"].as_array_mut().unwrap();
    rows.iter_mut().find(|row| row["id"] == 198).unwrap()["count"] = 214_539.into();
    let before: Snapshot = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(of(&before, &now), (Outcome::Passed, String::new()));
    // It took what smartctl concludes for the drive's own word.
    let silent = Snapshot { passed: None, ..now };
    assert_eq!(
        of(&before, &silent),
        (Outcome::Warn, "smart-without-verdict".to_owned())
    );
}

#[test]
fn what_flash_counts_under_numbers_of_disks_is_not_known() {
    let told = |name: &str, rpm: Value| {
        document(|json| {
            json["rotation_rate"] = rpm;
            let row = |id, raw, value| {
                json!({ "id": id, "name": name, "value": value, "worst": value, "thresh": 10,
                    "raw": { "value": raw, "string": format!("{raw}") } })
            };
            let table = json["ata_smart_attributes"]["table"].as_array_mut().unwrap();
            table.retain(|row| row["id"] != 10);
            table.extend([row(10, 7, 100), row(22, 0, 50)]);
        })
    };
    let fired = "spin-retry helium";
    for (name, rpm, rules) in [
        ("Unknown_SSD_Attribute", json!(0), ""),
        ("Unknown_Attribute", json!(0), ""),
        ("Unknown_Attribute", Value::Null, fired),
        ("Unknown_HDD_Attribute", json!(7200), fired),
    ] {
        assert_eq!(both_sides(&told(name, rpm)).1, rules, "{name}");
    }
    // A name that smartctl knows is believed: a bridge may call a disk flash.
    for name in ["Spin_Retry_Count", "Helium_Level"] {
        assert_eq!(both_sides(&told(name, json!(0))).1, fired, "{name}");
    }
}

/// A soak that is stopped in its sixth write has written every sector five times.
#[test]
fn what_waits_after_a_stopped_soak_came_up_in_it() {
    let mut evidence = clean();
    let write = &mut evidence.phases[0];
    write.total = Bytes(1 << 40);
    (write.rounds, write.status, write.done) = (5, PhaseStatus::Interrupted, Bytes(write.total.0 / 2));
    assert_eq!(write.state().bytes, Bytes(write.total.0 * 5 + write.total.0 / 2));
    let (none, three) = (with(197, 0), with(197, 3));
    let verdict = judge(&Case {
        before: Some(&none),
        ..both(&evidence, &three)
    });
    assert!(
        verdict.outcome == Outcome::Failed && ids(&verdict).contains(&"pending-after"),
        "{verdict:?}"
    );
    assert!(!ids(&verdict).contains(&"pending-before"), "{verdict:?}");
    let write = &mut evidence.phases[0];
    (write.rounds, write.status, write.done) = (40, PhaseStatus::Done, write.total);
    assert_eq!(write.state().bytes, Bytes(write.total.0 * 40));
    (write.rounds, write.status) = (1, PhaseStatus::Done);
    assert_eq!(write.state().bytes, write.total);
}

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

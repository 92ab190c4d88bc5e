//! Every recorded document, spoiled in each place in turn, as SMART after a run in which nothing else was seen: what is
//! missing, broken or bad there is never PASSED.
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use std::collections::BTreeMap;

use burnin::verdict::{Case, judge};
use drive::kernel_log::Account;
use drive::smart::{Snapshot, parse};
use recorded::clean;
use serde_json::{Value, json};
use wire::job::Outcome;
use wire::meaning::Meaning;

fn outcome(before: Option<&Snapshot>, after: Option<&Snapshot>) -> Outcome {
    let evidence = clean(before.and_then(|told| told.capacity).unwrap_or(512 << 20));
    let case = Case {
        wants_smart: true,
        before,
        after,
        ..Case::new(&evidence)
    };
    judge(&case).outcome
}

fn documents() -> impl Iterator<Item = (String, Value)> {
    let all = recorded::documents().into_iter();
    all.map(|(file, bytes)| (file, serde_json::from_slice(&bytes).unwrap()))
}

fn read(json: &Value) -> Option<Snapshot> {
    parse(json.to_string().as_bytes()).ok()
}

/// Places that carry what is judged, as JSON pointers, for the document of one drive.
fn places(json: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |pointer: &str| {
        if json.pointer(pointer).is_some() {
            all.push(pointer.to_owned());
        }
    };
    for whole in [
        "/device",
        "/smart_status",
        "/smart_status/passed",
        "/nvme_smart_health_information_log",
        "/nvme_smart_health_information_log/critical_warning",
        "/nvme_smart_health_information_log/available_spare",
        "/nvme_smart_health_information_log/percentage_used",
        "/nvme_smart_health_information_log/media_errors",
        "/scsi_grown_defect_list",
        "/scsi_error_counter_log",
        "/scsi_error_counter_log/read",
        "/scsi_error_counter_log/write",
        "/scsi_error_counter_log/verify",
        "/scsi_error_counter_log/read/total_uncorrected_errors",
        "/scsi_error_counter_log/write/total_uncorrected_errors",
        "/scsi_error_counter_log/verify/total_uncorrected_errors",
        "/ata_smart_attributes",
        "/ata_smart_attributes/table",
    ] {
        add(whole);
    }
    let rows = json["ata_smart_attributes"]["table"].as_array();
    for (at, row) in rows.into_iter().flatten().enumerate() {
        let id = u16::try_from(row["id"].as_u64().unwrap()).unwrap();
        if Meaning::of(id, row["name"].as_str().unwrap()).is_some() {
            for part in ["", "/id", "/raw", "/raw/value"] {
                add(&format!("/ata_smart_attributes/table/{at}{part}"));
            }
        }
    }
    all
}

#[test]
fn what_is_missing_or_broken_after_the_job_is_never_passed() {
    let mut passed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut tried = 0;
    for (file, json) in documents() {
        let before = read(&json);
        for place in places(&json) {
            let spoilt = [json!(null), json!("7"), json!(-1), json!(u64::MAX)];
            for broken in spoilt {
                let mut after = json.clone();
                // smartctl leaves this row out while all its counters are 0.
                if place == "/scsi_error_counter_log/verify" && broken.is_null() {
                    continue;
                }
                *after.pointer_mut(&place).unwrap() = broken.clone();
                tried += 1;
                if outcome(before.as_ref(), read(&after).as_ref()) == Outcome::Passed {
                    passed
                        .entry(format!("{place} = {broken}"))
                        .or_default()
                        .push(file.clone());
                }
            }
        }
    }
    assert!(passed.is_empty(), "of {tried}: {passed:#?}");
}

#[test]
fn every_sign_of_a_fault_is_more_than_told() {
    let mut passed: Vec<String> = Vec::new();
    for (file, json) in documents() {
        let before = read(&json);
        let Some(told) = &before else { continue };
        if outcome(before.as_ref(), before.as_ref()) != Outcome::Passed {
            continue;
        }
        let mut look = |what: String, change: &dyn Fn(&mut Value)| {
            let mut after = json.clone();
            change(&mut after);
            if outcome(before.as_ref(), read(&after).as_ref()) == Outcome::Passed {
                passed.push(format!("{file}: {what}"));
            }
        };
        for bit in [0, 1, 3, 4, 5, 7] {
            look(format!("exit bit {bit}"), &|after| {
                let old = after["smartctl"]["exit_status"].as_u64().unwrap_or(0);
                after["smartctl"]["exit_status"] = json!(old | 1 << bit);
            });
        }
        look("it says that it fails".to_owned(), &|after| {
            after["smart_status"]["passed"] = json!(false);
        });
        for (key, other) in [("serial_number", "X1"), ("model_name", "another")] {
            if json[key].is_string() {
                look(format!("another {key}"), &|after| after[key] = json!(other));
            }
        }
        for attribute in &told.attributes {
            let Some(meaning) = Meaning::of(attribute.id, &attribute.name) else {
                continue;
            };
            let at = told.attributes.iter().position(|a| a.id == attribute.id).unwrap();
            let set = |after: &mut Value, raw: u64| {
                after["ata_smart_attributes"]["table"][at]["raw"] = json!({ "value": raw, "string": raw.to_string() });
            };
            if meaning != Meaning::Helium {
                look(format!("one more of {}", attribute.name), &|after| {
                    set(after, attribute.count + 1);
                });
            }
            look(format!("{} twice", attribute.name), &|after| {
                let row = after["ata_smart_attributes"]["table"][at].clone();
                after["ata_smart_attributes"]["table"].as_array_mut().unwrap().push(row);
            });
            if attribute.threshold.is_some_and(|threshold| threshold > 0) {
                look(format!("{} at its threshold", attribute.name), &|after| {
                    let row = &mut after["ata_smart_attributes"]["table"][at];
                    row["value"] = row["thresh"].clone();
                });
            }
            let falls = !matches!(
                meaning,
                Meaning::Pending | Meaning::OfflineUncorrectable | Meaning::Helium | Meaning::CommandTimeout
            );
            if falls && attribute.count > 0 {
                look(format!("{} set back", attribute.name), &|after| set(after, 0));
            }
        }
        if told.nvme.is_some() {
            for bit in 0..6 {
                look(format!("critical warning bit {bit}"), &|after| {
                    after["nvme_smart_health_information_log"]["critical_warning"] = json!(1 << bit);
                });
            }
            for key in [
                "media_errors",
                "num_err_log_entries",
                "warning_temp_time",
                "critical_comp_time",
            ] {
                let old = json["nvme_smart_health_information_log"][key].as_u64();
                if let Some(old) = old {
                    look(format!("one more of {key}"), &|after| {
                        after["nvme_smart_health_information_log"][key] = json!(old + 1);
                    });
                }
            }
            look("spare gone with its threshold".to_owned(), &|after| {
                after["nvme_smart_health_information_log"]["available_spare"] = json!(0);
                after["nvme_smart_health_information_log"]["available_spare_threshold"] = json!(0);
            });
            look("percentage used set back".to_owned(), &|after| {
                if told
                    .nvme
                    .as_ref()
                    .and_then(|nvme| nvme.percentage_used)
                    .is_some_and(|used| used > 1)
                {
                    after["nvme_smart_health_information_log"]["percentage_used"] = json!(0);
                } else {
                    after["smart_status"]["passed"] = json!(false);
                }
            });
            look("no spare".to_owned(), &|after| {
                after["nvme_smart_health_information_log"]["available_spare"] = json!(0);
                after["nvme_smart_health_information_log"]["available_spare_threshold"] = json!(10);
            });
            look("a failed self-test".to_owned(), &|after| {
                after["nvme_self_test_log"] = json!({ "table": [{ "self_test_code": { "value": 2, "string": "Extended" },
                    "self_test_result": { "value": 7, "string": "failed" }, "power_on_hours": 1 }] });
            });
        }
        if told.scsi.is_some() {
            look("a grown defect".to_owned(), &|after| {
                let old = after["scsi_grown_defect_list"].as_u64().unwrap_or(0);
                after["scsi_grown_defect_list"] = json!(old + 1);
            });
            for kind in ["read", "write", "verify"] {
                if json["scsi_error_counter_log"][kind].is_object() {
                    look(format!("an uncorrected {kind}"), &|after| {
                        let counter = &mut after["scsi_error_counter_log"][kind]["total_uncorrected_errors"];
                        *counter = json!(counter.as_u64().unwrap_or(0) + 1);
                    });
                }
            }
            look("a failed self-test".to_owned(), &|after| {
                after["scsi_self_test_0"] = json!({ "code": { "value": 2, "string": "Background long" },
                    "result": { "value": 7, "string": "Failed in segment" }, "power_on_time": { "hours": 1 } });
            });
            look("a halted scan".to_owned(), &|after| {
                after["scsi_background_scan"] =
                    json!({ "status": { "value": 3, "string": "halted due to fatal error" } });
            });
        }
        if !told.attributes.is_empty() {
            look("a failed self-test".to_owned(), &|after| {
                after["ata_smart_self_test_log"] = json!({ "standard": { "table": [{ "type": { "value": 2, "string": "Extended offline" },
                    "status": { "value": 0x79, "string": "Completed: read failure" }, "lifetime_hours": 1, "lba": 7 }] } });
            });
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
}

/// The size that a drive could have is told beside the one that it tells, and apart from a host protected area.
#[test]
fn what_an_overlay_hides_is_never_passed() {
    use drive::overlay::Overlay;
    let evidence = clean(512 << 20);
    let of = |overlay: &Overlay, hidden| {
        let verdict = judge(&Case {
            overlay: Some(overlay),
            kernel: &Account {
                hidden,
                ..Account::NOTHING
            },
            ..Case::new(&evidence)
        });
        let ids: Vec<String> = verdict.rules.into_iter().map(|hit| hit.id).collect();
        (verdict.outcome, ids.join(" "))
    };
    let told = |outcome, id: &str| (outcome, id.to_owned());
    assert_eq!(of(&Overlay::Nothing, 0), told(Outcome::Passed, ""));
    assert_eq!(of(&Overlay::Hidden(9), 0), told(Outcome::Warn, "hidden-overlay"));
    assert_eq!(of(&Overlay::Hidden(9), 9), told(Outcome::Warn, "hidden-area"));
    let refused = Overlay::NotLooked("it refused".into());
    assert_eq!(of(&refused, 0), told(Outcome::Passed, "overlay-unknown"));
}

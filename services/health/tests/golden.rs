//! Recorded documents of real drives (`$KILN_GOLDEN/smart`), with the expected score and alerts beside each.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use health::alert::{Alerts, Kind, judge, limit};
use health::reading::{Medium, Protocol};
use health::{read, score};
use serde_json::Value;
use wire::Time;

fn golden() -> PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("KILN_GOLDEN")
        .map_or_else(|| here.join("../../../shared/golden"), PathBuf::from)
        .join("smart")
}

/// File, what keeps the data, percent worn, score, alerts; or why it says nothing.
type Row = (
    &'static str,
    Result<(Medium, Option<u64>, u32, &'static str), &'static str>,
);

use Medium::{Disk, Flash, Unknown};

const TABLE: &[Row] = &[
    // 12 interface CRC errors: 1 + 3.
    ("HGST_HUS724020ALE640_28.json", Ok((Disk, None, 96, ""))),
    ("HITACHI_H109060SESUN600G_10.json", Ok((Disk, None, 100, ""))),
    ("Hitachi_HUA722020ALA330_29.json", Ok((Disk, None, 100, ""))),
    ("INTEL_SSDPE2KX080T8_1.json", Ok((Flash, Some(0), 100, ""))),
    ("KXG60ZNV512G_TOSHIBA_2.json", Ok((Flash, Some(1), 100, ""))),
    // Its 202 is "Exception_Mode_Status", which is no wear; 177 is.
    ("SAMSUNG_MZ7WD240HAFV-00003_21.json", Ok((Flash, Some(9), 100, ""))),
    // 260 grown defects (40), 1 read (20) and 535 write errors (60).
    (
        "SEAGATE_ST373453LC_26.json",
        Ok((Disk, None, 0, "reallocated=critical uncorrectable=critical")),
    ),
    // No rotation rate told: unknown, although a disk; its 202 is "Data_Address_Mark_Errs".
    ("ST3200820AS_15.json", Ok((Unknown, None, 100, ""))),
    ("WDC_WD20EFRX-68EUZN0_17.json", Ok((Disk, None, 100, ""))),
    ("nvme-null-CT250P2SSD8-nvme0.json", Ok((Flash, Some(0), 100, ""))),
    ("scan-megaraid.json", Err("device: it names none")),
    ("smart-ata-date.json", Ok((Disk, None, 100, ""))),
    // 108 interface CRC errors: 1 + 6.
    ("smart-ata-failed-scrutiny.json", Ok((Flash, Some(2), 93, ""))),
    ("smart-ata-full.json", Ok((Flash, Some(19), 100, ""))),
    ("smart-ata.json", Ok((Disk, None, 100, ""))),
    ("smart-fail.json", Err("Open failed, Error=5")),
    ("smart-megaraid0.json", Ok((Disk, None, 100, ""))),
    // 7 media errors: 15 + 10.
    (
        "smart-nvme-failed.json",
        Ok((Flash, Some(3), 75, "media_errors=warning")),
    ),
    ("smart-nvme.json", Ok((Flash, Some(0), 100, ""))),
    ("smart-pass.json", Ok((Unknown, None, 100, ""))),
    ("smart-raid.json", Err("nothing of ata_smart_attributes")),
    // 2111 reallocation events: at most 15.
    ("smart-sat.json", Ok((Unknown, None, 85, ""))),
    // 56 grown defects: 8 + 20.
    ("smart-scsi.json", Ok((Disk, None, 72, "reallocated=warning"))),
];

fn document(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden().join(name)).unwrap()).unwrap()
}

#[test]
fn every_recorded_document_has_its_score_and_alerts() {
    for (name, want) in TABLE {
        let got = read(&document(name));
        let (reading, (medium, worn, points, alerts)) = match (got, want) {
            (Ok(reading), Ok(want)) => (reading, *want),
            (Err(why), Err(words)) => {
                assert!(why.to_string().contains(words), "{name}: {why}");
                continue;
            }
            (got, want) => panic!("{name}: {got:?}, expected {want:?}"),
        };
        let judged = score::score(&reading, None);
        let (_, changes) = judge(&Alerts::new(), &reading, None, Time::UNIX_EPOCH);
        let told: Vec<String> = changes
            .iter()
            .map(|c| {
                format!(
                    "{}={}",
                    c.kind.word(),
                    serde_json::to_value(c.severity).unwrap().as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(judged.score, Some(points), "{name}: {:?}", judged.parts);
        assert_eq!(told.join(" "), alerts, "{name}");
        assert_eq!((reading.medium, reading.wear.map(|w| w.used)), (medium, worn), "{name}");
    }
    let files = std::fs::read_dir(golden()).unwrap().count();
    assert_eq!(files, TABLE.len(), "a document has no row");
}

/// The firmware of an MX500 counts one while it moves data, which is no sector.
#[test]
fn a_pending_ecc_count_is_told_from_two_on_and_over_at_one() {
    let mut json = document("WDC_WD20EFRX-68EUZN0_17.json");
    let mut alerts = Alerts::new();
    let mut told = Vec::new();
    for count in [0, 1, 2, 1, 0] {
        let rows = json["ata_smart_attributes"]["table"].as_array_mut().unwrap();
        let row = rows.iter_mut().find(|row| row["id"] == 197).unwrap();
        row["name"] = "Current_Pending_ECC_Cnt".into();
        row["raw"] = serde_json::json!({ "value": count, "string": count.to_string() });
        let reading = read(&json).unwrap();
        let (after, changes) = judge(&alerts, &reading, None, Time::UNIX_EPOCH);
        alerts = after;
        told.extend(changes.into_iter().map(|c| (count, c.kind, c.resolved)));
        assert_eq!(score::score(&reading, None).parts.is_empty(), count < 2, "{count}");
    }
    assert_eq!(told, [(2, Kind::Pending, false), (1, Kind::Pending, true)]);
}

/// Fault 12 of existing servers: rotation rate 0 or missing was taken for an SSD.
#[test]
fn fault_12_a_rotation_rate_of_nothing_makes_no_ssd() {
    let mut disk = document("WDC_WD20EFRX-68EUZN0_17.json");
    assert_eq!(read(&disk).unwrap().medium, Disk);
    for rate in [Value::Null, 0.into(), 1.into(), "5400".into(), (-1).into()] {
        disk["rotation_rate"] = rate.clone();
        assert_eq!(read(&disk).unwrap().medium, Unknown, "{rate}");
    }
    let mut sas = document("smart-scsi.json");
    sas["rotation_rate"] = 0.into();
    assert_eq!(read(&sas).unwrap().medium, Unknown);
}

/// Fault 11 of existing servers: without ATA attributes nothing was compared; NVMe and SAS passed for ever.
#[test]
fn fault_11_nvme_and_sas_are_judged_by_their_own_values() {
    let kinds = |json: &Value| -> Vec<String> {
        let (_, changes) = judge(&Alerts::new(), &read(json).unwrap(), None, Time::UNIX_EPOCH);
        changes.iter().map(|c| c.kind.word()).collect()
    };
    let mut nvme = document("smart-nvme.json");
    let log = &mut nvme["nvme_smart_health_information_log"];
    log["percentage_used"] = 95.into();
    log["available_spare"] = 5.into();
    log["critical_warning"] = 1.into();
    log["media_errors"] = 1.into();
    assert_eq!(kinds(&nvme), ["media_errors", "spare_low", "critical_warning", "wear"]);
    let mut sas = document("HITACHI_H109060SESUN600G_10.json");
    assert_eq!(read(&sas).unwrap().protocol, Protocol::Scsi);
    sas["scsi_grown_defect_list"] = 1.into();
    sas["scsi_error_counter_log"]["verify"]["total_uncorrected_errors"] = 2.into();
    sas["scsi_self_test_0"]["result"]["value"] = 7.into();
    assert_eq!(kinds(&sas), ["reallocated", "uncorrectable", "self_test_failed"]);
    // The drive's own word counts too, and an old success does not hide a new failure.
    let mut ata = document("smart-ata.json");
    ata["smart_status"]["passed"] = false.into();
    let entry = |value: u64| serde_json::json!({ "status": { "value": value } });
    ata["ata_smart_self_test_log"] =
        serde_json::json!({ "standard": { "table": [entry(249), entry(24), entry(0x70), entry(0)] } });
    assert_eq!(kinds(&ata), ["smart_failed", "self_test_failed"]);
    // Nor does a log that lacks the entry hide what the drive's status says.
    ata["ata_smart_self_test_log"] = Value::Null;
    ata["ata_smart_data"]["self_test"]["status"] = serde_json::json!({ "value": 121 });
    assert_eq!(kinds(&ata), ["smart_failed", "self_test_failed"]);
}

/// IronWolf Pro names 10 to 40 °C as recommended and lives at 42, as does a SAS disk that trips at 40 (nwipe issue 524).
#[test]
fn a_temperature_that_is_only_recommended_is_no_limit() {
    let at = |highest: u64, now: u64| {
        let mut disk = document("smart-ata.json");
        disk["rotation_rate"] = 7200.into();
        disk["ata_sct_status"] = Value::Null;
        disk["temperature"] = serde_json::json!({ "current": now, "op_limit_max": highest });
        let reading = read(&disk).unwrap();
        let (_, changes) = judge(&Alerts::new(), &reading, None, Time::UNIX_EPOCH);
        let hot = changes.iter().any(|change| change.kind.word() == "temperature");
        (limit(&reading), hot)
    };
    assert_eq!(at(40, 42), (55, false));
    assert_eq!(at(49, 52), (55, false));
    assert_eq!(at(50, 52), (50, true));
    assert_eq!(at(70, 60), (70, false));
    // What the maker allows besides is no excuse.
    let allowing = |recommended: u64, allowed: u64, now: u64| {
        let mut disk = document("smart-ata.json");
        disk["rotation_rate"] = 7200.into();
        disk["ata_sct_status"]["temperature"]["op_limit_max"] = recommended.into();
        disk["temperature"] = serde_json::json!({ "current": now, "op_limit_max": recommended, "limit_max": allowed });
        disk["ata_device_statistics"] = serde_json::json!({ "pages": [{ "table": [{
            "name": "Specified Maximum Operating Temperature", "size": 1, "value": allowed,
            "flags": { "valid": true, "normalized": false },
        }] }] });
        let reading = read(&disk).unwrap();
        let (_, changes) = judge(&Alerts::new(), &reading, None, Time::UNIX_EPOCH);
        (
            limit(&reading),
            changes.iter().any(|change| change.kind.word() == "temperature"),
        )
    };
    assert_eq!(allowing(25, 70, 69), (55, true));
    assert_eq!(allowing(40, 60, 58), (55, true));
    assert_eq!(allowing(40, 52, 53), (52, true));
    assert_eq!(allowing(65, 70, 60), (65, false));
    let mut sas = document("smart-scsi.json");
    for (trip, now) in [(40, None), (49, None), (50, Some(45)), (68, Some(63))] {
        sas["temperature"] = serde_json::json!({ "current": 38, "drive_trip": trip });
        assert_eq!(read(&sas).unwrap().temperature_limit, now, "{trip}");
    }
}

/// As the verdict takes it: 0 above a threshold of 0 is what a controller tells that counts no spare blocks.
#[test]
fn spare_blocks_of_which_no_record_is_kept_cost_nothing() {
    let cost = |spare: u64, threshold: u64| {
        let mut nvme = document("smart-nvme.json");
        let log = &mut nvme["nvme_smart_health_information_log"];
        log["available_spare"] = spare.into();
        log["available_spare_threshold"] = threshold.into();
        let parts = score::score(&read(&nvme).unwrap(), None).parts;
        parts
            .into_iter()
            .find(|part| part.part == "spare")
            .map(|part| part.cost)
    };
    assert_eq!((cost(0, 0), cost(100, 10)), (None, None));
    assert_eq!((cost(0, 10), cost(5, 10), cost(40, 10)), (Some(60), Some(60), Some(20)));
}

/// A number alone does not say what is counted: makers of flash use those of disks for other things, and others for these.
#[test]
fn faults_are_known_by_their_names_where_a_number_means_something_else() {
    let kinds = |id: u64, name: &str| -> Vec<String> {
        let mut drive = document("smart-ata-full.json");
        let row = serde_json::json!({"id": id, "name": name, "value": 100, "worst": 100, "thresh": 0,
            "raw": {"value": 12, "string": "12"}});
        let rows = drive["ata_smart_attributes"]["table"].as_array_mut().unwrap();
        rows.retain(|old| old["id"] != id);
        rows.push(row);
        let (_, changes) = judge(&Alerts::new(), &read(&drive).unwrap(), None, Time::UNIX_EPOCH);
        changes.iter().map(|c| c.kind.word()).collect()
    };
    assert_eq!(kinds(198, "Host_Reads_GiB"), Vec::<String>::new());
    assert_eq!(kinds(184, "Factory_Bad_Block_Count"), Vec::<String>::new());
    assert_eq!(kinds(198, "Offline_Uncorrectable"), ["uncorrectable"]);
    assert_eq!(kinds(160, "Uncorrectable_Error_Cnt"), ["uncorrectable"]);
    assert_eq!(kinds(200, "Current_Pending_Sector"), ["pending"]);
}

/// SAS drives list the sectors that wait; SATA counts them in attribute 197.
#[test]
fn pending_defects_of_sas_are_told() {
    let kinds = |count: u64| -> Vec<String> {
        let mut sas = document("HITACHI_H109060SESUN600G_10.json");
        sas["scsi_pending_defects"]["count"] = count.into();
        let (_, changes) = judge(&Alerts::new(), &read(&sas).unwrap(), None, Time::UNIX_EPOCH);
        changes.iter().map(|c| c.kind.word()).collect()
    };
    assert_eq!(kinds(0), Vec::<String>::new());
    assert_eq!(kinds(2), ["pending"]);
}

/// The same bits of smartctl's exit status that a burn-in goes by, where no row tells of them.
#[test]
fn smartctls_exit_status_is_heard() {
    let with = |status: u64, change: &dyn Fn(&mut Value)| {
        let mut json = document("smart-ata.json");
        json["smartctl"]["exit_status"] = status.into();
        change(&mut json);
        json
    };
    let kinds = |json: &Value| -> Vec<String> {
        let (_, changes) = judge(&Alerts::new(), &read(json).unwrap(), None, Time::UNIX_EPOCH);
        changes.iter().map(|c| c.kind.word()).collect()
    };
    let same = |_: &mut Value| {};
    assert_eq!(kinds(&with(0, &same)), Vec::<String>::new());
    assert_eq!(
        kinds(&with(8, &|json| json["smart_status"] = Value::Null)),
        ["smart_failed"]
    );
    assert_eq!(kinds(&with(16, &same)), ["attribute_failing"]);
    assert_eq!(score::score(&read(&with(32, &same)).unwrap(), None).score, Some(90));
    assert_eq!(
        kinds(&with(128, &|json| json["ata_smart_self_test_log"] = Value::Null)),
        ["self_test_failed"]
    );
    for bit in [1, 2] {
        let why = read(&with(bit, &same)).unwrap_err().to_string();
        assert!(
            why.contains(&format!("exit status {bit} says that the drive was not asked")),
            "{why}"
        );
    }
    let body = serde_json::json!({ "hostname": "nas", "drives": [with(4, &same)] });
    let report = health::report(&body, Time::UNIX_EPOCH).unwrap();
    assert_eq!(report.drives.len(), 1);
    assert!(
        report.warnings[0].contains("drives[0]") && report.warnings[0].contains("exit status 4"),
        "{:?}",
        report.warnings
    );
}

/// One reader: what cannot be true is taken by nobody, and told.
#[test]
fn an_attribute_that_stands_there_twice_is_neither() {
    let mut json = document("smart-ata.json");
    let rows = json["ata_smart_attributes"]["table"].as_array_mut().unwrap();
    let mut twin = rows.iter().find(|row| row["id"] == 5).unwrap().clone();
    twin["raw"]["value"] = 900.into();
    rows.push(twin);
    let reading = read(&json).unwrap();
    assert!(reading.attributes.iter().all(|a| a.key != "5"));
    assert_eq!(reading.strange, ["attribute 5 stands there more than once"]);
}

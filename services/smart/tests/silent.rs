//! Documents in which smartctl printed much and the drive said nothing, and sizes that the drive alone tells.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use smart::{Snapshot, Switch, forget_printed, parse};

fn nvme(log: &Value, more: &Value) -> Snapshot {
    let mut document = json!({
        "smartctl": { "version": [7, 4], "exit_status": 0 },
        "device": { "name": "/dev/sda", "type": "sntjmicron", "protocol": "NVMe" },
        "model_name": "X", "serial_number": "S1",
        // smartctl reads this out of the log: no critical warning, so passed.
        "smart_status": { "passed": log["critical_warning"].as_u64().unwrap_or(0) == 0 },
        "nvme_smart_health_information_log": log,
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    parse(document.to_string().as_bytes()).unwrap()
}

/// What bridges answer that do not ask the drive behind them.
fn zeros() -> Value {
    json!({ "critical_warning": 0, "temperature": 0, "available_spare": 0, "available_spare_threshold": 0,
        "percentage_used": 0, "data_units_read": 0, "data_units_written": 0, "power_cycles": 0, "power_on_hours": 0,
        "media_errors": 0, "num_err_log_entries": 0 })
}

#[test]
fn an_nvme_log_of_zeros_tells_no_health() {
    for log in [json!({}), zeros()] {
        let told = nvme(
            &log,
            &json!({ "power_on_time": { "hours": 0 }, "power_cycle_count": 0 }),
        );
        assert_eq!((told.nvme.is_some(), told.passed), (false, None), "{log}");
        assert!(!told.tells_health() && !told.tells_counters());
        assert_eq!(
            (told.power_on_hours, told.power_cycles),
            (None, None),
            "its zeros are not the drive's"
        );
    }
}

#[test]
fn one_true_word_in_an_nvme_log_is_enough() {
    // A new drive of a virtual machine: no hours, no spare on record, but a sensor. And what warns is never dropped.
    for (name, value) in [
        ("temperature", 35),
        ("available_spare", 100),
        ("power_on_hours", 1),
        ("critical_warning", 4),
        ("media_errors", 3),
    ] {
        let mut log = zeros();
        log[name] = json!(value);
        let told = nvme(&log, &json!({}));
        assert!(told.nvme.is_some(), "{name}");
        assert_eq!(told.passed, Some(name != "critical_warning"), "{name}");
    }
}

#[test]
fn warnings_that_are_no_byte_are_not_none() {
    let of = |warnings: Value| {
        let mut log = zeros();
        log["temperature"] = json!(30);
        log["critical_warning"] = warnings;
        nvme(&log, &json!({})).nvme.unwrap().critical_warning
    };
    assert_eq!(of(json!(0)), Some(0));
    assert_eq!(of(json!(255)), Some(255));
    for nonsense in [json!(256), json!(-1), json!({ "value": 0 }), json!("0x00"), Value::Null] {
        assert_eq!(of(nonsense.clone()), None, "{nonsense}");
    }
}

#[test]
fn the_capacity_is_the_whole_drives() {
    let mut log = zeros();
    log["temperature"] = json!(30);
    let one_of_many = json!({ "user_capacity": { "bytes": 801_569_726_464_u64 },
        "nvme_total_capacity": 2_000_398_934_016_u64, "nvme_unallocated_capacity": 1_198_829_207_552_u64 });
    assert_eq!(nvme(&log, &one_of_many).capacity, Some(2_000_398_934_016));
    let without_total = json!({ "user_capacity": { "bytes": 801_569_726_464_u64 }, "nvme_total_capacity": 0 });
    assert_eq!(nvme(&log, &without_total).capacity, Some(801_569_726_464));
    assert_eq!(nvme(&log, &json!({})).capacity, None);
}

#[test]
fn what_sas_tells_of_defects_exceptions_and_other_errors_is_read() {
    let document = json!({
        "device": {"type": "scsi", "protocol": "SCSI"},
        "smartctl": {"exit_status": 8, "output": ["Error counter log:", "Non-medium error count:       17", ""]},
        "smart_status": {"passed": false, "scsi": {"asc": 0x5d, "ascq": 0x10, "ie_string": "FIRMWARE IMPENDING FAILURE"}},
        "scsi_grown_defect_list": 3,
        "scsi_pending_defects": {"count": 2, "1": {"LBA": 77, "accum_power_on_hours": 9}},
    });
    let scsi = parse(document.to_string().as_bytes()).unwrap().scsi.unwrap();
    assert_eq!(
        (scsi.grown_defects, scsi.pending_defects, scsi.non_medium),
        (Some(3), Some(2), Some(17))
    );
    let exception = scsi.exception.unwrap();
    assert_eq!(
        (exception.asc, exception.ascq, exception.is_temperature()),
        (0x5d, 0x10, false)
    );
}

/// Two of 8 bytes each stand there as 16. Source: smartmontools NEWS, 7.2.
#[test]
fn an_old_smartctls_bytes_of_the_defect_list_are_no_sectors() {
    let grown = |version: [u64; 2], field: u64, output: &[&str]| {
        let document = json!({
            "device": {"type": "scsi", "protocol": "SCSI"},
            "smartctl": {"version": version, "output": output},
            "smart_status": {"passed": true},
            "scsi_grown_defect_list": field,
        });
        let parsed = |document: &Value| parse(document.to_string().as_bytes()).unwrap();
        let mut kept = document.clone();
        forget_printed(&mut kept);
        assert_eq!(parsed(&kept), parsed(&document));
        parsed(&document).scsi.and_then(|scsi| scsi.grown_defects)
    };
    let printed = ["Elements in grown defect list: 2", ""];
    assert_eq!(grown([7, 1], 16, &printed), Some(2));
    assert_eq!(grown([7, 1], 16, &[]), None);
    assert_eq!(grown([7, 1], 0, &[]), Some(0));
    assert_eq!(grown([7, 2], 2, &printed), Some(2));
    assert_eq!(grown([7, 2], 2, &[]), Some(2));
}

/// What smartctl 7.4 asks of a Kingston SFYRS1000G at each reading, and an error of a read beside it.
#[test]
fn commands_that_the_drive_does_not_know_are_told_apart_in_its_error_log() {
    let entry = |number: u64, queue: u64, status: u64| {
        json!({"error_count": number, "submission_queue_id": queue, "command_id": 28,
            "status_field": {"value": status, "do_not_retry": true, "string": "x"}, "phase_tag": false})
    };
    let mut log = zeros();
    log["temperature"] = json!(30);
    log["num_err_log_entries"] = json!(9);
    let table = json!({"nvme_error_information_log": {"size": 64, "read": 16, "unread": 0, "table": [
        entry(9, 0, 0x6002), entry(8, 3, 0x4002), entry(7, 0, 0x6006), entry(6, 0, 0x4109), entry(5, 0, 0x2001), {"error_count": 4}, 7,
    ]}});
    let told = nvme(&log, &table).nvme.unwrap();
    assert_eq!((told.refused_commands, told.oldest_listed), (vec![9, 6, 5], None));
    let full = |read: u64| {
        let table = [entry(9, 0, 0x6002), entry(8, 3, 0x4002)];
        let log_of_errors =
            json!({"nvme_error_information_log": {"size": 64, "read": read, "unread": 48, "table": table}});
        nvme(&log, &log_of_errors).nvme.unwrap().oldest_listed
    };
    assert_eq!((full(2), full(3)), (Some(8), None));
}

/// Of flash that smartctl does not know "LBAs" may be 32 MiB each (Silicon Motion).
#[test]
fn bytes_are_told_only_of_a_counter_whose_unit_is_known() {
    let told = |more: Value| {
        let mut document = json!({
            "device": {"type": "sat", "protocol": "ATA"},
            "smart_status": {"passed": true},
            "ata_smart_attributes": {"table": [
                {"id": 241, "name": "Total_LBAs_Written", "value": 100, "raw": {"value": 69_731, "string": "69731"}},
            ]},
        });
        for (key, value) in more.as_object().unwrap() {
            document[key] = value.clone();
        }
        parse(document.to_string().as_bytes()).unwrap().bytes_written()
    };
    assert_eq!(told(json!({})), None);
    assert_eq!(told(json!({"rotation_rate": 0})), None);
    let sectors = Some(69_731 * 512);
    assert_eq!(told(json!({"rotation_rate": 7200})), sectors);
    assert_eq!(told(json!({"model_family": "Samsung based SSDs"})), sectors);
}

#[test]
fn what_cannot_be_true_is_told_and_not_taken() {
    let row =
        |id: u64, count: u64| json!({"id": id, "name": "X", "value": 100, "raw": {"value": count, "string": "0"}});
    let ata = json!({
        "device": {"type": "sat", "protocol": "ATA"},
        "smart_status": {"passed": "yes"},
        "power_on_time": {"hours": 4_000_000_000_u64},
        "ata_smart_attributes": {"table": [row(5, 0), row(197, 0), row(5, 900), {"id": "x"}]},
    });
    let told = parse(ata.to_string().as_bytes()).unwrap();
    assert!(told.attribute(5).is_none() && told.attribute(197).is_some());
    assert_eq!((told.passed, told.power_on_hours), (None, None));
    assert_eq!(
        told.strange,
        [
            "attribute 5 stands there more than once",
            "row 4 of the attributes has no number or no raw value",
            "power_on_time.hours is 4000000000",
            "smart_status.passed is a text",
        ]
    );
    let log = json!({"critical_warning": 0, "temperature": 30, "media_errors": u64::MAX, "percentage_used": "3",
        "data_units_written": 1.8e19, "available_spare": 100});
    let told = nvme(&log, &json!({}));
    let health = told.nvme.unwrap();
    assert_eq!(
        (health.media_errors, health.percentage_used, health.data_units_written),
        (None, None, None)
    );
    assert_eq!(
        told.strange,
        [
            "percentage_used is a text",
            "data_units_written is no whole number of 64 bits",
            "media_errors is 18446744073709551615",
        ]
    );
}

#[test]
fn an_nvme_log_without_media_errors_says_so() {
    let told = nvme(
        &json!({"critical_warning": 0, "temperature": 30, "percentage_used": 3}),
        &json!({}),
    );
    assert_eq!(told.strange, ["the NVMe log has no media_errors"]);
}

/// As smartmontools' `scsiprint.cpp` of 7.4 writes it.
#[test]
fn the_scan_of_a_sas_drives_own_is_read() {
    let result = |key: u64, reassigned: u64| {
        json!({ "parameter_code": 1, "lba": 7, "sense_key": { "value": key, "string": "x" },
        "asc": 17, "ascq": 0, "reassign_status": { "value": reassigned, "string": "x" } })
    };
    let document = json!({
        "device": { "name": "/dev/sda", "type": "scsi", "protocol": "SCSI" },
        "scsi_background_scan": {
            "status": { "value": 4, "string": "halted due to a vendor specific pattern of error", "scan_progress": "1.00%" },
            "result_1": result(3, 4), "result_2": result(3, 5), "result_3": result(1, 2),
        },
    });
    let scan = parse(document.to_string().as_bytes())
        .unwrap()
        .scsi
        .unwrap()
        .scan
        .unwrap();
    assert_eq!((scan.status, scan.errors, scan.not_reassigned), (4, 2, 1));
    assert!(scan.is_halted_by_errors() && scan.text.starts_with("halted due to a vendor"));
}

#[test]
fn the_warning_temperature_of_nvme_is_no_second_limit() {
    let log = json!({ "critical_warning": 0, "temperature": 30, "media_errors": 0 });
    // smartctl since 7.5 tells it under both keys.
    let told = nvme(
        &log,
        &json!({ "nvme_composite_temperature_threshold": { "warning": 70, "critical": 80 },
            "temperature": { "current": 30, "op_limit_max": 70, "critical_limit_max": 80 } }),
    );
    assert_eq!((told.heat_limits, told.heat_warning), (vec![], Some(70)));
    let told = nvme(&log, &json!({ "temperature": { "current": 30, "op_limit_max": 70 } }));
    assert_eq!((told.heat_limits, told.heat_warning), (vec![], Some(70)));
}

/// smartctl prints no temperature of a drive without a sensor, and its attribute tells 128.
#[test]
fn no_more_degrees_are_taken_from_an_attribute_than_smartctl_takes() {
    let of = |rows: Value| {
        let document = json!({
            "smartctl": { "version": [7, 4], "exit_status": 0 },
            "device": { "name": "x", "type": "sat", "protocol": "ATA" },
            "serial_number": "X",
            "ata_smart_attributes": { "table": rows },
        });
        parse(document.to_string().as_bytes()).unwrap()
    };
    let row = |id: u16, name: &str, raw: u64, text: &str| json!({ "id": id, "name": name, "value": 100, "thresh": 0, "raw": { "value": raw, "string": text } });
    let airflow = row(190, "Airflow_Temperature_Cel", 31, "31");
    for (raw, text, degrees) in [
        (128, "128 (Min/Max 127/129)", Some(31)),
        (0, "0", Some(31)),
        (40, "40", Some(40)),
        (127, "127", Some(127)),
    ] {
        let told = of(json!([row(194, "Temperature_Celsius", raw, text), airflow]));
        assert_eq!(told.temperature, degrees, "{text}");
    }
    // WD's flash: 230 is printed in hexadecimal.
    let worn = of(json!([row(
        230,
        "Media_Wearout_Indicator",
        0x5a1e_5a1e_5a1e,
        "0x5a1e5a1e5a1e"
    )]));
    let wear = &worn.attributes[0];
    assert_eq!(
        smart::wear::used(wear.id, &wear.name, wear.value, wear.threshold, wear.count),
        Some(90)
    );
    // Errors over sectors read, of which the sum alone is printed.
    let mut rate = row(187, "Uncorrectable_Error_Cnt", 153_797_776, "153797776");
    rate["flags"] = json!({ "error_rate": true });
    assert_eq!(of(json!([rate])).attributes[0].count, 0);
}

fn degrees(protocol: &str, current: i64) -> Option<i64> {
    let document = json!({
        "smartctl": { "version": [7, 4], "exit_status": 0 },
        "device": { "name": "x", "type": "x", "protocol": protocol },
        "serial_number": "X",
        "smart_status": { "passed": true },
        "temperature": { "current": current },
    });
    parse(document.to_string().as_bytes()).unwrap().temperature
}

/// A drive that was at 45 °C and is told at -1 °C has lost its thermometer, and is no cool one.
#[test]
fn what_stands_for_no_temperature_is_none() {
    for (protocol, none, told) in [
        ("ATA", &[0, -1, -128, 255][..], &[-40, -2, 1, 45][..]),
        ("SCSI", &[0, -1, -128, 255], &[1, 45, 110]),
        // Kelvin less 273, and 0 K where it tells none.
        ("NVMe", &[0, -273, 65_262], &[-40, -2, -1, 1, 45]),
    ] {
        for value in none {
            assert_eq!(degrees(protocol, *value), None, "{protocol} {value}");
        }
        for value in told {
            assert_eq!(degrees(protocol, *value), Some(*value), "{protocol} {value}");
        }
    }
}

#[test]
fn a_sas_drives_logical_unit_is_read_where_one_name_is_told() {
    for (told, unit) in [
        ("0x5000c500a1b2c3d4", Some("5000c500a1b2c3d4")),
        ("0x5000C500A1B2C3D4", Some("5000c500a1b2c3d4")),
        (
            "0x600508b1001c7dce5a4f5c5cb9b0ee29",
            Some("600508b1001c7dce5a4f5c5cb9b0ee29"),
        ),
        ("0x5000c500a1b2c3d40x0002c9030005f7e4", None),
        ("0x0000000000000000", None),
        ("0x5000c500", None),
        ("iqn.2004-01.com.example:disk0", None),
        ("error: NAA bad code_set", None),
        ("", None),
    ] {
        let document = json!({
            "device": { "name": "x", "type": "scsi", "protocol": "SCSI" },
            "logical_unit_id": told,
            "scsi_start_stop_cycle_counter": { "accumulated_start_stop_cycles": 70 },
        });
        let read = parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(read.logical_unit.as_deref(), unit, "{told}");
        assert_eq!((read.wwn, read.start_stop_cycles), (None, Some(70)), "{told}");
    }
    for odd in [json!(0), json!(u32::MAX), json!("70"), json!(null)] {
        let document = json!({
            "device": { "name": "x", "type": "scsi", "protocol": "SCSI" },
            "scsi_start_stop_cycle_counter": { "accumulated_start_stop_cycles": odd },
        });
        assert_eq!(parse(document.to_string().as_bytes()).unwrap().start_stop_cycles, None);
    }
}

/// Intel SSDSA2BZ300G3S (710, linuxhw/SMART 06CDF7FF0C6C), which smartctl's database does not list: it calls 183 as any other flash's.
#[test]
fn what_intels_flash_counts_as_183_is_its_links() {
    let of = |model: &str, name: &str| {
        let document = json!({
            "smartctl": { "version": [7, 4], "exit_status": 0 },
            "device": { "name": "x", "type": "sat", "protocol": "ATA" },
            "model_name": model,
            "ata_smart_attributes": { "table": [{ "id": 183, "name": name, "value": 100, "thresh": 0, "raw": { "value": 3096, "string": "3096" } }] },
        });
        parse(document.to_string().as_bytes()).unwrap().attributes[0]
            .name
            .clone()
    };
    let (bad, slower) = ("Runtime_Bad_Block", "SATA_Downshift_Count");
    assert_eq!(of("INTEL SSDSA2BZ300G3S", bad), slower);
    assert_eq!(of("INTEL SSDSC2BB480G4", slower), slower);
    assert_eq!(of("INTEL SSDSC2BB480G4", "Unknown_Attribute"), "Unknown_Attribute");
    assert_eq!(of("Samsung SSD 850 EVO 500GB", bad), bad);
}

#[test]
fn smart_that_is_off_is_read_as_off_of_ata_alone() {
    let of = |protocol: &str, available: bool, enabled: bool| {
        let document = json!({
            "device": { "name": "x", "type": "x", "protocol": protocol },
            "serial_number": "X",
            "smart_support": { "available": available, "enabled": enabled },
        });
        parse(document.to_string().as_bytes()).unwrap().switch
    };
    assert_eq!(of("ATA", true, false), Switch::Off);
    assert_eq!(of("ATA", true, true), Switch::On);
    assert_eq!(of("ATA", false, false), Switch::On);
    assert_eq!(of("SCSI", true, false), Switch::On);
}

/// A reading in part is replaced by the next one, and not that its drive was switched on for it.
#[test]
fn an_order_stays_told_by_a_job_that_asks_once_more() {
    use Switch::{Off, On, SwitchedOn};
    for (now, earlier, told) in [
        (On, SwitchedOn, SwitchedOn),
        (On, On, On),
        (On, Off, On),
        (Off, SwitchedOn, Off),
        (SwitchedOn, Off, SwitchedOn),
    ] {
        assert_eq!(now.after(earlier), told, "{now:?} after {earlier:?}");
    }
}

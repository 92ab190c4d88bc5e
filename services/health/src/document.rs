//! A reading as a document of `smartctl --json`, with what is kept of it: for whoever reads drives from such documents, where
//! the one that came is not kept.

use serde_json::{Map, Value, json};

use crate::reading::{Attribute, Protocol, Reading};

/// One row of an ATA table; `None` for a value without a number.
fn row(a: &Attribute) -> Option<Value> {
    let id: u8 = a.key.parse().ok()?;
    Some(json!({
        "id": id, "name": a.name, "value": a.value, "worst": a.worst, "thresh": a.threshold,
        "when_failed": a.when_failed, "flags": { "prefailure": a.prefail },
        "raw": { "value": a.raw, "string": a.text },
    }))
}

/// The document. A key of what the drive did not tell is not there.
pub fn document(r: &Reading) -> Value {
    let mut all = Map::new();
    let mut put = |key: &str, value: Value| all.insert(key.to_owned(), value);
    let protocol = match r.protocol {
        Protocol::Ata => "ATA",
        Protocol::Nvme => "NVMe",
        Protocol::Scsi => "SCSI",
        Protocol::Unknown => "",
    };
    put(
        "device",
        json!({ "name": r.device, "type": r.device_type, "protocol": protocol }),
    );
    put("model_name", json!(r.model));
    put("model_family", json!(r.family));
    put("serial_number", json!(r.serial));
    put("firmware_version", json!(r.firmware));
    let told = [
        ("user_capacity", r.capacity.map(|bytes| json!({ "bytes": bytes }))),
        ("rotation_rate", r.rpm.map(|rpm| json!(rpm))),
        ("smart_status", r.passed.map(|passed| json!({ "passed": passed }))),
        (
            "temperature",
            r.temperature.map(|celsius| json!({ "current": celsius })),
        ),
        ("power_on_time", r.power_on_hours.map(|hours| json!({ "hours": hours }))),
        ("power_cycle_count", r.power_cycles.map(|cycles| json!(cycles))),
    ];
    for (key, value) in told {
        if let Some(value) = value {
            put(key, value);
        }
    }
    let rows: Vec<Value> = r.attributes.iter().filter_map(row).collect();
    match r.protocol {
        Protocol::Nvme => {
            let words = r.attributes.iter().map(|a| (a.key.clone(), json!(a.count)));
            put("nvme_smart_health_information_log", Value::Object(words.collect()));
        }
        Protocol::Ata | Protocol::Scsi | Protocol::Unknown if !rows.is_empty() => {
            put("ata_smart_attributes", json!({ "table": rows }));
        }
        Protocol::Ata | Protocol::Scsi | Protocol::Unknown => {}
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::read;

    #[test]
    fn what_is_made_of_a_reading_reads_as_that_drive() {
        let row = |id: u8, raw: u64| json!({ "id": id, "name": "Reallocated_Sector_Ct", "value": 100, "worst": 99, "thresh": 10, "raw": { "value": raw, "string": raw.to_string() } });
        let ata = json!({
            "device": { "name": "/dev/sda", "type": "sat", "protocol": "ATA" }, "model_name": "M", "serial_number": "S",
            "smart_status": { "passed": true }, "temperature": { "current": 34 }, "power_on_time": { "hours": 12 },
            "rotation_rate": 7200, "user_capacity": { "bytes": 1_000_000 }, "ata_smart_attributes": { "table": [row(5, 3)] },
        });
        let first = read(&ata).unwrap();
        let again = read(&document(&first)).unwrap();
        assert_eq!(
            (&again.serial, again.passed, again.temperature),
            (&first.serial, Some(true), Some(34))
        );
        assert_eq!(
            (again.medium, again.power_on_hours, again.capacity),
            (first.medium, Some(12), Some(1_000_000))
        );
        assert_eq!(again.attributes, first.attributes);
        let nvme = json!({
            "device": { "name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe" }, "model_name": "N", "serial_number": "T",
            "nvme_smart_health_information_log": { "critical_warning": 0, "percentage_used": 7, "media_errors": 2 },
        });
        let first = read(&nvme).unwrap();
        let again = read(&document(&first)).unwrap();
        assert_eq!((again.protocol, again.wear), (first.protocol, first.wear));
    }
}

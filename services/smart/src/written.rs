//! The drive's own counter of what hosts wrote, with the bytes that one count may stand for.
//!
//! | counter | bytes a count |
//! |---|---|
//! | NVMe data units written | 512,000 (NVMe 2.0 §5.16.1.3) |
//! | SCSI bytes processed by writes | told in gigabytes of 10⁹ with three decimals |
//! | ATA device statistics "Logical Sectors Written" | a logical sector (ACS-5 §9.5.4) |
//! | ATA attributes 241, 246, 225 | what the name says; where it says nothing (or "LBAs", which makers of flash also use for multiples) any of the usual |
//!
//! Source of the attributes' units: smartmontools `drivedb.h`.

use serde_json::Value;
use wire::attribute::{thousandths, write_units};

use crate::parse::{list, number};
use crate::snapshot::{Attribute, NvmeHealth, WriteCounter};

/// The best counter of the document.
pub(crate) fn counter(json: &Value, attributes: &[Attribute], nvme: Option<&NvmeHealth>) -> Option<WriteCounter> {
    let of = |source: &str, count, units: &[u64]| WriteCounter {
        source: source.to_owned(),
        count,
        units: units.to_vec(),
    };
    if let Some(units) = nvme.and_then(|nvme| nvme.data_units_written) {
        return Some(of("NVMe data units written", units, &[512_000]));
    }
    if let Some(processed) = json["scsi_error_counter_log"]["write"]["gigabytes_processed"].as_str() {
        return Some(of(
            "SCSI bytes processed by writes",
            thousandths(processed)?,
            &[1_000_000],
        ));
    }
    let sector = number(&json["logical_block_size"])
        .filter(|size| (512..=1 << 20).contains(size))
        .unwrap_or(512);
    let statistic = list(&json["ata_device_statistics"]["pages"])
        .flat_map(|page| list(&page["table"]))
        .find(|row| row["name"].as_str() == Some("Logical Sectors Written") && row["flags"]["valid"] != false)
        .and_then(|row| number(&row["value"]));
    if let Some(sectors) = statistic {
        return Some(of("ATA statistic Logical Sectors Written", sectors, &[sector]));
    }
    [241, 246, 225].into_iter().find_map(|id| {
        let attribute = attributes.iter().find(|attribute| attribute.id == id)?;
        let units = write_units(id, &attribute.name, sector)?;
        let source = format!("ATA attribute {id} {}", attribute.name);
        Some(of(&source, attribute.count, &units))
    })
}

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

use super::parse::{list, number};
use super::snapshot::{Attribute, NvmeHealth, WriteCounter};

/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;

/// The best counter of the document.
pub(super) fn counter(json: &Value, attributes: &[Attribute], nvme: Option<&NvmeHealth>) -> Option<WriteCounter> {
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
        let units = units(id, &attribute.name, sector)?;
        let source = format!("ATA attribute {id} {}", attribute.name);
        Some(of(&source, attribute.count, &units))
    })
}

/// `127551.260` as 127,551,260.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let (whole, fraction): (u64, u64) = (whole.parse().ok()?, digits.parse().ok()?);
    whole.checked_mul(1000)?.checked_add(fraction)
}

/// Bytes a count of attribute `id` with smartctl's `name`; `None` for one that counts something else.
fn units(id: u16, name: &str, sector: u64) -> Option<Vec<u64>> {
    let unknown = name.starts_with("Unknown");
    let of_writes = name.contains("Writ") && !name.contains("NAND") && !name.contains("Flash");
    // 225 is the load cycle count of disks, 246 is unknown to many: only by name.
    if !(of_writes || unknown && id == 241) {
        return None;
    }
    Some(match name {
        _ if name.contains("32MiB") => vec![32 * MIB],
        _ if name.contains("GiB") => vec![1024 * MIB],
        _ if name.contains("GB") => vec![1_000_000_000, 1024 * MIB],
        _ if name.contains("MiB") => vec![MIB],
        _ if name.contains("TB") || name.contains("TiB") => return None,
        _ if name.contains("Sector") => vec![sector, 512],
        _ => {
            let mut units = vec![
                sector,
                512,
                4096,
                65_536,
                MIB,
                32 * MIB,
                64 * MIB,
                1_000_000_000,
                1024 * MIB,
            ];
            units.dedup();
            units
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_in_the_name_or_one_of_several() {
        assert_eq!(units(241, "Host_Writes_32MiB", 512), Some(vec![32 << 20]));
        assert_eq!(units(241, "Lifetime_Writes_GiB", 512), Some(vec![1 << 30]));
        assert_eq!(units(241, "Total_LBAs_Written", 4096).map(|u| u[0]), Some(4096));
        assert_eq!(units(241, "Unknown_Attribute", 512).map(|u| u.len()), Some(8));
        assert_eq!(units(225, "Load_Cycle_Count", 512), None);
        assert_eq!(units(246, "Unknown_Attribute", 512), None);
        assert_eq!(units(241, "NAND_Writes_GiB", 512), None);
    }

    #[test]
    fn gigabytes_with_decimals_are_megabytes() {
        assert_eq!(thousandths("127551.260"), Some(127_551_260));
        assert_eq!(thousandths("7"), Some(7000));
        assert_eq!(
            (
                thousandths("x"),
                thousandths("1.x"),
                thousandths("99999999999999999999.1")
            ),
            (None, None, None)
        );
    }
}

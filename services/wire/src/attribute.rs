//! Raw values of ATA attributes: 48 bits in which makers pack what they like.
//!
//! | attribute | packed by | count |
//! |---|---|---|
//! | 188 command timeout | Seagate: three 16-bit counters | the low one; the upper two count slow commands |
//! | 1, 7, 195 read, seek and ECC rates | Seagate: 16 bits of errors over 32 bits of operations | the errors |
//! | 190, 194 temperature | minimum and maximum in the upper bytes | the low byte |
//! | 9, 240 hours | Seagate and others: milliseconds in the upper bits | the low 32 bits |
//! | 5, 196 reallocations | some: three 16-bit words | smartctl's leading number; of 5 the low 32 bits where nothing is above them |
//! | any, as `3/214539` | SandForce: errors over operations | the errors |
//! | 170, as `10/50` | Phison: bad blocks from the factory, and since (`Erl/Lat`), or the other way round | those since |
//! | 187 flagged as a rate of errors | SandForce (Intel 520): errors above 32 bits of sectors read; Seagate: a count | the errors |
//! | 196 flagged as a rate of errors | Seagate's disks for laptops: hours of head flight | 0 |
//!
//! Source: smartmontools `drivedb.h`, `atacmds.cpp` (raw formats); AnalogJ/scrutiny issues 260, 522, 734 (drives that
//! were called failed because of 188).
//!
//! Besides: what a name tells of a number that makers use for different things ([`is_something_else`]), and the bytes that one count of a drive's own write counter stands for ([`write_units`]).

/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;

/// Parts of names, in lower case, under which smartctl's database lists the numbers of faults (5, 10, 184, 187, 188, 196 to
/// 199) for drives that count something else there: what the host read and wrote, blocks that were bad when the drive was
/// made or are spare, nothing at all, or a number that flips by itself. Source: smartmontools, drivedb.h.
pub(crate) const SOMETHING_ELSE: [&str; 9] = [
    "bogus",
    "not_in_use",
    "unknown_jmf",
    "host_reads",
    "host_writes",
    "_sectors_tot_ct",
    "factory_bad",
    "initial_bad",
    "spare_block",
];

/// Whether an attribute of this name is not what its number says on most drives. An unknown name goes by its number.
#[must_use]
pub fn is_something_else(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SOMETHING_ELSE.iter().any(|word| name.contains(word))
}

/// The count in `raw` of attribute `id` that smartctl calls `name` and shows as `text`, for which it knows the drive's database entry.
/// `is_rate`: whether the drive flags it as a rate of errors (smartctl's `flags.error_rate`, bit 3).
///
/// The name may tell which of two counts is meant: of `10/50` that is `Bad_Blk_Ct_Erl/Lat` (Phison, Kingston) the blocks that went bad since
/// the drive was made.
pub fn count_named(id: u16, name: &str, raw: u64, text: &str, (is_seagate, is_rate): (bool, bool)) -> u64 {
    let later = || text.split_once('/')?.1.parse().ok().filter(|count| *count <= raw);
    let later = if name.ends_with("Erl/Lat") { later() } else { None };
    later.unwrap_or_else(|| count(id, raw, text, is_seagate, is_rate))
}

/// The same where the name tells nothing. `text` is smartctl's rendering, which knows the drive's database entry.
/// `is_rate`: whether the drive flags it as a rate of errors (smartctl's `flags.error_rate`, bit 3).
fn count(id: u16, raw: u64, text: &str, is_seagate: bool, is_rate: bool) -> u64 {
    // No text makes a number more than its bits.
    let told = |count: Option<u64>| count.filter(|count| *count <= raw);
    if let Some(errors) = told(of_operations(text)) {
        return errors;
    }
    match id {
        188 if raw > 0xFFFF => raw & 0xFFFF,
        1 | 7 | 195 if is_seagate => raw >> 32,
        // Seagate flags its plain count so, too (Momentus 5400.4).
        187 if is_rate && !is_seagate => raw >> 32,
        // Hours of head flight, with their fraction in the upper word (Momentus 5400.6 and later, Laptop Thin): none of them a fault. Those
        // that are of Samsung's line count events, and flag no rate.
        196 if is_rate && is_seagate => 0,
        190 | 194 => raw & 0xFF,
        // Innodisk's blocks that went bad by reading, writing and erasing, which smartctl writes apart.
        235 if text.split(' ').count() == 3 => (raw & 0xFFFF) + (raw >> 16 & 0xFFFF) + (raw >> 32 & 0xFFFF),
        9 | 240 => leading(text)
            .filter(|hours| u32::try_from(*hours).is_ok())
            .unwrap_or(raw & 0xFFFF_FFFF),
        // By default smartctl prints 65,539 sectors as `3 (0 1)`, as if the words were apart. Fujitsu packs 5 with the high word,
        // `0 (2000 0)`; under 196 also with the middle one, `0 (0 6981)`, so that this is for 5 alone.
        5 if u32::try_from(raw).is_ok() => raw,
        // smartctl writes `3 (0 7)` where the database says that the words are apart.
        _ if raw > u64::from(u32::MAX) || raw > 0xFFFF && text.contains(" (") => told(leading(text)).unwrap_or(raw),
        _ => raw,
    }
}

/// The number at the start of `text`, where that is decimal.
fn leading(text: &str) -> Option<u64> {
    if text.starts_with("0x") {
        return None;
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The errors where `text` is errors over operations, as `3/214539`.
fn of_operations(text: &str) -> Option<u64> {
    let (errors, operations) = text.split_once('/')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(errors) && is_number(operations)).then(|| errors.parse().ok())?
}

/// Whether a drive is Seagate's, by model and smartctl's family.
pub fn is_seagate(model: &str, family: &str) -> bool {
    family.contains("Seagate")
        || model.starts_with("SEAGATE")
        || model
            .strip_prefix("ST")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `127551.260` as 127,551,260: gigabytes with decimals, as smartctl prints them, in thousandths; `None` for no such
/// number.
pub fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let (whole, fraction): (u64, u64) = (whole.parse().ok()?, digits.parse().ok()?);
    whole.checked_mul(1000)?.checked_add(fraction)
}

/// Bytes that a count may stand for, likeliest first, of ATA attribute `id` with smartctl's `name`; `None` for one that counts something else.
pub fn write_units(id: u16, name: &str, sector: u64) -> Option<Vec<u64>> {
    let unknown = name.starts_with("Unknown");
    // What the flash writes itself (246 of some is `SLC_Writes_32MiB`), and entries of a log.
    let own = ["nand", "flash", "slc_", "data_log"];
    let lower = name.to_ascii_lowercase();
    let of_writes = lower.contains("writ") && !own.iter().any(|word| lower.contains(word));
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packed_values_are_unpacked() {
        for (id, raw, text, seagate, want) in [
            // Seagate ST8000NM0055: no time-out counted, 5 commands over 5 s, 5 over 7.5 s.
            (188, 0x0005_0005_0000, "5 5 0", true, 0),
            (188, 0x0000_0000_0003, "3", true, 3),
            (188, 0x0001_0001_0001, "4295032833", false, 1),
            (1, 0x0000_0CD4_1234, "215224884", true, 0),
            (7, 0x0002_0CD4_1234, "8804838964", true, 2),
            (7, 12, "12", false, 12),
            (194, 0x0026_0012_0024, "36 (Min/Max 18/38)", false, 36),
            (190, 0x2626_0024, "36 (Min/Max 38/38)", true, 36),
            (9, 0x1122_0000_4D2A, "19754h+00m+00.000s", true, 19754),
            (9, 83425, "83425", false, 83425),
            (5, 0x0001_0000_0003, "3 (1 0)", false, 3),
            (5, 0x0001_0000, "0 (0 1)", false, 65_536),
            (5, 0x0001_0003, "3 (0 1)", false, 65_539),
            (5, 2_000 << 32, "0 (2000 0)", false, 0),
            (196, 6_981 << 16, "0 (0 6981)", false, 0),
            (196, 0x0007_0003, "3 (0 7)", false, 3),
            // SandForce: `raw24/raw32`, the operations in the low bits.
            (198, 214_539, "0/214539", false, 0),
            (198, 3 << 32 | 9, "3/9", false, 3),
            (196, 120, "0/120", false, 0),
            (198, 7, "7/", false, 7),
            (198, 7, "9/7", false, 7),
            (1, 3 << 32 | 9, "3/9", true, 3),
            (5, 7, "7", false, 7),
            (5, 70_000, "70000", false, 70_000),
            (240, 0xE8D1_0000_5A3C, "23100h+52m+41.135s", true, 23_100),
            (235, 0x0001_0009_0032, "1 9 50", false, 60),
            (235, 5, "5", false, 5),
            (195, 0x0000_0351_B8E3, "55687139", true, 0),
            (196, 53_416_508_262_463, "2111 (12437 0)", true, 2_111),
            (241, 0x0001_0000_0000, "4294967296", false, 4_294_967_296),
            // WD's flash: `hex48`.
            (230, 0x2F24_2314_2F24, "0x2f2423142f24", false, 0x2F24_2314_2F24),
            (232, 0x0001_0000_0003, "0x000100000003", false, 0x0001_0000_0003),
        ] {
            assert_eq!(
                count(id, raw, text, seagate, false),
                want,
                "attribute {id}, raw {raw:#x}"
            );
        }
        let early = |name, text| count_named(170, name, (10 << 24) + 50, text, (false, false));
        assert_eq!(early("Bad_Blk_Ct_Erl/Lat", "10/50"), 50);
        assert_eq!(early("Bad_Blk_Ct_Lat/Erl", "10/50"), 10);
        assert_eq!(early("Bad_Blk_Ct_Erl/Lat", "10/"), (10 << 24) + 50);
        // An Intel 520: its 187 falls and rises with what is read.
        assert_eq!(count(187, 153_797_776, "153797776", false, true), 0);
        assert_eq!(count(187, 2 << 32 | 7, "8589934599", false, true), 2);
        assert_eq!(count(187, 88, "88", true, true), 88, "an ST9250827AS");
        assert_eq!(count(196, 2111, "2111", true, true), 0, "hours of head flight");
        assert_eq!(count(196, 2111, "2111", true, false), 2111, "an ST1000LM024");
        assert_eq!(count(196, 2111, "2111", false, true), 2111);
    }

    proptest! {
        /// In each of the formats that smartctl's database gives to numbers of faults, the highest word first.
        #[test]
        fn no_count_is_more_than_its_place_in_the_raw_bits(
            id in prop::sample::select(vec![5_u16, 10, 184, 187, 188, 196, 197, 198, 199]),
            words in any::<[u16; 3]>(),
        ) {
            let [low, middle, high] = words.map(u64::from);
            let raw = high << 32 | middle << 16 | low;
            let apart = match raw >> 16 {
                0 => low.to_string(),
                _ => format!("{low} ({high} {middle})"),
            };
            prop_assert_eq!(count(id, low, &low.to_string(), false, false), low);
            if id != 188 {
                prop_assert_eq!(count(id, raw, &raw.to_string(), false, false), raw);
                let want = if id == 5 && high == 0 { raw } else { low };
                prop_assert_eq!(count(id, raw, &apart, false, false), want);
            }
            for bits in [24, 32] {
                let text = format!("{}/{}", raw >> bits, raw & ((1 << bits) - 1));
                prop_assert_eq!(count(id, raw, &text, false, false), raw >> bits);
            }
        }

        #[test]
        fn no_text_makes_a_count_of_errors_more_than_the_raw_bits(
            id in prop::sample::select(vec![5_u16, 184, 187, 188, 196, 197, 198, 199]),
            raw in 0..1_u64 << 48,
            text in "[0-9]{0,16}[/ (]{0,2}[0-9]{0,3}",
        ) {
            prop_assert!(count(id, raw, &text, false, false) <= raw);
        }
    }

    #[test]
    fn seagate_is_known_by_model_or_family() {
        assert!(is_seagate("ST8000NM0055-1RM112", "") && is_seagate("X", "Seagate Barracuda 7200.7"));
        assert!(!is_seagate("STEC MACH16", "") && !is_seagate("WDC WD40EFRX", "Western Digital Red"));
    }

    #[test]
    fn the_unit_is_in_the_name_or_one_of_several() {
        assert_eq!(write_units(241, "Host_Writes_32MiB", 512), Some(vec![32 << 20]));
        assert_eq!(write_units(241, "Lifetime_Writes_GiB", 512), Some(vec![1 << 30]));
        assert_eq!(write_units(241, "Total_LBAs_Written", 4096).map(|u| u[0]), Some(4096));
        assert_eq!(write_units(241, "Unknown_Attribute", 512).map(|u| u.len()), Some(8));
        assert_eq!(write_units(225, "Load_Cycle_Count", 512), None);
        assert_eq!(write_units(246, "Unknown_Attribute", 512), None);
        for (id, name) in [
            (241, "NAND_Writes_GiB"),
            (241, "Nand_Sectors_Written"),
            (246, "SLC_Writes_32MiB"),
            (225, "Data_Log_Write_Count"),
        ] {
            assert_eq!(write_units(id, name, 512), None, "{name}");
        }
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

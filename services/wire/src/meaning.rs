//! What an ATA attribute counts: its number alone does not say, since makers give one number to different things and one
//! thing different numbers. smartctl's database knows which name a drive's number has, so the name decides, and the number
//! where the name is not known.
//!
//! Verdict, histories and alerts take this one table. Source: smartmontools `drivedb.h` (7.3 and its updates of 2025), whose
//! names [`NAMES`] lists; for the numbers the names of its default entry and Backblaze's reports.

use crate::attribute::{SOMETHING_ELSE, is_something_else};

/// What a count of a drive's stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// Sectors or blocks that were replaced by spare ones.
    Reallocated,
    /// Sectors that could not be read and wait for being written.
    Pending,
    /// The same of Micron's flash, whose firmware counts one while it moves data and takes it back: from two on it tells something.
    PendingEcc,
    /// Sectors that the drive's own scan could not read.
    OfflineUncorrectable,
    /// Reads that could not be corrected, over the drive's life.
    ReportedUncorrectable,
    /// Attempts to replace a sector or block.
    ReallocationEvents,
    /// Blocks of flash that went bad since it was made: some do on every drive.
    GrownBadBlocks,
    /// Programs and erases of flash that failed, each of a block that goes bad by it, and totals of bad blocks that may count those that it
    /// was made with: how many there are tells nothing, that they rise does.
    FlashFailures,
    /// Commands that took too long.
    CommandTimeout,
    /// Errors between the drive's cache and its host.
    EndToEnd,
    /// Attempts to spin up again.
    SpinRetry,
    /// Checksum errors on the link.
    Crc,
    /// Helium that is left, normalised.
    Helium,
}

impl Meaning {
    /// Its name in rules and figures.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Reallocated => "reallocated",
            Self::Pending => "pending",
            Self::PendingEcc => "pending_ecc",
            Self::OfflineUncorrectable => "offline_uncorrectable",
            Self::ReportedUncorrectable => "reported_uncorrectable",
            Self::ReallocationEvents => "reallocation_events",
            Self::GrownBadBlocks => "grown_bad_blocks",
            Self::FlashFailures => "flash_failures",
            Self::CommandTimeout => "command_timeout",
            Self::EndToEnd => "end_to_end",
            Self::SpinRetry => "spin_retry",
            Self::Crc => "crc",
            Self::Helium => "helium",
        }
    }

    /// What the number of an attribute counts on most drives.
    #[must_use]
    pub fn of_number(id: u16) -> Option<Self> {
        NUMBERS
            .iter()
            .find(|(number, _)| *number == id)
            .map(|(_, meaning)| *meaning)
    }

    /// Numbers under which most drives count faults, whose rise is bad; helium is told by its normalised value, which falls.
    pub fn numbers_of_faults() -> impl Iterator<Item = u16> {
        let faults = NUMBERS.iter().filter(|(_, meaning)| *meaning != Self::Helium);
        faults.map(|(number, _)| *number)
    }

    /// What attribute `id` counts that smartctl calls `name`; `None` where no rule knows it.
    #[must_use]
    pub fn of(id: u16, name: &str) -> Option<Self> {
        if is_something_else(name) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let named = NAMES.iter().find(|(words, _)| name.contains(words));
        match named.map_or_else(|| Self::of_number(id), |(_, meaning)| *meaning) {
            // Under 5 makers of flash list what they replaced, whatever they call it.
            Some(Self::GrownBadBlocks) if id == 5 => Some(Self::Reallocated),
            meaning => meaning,
        }
    }

    /// What an ATA device statistic of this name counts. Source: ACS-4 §9.5.4 to §9.5.8.
    #[must_use]
    pub fn of_statistic(name: &str) -> Option<Self> {
        Some(match name {
            "Number of Reported Uncorrectable Errors" => Self::ReportedUncorrectable,
            "Number of Reallocated Logical Sectors" => Self::Reallocated,
            "Number of Realloc. Candidate Logical Sectors"
            | "Number of Reallocation Candidate Logical Sectors"
            | "Pending Error Count" => Self::Pending,
            "Number of Mechanical Start Failures" => Self::SpinRetry,
            "Number of Interface CRC Errors" => Self::Crc,
            _ => return None,
        })
    }
}

/// What a number counts on most drives.
const NUMBERS: [(u16, Meaning); 10] = [
    (5, Meaning::Reallocated),
    (10, Meaning::SpinRetry),
    (22, Meaning::Helium),
    (184, Meaning::EndToEnd),
    (187, Meaning::ReportedUncorrectable),
    (188, Meaning::CommandTimeout),
    (196, Meaning::ReallocationEvents),
    (197, Meaning::Pending),
    (198, Meaning::OfflineUncorrectable),
    (199, Meaning::Crc),
];

/// The table for whoever is not Rust: what is something else whatever its number, then names, then numbers.
#[must_use]
pub fn table() -> serde_json::Value {
    let key = |meaning: &Option<Meaning>| meaning.map(Meaning::key);
    serde_json::json!({
        "something_else": SOMETHING_ELSE,
        "names": NAMES.iter().map(|(words, meaning)| (words, key(meaning))).collect::<Vec<_>>(),
        "numbers": NUMBERS.iter().map(|(number, meaning)| (number, meaning.key())).collect::<Vec<_>>(),
    })
}

/// Parts of names, in lower case, and what they count wherever they stand; the first that fits counts. `None`: nothing that a
/// rule knows.
const NAMES: [(&str, Option<Meaning>); 57] = [
    // 197 and 198 of disks that do not take a sector back once it is written or replaced. Source: smartctl(8), `197,increasing`.
    ("total_pending", Some(Meaning::ReportedUncorrectable)),
    ("total_offl_unc", Some(Meaning::ReportedUncorrectable)),
    // 197 and 198 of some flash: failed reads of a life, which no write clears.
    ("read_failure_blk", Some(Meaning::ReportedUncorrectable)),
    ("total_unc_read", Some(Meaning::ReportedUncorrectable)),
    ("total_unc_nand", Some(Meaning::ReportedUncorrectable)),
    ("uncor_read_error", Some(Meaning::ReportedUncorrectable)),
    ("ecc_error_count", Some(Meaning::ReportedUncorrectable)),
    // What was corrected, or is counted anew each time the drive is switched on.
    ("error_correction_count", None),
    ("uncorr_soft_read_err_rt", None),
    ("power_on_uncorr", None),
    ("retried_blk", None),
    ("read_disturb_realloc", None),
    // MX100 to BX500, of which the MX500's flips between 0 and 1. Source: drivedb.h, smartmontools ticket 1227.
    ("current_pending_ecc", Some(Meaning::PendingEcc)),
    ("current_pending", Some(Meaning::Pending)),
    ("pending_sector", Some(Meaning::Pending)),
    ("offline_uncorrectable", Some(Meaning::OfflineUncorrectable)),
    ("reported_uncor", Some(Meaning::ReportedUncorrectable)),
    ("reported_ue", Some(Meaning::ReportedUncorrectable)),
    ("uncorrectable_err", Some(Meaning::ReportedUncorrectable)),
    ("uncorrectable_ecc", Some(Meaning::ReportedUncorrectable)),
    ("uncorrectable_sectors", Some(Meaning::ReportedUncorrectable)),
    ("uncorr_record", Some(Meaning::ReportedUncorrectable)),
    // SanDisk's CS1K and CloudSpeed, OCZ's Xcel. Source: drivedb.h.
    ("uecc_ct", Some(Meaning::ReportedUncorrectable)),
    ("sata_unc", Some(Meaning::ReportedUncorrectable)),
    ("reallocated_event", Some(Meaning::ReallocationEvents)),
    ("erase_failure_blk", Some(Meaning::ReallocationEvents)),
    ("total_erase_failures", Some(Meaning::ReallocationEvents)),
    ("reallocated_", Some(Meaning::Reallocated)),
    ("reallocate_nand", Some(Meaning::Reallocated)),
    ("retired_block", Some(Meaning::Reallocated)),
    ("grown_bad", Some(Meaning::GrownBadBlocks)),
    ("grown_failing", Some(Meaning::GrownBadBlocks)),
    ("later_bad", Some(Meaning::GrownBadBlocks)),
    ("runtime_bad", Some(Meaning::GrownBadBlocks)),
    ("new_bad_blk", Some(Meaning::GrownBadBlocks)),
    ("added_bad", Some(Meaning::GrownBadBlocks)),
    ("bad_blk_ct_", Some(Meaning::GrownBadBlocks)),
    // Of most makers of flash, under 161 to 182. Source: drivedb.h.
    ("program_fail", Some(Meaning::FlashFailures)),
    ("prog_fail", Some(Meaning::FlashFailures)),
    ("erase_fail", Some(Meaning::FlashFailures)),
    ("bad_block_count", Some(Meaning::FlashFailures)),
    ("bad_block_cnt", Some(Meaning::FlashFailures)),
    ("total_bad_block", Some(Meaning::FlashFailures)),
    // Silicon Motion's 175 and 178, Phison's 232, 193 of STEC's, 235 of Innodisk's. Source: drivedb.h.
    ("die_fail", Some(Meaning::FlashFailures)),
    ("runtime_invalid_blk", Some(Meaning::FlashFailures)),
    ("read_fail_count", Some(Meaning::FlashFailures)),
    ("dynamic_remaps", Some(Meaning::FlashFailures)),
    ("lat_bad_blk", Some(Meaning::FlashFailures)),
    ("unused_rsvd", None),
    ("used_rsvd_blk", Some(Meaning::FlashFailures)),
    // Toshiba's 23 and 24. Source: drivedb.h, MG07 and later.
    ("helium_condition", Some(Meaning::Helium)),
    ("end-to-end", Some(Meaning::EndToEnd)),
    // Seagate's Nytro, SanDisk's CS1K and CloudSpeed, OCZ's Intrepid. Source: drivedb.h.
    ("end_to_end", Some(Meaning::EndToEnd)),
    ("undetected_data", Some(Meaning::EndToEnd)),
    ("path_prot_unc", Some(Meaning::EndToEnd)),
    ("crc_err", Some(Meaning::Crc)),
    ("error_ct_crc", Some(Meaning::Crc)),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        id: u16,
        name: String,
        meaning: Option<String>,
    }

    #[test]
    fn the_name_decides_and_the_number_where_the_name_is_not_known() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/meaning.json")).unwrap();
        assert!(cases.len() > 25);
        for Case { id, name, meaning } in cases {
            let found = Meaning::of(id, &name).map(Meaning::key);
            assert_eq!(found, meaning.as_deref(), "{id} {name}");
        }
    }
}

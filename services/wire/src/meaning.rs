//! What an ATA attribute counts: its number alone does not say, since makers give one number to different things and one
//! thing different numbers. smartctl's database knows which name a drive's number has, so the name decides, and the number
//! where the name is not known.
//!
//! Verdict, histories and alerts take this one table. Source: smartmontools `drivedb.h` (7.3 and its updates of 2025), whose
//! names [`NAMES`] lists; for the numbers the names of its default entry and Backblaze's reports.

use crate::attribute::is_something_else;

/// What a count of a drive's stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// Sectors or blocks that were replaced by spare ones.
    Reallocated,
    /// Sectors that could not be read and wait for being written.
    Pending,
    /// Sectors that the drive's own scan could not read.
    OfflineUncorrectable,
    /// Reads that could not be corrected, over the drive's life.
    ReportedUncorrectable,
    /// Attempts to replace a sector or block.
    ReallocationEvents,
    /// Blocks of flash that went bad since it was made: some do on every drive.
    GrownBadBlocks,
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
            Self::OfflineUncorrectable => "offline_uncorrectable",
            Self::ReportedUncorrectable => "reported_uncorrectable",
            Self::ReallocationEvents => "reallocation_events",
            Self::GrownBadBlocks => "grown_bad_blocks",
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
        Some(match id {
            5 => Self::Reallocated,
            10 => Self::SpinRetry,
            22 => Self::Helium,
            184 => Self::EndToEnd,
            187 => Self::ReportedUncorrectable,
            188 => Self::CommandTimeout,
            196 => Self::ReallocationEvents,
            197 => Self::Pending,
            198 => Self::OfflineUncorrectable,
            199 => Self::Crc,
            _ => return None,
        })
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
            "Number of Realloc. Candidate Logical Sectors" | "Number of Reallocation Candidate Logical Sectors" => {
                Self::Pending
            }
            "Number of Mechanical Start Failures" => Self::SpinRetry,
            "Number of Interface CRC Errors" => Self::Crc,
            _ => return None,
        })
    }
}

/// Parts of names, in lower case, and what they count wherever they stand; the first that fits counts. `None`: nothing that a
/// rule knows.
const NAMES: [(&str, Option<Meaning>); 33] = [
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
    ("current_pending", Some(Meaning::Pending)),
    ("pending_sector", Some(Meaning::Pending)),
    ("offline_uncorrectable", Some(Meaning::OfflineUncorrectable)),
    ("reported_uncor", Some(Meaning::ReportedUncorrectable)),
    ("reported_ue", Some(Meaning::ReportedUncorrectable)),
    ("uncorrectable_err", Some(Meaning::ReportedUncorrectable)),
    ("uncorrectable_ecc", Some(Meaning::ReportedUncorrectable)),
    ("uncorrectable_sectors", Some(Meaning::ReportedUncorrectable)),
    ("uncorr_record", Some(Meaning::ReportedUncorrectable)),
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
    ("end-to-end", Some(Meaning::EndToEnd)),
    ("crc_err", Some(Meaning::Crc)),
    ("error_ct_crc", Some(Meaning::Crc)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_and_the_number_where_the_name_is_not_known() {
        use Meaning::{
            Crc, EndToEnd, GrownBadBlocks, OfflineUncorrectable, Pending, Reallocated, ReallocationEvents,
            ReportedUncorrectable, SpinRetry,
        };
        for (id, name, want) in [
            (5, "Reallocated_Sector_Ct", Some(Reallocated)),
            (5, "Retired_Block_Count", Some(Reallocated)),
            (5, "Later_Bad_Block", Some(Reallocated)),
            (235, "Later_Bad_Block", Some(GrownBadBlocks)),
            (5, "Unknown_Attribute", Some(Reallocated)),
            (10, "Spin_Retry_Count", Some(SpinRetry)),
            (10, "Not_In_Use", None),
            (184, "End-to-End_Error", Some(EndToEnd)),
            (184, "Error_Correction_Count", None),
            (184, "Factory_Bad_Block_Count", None),
            (187, "Uncorrectable_Error_Cnt", Some(ReportedUncorrectable)),
            (196, "Reallocated_Event_Count", Some(ReallocationEvents)),
            (196, "Lifetime_Retried_Blk_Ct", None),
            (197, "Current_Pending_Sector", Some(Pending)),
            (197, "Total_Unc_Read_Failures", Some(ReportedUncorrectable)),
            (198, "Offline_Uncorrectable", Some(OfflineUncorrectable)),
            (198, "Uncor_Read_Error_Ct", Some(ReportedUncorrectable)),
            (198, "Host_Reads_GiB", None),
            (199, "CRC_Error_Count", Some(Crc)),
            // The same under other numbers.
            (160, "Uncorrectable_Error_Cnt", Some(ReportedUncorrectable)),
            (195, "Uncorrectable_Error_Cnt", Some(ReportedUncorrectable)),
            (200, "Current_Pending_Sector", Some(Pending)),
            (210, "SATA_CRC_Error_Count", Some(Crc)),
            (170, "Grown_Bad_Block_Ct", Some(GrownBadBlocks)),
            (163, "Initial_Bad_Block_Count", None),
            (1, "Raw_Read_Error_Rate", None),
            (200, "Multi_Zone_Error_Rate", None),
            (195, "Hardware_ECC_Recovered", None),
        ] {
            assert_eq!(Meaning::of(id, name), want, "{id} {name}");
        }
    }
}

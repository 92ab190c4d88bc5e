//! What each line of SMART means, in words for people: what it counts, and whether it is bad that it rises.
//!
//! The page says it beside each line. [`meant`] finds the words; [`table`] gives them to whoever is not Rust, and both sides run
//! `cases/smart-names.json`, in which every line stands that a recorded document makes, or our own reading of one
//! (`services/smart/tests/golden.rs` holds it): a new line without words fails there. They judge nothing: that is for the rules.
//!
//! Source: as [`crate::meaning`]; NVMe 2.0 §5.16.1.3, SPC-5 §7.3, SBC-4 §6.4, ACS-4 §9.5.

use crate::meaning::Meaning;

/// What line `name` counts, which is ATA's attribute `id` or one of another kind; `None` where nobody knows.
#[must_use]
pub fn meant(id: Option<u16>, name: &str) -> Option<&'static str> {
    let plain = name.to_ascii_lowercase().replace(' ', "_");
    let Some(id) = id else {
        return VALUES
            .iter()
            .find(|(value, _)| *value == plain)
            .map(|(_, words)| *words);
    };
    if plain.contains(EITHER.0) {
        return Some(EITHER.1);
    }
    match Meaning::of(id, name) {
        Some(meaning) => FAULTS.iter().find(|(of, _)| *of == meaning).map(|(_, words)| *words),
        None => OTHERS
            .iter()
            .find(|(part, _)| plain.contains(part))
            .map(|(_, words)| *words),
    }
}

/// The words for whoever is not Rust: of faults, of other attributes, of lines without a number.
#[must_use]
pub fn table() -> serde_json::Value {
    let faults = FAULTS
        .iter()
        .map(|(meaning, words)| (meaning.key().to_owned(), (*words).into()));
    serde_json::json!({
        "either": EITHER,
        "faults": faults.collect::<serde_json::Map<_, _>>(),
        "others": OTHERS.as_slice(),
        "values": VALUES.as_slice(),
    })
}

/// What is something else of disks than of flash, and the name does not tell of which it is. Source: `drivedb.h`, 183.
const EITHER: (&str, &str) = (
    "runtime_bad",
    "Of flash, blocks gone bad since it was made: a rise is a sign of wear. Of a disk, times that its link fell back to a lower speed: look at the cable.",
);

/// Of attributes that count faults.
const FAULTS: [(Meaning, &str); 13] = [
    (
        Meaning::Reallocated,
        "Spare sectors used up in place of bad ones. A rise is bad.",
    ),
    (
        Meaning::Pending,
        "Sectors that it could not read and waits to retry. A rise is bad.",
    ),
    (
        Meaning::PendingEcc,
        "Sectors that it waits to correct. One comes and goes by itself; more are bad.",
    ),
    (
        Meaning::OfflineUncorrectable,
        "Sectors that its own scan could not read. A rise is bad.",
    ),
    (
        Meaning::ReportedUncorrectable,
        "Reads that the drive could not correct. A rise is bad.",
    ),
    (
        Meaning::ReallocationEvents,
        "Attempts to move a bad sector to a spare one. A rise is bad.",
    ),
    (
        Meaning::GrownBadBlocks,
        "Blocks of flash gone bad since it was made. Some do on every drive; many at once are bad.",
    ),
    (
        Meaning::FlashFailures,
        "Blocks of flash that could not be written or erased, or went bad. How many tells little; a rise is a sign of wear.",
    ),
    (
        Meaning::CommandTimeout,
        "Commands that took too long. A rise is bad: look at power and cable, too.",
    ),
    (
        Meaning::EndToEnd,
        "Data that changed between its own cache and the host. A rise is bad.",
    ),
    (
        Meaning::SpinRetry,
        "Times that the motor had to try again. A rise is bad.",
    ),
    (
        Meaning::Crc,
        "Errors on the cable. A rise blames the link, not the drive.",
    ),
    (Meaning::Helium, "Helium left. A fall is bad: the drive leaks."),
];

const RATE: &str = "Its maker's own count of errors that it met and corrected. Only comparable with itself; a rise alone tells nothing.";
const SPEED: &str = "Its maker's own figure of how fast it works. Only comparable with itself.";
const SHOCK: &str = "Knocks and shaking that it felt. A rise blames how it stands, or was carried.";
const PARKED: &str = "Times that the heads were parked. It rises in use; drives are made for some hundred thousand.";
const RETRACTED: &str = "Heads parked in a hurry since the power went. A rise blames the power.";
const TEMPERATURE: &str = "Temperature in °C. It goes up and down.";
const HOURS: &str = "Hours under power. It rises by itself.";
const CYCLES: &str = "Times powered on. It rises by itself.";
const LEFT: &str = "Life left of the flash, in percent or its maker's unit. It falls by being written to.";
const SPARE: &str = "Spare blocks left. A fall is bad: they stand in for blocks gone bad.";
const WEAR: &str =
    "Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to.";
const WRITTEN: &str = "Written in its life, as the drive counts. It rises by use.";
const READ: &str = "Read in its life, as the drive counts. It rises by use.";
const CORRECTED: &str = "Errors that it corrected by itself. Normal in some number; only comparable with itself.";
const LINK: &str = "Times that the link fell back to a lower speed or began anew. A rise blames cable and contacts.";
const FRICTION: &str =
    "How hard it is to move the heads or to turn the platters, as its maker counts. A rise is a sign of wear.";
const NAMELESS: &str = "What it counts only its maker knows.";

/// Of other attributes, by a part of the name in lower case; the first that fits counts.
const OTHERS: [(&str, &str); 102] = [
    ("unknown", NAMELESS),
    ("bogus", NAMELESS),
    ("not_in_use", NAMELESS),
    ("vendor_", NAMELESS),
    (
        "spin_up",
        "How long it takes to spin up, in milliseconds or its maker's unit. A slow rise over years is a sign of wear.",
    ),
    ("start_stop", "Times that the motor was started. It rises by itself."),
    (
        "calibration_retry",
        "Times that it had to find its tracks again. A rise is a sign of wear.",
    ),
    (
        "recalibration",
        "Times that it had to find its tracks again. A rise is a sign of wear.",
    ),
    (
        "seek_error",
        "Its maker's own count of heads that missed their track. Only comparable with itself; a rise alone tells nothing.",
    ),
    ("seek_time", SPEED),
    ("offline_seek", SPEED),
    ("throughput", SPEED),
    ("read_channel_margin", SPEED),
    (
        "factory_bad",
        "Blocks of flash that were bad when it was made. It stays as it is.",
    ),
    (
        "initial_bad",
        "Blocks of flash that were bad when it was made. It stays as it is.",
    ),
    (
        "high_fly",
        "Writes with a head too far from the surface, which were done again. A rise is a sign of wear or shaking.",
    ),
    (
        "fly_height",
        "How high the heads fly, as its maker counts. Only comparable with itself.",
    ),
    (
        "flying_height",
        "How high the heads fly, as its maker counts. Only comparable with itself.",
    ),
    (
        "flying_hours",
        "Hours with the heads over the surface. It rises by itself.",
    ),
    (
        "loaded_hours",
        "Hours with the heads over the surface. It rises by itself.",
    ),
    (
        "head_amplitude",
        "How far the heads swing, as its maker counts. Only comparable with itself.",
    ),
    ("g-sense", SHOCK),
    ("g_sense", SHOCK),
    ("shock", SHOCK),
    (
        "free_fall",
        "Times that it felt itself fall and parked its heads. A rise blames how it was carried.",
    ),
    (
        "disk_shift",
        "How far the platters have moved on their axle. A rise is bad: it was dropped or got too hot.",
    ),
    (
        "thermal_asperity",
        "Times that a head touched something on the surface. A rise is bad.",
    ),
    (
        "thermal_throttle",
        "How often or how far it slowed down because it was too hot. A rise blames the cooling.",
    ),
    (
        "throttle",
        "How often or how far it slowed down because it was too hot. A rise blames the cooling.",
    ),
    (
        "multi_zone",
        "Its maker's own count of errors while it wrote. A rise is a sign of wear.",
    ),
    ("write_error", "Errors while it wrote. A rise is a sign of wear."),
    (
        "data_address_mark",
        "Sectors whose mark it could not find. A rise is a sign of wear.",
    ),
    ("run_out", "Errors while it corrected data. A rise is a sign of wear."),
    ("ecc_recovered", CORRECTED),
    ("ecc_error_rate", CORRECTED),
    ("ecc_correction", CORRECTED),
    ("ecc_on_the_fly", CORRECTED),
    ("error_correction", CORRECTED),
    ("corrected", CORRECTED),
    ("soft_ecc", CORRECTED),
    ("soft_read_err", CORRECTED),
    ("soft_error", CORRECTED),
    ("raid_recover", CORRECTED),
    ("retried_blk", CORRECTED),
    ("read_error_retry", CORRECTED),
    ("read_retry", CORRECTED),
    (
        "read_disturb",
        "Blocks that it moved because reading wears them, too. It rises by use.",
    ),
    (
        "power_on_uncorr",
        "Reads that it could not correct since it was switched on. More than none is bad.",
    ),
    ("error_rate", RATE),
    ("err_rt", RATE),
    (
        "por_recovery",
        "Times that it had to put itself in order after the power went. A rise blames the power.",
    ),
    (
        "unexpect",
        "Times that the power went without a warning. A rise blames the power.",
    ),
    (
        "unsafe_shutdown",
        "Times that the power went without a warning. A rise blames the power.",
    ),
    (
        "power_loss",
        "Times that the power went without a warning, or a check of what it keeps for that. Its maker says which.",
    ),
    (
        "pwr_loss",
        "Times that the power went without a warning, or a check of what it keeps for that. Its maker says which.",
    ),
    (
        "plp_",
        "Times that the power went without a warning, or a check of what it keeps for that. Its maker says which.",
    ),
    ("exception_mode", "Not 0: it has locked itself after an error inside."),
    ("retract", RETRACTED),
    (
        "load_retry",
        "Times that the heads had to try again to leave their park. A rise is a sign of wear.",
    ),
    ("load_friction", FRICTION),
    (
        "load-in_time",
        "How long the heads were over the surface. It rises by itself.",
    ),
    ("load_cycle", PARKED),
    ("load/unload", PARKED),
    ("torq", FRICTION),
    ("spin_high_current", FRICTION),
    (
        "spin_buzz",
        "Times that it shook itself free to spin up. A rise is bad.",
    ),
    ("power_on_hours", HOURS),
    ("hours", HOURS),
    ("power_on_minutes", HOURS),
    ("power_cycle", CYCLES),
    ("drive_power", CYCLES),
    ("temp", TEMPERATURE),
    ("airflow", TEMPERATURE),
    ("downshift", LINK),
    ("hot_plug", LINK),
    ("phy_error", LINK),
    ("transfer_error", LINK),
    ("reserv", SPARE),
    ("resrvd", SPARE),
    ("rsvd", SPARE),
    ("spare", SPARE),
    (
        "life_used",
        "Of the writes that it was made for, in percent. It rises by being written to.",
    ),
    (
        "lifetime_used",
        "Of the writes that it was made for, in percent. It rises by being written to.",
    ),
    ("life_left", LEFT),
    ("lifetime_rem", LEFT),
    ("remaining_life", LEFT),
    ("life_remain", LEFT),
    ("lifetime_perc", LEFT),
    ("endurance", LEFT),
    ("media_wear", WEAR),
    ("wear", WEAR),
    ("erase_count", WEAR),
    ("erase_cycle", WEAR),
    ("block-erase", WEAR),
    ("pe_cycle", WEAR),
    ("p/e", WEAR),
    ("program_page", WRITTEN),
    ("writ", WRITTEN),
    ("wts_to", WRITTEN),
    ("write_sectors", WRITTEN),
    ("reads", READ),
    ("read", READ),
];

const GROWN: &str = "Sectors that went bad since it was made. A rise is bad.";
const DEFECTS: &str = "Sectors that it could not read and waits to retry. A rise is bad.";
const REREAD: &str =
    "Reads that it had to do again before they were right. Some are normal on a large disk; many a terabyte are not.";
const REWRITTEN: &str =
    "Writes that it had to do again before they were right. Some are normal on a large disk; many a terabyte are not.";
const USED: &str = "Of the writes that it was made for, in percent. It rises by being written to.";

/// Of lines without a number: NVMe's, SAS's, those of logs, and ATA's statistics of faults, by the whole name in lower case.
const VALUES: [(&str, &str); 41] = [
    ("power_on_hours", HOURS),
    ("power_cycles", CYCLES),
    ("temperature", TEMPERATURE),
    (
        "error_log_count",
        "Commands that the drive has logged as failed. A rise is worth a look: some hosts ask for what a drive does not know.",
    ),
    (
        "bytes_written",
        "Written in its life, in bytes, as the drive counts. It rises by use.",
    ),
    ("critical_warning", "Not 0: the drive itself warns. A rise is bad."),
    ("available_spare", "Spare blocks left, in percent. A fall is bad."),
    (
        "available_spare_threshold",
        "Of its spare blocks, in percent: with fewer left it warns. It stays as it is.",
    ),
    ("percentage_used", USED),
    (
        "data_units_read",
        "Read in its life, in units of 512,000 bytes. It rises by use.",
    ),
    (
        "data_units_written",
        "Written in its life, in units of 512,000 bytes. It rises by use.",
    ),
    ("media_errors", "Data that it could not correct. A rise is bad."),
    (
        "num_err_log_entries",
        "Commands that ended with an error. A rise is worth a look: some hosts ask for what a drive does not know.",
    ),
    (
        "unsafe_shutdowns",
        "Times that the power went without a warning. A rise blames the power.",
    ),
    (
        "warning_temp_time",
        "Minutes above the temperature at which it warns. A rise blames the cooling.",
    ),
    (
        "critical_comp_time",
        "Minutes above its critical temperature, at which it slows down. A rise is bad, and blames the cooling.",
    ),
    ("grown_defects", GROWN),
    (
        "non_medium",
        "Errors beside the medium: link, cable, power. A rise blames what is around the drive.",
    ),
    ("read.rereads_rewrites", REREAD),
    ("read.uncorrected", "Reads that it could not correct. A rise is bad."),
    ("write.rereads_rewrites", REWRITTEN),
    ("write.uncorrected", "Writes that it could not correct. A rise is bad."),
    (
        "verify.uncorrected",
        "Checks of its own that it could not correct. A rise is bad.",
    ),
    ("phy_errors", "Errors on the link. A rise blames cable and backplane."),
    ("pending_defects", DEFECTS),
    ("ata_pending_defects_log", DEFECTS),
    (
        "background_scan_errors",
        "Bad places that its own scan of the surface has met. A rise is worth a look: a write may cure them.",
    ),
    ("scsi_percentage_used", USED),
    (
        "farm_power_on_hours",
        "Hours under power by the drive's own field record, which a seller does not reset with the others. It rises by itself.",
    ),
    (
        "farm.reallocated",
        "Spare sectors used up, by the drive's own field record. A rise is bad.",
    ),
    (
        "farm.candidates",
        "Sectors that may have to be replaced, by the drive's own field record. A rise is bad.",
    ),
    (
        "farm.unrecoverable",
        "Sectors that it could not read or write, by the drive's own field record. A rise is bad.",
    ),
    ("sct.lifetime_max", "The highest temperature of its life, in °C."),
    (
        "sct.over_limit",
        "Readings above the highest temperature that its maker allows. A rise blames the cooling.",
    ),
    // ATA's statistics, by the names that smartctl gives them.
    (
        "number_of_reported_uncorrectable_errors",
        "Reads that the drive could not correct. A rise is bad.",
    ),
    (
        "number_of_reallocated_logical_sectors",
        "Spare sectors used up in place of bad ones. A rise is bad.",
    ),
    ("number_of_realloc._candidate_logical_sectors", DEFECTS),
    ("number_of_reallocation_candidate_logical_sectors", DEFECTS),
    ("pending_error_count", DEFECTS),
    (
        "number_of_mechanical_start_failures",
        "Times that the motor could not start. A rise is bad.",
    ),
    (
        "number_of_interface_crc_errors",
        "Errors on the cable. A rise blames the link, not the drive.",
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[derive(serde::Deserialize)]
    struct Line {
        id: Option<u16>,
        name: String,
        means: String,
    }

    #[test]
    fn the_cases_that_the_page_runs_say_what_we_say() {
        let lines: Vec<Line> = serde_json::from_str(include_str!("../cases/smart-names.json")).unwrap();
        assert!(lines.len() > 70, "{}", lines.len());
        for Line { id, name, means } in lines {
            assert_eq!(meant(id, &name), Some(means.as_str()), "{id:?} {name}");
        }
    }

    /// Names of `drivedb.h` that no recorded document has.
    #[test]
    fn names_that_makers_of_flash_give_have_words() {
        for (id, name, words) in [
            (171, "Program_Fail_Count", FAULTS[7].1),
            (172, "Erase_Fail_Count", FAULTS[7].1),
            (
                163,
                "Initial_Bad_Block_Count",
                "Blocks of flash that were bad when it was made. It stays as it is.",
            ),
            (173, "Ave_Block-Erase_Count", WEAR),
            (167, "Average_Erase_Count", WEAR),
            (177, "Wear_Range_Delta", WEAR),
            (233, "Media_Wearout_Indicator", WEAR),
            (231, "SSD_Life_Left", LEFT),
            (169, "Remaining_Lifetime_Perc", LEFT),
            (202, "Percent_Lifetime_Remain", LEFT),
            (202, "Perc_Rated_Life_Used", USED),
            (232, "Available_Reservd_Space", SPARE),
            (232, "Perc_Avail_Resrvd_Space", SPARE),
            (180, "Unused_Reserve_NAND_Blk", SPARE),
            (
                174,
                "Unexpect_Power_Loss_Ct",
                "Times that the power went without a warning. A rise blames the power.",
            ),
            (183, "SATA_Iface_Downshift", LINK),
            (198, "Host_Reads_GiB", READ),
            (199, "Host_Writes_GiB", WRITTEN),
            (245, "TLC_Writes_32MiB", WRITTEN),
            (248, "Bckgnd_Program_Page_Cnt", WRITTEN),
            (
                240,
                "Head_Flying_Hours",
                "Hours with the heads over the surface. It rises by itself.",
            ),
            (191, "G-Sense_Error_Rate", SHOCK),
            (201, "Unknown_SSD_Attribute", NAMELESS),
        ] {
            assert_eq!(meant(Some(id), name), Some(words), "{id} {name}");
        }
        assert_eq!(meant(Some(244), "Flux_Density"), None, "nothing is made up");
        assert_eq!(
            meant(None, "Number of Mechanical Start Failures"),
            Some("Times that the motor could not start. A rise is bad.")
        );
    }
}

//! What the drive says of itself now.

use drive::smart::{Attribute, Farm, HOURS_MAX, Meanwhile, Snapshot, exit, known, wear};

use wire::meaning::Meaning;

use super::Metrics;
use crate::verdict::case;

/// Numbers under which most flash tells its remaining life, normalised: what one without a name there stands for on what is flash for
/// sure.
const WEAR: [u16; 4] = [177, 202, 231, 233];

/// Parts of names, in lower case, of the share of flash's spare blocks that is left, normalised. Source: drivedb.h, 170, 178 to 180, 232:
/// `Available_Reservd_Space`, `Reserved_Block_Count`, `Used_Rsvd_Blk_Cnt_Tot`, `Perc_Avail_Resrvd_Space` and their like.
const SPARE: [&str; 5] = [
    "available_reserv",
    "reserved_bl",
    "reserve_bl",
    "rsvd_blk",
    "avail_resrvd",
];

/// Numbers that are the worse the lower they are, and that no burn-in raises.
const FALLING: [&str; 6] = [
    "ata.spare_margin",
    "ata.wear_left",
    "ata.wear_margin",
    "ata.helium.value",
    "ata.helium.margin",
    "nvme.spare_margin",
];

pub(super) fn put(snapshot: &Snapshot, spins: Option<bool>, metrics: &mut Metrics) {
    metrics.flag("smart.failing", snapshot.is_failing());
    for (name, fault) in [("smart.known_fault", true), ("smart.known_update", false)] {
        match snapshot.warning.as_ref().filter(|text| known::is_fault(text) == fault) {
            Some(text) => metrics.say(name, 1.0, text.clone()),
            None => metrics.put(name, 0.0),
        }
    }
    if let Some(is_set) = snapshot.password {
        metrics.flag("smart.password", is_set);
    }
    let (now, past) = snapshot.at_threshold();
    metrics.put("smart.threshold_now", now as f64);
    metrics.put("smart.threshold_past", past as f64);
    metrics.put("smart.was_hot", snapshot.hot().1 as f64);
    let newest = snapshot.newest_self_test_failed() == Some(true);
    metrics.flag("smart.self_test_failed", newest);
    metrics.flag("smart.self_test_failed_before", !newest && snapshot.has_failed_a_test());
    let wear: Vec<&Attribute> = snapshot.attributes.iter().filter(|a| tells_wear(a, spins)).collect();
    if let Some(used) = wear.iter().filter_map(|a| wear_used(a)).max() {
        metrics.put("ata.wear_left", 100_u64.saturating_sub(used) as f64);
    }
    if let Some(margin) = wear.iter().filter_map(|a| margin(a)).min() {
        metrics.put("ata.wear_margin", f64::from(margin));
    }
    if let Some(margin) = spare(snapshot, spins).filter_map(margin).min() {
        metrics.put("ata.spare_margin", f64::from(margin));
    }
    let helium = |a: &&Attribute| case::meaning(a.id, &a.name, spins) == Some(Meaning::Helium);
    let helium: Vec<&Attribute> = snapshot.attributes.iter().filter(helium).collect();
    if let Some(value) = helium.iter().filter_map(|a| a.value).min() {
        metrics.put("ata.helium.value", f64::from(value));
    }
    if let Some(margin) = helium.iter().filter_map(|a| margin(a)).min() {
        metrics.put("ata.helium.margin", f64::from(margin));
    }
    farm(snapshot, spins, metrics);
    hours_beside(snapshot, spins, metrics);
    let exception = snapshot.scsi.as_ref().and_then(|scsi| scsi.exception.as_ref());
    if let Some(exception) = exception {
        let figures = format!(
            "{} [asc={:x}, ascq={:x}]",
            exception.text, exception.asc, exception.ascq
        );
        metrics.say(
            "scsi.hot_after",
            f64::from(u8::from(exception.is_temperature())),
            figures.clone(),
        );
        if exception.blames_no_drive() {
            metrics.say("scsi.warned", 1.0, figures);
        } else if !exception.is_temperature() {
            metrics.say("smart.failing", 1.0, figures);
        }
    } else if snapshot.scsi.is_some() {
        metrics.put("scsi.hot_after", 0.0);
        metrics.put("scsi.warned", 0.0);
    }
    if let Some(scan) = snapshot.scsi.as_ref().and_then(|scsi| scsi.scan.as_ref()) {
        for (name, is) in [
            ("scsi.scan_halted", scan.is_halted_by_errors()),
            ("scsi.scan_stopped", scan.is_halted_otherwise()),
        ] {
            metrics.say(name, f64::from(u8::from(is)), scan.text.clone());
        }
        metrics.put("scsi.not_reassigned", scan.not_reassigned as f64);
    }
    if let Some(nvme) = &snapshot.nvme {
        metrics.put("nvme.critical", f64::from(nvme.critical()));
        metrics.flag("nvme.hot_after", nvme.is_hot());
        // A controller that keeps no such record tells 0 for both.
        // All of it is not little, however high the threshold stands: 99 on Apple's drives, 100 on some of Kingston's.
        let told = |(spare, threshold): &(_, _)| (*spare != 0 || *threshold != 0) && *spare < 100;
        if let Some((spare, threshold)) = nvme.available_spare.zip(nvme.available_spare_threshold).filter(told) {
            metrics.put("nvme.spare_margin", f64::from(spare) - f64::from(threshold));
        }
    }
    if let Some((used, _)) = snapshot.percentage_used() {
        metrics.put("flash.percentage_used", used as f64);
    }
}

/// What the drive said before the job and takes back after it was true nonetheless: its failing, a critical warning, its
/// wear, a self-test that failed, and a value that stood at its threshold, which after the job is one that did in the
/// past.
pub(super) fn before(first: &Snapshot, last: &Snapshot, spins: Option<bool>, metrics: &mut Metrics) {
    // By the exit status alone: it told of none before, so it failed since.
    let by_status = first
        .exit_status
        .is_some_and(|status| status & (exit::NOT_ASKED | exit::IN_PART) == 0)
        && !first.has_failed_a_test()
        && last.has_failed_a_test()
        && last.newest_self_test_failed().is_none();
    if by_status {
        metrics.put("smart.self_test_failed", 1.0);
        metrics.put("smart.self_test_failed_before", 0.0);
    }
    if first.has_failed_a_test() && metrics.get("smart.self_test_failed") != Some(1.0) {
        metrics.put("smart.self_test_failed_before", 1.0);
    }
    let mut own = Metrics::default();
    put(first, spins, &mut own);
    let fell = spare(last, spins).filter_map(|after| {
        let before = spare(first, spins).find(|before| before.id == after.id)?;
        Some(i16::from(after.value?) - i16::from(before.value?))
    });
    if let Some(change) = fell.min() {
        metrics.put("ata.spare.delta", f64::from(change));
    }
    for name in FALLING {
        if let Some(value) = own.get(name) {
            metrics.put(name, metrics.get(name).map_or(value, |after| after.min(value)));
        }
    }
    let mut worse = |name: &str, value: f64| {
        if value > metrics.get(name).unwrap_or(0.0) {
            metrics.put(name, value);
        }
    };
    let exception = |told: &Snapshot| told.scsi.as_ref().and_then(|scsi| scsi.exception.clone());
    let is_cured = exception(first).is_some_and(|told| told.is_of_sectors()) && exception(last).is_none();
    let warned = own
        .get("scsi.warned")
        .unwrap_or_default()
        .max(f64::from(u8::from(is_cured)));
    worse("scsi.warned", warned);
    worse("smart.failing", f64::from(u8::from(first.is_failing() && !is_cured)));
    if let Some(nvme) = &first.nvme {
        worse("nvme.critical", f64::from(nvme.critical()));
    }
    if let Some((used, _)) = first.percentage_used() {
        worse("flash.percentage_used", used as f64);
    }
    for name in ["scsi.scan_halted", "scsi.not_reassigned"] {
        if let Some(value) = own.get(name) {
            worse(name, value);
        }
    }
    let (now, past) = first.at_threshold();
    worse("smart.threshold_past", (now + past) as f64);
    // Heat of the job's own time is not past.
    let (hot, was_hot) = first.hot();
    let hot_since = last.hot().1.saturating_sub(hot + was_hot) as f64;
    let past = metrics.get("smart.threshold_past").unwrap_or(0.0);
    metrics.put("smart.threshold_past", past + hot_since);
    metrics.put("smart.was_hot", was_hot as f64);
    // Spare blocks that were recorded before are not unrecorded after: both figures at 0 are then what is left.
    if gone_spare(first, last) {
        metrics.put("nvme.spare_margin", -1.0);
    }
}

/// What it said in readings between the two, and took back before the second.
pub(super) fn meanwhile(told: Meanwhile, metrics: &mut Metrics) {
    for (name, value) in [
        ("smart.failing", f64::from(u8::from(told.failing))),
        ("nvme.critical", f64::from(told.critical)),
    ] {
        if value > metrics.get(name).unwrap_or(0.0) {
            metrics.say(name, value, "in a reading during the job".to_owned());
        }
    }
}

/// Whether spare blocks were told of before, and none is left after.
fn gone_spare(first: &Snapshot, last: &Snapshot) -> bool {
    let spare = |told: &Snapshot| told.nvme.as_ref().and_then(|nvme| nvme.available_spare);
    spare(first).is_some_and(|spare| spare > 0) && spare(last) == Some(0)
}

/// Attributes that tell the spare blocks of flash, of which the maker says how few are too few.
fn spare(snapshot: &Snapshot, spins: Option<bool>) -> impl Iterator<Item = &Attribute> {
    let attributes = snapshot.attributes.iter().filter(move |_| spins != Some(true));
    attributes.filter(|a| {
        let name = a.name.to_ascii_lowercase();
        margin(a).is_some() && SPARE.iter().any(|words| name.contains(words))
    })
}

/// How far above its threshold an attribute is; `None` where it has none.
fn margin(attribute: &Attribute) -> Option<i16> {
    let threshold = attribute.threshold.filter(|threshold| *threshold > 0)?;
    Some(i16::from(attribute.value?) - i16::from(threshold))
}

/// Whether an attribute tells the life of flash: by the name that smartctl's database gives, or without one by its number, on what is
/// flash for sure and where the value does not stand at 0, as that of something else may.
fn tells_wear(attribute: &Attribute, spins: Option<bool>) -> bool {
    let unnamed = WEAR.contains(&attribute.id) && attribute.name.to_ascii_lowercase().starts_with("unknown");
    let unnamed = unnamed && attribute.value.is_some_and(|value| value > 0) && spins == Some(false);
    spins != Some(true) && (wear::tells(attribute.id, &attribute.name) || unnamed)
}

/// Percent of its life that flash says is used.
fn wear_used(attribute: &Attribute) -> Option<u64> {
    let Attribute {
        id,
        value,
        threshold,
        count,
        ..
    } = *attribute;
    match wear::tells(id, &attribute.name) {
        true => wear::used(id, &attribute.name, value, threshold, count),
        false => Some(u64::from(100 - value?.min(100))),
    }
}

/// Percent of its life that flash says is used by the attributes whose names tell it; of several the worse counts.
pub(super) fn used_by_name(snapshot: &Snapshot, spins: Option<bool>) -> Option<u64> {
    let named = snapshot.attributes.iter().filter(|a| wear::tells(a.id, &a.name));
    named.filter(|_| spins != Some(true)).filter_map(wear_used).max()
}

/// Whether an attribute may tell the life of flash.
pub(super) fn may_tell_wear(id: u16, name: &str) -> bool {
    WEAR.contains(&id) || wear::tells(id, name)
}

/// What counts a disk's hours beside its power-on hours: names of attributes and of device statistics, and words for them. Source:
/// drivedb.h, default entry for disks; ACS-4 §9.5.6.
const BESIDE: [(&str, &str); 4] = [
    ("Head_Flying_Hours", "the heads flew"),
    ("Loaded_Hours", "the heads were loaded for"),
    ("Head Flying Hours", "the heads flew"),
    ("Spindle Motor Power-on Hours", "the motor turned for"),
];

/// Where hours of 16 bits end, as those of the self-test logs of ATA and SCSI, which tell it where they do not know them.
const HOURS_16: u64 = 0xffff;

/// Whether hours of a log, newest first, were written one after the other: once at most they begin again, by their 16 bits or because the
/// drive's were set back. A Plextor M5M tells any.
fn is_in_order(hours: &[u64]) -> bool {
    hours.windows(2).filter(|pair| pair[0] < pair[1]).count() <= 1
}

/// Hours by other counts of the drive's own beyond those that it was on.
fn hours_beside(snapshot: &Snapshot, spins: Option<bool>, metrics: &mut Metrics) {
    let attributes = snapshot.attributes.iter().map(|a| (a.name.as_str(), a.count));
    let statistics = snapshot.statistics.iter().filter(|told| !told.normalized);
    let statistics = statistics.filter_map(|told| Some((told.name.as_str(), u64::try_from(told.value).ok()?)));
    let of_disk = attributes.chain(statistics).filter_map(|(name, hours)| {
        let (_, words) = BESIDE.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((*words, hours))
    });
    // A log that rolls over tells fewer hours, never more than there were.
    let tests = snapshot.self_tests.iter().filter_map(|test| test.hours);
    let tests: Vec<u64> = tests
        .filter(|hours| *hours < HOURS_16 || snapshot.nvme.is_some())
        .collect();
    let tests = Some(tests).filter(|hours| is_in_order(hours)).unwrap_or_default();
    let most = of_disk
        .filter(|_| spins != Some(false))
        .chain(tests.into_iter().map(|hours| ("a self-test ended after", hours)))
        .filter(|(_, hours)| *hours <= HOURS_MAX)
        .max_by_key(|(_, hours)| *hours);
    if let Some(((words, hours), on)) = most.zip(snapshot.power_on_hours) {
        let figures = format!("{words} {hours} h, the drive was on {on} h");
        metrics.say("smart.hours_beside", hours.saturating_sub(on) as f64, figures);
    }
}

/// Bytes from which on those of Seagate's models that keep a field log all do. Source: rule `farm-absent`.
const KEEPS_FARM: u64 = 2_000_000_000_000;

/// Their letters behind the capacity: those of servers, of network storage and of surveillance. Source: rule `farm-absent`.
const FARM_MODELS: [&str; 6] = ["NM", "NE", "NT", "VN", "VX", "VE"];

/// Whether a model of Seagate's is known to keep a field log: `ST16000NM000J-2TW103`, `SEAGATE ST4000NM0043`; `OOS12000G` is an Exos that
/// was sold again.
fn keeps_farm(model: &str) -> bool {
    let name = model.rsplit(' ').next().unwrap_or_default();
    let letters = name
        .strip_prefix("ST")
        .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    name.starts_with("OOS") || letters.is_some_and(|of| FARM_MODELS.iter().any(|kept| of.starts_with(kept)))
}

/// Hours that Seagate's field log tells and SMART does not, and whether it is missing where it should be.
fn farm(snapshot: &Snapshot, spins: Option<bool>, metrics: &mut Metrics) {
    // Flash has none, and no other maker's disk.
    let expected = snapshot.seagate && spins != Some(false) && snapshot.rpm != Some(0);
    match snapshot.farm {
        Farm::Told { hours, .. } => {
            if let Some(smart) = snapshot.power_on_hours {
                let hidden = hours.saturating_sub(smart);
                let figures = format!("{hours} h by the field log, {smart} h by SMART");
                metrics.say("farm.hidden_hours", hidden as f64, figures);
            }
        }
        Farm::Absent => {
            let small = snapshot.capacity.is_some_and(|bytes| bytes < KEEPS_FARM);
            let keeps = !small && snapshot.model.as_deref().is_some_and(keeps_farm);
            metrics.flag("farm.absent", expected && keeps);
            metrics.flag("farm.absent_small", expected && !keeps);
        }
        // Nobody could ask: an older smartctl, or the call failed.
        Farm::NotAsked => metrics.flag("farm.unknown", expected),
    }
}

//! What the drive says of itself now.

use drive::smart::{AtThreshold, Attribute, Farm, NvmeHealth, Snapshot};

use wire::meaning::Meaning;

use super::Metrics;

/// Attributes that may tell the flash's remaining life, normalised: 100 is new.
pub(super) const WEAR: [u16; 4] = [177, 202, 231, 233];

/// Numbers that are the worse the lower they are, and that no burn-in raises.
const FALLING: [&str; 5] = [
    "ata.wear_left",
    "ata.wear_margin",
    "ata.helium.value",
    "ata.helium.margin",
    "nvme.spare_margin",
];

/// The critical warning of NVMe that stands for heat alone.
const HEAT: u8 = 1 << 1;

/// Bits of smartctl's exit status that tell a fault, also where the document has no words for it: bridges that give no verdict,
/// and smartctl before 7.3, whose JSON lacks the self-test log of SCSI. Source: `smartctl(8)`.
mod exit {
    pub(super) const FAILING: u8 = 1 << 3;
    pub(super) const THRESHOLD_NOW: u8 = 1 << 4;
    pub(super) const THRESHOLD_PAST: u8 = 1 << 5;
    pub(super) const SELF_TEST: u8 = 1 << 7;
}

pub(super) fn put(snapshot: &Snapshot, spins: Option<bool>, metrics: &mut Metrics) {
    metrics.flag("smart.failing", failing(snapshot));
    let (now, past) = at_threshold(snapshot);
    metrics.put("smart.threshold_now", now as f64);
    metrics.put("smart.threshold_past", past as f64);
    let judged: Vec<bool> = snapshot.self_tests.iter().filter_map(|test| test.passed).collect();
    let newest = judged.first() == Some(&false);
    metrics.flag("smart.self_test_failed", newest);
    metrics.flag("smart.self_test_failed_before", !newest && has_failed_a_test(snapshot));
    let wear: Vec<&Attribute> = WEAR.into_iter().filter_map(|id| snapshot.attribute(id)).collect();
    let wear: Vec<&Attribute> = wear.into_iter().filter(|a| tells_wear(a, spins)).collect();
    if let Some(left) = wear.iter().filter_map(|a| a.value).min() {
        metrics.put("ata.wear_left", f64::from(left));
    }
    if let Some(margin) = wear.iter().filter_map(|a| margin(a)).min() {
        metrics.put("ata.wear_margin", f64::from(margin));
    }
    let helium = |a: &&Attribute| Meaning::of(a.id, &a.name) == Some(Meaning::Helium);
    if let Some(helium) = snapshot.attributes.iter().find(helium)
        && let Some(value) = helium.value
    {
        metrics.put("ata.helium.value", f64::from(value));
        if let Some(margin) = margin(helium) {
            metrics.put("ata.helium.margin", f64::from(margin));
        }
    }
    farm(snapshot, metrics);
    let exception = snapshot.scsi.as_ref().and_then(|scsi| scsi.exception.as_ref());
    if let Some(exception) = exception {
        let figures = format!(
            "{} [asc={:x}, ascq={:x}]",
            exception.text, exception.asc, exception.ascq
        );
        metrics.say(
            "scsi.hot_after",
            f64::from(u8::from(exception.is_heat())),
            figures.clone(),
        );
        if !exception.is_heat() {
            metrics.say("smart.failing", 1.0, figures);
        }
    } else if snapshot.scsi.is_some() {
        metrics.put("scsi.hot_after", 0.0);
    }
    if let Some(nvme) = &snapshot.nvme {
        metrics.put("nvme.critical", f64::from(critical(nvme)));
        metrics.put("nvme.hot_after", f64::from(nvme.critical_warning.unwrap_or(0) >> 1 & 1));
        // A controller that keeps no such record tells 0 for both.
        let told = |(spare, threshold): &(_, _)| *spare != 0 || *threshold != 0;
        if let Some((spare, threshold)) = nvme.available_spare.zip(nvme.available_spare_threshold).filter(told) {
            metrics.put("nvme.spare_margin", f64::from(spare) - f64::from(threshold));
        }
    }
    if let Some(used) = percentage_used(snapshot) {
        metrics.put("flash.percentage_used", used as f64);
    }
}

/// Whether a self-test in the log failed; by the exit status alone it is not told which.
fn has_failed_a_test(snapshot: &Snapshot) -> bool {
    snapshot.exited_with(exit::SELF_TEST) || snapshot.self_tests.iter().any(|test| test.passed == Some(false))
}

fn percentage_used(snapshot: &Snapshot) -> Option<u64> {
    let scsi = snapshot.scsi.as_ref().and_then(|scsi| scsi.percentage_used);
    let nvme = snapshot.nvme.as_ref().and_then(|nvme| nvme.percentage_used);
    let ata = snapshot
        .statistics
        .iter()
        .find(|s| s.name == "Percentage Used Endurance Indicator");
    let ata = ata.and_then(|statistic| u64::try_from(statistic.value).ok());
    // One byte on the wire: more is no percentage.
    nvme.or(scsi).or(ata).filter(|used| *used <= 255)
}

/// What the drive said before the job and takes back after it was true nonetheless: its failing, a critical warning, its
/// wear, hours by the field log, a self-test that failed, and a value that stood at its threshold, which after the job is one that did in the past.
pub(super) fn before(first: &Snapshot, spins: Option<bool>, metrics: &mut Metrics) {
    if has_failed_a_test(first) && metrics.get("smart.self_test_failed") != Some(1.0) {
        metrics.put("smart.self_test_failed_before", 1.0);
    }
    let mut own = Metrics::default();
    put(first, spins, &mut own);
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
    worse("smart.failing", f64::from(u8::from(failing(first))));
    if let Some(nvme) = &first.nvme {
        worse("nvme.critical", f64::from(critical(nvme)));
    }
    if let Some(used) = percentage_used(first) {
        worse("flash.percentage_used", used as f64);
    }
    if let Farm::Told { hours } = first.farm {
        worse("farm.hours", hours as f64);
    }
    let (now, past) = at_threshold(first);
    worse("smart.threshold_past", (now + past) as f64);
}

/// Critical warnings but for heat: spare, reliability, read-only, volatile backup, persistent memory. That they are not told is
/// told by [`super::silence`].
fn critical(nvme: &NvmeHealth) -> u32 {
    (nvme.critical_warning.unwrap_or(0) & 0b11_1101).count_ones()
}

/// Whether the drive says that it fails, by its word or by smartctl's exit status. Of NVMe both stand for the health log's own
/// bits, of which heat is no failure.
fn failing(snapshot: &Snapshot) -> bool {
    let says = snapshot.passed == Some(false) || snapshot.exited_with(exit::FAILING);
    let exception = snapshot.scsi.as_ref().and_then(|scsi| scsi.exception.as_ref());
    if let Some(exception) = exception {
        return !exception.is_heat();
    }
    match &snapshot.nvme {
        None => says,
        Some(nvme) => match nvme.critical_warning {
            Some(0) => snapshot.passed == Some(false),
            Some(HEAT) => false,
            Some(_) | None => says,
        },
    }
}

/// How many attributes stand at their threshold, and how many did; a temperature there tells of heat, not of a fault. Where no
/// row tells of what smartctl's exit status tells, that is one.
fn at_threshold(snapshot: &Snapshot) -> (usize, usize) {
    let count = |now: bool| {
        let is = |a: &&Attribute| match a.at_threshold() {
            AtThreshold::Now => now != matches!(a.id, 190 | 194),
            AtThreshold::Past => !now,
            AtThreshold::Never => false,
        };
        snapshot.attributes.iter().filter(is).count()
    };
    let any = |state| snapshot.attributes.iter().any(|a| a.at_threshold() == state);
    let untold = |bit: u8, told: bool| usize::from(snapshot.exited_with(bit) && !told);
    let now = untold(exit::THRESHOLD_NOW, any(AtThreshold::Now));
    let past = untold(exit::THRESHOLD_PAST, any(AtThreshold::Now) || any(AtThreshold::Past));
    (count(true) + now, count(false) + past)
}

/// How far above its threshold an attribute is; `None` where it has none.
fn margin(attribute: &Attribute) -> Option<i16> {
    let threshold = attribute.threshold.filter(|threshold| *threshold > 0)?;
    Some(i16::from(attribute.value?) - i16::from(threshold))
}

/// Whether an attribute tells remaining life. Makers use the same numbers for other things, with normalised values that
/// stand at 0: 177 wear range, 202 address mark errors of disks, 231 temperature, 233 gigabytes written. So the name that
/// smartctl's database gives must say it, or be unknown on what is flash for sure.
fn tells_wear(attribute: &Attribute, spins: Option<bool>) -> bool {
    let name = attribute.name.to_ascii_lowercase();
    let says = [
        "wear_leveling",
        "wearout",
        "life_left",
        "life_remain",
        "lifetime_remain",
        "lifetime_left",
        "percent_life",
        "remaining_life",
        "remaining_lifetime",
        "life_curve",
    ];
    let unknown = name.starts_with("unknown") && attribute.value.is_some_and(|value| value > 0);
    spins != Some(true) && (says.iter().any(|word| name.contains(word)) || unknown && spins == Some(false))
}

/// Hours by Seagate's field log, which on resold drives was not reset with the SMART attributes.
fn farm(snapshot: &Snapshot, metrics: &mut Metrics) {
    match snapshot.farm {
        Farm::Told { hours } => {
            metrics.put("farm.hours", hours as f64);
            if let Some(smart) = snapshot.power_on_hours {
                let hidden = hours.saturating_sub(smart);
                let figures = format!("{hours} h by the field log, {smart} h by SMART");
                metrics.say("farm.hidden_hours", hidden as f64, figures);
            }
        }
        Farm::Absent => metrics.put("farm.absent", 1.0),
        // Nobody could ask: an older smartctl, or the call failed. Flash has none.
        Farm::NotAsked => metrics.flag("farm.unknown", snapshot.seagate && snapshot.rpm != Some(0)),
    }
}

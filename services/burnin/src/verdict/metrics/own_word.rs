//! What the drive says of itself now.

use drive::smart::{Attribute, Farm, NvmeHealth, Snapshot};

use super::Metrics;

/// Attributes that may tell the flash's remaining life, normalised: 100 is new.
pub(super) const WEAR: [u16; 4] = [177, 202, 231, 233];

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
    metrics.flag("smart.self_test_failed", judged.first() == Some(&false));
    let earlier = match judged.first() {
        Some(newest) => *newest && judged.contains(&false),
        // Whether that was the newest one is not told.
        None => snapshot.exit_status & exit::SELF_TEST != 0,
    };
    metrics.flag("smart.self_test_failed_before", earlier);
    let wear: Vec<&Attribute> = WEAR.into_iter().filter_map(|id| snapshot.attribute(id)).collect();
    let wear: Vec<&Attribute> = wear.into_iter().filter(|a| tells_wear(a, spins)).collect();
    if let Some(left) = wear.iter().filter_map(|a| a.value).min() {
        metrics.put("ata.wear_left", f64::from(left));
    }
    if let Some(margin) = wear.iter().filter_map(|a| margin(a)).min() {
        metrics.put("ata.wear_margin", f64::from(margin));
    }
    if let Some(helium) = snapshot.attribute(22)
        && let Some(value) = helium.value
    {
        metrics.put("ata.22.value", f64::from(value));
        if let Some(margin) = margin(helium) {
            metrics.put("ata.22.margin", f64::from(margin));
        }
    }
    farm(snapshot, metrics);
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

fn percentage_used(snapshot: &Snapshot) -> Option<u64> {
    let scsi = snapshot.scsi.as_ref().and_then(|scsi| scsi.percentage_used);
    let nvme = snapshot.nvme.as_ref().and_then(|nvme| nvme.percentage_used);
    nvme.or(scsi)
}

/// What the drive said before the job and takes back after it was true nonetheless: its failing, a critical warning, its
/// wear, hours by the field log, and a value that stood at its threshold, which after the job is one that did in the past.
pub(super) fn before(first: &Snapshot, metrics: &mut Metrics) {
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

/// Whether the drive says that it fails. Of NVMe the health log's own bits tell that from heat.
fn failing(snapshot: &Snapshot) -> bool {
    let by_exit = snapshot.nvme.is_none() && snapshot.exit_status & exit::FAILING != 0;
    snapshot.passed.map_or(by_exit, |passed| !passed)
}

/// How many attributes stand at their threshold, and how many did; a temperature there tells of heat, not of a fault. Where no
/// row tells of what smartctl's exit status tells, that is one.
fn at_threshold(snapshot: &Snapshot) -> (usize, usize) {
    let count = |now: bool| {
        let is = |a: &&Attribute| match a.when_failed.as_str() {
            "now" => now != matches!(a.id, 190 | 194),
            "past" => !now,
            _ => false,
        };
        snapshot.attributes.iter().filter(is).count()
    };
    let any = |word: &str| snapshot.attributes.iter().any(|a| a.when_failed == word);
    let untold = |bit: u8, told: bool| usize::from(snapshot.exit_status & bit != 0 && !told);
    let now = untold(exit::THRESHOLD_NOW, any("now"));
    let past = untold(exit::THRESHOLD_PAST, any("now") || any("past"));
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
        Farm::NotAsked => {}
    }
}

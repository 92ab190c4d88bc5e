//! Alerts: from a reading and what was known before to what has changed. Each change is told once.
//!
//! A condition is on, off, or **not told**: a drive that was asleep and gave no attributes has not been cured, so what
//! is not told leaves an alert as it was. A counter that rises is told again; one that stays is not. What an alert is about one by one
//! is kept as [`crate::fault`] says.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use smart::exit;
use utoipa::ToSchema;
use wire::Time;
use wire::drive::Ill;
use wire::event::Severity;

use crate::fault::{self, Bad, Faults, named};
use crate::known::{Spec, known};
use crate::pool::{self, Pool};
use crate::reading::{Attribute, Medium, Reading};
use crate::wear;

/// Degrees that a drive must cool below its limit before the alert ends.
pub const HYSTERESIS: i64 = 5;

/// Limit where the drive names none: disks. Source: Backblaze and makers' data sheets, 60 °C at most in service.
pub const DISK_LIMIT: i64 = 55;

/// Limit where the drive names none: flash. Source: makers' data sheets, 70 °C in service.
pub const FLASH_LIMIT: i64 = 70;

/// Limit where nobody knows what it is.
pub const UNKNOWN_LIMIT: i64 = 60;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = HostAlertKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The drive says itself that it fails.
    SmartFailed,
    /// A normalised value is at or below the drive's own threshold.
    AttributeFailing,
    /// Sectors were replaced.
    Reallocated,
    /// Sectors cannot be read.
    Pending,
    /// Data was lost in a read or write.
    Uncorrectable,
    /// NVMe: data that could not be recovered.
    MediaErrors,
    /// Too hot.
    Temperature,
    /// NVMe: spare blocks below the drive's threshold.
    SpareLow,
    /// NVMe: bits of the critical warning.
    CriticalWarning,
    /// Rated life nearly or wholly used.
    Wear,
    /// The newest self-test failed.
    SelfTestFailed,
    /// A host that no longer reports.
    HostSilent,
    /// Drives of a host that there is no room for.
    NoRoom,
    /// A ZFS pool that has lost devices, or is lost.
    PoolHealth,
    /// Errors that a ZFS pool counted.
    PoolErrors,
    /// Errors that a scrub found.
    PoolScan,
    /// A ZFS pool with too little room.
    PoolFull,
}

impl Kind {
    /// The word in JSON.
    pub fn word(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// An alert that holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// Since when.
    pub since: Time,
    /// The count, percentage or temperature when last told of.
    pub value: f64,
    /// How much it matters.
    pub severity: Severity,
    /// In words, without the drive's name.
    pub message: String,
    /// What it is about one by one; `None` where it is about one thing, or an earlier version kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
    /// When it got worse last, or something of it came back that had been well, but for heat; `None` where neither was since it began, or an
    /// earlier version kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worse: Option<Time>,
}

/// All alerts of a drive that hold.
pub type Alerts = BTreeMap<Kind, Active>;

/// What a person should know of a drive before it is given hours of work: its alerts that hold, the gravest first, and how grave that is.
/// How hot it is passes, in whatever words it is told.
pub fn ill(alerts: &Alerts) -> Option<Ill> {
    let mut holding: Vec<(&Active, String)> = alerts
        .iter()
        .filter_map(|(kind, active)| Some((active, against(*kind, active)?)))
        .collect();
    holding.sort_by_key(|(active, _)| std::cmp::Reverse(active.severity));
    let severity = holding.first()?.0.severity;
    let since = holding.iter().map(|(active, _)| active.worse.unwrap_or(active.since));
    Some(Ill {
        severity,
        since: since.max(),
        says: holding
            .into_iter()
            .map(|(_, words)| words)
            .collect::<Vec<_>>()
            .join("; "),
    })
}

/// What an alert says against a drive; `None` where it is of heat alone, or of no drive.
fn against(kind: Kind, active: &Active) -> Option<String> {
    let lead = match kind {
        Kind::AttributeFailing => AT_THRESHOLD,
        Kind::CriticalWarning => WARNS,
        Kind::SmartFailed
        | Kind::Reallocated
        | Kind::Pending
        | Kind::Uncorrectable
        | Kind::MediaErrors
        | Kind::SpareLow
        | Kind::Wear
        | Kind::SelfTestFailed => return Some(active.message.clone()),
        Kind::Temperature
        | Kind::HostSilent
        | Kind::NoRoom
        | Kind::PoolHealth
        | Kind::PoolErrors
        | Kind::PoolScan
        | Kind::PoolFull => return None,
    };
    // An earlier version kept its words alone.
    let Some(faults) = &active.faults else {
        return Some(active.message.clone());
    };
    let names: Vec<&str> = fault::standing(faults)
        .map(|(name, _)| name)
        .filter(|name| !is_of_heat(name))
        .collect();
    (!names.is_empty()).then(|| format!("{lead}: {}", names.join(", ")))
}

/// Whether a fault, by its name, is heat: NVMe's warning of it, or a temperature at its threshold.
fn is_of_heat(fault: &str) -> bool {
    let key = fault.rsplit_once(" (").and_then(|(_, key)| key.strip_suffix(')'));
    fault == TOO_HOT || key.and_then(|key| key.parse().ok()).is_some_and(smart::is_heat)
}

/// A change to tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What it is about.
    pub kind: Kind,
    /// Whether it is over.
    pub resolved: bool,
    /// How much it matters; of one that is over: info.
    pub severity: Severity,
    /// In words, without the drive's name.
    pub message: String,
    /// Value now.
    pub value: f64,
    /// Value when last told of; `None` for a new one.
    pub was: Option<f64>,
    /// Since when it held.
    pub since: Time,
    /// Of what it is about one by one, or of its count, that which is new or worse, with how often or how bad; empty where it is over,
    /// or its severity alone has risen.
    pub news: Bad,
}

/// What a reading says of one condition. Conditions that it says nothing of are not there; a table of attributes says of each that it has no
/// row of that it does not hold.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    kind: Kind,
    /// `None`: it does not hold.
    on: Option<(Severity, String)>,
    value: f64,
    /// Whether a greater value is news, where no faults are known.
    rises: bool,
    /// All that is bad, with what stands and is not told of now, and how long one must be well before its return is news.
    faults: Option<(Bad, SignedDuration)>,
}

/// Faults of an alert that stand, and the highest count of each.
fn standing(before: &Alerts, kind: Kind) -> impl Iterator<Item = (&str, f64)> {
    let faults = before.get(&kind).and_then(|active| active.faults.as_ref());
    faults.into_iter().flat_map(fault::standing)
}

/// The highest temperature that counts as well for a drive.
pub fn limit(reading: &Reading) -> i64 {
    reading.temperature_limit.unwrap_or_else(|| usual_limit(reading.medium))
}

/// The highest temperature that counts as well for a drive that names none of its own.
pub fn usual_limit(medium: Medium) -> i64 {
    match medium {
        Medium::Disk => DISK_LIMIT,
        Medium::Flash => FLASH_LIMIT,
        Medium::Unknown => UNKNOWN_LIMIT,
    }
}

/// What is said of a pool that is online without some of its devices.
const ONLINE_WITHOUT: &str = "ONLINE, but not all of its devices are";

/// What the words of [`Kind::AttributeFailing`] begin with.
const AT_THRESHOLD: &str = "at or below the drive's own threshold";

/// What the words of [`Kind::CriticalWarning`] begin with.
const WARNS: &str = "the controller warns";

/// NVMe's warning of its temperature.
const TOO_HOT: &str = "too hot or too cold";

/// A value that smartctl's exit status alone tells of.
const UNNAMED: &str = "one that only smartctl's exit status tells of";

/// An attribute's name beside its number: several of a drive may be an `Unknown_Attribute`.
fn called(row: &Attribute) -> String {
    format!("{} ({})", row.name, row.key)
}

/// Whether an attribute says if it is at its threshold.
fn is_judged(row: &Attribute) -> bool {
    !row.when_failed.is_empty() || row.value.is_some() && row.threshold.is_some()
}

/// Names of the attributes at or below their thresholds, and whether one of them announces the end.
pub fn failing(reading: &Reading) -> (Vec<String>, bool) {
    let those = reading.attributes.iter().filter(|a| {
        let below = a
            .value
            .zip(a.threshold)
            .is_some_and(|(value, threshold)| threshold > 0 && value <= threshold);
        a.when_failed == "now" || below
    });
    let (mut names, mut prefail): (Vec<String>, Vec<bool>) = those.map(|a| (called(a), a.prefail)).unzip();
    if names.is_empty() && reading.exited_with(exit::THRESHOLD_NOW) {
        names.push(UNNAMED.to_owned());
        prefail.push(true);
    }
    (names, prefail.contains(&true))
}

/// NVMe's critical warning in words, one a bit. Source: NVM Express base specification 2.0, figure 208.
fn warning_words(bits: u64) -> Vec<String> {
    let words = [
        "spare blocks are low",
        TOO_HOT,
        "reliability is degraded",
        "the medium is read-only",
        "its backup power failed",
        "persistent memory is read-only",
    ];
    let set = (0..64_usize).filter(|bit| bits >> bit & 1 == 1);
    set.map(|bit| {
        words
            .get(bit)
            .map_or_else(|| format!("unknown bit {bit}"), |word| (*word).to_owned())
    })
    .collect()
}

fn conditions(before: &Alerts, reading: &Reading, spec: Option<&Spec>) -> Vec<Told> {
    let mut all = Vec::new();
    let mut told = |kind, value: f64, rises, on: Option<(Severity, String)>, faults| {
        all.push(Told {
            kind,
            on,
            value,
            rises,
            faults,
        });
    };
    let (warning, critical) = (Severity::Warning, Severity::Critical);
    let of = |key: &str| reading.count(key);
    if let Some(passed) = reading.passed {
        let words = "the drive says itself that it is failing (SMART status FAILED)".to_owned();
        told(
            Kind::SmartFailed,
            f64::from(u8::from(!passed)),
            false,
            (!passed).then_some((critical, words)),
            None,
        );
    }
    let (names, prefail) = failing(reading);
    // What a table of attributes has no row of does not hold, though an earlier version took another row for it.
    let has_attributes = reading.attributes.iter().any(|a| a.value.is_some());
    if !names.is_empty() || has_attributes {
        let mute = |name: &str| {
            reading
                .attributes
                .iter()
                .any(|row| !is_judged(row) && called(row) == name)
        };
        let mut rows = fault::with_untold(named(names), standing(before, Kind::AttributeFailing), |name| {
            !has_attributes || mute(name)
        });
        // The exit status alone may well tell of another one that stands.
        if rows.len() > 1 {
            rows.remove(UNNAMED);
        }
        let names: Vec<&str> = rows.keys().map(String::as_str).collect();
        let words = format!("{AT_THRESHOLD}: {}", names.join(", "));
        let severity = if prefail { critical } else { warning };
        told(
            Kind::AttributeFailing,
            names.len() as f64,
            true,
            (!names.is_empty()).then_some((severity, words)),
            Some((rows, fault::REST)),
        );
    }
    for kind in [Kind::Reallocated, Kind::Pending, Kind::Uncorrectable, Kind::MediaErrors] {
        let rows = || known().critical.iter().filter(|row| row.alert == Some(kind));
        let counts = rows().filter(|row| row.protocol == reading.protocol);
        let counts: Bad = counts
            .filter_map(|row| Some((row.key.clone(), of(&row.key)? as f64)))
            .collect();
        if counts.is_empty() && !has_attributes {
            continue;
        }
        let counts = fault::with_untold(counts, standing(before, kind), |_| !has_attributes);
        let counts: Vec<_> = rows().filter_map(|row| Some((row, *counts.get(&row.key)?))).collect();
        let sum: f64 = counts.iter().map(|(_, count)| count).sum();
        let is_critical = counts.iter().any(|(row, count)| *count >= row.critical_at as f64);
        let words: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0.0)
            .map(|(row, count)| format!("{count} {}", row.name.to_lowercase()))
            .collect();
        let severity = if is_critical { critical } else { warning };
        let bad = counts.iter().map(|(row, count)| (row.key.clone(), *count));
        told(
            kind,
            sum,
            true,
            (sum > 0.0).then(|| (severity, words.join(", "))),
            // A count of none says by itself that it was cured.
            Some((bad.collect(), SignedDuration::ZERO)),
        );
    }
    if let Some(now) = reading.temperature {
        let limit = limit(reading);
        let hot = before.contains_key(&Kind::Temperature);
        let on = now > limit || hot && now > limit - HYSTERESIS;
        let severity = if now > limit + 10 { critical } else { warning };
        told(
            Kind::Temperature,
            now as f64,
            false,
            on.then(|| (severity, format!("{now} °C; its limit is {limit} °C"))),
            None,
        );
    }
    if let (Some(spare), Some(threshold)) = (of("available_spare"), of("available_spare_threshold")) {
        let on = spare < threshold;
        let words = format!("{spare} % spare blocks are left; its threshold is {threshold} %");
        told(
            Kind::SpareLow,
            spare as f64,
            false,
            on.then_some((critical, words)),
            None,
        );
    }
    if let Some(bits) = of("critical_warning") {
        let words = warning_words(bits);
        let all = words.join(", ");
        told(
            Kind::CriticalWarning,
            bits as f64,
            false,
            (bits != 0).then(|| (critical, format!("{WARNS}: {all}"))),
            Some((named(words), fault::REST)),
        );
    }
    let used = wear::view(reading, spec).percent_used;
    // A row of wear that tells none, as those zeros do that smartctl names so by default.
    let is_silent = |a: &Attribute| a.key.parse().is_ok_and(|id| smart::wear::tells(id, &a.name));
    let silent = reading.attributes.iter().any(is_silent).then_some(0.0);
    if let Some(used) = used.or(silent) {
        let severity = if used >= 100.0 { critical } else { warning };
        let words = format!("{used:.0} % of its rated life is used");
        told(
            Kind::Wear,
            used,
            false,
            (used >= wear::HIGH as f64).then_some((severity, words)),
            None,
        );
    }
    if let Some(failed) = reading.self_test_failed {
        let words = "its newest self-test failed".to_owned();
        told(
            Kind::SelfTestFailed,
            f64::from(u8::from(failed)),
            false,
            failed.then_some((critical, words)),
            None,
        );
    }
    all
}

/// What holds after a reading, and what has changed by it.
pub fn judge(before: &Alerts, reading: &Reading, spec: Option<&Spec>, now: Time) -> (Alerts, Vec<Change>) {
    let mut after = before.clone();
    let mut changes = Vec::new();
    for told in conditions(before, reading, spec) {
        changes.extend(step(&mut after, told, now));
    }
    (after, changes)
}

/// What holds and has changed when a host is silent, or is heard again.
pub fn silence(before: &Alerts, silent: Option<String>, now: Time) -> (Alerts, Vec<Change>) {
    let on = silent.map(|words| (Severity::Critical, words));
    of_host(before, Kind::HostSilent, on, 1.0, now)
}

/// What holds and has changed when there is no room for drives of a host, or there is again; told once more for a `fresh` one of them that
/// fails.
pub fn no_room(before: &Alerts, left_out: Option<(Severity, String)>, fresh: bool, now: Time) -> (Alerts, Vec<Change>) {
    // How often it was told.
    let times = before.get(&Kind::NoRoom).map_or(0.0, |active| active.value);
    let times = if fresh { times + 1.0 } else { times.max(1.0) };
    let (after, mut changes) = of_host(before, Kind::NoRoom, left_out, times, now);
    for change in changes.iter_mut().filter(|change| !change.resolved) {
        // Each time is about another drive.
        change.news = named(vec![format!("time {times}")]);
    }
    (after, changes)
}

fn of_host(
    before: &Alerts,
    kind: Kind,
    on: Option<(Severity, String)>,
    value: f64,
    now: Time,
) -> (Alerts, Vec<Change>) {
    let mut after = before.clone();
    let told = Told {
        kind,
        value: if on.is_some() { value } else { 0.0 },
        on,
        rises: true,
        faults: None,
    };
    let changes = step(&mut after, told, now).into_iter().collect();
    (after, changes)
}

/// What holds and has changed of a ZFS pool.
pub fn judge_pool(before: &Alerts, pool: &Pool, now: Time) -> (Alerts, Vec<Change>) {
    let (mut after, mut all) = (before.clone(), Vec::new());
    let mut told = |kind, value: u64, rises, on: Option<(Severity, String)>, faults| {
        all.push(Told {
            kind,
            on,
            value: value as f64,
            rises,
            faults,
        });
    };
    let (warning, critical) = (Severity::Warning, Severity::Critical);
    if let Some(health) = &pool.health {
        // Degraded it still has all data, and not for long where another device fails.
        let severity = match health.as_str() {
            "DEGRADED" | "ONLINE" => warning,
            _ => critical,
        };
        let lost = pool.devices.iter().filter(|device| device.lost() > 0);
        let words: Vec<String> = lost.take(8).map(ToString::to_string).collect();
        let words = match words.as_slice() {
            [] => String::new(),
            words => format!(" ({})", words.join(", ")),
        };
        // By its name alone: it is the same device in each state. One that went from the pool has no trouble in it.
        let devices = pool.named();
        let bad = devices.iter().map(|(name, d)| (name.clone(), f64::from(d.lost())));
        let bad: Bad = bad.filter(|(_, lost)| *lost > 0.0).collect();
        let mute = |name: &str| devices.get(name).is_some_and(|device| device.state.is_empty());
        // One that is online says of all that hold its data that they are well, also where it names none; not of those without
        // which it was online before.
        let kept = before.get(&Kind::PoolHealth);
        let known = kept.and_then(|active| active.faults.as_ref());
        // An earlier version kept its words alone, without a mark on any of them.
        let is_unmarked = known.is_some_and(|known| known.values().all(|fault| !fault.spare))
            && kept.is_some_and(|active| active.message.contains(ONLINE_WITHOUT));
        let is_spare = |name: &str| {
            let known = known.and_then(|known| known.get(name));
            known.is_some_and(|fault| fault.spare || is_unmarked)
        };
        let untold = |name: &str| devices.is_empty() && (health != "ONLINE" || is_spare(name)) || mute(name);
        let bad = fault::with_untold(bad, standing(before, Kind::PoolHealth), untold);
        let count = bad.len() as u64;
        // Online it has all its data, and may be without spares, caches and logs.
        let state = match health.as_str() {
            "ONLINE" => ONLINE_WITHOUT,
            state => state,
        };
        let on = (health != "ONLINE" || count > 0).then(|| (severity, format!("it is {state}{words}")));
        told(Kind::PoolHealth, count, true, on, Some((bad, fault::DEVICE_REST)));
    }
    if let Some(errors) = pool.errors {
        let words = || (warning, format!("{errors} read, write and checksum errors"));
        told(Kind::PoolErrors, errors, true, (errors > 0).then(words), None);
    }
    if let Some(errors) = pool.scan_errors {
        let words = || (critical, format!("its newest scrub or resilver found {errors} errors"));
        told(Kind::PoolScan, errors, true, (errors > 0).then(words), None);
    }
    if let Some(used) = pool.used {
        let on = match pool::fullness(used) {
            0 => None,
            1 => Some(warning),
            _ => Some(critical),
        };
        told(
            Kind::PoolFull,
            used,
            false,
            on.map(|severity| (severity, format!("{used} % of it is in use"))),
            None,
        );
    }
    let changes = all.into_iter().filter_map(|told| step(&mut after, told, now)).collect();
    // Each that stands while the pool is online holds none of its data.
    let faults = after
        .get_mut(&Kind::PoolHealth)
        .and_then(|active| active.faults.as_mut());
    if let Some(faults) = faults.filter(|_| pool.health.as_deref() == Some("ONLINE")) {
        faults
            .values_mut()
            .filter(|fault| fault.well.is_none())
            .for_each(|fault| fault.spare = true);
    }
    (after, changes)
}

fn step(alerts: &mut Alerts, told: Told, now: Time) -> Option<Change> {
    let Told {
        kind,
        on,
        value,
        rises,
        faults,
    } = told;
    let before = alerts.get(&kind).cloned();
    let was = before.as_ref().map(|active| active.value);
    let Some((severity, message)) = on else {
        let over = alerts.remove(&kind)?;
        let message = format!("over: {}", over.message);
        return Some(Change {
            kind,
            resolved: true,
            severity: Severity::Info,
            message,
            value,
            was,
            since: over.since,
            news: Bad::new(),
        });
    };
    let since = before.as_ref().map_or(now, |active| active.since);
    let known = before.as_ref().and_then(|active| active.faults.clone());
    // Where none are known (an earlier version, or an alert about one thing) the value alone tells what is news.
    let are_known = known.is_some();
    let resting = known.iter().flatten().filter(|(_, fault)| fault.well.is_some());
    let rested = resting.map(|(name, _)| name.clone()).filter(|name| !is_of_heat(name));
    let rested: Vec<String> = rested.collect();
    let judged = faults.map(|(bad, rest)| fault::step(known.unwrap_or_default(), bad, rest, now));
    let (faults, joined) = judged.unzip();
    let known_joined = joined.as_ref().filter(|_| are_known).map(|joined| !joined.is_empty());
    let is_news = before
        .as_ref()
        .is_none_or(|b| severity > b.severity || known_joined.unwrap_or(rises && value > b.value));
    // A counter that fell keeps its highest value only where a rise is news; then its return is no news.
    let kept = match &before {
        Some(b) if rises && !is_news => b.value.max(value),
        _ => value,
    };
    let is_heat = |news: &Bad| !news.is_empty() && news.keys().all(|name| is_of_heat(name));
    // What rested and is back is no news, and a test that ended in between has not seen it.
    let stands = |name: &String| {
        let fault = faults.as_ref().and_then(|faults| faults.get(name));
        fault.is_some_and(|fault| fault.well.is_none())
    };
    let is_back = rested.iter().any(stands);
    let worse = match &before {
        Some(_) if is_back || (is_news && !joined.as_ref().is_some_and(is_heat)) => Some(now),
        Some(b) => b.worse,
        None => None,
    };
    // The worst that it was stays until it is over, so that a value at a border is not told again and again.
    let worst = before.as_ref().map_or(severity, |b| b.severity.max(severity));
    alerts.insert(
        kind,
        Active {
            since,
            value: kept,
            severity: worst,
            message: message.clone(),
            faults,
            worse,
        },
    );
    let counted = || rises.then(|| (kind.word(), value));
    is_news.then(|| Change {
        kind,
        resolved: false,
        severity,
        message,
        value,
        was,
        since,
        news: joined.unwrap_or_else(|| counted().into_iter().collect()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::reading::Protocol;

    fn ata(pairs: &[(&str, u64)]) -> Reading {
        let attributes = pairs.iter().map(|(key, count)| Attribute {
            key: (*key).to_owned(),
            name: format!("attribute {key}"),
            value: Some(100),
            count: *count,
            raw: *count,
            ..Attribute::default()
        });
        Reading {
            protocol: Protocol::Ata,
            medium: Medium::Disk,
            attributes: attributes.collect(),
            ..Reading::default()
        }
    }

    fn kinds(changes: &[Change]) -> Vec<(Kind, bool)> {
        changes.iter().map(|c| (c.kind, c.resolved)).collect()
    }

    /// Which of these readings, each so many hours behind the one before, tell of a fault.
    fn told(kind: Kind, readings: Vec<(i64, Reading)>) -> Vec<bool> {
        let (mut alerts, mut at) = (Alerts::new(), Time::UNIX_EPOCH);
        let told = readings.iter().map(|(hours, reading)| {
            at += SignedDuration::from_hours(*hours);
            let (after, changes) = judge(&alerts, reading, None, at);
            alerts = after;
            changes.iter().any(|change| change.kind == kind && !change.resolved)
        });
        told.collect()
    }

    fn warns(bits: u64) -> Reading {
        Reading {
            protocol: Protocol::Nvme,
            ..ata(&[("critical_warning", bits)])
        }
    }

    /// Rows with these keys at their thresholds, of rows that bear one name.
    fn at_threshold(keys: &[&str]) -> Reading {
        let mut reading = ata(&[("170", 0), ("180", 0), ("190", 0)]);
        for row in &mut reading.attributes {
            let value = if keys.contains(&row.key.as_str()) { 10 } else { 100 };
            (row.value, row.threshold) = (Some(value), Some(36));
            "Unknown_Attribute".clone_into(&mut row.name);
        }
        reading
    }

    /// Heat keeps its alert alive meanwhile: a test that ended in between has not weighed it.
    #[test]
    fn what_comes_back_beside_heat_speaks_against_a_drive_since_then() {
        for (both, heat) in [
            (warns(0x03), warns(0x02)),
            (at_threshold(&["170", "190"]), at_threshold(&["190"])),
        ] {
            let at = |hours| Time::UNIX_EPOCH + SignedDuration::from_hours(hours);
            let (alerts, _) = judge(&Alerts::new(), &both, None, at(0));
            assert_eq!(ill(&alerts).unwrap().since, Some(at(0)));
            let (alerts, _) = judge(&alerts, &heat, None, at(1));
            assert_eq!(ill(&alerts), None);
            let (alerts, changes) = judge(&alerts, &both, None, at(20));
            assert_eq!(changes, [], "it was told");
            assert_eq!(ill(&alerts).unwrap().since, Some(at(20)));
            // What stays is no newer, and neither is it by heat that comes and goes.
            let (alerts, _) = judge(&alerts, &both, None, at(21));
            assert_eq!(ill(&alerts).unwrap().since, Some(at(20)));
        }
    }

    /// Heat passes; what a computer or a pool suffers from is no drive's.
    #[test]
    fn what_speaks_against_a_drive_is_told_gravest_first() {
        let active = |severity, message: &str| Active {
            since: Time::UNIX_EPOCH,
            value: 1.0,
            severity,
            message: message.to_owned(),
            faults: None,
            worse: None,
        };
        assert_eq!(ill(&Alerts::new()), None);
        let hot = Alerts::from([(Kind::Temperature, active(Severity::Critical, "70 °C"))]);
        assert_eq!(ill(&hot), None);
        let both = Alerts::from([
            (Kind::Reallocated, active(Severity::Warning, "3 reallocated")),
            (Kind::Pending, active(Severity::Critical, "200 pending")),
            (Kind::Temperature, active(Severity::Critical, "70 °C")),
            (Kind::PoolFull, active(Severity::Critical, "full")),
        ]);
        assert_eq!(
            ill(&both),
            Some(Ill {
                severity: Severity::Critical,
                says: "200 pending; 3 reallocated".to_owned(),
                since: Some(Time::UNIX_EPOCH),
            })
        );
    }

    /// A warm afternoon called drives broken: heat is told by NVMe's warnings and among values at their thresholds, too.
    #[test]
    fn heat_speaks_against_no_drive_in_whatever_words_it_is_told() {
        let said =
            |reading: &Reading| ill(&judge(&Alerts::new(), reading, None, Time::UNIX_EPOCH).0).map(|ill| ill.says);
        assert_eq!(said(&warns(0x02)), None);
        assert_eq!(
            said(&warns(0x03)).as_deref(),
            Some("the controller warns: spare blocks are low")
        );
        assert_eq!(said(&at_threshold(&["190"])), None);
        assert_eq!(
            said(&at_threshold(&["170", "190"])).as_deref(),
            Some("at or below the drive's own threshold: Unknown_Attribute (170)")
        );
        // Heat that is over speaks for nobody, and what an earlier version kept has its words alone.
        let (hot, _) = judge(&Alerts::new(), &warns(0x03), None, Time::UNIX_EPOCH);
        let (mut cooled, _) = judge(&hot, &warns(0x01), None, Time::UNIX_EPOCH);
        let spare = "the controller warns: spare blocks are low";
        assert_eq!(ill(&cooled).unwrap().says, spare);
        cooled.get_mut(&Kind::CriticalWarning).unwrap().faults = None;
        assert_eq!(ill(&cooled).unwrap().says, spare);
    }

    /// A verdict of a year ago hid what a drive began to tell since: 200 pending sectors beside the three that it had seen, too.
    #[test]
    fn what_speaks_against_a_drive_is_as_new_as_the_newest_of_it() {
        let (mut alerts, mut since) = (Alerts::new(), Vec::new());
        let readings = [
            ata(&[("197", 0)]),
            ata(&[("197", 3)]),
            ata(&[("197", 3)]),
            ata(&[("197", 300)]),
            ata(&[("197", 2)]),
            ata(&[("197", 2), ("5", 1)]),
            ata(&[("197", 2), ("5", 0)]),
        ];
        for (second, reading) in (0..).zip(&readings) {
            alerts = judge(&alerts, reading, None, Time::from_second(second).unwrap()).0;
            since.push(ill(&alerts).and_then(|ill| ill.since).map(Time::as_second));
        }
        assert_eq!(since, [None, Some(1), Some(1), Some(3), Some(3), Some(5), Some(3)]);
        // An earlier version kept none but when it began.
        for active in alerts.values_mut() {
            active.worse = None;
        }
        assert_eq!(ill(&alerts).unwrap().since.map(Time::as_second), Some(1));
        // Heat that joins passes.
        let since = |second, alerts: &Alerts, bits| {
            let (after, _) = judge(alerts, &warns(bits), None, Time::from_second(second).unwrap());
            (ill(&after).and_then(|ill| ill.since).map(Time::as_second), after)
        };
        let (spare, alerts) = since(1, &Alerts::new(), 0x01);
        assert_eq!((spare, since(2, &alerts, 0x03).0), (Some(1), Some(1)));
        let (hot, alerts) = since(1, &Alerts::new(), 0x02);
        assert_eq!((hot, since(2, &alerts, 0x03).0), (None, Some(2)));
    }

    /// Each of what comes is told, whatever went meanwhile.
    #[test]
    fn a_second_fault_is_told_though_the_first_has_gone() {
        // One sum of three rows.
        let counts = [
            &[("198", 40), ("187", 1)],
            &[("198", 0), ("187", 20)],
            &[("198", 0), ("187", 20)],
        ];
        let readings = counts.map(|pairs| (1, ata(pairs))).to_vec();
        assert_eq!(told(Kind::Uncorrectable, readings), [true, true, false]);
        let rows = [&["180"][..], &["170"], &["170"]];
        let readings = rows.map(|keys| (1, at_threshold(keys))).to_vec();
        assert_eq!(told(Kind::AttributeFailing, readings), [true, true, false]);
        let bits = [(0, 0x01), (1, 0x09), (1, 0x08), (24, 0x09)];
        let readings = bits.map(|(hours, bits)| (hours, warns(bits))).to_vec();
        assert_eq!(told(Kind::CriticalWarning, readings), [true, true, false, true]);
        let bits = [0x40, 0x48, 0xC8].map(|bits| (1, warns(bits))).to_vec();
        assert_eq!(told(Kind::CriticalWarning, bits), [true, true, true], "unknown bits");
    }

    /// A bit of heat beside one that stands, a value at its threshold beside another one.
    #[test]
    fn what_comes_and_goes_is_told_once() {
        let bits = [0x01, 0x03, 0x01, 0x03, 0x01, 0x03]
            .map(|bits| (1, warns(bits)))
            .to_vec();
        assert_eq!(
            told(Kind::CriticalWarning, bits),
            [true, true, false, false, false, false]
        );
        let rows = [&["170", "190"][..], &["170"], &["170", "190"], &["170"]];
        let readings = rows.map(|keys| (1, at_threshold(keys))).to_vec();
        assert_eq!(told(Kind::AttributeFailing, readings), [true, false, false, false]);
    }

    /// A page of errors that is not read each time.
    #[test]
    fn what_a_reading_leaves_out_is_neither_over_nor_new() {
        let sas = |pairs: &[(&str, u64)]| {
            let mut reading = ata(pairs);
            reading.protocol = Protocol::Scsi;
            for row in &mut reading.attributes {
                row.value = None;
            }
            reading
        };
        let whole = sas(&[("read_uncorrected", 3), ("write_uncorrected", 1)]);
        let part = sas(&[("write_uncorrected", 1)]);
        let readings = [&whole, &part, &whole, &part, &whole].map(|reading| (1, reading.clone()));
        assert_eq!(
            told(Kind::Uncorrectable, readings.to_vec()),
            [true, false, false, false, false]
        );
        let (alerts, _) = judge(&Alerts::new(), &whole, None, Time::UNIX_EPOCH);
        let (alerts, changes) = judge(&alerts, &sas(&[("write_uncorrected", 0)]), None, Time::UNIX_EPOCH);
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(alerts[&Kind::Uncorrectable].message, "3 uncorrected read errors");
        let well = sas(&[("read_uncorrected", 0), ("write_uncorrected", 0)]);
        let (_, changes) = judge(&alerts, &well, None, Time::UNIX_EPOCH);
        assert_eq!(kinds(&changes), [(Kind::Uncorrectable, true)]);
    }

    /// Where the table was not read, the exit status tells of no other row.
    #[test]
    fn the_exit_status_alone_names_nothing_new() {
        let mut row = at_threshold(&["170"]);
        for row in &mut row.attributes {
            row.prefail = true;
        }
        let alone = Reading {
            exit_status: Some(exit::THRESHOLD_NOW),
            protocol: Protocol::Ata,
            ..Reading::default()
        };
        let readings = [&row, &alone, &row, &alone].map(|reading| (48, reading.clone()));
        assert_eq!(
            told(Kind::AttributeFailing, readings.to_vec()),
            [true, false, false, false]
        );
    }

    #[test]
    fn each_device_that_a_pool_loses_is_told() {
        let (mut alerts, mut told, mut news) = (Alerts::new(), Vec::new(), Vec::new());
        for bad in [
            &["sda FAULTED"][..],
            // Its owner mends it, and is not alarmed at each step.
            &["sda OFFLINE"],
            &["sda REMOVED"],
            // Nothing is told of devices.
            &[],
            &["sda UNAVAIL", "sdb DEGRADED"],
            &["sda ONLINE", "sdb DEGRADED"],
            &["sdb FAULTED"],
            &["sdb UNAVAIL", "sdc OFFLINE"],
            &["sdb UNAVAIL", "sdc OFFLINE"],
            // The same number, another one.
            &["sdc OFFLINE", "sdd OFFLINE"],
        ] {
            let devices = bad.iter().filter_map(|words| words.split_once(' '));
            let pool = Pool {
                health: Some("DEGRADED".to_owned()),
                devices: devices
                    .map(|(name, state)| pool::Device {
                        name: name.to_owned(),
                        state: state.to_owned(),
                    })
                    .collect(),
                ..Pool::default()
            };
            let (after, changes) = judge_pool(&alerts, &pool, Time::UNIX_EPOCH);
            alerts = after;
            told.push(changes.len());
            let new = |change: &Change| {
                change
                    .news
                    .iter()
                    .map(|(name, lost)| format!("{name} {lost}"))
                    .collect::<Vec<_>>()
            };
            news.extend(changes.iter().flat_map(new));
        }
        assert_eq!(told, [1, 0, 0, 0, 1, 0, 1, 1, 0, 1]);
        assert_eq!(news, ["sda 2", "sdb 1", "sdb 2", "sdc 2", "sdd 2"]);
        assert_eq!(
            alerts[&Kind::PoolHealth].message,
            "it is DEGRADED (sdc OFFLINE, sdd OFFLINE)"
        );
    }

    /// What each of these pools, as reports tell them a day apart, changes; and what stands at the end.
    fn told_of_pools(pools: &[serde_json::Value]) -> (Vec<Vec<(bool, Severity)>>, Alerts) {
        let (mut alerts, mut at) = (Alerts::new(), Time::UNIX_EPOCH);
        let told = pools.iter().map(|value| {
            at += SignedDuration::from_hours(24);
            let zfs = serde_json::json!({ "pools": [value] });
            let (after, changes) = judge_pool(&alerts, &pool::pools(&zfs)[0], at);
            alerts = after;
            changes.iter().map(|c| (c.resolved, c.severity)).collect()
        });
        (told.collect(), alerts)
    }

    #[test]
    fn a_pool_that_is_online_again_is_well_also_where_the_report_names_no_device() {
        let degraded = serde_json::json!({ "name": "tank", "health": "DEGRADED", "devices": [{ "name": "sdb", "state": "FAULTED" }] });
        let bare = |health: &str| serde_json::json!({ "name": "tank", "health": health });
        let (told, alerts) = told_of_pools(&[degraded, bare("DEGRADED"), bare("ONLINE")]);
        let over = vec![(true, Severity::Info)];
        assert_eq!(told, [vec![(false, Severity::Warning)], vec![], over]);
        assert!(!alerts.contains_key(&Kind::PoolHealth), "{alerts:?}");
    }

    #[test]
    fn only_a_scan_that_is_through_takes_back_what_the_one_before_found() {
        let scan = |state: &str, errors: u64| serde_json::json!({ "name": "tank", "scan": { "state": state, "errors_found": errors } });
        let scans = [
            ("finished", 5),
            ("scanning", 0),
            ("canceled", 0),
            ("scanning", 2),
            ("finished", 5),
            ("scanning", 9),
            ("finished", 0),
            ("scanning", 0),
        ];
        let (told, _) = told_of_pools(&scans.map(|(state, errors)| scan(state, errors)));
        let (found, over) = (vec![(false, Severity::Critical)], vec![(true, Severity::Info)]);
        assert_eq!(
            told,
            [found.clone(), vec![], vec![], vec![], vec![], found, over, vec![]]
        );
        // Who tells no state tells of its end.
        let bare = [1, 0].map(|errors| serde_json::json!({ "name": "tank", "scan": { "errors_found": errors } }));
        assert_eq!(told_of_pools(&bare).0[1], [(true, Severity::Info)]);
    }

    /// ZFS calls a pool online that has all its data, whatever became of its spares, caches and logs.
    #[test]
    fn a_spare_or_a_cache_that_an_online_pool_loses_is_told() {
        let pool = |spare: &str, cache: &str| {
            serde_json::json!({ "name": "tank", "health": "ONLINE", "devices": [{ "name": "sda", "state": "ONLINE" },
                { "name": "sdb", "state": spare }, { "name": "nvme0n1", "state": cache }] })
        };
        let pools = [
            pool("AVAIL", "ONLINE"),
            pool("UNAVAIL", "ONLINE"),
            pool("UNAVAIL", "ONLINE"),
            pool("UNAVAIL", "FAULTED"),
        ];
        let (told, alerts) = told_of_pools(&pools);
        let warned = [(false, Severity::Warning)];
        assert_eq!(told, [&[][..], &warned, &[], &warned]);
        let words = &alerts[&Kind::PoolHealth].message;
        assert!(
            words.contains("ONLINE") && words.contains("sdb UNAVAIL, nvme0n1 FAULTED"),
            "{words}"
        );
        let mended = [pool("UNAVAIL", "ONLINE"), pool("AVAIL", "ONLINE")];
        assert_eq!(told_of_pools(&mended).0[1], [(true, Severity::Info)]);
    }

    /// A bay's name stays, whichever drive is in it; one that is out twice within hours is the same one on a loose cable.
    #[test]
    fn a_device_that_is_lost_some_hours_after_its_return_is_told_beside_another_one() {
        let pool = |third: &str| {
            let devices = [("slot3", third), ("slot4", "FAULTED")];
            let devices = devices.map(|(name, state)| serde_json::json!({ "name": name, "state": state }));
            serde_json::json!({ "pools": [{ "name": "tank", "health": "DEGRADED", "devices": devices }] })
        };
        let (mut alerts, mut at, mut told) = (Alerts::new(), Time::UNIX_EPOCH, Vec::new());
        for (hours, third) in [
            (0, "FAULTED"),
            (1, "ONLINE"),
            (1, "UNAVAIL"),
            (1, "ONLINE"),
            (10, "FAULTED"),
        ] {
            at += SignedDuration::from_hours(hours);
            let (after, changes) = judge_pool(&alerts, &pool::pools(&pool(third))[0], at);
            alerts = after;
            told.push(changes.len());
        }
        assert_eq!(told, [1, 0, 0, 0, 1]);
    }

    /// `zpool status` may have timed out beside a `zpool list` that did not.
    #[test]
    fn a_spare_that_an_online_pool_lost_is_told_once_though_a_report_names_no_device() {
        let pool = |state: &str| serde_json::json!({ "name": "tank", "health": "ONLINE", "devices": [{ "name": "sdb", "state": state }] });
        let bare = serde_json::json!({ "name": "tank", "health": "ONLINE" });
        let (lost, well) = (pool("UNAVAIL"), pool("AVAIL"));
        let pools = [&lost, &bare, &bare, &lost, &bare, &well, &bare].map(Clone::clone);
        let (told, _) = told_of_pools(&pools);
        let (warned, over) = ([(false, Severity::Warning)], [(true, Severity::Info)]);
        assert_eq!(told, [&warned[..], &[], &[], &[], &[], &over, &[]]);
    }

    /// The owner read that all was well, and an alarm after it.
    #[test]
    fn a_spare_that_was_lost_while_the_pool_was_online_is_lost_behind_a_resilver_too() {
        let pool = |health: &str, disk: &str| {
            let devices = [("sda", disk), ("sp", "UNAVAIL")]
                .map(|(name, state)| serde_json::json!({ "name": name, "state": state }));
            serde_json::json!({ "name": "tank", "health": health, "devices": devices })
        };
        let bare = serde_json::json!({ "name": "tank", "health": "ONLINE" });
        let well = pool("ONLINE", "ONLINE");
        let (told, alerts) = told_of_pools(&[well.clone(), pool("DEGRADED", "FAULTED"), bare, well]);
        let warned = [(false, Severity::Warning)];
        assert_eq!(told, [&warned[..], &warned, &[], &[]]);
        let faults = alerts[&Kind::PoolHealth].faults.as_ref().unwrap();
        assert_eq!(fault::standing(faults).collect::<Vec<_>>(), [("sp", 2.0)]);
    }

    #[test]
    fn a_spare_that_an_earlier_version_knew_as_lost_is_not_over_by_a_report_that_names_no_device() {
        let pool = serde_json::json!({ "name": "tank", "health": "ONLINE", "devices": [{ "name": "sdb", "state": "UNAVAIL" }] });
        let bare = serde_json::json!({ "name": "tank", "health": "ONLINE" });
        let read = |raw: &serde_json::Value| pool::pools(&serde_json::json!({ "pools": [raw] })).remove(0);
        let (alerts, _) = judge_pool(&Alerts::new(), &read(&pool), Time::UNIX_EPOCH);
        let mut stored = serde_json::to_value(&alerts).unwrap();
        let unmarked = stored["pool_health"]["faults"]["sdb"]
            .as_object_mut()
            .unwrap()
            .remove("spare");
        assert!(unmarked.is_some());
        let mut alerts: Alerts = serde_json::from_value(stored).unwrap();
        for report in [&bare, &bare, &pool] {
            let (after, changes) = judge_pool(&alerts, &read(report), Time::UNIX_EPOCH);
            assert!(changes.is_empty(), "{changes:?}");
            alerts = after;
        }
    }

    /// An update of the box tells nothing anew.
    #[test]
    fn an_alert_of_an_earlier_version_is_told_again_only_for_what_is_worse() {
        let (alerts, _) = judge(&Alerts::new(), &ata(&[("197", 3)]), None, Time::UNIX_EPOCH);
        let mut stored = serde_json::to_value(&alerts).unwrap();
        // One version kept them under other names.
        stored["pending"]["parts"] = serde_json::json!({ "attribute 197": 3.0 });
        assert!(stored["pending"].as_object_mut().unwrap().remove("faults").is_some());
        let alerts: Alerts = serde_json::from_value(stored).unwrap();
        let (alerts, changes) = judge(&alerts, &ata(&[("197", 3)]), None, Time::UNIX_EPOCH);
        assert!(changes.is_empty(), "{changes:?}");
        let (_, changes) = judge(&alerts, &ata(&[("197", 4)]), None, Time::UNIX_EPOCH);
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn a_counter_is_told_when_it_rises_and_once_more_when_it_is_cured() {
        let at = Time::UNIX_EPOCH;
        let (mut alerts, mut told) = (Alerts::new(), Vec::new());
        for count in [0, 3, 3, 2, 3, 4, 4, 0, 0, 1] {
            let (after, changes) = judge(&alerts, &ata(&[("197", count)]), None, at);
            alerts = after;
            told.push((count, kinds(&changes)));
        }
        let on = vec![(Kind::Pending, false)];
        let want = [
            (0, vec![]),
            (3, on.clone()),
            (3, vec![]),
            (2, vec![]),
            (3, vec![]),
            (4, on.clone()),
            (4, vec![]),
            (0, vec![(Kind::Pending, true)]),
            (0, vec![]),
            (1, on),
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn what_the_host_read_is_no_uncorrectable_sector() {
        let mut reading = ata(&[("198", 12_345)]);
        let alerts = |reading: &Reading| kinds(&judge(&Alerts::new(), reading, None, Time::UNIX_EPOCH).1);
        assert_eq!(alerts(&reading), [(Kind::Uncorrectable, false)]);
        let parts = |reading: &Reading| crate::score::score(reading, None).parts.len();
        assert_eq!(parts(&reading), 1);
        reading.attributes[0].name = "Host_Reads_GiB".to_owned();
        assert_eq!(alerts(&reading), []);
        assert_eq!(parts(&reading), 0);
    }

    /// A table of attributes that lacks one is no silence: another row was taken for it, by an earlier version or for another reason.
    #[test]
    fn what_a_whole_table_does_not_tell_is_over() {
        let mut reading = ata(&[("177", 0), ("197", 3)]);
        (reading.medium, reading.attributes[0].value) = (Medium::Flash, Some(0));
        reading.attributes[0].name = "Wear_Leveling_Count".to_owned();
        reading.attributes[1].name = "Total_Pending_Sectors".to_owned();
        let kept = |kind, value| {
            let active = Active {
                since: Time::UNIX_EPOCH,
                value,
                severity: Severity::Critical,
                message: "100 % of its rated life is used".to_owned(),
                faults: None,
                worse: None,
            };
            (kind, active)
        };
        let before = Alerts::from([kept(Kind::Wear, 100.0), kept(Kind::Pending, 3.0)]);
        // Without a row of wear nothing is said of it: what told it may be the log of statistics, missing once.
        let (after, _) = judge(&before, &ata(&[("5", 0)]), None, Time::UNIX_EPOCH);
        assert!(after.contains_key(&Kind::Wear) && !after.contains_key(&Kind::Pending));
        let (after, changes) = judge(&before, &reading, None, Time::UNIX_EPOCH);
        let told = kinds(&changes);
        assert!(
            told.contains(&(Kind::Wear, true)) && told.contains(&(Kind::Pending, true)),
            "{told:?}"
        );
        assert!(!after.contains_key(&Kind::Wear) && !after.contains_key(&Kind::Pending));
    }

    #[test]
    fn what_is_not_told_is_not_cured() {
        let (alerts, _) = judge(&Alerts::new(), &ata(&[("5", 8)]), None, Time::UNIX_EPOCH);
        let asleep = Reading {
            protocol: Protocol::Ata,
            passed: Some(true),
            ..Reading::default()
        };
        let (after, changes) = judge(&alerts, &asleep, None, Time::UNIX_EPOCH);
        assert_eq!((after, changes), (alerts, vec![]));
    }

    #[test]
    fn temperature_has_hysteresis_and_a_severity() {
        let at = Time::UNIX_EPOCH;
        let mut alerts = Alerts::new();
        let mut told = Vec::new();
        for celsius in [55, 56, 55, 51, 56, 66, 66, 57, 50, 55] {
            let reading = Reading {
                temperature: Some(celsius),
                medium: Medium::Disk,
                ..Reading::default()
            };
            let (after, changes) = judge(&alerts, &reading, None, at);
            alerts = after;
            told.extend(changes.into_iter().map(|c| (celsius, c.severity, c.resolved)));
        }
        let want = [
            (56, Severity::Warning, false),
            (66, Severity::Critical, false),
            (50, Severity::Info, true),
        ];
        assert_eq!(told, want);
        let own = Reading {
            temperature: Some(60),
            temperature_limit: Some(65),
            medium: Medium::Disk,
            ..Reading::default()
        };
        assert!(
            judge(&Alerts::new(), &own, None, at).1.is_empty(),
            "its own limit counts"
        );
    }

    #[test]
    fn a_failing_drive_is_critical_at_first_sight() {
        let reading = Reading {
            passed: Some(false),
            ..Reading::default()
        };
        let (_, changes) = judge(&Alerts::new(), &reading, None, Time::UNIX_EPOCH);
        assert_eq!(kinds(&changes), [(Kind::SmartFailed, false)]);
        assert_eq!(changes[0].severity, Severity::Critical);
    }

    #[test]
    fn a_host_is_silent_once_and_heard_once() {
        let at = Time::UNIX_EPOCH;
        let (silent, first) = silence(&Alerts::new(), Some("no report for 3 h".into()), at);
        let (still, second) = silence(&silent, Some("no report for 4 h".into()), at);
        let (over, third) = silence(&still, None, at);
        assert_eq!((first.len(), second.len(), third.len(), over.len()), (1, 0, 1, 0));
        assert!(third[0].resolved && silence(&over, None, at).1.is_empty());
    }
}

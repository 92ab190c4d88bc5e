//! Throughput and latency: slow regions, outliers, and the mean against the drive's own first part.

use std::time::Duration;

use wire::job::{FaultKind, Phase};

use super::{Metrics, shingles};
use crate::evidence::{Record, Zone};
use crate::verdict::{Case, heat};

/// Zones to each side that make a zone's neighbourhood: one percent of the drive.
const NEIGHBOURS: usize = 10;

/// How much slower than its neighbourhood a zone must be; how much longer than the median an access.
const SLOWER: f64 = 8.0;

/// Accesses longer than this are outliers on a disk and on flash; a slow zone without one is taken for the host's doing.
const OUTLIER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(50));

/// Bytes of a tebibyte.
const TIB: f64 = (1_u64 << 40) as f64;

/// Share of a tebibyte that must have been moved before outliers are counted a TiB: on less a single one would be many.
const TIB_MIN: f64 = 0.25;

/// Seconds of reading before the mean is held against the first part: less is the host's mood.
const SECONDS_MIN: f64 = 600.0;

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let shingled = shingles::found(metrics);
    // House-keeping of shingled disks shows in writes; what reads slowly there is slow.
    let counts = |record: &&Record| !(shingled && record.phase == Phase::Write);
    let records: Vec<&Record> = case.evidence.phases.iter().filter(counts).collect();
    let long = long(case.spins());
    let slow = records
        .iter()
        .map(|record| slow_bytes(record.zones.zones(), long))
        .max();
    metrics.put("pace.slow_bytes", slow.unwrap_or(0) as f64);
    if let Some(outliers) = records
        .iter()
        .filter_map(|record| outliers(record, long))
        .max_by(f64::total_cmp)
    {
        metrics.put("pace.outliers_per_tib", outliers);
    }
    // Reads alone: writes of flash slow down behind its cache, which is its nature.
    let reads = records
        .iter()
        .filter(|record| matches!(record.phase, Phase::Verify | Phase::Scan));
    let warm = slows_itself_down(case);
    for record in reads {
        let Some(share) = of_first_part(record) else { continue };
        let name = if warm || link_was_disturbed(case, record) {
            "pace.percent_of_first_disturbed"
        } else if case.shared {
            "pace.percent_of_first_shared"
        } else {
            "pace.percent_of_first"
        };
        metrics.put(name, metrics.get(name).map_or(share, |least| least.min(share)));
    }
}

/// Whether it is flash that grew so warm that it slows itself down. A disk does not: it pauses, and the time of that is charged to
/// nobody.
fn slows_itself_down(case: &Case<'_>) -> bool {
    let paused = case.too_hot.is_some() || case.paused_for_heat;
    let warned = heat::over_warning(case).is_some_and(|(_, over)| over > 0);
    case.spins() == Some(false) && (paused || warned)
}

/// Whether the link may have been trained anew while this was read, and be slower since. What came in another step slowed the first
/// part as well; when the kernel's own resets were is not known, so they count for each.
fn link_was_disturbed(case: &Case<'_>, record: &Record) -> bool {
    let kinds = [
        FaultKind::Transient,
        FaultKind::Disconnect,
        FaultKind::Reset,
        FaultKind::Hang,
    ];
    let of = |kind: FaultKind| case.evidence.incidents.iter().filter(move |i| i.kind == kind);
    let met = |kind: FaultKind| {
        // Of very many only some are kept one by one: the others may have come here.
        let lost = case.evidence.incidents_of(kind) > of(kind).count() as u64;
        lost || of(kind).any(|i| i.step == record.step)
    };
    case.resets > 0 || kinds.into_iter().any(met)
}

/// Which accesses are long; where nobody knows what it is, as of a disk.
fn long(spins: Option<bool>) -> Duration {
    if spins == Some(false) { OUTLIER.1 } else { OUTLIER.0 }
}

/// Bytes in zones that are much slower than their neighbourhood, and had a long access.
fn slow_bytes(zones: &[Zone], long: Duration) -> u64 {
    let pace = |zone: &Zone| (zone.0 > 0).then(|| zone.1 as f64 / zone.0 as f64);
    let mut slow = 0;
    for (at, zone) in zones.iter().enumerate() {
        let around = &zones[at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS + 1).min(zones.len())];
        let mut paces: Vec<f64> = around.iter().filter_map(pace).collect();
        if paces.len() <= NEIGHBOURS {
            continue;
        }
        paces.sort_by(f64::total_cmp);
        let median = paces[paces.len() / 2];
        if pace(zone).is_some_and(|own| own > median * SLOWER) && u128::from(zone.2) > long.as_nanos() {
            slow += zone.0;
        }
    }
    slow
}

/// Accesses much longer than the median, a TiB; `None` where too little was moved.
fn outliers(record: &Record, long: Duration) -> Option<f64> {
    let moved = record.zones.zones().iter().map(|zone| zone.0 as f64).sum::<f64>() / TIB;
    if moved < TIB_MIN {
        return None;
    }
    let limit = (record.latency.quantile_us(0.5) as f64 * SLOWER).max(long.as_micros() as f64);
    // Octaves: those that lie above the limit as a whole.
    let first = (limit.max(1.0).log2().ceil()) as usize;
    let count: u64 = record.latency.octaves().iter().skip(first).sum();
    Some((count as f64 / moved).round())
}

/// Mean throughput in percent of that of the first twentieth of the drive.
fn of_first_part(record: &Record) -> Option<f64> {
    let zones = record.zones.zones();
    let rate = |zones: &[Zone]| {
        let (bytes, time) = zones
            .iter()
            .fold((0.0, 0.0), |(b, t), z| (b + z.0 as f64, t + z.1 as f64));
        (time > 0.0 && bytes > 0.0).then(|| bytes / time)
    };
    if zones.len() < 20 || record.seconds < SECONDS_MIN {
        return None;
    }
    // Down to a tenth: what is below a limit must not be rounded up to it.
    let percent = rate(zones)? / rate(&zones[..zones.len() / 20])? * 100.0;
    Some((percent * 10.0).floor() / 10.0)
}

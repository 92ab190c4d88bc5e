//! Throughput and latency: slow regions, outliers, and the mean against the drive's own first part; of large disks also by itself.

use std::time::Duration;

use wire::drive::{Bus, Rotation};
use wire::job::{FaultKind, Phase, PhaseStatus};

use super::excuse::{Company, Excuse};
use super::{Metrics, TIB, broad, shingles};
use crate::device::Geometry;
use crate::evidence::{Latency, Record, Zone};
use crate::heat::Limits;
use crate::playbook::Direction;
use crate::stretches::{PART, PARTS, STRETCH};
use crate::verdict::{Case, figures, limit};

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let keeps_house = shingles::keeps_house(metrics);
    // House-keeping shows in writes; what reads slowly there is slow.
    // How long firmware takes to unmap a gigabyte tells nothing of a place, and the kernel carries trims one after the other.
    let counts = |record: &&Record| record.phase != Phase::Trim && !(keeps_house && record.phase == Phase::Write);
    let records: Vec<&Record> = case.evidence.phases.iter().filter(counts).collect();
    let long = long(case.spins());
    let geometry = case.evidence.geometry;
    let warm = slows_itself_down(case);
    // What slows writes of flash down evenly is its cache, what slows reads its heat.
    let tells_evenly = |record: &Record| is_read(record.phase) && !warm && !meets_holes(case, record);
    // Right behind the writes flash still clears its cache, and a shingled disk its own.
    let from_the_begin = |record: &Record| case.has_platters() && !keeps_house && record.phase == Phase::Verify;
    let regions = |record: &Record, evenly| {
        let mut regions = slow_regions(record, geometry, (long, evenly));
        if evenly {
            add_broad(&mut regions, record, geometry, from_the_begin(record));
        }
        regions
    };
    let (mut slow, mut disturbed) = (Vec::new(), Vec::new());
    for record in &records {
        // And others on one link slow both, as a disturbed one does.
        let excuse = Excuse::of(case, record);
        let told = regions(record, tells_evenly(record) && excuse.is_none());
        if let Some(excuse) = excuse.filter(|_| tells_evenly(record)) {
            let mut more = regions(record, true);
            more.retain(|region| region.is_beyond(excuse) && !told.iter().any(|told| told.meets(region)));
            disturbed.push((record.phase, more));
        }
        slow.push((record.phase, told));
    }
    put_slowest(metrics, "pace.slow_bytes", &slow);
    put_slowest(metrics, "pace.slow_bytes_disturbed", &disturbed);
    if let Some((a_tib, words)) = records
        .iter()
        .filter_map(|record| outliers(record, long))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
    {
        metrics.say("pace.outliers_per_tib", a_tib, words);
    }
    // Reads alone: writes of flash slow down behind its cache, which is its nature.
    for record in records.iter().filter(|record| is_read(record.phase)) {
        if meets_holes(case, record) {
            continue;
        }
        let (is_disturbed, tells_mean) = (link_was_disturbed(case, record), tells_mean(case, record));
        for pass in passes(record, Company::of(case)) {
            if tells_mean && !pass.held {
                let (name, rate) = match is_disturbed || pass.others.is_some() {
                    true => ("pace.mean_mb_s_disturbed", pass.alone()),
                    false => ("pace.mean_mb_s", pass.rate),
                };
                // Bytes a nanosecond are a thousand MB/s.
                lower(metrics, name, tenths(rate * 1000.0));
            }
            let Some(share) = pass.of_first_part() else { continue };
            let name = if warm || is_disturbed {
                "pace.percent_of_first_disturbed"
            } else if pass.others.is_some() {
                "pace.percent_of_first_shared"
            } else {
                "pace.percent_of_first"
            };
            lower(metrics, name, share);
        }
    }
}

/// Puts how many bytes are slow in the step that has most of them, and where.
fn put_slowest(metrics: &mut Metrics, name: &str, steps: &[(Phase, Vec<Region>)]) {
    let bytes = |regions: &[Region]| regions.iter().map(|region| region.bytes).sum::<u64>();
    match steps.iter().max_by_key(|(_, regions)| bytes(regions)) {
        Some((phase, regions)) if !regions.is_empty() => {
            metrics.say(name, bytes(regions) as f64, in_words(*phase, regions));
        }
        Some(_) | None => metrics.put(name, 0.0),
    }
}

/// Whether a step meets both what holds data and what holds none, for which what has no platters answers at once.
fn meets_holes(case: &Case<'_>, record: &Record) -> bool {
    record.phase == Phase::Scan && !case.has_platters()
}

/// Whether a step reads the whole drive.
fn is_read(phase: Phase) -> bool {
    matches!(phase, Phase::Verify | Phase::Scan)
}

/// Puts a number, or leaves a smaller one: of several reads the slowest counts.
fn lower(metrics: &mut Metrics, name: &str, value: f64) {
    metrics.put(name, metrics.get(name).map_or(value, |least| least.min(value)));
}

/// Whether it is flash that grew so warm that it may slow itself down, which it does below the temperature at which it warns. A disk
/// does not: it pauses, and the time of that is charged to nobody.
pub(super) fn slows_itself_down(case: &Case<'_>) -> bool {
    let paused = case.too_hot.is_some() || case.paused_for_heat;
    let warm = Limits::of_drive(case.rotation, case.first()).pause.0 - figures().throttles.value;
    let was_warm = || {
        case.timeline
            .iter()
            .filter_map(|point| point.temperature)
            .any(|told| told.0 >= warm)
    };
    case.spins() == Some(false) && (paused || was_warm())
}

/// Whether the link may have been trained anew while this was read, and be slower since; or be another one, where the step went on
/// after an interruption. What came in another step slowed the first part as well; when the kernel's own resets were is not known, so
/// they count for each.
pub(super) fn link_was_disturbed(case: &Case<'_>, record: &Record) -> bool {
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
    let resumed = case.evidence.resumes.iter().any(|resume| resume.step == record.step);
    case.kernel.resets > 0 || resumed || kinds.into_iter().any(met)
}

/// Which accesses are outliers; where nobody knows what it is, as of a disk. A slow zone without one is taken for the host's doing, for
/// a while.
fn long(spins: Option<bool>) -> Duration {
    let figures = figures();
    Duration::from_millis(match spins {
        Some(false) => figures.outlier_flash_ms.value,
        Some(true) | None => figures.outlier_disk_ms.value,
    })
}

/// A region that is much slower than its neighbourhood.
#[derive(Clone, Debug, PartialEq)]
struct Region {
    /// First sector, and the one behind the last.
    lba: (u64, u64),
    bytes: u64,
    /// Nanoseconds.
    time: f64,
    /// Those of the longest access.
    longest: f64,
    /// Its share of `time`.
    stall: f64,
    /// Nanoseconds a byte around it, the median.
    usual: f64,
}

impl Region {
    /// One zone.
    #[expect(clippy::cast_possible_truncation, reason = "shares of the drive's sectors")]
    fn of_zone(zones: &[Zone], at: usize, usual: f64, geometry: Geometry) -> Self {
        let start = |at: usize| (u128::from(geometry.sectors) * at as u128 / zones.len().max(1) as u128) as u64;
        let zone = &zones[at];
        // It has its bytes once, however often it was swept; and a round's share of the time.
        let bytes = zone.0.min((start(at + 1) - start(at)) * u64::from(geometry.sector));
        let share = bytes as f64 / zone.0.max(1) as f64;
        Self {
            lba: (start(at), start(at + 1)),
            bytes,
            time: zone.1 as f64 * share,
            longest: zone.2 as f64,
            stall: zone.2 as f64 * share,
            usual,
        }
    }

    /// Whether it took so much longer than what is usual around it that no busy host explains it.
    fn is_slow_for_long(&self) -> bool {
        self.lost() >= seconds(figures().host_s.value)
    }

    /// Nanoseconds that it took longer than what is usual around it.
    fn lost(&self) -> f64 {
        self.time - self.usual * self.bytes as f64
    }

    /// Whether what else may have slowed the read does not explain it.
    fn is_beyond(&self, excuse: Excuse) -> bool {
        let slower = excuse.slower(self.time / seconds(1));
        self.lost() >= seconds(figures().disturbed_s.value) && self.time > self.usual * slower * self.bytes as f64
    }

    /// Whether the two have a sector in common.
    fn meets(&self, other: &Self) -> bool {
        self.lba.0 < other.lba.1 && other.lba.0 < self.lba.1
    }

    /// A stall or two make no region, however long they are.
    fn is_more_than_stalls(&self) -> bool {
        let stalls = figures().region_stalls.value * self.stall;
        self.time - stalls > self.usual * figures().slower.value * self.bytes as f64
    }
}

/// So many of them in nanoseconds.
fn seconds(count: u64) -> f64 {
    Duration::from_secs(count).as_nanos() as f64
}

/// Nanoseconds a byte.
fn pace(zone: &Zone) -> Option<f64> {
    (zone.0 > 0).then(|| zone.1 as f64 / zone.0 as f64)
}

/// Adds regions that are wider than what a zone is held against in [`slow_regions`], for whatever those have of them. A long access alone
/// makes none of these, which are large enough to have some.
fn add_broad(regions: &mut Vec<Region>, record: &Record, geometry: Geometry, from_the_begin: bool) {
    let zones = record.zones.zones();
    let mut paces: Vec<Option<f64>> = zones.iter().map(pace).collect();
    let is_backward = record.work.order == Direction::Reverse;
    if is_backward {
        paces.reverse();
    }
    let held = broad::Held {
        neighbours: figures().neighbours.value,
        slower: figures().slower.value,
        from_the_begin,
    };
    for (swept, usual) in broad::regions(&paces, held) {
        let at = match is_backward {
            true => zones.len() - swept.end..zones.len() - swept.start,
            false => swept,
        };
        let of_zones = at.map(|at| Region::of_zone(zones, at, usual, geometry));
        let whole = of_zones.fold(Vec::new(), join).pop();
        let Some(whole) = whole.filter(|whole| whole.is_slow_for_long() && whole.is_more_than_stalls()) else {
            continue;
        };
        regions.retain(|part| !part.meets(&whole));
        regions.push(whole);
    }
}

/// Joins regions, in the order of the drive, that lie side by side.
fn join(mut regions: Vec<Region>, next: Region) -> Vec<Region> {
    match regions.last_mut().filter(|last| last.lba.1 == next.lba.0) {
        Some(last) => {
            (last.lba.1, last.bytes, last.time) = (next.lba.1, last.bytes + next.bytes, last.time + next.time);
            (last.longest, last.stall) = (last.longest.max(next.longest), last.stall.max(next.stall));
        }
        None => regions.push(next),
    }
    regions
}

/// Zones that are slow as a whole, and slow parts in a row that lie in a zone that is not: such with a `long` access, and where
/// `tells_evenly` such that are slow for long without one.
fn slow_regions(record: &Record, geometry: Geometry, (long, tells_evenly): (Duration, bool)) -> Vec<Region> {
    let (neighbours, slower) = (figures().neighbours.value, figures().slower.value);
    let zones = record.zones.zones();
    let count = zones.len().max(1) as u128;
    let median = |zones: &[Zone], least: usize| {
        let mut paces: Vec<f64> = zones.iter().filter_map(pace).collect();
        paces.sort_by(f64::total_cmp);
        (paces.len() >= least).then(|| paces[paces.len() / 2])
    };
    let around = |at: usize| at.saturating_sub(neighbours)..(at + neighbours + 1).min(zones.len());
    let usual = |at: usize| median(&zones[around(at)], neighbours + 1);
    // Where it becomes slower for good (flash behind its cache, others on the same link) no region is slow: the slower side counts.
    let beside = |at: usize| {
        let sides = [&zones[around(at).start..at], &zones[at + 1..around(at).end]];
        let sides = sides.into_iter().filter_map(|side| median(side, neighbours / 2));
        sides.max_by(f64::total_cmp)
    };
    let counts = |region: &Region| region.longest > long.as_nanos() as f64 || tells_evenly && region.is_slow_for_long();
    let slow = zones.iter().enumerate().filter_map(|(at, zone)| {
        let (own, usual) = (pace(zone)?, usual(at)?);
        (own > usual * slower).then(|| Region::of_zone(zones, at, usual, geometry))
    });
    let mut regions = slow.fold(Vec::new(), join);
    regions.retain(|region| counts(region) && region.is_more_than_stalls());
    let sectors = PART / u64::from(geometry.sector);
    let mut suspects: Vec<_> = record.stretches.suspects().collect();
    suspects.sort_by_key(|stretch| stretch.number);
    let parts = suspects
        .iter()
        .flat_map(|stretch| (0..PARTS).map(move |part| (stretch, part)));
    let slow = parts.filter_map(|(stretch, part)| {
        let first = (stretch.number * PARTS as u64 + part as u64) * sectors;
        let at = (u128::from(first) * count / u128::from(geometry.sectors.max(1))) as usize;
        // A zone that is no longer than a stretch tells by itself.
        zones.get(at).filter(|zone| zone.0 > STRETCH)?;
        let usual = beside(at).filter(|usual| stretch.pace(part) > usual * slower)?;
        let known = regions.iter().any(|zone| (zone.lba.0..zone.lba.1).contains(&first));
        (!known).then(|| Region {
            lba: (first, first + sectors),
            bytes: PART,
            time: stretch.parts[part] as f64,
            longest: stretch.longest as f64,
            stall: stretch.longest as f64,
            usual,
        })
    });
    let short: Vec<Region> = slow.fold(Vec::new(), join);
    regions.extend(
        short
            .into_iter()
            .filter(|region| region.bytes >= STRETCH && counts(region)),
    );
    regions
}

/// Where, how slow, and what is usual there; of more than three the slowest.
fn in_words(phase: Phase, regions: &[Region]) -> String {
    let mut told: Vec<&Region> = regions.iter().collect();
    let slower = |region: &Region| region.time / region.bytes as f64 / region.usual;
    told.sort_by(|a, b| slower(b).total_cmp(&slower(a)));
    let words = told.iter().take(3).map(|region| {
        format!(
            "LBA {} to {}: {:.1} MB/s, around it {:.1}",
            region.lba.0,
            region.lba.1.saturating_sub(1),
            // Bytes a nanosecond are a thousand MB/s.
            region.bytes as f64 * 1000.0 / region.time,
            1000.0 / region.usual
        )
    });
    let words: Vec<String> = words.collect();
    let more = regions.len().saturating_sub(3);
    let more = if more > 0 {
        format!("; {more} more")
    } else {
        String::new()
    };
    format!("{}, {}{more}", phase.label(), words.join("; "))
}

/// Stalls much longer than an access usually takes, a TiB, and how many that were, in words; `None` where too little was moved to tell, as
/// by steps that move little by their nature.
fn outliers(record: &Record, long: Duration) -> Option<(f64, String)> {
    let moved = record.zones.zones().iter().map(|zone| zone.0 as f64).sum::<f64>() / TIB;
    let (figures, usual) = (figures(), record.usual());
    let least = figures.outliers_moved.value;
    let long = usual.mul_f64(figures.slower.value).max(long);
    let count = record.stalls.at_least(long);
    let sweeps = is_read(record.phase) || matches!(record.phase, Phase::Write | Phase::TrimCheck);
    let longest = Duration::from_micros(Latency::from(record.stalls.clone()).max_us());
    let answers = if count == 1 { "answer" } else { "answers" };
    let words = format!(
        "{count} {answers} took longer than {} ms, the longest {} ms",
        long.as_millis(),
        longest.as_millis()
    );
    (moved >= least || sweeps && count >= figures.outliers_always.value)
        .then(|| ((count as f64 / moved.max(least)).round(), words))
}

/// A read that is judged by itself: all that a step read, or a round of a soak.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// Bytes a nanosecond.
    rate: f64,
    /// Those of the first twentieth of the drive, or what that was allowed where it is less; `None` where it says nothing.
    first: Option<f64>,
    /// How many others there were behind its controller on the mean; `None` where they weigh nothing.
    others: Option<f64>,
    /// Whether a limit may have set its pace.
    held: bool,
}

impl Pass {
    /// Mean throughput in percent of that of its first part.
    fn of_first_part(self) -> Option<f64> {
        self.first.map(|first| tenths(self.rate / first * 100.0))
    }

    /// What the controller would give the drive alone, in bytes a nanosecond.
    fn alone(self) -> f64 {
        self.rate * (1.0 + self.others.unwrap_or(0.0))
    }
}

/// All that a step read, and the worst rounds of a soak that read for long enough: beside nine good ones a bad one does not show in what
/// they took together. Whoever came for a while may have come in that one alone.
fn passes(record: &Record, company: Option<Company>) -> Vec<Pass> {
    let zones = record.zones.zones();
    let Some(whole) = rate(zones) else { return Vec::new() };
    let beside = |seconds| company.filter(|company| company.weighs(seconds));
    let tells = zones.len() >= 20 && record.seconds >= figures().mean_s.value;
    let first = tells.then(|| rate(&zones[..zones.len() / 20])).flatten();
    let first = first.map(|own| record.allowed.at_most(own));
    let took = zones.iter().map(|zone| zone.1 as f64).sum();
    let whole = Pass {
        rate: whole,
        first,
        // A step is much of its job.
        others: beside(record.seconds).map(|company| company.mean),
        held: limit::held(&record.allowed, took),
    };
    let rounds = record.by_round.worst().filter_map(|round| {
        let seconds = Duration::from_nanos(round.nanos).as_secs_f64();
        let allowed = (!round.knows_limits()).then_some(&record.allowed);
        let first = round.first_rate();
        let pass = Pass {
            rate: round.rate()?,
            first: first.map(|own| allowed.map_or(own, |allowed| allowed.at_most(own))),
            others: beside(seconds).map(|company| company.within(seconds)),
            held: allowed.map_or_else(|| limit::held(&round.allowed, round.nanos as f64), |_| whole.held),
        };
        (seconds >= figures().mean_s.value).then_some(pass)
    });
    std::iter::once(whole).chain(rounds).collect()
}

/// Whether the mean throughput of a step is that of a large disk over its whole surface; not where something else may have set the
/// pace: another interface than a controller's port, or a sweep that no disk reads ahead of.
fn tells_mean(case: &Case<'_>, record: &Record) -> bool {
    // Virtual disks and parts of arrays turn as well, by the kernel's word, and tell no rate.
    let is_disk = matches!(case.rotation, Rotation::Spinning { rpm: Some(_) });
    let is_large = case.evidence.geometry.bytes() >= figures().large.value;
    let has_port = matches!(case.bus, Bus::Sata | Bus::Scsi);
    let is_whole = record.status == PhaseStatus::Done && record.seconds >= figures().mean_s.value;
    is_disk && is_large && has_port && is_whole && record.work.order == Direction::Forward
}

/// Bytes a nanosecond; `None` where nothing was measured.
pub(super) fn rate(zones: &[Zone]) -> Option<f64> {
    let (bytes, time) = zones
        .iter()
        .fold((0.0, 0.0), |(b, t), z| (b + z.0 as f64, t + z.1 as f64));
    (time > 0.0 && bytes > 0.0).then(|| bytes / time)
}

/// Down to a tenth: what is below a limit must not be rounded up to it.
fn tenths(value: f64) -> f64 {
    (value * 10.0).floor() / 10.0
}

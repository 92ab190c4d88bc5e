//! The drive's own write counter against what was written: a cheap witness that it took the writes.
//!
//! Counters differ in unit, granularity and in when they are updated, so a difference is told and never fails a drive.
//! What it counted before the job is a witness of its age, too: nothing is written faster than the link carries it.

use drive::smart::{Protocol, Snapshot, WriteCounter};
use wire::job::Phase;

use super::Metrics;
use crate::evidence::Evidence;
use crate::verdict::{Case, figures};

/// Counts that the flash drives with SandForce's first firmware take at once: theirs are multiples of 64 GiB.
const COARSE: u64 = 64;

/// Bytes that a resume may write again.
const AGAIN: u64 = 8 << 30;

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    if let Some(before) = case.first() {
        beyond_hours(before, metrics);
    }
    let written = written(case.evidence);
    let (Some(before), Some(after)) = (case.first(), case.last()) else {
        return;
    };
    let (Some(before), Some(after)) = (&before.written, &after.written) else {
        return;
    };
    if case.evidence.stopped.is_some() || before.source != after.source {
        return;
    }
    let again = AGAIN * case.interruptions().len() as u64 + figures().written_others.value;
    let is_whole = |counted: &u64| best(after, (*counted, 1), written, again).is_some_and(|(off, _)| off == 0.0);
    let turned = turned(before.count, after, written).filter(is_whole);
    let Some(counted) = turned.or_else(|| after.count.checked_sub(before.count)) else {
        metrics.say("written.off_percent", 100.0, format!("{} went backwards", after.source));
        return;
    };
    let coarse = before.count.is_multiple_of(COARSE) && after.count.is_multiple_of(COARSE);
    let step = if coarse && counted > 0 { COARSE } else { 1 };
    if counted == 0
        && after
            .units
            .iter()
            .any(|unit| written >= unit.saturating_mul(figures().written_counts.value))
    {
        // Whether the writes arrived is known from reading them back; this counter says nothing.
        metrics.say("written.still", 1.0, after.source.clone());
        return;
    }
    let Some((off, bytes)) = best(after, (counted, step), written, again) else {
        return;
    };
    let figures = format!(
        "{} rose by {}, {} were written",
        after.source,
        wire::Bytes(bytes),
        wire::Bytes(written)
    );
    metrics.say("written.off_percent", off, figures);
}

/// Hours that the bytes written before the job take at least, beyond those that the drive was on.
fn beyond_hours(before: &Snapshot, metrics: &mut Metrics) {
    let Some((bytes, on)) = before.bytes_written().zip(before.power_on_hours) else {
        return;
    };
    let link = match before.protocol {
        Protocol::Ata => &figures().link_ata,
        Protocol::Scsi => &figures().link_scsi,
        Protocol::Nvme => &figures().link_nvme,
        Protocol::Unknown => return,
    };
    let least = bytes / (link.value * 3600);
    let figures = format!("{} written, on {on} h before the job", wire::Bytes(bytes));
    metrics.say("written.beyond_hours", least.saturating_sub(on) as f64, figures);
}

/// Bytes written by all steps that write the whole drive.
fn written(evidence: &Evidence) -> u64 {
    let whole = evidence.geometry.bytes();
    let writes = evidence.phases.iter().filter(|record| record.phase == Phase::Write);
    writes
        .map(|record| match record.rounds {
            0 => record.done.0,
            rounds => whole.saturating_mul(u64::from(rounds)),
        })
        .fold(0, u64::saturating_add)
}

/// Where a counter turns over that has 32 bits: the statistic of Silicon Motion's flash does, each 2.2 TB. Source: two of them whose
/// attribute 241, in 32 MiB, equals the statistic modulo 2^32.
const TURN: u64 = 1 << 32;

/// Counts by which such a counter rose that was at `before`, with the turns that what was written makes likely; `None` where it has more
/// bits, or did not move by much: then it may as well not count.
fn turned(before: u64, after: &WriteCounter, written: u64) -> Option<u64> {
    let unit = *after.units.first()?;
    let rose = after.count.wrapping_sub(before) % TURN;
    let moved = (rose.saturating_mul(unit)) as f64 > written as f64 * figures().written_percent.value / 100.0;
    let turns = ((written / unit.max(1)).saturating_sub(rose) + TURN / 2) / TURN;
    (before.max(after.count) < TURN && moved).then(|| rose + turns * TURN)
}

/// The smallest difference in percent by any unit that the counter may have, which counts so many (`step`) at once, and the bytes by
/// that unit. Differences within the tolerance are 0. `None` where too little was written for any, or a unit for which it was too little
/// explains what the counter did.
fn best(counter: &WriteCounter, (counted, step): (u64, u64), written: u64, again: u64) -> Option<(f64, u64)> {
    let enough = |unit: &&u64| written >= unit.saturating_mul(step).saturating_mul(figures().written_counts.value);
    let explains = |unit: &&u64| written.abs_diff(counted.saturating_mul(**unit)) <= unit.saturating_mul(2 * step);
    if counted > 0
        && counter
            .units
            .iter()
            .filter(|unit| !enough(unit))
            .any(|unit| explains(&unit))
    {
        return None;
    }
    let units = counter.units.iter().filter(enough);
    let off = units.map(|unit| {
        let bytes = counted.saturating_mul(*unit);
        let slack = written as f64 * figures().written_percent.value / 100.0 + 2.0 * (*unit * step) as f64;
        let (less, more) = (
            written.saturating_sub(bytes) as f64,
            bytes.saturating_sub(written) as f64,
        );
        let off = if less <= slack && more <= slack + again as f64 {
            0.0
        } else {
            less.max(more)
        };
        ((off / written as f64 * 1000.0).round() / 10.0, bytes)
    });
    off.min_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]
    use super::*;

    fn counter(units: &[u64]) -> WriteCounter {
        WriteCounter {
            source: "x".into(),
            count: 0,
            units: units.to_vec(),
        }
    }

    #[test]
    fn a_counter_of_32_bits_turns_over() {
        const TB: u64 = 1_000_000_000_000;
        let rose = |before: u64, after: u64, written: u64| {
            let counter = WriteCounter {
                count: after,
                ..counter(&[512])
            };
            turned(before, &counter, written)
        };
        let sectors = |tb: u64| tb * TB / 512;
        for tb in [1, 2, 4, 16] {
            let before = 4_000_000_000;
            let after = (before + sectors(tb)) % TURN;
            assert_eq!(rose(before, after, tb * TB), Some(sectors(tb)), "{tb} TB");
        }
        // Half of it was written, or nothing.
        assert_ne!(rose(7, 7 + sectors(1) / 2, TB), Some(sectors(1)));
        assert_eq!(rose(7, 7, TB), None);
        assert_eq!(rose(7, 8, 4 * TB), None);
        // It has more.
        assert_eq!(rose(TURN + 7, 7, TB), None);
    }

    #[test]
    fn any_plausible_unit_will_do_and_rounding_is_no_difference() {
        const TB: u64 = 1_000_000_000_000;
        const OTHERS: u64 = 64 << 20;
        let off = |units: &[u64], counted| best(&counter(units), (counted, 1), TB, OTHERS).unwrap().0;
        assert_eq!(off(&[512], TB / 512), 0.0);
        assert_eq!(off(&[512, 32 << 20], TB / (32 << 20)), 0.0, "it counts in 32 MiB");
        assert_eq!(off(&[512_000], TB / 512_000 * 101 / 100), 0.0, "within two percent");
        assert_eq!(off(&[512_000], TB / 512_000 / 2), 50.0);
        assert_eq!(off(&[512_000], 0), 100.0);
        assert_eq!(off(&[1 << 30], TB / (1 << 30)), 0.0);
        // A resume may write 8 GiB again; a loss is never excused by that.
        assert_eq!(
            best(&counter(&[512]), ((100 << 30) / 512, 1), 93 << 30, 8 << 30)
                .unwrap()
                .0,
            0.0
        );
        assert!(
            best(&counter(&[512]), ((86 << 30) / 512, 1), 93 << 30, 8 << 30)
                .unwrap()
                .0
                > 7.0
        );
        // Of 60 GB counted in gigabytes nothing can be said: that is not 94 percent off by another unit.
        let any = [512, 65_536, 1 << 26, 1_000_000_000, 1 << 30];
        assert_eq!(best(&counter(&any), (56, 1), 60_000_000_000, OTHERS), None);
        assert!(best(&counter(&any), (30, 1), 60_000_000_000, OTHERS).unwrap().0 > 90.0);
        // Ten gibibytes are ten counts: nothing can be said.
        assert_eq!(best(&counter(&[1 << 30]), (9, 1), 10 << 30, OTHERS), None);
        // 120 GB on a drive that counts 64 GiB at once is one step or two: nothing can be said, but it can of 20 TB.
        assert_eq!(best(&counter(&[1 << 30]), (64, 64), 120_000_000_000, OTHERS), None);
        assert_eq!(
            best(&counter(&[1 << 30]), (64 * 290, 64), 20 * TB, OTHERS).unwrap().0,
            0.0
        );
    }
}

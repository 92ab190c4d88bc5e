//! Up to where flash writes fast: into cells that it uses as fast ones, until these are full.
//!
//! ```text
//!  ▇▇▇▇▇▇▇▇▂▂▂▂▂▂▂▂▂▂▂▂   rate over LBA, which is the order in which it was written
//!          └── a step once, and nothing behind it as fast as before
//! ```

use wire::job::{Phase, PhaseStatus};

use super::{Metrics, pace};
use crate::evidence::{Record, Zone};
use crate::playbook::Direction;
use crate::verdict::{Case, figures, limit};

/// Fewest zones on each side of the step: one may be a stall.
const SIDE: usize = 2;

/// Share of the zones that are not looked at on either side: what a drive does now and then is no step, and makes none unseen.
const STRAY: f64 = 0.1;

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    // Heat and others on the link make a step as well.
    if case.spins() != Some(false) || case.shared || pace::slows_itself_down(case) {
        return;
    }
    // Behind the first write the drive is full, and has less of them.
    let Some(record) = case.evidence.phases.iter().find(|record| record.phase == Phase::Write) else {
        return;
    };
    if !tells(record) || pace::link_was_disturbed(case, record) {
        return;
    }
    let zones = record.zones.zones();
    let Some(step) = step(zones) else { return };
    let bytes = u128::from(case.evidence.geometry.bytes()) * step.at as u128 / zones.len() as u128;
    // Bytes a nanosecond are a thousand MB/s.
    let (fast, slow) = (step.fast * 1000.0, step.slow * 1000.0);
    let words = format!("{fast:.0} MB/s up to there, {slow:.0} MB/s behind it");
    metrics.say("pace.fast_cache", bytes as f64, words);
}

/// Whether a write went over the whole drive once, forwards and as fast as it could.
fn tells(record: &Record) -> bool {
    record.status == PhaseStatus::Done
        && record.rounds <= 1
        && record.work.order == Direction::Forward
        && !limit::touched(record)
}

/// Where the rate falls for good.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fall {
    /// First zone behind it.
    at: usize,
    /// Bytes a nanosecond before it, the median.
    fast: f64,
    /// And behind it.
    slow: f64,
}

/// The step that the rates have, if they have one: what is slow before it is still much faster than what is fast behind it.
fn step(zones: &[Zone]) -> Option<Fall> {
    let rates: Option<Vec<f64>> = zones
        .iter()
        .map(|zone| pace::rate(std::slice::from_ref(zone)))
        .collect();
    let rates = rates?;
    let at = split(&rates.iter().map(|rate| rate.ln()).collect::<Vec<_>>())?;
    let sorted = |rates: &[f64]| {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        rates
    };
    let (before, behind) = (sorted(&rates[..at]), sorted(&rates[at..]));
    (share(&before, STRAY) >= figures().cache_fall.value * share(&behind, 1.0 - STRAY)).then(|| Fall {
        at,
        fast: share(&before, 0.5),
        slow: share(&behind, 0.5),
    })
}

/// Where two levels fit these values best, by least squares: the first of the second level.
fn split(values: &[f64]) -> Option<usize> {
    let all: f64 = values.iter().sum();
    let mut before = 0.0;
    let mut best: Option<(f64, usize)> = None;
    for (at, value) in values.iter().enumerate() {
        let behind = values.len() - at;
        if at >= SIDE && behind >= SIDE {
            let rest = all - before;
            // What the squares lose by two levels, but for what is the same for each place.
            let gain = before * before / at as f64 + rest * rest / behind as f64;
            if best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, at));
            }
        }
        before += value;
    }
    best.map(|(_, at)| at)
}

/// The value below which this share of them lies; of none 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the values' number"
)]
fn share(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Zones of 1 GiB at these rates in MB/s.
    fn zones(rates: impl IntoIterator<Item = u64>) -> Vec<Zone> {
        let zone = |rate: u64| Zone(1 << 30, (1 << 30) * 1000 / rate.max(1), 0);
        rates.into_iter().map(zone).collect()
    }

    fn at(rates: impl IntoIterator<Item = u64>) -> Option<usize> {
        step(&zones(rates)).map(|fall| fall.at)
    }

    #[test]
    fn one_step_down_is_told_with_both_rates() {
        let fall = step(&zones((0..1000).map(|zone| if zone < 40 { 2000 } else { 310 })));
        let fall = fall.map(|fall| (fall.at, (fall.fast * 1000.0).round(), (fall.slow * 1000.0).round()));
        assert_eq!(fall, Some((40, 2000.0, 310.0)));
        // Of a small one, beside a drive's own unrest.
        assert_eq!(
            at((0..1000).map(|zone| if zone < 3 { 500 } else { 95 + zone % 11 })),
            Some(3)
        );
    }

    #[test]
    fn what_is_no_step_down_is_none() {
        assert_eq!(at((0..1000).map(|_| 500)), None, "even");
        assert_eq!(at((0..1000).map(|zone| 260 - zone * 130 / 1000)), None, "as of a disk");
        assert_eq!(at((0..1000).map(|zone| if zone < 40 { 300 } else { 2000 })), None, "up");
        assert_eq!(
            at((0..1000).map(|zone| if zone / 50 % 2 == 0 { 2000 } else { 300 })),
            None,
            "up and down"
        );
        assert_eq!(
            at((0..1000).map(|zone| if zone == 0 { 2000 } else { 300 })),
            None,
            "one zone"
        );
        assert_eq!(at([2000, 300]), None);
        assert_eq!(step(&[]), None);
        assert_eq!(step(&[Zone(0, 0, 0); 10]), None, "nothing was written");
    }

    proptest! {
        /// Wherever it is and however deep, beside a tenth of unrest.
        #[test]
        fn it_is_found_where_it_is(cliff in 2_usize..500, fast in 400_u64..7000, times in 2_u64..20, seed: u64) {
            let unrest = |zone: u64| (zone.wrapping_mul(seed | 1) >> 7) % 10;
            let rate = |zone: usize| {
                let level = if zone < cliff { fast } else { fast / times };
                level * (95 + unrest(zone as u64)) / 100
            };
            prop_assert_eq!(at((0..1000).map(rate)), Some(cliff));
        }
    }
}

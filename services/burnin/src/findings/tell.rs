//! What the runs mean: the second look, over the whole drive.

use std::collections::{BTreeMap, BTreeSet};

use wire::Lba;
use wire::job::{FaultKind, Finding, Phase};

use super::{Class, Defects, FLIPS_MAX, Fault, Run};
use crate::device::Geometry;
use crate::header::{HEADER_PASS, places};
use crate::pipeline::{PROBE_PASS, PROBE_RANDOM, SAMPLE_PASS, probe_places};

/// The greatest number that divides both; the other one where one is 0.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Defects {
    /// What the runs mean, the most telling first: one each, as many as are kept.
    pub fn findings(&self, geometry: Geometry) -> Vec<Finding> {
        let wrap = self.wrap(geometry);
        let probed = self.probed(geometry);
        let tail = self.unstored(geometry);
        let in_tail = |run: &Run| {
            tail.as_ref()
                .is_some_and(|from| is_probed_empty(run) && run.first >= *from)
        };
        let patched = self.patched_tails(geometry);
        let in_patched = |run: &Run| patched.get(&run.step).is_some_and(|from| run.first >= *from);
        let mut found: Vec<Finding> = self
            .runs
            .values()
            .filter(|run| !in_tail(run) && !in_patched(run))
            .map(|run| self.tell(run, geometry, wrap, probed))
            .collect();
        found.extend(patched.iter().filter_map(|(step, from)| {
            let run = self.runs.get(&(*step, *from))?;
            let what = "what was never written, but for places that the probe or the job's header holds";
            Some(Finding {
                step: *step,
                kind: FaultKind::Truncated,
                lba: Some(Lba(*from)),
                sectors: geometry.sectors - from,
                found: None,
                phase: run.phase,
                detail: self.truncated(run, what, geometry),
            })
        }));
        let first = self.runs.values().find(|run| in_tail(run));
        found.extend(first.map(|run| {
            let mut of_tail = self.runs.values().filter(|other| in_tail(other));
            let what = match run.fault {
                fault if of_tail.any(|other| other.fault != fault) => "what was never written",
                Fault::Zeros => "zeros",
                Fault::Ones => "ones",
                Fault::Flips { .. }
                | Fault::Torn
                | Fault::Foreign
                | Fault::Stale { .. }
                | Fault::Moved { .. }
                | Fault::Transient
                | Fault::Read { .. }
                | Fault::Write { .. } => "what was never written",
            };
            let bytes = wire::Bytes(run.first * u64::from(geometry.sector));
            Finding {
                step: run.step,
                kind: FaultKind::Truncated,
                lba: Some(Lba(run.first)),
                sectors: geometry.sectors - run.first,
                found: None,
                phase: run.phase,
                detail: format!(
                    "every place that the probe wrote from here on reads as {what}: the drive stores at most {bytes}"
                ),
            }
        }));
        found.sort_by_key(|f| (weight(f.kind), f.step, f.lba));
        found
    }

    /// What all distances that the probe saw have in common, in sectors: a drive that wraps around does so by a divisor of it. `None` where
    /// it saw none, or saw that it does not wrap: two places so far apart hold what was written to each, behind the first one that shows or
    /// is shown elsewhere (in front of that a part may be stored apart).
    fn probed(&self, geometry: Geometry) -> Option<u64> {
        let probe = || self.runs.values().filter(|run| run.phase == Phase::Probe);
        let moved = || {
            probe().filter_map(|run| {
                let Fault::Moved { shift, .. } = run.fault else {
                    return None;
                };
                Some((run.first, shift))
            })
        };
        let common = moved().fold(0, |common, (_, shift)| divisor(common, shift.unsigned_abs()));
        let from = moved()
            .map(|(first, shift)| first.min(first.saturating_add_signed(shift)))
            .min()?;
        let is_wrong = |lba: &u64| probe().any(|run| (run.first..run.end()).contains(lba));
        let mut right = probe_places(geometry);
        right.retain(|lba| *lba >= from && !is_wrong(lba));
        let classes: BTreeSet<u64> = right.iter().map(|lba| lba % common).collect();
        (classes.len() == right.len()).then_some(common)
    }

    /// Physical sectors that the probe wrote and that hold nothing of it.
    fn probed_empty(&self, geometry: Geometry) -> BTreeSet<u64> {
        let grain = geometry.grain();
        let empty = self.runs.values().filter(|run| is_probed_empty(run));
        empty
            .flat_map(|run| run.first / grain..run.end().div_ceil(grain))
            .collect()
    }

    /// Where the end begins of which the probe found nothing stored, if there is one: two of its places at least, since one is a lost
    /// write like any other.
    fn unstored(&self, geometry: Geometry) -> Option<u64> {
        let grain = geometry.grain();
        let empty = self.probed_empty(geometry);
        let mut places = probe_places(geometry);
        let stored = places.iter().rposition(|lba| !empty.contains(&(lba / grain)));
        let end = places.split_off(stored.map_or(0, |at| at + 1));
        let after = places.last().map_or(0, |lba| lba / grain + 1);
        // A place of the probe that only its key tells may lie before those that are known.
        let first = empty.range(after..).next()?;
        (end.len() > 1).then_some(first * grain)
    }

    /// Where, in a step, the end begins that is not stored but for places which were written at another time: the probe, the samples or a
    /// header came there while the drive still took what it was given, or takes it again. By step; not where a single run says so.
    fn patched_tails(&self, geometry: Geometry) -> BTreeMap<u16, u64> {
        let steps: BTreeSet<u16> = self.runs.keys().map(|(step, _)| *step).collect();
        steps
            .into_iter()
            .filter_map(|step| Some((step, self.patched_tail(step, geometry)?)))
            .collect()
    }

    fn patched_tail(&self, step: u16, geometry: Geometry) -> Option<u64> {
        let headers = places(geometry);
        let (mut at, mut from, mut empty, mut patches) = (geometry.sectors, None, 0, 0);
        for (_, run) in self.runs.range((step, 0)..=(step, u64::MAX)).rev() {
            // A header's place is written once more behind all that is read back, and its drive may keep as little as that.
            if headers.contains(&(run.end(), at.saturating_sub(run.end()))) {
                at = run.end();
                patches += 1;
            }
            let is_patch = matches!(
                run.fault,
                Fault::Stale {
                    pass: PROBE_PASS | SAMPLE_PASS | HEADER_PASS
                }
            );
            let is_empty = matches!(run.fault, Fault::Zeros | Fault::Ones | Fault::Foreign);
            if run.phase == Phase::Probe || run.end() != at || !(is_patch || is_empty) {
                break;
            }
            at = run.first;
            if is_empty {
                from = Some(at);
                empty += run.count;
            } else {
                patches += 1;
            }
        }
        (patches > 0 && is_tail(empty, geometry)).then_some(from?)
    }

    /// Whether the probe proved that the drive stores less than it claims: it saw data that belongs elsewhere, an end that is not
    /// stored, or nothing at a good part of its places. A place or two are defects like any other, of which a write tells.
    pub(crate) fn proves_false_capacity(&self, geometry: Geometry) -> bool {
        let places = probe_places(geometry).len() as u64 + PROBE_RANDOM;
        self.probed(geometry).is_some()
            || self.unstored(geometry).is_some()
            || self.probed_empty(geometry).len() as u64 > places / 8
    }

    /// By how many sectors a drive wraps around and how many it stores, if the runs are those of such a drive. It stores more where a part at
    /// its beginning does not take part in that.
    ///
    /// After one pass over such a drive every cell holds the sector that was written last of those that map to it: the
    /// highest one after a pass forward, the lowest one after a pass in reverse, and another one where writes in flight
    /// overtook each other. So all but `real` sectors show the data of a sector a multiple of `real` away.
    fn wrap(&self, geometry: Geometry) -> Option<(u64, u64)> {
        let shifts = || {
            self.runs
                .values()
                .filter(|run| run.phase != Phase::Probe && !self.is_exchanged(run))
                .filter_map(|run| {
                    let Fault::Moved { shift, .. } = run.fault else {
                        return None;
                    };
                    (shift != 0).then_some((run, shift))
                })
        };
        let real = shifts().map(|(_, shift)| shift.unsigned_abs()).min()?;
        let due = geometry.sectors.checked_sub(real)?;
        let mut passes: BTreeMap<u16, Cells> = BTreeMap::new();
        for (run, shift) in shifts().filter(|(_, shift)| shift.unsigned_abs().is_multiple_of(real)) {
            passes.entry(run.step).or_default().add(run, shift, real);
        }
        // As many sectors as are stored are right in each pass.
        let fits = |cells: &Cells| cells.covered >= 8 && (due - due / 10..=due).contains(&cells.covered);
        let fitting = passes.values().filter(|cells| fits(cells) && cells.agree());
        let covered = fitting.map(|cells| cells.covered).max()?;
        Some((real, geometry.sectors - covered))
    }

    /// Whether the sector that these data belong to holds the data of this one, which no single cell can.
    fn is_exchanged(&self, run: &Run) -> bool {
        let Fault::Moved { shift, .. } = run.fault else {
            return false;
        };
        let Some(other) = run.first.checked_add_signed(shift) else {
            return false;
        };
        let there = self.runs.range((run.step, 0)..=(run.step, other)).next_back();
        there.is_some_and(|(_, there)| {
            let back = matches!(there.fault, Fault::Moved { shift: back, .. } if back == shift.wrapping_neg());
            back && other < there.end()
        })
    }

    fn tell(&self, run: &Run, geometry: Geometry, wrap: Option<(u64, u64)>, probed: Option<u64>) -> Finding {
        let place = |shift: i64| run.first.checked_add_signed(shift);
        let tail = run.end() == geometry.sectors && is_tail(run.count, geometry);
        let mut source = None;
        let own = run.fault.words();
        let (kind, detail) = match run.fault {
            Fault::Flips { bits } if u64::from(bits) <= FLIPS_MAX => (FaultKind::BitFlip, own),
            Fault::Flips { .. } | Fault::Torn => (FaultKind::Corrupt, own),
            Fault::Zeros if tail => (FaultKind::Truncated, self.truncated(run, "zeros", geometry)),
            Fault::Ones if tail => (FaultKind::Truncated, self.truncated(run, "ones", geometry)),
            Fault::Foreign if tail => (
                FaultKind::Truncated,
                self.truncated(run, "what was never written", geometry),
            ),
            Fault::Zeros => (FaultKind::Zeroed, own + &self.landed(run)),
            Fault::Ones => (FaultKind::Corrupt, own + &self.landed(run)),
            Fault::Foreign => (FaultKind::LostWrite, own + &self.landed(run)),
            Fault::Stale { .. } => (FaultKind::Stale, own + &self.landed(run)),
            Fault::Moved { shift, .. } => {
                source = place(shift).map(Lba);
                let other = source.map_or_else(String::new, |lba| lba.to_string());
                if let (Phase::Probe, Some(probed)) = (run.phase, probed) {
                    let bytes = wire::Bytes(probed.saturating_mul(u64::from(geometry.sector)));
                    let detail =
                        format!("the probe of {other} shows here: the drive wraps around after {bytes} at most");
                    (FaultKind::WrapAround, detail)
                } else if let Some((_, stored)) = wrap.filter(|(by, _)| shift.unsigned_abs().is_multiple_of(*by)) {
                    let bytes = wire::Bytes(stored.saturating_mul(u64::from(geometry.sector)));
                    (
                        FaultKind::WrapAround,
                        format!("holds the data of {other}: the drive stores only {bytes}"),
                    )
                } else {
                    let why = match source {
                        Some(_) if self.is_exchanged(run) => "the two are exchanged",
                        Some(lba) if self.covers(run.step, lba.0) => "a write went to the wrong place",
                        _ => "a read, or a copy of a write, went to the wrong place",
                    };
                    (FaultKind::Misdirected, format!("holds the data of {other}: {why}"))
                }
            }
            Fault::Transient => (FaultKind::Transient, own),
            Fault::Read { .. } => (FaultKind::ReadError, own),
            Fault::Write { .. } => (FaultKind::WriteError, own),
        };
        Finding {
            step: run.step,
            kind,
            lba: Some(Lba(run.first)),
            sectors: run.count,
            found: source,
            phase: run.phase,
            detail,
        }
    }

    fn truncated(&self, run: &Run, what: &str, geometry: Geometry) -> String {
        let bytes = wire::Bytes(run.first * u64::from(geometry.sector));
        let before = self.runs.range((run.step, 0)..(run.step, run.first));
        let stores = match before
            .into_iter()
            .any(|(_, other)| other.fault.class() == Class::Content)
        {
            // As one that compresses, or that lost what its cache held.
            true => format!("at most {bytes}, and not all of that"),
            false => format!("only {bytes}"),
        };
        format!("from here to the end reads as {what}: the drive stores {stores}")
    }

    /// Where the data that belongs into a run turned up, if it did.
    fn landed(&self, run: &Run) -> String {
        self.runs
            .values()
            .filter(|other| other.step == run.step)
            .find_map(|other| {
                let Fault::Moved { shift, fresh: true } = other.fault else {
                    return None;
                };
                let is_here = other.first.checked_add_signed(shift) == Some(run.first);
                is_here.then(|| format!("; its data lies at {}", Lba(other.first)))
            })
            .unwrap_or_default()
    }
}

/// Whether so many sectors at the end that hold nothing of ours are missing capacity: more than any defect would be.
fn is_tail(sectors: u64, geometry: Geometry) -> bool {
    sectors >= (geometry.sectors / 16).min(2048).max(8 * geometry.grain()) && sectors < geometry.sectors
}

/// Whether a run is of places that the probe wrote and that hold nothing of this job.
fn is_probed_empty(run: &Run) -> bool {
    run.phase == Phase::Probe && matches!(run.fault, Fault::Zeros | Fault::Ones | Fault::Foreign)
}

/// Order of telling: what proves most about the whole drive first.
fn weight(kind: FaultKind) -> u8 {
    match kind {
        FaultKind::WrapAround | FaultKind::Truncated => 0,
        FaultKind::Misdirected => 1,
        FaultKind::WriteError | FaultKind::ReadError | FaultKind::HostMemory => 2,
        FaultKind::BitFlip | FaultKind::Corrupt => 3,
        FaultKind::LostWrite | FaultKind::Stale | FaultKind::Zeroed => 4,
        FaultKind::Disconnect | FaultKind::Hang | FaultKind::Reset => 5,
        FaultKind::Transient => 6,
        FaultKind::Slow => 7,
    }
}

/// What the runs of one pass say of the cells of a drive that might wrap around.
#[derive(Default)]
struct Cells {
    /// Sectors that show the data of another one that maps to their cell.
    covered: u64,
    /// Whose data the cell is seen to hold that a run begins with.
    holds: BTreeMap<u64, u64>,
    runs: u64,
    /// Runs that saw another sector's data in a cell than an earlier one.
    at_odds: u64,
}

impl Cells {
    fn add(&mut self, run: &Run, shift: i64, real: u64) {
        self.covered += run.count;
        self.runs += 1;
        let seen = run.first.wrapping_add_signed(shift);
        let held = *self.holds.entry(run.first % real).or_insert(seen);
        self.at_odds += u64::from(held != seen);
    }

    /// A cell holds one sector's data, wherever it is read. A few may be at odds for defects of another kind.
    fn agree(&self) -> bool {
        self.at_odds <= self.runs / 10
    }
}

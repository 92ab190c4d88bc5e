//! Bad sectors: kept as runs, told as findings with a kind and a place.
//!
//! While it runs, each sector's own content is all that is known ([`Fault`]). What that
//! *means* often shows only over the whole drive: one sector with another's data is a
//! misdirected access, all of them shifted by the same distance is a drive that wraps
//! around. [`Defects::findings`] is that second look, a pure function of the runs.

mod beyond;
mod fault;
mod lost;
mod tell;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use wire::job::Phase;

use beyond::Beyond;
pub use beyond::Visit;
pub(crate) use fault::FLIPS_MAX;
pub use fault::{Class, Fault};
pub use lost::{fails, keep_untold, more_bad_sectors, not_met_again, outcome_of_all};

/// Runs kept one by one; bad sectors beyond them are only counted, by step, round and class.
pub const RUNS_MAX: usize = 4096;

/// How one of a long access begins that wrote: what a shingled disk takes its time for, whichever step it is of.
pub(crate) const A_WRITE: &str = "a write";

/// Whether a long access wrote.
pub(crate) fn is_slow_write(detail: &str) -> bool {
    detail.starts_with(A_WRITE)
}

/// Consecutive sectors with the same fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Step that saw it.
    pub step: u16,
    /// That step's phase.
    pub phase: Phase,
    /// First sector.
    pub first: u64,
    /// Number of sectors.
    pub count: u64,
    /// What is wrong.
    pub fault: Fault,
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.count
    }
}

/// All bad sectors of a burn-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Defects {
    runs: BTreeMap<(u16, u64), Run>,
    /// Sectors of which no place is kept, by step, round and class. Those that another step's run covers are not among them.
    beyond: Beyond,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    runs: Vec<Run>,
    /// All of them, for engines that know no classes.
    beyond: u64,
    /// By step and class, as engines wrote them that knew no rounds: those of a soak add up in it.
    #[serde(default, skip_serializing)]
    beyond_by: Vec<(u16, Class, u64)>,
    #[serde(default)]
    beyond_rounds: Vec<(u16, u32, Class, u64)>,
}

impl From<Stored> for Defects {
    fn from(stored: Stored) -> Self {
        let mut beyond = Beyond::of(stored.beyond_rounds);
        if beyond.is_empty() {
            let steps = stored.beyond_by.into_iter();
            beyond = Beyond::of(steps.map(|(step, class, n)| (step, 0, class, n)));
        }
        if beyond.is_empty() && stored.beyond > 0 {
            // Of an engine that counted them without their class: differing data is what makes so many, and of which kind is not known,
            // so that bad memory of the host may have made them.
            beyond = Beyond::of([(0, 0, Class::Bits, stored.beyond)]);
        }
        let mut defects = Self {
            runs: BTreeMap::new(),
            beyond,
        };
        defects.put_runs(stored.runs);
        defects
    }
}

impl From<Defects> for Stored {
    fn from(defects: Defects) -> Self {
        Self {
            beyond: defects.beyond.all(),
            beyond_by: Vec::new(),
            beyond_rounds: defects.beyond.rows(),
            runs: defects.runs.into_values().collect(),
        }
    }
}

impl Defects {
    /// Adds a run that the step `at` saw in its first round, as [`Defects::add_one`] does sector by sector.
    pub fn add(&mut self, (step, phase): (u16, Phase), first: u64, count: u64, fault: Fault) {
        let visit = Visit {
            step,
            phase,
            round: 0,
            again: false,
        };
        for lba in first..first.saturating_add(count) {
            self.add_one(visit, lba, fault);
        }
    }

    /// Adds a sector; one that the step already told of keeps what was told first, but for what was wrong once: what shows again is
    /// worse. Returns whether it was only counted, since no more places are kept.
    pub fn add_one(&mut self, visit: Visit, lba: u64, fault: Fault) -> bool {
        let Visit { step, phase, .. } = visit;
        if fault != Fault::Transient && !self.forget_once(step, lba) {
            return self.beyond.count(visit, fault.class());
        }
        let before = self
            .runs
            .range_mut((step, 0)..=(step, lba))
            .next_back()
            .map(|(_, run)| run);
        let mut first = None;
        if let Some(run) = before {
            if lba < run.end() {
                return false;
            }
            if run.end() == lba && run.fault.joins(fault) {
                run.count += 1;
                first = Some(run.first);
            }
        }
        let first = match first {
            Some(first) => first,
            None if self.runs.len() >= RUNS_MAX => {
                // What another step saw with its place is one bad sector, however many steps see it; but each class is told.
                let new = |run: &Run| run.fault.class() != fault.class();
                return self.at(lba).all(new) && self.beyond.count(visit, fault.class());
            }
            None => {
                self.runs.insert(
                    (step, lba),
                    Run {
                        step,
                        phase,
                        first: lba,
                        count: 1,
                        fault,
                    },
                );
                lba
            }
        };
        if let Some(next) = self.runs.get(&(step, lba + 1)).copied()
            && next.fault.joins(fault)
        {
            self.runs.remove(&(step, lba + 1));
            if let Some(run) = self.runs.get_mut(&(step, first)) {
                run.count += next.count;
            }
        }
        false
    }

    /// Takes back sectors that were only counted, since the step comes to them again.
    pub(crate) fn take_back(&mut self, step: u16, round: u32, class: Class, sectors: u64) {
        self.beyond.take_back(step, round, class, sectors);
    }

    /// Takes all runs out, in order: a checkpoint keeps them in rows of their own.
    pub(crate) fn take_runs(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.runs).into_values().collect()
    }

    /// Puts such runs back.
    pub(crate) fn put_runs(&mut self, runs: Vec<Run>) {
        self.runs
            .extend(runs.into_iter().map(|run| ((run.step, run.first), run)));
    }

    /// The run of each step that covers this sector.
    fn at(&self, lba: u64) -> impl Iterator<Item = &Run> {
        let mut step = self.runs.keys().next().map(|(step, _)| *step);
        std::iter::from_fn(move || {
            let now = step?;
            step = self
                .runs
                .range((now.checked_add(1)?, 0)..)
                .next()
                .map(|((step, _), _)| *step);
            Some(self.runs.range((now, 0)..=(now, lba)).next_back())
        })
        .flatten()
        .map(|(_, run)| run)
        .filter(move |run| lba < run.end())
    }

    /// Takes a sector out of a run of those that were wrong once; false where there is no room to keep it as anything else.
    fn forget_once(&mut self, step: u16, lba: u64) -> bool {
        let Some((key, run)) = self.runs.range((step, 0)..=(step, lba)).next_back() else {
            return true;
        };
        let (key, run) = (*key, *run);
        if run.fault != Fault::Transient || lba >= run.end() {
            return true;
        }
        let halves = [(run.first, lba), (lba + 1, run.end())];
        let halves = halves.into_iter().filter(|(first, end)| first < end);
        // What takes its place needs the room of the whole.
        if self.runs.len() + halves.clone().count() > RUNS_MAX {
            return false;
        }
        self.runs.remove(&key);
        for (first, end) in halves {
            let count = end - first;
            self.runs.insert((step, first), Run { first, count, ..run });
        }
        true
    }

    /// Whether nothing is bad.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.beyond.is_empty()
    }

    /// All runs by step and place.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// Whether this step found the sector bad.
    pub fn covers(&self, step: u16, lba: u64) -> bool {
        self.runs
            .range((step, 0)..=(step, lba))
            .next_back()
            .is_some_and(|(_, run)| lba < run.end())
    }

    /// How many sectors this step found bad; of those without a place as many as its worst round.
    pub(crate) fn of_step(&self, step: u16) -> u64 {
        let placed = self.runs.range((step, 0)..=(step, u64::MAX)).map(|(_, run)| run.count);
        placed.sum::<u64>().saturating_add(self.beyond.of_step(step))
    }

    /// Whether any step found the sector bad.
    pub(crate) fn are_at(&self, lba: u64) -> bool {
        self.runs().any(|run| (run.first..run.end()).contains(&lba))
    }

    /// Number of different bad sectors; [`Evidence::bad_sectors`](crate::Evidence::bad_sectors) knows the size of the drive.
    pub fn bad_sectors(&self) -> u64 {
        self.bad_sectors_in(0..u64::MAX)
    }

    /// Number of different bad sectors in this range, and no more than it has; those of which no place is kept may lie in any. Of
    /// several steps and rounds they may be the same.
    pub fn bad_sectors_in(&self, range: Range<u64>) -> u64 {
        let length = range.end.saturating_sub(range.start);
        let placed = self.different(range, |_| true);
        placed.saturating_add(self.beyond(|_| true)).min(length)
    }

    /// Bad sectors of such classes of which no place is kept, as the round of a step saw them that saw most.
    pub fn beyond(&self, such: impl Fn(Class) -> bool) -> u64 {
        self.beyond.most(such)
    }

    /// Number of different sectors in this range that such runs tell of: several steps may have seen the same.
    pub fn different(&self, range: Range<u64>, such: impl Fn(&Run) -> bool) -> u64 {
        let runs = self.runs.values().filter(|run| such(run));
        wire::different(runs.map(|run| run.first.max(range.start)..run.end().min(range.end)))
    }
}

#[cfg(test)]
mod tests;

//! Bad sectors: kept as runs, told as findings with a kind and a place.
//!
//! While it runs, each sector's own content is all that is known ([`Fault`]). What that
//! *means* often shows only over the whole drive: one sector with another's data is a
//! misdirected access, all of them shifted by the same distance is a drive that wraps
//! around. [`Defects::findings`] is that second look, a pure function of the runs.

mod lost;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use wire::Lba;
use wire::job::{FINDINGS_MAX, FaultKind, Finding, Phase};

pub use lost::{keep_untold, outcome_of_all};

use crate::device::Geometry;
use crate::header::HEADER_PASS;
use crate::pipeline::{PROBE_PASS, SAMPLE_PASS, probe_places};

/// Runs kept one by one; bad sectors beyond them are only counted, by step, round and class.
pub const RUNS_MAX: usize = 4096;

/// How an incident ends that was an error and did not show again; it blames the link as much as the drive.
pub(crate) const NOT_REPRODUCED: &str = "succeeded when tried again";

/// How one ends of which that is not known, because the job was stopped or cut before it was tried again.
pub(crate) const NOT_TRIED_AGAIN: &str = "not tried again before the job was interrupted";

/// How one ends of which that is not known, because the step was given up before it was tried again.
pub(crate) const GIVEN_UP: &str = "not tried again, since the step was given up";

/// Inverted bits in 512 bytes up to which damage is called a bit flip rather than corruption.
pub(crate) const FLIPS_MAX: u64 = 64;

/// What is wrong with one sector, from its own content or its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Its own data with so many bits inverted.
    Flips {
        /// Inverted bits of the first damaged 512 bytes.
        bits: u32,
    },
    /// Partly its own data.
    Torn,
    /// Zero bits only.
    Zeros,
    /// One bits only.
    Ones,
    /// Nothing of this job.
    Foreign,
    /// Its own data of another pass.
    Stale {
        /// That pass.
        pass: u8,
    },
    /// The data of the sector `shift` further on.
    Moved {
        /// Sector found minus sector asked for.
        shift: i64,
        /// Whether it was written in the pass that was asked for.
        fresh: bool,
    },
    /// Wrong once, right on every re-read.
    Transient,
    /// Unreadable, also when tried again.
    Read {
        /// The kernel's error number.
        errno: i32,
    },
    /// Unwritable, also when tried again.
    Write {
        /// The kernel's error number.
        errno: i32,
    },
}

impl Fault {
    /// Whether bad memory or a bad memory bus of the host gives the same: wrong bits that nothing else explains.
    ///
    /// Other sectors' data, old data, zeros and errors are nothing that a bad cell makes.
    pub fn may_be_memory(self) -> bool {
        self.class().may_be_memory()
    }

    /// What the rules tell apart of it.
    pub fn class(self) -> Class {
        match self {
            Self::Flips { .. } | Self::Torn => Class::Bits,
            Self::Zeros | Self::Ones | Self::Foreign | Self::Stale { .. } => Class::Content,
            Self::Moved { .. } => Class::Misplaced,
            Self::Transient => Class::Transient,
            Self::Read { .. } => Class::Read,
            Self::Write { .. } => Class::Write,
        }
    }

    /// Whether two neighbours with these faults make one run.
    fn joins(self, other: Self) -> bool {
        match (self, other) {
            (Self::Flips { bits: a }, Self::Flips { bits: b }) => {
                (u64::from(a) <= FLIPS_MAX) == (u64::from(b) <= FLIPS_MAX)
            }
            (a, b) => a == b,
        }
    }
}

/// Faults that the rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Its own data with wrong bits.
    Bits,
    /// Other content than what was written: zeros, ones, old or foreign data.
    Content,
    /// Another sector's data.
    Misplaced,
    /// Wrong once.
    Transient,
    /// Unreadable.
    Read,
    /// Unwritable.
    Write,
}

impl Class {
    /// See [`Fault::may_be_memory`].
    pub fn may_be_memory(self) -> bool {
        match self {
            Self::Bits | Self::Transient => true,
            Self::Content | Self::Misplaced | Self::Read | Self::Write => false,
        }
    }
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
    beyond: BTreeMap<(u16, u32, Class), u64>,
}

/// When a sector was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Step that saw it.
    pub step: u16,
    /// That step's phase.
    pub phase: Phase,
    /// How often the step had been run to its end before.
    pub round: u32,
    /// Whether it may have come to the sector before in this round: by a seek, where it reads the headers once more, or where it goes
    /// back after an interruption. Of sectors without a place it is not known which they are, so that only the first of a class counts.
    pub again: bool,
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
        let rounds = stored.beyond_rounds.into_iter();
        let mut beyond: BTreeMap<_, _> = rounds
            .map(|(step, round, class, n)| ((step, round, class), n))
            .collect();
        if beyond.is_empty() {
            let steps = stored.beyond_by.into_iter();
            beyond = steps.map(|(step, class, n)| ((step, 0, class), n)).collect();
        }
        if beyond.is_empty() && stored.beyond > 0 {
            // Of an engine that counted them without their class: differing data is what makes so many, and of which kind is not known,
            // so that bad memory of the host may have made them.
            beyond.insert((0, 0, Class::Bits), stored.beyond);
        }
        Self {
            runs: stored
                .runs
                .into_iter()
                .map(|run| ((run.step, run.first), run))
                .collect(),
            beyond,
        }
    }
}

impl From<Defects> for Stored {
    fn from(defects: Defects) -> Self {
        Self {
            beyond: defects.beyond.values().fold(0, |all, n| all.saturating_add(*n)),
            beyond_by: Vec::new(),
            beyond_rounds: defects
                .beyond
                .into_iter()
                .map(|((step, round, class), n)| (step, round, class, n))
                .collect(),
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
            return self.count(visit, fault.class());
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
                return self.at(lba).all(new) && self.count(visit, fault.class());
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

    /// Counts one of which no place is kept; whether it did.
    fn count(&mut self, visit: Visit, class: Class) -> bool {
        let Visit { step, round, again, .. } = visit;
        if !self.beyond.contains_key(&(step, round, class)) {
            self.forget_rounds(step, round);
        }
        let counted = self.beyond.entry((step, round, class)).or_default();
        let counts = !again || *counted == 0;
        *counted += u64::from(counts);
        counts
    }

    /// Keeps of the rounds of a step, of which a soak has thousands, those that saw most, in all and of a class, and `now`.
    fn forget_rounds(&mut self, step: u16, now: u32) {
        let mut most: BTreeMap<Option<Class>, (u64, u32)> = BTreeMap::new();
        let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
        for ((_, round, class), count) in self.of_step(step) {
            let sum = sums.entry(*round).or_default();
            *sum = sum.saturating_add(*count);
            for (of, count) in [(Some(*class), *count), (None, *sum)] {
                let most = most.entry(of).or_default();
                *most = (*most).max((count, *round));
            }
        }
        let kept = |round: u32| round == now || most.values().any(|(_, of)| *of == round);
        self.beyond.retain(|(of, round, _), _| *of != step || kept(*round));
    }

    /// What a step counted, by round and class.
    fn of_step(&self, step: u16) -> impl Iterator<Item = (&(u16, u32, Class), &u64)> {
        self.beyond
            .range((step, 0, Class::Bits)..)
            .take_while(move |((of, ..), _)| *of == step)
    }

    /// Takes back sectors that were only counted, since the step comes to them again. One of a class stays: what may show only once is
    /// not forgotten.
    pub(crate) fn take_back(&mut self, step: u16, round: u32, class: Class, sectors: u64) {
        if let Some(counted) = self.beyond.get_mut(&(step, round, class)) {
            *counted = counted.saturating_sub(sectors).max(1);
        }
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
        let mut rounds: BTreeMap<(u16, u32), u64> = BTreeMap::new();
        for ((step, round, class), count) in &self.beyond {
            if such(*class) {
                let sum = rounds.entry((*step, *round)).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        rounds.into_values().max().unwrap_or(0)
    }

    /// Number of different sectors in this range that such runs tell of: several steps may have seen the same.
    pub fn different(&self, range: Range<u64>, such: impl Fn(&Run) -> bool) -> u64 {
        let runs = self.runs.values().filter(|run| such(run));
        wire::different(runs.map(|run| run.first.max(range.start)..run.end().min(range.end)))
    }

    /// What the runs mean, the most telling first; at most [`FINDINGS_MAX`].
    pub fn findings(&self, geometry: Geometry) -> Vec<Finding> {
        let wrap = self.wrap(geometry);
        let probed = self.probed();
        let tail = self.unstored(geometry);
        let in_tail = |run: &Run| {
            tail.as_ref()
                .is_some_and(|from| is_probed_empty(run) && run.first >= *from)
        };
        let mut found: Vec<Finding> = self
            .runs
            .values()
            .filter(|run| !in_tail(run))
            .map(|run| self.tell(run, geometry, wrap, probed))
            .collect();
        let first = self.runs.values().find(|run| in_tail(run));
        found.extend(first.map(|run| {
            let mut of_tail = self.runs.values().filter(|other| in_tail(other));
            let what = match run.fault {
                fault if of_tail.any(|other| other.fault != fault) => "what was never written",
                Fault::Zeros => "zeros",
                Fault::Ones => "ones",
                _ => "what was never written",
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
        found.truncate(FINDINGS_MAX);
        found
    }

    /// What all distances that the probe saw have in common: the real capacity in sectors divides it.
    fn probed(&self) -> u64 {
        let shifts = self.runs.values().filter(|run| run.phase == Phase::Probe);
        shifts.fold(0, |common, run| match run.fault {
            Fault::Moved { shift, .. } => {
                let (mut a, mut b) = (common, shift.unsigned_abs());
                while b > 0 {
                    (a, b) = (b, a % b);
                }
                a
            }
            _ => common,
        })
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

    /// Whether the probe proved that the drive stores less than it claims: it saw data that belongs elsewhere, an end that is not
    /// stored, or nothing at a good part of its places. A place or two are defects like any other, of which a write tells.
    pub(crate) fn proves_false_capacity(&self, geometry: Geometry) -> bool {
        let mut probed = self.runs.values().filter(|run| run.phase == Phase::Probe);
        probed.any(|run| matches!(run.fault, Fault::Moved { .. }))
            || self.unstored(geometry).is_some()
            || self.probed_empty(geometry).len() > (probe_places(geometry).len() / 8).max(1)
    }

    /// The real capacity in sectors, if the runs are those of a drive that wraps around.
    ///
    /// After one pass over such a drive every cell holds the sector that was written last of those that map to it: the
    /// highest one after a pass forward, the lowest one after a pass in reverse, and another one where writes in flight
    /// overtook each other. So all but `real` sectors show the data of a sector a multiple of `real` away.
    fn wrap(&self, geometry: Geometry) -> Option<u64> {
        let shifts = || {
            self.runs
                .values()
                .filter(|run| run.phase != Phase::Probe && !self.is_exchanged(run))
                .filter_map(|run| match run.fault {
                    Fault::Moved { shift, .. } if shift != 0 => Some((run.step, shift.unsigned_abs(), run.count)),
                    _ => None,
                })
        };
        let real = shifts().map(|(_, shift, _)| shift).min()?;
        let due = geometry.sectors.checked_sub(real)?;
        let mut covered: BTreeMap<u16, u64> = BTreeMap::new();
        for (step, _, count) in shifts().filter(|(_, shift, _)| shift.is_multiple_of(real)) {
            *covered.entry(step).or_default() += count;
        }
        // As many sectors as are stored are right in each pass.
        let fits = |covered: &u64| *covered >= 8 && (due - due / 10..=due).contains(covered);
        covered.values().any(fits).then_some(real)
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

    fn tell(&self, run: &Run, geometry: Geometry, wrap: Option<u64>, probed: u64) -> Finding {
        let place = |shift: i64| run.first.checked_add_signed(shift);
        // A tail that holds nothing of ours is missing capacity once it is larger than any defect would be.
        let tail = run.end() == geometry.sectors
            && run.count >= (geometry.sectors / 16).min(2048).max(8 * geometry.grain())
            && run.count < geometry.sectors;
        let mut source = None;
        let (kind, detail) = match run.fault {
            Fault::Flips { bits } if u64::from(bits) <= FLIPS_MAX => (
                FaultKind::BitFlip,
                format!("{bits} {} of 4096 differ", if bits == 1 { "bit" } else { "bits" }),
            ),
            Fault::Flips { bits } => (FaultKind::Corrupt, format!("{bits} bits of 4096 differ")),
            Fault::Torn => (
                FaultKind::Corrupt,
                "part of the sector is not what was written".to_owned(),
            ),
            Fault::Zeros if tail => (FaultKind::Truncated, self.truncated(run, "zeros", geometry)),
            Fault::Ones if tail => (FaultKind::Truncated, self.truncated(run, "ones", geometry)),
            Fault::Foreign if tail => (
                FaultKind::Truncated,
                self.truncated(run, "what was never written", geometry),
            ),
            Fault::Zeros => (FaultKind::Zeroed, "reads as zeros".to_owned() + &self.landed(run)),
            Fault::Ones => (FaultKind::Corrupt, "reads as ones".to_owned() + &self.landed(run)),
            Fault::Foreign => (
                FaultKind::LostWrite,
                "holds nothing that was written in this job".to_owned() + &self.landed(run),
            ),
            Fault::Stale { pass } => (
                FaultKind::Stale,
                format!("holds its data of {}", pass_words(pass)) + &self.landed(run),
            ),
            Fault::Moved { shift, .. } => {
                source = place(shift).map(Lba);
                let other = source.map_or_else(String::new, |lba| lba.to_string());
                if run.phase == Phase::Probe {
                    let bytes = wire::Bytes(probed.saturating_mul(u64::from(geometry.sector)));
                    let detail = format!("the probe of {other} shows here: the drive stores at most {bytes}");
                    (FaultKind::WrapAround, detail)
                } else if let Some(real) = wrap.filter(|real| shift.unsigned_abs().is_multiple_of(*real)) {
                    let bytes = wire::Bytes(real.saturating_mul(u64::from(geometry.sector)));
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
            Fault::Transient => (
                FaultKind::Transient,
                "differed once and was right when read again: cable, memory and controller are suspects".to_owned(),
            ),
            Fault::Read { errno } => (FaultKind::ReadError, error(errno, "read")),
            Fault::Write { errno } => (FaultKind::WriteError, error(errno, "written")),
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
            .find_map(|other| match other.fault {
                Fault::Moved { shift, fresh: true } if other.first.checked_add_signed(shift) == Some(run.first) => {
                    Some(format!("; its data lies at {}", Lba(other.first)))
                }
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// Whether a run is of places that the probe wrote and that hold nothing of this job.
fn is_probed_empty(run: &Run) -> bool {
    run.phase == Phase::Probe && matches!(run.fault, Fault::Zeros | Fault::Ones | Fault::Foreign)
}

/// A pass as it is called in findings.
fn pass_words(pass: u8) -> String {
    match pass {
        PROBE_PASS => "the capacity probe".to_owned(),
        SAMPLE_PASS => "the samples".to_owned(),
        HEADER_PASS => "the job's header".to_owned(),
        pass => format!("pass {pass}"),
    }
}

fn error(errno: i32, done: &str) -> String {
    format!(
        "{}; could not be {done} when tried again",
        crate::device::errno_text(errno)
    )
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

#[cfg(test)]
mod tests;

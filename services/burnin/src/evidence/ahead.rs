//! How long it takes until a job under way has done its steps, by what it has seen of them. Pure.
//!
//! How fast a sweep is only sweeps tell: scattered places are far slower, trims and what reads them back far faster. Before one has
//! moved nobody knows. A block that is repeated for a time ends the round that it has begun, which may be days behind that time.
//! Held against what came in `tests/left.rs`.

use wire::job::Phase;

use super::{Evidence, Record};
use crate::playbook::Soak;

/// A job under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead<'a> {
    evidence: &'a Evidence,
    /// Its step under way: index into the evidence's records.
    at: usize,
    /// Bytes a second that this step moved just now; `None` before it has moved for a while.
    rate: Option<f64>,
}

/// How far that is, in percent, what took `spent` seconds and has so many `left`.
pub(crate) fn percent_by_time(spent: f64, left: f64) -> f64 {
    100.0 * spent / (spent + left).max(f64::EPSILON)
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(evidence: &'a Evidence, at: usize, rate: Option<f64>) -> Self {
        Self { evidence, at, rate }
    }

    /// Seconds to the end of the step under way.
    pub(crate) fn of_step(&self) -> Option<f64> {
        let record = self.evidence.phases.get(self.at)?;
        let moves = || Some(record.left() as f64 / self.rate.filter(|rate| *rate > 0.0)?);
        record.timed_left().or_else(moves)
    }

    /// Seconds to the end of the job; `None` while nobody can tell how long a sweep of it takes, or the drive stands still.
    pub(crate) fn of_job(&self) -> Option<f64> {
        let records = &self.evidence.phases;
        let once = self
            .remaining()
            .filter(|(_, record)| record.work.soak.is_none())
            .map(|(at, record)| self.lasts(at, record));
        let mut soaks: Vec<Soak> = records.iter().filter_map(|record| record.work.soak).collect();
        soaks.dedup();
        let soaks = soaks.into_iter().map(|soak| self.of_soak(soak));
        once.chain(soaks).sum()
    }

    /// Whether a block is repeated for a time in it.
    pub(crate) fn has_soak(&self) -> bool {
        let soaks = |record: &Record| record.work.soak.is_some() && record.unsupported.is_none();
        self.evidence.phases.iter().any(soaks)
    }

    /// The step under way and those behind it, without what the drive cannot do.
    fn remaining(&self) -> impl Iterator<Item = (usize, &'a Record)> {
        let records = self.evidence.phases.iter().enumerate().skip(self.at);
        records.filter(|(_, record)| record.unsupported.is_none())
    }

    /// Seconds that a block has to come which is repeated for a time.
    fn of_soak(&self, soak: Soak) -> Option<f64> {
        let under_way = self.evidence.phases.get(self.at)?.step;
        let block = || self.evidence.block(soak).filter(|record| record.unsupported.is_none());
        if soak.last < under_way || block().next().is_none() {
            return Some(0.0);
        }
        let round: f64 = block().map(|record| self.whole(record)).sum::<Option<f64>>()?;
        let here = || self.remaining().filter(|(_, record)| record.work.soak == Some(soak));
        let rest: f64 = here().map(|(at, record)| self.lasts(at, record)).sum::<Option<f64>>()?;
        // By means, so that what the drive does just now neither adds a round nor takes one.
        let usual: f64 = here().map(|(at, record)| self.usual(at, record)).sum::<Option<f64>>()?;
        let due = self.evidence.soak_left(soak);
        if round <= 0.0 {
            return Some(due);
        }
        Some(rest + ((due - usual) / round).ceil().max(0.0) * round)
    }

    /// Seconds that a step has to come, where it is under way as fast as it is now.
    fn lasts(&self, at: usize, record: &Record) -> Option<f64> {
        match self.rate {
            Some(_) if at == self.at && record.timed_left().is_none() && record.left() > 0 => self.of_step(),
            Some(_) | None => self.usual(at, record),
        }
    }

    /// The same, as fast as such steps usually are.
    fn usual(&self, at: usize, record: &Record) -> Option<f64> {
        match record.timed_left() {
            _ if at != self.at => self.whole(record),
            Some(seconds) => Some(seconds),
            None if record.left() == 0 => Some(0.0),
            None => Some(self.whole(record)? * record.left() as f64 / record.total.0 as f64),
        }
    }

    /// Seconds that a step takes from its beginning to its end, once.
    fn whole(&self, record: &Record) -> Option<f64> {
        if record.work.seconds > 0 {
            return Some(record.work.seconds as f64);
        }
        if matches!(
            record.phase,
            Phase::Write | Phase::Verify | Phase::Scan | Phase::TrimCheck
        ) {
            return Some(record.total.0 as f64 / self.sweeps(record.phase)?);
        }
        // Seconds, mostly, and how many shows the first time.
        Some(record.seconds / f64::from(record.rounds.max(1)))
    }

    /// Bytes a second of the job's sweeps of this kind, else of all its sweeps.
    fn sweeps(&self, phase: Phase) -> Option<f64> {
        let mean = |is: &dyn Fn(Phase) -> bool| {
            let of = self.evidence.phases.iter().filter(|record| is(record.phase));
            let measured = of.map(|record| (record.measured(), record.seconds));
            let (bytes, seconds) = measured.fold((0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            (bytes > 0 && seconds > 0.0).then(|| bytes as f64 / seconds)
        };
        let reads = |phase| matches!(phase, Phase::Verify | Phase::Scan);
        mean(&|of| of == phase || (reads(of) && reads(phase))).or_else(|| mean(&|of| of == Phase::Write || reads(of)))
    }
}

impl Record {
    /// Bytes that it has to move yet, in its round under way.
    fn left(&self) -> u64 {
        self.total.0.saturating_sub(self.done.0)
    }

    /// Seconds that it has to go on yet, in its round under way; `None` where it does not end by its time.
    pub(crate) fn timed_left(&self) -> Option<f64> {
        let due = self.work.seconds as f64 * f64::from(self.rounds.saturating_add(1));
        (self.work.seconds > 0).then(|| (due - self.seconds).clamp(0.0, self.work.seconds as f64))
    }

    /// Bytes of which it measured how long they took.
    pub(super) fn measured(&self) -> u64 {
        self.zones.zones().iter().map(|zone| zone.0).sum()
    }
}

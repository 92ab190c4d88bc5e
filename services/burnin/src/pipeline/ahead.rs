//! A drive that is further than the checkpoint that its job went on from: what it holds then is of work that is still to come, and no
//! fault of the drive.

use wire::job::{Phase, PhaseStatus};

use super::Pipeline;
use super::leg::trim_piece;
use crate::checkpoint::Holds;
use crate::evidence::Record;
use crate::findings::Fault;
use crate::playbook::{Direction, PASSES};

/// A sector that differs, in the step under way of a job that was interrupted.
struct Sector<'a> {
    pipeline: &'a Pipeline,
    here: &'a Record,
    holds: Holds,
    lba: u64,
}

impl Pipeline {
    /// Whether this is data of a write that is still to come, or what a trim that is still to come left: after an interruption that is no
    /// fault of the drive, the job had come further than the checkpoint that was kept.
    ///
    /// A pass tells it. A constant stood there in every round of a block that is repeated, and a drive that lost its data reads as one,
    /// too: that counts as ahead only until all was read back once since the interruption, and where that write can have come to.
    pub(super) fn is_ahead(&self, lba: u64, fault: Fault) -> bool {
        let (Some(here), Some(holds)) = (self.evidence.phases.get(self.at), self.holds) else {
            return false;
        };
        if self.evidence.resumes.is_empty() {
            return false;
        }
        let sector = Sector {
            pipeline: self,
            here,
            holds,
            lba,
        };
        match fault {
            Fault::Zeros => sector.is_of_constant(0) || sector.is_of_trim(),
            Fault::Ones => sector.is_of_constant(u64::MAX) || sector.is_of_trim(),
            Fault::Stale { pass } => sector.is_of_pass(pass),
            Fault::Flips { .. }
            | Fault::Torn
            | Fault::Foreign
            | Fault::Moved { .. }
            | Fault::Transient
            | Fault::Read { .. }
            | Fault::Write { .. } => false,
        }
    }
}

impl Sector<'_> {
    /// Whether the data of this pass is of a write to come.
    fn is_of_pass(&self, pass: u8) -> bool {
        let mut of_pass = self.writes().filter(|(_, record)| record.work.pass == pass).peekable();
        let word = of_pass.peek().and_then(|(_, record)| record.work.fill.constant());
        // Each write counts on from the one before. How many a soak has nobody knows: a checkpoint may be any number of its rounds
        // behind, and what a drive lost is of one that is not long past.
        let ahead = self.writes().filter(|(at, _)| *at > self.pipeline.at);
        let soaked = self.here.work.soak.is_some() || ahead.clone().any(|(_, record)| record.work.soak.is_some());
        let known = match soaked {
            true => usize::from(PASSES / 2),
            false => ahead.count(),
        };
        let passes = (0..).scan(self.holds.pass, |pass, _: usize| {
            *pass = *pass % PASSES + 1;
            Some(*pass)
        });
        let told = passes.take(known).any(|later| later == pass);
        told || word.is_some_and(|word| self.is_of_constant(word))
    }

    /// Whether a write of this constant may have come here.
    fn is_of_constant(&self, word: u64) -> bool {
        let Pipeline { geometry, limits, .. } = self.pipeline;
        let unflushed = limits.checkpoint_bytes.saturating_add(limits.rewind_bytes) / u64::from(geometry.sector);
        self.pipeline.unread
            && self
                .writes()
                .filter(|(at, record)| self.is_to_come(*at, record))
                .any(|(_, record)| {
                    record.work.fill.constant() == Some(word) && self.may_have_come(record.work.order, unflushed)
                })
    }

    /// Whether a trim may have come here.
    fn is_of_trim(&self) -> bool {
        let Pipeline {
            slots, block, geometry, ..
        } = self.pipeline;
        let at_once = slots * block.max(&trim_piece(*geometry, self.pipeline.drive().trim));
        let is_done = |record: &Record| record.phase == Phase::Trim && record.status != PhaseStatus::Skipped;
        self.pipeline.unread
            && self.may_have_come(Direction::Forward, at_once)
            && self
                .records()
                .any(|(at, record)| is_done(record) && self.is_to_come(at, record))
    }

    fn records(&self) -> impl Iterator<Item = (usize, &Record)> + Clone {
        self.pipeline.evidence.phases.iter().enumerate()
    }

    fn writes(&self) -> impl Iterator<Item = (usize, &Record)> + Clone {
        self.records().filter(|(_, record)| record.phase == Phase::Write)
    }

    /// Whether a step is done later, or once more in the next round of a block that is repeated.
    fn is_to_come(&self, at: usize, record: &Record) -> bool {
        let step = record.step;
        let soak = self.here.work.soak;
        let again = soak.is_some_and(|soak| (soak.first..=soak.last).contains(&step) && step != self.holds.step);
        at > self.pipeline.at || again
    }

    /// Whether a write or a trim in this order that the checkpoint knows nothing of may have come here: none did where this session
    /// has read back, further in front of it than what may be under way or in the drive's cache at once, `open` sectors.
    fn may_have_come(&self, order: Direction, open: u64) -> bool {
        let Self {
            pipeline, here, lba, ..
        } = self;
        let geometry = pipeline.geometry;
        let last = pipeline.evidence.resumes.last();
        let resumed = last.filter(|resume| resume.step == here.step);
        let from = resumed.map_or(0, |resume| resume.from.0 / u64::from(geometry.sector));
        let position = match order {
            Direction::Forward => *lba,
            Direction::Reverse => geometry.sectors - 1 - lba,
        };
        here.work.order != order || position < from.saturating_add(open)
    }
}

//! How a burn-in begins: fresh, or from a checkpoint.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wire::Bytes;
use wire::job::{Phase, Resume};

use super::leg::{Area, Leg, legs};
use super::{Error, Pipeline};
use crate::checkpoint::{self, Checkpoint};
use crate::device::Op;
use crate::evidence::Evidence;
use crate::playbook::moves_data;
use crate::worker::{Order, Report};

impl Pipeline {
    /// Begins an order, or goes on with it from its checkpoint.
    ///
    /// # Errors
    /// When the order makes no sense or its checkpoint cannot be used; nothing was touched then.
    pub fn new(order: &Order, engine: &str, now: Duration) -> Result<Self, Error> {
        let geometry = order.geometry.check()?;
        let phases: Vec<Phase> = order.phases.iter().copied().filter(|p| moves_data(*p)).collect();
        if phases.is_empty() {
            return Err(Error::Phases);
        }
        let block = order.io.block;
        if block == 0 || !block.is_multiple_of(geometry.physical) {
            return Err(Error::Block {
                block,
                physical: geometry.physical,
            });
        }
        let mut evidence = Evidence::new(geometry, &phases);
        let legs = legs(&phases, geometry, order.key);
        for (at, record) in evidence.phases.iter_mut().enumerate() {
            let sectors: u64 = legs
                .iter()
                .filter(|leg| leg.phase == at)
                .map(|leg| leg.area.sectors(geometry))
                .sum();
            record.total = Bytes(sectors * u64::from(geometry.sector));
        }
        let mut pipeline = Self {
            key: order.key,
            geometry,
            limits: order.limits,
            phases,
            block: u64::from(block / geometry.sector),
            legs,
            leg: 0,
            cursor: 0,
            flights: BTreeMap::new(),
            detours: Vec::new(),
            groups: BTreeMap::new(),
            group_next: 0,
            durable: 0,
            flushed: false,
            errors: 0,
            rereads_left: order.limits.reread_blocks,
            located: (0, 0),
            stopping: None,
            held: None,
            over: false,
            evidence,
            reports: Vec::new(),
            turned: now,
            moved_at: now,
            checkpoint_at: now,
            checkpoint_bytes: 0,
            unsaved_findings: false,
            untold_findings: true,
            told_at: now,
            moved: 0,
            rates: VecDeque::new(),
        };
        let mut from = 0;
        if let Some(resume) = &order.resume {
            let checkpoint = Checkpoint::decode(&resume.checkpoint)?;
            from = pipeline.go_on(
                checkpoint,
                Resume {
                    step: 0,
                    at: resume.at,
                    why: resume.why.clone(),
                    phase: Phase::Write,
                    from: Bytes(0),
                },
            )?;
        }
        let phase = pipeline.phase();
        pipeline.reports.push(Report::Started {
            phase,
            from: Bytes(from * u64::from(geometry.sector)),
            engine: engine.to_owned(),
        });
        pipeline.begin_leg(now, order.resume.is_some());
        if order.resume.is_some() {
            // So that this resume is remembered even if the next interruption comes at once.
            pipeline.checkpoint(now);
        }
        Ok(pipeline)
    }

    /// Takes over a checkpoint's state; returns the sector it goes on at.
    fn go_on(&mut self, checkpoint: Checkpoint, mut resume: Resume) -> Result<u64, Error> {
        for (differs, what) in [
            (checkpoint.key != self.key, "the key"),
            (checkpoint.geometry != self.geometry, "the drive's size"),
            (checkpoint.phases != self.phases, "the list of phases"),
        ] {
            if differs {
                return Err(checkpoint::Error::Other(what).into());
            }
        }
        let sector = u64::from(self.geometry.sector);
        let phase = self.phases[checkpoint.phase];
        self.leg = self
            .legs
            .iter()
            .position(|leg| leg.phase == checkpoint.phase)
            .unwrap_or(0);
        let rewind = checkpoint.frontier.saturating_sub(self.limits.rewind_bytes / sector);
        let mut from = checkpoint.frontier;
        match phase {
            Phase::Write => {
                self.legs[self.leg].area = Area::Range {
                    from,
                    to: self.geometry.sectors,
                };
                if rewind < from {
                    let area = Area::Range { from: rewind, to: from };
                    let leg = Leg {
                        op: Op::Read,
                        area,
                        recheck: true,
                        ..self.legs[self.leg].clone()
                    };
                    self.legs.insert(self.leg, leg);
                }
            }
            Phase::Verify => {
                from = rewind;
                self.legs[self.leg].area = Area::Range {
                    from,
                    to: self.geometry.sectors,
                };
            }
            // The probe takes seconds: it begins again.
            _ => from = 0,
        }
        self.durable = checkpoint.frontier;
        let totals: Vec<Bytes> = self.evidence.phases.iter().map(|r| r.total).collect();
        self.evidence = checkpoint.evidence;
        for (record, total) in self.evidence.phases.iter_mut().zip(totals) {
            record.total = total;
        }
        self.evidence.stopped = None;
        resume.phase = phase;
        resume.from = Bytes(from * sector);
        self.evidence.resumes.push(resume);
        Ok(from)
    }
}

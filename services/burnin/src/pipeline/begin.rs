//! How a burn-in begins: fresh, or from a checkpoint.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wire::Bytes;
use wire::job::{Phase, Resume};

use super::leg::{Area, Leg, legs};
use super::silence::Silence;
use super::tally::Tally;
use super::{Error, Pipeline};
use crate::checkpoint::{self, Checkpoint, Holds};
use crate::device::Op;
use crate::evidence::Evidence;
use crate::playbook::Fill;
use crate::worker::{Order, Report};

/// What is told and noted once the drive has proved itself.
pub(super) struct Opening {
    started: Report,
    /// The interruption that it goes on after; `None` for a fresh start.
    resume: Option<Resume>,
}

impl Pipeline {
    /// Begins an order, or goes on with it from its checkpoint; that it does is told by [`Pipeline::begins`].
    ///
    /// # Errors
    /// When the order makes no sense or its checkpoint cannot be used; nothing was touched then.
    pub fn new(order: &Order, engine: &str, now: Duration) -> Result<Self, Error> {
        let geometry = order.geometry.check()?;
        let evidence = Evidence::new(geometry, &order.steps);
        if evidence.phases.is_empty() {
            return Err(Error::Steps);
        }
        let block = order.io.block;
        if block == 0 || !block.is_multiple_of(geometry.physical) {
            return Err(Error::Block {
                block,
                physical: geometry.physical,
            });
        }
        let mut pipeline = Self {
            key: order.key,
            geometry,
            limits: order.limits,
            steps: order.steps.clone(),
            block: u64::from(block / geometry.sector),
            slots: u64::from(order.io.depth),
            headed: order.header.is_some(),
            at: 0,
            holds: None,
            legs: Vec::new(),
            leg: 0,
            cursor: 0,
            closing: false,
            awaiting: None,
            flights: BTreeMap::new(),
            detours: Vec::new(),
            groups: BTreeMap::new(),
            group_next: 0,
            kept_ahead: BTreeMap::new(),
            counted_ahead: BTreeMap::new(),
            resumed_at: 0,
            durable: 0,
            flushed: false,
            errors: 0,
            barren: Duration::ZERO,
            silence: Silence::default(),
            rereads_left: order.limits.reread_blocks,
            memory_doubted: false,
            memory_tests_left: order.limits.memory_tests,
            located: (0, 0),
            took_trim: false,
            took_trim_before: false,
            unread: order.resume.is_some(),
            stopping: None,
            held: None,
            limit: None,
            over: false,
            evidence,
            opening: None,
            reports: Vec::new(),
            turned: now,
            moved_at: now,
            checkpoint_at: now,
            checkpoint_bytes: 0,
            unflushed: 0,
            balked: None,
            spent: (0, 0),
            settled: Vec::new(),
            began: now,
            tally: Tally::after(order.failed_before),
            unsaved_findings: false,
            untold_findings: true,
            findings_told_at: None,
            told_at: now,
            told_percent: 0.0,
            moved: 0,
            rates: VecDeque::new(),
        };
        pipeline.evidence.front = order.header.as_ref().and_then(|note| note.front);
        pipeline.totals();
        let resumed = match &order.resume {
            None => None,
            Some(resume) => {
                let checkpoint = Checkpoint::decode(&resume.checkpoint)?;
                let at = Resume {
                    step: checkpoint.step,
                    at: resume.at,
                    why: resume.why.clone(),
                    phase: Phase::Write,
                    from: Bytes(0),
                };
                Some(pipeline.go_on(checkpoint, at)?)
            }
        };
        let (step, phase) = pipeline.step_at();
        let started = Report::Started {
            step,
            phase,
            from: resumed.as_ref().map_or(Bytes(0), |resume| resume.from),
            engine: engine.to_owned(),
        };
        let fresh = resumed.is_none();
        pipeline.opening = Some(Opening {
            started,
            resume: resumed,
        });
        if fresh {
            pipeline.begin_step(now, true);
        } else {
            pipeline.reports.push(Report::PhaseStarted { step, phase });
            pipeline.open_headers();
            pipeline.await_parent();
            pipeline.begin_leg(now);
        }
        Ok(pipeline)
    }

    /// Tells that it begins or goes on, once its drive has proved itself. Before that nothing went on after an interruption: what is
    /// told and what the checkpoints keep would count two lists of them.
    pub fn begins(&mut self, now: Duration) {
        let Some(Opening { started, resume }) = self.opening.take() else {
            return;
        };
        self.reports.insert(0, started);
        if let Some(resume) = resume {
            self.evidence.resumes.push(resume);
            // So that this resume is remembered even if the next interruption comes at once.
            self.checkpoint(now);
        }
        self.doubt_what_was_found();
        self.weigh();
    }

    /// Says of each step how much it is going to move.
    fn totals(&mut self) {
        let nothing = Holds {
            fill: Fill::Keyed,
            pass: 1,
            step: 0,
        };
        let on = self.drive();
        for record in &mut self.evidence.phases {
            let legs = legs(&record.work, nothing, 0, on);
            let sectors: u64 = legs.iter().map(|leg| leg.area.sectors()).sum();
            record.total = Bytes(sectors * u64::from(self.geometry.sector));
        }
    }

    /// Takes over a checkpoint's state; returns the interruption with the place that it goes on at.
    fn go_on(&mut self, checkpoint: Checkpoint, resume: Resume) -> Result<Resume, Error> {
        for (differs, what) in [
            (checkpoint.key != self.key, "the key"),
            (checkpoint.geometry != self.geometry, "the drive's size"),
            (checkpoint.steps != self.steps, "the list of steps"),
        ] {
            if differs {
                return Err(checkpoint::Error::Other(what).into());
            }
        }
        let sector = u64::from(self.geometry.sector);
        let totals: Vec<Bytes> = self.evidence.phases.iter().map(|r| r.total).collect();
        self.evidence = checkpoint.evidence;
        let mut trims = self
            .evidence
            .phases
            .iter()
            .filter(|r| r.phase == Phase::Trim && !r.lost);
        self.took_trim_before = trims.any(|r| r.rounds > 0 || (r.done.0 > 0 && r.unsupported.is_none()));
        for (record, total) in self.evidence.phases.iter_mut().zip(totals) {
            record.total = total;
        }
        self.at = self
            .evidence
            .phases
            .iter()
            .position(|record| record.step == checkpoint.step)
            .unwrap_or(0);
        self.holds = checkpoint.holds;
        let step = self.steps[usize::from(checkpoint.step)].clone();
        let round = self.evidence.phases[self.at].rounds;
        self.legs = legs(&step, self.holding(), round, self.drive());
        let back = (self.limits.rewind_bytes / sector).next_multiple_of(self.geometry.grain());
        let rewind = checkpoint.frontier.saturating_sub(back);
        let to = self.geometry.sectors;
        let order = step.order;
        let from = match step.phase {
            Phase::Write => {
                let from = checkpoint.frontier;
                self.legs[0].area = Area::Range { from, to, order };
                if rewind < from {
                    let area = Area::Range {
                        from: rewind,
                        to: from,
                        order,
                    };
                    let leg = Leg {
                        op: Op::Read,
                        area,
                        aside: true,
                        ..self.legs[0].clone()
                    };
                    self.legs.insert(0, leg);
                }
                from
            }
            Phase::Verify | Phase::Scan | Phase::TrimCheck => {
                // What a check of a trim has counted is not to be counted again.
                let from = if step.phase == Phase::TrimCheck {
                    checkpoint.frontier
                } else {
                    rewind
                };
                self.legs[0].area = Area::Range { from, to, order };
                from
            }
            // The probe, the samples and a trim take seconds: they begin again. Seeks have no place to go on at.
            Phase::Probe | Phase::Sample | Phase::Trim | Phase::Seek => 0,
            // The agent runs these.
            Phase::SmartBefore
            | Phase::SmartAfter
            | Phase::SelfTestShort
            | Phase::SelfTestExtended
            | Phase::Partition
            | Phase::Format => 0,
        };
        self.durable = checkpoint.frontier;
        if !matches!(
            step.phase,
            Phase::Write | Phase::Verify | Phase::Scan | Phase::TrimCheck
        ) {
            self.durable = 0;
        }
        self.resumed_at = self.durable;
        self.evidence.stopped = None;
        // It was interrupted between the finding and the test.
        if self.evidence.is_memory_to_be_asked() {
            self.doubt_memory();
        }
        Ok(Resume {
            phase: step.phase,
            from: Bytes(from * sector),
            ..resume
        })
    }
}

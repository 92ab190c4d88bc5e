//! The course of a burn-in: what a flush allows, when a leg and a step are over, what follows.

use std::time::Duration;

use wire::Bytes;
use wire::job::{FaultKind, Phase, PhaseStatus};
use wire::unproven::GIVEN_UP;

use super::Pipeline;
use super::leg::{Area, closing, legs, opening};
use crate::checkpoint::Holds;
use crate::evidence::{Record, Stop};
use crate::header;
use crate::playbook::{Fill, PASSES, moves_data};
use crate::worker::Report;

impl Pipeline {
    /// Moves on where nothing more is awaited: next leg, checkpoint, end.
    pub(super) fn proceed(&mut self, now: Duration) {
        if self.over {
            return;
        }
        self.weigh();
        if self.ends_at_first_fault(now) {
            return;
        }
        if self.errors > self.limits.errors_max {
            self.book_open_groups();
            self.finish(Some(Stop::TooManyErrors));
            return;
        }
        // What was given up has come no further than it had then.
        if let Some(record_done) = self.done_bytes()
            && let Some(record) = self.record().filter(|record| record.unsupported.is_none())
        {
            record.done = record_done;
        }
        if self.swept() && self.flights.is_empty() && (self.flushed || !self.writes_data()) {
            self.end_leg(now);
            return;
        }
        if let Some(why) = self.stopping.clone()
            && self.flights.is_empty()
            && !self.memory_doubted
            && (!self.writes_data() || self.checkpoint_at == now || self.flushed || self.opens_headers())
        {
            if !self.writes_data() {
                self.durable = self.durable.max(self.frontier());
                self.checkpoint(now);
            }
            self.finish(Some(Stop::Asked { why }));
            return;
        }
        if !self.writes_data() && self.checkpoint_due(now) {
            self.durable = self.durable.max(self.frontier());
            self.checkpoint_on_the_way(now);
        }
    }

    /// Bytes of the running step that are done; `None` while a leg is beside its own work.
    pub(super) fn done_bytes(&self) -> Option<Bytes> {
        let leg = self.legs.get(self.leg)?;
        if leg.aside {
            return None;
        }
        let before = || {
            let legs = self.legs[..self.leg].iter().filter(|leg| !leg.aside);
            legs.map(|leg| leg.area.sectors()).sum::<u64>()
        };
        let sectors = match &leg.area {
            Area::Range { .. } => self.frontier(),
            Area::Points(points) => {
                let here = points.iter().zip(0..self.cursor).map(|((_, count), _)| count);
                before() + here.sum::<u64>()
            }
            Area::Stretch { from, .. } => before() + (self.cursor - from),
            Area::Random { .. } => self.cursor * leg.area.piece(0, self.block, self.geometry).1,
        };
        Some(Bytes(sectors * u64::from(self.geometry.sector)))
    }

    /// What the drive holds; a job without a write expects the first pass of the keyed pattern.
    pub(super) fn holding(&self) -> Holds {
        self.holds.unwrap_or(Holds {
            fill: Fill::Keyed,
            pass: 1,
            step: self.step_at().0,
        })
    }

    /// Begins the step at `at`; `first`: of this session.
    pub(super) fn begin_step(&mut self, now: Duration, first: bool) {
        let Some(record) = self.evidence.phases.get_mut(self.at) else {
            return;
        };
        record.status = PhaseStatus::Running;
        if record.rounds > 0 {
            record.done = Bytes(0);
        }
        record.keeps = 0;
        self.kept_ahead.clear();
        self.resumed_at = 0;
        let (step, round, work) = (record.step, record.rounds, record.work.clone());
        if work.phase == Phase::Write {
            let pass = self.holds.map_or(0, |holds| holds.pass) % PASSES + 1;
            self.holds = Some(Holds {
                fill: work.fill,
                pass,
                step,
            });
        }
        self.legs = legs(&work, self.holding(), round, self.drive());
        self.leg = 0;
        self.durable = 0;
        self.closing = false;
        self.reports.push(Report::PhaseStarted {
            step,
            phase: work.phase,
        });
        if first {
            self.open_headers();
        } else {
            self.await_parent();
        }
        self.begin_leg(now);
    }

    /// Whether this job keeps headers on the drive.
    pub(super) fn has_headers(&self) -> bool {
        self.headed && header::kept_by(&self.steps, self.geometry)
    }

    /// Headers are written before anything else in a session.
    pub(super) fn open_headers(&mut self) {
        if self.has_headers() {
            let order = self.evidence.phases.get(self.at).map(|record| record.work.order);
            let swept = match (self.holds, self.phase()) {
                (None, _) => 0,
                (Some(_), Phase::Write) => self.durable,
                (Some(_), _) => self.geometry.sectors,
            };
            let swept = (swept, order.unwrap_or_default());
            let legs = opening(self.geometry, self.holding(), swept, self.block);
            self.legs.splice(0..0, legs);
        }
    }

    /// Waits for the parent where it has steps of its own between this step and the one before.
    pub(super) fn await_parent(&mut self) {
        let Some(step) = self.evidence.phases.get(self.at).map(|record| record.step) else {
            return;
        };
        let between = self.steps[..usize::from(step)]
            .last()
            .is_some_and(|before| !moves_data(before.phase));
        if self.at > 0 && between && self.durable == 0 {
            self.awaiting = Some(step);
            self.reports.push(Report::Yield { step });
        }
    }

    /// The parent has done its steps before `step`.
    pub fn go(&mut self, now: Duration, step: u16) {
        self.turn(now);
        if self.awaiting == Some(step) {
            self.awaiting = None;
            self.moved_at = now;
            self.rates.clear();
            self.rates.push_back((now, self.moved));
        }
    }

    pub(super) fn begin_leg(&mut self, now: Duration) {
        let Some(leg) = self.legs.get(self.leg) else { return };
        self.cursor = leg.area.start();
        self.flushed = false;
        self.counted_ahead.clear();
        self.moved_at = now;
        self.rates.clear();
        self.rates.push_back((now, self.moved));
        if let Some(record) = self.record().filter(|record| record.status != PhaseStatus::Skipped) {
            record.status = PhaseStatus::Running;
        }
    }

    pub(super) fn end_leg(&mut self, now: Duration) {
        self.leg += 1;
        if self.leg >= self.legs.len() {
            self.end_step(now);
        } else {
            self.begin_leg(now);
            if !self.opens_headers() {
                self.checkpoint(now);
            }
        }
    }

    /// The step's last leg is done: headers, the next round, the next step, or the end.
    fn end_step(&mut self, now: Duration) {
        let next = self.next_step();
        if next.is_none() && !self.closing && self.has_headers() {
            // Of what is read back only what was written whole last can still be told.
            self.closing = true;
            self.durable = match self.legs.iter().rfind(|leg| !leg.aside).map(|leg| &leg.area) {
                Some(Area::Range { to, .. }) => *to,
                _ => 0,
            };
            self.legs = closing(self.geometry, self.holding(), self.block);
            self.leg = 0;
            self.begin_leg(now);
            self.checkpoint(now);
            return;
        }
        let drive = self.geometry.bytes();
        let Some(record) = self.evidence.phases.get_mut(self.at) else {
            return;
        };
        if record.status != PhaseStatus::Skipped {
            record.status = PhaseStatus::Done;
            record.rounds += 1;
            record.by_round.end(drive);
            if record.total.0 > 0 {
                record.done = record.total;
            }
        }
        let (step, phase) = (record.step, record.phase);
        let (state, surface) = (record.state(), record.surface());
        self.unread &= phase != Phase::Verify;
        self.durable = 0;
        self.reports.push(Report::PhaseDone { step, state, surface });
        let fake = || self.evidence.defects.proves_false_capacity(self.geometry);
        if phase == Phase::Probe && self.limits.stop_on_fake && fake() {
            self.finish(Some(Stop::FakeCapacity));
            return;
        }
        if next.is_some() || self.parent_tests_on(step) {
            self.weigh_up();
            if self.ends_at_first_fault(now) {
                return;
            }
        }
        let Some(next) = next else {
            self.legs.clear();
            self.finish(None);
            return;
        };
        self.at = next;
        self.located = (0, 0);
        self.begin_step(now, false);
        self.checkpoint(now);
    }

    /// Whether the parent has a self-test to ask of the drive behind this step.
    fn parent_tests_on(&self, step: u16) -> bool {
        let mut behind = self.steps.iter().skip(usize::from(step) + 1);
        behind.any(|step| matches!(step.phase, Phase::SelfTestShort | Phase::SelfTestExtended))
    }

    /// Whether the step under way ends a block that is repeated and has time left. What the drive cannot do ends none.
    fn soaks_on(&self) -> bool {
        let Some(record) = self.evidence.phases.get(self.at) else {
            return false;
        };
        let Some(soak) = record.work.soak else { return false };
        let mut done = self.evidence.block(soak).filter(|r| r.unsupported.is_none());
        done.all(|r| r.step <= record.step) && self.evidence.soak_left(soak) > 0.0
    }

    /// The drive cannot do the step under way: it is skipped, and so is what looks at its result.
    pub(super) fn skip(&mut self, why: &str) {
        let Some(phase) = self
            .record()
            .filter(|record| record.unsupported.is_none())
            .map(|record| record.phase)
        else {
            return;
        };
        self.reports.push(Report::Log {
            text: format!("{}: skipped: {why}", phase.label()),
        });
        // What looks at a trim's result may have other steps that read between.
        let next = |record: &&mut Record| !matches!(record.phase, Phase::Write | Phase::Trim);
        let mut records = self.evidence.phases.iter_mut().skip(self.at);
        let here = records.next();
        let checks = records
            .take_while(next)
            .filter(|record| phase == Phase::Trim && record.phase == Phase::TrimCheck);
        for record in here.into_iter().chain(checks) {
            // What an earlier round did of it stands in its rounds.
            if record.rounds > 0 && record.status == PhaseStatus::Done {
                record.done = Bytes(0);
            }
            record.status = PhaseStatus::Skipped;
            record.unsupported = Some(why.to_owned());
        }
        if let Some(balked) = self.balked.take() {
            self.incident(FaultKind::Transient, None, 0, balked.text(GIVEN_UP));
        }
        self.give_up_open_groups();
        self.legs.truncate(self.leg + 1);
        self.cursor = self.legs[self.leg].area.end();
        self.flushed = true;
    }

    /// The step after the one under way, or the first of its block again; `None` after the last.
    fn next_step(&self) -> Option<usize> {
        let soak = self.evidence.phases.get(self.at)?.work.soak;
        let again = soak.filter(|_| self.soaks_on());
        let next = match again {
            Some(soak) => self.evidence.phases.iter().position(|r| r.step == soak.first)?,
            None => self.at + 1,
        };
        // What the drive refused once is not asked of it in each round, and a check of a trim that was none has nothing to look at.
        (next..self.evidence.phases.len()).find(|at| self.evidence.phases[*at].unsupported.is_none())
    }
}

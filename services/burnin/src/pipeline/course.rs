//! The course of a burn-in: what a flush allows, when a leg is over, what follows.

use std::time::Duration;

use wire::Bytes;
use wire::job::{FaultKind, Phase, PhaseStatus};

use super::leg::Area;
use super::{Outcome, Pipeline};
use crate::device::errno_text;
use crate::evidence::Stop;
use crate::findings::Fault;
use crate::worker::Report;

impl Pipeline {
    pub(super) fn after_flush(&mut self, now: Duration, frontier: u64, complete: bool, outcome: &Outcome) {
        match outcome {
            Outcome::Done
            | Outcome::Differs(_)
            | Outcome::Failed {
                errno: libc::EOPNOTSUPP,
            } => {
                self.durable = self.durable.max(frontier);
                self.flushed = complete;
                if !self.flushed {
                    self.checkpoint(now);
                }
            }
            Outcome::Failed { errno } => {
                self.incident(
                    FaultKind::WriteError,
                    None,
                    0,
                    format!("flushing the drive's cache: {}", errno_text(*errno)),
                );
                self.errors += 1;
                self.checkpoint_at = now;
                self.checkpoint_bytes = 0;
                self.flushed = complete;
            }
            Outcome::Changed { .. } => {}
        }
    }

    /// Moves on where nothing more is awaited: next leg, checkpoint, end.
    pub(super) fn proceed(&mut self, now: Duration) {
        if self.over {
            return;
        }
        if self.errors > self.limits.errors_max {
            self.finish(Some(Stop::TooManyErrors));
            return;
        }
        if let Some(record_done) = self.done_bytes()
            && let Some(record) = self.record()
        {
            record.done = record_done;
        }
        if self.swept() && self.flights.is_empty() && (self.flushed || !self.writes_data()) {
            self.end_leg(now);
            return;
        }
        if let Some(why) = self.stopping.clone()
            && self.flights.is_empty()
            && (!self.writes_data() || self.checkpoint_at == now || self.flushed)
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
            self.checkpoint(now);
        }
    }

    /// Bytes of the running phase that are done; `None` while a leg only rechecks.
    pub(super) fn done_bytes(&self) -> Option<Bytes> {
        let leg = self.legs.get(self.leg)?;
        if leg.recheck {
            return None;
        }
        let sectors = match &leg.area {
            Area::Range { .. } => self.frontier(),
            Area::Points(_) => {
                let before: u64 = self.legs[..self.leg]
                    .iter()
                    .filter(|l| l.phase == leg.phase)
                    .map(|l| l.area.sectors(self.geometry))
                    .sum();
                before + self.cursor * self.geometry.grain()
            }
        };
        Some(Bytes(sectors * u64::from(self.geometry.sector)))
    }

    pub(super) fn begin_leg(&mut self, now: Duration, resumed: bool) {
        let Some(leg) = self.legs.get(self.leg) else { return };
        self.cursor = leg.area.start();
        self.flushed = false;
        self.moved_at = now;
        self.rates.clear();
        self.rates.push_back((now, self.moved));
        let phase = self.phases[leg.phase];
        let first = self.leg == 0 || self.legs[self.leg - 1].phase != leg.phase;
        if let Some(record) = self.record() {
            record.status = PhaseStatus::Running;
        }
        if first || resumed {
            self.reports.push(Report::PhaseStarted { phase });
        }
    }

    pub(super) fn end_leg(&mut self, now: Duration) {
        let leg = &self.legs[self.leg];
        let (phase, at) = (self.phases[leg.phase], leg.phase);
        let recheck = leg.recheck;
        let last = self.legs.get(self.leg + 1).is_none_or(|next| next.phase != at);
        self.leg += 1;
        if !recheck && last {
            let record = &mut self.evidence.phases[at];
            record.status = PhaseStatus::Done;
            record.done = record.total;
            self.durable = 0;
            let state = self.evidence.phase_states().swap_remove(at);
            let surface = self.evidence.surfaces().into_iter().find(|s| s.phase == phase);
            self.reports.push(Report::PhaseDone { state, surface });
            if phase == Phase::Probe && self.limits.stop_on_fake && self.probe_says_fake() {
                self.finish(Some(Stop::FakeCapacity));
                return;
            }
        }
        if self.leg >= self.legs.len() {
            self.finish(None);
            return;
        }
        self.begin_leg(now, false);
        self.checkpoint(now);
    }

    /// Whether the probe saw data that belongs elsewhere, or several places that store nothing.
    ///
    /// A single lost write at a probed place is a defect like any other, and the write phase will tell of it.
    pub(super) fn probe_says_fake(&self) -> bool {
        let probed = || self.evidence.defects.runs().filter(|run| run.phase == Phase::Probe);
        let empty = probed().filter(|run| matches!(run.fault, Fault::Zeros | Fault::Ones | Fault::Foreign));
        probed().any(|run| matches!(run.fault, Fault::Moved { .. })) || empty.map(|run| run.count).sum::<u64>() > 1
    }
}

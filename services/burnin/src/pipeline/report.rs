//! What the pipeline tells while it works: progress, findings, checkpoints, the end.

use std::time::Duration;

use wire::Bytes;
use wire::job::{PhaseStatus, Progress};

use super::Pipeline;
use crate::checkpoint::Checkpoint;
use crate::evidence::Stop;
use crate::worker::Report;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// How soon after a finding a checkpoint is taken, so that a cut does not lose it.
const SAVE_FINDING: Duration = Duration::from_secs(2);

/// Seconds over which the rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(10);

impl Pipeline {
    pub(super) fn checkpoint_due(&self, now: Duration) -> bool {
        let since = now.saturating_sub(self.checkpoint_at);
        let stopping = self.stopping.is_some() && !self.busy();
        // On hold nothing moves: what had moved is kept at once, and then there is nothing more to keep.
        let held = self.held.is_some();
        let settled = held && self.checkpoint_bytes > 0 && !self.busy();
        settled
            || (!held && since >= Duration::from_secs(self.limits.checkpoint_s))
            || self.checkpoint_bytes >= self.limits.checkpoint_bytes
            || (self.unsaved_findings && since >= SAVE_FINDING)
            || (stopping && self.writes_data())
    }

    /// Hands out a checkpoint up to the durable frontier.
    pub(super) fn checkpoint(&mut self, now: Duration) {
        let Some(leg) = self.legs.get(self.leg) else { return };
        let (phase, recheck) = (leg.phase, leg.recheck);
        let frontier = self.durable;
        let mut evidence = self.evidence.clone();
        if !recheck && let Some(record) = evidence.phases.get_mut(phase) {
            record.done = Bytes(frontier * u64::from(self.geometry.sector)).min(record.total);
        }
        let checkpoint = Checkpoint {
            key: self.key,
            geometry: self.geometry,
            phases: self.phases.clone(),
            phase,
            frontier,
            evidence,
        };
        self.reports.push(Report::Checkpoint {
            text: checkpoint.encode(),
        });
        self.checkpoint_at = now;
        self.checkpoint_bytes = 0;
        self.unsaved_findings = false;
    }

    /// Tells progress and findings once a second.
    pub(super) fn tell(&mut self, now: Duration) {
        if now.saturating_sub(self.told_at) < TELL {
            return;
        }
        self.told_at = now;
        self.rates.push_back((now, self.moved));
        while self.rates.len() > 2
            && self
                .rates
                .front()
                .is_some_and(|(at, _)| now.saturating_sub(*at) > RATE_WINDOW)
        {
            self.rates.pop_front();
        }
        if let Some(progress) = self.progress() {
            self.reports.push(Report::Progress(progress));
        }
        self.tell_findings();
    }

    fn tell_findings(&mut self) {
        if !std::mem::take(&mut self.untold_findings) {
            return;
        }
        let findings = self.evidence.findings();
        let bad_sectors = self.evidence.defects.bad_sectors();
        self.reports.push(Report::Findings { findings, bad_sectors });
    }

    fn rate(&self) -> Option<f64> {
        let ((from, a), (to, b)) = (self.rates.front()?, self.rates.back()?);
        let seconds = to.saturating_sub(*from).as_secs_f64();
        (seconds > 0.0).then(|| (b - a) as f64 / seconds)
    }

    fn progress(&self) -> Option<Progress> {
        let leg = self.legs.get(self.leg)?;
        let record = self.evidence.phases.get(leg.phase)?;
        let (mut done, mut total) = (0, 0);
        for record in &self.evidence.phases {
            done += record.done.0;
            total += record.total.0;
        }
        let rate = self.rate();
        let eta = |left: u64| rate.filter(|r| *r > 0.0).map(|r| left as f64 / r);
        Some(Progress {
            step: 0,
            phase_percent: None,
            phase: record.phase,
            done: record.done,
            total: record.total,
            rate: Bytes(rate.unwrap_or(0.0) as u64),
            eta: eta(record.total.0.saturating_sub(record.done.0)),
            eta_job: eta(total - done.min(total)),
            percent: if total == 0 {
                0.0
            } else {
                100.0 * done as f64 / total as f64
            },
            temperature: None,
        })
    }

    /// The end, early or not.
    pub(super) fn finish(&mut self, stop: Option<Stop>) {
        for record in &mut self.evidence.phases {
            record.status = match record.status {
                PhaseStatus::Running => PhaseStatus::Interrupted,
                PhaseStatus::Pending => PhaseStatus::Skipped,
                done @ (PhaseStatus::Done | PhaseStatus::Skipped | PhaseStatus::Interrupted) => done,
            };
        }
        self.evidence.stopped = stop;
        self.over = true;
        self.untold_findings = true;
        self.tell_findings();
        self.reports.push(Report::Done {
            evidence: Box::new(self.evidence.clone()),
        });
    }
}

//! What the pipeline tells while it works: progress, findings, checkpoints, the end.

use std::time::Duration;

use wire::Bytes;
use wire::job::{Phase, PhaseStatus, Progress};

use super::Pipeline;
use super::leg::Area;
use crate::checkpoint::{self, Checkpoint};
use crate::evidence::{Ahead, Record, Stop, percent_by_time};
use crate::worker::Report;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// How soon after a finding a checkpoint is taken, so that a cut does not lose it.
const SAVE_FINDING: Duration = Duration::from_secs(2);

/// Unit in which the medium of the checkpoints is written, in bytes. Source: LMDB's pages.
const PAGE: u64 = 4096;

/// What a checkpoint costs that medium beside its text where its commit carries no other: tree, free list, head and the file
/// system's journal, in bytes. Source: measured by the agent's test of what checkpoints cost, and on ext4.
const COMMIT: u64 = 24 << 10;

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
            || (!held && (since >= Duration::from_secs(self.limits.checkpoint_s) || self.is_everybodys(now)))
            || (self.affords() && self.checkpoint_bytes >= self.limits.checkpoint_bytes)
            || (self.affords() && self.unsaved_findings && since >= SAVE_FINDING)
            || (stopping && self.writes_data())
    }

    /// Whether a moment has come since the last checkpoint at which all jobs take theirs.
    fn is_everybodys(&self, now: Duration) -> bool {
        let Some(first) = self.limits.checkpoint_in_ms else {
            return false;
        };
        let first = self.began + Duration::from_millis(first);
        let moments = |at: Duration| Some(at.checked_sub(first)?.as_secs() / self.limits.checkpoint_s.max(1));
        moments(now) > moments(self.checkpoint_at)
    }

    /// Whether the budget of the medium that keeps the checkpoints allows one beyond the regular ones.
    fn affords(&self) -> bool {
        let seconds = self.turned.saturating_sub(self.began).as_secs();
        let earned = u128::from(self.limits.checkpoint_day_bytes) * u128::from(seconds) / 86_400;
        u128::from(self.spent.0 + self.spent.1) <= u128::from(self.limits.checkpoint_credit_bytes) + earned
    }

    /// Hands out a checkpoint with which something begins, which whoever keeps it writes down at once.
    pub(super) fn checkpoint(&mut self, now: Duration) {
        self.hand_out(now, false);
    }

    /// Hands out a checkpoint in the midst of a step, which may wait for those of other jobs.
    pub(super) fn checkpoint_on_the_way(&mut self, now: Duration) {
        self.hand_out(now, self.stopping.is_none() && self.held.is_none());
    }

    /// Hands out a checkpoint up to the durable frontier.
    fn hand_out(&mut self, now: Duration, waits: bool) {
        let (step, phase) = self.step_at();
        // Behind the last leg, where a probe that found something has ended, nothing is swept any more.
        let leg = self.legs.get(self.leg).filter(|leg| !leg.aside && phase != Phase::Trim);
        let sweeps = leg.is_some_and(|leg| matches!(leg.area, Area::Range { .. }));
        let frontier = self.durable;
        let mut evidence = self.to_go_on_from(frontier);
        if sweeps && let Some(record) = evidence.phases.get_mut(self.at) {
            record.done = Bytes(frontier * u64::from(self.geometry.sector)).min(record.total);
            let ahead = self.kept_ahead.range(frontier..).map(|(_, sectors)| sectors).sum();
            record.keeps = record.keeps.saturating_sub(ahead);
        }
        let checkpoint = Checkpoint {
            key: self.key,
            geometry: self.geometry,
            steps: self.steps.clone(),
            step,
            frontier,
            holds: self.holds,
            evidence,
        };
        let text = checkpoint.into_text();
        let alone = if self.is_everybodys(now) { 0 } else { COMMIT };
        let sums: Vec<u32> = checkpoint::split(&text)
            .map(|row| crc32c::crc32c(row.as_bytes()))
            .collect();
        let changed = checkpoint::split(&text).zip(&sums).enumerate();
        let changed = changed.filter(|(at, (_, sum))| self.settled.get(*at) != Some(sum));
        let pages = |row: &str| (row.len() as u64).next_multiple_of(PAGE);
        let cost = changed.map(|(_, (row, _))| pages(row)).sum::<u64>() + alone;
        self.settled = sums;
        self.spent = (self.spent.0 + cost, cost);
        self.reports.push(Report::Checkpoint { text, waits });
        self.checkpoint_at = now;
        self.checkpoint_bytes = 0;
        self.unsaved_findings = false;
    }

    /// Tells progress and findings, each once a second at most. After a quiet second a finding is told at once: who keeps what is
    /// told keeps what shows once only before a cut can lose it.
    pub(super) fn tell(&mut self, now: Duration) {
        if self.findings_told_at.is_none_or(|at| now.saturating_sub(at) >= TELL) {
            self.tell_findings(now);
        }
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
            self.told_percent = progress.percent;
            let spent = self.evidence.spent();
            self.reports.push(Report::Progress { progress, spent });
        }
    }

    fn tell_findings(&mut self, now: Duration) {
        if !std::mem::take(&mut self.untold_findings) {
            return;
        }
        let evidence = self.as_it_stands();
        let findings = evidence.findings();
        if !findings.is_empty() {
            self.findings_told_at = Some(now);
        }
        let bad_sectors = evidence.bad_sectors();
        let failing = self.failing().cloned();
        self.reports.push(Report::Findings {
            findings,
            bad_sectors,
            failing,
        });
    }

    fn rate(&self) -> Option<f64> {
        let ((from, a), (to, b)) = (self.rates.front()?, self.rates.back()?);
        let seconds = to.saturating_sub(*from).as_secs_f64();
        (seconds > 0.0).then(|| (b - a) as f64 / seconds)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes a second of what only counts up"
    )]
    fn progress(&self) -> Option<Progress> {
        let record = self.evidence.phases.get(self.at)?;
        let share = |r: &Record| match r.status {
            PhaseStatus::Done | PhaseStatus::Skipped => 1.0,
            PhaseStatus::Pending | PhaseStatus::Running | PhaseStatus::Interrupted => match r.timed_left() {
                Some(left) => 1.0 - left / r.work.seconds as f64,
                None if r.total.0 == 0 => 0.0,
                None => (r.done.0 as f64 / r.total.0 as f64).min(1.0),
            },
        };
        let rate = self.rate();
        let ahead = Ahead::new(&self.evidence, self.at, rate);
        let eta_job = ahead.of_job();
        let percent = if ahead.has_soak() {
            eta_job.map(|left| percent_by_time(self.evidence.spent(), left))
        } else {
            // What ends by its time counts like an eighth of a sweep, so that it shows and weighs little.
            let weight = |r: &Record| if r.work.seconds > 0 { self.geometry.bytes() / 8 } else { r.total.0 } as f64;
            let records = &self.evidence.phases;
            let all: f64 = records.iter().map(weight).sum();
            let done: f64 = records.iter().map(|r| weight(r) * share(r)).sum();
            (all > 0.0).then(|| 100.0 * done / all)
        };
        Some(Progress {
            step: record.step,
            phase_percent: record.timed_left().map(|_| 100.0 * share(record)),
            phase: record.phase,
            done: record.done,
            total: record.total,
            rate: Bytes(rate.unwrap_or(0.0) as u64),
            eta: ahead.of_step(),
            eta_job,
            percent: percent.unwrap_or(0.0).max(self.told_percent).min(100.0),
            temperature: None,
        })
    }

    /// The end, early or not.
    pub(super) fn finish(&mut self, stop: Option<Stop>) {
        // What came just before the drive went away, or was another one, may not be its own.
        if matches!(
            stop,
            Some(Stop::Asked { .. } | Stop::Hung | Stop::Reserved | Stop::FirstFault | Stop::Engine { .. })
        ) {
            self.evidence = self.as_it_stands();
        }
        self.detours.clear();
        self.groups.clear();
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
        self.tell_findings(self.turned);
        self.reports.push(Report::Done {
            evidence: Box::new(self.evidence.clone()),
        });
    }
}

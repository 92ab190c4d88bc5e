//! Partition and file system, on a drive that came through: by a short-lived child of its own (`burnin::format`).

use tokio::time::Instant;
use tracing::info;
use wire::job::{Phase, PhaseStatus};
use wire::options::{FileSystem, FormatRequest, Formatted, Table};

use super::JobTask;
use crate::hands::Held;

impl JobTask {
    /// What is to be made: what the person chose, else what the playbook's own steps ask for.
    fn format_request(&self) -> Option<FormatRequest> {
        let has = |phase| self.record.steps.iter().any(|step| step.phase == phase);
        let plain = |filesystem| FormatRequest {
            table: Table::Auto,
            filesystem,
            reserved_percent: 0,
            label: String::new(),
        };
        match &self.record.job.options.format {
            Some(request) => Some(request.clone()),
            None if has(Phase::Format) => Some(plain(FileSystem::Ext4)),
            None if has(Phase::Partition) => Some(plain(FileSystem::Raw)),
            None => None,
        }
    }

    /// Partitions and formats where that is asked for and the drive is `good` so far. Lets go of the drive.
    pub(super) async fn format(&mut self, held: Held, good: bool) {
        let Some(request) = self.format_request().filter(|_| self.record.erases()) else {
            return;
        };
        if !good {
            self.log("info", "Not formatted: only a drive that came through is".to_owned());
            return;
        }
        let began = Instant::now();
        self.set_format_steps(PhaseStatus::Running, 0.0);
        let formatted = self.means.hands.format(held, &request).await;
        let status = match &formatted.problem {
            None => PhaseStatus::Done,
            Some(why) => {
                self.log("error", format!("Formatting failed: {why}"));
                PhaseStatus::Interrupted
            }
        };
        info!(job = %self.record.job.id, ?formatted, "formatted");
        self.record.job.formatted = Some(formatted);
        self.set_format_steps(status, began.elapsed().as_secs_f64());
    }

    fn set_format_steps(&mut self, status: PhaseStatus, seconds: f64) {
        let steps = (0_u16..).zip(&self.record.steps);
        let steps: Vec<u16> = steps
            .filter(|(_, step)| matches!(step.phase, Phase::Partition | Phase::Format))
            .map(|(at, _)| at)
            .collect();
        for (index, step) in steps.iter().enumerate() {
            // One child does both; its time stands with the last.
            let last = index + 1 == steps.len();
            self.set_step(*step, status, if last { seconds } else { 0.0 });
        }
    }
}

/// What is said of a format that was not made.
pub fn failed(request: &FormatRequest, why: String) -> Formatted {
    Formatted {
        table: request.table,
        filesystem: request.filesystem,
        label: request.label.clone(),
        uuid: None,
        size: wire::Bytes(0),
        checks: Vec::new(),
        problem: Some(why),
    }
}

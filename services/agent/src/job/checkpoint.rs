//! The checkpoint that a job goes on from, and what is known by it.

use super::*;

impl JobTask {
    /// A checkpoint that cannot be used is set aside and told; the job then begins again.
    pub(super) fn check_checkpoint(&mut self) {
        let Some(text) = self.checkpoint.take() else { return };
        match Checkpoint::decode(&text) {
            Ok(checkpoint) if checkpoint.key == self.record.key && checkpoint.geometry == self.record.geometry => {
                self.checkpoint = Some(text);
            }
            Ok(_) => self.set_checkpoint_aside(&text, "it belongs to another job or drive"),
            Err(cause) => self.set_checkpoint_aside(&text, &cause.to_string()),
        }
    }

    /// What was told after the checkpoint was taken stays told.
    pub(super) fn keep_findings(&mut self) {
        if !self.record.job.findings.is_empty() {
            let saved = self.evidence_so_far().findings();
            self.record.keep_findings(&saved);
        }
    }

    pub(super) fn set_checkpoint_aside(&mut self, text: &str, why: &str) {
        let place = match self
            .means
            .jobs
            .set_checkpoint_aside(self.record.job.id, text, Time::now())
        {
            Ok(path) => path.display().to_string(),
            Err(cause) => {
                error!(%cause, "a bad checkpoint could not be set aside");
                "nowhere: the medium takes no file".to_owned()
            }
        };
        let message = format!(
            "The checkpoint of the burn-in of {} cannot be used ({why}); it lies at {place} now, and the burn-in begins again",
            events::drive_words(&self.record.job)
        );
        error!(job = %self.record.job.id, why, place, "checkpoint set aside");
        self.log("error", message.clone());
        let data = serde_json::json!({ "path": place, "why": why });
        let mut happening = Happening::new(
            "agent.checkpoint_set_aside",
            Severity::Warning,
            Some(self.record.job.drive.clone()),
            message,
            data,
        );
        happening.event.job = Some(self.record.job.id);
        self.record.restart();
        self.keep(None, vec![happening]);
    }

    /// What is known when no worker can tell it any more: the last checkpoint's evidence.
    pub(super) fn evidence_so_far(&self) -> Box<Evidence> {
        let checkpoint = self
            .checkpoint
            .as_deref()
            .and_then(|text| Checkpoint::decode(text).ok());
        Box::new(checkpoint.map_or_else(
            || {
                let phases: Vec<Phase> = self
                    .record
                    .job
                    .phases
                    .iter()
                    .map(|state| state.phase)
                    .filter(|phase| burnin::playbook::moves_data(*phase))
                    .collect();
                Evidence::new(self.record.geometry, &phases)
            },
            |checkpoint| checkpoint.evidence,
        ))
    }
}

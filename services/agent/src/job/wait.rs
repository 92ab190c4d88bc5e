//! A job without its drive: waits until it is there and the guard lets it be held.

use super::*;

/// How often a drive that was refused is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Time after which a job tells that it waits for its drive: the agent's first look at all drives is over by then.
const PATIENCE: Duration = Duration::from_secs(20);

impl JobTask {
    /// Waits until the drive is there and the guard lets it be held.
    pub(super) async fn wait_for_drive(&mut self) -> Result<Held, NoDrive> {
        let began = Instant::now();
        let mut told = None;
        loop {
            let listed = self.listed();
            let why = match listed {
                Some(listed) => match self.means.hands.open(self.record.identity.clone(), listed).await {
                    Ok(held) => match self.record.strange(&held.fresh.content) {
                        Some(why) => why,
                        None => {
                            if told.is_some() {
                                self.set_state(JobState::Running);
                            }
                            return Ok(held);
                        }
                    },
                    Err(problem) => problem.to_string(),
                },
                None => format!("{} is not plugged in", events::drive_words(&self.record.job)),
            };
            if told.as_ref() != Some(&why) && began.elapsed() >= PATIENCE {
                self.record.job.state = JobState::Waiting { why: why.clone() };
                self.keep(None, vec![events::waiting(&self.record.job, &why)]);
                told = Some(why);
            }
            tokio::select! {
                changed = self.means.drives.changed() => if changed.is_err() { return Err(NoDrive::Parked) },
                () = sleep(ASK_AGAIN) => {}
                actor = self.aborts.recv() => {
                    self.abort_by = Some(actor.unwrap_or_default());
                    return Err(NoDrive::Aborted);
                }
                () = self.means.stop.asked() => return Err(NoDrive::Parked),
            }
        }
    }

    /// The job's drive as it is listed now.
    pub(super) fn listed(&self) -> Option<Drive> {
        let drives = self.means.drives.borrow();
        drives
            .iter()
            .find(|drive| drive.present && drive.id.as_ref() == Some(&self.record.job.drive))
            .cloned()
    }

    pub(super) fn temperature(&self) -> Option<Celsius> {
        self.listed()?.temperature
    }
}

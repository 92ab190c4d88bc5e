//! A job without its drive: waits until it is there and the guard lets it be held.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use wire::drive::Drive;
use wire::job::JobState;

use super::{JobTask, NoDrive, Own, Wish};
use crate::events;
use crate::hands::Held;
use crate::record::Strange;

/// How often a drive that was refused is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Time after which a job tells that it waits for its drive: the agent's first look at all drives is over by then.
const PATIENCE: Duration = Duration::from_secs(20);

impl JobTask {
    /// The job's drive in the list, which is empty for the first seconds of an agent; `None` where it does not come.
    pub(super) async fn listed_soon(&mut self) -> Result<Option<Drive>, NoDrive> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(listed) = self.listed() {
                return Ok(Some(listed));
            }
            tokio::select! {
                () = sleep_until(until) => return Ok(None),
                changed = self.means.drives.changed() => if changed.is_err() { return Err(NoDrive::Parked) },
                wish = self.wishes.recv() => match wish {
                    Some(wish) => drop(self.wish(&wish)),
                    None => return Err(NoDrive::Parked),
                },
                () = self.means.stop.asked() => return Err(NoDrive::Parked),
            }
        }
    }

    /// Waits until the drive is there and the guard lets it be held. One that is there is not waited for where a format was interrupted:
    /// somebody may use it by now.
    pub(super) async fn wait_for_drive(&mut self) -> Result<Held, NoDrive> {
        let began = Instant::now();
        let mut told = None;
        loop {
            // A pause is not the time to wake a drive; what it waits for is told anew behind it.
            match self.wait_while_paused().await {
                Own::Done => {}
                Own::Aborted => return Err(NoDrive::Aborted),
                Own::Parked | Own::Gone | Own::Stranger => return Err(NoDrive::Parked),
            }
            let opened = match self.listed() {
                Some(listed) => {
                    let identity = self.record.identity.clone();
                    match self.means.hands.open(identity, listed, self.access()).await {
                        Ok(held) => self.taken_up(&held).await.map(|trace| (held, trace)),
                        Err(problem) => Err(problem.to_string().into()),
                    }
                }
                None => Err(Strange::from(format!(
                    "{} is not plugged in{}",
                    events::drive_words(&self.record.job),
                    self.means.bays.words(&self.record.job.drive)
                ))),
            };
            let strange = match opened {
                Ok((held, trace)) => {
                    self.trace = trace;
                    return Ok(held);
                }
                Err(strange) => strange,
            };
            if self.record.formatting && self.listed().is_some() && began.elapsed() >= PATIENCE {
                return Err(NoDrive::Used(strange));
            }
            let why = strange.to_string();
            if told.as_ref() != Some(&why) && began.elapsed() >= PATIENCE {
                let happening = events::waiting(&self.record.job, &why);
                self.set_state(JobState::Waiting { why: why.clone() }, vec![happening]);
                told = Some(why);
            }
            tokio::select! {
                changed = self.means.drives.changed() => if changed.is_err() { return Err(NoDrive::Parked) },
                () = sleep(ASK_AGAIN) => {}
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Abort(actor)) => {
                        self.aborted(actor);
                        return Err(NoDrive::Aborted);
                    }
                    // Paused, it says so, and then anew what it waits for.
                    Some(wish) => if self.wish(&wish) { told = None },
                    None => return Err(NoDrive::Parked),
                },
                () = self.means.stop.asked() => return Err(NoDrive::Parked),
            }
        }
    }
}

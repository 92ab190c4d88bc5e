//! A job whose drive came through, and waits for its turn to be formatted; the bound is `burnin::format::Turns`'.

use burnin::format::turns;
use wire::job::JobState;

use super::{JobTask, Own};

impl JobTask {
    /// Waits until its drive may be formatted, and hears what persons wish meanwhile. One that is paused lets the others go first.
    pub(super) async fn take_turn(&mut self) -> Own {
        let waits = JobState::Waiting {
            why: turns::WAITS.to_owned(),
        };
        loop {
            self.turn = None;
            match self.heed_wishes().await {
                Own::Done => {}
                own @ (Own::Parked | Own::Aborted | Own::Gone | Own::Stranger) => return own,
            }
            self.turn = self.means.turns.try_take();
            if self.turn.is_some() {
                if self.record.job.state == waits {
                    self.set_state(JobState::Running, Vec::new());
                }
                return Own::Done;
            }
            if self.record.job.state != waits {
                self.log("info", format!("Not formatted yet: {}", turns::WAITS));
                self.set_state(waits.clone(), Vec::new());
            }
            // The kernel's ring goes round while others are formatted: what was not read in time makes a good drive doubtful.
            self.note_resets(false).await;
            match self.breathe(turns::ASK_AGAIN).await {
                Own::Done => {}
                own @ (Own::Parked | Own::Aborted | Own::Gone | Own::Stranger) => return own,
            }
        }
    }
}

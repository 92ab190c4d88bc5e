//! What the kernel tells of the drive: resets, counted from the moment that a job takes it up to the verdict, and its
//! hidden area.

use std::time::Duration;

use drive::System;
use drive::kernel_log::{Follower, Unheard};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::JobTask;
use crate::hands::Held;

/// How often the kernel's log is read: what comes between a reset and the question whose drive this is may be another one's.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// Where the log was read to, and when.
#[derive(Debug)]
pub(super) struct Resets {
    follower: Follower,
    looked: Instant,
}

impl JobTask {
    /// Begins to count, or goes on with it.
    pub(super) fn count_resets(&mut self, held: &Held) {
        let resets = self.resets.get_or_insert_with(|| Resets {
            follower: Follower::reading(&System::default(), &held.syspath, self.means.kernel_log.as_deref()),
            looked: Instant::now(),
        });
        self.record.kernel.begin(&resets.follower);
    }

    /// Takes note of resets since the last look, where one is due; `now`: whether it is in any case. True if any line told of one,
    /// be it one that is counted, or that the drive is not as it was: it may have been exchanged between two lines.
    pub(super) async fn note_resets(&mut self, now: bool) -> bool {
        let Some(mut resets) = self.resets.take() else {
            return false;
        };
        let before = self.record.kernel.clone();
        let mut heard = false;
        if now || resets.looked.elapsed() >= LOOK {
            let looked = spawn_blocking(move || {
                let told = resets.follower.look();
                (resets.follower, told)
            });
            let Ok((follower, told)) = looked.await else {
                let lost = Unheard::Log("reading the kernel's log failed in the agent".to_owned());
                self.record.kernel.miss(Some(&lost));
                return false;
            };
            self.record.kernel.miss(follower.unheard());
            self.record.kernel.heed(&told);
            heard = told.heard;
            if let Some(text) = told.resized {
                self.log("warn", format!("Capacity: {text}"));
            }
            for text in &told.resets {
                self.log("warn", format!("The kernel reset the drive: {text}"));
            }
            resets = Resets {
                follower,
                looked: Instant::now(),
            };
        }
        self.resets = Some(resets);
        // A checkpoint brings nothing of the record, and the next change of it may be a day away.
        if self.record.kernel != before {
            self.keep(None, Vec::new());
        }
        heard
    }
}

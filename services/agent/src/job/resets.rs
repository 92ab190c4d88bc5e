//! What the kernel tells of the drive: resets, counted from the moment that a job takes it up to the verdict, and its
//! hidden area.

use std::time::Duration;

use drive::kernel_log::Follower;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::JobTask;
use crate::hands::Held;

/// How often the kernel's log is read; its ring holds far more than a minute.
const LOOK: Duration = Duration::from_secs(60);

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
            follower: Follower::new(&held.syspath),
            looked: Instant::now(),
        });
        // What was known once outlives the kernel's ring.
        self.record.hidden = self.record.hidden.max(resets.follower.hidden());
    }

    /// Takes note of resets since the last look, where one is due; `now`: whether it is in any case. True if there were
    /// any.
    pub(super) async fn note_resets(&mut self, now: bool) -> bool {
        let Some(mut resets) = self.resets.take() else {
            return false;
        };
        let before = self.record.resets;
        if now || resets.looked.elapsed() >= LOOK {
            let looked = spawn_blocking(move || {
                let told = resets.follower.look();
                (resets.follower, told)
            });
            let Ok((follower, told)) = looked.await else {
                return false;
            };
            for text in told {
                self.record.resets += 1;
                self.log("warn", format!("The kernel reset the drive: {text}"));
            }
            resets = Resets {
                follower,
                looked: Instant::now(),
            };
        }
        self.resets = Some(resets);
        self.record.resets > before
    }
}

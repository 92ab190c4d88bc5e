//! What the kernel tells of the drive: resets, counted from the moment that a job takes it up to the verdict, and its
//! hidden area.

use std::time::Duration;

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
            follower: Follower::reading(&held.syspath, self.means.kernel_log.as_deref()),
            looked: Instant::now(),
        });
        // What was known once outlives the kernel's ring.
        self.record.hidden = self.record.hidden.max(resets.follower.hidden());
        self.record.unheard = Unheard::worse(self.record.unheard.take(), resets.follower.unheard());
    }

    /// Takes note of resets since the last look, where one is due; `now`: whether it is in any case. True if any line told of one,
    /// be it one that is counted: the drive may have been exchanged between the lines of one reset.
    pub(super) async fn note_resets(&mut self, now: bool) -> bool {
        let Some(mut resets) = self.resets.take() else {
            return false;
        };
        let before = (self.record.resets, self.record.resized);
        let known = self.record.unheard.clone();
        let mut heard = false;
        if now || resets.looked.elapsed() >= LOOK {
            let looked = spawn_blocking(move || {
                let told = resets.follower.look();
                (resets.follower, told)
            });
            let Ok((follower, told)) = looked.await else {
                let lost = Unheard::Log("reading the kernel's log failed in the agent".to_owned());
                self.record.unheard = Unheard::worse(known, Some(&lost));
                return false;
            };
            self.record.unheard = Unheard::worse(known.clone(), follower.unheard());
            heard = told.heard;
            self.record.resets += told.resets.len() as u64;
            if let Some(text) = told.resized {
                self.record.resized = true;
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
        if (self.record.resets, self.record.resized) != before || self.record.unheard != known {
            self.keep(None, Vec::new());
        }
        heard
    }
}

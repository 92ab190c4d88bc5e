//! Doubt whether the drive under a worker is still the job's: after a reset, a pause, or hours of other steps.
//!
//! A card reader or a dock goes on under one name with whatever is put into it, and the kernel tries again after a reset
//! without an error. The number of media that it has seen tells some of that. The header that the job keeps on its drive
//! tells the rest: a drive without it ends the worker, and the next session asks all of what was written before it goes on
//! (`burnin`, `ours.rs`), since near a job's end the headers have given way to the pattern.

use std::time::Duration;

use burnin::header;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::checkpoint::read_header;
use super::{JobTask, Reason};
use crate::hands::Held;

/// Why a worker is ended in doubt, for the log and the resumption.
pub(super) const DOUBT: &str =
    "the drive was reset or stood still and did not show this job's header; it is asked again whose it is";

/// Longest look for the header: four places, each of them maybe a bad sector.
const LOOK: Duration = Duration::from_secs(120);

impl JobTask {
    /// Why the worker must not go on by itself with the drive that it has; `None` where it may.
    pub(super) async fn doubt(&mut self, held: &Held) -> Option<Reason> {
        if self.means.hands.exchanged(held) {
            self.log("warn", "Another medium is in the drive's place".to_owned());
            return Some(Reason::Gone);
        }
        // The headers are flushed before the first checkpoint.
        if !header::kept_by(&self.record.steps, self.record.geometry) || !self.record.saved {
            return None;
        }
        let shown = match held.file.try_clone() {
            Ok(file) => {
                let (geometry, key) = (self.record.geometry, self.record.key);
                let read = spawn_blocking(move || read_header(file, geometry).is_some_and(|header| header.key == key));
                matches!(timeout(LOOK, read).await, Ok(Ok(true)))
            }
            Err(_) => false,
        };
        (!shown).then_some(Reason::Doubt)
    }
}

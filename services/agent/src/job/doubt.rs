//! Doubt whether the drive that a job holds is still its own: after a reset, a pause, or hours of other steps.
//!
//! A card reader or a dock goes on under one name with whatever is put into it, and the kernel tries again after a reset
//! without an error. The number of media that it has seen tells some of that; the header or the pattern that the job left on
//! its drive tells the rest (`burnin::Proof`). In the middle of a job a drive without it ends the worker, and the next session
//! asks all of what was written before it goes on; at the end it ends the job, and nothing is formatted.

use std::time::Duration;

use burnin::{Proof, Shown, header};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{JobTask, Reason};
use crate::hands::Held;

/// Why a worker is ended in doubt, for the log and the resumption.
pub(super) const DOUBT: &str =
    "the drive was reset or stood still and did not show this job's header; it is asked again whose it is";

/// Why a worker waits while that is asked.
pub(super) const DOUBTED: &str = "the drive was reset; it is asked whose it is";

/// Longest look for the header: some twenty places, each of them maybe a bad sector.
const LOOK: Duration = Duration::from_secs(120);

/// How often the guard is asked before a drive is formatted, and how long lies between.
const CHECKS: u32 = 4;
const CHECK_AGAIN: Duration = Duration::from_secs(15);

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
        (self.shown(held, false).await != Shown::Ours).then_some(Reason::Doubt)
    }

    /// Why a drive of which all was written and read back is no longer the job's: hours of self-tests lie between, and what was
    /// tested in them, or would be formatted after them, may be another one. `formats`: whether that comes next.
    pub(super) async fn exchanged_since(&self, held: &Held, formats: bool) -> Option<String> {
        if !self.record.erases() {
            return None;
        }
        if self.means.hands.exchanged(held) {
            return Some("another medium came into the drive's place after it was read back".to_owned());
        }
        if formats && let Err(why) = self.check_patiently(held).await {
            return Some(format!("it may not be formatted: {why}"));
        }
        match self.shown(held, true).await {
            Shown::Ours => None,
            Shown::Unknown if !formats => None,
            Shown::Unknown => Some("the drive does not show that it is the one that was tested; it is not formatted".to_owned()),
            Shown::Not => Some(
                "the drive no longer holds what was written to it: another one came into its place after it was read back; \
                 nothing more is written to it"
                    .to_owned(),
            ),
        }
    }

    /// The guard again, some times: a drive that spins up after hours of self-tests, or that smartctl has open for a moment, is no
    /// reason to call a good one untested.
    async fn check_patiently(&self, held: &Held) -> Result<(), String> {
        for _ in 1..CHECKS {
            if self.means.hands.check(held).await.is_ok() {
                return Ok(());
            }
            sleep(CHECK_AGAIN).await;
        }
        self.means.hands.check(held).await
    }

    async fn shown(&self, held: &Held, ended: bool) -> Shown {
        let Ok(file) = held.file.try_clone() else {
            return Shown::Unknown;
        };
        let proof = Proof {
            key: self.record.key,
            geometry: self.record.geometry,
            steps: self.record.steps.clone(),
            ended,
        };
        let asked = spawn_blocking(move || proof.of_file(file));
        match timeout(LOOK, asked).await {
            Ok(Ok(shown)) => shown,
            Ok(Err(_)) | Err(_) => Shown::Unknown,
        }
    }
}

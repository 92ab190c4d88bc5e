//! Ending a self-test: only on the drive whose it is, and of that drive only our own.
//!
//! Hours lie between start and end, in which a dock's drive is exchanged, or a monitor's schedule starts the next test. So the drive
//! is read before anything is ordered. Tested in `tests/self_test.rs`.

use std::path::Path;

use wire::job::SelfTest;

use super::{NOT_DONE, Running, words};
use crate::identity::Identity;
use crate::smart::{self, Smartctl, Snapshot, Unreadable};

/// Why a self-test was not ended.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// The drive did not tell that it is still the one whose test it is; it was ordered nothing.
    #[error("nothing there shows that it is still this drive, so it was ordered nothing: {0}")]
    Unanswered(String),
    /// The order failed.
    #[error("{0}")]
    Failed(String),
}

/// Ends `running` on the drive at `node`, which must still be `expected`: since the start another drive may have come into its place. Where
/// its own entry says that it is over already nothing is ordered: what runs by now is somebody else's. Its result is told then,
/// `None` where it has none: whoever starts it anew would hide a failure by the next one's pass.
///
/// # Errors
/// When another drive answers or none, when smartctl could not be run, or said that it did not work.
pub fn abort(
    smartctl: &Smartctl,
    node: &Path,
    expected: &Identity,
    running: &Running,
) -> Result<Option<SelfTest>, NotEnded> {
    Ok(match end_ours(smartctl, node, expected, running)? {
        // One that was ended, perhaps by an earlier try of this, has no result.
        Ending::Over(entry) => entry.passed.is_some().then(|| running.told_by(&entry)),
        Ending::Ordered => None,
    })
}

/// How a self-test was found that is to be ended.
pub(super) enum Ending {
    /// Its own entry says that it is over already.
    Over(smart::SelfTest),
    /// The drive took the order to end it.
    Ordered,
}

/// [`abort`], which tells these apart.
pub(super) fn end_ours(
    smartctl: &Smartctl,
    node: &Path,
    expected: &Identity,
    running: &Running,
) -> Result<Ending, NotEnded> {
    let now = still_there(smartctl, node, expected)?;
    match running.over(&now) {
        Some(entry) => Ok(Ending::Over(entry)),
        None => end(smartctl, node, expected).map(|()| Ending::Ordered),
    }
}

/// Times that a drive is asked before its test is ended: a busy bridge may fail one command, and a hot drive has to hear this.
pub(super) const ABORT_TRIES: u32 = 3;

/// What the drive tells before its test is ended.
fn still_there(smartctl: &Smartctl, node: &Path, expected: &Identity) -> Result<Snapshot, NotEnded> {
    let mut tries = 1;
    loop {
        match smartctl.read(node, expected) {
            Ok(now) => return Ok(now),
            Err(error) if tries >= ABORT_TRIES || matches!(error, Unreadable::OtherDrive { certain: true, .. }) => {
                return Err(NotEnded::Unanswered(words(&error)));
            }
            Err(
                Unreadable::Run(_)
                | Unreadable::Nothing(_)
                | Unreadable::SwitchedOff { .. }
                | Unreadable::Asleep
                | Unreadable::OtherDrive { .. },
            ) => {
                std::thread::sleep(smartctl.patience / 10);
                tries += 1;
            }
        }
    }
}

fn end(smartctl: &Smartctl, node: &Path, expected: &Identity) -> Result<(), NotEnded> {
    let answer = smartctl
        .order(node, expected, &["-X"])
        .map_err(|error| NotEnded::Failed(words(&error)))?;
    if answer.status & NOT_DONE == 0 {
        Ok(())
    } else {
        Err(NotEnded::Failed(answer.text()))
    }
}

//! What something else wrote to a drive while its burn-in was interrupted: Windows initialises a disk that it does not know, and people
//! try `mkswap` on the wrong node. Gone on with, it would be read back as a fault of the drive.
//!
//! Signatures that stood on the drive before say nothing: they are there until the sweep comes to them. Where another one stands, the places
//! where signatures lie are read ([`burnin::written_over`]), and of those only what this burn-in had written and flushed; where it had not
//! come to the beginning yet, the signature is enough: it is somebody's, and was never agreed to be lost. Where nothing is left of what it
//! had found they are read whatever stands there: a signature may have been taken off again. What holds the job's own data there is the
//! job's, whatever it looks like. Tested there, and by whole burn-ins in `tests/kept/`.

use burnin::device::Device;
use burnin::{Blank, Checkpoint};
use drive::guard::added;
use wire::drive::Content;

use super::Job;

impl Job {
    /// Why a burn-in that left this is not gone on with: something that was not there when it began stands where it had written. `None` where
    /// nothing does, or it cannot be read. Reads only.
    ///
    /// Where it is not known what stood there (`agreed`), what holds a signature now and is not as it was left is somebody's, too.
    ///
    /// What stood there before is no such thing: a drive that loses writes brings it back, which is for the burn-in to find. What it has
    /// found is not lost with it: its result is to be had as it stands, and a burn-in anew begins with it.
    pub(super) fn written_over(
        &self,
        device: &mut dyn Device,
        agreed: Option<&Content>,
        (checkpoint, blank): (&Checkpoint, Blank),
    ) -> Option<String> {
        let added = self.added_since(agreed);
        let is_asked = match blank {
            Blank::Nobodys => agreed.is_none() || added.is_some(),
            Blank::Others => true,
        };
        if !is_asked {
            return None;
        }
        let words = || format!("it holds {}", self.drive.content.words());
        let since = added.clone().unwrap_or_else(words);
        let found = burnin::written_over(device, checkpoint, blank, self.limits.hang_ms);
        match found.ok().flatten() {
            Some(lba) => Some(format!(
                "{since}, and LBA {lba}, which it had written already, is not as it left it"
            )),
            // It may have stood there all the while, and be what was agreed to erase.
            None if burnin::wrote_the_beginning(checkpoint) => None,
            None => added,
        }
    }

    /// What stands on the drive and was not there when a burn-in of it was agreed to, in words.
    pub(super) fn added_since(&self, agreed: Option<&Content>) -> Option<String> {
        // What could not be read then may have stood there.
        let agreed = agreed.filter(|agreed| matches!(agreed, Content::Empty | Content::Found { .. }))?;
        let summary = added(agreed, &self.drive.content)?;
        Some(format!(
            "something else wrote to it since: it holds {summary}, which was not there when it began"
        ))
    }
}

//! Sectors of the headers' places that lost their header across an interruption: what was flushed before the checkpoint and is gone.
//!
//! Headers are flushed before any checkpoint is told, and each place holds some header of the job until its very end: of one pass or of
//! the one before, however a cut came in between. So a place without one tells of a flush that was none, and nobody can tell it later:
//! the session that goes on writes the headers again. Tested over simulated drives in `tests/resume/flushed.rs`.

use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::findings::Fault;
use crate::header;
use crate::pattern::UNIT;
use crate::worker::Order;

use super::asks::Asks;

/// Further reads of a sector before it is believed.
const AGAIN: usize = 2;

/// Those sectors, with what they hold instead, before anything is written in a session that goes on; none where it cannot be told.
///
/// What cannot be read or is a damaged header is left out: a cut in the middle of a write does that to a good drive.
///
/// # Errors
/// When a read does not come back or the way to the drive is broken: nothing more can be asked then.
pub(crate) fn headless(device: &mut dyn Device, order: &Order) -> Result<Vec<(u64, Fault)>, String> {
    let checkpoint = order
        .resume
        .as_ref()
        .map(|resume| Checkpoint::decode(&resume.checkpoint));
    let Some(Ok(checkpoint)) = checkpoint else {
        return Ok(Vec::new());
    };
    // At the end of the last step they give way to what was written last; and what was found on the drive alone says nothing of a flush.
    let stands = order.header.is_some()
        && header::kept_by(&order.steps, order.geometry)
        && !checkpoint.is_in_last_step()
        && !checkpoint.evidence.lost;
    if !stands {
        return Ok(Vec::new());
    }
    let asks = Asks::new(order.key, order.geometry, order.limits.hang_ms, device.now());
    let mut found = Vec::new();
    for (lba, long) in header::places(order.geometry) {
        for sector in lba..lba + long {
            let Some(mut fault) = asks.instead_of_header(device, sector)? else {
                continue;
            };
            for _ in 0..AGAIN {
                if asks.instead_of_header(device, sector)?.is_none() {
                    fault = Fault::Transient;
                }
            }
            found.push((sector, fault));
        }
    }
    Ok(found)
}

impl Asks {
    /// What a sector holds of which no part is the job's, header or pattern; `None` where some is, where it cannot be read, or where the
    /// time is over.
    ///
    /// # Errors
    /// When the read does not come back or the way to the drive is broken.
    fn instead_of_header(&self, device: &mut dyn Device, lba: u64) -> Result<Option<Fault>, String> {
        if self.is_late(device) || !self.read(device, lba)? {
            return Ok(None);
        }
        let data = self.data(device);
        if self.is_ours(data, lba) || data.chunks(UNIT / 8).any(header::looks_like_one) {
            return Ok(None);
        }
        Ok(Some(match data.first() {
            Some(0) if data.iter().all(|word| *word == 0) => Fault::Zeros,
            Some(&u64::MAX) if data.iter().all(|word| *word == u64::MAX) => Fault::Ones,
            _ => Fault::Foreign,
        }))
    }
}

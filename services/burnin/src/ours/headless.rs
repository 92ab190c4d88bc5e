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
use super::resume::holds_its_end;

/// Further reads of a sector before it is believed.
const AGAIN: usize = 2;

/// What the headers' places tell of the drive before a session that goes on writes them again.
#[derive(Debug, Default)]
pub(crate) struct Headless {
    /// Sectors that lost their header, with what they hold instead.
    pub lost: Vec<(u64, Fault)>,
    /// Those that could not be read. A cut in the middle of a write does that to a good drive, and nobody knows whether there was one: no
    /// session that was cut while it wrote its headers has told of itself.
    pub unread: Vec<Unread>,
}

/// A sector whose read failed.
#[derive(Debug)]
pub(crate) struct Unread {
    pub lba: u64,
    /// The kernel's error.
    pub errno: i32,
    /// Whether it was read when tried again.
    pub once: bool,
}

/// Looks at those places; nothing is told where it cannot be.
///
/// A damaged header is left out: a cut in the middle of a write does that to a good drive, too.
///
/// # Errors
/// When a read does not come back or the way to the drive is broken: nothing more can be asked then.
pub(crate) fn headless(device: &mut dyn Device, order: &Order) -> Result<Headless, String> {
    let checkpoint = order
        .resume
        .as_ref()
        .map(|resume| Checkpoint::decode(&resume.checkpoint));
    let Some(Ok(checkpoint)) = checkpoint else {
        return Ok(Headless::default());
    };
    // At the end of the last step they give way to what was written last, at a first fault to the mark of the end; and what was found on
    // the drive alone says nothing of a flush.
    let stands = order.header.is_some()
        && header::kept_by(&order.steps, order.geometry)
        && !checkpoint.is_in_last_step()
        && !holds_its_end(&checkpoint, &order.limits)
        && !checkpoint.evidence.lost;
    if !stands {
        return Ok(Headless::default());
    }
    let asks = Asks::new(order.key, order.geometry, order.limits.hang_ms, device.now());
    let mut found = Headless::default();
    for (lba, long) in header::places(order.geometry) {
        for sector in lba..lba + long {
            let mut fault = match asks.instead_of_header(device, sector)? {
                Held::Header => continue,
                Held::Instead(fault) => fault,
                Held::Unread { errno } => {
                    let mut once = false;
                    for _ in 0..AGAIN {
                        once |= !matches!(asks.instead_of_header(device, sector)?, Held::Unread { .. });
                    }
                    found.unread.push(Unread {
                        lba: sector,
                        errno,
                        once,
                    });
                    continue;
                }
            };
            for _ in 0..AGAIN {
                match asks.instead_of_header(device, sector)? {
                    Held::Instead(_) => {}
                    Held::Header | Held::Unread { .. } => fault = Fault::Transient,
                }
            }
            found.lost.push((sector, fault));
        }
    }
    Ok(found)
}

/// What a sector of the headers' places holds.
enum Held {
    /// Something of the job's, header or pattern; or the time was over.
    Header,
    /// Nothing of it.
    Instead(Fault),
    /// It cannot be read.
    Unread { errno: i32 },
}

impl Asks {
    /// What such a sector holds.
    ///
    /// # Errors
    /// When the read does not come back or the way to the drive is broken.
    fn instead_of_header(&self, device: &mut dyn Device, lba: u64) -> Result<Held, String> {
        if self.is_late(device) {
            return Ok(Held::Header);
        }
        if let Some(errno) = self.reads.fails(device, lba, 1)? {
            return Ok(Held::Unread { errno });
        }
        let data = self.data(device);
        if self.is_ours(data, lba) || data.chunks(UNIT / 8).any(header::looks_like_one) {
            return Ok(Held::Header);
        }
        Ok(Held::Instead(match data.first() {
            Some(0) if data.iter().all(|word| *word == 0) => Fault::Zeros,
            Some(&u64::MAX) if data.iter().all(|word| *word == u64::MAX) => Fault::Ones,
            _ => Fault::Foreign,
        }))
    }
}

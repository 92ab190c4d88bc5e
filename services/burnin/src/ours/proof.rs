//! Whether a drive is a job's: in the middle of the job by its headers, at the end by what was written last.

use std::collections::BTreeSet;
use std::fs::File;

use wire::job::Phase;

use super::asks::{Asks, Told};
use super::resume::places;
use super::{Shown, evenly, left, marks, trimmed};
use crate::checkpoint::Checkpoint;
use crate::device::{self, Device, Geometry};
use crate::header;
use crate::pattern::JobKey;
use crate::playbook::Step;
use crate::worker::Limits;

/// The job that a drive is to prove itself to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its secret.
    pub key: JobKey,
    /// Size and sectors of its drive.
    pub geometry: Geometry,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Whether all of them that move data are done, so that the headers gave way to what was written last.
    pub ended: bool,
}

/// Asks the drive behind this descriptor, with plain reads; `None` where it cannot be opened.
pub(super) fn opened<T>(file: File, ask: impl FnOnce(&mut dyn Device) -> T) -> Option<T> {
    device::open_plain(file).ok().map(|mut device| ask(device.as_mut()))
}

/// The same for what a drive shows.
fn shown(file: File, ask: impl FnOnce(&mut dyn Device) -> Shown) -> Shown {
    opened(file, ask).unwrap_or(Shown::Unknown)
}

impl Proof {
    /// [`Self::of_cut_format`] of the drive behind this descriptor; `unlisted`: what stands where its partition would be.
    pub fn of_cut_format_file(&self, file: File, unlisted: &BTreeSet<String>) -> Shown {
        match left::holds_others(unlisted) {
            true => Shown::Not,
            false => shown(file, |device| self.of_cut_format(device)),
        }
    }

    /// What a drive shows whose format was cut off before its table; reads only.
    ///
    /// What was written last stands where the formatter was not, and nobody else has written its first sector, as whoever uses a whole
    /// drive does, nor used that partition.
    pub fn of_cut_format(&self, device: &mut dyn Device) -> Shown {
        let asks = Asks::new(self.key, self.geometry, Limits::default().hang_ms, device.now());
        match self.told(device, &asks) {
            Ok(Shown::Ours) => match asks.is_the_formatters(device, self.last_constant()) {
                Ok(true) => Shown::Ours,
                Ok(false) => Shown::Not,
                Err(_) => Shown::Unknown,
            },
            Ok(told) => told,
            Err(_) => Shown::Unknown,
        }
    }

    /// [`Self::of_doubted`] of the drive behind this descriptor.
    pub fn of_doubted_file(&self, file: File) -> Shown {
        shown(file, |device| self.of_doubted(device))
    }

    /// What a drive shows that was reset while the job's headers were being written; reads only. To be asked once they are flushed, and
    /// before another session writes them again.
    ///
    /// Of two drives that were exchanged meanwhile one holds the first of them and the other the last, so every place that can be
    /// read must hold the job's.
    pub fn of_doubted(&self, device: &mut dyn Device) -> Shown {
        match self.at_headers(device) {
            Ok(told) if told.read > 0 && told.ours == told.read => Shown::Ours,
            Ok(told) if told.read > 0 => Shown::Not,
            Ok(_) | Err(_) => Shown::Unknown,
        }
    }

    /// Whether any of the headers stands on the drive behind this descriptor: one that is merely blank holds none.
    pub fn has_a_header(&self, file: File) -> bool {
        let stands = |device: &mut dyn Device| self.at_headers(device).is_ok_and(|told| told.ours > 0);
        header::kept_by(&self.steps, self.geometry) && opened(file, stands).unwrap_or(false)
    }

    /// What the headers' places tell.
    pub(super) fn at_headers(&self, device: &mut dyn Device) -> Result<Told, String> {
        let asks = Asks::new(self.key, self.geometry, Limits::default().hang_ms, device.now());
        asks.at_headers(device)
    }

    /// The word that the last write fills the drive with, if it is of a constant.
    fn last_constant(&self) -> Option<u64> {
        let last = self.steps.iter().rfind(|step| step.phase == Phase::Write);
        last.and_then(|step| step.fill.constant())
    }

    /// [`Self::of_recounted`] of the drive behind this descriptor.
    pub fn of_recounted_file(&self, file: File, checkpoint: Option<&Checkpoint>) -> Shown {
        shown(file, |device| self.of_recounted(device, checkpoint))
    }

    /// What a drive shows that answers by the job's name in its place, and that the kernel counts as another medium; reads only.
    /// `checkpoint`: the last one of this key. The caller knows that the headers were written before it was counted anew.
    ///
    /// A removable drive that was reset is counted so, and so is one that was exchanged. So more is asked than of a drive of which the
    /// kernel tells nothing: in the middle the headers, and most places of what was flushed before the checkpoint; at the end most
    /// places of the pattern, since its headers gave way to that a moment ago. A constant proves nothing then.
    pub fn of_recounted(&self, device: &mut dyn Device, checkpoint: Option<&Checkpoint>) -> Shown {
        let asks = Asks::new(self.key, self.geometry, Limits::default().hang_ms, device.now());
        self.recounted(device, &asks, checkpoint).unwrap_or(Shown::Unknown)
    }

    /// Whether anything could prove a drive that was counted anew: else no read of it does.
    pub fn can_be_recounted(&self) -> bool {
        match self.ended {
            true => self.is_keyed() && self.steps.iter().any(|step| step.phase == Phase::Write),
            false => header::kept_by(&self.steps, self.geometry),
        }
    }

    /// Whether all that the job leaves on its drive is the pattern.
    fn is_keyed(&self) -> bool {
        self.steps
            .iter()
            .all(|step| step.phase != Phase::Trim && (step.phase != Phase::Write || step.fill.is_keyed()))
    }

    fn recounted(
        &self,
        device: &mut dyn Device,
        asks: &Asks,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Shown, String> {
        if !self.can_be_recounted() {
            return Ok(Shown::Unknown);
        }
        let most = |told: &Told| told.ours * 4 >= told.read * 3;
        if self.ended {
            let told = asks.at(device, marks(self.geometry))?;
            return Ok(match told.read {
                0 => Shown::Unknown,
                _ if most(&told) => Shown::Ours,
                _ => Shown::Not,
            });
        }
        let Some(checkpoint) = checkpoint else {
            return Ok(Shown::Unknown);
        };
        let headers = asks.at_headers(device)?;
        if !headers.at_least_half() {
            return Ok(if headers.read > 0 { Shown::Not } else { Shown::Unknown });
        }
        // What a constant or a trim left tells nothing.
        let written = if self.is_keyed() {
            places(checkpoint)
        } else {
            Vec::new()
        };
        let told = asks.at(device, written)?;
        Ok(if most(&told) { Shown::Ours } else { Shown::Not })
    }

    /// Whether the job is over and left its pattern everywhere.
    pub(super) fn is_filled(&self) -> bool {
        let wrote = self.steps.iter().any(|step| step.phase == Phase::Write);
        self.ended && wrote && self.last_constant().is_none() && !trimmed(&self.steps)
    }

    pub(super) fn told(&self, device: &mut dyn Device, asks: &Asks) -> Result<Shown, String> {
        let headers = header::kept_by(&self.steps, self.geometry);
        let at_headers = if headers {
            asks.at_headers(device)?
        } else {
            Told::default()
        };
        if at_headers.at_least_half() && !self.is_filled() {
            return Ok(Shown::Ours);
        }
        let not = |told: &Told| if told.read > 0 { Shown::Not } else { Shown::Unknown };
        if !self.ended {
            return Ok(not(&at_headers));
        }
        // At the end the headers' places hold what was written last, too.
        let last = self.steps.iter().rfind(|step| step.phase == Phase::Write);
        match self.last_constant() {
            Some(word) if trimmed(&self.steps) => asks.spared(device, word),
            Some(word) => match asks.hold(device, word)? {
                (true, _) => Ok(Shown::Ours),
                (false, told) => Ok(not(&told)),
            },
            // What the closing writes put there went to whatever drive was in the place by then: the rest must be the job's, too.
            None if at_headers.at_least_half() => Ok(match asks.at(device, evenly(self.geometry).collect())? {
                told if told.at_least_half() => Shown::Ours,
                told => not(&told),
            }),
            None if at_headers.read > 0 => Ok(Shown::Not),
            None if last.is_none() => Ok(Shown::Unknown),
            None => match asks.at(device, marks(self.geometry))? {
                told if told.at_least_half() => Ok(Shown::Ours),
                told => Ok(not(&told)),
            },
        }
    }
}

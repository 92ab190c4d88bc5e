//! What single sectors of a drive tell of one job.

use std::time::Duration;

use super::reads::Reads;
use super::{Shown, marks};
use crate::device::{Device, Geometry};
use crate::header;
use crate::pattern::{JobKey, Pattern, Seen, UNIT};
use crate::pipeline::WRITE_PASS;

/// Bytes at each end of a drive that must hold a constant, too, where only that proves it.
const EDGE: u64 = 1 << 20;

/// Looks for one job at single sectors.
pub(super) struct Asks {
    pub(super) key: JobKey,
    pub(super) reads: Reads,
    patterns: [Pattern; 2],
}

/// What some sectors told.
#[derive(Default)]
pub(super) struct Told {
    /// How many of them are the job's.
    pub ours: u64,
    /// How many could be read.
    pub read: u64,
    /// How many hold a header of the job's.
    pub headers: u64,
    /// The words that those hold which hold one word alone.
    pub words: Vec<u64>,
}

impl Told {
    /// Whether all that could be read hold this word and nothing else, but for headers of the job's that have not given way to it yet.
    pub(super) fn holds(&self, word: u64) -> bool {
        let alone = self.words.len() as u64;
        self.read > 0 && alone + self.headers == self.read && self.words.iter().all(|told| *told == word)
    }

    pub(super) fn at_least_half(&self) -> bool {
        self.read > 0 && self.ours * 2 >= self.read
    }
}

impl Asks {
    pub(super) fn new(key: JobKey, geometry: Geometry, hang_ms: u64, now: Duration) -> Self {
        Self {
            key,
            reads: Reads::new(geometry, hang_ms, now),
            patterns: [Pattern::new(key), Pattern::new(key).complemented()],
        }
    }

    /// How many places, asked on the way, were too few for a job's own drive; `None` where it is, or cannot be read.
    ///
    /// No single sector proves it: a worker whose drive was exchanged goes on for seconds before anybody knows, and what it wrote
    /// then is the job's, too. Headers are a third of the drive apart and kept through every sweep, so their places decide, where
    /// they hold the header, or at the very end the pattern.
    pub(super) fn stranger(
        &self,
        device: &mut dyn Device,
        keeps: bool,
        places: Vec<u64>,
        closing: Option<u64>,
        trimmed: bool,
    ) -> Result<Option<u64>, String> {
        let mut told = if keeps {
            self.at_headers(device)?
        } else {
            Told::default()
        };
        if told.at_least_half() {
            return Ok(None);
        }
        if told.read == 0 {
            told = self.at(device, places)?;
            if told.read > 0 && told.ours * 4 >= told.read * 3 {
                return Ok(None);
            }
        }
        if let Some(word) = closing {
            if trimmed {
                let ours = self.spared(device, word)? == Shown::Ours;
                return Ok((!ours && told.read > 0).then_some(told.read));
            }
            match self.hold(device, word)? {
                (true, _) => return Ok(None),
                (false, more) => told.read += more.read,
            }
        }
        Ok((told.read > 0).then_some(told.read))
    }

    /// Asks at the headers' places, until the time is over.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn at_headers(&self, device: &mut dyn Device) -> Result<Told, String> {
        let mut told = Told::default();
        for place in header::places(self.reads.geometry) {
            if self.reads.is_late(device) {
                break;
            }
            let ours = header::ours_at(device, self.reads.geometry, self.key, place);
            let mut sector = Told::default();
            self.ask(device, place.0, &mut sector)?;
            told.read += u64::from(ours.is_some() || sector.read > 0);
            told.ours += u64::from(ours == Some(true) || sector.ours > 0);
        }
        Ok(told)
    }

    /// Whether the drive holds this constant wherever it is asked, and what it told on the way.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn hold(&self, device: &mut dyn Device, word: u64) -> Result<(bool, Told), String> {
        let told = self.at(device, marks(self.reads.geometry))?;
        Ok((
            told.holds(word) && self.edges_hold(device, |_, data| holds_one_of(&[word], data))?,
            told,
        ))
    }

    /// Asks at these places, until the time is over.
    ///
    /// # Errors
    /// When a read does not come back or the way to the drive is broken.
    pub(super) fn at(&self, device: &mut dyn Device, places: Vec<u64>) -> Result<Told, String> {
        let mut told = Told::default();
        for lba in places {
            if self.reads.is_late(device) {
                break;
            }
            self.ask(device, lba, &mut told)?;
        }
        Ok(told)
    }

    /// Whether the time for all of it is over.
    pub(super) fn is_late(&self, device: &dyn Device) -> bool {
        self.reads.is_late(device)
    }

    /// Reads one sector for [`Self::data`]; false where it cannot be read.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn read(&self, device: &mut dyn Device, lba: u64) -> Result<bool, String> {
        self.reads.read(device, lba, 1)
    }

    /// What the sector holds that was read last.
    pub(super) fn data<'a>(&self, device: &'a mut dyn Device) -> &'a [u64] {
        &device.buffer(0)[..self.reads.geometry.sector as usize / 8]
    }

    /// Asks at one place.
    fn ask(&self, device: &mut dyn Device, lba: u64, told: &mut Told) -> Result<(), String> {
        if self.read(device, lba)? {
            let data = self.data(device);
            told.read += 1;
            told.ours += u64::from(self.is_ours(data, lba));
            let units = data.chunks(UNIT / 8);
            let marked = lba == 0 && self.begins_with_the_mark(data);
            told.headers += u64::from(marked || units.into_iter().any(|unit| header::own(unit, self.key).is_some()));
            let one = data.first().filter(|word| data.iter().all(|other| other == *word));
            told.words.extend(one);
        }
        Ok(())
    }

    /// What a drive shows whose constant was trimmed: the headers' places were spared, and hold it whole.
    ///
    /// Trimmed sectors read as zeros, as ones or as before; anything else at the drive's ends may be somebody's file system.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn spared(&self, device: &mut dyn Device, word: u64) -> Result<Shown, String> {
        let mut read = 0;
        for place in header::places(self.reads.geometry) {
            match self.holds_only(device, place, |_, data| holds_one_of(&[word], data))? {
                Some(false) if self.reads.is_late(device) => return Ok(Shown::Unknown),
                // A header that has not given way to it yet.
                Some(false) if header::ours_at(device, self.reads.geometry, self.key, place) == Some(true) => {}
                Some(false) => return Ok(Shown::Not),
                Some(true) => read += 1,
                None => {}
            }
        }
        let usual = |_, data: &[u64]| holds_one_of(&[word, 0, u64::MAX], data);
        Ok(match read > 0 && self.edges_hold(device, usual)? {
            true => Shown::Ours,
            false => Shown::Unknown,
        })
    }

    /// Whether the drive's first 512 bytes hold a partition table in the midst of what the job wrote: who makes one leaves the boot code
    /// before it, which is this job's pattern or one of its constants. No fault of a drive does so, and what a lost write brings back is whole.
    ///
    /// ```text
    ///  0    boot code, 440      440  disk's number 4 │ 2 │ table 64      510  55h AAh
    /// ```
    pub(super) fn has_a_table_in_it(&self, data: &[u64], constants: &[u64]) -> bool {
        const CODE: usize = 440 / 8;
        let Some((sector, _)) = data.split_at_checked(UNIT / 8) else {
            return false;
        };
        let last = sector.last().copied().unwrap_or_default().to_ne_bytes();
        let (code, rest) = sector.split_at(CODE);
        let of = |pattern: &Pattern| {
            let (unit, pass) = match pattern.decode(sector, 0, WRITE_PASS) {
                Some(Seen::Of { unit, pass }) => (unit, pass),
                Some(Seen::Flips { .. }) => (0, WRITE_PASS),
                None | Some(Seen::Torn { .. } | Seen::Zeros | Seen::Ones | Seen::Foreign) => return false,
            };
            let mut own = [0; UNIT / 8];
            pattern.fill(&mut own, unit, pass);
            code == &own[..CODE] && rest != &own[CODE..]
        };
        // A table before which zeros stand may be the old one.
        let alone = |word: &u64| *word != 0 && code.iter().all(|other| other == word);
        last[6..] == [0x55, 0xaa] && (self.patterns.iter().any(of) || constants.iter().any(alone))
    }

    /// Whether the drive begins with the mark of this job's format.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn is_marked(&self, device: &mut dyn Device) -> Result<bool, String> {
        Ok(self.read(device, 0)? && self.begins_with_the_mark(self.data(device)))
    }

    fn begins_with_the_mark(&self, first: &[u64]) -> bool {
        first
            .chunks(UNIT / 8)
            .next()
            .is_some_and(|unit| header::ends(unit, self.key))
    }

    /// Whether both ends of the drive hold such sectors and nothing else, as far as they can be read: partition tables, file systems
    /// and arrays stand there, while most other sectors of a drive that is not full are zeros.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn edges_hold(
        &self,
        device: &mut dyn Device,
        due: impl Fn(u64, &[u64]) -> bool,
    ) -> Result<bool, String> {
        let Geometry { sectors, sector, .. } = self.reads.geometry;
        let long = (EDGE / u64::from(sector)).min(sectors);
        let mut read = false;
        let marked = u64::from(self.is_marked(device)?);
        for (from, long) in [(marked, long - marked), (sectors - long, long)] {
            match self.holds_only(device, (from, long), &due)? {
                Some(false) => return Ok(false),
                told => read |= told.is_some(),
            }
        }
        Ok(read)
    }

    /// Whether each of these sectors is such a one by its LBA and what it holds, as far as they can be read; `None` where none of them
    /// can. Not, where the time is over.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    pub(super) fn holds_only(
        &self,
        device: &mut dyn Device,
        (from, long): (u64, u64),
        due: impl Fn(u64, &[u64]) -> bool,
    ) -> Result<Option<bool>, String> {
        let sector = u64::from(self.reads.geometry.sector);
        let each = (device.block() as u64 / sector).max(1);
        let mut told = None;
        for lba in (from..from + long).step_by(usize::try_from(each).unwrap_or(usize::MAX)) {
            let count = each.min(from + long - lba);
            if self.reads.is_late(device) {
                return Ok(Some(false));
            }
            if self.reads.read(device, lba, count)? {
                let words = &device.buffer(0)[..self.reads.geometry.words(count)];
                let mut sectors = (lba..).zip(words.chunks(self.reads.geometry.words(1)));
                if !sectors.all(|(lba, data)| due(lba, data)) {
                    return Ok(Some(false));
                }
                told = Some(true);
            }
        }
        Ok(told)
    }

    /// Whether a sector is the job's, whole or damaged.
    pub(super) fn is_ours(&self, data: &[u64], lba: u64) -> bool {
        let units = data.chunks(UNIT / 8).zip(lba * self.reads.geometry.units()..);
        units.into_iter().any(|(data, unit)| {
            let written = |pattern: &Pattern| match pattern.decode(data, unit, WRITE_PASS) {
                None | Some(Seen::Flips { .. } | Seen::Torn { .. } | Seen::Of { .. }) => true,
                Some(Seen::Zeros | Seen::Ones | Seen::Foreign) => false,
            };
            header::own(data, self.key).is_some() || self.patterns.iter().any(written)
        })
    }

    /// Whether a sector holds, in each bit, what the job wrote there in one of its passes, or a header of its.
    pub(super) fn is_whole(&self, data: &[u64], lba: u64) -> bool {
        let mut units = data.chunks(UNIT / 8).zip(lba * self.reads.geometry.units()..);
        units.all(|(data, unit)| {
            let written = |pattern: &Pattern| match pattern.decode(data, unit, WRITE_PASS) {
                None => true,
                Some(Seen::Of { unit: of, pass }) => of == unit && pattern.decode(data, unit, pass).is_none(),
                Some(Seen::Flips { .. } | Seen::Torn { .. } | Seen::Zeros | Seen::Ones | Seen::Foreign) => false,
            };
            header::own(data, self.key).is_some() || self.patterns.iter().any(written)
        })
    }
}

/// Whether there are no other words than these.
fn holds_one_of(due: &[u64], data: &[u64]) -> bool {
    data.iter().all(|told| due.contains(told))
}

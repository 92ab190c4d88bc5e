//! Whether a drive holds what a job wrote to it: before an interrupted job goes on, and wherever another medium may have come
//! into its place meanwhile (a reset, a pause, hours of self-tests, before it is formatted).
//!
//! Two drives can answer by one name: behind a USB dock that tells only its own serial number, two of the same size do.
//! The pattern and the header cannot be guessed without the job's key. A single sector of them proves nothing all the same: a
//! worker writes on for seconds after its drive was exchanged. A constant stands on many drives: it proves only where every
//! sector that is asked holds it, and both ends whole. A drive of which some
//! sectors can be read and none is the job's is not written to; one of which none can be read proves nothing either way.
//! Tested over simulated drives in `tests/stranger.rs`.

use std::fs::File;
use std::time::Duration;

use wire::job::Phase;

use crate::checkpoint::Checkpoint;
use crate::device::{self, Access, Device, Geometry, Op};
use crate::header;
use crate::pattern::{JobKey, Pattern, Seen, UNIT};
use crate::pipeline::WRITE_PASS;
use crate::playbook::{Direction, Step, erases};
use crate::worker::{Backend, Io, Limits, Order};

/// Places looked at below the frontier, besides the powers of two.
const EVENLY: u64 = 16;

/// Bytes at each end of a drive that must hold a constant, too, where only that proves it.
const EDGE: u64 = 1 << 20;

/// Longest single wait.
const WAIT: Duration = Duration::from_millis(250);

/// Longest search in all: a drive that fails each read after half a minute is the burn-in's to judge.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a drive shows of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Its header, its pattern, or at its end the constant that it wrote last, wherever it is asked.
    Ours,
    /// Something else wherever it can be read.
    Not,
    /// Nothing that would prove it either way: it cannot be read, or the job left nothing.
    Unknown,
}

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

impl Proof {
    /// What the drive behind this descriptor shows; reads only. Blocks as long as the drive does, two minutes as a rule.
    pub fn of_file(&self, file: File) -> Shown {
        let io = Io {
            backend: Backend::Sync,
            ..Io::default()
        };
        device::open(file, io).map_or(Shown::Unknown, |(mut device, _)| self.of(device.as_mut()))
    }

    /// What this drive shows; reads only.
    ///
    /// In the middle of a job its header alone counts: what a worker wrote on after its drive was exchanged is its pattern, too.
    pub fn of(&self, device: &mut dyn Device) -> Shown {
        let asks = Asks::new(self.key, self.geometry, Limits::default().hang_ms, device.now());
        self.told(device, &asks).unwrap_or(Shown::Unknown)
    }

    fn told(&self, device: &mut dyn Device, asks: &Asks) -> Result<Shown, String> {
        let headers = header::kept_by(&self.steps, self.geometry);
        let at_headers = if headers {
            asks.at_headers(device)?
        } else {
            Told::default()
        };
        if at_headers.at_least_half() {
            return Ok(Shown::Ours);
        }
        let not = |told: &Told| if told.read > 0 { Shown::Not } else { Shown::Unknown };
        if !self.ended {
            return Ok(not(&at_headers));
        }
        // At the end the headers' places hold what was written last, too.
        let last = self.steps.iter().rfind(|step| step.phase == Phase::Write);
        match last.and_then(|step| step.fill.constant()) {
            Some(word) if trimmed(&self.steps) => asks.spared(device, word),
            Some(word) => match asks.hold(device, word)? {
                (true, _) => Ok(Shown::Ours),
                (false, told) => Ok(not(&told)),
            },
            None if at_headers.read > 0 => Ok(Shown::Not),
            None if last.is_none() => Ok(Shown::Unknown),
            None => match asks.at(device, marks(self.geometry))? {
                told if told.at_least_half() => Ok(Shown::Ours),
                told => Ok(not(&told)),
            },
        }
    }
}

/// Why the job of this order must not go on with this drive; `None` where it may, and for a fresh start.
pub(crate) fn stranger(device: &mut dyn Device, order: &Order) -> Option<String> {
    let checkpoint = Checkpoint::decode(&order.resume.as_ref()?.checkpoint).ok()?;
    if !checkpoint.steps.iter().any(|step| erases(step.phase)) {
        // Nothing is written, so nothing of the job can stand there.
        return None;
    }
    let keeps = order.header.is_some() && header::kept_by(&order.steps, order.geometry);
    let (closing, places) = (closing(&checkpoint), places(&checkpoint));
    // A drive without room for headers is below 512 KiB, and at its beginning nothing of it was flushed yet.
    if places.is_empty() && closing.is_none() && !keeps && !header::places(order.geometry).is_empty() {
        return Some(
            "nothing that it has written so far proves that this is its drive: begin it anew; nothing was written to the drive \
             in this session"
                .to_owned(),
        );
    }
    let asks = Asks::new(order.key, order.geometry, order.limits.hang_ms, device.now());
    let read = match asks.stranger(device, keeps, places, closing, trimmed(&checkpoint.steps)) {
        Ok(None) => return None,
        Ok(Some(read)) => read,
        Err(why) => return Some(why),
    };
    Some(format!(
        "of {read} places that it had written too few hold anything of it: this is another drive with the same name, or one that \
         lost everything; nothing was written to it in this session"
    ))
}

/// Whether a trim came behind the last write: it leaves to the drive what it reads as, but for the headers' places.
fn trimmed(steps: &[Step]) -> bool {
    let mut steps = steps.iter().rev();
    let last = steps.find(|step| matches!(step.phase, Phase::Write | Phase::Trim));
    last.is_some_and(|step| step.phase == Phase::Trim)
}

/// Where a drive is asked whatever of it was written: the headers' places, and evenly over it.
fn marks(geometry: Geometry) -> Vec<u64> {
    let headers = header::places(geometry).into_iter().map(|(lba, _)| lba);
    headers
        .chain((0..EVENLY).map(|n| geometry.sectors / EVENLY * n))
        .collect()
}

/// The constant that the whole drive holds where the headers may have given way to it: at the very end of a job.
///
/// A constant proves less than a tag, and is asked for only where nothing else is left: nearly every drive has a sector of
/// zeros somewhere, so all that are asked must hold it.
fn closing(checkpoint: &Checkpoint) -> Option<u64> {
    let last = checkpoint.evidence.phases.last()?;
    // Seeks and a trim have no frontier.
    let swept = checkpoint.frontier == checkpoint.geometry.sectors || matches!(last.phase, Phase::Seek | Phase::Trim);
    let word = checkpoint.holds?.fill.constant()?;
    (last.step == checkpoint.step && swept).then_some(word)
}

/// Sectors that were written and flushed before the checkpoint, from the start upwards.
fn places(checkpoint: &Checkpoint) -> Vec<u64> {
    let Checkpoint {
        geometry,
        steps,
        step,
        frontier,
        ..
    } = checkpoint;
    let at = usize::from(*step);
    let earlier = |phase| steps[..at].iter().any(|step| step.phase == phase);
    let (mut limit, mut below) = match steps[at].phase {
        Phase::Verify | Phase::Seek => (geometry.sectors, geometry.sectors),
        Phase::Write if earlier(Phase::Write) => (geometry.sectors, geometry.sectors),
        // The probe left its own sectors at the start and at every power of two.
        Phase::Write if earlier(Phase::Probe) => (geometry.sectors, *frontier),
        Phase::Write => (*frontier, *frontier),
        _ => (0, 0),
    };
    // A sweep backwards has begun at the end; a constant pattern or a trim may have left nothing that proves anything.
    let own = &steps[..=at];
    if own
        .iter()
        .any(|s| s.phase == Phase::Trim || (s.phase == Phase::Write && !s.fill.is_keyed()))
    {
        (limit, below) = (0, 0);
    }
    if steps[at].phase == Phase::Write && steps[at].order == Direction::Reverse && !earlier(Phase::Write) {
        (limit, below) = (0, 0);
    }
    let grain = geometry.grain();
    let mut places: Vec<u64> = std::iter::once(0)
        .chain((0..48).map(|k| (1_u64 << k) / grain * grain))
        .filter(|lba| *lba < limit)
        .chain((1..EVENLY).map(|n| below / EVENLY * n).filter(|lba| *lba < below))
        .collect();
    if *frontier > 0
        && steps[at].phase == Phase::Write
        && steps[at].order == Direction::Reverse
        && steps[at].fill.is_keyed()
    {
        places.extend((1..=EVENLY).map(|n| geometry.sectors - (frontier / EVENLY * n).max(1)));
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// Looks for one job at single sectors.
struct Asks {
    key: JobKey,
    geometry: Geometry,
    hang: Duration,
    until: Duration,
    patterns: [Pattern; 2],
}

/// What some sectors told.
#[derive(Default)]
struct Told {
    /// How many of them are the job's.
    ours: u64,
    /// How many could be read.
    read: u64,
    /// The words that those hold which hold one word alone.
    words: Vec<u64>,
}

impl Told {
    /// Whether all that could be read hold this word and nothing else.
    fn holds(&self, word: u64) -> bool {
        self.read > 0 && self.words.len() as u64 == self.read && self.words.iter().all(|told| *told == word)
    }

    fn at_least_half(&self) -> bool {
        self.read > 0 && self.ours * 2 >= self.read
    }
}

impl Asks {
    fn new(key: JobKey, geometry: Geometry, hang_ms: u64, now: Duration) -> Self {
        Self {
            key,
            geometry,
            hang: Duration::from_millis(hang_ms),
            until: now + PATIENCE,
            patterns: [Pattern::new(key), Pattern::new(key).complemented()],
        }
    }

    /// How many places, asked on the way, were too few for a job's own drive; `None` where it is, or cannot be read.
    ///
    /// No single sector proves it: a worker whose drive was exchanged goes on for seconds before anybody knows, and what it wrote
    /// then is the job's, too. Headers are a third of the drive apart and kept through every sweep, so their places decide, where
    /// they hold the header, or at the very end the pattern.
    fn stranger(
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

    /// Asks at the headers' places.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn at_headers(&self, device: &mut dyn Device) -> Result<Told, String> {
        let mut told = Told::default();
        let places = header::places(self.geometry);
        for ((lba, _), ours) in places.into_iter().zip(header::ours_at(device, self.geometry, self.key)) {
            let sector = self.at(device, vec![lba])?;
            told.read += u64::from(ours.is_some() || sector.read > 0);
            told.ours += u64::from(ours == Some(true) || sector.ours > 0);
        }
        Ok(told)
    }

    /// Whether the drive holds this constant wherever it is asked, and what it told on the way.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn hold(&self, device: &mut dyn Device, word: u64) -> Result<(bool, Told), String> {
        let told = self.at(device, marks(self.geometry))?;
        Ok((told.holds(word) && self.edges_hold(device, |told| told == word)?, told))
    }

    /// Asks at these places, until the time is over.
    ///
    /// # Errors
    /// When a read does not come back or the way to the drive is broken.
    fn at(&self, device: &mut dyn Device, places: Vec<u64>) -> Result<Told, String> {
        let mut told = Told::default();
        for lba in places {
            if device.now() >= self.until {
                break;
            }
            if self.read(device, lba, 1)? {
                let data = &device.buffer(0)[..self.geometry.sector as usize / 8];
                told.read += 1;
                told.ours += u64::from(self.is_ours(data, lba));
                let one = data.first().filter(|word| data.iter().all(|other| other == *word));
                told.words.extend(one);
            }
        }
        Ok(told)
    }

    /// What a drive shows whose constant was trimmed: the headers' places were spared, and hold it whole.
    ///
    /// Trimmed sectors read as zeros, as ones or as before; anything else at the drive's ends may be somebody's file system.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn spared(&self, device: &mut dyn Device, word: u64) -> Result<Shown, String> {
        let mut read = 0;
        for place in header::places(self.geometry) {
            match self.holds_only(device, place, |told| told == word)? {
                Some(false) if device.now() >= self.until => return Ok(Shown::Unknown),
                Some(false) => return Ok(Shown::Not),
                Some(true) => read += 1,
                None => {}
            }
        }
        let usual = |told| [word, 0, u64::MAX].contains(&told);
        Ok(match read > 0 && self.edges_hold(device, usual)? {
            true => Shown::Ours,
            false => Shown::Unknown,
        })
    }

    /// Whether both ends of the drive hold such words and nothing else, as far as they can be read: partition tables, file systems
    /// and arrays stand there, while most other sectors of a drive that is not full are zeros.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn edges_hold(&self, device: &mut dyn Device, due: impl Fn(u64) -> bool) -> Result<bool, String> {
        let Geometry { sectors, sector, .. } = self.geometry;
        let long = (EDGE / u64::from(sector)).min(sectors);
        let mut read = false;
        for from in [0, sectors - long] {
            match self.holds_only(device, (from, long), &due)? {
                Some(false) => return Ok(false),
                told => read |= told.is_some(),
            }
        }
        Ok(read)
    }

    /// Whether these sectors hold such words and nothing else, as far as they can be read; `None` where none of them can. Not,
    /// where the time is over.
    ///
    /// # Errors
    /// As for [`Asks::at`].
    fn holds_only(
        &self,
        device: &mut dyn Device,
        (from, long): (u64, u64),
        due: impl Fn(u64) -> bool,
    ) -> Result<Option<bool>, String> {
        let sector = u64::from(self.geometry.sector);
        let each = (device.block() as u64 / sector).max(1);
        let mut told = None;
        for lba in (from..from + long).step_by(usize::try_from(each).unwrap_or(usize::MAX)) {
            let count = each.min(from + long - lba);
            if device.now() >= self.until {
                return Ok(Some(false));
            }
            if self.read(device, lba, count)? {
                let words = usize::try_from(count * sector / 8).unwrap_or(0);
                if !device.buffer(0)[..words].iter().all(|told| due(*told)) {
                    return Ok(Some(false));
                }
                told = Some(true);
            }
        }
        Ok(told)
    }

    /// Reads sectors into slot 0; false where they cannot be read.
    fn read(&self, device: &mut dyn Device, lba: u64, sectors: u64) -> Result<bool, String> {
        let broken = |error: std::io::Error| format!("looking for what it had written: {error}");
        let access = Access {
            slot: 0,
            op: Op::Read,
            lba,
            sectors,
        };
        device.submit(access).map_err(broken)?;
        let until = device.now() + self.hang;
        loop {
            match device.wait(WAIT).map_err(broken)? {
                Some(done) => return Ok(done.result == Ok(sectors * u64::from(self.geometry.sector))),
                None if device.now() >= until => return Err(format!("a read at LBA {lba} did not come back")),
                None => {}
            }
        }
    }

    /// Whether a sector is the job's, whole or damaged.
    fn is_ours(&self, data: &[u64], lba: u64) -> bool {
        let units = data.chunks(UNIT / 8).zip(lba * self.geometry.units()..);
        units.into_iter().any(|(data, unit)| {
            let written = |pattern: &Pattern| match pattern.decode(data, unit, WRITE_PASS) {
                None | Some(Seen::Flips { .. } | Seen::Torn { .. } | Seen::Of { .. }) => true,
                Some(Seen::Zeros | Seen::Ones | Seen::Foreign) => false,
            };
            header::own(data, self.key).is_some() || self.patterns.iter().any(written)
        })
    }
}

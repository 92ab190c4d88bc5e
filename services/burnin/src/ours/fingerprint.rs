//! What a drive that is only read is known by: what stood at a few of its places before the first step.
//!
//! Such a job leaves nothing on its drive that would prove it. So those places are read again wherever another drive may have
//! come into its own's, and compared. A drive in use changes a little meanwhile, another one differs nearly everywhere: half of
//! the places that tell anything must be as they were. One that holds nothing but blank places is like any other that does,
//! and a copy like what it was copied from: nothing is proved by them.

use std::fs::File;
use std::io;
use std::time::Duration;

use drive::content::is_the_drives;
use drive::first;
use serde::{Deserialize, Serialize};
use wire::Lba;

use super::reads::Reads;
use super::{Shown, Unread};
use crate::device::{self, Device, Geometry, errno_text};
use crate::pattern::mix64;
use crate::worker::Limits;

/// Places, evenly over the drive.
const PLACES: u64 = 64;

/// Bytes that are read at each: a partition table and the header behind it, or the beginning of a file system.
const LONG: u64 = 4096;

/// Further looks at places that could not be read, before that is believed.
const AGAIN: usize = 2;

/// How long is waited before each of them: the reset of a link fails all that is asked meanwhile within milliseconds.
const PAUSE: Duration = Duration::from_secs(1);

/// What stood at some places of a drive; `None` for one that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(Vec<Option<Mark>>);

/// What stood at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// A sum of it.
    sum: u64,
    /// Whether it was one word over and over: blank, erased or zeroed.
    blank: bool,
}

/// What stood at a drive's beginning before a job wrote there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Front(Mark);

impl Front {
    /// Of the drive behind this descriptor; reads only, and blocks as long as the drive does. `None` where it cannot be read.
    pub fn of_file(file: File, geometry: Geometry) -> Option<Self> {
        let mut device = device::open_plain(file).ok()?;
        Self::of(device.as_mut(), geometry)
    }

    /// Of this drive; reads only. `None` where it cannot be read.
    pub fn of(device: &mut dyn Device, geometry: Geometry) -> Option<Self> {
        let reads = Reads::new(geometry, Limits::default().hang_ms, device.now());
        Self::by(&reads, device).ok().flatten()
    }

    /// The same.
    ///
    /// # Errors
    /// As for [`Reads::read`].
    pub(super) fn by(reads: &Reads, device: &mut dyn Device) -> Result<Option<Self>, String> {
        let (lba, count) = beginning(reads.geometry);
        let read = reads.read(device, lba, count)?;
        Ok(read.then(|| Self(Mark::of(&device.buffer(0)[..reads.geometry.words(count)]))))
    }
}

impl Fingerprint {
    /// Longest look before anybody is asked, and as much for its last read: a disk that has to spin up first needs seven seconds, and then
    /// one or two. What is not told by then is not compared: such a drive may be the one that is to be tested.
    pub const PLANNED: Duration = Duration::from_secs(8);

    /// Longest look before the first write of a job that was begun a while ago, and as much for its last read: days are to come.
    pub const LATER: Duration = Duration::from_secs(30);

    /// What stood at the beginning.
    pub fn front(&self) -> Option<Front> {
        self.0.first().copied().flatten().map(Front)
    }

    /// Of the drive behind this descriptor; reads only. Blocks as long as the drive does, two minutes as a rule. `None` where
    /// it cannot be asked at all.
    pub fn of_file(file: File, geometry: Geometry) -> Option<Self> {
        let mut device = device::open_plain(file).ok()?;
        Self::of(device.as_mut(), geometry)
    }

    /// Of this drive; reads only. `None` where a read does not come back.
    pub fn of(device: &mut dyn Device, geometry: Geometry) -> Option<Self> {
        let reads = Reads::new(geometry, Limits::default().hang_ms, device.now());
        Self::by(&reads, device, geometry)
    }

    /// Of this drive, as far as it tells that in time, and the drive's own word on a place that it could not read, also when tried again
    /// where time was left for that; reads only. A place for which no time was left is like one that cannot be read. Blocks twice as
    /// long as `limit` at most; a read that does not come back may outlive that.
    pub fn in_time(device: &mut dyn Device, geometry: Geometry, limit: Duration) -> (Self, Option<String>) {
        let reads = Reads::within(geometry, limit, device.now());
        let places = places(geometry);
        let mut seen = Self::told(&reads, device, places.iter().copied().map(Some));
        for _ in 0..AGAIN {
            let is_whole = seen.0.iter().all(Option::is_some);
            // A look that outlasts its time is lost, with all that was read before.
            if is_whole || !reads.may_repeat(device, PAUSE) || !reads.pause(device, PAUSE) {
                break;
            }
            reads.end_in_time();
            seen.read_again(&reads, device, &places);
        }
        let unread = places.iter().zip(&seen.0).filter(|(_, mark)| mark.is_none());
        let unread: Vec<u64> = unread.map(|((lba, _), _)| *lba).collect();
        (seen, failed(&reads, &unread))
    }

    /// Takes what stands at those of these places, which are all, that could not be read before.
    fn read_again(&mut self, reads: &Reads, device: &mut dyn Device, places: &[(u64, u64)]) {
        let left = places.iter().zip(&self.0);
        let left: Vec<_> = left.map(|(place, mark)| mark.is_none().then_some(*place)).collect();
        let again = Self::told(reads, device, left.into_iter());
        for (mark, again) in self.0.iter_mut().zip(again.0) {
            *mark = mark.or(again);
        }
    }

    /// [`Self::in_time`] of the drive behind this descriptor; `None` where it cannot be asked at all.
    pub fn in_time_of_file(file: File, geometry: Geometry, limit: Duration) -> Option<(Self, Option<String>)> {
        let mut device = device::open_plain(file).ok()?;
        Some(Self::in_time(device.as_mut(), geometry, limit))
    }

    /// The same places of the same drive now, but for those that were not known then.
    ///
    /// # Errors
    /// When a read did not come back in time: it is still under way, and holds the drive.
    pub fn again(&self, device: &mut dyn Device, geometry: Geometry, limit: Duration) -> Result<Self, String> {
        let reads = Reads::within(geometry, limit, device.now());
        let places = places(geometry).into_iter().zip(&self.0);
        let marks = places.map(|(place, then)| match then {
            Some(_) => mark(&reads, device, place),
            None => Ok(None),
        });
        marks.collect::<Result<_, String>>().map(Self)
    }

    /// [`Self::again`] of the drive behind this descriptor.
    ///
    /// # Errors
    /// The same, and where it cannot be asked at all.
    pub fn again_of_file(&self, file: io::Result<File>, geometry: Geometry, limit: Duration) -> Result<Self, String> {
        let mut device = file.and_then(device::open_plain).map_err(|error| error.to_string())?;
        self.again(device.as_mut(), geometry, limit)
    }

    /// [`Self::again`], as far as it tells that in time, as [`Self::in_time`] does.
    #[must_use]
    pub fn again_in_time(&self, device: &mut dyn Device, geometry: Geometry, limit: Duration) -> Self {
        let reads = Reads::within(geometry, limit, device.now());
        let places = places(geometry).into_iter().zip(&self.0);
        Self::told(&reads, device, places.map(|(place, then)| then.map(|_| place)))
    }

    /// What stands at these places; behind one that does not come back none is asked.
    fn told(reads: &Reads, device: &mut dyn Device, places: impl Iterator<Item = Option<(u64, u64)>>) -> Self {
        let mut answers = true;
        let marks = places.map(|place| {
            let mark = place
                .filter(|_| answers)
                .map(|place| mark(reads, device, place))
                .transpose();
            answers &= mark.is_ok();
            mark.ok().flatten().flatten()
        });
        Self(marks.collect())
    }

    /// The same, and what could not be read.
    pub(super) fn seen(device: &mut dyn Device, geometry: Geometry) -> (Option<Self>, Vec<Unread>) {
        let reads = Reads::new(geometry, Limits::default().hang_ms, device.now());
        let seen = Self::by(&reads, device, geometry);
        (seen, reads.failed(device))
    }

    fn by(reads: &Reads, device: &mut dyn Device, geometry: Geometry) -> Option<Self> {
        let mut marks = Vec::new();
        for place in places(geometry) {
            marks.push(mark(reads, device, place).ok()?);
        }
        Some(Self(marks))
    }

    /// A sum of what stood at each place; `None` of one that could not be read.
    pub fn sums(&self) -> impl Iterator<Item = Option<u64>> + '_ {
        self.0.iter().map(|mark| mark.map(|mark| mark.sum))
    }

    /// Whether each place that could be read held one word over and over, as of a drive that is blank, erased or zeroed; not where none
    /// could be.
    pub fn is_blank(&self) -> bool {
        let mut read = self.0.iter().flatten().peekable();
        read.peek().is_some() && read.all(|mark| mark.blank)
    }

    /// Whether some place stands for something else than when this was taken, and does so by both of two later ones: where a faulty drive
    /// gives other bytes at each read, or none, nothing was written.
    pub fn was_written_since(&self, now: &Self, again: &Self) -> bool {
        let later = now.0.iter().zip(&again.0);
        let differs = |(then, (now, again)): (&Option<Mark>, (&Option<Mark>, &Option<Mark>))| {
            then.is_some() && now.is_some() && now == again && now != then
        };
        self.0.iter().zip(later).any(differs)
    }

    /// Whether something wrote to the drive behind this descriptor since this was taken, by two looks of now, the second only where the
    /// first says so; reads only. Not by what the drive does not tell in time: such a drive may be the one that is to be tested. Each look
    /// blocks twice as long as `limit` at most.
    ///
    /// # Errors
    /// When the drive cannot be asked at all.
    pub fn was_written(&self, file: &File, geometry: Geometry, limit: Duration) -> io::Result<bool> {
        // Each on a device of its own: a read that does not come back keeps its buffer.
        let look = || -> io::Result<Self> {
            let mut device = device::open_plain(file.try_clone()?)?;
            Ok(self.again_in_time(device.as_mut(), geometry, limit))
        };
        let now = look()?;
        Ok(self.was_written_since(&now, &now) && self.was_written_since(&now, &look()?))
    }

    /// What the drive of which `now` was taken shows of the one of which this was.
    pub fn shown(&self, now: &Self) -> Shown {
        let both = self
            .0
            .iter()
            .zip(&now.0)
            .filter_map(|(then, now)| Some(((*then)?, (*now)?)));
        let telling = both.filter(|(then, now)| then != now || !then.blank);
        let (same, all) = telling.fold((0, 0), |(same, all), (then, now)| {
            (same + u32::from(then == now), all + 1)
        });
        match (same, all) {
            _ if self.0.len() != now.0.len() => Shown::Not,
            (_, 0) => Shown::Unknown,
            (same, all) if same * 2 >= all => Shown::Ours,
            (_, _) => Shown::Not,
        }
    }
}

impl Mark {
    fn of(data: &[u64]) -> Self {
        Self {
            sum: data.iter().fold(0, |sum, word| mix64(sum ^ word.to_le())),
            blank: data.iter().all(|word| Some(word) == data.first()),
        }
    }
}

/// What stands at a place, its first sector and sectors; `None` where it cannot be read, or no time is left for it.
///
/// # Errors
/// As for [`Reads::read`].
fn mark(reads: &Reads, device: &mut dyn Device, (lba, count): (u64, u64)) -> Result<Option<Mark>, String> {
    let read = !reads.is_late(device) && reads.read(device, lba, count)?;
    Ok(read.then(|| Mark::of(&device.buffer(0)[..reads.geometry.words(count)])))
}

/// The first read of these places that failed by the drive's own word, and that word.
fn failed(reads: &Reads, places: &[u64]) -> Option<String> {
    let failures = reads.failures.borrow();
    failures.iter().find_map(|(lba, _, errno)| {
        let errno = (*errno).filter(|_| places.contains(lba))?;
        is_the_drives(&io::Error::from_raw_os_error(errno)).then(|| format!("{}: {}", Lba(*lba), errno_text(errno)))
    })
}

/// First sector and sectors of the place at the beginning.
fn beginning(geometry: Geometry) -> (u64, u64) {
    (0, (LONG / u64::from(geometry.sector)).clamp(1, geometry.sectors.max(1)))
}

/// First sector and sectors of each place: evenly from the start, where the first partition begins, and the very end.
fn places(geometry: Geometry) -> Vec<(u64, u64)> {
    let Geometry { sectors, sector, .. } = geometry;
    let (_, long) = beginning(geometry);
    let end = sectors.saturating_sub(long);
    let grain = geometry.grain();
    let evenly = (0..PLACES).map(|n| (sectors / PLACES * n / grain * grain).min(end));
    let others = [first::START / u64::from(sector), end];
    let mut places: Vec<u64> = evenly.chain(others).filter(|lba| *lba <= end).collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|lba| (lba, long)).collect()
}

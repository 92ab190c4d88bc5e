//! Looks for a header on a drive, and marks those of an ended job.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Header, places, unit};
use crate::device::{Access, Device, Geometry, Op};
use crate::pattern::{JobKey, UNIT};
use crate::worker::HANG_MS;

/// Longest single wait.
const WAIT: Duration = Duration::from_millis(250);

/// Longest time for one read: a place that errs after minutes is unreadable, and the others tell.
const PATIENCE: Duration = Duration::from_millis(HANG_MS);

/// How long a drive is asked to take the marks of an ended job: one is enough, and a verdict waits.
const RETIRE: Duration = Duration::from_secs(10);

/// Longest time for one access of those.
const MARK: Duration = Duration::from_mins(1);

/// What the units of one job told.
#[derive(Default)]
struct Heard {
    /// Pieces of the payload by number.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// How many there are in all.
    count: usize,
    /// How many units told some.
    votes: usize,
}

/// The header that the drive holds, put together from the good units of all its places; `None` where there is none.
///
/// The caller compares [`super::Note::drive`] and [`Header::geometry`] with the drive that it opened: a header that was copied
/// here from another drive tells of that one, and one from before the drive told another size of that size. Where places disagree (an older job's remains), the one with most units wins.
/// A job that ended before its end is none, be it marked in a single place ([`retire`]).
pub fn find(device: &mut dyn Device, geometry: Geometry) -> Option<Header> {
    let mut jobs: BTreeMap<([u8; 16], usize), Heard> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    for (lba, long) in places(geometry) {
        for (offset, bytes) in (0_u64..).zip(read(device, geometry, (lba, long), PATIENCE)) {
            let here = lba * geometry.units() + offset;
            ended.extend(
                unit::read_ended(&bytes)
                    .filter(|(at, _)| *at == here)
                    .map(|(_, key)| key.0),
            );
            let Some(told) = unit::read(&bytes) else { continue };
            if told.unit != here {
                continue;
            }
            let job = jobs.entry((told.key.0, told.length)).or_default();
            job.pieces.entry(told.number).or_insert_with(|| told.payload.to_vec());
            (job.count, job.votes) = (told.count, job.votes + 1);
        }
    }
    let whole = jobs
        .into_iter()
        .filter(|((key, _), job)| job.pieces.len() == job.count && !ended.contains(key));
    let ((key, _), job) = whole.max_by_key(|(_, job)| job.votes)?;
    let payload: Vec<u8> = job.pieces.into_values().flatten().collect();
    Header::unpack(&payload).filter(|header| header.key == JobKey(key))
}

/// Whether some place of a header can be read, so that [`find`] tells of the drive; also on one without room for any.
pub fn is_readable(device: &mut dyn Device, geometry: Geometry) -> bool {
    let places = places(geometry);
    let mut read = places.iter().map(|place| read(device, geometry, *place, PATIENCE));
    places.is_empty() || read.any(|units| !units.is_empty())
}

/// Whether some header unit of this job, or the mark of its end, stands where it belongs; `None` where no place could be
/// read.
pub fn holds_ours(device: &mut dyn Device, geometry: Geometry, key: JobKey) -> Option<bool> {
    let told = places(geometry)
        .into_iter()
        .filter_map(|place| ours_at(device, geometry, key, place));
    told.reduce(|one, other| one || other)
}

/// The same of one of [`places`].
pub(crate) fn ours_at(device: &mut dyn Device, geometry: Geometry, key: JobKey, place: (u64, u64)) -> Option<bool> {
    let units = read(device, geometry, place, PATIENCE);
    (!units.is_empty()).then(|| is_ours(&units, place.0 * geometry.units(), key))
}

/// Key of the job whose test had come to its end and whose format was begun and has written no table yet: the drive's first 512 bytes bear
/// its mark.
pub fn formatted_by(device: &mut dyn Device, geometry: Geometry) -> Option<JobKey> {
    let units = read(device, geometry, (0, 1), PATIENCE);
    let (unit, key) = unit::read_ended(units.first()?)?;
    (unit == 0).then_some(key)
}

/// Whether the drive tells that one of these jobs ended before its end ([`retire`]): a single place is enough.
pub fn ended_by(device: &mut dyn Device, geometry: Geometry, keys: &[JobKey]) -> bool {
    places(geometry).into_iter().any(|(lba, long)| {
        let units = read(device, geometry, (lba, long), PATIENCE);
        let mut told = units.iter().zip(lba * geometry.units()..);
        told.any(|(bytes, here)| unit::read_ended(bytes).is_some_and(|(at, key)| at == here && keys.contains(&key)))
    })
}

/// In which pass each place was written, in the order of [`places`]; `None` where no unit of this job's tells it.
pub(super) fn passes(device: &mut dyn Device, geometry: Geometry, key: JobKey) -> Vec<Option<u8>> {
    let pass = |(lba, long)| {
        let units = read(device, geometry, (lba, long), PATIENCE);
        let told = units.iter().zip(lba * geometry.units()..).filter_map(|(bytes, here)| {
            let told = unit::read(bytes)?;
            (told.unit == here && told.key == key).then_some(told.pass)
        });
        // A sweep that was cut in the middle of the place had come to it.
        told.max()
    };
    places(geometry).into_iter().map(pass).collect()
}

fn is_ours(units: &[Vec<u8>], first: u64, key: JobKey) -> bool {
    units.iter().zip(first..).any(|(bytes, here)| is_own(bytes, here, key))
}

/// Whether the unit that stands at `here` is of this job's header, or the mark of its end.
fn is_own(bytes: &[u8], here: u64, key: JobKey) -> bool {
    let header = unit::read(bytes).map(|told| (told.unit, told.key));
    header.or_else(|| unit::read_ended(bytes)) == Some((here, key))
}

/// Marks the headers of a job that ended before its end, so that nobody goes on with it; answers how many places were marked.
///
/// It writes only where this very job's header stands: another drive that answers by the name stays as it is, and so does what somebody
/// put over a part of a place since, as a file system does. One mark is enough for [`find`], so what takes no writes is no harm.
pub fn retire(device: &mut dyn Device, geometry: Geometry, key: JobKey) -> usize {
    let mut marked = 0;
    let until = device.now() + RETIRE;
    for (lba, long) in places(geometry) {
        if device.now() >= until {
            break;
        }
        let units = read(device, geometry, (lba, long), MARK);
        let own = own_sectors(&units, geometry, lba, key);
        marked += usize::from(mark(device, geometry, &own, key));
    }
    if marked > 0 {
        let flush = Access {
            slot: 0,
            op: Op::Flush,
            lba: 0,
            sectors: 0,
        };
        once(device, flush, MARK);
    }
    marked
}

/// First sector and sectors of each run, from `lba` on, that is this job's in each of its units. By whole physical sectors: a drive
/// that is cut off while it writes a part of one may lose the rest.
fn own_sectors(units: &[Vec<u8>], geometry: Geometry, lba: u64, key: JobKey) -> Vec<(u64, u64)> {
    let grain = geometry.grain();
    let each = grain * geometry.units();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let sectors = units.chunks(usize::try_from(each).unwrap_or(usize::MAX));
    for (units, at) in sectors.zip((lba..).step_by(usize::try_from(grain).unwrap_or(usize::MAX))) {
        if !(at * geometry.units()..)
            .zip(units)
            .all(|(here, bytes)| is_own(bytes, here, key))
        {
            continue;
        }
        match runs.last_mut() {
            Some((first, long)) if *first + *long == at => *long += grain,
            _ => runs.push((at, grain)),
        }
    }
    runs
}

/// Whether some of these sectors took the mark. No more are asked behind one that did not.
fn mark(device: &mut dyn Device, geometry: Geometry, own: &[(u64, u64)], key: JobKey) -> bool {
    let each = (device.block() as u64 / u64::from(geometry.sector)).max(1);
    let mut marked = false;
    for (lba, sectors) in own {
        let mut at = *lba;
        while at < lba + sectors {
            let count = each.min(lba + sectors - at);
            if !mark_at(device, geometry, (at, count), key) {
                return marked;
            }
            marked = true;
            at += count;
        }
    }
    marked
}

fn mark_at(device: &mut dyn Device, geometry: Geometry, (lba, sectors): (u64, u64), key: JobKey) -> bool {
    let words = geometry.words(sectors);
    let first = lba * geometry.units();
    for (data, unit) in device.buffer(0)[..words].chunks_mut(UNIT / 8).zip(first..) {
        let bytes = unit::ended(unit, key);
        for (word, bytes) in data.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        }
    }
    let access = Access {
        slot: 0,
        op: Op::Write,
        lba,
        sectors,
    };
    once(device, access, MARK) == Some(words as u64 * 8)
}

/// The 512-byte units of some sectors; none where they cannot be read.
fn read(device: &mut dyn Device, geometry: Geometry, (lba, sectors): (u64, u64), patience: Duration) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    let each = (device.block() as u64 / u64::from(geometry.sector)).max(1);
    let mut at = lba;
    while at < lba + sectors {
        let count = each.min(lba + sectors - at);
        let words = geometry.words(count);
        match read_within(device, (at, count), patience) {
            Some(bytes) if bytes == words as u64 * 8 => {
                let data = &device.buffer(0)[..words];
                let chunks = data.chunks(UNIT / 8);
                units.extend(chunks.map(|unit| unit.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>()));
            }
            // Unreadable: its units count as damaged.
            _ => units.extend((0..count * geometry.units()).map(|_| Vec::new())),
        }
        at += count;
    }
    if units.iter().all(Vec::is_empty) {
        Vec::new()
    } else {
        units
    }
}

/// Reads into slot 0; bytes moved, `None` for an error or a read that does not come back.
pub(super) fn read_once(device: &mut dyn Device, lba: u64, sectors: u64) -> Option<u64> {
    read_within(device, (lba, sectors), PATIENCE)
}

fn read_within(device: &mut dyn Device, (lba, sectors): (u64, u64), patience: Duration) -> Option<u64> {
    let access = Access {
        slot: 0,
        op: Op::Read,
        lba,
        sectors,
    };
    once(device, access, patience)
}

/// One access of slot 0; bytes moved, `None` for an error or one that does not come back, and for each that is asked for after that.
fn once(device: &mut dyn Device, access: Access, patience: Duration) -> Option<u64> {
    device.submit(access).ok()?;
    let until = device.now() + patience;
    loop {
        match device.wait(WAIT).ok()? {
            Some(done) => return done.result.ok(),
            None if device.now() >= until => return None,
            None => {}
        }
    }
}

//! Looks for a header on a drive. Reads only.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Header, places, unit};
use crate::device::{Access, Device, Geometry, Op};
use crate::pattern::{JobKey, UNIT};

/// Longest single wait.
const WAIT: Duration = Duration::from_millis(250);

/// Longest time for one read.
const PATIENCE: Duration = Duration::from_secs(60);

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
/// here from another drive tells of that one. Where places disagree (an older job's remains), the one with most units wins.
pub fn find(device: &mut dyn Device, geometry: Geometry) -> Option<Header> {
    let mut jobs: BTreeMap<([u8; 16], usize), Heard> = BTreeMap::new();
    for (lba, long) in places(geometry) {
        for (offset, bytes) in (0_u64..).zip(read(device, geometry, lba, long)) {
            let Some(told) = unit::read(&bytes) else { continue };
            if told.unit != lba * geometry.units() + offset {
                continue;
            }
            let job = jobs.entry((told.key.0, told.length)).or_default();
            job.pieces.entry(told.number).or_insert_with(|| told.payload.to_vec());
            (job.count, job.votes) = (told.count, job.votes + 1);
        }
    }
    let whole = jobs.into_iter().filter(|(_, job)| job.pieces.len() == job.count);
    let ((key, _), job) = whole.max_by_key(|(_, job)| job.votes)?;
    let payload: Vec<u8> = job.pieces.into_values().flatten().collect();
    Header::unpack(&payload).filter(|header| header.key == JobKey(key) && header.geometry == geometry)
}

/// Whether some header unit of this job stands where it belongs; `None` where no place could be read.
pub fn holds_ours(device: &mut dyn Device, geometry: Geometry, key: JobKey) -> Option<bool> {
    let mut readable = false;
    for (lba, long) in places(geometry) {
        for (offset, bytes) in (0_u64..).zip(read(device, geometry, lba, long)) {
            readable = true;
            if unit::read(&bytes).is_some_and(|told| told.key == key && told.unit == lba * geometry.units() + offset) {
                return Some(true);
            }
        }
    }
    readable.then_some(false)
}

/// The 512-byte units of some sectors; none where they cannot be read.
fn read(device: &mut dyn Device, geometry: Geometry, lba: u64, sectors: u64) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    let each = (device.block() as u64 / u64::from(geometry.sector)).max(1);
    let mut at = lba;
    while at < lba + sectors {
        let count = each.min(lba + sectors - at);
        let words = (count * u64::from(geometry.sector)) as usize / 8;
        match read_once(device, at, count) {
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
    let access = Access {
        slot: 0,
        op: Op::Read,
        lba,
        sectors,
    };
    device.submit(access).ok()?;
    let until = device.now() + PATIENCE;
    loop {
        match device.wait(WAIT).ok()? {
            Some(done) => return done.result.ok(),
            None if device.now() >= until => return None,
            None => {}
        }
    }
}

//! Whether a drive that a job is in the middle of was put to use meanwhile, by what it begins with.
//!
//! The guard knows file systems, tables and members by their signatures. An archive, an encrypted volume that hides what it is and
//! raw data have none, and leave most headers where they are: the job would write over them. All of them begin with the first sector,
//! which the job wrote before nearly all else. A drive that lost what it had flushed there, and shows what stood before, looks the
//! same: neither is written to.

use wire::job::Phase;

use super::Front;
use super::asks::Asks;
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Geometry};
use crate::header;
use crate::pattern::{JobKey, UNIT};
use crate::playbook::{Direction, Step};

/// Bytes from the beginning of which one sector of the job's is enough: a fault of the drive's takes single ones, and an archive of one
/// small file is 10 KiB long.
const FRONT: u64 = 8 << 10;

/// What is said of such a drive, as a sentence about it.
pub(crate) const USED: &str = "the drive begins with data that is not this burn-in's, where it had written or may have: something else \
     wrote to it since, or it lost what was flushed to it; nothing of that is erased";

/// Whether the drive begins with something that none of these jobs wrote by these steps, and that did not stand there before (`then`, where that
/// is known); reads only. Not where none of the sectors there can be read.
pub fn begins_with_others(
    device: &mut dyn Device,
    geometry: Geometry,
    (keys, steps): (&[JobKey], &[Step]),
    then: Option<Front>,
    hang_ms: u64,
) -> bool {
    let now = device.now();
    let asks: Vec<Asks> = keys.iter().map(|key| Asks::new(*key, geometry, hang_ms, now)).collect();
    let known = then.map_or(Known::Written, Known::Before);
    others(device, &asks, steps, known, |_| false).unwrap_or(false)
}

/// Whether the drive of the job that took this checkpoint does, where that job had written, or may have.
///
/// # Errors
/// When a read does not come back or the way to the drive is broken.
pub(super) fn is_others(device: &mut dyn Device, asks: &Asks, checkpoint: &Checkpoint) -> Result<bool, String> {
    // What is formatted is asked for otherwise.
    if checkpoint.is_of_the_end() {
        return Ok(false);
    }
    let known = match (wrote_front(checkpoint), checkpoint.evidence.front) {
        (true, _) => Known::Written,
        (false, Some(then)) => Known::Before(then),
        (false, None) => Known::Nothing,
    };
    // What was found bad may hold anything.
    let is_bad = |lba| checkpoint.evidence.defects.are_at(lba);
    others(device, std::slice::from_ref(asks), &checkpoint.steps, known, is_bad)
}

/// What is known of a drive's beginning.
#[derive(Clone, Copy)]
enum Known {
    /// The job wrote it, or nobody knows what stood there before.
    Written,
    /// The job wrote it, or it is as it was before.
    Before(Front),
    /// Nothing: it may be what was there before.
    Nothing,
}

/// Asks each sector of the front. The first that tells anything must be no one word over and over, as blank, erased and zeroed drives hold,
/// and none the job's: its header or its pattern. What is nearly a constant that it writes may be either's, so beside such sectors one
/// alone is the drive's. A partition table in the midst of what the job wrote is enough.
fn others(
    device: &mut dyn Device,
    asks: &[Asks],
    steps: &[Step],
    known: Known,
    passes_over: impl Fn(u64) -> bool,
) -> Result<bool, String> {
    let Some(first) = asks.first() else { return Ok(false) };
    let geometry = first.reads.geometry;
    let count = (FRONT / u64::from(geometry.sector)).clamp(1, geometry.sectors.max(1));
    let writes = steps.iter().filter(|step| step.phase == Phase::Write);
    let constants: Vec<u64> = writes.filter_map(|step| step.fill.constant()).collect();
    // Before the job came there, a constant may be somebody's.
    let own = match known {
        Known::Written => &constants[..],
        Known::Before(_) | Known::Nothing => &[],
    };
    let (mut told, mut foreign) = (false, 0);
    for lba in 0..count {
        if first.is_late(device) {
            break;
        }
        if passes_over(lba) || !first.read(device, lba)? {
            continue;
        }
        let data = first.data(device);
        if lba == 0 && asks.iter().any(|asks| asks.has_a_table_in_it(data, own)) {
            return Ok(true);
        }
        let is_a_jobs = asks.iter().any(|asks| asks.is_ours(data, lba));
        if is_a_jobs || data.chunks(UNIT / 8).any(header::looks_like_one) {
            return Ok(false);
        }
        let nearly = |word: u64| data.iter().filter(|told| **told == word).count() * 8 >= data.len() * 7;
        let is_constant = constants.iter().any(|word| nearly(*word));
        let is_one_word = data.iter().all(|word| Some(word) == data.first());
        if !told && (is_constant || is_one_word) {
            return Ok(false);
        }
        told = true;
        foreign += u64::from(!is_constant);
    }
    if foreign <= u64::from(!constants.is_empty()) {
        return Ok(false);
    }
    Ok(match known {
        Known::Written => true,
        // A cut may leave sectors there that cannot be read: nothing tells then.
        Known::Before(then) => Front::by(&first.reads, device)?.is_some_and(|now| now != then),
        Known::Nothing => false,
    })
}

/// Whether the drive's beginning was written and flushed before this checkpoint.
fn wrote_front(checkpoint: &Checkpoint) -> bool {
    let Checkpoint {
        steps, step, frontier, ..
    } = checkpoint;
    let at = usize::from(*step);
    // The probe writes and flushes the first sector before all else. What a trim leaves is no data of anybody's.
    let wrote = steps[..at]
        .iter()
        .any(|step| matches!(step.phase, Phase::Write | Phase::Probe));
    let here = &steps[at];
    wrote || here.phase == Phase::Write && here.order == Direction::Forward && *frontier > 0
}

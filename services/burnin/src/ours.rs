//! Whether a drive holds what a job wrote to it, asked once before an interrupted job goes on.
//!
//! Two drives can answer by one name: behind a USB dock that tells only its own serial number, two of the same size do.
//! The pattern cannot be guessed without the job's key, so one sector of it proves the drive. A drive of which some
//! sectors can be read and none is the job's is not written to; one of which none can be read proves nothing either way.
//! Tested over simulated drives in `tests/stranger.rs`.

use std::time::Duration;

use wire::job::Phase;

use crate::checkpoint::Checkpoint;
use crate::device::{Access, Device, Op};
use crate::header;
use crate::pattern::{Pattern, Seen, UNIT};
use crate::pipeline::WRITE_PASS;
use crate::playbook::{Direction, erases};
use crate::worker::Order;

/// Places looked at below the frontier, besides the powers of two.
const EVENLY: u64 = 16;

/// Longest single wait.
const WAIT: Duration = Duration::from_millis(250);

/// Longest search in all: a drive that fails each read after half a minute is the burn-in's to judge.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the job of this order must not go on with this drive; `None` where it may, and for a fresh start.
pub(crate) fn stranger(device: &mut dyn Device, pattern: &Pattern, order: &Order) -> Option<String> {
    let checkpoint = Checkpoint::decode(&order.resume.as_ref()?.checkpoint).ok()?;
    if !checkpoint.steps.iter().any(|step| erases(step.phase)) {
        // Nothing is written, so nothing of the job can stand there.
        return None;
    }
    // The headers were flushed before the first checkpoint; at the very end alone they give way to the pattern.
    let mut read = 0;
    let keeps = order.header.is_some() && header::kept_by(&order.steps, order.geometry);
    if keeps {
        match header::holds_ours(device, order.geometry, order.key) {
            Some(true) => return None,
            Some(false) => read += 1,
            None => {}
        }
    }
    let until = device.now() + PATIENCE;
    let closing = closing(&checkpoint);
    let mut places = places(&checkpoint);
    if closing.is_some() {
        places.extend((0..EVENLY).map(|n| checkpoint.geometry.sectors / EVENLY * n));
    }
    // A drive without room for headers is below 512 KiB, and at its beginning nothing of it was flushed yet.
    if places.is_empty() && !keeps && !header::places(order.geometry).is_empty() {
        return Some(
            "nothing that it has written so far proves that this is its drive: begin it anew; nothing was written to the drive \
             in this session"
                .to_owned(),
        );
    }
    for lba in &places {
        if device.now() >= until {
            break;
        }
        match look(device, pattern, order, *lba, closing) {
            Ok(Some(true)) => return None,
            Ok(Some(false)) => read += 1,
            Ok(None) => {}
            Err(why) => return Some(why),
        }
    }
    // What came after the checkpoint proves the drive, too, but its absence proves nothing: a worker that nobody heard may
    // have gone on to the very end, where the headers give way to the pattern.
    if read > 0 {
        let geometry = checkpoint.geometry;
        let headers = header::places(geometry).into_iter().map(|(lba, _)| lba);
        for lba in headers.chain((0..EVENLY).map(|n| geometry.sectors / EVENLY * n)) {
            if device.now() >= until {
                break;
            }
            match look(device, pattern, order, lba, None) {
                Ok(Some(true)) => return None,
                Ok(Some(false) | None) => {}
                Err(why) => return Some(why),
            }
        }
    }
    (read > 0).then(|| {
        format!(
            "none of {read} sectors that it had written holds anything of it: this is another drive with the same name, or \
             one that lost everything; nothing was written to it in this session"
        )
    })
}

/// The constant that the whole drive holds where the headers may have given way to it: at the very end of a job.
///
/// A constant proves less than a tag, and is asked for only where nothing else is left.
fn closing(checkpoint: &Checkpoint) -> Option<u64> {
    let last = checkpoint.evidence.phases.last()?;
    let swept = checkpoint.frontier == checkpoint.geometry.sectors || last.phase == Phase::Seek;
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

/// Whether a sector is the job's, whole or damaged; `None` where it cannot be read.
fn look(
    device: &mut dyn Device,
    pattern: &Pattern,
    order: &Order,
    lba: u64,
    constant: Option<u64>,
) -> Result<Option<bool>, String> {
    let broken = |error: std::io::Error| format!("looking for what it had written: {error}");
    let slot = 0;
    let access = Access {
        slot,
        op: Op::Read,
        lba,
        sectors: 1,
    };
    device.submit(access).map_err(broken)?;
    let until = device.now() + Duration::from_millis(order.limits.hang_ms);
    let done = loop {
        match device.wait(WAIT).map_err(broken)? {
            Some(done) => break done,
            None if device.now() >= until => return Err(format!("a read at LBA {lba} did not come back")),
            None => {}
        }
    };
    if done.result != Ok(u64::from(order.geometry.sector)) {
        return Ok(None);
    }
    let first = lba * order.geometry.units();
    let words = order.geometry.sector as usize / 8;
    let inverted = Pattern::new(order.key).complemented();
    let units = device.buffer(slot)[..words].chunks(UNIT / 8);
    let ours = units.zip(first..).any(|(data, unit)| {
        constant.is_some_and(|word| data.iter().all(|w| *w == word))
            || header::own(data, order.key).is_some()
            || [pattern, &inverted]
                .iter()
                .any(|p| match p.decode(data, unit, WRITE_PASS) {
                    None | Some(Seen::Flips { .. } | Seen::Torn { .. } | Seen::Of { .. }) => true,
                    Some(Seen::Zeros | Seen::Ones | Seen::Foreign) => false,
                })
    });
    Ok(Some(ours))
}

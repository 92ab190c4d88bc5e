//! Whether an interrupted job may go on with the drive that it finds, before anything is written to it.

use wire::job::Phase;

use super::asks::Asks;
use super::{EVENLY, front, trimmed};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::evidence::{Evidence, MemoryTests};
use crate::header;
use crate::pipeline::is_weighed;
use crate::playbook::{Direction, erases};
use crate::verdict::failing;
use crate::worker::{Limits, Order};

/// What the formatter wrote would read as faults of the drive.
const FORMATTED: &str = "its test had come to its end, and the drive was being formatted, or has been written to since: what was kept \
     of it here is older than that (a stick that was pulled or full, or an older copy put back), so what it came to is not known; begin it \
     anew; nothing was written to the drive in this session";

/// Whoever ended it was told so, and the drive may be in use since.
const ENDED: &str = "it was ended, as the marks tell that it then left on the drive: what was kept of it here is older than that (a stick \
     that was pulled or full, an older copy put back, or a stop before its verdict stood); begin it anew; nothing was written to the drive in this session";

/// Why the job of this order must not go on with this drive; `None` where it may, and for a fresh start.
pub(crate) fn stranger(device: &mut dyn Device, order: &Order) -> Option<String> {
    let checkpoint = Checkpoint::decode(&order.resume.as_ref()?.checkpoint).ok()?;
    let keeps = order.header.is_some() && header::kept_by(&order.steps, order.geometry);
    stranger_to(device, &checkpoint, keeps, &order.limits)
}

/// Whether a session that goes on from this checkpoint ends at the first fault, which that holds already, and writes nothing. In the
/// midst of a probe that would be read to its end first, and what the host's memory may have made would have that tested.
pub(super) fn holds_its_end(checkpoint: &Checkpoint, limits: &Limits) -> bool {
    let evidence = &checkpoint.evidence;
    let asks = limits.memory_tests > 0 && evidence.is_memory_to_be_asked();
    let blamed = asks.then(|| Evidence {
        memory: MemoryTests { good: 0, bad: 1 },
        ..evidence.clone()
    });
    limits.stop_at_first
        && is_weighed(evidence, evidence.step(checkpoint.step), limits)
        && failing(blamed.as_ref().unwrap_or(evidence)).is_some()
}

/// The same of the job that took this checkpoint, before it has an order. `keeps`: whether it keeps headers ([`header::kept_by`]);
/// `limits`: those that it would go on with.
pub fn stranger_to(device: &mut dyn Device, checkpoint: &Checkpoint, keeps: bool, limits: &Limits) -> Option<String> {
    if !checkpoint.steps.iter().any(|step| erases(step.phase)) {
        // Nothing is written, so nothing of the job can stand there.
        return None;
    }
    let (closing, places) = (closing(checkpoint), places(checkpoint));
    // A drive without room for headers is below 512 KiB, and at its beginning nothing of it was flushed yet.
    if places.is_empty() && closing.is_none() && !keeps && !header::places(checkpoint.geometry).is_empty() {
        return Some(
            "nothing that it has written so far proves that this is its drive: begin it anew; nothing was written to the drive \
             in this session"
                .to_owned(),
        );
    }
    // One that was killed between its mark and its verdict comes to the same end again.
    if keeps && !holds_its_end(checkpoint, limits) && header::ended_by(device, checkpoint.geometry, &[checkpoint.key]) {
        return Some(ENDED.to_owned());
    }
    let asks = Asks::new(checkpoint.key, checkpoint.geometry, limits.hang_ms, device.now());
    match is_past(device, &asks, checkpoint, keeps) {
        Ok(true) => return Some(FORMATTED.to_owned()),
        Ok(false) => {}
        Err(why) => return Some(why),
    }
    let read = match asks.stranger(device, keeps, places, closing, trimmed(&checkpoint.steps)) {
        Ok(None) => {
            return match front::is_others(device, &asks, checkpoint) {
                Ok(true) => Some(format!(
                    "{}; begin it anew if nothing there is needed; nothing was written to the drive in this session",
                    front::USED
                )),
                Ok(false) => None,
                Err(why) => Some(why),
            };
        }
        Ok(Some(read)) => read,
        Err(why) => return Some(why),
    };
    Some(format!(
        "of {read} places that it had written too few hold anything of it: this is another drive with the same name, or one that \
         lost everything; nothing was written to it in this session"
    ))
}

/// Whether the drive shows that its test had come to its end and that it was formatted or used since: it begins with the mark of its
/// format, or its headers gave way to what was written last, which does not stand at both its ends any more. Where a trim came behind
/// that, the ends may be blank, and more is asked.
fn is_past(device: &mut dyn Device, asks: &Asks, checkpoint: &Checkpoint, keeps: bool) -> Result<bool, String> {
    if checkpoint.is_of_the_end() {
        return Ok(false);
    }
    if asks.is_marked(device)? {
        return Ok(true);
    }
    if !keeps || !asks.gave_way(device)? {
        return Ok(false);
    }
    let word = checkpoint.holds.and_then(|holds| holds.fill.constant());
    let is_as_left = if trimmed(&checkpoint.steps) {
        let defects = &checkpoint.evidence.defects;
        asks.is_trimmed_as_left(device, word, |lba| defects.are_at(lba))?
    } else {
        asks.ends_as_left(device, word)?
    };
    Ok(!is_as_left)
}

/// Whether the headers of the job that took this checkpoint may have given way to a constant, which a blank drive holds as well.
pub fn rests_on_a_constant(checkpoint: &Checkpoint) -> bool {
    closing(checkpoint).is_some()
}

/// The constant that the whole drive holds where the headers may have given way to it: at the very end of a job.
///
/// A constant proves less than a tag, and is asked for only where nothing else is left: nearly every drive has a sector of
/// zeros somewhere, so all that are asked must hold it.
fn closing(checkpoint: &Checkpoint) -> Option<u64> {
    let here = checkpoint.evidence.step(checkpoint.step)?;
    // Seeks and a trim have no frontier.
    let swept = checkpoint.frontier == checkpoint.geometry.sectors || matches!(here.phase, Phase::Seek | Phase::Trim);
    let word = checkpoint.holds?.fill.constant()?;
    (checkpoint.is_in_last_step() && swept).then_some(word)
}

/// Sectors that were written and flushed before the checkpoint, from the start upwards.
pub(super) fn places(checkpoint: &Checkpoint) -> Vec<u64> {
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
        Phase::Probe
        | Phase::Sample
        | Phase::Trim
        | Phase::TrimCheck
        | Phase::Scan
        | Phase::SmartBefore
        | Phase::SmartAfter
        | Phase::SelfTestShort
        | Phase::SelfTestExtended
        | Phase::Partition
        | Phase::Format => (0, 0),
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

//! Whether something else wrote to a drive where its burn-in had, in the places where signatures lie.
//!
//! Gone on with, it would be read back as a fault of the drive. A mark alone tells little: one at the drive's end stands until the first write
//! comes there, and `mdadm --create`, `pvcreate` and `wipefs` leave or change a few sectors, of which the look at the first 8 KiB
//! ([`super::front`]) takes one of the job's as enough. So each sector is asked here.
//! Tested here, in `tests/headers.rs`, and by whole burn-ins in the command line's `tests/kept/` and the agent's `tests/evidence.rs`.

use std::ops::Range;

use wire::job::Phase;

use super::front::begins_with_others;
use super::reads::Reads;
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Geometry};
use crate::header::{self, Header};
use crate::pattern::{Pattern, Seen, UNIT};
use crate::playbook::Direction;
use crate::worker::Limits;

/// Bytes of a drive's beginning that are read: nothing that libblkid knows lies further in, but for the last places of VMFS (2 MiB).
const BEGINNING: u64 = 4 << 20;

/// Bytes of its end that are read: the copy of a GPT, and labels of RAID and ZFS.
const END: u64 = 1 << 20;

/// Bits of a unit that may differ from the job's own: a drive that lost some of them is the burn-in's to judge. Whoever patches a
/// partition table into a sector changes several words of it.
const BITS: u32 = 64;

/// Pass by which units are decoded first; what is of another one tells that.
const ANY_PASS: u8 = 1;

/// Whose a sector is that holds one word over and over where the job wrote none such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// Nobody's: it is no signature, and a drive that lost a write may show it.
    Nobodys,
    /// Maybe somebody's, as whoever clears a superblock leaves it.
    Others,
}

/// The first sector that was written and flushed by this checkpoint and holds what the job did not write, in the places where signatures lie.
/// What it found bad there, and what cannot be read, tells nothing. Reads only. `hang_ms`: [`Limits::hang_ms`].
///
/// # Errors
/// When the drive does not answer in time, or the way to it is broken.
pub fn written_over(
    device: &mut dyn Device,
    checkpoint: &Checkpoint,
    blank: Blank,
    hang_ms: u64,
) -> Result<Option<u64>, String> {
    let geometry = checkpoint.geometry;
    let reads = Reads::new(geometry, hang_ms, device.now());
    let job = Own::new(checkpoint, blank);
    let headers = header::places(geometry);
    // Headers have a form of their own, and are asked for elsewhere.
    let is_header = |lba: u64| headers.iter().any(|(from, long)| (*from..from + long).contains(&lba));
    let is_others = |data: &[u64], lba: u64| {
        !is_header(lba) && !checkpoint.evidence.defects.are_at(lba) && !job.is_own(data, lba * geometry.units())
    };
    let each = (device.block() as u64 / u64::from(geometry.sector)).max(1);
    let written = written(checkpoint);
    for places in places(geometry) {
        let end = places.end.min(written.end);
        let mut at = places.start.max(written.start);
        while at < end {
            let count = each.min(end - at);
            // Beside a bad sector a mark may stand.
            let pieces = match reads.read(device, at, count)? {
                true => count,
                false => geometry.grain(),
            };
            for lba in (at..at + count).step_by(usize::try_from(pieces).unwrap_or(usize::MAX)) {
                let long = pieces.min(at + count - lba);
                if reads.is_late(device) {
                    return Err("it does not tell in time what it begins and ends with".to_owned());
                }
                if pieces < count && !reads.read(device, lba, long)? {
                    continue;
                }
                let words = &device.buffer(0)[..geometry.words(long)];
                let mut sectors = words.chunks(geometry.words(1)).zip(lba..);
                if let Some((_, lba)) = sectors.find(|(data, lba)| is_others(data, *lba)) {
                    return Ok(Some(lba));
                }
            }
            at += count;
        }
    }
    Ok(None)
}

/// Whether the job had written and flushed all of the beginning by this checkpoint: what stands behind that may have been hidden by what
/// stood there.
pub fn wrote_the_beginning(checkpoint: &Checkpoint) -> bool {
    let written = written(checkpoint);
    written.start == 0 && places(checkpoint.geometry)[0].end <= written.end
}

/// Whether a drive of whose burn-in nothing is kept but the header on it is as that left it, as far as can be told: it carries this header
/// still, and where it tells a place to go on from, all that was written before that is the job's own where signatures lie. Reads only.
///
/// # Errors
/// As [`written_over`].
pub fn is_as_left(device: &mut dyn Device, header: &Header, limits: &Limits) -> Result<bool, String> {
    let geometry = header.geometry;
    if header::find(device, geometry).as_ref() != Some(header) {
        return Ok(false);
    }
    match header::recover(device, header, limits) {
        Some(place) => Ok(written_over(device, &place, Blank::Others, limits.hang_ms)?.is_none()),
        None => {
            let of = (&[header.key][..], &header.steps[..]);
            Ok(!begins_with_others(
                device,
                geometry,
                of,
                header.note.front,
                limits.hang_ms,
            ))
        }
    }
}

/// Where signatures lie.
fn places(geometry: Geometry) -> [Range<u64>; 2] {
    let sectors = |bytes: u64| bytes / u64::from(geometry.sector);
    let beginning = sectors(BEGINNING).min(geometry.sectors);
    let end = geometry.sectors.saturating_sub(sectors(END)).max(beginning);
    [0..beginning, end..geometry.sectors]
}

/// Sectors that the job had written and flushed: all of them behind its first write, and of that what its sweep had come to.
fn written(checkpoint: &Checkpoint) -> Range<u64> {
    let Checkpoint { geometry, steps, .. } = checkpoint;
    let (at, all) = (usize::from(checkpoint.step), geometry.sectors);
    let is_write = |phase| phase == Phase::Write;
    let earlier = steps.iter().take(at).any(|step| is_write(step.phase));
    match steps.get(at) {
        Some(_) if earlier => 0..all,
        Some(step) if is_write(step.phase) => match step.order {
            Direction::Forward => 0..checkpoint.frontier.min(all),
            Direction::Reverse => all.saturating_sub(checkpoint.frontier)..all,
        },
        Some(_) | None => 0..0,
    }
}

/// Tells a job's own data.
struct Own {
    patterns: [Pattern; 2],
    /// Words that it may have left alone in a sector; `None` where any may stand.
    alone: Option<Vec<u64>>,
}

impl Own {
    fn new(checkpoint: &Checkpoint, blank: Blank) -> Self {
        let begun = checkpoint.steps.iter().take(usize::from(checkpoint.step) + 1);
        let left = begun.flat_map(|step| {
            // What a trim leaves reads as erased flash does.
            let trimmed = (step.phase == Phase::Trim).then_some([0, u64::MAX]);
            let written = step.fill.constant().filter(|_| step.phase == Phase::Write);
            trimmed.into_iter().flatten().chain(written)
        });
        Self {
            patterns: [
                Pattern::new(checkpoint.key),
                Pattern::new(checkpoint.key).complemented(),
            ],
            alone: (blank == Blank::Others).then(|| left.collect()),
        }
    }

    /// Whether each unit of a sector holds what the job wrote somewhere, but for some bits, or one word alone that may be.
    fn is_own(&self, sector: &[u64], first: u64) -> bool {
        let mut units = sector.chunks(UNIT / 8).zip(first..);
        units.all(|(data, unit)| self.is_left_alone(data) || self.patterns.iter().any(|own| is_of(own, data, unit)))
    }

    fn is_left_alone(&self, unit: &[u64]) -> bool {
        let Some(word) = unit.first() else { return true };
        let is_due = |alone: &Vec<u64>| alone.contains(word);
        unit.iter().all(|other| other == word) && self.alone.as_ref().is_none_or(is_due)
    }
}

/// Whether a unit holds what this pattern has, of any place and pass.
fn is_of(pattern: &Pattern, data: &[u64], unit: u64) -> bool {
    let whole = |seen: Option<Seen>| match seen {
        None => true,
        Some(Seen::Flips { bits }) => bits <= BITS,
        Some(Seen::Torn { .. } | Seen::Zeros | Seen::Ones | Seen::Of { .. } | Seen::Foreign) => false,
    };
    match pattern.decode(data, unit, ANY_PASS) {
        Some(Seen::Of { unit, pass }) => whole(pattern.decode(data, unit, pass)),
        seen => whole(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::pattern::JobKey;
    use crate::playbook::{Fill, Step, plain};

    const GEOMETRY: Geometry = Geometry {
        sectors: 100_000,
        sector: 512,
        physical: 512,
    };

    fn checkpoint(steps: Vec<Step>, step: u16, frontier: u64) -> Checkpoint {
        Checkpoint {
            key: JobKey([7; 16]),
            geometry: GEOMETRY,
            evidence: Evidence::new(GEOMETRY, &steps),
            steps,
            step,
            frontier,
            holds: None,
        }
    }

    #[test]
    fn only_what_a_sweep_had_come_to_is_written() {
        let phases = [Phase::Probe, Phase::Write, Phase::Verify, Phase::Write];
        let backwards = |phases: &[Phase]| {
            let step = |step: Step| Step {
                order: Direction::Reverse,
                ..step
            };
            plain(phases).into_iter().map(step).collect()
        };
        for (steps, step, frontier, want) in [
            (plain(&phases), 0, 40, 0..0),
            (plain(&phases), 1, 0, 0..0),
            (plain(&phases), 1, 40, 0..40),
            (plain(&phases), 2, 0, 0..100_000),
            (plain(&phases), 3, 0, 0..100_000),
            (backwards(&phases), 0, 40, 0..0),
            (backwards(&phases), 1, 40, 99_960..100_000),
            (backwards(&phases), 2, 40, 0..100_000),
            (plain(&[Phase::Trim, Phase::Write]), 0, 0, 0..0),
        ] {
            assert_eq!(written(&checkpoint(steps, step, frontier)), want, "{step}, {frontier}");
        }
    }

    #[test]
    fn the_jobs_own_data_is_never_taken_for_a_signature_and_a_patch_in_it_is() {
        let key = JobKey([7; 16]);
        let at = checkpoint(plain(&[Phase::Write]), 0, 40);
        let own = Own::new(&at, Blank::Nobodys);
        let mut data = vec![0; UNIT / 8];
        assert!(own.is_own(&data, 0), "zeros");
        assert!(
            !Own::new(&at, Blank::Others).is_own(&data, 0),
            "zeros that it did not write"
        );
        for step in [
            Phase::Trim.into(),
            Step {
                fill: Fill::Zeros,
                ..Phase::Write.into()
            },
        ] {
            for (at, own) in [(1, false), (2, true)] {
                let steps = vec![
                    Phase::Write.into(),
                    Phase::Verify.into(),
                    step.clone(),
                    Phase::Write.into(),
                ];
                let at = checkpoint(steps, at, 0);
                assert_eq!(Own::new(&at, Blank::Others).is_own(&data, 0), own, "{at:?}");
            }
        }
        for (pattern, unit, pass) in [
            (Pattern::new(key), 0, 1),
            (Pattern::new(key), 5, 3),
            (Pattern::new(key).complemented(), 0, 2),
        ] {
            pattern.fill(&mut data, unit, pass);
            assert!(own.is_own(&data, 0), "{unit}, {pass}");
            data[9] ^= 0x10;
            assert!(own.is_own(&data, 0), "a bit of {unit}, {pass}");
            // The table of an MBR and its signature, with the boot code left as it was.
            data[55..].fill(0);
            data[63] = u64::from_be_bytes(*b"\0\0\0\0\0\0\x55\xAA").to_be();
            assert!(!own.is_own(&data, 0), "{unit}, {pass}");
        }
        Pattern::new(JobKey([8; 16])).fill(&mut data, 0, 1);
        assert!(!own.is_own(&data, 0), "another job's");
    }
}

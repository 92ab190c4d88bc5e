//! What something else wrote to a drive while its burn-in was interrupted: Windows initialises a disk that it does not know, and people
//! try `mkswap` on the wrong node. Gone on with, it would be read back as a fault of the drive.
//!
//! Signatures that stood on the drive before say nothing: they are there until the sweep comes to them. Where another one stands, the places
//! where signatures lie are read, and of those only what this burn-in had written and flushed; where it had not come to the beginning yet,
//! the signature is enough: it is somebody's, and was never agreed to be lost. What holds the job's own data there is the job's, whatever
//! it looks like; what holds one word over and over is no signature. Tested below, and by whole burn-ins in `tests/kept/`.

use std::ops::Range;
use std::time::Duration;

use burnin::device::{Access, Device, Geometry, Op};
use burnin::pattern::{Seen, UNIT};
use burnin::playbook::Direction;
use burnin::{Checkpoint, JobKey, Pattern, header};
use drive::guard::added;
use wire::drive::Content;
use wire::job::Phase;

use super::Job;

/// Bytes of a drive's beginning that are read: nothing that libblkid knows lies further in, but for the last places of VMFS (2 MiB).
const BEGINNING: u64 = 4 << 20;

/// Bytes of its end that are read: the copy of a GPT, and labels of RAID and ZFS.
const END: u64 = 1 << 20;

/// Bits of a unit that may differ from the job's own: a drive that lost some of them is the burn-in's to judge. Whoever patches a
/// partition table into a sector changes several words of it.
const BITS: u32 = 64;

/// Pass by which units are decoded first; what is of another one tells that.
const ANY_PASS: u8 = 1;

/// Longest single wait for a read.
const WAIT: Duration = Duration::from_millis(250);

impl Job {
    /// Why a burn-in that left this is not gone on with: something that was not there when it began stands where it had written. `None` where
    /// nothing does, or it cannot be read. Reads only.
    ///
    /// Where it is not known what stood there (`agreed`), what holds a signature now and is not as it was left is somebody's, too.
    ///
    /// What stood there before is no such thing: a drive that loses writes brings it back, which is for the burn-in to find. What it has
    /// found is not lost with it: its result is to be had as it stands, and a burn-in anew begins with it.
    pub(super) fn written_over(
        &self,
        device: &mut dyn Device,
        agreed: Option<&Content>,
        checkpoint: &Checkpoint,
    ) -> Option<String> {
        let known = agreed.is_some();
        let since = match known {
            true => self.added_since(agreed)?,
            false => format!("it holds {}", self.drive.content.words()),
        };
        match found(device, checkpoint, Duration::from_millis(self.limits.hang_ms)) {
            Some(lba) => Some(format!(
                "{since}, and LBA {lba}, which it had written already, is not as it left it"
            )),
            // It may have stood there all the while, and be what was agreed to erase.
            None if !known => None,
            // Where it wrote all of the beginning, what stands behind it may have been hidden by what stood there.
            None if places(checkpoint.geometry)[0].end <= written(checkpoint).end && written(checkpoint).start == 0 => {
                None
            }
            None => Some(since),
        }
    }

    /// What stands on the drive and was not there when a burn-in of it was agreed to, in words.
    pub(super) fn added_since(&self, agreed: Option<&Content>) -> Option<String> {
        // What could not be read then may have stood there.
        let agreed = agreed.filter(|agreed| matches!(agreed, Content::Empty | Content::Found { .. }))?;
        let summary = added(agreed, &self.drive.content)?;
        Some(format!(
            "something else wrote to it since: it holds {summary}, which was not there when it began"
        ))
    }
}

/// The first sector that was written and flushed by this checkpoint and holds neither the job's data nor one word alone, in the places
/// where signatures lie.
fn found(device: &mut dyn Device, checkpoint: &Checkpoint, hang: Duration) -> Option<u64> {
    let geometry = checkpoint.geometry;
    let job = Own::new(checkpoint.key);
    let headers = header::places(geometry);
    // Headers have a form of their own, and are asked for elsewhere.
    let is_header = |lba: u64| headers.iter().any(|(from, long)| (*from..from + long).contains(&lba));
    let each = (device.block() as u64 / u64::from(geometry.sector)).max(1);
    for places in places(geometry) {
        let mut at = places.start.max(written(checkpoint).start);
        let end = places.end.min(written(checkpoint).end);
        while at < end {
            let count = each.min(end - at);
            if read(device, geometry, (at, count), hang)? {
                let sectors = device.buffer(0).chunks(words(geometry)).zip(at..at + count);
                for (data, lba) in sectors {
                    if !is_header(lba) && !job.is_own(data, lba * geometry.units()) {
                        return Some(lba);
                    }
                }
            }
            at += count;
        }
    }
    None
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

/// Words of a sector.
fn words(geometry: Geometry) -> usize {
    geometry.sector as usize / 8
}

/// Tells a job's own data.
struct Own([Pattern; 2]);

impl Own {
    fn new(key: JobKey) -> Self {
        Self([Pattern::new(key), Pattern::new(key).complemented()])
    }

    /// Whether each unit of a sector holds what the job wrote somewhere, but for some bits, or one word alone.
    fn is_own(&self, sector: &[u64], first: u64) -> bool {
        let mut units = sector.chunks(UNIT / 8).zip(first..);
        units.all(|(data, unit)| {
            let blank = data.first().is_none_or(|word| data.iter().all(|other| other == word));
            blank || self.0.iter().any(|pattern| is_of(pattern, data, unit))
        })
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

/// Reads sectors into slot 0; false where they cannot be read, `None` where the drive does not answer.
fn read(device: &mut dyn Device, geometry: Geometry, (lba, sectors): (u64, u64), hang: Duration) -> Option<bool> {
    let access = Access {
        slot: 0,
        op: Op::Read,
        lba,
        sectors,
    };
    device.submit(access).ok()?;
    let until = device.now() + hang;
    loop {
        match device.wait(WAIT).ok()? {
            Some(done) => return Some(done.result == Ok(sectors * u64::from(geometry.sector))),
            None if device.now() >= until => return None,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use burnin::Evidence;
    use burnin::playbook::{Step, plain};

    use super::*;

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
        let own = Own::new(key);
        let mut data = vec![0; UNIT / 8];
        assert!(own.is_own(&data, 0), "zeros");
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

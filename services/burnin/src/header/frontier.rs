//! Where a job stood whose checkpoint is lost: a binary search over the tags that it wrote. Reads only.
//!
//! Tags carry their pass, so they tell which write was under way: the last one whose tags stand at the beginning of its sweep.
//! Where the job writes constants, the header's places tell it ([`super::marks`]). Only a write can be gone on with: what its verify had compared is known nowhere but in the checkpoint, and is done again. What
//! came before that write had ended, since no write begins before; how it had ended is not known, and counts as lost
//! ([`crate::evidence::Record::lost`]). Whether a trim began shows on no drive that may ignore it, and how long a soak went on
//! shows on none: where a trim may be under way, in a soak, and wherever the drive's answer is not certain, the job begins anew.
//! Tested over simulated drives in `tests/headers.rs`.

use super::{Header, find::read_once, marks, places};
use crate::checkpoint::{Checkpoint, Holds};
use crate::device::Device;
use crate::evidence::Evidence;
use crate::pattern::{Pattern, Seen, UNIT};
use crate::playbook::{Direction, Fill, PASSES, Step, moves_data};
use crate::worker::Limits;
use wire::Bytes;
use wire::job::{Phase, PhaseStatus};

/// Places looked at around a point of the search: a bad sector or two must not lead it astray.
const AROUND: u64 = 5;

/// Places, evenly over what may lie between two flushes, that are asked for the write after a whole one.
const AHEAD: u64 = 64;

/// A checkpoint to go on from, made from the drive alone; `None` where the job is best begun anew.
///
/// The frontier is put back by the most that may lie between two flushes, and what lies behind it is written again:
/// so nothing that the drive's cache lost is skipped. The probe counts as done, since no write begins before it ends, and
/// a false capacity ends the job. What else the lost session saw is not known: [`Evidence::lost`] says so to the verdict.
pub fn recover(device: &mut dyn Device, header: &Header, limits: &Limits) -> Option<Checkpoint> {
    let geometry = header.geometry;
    // Both, since what is written while a flush is under way belongs to neither of the two around it.
    let back = limits.checkpoint_bytes.saturating_add(limits.rewind_bytes) / u64::from(geometry.sector);
    let writes = writes(&header.steps)?;
    let tagged = writes.iter().all(|write| write.fill.is_keyed());
    let (write, found) = match tagged {
        true => under_way(device, header, &writes, back)?,
        false => marks::under_way(device, header, &writes, back)?,
    };
    let frontier = found.saturating_sub(back) / geometry.grain() * geometry.grain();
    if frontier == 0 && write.step == writes[0].step {
        return None;
    }
    let mut evidence = Evidence::new(geometry, &header.steps);
    evidence.lost = true;
    evidence.front = header.note.front;
    for record in evidence.phases.iter_mut().filter(|record| record.step < write.step) {
        record.status = PhaseStatus::Done;
        record.rounds = 1;
        record.lost = record.phase != Phase::Probe;
    }
    if let Some(record) = evidence.step_mut(write.step) {
        record.status = PhaseStatus::Running;
        record.done = Bytes(frontier * u64::from(geometry.sector));
    }
    Some(Checkpoint {
        key: header.key,
        geometry,
        steps: header.steps.clone(),
        step: write.step,
        frontier,
        holds: Some(Holds {
            fill: write.fill,
            pass: write.pass,
            step: write.step,
        }),
        evidence,
    })
}

/// A write that may have been under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub step: u16,
    pub fill: Fill,
    pub pass: u8,
    pub order: Direction,
    /// Fill and pass of the write before it, where that is what stands in front of it: no trim lies between.
    pub before: Option<(Fill, u8)>,
    /// Whether the drive is trimmed after it, before the next write.
    pub trims: bool,
}

/// The writes that may be gone on with, in order; `None` where not even the first may.
#[expect(clippy::wildcard_enum_match_arm, reason = "`moves_data` lists what is left")]
fn writes(steps: &[Step]) -> Option<Vec<Write>> {
    let mut found: Vec<Write> = Vec::new();
    for (at, step) in (0_u16..).zip(steps) {
        match step.phase {
            Phase::Write if found.is_empty() || step.soak.is_none() => {
                let last = found.last();
                found.push(Write {
                    step: at,
                    fill: step.fill,
                    pass: last.map_or(0, |write| write.pass) % PASSES + 1,
                    order: step.order,
                    before: last.filter(|write| !write.trims).map(|write| (write.fill, write.pass)),
                    trims: false,
                });
                if step.soak.is_some() {
                    break;
                }
            }
            Phase::Probe => {}
            Phase::Verify | Phase::Seek if !found.is_empty() => {}
            Phase::Trim | Phase::TrimCheck if !found.is_empty() && step.soak.is_none() => {
                found
                    .iter_mut()
                    .next_back()
                    .into_iter()
                    .for_each(|write| write.trims = true);
            }
            // What else moves data stands on no drive, and nothing later looks for it again.
            phase if moves_data(phase) => break,
            _ => {}
        }
    }
    (!found.is_empty()).then_some(found)
}

/// The write under way, and how many sectors of it stand, in the order of its sweep; `None` where that cannot be told for certain.
fn under_way(device: &mut dyn Device, header: &Header, writes: &[Write], back: u64) -> Option<(Write, u64)> {
    let mut search = Search::new(device, header);
    for (n, write) in writes.iter().copied().enumerate().rev() {
        let next = writes.get(n + 1).copied();
        // The next write had begun, though what it wrote first is lost or unreadable: all of it is written again.
        let begun = |next: Option<Write>| next.map(|next| (next, 0));
        match search.look_around(write, 0)? {
            Look::Here => {}
            Look::Later => return begun(next),
            Look::Before | Look::Other => continue,
        }
        return match search.run(write)? {
            Found::Later => begun(next),
            Found::At(found) if found < header.geometry.sectors && !write.trims => Some((write, found)),
            Found::At(found) => match next {
                Some(next) if search.has_begun(next, back) => Some((next, 0)),
                // It may have been trimmed since, in part or with no effect.
                _ if write.trims && (found == header.geometry.sectors || !search.stands(write, found)?) => None,
                _ => Some((write, found)),
            },
        };
    }
    None
}

/// Looks for what a write left on the drive.
pub(super) struct Search<'a> {
    device: &'a mut dyn Device,
    patterns: [Pattern; 2],
    header: &'a Header,
}

/// Where a write's sweep ends.
enum Found {
    At(u64),
    /// A later one has begun.
    Later,
}

impl<'a> Search<'a> {
    pub(super) fn new(device: &'a mut dyn Device, header: &'a Header) -> Self {
        let patterns = [Pattern::new(header.key), Pattern::new(header.key).complemented()];
        Self {
            device,
            patterns,
            header,
        }
    }

    /// Sectors of this write that were written, in the order of its sweep; `None` where it cannot be told.
    fn run(&mut self, write: Write) -> Option<Found> {
        let (mut written, mut open) = (0, self.header.geometry.sectors);
        while open - written > 1 {
            let middle = written + (open - written) / 2;
            match self.look_around(write, middle)? {
                Look::Here => written = middle,
                Look::Before => open = middle,
                // Nothing of this job stands in front of its first write; in front of another one does.
                Look::Other if write.before.is_none() => open = middle,
                Look::Other => return None,
                Look::Later => return Some(Found::Later),
            }
        }
        Some(Found::At(open))
    }

    /// Where this write ends between two positions of its sweep, if it covers all before the first and nothing behind the second;
    /// what is not its own is not written. `None` where it cannot be told.
    pub(super) fn end(&mut self, write: Write, (mut written, mut open): (u64, u64)) -> Option<u64> {
        while open - written > 1 {
            let middle = written + (open - written) / 2;
            match self.look_around(write, middle)? {
                Look::Here => written = middle,
                Look::Before | Look::Later | Look::Other => open = middle,
            }
        }
        Some(open)
    }

    /// Whether this write stands wherever it is looked for among the first `found` sectors of its sweep, as far as they can be read.
    fn stands(&mut self, write: Write, found: u64) -> Option<bool> {
        for n in 0..AHEAD {
            if !matches!(self.look_around(write, found / AHEAD * n)?, Look::Here) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Whether something of this write stands in one of the first `count` sectors of its sweep.
    pub(super) fn shows(&mut self, write: Write, count: u64) -> bool {
        (0..count).any(|position| self.look(write, self.lba(write, position)) == Some(Look::Here))
    }

    /// Whether something of this write stands where it began, though not at its first sectors.
    pub(super) fn has_begun(&mut self, write: Write, back: u64) -> bool {
        let end = self.header.geometry.sectors;
        let ahead = back.min(end);
        let doubled = (0..48).map(|n| 1_u64 << n).take_while(|at| *at < ahead);
        let evenly = (0..AHEAD).map(|n| ahead / AHEAD * n);
        for position in doubled.chain(evenly).collect::<Vec<u64>>() {
            if matches!(
                self.look(write, self.lba(write, position)),
                Some(Look::Here | Look::Later)
            ) {
                return true;
            }
        }
        false
    }

    fn lba(&self, write: Write, position: u64) -> u64 {
        match write.order {
            Direction::Forward => position,
            Direction::Reverse => self.header.geometry.sectors - 1 - position,
        }
    }

    /// What stands around the sector at this position of the sweep; `None` where nothing there can be read.
    fn look_around(&mut self, write: Write, position: u64) -> Option<Look> {
        let (mut here, mut before, mut later, mut other) = (0, 0, 0, 0);
        let geometry = self.header.geometry;
        let end = geometry.sectors;
        let places = places(geometry);
        for n in 0..AROUND {
            let mut at = (position + n * geometry.grain()).min(end - 1);
            // A header tells nothing of the sweep: the next sectors behind it do.
            if let Some((_, long)) = places
                .iter()
                .find(|(place, long)| (*place..place + long).contains(&self.lba(write, at)))
            {
                at = (at + long).min(end - 1);
            }
            match self.look(write, self.lba(write, at)) {
                Some(Look::Here) => here += 1,
                Some(Look::Before) => before += 1,
                Some(Look::Later) => later += 1,
                Some(Look::Other) => other += 1,
                None => {}
            }
        }
        match here + before + later + other {
            0 => None,
            _ if later > 0 => Some(Look::Later),
            _ if here >= before + other => Some(Look::Here),
            _ if before >= other => Some(Look::Before),
            _ => Some(Look::Other),
        }
    }

    fn look(&mut self, write: Write, lba: u64) -> Option<Look> {
        let bytes = read_once(self.device, lba, 1)?;
        if bytes != u64::from(self.header.geometry.sector) {
            return None;
        }
        let unit = lba * self.header.geometry.units();
        if let Some(word) = write.fill.constant() {
            let words = self.header.geometry.sector as usize / 8;
            let all = self.device.buffer(0)[..words].iter().all(|told| *told == word);
            return Some(if all { Look::Here } else { Look::Other });
        }
        let data = &self.device.buffer(0)[..UNIT / 8];
        let mut told = Look::Other;
        for (pattern, complemented) in self.patterns.iter().zip([false, true]) {
            let fill = if complemented { Fill::Complement } else { Fill::Keyed };
            let pass = match pattern.decode(data, unit, write.pass) {
                None | Some(Seen::Flips { .. } | Seen::Torn { .. }) => write.pass,
                // What names another place tells nothing of this one; read with its bits inverted, a probe's sector names such a pass.
                Some(Seen::Of { unit: of, pass }) if of == unit && (1..=PASSES).contains(&pass) => pass,
                Some(_) => continue,
            };
            told = match (fill, pass) {
                _ if pass > write.pass => Look::Later,
                (fill, pass) if (fill, pass) == (write.fill, write.pass) => Look::Here,
                seen if Some(seen) == write.before => Look::Before,
                _ => Look::Other,
            };
        }
        Some(told)
    }
}

/// What one look tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// This write was here.
    Here,
    /// The write before it was.
    Before,
    /// A later one was.
    Later,
    /// None of them.
    Other,
}

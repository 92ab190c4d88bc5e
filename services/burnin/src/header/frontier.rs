//! Where a job stood whose checkpoint is lost: a binary search over the tags that it wrote. Reads only.
//!
//! Only the first write can be gone on with. What a verify had compared is known nowhere but in the checkpoint, so a
//! job that was past its first write has its first verify still to do, and one that was past that begins anew. Of a
//! constant pattern nothing tells whether it was there before; such a write begins anew, too.

use super::{Header, find::read_once, places};
use crate::checkpoint::{Checkpoint, Holds};
use crate::device::Device;
use crate::evidence::Evidence;
use crate::pattern::{Pattern, Seen, UNIT};
use crate::pipeline::WRITE_PASS;
use crate::playbook::{Direction, Fill, moves_data};
use crate::worker::Limits;
use wire::Bytes;
use wire::job::{Phase, PhaseStatus};

/// Places looked at around a point of the search: a bad sector or two must not lead it astray.
const AROUND: u64 = 5;

/// A checkpoint to go on from, made from the drive alone; `None` where the job is best begun anew.
///
/// The frontier is put back by the most that may lie between two flushes, and what lies behind it is written again:
/// so nothing that the drive's cache lost is skipped. The probe counts as done, since no write begins before it ends, and
/// a false capacity ends the job. What else the lost session saw is not known: [`Evidence::lost`] says so to the verdict.
pub fn recover(device: &mut dyn Device, header: &Header, limits: &Limits) -> Option<Checkpoint> {
    let geometry = header.geometry;
    let step = header.steps.iter().position(|step| step.phase == Phase::Write)?;
    let write = &header.steps[step];
    let before = &header.steps[..step];
    if before
        .iter()
        .any(|step| moves_data(step.phase) && step.phase != Phase::Probe)
    {
        // What these saw is lost with the checkpoint, and nothing later looks for it again.
        return None;
    }
    let pattern = match write.fill {
        Fill::Keyed => Pattern::new(header.key),
        Fill::Complement => Pattern::new(header.key).complemented(),
        _ => return None,
    };
    let mut search = Search {
        device,
        pattern,
        header,
        order: write.order,
    };
    let found = search.run()?;
    let back = (limits.checkpoint_bytes.max(limits.rewind_bytes)) / u64::from(geometry.sector);
    let frontier = found.saturating_sub(back) / geometry.grain() * geometry.grain();
    if frontier == 0 {
        return None;
    }
    let mut evidence = Evidence::new(geometry, &header.steps);
    evidence.lost = true;
    for record in evidence
        .phases
        .iter_mut()
        .filter(|record| usize::from(record.step) < step)
    {
        record.status = PhaseStatus::Done;
        record.rounds = 1;
    }
    let step = step as u16;
    if let Some(record) = evidence.step_mut(step) {
        record.status = PhaseStatus::Running;
        record.done = Bytes(frontier * u64::from(geometry.sector));
    }
    Some(Checkpoint {
        key: header.key,
        geometry,
        steps: header.steps.clone(),
        step,
        frontier,
        holds: Some(Holds {
            fill: write.fill,
            pass: WRITE_PASS,
            step,
        }),
        evidence,
    })
}

struct Search<'a> {
    device: &'a mut dyn Device,
    pattern: Pattern,
    header: &'a Header,
    order: Direction,
}

impl Search<'_> {
    /// Sectors of the first write that were written, in the order of its sweep; `None` where a later one has begun, or
    /// nothing was written.
    fn run(&mut self) -> Option<u64> {
        let end = self.header.geometry.sectors;
        if self.is_written(0)? != Look::First {
            return None;
        }
        let (mut written, mut open) = (0, end);
        while open - written > 1 {
            let middle = written + (open - written) / 2;
            match self.is_written(middle)? {
                Look::First => written = middle,
                Look::Not => open = middle,
                Look::Later => return None,
            }
        }
        Some(open)
    }

    /// What stands around the sector at this position of the sweep; `None` where nothing there can be read.
    fn is_written(&mut self, position: u64) -> Option<Look> {
        let (mut first, mut later, mut not) = (0, 0, 0);
        let geometry = self.header.geometry;
        let end = geometry.sectors;
        let places = places(geometry);
        for n in 0..AROUND {
            let lba = |at: u64| match self.order {
                Direction::Forward => at,
                Direction::Reverse => end - 1 - at,
            };
            let mut at = (position + n * geometry.grain()).min(end - 1);
            // A header tells nothing of the sweep: the next sectors behind it do.
            if let Some((_, long)) = places
                .iter()
                .find(|(place, long)| (*place..place + long).contains(&lba(at)))
            {
                at = (at + long).min(end - 1);
            }
            let lba = lba(at);
            match self.look(lba) {
                Some(Look::First) => first += 1,
                Some(Look::Later) => later += 1,
                Some(Look::Not) => not += 1,
                None => {}
            }
        }
        match first + later + not {
            0 => None,
            _ if later > 0 => Some(Look::Later),
            _ if first >= not => Some(Look::First),
            _ => Some(Look::Not),
        }
    }

    fn look(&mut self, lba: u64) -> Option<Look> {
        let bytes = read_once(self.device, lba, 1)?;
        if bytes != u64::from(self.header.geometry.sector) {
            return None;
        }
        let unit = lba * self.header.geometry.units();
        let data = &self.device.buffer(0)[..UNIT / 8];
        Some(match self.pattern.decode(data, unit, WRITE_PASS) {
            None | Some(Seen::Flips { .. } | Seen::Torn { .. }) => Look::First,
            Some(Seen::Of { pass, .. }) if pass > WRITE_PASS && pass <= crate::playbook::PASSES => Look::Later,
            Some(_) => Look::Not,
        })
    }
}

/// What one look tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The first write was here.
    First,
    /// A later write was here.
    Later,
    /// Neither.
    Not,
}

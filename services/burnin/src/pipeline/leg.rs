//! The stretches a step consists of: each reads, writes or trims one area.

use wire::job::Phase;

use super::probe::{probe, sample_points};
use crate::checkpoint::Holds;
use crate::device::{Geometry, Op};
use crate::header;
use crate::pattern::{JobKey, mix64};
use crate::playbook::{Direction, Fill, Step};

/// Pass of the first write and its verify.
pub const WRITE_PASS: u8 = 1;

/// Pass of the capacity probe, so that its sectors are told from those of a write.
pub const PROBE_PASS: u8 = 0xF0;

/// Pass of the samples, likewise.
pub const SAMPLE_PASS: u8 = 0xF1;

/// Bytes of one access of the random seeks.
const SEEK_BYTES: u64 = 64 << 10;

/// Which bytes an access writes or expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The pattern, and the job's header where that belongs.
    Pattern {
        /// Which bytes.
        fill: Fill,
        /// In which pass.
        pass: u8,
    },
    /// The pattern everywhere, also where the header was.
    Bare {
        /// Which bytes.
        fill: Fill,
        /// In which pass.
        pass: u8,
    },
    /// Nothing is expected: whatever can be read is right.
    Any,
    /// Not the pattern: it was trimmed.
    Trimmed {
        /// Which bytes stood there.
        fill: Fill,
        /// In which pass.
        pass: u8,
    },
}

impl Content {
    /// Whether every sector has the same.
    pub(crate) fn is_constant(self) -> bool {
        match self {
            Self::Pattern { fill, .. } | Self::Bare { fill, .. } => fill.constant().is_some(),
            Self::Any | Self::Trimmed { .. } => false,
        }
    }
}

/// One stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    /// What it does.
    pub op: Op,
    /// What is written or expected.
    pub content: Content,
    /// Where.
    pub area: Area,
    /// Whether it is beside the step's own work: headers, and what an interruption may have lost.
    pub aside: bool,
}

/// Where a leg works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// Sectors `from..to`, counted in the order of the sweep.
    Range { from: u64, to: u64, order: Direction },
    /// First sector and number of sectors of each place, in this order.
    Points(Vec<(u64, u64)>),
    /// Sectors `from..to` of a step that begins again after an interruption.
    Stretch { from: u64, to: u64 },
    /// Places that a seed names, until the time is over.
    Random { seed: u64 },
}

impl Area {
    /// Where the cursor begins: a sector, or an index.
    pub(super) fn start(&self) -> u64 {
        match self {
            Self::Range { from, .. } | Self::Stretch { from, .. } => *from,
            Self::Points(_) | Self::Random { .. } => 0,
        }
    }

    /// Where the cursor ends.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Range { to, .. } | Self::Stretch { to, .. } => *to,
            Self::Points(points) => points.len() as u64,
            Self::Random { .. } => u64::MAX,
        }
    }

    /// First sector and number of sectors at the cursor, and the cursor after them.
    #[expect(clippy::cast_possible_truncation, reason = "an index into the list of points")]
    pub(super) fn piece(&self, cursor: u64, block: u64, geometry: Geometry) -> (u64, u64, u64) {
        match self {
            Self::Range {
                to,
                order: Direction::Forward,
                ..
            } => {
                let count = block.min(to - cursor);
                (cursor, count, cursor + count)
            }
            Self::Range {
                to,
                order: Direction::Reverse,
                ..
            } => {
                // The first piece is the odd one, so that all others begin on a multiple of the block.
                let left = geometry.sectors - cursor;
                let odd = left % block;
                let count = if odd == 0 { block } else { odd }.min(to - cursor);
                (left - count, count, cursor + count)
            }
            Self::Stretch { to, .. } => {
                let count = block.min(to - cursor);
                (cursor, count, cursor + count)
            }
            Self::Points(points) => {
                let (lba, count) = points[cursor as usize];
                (lba, count, cursor + 1)
            }
            Self::Random { seed } => {
                let grain = geometry.grain();
                let due = (SEEK_BYTES / u64::from(geometry.sector))
                    .clamp(1, block)
                    .next_multiple_of(grain);
                let count = due.min(block).min(geometry.sectors);
                let places = geometry.sectors - count + 1;
                let lba = mix64(seed ^ mix64(cursor)) % places / grain * grain;
                (lba, count, cursor + 1)
            }
        }
    }

    /// How far the sweep has come where an access that covers these sectors begins.
    pub(super) fn position(&self, lba: u64, sectors: u64, geometry: Geometry) -> u64 {
        match self {
            Self::Range {
                order: Direction::Reverse,
                ..
            } => geometry.sectors - (lba + sectors),
            Self::Range {
                order: Direction::Forward,
                ..
            }
            | Self::Points(_)
            | Self::Stretch { .. }
            | Self::Random { .. } => lba,
        }
    }

    /// Sectors in all; 0 where the time decides.
    pub(super) fn sectors(&self) -> u64 {
        match self {
            Self::Range { from, to, .. } | Self::Stretch { from, to } => to - from,
            Self::Points(points) => points.iter().map(|(_, count)| count).sum(),
            Self::Random { .. } => 0,
        }
    }
}

/// What legs are made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive {
    pub geometry: Geometry,
    /// Sectors of one access.
    pub block: u64,
    /// Sectors of one trim.
    pub trim: u64,
    pub key: JobKey,
}

/// The stretches of a step; `holds` is what the drive holds before it, or with a write what it is given.
pub(super) fn legs(step: &Step, holds: Holds, round: u32, on: Drive) -> Vec<Leg> {
    let Drive {
        geometry,
        block,
        trim,
        key,
    } = on;
    let leg = |op, content, area| Leg {
        op,
        content,
        area,
        aside: false,
    };
    let whole = || Area::Range {
        from: 0,
        to: geometry.sectors,
        order: step.order,
    };
    let Holds { fill, pass, .. } = holds;
    let pattern = Content::Pattern { fill, pass };
    match step.phase {
        Phase::Probe => {
            let keyed = Content::Pattern {
                fill: Fill::Keyed,
                pass: PROBE_PASS,
            };
            // The first sector, alone; from the end downwards; the beginning, in two parts; read upwards. `probe` says why that tells all.
            let probe = probe(geometry, key);
            let first = vec![(0, geometry.grain().min(geometry.sectors))];
            let down = probe.points.iter().rev().copied().collect();
            let stretch = |(from, long)| leg(Op::Write, keyed, Area::Stretch { from, to: from + long });
            let mut legs = vec![
                leg(Op::Write, keyed, Area::Points(first)),
                leg(Op::Write, keyed, Area::Points(down)),
                stretch(probe.stretch),
            ];
            if probe.head > 0 {
                legs.push(stretch((0, probe.head)));
            }
            legs.push(leg(Op::Read, keyed, Area::Points(probe.points)));
            legs
        }
        Phase::Sample => {
            let keyed = Content::Pattern {
                fill: Fill::Keyed,
                pass: SAMPLE_PASS,
            };
            let points = sample_points(geometry, block, key);
            vec![
                leg(Op::Write, keyed, Area::Points(points.clone())),
                leg(Op::Read, keyed, Area::Points(points)),
            ]
        }
        Phase::Write => vec![leg(Op::Write, pattern, whole())],
        Phase::Verify => vec![leg(Op::Read, pattern, whole())],
        Phase::Seek => {
            let seed =
                mix64(u64::from_le_bytes(key.0[..8].try_into().expect("half of sixteen bytes")) ^ u64::from(round));
            vec![leg(Op::Read, pattern, Area::Random { seed })]
        }
        Phase::Trim => vec![leg(Op::Trim, Content::Any, Area::Points(trim_points(geometry, trim)))],
        Phase::TrimCheck => vec![leg(Op::Read, Content::Trimmed { fill, pass }, whole())],
        Phase::Scan => vec![leg(Op::Read, Content::Any, whole())],
        // The agent runs these.
        Phase::SmartBefore
        | Phase::SmartAfter
        | Phase::SelfTestShort
        | Phase::SelfTestExtended
        | Phase::Partition
        | Phase::Format => Vec::new(),
    }
}

/// Sectors of one trim: of a drive of any size there is a list of them that fits the memory.
pub(super) fn trim_piece(geometry: Geometry, trim: u64) -> u64 {
    trim.max(geometry.sectors >> 14)
        .max(1)
        .next_multiple_of(geometry.grain())
}

/// The drive but for the headers' places, in pieces of one trim: what proves whose drive it is stays.
fn trim_points(geometry: Geometry, trim: u64) -> Vec<(u64, u64)> {
    let trim = trim_piece(geometry, trim);
    let mut points = Vec::new();
    let mut lba = 0;
    for (place, long) in header::places(geometry).into_iter().chain([(geometry.sectors, 0)]) {
        while lba < place {
            let count = trim.min(place - lba);
            points.push((lba, count));
            lba += count;
        }
        lba = place + long;
    }
    points
}

/// Those of the headers' places, in pieces that fit an access.
fn header_area(geometry: Geometry, block: u64, of: impl Fn(&(u64, u64)) -> bool) -> Area {
    let mut points = Vec::new();
    for (mut lba, long) in header::places(geometry).into_iter().filter(of) {
        let end = lba + long;
        while lba < end {
            let count = block.min(end - lba);
            points.push((lba, count));
            lba += count;
        }
    }
    Area::Points(points)
}

/// The job's headers are written: before anything else in a session.
///
/// A place tells the pass of the sweep that came to it: that of `holds` where it begins among the first `swept` sectors in this
/// order, and the one before elsewhere.
pub(super) fn opening(geometry: Geometry, holds: Holds, (swept, order): (u64, Direction), block: u64) -> Vec<Leg> {
    let leg = |pass, area| Leg {
        op: Op::Write,
        content: Content::Pattern { fill: holds.fill, pass },
        area,
        aside: true,
    };
    let is_swept = |(lba, long): &(u64, u64)| swept > begins(geometry, order, (*lba, *long));
    let legs = [
        leg(holds.pass, header_area(geometry, block, is_swept)),
        leg(
            holds.pass.saturating_sub(1),
            header_area(geometry, block, |place| !is_swept(place)),
        ),
    ];
    legs.into_iter().filter(|leg| leg.area.end() > 0).collect()
}

/// How many sectors a sweep covers before it comes to these.
fn begins(geometry: Geometry, order: Direction, (lba, long): (u64, u64)) -> u64 {
    match order {
        Direction::Forward => lba,
        Direction::Reverse => geometry.sectors - (lba + long),
    }
}

/// The places of the headers are given the last pattern, too, and read back: the end of a job that writes.
pub(super) fn closing(geometry: Geometry, holds: Holds, block: u64) -> Vec<Leg> {
    let leg = |op| Leg {
        op,
        content: Content::Bare {
            fill: holds.fill,
            pass: holds.pass,
        },
        area: header_area(geometry, block, |_| true),
        aside: true,
    };
    vec![leg(Op::Write), leg(Op::Read)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::FileExt;

    use wire::options::{FileSystem, FormatRequest, Table};

    use super::*;
    use crate::format::{plan, table};
    use crate::playbook::Playbook;

    /// The guard refuses a drive with a table of which not all can be read; to go on with such a one would need a person.
    #[test]
    fn wherever_a_probe_is_cut_off_the_old_table_is_whole_or_gone() {
        for (sector, physical) in [(512, 512), (512, 4096), (4096, 4096)] {
            let capacity = 64 << 20;
            let geometry = Geometry {
                sectors: capacity / u64::from(sector),
                sector,
                physical,
            };
            let request = FormatRequest {
                table: Table::Gpt,
                filesystem: FileSystem::Raw,
                reserved_percent: 0,
                label: String::new(),
            };
            let layout = plan(capacity, sector, &request).unwrap();
            let encoded = table::encode(&layout, FileSystem::Raw, &table::Ids::from_random([7; 32])).unwrap();
            let on = Drive {
                geometry,
                block: 16,
                trim: 16,
                key: JobKey([9; 16]),
            };
            let probe = Playbook::named("standard").unwrap();
            let probe = probe
                .steps()
                .iter()
                .find(|step| step.phase == Phase::Probe)
                .unwrap()
                .clone();
            let holds = Holds {
                fill: Fill::Keyed,
                pass: 1,
                step: 0,
            };
            let whole = tempfile::tempfile().unwrap();
            whole.set_len(capacity).unwrap();
            whole.write_all_at(&encoded.head, 0).unwrap();
            whole.write_all_at(&encoded.tail, encoded.tail_at).unwrap();
            let byte = |lba: u64| lba * u64::from(sector);
            for leg in legs(&probe, holds, 0, on).into_iter().filter(|leg| leg.op == Op::Write) {
                let mut pieces = Vec::new();
                let mut cursor = leg.area.start();
                while cursor < leg.area.end() {
                    let (lba, count, after) = leg.area.piece(cursor, 16, geometry);
                    pieces.push((byte(lba), vec![0xa5; usize::try_from(byte(count)).unwrap()]));
                    cursor = after;
                }
                // A drive stores what it was given since the last flush in any order.
                for cut in 0..24 {
                    let stored = pieces
                        .iter()
                        .zip(0_u64..)
                        .filter(|(_, n)| mix64(cut ^ mix64(*n)).is_multiple_of(2));
                    let kept: Vec<_> = stored
                        .map(|((at, data), _)| {
                            let mut before = vec![0; data.len()];
                            whole.read_exact_at(&mut before, *at).unwrap();
                            whole.write_all_at(data, *at).unwrap();
                            (*at, before)
                        })
                        .collect();
                    let look = drive::content::look(&whole, capacity, sector).unwrap();
                    assert!(look.members.is_empty(), "{sector}/{physical} {:?}: {look:?}", leg.area);
                    for (at, before) in kept {
                        whole.write_all_at(&before, at).unwrap();
                    }
                }
                for (at, data) in pieces {
                    whole.write_all_at(&data, at).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_sweep_backwards_covers_every_sector_once_and_knows_how_far_it_is() {
        let geometry = Geometry {
            sectors: 1_003,
            sector: 512,
            physical: 512,
        };
        for from in [0, 3, 100, 1_002] {
            let area = Area::Range {
                from,
                to: 1_003,
                order: Direction::Reverse,
            };
            let (mut cursor, mut next) = (from, 1_003 - from);
            while cursor < area.end() {
                let (lba, count, after) = area.piece(cursor, 16, geometry);
                assert_eq!(lba + count, next);
                assert_eq!(area.position(lba, count, geometry), cursor);
                assert!(lba % 16 == 0 && count <= 16);
                (cursor, next) = (after, lba);
            }
            assert_eq!(next, 0);
        }
    }

    #[test]
    fn seeks_stay_on_the_drive_and_on_physical_sectors() {
        for (sectors, sector, physical) in [(1, 512, 512), (7, 512, 512), (100_003, 512, 4096), (5_000, 4096, 4096)] {
            let geometry = Geometry {
                sectors,
                sector,
                physical,
            };
            let area = Area::Random { seed: 7 };
            for cursor in 0..500 {
                let (lba, count, _) = area.piece(cursor, 1024, geometry);
                assert!(count > 0 && lba + count <= sectors && lba % geometry.grain() == 0);
            }
        }
    }
}

//! A simulated drive: stores bytes in memory, misbehaves by plan, and knows what it did.
//!
//! Beside the bytes it keeps for each sector where its content *comes from* ([`Origin`]):
//! which write, meant for which sector. From that alone, without looking at a pattern,
//! [`Sim::truth`] says which sectors a burn-in must find bad and why: it is the
//! independent oracle of `tests/faults.rs` and `tests/resume/`.
//!
//! Its clock moves only while somebody waits, so hours of hanging cost nothing. Its cache is
//! volatile when the plan says so: [`Sim::power_cut`] then loses a random half of what was
//! not flushed, like the disks that the boot tests use.

#![expect(
    clippy::cast_possible_truncation,
    reason = "what is simulated fits the memory, and so does each index"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each place shows its own few of the many faults"
)]

mod medium;
mod memory;
mod plan;
mod trim;
mod truth;

use std::io;
use std::time::Duration;

pub use plan::{Content, Fault, Fleeting, Plan, Stuck, Trim};
pub use truth::{Origin, Truth};

use crate::device::{Access, Device, Done, Geometry, Op};

/// A sector's content and where it comes from.
#[derive(Clone)]
struct Cell {
    data: Box<[u64]>,
    origin: Origin,
}

/// Which flushes a mutated engine would have forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// None: every flush is done.
    None,
    /// Those after the last sector was written.
    AtEnd,
    /// Those before checkpoints in the middle.
    Between,
}

/// How long every access to a drive that was pulled fails before the kernel takes it away.
const UNNOTICED: Duration = Duration::from_millis(600);

/// The simulated drive.
pub struct Sim {
    geometry: Geometry,
    plan: Plan,
    /// What survives a power cut.
    stable: Vec<Cell>,
    /// What the cache holds beyond that, by cell.
    cache: std::collections::BTreeMap<u64, Cell>,
    buffers: Vec<Vec<u64>>,
    queue: Vec<(Duration, Access)>,
    /// Slots of accesses under way that fail with the command that they are a part of.
    doomed: std::collections::BTreeSet<usize>,
    clock: Duration,
    random: u64,
    /// For each sector the last acknowledged write that was meant for it.
    due: Vec<Origin>,
    /// For each sector whether it was read back whole since that write and since the last power cut before it.
    seen: Vec<bool>,
    /// Sectors of which a read brought other bytes than were last acknowledged for them.
    lied: std::collections::BTreeSet<u64>,
    /// Sectors that were trimmed since they were written: nothing is due of them.
    trimmed: Vec<bool>,
    /// Times each planned transient fault was shown.
    shown: Vec<u32>,
    /// Reads that each buffer took, and looks at what the last one brought.
    looks: Vec<(u32, u32)>,
    /// Bytes that reads and writes moved.
    moved: u64,
    /// When it went away.
    gone: Option<Duration>,
    /// When it began to fail everything for a while, by the place of the fault in the plan.
    absent: std::collections::BTreeMap<usize, Duration>,
    /// Writes and trims that went through, by the kernel's count of its medium.
    written: std::collections::BTreeMap<u64, u64>,
    /// Whether the kernel answers for it that it is offline.
    offline: bool,
    /// Whether another computer has reserved it.
    reserved: bool,
    /// Whether the kernel has learnt that it takes no trims.
    no_trims: bool,
    /// Flushes that are acknowledged and not done: what an engine without them would see.
    pub skip: Skip,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim")
            .field("geometry", &self.geometry)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

/// A small generator of random numbers, so that a seed reproduces a run.
pub fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    crate::pattern::mix64(*state)
}

impl Sim {
    /// A drive of that size with `slots` buffers of `block` bytes.
    pub fn new(geometry: Geometry, plan: Plan, slots: usize, block: usize, seed: u64) -> Self {
        let words = geometry.sector as usize / 8;
        let mut random = seed;
        let cells = plan.cells(geometry.sectors);
        let stable = (0..cells)
            .map(|_| {
                let data = match plan.content {
                    Content::Zeros => vec![0; words],
                    Content::Ones => vec![u64::MAX; words],
                    Content::Random => (0..words).map(|_| next_random(&mut random)).collect(),
                };
                Cell {
                    data: data.into(),
                    origin: Origin::Before,
                }
            })
            .collect();
        Self {
            geometry,
            shown: vec![0; plan.faults.len()],
            plan,
            stable,
            cache: std::collections::BTreeMap::new(),
            buffers: vec![vec![0; block / 8]; slots],
            looks: vec![(0, 0); slots],
            queue: Vec::new(),
            doomed: std::collections::BTreeSet::new(),
            clock: Duration::ZERO,
            random,
            due: vec![Origin::Before; geometry.sectors as usize],
            seen: vec![false; geometry.sectors as usize],
            lied: std::collections::BTreeSet::new(),
            trimmed: vec![false; geometry.sectors as usize],
            moved: 0,
            gone: None,
            absent: std::collections::BTreeMap::new(),
            written: std::collections::BTreeMap::new(),
            offline: false,
            reserved: false,
            no_trims: false,
            skip: Skip::None,
        }
    }

    /// Loses the accesses under way, each after having happened or not, and keeps the cache: a killed worker.
    pub fn kill(&mut self) {
        self.doomed.clear();
        while !self.queue.is_empty() {
            let at = next_random(&mut self.random) as usize % self.queue.len();
            let (_, access) = self.queue.swap_remove(at);
            if next_random(&mut self.random) & 1 == 0 && access.op == Op::Write {
                // It happened, but nobody was told: it was not acknowledged.
                let due = self.due.clone();
                let _ = self.carry(access);
                self.due = due;
            }
        }
    }

    /// A power cut: of everything that was not flushed a random half is lost, sector by sector.
    pub fn power_cut(&mut self) {
        self.kill();
        for (cell, content) in std::mem::take(&mut self.cache) {
            if next_random(&mut self.random) & 1 == 0 {
                self.stable[cell as usize] = content;
            } else {
                let cells = self.stable.len() as u64;
                (cell..self.geometry.sectors)
                    .step_by(cells as usize)
                    .for_each(|lba| self.seen[lba as usize] = false);
            }
        }
        self.gone = None;
    }

    /// From here on it has this fault, too.
    pub fn ages(&mut self, fault: Fault) {
        self.plan.faults.push(fault);
        self.shown.push(0);
    }

    /// Bytes that reads and writes have moved so far.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Whether it failed everything for so long, from when the fault at this place in the plan began.
    fn is_over(&self, at: usize, millis: u64) -> bool {
        let over = |from: &Duration| self.clock.saturating_sub(*from) >= Duration::from_millis(millis);
        self.absent.get(&at).is_some_and(over)
    }

    /// How often a fault that shows only once was shown.
    pub fn shown(&self) -> u32 {
        self.shown.iter().sum()
    }

    /// Sectors of which some read brought other bytes than the last acknowledged write of them, in rising order.
    ///
    /// With the sectors that fail, this is what a burn-in that compares all it reads must find bad, whatever it wrote.
    pub fn lied(&self) -> impl Iterator<Item = u64> + '_ {
        self.lied.iter().copied()
    }

    /// What is where in the end.
    pub fn truth(&self) -> Truth<'_> {
        Truth { sim: self }
    }

    /// Whether two sectors are parts of one physical sector.
    fn is_beside(&self, a: u64, b: u64) -> bool {
        a / self.geometry.grain() == b / self.geometry.grain()
    }

    /// Whether an access needs the physical sector that `lba` is a part of.
    fn meets(&self, access: Access, lba: u64) -> bool {
        (access.lba..access.lba + access.sectors).any(|of| self.is_beside(of, lba))
    }

    fn cell(&self, lba: u64) -> u64 {
        lba % self.stable.len() as u64
    }

    fn read_cell(&self, cell: u64) -> &Cell {
        self.cache.get(&cell).unwrap_or(&self.stable[cell as usize])
    }

    fn write_cell(&mut self, cell: u64, content: Cell) {
        if self.plan.volatile {
            self.cache.insert(cell, content);
        } else {
            self.stable[cell as usize] = content;
        }
    }

    /// Time that an access takes, `None` for one that never comes back.
    fn duration(&mut self, access: Access) -> Option<Duration> {
        let bytes = access.sectors * u64::from(self.geometry.sector);
        let mut time = Duration::from_nanos(50_000 + if access.op == Op::Trim { 0 } else { bytes * 10 });
        for index in 0..self.plan.faults.len() {
            let fault = self.plan.faults[index];
            if let Fault::SlowOnce { lba, millis } = fault
                && touches(access, lba)
                && self.once(index)
            {
                time += Duration::from_millis(millis);
            }
            match &fault {
                Fault::Hang { lba } if touches(access, *lba) => return None,
                Fault::HangAgain { lba } if touches(access, *lba) && !self.once(index) => return None,
                Fault::Stuck { from, millis, .. } if access.lba + access.sectors > *from => {
                    return Some(Duration::from_millis(*millis));
                }
                Fault::Slow { lba, millis } if touches(access, *lba) => time += Duration::from_millis(*millis),
                _ => {}
            }
        }
        Some(time)
    }

    fn carry(&mut self, access: Access) -> Result<u64, i32> {
        if self.gone.is_some() {
            return Err(libc::EIO);
        }
        if self.plan.faults.iter().any(|f| match f {
            Fault::Disconnect { lba } => touches(access, *lba),
            Fault::DisconnectInFlush => access.op == Op::Flush,
            _ => false,
        }) {
            self.gone = Some(self.clock);
            return Err(libc::EIO);
        }
        let ends = |f: &Fault| matches!(f, Fault::Offline { lba } if touches(access, *lba));
        self.offline |= self.plan.faults.iter().any(ends);
        if self.offline {
            return Err(libc::ENODEV);
        }
        let takes = |f: &Fault| matches!(f, Fault::Reserved { lba } if touches(access, *lba));
        self.reserved |= self.plan.faults.iter().any(takes);
        if self.reserved && access.op != Op::Read {
            return Err(libc::EBADE);
        }
        if matches!(access.op, Op::Read | Op::Write) {
            self.moved += access.sectors * u64::from(self.geometry.sector);
        }
        if self.doomed.remove(&access.slot) {
            return Err(libc::ENODATA);
        }
        for index in 0..self.plan.faults.len() {
            let fault = self.plan.faults[index];
            match fault {
                Fault::FlushError { times } if access.op == Op::Flush && self.count(index) <= times => {
                    return Err(self.plan.errno);
                }
                Fault::Absent { lba, millis, errno } => {
                    if access.op != Op::Flush && touches(access, lba) {
                        self.absent.entry(index).or_insert(self.clock);
                    }
                    if self.absent.contains_key(&index) && !self.is_over(index, millis) {
                        return Err(errno);
                    }
                }
                Fault::Recounted { lba, millis } => {
                    if access.op != Op::Flush && touches(access, lba) {
                        self.absent.entry(index).or_insert(self.clock);
                    }
                    if self.absent.contains_key(&index) && !self.is_over(index, millis) {
                        return Err(libc::EIO);
                    }
                }
                Fault::Stuck { from, errno, .. } if access.lba + access.sectors > from => return Err(errno),
                Fault::TrimErrorOnce { lba } if access.op == Op::Trim && touches(access, lba) && self.once(index) => {
                    return Err(self.plan.errno);
                }
                Fault::TrimError { lba } if access.op == Op::Trim && touches(access, lba) => {
                    return Err(self.plan.errno);
                }
                _ => {}
            }
        }
        if matches!(access.op, Op::Write | Op::Trim) {
            *self.written.entry(self.counted()).or_default() += 1;
        }
        match access.op {
            Op::Flush => {
                let at_end = self.due.iter().all(|due| *due != Origin::Before);
                let skip = match self.skip {
                    Skip::None => false,
                    Skip::AtEnd => at_end,
                    Skip::Between => !at_end,
                };
                if !skip {
                    for (cell, content) in std::mem::take(&mut self.cache) {
                        self.stable[cell as usize] = content;
                    }
                }
                Ok(0)
            }
            Op::Trim => self.trim(access),
            Op::Write => self.write(access),
            Op::Read => self.read(access),
        }
    }

    /// The error of an access to a sector that cannot be read or written; those that one command does with it are to fail with it.
    fn unusable(&mut self, access: Access) -> i32 {
        if !self.plan.merges {
            return libc::EIO;
        }
        let (mut from, mut to) = (access.lba, access.lba + access.sectors);
        loop {
            let beside =
                |other: &Access| other.op == access.op && (other.lba + other.sectors == from || other.lba == to);
            let flying = self.queue.iter().map(|(_, other)| other);
            let Some(next) = flying
                .filter(|other| beside(other))
                .find(|other| !self.doomed.contains(&other.slot))
            else {
                return libc::ENODATA;
            };
            (from, to) = (from.min(next.lba), to.max(next.lba + next.sectors));
            self.doomed.insert(next.slot);
        }
    }

    fn write(&mut self, access: Access) -> Result<u64, i32> {
        self.spoil(access.slot);
        for index in 0..self.plan.faults.len() {
            let fault = self.plan.faults[index];
            match fault {
                Fault::WriteError { lba } if self.meets(access, lba) => return Err(self.unusable(access)),
                Fault::WriteErrorOnce { lba } if self.meets(access, lba) && self.once(index) => {
                    return Err(self.plan.errno);
                }
                _ => {}
            }
        }
        let words = self.geometry.sector as usize / 8;
        for n in 0..access.sectors {
            let lba = access.lba + n;
            let at = n as usize * words;
            let data: Box<[u64]> = self.buffers[access.slot][at..at + words].into();
            let origin = Origin::Write { lba, sum: sum(&data) };
            self.due[lba as usize] = origin;
            self.seen[lba as usize] = false;
            self.trimmed[lba as usize] = false;
            let second = (0..self.plan.faults.len())
                .any(|at| self.plan.faults[at] == Fault::DropSecond { lba } && self.count(at) == 2);
            let mut cells = if second { Vec::new() } else { vec![self.cell(lba)] };
            let mut content = Cell { data, origin };
            for fault in &self.plan.faults {
                match fault {
                    Fault::DropWrite { lba: bad } if self.is_beside(*bad, lba) => cells.clear(),
                    Fault::MisdirectWrite { from, to } if *from == lba => cells = vec![*to],
                    Fault::Shadow { from, to } if *from == lba => cells.push(*to),
                    Fault::Limbo { from } if lba >= *from => cells.clear(),
                    Fault::Flip { lba: bad, bit } if *bad == lba => {
                        content.data[*bit as usize / 64 % words] ^= 1 << (bit % 64);
                        content.origin = Origin::Damaged;
                    }
                    Fault::Tear { lba: bad } if *bad == lba => {
                        let old = self.read_cell(self.cell(lba)).data.clone();
                        content.data[words / 4..].copy_from_slice(&old[words / 4..]);
                        content.origin = Origin::Damaged;
                    }
                    _ => {}
                }
            }
            for cell in cells {
                self.write_cell(cell, content.clone());
            }
        }
        Ok(access.sectors * u64::from(self.geometry.sector))
    }

    fn read(&mut self, access: Access) -> Result<u64, i32> {
        for index in 0..self.plan.faults.len() {
            let fault = self.plan.faults[index];
            match fault {
                Fault::ReadError { lba } if self.meets(access, lba) => return Err(self.unusable(access)),
                Fault::ReadErrorOnce { lba } if self.meets(access, lba) && self.once(index) => {
                    return Err(self.plan.errno);
                }
                Fault::Fades { lba } if self.meets(access, lba) && !self.once(index) => return Err(libc::EIO),
                _ => {}
            }
        }
        let words = self.geometry.sector as usize / 8;
        for n in 0..access.sectors {
            let lba = access.lba + n;
            let mut data = self.read_cell(self.cell(self.source(lba))).data.clone();
            if self.is_limbo(lba) {
                data.fill(0);
            }
            for index in 0..self.plan.faults.len() {
                let fault = self.plan.faults[index];
                match fault {
                    Fault::FlipOnce { lba: bad, bit } if bad == lba && self.once(index) => {
                        data[bit as usize / 64 % words] ^= 1 << (bit % 64);
                    }
                    _ => {}
                }
            }
            let at = n as usize * words;
            let origin = self.read_cell(self.cell(self.source(lba))).origin;
            let strays = matches!(origin, Origin::Write { lba: of, .. } if of != lba) && data.iter().any(|w| *w != 0);
            if let Origin::Write { sum: due, .. } = self.due[lba as usize]
                && due != sum(&data)
                && (!self.trimmed[lba as usize] || strays)
            {
                self.lied.insert(lba);
            }
            self.buffers[access.slot][at..at + words].copy_from_slice(&data);
            self.seen[lba as usize] = true;
        }
        self.spoil(access.slot);
        let (reads, looks) = &mut self.looks[access.slot];
        (*reads, *looks) = (*reads + 1, 0);
        Ok(access.sectors * u64::from(self.geometry.sector))
    }

    /// Where a read really reads.
    fn source(&self, lba: u64) -> u64 {
        self.plan
            .faults
            .iter()
            .find_map(|fault| match fault {
                Fault::MisdirectRead { from, to } if *from == lba => Some(*to),
                _ => None,
            })
            .unwrap_or(lba)
    }

    fn is_limbo(&self, lba: u64) -> bool {
        self.plan
            .faults
            .iter()
            .any(|f| matches!(f, Fault::Limbo { from } if lba >= *from))
    }

    /// Whether a fault that shows once shows now.
    fn once(&mut self, index: usize) -> bool {
        self.count(index) == 1
    }

    /// How often the place of a fault was met, this time included.
    fn count(&mut self, index: usize) -> u32 {
        self.shown[index] += 1;
        self.shown[index]
    }
}

fn sum(data: &[u64]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    hasher.finish()
}

fn touches(access: Access, lba: u64) -> bool {
    access.op != Op::Flush && (access.lba..access.lba + access.sectors).contains(&lba)
}

impl Device for Sim {
    fn now(&self) -> Duration {
        self.clock
    }

    fn slots(&self) -> usize {
        self.buffers.len()
    }

    fn block(&self) -> usize {
        self.buffers.first().map_or(0, |b| b.len() * 8)
    }

    fn buffer(&mut self, slot: usize) -> &mut [u64] {
        assert!(
            self.queue.iter().all(|(_, access)| access.slot != slot),
            "slot {slot} is busy"
        );
        self.flicker(slot);
        &mut self.buffers[slot]
    }

    fn settle(&mut self, slot: usize) {
        self.spoil(slot);
    }

    fn submit(&mut self, access: Access) -> io::Result<()> {
        if self.queue.iter().any(|(_, other)| other.slot == access.slot) {
            return Err(crate::device::not_back(access.slot));
        }
        assert!(
            access.lba + access.sectors <= self.geometry.sectors,
            "{access:?} is outside the drive"
        );
        let time = self.duration(access);
        // Accesses overlap: each comes back on its own, in an order that the seed decides.
        let jitter = Duration::from_nanos(next_random(&mut self.random) % 400_000);
        let when = time.map_or(Duration::MAX, |time| self.clock + time + jitter);
        self.queue.push((when, access));
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        let next = self
            .queue
            .iter()
            .enumerate()
            .min_by_key(|(_, (when, _))| *when)
            .map(|(at, (when, _))| (at, *when));
        match next {
            Some((at, when)) if when <= self.clock + at_most => {
                self.clock = self.clock.max(when);
                let (_, access) = self.queue.swap_remove(at);
                let result = self.carry(access);
                Ok(Some(Done {
                    slot: access.slot,
                    result,
                }))
            }
            _ => {
                self.clock += at_most;
                Ok(None)
            }
        }
    }

    fn size(&mut self) -> u64 {
        match self.gone {
            Some(since) if self.clock >= since + UNNOTICED => 0,
            Some(_) | None => self.geometry.bytes(),
        }
    }

    fn medium(&mut self) -> Option<u64> {
        Some(self.counted())
    }
}

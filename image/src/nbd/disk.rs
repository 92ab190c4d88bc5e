//! The disk behind the server: plan, volatile write cache, medium.
//!
//! With a volatile cache a write is acknowledged when it is in the cache and lasts when it was flushed, was written
//! with FUA, or was pushed out by newer writes. [`Disk::cut`] is the moment the power goes: of the sectors in the
//! cache a random half reaches the medium, each 512 bytes for itself, so that both reordering and tearing happen. The
//! half is chosen from a seed, so that a failing run can be had again.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::{Pace, Plan, Sectors};
use super::{Medium, SECTOR};

/// Most sectors that the volatile cache holds before the lowest ones are written out: 32 MiB, a middling drive's cache.
const CACHE_SECTORS: usize = 64 * 1024;

/// What the disk was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Read requests answered, failed ones too.
    pub reads: u64,
    /// Write requests answered, failed ones too.
    pub writes: u64,
    /// Of the writes, those with force-unit-access.
    pub fua: u64,
    /// Flush requests answered.
    pub flushes: u64,
    /// Sectors acknowledged as written.
    pub sectors_written: u64,
    /// Requests that failed by the plan.
    pub errors: u64,
}

/// What a power cut did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Sectors in the cache when the power went.
    pub pending: usize,
    /// Of these, the ones that reached the medium.
    pub kept: usize,
}

/// Why a request failed, as the errno that NBD sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The plan says so, or the medium's file failed.
    Io,
    /// Not whole sectors, or past the end.
    Invalid,
    /// The power is off: no answer at all.
    Dead,
}

#[derive(Debug)]
struct State {
    medium: Medium,
    plan: Plan,
    /// `None`: every write goes straight to the medium.
    cache: Option<BTreeMap<u64, [u8; SECTOR]>>,
    counters: Counters,
    powered: bool,
}

/// A disk that may lie. Shared by the connections of its server and the test that breaks it.
#[derive(Debug)]
pub struct Disk {
    state: Mutex<State>,
    changed: Condvar,
    claimed: u64,
}

impl Disk {
    /// A disk over `medium` with write-through and no faults.
    #[must_use]
    pub fn new(medium: Medium) -> Self {
        let claimed = medium.sectors();
        Self {
            state: Mutex::new(State {
                medium,
                plan: Plan::honest(),
                cache: None,
                counters: Counters::default(),
                powered: true,
            }),
            changed: Condvar::new(),
            claimed,
        }
    }

    /// An honest, empty disk of `mib` MiB.
    pub fn blank(mib: u64) -> io::Result<Self> {
        Ok(Self::new(Medium::blank(mib * 1024 * 1024 / SECTOR as u64)?))
    }

    /// The same disk with faults from the start.
    #[must_use]
    pub fn with_plan(self, plan: Plan) -> Self {
        self.set_plan(plan);
        self
    }

    /// The same disk with a volatile write cache.
    #[must_use]
    pub fn with_volatile_cache(self) -> Self {
        self.lock().cache = Some(BTreeMap::new());
        self
    }

    /// Changes what is wrong from now on; requests that hang are looked at again.
    pub fn set_plan(&self, plan: Plan) {
        self.lock().plan = plan;
        self.changed.notify_all();
    }

    /// Number of sectors that the disk claims to have.
    #[must_use]
    pub fn sectors(&self) -> u64 {
        self.claimed
    }

    /// What was asked so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// What the cells really hold, past cache and lies: `count` sectors from `sector` on.
    pub fn medium(&self, sector: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut data = vec![0; count * SECTOR];
        self.lock().medium.read(sector, &mut data)?;
        Ok(data)
    }

    /// Whether the power is on.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.lock().powered
    }

    /// Cuts the power: a random half of the unflushed sectors reaches the medium, nothing is answered any more.
    ///
    /// `seed` chooses the half.
    pub fn cut(&self, seed: u64) -> io::Result<Cut> {
        let mut state = self.lock();
        state.powered = false;
        let pending = state.cache.as_mut().map(std::mem::take).unwrap_or_default();
        let mut cut = Cut {
            pending: pending.len(),
            kept: 0,
        };
        for (sector, data) in pending {
            if mix(seed ^ mix(sector)) & 1 == 1 {
                state.medium.write(sector, &data)?;
                cut.kept += 1;
            }
        }
        drop(state);
        self.changed.notify_all();
        Ok(cut)
    }

    /// Puts the power back, with an empty cache.
    pub fn power_on(&self) {
        self.lock().powered = true;
    }

    /// Reads whole sectors at byte `offset` into `data`.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), Refusal> {
        let sectors = self.whole(offset, data.len())?;
        let mut state = self.pace(&sectors, false)?;
        state.counters.reads += 1;
        if state.plan.is_honest() && state.cache.as_ref().is_none_or(BTreeMap::is_empty) {
            return state.medium.read(sectors.start, data).map_err(|_| Refusal::Io);
        }
        for (sector, chunk) in sectors.zip(data.chunks_mut(SECTOR)) {
            let Some(cell) = state.plan.read_from(sector) else {
                state.counters.errors += 1;
                return Err(Refusal::Io);
            };
            match state.cache.as_ref().and_then(|cache| cache.get(&cell)) {
                Some(cached) => chunk.copy_from_slice(cached),
                None => state.medium.read(cell, chunk).map_err(|_| Refusal::Io)?,
            }
            state.plan.spoil(sector, chunk);
        }
        Ok(())
    }

    /// Writes whole sectors at byte `offset`; with `fua` they last when this returns.
    pub fn write(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), Refusal> {
        let sectors = self.whole(offset, data.len())?;
        let mut state = self.pace(&sectors, true)?;
        state.counters.writes += 1;
        state.counters.fua += u64::from(fua);
        if state.plan.is_honest() && state.cache.is_none() {
            state.counters.sectors_written += sectors.end - sectors.start;
            return state.medium.write(sectors.start, data).map_err(|_| Refusal::Io);
        }
        for (sector, chunk) in sectors.zip(data.chunks(SECTOR)) {
            let Ok(place) = state.plan.write_to(sector) else {
                state.counters.errors += 1;
                return Err(Refusal::Io);
            };
            state.counters.sectors_written += 1;
            if let Some(cell) = place {
                state.store(cell, chunk, fua).map_err(|_| Refusal::Io)?;
            }
        }
        Ok(())
    }

    /// Makes everything acknowledged so far last.
    pub fn flush(&self) -> Result<(), Refusal> {
        let mut state = self.pace(&(0..0), false)?;
        state.counters.flushes += 1;
        if state.plan.ignores_flush() {
            return Ok(());
        }
        let pending = state.cache.as_mut().map(std::mem::take).unwrap_or_default();
        for (sector, data) in pending {
            state.medium.write(sector, &data).map_err(|_| Refusal::Io)?;
        }
        Ok(())
    }

    /// The sectors of a request, if it is one that a drive would take.
    fn whole(&self, offset: u64, len: usize) -> Result<Sectors, Refusal> {
        let unit = SECTOR as u64;
        let end = offset.checked_add(len as u64).ok_or(Refusal::Invalid)?;
        if !offset.is_multiple_of(unit) || !end.is_multiple_of(unit) || end > self.claimed * unit {
            return Err(Refusal::Invalid);
        }
        Ok(offset / unit..end / unit)
    }

    /// Waits as long as the plan says, and gives the state once the request may go on.
    fn pace(&self, sectors: &Sectors, writes: bool) -> Result<MutexGuard<'_, State>, Refusal> {
        let mut state = self.lock();
        let mut waited = false;
        loop {
            if !state.powered {
                return Err(Refusal::Dead);
            }
            match state.plan.pace(sectors, writes) {
                Pace::After(time) if !waited => {
                    waited = true;
                    drop(state);
                    std::thread::sleep(time);
                    state = self.lock();
                }
                Pace::Never => {
                    let limit = Duration::from_secs(1);
                    state = self
                        .changed
                        .wait_timeout(state, limit)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                Pace::Now | Pace::After(_) => return Ok(state),
            }
        }
    }

    /// The state, also when a thread panicked with it: the disk of a failed test still answers questions.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn store(&mut self, cell: u64, data: &[u8], fua: bool) -> io::Result<()> {
        let forced = fua && !self.plan.ignores_flush();
        let Some(cache) = self.cache.as_mut() else {
            return self.medium.write(cell, data);
        };
        if forced {
            cache.remove(&cell);
            return self.medium.write(cell, data);
        }
        let mut sector = [0; SECTOR];
        sector.copy_from_slice(data);
        cache.insert(cell, sector);
        if cache.len() > CACHE_SECTORS
            && let Some((oldest, data)) = cache.pop_first()
        {
            self.medium.write(oldest, &data)?;
        }
        Ok(())
    }
}

/// The finaliser of splitmix64: every input bit changes about half of the output bits.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::nbd::Fault;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn sector(disk: &Disk, n: u64) -> u8 {
        let mut data = [0; SECTOR];
        disk.read(n * SECTOR as u64, &mut data).unwrap();
        data[0]
    }

    fn put(disk: &Disk, n: u64, value: u8, fua: bool) {
        disk.write(n * SECTOR as u64, &[value; SECTOR], fua).unwrap();
    }

    #[test]
    fn a_cut_loses_about_half_of_what_was_not_flushed_and_nothing_else() {
        let disk = Disk::blank(1).unwrap().with_volatile_cache();
        (0..500).for_each(|n| put(&disk, n, 1, false));
        disk.flush().unwrap();
        (500..1000).for_each(|n| put(&disk, n, 2, false));
        (1000..1010).for_each(|n| put(&disk, n, 3, true));
        assert_eq!(sector(&disk, 700), 2, "the cache answers before it lasts");
        let cut = disk.cut(7).unwrap();
        assert_eq!(cut.pending, 500);
        assert!((150..350).contains(&cut.kept), "{cut:?}");
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Err(Refusal::Dead));
        disk.power_on();
        assert!((0..500).all(|n| sector(&disk, n) == 1), "flushed");
        assert_eq!((500..1000).filter(|n| sector(&disk, *n) == 2).count(), cut.kept);
        assert!((1000..1010).all(|n| sector(&disk, n) == 3), "forced unit access");
    }

    #[test]
    fn the_same_seed_loses_the_same_sectors() {
        let lost = |seed| {
            let disk = Disk::blank(1).unwrap().with_volatile_cache();
            (0..64).for_each(|n| put(&disk, n, 1, false));
            disk.cut(seed).unwrap();
            disk.medium(0, 64).unwrap()
        };
        assert_eq!(lost(3), lost(3));
        assert_ne!(lost(3), lost(4));
    }

    #[test]
    fn a_drive_that_ignores_flushes_loses_what_was_flushed() {
        let liar = Plan::honest().with(Fault::IgnoreFlush);
        let disk = Disk::blank(1).unwrap().with_plan(liar).with_volatile_cache();
        (0..100).for_each(|n| put(&disk, n, 1, n % 2 == 0));
        disk.flush().unwrap();
        assert_eq!((disk.counters().flushes, disk.counters().fua), (1, 50));
        assert_eq!(disk.cut(9).unwrap().pending, 100);
    }

    #[test]
    fn an_older_cached_write_never_covers_a_newer_forced_one() {
        let disk = Disk::blank(1).unwrap().with_volatile_cache();
        put(&disk, 5, 1, false);
        put(&disk, 5, 2, true);
        disk.flush().unwrap();
        assert_eq!(sector(&disk, 5), 2);
    }

    #[test]
    fn the_cache_is_bounded_and_what_falls_out_lasts() {
        let disk = Disk::blank(64).unwrap().with_volatile_cache();
        let chunk = vec![9_u8; 1 << 20];
        for mib in 0..48_u64 {
            disk.write(mib << 20, &chunk, false).unwrap();
        }
        let cut = disk.cut(1).unwrap();
        assert_eq!(cut.pending, CACHE_SECTORS);
        assert!(disk.medium(0, 2048).unwrap().iter().all(|b| *b == 9));
    }

    #[test]
    fn a_forged_capacity_wraps() {
        let disk = Disk::blank(1)
            .unwrap()
            .with_plan(Plan::honest().with(Fault::Wrap { real: 512 }));
        put(&disk, 600, 4, false);
        assert_eq!((sector(&disk, 600), sector(&disk, 88)), (4, 4));
    }

    #[test]
    fn what_is_not_whole_sectors_or_past_the_end_is_refused() {
        let disk = Disk::blank(1).unwrap();
        assert_eq!(disk.read(1, &mut [0; SECTOR]), Err(Refusal::Invalid));
        assert_eq!(disk.write(0, &[0; 100], false), Err(Refusal::Invalid));
        assert_eq!(disk.read((1 << 20) - 512, &mut [0; 1024]), Err(Refusal::Invalid));
        assert_eq!(disk.read(u64::MAX - 511, &mut [0; 1024]), Err(Refusal::Invalid));
    }

    #[test]
    fn a_hanging_request_answers_when_the_plan_changes_and_dies_with_the_power() {
        let disk = Arc::new(
            Disk::blank(1)
                .unwrap()
                .with_plan(Plan::honest().with(Fault::Hang(4..5))),
        );
        let asked = Arc::clone(&disk);
        let read = std::thread::spawn(move || asked.read(4 * 512, &mut [0; SECTOR]));
        put(&disk, 9, 1, false);
        disk.set_plan(Plan::honest());
        assert_eq!(read.join().unwrap(), Ok(()));

        disk.set_plan(Plan::honest().with(Fault::Hang(4..5)));
        let asked = Arc::clone(&disk);
        let read = std::thread::spawn(move || asked.read(4 * 512, &mut [0; SECTOR]));
        disk.cut(0).unwrap();
        assert_eq!(read.join().unwrap(), Err(Refusal::Dead));
    }

    #[test]
    fn errors_of_the_plan_are_counted() {
        let plan = Plan::honest()
            .with(Fault::ReadError(3..4))
            .with(Fault::WriteError(5..6));
        let disk = Disk::blank(1).unwrap().with_plan(plan);
        assert_eq!(disk.read(0, &mut [0; 8 * SECTOR]), Err(Refusal::Io));
        assert_eq!(disk.write(5 * 512, &[1; SECTOR], false), Err(Refusal::Io));
        assert_eq!(
            disk.counters(),
            Counters {
                reads: 1,
                writes: 1,
                errors: 2,
                ..Counters::default()
            }
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        /// The oracle is a plain array: as long as the power stays on, a cache must not be visible.
        #[test]
        fn with_the_power_on_a_volatile_cache_cannot_be_told_from_none(
            steps in prop::collection::vec((0_u64..24, 1_usize..5, any::<u8>(), 0_u8..4), 1..60)
        ) {
            let disk = Disk::blank(1).unwrap().with_volatile_cache();
            let mut oracle = vec![0_u8; 32 * SECTOR];
            for (at, count, value, kind) in steps {
                let bytes = usize::try_from(at).unwrap() * SECTOR..usize::try_from(at).unwrap() * SECTOR + count * SECTOR;
                match kind {
                    0 => disk.flush().unwrap(),
                    1 => {
                        let mut data = vec![0; count * SECTOR];
                        disk.read(at * SECTOR as u64, &mut data).unwrap();
                        prop_assert_eq!(&data, &oracle[bytes]);
                    }
                    _ => {
                        disk.write(at * SECTOR as u64, &vec![value; count * SECTOR], kind == 3).unwrap();
                        oracle[bytes].fill(value);
                    }
                }
            }
        }
    }
}

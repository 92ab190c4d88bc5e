//! Where a held drive is, and whether it is still the one that was opened there.
//!
//! A card reader or a dock goes on under one name with whatever is put into it; the kernel then counts a new medium
//! (`diskseq`). It does so, too, when a removable drive was merely reset: the drive answers the next command with a unit
//! attention, which sd takes for a change of medium. So another count alone says nothing: what the job left on the drive does
//! ([`Seat::take_up`]). Tested in `tests/sysfs_trees.rs`, and by the agent
//! and `kiln burn` on loop devices whose count is made up.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::identity::Identity;
use crate::registry::Plug;
use crate::sysfs::{self, DevNum, Device};
use crate::system::System;

/// What is under a held drive's number, by the kernel's word alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The medium that is held.
    Same,
    /// One of the same name and size in the same place, but counted anew: another medium, or a removable drive that was reset.
    Recounted,
    /// Another drive.
    Another,
    /// None.
    Empty,
}

/// Where a held drive is, and the kernel's count of its medium.
#[derive(Debug)]
pub struct Seat {
    system: System,
    number: DevNum,
    name: String,
    syspath: String,
    identity: Identity,
    removable: bool,
    sequence: AtomicU64,
}

/// The seats of the drives that are held here, for who lists them; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Seats(Arc<Mutex<Vec<Weak<Seat>>>>);

impl Seats {
    /// The seat of a drive as it was opened; the drive counts as held for as long as this is kept.
    pub fn take(&self, system: &System, device: &Device) -> Arc<Seat> {
        let seat = Arc::new(Seat::of(system, device));
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|seat| seat.strong_count() > 0);
        seats.push(Arc::downgrade(&seat));
        seat
    }

    /// What is held now.
    pub fn held(&self) -> BTreeSet<Plug> {
        let seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = seats.iter().filter_map(Weak::upgrade);
        held.map(|seat| Plug {
            syspath: seat.syspath.clone(),
            sequence: seat.sequence(),
        })
        .collect()
    }
}

impl Seat {
    /// The seat of a drive as it was opened.
    pub fn of(system: &System, device: &Device) -> Self {
        Self {
            system: system.clone(),
            number: device.number,
            name: device.name.clone(),
            syspath: device.syspath.clone(),
            identity: device.identity.clone(),
            removable: device.removable,
            sequence: AtomicU64::new(device.sequence),
        }
    }

    /// The kernel's count of the medium that is held, or was taken up since.
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    /// The same, where it tells whether another medium came: of a removable drive, by kernels that count at all.
    pub fn counted(&self) -> Option<u64> {
        Some(self.sequence()).filter(|sequence| self.removable && *sequence > 0)
    }

    /// What is there now.
    pub fn now(&self) -> Place {
        match sysfs::read_number(&self.system, self.number) {
            None => Place::Empty,
            // Before the count: kernels before 5.15 count nothing, and each drive is then the 0th.
            Some(now) if !self.answers(&now) => Place::Another,
            Some(now) if now.sequence == self.sequence.load(Ordering::Relaxed) => Place::Same,
            Some(_) => Place::Recounted,
        }
    }

    fn answers(&self, now: &Device) -> bool {
        now.syspath == self.syspath && self.identity.same_drive(&now.identity).is_ok()
    }

    /// Takes up a drive that was counted anew, if `is_ours` says so of a descriptor that can only read; answers whether. The drive
    /// may be read meanwhile, for as long as `is_ours` does.
    pub fn take_up(&self, is_ours: impl FnOnce(File) -> bool) -> bool {
        // A descriptor of its own: opening it is what lets the kernel read on after such a reset, and may count once more.
        let opened = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT | libc::O_NONBLOCK)
            .open(sysfs::node(&self.system, &self.name));
        let Some(file) = opened.ok().filter(|file| self.is_of(file)) else {
            return false;
        };
        let sequence = || {
            let now = sysfs::read_number(&self.system, self.number)?;
            self.answers(&now).then_some(now.sequence)
        };
        let before = sequence();
        // Counted once more while it was asked: nobody knows which of them answered.
        let Some(proved) = before.filter(|_| is_ours(file) && sequence() == before) else {
            return false;
        };
        self.sequence.store(proved, Ordering::Relaxed);
        true
    }

    fn is_of(&self, file: &File) -> bool {
        file.metadata()
            .is_ok_and(|meta| DevNum::from_raw(meta.rdev()) == self.number)
    }
}

//! The way to each drive that worked, for as long as the process lives, and what the drive told by it.
//!
//! A way that told counters is not given up for one that tells fewer: behind a SAS HBA a SATA disk answers as `scsi`, too, with
//! its serial and one word, "passed". A moment in which the right way fails must not make that the drive's SMART.
//!
//! Tested in `tests/smart_run.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ::smart::{Protocol, Snapshot};

use crate::identity::Identity;

/// The `-d` type that worked for each drive (by what its identity says), in this process; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    worked: Arc<Mutex<BTreeMap<String, Worked>>>,
    /// Drives that were given the order to switch their SMART on and have told nothing since.
    ordered: Arc<Mutex<BTreeSet<String>>>,
}

/// What is known of one drive.
#[derive(Debug, Clone)]
pub(super) struct Worked {
    /// The type that worked last; `None`: smartctl's own guess.
    pub(super) kind: Option<String>,
    /// By which command set counters were told; `None` where none ever were.
    counters: Option<Protocol>,
    /// Whether a self-test log was ever told.
    log: bool,
    /// Whether a self-test of ours was given up on it and was not seen to end.
    stuck_test: bool,
    /// Since when that type has failed.
    failing: Option<Instant>,
    /// Whether at the last try no type told anything.
    lost: bool,
}

impl Worked {
    /// Whether `told`, got with `kind`, is no more than what the drive is known to tell in another way.
    pub(super) fn outdoes(&self, kind: Option<&str>, told: &Snapshot) -> bool {
        let Some(protocol) = self.counters else { return false };
        let same = self.kind.as_deref() == kind;
        told.protocol != protocol || !(same || told.tells_counters())
    }

    /// Whether it told one word alone, as a translation may in place of its drive.
    pub(super) fn is_bare_scsi(&self) -> bool {
        self.counters.is_none() && self.kind.as_deref() == Some("scsi")
    }
}

impl Remembered {
    fn key(drive: &Identity) -> String {
        format!("{:?}/{}/{}/{:?}", drive.bus, drive.model, drive.serial, drive.wwn)
    }

    #[expect(
        clippy::option_option,
        reason = "no type is known, or that smartctl's own guess worked"
    )]
    pub(super) fn get(&self, drive: &Identity) -> Option<Option<String>> {
        self.worked(drive)
            .filter(|worked| !worked.lost)
            .map(|worked| worked.kind)
    }

    /// All that is known of the drive; `None` where it never told anything.
    pub(super) fn worked(&self, drive: &Identity) -> Option<Worked> {
        self.all().get(&Self::key(drive)).cloned()
    }

    /// `kind` worked, and told this.
    pub(super) fn put(&self, drive: &Identity, kind: Option<&str>, told: &Snapshot) {
        let mut all = self.all();
        let earlier = all.get(&Self::key(drive));
        let counters = told.tells_counters().then_some(told.protocol);
        let worked = Worked {
            kind: kind.map(str::to_owned),
            counters: earlier.and_then(|worked| worked.counters).or(counters),
            log: told.self_test.log_told || earlier.is_some_and(|worked| worked.log),
            stuck_test: earlier.is_some_and(|worked| worked.stuck_test),
            failing: None,
            lost: false,
        };
        all.insert(Self::key(drive), worked);
    }

    /// The type that worked has failed at `now`; since when it has.
    pub(super) fn failed(&self, drive: &Identity, now: Instant) -> Instant {
        match self.all().get_mut(&Self::key(drive)) {
            Some(worked) => *worked.failing.get_or_insert(now),
            None => now,
        }
    }

    /// No type told anything.
    pub(super) fn lose(&self, drive: &Identity) {
        if let Some(worked) = self.all().get_mut(&Self::key(drive)) {
            worked.lost = true;
        }
    }

    pub(super) fn has_told(&self, drive: &Identity) -> bool {
        self.all().contains_key(&Self::key(drive))
    }

    pub(super) fn has_told_log(&self, drive: &Identity) -> bool {
        self.worked(drive).is_some_and(|worked| worked.log)
    }

    pub(super) fn has_stuck_test(&self, drive: &Identity) -> bool {
        self.worked(drive).is_some_and(|worked| worked.stuck_test)
    }

    pub(super) fn note_stuck_test(&self, drive: &Identity, is_stuck: bool) {
        if let Some(worked) = self.all().get_mut(&Self::key(drive)) {
            worked.stuck_test = is_stuck;
        }
    }

    /// Its SMART is off, and it is given the order to switch that on.
    pub(super) fn order(&self, drive: &Identity) {
        self.ordered().insert(Self::key(drive));
    }

    /// Whether it was given that order and has told nothing since; it tells now.
    pub(super) fn take_order(&self, drive: &Identity) -> bool {
        self.ordered().remove(&Self::key(drive))
    }

    fn ordered(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Worked>> {
        self.worked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

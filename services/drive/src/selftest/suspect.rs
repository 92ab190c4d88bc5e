//! An entry that comes while a test runs, sooner than that can have ended: somebody else's test ended right before it began, and its
//! entry comes late; or it is this one's, and the drive's status is behind (smartctl asks for it first), or somebody began another
//! one since. Pure.
//!
//! It is another's where one still runs half a minute later without having begun anew, or where one more entry follows. What did not
//! pass is held against a later pass all the same: whose it was is not known for certain.

use serde::{Deserialize, Serialize};

use crate::smart::SelfTest;

/// How long a drive may tell that a test runs whose entry it has written, in seconds. Chosen.
const STATUS_LATE: u64 = 30;

/// By how much more what remains tells that another test began, in percent: ATA drives tell tens.
const BEGAN: u8 = 20;

/// Whose a new entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// The test's own.
    Own,
    /// Not known yet.
    Unknown,
    /// Another's: the log that had it is what was there before.
    Anothers(Vec<SelfTest>),
}

/// What is known of such entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Suspect {
    /// When one came, in seconds since the start, and the log that had it.
    seen: Option<(u64, Vec<SelfTest>)>,
    /// The least that remained so far.
    least: Option<u8>,
    /// Whether one that was taken for another's did not pass.
    unpassed: bool,
}

/// One look at a drive whose log has a new entry.
pub(super) struct Look<'a> {
    /// Seconds since the start.
    pub second: u64,
    /// Whether the test cannot have ended yet.
    pub is_soon: bool,
    /// What remains of the one that runs.
    pub remaining: Option<u8>,
    /// The oldest new entry.
    pub new: &'a SelfTest,
    /// Whether another one followed the suspect.
    pub more: bool,
    /// The log.
    pub log: &'a [SelfTest],
}

impl Suspect {
    /// The log with the entry whose owner is not known yet.
    pub(super) fn log(&self) -> Option<&[SelfTest]> {
        self.seen.as_ref().map(|(_, log)| log.as_slice())
    }

    /// Whether a pass proves nothing, since one that did not pass was taken for another's.
    pub(super) fn spoils_a_pass(&self) -> bool {
        self.unpassed
    }

    /// Takes note of what remains; whether another test began since.
    pub(super) fn began_anew(&mut self, remaining: Option<u8>) -> bool {
        let Some(now) = remaining else { return false };
        let least = *self.least.get_or_insert(now);
        self.least = Some(least.min(now));
        now >= least.saturating_add(BEGAN)
    }

    /// Whose the new entry is.
    pub(super) fn look(&mut self, look: &Look<'_>) -> Whose {
        let anew = self.began_anew(look.remaining);
        let runs = look.remaining.is_some() && !anew;
        match &self.seen {
            Some((since, _)) if look.more || runs && look.second.saturating_sub(*since) >= STATUS_LATE => {
                let (_, log) = self.seen.take().unwrap_or_default();
                self.unpassed |= look.new.passed != Some(true);
                Whose::Anothers(log)
            }
            Some(_) if runs => Whose::Unknown,
            None if runs && look.is_soon => {
                self.seen = Some((look.second, look.log.to_vec()));
                Whose::Unknown
            }
            Some(_) | None => Whose::Own,
        }
    }
}

//! The last look at a drive of which all was read back, or read: what it shows, and what went wrong at that. Hours of self-tests may lie
//! between, and a drive that cannot be read any more has not come through.

use std::fs::File;

use libc::ENODATA;
use wire::Lba;
use wire::job::{FaultKind, Phase};
use wire::unproven::NOT_REPRODUCED;

use super::asks::Asks;
use super::fingerprint::Fingerprint;
use super::proof::{Proof, opened};
use super::{Shown, evenly};
use crate::device::{Device, Geometry, errno_text};
use crate::evidence::{Evidence, Incident};
use crate::findings::Fault;
use crate::job::UNREAD;
use crate::worker::Limits;

/// Further reads of a place before it is believed.
const AGAIN: usize = 2;

/// A read that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// First sector.
    pub lba: u64,
    /// Sectors; of more than one nobody knows which of them it is.
    pub sectors: u64,
    /// The kernel's error; `None` where it did not come back.
    pub errno: Option<i32>,
    /// Whether it was read when tried again.
    pub once: bool,
}

impl Unread {
    /// What is judged of it by the rules as an access that failed; `None` of what fails again, which is a bad sector by the word of the
    /// medium, and without that ends the job.
    fn kind(&self) -> Option<FaultKind> {
        match self.errno {
            Some(ENODATA) => (!self.is_bad_sector()).then_some(FaultKind::ReadError),
            Some(_) => self.once.then_some(FaultKind::Transient),
            None => Some(FaultKind::Hang),
        }
    }

    fn is_bad_sector(&self) -> bool {
        !self.once && self.errno == Some(ENODATA) && self.sectors == 1
    }

    fn words(&self) -> String {
        let what = match self.errno {
            Some(errno) => errno_text(errno),
            None => "it did not come back".to_owned(),
        };
        let end = if self.once { NOT_REPRODUCED } else { "it failed again" };
        match self.errno {
            Some(_) => format!("a read when all was done: {what}; {end}"),
            None => format!("a read when all was done: {what}"),
        }
    }
}

/// What a drive shows when all was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whose it is.
    pub shown: Shown,
    /// Reads that failed.
    pub unread: Vec<Unread>,
    /// A place that was read back and does not hold the pattern any more.
    pub differs: Option<u64>,
    /// Whether it cannot be asked, or takes longer than anybody waits.
    pub late: bool,
}

impl Look {
    /// Whether a read failed that fails again, or never came back: then nobody can tell that the drive is as it was.
    pub fn is_blind(&self) -> bool {
        self.late || self.unread.iter().any(|unread| !unread.once)
    }

    /// Of a drive that cannot be asked, or that nobody waits for any longer.
    pub fn late() -> Self {
        Self {
            late: true,
            ..Self::default()
        }
    }

    /// Why nothing of it counts; `None` where it could be read.
    pub fn blind(&self) -> Option<String> {
        let failed = self.unread.iter().find(|unread| !unread.once);
        let why = match failed {
            Some(unread) => format!(" ({}: {})", Lba(unread.lba), unread.words()),
            None => String::new(),
        };
        self.is_blind().then(|| format!("{UNREAD}{why}"))
    }

    /// Puts what failed into the evidence, to be judged.
    pub fn tell(&self, evidence: &mut Evidence) {
        let last = evidence
            .phases
            .last()
            .map_or((0, Phase::Verify), |step| (step.step, step.phase));
        for unread in self.unread.iter().filter(|unread| unread.is_bad_sector()) {
            evidence
                .defects
                .add(last, unread.lba, 1, Fault::Read { errno: ENODATA });
        }
        for (unread, kind) in self.unread.iter().filter_map(|unread| Some((unread, unread.kind()?))) {
            evidence.incident(Incident {
                at_ms: 0,
                kind,
                step: last.0,
                phase: last.1,
                lba: Some(Lba(unread.lba)),
                sectors: unread.sectors,
                detail: unread.words(),
            });
        }
    }

    /// Of the drive behind this descriptor that is only read, and the marks that stand on it now.
    pub fn of_read_file(file: File, geometry: Geometry, then: Option<&Fingerprint>) -> Self {
        opened(file, |device| Self::of_read(device, geometry, then)).unwrap_or_else(Self::late)
    }

    /// The same of this drive; reads only.
    pub fn of_read(device: &mut dyn Device, geometry: Geometry, then: Option<&Fingerprint>) -> Self {
        let (now, unread) = Fingerprint::seen(device, geometry);
        let shown = then
            .zip(now.as_ref())
            .map_or(Shown::Unknown, |(then, now)| then.shown(now));
        Self {
            shown,
            unread,
            late: now.is_none(),
            ..Self::default()
        }
    }
}

impl Proof {
    /// The last look at the drive behind this descriptor. Blocks as long as the drive does, two minutes as a rule.
    pub fn look_file(&self, file: File) -> Look {
        opened(file, |device| self.look(device)).unwrap_or_else(Look::late)
    }

    /// The same of this drive; reads only.
    pub fn look(&self, device: &mut dyn Device) -> Look {
        let asks = Asks::new(self.key, self.geometry, Limits::default().hang_ms, device.now());
        let told = self.told(device, &asks);
        let late = told.is_err();
        let shown = told.unwrap_or(Shown::Unknown);
        // Behind the mark of its format the formatter of an earlier session may have been anywhere.
        let formats = asks.is_marked(device).unwrap_or(true);
        let differs = match shown {
            Shown::Ours if self.is_filled() && !formats => evenly(self.geometry).find(|lba| asks.lost(device, *lba)),
            Shown::Ours | Shown::Not | Shown::Unknown => None,
        };
        Look {
            shown,
            unread: asks.reads.failed(device),
            differs,
            late,
        }
    }
}

impl Asks {
    /// Whether a place can be read and does not hold what was read back from it, each time. That the drive is the job's is known by then: a
    /// bit that is wrong is as lost as the whole.
    fn lost(&self, device: &mut dyn Device, lba: u64) -> bool {
        (0..=AGAIN).all(|_| self.read(device, lba).is_ok_and(|read| read) && !self.is_whole(self.data(device), lba))
    }
}

impl super::reads::Reads {
    /// What failed so far, each place once and tried again.
    pub(super) fn failed(&self, device: &mut dyn Device) -> Vec<Unread> {
        let hung = self.is_hung();
        let failures = self.failures.take();
        let mut all: Vec<Unread> = Vec::new();
        for (lba, sectors, errno) in failures {
            if all.iter().any(|known| known.lba == lba) {
                continue;
            }
            // One that does not come back holds the only buffer; and nobody waits for ever for a drive that errs after half a minute.
            let again = |device: &mut dyn Device| {
                !self.is_late(device) && self.read(device, lba, sectors).is_ok_and(|read| read)
            };
            let once = !hung && (0..AGAIN).any(|_| again(device));
            all.push(Unread {
                lba,
                sectors,
                errno,
                once,
            });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::FaultKind::{Hang, ReadError, Transient};

    use super::*;

    #[test]
    fn what_failed_when_all_was_done_is_told_and_only_the_drives_own_word_is_held_against_it() {
        let unread = |errno, once| Unread {
            lba: 7,
            sectors: 1,
            errno,
            once,
        };
        let look = Look {
            shown: Shown::Ours,
            unread: vec![
                unread(Some(ENODATA), true),
                unread(Some(libc::EIO), true),
                unread(Some(libc::EIO), false),
                Unread {
                    lba: 9,
                    sectors: 1,
                    errno: Some(ENODATA),
                    once: false,
                },
                unread(None, false),
            ],
            ..Look::default()
        };
        let geometry = Geometry {
            sectors: 4_000,
            sector: 512,
            physical: 512,
        };
        let mut evidence = Evidence::new(geometry, &[]);
        look.tell(&mut evidence);
        let told: Vec<(FaultKind, bool)> = evidence
            .findings()
            .iter()
            .map(|finding| (finding.kind, finding.is_unproven()))
            .collect();
        assert_eq!(evidence.defects.bad_sectors(), 1);
        let bad = evidence
            .findings()
            .into_iter()
            .find(|finding| finding.lba == Some(Lba(9)))
            .unwrap();
        assert_eq!(
            (bad.kind, bad.sectors, bad.is_unproven()),
            (ReadError, 1, false),
            "{bad:?}"
        );
        for kind in [(ReadError, true), (Transient, true), (Hang, false)] {
            assert!(told.contains(&kind), "{kind:?}: {told:?}");
        }
        assert!(look.is_blind());
        assert_eq!((Look::default().is_blind(), Look::late().is_blind()), (false, true));
    }
}

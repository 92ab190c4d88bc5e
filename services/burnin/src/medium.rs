//! Whether the medium under the descriptor is the one that may be written, by the kernel's count of media (`diskseq`).
//!
//! A card that is exchanged in its reader keeps the reader's name, and maybe its size. Behind the unit attention of a removable drive
//! Linux refuses every access until it has looked for a medium, which it does every two seconds or when somebody opens the drive; then it
//! has counted another one, and lets everything through to whatever is there (`drivers/scsi/sd.c`, `changed`). A drive that was
//! merely reset is counted anew in the same way, so the count alone accuses nobody: who gave the order looks whose drive it is.
//!
//! Hence two rules: under another count nothing is begun, and behind an access that failed a write waits for a read that the
//! drive answers. What refuses that read would have refused the write; where it is answered, what the kernel saw is counted. A
//! write that is under way already, while the kernel itself looks first, is beyond this. Tested in `tests/recounted.rs`.

use crate::device::{Access, Geometry, Op};
use crate::pipeline::is_answer;

/// What is known of the medium under the descriptor.
#[derive(Debug)]
pub(crate) struct Medium {
    /// The count under which it may be written; `None` where the kernel's tells nothing of it.
    proven: Option<u64>,
    recounted: bool,
    told: bool,
    /// Accesses that failed.
    failures: u64,
    /// How many of them lie before the last read that was answered.
    answered: u64,
    /// First sector of the access that went well last.
    good: u64,
    /// Reads that were not answered since one was.
    unanswered: usize,
}

impl Medium {
    pub(crate) fn of(proven: Option<u64>) -> Self {
        Self {
            proven,
            recounted: false,
            told: true,
            failures: 0,
            answered: 0,
            good: 0,
            unanswered: 0,
        }
    }

    /// Whether the kernel's count is to be looked at.
    pub(crate) fn is_counted(&self) -> bool {
        self.proven.is_some()
    }

    /// Takes the kernel's count as it is now, where it tells one.
    pub(crate) fn counts(&mut self, now: Option<u64>) {
        if !self.recounted && now.is_some() && now != self.proven {
            (self.recounted, self.told) = (true, false);
        }
    }

    /// Whether it was counted anew, and has not proved itself since.
    pub(crate) fn is_recounted(&self) -> bool {
        self.recounted
    }

    /// The same, once each time.
    pub(crate) fn tells(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// It proved itself under this count.
    pub(crate) fn proves(&mut self, count: u64) {
        self.proven = self.proven.map(|_| count);
        self.recounted = false;
    }

    /// Takes what came of an access.
    pub(crate) fn heard(&mut self, access: Access, failed: Option<i32>) {
        match failed {
            Some(errno) => self.failures += u64::from(!is_answer(errno)),
            None if access.op != Op::Flush => self.good = access.lba,
            None => {}
        }
    }

    /// The read that an access is to wait for, with the failures that it answers for; `None` where it may begin.
    pub(crate) fn asks(&self, access: Access, geometry: Geometry) -> Option<(Access, u64)> {
        let waits = self.is_counted() && self.failures != self.answered && matches!(access.op, Op::Write | Op::Trim);
        // A place may be bad: the next try asks at another, and one that comes every second time at each of them.
        let places = [access.lba, self.good, access.lba, 0, geometry.sectors - 1];
        let read = Access {
            op: Op::Read,
            lba: places[self.unanswered % places.len()],
            sectors: 1,
            ..access
        };
        waits.then_some((read, self.failures))
    }

    /// Takes what came of such a read; whether the drive answered it.
    pub(crate) fn asked(&mut self, failures: u64, failed: Option<i32>) -> bool {
        let answers = failed.is_none_or(is_answer);
        if answers {
            (self.answered, self.unanswered) = (failures, 0);
        } else {
            self.unanswered += 1;
        }
        answers
    }
}

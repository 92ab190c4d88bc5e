//! A trim that fails: a drive that takes none, or one that failed at it.

use wire::Bytes;
use wire::job::FaultKind;
use wire::unproven::{FAILED_OR_REFUSED, GIVEN_UP};

use super::{Access, Pipeline, Work, is_own_word};
use crate::device::{Op, errno_text};

impl Pipeline {
    /// A trim that failed: it is tried again, since a drive that is being pulled fails it, too. What is a refusal without a doubt is
    /// taken for one at once.
    pub(in crate::pipeline) fn trim_failed(&mut self, access: Access, errno: i32) {
        let given_up = self.record().is_some_and(|record| record.unsupported.is_some());
        if given_up && refuses(errno) {
            // It was under way when the step was given up, for the same.
            return;
        }
        let again = self.limits.rereads > 0 && !is_own_word(errno);
        let doubtful = errno == libc::EREMOTEIO && again;
        if refuses(errno) && !doubtful && !self.took_one(errno) {
            self.refused(errno);
            return;
        }
        self.errors += 1;
        if !again || (refuses(errno) && !doubtful) {
            self.untrimmed(access.lba, access.sectors, errno);
        } else {
            let group = self.open_group(access, Some(errno));
            let (left, silence) = (self.limits.rereads, self.silence.number());
            self.push(
                Op::Trim,
                access.lba,
                access.sectors,
                group,
                Work::Retry { left, silence },
            );
        }
    }

    /// A trim failed when it was tried again: the step is given up where no tries are left, or none has a point.
    pub(super) fn trim_failed_again(&mut self, access: Access, group: u64, errno: i32, (left, silence): (u32, u64)) {
        let Some(first) = self.groups.get(&group).map(|group| group.errno) else {
            // It was under way when the step was given up; what adds nothing to that is no further error.
            if !refuses(errno) {
                let text = format!("a trim: {}; {GIVEN_UP}", errno_text(errno));
                self.incident(FaultKind::Transient, Some(access.lba), access.sectors, text);
            }
            return;
        };
        // What the kernel says by itself is a refusal behind another bridge, too; the number that may be a failure is not.
        let took = self.took_one(errno) || (errno == libc::EREMOTEIO && self.took_trim_before);
        if refuses(errno) && first.is_none_or(refuses) && !took {
            self.refused(errno);
        } else if let Some((left, silence)) = self.tries_left(left, silence) {
            let work = Work::Retry { left, silence };
            self.push(Op::Trim, access.lba, access.sectors, group, work);
        } else {
            // No group is left of it.
            self.groups.remove(&group);
            self.untrimmed(access.lba, access.sectors, errno);
        }
    }

    /// Whether a trim went well before, so that this error is no refusal. The kernel's own word is one whatever went before: no drive unlearns
    /// a command, and the trim that the kernel learnt it from is told as done.
    ///
    /// Source: `block/ioctl.c`, `blk_ioctl_discard`; `drivers/block/loop.c`, `loop_clear_limits`.
    fn took_one(&self, errno: i32) -> bool {
        self.took_trim && errno != libc::EOPNOTSUPP
    }

    /// The drive takes no trims: the step is left out, and what waits to be tried again was refused like the rest.
    fn refused(&mut self, errno: i32) {
        self.groups
            .retain(|_, group| group.op != Op::Trim || !group.errno.is_some_and(refuses));
        self.untold_findings = true;
        self.skip(&format!("the drive refuses a trim ({})", errno_text(errno)));
        // What was begun beside it is refused, too.
        if let Some(record) = self.record() {
            record.done = Bytes(0);
        }
    }

    /// A trim fails for good: the step is given up.
    fn untrimmed(&mut self, lba: u64, sectors: u64, errno: i32) {
        let (kind, text) = seen(errno, FAILED_OR_REFUSED);
        self.incident(kind, Some(lba), sectors, text);
        self.skip("a trim failed");
    }
}

/// What a trim that failed is told as where it stayed so, or nobody knows; by an error that may be a refusal it is not held against the
/// drive, and `end` says why.
pub(super) fn seen(errno: i32, end: &str) -> (FaultKind, String) {
    let text = format!("a trim: {}", errno_text(errno));
    match refuses(errno) {
        true => (FaultKind::Transient, format!("{text}; {end}")),
        false => (FaultKind::WriteError, text),
    }
}

/// Whether this is how a drive, or the kernel for it, says that it takes no trims.
///
/// `EREMOTEIO` alone may be a failure, too: Linux has that one number for a command that the drive does not know (sense key 5h) and for
/// one at which its hardware failed (4h). A command of the former kind is not passed on any more: the next try is `EOPNOTSUPP`.
///
/// Source: `block/blk-core.c`, `BLK_STS_TARGET`; `drivers/scsi/scsi_error.c`, `scsi_check_sense`; `drivers/scsi/sd.c`, `sd_done`.
fn refuses(errno: i32) -> bool {
    matches!(errno, libc::EOPNOTSUPP | libc::ENOTTY | libc::EINVAL | libc::EREMOTEIO)
}

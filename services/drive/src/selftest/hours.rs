//! Whether an entry's hours prove that it is not older than a test. Pure.
//!
//! Only asked where the log itself proves nothing ([`super::own`]). The logs have 16 bits for the hours: ATA drives let them run
//! over, SCSI drives stop at the highest.

use std::time::Duration;

use crate::smart::Protocol;

/// Hours by which a drive's two counts may differ: some round up in one place and down in the other.
const ROUNDED: u64 = 1;

/// Hours at which a log of 16 bits ends.
const HIGHEST: u64 = 0xffff;

/// Whether an entry of `hours` is of a test that was started at `start` power-on hours, or of a later one. `longest`: how long the
/// test may take. Where the drive does not tell either nothing is proven.
pub(super) fn is_of_this_time(protocol: Protocol, start: Option<u64>, hours: Option<u64>, longest: Duration) -> bool {
    let (Some(start), Some(hours)) = (start, hours) else {
        return false;
    };
    let hours = hours.saturating_add(ROUNDED);
    match protocol {
        Protocol::Scsi => hours >= start.min(HIGHEST),
        // It ran over before the start, or during the test.
        Protocol::Ata if hours < start && start.saturating_add(at_most(longest)) > HIGHEST => {
            hours.wrapping_sub(start) & HIGHEST <= at_most(longest) + ROUNDED
        }
        Protocol::Ata | Protocol::Nvme | Protocol::Unknown => hours >= start,
    }
}

/// Whether besides it is not of a time that such a test cannot have reached: where a drive's hours were set back its old entries are
/// of more than it counts now. QEMU's invented hours are never of this time.
pub(super) fn is_in_its_time(protocol: Protocol, start: Option<u64>, hours: Option<u64>, longest: Duration) -> bool {
    let (Some(begun), Some(told)) = (start, hours) else {
        return false;
    };
    let is_reached = match protocol {
        Protocol::Ata => told.saturating_add(ROUNDED).wrapping_sub(begun) & HIGHEST <= at_most(longest) + ROUNDED,
        Protocol::Scsi | Protocol::Nvme | Protocol::Unknown => told <= begun.saturating_add(at_most(longest)),
    };
    is_reached && is_of_this_time(protocol, start, hours, longest)
}

/// Whether an entry of `hours` can in no way be of a test that ended before the one that was started at `start`. What stops at the
/// highest never is.
pub(super) fn is_surely_later(protocol: Protocol, start: Option<u64>, hours: Option<u64>, longest: Duration) -> bool {
    let beyond = start.map(|start| start.saturating_add(2 * ROUNDED + 1));
    protocol != Protocol::Scsi
        && is_in_its_time(protocol, start, hours, longest)
        && is_of_this_time(protocol, beyond, hours, longest)
}

/// Hours by which a drive's count is higher at most after a test that takes so long.
fn at_most(longest: Duration) -> u64 {
    longest.as_secs() / 3600 + 2 * ROUNDED
}

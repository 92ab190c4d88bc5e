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
        Protocol::Ata if start > HIGHEST && hours < start => {
            hours.wrapping_sub(start) & HIGHEST <= longest.as_secs() / 3600 + 2 * ROUNDED
        }
        Protocol::Ata | Protocol::Nvme | Protocol::Unknown => hours >= start,
    }
}

/// Whether an entry of `hours` can in no way be of a test that ended before the one that was started at `start`. What stops at the
/// highest never is.
pub(super) fn is_surely_later(protocol: Protocol, start: Option<u64>, hours: Option<u64>, longest: Duration) -> bool {
    let beyond = start.map(|start| start.saturating_add(2 * ROUNDED + 1));
    protocol != Protocol::Scsi && is_of_this_time(protocol, beyond, hours, longest)
}

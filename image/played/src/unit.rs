//! A logical unit as the transport sees it: a command comes in, a reply goes out.

use std::time::Duration;

/// Status GOOD (SAM-5, table 36).
pub const GOOD: u8 = 0x00;
/// Status CHECK CONDITION: the sense data says why.
pub const CHECK_CONDITION: u8 = 0x02;

/// Status RESERVATION CONFLICT: another initiator holds the unit.
pub const RESERVATION_CONFLICT: u8 = 0x18;

/// What a unit answers a command with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// SCSI status byte.
    pub status: u8,
    /// Sense data; empty with status GOOD.
    pub sense: Vec<u8>,
    /// Data-in, already cut to the command's allocation length.
    pub data: Vec<u8>,
}

impl Reply {
    /// GOOD, nothing to tell.
    #[must_use]
    pub fn good() -> Self {
        Self::default()
    }

    /// GOOD with the first `room` bytes of `data`.
    #[must_use]
    pub fn of(mut data: Vec<u8>, room: usize) -> Self {
        data.truncate(room);
        Self {
            data,
            ..Self::default()
        }
    }

    /// CHECK CONDITION with this sense data.
    #[must_use]
    pub fn check(sense: Vec<u8>) -> Self {
        Self {
            status: CHECK_CONDITION,
            sense,
            data: Vec::new(),
        }
    }
}

/// A logical unit. Knows no clock of its own: time is an argument, counted from when the target began.
pub trait Unit: Send {
    /// Carries out one command. `cdb` is 6 to 32 bytes as they came, `sent` the data-out.
    fn command(&mut self, now: Duration, cdb: &[u8], sent: &[u8]) -> Reply;
}

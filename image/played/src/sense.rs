//! Sense data: why a command failed (SPC-5, 4.4).

/// NOT READY.
pub const NOT_READY: u8 = 0x02;
/// MEDIUM ERROR.
pub const MEDIUM_ERROR: u8 = 0x03;
/// HARDWARE ERROR.
pub const HARDWARE_ERROR: u8 = 0x04;
/// ILLEGAL REQUEST.
pub const ILLEGAL_REQUEST: u8 = 0x05;
/// UNIT ATTENTION.
pub const UNIT_ATTENTION: u8 = 0x06;
/// DATA PROTECT.
pub const DATA_PROTECT: u8 = 0x07;
/// ABORTED COMMAND.
pub const ABORTED_COMMAND: u8 = 0x0B;

/// INVALID COMMAND OPERATION CODE.
pub const NO_SUCH_COMMAND: (u8, u8) = (0x20, 0x00);
/// LOGICAL BLOCK ADDRESS OUT OF RANGE.
pub const OUT_OF_RANGE: (u8, u8) = (0x21, 0x00);
/// INVALID FIELD IN CDB.
pub const INVALID_FIELD: (u8, u8) = (0x24, 0x00);
/// ACCESS DENIED - NO ACCESS RIGHTS.
pub const ACCESS_DENIED: (u8, u8) = (0x20, 0x02);
/// UNRECOVERED READ ERROR.
pub const UNRECOVERED_READ: (u8, u8) = (0x11, 0x00);

/// Fixed-format sense data (SPC-5, 4.4.3), 18 bytes; with `lba` in its information field where that is valid.
#[must_use]
pub fn fixed(key: u8, (code, qualifier): (u8, u8), lba: Option<u32>) -> Vec<u8> {
    let mut sense = vec![0; 18];
    sense[0] = 0x70;
    sense[2] = key;
    sense[7] = 10;
    sense[12] = code;
    sense[13] = qualifier;
    if let Some(lba) = lba {
        sense[0] |= 0x80;
        sense[3..7].copy_from_slice(&lba.to_be_bytes());
    }
    sense
}

/// An ILLEGAL REQUEST for a command that the unit does not know.
#[must_use]
pub fn no_such_command() -> Vec<u8> {
    fixed(ILLEGAL_REQUEST, NO_SUCH_COMMAND, None)
}

/// An ILLEGAL REQUEST for a field that the unit does not know.
#[must_use]
pub fn invalid_field() -> Vec<u8> {
    fixed(ILLEGAL_REQUEST, INVALID_FIELD, None)
}

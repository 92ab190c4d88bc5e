//! The bytes around a state: what they are, of which version and process, how many, and a checksum over all of it.
//!
//! ```text
//!  0  magic      8   "KILNHEIR"
//!  8  version    4   little-endian, like the rest
//! 12  process    4   who wrote it; exec keeps that number
//! 16  length     8   of the body
//! 24  checksum   4   CRC-32 of bytes 0..24 and of the body
//! 28  body
//! ```

use flate2::Crc;

use super::Refused;

/// Version of [`super::state::State`]; another one is not read.
pub const VERSION: u32 = 2;
/// Bytes before the body.
pub const HEAD: usize = 28;
const MAGIC: [u8; 8] = *b"KILNHEIR";

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(head);
    crc.update(body);
    crc.sum()
}

/// Puts the head before a body that begins at [`HEAD`] of `bytes`.
pub fn seal(bytes: &mut [u8], pid: u32) {
    let Some(body) = bytes.len().checked_sub(HEAD) else {
        return;
    };
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&pid.to_le_bytes());
    bytes[16..24].copy_from_slice(&(body as u64).to_le_bytes());
    let sum = checksum(&bytes[..24], &bytes[HEAD..]);
    bytes[24..HEAD].copy_from_slice(&sum.to_le_bytes());
}

/// The body, if nothing speaks against it.
///
/// # Errors
/// What does: no state at all, another version, another process, a wrong length, a wrong checksum.
pub fn open(bytes: &[u8], pid: u32) -> Result<&[u8], Refused> {
    let refuse = |what: String| Err(Refused(what));
    let Some((head, body)) = bytes.split_at_checked(HEAD) else {
        return refuse(format!("{} bytes are too few for a state", bytes.len()));
    };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..8] != MAGIC {
        return refuse("it is no state of kiln-init".into());
    }
    if word(24) != checksum(&head[..24], body) {
        return refuse("its checksum is wrong".into());
    }
    if word(8) != VERSION {
        return refuse(format!("it has version {}, expected {VERSION}", word(8)));
    }
    if word(12) != pid {
        return refuse(format!("process {} wrote it, expected {pid}", word(12)));
    }
    let length = u64::from(word(16)) | u64::from(word(20)) << 32;
    if length != body.len() as u64 {
        return refuse(format!("it says {length} bytes and has {}", body.len()));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(body: &[u8], pid: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        bytes.extend_from_slice(body);
        seal(&mut bytes, pid);
        bytes
    }

    #[test]
    fn another_version_and_another_process_are_named() {
        let mut bytes = sealed(b"x", 7);
        assert!(open(&bytes, 8).is_err_and(|e| e.0 == "process 7 wrote it, expected 8"));
        bytes[8] = 9;
        let sum = checksum(&bytes[..24], &bytes[HEAD..]);
        bytes[24..HEAD].copy_from_slice(&sum.to_le_bytes());
        assert!(open(&bytes, 7).is_err_and(|e| e.0 == "it has version 9, expected 2"));
    }

    proptest! {
        #[test]
        fn any_flipped_byte_and_any_cut_is_refused(body in proptest::collection::vec(any::<u8>(), 0..300), pid: u32, at: usize, flip in 1u8..) {
            let bytes = sealed(&body, pid);
            prop_assert_eq!(open(&bytes, pid), Ok(&body[..]));
            let mut bad = bytes.clone();
            let at = at % bad.len();
            bad[at] ^= flip;
            prop_assert!(open(&bad, pid).is_err());
            prop_assert!(open(&bytes[..at], pid).is_err());
        }
    }
}

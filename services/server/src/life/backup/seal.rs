//! Encryption of a backup with a passphrase.
//!
//! ```text
//!  KILN-BACKUP 1\n
//!  {head}\n                          in clear, authenticated
//!  salt (16) nonce prefix (7)
//!  piece … piece                     64 KiB each and the last one shorter, AES-256-GCM, 16 bytes of tag behind each
//! ```
//!
//! The key is argon2id of passphrase and salt. A piece's nonce is prefix, number (32 bits) and a byte that is 1 in the
//! last piece: pieces cannot be exchanged, left out or cut off (the STREAM construction of Hoang, Reyhanitabar, Rogaway
//! and Vizár, 2015). Head and salt are associated data of every piece.

use std::io::{self, Write};

use argon2::Argon2;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::auth::secret;

const MAGIC: &str = "KILN-BACKUP 1\n";
const SALT: usize = 16;
const PREFIX: usize = 7;
const TAG: usize = 16;

/// Bytes of a whole piece in clear.
const PIECE: usize = 64 << 10;

/// Longest head in bytes.
const HEAD_MAX: usize = 4096;

/// Shortest passphrase in characters: a backup may be attacked without anybody counting the tries.
pub const LEAST: usize = 12;

/// Why a file was not sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It does not begin like one.
    #[error("this is no backup of Kiln: expected a file that begins with KILN-BACKUP 1")]
    NoBackup,
    /// The passphrase is too short.
    #[error("a backup's passphrase has at least {LEAST} characters")]
    Passphrase,
    /// A piece was not made with this passphrase, or was changed.
    #[error("the passphrase is another, or the file was changed or cut (piece {0})")]
    Opened(u32),
    /// The file has more pieces than can be numbered, or the key could not be made.
    #[error("the file cannot be encrypted")]
    Limit,
}

fn key(passphrase: &str, salt: &[u8]) -> Result<LessSafeKey, Error> {
    let mut key = [0; 32];
    Argon2::default()
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(|_| Error::Limit)?;
    let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| Error::Limit)?;
    Ok(LessSafeKey::new(key))
}

fn nonce(prefix: &[u8], number: u32, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..PREFIX].copy_from_slice(prefix);
    bytes[PREFIX..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Whether a passphrase is long enough.
///
/// # Errors
/// [`Error::Passphrase`].
pub fn check(passphrase: &str) -> Result<(), Error> {
    if passphrase.chars().count() < LEAST {
        return Err(Error::Passphrase);
    }
    Ok(())
}

/// Seals what is written to it.
pub struct Sealer {
    key: LessSafeKey,
    /// The file so far.
    out: Vec<u8>,
    /// Length of head and salt: what every piece vouches for.
    head: usize,
    prefix: [u8; PREFIX],
    number: u32,
    piece: Vec<u8>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// With `head`, one line of text, in clear.
    ///
    /// # Errors
    /// When the passphrase is too short.
    pub fn new(head: &str, passphrase: &str) -> Result<Self, Error> {
        check(passphrase)?;
        let salt: [u8; SALT] = secret::random();
        let prefix: [u8; PREFIX] = secret::random();
        let mut out = format!("{MAGIC}{head}\n").into_bytes();
        out.extend_from_slice(&salt);
        out.extend_from_slice(&prefix);
        Ok(Self {
            key: key(passphrase, &salt)?,
            head: out.len(),
            out,
            prefix,
            number: 0,
            piece: Vec::with_capacity(PIECE + TAG),
        })
    }

    fn seal(&mut self, last: bool) -> Result<(), Error> {
        let nonce = nonce(&self.prefix, self.number, last);
        let aad = Aad::from(self.out.get(..self.head).unwrap_or_default().to_vec());
        self.key
            .seal_in_place_append_tag(nonce, aad, &mut self.piece)
            .map_err(|_| Error::Limit)?;
        self.out.append(&mut self.piece);
        self.number = self.number.checked_add(1).ok_or(Error::Limit)?;
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    /// When there are too many pieces.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl Write for Sealer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece is sealed only when more comes: the last one has to know that it is.
        if self.piece.len() == PIECE {
            self.seal(false).map_err(io::Error::other)?;
        }
        let take = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..take).unwrap_or_default());
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The head's line, and where it ends.
///
/// # Errors
/// When this is no backup.
pub fn head(file: &[u8]) -> Result<(&str, usize), Error> {
    let rest = file.strip_prefix(MAGIC.as_bytes()).ok_or(Error::NoBackup)?;
    let end = rest
        .iter()
        .take(HEAD_MAX)
        .position(|&byte| byte == b'\n')
        .ok_or(Error::NoBackup)?;
    let text = std::str::from_utf8(&rest[..end]).map_err(|_| Error::NoBackup)?;
    Ok((text, MAGIC.len() + end + 1))
}

/// What was sealed.
///
/// # Errors
/// When the passphrase is another, or a single bit was changed, or the end is missing.
pub fn open(file: &[u8], passphrase: &str) -> Result<Vec<u8>, Error> {
    let (_, at) = head(file)?;
    let begin = at + SALT + PREFIX;
    let (Some(aad), Some(salt), Some(prefix), Some(mut rest)) = (
        file.get(..begin),
        file.get(at..at + SALT),
        file.get(at + SALT..begin),
        file.get(begin..),
    ) else {
        return Err(Error::NoBackup);
    };
    let key = key(passphrase, salt)?;
    let mut out = Vec::with_capacity(rest.len());
    let mut number = 0_u32;
    loop {
        let last = rest.len() <= PIECE + TAG;
        let (piece, after) = rest.split_at(rest.len().min(PIECE + TAG));
        let mut piece = piece.to_vec();
        let clear = key
            .open_in_place(nonce(prefix, number, last), Aad::from(aad), &mut piece)
            .map_err(|_| Error::Opened(number))?;
        out.extend_from_slice(clear);
        if last {
            return Ok(out);
        }
        rest = after;
        number = number.checked_add(1).ok_or(Error::Limit)?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sealed(length: usize) -> (Vec<u8>, Vec<u8>) {
        let clear: Vec<u8> = (0..length).map(|n| ((n * 7) >> 3) as u8).collect();
        let mut sealer = Sealer::new("{\"x\":1}", "a long passphrase").unwrap();
        sealer.write_all(&clear).unwrap();
        (clear, sealer.finish().unwrap())
    }

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 17] {
            let (clear, file) = sealed(length);
            assert_eq!(head(&file).unwrap().0, "{\"x\":1}");
            assert!(open(&file, "a long passphrase").unwrap() == clear, "{length}");
        }
    }

    #[test]
    fn no_change_no_cut_no_exchange_is_taken() {
        let (_, file) = sealed(2 * PIECE + 100);
        let begin = head(&file).unwrap().1;
        // The head's own bytes, salt, and the first and last bytes of each piece.
        for at in [
            20,
            begin,
            begin + SALT,
            begin + 40,
            begin + 23 + PIECE + TAG,
            file.len() - 1,
        ] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(open(&changed, "a long passphrase").is_err(), "byte {at}");
        }
        for cut in [begin + 23, begin + 23 + PIECE + TAG, file.len() - 1] {
            assert!(open(&file[..cut], "a long passphrase").is_err(), "cut at {cut}");
        }
        let (first, second) = (begin + 23, begin + 23 + PIECE + TAG);
        let mut exchanged = file.clone();
        exchanged[first..second].copy_from_slice(&file[second..second + PIECE + TAG]);
        assert_eq!(open(&exchanged, "a long passphrase"), Err(Error::Opened(0)));
        assert_eq!(open(&file, "another passphrase"), Err(Error::Opened(0)));
    }

    #[test]
    fn what_is_none_is_named() {
        assert_eq!(open(b"", "a long passphrase"), Err(Error::NoBackup));
        assert_eq!(open(b"KILN-BACKUP 1\nno end", "x"), Err(Error::NoBackup));
        assert_eq!(open(b"KILN-BACKUP 1\n{}\nshort", "x"), Err(Error::NoBackup));
        assert_eq!(Sealer::new("{}", "too short").unwrap_err(), Error::Passphrase);
    }
}

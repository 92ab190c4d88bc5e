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

use std::io::{self, Read, Write};

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
    /// The first piece was not made with this passphrase, or was changed.
    #[error("the passphrase is another, or the file was changed or cut in its first {PIECE} bytes")]
    Opened,
    /// A later piece was changed, or what follows it is missing: the passphrase is the right one.
    #[error(
        "the passphrase is right, but the file was changed or cut after about {} bytes",
        u64::from(*.piece) * (PIECE + TAG) as u64
    )]
    Changed {
        /// Its number.
        piece: u32,
    },
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

/// Seals what is written to it into `W`.
pub struct Sealer<W> {
    key: LessSafeKey,
    out: W,
    /// Head and salt: what every piece vouches for.
    head: Vec<u8>,
    prefix: [u8; PREFIX],
    number: u32,
    piece: Vec<u8>,
}

impl<W> std::fmt::Debug for Sealer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl<W: Write> Sealer<W> {
    /// With `head`, one line of text, in clear.
    ///
    /// # Errors
    /// When the passphrase is too short ([`Error`] inside), or `out` fails.
    pub fn new(mut out: W, head: &str, passphrase: &str) -> io::Result<Self> {
        check(passphrase).map_err(io::Error::other)?;
        let salt: [u8; SALT] = secret::random();
        let prefix: [u8; PREFIX] = secret::random();
        let mut begin = format!("{MAGIC}{head}\n").into_bytes();
        begin.extend_from_slice(&salt);
        begin.extend_from_slice(&prefix);
        out.write_all(&begin)?;
        Ok(Self {
            key: key(passphrase, &salt).map_err(io::Error::other)?,
            head: begin,
            out,
            prefix,
            number: 0,
            piece: Vec::with_capacity(PIECE + TAG),
        })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(&self.prefix, self.number, last);
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(&self.head), &mut self.piece)
            .map_err(|_| io::Error::other(Error::Limit))?;
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        let next = self.number.checked_add(1);
        self.number = next.ok_or_else(|| io::Error::other(Error::Limit))?;
        Ok(())
    }

    /// Seals the last piece; where everything went.
    ///
    /// # Errors
    /// When there are too many pieces ([`Error`] inside), or that fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece is sealed only when more comes: the last one has to know that it is.
        if self.piece.len() == PIECE {
            self.seal(false)?;
        }
        let take = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..take).unwrap_or_default());
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The head's line, and where it ends, of a file that begins with these bytes.
fn head(file: &[u8]) -> Result<(&str, usize), Error> {
    let rest = file.strip_prefix(MAGIC.as_bytes()).ok_or(Error::NoBackup)?;
    let end = rest
        .iter()
        .take(HEAD_MAX)
        .position(|&byte| byte == b'\n')
        .ok_or(Error::NoBackup)?;
    let text = std::str::from_utf8(&rest[..end]).map_err(|_| Error::NoBackup)?;
    Ok((text, MAGIC.len() + end + 1))
}

/// What a sealed file begins with: its head, salt and nonce prefix, and of what follows as much as was read with them.
fn begin(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    file.take((MAGIC.len() + HEAD_MAX + 1 + SALT + PREFIX) as u64)
        .read_to_end(&mut begin)?;
    Ok(begin)
}

/// The head's line.
///
/// # Errors
/// When this is no backup ([`Error`] inside), or `file` fails.
pub fn look(mut file: impl Read) -> io::Result<String> {
    let begin = begin(&mut file)?;
    Ok(head(&begin).map_err(io::Error::other)?.0.to_owned())
}

/// Opens a sealed file of `W` piece by piece: what it gives was sealed, and its end is the end.
pub struct Opener<R> {
    key: LessSafeKey,
    from: io::Chain<io::Cursor<Vec<u8>>, R>,
    head: Vec<u8>,
    prefix: [u8; PREFIX],
    /// Of the next piece.
    number: u32,
    /// Bytes of pieces that are still to be read.
    left: u64,
    piece: Vec<u8>,
    /// What of the piece was given already, and how much of it there is.
    given: usize,
    clear: usize,
    over: bool,
}

impl<R> std::fmt::Debug for Opener<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Opener<R> {
    /// Of a file of so many bytes.
    ///
    /// # Errors
    /// When this is no backup ([`Error`] inside), or `file` fails.
    pub fn new(mut file: R, length: u64, passphrase: &str) -> io::Result<Self> {
        let mut begun = begin(&mut file)?;
        let (_, at) = head(&begun).map_err(io::Error::other)?;
        let end = at + SALT + PREFIX;
        if begun.len() < end {
            return Err(io::Error::other(Error::NoBackup));
        }
        let rest = begun.split_off(end);
        let (salt, tail) = begun[at..].split_at(SALT);
        let mut prefix = [0; PREFIX];
        prefix.copy_from_slice(tail);
        Ok(Self {
            key: key(passphrase, salt).map_err(io::Error::other)?,
            from: io::Cursor::new(rest).chain(file),
            head: begun,
            prefix,
            number: 0,
            left: length.saturating_sub(end as u64),
            piece: Vec::with_capacity(PIECE + TAG),
            given: 0,
            clear: 0,
            over: false,
        })
    }

    fn next(&mut self) -> io::Result<()> {
        let last = self.left <= (PIECE + TAG) as u64;
        let length = self.left.min((PIECE + TAG) as u64);
        self.piece.clear();
        let got = (&mut self.from).take(length).read_to_end(&mut self.piece)?;
        let number = self.number;
        let nonce = nonce(&self.prefix, number, last);
        let clear = self
            .key
            .open_in_place(nonce, Aad::from(&self.head), &mut self.piece)
            .map_err(|_| match number {
                0 => Error::Opened,
                _ => Error::Changed { piece: number },
            });
        self.clear = clear.map_err(io::Error::other)?.len();
        (self.given, self.over) = (0, last);
        self.left -= got as u64;
        self.number = number.checked_add(1).ok_or_else(|| io::Error::other(Error::Limit))?;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.clear && !self.over {
            self.next()?;
        }
        let some = &self.piece[self.given..self.clear];
        let some = &some[..some.len().min(into.len())];
        into[..some.len()].copy_from_slice(some);
        self.given += some.len();
        Ok(some.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use super::*;

    fn seal_all(clear: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), "{\"x\":1}", "a long passphrase").unwrap();
        sealer.write_all(clear).unwrap();
        sealer.finish().unwrap()
    }

    fn open(file: &[u8], passphrase: &str) -> Result<Vec<u8>, Error> {
        let mut clear = Vec::new();
        let opened = Opener::new(file, file.len() as u64, passphrase).and_then(|mut o| o.read_to_end(&mut clear));
        match opened {
            Ok(_) => Ok(clear),
            Err(error) => Err(error.into_inner().unwrap().downcast().map(|error| *error).unwrap()),
        }
    }

    fn sealed(length: usize) -> (Vec<u8>, Vec<u8>) {
        let clear: Vec<u8> = (0..length).map(|n| ((n * 7) >> 3) as u8).collect();
        let file = seal_all(&clear);
        (clear, file)
    }

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 17] {
            let (clear, file) = sealed(length);
            assert_eq!(look(file.as_slice()).unwrap(), "{\"x\":1}");
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
        assert_eq!(open(&exchanged, "a long passphrase"), Err(Error::Opened));
        assert_eq!(open(&file, "another passphrase"), Err(Error::Opened));
    }

    #[test]
    fn what_is_none_is_named() {
        assert_eq!(open(b"", "a long passphrase"), Err(Error::NoBackup));
        assert_eq!(open(b"KILN-BACKUP 1\nno end", "x"), Err(Error::NoBackup));
        assert_eq!(open(b"KILN-BACKUP 1\n{}\nshort", "x"), Err(Error::NoBackup));
        let short = Sealer::new(Vec::new(), "{}", "too short").unwrap_err();
        assert_eq!(short.to_string(), Error::Passphrase.to_string());
        let (_, file) = sealed(2 * PIECE + 100);
        assert_eq!(
            open(&file[..file.len() - 1], "a long passphrase"),
            Err(Error::Changed { piece: 2 })
        );
    }
}

//! Bytes of a backup on their way in or out: a few stay in memory, more lie in a file of the box's state. That file has no name,
//! so nothing of it outlives the process that needs it, and the bytes of what is not sealed are written over when it goes.
//!
//! A backup may be larger than the memory of a small box. What it may be is bounded by what two full stores make, and by the
//! room that is left: the records of the box go on beside it. It takes no more than it needs: a box whose medium is full gives its
//! small backup all the same.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::statvfs::statvfs;

/// Bytes that stay in memory: nearly every backup has fewer.
const IN_MEMORY: u64 = 4 << 20;

/// Bytes of the medium that are left free for the records of the box.
pub const KEEP: u64 = 16 << 20;

/// Bytes between two looks at how much is free.
const LOOK_EVERY: u64 = 1 << 20;

/// Why bytes were not taken.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Full {
    /// No backup has so many.
    #[error("it has {}{bytes} bytes; a backup of this box has at most {most}", if *.whole { "" } else { "more than " })]
    TooLong {
        /// So many came, or were announced.
        bytes: u64,
        /// Whether there are not more.
        whole: bool,
        /// So many are taken.
        most: u64,
    },
    /// Kept on the medium it would leave too little of it free.
    #[error(
        "it has {bytes} bytes; {free} bytes are free on the medium, {kept} of which (a fifth of it) stay free for the records of the box: \
         take the backup away as a file, or remove kept ones that are not needed"
    )]
    Share {
        /// So many it has.
        bytes: u64,
        /// So many are free.
        free: u64,
        /// So many stay free.
        kept: u64,
    },
    /// The medium has too little room.
    #[error(
        "it has {}{bytes} bytes; {} has {free} free, {} of which are kept for the records of the box",
        if *.whole { "" } else { "more than " },
        .dir.display(), KEEP
    )]
    NoRoom {
        /// So many came, or were announced.
        bytes: u64,
        /// Whether there are not more.
        whole: bool,
        /// So many were free for those that were still to be written.
        free: u64,
        /// Where.
        dir: PathBuf,
    },
}

/// Takes bytes in.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    bytes: Lying,
    in_clear: bool,
    len: u64,
    most: u64,
    /// Whether they lie on the medium, and at which length its room was looked at.
    looked: Option<u64>,
}

impl Spool {
    /// With its file in `dir`, should it need one; takes at most so many bytes.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn new(dir: &Path, most: u64) -> io::Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            bytes: Lying {
                file: File::from(memfd_create(c"backup", MFdFlags::MFD_CLOEXEC)?),
                in_clear: false,
            },
            in_clear: false,
            len: 0,
            most,
            looked: None,
        })
    }

    /// The same for bytes that are not sealed: they are written over when the last of whoever holds them goes, which takes as
    /// long as [`store::write_over`].
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn in_clear(dir: &Path, most: u64) -> io::Result<Self> {
        let sealed = Self::new(dir, most)?;
        Ok(Self {
            in_clear: true,
            ..sealed
        })
    }

    /// So many bytes will come.
    ///
    /// # Errors
    /// When so many are not taken.
    pub fn expect(&self, bytes: u64) -> Result<(), Full> {
        if bytes > self.most {
            return Err(Full::TooLong {
                bytes,
                whole: true,
                most: self.most,
            });
        }
        match bytes > IN_MEMORY {
            true => self.room(bytes, bytes, true),
            false => Ok(()),
        }
    }

    /// Whether there is room for `more` bytes of what has `bytes`. A medium that does not answer is asked by writing.
    fn room(&self, more: u64, bytes: u64, whole: bool) -> Result<(), Full> {
        let Ok(medium) = statvfs(&self.dir) else { return Ok(()) };
        // What only root may take is not counted as free.
        let free = medium.blocks_available() * medium.fragment_size();
        match free < more.saturating_add(KEEP) {
            true => Err(Full::NoRoom {
                bytes,
                whole,
                free,
                dir: self.dir.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Moves what is in memory to the medium.
    fn lay_out(&mut self, more: u64) -> io::Result<()> {
        self.room(self.len + more, self.len + more, false)
            .map_err(io::Error::other)?;
        let bytes = Lying {
            file: unnamed(&self.dir)?,
            in_clear: self.in_clear,
        };
        let mut at = 0;
        let mut piece = vec![0; 64 << 10];
        while at < self.len {
            let got = self.bytes.file.read_at(&mut piece, at)?;
            if got == 0 {
                break;
            }
            bytes.file.write_all_at(&piece[..got], at)?;
            at += got as u64;
        }
        (self.bytes, self.looked) = (bytes, Some(self.len));
        Ok(())
    }

    /// What was taken.
    pub fn finish(self) -> Held {
        Held {
            bytes: Arc::new(self.bytes),
            len: self.len,
        }
    }
}

/// Where the bytes lie.
#[derive(Debug)]
struct Lying {
    file: File,
    /// On the medium, and not sealed.
    in_clear: bool,
}

impl Drop for Lying {
    fn drop(&mut self) {
        if self.in_clear
            && let Err(error) = store::write_over(&self.file)
        {
            tracing::warn!(%error, "rows of a backup were removed without being written over");
        }
    }
}

/// A new file in `dir` without a name.
fn unnamed(dir: &Path) -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!("restore.spool-{number}"));
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = bytes.len() as u64;
        let after = self.len + more;
        if after > self.most {
            let (bytes, most) = (self.most, self.most);
            return Err(io::Error::other(Full::TooLong {
                bytes,
                whole: false,
                most,
            }));
        }
        match self.looked {
            None if after > IN_MEMORY => self.lay_out(more)?,
            Some(looked) if after - looked >= LOOK_EVERY => {
                self.room(more, after, false).map_err(io::Error::other)?;
                self.looked = Some(after);
            }
            None | Some(_) => {}
        }
        let written = self.bytes.file.write_at(bytes, self.len)?;
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that were taken in; gone with the last of its copies.
#[derive(Clone, Debug)]
pub struct Held {
    bytes: Arc<Lying>,
    len: u64,
}

impl Held {
    /// A file of the medium.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn of(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let in_clear = false;
        let bytes = Arc::new(Lying { file, in_clear });
        Ok(Self { bytes, len })
    }

    /// How many bytes they are.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// From the first byte on.
    pub fn reader(&self) -> Reader {
        Reader {
            held: self.clone(),
            at: 0,
        }
    }
}

/// Reads them.
#[derive(Debug)]
pub struct Reader {
    held: Held,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.held.len - self.at).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let got = self.held.bytes.file.read_at(&mut into[..most], self.at)?;
        if got == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn full(error: &io::Error) -> &Full {
        error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap()
    }

    #[test]
    fn few_need_no_medium_and_many_leave_nothing_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(&dir.path().join("none"), 64 << 20).unwrap();
        spool.write_all(&[7; 1000]).unwrap();
        let mut all = Vec::new();
        spool.finish().reader().read_to_end(&mut all).unwrap();
        assert_eq!(all, [7; 1000]);

        let mut spool = Spool::new(dir.path(), 64 << 20).unwrap();
        let bytes: Vec<u8> = (0..9_u32 << 20).map(|n| (n % 251) as u8).collect();
        bytes.chunks(100_001).for_each(|some| spool.write_all(some).unwrap());
        let held = spool.finish();
        assert_eq!(held.len(), bytes.len() as u64);
        let mut all = Vec::new();
        held.reader().read_to_end(&mut all).unwrap();
        assert!(all == bytes);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "it has no name");
    }

    #[test]
    fn of_what_is_not_sealed_the_bytes_go_with_the_last_who_holds_them() {
        let dir = tempfile::tempdir().unwrap();
        type Begin = fn(&Path, u64) -> io::Result<Spool>;
        let ways: [(Begin, bool); 2] = [(Spool::new, false), (Spool::in_clear, true)];
        for (begin, zeros) in ways {
            let mut spool = begin(dir.path(), 64 << 20).unwrap();
            spool.write_all(&vec![7; 5 << 20]).unwrap();
            let witness = spool.bytes.file.try_clone().unwrap();
            let all = |is: u8| {
                let mut bytes = vec![1; 5 << 20];
                witness.read_exact_at(&mut bytes, 0).unwrap();
                bytes.iter().all(|byte| *byte == is)
            };
            let held = spool.finish();
            drop(held.clone());
            assert!(all(7));
            drop(held);
            assert!(all(if zeros { 0 } else { 7 }));
        }
    }

    #[test]
    fn what_is_too_long_or_has_no_room_says_how_much() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path(), 100).unwrap();
        assert_eq!(spool.expect(100), Ok(()));
        let why = spool.expect(101).unwrap_err().to_string();
        assert_eq!(why, "it has 101 bytes; a backup of this box has at most 100");
        spool.write_all(&[0; 100]).unwrap();
        let error = spool.write_all(&[0]).unwrap_err();
        assert_eq!(
            full(&error).to_string(),
            "it has more than 100 bytes; a backup of this box has at most 100"
        );
        let spool = Spool::new(dir.path(), u64::MAX).unwrap();
        let why = spool.expect(1 << 60).unwrap_err();
        assert!(matches!(why, Full::NoRoom { bytes, .. } if bytes == 1 << 60));
        assert!(
            why.to_string()
                .contains(" free, 16777216 of which are kept for the records"),
            "{why}"
        );
    }
}

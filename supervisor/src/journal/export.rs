//! The way out: who connects to the socket `export` gets everything in memory, in the Journal Export Format, then the end.
//!
//! `systemd-journal-remote -o FILE.journal -` makes of it a file that `journalctl --file` reads. A reader that is slow or
//! stands still holds up nobody: each has its own copy, at most [`READERS_MAX`] at a time, each for [`PATIENCE`] without
//! progress.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::store::Store;

/// Readers at a time; each holds a copy of the ring.
const READERS_MAX: usize = 4;
/// A reader that takes nothing for so long is left.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The listening socket and its readers.
#[derive(Debug)]
pub(super) struct Export {
    listener: UnixListener,
    readers: Vec<Reader>,
}

#[derive(Debug)]
struct Reader {
    stream: UnixStream,
    bytes: Vec<u8>,
    sent: usize,
    moved: Instant,
}

impl Export {
    pub(super) fn new(listener: UnixListener) -> std::io::Result<Export> {
        listener.set_nonblocking(true)?;
        Ok(Export {
            listener,
            readers: Vec::new(),
        })
    }

    /// Descriptors to wait on, and whether each waits to write.
    pub(super) fn fds(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        std::iter::once((self.listener.as_fd(), false)).chain(self.readers.iter().map(|r| (r.stream.as_fd(), true)))
    }

    /// Takes new readers and gives each what it takes.
    pub(super) fn serve(&mut self, store: &Store) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.readers.len() >= READERS_MAX || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.readers.push(Reader {
                stream,
                bytes: store.exported(),
                sent: 0,
                moved: Instant::now(),
            });
        }
        self.readers.retain_mut(Reader::goes_on);
    }
}

impl Reader {
    /// Writes what fits; `false` when it has everything, or is gone, or stands still.
    fn goes_on(&mut self) -> bool {
        while self.sent < self.bytes.len() {
            match self.stream.write(&self.bytes[self.sent..]) {
                Ok(0) => return false,
                Ok(n) => {
                    self.sent += n;
                    self.moved = Instant::now();
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return self.moved.elapsed() < PATIENCE,
                Err(_) => return false,
            }
        }
        false
    }
}

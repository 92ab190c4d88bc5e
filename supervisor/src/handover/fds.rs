//! Descriptors that an earlier image has left open: each is taken over once, and what nobody takes is closed.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::Refused;
use crate::shell::fdstore::Given;

/// What is open and not taken yet.
#[derive(Debug, Default)]
pub struct Inherited(BTreeSet<RawFd>);

impl Inherited {
    /// Everything from 3 on. From now on nothing of it is passed to children by accident.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    ///
    /// # Safety
    /// Nothing in this process may own a descriptor from 3 on yet, and this is called once.
    pub unsafe fn all() -> io::Result<Inherited> {
        let mut all = BTreeSet::new();
        let dir = std::fs::read_dir("/proc/self/fd")?;
        for entry in dir.flatten() {
            if let Some(fd) = entry.file_name().to_str().and_then(|n| n.parse::<RawFd>().ok())
                && fd > 2
            {
                all.insert(fd);
            }
        }
        // The listing's own descriptor is among them, and is gone by now.
        // SAFETY: sets and asks for flags of descriptors by number; a closed one is answered with EBADF.
        all.retain(|fd| unsafe { libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC) } >= 0);
        Ok(Inherited(all))
    }

    /// Takes one over by its number.
    ///
    /// # Errors
    /// It is not open, or was taken already.
    pub fn take(&mut self, fd: RawFd) -> Result<OwnedFd, Refused> {
        if !self.0.remove(&fd) {
            return Err(Refused(format!("descriptor {fd} is not open")));
        }
        // SAFETY: it is open (`all`), nobody else owns it (`all`'s contract), and it is taken only here, once.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Takes the first one that satisfies `wanted`.
    pub fn find(&mut self, wanted: impl Fn(BorrowedFd<'_>) -> bool) -> Option<OwnedFd> {
        // SAFETY: it is open, and is borrowed for the length of the call.
        let fd = self
            .0
            .iter()
            .copied()
            .find(|fd| wanted(unsafe { BorrowedFd::borrow_raw(*fd) }))?;
        self.take(fd).ok()
    }
}

impl Drop for Inherited {
    fn drop(&mut self) {
        while let Some(fd) = self.0.pop_first() {
            // A stored one may be among them.
            // SAFETY: as in `take`.
            drop(Given::from(unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
}

/// The path that a socket is bound to.
pub fn unix_path(fd: BorrowedFd<'_>) -> Option<std::path::PathBuf> {
    let a = nix::sys::socket::getsockname::<nix::sys::socket::UnixAddr>(fd.as_raw_fd()).ok()?;
    a.path().map(std::path::Path::to_owned)
}

/// Whether a socket waits for connections.
pub fn listens(fd: BorrowedFd<'_>) -> bool {
    nix::sys::socket::getsockopt(&fd, nix::sys::socket::sockopt::AcceptConn) == Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::os::fd::{AsFd, IntoRawFd};
    use std::os::unix::net::{UnixDatagram, UnixListener};

    #[test]
    fn each_is_taken_once_and_the_rest_is_closed() {
        let open = || std::fs::File::open("/dev/null").unwrap().into_raw_fd();
        let (a, b) = (open(), open());
        let mut i = Inherited([a, b].into());
        let taken = i.take(a).unwrap();
        assert!(i.take(a).is_err_and(|e| e.0 == format!("descriptor {a} is not open")));
        assert_eq!(i.find(|fd| fd.as_raw_fd() == b).map(|fd| fd.as_raw_fd()), Some(b));
        assert!(i.find(|_| true).is_none());
        drop(taken);
    }

    #[test]
    fn sockets_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (s, d) = (dir.path().join("s"), dir.path().join("d"));
        let stream = UnixListener::bind(&s).unwrap();
        let datagram = UnixDatagram::bind(&d).unwrap();
        assert_eq!((unix_path(stream.as_fd()), listens(stream.as_fd())), (Some(s), true));
        assert_eq!(
            (unix_path(datagram.as_fd()), listens(datagram.as_fd())),
            (Some(d), false)
        );
        assert_eq!(unix_path(std::fs::File::open("/dev/null").unwrap().as_fd()), None);
    }
}

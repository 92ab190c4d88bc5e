//! Descriptors that a unit has given PID 1 to keep (`FDSTORE=1`), with systemd's meaning.
//!
//! They outlive the unit's process and are passed to the next one after its sockets, under their names. A descriptor is
//! dropped when the unit says so (`FDSTOREREMOVE=1`), when its other end hangs up (unless `FDPOLL=0`), and when the
//! store is full, which is told.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{setsockopt, sockopt};

/// Name of a descriptor for which none was given (systemd's).
pub const NAME_DEFAULT: &str = "stored";
/// Longest name, in bytes (systemd's `FDNAME_MAX`).
const NAME_MAX: usize = 255;
/// `KCMP_FILE` (linux/kcmp.h).
const KCMP_FILE: libc::c_int = 0;

/// A descriptor that another process has sent. Closing a socket, be it a non-blocking one, may wait for its other end
/// (`SO_LINGER`), and PID 1 waits for nobody: that is switched off before. What is no socket answers with an error.
#[derive(Debug)]
pub struct Given(OwnedFd);

impl From<OwnedFd> for Given {
    fn from(fd: OwnedFd) -> Given {
        Given(fd)
    }
}

impl AsFd for Given {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Given {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let off = libc::linger {
            l_onoff: 0,
            l_linger: 0,
        };
        let _ = setsockopt(&self.0, sockopt::Linger, &off);
    }
}

/// One kept descriptor.
#[derive(Debug)]
pub struct Stored {
    /// Its name in `LISTEN_FDNAMES`.
    pub name: String,
    /// The descriptor itself.
    pub fd: Given,
    /// Whether a hang-up drops it.
    pub polled: bool,
}

/// What one unit has given.
#[derive(Debug, Default)]
pub struct Store {
    entries: Vec<Stored>,
}

impl Store {
    /// Keeps a descriptor; one that is kept already is dropped silently.
    ///
    /// # Errors
    /// There is no room for it: `max` are kept.
    pub fn add(&mut self, max: usize, stored: Stored) -> Result<(), &'static str> {
        if self
            .entries
            .iter()
            .any(|e| same(e.fd.as_raw_fd(), stored.fd.as_raw_fd()))
        {
            return Ok(());
        }
        if self.entries.len() >= max {
            return Err("its descriptor store (fd_store_max), or that of all units, is full");
        }
        self.entries.push(stored);
        Ok(())
    }

    /// Drops every descriptor of this name; returns how many.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.entries.len();
        self.entries.retain(|e| e.name != name);
        before - self.entries.len()
    }

    /// Drops the descriptor of this number, whose other end is gone.
    pub fn hung_up(&mut self, fd: RawFd) -> Option<Stored> {
        let at = self.entries.iter().position(|e| e.fd.as_raw_fd() == fd)?;
        Some(self.entries.remove(at))
    }

    /// All of them, in the order in which they came.
    pub fn entries(&self) -> &[Stored] {
        &self.entries
    }

    /// Those whose hang-up is watched for.
    pub fn polled(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.entries.iter().filter(|e| e.polled).map(|e| e.fd.as_fd())
    }
}

impl FromIterator<Stored> for Store {
    fn from_iter<I: IntoIterator<Item = Stored>>(i: I) -> Store {
        Store {
            entries: i.into_iter().collect(),
        }
    }
}

/// Whether a text can be the name of a descriptor: printable ASCII without blank and colon.
pub fn is_name(s: &str) -> bool {
    (1..=NAME_MAX).contains(&s.len()) && s.bytes().all(|b| b > b' ' && b < 127 && b != b':')
}

/// Whether two descriptors of ours are the same open file.
fn same(a: RawFd, b: RawFd) -> bool {
    let me = nix::unistd::getpid().as_raw();
    // SAFETY: compares two open descriptors of this process by number; answers with an error where it is not offered.
    unsafe { libc::syscall(libc::SYS_kcmp, me, me, KCMP_FILE, a, b) == 0 }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// A connection whose other end takes no more bytes: who closes it last waits for 20 s, unless that is switched off.
    pub(crate) fn lingering(listener: &std::net::TcpListener) -> OwnedFd {
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 20,
        };
        setsockopt(&stream, sockopt::Linger, &linger).unwrap();
        stream.set_nonblocking(true).unwrap();
        while nix::unistd::write(&stream, &[0; 65_536]).is_ok() {}
        stream.into()
    }

    fn stored(name: &str, fd: OwnedFd) -> Stored {
        Stored {
            name: name.into(),
            fd: fd.into(),
            polled: true,
        }
    }

    #[test]
    fn it_is_bounded_keeps_no_file_twice_and_removes_by_name() {
        let open = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let mut s = Store::default();
        let first = open();
        let again = first.try_clone().unwrap();
        s.add(2, stored("a", first)).unwrap();
        s.add(2, stored("b", again)).unwrap();
        assert_eq!(s.entries().len(), 1, "the same file is kept once");
        s.add(2, stored("b", open())).unwrap();
        assert!(s.add(2, stored("c", open())).is_err());
        assert_eq!((s.remove("b"), s.remove("b")), (1, 0));
        let number = s.entries()[0].fd.as_raw_fd();
        assert_eq!(s.hung_up(number).map(|e| e.name).as_deref(), Some("a"));
        assert!(s.hung_up(number).is_none() && s.entries().is_empty());
    }

    #[test]
    fn a_connection_that_lingers_is_dropped_without_a_wait() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let begun = std::time::Instant::now();
        let mut s = Store::default();
        s.add(2, stored("a", lingering(&listener))).unwrap();
        s.add(2, stored("b", lingering(&listener))).unwrap();
        assert_eq!(s.remove("a"), 1);
        let number = s.entries()[0].fd.as_raw_fd();
        drop(s.hung_up(number));
        drop(Given::from(lingering(&listener)));
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    }

    #[test]
    fn names_are_systemds() {
        assert!(is_name("conn-1") && is_name(&"x".repeat(255)));
        assert!(!is_name("") && !is_name("a b") && !is_name("a:b") && !is_name("é") && !is_name(&"x".repeat(256)));
    }
}

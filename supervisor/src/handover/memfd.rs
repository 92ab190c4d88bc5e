//! A memory file that nobody can change any more once it is written.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::Refused;

/// Everything that can be forbidden: writing, growing, shrinking, and lifting these again.
const SEALS: c_int = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
/// Largest state, in bytes; ours have some ten thousand.
const BYTES_MAX: u64 = 8 << 20;

/// Writes and seals a file; it stays open over an exec. System calls only: a signal handler calls this.
///
/// # Errors
/// The kernel's, as an error number.
pub fn write(bytes: &[u8]) -> Result<RawFd, c_int> {
    // SAFETY: a constant name and flags; the result is checked.
    let fd = unsafe { libc::memfd_create(c"kiln-state".as_ptr(), libc::MFD_ALLOW_SEALING) };
    if fd < 0 {
        return Err(nix::errno::Errno::last_raw());
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: writes from a slice that outlives the call.
        let n = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(n) {
            Ok(n) if n > 0 => rest = rest.get(n..).unwrap_or_default(),
            _ => return Err(give_up(fd)),
        }
    }
    // SAFETY: plain numbers.
    if unsafe { libc::fcntl(fd, libc::F_ADD_SEALS, SEALS) } < 0 {
        return Err(give_up(fd));
    }
    Ok(fd)
}

fn give_up(fd: RawFd) -> c_int {
    let e = nix::errno::Errno::last_raw();
    // SAFETY: `fd` was made above and is used by nobody else.
    unsafe { libc::close(fd) };
    e
}

/// Reads a file that was written by [`write()`].
///
/// # Errors
/// It is not sealed, too large, or cannot be read.
pub fn read(fd: &OwnedFd) -> Result<Vec<u8>, Refused> {
    let io = |e: io::Error| Refused(format!("it cannot be read: {e}"));
    // SAFETY: asks for flags; a descriptor that is no memory file is answered with EINVAL.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    if seals < 0 || seals & SEALS != SEALS {
        return Err(Refused("it is not sealed".into()));
    }
    let mut file = File::from(fd.try_clone().map_err(io)?);
    let size = file.metadata().map_err(io)?.len();
    if size > BYTES_MAX {
        return Err(Refused(format!("it has {size} bytes, expected at most {BYTES_MAX}")));
    }
    file.rewind().map_err(io)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Whether a descriptor is a memory file at all.
pub fn is_one(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: asks for flags only.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) >= 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::io::Write;
    use std::os::fd::FromRawFd;

    #[test]
    fn what_was_written_is_read_and_cannot_be_changed() {
        let fd = write(b"state").unwrap();
        // SAFETY: just made, and ours.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        assert_eq!(read(&fd).unwrap(), b"state");
        assert_eq!(read(&fd).unwrap(), b"state", "a second time as well");
        let mut file = File::from(fd);
        assert!(file.write_all(b"x").is_err() && file.set_len(1).is_err() && file.set_len(100).is_err());
    }

    #[test]
    fn a_file_that_could_still_change_is_refused() {
        let open = nix::sys::memfd::memfd_create(c"x", nix::sys::memfd::MFdFlags::MFD_ALLOW_SEALING).unwrap();
        assert_eq!(read(&open), Err(Refused("it is not sealed".into())));
        let disk = OwnedFd::from(tempfile::tempfile().unwrap());
        assert!(read(&disk).is_err());
    }
}

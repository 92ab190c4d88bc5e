//! How a child gets the drive: open, as one number that both know. Workers, the formatter and the bench are started so.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, RawFd};

/// The descriptor that a child finds the drive at: the first behind its standard streams.
pub const DRIVE_FD: RawFd = 3;

/// Puts the drive at [`DRIVE_FD`], open across exec; called between fork and exec. Async-signal-safe.
///
/// # Errors
/// When `fd` is not open.
pub fn hand_over(fd: RawFd) -> io::Result<()> {
    let done = if fd == DRIVE_FD {
        // SAFETY: changes a flag of a descriptor, and no memory.
        unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }
    } else {
        // SAFETY: takes numbers alone; what the child had at `DRIVE_FD` is nobody's after exec.
        unsafe { libc::dup2(fd, DRIVE_FD) }
    };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The drive, in the child; `None` where none was handed over, as to one that a person starts. To be called once, and before anything is
/// opened.
pub fn taken() -> Option<File> {
    // SAFETY: asks for a flag of a descriptor, and touches no memory.
    let is_open = unsafe { libc::fcntl(DRIVE_FD, libc::F_GETFD) } >= 0;
    // SAFETY: it is open: the parent put the drive there before the exec, and nothing else in this process owns that number.
    is_open.then(|| unsafe { File::from_raw_fd(DRIVE_FD) })
}

//! How a child gets the drive: open, as one number that both know. Workers, the formatter and the bench are started so.

use std::io;
use std::os::fd::RawFd;

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

//! A drive's descriptor for a thread that may hang on it, in a table of the thread's own.
//!
//! The threads of a process share one table of descriptors, which a process that is killed closes only with its last thread. One that the
//! kernel holds (state D: a drive that does not answer) would keep every drive of that process held, exclusively, until the box is
//! restarted; so it has none but its own. (The lock of the store is kept in the same way, by the crate `store`.)

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::sync::Arc;

use nix::sched::{CloneFlags, unshare};

/// The calling thread's own descriptor of this file, which another `Arc` of it keeps open meanwhile; the thread has no others from now on.
/// Where the system lets nobody have that (a sandbox), it is the one that all threads share.
pub(super) fn own(file: Arc<File>) -> Arc<File> {
    if unshare(CloneFlags::CLONE_FILES).is_err() {
        return file;
    }
    let number = file.as_raw_fd();
    // Kernels before 5.9 have no call for it: then all stay held, as they would by the table that all share.
    let _others_stay = close_others(number);
    // SAFETY: the table is this thread's alone, and the number stands in it for a descriptor that no `File` owns: that of `file` stands in
    // the table which the other threads share.
    Arc::new(unsafe { File::from_raw_fd(number) })
}

fn close_others(number: libc::c_int) -> io::Result<()> {
    let number = u32::try_from(number).map_err(io::Error::other)?;
    close_range(number + 1, u32::MAX)?;
    match number.checked_sub(1) {
        Some(last) => close_range(0, last),
        None => Ok(()),
    }
}

/// Closes these descriptors in the table of this thread, which nobody shares.
fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: only numbers are given. The table is this thread's alone since it was unshared: no descriptor of another thread is
    // closed, and this one owns none yet.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0u32) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

//! One supervisor below a root: a second would take the sockets of the first, and its units would lose their word.
//!
//! The kernel keeps the lock for the process (`F_SETLK`, fcntl(2)), not for a descriptor: no child holds it, and it ends with
//! whoever has it. A fresh image of the same process takes it anew. Tested in `tests/process.rs`.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::paths::Paths;

/// Takes it, until the file is closed; in the box there is one PID 1 anyway.
///
/// # Errors
/// Another process has it, or the file could not be made.
pub fn take(paths: &Paths) -> io::Result<Option<File>> {
    if paths.is_box() {
        return Ok(None);
    }
    let path = paths.run().join("lock");
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let mut how = File::options();
    let file = how
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(named)?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!(
                "{}: another kiln-init supervises this folder; expected to be the only one: end it first",
                path.display()
            ),
        )),
        Err(e) => Err(named(e.into())),
    }
}

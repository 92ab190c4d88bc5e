//! A commit that is tried on a copy: LMDB's list of free pages, which no reader touches, kills whoever writes where it is damaged.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions};

use crate::store::META;

/// Longest file that is copied, in bytes: it is held in memory.
const COPIED_MAX: u64 = 64 << 20;

/// Bytes that are written to the copy: pages in a row, for which LMDB goes through the whole list of free ones.
const REHEARSED: usize = 256 << 10;

/// Key of what is written to the copy.
const REHEARSAL_KEY: &[u8] = b"rehearsal";

/// Writes to a copy in memory what a commit would write, and takes it out again. May die by a signal, as what opens the store would.
pub(crate) fn rehearse(file: &Path) -> heed::Result<()> {
    let size = std::fs::metadata(file)?.len();
    if size > COPIED_MAX {
        return Ok(());
    }
    // What this machine lacks is nothing about the file.
    let Ok(copy) = nix::sys::memfd::memfd_create("store-check", nix::sys::memfd::MFdFlags::MFD_CLOEXEC) else {
        return Ok(());
    };
    let mut copy = File::from(copy);
    io::copy(&mut File::open(file)?, &mut copy)?;
    let room = size + 4 * REHEARSED as u64;
    let room =
        usize::try_from(room.next_multiple_of(64 << 10)).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let mut builder = EnvOpenOptions::new().read_txn_without_tls();
    builder.map_size(room).max_dbs(1);
    // SAFETY: a file of this process's own; it need not survive, and nobody else has it.
    unsafe { builder.flags(EnvFlags::NO_SUB_DIR | EnvFlags::NO_LOCK | EnvFlags::NO_SYNC) };
    // SAFETY: as above. That its content may be bad is why this runs in a child.
    let env = unsafe { builder.open(format!("/proc/self/fd/{}", copy.as_raw_fd())) }?;
    let table = env
        .create_databases_and_commit(env.write_txn()?, |opener, txn| {
            let table = opener.create_database::<heed::types::Bytes, heed::types::Bytes>(txn, Some(META))?;
            table.put(txn, REHEARSAL_KEY, &vec![0; REHEARSED])?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
        })?
        .unwrap_commit();
    for _ in 0..2 {
        let mut txn = env.write_txn()?;
        table.delete(&mut txn, REHEARSAL_KEY)?;
        txn.commit()?;
        let mut txn = env.write_txn()?;
        table.put(&mut txn, REHEARSAL_KEY, &vec![0; REHEARSED])?;
        txn.commit()?;
    }
    Ok(())
}

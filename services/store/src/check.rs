//! The check of an environment before it is mapped: in a child, because a bad file can kill the process that maps it.
//!
//! Three steps, all in the child: the file is read from end to end with plain reads (an unreadable sector or a missing
//! tail is then a sentence, and the pages are warm), then LMDB maps it read-only and every entry of every table is
//! walked and its checksum compared. LMDB's list of free pages no reader touches, and a bad one kills whoever writes: so a
//! little is written to a copy in memory. Pages that LMDB cannot stand (SIGBUS, SIGSEGV, its own abort) kill the child
//! only.
//!
//! What it does not find: damage to the list of free pages of a file that is too large to be copied.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions};
use nix::libc;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::key::printable;
use crate::open::{SCHEMA_KEY, TABLES_KEY};
use crate::rehearsal;
use crate::store::META;
use crate::value;

/// First argument of a child that checks: `PROGRAM store-check FILE SCHEMA`.
const ARGUMENT: &str = "store-check";

/// How the check is run.
#[derive(Debug, Clone)]
pub enum Check {
    /// This program again, as a child. Its `main` must call [`answer_check`] before anything else.
    Reexec,
    /// Another program that calls [`answer_check`], such as `kiln-store`.
    Program(PathBuf),
    /// In this process. A corrupt file can then kill it: for tests that make the file themselves.
    InProcess,
}

/// What the check says about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "lowercase")]
pub enum Finding {
    /// There is no file yet, or an empty one.
    Absent,
    /// All entries could be read.
    Good {
        /// Entries in all tables.
        entries: u64,
    },
    /// Its entries are of another meaning than this program's.
    OtherSchema {
        /// The schema that wrote it.
        schema: u32,
    },
    /// The file must not be mapped.
    Bad {
        /// Why, in words.
        why: String,
    },
    /// Nothing is known of it: it is the machine, or the rights of this process, that lack something.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

fn bad(why: impl Into<String>) -> Finding {
    Finding::Bad { why: why.into() }
}

/// What an error of the system says about a file: one that tells of no byte of it must not have it set aside, with all that the
/// box knows and its owner.
fn failed(what: &str, error: &io::Error) -> Finding {
    use io::ErrorKind::{Interrupted, OutOfMemory, PermissionDenied, WouldBlock};
    let why = format!("{what}{error}");
    let of_machine = matches!(error.kind(), PermissionDenied | OutOfMemory | Interrupted | WouldBlock)
        || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    match of_machine {
        true => Finding::Unknown { why },
        false => Finding::Bad { why },
    }
}

/// Checks a file and exits, if this process was started for that; else returns at once.
///
/// To be called first thing in `main` by every program that opens a store with [`Check::Reexec`].
#[expect(clippy::exit, reason = "the process was started for the check alone")]
pub fn answer_check() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != ARGUMENT) {
        return;
    }
    let (Some(file), Some(schema)) = (arguments.next(), arguments.next()) else {
        return;
    };
    let Some(schema) = schema.to_str().and_then(|s| s.parse().ok()) else {
        return;
    };
    // Whatever the pages make heed do must come back as a finding about them.
    let finding = std::panic::catch_unwind(|| inspect(Path::new(&file), schema))
        .unwrap_or_else(|_| bad("its pages make no sense (the reader panicked)"));
    match serde_json::to_string(&finding) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("store-check: {error}"),
    }
    std::process::exit(0);
}

/// Runs the check of `file` as `how` says.
pub(crate) fn run(how: &Check, file: &Path, schema: u32, deadline: Duration) -> Result<Finding> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Finding::Absent),
        Err(error) => return Err(Error::file("looking at", file)(error)),
        // LMDB leaves one where the medium had no room for its first pages.
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => return Ok(Finding::Absent),
        Ok(_) => {}
    }
    let program = match how {
        Check::InProcess => return Ok(inspect(file, schema)),
        // Not current_exe(): its path is gone once an update has replaced the binary.
        Check::Reexec => Path::new("/proc/self/exe"),
        Check::Program(path) => path,
    };
    let failed = |why: String| Error::Check {
        path: file.to_owned(),
        why,
    };
    let mut child = Command::new(program)
        .arg(ARGUMENT)
        .arg(file)
        .arg(schema.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("starting {}: {error}", program.display())))?;
    let mut stdout = child
        .stdout
        .take()
        .ok_or_else(|| failed("its output is not connected".to_owned()))?;
    let end = Instant::now() + deadline;
    let status = loop {
        if let Some(status) = child
            .try_wait()
            .map_err(|error| failed(format!("waiting for it: {error}")))?
        {
            break status;
        }
        if Instant::now() >= end {
            // A child that hangs in the kernel on a dead medium cannot be waited for; it is left to the reaper.
            let _already_gone = child.kill();
            return Err(failed(format!("no answer in {} s", deadline.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if let Some(signal) = status.signal() {
        return match nix::sys::signal::Signal::try_from(signal) {
            Ok(nix::sys::signal::Signal::SIGBUS) => Ok(bad("pages are missing or unreadable (SIGBUS while reading)")),
            Ok(nix::sys::signal::Signal::SIGSEGV) => Ok(bad("its pages point outside of it (SIGSEGV while reading)")),
            Ok(nix::sys::signal::Signal::SIGABRT) => Ok(bad("LMDB found its pages inconsistent (SIGABRT)")),
            Ok(other) => Err(failed(format!("it was killed by {other}"))),
            Err(_) => Err(failed(format!("it was killed by signal {signal}"))),
        };
    }
    // The answer is one line of at most a few hundred bytes: less than a pipe holds, so it is read after the end.
    let mut answer = String::new();
    stdout
        .read_to_string(&mut answer)
        .map_err(|error| failed(format!("reading its answer: {error}")))?;
    serde_json::from_str(answer.trim()).map_err(|_| {
        failed(format!(
            "{} does not answer checks (its main must call store::answer_check)",
            program.display()
        ))
    })
}

/// Looks at `file`: sizes first, then every entry. May die by a signal on a corrupt file.
pub fn inspect(file: &Path, schema: u32) -> Finding {
    match read_through(file) {
        Ok(Some(why)) => return bad(why),
        Ok(None) => {}
        Err(error) => return failed("it cannot be read: ", &error),
    }
    let walked = walk(file, schema).and_then(|finding| {
        if let Finding::Good { entries: 1.. } = finding {
            match rehearsal::rehearse(file) {
                // Its room is this check's choice, and what the machine lacks or forbids is nothing about the file.
                Ok(()) | Err(heed::Error::Mdb(heed::MdbError::MapFull) | heed::Error::Io(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(finding)
    });
    match walked {
        Ok(finding) => finding,
        Err(heed::Error::Io(error)) => failed("LMDB says: ", &error),
        Err(error) => bad(format!("LMDB says: {error}")),
    }
}

/// Offset in a meta page of the number of the last used page. Source: `struct MDB_page` (16) and `struct MDB_meta`
/// (magic 4, version 4, address 8, map size 8, two `MDB_db` of 48) in `mdb.c` of LMDB 0.9, 64 bits.
const LAST_PAGE: u64 = 16 + 24 + 96;
/// Offset of a meta page's magic number. Source: as [`LAST_PAGE`].
const MAGIC_AT: u64 = 16;
/// The magic number. Source: `MDB_MAGIC` in `mdb.c`.
const MAGIC: u32 = 0xBEEF_C0DE;
/// Offset of the page size, kept in the first `MDB_db`'s `md_pad`. Source: `mm_psize` in `mdb.c`.
const PAGE_SIZE_AT: u64 = 16 + 24;

/// Reads the whole file; a sentence if it is not LMDB's or shorter than its pages.
fn read_through(path: &Path) -> io::Result<Option<String>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let number = |at: u64| -> io::Result<u32> {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at)?;
        Ok(u32::from_ne_bytes(bytes))
    };
    if length < 8192 {
        return Ok(Some(format!("it ends after {length} bytes, before its second page")));
    }
    let page = u64::from(number(PAGE_SIZE_AT)?);
    if number(MAGIC_AT)? != MAGIC || !page.is_power_of_two() || !(512..=65536).contains(&page) {
        return Ok(Some("it does not begin like an LMDB file".to_owned()));
    }
    let mut last = 0;
    for meta in 0..2 {
        let mut bytes = [0; 8];
        if number(meta * page + MAGIC_AT)? == MAGIC {
            // LMDB takes it from the newer one, and maps pages of that size.
            if u64::from(number(meta * page + PAGE_SIZE_AT)?) != page {
                return Ok(Some("its first two pages differ in the page size".to_owned()));
            }
            file.read_exact_at(&mut bytes, meta * page + LAST_PAGE)?;
            last = last.max(u64::from_ne_bytes(bytes));
        }
    }
    // Two pages always exist; the newer meta page may be newer than the data of a cut commit, which LMDB allows for
    // only when the file is long enough to be mapped.
    let need = last.saturating_add(1).saturating_mul(page);
    if length < need {
        return Ok(Some(format!("it is cut short: {length} bytes of {need}")));
    }
    let mut reader = file;
    let mut buffer = vec![0; 1 << 20];
    while reader.read(&mut buffer)? > 0 {}
    Ok(None)
}

/// Walks every entry of every table and compares checksums.
fn walk(file: &Path, schema: u32) -> heed::Result<Finding> {
    // Without one LMDB maps what the file asks for: where that is damaged, the machine would seem to lack memory.
    let size = std::fs::metadata(file)?.len().next_multiple_of(64 << 10);
    let mut builder = EnvOpenOptions::new().read_txn_without_tls();
    let size = usize::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    builder.map_size(size).max_dbs(256);
    // SAFETY: read-only, and without LMDB's lock file, which is right because the caller holds the directory's lock and
    // nobody writes meanwhile.
    unsafe { builder.flags(EnvFlags::NO_SUB_DIR | EnvFlags::READ_ONLY | EnvFlags::NO_LOCK) };
    // SAFETY: nobody changes the file (see above). That its content may be bad is why this runs in a child.
    let env = unsafe { builder.open(file) }?;
    let txn = env.read_txn()?;
    let finding = env.open_databases_and_commit(txn, |opener, txn| {
        let Some(root) = opener.open_database::<heed::types::Bytes, heed::types::DecodeIgnore>(txn, None)? else {
            return Ok(CommitOrAbort::<(), _>::Abort(Finding::Good { entries: 0 }));
        };
        let mut entries = 0;
        let mut version = None;
        let (mut listed, mut seen) = (Vec::new(), Vec::new());
        for name in root.iter(txn)? {
            let (name, ()) = name?;
            // heed itself panics on a name with a NUL.
            let Some(name) = std::str::from_utf8(name).ok().filter(|name| !name.contains('\0')) else {
                return Ok(CommitOrAbort::Abort(bad("a table's name is damaged")));
            };
            let table = opener.open_database::<heed::types::Bytes, heed::types::Bytes>(txn, Some(name))?;
            let Some(table) = table else {
                return Ok(CommitOrAbort::Abort(bad(format!("table {name} has no pages"))));
            };
            seen.push(name.to_owned());
            let (mut walked, count) = (0, table.len(txn)?);
            for entry in table.iter(txn)? {
                let (key, bytes) = entry?;
                if let Err(why) = value::json(key, bytes) {
                    let at = printable(key);
                    return Ok(CommitOrAbort::Abort(bad(format!(
                        "the value at {at} in table {name}: {why}"
                    ))));
                }
                if name == META && key == SCHEMA_KEY {
                    version = value::decode::<u32>(key, bytes).ok();
                }
                if name == META && key == TABLES_KEY {
                    listed = value::decode::<Vec<String>>(key, bytes).unwrap_or_default();
                }
                walked += 1;
                // Pages that lead back to themselves have no end.
                if walked > count {
                    break;
                }
            }
            if walked != count {
                return Ok(CommitOrAbort::Abort(bad(format!("table {name} has lost entries"))));
            }
            entries += walked;
        }
        // A name has no checksum, and a table under another one would be taken for none.
        if let Some(lost) = listed.iter().find(|name| !seen.contains(name)) {
            return Ok(CommitOrAbort::Abort(bad(format!("table {lost} is not there any more"))));
        }
        Ok::<_, heed::Error>(CommitOrAbort::Abort(match version {
            _ if entries == 0 => Finding::Good { entries },
            Some(found) if found == schema => Finding::Good { entries },
            Some(schema) => Finding::OtherSchema { schema },
            None => bad("it carries no schema version"),
        }))
    })?;
    Ok(match finding {
        CommitOrAbort::Abort(finding) => finding,
        CommitOrAbort::Commit(()) => Finding::Good { entries: 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_no_fault_of_the_file() {
        let of = |number| failed("", &io::Error::from_raw_os_error(number));
        for number in [
            libc::ENOMEM,
            libc::EMFILE,
            libc::ENFILE,
            libc::EACCES,
            libc::EPERM,
            libc::EAGAIN,
        ] {
            assert!(matches!(of(number), Finding::Unknown { .. }), "{number}");
        }
        for number in [libc::EIO, libc::EINVAL, libc::ENXIO] {
            assert!(matches!(of(number), Finding::Bad { .. }), "{number}");
        }
    }
}

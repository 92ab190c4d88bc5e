//! Whether the process that had a store before has left anything of itself behind.
//!
//! Its lock on the directory went with it ([`crate::keeper`]). But a process that is killed while the kernel holds one of its threads
//! (state D) is not gone: its table of descriptors is still there, and with it LMDB's lock on its lock file. What that thread does
//! decides:
//!
//! | still there | |
//! |---|---|
//! | nothing of it | LMDB's lock file is emptied and used again |
//! | a thread on some drive | it writes nothing here; LMDB gets a new lock file, since the old one stays locked |
//! | its writer, or its first thread (which renames stores at a start) | a write or rename may still come: the store stays shut |
//!
//! No code of a killed process runs any more, whatever the kernel still does for it: no other thread of it can begin a write.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::writer;

/// What is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing holds LMDB's lock file.
    Nothing,
    /// Something of it holds the lock file, and none of it writes.
    Locked,
    /// It may write, or nobody can tell.
    Writes,
}

/// Looks who holds `lock`, LMDB's own lock file. Only a process that has no lock on the directory any more may hold it.
pub(crate) fn left(lock: &Path) -> io::Result<Left> {
    let file = match File::open(lock) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Left::Nothing),
        file => file?,
    };
    let Some(pid) = holder(&file)? else {
        return Ok(Left::Nothing);
    };
    Ok(match tasks(&PathBuf::from(format!("/proc/{pid}/task"))) {
        Ok(tasks) if tasks.iter().any(|task| task.may_write(pid)) => Left::Writes,
        Ok(_) => Left::Locked,
        Err(_) => match holder(&file)? {
            // It ended meanwhile.
            None => Left::Nothing,
            // Of another namespace of processes, or hidden from this user.
            Some(_) => Left::Writes,
        },
    })
}

/// The process that has a lock on any part of the file; 0 for one that has no number here.
#[expect(clippy::cast_possible_truncation, reason = "the kernel's kinds of locks are 0 to 2")]
fn holder(file: &File) -> io::Result<Option<i32>> {
    let mut asked = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        // To its end, wherever that is.
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file.as_fd(), FcntlArg::F_GETLK(&mut asked))?;
    Ok((asked.l_type != libc::F_UNLCK as libc::c_short).then_some(asked.l_pid))
}

/// A thread of another process.
#[derive(Debug, PartialEq, Eq)]
struct Task {
    number: i32,
    name: String,
    /// As the kernel tells it: `D` held by it, `Z` ended.
    state: char,
}

impl Task {
    fn may_write(&self, pid: i32) -> bool {
        let ended = matches!(self.state, 'Z' | 'X');
        !ended && (self.name == writer::NAME || self.number == pid)
    }

    /// Source: `proc_pid_stat(5)`: the number, the name in brackets, the state. The name may have brackets of its own.
    fn parse(stat: &str) -> Option<Self> {
        let (number, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        Some(Self {
            number: number.parse().ok()?,
            name: name.to_owned(),
            state: rest.chars().next()?,
        })
    }
}

fn tasks(folder: &Path) -> io::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for entry in fs::read_dir(folder)? {
        match fs::read_to_string(entry?.path().join("stat")) {
            Ok(stat) => tasks.push(Task::parse(&stat).ok_or(ErrorKind::InvalidData)?),
            // It ended since it was listed; reading of one that ends meanwhile says ESRCH.
            Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_thread_that_may_write_is_told_from_one_that_hangs_on_a_drive() {
        let of = |stat: &str| Task::parse(stat).unwrap().may_write(70);
        assert!(
            !of("70 (kiln-agent) Z 1 70 70 0 -1"),
            "the first thread of a killed process"
        );
        assert!(of("70 (kiln-agent) D 1 70 70 0 -1"), "it may be renaming a store");
        assert!(of("73 (store-writer) D 1 70 70 0 -1"));
        assert!(!of("73 (store-writer) X 1 70 70 0 -1"));
        assert!(!of("75 (drive-heat) D 1 70 70 0 -1"));
        assert!(!of("76 (a) b (c) D 1 70 70 0 -1"));
        assert_eq!(Task::parse("76 (a) b (c) D 1").unwrap().name, "a) b (c");
        assert_eq!(Task::parse("76"), None);
    }

    #[test]
    fn a_lock_file_that_nobody_holds_or_that_is_not_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(left(&path).unwrap(), Left::Nothing);
        fs::write(&path, "x").unwrap();
        assert_eq!(left(&path).unwrap(), Left::Nothing);
    }
}

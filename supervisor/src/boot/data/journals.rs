//! What of the state folder the journal may write and read: it has a user of its own, since root's files, the agent's among
//! them, would be its own else.
//!
//! Its folder is its own. PID 1's is root's to write and its group's to read, for what is left of crashes
//! (`crate::remains`): new files get that group by the folder's bit. Cores of services stay root's alone.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
use std::path::Path;

use crate::crash;
use crate::shell::{log, sandbox, users};

/// The journal's user, and its folder.
pub(crate) const JOURNAL: &str = "journal";
/// PID 1's folder, and those in it that hold what is left of crashes.
const READ: [&str; 3] = ["supervisor", "supervisor/crashes", "supervisor/pstore"];
/// The group's bit is handed on to what is made there.
const FOLDER: u32 = 0o2750;
/// Of what is in them.
const FILE: u32 = 0o640;

/// Gives it what is there, once state is somewhere else.
pub(in crate::boot) fn give(state: &Path) {
    let given = match users::find(Path::new("/etc/passwd"), JOURNAL) {
        Some(user) => give_to(state, user),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such user")),
    };
    if let Err(e) = given {
        log::warn(&format!("the journal's part of {}: {e}", state.display()));
    }
}

fn give_to(state: &Path, user: users::User) -> io::Result<()> {
    let own = state.join(JOURNAL);
    DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
    sandbox::own(&own, user)?;
    let share = |path: &Path, mode| {
        lchown(path, None, Some(user.gid))?;
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    for folder in READ.map(|name| state.join(name)) {
        DirBuilder::new().recursive(true).mode(0o750).create(&folder)?;
        share(&folder, FOLDER)?;
        // As an earlier version, or a fault of PID 1's, has left them.
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() && !crash::is_core(&entry.file_name()) {
                share(&entry.path(), FILE)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::data::whole;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_journal_gets_its_folder_and_reads_what_is_left_of_crashes_but_no_core() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p);
        // SAFETY: a plain call.
        let uid = unsafe { libc::geteuid() };
        // SAFETY: a plain call.
        let gid = unsafe { libc::getegid() };
        // Only root gives files away.
        let user = match uid {
            0 => users::User { uid: 904, gid: 904 },
            _ => users::User { uid, gid },
        };
        fs::create_dir_all(at("journal")).unwrap();
        fs::create_dir_all(at("supervisor/crashes")).unwrap();
        fs::set_permissions(at("supervisor/crashes"), Permissions::from_mode(0o700)).unwrap();
        for old in [
            "journal/current.export",
            "supervisor/faults",
            "supervisor/crashes/1-server-7.txt",
            "supervisor/crashes/1-server-7.core.gz",
        ] {
            fs::write(at(old), "").unwrap();
            fs::set_permissions(at(old), Permissions::from_mode(0o600)).unwrap();
        }
        give_to(dir.path(), user).unwrap();
        whole::replace(&at("supervisor/last-reboot"), b"{}").unwrap();
        let is = |p: &str| {
            let m = fs::metadata(at(p)).unwrap();
            (m.uid(), m.gid(), m.mode() & 0o7777)
        };
        assert_eq!((is("journal").0, is("journal").1), (user.uid, user.gid));
        assert_eq!(is("journal/current.export"), (user.uid, user.gid, 0o600));
        for folder in READ {
            assert_eq!(is(folder), (uid, user.gid, 0o2750), "{folder}");
        }
        for file in ["faults", "crashes/1-server-7.txt", "last-reboot"] {
            assert_eq!(is(&format!("supervisor/{file}")), (uid, user.gid, 0o640), "{file}");
        }
        assert_eq!(is("supervisor/crashes/1-server-7.core.gz").2, 0o600);
    }
}

//! The box's own secrets in the data directory: the Ed25519 key that signs tickets, and the box's id.
//!
//! Made once, mode 0600, written to a new file, synced and renamed; what came of it on a medium that fails is removed, bytes and
//! all. A file that is not a key is set aside with a dated
//! name, and told: the agent has pinned the old key and refuses until it is enrolled anew.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;

use crate::auth::secret;

/// What is in the data directory besides the store.
#[derive(Debug)]
pub struct Keys {
    /// Signs tickets.
    pub gate: SigningKey,
    /// Names this box.
    pub box_id: String,
    /// Files that were malformed: where each lies now.
    pub set_aside: Vec<PathBuf>,
}

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}")]
pub struct Error {
    what: &'static str,
    path: PathBuf,
    #[source]
    cause: std::io::Error,
}

impl Keys {
    /// Reads both files of `dir`, making those that are not there.
    ///
    /// # Errors
    /// When the medium fails. A malformed file is not an error.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let mut set_aside = Vec::new();
        let gate = file(
            &dir.join("gate.key"),
            &mut set_aside,
            |text| hex::decode(text).ok()?.try_into().ok(),
            || {
                let key: [u8; 32] = secret::random();
                (key, hex::encode(key))
            },
        )?;
        let box_id = file(
            &dir.join("box.id"),
            &mut set_aside,
            |text| text.parse::<uuid::Uuid>().ok(),
            || {
                let id = uuid::Uuid::now_v7();
                (id, id.to_string())
            },
        )?;
        Ok(Self {
            gate: SigningKey::from_bytes(&gate),
            box_id: box_id.to_string(),
            set_aside,
        })
    }
}

fn file<T>(
    path: &Path,
    set_aside: &mut Vec<PathBuf>,
    read: impl Fn(&str) -> Option<T>,
    make: impl Fn() -> (T, String),
) -> Result<T, Error> {
    let failed = |what| {
        move |cause| Error {
            what,
            path: path.to_owned(),
            cause,
        }
    };
    match fs::read_to_string(path) {
        Ok(text) => {
            if let Some(value) = read(text.trim()) {
                return Ok(value);
            }
            put_aside(path, set_aside).map_err(failed("setting aside the malformed"))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            put_aside(path, set_aside).map_err(failed("setting aside the malformed"))?;
        }
        Err(error) => return Err(failed("reading")(error)),
    }
    let (value, text) = make();
    write(path, &text).map_err(failed("writing"))?;
    Ok(value)
}

fn put_aside(path: &Path, set_aside: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".bad-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
    let aside = PathBuf::from(name);
    fs::rename(path, &aside)?;
    set_aside.push(aside);
    Ok(())
}

/// Writes a secret in the place of what is there: all of it, or nothing.
///
/// # Errors
/// When the medium fails; then no part of it stays, or that is told.
pub(crate) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err()
        && let Err(error) = store::discard(&new)
    {
        // What came of it may be the key.
        tracing::warn!(%error, "{} is still there", new.display());
    }
    written?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn key_and_id_are_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path()).unwrap();
        let again = Keys::open(dir.path()).unwrap();
        assert_eq!(
            (first.gate.to_bytes(), first.box_id),
            (again.gate.to_bytes(), again.box_id)
        );
        let mode = fs::metadata(dir.path().join("gate.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_cannot_be_put_in_its_place_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        // Nothing is renamed over a folder.
        fs::create_dir(dir.path().join("gate.key")).unwrap();
        write(&dir.path().join("gate.key"), "secret").unwrap_err();
        assert!(!dir.path().join("gate.new").exists());
    }

    #[test]
    fn a_malformed_key_is_set_aside_and_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        for bad in [&b"not a key"[..], b"\xff\xfe", b""] {
            fs::write(dir.path().join("gate.key"), bad).unwrap();
            let keys = Keys::open(dir.path()).unwrap();
            assert_eq!(fs::read(&keys.set_aside[0]).unwrap(), bad);
            fs::remove_file(&keys.set_aside[0]).unwrap();
        }
    }
}

//! Credentials: random at each boot, the same for every unit that names them, in files that only that unit's user reads.
//!
//! One is not random: `alerts` is section `[alerts]` of `kiln.toml` as JSON. It has passwords of other services in it, and so
//! has no place in a unit's environment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::users::User;
use crate::boot::config::site::Site;
use crate::unit::Unit;

/// What the owner has set about alerts.
const ALERTS: &str = "alerts";

/// Values by name; made on first use.
#[derive(Debug, Default)]
pub struct Credentials(pub BTreeMap<String, String>);

impl Credentials {
    /// Writes the credentials of one unit and returns their folder, or `None` when it has none.
    ///
    /// # Errors
    /// No randomness, or the files could not be written.
    pub fn provide(&mut self, run: &Path, unit: &Unit, user: Option<User>) -> io::Result<Option<PathBuf>> {
        if unit.credentials.is_empty() {
            return Ok(None);
        }
        let dir = run.join("credentials").join(&unit.name);
        fs::create_dir_all(&dir)?;
        for name in &unit.credentials {
            if !self.0.contains_key(name) {
                let value = match name.as_str() {
                    ALERTS => Site::read().0.alerts,
                    _ => random_hex()?,
                };
                self.0.insert(name.clone(), value);
            }
            let file = dir.join(name);
            let _ = fs::remove_file(&file);
            let mut f = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o400)
                .open(&file)?;
            f.write_all(self.0[name].as_bytes())?;
            if let Some(u) = user {
                // The file itself: the folder is that user's, who may have put a link at its path by now.
                std::os::unix::fs::fchown(&f, Some(u.uid), Some(u.gid))?;
            }
        }
        if let Some(u) = user {
            std::os::unix::fs::chown(&dir, Some(u.uid), Some(u.gid))?;
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        Ok(Some(dir))
    }
}

impl Credentials {
    /// Takes the values of one unit's files again, where PID 1 has lost them.
    pub fn read_back(&mut self, run: &Path, unit: &Unit) {
        for name in &unit.credentials {
            let file = run.join("credentials").join(&unit.name).join(name);
            if let Ok(value) = fs::read_to_string(file) {
                self.0.entry(name.clone()).or_insert(value);
            }
        }
    }
}

/// 32 random bytes in hex.
fn random_hex() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn two_units_share_a_value_and_each_has_its_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let unit = |n: &str| {
            Unit::from_toml(
                Path::new(&format!("{n}.toml")),
                "exec=['/x']\ncredentials=['agent-token']",
            )
            .unwrap()
        };
        let mut c = Credentials::default();
        let a = c.provide(dir.path(), &unit("a"), None).unwrap().unwrap();
        let b = c.provide(dir.path(), &unit("b"), None).unwrap().unwrap();
        let read = |d: &Path| fs::read_to_string(d.join("agent-token")).unwrap();
        assert_eq!(read(&a), read(&b));
        assert_eq!(read(&a).len(), 64);
        assert_eq!(
            fs::metadata(a.join("agent-token")).unwrap().permissions().mode() & 0o777,
            0o400
        );
        // A second start of the same boot keeps the value.
        assert_eq!(
            read(&c.provide(dir.path(), &unit("a"), None).unwrap().unwrap()),
            read(&b)
        );
    }
}

//! The key that signs certificates of `kiln burn`: made once, kept in the state folder, readable by its owner alone.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use certificate::{Certificate, Key, Maker, SOFTWARE, Signed};
use wire::Time;
use wire::job::Job;

use crate::file;

/// Name of the key's file.
const FILE: &str = "certificate.key";

/// A key and who uses it.
#[derive(Clone, Debug)]
pub struct Signing {
    key: Key,
    maker: Maker,
}

impl Signing {
    /// The folder's key; made where there is none.
    ///
    /// # Errors
    /// When it can be neither read nor made, in words. A key that cannot be read is never replaced: others know it.
    pub fn open(state: &Path) -> Result<Self, String> {
        let path = state.join(FILE);
        let told = |what: &dyn std::fmt::Display| format!("the certificate key {}: {what}", path.display());
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(state, &path).map_err(|e| told(&e))?,
            Err(error) => return Err(told(&error)),
        };
        let seed = parse(text.trim()).ok_or_else(|| told(&"expected 64 hexadecimal digits"))?;
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Self {
            key: Key::from_seed(&seed),
            maker: Maker {
                id: "cli".to_owned(),
                name: name.trim().to_owned(),
                software: SOFTWARE.to_owned(),
            },
        })
    }

    /// Why certificates that are signed later are signed by another key: somebody removed the folder meanwhile. `None` where they are not.
    pub fn lost(&self, state: &Path) -> Option<String> {
        let path = state.join(FILE);
        matches!(path.try_exists(), Ok(false)).then(|| {
            format!(
                "{} was removed meanwhile: the key that signs this is kept no longer, and the next certificate has another one",
                path.display()
            )
        })
    }

    /// The certificate of a job that is over, made when that ended: one that is signed again later vouches for no longer.
    ///
    /// # Errors
    /// When the job has none, or it cannot be signed; in words.
    pub fn sign(&self, job: &Job) -> Result<Signed, String> {
        let certificate = Certificate::of(job, &self.maker, self.key.public(), job.ended.unwrap_or_else(Time::now))
            .ok_or("a job that is not over has no certificate")?;
        Signed::sign(&certificate, &self.key).map_err(|e| drive::smart::words(&e))
    }
}

/// The text of a key that is kept.
fn read(path: &Path) -> io::Result<String> {
    String::from_utf8(file::kept(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn parse(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

fn make(state: &Path, path: &Path) -> io::Result<String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let text = hex::encode(seed);
    // Written beside and given its name whole: a power cut in between leaves no key, and not half of one.
    let beside = path.with_extension(format!("key-{}", std::process::id()));
    let _left_by_another_boot = fs::remove_file(&beside);
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(file::PRIVATE)
        .open(&beside)?;
    let named = file
        .write_all(format!("{text}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| file::name(&beside, path));
    let _moved_or_of_no_use = fs::remove_file(&beside);
    match named {
        Ok(()) => File::open(state)?.sync_all().map(|()| text),
        // Another burn-in made one at this very moment: that one counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let first = Signing::open(dir.path()).unwrap();
        let again = Signing::open(dir.path()).unwrap();
        assert_eq!(first.key.public(), again.key.public());
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(first.lost(dir.path()), None);
        assert!(first.lost(&dir.path().join("other")).is_some());
        fs::write(dir.path().join(FILE), "zz").unwrap();
        assert!(Signing::open(dir.path()).unwrap_err().contains("expected 64"));
        assert_eq!(
            fs::read_to_string(dir.path().join(FILE)).unwrap(),
            "zz",
            "never replaced"
        );
    }

    #[test]
    fn what_a_power_cut_left_of_a_key_is_no_key_and_several_at_once_make_one() {
        let dir = tempfile::tempdir().unwrap();
        let beside = dir
            .path()
            .join(FILE)
            .with_extension(format!("key-{}", std::process::id()));
        fs::write(&beside, "").unwrap();
        Signing::open(dir.path()).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [FILE]);

        let other = dir.path().join("other");
        fs::write(&other, "another's").unwrap();
        let taken = file::name(&other, &dir.path().join(FILE)).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists, "nothing is replaced");
    }
}

//! Where `--cert` puts the certificates: known, and tried, before anybody is asked and hours are spent.

use std::fs;
use std::path::{Path, PathBuf};

use certificate::{Signed, carrier};
use wire::DriveId;

use super::target::Target;
use super::{Args, Stop};
use crate::cert::Form;
use crate::file;

/// A file, or a folder in which each certificate is named by its id.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    is_folder: bool,
}

/// Longest certificate that is looked for in a file, in bytes: a PDF or page of the longest one is below it.
const LONGEST: u64 = 8 << 20;

/// The certificate in a file, in any of its forms; also as an earlier version made it, whose page and PDF are other ones.
fn signed(path: &Path) -> Option<Signed> {
    let bytes = file::up_to(file::regular(path).ok()?, LONGEST).ok()?;
    carrier::inside(&bytes)
}

/// Why what has this name gives way to no certificate of one of these drives; `None` where it does, or nothing has it.
fn taken(path: &Path, drives: &[&DriveId]) -> Option<String> {
    if file::is_free(path) {
        return None;
    }
    let Some(signed) = signed(path) else {
        return Some("what is there is no certificate of Kiln's, and is not replaced".to_owned());
    };
    let of = &signed.certificate().drive;
    (!drives.contains(&&of.id)).then(|| {
        format!(
            "what is there is the certificate of another drive, {} {}, and is not replaced",
            of.model, of.serial
        )
    })
}

/// Puts a certificate of this drive where [`Place::file`] says.
///
/// # Errors
/// Why it does not lie there, in words: also where something else has come there since the beginning.
pub(super) fn put(path: &Path, bytes: &[u8], drive: &DriveId) -> Result<(), String> {
    let put = match file::is_free(path) {
        // Another process may put its own there at this very moment.
        true => file::put_new(path, bytes),
        false => match taken(path, &[drive]) {
            None => file::replace(path, bytes),
            Some(why) => return Err(why),
        },
    };
    put.map_err(|error| error.to_string())
}

impl Place {
    /// Where the command line says; `None` where no certificate is asked for. A file is made there and removed again, but for a dry
    /// run, which changes nothing.
    ///
    /// # Errors
    /// When it names no such place, the place takes no file, or something lies there that is no certificate of a target.
    pub(super) fn of(args: &Args, targets: &[Target]) -> Result<Option<Self>, Stop> {
        let Some(path) = args.cert.clone() else { return Ok(None) };
        let is_folder = args.targets.len() > 1 || path.is_dir();
        let told = |why: String| Err(Stop::Usage(format!("--cert {}: {why}", path.display())));
        let ends_in_name = file::ends_in_name(&path);
        if is_folder && !path.is_dir() && ends_in_name && Form::of(&path).is_some() {
            return told("with several drives it is a folder, and this is the name of a file".to_owned());
        }
        let dir = match is_folder {
            // It is made once all is agreed to.
            true => {
                let there = path.ancestors().find(|at| at.exists() || at.as_os_str().is_empty());
                let there = there.filter(|at| !at.as_os_str().is_empty());
                there.map_or_else(|| PathBuf::from("."), Path::to_owned)
            }
            false if !ends_in_name => {
                return told(
                    "there is no such folder: make it first, or give a name ending in .json, .html or .pdf".to_owned(),
                );
            }
            false if Form::of(&path).is_none() => {
                return told("expected a name ending in .json, .html or .pdf, or a folder".to_owned());
            }
            false => file::folder(&path).to_owned(),
        };
        let ids = targets
            .iter()
            .filter_map(|target| target.device.as_ref().ok()?.identity.id.as_ref());
        let ids: Vec<&DriveId> = ids.collect();
        if let Some(why) = taken(&path, &ids).filter(|_| !is_folder) {
            return told(format!("{why}; give another name"));
        }
        if !dir.is_dir() {
            return match is_folder {
                true => told(format!(
                    "with several drives it is a folder, and {} is none",
                    dir.display()
                )),
                false => told(format!("there is no folder {}", dir.display())),
            };
        }
        let takes = match args.dry_run {
            true => file::may_take(&dir),
            false => file::try_out(&dir),
        };
        if let Err(error) = takes {
            return told(format!("no file can be written in {}: {error}", dir.display()));
        }
        Ok(Some(Self { path, is_folder }))
    }

    /// Makes the folder where it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make(&self) -> Result<(), Stop> {
        let failed = |error| Stop::Usage(format!("--cert {}: making the folder: {error}", self.path.display()));
        match self.is_folder {
            true => fs::create_dir_all(&self.path).map_err(failed),
            false => Ok(()),
        }
    }

    /// File and form of the certificate with this id.
    pub(super) fn file(&self, id: &str) -> (PathBuf, Form) {
        match self.is_folder {
            true => (self.path.join(format!("{id}.json")), Form::Json),
            false => (self.path.clone(), Form::of(&self.path).unwrap_or(Form::Json)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::seals::tests::{ONE, OTHER, ended};
    use crate::signing::Signing;
    use wire::job::Outcome;

    #[test]
    fn only_a_certificate_of_the_same_drive_gives_way() {
        let dir = tempfile::tempdir().unwrap();
        let signing = Signing::open(dir.path()).unwrap();
        let job = ended(ONE, Outcome::Passed, None);
        let (signed, other) = (signing.sign(&job).unwrap(), DriveId::from_wwn(OTHER).unwrap());
        for name in ["c.json", "c.html", "c.pdf"] {
            let path = dir.path().join(name);
            let bytes = Form::of(&path).unwrap().bytes(&signed);
            for theirs in [
                &b"mine"[..],
                b"{}",
                b"",
                b"%PDF-1.7 thesis",
                b"<!doctype html>",
                &bytes[1..],
            ] {
                fs::write(&path, theirs).unwrap();
                let why = put(&path, b"new", &job.drive).unwrap_err();
                assert!(why.contains("no certificate"), "{name}: {why}");
                assert_eq!(fs::read(&path).unwrap(), theirs, "{name}");
            }
            fs::remove_file(&path).unwrap();
            put(&path, &bytes, &job.drive).unwrap();
            let why = put(&path, b"new", &other).unwrap_err();
            assert!(
                why.contains("another drive") && why.contains(&job.serial),
                "{name}: {why}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
            put(&path, b"new", &job.drive).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new", "{name}");
            // As another version made it; a JSON file is the same in each.
            if name != "c.json" {
                let theirs = [&bytes[..], b"\n%\n"].concat();
                fs::write(&path, &theirs).unwrap();
                let why = put(&path, b"new", &other).unwrap_err();
                assert!(why.contains("another drive"), "{name}: {why}");
                put(&path, b"new", &job.drive).unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"new", "{name}");
            }
        }
        std::os::unix::fs::symlink("nowhere", dir.path().join("link.json")).unwrap();
        assert!(put(&dir.path().join("link.json"), b"new", &job.drive).is_err());
    }
}

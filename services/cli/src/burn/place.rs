//! Where `--cert` puts the certificates: known, and tried, before anybody is asked and hours are spent.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Args, Stop};
use crate::cert::Form;

/// A file, or a folder in which each certificate is named by its id.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    is_folder: bool,
}

impl Place {
    /// Where the command line says; `None` where no certificate is asked for. A file is made there and removed again; nothing stays.
    ///
    /// # Errors
    /// When it names no such place, or the place takes no file.
    pub fn of(args: &Args) -> Result<Option<Self>, Stop> {
        let Some(path) = args.cert.clone() else { return Ok(None) };
        let is_folder = args.targets.len() > 1 || path.is_dir();
        let told = |why: String| Err(Stop::Usage(format!("--cert {}: {why}", path.display())));
        let parent = |path: &Path| match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        let dir = match is_folder {
            // It is made once all is agreed to.
            true => {
                let there = path.ancestors().find(|at| at.exists() || at.as_os_str().is_empty());
                let there = there.filter(|at| !at.as_os_str().is_empty());
                there.map_or_else(|| PathBuf::from("."), Path::to_owned)
            }
            false if Form::of(&path).is_none() => {
                return told("expected a name ending in .json, .html or .pdf, or a folder".to_owned());
            }
            false => parent(&path),
        };
        if !dir.is_dir() {
            return match is_folder {
                true => told(format!(
                    "with several drives it is a folder, and {} is none",
                    dir.display()
                )),
                false => told(format!("there is no folder {}", dir.display())),
            };
        }
        if let Err(error) = try_out(&dir) {
            return told(format!("no file can be written in {}: {error}", dir.display()));
        }
        Ok(Some(Self { path, is_folder }))
    }

    /// Makes the folder where it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(&self) -> Result<(), Stop> {
        let failed = |error| Stop::Usage(format!("--cert {}: making the folder: {error}", self.path.display()));
        match self.is_folder {
            true => fs::create_dir_all(&self.path).map_err(failed),
            false => Ok(()),
        }
    }

    /// File and form of the certificate with this id.
    pub fn file(&self, id: &str) -> (PathBuf, Form) {
        match self.is_folder {
            true => (self.path.join(format!("{id}.json")), Form::Json),
            false => (self.path.clone(), Form::of(&self.path).unwrap_or(Form::Json)),
        }
    }
}

/// Names of a trial file, before the folder is given up.
const TRIALS: u32 = 100;

/// Makes a file in a folder and removes it. One that is there, or a link that somebody laid, is left alone.
fn try_out(dir: &Path) -> std::io::Result<()> {
    let mut made = Err(std::io::ErrorKind::AlreadyExists.into());
    for n in 0..TRIALS {
        let trial = dir.join(format!(".kiln-certificate-{}-{n}", std::process::id()));
        made = File::create_new(&trial).and_then(|_| fs::remove_file(&trial));
        match &made {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Ok(()) | Err(_) => break,
        }
    }
    made
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_trial_touches_nothing_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("theirs");
        fs::write(&theirs, "precious").unwrap();
        for n in 0..3 {
            let name = format!(".kiln-certificate-{}-{n}", std::process::id());
            std::os::unix::fs::symlink(&theirs, dir.path().join(name)).unwrap();
        }
        try_out(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "precious");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        assert!(try_out(&dir.path().join("none")).is_err());
    }
}

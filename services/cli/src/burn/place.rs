//! Where `--cert` puts the certificates: known, and tried, before anybody is asked and hours are spent.

use std::fs;
use std::path::{Path, PathBuf};

use certificate::Signed;

use super::{Args, Stop};
use crate::cert::Form;
use crate::file;

/// A file, or a folder in which each certificate is named by its id.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    is_folder: bool,
}

/// Whether a document that is no certificate stands under a name: the list of those that were signed is a `.json`, too, as is what is kept of
/// a burn-in. Of a page, a PDF and what is no JSON nothing is known but that they are files.
fn is_something_else(path: &Path) -> bool {
    let Ok(meta) = fs::metadata(path) else { return false };
    if !meta.is_file() {
        return true;
    }
    Form::of(path) == Some(Form::Json)
        && fs::read_to_string(path).is_ok_and(|text| {
            serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() && Signed::parse(&text).is_err()
        })
}

impl Place {
    /// Where the command line says; `None` where no certificate is asked for. A file is made there and removed again, but for a dry
    /// run, which changes nothing.
    ///
    /// # Errors
    /// When it names no such place, or the place takes no file.
    pub(super) fn of(args: &Args) -> Result<Option<Self>, Stop> {
        let Some(path) = args.cert.clone() else { return Ok(None) };
        let is_folder = args.targets.len() > 1 || path.is_dir();
        let told = |why: String| Err(Stop::Usage(format!("--cert {}: {why}", path.display())));
        // `x.json/` is a folder's name to the kernel, and that of `x.json` to `Path`.
        let ends_in_name = path.file_name().is_some_and(|name| {
            let (path, name) = (path.as_os_str().as_encoded_bytes(), name.as_encoded_bytes());
            path.ends_with(name)
        });
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
        if !is_folder && is_something_else(&path) {
            return told("what is there is no certificate, and is not replaced; give another name".to_owned());
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

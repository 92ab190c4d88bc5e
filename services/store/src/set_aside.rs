//! Environments out of the way: a bad one is renamed with the date, its reason beside it, and never deleted; one of another
//! schema is renamed by it, and is there again for a program that knows it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::open::FILE_NAME;

/// An environment that did not stand the check, or of another schema, that was renamed. To be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it lies now: `kiln.mdb.bad-20261120T151500Z` or `kiln.mdb.schema-1` in the same directory.
    pub path: PathBuf,
    /// What was wrong with it, in words.
    pub why: String,
}

/// Part of the name that marks a bad environment.
const MARK: &str = ".bad-";

/// Part of the name that marks one of another schema.
const OTHER: &str = ".schema-";

/// Renames `file` to a dated name and writes the reason beside it.
pub(crate) fn set_aside(file: &Path, why: String, now: jiff::Timestamp) -> Result<SetAside> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let mut path = PathBuf::new();
    for n in 1_u32.. {
        let number = if n == 1 { String::new() } else { format!("-{n}") };
        path = file.with_file_name(format!("{FILE_NAME}{MARK}{stamp}{number}"));
        if !path.exists() {
            break;
        }
    }
    fs::rename(file, &path).map_err(Error::file("setting aside", file))?;
    // The reason is a convenience; on a medium that is full the renamed file alone still tells.
    let note = note_of(&path);
    if let Err(error) = fs::write(&note, &why) {
        tracing::warn!(%error, note = %note.display(), "the reason for setting a store aside was not written");
    }
    sync(file)?;
    tracing::error!(path = %path.display(), why, "a store was set aside");
    Ok(SetAside { path, why })
}

/// Renames `file` by the schema that wrote it, where that name is free: its entries are for whoever knows them, such as the
/// program of before an update, to which the box may fall back.
pub(crate) fn keep_for(schema: u32, file: &Path, own: u32) -> Result<SetAside> {
    let why = format!("it was written by schema {schema}; this program knows schema {own}");
    let path = named(file, schema);
    if path.exists() {
        return set_aside(file, why, jiff::Timestamp::now());
    }
    fs::rename(file, &path).map_err(Error::file("setting aside", file))?;
    sync(file)?;
    tracing::warn!(path = %path.display(), why, "a store was put aside for its own schema");
    Ok(SetAside { path, why })
}

/// Gives what was kept for this schema its name `file` again; false where there is none. To be called only while no environment
/// has that name.
pub(crate) fn bring_back(schema: u32, file: &Path) -> Result<bool> {
    let path = named(file, schema);
    match fs::rename(&path, file) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::file("bringing back", &path)(error)),
    }
    sync(file)?;
    tracing::warn!(path = %path.display(), "a store that was put aside for this schema is in use again");
    Ok(true)
}

fn named(file: &Path, schema: u32) -> PathBuf {
    file.with_file_name(format!("{FILE_NAME}{OTHER}{schema}"))
}

/// The new names are on the medium.
fn sync(file: &Path) -> Result<()> {
    let Some(dir) = file.parent() else { return Ok(()) };
    let sync = fs::File::open(dir).and_then(|dir| dir.sync_all());
    sync.map_err(Error::file("syncing", dir))
}

fn note_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".why");
    PathBuf::from(name)
}

/// Environments in `dir` that were set aside, now or in earlier runs, oldest first: a banner stays until a person has
/// taken them away.
pub fn earlier(dir: &Path) -> Vec<SetAside> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let begin = format!("{FILE_NAME}{MARK}");
    let mut found: Vec<SetAside> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&begin) && !name.ends_with(".why")
        })
        .map(|entry| {
            let path = entry.path();
            let why = fs::read_to_string(note_of(&path)).unwrap_or_else(|_| "the reason was not recorded".to_owned());
            SetAside { path, why }
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

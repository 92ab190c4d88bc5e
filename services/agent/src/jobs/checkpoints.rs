//! Checkpoints of unfinished jobs on the medium, each in two rows: what it has anew, and what changes with a step or a finding,
//! which is written only where it differs ([`burnin::checkpoint::split`]).

use burnin::checkpoint::split;
use store::{Result, Table, View, Write};

pub(super) const ANEW: Table<String, String> = Table::new("checkpoints");
pub(super) const SELDOM: Table<String, String> = Table::new("checkpoints-seldom");

/// A job's checkpoint.
///
/// # Errors
/// When LMDB cannot be read.
pub fn get(view: &impl View, job: &str) -> Result<Option<String>> {
    let Some(mut text) = ANEW.get(view, job)? else {
        return Ok(None);
    };
    // A text of an older agent lies in one: its version tells.
    text.push_str(&SELDOM.get(view, job)?.unwrap_or_default());
    Ok(Some(text))
}

/// Writes a job's checkpoint down in place of the last one.
///
/// # Errors
/// When LMDB cannot be written.
pub fn put(write: &mut Write<'_, '_>, job: &str, text: &str) -> Result<()> {
    let (anew, seldom) = split(text);
    if SELDOM.get(write, job)?.as_deref() != Some(seldom) {
        SELDOM.put(write, job, &seldom.to_owned())?;
    }
    ANEW.put(write, job, &anew.to_owned())
}

/// Takes a job's checkpoint out.
///
/// # Errors
/// When LMDB cannot be written.
pub fn delete(write: &mut Write<'_, '_>, job: &str) -> Result<()> {
    SELDOM.delete(write, job)?;
    ANEW.delete(write, job).map(drop)
}

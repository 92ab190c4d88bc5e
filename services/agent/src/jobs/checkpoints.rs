//! Checkpoints of unfinished jobs on the medium, each in rows of which only those are written that differ
//! ([`burnin::checkpoint::split`]): what it has anew, what changes with a step, and the findings.

use burnin::checkpoint::split;
use store::{Result, Table, View, Write};

/// Their first rows, by job: these alone say that there is one.
pub(super) const ANEW: Table<String, String> = Table::new("checkpoints");
/// All others, by job and number from 1.
pub(super) const ROWS: Table<(String, u64), String> = Table::new("checkpoint-rows");

/// A job's checkpoint.
///
/// # Errors
/// When LMDB cannot be read.
pub fn get(view: &impl View, job: &str) -> Result<Option<String>> {
    let Some(mut text) = ANEW.get(view, job)? else {
        return Ok(None);
    };
    // A text of an older agent lies in one: its version tells.
    for (_, row) in ROWS.last_n_of(view, job, usize::MAX)? {
        text.push_str(&row);
    }
    Ok(Some(text))
}

/// Writes a job's checkpoint down in place of the last one.
///
/// # Errors
/// When LMDB cannot be written.
pub fn put(write: &mut Write<'_, '_>, job: &str, text: &str) -> Result<()> {
    let mut rows = split(text);
    let anew = rows.next().unwrap_or_default().to_owned();
    let mut before = ROWS.last_n_of(write, job, usize::MAX)?.into_iter();
    for (number, row) in (1..).zip(rows) {
        if before.next().is_none_or(|before| before != (number, row.to_owned())) {
            ROWS.put(write, &(job.to_owned(), number), &row.to_owned())?;
        }
    }
    for (number, _) in before {
        ROWS.delete(write, &(job.to_owned(), number))?;
    }
    ANEW.put(write, job, &anew)
}

/// Takes a job's checkpoint out.
///
/// # Errors
/// When LMDB cannot be written.
pub fn delete(write: &mut Write<'_, '_>, job: &str) -> Result<()> {
    ROWS.delete_of(write, job)?;
    ANEW.delete(write, job).map(drop)
}

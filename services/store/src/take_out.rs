//! Entries that nothing can read, taken out of their tables and kept beside the store: one record in another form (a newer
//! system's, before an older slot was booted again) must not keep everything else from being read.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::key::{hex, printable};
use crate::open::FILE_NAME;
use crate::store::{META, Store};

/// Part of the name of such a file.
const MARK: &str = ".unread-";

/// Entries that were taken out. To be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOut {
    /// Where they lie: `kiln.mdb.unread-20261120T151500Z`, one JSON object a line.
    pub path: PathBuf,
    /// Their table.
    pub table: &'static str,
    /// How many they are.
    pub entries: usize,
    /// Why.
    pub why: String,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'l> {
    table: &'l str,
    /// Hexadecimal digits.
    key: String,
    /// As it lies in the table: checksum and JSON, in hexadecimal digits.
    value: String,
    why: &'l str,
}

impl Store {
    /// Takes one entry of `table` out, by its key as [`Error::Value`] tells it, or without a key all of them. They are on the
    /// medium elsewhere before they leave the table.
    ///
    /// # Errors
    /// When the medium does not take them; then they stay.
    pub fn take_out(&self, table: &'static str, key: Option<&str>, why: &str) -> Result<TakenOut> {
        if table == META {
            return Err(Error::NoTable(table));
        }
        let mut entries = Vec::new();
        self.read(|read| {
            let found = read
                .tables
                .get(table)?
                .iter(read.txn)
                .map_err(Error::lmdb("reading a table"))?;
            for entry in found {
                let (at, value) = entry.map_err(Error::lmdb("reading an entry"))?;
                if key.is_none_or(|key| printable(at) == key) {
                    entries.push((at.to_vec(), value.to_vec()));
                }
            }
            Ok(())
        })?;
        let dir = self.path().parent().unwrap_or(Path::new("."));
        let path = free_name(dir, jiff::Timestamp::now());
        let keep = || {
            let mut file = File::options().write(true).create_new(true).open(&path)?;
            for (key, value) in &entries {
                let (key, value) = (hex(key), hex(value));
                let line = serde_json::to_string(&Line { table, key, value, why }).map_err(std::io::Error::other)?;
                writeln!(file, "{line}")?;
            }
            file.sync_all()?;
            File::open(dir)?.sync_all()
        };
        keep().map_err(Error::file("keeping unreadable entries in", &path))?;
        let keys: Vec<Vec<u8>> = entries.into_iter().map(|(key, _)| key).collect();
        let taken = TakenOut {
            path,
            table,
            entries: keys.len(),
            why: why.to_owned(),
        };
        self.write(move |write| {
            let from = write.tables.get(table)?;
            for key in &keys {
                from.delete(write.txn, key)
                    .map_err(Error::lmdb("taking an entry out"))?;
            }
            Ok(())
        })
        .wait()?;
        tracing::error!(path = %taken.path.display(), table, entries = taken.entries, why, "entries were taken out of a store");
        Ok(taken)
    }
}

/// Files with entries that were taken out of the store in `dir`, the oldest first: a banner stays until a person has taken
/// them away.
pub fn unread(dir: &Path) -> Vec<PathBuf> {
    let begin = format!("{FILE_NAME}{MARK}");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&begin))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn free_name(dir: &Path, now: jiff::Timestamp) -> PathBuf {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let mut path = dir.join(format!("{FILE_NAME}{MARK}{stamp}"));
    let mut n = 1_u64;
    while path.exists() {
        n += 1;
        path = dir.join(format!("{FILE_NAME}{MARK}{stamp}-{n}"));
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{Check, Options, Table, open};

    const AS_TEXT: Table<String, String> = Table::new("a");
    const AS_NUMBER: Table<String, u64> = Table::new("a");

    #[tokio::test]
    async fn what_nothing_can_read_lies_beside_the_store_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["a"])
        };
        let store = open(dir.path(), &options).unwrap().store;
        store
            .write(|w| {
                AS_NUMBER.put(w, "one", &1)?;
                AS_TEXT.put(w, "two\u{1}", &"zwei".to_owned())?;
                AS_NUMBER.put(w, "three", &3)
            })
            .await
            .unwrap();
        let Err(Error::Value { table, key, why }) = store.read(|r| AS_NUMBER.all(r)) else {
            panic!("it was read");
        };
        let taken = store.take_out(table, Some(&key), &why).unwrap();
        assert_eq!((taken.entries, taken.table), (1, "a"));
        assert_eq!(store.read(|r| AS_NUMBER.all(r)).unwrap().len(), 2);
        let text = fs::read_to_string(&taken.path).unwrap();
        assert!(text.contains(&hex(b"\"zwei\"")) && text.contains("\"why\""), "{text}");
        let all = store.take_out("a", None, "again").unwrap();
        assert_eq!(all.entries, 2);
        assert!(store.read(|r| AS_NUMBER.all(r)).unwrap().is_empty());
        assert_eq!(unread(dir.path()), [taken.path, all.path]);
        assert!(store.take_out("nothing", None, "").is_err() && store.take_out(META, None, "").is_err());
    }
}

//! Entries that nothing can read, taken out of their tables and kept beside the store: one record in another form (a newer
//! system's, before an older slot was booted again) must not keep everything else from being read.

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::key::{Key, hex, printable};
use crate::open::FILE_NAME;
use crate::store::{META, Store};
use crate::table::Table;

/// Bytes of one such file: the lines above them tell what was taken out, and no value. A full store of damaged entries, as
/// hexadecimal digits, would fill the medium that it lies on.
const FILE_MAX: u64 = 64 << 20;

/// Entries, and bytes of them, that are taken out in one go: they are in memory meanwhile.
const AT_ONCE: (usize, usize) = (4096, 8 << 20);

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
    /// Of how many only the keys were kept, because all of them together are too long.
    pub cut: usize,
    /// Why.
    pub why: String,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'l> {
    table: &'l str,
    /// Hexadecimal digits.
    key: String,
    /// As it lies in the table: checksum and JSON, in hexadecimal digits; none where the file is full.
    value: Option<String>,
    /// Length of the value.
    bytes: usize,
    why: &'l str,
}

/// An entry as it lies in its table, and why it is taken out.
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    why: String,
}

/// The file that entries of one table are kept in; none where there are none.
struct Aside {
    dir: PathBuf,
    open: Option<(PathBuf, File)>,
    written: u64,
    most: u64,
    cut: usize,
}

impl Aside {
    fn beside(store: &Store) -> Self {
        let dir = store.path().parent().unwrap_or(Path::new("."));
        Self {
            dir: dir.to_owned(),
            open: None,
            written: 0,
            most: FILE_MAX,
            cut: 0,
        }
    }

    /// Keeps entries; they are on the medium when this returns.
    fn keep(&mut self, table: &str, entries: &[Entry]) -> Result<()> {
        let path = match &self.open {
            Some((path, _)) => path.clone(),
            None => free_name(&self.dir, jiff::Timestamp::now()),
        };
        let kept = self.write(&path, table, entries);
        kept.map_err(Error::file("keeping unreadable entries in", path))
    }

    fn write(&mut self, path: &Path, table: &str, entries: &[Entry]) -> std::io::Result<()> {
        let file = match self.open.take() {
            Some((_, file)) => file,
            None => File::options().write(true).create_new(true).mode(0o600).open(path)?,
        };
        let (_, file) = self.open.insert((path.to_owned(), file));
        let mut out = std::io::BufWriter::new(&*file);
        for Entry { key, value, why } in entries {
            let fits = self.written + 2 * value.len() as u64 <= self.most;
            self.cut += usize::from(!fits);
            let line = Line {
                table,
                key: hex(key),
                value: fits.then(|| hex(value)),
                bytes: value.len(),
                why,
            };
            let line = serde_json::to_string(&line).map_err(std::io::Error::other)?;
            self.written += line.len() as u64;
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        drop(out);
        file.sync_all()?;
        File::open(&self.dir)?.sync_all()
    }
}

impl Store {
    /// Takes one entry of `table` out, by its key as [`Error::Value`] tells it. It is on the medium elsewhere before it leaves
    /// the table.
    ///
    /// # Errors
    /// When the medium does not take it; then it stays.
    pub fn take_out(&self, table: &'static str, key: &str, why: &str) -> Result<TakenOut> {
        let mut entries = Vec::new();
        self.look(table, Bound::Unbounded, &mut |at, value| {
            if printable(at) == key {
                entries.push(Entry {
                    key: at.to_vec(),
                    value: value.to_vec(),
                    why: why.to_owned(),
                });
            }
            true
        })?;
        let mut aside = Aside::beside(self);
        aside.keep(table, &entries)?;
        let count = entries.len();
        self.forget(table, entries)?;
        aside.told(table, count, why.to_owned()).ok_or(Error::NoTable(table))
    }

    /// Takes every entry of `table` out that cannot be read as what the table holds; `None` where there is none. Those that can
    /// be read stay. What is taken out is on the medium elsewhere before it leaves the table.
    ///
    /// # Errors
    /// When the medium does not take them; then they stay.
    pub fn take_out_unreadable<K: Key, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
    ) -> Result<Option<TakenOut>> {
        self.take_out_bounded(table, FILE_MAX)
    }

    fn take_out_bounded<K: Key, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        most: u64,
    ) -> Result<Option<TakenOut>> {
        let mut aside = Aside {
            most,
            ..Aside::beside(self)
        };
        let (mut count, mut why) = (0, String::new());
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            self.look(table.name(), from, &mut |key, value| {
                if let Some(why) = table.unreadable(key, value) {
                    bytes += key.len() + value.len();
                    entries.push(Entry {
                        key: key.to_vec(),
                        value: value.to_vec(),
                        why,
                    });
                }
                entries.len() < AT_ONCE.0 && bytes < AT_ONCE.1
            })?;
            let Some(last) = entries.last() else {
                return Ok(aside.told(table.name(), count, why));
            };
            (after, why) = (Some(last.key.clone()), last.why.clone());
            count += entries.len();
            aside.keep(table.name(), &entries)?;
            self.forget(table.name(), entries)?;
        }
    }

    /// Shows the entries of a table until `each` says false.
    fn look(&self, table: &'static str, from: Bound<&[u8]>, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        if table == META {
            return Err(Error::NoTable(table));
        }
        self.read(|read| {
            let range = (from, Bound::<&[u8]>::Unbounded);
            let found = read.tables.get(table)?.range(read.txn, &range);
            for entry in found.map_err(Error::lmdb("reading a table"))? {
                let (key, value) = entry.map_err(Error::lmdb("reading an entry"))?;
                if !each(key, value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn forget(&self, table: &'static str, entries: Vec<Entry>) -> Result<()> {
        self.write(move |write| {
            let from = write.tables.get(table)?;
            for entry in &entries {
                from.delete(write.txn, &entry.key)
                    .map_err(Error::lmdb("taking an entry out"))?;
            }
            Ok(())
        })
        .wait()
    }
}

impl Aside {
    /// What was kept, told once.
    fn told(self, table: &'static str, entries: usize, why: String) -> Option<TakenOut> {
        let (path, _) = self.open?;
        crate::set_aside::make_room(unread(&self.dir), &path, crate::set_aside::UNREAD_MAX);
        let cut = self.cut;
        tracing::error!(path = %path.display(), table, entries, only_keys = cut, why, "entries were taken out of a store");
        Some(TakenOut {
            path,
            table,
            entries,
            cut,
            why,
        })
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
    found.sort_by_key(|path| crate::set_aside::age(path));
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
        let taken = store.take_out(table, &key, &why).unwrap();
        assert_eq!((taken.entries, taken.table, taken.cut), (1, "a", 0));
        assert_eq!(store.read(|r| AS_NUMBER.all(r)).unwrap().len(), 2);
        let text = fs::read_to_string(&taken.path).unwrap();
        assert!(text.contains(&hex(b"\"zwei\"")) && text.contains("\"why\""), "{text}");
        assert_eq!(unread(dir.path()), [taken.path]);
        assert!(store.take_out("nothing", "", "").is_err() && store.take_out(META, "", "").is_err());
    }

    #[tokio::test]
    async fn of_a_table_with_many_unreadable_entries_the_readable_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["a"])
        };
        let store = open(dir.path(), &options).unwrap().store;
        let many = AT_ONCE.0 + 100;
        let fill = move |w: &mut crate::Write<'_, '_>| {
            (0..many).try_for_each(|n| match n % 2 {
                0 => AS_TEXT.put(w, &format!("{n:05}"), &"x".to_owned()),
                _ => AS_NUMBER.put(w, &format!("{n:05}"), &1),
            })
        };
        store.write(fill).await.unwrap();
        // Those whose very key or checksum is damaged, too.
        store
            .write(|w| {
                let raw = w.tables.get("a")?;
                raw.put(w.txn, b"\xff\xfe", b"abcdef").map_err(Error::lmdb("x"))
            })
            .await
            .unwrap();
        let taken = store.take_out_bounded(&AS_NUMBER, 2000).unwrap().unwrap();
        assert_eq!(taken.entries, many / 2 + 1);
        assert!(taken.cut > 0 && taken.cut < taken.entries, "{taken:?}");
        assert_eq!(store.read(|r| AS_NUMBER.all(r)).unwrap().len(), many / 2);
        let text = fs::read_to_string(&taken.path).unwrap();
        assert_eq!(text.lines().count(), taken.entries);
        assert_eq!(text.matches("\"value\":null").count(), taken.cut);
        assert_eq!(unread(dir.path()), [taken.path], "one file");
        assert_eq!(store.take_out_unreadable(&AS_NUMBER).unwrap(), None);
    }
}

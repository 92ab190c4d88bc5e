//! The whole store as rows, for a backup: read over one snapshot, put back in one commit.
//!
//! Rows are bytes as they lie in the tables, values with their checksums. What they mean is the business of whoever
//! knows the tables; a backup of another schema must not be put back.

use serde::de::IgnoredAny;

use crate::error::{Error, Result};
use crate::pending::Pending;
use crate::store::{META, Store, Write};
use crate::value;

/// One entry of one table, as it lies on the medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of the table.
    pub table: String,
    /// The key's bytes.
    pub key: Vec<u8>,
    /// The value's bytes, with their checksum.
    pub value: Vec<u8>,
}

impl Row {
    /// Its value without the checksum.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn json(&self) -> Result<&[u8], String> {
        value::json(&self.key, &self.value)
    }

    /// Whether an import would take its value: the checksum matches, and it is JSON.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        value::decode::<IgnoredAny>(&self.key, &self.value).map(drop)
    }
}

impl Store {
    /// Hands every entry of every declared table but those in `skip` to `each`, over one snapshot, tables by name and
    /// entries by key. `each` may end it with an error.
    ///
    /// # Errors
    /// When the medium cannot be read, or `each` says so.
    pub fn export<E: From<Error>>(&self, skip: &[&str], mut each: impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        let mut failed = None;
        self.read(|read| {
            let tables = read.tables.0.iter();
            'all: for (name, table) in tables.filter(|(name, _)| **name != META && !skip.contains(*name)) {
                for entry in table.iter(read.txn).map_err(Error::lmdb("exporting a table"))? {
                    let (key, value) = entry.map_err(Error::lmdb("exporting an entry"))?;
                    let row = Row {
                        table: (*name).to_owned(),
                        key: key.to_vec(),
                        value: value.to_vec(),
                    };
                    if let Err(why) = each(row) {
                        failed = Some(why);
                        break 'all;
                    }
                }
            }
            Ok(())
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Table and key of every entry of every declared table but those in `skip`, in the order of [`Self::export`]. No value is
    /// looked at: of long ones nothing is read off the medium.
    ///
    /// # Errors
    /// When the medium cannot be read.
    pub fn keys(&self, skip: &[&str]) -> Result<Vec<(&'static str, Vec<u8>)>> {
        self.read(|read| {
            let mut all = Vec::new();
            let tables = read.tables.0.iter();
            for (name, table) in tables.filter(|(name, _)| **name != META && !skip.contains(*name)) {
                for entry in table.iter(read.txn).map_err(Error::lmdb("listing a table"))? {
                    let (key, _) = entry.map_err(Error::lmdb("listing an entry"))?;
                    all.push((*name, key.to_vec()));
                }
            }
            Ok(all)
        })
    }

    /// The entry of a declared table at this key, as it lies there.
    ///
    /// # Errors
    /// When the medium cannot be read.
    pub fn row(&self, table: &'static str, key: &[u8]) -> Result<Option<Row>> {
        self.read(|read| {
            let value = read.table(table)?.get(read.txn, key);
            let value = value.map_err(Error::lmdb("reading an entry"))?;
            Ok(value.map(|value| Row {
                table: table.to_owned(),
                key: key.to_vec(),
                value: value.to_vec(),
            }))
        })
    }

    /// Empties every declared table but those in `skip` and puts `rows` there instead, in one commit: all or nothing.
    /// Rows of tables that are skipped are left out; a row of a table that nobody declared is an error. They are taken one
    /// by one, so that a whole store need not lie in memory twice.
    ///
    /// The answer is an error, and nothing has changed, when a row is one, a table is unknown, a key is none, a value does
    /// not match its checksum or is no JSON, or it is not on the medium.
    pub fn import<I>(&self, skip: Vec<&'static str>, rows: I) -> Pending<()>
    where
        I: IntoIterator<Item = Result<Row>> + Send + 'static,
    {
        self.write(move |write| {
            let those: Vec<_> = write
                .tables
                .0
                .iter()
                .filter(|(name, _)| **name != META && !skip.contains(*name))
                .map(|(name, table)| (*name, *table))
                .collect();
            for (_, table) in &those {
                table.clear(write.txn).map_err(Error::lmdb("emptying a table"))?;
            }
            for row in rows {
                let row = row?;
                if skip.contains(&row.table.as_str()) {
                    continue;
                }
                write.put_row(&row)?;
            }
            Ok(())
        })
    }
}

impl Write<'_, '_> {
    /// Puts an exported row into its table.
    ///
    /// # Errors
    /// When the table is unknown, the value does not match its checksum or is no JSON, or there is no room.
    pub fn put_row(&mut self, row: &Row) -> Result<()> {
        let named = self
            .tables
            .0
            .iter()
            .find(|(name, _)| **name == row.table && **name != META);
        let Some((name, table)) = named else {
            let table = row.table.clone();
            return Err(Error::Foreign { table });
        };
        // What nothing could read back must not replace what can be.
        row.check().map_err(|why| Error::Value {
            table: name,
            key: String::from_utf8_lossy(&row.key).escape_debug().to_string(),
            why,
        })?;
        table
            .put(self.txn, &row.key, &row.value)
            .map_err(Error::lmdb("putting an entry back"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{Check, Options, Table, open};

    const A: Table<String, u64> = Table::new("a");
    const B: Table<u64, String> = Table::new("b");

    fn store(dir: &std::path::Path) -> Store {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["a", "b"])
        };
        open(dir, &options).unwrap().store
    }

    fn rows(store: &Store, skip: &[&str]) -> Vec<Row> {
        let mut all = Vec::new();
        store
            .export(skip, |row| {
                all.push(row);
                Ok::<_, Error>(())
            })
            .unwrap();
        all
    }

    #[tokio::test]
    async fn what_was_exported_is_what_is_there_after_the_import() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (store(one.path()), store(other.path()));
        one.write(|w| {
            A.put(w, "x", &7)?;
            B.put(w, &1, &"one".to_owned())?;
            B.put(w, &300, &"many".to_owned())
        })
        .await
        .unwrap();
        other.write(|w| A.put(w, "was here", &1)).await.unwrap();
        let exported = rows(&one, &[]);
        assert_eq!(exported.len(), 3);
        let by_key = one.keys(&[]).unwrap().into_iter();
        let by_key: Vec<Row> = by_key
            .map(|(table, key)| one.row(table, &key).unwrap().unwrap())
            .collect();
        assert_eq!(by_key, exported);
        assert_eq!(one.row("a", b"y").unwrap(), None);
        other.import(vec![], given(&exported)).await.unwrap();
        assert_eq!(rows(&other, &[]), exported);
        assert_eq!(other.read(|r| B.get(r, &300)).unwrap().unwrap(), "many");
        assert_eq!(other.read(|r| A.get(r, "was here")).unwrap(), None);
    }

    #[tokio::test]
    async fn numbers_go_on_behind_those_that_were_imported() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (store(one.path()), store(other.path()));
        for text in ["a", "b", "c"] {
            let text = text.to_owned();
            one.write(move |w| B.append(w, &text)).await.unwrap();
        }
        other.import(vec![], given(&rows(&one, &[]))).await.unwrap();
        let next = other.write(|w| B.append(w, &"d".to_owned())).await.unwrap();
        assert_eq!(next, 4);
        assert_eq!(other.read(|r| B.all(r)).unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a_skipped_table_stays_as_it_is_and_a_foreign_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        store
            .write(|w| {
                A.put(w, "x", &7)?;
                B.put(w, &1, &"one".to_owned())
            })
            .await
            .unwrap();
        let all = rows(&store, &[]);
        assert_eq!(rows(&store, &["a"]).len(), 1);
        store.import(vec!["a"], given(&[])).await.unwrap();
        assert_eq!(rows(&store, &[]), all[..1]);
        let foreign = Row {
            table: "c".into(),
            key: b"k".to_vec(),
            value: b"v".to_vec(),
        };
        let why = store
            .import(vec![], given(&[all[1].clone(), foreign]))
            .await
            .unwrap_err();
        assert!(why.to_string().contains('c'), "{why}");
        assert_eq!(rows(&store, &[]), all[..1]);
    }

    #[tokio::test]
    async fn a_row_that_nothing_could_read_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        store.write(|w| A.put(w, "x", &7)).await.unwrap();
        let kept = rows(&store, &[]);
        let mut flipped = kept[0].clone();
        *flipped.value.last_mut().unwrap() ^= 1;
        let mut elsewhere = kept[0].clone();
        elsewhere.key = b"y".to_vec();
        for damaged in [flipped, elsewhere] {
            let why = store.import(vec![], given(&[damaged])).await.unwrap_err().to_string();
            assert!(why.contains("checksum") && why.contains("table a"), "{why}");
        }
        let cut = vec![Ok(kept[0].clone()), Err(Error::Rows("cut".to_owned()))];
        assert!(store.import(vec![], cut).await.is_err());
        assert_eq!(rows(&store, &[]), kept);
    }

    fn given(rows: &[Row]) -> Vec<Result<Row>> {
        rows.iter().cloned().map(Ok).collect()
    }

    #[test]
    fn whoever_takes_the_rows_may_end_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let write = store.write(|w| A.put(w, "x", &7));
        futures_block(write);
        let ended = store.export(&[], |_| Err(Error::Closed));
        assert!(matches!(ended, Err(Error::Closed)));
    }

    fn futures_block<T>(pending: Pending<T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(async { pending.await.unwrap() })
    }
}

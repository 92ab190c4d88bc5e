//! A typed table: the name, the key's type and the value's type, and what can be done with them.
//!
//! Every listing has a limit or is of a table that its owner keeps short ([`Table::keep_last`]); nothing here holds a
//! cursor open longer than the call.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::export::Row;
use crate::key::{Key, KeyBytes, MAX_KEY, printable};
use crate::store::{Bytes, META, View, Write};
use crate::value;

/// A table of `V` by `K`. Declared as a constant; its name must stand in [`crate::Options::tables`].
///
/// ```
/// # use store::Table;
/// const EVENTS: Table<u64, String> = Table::new("events");
/// ```
pub struct Table<K, V> {
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Table").field(&self.name).finish()
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Table<K, V> {}

impl<K, V> Table<K, V> {
    /// A table called `name`.
    pub const fn new(name: &'static str) -> Self {
        Table {
            name,
            types: PhantomData,
        }
    }

    /// The table's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<K: Key, V: Serialize + DeserializeOwned> Table<K, V> {
    fn key<Q: KeyBytes + ?Sized>(&self, key: &Q) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(48);
        key.write_to(&mut bytes);
        let why = match bytes.len() {
            0 => "is empty",
            n if n > MAX_KEY => "is longer than 511 bytes",
            _ if !key.is_valid() => "has a NUL byte in its text",
            _ => return Ok(bytes),
        };
        Err(Error::Key { table: self.name, why })
    }

    fn entry(&self, key: &[u8], bytes: &[u8]) -> Result<(K, V)> {
        let wrong = |why: String| Error::Value {
            table: self.name,
            key: printable(key),
            why,
        };
        let read = K::read(key).ok_or_else(|| wrong("its key is of another type".to_owned()))?;
        Ok((read, value::decode(key, bytes).map_err(wrong)?))
    }

    /// Why an entry cannot be read; `None` if it can.
    pub(crate) fn unreadable(&self, key: &[u8], bytes: &[u8]) -> Option<String> {
        match self.entry(key, bytes) {
            Ok(_) => None,
            Err(Error::Value { why, .. }) => Some(why),
            Err(other) => Some(other.to_string()),
        }
    }

    /// Key and value of a row that was exported from this table.
    ///
    /// # Errors
    /// When the key is of another type, or the value is damaged or no such value.
    pub fn read_row(&self, row: &Row) -> Result<(K, V)> {
        self.entry(&row.key, &row.value)
    }

    /// The value at `key`.
    pub fn get<Q: KeyBytes + ?Sized>(&self, view: &impl View, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
    {
        let key = self.key(key)?;
        let read = view.as_read();
        let found = read
            .table(self.name)?
            .get(read.txn, &key)
            .map_err(Error::lmdb("reading a value"))?;
        found
            .map(|bytes| {
                value::decode(&key, bytes).map_err(|why| Error::Value {
                    table: self.name,
                    key: printable(&key),
                    why,
                })
            })
            .transpose()
    }

    /// Number of entries.
    pub fn len(&self, view: &impl View) -> Result<u64> {
        let read = view.as_read();
        read.table(self.name)?
            .len(read.txn)
            .map_err(Error::lmdb("counting entries"))
    }

    /// Whether there are no entries.
    pub fn is_empty(&self, view: &impl View) -> Result<bool> {
        Ok(self.len(view)? == 0)
    }

    /// The last entry in key order.
    pub fn last(&self, view: &impl View) -> Result<Option<(K, V)>> {
        let read = view.as_read();
        let found = read
            .table(self.name)?
            .last(read.txn)
            .map_err(Error::lmdb("reading the last entry"))?;
        found.map(|(key, bytes)| self.entry(key, bytes)).transpose()
    }

    /// All keys in order; no value is read.
    pub fn keys(&self, view: &impl View) -> Result<Vec<K>> {
        let read = view.as_read();
        let entries = read
            .table(self.name)?
            .iter(read.txn)
            .map_err(Error::lmdb("reading keys"))?;
        let mut out = Vec::new();
        for entry in entries.remap_data_type::<heed::types::DecodeIgnore>() {
            let (key, ()) = entry.map_err(Error::lmdb("reading keys"))?;
            out.push(K::read(key).ok_or_else(|| Error::Value {
                table: self.name,
                key: printable(key),
                why: "its key is of another type".to_owned(),
            })?);
        }
        Ok(out)
    }

    /// All entries in key order: for tables that are kept short.
    pub fn all(&self, view: &impl View) -> Result<Vec<(K, V)>> {
        self.range(view, Bound::Unbounded, usize::MAX)
    }

    /// At most `limit` entries with keys greater than `key`, in key order.
    pub fn after<Q: KeyBytes + ?Sized>(&self, view: &impl View, key: &Q, limit: usize) -> Result<Vec<(K, V)>>
    where
        K: Borrow<Q>,
    {
        let key = self.key(key)?;
        self.range(view, Bound::Excluded(&key), limit)
    }

    fn range(&self, view: &impl View, from: Bound<&[u8]>, limit: usize) -> Result<Vec<(K, V)>> {
        let read = view.as_read();
        let range = (from, Bound::<&[u8]>::Unbounded);
        let entries = read
            .table(self.name)?
            .range(read.txn, &range)
            .map_err(Error::lmdb("reading a range of entries"))?;
        let mut out = Vec::new();
        for entry in entries.take(limit) {
            let (key, bytes) = entry.map_err(Error::lmdb("reading a range of entries"))?;
            out.push(self.entry(key, bytes)?);
        }
        Ok(out)
    }

    /// The last `limit` entries, in key order.
    pub fn last_n(&self, view: &impl View, limit: usize) -> Result<Vec<(K, V)>> {
        let read = view.as_read();
        let entries = read
            .table(self.name)?
            .rev_iter(read.txn)
            .map_err(Error::lmdb("reading the last entries"))?;
        let mut out = Vec::new();
        for entry in entries.take(limit) {
            let (key, bytes) = entry.map_err(Error::lmdb("reading the last entries"))?;
            out.push(self.entry(key, bytes)?);
        }
        out.reverse();
        Ok(out)
    }

    /// The last `limit` entries that `is` takes, in key order, of those in whose JSON `part` stands as it is written there. Others are
    /// not decoded, which is most of the work; all of the table may be looked through.
    pub fn last_n_with(
        &self,
        view: &impl View,
        limit: usize,
        part: &str,
        is: impl Fn(&K, &V) -> bool,
    ) -> Result<Vec<(K, V)>> {
        let read = view.as_read();
        let what = "looking through the entries from the last on";
        let entries = read.table(self.name)?.rev_iter(read.txn).map_err(Error::lmdb(what))?;
        let mut out = Vec::new();
        for entry in entries {
            if out.len() == limit {
                break;
            }
            let (key, bytes) = entry.map_err(Error::lmdb(what))?;
            // What is damaged is decoded, too, which says so.
            if value::text(bytes).is_some_and(|json| !json.contains(part)) {
                continue;
            }
            let (key, value) = self.entry(key, bytes)?;
            if is(&key, &value) {
                out.push((key, value));
            }
        }
        out.reverse();
        Ok(out)
    }

    /// Stores `value` at `key`, replacing what was there.
    pub fn put<Q: KeyBytes + ?Sized>(&self, write: &mut Write<'_, '_>, key: &Q, value: &V) -> Result<()>
    where
        K: Borrow<Q>,
    {
        let key = self.key(key)?;
        let bytes = value::encode(&key, value).map_err(|cause| Error::Encode {
            table: self.name,
            cause: Arc::new(cause),
        })?;
        let table = write.tables.get(self.name)?;
        table
            .put(write.txn, &key, &bytes)
            .map_err(Error::lmdb("storing a value"))
    }

    /// Deletes the entry at `key`; false if there was none.
    pub fn delete<Q: KeyBytes + ?Sized>(&self, write: &mut Write<'_, '_>, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        let key = self.key(key)?;
        write
            .tables
            .get(self.name)?
            .delete(write.txn, &key)
            .map_err(Error::lmdb("deleting a value"))
    }

    /// Deletes every entry.
    pub fn clear(&self, write: &mut Write<'_, '_>) -> Result<()> {
        write
            .tables
            .get(self.name)?
            .clear(write.txn)
            .map_err(Error::lmdb("clearing a table"))
    }

    /// Deletes the oldest entries (lowest keys) until at most `keep` are left; says how many went.
    pub fn keep_last(&self, write: &mut Write<'_, '_>, keep: u64) -> Result<usize> {
        let excess = self.len(write)?.saturating_sub(keep);
        let table = write.tables.get(self.name)?;
        remove_first(table, write, None, excess)
    }
}

impl<V: Serialize + DeserializeOwned> Table<u64, V> {
    /// Stores `value` under the next number and returns it.
    ///
    /// Numbers start at 1 and are never used twice, also after the last entries were deleted.
    pub fn append(&self, write: &mut Write<'_, '_>, value: &V) -> Result<u64> {
        let number = next_number(self.name, write)?;
        self.put(write, &number, value)?;
        Ok(number)
    }
}

impl<V: Serialize + DeserializeOwned> Table<(String, u64), V> {
    /// Stores `value` under `of` and that text's next number (one more than its last) and returns the number.
    pub fn append_to(&self, write: &mut Write<'_, '_>, of: &str, value: &V) -> Result<u64> {
        let number = self
            .last_n_of(write, of, 1)?
            .last()
            .map_or(1, |(n, _)| n.saturating_add(1));
        self.put(write, &(of.to_owned(), number), value)?;
        Ok(number)
    }

    /// The last `limit` entries of `of`, in order.
    pub fn last_n_of(&self, view: &impl View, of: &str, limit: usize) -> Result<Vec<(u64, V)>> {
        let prefix = prefix(self.name, of)?;
        let read = view.as_read();
        let what = "reading the last entries of a key";
        let entries = read
            .table(self.name)?
            .rev_prefix_iter(read.txn, &prefix)
            .map_err(Error::lmdb(what))?;
        let mut out = Vec::new();
        for entry in entries.take(limit) {
            let (key, bytes) = entry.map_err(Error::lmdb(what))?;
            let ((_, number), value) = self.entry(key, bytes)?;
            out.push((number, value));
        }
        out.reverse();
        Ok(out)
    }

    /// At most `limit` entries of `of` with numbers greater than `after`, in order.
    pub fn after_of(&self, view: &impl View, of: &str, after: u64, limit: usize) -> Result<Vec<(u64, V)>> {
        let mut entries = self.after(view, &(of.to_owned(), after), limit)?;
        entries.retain(|((text, _), _)| text == of);
        Ok(entries
            .into_iter()
            .map(|((_, number), value)| (number, value))
            .collect())
    }

    /// Deletes the oldest entries of `of` until at most `keep` are left; says how many went.
    pub fn keep_last_of(&self, write: &mut Write<'_, '_>, of: &str, keep: u64) -> Result<usize> {
        let prefix = prefix(self.name, of)?;
        let table = write.tables.get(self.name)?;
        let what = "counting the entries of a key";
        let count = table
            .prefix_iter(write.txn, &prefix)
            .map_err(Error::lmdb(what))?
            .count() as u64;
        remove_first(table, write, Some(&prefix), count.saturating_sub(keep))
    }

    /// Deletes every entry of `of`; says how many went.
    pub fn delete_of(&self, write: &mut Write<'_, '_>, of: &str) -> Result<usize> {
        self.keep_last_of(write, of, 0)
    }
}

/// Bytes with which the keys of `of` begin: the text and the NUL that ends it.
fn prefix(table: &'static str, of: &str) -> Result<Vec<u8>> {
    if !of.is_valid() || of.len() + 9 > MAX_KEY {
        return Err(Error::Key {
            table,
            why: "has a NUL byte in its text or is longer than 511 bytes",
        });
    }
    let mut bytes = of.as_bytes().to_vec();
    bytes.push(0);
    Ok(bytes)
}

/// Deletes the first `count` entries (of those that begin with `prefix`).
fn remove_first(table: Bytes, write: &mut Write<'_, '_>, prefix: Option<&[u8]>, count: u64) -> Result<usize> {
    let what = "deleting old entries";
    let mut doomed: Vec<Vec<u8>> = Vec::new();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    match prefix {
        Some(prefix) => {
            for entry in table
                .prefix_iter(write.txn, prefix)
                .map_err(Error::lmdb(what))?
                .take(count)
            {
                doomed.push(entry.map_err(Error::lmdb(what))?.0.to_vec());
            }
        }
        None => {
            for entry in table.iter(write.txn).map_err(Error::lmdb(what))?.take(count) {
                doomed.push(entry.map_err(Error::lmdb(what))?.0.to_vec());
            }
        }
    }
    for key in &doomed {
        table.delete(write.txn, key).map_err(Error::lmdb(what))?;
    }
    Ok(doomed.len())
}

/// Next number of table `name`, kept in the store's own table so that it survives deletions.
fn next_number(name: &'static str, write: &mut Write<'_, '_>) -> Result<u64> {
    let table = write.tables.get(META)?;
    let key = format!("next:{name}");
    let what = "numbering an entry";
    let stored = table.get(write.txn, key.as_bytes()).map_err(Error::lmdb(what))?;
    let wrong = |why| Error::Value {
        table: META,
        key: key.clone(),
        why,
    };
    let number: u64 = match stored {
        Some(bytes) => value::decode(key.as_bytes(), bytes).map_err(wrong)?,
        None => 1,
    };
    // A store made of a backup's rows has them, and not what they were numbered by.
    let last = write.tables.get(name)?.last(write.txn).map_err(Error::lmdb(what))?;
    let last = last
        .and_then(|(key, _)| key.try_into().ok())
        .map_or(0, u64::from_be_bytes);
    let number = number.max(last.saturating_add(1));
    let next = value::encode(key.as_bytes(), &number.saturating_add(1)).map_err(|cause| Error::Encode {
        table: META,
        cause: Arc::new(cause),
    })?;
    table.put(write.txn, key.as_bytes(), &next).map_err(Error::lmdb(what))?;
    Ok(number)
}

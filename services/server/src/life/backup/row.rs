//! Rows as bytes: lengths, little-endian, before what they measure; a table of length 0 ends them.

use std::io::{self, Read, Write};

use store::Row;

/// Longest key of LMDB in bytes. Source: lmdb.h, `mdb_env_get_maxkeysize`.
const KEY_MAX: u32 = 511;

/// Longest value; the longest that is written, a job with all its findings, has 60 kB.
const VALUE_MAX: u32 = 16 << 20;

/// Bytes that are no rows.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// They end too early, or cannot be unpacked.
    #[error("row {at} ends too early or cannot be unpacked")]
    Short {
        /// Rows before it.
        at: usize,
        #[source]
        cause: io::Error,
    },
    /// A length that nothing has.
    #[error("row {at} has a {what} of {length} bytes")]
    Long {
        /// Rows before it.
        at: usize,
        /// Which part.
        what: &'static str,
        /// As it says.
        length: u32,
    },
    /// Its table's name is no text.
    #[error("row {at} names no table")]
    Table {
        /// Rows before it.
        at: usize,
    },
    /// Something follows the end.
    #[error("something follows the last row")]
    Trailing,
}

/// Writes one row.
pub(super) fn write(out: &mut impl Write, row: &Row) -> io::Result<()> {
    let short = |n: usize| u32::try_from(n).map_err(|_| io::Error::other("a part has more than 4 GiB"));
    out.write_all(&[u8::try_from(row.table.len()).map_err(|_| io::Error::other("a table's name has 256 bytes"))?])?;
    out.write_all(row.table.as_bytes())?;
    for part in [&row.key, &row.value] {
        out.write_all(&short(part.len())?.to_le_bytes())?;
        out.write_all(part)?;
    }
    Ok(())
}

/// Writes the end.
pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0])
}

/// Reads rows one by one. An error, which is the last, when they are cut, too long, or followed by something.
pub(super) fn read<R: Read>(from: R) -> Rows<R> {
    Rows {
        from,
        at: 0,
        over: false,
    }
}

/// Rows that are being read.
#[derive(Debug)]
pub(super) struct Rows<R> {
    from: R,
    /// Rows that were read.
    at: usize,
    over: bool,
}

impl<R: Read> Rows<R> {
    /// The next row; `None` at their end.
    fn row(&mut self) -> Result<Option<Row>, Bad> {
        let (from, at) = (&mut self.from, self.at);
        let [length] = fixed(from, at)?;
        if length == 0 {
            return match from.read(&mut [0]) {
                Ok(0) => Ok(None),
                _ => Err(Bad::Trailing),
            };
        }
        let table = part(from, at, "table", u32::from(length), 255)?;
        let table = String::from_utf8(table).map_err(|_| Bad::Table { at })?;
        let key = u32::from_le_bytes(fixed(from, at)?);
        let key = part(from, at, "key", key, KEY_MAX)?;
        let value = u32::from_le_bytes(fixed(from, at)?);
        let value = part(from, at, "value", value, VALUE_MAX)?;
        Ok(Some(Row { table, key, value }))
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let row = self.row().transpose();
        self.at += 1;
        self.over = !matches!(row, Some(Ok(_)));
        row
    }
}

fn fixed<const N: usize>(from: &mut impl Read, at: usize) -> Result<[u8; N], Bad> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(|cause| Bad::Short { at, cause })?;
    Ok(bytes)
}

fn part(from: &mut impl Read, at: usize, what: &'static str, length: u32, most: u32) -> Result<Vec<u8>, Bad> {
    if length > most {
        return Err(Bad::Long { at, what, length });
    }
    let mut bytes = Vec::new();
    let got = from.take(u64::from(length)).read_to_end(&mut bytes);
    match got {
        Ok(got) if got == length as usize => Ok(bytes),
        Ok(_) => Err(Bad::Short {
            at,
            cause: io::ErrorKind::UnexpectedEof.into(),
        }),
        Err(cause) => Err(Bad::Short { at, cause }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<Row>, Bad> {
        read(bytes).collect()
    }

    proptest! {
        #[test]
        fn rows_come_back_and_no_cut_does(
            rows in proptest::collection::vec(("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..40), proptest::collection::vec(any::<u8>(), 0..400)), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let rows: Vec<Row> = rows.into_iter().map(|(table, key, value)| Row { table, key, value }).collect();
            let mut bytes = Vec::new();
            for row in &rows {
                write(&mut bytes, row).unwrap();
            }
            end(&mut bytes).unwrap();
            prop_assert_eq!(read_all(&bytes).unwrap(), rows);
            let cut = cut.index(bytes.len());
            prop_assert!(read_all(&bytes[..cut]).is_err());
            bytes.push(0);
            prop_assert!(matches!(read_all(&bytes), Err(Bad::Trailing)));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_all(&bytes);
        }
    }

    #[test]
    fn a_length_that_nothing_has_is_named() {
        let bytes = [&[1, b'a'][..], &u32::MAX.to_le_bytes()].concat();
        let why = read_all(&bytes).unwrap_err().to_string();
        assert_eq!(why, "row 0 has a key of 4294967295 bytes");
    }
}

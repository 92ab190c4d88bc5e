//! The agent's part of a backup: what it keeps that is not this very box's own business at this very moment.
//!
//! Taken along: the key that signs certificates, jobs that are over, certificates and what was revoked, measurements of
//! drives of the same model, bays, a person's playbooks. Left out: unfinished jobs (a job that went on years later would
//! write to a drive that holds somebody's data), checkpoints, the pinned gate key, what waits for the server.
//!
//! Rows travel in pages that fit a frame. What comes back is laid down in `restore.rows` beside the store and put in at the
//! agent's next start, in one commit, before anything reads the store; a job in it that is not over is left out again. This box's own
//! ended jobs, certificates and revocations stay beside it ([`union`]).

mod union;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use store::{Row, Store};
use tracing::warn;
use wire::Problem;
use wire::command::{Answer, BackupRow};

use crate::bays::BAYS;
use crate::books::Books;
use crate::jobs::{self, past};
use crate::notary;

/// Bytes of keys and values in one page; as hexadecimal digits they fit a frame of 512 KiB.
const PAGE: usize = 150 << 10;

/// Longest value; the longest that is written, a certificate, has 400 KiB.
const VALUE_MAX: u64 = 4 << 20;

/// Most bytes that may be laid down.
const LAID_MAX: u64 = 256 << 20;

/// Rows that wait for the next start.
const WAITING: &str = "restore.rows";

/// Rows of which not all have come.
const COMING: &str = "restore.coming";

/// Rows that were refused; earlier versions kept them, and a power cut may leave them.
const REFUSED: &str = "restore.bad";

/// The table's name for playbooks, which are files.
const PLAYBOOKS: &str = "playbooks";

/// The table's name for the key of certificates, which is one of the pins.
const KEY: &str = "certificate-key";

/// Tables that go as they are.
fn tables() -> [&'static str; 4] {
    [
        jobs::JOBS.name(),
        past::CERTIFICATES.name(),
        past::PEERS.name(),
        BAYS.name(),
    ]
}

/// Tables that an import leaves alone.
fn left_alone() -> Vec<&'static str> {
    let those = tables();
    jobs::tables()
        .into_iter()
        .filter(|name| !those.contains(name))
        .collect()
}

/// A row as it travels; the value packed, so that the longest certificate fits a frame.
fn row(table: &str, key: &[u8], value: &[u8]) -> BackupRow {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
    // Into memory: nothing to fail.
    let packed = packed
        .write_all(value)
        .and_then(|()| packed.finish())
        .unwrap_or_default();
    BackupRow {
        table: table.to_owned(),
        key: hex::encode(key),
        value: hex::encode(packed),
    }
}

/// The value of a row as it travelled.
fn unpacked(text: &str) -> Option<Vec<u8>> {
    let packed = hex::decode(text).ok()?;
    let mut value = Vec::new();
    let read = DeflateDecoder::new(packed.as_slice())
        .take(VALUE_MAX + 1)
        .read_to_end(&mut value);
    (read.is_ok() && value.len() as u64 <= VALUE_MAX).then_some(value)
}

/// One page of the backup: rows from number `from` on, in an order that is the same as long as nothing changes. `over`:
/// the jobs that are.
///
/// # Errors
/// When the store cannot be read.
pub fn page(store: &Store, books: &Books, over: &BTreeSet<String>, from: u64) -> Result<Answer, Problem> {
    let (mut rows, mut bytes, mut number) = (Vec::new(), 0, 0);
    let mut next = None;
    // Only what is in this page is packed; the rest is passed over in memory that the medium has mapped.
    let mut take = |row: &Row| {
        if number >= from && next.is_none() {
            let length = row.key.len() + row.value.len();
            if !rows.is_empty() && bytes + length > PAGE {
                next = Some(number);
            } else {
                bytes += length;
                rows.push(self::row(&row.table, &row.key, &row.value));
            }
        }
        number += 1;
        next.is_none()
    };
    let exported = store.export(&left_alone(), |row| {
        let open = row.table == jobs::JOBS.name() && !std::str::from_utf8(&row.key).is_ok_and(|key| over.contains(key));
        if open || take(&row) { Ok(()) } else { Err(Stop::Full) }
    });
    let failed =
        |error: store::Error| Problem::new("store", 503, "The agent's store cannot be read").with(error.to_string());
    match exported {
        Ok(()) | Err(Stop::Full) => {}
        Err(Stop::Store(error)) => return Err(failed(error)),
    }
    let file = |table: &str, key: &str, value: &str| Row {
        table: table.to_owned(),
        key: key.as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
    };
    let key = notary::seed_text(store)
        .map_err(failed)?
        .map(|seed| file(KEY, "seed", &seed));
    let texts = books
        .texts()
        .into_iter()
        .map(|(name, text)| file(PLAYBOOKS, &name, &text));
    for row in texts.chain(key) {
        if !take(&row) {
            break;
        }
    }
    Ok(Answer::Records { rows, next })
}

/// Why the passing over rows ended.
enum Stop {
    /// The page is full.
    Full,
    /// The store.
    Store(store::Error),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

fn failed(what: &str, error: &std::io::Error) -> Problem {
    Problem::new("store", 503, "The agent's medium failed").with(format!("{what}: {error}"))
}

/// Lays rows down for the next start; `first` begins anew, `last` makes them count.
///
/// # Errors
/// When they are none, too many, or the medium does not take them. Nothing of what has come stays then.
pub fn lay_down(dir: &Path, rows: &[BackupRow], first: bool, last: bool) -> Result<(), Problem> {
    let coming = dir.join(COMING);
    let laid = lay(dir, &coming, rows, first, last, |dir| File::open(dir)?.sync_all());
    if laid.is_err() {
        discard(&coming);
    }
    laid
}

/// Discards what nobody comes back for: rows of which not all have come before this start, and refused ones.
pub fn clear(dir: &Path) {
    discard(&dir.join(COMING));
    discard(&dir.join(REFUSED));
}

/// Removes rows that are of no use, bytes and all; what stays is tried again at the next start.
fn discard(path: &Path) {
    if let Err(error) = store::discard(path) {
        warn!(%error, "{} is still there", path.display());
    }
}

fn lay(
    dir: &Path,
    coming: &Path,
    rows: &[BackupRow],
    first: bool,
    last: bool,
    sync: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), Problem> {
    let bad = |at: usize, what: &str| {
        Problem::new("bad-backup", 422, "These are no rows of a backup").with(format!("row {at}: {what}"))
    };
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let known = tables().contains(&row.table.as_str()) || matches!(row.table.as_str(), PLAYBOOKS | KEY);
        if !known {
            return Err(bad(at, &format!("of no table that is known: {:?}", row.table)));
        }
        if hex::decode(&row.key).is_err() || unpacked(&row.value).is_none() {
            return Err(bad(at, "expected hexadecimal digits, the value packed"));
        }
        text += &serde_json::to_string(row).map_err(|error| bad(at, &error.to_string()))?;
        text.push('\n');
    }
    if first {
        discard(coming);
    } else if !coming.exists() {
        // Without its beginning the rest would pass for the whole.
        return Err(bad(
            0,
            "the rows before it are not here any more; bring the backup again",
        ));
    }
    let waiting = dir.join(WAITING);
    let write = || {
        let mut file = File::options()
            .create(true)
            .write(true)
            .append(!first)
            .truncate(first)
            .mode(0o600)
            .open(coming)?;
        if file.metadata()?.len() + text.len() as u64 > LAID_MAX {
            return Err(std::io::Error::other(format!("more than {LAID_MAX} bytes")));
        }
        file.write_all(text.as_bytes())?;
        if last {
            file.sync_all()?;
            fs::rename(coming, &waiting)?;
            // Whoever is told that it failed must not find it in force after the next start.
            sync(dir).inspect_err(|_| discard(&waiting))?;
        }
        Ok(())
    };
    write().map_err(|error| failed("laying the backup down", &error))
}

/// Why rows that waited were not taken up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file.
    #[error("{0}")]
    File(PathBuf, #[source] std::io::Error),
    /// A line that is no row.
    #[error("line {0} is no row of a backup")]
    Line(usize),
}

fn read(path: &Path) -> Result<Option<Vec<Row>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::File(path.to_owned(), error)),
    };
    let mut rows = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| Error::File(path.to_owned(), error))?;
        let row: BackupRow = serde_json::from_str(&line).map_err(|_| Error::Line(at + 1))?;
        rows.push(Row {
            key: hex::decode(&row.key).map_err(|_| Error::Line(at + 1))?,
            value: unpacked(&row.value).ok_or(Error::Line(at + 1))?,
            table: row.table,
        });
    }
    Ok(Some(rows))
}

/// Whether a row can be taken back: this version reads it, and it starts nothing.
///
/// One that no version reads would fail every later look through its table, the end of a job that failed among them. And
/// what an older or a forged backup may hold: nothing begins to write because of it, not even if all ends right here.
fn is_taken(row: &Row) -> bool {
    let name = row.table.as_str();
    if name == jobs::JOBS.name() {
        let read = jobs::JOBS.read_row(row);
        return read.is_ok_and(|(_, record)| record.job.state.is_over());
    }
    name == past::CERTIFICATES.name() && past::CERTIFICATES.read_row(row).is_ok()
        || name == past::PEERS.name() && past::PEERS.read_row(row).is_ok()
        || name == BAYS.name() && BAYS.read_row(row).is_ok()
}

/// Puts rows that wait into the store and the folder of playbooks; how many there were. Called before anything is read.
///
/// # Errors
/// When they are damaged (they are discarded, the state stays) or the medium does not take them.
pub fn take_up(dir: &Path, store: &Store, books: &Books) -> Result<Option<usize>, Error> {
    let (path, refused) = (dir.join(WAITING), dir.join(REFUSED));
    let rows = match read(&path) {
        Ok(None) => return Ok(None),
        Ok(Some(rows)) => rows,
        Err(error) => {
            // Renamed first: however long the rest takes, they are not tried again.
            fs::rename(&path, &refused).map_err(|cause| Error::File(path, cause))?;
            discard(&refused);
            return Err(error);
        }
    };
    let count = rows.len();
    let (files, tables): (Vec<Row>, Vec<Row>) = rows
        .into_iter()
        .partition(|row| matches!(row.table.as_str(), PLAYBOOKS | KEY));
    let (tables, left): (Vec<Row>, Vec<Row>) = tables.into_iter().partition(is_taken);
    if !left.is_empty() {
        warn!(
            rows = left.len(),
            "rows of the backup are unreadable or of unfinished jobs, and were left out"
        );
    }
    let all = union::with(store, tables)?;
    store.import(left_alone(), all.into_iter().map(Ok)).wait()?;
    // Beside the import: until the rows are gone both are done again at every start.
    store.write(past::revoke_again).wait()?;
    for file in files {
        let text = String::from_utf8_lossy(&file.value).into_owned();
        match file.table.as_str() {
            KEY => notary::keep_seed(store, &text)?,
            // One that this version cannot use is refused and told where it is missed.
            _ => drop(books.save(&text)),
        }
    }
    fs::remove_file(&path).map_err(|error| Error::File(path, error))?;
    Ok(Some(count))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use ::store::{Check, Options};

    use super::*;
    use crate::record::Record;

    pub(super) fn place(dir: &Path) -> (Store, Books) {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&jobs::tables())
        };
        let store = ::store::open(dir, &options).unwrap().store;
        (store, Books::open(dir.join("playbooks"), None).unwrap())
    }

    fn put(store: &Store, record: &Record) {
        let (key, record) = (record.job.id.to_string(), record.clone());
        store.write(move |w| jobs::JOBS.put(w, &key, &record)).wait().unwrap();
    }

    pub(super) fn pages(store: &Store, books: &Books) -> Vec<BackupRow> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        let over = store.read(|r| jobs::JOBS.all(r)).unwrap().into_iter();
        let over = over
            .filter(|(_, record)| record.job.state.is_over())
            .map(|(key, _)| key)
            .collect();
        while let Some(number) = from {
            let Answer::Records { rows, next } = page(store, books, &over, number).unwrap() else {
                panic!("no records")
            };
            assert!(!rows.is_empty() || next.is_none());
            all.extend(rows);
            from = next;
        }
        all
    }

    fn over_and_open() -> (Record, Record) {
        let (mut over, open) = (crate::record::tests::record(), crate::record::tests::record());
        over.job.state = wire::job::JobState::Finished;
        (over, open)
    }

    #[test]
    fn rows_whose_name_may_not_stay_are_no_order_for_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let (coming, rows) = (dir.path().join(COMING), [row(jobs::JOBS.name(), b"k", b"v")]);
        let failing = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::Other));
        assert!(lay(dir.path(), &coming, &rows, true, true, failing).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_over_goes_along_and_what_would_go_on_writing_does_not() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, books) = place(one.path());
        let (over, open) = over_and_open();
        put(&store, &over);
        put(&store, &open);
        notary::keep_seed(&store, &"ab".repeat(32)).unwrap();
        let text = "name = \"mine\"\n[[steps]]\nphase = \"scan\"\n";
        let saved = books.save(text);
        let rows = pages(&store, &books);
        let jobs_in: Vec<&BackupRow> = rows.iter().filter(|row| row.table == "jobs").collect();
        assert_eq!(jobs_in.len(), 1, "the unfinished one stays behind");

        let (target, its_books) = place(other.path());
        let half = rows.len() / 2;
        lay_down(other.path(), &rows[..half], true, false).unwrap();
        assert_eq!(
            take_up(other.path(), &target, &its_books).unwrap(),
            None,
            "not before the last row"
        );
        lay_down(other.path(), &rows[half..], false, true).unwrap();
        assert_eq!(take_up(other.path(), &target, &its_books).unwrap(), Some(rows.len()));
        assert_eq!(take_up(other.path(), &target, &its_books).unwrap(), None, "once only");
        let kept = target.read(|r| jobs::JOBS.all(r)).unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].1.job.id, over.job.id);
        assert_eq!(notary::seed_text(&target).unwrap().unwrap(), "ab".repeat(32));
        assert_eq!(its_books.texts().len(), usize::from(saved.is_ok()));
    }

    #[test]
    fn a_forged_backup_starts_nothing() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, _) = place(one.path());
        let (_, open) = over_and_open();
        put(&store, &open);
        let mut rows = Vec::new();
        store
            .export(&left_alone(), |one| {
                rows.push(row(&one.table, &one.key, &one.value));
                Ok::<_, ::store::Error>(())
            })
            .unwrap();
        assert_eq!(rows.len(), 1);
        let (target, books) = place(other.path());
        lay_down(other.path(), &rows, true, true).unwrap();
        take_up(other.path(), &target, &books).unwrap();
        assert!(target.read(|r| jobs::JOBS.all(r)).unwrap().is_empty());
        let pins = row("pins", b"gate_key", b"x");
        assert_eq!(
            lay_down(other.path(), &[pins], true, true).unwrap_err().kind,
            "bad-backup"
        );
    }

    /// One of them would fail every look through its table from then on.
    #[test]
    fn a_row_that_cannot_be_read_is_left_out_and_the_others_are_taken() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, books) = place(one.path());
        let (over, _) = over_and_open();
        put(&store, &over);
        let mut rows = pages(&store, &books);
        rows.extend(tables().map(|table| row(table, b"a", b"{\"of\":\"another version\"}")));
        let (target, its_books) = place(other.path());
        lay_down(other.path(), &rows, true, true).unwrap();
        take_up(other.path(), &target, &its_books).unwrap();
        assert_eq!(target.read(|r| jobs::JOBS.all(r)).unwrap().len(), 1);
        assert!(target.read(|r| past::CERTIFICATES.all(r)).unwrap().is_empty());
        assert!(target.read(|r| past::PEERS.all(r)).unwrap().is_empty());
        assert!(target.read(|r| BAYS.all(r)).unwrap().is_empty());
    }

    #[test]
    fn damaged_rows_are_discarded_with_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        let path = dir.path().join(WAITING);
        fs::write(&path, "{\"table\":\"jobs\"}\n").unwrap();
        let kept = witness(dir.path(), &path);
        assert!(matches!(take_up(dir.path(), &store, &books), Err(Error::Line(1))));
        assert!(is_blank(&kept));
        assert!(!path.exists() && !dir.path().join(REFUSED).exists());
        assert_eq!(take_up(dir.path(), &store, &books).unwrap(), None);
    }

    /// A second name for a file, which shows what became of its bytes.
    fn witness(dir: &Path, of: &Path) -> PathBuf {
        let kept = dir.join("witness");
        fs::hard_link(of, &kept).unwrap();
        kept
    }

    fn is_blank(path: &Path) -> bool {
        let bytes = fs::read(path).unwrap();
        !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0)
    }

    #[test]
    fn of_a_backup_that_is_refused_half_way_no_row_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        let good = row(BAYS.name(), b"a", b"{}");
        let begin = || {
            let _ = fs::remove_file(dir.path().join("witness"));
            lay_down(dir.path(), std::slice::from_ref(&good), true, false).unwrap();
            witness(dir.path(), &dir.path().join(COMING))
        };
        let kept = begin();
        let strange = row("pins", b"gate_key", b"x");
        lay_down(dir.path(), &[strange], false, false).unwrap_err();
        assert!(is_blank(&kept) && !dir.path().join(COMING).exists());
        let rest = lay_down(dir.path(), std::slice::from_ref(&good), false, true);
        assert!(rest.is_err_and(|why| why.kind == "bad-backup"), "it is no whole");
        assert_eq!(take_up(dir.path(), &store, &books).unwrap(), None);
        // One that broke off goes when another begins, and at the next start.
        let kept = begin();
        lay_down(dir.path(), std::slice::from_ref(&good), true, false).unwrap();
        assert!(is_blank(&kept));
        let kept = begin();
        // As a version that kept them left it.
        fs::write(dir.path().join(REFUSED), "rows").unwrap();
        clear(dir.path());
        assert!(is_blank(&kept));
        assert!(!dir.path().join(COMING).exists() && !dir.path().join(REFUSED).exists());
    }
}

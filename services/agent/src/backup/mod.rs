//! The agent's part of a backup: what it keeps that is not this very box's own business at this very moment.
//!
//! Taken along: the key that signs certificates, jobs that are over, certificates and what was revoked, measurements of
//! drives of the same model, bays, a person's playbooks. Left out: unfinished jobs (a job that went on years later would
//! write to a drive that holds somebody's data), checkpoints, the pinned gate key, what waits for the server.
//!
//! Rows travel in pages that fit a frame ([`Pages`]). What comes back is laid down in `restore.rows` beside the store. At the agent's next
//! start a store of its own is made of it, and of what the present one keeps beside it, and takes that one's place before anything
//! reads it ([`store::waiting`]); a job in it that is not over is left out again. This box's own ended jobs, certificates and
//! revocations stay beside it, as far as there is room ([`union`]).

mod pages;
mod union;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use store::waiting::{self, NotTaken, ROWS as WAITING};
use store::{Row, Store};
use tracing::warn;
use wire::Problem;
use wire::command::BackupRow;

use crate::bays::BAYS;
use crate::books::Books;
use crate::jobs::{self, past};
use crate::notary;
pub use pages::Pages;

/// Longest value; the longest that is written, a certificate, has 400 KiB.
const VALUE_MAX: u64 = 4 << 20;

/// Most bytes that may be laid down.
const LAID_MAX: u64 = 256 << 20;

/// Most bytes of their values unpacked, which are in memory at once: what a full store holds ([`store::Options`]), and playbooks. Packed,
/// a thousand times as many could be laid down.
const UNPACKED_MAX: usize = 288 << 20;

/// Rows of which not all have come.
const COMING: &str = "restore.coming";

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

/// The rows of a file that waited; `most`: bytes of their values.
fn read(file: File, most: usize) -> store::Result<Vec<Row>> {
    let mut left = most;
    let no_row = |at: usize| store::Error::Rows(format!("line {at} is no row of a backup"));
    let mut rows = Vec::new();
    for (at, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|error| store::Error::Rows(error.to_string()))?;
        let row: BackupRow = serde_json::from_str(&line).map_err(|_| no_row(at))?;
        let value = unpacked(&row.value).ok_or_else(|| no_row(at))?;
        left = left.checked_sub(value.len()).ok_or_else(|| {
            store::Error::Rows(format!(
                "line {at}: its values have more than {most} bytes unpacked, which no box's backup has"
            ))
        })?;
        rows.push(Row {
            key: hex::decode(&row.key).map_err(|_| no_row(at))?,
            value,
            table: row.table,
        });
    }
    Ok(rows)
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

/// What became of rows that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many there were.
    pub rows: usize,
    /// The oldest jobs, of the backup or of this box, for which there was no room.
    pub dropped: usize,
}

/// Makes a store of the rows that wait and of what `store` keeps beside them, in its place in `dir`; `None` where there are none.
/// Called before anything is read; the store is to be opened anew then.
///
/// # Errors
/// As [`NotTaken`]: `store` stays as it was.
pub fn take_up(dir: &Path, store: &Store, options: &store::Options, books: &Books) -> Result<Option<Taken>, NotTaken> {
    let mut taken = Taken { rows: 0, dropped: 0 };
    let done = waiting::take_up(dir, COMING, options, |file, new| {
        let rows = read(file, UNPACKED_MAX)?;
        taken.rows = rows.len();
        taken.dropped = fill(rows, store, new, books)?;
        Ok(())
    })?;
    Ok(done.then_some(taken))
}

/// Fills a new store; how many jobs there was no room for.
fn fill(rows: Vec<Row>, store: &Store, new: &Store, books: &Books) -> store::Result<usize> {
    let (files, rows): (Vec<Row>, Vec<Row>) = rows
        .into_iter()
        .partition(|row| matches!(row.table.as_str(), PLAYBOOKS | KEY));
    let (rows, left): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(is_taken);
    if !left.is_empty() {
        warn!(
            rows = left.len(),
            "rows of the backup are unreadable or of unfinished jobs, and were left out"
        );
    }
    let all = union::with(store, rows)?;
    let mut beside = Vec::new();
    store.export(&tables(), |row| {
        beside.push(row);
        Ok::<_, store::Error>(())
    })?;
    let text = |file: &Row| String::from_utf8_lossy(&file.value).into_owned();
    let seed = files.iter().find(|file| file.table == KEY).map(text);
    let room = new.room().ok();
    let dropped = new.write(move |w| {
        beside.iter().try_for_each(|row| w.put_row(row))?;
        if let Some(seed) = seed {
            notary::keep_seed(w, &seed)?;
        }
        let dropped = union::put(w, all, room)?;
        past::revoke_again(w)?;
        Ok(dropped)
    });
    let dropped = dropped.wait()?;
    for file in files.iter().filter(|file| file.table == PLAYBOOKS) {
        // One that this version cannot use is refused and told where it is missed.
        drop(books.save(&text(file)));
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unnecessary_wraps, reason = "tests")]
    use std::path::PathBuf;

    use ::store::waiting::{MAKING, REFUSED, TRYING};
    use ::store::{Check, Options};
    use wire::command::Answer;

    use super::*;
    use crate::record::Record;

    pub(super) fn options() -> Options {
        Options {
            check: Check::InProcess,
            ..Options::new(&jobs::tables())
        }
    }

    pub(super) fn place(dir: &Path) -> (Store, Books) {
        let store = ::store::open(dir, &options()).unwrap().store;
        (store, Books::open(dir.join("playbooks"), None).unwrap())
    }

    /// What a start does: takes up what waits, and opens the store anew.
    pub(super) fn start(dir: &Path, store: Store, books: &Books) -> (Store, Option<Taken>) {
        let taken = take_up(dir, &store, &options(), books).unwrap();
        drop(store);
        (place(dir).0, taken)
    }

    fn all(rows: usize) -> Option<Taken> {
        Some(Taken { rows, dropped: 0 })
    }

    fn put(store: &Store, record: &Record) {
        let (key, record) = (record.job.id.to_string(), record.clone());
        store.write(move |w| jobs::JOBS.put(w, &key, &record)).wait().unwrap();
    }

    pub(super) fn pages(store: &Store, books: &Books) -> Vec<BackupRow> {
        let (mut all, mut from, mut pages) = (Vec::new(), Some(0), Pages::default());
        let over = store.read(|r| jobs::JOBS.all(r)).unwrap().into_iter();
        let over = over
            .filter(|(_, record)| record.job.state.is_over())
            .map(|(key, _)| key)
            .collect();
        while let Some(number) = from {
            let Answer::Records { rows, next } = pages.page(store, books, &over, number).unwrap() else {
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
        let seed = "ab".repeat(32);
        store.write(move |w| notary::keep_seed(w, &seed)).wait().unwrap();
        let text = "name = \"mine\"\n[[steps]]\nphase = \"scan\"\n";
        let saved = books.save(text);
        let rows = pages(&store, &books);
        let jobs_in: Vec<&BackupRow> = rows.iter().filter(|row| row.table == "jobs").collect();
        assert_eq!(jobs_in.len(), 1, "the unfinished one stays behind");

        let (target, its_books) = place(other.path());
        let half = rows.len() / 2;
        lay_down(other.path(), &rows[..half], true, false).unwrap();
        assert!(!other.path().join(WAITING).exists(), "not before the last row");
        lay_down(other.path(), &rows[half..], false, true).unwrap();
        let pinned = |w: &mut ::store::Write<'_, '_>| jobs::PINS.put(w, "gate_key", &"k".to_owned());
        target.write(pinned).wait().unwrap();
        let (target, taken) = start(other.path(), target, &its_books);
        assert_eq!(taken, all(rows.len()));
        let (target, taken) = start(other.path(), target, &its_books);
        assert_eq!(taken, None, "once only");
        assert!(!other.path().join(MAKING).exists());
        let gate_key = target.read(|r| jobs::PINS.get(r, "gate_key")).unwrap();
        assert_eq!(gate_key.as_deref(), Some("k"), "whom it obeys is no part of a backup");
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
        let (target, _) = start(other.path(), target, &books);
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
        let (target, _) = start(other.path(), target, &its_books);
        assert_eq!(target.read(|r| jobs::JOBS.all(r)).unwrap().len(), 1);
        assert!(target.read(|r| past::CERTIFICATES.all(r)).unwrap().is_empty());
        assert!(target.read(|r| past::PEERS.all(r)).unwrap().is_empty());
        assert!(target.read(|r| BAYS.all(r)).unwrap().is_empty());
    }

    /// Packed they are a thousandth of that: some megabytes of them filled the box's memory.
    #[test]
    fn rows_that_unpack_to_more_than_any_box_keeps_are_not_read_into_memory() {
        let dir = tempfile::tempdir().unwrap();
        let rows: Vec<BackupRow> = (0..4_u8).map(|key| row(BAYS.name(), &[key], &[0; 1000])).collect();
        lay_down(dir.path(), &rows, true, true).unwrap();
        let read = |most| read(File::open(dir.path().join(WAITING)).unwrap(), most);
        assert_eq!(read(4000).unwrap().len(), 4);
        let why = read(3999).unwrap_err().to_string();
        assert!(why.contains("line 4") && why.contains("3999 bytes"), "{why}");
    }

    #[test]
    fn damaged_rows_are_discarded_with_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        let path = dir.path().join(WAITING);
        fs::write(&path, "{\"table\":\"jobs\"}\n").unwrap();
        let kept = witness(dir.path(), &path);
        let why = take_up(dir.path(), &store, &options(), &books).unwrap_err();
        assert!(why.to_string().contains("line 1 is no row"), "{why}");
        assert!(is_blank(&kept));
        assert!(!path.exists() && !dir.path().join(REFUSED).exists());
        assert_eq!(take_up(dir.path(), &store, &options(), &books).unwrap(), None);
        // A start that ended over them.
        fs::write(dir.path().join(TRYING), "rows").unwrap();
        let ended = take_up(dir.path(), &store, &options(), &books);
        assert!(matches!(ended, Err(NotTaken::Ended)));
        assert_eq!(
            take_up(dir.path(), &store, &options(), &books).unwrap(),
            None,
            "told once"
        );
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
        // One that broke off goes when another begins, and at the next start.
        let kept = begin();
        lay_down(dir.path(), std::slice::from_ref(&good), true, false).unwrap();
        assert!(is_blank(&kept));
        let kept = begin();
        // As a version that kept them left it.
        fs::write(dir.path().join(REFUSED), "rows").unwrap();
        assert_eq!(take_up(dir.path(), &store, &options(), &books).unwrap(), None);
        assert!(is_blank(&kept));
        assert!(!dir.path().join(COMING).exists() && !dir.path().join(REFUSED).exists());
    }

    /// An ended job with so many bytes to tell, and its certificate.
    fn long(store: &Store, bytes: usize) -> String {
        let mut record = crate::record::tests::record();
        record.job.state = wire::job::JobState::Finished;
        record.job.playbook = "x".repeat(bytes);
        put(store, &record);
        record.job.id.to_string()
    }

    /// In the one store that is in use there is no room for the old and the new.
    #[test]
    fn what_a_store_has_room_for_comes_back_and_of_more_the_newest() {
        let small = Options {
            map_size: 8 << 20,
            ..options()
        };
        let open = |dir: &Path| ::store::open(dir, &small).unwrap().store;
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let books = Books::open(dir.path().join("playbooks"), None).unwrap();
        let store = open(dir.path());
        // Five of its eight MiB.
        let own: Vec<String> = (0..50).map(|_| long(&store, 100 << 10)).collect();
        let rows = pages(&store, &books);
        lay_down(dir.path(), &rows, true, true).unwrap();
        let taken = take_up(dir.path(), &store, &small, &books).unwrap();
        assert_eq!(taken, all(rows.len()));
        drop(store);
        let store = open(dir.path());
        let kept = |store: &Store| -> Vec<String> {
            let all = store.read(|r| jobs::JOBS.all(r)).unwrap();
            all.into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(kept(&store), own);
        drop(store);

        // Another box's own are as many: of both together the newest are kept.
        let target = open(other.path());
        let newer: Vec<String> = (0..50).map(|_| long(&target, 100 << 10)).collect();
        lay_down(other.path(), &rows, true, true).unwrap();
        let taken = take_up(other.path(), &target, &small, &books).unwrap().unwrap();
        assert!((30..50).contains(&taken.dropped), "{taken:?}");
        drop(target);
        let left = kept(&open(other.path()));
        assert_eq!(left.len() + taken.dropped, 100);
        assert!(left.ends_with(&newer), "{}", left.len());
    }

    #[test]
    fn rows_that_no_store_could_be_made_of_are_gone_and_the_state_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        long(&store, 100 << 10);
        let rows = pages(&store, &books);
        lay_down(dir.path(), &rows, true, true).unwrap();
        // A map in which that job has no room.
        let none = Options {
            map_size: 64 << 10,
            ..options()
        };
        let kept = witness(dir.path(), &dir.path().join(WAITING));
        let why = take_up(dir.path(), &store, &none, &books).unwrap_err();
        assert!(matches!(why, NotTaken::Store(_)), "{why:?}");
        assert!(is_blank(&kept));
        for name in [WAITING, TRYING, REFUSED, MAKING] {
            assert!(!dir.path().join(name).exists(), "{name}");
        }
        assert_eq!(store.read(|r| jobs::JOBS.all(r)).unwrap().len(), 1);
        assert_eq!(take_up(dir.path(), &store, &options(), &books).unwrap(), None);
    }
}

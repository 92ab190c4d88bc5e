//! Backup and restore: everything that the server keeps, as one encrypted file, for this box or another.
//!
//! ```text
//!  take:  store (one snapshot) ─► rows ─► deflate ─► sealed pieces ─► the file that a person keeps
//!  put:   the file ─► opened, read to its end, checked ─► restore.rows ─► the server starts again ─► a new store, renamed
//! ```
//!
//! The file holds password hashes and the secrets of alert channels, so it is encrypted with a passphrase
//! ([`seal`]). Not in it: the box's id, its gate key and its TLS key, which are this very box's, and what was last heard of its boot
//! and its agent ([`Stays`]); sessions. The agent's part travels as rows of tables `agent/…` ([`agent`]) and goes back to it first. Nor are there jobs that are not over:
//! the agent leaves them out, and what nobody is at would count as running for ever. Putting it back replaces
//! everything or nothing of each: the rows become a store of their own at the next start, which takes the place of the old one
//! before anything has read that, and a power cut in between leaves the one or the other. In one store there would have to be
//! room for both, and nothing could be put back where more than half of it is in use.

pub mod agent;
mod row;
pub mod seal;
pub mod shelf;
pub mod spool;
mod stays;
mod waiting;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use store::waiting::ROWS as WAITING;
use store::{Row, Store};
use wire::Time;
use wire::job::JobState;

pub use self::spool::{Full, Held, Spool};
pub use self::stays::Stays;
pub use self::waiting::take_up;
use self::waiting::{NEW, discard};
use crate::tables;

/// Most bytes that the rows of a backup may have: what the two stores can hold. A file of a few kilobytes can promise
/// terabytes.
const ROWS_MAX: u64 = 2 * tables::MAP_SIZE as u64;

/// Longest backup in bytes: those rows, as good as not packed, a thousandth for packing and sealing them, and the head.
pub const BYTES_MAX: u64 = ROWS_MAX + ROWS_MAX / 1000 + (64 << 10);

/// Tables of what is under way at this moment: told again months later, on another box, it would only confuse.
fn passing() -> Vec<&'static str> {
    [&notify::engine::PASSING, health::tables::PASSING].concat()
}

/// Whether a row is a job that is not over.
fn goes_on(row: &Row) -> bool {
    #[derive(Deserialize)]
    struct Its {
        state: JobState,
    }
    let its = || serde_json::from_slice::<Its>(row.json().ok()?).ok();
    row.table == tables::JOBS.name() && its().is_some_and(|its| !its.state.is_over())
}

/// What stands in clear at the head of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When it was made.
    pub made: Time,
    /// The box that it was made on.
    pub name: String,
    /// Version of the server that made it.
    pub version: String,
    /// Version of the meaning of its rows.
    pub schema: u32,
    /// Whether the agent's part is in it.
    #[serde(default)]
    pub agent: bool,
}

/// Why a backup was not made or not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file.
    #[error("{0}")]
    File(PathBuf, #[source] io::Error),
    /// The encryption.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// There is no room for it.
    #[error(transparent)]
    Full(#[from] Full),
    /// It is of another schema.
    #[error(
        "it was made by version {version}, whose state this version does not read (schema {found}, expected {})",
        tables::SCHEMA
    )]
    Schema {
        /// Version that made it.
        version: String,
        /// Its schema.
        found: u32,
    },
    /// It has what this version does not keep.
    #[error("it was made by version {version}, and table {table:?} in it is one that this version does not know")]
    Table {
        /// Version that made it.
        version: String,
        /// The table.
        table: String,
    },
    /// A row of it is damaged.
    #[error("an entry of table {table:?}: {why}")]
    Damaged {
        /// The table.
        table: String,
        /// What is wrong with it.
        why: String,
    },
    /// The start before did not come to its end over it.
    #[error("the server ended while it did that, by a power cut perhaps")]
    Ended,
    /// What waits for a start could not be moved, and waits on.
    #[error("{0}")]
    Waits(PathBuf, #[source] io::Error),
    /// What was decrypted are no rows.
    #[error("its content: {0}")]
    Rows(#[from] row::Bad),
}

impl Error {
    /// What failed while `path` was written or read: the reason where one came along, else the file.
    pub fn of(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| {
            let inner = error.get_ref();
            if let Some(full) = inner.and_then(|inner| inner.downcast_ref::<Full>()) {
                return Self::Full(full.clone());
            }
            match error.downcast::<seal::Error>() {
                Ok(seal) => Self::Seal(seal),
                Err(error) => Self::File(path, error),
            }
        }
    }

    /// What is wrong with rows; what failed below them counts more than that they end there.
    fn rows(path: &Path) -> impl FnOnce(row::Bad) -> Self {
        let below = |cause: &io::Error| {
            cause.raw_os_error().is_some() || cause.get_ref().is_some_and(|cause| cause.is::<seal::Error>())
        };
        move |bad| match bad {
            row::Bad::Short { cause, .. } if below(&cause) => Self::of(path)(cause),
            bad @ (row::Bad::Short { .. } | row::Bad::Long { .. } | row::Bad::Table { .. } | row::Bad::Trailing) => {
                Self::Rows(bad)
            }
        }
    }
}

/// Makes a backup of `store` and of the rows that the `agent` gave.
///
/// # Errors
/// When the store cannot be read, the passphrase is none, or there is no room in `dir`.
pub fn take(store: &Store, agent: &Held, head: &Head, passphrase: &str, dir: &Path) -> Result<Held, Error> {
    let text = serde_json::to_string(head).unwrap_or_default();
    let spool = Spool::new(dir, BYTES_MAX).map_err(Error::of(dir))?;
    let sealer = seal::Sealer::new(io::BufWriter::new(spool), &text, passphrase).map_err(Error::of(dir))?;
    let mut sealed = DeflateEncoder::new(sealer, Compression::default());
    store.export(&passing(), |row| {
        let is_session = row.table == crate::auth::credential::CREDENTIALS.name() && row.key.starts_with(b"session:");
        if is_session || stays::is_its(&row) || goes_on(&row) {
            return Ok(());
        }
        row::write(&mut sealed, &row).map_err(Error::of(dir))
    })?;
    for row in row::read(io::BufReader::new(agent.reader())) {
        row::write(&mut sealed, &row?).map_err(Error::of(dir))?;
    }
    row::end(&mut sealed).map_err(Error::of(dir))?;
    let sealer = sealed.finish().map_err(Error::of(dir))?;
    let spool = sealer.finish().map_err(Error::of(dir))?;
    let spool = spool.into_inner().map_err(|error| Error::of(dir)(error.into_error()))?;
    Ok(spool.finish())
}

/// What a backup says of itself, before the passphrase is asked for.
///
/// # Errors
/// When it is no backup, or of another schema.
pub fn look(file: &Held) -> Result<Head, Error> {
    let text = seal::look(file.reader()).map_err(Error::of("backup"))?;
    let head: Head = serde_json::from_str(&text).map_err(|_| seal::Error::NoBackup)?;
    if head.schema != tables::SCHEMA {
        return Err(Error::Schema {
            version: head.version,
            found: head.schema,
        });
    }
    Ok(head)
}

/// A backup that was read to its end, every byte of it checked.
#[derive(Debug)]
pub struct Opened {
    /// What it says of itself.
    pub head: Head,
    /// The agent's rows, which go back to it.
    pub of_agent: Held,
    dir: PathBuf,
    unfinished: Unfinished,
}

/// Opens a backup and lays the server's rows into `dir`, not yet for the next start. They go there one by one: the rows
/// of a full store would fill the memory of a small box.
///
/// # Errors
/// When it is not whole, not unchanged, the passphrase is another, a row is one that this version cannot put back, or the
/// medium does not take them. Whatever is refused is refused here, before the agent has taken its part.
pub fn open(file: &Held, passphrase: &str, dir: &Path) -> Result<Opened, Error> {
    let head = look(file)?;
    let from = Path::new("backup");
    let opener = seal::Opener::new(file.reader(), file.len(), passphrase).map_err(Error::of(from))?;
    let mut of_agent = io::BufWriter::new(Spool::in_clear(dir, ROWS_MAX).map_err(Error::of(dir))?);
    let unfinished = Unfinished {
        path: dir.join(NEW),
        laid: false,
    };
    let path = &unfinished.path;
    // What a power cut left there: cutting it off would leave its bytes.
    discard(path);
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = io::BufWriter::new(options.open(path).map_err(Error::of(path))?);
    let mut packed = DeflateDecoder::new(opener);
    for row in row::read((&mut packed).take(ROWS_MAX)) {
        let row = row.map_err(Error::rows(from))?;
        if agent::is_its(&row) {
            row::write(&mut of_agent, &row).map_err(Error::of(dir))?;
        } else if !tables::NAMES.contains(&row.table.as_str()) {
            return Err(Error::Table {
                version: head.version,
                table: row.table,
            });
        } else if !passing().contains(&row.table.as_str()) && !stays::is_its(&row) && !goes_on(&row) {
            // Backups of earlier versions have more of it.
            row.check().map_err(|why| Error::Damaged {
                table: row.table.clone(),
                why,
            })?;
            row::write(&mut out, &row).map_err(Error::of(path))?;
        }
    }
    // A file that was cut behind its last row was cut.
    io::copy(&mut packed.into_inner(), &mut io::sink()).map_err(Error::of(from))?;
    row::end(&mut of_agent).map_err(Error::of(dir))?;
    let of_agent = of_agent
        .into_inner()
        .map_err(|error| Error::of(dir)(error.into_error()))?;
    row::end(&mut out).map_err(Error::of(path))?;
    let file = out.into_inner().map_err(|error| Error::of(path)(error.into_error()))?;
    file.sync_all().map_err(Error::of(path))?;
    Ok(Opened {
        head,
        of_agent: of_agent.finish(),
        dir: dir.to_owned(),
        unfinished,
    })
}

impl Opened {
    /// Has the next start take up the server's rows; gives the agent's, whose bytes are written over when they go.
    ///
    /// # Errors
    /// When the medium does not take them. Then there is nothing for the next start.
    pub fn lay_down(self) -> Result<Held, Error> {
        self.lay_down_by(|dir| File::open(dir)?.sync_all())
    }

    fn lay_down_by(mut self, sync: impl FnOnce(&Path) -> io::Result<()>) -> Result<Held, Error> {
        let path = self.dir.join(WAITING);
        fs::rename(&self.unfinished.path, &path).map_err(Error::of(&path))?;
        self.unfinished.path.clone_from(&path);
        sync(&self.dir).map_err(Error::of(&path))?;
        self.unfinished.laid = true;
        Ok(self.of_agent)
    }
}

/// The file of rows that is being written, or waits to be laid down; it goes with this.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    /// Whether the next start takes it up.
    laid: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.laid {
            discard(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;

    use store::waiting::{MAKING, REFUSED, TRYING};
    use store::{Check, Options, Table};

    use super::*;
    use crate::auth::credential::{CREDENTIALS, Credential, Kind};

    fn options() -> Options {
        Options {
            check: Check::InProcess,
            schema: tables::SCHEMA,
            ..Options::new(tables::NAMES)
        }
    }

    async fn taken_up(dir: &Path) -> Result<bool, Error> {
        take_up(dir, &options(), Stays::default()).await
    }

    fn open_store(dir: &Path) -> Store {
        store::open(dir, &options()).unwrap().store
    }

    fn head() -> Head {
        Head {
            made: Time::UNIX_EPOCH,
            name: "kiln".into(),
            version: "0.1.0".into(),
            schema: tables::SCHEMA,
            agent: false,
        }
    }

    fn credential(kind: Kind) -> Credential {
        let now = crate::clock::Now {
            mono: std::time::Duration::ZERO,
            wall: Time::UNIX_EPOCH,
        };
        Credential::new(kind, None, now)
    }

    /// Rows as the agent gives them.
    fn rows(of: &[Row]) -> Held {
        let mut spool = Spool::new(Path::new("/"), ROWS_MAX).unwrap();
        for row in of {
            row::write(&mut spool, row).unwrap();
        }
        row::end(&mut spool).unwrap();
        spool.finish()
    }

    fn exported(store: &Store) -> Vec<Row> {
        let mut all = Vec::new();
        let row = |row| {
            all.push(row);
            Ok::<_, Error>(())
        };
        store.export(&[], row).unwrap();
        all
    }

    fn taken(store: &Store, agent: &[Row]) -> Held {
        let dir = tempfile::tempdir().unwrap();
        take(store, &rows(agent), &head(), "a long passphrase", dir.path()).unwrap()
    }

    fn bytes(held: &Held) -> Vec<u8> {
        let mut all = Vec::new();
        held.reader().read_to_end(&mut all).unwrap();
        all
    }

    fn held(bytes: &[u8]) -> Held {
        let mut spool = Spool::new(Path::new("/"), BYTES_MAX).unwrap();
        spool.write_all(bytes).unwrap();
        spool.finish()
    }

    fn laid(opened: &Opened) -> Vec<Row> {
        let file = File::open(&opened.unfinished.path).unwrap();
        row::read(file).collect::<Result<_, _>>().unwrap()
    }

    #[tokio::test]
    async fn a_backup_goes_to_another_box_without_the_sessions() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = open_store(one.path());
        let state = Table::<String, serde_json::Value>::new("state");
        store
            .write(move |w| {
                state.put(w, "x", &serde_json::json!({ "y": [1, 2] }))?;
                let user = Kind::User {
                    name: "ada".into(),
                    password: "$argon2id$…".into(),
                };
                CREDENTIALS.put(w, "user:ada", &credential(user))?;
                let session = Kind::Session {
                    user: "ada".into(),
                    from: crate::auth::vault::session::Origin::default(),
                };
                CREDENTIALS.put(w, "session:1", &credential(session))
            })
            .await
            .unwrap();
        let file = taken(&store, &[]);
        assert!(
            !bytes(&file).windows(3).any(|three| three == b"ada"),
            "nothing of it is in clear"
        );
        assert_eq!(look(&file).unwrap(), head());
        assert!(matches!(
            open(&file, "another passphrase", other.path()),
            Err(Error::Seal(_))
        ));
        let opened = open(&file, "a long passphrase", other.path()).unwrap();
        assert_eq!(laid(&opened).len(), 2);

        let target = open_store(other.path());
        target
            .write(move |w| state.put(w, "was here", &serde_json::json!(1)))
            .await
            .unwrap();
        opened.lay_down().unwrap();
        assert!(taken_up(other.path()).await.unwrap());
        assert!(!taken_up(other.path()).await.unwrap(), "once only");
        drop(target);
        assert!(!other.path().join(MAKING).exists());
        let target = open_store(other.path());
        let (user, old) = target
            .read(|r| Ok((CREDENTIALS.get(r, "user:ada")?, state.get(r, "was here")?)))
            .unwrap();
        assert!(user.is_some() && old.is_none());
    }

    #[tokio::test]
    async fn what_was_heard_of_this_boot_and_agent_is_in_no_backup_and_stays() {
        use crate::scribe::{EVENTS_SEEN, SUPERVISOR};
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let state = Table::<String, serde_json::Value>::new("state");
        let known = |store: &Store, told: u64| {
            let put = store.write(move |w| {
                state.put(w, EVENTS_SEEN, &told.into())?;
                state.put(w, SUPERVISOR, &told.into())
            });
            put.wait().unwrap();
        };
        let (store, target) = (open_store(one.path()), open_store(other.path()));
        known(&store, 1);
        known(&target, 2);
        let of = exported(&store);
        // The other as an earlier version made it.
        let empty = tempfile::tempdir().unwrap();
        for file in [taken(&store, &[]), taken(&open_store(empty.path()), &of)] {
            let opened = open(&file, "a long passphrase", other.path()).unwrap();
            assert!(laid(&opened).is_empty());
            opened.lay_down().unwrap();
            let stays = Stays::of(&target);
            assert!(take_up(other.path(), &options(), stays).await.unwrap());
        }
        drop(target);
        let both = |r: &store::Read<'_>| Ok([state.get(r, EVENTS_SEEN)?, state.get(r, SUPERVISOR)?]);
        let kept = open_store(other.path()).read(both).unwrap();
        assert_eq!(kept, [2, 2].map(|told| Some(told.into())));
    }

    #[tokio::test]
    async fn what_was_under_way_is_in_no_backup_and_comes_back_from_none() {
        // Of each table it is decided here whether it is a record or under way.
        const UNDER_WAY: [&str; 5] = [
            "alert-collected",
            "alert-open",
            "alert-queue",
            "health_last",
            "health_outbox",
        ];
        const RECORDS: [&str; 10] = [
            "alert-history",
            "alert-services",
            "alert-state",
            "alert-told",
            "health_agents",
            "health_drives",
            "health_hosts",
            "health_points",
            "health_specs",
            "health_tokens",
        ];
        for table in notify::engine::NAMES.iter().chain(health::tables::NAMES) {
            assert_eq!(passing().contains(table), UNDER_WAY.contains(table), "{table}");
            assert_ne!(UNDER_WAY.contains(table), RECORDS.contains(table), "{table}");
        }
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path());
        let open_alerts = Table::<u64, serde_json::Value>::new("alert-open");
        store
            .write(move |w| open_alerts.put(w, &7, &serde_json::json!({ "id": 7 })))
            .await
            .unwrap();
        let rows = |file: &Held| laid(&open(file, "a long passphrase", dir.path()).unwrap());
        assert!(rows(&taken(&store, &[])).is_empty());
        // As an earlier version made it.
        let row = Row {
            table: "alert-open".into(),
            key: 7_u64.to_be_bytes().to_vec(),
            value: b"{}".to_vec(),
        };
        assert!(rows(&taken(&store, &[row])).is_empty());
    }

    #[tokio::test]
    async fn a_job_that_is_not_over_is_in_no_backup_and_comes_back_from_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path());
        let jobs = Table::<String, serde_json::Value>::new("jobs");
        let waiting = JobState::Waiting { why: "x".into() };
        let states = [JobState::Running, waiting, JobState::Finished, JobState::Aborted];
        for (id, state) in ["a", "b", "c", "d"].into_iter().zip(states) {
            let row = serde_json::json!({ "state": state });
            store.write(move |w| jobs.put(w, id, &row)).await.unwrap();
        }
        let of = exported(&store);
        let keys = |file: &Held| -> Vec<Vec<u8>> {
            let rows = laid(&open(file, "a long passphrase", dir.path()).unwrap());
            rows.into_iter().map(|row| row.key).collect()
        };
        let over = [b"c".to_vec(), b"d".to_vec()];
        let now = taken(&store, &[]);
        assert_eq!(keys(&now), over);
        // As an earlier version made it.
        let empty = tempfile::tempdir().unwrap();
        let earlier = taken(&open_store(empty.path()), &of);
        assert_eq!(keys(&earlier), over);
    }

    #[tokio::test]
    async fn what_a_store_has_room_for_comes_back() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = open_store(one.path());
        let state = Table::<u64, String>::new("events");
        // More than the 128 MiB that were the bound once.
        let long = "x".repeat(4 << 20);
        for n in 0..33_u64 {
            let long = long.clone();
            store.write(move |w| state.put(w, &n, &long)).await.unwrap();
        }
        let file = taken(&store, &[]);
        let opened = open(&file, "a long passphrase", other.path()).unwrap();
        opened.lay_down().unwrap();
        // One that is as full itself.
        drop(store);
        fs::copy(one.path().join(store::FILE_NAME), other.path().join(store::FILE_NAME)).unwrap();
        assert!(taken_up(other.path()).await.unwrap());
        let target = open_store(other.path());
        let last = target.read(|r| state.get(r, &32)).unwrap().unwrap();
        assert_eq!(last.len(), long.len());
    }

    #[test]
    fn what_is_not_laid_down_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path());
        let state = Table::<String, serde_json::Value>::new("state");
        let put = store.write(move |w| state.put(w, "x", &serde_json::json!("secret")));
        put.wait().unwrap();
        let file = taken(&store, &[]);
        let opened = open(&file, "a long passphrase", dir.path()).unwrap();
        let path = opened.unfinished.path.clone();
        assert!(fs::read(&path).unwrap().windows(6).any(|six| six == b"secret"));
        let kept = dir.path().join("witness");
        fs::hard_link(&path, &kept).unwrap();
        drop(opened);
        let bytes = fs::read(&kept).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0));
        assert!(!path.exists() && !dir.path().join(WAITING).exists());
        // Whether its name stays was not answered: it is no order then.
        let opened = open(&file, "a long passphrase", dir.path()).unwrap();
        let failing = |_: &Path| Err(io::Error::from(io::ErrorKind::Other));
        assert!(matches!(opened.lay_down_by(failing), Err(Error::File(..))));
        assert!(!path.exists() && !dir.path().join(WAITING).exists());
    }

    #[tokio::test]
    async fn damaged_rows_are_discarded_with_their_bytes_and_the_state_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path());
        let state = Table::<String, serde_json::Value>::new("state");
        store
            .write(move |w| state.put(w, "x", &serde_json::json!(1)))
            .await
            .unwrap();
        let (waiting, kept) = (dir.path().join(WAITING), dir.path().join("witness"));
        fs::write(&waiting, b"\x05\0stat").unwrap();
        // A second name shows what became of the bytes.
        fs::hard_link(&waiting, &kept).unwrap();
        assert!(taken_up(dir.path()).await.is_err());
        assert!(!dir.path().join(REFUSED).exists() && !waiting.exists());
        assert_eq!(fs::read(&kept).unwrap(), [0; 6]);
        assert!(store.read(|r| state.get(r, "x")).unwrap().is_some());
        assert!(!taken_up(dir.path()).await.unwrap());
        // As after a power cut in the middle.
        fs::write(dir.path().join(TRYING), b"rows").unwrap();
        fs::write(dir.path().join(NEW), b"rows").unwrap();
        assert!(matches!(taken_up(dir.path()).await, Err(Error::Ended)));
        assert!(!taken_up(dir.path()).await.unwrap(), "told once");
        let left = fs::read_dir(dir.path()).unwrap().flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("restore"));
        assert_eq!(left.count(), 0);
        assert!(store.read(|r| state.get(r, "x")).unwrap().is_some());
    }

    #[test]
    fn what_this_version_cannot_put_back_is_refused_before_anything_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path());
        let row = |table: &str| Row {
            table: table.into(),
            key: b"k".to_vec(),
            value: b"0000{}".to_vec(),
        };
        let refused = |row: Row| {
            let file = taken(&store, &[row]);
            open(&file, "a long passphrase", dir.path()).unwrap_err()
        };
        let newer = refused(row("of-a-later-version"));
        assert!(matches!(&newer, Error::Table { table, .. } if table == "of-a-later-version"));
        assert!(newer.to_string().contains("0.1.0"), "{newer}");
        assert!(matches!(refused(row("state")), Error::Damaged { .. }));
        let left = fs::read_dir(dir.path()).unwrap().flatten();
        assert!(
            left.into_iter()
                .all(|entry| !entry.file_name().to_string_lossy().starts_with("restore"))
        );
    }

    #[test]
    fn another_schema_is_named() {
        let other = Head { schema: 99, ..head() };
        let text = serde_json::to_string(&other).unwrap();
        let file = seal::Sealer::new(Vec::new(), &text, "a long passphrase").unwrap();
        let why = look(&held(&file.finish().unwrap())).unwrap_err().to_string();
        assert!(why.contains("99") && why.contains("0.1.0"), "{why}");
    }

    /// Behind the last row there is nothing to read, and still the end is looked for.
    #[test]
    fn a_cut_at_any_place_is_told_and_leaves_nothing() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = open_store(dir.path());
        // So much that nobody can pack it: it has several pieces.
        let noise: Vec<Row> = (0..3)
            .map(|n| Row {
                table: "agent/jobs".into(),
                key: vec![n],
                value: (0..2000).flat_map(|_| crate::auth::secret::random::<32>()).collect(),
            })
            .collect();
        let file = bytes(&taken(&store, &noise));
        let refused = |bytes: &[u8]| open(&held(bytes), "a long passphrase", other.path()).unwrap_err();
        for cut in [file.len() - 1, file.len() - 60_000, 100_000] {
            let why = refused(&file[..cut]);
            assert!(matches!(why, Error::Seal(seal::Error::Changed { .. })), "{cut}: {why}");
            assert!(why.to_string().contains("the passphrase is right"), "{why}");
        }
        assert!(matches!(refused(&file[..50_000]), Error::Seal(seal::Error::Opened)));
        let longer = [&file[..], b"x"].concat();
        assert!(matches!(refused(&longer), Error::Seal(seal::Error::Changed { .. })));
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        let opened = open(&held(&file), "a long passphrase", other.path()).unwrap();
        assert_eq!(bytes(&opened.of_agent), bytes(&rows(&noise)));
    }
}

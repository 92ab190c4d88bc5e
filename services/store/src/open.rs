//! Opening a store: lock the directory, see that nobody who was killed still writes there, check the file in a child, set one aside
//! that is bad or of another schema, map it, start the writer.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions};

use crate::check::{self, Check, Finding};
use crate::error::{Error, Result};
use crate::keeper::Keeper;
use crate::predecessor::{self, Left};
use crate::set_aside::{SetAside, bring_back, keep_for, set_aside};
use crate::store::{META, Store, Tables};
use crate::value;

/// Name of the environment's file in its directory.
pub const FILE_NAME: &str = "kiln.mdb";

/// Name of the file whose lock says that a process has the directory open.
const LOCK_NAME: &str = "kiln.lock";

/// Most readers at a time.
const READERS: u32 = 126;

/// Length of LMDB's own lock file in bytes: more than it asks for, or it adds the rest as a hole. That is 8192 on x86-64 and
/// more on ARM64, whose mutexes are larger: 64 for each reader but one, and a header (`mdb_env_setup_locks`).
const LOCK_LENGTH: usize = 12_288;

/// Key of the schema's version in the store's own table.
pub(crate) const SCHEMA_KEY: &[u8] = b"schema";

/// Key of the tables' names in the store's own table: elsewhere they have no checksum.
pub(crate) const TABLES_KEY: &[u8] = b"tables";

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest size of the environment in bytes, rounded up to 64 KiB. Only address space until it is used.
    pub map_size: usize,
    /// Version of the meaning of keys and values. A file with another one is set aside, until that is opened again.
    pub schema: u32,
    /// Names of all tables.
    pub tables: Vec<&'static str>,
    /// How the file is checked before it is mapped.
    pub check: Check,
    /// How long the check may take. A whole read of the file: generous, because a stick may do 5 MB/s.
    pub check_deadline: Duration,
}

impl Options {
    /// Options with `tables`, 256 MiB at most, schema 1, the check by re-execution and 120 s for it.
    pub fn new(tables: &[&'static str]) -> Self {
        Options {
            map_size: 256 << 20,
            schema: 1,
            tables: tables.to_vec(),
            check: Check::Reexec,
            check_deadline: Duration::from_mins(2),
        }
    }
}

/// An open store, and what had to be put out of the way for it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The environment that lay there and was bad or of another schema. Its place has the one that was set aside before for this
    /// schema, or a new, empty one.
    pub set_aside: Option<SetAside>,
}

/// Opens the store in `dir`, making both if they are not there.
///
/// # Errors
/// [`Error::InUse`]: another process has it. [`Error::File`] and [`Error::Check`]: the medium or the machine failed and
/// nothing is known about the content; nothing was changed, trying again later or elsewhere is right.
pub fn open(dir: &Path, options: &Options) -> Result<Opened> {
    fs::create_dir_all(dir).map_err(Error::file("creating", dir))?;
    let lock = lock(dir)?;
    let path = dir.join(FILE_NAME);
    let lmdb_lock = dir.join(format!("{FILE_NAME}-lock"));
    refuse_a_predecessor(dir, &lmdb_lock)?;

    let aside = make_way(&path, options)?;
    room_for_lock(&lmdb_lock)?;

    let mut names = options.tables.clone();
    names.push(META);
    let lmdb = |cause| Error::Open {
        path: path.clone(),
        cause: Arc::new(cause),
    };
    let mut builder = EnvOpenOptions::new().read_txn_without_tls();
    builder
        .map_size(options.map_size.next_multiple_of(64 << 10))
        .max_dbs(u32::try_from(names.len()).unwrap_or(u32::MAX))
        .max_readers(READERS);
    // SAFETY: NO_SUB_DIR only says that the path is a file. No durability flag is given up.
    unsafe { builder.flags(EnvFlags::NO_SUB_DIR) };
    // SAFETY: the file is changed by nobody else while it is mapped: the directory's lock is held for as long as the
    // environment lives, and this crate is the only one that writes the file. The check has just read all its pages.
    let env = unsafe { builder.open(&path) }.map_err(lmdb)?;

    let schema = value::encode(SCHEMA_KEY, &options.schema).map_err(|cause| Error::Encode {
        table: META,
        cause: Arc::new(cause),
    })?;
    let named = value::encode(TABLES_KEY, &names).map_err(|cause| Error::Encode {
        table: META,
        cause: Arc::new(cause),
    })?;
    let txn = env.write_txn().map_err(lmdb)?;
    let tables = env
        .create_databases_and_commit(txn, |opener, txn| {
            let mut opened = Vec::with_capacity(names.len());
            for name in &names {
                let table = opener.create_database::<heed::types::Bytes, heed::types::Bytes>(txn, Some(name))?;
                if *name == META && table.get(txn, SCHEMA_KEY)?.is_none() {
                    table.put(txn, SCHEMA_KEY, &schema)?;
                }
                if *name == META && table.get(txn, TABLES_KEY)? != Some(named.as_slice()) {
                    table.put(txn, TABLES_KEY, &named)?;
                }
                opened.push(table);
            }
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(Handles(opened)))
        })
        .map_err(lmdb)?
        .unwrap_commit();
    let tables = Tables(names.into_iter().zip(tables).collect::<BTreeMap<_, _>>());
    Ok(Opened {
        store: Store::start(env, tables, path, Keeper::hold(lock))?,
        set_aside: aside,
    })
}

/// Sees to it that `path` is an environment that may be mapped, or nothing; gives what was last put out of the way.
fn make_way(path: &Path, options: &Options) -> Result<Option<SetAside>> {
    let mut aside = None;
    loop {
        match check::run(&options.check, path, options.schema, options.check_deadline)? {
            Finding::Good { .. } => return Ok(aside),
            Finding::Absent => {}
            Finding::OtherSchema { schema } => aside = Some(keep_for(schema, path, options.schema)?),
            Finding::Bad { why } => aside = Some(set_aside(path, why, jiff::Timestamp::now())?),
            Finding::Unknown { why } => {
                let path = path.to_owned();
                return Err(Error::Check { path, why });
            }
        }
        // It loses the name that it was kept under, so this ends.
        if !bring_back(options.schema, path)? {
            return Ok(aside);
        }
    }
}

/// Table handles on their way out of the transaction that made them.
struct Handles<D>(Vec<D>);

impl<D: heed::OnCommit> heed::OnCommit for Handles<D> {
    type Committed = Vec<D::Committed>;

    fn on_commit(self, token: &heed::CommitToken) -> Self::Committed {
        self.0.into_iter().map(|handle| handle.on_commit(token)).collect()
    }
}

/// Empties LMDB's own lock file, which only holds reader slots and mutexes of processes that are gone: we are alone here, and a
/// torn one must not keep the store from opening.
///
/// LMDB writes to it through a map, where a medium without room is a SIGBUS and not an error. So its blocks are written here,
/// in their place, and stay its own: once it is there, a medium that has filled up since keeps no store shut.
fn room_for_lock(path: &Path) -> Result<()> {
    let zeros = || {
        let mut options = File::options();
        let mut file = options
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        file.set_len(LOCK_LENGTH as u64)?;
        file.write_all(&[0; LOCK_LENGTH])
    };
    match zeros() {
        // What is no file of ours makes place for one.
        Err(error) if error.kind() != std::io::ErrorKind::StorageFull => fs::remove_file(path).and_then(|()| zeros()),
        done => done,
    }
    .map_err(Error::file("making room for the lock file", path))
}

/// How long a lock is tried for: a child of this process that is just being started, and a keeper that is, hold for a moment a copy of a
/// lock that was let go of.
const COPIES: Duration = Duration::from_secs(1);

/// Takes the lock on the directory. It goes with the last copy of the file's descriptor.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_NAME);
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::file("opening the lock", &path))?;
    let until = Instant::now() + COPIES;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(dir.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(Error::file("locking", &path)(cause)),
        }
    }
}

/// Refuses as long as a process that was killed over this store may still write to it. Where it only holds LMDB's lock file, that
/// loses its name: LMDB would wait for it, or believe what is in it.
fn refuse_a_predecessor(dir: &Path, lmdb_lock: &Path) -> Result<()> {
    let told = |what| Error::file(what, lmdb_lock);
    match predecessor::left(lmdb_lock).map_err(told("looking who holds"))? {
        Left::Nothing => Ok(()),
        Left::Writes => Err(Error::InUse(dir.to_owned())),
        Left::Locked => {
            tracing::warn!(
                dir = %dir.display(),
                "the process that had this store before was killed and is stuck in the kernel; it writes nothing here any more"
            );
            fs::remove_file(lmdb_lock).map_err(told("removing"))
        }
    }
}

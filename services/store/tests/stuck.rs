//! A process that was killed while the kernel holds one of its threads: shown with one that the freezer (cgroup v1) holds, which, like
//! one in D state, dies only when it is let go.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use store::{Check, Error, Options, Table, open};

const NOTES: Table<u64, String> = Table::new("notes");

/// Where the helper opens its store.
const PLACE: &str = "KILN_TEST_STUCK";

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_mins(1);

fn options() -> Options {
    Options {
        map_size: 16 << 20,
        check: Check::InProcess,
        ..Options::new(&["notes"])
    }
}

/// Not a test: the process that is killed.
#[test]
fn helper() {
    let Some(dir) = std::env::var_os(PLACE).map(PathBuf::from) else {
        return;
    };
    let store = open(&dir, &options()).unwrap().store;
    store.write(|w| NOTES.append(w, &"one".to_owned())).wait().unwrap();
    let heat = std::thread::Builder::new().name("drive-heat".to_owned());
    let heat = heat.spawn(std::thread::park).unwrap();
    std::fs::write(dir.join("ready"), "").unwrap();
    heat.join().unwrap();
}

/// A frozen group that is thawed and removed whatever happens.
struct Freezer(PathBuf);

impl Freezer {
    fn new(name: &str) -> Option<Self> {
        let dir = Path::new("/sys/fs/cgroup/freezer").join(format!("kiln-store-{name}-{}", std::process::id()));
        match std::fs::create_dir(&dir) {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                rig::not_run(&format!("no cgroup v1 freezer here ({}: {error})", dir.display()));
                None
            }
        }
    }

    fn thaw(&self) {
        let _ = std::fs::write(self.0.join("freezer.state"), "THAWED");
    }

    fn set(&self, state: &str) {
        std::fs::write(self.0.join("freezer.state"), state).unwrap();
        until(state, || {
            std::fs::read_to_string(self.0.join("freezer.state")).unwrap().trim() == state
        });
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        self.thaw();
        for _ in 0..500 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Killed, let go and reaped whatever happens.
struct Victim(Child, Freezer);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        self.1.thaw();
        let _ = self.0.wait();
    }
}

impl Victim {
    /// Its threads that have not ended, by name.
    fn threads(&self) -> Vec<(String, String)> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.0.id())) else {
            return Vec::new();
        };
        tasks
            .filter_map(|task| {
                let path = task.ok()?.path();
                let stat = std::fs::read_to_string(path.join("stat")).ok()?;
                let ended = stat.rsplit_once(") ")?.1.starts_with(['Z', 'X']);
                let number = path.file_name()?.to_str()?.to_owned();
                (!ended).then(|| Some((stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned(), number)))?
            })
            .collect()
    }
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A helper that was killed while its thread called `held` was frozen, and that hangs since.
fn killed(dir: &Path, freezer: Freezer, held: &str) -> Victim {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "helper"])
        .env(PLACE, dir)
        .stdout(Stdio::null());
    let mut victim = Victim(command.spawn().unwrap(), freezer);
    until("the store of the helper", || dir.join("ready").exists());
    assert!(matches!(open(dir, &options()), Err(Error::InUse(_))), "it is alive");
    let threads = victim.threads();
    let (_, number) = threads.iter().find(|(name, _)| name == held).unwrap();
    std::fs::write(victim.1.0.join("tasks"), number).unwrap();
    victim.1.set("FROZEN");
    assert!(matches!(open(dir, &options()), Err(Error::InUse(_))), "it is alive");
    victim.0.kill().unwrap();
    until("the end of its other threads", || victim.threads().len() == 1);
    assert_eq!(victim.threads()[0].0, held);
    assert!(victim.0.try_wait().unwrap().is_none(), "it is not gone");
    victim
}

#[test]
fn one_that_hangs_on_a_drive_keeps_nobody_out_of_its_store() {
    let Some(freezer) = Freezer::new("heat") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut victim = killed(dir.path(), freezer, "drive-heat");
    let add = |expected: u64| {
        let opened = open(dir.path(), &options()).unwrap();
        assert_eq!(opened.set_aside, None);
        let store = opened.store;
        assert_eq!(
            store.write(|w| NOTES.append(w, &"more".to_owned())).wait().unwrap(),
            expected
        );
        assert_eq!(store.read(|r| NOTES.len(r)).unwrap(), expected);
        assert!(
            matches!(open(dir.path(), &options()), Err(Error::InUse(_))),
            "one at a time"
        );
    };
    add(2);
    // Again: a store that was opened beside it is none that it holds.
    add(3);
    victim.1.set("THAWED");
    victim.0.wait().unwrap();
    add(4);
}

#[test]
fn one_whose_writer_hangs_keeps_its_store_until_it_is_gone() {
    let Some(freezer) = Freezer::new("writer") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut victim = killed(dir.path(), freezer, "store-writer");
    for _ in 0..3 {
        assert!(matches!(open(dir.path(), &options()), Err(Error::InUse(_))));
    }
    victim.1.set("THAWED");
    victim.0.wait().unwrap();
    let store = open(dir.path(), &options()).unwrap().store;
    assert_eq!(store.read(|r| NOTES.len(r)).unwrap(), 1);
}

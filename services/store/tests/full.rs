//! A medium without space: LMDB tells it in two ways, and both are a full store.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use store::{Check, Error, Options, Store, Table, open};

const LOG: Table<u64, String> = Table::new("log");

/// A store on a file system of its own, of which so many bytes are free.
fn on_a_full_medium(dir: &Path, free: usize) -> Result<Store, nix::Error> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("none"), dir, Some("tmpfs"), MsFlags::empty(), Some("size=1m"))?;
    let options = Options {
        check: Check::InProcess,
        ..Options::new(&["log"])
    };
    let store = open(dir, &options).unwrap().store;
    std::fs::write(dir.join("room"), vec![1; free]).unwrap();
    let mut others = File::create(dir.join("others")).unwrap();
    while others.write_all(&[1; 4096]).is_ok() {}
    std::fs::remove_file(dir.join("room")).unwrap();
    Ok(store)
}

/// With some space left the write is cut short, which LMDB calls EIO.
#[test]
fn a_write_that_a_full_medium_cut_short_is_told_as_full() {
    for free in [0, 12 << 10] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let tried = std::thread::spawn(move || {
            let store = on_a_full_medium(&path, free)?;
            let put = || store.write(|w| LOG.put(w, &1, &"x".repeat(64 << 10))).wait();
            let refused = [put().unwrap_err(), put().unwrap_err()];
            std::fs::remove_file(path.join("others")).unwrap();
            put().unwrap();
            Ok::<_, nix::Error>(refused)
        });
        match tried.join().unwrap() {
            Ok(refused) => assert!(
                refused.iter().all(|e| matches!(e, Error::Full(_))),
                "{free}: {refused:?}"
            ),
            Err(error) => return rig::not_run(&format!("a file system of its own: {error}")),
        }
    }
}

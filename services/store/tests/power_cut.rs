//! What a power cut leaves: the file before a commit plus any subset of that commit's pages.
//!
//! LMDB writes a commit's pages, flushes, and only then writes the meta page that makes them valid. So a cut before the
//! meta page leaves the old state whole, whichever pages arrived; a cut after it leaves the new one whole.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use store::{Check, Options, Store, Table, open};

const NOTES: Table<u64, String> = Table::new("notes");
const PAGE: usize = 4096;

fn options() -> Options {
    Options {
        map_size: 16 << 20,
        check: Check::Program(PathBuf::from(env!("CARGO_BIN_EXE_kiln-store"))),
        ..Options::new(&["notes"])
    }
}

fn add(store: &Store, count: u64, size: usize) {
    store
        .write(move |w| {
            for _ in 0..count {
                let number = NOTES.append(w, &"y".repeat(size))?;
                if number % 3 == 0 {
                    NOTES.delete(w, &(number / 2))?;
                }
            }
            Ok(())
        })
        .wait()
        .unwrap();
}

/// Numbers of the notes in a store made of `bytes`; `None` if it was set aside.
fn reopen(bytes: &[u8]) -> Option<Vec<u64>> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(store::FILE_NAME), bytes).unwrap();
    let opened = open(dir.path(), &options()).unwrap();
    opened.set_aside.is_none().then(|| numbers(&opened.store))
}

fn numbers(store: &Store) -> Vec<u64> {
    store
        .read(|r| Ok(NOTES.all(r)?.into_iter().map(|(n, _)| n).collect()))
        .unwrap()
}

fn snapshot(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_subset_of_a_commits_pages_is_the_old_or_the_new_state(
        history in proptest::collection::vec((1_u64..40, 1_usize..2000), 1..6),
        last in (1_u64..40, 1_usize..2000),
        arrived in proptest::collection::vec(any::<bool>(), 256),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &options()).unwrap().store;
        for (count, size) in history {
            add(&store, count, size);
        }
        let (before, old) = (snapshot(store.path()), numbers(&store));
        add(&store, last.0, last.1);
        let (after, new) = (snapshot(store.path()), numbers(&store));
        prop_assert_ne!(&old, &new);

        // The file may have grown before the cut; growth reads as zeros where pages did not arrive.
        let mut cut = before.clone();
        cut.resize(after.len(), 0);
        let mut differing = 0;
        for page in 2..after.len() / PAGE {
            let range = page * PAGE..(page + 1) * PAGE;
            if cut[range.clone()] != after[range.clone()] {
                differing += 1;
                if arrived[page % arrived.len()] {
                    cut[range.clone()].copy_from_slice(&after[range]);
                }
            }
        }
        prop_assert!(differing > 0, "the commit wrote pages");
        prop_assert_eq!(reopen(&cut), Some(old), "before the meta page");
        prop_assert_eq!(reopen(&after), Some(new.clone()), "after the meta page");

        // A medium that lies about flushing: the meta page arrived, some pages did not. Anything may be true of the
        // file, but the process lives, and what is shown was once stored or was set aside.
        let mut lying = cut;
        lying[..2 * PAGE].copy_from_slice(&after[..2 * PAGE]);
        if let Some(shown) = reopen(&lying) {
            prop_assert!(shown.iter().all(|n| *n <= *new.last().unwrap()));
        }
    }
}

//! Tables against a model, order of writes, rollback, batching, retention, and use from tasks.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use store::{Check, Error, Options, Store, Table, open};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    drive: String,
    done: u64,
}

const JOBS: Table<String, Job> = Table::new("jobs");
const EVENTS: Table<u64, u64> = Table::new("events");
const LOG: Table<(String, u64), String> = Table::new("log");
const STRANGER: Table<u64, u64> = Table::new("stranger");

fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        map_size: 8 << 20,
        check: Check::InProcess,
        ..Options::new(&["jobs", "events", "log"])
    };
    let store = open(dir.path(), &options).unwrap().store;
    (dir, store)
}

#[test]
fn a_write_is_read_back_and_gone_after_delete() {
    let (_dir, store) = fresh();
    let job = Job {
        drive: "WWN".into(),
        done: 7,
    };
    let put = job.clone();
    store.write(move |w| JOBS.put(w, "a", &put)).wait().unwrap();
    assert_eq!(store.read(|r| JOBS.get(r, "a")).unwrap(), Some(job));
    assert!(store.write(|w| JOBS.delete(w, "a")).wait().unwrap());
    assert_eq!(store.read(|r| JOBS.get(r, "a")).unwrap(), None);
}

#[test]
fn the_last_entries_of_some_words_are_found_among_others() {
    let (_dir, store) = fresh();
    let put = |key: &'static str, drive: &str, done: u64| {
        let job = Job {
            drive: drive.into(),
            done,
        };
        store.write(move |w| JOBS.put(w, key, &job)).wait().unwrap();
    };
    for (key, drive, done) in [
        ("a", "x", 1),
        ("b", "y", 2),
        ("c", "x", 3),
        ("d", "x", 4),
        ("e", "x\"y", 5),
    ] {
        put(key, drive, done);
    }
    let found = |limit, part: &str, least| {
        let is = |_: &String, job: &Job| job.done >= least;
        let found = store.read(|r| JOBS.last_n_with(r, limit, part, is)).unwrap();
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(found(9, r#""drive":"x""#, 0), ["a", "c", "d"]);
    assert_eq!(found(2, r#""drive":"x""#, 0), ["c", "d"]);
    assert_eq!(
        found(9, r#""drive":"x""#, 4),
        ["d"],
        "what has the words and is not taken"
    );
    assert_eq!(found(9, r#""drive":"x\"y""#, 0), ["e"]);
    assert!(found(0, "", 0).is_empty() && found(9, "z", 0).is_empty());
}

#[test]
fn a_failed_write_leaves_nothing_and_harms_no_other() {
    let (_dir, store) = fresh();
    let good = store.write(|w| EVENTS.append(w, &1));
    let bad = store.write(|w| {
        EVENTS.append(w, &2)?;
        Err::<(), _>(Error::GivenUp("changed my mind".into()))
    });
    let panicking = store.write(|w| -> store::Result<()> {
        EVENTS.append(w, &3)?;
        panic!("on purpose");
    });
    let last = store.write(|w| EVENTS.append(w, &4));
    assert_eq!(good.wait().unwrap(), 1);
    assert!(matches!(bad.wait(), Err(Error::GivenUp(_))));
    assert!(matches!(panicking.wait(), Err(Error::Panicked)));
    assert_eq!(last.wait().unwrap(), 2, "the failed write's number is free again");
    assert_eq!(store.read(|r| EVENTS.all(r)).unwrap(), [(1, 1), (2, 4)]);
}

#[test]
fn waiting_writes_share_one_commit() {
    let (_dir, store) = fresh();
    let (open_gate, gate) = mpsc::channel::<()>();
    let (starting, started) = mpsc::channel::<()>();
    let first = store.write(move |_| {
        starting.send(()).unwrap();
        gate.recv().unwrap();
        Ok(())
    });
    started.recv().unwrap();
    let rest: Vec<_> = (0..100).map(|n| store.write(move |w| EVENTS.append(w, &n))).collect();
    assert_eq!(store.health().queued, 100);
    assert!(store.health().busy_for.is_some());
    open_gate.send(()).unwrap();
    first.wait().unwrap();
    for (n, pending) in rest.into_iter().enumerate() {
        assert_eq!(pending.wait().unwrap(), n as u64 + 1, "in the order of the calls");
    }
    let health = store.health();
    assert_eq!(health.commits, 2, "100 waiting writes took more than one commit");
    assert_eq!(health.queued, 0);
}

/// What can wait is carried by the next commit, whoever asks for it, in its place; alone it is written when its time is over.
#[test]
fn a_write_that_can_wait_joins_the_next_one_and_waits_no_longer_than_it_can() {
    let (_dir, store) = fresh();
    let hour = Duration::from_hours(1);
    let waiting: Vec<_> = (0..24)
        .map(|n| store.write_within(hour, move |w| EVENTS.append(w, &n)))
        .collect();
    assert_eq!(store.write(|w| EVENTS.append(w, &24)).wait().unwrap(), 25);
    for (n, pending) in waiting.into_iter().enumerate() {
        assert_eq!(pending.wait().unwrap(), n as u64 + 1);
    }
    assert_eq!(store.health().commits, 1);
    let late = store.write_within(hour, |w| EVENTS.append(w, &25));
    let soon = store.write_within(Duration::from_millis(1), |w| EVENTS.append(w, &26));
    assert_eq!((soon.wait().unwrap(), late.wait().unwrap()), (27, 26));
    assert_eq!(store.health().commits, 2);
    let last = store.write_within(hour, |w| EVENTS.append(w, &27));
    drop(store);
    assert_eq!(last.wait().unwrap(), 28, "the end of a store waits for nothing");
}

#[test]
fn numbers_are_never_used_twice() {
    let (_dir, store) = fresh();
    let append = || store.write(|w| EVENTS.append(w, &0)).wait().unwrap();
    assert_eq!((append(), append(), append()), (1, 2, 3));
    store.write(|w| EVENTS.clear(w)).wait().unwrap();
    assert_eq!(append(), 4);
}

#[test]
fn a_full_store_says_so_and_goes_on_after_deletion() {
    let (_dir, store) = fresh();
    let big = "z".repeat(100_000);
    let mut stored = 0_u64;
    let error = loop {
        let text = big.clone();
        match store.write(move |w| LOG.append_to(w, "job", &text)).wait() {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full(_)), "{error}");
    assert!(stored > 20);
    assert_eq!(store.read(|r| LOG.len(r)).unwrap(), stored);
    assert_eq!(
        store.write(|w| LOG.keep_last_of(w, "job", 5)).wait().unwrap() as u64,
        stored - 5
    );
    assert_eq!(
        store.write(|w| LOG.append_to(w, "job", &String::new())).wait().unwrap(),
        stored + 1
    );
}

#[test]
fn what_grows_leaves_a_reserve_in_which_everything_can_be_deleted() {
    let (_dir, store) = fresh();
    // Small values fill all pages, so that without a reserve none is free for a delete.
    let fill = || {
        let mut n = 0_u64;
        loop {
            let order = store.write_growing(move |w| (0..2048).try_for_each(|k| EVENTS.put(w, &(n * 2048 + k), &k)));
            match order.wait() {
                Ok(()) => n += 1,
                Err(error) => break (n, error),
            }
        }
    };
    let (batches, error) = fill();
    assert!(matches!(error, Error::Full(_)) && batches > 20, "{batches} {error}");
    let room = store.room().unwrap();
    assert!(room.used < room.map && room.is_tight(), "{room:?}");
    // One by one, each in a commit of its own: none fails.
    for n in 0..50_u64 {
        assert!(store.write(move |w| EVENTS.delete(w, &n)).wait().unwrap());
    }
    store.write(|w| EVENTS.clear(w)).wait().unwrap();
    assert!(!store.room().unwrap().is_tight());
    assert!(fill().0 >= batches / 2, "and it fills again");
}

#[test]
fn mistakes_are_errors_with_the_tables_name() {
    let (_dir, store) = fresh();
    assert!(matches!(
        store.read(|r| STRANGER.get(r, &1)),
        Err(Error::NoTable("stranger"))
    ));
    let empty = store.read(|r| JOBS.get(r, "")).unwrap_err();
    let nul = store
        .write(|w| LOG.append_to(w, "a\0b", &String::new()))
        .wait()
        .unwrap_err();
    let long = store.read(|r| JOBS.get(r, &"k".repeat(512))).unwrap_err();
    for (error, table) in [(empty, "jobs"), (nul, "log"), (long, "jobs")] {
        assert!(
            matches!(error, Error::Key { .. }) && error.to_string().contains(table),
            "{error}"
        );
    }
    const AS_TEXT: Table<u64, String> = Table::new("events");
    store.write(|w| EVENTS.append(w, &1)).wait().unwrap();
    assert!(matches!(store.read(|r| AS_TEXT.get(r, &1)), Err(Error::Value { .. })));
}

#[test]
fn dropping_the_last_handle_finishes_what_was_ordered() {
    let (dir, store) = fresh();
    let ran = Arc::new(AtomicU64::new(0));
    for _ in 0..50 {
        let ran = Arc::clone(&ran);
        store
            .write(move |w| {
                ran.fetch_add(1, Ordering::SeqCst);
                EVENTS.append(w, &0)
            })
            .forget();
    }
    drop(store);
    assert_eq!(ran.load(Ordering::SeqCst), 50);
    let options = Options {
        map_size: 8 << 20,
        check: Check::InProcess,
        ..Options::new(&["events"])
    };
    let again = open(dir.path(), &options).unwrap().store;
    assert_eq!(again.read(|r| EVENTS.len(r)).unwrap(), 50);
}

#[test]
fn tasks_can_await_writes() {
    let (_dir, store) = fresh();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let numbers = runtime.block_on(async {
        let mut numbers = Vec::new();
        for n in 0..10 {
            numbers.push(store.write(move |w| EVENTS.append(w, &n)).await.unwrap());
        }
        numbers
    });
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    assert_eq!((store.touch().wait().unwrap(), store.touch().wait().unwrap()), (1, 2));
}

#[derive(Debug, Clone)]
enum Step {
    Put(String, u64, String),
    Append(String, String),
    Delete(String, u64),
    KeepLastOf(String, u64),
    KeepLast(u64),
}

fn step() -> impl Strategy<Value = Step> {
    // Texts that are prefixes of each other, to find keys that run together.
    let of = || {
        prop_oneof![
            Just("a".to_owned()),
            Just("a\u{1}".to_owned()),
            Just("ab".to_owned()),
            Just("b".to_owned())
        ]
    };
    prop_oneof![
        (of(), 0_u64..20, ".{0,9}").prop_map(|(of, n, v)| Step::Put(of, n, v)),
        (of(), ".{0,9}").prop_map(|(of, v)| Step::Append(of, v)),
        (of(), 0_u64..20).prop_map(|(of, n)| Step::Delete(of, n)),
        (of(), 0_u64..5).prop_map(|(of, n)| Step::KeepLastOf(of, n)),
        (0_u64..30).prop_map(Step::KeepLast),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_table_behaves_like_a_sorted_map(steps in proptest::collection::vec(step(), 1..60)) {
        let (_dir, store) = fresh();
        let mut model: BTreeMap<(String, u64), String> = BTreeMap::new();
        for step in steps {
            let doing = step.clone();
            store.write(move |w| match doing {
                Step::Put(of, n, v) => LOG.put(w, &(of, n), &v),
                Step::Append(of, v) => LOG.append_to(w, &of, &v).map(drop),
                Step::Delete(of, n) => LOG.delete(w, &(of, n)).map(drop),
                Step::KeepLastOf(of, n) => LOG.keep_last_of(w, &of, n).map(drop),
                Step::KeepLast(n) => LOG.keep_last(w, n).map(drop),
            }).wait().unwrap();
            match step {
                Step::Put(of, n, v) => drop(model.insert((of, n), v)),
                Step::Append(of, v) => {
                    let last = model.range((of.clone(), 0)..=(of.clone(), u64::MAX)).next_back().map_or(0, |(k, _)| k.1);
                    model.insert((of, last + 1), v);
                }
                Step::Delete(of, n) => drop(model.remove(&(of, n))),
                Step::KeepLastOf(of, n) => {
                    let keys: Vec<_> = model.keys().filter(|k| k.0 == of).cloned().collect();
                    for key in keys.iter().rev().skip(n as usize) {
                        model.remove(key);
                    }
                }
                Step::KeepLast(n) => while model.len() as u64 > n {
                    model.pop_first();
                },
            }
        }
        let all = store.read(|r| LOG.all(r)).unwrap();
        prop_assert_eq!(&all, &model.clone().into_iter().collect::<Vec<_>>());
        for of in ["a", "ab", "b"] {
            let mine: Vec<(u64, String)> = model.iter().filter(|(k, _)| k.0 == of).map(|(k, v)| (k.1, v.clone())).collect();
            prop_assert_eq!(&store.read(|r| LOG.last_n_of(r, of, 1000)).unwrap(), &mine);
            let later: Vec<_> = mine.iter().filter(|(n, _)| *n > 7).take(3).cloned().collect();
            prop_assert_eq!(store.read(|r| LOG.after_of(r, of, 7, 3)).unwrap(), later);
        }
        let last: Vec<_> = all.iter().rev().take(4).rev().cloned().collect();
        prop_assert_eq!(store.read(|r| LOG.last_n(r, 4)).unwrap(), last);
        prop_assert_eq!(store.read(|r| LOG.last(r)).unwrap(), all.last().cloned());
    }
}

//! The outbox over a store of its own.
#![allow(clippy::unwrap_used, reason = "tests")]
use store::{Check, Options};
use wire::event::Severity;

use super::*;
use crate::events::tests::job;

fn options() -> Options {
    Options {
        check: Check::InProcess,
        ..Options::new(&["spool", "numbers", "certificates"])
    }
}

fn open(dir: &std::path::Path) -> Store {
    store::open(dir, &options()).unwrap().store
}

fn happening(message: &str) -> Happening {
    Happening::new(
        "test.happened",
        Severity::Info,
        None,
        message.into(),
        serde_json::Value::Null,
    )
}

/// Takes until `count` events came, as (number, message).
async fn events(outbox: &Outbox, cursor: &mut u64, count: usize) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    while all.len() < count {
        outbox.ready().await;
        for frame in outbox.take(cursor) {
            if let Frame::Event(event) = frame {
                all.push((event.origin.unwrap(), event.message));
            }
        }
    }
    all
}

fn messages(events: &[(u64, String)]) -> Vec<&str> {
    events.iter().map(|(_, message)| message.as_str()).collect()
}

#[tokio::test]
async fn events_are_told_again_until_the_server_has_them_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    for n in 0..200 {
        outbox.event(happening(&n.to_string()));
    }
    let first = events(&outbox, &mut 0, 200).await;
    assert!(first.windows(2).all(|pair| pair[0].0 < pair[1].0), "numbers rise");
    drop(outbox);
    // The tasks that waited for the commits hold the store a moment longer.
    while let Err(store::Error::InUse(_)) = store::open(dir.path(), &options()) {
        tokio::task::yield_now().await;
    }

    let outbox = Outbox::new(open(dir.path()));
    outbox.acknowledge(first[149].0).await.unwrap();
    outbox.tell_all();
    let again = events(&outbox, &mut 0, 50).await;
    assert_eq!(again, first[150..]);
}

#[tokio::test]
async fn a_lost_store_numbers_on_from_what_the_server_has() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    outbox.event(happening("a"));
    outbox.event(happening("b"));
    events(&outbox, &mut 0, 2).await;
    let far = u64::MAX / 2;
    outbox.acknowledge(far).await.unwrap();
    outbox.event(happening("c"));
    outbox.tell_all();
    let told = events(&outbox, &mut 0, 3).await;
    assert_eq!(messages(&told), ["a", "b", "c"]);
    assert!(told.iter().all(|(number, _)| *number > far), "{told:?}");
}

#[tokio::test]
async fn the_spool_is_bounded_and_gives_up_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outbox = Outbox::new(store.clone());
    let more = usize::try_from(SPOOL_MAX).unwrap() + 3;
    for n in 0..more {
        outbox.event(happening(&n.to_string()));
    }
    store.touch().await.unwrap();
    let mut cursor = 0;
    outbox.tell_all();
    let told = events(&outbox, &mut cursor, more - 3).await;
    assert_eq!(told[0].1, "3");
}

#[tokio::test]
async fn an_event_waits_for_the_last_state_of_its_job() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outbox = Outbox::new(store.clone());
    let hold = outbox.hold();
    outbox.event(happening("ended"));
    store.touch().await.unwrap();
    assert!(outbox.take(&mut 0).is_empty());
    outbox.job(job());
    drop(hold);
    let frames = outbox.take(&mut 0);
    assert!(matches!(frames[..], [Frame::Job(_), Frame::Event(_)]), "{frames:?}");
}

#[tokio::test]
async fn only_the_newest_state_is_told_and_logs_are_a_ring() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    let mut job = job();
    for n in 1..=3 {
        job.bad_sectors = n;
        outbox.job(job.clone());
        outbox.progress(
            job.id,
            ProgressFrame {
                percent: n as f64,
                ..ProgressFrame::default()
            },
        );
    }
    for n in 0..LOGS_MAX + 5 {
        outbox.log(LogLine {
            message: n.to_string(),
            ..LogLine::default()
        });
    }
    let mut cursor = 0;
    let frames = outbox.take(&mut cursor);
    let Some(Frame::Job(told)) = frames.first() else {
        panic!("no job first")
    };
    assert_eq!(told.bad_sectors, 3);
    let percents: Vec<f64> = frames
        .iter()
        .filter_map(|f| {
            if let Frame::Progress(p) = f {
                Some(p.percent)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(percents, [3.0]);
    let logs: Vec<&Frame> = frames.iter().filter(|f| matches!(f, Frame::Log(_))).collect();
    assert_eq!(logs.len(), LOGS_MAX);
    assert!(outbox.take(&mut cursor).is_empty(), "told once");
    outbox.tell_all();
    assert!(
        outbox.take(&mut cursor).iter().any(|f| matches!(f, Frame::Job(_))),
        "a new connection hears all"
    );
}

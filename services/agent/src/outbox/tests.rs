//! The outbox over a store of its own.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
use store::{Check, Options, Table};
use wire::event::Severity;

use super::*;
use crate::events::tests::job;

fn options() -> Options {
    Options {
        check: Check::InProcess,
        ..Options::new(&["spool", "numbers", "certificates"])
    }
}

fn home() -> To {
    to(true)
}

fn to(home: bool) -> To {
    let who = Who {
        host: "box".into(),
        gate: false,
    };
    To { who, home }
}

/// A frame's type and payload, whichever way it is made.
fn told(frame: &Frame) -> (String, serde_json::Value) {
    let mut value: serde_json::Value = serde_json::from_str(&frame.encode()).unwrap();
    (value["type"].as_str().unwrap().to_owned(), value["payload"].take())
}

fn open(dir: &std::path::Path) -> Store {
    store::open(dir, &options()).unwrap().store
}

/// After a restart of the agent the page said that nothing runs.
#[test]
fn where_a_paused_job_stands_is_told_on_a_pause_a_new_connection_and_when_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    let running = job();
    let waits = Job {
        state: JobState::Waiting {
            why: "paused by ann".into(),
        },
        ..running.clone()
    };
    let statuses = || -> Vec<String> {
        let frames = outbox.take(&mut 0, &to(false));
        let told = frames.iter().map(told).filter(|(kind, _)| kind == "progress");
        told.map(|(_, payload)| payload["status"].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    outbox.job(waits.clone());
    assert_eq!(statuses(), ["paused"]);
    assert!(statuses().is_empty());
    for again in [Outbox::tell_all, |outbox: &Outbox| outbox.glance(Time::now())] {
        again(&outbox);
        assert_eq!(statuses(), ["paused"]);
    }
    outbox.job(running.clone());
    assert_eq!(statuses(), ["running"]);
    // Its worker tells the rest.
    outbox.job(running.clone());
    assert!(statuses().is_empty());
    outbox.job(waits);
    outbox.job(Job {
        state: JobState::Aborted,
        ended: Some(Time::now()),
        ..running.clone()
    });
    assert!(!statuses().contains(&"paused".to_owned()));
}

/// A server that has others running ends them: it is told no sooner than all jobs were, and only when all are known here.
#[tokio::test]
async fn which_jobs_are_not_over_is_told_behind_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    let (mut over, running) = (job(), job());
    over.id = JobId::after(1 << 47);
    (over.state, over.ended) = (JobState::Finished, Some(Time::now()));
    outbox.job(over.clone());
    outbox.job(running.clone());
    let kinds = |outbox: &Outbox, to: &To| -> Vec<String> {
        let frames = outbox.take(&mut 0, to);
        frames.iter().map(|frame| told(frame).0).collect()
    };
    outbox.tell_all();
    assert!(
        !kinds(&outbox, &home()).contains(&"unfinished".to_owned()),
        "the medium was not read"
    );
    outbox.jobs_whole();
    outbox.tell_all();
    assert!(
        !kinds(&outbox, &to(false)).contains(&"unfinished".to_owned()),
        "a foreign server has no use for it"
    );
    // The end of one waits for its certificate, of which only some go at once.
    (1..=CERTIFICATES_AT_ONCE as u64).for_each(|n| outbox.certificate(JobId::after(n)));
    outbox.certificate(over.id);
    outbox.tell_all();
    let mut all = kinds(&outbox, &home());
    assert!(!all.contains(&"unfinished".to_owned()), "{all:?}");
    all.extend(kinds(&outbox, &home()));
    let place = |kind: &str| all.iter().rposition(|known| known == kind);
    assert_eq!(all.iter().filter(|kind| *kind == "unfinished").count(), 1, "{all:?}");
    assert!(place("unfinished") > place("job"), "{all:?}");
    outbox.tell_all();
    let frames = outbox.take(&mut 0, &home());
    let of = frames
        .iter()
        .map(told)
        .find(|(kind, _)| kind == "unfinished")
        .unwrap()
        .1;
    assert_eq!(of, serde_json::json!([running.id]));
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
        for frame in outbox.take(cursor, &home()) {
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
    outbox.acknowledge(u64::MAX).await.unwrap();
    outbox.tell_all();
    let kept = events(&outbox, &mut 0, 2).await;
    assert_eq!(messages(&kept), ["a", "b"], "no agent has ever told that many");
    // Microseconds of a year that this box's clock has not reached.
    let far = 1 << 51;
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
async fn what_a_full_spool_gave_up_is_told_with_its_number_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outbox = Outbox::new(store.clone());
    let many: Vec<Happening> = (0..SPOOL_MAX + 7).map(|n| happening(&n.to_string())).collect();
    store.write(move |w| spool(w, &many)).await.unwrap();
    outbox.own_up().await.unwrap();
    outbox.own_up().await.unwrap();
    let whole = usize::try_from(SPOOL_MAX).unwrap() + 1;
    outbox.tell_all();
    let told = events(&outbox, &mut 0, whole).await;
    assert_eq!((told.len(), told[0].1.as_str()), (whole, "7"));
    assert!(
        told[whole - 1].1.contains("the oldest 7 are lost"),
        "{}",
        told[whole - 1].1
    );
}

#[tokio::test]
async fn only_certificates_that_the_server_lacks_are_told() {
    const TEXTS: Table<String, serde_json::Value> = Table::new("certificates");
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ids = [JobId::after(1), JobId::after(2)];
    let put = store.write(move |w| {
        let text = serde_json::json!({ "drive": "wwn-5000c500a1b2c3d4", "text": "signed" });
        ids.iter().try_for_each(|id| TEXTS.put(w, &id.to_string(), &text))
    });
    put.wait().unwrap();
    let outbox = Outbox::new(store.clone());
    let told = |known: &[JobId]| -> Vec<JobId> {
        outbox.certificates_but(known);
        let frames = outbox.take(&mut 0, &home()).into_iter();
        let of = |frame| match frame {
            Frame::Certificate(certificate) => Some(certificate.job),
            _ => None,
        };
        frames.filter_map(of).collect()
    };
    assert_eq!(told(&[]), ids);
    assert_eq!(told(&ids[..1]), ids[1..]);
    assert_eq!(told(&ids), []);
    // The end of the first is not heard: what the server has of it is of an earlier one.
    let job = Job {
        id: ids[0],
        ..crate::events::tests::passed()
    };
    let ended = crate::events::ended(&job);
    store.write(move |w| spool(w, &[ended])).await.unwrap();
    assert_eq!(told(&ids), ids[..1]);
    let heard = store.read(|r| SPOOL.last(r)).unwrap().unwrap().0;
    outbox.acknowledge(heard).await.unwrap();
    assert_eq!(told(&ids), []);
}

#[tokio::test]
async fn a_foreign_server_hears_notifications_in_order_and_nothing_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outbox = Outbox::new(store.clone());
    let job = crate::events::tests::passed();
    outbox.event(crate::events::started(&job));
    outbox.event(crate::events::paused(&job, "ann"));
    outbox.event(crate::events::ended(&job));
    store.touch().await.unwrap();
    outbox.drives(crate::vigil::shapes::tests::drives(2));
    outbox.glance(Time::UNIX_EPOCH);
    let mut cursor = 0;
    let frames = outbox.take(&mut cursor, &to(false));
    let all: Vec<(String, serde_json::Value)> = frames.iter().map(told).collect();
    let kinds: Vec<&str> = all.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "attributes",
            "chart",
            "chart",
            "chart",
            "notification",
            "log",
            "notification",
            "notification"
        ]
    );
    let types: Vec<&str> = all
        .iter()
        .filter_map(|(_, payload)| payload["event_type"].as_str())
        .collect();
    assert_eq!(types, ["job_started", "burnin_passed", "job_complete"]);
    assert!(outbox.take(&mut cursor, &to(false)).is_empty());
    assert_eq!(
        outbox.take(&mut 0, &to(false)).len(),
        4,
        "until it is acknowledged it is told again"
    );
    outbox.acknowledge(cursor).await.unwrap();
    assert!(outbox.take(&mut 0, &to(false)).is_empty());
}

#[tokio::test]
async fn an_event_waits_for_the_last_state_of_its_job() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outbox = Outbox::new(store.clone());
    let hold = outbox.hold();
    outbox.event(happening("ended"));
    store.touch().await.unwrap();
    assert!(outbox.take(&mut 0, &home()).is_empty());
    outbox.job(job());
    drop(hold);
    let frames = outbox.take(&mut 0, &home());
    assert!(matches!(frames[..], [Frame::Job(_), Frame::Event(_)]), "{frames:?}");
}

/// Also where more end at once than certificates go along, and while the end of another job is written down.
#[tokio::test]
async fn no_job_tells_of_a_certificate_that_the_server_does_not_have() {
    const TEXTS: Table<String, serde_json::Value> = Table::new("certificates");
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outbox = Outbox::new(store.clone());
    let jobs: Vec<Job> = (1..=6)
        .map(|n| Job {
            id: JobId::after(n),
            ..crate::events::tests::passed()
        })
        .collect();
    let mut ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    ids.sort();
    let its = ids.clone();
    let put = store.write(move |w| {
        let text = serde_json::json!({ "drive": "wwn-5000c500a1b2c3d4", "text": "signed" });
        its.iter().try_for_each(|id| TEXTS.put(w, &id.to_string(), &text))
    });
    put.await.unwrap();
    for job in jobs {
        outbox.event(crate::events::ended(&job));
        outbox.job(job.clone());
        outbox.certificate(job.id);
    }
    store.touch().await.unwrap();
    let hold = outbox.hold();
    let mut cursor = 0;
    let mut frames = outbox.take(&mut cursor, &home());
    drop(hold);
    for _ in 0..2 {
        frames.extend(outbox.take(&mut cursor, &home()));
    }
    let places = |of: &dyn Fn(&Frame) -> Option<JobId>| -> Vec<(JobId, usize)> {
        let found = frames
            .iter()
            .enumerate()
            .filter_map(|(at, frame)| Some((of(frame)?, at)));
        let mut found: Vec<_> = found.collect();
        found.sort();
        found
    };
    let certificates = places(&|frame| match frame {
        Frame::Certificate(text) => Some(text.job),
        _ => None,
    });
    let states = places(&|frame| match frame {
        Frame::Job(job) => Some(job.id),
        _ => None,
    });
    let events = places(&|frame| match frame {
        Frame::Event(event) => event.job,
        _ => None,
    });
    for told in [&certificates, &states, &events] {
        assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    }
    for ((certificate, state), event) in certificates.iter().zip(&states).zip(&events) {
        assert!(
            certificate < state && state < event,
            "{certificate:?} {state:?} {event:?}"
        );
    }
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
    let frames = outbox.take(&mut cursor, &home());
    let Some(Frame::Job(told)) = frames.first() else {
        panic!("no job first")
    };
    assert_eq!(told.bad_sectors, 3);
    let all: Vec<(String, serde_json::Value)> = frames.iter().map(tests::told).collect();
    let of = |kind: &str| {
        all.iter()
            .filter(|(k, _)| k == kind)
            .map(|(_, payload)| payload)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("progress").len(), 1);
    assert_eq!(of("progress")[0]["percent"], 3.0);
    let logs = of("log");
    assert_eq!(logs.len(), LOGS_MAX + 1);
    assert_eq!(logs[0]["message"], "5 older log lines are lost: no server took them");
    assert_eq!((&logs[0]["level"], &logs[1]["message"]), (&"warn".into(), &"5".into()));
    assert!(outbox.take(&mut cursor, &home()).is_empty(), "told once");
    outbox.tell_all();
    assert!(
        outbox
            .take(&mut cursor, &home())
            .iter()
            .any(|f| matches!(f, Frame::Job(_))),
        "a new connection hears all"
    );
}

/// A connection that broke with it has told nobody.
#[tokio::test]
async fn what_is_told_once_counts_as_told_when_it_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    for all in [true, false] {
        let mut telling = outbox.telling(None, vec![happening("one"), happening("two")]);
        let frames = outbox.take(&mut 0, &home());
        assert_eq!(
            frames.iter().filter(|frame| matches!(frame, Frame::Event(_))).count(),
            2
        );
        assert!(telling.try_recv().is_err(), "before it was sent");
        outbox.sent(all);
        assert_eq!(telling.await.is_ok(), all);
    }
}

#[test]
fn an_event_that_waited_for_the_server_tells_when_it_happened() {
    use serde_json::{Value, json};
    let at = |second: i64| Time::from_second(1_700_000_000 + second).unwrap();
    let then = at(0).to_string();
    for (data, happened, now, want) in [
        (Value::Null, Some(at(0)), at(29), Value::Null),
        (Value::Null, Some(at(0)), at(30), json!({ "happened_at": then })),
        (
            json!({"a": 1}),
            Some(at(0)),
            at(4_000),
            json!({"a": 1, "happened_at": then}),
        ),
        (json!({"a": 1}), None, at(4_000), json!({"a": 1})),
        (json!([1]), Some(at(0)), at(4_000), json!([1])),
        // The clock was set back meanwhile.
        (Value::Null, Some(at(0)), at(-4_000), Value::Null),
    ] {
        assert_eq!(waited(data.clone(), happened, now), want, "{data}");
    }
}

/// The events that are told next.
async fn of_kind(outbox: &Outbox, kind: &str) -> Vec<wire::event::NewEvent> {
    // They are told once they are on the medium.
    outbox.inner.store.write(|_| Ok(())).await.unwrap();
    let frames = outbox.take(&mut 0, &home());
    let told = frames.into_iter().filter_map(|frame| match frame {
        Frame::Event(event) if event.kind == kind => Some(event),
        _ => None,
    });
    told.collect()
}

/// One used drive hid all: the list was not sent, and nobody was told.
#[tokio::test]
async fn what_does_not_fit_a_frame_is_told_in_short_and_that_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    let mut drives = crate::vigil::shapes::tests::drives(3);
    let signature = wire::drive::Signature {
        partition: 1,
        kind: "btrfs".into(),
        label: Some("x".repeat(600_000)),
        uuid: None,
        name: None,
        used: None,
        mounted: None,
    };
    drives[1].content = wire::drive::Content::Found {
        signatures: vec![signature],
        summary: "btrfs".into(),
    };
    outbox.drives(drives.clone());
    let frames = outbox.take(&mut 0, &home());
    let Some(Frame::Drives(told)) = frames.first() else {
        panic!("{frames:?}")
    };
    assert_eq!((told.len(), told[1].content.words()), (3, "btrfs".to_owned()));
    let [event] = of_kind(&outbox, TOO_LONG).await.try_into().unwrap();
    assert!(
        event.drive == drives[1].id && event.message.contains(&drives[1].serial),
        "{event:?}"
    );
    outbox.drives(drives);
    assert!(matches!(outbox.take(&mut 0, &home()).first(), Some(Frame::Drives(_))));
    assert_eq!(of_kind(&outbox, TOO_LONG).await.len(), 1, "it is told already");
}

#[tokio::test]
async fn that_a_frame_was_not_sent_for_its_length_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(open(dir.path()));
    for length in [600_000, 600_001] {
        outbox.too_long(&SendError::TooLong {
            kind: "playbooks".into(),
            length,
            longest: 524_288,
        });
    }
    outbox.too_long(&SendError::Over);
    let [event] = of_kind(&outbox, TOO_LONG).await.try_into().unwrap();
    assert!(
        event.message.contains("playbooks") && event.message.contains("600000"),
        "{event:?}"
    );
}

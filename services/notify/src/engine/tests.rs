#![allow(clippy::unwrap_used, reason = "tests")]
use std::sync::atomic::{AtomicUsize, Ordering};

use super::attempt::Tried;
use super::*;
use crate::answer::Failed;
use crate::message;
use crate::provider::Fields;
use crate::send::{Attempt, Roots};
use wire::event::Severity;

struct Still;

impl Host for Still {
    fn now(&self) -> Time {
        Time::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    fn facts(&self, _: Option<&Event>) -> Facts {
        Facts::default()
    }

    fn record(&self, _: NewEvent) {}
}

/// A box whose clock is set by the test, and which keeps what it is told.
#[derive(Default)]
struct Played {
    now: Mutex<Time>,
    told: Mutex<Vec<NewEvent>>,
}

impl Host for Played {
    fn now(&self) -> Time {
        *lock(&self.now)
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    fn facts(&self, _: Option<&Event>) -> Facts {
        Facts::default()
    }

    fn record(&self, event: NewEvent) {
        lock(&self.told).push(event);
    }
}

/// A channel of the environment's that nothing can reach.
fn bench() -> Service {
    let mut service = Service::new(7, "bench", "email", Fields::new(), Still.now());
    service.locked = true;
    service
}

/// An engine with one channel, over a store of 1 MB.
async fn opened(dir: &std::path::Path, service: Service) -> (Store, Engine) {
    let tables: Vec<&'static str> = NAMES.into_iter().chain(["events", "filler"]).collect();
    let options = store::Options {
        check: store::Check::InProcess,
        map_size: 1 << 20,
        ..store::Options::new(&tables)
    };
    let store = store::open(dir, &options).unwrap().store;
    let sender = Sender::new(Roots::new(None).unwrap());
    let engine = Engine::open(store.clone(), Table::new("events"), sender, vec![service]);
    (store.clone(), engine.await.unwrap())
}

/// A receiver that gives this answer, once it may; its URL, and how much it has heard.
async fn hook(answer: &'static str, may: Option<Arc<Notify>>) -> (String, Arc<AtomicUsize>) {
    let hook = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("json://{}/x", hook.local_addr().unwrap());
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = hook.accept().await.unwrap();
            let _asked = stream.read(&mut [0; 8192]).await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(may) = &may {
                may.notified().await;
            }
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heard)
}

/// A store without room.
struct Full {
    done: std::sync::mpsc::Sender<()>,
    reader: std::thread::JoinHandle<store::Result<bool>>,
}

impl Full {
    async fn end(self, store: &Store) {
        drop(self.done);
        assert!(self.reader.join().unwrap().unwrap());
        store.touch().await.unwrap();
    }
}

async fn fill(store: &Store) -> Full {
    // Somebody reads: what is freed meanwhile is not free.
    let ((reads, reading), (done, end)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let read = store.clone();
    let reader = std::thread::spawn(move || {
        read.read(|_| {
            reads.send(()).unwrap();
            Ok(end.recv().is_err())
        })
    });
    reading.recv().unwrap();
    let filler: Table<u64, String> = Table::new("filler");
    let mut length = 512 << 10;
    while length > 0 {
        let put = store.write(move |w| filler.append(w, &"x".repeat(length)));
        length = if put.await.is_ok() { length } else { length / 2 };
    }
    Full { done, reader }
}

async fn queue(store: &Store, engine: &Engine, host: &Played, service: &Service, severity: Severity) {
    let (service, waiting) = (service.clone(), lock(&engine.index).clone());
    let id = format!("kiln-1-{}", waiting.len());
    let mut message = message::test(&Facts::default(), "bench", "", id, Still.now());
    message.severity = severity;
    let queued = store.write(move |w| {
        let mut changed = Changed::default();
        book::enqueue(w, &mut changed, &waiting, &service, message, Still.now())?;
        Ok(changed)
    });
    engine.take(host, queued.await.unwrap()).await.unwrap();
}

async fn set(engine: &Engine, service: Service, now: Time) -> Result<Service, Refused> {
    let id = service.id;
    let change = |place: &mut Service| {
        *place = service;
        Ok(())
    };
    engine.update(id, now, change).await
}

#[tokio::test]
async fn a_critical_that_a_full_queue_drives_out_is_told_as_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let (store, engine) = opened(dir.path(), bench()).await;
    let host = Played::default();
    let critical = async || queue(&store, &engine, &host, &bench(), Severity::Critical).await;
    queue(&store, &engine, &host, &bench(), Severity::Warning).await;
    for _ in 0..QUEUE_MAX {
        critical().await;
    }
    assert!(lock(&host.told).is_empty(), "the warning made place");
    critical().await;
    let told: Vec<NewEvent> = lock(&host.told).drain(..).collect();
    assert_eq!((told.len(), told[0].kind.as_str()), (1, "alerts.given_up"));
    assert!(
        told[0].message.ends_with("500 messages wait for this channel"),
        "{told:?}"
    );
    assert_eq!((engine.service(7).unwrap().lost, engine.lost().borrow().len()), (1, 1));
    assert_eq!(lock(&engine.index).len(), QUEUE_MAX);
    // What one target has reached somebody.
    let id = *lock(&engine.index).keys().next().unwrap();
    let reached = store.write(move |w| {
        let mut waiting = QUEUE.get(w, &id)?.unwrap();
        waiting.done.insert("a".to_owned());
        QUEUE.put(w, &id, &waiting)
    });
    reached.await.unwrap();
    critical().await;
    assert!(lock(&host.told).is_empty());
}

#[tokio::test]
async fn a_channel_that_is_mended_while_an_attempt_is_under_way_is_tried_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, engine) = opened(dir.path(), bench()).await;
    let (host, may) = (Played::default(), Arc::new(Notify::new()));
    let (wrong, asked) = hook("410 Gone", Some(Arc::clone(&may))).await;
    let (right, heard) = hook("200 OK", None).await;
    let [mut service, other] = [wrong, right].map(|url| crate::service::locked(&url, Still.now()).remove(0));
    service.locked = false;
    let service = engine.add(service).await.unwrap();
    queue(&store, &engine, &host, &service, Severity::Critical).await;
    let id = *lock(&engine.index).keys().next().unwrap();
    let now = Time::from_second(1).unwrap();
    let mended = Service {
        fields: other.fields,
        updated_at: now,
        set_at: Some(now),
        ..service.clone()
    };
    tokio::join!(engine.attempt(&host, id), async {
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        *lock(&host.now) = now;
        set(&engine, mended.clone(), now).await.unwrap();
        may.notify_one();
    });
    assert_eq!(
        engine.service(service.id),
        Some(mended),
        "what the old one answered says nothing of it"
    );
    assert_eq!(lock(&engine.index)[&id].1, now);
    let kept = store.read(|r| QUEUE.get(r, &id)).unwrap().unwrap();
    assert_eq!(
        (kept.attempts, kept.before, kept.next),
        (1, 1, now),
        "the waits begin anew"
    );
    engine.attempt(&host, id).await;
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    assert_eq!(engine.history(None, 1).unwrap()[0].status, Status::Sent);
    assert!(lock(&host.told).is_empty());
}

#[tokio::test]
async fn a_channel_of_the_file_that_switched_itself_off_is_tried_anew_at_each_start() {
    let dir = tempfile::tempdir().unwrap();
    let at = |second| Time::from_second(second).unwrap();
    let why = Some("nothing reached it since then: 410".to_owned());
    let (store, engine) = opened(dir.path(), bench()).await;
    queue(&store, &engine, &Played::default(), &bench(), Severity::Critical).await;
    let id = *lock(&engine.index).keys().next().unwrap();
    let put_off = store.write(move |w| {
        let waiting = QUEUE.get(w, &id)?.unwrap();
        let waiting = Waiting {
            attempts: 9,
            next: at(36_000),
            ..waiting
        };
        QUEUE.put(w, &id, &waiting)
    });
    put_off.await.unwrap();
    let off = |service: &mut Service| {
        service.enabled = false;
        (service.failing_since, service.disabled_why, service.lost) = (Some(at(1)), why, 2);
    };
    engine.change(7, off).await.unwrap();

    let again = async |change: &dyn Fn(&mut Service)| {
        let mut service = Service {
            updated_at: at(60),
            ..bench()
        };
        change(&mut service);
        let sender = Sender::new(Roots::new(None).unwrap());
        Engine::open(store.clone(), Table::new("events"), sender, vec![service])
            .await
            .unwrap()
    };
    let kept_off = again(&|service| service.enabled = false).await;
    let left = kept_off.service(7).unwrap();
    assert_eq!((left.enabled, &left.disabled_why), (false, &None), "its owner's word");
    assert_eq!(lock(&kept_off.index)[&id].1, at(36_000));
    for _ in 0..2 {
        let engine = again(&|_| ()).await;
        let back = engine.service(7).unwrap();
        assert_eq!(
            (back.enabled, &back.disabled_why, back.failing_since),
            (true, &None, None)
        );
        assert_eq!((back.lost, engine.lost().borrow().len()), (2, 1), "that is still told");
        assert!(engine.off().borrow().is_empty());
        let waiting = store.read(|r| QUEUE.get(r, &id)).unwrap().unwrap();
        assert_eq!((waiting.before, waiting.next), (9, at(60)), "the waits begin anew");
        assert_eq!(lock(&engine.index)[&id].1, at(60));
    }
}

#[tokio::test]
async fn a_person_may_switch_a_channel_of_the_file_on_again_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, engine) = opened(dir.path(), bench()).await;
    let now = Time::from_second(9).unwrap();
    let on = |service: Service| Service {
        updated_at: now,
        set_at: Some(service.set_at()),
        ..service.switched_on()
    };
    let refused = set(&engine, on(engine.service(7).unwrap()), now).await;
    assert!(matches!(refused, Err(Refused::Problem(problem)) if problem.kind == "locked"));
    let off = |service: &mut Service| {
        service.enabled = false;
        (service.failing_since, service.disabled_why, service.lost) = (Some(now), Some("410".to_owned()), 1);
    };
    engine.change(7, off).await.unwrap();
    let renamed = Service {
        name: "door".to_owned(),
        ..on(engine.service(7).unwrap())
    };
    let refused = set(&engine, renamed, now).await;
    assert!(matches!(refused, Err(Refused::Problem(problem)) if problem.kind == "locked"));
    let back = on(engine.service(7).unwrap());
    set(&engine, back.clone(), now).await.unwrap();
    assert_eq!(engine.service(7), Some(back));
    assert!(engine.off().borrow().is_empty() && engine.lost().borrow().is_empty());
    assert!(store.read(|r| SERVICES.all(r)).unwrap().is_empty(), "it is the file's");
    let health = store.read(|r| book::health(r, 7)).unwrap().unwrap();
    assert_eq!((health.disabled_why, health.lost), (None, 0));
}

#[tokio::test]
async fn what_a_service_asked_to_wait_for_holds_no_channel_that_was_mended_since() {
    let dir = tempfile::tempdir().unwrap();
    let (_, engine) = opened(dir.path(), bench()).await;
    let service = engine
        .add(Service {
            locked: false,
            ..bench()
        })
        .await
        .unwrap();
    lock(&engine.quiet).insert(service.id, Still.now());
    let renamed = Service {
        name: "door".to_owned(),
        ..service
    };
    set(&engine, renamed.clone(), Still.now()).await.unwrap();
    assert_eq!(lock(&engine.quiet).len(), 1);
    let fields = Fields::from([("to".to_owned(), "a@b.c".into())]);
    set(&engine, Service { fields, ..renamed }, Still.now()).await.unwrap();
    assert!(lock(&engine.quiet).is_empty());
}

#[tokio::test]
async fn a_clock_that_was_set_while_the_store_was_full_moves_what_counts_by_it_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (store, engine) = opened(dir.path(), bench()).await;
    let at = |second| Time::from_second(second).unwrap();
    let (day, host) = (86_400, Played::default());
    let names = ["door", "desk"];
    for name in names {
        let service = Service {
            name: name.to_owned(),
            locked: false,
            failing_since: Some(at(5)),
            ..bench()
        };
        engine.add(service).await.unwrap();
    }
    let since = || -> Vec<_> {
        engine
            .services()
            .iter()
            .filter_map(|service| service.failing_since)
            .collect()
    };
    *lock(&host.now) = at(9);
    engine.see_clock(&host).await.unwrap();
    let full = fill(&store).await;
    *lock(&host.now) = at(day + 9);
    engine.see_clock(&host).await.unwrap_err();
    assert_eq!(since(), [at(5), at(5)], "kept or not, never in part");
    full.end(&store).await;
    for _ in 0..2 {
        engine.see_clock(&host).await.unwrap();
        assert_eq!(since(), [at(day + 5), at(day + 5)]);
    }
    let kept = store.read(|r| SERVICES.all(r)).unwrap();
    assert!(
        kept.iter()
            .all(|(_, service)| service.failing_since == Some(at(day + 5)))
    );
}

#[tokio::test]
async fn of_two_who_change_a_channel_at_once_neither_loses_what_he_set() {
    let dir = tempfile::tempdir().unwrap();
    let (store, engine) = opened(dir.path(), bench()).await;
    let door = Service {
        locked: false,
        fields: Fields::from([("to".to_owned(), "a@b.c".into())]),
        ..bench()
    };
    let before = engine.add(door).await.unwrap();
    let update = |change: fn(&mut Service)| {
        engine.update::<Refused>(before.id, Still.now(), move |service| {
            change(service);
            Ok(())
        })
    };
    let (one, other) = tokio::join!(
        update(|service| service.cooldown_secs = 60),
        update(|service| service.notify_on_healthy = true)
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.updated_at, other.updated_at, "also where the clock stands");
    let now = engine.service(before.id).unwrap();
    assert_eq!((now.cooldown_secs, now.notify_on_healthy), (60, true));
    assert_eq!(store.read(|r| SERVICES.get(r, &before.id)).unwrap(), Some(now.clone()));
    assert_eq!(now.set_at(), now.updated_at);
    let same = update(|_| ()).await.unwrap();
    assert_eq!(same, now, "what stays the same is no change");
    let off = update(|service| service.enabled = false).await.unwrap();
    assert_eq!(off.set_at(), now.set_at(), "no form sets that");
    let (removed, late) = tokio::join!(engine.remove(before.id), update(|service| service.cooldown_secs = 5));
    removed.unwrap();
    assert!(matches!(late, Err(Refused::Problem(problem)) if problem.kind == "service-unknown"));
    assert!(store.read(|r| SERVICES.all(r)).unwrap().is_empty());
}

/// An empty battery, a board without a clock: the box starts on the day it was built, and knows the time a little later.
#[tokio::test]
async fn a_box_that_starts_with_an_early_clock_takes_from_nobody_the_time_to_acknowledge() {
    let dir = tempfile::tempdir().unwrap();
    let boss = Service {
        escalate_after_secs: 3600,
        ..bench()
    };
    let days = |days: i64| Time::from_second(days * 86_400).unwrap();
    let hour_after = |time: Time| time.checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let (store, engine) = opened(dir.path(), boss.clone()).await;
    let failed = NewEvent::new("job.failed", Severity::Critical, "m".into(), serde_json::Value::Null);
    let actor = wire::event::Actor::new("agent", "agent");
    let event = Event::seal(failed, 1, days(60), actor, wire::event::FIRST_PREV_HASH);
    let routed = crate::route::route(
        &event,
        &Facts::default(),
        std::slice::from_ref(&boss),
        |_| None,
        days(60),
    );
    let steps = escalation::steps(&event, &routed, std::slice::from_ref(&boss), days(60));
    let opening = store.write(move |w| {
        let mut changed = Changed::default();
        escalation::open(w, &mut changed, &event, &Facts::default(), steps)
    });
    opening.await.unwrap();
    engine
        .change(7, |service| service.failing_since = Some(days(60)))
        .await
        .unwrap();
    drop(engine);

    let sender = Sender::new(Roots::new(None).unwrap());
    let engine = Engine::open(store, Table::new("events"), sender, vec![boss])
        .await
        .unwrap();
    let host = Played::default();
    for now in [days(30), days(61)] {
        *lock(&host.now) = now;
        engine.see_clock(&host).await.unwrap();
        engine.escalate(&host).await.unwrap();
        let step = engine.alerts().unwrap().remove(0).steps.remove(0);
        assert_eq!((step.told_at, step.due_at), (None, hour_after(now)));
        assert_eq!(engine.next_escalation(), Some(hour_after(now)));
        assert_eq!(engine.service(7).unwrap().failing_since, Some(now));
    }
    *lock(&host.now) = hour_after(days(61));
    engine.escalate(&host).await.unwrap();
    let told = engine.alerts().unwrap()[0].steps[0].told_at;
    assert_eq!(told, Some(hour_after(days(61))));
}

#[tokio::test]
async fn only_what_this_attempt_reached_speaks_for_a_channel() {
    let dir = tempfile::tempdir().unwrap();
    let (_, engine) = opened(dir.path(), bench()).await;
    let set = |targets: &[&str]| -> BTreeSet<String> { targets.iter().map(|&target| target.to_owned()).collect() };
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], bool, bool);
    let cases: [Case<'_>; 6] = [
        ("nobody got it", &[], &[], true, true),
        ("only earlier did somebody", &["a"], &["a"], true, true),
        ("one of two got it", &[], &["a"], true, false),
        ("the other one still did not", &["a"], &["a"], true, false),
        ("nobody got it again", &[], &[], true, true),
        ("nothing is left to do", &["a"], &["a"], false, false),
    ];
    for (what, before, after, fails, failing) in cases {
        let waiting = Waiting {
            service: 7,
            message: message::test(&Facts::default(), "bench", "", "kiln-1-1".to_owned(), Still.now()),
            attempts: 0,
            before: 0,
            redirects: 0,
            next: Still.now(),
            done: set(before),
            history: 0,
        };
        let attempt = Attempt {
            done: set(after),
            failed: fails.then(|| Failed::passing("x")),
            ..Attempt::default()
        };
        let tried = Tried {
            waiting,
            attempt,
            set_at: Some(Still.now()),
        };
        engine.settle(&Still, 1, tried).await.unwrap();
        assert_eq!(engine.service(7).unwrap().failing_since.is_some(), failing, "{what}");
    }
}

/// A store without room: it was delivered, and nobody hears it every five seconds until there is room.
#[tokio::test]
async fn a_message_that_was_delivered_is_not_sent_again_because_a_full_store_did_not_take_that() {
    let (url, heard) = hook("200 OK", None).await;
    let dir = tempfile::tempdir().unwrap();
    let service = crate::service::locked(&url, Still.now()).remove(0);
    let (store, engine) = opened(dir.path(), service.clone()).await;
    let message = message::test(&Facts::default(), "bench", "", "kiln-1-1".to_owned(), Still.now());
    let queue = move |w: &mut store::Write<'_, '_>| {
        let mut changed = Changed::default();
        let waiting = Index::default();
        book::enqueue(w, &mut changed, &waiting, &service, message, Still.now())?;
        Ok(changed)
    };
    engine.apply(store.write(queue).await.unwrap());
    let id = *lock(&engine.index).keys().next().unwrap();

    let full = fill(&store).await;
    for _ in 0..3 {
        engine.attempt(&Still, id).await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    assert_eq!(engine.history(None, 9).unwrap()[0].attempts, 0, "the store is full");
    full.end(&store).await;
    engine.attempt(&Still, id).await;
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    let line = engine.history(None, 9).unwrap().remove(0);
    assert_eq!((line.status, line.attempts), (Status::Sent, 1));
    assert!(lock(&engine.index).is_empty() && lock(&engine.unsettled).is_empty());
}

//! Updates through the server's real routes. PID 1 and its writer are played here (the real ones are in
//! `supervisor/tests/update.rs` and in the booted image): the writer checks every byte as the real one does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bundle::{CHUNK, Hash, Head, Key, KeySet, Manifest, Target, accept};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use wire::update::{Answer, Ask, SlotState, SlotView, UpdateChunk, UpdateNeeds, UpdateView};

use crate::box_::Box_;
use crate::client::{Client, PATIENCE};

fn key() -> Key {
    Key::from_seed(&[5; 32])
}

/// A bundle of seven chunks, and its head.
fn update() -> (Manifest, Vec<u8>, Vec<u8>) {
    let bytes = |seed: u8, len: usize| (0..len).map(|n| (n / 251) as u8 ^ seed).collect::<Vec<u8>>();
    let files = [
        ("initrd", bytes(1, CHUNK as usize + 10)),
        ("manifest.json", bytes(2, 100)),
        ("manifest.sig", bytes(3, 50)),
        ("system.erofs", bytes(4, CHUNK as usize + 3)),
        ("vmlinuz", bytes(5, 5000)),
    ];
    let named: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    let m = Manifest::new(("b", "a"), ("2.0", "0"), 1, &named).unwrap();
    let head = Head::sign(m.clone(), Vec::new(), &[&key()]).bytes();
    let all = head
        .iter()
        .copied()
        .chain(files.into_iter().flat_map(|(_, b)| b))
        .collect();
    (m, head, all)
}

/// What the played box has of the update; it outlives a conversation.
/// Its last parts are free while the writer may answer a head or a chunk, and while it may end comparing.
#[derive(Clone, Default)]
struct Kept(
    Arc<Mutex<BTreeMap<u32, Vec<u8>>>>,
    Arc<Mutex<Vec<u32>>>,
    Arc<tokio::sync::Mutex<()>>,
    Arc<tokio::sync::Mutex<()>>,
    Arc<AtomicUsize>,
);

/// How long the real writer, too, waits for a word.
const SILENT: std::time::Duration = std::time::Duration::from_mins(2);

impl Kept {
    fn has(&self) -> BTreeSet<u32> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    /// Chunks as they came, in order.
    fn came(&self) -> Vec<u32> {
        self.1.lock().unwrap().clone()
    }

    /// How many heads have come.
    fn begun(&self) -> usize {
        self.4.load(Ordering::SeqCst)
    }

    fn whole(&self) -> Vec<u8> {
        self.0.lock().unwrap().values().flatten().copied().collect()
    }
}

/// The writer; it leaves after `leaves_after` chunks, once.
async fn writer(path: std::path::PathBuf, kept: Kept, leaves_after: Arc<AtomicUsize>) {
    let listener = UnixListener::bind(path).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let _over = converse(stream, &kept, &leaves_after).await;
    }
}

async fn converse(stream: UnixStream, kept: &Kept, leaves_after: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut manifest: Option<Manifest> = None;
    loop {
        let mut line = String::new();
        if tokio::time::timeout(SILENT, stream.read_line(&mut line)).await?? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            continue;
        }
        let refused = |kind: &str, text: String| Answer::Refused {
            kind: kind.into(),
            text,
        };
        let answer = match serde_json::from_str(&line)? {
            Ask::Begin { len, downgrade } => {
                let mut head = vec![0; len as usize];
                stream.read_exact(&mut head).await?;
                kept.4.fetch_add(1, Ordering::SeqCst);
                drop(kept.2.lock().await);
                let target = Target {
                    board: "b".into(),
                    arch: "a".into(),
                    running: "1.0".into(),
                    keys: KeySet::new(1, 1, vec![key().public()]).unwrap(),
                    downgrade,
                };
                match accept(&head, &target) {
                    Err(e) => refused(e.kind(), e.to_string()),
                    Ok(m) => {
                        let has = kept.has();
                        let all: Vec<UpdateChunk> = m
                            .chunks()
                            .enumerate()
                            .map(|(n, c)| UpdateChunk {
                                number: n as u32,
                                offset: u64::from(len) + c.offset,
                                len: c.len as u32,
                            })
                            .collect();
                        let needs = UpdateNeeds {
                            version: m.version.clone(),
                            slot: "b".into(),
                            chunks: all.len() as u32,
                            found: has.len() as u32,
                            copied: 0,
                            need: all.into_iter().filter(|c| !has.contains(&c.number)).collect(),
                        };
                        manifest = Some(m);
                        Answer::Begun(needs)
                    }
                }
            }
            Ask::Chunk { number, len } => {
                let mut bytes = vec![0; len as usize];
                stream.read_exact(&mut bytes).await?;
                if leaves_after.fetch_sub(1, Ordering::SeqCst) == 0 {
                    leaves_after.store(usize::MAX, Ordering::SeqCst);
                    return Ok(());
                }
                let right = manifest
                    .as_ref()
                    .and_then(|m| m.chunks().nth(number as usize).map(|c| c.hash));
                if right == Some(Hash::of(&bytes)) {
                    kept.0.lock().unwrap().insert(number, bytes);
                    kept.1.lock().unwrap().push(number);
                    drop(kept.2.lock().await);
                    Answer::Taken { number }
                } else {
                    refused("chunk", "its bytes are not the ones that were signed".into())
                }
            }
            Ask::Finish {} => {
                // Comparing; the end of what the client says ends it.
                let given_up = tokio::select! {
                    free = kept.3.lock() => {
                        drop(free);
                        false
                    }
                    end = stream.fill_buf() => end?.is_empty(),
                };
                let all = manifest.as_ref().map_or(0, |m| m.chunks().count());
                if given_up {
                    refused("given-up", "the update was given up".into())
                } else if all > 0 && kept.has().len() == all {
                    Answer::Finished {
                        slot: "b".into(),
                        version: "2.0".into(),
                    }
                } else {
                    refused("incomplete", "chunks have not come".into())
                }
            }
        };
        let mut out = serde_json::to_vec(&answer)?;
        out.push(b'\n');
        stream.get_mut().write_all(&out).await?;
    }
}

/// PID 1: says what the slots are, and keeps what it is asked.
async fn supervisor(path: std::path::PathBuf, other: SlotState, asked: Arc<Mutex<Vec<Value>>>) {
    let listener = UnixListener::bind(path).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let slot = |name: &str, state| SlotView {
            name: name.into(),
            state,
            version: Some("1.0".into()),
            running: name == "a",
            next: name == "a",
            tries_left: 0,
        };
        let update = UpdateView {
            slots: vec![slot("a", SlotState::Good), slot("b", other)],
            ..UpdateView::default()
        };
        let status = json!({ "host": "kiln", "addresses": [], "units": [], "banners": [], "update": update,
            "boot": wire::supervisor::BootView::default() });
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
            let request: Value = serde_json::from_str(&line).unwrap();
            if request.get("watch").is_some() {
                stream
                    .get_mut()
                    .write_all(format!("{status}\n").as_bytes())
                    .await
                    .unwrap();
            }
            asked.lock().unwrap().push(request);
            line.clear();
        }
    }
}

pub(crate) struct Bench {
    _dir: tempfile::TempDir,
    pub _box: Box_,
    pub admin: Client,
    kept: Kept,
    leaves_after: Arc<AtomicUsize>,
    pub asked: Arc<Mutex<Vec<Value>>>,
}

impl Bench {
    async fn new() -> Self {
        Self::beside(SlotState::Bad).await
    }

    /// One whose other slot is in this state.
    async fn beside(other: SlotState) -> Self {
        Self::of(Box_::claimed().await, other).await
    }

    /// The same around this box.
    pub(crate) async fn of(box_: Box_, other: SlotState) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (kept, asked) = (Kept::default(), Arc::<Mutex<Vec<Value>>>::default());
        let leaves_after = Arc::new(AtomicUsize::new(usize::MAX));
        tokio::spawn(writer(at("update.sock"), kept.clone(), Arc::clone(&leaves_after)));
        tokio::spawn(supervisor(at("control.sock"), other, Arc::clone(&asked)));
        tokio::spawn(server::supervisor::control::run(
            Arc::clone(&box_.app),
            at("control.sock"),
        ));
        let mut admin = box_.admin().await;
        let known = async {
            while admin.get("/api/v1/update").await.status != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.unwrap();
        Self {
            _dir: dir,
            _box: box_,
            admin,
            kept,
            leaves_after,
            asked,
        }
    }

    /// Waits until PID 1 was asked for this, with who has asked for it in the reason.
    async fn ordered(&self, what: &str) {
        let asked = async {
            let is = |request: &Value| request[what]["why"].as_str().is_some_and(|why| why.contains("admin"));
            while !self.asked.lock().unwrap().iter().any(is) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }

    async fn bytes(&mut self, method: Method, path: &str, bytes: &[u8]) -> crate::client::Answer {
        let body = Some(("application/octet-stream", Bytes::copy_from_slice(bytes)));
        self.admin.raw(method, &format!("/api/v1/update{path}"), body).await
    }

    /// Has it fetched from there and waits; why it was not.
    async fn fetch(&mut self, url: &str) -> Option<String> {
        let answer = self.admin.post("/api/v1/update", &json!({ "url": url })).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let fetched = async {
            loop {
                let state = self.admin.get("/api/v1/update").await.json();
                if state["download"]["running"] == false {
                    return state["download"]["error"].as_str().map(str::to_owned);
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, fetched).await.unwrap()
    }
}

#[tokio::test]
async fn an_update_in_pieces_goes_on_when_the_writer_was_lost_and_only_the_signed_bytes_are_taken() {
    let mut bench = Bench::new().await;
    let (m, head, all) = update();
    let answer = bench.bytes(Method::PUT, "/chunks/0", b"x").await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "update-not-begun"));
    bench.leaves_after.store(2, Ordering::SeqCst);
    for (round, lacks) in [(0, 7), (1, 5)] {
        let needs = bench.bytes(Method::POST, "/begin", &head).await;
        let needs: UpdateNeeds = serde_json::from_str(&needs.text).unwrap();
        assert_eq!((needs.need.len(), needs.chunks as usize), (lacks, m.chunks().count()));
        for c in needs.need {
            let mut piece = all[c.offset as usize..][..c.len as usize].to_vec();
            let path = format!("/chunks/{}", c.number);
            if round == 1 {
                piece[0] ^= 1;
                let answer = bench.bytes(Method::PUT, &path, &piece).await;
                assert_eq!((answer.status, answer.problem().as_str()), (422, "update-chunk"));
                piece[0] ^= 1;
            }
            let answer = bench.bytes(Method::PUT, &path, &piece).await;
            if answer.status != 204 {
                assert_eq!(
                    (round, answer.status, answer.problem().as_str()),
                    (0, 503, "writer-lost")
                );
                break;
            }
        }
    }
    let answer = bench.bytes(Method::POST, "/finish", b"").await;
    assert_eq!(answer.json(), json!({ "slot": "b", "version": "2.0" }));
    assert_eq!(bench.kept.whole(), all[head.len()..]);
    let answer = bench.admin.post("/api/v1/update/reboot", &json!({})).await;
    assert_eq!(answer.status, 202);
    bench.ordered("reboot").await;
    assert!(
        bench.asked.lock().unwrap().iter().any(|r| r.get("update").is_some()),
        "PID 1 was asked for the writer"
    );
}

#[tokio::test]
async fn a_whole_bundle_in_one_request_writes_what_is_lacking() {
    let mut bench = Bench::new().await;
    let (m, head, all) = update();
    let half = &all[..head.len() + CHUNK as usize + 200];
    // A file that is cut short empties no slot: it says how long it is.
    let answer = bench.bytes(Method::POST, "", half).await;
    assert_eq!((answer.status, answer.problem().as_str()), (422, "update-truncated"));
    assert_eq!((bench.kept.begun(), bench.kept.came()), (0, vec![]));
    // A first try broke off, of which nobody had said how long it would be.
    bench.admin.headers.push(("transfer-encoding", "chunked".into()));
    let answer = bench.bytes(Method::POST, "", half).await;
    bench.admin.headers.pop();
    assert_eq!((answer.status, answer.problem().as_str()), (422, "update-truncated"));
    assert_eq!(bench.kept.came(), [0, 1, 2, 3]);
    let answer = bench.bytes(Method::POST, "", &all).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bench.kept.came().len(), m.chunks().count(), "nothing was written twice");
    assert_eq!(bench.kept.whole(), all[head.len()..]);
    for (bytes, word) in [
        (&b"PK zip"[..], "update-not-a-bundle"),
        (&all[..20], "update-truncated"),
        (b"", "update-truncated"),
    ] {
        let answer = bench.bytes(Method::POST, "", bytes).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, word));
    }
    let stranger = Head::sign(m, Vec::new(), &[&Key::from_seed(&[6; 32])]).bytes();
    let answer = bench
        .bytes(Method::POST, "", &[&stranger, &all[head.len()..]].concat())
        .await;
    assert_eq!(answer.problem(), "update-wrong-key");
}

/// A file that is damaged only where the box has it already is no update for the next box.
#[tokio::test]
async fn what_the_box_has_already_is_judged_too_and_nothing_may_follow_or_lack_behind_it() {
    let mut bench = Bench::new().await;
    let (m, head, all) = update();
    // All but chunk 2, which is in the middle.
    let lacks = |bench: &Bench| {
        for (n, c) in m.chunks().enumerate().filter(|(n, _)| *n != 2) {
            let at = head.len() + c.offset as usize;
            bench
                .kept
                .0
                .lock()
                .unwrap()
                .insert(n as u32, all[at..at + c.len].to_vec());
        }
        bench.kept.0.lock().unwrap().remove(&2);
    };
    for at in [head.len(), head.len() + CHUNK as usize + 5, all.len() - 1] {
        lacks(&bench);
        let mut damaged = all.clone();
        damaged[at] ^= 1;
        let answer = bench.bytes(Method::POST, "", &damaged).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (422, "update-chunk"),
            "{at}"
        );
    }
    lacks(&bench);
    let answer = bench.bytes(Method::POST, "", &[&all[..], b"x"].concat()).await;
    assert_eq!((answer.status, answer.problem().as_str()), (422, "update-trailing"));
    for short in [1, 6000] {
        lacks(&bench);
        let answer = bench.bytes(Method::POST, "", &all[..all.len() - short]).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "update-truncated"));
        let should = format!("ends after {} bytes and should have {}", all.len() - short, all.len());
        assert!(answer.text.contains(&should), "{}", answer.text);
    }
    assert_eq!(bench.bytes(Method::POST, "", &all).await.status, 200);
}

/// Two browsers at the same time: the second is told whose update is under way, and what it does cuts nothing.
#[tokio::test]
async fn two_people_who_send_at_once_get_a_precise_answer_and_neither_cuts_the_other() {
    let mut bench = Bench::new().await;
    let (_, head, all) = update();
    let mut other = bench._box.admin().await;
    let needs = bench.bytes(Method::POST, "/begin", &head).await;
    let needs: UpdateNeeds = serde_json::from_str(&needs.text).unwrap();
    let octets = |bytes: &[u8]| Some(("application/octet-stream", Bytes::copy_from_slice(bytes)));
    for (method, path, body) in [
        (Method::POST, "/begin", &head[..]),
        (Method::PUT, "/chunks/0", &all[..10]),
        (Method::POST, "/finish", b""),
        (Method::POST, "", &all),
        (Method::DELETE, "", b""),
    ] {
        let answer = other
            .raw(method.clone(), &format!("/api/v1/update{path}"), octets(body))
            .await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (409, "update-busy"),
            "{method} {path}"
        );
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("admin is sending an update from another page"),
            "{detail}"
        );
    }
    for c in &needs.need {
        let piece = &all[c.offset as usize..][..c.len as usize];
        assert_eq!(
            bench
                .bytes(Method::PUT, &format!("/chunks/{}", c.number), piece)
                .await
                .status,
            204
        );
    }
    assert_eq!(bench.bytes(Method::POST, "/finish", b"").await.status, 200);
    assert_eq!(bench.kept.whole(), all[head.len()..]);

    // One's own is given up by oneself, and one from which nothing comes any more is anybody's.
    assert_eq!(bench.bytes(Method::POST, "/begin", &head).await.status, 200);
    assert_eq!(bench.bytes(Method::DELETE, "", b"").await.status, 204);
    assert_eq!(bench.bytes(Method::DELETE, "", b"").await.problem(), "update-not-begun");
    // A page that was still sending is not to begin again by itself.
    let answer = bench.bytes(Method::PUT, "/chunks/0", b"x").await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "update-given-up"));
    assert_eq!(bench.bytes(Method::POST, "/begin", &head).await.status, 200);
    bench._box.clock.advance(std::time::Duration::from_secs(61));
    let answer = other.raw(Method::POST, "/api/v1/update/begin", octets(&head)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bench.bytes(Method::POST, "/finish", b"").await.problem(), "update-busy");
}

/// A page that is closed, or a wire that breaks, while a chunk is with the writer: the answer to it is nobody else's.
#[tokio::test]
async fn a_request_that_is_dropped_half_way_leaves_no_answer_to_the_next() {
    let bench = Bench::new().await;
    let (_, head, all) = update();
    let (app, owner) = (Arc::clone(&bench._box.app), bench._box.app.update.request());
    let piece = |c: &UpdateChunk| all[c.offset as usize..][..c.len as usize].to_vec();
    let needs = app.begin_update(&head, false, "admin", &owner).await.unwrap().need;
    let (first, held) = (piece(&needs[0]), bench.kept.2.lock().await);
    let with_the_writer = tokio::time::timeout(PATIENCE, async {
        while bench.kept.came().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    tokio::select! {
        answer = app.update_chunk(needs[0].number, &first, &owner) => panic!("{answer:?}"),
        there = with_the_writer => there.unwrap(),
    }
    drop(held);
    let problem = app
        .update_chunk(needs[1].number, &piece(&needs[1]), &owner)
        .await
        .unwrap_err();
    assert_eq!(problem.kind, "update-not-begun", "{problem:?}");
    // Begun again it goes on where it was.
    let needs = app.begin_update(&head, false, "admin", &owner).await.unwrap().need;
    assert_eq!(needs.len(), 6);
    for c in &needs {
        app.update_chunk(c.number, &piece(c), &owner).await.unwrap();
    }
    let answer = app.finish_update("admin", &owner).await.unwrap();
    assert!(matches!(answer, Answer::Finished { .. }), "{answer:?}");
    assert_eq!(bench.kept.whole(), all[head.len()..]);
}

/// However long comparing takes: what is given up meanwhile is not switched to, and what was switched to is told so.
#[tokio::test]
async fn what_is_given_up_while_everything_is_compared_is_not_switched_to() {
    let mut bench = Bench::new().await;
    let (_, head, all) = update();
    let (app, owner) = (Arc::clone(&bench._box.app), bench._box.app.update.request());
    let mut ben = bench._box.admin().await;
    let compared = Arc::clone(&bench.kept.3).lock_owned().await;
    for c in app.begin_update(&head, false, "admin", &owner).await.unwrap().need {
        let piece = &all[c.offset as usize..][..c.len as usize];
        app.update_chunk(c.number, piece, &owner).await.unwrap();
    }
    let (finish, give_up) = tokio::join!(app.finish_update("admin", &owner), async {
        tokio::task::yield_now().await;
        let other = app.update.request();
        let told = app.give_up_update(&other, "ben").await.unwrap_err();
        assert_eq!(told.kind, "update-busy", "nobody else gives it up");
        let body = Some(("application/octet-stream", Bytes::copy_from_slice(&all)));
        let told = tokio::time::timeout(PATIENCE, ben.raw(Method::POST, "/api/v1/update", body)).await;
        assert_eq!(told.unwrap().problem(), "update-busy", "who is refused is told at once");
        app.give_up_update(&owner, "admin").await
    });
    assert_eq!(finish.unwrap_err().kind, "update-given-up");
    give_up.unwrap();

    // The box's own fetching.
    let (url, _) = files(all.clone(), true, vec![]).await;
    let answer = bench.admin.post("/api/v1/update", &json!({ "url": url })).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = bench.bytes(Method::DELETE, "", b"").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let state = bench.admin.get("/api/v1/update").await.json();
    assert_eq!(state["download"]["error"], "admin gave it up");

    // A page that is closed has given nothing up.
    let needs = app.begin_update(&head, false, "admin", &owner).await.unwrap();
    assert_eq!(needs.need.len(), 0);
    let waits = tokio::time::timeout(std::time::Duration::ZERO, app.finish_update("admin", &owner));
    assert!(waits.await.is_err());
    drop(compared);
    let mut written = bench.admin.get("/api/v1/events?limit=50").await;
    let begun = std::time::Instant::now();
    while !written.text.contains("box.update_written") && begun.elapsed() < PATIENCE {
        written = bench.admin.get("/api/v1/events?limit=50").await;
    }
    assert!(written.text.contains("box.update_written"), "{}", written.text);
    let told = app.give_up_update(&owner, "admin").await.unwrap_err();
    assert_eq!(told.kind, "update-not-begun");
}

/// A server of one file: with ranges or without, and its first answers break off after so many bytes.
async fn files(all: Vec<u8>, ranges: bool, breaks: Vec<usize>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    tokio::spawn(async move {
        let mut breaks = breaks.into_iter();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut range, mut path) = (None, String::new());
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let line = line.trim().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if path.is_empty() {
                    line.split(' ').nth(1).unwrap_or_default().clone_into(&mut path);
                }
                if let Some(r) = line.strip_prefix("range: bytes=") {
                    let (from, to) = r.split_once('-').unwrap();
                    range = Some((from.parse::<usize>().unwrap(), to.parse::<usize>().ok()));
                }
            }
            if path == "/moved" {
                let head = "HTTP/1.1 302 Found\r\nlocation: /kiln\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.get_mut().write_all(head.as_bytes()).await.unwrap();
                continue;
            }
            if path == "/gone" {
                let head = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.get_mut().write_all(head.as_bytes()).await.unwrap();
                continue;
            }
            let (from, to) = match range.filter(|_| ranges) {
                Some((from, to)) => (from, to.map_or(all.len(), |t| t + 1)),
                None => (0, all.len()),
            };
            let body = &all[from..to];
            let head = if ranges {
                format!(
                    "206 Partial Content\r\ncontent-range: bytes {from}-{}/{}",
                    to - 1,
                    all.len()
                )
            } else {
                "200 OK".to_owned()
            };
            let head = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let most = breaks.next().unwrap_or(usize::MAX).min(body.len());
            let _gone = stream.get_mut().write_all(head.as_bytes()).await;
            if stream.get_mut().write_all(&body[..most]).await.is_ok() {
                counted.fetch_add(most, Ordering::SeqCst);
            }
        }
    });
    (format!("http://{address}"), sent)
}

#[tokio::test]
async fn a_download_takes_what_is_lacking_goes_on_after_breaks_and_tells_what_failed() {
    let (_, head, all) = update();
    // Breaks within the head, within a chunk, and between two.
    for (ranges, breaks) in [
        (true, vec![50, 700_000, 1_100_000]),
        (false, vec![30, 1_500_000]),
        (true, vec![]),
    ] {
        let mut bench = Bench::new().await;
        let (url, _) = files(all.clone(), ranges, breaks.clone()).await;
        assert_eq!(bench.fetch(&format!("{url}/moved")).await, None, "{ranges} {breaks:?}");
        assert_eq!(bench.kept.whole(), all[head.len()..]);
        assert_eq!(bench.kept.came().len(), 7, "nothing was written twice");
    }
    let mut bench = Bench::new().await;
    let (url, _) = files(all.clone(), true, vec![]).await;
    let told = bench.fetch(&format!("{url}/gone")).await.unwrap();
    assert!(told.contains("404"), "{told}");
    let (other, _) = files(b"<html>no update</html>".to_vec(), false, vec![]).await;
    let told = bench.fetch(&other).await.unwrap();
    assert!(told.contains("no Kiln update"), "{told}");
    let mut changed = all;
    let at = changed.len() - 10;
    changed[at] ^= 1;
    let (url, _) = files(changed, true, vec![]).await;
    let told = bench.fetch(&url).await.unwrap();
    assert!(told.contains("not the ones that were signed"), "{told}");
    let answer = bench.admin.post("/api/v1/update", &json!({ "url": "ftp://x/y" })).await;
    assert_eq!(answer.problem(), "bad-url");
    // What one was sending oneself is given up for a download.
    let (_, head, all) = update();
    let mut bench = Bench::new().await;
    let (url, _) = files(all, true, vec![]).await;
    assert_eq!(bench.bytes(Method::POST, "/begin", &head).await.status, 200);
    assert_eq!(bench.fetch(&format!("{url}/kiln")).await, None);
}

/// A router that restarts, or a cable that is out: what was fetched stays, and the writer waits.
#[tokio::test]
async fn a_download_goes_on_when_the_network_was_away_for_minutes() {
    let (_, head, all) = update();
    let mut bench = Bench::new().await;
    let app = Arc::clone(&bench._box.app);
    // The head, one chunk, and then nothing: seconds between the tries grow by one each time, to three and a half minutes.
    let breaks = [usize::MAX, 1_100_000].into_iter().chain([0; 20]).collect();
    let (url, _) = files(all.clone(), true, breaks).await;
    let answer = bench.admin.post("/api/v1/update", &json!({ "url": url })).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let begun = std::time::Instant::now();
    while bench.kept.came().is_empty() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    // From here the runtime's own time runs ahead whenever nothing else is to be done.
    tokio::time::pause();
    let away = tokio::time::Instant::now();
    let fetched = loop {
        let download = app.update_state().unwrap().download.unwrap();
        if !download.running {
            break download;
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(fetched.error, None);
    assert!(away.elapsed() > SILENT, "{:?}", away.elapsed());
    assert_eq!(bench.kept.whole(), all[head.len()..]);
    assert_eq!(bench.kept.begun(), 1, "it was one conversation");
}

/// The slot that does not run may be a system to fall back to: it is emptied for no file that cannot be whole.
#[tokio::test]
async fn a_download_that_is_cut_short_is_told_so_before_the_other_slot_is_touched() {
    let (_, _, all) = update();
    for ranges in [true, false] {
        for (file, word) in [
            (all[..all.len() - 6000].to_vec(), "cut short"),
            ([&all[..], b"x"].concat(), "after its end"),
        ] {
            let mut bench = Bench::new().await;
            let (url, _) = files(file, ranges, vec![]).await;
            let told = bench.fetch(&url).await.unwrap();
            assert!(told.contains(word), "{ranges}: {told}");
            assert_eq!(bench.kept.begun(), 0, "{ranges} {word}");
        }
    }
}

/// Copying what the running system has takes a slow stick minutes: that is no fault of the wire's.
#[tokio::test]
async fn a_whole_bundle_is_not_too_slow_because_the_writer_is() {
    let (_, head, all) = update();
    let bench = Bench::new().await;
    let held = bench.kept.2.lock().await;
    // By a clock of its own, since the server's is moved.
    let (mut admin, body) = (bench.admin.clone(), Bytes::from(all.clone()));
    let sent = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(admin.raw(Method::POST, "/api/v1/update", Some(("application/octet-stream", body))))
    });
    let begun = std::time::Instant::now();
    while bench.kept.begun() == 0 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    tokio::time::resume();
    drop(held);
    let answer = sent.await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bench.kept.whole(), all[head.len()..]);
}

#[tokio::test]
async fn without_a_supervisor_there_is_nothing_to_update_and_nobody_else_may() {
    let box_ = Box_::claimed().await;
    let mut admin = box_.admin().await;
    assert_eq!(admin.get("/api/v1/update").await.problem(), "no-supervisor");
    let mut stranger = box_.client();
    for (method, path) in [
        (Method::GET, ""),
        (Method::POST, ""),
        (Method::POST, "/begin"),
        (Method::PUT, "/chunks/0"),
        (Method::POST, "/finish"),
        (Method::POST, "/reboot"),
        (Method::POST, "/back"),
    ] {
        let answer = stranger.raw(method, &format!("/api/v1/update{path}"), None).await;
        assert_eq!(answer.problem(), "not-logged-in", "{path}");
    }
}

#[tokio::test]
async fn the_box_is_switched_off_by_its_name_and_not_under_a_job_unless_that_is_said() {
    let mut bench = Bench::new().await;
    let off = |confirm: &str, while_testing: bool| json!({ "confirm": confirm, "while_testing": while_testing });
    let answer = bench.admin.post("/api/v1/power-off", &off("klin", false)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (422, "not-confirmed"));
    let agent = crate::agent::Agent::connect(&bench._box).await;
    let mut job = crate::certificate::finished(7);
    (job.state, job.ended) = (wire::job::JobState::Running, None);
    let mut stream = bench.admin.events("/api/v1/stream").await;
    agent.sender.send(&wire::Frame::Job(Box::new(job))).await.unwrap();
    stream.named("job").await;
    let answer = bench.admin.post("/api/v1/power-off", &off("kiln", false)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "jobs-running"));
    assert!(
        bench
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| asked.get("power_off").is_none())
    );
    let answer = bench.admin.post("/api/v1/power-off", &off("kiln", true)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    bench.ordered("power_off").await;
}

#[tokio::test]
async fn the_box_goes_back_to_a_system_that_has_proven_itself_and_to_no_other() {
    for (other, why) in [
        (SlotState::Bad, "has failed"),
        (SlotState::Empty, "no system in slot B"),
        (SlotState::Trying, "yet to prove itself"),
    ] {
        let mut bench = Bench::beside(other).await;
        let answer = bench.admin.post("/api/v1/update/back", &json!({})).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, "no-way-back"));
        assert!(answer.text.contains(why), "{}", answer.text);
        assert!(!bench.asked.lock().unwrap().iter().any(|r| r.get("back").is_some()));
    }
    let mut bench = Bench::beside(SlotState::Good).await;
    let agent = crate::agent::Agent::connect(&bench._box).await;
    let mut job = crate::certificate::finished(7);
    (job.state, job.ended) = (wire::job::JobState::Running, None);
    let mut stream = bench.admin.events("/api/v1/stream").await;
    agent.sender.send(&wire::Frame::Job(Box::new(job))).await.unwrap();
    stream.named("job").await;
    let answer = bench.admin.post("/api/v1/update/back", &json!({})).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "jobs-running"));
    let answer = bench
        .admin
        .post("/api/v1/update/back", &json!({ "while_testing": true }))
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    bench.ordered("back").await;
}

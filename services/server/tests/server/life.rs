//! Backup and restore over two boxes, the debug bundle, factory reset: as a person asks for them.

use std::io::Read;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;
use server::hub::Input;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::Frame;
use wire::command::{Answer, BackupRow, CallOutcome, Command, Reply};

use crate::acts::shown;
use crate::agent::Agent;
use crate::box_::{Box_, PASSWORD};
use crate::client::Client;

const PHRASE: &str = "a long passphrase";

async fn bytes(client: &Client, method: Method, path: &str, body: Option<serde_json::Value>) -> (u16, Vec<u8>) {
    let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
    let answer = client.send(method, path, body).await;
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

async fn put(client: &mut Client, file: &[u8]) -> crate::client::Answer {
    let body = Some(("application/octet-stream", Bytes::copy_from_slice(file)));
    client.raw(Method::PUT, "/api/v1/restore", body).await
}

/// The first event of this type; it may be told a moment after what it is about.
async fn told(client: &mut Client, kind: &str) -> serde_json::Value {
    let asked = async {
        loop {
            let events = client.get("/api/v1/events").await.json();
            let found = events.as_array().unwrap().iter().find(|e| e["type"] == kind).cloned();
            if let Some(event) = found {
                return event;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("no {kind}"))
}

#[tokio::test]
async fn a_backup_of_one_box_is_put_back_on_another() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Box_::at(one.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = first.admin().await;
    assert_eq!(
        admin
            .post("/api/addons/tokens", &json!({ "name": "scrutiny" }))
            .await
            .status,
        201
    );
    let ask = |password: &str, passphrase: &str| json!({ "password": password, "passphrase": passphrase });
    let make = |body| bytes(&admin, Method::POST, "/api/v1/backup", Some(body));
    assert_eq!(make(ask("wrong one", PHRASE)).await.0, 403);
    assert_eq!(make(ask(PASSWORD, "short")).await.0, 422);
    assert_eq!(
        make(ask(PASSWORD, PHRASE)).await.0,
        503,
        "without the agent it would not be whole"
    );
    let mut agent = Agent::connect(&first).await;
    let row = |key: &str| BackupRow {
        table: "jobs".into(),
        key: key.into(),
        value: "abcd".into(),
    };
    let giving = async {
        for (from, next) in [(0, Some(1)), (1, None)] {
            agent
                .serve(|command| {
                    assert_eq!(command, Command::Backup { from });
                    let rows = vec![row(&format!("0{from}"))];
                    CallOutcome::Ok(Answer::Records { rows, next })
                })
                .await;
        }
    };
    let ((status, file), ()) = tokio::join!(make(ask(PASSWORD, PHRASE)), giving);
    assert_eq!(status, 200);

    let second = Box_::at(other.path(), Some(("bea".into(), PASSWORD.into()))).await;
    let mut bea = second.client();
    let login = |name: &str| json!({ "username": name, "password": PASSWORD });
    assert_eq!(bea.post("/api/v1/session", &login("bea")).await.status, 200);
    assert_eq!(
        bea.post("/api/v1/restore", &ask(PASSWORD, PHRASE)).await.problem(),
        "nothing-brought"
    );
    assert_eq!(put(&mut bea, b"not a backup").await.problem(), "bad-backup");
    let brought = put(&mut bea, &file).await;
    assert_eq!((brought.status, brought.json()["name"].as_str()), (200, Some("kiln")));
    assert_eq!(
        bea.post("/api/v1/restore", &ask(PASSWORD, "another passphrase"))
            .await
            .problem(),
        "backup-closed"
    );
    let mut cut = file.clone();
    cut.truncate(file.len() - 20);
    assert_eq!(put(&mut bea, &cut).await.status, 200);
    assert_eq!(
        bea.post("/api/v1/restore", &ask(PASSWORD, PHRASE)).await.problem(),
        "backup-closed"
    );
    put(&mut bea, &file).await;
    assert_eq!(
        bea.post("/api/v1/restore", &ask("wrong one", PHRASE)).await.problem(),
        "password-wrong"
    );
    assert_eq!(
        bea.post("/api/v1/restore", &ask(PASSWORD, PHRASE)).await.problem(),
        "agent-away"
    );
    let mut its_agent = Agent::connect(&second).await;
    let taking = its_agent.serve(|command| {
        let expected = Command::Restore {
            rows: vec![row("00"), row("01")],
            first: true,
            last: true,
            actor: "bea".into(),
        };
        assert_eq!(command, expected);
        CallOutcome::Ok(Answer::Done { told: String::new() })
    });
    let again = ask(PASSWORD, PHRASE);
    let (put_back, ()) = tokio::join!(bea.post("/api/v1/restore", &again), taking);
    assert_eq!(put_back.status, 202, "{put_back:?}");
    tokio::time::timeout(crate::client::PATIENCE, second.app.life.restart.notified())
        .await
        .unwrap();

    // What the supervisor does: the same directory, a new process. Here the first one still holds the directory.
    second.app.shut_down().await;
    drop(second);
    let again = Box_::at_once_free(other.path()).await;
    let mut restored = again.client();
    assert_eq!(
        restored.post("/api/v1/session", &login("bea")).await.status,
        401,
        "her box is another now"
    );
    assert_eq!(restored.post("/api/v1/session", &login("admin")).await.status, 200);
    let tokens = restored.get("/api/addons/tokens").await.json();
    assert_eq!(tokens[0]["name"], "scrutiny");
    told(&mut restored, "addon.token_made").await;
    told(&mut restored, "box.restored").await;
}

/// Its records may be more than a small box has memory.
#[tokio::test]
async fn a_backup_of_more_than_64_mib_is_taken_and_one_that_cannot_be_is_told_its_bound() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let head = json!({ "made": "2026-11-20T10:00:00Z", "name": "large", "version": "0.1.0", "schema": server::tables::SCHEMA });
    let mut file = format!("KILN-BACKUP 1\n{head}\n").into_bytes();
    file.resize(70 << 20, 7);
    let brought = put(&mut admin, &file).await;
    assert_eq!(brought.status, 200, "{brought:?}");
    assert_eq!(brought.json()["bytes"], 70 << 20);
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    assert_eq!(admin.post("/api/v1/restore", &ask).await.problem(), "backup-closed");
    let field = |name: &str, value: &[u8]| {
        let head = format!("--B\r\ncontent-disposition: form-data; name={name}\r\n\r\n");
        [head.as_bytes(), value, b"\r\n"].concat()
    };
    let form = [
        field("password", PASSWORD.as_bytes()),
        field("backup", &file),
        field("passphrase", PHRASE.as_bytes()),
        b"--B--".to_vec(),
    ];
    let body = Some(("multipart/form-data; boundary=B", Bytes::from(form.concat())));
    let brought = admin.raw(Method::POST, "/api/backups/restore", body).await;
    assert_eq!(brought.problem(), "backup-closed");

    // Nothing of what is announced is waited for where it cannot be.
    let cookie = admin.cookie.clone().unwrap();
    let announced = async |bytes: u64| {
        let mut stream = TcpStream::connect(made.address).await.unwrap();
        let head = format!(
            "PUT /api/v1/restore HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {cookie}\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n",
            made.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let mut answer = String::new();
    announced(1 << 40).await.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("too-long"),
        "{answer}"
    );
    assert!(
        answer.contains("it has 1099511627776 bytes; a backup of this box has at most 537"),
        "{answer}"
    );
    // One that breaks off.
    let mut stream = announced(100).await;
    stream.write_all(b"KILN-BACKUP 1\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.is_empty() || answer.contains("after 14 of 100 bytes"),
        "{answer}"
    );
}

/// At the paths of existing Vigil clients.
#[tokio::test]
async fn a_backup_that_the_box_keeps_is_listed_fetched_put_back_and_taken_away() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let ask = |password: &str, passphrase: &str| json!({ "password": password, "passphrase": passphrase });
    assert_eq!(admin.get("/api/backups").await.json(), json!([]));
    assert_eq!(
        admin.post("/api/backup", &ask("wrong one", PHRASE)).await.problem(),
        "password-wrong"
    );
    let giving = agent.serve(|_| {
        CallOutcome::Ok(Answer::Records {
            rows: vec![],
            next: None,
        })
    });
    let form = ask(PASSWORD, PHRASE);
    let (kept, ()) = tokio::join!(admin.post("/api/backup", &form), giving);
    assert_eq!(kept.status, 200, "{kept:?}");
    let kept = kept.json();
    let name = kept["filename"].as_str().unwrap().to_owned();
    assert_eq!(admin.get("/api/backups").await.json()[0]["filename"], name.as_str());
    let place = format!("/api/backups/{name}");
    let (status, file) = bytes(&admin, Method::GET, &format!("{place}/download"), None).await;
    assert_eq!(
        (status, file.len()),
        (200, kept["size_bytes"].as_u64().unwrap() as usize)
    );
    let stranger = made.client().get(&format!("{place}/download")).await;
    assert_eq!(stranger.problem(), "not-logged-in");
    for other in ["..%2fkiln.mdb", "kiln.mdb", "x.backup"] {
        let answer = admin.get(&format!("/api/backups/{other}/download")).await;
        assert_eq!(answer.problem(), "backup-unknown", "{other}");
    }

    let restore = format!("{place}/restore");
    let closed = admin.post(&restore, &ask(PASSWORD, "another passphrase")).await;
    assert_eq!(closed.problem(), "backup-closed");
    let wrong = admin.post(&restore, &ask("wrong one", PHRASE)).await;
    assert_eq!(wrong.problem(), "password-wrong");
    let unknown = admin.post("/api/backups/x.backup/restore", &form).await;
    assert_eq!(unknown.problem(), "backup-unknown");
    let taking = agent.serve(|command| {
        assert!(matches!(command, Command::Restore { .. }), "{command:?}");
        CallOutcome::Ok(Answer::Done { told: String::new() })
    });
    let (put_back, ()) = tokio::join!(admin.post(&restore, &form), taking);
    assert_eq!(put_back.status, 202, "{put_back:?}");
    tokio::time::timeout(crate::client::PATIENCE, made.app.life.restart.notified())
        .await
        .unwrap();

    let (status, gone) = bytes(&admin, Method::DELETE, &place, None).await;
    assert_eq!((status, gone.as_slice()), (200, br#"{"status":"deleted"}"#.as_slice()));
    assert_eq!(bytes(&admin, Method::DELETE, &place, None).await.0, 404);
}

/// As the page of an existing Vigil server sends it, with what the gate of this box asks for beside the file.
#[tokio::test]
async fn a_backup_that_comes_as_a_form_is_put_back_through_the_same_gate() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let giving = agent.serve(|_| {
        CallOutcome::Ok(Answer::Records {
            rows: vec![],
            next: None,
        })
    });
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    let ((status, file), ()) = tokio::join!(bytes(&admin, Method::POST, "/api/v1/backup", Some(ask)), giving);
    assert_eq!(status, 200);

    const FORM: &str = "multipart/form-data; boundary=----WebKitFormBoundaryx";
    let form = |parts: &[(&str, &[u8])]| {
        let mut body = Vec::new();
        for (name, value) in parts {
            let file = if *name == "backup" {
                "; filename=\"kept.backup\""
            } else {
                ""
            };
            let head =
                format!("------WebKitFormBoundaryx\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend([head.as_bytes(), value, b"\r\n"].concat());
        }
        body.extend(b"------WebKitFormBoundaryx--\r\n");
        (FORM, Bytes::from(body))
    };
    let backup = ("backup", file.as_slice());
    let password = ("password", PASSWORD.as_bytes());
    let phrase = ("passphrase", PHRASE.as_bytes());
    let cut = ("backup", &file[..file.len() - 20]);
    const PATH: &str = "/api/backups/restore";
    let stranger = made
        .client()
        .raw(Method::POST, PATH, Some(form(&[backup, password, phrase])))
        .await;
    assert_eq!(stranger.problem(), "not-logged-in");
    for (body, status, word, detail) in [
        (
            ("application/json", Bytes::from("{}")),
            415,
            "not-form",
            "multipart/form-data",
        ),
        ((FORM, Bytes::from("no form")), 400, "bad-form", "incomplete"),
        // What an existing client sends: the gate says what is missing.
        (form(&[backup]), 422, "bad-form", "password"),
        (form(&[backup, password]), 422, "bad-form", "passphrase"),
        (form(&[password, phrase]), 422, "bad-form", "backup"),
        (
            form(&[backup, ("password", b"\xff"), phrase]),
            422,
            "bad-form",
            "password",
        ),
        (
            form(&[backup, ("password", b"wrong one"), phrase]),
            403,
            "password-wrong",
            "",
        ),
        (
            form(&[backup, password, ("passphrase", b"another passphrase")]),
            403,
            "backup-closed",
            "",
        ),
        (form(&[cut, password, phrase]), 403, "backup-closed", ""),
        (
            form(&[("backup", b"not a backup"), password, phrase]),
            422,
            "bad-backup",
            "",
        ),
    ] {
        let answer = admin.raw(Method::POST, PATH, Some(body)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, word), "{answer:?}");
        assert!(answer.text.contains(detail), "{answer:?}");
    }
    let without_header = {
        let mut client = admin.clone();
        client.headers.clear();
        client
            .raw(Method::POST, PATH, Some(form(&[backup, password, phrase])))
            .await
    };
    assert_eq!(without_header.problem(), "csrf");

    let taking = agent.serve(|command| {
        assert!(matches!(command, Command::Restore { .. }), "{command:?}");
        CallOutcome::Ok(Answer::Done { told: String::new() })
    });
    let (put_back, ()) = tokio::join!(
        admin.raw(Method::POST, PATH, Some(form(&[password, backup, phrase]))),
        taking
    );
    assert_eq!(put_back.status, 202, "{put_back:?}");
    tokio::time::timeout(crate::client::PATIENCE, made.app.life.restart.notified())
        .await
        .unwrap();
    told(&mut admin, "box.restoring").await;
    let events = admin.get("/api/v1/events").await.json();
    let restoring = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["type"] == "box.restoring");
    assert_eq!(restoring.count(), 1, "{events}");
}

/// A drive under test keeps every road shut; and two who put back at once do not write into the same place.
#[tokio::test]
async fn no_road_puts_a_backup_back_while_a_drive_is_tested_or_another_does() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let cookie = admin.cookie.clone().unwrap();
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    let form = "--B\r\ncontent-disposition: form-data; name=backup\r\n\r\nx\r\n--B\r\ncontent-disposition: form-data; name=password\r\n\r\ncorrect horse\r\n--B\r\ncontent-disposition: form-data; name=passphrase\r\n\r\ny\r\n--B--";
    let roads = async |admin: &mut Client, word: &str| {
        for path in ["/api/v1/restore", "/api/backups/x.backup/restore"] {
            assert_eq!(admin.post(path, &ask).await.problem(), word, "{path}");
        }
        let body = Some(("multipart/form-data; boundary=B", Bytes::from(form)));
        let brought = admin.raw(Method::POST, "/api/backups/restore", body).await;
        assert_eq!(brought.problem(), word);
    };
    // Somebody brings a backup, and has not finished.
    let mut slow = TcpStream::connect(made.address).await.unwrap();
    let head = format!(
        "PUT /api/v1/restore HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {cookie}\r\ncontent-length: 9\r\n\r\n",
        made.address
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let taken = async {
        while admin.post("/api/v1/restore", &ask).await.problem() != "busy" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, taken).await.unwrap();
    roads(&mut admin, "busy").await;
    // One that is made now would have the half of each.
    for path in ["/api/v1/backup", "/api/backup"] {
        assert_eq!(admin.post(path, &ask).await.problem(), "busy", "{path}");
    }
    slow.write_all(b"no backup").await.unwrap();
    let mut status = [0; 12];
    slow.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 422");
    let agent = Agent::connect(&made).await;
    let mut job = crate::certificate::finished(7);
    (job.state, job.verdict) = (wire::job::JobState::Running, None);
    shown(&admin, &agent, Frame::Job(Box::new(job)), "job").await;
    roads(&mut admin, "jobs-running").await;
}

/// A page that waits no longer, while the agent takes its part: from then on nothing may be left half done.
#[tokio::test]
async fn who_goes_away_midway_has_put_the_backup_back_all_the_same() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    let giving = agent.serve(|_| {
        CallOutcome::Ok(Answer::Records {
            rows: vec![],
            next: None,
        })
    });
    let (kept, ()) = tokio::join!(admin.post("/api/backup", &ask), giving);
    let kept = kept.json();
    let path = format!("/api/backups/{}/restore", kept["filename"].as_str().unwrap());
    let (cookie, body) = (admin.cookie.clone().unwrap(), ask.to_string());
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {cookie}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        made.address,
        body.len()
    );
    let mut stream = TcpStream::connect(made.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let call = loop {
        if let Frame::Command(call) = agent.next().await.unwrap() {
            break call;
        }
    };
    assert!(matches!(call.command, Command::Restore { .. }), "{call:?}");
    drop(stream);
    // Nor is anything armed or started: it would be missing in what is put back.
    let plan = wire::PlanId::now();
    let (arm, start) = (
        json!({ "password": PASSWORD, "confirm": {} }),
        json!({ "ticket": "{}", "signature": "00" }),
    );
    let arm = admin.post(&format!("/api/v1/plans/{plan}/arm"), &arm).await;
    let start = admin.post(&format!("/api/v1/plans/{plan}/start"), &start).await;
    for refused in [arm, start] {
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (409, "restoring"),
            "{refused:?}"
        );
    }
    // Nobody else sits down meanwhile, however often the server has had time to see that nobody waits.
    for _ in 0..20 {
        assert_eq!(admin.post("/api/v1/restore", &ask).await.problem(), "busy");
    }
    let reply = Reply {
        id: call.id,
        outcome: CallOutcome::Ok(Answer::Done { told: String::new() }),
    };
    agent.sender.send(&Frame::Result(reply)).await.unwrap();
    tokio::time::timeout(crate::client::PATIENCE, made.app.life.restart.notified())
        .await
        .unwrap();
    told(&mut admin, "box.restoring").await;
    assert!(made.app.life.data.join("restore.rows").exists());
}

#[tokio::test]
async fn of_what_was_set_aside_the_banner_stays_for_what_could_not_be_removed() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let dir = &made.app.life.data;
    let unread = dir.join(format!("{}.unread-20260101T000000Z", store::FILE_NAME));
    std::fs::write(&unread, "lines").unwrap();
    // A folder whose paths are longer than the kernel takes: nobody removes that by its path, not even root.
    let long = "x".repeat(250);
    let stays = dir.join(format!("{}.bad-20260101T000000Z", store::FILE_NAME));
    let (outer, inner) = ([long.as_str(); 8].join("/"), [long.as_str(); 12].join("/"));
    std::fs::create_dir_all(stays.join(&outer)).unwrap();
    std::fs::create_dir_all(dir.join("inner").join(inner)).unwrap();
    std::fs::rename(dir.join("inner"), stays.join(outer).join("inner")).unwrap();

    let own = json!({ "password": PASSWORD }).to_string();
    let body = Some(("application/json", Bytes::from(own)));
    let answer = admin.raw(Method::DELETE, "/api/v1/set-aside", body).await;
    assert_eq!(answer.problem(), "store");
    assert!(!unread.exists() && stays.exists());
    let event = told(&mut admin, "box.set_aside_removed").await;
    assert_eq!(event["data"]["files"], 1);
    let banners = admin.get("/api/v1/box").await.json()["banners"].clone();
    assert_eq!(banners.as_array().unwrap().len(), 1, "{banners}");
    assert!(banners[0]["text"].as_str().unwrap().contains(".bad-"), "{banners}");
}

/// Who ordered it was answered before the start that could not do it.
#[tokio::test]
async fn a_backup_that_could_not_be_put_back_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("restore.rows"), b"\x05\0stat").unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let event = told(&mut made.admin().await, "box.not_restored").await;
    let message = event["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("row 0 ends too early") && message.contains("Bring it again"),
        "{event}"
    );
}

#[tokio::test]
async fn a_debug_bundle_tells_much_and_no_secret() {
    let server = Box_::claimed().await;
    let mut admin = server.admin().await;
    let token = admin.post("/api/addons/tokens", &json!({ "name": "x" })).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(server.client().get("/api/v1/debug-bundle").await.status, 401);
    let (status, packed) = bytes(&admin, Method::GET, "/api/v1/debug-bundle", None).await;
    assert_eq!(status, 200);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let mut names = Vec::new();
    let secrets = [
        token,
        PASSWORD.to_owned(),
        admin.cookie.clone().unwrap(),
        "$argon2".to_owned(),
    ];
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(entry.path().unwrap().display().to_string());
        let mut text = Vec::new();
        entry.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text);
        for secret in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "{} holds {secret}",
                names.last().unwrap()
            );
        }
    }
    for file in [
        "box.json",
        "events.jsonl",
        "store.json",
        "journal.export",
        // There is no PID 1 of ours here: that is told.
        "remains.txt",
        "kernel/proc-meminfo",
    ] {
        assert!(
            names.iter().any(|name| name == &format!("kiln-debug-kiln/{file}")),
            "{file}: {names:?}"
        );
    }
}

#[tokio::test]
async fn a_reset_wants_the_name_the_password_and_a_supervisor() {
    let server = Box_::claimed().await;
    let mut admin = server.admin().await;
    let ask = |password: &str, confirm: &str| json!({ "password": password, "confirm": confirm });
    assert_eq!(
        admin.post("/api/v1/reset", &ask(PASSWORD, "klin")).await.problem(),
        "not-confirmed"
    );
    assert_eq!(
        admin.post("/api/v1/reset", &ask("wrong one", "kiln")).await.problem(),
        "password-wrong"
    );
    assert_eq!(
        admin.post("/api/v1/reset", &ask(PASSWORD, "kiln")).await.problem(),
        "no-supervisor"
    );
    assert_eq!(
        server
            .client()
            .post("/api/v1/reset", &ask(PASSWORD, "kiln"))
            .await
            .status,
        401
    );
}

/// PID 1 says that the agent's unit is in this state.
async fn supervised(made: &Box_, agent: &str) {
    in_boot(made, "1", agent).await;
}

/// The same in this boot.
async fn in_boot(made: &Box_, boot: &str, agent: &str) {
    let status = json!({ "host": "kiln", "addresses": [], "banners": [],
        "boot": { "slot": "", "why": "", "via": "", "kernel": "", "medium": "disk", "reason": "power on", "boot_id": boot },
        "units": [{ "name": "agent", "state": agent, "rung": null, "reason": "", "status": "", "restarts": 3, "pid": null,
            "since": "2026-11-20T15:00:00Z" }] });
    let status = serde_json::from_value(status).unwrap();
    made.app.feed(Input::Supervisor(Some(status))).await;
}

/// Days after they were told, by mail and pager.
#[tokio::test]
async fn a_restore_tells_nothing_of_this_boot_again() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    in_boot(&made, "1", "stopped").await;
    made.clock.advance(std::time::Duration::from_mins(1));
    let (status, file) = bytes(&admin, Method::POST, "/api/v1/backup", Some(ask.clone())).await;
    assert_eq!(status, 200);
    in_boot(&made, "2", "stopped").await;
    assert_eq!(put(&mut admin, &file).await.status, 200);
    assert_eq!(admin.post("/api/v1/restore", &ask).await.status, 202);
    made.app.shut_down().await;
    drop(made);

    let made = Box_::at_once_free(dir.path()).await;
    let mut admin = made.admin().await;
    told(&mut admin, "box.restored").await;
    for boot in ["2", "3"] {
        in_boot(&made, boot, "stopped").await;
    }
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let events = admin.get("/api/v1/events?limit=1000").await.json();
    let boots: Vec<&str> = (events.as_array().unwrap().iter())
        .filter_map(|event| event["data"]["boot_id"].as_str())
        .collect();
    assert_eq!(boots, ["1", "3"], "{events}");
}

/// Without a name on the medium it stands in no listing, and takes as much of it as it has.
#[tokio::test]
async fn a_backup_that_nobody_puts_back_gives_its_room_back() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let dir = made.app.life.data.clone();
    let nameless = || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let files = open.filter_map(|fd| std::fs::read_link(fd.path()).ok());
        files
            .filter(|file| file.starts_with(&dir) && file.to_string_lossy().ends_with("(deleted)"))
            .count()
    };
    let head =
        json!({ "made": "2026-11-20T10:00:00Z", "name": "kiln", "version": "0.1.0", "schema": server::tables::SCHEMA });
    let mut file = format!("KILN-BACKUP 1\n{head}\n").into_bytes();
    file.resize(8 << 20, 7);
    let before = nameless();
    assert_eq!(put(&mut admin, &file).await.status, 200);
    assert_eq!(nameless(), before + 1);
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    made.clock.advance(std::time::Duration::from_mins(59));
    assert_eq!(admin.post("/api/v1/restore", &ask).await.problem(), "backup-closed");
    made.clock.advance(std::time::Duration::from_mins(2));
    assert_eq!(admin.post("/api/v1/restore", &ask).await.problem(), "nothing-brought");
    let given_back = async {
        while nameless() > before {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, given_back).await.unwrap();
}

/// What the banner of safe mode tells people to do.
#[tokio::test]
async fn where_the_agent_does_not_run_the_servers_part_is_saved_and_no_job_bars_the_way_out() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let ask = json!({ "password": PASSWORD, "passphrase": PHRASE });
    let reset = json!({ "password": PASSWORD, "confirm": "kiln" });
    let head = |file: &[u8]| -> serde_json::Value {
        let line = file.split(|byte| *byte == b'\n').nth(1).unwrap();
        serde_json::from_slice(line).unwrap()
    };
    let mut agent = Agent::connect(&made).await;
    let giving = agent.serve(|_| {
        CallOutcome::Ok(Answer::Records {
            rows: vec![],
            next: None,
        })
    });
    let making = bytes(&admin, Method::POST, "/api/v1/backup", Some(ask.clone()));
    let ((_, whole), ()) = tokio::join!(making, giving);
    assert_eq!(head(&whole)["agent"], true);
    let mut job = crate::certificate::finished(7);
    (job.state, job.verdict) = (wire::job::JobState::Running, None);
    shown(&admin, &agent, Frame::Job(Box::new(job)), "job").await;

    // A restart of some seconds: nobody saves the half, and its workers may be at the job.
    let mut stream = admin.events("/api/v1/stream").await;
    drop(agent);
    while stream.named("box").await.data["agent"]["state"] != "offline" {}
    supervised(&made, "backoff").await;
    made.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(admin.post("/api/v1/backup", &ask).await.problem(), "agent-away");
    let barred = admin.post("/api/v1/reset", &reset).await;
    assert_eq!(barred.problem(), "jobs-running");
    assert!(barred.text.contains("not connected"), "{barred:?}");

    supervised(&made, "stopped").await;
    let making = bytes(&admin, Method::POST, "/api/v1/backup", Some(ask.clone()));
    let (status, file) = making.await;
    assert_eq!((status, &head(&file)["agent"]), (200, &json!(false)));
    let event = told(&mut admin, "box.backed_up").await;
    assert!(event["data"]["agent"].is_boolean(), "{event}");

    // Its part of a backup only the agent can take; one without leaves alone what it has.
    assert_eq!(put(&mut admin, &whole).await.status, 200);
    let refused = admin.post("/api/v1/restore", &ask).await;
    assert_eq!(refused.problem(), "agent-away");
    assert!(refused.text.contains("does not run"), "{refused:?}");
    assert_eq!(put(&mut admin, &file).await.json()["agent"], false);
    assert_eq!(admin.post("/api/v1/restore", &ask).await.status, 202);

    assert_eq!(admin.post("/api/v1/reset", &reset).await.status, 202);
    let event = told(&mut admin, "box.reset").await;
    assert_eq!(event["data"]["unfinished"], 1, "{event}");
}

#[tokio::test]
async fn what_the_image_is_made_of_is_told_with_its_hash_to_whoever_is_logged_in() {
    let unit = Box_::claimed().await;
    let mut admin = unit.admin().await;
    let none = admin.get("/api/v1/sbom").await;
    assert_eq!(none.status, 404);
    assert!(none.problem().ends_with("sbom-unknown"), "{none:?}");
    assert!(
        admin.get("/api/v1/box").await.json()["sbom"].is_null(),
        "outside an image"
    );

    let dir = tempfile::tempdir().unwrap();
    let bill = dir.path().join("sbom.spdx.json");
    std::fs::write(&bill, r#"{"spdxVersion":"SPDX-2.3"}"#).unwrap();
    std::sync::Arc::clone(&unit.app).tell_contents(bill).await;
    // By sha256sum.
    let sum = "d4f269605ffe72fbe7a3021d68284798ec364111376ee2eace17688bb52a9e1d";
    assert_eq!(admin.get("/api/v1/box").await.json()["sbom"], sum);
    let (status, file) = bytes(&admin, Method::GET, "/api/v1/sbom", None).await;
    assert_eq!(
        (status, file.as_slice()),
        (200, br#"{"spdxVersion":"SPDX-2.3"}"#.as_slice())
    );

    let mut anyone = unit.client();
    assert_eq!(anyone.get("/api/v1/sbom").await.status, 401);
    assert!(
        anyone.get("/api/v1/box").await.json()["sbom"].is_null(),
        "without a login"
    );
}

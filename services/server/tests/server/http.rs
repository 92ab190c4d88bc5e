//! Claim, login, limits, errors and headers through the real router.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::box_::{Box_, PASSWORD};

fn form(code: &str) -> Value {
    json!({ "code": code, "username": "ada", "password": PASSWORD })
}

fn code(made: &Box_) -> String {
    made.app.console.borrow().clone().unwrap()
}

/// Another code of the same form.
fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code[1..])
}

#[tokio::test]
async fn who_reads_the_console_becomes_the_first_user_and_nobody_after() {
    let made = Box_::unclaimed().await;
    let mut client = made.client();
    assert_eq!(client.get("/api/v1/box").await.json()["claimed"], false);
    assert_eq!(client.get("/api/v1/drives").await.problem(), "not-logged-in");
    let right = code(&made);

    let refused = client.post("/api/v1/claim", &form(&wrong(&right))).await;
    assert_eq!((refused.status, refused.problem().as_str()), (403, "code-wrong"));
    let short = json!({ "code": right, "username": "ada", "password": "short" });
    assert_eq!(client.post("/api/v1/claim", &short).await.problem(), "bad-password");
    let odd = json!({ "code": right, "username": "ada lovelace", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/claim", &odd).await.problem(), "bad-username");

    let answer = client.post("/api/v1/claim", &form(&right.to_lowercase())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=86400"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(client.get("/api/v1/session").await.json()["username"], "ada");
    assert_eq!(*made.app.console.borrow(), None, "the console shows no code any more");
    let again = made.client().post("/api/v1/claim", &form(&right)).await;
    assert_eq!((again.status, again.problem().as_str()), (409, "claimed"));
    let events = client.get("/api/v1/events").await.json();
    assert_eq!(events[0]["type"], "box.claimed");
}

#[tokio::test]
async fn of_many_claims_at_once_one_wins() {
    let made = Box_::unclaimed().await;
    let right = code(&made);
    let mut tasks = Vec::new();
    for n in 0..5 {
        let mut client = made.client();
        let body = json!({ "code": right, "username": format!("user{n}"), "password": PASSWORD });
        tasks.push(tokio::spawn(
            async move { client.post("/api/v1/claim", &body).await.status },
        ));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, [200, 409, 409, 409, 409]);
}

#[tokio::test]
async fn five_codes_a_minute_and_a_new_one_after_twenty() {
    let made = Box_::unclaimed().await;
    let mut client = made.client();
    let first = code(&made);
    let bad = wrong(&first);
    for minute in 0..4 {
        for _ in 0..5 {
            assert_eq!(client.post("/api/v1/claim", &form(&bad)).await.problem(), "code-wrong");
        }
        if minute < 3 {
            let right = client.post("/api/v1/claim", &form(&first)).await;
            assert_eq!(right.status, 429, "the sixth try of a minute, though right");
            let wait: u64 = right.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            made.clock.advance(Duration::from_secs(61));
        }
    }
    let second = code(&made);
    assert_ne!(first, second);
    made.clock.advance(Duration::from_secs(61));
    assert_eq!(
        client.post("/api/v1/claim", &form(&first)).await.problem(),
        "code-wrong"
    );
    assert_eq!(client.post("/api/v1/claim", &form(&second)).await.status, 200);
}

#[tokio::test]
async fn wrong_passwords_are_limited_and_sessions_end_after_a_day() {
    let made = Box_::claimed().await;
    let mut client = made.client();
    let login = |name: &str, password: &str| json!({ "username": name, "password": password });
    for n in 0..5 {
        let name = if n % 2 == 0 { "admin" } else { "nobody" };
        let answer = client.post("/api/v1/session", &login(name, "wrong horse")).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "login-wrong"),
            "names cannot be told apart"
        );
    }
    assert_eq!(
        client
            .post("/api/v1/session", &login("admin", PASSWORD))
            .await
            .problem(),
        "too-many-tries"
    );
    made.clock.advance(Duration::from_secs(61));
    let by_email = json!({ "email": "admin@kiln.local", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/session", &by_email).await.status, 200);
    assert_eq!(client.get("/api/v1/drives").await.status, 200);
    made.clock.advance(Duration::from_hours(24));
    assert_eq!(client.get("/api/v1/drives").await.status, 401);

    assert_eq!(
        client.post("/api/v1/session", &login("admin", PASSWORD)).await.status,
        200
    );
    let cookie = client.cookie.clone();
    assert_eq!(client.delete("/api/v1/session").await.status, 204);
    client.cookie = cookie;
    assert_eq!(
        client.get("/api/v1/session").await.status,
        401,
        "the old cookie opens nothing"
    );
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    for (method, path, body, want) in [
        (Method::GET, "/api/v1/nothing", None, 404),
        (Method::GET, "/api", None, 404),
        (Method::POST, "/no/page", None, 404),
        (Method::PUT, "/api/v1/box", None, 405),
        (Method::DELETE, "/health", None, 405),
        (Method::GET, "/api/v1/jobs/not-an-id", None, 404),
        (
            Method::GET,
            "/api/v1/jobs/01a1f9a0-6807-7500-941c-0748d4032921",
            None,
            404,
        ),
        (
            Method::GET,
            "/api/v1/jobs/01a1f9a0-6807-7500-941c-0748d4032921/log",
            None,
            404,
        ),
        (Method::GET, "/api/v1/events?after=x", None, 400),
        (Method::GET, "/api/v1/events?limit=-1", None, 400),
        (Method::POST, "/api/v1/plans", Some(("application/json", "{")), 400),
        (Method::POST, "/api/v1/plans", Some(("application/json", "")), 400),
        (
            Method::POST,
            "/api/v1/plans",
            Some((
                "application/json",
                "{\"drives\":[\"/dev/sda\"],\"playbook\":\"surface\"}",
            )),
            400,
        ),
        (
            Method::POST,
            "/api/v1/plans",
            Some(("application/json", "{\"drives\":[],\"playbook\":\"surface\"}")),
            422,
        ),
        (
            Method::POST,
            "/api/v1/plans",
            Some((
                "application/json",
                "{\"drives\":[\"wwn-1\",\"wwn-1\"],\"playbook\":\"surface\"}",
            )),
            422,
        ),
        (
            Method::POST,
            "/api/v1/plans",
            Some(("application/json", "{\"drives\":[\"wwn-1\"],\"playbook\":\"surface\"}")),
            503,
        ),
        (Method::POST, "/api/v1/plans", Some(("text/plain", "{}")), 415),
        (
            Method::POST,
            "/api/v1/plans/xyz/arm",
            Some(("application/json", "{\"password\":\"p\",\"confirm\":{}}")),
            404,
        ),
        (Method::GET, "/api/addons/99", None, 404),
        (Method::GET, "/api/addons/99/telemetry", None, 404),
        (Method::GET, "/api/addons/ws", None, 400),
    ] {
        let shown = format!("{method} {path} {body:?}");
        let answer = admin
            .raw(method, path, body.map(|(kind, text)| (kind, text.into())))
            .await;
        assert_eq!(answer.status, want, "{shown}: {answer:?}");
        answer.problem();
    }
    let bad = admin
        .post("/api/v1/session", &json!({ "username": 7, "password": "x" }))
        .await;
    assert!(
        bad.json()["detail"].as_str().unwrap().contains("line 1"),
        "the place is named: {bad:?}"
    );
}

#[tokio::test]
async fn bodies_over_a_megabyte_are_refused_also_without_a_length() {
    let made = Box_::claimed().await;
    let mut client = made.client();
    let long = format!("{{\"username\":\"{}\"}}", "x".repeat(1 << 20));
    let answer = client
        .raw(Method::POST, "/api/v1/session", Some(("application/json", long.into())))
        .await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too-long"));

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(made.address).await.unwrap();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        made.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..17 {
        // The server may hang up in the middle: that is what is tested.
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(crate::client::PATIENCE, stream.read(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&answer[..read]);
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
}

/// The answer's head, and its body by its length.
async fn answered(stream: &mut tokio::net::TcpStream) -> String {
    use tokio::io::AsyncReadExt;
    let mut answer = String::new();
    let whole = |answer: &str| {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let length = head
            .to_lowercase()
            .split_once("content-length: ")?
            .1
            .lines()
            .next()?
            .parse::<usize>();
        (body.len() >= length.ok()?).then_some(())
    };
    while whole(&answer).is_none() {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(crate::client::PATIENCE, stream.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(read, 0, "the connection ended behind {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    answer
}

#[tokio::test]
async fn a_body_that_nobody_reads_costs_no_connection_or_the_answer_says_so() {
    use tokio::io::AsyncWriteExt;
    let made = Box_::claimed().await;
    let post = |length: usize| {
        let host = made.address;
        format!(
            "POST /api/v1/jobs/1/abort HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut stream = tokio::net::TcpStream::connect(made.address).await.unwrap();
    for _ in 0..5 {
        stream.write_all(post(2).as_bytes()).await.unwrap();
        // As from far away: the answer may be ready before it is there.
        tokio::time::sleep(Duration::from_millis(30)).await;
        stream.write_all(b"{}").await.unwrap();
        let answer = answered(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 401") && !answer.contains("connection: close"),
            "{answer}"
        );
    }
    stream.write_all(post(200_000).as_bytes()).await.unwrap();
    assert!(answered(&mut stream).await.contains("connection: close"));
}

#[tokio::test]
async fn other_sites_cannot_use_a_session() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    let mut forged = admin.clone();
    forged.headers = vec![
        ("x-requested-with", "XMLHttpRequest".into()),
        ("origin", "http://evil.example".into()),
    ];
    assert_eq!(forged.delete("/api/v1/session").await.problem(), "origin-refused");
    forged.headers = vec![("origin", format!("http://{}", made.address))];
    assert_eq!(forged.delete("/api/v1/session").await.problem(), "csrf");
    forged.headers = vec![("host", "evil.example".into())];
    assert_eq!(forged.get("/api/v1/box").await.problem(), "host-refused");
    forged.headers = vec![("host", "kiln.local".into())];
    let answer = forged.get("/api/v1/box").await;
    assert_eq!(answer.status, 200);
    for name in [
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
    ] {
        assert!(answer.headers.contains_key(name), "{name}");
    }
    assert!(
        !answer.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("unsafe")
    );
    let mut own = admin.clone();
    own.headers.push(("origin", format!("http://{}", made.address)));
    assert_eq!(own.delete("/api/v1/session").await.status, 204);
}

#[tokio::test]
async fn a_bearer_token_works_like_the_cookie_and_a_wrong_one_is_not_outweighed_by_it() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut client = made.client();
    client.headers = vec![("authorization", format!("Bearer {}", admin.cookie.clone().unwrap()))];
    assert_eq!(client.get("/api/v1/drives").await.status, 200);
    admin.headers = vec![("authorization", "Bearer wrong".into())];
    assert_eq!(admin.get("/api/v1/drives").await.status, 401);
}

#[tokio::test]
async fn vigils_clients_may_send_their_own_cookie() {
    let made = Box_::claimed().await;
    let login = json!({ "username": "admin", "password": PASSWORD });
    let answer = made.client().post("/api/auth/login", &login).await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let set: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert!(
        set.iter()
            .any(|cookie| cookie.starts_with(&format!("session={token};"))),
        "{set:?}"
    );

    let mut vigil = made.client();
    // A cookie of the same name that something behind another port has set comes first, as a browser may send it.
    vigil.headers = vec![("cookie", format!("session=other; session={token}"))];
    assert_eq!(vigil.get("/api/users/me").await.json()["username"], "admin");
    assert_eq!(
        vigil
            .post("/api/addons/tokens", &json!({ "name": "x" }))
            .await
            .problem(),
        "csrf"
    );
    vigil.headers.push(("x-requested-with", "XMLHttpRequest".into()));
    assert_eq!(
        vigil.post("/api/addons/tokens", &json!({ "name": "x" })).await.status,
        201
    );
    // One jar may hold two sessions, one under each name: whoever logs out is logged out.
    let mut page = made.client();
    assert_eq!(page.post("/api/v1/session", &login).await.status, 200);
    let own = page.cookie.take().unwrap();
    vigil.headers[0].1 = format!("session={token}; kiln_session={own}");
    let out = vigil.delete("/api/v1/session").await;
    assert_eq!(out.headers.get_all("set-cookie").iter().count(), 2, "{out:?}");
    assert_eq!(vigil.get("/api/users/me").await.status, 401);
    // What another program has set under that name keeps nobody from logging in.
    vigil.headers = vec![("cookie", "session=other".into())];
    assert_eq!(vigil.post("/api/auth/login", &login).await.status, 200);
}

#[tokio::test]
async fn health_needs_no_login_and_names_what_clients_look_for() {
    let made = Box_::unclaimed().await;
    for path in ["/health", "/api/v1/health"] {
        let answer = made.client().get(path).await;
        assert_eq!(answer.status, 200);
        let body = answer.json();
        for field in ["status", "version", "uptime_seconds", "timestamp", "database", "agent"] {
            assert!(!body[field].is_null(), "{field}: {body}");
        }
    }
}

#[tokio::test]
async fn the_stream_begins_with_a_snapshot_replays_and_goes_on() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    for n in 0..5 {
        made.app
            .record("test.one", wire::event::Severity::Info, n.to_string(), Value::Null)
            .await;
    }
    let mut stream = admin.events("/api/v1/stream").await;
    assert_eq!(stream.next().await.unwrap().name, "box");
    assert_eq!(stream.next().await.unwrap().name, "playbooks");
    assert_eq!(stream.next().await.unwrap().name, "drives");
    made.app
        .record("test.two", wire::event::Severity::Info, "live".into(), Value::Null)
        .await;
    let live = stream.logged("test.two").await;
    assert_eq!(live.id.unwrap(), live.data["seq"].as_u64().unwrap());

    let all = admin.get("/api/v1/events").await.json();
    let seqs: Vec<u64> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gaps: {seqs:?}");
    let after = seqs[seqs.len() - 4];
    let mut again = admin.clone();
    again.headers.push(("last-event-id", after.to_string()));
    let mut stream = again.events("/api/v1/stream").await;
    for want in after + 1..after + 4 {
        assert_eq!(
            stream.named("event").await.id,
            Some(want),
            "each missed event once, in order"
        );
    }
    made.app
        .record("test.three", wire::event::Severity::Info, "live".into(), Value::Null)
        .await;
    assert_eq!(stream.logged("test.three").await.id, Some(after + 4));
    let page = admin.get(&format!("/api/v1/events?after={after}&limit=2")).await.json();
    assert_eq!(page.as_array().unwrap().len(), 2);
    assert_eq!(page[0]["seq"], after + 1);
}

#[tokio::test]
async fn what_became_of_a_drive_is_known_after_two_hundred_newer_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let owner = Some(("admin".into(), PASSWORD.into()));
    let (first, mut other) = (crate::certificate::finished(7), crate::certificate::finished(8));
    (other.drive, other.serial) = (crate::agent::drive("WD-2"), "WD-2".into());
    let later = (0..201_u32).map(|n| wire::job::Job {
        id: wire::JobId(uuid::Uuid::from_u128(first.id.0.as_u128() + 1 + u128::from(n))),
        ..other.clone()
    });
    let keep = std::iter::once(first.clone()).chain(later);
    let keep = keep.map(|job| server::scribe::Keep::Job(Box::new(job))).collect();
    let of = async |made: &Box_, query: &str| -> Vec<wire::job::Job> {
        let text = made.admin().await.get(&format!("/api/v1/jobs{query}")).await.text;
        serde_json::from_str(&text).unwrap()
    };
    let held = async |made: &Box_| of(made, "").await.iter().any(|job| job.id == first.id);
    let made = Box_::at(dir.path(), owner).await;
    made.app.scribe.kept(keep).await.unwrap();
    made.app.shut_down().await;
    drop(made);
    let made = Box_::at_once_free(dir.path()).await;
    assert!(!held(&made).await, "it is one of the older ones");
    for word in [first.drive.as_str(), &first.serial] {
        assert_eq!(
            of(&made, &format!("?drive={word}")).await,
            std::slice::from_ref(&first),
            "{word}"
        );
    }
    assert_eq!(of(&made, "?drive=WD-2").await.len(), 200);
    assert_eq!(of(&made, "?drive=none").await, []);
    // Its card says what became of it as soon as it is plugged in, and after a restart.
    let admin = made.admin().await;
    let agent = crate::agent::Agent::connect(&made).await;
    let mut stream = admin.events("/api/v1/stream").await;
    agent
        .sender
        .send(&wire::Frame::Drives(vec![crate::acts::there("WD-1234")]))
        .await
        .unwrap();
    while stream.named("job").await.data["id"] != first.id.to_string() {}
    assert!(held(&made).await);
    drop((agent, stream));
    made.app.shut_down().await;
    drop(made);
    let made = Box_::at_once_free(dir.path()).await;
    assert!(held(&made).await);
}

/// A drive that failed long ago and was only read since: its newest job is held, and says nothing against it.
#[tokio::test]
async fn a_failure_older_than_two_hundred_jobs_is_told_after_a_start_and_when_its_drive_is_plugged_in() {
    use wire::job::{Job, Outcome, Phase};
    let dir = tempfile::tempdir().unwrap();
    let number = |n: u32| wire::JobId(uuid::Uuid::from_u128(7 + u128::from(n)));
    let mut failed = crate::certificate::finished(7);
    failed.verdict.as_mut().unwrap().outcome = Outcome::Failed;
    let mut read = crate::certificate::finished(8);
    read.phases.retain(|state| state.phase == Phase::Write);
    read.phases[0].phase = Phase::Scan;
    let later = (1..=210).map(|n| {
        let mut job = Job {
            id: number(n),
            ..read.clone()
        };
        if n < 205 {
            (job.drive, job.serial) = (crate::agent::drive("WD-2"), "WD-2".into());
        }
        job
    });
    let keep = std::iter::once(failed.clone()).chain(later);
    let keep = keep.map(|job| server::scribe::Keep::Job(Box::new(job))).collect();
    let of = async |made: &Box_, query: &str| -> Vec<Job> {
        let text = made.admin().await.get(&format!("/api/v1/jobs{query}")).await.text;
        serde_json::from_str(&text).unwrap()
    };
    let held = async |made: &Box_| of(made, "").await.contains(&failed);
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    made.app.scribe.kept(keep).await.unwrap();
    made.app.shut_down().await;
    drop(made);
    let made = Box_::at_once_free(dir.path()).await;
    assert!(!held(&made).await, "its drive is not here");
    assert!(of(&made, "?drive=WD-1234").await.contains(&failed));
    let admin = made.admin().await;
    let agent = crate::agent::Agent::connect(&made).await;
    let mut stream = admin.events("/api/v1/stream").await;
    agent
        .sender
        .send(&wire::Frame::Drives(vec![crate::acts::there("WD-1234")]))
        .await
        .unwrap();
    while stream.named("job").await.data["id"] != failed.id.to_string() {}
    drop((agent, stream));
    made.app.shut_down().await;
    drop(made);
    let made = Box_::at_once_free(dir.path()).await;
    assert!(held(&made).await, "known before anybody asks");
    // As many jobs of its own do not hide it, and it is not among those that make room.
    let more = (211..=1_200).map(|n| {
        server::scribe::Keep::Job(Box::new(Job {
            id: number(n),
            ..read.clone()
        }))
    });
    made.app.scribe.kept(more.collect()).await.unwrap();
    let all = of(&made, "?drive=WD-1234").await;
    assert_eq!((all.len(), all.last()), (201, Some(&failed)));
}

/// One thread for what blocks, and it is taken: nothing is looked up until it is let go.
#[test]
fn the_agent_is_heard_while_old_jobs_are_looked_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let made = Box_::claimed().await;
        let admin = made.admin().await;
        let agent = crate::agent::Agent::connect(&made).await;
        let (first, mut other) = (crate::certificate::finished(7), crate::certificate::finished(8));
        (other.drive, other.serial) = (crate::agent::drive("WD-2"), "WD-2".into());
        let mut later: Vec<_> = (0..200_u32)
            .map(|n| wire::job::Job {
                id: wire::JobId(uuid::Uuid::from_u128(first.id.0.as_u128() + 1 + u128::from(n))),
                ..other.clone()
            })
            .collect();
        let running = later.last_mut().unwrap();
        (running.state, running.verdict, running.ended) = (wire::job::JobState::Running, None, None);
        let running = running.id.to_string();
        let mut stream = admin.events("/api/v1/stream").await;
        for job in std::iter::once(first.clone()).chain(later) {
            agent.sender.send(&wire::Frame::Job(Box::new(job))).await.unwrap();
        }
        while stream.named("job").await.data["id"] != running {}
        made.app.scribe.kept(Vec::new()).await.unwrap();
        assert!(made.app.hub(|hub| hub.job_of(first.id).is_none()), "it was let go");

        let (go, wait) = std::sync::mpsc::channel::<()>();
        let held_up = tokio::task::spawn_blocking(move || wait.recv());
        let drives = wire::Frame::Drives(vec![crate::acts::there("WD-1234")]);
        agent.sender.send(&drives).await.unwrap();
        let progress = serde_json::from_value(serde_json::json!({ "job_id": running, "kiln": {
            "phase": "write", "done": 1, "total": 2, "rate": 1, "eta": null, "eta_job": null, "percent": 50.0, "temperature": null
        } }));
        agent.sender.send(&wire::Frame::Progress(progress.unwrap())).await.unwrap();
        while stream.next().await.unwrap().name != "progress" {}
        assert!(made.app.hub(|hub| hub.job_of(first.id).is_none()), "it is not looked up yet");
        drop(go);
        let _over = held_up.await.unwrap();
        while stream.named("job").await.data["id"] != first.id.to_string() {}
    });
}

#[tokio::test]
async fn a_snapshot_of_two_hundred_jobs_begins_with_what_runs_and_is_no_larger_than_it_need_be() {
    use wire::job::{Job, JobState, Surface, TIMELINE_MAX};
    let made = Box_::claimed().await;
    let agent = crate::agent::Agent::connect(&made).await;
    let mut whole = crate::certificate::finished(1_000);
    let surface = serde_json::json!({ "step": 2, "phase": "write", "zones": vec![231_456_789_u64; 256], "p50_us": 4_100, "p99_us": 15_200,
        "max_us": 812_000, "latencies": vec![1_234_567_u64; 28] });
    whole.surface = vec![serde_json::from_value::<Surface>(surface).unwrap(); 4];
    whole.timeline = (0..TIMELINE_MAX)
        .map(|n| wire::job::TimePoint {
            at: wire::Time::from_second(1_700_000_000 + 60 * i64::try_from(n).unwrap()).unwrap(),
            temperature: Some(wire::Celsius(if n == 99 { 61 } else { 40 })),
            ..whole.timeline[0].clone()
        })
        .collect();
    let mut running = whole.clone();
    (running.id, running.state, running.verdict) = (wire::JobId(uuid::Uuid::from_u128(1)), JobState::Running, None);
    running.ended = None;
    let id = |n: u128| wire::JobId(uuid::Uuid::from_u128(1_000 + n));
    let over = (0..199).map(|n| Job {
        id: id(n),
        ..whole.clone()
    });
    for job in std::iter::once(running.clone()).chain(over) {
        agent.sender.send(&wire::Frame::Job(Box::new(job))).await.unwrap();
    }
    while made.app.hub(|hub| hub.jobs().count()) < 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut stream = made.admin().await.events("/api/v1/stream?after=0").await;
    let (mut bytes, mut jobs, mut told_before_drives) = (0, Vec::<Job>::new(), None);
    loop {
        let message = stream.next().await.unwrap();
        bytes += message.text.len();
        match message.name.as_str() {
            "ready" => break,
            "drives" => told_before_drives = Some(jobs.len()),
            "job" => jobs.push(serde_json::from_str(&message.text).unwrap()),
            _ => {}
        }
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(ids[..3], [running.id, id(198), id(197)], "what runs, then the newest");
    assert_eq!(jobs.len(), 200);
    assert_eq!(
        told_before_drives,
        Some(1),
        "no drive is shown without what is known of it last, nor waits for all that was before"
    );
    assert_eq!(jobs[0].timeline.len(), TIMELINE_MAX, "what runs is whole");
    let hottest = jobs[1]
        .timeline
        .iter()
        .map(|point| point.temperature)
        .collect::<Vec<_>>();
    assert_eq!(hottest, [Some(wire::Celsius(61))]);
    assert!(bytes < 3 << 20, "{bytes} bytes");
    let path = format!("/api/v1/jobs/{}/timeline", id(0));
    let line = made.admin().await.get(&path).await.json();
    assert_eq!(line.as_array().unwrap().len(), TIMELINE_MAX);
}

/// What somebody gets who listens to one drive or one job: names and what they are about, up to the event that says so.
async fn until(stream: &mut crate::client::Events, kind: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let message = stream.next().await.unwrap();
        let data = &message.data;
        match message.name.as_str() {
            "event" if data["type"] == kind => return all,
            "event" => all.push(format!("event {}", data["message"].as_str().unwrap())),
            "job" => all.push(format!("job of {}", data["serial"].as_str().unwrap())),
            "log" => all.push(format!("log {}", data["line"]["message"].as_str().unwrap())),
            "drives" => {
                let drives = data.as_array().unwrap().iter();
                let drives: Vec<&str> = drives.map(|drive| drive["serial"].as_str().unwrap()).collect();
                all.push(format!("drives {}", drives.join(" ")));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_listens_to_one_drive_or_one_job_gets_theirs_now_then_and_again() {
    use crate::acts::{shown, there};
    use crate::agent::{Agent, drive};
    use wire::Frame;
    use wire::event::{Actor, NewEvent, Severity};
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    shown(
        &admin,
        &agent,
        Frame::Drives(vec![there("WD-1234"), there("WD-2")]),
        "drives",
    )
    .await;
    let (one, mut other) = (crate::certificate::finished(7), crate::certificate::finished(8));
    (other.drive, other.serial) = (drive("WD-2"), "WD-2".into());
    for job in [&one, &other] {
        shown(&admin, &agent, Frame::Job(Box::new(job.clone())), "job").await;
    }
    let log = async |what: &str, job: Option<wire::JobId>, of: Option<&str>| {
        let mut event = NewEvent::new("test.of", Severity::Info, what.into(), Value::Null);
        (event.job, event.drive) = (job, of.map(drive));
        let keep = server::scribe::Keep::Event(event, Actor::new("server", "server"), made.app.clock.now().wall);
        made.app.scribe.kept(vec![keep]).await.unwrap();
    };
    let end = async |kind: &str| made.app.record(kind, Severity::Info, "end".into(), Value::Null).await;
    let before = server::app::events(&made.app.store, None, 1).unwrap()[0].seq;
    let all = async || {
        log("of drive 1", None, Some("WD-1234")).await;
        log("of drive 2", None, Some("WD-2")).await;
        log("of job 1", Some(one.id), None).await;
        log("of job 2", Some(other.id), Some("WD-2")).await;
        log("of none", None, None).await;
    };
    let first = ["job of WD-1234", "drives WD-1234"];
    let then = ["event of drive 1", "event of job 1", "event of none"];
    let by_id = format!("drive={}", drive("WD-1234"));
    let by_both = format!("drive=WD-1234&job={}", other.id);
    let by_job = format!("job={}&drive=", other.id);
    let mut live = Vec::new();
    for (query, first, then) in [
        (by_id.as_str(), &first[..], &then[..]),
        ("drive=WD-1234", &first, &then),
        (&by_both, &first[1..], &["event of drive 1", "event of none"]),
        (
            &by_job,
            &["job of WD-2", "drives WD-1234 WD-2"],
            &[
                "event of drive 1",
                "event of drive 2",
                "event of job 2",
                "event of none",
            ],
        ),
        ("drive=none", &["drives "], &["event of none"]),
    ] {
        let mut stream = admin.events(&format!("/api/v1/stream?{query}")).await;
        stream.named("box").await;
        live.push((query, stream, first, then));
    }
    for (number, (query, stream, first, _)) in live.iter_mut().enumerate() {
        let kind = format!("test.end{number}");
        end(&kind).await;
        assert_eq!(until(stream, &kind).await[..first.len()], **first, "{query}");
    }
    end("test.begun").await;
    all().await;
    end("test.over").await;
    for (query, stream, first, then) in &mut live {
        until(stream, "test.begun").await;
        assert_eq!(until(stream, "test.over").await, **then, "{query}");
        let mut back = admin.clone();
        back.headers.push(("last-event-id", before.to_string()));
        let mut again = back.events(&format!("/api/v1/stream?{query}")).await;
        assert_eq!(until(&mut again, "test.end0").await, **first, "{query}");
        until(&mut again, "test.begun").await;
        assert_eq!(until(&mut again, "test.over").await, **then, "again: {query}");
    }
    for bad in ["job=none", "drive=a&drive=b"] {
        assert_eq!(admin.get(&format!("/api/v1/stream?{bad}")).await.problem(), "bad-query");
    }
}

#[tokio::test]
async fn whoever_missed_thousands_of_events_gets_each_of_them_once_and_then_the_live_ones() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    let one = wire::event::NewEvent::new("test.many", wire::event::Severity::Info, "missed".into(), Value::Null);
    let (by, at) = (wire::event::Actor::new("server", "server"), made.app.clock.now().wall);
    let many = (0..2500).map(|_| server::scribe::Keep::Event(one.clone(), by.clone(), at));
    made.app.scribe.kept(many.collect()).await.unwrap();
    let mut back = admin.clone();
    back.headers.push(("last-event-id", "1".into()));
    let mut stream = back.events("/api/v1/stream").await;
    let mut want = 2;
    let newest = server::app::events(&made.app.store, None, 1).unwrap()[0].seq;
    assert!(newest >= 2500);
    while want <= newest {
        assert_eq!(stream.named("event").await.id, Some(want));
        want += 1;
    }
    made.app
        .record("test.live", wire::event::Severity::Info, "live".into(), Value::Null)
        .await;
    let live = stream.named("event").await;
    assert_eq!((live.id, &live.data["type"]), (Some(want), &"test.live".into()));
}

#[tokio::test]
async fn a_last_event_id_that_is_no_number_is_not_told_that_nothing_was_missed() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    made.app
        .record("test.missed", wire::event::Severity::Info, "missed".into(), Value::Null)
        .await;
    for id in ["abc", "-1", "5, 6", "18446744073709551616"] {
        let mut back = admin.clone();
        back.headers.push(("last-event-id", id.into()));
        let mut stream = back.events("/api/v1/stream").await;
        assert_eq!(stream.logged("test.missed").await.data["message"], "missed", "{id}");
    }
}

#[tokio::test]
async fn a_stream_needs_a_session() {
    let made = Box_::claimed().await;
    let mut client = made.client();
    assert_eq!(client.get("/api/v1/stream").await.problem(), "not-logged-in");
}

#[tokio::test]
async fn a_stream_ends_at_once_where_its_session_is_ended_and_no_other_does() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    for way in ["logout", "people page", "password"] {
        let mut other = made.admin().await;
        let own = other.get("/api/v1/sessions").await.json();
        let own = own.as_array().unwrap().iter().find(|row| row["own"] == true).unwrap()["id"].clone();
        let mut staying = admin.events("/api/v1/stream").await;
        let mut stream = other.events("/api/v1/stream").await;
        let mut telemetry = other.events("/api/addons/1/telemetry").await;
        stream.named("ready").await;
        staying.named("ready").await;
        assert_eq!(telemetry.next().await.unwrap().name, "connected");
        let status = match way {
            "logout" => other.delete("/api/v1/session").await.status,
            "people page" => {
                admin
                    .delete(&format!("/api/v1/sessions/{}", own.as_str().unwrap()))
                    .await
                    .status
            }
            _ => {
                let change = json!({ "old": PASSWORD, "new": "another correct horse" });
                admin.put("/api/v1/session/password", &change).await.status
            }
        };
        assert_eq!(status, 204, "{way}");
        // Well before the session is looked at anew by the clock.
        let soon = Duration::from_secs(5);
        let until_the_end = async {
            while stream.wait().await.is_some_and(|sent| sent.name != "logout") {}
            assert_eq!(stream.wait().await, None, "{way}: and it ends");
            while telemetry.next().await.is_some() {}
        };
        tokio::time::timeout(soon, until_the_end).await.expect(way);
        made.app
            .record("test.live", wire::event::Severity::Info, way.into(), Value::Null)
            .await;
        while staying.named("event").await.data["message"] != way {}
    }
}

#[tokio::test]
async fn a_stream_ends_within_a_minute_of_its_sessions_day() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    let mut stream = admin.events("/api/v1/stream").await;
    stream.named("ready").await;
    made.clock.advance(Duration::from_hours(24));
    // From here the runtime's own time runs ahead whenever nothing else is to be done.
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    while stream.wait().await.is_some_and(|sent| sent.name != "logout") {}
    assert!(begin.elapsed() <= Duration::from_secs(61), "{:?}", begin.elapsed());
    assert_eq!(stream.wait().await, None, "and it ends");
}

#[tokio::test]
async fn a_stream_that_stood_still_tells_nothing_of_what_came_after_its_session() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    // More than all sockets hold, so that the listener's task waits.
    let long = "x".repeat(16 << 10);
    let one = wire::event::NewEvent::new("test.many", wire::event::Severity::Info, long, Value::Null);
    let (by, at) = (wire::event::Actor::new("server", "server"), made.app.clock.now().wall);
    let many = (0..900).map(|_| server::scribe::Keep::Event(one.clone(), by.clone(), at));
    made.app.scribe.kept(many.collect()).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stolen = socket.connect(made.address).await.unwrap();
    let head = format!(
        "GET /api/v1/stream?after=1 HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
        made.address,
        admin.cookie.clone().unwrap()
    );
    stolen.write_all(head.as_bytes()).await.unwrap();
    stolen.read_exact(&mut [0; 4096]).await.unwrap();
    assert_eq!(admin.delete("/api/v1/session").await.status, 204);
    made.app
        .record("test.after", wire::event::Severity::Info, "secret".into(), Value::Null)
        .await;
    made.clock.advance(Duration::from_secs(61));
    let mut rest = Vec::new();
    let reading = async {
        // The chunk of length nothing ends the body.
        while !rest.ends_with(b"\r\n0\r\n\r\n") {
            let mut some = [0; 64 << 10];
            let read = stolen.read(&mut some).await.unwrap();
            assert!(read > 0, "cut off");
            rest.extend_from_slice(&some[..read]);
            let tail = String::from_utf8_lossy(&rest[rest.len().saturating_sub(80 << 10)..]).into_owned();
            assert!(!tail.contains("test.after"), "told to a session that is over");
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, Box::pin(reading))
        .await
        .unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("event: logout"), "the listener is told why");
    assert!(!rest.contains("event: ready"), "it stood still before it had all");
}

#[tokio::test]
async fn an_unclaimed_box_has_no_door_but_the_claim() {
    let made = Box_::unclaimed().await;
    let mut client = made.client();
    let login = json!({ "username": "admin", "password": "" });
    assert_eq!(client.post("/api/v1/session", &login).await.problem(), "login-wrong");
    for path in [
        "/api/v1/drives",
        "/api/v1/jobs",
        "/api/v1/events",
        "/api/v1/playbooks",
        "/api/addons",
    ] {
        assert_eq!(client.get(path).await.status, 401, "{path}");
    }
}

/// By a reader that was written from RFC 8785 alone.
#[tokio::test]
async fn the_exported_log_holds_for_an_outside_reader_and_a_changed_one_does_not() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    for (name, url) in [
        ("größer \u{1F600}", ""),
        ("b\u{7f}", "http://127.0.0.1:9"),
        ("shed", ""),
    ] {
        admin
            .post("/api/addons/register", &json!({ "name": name, "url": url }))
            .await;
    }
    let log = admin.get("/api/v1/events?after=0&limit=1000").await.text;
    let read = |args: &[&str], text: &str| {
        use std::io::Write;
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/chain.py");
        let mut child = std::process::Command::new("python3")
            .arg(script)
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (good, told) = read(&["--cases"], include_str!("../../../wire/cases/canonical.json"));
    assert!(good, "{told}");
    let (good, told) = read(&[], &log);
    assert!(good && !told.starts_with('0'), "{told}\n{log}");
    let (good, told) = read(&[], &log.replacen("shed", "shad", 1));
    assert!(!good && told.contains("its hash"), "{told}");
}

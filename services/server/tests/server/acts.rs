//! What a person asks of the agent beside the gate: pause, resume, locate, scan, own playbooks.

use http::Method;
use serde_json::{Value, json};
use wire::command::{Answer, CallOutcome, Command};
use wire::drive::{Bus, Content, Drive, Rotation};
use wire::playbook::PlaybookInfo;
use wire::{Bytes, Frame, JobId, Problem, Time};

use crate::agent::{Agent, drive};
use crate::box_::Box_;
use crate::client::{self, Client};

pub(crate) fn there(serial: &str) -> Drive {
    Drive {
        id: Some(drive(serial)),
        key: serial.into(),
        kernel_name: "sda".into(),
        model: "M".into(),
        serial: serial.into(),
        wwn: None,
        capacity: Bytes(1_000),
        logical_sector: 512,
        physical_sector: 512,
        bus: Bus::Sata,
        link_mbps: None,
        rotation: Rotation::Unknown,
        location: String::new(),
        temperature: None,
        content: Content::Empty,
        refused: None,
        present: true,
        since: Time::UNIX_EPOCH,
        as_of: None,
        bay: None,
        heat_limit: None,
        ill: None,
        shown_until: None,
    }
}

fn book(name: &str, own: bool) -> PlaybookInfo {
    PlaybookInfo {
        name: name.into(),
        about: "a".into(),
        erases: true,
        own,
        steps: vec!["Write".into()],
        sweeps: 1,
        self_tests: 0,
        timed_seconds: 0,
        soaks: Vec::new(),
        formats: false,
        judges_new: false,
        text: String::new(),
        problem: None,
    }
}

/// Asks; the agent sees `command` and answers.
async fn asked(
    admin: &Client,
    agent: &mut Agent,
    (method, path, body): (Method, &str, Value),
    answer: impl FnOnce(Command) -> CallOutcome,
) -> client::Answer {
    let mut asker = admin.clone();
    let path = path.to_owned();
    let asking = tokio::spawn(async move {
        asker
            .raw(method, &path, Some(("application/json", body.to_string().into())))
            .await
    });
    agent.serve(answer).await;
    asking.await.unwrap()
}

fn done(told: &str) -> CallOutcome {
    CallOutcome::Ok(Answer::Done { told: told.into() })
}

pub(crate) async fn shown(admin: &Client, agent: &Agent, frame: Frame, name: &str) -> Value {
    let mut stream = admin.events("/api/v1/stream").await;
    stream.named("ready").await;
    agent.sender.send(&frame).await.unwrap();
    stream.named(name).await.data
}

#[tokio::test]
async fn locate_and_scan_reach_the_agent_as_asked() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    shown(&admin, &agent, Frame::Drives(vec![there("WD-1234")]), "drives").await;
    let path = format!("/api/v1/drives/{}/locate", drive("WD-1234"));
    let answer = asked(&admin, &mut agent, (Method::POST, &path, json!({ "on": true })), |command| {
        assert!(matches!(command, Command::Locate { drive: d, on: true, actor } if d == drive("WD-1234") && actor == "admin"));
        done("the light of bay 3 is on")
    })
    .await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "told": "the light of bay 3 is on" }))
    );
    for (id, body, want) in [
        (drive("ST-9F2K").to_string(), json!({ "on": true }), "drive-unknown"),
        ("sda".to_owned(), json!({ "on": true }), "drive-unknown"),
        (drive("WD-1234").to_string(), json!({ "on": "yes" }), "bad-json"),
    ] {
        let answer = admin.post(&format!("/api/v1/drives/{id}/locate"), &body).await;
        assert_eq!(answer.problem(), want);
    }

    let path = format!("/api/v1/drives/{}/bay", drive("WD-1234"));
    let named = json!({ "bay": " front, second " });
    let answer = asked(&admin, &mut agent, (Method::PUT, &path, named), |command| {
        assert!(matches!(command, Command::NameBay { drive: d, bay, actor } if d == drive("WD-1234") && bay == "front, second" && actor == "admin"));
        done("Its bay is called front, second.")
    })
    .await;
    assert_eq!(answer.json(), json!({ "told": "Its bay is called front, second." }));
    for (bay, want) in [
        (json!("x".repeat(65)), "bad-bay"),
        (json!("two\nlines"), "bad-bay"),
        (json!(3), "bad-json"),
    ] {
        let answer = admin.put(&path, &json!({ "bay": bay })).await;
        assert_eq!(answer.problem(), want);
    }

    let job = JobId::now();
    let scan = json!({ "drives": [drive("WD-1234")], "playbook": "scan" });
    let answer = asked(
        &admin,
        &mut agent,
        (Method::POST, "/api/v1/scans", scan.clone()),
        |command| {
            assert!(matches!(command, Command::Scan { drives, playbook, actor }
            if drives == [drive("WD-1234")] && playbook == "scan" && actor == "admin"));
            CallOutcome::Ok(Answer::Started { jobs: vec![job] })
        },
    )
    .await;
    assert_eq!(answer.json(), json!({ "jobs": [job] }));
    let refused = asked(&admin, &mut agent, (Method::POST, "/api/v1/scans", scan), |_| {
        CallOutcome::Error(Problem::new("playbook-erases", 422, "This playbook erases").with("use the gate"))
    })
    .await;
    assert_eq!((refused.status, refused.problem().as_str()), (422, "playbook-erases"));
    for drives in [json!([]), json!([drive("WD-1234"), drive("WD-1234")])] {
        let answer = admin
            .post("/api/v1/scans", &json!({ "drives": drives, "playbook": "scan" }))
            .await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "bad-plan"));
    }
    let events = admin.get("/api/v1/events").await.json();
    let kinds: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["type"].as_str())
        .collect();
    assert!(
        kinds.contains(&"person.located") && kinds.contains(&"person.bay_named") && kinds.contains(&"person.scanned"),
        "{kinds:?}"
    );
    let known = there("WD-1234");
    let label = format!("{} WD-1234 ({})", known.model, known.capacity);
    for want in [
        format!("admin looks for {label}: the light of bay 3 is on"),
        format!("which only reads, on {label}"),
    ] {
        assert!(
            events.to_string().contains(&want),
            "drives are told by their labels: {want}: {events}"
        );
    }
}

#[tokio::test]
async fn a_job_is_paused_and_goes_on_only_while_it_runs() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let mut job = crate::certificate::finished(7);
    (job.state, job.verdict) = (wire::job::JobState::Running, None);
    shown(&admin, &agent, Frame::Job(Box::new(job.clone())), "job").await;
    for (word, told) in [("pause", "paused"), ("resume", "goes on")] {
        let path = format!("/api/v1/jobs/{}/{word}", job.id);
        let answer = asked(&admin, &mut agent, (Method::POST, &path, json!({})), |command| {
            let fits = match &command {
                Command::Pause { job: id, actor } => word == "pause" && *id == job.id && actor == "admin",
                Command::Resume { job: id, actor } => word == "resume" && *id == job.id && actor == "admin",
                _ => false,
            };
            assert!(fits, "{command:?}");
            done(told)
        })
        .await;
        assert_eq!(answer.json()["told"], told);
        let none = admin.post("/api/v1/jobs/x/pause", &json!({})).await;
        assert_eq!(none.problem(), "job-unknown");
    }
    let over = crate::certificate::finished(7);
    shown(&admin, &agent, Frame::Job(Box::new(over)), "job").await;
    for word in ["pause", "resume", "abort"] {
        let answer = admin.post(&format!("/api/v1/jobs/{}/{word}", job.id), &json!({})).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, "job-over"));
    }
}

#[tokio::test]
async fn playbooks_are_listed_saved_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), crate::box_::PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let books = vec![book("standard", false), book("mine", true)];
    let told = shown(&admin, &agent, Frame::Playbooks(books.clone()), "playbooks").await;
    assert_eq!(serde_json::from_value::<Vec<PlaybookInfo>>(told).unwrap(), books);

    let text = "name = \"mine\"\n";
    let body = json!({ "text": text });
    let answer = asked(
        &admin,
        &mut agent,
        (Method::PUT, "/api/v1/playbooks/mine", body.clone()),
        |command| {
            assert!(matches!(command, Command::SavePlaybook { text: t, actor } if t == text && actor == "admin"));
            done("saved")
        },
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let wrong = asked(
        &admin,
        &mut agent,
        (Method::PUT, "/api/v1/playbooks/mine", body.clone()),
        |_| {
            CallOutcome::Error(
                Problem::new("playbook-bad", 422, "No playbook").with("mine.toml: line 2: `do` is missing"),
            )
        },
    )
    .await;
    assert!(
        wrong.text.contains("line 2"),
        "the agent's words reach the person: {wrong:?}"
    );
    let mut put = async |name: &str, text: String| {
        let body = json!({ "text": text }).to_string();
        let path = format!("/api/v1/playbooks/{name}");
        admin
            .raw(Method::PUT, &path, Some(("application/json", body.into())))
            .await
            .problem()
    };
    for name in ["Mine", "my_soak"] {
        assert_eq!(put(name, text.into()).await, "bad-name", "{name}");
    }
    assert_eq!(put("other", text.into()).await, "bad-name", "text and path must agree");
    assert_eq!(put("mine", "#".repeat(70_000)).await, "too-long");

    let gone = asked(
        &admin,
        &mut agent,
        (Method::DELETE, "/api/v1/playbooks/mine", json!({})),
        |command| {
            assert!(matches!(command, Command::ForgetPlaybook { playbook, .. } if playbook == "mine"));
            done("gone")
        },
    )
    .await;
    assert_eq!(gone.status, 200);
    assert_eq!(
        admin.delete("/api/v1/playbooks/standard").await.problem(),
        "playbook-built-in"
    );
    assert_eq!(
        admin.delete("/api/v1/playbooks/none").await.problem(),
        "playbook-unknown"
    );

    drop(agent);
    made.app.shut_down().await;
    drop(made);
    let again = crate::gate::reopen(dir.path(), None).await;
    let mut admin = again.admin().await;
    let list = admin.get("/api/v1/playbooks").await.json();
    assert_eq!(
        list.as_array().unwrap().len(),
        2,
        "known before the agent is back: {list}"
    );
}

/// Its store was damaged and set aside: nothing else would ever end the job, nor let the box be reset.
#[tokio::test]
async fn a_job_that_the_agent_does_not_know_any_more_is_ended_by_who_aborts_it() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let mut job = crate::certificate::finished(7);
    (job.state, job.verdict) = (wire::job::JobState::Running, None);
    job.phases[0].status = wire::job::PhaseStatus::Running;
    // What was found by then counts.
    job.bad_sectors = 3;
    let id = job.id;
    shown(&admin, &agent, Frame::Job(Box::new(job)), "job").await;
    let abort = (Method::POST, &*format!("/api/v1/jobs/{id}/abort"), Value::Null);
    // It goes on with one that failed, or its end is on its way here.
    let answer = asked(&admin, &mut agent, abort.clone(), |_| {
        CallOutcome::Error(Problem::new("job-over", 409, "This job is over, or not under way"))
    })
    .await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "job-over"));
    assert_eq!(admin.get("/api/v1/jobs").await.json()[0]["state"]["kind"], "running");
    let answer = asked(&admin, &mut agent, abort, |_| {
        CallOutcome::Error(Problem::new("job-unknown", 404, "The agent has no such job"))
    })
    .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let jobs = admin.get("/api/v1/jobs").await.json();
    assert_eq!(jobs[0]["state"]["kind"], "aborted", "{jobs}");
    assert_eq!(jobs[0]["verdict"]["outcome"], "FAILED", "{jobs}");
    let phases = jobs[0]["phases"].as_array().unwrap();
    let is_open = |phase: &Value| phase["status"] == "running" || phase["status"] == "pending";
    assert!(!phases.is_empty() && !phases.iter().any(is_open), "{jobs}");
    let log = admin.get("/api/v1/events").await.json();
    let mut told = log.as_array().unwrap().iter();
    let told = told.find(|event| event["type"] == "job.forgotten").unwrap();
    assert!(told["message"].as_str().unwrap().ends_with(": FAILED"), "{told}");
}

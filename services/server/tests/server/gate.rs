//! The gate with an agent at the other end: from plan to jobs, and each way around it.

use std::time::Duration;

use serde_json::{Value, json};
use wire::boxes::Started;
use wire::command::{Answer, CallOutcome, Command};
use wire::drive::Content;
use wire::gate::{Armed, PLAN_SECONDS, Plan, PlanDrive, Told, digest, labels};
use wire::options::PlanOptions;
use wire::{Bytes, Frame, JobId, PlanId, Problem, Time};

use crate::agent::{Agent, drive};
use crate::box_::{Box_, PASSWORD};
use crate::client::{Client, PATIENCE};

fn plan(serials: &[&str]) -> Plan {
    let told: Vec<Told<'_>> = serials.iter().map(|serial| Told { serial, wwn: None }).collect();
    let drives: Vec<PlanDrive> = serials
        .iter()
        .zip(labels(&told, &[]).into_iter().map(Option::unwrap))
        .map(|(serial, label)| PlanDrive {
            id: drive(serial),
            model: "M".into(),
            serial: (*serial).into(),
            capacity: Bytes(1_000),
            sector: 512,
            content: Content::Empty,
            given_up: Vec::new(),
            label,
        })
        .collect();
    Plan {
        id: PlanId::now(),
        playbook: "surface".into(),
        steps: "[]".into(),
        options: PlanOptions::default(),
        digest: digest(("surface", "[]"), &PlanOptions::default(), &drives),
        drives,
        nonce: "cd".repeat(32),
        seconds: PLAN_SECONDS,
        made: Time::now(),
    }
}

/// Asks for a plan and answers as the agent.
async fn planned(admin: &Client, agent: &mut Agent) -> Plan {
    let made = plan(&["WD-1234", "ST-9F2K"]);
    let mut asker = admin.clone();
    let body = json!({ "drives": [drive("WD-1234"), drive("ST-9F2K")], "playbook": "surface" });
    let asked = tokio::spawn(async move { asker.post("/api/v1/plans", &body).await });
    let answer = made.clone();
    agent
        .serve(move |command| {
            assert!(matches!(command, Command::Plan { playbook, .. } if playbook == "surface"));
            CallOutcome::Ok(Answer::Planned(answer))
        })
        .await;
    let answer = asked.await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(serde_json::from_str::<Plan>(&answer.text).unwrap(), made);
    made
}

fn confirm(plan: &Plan, password: &str) -> Value {
    let typed: serde_json::Map<String, Value> = plan
        .drives
        .iter()
        .map(|drive| (drive.id.to_string(), drive.label.to_lowercase().into()))
        .collect();
    json!({ "password": password, "confirm": typed })
}

#[tokio::test]
async fn the_gate_from_plan_to_jobs_and_each_way_around_it() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    assert!(agent.hello.claimed);
    let plan = planned(&admin, &mut agent).await;
    let (arm, start) = (
        format!("/api/v1/plans/{}/arm", plan.id),
        format!("/api/v1/plans/{}/start", plan.id),
    );

    let none = json!({ "ticket": "{}", "signature": "00" });
    assert_eq!(made.client().post(&start, &none).await.problem(), "not-logged-in");
    assert_eq!(admin.post(&start, &none).await.problem(), "not-armed");
    assert_eq!(
        admin.post(&arm, &confirm(&plan, "wrong horse")).await.problem(),
        "password-wrong"
    );
    let mut half = confirm(&plan, PASSWORD);
    half["confirm"][drive("ST-9F2K").as_str()] = "0000".into();
    let refused = admin.post(&arm, &half).await;
    assert_eq!((refused.status, refused.problem().as_str()), (422, "label-wrong"));
    assert!(refused.text.contains("ST-9F2K"));
    assert_eq!(admin.post(&start, &none).await.problem(), "not-armed");

    let answer = admin.post(&arm, &confirm(&plan, PASSWORD)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let armed: Armed = serde_json::from_str(&answer.text).unwrap();
    let key = hex::decode(&agent.hello.gate_key).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(key.as_slice().try_into().unwrap()).unwrap();
    let signature = ed25519_dalek::Signature::from_slice(&hex::decode(&armed.signature).unwrap()).unwrap();
    key.verify_strict(
        &[wire::gate::SIGNED_PREFIX, armed.ticket.as_bytes()].concat(),
        &signature,
    )
    .unwrap();

    let other = planned(&admin, &mut agent).await;
    let other_start = format!("/api/v1/plans/{}/start", other.id);
    assert_eq!(
        admin.post(&other_start, &json!(armed)).await.problem(),
        "not-armed",
        "another plan's ticket"
    );
    let forged = json!({ "ticket": armed.ticket.replace("WD-1234", "ZZ-0000"), "signature": armed.signature });
    assert_eq!(admin.post(&start, &forged).await.problem(), "ticket-wrong");

    let job = JobId::now();
    let mut starter = admin.clone();
    let (path, body) = (start.clone(), json!(armed));
    let started = tokio::spawn(async move { starter.post(&path, &body).await });
    let sent = armed.clone();
    agent
        .serve(move |command| {
            assert_eq!(command, Command::Start(sent), "byte for byte what was signed");
            CallOutcome::Ok(Answer::Started { jobs: vec![job] })
        })
        .await;
    let answer = started.await.unwrap();
    assert_eq!(serde_json::from_str::<Started>(&answer.text).unwrap().jobs, [job]);
    let again = admin.post(&start, &json!(armed)).await;
    assert_eq!(
        (again.status, again.text),
        (200, answer.text),
        "the same ticket, the same start"
    );
    let silent = tokio::time::timeout(Duration::from_millis(300), agent.next()).await;
    assert!(silent.is_err(), "the agent was asked nothing: {silent:?}");

    let arm_other = format!("/api/v1/plans/{}/arm", other.id);
    made.clock.advance(Duration::from_secs(121));
    assert_eq!(
        admin.post(&arm_other, &confirm(&other, PASSWORD)).await.problem(),
        "plan-expired"
    );
    let events = admin.get("/api/v1/events").await.text;
    for kind in ["gate.refused", "gate.armed", "gate.started"] {
        assert!(events.contains(kind), "{kind}: {events}");
    }
}

#[tokio::test]
async fn a_server_restarted_between_arm_and_start_knows_the_plan_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let user = Some(("admin".to_owned(), PASSWORD.to_owned()));
    let first = Box_::at(dir.path(), user.clone()).await;
    let mut admin = first.admin().await;
    let cookie = admin.cookie.clone();
    let mut agent = Agent::connect(&first).await;
    let plan = planned(&admin, &mut agent).await;
    let armed = admin
        .post(&format!("/api/v1/plans/{}/arm", plan.id), &confirm(&plan, PASSWORD))
        .await
        .json();
    first.app.shut_down().await;
    let hello = agent.hello.clone();
    drop((first, agent));

    let second = reopen(dir.path(), user).await;
    let mut admin = second.client();
    admin.cookie = cookie;
    let mut agent = Agent::connect(&second).await;
    assert_eq!(
        (&agent.hello.gate_key, &agent.hello.box_id),
        (&hello.gate_key, &hello.box_id),
        "the same box to the agent"
    );
    let refused = admin.post(&format!("/api/v1/plans/{}/start", plan.id), &armed).await;
    assert_eq!(refused.problem(), "plan-unknown");
    let silent = tokio::time::timeout(Duration::from_millis(300), agent.next()).await;
    assert!(silent.is_err(), "the agent was asked nothing: {silent:?}");
}

/// Opens a box again once the one before has let go of its directory.
pub(crate) async fn reopen(dir: &std::path::Path, user: Option<(String, String)>) -> Box_ {
    let lock = dir.join("kiln.lock");
    let end = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < end {
        let file = std::fs::File::open(&lock).unwrap();
        if file.try_lock().is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Box_::at(dir, user).await
}

/// An option that stands in the wrong place would be dropped, and the drive judged by other limits than were asked for.
#[tokio::test]
async fn what_does_not_belong_into_a_request_is_refused_by_name() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let plan = plan(&["WD-1234"]);
    let planned = json!({ "drives": [drive("WD-1234")], "playbook": "surface" });
    for (path, body, field) in [
        ("plans".to_owned(), planned.clone(), "profile"),
        ("plans".to_owned(), planned.clone(), "soak_hours"),
        ("scans".to_owned(), planned, "options"),
        (format!("plans/{}/arm", plan.id), confirm(&plan, PASSWORD), "options"),
        (
            format!("plans/{}/start", plan.id),
            json!({ "ticket": "{}", "signature": "00" }),
            "options",
        ),
    ] {
        let mut more = body;
        more[field] = json!({});
        let answer = admin.post(&format!("/api/v1/{path}"), &more).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "bad-json"),
            "{path}: {answer:?}"
        );
        assert!(
            answer.text.contains(&format!("unknown field `{field}`")),
            "{path}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_planned_on_an_unclaimed_box_or_without_an_agent() {
    let made = Box_::unclaimed().await;
    let mut agent = Agent::connect(&made).await;
    assert!(!agent.hello.claimed);
    let code = made.app.console.borrow().clone().unwrap();
    let mut client = made.client();
    let body = json!({ "drives": [drive("WD-1234")], "playbook": "surface" });
    assert_eq!(client.post("/api/v1/plans", &body).await.problem(), "not-logged-in");
    let form = json!({ "code": code, "username": "ada", "password": PASSWORD });
    assert_eq!(client.post("/api/v1/claim", &form).await.status, 200);
    let Frame::Hello(hello) = agent.next().await.unwrap() else {
        panic!("the agent is told of the claim")
    };
    assert!(hello.claimed);
    drop(agent);
    let mut stream = client.events("/api/v1/stream").await;
    while stream.named("box").await.data["agent"]["state"] != "offline" {}
    assert_eq!(client.post("/api/v1/plans", &body).await.problem(), "agent-away");
}

#[tokio::test]
async fn the_agents_refusal_reaches_the_person_and_a_lost_agent_does_not_hang_them() {
    let made = Box_::claimed().await;
    let admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let body = json!({ "drives": [drive("WD-1234")], "playbook": "surface" });
    let ask = |body: Value| {
        let mut asker = admin.clone();
        tokio::spawn(async move { asker.post("/api/v1/plans", &body).await })
    };
    let asked = ask(body.clone());
    agent
        .serve(|_| CallOutcome::Error(Problem::new("mounted", 409, "The drive is in use").with("mounted at /mnt")))
        .await;
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, answer.problem().as_str()), (409, "mounted"));
    assert!(answer.text.contains("/mnt"));

    let asked = ask(body);
    assert!(matches!(agent.next().await.unwrap(), Frame::Command(_)));
    drop(agent);
    assert_eq!(asked.await.unwrap().problem(), "agent-away");
}

/// The armed plan's path for its start, and its ticket.
async fn armed(admin: &mut Client, agent: &mut Agent) -> (String, Value) {
    let plan = planned(admin, agent).await;
    let path = format!("/api/v1/plans/{}/arm", plan.id);
    let armed = admin.post(&path, &confirm(&plan, PASSWORD)).await.json();
    (format!("/api/v1/plans/{}/start", plan.id), armed)
}

/// A client that loses the answer sends the ticket again; told to choose the drives anew it would erase them twice.
#[tokio::test]
async fn a_ticket_that_comes_again_gets_the_answer_that_was_lost() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let job = JobId::now();
    let refusal = || Problem::new("drive-busy", 409, "The drive is busy");
    for (outcome, status, holds) in [
        (
            CallOutcome::Ok(Answer::Started { jobs: vec![job] }),
            200,
            job.to_string(),
        ),
        (CallOutcome::Error(refusal()), 409, "drive-busy".to_owned()),
    ] {
        let (start, ticket) = armed(&mut admin, &mut agent).await;
        let mut gone = admin.clone();
        let (path, body) = (start.clone(), ticket.clone());
        let starting = tokio::spawn(async move { gone.post(&path, &body).await });
        agent
            .serve(move |_| {
                starting.abort();
                outcome
            })
            .await;
        let until = tokio::time::Instant::now() + PATIENCE;
        let again = loop {
            let again = admin.post(&start, &ticket).await;
            if !again.text.contains("not known yet") || tokio::time::Instant::now() > until {
                break again;
            }
        };
        assert_eq!(again.status, status, "{again:?}");
        assert!(again.text.contains(&holds), "{again:?}");
    }
}

/// What the agent has read it may be doing already, whatever becomes of the connection.
#[tokio::test]
async fn a_start_whose_answer_is_lost_is_not_told_as_one_that_did_nothing() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let (start, ticket) = armed(&mut admin, &mut agent).await;
    let mut starter = admin.clone();
    let (path, body) = (start.clone(), ticket.clone());
    let starting = tokio::spawn(async move { starter.post(&path, &body).await });
    while !matches!(agent.next().await.unwrap(), Frame::Command(_)) {}
    let on_its_way = admin.post(&start, &ticket).await;
    drop(agent);
    let answer = starting.await.unwrap();
    assert_eq!((answer.status, answer.problem().as_str()), (504, "agent-unsure"));
    for again in [on_its_way, admin.post(&start, &ticket).await] {
        assert_eq!((again.status, again.problem().as_str()), (409, "ticket-used"));
        assert!(
            again.text.contains("look at the bench before trying again"),
            "{again:?}"
        );
    }
    assert!(!answer.text.contains("nothing was"), "{answer:?}");
    assert!(answer.text.contains("look at the bench"), "{answer:?}");
    let events = admin.get("/api/v1/events").await.text;
    assert!(events.contains("gate.unanswered"), "{events}");
    for kind in ["gate.refused", "gate.started"] {
        assert!(!events.contains(kind), "{kind}: {events}");
    }

    let mut agent = Agent::connect(&made).await;
    let mut scanner = admin.clone();
    let body = json!({ "drives": [drive("WD-1234")], "playbook": "scan" });
    let scanning = tokio::spawn(async move { scanner.post("/api/v1/scans", &body).await });
    while !matches!(agent.next().await.unwrap(), Frame::Command(_)) {}
    drop(agent);
    let answer = scanning.await.unwrap();
    assert_eq!((answer.status, answer.problem().as_str()), (504, "agent-unsure"));
}

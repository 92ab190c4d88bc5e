//! That a person has seen how a job ended: kept, told to everybody, over a restart and whatever the agent tells anew.

use serde_json::{Value, json};
use wire::Frame;
use wire::job::{Acknowledged, Job, JobEnd, JobState, Outcome};

use crate::agent::Agent;
use crate::box_::{Box_, PASSWORD};
use crate::certificate::finished;
use crate::client::{Client, Events};

fn ended(outcome: Outcome) -> Job {
    let mut job = finished(7);
    job.verdict.as_mut().unwrap().outcome = outcome;
    job
}

/// What a page sends that shows this end.
fn seen(job: &Job) -> Value {
    json!(JobEnd::of(job).unwrap())
}

/// Tells the job and waits until everybody has heard of it.
async fn tell(agent: &Agent, stream: &mut Events, job: &Job) -> Job {
    agent.sender.send(&Frame::Job(Box::new(job.clone()))).await.unwrap();
    heard(stream).await
}

async fn heard(stream: &mut Events) -> Job {
    serde_json::from_value(stream.named("job").await.data).unwrap()
}

async fn kinds(admin: &mut Client) -> Vec<String> {
    let events = admin.get("/api/v1/events").await.json();
    let kinds = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned());
    kinds.filter(|kind| kind.ends_with("acknowledged_job")).collect()
}

#[tokio::test]
async fn who_has_seen_a_verdict_is_kept_and_told_and_can_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let mut stream = admin.events("/api/v1/stream").await;
    let job = ended(Outcome::Warn);
    let at = format!("/api/v1/jobs/{}", job.id);
    let ack = format!("{at}/ack");

    let seen = seen(&job);

    // Nobody can see what has not come yet.
    let running = Job {
        state: JobState::Running,
        verdict: None,
        ended: None,
        ..job.clone()
    };
    tell(&agent, &mut stream, &running).await;
    for answer in [admin.post(&ack, &seen).await, admin.delete(&ack).await] {
        assert_eq!((answer.status, answer.problem().as_str()), (409, "job-under-way"));
        assert!(
            answer.json()["detail"].as_str().unwrap().contains("when it has ended"),
            "{answer:?}"
        );
    }
    // What an agent says of that counts for nothing.
    let claimed = Job {
        acknowledged: Some(Acknowledged {
            by: "agent".into(),
            at: job.started,
        }),
        ..job.clone()
    };
    assert_eq!(tell(&agent, &mut stream, &claimed).await.acknowledged, None);

    // Like every write it is for who is logged in, and no other site's.
    assert_eq!(made.client().post(&ack, &seen).await.problem(), "not-logged-in");
    let mut forged = admin.clone();
    forged.headers.clear();
    assert_eq!(forged.post(&ack, &seen).await.status, 403);
    assert_eq!(kinds(&mut admin).await, [""; 0]);

    // Nor does it go without a word on what was seen.
    for odd in [
        Value::Null,
        json!({}),
        json!({ "outcome": "WARN" }),
        json!({ "ended": job.ended }),
    ] {
        let answer = admin.post(&ack, &odd).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "bad-json"), "{odd}");
    }

    let said = admin.post(&ack, &seen).await;
    assert_eq!((said.status, &said.json()["by"]), (200, &json!("admin")), "{said:?}");
    let told = heard(&mut stream).await;
    assert_eq!(serde_json::to_value(&told.acknowledged).unwrap(), said.json());
    assert_eq!(
        Job {
            acknowledged: None,
            ..told
        },
        job,
        "nothing else of it has changed"
    );
    // Once more changes nothing.
    assert_eq!(admin.post(&ack, &seen).await.json(), said.json());
    assert_eq!(kinds(&mut admin).await, ["person.acknowledged_job"]);
    let events = admin.get("/api/v1/events").await.json();
    let event = events
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["type"] == "person.acknowledged_job");
    let event = event.unwrap();
    assert_eq!(event["actor"], json!({ "kind": "person", "name": "admin" }), "{event}");
    assert_eq!((&event["job"], &event["drive"]), (&json!(job.id), &json!(job.drive)));
    assert!(event["message"].as_str().unwrap().ends_with("ended: WARN"), "{event}");

    // The agent tells its jobs anew whenever it connects, here and after a restart.
    assert_eq!(
        tell(&agent, &mut stream, &job).await.acknowledged,
        serde_json::from_value(said.json()).unwrap()
    );
    drop((agent, stream));
    made.app.shut_down().await;
    drop(made);
    let again = crate::gate::reopen(dir.path(), None).await;
    let mut admin = again.admin().await;
    for path in [at.as_str(), "/api/v1/jobs", "/api/v1/jobs?drive=WD-1234"] {
        let told = admin.get(path).await.json();
        let told = told.get(0).unwrap_or(&told);
        assert_eq!(told["acknowledged"], said.json(), "{path}");
    }
    let agent = Agent::connect(&again).await;
    let mut stream = admin.events("/api/v1/stream").await;
    assert!(heard(&mut stream).await.acknowledged.is_some());
    assert!(tell(&agent, &mut stream, &job).await.acknowledged.is_some());

    // Taken back, twice.
    for _ in 0..2 {
        assert_eq!(admin.delete(&ack).await.status, 204);
    }
    assert_eq!(heard(&mut stream).await, job);
    assert_eq!(tell(&agent, &mut stream, &job).await, job);
    assert_eq!(
        kinds(&mut admin).await,
        ["person.acknowledged_job", "person.unacknowledged_job"]
    );
    let unknown = "/api/v1/jobs/01990000-0000-7000-8000-000000000000/ack";
    for answer in [admin.post(unknown, &seen).await, admin.delete(unknown).await] {
        assert_eq!((answer.status, answer.problem().as_str()), (404, "job-unknown"));
    }
}

/// Memory may have let go of the job, and the agent tells it once more.
#[tokio::test]
async fn an_end_that_was_seen_stays_seen_where_memory_has_let_go_of_it_and_another_end_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let mut stream = admin.events("/api/v1/stream").await;
    let job = ended(Outcome::Inconclusive);
    let (at, ack) = (
        format!("/api/v1/jobs/{}", job.id),
        format!("/api/v1/jobs/{}/ack", job.id),
    );
    tell(&agent, &mut stream, &job).await;
    assert_eq!(admin.post(&ack, &seen(&job)).await.status, 200);
    assert!(heard(&mut stream).await.acknowledged.is_some());
    for n in 0..200_u128 {
        let mut other = finished(100 + n);
        (other.drive, other.serial) = (crate::agent::drive("WD-2"), "WD-2".into());
        tell(&agent, &mut stream, &other).await;
    }
    assert!(made.app.hub(|hub| hub.job_of(job.id).is_none()), "it was let go");
    assert_eq!(admin.get(&at).await.json()["acknowledged"]["by"], "admin");
    let mut told = tell(&agent, &mut stream, &job).await;
    while told.id != job.id || told.acknowledged.is_none() {
        told = heard(&mut stream).await;
    }

    // It went on after all, and came to an end that nobody has seen.
    let mut failed = job.clone();
    failed.verdict.as_mut().unwrap().outcome = Outcome::Failed;
    assert_eq!(tell(&agent, &mut stream, &failed).await.acknowledged, None);
    made.app.scribe.kept(Vec::new()).await.unwrap();
    let key = job.id.to_string();
    let row = made
        .app
        .store
        .read(|r| server::tables::JOBS.get(r, &key))
        .unwrap()
        .unwrap();
    assert_eq!(row.acknowledged, None);
    // Nor does a page that lost its stream see it: it shows the end of before.
    let later = Job {
        ended: Some(job.started),
        ..failed.clone()
    };
    for old in [&job, &later] {
        let answer = admin.post(&ack, &seen(old)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, "job-ended-again"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("ended FAILED at ") && detail.contains(&job.serial),
            "{detail}"
        );
    }
    assert_eq!(admin.get(&at).await.json()["acknowledged"], Value::Null);
    assert_eq!(admin.post(&ack, &seen(&failed)).await.status, 200);
    assert!(admin.get(&at).await.json()["acknowledged"].is_object());

    // What is forgotten takes it along.
    let kept = || {
        made.app
            .store
            .read(|r| server::acknowledged::ACKNOWLEDGED.keys(r))
            .unwrap()
    };
    assert_eq!(kept(), std::slice::from_ref(&key));
    let later = (1_000..2_001).map(|n| server::scribe::Keep::Job(Box::new(finished(n))));
    made.app.scribe.kept(later.collect()).await.unwrap();
    let is_kept = made
        .app
        .store
        .read(|r| server::tables::JOBS.get(r, &key))
        .unwrap()
        .is_some();
    assert_eq!((is_kept, kept()), (false, Vec::<String>::new()));
}

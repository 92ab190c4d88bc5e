//! Certificates: kept byte for byte, shown, listed, checked, revoked, and still there after a restart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certificate::certificate::Maker;
use certificate::{Certificate, Key, Signed};
use serde_json::{Value, json};
use server::scribe;
use wire::boxes::CertificateEntry;
use wire::certificate::{CertificateCheck, CertificateText, Revocation, RevocationState, Standing};
use wire::job::{Job, JobState, Outcome, Phase, PhaseState, PhaseStatus, TimePoint, Verdict};
use wire::options::PlanOptions;
use wire::{Bytes, Celsius, Frame, JobId, Time};

use crate::agent::{Agent, drive};
use crate::box_::{Box_, PASSWORD};
use crate::client::{Answer, Client};

pub(crate) fn finished(number: u128) -> Job {
    let phase = |phase| PhaseState {
        phase,
        note: String::new(),
        rounds: 1,
        status: PhaseStatus::Done,
        seconds: 1.0,
        bytes: Bytes(1_000),
    };
    let point = |second: i64| TimePoint {
        at: Time::from_second(1_700_000_000 + second).unwrap(),
        step: 0,
        temperature: Some(Celsius(40)),
        rate: Bytes(100),
        bad_sectors: 0,
    };
    Job {
        id: JobId(uuid::Uuid::from_u128(number)),
        drive: drive("WD-1234"),
        model: "M".into(),
        serial: "WD-1234".into(),
        own_serial: None,
        capacity: Bytes(1_000),
        sector: 512,
        playbook: "surface".into(),
        actor: "ada".into(),
        state: JobState::Finished,
        phases: vec![phase(Phase::Write), phase(Phase::Verify)],
        progress: None,
        findings: vec![],
        bad_sectors: 0,
        heading: vec![],
        verdict: Some(Verdict {
            outcome: Outcome::Passed,
            rules: vec![],
            summary: "All of it was written, read back and equal.".into(),
            verified: Bytes(1_000),
            engine: "1".into(),
        }),
        resumes: vec![],
        surface: vec![],
        smart: vec![],
        self_tests: vec![],
        timeline: vec![point(0), point(60)],
        options: PlanOptions::default(),
        formatted: None,
        certificate: None,
        acknowledged: None,
        started: Time::from_second(1_700_000_000).unwrap(),
        ended: Time::from_second(1_700_000_100).ok(),
    }
}

fn sign(job: &Job, seed: u8) -> Signed {
    let maker = Maker {
        id: "b1".into(),
        name: "kiln".into(),
        software: "kiln 0".into(),
    };
    let key = Key::from_seed(&[seed; 32]);
    let certificate = Certificate::of(job, &maker, key.public(), Time::now()).unwrap();
    Signed::sign(&certificate, &key).unwrap()
}

async fn check(admin: &mut Client, text: &str, trust: &str) -> CertificateCheck {
    let answer = admin
        .post("/api/v1/certificates/check", &json!({ "text": text, "trust": trust }))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.text).unwrap()
}

/// A body of this content type, to be checked.
async fn posted(admin: &mut Client, kind: &'static str, body: &str) -> Answer {
    let path = "/api/v1/certificates/check";
    admin
        .raw(http::Method::POST, path, Some((kind, body.to_owned().into())))
        .await
}

/// Tells the job and waits until it is shown.
async fn tell(agent: &Agent, admin: &mut Client, job: &Job) {
    let path = format!("/api/v1/jobs/{}", job.id);
    agent.sender.send(&Frame::Job(Box::new(job.clone()))).await.unwrap();
    let end = std::time::Instant::now() + crate::client::PATIENCE;
    loop {
        let answer = admin.get(&path).await;
        if answer.status == 200 && serde_json::from_str::<Job>(&answer.text).unwrap() == *job {
            return;
        }
        assert!(std::time::Instant::now() < end, "{answer:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The frame that hands a job's certificate in.
fn handed(job: &Job, signed: &Signed) -> Frame {
    Frame::Certificate(CertificateText {
        job: job.id,
        text: signed.text().into(),
    })
}

async fn text_of(admin: &mut Client, job: JobId) -> String {
    let end = std::time::Instant::now() + crate::client::PATIENCE;
    loop {
        let answer = admin.get(&format!("/api/v1/jobs/{job}/certificate")).await;
        if answer.status == 200 {
            assert_eq!(answer.headers["content-type"], "application/json");
            return answer.text;
        }
        assert_eq!(answer.problem(), "certificate-unknown");
        assert!(std::time::Instant::now() < end);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_certificate_from_signature_to_revocation_and_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;

    let mut job = finished(7);
    tell(&agent, &mut admin, &job).await;
    let at = format!("/api/v1/jobs/{}", job.id);
    for path in ["", ".html", ".pdf"] {
        let answer = admin.get(&format!("{at}/certificate{path}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "certificate-unknown"));
    }
    assert_eq!(check(&mut admin, "{}", "").await.standing, Standing::Bad);

    let signed = sign(&job, 3);
    job.certificate = Some(signed.info());
    tell(&agent, &mut admin, &job).await;
    let frame = handed(&job, &signed);
    agent.sender.send(&frame).await.unwrap();
    assert_eq!(text_of(&mut admin, job.id).await, signed.text(), "byte for byte");
    let page = admin.get(&format!("{at}/certificate.html")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("WD-1234") && page.text.contains(&signed.info().id));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("script-src"),
        "{policy}"
    );
    let pdf = admin.get(&format!("{at}/certificate.pdf")).await;
    assert_eq!(
        (pdf.status, &pdf.headers["content-type"]),
        (200, &"application/pdf".parse().unwrap())
    );
    assert!(pdf.text.starts_with("%PDF-"));
    assert!(
        pdf.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains(&signed.info().id)
    );

    let own = check(&mut admin, signed.text(), "").await;
    assert_eq!(own.standing, Standing::Trusted, "{own:?}");
    assert_eq!(own.known_as.as_deref(), Some("kiln, this box"));
    assert_eq!(own.revocation, RevocationState::Standing);
    let whole = posted(&mut admin, "text/plain", signed.text()).await;
    assert_eq!(
        serde_json::from_str::<CertificateCheck>(&whole.text).unwrap(),
        own,
        "the body may be the certificate"
    );
    let as_json = posted(&mut admin, "application/json", signed.text()).await;
    assert_eq!((as_json.status, as_json.problem().as_str()), (400, "bad-json"));
    // A file that brings its own trust.
    let stranger = sign(&finished(8), 4);
    let key = stranger.info().key;
    let wrapped = json!({ "text": stranger.text(), "trust": format!("key {key} a friend") });
    let brought = posted(&mut admin, "text/plain", &wrapped.to_string()).await;
    let brought: CertificateCheck = serde_json::from_str(&brought.text).unwrap();
    assert_eq!(brought.standing, Standing::Bad, "{brought:?}");
    let in_url = format!(
        "data:application/pdf;base64,{}",
        STANDARD.encode(certificate::pdf::pdf(&signed))
    );
    for form in [in_url, page.text] {
        assert_eq!(check(&mut admin, &form, "").await, own, "its PDF and its page");
    }
    let as_text = check(&mut admin, &pdf.text, "").await;
    assert!(as_text.told.starts_with("This is a PDF"), "{as_text:?}");
    let forged = signed.text().replace("PASSED", "FAILED");
    assert_eq!(check(&mut admin, &forged, "").await.standing, Standing::Bad);

    let foreign = sign(&finished(8), 4);
    assert_eq!(
        check(&mut admin, foreign.text(), "").await.standing,
        Standing::UnknownKey
    );
    let trust = format!("key {} Mara's shop", foreign.info().key);
    let known = check(&mut admin, foreign.text(), &trust).await;
    assert_eq!(
        (known.standing, known.revocation),
        (Standing::Trusted, RevocationState::Unknown)
    );
    let bad = admin
        .post("/api/v1/certificates/check", &json!({ "text": "x", "trust": "kee 12" }))
        .await;
    assert_eq!((bad.status, bad.problem().as_str()), (422, "bad-trust"));
    assert!(bad.text.contains("line 1"), "{}", bad.text);

    if let Some(info) = &mut job.certificate {
        info.revoked = Some(Revocation {
            at: Time::from_second(1_700_009_000).unwrap(),
            job: JobId(uuid::Uuid::from_u128(9)),
            why: "the same drive failed".into(),
        });
    }
    tell(&agent, &mut admin, &job).await;
    let revoked = |checked: &CertificateCheck| {
        assert_eq!(checked.standing, Standing::Bad);
        assert!(matches!(&checked.revocation, RevocationState::Revoked(r) if r.why == "the same drive failed"));
    };
    let end = std::time::Instant::now() + crate::client::PATIENCE;
    while check(&mut admin, signed.text(), "").await.standing != Standing::Bad {
        assert!(std::time::Instant::now() < end, "the revocation was not taken");
    }
    revoked(&check(&mut admin, signed.text(), "").await);
    for path in [".html", ".pdf"] {
        let answer = admin.get(&format!("{at}/certificate{path}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, "certificate-revoked"));
        assert!(answer.text.contains("the same drive failed"), "{}", answer.text);
    }

    // The box lost its store and has another key now: what it signed before stays its own, and stays revoked.
    let mut later = finished(10);
    let second = sign(&later, 5);
    later.certificate = Some(second.info());
    tell(&agent, &mut admin, &later).await;
    agent.sender.send(&handed(&later, &second)).await.unwrap();
    text_of(&mut admin, later.id).await;
    assert_eq!(check(&mut admin, second.text(), "").await.standing, Standing::Trusted);
    revoked(&check(&mut admin, signed.text(), "").await);

    drop(agent);
    made.app.shut_down().await;
    drop(made);
    let again = crate::gate::reopen(dir.path(), None).await;
    let mut admin = again.admin().await;
    assert_eq!(text_of(&mut admin, job.id).await, signed.text());
    revoked(&check(&mut admin, signed.text(), "").await);
    let list: Vec<CertificateEntry> = serde_json::from_str(&admin.get("/api/v1/certificates").await.text).unwrap();
    let first = list.iter().find(|entry| entry.job == job.id).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(
        (&first.info, first.outcome),
        (job.certificate.as_ref().unwrap(), Some(Outcome::Passed))
    );
    let line: Value = admin.get(&format!("/api/v1/jobs/{}/timeline", job.id)).await.json();
    assert_eq!(line.as_array().unwrap().len(), 2, "the time line is kept: {line}");
}

#[tokio::test]
async fn only_the_built_in_agent_can_hand_certificates_in_and_nobody_reads_them_unasked() {
    let made = Box_::claimed().await;
    let mut nobody = made.client();
    let job = finished(7);
    for path in [
        format!("/api/v1/jobs/{}/certificate", job.id),
        "/api/v1/certificates".to_owned(),
    ] {
        assert_eq!(nobody.get(&path).await.problem(), "not-logged-in");
    }
    let mut admin = made.admin().await;
    let (id, token) = crate::addon::registered(&mut admin).await;
    let (sender, _receiver) = crate::addon::endpoint(&made)
        .connect(id, &token, link::Limits::client())
        .await
        .unwrap();
    sender.send(&Frame::Job(Box::new(job.clone()))).await.unwrap();
    let text = sign(&job, 3).text().to_owned();
    sender
        .send(&Frame::Certificate(CertificateText { job: job.id, text }))
        .await
        .unwrap();
    // A round trip of the same connection: what was sent before it has been looked at.
    let mut telemetry = admin.events(&format!("/api/addons/{id}/telemetry")).await;
    let last = Frame::Other {
        kind: "telemetry".to_owned(),
        payload: json!({}),
    };
    sender.send(&last).await.unwrap();
    telemetry.named("telemetry").await;
    assert_eq!(
        admin.get(&format!("/api/v1/jobs/{}", job.id)).await.problem(),
        "job-unknown"
    );
    assert_eq!(admin.get("/api/v1/certificates").await.json(), json!([]));
}

#[tokio::test]
async fn an_agent_hears_which_certificates_it_need_not_send_again() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.known_jobs, []);
    let mut job = finished(7);
    let signed = sign(&job, 3);
    job.certificate = Some(signed.info());
    tell(&agent, &mut admin, &job).await;
    let frame = handed(&job, &signed);
    agent.sender.send(&frame).await.unwrap();
    text_of(&mut admin, job.id).await;
    drop(agent);
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.known_jobs, [job.id]);
    // One that comes again all the same stays as it is.
    agent.sender.send(&frame).await.unwrap();
    tell(&agent, &mut admin, &finished(8)).await;
    assert_eq!(text_of(&mut admin, job.id).await, signed.text());
}

#[tokio::test]
async fn a_certificate_that_was_damaged_here_is_sent_again() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let jobs = [7, 8].map(|number| {
        let mut job = finished(number);
        let signed = sign(&job, 3);
        job.certificate = Some(signed.info());
        (job, signed)
    });
    for told in &jobs {
        tell(&agent, &mut admin, &told.0).await;
        agent.sender.send(&handed(&told.0, &told.1)).await.unwrap();
        text_of(&mut admin, told.0.id).await;
    }
    let [damaged, sound] = jobs;
    // No text, whatever else the medium gave back.
    let (key, rows) = (
        damaged.0.id.to_string(),
        store::Table::<String, u64>::new("certificates"),
    );
    made.app.store.write(move |w| rows.put(w, &key, &7)).await.unwrap();
    let page = format!("/api/v1/jobs/{}/certificate.html", damaged.0.id);
    let told = admin.get(&page).await;
    assert_eq!((told.status, told.problem().as_str()), (503, "store"));
    drop(agent);
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.known_jobs, [sound.0.id]);
    agent.sender.send(&handed(&damaged.0, &damaged.1)).await.unwrap();
    tell(&agent, &mut admin, &finished(9)).await;
    let end = std::time::Instant::now() + crate::client::PATIENCE;
    while admin.get(&page).await.status != 200 {
        assert!(std::time::Instant::now() < end, "it is damaged still");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(text_of(&mut admin, damaged.0.id).await, damaged.1.text());
}

/// An agent tells its jobs again whenever it connects, and a clock that starts anew at each boot dates a later one before.
#[tokio::test]
async fn a_failure_that_is_told_again_revokes_nothing_later_whatever_the_clock_says() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut failed = finished(1);
    failed.verdict.as_mut().unwrap().outcome = Outcome::Failed;
    failed.ended = Time::from_second(Time::now().as_second() + 3 * 86_400).ok();
    let mut passed = finished(2);
    let signed = sign(&passed, 3);
    passed.certificate = Some(signed.info());
    for job in [&failed, &passed, &failed, &failed] {
        let keep = scribe::Keep::Job(Box::new(job.clone()));
        made.app.scribe.kept(vec![keep]).await.unwrap();
    }
    let told = check(&mut admin, signed.text(), "").await;
    assert_eq!(told.revocation, RevocationState::Standing);
    // It was interrupted only, and failed when it was gone on with: that is new.
    failed.ended = Time::from_second(Time::now().as_second() + 4 * 86_400).ok();
    let keep = scribe::Keep::Job(Box::new(failed));
    made.app.scribe.kept(vec![keep]).await.unwrap();
    let told = check(&mut admin, signed.text(), "").await;
    assert!(matches!(told.revocation, RevocationState::Revoked(_)), "{told:?}");
}

/// An agent forgets its oldest jobs; what it told of them must not stand as good when the drive fails.
#[tokio::test]
async fn a_failure_revokes_what_the_agent_has_forgotten_and_nothing_later() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let standing = async |admin: &mut Client, signed: &Signed| check(admin, signed.text(), "").await;
    // A job is shown a moment before it is on the medium, where certificates are looked up.
    let comes = async |admin: &mut Client, signed: &Signed, is: &dyn Fn(&CertificateCheck) -> bool| {
        let end = std::time::Instant::now() + crate::client::PATIENCE;
        loop {
            let told = standing(admin, signed).await;
            if is(&told) {
                break;
            }
            assert!(std::time::Instant::now() < end, "{told:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };

    let mut certified = Vec::new();
    for number in [10, 30] {
        let mut job = finished(number);
        let signed = sign(&job, 3);
        job.certificate = Some(signed.info());
        tell(&agent, &mut admin, &job).await;
        comes(&mut admin, &signed, &|told| {
            told.revocation == RevocationState::Standing
        })
        .await;
        certified.push((job, signed));
    }
    let fails = |number, id: &str, serial: &str| {
        let mut failed = finished(number);
        failed.drive = wire::DriveId::parse(id).unwrap();
        failed.serial = serial.to_owned();
        if let Some(verdict) = &mut failed.verdict {
            verdict.outcome = Outcome::Failed;
            verdict.summary = "3 blocks differ.".into();
        }
        failed
    };
    // Plugged in directly, the same drive tells a world wide name; another of its model is another drive.
    tell(&agent, &mut admin, &fails(35, "wwn-5000c500a1b2c3d5", "WD-9999")).await;
    tell(&agent, &mut admin, &fails(20, "wwn-5000c500a1b2c3d4", "WD-1234")).await;
    let [(first, old), (_, new)] = &certified[..] else {
        unreachable!()
    };
    comes(&mut admin, old, &|told| {
        told.standing == Standing::Bad && told.told.contains("3 blocks differ")
    })
    .await;
    assert_eq!(
        standing(&mut admin, new).await.standing,
        Standing::Trusted,
        "tested again after that"
    );
    // The job as it was before is told again, as after a backup was restored there.
    agent.sender.send(&Frame::Job(Box::new(first.clone()))).await.unwrap();
    tell(&agent, &mut admin, &finished(40)).await;
    assert_eq!(standing(&mut admin, old).await.standing, Standing::Bad);
    let page = admin.get(&format!("/api/v1/jobs/{}/certificate.html", first.id)).await;
    assert_eq!((page.status, page.problem().as_str()), (409, "certificate-revoked"));

    let forgotten = sign(&finished(50), 3);
    assert_eq!(
        standing(&mut admin, &forgotten).await.revocation,
        RevocationState::Unknown,
        "nobody here remembers it"
    );
}

/// A store that was put back runs a job to another end, behind which the first one must not vanish.
#[tokio::test]
async fn a_job_that_failed_and_ends_well_once_more_has_no_certificate_that_holds() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    // Of one that was lost, and failed by what it had found, nothing was signed.
    for (n, is_signed) in [(10, true), (11, false)] {
        let mut failed = finished(n);
        if let Some(verdict) = &mut failed.verdict {
            verdict.outcome = Outcome::Failed;
        }
        failed.certificate = is_signed.then(|| sign(&failed, 3).info());
        tell(&agent, &mut admin, &failed).await;
        let mut again = finished(n);
        let signed = sign(&again, 4);
        again.certificate = Some(signed.info());
        agent.sender.send(&Frame::Job(Box::new(again.clone()))).await.unwrap();
        tell(&agent, &mut admin, &finished(n + 30)).await;
        // What a box remembers of its certificates is written down behind the jobs.
        let end = std::time::Instant::now() + crate::client::PATIENCE;
        let told = loop {
            let told = check(&mut admin, signed.text(), "").await;
            if told.standing == Standing::Bad || std::time::Instant::now() > end {
                break told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert!(told.told.contains("had failed in it"), "{told:?}");
        let jobs = admin.get("/api/v1/jobs").await.json();
        let job = jobs
            .as_array()
            .unwrap()
            .iter()
            .find(|job| job["id"] == json!(again.id))
            .unwrap();
        assert!(job["certificate"]["revoked"].is_object(), "{job}");
        assert_eq!(job["verdict"]["outcome"], "FAILED", "{job}");
    }
}

/// What an agent hands over in error must not stand under another job's name, nor with a signature that fits nothing.
#[tokio::test]
async fn a_certificate_is_kept_only_under_the_job_that_it_names_and_with_a_good_signature() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let (other, damaged, mut good) = (finished(20), finished(21), finished(22));
    let signed = sign(&good, 3);
    good.certificate = Some(signed.info());
    for job in [&other, &damaged, &good] {
        tell(&agent, &mut admin, job).await;
    }
    for (job, text) in [
        (other.id, sign(&finished(23), 3).text().to_owned()),
        (damaged.id, sign(&damaged, 3).text().replace("PASSED", "FAILED")),
        (good.id, signed.text().to_owned()),
    ] {
        let frame = Frame::Certificate(CertificateText { job, text });
        agent.sender.send(&frame).await.unwrap();
    }
    // They are taken in turn.
    text_of(&mut admin, good.id).await;
    for job in [&other, &damaged] {
        let answer = admin.get(&format!("/api/v1/jobs/{}/certificate", job.id)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "certificate-unknown"));
    }
    let events = admin.get("/api/v1/events").await.text;
    assert_eq!(events.matches("\"agent.certificate_refused\"").count(), 2, "{events}");
    assert!(
        events.contains(&format!("it is of job {}", finished(23).id)),
        "{events}"
    );
}

/// How many `certificate.revoked` events the log has of this certificate.
async fn told_revoked(admin: &mut Client, signed: &Signed) -> usize {
    let events = admin.get("/api/v1/events?limit=1000").await.json();
    let of =
        |event: &&Value| event["type"] == "certificate.revoked" && event["data"]["certificate"] == signed.info().id;
    events.as_array().unwrap().iter().filter(of).count()
}

/// An agent whose store was put back runs the same job to a second end.
#[tokio::test]
async fn a_job_that_failed_when_it_ended_once_more_hands_out_no_good_certificate() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let mut job = finished(7);
    let passed = sign(&job, 3);
    job.certificate = Some(passed.info());
    agent.sender.send(&handed(&job, &passed)).await.unwrap();
    tell(&agent, &mut admin, &job).await;
    assert_eq!(text_of(&mut admin, job.id).await, passed.text());

    let verdict = job.verdict.as_mut().unwrap();
    (verdict.outcome, verdict.summary) = (Outcome::Failed, "3 blocks differ.".into());
    let failed = sign(&job, 3);
    assert_ne!(failed.info().id, passed.info().id);
    job.certificate = Some(failed.info());
    tell(&agent, &mut admin, &job).await;
    for ending in ["", ".html", ".pdf"] {
        let answer = admin.get(&format!("/api/v1/jobs/{}/certificate{ending}", job.id)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "certificate-unknown"));
    }
    drop(agent);
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.known_jobs, [], "what is here is of an earlier end");
    let told = check(&mut admin, passed.text(), "").await;
    assert_eq!(told.standing, Standing::Bad);
    assert!(told.told.contains("3 blocks differ"), "{told:?}");
    assert_eq!(told_revoked(&mut admin, &passed).await, 1);

    agent.sender.send(&handed(&job, &failed)).await.unwrap();
    tell(&agent, &mut admin, &job).await;
    assert_eq!(text_of(&mut admin, job.id).await, failed.text());
    let own = check(&mut admin, failed.text(), "").await;
    assert_eq!(
        (own.standing, own.revocation),
        (Standing::Trusted, RevocationState::Standing)
    );
    let page = admin.get(&format!("/api/v1/jobs/{}/certificate.html", job.id)).await;
    assert_eq!(page.status, 200, "{}", page.text);
}

/// An agent that lost a job tells no more of it, and its pages read the job.
#[tokio::test]
async fn what_is_revoked_here_stands_in_the_job_and_once_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let made = Box_::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let mut passed = finished(10);
    let signed = sign(&passed, 3);
    passed.certificate = Some(signed.info());
    tell(&agent, &mut admin, &passed).await;
    let mut failed = finished(20);
    failed.verdict.as_mut().unwrap().outcome = Outcome::Failed;
    let mut stream = admin.events("/api/v1/stream").await;
    tell(&agent, &mut admin, &failed).await;
    let (revoked, by) = loop {
        let told: Job = serde_json::from_value(stream.named("job").await.data).unwrap();
        let by = told.certificate.as_ref().and_then(|info| info.revoked.clone());
        if let Some(by) = by.filter(|_| told.id == passed.id) {
            break (told, by);
        }
    };
    assert_eq!(by.job, failed.id);
    let path = format!("/api/v1/jobs/{}", passed.id);
    assert_eq!(
        serde_json::from_str::<Job>(&admin.get(&path).await.text).unwrap(),
        revoked
    );
    assert_eq!(told_revoked(&mut admin, &signed).await, 1);

    // The agent knows the job after all: it tells the same, and the job as it was.
    let entry = certificate::revoke::entry(&passed).unwrap();
    let event = wire::event::NewEvent {
        origin: Some(1),
        ..certificate::revoke::event(&entry, failed.id)
    };
    agent.sender.send(&Frame::Event(event)).await.unwrap();
    agent.sender.send(&Frame::Job(Box::new(passed.clone()))).await.unwrap();
    tell(&agent, &mut admin, &finished(30)).await;
    made.app.scribe.kept(Vec::new()).await.unwrap();
    assert_eq!(told_revoked(&mut admin, &signed).await, 1, "told twice");
    drop(agent);
    made.app.shut_down().await;
    drop(made);
    let again = crate::gate::reopen(dir.path(), None).await;
    let mut admin = again.admin().await;
    assert_eq!(
        serde_json::from_str::<Job>(&admin.get(&path).await.text).unwrap(),
        revoked
    );
}

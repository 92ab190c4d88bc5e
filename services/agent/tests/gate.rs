//! The gate against a real agent process: each forged step is refused, and the drive stays untouched.
//!
//! Expiry after 120 s is tested in `agent::gate` alone, where the clock is an argument.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;

use common::{Agent, Bench, Loop, Seen, Server, not_here, sign};
use ed25519_dalek::SigningKey;
use wire::command::Command;
use wire::gate::{Armed, Ticket};

#[tokio::test]
async fn every_forged_step_is_refused_and_nothing_is_written() {
    let Some(bench) = Bench::with(&[24, 25], false, &[]).await else {
        return;
    };
    let (server, drive, other) = (&bench.server, &bench.drives[0], &bench.drives[1]);

    // Not claimed.
    let plan = server.plan(&[drive.id()], "surface").await;
    assert_eq!(server.refused(server.arm(&plan)).await, "not-claimed");
    server.claim().await;

    // No ticket at all, and one that nobody signed.
    assert_eq!(
        server
            .refused(Armed {
                ticket: String::new(),
                signature: String::new()
            })
            .await,
        "ticket-forged"
    );
    let unsigned = Armed {
        signature: "00".repeat(64),
        ..server.arm(&plan)
    };
    assert_eq!(server.refused(unsigned).await, "ticket-forged");

    // Signed by somebody else.
    let stranger = SigningKey::from_bytes(&[8; 32]);
    assert_eq!(
        server.refused(sign(&stranger, &server.ticket(&plan))).await,
        "ticket-forged"
    );

    // Another plan's nonce, digest, drives.
    let second = server.plan(&[other.id()], "surface").await;
    let good = server.ticket(&plan);
    for forged in [
        Ticket {
            nonce: second.nonce.clone(),
            ..good.clone()
        },
        Ticket {
            digest: second.digest.clone(),
            ..good.clone()
        },
        Ticket {
            drives: vec![other.id()],
            ..good.clone()
        },
        Ticket {
            plan: second.id,
            ..good.clone()
        },
        Ticket {
            box_id: "another".into(),
            ..good.clone()
        },
    ] {
        assert_eq!(server.refused(sign(&server.key, &forged)).await, "ticket-forged");
    }

    // What is on the drive changed after the plan was made.
    let plan = server.plan(&[other.id()], "surface").await;
    other.mkfs();
    assert_eq!(server.refused(server.arm(&plan)).await, "plan-changed");

    // The drive was exchanged for another in the same place.
    let plan = server.plan(&[drive.id()], "surface").await;
    let armed = server.arm(&plan);
    drive.exchange(26);
    assert_eq!(server.refused(armed.clone()).await, "plan-changed");
    drive.exchange(24);
    let again = server.refused(armed).await;
    assert!(
        ["plan-changed", "ticket-used"].contains(&again.as_str()),
        "also when it is back: {again}"
    );

    // An unknown playbook, an unknown drive.
    let unknown = server
        .call(Command::Plan {
            drives: vec![drive.id()],
            playbook: "fast".into(),
            options: wire::options::PlanOptions::default(),
        })
        .await;
    assert_eq!(unknown.unwrap_err().kind, "playbook-unknown");

    assert!(drive.is_blank(), "nothing was written by any of it");
    assert_eq!(server.look(|seen| seen.jobs.len()), 0);
}

#[tokio::test]
async fn a_ticket_starts_once_and_a_busy_drive_is_not_planned() {
    let Some(bench) = Bench::new(&[24]).await else {
        return;
    };
    let (server, drive) = (&bench.server, &bench.drives[0]);
    let plan = server.plan(&[drive.id()], "surface").await;
    let armed = server.arm(&plan);
    server.call(Command::Start(armed.clone())).await.unwrap();
    assert_eq!(server.refused(armed.clone()).await, "ticket-used");
    let job = server.until("the job", |seen| seen.jobs.keys().next().copied()).await;
    server.over(job).await;
    assert_eq!(server.refused(armed).await, "ticket-used", "also after the job");
}

/// A dock tells one name and one size for two blank drives, and the list of drives may be older than an exchange that the opening
/// comes after: the kernel's count of media is compared on what is held.
#[tokio::test]
async fn a_drive_that_is_counted_anew_between_plan_and_start_is_not_written() {
    let Some(bench) = Bench::counted(24, &[]).await else {
        return;
    };
    let (server, drive) = (&bench.server, &bench.drives[0]);
    let plan = server.plan(&bench.ids(), "surface").await;
    let armed = server.arm(&plan);
    bench.count(1_000_002);
    assert_eq!(server.refused(armed).await, "plan-changed");
    assert!(drive.is_blank(), "it was written");
    let plan = server.plan(&bench.ids(), "surface").await;
    server.call(Command::Start(server.arm(&plan))).await.unwrap();
    let job = server.until("the job", |seen| seen.jobs.keys().next().copied()).await;
    server.over(job).await;
}

/// An archive, or a file in a file system that was mounted meanwhile, changes none of the signatures by which the guard knows what it finds.
#[tokio::test]
async fn what_is_put_on_a_drive_between_plan_and_start_is_not_erased() {
    let Some(bench) = Bench::new(&[24, 25]).await else {
        return;
    };
    let (server, raw, system) = (&bench.server, &bench.drives[0], &bench.drives[1]);
    raw.exchange_for(&b"old backup ".repeat(1000));
    system.mkfs();
    let is_listed = |seen: &Seen| seen.drive(&system.id())?.content.words().contains("ext4").then_some(());
    server.until("the file system", is_listed).await;
    let plan = async |drive: &Loop| server.plan(&[drive.id()], "surface").await;
    let is_told = async |planned| {
        let problem = server.call(Command::Start(server.arm(planned))).await.unwrap_err();
        assert_eq!(problem.kind, "plan-changed");
        assert!(problem.detail.contains("something wrote to"), "{problem}");
    };

    let archive = b"new backup ".repeat(1000);
    let planned = plan(raw).await;
    raw.exchange_for(&archive);
    is_told(&planned).await;
    let mut kept = vec![0; archive.len()];
    std::fs::File::open(&raw.file)
        .unwrap()
        .read_exact_at(&mut kept, 0)
        .unwrap();
    assert_eq!(kept, archive);

    let planned = plan(system).await;
    // Not mounted: a copy of the mount in another test's namespace would keep the file system in use.
    let photo = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&photo, archive).unwrap();
    let put = format!("write {} photo", photo.path().display());
    let status = std::process::Command::new("debugfs")
        .args(["-w", "-R", &put])
        .arg(&system.node)
        .status();
    assert!(status.unwrap().success());
    is_told(&planned).await;
    assert_eq!(server.look(|seen| seen.jobs.len()), 0);

    // What is planned as it is now is started.
    for drive in [raw, system] {
        let planned = plan(drive).await;
        server.call(Command::Start(server.arm(&planned))).await.unwrap();
    }
}

#[tokio::test]
async fn plans_die_with_the_agent_and_survive_the_server() {
    let Some(mut bench) = Bench::new(&[24]).await else {
        return;
    };
    let plan = bench.server.plan(&bench.ids(), "surface").await;
    let armed = bench.server.arm(&plan);
    bench.agent.kill();
    bench.restart();
    let (server, drive) = (&bench.server, &bench.drives[0]);
    server
        .until("the agent to be back", |seen| (seen.connections == 2).then_some(()))
        .await;
    server.drive(&drive.id()).await;
    assert_eq!(server.refused(armed).await, "plan-unknown");

    // The server restarts with its key between arm and start.
    let plan = server.plan(&[drive.id()], "surface").await;
    let armed = server.arm(&plan);
    let bench = bench.with_another_server().await;
    bench.server.drive(&bench.drives[0].id()).await;
    bench.server.call(Command::Start(armed)).await.unwrap();
    let job = bench
        .server
        .until("the job", |seen| seen.jobs.keys().next().copied())
        .await;
    bench.server.over(job).await;
}

#[tokio::test]
async fn a_server_with_another_key_or_without_a_greeting_is_not_obeyed() {
    if not_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let drive = Loop::new(24);
    let server = Server::start(dir.path(), true).await;
    let mut agent = Agent::start(dir.path());
    server.drive(&drive.id()).await;
    let plan = server.plan(&[drive.id()], "surface").await;
    server.kill().await;

    let server = Server::start_with(dir.path(), SigningKey::from_bytes(&[5; 32]), true).await;
    server.drive(&drive.id()).await;
    assert_eq!(server.refused(server.arm(&plan)).await, "not-trusted");
    // Nor does it get what the agent keeps, the key of the certificates among it.
    for command in [
        Command::Backup { from: 0 },
        Command::Plan {
            drives: vec![drive.id()],
            playbook: "surface".into(),
            options: wire::options::PlanOptions::default(),
        },
    ] {
        assert_eq!(server.call(command).await.unwrap_err().kind, "not-trusted");
    }
    server
        .until("the alarm", |seen| {
            seen.kinds().contains(&"agent.gate_key_changed").then_some(())
        })
        .await;
    server.kill().await;

    // A direct request on a connection that was never greeted gets no answer at all.
    agent.kill();
    let server = Server::start(dir.path(), true).await;
    server.do_not_greet();
    let _agent = Agent::start(dir.path());
    server
        .until("the agent", |seen| (seen.heartbeats > 0).then_some(()))
        .await;
    let id = server
        .send(Command::Plan {
            drives: vec![drive.id()],
            playbook: "surface".into(),
            options: wire::options::PlanOptions::default(),
        })
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    let seen = server.look(|seen| (seen.replies.contains_key(&id), seen.drives.len(), seen.events.len()));
    assert_eq!(seen, (false, 0, 0), "a foreign server gets documented frames only");
    assert!(drive.is_blank());
}

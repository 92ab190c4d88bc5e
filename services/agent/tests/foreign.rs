//! A drive that was used elsewhere while its job was interrupted, with a real agent on a loop device.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;

use common::{Agent, Brake, Loop, Server, not_here};
use wire::command::{Answer, Command};
use wire::job::{JobState, Outcome};

/// MiB that keep a worker busy long enough to be stopped in the middle.
const LARGE: u64 = 768;

#[tokio::test]
async fn what_was_put_on_a_drive_since_is_not_erased_by_its_old_job() {
    if not_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let drive = Loop::new(LARGE);
    let server = Server::start(dir.path(), true).await;
    let mut agent = Agent::start(dir.path());
    server.drive(&drive.id()).await;
    let id = server.start_jobs(&[drive.id()], "surface").await[0];
    let brake = Brake::on(&agent);
    server
        .until("the job to be in the middle", |seen| {
            let job = seen.jobs.get(&id)?;
            assert!(
                !job.state.is_over(),
                "it was over before it could be interrupted: {job:?}"
            );
            job.progress.as_ref().filter(|p| p.done.0 > 16 << 20).map(|_| ())
        })
        .await;
    drop(brake);
    agent.terminate().await;

    drive.mkfs();
    let file = std::fs::File::open(&drive.file).unwrap();
    let read = || {
        let mut bytes = vec![0; 64 << 20];
        file.read_exact_at(&mut bytes, 0).unwrap();
        file.read_exact_at(&mut bytes[32 << 20..], (LARGE << 20) - (32 << 20))
            .unwrap();
        bytes
    };
    let before = read();
    let _agent = Agent::start(dir.path());
    let why = server
        .until("the job to wait", |seen| match &seen.jobs.get(&id)?.state {
            JobState::Waiting { why } if why.contains("when it was armed") => Some(why.clone()),
            _ => None,
        })
        .await;
    assert!(why.contains("ext4"), "{why}");
    let answer = server
        .call(Command::Abort {
            job: id,
            actor: "bob".into(),
        })
        .await;
    assert_eq!(answer, Ok(Answer::Aborted));
    let job = server.over(id).await;
    assert_eq!(job.verdict.unwrap().outcome, Outcome::Inconclusive);
    assert!(read() == before, "something was written to it");
}

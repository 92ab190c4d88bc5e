//! A drive that was used elsewhere while its job was interrupted, with a real agent on a loop device.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;

use common::{Bench, LARGE};
use wire::command::{Answer, Command};
use wire::job::{JobState, Outcome};

#[tokio::test]
async fn what_was_put_on_a_drive_since_is_not_erased_by_its_old_job() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.terminate().await;

    let drive = &bench.drives[0];
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
    bench.restart();
    let why = bench
        .server
        .until("the job to wait", |seen| match &seen.jobs.get(&id)?.state {
            JobState::Waiting { why } if why.contains("when it was armed") => Some(why.clone()),
            _ => None,
        })
        .await;
    assert!(why.contains("ext4"), "{why}");
    let actor = || "ann".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    bench.server.call(pause).await.unwrap();
    let resume = Command::Resume {
        job: id,
        actor: actor(),
    };
    bench.server.call(resume).await.unwrap();
    bench
        .server
        .until("the job to say again what it waits for", |seen| {
            let waits = |why: &String| why.contains("when it was armed");
            let is = |state: &JobState| matches!(state, JobState::Waiting { why } if waits(why));
            is(&seen.jobs.get(&id)?.state).then_some(())
        })
        .await;
    let answer = bench
        .server
        .call(Command::Abort {
            job: id,
            actor: "bob".into(),
        })
        .await;
    assert_eq!(answer, Ok(Answer::Aborted));
    let job = bench.server.over(id).await;
    assert_eq!(job.verdict.unwrap().outcome, Outcome::Inconclusive);
    assert!(read() == before, "something was written to it");
}

//! An agent whose medium is full when a job ends: the verdict is told, and stands after a power cut once there was room.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{Bench, outcome};
use wire::job::{JobState, Outcome};

#[tokio::test]
async fn an_end_that_a_full_medium_refused_is_written_down_once_there_is_room() {
    let with = ["--rate-drive", "10M"];
    let Some((mut bench, medium)) = Bench::with_medium(48, "8m", &with).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    medium.fill();
    let job = bench.server.over(id).await;
    assert_eq!((outcome(&job), &job.certificate), (Outcome::Passed, &None));
    let line = |seen: &common::Seen| seen.log.iter().any(|line| line.contains("was not written down"));
    bench
        .server
        .until("a word in its log", |seen| line(seen).then_some(()))
        .await;
    assert!(bench.server.look(|seen| seen.certificates.is_empty()));

    let freed = Instant::now();
    medium.free();
    let certified = |seen: &common::Seen| {
        let told = seen.jobs[&id].certificate.is_some();
        assert!(!told || seen.certificates.contains_key(&id), "told before it is there");
        told.then_some(())
    };
    bench.server.until("its certificate", certified).await;
    assert!(freed.elapsed() < Duration::from_mins(1), "{:?}", freed.elapsed());

    let once = |seen: &common::Seen| seen.unnumbered.iter().filter(|told| told.kind == "job.passed").count();
    assert_eq!(bench.server.look(once), 1);

    // A power cut: what lay in RAM is gone.
    bench.agent.kill();
    std::fs::remove_dir_all(bench.path().join("run")).unwrap();
    let mut bench = bench.with_another_server().await;
    bench.restart_and_wait().await;
    let again = bench.server.over(id).await;
    assert_eq!((&again.state, &again.verdict), (&JobState::Finished, &job.verdict));
    bench.server.until("its certificate", certified).await;
    let numbered = |kind: &str| {
        bench
            .server
            .look(|seen| seen.kinds().iter().filter(|told| **told == kind).count())
    };
    assert_eq!(
        numbered("job.passed"),
        0,
        "it was told while the medium was full, and once is enough"
    );
}

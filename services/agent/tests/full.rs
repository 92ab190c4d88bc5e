//! An agent whose medium is full when a job ends: the verdict is told, and stands after a power cut once there was room; and one whose medium
//! takes its time: no drive is marked for what is not written down yet.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use burnin::device::{Geometry, open_plain};
use burnin::header;
use common::exchange::{in_step, put_at};
use common::{Bench, outcome};
use wire::job::{JobState, Outcome, Phase};
use wire::options::PlanOptions;

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

/// Behind the marks of the end nobody goes on with a job: whoever lost its first fault would begin it anew.
#[tokio::test]
async fn the_drive_of_a_first_fault_is_marked_once_that_is_written_down() {
    let Some((bench, freezer)) = Bench::with_freezer(48, &["--rate-drive", "10M"]).await else {
        return;
    };
    let drive = &bench.drives[0];
    let options = PlanOptions {
        stop_at_first: true,
        ..PlanOptions::default()
    };
    let geometry = Geometry {
        sectors: (48 << 20) / 512,
        sector: 512,
        physical: 512,
    };
    let is_marked = || {
        let mut device = open_plain(std::fs::File::open(&drive.file).unwrap()).unwrap();
        header::find(device.as_mut(), geometry).is_none()
    };
    let jobs = bench.server.start_jobs_with(&[drive.id()], "surface", options).await;
    in_step(&bench, jobs[0], Phase::Verify).await;
    freezer.freeze();
    put_at(drive, 46 << 20, &[0x5a; 512]);
    let begun = Instant::now();
    while !bench.agent.workers().is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(2), "it does not meet the fault");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // As long as it takes to come to its marks.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!is_marked(), "nothing is written down yet");
    freezer.thaw();
    let job = bench.server.over(jobs[0]).await;
    assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
    let summary = job.verdict.unwrap().summary;
    assert!(summary.ends_with("the rest was not tested."), "{summary}");
    assert!(is_marked());
}

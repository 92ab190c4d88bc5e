//! An agent whose medium is full when a job ends: the verdict is told, and stands after a power cut once there was room; and no drive is marked
//! for what is not written down.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use burnin::device::{Geometry, open_plain};
use burnin::header;
use common::exchange::put_at;
use common::{Bench, outcome};
use wire::job::{JobState, Outcome, Phase, PhaseStatus};
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
async fn the_drive_of_a_first_fault_is_marked_only_where_that_is_written_down() {
    let Some((bench, medium)) = Bench::with_medium(48, "8m", &["--rate-drive", "10M"]).await else {
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
    for is_full in [true, false] {
        let jobs = bench
            .server
            .start_jobs_with(&[drive.id()], "surface", options.clone())
            .await;
        bench
            .server
            .until("the read-back", |seen| {
                let mut phases = seen.jobs.get(&jobs[0])?.phases.iter();
                let reads = phases.find(|state| state.phase == Phase::Verify && state.status == PhaseStatus::Running);
                reads.map(|_| ())
            })
            .await;
        if is_full {
            medium.fill();
        }
        put_at(drive, 46 << 20, &[0x5a; 512]);
        let job = bench.server.over(jobs[0]).await;
        assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
        let summary = &job.verdict.as_ref().unwrap().summary;
        assert!(summary.ends_with("the rest was not tested."), "{summary}");
        let mut device = open_plain(std::fs::File::open(&drive.file).unwrap()).unwrap();
        let is_marked = header::find(device.as_mut(), geometry).is_none();
        assert_eq!(is_marked, !is_full);
        if is_full {
            medium.free();
        }
    }
}

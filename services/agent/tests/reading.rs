//! A job that only reads leaves nothing on its drive: what stands there tells whether it goes on with the same one.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use common::exchange::{foreign_data, write_below};
use common::{Bench, outcome};
use wire::command::{Answer, Command};
use wire::job::{Job, Outcome, Phase, PhaseStatus};

const MIB: u64 = 96;

/// A scan of a drive with this data that is cut in the middle; by its end the drive holds the other.
async fn cut(before: &[u8], after: &[u8]) -> Option<Job> {
    let mut bench = Bench::with(&[MIB], true, &["--rate-drive", "12M"]).await?;
    bench.drives[0].exchange_for(before);
    let scan = Command::Scan {
        drives: bench.ids(),
        playbook: "scan".into(),
        actor: "ann".into(),
    };
    let Ok(Answer::Started { jobs }) = bench.server.call(scan).await else {
        panic!("no scan")
    };
    bench.in_the_middle(jobs[0]).await;
    bench.agent.kill();
    write_below(&bench.drives[0], after).sync_all().unwrap();
    bench.restart();
    Some(bench.server.over(jobs[0]).await)
}

fn is_whole(job: &Job) -> bool {
    let scanned = job.phases.iter().find(|state| state.phase == Phase::Scan);
    scanned.is_some_and(|state| (state.status, state.bytes) == (PhaseStatus::Done, job.capacity))
}

#[tokio::test]
async fn a_cut_scan_goes_on_with_the_drive_that_it_began_with() {
    let data = foreign_data(MIB << 20);
    let Some(job) = cut(&data, &data).await else { return };
    assert_eq!(outcome(&job), Outcome::Warn, "{:#?}", job.verdict);
    assert_eq!(job.resumes.len(), 1, "{:?}", job.resumes);
    assert!(job.resumes[0].from.0 > 0 && is_whole(&job), "{job:#?}");
}

#[tokio::test]
async fn a_cut_scan_counts_nothing_on_an_exchanged_drive() {
    let data = foreign_data(MIB << 20);
    let other: Vec<u8> = data.iter().map(|byte| !byte).collect();
    let Some(job) = cut(&data, &other).await else { return };
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let summary = job.verdict.unwrap().summary;
    assert!(summary.contains("something else than when this job began"), "{summary}");
}

/// Blank drives look alike: all that counts is read again.
#[tokio::test]
async fn a_cut_scan_of_a_blank_drive_begins_again() {
    let blank = vec![0; (MIB << 20) as usize];
    let Some(job) = cut(&blank, &blank).await else { return };
    assert_eq!(outcome(&job), Outcome::Warn, "{:#?}", job.verdict);
    assert!(
        job.resumes.iter().all(|resume| resume.from.0 == 0) && is_whole(&job),
        "{job:#?}"
    );
}

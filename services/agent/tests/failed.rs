//! A job whose own task fails in the agent is taken up again once, then ended; its worker ends and its drive is free.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use burnin::playbook::is_of_formatter;
use common::{Bench, outcome};
use wire::command::Command;
use wire::job::{Job, JobState, Outcome, PhaseStatus};

/// A job with so many failures to come, to its end; its drive then takes another one.
async fn failing(times: &str) -> Option<Job> {
    let bench = Bench::with(&[64], true, &["--fail-jobs", times]).await?;
    let id = bench.job("surface").await;
    let job = bench.server.over(id).await;
    assert!(bench.agent.workers().is_empty(), "a worker is left of {job:#?}");
    let abort = Command::Abort {
        job: id,
        actor: "ann".into(),
    };
    assert_eq!(bench.server.call(abort).await.unwrap_err().kind, "job-over");
    let next = bench.job("surface").await;
    let next = bench.server.over(next).await;
    assert_eq!(
        outcome(&next),
        Outcome::Passed,
        "the drive is free: {:#?}",
        next.verdict
    );
    Some(job)
}

#[tokio::test]
async fn a_job_whose_task_failed_goes_on_from_its_checkpoint_once() {
    let Some(job) = failing("1").await else { return };
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
    let whys: Vec<&str> = job.resumes.iter().map(|resume| resume.why.as_str()).collect();
    assert_eq!(whys.len(), 1, "{whys:?}");
    assert!(whys[0].contains("the agent itself failed") && whys[0].contains("behind a checkpoint"));
}

#[tokio::test]
async fn a_job_whose_task_fails_again_ends_inconclusive_and_tells_why() {
    for (times, wanted) in [("2", "It did not go on"), ("3", "No verdict could be made")] {
        let Some(job) = failing(times).await else { return };
        assert_eq!(
            (&job.state, outcome(&job)),
            (&JobState::Finished, Outcome::Inconclusive),
            "{:#?}",
            job.verdict
        );
        let summary = job.verdict.unwrap().summary;
        assert!(
            summary.contains(wanted) && summary.contains("a failure was asked for"),
            "{summary}"
        );
    }
}

/// What stands on the drive and was verified is no format that was cut off, and nobody's fault.
#[tokio::test]
async fn a_job_that_is_cut_short_behind_its_format_keeps_it() {
    for (times, wanted) in [("1", Outcome::Passed), ("2", Outcome::Inconclusive)] {
        let arguments = ["--fail-jobs", times, "--fail-place", "before the end"];
        let Some(bench) = Bench::with(&[64], true, &arguments).await else {
            return;
        };
        let id = bench.formatted_job().await;
        let job = bench.server.over(id).await;
        assert_eq!(outcome(&job), wanted, "{:#?}", job.verdict);
        let formatted = job.formatted.as_ref().unwrap();
        assert_eq!(
            (&formatted.problem, formatted.uuid.is_some()),
            (&None, true),
            "{job:#?}"
        );
        let mut formatters = job.phases.iter().filter(|state| is_of_formatter(state.phase));
        assert!(formatters.all(|state| state.status == PhaseStatus::Done), "{job:#?}");
        assert_eq!(job.resumes, [], "nothing was made anew");
    }
}

//! Heat and pace with a real agent: workers are held and slowed from outside.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{Bench, LARGE, Smartctl, outcome};
use wire::command::{Answer, Command};
use wire::job::{JobState, Outcome};

fn heat(bench: &Bench, degrees: i32) {
    let mut path = bench.drives[0].file.clone().into_os_string();
    path.push(".temperature");
    std::fs::write(path, degrees.to_string()).unwrap();
}

#[tokio::test]
async fn drives_share_the_rate_of_the_box() {
    let Some(bench) = Bench::with(&[48, 49], true, &["--rate-total", "20M"]).await else {
        return;
    };
    let begun = Instant::now();
    let ids = bench.server.start_jobs(&bench.ids(), "surface").await;
    for id in &ids {
        assert_eq!(outcome(&bench.server.over(*id).await), Outcome::Passed);
    }
    // Each is written and read: 203 MB in all, of which the first bursts may go free.
    let least = Duration::from_secs_f64(203.0 / 20.0 * 0.7);
    assert!(begun.elapsed() > least, "{:?} is faster than 20 MB/s", begun.elapsed());
}

/// A self-test between two of the worker's steps, which may take hours.
const BETWEEN: &str = r#"
name = "between"
about = "A self-test where the worker waits for it."
[[step]]
do = "write"
[[step]]
do = "self_test_short"
[[step]]
do = "verify"
"#;

/// It kept its share for as long as its self-test ran.
#[tokio::test]
async fn a_drive_that_tests_itself_leaves_its_share_to_the_others() {
    let smartctl = Smartctl::new(600);
    let program = smartctl.program();
    let arguments = ["--smartctl", program.to_str().unwrap(), "--rate-total", "16M"];
    let Some(bench) = Bench::with(&[32, LARGE], true, &arguments).await else {
        return;
    };
    let playbook = Command::SavePlaybook {
        text: BETWEEN.into(),
        actor: "ann".into(),
    };
    assert!(matches!(bench.server.call(playbook).await, Ok(Answer::Done { .. })));
    let tested = bench.job("between").await;
    let other = bench.server.start_jobs(&bench.ids()[1..], "surface").await[0];
    bench
        .server
        .until("the self-test's progress", |seen| {
            let progress = seen.jobs.get(&tested)?.progress.as_ref()?;
            (progress.step == 1 && progress.phase_percent.is_some()).then_some(())
        })
        .await;
    bench
        .server
        .until("the other drive to have its share, too", |seen| {
            let job = seen.jobs.get(&other)?;
            assert!(!job.state.is_over(), "it was over before it had it");
            (job.progress.as_ref()?.rate.0 > 13_000_000).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_hot_drive_pauses_and_goes_on_when_it_has_cooled() {
    let Some(bench) = Bench::with(&[192], true, &["--rate-drive", "15M"]).await else {
        return;
    };
    heat(&bench, 40);
    let id = bench.job("surface").await;
    bench
        .server
        .until("the first megabytes", |seen| {
            seen.jobs
                .get(&id)?
                .progress
                .as_ref()
                .filter(|p| p.done.0 > 0)
                .map(|_| ())
        })
        .await;
    heat(&bench, 66);
    let hot = |state: &JobState| matches!(state, JobState::Waiting { why } if why.contains("66 °C") && why.contains("too hot"));
    bench
        .server
        .until("the pause", |seen| {
            seen.jobs.get(&id).filter(|job| hot(&job.state)).map(|_| ())
        })
        .await;
    assert_eq!(bench.agent.workers().len(), 1, "the worker stays");
    heat(&bench, 45);
    let job = bench.server.over(id).await;
    assert!(
        matches!(outcome(&job), Outcome::Passed | Outcome::Warn),
        "{:#?}",
        job.verdict
    );
    bench.server.event(id, "job.too_hot").await;
    bench.server.event(id, "job.cooled").await;
    assert!(
        job.timeline
            .iter()
            .any(|point| point.temperature.is_some_and(|t| t.0 == 66)),
        "{:?}",
        job.timeline
    );
}

#[tokio::test]
async fn a_drive_that_does_not_cool_ends_inconclusive() {
    let Some(bench) = Bench::with(&[192], true, &["--rate-drive", "15M", "--heat-clock", "200"]).await else {
        return;
    };
    heat(&bench, 71);
    let id = bench.job("surface").await;
    let job = bench.server.over(id).await;
    assert_eq!(
        (&job.state, outcome(&job)),
        (&JobState::Finished, Outcome::Inconclusive),
        "{:#?}",
        job.verdict
    );
    let verdict = job.verdict.unwrap();
    assert!(
        verdict
            .rules
            .iter()
            .any(|rule| rule.id.contains("hot") || rule.id.contains("heat")),
        "{verdict:#?}"
    );
}

/// A person who holds it knows why it stands still.
#[tokio::test]
async fn a_job_that_a_person_holds_is_not_given_up_for_heat() {
    // Half an hour is ten seconds.
    let Some(bench) = Bench::with(&[192], true, &["--rate-drive", "15M", "--heat-clock", "180"]).await else {
        return;
    };
    heat(&bench, 66);
    let id = bench.job("surface").await;
    let actor = || "ann".to_owned();
    bench.server.event(id, "job.too_hot").await;
    bench
        .server
        .call(Command::Pause {
            job: id,
            actor: actor(),
        })
        .await
        .unwrap();
    let waits = |why: &'static str| {
        move |seen: &common::Seen| {
            let job = seen.jobs.get(&id)?;
            let held = matches!(&job.state, JobState::Waiting { why: told } if told.contains(why));
            assert!(!job.state.is_over(), "{:#?}", job.verdict);
            held.then_some(())
        }
    };
    bench.server.until("the pause", waits("paused by ann")).await;
    tokio::time::sleep(Duration::from_secs(35)).await;
    bench.server.until("the pause still", waits("paused by ann")).await;
    bench
        .server
        .call(Command::Resume {
            job: id,
            actor: actor(),
        })
        .await
        .unwrap();
    bench.server.until("the heat", waits("too hot")).await;
    heat(&bench, 45);
    let job = bench.server.over(id).await;
    assert_ne!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
}

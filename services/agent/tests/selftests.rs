//! The drive's own self-tests between other steps, followed by a real agent through its own end and the drive's.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::exchange::{in_step, kept_waiting, step_is};
use common::{Bench, LARGE, Smartctl, outcome};
use wire::command::{Answer, Command};
use wire::job::{Job, JobState, Outcome, Phase, PhaseStatus, SelfTestOutcome};

/// A self-test between two steps of the worker, and one behind the last.
const BETWEEN: &str = r#"
name = "between"
about = "Self-tests where the agent has to do them."
[[step]]
do = "smart_before"
[[step]]
do = "write"
[[step]]
do = "self_test_short"
[[step]]
do = "verify"
[[step]]
do = "self_test_extended"
[[step]]
do = "smart_after"
"#;

/// A self-test right behind SMART before.
const TEST_FIRST: &str = r#"
name = "test-first"
about = "A self-test before anything is written."
[[step]]
do = "smart_before"
[[step]]
do = "self_test_short"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "smart_after"
"#;

/// SMART after with something behind it that may have to wait.
const THEN_PARTITIONED: &str = r#"
name = "then-partitioned"
about = "SMART after between a self-test and a partition."
[[step]]
do = "smart_before"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
[[step]]
do = "smart_after"
[[step]]
do = "partition"
"#;

async fn bench(smartctl: &Smartctl) -> Option<Bench> {
    bench_with(smartctl, BETWEEN).await
}

async fn bench_with(smartctl: &Smartctl, playbook: &str) -> Option<Bench> {
    bench_of(48, smartctl, playbook).await
}

async fn bench_of(mib: u64, smartctl: &Smartctl, playbook: &str) -> Option<Bench> {
    let program = smartctl.program();
    let bench = Bench::with(&[mib], true, &["--smartctl", program.to_str().unwrap()]).await?;
    let saved = bench
        .server
        .call(Command::SavePlaybook {
            text: playbook.into(),
            actor: "ann".into(),
        })
        .await;
    assert!(matches!(saved, Ok(Answer::Done { .. })), "{saved:?}");
    Some(bench)
}

fn told(job: &Job) -> Vec<(Phase, SelfTestOutcome)> {
    job.self_tests.iter().map(|test| (test.phase, test.outcome)).collect()
}

#[tokio::test]
async fn steps_of_agent_and_worker_are_done_in_their_order() {
    let smartctl = Smartctl::new(2);
    let Some(bench) = bench(&smartctl).await else { return };
    let id = bench.job("between").await;
    let job = bench.server.over(id).await;
    assert!(
        matches!(outcome(&job), Outcome::Passed | Outcome::Warn),
        "{:#?}",
        job.verdict
    );
    assert!(
        job.phases.iter().all(|state| state.status == PhaseStatus::Done),
        "{:#?}",
        job.phases
    );
    assert_eq!(
        told(&job),
        [
            (Phase::SelfTestShort, SelfTestOutcome::Passed),
            (Phase::SelfTestExtended, SelfTestOutcome::Passed)
        ]
    );
    assert_eq!(smartctl.orders(), ["start short", "start long"]);
    bench.server.event(id, "job.passed").await;
    let order: Vec<String> = bench.server.look(|seen| {
        let finished = seen.events.values().filter(|event| event.kind == "job.phase_finished");
        finished
            .map(|event| event.data["phase"].as_str().unwrap().to_owned())
            .collect()
    });
    assert_eq!(
        order,
        [
            "smart_before",
            "write",
            "self_test_short",
            "verify",
            "self_test_extended",
            "smart_after"
        ]
    );
}

/// A drive that is too hot for one reading, and one short self-test in its playbook; waits are this many times shorter.
async fn hot_bench(smartctl: &Smartctl, clock: &str) -> Option<Bench> {
    smartctl.hot(66, 1);
    let program = smartctl.program();
    let bench = Bench::with(
        &[48],
        true,
        &["--smartctl", program.to_str().unwrap(), "--heat-clock", clock],
    )
    .await?;
    let saved = bench
        .server
        .call(Command::SavePlaybook {
            text: BETWEEN.replace("[[step]]\ndo = \"self_test_extended\"\n", ""),
            actor: "ann".into(),
        })
        .await;
    assert!(matches!(saved, Ok(Answer::Done { .. })), "{saved:?}");
    Some(bench)
}

/// A self-test that runs on does not let its drive cool: it is told to end until it does.
#[tokio::test]
async fn a_hot_drive_that_did_not_end_its_self_test_is_told_again() {
    let smartctl = Smartctl::new(1);
    let Some(bench) = hot_bench(&smartctl, "100").await else {
        return;
    };
    smartctl.deaf(2);
    let job = bench.server.over(bench.job("between").await).await;
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Passed)]);
    assert_eq!(
        smartctl.orders(),
        ["start short", "abort", "abort", "abort", "start short"]
    );
}

/// What it told counts: one that is begun anew could pass.
#[tokio::test]
async fn a_hot_self_test_that_failed_before_it_could_be_ended_has_failed() {
    let smartctl = Smartctl::new(1);
    let Some(bench) = hot_bench(&smartctl, "100").await else {
        return;
    };
    smartctl.fails_hot();
    let job = bench.server.over(bench.job("between").await).await;
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Failed)]);
    assert_eq!(smartctl.orders(), ["start short"]);
}

/// A self-test cannot be paused, and the heat in it is read by SMART where the kernel has no sensor.
#[tokio::test]
async fn a_self_test_that_grows_too_hot_is_ended_and_starts_again_when_cool() {
    let smartctl = Smartctl::new(1);
    let Some(bench) = hot_bench(&smartctl, "100").await else {
        return;
    };
    let id = bench.job("between").await;
    let job = bench.server.over(id).await;
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Passed)]);
    assert_eq!(smartctl.orders(), ["start short", "abort", "start short"]);
    bench.server.event(id, "job.too_hot").await;
    bench.server.event(id, "job.cooled").await;
    let rules: Vec<String> = job
        .verdict
        .iter()
        .flat_map(|v| &v.rules)
        .map(|r| r.id.clone())
        .collect();
    assert!(rules.iter().any(|id| id == "heat-paused"), "{rules:?}");
}

/// What the list tells of a drive without a sensor is some minutes old.
#[tokio::test]
async fn a_self_test_starts_again_when_the_drive_itself_tells_that_it_has_cooled() {
    let smartctl = Smartctl::new(1);
    smartctl.cools_in(3);
    let Some(bench) = hot_bench(&smartctl, "100").await else {
        return;
    };
    let mut listed = bench.drives[0].file.clone().into_os_string();
    listed.push(".temperature");
    std::fs::write(listed, "50").unwrap();
    let drive = bench.drives[0].id();
    let warm = |seen: &common::Seen| seen.drive(&drive)?.temperature;
    bench.server.until("the list's temperature", warm).await;
    let id = bench.job("between").await;
    let job = bench.server.over(id).await;
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Passed)]);
    assert_eq!(smartctl.orders(), ["start short", "abort", "start short"]);
    let calls = smartctl.calls();
    let cooling = calls.iter().skip_while(|call| !call.contains(" -X ")).skip(1);
    let readings = cooling.take_while(|call| !call.contains(" -t "));
    // Three hot ones, the one that says that it is cool, and the one that each start begins with.
    assert!(readings.count() >= 5, "{calls:#?}");
}

/// A bridge may answer the first command after hours of others with an error.
#[tokio::test]
async fn smart_that_fails_for_a_moment_after_the_job_is_asked_for_again() {
    for (times, rule) in [(1, None), (1000, Some("smart-went-silent"))] {
        let dir = tempfile::tempdir().unwrap();
        let smartctl = Smartctl::new(1);
        let (program, books) = (
            smartctl.program(),
            common::exchange::own_playbook(dir.path(), common::exchange::SMART_AROUND),
        );
        let arguments = [
            "--smartctl",
            program.to_str().unwrap(),
            "--playbooks",
            &books,
            "--rate-drive",
            "20M",
        ];
        let Some(bench) = Bench::with(&[48], true, &arguments).await else {
            return;
        };
        let id = bench.job("mine").await;
        in_step(&bench, id, Phase::Write).await;
        smartctl.silent(times);
        let job = bench.server.over(id).await;
        let rules: Vec<&str> = job
            .verdict
            .iter()
            .flat_map(|v| &v.rules)
            .map(|hit| hit.id.as_str())
            .collect();
        let told = rules.iter().find(|rule| rule.starts_with("smart-")).copied();
        assert_eq!(told, rule, "{times}: {:#?}", job.verdict);
    }
}

#[tokio::test]
async fn a_failed_self_test_fails_the_drive_and_a_missing_one_is_never_passed() {
    let smartctl = Smartctl::new(1);
    smartctl.fail();
    let Some(bench) = bench(&smartctl).await else { return };
    let id = bench.job("between").await;
    let failing = bench.server.event(id, "job.failing").await;
    assert!(failing.message.contains(". Short self-test"), "{}", failing.message);
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
    assert!(told(&job).contains(&(Phase::SelfTestShort, SelfTestOutcome::Failed)));
    drop(bench);

    let smartctl = Smartctl::new(1);
    smartctl.unable();
    let Some(bench) = self::bench(&smartctl).await else {
        return;
    };
    let id = bench.job("between").await;
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Warn, "{:#?}", job.verdict);
    assert!(told(&job).contains(&(Phase::SelfTestShort, SelfTestOutcome::Unsupported)));
}

#[tokio::test]
async fn a_self_test_is_followed_on_after_the_agents_end_and_started_anew_after_its_own() {
    let smartctl = Smartctl::new(20);
    let Some(mut bench) = bench(&smartctl).await else {
        return;
    };
    let id = bench.job("between").await;
    let followed = |step: u16| {
        move |seen: &common::Seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.step == step && progress.phase_percent.is_some()).then_some(())
        }
    };
    bench.server.until("the short self-test", followed(2)).await;
    bench.agent.kill();
    bench.restart();
    bench.server.until("the extended self-test", followed(4)).await;
    assert_eq!(
        smartctl.orders(),
        ["start short", "start long"],
        "the same short test was followed on"
    );
    // The box is reset: the drive's own test ends with it.
    bench.agent.kill();
    smartctl.cut();
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(smartctl.orders(), ["start short", "start long", "start long"]);
    assert_eq!(
        told(&job),
        [
            (Phase::SelfTestShort, SelfTestOutcome::Passed),
            (Phase::SelfTestExtended, SelfTestOutcome::Passed)
        ]
    );
    assert!(
        matches!(outcome(&job), Outcome::Passed | Outcome::Warn),
        "{:#?}",
        job.verdict
    );
}

/// What the host had cut short stood beside the one that was made again, and made every such burn-in INCONCLUSIVE.
#[tokio::test]
async fn a_self_test_that_the_host_ended_is_made_again_after_a_restart_and_that_one_counts() {
    let smartctl = Smartctl::new(8);
    let Some(mut bench) = bench_of(LARGE, &smartctl, TEST_FIRST).await else {
        return;
    };
    let id = bench.job("test-first").await;
    bench
        .server
        .until("the self-test's progress", |seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.step == 1 && progress.phase_percent.is_some()).then_some(())
        })
        .await;
    smartctl.cut();
    bench.in_the_middle(id).await;
    bench.agent.kill();
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(smartctl.orders(), ["start short", "start short"]);
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Passed)]);
    assert!(
        matches!(outcome(&job), Outcome::Passed | Outcome::Warn),
        "{:#?}",
        job.verdict
    );
}

#[tokio::test]
async fn an_abort_ends_the_self_test_too() {
    let smartctl = Smartctl::new(600);
    let Some(bench) = bench(&smartctl).await else { return };
    let id = bench.job("between").await;
    bench
        .server
        .until("the self-test's progress", |seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.step == 2 && progress.phase_percent.is_some()).then_some(())
        })
        .await;
    let abort = Command::Abort {
        job: id,
        actor: "bob".into(),
    };
    assert_eq!(bench.server.call(abort).await, Ok(Answer::Aborted));
    let job = bench.server.over(id).await;
    assert_eq!((&job.state, outcome(&job)), (&JobState::Aborted, Outcome::Inconclusive));
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Aborted)]);
    assert_eq!(smartctl.orders(), ["start short", "abort"]);
    assert!(!smartctl.is_running());
    bench.server.event(id, "job.aborted").await;
}

/// Also where the agent was begun anew meanwhile and holds no drive.
#[tokio::test]
async fn an_abort_in_a_pause_ends_the_self_test_of_an_earlier_session() {
    let smartctl = Smartctl::new(600);
    let Some(mut bench) = bench(&smartctl).await else {
        return;
    };
    let id = bench.job("between").await;
    bench
        .server
        .until("the self-test's progress", |seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.step == 2 && progress.phase_percent.is_some()).then_some(())
        })
        .await;
    let actor = || "bob".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    bench.server.call(pause).await.unwrap();
    bench.agent.kill();
    bench.restart_and_wait().await;
    let abort = Command::Abort {
        job: id,
        actor: actor(),
    };
    assert_eq!(bench.server.call(abort).await, Ok(Answer::Aborted));
    bench.server.over(id).await;
    assert_eq!(smartctl.orders(), ["start short", "abort"]);
    assert!(!smartctl.is_running());
}

/// A person may be about to take the drive out.
#[tokio::test]
async fn no_self_test_begins_in_a_pause() {
    let smartctl = Smartctl::new(1);
    let Some(bench) = bench_with(&smartctl, TEST_FIRST).await else {
        return;
    };
    smartctl.hang(true);
    let id = bench.job("test-first").await;
    in_step(&bench, id, Phase::SmartBefore).await;
    let actor = || "ann".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    bench.server.call(pause).await.unwrap();
    smartctl.hang(false);
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert!(smartctl.orders().is_empty(), "{:?}", smartctl.orders());
    let resume = Command::Resume {
        job: id,
        actor: actor(),
    };
    bench.server.call(resume).await.unwrap();
    let job = bench.server.over(id).await;
    assert_eq!(smartctl.orders(), ["start short"], "{job:?}");
}

/// It is nobody's here to end; the job says why it waits.
#[tokio::test]
async fn the_heat_of_a_self_test_that_somebody_else_runs_is_waited_out() {
    let smartctl = Smartctl::new(1);
    let Some(bench) = hot_bench(&smartctl, "20").await else {
        return;
    };
    let node = bench.drives[0].node.clone();
    let mut other = std::process::Command::new(smartctl.program());
    assert!(other.args(["-t", "short"]).arg(node).output().unwrap().status.success());
    let id = bench.job("between").await;
    bench.server.event(id, "job.too_hot").await;
    smartctl.cut();
    let job = bench.server.over(id).await;
    assert_eq!(told(&job), [(Phase::SelfTestShort, SelfTestOutcome::Passed)]);
    assert_eq!(smartctl.orders(), ["start short", "start short"]);
    bench.server.event(id, "job.cooled").await;
}

#[tokio::test]
async fn a_self_test_that_somebody_else_runs_is_waited_for() {
    let smartctl = Smartctl::new(8);
    let Some(bench) = bench(&smartctl).await else { return };
    let node = bench.drives[0].node.clone();
    let other = std::process::Command::new(smartctl.program())
        .args(["-t", "short"])
        .arg(node)
        .output()
        .unwrap();
    assert!(other.status.success());
    let id = bench.job("between").await;
    let job = bench.server.over(id).await;
    assert!(
        job.self_tests
            .iter()
            .all(|test| test.outcome == SelfTestOutcome::Passed),
        "{:?}",
        job.self_tests
    );
    assert_eq!(smartctl.orders(), ["start short", "start short", "start long"]);
    // It is asked every few seconds, for a day where it must be: that is told when there is something new.
    let log = bench.server.until("the log of the wait", |seen| {
        let waits: Vec<String> = seen
            .log
            .iter()
            .filter(|line| line.contains("waiting for its end"))
            .cloned()
            .collect();
        (!waits.is_empty()).then_some(waits)
    });
    let mut log = log.await;
    let all = log.len();
    log.dedup();
    assert_eq!(log.len(), all, "{log:?}");
}

/// A session that goes on writes its headers again and reads again what the cache may have lost: what SMART told before that, and
/// before a power cut, is not what it tells after the job.
#[tokio::test]
async fn smart_after_is_read_again_by_a_session_that_goes_on() {
    let smartctl = Smartctl::new(3);
    let Some(mut bench) = bench_with(&smartctl, THEN_PARTITIONED).await else {
        return;
    };
    let readings = || {
        let calls = smartctl.calls();
        calls
            .iter()
            .filter(|call| call.contains(" -x ") && !call.contains("standby"))
            .count()
    };
    let id = bench.job("then-partitioned").await;
    in_step(&bench, id, Phase::SelfTestShort).await;
    let monitor = kept_waiting(&bench.drives[0].node);
    step_is(&bench, id, Phase::SmartAfter, PhaseStatus::Done).await;
    bench.agent.kill();
    let before = readings();
    drop(monitor);
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(job.resumes.len(), 1, "{:#?}", job.verdict);
    assert!(readings() > before, "{:#?}", smartctl.calls());
    assert_ne!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
}

/// Its task waits for a sick drive's answer meanwhile.
#[tokio::test]
async fn a_job_that_hears_nothing_takes_every_wish_up_to_an_abort_which_nothing_takes_back() {
    let smartctl = Smartctl::new(3600);
    let Some(bench) = bench(&smartctl).await else {
        return;
    };
    let id = bench.job("between").await;
    in_step(&bench, id, Phase::SelfTestShort).await;
    smartctl.hang(true);
    let asked = smartctl.calls().len();
    while smartctl.calls().len() == asked {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (job, actor) = (id, "ann".to_owned());
    for n in 0..14 {
        let wish = match n % 2 {
            0 => Command::Pause {
                job,
                actor: actor.clone(),
            },
            _ => Command::Resume {
                job,
                actor: actor.clone(),
            },
        };
        let done = bench.server.call(wish).await;
        assert!(matches!(done, Ok(Answer::Done { .. })), "{n}: {done:?}");
    }
    let aborted = bench
        .server
        .call(Command::Abort {
            job,
            actor: actor.clone(),
        })
        .await;
    assert!(matches!(aborted, Ok(Answer::Aborted)), "{aborted:?}");
    let late = bench.server.call(Command::Resume { job, actor }).await;
    assert_eq!(late.unwrap_err().kind, "job-aborted");
    smartctl.hang(false);
    let job = bench.server.over(id).await;
    assert_eq!(job.state, JobState::Aborted);
}

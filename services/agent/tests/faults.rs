//! Faults of existing implementations that this one must not have, by their number in the project's list: what the agent's
//! own are. Those of a drive's identity, use and self-tests are in `drive`; the README has the table.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;
use std::time::Duration;

use common::{Bench, LARGE, Loop, Smartctl, Stage, all_taken, outcome};
use nix::sys::signal::Signal;
use serde_json::Value;
use wire::job::{JobState, Outcome, Phase, PhaseStatus, SelfTestOutcome};
use wire::options::{FileSystem, FormatRequest, PlanOptions, Table};

/// Payloads of the progress frames, in order.
fn progress(stage: &Stage) -> Vec<Value> {
    let frames = stage.server.frames();
    let progress = frames.iter().filter(|frame| frame["type"] == "progress");
    progress.map(|frame| frame["payload"].clone()).collect()
}

/// Corrupts the drive below while its last pass is read back.
async fn corrupted_in_the_last_pass() -> Option<(Bench, wire::job::Job)> {
    let bench = Bench::with(&[64], true, &["--rate-drive", "30M"]).await?;
    let id = bench.job("surface").await;
    let reading = |seen: &common::Seen| {
        let mut phases = seen.jobs.get(&id)?.phases.iter();
        phases
            .find(|state| state.phase == Phase::Verify && state.status == PhaseStatus::Running)
            .map(|_| ())
    };
    bench.server.until("the last pass", reading).await;
    let file = std::fs::File::options()
        .write(true)
        .open(&bench.drives[0].file)
        .unwrap();
    file.write_all_at(&[0x5a; 4096], 62 << 20).unwrap();
    let job = bench.server.over(id).await;
    Some((bench, job))
}

#[tokio::test]
async fn fault_1_corruption_in_the_last_pass_is_no_pass() {
    let Some((_bench, job)) = corrupted_in_the_last_pass().await else {
        return;
    };
    assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
    assert_eq!((job.bad_sectors, job.findings[0].lba.unwrap().0), (8, (62 << 20) / 512));
}

#[tokio::test]
async fn fault_2_a_worker_whose_reader_stands_still_is_not_stuck_for_ever() {
    let Some(bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    // Nobody reads what it reports, for longer than any pipe lasts at a report for each few accesses.
    bench.agent.signal(Signal::SIGSTOP);
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.agent.signal(Signal::SIGCONT);
    assert_eq!(outcome(&bench.server.over(id).await), Outcome::Passed);
}

#[tokio::test]
async fn fault_3_and_18_progress_moves_through_every_phase_with_its_speed_and_never_back() {
    let Some(mut stage) = Stage::at(48, true, "6M").await else {
        return;
    };
    stage.burn().await;
    stage.server.event("job_complete").await;
    let told = progress(&stage);
    for phase in ["write", "verify"] {
        let of = told.iter().filter(|payload| payload["phase"] == phase);
        let percents: Vec<f64> = of.clone().map(|payload| payload["percent"].as_f64().unwrap()).collect();
        let distinct = percents.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!(distinct >= 3, "{phase} stood at {percents:?}");
        assert!(
            of.clone().any(|payload| payload["speed_mbps"].as_f64().unwrap() > 0.5),
            "{phase}"
        );
        assert!(
            of.clone().any(|payload| !payload["eta"].as_str().unwrap().is_empty()),
            "{phase}"
        );
    }
    let all: Vec<f64> = told
        .iter()
        .map(|payload| payload["percent"].as_f64().unwrap())
        .collect();
    assert!(all.is_sorted(), "back and forth: {all:?}");
}

#[tokio::test]
async fn fault_4_every_file_system_is_made_and_checked_by_its_own_means() {
    let all = [
        FileSystem::Raw,
        FileSystem::Swap,
        FileSystem::Xfs,
        FileSystem::Btrfs,
        FileSystem::Ext4,
    ];
    // XFS refuses less than 300 MB. A drive each: what is on one is not looked at anew at once.
    let Some(bench) = Bench::new(&[320, 321, 322, 323, 324]).await else {
        return;
    };
    for (filesystem, drive) in all.into_iter().zip(bench.ids()) {
        let format = FormatRequest {
            table: Table::Gpt,
            filesystem,
            reserved_percent: 0,
            label: String::new(),
        };
        let options = PlanOptions {
            format: Some(format),
            ..PlanOptions::default()
        };
        let id = bench.server.start_jobs_with(&[drive], "surface", options).await[0];
        let job = bench.server.over(id).await;
        let formatted = job.formatted.clone().unwrap();
        let unsupported = formatted
            .problem
            .as_deref()
            .is_some_and(|why| why.contains("mount") && why.contains("unknown"));
        if unsupported {
            rig::not_run(&format!("{filesystem:?}: {:?}", formatted.problem));
            continue;
        }
        assert_eq!(formatted.problem, None, "{filesystem:?}: {formatted:#?}");
        assert!(!formatted.checks.is_empty() && formatted.filesystem == filesystem);
    }
}

#[tokio::test]
async fn fault_5_a_failed_job_is_told_as_failed_once_and_never_as_complete() {
    let Some(mut stage) = Stage::at(48, true, "10M").await else {
        return;
    };
    stage.burn().await;
    let reading = |said: &[Value]| {
        said.iter()
            .any(|l| l["type"] == "progress" && l["payload"]["phase"] == "verify")
            .then_some(())
    };
    stage.server.until("the read-back", reading).await;
    let file = std::fs::File::options().write(true).open(&stage.drive.file).unwrap();
    // Not where the job's own headers are, and at the end, which is read last.
    file.write_all_at(&[0x5a; 4096], 46 << 20).unwrap();
    stage.server.event("job_failed").await;
    let over = |said: &[Value]| {
        said.iter()
            .find(|l| l["type"] == "progress" && l["payload"]["phase"] == "COMPLETE")
            .cloned()
    };
    let last = stage.server.until("the last word", over).await;
    assert_eq!(last["payload"]["status"], "failed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let events = stage.server.events();
    let of = |name: &str| events.iter().filter(|event| *event == name).count();
    assert_eq!(
        (
            of("job_started"),
            of("job_failed"),
            of("job_complete"),
            of("burnin_passed")
        ),
        (1, 1, 0, 0),
        "{events:?}"
    );
    assert_eq!(events.last().unwrap(), "job_failed");
    all_taken(&stage.server);
}

#[tokio::test]
async fn fault_11_an_earlier_tests_entry_is_no_result_of_one_that_left_none() {
    let smartctl = Smartctl::new(1);
    smartctl.logged("Short offline", "Completed without error");
    smartctl.unable();
    let program = smartctl.program();
    let Some(bench) = Bench::with(&[48], true, &["--smartctl", program.to_str().unwrap()]).await else {
        return;
    };
    let text = "name = \"tested\"\nabout = \"x\"\n[[step]]\ndo = \"self_test_short\"\n[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n";
    let saved = wire::command::Command::SavePlaybook {
        text: text.into(),
        actor: "ann".into(),
    };
    bench.server.call(saved).await.unwrap();
    let id = bench.job("tested").await;
    let job = bench.server.over(id).await;
    assert_ne!(
        job.self_tests[0].outcome,
        SelfTestOutcome::Passed,
        "{:?}",
        job.self_tests
    );
    assert_ne!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
}

#[tokio::test]
async fn fault_12_a_drive_that_tells_no_rotation_is_written_and_read_whole() {
    let Some(bench) = Bench::new(&[64]).await else { return };
    let drive = bench.server.drive(&bench.drives[0].id()).await;
    assert!(
        !matches!(drive.rotation, wire::drive::Rotation::Spinning { .. }),
        "{:?}",
        drive.rotation
    );
    let id = bench.job("standard").await;
    let job = bench.server.over(id).await;
    let done = |phase| {
        job.phases
            .iter()
            .any(|state| state.phase == phase && state.status == PhaseStatus::Done)
    };
    assert!(done(Phase::Write) && done(Phase::Verify), "{:#?}", job.phases);
    assert_eq!(job.verdict.unwrap().verified, job.capacity);
}

#[tokio::test]
async fn fault_13_a_drive_that_came_into_use_after_the_plan_is_not_written() {
    let Some(bench) = Bench::new(&[64]).await else { return };
    bench.drives[0].mkfs();
    let id = bench.drives[0].id();
    let content = |seen: &common::Seen| seen.drive(&id)?.content.words().contains("ext4").then_some(());
    bench.server.until("its content", content).await;
    let plan = bench.server.plan(&bench.ids(), "surface").await;
    let at = tempfile::tempdir().unwrap();
    let node = bench.drives[0].node.to_str().unwrap();
    let mounted = std::process::Command::new("mount")
        .args([node, at.path().to_str().unwrap()])
        .status()
        .unwrap();
    assert!(mounted.success());
    let refused = bench.server.refused(bench.server.arm(&plan)).await;
    let unmounted = std::process::Command::new("umount").arg(at.path()).status().unwrap();
    assert!(unmounted.success());
    assert!(
        ["drive-refused", "plan-changed"].contains(&refused.as_str()),
        "{refused}"
    );
    assert!(bench.agent.workers().is_empty());
}

#[tokio::test]
async fn fault_14_a_drive_that_comes_later_is_listed_without_a_restart() {
    let Some(bench) = Bench::new(&[24]).await else { return };
    let later = Loop::new(25);
    let listed = bench.server.drive(&later.id()).await;
    assert_eq!(listed.capacity.0, 25 << 20);
}

#[tokio::test]
async fn fault_15_what_a_job_came_to_is_known_after_a_restart() {
    let Some(mut bench) = Bench::new(&[48]).await else {
        return;
    };
    let id = bench.job("surface").await;
    let before = bench.server.over(id).await;
    bench.agent.terminate().await;
    bench.server.hang_up().await;
    let server = common::Server::start_with(bench.path(), bench.server.key.clone(), true).await;
    bench.restart();
    let after = server.until("the job", |seen| seen.jobs.get(&id).cloned()).await;
    assert_eq!(
        (after.state.clone(), outcome(&after)),
        (JobState::Finished, Outcome::Passed)
    );
    assert_eq!(
        (&after.serial, &after.model, after.started, after.ended),
        (&before.serial, &before.model, before.started, before.ended)
    );
    assert_eq!((after.surface.len(), after.phases.clone()), (2, before.phases.clone()));
    bench.server = server;
}

#[tokio::test]
async fn fault_16_a_drive_of_more_than_sixteen_tebibytes_is_tested_to_its_end() {
    if common::not_here() {
        return;
    }
    // Sparse, in RAM: what is written is what the samples write.
    const MIB: u64 = 18 << 20;
    let Some(drive) = Loop::in_ram(MIB) else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = common::Server::start(dir.path(), true).await;
    let _agent = common::Agent::start(dir.path());
    server.drive(&drive.id()).await;
    let text = "name = \"probed\"\nabout = \"x\"\n[[step]]\ndo = \"probe\"\n";
    let saved = wire::command::Command::SavePlaybook {
        text: text.into(),
        actor: "ann".into(),
    };
    server.call(saved).await.unwrap();
    let id = server.start_jobs(&[drive.id()], "probed").await[0];
    let job = server.over(id).await;
    assert!(
        job.findings.is_empty() && job.phases[0].status == PhaseStatus::Done,
        "{job:#?}"
    );
    let file = std::fs::File::open(&drive.file).unwrap();
    let beyond = nix::unistd::lseek(&file, 16 << 40, nix::unistd::Whence::SeekData).unwrap();
    assert!(beyond >= 16 << 40, "nothing was written there");
    let last = nix::unistd::lseek(
        &file,
        (MIB << 20).cast_signed() - (64 << 20),
        nix::unistd::Whence::SeekData,
    );
    assert!(last.is_ok(), "nothing was written at its end");
}

#[tokio::test]
async fn fault_19_heat_holds_the_job_and_is_told_once() {
    let Some(mut stage) = Stage::at(96, true, "8M").await else {
        return;
    };
    stage.burn().await;
    let moving = |said: &[Value]| {
        said.iter()
            .any(|l| l["type"] == "progress" && l["payload"]["phase"] == "write")
            .then_some(())
    };
    stage.server.until("the write", moving).await;
    stage.warm(70);
    let hot = |said: &[Value]| {
        let mut lines = said.iter().filter(|l| l["type"] == "log");
        lines
            .any(|l| {
                l["payload"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("pauses until it has cooled")
            })
            .then_some(())
    };
    stage.server.until("the pause", hot).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let done = |stage: &Stage| progress(stage).last().unwrap()["bytes_done"].as_i64();
    let before = done(&stage);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(done(&stage), before, "it goes on while it is hot");
    stage.warm(48);
    stage.server.event("job_complete").await;
    let said = stage.server.said();
    let told = said.iter().filter(|l| {
        l["type"] == "log"
            && l["payload"]["message"]
                .as_str()
                .unwrap()
                .contains("pauses until it has cooled")
    });
    assert_eq!(told.count(), 1, "once, not with every frame");
    let events = stage.server.events();
    let known = ["job_started", "phase_complete", "burnin_passed", "job_complete"];
    assert!(events.iter().all(|event| known.contains(&event.as_str())), "{events:?}");
}

#[tokio::test]
async fn fault_20_a_warning_in_the_log_is_warn_and_no_event() {
    let Some(mut stage) = Stage::at(96, true, "8M").await else {
        return;
    };
    stage.burn().await;
    stage.server.event("job_started").await;
    let before = stage.agent.workers();
    // A worker that is killed is told as a warning; the job goes on.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(before[0]), Signal::SIGKILL).unwrap();
    stage.server.event("job_complete").await;
    let frames = stage.server.frames();
    let logs: Vec<&Value> = frames
        .iter()
        .filter(|f| f["type"] == "log")
        .map(|f| &f["payload"])
        .collect();
    assert!(logs.iter().any(|line| line["level"] == "warn"), "{logs:#?}");
    assert!(
        logs.iter()
            .all(|line| ["info", "warn", "error"].contains(&line["level"].as_str().unwrap()))
    );
    assert!(
        !stage
            .server
            .events()
            .iter()
            .any(|event| event == "smart_warning" || event == "job_failed")
    );
    all_taken(&stage.server);
}

//! What a person chooses beside the playbook, with a real agent on loop devices.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::{FileExt, OpenOptionsExt};

use common::{Bench, LARGE, outcome};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wire::JobId;
use wire::command::{Answer, Command};
use wire::job::{JobState, Outcome, Phase, PhaseStatus};
use wire::options::{FileSystem, FormatRequest, PlanOptions, Profile, Table};

#[tokio::test]
async fn a_luks_container_is_given_up_by_name_alone() {
    let Some(bench) = Bench::new(&[32]).await else {
        return;
    };
    let drive = &bench.drives[0];
    // Source: LUKS1 on-disk format 1.2.3, §2: magic, version 1, cipher, mode, hash, UUID at 168.
    let mut header = vec![0_u8; 1024];
    header[..8].copy_from_slice(b"LUKS\xba\xbe\x00\x01");
    header[8..11].copy_from_slice(b"aes");
    header[40..43].copy_from_slice(b"xts");
    header[72..78].copy_from_slice(b"sha256");
    header[168..204].copy_from_slice(b"0cfd1a9b-5d6f-4e5c-9d7b-2f5e8a1c3b4d");
    let file = std::fs::File::options().write(true).open(&drive.file).unwrap();
    file.write_all_at(&header, 0).unwrap();
    drop(file);
    bench
        .server
        .until("the refusal", |seen| {
            let drive = seen.drive(&drive.id())?;
            drive
                .refused
                .as_ref()
                .filter(|refused| refused.kind == "luks")
                .map(|_| ())
        })
        .await;
    let refused = bench
        .server
        .try_plan(&bench.ids(), "surface", PlanOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, "drive-refused");
    assert!(refused.detail.contains("give_up"), "{refused}");

    let options = PlanOptions {
        give_up: bench.ids(),
        ..PlanOptions::default()
    };
    let plan = bench.server.plan_with(&bench.ids(), "surface", options.clone()).await;
    assert_eq!(plan.drives[0].given_up, ["LUKS container"]);
    // A ticket over the digest of a plan without the option is worth nothing.
    let id = bench
        .server
        .start_jobs_with(&bench.ids(), "surface", options.clone())
        .await[0];
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
    assert_eq!(job.options, options);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_before_anything_is_held() {
    let Some(bench) = Bench::new(&[32]).await else {
        return;
    };
    let ids = bench.ids();
    let why = async |book: &str, options: PlanOptions| {
        let problem = bench.server.try_plan(&ids, book, options).await.unwrap_err();
        assert_eq!(problem.kind, "options-wrong", "{problem}");
        problem.detail
    };
    let soak = |hours| PlanOptions {
        soak_hours: Some(hours),
        ..PlanOptions::default()
    };
    for hours in [0, 721] {
        assert!(why("surface", soak(hours)).await.contains("1 to 720"));
    }
    let quick = why("quick", soak(3)).await;
    assert!(quick.contains("repeat"), "{quick}");
    let format = |reserved_percent| PlanOptions {
        format: Some(FormatRequest {
            table: Table::Auto,
            filesystem: FileSystem::Ext4,
            reserved_percent,
            label: String::new(),
        }),
        ..PlanOptions::default()
    };
    let new = PlanOptions {
        profile: Profile::New,
        ..PlanOptions::default()
    };
    assert!(why("surface", new).await.contains("SMART"));
    assert!(why("surface", format(51)).await.contains("reserved"));
    assert!(why("quick", format(0)).await.contains("quick"));
    assert!(bench.drives[0].is_blank());
}

#[tokio::test]
async fn a_drive_that_came_through_is_formatted() {
    let Some(bench) = Bench::new(&[64]).await else {
        return;
    };
    let options = PlanOptions {
        format: Some(FormatRequest {
            table: Table::Gpt,
            filesystem: FileSystem::Ext4,
            reserved_percent: 0,
            label: "burned".into(),
        }),
        ..PlanOptions::default()
    };
    let id = bench.server.start_jobs_with(&bench.ids(), "surface", options).await[0];
    let job = bench.server.over(id).await;
    let formatted = job.formatted.clone().unwrap();
    assert_eq!(formatted.problem, None, "{formatted:#?}");
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
    assert_eq!((formatted.label.as_str(), formatted.table), ("burned", Table::Gpt));
    let steps: Vec<(Phase, PhaseStatus)> = job.phases.iter().map(|state| (state.phase, state.status)).collect();
    assert_eq!(
        steps[steps.len() - 2..],
        [
            (Phase::Partition, PhaseStatus::Done),
            (Phase::Format, PhaseStatus::Done)
        ]
    );
    bench
        .server
        .until("the new content", |seen| {
            let content = seen.drive(&bench.drives[0].id())?.content.words();
            content.contains("ext4").then_some(())
        })
        .await;
    // The new partition's uevent makes no second drive of it.
    let id = bench.drives[0].id();
    let listed = bench.server.look(|seen| {
        seen.drives
            .iter()
            .filter(|drive| drive.id.as_ref() == Some(&id))
            .count()
    });
    assert_eq!(listed, 1);
}

/// A formatter that comes no further, as on a slow drive, and the job that it works for; `None` where it was done too soon.
async fn held_formatter(bench: &Bench) -> Option<JobId> {
    let id = bench.formatted_job().await;
    held_formatter_of(bench, id, || true).await.then_some(id)
}

/// Whether a formatter of this job was held, once it had come so far.
async fn held_formatter_of(bench: &Bench, id: JobId, come: impl Fn() -> bool) -> bool {
    while !bench
        .server
        .look(|seen| seen.jobs.get(&id).is_some_and(|job| job.state.is_over()))
    {
        for pid in bench.agent.formatters() {
            if come() && kill(Pid::from_raw(pid), Signal::SIGSTOP).is_ok() {
                return true;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    false
}

/// Each checker takes memory, and the drives of a batch end together.
#[tokio::test]
async fn drives_that_end_together_wait_for_their_turns_to_be_formatted() {
    let Some(bench) = Bench::with(&[48, 48, 48], true, &["--formats", "1"]).await else {
        return;
    };
    let waits = |state: &JobState| matches!(state, JobState::Waiting { why } if why.contains("turn to be formatted"));
    // The formatter may be done before it is held, or have said so.
    for _ in 0..20 {
        let jobs = bench.formatted_jobs().await;
        let are = |so: &dyn Fn(&JobState) -> bool| -> Vec<JobId> {
            let is = |id: &&JobId| {
                bench
                    .server
                    .look(|seen| seen.jobs.get(id).is_some_and(|job| so(&job.state)))
            };
            jobs.iter().filter(is).copied().collect()
        };
        let (waiting, held) = loop {
            let formatters = bench.agent.formatters();
            assert!(formatters.len() <= 1, "one at a time");
            for pid in &formatters {
                // It may have ended.
                let _gone = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
            }
            let waiting = are(&waits);
            if waiting.len() == 2 || !are(&JobState::is_over).is_empty() {
                break (waiting, formatters);
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        };
        let abort = Command::Abort {
            job: jobs[2],
            actor: "ann".to_owned(),
        };
        let aborted = bench.server.call(abort).await;
        let goes_on = || bench.agent.formatters() == held && are(&JobState::is_over).iter().all(|id| *id == jobs[2]);
        let caught = waiting.len() == 2 && waiting.contains(&jobs[2]) && held.len() == 1 && goes_on();
        for pid in &held {
            let _gone = kill(Pid::from_raw(*pid), Signal::SIGCONT);
        }
        let mut ended = Vec::new();
        for id in &jobs {
            ended.push(bench.server.over(*id).await);
        }
        if !caught {
            continue;
        }
        assert_eq!(aborted, Ok(Answer::Aborted));
        // Its test had come to its end, and nobody calls it broken.
        assert_eq!(ended[2].state, JobState::Aborted);
        assert_eq!(outcome(&ended[2]), Outcome::Inconclusive);
        let summary = ended[2].verdict.as_ref().map_or("", |verdict| &verdict.summary);
        assert!(summary.starts_with("The drive was tested"), "{summary}");
        let problem = ended[2].formatted.as_ref().and_then(|made| made.problem.as_deref());
        assert_eq!(problem, Some("aborted by ann before it was begun"));
        for job in &ended[..2] {
            assert_eq!(outcome(job), Outcome::Passed, "{:#?}", job.verdict);
            let problem = job.formatted.as_ref().map(|made| &made.problem);
            assert_eq!(problem, Some(&None));
        }
        return;
    }
    panic!("no formatter was ever held while two other drives waited");
}

#[tokio::test]
async fn an_abort_ends_the_formatter_and_the_drive_is_free() {
    let Some(bench) = Bench::new(&[64]).await else {
        return;
    };
    // The formatter may be done before it is held, or have said so.
    for _ in 0..20 {
        let Some(id) = held_formatter(&bench).await else {
            continue;
        };
        let actor = || "ann".to_owned();
        let pause = Command::Pause {
            job: id,
            actor: actor(),
        };
        let unpaused = bench.server.call(pause).await;
        let abort = Command::Abort {
            job: id,
            actor: actor(),
        };
        if bench.server.call(abort).await != Ok(Answer::Aborted) {
            continue;
        }
        let job = bench.server.over(id).await;
        if outcome(&job) != Outcome::Inconclusive {
            continue;
        }
        assert_eq!(job.state, JobState::Aborted, "{job:#?}");
        assert_eq!(unpaused.unwrap_err().kind, "job-formats", "it cannot be held");
        let summary = job
            .verdict
            .as_ref()
            .map(|verdict| verdict.summary.clone())
            .unwrap_or_default();
        assert!(summary.starts_with("The drive was tested"), "{summary}");
        let problem = job.formatted.and_then(|formatted| formatted.problem).unwrap();
        assert!(problem.contains("aborted by ann"), "{problem}");
        assert!(bench.agent.formatters().is_empty(), "it goes on");
        let last = job.phases.last().map(|state| (state.phase, state.status));
        assert_eq!(last, Some((Phase::Format, PhaseStatus::Interrupted)));
        // Whoever looks at it for the list holds it for a moment.
        let exclusive = || {
            let mut open = std::fs::File::options();
            open.read(true).write(true).custom_flags(libc::O_EXCL);
            open.open(&bench.drives[0].node)
        };
        let limit = std::time::Instant::now() + common::PATIENCE;
        while let Err(error) = exclusive() {
            assert!(std::time::Instant::now() < limit, "the drive is not free: {error}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        return;
    }
    panic!("no formatter was ever held");
}

/// A kill or a power cut in the seconds of a formatter: the drive shows no table, and what the job wrote last.
#[tokio::test]
async fn a_format_that_is_cut_before_its_table_is_made_anew() {
    let Some(mut bench) = Bench::new(&[64]).await else {
        return;
    };
    // The formatter may be done before it is held, or have written its table.
    for _ in 0..20 {
        let Some(id) = held_formatter(&bench).await else {
            continue;
        };
        let table = table_of(&bench.drives[0].node);
        bench.restart_and_wait().await;
        let job = bench.server.over(id).await;
        assert!(job.formatted.is_some(), "{job:#?}");
        let made = job.formatted.clone().unwrap();
        if table {
            assert!(made.problem.unwrap().contains("interrupted"), "{job:#?}");
            continue;
        }
        assert_eq!(made.problem, None, "{job:#?}");
        assert!(matches!(outcome(&job), Outcome::Passed | Outcome::Warn), "{job:#?}");
        assert!(!job.resumes.is_empty(), "it is told");
        bench.server.event(id, "job.resumed").await;
        assert!(table_of(&bench.drives[0].node));
        return;
    }
    panic!("no formatter was ever held before its table");
}

/// A stick that was pulled or full while the drive was formatted, and is put back: what the formatter wrote is no fault of the drive.
#[tokio::test]
async fn a_record_from_before_the_format_is_not_gone_on_with() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.formatted_job().await;
    bench.in_the_middle(id).await;
    bench.agent.terminate().await;
    let (data, older) = (bench.path().join("data"), bench.path().join("older"));
    copy(&data, &older);
    bench.restart();
    let file = bench.drives[0].file.clone();
    let marked = || first_bytes(&file) == *b"KILNEND1";
    assert!(held_formatter_of(&bench, id, marked).await, "no formatter was held");
    bench.agent.kill();
    for gone in [&data, &bench.path().join("run")] {
        std::fs::remove_dir_all(gone).unwrap();
    }
    copy(&older, &data);
    let before = std::fs::read(&file).unwrap();
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{job:#?}");
    let summary = job.verdict.map(|verdict| verdict.summary).unwrap();
    assert!(summary.contains("was being formatted"), "{summary}");
    assert!(std::fs::read(&file).unwrap() == before, "it was written to");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

fn first_bytes(path: &std::path::Path) -> [u8; 8] {
    use std::os::unix::fs::FileExt;
    let mut start = [0; 8];
    std::fs::File::open(path).unwrap().read_exact_at(&mut start, 0).unwrap();
    start
}

/// What a person did with the drive meanwhile stays.
#[tokio::test]
async fn a_format_that_is_cut_is_not_made_anew_where_something_stands_on_the_drive() {
    let Some(mut bench) = Bench::new(&[64]).await else {
        return;
    };
    for _ in 0..20 {
        let Some(id) = held_formatter(&bench).await else {
            continue;
        };
        if table_of(&bench.drives[0].node) {
            bench.restart_and_wait().await;
            bench.server.over(id).await;
            continue;
        }
        bench.agent.kill();
        let node = bench.drives[0].node.clone();
        // The formatter that was held may hold the drive for a moment longer.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut mkfs = std::process::Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-L", "mine"]).arg(&node);
        while !mkfs.status().unwrap().success() {
            assert!(std::time::Instant::now() < end);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        bench.restart();
        let job = bench.server.over(id).await;
        let problem = job.formatted.and_then(|made| made.problem).unwrap();
        assert!(problem.contains("interrupted"), "{problem}");
        let summary = job.verdict.map(|verdict| verdict.summary).unwrap();
        assert!(summary.starts_with("The drive was tested"), "{summary}");
        let told = std::process::Command::new("blkid")
            .args(["-p", "-o", "value", "-s", "LABEL"])
            .arg(&node)
            .output();
        assert_eq!(String::from_utf8_lossy(&told.unwrap().stdout).trim(), "mine");
        return;
    }
    panic!("no formatter was ever held before its table");
}

/// Whether a partition table stands on the drive.
fn table_of(node: &std::path::Path) -> bool {
    use std::os::unix::fs::FileExt;
    let mut start = [0; 512];
    std::fs::File::open(node).unwrap().read_exact_at(&mut start, 0).unwrap();
    start[510..] == [0x55, 0xaa]
}

#[tokio::test]
async fn a_trim_passes_the_workers_confinement() {
    let Some(bench) = Bench::new(&[64]).await else {
        return;
    };
    let id = bench.job("ssd").await;
    let job = bench.server.over(id).await;
    let trims: Vec<&wire::job::PhaseState> = job
        .phases
        .iter()
        .filter(|state| matches!(state.phase, Phase::Trim | Phase::TrimCheck))
        .collect();
    assert!(
        trims.len() >= 2 && trims.iter().all(|state| state.status == PhaseStatus::Done),
        "{trims:#?}"
    );
    // Without smartctl there is no SMART; with it this would be PASSED.
    assert!(
        matches!(outcome(&job), Outcome::Passed | Outcome::Warn),
        "{:#?}",
        job.verdict
    );
}

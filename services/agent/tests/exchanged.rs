//! Another disk that comes while a drive tests itself, after a reset or in a pause is neither written nor formatted.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::OpenOptionsExt;

use burnin::playbook::moves_data;
use common::exchange::{
    SMART_AROUND, abort, foreign_data, held, held_smartctl, in_step, is_untouched, kept_waiting, let_go, offers_a_job,
    own_playbook, pause, put_below, script, standstill, waiting, write_below,
};
use common::{Bench, Seen, outcome};
use wire::command::{Answer, Command};
use wire::job::{JobState, Outcome, Phase, PhaseStatus};

/// A playbook in which hours may lie between the last read and the partition.
const TESTED_THEN_PARTITIONED: &str = r#"
name = "mine"
about = "a self-test before the partition"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
[[step]]
do = "partition"
"#;

/// Hours of a self-test are when a dock's drive is exchanged: neither the next write nor the formatter gets the other one.
#[tokio::test]
async fn a_disk_that_comes_during_a_self_test_is_neither_written_nor_formatted() {
    let between = r#"
name = "mine"
about = "a self-test between two passes"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
[[step]]
do = "write"
pattern = "complement"
[[step]]
do = "verify"
"#;
    let last = TESTED_THEN_PARTITIONED;
    for (text, wanted) in [(between, "another drive"), (last, "another one came into its place")] {
        let dir = tempfile::tempdir().unwrap();
        let Some(bench) = held(dir.path(), text).await else {
            return;
        };
        let id = bench.job("mine").await;
        in_step(&bench, id, Phase::SelfTestShort).await;
        let data = foreign_data(64 << 20);
        put_below(&bench.drives[0], &data);
        let_go(dir.path());
        let job = bench.server.over(id).await;
        assert!(is_untouched(&bench.drives[0], &data), "{wanted}: written");
        assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
        let summary = job.verdict.unwrap().summary;
        assert!(summary.contains(wanted), "{summary}");
    }
}

/// The kernel tells a reset, in several lines as a rule, and goes on with whatever answers by the name then.
#[tokio::test]
async fn after_a_told_reset_a_disk_without_the_jobs_header_ends_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("kernel.log");
    std::fs::write(&log, "[    1.000000] loop: module loaded\n").unwrap();
    // Of the larger one less than a third is written before the log is read, so that no header comes onto the other disk: that
    // takes it two minutes, whatever the disk below does meanwhile.
    for (exchange, mib, second, rate) in [(false, 32, 100, "4M"), (true, 384, 200, "1M")] {
        let arguments = ["--kernel-log", log.to_str().unwrap(), "--rate-drive", rate];
        let Some(bench) = Bench::with(&[mib], true, &arguments).await else {
            return;
        };
        let id = bench.job("surface").await;
        bench
            .server
            .until("a checkpoint", |seen| {
                let progress = seen.jobs.get(&id)?.progress.as_ref()?;
                (progress.done.0 > 4 << 20).then_some(())
            })
            .await;
        let name = bench.drives[0].node.file_name().unwrap().to_str().unwrap();
        let mut log = std::fs::File::options().append(true).open(&log).unwrap();
        let mut tell = |second: u64, words: &str| {
            let line = format!("[  {second}.000000] block {name}: {words}\n");
            std::io::Write::write_all(&mut log, line.as_bytes()).unwrap();
        };
        tell(second, "hard resetting link");
        if exchange {
            bench
                .server
                .until("the first line", |seen| {
                    let told = |line: &String| line.contains("The kernel reset the drive");
                    seen.log.iter().any(told).then_some(())
                })
                .await;
            let done = |seen: &Seen| Some(seen.jobs.get(&id)?.progress.as_ref()?.done.0);
            let until = bench.server.until("progress", done).await + (3 << 20);
            bench
                .server
                .until("that it goes on", |seen| done(seen).filter(|done| *done > until))
                .await;
            // Between two lines that count as one reset.
            write_below(&bench.drives[0], &foreign_data(mib << 20));
            tell(second + 3, "Power-on or device reset occurred");
        }
        let job = bench.server.over(id).await;
        let verdict = job.verdict.as_ref().unwrap();
        if exchange {
            assert_eq!(outcome(&job), Outcome::Inconclusive, "{verdict:#?}");
            assert!(verdict.summary.contains("another drive"), "{}", verdict.summary);
        } else {
            assert_eq!(outcome(&job), Outcome::Passed, "{verdict:#?}");
            assert!(verdict.rules.iter().any(|rule| rule.id == "resets"), "{verdict:#?}");
        }
    }
}

/// What the other one holds is no fault of the job's drive.
#[tokio::test]
async fn what_another_disk_holds_is_held_against_no_drive() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("kernel.log");
    std::fs::write(&log, "[    1.000000] loop: module loaded\n").unwrap();
    let arguments = ["--kernel-log", log.to_str().unwrap(), "--rate-drive", "6M"];
    let Some(bench) = Bench::with(&[64], true, &arguments).await else {
        return;
    };
    let id = bench.job("surface").await;
    bench
        .server
        .until("half of the verify", |seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.phase == Phase::Verify && progress.done.0 > 16 << 20).then_some(())
        })
        .await;
    let name = bench.drives[0].node.file_name().unwrap().to_str().unwrap();
    let mut log = std::fs::File::options().append(true).open(&log).unwrap();
    let line = format!("[  100.000000] block {name}: hard resetting link\n");
    // Made before: in the seconds that takes the reset would be heard and its drive asked, which is still the job's.
    let data = foreign_data(64 << 20);
    std::io::Write::write_all(&mut log, line.as_bytes()).unwrap();
    put_below(&bench.drives[0], &data);
    let job = bench.server.over(id).await;
    let verdict = job.verdict.as_ref().unwrap();
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{verdict:#?}");
    assert!(verdict.summary.contains("another drive"), "{}", verdict.summary);
    assert!(job.findings.is_empty() && job.bad_sectors == 0, "{:?}", job.findings);
}

/// A removable drive that is reset once is counted anew, as if another medium had come. Its header and what was written to it tell
/// that none did.
#[tokio::test]
async fn a_drive_that_is_counted_anew_goes_on_where_it_holds_the_jobs_header_and_data() {
    for exchange in [false, true] {
        let Some(bench) = Bench::counted(64, &["--rate-drive", "3M"]).await else {
            return;
        };
        let id = bench.job("surface").await;
        bench
            .server
            .until("some checkpoints", |seen| {
                let progress = seen.jobs.get(&id)?.progress.as_ref()?;
                (progress.done.0 > 20 << 20).then_some(())
            })
            .await;
        if exchange {
            write_below(&bench.drives[0], &foreign_data(64 << 20));
        }
        bench.count(1_000_002);
        let job = bench.server.over(id).await;
        let wanted = if exchange {
            Outcome::Inconclusive
        } else {
            Outcome::Passed
        };
        assert_eq!(outcome(&job), wanted, "exchanged: {exchange}: {:#?}", job.verdict);
        assert!(job.resumes.is_empty(), "{:#?}", job.resumes);
    }
}

/// A pause during the last self-test is when a person exchanges the drive: nothing is formatted until it is let go of, and then
/// only the drive that was tested.
#[tokio::test]
async fn a_job_that_is_paused_in_its_last_self_test_formats_nothing_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bench) = held(dir.path(), TESTED_THEN_PARTITIONED).await else {
        return;
    };
    let id = bench.job("mine").await;
    in_step(&bench, id, Phase::SelfTestShort).await;
    let actor = || "ann".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    assert!(matches!(bench.server.call(pause).await, Ok(Answer::Done { .. })));
    let_go(dir.path());
    bench
        .server
        .until("the end of the self-test", |seen| {
            let job = seen.jobs.get(&id)?;
            assert!(!job.state.is_over(), "{job:#?}");
            let mut phases = job.phases.iter();
            phases
                .find(|state| state.phase == Phase::SelfTestShort && state.status != PhaseStatus::Running)
                .map(|_| ())
        })
        .await;
    assert_eq!(waiting(&bench, id).await, "paused by ann");
    let data = foreign_data(64 << 20);
    put_below(&bench.drives[0], &data);
    let resume = Command::Resume {
        job: id,
        actor: actor(),
    };
    assert!(matches!(bench.server.call(resume).await, Ok(Answer::Done { .. })));
    let job = bench.server.over(id).await;
    assert!(
        is_untouched(&bench.drives[0], &data),
        "the other disk was written: {job:#?}"
    );
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
}

/// An abort that comes while the last self-test is followed, or in the pause behind it, ends the job: nothing is formatted then.
#[tokio::test]
async fn a_job_that_is_aborted_behind_its_last_self_test_is_not_formatted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bench) = held(dir.path(), TESTED_THEN_PARTITIONED).await else {
        return;
    };
    for paused in [true, false] {
        let _absent = std::fs::remove_file(dir.path().join("go"));
        let id = bench.job("mine").await;
        in_step(&bench, id, Phase::SelfTestShort).await;
        if paused {
            pause(&bench, id).await;
            let_go(dir.path());
            assert_eq!(waiting(&bench, id).await, "paused by ann");
        }
        abort(&bench, id).await;
        let_go(dir.path());
        let job = bench.server.over(id).await;
        assert_eq!(job.state, JobState::Aborted, "{job:#?}");
        assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
        // Behind the test the format alone is missing, and that is told.
        let made = job.formatted.as_ref();
        assert!(made.is_none_or(|made| made.problem.is_some()), "{job:#?}");
    }
}

/// SMART of a sick drive takes minutes, and a person who ends or holds the job in them was told that it is: what stands on
/// the drive stays.
#[tokio::test]
async fn what_is_wished_while_smart_is_read_is_heard_before_the_first_write() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bench) = held(dir.path(), SMART_AROUND).await else {
        return;
    };
    let blank = vec![0; 64 << 20];
    for paused in [false, true] {
        let _absent = std::fs::remove_file(dir.path().join("go"));
        let id = bench.job("mine").await;
        in_step(&bench, id, Phase::SmartBefore).await;
        if paused {
            pause(&bench, id).await;
            let_go(dir.path());
            assert_eq!(waiting(&bench, id).await, "paused by ann");
            standstill(&bench.drives[0]).await;
            assert!(is_untouched(&bench.drives[0], &blank), "written in a pause");
        }
        abort(&bench, id).await;
        let_go(dir.path());
        let job = bench.server.over(id).await;
        assert_eq!(job.state, JobState::Aborted, "{job:#?}");
        assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
        assert!(is_untouched(&bench.drives[0], &blank), "written after an abort");
    }
}

/// The same where nobody hears it any more: an abort that was answered is not taken back by a kill.
#[tokio::test]
async fn an_abort_that_was_answered_stands_though_the_agent_was_killed_before_its_job_heard_it() {
    let dir = tempfile::tempdir().unwrap();
    let program = held_smartctl(dir.path());
    let arguments = ["--smartctl", program.to_str().unwrap()];
    let Some(mut bench) = Bench::with(&[64], true, &arguments).await else {
        return;
    };
    let id = bench.job("standard").await;
    in_step(&bench, id, Phase::SmartBefore).await;
    // A child that is being started holds the store's lock for a moment.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    abort(&bench, id).await;
    bench.agent.kill();
    let_go(dir.path());
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(job.state, JobState::Aborted, "{job:#?}");
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    assert!(
        is_untouched(&bench.drives[0], &vec![0; 64 << 20]),
        "written after an abort"
    );
}

/// What looks at a drive for a moment when it is to be formatted costs no burn-in: the guard asks again.
#[tokio::test]
async fn a_drive_that_is_busy_for_a_moment_at_the_end_is_formatted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bench) = held(dir.path(), TESTED_THEN_PARTITIONED).await else {
        return;
    };
    let id = bench.job("mine").await;
    in_step(&bench, id, Phase::SelfTestShort).await;
    let monitor = kept_waiting(&bench.drives[0].node);
    let_go(dir.path());
    // The guard's own patience is a second, its first pause five.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    drop(monitor);
    let job = bench.server.over(id).await;
    let formatted = job.formatted.as_ref().unwrap();
    assert_eq!(formatted.problem, None, "{job:#?}");
    assert_ne!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
}

/// The box is shut down while it is written down that the drive is formatted from now on: its test is the same as before, and no step of
/// it is done or counted once more than it was.
#[tokio::test]
async fn a_job_that_is_stopped_right_before_its_format_has_verified_once() {
    let dir = tempfile::tempdir().unwrap();
    let program = held_smartctl(dir.path());
    let books = own_playbook(dir.path(), TESTED_THEN_PARTITIONED);
    let arguments = ["--smartctl", program.to_str().unwrap(), "--playbooks", &books];
    let Some((mut bench, freezer)) = Bench::with_freezer(64, &arguments).await else {
        return;
    };
    let id = bench.job("mine").await;
    in_step(&bench, id, Phase::SelfTestShort).await;
    freezer.freeze();
    let_go(dir.path());
    // As long as it takes to come to that.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let thaw = tokio::task::spawn_blocking(move || {
        std::thread::sleep(std::time::Duration::from_secs(1));
        freezer.thaw();
        freezer
    });
    bench.agent.terminate().await;
    let _freezer = thaw.await.unwrap();
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(job.formatted.as_ref().unwrap().problem, None, "{job:#?}");
    let mut data = job.phases.iter().filter(|state| moves_data(state.phase));
    assert!(
        data.all(|state| (state.rounds, state.bytes.0) == (1, 64 << 20)),
        "{:#?}",
        job.phases
    );
}

/// A card is exchanged in the midst of a format, where somebody holds the new partition for a moment: name and size are the reader's,
/// and only the kernel's count tells.
#[tokio::test]
async fn a_medium_that_comes_in_the_midst_of_a_format_is_not_written() {
    let Some(bench) = Bench::counted(64, &[]).await else {
        return;
    };
    let id = bench.formatted_job().await;
    let node = bench.drives[0].node.clone();
    let held = tokio::task::spawn_blocking(move || held_partition(&node))
        .await
        .unwrap();
    bench.count(1_000_002);
    let data = foreign_data(64 << 20);
    put_below(&bench.drives[0], &data);
    drop(held);
    let job = bench.server.over(id).await;
    assert!(is_untouched(&bench.drives[0], &data), "it was written to: {job:#?}");
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let problem = job.formatted.and_then(|formatted| formatted.problem).unwrap();
    assert!(problem.contains("counts another medium"), "{problem}");
}

/// The drive's first partition as somebody holds it, once it is there.
fn held_partition(node: &std::path::Path) -> std::fs::File {
    let part = format!("{}p1", node.display());
    let limit = std::time::Instant::now() + common::PATIENCE;
    loop {
        let mut open = std::fs::File::options();
        open.read(true).custom_flags(libc::O_EXCL);
        match open.open(&part) {
            Ok(file) => return file,
            Err(error) => assert!(std::time::Instant::now() < limit, "{part}: {error}"),
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}

/// Whom nothing is formatted for, nobody has to let go on: what is known of a bad drive is told at once.
#[tokio::test]
async fn a_pause_keeps_no_bad_drives_verdict_back() {
    let dir = tempfile::tempdir().unwrap();
    let program = held_smartctl(dir.path());
    let books = own_playbook(dir.path(), TESTED_THEN_PARTITIONED);
    let program = program.to_str().unwrap();
    let arguments = ["--smartctl", program, "--playbooks", &books, "--rate-drive", "30M"];
    let Some(bench) = Bench::with(&[64], true, &arguments).await else {
        return;
    };
    let id = bench.job("mine").await;
    in_step(&bench, id, Phase::Verify).await;
    let below = std::fs::File::options()
        .write(true)
        .open(&bench.drives[0].file)
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&below, &[0x5a; 4096], 62 << 20).unwrap();
    in_step(&bench, id, Phase::SelfTestShort).await;
    pause(&bench, id).await;
    let_go(dir.path());
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
    assert_eq!(job.formatted, None, "a bad drive is not formatted");
}

/// Between an abort and the verdict the drive is asked for its SMART, which takes minutes where it is sick.
#[tokio::test]
async fn a_job_that_was_aborted_does_not_go_on_after_a_cut_before_its_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let hold = dir.path().join("hold");
    let called = dir.path().join("called");
    let text = format!(
        "while [ -e {0} ]; do : > {1}; sleep 0.1; done\nexit 1",
        hold.display(),
        called.display()
    );
    let program = script(dir.path(), &text);
    let arguments = ["--smartctl", program.to_str().unwrap()];
    let Some(mut bench) = Bench::with(&[common::LARGE], true, &arguments).await else {
        return;
    };
    let id = bench.job_in_the_middle("standard").await;
    assert!(offers_a_job(&bench.drives[0]));
    std::fs::write(&hold, "").unwrap();
    let abort = Command::Abort {
        job: id,
        actor: "ann".to_owned(),
    };
    bench.server.call(abort).await.unwrap();
    in_step(&bench, id, Phase::SmartAfter).await;
    // A child that is being started holds the store's lock for a moment.
    while !called.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    bench.agent.kill();
    std::fs::remove_file(&hold).unwrap();
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(job.state, JobState::Aborted, "{job:#?}");
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    assert!(job.resumes.is_empty(), "it went on: {:?}", job.resumes);
    assert!(
        !offers_a_job(&bench.drives[0]),
        "its header is whole: another box would go on with it"
    );
}

/// Half an hour of cooling is as good as a pause.
#[tokio::test]
async fn a_disk_that_comes_while_the_drive_cools_is_not_written() {
    let arguments = ["--rate-drive", "15M", "--heat-clock", "10"];
    let Some(bench) = Bench::with(&[192], true, &arguments).await else {
        return;
    };
    let warm = |degrees: u32| {
        let mut path = bench.drives[0].file.clone().into_os_string();
        path.push(".temperature");
        std::fs::write(path, degrees.to_string()).unwrap();
    };
    warm(30);
    let id = bench.job("surface").await;
    bench
        .server
        .until("a checkpoint", |seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.done.0 > 16 << 20).then_some(())
        })
        .await;
    warm(66);
    bench.server.event(id, "job.too_hot").await;
    // What was under way when it was held ends, however slow the disk below is.
    standstill(&bench.drives[0]).await;
    let data = foreign_data(192 << 20);
    put_below(&bench.drives[0], &data);
    warm(48);
    let job = bench.server.over(id).await;
    assert!(
        is_untouched(&bench.drives[0], &data),
        "the other disk was written: {job:#?}"
    );
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let summary = job.verdict.unwrap().summary;
    assert!(summary.contains("another drive"), "{summary}");
}

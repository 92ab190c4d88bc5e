//! Pause, scan, playbooks, locate: what a person asks beside plan, start and abort.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Bench, LARGE, Loop, outcome};
use drive::locate::PERIOD;
use wire::DriveId;
use wire::command::{Answer, Command};
use wire::job::{JobState, Outcome, Phase, PhaseStatus};

fn held(state: &JobState) -> bool {
    matches!(state, JobState::Waiting { why } if why == "paused by ann")
}

#[tokio::test]
async fn a_paused_job_stays_paused_over_the_agents_end_and_goes_on_when_it_is_let() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    let pause = |job| Command::Pause {
        job,
        actor: "ann".into(),
    };
    let done = bench.server.call(pause(id)).await;
    assert!(matches!(done, Ok(Answer::Done { .. })), "{done:?}");
    bench
        .server
        .until("the pause", |seen| {
            seen.jobs.get(&id).filter(|job| held(&job.state)).map(|_| ())
        })
        .await;
    assert_eq!(bench.agent.workers().len(), 1, "the worker stays");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let before = bench.server.look(|seen| seen.jobs[&id].clone());
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let after = bench.server.look(|seen| seen.jobs[&id].clone());
    assert_eq!(
        before.progress.as_ref().unwrap().done,
        after.progress.as_ref().unwrap().done,
        "nothing moves"
    );

    bench.agent.kill();
    bench.restart_and_wait().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let job = bench.server.look(|seen| seen.jobs[&id].clone());
    assert!(held(&job.state), "{:?}", job.state);
    assert!(bench.agent.workers().is_empty(), "a paused job is not begun again");
    assert!(
        !job.timeline.is_empty() && job.timeline[0] == after.timeline[0],
        "the time line is kept"
    );
    let resume = Command::Resume {
        job: id,
        actor: "ann".into(),
    };
    bench.server.call(resume).await.unwrap();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
    bench.server.event(id, "job.continued").await;
    assert_eq!(
        bench
            .server
            .look(|seen| seen.kinds().iter().filter(|kind| **kind == "job.paused").count()),
        1
    );
    assert_eq!(bench.server.call(pause(id)).await.unwrap_err().kind, "job-over");
}

#[tokio::test]
async fn a_scan_reads_a_drive_with_data_through_a_descriptor_that_takes_no_writes() {
    let Some(bench) = Bench::with(&[256], false, &["--rate-drive", "40M"]).await else {
        return;
    };
    let drive = &bench.drives[0];
    drive.mkfs();
    bench
        .server
        .until("its content", |seen| {
            let content = seen.drive(&drive.id())?.content.words();
            content.contains("ext4").then_some(())
        })
        .await;
    let before = std::fs::read(&drive.file).unwrap();
    let scan = |playbook: &str| Command::Scan {
        drives: bench.ids(),
        playbook: playbook.into(),
        actor: "ann".into(),
    };
    for erasing in ["surface", "standard", "erase", "ssd", "preclear"] {
        assert_eq!(
            bench.server.call(scan(erasing)).await.unwrap_err().kind,
            "playbook-erases",
            "{erasing}"
        );
    }
    // Not even claimed: nothing is erased by it.
    let Ok(Answer::Started { jobs }) = bench.server.call(scan("scan")).await else {
        panic!("no scan")
    };
    bench
        .server
        .until("the scan's progress", |seen| {
            seen.jobs
                .get(&jobs[0])?
                .progress
                .as_ref()
                .filter(|p| p.done.0 > 0)
                .map(|_| ())
        })
        .await;
    let worker = bench.agent.workers()[0];
    let mut fds = std::fs::read_dir(format!("/proc/{worker}/fd")).unwrap().flatten();
    let fd = fds
        .find(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == drive.node))
        .unwrap();
    let info = format!("/proc/{worker}/fdinfo/{}", fd.file_name().to_str().unwrap());
    let info = std::fs::read_to_string(info).unwrap();
    let flags = info
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .unwrap()
        .trim();
    let flags = i32::from_str_radix(flags, 8).unwrap();
    assert_eq!(flags & libc::O_ACCMODE, libc::O_RDONLY, "{info}");
    let job = bench.server.over(jobs[0]).await;
    // It reads only, so its best word is WARN.
    assert_eq!(outcome(&job), Outcome::Warn, "{:#?}", job.verdict);
    let scanned = job.phases.iter().find(|state| state.phase == Phase::Scan).unwrap();
    assert_eq!((scanned.status, scanned.bytes), (PhaseStatus::Done, job.capacity));
    assert!(std::fs::read(&drive.file).unwrap() == before, "not a byte has changed");
}

#[tokio::test]
async fn playbooks_are_told_kept_and_forgotten() {
    let Some(mut bench) = Bench::new(&[32]).await else {
        return;
    };
    let names = |seen: &common::Seen| seen.playbooks.iter().map(|info| info.name.clone()).collect::<Vec<_>>();
    let told = |seen: &common::Seen| {
        let told = names(seen);
        (told.contains(&"standard".to_owned()) && told.contains(&"scan".to_owned())).then_some(())
    };
    bench.server.until("the built-in playbooks", told).await;
    let text = "name = \"mine\"\nabout = \"One pass.\"\n[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n";
    let save = |text: &str| Command::SavePlaybook {
        text: text.into(),
        actor: "ann".into(),
    };
    let bad = bench
        .server
        .call(save(&text.replace("verify", "varify")))
        .await
        .unwrap_err();
    assert!(bad.kind == "playbook-wrong" && bad.detail.contains("line 6"), "{bad}");
    bench.server.call(save(text)).await.unwrap();
    let has = |seen: &common::Seen| names(seen).contains(&"mine".to_owned()).then_some(());
    bench.server.until("the new list", has).await;
    bench.agent.terminate().await;
    bench.restart_and_wait().await;
    let id = bench.job("mine").await;
    assert_eq!(outcome(&bench.server.over(id).await), Outcome::Passed);
    let forget = |name: &str| Command::ForgetPlaybook {
        playbook: name.into(),
        actor: "ann".into(),
    };
    assert_eq!(
        bench.server.call(forget("standard")).await.unwrap_err().kind,
        "playbook-built-in"
    );
    bench.server.call(forget("mine")).await.unwrap();
    bench
        .server
        .until("the shorter list", |seen| has(seen).is_none().then_some(()))
        .await;
    assert_eq!(
        bench.server.call(forget("mine")).await.unwrap_err().kind,
        "playbook-unknown"
    );
}

fn locate(drive: DriveId, on: bool) -> Command {
    let actor = "ann".into();
    Command::Locate { drive, on, actor }
}

/// Whoever is told that the light is on finds it on, however slow the tool is, and the last one who asked has their way.
#[tokio::test]
async fn a_light_that_is_asked_for_twice_is_on_and_one_that_is_put_out_meanwhile_is_off() {
    let played = "echo \"begins $*\" >> log; sleep 0.7\n\
        case $* in *locate=*) : > lit ;; *) rm -f lit ;; esac; echo ends >> log";
    let Some(bench) = Bench::with_ledctl(32, played).await else {
        return;
    };
    let drive = bench.drives[0].id();
    let ask = |on| bench.server.call(locate(drive.clone(), on));
    let is_lit = || bench.path().join("lit").exists();
    let (first, second) = tokio::join!(ask(true), ask(true));
    for answer in [first, second] {
        assert!(
            matches!(&answer, Ok(Answer::Done { told }) if told.contains("is on")),
            "{answer:?}"
        );
    }
    assert!(is_lit());
    ask(false).await.unwrap();
    assert!(!is_lit());
    let (on, off) = tokio::join!(ask(true), ask(false));
    assert!(
        matches!(&on, Ok(Answer::Done { told }) if told.contains("is on")),
        "{on:?}"
    );
    assert!(
        matches!(&off, Ok(Answer::Done { told }) if told.contains("no longer")),
        "{off:?}"
    );
    assert!(!is_lit());
    let log = std::fs::read_to_string(bench.path().join("log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    for turn in lines.chunks(2) {
        assert!(turn[0].starts_with("begins") && turn.get(1) == Some(&"ends"), "{log}");
    }
}

/// An agent that is killed puts nothing out, and the next one has nothing of it in memory.
#[tokio::test]
async fn a_light_that_a_killed_agent_left_on_is_put_out_by_the_next_one() {
    let played = "case $* in *locate=*) : > lit ;; *locate_off=*) rm lit ;; esac";
    let Some(mut bench) = Bench::with_ledctl(32, played).await else {
        return;
    };
    let drive = bench.drives[0].id();
    let lit = bench.path().join("lit");
    let told = |answer| match answer {
        Ok(Answer::Done { told }) => told,
        other => panic!("{other:?}"),
    };
    bench.server.call(locate(drive.clone(), true)).await.unwrap();
    assert!(lit.exists());
    bench.agent.kill();
    bench.restart_and_wait().await;
    bench.server.until("the dark", |_| (!lit.exists()).then_some(())).await;
    // What stands on without anybody's word is put out when that is asked for, and nothing is said that was not done.
    std::fs::write(&lit, "").unwrap();
    let out = told(bench.server.call(locate(drive.clone(), false)).await);
    assert!(!lit.exists() && out.contains("no longer"), "{out}");
    let nothing = told(bench.server.call(locate(drive.clone(), false)).await);
    assert!(nothing.contains("no light of its bay answers"), "{nothing}");
    // It is not put out again and again.
    bench.server.call(locate(drive.clone(), true)).await.unwrap();
    bench.server.call(locate(drive, false)).await.unwrap();
    std::fs::write(&lit, "").unwrap();
    // That it is out is written down after the answer.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    bench.agent.kill();
    bench.restart_and_wait().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(lit.exists(), "it was put out again");
}

/// What was not done is not called done, neither to the person nor in what the next agent reads.
#[tokio::test]
async fn a_light_whose_tool_is_late_to_put_it_out_is_put_out_by_the_next_agent() {
    let played = "case $* in *locate=*) : > lit ;; *locate_off=*) \
        if [ ! -e once ]; then : > once; exec sleep 300; fi; rm lit ;; esac";
    let Some(mut bench) = Bench::with_ledctl(32, played).await else {
        return;
    };
    let drive = bench.drives[0].id();
    let lit = bench.path().join("lit");
    bench.server.call(locate(drive.clone(), true)).await.unwrap();
    let late = bench.server.call(locate(drive, false)).await.unwrap_err();
    assert!(
        late.kind == "locate-late" && late.detail.contains("once more"),
        "{late:?}"
    );
    // What is written down is written after the answer.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    bench.agent.kill();
    bench.restart_and_wait().await;
    bench.server.until("the dark", |_| (!lit.exists()).then_some(())).await;
}

/// Whoever looks for it finds an empty bay, or another drive, by a light that shines on.
#[tokio::test]
async fn a_light_whose_drive_goes_is_put_out_at_once() {
    let played = "case $* in *locate=*) : > lit ;; *locate_off=*) rm lit ;; esac";
    let Some(mut bench) = Bench::with_ledctl(32, played).await else {
        return;
    };
    let drive = bench.drives[0].id();
    let lit = bench.path().join("lit");
    bench.server.call(locate(drive, true)).await.unwrap();
    assert!(lit.exists());
    bench.drives.clear();
    bench.server.until("the dark", |_| (!lit.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_drive_is_shown_and_no_longer() {
    let Some(bench) = Bench::new(&[32]).await else {
        return;
    };
    let drive = bench.drives[0].id();
    let Ok(Answer::Done { told }) = bench.server.call(locate(drive.clone(), true)).await else {
        panic!("a loop device can be read in a rhythm")
    };
    assert!(!told.is_empty());
    let shown = |seen: &common::Seen| seen.drive(&drive)?.shown_until;
    let until = bench.server.until("the list to say so", shown).await;
    assert!(until > wire::Time::now(), "{until}");
    let over = bench.server.call(locate(drive.clone(), false)).await;
    assert!(matches!(over, Ok(Answer::Done { .. })), "{over:?}");
    let dark = |seen: &common::Seen| shown(seen).is_none().then_some(());
    bench.server.until("the list to say that it is over", dark).await;
    let nobody = DriveId::from_serial("no", "such", 1).unwrap();
    assert_eq!(
        bench.server.call(locate(nobody, true)).await.unwrap_err().kind,
        "drive-unknown"
    );
    assert!(bench.drives[0].is_blank());
}

/// It has no light of its own but by reads, and a test takes those away.
#[tokio::test]
async fn a_drive_is_shown_no_longer_once_a_job_has_it() {
    let Some(bench) = Bench::new(&[192]).await else {
        return;
    };
    let drive = bench.drives[0].id();
    bench.server.call(locate(drive.clone(), true)).await.unwrap();
    let shown = |seen: &common::Seen| seen.drive(&drive)?.shown_until;
    bench.server.until("the list to say so", shown).await;
    let job = bench.job("surface").await;
    let dark = |seen: &common::Seen| shown(seen).is_none().then_some(());
    bench.server.until("the list to say that it is over", dark).await;
    bench.server.over(job).await;
}

#[tokio::test]
async fn a_bay_that_was_named_is_told_with_its_drive_and_where_that_is_missed() {
    let Some(mut bench) = Bench::new(&[32]).await else {
        return;
    };
    let drive = bench.drives[0].id();
    let name = |drive: &DriveId, bay: &str| Command::NameBay {
        drive: drive.clone(),
        bay: bay.into(),
        actor: "ann".into(),
    };
    let nobody = DriveId::from_serial("no", "such", 1).unwrap();
    let unknown = bench.server.call(name(&nobody, "front")).await.unwrap_err();
    assert_eq!(unknown.kind, "bay-unknown");
    bench.server.call(name(&drive, "front, second")).await.unwrap();
    bench.agent.terminate().await;
    bench.restart_and_wait().await;
    let named = |seen: &common::Seen, drive: &DriveId| seen.drive(drive)?.bay.clone();
    assert_eq!(
        bench.server.until("the name", |seen| named(seen, &drive)).await,
        "front, second"
    );
    let mut told = Vec::new();
    for _ in 0..5 {
        let drive = bench.drives[0].id();
        bench.drives.clear();
        bench
            .server
            .until("its end", |seen| seen.drive(&drive).is_none().then_some(()))
            .await;
        let missed = bench.server.call(locate(drive, true)).await.unwrap_err();
        assert_eq!(missed.kind, "drive-unknown", "{missed}");
        if missed.detail.contains("last seen in bay front, second (") {
            return;
        }
        // Another test's drive came to the same path, and is the one that is known there: once more with another.
        told.push(missed.detail);
        bench.drives.push(Loop::new(32));
        let drive = bench.drives[0].id();
        bench.server.drive(&drive).await;
        bench.server.call(name(&drive, "front, second")).await.unwrap();
    }
    panic!("{told:#?}")
}

/// Its light is on anyway, and reads of ours are no evidence.
#[tokio::test]
async fn a_drive_under_test_is_not_read_to_show_it() {
    let Some(bench) = Bench::with_ledctl(LARGE, "exit 1").await else {
        return;
    };
    let drive = bench.drives[0].id();
    let plays = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", bench.agent.pid())).unwrap();
        tasks
            .flatten()
            .any(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "drive-locate\n"))
    };
    let shown = bench.server.call(locate(drive.clone(), true)).await;
    assert!(
        matches!(&shown, Ok(Answer::Done { told }) if told.contains("three times")),
        "{shown:?}"
    );
    assert!(plays());
    let id = bench.job_in_the_middle("surface").await;
    let actor = "ann".into();
    bench.server.call(Command::Pause { job: id, actor }).await.unwrap();
    // It may rest before it sees that.
    tokio::time::sleep(PERIOD).await;
    assert!(!plays(), "the job ended the rhythm");
    let refused = bench.server.call(locate(drive.clone(), true)).await.unwrap_err();
    assert!(
        refused.kind == "locate-unsupported" && refused.detail.contains("being tested"),
        "{refused}"
    );
    assert!(!plays());
    bench.server.call(locate(drive.clone(), false)).await.unwrap();
    let actor = "ann".into();
    bench.server.call(Command::Abort { job: id, actor }).await.unwrap();
    bench.server.over(id).await;
    // The agent tells of the end before it has let go of the job.
    while bench.server.call(locate(drive.clone(), true)).await.is_err() {
        tokio::time::sleep(PERIOD).await;
    }
    assert!(plays(), "it may be read again");
}

#[tokio::test]
async fn an_abort_that_was_answered_is_not_taken_back_by_a_later_wish() {
    let Some(bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let job = bench.job_in_the_middle("surface").await;
    let actor = || "ann".to_owned();
    let abort = Command::Abort { job, actor: actor() };
    assert_eq!(bench.server.call(abort).await, Ok(Answer::Aborted));
    for wish in [
        Command::Resume { job, actor: actor() },
        Command::Pause { job, actor: actor() },
    ] {
        let refused = bench.server.call(wish).await.unwrap_err();
        assert!(
            ["job-aborted", "job-over"].contains(&refused.kind.as_str()),
            "{refused}"
        );
    }
    assert_eq!(bench.server.over(job).await.state, JobState::Aborted);
}

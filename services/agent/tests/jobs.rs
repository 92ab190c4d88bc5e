//! Jobs with a real agent and real workers on loop devices: verdict, events, kills of each process, abort, bad state.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use agent::jobs::checkpoints;
use common::exchange::{put_at, put_below};
use common::{Bench, LARGE, outcome};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wire::command::{Answer, Command};
use wire::job::{Job, JobState, Outcome, PhaseStatus, TimePoint};

#[tokio::test]
async fn a_good_drive_is_passed_and_everything_is_told() {
    let Some(bench) = Bench::new(&[64]).await else {
        return;
    };
    let id = bench.job("surface").await;
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Passed, "{job:#?}");
    assert_eq!(job.verdict.unwrap().verified, job.capacity);
    assert!(
        job.phases.iter().all(|phase| phase.status == PhaseStatus::Done),
        "{:?}",
        job.phases
    );
    assert!(job.surface.len() == 2 && job.resumes.is_empty());
    bench
        .server
        .until("the last event", |seen| {
            seen.kinds().contains(&"job.passed").then_some(())
        })
        .await;
    let of_job: Vec<String> = bench.server.look(|seen| {
        seen.events
            .values()
            .filter(|event| event.job == Some(job.id))
            .map(|event| event.kind.clone())
            .collect()
    });
    assert_eq!(
        of_job,
        ["job.started", "job.phase_finished", "job.phase_finished", "job.passed"]
    );
    // The last event's notifications come right behind it.
    let notified: Vec<String> = bench
        .server
        .until("the notifications", |seen| {
            let types: Vec<String> = seen.notifications.iter().map(|n| n.event_type.clone()).collect();
            (types.len() >= 5).then_some(types)
        })
        .await;
    assert_eq!(
        notified,
        [
            "job_started",
            "phase_complete",
            "phase_complete",
            "burnin_passed",
            "job_complete"
        ]
    );
    assert!(bench.server.look(|seen| seen.heartbeats) >= 1);
    assert!(!bench.drives[0].is_blank());
}

#[tokio::test]
async fn smart_that_cannot_be_read_is_a_warning_where_it_was_asked_for() {
    let Some(bench) = Bench::new(&[32]).await else {
        return;
    };
    let id = bench.job("standard").await;
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Warn, "{job:#?}");
    // A step that measures nothing ends the one before it all the same.
    for step in [0, job.phases.len() - 1] {
        let its = |point: &TimePoint| usize::from(point.step) == step;
        assert!(job.timeline.iter().any(its), "step {step}: {:?}", job.timeline);
    }
    bench
        .server
        .until("its event", |seen| seen.kinds().contains(&"job.warned").then_some(()))
        .await;
    assert!(
        bench
            .server
            .look(|seen| seen.notifications.iter().all(|n| n.event_type != "burnin_passed"))
    );
}

#[tokio::test]
async fn a_killed_worker_and_a_killed_agent_cost_nothing() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    let workers = bench.agent.workers();
    assert_eq!(workers.len(), 1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", workers[0])).unwrap();
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "Uid:\t65534",
    ] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    let fds = std::fs::read_dir(format!("/proc/{}/fd", workers[0])).unwrap().flatten();
    let devices = fds
        .filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == bench.drives[0].node))
        .count();
    assert_eq!(devices, 1, "it holds its drive and once");
    kill(Pid::from_raw(workers[0]), Signal::SIGKILL).unwrap();
    bench
        .server
        .until("it to go on", |seen| {
            let job = seen.jobs.get(&id)?;
            assert!(!job.state.is_over(), "{job:#?}");
            (job.resumes.len() == 1).then_some(())
        })
        .await;

    let worker = {
        let workers = bench.agent.workers();
        assert_eq!(workers.len(), 1);
        workers[0]
    };
    bench.agent.kill();
    while std::path::Path::new(&format!("/proc/{worker}/exe")).exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
    let whys: Vec<&str> = job.resumes.iter().map(|resume| resume.why.as_str()).collect();
    assert_eq!(whys.len(), 2, "{whys:?}");
    assert!(whys[0].contains("signal: 9"), "{whys:?}");
    assert_eq!(whys[1], "the agent ended without warning");
    bench
        .server
        .until("the event", |seen| seen.kinds().contains(&"job.passed").then_some(()))
        .await;
    let kinds = bench.server.look(|seen| {
        seen.kinds()
            .iter()
            .filter(|kind| kind.starts_with("job."))
            .map(|k| (*k).to_owned())
            .collect::<Vec<_>>()
    });
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "job.resumed").count(),
        2,
        "{kinds:?}"
    );
    let plugs: Vec<String> = bench.server.look(|seen| {
        let ours = |event: &&wire::event::NewEvent| {
            event.drive == Some(bench.drives[0].id()) && event.kind.starts_with("drive.")
        };
        seen.events
            .values()
            .filter(ours)
            .map(|event| event.kind.clone())
            .collect()
    });
    assert_eq!(
        plugs,
        ["drive.added"],
        "a restarted agent does not tell the drives anew"
    );
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "job.passed").count(),
        1,
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_stopped_agent_parks_its_job_and_takes_it_up_again() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.terminate().await;
    let parked = |job: &&Job| matches!(job.state, JobState::Waiting { .. });
    bench
        .server
        .until("the job to be parked", |seen| {
            seen.jobs.get(&id).filter(parked).map(|_| ())
        })
        .await;

    // The state directory is gone, as after a pulled stick: the copy in RAM has the job.
    std::fs::rename(bench.path().join("data"), bench.path().join("pulled")).unwrap();
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
    assert_eq!(job.resumes.len(), 1);
    assert_eq!(job.resumes[0].why, "the agent was restarted");
    assert!(
        job.resumes[0].from.0 > 0 || job.resumes[0].phase != wire::job::Phase::Write,
        "it did not begin again"
    );
}

/// A drive that sleeps was woken every five seconds for as long as nobody let its job go on.
#[tokio::test]
async fn a_job_that_is_paused_while_it_waits_for_its_drive_does_not_touch_it() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.kill();
    let somebodys = bench.drives[0].alone();
    bench.restart();
    let drive = &bench.drives[0];
    let waits = |words: &'static str| {
        move |seen: &common::Seen| {
            let job = seen.jobs.get(&id)?;
            matches!(&job.state, JobState::Waiting { why } if why.contains(words)).then_some(())
        }
    };
    let taken_up = waits("taken up again: the agent ended without warning");
    bench.server.until("the job to be taken up", taken_up).await;
    bench
        .server
        .until("the job to wait for its drive", waits("is in use"))
        .await;
    let actor = || "ann".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    bench.server.call(pause).await.unwrap();
    bench.server.until("the job to be paused", waits("paused by ann")).await;
    drop(somebodys);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let until = Instant::now() + Duration::from_secs(7);
    while Instant::now() < until {
        assert!(!drive.is_held(), "it was opened in a pause");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let go_on = Command::Resume {
        job: id,
        actor: actor(),
    };
    bench.server.call(go_on).await.unwrap();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Passed, "{:#?}", job.verdict);
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_used_is_set_aside_told_and_begun_again() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.terminate().await;
    change_checkpoint(bench.path(), id, |text| text[..text.len() - 7].to_owned());
    std::fs::remove_dir_all(bench.path().join("run")).unwrap();
    bench.restart();
    let event = bench
        .server
        .until("the news", |seen| {
            seen.events
                .values()
                .find(|event| event.kind == "agent.checkpoint_set_aside")
                .cloned()
        })
        .await;
    assert!(event.message.contains("it was cut or extended"), "{event:?}");
    let path = event.data["path"].as_str().unwrap();
    assert!(
        path.contains(".bad-") && std::path::Path::new(path).exists(),
        "{event:?}"
    );
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Warn, "{:#?}", job.verdict);
    let verdict = job.verdict.unwrap();
    assert!(
        verdict.rules.iter().any(|rule| rule.id == "evidence-lost"),
        "how the first session went stood in the checkpoint: {verdict:#?}"
    );
    assert_eq!(
        verdict.verified, job.capacity,
        "all of it was read back in the new start"
    );
}

/// An array was made over the drive and taken apart again while the agent stood: zeros stand where its mark was.
#[tokio::test]
async fn what_something_else_wrote_and_took_away_again_is_no_fault_of_a_drive_whose_checkpoint_is_lost() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.terminate().await;
    change_checkpoint(bench.path(), id, |text| text[..text.len() - 7].to_owned());
    std::fs::remove_dir_all(bench.path().join("run")).unwrap();
    put_at(&bench.drives[0], 2 << 20, &[0; 4096]);
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let summary = job.verdict.unwrap().summary;
    assert!(summary.contains("something else wrote to it since"), "{summary}");
}

/// Changes what an agent that does not run has kept of where a job stands.
fn change_checkpoint(bench: &std::path::Path, id: wire::JobId, change: impl Fn(&str) -> String) {
    let options = store::Options {
        check: store::Check::InProcess,
        ..store::Options::new(&agent::jobs::tables())
    };
    let store = store::open(&bench.join("data"), &options).unwrap().store;
    let key = id.to_string();
    let changed = change(&store.read(|r| checkpoints::get(r, &key)).unwrap().unwrap());
    store
        .write(move |w| checkpoints::put(w, &key, &changed))
        .wait()
        .unwrap();
}

/// After an update that writes another pattern: neither checkpoint nor headers are known, which says nothing of the drive.
#[tokio::test]
async fn a_job_of_another_version_ends_with_that_said_and_no_word_of_another_drive() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.terminate().await;
    change_checkpoint(bench.path(), id, |text| {
        let (head, rest) = text.split_once('\n').unwrap();
        let sum = head.split(' ').skip(2).collect::<Vec<_>>().join(" ");
        format!("kiln-checkpoint 1 {sum}\n{rest}")
    });
    std::fs::remove_dir_all(bench.path().join("run")).unwrap();
    let mut data = std::fs::read(&bench.drives[0].file).unwrap();
    let magic = b"KILNHDR";
    let headers: Vec<usize> = data
        .windows(magic.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == magic).then_some(at))
        .collect();
    assert!(!headers.is_empty());
    for at in headers {
        data[at + magic.len()] = b'1';
    }
    put_below(&bench.drives[0], &data);
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let words = format!("{:?}", job.verdict);
    assert!(words.contains("another version of Kiln"), "{words}");
    assert!(!words.contains("another drive"), "{words}");
}

#[tokio::test]
async fn what_happens_while_the_server_is_away_is_told_when_it_is_back() {
    let Some(bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.server.hang_up().await;
    let patience = Instant::now() + Duration::from_mins(2);
    while !bench.agent.workers().is_empty() {
        assert!(Instant::now() < patience, "the job goes on without a server");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // This one has seen nothing, so all is told again, in order and once.
    let bench = bench.with_another_server().await;
    assert_eq!(outcome(&bench.server.over(id).await), Outcome::Passed);
    bench
        .server
        .until("the last event", |seen| {
            seen.kinds().contains(&"job.passed").then_some(())
        })
        .await;
    let of_job: Vec<String> = bench.server.look(|seen| {
        seen.events
            .values()
            .filter(|event| event.job == Some(id))
            .map(|event| event.kind.clone())
            .collect()
    });
    assert_eq!(
        of_job,
        ["job.started", "job.phase_finished", "job.phase_finished", "job.passed"]
    );
}

#[tokio::test]
async fn an_abort_ends_it_inconclusive() {
    let Some(bench) = Bench::new(&[LARGE, 64]).await else {
        return;
    };
    let ids = bench.server.start_jobs(&bench.ids(), "surface").await;
    bench.in_the_middle(ids[0]).await;
    let answer = bench
        .server
        .call(Command::Abort {
            job: ids[0],
            actor: "bob".into(),
        })
        .await;
    assert_eq!(answer, Ok(Answer::Aborted));
    let job = bench.server.over(ids[0]).await;
    assert_eq!(
        (&job.state, outcome(&job)),
        (&JobState::Aborted, Outcome::Inconclusive),
        "{:#?}",
        job.verdict
    );
    assert!(job.verdict.unwrap().summary.contains("bob"));
    assert_eq!(
        outcome(&bench.server.over(ids[1]).await),
        Outcome::Passed,
        "the other job goes on"
    );
    bench
        .server
        .until("the event", |seen| seen.kinds().contains(&"job.aborted").then_some(()))
        .await;
    let again = bench
        .server
        .call(Command::Abort {
            job: ids[0],
            actor: "bob".into(),
        })
        .await;
    assert_eq!(again.unwrap_err().kind, "job-over");
    let other = bench
        .server
        .call(Command::Abort {
            job: wire::JobId::now(),
            actor: "bob".into(),
        })
        .await;
    assert_eq!(other.unwrap_err().kind, "job-unknown", "it was never this agent's");
    assert!(bench.agent.workers().is_empty());
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_told() {
    let Some(mut bench) = Bench::new(&[24]).await else {
        return;
    };
    let id = bench.job("surface").await;
    bench.server.over(id).await;
    bench.agent.terminate().await;
    let file = bench.path().join("data").join(store::FILE_NAME);
    let length = std::fs::metadata(&file).unwrap().len();
    let open = std::fs::File::options().write(true).open(&file).unwrap();
    open.set_len(length / 2).unwrap();
    open.write_all_at(&[0xA5; 4096], length / 4).unwrap();
    drop(open);
    bench.restart();
    let event = bench
        .server
        .until("the news", |seen| {
            seen.events
                .values()
                .find(|event| event.kind == "agent.store_set_aside")
                .cloned()
        })
        .await;
    let path = event.data["path"].as_str().unwrap();
    assert!(
        path.contains(".bad-") && std::path::Path::new(path).exists(),
        "{event:?}"
    );
    // And it works on.
    bench.server.drive(&bench.drives[0].id()).await;
    let id = bench.job("surface").await;
    assert_eq!(outcome(&bench.server.over(id).await), Outcome::Passed);
}

#[tokio::test]
async fn a_worker_that_comes_no_further_is_given_up() {
    let Some(bench) = Bench::with(&[256], true, &["--rate-drive", "10M"]).await else {
        return;
    };
    let id = bench.job("surface").await;
    bench
        .server
        .until("it to be under way", |seen| {
            let progress = seen.jobs.get(&id)?.progress.as_ref()?;
            (progress.done.0 > 16 << 20).then_some(())
        })
        .await;
    let patience = Instant::now() + common::PATIENCE;
    while !bench.server.look(|seen| seen.jobs[&id].state.is_over()) {
        assert!(Instant::now() < patience, "it is started for ever");
        for pid in bench.agent.workers() {
            // It may have ended.
            let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    assert!(job.resumes.len() <= 8, "{:?}", job.resumes);
    let summary = job.verdict.unwrap().summary;
    assert!(
        // One that is killed while it starts is told as that.
        summary.contains("came no further") && (summary.contains("signal: 9") || summary.contains("Broken pipe")),
        "{summary}"
    );
}

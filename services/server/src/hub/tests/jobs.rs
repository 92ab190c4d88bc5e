//! Jobs in the hub: what of them is kept, shown and let go.

use super::super::job::{JOBS, SAMPLES};
use super::*;

/// An agent has one job a drive: where it begins another one there, it has lost the one before, which nobody else would ever end.
#[test]
fn a_job_that_another_one_on_its_drive_follows_is_over() {
    let mut hub = hub();
    let connected = Input::Connected {
        addon: AGENT,
        connection: 1,
    };
    hub.step(now(1), connected);
    let numbered = |n, drive: &str| Job {
        id: JobId(uuid::Uuid::from_u128(n)),
        drive: DriveId::from_serial("M", drive, 1).unwrap(),
        ..job(JobState::Running)
    };
    for job in [numbered(7, "WD-1"), numbered(8, "WD-2"), numbered(9, "WD-1")] {
        hub.step(now(2), frame(AGENT, 1, Frame::Job(Box::new(job))));
    }
    let state = |hub: &Hub, n| hub.job_of(JobId(uuid::Uuid::from_u128(n))).unwrap().state.clone();
    assert_eq!(state(&hub, 7), JobState::Aborted);
    assert_eq!([state(&hub, 8), state(&hub, 9)], [JobState::Running, JobState::Running]);
    // What the agent still tells of it counts, and an older one ends no newer.
    let late = Job {
        state: JobState::Finished,
        ..numbered(7, "WD-1")
    };
    hub.step(now(3), frame(AGENT, 1, Frame::Job(Box::new(late))));
    assert_eq!(
        [state(&hub, 7), state(&hub, 9)],
        [JobState::Finished, JobState::Running]
    );
}

/// A store that was lost, or emptied: nobody is at such a job any more, and what it had found wrong still counts.
#[test]
fn a_running_job_that_the_agent_does_not_name_is_over() {
    let mut hub = hub();
    let connected = Input::Connected {
        addon: AGENT,
        connection: 1,
    };
    hub.step(now(1), connected);
    let id = |n| JobId(uuid::Uuid::from_u128(n));
    let numbered = |n: u128, state, bad_sectors| Job {
        id: id(n),
        drive: DriveId::from_serial("M", &format!("WD-{n}"), 1).unwrap(),
        bad_sectors,
        ..job(state)
    };
    for job in [
        numbered(1, JobState::Running, 0),
        numbered(2, JobState::Running, 0),
        numbered(3, JobState::Running, 8),
        numbered(4, JobState::Finished, 0),
        Job {
            heading: vec![RuleHit {
                id: "smart-failing".into(),
                outcome: Outcome::Failed,
                value: "1 verdict".into(),
                limit: "1 verdict".into(),
                source: "s".into(),
                means: "m".into(),
            }],
            ..numbered(5, JobState::Running, 0)
        },
    ] {
        hub.step(now(2), frame(AGENT, 1, Frame::Job(Box::new(job))));
    }
    let finished = hub.job_of(id(4)).unwrap().clone();
    let effects = hub.step(now(3), frame(AGENT, 1, Frame::Unfinished(vec![id(1)])));
    let end = |n| {
        let job = hub.job_of(id(n)).unwrap();
        (job.state.clone(), job.verdict.as_ref().map(|verdict| verdict.outcome))
    };
    assert_eq!(end(1), (JobState::Running, None));
    assert_eq!(end(2), (JobState::Aborted, Some(Outcome::Inconclusive)));
    assert_eq!(
        end(3),
        (JobState::Aborted, Some(Outcome::Failed)),
        "it takes back what was signed before"
    );
    assert_eq!(hub.job_of(id(4)), Some(&finished));
    assert_eq!(
        end(5),
        (JobState::Aborted, Some(Outcome::Failed)),
        "what it had said of itself stays said"
    );
    assert!(hub.job_of(id(5)).unwrap().heading.is_empty());
    assert_eq!(events(&effects), ["job.forgotten"; 3]);
    assert_eq!(
        events(&hub.step(now(4), frame(AGENT, 1, Frame::Unfinished(vec![id(1)])))),
        [""; 0]
    );
    // Somebody else's word ends nothing.
    hub.step(now(5), frame(AGENT + 1, 1, Frame::Unfinished(Vec::new())));
    assert_eq!(hub.job_of(id(1)).unwrap().state, JobState::Running);
}

#[test]
fn a_job_that_only_comes_further_is_kept_every_ten_minutes() {
    let mut hub = hub();
    let connected = Input::Connected {
        addon: AGENT,
        connection: 1,
    };
    hub.step(now(1), connected);
    let mut told = |second: u64, job: &Job| {
        let effects = hub.step(now(second), frame(AGENT, 1, Frame::Job(Box::new(job.clone()))));
        assert!(effects.contains(&Effect::Stream(Stream::Job(Box::new(job.clone())))));
        effects.contains(&Effect::SaveJob(Box::new(job.clone())))
    };
    let mut running = job(JobState::Running);
    assert!(told(2, &running));
    let mut kept = 0;
    for second in (32..3_602).step_by(30) {
        running.progress = Some(progress(second as f64 / 100.0));
        running.timeline.push(wire::job::TimePoint {
            at: now(second).wall,
            step: 0,
            temperature: None,
            rate: Bytes(1),
            bad_sectors: 0,
        });
        kept += u32::from(told(second, &running));
    }
    assert_eq!(kept, 5, "in an hour");
    running.bad_sectors = 1;
    assert!(told(3_603, &running), "at once");
    running.state = JobState::Finished;
    assert!(told(3_604, &running), "at once");
}

#[test]
fn progress_is_a_stream_and_never_kept() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    hub.step(now(1), frame(AGENT, 1, Frame::Job(Box::new(job(JobState::Running)))));
    for n in 0..2000_u64 {
        let effects = hub.step(now(2 + n), frame(AGENT, 1, progress_frame(n as f64 / 20.0)));
        assert!(
            effects
                .iter()
                .all(|e| matches!(e, Effect::Stream(_) | Effect::Telemetry { .. } | Effect::Event(..))),
            "{effects:?}"
        );
        assert!(
            effects
                .iter()
                .all(|e| !matches!(e, Effect::Event(event, _) if event.kind != "addon.degraded"))
        );
    }
    let id = job(JobState::Running).id;
    assert_eq!(hub.samples(id).len(), SAMPLES);
    assert_eq!(
        hub.job_of(id).unwrap().progress,
        Some(progress(1999.0 / 20.0)),
        "a page that comes now sees it"
    );
    assert_eq!(hub.history(AGENT).unwrap().active_jobs(now(2001).wall).len(), 1);
    assert!(hub.telemetry_after(AGENT, 0).len() <= 4096);
}

#[test]
fn progress_of_a_job_that_is_over_is_not_taken() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    hub.step(now(1), frame(AGENT, 1, Frame::Job(Box::new(job(JobState::Finished)))));
    hub.step(now(2), frame(AGENT, 1, progress_frame(50.0)));
    assert_eq!(hub.job_of(job(JobState::Finished).id).unwrap().progress, None);
}

#[test]
fn old_jobs_make_room_and_running_ones_never_do() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    for n in 0..(JOBS as u128 + 50) {
        let state = if n < 3 { JobState::Running } else { JobState::Finished };
        let job = Job {
            id: JobId(uuid::Uuid::from_u128(n)),
            drive: DriveId::from_serial("M", &format!("WD-{n}"), 1).unwrap(),
            ..job(state)
        };
        hub.step(now(2), frame(AGENT, 1, Frame::Job(Box::new(job))));
    }
    assert_eq!(hub.jobs().count(), JOBS);
    assert_eq!(hub.jobs().filter(|job| !job.state.is_over()).count(), 3);
}

#[test]
fn the_last_words_on_a_listed_drive_stay_and_are_looked_up_once() {
    let mut hub = hub();
    let (addon, connection) = (AGENT, 1);
    hub.step(now(1), Input::Connected { addon, connection });
    let of = |letter: &str| DriveId::from_serial("M", &format!("WD-123{letter}"), 1).unwrap();
    let finished = |n: u128, drive: DriveId| Job {
        id: JobId(uuid::Uuid::from_u128(n)),
        drive,
        ..job(JobState::Finished)
    };
    let drives = |ids: &[&str]| frame(AGENT, 1, Frame::Drives(ids.iter().map(|id| drive(of(id))).collect()));
    let recalls = |effects: Vec<Effect>| {
        let asked = effects.into_iter().filter_map(|effect| match effect {
            Effect::Recall(drives) => Some(drives),
            _ => None,
        });
        asked.flatten().collect::<Vec<_>>()
    };
    let failed = Job {
        verdict: Some(Verdict {
            outcome: Outcome::Failed,
            rules: vec![],
            summary: String::new(),
            verified: Bytes(0),
            engine: String::new(),
        }),
        ..finished(1, of("A"))
    };
    // What fails has the last word until it is disproved.
    for job in [failed, finished(2, of("A"))] {
        hub.step(now(1), frame(AGENT, 1, Frame::Job(Box::new(job))));
    }
    assert_eq!(
        recalls(hub.step(now(1), drives(&["A", "B"]))),
        [],
        "the medium has no others"
    );
    let full = JOBS as u128 + 8;
    for n in 10..full {
        hub.step(now(1), frame(AGENT, 1, Frame::Job(Box::new(finished(n, of("X"))))));
    }
    assert_eq!(
        recalls(hub.step(now(1), drives(&["B", "A"]))),
        [of("A"), of("B")],
        "of A a failure may stand that is older than what is held"
    );
    assert_eq!(recalls(hub.step(now(1), drives(&["A", "B"]))), [], "once");
    hub.step(now(2), Input::Recalled(vec![finished(0, of("B"))]));
    for n in full..(JOBS as u128 + 50) {
        hub.step(now(2), frame(AGENT, 1, Frame::Job(Box::new(finished(n, of("X"))))));
    }
    assert_eq!(hub.jobs().count(), JOBS);
    let held = |drive: &str| {
        hub.jobs()
            .filter(|job| job.drive == of(drive))
            .map(|job| job.id.0.as_u128())
            .collect::<Vec<_>>()
    };
    assert_eq!([held("A"), held("B")], [vec![2, 1], vec![0]]);
    hub.step(now(3), drives(&["A"]));
    hub.step(now(3), frame(AGENT, 1, Frame::Job(Box::new(finished(1_000, of("X"))))));
    assert_eq!(
        recalls(hub.step(now(3), drives(&["A", "B"]))),
        [of("B")],
        "it was out, and its job is not held any more"
    );
}

/// Of an agent whose state is older than its end, as on a stick that was pulled meanwhile and is back.
#[test]
fn what_is_over_does_not_begin_again_and_a_failure_is_not_taken_back() {
    let mut hub = hub();
    let (addon, connection) = (AGENT, 1);
    hub.step(now(1), Input::Connected { addon, connection });
    let of = |state: JobState, outcome: Option<Outcome>| Job {
        id: JobId(uuid::Uuid::from_u128(7)),
        verdict: outcome.map(|outcome| Verdict {
            outcome,
            rules: vec![],
            summary: String::new(),
            verified: Bytes(0),
            engine: String::new(),
        }),
        ..job(state)
    };
    let mut told = |state, outcome| {
        let effects = hub.step(now(1), frame(AGENT, 1, Frame::Job(Box::new(of(state, outcome)))));
        let held = hub.job_of(JobId(uuid::Uuid::from_u128(7))).unwrap();
        let abandons = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Abandon(job) if *job == held.id));
        let outcome = held.verdict.as_ref().map(|verdict| verdict.outcome);
        (held.state.is_over(), outcome, abandons.count())
    };
    use Outcome::{Failed, Inconclusive, Passed};
    assert_eq!(told(JobState::Running, None), (false, None, 0));
    let ended = (true, Some(Inconclusive), 0);
    assert_eq!(told(JobState::Aborted, Some(Inconclusive)), ended);
    for state in [JobState::Running, JobState::Waiting { why: "x".to_owned() }] {
        assert_eq!(told(state, None), (true, Some(Inconclusive), 1));
    }
    // The agent ends it as it is told to.
    assert_eq!(told(JobState::Aborted, Some(Inconclusive)), ended);
    assert_eq!(told(JobState::Finished, Some(Failed)), (true, Some(Failed), 0));
    assert_eq!(told(JobState::Finished, Some(Passed)), (true, Some(Failed), 0));
    assert_eq!(told(JobState::Aborted, Some(Inconclusive)), (true, Some(Failed), 0));
}

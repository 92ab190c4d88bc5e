//! The hub as a whole.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

use proptest::prelude::*;
use wire::Bytes;
use wire::job::{JobState, Outcome, Phase, RuleHit, Verdict};

use wire::event::NewEvent;
use wire::frame::{Frame, Notification, ProgressFrame};
use wire::job::Progress;
use wire::{DriveId, JobId, Time};

use super::*;

mod jobs;

fn now(seconds: u64) -> Now {
    Now {
        mono: Duration::from_secs(seconds),
        wall: Time::from_second(1_800_000_000 + seconds as i64).unwrap(),
    }
}

/// One that knows its agent, with what is known from before its start.
fn hub_of(past: Past) -> Hub {
    let mut hub = Hub::new(now(0), "kiln", true, true, past);
    hub.step(
        now(0),
        Input::Known {
            addon: AGENT,
            name: "agent".into(),
            last_seen: None,
            enabled: true,
        },
    );
    hub
}

fn hub() -> Hub {
    let mut hub = hub_of(Past::default());
    hub.step(
        now(0),
        Input::Known {
            addon: 2,
            name: "shed".into(),
            last_seen: None,
            enabled: true,
        },
    );
    hub
}

fn frame(addon: u64, connection: u64, frame: Frame) -> Input {
    let whole: serde_json::Value = serde_json::from_str(&frame.encode()).unwrap();
    Input::Frame {
        addon,
        connection,
        payload: whole["payload"].to_string().into(),
        frame,
    }
}

fn job(state: JobState) -> Job {
    Job {
        model: "M".into(),
        serial: "WD-1234".into(),
        capacity: Bytes(1),
        sector: 512,
        actor: "ada".into(),
        state,
        ..Job::new(
            JobId(uuid::Uuid::from_u128(7)),
            DriveId::from_serial("M", "WD-1234", 1).unwrap(),
            "surface",
            Time::UNIX_EPOCH,
        )
    }
}

fn progress(percent: f64) -> Progress {
    Progress {
        step: 0,
        phase_percent: None,
        phase: Phase::Write,
        done: Bytes(1),
        total: Bytes(2),
        rate: Bytes(3),
        eta: None,
        eta_job: None,
        percent,
        temperature: None,
    }
}

fn progress_frame(percent: f64) -> Frame {
    Frame::Progress(ProgressFrame {
        job_id: job(JobState::Running).id.to_string(),
        percent,
        kiln: Some(progress(percent)),
        ..ProgressFrame::default()
    })
}

fn events(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Event(event, _) => Some(event.kind.as_str()),
            _ => None,
        })
        .collect()
}

fn event(kind: &str) -> Frame {
    Frame::Event(NewEvent {
        kind: kind.into(),
        severity: Severity::Info,
        job: None,
        drive: None,
        message: "m".into(),
        data: serde_json::Value::Null,
        origin: Some(1),
    })
}

#[test]
fn the_agent_is_greeted_and_its_job_is_kept_and_shown() {
    let mut hub = hub();
    let effects = hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    assert!(effects.contains(&Effect::Hello));
    assert_eq!(events(&effects), ["addon.connected"]);
    let effects = hub.step(now(2), frame(AGENT, 1, Frame::Job(Box::new(job(JobState::Running)))));
    assert!(effects.contains(&Effect::SaveJob(Box::new(job(JobState::Running)))));
    assert!(effects.contains(&Effect::Stream(Stream::Job(Box::new(job(JobState::Running))))));
}

/// It keeps its events until it knows that they are in the log, and its room for them is bounded.
#[test]
fn the_agent_is_told_every_ten_minutes_what_the_log_has_of_its_events() {
    let mut hub = hub();
    for addon in [AGENT, AGENT + 1] {
        let connected = Input::Connected { addon, connection: 1 };
        hub.step(now(1), connected);
    }
    let mut greeted = Vec::new();
    for second in (31..1831).step_by(30) {
        for addon in [AGENT, AGENT + 1] {
            let effects = hub.step(now(second), frame(addon, 1, Frame::Heartbeat));
            greeted.extend(effects.contains(&Effect::Hello).then_some(second));
        }
    }
    assert_eq!(greeted, [601, 1201, 1801]);
}

#[test]
fn an_add_on_cannot_speak_as_the_agent_or_the_server() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: 2,
            connection: 1,
        },
    );
    for forged in [
        event("job.passed"),
        Frame::Job(Box::new(job(JobState::Finished))),
        Frame::Drives(vec![]),
    ] {
        let effects = hub.step(now(2), frame(2, 1, forged));
        assert!(
            effects
                .iter()
                .all(|e| matches!(e, Effect::Telemetry { .. } | Effect::Refused { .. })),
            "{effects:?}"
        );
    }
    assert!(hub.jobs().next().is_none());
    let notification = Notification {
        event_type: "burnin_passed".into(),
        severity: Severity::Critical,
        message: "x".repeat(10_000),
        host: String::new(),
        metadata: BTreeMap::new(),
    };
    let effects = hub.step(now(3), frame(2, 1, Frame::Notification(notification)));
    assert_eq!(events(&effects), ["addon.notification"]);
    let Some(Effect::Event(event, actor)) = effects.iter().find(|e| matches!(e, Effect::Event(..))) else {
        unreachable!()
    };
    assert_eq!((actor.kind.as_str(), actor.name.as_str()), ("addon", "shed"));
    assert!(event.message.len() < 1100, "text from outside is cut");
}

#[test]
fn the_agent_can_only_tell_of_jobs_drives_and_itself() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    assert_eq!(
        events(&hub.step(now(2), frame(AGENT, 1, event("job.passed")))),
        ["job.passed"]
    );
    // It has a kind that people set rules for.
    assert_eq!(
        events(&hub.step(now(2), frame(AGENT, 1, event("certificate.revoked")))),
        ["certificate.revoked"]
    );
    for forged in ["box.claimed", "certificate.checked"] {
        assert_eq!(
            events(&hub.step(now(2), frame(AGENT, 1, event(forged)))),
            ["agent.said"]
        );
    }
}

#[test]
fn a_second_connection_wins_and_the_first_closing_late_changes_nothing() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    let effects = hub.step(
        now(2),
        Input::Connected {
            addon: AGENT,
            connection: 2,
        },
    );
    assert!(effects.contains(&Effect::Replace(1)));
    let effects = hub.step(
        now(3),
        Input::Closed {
            addon: AGENT,
            connection: 1,
            why: "1001".into(),
        },
    );
    assert!(!effects.contains(&Effect::AgentGone), "{effects:?}");
    assert_eq!(hub.agent(now(3)).state, Liveness::Online);
    let effects = hub.step(now(4), frame(AGENT, 1, Frame::Job(Box::new(job(JobState::Running)))));
    assert!(
        effects.is_empty() && hub.jobs().next().is_none(),
        "frames of the old one are not taken"
    );
}

#[test]
fn an_agent_that_is_away_is_told_in_a_banner_and_drives_stay() {
    let mut hub = hub();
    assert!(hub.banners(now(14)).is_empty(), "it may still be starting");
    assert_eq!(hub.banners(now(15)).len(), 1);
    hub.step(
        now(20),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    assert!(hub.banners(now(20)).is_empty());
    hub.step(now(20), frame(AGENT, 1, Frame::Job(Box::new(job(JobState::Running)))));
    hub.step(
        now(30),
        Input::Closed {
            addon: AGENT,
            connection: 1,
            why: "gone".into(),
        },
    );
    let effects = hub.step(now(35), Input::Tick);
    assert!(
        effects.contains(&Effect::Stream(Stream::Box)),
        "pages are told without asking"
    );
    assert!(hub.banners(now(35))[0].text.contains("not connected"));
    assert_eq!(events(&hub.step(now(40), Input::Tick)), ["addon.offline"]);
    assert_eq!(hub.jobs().count(), 1);
}

#[test]
fn the_network_knows_the_box_by_what_the_unit_says_that_announces_it() {
    let mut hub = hub();
    for (said, known) in [
        ("", None),
        ("bench-2.local", Some("bench-2.local")),
        ("evil\u{1b}[2J.local", None),
    ] {
        let status: Status = serde_json::from_value(serde_json::json!({
            "host": "bench", "addresses": [], "banners": [], "boot": {"slot":"","why":"","via":"","kernel":"","medium":"ram","reason":"power on","boot_id":"1"},
            "units": [{"name":"mdns","state":"ready","rung":null,"reason":"","status":said,"restarts":0,"pid":9,"since":"2026-11-20T15:00:00Z"}],
        }))
        .unwrap();
        hub.step(now(1), Input::Supervisor(Some(status)));
        assert_eq!((hub.name(), hub.local_name()), ("bench", known));
    }
}

#[test]
fn a_stopped_agent_is_degraded_as_soon_as_the_supervisor_says_so() {
    let mut hub = hub();
    hub.step(
        now(1),
        Input::Connected {
            addon: AGENT,
            connection: 1,
        },
    );
    let status: Status = serde_json::from_value(serde_json::json!({
        "host": "bench", "addresses": [], "banners": [], "boot": {"slot":"","why":"","via":"","kernel":"","medium":"ram","reason":"power on","boot_id":"1"},
        "units": [{"name":"agent","state":"degraded","rung":"late","reason":"no heartbeat","status":"","restarts":0,"pid":9,"since":"2026-11-20T15:00:00Z"}],
    }))
    .unwrap();
    let effects = hub.step(now(2), Input::Supervisor(Some(status)));
    assert_eq!(events(&effects), ["box.booted", "unit.degraded"]);
    assert_eq!(hub.agent(now(2)).state, Liveness::Degraded);
    assert!(hub.banners(now(2))[0].text.contains("does not answer in time"));
    assert_eq!(hub.view(now(2), true).name, "bench");
    assert!(hub.view(now(2), false).supervisor.is_none());
    assert!(
        !hub.view(now(2), false).banners[0].text.contains("agent"),
        "nothing is given away before a login"
    );
    hub.step(now(3), Input::Supervisor(None));
    assert_eq!(hub.agent(now(3)).state, Liveness::Online);
}

#[test]
fn temperatures_are_shown_at_once_and_written_down_seldom() {
    let mut hub = hub();
    let (addon, connection) = (AGENT, 1);
    hub.step(now(1), Input::Connected { addon, connection });
    let mut told = |at: u64, degrees: i32, name: &str| {
        let mut drive = drive(DriveId::from_serial("M", "WD-1234", 1).unwrap());
        drive.temperature = Some(wire::Celsius(degrees));
        drive.kernel_name = name.to_owned();
        let effects = hub.step(now(at), frame(AGENT, 1, Frame::Drives(vec![drive])));
        let is = |wanted: fn(&Effect) -> bool| effects.iter().any(wanted);
        (
            is(|effect| matches!(effect, Effect::Stream(Stream::Drives(_)))),
            is(|effect| matches!(effect, Effect::SaveDrives(_))),
        )
    };
    assert_eq!(told(1, 30, "sda"), (true, true));
    assert_eq!(told(2, 31, "sda"), (true, false));
    assert_eq!(told(3, 31, "sda"), (false, false));
    assert_eq!(told(4, 32, "sdb"), (true, true), "it is elsewhere");
    assert_eq!(told(603, 33, "sdb"), (true, false));
    assert_eq!(told(604, 34, "sdb"), (true, true), "not for ever");
}

/// The alert goes by the limit that the drive names; a page that went by its kind's would call it too hot where no alert comes.
#[test]
fn a_drive_shows_the_limit_at_which_its_alert_comes() {
    let (addon, connection) = (AGENT, 1);
    let of = |limit| SmartWord {
        limit: Some(wire::Celsius(limit)),
        ill: None,
    };
    let mut smart_words = SmartWords::default();
    smart_words.note_limit("wd 1234", Some(wire::Celsius(60)));
    let past = Past {
        drives: vec![drive(DriveId::from_serial("M", "WD-1234", 1).unwrap())],
        smart_words,
        ..Past::default()
    };
    let mut hub = hub_of(past);
    let limit = |hub: &Hub| hub.drives()[0].heat_limit.map(|limit| limit.0);
    assert_eq!(limit(&hub), Some(60), "known from before the start");
    hub.step(now(1), Input::Connected { addon, connection });
    let list = vec![drive(DriveId::from_serial("M", "WD-1234", 1).unwrap())];
    hub.step(now(1), frame(AGENT, 1, Frame::Drives(list)));
    assert_eq!(limit(&hub), Some(60));
    let says = |hub: &mut Hub, serial: &str, limit| {
        let input = Input::Smart {
            drive: DriveId::from_serial("M", "WD-1234", 1).unwrap(),
            serial: serial.into(),
            word: of(limit),
        };
        hub.step(now(2), input)
            .iter()
            .any(|effect| matches!(effect, Effect::Stream(Stream::Drives(_))))
    };
    assert!(says(&mut hub, "WD-1234", 70));
    assert_eq!(limit(&hub), Some(70));
    assert!(!says(&mut hub, "WD-1234", 70), "told once");
    assert!(!says(&mut hub, "", 30) && !says(&mut hub, "other", 30));
    assert_eq!(limit(&hub), Some(70));
}

/// A drive that is broken already was offered like a good one, and its owner learnt that seconds after the erasing began.
#[test]
fn a_drive_shows_what_its_smart_says_against_it_until_that_says_so_no_more() {
    let (addon, connection) = (AGENT, 1);
    let mut hub = hub_of(Past::default());
    hub.step(now(1), Input::Connected { addon, connection });
    let mut list = vec![drive(DriveId::from_serial("M", "WD-1234", 1).unwrap())];
    let ill = wire::drive::Ill {
        severity: Severity::Critical,
        says: "300 reallocated sectors".into(),
        since: Some(Time::UNIX_EPOCH),
    };
    // Nobody but this server says so.
    list[0].ill = Some(ill.clone());
    hub.step(now(1), frame(AGENT, 1, Frame::Drives(list.clone())));
    assert_eq!(hub.drives()[0].ill, None);
    for told in [Some(ill), None] {
        let word = SmartWord {
            limit: None,
            ill: told.clone(),
        };
        let input = Input::Smart {
            drive: DriveId::from_serial("M", "WD-1234", 1).unwrap(),
            serial: "behind a bridge".into(),
            word,
        };
        let out = hub.step(now(2), input);
        assert!(
            out.iter()
                .any(|effect| matches!(effect, Effect::Stream(Stream::Drives(_))))
        );
        assert_eq!(hub.drives()[0].ill, told);
        assert!(hub.drives()[0].heat_limit.is_some(), "that of its kind");
    }
}

/// Cheap drives and docks give several drives one serial; a healthy one was called broken, and a broken one fine.
#[test]
fn a_drive_says_nothing_against_its_twin_also_after_a_start() {
    let (addon, connection) = (AGENT, 1);
    let id = |model| DriveId::from_serial(model, "WD-1234", 1).unwrap();
    let list = vec![drive(id("M")), drive(id("N"))];
    let ill = |says: &str| wire::drive::Ill {
        severity: Severity::Critical,
        says: says.into(),
        since: None,
    };
    let mut kept = list.clone();
    kept[1].ill = Some(ill("1 pending"));
    let past = Past {
        drives: kept,
        ..Past::default()
    };
    let mut hub = hub_of(past);
    let says = |hub: &Hub| -> Vec<_> { hub.drives().iter().map(|drive| drive.ill.clone()).collect() };
    assert_eq!(says(&hub), [None, Some(ill("1 pending"))], "as it was kept");
    hub.step(now(1), Input::Connected { addon, connection });
    hub.step(now(1), frame(AGENT, 1, Frame::Drives(list)));
    assert_eq!(says(&hub), [None, Some(ill("1 pending"))], "until the next reading");
    let mut tells = |model, told| {
        let word = SmartWord { limit: None, ill: told };
        let serial = "WD-1234".into();
        let drive = id(model);
        hub.step(now(2), Input::Smart { drive, serial, word });
        says(&hub)
    };
    assert_eq!(tells("N", None), [None, None]);
    assert_eq!(tells("M", Some(ill("200 pending"))), [Some(ill("200 pending")), None]);
    assert_eq!(tells("N", None), [Some(ill("200 pending")), None]);
}

/// What is kept lags behind in temperatures, so after a start one would be dated too late.
#[test]
fn after_a_start_drives_are_of_before_and_tell_no_temperature() {
    let mut kept = drive(DriveId::from_serial("M", "WD-1234", 1).unwrap());
    kept.temperature = Some(wire::Celsius(52));
    let past = Past {
        drives: vec![kept],
        ..Past::default()
    };
    let hub = Hub::new(now(0), "kiln", true, true, past);
    let [told] = hub.drives() else { panic!("one drive") };
    assert!(told.as_of.is_some() && told.temperature.is_none(), "{told:?}");
}

fn drive(id: DriveId) -> Drive {
    serde_json::from_value(serde_json::json!({
        "id": id, "key": id, "kernel_name": "sda", "model": "M", "serial": "WD-1234", "wwn": null, "capacity": 1, "logical_sector": 512,
        "physical_sector": 512, "bus": "sata", "rotation": {"kind": "spinning", "rpm": 7200}, "location": "", "temperature": null,
        "content": {"state": "empty"}, "refused": null, "present": true, "since": "2026-11-20T15:00:00Z"
    }))
    .unwrap()
}

/// A notification of add-on 2, with an id where one is given; the events that come of it.
fn notified(hub: &mut Hub, at: u64, severity: Severity, message: &str, id: Option<&str>) -> Vec<Effect> {
    let notification = Notification {
        event_type: "job_complete".into(),
        severity,
        message: message.into(),
        metadata: id
            .map(|id| ("event_id".to_owned(), id.to_owned()))
            .into_iter()
            .collect(),
        host: String::new(),
    };
    hub.step(now(at), frame(2, 1, Frame::Notification(notification)))
}

/// How many events of this kind are among the effects; others may tell how the add-on is.
fn count(effects: &[Effect], kind: &str) -> usize {
    events(effects).into_iter().filter(|event| *event == kind).count()
}

fn connected(hub: &mut Hub) {
    hub.step(
        now(1),
        Input::Connected {
            addon: 2,
            connection: 1,
        },
    );
}

#[test]
fn sixty_drives_that_end_together_push_no_warning_out() {
    let mut hub = hub();
    connected(&mut hub);
    for n in 0..300 {
        let effects = notified(&mut hub, 2, Severity::Info, &format!("drive {n}"), None);
        assert_eq!(count(&effects, "addon.notification"), 1, "{n}");
    }
    for n in 300..2_000 {
        notified(&mut hub, 2, Severity::Info, &format!("chatter {n}"), None);
    }
    let left_out = notified(&mut hub, 60, Severity::Info, "the one that was too many", None);
    let effects = notified(&mut hub, 60, Severity::Warning, "drive 7: 3 pending sectors", None);
    assert_eq!(count(&effects, "addon.notification"), 1);
    // The line about what is left out names it.
    assert_eq!(count(&left_out, "addon.notification"), 0);
    let lines = hub.history(2).unwrap().log(Time::UNIX_EPOCH);
    assert!(
        lines
            .iter()
            .any(|line| line.get().contains("job_complete Info: the one that was too many"))
    );
}

#[test]
fn another_event_under_a_known_id_is_told_and_one_left_out_is_taken_when_it_comes_again() {
    let mut hub = hub();
    connected(&mut hub);
    let count = |effects: Vec<Effect>| count(&effects, "addon.notification");
    assert_eq!(count(notified(&mut hub, 2, Severity::Critical, "first", Some("x"))), 1);
    assert_eq!(count(notified(&mut hub, 3, Severity::Critical, "first", Some("x"))), 0);
    assert_eq!(count(notified(&mut hub, 3, Severity::Critical, "second", Some("x"))), 1);
    assert_eq!(count(notified(&mut hub, 3, Severity::Warning, "second", Some("x"))), 1);
    while count(notified(&mut hub, 4, Severity::Info, "chatter", None)) == 1 {}
    assert_eq!(count(notified(&mut hub, 4, Severity::Info, "late", Some("y"))), 0);
    assert_eq!(count(notified(&mut hub, 400, Severity::Info, "late", Some("y"))), 1);
    assert_eq!(count(notified(&mut hub, 800, Severity::Info, "late", Some("y"))), 0);
}

#[test]
fn a_phase_of_a_job_that_begins_anew_ends_anew() {
    let mut hub = hub();
    connected(&mut hub);
    let told = |hub: &mut Hub, at, percent| {
        let progress = ProgressFrame {
            job_id: "sync".into(),
            phase: "SYNC".into(),
            percent,
            ..ProgressFrame::default()
        };
        count(
            &hub.step(now(at), frame(2, 1, Frame::Progress(progress))),
            "addon.phase_complete",
        )
    };
    let night = |hub: &mut Hub, at| [0.0, 50.0, 100.0, 100.0].map(|percent| told(hub, at, percent));
    assert_eq!(night(&mut hub, 2), [0, 0, 1, 0]);
    assert_eq!(night(&mut hub, 90_000), [0, 0, 1, 0]);
}

#[test]
fn ends_of_phases_take_no_room_from_what_else_an_add_on_tells() {
    let mut hub = hub();
    connected(&mut hub);
    let mut told = 0;
    for n in 0..420 {
        let progress = ProgressFrame {
            job_id: "sync".into(),
            phase: format!("{n}"),
            percent: 100.0,
            ..ProgressFrame::default()
        };
        let effects = hub.step(now(2), frame(2, 1, Frame::Progress(progress)));
        told += count(&effects, "addon.phase_complete");
    }
    assert_eq!(told, 400);
    let effects = notified(&mut hub, 2, Severity::Info, "job_complete", None);
    assert_eq!(count(&effects, "addon.notification"), 1);
}

#[test]
fn an_event_is_known_by_its_id_over_the_servers_end_however_much_it_says_besides() {
    let mut hub = hub();
    connected(&mut hub);
    let mut metadata: BTreeMap<String, String> = (0..30).map(|n| (format!("a{n:03}"), "v".repeat(400))).collect();
    metadata.insert("event_id".into(), "x".into());
    let notification = Notification {
        event_type: "job_failed".into(),
        severity: Severity::Critical,
        message: "m".into(),
        metadata,
        host: String::new(),
    };
    let effects = hub.step(now(2), frame(2, 1, Frame::Notification(notification)));
    let data = effects.iter().find_map(|effect| match effect {
        Effect::Event(event, _) => Some(event.data.clone()),
        _ => None,
    });
    assert_eq!(data.unwrap()["metadata"]["event_id"], "x");
}

/// The log has a bounded number of events; none of these is a way for one add-on to fill it.
#[test]
fn one_add_on_fills_the_log_only_to_its_share() {
    let mut hub = hub();
    let mut told = 0;
    let (end, mut time, mut connection) = (4 * 3_600, 0, 1);
    while time < end {
        hub.step(now(time), Input::Connected { addon: 2, connection })
            .iter()
            .for_each(|effect| told += usize::from(matches!(effect, Effect::Event(..))));
        for n in 0..20 {
            let severity = if n % 2 == 0 { Severity::Critical } else { Severity::Info };
            let notification = Notification {
                event_type: "job_failed".into(),
                severity,
                message: "m".repeat(5_000),
                metadata: (0..if n == 0 { 100 } else { 1 })
                    .map(|n| (format!("k{n}"), "v".repeat(900)))
                    .collect(),
                host: String::new(),
            };
            for effect in hub.step(now(time), frame(2, connection, Frame::Notification(notification))) {
                let Effect::Event(event, _) = effect else { continue };
                told += 1;
                let bytes = serde_json::to_string(&event).unwrap().len();
                assert!(bytes < 16 << 10, "{bytes} bytes");
            }
        }
        let why = String::new();
        hub.step(
            now(time + 1),
            Input::Closed {
                addon: 2,
                connection,
                why,
            },
        );
        for wait in 2..15 {
            told += events(&hub.step(now(time + wait), Input::Tick)).len();
        }
        (time, connection) = (time + 15, connection + 1);
    }
    let end = end as usize;
    let most = 400 + 200 + 2 * (end / 60) + 20 + end / 300 + 2;
    assert!(told <= most, "{told} events in four hours, {most} at most");
    // What it is in the end is told, however often it came and went before.
    let settled = hub.step(now(time + 86_400), Input::Tick);
    let state = settled
        .iter()
        .any(|effect| matches!(effect, Effect::Event(event, _) if event.kind == "addon.degraded"));
    assert!(state || events(&settled).is_empty(), "{settled:?}");
    let lines = hub.history(2).unwrap().log(Time::UNIX_EPOCH);
    assert!(
        lines.iter().any(|line| line.get().contains("comes and goes")),
        "its page is told"
    );
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::Heartbeat),
        (0.0..200.0).prop_map(progress_frame),
        any::<bool>().prop_map(|over| Frame::Job(Box::new(job(if over {
            JobState::Finished
        } else {
            JobState::Running
        })))),
        Just(Frame::Drives(vec![])),
        "[a-z]{1,6}\\.[a-z]{1,6}".prop_map(|kind| event(&kind)),
        (".{0,12}", ".{0,12}").prop_map(|(level, message)| Frame::Log(LogLine {
            level,
            message,
            ..LogLine::default()
        })),
        ".{0,10}".prop_map(|kind| Frame::Other {
            kind,
            payload: serde_json::Value::Null
        }),
    ]
}

proptest! {
    /// Whatever two add-ons send over whatever connections: names in the streams come from closed sets, only add-on 1
    /// touches jobs and drives, and nothing about a connection that does not count gets through.
    #[test]
    fn nothing_gets_in_by_another_door(steps in proptest::collection::vec(
        (0u64..30, 1u64..3, 1u64..4, 0u8..6, any_frame()), 1..80)
    ) {
        let mut hub = hub();
        let mut time = 0;
        let mut current = [None; 3];
        for (gap, addon, connection, what, some) in steps {
            time += gap;
            let input = match what {
                0 => { current[addon as usize] = Some(connection); Input::Connected { addon, connection } }
                1 => {
                    if current[addon as usize] == Some(connection) { current[addon as usize] = None; }
                    Input::Closed { addon, connection, why: "x".into() }
                }
                2 => Input::Tick,
                _ => frame(addon, connection, some),
            };
            let is_frame = what > 2;
            let counts = current[addon as usize] == Some(connection);
            for effect in hub.step(now(time), input) {
                match effect {
                    Effect::SaveJob(_) | Effect::SaveDrives(_) | Effect::Reply(_) | Effect::SaveLine { .. } => {
                        prop_assert!(is_frame && addon == AGENT && counts);
                    }
                    Effect::Telemetry { item, .. } => {
                        prop_assert!(item.name.bytes().all(|b| b.is_ascii_lowercase()));
                        prop_assert!(!is_frame || counts);
                    }
                    Effect::Event(event, actor) => {
                        prop_assert!(actor.kind != "agent" || ["job.", "drive.", "agent."].iter().any(|p| event.kind.starts_with(p)));
                    }
                    _ => {}
                }
            }
        }
    }
}

//! The JSON Schema of the frames is generated from these types and checked in; this test fails when it is stale, and
//! has an independent validator look at frames of every type. `KILN_BLESS=1 cargo test -p wire --test schema` writes it.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use wire::certificate::{CertificateInfo, CertificateText};
use wire::command::{Answer, Call, CallOutcome, Command as Asked, Reply};
use wire::drive::{Bus, Content, Drive, Ill, Rotation};
use wire::event::{NewEvent, Severity};
use wire::frame::{ActionCall, ActionResult, Frame, Hello, LogLine, Notification, ProgressFrame};
use wire::job::{
    FaultKind, Finding, Job, JobState, Outcome, Phase, PhaseState, PhaseStatus, Progress, Surface, TimePoint, Verdict,
};
use wire::options::{FileSystem, FormatRequest, PlanOptions, Table};
use wire::playbook::PlaybookInfo;
use wire::{Bytes, Celsius, DriveId, JobId, Lba, Problem, Time};

fn collect<T: ToSchema>(defs: &mut Map<String, Value>) -> String {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        defs.insert(name, serde_json::to_value(schema).unwrap());
    }
    T::name().into_owned()
}

fn frame_of(kind: &str, payload: Value) -> Value {
    json!({ "type": "object", "required": ["type", "payload"], "title": kind,
        "properties": { "type": { "const": kind }, "payload": payload } })
}

fn moved(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields.iter_mut() {
                match inner {
                    Value::String(text) if key == "$ref" => *text = text.replace("#/components/schemas/", "#/$defs/"),
                    inner => moved(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(moved),
        _ => {}
    }
}

fn generated() -> Value {
    let mut defs = Map::new();
    let mut kinds = vec![json!({ "type": "object", "required": ["type"], "title": "heartbeat",
        "properties": { "type": { "const": "heartbeat" }, "payload": { "type": "null" } } })];
    macro_rules! frames {
        ($($kind:literal: $type:ty $([$list:ident])?),* $(,)?) => { $(
            let name = collect::<$type>(&mut defs);
            #[allow(unused_mut, reason = "only lists set it again")]
            let mut payload = json!({ "$ref": format!("#/$defs/{name}") });
            $( let _ = stringify!($list); payload = json!({ "type": "array", "items": payload }); )?
            kinds.push(frame_of($kind, payload));
        )* };
    }
    frames!(
        "progress": ProgressFrame,
        "log": LogLine,
        "notification": Notification,
        "hello": Hello,
        "drives": Drive [list],
        "job": Job,
        "unfinished": JobId [list],
        "event": NewEvent,
        "playbooks": PlaybookInfo [list],
        "certificate": CertificateText,
        "command": Call,
        "result": Reply,
        "command": ActionCall,
        "result": ActionResult,
    );
    let manifest = json!({ "type": "object", "description": "By the schema /schemas/manifest.json" });
    kinds.push(frame_of("manifest", manifest));
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frame of Kiln's add-on protocol",
        "description": "One text message of /api/addons/ws. A type that is not here is relayed as it came.",
        "oneOf": kinds,
        "$defs": defs,
    });
    moved(&mut schema);
    schema
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bindings/frames.schema.json")
}

#[test]
fn the_schema_is_fresh() {
    let fresh = format!("{}\n", serde_json::to_string_pretty(&generated()).unwrap());
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(path(), &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        kept == fresh,
        "bindings/frames.schema.json is stale: KILN_BLESS=1 cargo test -p wire --test schema"
    );
}

fn job() -> Job {
    let options = PlanOptions {
        format: Some(FormatRequest {
            table: Table::default(),
            filesystem: FileSystem::default(),
            reserved_percent: 2,
            label: "bulk".into(),
        }),
        give_up: vec![DriveId::parse("wwn-5000c500a1b2c3d4").unwrap()],
        soak_hours: Some(24),
        ..PlanOptions::default()
    };
    let progress = Progress {
        phase: Phase::Verify,
        step: 1,
        done: Bytes(5),
        total: Bytes(10),
        rate: Bytes(200_000_000),
        eta: Some(1.5),
        eta_job: None,
        percent: 75.0,
        temperature: Some(Celsius(41)),
        phase_percent: None,
    };
    let finding = Finding {
        kind: FaultKind::Misdirected,
        lba: Some(Lba(8)),
        sectors: 1,
        found: Some(Lba(64)),
        phase: Phase::Verify,
        step: 1,
        detail: "data of LBA 64".into(),
    };
    let state = |phase| PhaseState {
        phase,
        note: "pass 2, backwards".into(),
        rounds: 1,
        status: PhaseStatus::Done,
        seconds: 3.25,
        bytes: Bytes(10),
    };
    Job {
        id: JobId(uuid::Uuid::from_u128(7)),
        drive: DriveId::parse("sn-M-WD_1234-1000").unwrap(),
        model: "M".into(),
        serial: "WD 1234".into(),
        own_serial: Some("WD-1234".into()),
        capacity: Bytes(1000),
        sector: 512,
        playbook: "thorough".into(),
        actor: "ada".into(),
        state: JobState::Waiting {
            why: "drive out".into(),
        },
        phases: vec![state(Phase::Write), state(Phase::Verify)],
        progress: Some(progress),
        findings: vec![finding],
        bad_sectors: 1,
        heading: Vec::new(),
        verdict: Some(Verdict {
            outcome: Outcome::Failed,
            rules: vec![],
            summary: "one sector".into(),
            verified: Bytes(488),
            engine: "1".into(),
        }),
        resumes: vec![],
        surface: vec![Surface {
            phase: Phase::Verify,
            step: 1,
            zones: vec![Bytes(0), Bytes(9)],
            p50_us: 1,
            p99_us: 2,
            max_us: 3,
            latencies: vec![0, 4, 1],
        }],
        smart: vec![],
        self_tests: vec![],
        timeline: vec![TimePoint {
            at: Time::UNIX_EPOCH,
            step: 0,
            temperature: None,
            rate: Bytes(1),
            bad_sectors: 0,
        }],
        options,
        formatted: None,
        certificate: Some(CertificateInfo {
            id: "KC-1".into(),
            key: "ab".into(),
            made: Time::UNIX_EPOCH,
            revoked: None,
        }),
        acknowledged: None,
        started: Time::UNIX_EPOCH,
        ended: None,
    }
}

fn frames() -> Vec<Frame> {
    let drive = Drive {
        id: DriveId::parse("wwn-5000c500a1b2c3d4").ok(),
        key: "k".into(),
        kernel_name: "sda".into(),
        model: "M".into(),
        serial: "S".into(),
        wwn: None,
        capacity: Bytes(1000),
        logical_sector: 512,
        physical_sector: 4096,
        bus: Bus::Sata,
        link_mbps: Some(6000),
        rotation: Rotation::Spinning { rpm: Some(7200) },
        location: "here".into(),
        temperature: None,
        content: Content::Unreadable {
            why: "I/O error".into(),
        },
        refused: None,
        present: true,
        since: Time::UNIX_EPOCH,
        as_of: None,
        bay: None,
        heat_limit: None,
        ill: Some(Ill {
            severity: Severity::Critical,
            says: "300 pending".into(),
            since: Some(Time::UNIX_EPOCH),
        }),
        shown_until: None,
    };
    let call = |command| {
        Frame::Command(Call {
            id: "1".into(),
            command,
        })
    };
    let reply = |outcome| {
        Frame::Result(Reply {
            id: "1".into(),
            outcome,
        })
    };
    let (of, actor) = (JobId(uuid::Uuid::from_u128(7)), || "ada".to_owned());
    let id = || DriveId::parse("wwn-5000c500a1b2c3d4").unwrap();
    vec![
        Frame::Heartbeat,
        Frame::Progress(ProgressFrame {
            kiln: job().progress,
            job_id: of.to_string(),
            ..Default::default()
        }),
        Frame::Log(LogLine {
            level: "info".into(),
            message: "m".into(),
            ..Default::default()
        }),
        Frame::Notification(Notification {
            event_type: "job_complete".into(),
            severity: Severity::Critical,
            message: "m".into(),
            host: String::new(),
            metadata: [("k".to_owned(), "v".to_owned())].into(),
        }),
        Frame::Hello(Hello {
            box_id: "b".into(),
            gate_key: "cd".repeat(32),
            claimed: true,
            known_jobs: vec![of],
            events_seen: 4,
        }),
        Frame::Drives(vec![drive]),
        Frame::Job(Box::new(job())),
        Frame::Unfinished(vec![of]),
        Frame::Event(NewEvent {
            kind: "job.started".into(),
            severity: Severity::Info,
            job: Some(of),
            drive: None,
            message: "m".into(),
            data: json!({ "x": [1, "y"] }),
            origin: Some(3),
        }),
        Frame::Playbooks(vec![PlaybookInfo {
            name: "scan".into(),
            about: "a".into(),
            erases: false,
            own: false,
            steps: vec!["read".into()],
            sweeps: 1,
            self_tests: 0,
            timed_seconds: 0,
            soaks: Vec::new(),
            formats: false,
            judges_new: false,
            text: "name = \"scan\"".into(),
            problem: None,
        }]),
        Frame::Certificate(CertificateText {
            job: of,
            text: "{}".into(),
        }),
        call(Asked::Plan {
            drives: vec![id()],
            playbook: "standard".into(),
            options: job().options,
        }),
        call(Asked::Scan {
            drives: vec![id()],
            playbook: "scan".into(),
            actor: actor(),
        }),
        call(Asked::Locate {
            drive: id(),
            on: true,
            actor: actor(),
        }),
        call(Asked::NameBay {
            drive: id(),
            bay: "front".into(),
            actor: actor(),
        }),
        call(Asked::Pause {
            job: of,
            actor: actor(),
        }),
        call(Asked::SavePlaybook {
            text: "x".into(),
            actor: actor(),
        }),
        reply(CallOutcome::Ok(Answer::Aborted)),
        reply(CallOutcome::Ok(Answer::Started { jobs: vec![of] })),
        reply(CallOutcome::Ok(Answer::Done {
            told: "light is on".into(),
        })),
        reply(CallOutcome::Error(Problem::new("drive-busy", 409, "busy"))),
    ]
}

#[test]
fn an_independent_validator_takes_frames_of_every_type_and_no_others() {
    let schema = generated();
    let case =
        |name: &str, value: Value, good: bool| json!({ "name": name, "schema": schema, "value": value, "good": good });
    let mut cases = Vec::new();
    for frame in frames() {
        let text = frame.encode();
        assert!(
            !matches!(Frame::decode(text.as_bytes()).unwrap(), Frame::Other { .. }),
            "{text}"
        );
        cases.push(case(
            &text[..text.len().min(100)],
            serde_json::from_str(&text).unwrap(),
            true,
        ));
    }
    let asked = ActionCall {
        request_id: "7".into(),
        component_id: "controls".into(),
        action: "start_job".into(),
        data: json!({ "target": "x" }),
    };
    let told = ActionResult {
        request_id: "7".into(),
        status: None,
        data: Value::Null,
        error: Some("there is no x".into()),
    };
    assert_eq!(
        (told.status(), ActionCall::read(&json!(asked)).unwrap()),
        (422, asked.clone())
    );
    assert_eq!(ActionResult::read(&json!(told)).unwrap(), told);
    assert!(ActionResult::read(&json!({ "request_id": "7", "status": 99 })).is_err());
    for frame in [asked.frame(), told.frame()] {
        let text = frame.encode();
        assert_eq!(
            Frame::decode(text.as_bytes()).unwrap(),
            frame,
            "told apart from the agent's by request_id"
        );
        cases.push(case(&text, serde_json::from_str(&text).unwrap(), true));
    }
    cases.push(case(
        "a manifest",
        json!({ "type": "manifest", "payload": { "name": "n", "version": "1", "pages": [] } }),
        true,
    ));
    for (name, bad) in [
        (
            "a command that asks nothing",
            json!({ "type": "command", "payload": { "request_id": "7" } }),
        ),
        ("a kind nobody knows", json!({ "type": "weather", "payload": {} })),
        (
            "percent as text",
            json!({ "type": "progress", "payload": { "percent": "50" } }),
        ),
        ("a job without an id", {
            let mut whole: Value = serde_json::from_str(&Frame::Job(Box::new(job())).encode()).unwrap();
            whole["payload"].as_object_mut().unwrap().remove("id");
            whole
        }),
        ("an unknown option", {
            let mut whole: Value = serde_json::from_str(&Frame::Job(Box::new(job())).encode()).unwrap();
            whole["payload"]["options"]["colour"] = json!("red");
            whole
        }),
        (
            "an unknown phase",
            json!({ "type": "job", "payload": { "phases": [{ "phase": "dance" }] } }),
        ),
    ] {
        cases.push(case(name, bad, false));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate.py");
    let spawned = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: frames by an independent validator: python3 is not here"
        )
        .unwrap();
        return;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(json!({ "cases": cases }).to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(3) {
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: frames by an independent validator: {told}"
        )
        .unwrap();
        return;
    }
    assert!(output.status.success(), "{told}");
}

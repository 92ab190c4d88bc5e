//! What a Vigil server is told, in fields and types that every implementation reads. Pure.
//!
//! Existing servers drop a frame silently when a field has another type than theirs (`eta` as a number, a metadata value
//! that is no text), close the connection above 64 KiB, and make an event "phase complete" of any progress of 100
//! percent, whatever became of the job. So all of that is impossible here, and held by `tests/vigil.rs` over a whole job.

use serde_json::{Map, Value, json};
use wire::event::Severity;
use wire::frame::{FRAME_MAX_SENT, LogLine, Notification, ProgressFrame};
use wire::job::{Job, JobState, Outcome, Progress};
use wire::{Bytes, Frame, Time};

use super::Who;
use super::manifest::{HOTTEST, LOG, SMART, TEMPERATURE, curve};
use crate::events::Happening;
use crate::record::progress_frame;

/// Most of a progress that is told where 100 means something else.
const NOT_DONE: f64 = 99.9;

/// The word of our pages for a job that waits; existing dashboards end a job by three others alone.
pub const PAUSED: &str = "paused";

/// Longest value of a notification's metadata, in characters.
const METADATA: usize = 500;

/// A frame of the protocol that `wire` has no type for, or whose payload has more fields than that.
fn frame(kind: &str, payload: Value) -> Frame {
    Frame::Other {
        kind: kind.to_owned(),
        payload,
    }
}

/// The manifest as first frame of a connection.
pub fn manifest(manifest: Value) -> Frame {
    frame("manifest", manifest)
}

/// What a command came to: `status` as in HTTP, `data`, and `error` in a sentence where it was refused.
pub fn result(request_id: &str, said: Result<super::ask::Said, wire::Problem>) -> Frame {
    let payload = match said {
        Ok(said) => json!({ "request_id": request_id, "status": said.status, "data": said.value }),
        Err(problem) => json!({ "request_id": request_id, "status": problem.status,
            "error": format!("{}. {}", problem.title, problem.detail).trim(), "data": problem }),
    };
    frame("result", payload)
}

/// How far a job is: the documented fields, and beside them those that existing dashboards draw. Our own server also gets
/// what its page shows.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole seconds, not negative; what is larger stays at the highest"
)]
pub fn progress(told: &ProgressFrame, job: Option<&Job>, who: &Who, home: bool, now: Time) -> Frame {
    let mut payload = Map::new();
    let mut put = |key: &str, value: Value| drop(payload.insert(key.to_owned(), value));
    let why = job.and_then(waits);
    let still = why.is_some();
    put("agent_id", json!(who.host));
    put("job_id", json!(told.job_id));
    put("phase", json!(told.phase));
    put(
        "percent",
        json!(if home {
            told.percent
        } else {
            told.percent.clamp(0.0, NOT_DONE)
        }),
    );
    put("message", json!(told.message));
    put("eta", json!(if still { "" } else { &told.eta }));
    put("bytes_done", json!(told.bytes_done));
    put("bytes_total", json!(told.bytes_total));
    if let Some(progress) = &told.kiln {
        put("phase_detail", json!(progress.phase.label()));
        let rate = if still { 0 } else { progress.rate.0 };
        put("speed_mbps", json!(rate as f64 / 1e6));
        if let Some(temperature) = progress.temperature {
            put("temp_c", json!(temperature.0));
        }
        if let Some(eta) = progress.eta_job.or(progress.eta).filter(|_| !still) {
            put("eta_sec", json!(eta.max(0.0).round() as i64));
        }
        if home {
            put("kiln", serde_json::to_value(progress).unwrap_or_default());
        }
    }
    if let Some(why) = why {
        put("status", json!(PAUSED));
        put("message", json!(why));
    }
    if let Some(job) = job {
        put("command", json!(job.playbook));
        put("model", json!(job.model));
        put("serial", json!(job.serial));
        put("elapsed_sec", json!(elapsed(job, now)));
        put(
            "badblocks_errors",
            json!(i64::try_from(job.bad_sectors).unwrap_or(i64::MAX)),
        );
        if let Some(deltas) = deltas(job) {
            put("smart_deltas", deltas);
        }
    }
    fit("progress", payload)
}

/// Why a job waits, if it does.
pub fn waits(job: &Job) -> Option<&str> {
    match &job.state {
        JobState::Waiting { why } => Some(why),
        JobState::Running | JobState::Finished | JobState::Aborted => None,
    }
}

/// Where a job stands of which no worker tells: it waits, or goes on and has not moved yet.
pub fn stands(job: &Job, who: &Who, now: Time) -> Frame {
    if let Some(progress) = &job.progress {
        let still = Progress {
            rate: Bytes(0),
            eta: None,
            eta_job: None,
            ..progress.clone()
        };
        return self::progress(&progress_frame(job, &still), Some(job), who, false, now);
    }
    // An orderly end of the agent took its percent along.
    let (status, message) = waits(job).map_or_else(|| (status(job), ""), |why| (PAUSED, why));
    let payload = json!({
        "agent_id": who.host, "job_id": job.id.to_string(), "command": job.playbook, "phase": "waiting", "status": status,
        "message": message, "eta": "", "speed_mbps": 0, "elapsed_sec": elapsed(job, now), "model": job.model,
        "serial": job.serial,
    });
    fit("progress", payload.as_object().cloned().unwrap_or_default())
}

/// The last word on a job's progress: where it stands still, and as what. Never 100 percent, see the module's head.
pub fn over(job: &Job, who: &Who, now: Time) -> Frame {
    let payload = json!({
        "agent_id": who.host, "job_id": job.id.to_string(), "command": job.playbook, "phase": "COMPLETE",
        "status": status(job), "percent": NOT_DONE, "eta": "", "bytes_done": 0, "bytes_total": 0,
        "message": job.verdict.as_ref().map_or("", |verdict| verdict.summary.as_str()),
        "elapsed_sec": elapsed(job, now), "model": job.model, "serial": job.serial,
        "verdict": verdict(job),
    });
    fit("progress", payload.as_object().cloned().unwrap_or_default())
}

/// Seconds since a job's start, or what it took.
pub fn elapsed(job: &Job, now: Time) -> i64 {
    (job.ended.unwrap_or(now).as_second() - job.started.as_second()).max(0)
}

/// A job's verdict in one word; empty while there is none.
pub fn verdict(job: &Job) -> &'static str {
    job.verdict.as_ref().map_or("", |verdict| verdict.outcome.word())
}

/// The word of existing dashboards for where a job stands.
pub fn status(job: &Job) -> &'static str {
    match (&job.state, job.verdict.as_ref().map(|verdict| verdict.outcome)) {
        (state, _) if !state.is_over() => "running",
        (_, Some(Outcome::Failed)) => "failed",
        (JobState::Aborted, _) => "cancelled",
        (_, Some(Outcome::Passed | Outcome::Warn | Outcome::Inconclusive)) => "completed",
        (_, None) => "failed",
    }
}

/// SMART differences by attribute number; `None` where there are none yet.
fn deltas(job: &Job) -> Option<Value> {
    let numbered = job.smart.iter().filter_map(|row| {
        let (id, before) = (row.id?, row.before?);
        let now = row.after.unwrap_or(before);
        Some((
            id.to_string(),
            json!({ "name": row.name, "baseline": before, "current": now }),
        ))
    });
    let deltas: Map<String, Value> = numbered.take(100).collect();
    (!deltas.is_empty()).then_some(Value::Object(deltas))
}

/// Rows of a SMART table.
pub fn rows(job: &Job) -> Vec<Value> {
    let drive = format!("{} {}", job.model, job.serial);
    let row = |row: &wire::job::SmartRow| {
        let delta = row
            .before
            .zip(row.after)
            .map(|(before, after)| after.saturating_sub(before));
        json!({ "drive": drive, "serial": job.serial, "job_id": job.id.to_string(), "id": row.id, "name": row.name,
            "baseline": row.before, "current": row.after, "delta": delta })
    };
    job.smart.iter().map(row).collect()
}

/// A job's SMART table: one frame, or several with `part` and `parts` where one would be too long.
pub fn smart(job: &Job) -> Vec<Frame> {
    let rows = rows(job);
    if rows.is_empty() {
        return Vec::new();
    }
    let payload = |rows: &[Value], part: usize, parts: usize| {
        let mut payload =
            json!({ "component_id": SMART, "job_id": job.id.to_string(), "serial": job.serial, "rows": rows });
        if parts > 1 {
            payload["part"] = json!(part + 1);
            payload["parts"] = json!(parts);
        }
        frame("smart", payload)
    };
    let mut each = rows.len();
    loop {
        let parts: Vec<&[Value]> = rows.chunks(each).collect();
        let frames: Vec<Frame> = parts
            .iter()
            .enumerate()
            .map(|(n, rows)| payload(rows, n, parts.len()))
            .collect();
        if each == 1 || frames.iter().all(|frame| frame.encode().len() <= FRAME_MAX_SENT) {
            return frames;
        }
        each = each.div_ceil(2);
    }
}

/// One point of a curve.
pub fn chart(key: &str, value: i32, at: Time) -> Frame {
    frame(
        "chart",
        json!({ "component_id": TEMPERATURE, "key": key, "value": value, "timestamp": second(at) }),
    )
}

/// The drives' temperatures by curve, the hottest first.
pub fn temperatures(drives: &[wire::drive::Drive]) -> Vec<(String, i32)> {
    let warm = drives.iter().filter(|drive| drive.present);
    let each: Vec<(String, i32)> = warm
        .filter_map(|drive| Some((curve(drive), drive.temperature?.0)))
        .collect();
    let hottest = each.iter().map(|(_, degrees)| *degrees).max();
    hottest
        .map(|degrees| (HOTTEST.to_owned(), degrees))
        .into_iter()
        .chain(each)
        .collect()
}

/// A log line, its level one of `info`, `warn`, `error`, `debug`.
pub fn log(line: &LogLine, now: Time) -> Frame {
    let level = match line.level.as_str() {
        "warn" | "warning" => "warn",
        "error" | "critical" => "error",
        "debug" | "trace" => "debug",
        _ => "info",
    };
    let mut payload = json!({ "component_id": LOG, "level": level, "message": line.message, "source": line.source,
        "timestamp": line.timestamp.clone().unwrap_or_else(|| second(now)) });
    if let Some(job) = &line.job_id {
        payload["job_id"] = json!(job);
    }
    fit("log", payload.as_object().cloned().unwrap_or_default())
}

/// What happened: its notifications, or a log line where the protocol knows no word for it. `number` is that of the spool;
/// it stands in the metadata, so that whoever is told twice can know.
pub fn happening(happening: &Happening, number: Option<u64>, who: &Who, now: Time) -> Vec<Frame> {
    let at = happening.at.unwrap_or(now);
    if happening.notifications.is_empty() {
        let event = &happening.event;
        let level = match event.severity {
            Severity::Info => "info",
            Severity::Warning => "warn",
            Severity::Critical => "error",
        };
        let line = LogLine {
            level: level.to_owned(),
            message: event.message.clone(),
            source: who.host.clone(),
            job_id: event.job.map(|job| job.to_string()),
            timestamp: Some(second(at)),
        };
        return vec![log(&line, now)];
    }
    let told = happening.notifications.iter();
    told.map(|told| notification(told, number, who, at)).collect()
}

fn notification(told: &Notification, number: Option<u64>, who: &Who, at: Time) -> Frame {
    let metadata = told
        .metadata
        .iter()
        .take(50)
        .map(|(key, value)| (key.clone(), json!(cut(value, METADATA))));
    let mut metadata: Map<String, Value> = metadata.collect();
    if let Some(number) = number {
        metadata.insert("event_id".to_owned(), json!(format!("{number}-{}", told.event_type)));
    }
    let severity = match told.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let job = told.metadata.get("job_id").map(String::as_str).unwrap_or_default();
    let host = match told.host.as_str() {
        "" => who.host.as_str(),
        host => host,
    };
    let payload = json!({ "event_type": told.event_type, "severity": severity, "message": told.message, "host": host,
        "time": second(at), "source": format!("addon:kiln-burnin:agent:{}:job:{job}", who.host), "metadata": metadata });
    fit("notification", payload.as_object().cloned().unwrap_or_default())
}

/// A time as existing add-ons write it: to the second, UTC.
pub fn second(at: Time) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… [cut]", &text[..at]),
    }
}

/// The frame, its `message` cut with a marker where it would be longer than the protocol allows.
fn fit(kind: &str, mut payload: Map<String, Value>) -> Frame {
    let whole = frame(kind, Value::Object(payload.clone()));
    if whole.encode().len() <= FRAME_MAX_SENT {
        return whole;
    }
    let message = payload
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let ends: Vec<usize> = message.char_indices().map(|(at, _)| at).collect();
    let mut cut_at = |characters: usize| {
        let kept = &message[..ends.get(characters).copied().unwrap_or(message.len())];
        let marked = format!("{kept}… [cut: {} more bytes]", message.len() - kept.len());
        payload.insert("message".to_owned(), json!(marked));
        frame(kind, Value::Object(payload.clone()))
    };
    // Escaping makes the length jump: the longest beginning that fits is looked for by halving.
    let (mut fits, mut long) = (0, ends.len());
    while fits + 1 < long {
        let half = fits.midpoint(long);
        match cut_at(half).encode().len() <= FRAME_MAX_SENT {
            true => fits = half,
            false => long = half,
        }
    }
    cut_at(fits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use wire::job::{Phase, SmartRow};

    use super::*;
    use crate::events;

    fn who() -> Who {
        Who {
            host: "box".into(),
            gate: false,
        }
    }

    fn payload(frame: &Frame) -> Value {
        let value: Value = serde_json::from_str(&frame.encode()).unwrap();
        value["payload"].clone()
    }

    #[test]
    fn progress_never_says_a_hundred_on_a_foreign_server() {
        let told = ProgressFrame {
            percent: 100.0,
            eta: "2h13m".into(),
            ..ProgressFrame::default()
        };
        let foreign = payload(&progress(&told, None, &who(), false, Time::UNIX_EPOCH));
        assert!(foreign["percent"].as_f64().unwrap() < 100.0 && foreign["eta"] == "2h13m");
        assert!(foreign.get("kiln").is_none());
        let home = payload(&progress(&told, None, &who(), true, Time::UNIX_EPOCH));
        assert_eq!(home["percent"], 100.0);
    }

    /// The page of a paused job said that it seeks at 858 MB/s.
    #[test]
    fn a_job_that_waits_is_told_as_paused_and_still() {
        let why = "paused by ann";
        let mut job = Job {
            state: JobState::Waiting { why: why.into() },
            ..events::tests::job()
        };
        let progress = Progress {
            step: 2,
            phase_percent: None,
            phase: Phase::Write,
            done: Bytes(500),
            total: Bytes(1000),
            rate: Bytes(858_000_000),
            eta: Some(5400.0),
            eta_job: Some(5400.0),
            percent: 25.0,
            temperature: None,
        };
        let of_worker = |job: &Job| {
            let told = progress_frame(job, &progress);
            payload(&super::progress(&told, Some(job), &who(), false, Time::UNIX_EPOCH))
        };
        let still = |job: &Job| payload(&stands(job, &who(), Time::UNIX_EPOCH));
        let is_still = |told: &Value| {
            (told["speed_mbps"].as_f64(), told.get("eta_sec"), told["eta"].as_str()) == (Some(0.0), None, Some(""))
        };
        // After an orderly end of the agent nothing is known of how far it was.
        assert!(still(&job).get("percent").is_none());
        let first = still(&job);
        job.progress = Some(progress.clone());
        for told in [first, still(&job), of_worker(&job)] {
            assert_eq!((&told["status"], &told["message"]), (&json!("paused"), &json!(why)));
            assert!(is_still(&told), "{told}");
        }
        job.state = JobState::Running;
        assert!(is_still(&still(&job)) && still(&job)["percent"] == 25.0);
        assert_eq!(of_worker(&job)["speed_mbps"], 858.0);
        assert!(of_worker(&job).get("status").is_none() && still(&job).get("status").is_none());
    }

    #[test]
    fn what_the_protocol_has_no_word_for_is_a_log_line() {
        let job = events::tests::job();
        let told = happening(&events::paused(&job, "ann"), Some(3), &who(), Time::UNIX_EPOCH);
        let [Frame::Other { kind, payload }] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((kind.as_str(), payload["level"].as_str()), ("log", Some("info")));
        let hot = events::too_hot(&job, wire::Celsius(70), wire::Celsius(50));
        let told = happening(&hot, None, &who(), Time::UNIX_EPOCH);
        assert_eq!(payload_of(&told[0])["level"], "warn", "not `warning`");
    }

    fn payload_of(frame: &Frame) -> Value {
        payload(frame)
    }

    #[test]
    fn notifications_carry_texts_only_and_their_number() {
        let told = happening(
            &events::ended(&events::tests::passed()),
            Some(9),
            &who(),
            Time::UNIX_EPOCH,
        );
        assert_eq!(told.len(), 2);
        let first = payload(&told[0]);
        assert_eq!(first["event_type"], "burnin_passed");
        assert_eq!((&first["severity"], &first["host"]), (&json!("info"), &json!("box")));
        assert_eq!(first["time"], "1970-01-01T00:00:00Z");
        assert!(first["metadata"].as_object().unwrap().values().all(Value::is_string));
        assert_eq!(first["metadata"]["event_id"], "9-burnin_passed");
        assert_ne!(first["metadata"]["event_id"], payload(&told[1])["metadata"]["event_id"]);
    }

    #[test]
    fn a_table_that_is_too_long_comes_in_parts_with_every_row_once() {
        let row = |id: u16| SmartRow {
            id: Some(id),
            name: "x".repeat(300),
            before: Some(1),
            after: Some(3),
            limit: None,
        };
        let job = Job {
            smart: (0..700).map(row).collect(),
            ..events::tests::job()
        };
        let frames = smart(&job);
        assert!(frames.len() > 1);
        let mut ids = Vec::new();
        for (n, frame) in frames.iter().enumerate() {
            assert!(frame.encode().len() <= FRAME_MAX_SENT);
            let payload = payload(frame);
            assert_eq!(
                (payload["part"].as_u64(), payload["parts"].as_u64()),
                (Some(n as u64 + 1), Some(frames.len() as u64))
            );
            ids.extend(
                payload["rows"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["id"].as_u64().unwrap()),
            );
            assert_eq!(payload["rows"][0]["delta"], 2);
        }
        assert_eq!(ids, (0..700).collect::<Vec<u64>>());
        assert!(smart(&events::tests::job()).is_empty());
    }

    #[test]
    fn the_hottest_drive_has_a_curve_of_its_own() {
        let drives = crate::vigil::shapes::tests::drives(3);
        let told = temperatures(&drives);
        assert_eq!(told[0], ("temp_c".to_owned(), 32));
        assert_eq!(told.len(), 4);
        assert!(temperatures(&[]).is_empty());
    }

    #[test]
    fn a_jobs_word_tells_failed_from_cancelled_from_completed() {
        let job = |state, outcome| {
            let mut job = events::tests::passed();
            job.state = state;
            job.verdict.as_mut().unwrap().outcome = outcome;
            job
        };
        for (state, outcome, word) in [
            (JobState::Running, Outcome::Passed, "running"),
            (JobState::Finished, Outcome::Passed, "completed"),
            (JobState::Finished, Outcome::Warn, "completed"),
            (JobState::Finished, Outcome::Failed, "failed"),
            (JobState::Aborted, Outcome::Inconclusive, "cancelled"),
            (JobState::Aborted, Outcome::Failed, "failed"),
        ] {
            assert_eq!(status(&job(state, outcome)), word);
        }
    }

    proptest! {
        #[test]
        fn no_message_makes_a_frame_too_long(unit in "[a\u{1}\"ä\u{1F600}\\\\\n]{1,8}", times in 0_usize..40_000, level in ".{0,12}") {
            let line = LogLine { level, message: unit.repeat(times), ..LogLine::default() };
            let frame = log(&line, Time::UNIX_EPOCH);
            let text = frame.encode();
            prop_assert!(text.len() <= FRAME_MAX_SENT);
            let payload = payload(&frame);
            let message = payload["message"].as_str().unwrap();
            if message == line.message { return Ok(()); }
            let kept = message.split("… [cut: ").next().unwrap();
            prop_assert!(line.message.starts_with(kept) && text.len() > FRAME_MAX_SENT - 100, "cut too short: {}", text.len());
            let lost = line.message.len() - kept.len();
            let marker = format!("… [cut: {lost} more bytes]");
            prop_assert!(message.ends_with(&marker));
            prop_assert!(["info", "warn", "error", "debug"].contains(&payload["level"].as_str().unwrap()));
        }
    }
}

//! Frames from add-ons that we did not write: read leniently where that is safe, and never silently.
//!
//! Existing add-ons send `eta` as a number, `percent` as a text, `bytes_done` with decimals. Existing servers drop such a
//! frame without a word. Here it is corrected, in the payload as well as in the typed frame, and each correction is a
//! warning that the server writes into the add-on's log. A value that cannot be meant is an error that names its field.
//! The rules of each field are in `fields.rs`.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{BadFrame, Frame, LogLine, Notification, ProgressFrame};
use crate::event::{Severity, server_only};

/// Most warnings of one frame; the rest is counted.
const WARNINGS_MAX: usize = 8;

/// Most points of one `metric` frame and rows of one `smart` frame that are looked at; a frame has no room for more.
const ITEMS_MAX: usize = 20_000;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The frame.
    pub frame: Frame,
    /// Its payload with all fields that came, known or not; those that were corrected are as in `frame`. Null for the
    /// frames that only the box's own agent and server exchange, which are never shown as they came.
    pub payload: Value,
    /// What was corrected, each naming its field.
    pub warnings: Vec<String>,
    /// Whether the bytes say the same as `payload`: nothing was corrected, and no word of other add-ons was put in ours.
    pub as_it_came: bool,
}

impl Frame {
    /// Reads one frame of an add-on, correcting what can safely be corrected.
    ///
    /// # Errors
    /// Names the field that cannot be read, or the event type that only a server may tell; the connection goes on.
    pub fn read(bytes: &[u8]) -> Result<Read, BadFrame> {
        let (kind, mut rest) = Self::envelope(bytes)?;
        let payload = rest.remove("payload");
        let mut warnings = Vec::new();
        let mut object = |payload: Option<Value>| match payload {
            Some(Value::Object(map)) => Ok(map),
            None if !rest.is_empty() => {
                warnings.push(format!(
                    "frame \"{kind}\": payload: it is missing; the fields beside \"type\" were taken for it"
                ));
                Ok(std::mem::take(&mut rest))
            }
            None => Err(BadFrame::field(&kind, "payload", "expected an object, it is missing")),
            Some(other) => Err(BadFrame::field(
                &kind,
                "payload",
                format!("expected an object, found {}", super::fields::shown(&other)),
            )),
        };
        let mut translated = false;
        let (frame, payload) = match kind.as_str() {
            "heartbeat" => (Self::Heartbeat, payload.unwrap_or(Value::Null)),
            "progress" | "log" | "notification" | "chart" | "metric" | "smart" | "attributes" => {
                let mut map: Map<String, Value> = object(payload)?;
                let level = map.get("level").filter(|_| kind == "log").cloned();
                let mut fields = Fields::new(&kind, &mut map, &mut warnings);
                let frame = match kind.as_str() {
                    "progress" => Some(Self::Progress(progress(&mut fields)?)),
                    "log" => Some(Self::Log(log(&mut fields))),
                    "notification" => Some(Self::Notification(notification(&mut fields)?)),
                    _ => {
                        series(&kind, &mut map, &mut warnings)?;
                        None
                    }
                };
                translated = kind == "log" && map.get("level") != level.as_ref();
                let payload = Value::Object(map);
                let other = || Self::Other {
                    kind: kind.clone(),
                    payload: payload.clone(),
                };
                (frame.unwrap_or_else(other), payload)
            }
            _ => {
                let frame = Self::typed(&kind, payload.unwrap_or(Value::Null))?;
                let copy = if let Self::Other { payload, .. } = &frame {
                    payload.clone()
                } else {
                    Value::Null
                };
                (frame, copy)
            }
        };
        let as_it_came = warnings.is_empty() && !translated;
        if warnings.len() > WARNINGS_MAX {
            let more = warnings.len() - WARNINGS_MAX;
            warnings.truncate(WARNINGS_MAX);
            warnings.push(format!("frame \"{kind}\": {more} more fields were corrected"));
        }
        Ok(Read {
            frame,
            payload,
            warnings,
            as_it_came,
        })
    }
}

fn progress(fields: &mut Fields<'_>) -> Result<ProgressFrame, BadFrame> {
    let job_id = fields.text("job_id");
    let phase = fields.text("phase");
    let message = fields.text("message");
    let percent = fields.percent("percent")?;
    let bytes_done = fields.whole("bytes_done")?;
    let bytes_total = fields.whole("bytes_total")?;
    for key in ["eta_sec", "elapsed_sec", "speed_mbps", "temp_c", "badblocks_errors"] {
        fields.extra_number(key);
    }
    Ok(ProgressFrame {
        job_id,
        phase,
        percent,
        message,
        eta: fields.eta(),
        bytes_done,
        bytes_total,
        kiln: fields.typed("kiln")?,
    })
}

fn log(fields: &mut Fields<'_>) -> LogLine {
    fields.text("component_id");
    LogLine {
        level: fields.level(),
        message: fields.text("message"),
        source: fields.text("source"),
        job_id: fields.optional_text("job_id"),
        timestamp: fields.moment("timestamp"),
    }
}

fn notification(fields: &mut Fields<'_>) -> Result<Notification, BadFrame> {
    let event_type = fields.text("event_type");
    if server_only(&event_type) {
        return Err(BadFrame::Reserved { event_type });
    }
    if event_type.is_empty() {
        fields.warn("event_type", "expected a word like job_complete, it is missing");
    }
    fields.text("source");
    fields.text("time");
    Ok(Notification {
        event_type,
        severity: severity(fields),
        message: fields.text("message"),
        host: fields.text("host"),
        metadata: fields.metadata()?,
    })
}

fn severity(fields: &mut Fields<'_>) -> Severity {
    let word = fields.text("severity");
    match word.as_str() {
        "info" | "" => Severity::Info,
        "warning" | "warn" => Severity::Warning,
        "critical" | "error" => Severity::Critical,
        _ => {
            fields.correct(
                "severity",
                "expected info, warning or critical",
                Value::String("info".to_owned()),
            );
            Severity::Info
        }
    }
}

/// Points of charts, and rows of tables.
fn series(kind: &str, map: &mut Map<String, Value>, warnings: &mut Vec<String>) -> Result<(), BadFrame> {
    let list = match kind {
        "smart" | "attributes" => Some("rows"),
        "metric" if map.contains_key("metrics") => Some("metrics"),
        _ => None,
    };
    let mut fields = Fields::new(kind, map, warnings);
    fields.text("component_id");
    fields.moment("timestamp");
    let Some(list) = list else {
        fields.text("key");
        return fields.number("value");
    };
    let Some(Value::Array(items)) = map.get_mut(list) else {
        let found = map.get(list).map_or_else(
            || "it is missing".to_owned(),
            |value| format!("found {}", super::fields::shown(value)),
        );
        return Err(BadFrame::field(kind, list, format!("expected a list, {found}")));
    };
    for (index, item) in items.iter_mut().take(ITEMS_MAX).enumerate() {
        let place = format!("{list}[{index}]");
        let Value::Object(item) = item else {
            return Err(BadFrame::field(
                kind,
                &place,
                format!("expected an object, found {}", super::fields::shown(item)),
            ));
        };
        if list == "metrics" {
            let mut fields = Fields::new(kind, item, warnings).within(place);
            fields.text("key");
            fields.number("value")?;
            fields.moment("timestamp");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(frame: &Value) -> Result<Read, String> {
        Frame::read(frame.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_leniency_corrects_the_payload_and_names_its_field() {
        let read_one = |kind: &str, field: &str, value: Value| {
            let mut payload =
                json!({ "job_id": "j", "key": "temp_c", "value": 1, "event_type": "job_complete", "unknown": [1] });
            payload[field] = value;
            let read = read(&json!({ "type": kind, "payload": payload })).unwrap();
            assert_eq!(read.payload["unknown"], json!([1]), "unknown fields stay");
            (read.payload[field].clone(), read.warnings)
        };
        for (kind, field, found, expected) in [
            ("progress", "percent", json!("42.5"), json!(42.5)),
            ("progress", "percent", json!("50 %"), json!(50)),
            ("progress", "percent", json!(-3), json!(0)),
            ("progress", "percent", json!(100.5), json!(100)),
            ("progress", "eta", json!(481), json!("481s")),
            ("progress", "eta", json!(-1), Value::Null),
            ("progress", "bytes_done", json!(1.5), json!(1)),
            ("progress", "bytes_total", json!("4096"), json!(4096)),
            ("progress", "job_id", json!(17), json!("17")),
            ("progress", "temp_c", json!("38"), json!(38)),
            ("progress", "temp_c", json!("hot"), Value::Null),
            ("log", "level", json!("loud"), json!("info")),
            ("log", "message", json!({ "a": 1 }), json!("{\"a\":1}")),
            ("notification", "severity", json!("loud"), json!("info")),
            ("notification", "host", json!(true), json!("true")),
            ("chart", "value", json!("34"), json!(34)),
            ("metric", "key", json!(5), json!("5")),
        ] {
            let (value, warnings) = read_one(kind, field, found);
            assert_eq!(value, expected, "{kind}.{field}");
            assert!(
                warnings.len() == 1 && warnings[0].starts_with(&format!("frame \"{kind}\": {field}: ")),
                "{warnings:?}"
            );
        }
    }

    #[test]
    fn a_time_is_read_as_what_it_must_mean_or_left_out_with_a_word() {
        for (found, expected) in [
            (json!(1_764_403_200), Some("2025-11-29T08:00:00Z")),
            (json!(1_764_403_200.5), Some("2025-11-29T08:00:00.5Z")),
            (json!(1_764_403_200_000_i64), Some("2025-11-29T08:00:00Z")),
            (json!("1764403200"), Some("2025-11-29T08:00:00Z")),
            (json!("1764403200000"), Some("2025-11-29T08:00:00Z")),
            (json!("Sat, 29 Nov 2025 09:00:00 +0100"), Some("2025-11-29T08:00:00Z")),
            (json!("2025-11-29T08:00:00"), None),
            (json!("08:00"), None),
            (json!(17), None),
            (json!(1e17), None),
            (json!(true), None),
        ] {
            for (kind, list) in [("chart", false), ("log", false), ("metric", false), ("metric", true)] {
                let point = json!({ "key": "k", "value": 1, "timestamp": found });
                let payload = if list { json!({ "metrics": [point] }) } else { point };
                let read = read(&json!({ "type": kind, "payload": payload })).unwrap();
                let point = if list {
                    &read.payload["metrics"][0]
                } else {
                    &read.payload
                };
                assert_eq!(
                    point.get("timestamp").and_then(Value::as_str),
                    expected,
                    "{kind} {found}"
                );
                assert_eq!(read.warnings.len(), 1, "{kind} {found}: {:?}", read.warnings);
                let place = if list { "metrics[0].timestamp" } else { "timestamp" };
                assert!(read.warnings[0].contains(place), "{:?}", read.warnings);
            }
        }
        for as_it_is in [
            json!("2025-11-29T08:00:00Z"),
            json!("2025-11-29T09:00:00.123+01:00"),
            json!(null),
        ] {
            let read = read(&json!({ "type": "chart", "payload": { "key": "k", "value": 1, "timestamp": as_it_is } }));
            assert!(read.unwrap().warnings.is_empty(), "{as_it_is}");
        }
    }

    #[test]
    fn what_is_as_documented_or_well_known_brings_no_warning() {
        for frame in [
            json!({ "type": "heartbeat", "payload": null }),
            json!({ "type": "progress", "payload": { "job_id": "j", "phase": "w", "percent": 100, "eta": "2h", "bytes_done": 5.0 } }),
            json!({ "type": "progress", "payload": {} }),
            json!({ "type": "log", "payload": { "level": "WARNING", "message": "m" } }),
            json!({ "type": "notification", "payload": { "event_type": "x", "severity": "critical", "metadata": { "a": "b" } } }),
            json!({ "type": "metric", "payload": { "metrics": [{ "key": "a", "value": 1.5 }] } }),
            json!({ "type": "smart", "payload": { "rows": [{ "id": 5 }] } }),
            json!({ "type": "telemetry", "payload": [1, { "x": null }] }),
            json!({ "type": "result", "payload": { "request_id": "7", "status": 202 } }),
        ] {
            let read = read(&frame).unwrap();
            assert!(read.warnings.is_empty(), "{frame}: {:?}", read.warnings);
        }
        let seconds = read(&json!({ "type": "progress", "payload": { "eta_sec": 481 } })).unwrap();
        assert!(matches!(seconds.frame, Frame::Progress(p) if p.eta == "481s"));
        let level = read(&json!({ "type": "log", "payload": { "level": "warning" } })).unwrap();
        assert!(matches!(&level.frame, Frame::Log(line) if line.level == "warn"));
        assert_eq!(level.payload["level"], "warn", "the page's filter knows one word");
        assert!(!level.as_it_came && seconds.as_it_came);
    }

    #[test]
    fn a_field_that_cannot_be_meant_names_itself() {
        for (frame, says) in [
            (
                json!({ "type": "progress", "payload": { "percent": "half" } }),
                "percent: expected a number, found the text \"half\"",
            ),
            (
                json!({ "type": "progress", "payload": { "percent": [5] } }),
                "percent: expected a number, found a list",
            ),
            (
                json!({ "type": "progress", "payload": { "bytes_done": 1e300 } }),
                "bytes_done: expected a whole number",
            ),
            (
                json!({ "type": "progress", "payload": null }),
                "payload: expected an object, found null",
            ),
            (
                json!({ "type": "progress" }),
                "payload: expected an object, it is missing",
            ),
            (
                json!({ "type": "notification", "payload": { "metadata": ["a"] } }),
                "metadata: expected an object of texts, found a list",
            ),
            (
                json!({ "type": "chart", "payload": { "key": "k" } }),
                "value: expected a number, it is missing",
            ),
            (
                json!({ "type": "chart", "payload": { "key": "k", "value": null } }),
                "value: expected a number, found null",
            ),
            (
                json!({ "type": "metric", "payload": { "metrics": [{ "key": "k", "value": 1 }, { "key": "l", "value": {} }] } }),
                "metrics[1].value: expected a number",
            ),
            (
                json!({ "type": "smart", "payload": { "rows": { "5": 0 } } }),
                "rows: expected a list, found an object",
            ),
            (
                json!({ "type": "smart", "payload": { "rows": [5] } }),
                "rows[0]: expected an object",
            ),
        ] {
            let error = read(&frame).unwrap_err();
            assert!(error.contains(says), "{error} lacks {says}");
        }
    }

    #[test]
    fn metadata_that_is_no_text_becomes_its_json_text() {
        let metadata = json!({ "errors": 3, "drive": "WD", "list": [1] });
        let read =
            read(&json!({ "type": "notification", "payload": { "event_type": "x", "metadata": metadata } })).unwrap();
        assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
        assert_eq!(
            read.payload["metadata"],
            json!({ "errors": "3", "drive": "WD", "list": "[1]" })
        );
        let Frame::Notification(notification) = read.frame else {
            panic!("another frame")
        };
        assert_eq!(notification.metadata["errors"], "3");
    }

    #[test]
    fn fault_server_generated_events_cannot_be_sent_by_an_addon() {
        for word in [
            "addon_degraded",
            "addon_online",
            "Addon-Online",
            "job.passed",
            "drive.alert",
        ] {
            let error = read(&json!({ "type": "notification", "payload": { "event_type": word } })).unwrap_err();
            assert!(error.contains("by the server alone"), "{error}");
        }
    }

    #[test]
    fn a_flat_frame_is_taken_and_told_of() {
        let read = read(&json!({ "type": "log", "level": "info", "message": "m", "agent_id": "n" })).unwrap();
        assert!(matches!(read.frame, Frame::Log(line) if line.message == "m"));
        assert!(read.payload["agent_id"] == "n" && read.warnings.len() == 1);
    }

    #[test]
    fn very_many_corrections_are_counted() {
        let metadata: Map<String, Value> = (0..50).map(|n| (n.to_string(), n.into())).collect();
        let read =
            read(&json!({ "type": "notification", "payload": { "event_type": "x", "metadata": metadata } })).unwrap();
        assert!(
            read.warnings.len() == WARNINGS_MAX + 1 && read.warnings[WARNINGS_MAX].contains("42 more"),
            "{:?}",
            read.warnings
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            // Short decimals: they are read as the very number that was written, however serde_json is built.
            (-400i32..1200).prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            any::<i64>().prop_map(Value::from),
            "[0-9.%-]{0,6}|.{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_corrected_frame_reads_again_without_a_word(
            kind in "progress|log|notification|chart|metric|smart",
            fields in proptest::collection::btree_map(
                "percent|eta|eta_sec|bytes_done|bytes_total|job_id|phase|message|level|source|timestamp|event_type|severity|host|metadata|key|value|metrics|rows|temp_c",
                any_json(), 0..8),
        ) {
            let payload = Value::Object(fields.into_iter().collect());
            let bytes = json!({ "type": kind, "payload": payload }).to_string();
            if let Ok(first) = Frame::read(bytes.as_bytes()) {
                let again = json!({ "type": kind, "payload": first.payload }).to_string();
                let second = Frame::read(again.as_bytes()).unwrap();
                let odd = |warning: &&String| !warning.contains("event_type");
                prop_assert_eq!(second.warnings.iter().filter(odd).count(), 0, "{:?}", second.warnings);
                prop_assert_eq!(&first.frame, &second.frame);
                if let Frame::Progress(progress) = &second.frame {
                    prop_assert!((0.0..=100.0).contains(&progress.percent));
                    prop_assert!(Frame::decode(again.as_bytes()).is_ok(), "what is corrected, every reader takes");
                }
            }
        }
    }
}

//! Frames from add-ons that we did not write: read leniently where that is safe, and never silently.
//!
//! Existing add-ons send `eta` as a number, `percent` as a text, `bytes_done` with decimals. Existing servers drop such a
//! frame without a word. Here it is corrected, in the payload as well as in the typed frame, and each correction is a
//! warning that the server writes into the add-on's log. A value that cannot be meant is an error that names its field.
//! The rules of each field are in `fields.rs`.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{BadFrame, Frame, LogLine, Notification, ProgressFrame};
use crate::event::{Severity, server_only, unlike_ours};

/// Most warnings of one frame; the rest is counted.
const WARNINGS_MAX: usize = 8;

/// Most points of one `metric` frame and rows of one `smart` frame that are looked at; a frame has no room for more.
const ITEMS_MAX: usize = 20_000;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The frame.
    pub frame: Frame,
    /// Its payload with all fields that came, known or not; those that were corrected are as in `frame`.
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
        let mut warnings = Vec::new();
        let value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => {
                let text = paired(bytes).ok_or(BadFrame::Json(error))?;
                warnings.push("a text was cut within a character; \\ufffd stands in its place".to_owned());
                serde_json::from_slice(&text).map_err(BadFrame::Json)?
            }
        };
        let (kind, mut rest) = Self::parts(value)?;
        let payload = rest.remove("payload");
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
                // Words of which others have several for one thing.
                let word = match kind.as_str() {
                    "log" => "level",
                    "notification" => "severity",
                    _ => "",
                };
                let said = map.get(word).cloned();
                let mut fields = Fields::new(&kind, &mut map, &mut warnings);
                let frame = match kind.as_str() {
                    "progress" => Some(Self::Progress(progress(&mut fields)?)),
                    "log" => Some(Self::Log(log(&mut fields))),
                    "notification" => Some(Self::Notification(notification(&mut fields)?)),
                    _ => {
                        translated = series(&kind, &mut map, &mut warnings)?;
                        None
                    }
                };
                translated |= map.get(word) != said.as_ref();
                let payload = Value::Object(map);
                let other = || Self::Other {
                    kind: kind.clone(),
                    payload: payload.clone(),
                };
                (frame.unwrap_or_else(other), payload)
            }
            // What only the box's own agent and server mean by a word is not what another add-on means by it.
            _ => {
                let payload = payload.unwrap_or(Value::Null);
                let frame = Self::Other {
                    kind: kind.clone(),
                    payload: payload.clone(),
                };
                (frame, payload)
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
    let event_type = match unlike_ours(&event_type) {
        Some(taken) => {
            let expected = "expected a word that is no kind of event of the server's own";
            fields.correct("event_type", expected, Value::String(taken.clone()));
            taken
        }
        None => event_type,
    };
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
    match Severity::of_word(&word) {
        Some(severity) => {
            fields.put("severity", severity.word().into());
            severity
        }
        None if word.is_empty() => Severity::Info,
        None => {
            fields.correct(
                "severity",
                "expected info, warning or critical",
                Value::String("info".to_owned()),
            );
            Severity::Info
        }
    }
}

/// The same JSON with U+FFFD for each half of a pair of surrogates whose other half is missing: languages whose texts are of such
/// halves cut between them, and write what is left. `None` where there is no such half.
fn paired(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (high, low) = (0xd800..=0xdbff, 0xdc00..=0xdfff);
    let mut out = bytes.to_vec();
    let (mut at, mut lone) = (0, false);
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        at += found;
        match unit(at) {
            Some(first) if high.contains(&first) && unit(at + 6).is_some_and(|next| low.contains(&next)) => at += 12,
            Some(half) if high.contains(&half) || low.contains(&half) => {
                if let Some(place) = out.get_mut(at..at + 6) {
                    place.copy_from_slice(b"\\ufffd");
                    lone = true;
                }
                at += 6;
            }
            // Another escape: what follows its backslash is part of it.
            _ => at += 2,
        }
    }
    lone.then_some(out)
}

/// Points of charts, and rows of tables; whether one says now in another way what it said, for which there is no warning.
fn series(kind: &str, map: &mut Map<String, Value>, warnings: &mut Vec<String>) -> Result<bool, BadFrame> {
    let list = match kind {
        "smart" | "attributes" => Some("rows"),
        "metric" if map.contains_key("metrics") => Some("metrics"),
        _ => None,
    };
    let mut fields = Fields::new(kind, map, warnings);
    fields.text("component_id");
    fields.text("job_id");
    fields.moment("timestamp");
    let Some(list) = list else {
        fields.text("key");
        return fields.number("value").map(|()| false);
    };
    // An empty list, as programs write it whose lists are pointers. A page, too, is told that there are no rows now.
    let is_null = map.get(list) == Some(&Value::Null);
    if is_null {
        map.insert(list.to_owned(), Value::Array(Vec::new()));
    }
    let Some(Value::Array(items)) = map.get_mut(list) else {
        let found = map.get(list).map_or_else(
            || "it is missing".to_owned(),
            |value| format!("found {}", super::fields::shown(value)),
        );
        return Err(BadFrame::field(kind, list, format!("expected a list, {found}")));
    };
    let mut unread = Vec::new();
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
            fields.moment("timestamp");
            if let Err(why) = fields.number("value") {
                unread.push((index, why));
            }
        }
    }
    if !unread.is_empty() && unread.len() == items.len() {
        return unread.into_iter().next().map_or(Ok(is_null), |(_, why)| Err(why));
    }
    // A drive that sleeps has no temperature; the others have.
    for (index, why) in unread.into_iter().rev() {
        items.remove(index);
        warnings.push(format!("{why}; left out"));
    }
    Ok(is_null)
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
                json!({ "type": "metric", "payload": { "metrics": [{ "key": "k", "value": null }, { "key": "l", "value": {} }] } }),
                "metrics[0].value: expected a number",
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
        for word in ["addon_degraded", "addon_online", "Addon-Online", "addon.degraded"] {
            let error = read(&json!({ "type": "notification", "payload": { "event_type": word } })).unwrap_err();
            assert!(error.contains("by the server alone"), "{error}");
        }
    }

    #[test]
    fn a_word_like_ours_comes_as_another_one() {
        for (sent, taken) in [
            ("job.failed", "job_failed"),
            ("drive:failed", "drive_failed"),
            ("my.event", "my.event"),
        ] {
            let payload = json!({ "event_type": sent, "severity": "critical" });
            let read = read(&json!({ "type": "notification", "payload": payload })).unwrap();
            assert_eq!(read.payload["event_type"], taken);
            assert_eq!(read.warnings.len(), usize::from(sent != taken), "{:?}", read.warnings);
            assert!(matches!(read.frame, Frame::Notification(n) if n.event_type == taken));
        }
    }

    #[test]
    fn a_severity_in_capitals_or_other_words_is_what_it_means() {
        for (sent, means) in [
            ("CRITICAL", "critical"),
            (" fatal ", "critical"),
            ("Warn", "warning"),
            ("info", "info"),
        ] {
            let payload = json!({ "event_type": "x", "severity": sent });
            let read = read(&json!({ "type": "notification", "payload": payload })).unwrap();
            assert_eq!((&read.payload["severity"], read.warnings.len()), (&json!(means), 0));
            assert_eq!(read.as_it_came, sent == means);
        }
    }

    #[test]
    fn words_of_our_own_agent_are_anybodys_in_another_add_on() {
        for kind in [
            "event",
            "job",
            "drives",
            "certificate",
            "playbooks",
            "unfinished",
            "hello",
            "command",
            "result",
        ] {
            let payload = json!({ "event": "spinup", "list": [null] });
            let read = read(&json!({ "type": kind, "payload": payload })).unwrap();
            assert_eq!(
                read.frame,
                Frame::Other {
                    kind: kind.to_owned(),
                    payload: payload.clone()
                }
            );
            assert_eq!((read.payload, read.as_it_came), (payload, true));
        }
    }

    #[test]
    fn an_empty_list_and_a_missing_value_cost_no_more_than_themselves() {
        for (kind, list) in [("smart", "rows"), ("attributes", "rows"), ("metric", "metrics")] {
            let empty = read(&json!({ "type": kind, "payload": { list: null } })).unwrap();
            let told = (empty.payload, empty.warnings.len(), empty.as_it_came);
            assert_eq!(
                told,
                (json!({ list: [] }), 0, false),
                "{kind}: what is relayed has the list"
            );
        }
        let metrics = json!([{ "key": "a", "value": 40 }, { "key": "b", "value": null }, { "key": "c", "value": "41" }, { "key": "d" }]);
        let some = read(&json!({ "type": "metric", "payload": { "metrics": metrics } })).unwrap();
        assert_eq!(
            some.payload["metrics"],
            json!([{ "key": "a", "value": 40 }, { "key": "c", "value": 41 }])
        );
        for place in ["metrics[1].value", "metrics[2].value", "metrics[3].value"] {
            assert!(
                some.warnings.iter().any(|warning| warning.contains(place)),
                "{:?}",
                some.warnings
            );
        }
    }

    #[test]
    fn a_job_is_the_same_however_its_number_is_written() {
        for kind in ["smart", "attributes", "chart", "metric", "progress"] {
            for (sent, job) in [(json!(12), "12"), (json!(12.0), "12"), (json!("12"), "12")] {
                let payload = json!({ "job_id": sent, "rows": [], "key": "k", "value": 1 });
                let read = read(&json!({ "type": kind, "payload": payload })).unwrap();
                assert_eq!(read.payload["job_id"], job, "{kind}");
            }
        }
    }

    #[test]
    fn a_text_that_was_cut_within_a_character_is_read_and_told_of() {
        let of = |message: &str| {
            let frame = format!(
                r#"{{"type":"notification","payload":{{"event_type":"job_failed","severity":"critical","message":"{message}"}}}}"#
            );
            Frame::read(frame.as_bytes())
        };
        for (sent, taken) in [
            (r"cut \ud83d", "cut \u{fffd}"),
            (r"\ude00 late", "\u{fffd} late"),
            (r"\uD83D\uD83D\uDE00", "\u{fffd}\u{1f600}"),
            (r"\\ud83d \ud83dx", "\\ud83d \u{fffd}x"),
        ] {
            let read = of(sent).unwrap();
            assert_eq!(read.payload["message"], taken, "{sent}");
            assert!(read.warnings.len() == 1 && !read.as_it_came, "{:?}", read.warnings);
            let again = json!({ "type": "notification", "payload": read.payload }).to_string();
            assert!(Frame::read(again.as_bytes()).unwrap().as_it_came);
        }
        assert!(of(r"\ud83d\ude00").unwrap().warnings.is_empty());
        assert!(of(r"\ud83d\q").is_err() && of(r"\u").is_err());
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

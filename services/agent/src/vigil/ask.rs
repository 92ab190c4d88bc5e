//! What a foreign server asks, as a frame or as an HTTP call: read, and mapped to what the agent can do. Pure.
//!
//! Whether anything of it is done is not decided here: see [`crate::controller`].

use serde_json::{Map, Value};
use wire::options::{FileSystem, FormatRequest, PlanOptions};
use wire::{JobId, Problem};

/// Longest text of a field that is looked at.
const TEXT_MAX: usize = 4_096;

/// Most drives or serials in one field.
const LIST_MAX: usize = 128;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What its result bears.
    pub request_id: String,
    /// Name of the action.
    pub action: String,
    /// The form's values.
    pub data: Map<String, Value>,
}

/// What came of it: an HTTP status, and what is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// 2xx, or 428 where the second step is missing.
    pub status: u16,
    /// For the dashboard.
    pub value: Value,
}

/// What is wanted of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first step of the gate: say what would be lost, and show a code on the console.
    Plan {
        /// Drives as a form names them: serial, path or identity.
        targets: Vec<String>,
        /// Name of the playbook.
        playbook: String,
        /// What was chosen beside it.
        options: Box<PlanOptions>,
    },
    /// The second step.
    Start {
        /// The code from the console.
        code: String,
        /// The whole serial of each drive.
        serials: Vec<String>,
    },
    /// A playbook that only reads.
    Scan {
        /// Drives, as in [`Wanted::Plan`].
        targets: Vec<String>,
        /// Name of the playbook.
        playbook: String,
    },
    /// End a job.
    Cancel(JobId),
    /// Hold a job.
    Pause(JobId),
    /// Let a held job go on.
    Resume(JobId),
}

/// Reads a `command` frame: `{"type":"command","payload":{"request_id","component_id","action","data"}}`. `None` for a frame
/// of another type, and for one without an id, which nobody could be answered for.
pub fn read(bytes: &[u8]) -> Option<Ask> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    if value.get("type")?.as_str()? != "command" {
        return None;
    }
    let payload = value.get("payload")?;
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| payload.get(*key));
        match found {
            Some(Value::String(text)) => Some(text.chars().take(200).collect::<String>()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        }
    };
    let named = || payload.get("command")?.get("name")?.as_str().map(str::to_owned);
    Some(Ask {
        request_id: text(&["request_id", "id"])?,
        action: text(&["action"]).or_else(named).unwrap_or_default(),
        data: payload
            .get("data")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
    })
}

fn unknown(action: &str) -> Problem {
    Problem::new("action-unknown", 404, "The agent knows no such action").with(format!(
        "{action:?}: expected plan, start, execute, scan, cancel, pause or resume."
    ))
}

fn wrong(field: &str, expected: &str) -> Problem {
    Problem::new("field-wrong", 422, format!("The field {field:?} is missing or wrong"))
        .with(format!("Expected {expected}."))
}

/// What an action with these values wants.
///
/// # Errors
/// Names the action or field, and what is expected.
pub fn wanted(action: &str, data: &Map<String, Value>) -> Result<Wanted, Problem> {
    match action {
        "plan" => plan(data),
        "start" => start(data),
        // One call for both steps, as existing dashboards have it: with a code it is the second.
        "execute" | "start_job" if data.contains_key("code") => start(data),
        "execute" | "start_job" => plan(data),
        "scan" => Ok(Wanted::Scan {
            targets: targets(data)?,
            playbook: text(data, "playbook").unwrap_or_else(|| "scan".to_owned()),
        }),
        "cancel" | "cancel-job" | "cancel_job" | "abort" => Ok(Wanted::Cancel(job(data)?)),
        "pause" => Ok(Wanted::Pause(job(data)?)),
        "resume" => Ok(Wanted::Resume(job(data)?)),
        _ => Err(unknown(action)),
    }
}

fn text(data: &Map<String, Value>, key: &str) -> Option<String> {
    let text = data.get(key)?.as_str()?.trim();
    (!text.is_empty() && text.len() <= TEXT_MAX).then(|| text.to_owned())
}

/// A list, or one text with commas or white space between.
fn list(data: &Map<String, Value>, key: &str) -> Vec<String> {
    match data.get(key) {
        Some(Value::Array(values)) => {
            let texts = values
                .iter()
                .filter_map(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty());
            texts.map(str::to_owned).take(LIST_MAX + 1).collect()
        }
        Some(Value::String(text)) if text.len() <= TEXT_MAX => {
            let parts = text
                .split([',', ';', '\n'])
                .map(str::trim)
                .filter(|text| !text.is_empty());
            parts.map(str::to_owned).take(LIST_MAX + 1).collect()
        }
        _ => Vec::new(),
    }
}

fn targets(data: &Map<String, Value>) -> Result<Vec<String>, Problem> {
    let named = ["target", "targets", "drive", "drives", "serial"]
        .iter()
        .map(|key| list(data, key));
    match named.into_iter().find(|list| !list.is_empty()) {
        Some(list) if list.len() <= LIST_MAX => Ok(list),
        _ => Err(wrong(
            "target",
            "the serial number, the identity or the path of at least one drive",
        )),
    }
}

fn job(data: &Map<String, Value>) -> Result<JobId, Problem> {
    text(data, "job_id")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| wrong("job_id", "the id of a burn-in"))
}

fn start(data: &Map<String, Value>) -> Result<Wanted, Problem> {
    let code = text(data, "code")
        .ok_or_else(|| wrong("code", "the code that the agent shows on its console and in its log"))?;
    let serials = ["serials", "serial"].iter().map(|key| list(data, key));
    match serials.into_iter().find(|list| !list.is_empty()) {
        Some(serials) if serials.len() <= LIST_MAX => Ok(Wanted::Start { code, serials }),
        _ => Err(wrong("serials", "the full serial number of every drive of the plan")),
    }
}

fn plan(data: &Map<String, Value>) -> Result<Wanted, Problem> {
    let command = text(data, "command").unwrap_or_else(|| "burnin".to_owned());
    let playbook = match (text(data, "playbook"), command.as_str()) {
        (Some(named), _) => named,
        (None, "burnin" | "full") => "standard".to_owned(),
        (None, "preclear") => "preclear".to_owned(),
        (None, _) => return Err(wrong("command", "burnin, preclear or full")),
    };
    let format = match command.as_str() {
        "full" | "preclear" if data.contains_key("file_system") => Some(format(data)?),
        "full" => Some(FormatRequest {
            table: wire::options::Table::Auto,
            filesystem: FileSystem::Ext4,
            reserved_percent: 0,
            label: String::new(),
        }),
        _ => None,
    };
    let options = PlanOptions {
        format,
        ..PlanOptions::default()
    };
    Ok(Wanted::Plan {
        targets: targets(data)?,
        playbook,
        options: Box::new(options),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, and within 0 and 50"
)]
fn format(data: &Map<String, Value>) -> Result<FormatRequest, Problem> {
    let filesystem = match text(data, "file_system").as_deref() {
        Some("ext4") => FileSystem::Ext4,
        Some("xfs") => FileSystem::Xfs,
        Some("btrfs") => FileSystem::Btrfs,
        Some("exfat") => FileSystem::Exfat,
        Some("linux-swap" | "swap") => FileSystem::Swap,
        Some("raw") => FileSystem::Raw,
        _ => {
            return Err(wrong(
                "file_system",
                "ext4, xfs, btrfs, exfat, linux-swap or raw (fat32 is not made)",
            ));
        }
    };
    let reserved = match data.get("reserved_percent") {
        None | Some(Value::Null) => Some(0.0),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    let reserved = reserved.filter(|percent| (0.0..=50.0).contains(percent) && percent.fract() == 0.0);
    Ok(FormatRequest {
        table: wire::options::Table::Auto,
        filesystem,
        reserved_percent: reserved.ok_or_else(|| wrong("reserved_percent", "a whole number from 0 to 50"))? as u8,
        label: text(data, "label").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn want(action: &str, data: Value) -> Result<Wanted, Problem> {
        wanted(action, data.as_object().unwrap())
    }

    #[test]
    fn a_command_frame_is_read_in_both_dialects() {
        let documented = br#"{"type":"command","payload":{"request_id":"r1","component_id":"c","action":"start_job","data":{"a":1}}}"#;
        let ask = read(documented).unwrap();
        assert_eq!(
            (ask.request_id.as_str(), ask.action.as_str(), ask.data["a"].as_i64()),
            ("r1", "start_job", Some(1))
        );
        let ours = br#"{"type":"command","payload":{"id":"7","command":{"name":"abort","args":{}}}}"#;
        assert_eq!(read(ours).unwrap().action, "abort");
        for other in [
            &b"{"[..],
            b"[]",
            br#"{"type":"log","payload":{}}"#,
            br#"{"type":"command"}"#,
        ] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn the_form_of_existing_dashboards_makes_a_plan_and_with_a_code_a_start() {
        let data = json!({ "agent_id": "node1", "command": "full", "target": "/dev/disk/by-id/ata-X", "block_size": 4096,
            "file_system": "ext4", "reserved_percent": 2, "confirm_destructive": true, "_password": "x" });
        let Ok(Wanted::Plan {
            targets,
            playbook,
            options,
        }) = want("execute", data)
        else {
            panic!()
        };
        assert_eq!(
            (targets, playbook.as_str()),
            (vec!["/dev/disk/by-id/ata-X".to_owned()], "standard")
        );
        assert_eq!(options.format.unwrap().reserved_percent, 2);
        let start = want("execute", json!({ "code": "ABCD", "serials": "S1, S2" })).unwrap();
        assert_eq!(
            start,
            Wanted::Start {
                code: "ABCD".into(),
                serials: vec!["S1".into(), "S2".into()]
            }
        );
        let burnin = want("plan", json!({ "target": ["a", "b"] })).unwrap();
        assert!(
            matches!(burnin, Wanted::Plan { targets, options, .. } if targets.len() == 2 && options.format.is_none())
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        for (action, data, word) in [
            ("rm", json!({}), "expected plan"),
            ("plan", json!({}), "target"),
            (
                "plan",
                json!({ "target": "a", "command": "explode" }),
                "burnin, preclear or full",
            ),
            (
                "plan",
                json!({ "target": "a", "command": "full", "file_system": "fat32" }),
                "fat32",
            ),
            (
                "plan",
                json!({ "target": "a", "command": "full", "file_system": "ext4", "reserved_percent": 51 }),
                "50",
            ),
            ("start", json!({ "serials": "x" }), "code"),
            ("start", json!({ "code": "x" }), "serial"),
            ("cancel", json!({ "job_id": "1" }), "job_id"),
        ] {
            let problem = want(action, data).unwrap_err();
            assert!(
                format!("{} {}", problem.title, problem.detail).contains(word),
                "{problem:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_values_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), action in "plan|start|execute|scan|cancel", key in "target|code|serials|job_id|command|reserved_percent", text in ".{0,40}", n: f64) {
            let _ = read(&bytes);
            for value in [json!(text), json!(n), json!([text, n]), json!({ "x": n })] {
                let _ = wanted(&action, json!({ "target": "x", "command": "full", "file_system": "ext4", key.as_str(): value }).as_object().unwrap());
            }
        }
    }
}

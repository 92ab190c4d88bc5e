//! The body of `POST /api/report`: which host, when, and its drives' documents.
//!
//! One drive that says nothing must not cost the others: it is named in [`Report::rejected`]. What is wrong with the
//! report itself refuses it, with all flaws named.

use serde::Serialize;
use serde_json::Value;
use smart::exit;
use utoipa::ToSchema;
use wire::Time;

use crate::reading::{Reading, read};

/// Most drives of one report. Source: twice the bays of the largest storage enclosures (about 120).
pub const DRIVES_MAX: usize = 256;

/// Longest host name. Source: RFC 1035, 2.3.4.
const HOST_MAX: usize = 253;

/// How far ahead a report's clock may be.
pub const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// How old a report may be: beyond it history is not kept.
const OLDEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(400 * 24);

/// Longest ZFS part that is kept, in bytes: a pool of 60 drives takes 30 kB.
const ZFS_MAX: usize = 64 << 10;

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Host name as it calls itself.
    pub hostname: String,
    /// When its drives were read.
    pub at: Time,
    /// Version of the reporting agent.
    pub agent_version: String,
    /// Drives that said something.
    pub drives: Vec<Reading>,
    /// Those that did not.
    pub rejected: Vec<Rejected>,
    /// Whether it can blink a bay's light.
    pub led_identify: bool,
    /// Where it listens for that: `host:port` or `:port`.
    pub listen_addr: String,
    /// Its ZFS part, as it sent it; null without.
    pub zfs: Value,
    /// What was put right on the way.
    pub warnings: Vec<String>,
}

/// A drive that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HostDriveRejected)]
pub struct Rejected {
    /// Its place in `drives`, from 0.
    pub index: usize,
    /// Why.
    pub why: String,
}

/// Something wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Which field.
    pub path: String,
    /// What is wrong and what is expected.
    pub what: String,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

pub(crate) fn flaw(path: &str, what: impl Into<String>) -> Flaw {
    Flaw {
        path: path.to_owned(),
        what: what.into(),
    }
}

/// A host name: letters, digits, `-`, `_` and `.`, at most 253.
///
/// # Errors
/// What is wrong with it.
pub fn check_host(name: &str) -> Result<(), String> {
    let fits = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match name.len() {
        0 => Err("is empty; expected a host name".to_owned()),
        n if n > HOST_MAX => Err(format!("has {n} characters; at most {HOST_MAX}")),
        _ if !fits => Err("has other characters than letters, digits, '-', '_' and '.'".to_owned()),
        _ => Ok(()),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing or null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What of a drive's document is not known, though it was taken.
fn doubts(index: usize, reading: &Reading) -> Vec<String> {
    let part = reading.exited_with(exit::IN_PART).then(|| {
        let status = reading.exit_status.unwrap_or(0);
        format!(
            "drives[{index}]: smartctl's exit status {status} says that a command failed; what it would have told is not known"
        )
    });
    let strange = (!reading.strange.is_empty()).then(|| {
        format!(
            "drives[{index}]: not taken, because it cannot be true: {}",
            reading.strange.join("; ")
        )
    });
    part.into_iter().chain(strange).collect()
}

/// Reads a report that arrived at `now`.
///
/// # Errors
/// Everything that is wrong with it; also when it names drives and none of them says anything.
pub fn report(body: &Value, now: Time) -> Result<Report, Vec<Flaw>> {
    if !body.is_object() {
        return Err(vec![flaw("body", format!("is {}; expected an object", kind_of(body)))]);
    }
    let mut flaws = Vec::new();
    let mut warnings = Vec::new();
    let hostname = match body["hostname"].as_str() {
        Some(name) => check_host(name)
            .map(|()| name.to_owned())
            .map_err(|what| flaw("hostname", what)),
        None => Err(flaw(
            "hostname",
            format!("is {}; expected a text", kind_of(&body["hostname"])),
        )),
    };
    let hostname = hostname.unwrap_or_else(|flaw| {
        flaws.push(flaw);
        String::new()
    });
    let at = match &body["timestamp"] {
        Value::Null => now,
        Value::String(text) => match text.parse::<Time>() {
            Ok(at) => at,
            Err(error) => {
                flaws.push(flaw("timestamp", format!("is no RFC 3339 time: {error}")));
                now
            }
        },
        other => {
            flaws.push(flaw(
                "timestamp",
                format!("is {}; expected a text as 2026-11-20T12:00:00Z", kind_of(other)),
            ));
            now
        }
    };
    let age = now.duration_since(at);
    let at = if age < -AHEAD || age > OLDEST {
        warnings.push(format!(
            "timestamp {at} is too far from the server's clock; taken as {now}"
        ));
        now
    } else {
        at
    };
    let empty = Vec::new();
    let documents = match &body["drives"] {
        // An agent that finds no drive sends null.
        Value::Null => &empty,
        Value::Array(drives) if drives.len() <= DRIVES_MAX => drives,
        Value::Array(drives) => {
            flaws.push(flaw(
                "drives",
                format!("has {} entries; at most {DRIVES_MAX}", drives.len()),
            ));
            &empty
        }
        other => {
            flaws.push(flaw(
                "drives",
                format!("is {}; expected a list of smartctl documents", kind_of(other)),
            ));
            &empty
        }
    };
    let (mut drives, mut rejected): (Vec<Reading>, Vec<Rejected>) = (Vec::new(), Vec::new());
    for (index, document) in documents.iter().enumerate() {
        match read(document) {
            Ok(reading) => {
                let twin = |d: &Reading| {
                    (&d.serial, &d.model) == (&reading.serial, &reading.model)
                        && (!d.serial.is_empty() || d.device == reading.device)
                };
                match drives.iter().find(|d| twin(d)) {
                    // A SAS drive on two paths comes twice.
                    Some(first) => rejected.push(Rejected {
                        index,
                        why: format!("{}: the same model and serial as {}", reading.device, first.device),
                    }),
                    None => {
                        warnings.extend(doubts(index, &reading));
                        drives.push(reading);
                    }
                }
            }
            Err(why) => rejected.push(Rejected {
                index,
                why: why.to_string(),
            }),
        }
    }
    if drives.is_empty() && !rejected.is_empty() {
        flaws.extend(
            rejected
                .iter()
                .take(20)
                .map(|r| flaw(&format!("drives[{}]", r.index), r.why.clone())),
        );
    }
    let mut zfs = body["zfs"].clone();
    // File systems may be thousands; that a pool is ill is not to be lost for them.
    if zfs.to_string().len() > ZFS_MAX
        && let Some(parts) = zfs.as_object_mut()
        && parts.remove("datasets").is_some()
    {
        warnings.push(format!("zfs: has more than {ZFS_MAX} bytes; its datasets are not kept"));
    }
    if zfs.to_string().len() > ZFS_MAX {
        warnings.push(format!("zfs: has more than {ZFS_MAX} bytes and is not kept"));
        zfs = Value::Null;
    }
    if !zfs.is_null() && !zfs.is_object() {
        flaws.push(flaw("zfs", format!("is {}; expected an object", kind_of(&zfs))));
    }
    let short = |value: &Value| {
        value
            .as_str()
            .map(|t| t.chars().filter(|c| !c.is_control()).take(100).collect())
    };
    if flaws.is_empty() {
        Ok(Report {
            hostname,
            at,
            agent_version: short(&body["agent_version"]).unwrap_or_default(),
            drives,
            rejected,
            led_identify: body["capabilities"]["led_identify"].as_bool().unwrap_or(false),
            listen_addr: short(&body["capabilities"]["listen_addr"]).unwrap_or_default(),
            zfs,
            warnings,
        })
    } else {
        Err(flaws)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn paths(body: &Value) -> Vec<String> {
        report(body, Time::UNIX_EPOCH)
            .unwrap_err()
            .into_iter()
            .map(|flaw| flaw.path)
            .collect()
    }

    #[test]
    fn each_bad_field_is_named() {
        assert_eq!(paths(&json!([])), ["body"]);
        assert_eq!(paths(&json!({})), ["hostname"]);
        let bad = json!({ "hostname": "a b", "timestamp": "noon", "drives": {}, "zfs": 7 });
        assert_eq!(paths(&bad), ["hostname", "timestamp", "drives", "zfs"]);
        let dumb = json!({ "hostname": "a", "drives": [1, {}, { "device": { "name": "/dev/sda" } }] });
        assert_eq!(paths(&dumb), ["drives[0]", "drives[1]", "drives[2]"]);
        let many = json!({ "hostname": "a", "drives": vec![json!({}); DRIVES_MAX + 1] });
        assert_eq!(paths(&many), ["drives"]);
        assert!(check_host(&"a".repeat(253)).is_ok() && check_host(&"a".repeat(254)).is_err());
    }

    #[test]
    fn one_dumb_drive_does_not_cost_the_others() {
        let good =
            json!({ "device": { "name": "/dev/sda" }, "serial_number": "S1", "smart_status": { "passed": true } });
        let body = json!({ "hostname": "nas", "drives": [good, {}, good] });
        let report = report(&body, Time::UNIX_EPOCH).unwrap();
        assert_eq!((report.drives.len(), report.rejected.len()), (1, 2));
        assert!(report.rejected[1].why.contains("same model and serial as /dev/sda"));
    }

    #[test]
    fn many_file_systems_do_not_cost_the_pools() {
        let of = |pools: usize, datasets: usize| {
            let dataset = json!({ "name": "tank/a", "mountpoint": "m".repeat(100) });
            let pool = json!({ "name": "tank", "health": "DEGRADED" });
            let zfs = json!({ "zfs_available": true, "pools": vec![pool; pools], "datasets": vec![dataset; datasets] });
            report(
                &json!({ "hostname": "nas", "drives": [], "zfs": zfs }),
                Time::UNIX_EPOCH,
            )
            .unwrap()
        };
        let few = of(1, 100);
        assert!(few.zfs["datasets"].is_array() && few.warnings.is_empty());
        let many = of(1, 1_000);
        assert_eq!(many.zfs["pools"][0]["health"], "DEGRADED");
        assert!(
            many.zfs["datasets"].is_null() && many.warnings[0].contains("datasets"),
            "{:?}",
            many.warnings
        );
        let beyond = of(10_000, 1_000);
        assert!(
            beyond.zfs.is_null() && beyond.warnings.len() == 2,
            "{:?}",
            beyond.warnings
        );
    }

    #[test]
    fn no_drives_is_a_report_and_a_wild_clock_is_put_right() {
        let now: Time = "2026-11-20T12:00:00Z".parse().unwrap();
        let body = json!({ "hostname": "nas", "timestamp": "1970-01-01T00:00:00Z", "drives": null });
        let got = report(&body, now).unwrap();
        assert_eq!((got.at, got.warnings.len(), got.drives.len()), (now, 1, 0));
        let body = json!({ "hostname": "nas", "timestamp": "2026-11-10T00:00:00.5Z", "drives": [] });
        assert!(report(&body, now).unwrap().warnings.is_empty());
    }
}

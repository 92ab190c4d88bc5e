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
    let mut told = Told::default();
    let hostname = told.hostname(&body["hostname"]);
    let at = told.time(&body["timestamp"], now);
    let (drives, rejected) = told.drives(&body["drives"]);
    let zfs = told.zfs(&body["zfs"]);
    let Told { flaws, warnings } = told;
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let capabilities = &body["capabilities"];
    Ok(Report {
        hostname,
        at,
        agent_version: short(&body["agent_version"]),
        drives,
        rejected,
        led_identify: capabilities["led_identify"].as_bool().unwrap_or(false),
        listen_addr: short(&capabilities["listen_addr"]),
        zfs,
        warnings,
    })
}

/// What is wrong with a report, and what was put right, as its fields are read. A field with a flaw is read as if it were not there,
/// so that those behind it are looked at, too.
#[derive(Default)]
struct Told {
    flaws: Vec<Flaw>,
    warnings: Vec<String>,
}

impl Told {
    fn hostname(&mut self, name: &Value) -> String {
        let checked = match name.as_str() {
            Some(name) => check_host(name).map(|()| name.to_owned()),
            None => Err(format!("is {}; expected a text", kind_of(name))),
        };
        checked.unwrap_or_else(|what| {
            self.flaws.push(flaw("hostname", what));
            String::new()
        })
    }

    fn time(&mut self, stamp: &Value, now: Time) -> Time {
        let what = match stamp {
            Value::Null => return now,
            Value::String(text) => match text.parse::<Time>() {
                Ok(at) => return self.sane_time(at, now),
                Err(error) => format!("is no RFC 3339 time: {error}"),
            },
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                format!("is {}; expected a text as 2026-11-20T12:00:00Z", kind_of(other))
            }
        };
        self.flaws.push(flaw("timestamp", what));
        now
    }

    fn sane_time(&mut self, at: Time, now: Time) -> Time {
        let age = now.duration_since(at);
        if (-AHEAD..=OLDEST).contains(&age) {
            return at;
        }
        self.warnings.push(format!(
            "timestamp {at} is too far from the server's clock; taken as {now}"
        ));
        now
    }

    fn drives(&mut self, list: &Value) -> (Vec<Reading>, Vec<Rejected>) {
        let what = match list {
            // An agent that finds no drive sends null.
            Value::Null => return (Vec::new(), Vec::new()),
            Value::Array(documents) if documents.len() <= DRIVES_MAX => return self.documents(documents),
            Value::Array(documents) => format!("has {} entries; at most {DRIVES_MAX}", documents.len()),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                format!("is {}; expected a list of smartctl documents", kind_of(other))
            }
        };
        self.flaws.push(flaw("drives", what));
        (Vec::new(), Vec::new())
    }

    fn documents(&mut self, documents: &[Value]) -> (Vec<Reading>, Vec<Rejected>) {
        let (mut drives, mut rejected): (Vec<Reading>, Vec<Rejected>) = (Vec::new(), Vec::new());
        for (index, document) in documents.iter().enumerate() {
            let taken = read(document).map_err(|why| why.to_string()).and_then(|reading| {
                // A SAS drive on two paths comes twice.
                match drives.iter().find(|first| is_twin(first, &reading)) {
                    Some(first) => Err(format!(
                        "{}: the same model and serial as {}",
                        reading.device, first.device
                    )),
                    None => Ok(reading),
                }
            });
            match taken {
                Ok(reading) => {
                    self.warnings.extend(doubts(index, &reading));
                    drives.push(reading);
                }
                Err(why) => rejected.push(Rejected { index, why }),
            }
        }
        if drives.is_empty() {
            let flaws = rejected.iter().take(20);
            self.flaws
                .extend(flaws.map(|r| flaw(&format!("drives[{}]", r.index), r.why.clone())));
        }
        (drives, rejected)
    }

    fn zfs(&mut self, part: &Value) -> Value {
        let mut zfs = part.clone();
        let long = |zfs: &Value| zfs.to_string().len() > ZFS_MAX;
        // File systems may be thousands; that a pool is ill is not to be lost for them.
        if long(&zfs)
            && let Some(parts) = zfs.as_object_mut()
            && parts.remove("datasets").is_some()
        {
            self.warnings
                .push(format!("zfs: has more than {ZFS_MAX} bytes; its datasets are not kept"));
        }
        if long(&zfs) {
            self.warnings
                .push(format!("zfs: has more than {ZFS_MAX} bytes and is not kept"));
            zfs = Value::Null;
        }
        if !zfs.is_null() && !zfs.is_object() {
            self.flaws
                .push(flaw("zfs", format!("is {}; expected an object", kind_of(&zfs))));
        }
        zfs
    }
}

/// Whether two readings are of one drive.
fn is_twin(first: &Reading, other: &Reading) -> bool {
    (&first.serial, &first.model) == (&other.serial, &other.model)
        && (!first.serial.is_empty() || first.device == other.device)
}

/// A text without control characters, 100 at most; empty where it is none.
fn short(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(100).collect()
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

//! What the HTTP paths of existing dashboards answer: agents, jobs, histories. Pure.

use serde_json::{Value, json};
use wire::Time;
use wire::drive::{Drive, Refused};
use wire::job::Job;
use wire::options::{FileSystem, FormatRequest};

use super::Who;
use super::frames::{PAUSED, elapsed, rows, second, status, verdict, waits};
use super::manifest::{LOG, TEMPERATURE};
use super::window::Reading;
use wire::frame::LogLine;

/// `/api/agents`: this agent alone, with its drives.
pub fn agents(drives: &[Drive], jobs: &[Job], who: &Who, since: Time, now: Time) -> Value {
    let present = self::drives(drives, who);
    let busy = jobs.iter().any(|job| !job.state.is_over());
    json!([{
        "agent_id": who.host, "hostname": who.host, "arch": arch(), "advertise_addr": "",
        "version": env!("CARGO_PKG_VERSION"), "drive_count": present.len(), "drives": present,
        "registered_at": second(since), "last_seen_at": second(now), "status": if busy { "busy" } else { "online" },
    }])
}

/// The drives that are there.
pub fn drives(drives: &[Drive], who: &Who) -> Vec<Value> {
    let present = drives.iter().filter(|drive| drive.present);
    present.map(|drive| self::drive(drive, who)).collect()
}

/// The architecture in the words of container images.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn drive(drive: &Drive, who: &Who) -> Value {
    let refused = drive.refused.as_ref();
    let mut value = json!({
        "agent_id": who.host, "path": path(drive), "id": drive.id, "model": drive.model,
        "serial": drive.serial, "capacity_bytes": drive.capacity.0, "transport": drive.bus.transport(),
        "is_os_drive": refused.is_some_and(|r| matches!(r.kind.as_str(), "mounted" | "swap" | "boot-disk")),
        "refused": refused.map_or("", |r| r.reason.as_str()), "content": drive.content.words(),
        "temperature": drive.temperature,
    });
    if let Some(at) = refused.and_then(mounted_at) {
        value["mount_points"] = json!([at]);
    }
    value
}

/// The drive's node, as it is called now.
fn path(drive: &Drive) -> String {
    format!("/dev/{}", drive.kernel_name)
}

/// Where a drive is mounted, by the sentence with which it is refused: the first place found, for no other is looked for.
fn mounted_at(refused: &Refused) -> Option<&str> {
    let (_, rest) = refused
        .reason
        .split_once("mounted at ")
        .filter(|_| refused.kind == "mounted")?;
    let at = rest.split(" in the mount namespace of process ").next().unwrap_or(rest);
    at.starts_with('/').then_some(at)
}

/// What was asked for beside the burn-in, in the words of existing clients; empty where nothing was.
fn params(format: Option<&FormatRequest>) -> Value {
    let Some(format) = format else { return json!({}) };
    let file_system = match format.filesystem {
        FileSystem::Ext4 => "ext4",
        FileSystem::Xfs => "xfs",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Exfat => "exfat",
        FileSystem::Swap => "linux-swap",
        FileSystem::Raw => "raw",
    };
    json!({ "file_system": file_system, "reserved_percent": format.reserved_percent })
}

/// One job, as `/api/jobs/{id}` and the lists tell it. Its drive is told by the path while it is among `drives`, as the list
/// of drives has it, and else by its identity.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole seconds, not negative; what is larger stays at the highest"
)]
pub fn job(job: &Job, drives: &[Drive], who: &Who, now: Time) -> Value {
    let node = drives
        .iter()
        .find(|drive| drive.present && drive.id.as_ref() == Some(&job.drive));
    let node = node.map(path);
    let progress = job.progress.as_ref();
    let running = job
        .phases
        .iter()
        .find(|phase| phase.status == wire::job::PhaseStatus::Running);
    let phase = match (status(job), running) {
        ("running", Some(state)) => state.phase.label(),
        ("running", None) => "waiting",
        _ => "COMPLETE",
    };
    let failed = matches!(status(job), "failed" | "cancelled");
    let summary = job.verdict.as_ref().map_or("", |verdict| verdict.summary.as_str());
    let percent = match (progress, job.state.is_over()) {
        (_, true) => 100.0,
        (Some(progress), false) => progress.percent,
        (None, false) => 0.0,
    };
    let why = waits(job);
    let mut value = json!({
        "job_id": job.id.to_string(), "agent_id": who.host, "command": job.playbook,
        "status": if why.is_some() { PAUSED } else { status(job) },
        "phase": phase, "phase_detail": why.unwrap_or_default(), "progress_percent": percent, "percent": percent,
        "message": summary, "elapsed_sec": elapsed(job, now), "elapsed": elapsed(job, now),
        "target": node.as_deref().unwrap_or(job.drive.as_str()), "drive": job.drive, "params": params(job.options.format.as_ref()), "model": job.model, "serial": job.serial, "verdict": verdict(job),
        "summary": summary, "started_at": second(job.started), "completed_at": job.ended.map(second),
        "burnin_passed": verdict(job) == "PASSED", "bad_sectors": job.bad_sectors,
    });
    if let Some(node) = node {
        value["device_path"] = json!(node);
    }
    if failed {
        value["fail_reason"] = json!(summary);
    }
    if let Some(progress) = progress {
        let rate = if why.is_some() { 0 } else { progress.rate.0 };
        value["speed_mbps"] = json!(rate as f64 / 1e6);
        value["temp_c"] = json!(progress.temperature);
        if let Some(eta) = progress.eta_job.or(progress.eta).filter(|_| why.is_none()) {
            value["eta_sec"] = json!(eta.max(0.0).round() as i64);
        }
    }
    value
}

/// `/api/jobs/active`.
pub fn active(jobs: &[Job], drives: &[Drive], who: &Who, now: Time) -> Value {
    let active = jobs.iter().filter(|job| !job.state.is_over());
    active.map(|active| job(active, drives, who, now)).collect()
}

/// `/api/jobs/history`: those that began since then, newest first.
pub fn history(jobs: &[Job], drives: &[Drive], who: &Who, since: Time, now: Time) -> Value {
    let mut jobs: Vec<&Job> = jobs.iter().filter(|job| job.started >= since).collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.started));
    jobs.into_iter().map(|one| job(one, drives, who, now)).collect()
}

/// `/api/smart/deltas`: rows of the jobs under way and of the last day's.
pub fn deltas(jobs: &[Job], now: Time) -> Value {
    let recent = |job: &&Job| {
        job.ended
            .is_none_or(|ended| now.as_second() - ended.as_second() < 86_400)
    };
    jobs.iter().filter(recent).flat_map(rows).collect()
}

/// `/api/chart/history`.
pub fn chart(readings: &[Reading]) -> Value {
    let point = |reading: &Reading| json!({ "component_id": TEMPERATURE, "key": reading.key, "value": reading.value, "timestamp": second(reading.at) });
    readings.iter().map(point).collect()
}

/// `/api/logs/history`.
pub fn logs(lines: &[LogLine]) -> Value {
    let line = |line: &LogLine| {
        json!({ "component_id": LOG, "level": line.level, "message": line.message, "source": line.source,
            "job_id": line.job_id, "timestamp": line.timestamp })
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::drive::{Bus, Content, Refused, Rotation};
    use wire::{Bytes, Celsius, DriveId};

    use super::*;
    use crate::events;

    pub(crate) fn drives(count: usize) -> Vec<Drive> {
        let one = |n: usize| Drive {
            id: Some(DriveId::from_serial("WD", &format!("VK-{n}"), 1_000_000).unwrap()),
            key: format!("k{n}"),
            kernel_name: format!("sd{n}"),
            model: "WD".into(),
            serial: format!("VK-{n}"),
            wwn: None,
            capacity: Bytes(1_000_000),
            logical_sector: 512,
            physical_sector: 512,
            bus: Bus::Sata,
            link_mbps: None,
            rotation: Rotation::Unknown,
            location: String::new(),
            temperature: Some(Celsius(30 + i32::try_from(n).unwrap())),
            content: Content::Empty,
            refused: None,
            present: true,
            since: Time::UNIX_EPOCH,
            as_of: None,
            bay: None,
            heat_limit: None,
            ill: None,
            shown_until: None,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn an_agent_is_busy_while_a_job_is_under_way_and_names_what_is_the_systems() {
        let who = Who {
            host: "box".into(),
            gate: false,
        };
        let mut list = drives(2);
        list[1].refused = Some(Refused {
            kind: "mounted".into(),
            reason: "sd1 is mounted at /".into(),
        });
        let running = events::tests::job();
        let told = agents(&list, &[running], &who, Time::UNIX_EPOCH, Time::UNIX_EPOCH);
        assert_eq!(
            (&told[0]["status"], &told[0]["drives"][1]["is_os_drive"]),
            (&json!("busy"), &json!(true))
        );
        assert_eq!(told[0]["drives"][0]["is_os_drive"], false);
        let held = &told[0]["drives"];
        assert_eq!(
            held[1]["mount_points"],
            json!(["/"]),
            "paths, as existing agents have them"
        );
        assert!(
            held[0].get("mount_points").is_none(),
            "and no key where nothing is mounted"
        );
        let told = agents(
            &list,
            &[events::tests::passed()],
            &who,
            Time::UNIX_EPOCH,
            Time::UNIX_EPOCH,
        );
        assert_eq!(told[0]["status"], "online");
    }

    #[test]
    fn a_job_is_told_with_every_column_that_dashboards_have() {
        let who = Who {
            host: "box".into(),
            gate: false,
        };
        let jobs = [events::tests::job(), events::tests::passed()];
        assert_eq!(active(&jobs, &[], &who, Time::UNIX_EPOCH).as_array().unwrap().len(), 1);
        let all = history(&jobs, &[], &who, Time::UNIX_EPOCH, Time::UNIX_EPOCH);
        for job in all.as_array().unwrap() {
            for column in [
                "job_id",
                "command",
                "agent_id",
                "target",
                "serial",
                "model",
                "status",
                "started_at",
                "elapsed",
                "verdict",
            ] {
                assert!(!job[column].is_null(), "{column}");
            }
        }
        let passed = job(&jobs[1], &[], &who, Time::UNIX_EPOCH);
        assert_eq!(
            (&passed["burnin_passed"], &passed["status"]),
            (&json!(true), &json!("completed"))
        );
        assert_eq!(job(&jobs[0], &[], &who, Time::UNIX_EPOCH)["burnin_passed"], false);
    }

    #[test]
    fn a_mount_point_is_the_path_of_the_sentence_alone() {
        let at = |kind: &str, reason: &str| {
            let refused = Refused {
                kind: kind.into(),
                reason: reason.into(),
            };
            mounted_at(&refused).map(str::to_owned)
        };
        let elsewhere = "sdb is mounted at /mnt/a b in the mount namespace of process 77";
        assert_eq!(at("mounted", elsewhere).as_deref(), Some("/mnt/a b"));
        assert_eq!(at("mounted", "sdb1 is mounted at /mnt").as_deref(), Some("/mnt"));
        assert_eq!(at("mounted", "another sentence"), None);
        assert_eq!(at("btrfs-mounted", "sdb belongs to the mounted btrfs 1"), None);
    }

    /// The row of a finished job that an existing agent told.
    fn golden_row() -> Value {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let golden = std::env::var_os("KILN_GOLDEN").map_or_else(|| here.join("../../../shared/golden"), Into::into);
        let text = std::fs::read_to_string(golden.join("vigil-full-job.jsonl")).unwrap();
        let mut asked = std::collections::BTreeSet::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if line["kind"] != "http" || line["link"] != "hub->addonagent" {
                continue;
            }
            match line["dir"] == "c2s" {
                true if line["start"].as_str().unwrap().starts_with("GET /api/jobs/history ") => {
                    asked.insert(line["conn"].as_u64());
                }
                false if asked.contains(&line["conn"].as_u64()) => return line["body"][0].clone(),
                true | false => {}
            }
        }
        panic!("the golden record has no job history");
    }

    #[test]
    fn a_row_of_the_history_has_every_key_of_an_existing_agents() {
        let who = Who {
            host: "box".into(),
            gate: false,
        };
        let (mut job, mut list) = (events::tests::passed(), drives(2));
        list[1].id = Some(job.drive.clone());
        job.options.format = Some(FormatRequest {
            table: wire::options::Table::Auto,
            filesystem: FileSystem::Swap,
            reserved_percent: 2,
            label: String::new(),
        });
        let row = history(&[job.clone()], &list, &who, Time::UNIX_EPOCH, Time::UNIX_EPOCH)[0].clone();
        for (key, golden) in golden_row().as_object().unwrap() {
            let ours = row.get(key).unwrap_or_else(|| panic!("{key} is not told: {row}"));
            assert_eq!(
                std::mem::discriminant(ours),
                std::mem::discriminant(golden),
                "{key}: {ours} beside {golden}"
            );
        }
        assert_eq!(
            (&row["target"], &row["device_path"]),
            (&json!("/dev/sd1"), &json!("/dev/sd1"))
        );
        assert_eq!(
            row["params"],
            json!({ "file_system": "linux-swap", "reserved_percent": 2 })
        );
        list[1].present = false;
        let row = history(&[job.clone()], &list, &who, Time::UNIX_EPOCH, Time::UNIX_EPOCH)[0].clone();
        assert_eq!((&row["target"], row.get("device_path")), (&json!(job.drive), None));
    }
}

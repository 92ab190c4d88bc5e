//! The kinds of events that can be told, by their native names and by Vigil's.
//!
//! The native name is the event log's (`job.failed`), the Vigil name is what existing add-ons and rules say
//! (`job_failed`). A rule may use either. Names that are not listed are told like any other; the list is for forms, and has
//! all of Vigil's, also those of what only an add-on tells.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use wire::event::{Event, Severity};

/// One kind, for forms.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = AlertKind)]
pub struct Kind {
    /// The name that a rule gives.
    #[serde(rename = "type")]
    pub name: &'static str,
    /// Group in a form.
    pub category: &'static str,
    /// In words.
    pub label: &'static str,
    /// As which severity it comes, mostly: 0 info, 1 warning, 2 critical, as existing dashboards read it.
    #[serde(serialize_with = "number")]
    #[schema(value_type = u8, maximum = 2)]
    pub default_severity: Severity,
    /// Seconds between two of the same that make sense.
    pub default_cooldown: i64,
    /// Whether a new rule for it is on.
    pub default_enabled: bool,
}

/// A severity by its number.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn number<S: Serializer>(severity: &Severity, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(match severity {
        Info => 0,
        Warning => 1,
        Critical => 2,
    })
}

const fn kind(
    name: &'static str,
    category: &'static str,
    label: &'static str,
    default_severity: Severity,
    default_cooldown: i64,
) -> Kind {
    Kind {
        name,
        category,
        label,
        default_severity,
        default_cooldown,
        default_enabled: true,
    }
}

use Severity::{Critical, Info, Warning};

const BURN: &str = "Burn-in";
const BOX: &str = "Box";
const DRIVE: &str = "Drive";
const MONITORING: &str = "Monitoring";
const JOB: &str = "Add-on / Job";
const SNAPRAID: &str = "SnapRAID";
const ZFS: &str = "ZFS Manager";
const SYSTEM: &str = "System";

/// Every kind that is known by name: first ours, then Vigil's.
pub const KINDS: &[Kind] = &[
    kind("job.started", BURN, "Burn-in started", Info, 0),
    kind("job.phase_finished", BURN, "Phase of a burn-in finished", Info, 0),
    kind("job.passed", BURN, "Drive passed its burn-in", Info, 0),
    kind("job.warned", BURN, "Drive passed with warnings", Warning, 0),
    // Told once a job, and the job goes on: `job.failed` follows at its end.
    kind("job.failing", BURN, "Drive is heading for FAILED", Warning, 0),
    kind("job.failed", BURN, "Drive failed its burn-in", Critical, 0),
    kind("job.inconclusive", BURN, "Burn-in without a verdict", Warning, 0),
    kind("job.aborted", BURN, "Burn-in aborted", Info, 0),
    kind("job.waiting", BURN, "Burn-in waits for a drive", Warning, 0),
    kind("job.resumed", BURN, "Burn-in goes on after an interruption", Info, 0),
    kind("job.too_hot", BURN, "Burn-in pauses because of heat", Warning, 600),
    kind("certificate.revoked", BURN, "Certificate no longer holds", Warning, 0),
    kind("drive.added", DRIVE, "Drive plugged in", Info, 0),
    kind("drive.removed", DRIVE, "Drive gone", Info, 0),
    // Told once a change by whoever raises it: a second one of the same drive is another, worse one.
    kind("drive.alert", DRIVE, "Drive needs attention", Warning, 0),
    kind("drive.alert_resolved", DRIVE, "Drive is well again", Info, 0),
    kind("unit.degraded", BOX, "Service stopped answering", Warning, 300),
    kind("unit.restarted", BOX, "Service was restarted", Warning, 300),
    kind("unit.quarantined", BOX, "Service given up", Critical, 0),
    kind("unit.failed", BOX, "Service failed", Critical, 0),
    kind("addon.degraded", BOX, "Add-on stopped answering", Warning, 300),
    kind("addon.online", BOX, "Add-on is online", Info, 0),
    kind(
        "alerts.channel_disabled",
        BOX,
        "Alert channel switched itself off",
        Warning,
        0,
    ),
    // A channel that took nothing for days loses many at once: one an hour says it.
    kind("alerts.given_up", BOX, "Critical alert reached nobody", Warning, 3600),
    kind(
        "alerts.escalated",
        BOX,
        "Alert that nobody acknowledged went on",
        Info,
        0,
    ),
    kind("smart_warning", MONITORING, "SMART warning", Warning, 300),
    kind("smart_critical", MONITORING, "SMART critical", Critical, 86_400),
    kind("temp_alert", MONITORING, "Temperature alert", Warning, 600),
    kind("temp_critical", MONITORING, "Temperature critical", Critical, 3600),
    kind("zfs_pool_degraded", MONITORING, "ZFS pool degraded", Warning, 300),
    kind("zfs_pool_faulted", MONITORING, "ZFS pool faulted", Critical, 86_400),
    kind("zfs_device_failed", MONITORING, "ZFS device failed", Critical, 86_400),
    kind(
        "zfs_capacity_warning",
        MONITORING,
        "ZFS pool nearly full",
        Warning,
        3600,
    ),
    kind("zfs_capacity_critical", MONITORING, "ZFS pool full", Critical, 86_400),
    kind(
        "zfs_fragmentation_warning",
        MONITORING,
        "ZFS pool fragmented",
        Warning,
        86_400,
    ),
    kind("zfs_vdev_errors", MONITORING, "ZFS device errors", Warning, 3600),
    kind("zfs_scrub_overdue", MONITORING, "ZFS scrub overdue", Warning, 86_400),
    kind("zfs_resilver_started", MONITORING, "ZFS resilver started", Warning, 0),
    kind("zfs_scrub_completed", MONITORING, "ZFS scrub completed", Info, 0),
    kind("zfs_resilver_completed", MONITORING, "ZFS resilver completed", Info, 0),
    kind(
        "zfs_dataset_quota_warning",
        MONITORING,
        "ZFS quota nearly reached",
        Warning,
        3600,
    ),
    kind("drive_appeared", MONITORING, "Drive appeared", Info, 0),
    kind("drive_disappeared", MONITORING, "Drive disappeared", Warning, 0),
    kind(
        "reallocated_sectors",
        MONITORING,
        "Reallocated sectors",
        Warning,
        86_400,
    ),
    kind("wearout_warning", MONITORING, "Wear-out warning", Warning, 86_400),
    kind("wearout_critical", MONITORING, "Wear-out critical", Critical, 86_400),
    kind("wearout_predicted", MONITORING, "Failure predicted", Warning, 604_800),
    kind("job_started", JOB, "Job started", Info, 0),
    kind("phase_complete", JOB, "Phase complete", Info, 60),
    kind("burnin_passed", JOB, "Burn-in passed", Info, 0),
    kind("job_complete", JOB, "Job complete", Info, 0),
    kind("job_failed", JOB, "Job failed", Critical, 0),
    kind("manual_job_started", JOB, "Manual job started", Info, 0),
    kind("manual_job_complete", JOB, "Manual job complete", Info, 0),
    kind("scheduled_job_started", JOB, "Scheduled job started", Info, 0),
    kind("scheduled_job_complete", JOB, "Scheduled job complete", Info, 0),
    kind("gate_failed", SNAPRAID, "Gate failed", Warning, 300),
    kind("maintenance_started", SNAPRAID, "Maintenance started", Info, 0),
    kind("maintenance_complete", SNAPRAID, "Maintenance complete", Info, 0),
    kind("auto_fix", SNAPRAID, "Automatic fix", Warning, 0),
    kind(
        "snapraid_agent_offline",
        SNAPRAID,
        "SnapRAID agent offline",
        Warning,
        3600,
    ),
    kind("snapraid_agent_online", SNAPRAID, "SnapRAID agent online", Info, 0),
    kind("snapshot_task_succeeded", ZFS, "Snapshot taken", Info, 0),
    kind("scrub_task_started", ZFS, "Scrub started", Info, 0),
    kind("scrub_completed", ZFS, "Scrub completed", Info, 0),
    kind("resilver_completed", ZFS, "Resilver completed", Info, 0),
    kind("replication_succeeded", ZFS, "Replication succeeded", Info, 0),
    kind("retention_cleanup_completed", ZFS, "Old snapshots removed", Info, 0),
    kind("pool_expansion_completed", ZFS, "Pool expanded", Info, 0),
    kind(
        "drive_replacement_started",
        ZFS,
        "Drive replacement started",
        Warning,
        0,
    ),
    kind("addon_degraded", SYSTEM, "Add-on degraded", Warning, 300),
    kind("addon_online", SYSTEM, "Add-on online", Info, 0),
];

/// Every name under which a rule may ask for this event: the native one, then Vigil's.
///
/// Source of the pairs: the events' table of the agent and the server (`job.passed` is both `burnin_passed` and
/// `job_complete`).
pub fn names(event: &Event) -> Vec<&str> {
    let mut names = vec![event.kind.as_str()];
    let vigil: &[&str] = match event.kind.as_str() {
        "job.started" => &["job_started"],
        "job.phase_finished" | "addon.phase_complete" => &["phase_complete"],
        "job.passed" => &["burnin_passed", "job_complete"],
        "job.warned" | "job.inconclusive" | "job.aborted" => &["job_complete"],
        "job.failed" => &["job_failed"],
        "addon.degraded" => &["addon_degraded"],
        "addon.online" => &["addon_online"],
        "drive.added" => &["drive_appeared"],
        "drive.removed" => &["drive_disappeared"],
        "drive.alert" => of_drive(event),
        _ => &[],
    };
    names.extend_from_slice(vigil);
    if let Some(told) = own_word(&event.kind, &event.data)
        && !names.contains(&told)
    {
        names.push(told);
    }
    names
}

/// Vigil's name of what is wrong with a drive, by the word of our own alert; a pool's alert bears it itself ([`own_word`]).
fn of_drive(event: &Event) -> &'static [&'static str] {
    let critical = event.severity == Critical;
    match (event.data.get("alert").and_then(serde_json::Value::as_str), critical) {
        (Some("temperature"), true) => &["temp_critical"],
        (Some("temperature"), false) => &["temp_alert"],
        (Some("reallocated"), _) => &["reallocated_sectors"],
        (Some("wear" | "spare_low"), true) => &["wearout_critical"],
        (Some("wear" | "spare_low"), false) => &["wearout_warning"],
        (Some(word), true) if SMART.contains(&word) => &["smart_critical"],
        (Some(word), false) if SMART.contains(&word) => &["smart_warning"],
        _ => &[],
    }
}

/// Alerts of what a drive says of itself that has no name of its own in Vigil.
const SMART: [&str; 7] = [
    "smart_failed",
    "attribute_failing",
    "pending",
    "uncorrectable",
    "media_errors",
    "critical_warning",
    "self_test_failed",
];

/// The word that an add-on has for what it told, or existing clients for what is wrong with a pool. Other events may tell of one in
/// the same words, as who acknowledged an alert does.
fn own_word<'a>(kind: &str, data: &'a serde_json::Value) -> Option<&'a str> {
    let bears = kind.starts_with("addon.") || kind == "drive.alert";
    data.get("event_type").filter(|_| bears)?.as_str()
}

/// The name that an event is told under: of what an add-on told its own word, else the native name.
pub fn told(event: &Event) -> &str {
    let own = || own_word(&event.kind, &event.data);
    let fits = |word: &&str| (1..=TOLD_MAX).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    match event.kind.as_str() {
        "addon.notification" | "addon.phase_complete" => own().filter(fits).unwrap_or(&event.kind),
        native => native,
    }
}

/// Longest word of an add-on that stands for a kind, in bytes: as long as a rule's.
const TOLD_MAX: usize = 64;

/// Titles of what nobody needs a rule of its own for: acts of people, and what the box tells of itself.
const TITLES: &[(&str, &str)] = &[
    ("addon.connected", "Add-on has connected"),
    ("addon.offline", "Add-on is not connected"),
    ("addon.registered", "Add-on was added"),
    ("addon.removed", "Add-on was taken away"),
    ("addon.token_made", "Add-on token was made"),
    ("addon.token_revoked", "Add-on token was revoked"),
    ("addon.token_rotated", "Add-on token was replaced"),
    ("agent.events_lost", "Events were lost"),
    ("agent.false_greeting", "Another server greets as the box's own"),
    ("agent.gate_key_changed", "Gate key has changed"),
    ("agent.restored", "Burn-in agent was restored"),
    ("agent.said", "Burn-in agent tells something"),
    ("agent.too_long", "Message of the burn-in agent was too long"),
    ("box.back", "Box goes back to its other system"),
    ("box.backed_up", "Backup was taken"),
    ("box.backup_removed", "Backup was taken away"),
    ("box.booted", "Box has started"),
    ("box.claimed", "Box was claimed"),
    ("box.claim_code_changed", "Claim code has changed"),
    ("box.entries_lost", "Events were lost with a full store"),
    ("box.log_form", "Form of the event log has changed"),
    ("box.log_trimmed", "Old events have gone"),
    ("box.not_restored", "Backup was not put back"),
    ("box.power_off", "Box is switched off"),
    ("box.reboot", "Box restarts"),
    ("box.recovery", "Box asks for a new owner"),
    ("box.reset", "Box begins anew"),
    ("box.restored", "Backup was put back"),
    ("box.restoring", "Backup is put back"),
    ("box.set_aside_removed", "Stores set aside were removed"),
    ("box.store_recovered", "Store takes what happens again"),
    ("box.store_set_aside", "Records that cannot be used were set aside"),
    ("box.records_set_aside", "Unreadable records were set aside"),
    ("box.update_begun", "Update has begun"),
    ("box.update_given_up", "Update was given up"),
    ("box.update_refused", "Update was refused"),
    ("box.update_written", "Update is written"),
    ("drive.located", "Light of a drive"),
    ("gate.armed", "Erasure was armed"),
    ("gate.refused", "Gate stayed shut"),
    ("gate.started", "Burn-in was started"),
    ("gate.unanswered", "Start was not answered"),
    ("host.cleaned", "Old histories were taken out"),
    ("host.drive_removed", "Drive of a host was taken away"),
    ("host.enrolled", "Host was added"),
    ("host.identify", "Light of a host's drive"),
    ("host.pool_removed", "ZFS pool was taken away"),
    ("host.readmitted", "Host was admitted again"),
    ("host.removed", "Host was taken away"),
    ("host.token_made", "Host token was made"),
    ("host.token_removed", "Host token was revoked"),
    ("job.continued", "Burn-in goes on"),
    ("job.cooled", "Drive has cooled down"),
    ("job.not_gone_on", "Unknown burn-in begins anew"),
    ("job.offered", "Unknown burn-in found on a drive"),
    ("job.paused", "Burn-in was paused"),
    ("person.acknowledged_alert", "Alert was acknowledged"),
    ("person.acknowledged_job", "Verdict was noted"),
    ("person.added_alert_channel", "Alert channel was added"),
    ("person.changed_alert_channel", "Alert channel was changed"),
    ("person.changed_drive_group", "Group of drives was changed"),
    ("person.forgot_playbook", "Playbook was taken away"),
    ("person.password_changed", "Password was changed"),
    ("person.removed_alert_channel", "Alert channel was taken away"),
    ("person.saved_playbook", "Playbook was saved"),
    ("person.scanned", "Read scan was started"),
    ("person.unacknowledged_job", "Verdict is not noted any more"),
    ("session.ended", "Session was ended"),
    ("session.others_ended", "Other sessions were ended"),
    ("session.refused", "Login was refused"),
    ("unit.recovered", "Service is well again"),
];

/// In words, what kind of event this is; one that is not known by its own name, as a sentence begins.
pub fn label(kind: &str, data: &serde_json::Value) -> String {
    let told = own_word(kind, data);
    let find = |name: &str| {
        let listed = KINDS.iter().map(|known| (known.name, known.label));
        let mut all = listed.chain(TITLES.iter().copied());
        all.find(|(known, _)| *known == name).map(|(_, label)| label)
    };
    if let Some(label) = told.and_then(find).or_else(|| find(kind)) {
        return label.to_owned();
    }
    let words = told.unwrap_or(kind).replace(['.', '_'], " ");
    let mut rest = words.chars();
    rest.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_vigils_47_are_there() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert_eq!(KINDS.iter().filter(|kind| !kind.name.contains('.')).count(), 47);
    }

    #[test]
    fn an_unknown_kind_still_has_words() {
        let none = serde_json::Value::Null;
        assert_eq!(label("unit.recovered", &none), "Service is well again");
        assert_eq!(label("box.entries_lost", &none), "Events were lost with a full store");
        assert_eq!(label("unit.slow_to_stop", &none), "Unit slow to stop");
        assert_eq!(label("", &none), "");
        let data = serde_json::json!({ "event_type": "gate_failed" });
        assert_eq!(label("addon.notification", &data), "Gate failed");
    }
}

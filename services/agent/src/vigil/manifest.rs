//! The agent's manifest: four pages that only show, and a fifth with the two steps of the gate where a foreign server
//! may ask for burn-ins.

use serde_json::{Value, json};
use wire::drive::Drive;
use wire::meaning::Meaning;

use super::Who;

/// Component of running jobs.
pub const JOBS: &str = "active-jobs";

/// Component of the drives.
pub const INVENTORY: &str = "drive-inventory";

/// Component of the SMART differences.
pub const SMART: &str = "smart-deltas";

/// Component of the temperatures.
pub const TEMPERATURE: &str = "drive-temperature";

/// Component of the log.
pub const LOG: &str = "recent-activity";

/// Most curves beside the hottest drive's: more cannot be told apart.
const CURVES: usize = 12;

/// Colours that stay apart for most eyes (Okabe and Ito's palette, repeated).
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

/// Key of the hottest drive's curve, as existing dashboards know it.
pub const HOTTEST: &str = "temp_c";

/// Key of one drive's curve: letters, digits and `_` only.
pub fn curve(drive: &Drive) -> String {
    let name = if drive.serial.is_empty() {
        &drive.key
    } else {
        &drive.serial
    };
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(40)
        .collect();
    format!("{HOTTEST}_{name}")
}

/// The manifest, with a curve for each of `drives` that tells a temperature.
pub fn manifest(drives: &[Drive], who: &Who) -> Value {
    let mut curves = vec![json!({ "key": HOTTEST, "label": "Hottest drive", "color": "#d62728", "fill": true })];
    let warm = drives
        .iter()
        .filter(|drive| drive.present && drive.temperature.is_some());
    for (drive, colour) in warm.take(CURVES).zip(COLOURS.iter().cycle()) {
        let label = format!("{} {}", drive.model, drive.serial);
        curves.push(json!({ "key": curve(drive), "label": label.trim(), "color": colour, "fill": false }));
    }
    let mut pages = vec![
        json!({ "id": "jobs", "title": "Burn-ins", "icon": "activity", "components": [
            { "type": "progress", "id": JOBS, "title": "Burn-ins under way", "source": "active_jobs", "config": {
                "source": "active_jobs", "multi": true, "show_phase": true, "show_eta": true, "show_speed": true,
                "show_temperature": true,
                "cancel": { "enabled": who.gate, "endpoint": "/api/jobs/{job_id}", "method": "DELETE",
                    "confirm_message": "End this burn-in? Its verdict will be INCONCLUSIVE." } } },
            { "type": "smart-table", "id": "job-history", "title": "Ended burn-ins", "source": "job_history", "config": {
                "source": "job_history", "sortable": true, "filterable": true, "key_field": "job_id",
                "filter_keys": ["serial", "model", "verdict"],
                "default_sort": { "key": "started_at", "direction": "desc" },
                "columns": [
                    { "key": "model", "label": "Model" }, { "key": "serial", "label": "Serial" },
                    { "key": "verdict", "label": "Verdict", "format": "badge" },
                    { "key": "started_at", "label": "Started", "format": "datetime" },
                    { "key": "elapsed", "label": "Duration", "format": "duration" },
                    { "key": "summary", "label": "Why" } ] } },
        ] }),
        json!({ "id": "drives", "title": "Drives", "icon": "hard-drive", "components": [
            { "type": "smart-table", "id": INVENTORY, "title": "Drives", "source": "agent_drives", "config": {
                "source": "agent_drives", "sortable": true, "filterable": true, "key_field": "serial",
                "columns": [
                    { "key": "model", "label": "Model" }, { "key": "serial", "label": "Serial" },
                    { "key": "capacity_bytes", "label": "Capacity", "format": "bytes" },
                    { "key": "transport", "label": "Bus" }, { "key": "temperature", "label": "°C" },
                    { "key": "content", "label": "What is on it" },
                    { "key": "refused", "label": "Why it is not offered" }, { "key": "path", "label": "Path" } ] } },
            { "type": "smart-table", "id": SMART, "title": "SMART before and after", "source": "smart_deltas", "config": {
                "source": "smart_deltas", "highlight_deltas": true, "sortable": true,
                "critical_ids": Meaning::numbers_of_faults().collect::<Vec<u16>>(),
                "columns": [
                    { "key": "drive", "label": "Drive" }, { "key": "id", "label": "ID" },
                    { "key": "name", "label": "Attribute" }, { "key": "baseline", "label": "Before" },
                    { "key": "current", "label": "After" }, { "key": "delta", "label": "Difference" } ] } },
        ] }),
        json!({ "id": "temperature", "title": "Temperature", "icon": "thermometer", "components": [
            { "type": "chart", "id": TEMPERATURE, "title": "Drive temperature", "source": "chart_history", "config": {
                "datasets": curves, "maxPoints": 720, "source": "chart_history", "time_range": "6h",
                "yAxes": { "left": { "title": "Temperature (°C)", "unit": "°C", "min": 20, "max": 70 } } } },
        ] }),
        json!({ "id": "logs", "title": "Log", "icon": "file-text", "components": [
            { "type": "log-viewer", "id": LOG, "title": "Log", "source": "log_history", "config": {
                "max_lines": 1000, "levels": ["info", "warn", "error"], "show_timestamp": true, "show_source": true,
                "filterable_by_job": true, "source": "log_history" } },
        ] }),
    ];
    if who.gate {
        pages.push(gate());
    }
    json!({
        "name": "kiln-burnin",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Burn-in of drives: written, read back and compared, SMART before and after, one verdict",
        "author": "Kiln",
        "pages": pages,
    })
}

/// The page of a foreign server that may ask: plan, then start with the code from the agent's console.
fn gate() -> Value {
    let option = |value: &str, label: &str| json!({ "value": value, "label": label });
    json!({ "id": "start", "title": "New burn-in", "icon": "plus-circle", "components": [
        { "type": "form", "id": "plan", "title": "1. What is to be erased", "config": {
            "fields": [
                { "name": "target", "label": "Drive", "type": "select", "required": true, "source": "agent_drives" },
                { "name": "command", "label": "What is done", "type": "select", "required": true, "default": "burnin",
                  "options": [option("burnin", "Burn-in"), option("preclear", "Clear"), option("full", "Burn-in, then format")] },
                { "name": "file_system", "label": "File system", "type": "select", "default": "ext4",
                  "options": [option("ext4", "ext4"), option("xfs", "XFS"), option("btrfs", "Btrfs"), option("raw", "None")],
                  "visible_when": { "command": ["full"] } },
                { "name": "reserved_percent", "label": "Reserved (%)", "type": "number", "default": 0, "min": 0, "max": 50,
                  "visible_when": { "command": ["full"] } } ],
            "action": "plan", "submit_label": "Show what would be lost" } },
        { "type": "form", "id": "start", "title": "2. Start", "config": {
            "fields": [
                { "name": "code", "label": "Code from the agent's console or log", "type": "text", "required": true },
                { "name": "serials", "label": "Full serial number of each drive", "type": "text", "required": true },
                { "name": "confirm_destructive", "label": "All data on these drives is destroyed", "type": "checkbox",
                  "required": true, "security_gate": true } ],
            "action": "start", "submit_label": "Erase and burn in" } },
    ] })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;

    fn who(gate: bool) -> Who {
        Who {
            host: "box".into(),
            gate,
        }
    }

    fn components(manifest: &Value) -> Vec<&Value> {
        let pages = manifest["pages"].as_array().unwrap();
        pages
            .iter()
            .flat_map(|page| page["components"].as_array().unwrap())
            .collect()
    }

    #[test]
    fn it_keeps_to_the_limits_and_every_id_is_its_own() {
        let drives = crate::vigil::shapes::tests::drives(100);
        for gate in [false, true] {
            let manifest = manifest(&drives, &who(gate));
            let length = manifest.to_string().len();
            assert!(length < 60_000, "one frame takes it");
            let flaws = wire::manifest::read(&manifest, length).err();
            assert!(flaws.is_none(), "{flaws:?}");
            let ids: BTreeSet<&str> = components(&manifest)
                .iter()
                .map(|c| c["id"].as_str().unwrap())
                .collect();
            assert_eq!(ids.len(), components(&manifest).len());
            let types: BTreeSet<&str> = components(&manifest)
                .iter()
                .map(|c| c["type"].as_str().unwrap())
                .collect();
            assert_eq!(types.contains("form"), gate, "nothing is offered that is refused");
        }
    }

    #[test]
    fn the_file_of_the_manifest_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json");
        let now = manifest(&[], &who(false));
        if std::env::var_os("KILN_BLESS").is_some() {
            std::fs::write(path, serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            serde_json::from_str::<Value>(&kept).is_ok_and(|kept| kept == now),
            "services/agent/manifest.json is stale: KILN_BLESS=1 cargo test -p agent --lib vigil::manifest"
        );
    }

    #[test]
    fn what_is_marked_is_what_the_table_of_meanings_calls_a_fault() {
        let manifest = manifest(&[], &who(false));
        let table = components(&manifest).into_iter().find(|c| c["id"] == SMART).unwrap();
        let marked: Vec<u64> = serde_json::from_value(table["config"]["critical_ids"].clone()).unwrap();
        assert_eq!(marked, [5, 10, 184, 187, 188, 196, 197, 198, 199]);
    }

    #[test]
    fn each_warm_drive_has_a_curve_beside_the_hottest() {
        let manifest = manifest(&crate::vigil::shapes::tests::drives(2), &who(false));
        let chart = components(&manifest)
            .into_iter()
            .find(|c| c["type"] == "chart")
            .unwrap();
        let curves = chart["config"]["datasets"].as_array().unwrap();
        let keys: Vec<&str> = curves.iter().map(|c| c["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["temp_c", "temp_c_VK_0", "temp_c_VK_1"]);
    }
}

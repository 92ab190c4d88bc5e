//! What a person asks of an add-on, held against the add-on's manifest: whether it is declared, how grave it is, whether the
//! form's values fit, and what of the gate is missing. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};
use wire::expression::When;
use wire::manifest::{Component, Declared, Endpoint, Field, Manifest, Safety};

pub use self::form::flaws;
use self::readings::{folded, is_strange, readings};

mod form;
mod readings;

/// The word that a person types at the gate.
pub const CONFIRM: &str = "CONFIRM";

/// What was asked for, as its manifest declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// How grave it is.
    pub safety: Safety,
    /// Fields that must be true.
    pub gates: Vec<String>,
    /// Method and path of the add-on's API, where it names one.
    pub endpoint: Option<(String, String)>,
    /// The form's fields.
    pub fields: Vec<Field>,
}

/// Whether a text can be an action's name. Source: Vigil, actions.
pub fn is_action(action: &str) -> bool {
    (1..=64).contains(&action.len())
        && action
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The manifest of a row, as types; `None` where it has none that holds to the rules.
pub fn manifest(raw: &Value) -> Option<Manifest> {
    if raw.is_null() {
        return None;
    }
    Manifest::deserialize(raw).ok()
}

/// What a manifest says of an action of one of its components, asked for with this data; `None` when it does not declare it.
pub fn find(manifest: &Manifest, component: &str, action: &str, data: &Map<String, Value>) -> Option<Asked> {
    let (_, part) = manifest.components().find(|(_, other)| other.id() == component)?;
    let fields = match part {
        Component::Form(form) => form
            .config
            .as_ref()
            .and_then(|config| config.fields.clone())
            .unwrap_or_default(),
        Component::Progress(_)
        | Component::Chart(_)
        | Component::SmartTable(_)
        | Component::LogViewer(_)
        | Component::DeployWizard(_)
        | Component::ConfigCard(_)
        | Component::DiskStorage(_)
        | Component::DiscoveryCard(_) => Vec::new(),
    };
    let mut declared = manifest.declared_for(component, action, &data.clone().into_iter().collect())?;
    let asks = if fields.is_empty() {
        declared.asks.clone()
    } else {
        fields.clone()
    };
    // What opens a gate in any reading is behind it.
    for reading in readings(&asks, data) {
        let so_read = manifest.declared_for(component, action, &reading)?;
        declared.safety = declared.safety.max(so_read.safety);
        for gate in so_read.gates {
            shut(&mut declared, &gate);
        }
        for field in asks.iter().filter(|field| field.security_gate == Some(true)) {
            let of_form = matches!(part, Component::Form(_));
            let when = field.visible_when.as_ref().and_then(|when| When::parse(when).ok());
            let doubted = |name: &str| {
                let otherwise = data.keys().any(|key| key != name && folded(key) == folded(name));
                otherwise || reading.get(name).is_none_or(is_strange)
            };
            if when.is_some_and(|when| when.fields().any(doubted)) {
                declared.safety = Safety::Destructive;
                // As in the form's own gates: what cannot be ticked is not asked to be.
                if !of_form || field.is_tick() {
                    shut(&mut declared, &field.name);
                }
            }
        }
    }
    let endpoint = declared.endpoint.map(|Endpoint { method, endpoint }| {
        let method = method.unwrap_or_else(|| "POST".to_owned());
        // The end of a job, where the manifest gives the path without a place for its id.
        let bare = matches!(part, Component::Progress(_)) && method == "DELETE" && !endpoint.contains('{');
        let path = if bare {
            format!("{}/{{job_id}}", endpoint.trim_end_matches('/'))
        } else {
            endpoint
        };
        (method, path)
    });
    Some(Asked {
        safety: declared.safety,
        gates: declared.gates,
        endpoint,
        fields,
    })
}

/// Puts an action behind a gate.
fn shut(declared: &mut Declared, gate: &str) {
    if !declared.gates.iter().any(|known| known == gate) {
        declared.gates.push(gate.to_owned());
    }
    declared.safety = Safety::Destructive;
}

/// How grave a write to a path of the add-on's API is; `None` when nothing in the manifest declares it. The gravest of all that
/// fit: what any component gates is gated.
pub fn of_path(manifest: &Manifest, method: &str, path: &str) -> Option<Safety> {
    let declared = manifest.declared_path(method, path);
    // Without data: whatever a form may gate is gated here.
    let by_action = (method == "POST").then(|| manifest.declared_call(path)).flatten();
    // The end of a job, where the manifest gives the path without a place for its id.
    let ends = (method == "DELETE").then_some(()).and_then(|()| {
        let (front, id) = path.rsplit_once('/')?;
        let plain = !id.is_empty() && !id.contains(['?', '#']);
        plain.then(|| manifest.declared_path(method, front)).flatten()
    });
    declared.max(by_action).max(ends)
}

/// What of the gate is missing, besides whether the password is right.
pub fn missing(asked: &Asked, data: &Map<String, Value>, password: Option<&str>, confirm: Option<&str>) -> Vec<String> {
    if asked.safety != Safety::Destructive {
        return Vec::new();
    }
    let unticked = asked.gates.iter().filter(|gate| {
        let ticked = matches!(data.get(*gate), Some(Value::Bool(true)));
        !ticked && !matches!(data.get(*gate), Some(Value::String(text)) if text == "true" || text == "on")
    });
    let mut missing: Vec<String> = unticked.map(|gate| format!("field {gate:?} must be ticked")).collect();
    if password.is_none_or(str::is_empty) {
        missing.push("\"_password\" must be your password".to_owned());
    }
    if confirm != Some(CONFIRM) {
        missing.push(format!("\"confirm\" must be {CONFIRM:?}"));
    }
    missing
}

/// A declared path with its placeholders filled from the values, each as one part of a path; `None` where a value is missing or
/// is none.
pub fn fill(pattern: &str, data: &Map<String, Value>) -> Option<String> {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let name = name.strip_prefix("row.").unwrap_or(name);
        let value = data
            .get(name)
            .or_else(|| if name == "id" { data.get("job_id") } else { None })?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        // One value is one part of the path, also for who decodes before he splits.
        if text.is_empty() || text == "." || text.contains("..") || text.contains(['/', '\\', '%']) {
            return None;
        }
        path += before;
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => path.push(char::from(byte)),
                other => path += &format!("%{other:02X}"),
            }
        }
        rest = after;
    }
    Some(path + rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn raw() -> Value {
        json!({ "name": "x", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
            { "type": "form", "id": "f", "config": { "action": "start_job", "fields": [
                { "name": "target", "type": "select", "required": true, "options": [{ "value": "sda", "label": "a" }] },
                { "name": "passes", "type": "number", "min": 1, "max": 4, "visible_when": "target=sda" },
                { "name": "note", "type": "text", "required": true, "depends_on": "passes" },
                { "name": "confirm", "type": "checkbox", "security_gate": true, "required": true },
            ] } },
            { "type": "progress", "id": "j", "config": { "cancel": { "enabled": true, "endpoint": "/api/jobs" } } },
            { "type": "smart-table", "id": "t", "config": {
                "columns": [{ "key": "a", "format": "actions", "actions": [{ "type": "delete", "id_key": "agent_id" }] }],
                "row_actions": [{ "id": "scrub", "safety_tier": "yellow", "action": { "method": "POST", "endpoint": "/api/pools/{row.name}/scrub" } },
                                { "id": "destroy", "safety_tier": "red", "action": { "method": "DELETE", "endpoint": "/api/pools/{row.name}" } }] } },
            { "type": "discovery-card", "id": "d", "config": { "expand_endpoint": "/api/pool/add-vdev" } },
        ] }] })
    }

    fn data(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_declared_is_found_with_its_gravity() {
        let raw = raw();
        let manifest = manifest(&raw).unwrap();
        let of = |component, action| find(&manifest, component, action, &Map::new());
        let form = of("f", "start_job").unwrap();
        assert_eq!(
            (form.safety, form.gates.as_slice()),
            (Safety::Destructive, ["confirm".to_owned()].as_slice())
        );
        assert_eq!(
            of("j", "cancel").unwrap().endpoint.unwrap(),
            ("DELETE".into(), "/api/jobs/{job_id}".into())
        );
        assert_eq!(of("t", "scrub").unwrap().safety, Safety::Write);
        assert_eq!(of("t", "destroy").unwrap().safety, Safety::Destructive);
        assert_eq!(of("t", "delete").unwrap().safety, Safety::Destructive);
        assert_eq!(of("d", "expand").unwrap().safety, Safety::Destructive);
        for (component, action) in [
            ("f", "stop"),
            ("x", "start_job"),
            ("t", "start_job"),
            ("j", "start_job"),
            ("", ""),
        ] {
            assert_eq!(of(component, action), None, "{component} {action}");
        }
    }

    #[test]
    fn a_path_is_as_grave_as_the_gravest_that_it_can_mean() {
        let raw = raw();
        let manifest = manifest(&raw).unwrap();
        let of = |method, path| of_path(&manifest, method, path);
        assert_eq!(of("DELETE", "/api/jobs/full-sda-1"), Some(Safety::Write));
        assert_eq!(of("POST", "/api/pools/tank/scrub"), Some(Safety::Write));
        assert_eq!(of("DELETE", "/api/pools/tank"), Some(Safety::Destructive));
        assert_eq!(of("POST", "/api/start_job"), Some(Safety::Destructive));
        assert_eq!(of("POST", "/api/pool/add-vdev"), Some(Safety::Destructive));
        for (method, path) in [
            ("POST", "/api/execute"),
            ("PUT", "/api/jobs/x"),
            ("DELETE", "/api/agents/n1"),
            ("POST", "/api/rotate-psk"),
            ("DELETE", "/api/jobs/x/y"),
            ("DELETE", "/api/jobs/"),
            ("POST", "/api/pools/tank/scrub/now"),
        ] {
            assert_eq!(of(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn each_thing_that_the_gate_lacks_is_named() {
        let raw = raw();
        let asked = find(&manifest(&raw).unwrap(), "f", "start_job", &Map::new()).unwrap();
        let all = missing(&asked, &data(json!({})), None, None);
        assert_eq!(all.len(), 3, "{all:?}");
        let ticked = data(json!({ "confirm": true }));
        assert!(
            missing(&asked, &ticked, Some("pw"), Some("confirm"))[0].contains("CONFIRM"),
            "as it is written"
        );
        assert!(missing(&asked, &data(json!({ "confirm": "yes" })), Some("pw"), Some("CONFIRM"))[0].contains("ticked"));
        assert!(missing(&asked, &data(json!({ "confirm": 1 })), Some("pw"), Some("CONFIRM"))[0].contains("ticked"));
        assert_eq!(
            missing(&asked, &ticked, Some("pw"), Some("CONFIRM")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_gate_is_not_hidden_by_leaving_out_what_its_condition_asks() {
        let manifest = |default: Value| {
            let raw = json!({ "name": "x", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
                { "type": "form", "id": "f", "title": "F", "config": { "action": "go", "fields": [
                    { "name": "command", "type": "select", "default": default, "options": [
                        { "label": "Status", "value": "status" }, { "label": "Full", "value": "full" }] },
                    { "name": "sure", "type": "checkbox", "security_gate": true, "visible_when": "command=full" }] } }] }] });
            manifest(&raw).unwrap()
        };
        let gates = |default: Value, sent: Value| find(&manifest(default), "f", "go", &data(sent)).unwrap().gates;
        assert_eq!(gates(json!("full"), json!({})), ["sure"]);
        assert_eq!(
            gates(Value::Null, json!({})),
            ["sure"],
            "nobody knows what the other end takes"
        );
        assert_eq!(gates(json!("full"), json!({ "command": "full" })), ["sure"]);
        assert!(gates(json!("full"), json!({ "command": "status" })).is_empty());
        assert!(gates(json!("status"), json!({})).is_empty());
    }

    #[test]
    fn a_gate_that_cannot_be_ticked_asks_for_password_and_word_however_it_is_shown() {
        let raw = json!({ "name": "x", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
            { "type": "form", "id": "f", "config": { "action": "go", "fields": [
                { "name": "how", "type": "select", "default": "all", "options": [{ "value": "all" }, { "value": "some" }] },
                { "name": "serial", "required": true, "security_gate": true, "visible_when": "how=all" }] } }] }] });
        let manifest = manifest(&raw).unwrap();
        let asked = |sent: Value| find(&manifest, "f", "go", &data(sent)).unwrap();
        for sent in [
            json!({}),
            json!({ "how": "all" }),
            json!({ "how": " all" }),
            json!({ "how": {} }),
        ] {
            let asked = asked(sent.clone());
            assert_eq!((asked.safety, asked.gates.len()), (Safety::Destructive, 0), "{sent}");
            assert_eq!(missing(&asked, &data(sent), None, None).len(), 2);
        }
        assert_eq!(asked(json!({ "how": "some" })).safety, Safety::Write);
        let lacks = flaws(&asked(json!({})).fields, &data(json!({ "how": "all" })));
        assert_eq!(lacks, ["field \"serial\": expected a value"]);
    }

    #[test]
    fn a_gate_in_the_form_of_a_tables_button_is_held_shut() {
        let raw = json!({ "name": "x", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
            { "type": "smart-table", "id": "t", "config": { "columns": [{ "key": "a" }],
                "row_actions": [
                    { "id": "grow", "form": { "fields": [{ "key": "sure", "type": "checkbox", "security_gate": true }] } },
                    { "id": "clear", "form": { "fields": [{ "name": "how", "type": "select", "default": "all" }],
                        "sections": [{ "title": "All", "visible_when": "how=all", "fields": [
                            { "name": "every", "type": "checkbox", "security_gate": "true" }] }] } },
                    { "id": "plain", "form": { "fields": [{ "name": "note" }] } }],
                "bulk_actions": [{ "id": "all", "action": "grow" }] } }] }] });
        let manifest = manifest(&raw).unwrap();
        let key = (Some("pw"), Some(CONFIRM));
        let lacks = |action: &str, sent: Value| {
            let sent = data(sent);
            missing(&find(&manifest, "t", action, &sent).unwrap(), &sent, key.0, key.1)
        };
        assert_eq!(
            lacks("grow", json!({ "name": "tank" })),
            ["field \"sure\" must be ticked"]
        );
        assert_eq!(
            lacks("grow", json!({ "sure": false })),
            ["field \"sure\" must be ticked"]
        );
        assert!(lacks("grow", json!({ "sure": true })).is_empty());
        for shown in [
            json!({}),
            json!({ "how": "all" }),
            json!({ "how": " all " }),
            json!({ "how": "some", "How": "all" }),
        ] {
            assert_eq!(
                lacks("clear", shown.clone()),
                ["field \"every\" must be ticked"],
                "{shown}"
            );
        }
        assert!(lacks("clear", json!({ "how": "some" })).is_empty());
        assert!(lacks("plain", json!({})).is_empty());
    }

    #[test]
    fn a_value_is_one_part_of_a_path_and_leads_nowhere_else() {
        let of = |pattern, value| fill(pattern, &data(value));
        assert_eq!(
            of("/api/jobs/{id}", json!({ "job_id": "a b:c" })).unwrap(),
            "/api/jobs/a%20b%3Ac"
        );
        assert_eq!(
            of("/api/pools/{row.name}/scrub", json!({ "name": "tank" })).unwrap(),
            "/api/pools/tank/scrub"
        );
        for bad in [
            json!({}),
            json!({ "id": "" }),
            json!({ "id": "../x" }),
            json!({ "id": ["a"] }),
            json!({ "id": "." }),
            json!({ "id": "tank/destroy" }),
            json!({ "id": "tank%2Fdestroy" }),
            json!({ "id": "tank\\destroy" }),
        ] {
            assert_eq!(of("/api/jobs/{id}", bad.clone()), None, "{bad}");
        }
        assert_eq!(of("/api/jobs/{id", json!({ "id": "a" })), None);
    }
}

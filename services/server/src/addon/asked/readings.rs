//! What the other end may take a form's values for: a gate is judged on each reading, not on ours alone. Pure.

use serde_json::{Map, Value};
use wire::expression::Values;
use wire::manifest::Field;

/// What the other end may take these values for: as they are, and as a lenient reader does. What is left out or empty is the
/// field's default there; where there is none, it is missing here.
pub(super) fn readings(fields: &[Field], data: &Map<String, Value>) -> [Values; 2] {
    let mut plain: Values = data
        .iter()
        .filter(|(_, value)| !is_nothing(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for field in fields {
        if let Some(default) = field.default.as_ref().filter(|default| !is_nothing(default)) {
            plain.entry(field.name.clone()).or_insert_with(|| default.clone());
        }
    }
    let lenient = plain.iter().map(|(key, value)| {
        let field = fields.iter().find(|field| field.name == *key);
        let ticks = field.is_some_and(Field::is_tick);
        (key.clone(), leniently(value, ticks))
    });
    let lenient = lenient.collect();
    [plain, lenient]
}

/// A value as a reader takes it that trims, and reads numbers in any way they are written.
fn leniently(value: &Value, ticks: bool) -> Value {
    match value {
        Value::String(text) => match text.trim() {
            "on" if ticks => true.into(),
            "off" if ticks => false.into(),
            trimmed => trimmed.parse::<f64>().map_or_else(|_| trimmed.into(), Value::from),
        },
        Value::Array(many) => many.iter().map(|one| leniently(one, ticks)).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => other.clone(),
    }
}

/// Whether a reader may take this for a field that was left out.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(many) => many.iter().all(is_nothing),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// Whether no condition can look into this.
pub(super) fn is_strange(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(many) => many.iter().any(|one| one.is_array() || one.is_object()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A name as a reader takes it to whom upper and lower case are one, in all of Unicode.
pub(super) fn folded(name: &str) -> String {
    name.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;
    use wire::manifest::Manifest;

    use super::super::{find, flaws, manifest};
    use super::*;

    fn data(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    /// A form whose gate `sure` is shown by this condition on its field.
    fn gated_by(field: &Value, when: &str) -> Manifest {
        let raw = json!({ "name": "x", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
            { "type": "form", "id": "f", "title": "F", "config": { "action": "go", "fields": [
                field, { "name": "sure", "type": "checkbox", "security_gate": true, "visible_when": when }] } }] }] });
        manifest(&raw).unwrap()
    }

    #[test]
    fn a_gate_is_not_hidden_by_a_value_that_the_other_end_reads_otherwise() {
        let is_open = |field: &Value, when: &str, sent: Value| {
            let sent = data(sent);
            let asked = find(&gated_by(field, when), "f", "go", &sent).unwrap();
            asked.gates.is_empty() && flaws(&asked.fields, &sent).is_empty()
        };
        let command = json!({ "name": "command", "type": "text", "default": "full" });
        for nothing in [
            json!(null),
            json!(""),
            json!([]),
            json!([null]),
            json!([""]),
            json!("  "),
        ] {
            let sent = json!({ "command": nothing });
            assert!(!is_open(&command, "command=full", sent.clone()), "{sent}");
        }
        let no_default = json!({ "name": "command", "type": "text" });
        assert!(!is_open(&no_default, "command=full", json!({ "command": null })));
        assert!(!is_open(&no_default, "command=full", json!({ "command": " full " })));
        assert!(!is_open(
            &no_default,
            "command=full",
            json!({ "command": ["status", "full"] })
        ));
        assert!(is_open(&command, "command=full", json!({ "command": "status" })));

        let number = json!({ "name": "n", "type": "number" });
        for four in [
            json!(4),
            json!("4"),
            json!("4.0"),
            json!(" 4 "),
            json!("+4"),
            json!("4e0"),
            json!("4."),
            json!(".4e1"),
        ] {
            let sent = json!({ "n": four });
            assert!(!is_open(&number, "n>3", sent.clone()), "{sent}");
            // Where the condition is on a text, too.
            let text = json!({ "name": "n", "type": "text" });
            assert!(!is_open(&text, "n>3", sent.clone()), "{sent} as text");
        }
        assert!(is_open(&number, "n>3", json!({ "n": 2 })));
        assert!(is_open(&number, "n>3", json!({ "n": "2" })));

        let tick = json!({ "name": "erase", "type": "checkbox" });
        for ticked in [json!(true), json!("true"), json!("on")] {
            let sent = json!({ "erase": ticked });
            assert!(!is_open(&tick, "erase=true", sent.clone()), "{sent}");
        }
        assert!(is_open(&tick, "erase=true", json!({ "erase": "off" })));
        let hidden = json!({ "name": "h", "type": "hidden" });
        assert!(
            !is_open(&hidden, "h=full", json!({ "h": { "a": "full" } })),
            "nobody knows what this is there"
        );
    }

    #[test]
    fn an_undeclared_key_does_not_stand_for_a_declared_one() {
        let manifest = gated_by(&json!({ "name": "disk", "type": "text" }), "disk=sda");
        let of = |sent: Value| {
            let sent = data(sent);
            flaws(&find(&manifest, "f", "go", &sent).unwrap().fields, &sent).join("; ")
        };
        for other in ["Disk", "DISK", "di\u{17f}k", "dis\u{212a}"] {
            let said = of(json!({ "disk": "sdb", other: "sda" }));
            assert!(
                said.contains("\"disk\"") && said.contains(&format!("{other:?}")),
                "{other}: {said}"
            );
            assert!(!of(json!({ other: "sda" })).is_empty(), "{other} alone");
        }
        assert_eq!(of(json!({ "disk": "sdb", "agent_id": "n1", "note": 1 })), "");
    }
}

//! The JSON Schema of a manifest, made from the same description that checks manifests here.

use serde_json::{Map, Value, json};

use super::parts::{COMPONENT, COMPONENT_TYPES, MANIFEST};
use super::shape::{Record, Shape};

/// The schema, draft 2020-12.
///
/// It says all that a schema can; ids that are unique over all pages, the number of components on all of them, names
/// that must exist, formulas and conditions are checked by the server besides.
pub fn schema() -> Value {
    let mut defs = Map::new();
    let mut whole = record(&MANIFEST, &mut defs);
    if let Value::Object(whole) = &mut whole {
        whole.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        whole.insert("title".into(), "Manifest of an add-on".into());
        whole.insert("$defs".into(), Value::Object(defs));
    }
    whole
}

fn reference(of: &'static Record, defs: &mut Map<String, Value>) -> Value {
    if !defs.contains_key(of.name) {
        // Its place first, so that a record that holds itself comes to an end.
        defs.insert(of.name.to_owned(), Value::Null);
        let mut schema = record(of, defs);
        if of.name == COMPONENT.name {
            by_type(&mut schema, defs);
        }
        defs.insert(of.name.to_owned(), schema);
    }
    json!({ "$ref": format!("#/$defs/{}", of.name) })
}

/// Holds `config` to the component's type.
fn by_type(component: &mut Value, defs: &mut Map<String, Value>) {
    let rules: Vec<Value> = COMPONENT_TYPES
        .iter()
        .map(|(kind, config)| {
            let must = !config.any_of.is_empty();
            let config = reference(config, defs);
            let config = if must { config } else { or_null(config) };
            let required: &[&str] = if must { &["config"] } else { &[] };
            json!({ "if": { "properties": { "type": { "const": kind } }, "required": ["type"] },
                "then": { "properties": { "config": config }, "required": required } })
        })
        .collect();
    component["allOf"] = rules.into();
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn record(of: &'static Record, defs: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in of.keys {
        let bare = matches!(key.shape, Shape::Any);
        let inner = shape(&key.shape, defs);
        let mut schema = if key.must || bare { inner } else { or_null(inner) };
        schema["description"] = key.about.into();
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = of.keys.iter().filter(|key| key.must).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "description": of.about, "properties": properties });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if !of.any_of.is_empty() {
        let there = |name: &&str| json!({ "required": [name], "properties": { *name: { "not": { "type": "null" } } } });
        schema["anyOf"] = of.any_of.iter().map(there).collect();
    }
    schema
}

fn shape(of: &'static Shape, defs: &mut Map<String, Value>) -> Value {
    let count = |schema: &mut Value, least: &str, min: usize, most: &str, max: usize| {
        if min > 0 {
            schema[least] = min.into();
        }
        if max < usize::MAX {
            schema[most] = max.into();
        }
    };
    match of {
        Shape::Text { min, max } => {
            let mut schema = json!({ "type": "string" });
            count(&mut schema, "minLength", *min, "maxLength", *max);
            schema
        }
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Form(form) => json!({ "type": "string", "pattern": form.regex }),
        Shape::Number { min, max, whole } => {
            let mut schema = json!({ "type": if *whole { "integer" } else { "number" } });
            if min.is_finite() {
                schema["minimum"] = (*min).into();
            }
            if max.is_finite() {
                schema["maximum"] = (*max).into();
            }
            schema
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Any => json!({}),
        Shape::List { of, min, max } => {
            let mut schema = json!({ "type": "array", "items": shape(of, defs) });
            count(&mut schema, "minItems", *min, "maxItems", *max);
            schema
        }
        Shape::Map { of, min } => {
            let mut schema = json!({ "type": "object", "additionalProperties": shape(of, defs) });
            count(&mut schema, "minProperties", *min, "maxProperties", usize::MAX);
            schema
        }
        Shape::Record(record) => reference(record, defs),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|one| shape(one, defs)).collect::<Vec<_>>() })
        }
    }
}

//! Whether a form's values fit its fields. Pure.
//!
//! The page judges the same way before it sends (`addon/fields.ts`), and both run `wire/cases/form.json`: what one refuses the
//! other does not take. A calculated field is counted again here, with what is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use wire::expression::{self, Values, When};
use wire::manifest::{Field, FieldType};

use super::readings::{folded, is_nothing};

/// An option of a select that opens a box for any text.
const CUSTOM: &str = "__custom__";

/// Longest text of one field, in bytes.
const TEXT_MAX: usize = 4096;

/// How far from a whole number of steps a value may be. Source: the page, `addon/fields.ts`.
const STEP_OFF: f64 = 1e-6;

/// How far a result that was sent may be from ours: results have four decimals.
const RESULT_OFF: f64 = 1e-6;

/// The same for results too large for that, as a part of the result: some units in the last place of a float.
const RESULT_OFF_PART: f64 = 1e-14;

/// What is wrong with a form's values, each naming its field. Fields that are hidden by a condition are not asked for.
pub fn flaws(fields: &[Field], data: &Map<String, Value>) -> Vec<String> {
    // Go's encoding/json takes "Disk" for "disk", and the last of them: what was checked here would not be what counts there.
    let undeclared = data.keys().filter(|key| fields.iter().all(|field| field.name != **key));
    let mut flaws: Vec<String> = undeclared
        .filter_map(|key| {
            let like = fields.iter().find(|field| folded(&field.name) == folded(key))?;
            Some(format!("{key:?}: expected field {:?}, written exactly so", like.name))
        })
        .collect();
    let names = names(fields, data);
    let numbers = numbers(&names, data);
    for Name { name, all, shown } in &names {
        let lacks = shown.iter().find_map(|field| lack(field, fields, data));
        if lacks.is_some() {
            flaws.extend(lacks);
            continue;
        }
        let Some(value) = data.get(*name).filter(|value| !is_blank(value)) else {
            continue;
        };
        let flaw = |field: &&Field| misfit(field, value).or_else(|| miscounted(field, value, &numbers));
        if shown.is_empty() {
            // Nobody knows which of them it was meant for.
            let mut misfits = all.iter().map(flaw);
            let first = misfits.next().flatten();
            if misfits.all(|misfit| misfit.is_some()) {
                flaws.extend(first);
            }
        } else {
            flaws.extend(shown.iter().filter_map(flaw));
        }
    }
    flaws
}

/// The fields that bear one name: alternatives, of which conditions show one.
struct Name<'f> {
    name: &'f str,
    all: Vec<&'f Field>,
    shown: Vec<&'f Field>,
}

fn names<'f>(fields: &'f [Field], data: &Map<String, Value>) -> Vec<Name<'f>> {
    let values: Values = data.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let is_shown = |field: &Field| {
        let when = field.visible_when.as_ref();
        when.is_none_or(|when| When::parse(when).is_ok_and(|when| when.holds(&values)))
    };
    let mut known = BTreeSet::new();
    let firsts = fields.iter().filter(|field| known.insert(field.name.as_str()));
    firsts
        .map(|first| {
            let all: Vec<&Field> = fields.iter().filter(|field| field.name == first.name).collect();
            let shown = all.iter().copied().filter(|field| is_shown(field)).collect();
            Name {
                name: &first.name,
                all,
                shown,
            }
        })
        .collect()
}

/// What a field that is shown lacks of what has to be given.
fn lack(field: &Field, fields: &[Field], data: &Map<String, Value>) -> Option<String> {
    // A tick that has to be set is the gate's business where it is one.
    let needed = field.required == Some(true) && !(field.security_gate == Some(true) && field.is_tick());
    let waits = field.depends_on.as_ref().is_some_and(|on| !is_given(on, fields, data));
    if !needed || waits {
        return None;
    }
    match data.get(&field.name).filter(|value| !is_nothing(value)) {
        None => Some(format!("field {:?}: expected a value", field.name)),
        Some(value) if field.kind == Some(FieldType::Checkbox) && is_off(value) => {
            Some(format!("field {:?}: expected it ticked", field.name))
        }
        Some(_) => None,
    }
}

/// Whether a field that others depend on is given: a tick that is not set is not.
fn is_given(name: &str, fields: &[Field], data: &Map<String, Value>) -> bool {
    let is_tick = fields.iter().any(|field| field.name == name && field.is_tick());
    data.get(name).is_some_and(|value| {
        let is_unset = *value == Value::Bool(false) || is_tick && is_off(value);
        !is_unset && !is_nothing(value)
    })
}

/// Whether a tick is not set, in each way in which it is written.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::String(text) => text == "false" || text == "off",
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether this is what an empty box holds.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A number, also one that is written as a text.
fn number(value: &Value) -> Option<f64> {
    let text = || value.as_str().and_then(|text| text.trim().parse().ok());
    value.as_f64().or_else(text).filter(|number: &f64| number.is_finite())
}

/// What formulas see: what is sent, and of calculated fields what comes out here. A tick that is set is 1.
fn numbers(names: &[Name<'_>], data: &Map<String, Value>) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let mut live = Vec::new();
    for Name { name, all, shown } in names {
        let Some(value) = data.get(*name).filter(|value| !is_blank(value)) else {
            continue;
        };
        let seen = match value {
            Value::Bool(flag) => f64::from(u8::from(*flag)),
            other @ (Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                number(other).unwrap_or(0.0)
            }
        };
        numbers.insert((*name).to_owned(), seen);
        let counts = shown.first().or_else(|| all.first());
        let formula = counts.and_then(|field| expression::parse(field.live_calculation.as_deref()?).ok());
        live.extend(formula.map(|formula| (*name, formula)));
    }
    // No formula leads back to itself, so that each round settles one more of them.
    for _ in 0..live.len() {
        let mut changed = false;
        for (name, formula) in &live {
            let result = formula.eval(&numbers).unwrap_or(0.0);
            changed |= numbers.insert((*name).to_owned(), result) != Some(result);
        }
        if !changed {
            break;
        }
    }
    numbers
}

fn expected(field: &Field, what: &str, value: &Value) -> String {
    let found: String = value.to_string().chars().take(60).collect();
    format!("field {:?}: expected {what}, found {found}", field.name)
}

/// Why a calculated field is not what its formula gives.
fn miscounted(field: &Field, value: &Value, numbers: &BTreeMap<String, f64>) -> Option<String> {
    let formula = expression::parse(field.live_calculation.as_deref()?).ok()?;
    match formula.eval(numbers) {
        Ok(result) => {
            let off = RESULT_OFF.max(result.abs() * RESULT_OFF_PART);
            if number(value).is_some_and(|sent| (sent - result).abs() <= off) {
                return None;
            }
            Some(expected(field, &format!("{result}, which its formula gives"), value))
        }
        Err(error) => Some(expected(
            field,
            &format!("nothing: its formula has no result, {error}"),
            value,
        )),
    }
}

/// Why a value cannot be this field's.
fn misfit(field: &Field, value: &Value) -> Option<String> {
    match field.kind.unwrap_or(FieldType::Text) {
        FieldType::Number | FieldType::Range => {
            let Some(number) = number(value) else {
                return Some(expected(field, "a number", value));
            };
            if let Some(min) = field.min.filter(|min| number < *min) {
                return Some(expected(field, &format!("at least {min}"), value));
            }
            if let Some(max) = field.max.filter(|max| number > *max) {
                return Some(expected(field, &format!("at most {max}"), value));
            }
            let step = field.step.as_ref().and_then(Value::as_f64);
            let step = step.filter(|step| *step > 0.0)?;
            let from = field.min.unwrap_or(0.0);
            let steps = (number - from) / step;
            if (steps - steps.round()).abs() > STEP_OFF {
                return Some(expected(field, &format!("steps of {step} from {from}"), value));
            }
            None
        }
        FieldType::Checkbox | FieldType::Toggle => match value {
            Value::Bool(_) => None,
            Value::String(text) if matches!(text.as_str(), "true" | "false" | "on" | "off") => None,
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                Some(expected(field, "true or false", value))
            }
        },
        FieldType::Select => {
            let options = field.options.as_deref().unwrap_or_default();
            let free =
                field.source.is_some() || options.is_empty() || options.iter().any(|option| option.value == CUSTOM);
            let known = |one: &Value| match one {
                Value::String(text) => {
                    text.len() <= TEXT_MAX && (free || options.iter().any(|option| option.value == *text))
                }
                Value::Number(number) => free || options.iter().any(|option| option.value == number.to_string()),
                Value::Bool(flag) => options.iter().any(|option| option.value == flag.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            };
            let all = match value.as_array() {
                Some(many) => many.iter().all(known),
                None => known(value),
            };
            if all {
                return None;
            }
            let words: Vec<&str> = options.iter().take(10).map(|option| option.value.as_str()).collect();
            Some(expected(field, &format!("one of its options {words:?}"), value))
        }
        FieldType::Text | FieldType::Hidden => match value {
            Value::String(text) if text.len() > TEXT_MAX => {
                Some(expected(field, &format!("at most {TEXT_MAX} bytes"), value))
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => None,
            // Hidden fields carry what the page puts there.
            Value::Null | Value::Array(_) | Value::Object(_) if field.kind == Some(FieldType::Hidden) => None,
            Value::Null | Value::Array(_) | Value::Object(_) => Some(expected(field, "a text", value)),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn fields(fields: Value) -> Vec<Field> {
        serde_json::from_value(fields).unwrap()
    }

    fn of(fields: &[Field], sent: Value) -> String {
        flaws(fields, sent.as_object().unwrap()).join("; ")
    }

    #[test]
    fn the_table_of_forms_comes_out_as_it_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/cases/form.json");
        let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut wrong = Vec::new();
        for case in &cases {
            let config = json!({ "action": "go", "fields": case["fields"] });
            let form = json!({ "name": "n", "version": "1", "pages": [{ "id": "p", "title": "t", "components": [
                { "type": "form", "id": "f", "config": config }] }] });
            assert_eq!(wire::manifest::read(&form, 0).err(), None, "{case}");
            let found = flaws(&fields(case["fields"].clone()), case["sends"].as_object().unwrap());
            let names: BTreeSet<&str> = found.iter().filter_map(|flaw| flaw.split('"').nth(1)).collect();
            let want: BTreeSet<&str> = case["wrong"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            if names != want {
                wrong.push(format!("{case} gave {found:?}"));
            }
        }
        assert!(cases.len() >= 40 && wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn values_are_held_against_the_form() {
        let fields = fields(json!([
            { "name": "target", "type": "select", "required": true, "options": [{ "value": "sda", "label": "a" }] },
            { "name": "passes", "type": "number", "min": 1, "max": 4, "visible_when": "target=sda" },
            { "name": "note", "type": "text", "required": true, "depends_on": "passes" },
            { "name": "confirm", "type": "checkbox", "security_gate": true, "required": true },
        ]));
        let of = |sent| of(&fields, sent);
        assert!(of(json!({})).contains("\"target\": expected a value"));
        assert!(of(json!({ "target": "sdb" })).contains("one of its options"));
        assert!(of(json!({ "target": { "a": 1 } })).contains("one of its options"));
        assert!(of(json!({ "target": "sda", "passes": "many", "note": "n" })).contains("a number"));
        assert!(of(json!({ "target": "sda", "passes": 5, "note": "n" })).contains("at most 4"));
        assert!(of(json!({ "target": "sda", "passes": "0", "note": "n" })).contains("at least 1"));
        assert!(
            of(json!({ "target": "sda", "passes": 2 })).contains("\"note\""),
            "what it depends on is given"
        );
        assert!(of(json!({ "target": "sda", "confirm": "maybe" })).contains("true or false"));
        assert!(of(json!({ "target": "sda", "passes": 2, "note": ["x"] })).contains("a text"));
        assert_eq!(of(json!({ "target": "sda" })), "");
        assert_eq!(
            of(json!({ "target": "sda", "passes": 4, "note": "n", "confirm": true, "agent_id": "x" })),
            ""
        );
    }

    #[test]
    fn a_value_for_fields_of_one_name_that_are_all_hidden_has_to_fit_one_of_them() {
        let fields = fields(json!([
            { "name": "how", "type": "text" },
            { "name": "size", "type": "number", "max": 4, "visible_when": "how=a" },
            { "name": "size", "type": "number", "max": 100, "visible_when": "how=b" },
        ]));
        assert_eq!(of(&fields, json!({ "how": "b", "size": 50 })), "");
        assert!(of(&fields, json!({ "how": "a", "size": 50 })).contains("at most 4"));
        assert_eq!(of(&fields, json!({ "how": "c", "size": 50 })), "");
        assert!(of(&fields, json!({ "how": "c", "size": 101 })).contains("\"size\""));
        assert!(of(&fields, json!({ "size": "many" })).contains("a number"));
    }

    #[test]
    fn a_forged_total_is_named_with_what_comes_out() {
        let fields = fields(json!([
            { "name": "passes", "type": "number" },
            { "name": "fast", "type": "toggle" },
            { "name": "days", "type": "number", "live_calculation": "round(hours / 24, 2)" },
            { "name": "hours", "type": "text", "live_calculation": "passes * 4.1 - fast" },
        ]));
        let whole = json!({ "passes": 3, "fast": true, "hours": 11.3, "days": 0.47 });
        assert_eq!(of(&fields, whole.clone()), "");
        let told = |name: &str, value: Value| {
            let mut sent = whole.clone();
            sent[name] = value;
            of(&fields, sent)
        };
        assert_eq!(told("hours", json!("11.3")), "");
        assert_eq!(told("hours", json!(11.299_999_999_999_999)), "", "the same number");
        assert_eq!(
            told("hours", json!(1)),
            "field \"hours\": expected 11.3, which its formula gives, found 1"
        );
        assert!(told("hours", json!("a lot")).contains("expected 11.3"));
        assert!(told("days", json!(0.46)).contains("\"days\": expected 0.47"));
        assert!(told("passes", json!(4)).contains("\"hours\": expected 15.4"));
        let alone = json!({ "passes": 3, "days": 0.47 });
        assert!(
            of(&fields, alone).contains("\"days\": expected 0,"),
            "it counts with what is sent"
        );
        let large = self::fields(json!([{ "name": "a", "type": "text" },
            { "name": "b", "live_calculation": "a * 1e300" }]));
        assert!(of(&large, json!({ "a": "1e300", "b": 1 })).contains("too large"));
        assert_eq!(of(&large, json!({ "a": "1e5", "b": 1e305 })), "");
    }

    #[test]
    fn a_tick_that_is_written_as_off_is_not_given() {
        let fields = fields(json!([
            { "name": "own", "type": "toggle" },
            { "name": "word", "type": "text", "required": true, "depends_on": "own" },
            { "name": "sure", "type": "checkbox", "required": true },
        ]));
        assert_eq!(of(&fields, json!({ "own": "off", "sure": "on" })), "");
        assert!(of(&fields, json!({ "own": "on", "sure": true })).contains("\"word\": expected a value"));
        for off in [json!(false), json!("false"), json!("off")] {
            assert!(of(&fields, json!({ "sure": off })).contains("\"sure\": expected it ticked"));
        }
        assert!(of(&fields, json!({})).contains("\"sure\": expected a value"));
    }
}

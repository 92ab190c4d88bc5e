//! What no schema can say of a manifest: ids that are unique, names that exist, formulas and conditions that read.
//!
//! Looks at the JSON itself and passes over what has the wrong shape, so that one look tells every flaw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::flaw::{Flaws, Weight};
use super::{COMPONENTS_MAX, FIELDS_MAX};
use crate::expression::{self, When};

/// What of a field says which values are taken of it, and when.
const LIMITS: [&str; 7] = [
    "type",
    "min",
    "max",
    "step",
    "options",
    "live_calculation",
    "visible_when",
];

/// Adds a flaw for each rule that the manifest breaks.
pub(super) fn check(manifest: &Value, flaws: &mut Flaws) {
    let mut pages = BTreeMap::new();
    let mut components = BTreeMap::new();
    let mut count = 0;
    each(manifest, "pages", flaws, |page, flaws| {
        unique(page, "page", &mut pages, flaws);
        each(page, "components", flaws, |component, flaws| {
            count += 1;
            unique(component, "component", &mut components, flaws);
        });
    });
    if count > COMPONENTS_MAX {
        flaws.inside(".pages", |flaws| {
            flaws.add(
                &format!("{count} components on all pages"),
                &format!("at most {COMPONENTS_MAX} in total"),
            );
        });
    }
    let names = Names {
        pages: &pages,
        components: &components,
    };
    components_of(manifest, flaws, |component, flaws| {
        let Some(config) = component.get("config") else { return };
        flaws.inside(".config", |flaws| names.config(text(component, "type"), config, flaws));
    });
}

/// Looks at every component, on whatever page.
pub(super) fn components_of(manifest: &Value, flaws: &mut Flaws, mut look: impl FnMut(&Value, &mut Flaws)) {
    each(manifest, "pages", flaws, |page, flaws| {
        each(page, "components", flaws, &mut look);
    });
}

/// Ids, each with the place that has it.
type Ids = BTreeMap<String, String>;

struct Names<'a> {
    pages: &'a Ids,
    components: &'a Ids,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn each(value: &Value, key: &str, flaws: &mut Flaws, mut look: impl FnMut(&Value, &mut Flaws)) {
    for (index, item) in value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        flaws.inside(&format!(".{key}[{index}]"), |flaws| look(item, flaws));
    }
}

fn unique(item: &Value, kind: &str, ids: &mut Ids, flaws: &mut Flaws) {
    let id = text(item, "id");
    if id.is_empty() {
        return;
    }
    if let Some(first) = ids.get(id) {
        let expected = format!("an id that no other {kind} has; {first} has it");
        flaws.inside(".id", |flaws| flaws.add(&format!("{id:?} again"), &expected));
    } else {
        ids.insert(id.to_owned(), flaws.place().to_owned());
    }
}

impl Names<'_> {
    fn config(&self, kind: &str, config: &Value, flaws: &mut Flaws) {
        match kind {
            "form" => form(config, flaws),
            "smart-table" => {
                for key in ["row_actions", "toolbar_actions", "bulk_actions"] {
                    each(config, key, flaws, |action, flaws| {
                        // Shown always, it would be pressed where it was not meant to be.
                        flaws.weigh(Weight::Light, None, |flaws| {
                            drop(condition(action, Weight::Whole, flaws));
                        });
                    });
                }
            }
            "chart" => {
                for axis in ["left", "right"] {
                    if let Some(axis_config) = config.get("yAxes").and_then(|axes| axes.get(axis)) {
                        flaws.inside(&format!(".yAxes.{axis}"), |flaws| range(axis_config, flaws));
                    }
                }
            }
            "config-card" => exists(config, "link_page", "page", self.pages, flaws),
            "discovery-card" => exists(config, "target_table", "component", self.components, flaws),
            _ => {}
        }
    }
}

fn exists(config: &Value, key: &str, kind: &str, ids: &Ids, flaws: &mut Flaws) {
    let id = text(config, key);
    if !id.is_empty() && !ids.contains_key(id) {
        light(flaws, key, |flaws| {
            flaws.add(
                &format!("no {kind} has the id {id:?}"),
                &format!("the id of a {kind} of this manifest"),
            );
        });
    }
}

/// Looks at a name that can be left out.
fn light(flaws: &mut Flaws, key: &str, look: impl FnOnce(&mut Flaws)) {
    flaws.inside(&format!(".{key}"), |flaws| flaws.weigh(Weight::Light, None, look));
}

fn range(of: &Value, flaws: &mut Flaws) {
    let number = |key| of.get(key).and_then(Value::as_f64);
    if let (Some(min), Some(max)) = (number("min"), number("max"))
        && max < min
    {
        light(flaws, "max", |flaws| {
            flaws.add(&max.to_string(), &format!("at least min, {min}"));
        });
    }
}

/// The condition of a field or an action, if it has one that reads.
fn condition(of: &Value, weight: Weight, flaws: &mut Flaws) -> Option<When> {
    let value = of
        .get("visible_when")
        .filter(|value| (value.is_string() && *value != "") || value.is_object())?;
    match When::parse(value) {
        Ok(when) => Some(when),
        Err(error) => {
            flaws.inside(".visible_when", |flaws| {
                flaws.weigh(weight, None, |flaws| flaws.add(&error.to_string(), "a condition"));
            });
            None
        }
    }
}

fn form(config: &Value, flaws: &mut Flaws) {
    // More are a flaw already, and nobody shall wait for a look at ten thousand.
    let fields = config.get("fields").and_then(Value::as_array);
    let Some(fields) = fields.filter(|fields| fields.len() <= FIELDS_MAX) else {
        return;
    };
    let names: BTreeSet<&str> = fields.iter().map(|field| text(field, "name")).collect();
    let mut waits: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut feeds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    each(config, "fields", flaws, |field, flaws| {
        range(field, flaws);
        known(field, &names, flaws);
        if let Some(when) = condition(field, Weight::Light, flaws) {
            for other in when.fields().filter(|other| !names.contains(other)) {
                light(flaws, "visible_when", |flaws| {
                    flaws.add(&format!("no field is called {other:?}"), "names of fields of this form");
                });
            }
        }
        let formula = text(field, "live_calculation");
        if !formula.is_empty()
            && let Err(error) = expression::parse(formula)
        {
            let weight = Weight::LightOf(is_of_formulas);
            flaws.inside(".live_calculation", |flaws| {
                flaws.weigh(weight, field.get("live_calculation"), |flaws| {
                    flaws.add(&error.to_string(), "a formula");
                });
            });
        }
    });
    for field in fields {
        let name = text(field, "name");
        if let Ok(formula) = expression::parse(text(field, "live_calculation")) {
            feeds
                .entry(name)
                .or_default()
                .extend(formula.names().map(str::to_owned));
        }
        let on = text(field, "depends_on");
        if !on.is_empty() {
            waits.entry(name).or_default().push(on.to_owned());
        }
    }
    let hung = hung(fields);
    each(config, "fields", flaws, |field, flaws| {
        let name = text(field, "name");
        for (key, graph) in [("depends_on", &waits), ("live_calculation", &feeds)] {
            if !text(field, key).is_empty() && comes_back(name, graph) {
                light(flaws, key, |flaws| {
                    flaws.add(
                        &format!("it leads back to {name:?} itself"),
                        "other fields that do not lead back",
                    );
                });
            }
        }
        let bearers: Vec<&Value> = fields.iter().filter(|other| text(other, "name") == name).collect();
        if field.get("security_gate") == Some(&Value::Bool(true)) {
            if !matches!(text(field, "type"), "checkbox" | "toggle") {
                // Its form is as grave as one with a gate.
                flaws.inside(".security_gate", |flaws| {
                    flaws.weigh(Weight::Borne, None, |flaws| {
                        flaws.add("the field cannot be ticked", "a field of type checkbox or toggle");
                    });
                });
            }
            if bearers.len() > 1 {
                flaws.inside(".name", |flaws| {
                    flaws.add(
                        &format!("{} fields are called {name:?}", bearers.len()),
                        "a name of its own for a gate",
                    );
                });
            }
        } else if !name.is_empty()
            && bearers.len() > 1
            && bearers
                .iter()
                .any(|other| other.get("visible_when").is_none_or(Value::is_null))
        {
            // Alternatives say when each of them is shown. Without that the first stays; no gate is among those that go, nor what
            // one hangs on.
            let is_first = bearers.first().is_some_and(|first| std::ptr::eq(*first, field));
            let is_gate = |other: &&Value| other.get("security_gate") == Some(&Value::Bool(true));
            let is_held = bearers.iter().any(is_gate) || hung.contains(name);
            let weight = match (is_held, is_first) {
                (true, _) => Weight::Grave,
                (false, true) => Weight::Borne,
                (false, false) => Weight::Light,
            };
            flaws.weigh(weight, None, |flaws| {
                flaws.inside(".name", |flaws| {
                    flaws.add(
                        &format!("{} fields are called {name:?}", bearers.len()),
                        "a name of its own, or a visible_when for each of them",
                    );
                });
            });
        }
        if hung.contains(name) {
            flaws.hold(&LIMITS);
        }
    });
}

/// The fields on whose values it hangs whether a gate is shown, also by way of others: with other values than are meant it would
/// stay away.
fn hung(fields: &[Value]) -> BTreeSet<String> {
    let of_condition = |field: &Value| -> Vec<String> {
        let when = field.get("visible_when").and_then(|when| When::parse(when).ok());
        when.iter().flat_map(When::fields).map(str::to_owned).collect()
    };
    let gates = fields
        .iter()
        .filter(|field| field.get("security_gate") == Some(&Value::Bool(true)));
    let mut next: Vec<String> = gates.flat_map(of_condition).collect();
    let mut hung = BTreeSet::new();
    while let Some(name) = next.pop() {
        if hung.contains(&name) {
            continue;
        }
        for field in fields.iter().filter(|field| text(field, "name") == name) {
            let formula = expression::parse(text(field, "live_calculation"));
            next.extend(formula.iter().flat_map(expression::Expr::names).map(str::to_owned));
            // Of fields of one name a condition says which limits count.
            next.extend(of_condition(field));
        }
        hung.insert(name);
    }
    hung
}

fn known(field: &Value, names: &BTreeSet<&str>, flaws: &mut Flaws) {
    let on = text(field, "depends_on");
    if !on.is_empty() && !names.contains(on) {
        light(flaws, "depends_on", |flaws| {
            flaws.add(
                &format!("no field is called {on:?}"),
                "the name of a field of this form",
            );
        });
    }
}

/// Whether existing servers take this as a formula: they look at its characters alone.
fn is_of_formulas(text: &str) -> bool {
    let mut chars = text.chars();
    chars.all(|one| one.is_ascii_alphanumeric() || "_+-*/().%, ".contains(one))
}

/// Whether from a name one comes back to it.
fn comes_back(name: &str, graph: &BTreeMap<&str, Vec<String>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = graph.get(name).into_iter().flatten().map(String::as_str).collect();
    while let Some(other) = next.pop() {
        if other == name {
            return true;
        }
        if seen.insert(other) {
            next.extend(graph.get(other).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

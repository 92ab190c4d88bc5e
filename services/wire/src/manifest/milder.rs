//! Whether what is left of a manifest is milder than the whole of it.
//!
//! Several places may declare one action, and the gravest of them counts. So whatever is left out of a manifest, for however small
//! a flaw, could have been what shut a gate. What the manifest says of how grave its actions are is therefore read here from
//! whatever JSON says it, before and after, and held against what the reader makes of what is left. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::declared::{is_of, loosely, of_name};
use super::flaw::Flaw;
use super::{Cancel, ColumnAction, Manifest, Safety, TableAction};

/// How an action can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Road {
    component: String,
    /// Its name, where it has one.
    name: Option<String>,
    method: String,
    path: String,
}

/// What is said of it: where, and how grave it is.
#[derive(Clone, Debug)]
struct Said {
    place: String,
    safety: Safety,
}

type AllSaid = BTreeMap<Road, Said>;

/// The places of the whole manifest of which something was left out, so that an action which is still declared became milder.
pub(super) fn milder(whole: &Value, left: &Value, manifest: &Manifest) -> Vec<Flaw> {
    let kept = all_said(left);
    let lost: AllSaid = all_said(whole)
        .into_iter()
        .filter(|(road, said)| kept.get(road).is_none_or(|kept| kept.safety < said.safety))
        .collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let judged: Vec<(&Road, Vec<String>, Judged)> = kept
        .keys()
        .map(|road| (road, parts(&road.path), Judged::of(road, manifest)))
        .collect();
    let mut flaws: Vec<Flaw> = Vec::new();
    for (road, said) in lost {
        let (method, path) = (&road.method, parts(&road.path));
        let now = judged.iter().filter_map(|(other, other_path, judged)| {
            let is_same = road.name.is_some() && (&road.component, &road.name) == (&other.component, &other.name);
            let own = judged.own.filter(|_| is_same);
            let meets = other.method.eq_ignore_ascii_case(method) && meet(&path, other_path);
            own.into_iter().chain(judged.call.filter(|_| meets)).min()
        });
        if let Some(now) = now.min().filter(|now| *now < said.safety)
            && flaws.iter().all(|flaw| flaw.path != said.place)
        {
            flaws.push(Flaw {
                path: said.place,
                what: format!(
                    "it cannot be taken, and without it {:?} would be {}",
                    road.name.unwrap_or(road.path),
                    word(now)
                ),
                expected: format!("no flaw in what says that it is {}", word(said.safety)),
            });
        }
    }
    flaws
}

fn word(safety: Safety) -> &'static str {
    match safety {
        Safety::Read => "read",
        Safety::Write => "write",
        Safety::Destructive => "destructive",
    }
}

/// What the reader makes of a road.
struct Judged {
    /// Asked for by its name.
    own: Option<Safety>,
    /// As a request.
    call: Option<Safety>,
}

impl Judged {
    fn of(road: &Road, manifest: &Manifest) -> Self {
        let call = (road.method == "POST").then(|| manifest.declared_call(&road.path));
        let name = road.name.as_deref();
        Self {
            own: name
                .and_then(|name| manifest.declared(&road.component, name))
                .map(|declared| declared.safety),
            call: manifest.declared_path(&road.method, &road.path).max(call.flatten()),
        }
    }
}

fn parts(path: &str) -> Vec<String> {
    loosely(path).split('/').map(str::to_owned).collect()
}

/// Whether one request may be of both patterns.
fn meet(one: &[String], other: &[String]) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs.all(|(one, other)| {
            one == other || one.contains('{') && other.contains('{') || is_of(one, other) || is_of(other, one)
        })
}

fn text<'v>(of: &'v Value, key: &str) -> Option<&'v str> {
    of.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn is_true(value: Option<&Value>) -> bool {
    value.is_some_and(|value| {
        *value == Value::Bool(true) || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
    })
}

/// The items of a list, or of what stands where a list should, each with its place.
fn items<'v>(of: &'v Value, key: &str, place: &str) -> Vec<(String, &'v Value)> {
    let place = format!("{place}.{key}");
    match of.get(key) {
        Some(Value::Array(items)) => {
            let numbered = items.iter().enumerate();
            numbered.map(|(at, item)| (format!("{place}[{at}]"), item)).collect()
        }
        Some(one @ Value::Object(map)) => {
            let named = map.iter().map(|(name, item)| (format!("{place}.{name}"), item));
            std::iter::once((place.clone(), one)).chain(named).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
    }
}

/// What says how grave it is, of a button, as far as it can be read.
fn gravity(of: &Value) -> Map<String, Value> {
    let one_of = |key: &str, words: &[&str]| {
        let word = text(of, key)?.trim().to_ascii_lowercase();
        words.contains(&word.as_str()).then_some(word)
    };
    let mut kept = Map::new();
    kept.insert(
        "safety".to_owned(),
        json!(one_of("safety", &["read", "write", "destructive"])),
    );
    kept.insert(
        "safety_tier".to_owned(),
        json!(one_of("safety_tier", &["green", "yellow", "red"])),
    );
    kept.insert("destructive".to_owned(), is_true(of.get("destructive")).into());
    kept
}

fn all_said(manifest: &Value) -> AllSaid {
    let mut all = Gathered::default();
    for (place, page) in items(manifest, "pages", "") {
        for (place, component) in items(page, "components", &place) {
            let Some(config) = component.get("config") else {
                continue;
            };
            text(component, "id").unwrap_or("").clone_into(&mut all.component);
            let place = format!("{}.config", place.trim_start_matches('.'));
            match text(component, "type") {
                Some("form") => all.form(config, &place),
                Some("progress") => all.progress(config, &place),
                Some("smart-table") => all.table(config, &place),
                Some("discovery-card") => all.discovery(config, &place),
                Some("deploy-wizard") => all.wizard(config, &place),
                _ => {}
            }
        }
    }
    all.said
}

#[derive(Default)]
struct Gathered {
    component: String,
    said: AllSaid,
}

impl Gathered {
    fn add(&mut self, name: Option<&str>, method: &str, path: &str, place: &str, safety: Safety) {
        let road = Road {
            component: self.component.clone(),
            name: name.map(str::to_owned),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
        };
        let said = self.said.entry(road).or_insert_with(|| Said {
            place: place.to_owned(),
            safety,
        });
        if said.safety < safety {
            (said.place, said.safety) = (place.to_owned(), safety);
        }
    }

    fn named(&mut self, name: &str, place: &str, safety: Safety) {
        if !name.is_empty() {
            self.add(Some(name), "POST", &format!("/api/{name}"), place, safety);
        }
    }

    fn form(&mut self, config: &Value, place: &str) {
        let Some(action) = text(config, "action") else { return };
        let fields = items(config, "fields", place);
        let gated = fields.iter().any(|(_, field)| is_true(field.get("security_gate")));
        let mut kept = gravity(config);
        kept.remove("safety_tier");
        kept.insert("type".to_owned(), action.into());
        if let Ok(said) = ColumnAction::deserialize(Value::Object(kept)) {
            let said = said.safety();
            self.named(action, place, if gated { Safety::Destructive } else { said });
        }
    }

    fn progress(&mut self, config: &Value, place: &str) {
        let Some(cancel) = config
            .get("cancel")
            .filter(|cancel| cancel.get("enabled") != Some(&Value::Bool(false)))
        else {
            return;
        };
        let place = format!("{place}.cancel");
        let read = Cancel {
            action: text(cancel, "action").map(str::to_owned),
            ..Cancel::default()
        };
        self.named(read.name(), &place, read.safety());
        if let Some(path) = text(cancel, "endpoint") {
            let method = text(cancel, "method").unwrap_or("DELETE");
            self.add(None, method, path, &place, read.safety());
        }
    }

    fn table(&mut self, config: &Value, place: &str) {
        for key in ["row_actions", "toolbar_actions", "bulk_actions"] {
            for (place, button) in items(config, key, place) {
                self.button(button, &place);
            }
        }
        for (place, column) in items(config, "columns", place) {
            for (place, button) in items(column, "actions", &place) {
                let mut kept = gravity(button);
                kept.insert("type".to_owned(), text(button, "type").unwrap_or("").into());
                if let Ok(read) = ColumnAction::deserialize(Value::Object(kept)) {
                    self.named(&read.kind, &place, read.safety());
                }
            }
        }
    }

    fn button(&mut self, button: &Value, place: &str) {
        let mut kept = gravity(button);
        let action = match button.get("action") {
            Some(path @ Value::Object(_)) => text(path, "endpoint").map(|endpoint| {
                let method = text(path, "method").map(str::to_ascii_uppercase);
                json!({ "method": method, "endpoint": endpoint })
            }),
            _ => text(button, "action").map(Value::from),
        };
        kept.insert("id".to_owned(), text(button, "id").unwrap_or("").into());
        kept.insert("action".to_owned(), action.unwrap_or(Value::Null));
        kept.insert("form".to_owned(), button.get("form").cloned().unwrap_or(Value::Null));
        let Ok(read) = TableAction::deserialize(Value::Object(kept)) else {
            return;
        };
        self.named(&read.id, place, read.safety());
        self.named(read.name(), place, read.safety());
        if let Some(path) = read.endpoint() {
            let method = path.method.unwrap_or_default();
            self.add(None, &method, &path.endpoint, place, read.safety());
        }
    }

    fn discovery(&mut self, config: &Value, place: &str) {
        if let Some(path) = text(config, "expand_endpoint") {
            self.named("expand", place, Safety::Destructive);
            self.add(None, "POST", path, place, Safety::Destructive);
        }
    }

    fn wizard(&mut self, config: &Value, place: &str) {
        let Some(docker) = config.get("docker") else { return };
        for (place, variable) in items(docker, "environment", &format!("{place}.docker")) {
            if let Some(action) = text(variable, "rotate_action") {
                self.named(action, &place, of_name(action).max(Safety::Write));
            }
        }
    }
}

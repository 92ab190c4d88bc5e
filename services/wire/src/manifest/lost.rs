//! What a part of a manifest that is left out said of actions, whatever JSON says it.
//!
//! A list in a list, a map in place of a list, a word that is none: the reader makes nothing of these, so they are read here by
//! the names alone that say what is done, and how grave it is. What is there and cannot be told is as grave as can be. Each value
//! is looked at once. Pure.

use serde_json::{Map, Value};

use super::Safety;
use super::declared::of_name;
use super::edit::Step;

/// A path, with the method where that can be told.
pub(super) type Road = (Option<&'static str>, String);

/// One action that was declared by what is left out.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    /// Where it was declared.
    pub(super) place: String,
    /// The component in which that is.
    pub(super) component: String,
    /// What was said of it.
    pub(super) demand: Demand,
}

/// What was said of an action: how it can be asked for, and what that demanded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Demand {
    /// What it may be called by.
    pub(super) names: Vec<String>,
    /// Where it may be asked for besides these.
    pub(super) paths: Vec<Road>,
    /// How grave it may be.
    pub(super) safety: Safety,
    /// Whether something below it may be a gate.
    pub(super) is_gated: bool,
    /// What it asks before.
    pub(super) form: Option<Value>,
}

/// What is said of how grave something is.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    safety: Option<Safety>,
    is_gated: bool,
}

impl Said {
    fn max(self, other: Self) -> Self {
        Self {
            safety: self.safety.max(other.safety),
            is_gated: self.is_gated || other.is_gated,
        }
    }
}

/// The actions that are declared by what stands at this place of a manifest.
pub(super) fn lost(manifest: &Value, at: &[Step]) -> Vec<Lost> {
    let key = at.iter().rev().find_map(Step::name).unwrap_or("");
    // A name says nothing without what it is the name of.
    let at = match at.split_last() {
        Some((Step::Name(last), above)) if matches!(last.as_str(), "action" | "expand_endpoint") => above,
        _ => at,
    };
    let down = |steps: &[Step]| steps.iter().try_fold(manifest, |value, step| step.of(value));
    let component = at.get(..4).and_then(down).and_then(|component| component.get("id"));
    let Some((component, value)) = component.and_then(Value::as_str).zip(down(at)) else {
        return Vec::new();
    };
    let mut reader = Reader {
        place: Step::place(at),
        component,
        lost: Vec::new(),
    };
    if !is_asked(key) {
        reader.look(value, key, None);
    }
    reader.lost
}

/// Whether what stands here is asked before an action, and no action itself.
fn is_asked(key: &str) -> bool {
    matches!(key, "fields" | "form" | "confirm" | "visible_when")
}

/// A text, as it stands and as it may be meant, or several where one should stand.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) if text.trim().is_empty() => Vec::new(),
        Some(Value::String(text)) if text.trim() != text => vec![text.clone(), text.trim().to_owned()],
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Number(number)) => vec![number.to_string()],
        Some(Value::Array(all)) => all.iter().flat_map(|one| texts(Some(one))).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Object(_)) | None => Vec::new(),
    }
}

/// Whether nothing is said by it.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text.eq_ignore_ascii_case("false"),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// What an object says of itself.
fn said(of: &Map<String, Value>) -> Said {
    let safety = of
        .iter()
        .filter(|(_, value)| !is_nothing(value))
        .filter_map(|(key, value)| {
            let word = value.as_str().map(|word| word.trim().to_ascii_lowercase());
            match (key.as_str(), word.as_deref()) {
                ("safety", Some("read")) => Some(Safety::Read),
                ("safety", Some("write")) | ("safety_tier", Some("yellow")) => Some(Safety::Write),
                // As the reader has it: what only looks, its name tells.
                ("safety_tier", Some("green")) => None,
                ("safety" | "safety_tier" | "destructive" | "security_gate", _) => Some(Safety::Destructive),
                _ => None,
            }
        });
    Said {
        safety: safety.max(),
        is_gated: of.get("security_gate").is_some_and(|gate| !is_nothing(gate)),
    }
}

/// The methods of the protocol, as far as a word is one.
fn method(of: &Map<String, Value>, absent: Option<&'static str>) -> Option<&'static str> {
    match of.get("method") {
        None | Some(Value::Null) => absent,
        Some(Value::String(text)) if text.is_empty() => absent,
        Some(value) => ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|word| {
            value
                .as_str()
                .is_some_and(|text| text.trim().eq_ignore_ascii_case(word))
        }),
    }
}

/// The requests that an action stands for.
fn requests(of: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    match of.get("action") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_object).collect(),
        one => one.and_then(Value::as_object).into_iter().collect(),
    }
}

/// What an object may be called by, of what it says itself.
fn names(of: &Map<String, Value>) -> Vec<String> {
    let keys = ["action", "id", "type", "rotate_action"].into_iter();
    keys.flat_map(|key| texts(of.get(key))).collect()
}

/// How grave it is where nothing says so.
fn by_name(of: &Map<String, Value>, key: &str, names: &[String], paths: &[Road]) -> Safety {
    let worst = |names: &[String]| names.iter().map(|name| of_name(name)).max();
    let least = match key == "cancel" || of.contains_key("rotate_action") {
        true => Safety::Write,
        false => Safety::Read,
    };
    let named = match (worst(&texts(of.get("action"))), paths) {
        (Some(called), _) => called,
        (None, [(Some("GET"), _)]) => Safety::Read,
        (None, [_, ..]) => Safety::Write,
        (None, []) => worst(names).unwrap_or_else(|| of_name(key)),
    };
    named.max(least)
}

struct Reader<'v> {
    place: String,
    component: &'v str,
    lost: Vec<Lost>,
}

impl Reader<'_> {
    fn inside(&mut self, part: &str, look: impl FnOnce(&mut Self) -> Said) -> Said {
        let length = self.place.len();
        self.place.push_str(part);
        let said = look(self);
        self.place.truncate(length);
        said
    }

    /// Looks at what stands under a name, below what says this; gives what is said in all of it.
    fn look(&mut self, value: &Value, key: &str, above: Option<Safety>) -> Said {
        match value {
            Value::Array(items) => items.iter().enumerate().fold(Said::default(), |said, (index, item)| {
                said.max(self.inside(&format!("[{index}]"), |reader| reader.look(item, key, above)))
            }),
            Value::Object(of) => self.object(of, key, above),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Said::default(),
        }
    }

    fn object(&mut self, of: &Map<String, Value>, key: &str, above: Option<Safety>) -> Said {
        let own = said(of);
        let mut names = names(of);
        let requests = requests(of);
        // In a map of actions a name may be any word, also one that says something of an action.
        let is_action = !names.is_empty() || requests.iter().any(|request| request.contains_key("endpoint"));
        let is_read = |key: &str| !is_action || key != "action";
        let below = of.iter().filter(|(key, _)| is_read(key)).map(|(key, value)| {
            let known = self.lost.len();
            let said = self.inside(&format!(".{key}"), |reader| {
                reader.look(value, key, above.max(own.safety))
            });
            if is_action && is_asked(key) {
                self.lost.truncate(known);
            }
            said
        });
        let all = below.fold(own, Said::max);

        let all = requests.iter().map(|request| said(request)).fold(all, Said::max);
        let in_action = requests.into_iter().map(|request| (request, Some("POST")));
        let mut paths = Vec::new();
        for (request, absent) in in_action.chain([(of, None)]) {
            let method = method(request, absent);
            paths.extend(texts(request.get("endpoint")).into_iter().map(|path| (method, path)));
        }
        // What it says, else its name as the reader chooses it; a name that destroys is not talked down.
        let own = own.safety.unwrap_or_else(|| by_name(of, key, &names, &paths));
        // In a map the name stands outside.
        names.push(key.to_owned());
        let destroys = names.iter().any(|name| of_name(name) == Safety::Destructive);
        let destroys = destroys.then_some(Safety::Destructive);
        let mut safety = own.max(all.safety.max(above).max(destroys).unwrap_or(own));
        let grows = texts(of.get("expand_endpoint"));
        if !grows.is_empty() {
            safety = Safety::Destructive;
            names.push("expand".to_owned());
            paths.extend(grows.into_iter().map(|path| (Some("POST"), path)));
        }
        let form = of.get("form").filter(|form| !form.is_null());
        let demand = Demand {
            names,
            paths,
            safety,
            is_gated: all.is_gated,
            form: form.cloned(),
        };
        // Items of a list that have no name of their own say the same.
        if self.lost.last().is_none_or(|last| last.demand != demand) {
            self.lost.push(Lost {
                place: self.place.clone(),
                component: self.component.to_owned(),
                demand,
            });
        }
        all
    }
}

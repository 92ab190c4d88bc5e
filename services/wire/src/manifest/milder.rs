//! Whether what is left of a manifest is milder than the whole of it.
//!
//! Several places may declare one action, and the gravest of them counts. So whatever is left out of a manifest, for however small
//! a flaw, could have been what shut a gate. What it said ([`super::lost`]) is held against what is still declared: the same name in
//! the same component, and each request that may be of both. Where it cannot be told that nothing became milder, it did. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::declared::{is_gated, is_of, loosely};
use super::flaw::{FLAWS_MAX, Flaw};
use super::lost::Lost;
use super::{Endpoint, Manifest, Safety};

/// Most names and paths of what is left out that are held against all others: of so many flaws as are told, each may lose an action
/// with name, id and path.
const LOST_MAX: usize = 4 * FLAWS_MAX;

/// The flaws by which an action that is still declared became milder.
pub(super) fn milder(lost: &[Lost], manifest: &Manifest) -> Vec<Flaw> {
    let lost = lost
        .iter()
        .filter(|Lost { demand, .. }| demand.safety > Safety::Read || demand.is_gated || demand.form.is_some());
    let lost: Vec<&Lost> = lost.collect();
    let Some(first) = lost.first() else {
        return Vec::new();
    };
    let count: usize = lost
        .iter()
        .map(|Lost { demand, .. }| demand.names.len() + demand.paths.len())
        .sum();
    if count > LOST_MAX {
        return vec![Flaw {
            path: first.place.clone(),
            what: format!("from here on, {count} names and paths of actions would be left out"),
            expected: format!("at most {LOST_MAX} of them"),
        }];
    }
    let kept = Kept::of(manifest);
    let mut flaws: Vec<Flaw> = Vec::new();
    for lost in lost {
        if flaws.iter().all(|flaw| flaw.path != lost.place)
            && let Some((what, expected)) = kept.lacks(lost)
        {
            flaws.push(Flaw {
                path: lost.place.clone(),
                what: format!("it cannot be taken, and without it {what}"),
                expected,
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

/// What is still declared, each once.
struct Kept<'m> {
    /// By component and name.
    named: BTreeMap<(&'m str, &'m str), Named<'m>>,
    requests: Vec<Request>,
}

struct Named<'m> {
    safety: Safety,
    /// What each of its buttons asks before.
    forms: Vec<&'m Value>,
    is_gated: bool,
}

/// A request that is declared, or was.
struct Request {
    method: String,
    path: String,
    parts: Vec<String>,
    safety: Safety,
}

impl<'m> Kept<'m> {
    fn of(manifest: &'m Manifest) -> Self {
        let mut named: BTreeMap<(&str, &str), Named<'_>> = BTreeMap::new();
        // What is called by a name is judged by itself, too: a GET is held against that alone.
        let mut requests: BTreeMap<(bool, String, String), Safety> = BTreeMap::new();
        let mut ask = |is_call: bool, method: &str, path: String, safety: Safety| {
            let known = requests
                .entry((is_call, method.to_ascii_uppercase(), path))
                .or_insert(safety);
            *known = safety.max(*known);
        };
        for (_, component) in manifest.components() {
            for action in component.actions() {
                let [name, id] = action.names;
                for name in [Some(name), Some(id).filter(|id| *id != name)].into_iter().flatten() {
                    ask(true, "POST", format!("/api/{name}"), action.safety);
                    let known = named.entry((component.id(), name)).or_insert_with(|| Named {
                        safety: action.safety,
                        forms: Vec::new(),
                        is_gated: false,
                    });
                    known.safety = known.safety.max(action.safety);
                    known.forms.extend(action.form);
                    known.is_gated |= action.form.is_some_and(|form| is_gated(form, 0));
                }
                if let Some(Endpoint { method, endpoint }) = action.endpoint {
                    ask(false, &method.unwrap_or_default(), endpoint, action.safety);
                }
            }
        }
        let requests = requests.into_iter().map(|((_, method, path), safety)| Request {
            method,
            parts: parts(&path),
            path,
            safety,
        });
        Self {
            requests: requests.collect(),
            named,
        }
    }

    /// What became milder without this, and what was expected.
    fn lacks(&self, Lost { component, demand, .. }: &Lost) -> Option<(String, String)> {
        let in_place = (component.as_str(), "")..;
        let in_place = self
            .named
            .range(in_place)
            .take_while(|((other, _), _)| other == component);
        let is_name = |name: &str| demand.names.iter().any(|lost| lost.eq_ignore_ascii_case(name));
        for ((_, name), kept) in in_place.filter(|((_, name), _)| is_name(name)) {
            if kept.safety < demand.safety {
                return Some(became(name, kept.safety, demand.safety));
            }
            if demand.is_gated || kept.is_gated && demand.form.is_some() {
                let is_same = |form: &&Value| Some(*form) == demand.form.as_ref();
                if kept.forms.is_empty() || !kept.forms.iter().all(is_same) {
                    return Some((
                        format!("{name:?} would not ask all that its gate hangs on"),
                        "no flaw in what is asked before it".to_owned(),
                    ));
                }
            }
        }
        let named = demand.names.iter().map(|name| (Some("POST"), format!("/api/{name}")));
        for (method, path) in named.chain(demand.paths.iter().cloned()) {
            let parts = parts(&path);
            let milder = self
                .requests
                .iter()
                .find(|kept| kept.safety < demand.safety && kept.meets(method, &parts));
            if let Some(kept) = milder {
                return Some(became(&kept.path, kept.safety, demand.safety));
            }
            // Undeclared, a GET is a look that anybody may ask for.
            let mut gets = self.requests.iter().filter(|kept| kept.method == "GET");
            if method == Some("GET") && demand.safety > Safety::Read && gets.all(|kept| kept.path != path) {
                return Some(became(&path, Safety::Read, demand.safety));
            }
        }
        None
    }
}

fn became(name: &str, now: Safety, before: Safety) -> (String, String) {
    (
        format!("{name:?} would be {}", word(now)),
        format!("no flaw in what says that it is {}", word(before)),
    )
}

fn parts(path: &str) -> Vec<String> {
    let path = loosely(path.trim());
    path.trim_start_matches('/').split('/').map(str::to_owned).collect()
}

impl Request {
    /// Whether one request may be of this and of that; without a method of any.
    fn meets(&self, method: Option<&str>, other: &[String]) -> bool {
        // The end of a job may name its path without the job.
        let longer = usize::from(self.method == "DELETE");
        let mut pairs = self.parts.iter().zip(other);
        method.is_none_or(|method| method == self.method)
            && self.parts.len().abs_diff(other.len()) <= longer
            && pairs.all(|(one, other)| {
                one == other || one.contains('{') && other.contains('{') || is_of(one, other) || is_of(other, one)
            })
    }
}

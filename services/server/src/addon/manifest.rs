//! A manifest as it was sent: its JSON, and how many bytes that was, which has a limit of its own.
//!
//! The rules are [`wire::manifest`]'s; here they become the answer to its sender, every flaw on a line.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use wire::Problem;

/// Longest manifest in bytes. Source: Vigil, manifest validation.
pub const MANIFEST_MAX: usize = wire::manifest::SIZE_MAX;

/// Longest version and description kept beside the manifest, in characters.
const VERSION_MAX: usize = 64;
const DESCRIPTION_MAX: usize = 1000;

/// Manifests that are read at one time: the longest holds a core for tenths of a second, and the rest is the burn-ins'.
static SLOTS: Semaphore = Semaphore::const_new(1);

/// A manifest as it is kept and shown: its text as it was sent, because the order of its names is the order in which labels,
/// variables and axes are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept(Option<Arc<str>>);

impl Kept {
    /// Its text; empty where there is none yet.
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// Whether there is none yet.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a component of this id is in it.
    pub fn has_component(&self, id: &str) -> bool {
        let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let pages = list(&self.value(), "pages");
        let mut components = pages.iter().flat_map(|page| list(page, "components"));
        components.any(|component| component.get("id").and_then(Value::as_str) == Some(id))
    }

    /// Its JSON; null where there is none yet.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = self.0.as_deref().unwrap_or("null").to_owned();
        RawValue::from_string(text)
            .map_err(serde::ser::Error::custom)?
            .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Ok(Self((raw.get() != "null").then(|| raw.get().into())))
    }
}

/// A manifest as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Its text.
    pub kept: Kept,
    /// Its JSON.
    pub value: Value,
    /// Its length in bytes, as it was written.
    pub length: usize,
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Ok(Self {
            length: raw.get().len(),
            value: serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?,
            kept: Kept(Some(raw.get().into())),
        })
    }
}

/// A manifest that was taken, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// The add-on's name for itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// The manifest, without what of it could not be read.
    pub kept: Kept,
    /// What was left out, or is not as the rules ask: a line each.
    pub words: Vec<String>,
}

/// Takes a manifest, without what can be left out of it; off the runtime's threads, which have to beat meanwhile.
///
/// # Errors
/// Every flaw, each on a line of the detail: its place, what is there, what was expected. `internal` where reading broke off.
pub async fn read_manifest(sent: Sent) -> Result<Taken, Problem> {
    let broke_off = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(error, "reading a manifest broke off");
        Problem::new("internal", 500, "The manifest was not read")
            .with("it broke off in the middle; the box's log has why")
    };
    let slot = SLOTS.acquire().await.map_err(|error| broke_off(&error))?;
    let read = tokio::task::spawn_blocking(move || {
        let read = read(&sent);
        drop(slot);
        read
    });
    read.await.map_err(|error| broke_off(&error))?
}

fn read(sent: &Sent) -> Result<Taken, Problem> {
    let read = match sent.kept.is_none() {
        true => Err(wire::manifest::read(&sent.value, sent.length).err().unwrap_or_default()),
        false => wire::manifest::take(sent.kept.text()),
    };
    let taken = read.map_err(|flaws| {
        let lines: Vec<String> = flaws.iter().map(ToString::to_string).collect();
        Problem::new("bad-manifest", 400, "The manifest is not one").with(lines.join("\n"))
    })?;
    let manifest = taken.manifest;
    super::check_name(&manifest.name)
        .map_err(|problem| Problem::new("bad-manifest", 400, "The manifest is not one").with(problem.detail))?;
    let cut = |text: &str, most| text.chars().take(most).collect();
    let words = taken
        .flaws
        .iter()
        .map(|flaw| format!("the manifest was taken, but for this: {flaw}"));
    Ok(Taken {
        name: manifest.name,
        version: cut(&manifest.version, VERSION_MAX),
        description: cut(&manifest.description.unwrap_or_default(), DESCRIPTION_MAX),
        kept: Kept(Some(taken.text.into())),
        words: words.collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sent(text: &str) -> Sent {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_by_its_place() {
        let pages = r#"[{"id":"p","title":"t","title":"u"}]"#;
        let problem = read(&sent(&format!(r#"{{"name":"n","version":"1","pages":{pages}}}"#))).unwrap_err();
        assert!(
            problem.detail.contains("pages[0].title: stands here again"),
            "{problem:?}"
        );
    }

    #[test]
    fn the_limit_is_of_the_bytes_as_they_were_sent() {
        let of = |length: usize| {
            let (front, back) = (r#"{"name":"n","version":"1","#, r#""pages":[{"id":"p","title":"t"}]}"#);
            format!("{front}{}{back}", " ".repeat(length - front.len() - back.len()))
        };
        assert!(read(&sent(&of(MANIFEST_MAX))).is_ok());
        let problem = read(&sent(&of(MANIFEST_MAX + 1))).unwrap_err();
        assert!(problem.detail.contains("262145 bytes"), "{problem}");
    }

    #[tokio::test]
    async fn while_the_longest_manifests_are_read_the_runtime_goes_on() {
        use std::time::{Duration, Instant};

        let rows: Vec<Value> = (0..4800)
            .map(|n| serde_json::json!({ "id": format!("b{n}"), "action": { "endpoint": format!("/api/b{n}") } }))
            .collect();
        let lost = serde_json::json!([{ "id": "z", "destructive": true, "hidden": "no" }]);
        let config = serde_json::json!({ "toolbar_actions": rows, "row_actions": lost });
        let table = serde_json::json!({ "type": "smart-table", "id": "t", "config": config });
        let pages = serde_json::json!([{ "id": "p", "title": "t", "components": [table] }]);
        let text = serde_json::json!({ "name": "n", "version": "1", "pages": pages }).to_string();
        assert!(text.len() <= MANIFEST_MAX);
        let all: Vec<_> = (0..3).map(|_| tokio::spawn(read_manifest(sent(&text)))).collect();
        // This runtime has one thread: whatever else holds it is seen.
        let begun = Instant::now();
        let (mut last, mut longest) = (begun, Duration::ZERO);
        while !all.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::task::yield_now().await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        let all_of_it = begun.elapsed();
        for one in all {
            let taken = one.await.unwrap().unwrap();
            assert_eq!(taken.words.len(), 1, "{:?}", taken.words);
        }
        // One after the other on this thread, each would be a third of it.
        assert!(longest < all_of_it / 4, "{longest:?} of {all_of_it:?} without a beat");
    }

    #[test]
    fn it_is_kept_in_the_order_in_which_it_was_written() {
        let text = r#"{"version":"1", "pages":[{"title":"t","id":"p"}],"name":"n"}"#;
        let kept = sent(text).kept;
        assert_eq!(kept.text(), text);
        let stored = serde_json::to_vec(&kept).unwrap();
        assert_eq!(serde_json::from_slice::<Kept>(&stored).unwrap(), kept);
        let none = serde_json::from_str::<Kept>("null").unwrap();
        assert!(none.is_none() && none == Kept::default() && none.value().is_null());
        assert_eq!(serde_json::to_string(&none).unwrap(), "null");
    }

    #[test]
    fn every_flaw_stands_on_a_line() {
        let problem = read(&sent(r#"{"name":"","pages":[{"id":1}]}"#)).unwrap_err();
        let lines: Vec<&str> = problem.detail.lines().collect();
        assert_eq!(problem.status, 400);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert!(lines[1].starts_with("version: it is missing; expected "), "{lines:#?}");
        assert!(read(&sent(r#"{"name":"  ","version":"1","pages":[{"id":"p","title":"t"}]}"#)).is_err());
    }
}

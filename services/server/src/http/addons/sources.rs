//! `GET /api/v1/addons/{id}/sources/{source}`: what a component of a manifest shows, wherever the add-on is.
//!
//! One that has an address is asked by its own API; one that has none, or cannot be reached, is answered for from what it sent
//! down its socket. The items inside are the add-on's own.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wire::Time;
use wire::shown::brief;

use super::ask::{only_looks, origin, refuse};
use super::own;
use super::registry::find;
use crate::addon::Addon;
use crate::addon::outcall;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, OfAddon};
use crate::http::people::person::Person;
use crate::hub::AGENT;

/// How long an add-on may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Stretch of time that is shown when none is asked for, in seconds: all that there is.
const ALWAYS: i64 = 10 * 365 * 86_400;

/// Longest name of an agent or its host that is put to each of its drives, in characters. Source: the longest name of a host, RFC 1035.
const NAME_MAX: usize = 253;

/// Most drives of all agents that are shown: many times what any existing add-on lists.
const DRIVES_MAX: usize = 4_096;

/// Keys under which existing add-ons put their lists.
const LISTS: [&str; 15] = [
    "items", "jobs", "agents", "drives", "history", "logs", "entries", "data", "rows", "deltas", "points", "disks",
    "pools", "events", "results",
];

/// Query of a source.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// The component that asks.
    component: Option<String>,
    /// How far back: a number and m, h or d.
    range: Option<String>,
    /// One job alone.
    job: Option<String>,
    /// One agent of the add-on alone.
    agent_id: Option<String>,
}

/// What a source has: a list, or one value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// The source.
    source: String,
    /// Its items, the add-on's own objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Value>>)]
    items: Option<Items>,
    /// Its value, where it is no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// True where the add-on could not be reached and this is what it said last.
    stale: bool,
}

/// Items, parsed or as they came.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Items {
    Values(Vec<Value>),
    Texts(Vec<Box<RawValue>>),
}

fn bad(detail: impl Into<String>) -> Refusal {
    Refusal::new("bad-source", 400, "There is no such source").with(detail)
}

/// Seconds of a range like `15m`, `6h`, `7d`.
fn seconds(range: &str) -> Result<i64, Refusal> {
    let wrong = || bad("range: expected a number and m, h or d, like 6h");
    let unit = range.chars().last().ok_or_else(wrong)?;
    let number: i64 = range
        .strip_suffix(unit)
        .and_then(|n| n.parse().ok())
        .filter(|n| (1..=100_000).contains(n))
        .ok_or_else(wrong)?;
    let unit = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    Ok((number * unit).min(ALWAYS))
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Whether a source is a plain word.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// The path of an add-on's own API for a source. Source of the paths: existing add-ons.
fn path(source: &str, of: &Of) -> Result<String, Refusal> {
    let mut query: Vec<String> = Vec::new();
    let mut ask = |key: &str, value: &Option<String>| {
        query.extend(value.as_ref().map(|value| format!("{key}={}", encoded(value))));
    };
    let path = match source {
        "active_jobs" => "/api/jobs/active",
        "job_history" => "/api/jobs/history",
        "chart_history" => {
            ask("component_id", &of.component);
            ask("time_range", &of.range);
            "/api/chart/history"
        }
        "log_history" => {
            ask("time_range", &of.range);
            "/api/logs/history"
        }
        "smart_deltas" => "/api/smart/deltas",
        "addon_agents" | "agent_drives" => "/api/agents",
        "config" => "/api/config",
        "deploy_info" => "/api/deploy-info",
        own if own.starts_with("/api/") => own,
        // `disk_storage`, `disk_status`, `smart_status`, `active_job`, `disks`, `pools`, and whatever else an add-on names so.
        own if is_word(own) => &format!("/api/{own}"),
        _ => {
            return Err(bad(
                "expected a word of letters, digits, _ and - like active_jobs, job_history, chart_history, log_history, smart_deltas, \
                 disk_status or config, or a path from /api/",
            ));
        }
    };
    ask("job_id", &of.job);
    ask("agent_id", &of.agent_id);
    let path = match (query.is_empty(), path.contains('?')) {
        (true, _) => path.to_owned(),
        (false, false) => format!("{path}?{}", query.join("&")),
        (false, true) => format!("{path}&{}", query.join("&")),
    };
    outcall::check_path(&path).map_err(bad)?;
    Ok(path)
}

/// The drives of the agents, each with whose it is. What stands once in an answer is copied to each of them, so both are bounded.
fn drives(agents: &[Value], only: Option<&str>) -> Vec<Value> {
    let wanted = agents
        .iter()
        .filter(|agent| only.is_none_or(|only| agent["agent_id"] == only || agent["id"] == only));
    let drives = wanted.flat_map(|agent| {
        let drives = agent["drives"].as_array().map_or(&[][..], Vec::as_slice);
        drives.iter().map(move |drive| {
            let mut drive = drive.clone();
            for key in ["agent_id", "hostname"] {
                if let Some(drive) = drive.as_object_mut() {
                    drive.entry(key).or_insert_with(|| name(&agent[key]));
                }
            }
            drive
        })
    });
    drives.take(DRIVES_MAX).collect()
}

/// A name as its drives bear it, also one that is a number; nothing where it is none.
fn name(told: &Value) -> Value {
    match told {
        Value::String(text) if text.chars().count() > NAME_MAX => brief(text, NAME_MAX).into(),
        Value::String(_) | Value::Number(_) => told.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

fn read(source: &str, of: &Of, body: &[u8]) -> Result<Source, Refusal> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::new("addon-odd", 502, "The add-on's answer is no JSON").with(error.to_string()))?;
    let list = match &value {
        Value::Array(items) => Some(items.clone()),
        Value::Object(map) => LISTS.iter().find_map(|key| map.get(*key)?.as_array().cloned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    let found = |items, value| Source {
        source: source.to_owned(),
        items,
        value,
        stale: false,
    };
    Ok(match (source, list) {
        ("config", _) | (_, None) => found(None, Some(value)),
        ("agent_drives", Some(agents)) => found(Some(Items::Values(drives(&agents, of.agent_id.as_deref()))), None),
        (_, Some(items)) => found(Some(Items::Values(items)), None),
    })
}

/// The tables of a manifest that show the add-on's drives.
fn inventories(manifest: &Value) -> Vec<String> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let components = list(manifest, "pages")
        .into_iter()
        .flat_map(|page| list(&page, "components"));
    let shows = |part: &Value| part["source"] == "agent_drives" || part["config"]["source"] == "agent_drives";
    components
        .filter(|part| part["type"] == "smart-table" && shows(part))
        .filter_map(|part| Some(part["id"].as_str()?.to_owned()))
        .collect()
}

/// What the add-on itself said, out of its history.
fn remembered(app: &App, addon: &Addon, source: &str, of: &Of) -> Result<Source, Refusal> {
    let now = app.clock.now().wall;
    let back = of.range.as_deref().map_or(Ok(ALWAYS), seconds)?;
    let since = Time::from_second(now.as_second() - back).unwrap_or(Time::UNIX_EPOCH);
    let of_job = |items: Vec<Value>| {
        let wanted = |item: &Value| {
            let fits = |key: &str, want: &Option<String>| {
                want.as_ref().is_none_or(|want| item.get(key).is_none_or(|v| v == want))
            };
            fits("job_id", &of.job) && fits("agent_id", &of.agent_id)
        };
        Items::Values(items.into_iter().filter(wanted).collect())
    };
    let inventories = || inventories(&addon.manifest.value());
    let items = app.hub(|hub| {
        let history = hub.history(addon.id)?;
        Some(match source {
            "active_jobs" | "active_job" => of_job(history.active_jobs(now)),
            "job_history" if addon.id == AGENT => {
                of_job(hub.jobs().filter(|job| job.state.is_over()).map(own::job).collect())
            }
            "job_history" => of_job(history.job_history()),
            "chart_history" => of_job(history.points(of.component.as_deref(), since)),
            "smart_deltas" | "smart_status" => {
                let inventories = inventories();
                of_job(history.table(|name| match &of.component {
                    Some(component) => name.is_empty() || name == component,
                    None => !inventories.iter().any(|table| table == name),
                }))
            }
            "log_history" if of.job.is_none() => Items::Texts(history.log(since)),
            "log_history" => {
                let lines = history.log(since);
                of_job(
                    lines
                        .iter()
                        .filter_map(|line| serde_json::from_str(line.get()).ok())
                        .collect(),
                )
            }
            "agent_drives" if addon.id == AGENT => {
                let present = hub.drives().iter().filter(|drive| drive.present);
                Items::Values(present.map(own::drive).collect())
            }
            // Whichever component asks: a form's choice shows what the table of drives does.
            "agent_drives" => {
                let inventories = inventories();
                let shows = |name: &str| name.is_empty() || inventories.iter().any(|table| table == name);
                of_job(history.table(|name| !inventories.is_empty() && shows(name)))
            }
            "addon_agents" => Items::Values(Vec::new()),
            _ => return None,
        })
    });
    let stale = !addon.url.is_empty();
    let name = source.to_owned();
    match (items, source) {
        (Some(items), _) => Ok(Source {
            source: name,
            items: Some(items),
            value: None,
            stale,
        }),
        (None, "config") => Ok(Source {
            source: name,
            items: None,
            value: Some(json!({})),
            stale,
        }),
        (None, _) => Err(Refusal::new(
            "no-address",
            409,
            "The add-on has no address, and this source cannot be answered without it",
        )
        .with(format!("source {:?}", source.chars().take(80).collect::<String>()))),
    }
}

/// What a component of an add-on's manifest shows.
#[utoipa::path(get, path = "/addons/{id}/sources/{source}", operation_id = "addon_source", tag = "addons",
    params(("id" = u64, Path, description = "Add-on"), ("source" = String, Path, description = "active_jobs, job_history, chart_history, log_history, smart_deltas, addon_agents, agent_drives, config, or any word of letters, digits, _ and - (disk_status: GET /api/disk_status of the add-on), or a percent-encoded path from /api/"), Of),
    responses((status = 200, body = Source), LoggedIn, OfAddon,
        (status = 400, description = "`bad-source`: the detail says what is expected"),
        (status = 403, description = "`gate`: the manifest declares this GET as more than a look"),
        (status = 409, description = "`no-address`, `bad-url`"),
        (status = 502, description = "`addon-unreachable`, `addon-refused`, `addon-odd`, `addon-redirects`, `addon-too-long`"),
        (status = 504, description = "`addon-late`")))]
pub(super) async fn source(
    State(app): State<Arc<App>>,
    _: Person,
    Path((id, source)): Path<(String, String)>,
    of: Result<Query<Of>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Source>, Refusal> {
    let addon = find(&app, &id)?;
    let Query(of) = of.map_err(|error| bad(error.body_text()))?;
    let path = path(&source, &of)?;
    of.range.as_deref().map(seconds).transpose()?;
    // Nobody's component: the box's own list asks what the box itself heard and refused.
    let of_the_box = of.component.as_deref() == Some("");
    let Some(origin) = origin(&addon)?.filter(|_| addon.enabled && !of_the_box) else {
        return remembered(&app, &addon, &source, &of).map(Json);
    };
    if let Err(refusal) = only_looks(&addon, &path) {
        return Err(refuse(&app, addon.id, refusal).await);
    }
    let asked = async {
        let reply = app
            .call_addon(addon.id, &origin, Method::GET, &path, None, PATIENCE)
            .await?;
        if !(200..300).contains(&reply.status) {
            return Err(Refusal::new("addon-refused", 502, "The add-on refused")
                .with(format!("GET {path}: status {}", reply.status)));
        }
        read(&source, &of, &reply.body)
    };
    match asked.await {
        Ok(source) => Ok(Json(source)),
        Err(refusal) => match remembered(&app, &addon, &source, &of) {
            Ok(source) => Ok(Json(source)),
            Err(_) => Err(refuse(&app, addon.id, refusal).await),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sources_are_asked_on_the_paths_of_existing_add_ons() {
        let of = Of {
            component: Some("a b".into()),
            range: Some("6h".into()),
            ..Of::default()
        };
        assert_eq!(
            path("chart_history", &of).unwrap(),
            "/api/chart/history?component_id=a%20b&time_range=6h"
        );
        let of = Of {
            agent_id: Some("n1".into()),
            ..Of::default()
        };
        assert_eq!(path("/api/pools?x=1", &of).unwrap(), "/api/pools?x=1&agent_id=n1");
        for word in [
            "disk_status",
            "smart_status",
            "disk_storage",
            "active_job",
            "disks",
            "pools",
            "ups-state",
        ] {
            assert_eq!(path(word, &Of::default()).unwrap(), format!("/api/{word}"));
        }
        assert_eq!(path("deploy_info", &Of::default()).unwrap(), "/api/deploy-info");
        for wrong in [
            "",
            "a b",
            "a/b",
            "a?b=c",
            "..",
            "/etc/passwd",
            "/api/../x",
            "http://evil.example/api/",
        ] {
            assert!(path(wrong, &Of::default()).is_err(), "{wrong}");
        }
        for (range, want) in [
            ("15m", Some(900)),
            ("6h", Some(21_600)),
            ("7d", Some(604_800)),
            ("", None),
            ("7", None),
            ("h", None),
            ("-1h", None),
            ("1w", None),
            ("1é", None),
        ] {
            assert_eq!(seconds(range).ok(), want, "{range}");
        }
    }

    #[test]
    fn the_tables_that_show_drives_are_known_by_their_source() {
        let manifest = json!({ "pages": [
            { "id": "a", "components": [
                { "type": "smart-table", "id": "one", "source": "agent_drives" },
                { "type": "smart-table", "id": "two", "config": { "source": "agent_drives" } },
                { "type": "smart-table", "id": "three", "source": "smart_deltas" },
                { "type": "form", "id": "four", "source": "agent_drives" } ] },
            { "id": "b" } ] });
        assert_eq!(inventories(&manifest), ["one", "two"]);
        assert!(inventories(&Value::Null).is_empty());
    }

    /// One agent with two long names and many drives without any made the server as large as their product, which killed it.
    #[test]
    fn an_answer_grows_little_by_what_is_put_to_each_drive() {
        let long = "x".repeat(500_000);
        let of = |agent: &Value| drives(std::slice::from_ref(agent), None);
        let agent = json!({ "agent_id": long, "hostname": [long], "drives": vec![json!({}); 700] });
        let told = of(&agent);
        assert_eq!(told.len(), 700);
        assert!(told[699]["agent_id"].as_str().unwrap().chars().count() <= NAME_MAX && told[699]["hostname"].is_null());
        let agent = json!({ "agent_id": 7, "hostname": "nas", "drives": vec![json!({ "agent_id": "a" }); 10_000] });
        let told = of(&agent);
        assert_eq!(told.len(), DRIVES_MAX);
        assert_eq!(told[0], json!({ "agent_id": "a", "hostname": "nas" }));
        assert_eq!(
            of(&json!({ "agent_id": 7, "drives": [{}, 8] })),
            [json!({ "agent_id": 7, "hostname": null }), json!(8)]
        );
    }

    #[test]
    fn lists_are_found_in_the_shapes_that_add_ons_use() {
        let of = Of::default();
        let items = |body: &str, source| match read(source, &of, body.as_bytes()).unwrap().items {
            Some(Items::Values(items)) => items.len(),
            _ => 99,
        };
        assert_eq!(items("[1,2]", "active_jobs"), 2);
        assert_eq!(items(r#"{"jobs":[{}]}"#, "active_jobs"), 1);
        assert_eq!(
            items(
                r#"{"agents":[{"agent_id":"a","drives":[{"path":"/dev/sda"},{}]},{"agent_id":"b"}]}"#,
                "agent_drives"
            ),
            2
        );
        assert_eq!(items(r#"{"state":"ok"}"#, "/api/state"), 99);
        assert!(read("active_jobs", &of, b"<html>").is_err());
    }
}

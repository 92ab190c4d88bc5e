//! Hosts as a whole: what they are, how they are, their names and intervals, and the page to print.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use health::THIS_BOX;
use health::score::Status;
use health::tables::{Drive, Host};
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use super::smart::{Asked, Of, of};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::Json;
use crate::http::notifications::{Done, done};
use crate::http::people::person::Person;
use crate::http::told::drive::{HealthTotals, HostDriveIdentity, HostDrives, alerts};
use crate::http::told::front::{AuthStatus, Version, VersionCheck};
use crate::http::told::host::{HostDriveLines, HostHistory, HostView, Hosts, lowest};
use crate::http::told::smart::{ActiveAlerts, DELETED, Deleted, HealthScore, HostAlerts};
use crate::http::told::vigil::HostRow;

fn unknown() -> Refusal {
    Refusal::new("host-unknown", 404, "There is no such host")
}

/// The hosts: this box before those that report to it.
pub(super) fn known(app: &App) -> store::Result<Vec<Host>> {
    let mut all: Vec<Host> = app
        .fleet
        .book
        .own_host(env!("CARGO_PKG_VERSION"))?
        .into_iter()
        .collect();
    all.extend(app.fleet.book.hosts()?);
    Ok(all)
}

/// The names of this box and the hosts that report to it, with when each was heard and how often, as existing dashboards read
/// them.
#[utoipa::path(get, path = "/api/hosts", operation_id = "host_rows", tag = "hosts", responses((status = 200, body = Vec<HostRow>), LoggedIn, Stored))]
pub(super) async fn rows(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Vec<HostRow>>, Refusal> {
    Ok(Answered(known(&app)?.iter().map(HostRow::from).collect()))
}

/// This box and the hosts that report to it, with how their drives are. The box itself is `own` and has no `agent_id`; it
/// stands here as soon as one of its drives has said something.
#[utoipa::path(get, path = "/api/v1/hosts", operation_id = "hosts", tag = "hosts", responses((status = 200, body = Hosts), LoggedIn, Stored))]
pub(super) async fn hosts(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Hosts>, Refusal> {
    let drives = Of::default().drives(&app)?;
    let hosts: Vec<HostView> = known(&app)?.iter().map(|host| HostView::of(host, &drives)).collect();
    Ok(Answered(Hosts {
        count: hosts.len(),
        hosts,
    }))
}

/// A host's reports: score and temperature of each drive over time.
#[utoipa::path(get, path = "/api/hosts/{name}/history", operation_id = "host_history", tag = "hosts", params(("name" = String, Path, description = "Host name"), Of),
    responses((status = 200, body = HostHistory), LoggedIn, Stored, (status = 400, description = "`bad-query`"), (status = 404, description = "`host-unknown`")))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    _: Person,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Answered<HostHistory>, Refusal> {
    let of = Of {
        hostname: Some(name.clone()),
        ..of(asked)?
    };
    let host = known(&app)?
        .into_iter()
        .find(|host| host.hostname == name)
        .ok_or_else(unknown)?;
    let drives = of.drives(&app)?;
    let mut lines = Vec::new();
    for drive in &drives {
        let points = of.points(&app, drive)?;
        let told = |look: fn(&health::tables::Point) -> Option<f64>| {
            points
                .iter()
                .filter_map(|(at, point)| Some((*at, look(point)?)))
                .collect()
        };
        lines.push(HostDriveLines {
            who: drive.into(),
            score: told(|point| point.score.map(f64::from)),
            temperature: told(|point| point.temperature.map(|t| t as f64)),
            wear: told(|point| point.wear),
        });
    }
    Ok(Answered(HostHistory {
        host: HostView::of(&host, &drives),
        drives: lines,
    }))
}

/// Takes a host away, with its drives and their histories. Its agent stays and may report it anew.
#[utoipa::path(delete, path = "/api/hosts/{name}", operation_id = "host_remove", tag = "hosts", params(("name" = String, Path, description = "Host name")),
    responses((status = 200, body = Deleted), LoggedIn, Stored, (status = 404, description = "`host-unknown`"),
        (status = 409, description = "`built-in`: this is the box itself")))]
pub(super) async fn drop_host(
    State(app): State<Arc<App>>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Answered<Deleted>, Refusal> {
    if name == THIS_BOX {
        return Err(Refusal::new("built-in", 409, "This is the box itself")
            .with("its drives' histories are kept as long as there is room; old points go by /api/smart/cleanup"));
    }
    // A name that no host can have is none of the medium's business.
    if health::report::check_host(&name).is_err() || !app.fleet.book.drop_host(name.clone()).await? {
        return Err(unknown());
    }
    let message = format!("{} took away host {name} with its histories", person.name);
    app.record_done(
        NewEvent::new("host.removed", Severity::Info, message, json!({ "hostname": name })),
        &person.name,
    )
    .await;
    Ok(Answered(DELETED))
}

/// Takes a drive away that its host reports no more, with its history.
#[utoipa::path(delete, path = "/api/hosts/{name}/drives/{id}", operation_id = "host_drive_remove", tag = "hosts", params(("name" = String, Path, description = "Host name"), ("id" = String, Path, description = "The drive's key")),
    responses((status = 200, body = Deleted), LoggedIn, Stored, (status = 404, description = "`drive-unknown`: this host has no such drive"),
        (status = 409, description = "`drive-present`: the host still reports it")))]
pub(super) async fn drop_drive(
    State(app): State<Arc<App>>,
    person: Person,
    Path((name, id)): Path<(String, String)>,
) -> Result<Answered<Deleted>, Refusal> {
    let none = || Refusal::new("drive-unknown", 404, "This host has no such drive");
    // What no key of ours looks like is none of the medium's business.
    if id.len() > 128 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(none());
    }
    let drive = app.fleet.book.drop_drive(name, id).await?.ok_or_else(none)?;
    let called = [&drive.reading.model, &drive.reading.serial]
        .map(String::as_str)
        .join(" ");
    let message = format!(
        "{} took away drive {} of host {} with its history",
        person.name,
        called.trim(),
        drive.hostname
    );
    let data = json!({ "hostname": drive.hostname, "drive": drive.id, "serial": drive.reading.serial });
    app.record_done(
        NewEvent::new("host.drive_removed", Severity::Info, message, data),
        &person.name,
    )
    .await;
    Ok(Answered(DELETED))
}

/// One score for everything: that of the worst drive, with how many are how well.
#[utoipa::path(get, path = "/api/health/score", operation_id = "health_score", tag = "smart", responses((status = 200, body = HealthScore), LoggedIn, Stored))]
pub(super) async fn score(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HealthScore>, Refusal> {
    let mut drives = Of::default().drives(&app)?;
    drives.retain(|drive| drive.present);
    let scores: Vec<u32> = drives.iter().filter_map(|drive| drive.score.score).collect();
    let score = lowest(&drives);
    let mean = (!scores.is_empty()).then(|| f64::from(scores.iter().sum::<u32>()) / scores.len() as f64);
    Ok(Answered(HealthScore {
        totals: HealthTotals::of(&drives),
        score,
        status: Status::of(score),
        mean: mean.map(|mean| (mean * 10.0).round() / 10.0),
        hosts: app.fleet.book.hosts()?.len(),
    }))
}

/// Version of this server.
#[utoipa::path(get, path = "/api/version", operation_id = "version", tag = "box", security(()), responses((status = 200, body = Version)))]
pub(super) async fn version() -> Answered<Version> {
    Answered(Version {
        version: env!("CARGO_PKG_VERSION"),
        name: "kiln",
    })
}

/// Whether there is a newer version: this box asks nobody by itself, updates are brought to it.
#[utoipa::path(get, path = "/api/version/check", operation_id = "version_check", tag = "box", security(()), responses((status = 200, body = VersionCheck)))]
pub(super) async fn version_check() -> Answered<VersionCheck> {
    Answered(VersionCheck {
        current_version: env!("CARGO_PKG_VERSION"),
        latest_version: None,
        update_available: false,
        checked: false,
    })
}

/// Whether somebody is logged in, and whether the box is claimed.
#[utoipa::path(get, path = "/api/auth/status", operation_id = "auth_status", tag = "session", security(()), responses((status = 200, body = AuthStatus)))]
pub(super) async fn auth_status(State(app): State<Arc<App>>, person: Option<Person>) -> Answered<AuthStatus> {
    Answered(AuthStatus {
        authenticated: person.is_some(),
        auth_enabled: true,
        username: person.map(|person| person.name),
        must_change_password: false,
        claimed: app.hub(crate::hub::Hub::is_claimed),
    })
}

/// Names that people gave to drives.
#[utoipa::path(get, path = "/api/aliases", operation_id = "aliases", tag = "hosts", responses((status = 200, body = HostDriveAliases), LoggedIn, Stored))]
pub(super) async fn aliases(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HostDriveAliases>, Refusal> {
    let mut drives = Of::default().drives(&app)?;
    drives.retain(|drive| !drive.alias.is_empty());
    Ok(Answered(HostDriveAliases {
        count: drives.len(),
        aliases: drives.iter().map(HostDriveIdentity::from).collect(),
    }))
}

/// Drives that people gave a name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostDriveAliases {
    count: usize,
    aliases: Vec<HostDriveIdentity>,
}

/// Body of [`name`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Alias {
    hostname: String,
    #[serde(alias = "serial_number")]
    serial: String,
    /// Model, where two drives of the host share the serial.
    #[serde(default)]
    model: Option<String>,
    /// At most 64 characters; empty takes the name away.
    alias: String,
}

/// Gives a drive a name.
#[utoipa::path(post, path = "/api/aliases", operation_id = "alias_put", tag = "hosts", request_body = Alias,
    responses((status = 200, body = Done), LoggedIn, Body, Stored,
        (status = 404, description = "`drive-unknown`"),
        (status = 409, description = "`drive-ambiguous`: two drives share the serial; tell the model"),
        (status = 422, description = "`bad-alias`")))]
pub(super) async fn name(
    State(app): State<Arc<App>>,
    _: Person,
    Json(form): Json<Alias>,
) -> Result<Answered<Done>, Refusal> {
    let alias = form.alias.trim().to_owned();
    if alias.chars().count() > 64 || alias.chars().any(char::is_control) {
        return Err(Refusal::new("bad-alias", 422, "This cannot be a name")
            .with("alias: at most 64 characters, none of them a control"));
    }
    let of = Of {
        hostname: Some(form.hostname),
        serial: Some(form.serial),
        model: form.model,
        ..Of::default()
    };
    let unknown = || Refusal::new("drive-unknown", 404, "There is no such drive");
    let drives = of.drives(&app)?;
    let drive = match drives.as_slice() {
        [] => return Err(unknown()),
        [drive] => drive,
        _ => {
            let models: Vec<&str> = drives.iter().map(|drive| drive.reading.model.as_str()).collect();
            let what = format!("model: one of {}", models.join(", "));
            return Err(Refusal::new("drive-ambiguous", 409, "Two drives share this serial").with(what));
        }
    };
    match app.fleet.book.name(drive.id.clone(), alias).await? {
        true => Ok(done("ok")),
        false => Err(unknown()),
    }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

const STYLE: &str = "body{font:15px system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #bbb;vertical-align:top}\
    td.n{text-align:right}caption{text-align:left;font-weight:600;padding:1rem 0 .3rem}";

/// The page of all drives, the worst first.
fn page(hosts: &[Host], drives: &mut [Drive], at: wire::Time) -> String {
    drives.sort_by_key(|drive| drive.score.score);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Drive health</title><style>{STYLE}</style><main><h1>Drive health</h1><p>{} drives of {} hosts, {}</p>",
        drives.len(),
        hosts.len(),
        at.strftime("%Y-%m-%d %H:%M UTC"),
    );
    if drives.is_empty() {
        out.push_str("<p>No host has reported a drive yet.</p>");
    } else {
        out.push_str(
            "<table><caption>The worst first</caption><thead><tr><th scope=\"col\">Drive<th scope=\"col\">Host\
             <th scope=\"col\">Score<th scope=\"col\">Status<th scope=\"col\">°C<th scope=\"col\">Why</thead><tbody>",
        );
    }
    for drive in drives.iter() {
        let r = &drive.reading;
        let why: Vec<String> = drive
            .score
            .parts
            .iter()
            .map(|part| format!("{} (−{})", part.why, part.cost))
            .collect();
        let status = serde_json::to_value(drive.score.status)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned));
        let or_dash = |told: Option<String>| told.unwrap_or_else(|| "–".to_owned());
        // Writing to a text cannot fail.
        let _infallible = write!(
            out,
            "<tr><th scope=\"row\">{} {}<br>{}<td>{} {}<td class=\"n\">{}<td>{}<td class=\"n\">{}<td>{}",
            escaped(&r.model),
            escaped(&drive.alias),
            escaped(&r.serial),
            escaped(&drive.hostname),
            escaped(&r.device),
            or_dash(drive.score.score.map(|n| n.to_string())),
            status.unwrap_or_default(),
            or_dash(r.temperature.map(|n| n.to_string())),
            escaped(&why.join("; ")),
        );
    }
    out.push_str(if drives.is_empty() {
        "</main></html>"
    } else {
        "</tbody></table></main></html>"
    });
    out
}

/// A page of all drives to print or keep.
#[utoipa::path(get, path = "/api/reports/health", operation_id = "health_page", tag = "smart", responses((status = 200, body = String, content_type = "text/html"), LoggedIn, Stored))]
pub(super) async fn health_page(State(app): State<Arc<App>>, _: Person) -> Result<Response, Refusal> {
    let (hosts, mut drives) = (app.fleet.book.hosts()?, Of::default().drives(&app)?);
    let page = page(&hosts, &mut drives, app.clock.now().wall);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        // The page has one style of its own and nothing else; every word from outside is escaped.
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
        ),
    ];
    Ok((headers, page).into_response())
}

/// Drives with an alert, as [`HostDrives`] has them, and hosts with one.
#[utoipa::path(get, path = "/api/v1/alerts", operation_id = "alerts", tag = "hosts", responses((status = 200, body = ActiveAlerts), LoggedIn, Stored))]
pub(super) async fn active(State(app): State<Arc<App>>, _: Person) -> Result<Answered<ActiveAlerts>, Refusal> {
    let mut drives = Of::default().drives(&app)?;
    drives.retain(|drive| !drive.alerts.is_empty());
    let hosts = app
        .fleet
        .book
        .hosts()?
        .iter()
        .filter(|host| !host.alerts.is_empty())
        .map(|host| HostAlerts {
            hostname: host.hostname.clone(),
            alerts: alerts(&host.alerts),
        })
        .collect();
    Ok(Answered(ActiveAlerts {
        drives: HostDrives::of(&drives),
        hosts,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_drive_calls_itself_is_no_markup() {
        let document = json!({
            "device": { "name": "/dev/<b>" }, "model_name": "<script>alert(1)</script>", "serial_number": "\"'&",
            "smart_status": { "passed": false },
        });
        let reading = health::read(&document).unwrap();
        let drive = Drive {
            id: "x".into(),
            hostname: "nas".into(),
            alias: "<i>".into(),
            first_seen: wire::Time::UNIX_EPOCH,
            last_seen: wire::Time::UNIX_EPOCH,
            present: true,
            reports: 1,
            score: health::score::score(&reading, None),
            alerts: health::alert::Alerts::new(),
            reading,
        };
        let page = page(&[], &mut [drive], wire::Time::UNIX_EPOCH);
        for bad in ["<script>", "<b>", "<i>"] {
            assert!(!page.contains(bad), "{page}");
        }
        assert!(page.contains("&lt;script&gt;") && page.contains("(−100)"));
    }
}

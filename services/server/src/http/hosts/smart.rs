//! What host agents reported of their drives: values, histories, trends, scores, wear. On the paths of Vigil's REST.
//!
//! Every list can be narrowed by `hostname` and `serial` (and `model`, where two drives share a serial); one that
//! nothing fits is empty, so a fresh box answers 200 everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use health::known::known;
use health::reading::{Attribute, plain_serial};
use health::tables::{Drive, Point};
use health::trend;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::Time;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::Json;
use crate::http::people::person::Person;
use crate::http::told::drive::{
    HealthSummary, HealthTotals, HostDriveCrossing, HostDriveHistories, HostDriveHistory, HostDriveTrend,
    HostDriveTrends, HostDrives, HostDrivesTrends,
};
use crate::http::told::smart::{
    CriticalAttributes, HistoriesCleaned, HostDriveAttribute, HostDriveAttributes, HostDriveTemperatures,
    HostDrivesAttributes, HostDrivesTemperatures,
};
use crate::http::told::vigil::{HealthAll, OneDriveAttributes};

/// Most points in one answer.
const POINTS_MAX: usize = 20_000;

/// Days of history in an answer that was not asked for a number.
const DAYS: u32 = 30;

/// Most days. Source: `health::thin` keeps 400.
const DAYS_MAX: u32 = 400;

/// Which drives, values and times are meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// Host name; `this box` for the box's own drives.
    pub hostname: Option<String>,
    /// Serial number; blanks, signs and case do not matter.
    pub serial: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// One value alone: its number or word, as `5` or `media_errors`.
    #[serde(alias = "attribute_id")]
    pub attribute: Option<String>,
    /// How far back, 1 to 400; 30 where it is not said.
    pub days: Option<u32>,
}

/// The query, as axum reads it.
pub(super) type Asked = Result<Query<Of>, QueryRejection>;

pub(in crate::http) fn of(asked: Asked) -> Result<Of, Refusal> {
    let bad = |what: String| Refusal::bad_query(what);
    let Query(of) = asked.map_err(|error| bad(error.body_text()))?;
    match of.days {
        Some(days) if !(1..=DAYS_MAX).contains(&days) => Err(bad(format!("days: {days}; expected 1 to {DAYS_MAX}"))),
        _ => Ok(of),
    }
}

impl Of {
    pub(in crate::http) fn drives(&self, app: &App) -> store::Result<Vec<Drive>> {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        app.fleet.book.drives(|drive| {
            fits(&self.hostname, &drive.hostname)
                && self
                    .serial
                    .as_ref()
                    .is_none_or(|serial| plain_serial(serial) == plain_serial(&drive.reading.serial))
                && fits(&self.model, &drive.reading.model)
        })
    }

    /// A drive's history in that time, without what a clock that was ahead wrote.
    pub(in crate::http) fn points(&self, app: &App, drive: &Drive) -> store::Result<Vec<(i64, Point)>> {
        let now = app.clock.now().wall.as_second();
        let mut points = app.fleet.book.points(&drive.id, self.since(app))?;
        points.retain(|(at, _)| *at <= now + health::AHEAD.as_secs());
        Ok(points)
    }

    fn since(&self, app: &App) -> Time {
        let days = self.days.unwrap_or(DAYS);
        let back = jiff::SignedDuration::from_hours(24 * i64::from(days));
        app.clock.now().wall.checked_sub(back).unwrap_or(Time::MIN)
    }
}

/// The newest values of each drive, with what is known of those that matter; of one drive also in the keys of existing
/// dashboards.
#[utoipa::path(get, path = "/api/smart/attributes", operation_id = "smart_attributes", tag = "smart", params(Of),
    responses((status = 200, body = HostDrivesAttributes), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn attributes(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDrivesAttributes>, Refusal> {
    let of = of(asked)?;
    let drives = of.drives(&app)?;
    let wanted = |a: &Attribute| of.attribute.as_ref().is_none_or(|key| *key == a.key);
    let rows = |drive: &Drive| -> Vec<HostDriveAttribute> {
        let r = &drive.reading;
        let those = r.attributes.iter().filter(|a| wanted(a));
        those
            .map(|a| {
                let critical = known()
                    .critical
                    .iter()
                    .find(|row| a.is_of(&row.key) && row.protocol == r.protocol);
                HostDriveAttribute {
                    attribute: a.clone(),
                    critical: critical.is_some(),
                    meaning: critical.map(|row| row.meaning.clone()),
                    cost: critical.map(|row| row.cost(a.count)),
                }
            })
            .collect()
    };
    Ok(Answered(HostDrivesAttributes {
        count: drives.len(),
        drives: drives
            .iter()
            .map(|drive| HostDriveAttributes {
                who: drive.into(),
                attributes: rows(drive),
            })
            .collect(),
        one: OneDriveAttributes::of(&drives, wanted),
    }))
}

/// Series of a drive's points: attribute to its `[seconds, count]` pairs.
fn series(points: &[(i64, Point)], only: Option<&str>) -> BTreeMap<String, Vec<(i64, f64)>> {
    let mut all: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    let mut put = |key: &str, at: i64, value: f64| {
        if only.is_none_or(|only| only == key) {
            all.entry(key.to_owned()).or_default().push((at, value));
        }
    };
    for (at, point) in points {
        for (key, count) in &point.values {
            put(key, *at, *count as f64);
        }
        let more = [
            ("temperature", point.temperature.map(|t| t as f64)),
            ("score", point.score.map(f64::from)),
            ("wear", point.wear),
            ("written", point.written.map(|b| b as f64)),
        ];
        for (key, value) in more {
            if let Some(value) = value
                && !point.values.contains_key(key)
            {
                put(key, *at, value);
            }
        }
    }
    all
}

/// Histories: `[seconds since 1970, value]` pairs by value; besides the drive's own values `temperature`, `score`,
/// `wear` and `written`.
#[utoipa::path(get, path = "/api/smart/attributes/history", operation_id = "smart_history", tag = "smart", params(Of),
    responses((status = 200, body = HostDriveHistories), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDriveHistories>, Refusal> {
    let of = of(asked)?;
    let mut room = POINTS_MAX;
    let mut drives = Vec::new();
    let mut truncated = false;
    for drive in of.drives(&app)? {
        let points = of.points(&app, &drive)?;
        let history = series(&points, of.attribute.as_deref());
        let size = history.values().map(Vec::len).sum::<usize>();
        truncated = size > room && !drives.is_empty();
        if truncated {
            break;
        }
        room = room.saturating_sub(size);
        drives.push(HostDriveHistory {
            who: (&drive).into(),
            points: points.len(),
            history,
        });
    }
    Ok(Answered(HostDriveHistories {
        count: drives.len(),
        drives,
        truncated,
    }))
}

/// Limits that a value's line may cross: its own in the book of known values, or none.
fn limits(drive: &Drive, key: &str) -> Vec<(&'static str, f64)> {
    match key {
        "temperature" => vec![("limit", health::alert::limit(&drive.reading) as f64)],
        "wear" | "percentage_used" => vec![("wear_90", 90.0), ("rated_life", 100.0)],
        "score" => vec![("warning", 80.0), ("critical", 50.0)],
        "available_spare" => {
            let own = drive
                .reading
                .attributes
                .iter()
                .find(|a| a.key == "available_spare_threshold");
            own.map(|a| ("threshold", a.count as f64)).into_iter().collect()
        }
        _ => {
            let attribute = drive.reading.attributes.iter().find(|a| a.key == key);
            let row = known().critical.iter().find(|row| {
                let counts = attribute.map_or(row.key == key, |a| a.is_of(&row.key));
                counts && row.protocol == drive.reading.protocol
            });
            row.filter(|row| row.critical_at > 0)
                .map(|row| ("critical", row.critical_at as f64))
                .into_iter()
                .collect()
        }
    }
}

pub(super) fn trend_of(drive: &Drive, key: &str, points: &[(i64, f64)]) -> Option<HostDriveTrend> {
    let line = trend::fit(points)?;
    let last = Time::from_second(points.last()?.0).ok()?;
    let crossings = limits(drive, key)
        .into_iter()
        .filter_map(|(name, limit)| {
            let crossing = line.crossing(limit, last)?;
            Some(HostDriveCrossing { name, crossing })
        })
        .collect();
    Some(HostDriveTrend { line, crossings })
}

/// Trends: a straight line by least squares for each value, how sure it is, and when it crosses a limit.
#[utoipa::path(get, path = "/api/smart/attributes/trend", operation_id = "smart_trend", tag = "smart", params(Of),
    responses((status = 200, body = HostDrivesTrends), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn trends(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDrivesTrends>, Refusal> {
    let of = of(asked)?;
    let mut drives = Vec::new();
    for drive in of.drives(&app)? {
        let points = of.points(&app, &drive)?;
        let series = series(&points, of.attribute.as_deref());
        let trends = series
            .into_iter()
            .filter_map(|(key, points)| {
                let trend = trend_of(&drive, &key, &points)?;
                Some((key, trend))
            })
            .collect();
        drives.push(HostDriveTrends {
            who: (&drive).into(),
            trends,
        });
    }
    Ok(Answered(HostDrivesTrends {
        count: drives.len(),
        drives,
    }))
}

/// The values whose count matters, what one costs and who says so.
#[utoipa::path(get, path = "/api/smart/critical-attributes", operation_id = "smart_critical", tag = "smart", responses((status = 200, body = CriticalAttributes), LoggedIn))]
pub(super) async fn critical(_: Person) -> Answered<CriticalAttributes> {
    let all = &known().critical;
    Answered(CriticalAttributes {
        count: all.len(),
        attributes: all,
    })
}

/// Score, parts and alerts of the drives asked for.
#[utoipa::path(get, path = "/api/smart/health/summary", operation_id = "smart_summary", tag = "smart", params(Of),
    responses((status = 200, body = HealthSummary), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn summary(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HealthSummary>, Refusal> {
    let drives = of(asked)?.drives(&app)?;
    Ok(Answered(HealthSummary {
        totals: HealthTotals::of(&drives),
        drives: HostDrives::of(&drives),
    }))
}

/// The same of all drives, and in `summaries` in the rows of existing dashboards.
#[utoipa::path(get, path = "/api/smart/health/all", operation_id = "smart_health_all", tag = "smart", responses((status = 200, body = HealthAll), LoggedIn, Stored))]
pub(super) async fn health_all(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HealthAll>, Refusal> {
    Ok(Answered(HealthAll::of(&Of::default().drives(&app)?)))
}

/// Drives that lost points or have an alert.
#[utoipa::path(get, path = "/api/smart/health/issues", operation_id = "smart_issues", tag = "smart", responses((status = 200, body = HostDrives), LoggedIn, Stored))]
pub(super) async fn issues(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HostDrives>, Refusal> {
    let mut drives = Of::default().drives(&app)?;
    drives.retain(|drive| !drive.alerts.is_empty() || !drive.score.parts.is_empty());
    drives.sort_by_key(|drive| drive.score.score);
    Ok(Answered(HostDrives::of(&drives)))
}

/// Temperatures over time, lowest, highest and mean.
#[utoipa::path(get, path = "/api/smart/temperature/history", operation_id = "smart_temperature", tag = "smart", params(Of),
    responses((status = 200, body = HostDrivesTemperatures), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn temperature(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDrivesTemperatures>, Refusal> {
    let of = of(asked)?;
    let mut drives = Vec::new();
    for drive in of.drives(&app)? {
        let points = of.points(&app, &drive)?;
        let told: Vec<(i64, i64)> = points
            .iter()
            .filter_map(|(at, p)| Some((*at, p.temperature?)))
            .collect();
        let mean = (!told.is_empty()).then(|| told.iter().map(|(_, t)| *t as f64).sum::<f64>() / told.len() as f64);
        drives.push(HostDriveTemperatures {
            who: (&drive).into(),
            limit: health::alert::limit(&drive.reading),
            now: drive.reading.temperature,
            lowest: told.iter().map(|(_, t)| *t).min(),
            highest: told.iter().map(|(_, t)| *t).max(),
            mean: mean.map(|mean| (mean * 10.0).round() / 10.0),
            history: told,
        });
    }
    Ok(Answered(HostDrivesTemperatures {
        count: drives.len(),
        drives,
    }))
}

/// Body of [`cleanup`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Cleanup {
    /// Points older than so many days go, 1 to 400.
    #[serde(alias = "retention_days")]
    days: u32,
}

/// Takes old points out of the histories.
#[utoipa::path(post, path = "/api/smart/cleanup", operation_id = "smart_cleanup", tag = "smart", request_body = Cleanup,
    responses((status = 200, body = HistoriesCleaned), LoggedIn, Body, Stored, (status = 422, description = "`bad-days`")))]
pub(super) async fn cleanup(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Cleanup>,
) -> Result<Answered<HistoriesCleaned>, Refusal> {
    if !(1..=DAYS_MAX).contains(&form.days) {
        let what = format!("days: {}; expected 1 to {DAYS_MAX}", form.days);
        return Err(Refusal::new("bad-days", 422, "Not a valid number of days").with(what));
    }
    let before = Of {
        days: Some(form.days),
        ..Of::default()
    }
    .since(&app);
    let gone = app.fleet.book.clean(before).await?;
    let message = format!(
        "{} took {gone} points older than {} days out of the histories",
        person.name, form.days
    );
    app.record_done(
        NewEvent::new("host.cleaned", Severity::Info, message, json!({ "points": gone })),
        &person.name,
    )
    .await;
    let drives: BTreeSet<String> = Of::default().drives(&app)?.into_iter().map(|drive| drive.id).collect();
    Ok(Answered(HistoriesCleaned {
        status: "ok",
        deleted: gone,
        drives: drives.len(),
    }))
}

//! Settings by category and key, as existing Vigil clients ask for them. What else can be set here has routes of its own.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::fleet::INTERVALS;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::Json;
use crate::http::notifications::Done;
use crate::http::people::person::Person;
use crate::http::told::host::ReportInterval;

/// A setting as Vigil lists it: its value is a text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Setting {
    category: &'static str,
    key: &'static str,
    value: String,
    /// `int`.
    value_type: &'static str,
    description: String,
}

/// The settings of a category; none for one that is not known.
#[utoipa::path(get, path = "/api/settings/{category}", operation_id = "settings", tag = "box", params(("category" = String, Path, description = "`agents`")),
    responses((status = 200, body = Vec<Setting>), LoggedIn))]
pub(super) async fn of_category(
    State(app): State<Arc<App>>,
    _: Person,
    Path(category): Path<String>,
) -> Answered<Vec<Setting>> {
    if category != "agents" {
        return Answered(Vec::new());
    }
    Answered(vec![Setting {
        category: "agents",
        key: "report_interval",
        value: app.report_interval().to_string(),
        value_type: "int",
        description: format!("Seconds between the reports of host agents: one of {INTERVALS:?}"),
    }])
}

/// Body of [`set`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SettingValue {
    /// The new value.
    #[serde(rename = "value")]
    _value: Value,
}

/// Sets a setting that is not known: every one that is has a path of its own.
#[utoipa::path(put, path = "/api/settings/{category}/{key}", operation_id = "setting_put", tag = "box", request_body = SettingValue,
    params(("category" = String, Path, description = "Category"), ("key" = String, Path, description = "Key")),
    responses((status = 200, body = Done), LoggedIn, Body, (status = 404, description = "`setting-unknown`")))]
pub(super) async fn set(
    _: Person,
    Path((category, key)): Path<(String, String)>,
    Json(_): Json<SettingValue>,
) -> Result<Answered<Done>, Refusal> {
    let shown: String = format!("{category}/{key}").chars().take(80).collect();
    Err(Refusal::new("setting-unknown", 404, "There is no such setting")
        .with(format!("{shown:?}; known is agents/report_interval")))
}

/// How often host agents are told to report.
#[utoipa::path(get, path = "/api/settings/agents/report_interval", operation_id = "report_interval", tag = "hosts", responses((status = 200, body = ReportInterval), LoggedIn))]
pub(super) async fn interval(State(app): State<Arc<App>>, _: Person) -> Answered<ReportInterval> {
    Answered(ReportInterval {
        value: app.report_interval(),
        choices: INTERVALS.to_vec(),
    })
}

/// Body of [`set_interval`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Interval {
    /// Seconds, as a number or, as Vigil sends it, as a text.
    #[schema(value_type = u64)]
    value: Seconds,
}

/// Seconds in either way.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// Chooses how often host agents report; each learns it with its next report.
#[utoipa::path(put, path = "/api/settings/agents/report_interval", operation_id = "report_interval_put", tag = "hosts", request_body = Interval,
    responses((status = 200, body = ReportInterval), LoggedIn, Body, Stored, (status = 422, description = "`bad-interval`")))]
pub(super) async fn set_interval(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Interval>,
) -> Result<Answered<ReportInterval>, Refusal> {
    let (seconds, shown) = match form.value {
        Seconds::Number(seconds) => (Some(seconds), seconds.to_string()),
        Seconds::Text(text) => (
            text.parse().ok(),
            format!("{:?}", text.chars().take(40).collect::<String>()),
        ),
    };
    let Some(seconds) = seconds.filter(|seconds| INTERVALS.contains(seconds)) else {
        let what = format!("value: {shown}; expected one of {INTERVALS:?} seconds");
        return Err(Refusal::new("bad-interval", 422, "Agents cannot be told this").with(what));
    };
    app.set_report_interval(seconds).await?;
    let message = format!("{} had host agents report every {seconds} s", person.name);
    app.record_done(
        NewEvent::new("host.interval", Severity::Info, message, json!({ "seconds": seconds })),
        &person.name,
    )
    .await;
    Ok(interval(State(app), person).await)
}

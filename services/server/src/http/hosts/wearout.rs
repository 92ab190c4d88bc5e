//! Wear of drives: how much of the rated life is used, since when, and when it will be.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::State;
use health::known::Spec;
use health::tables::Drive;
use health::wear;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use super::smart::{Asked, Of, of, trend_of};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::Json;
use crate::http::people::person::Person;
use crate::http::told::drive::{HostDriveWear, HostDrivesWear};
use crate::http::told::smart::{
    DELETED, Deleted, HostDriveWearHistory, HostDriveWearTrend, HostDrivesWearHistory, HostDrivesWearTrend, WearSpecs,
};
use crate::http::told::vigil::{DriveWearRow, DrivesWear};

/// Terabytes that a model may be rated for, at most.
const TBW_MAX: u64 = 1_000_000;

/// Longest model name.
const MODEL_MAX: usize = 80;

/// Wear of the drives asked for, also of those that tell none.
#[utoipa::path(get, path = "/api/wearout/drive", operation_id = "wearout_drive", tag = "smart", params(Of),
    responses((status = 200, body = HostDrivesWear), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn drive(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDrivesWear>, Refusal> {
    let specs = app.fleet.book.specs()?;
    let drives: Vec<HostDriveWear> = of(asked)?
        .drives(&app)?
        .iter()
        .map(|drive| HostDriveWear {
            who: drive.into(),
            wear: wear::view(&drive.reading, spec_of(&specs, drive)),
            power_on_hours: drive.reading.power_on_hours,
        })
        .collect();
    Ok(Answered(HostDrivesWear {
        count: drives.len(),
        drives,
    }))
}

/// The rating of a drive's model.
fn spec_of<'s>(specs: &'s [Spec], drive: &Drive) -> Option<&'s Spec> {
    specs.iter().find(|spec| spec.model == drive.reading.model)
}

/// Wear in one percentage of every drive that tells something of it, in the rows of existing dashboards: of flash the rated life
/// used, of platters what hours and counters weigh.
#[utoipa::path(get, path = "/api/wearout/all", operation_id = "wearout_all", tag = "smart", params(Of),
    responses((status = 200, body = DrivesWear), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn all(State(app): State<Arc<App>>, _: Person, asked: Asked) -> Result<Answered<DrivesWear>, Refusal> {
    let specs = app.fleet.book.specs()?;
    let mut drives = Vec::new();
    for drive in of(asked)?.drives(&app)? {
        if let Some(told) = wear::weighed(&drive.reading, spec_of(&specs, &drive)) {
            drives.push(DriveWearRow::of(drives.len() + 1, &drive, &told));
        }
    }
    Ok(Answered(DrivesWear {
        count: drives.len(),
        drives,
    }))
}

fn points(app: &App, drive: &Drive, of: &Of) -> Result<Vec<(i64, f64)>, Refusal> {
    let points = of.points(app, drive)?;
    Ok(points
        .into_iter()
        .filter_map(|(at, point)| Some((at, point.wear?)))
        .collect())
}

/// Percent of the rated life used, over time.
#[utoipa::path(get, path = "/api/wearout/history", operation_id = "wearout_history", tag = "smart", params(Of),
    responses((status = 200, body = HostDrivesWearHistory), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDrivesWearHistory>, Refusal> {
    let of = of(asked)?;
    let mut drives = Vec::new();
    for drive in of.drives(&app)? {
        drives.push(HostDriveWearHistory {
            who: (&drive).into(),
            history: points(&app, &drive, &of)?,
        });
    }
    Ok(Answered(HostDrivesWearHistory {
        count: drives.len(),
        drives,
    }))
}

/// Where the wear goes, and when 90 and 100 % are reached.
#[utoipa::path(get, path = "/api/wearout/trend", operation_id = "wearout_trend", tag = "smart", params(Of),
    responses((status = 200, body = HostDrivesWearTrend), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn trend(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<HostDrivesWearTrend>, Refusal> {
    let of = of(asked)?;
    let mut drives = Vec::new();
    for drive in of.drives(&app)? {
        let points = points(&app, &drive, &of)?;
        drives.push(HostDriveWearTrend {
            who: (&drive).into(),
            trend: trend_of(&drive, "wear", &points),
        });
    }
    Ok(Answered(HostDrivesWearTrend {
        count: drives.len(),
        drives,
    }))
}

/// Ratings by model: those that people told, and the built-in ones.
#[utoipa::path(get, path = "/api/wearout/specs", operation_id = "wearout_specs", tag = "smart", responses((status = 200, body = WearSpecs), LoggedIn, Stored))]
pub(super) async fn specs(State(app): State<Arc<App>>, _: Person) -> Result<Answered<WearSpecs>, Refusal> {
    let specs = app.fleet.book.specs()?;
    Ok(Answered(WearSpecs {
        count: specs.len(),
        specs,
    }))
}

/// Body of [`put_spec`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PutSpec {
    /// Model as smartctl gives it.
    #[serde(alias = "model_pattern")]
    model: String,
    /// Terabytes that may be written, 1 to 1,000,000.
    #[serde(alias = "tbw_tb", alias = "rated_tbw")]
    tbw: u64,
    /// Who says so.
    #[serde(default)]
    source: String,
}

/// Body of [`drop_spec`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct DropSpec {
    /// Model as smartctl gives it.
    model: String,
}

/// A model as it is kept; `None` for what cannot be one.
fn model(told: &str) -> Option<String> {
    let model = told.trim();
    let fits = !model.is_empty() && model.chars().count() <= MODEL_MAX && !model.chars().any(char::is_control);
    fits.then(|| model.to_owned())
}

/// Tells what a model is rated for.
#[utoipa::path(post, path = "/api/wearout/specs", operation_id = "wearout_spec_put", tag = "smart", request_body = PutSpec,
    responses((status = 200, body = Spec), LoggedIn, Body, Stored,
        (status = 409, description = "`full`"),
        (status = 422, description = "`bad-spec`: the detail names the field")))]
pub(super) async fn put_spec(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<PutSpec>,
) -> Result<Answered<Spec>, Refusal> {
    let bad = |what: String| Refusal::new("bad-spec", 422, "This is no rating").with(what);
    let model = model(&form.model).ok_or_else(|| {
        bad(format!(
            "model: expected 1 to {MODEL_MAX} characters, none of them a control"
        ))
    })?;
    if !(1..=TBW_MAX).contains(&form.tbw) {
        return Err(bad(format!("tbw: {}; expected 1 to {TBW_MAX} terabytes", form.tbw)));
    }
    let source = match form.source.trim() {
        "" => person.name.clone(),
        told => told.chars().filter(|c| !c.is_control()).take(200).collect(),
    };
    let spec = Spec {
        model,
        tbw: form.tbw,
        source,
    };
    app.fleet.book.put_spec(spec.clone()).await?;
    let message = format!("{} told the rating of {}: {} TB", person.name, spec.model, spec.tbw);
    app.record_done(
        NewEvent::new("host.spec", Severity::Info, message, json!(spec)),
        &person.name,
    )
    .await;
    Ok(Answered(spec))
}

/// Forgets a rating that a person told.
#[utoipa::path(delete, path = "/api/wearout/specs", operation_id = "wearout_spec_remove", tag = "smart", request_body = DropSpec,
    responses((status = 200, body = Deleted), LoggedIn, Body, Stored, (status = 404, description = "`spec-unknown`")))]
pub(super) async fn drop_spec(
    State(app): State<Arc<App>>,
    _: Person,
    Json(form): Json<DropSpec>,
) -> Result<Answered<Deleted>, Refusal> {
    let known = match model(&form.model) {
        Some(model) => app.fleet.book.drop_spec(model).await?,
        None => false,
    };
    match known {
        true => Ok(Answered(DELETED)),
        false => Err(Refusal::new(
            "spec-unknown",
            404,
            "No person told a rating of this model",
        )),
    }
}

//! What can be looked at: the box, drives, jobs, logs, playbooks, events.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use wire::boxes::BoxView;
use wire::drive::Drive;
use wire::frame::LogLine;
use wire::job::Job;
use wire::{Event, JobId};

use super::Refusal;
use super::person::Person;
use crate::app::{self, App};
use crate::hub::Sample;
use crate::tables::{JOB_LOG, JOB_LOG_MAX};

/// Most events in one answer.
const EVENTS_MAX: usize = 1000;

/// Events in an answer that was not asked for a number.
const EVENTS_DEFAULT: usize = 200;

/// `GET /api/v1/box`: without a login just enough to claim it or log in.
pub async fn whole_box(State(app): State<Arc<App>>, person: Option<Person>) -> Json<BoxView> {
    let now = app.clock.now();
    Json(app.hub(|hub| hub.view(now, person.is_some())))
}

/// `GET /api/v1/drives`.
pub async fn drives(State(app): State<Arc<App>>, _: Person) -> Json<Vec<Drive>> {
    Json(app.hub(|hub| hub.drives().to_vec()))
}

/// `GET /api/v1/jobs`: newest first.
pub async fn jobs(State(app): State<Arc<App>>, _: Person) -> Json<Vec<Job>> {
    Json(app.hub(|hub| hub.jobs().cloned().collect()))
}

/// The job's id in a path.
pub(super) fn job_id(text: &str) -> Result<JobId, Refusal> {
    text.parse().map_err(|_| no_job(text))
}

pub(super) fn no_job(text: &str) -> Refusal {
    let shown: String = text.chars().take(80).collect();
    Refusal::new("job-unknown", 404, "There is no such job").with(format!("job {shown:?}"))
}

/// `GET /api/v1/jobs/{id}`.
pub async fn job(State(app): State<Arc<App>>, _: Person, Path(id): Path<String>) -> Result<Json<Job>, Refusal> {
    app.job(job_id(&id)?)?.map(Json).ok_or_else(|| no_job(&id))
}

/// `GET /api/v1/jobs/{id}/log`: oldest line first.
pub async fn job_log(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Json<Vec<LogLine>>, Refusal> {
    let job = job_id(&id)?;
    app.job(job)?.ok_or_else(|| no_job(&id))?;
    let most = usize::try_from(JOB_LOG_MAX).unwrap_or(usize::MAX);
    let rows = app.store.read(|r| JOB_LOG.last_n_of(r, &job.to_string(), most))?;
    Ok(Json(rows.into_iter().map(|(_, line)| line).collect()))
}

/// `GET /api/v1/jobs/{id}/progress`: samples of this run of the server, oldest first.
pub async fn job_progress(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Json<Vec<Sample>>, Refusal> {
    let job = job_id(&id)?;
    app.job(job)?.ok_or_else(|| no_job(&id))?;
    Ok(Json(app.hub(|hub| hub.samples(job))))
}

/// `GET /api/v1/log`: the agent's lines about no job, oldest first.
pub async fn log(State(app): State<Arc<App>>, _: Person) -> Json<Vec<LogLine>> {
    Json(app.hub(crate::hub::Hub::lines))
}

/// A playbook as it is offered.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Playbook {
    name: &'static str,
    description: &'static str,
}

/// The playbooks of today. The agent refuses others by name; this list is what the page offers.
const PLAYBOOKS: [Playbook; 2] = [
    Playbook {
        name: "standard",
        description: "SMART before, capacity probe, write every sector, read back and verify, SMART after, verdict",
    },
    Playbook {
        name: "surface",
        description: "Write every sector, read back and verify; nothing else",
    },
];

/// `GET /api/v1/playbooks`.
pub async fn playbooks(_: Person) -> Json<[Playbook; 2]> {
    Json(PLAYBOOKS)
}

/// Query of [`events`].
#[derive(Debug, Deserialize)]
pub struct Window {
    after: Option<u64>,
    limit: Option<usize>,
}

/// `GET /api/v1/events?after=SEQ&limit=N`: ascending; without `after` the newest.
pub async fn events(
    State(app): State<Arc<App>>,
    _: Person,
    window: Result<Query<Window>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<Event>>, Refusal> {
    let Query(window) =
        window.map_err(|error| Refusal::new("bad-query", 400, "The query is not one").with(error.body_text()))?;
    let limit = window.limit.unwrap_or(EVENTS_DEFAULT).clamp(1, EVENTS_MAX);
    Ok(Json(app::events(&app.store, window.after, limit)?))
}

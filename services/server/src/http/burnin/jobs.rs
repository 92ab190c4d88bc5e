//! Jobs: what they are, what they logged, and what a person may do to one that runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use wire::JobId;
use wire::boxes::Told;
use wire::command::{Answer, Command};
use wire::event::{NewEvent, Severity};
use wire::frame::LogLine;
use wire::job::{Job, Outcome, TimePoint};

use super::answer::{odd_answer, told};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Agent, LoggedIn, OfJob, Stored};
use crate::http::people::person::Person;
use crate::http::task::blocking;
use crate::hub::{Input, Sample};
use crate::tables::{JOB_LOG, JOB_LOG_MAX};

/// Query of the list of jobs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// Jobs of this drive alone, all that are kept of it: its id, or its serial number.
    drive: Option<String>,
}

/// Jobs of one drive in an answer, beside an older failure that stands; a full one has some ten kilobytes.
const OF_DRIVE_MAX: usize = 200;

/// The jobs held in memory, the newest first: the newest 200, what runs, and of each drive that is here the newest and a failure
/// that none after it has disproved.
///
/// With `drive` those of that drive, older ones that are on the medium alone among them: the newest 200, and an older failure that
/// stands.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(Of), responses((status = 200, body = Vec<Job>), LoggedIn, Stored,
    (status = 400, description = "`bad-query`")))]
pub(super) async fn jobs(
    State(app): State<Arc<App>>,
    _: Person,
    of: Result<Query<Of>, QueryRejection>,
) -> Result<Json<Vec<Job>>, Refusal> {
    let Query(of) = of.map_err(|error| Refusal::bad_query(error.body_text()))?;
    let Some(drive) = of.drive.filter(|drive| !drive.is_empty()) else {
        return Ok(Json(app.hub(|hub| hub.jobs().cloned().collect())));
    };
    Ok(Json(blocking(move || app.jobs_of(&drive, OF_DRIVE_MAX)).await??))
}

/// The job's id in a path.
pub(in crate::http) fn job_id(text: &str) -> Result<JobId, Refusal> {
    text.parse().map_err(|_| no_job(text))
}

pub(super) fn no_job(text: &str) -> Refusal {
    let shown: String = text.chars().take(80).collect();
    Refusal::new("job-unknown", 404, "There is no such job").with(format!("job {shown:?}"))
}

/// The job that a path names.
pub(in crate::http) fn find(app: &App, id: &str) -> Result<Job, Refusal> {
    app.job(job_id(id)?)?.ok_or_else(|| no_job(id))
}

/// One job's whole state, with findings, surfaces, SMART delta, time line and verdict.
#[utoipa::path(get, path = "/jobs/{id}", operation_id = "job", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Job), LoggedIn, OfJob, Stored))]
pub(super) async fn job(State(app): State<Arc<App>>, _: Person, Path(id): Path<String>) -> Result<Json<Job>, Refusal> {
    find(&app, &id).map(Json)
}

/// A job's log, the oldest line first, 2000 at most.
#[utoipa::path(get, path = "/jobs/{id}/log", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Vec<LogLine>), LoggedIn, OfJob, Stored))]
pub(super) async fn job_log(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Json<Vec<LogLine>>, Refusal> {
    let job = find(&app, &id)?.id;
    let most = usize::try_from(JOB_LOG_MAX).unwrap_or(usize::MAX);
    let rows = app.store.read(|r| JOB_LOG.last_n_of(r, &job.to_string(), most))?;
    Ok(Json(rows.into_iter().map(|(_, line)| line).collect()))
}

/// Fine samples of a job's progress since this server was started, the oldest first, one a second at most.
#[utoipa::path(get, path = "/jobs/{id}/progress", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Vec<Sample>), LoggedIn, OfJob, Stored))]
pub(super) async fn job_progress(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Json<Vec<Sample>>, Refusal> {
    let job = find(&app, &id)?.id;
    Ok(Json(app.hub(|hub| hub.samples(job))))
}

/// A job's whole time line, kept over restarts: temperature, throughput and bad sectors, the oldest point first.
///
/// The evenly thinned points of the agent, and after the last of them the fine samples of this server.
#[utoipa::path(get, path = "/jobs/{id}/timeline", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Vec<TimePoint>), LoggedIn, OfJob, Stored))]
pub(super) async fn job_timeline(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Json<Vec<TimePoint>>, Refusal> {
    let mut job = find(&app, &id)?;
    let last = job.timeline.last().map(|point| point.at);
    let since = app.hub(|hub| hub.samples(job.id)).into_iter();
    job.timeline.extend(
        since
            .filter(|sample| last.is_none_or(|last| sample.at > last))
            .map(|sample| TimePoint {
                at: sample.at,
                step: sample.progress.step,
                temperature: sample.progress.temperature,
                rate: sample.progress.rate,
                bad_sectors: sample.bad_sectors,
            }),
    );
    Ok(Json(job.timeline))
}

fn running(app: &App, id: &str) -> Result<Job, Refusal> {
    let job = find(app, id)?;
    if job.state.is_over() {
        return Err(Refusal::new("job-over", 409, "This job is over").with("there is nothing to do to it any more"));
    }
    Ok(job)
}

/// Ends a job; its verdict is INCONCLUSIVE, or FAILED by what was found. What is erased stays erased.
#[utoipa::path(post, path = "/jobs/{id}/abort", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 204, description = "It is ended"), LoggedIn, OfJob, Agent))]
pub(super) async fn abort(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    // Who ended it stands in the agent's `job.aborted`, the one event of it.
    let job = running(&app, &id)?.id;
    let command = Command::Abort {
        job,
        actor: person.name.clone(),
    };
    match app.ask_agent(command).await {
        Ok(Answer::Aborted) => Ok(StatusCode::NO_CONTENT),
        Ok(Answer::Planned(_) | Answer::Started { .. } | Answer::Records { .. } | Answer::Done { .. }) => {
            Err(odd_answer())
        }
        // `job-over` says less: one that has just ended tells its end in a moment, one that failed is taken up again.
        Err(problem) if problem.kind == "job-unknown" => forgotten(&app, &person, running(&app, &id)?).await,
        Err(problem) => Err(problem.into()),
    }
}

/// Ends a job here that the agent does not know: it lost its store, or was reset. It would count as running for ever.
async fn forgotten(app: &App, person: &Person, job: Job) -> Result<StatusCode, Refusal> {
    app.feed(Input::JobGone(Box::new(job.clone()))).await;
    let ended = app.hub(|hub| {
        hub.job_of(job.id)
            .and_then(|job| job.verdict.as_ref().map(|verdict| verdict.outcome))
    });
    let message = format!(
        "{} ended the burn-in of {} {}, which the agent does not know any more: {}",
        person.name,
        job.model,
        job.serial,
        ended.unwrap_or(Outcome::Inconclusive).word()
    );
    let mut event = NewEvent::new("job.forgotten", Severity::Warning, message, Value::Null);
    (event.job, event.drive) = (Some(job.id), Some(job.drive));
    app.record_done(event, &person.name).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Holds a job at its next checkpoint until it is resumed.
#[utoipa::path(post, path = "/jobs/{id}/pause", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Told), LoggedIn, OfJob, Agent))]
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<Told>, Refusal> {
    // Who paused it stands in the agent's `job.paused`, as in `job.continued` who let it go on.
    let job = running(&app, &id)?.id;
    let command = Command::Pause {
        job,
        actor: person.name,
    };
    told(app.ask_agent(command).await?)
}

/// Lets a paused job go on.
#[utoipa::path(post, path = "/jobs/{id}/resume", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Told), LoggedIn, OfJob, Agent))]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<Told>, Refusal> {
    let job = running(&app, &id)?.id;
    let command = Command::Resume {
        job,
        actor: person.name,
    };
    told(app.ask_agent(command).await?)
}

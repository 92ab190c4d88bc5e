//! That a person has seen how a job ended: said once, and taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::json;
use wire::event::{Actor, NewEvent, Severity};
use wire::job::{Acknowledged, Job};

use super::jobs::find;
use crate::acknowledged::Entry;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, OfJob, Stored};
use crate::http::people::person::Person;
use crate::http::task::to_its_end;
use crate::hub::Input;
use crate::scribe::Keep;

fn finished(app: &App, id: &str) -> Result<Job, Refusal> {
    let job = find(app, id)?;
    if job.state.is_over() {
        return Ok(job);
    }
    Err(Refusal::new("job-under-way", 409, "This job is not over")
        .with("how it ends can be acknowledged when it has ended, not before"))
}

/// Says that a person has seen how this job ended, and decided ("keep it", "noted"): the bench asks nobody for it any more.
///
/// Verdict, certificate and evidence stay as they are. A second time changes nothing: who said it first stays. A later end of the
/// same job has to be seen for itself.
#[utoipa::path(post, path = "/jobs/{id}/ack", operation_id = "acknowledge_job", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Acknowledged), LoggedIn, OfJob, Stored,
        (status = 409, description = "`job-under-way`: the job is not over")))]
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<Acknowledged>, Refusal> {
    to_its_end(async move {
        let _turn = app.acknowledging.lock().await;
        let job = finished(&app, &id)?;
        if let Some(before) = job.acknowledged {
            return Ok(Json(before));
        }
        let (by, at) = (person.name.clone(), app.clock.now().wall);
        let now = Acknowledged { by, at };
        keep(&app, &person.name, job, Some(now.clone())).await?;
        Ok(Json(now))
    })
    .await
}

/// Takes back that somebody has seen how this job ended: the bench asks for it again. Of one that nobody has seen nothing changes.
#[utoipa::path(delete, path = "/jobs/{id}/ack", operation_id = "unacknowledge_job", tag = "jobs", params(("id" = String, Path, description = "Job")),
    responses((status = 204, description = "It counts as not seen"), LoggedIn, OfJob, Stored,
        (status = 409, description = "`job-under-way`: the job is not over")))]
pub(super) async fn unacknowledge(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    to_its_end(async move {
        let _turn = app.acknowledging.lock().await;
        let job = finished(&app, &id)?;
        if job.acknowledged.is_some() {
            keep(&app, &person.name, job, None).await?;
        }
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Keeps what is said from now on, together with its event, and tells everybody.
async fn keep(app: &App, person: &str, mut job: Job, now: Option<Acknowledged>) -> Result<(), Refusal> {
    let event = event(person, &job, now.is_some());
    let entry = now.clone().and_then(|now| Entry::new(&job, now));
    app.scribe
        .kept(vec![
            Keep::Acknowledged(job.id, entry),
            Keep::Event(event, Actor::new("person", person), app.clock.now().wall),
        ])
        .await?;
    job.acknowledged = now;
    app.feed(Input::Amended(Box::new(job))).await;
    Ok(())
}

fn event(person: &str, job: &Job, seen: bool) -> NewEvent {
    let outcome = job.verdict.as_ref().map(|verdict| verdict.outcome);
    let ended = outcome.map_or("without a verdict", |outcome| outcome.word());
    let (kind, did) = match seen {
        true => ("person.acknowledged_job", "has seen"),
        false => ("person.unacknowledged_job", "takes back having seen"),
    };
    let message = format!(
        "{person} {did} how the burn-in of {} {} ended: {ended}",
        job.model, job.serial
    );
    let mut event = NewEvent::new(kind, Severity::Info, message, json!({ "outcome": outcome }));
    (event.job, event.drive) = (Some(job.id), Some(job.drive.clone()));
    event
}

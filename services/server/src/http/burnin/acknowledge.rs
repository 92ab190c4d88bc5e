//! That a person has seen how a job ended: said once, and taken back.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::json;
use wire::event::{Actor, NewEvent, Severity};
use wire::job::{Acknowledged, Job, JobEnd, Outcome};

use super::jobs::find;
use crate::acknowledged::Entry;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, OfJob, Stored};
use crate::http::door::body::Json;
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

/// How a job ended, in a word.
fn word(outcome: Option<Outcome>) -> &'static str {
    outcome.map_or("without a verdict", Outcome::word)
}

/// Whoever looks at a page that heard nothing for a while has seen an end that the job has left behind.
fn another(job: &Job, seen: JobEnd) -> Refusal {
    let at = |end: JobEnd| match end.ended {
        Some(at) => format!("{} at {at}", word(end.outcome)),
        None => word(end.outcome).to_owned(),
    };
    let now = JobEnd::of(job).map_or_else(String::new, at);
    Refusal::new("job-ended-again", 409, "This job has come to another end").with(format!(
        "{} {} ended {now}; what was seen is {}. Look at how it ended now, then say that it is seen",
        job.model,
        job.serial,
        at(seen)
    ))
}

/// Says that a person has seen how this job ended, and decided ("keep it", "noted"): the bench asks nobody for it any more.
///
/// Verdict, certificate and evidence stay as they are. A second time changes nothing: who said it first stays. A later end of the
/// same job has to be seen for itself: the body says which was, with `ended` and the verdict's `outcome` as the job has them.
#[utoipa::path(post, path = "/jobs/{id}/ack", operation_id = "acknowledge_job", tag = "jobs", params(("id" = String, Path, description = "Job")),
    request_body = JobEnd,
    responses((status = 200, body = Acknowledged), LoggedIn, Body, OfJob, Stored,
        (status = 409, description = "`job-under-way`: the job is not over; `job-ended-again`: it has come to another end than the one that was seen")))]
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(seen): Json<JobEnd>,
) -> Result<Answered<Acknowledged>, Refusal> {
    to_its_end(async move {
        let _turn = app.acknowledging.lock().await;
        let job = finished(&app, &id)?;
        if JobEnd::of(&job) != Some(seen) {
            return Err(another(&job, seen));
        }
        if let Some(before) = job.acknowledged {
            return Ok(Answered(before));
        }
        let (by, at) = (person.name.clone(), app.clock.now().wall);
        let now = Acknowledged { by, at };
        keep(&app, &person.name, job, Some(now.clone())).await?;
        Ok(Answered(now))
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
    let ended = word(outcome);
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

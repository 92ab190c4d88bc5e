//! The gate over HTTP: plan, arm, start; and abort, which needs none.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::json;
use wire::boxes::{ArmRequest, PlanRequest, StartRequest, Started};
use wire::command::{Answer, Command};
use wire::event::{NewEvent, Severity};
use wire::gate::{Armed, PLAN_DRIVES_MAX, Plan};
use wire::{DriveId, PlanId, Problem};

use super::Refusal;
use super::body::Json;
use super::person::Person;
use super::view;
use crate::app::App;
use crate::hub::Hub;

fn plan_id(text: &str) -> Result<PlanId, Refusal> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        Refusal::new("plan-unknown", 404, "There is no such plan").with(format!("plan {shown:?}"))
    })
}

fn odd_answer() -> Refusal {
    Refusal::new("agent-odd", 502, "The burn-in agent answered something else")
        .with("server and agent are of different versions")
}

fn claimed(app: &App) -> Result<(), Refusal> {
    if app.hub(Hub::is_claimed) {
        return Ok(());
    }
    Err(Problem::new("not-claimed", 409, "Nothing can be erased before the box is claimed").into())
}

fn words(drives: &[DriveId]) -> String {
    drives.iter().map(DriveId::as_str).collect::<Vec<_>>().join(", ")
}

fn act(kind: &str, severity: Severity, message: String, data: serde_json::Value) -> NewEvent {
    NewEvent {
        kind: kind.to_owned(),
        severity,
        job: None,
        drive: None,
        message,
        data,
        origin: None,
    }
}

/// `POST /api/v1/plans`: what would be lost.
pub async fn plan(
    State(app): State<Arc<App>>,
    person: Person,
    Json(request): Json<PlanRequest>,
) -> Result<Answered<Plan>, Refusal> {
    claimed(&app)?;
    if request.drives.is_empty() || request.drives.len() > PLAN_DRIVES_MAX {
        return Err(
            Refusal::new("bad-plan", 422, "A plan names drives").with(format!("drives: 1 to {PLAN_DRIVES_MAX}"))
        );
    }
    let twice = request
        .drives
        .iter()
        .enumerate()
        .find(|(at, id)| request.drives[..*at].contains(id));
    if let Some((_, id)) = twice {
        return Err(
            Refusal::new("bad-plan", 422, "A plan names each drive once").with(format!("drives: {id} stands twice"))
        );
    }
    let command = Command::Plan {
        drives: request.drives,
        playbook: request.playbook,
        options: request.options,
    };
    match app.ask_agent(command).await? {
        Answer::Planned(plan) => {
            app.gate(|gate| gate.keep(app.clock.now(), plan.clone(), &person.name));
            Ok(Answered(plan))
        }
        Answer::Started { .. } | Answer::Aborted | Answer::Done { .. } => Err(odd_answer()),
    }
}

/// `POST /api/v1/plans/{id}/arm`: typed labels and the password against a signed ticket.
pub async fn arm(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<ArmRequest>,
) -> Result<Answered<Armed>, Refusal> {
    let id = plan_id(&id)?;
    claimed(&app)?;
    app.gate(|gate| gate.check(app.clock.now(), id, &person.name, &request.confirm))?;
    // Per person, not per address: who holds a stolen session must not guess the password from many places.
    let key = format!("arm:{}", person.name);
    let now = app.clock.now();
    app.logins(|limit| limit.allow(now.mono, &key)).map_err(Refusal::wait)?;
    app.logins(|limit| limit.failed(now.mono, &key));
    let hash = app.vault.user(&person.name).map(|(_, hash)| hash);
    if !app.hasher.verify(request.password, hash).await? {
        let message = format!("{} gave a wrong password at the gate; nothing was armed", person.name);
        app.record_act(
            act("gate.refused", Severity::Warning, message, json!({ "plan": id })),
            &person.name,
        )
        .await?;
        return Err(Refusal::new("password-wrong", 403, "The password is wrong").with("nothing was armed"));
    }
    app.logins(|limit| limit.succeeded(&key));
    let (armed, drives) = app.gate(|gate| {
        let armed = gate.arm(app.clock.now(), id, &person.name, &request.confirm)?;
        Ok::<_, Problem>((armed, request.confirm.keys().cloned().collect::<Vec<_>>()))
    })?;
    // On the medium before the ticket leaves: what can erase is never handed out unrecorded.
    let message = format!("{} armed the erasure of {}", person.name, words(&drives));
    app.record_act(
        act(
            "gate.armed",
            Severity::Warning,
            message,
            json!({ "plan": id, "drives": drives }),
        ),
        &person.name,
    )
    .await?;
    Ok(Answered(armed))
}

/// `POST /api/v1/plans/{id}/start`: the ticket goes to the agent, once.
pub async fn start(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(armed): Json<StartRequest>,
) -> Result<Answered<Started>, Refusal> {
    let id = plan_id(&id)?;
    claimed(&app)?;
    let plan = app.gate(|gate| gate.start(app.clock.now(), id, &person.name, &armed))?;
    // Not bound to this request: who closes the page in this moment has started it all the same.
    let task = tokio::spawn({
        let app = Arc::clone(&app);
        async move {
            let outcome = app.ask_agent(Command::Start(armed)).await;
            let drives: Vec<_> = plan.drives.iter().map(|drive| drive.id.clone()).collect();
            let event = match &outcome {
                Ok(_) => act(
                    "gate.started",
                    Severity::Info,
                    format!("{} started {} on {}", person.name, plan.playbook, words(&drives)),
                    json!({ "plan": id, "drives": drives }),
                ),
                Err(problem) => act(
                    "gate.refused",
                    Severity::Warning,
                    format!(
                        "The agent refused to start {} on {}: {problem}",
                        plan.playbook,
                        words(&drives)
                    ),
                    json!({ "plan": id, "drives": drives, "problem": problem }),
                ),
            };
            if let Err(error) = app.record_act(event, &person.name).await {
                tracing::error!(%error, "a start was not recorded");
            }
            outcome
        }
    });
    let outcome = task
        .await
        .map_err(|_| Refusal::new("internal", 500, "The start broke off"))?;
    match outcome? {
        Answer::Started { jobs } => Ok(Answered(Started { jobs })),
        Answer::Planned(_) | Answer::Aborted | Answer::Done { .. } => Err(odd_answer()),
    }
}

/// `POST /api/v1/jobs/{id}/abort`.
pub async fn abort(State(app): State<Arc<App>>, person: Person, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let job_id = view::job_id(&id)?;
    let job = app.job(job_id)?.ok_or_else(|| view::no_job(&id))?;
    if job.state.is_over() {
        return Err(Refusal::new("job-over", 409, "This job is over").with("there is nothing to end"));
    }
    match app
        .ask_agent(Command::Abort {
            job: job_id,
            actor: person.name.clone(),
        })
        .await?
    {
        Answer::Aborted => {}
        Answer::Planned(_) | Answer::Started { .. } | Answer::Done { .. } => return Err(odd_answer()),
    }
    let mut event = act(
        "gate.abort",
        Severity::Info,
        format!("{} ended the job on {} {}", person.name, job.model, job.serial),
        json!({}),
    );
    event.job = Some(job_id);
    event.drive = Some(job.drive);
    app.record_act(event, &person.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

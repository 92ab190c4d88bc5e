//! The gate over HTTP: plan, arm, start.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use serde_json::json;
use tokio::sync::oneshot;
use wire::boxes::{ArmRequest, PlanRequest, StartRequest, Started};
use wire::command::{Answer, Command};
use wire::event::{NewEvent, Severity};
use wire::gate::{Armed, Plan};
use wire::{PlanId, Problem};

use super::answer::{claimed, odd_answer};
use super::drives::{check_list, words};
use crate::app::App;
use crate::calls::is_unanswered;
use crate::gate::{Outcome, Start};
use crate::http::Refusal;
use crate::http::doc::{Agent, Body, LoggedIn, OfPlan, Stored, Tries};
use crate::http::door::body::Json;
use crate::http::life::may_start;
use crate::http::people::person::Person;

fn plan_id(text: &str) -> Result<PlanId, Refusal> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        Refusal::new("plan-unknown", 404, "There is no such plan").with(format!("plan {shown:?}"))
    })
}

/// What would be lost: opens a two-minute window in which it can be armed.
#[utoipa::path(post, path = "/plans", tag = "gate", request_body = PlanRequest,
    responses((status = 200, body = Plan), LoggedIn, Body, Agent))]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    person: Person,
    Json(request): Json<PlanRequest>,
) -> Result<Answered<Plan>, Refusal> {
    claimed(&app)?;
    check_list(&request.drives)?;
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
        Answer::Started { .. } | Answer::Aborted | Answer::Records { .. } | Answer::Done { .. } => Err(odd_answer()),
    }
}

/// The last four of each serial and the password against a signed ticket, good for one start.
#[utoipa::path(post, path = "/plans/{id}/arm", tag = "gate", params(("id" = String, Path, description = "Plan")), request_body = ArmRequest,
    responses((status = 200, body = Armed), LoggedIn, Body, OfPlan, Tries, Stored,
        (status = 403, description = "`password-wrong`: nothing was armed"),
        (status = 409, description = "`not-claimed`: nobody owns the box; `ticket-used`: it was started; `restoring`: a backup is just being put back"),
        (status = 422, description = "`label-wrong`: what was typed does not name the drive that the detail names")))]
pub(super) async fn arm(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<ArmRequest>,
) -> Result<Answered<Armed>, Refusal> {
    let id = plan_id(&id)?;
    claimed(&app)?;
    let _until_recorded = may_start(&app)?;
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
            NewEvent::new("gate.refused", Severity::Warning, message, json!({ "plan": id })),
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
    let message = format!("{} armed the erasure of {}", person.name, words(&app, &drives));
    app.record_act(
        NewEvent::new(
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

/// Starts what was armed: the ticket goes to the agent, once. Who sends the same ticket again, because the answer was lost, gets
/// the answer of that one start.
#[utoipa::path(post, path = "/plans/{id}/start", tag = "gate", params(("id" = String, Path, description = "Plan")), request_body = StartRequest,
    responses((status = 200, body = Started), LoggedIn, Body, OfPlan, Agent,
        (status = 403, description = "`ticket-wrong`: it is not this plan's; `ticket-forged`: its signature is not this box's"),
        (status = 409, description = "`not-armed`: the plan has to be armed first; `ticket-used`: it was started already, and with another ticket or with what came of it not known yet: look at the bench; `restoring`: a backup is just being put back; or refused by the agent as things are: `drive-refused`, `drive-busy`, `drive-changed`, `plan-changed` and the like")))]
pub(super) async fn start(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<StartRequest>,
) -> Result<Answered<Started>, Refusal> {
    let id = plan_id(&id)?;
    claimed(&app)?;
    let until_recorded = may_start(&app)?;
    let armed = Armed::from(request);
    let plan = match app.gate(|gate| gate.start(app.clock.now(), id, &person.name, &armed))? {
        Start::Now(plan) => plan,
        Start::Before(jobs) => return Ok(Answered(Started { jobs })),
    };
    let (tell, told) = oneshot::channel();
    // Not bound to this request: who closes the page in this moment has started it all the same.
    tokio::spawn(async move {
        let mut asked = app.call_agent(Command::Start(armed)).await;
        let outcome = match &mut asked {
            Ok(asked) => started(asked.answer().await),
            Err(problem) => Err(problem.clone()),
        };
        ended(&app, &plan, &person.name, &outcome).await;
        drop(until_recorded);
        let is_late = outcome.as_ref().is_err_and(|problem| problem.kind == "agent-late");
        // Who asked may be gone.
        let _gone = tell.send(outcome);
        if let (true, Ok(asked)) = (is_late, asked)
            && let Some(outcome) = asked.late().await
        {
            ended(&app, &plan, &person.name, &started(outcome)).await;
        }
    });
    let broke_off = |_| {
        Refusal::new("internal", 500, "The start broke off")
            .with("it is not known whether it was started; look at the bench before trying again")
    };
    let jobs = told.await.map_err(broke_off)??;
    Ok(Answered(Started { jobs }))
}

/// The jobs of an answer to a start.
fn started(outcome: Result<Answer, Problem>) -> Outcome {
    match outcome? {
        Answer::Started { jobs } => Ok(jobs),
        Answer::Planned(_) | Answer::Aborted | Answer::Records { .. } | Answer::Done { .. } => {
            Err(odd_answer().into_problem())
        }
    }
}

/// Keeps for the gate and records what came of a start. Only what the agent itself said, or what never left for it, is told as
/// refused.
async fn ended(app: &App, plan: &Plan, actor: &str, outcome: &Outcome) {
    if !outcome.as_ref().is_err_and(is_unanswered) {
        app.gate(|gate| gate.came_to(plan.id, outcome.clone()));
    }
    let drives: Vec<_> = plan.drives.iter().map(|drive| drive.id.clone()).collect();
    let (book, on) = (&plan.playbook, words(app, &drives));
    let event = match outcome {
        Ok(_) => NewEvent::new(
            "gate.started",
            Severity::Info,
            format!("{actor} started {book} on {on}"),
            json!({ "plan": plan.id, "drives": drives }),
        ),
        Err(problem) if is_unanswered(problem) => NewEvent::new(
            "gate.unanswered",
            Severity::Warning,
            format!("{actor} asked the agent to start {book} on {on}: {problem}"),
            json!({ "plan": plan.id, "drives": drives, "problem": problem }),
        ),
        Err(problem) => NewEvent::new(
            "gate.refused",
            Severity::Warning,
            format!("The agent refused to start {book} on {on}: {problem}"),
            json!({ "plan": plan.id, "drives": drives, "problem": problem }),
        ),
    };
    app.record_done(event, actor).await;
}

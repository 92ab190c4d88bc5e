//! Drives: the list, making one findable, naming its bay, and playbooks that only read.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use serde_json::json;
use wire::DriveId;
use wire::boxes::{BAY_NAME_MAX, BayRequest, LocateRequest, ScanRequest, Started, Told};
use wire::command::{Answer, Command};
use wire::drive::Drive;
use wire::event::{NewEvent, Severity};
use wire::gate::PLAN_DRIVES_MAX;
use wire::shown::is_hidden;

use super::answer::{claimed, odd_answer, told};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Agent, Body, LoggedIn};
use crate::http::door::body::Json;
use crate::http::people::person::Person;

/// The drives that the box knows, with what is on them and why one is not offered.
#[utoipa::path(get, path = "/drives", tag = "drives", responses((status = 200, body = Vec<Drive>), LoggedIn))]
pub(super) async fn drives(State(app): State<Arc<App>>, _: Person) -> Answered<Vec<Drive>> {
    Answered(app.hub(|hub| hub.drives().to_vec()))
}

/// Drives as people know them, "model serial (capacity)"; one that is not known any more by its identity.
pub(in crate::http) fn words(app: &App, drives: &[DriveId]) -> String {
    let name = |known: &[Drive], id: &DriveId| match known.iter().find(|drive| drive.id.as_ref() == Some(id)) {
        Some(drive) => {
            let label = [drive.model.trim(), drive.serial.trim()].join(" ");
            format!("{} ({})", label.trim(), drive.capacity)
        }
        None => id.to_string(),
    };
    let names: Vec<String> = app.hub(|hub| drives.iter().map(|id| name(hub.drives(), id)).collect());
    names.join(", ")
}

/// Between one and as many drives as a plan may have, each once.
pub(super) fn check_list(drives: &[DriveId]) -> Result<(), Refusal> {
    if drives.is_empty() || drives.len() > PLAN_DRIVES_MAX {
        return Err(Refusal::new("bad-plan", 422, "This names no drives, or too many")
            .with(format!("drives: 1 to {PLAN_DRIVES_MAX}")));
    }
    match drives.iter().enumerate().find(|(at, id)| drives[..*at].contains(id)) {
        Some((_, id)) => {
            Err(Refusal::new("bad-plan", 422, "Each drive is named once").with(format!("drives: {id} stands twice")))
        }
        None => Ok(()),
    }
}

/// The drive of this identity, where the box knows one.
fn known(app: &App, id: &str) -> Result<DriveId, Refusal> {
    let shown: String = id.chars().take(80).collect();
    let unknown =
        || Refusal::new("drive-unknown", 404, "No drive here has this identity").with(format!("drive {shown:?}"));
    let drive = DriveId::parse(id).map_err(|_| unknown())?;
    match app.hub(|hub| hub.drives().iter().any(|known| known.id.as_ref() == Some(&drive))) {
        true => Ok(drive),
        false => Err(unknown()),
    }
}

/// Makes a drive findable: its enclosure's light, else a rhythm of reads; ends by itself after five minutes.
#[utoipa::path(post, path = "/drives/{id}/locate", tag = "drives", params(("id" = String, Path, description = "Drive")),
    request_body = LocateRequest,
    responses((status = 200, body = Told), LoggedIn, Body, Agent, (status = 404, description = "`drive-unknown`: no drive here has this identity")))]
pub(super) async fn locate(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<LocateRequest>,
) -> Result<Answered<Told>, Refusal> {
    claimed(&app)?;
    let drive = known(&app, &id)?;
    let command = Command::Locate {
        drive: drive.clone(),
        on: request.on,
        actor: person.name.clone(),
    };
    let answer = told(app.ask_agent(command).await?)?;
    let word = if request.on { "looks for" } else { "no longer looks for" };
    let name = words(&app, std::slice::from_ref(&drive));
    let message = format!("{} {word} {name}: {}", person.name, answer.told);
    let mut event = NewEvent::new("person.located", Severity::Info, message, json!({ "on": request.on }));
    event.drive = Some(drive);
    app.record_done(event, &person.name).await;
    Ok(answer)
}

/// Names the bay where a drive sits, or sat last; the name stays with the bay when the drive is exchanged.
#[utoipa::path(put, path = "/drives/{id}/bay", tag = "drives", params(("id" = String, Path, description = "Drive")),
    request_body = BayRequest,
    responses((status = 200, body = Told), LoggedIn, Body, Agent, (status = 404, description = "`drive-unknown`: no drive here has this identity"),
        (status = 409, description = "`bay-unknown`: nobody knows where the drive sits"),
        (status = 422, description = "`bad-bay`: the name is too long, or more than a line")))]
pub(super) async fn name_bay(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(request): Json<BayRequest>,
) -> Result<Answered<Told>, Refusal> {
    claimed(&app)?;
    let drive = known(&app, &id)?;
    let bay = request.bay.trim().to_owned();
    if bay.chars().count() > BAY_NAME_MAX || bay.contains(is_hidden) {
        return Err(Refusal::new("bad-bay", 422, "This is no name of a bay").with(format!(
            "expected one line of at most {BAY_NAME_MAX} printable characters"
        )));
    }
    let command = Command::NameBay {
        drive: drive.clone(),
        bay: bay.clone(),
        actor: person.name.clone(),
    };
    let answer = told(app.ask_agent(command).await?)?;
    let name = words(&app, std::slice::from_ref(&drive));
    let message = match bay.as_str() {
        "" => format!("{} took the name of the bay of {name} away", person.name),
        bay => format!("{} named the bay of {name} {bay}", person.name),
    };
    let mut event = NewEvent::new("person.bay_named", Severity::Info, message, json!({ "bay": bay }));
    event.drive = Some(drive);
    app.record_done(event, &person.name).await;
    Ok(answer)
}

/// Runs a playbook that only reads. It needs no gate: the agent opens the drives for reading alone, and refuses every
/// playbook that erases.
#[utoipa::path(post, path = "/scans", tag = "drives", request_body = ScanRequest,
    responses((status = 200, body = Started), LoggedIn, Body, Agent))]
pub(super) async fn scan(
    State(app): State<Arc<App>>,
    person: Person,
    Json(request): Json<ScanRequest>,
) -> Result<Answered<Started>, Refusal> {
    claimed(&app)?;
    check_list(&request.drives)?;
    let playbook = request.playbook.clone();
    let drives = request.drives.clone();
    let command = Command::Scan {
        drives: request.drives,
        playbook: request.playbook,
        actor: person.name.clone(),
    };
    let Answer::Started { jobs } = app.ask_agent(command).await? else {
        return Err(odd_answer());
    };
    let message = format!(
        "{} started {playbook}, which only reads, on {}",
        person.name,
        words(&app, &drives)
    );
    let event = NewEvent::new(
        "person.scanned",
        Severity::Info,
        message,
        json!({ "drives": drives, "jobs": jobs }),
    );
    app.record_done(event, &person.name).await;
    Ok(Answered(Started { jobs }))
}

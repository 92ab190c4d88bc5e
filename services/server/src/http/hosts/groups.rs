//! Groups of drives, on the paths and with the bodies of Vigil's dashboard.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use wire::Time;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::groups::{self, Group, Member};
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::Json;
use crate::http::notifications::{Done, done};
use crate::http::people::person::Person;

/// A group in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriveGroup)]
pub(super) struct View {
    id: u64,
    name: String,
    /// `#rrggbb`.
    color: String,
    member_count: usize,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// A group with its drives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriveGroupWithMembers)]
pub(super) struct Whole {
    group: View,
    members: Vec<Member>,
}

fn view(group: &Group) -> View {
    View {
        id: group.id,
        name: group.name.clone(),
        color: group.color.clone(),
        member_count: group.members.len(),
        created_at: group.created_at,
    }
}

fn number(id: &str) -> Result<u64, Refusal> {
    let shown: String = id.chars().take(40).collect();
    id.parse().map_err(|_| {
        Refusal::new("group-unknown", 404, "There is no such group").with(format!("{shown:?}: expected a number"))
    })
}

/// The rules of alert channels for these groups follow their names and drives.
async fn follow(app: &App, changed: &[Group]) -> Result<(), Refusal> {
    let place = |known: &notify::service::Group| changed.iter().find(|changed| changed.id == known.id);
    of_channels(app, |groups| {
        for group in groups {
            if let Some(changed) = place(group) {
                group.name.clone_from(&changed.name);
                group.drives = changed
                    .members
                    .iter()
                    .map(|member| member.serial_number.clone())
                    .collect();
            }
        }
    })
    .await
}

/// Changes the groups of every alert channel that has rules for any.
async fn of_channels(app: &App, change: impl Fn(&mut Vec<notify::service::Group>)) -> Result<(), Refusal> {
    let now = app.clock.now().wall;
    for service in app.alerts.engine.services() {
        if !service.groups.is_empty() {
            let changed = |service: &mut notify::Service| {
                change(&mut service.groups);
                Ok::<_, Refusal>(())
            };
            app.alerts.engine.update(service.id, now, changed).await?;
        }
    }
    Ok(())
}

async fn told(app: &App, person: &Person, what: &str, id: u64) {
    let message = format!("{} {what}", person.name);
    let event = NewEvent::new(
        "person.changed_drive_group",
        Severity::Info,
        message,
        json!({ "group_id": id }),
    );
    app.record_done(event, &person.name).await;
}

/// The groups, each with the number of its drives.
#[utoipa::path(get, path = "/api/drive-groups", operation_id = "drive_groups", tag = "drives", responses((status = 200, body = Vec<View>), LoggedIn, Stored))]
pub(super) async fn list(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Vec<View>>, Refusal> {
    Ok(Answered(groups::all(&app.store)?.iter().map(view).collect()))
}

/// Body of [`make`] and [`change`].
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DriveGroupRequest)]
pub(super) struct Wanted {
    name: String,
    /// `#rrggbb`.
    #[serde(default)]
    color: String,
}

/// Makes a group.
#[utoipa::path(post, path = "/api/drive-groups", operation_id = "drive_group_make", tag = "drives", request_body = Wanted,
    responses((status = 201, body = View), LoggedIn, Body, Stored, (status = 400, description = "`bad-json`, `bad-body`, `bad-field`"),
        (status = 409, description = "`group-taken`: there is one of this name; `too-many`")))]
pub(super) async fn make(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Wanted>,
) -> Result<(StatusCode, Answered<View>), Refusal> {
    let group = groups::put(&app.store, None, form.name, &form.color, app.clock.now().wall).await?;
    told(
        &app,
        &person,
        &format!("made the group of drives {}", group.name),
        group.id,
    )
    .await;
    Ok((StatusCode::CREATED, Answered(view(&group))))
}

/// One group with its drives.
#[utoipa::path(get, path = "/api/drive-groups/{id}", operation_id = "drive_group", tag = "drives", params(("id" = String, Path, description = "Group")),
    responses((status = 200, body = Whole), LoggedIn, Stored, (status = 404, description = "`group-unknown`")))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Answered<Whole>, Refusal> {
    let group = groups::one(&app.store, number(&id)?)?;
    Ok(Answered(Whole {
        group: view(&group),
        members: group.members,
    }))
}

/// Changes name and colour of a group.
#[utoipa::path(put, path = "/api/drive-groups/{id}", operation_id = "drive_group_change", tag = "drives", params(("id" = String, Path, description = "Group")), request_body = Wanted,
    responses((status = 200, body = Done), LoggedIn, Body, Stored, (status = 400, description = "`bad-json`, `bad-body`, `bad-field`"),
        (status = 404, description = "`group-unknown`"), (status = 409, description = "`group-taken`")))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(form): Json<Wanted>,
) -> Result<Answered<Done>, Refusal> {
    let group = groups::put(
        &app.store,
        Some(number(&id)?),
        form.name,
        &form.color,
        app.clock.now().wall,
    )
    .await?;
    follow(&app, std::slice::from_ref(&group)).await?;
    told(
        &app,
        &person,
        &format!("changed the group of drives {}", group.name),
        group.id,
    )
    .await;
    Ok(done("updated"))
}

/// Takes a group away; rules of alert channels for it go with it.
#[utoipa::path(delete, path = "/api/drive-groups/{id}", operation_id = "drive_group_remove", tag = "drives", params(("id" = String, Path, description = "Group")),
    responses((status = 200, body = Done), LoggedIn, Stored, (status = 404, description = "`group-unknown`")))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<Done>, Refusal> {
    let group = groups::one(&app.store, number(&id)?)?;
    groups::remove(&app.store, group.id).await?;
    of_channels(&app, |groups| groups.retain(|known| known.id != group.id)).await?;
    told(
        &app,
        &person,
        &format!("took the group of drives {} away", group.name),
        group.id,
    )
    .await;
    Ok(done("deleted"))
}

/// Body of [`assign`].
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DriveGroupAssignment)]
pub(super) struct Drive {
    hostname: String,
    serial_number: String,
}

/// Puts a drive into a group, out of the one that it was in.
#[utoipa::path(post, path = "/api/drive-groups/{id}/members", operation_id = "drive_group_assign", tag = "drives", params(("id" = String, Path, description = "Group")), request_body = Drive,
    responses((status = 200, body = Done), LoggedIn, Body, Stored, (status = 400, description = "`bad-json`, `bad-body`, `bad-field`"),
        (status = 404, description = "`group-unknown`"), (status = 409, description = "`too-many`")))]
pub(super) async fn assign(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(form): Json<Drive>,
) -> Result<Answered<Done>, Refusal> {
    let id = number(&id)?;
    let what = format!("put {} of {} into a group of drives", form.serial_number, form.hostname);
    let changed = groups::assign(&app.store, id, form.hostname, form.serial_number).await?;
    follow(&app, &changed).await?;
    told(&app, &person, &what, id).await;
    Ok(done("assigned"))
}

/// Takes a drive out of its group.
#[utoipa::path(delete, path = "/api/drive-groups/members/{hostname}/{serial}", operation_id = "drive_group_unassign", tag = "drives",
    params(("hostname" = String, Path, description = "Host name"), ("serial" = String, Path, description = "Serial of the drive")),
    responses((status = 200, body = Done), LoggedIn, Stored))]
pub(super) async fn unassign(
    State(app): State<Arc<App>>,
    person: Person,
    Path((hostname, serial)): Path<(String, String)>,
) -> Result<Answered<Done>, Refusal> {
    let what = format!("took {serial} of {hostname} out of its group of drives");
    let changed = groups::unassign(&app.store, hostname, serial).await?;
    follow(&app, &changed).await?;
    if let Some(group) = changed.first() {
        told(&app, &person, &what, group.id).await;
    }
    Ok(done("unassigned"))
}

/// The group of each drive that is in one: by `hostname:serial`.
#[utoipa::path(get, path = "/api/drive-groups/assignments", operation_id = "drive_group_assignments", tag = "drives", responses((status = 200, body = BTreeMap<String, u64>), LoggedIn, Stored))]
pub(super) async fn assignments(
    State(app): State<Arc<App>>,
    _: Person,
) -> Result<Answered<BTreeMap<String, u64>>, Refusal> {
    let groups = groups::all(&app.store)?;
    let members = groups.iter().flat_map(|group| &group.members);
    Ok(Answered(
        members
            .map(|member| (format!("{}:{}", member.hostname, member.serial_number), member.group_id))
            .collect(),
    ))
}

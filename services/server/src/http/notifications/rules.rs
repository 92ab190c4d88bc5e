//! What a channel is told of: rules, quiet hours, digest, and the rules of groups of drives.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use notify::Service;
use notify::rule::{Digest, QuietHours, Rule};
use notify::service::{GROUPS_MAX, Group};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Done, done, find, keep};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, OfChannel, Stored};
use crate::http::door::body::Json;
use crate::http::people::person::Person;

/// Sets all rules of a channel; the first that matches decides.
#[utoipa::path(put, path = "/api/notifications/services/{id}/rules", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = Vec<Rule>, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn rules(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(rules): Json<Vec<Rule>>,
) -> Result<Answered<Done>, Refusal> {
    let change = |service: &mut Service| {
        service.rules = rules;
        Ok(())
    };
    keep(&app, &person, &id, change).await
}

/// Sets the quiet hours of a channel; what comes in them is told at their end, criticals at once.
#[utoipa::path(put, path = "/api/notifications/services/{id}/quiet-hours", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = QuietHours, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn quiet_hours(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(quiet): Json<QuietHours>,
) -> Result<Answered<Done>, Refusal> {
    let change = |service: &mut Service| {
        service.quiet_hours = Some(quiet);
        Ok(())
    };
    keep(&app, &person, &id, change).await
}

/// Sets the digest of a channel.
#[utoipa::path(put, path = "/api/notifications/services/{id}/digest", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    request_body = Digest, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn digest(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(digest): Json<Digest>,
) -> Result<Answered<Done>, Refusal> {
    let change = |service: &mut Service| {
        service.digest = Some(digest);
        Ok(())
    };
    keep(&app, &person, &id, change).await
}

/// Rules of the groups of drives, by the group's number.
#[utoipa::path(get, path = "/api/notifications/services/{id}/group-rules", tag = "alerts", params(("id" = u64, Path, description = "Channel")),
    responses((status = 200, body = BTreeMap<String, Vec<Rule>>), LoggedIn, OfChannel))]
pub(super) async fn group_rules(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Answered<BTreeMap<String, Vec<Rule>>>, Refusal> {
    let groups = find(&app, &id)?.groups;
    Ok(Answered(
        groups
            .into_iter()
            .map(|group| (group.id.to_string(), group.rules))
            .collect(),
    ))
}

fn group_id(text: &str) -> Result<u64, Refusal> {
    let words = text.chars().take(40).collect::<String>();
    text.parse().map_err(|_| {
        Refusal::new("group-unknown", 404, "There is no such group").with(format!("{words:?}: expected a number"))
    })
}

/// Rules of a group, alone or with its name and drives.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum GroupRequest {
    /// The rules; name and drives stay.
    Rules(Vec<Rule>),
    /// All of it.
    Group {
        /// In words.
        #[serde(default)]
        name: String,
        /// Ids or serials of its drives.
        drives: Vec<String>,
        /// The rules.
        rules: Vec<Rule>,
    },
}

/// Sets the rules of one group of drives; they are looked at before the channel's own.
#[utoipa::path(put, path = "/api/notifications/services/{id}/group-rules/{group}", tag = "alerts",
    params(("id" = u64, Path, description = "Channel"), ("group" = u64, Path, description = "Group of drives")),
    request_body = GroupRequest, responses((status = 200, body = Done), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn set_group_rules(
    State(app): State<Arc<App>>,
    person: Person,
    Path((id, group)): Path<(String, String)>,
    Json(request): Json<GroupRequest>,
) -> Result<Answered<Done>, Refusal> {
    let group = group_id(&group)?;
    let change = |service: &mut Service| {
        let known = service.groups.iter().position(|known| known.id == group);
        if known.is_none() && service.groups.len() >= GROUPS_MAX {
            return Err(
                Refusal::new("too-many", 409, "There are too many groups").with(format!("at most {GROUPS_MAX}"))
            );
        }
        let place = known.unwrap_or_else(|| {
            let known = crate::groups::one(&app.store, group).ok();
            service.groups.push(Group {
                id: group,
                name: known.as_ref().map_or_else(String::new, |known| known.name.clone()),
                drives: known.map_or_else(Vec::new, |known| {
                    known.members.into_iter().map(|member| member.serial_number).collect()
                }),
                ..Group::default()
            });
            service.groups.len() - 1
        });
        let place = &mut service.groups[place];
        match request {
            GroupRequest::Rules(rules) => place.rules = rules,
            GroupRequest::Group { name, drives, rules } => {
                *place = Group {
                    id: group,
                    name,
                    drives,
                    rules,
                };
            }
        }
        Ok(())
    };
    keep(&app, &person, &id, change).await
}

/// Removes the rules of one group of drives.
#[utoipa::path(delete, path = "/api/notifications/services/{id}/group-rules/{group}", tag = "alerts",
    params(("id" = u64, Path, description = "Channel"), ("group" = u64, Path, description = "Group of drives")),
    responses((status = 200, body = Done), LoggedIn, OfChannel, Stored))]
pub(super) async fn drop_group_rules(
    State(app): State<Arc<App>>,
    person: Person,
    Path((id, group)): Path<(String, String)>,
) -> Result<Answered<Done>, Refusal> {
    let group = group_id(&group)?;
    let change = |service: &mut Service| {
        let before = service.groups.len();
        service.groups.retain(|known| known.id != group);
        if service.groups.len() == before {
            return Err(Refusal::new("group-unknown", 404, "There is no such group").with(format!("id: {group}")));
        }
        Ok(())
    };
    keep(&app, &person, &id, change).await.map(|_| done("deleted"))
}

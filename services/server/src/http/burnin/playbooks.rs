//! Playbooks: those that the agent knows, and a person's own.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;
use wire::boxes::{PlaybookText, Told};
use wire::command::Command;
use wire::event::{NewEvent, Severity};
use wire::playbook::{self, PlaybookInfo};

use super::answer::{claimed, told};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Agent, Body, LoggedIn};
use crate::http::door::body::Json;
use crate::http::people::person::Person;

/// Longest text of a playbook in bytes: many times the longest that makes sense, and small beside a frame.
const TEXT_MAX: usize = 65_536;

/// The playbooks, as the agent told them last; one that cannot be used says why.
#[utoipa::path(get, path = "/playbooks", tag = "playbooks", responses((status = 200, body = Vec<PlaybookInfo>), LoggedIn))]
pub(super) async fn playbooks(State(app): State<Arc<App>>, _: Person) -> Answered<Vec<PlaybookInfo>> {
    Answered(app.hub(|hub| hub.playbooks().to_vec()))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    playbook::check_name(name).map_err(|expected| {
        let title = "This cannot be a playbook's name";
        Refusal::new("bad-name", 422, title).with(format!("name: {:?}; {expected}", shown(name)))
    })
}

/// A name as it is told to whoever sent it.
fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

/// What a playbook's text says of itself, as far as it is looked at here.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The `name` that a playbook's text gives itself, by the parser that the agent has; `None` where there is none, which it refuses.
fn named(text: &str) -> Option<String> {
    toml::from_str::<Named>(text).ok().map(|named| named.name)
}

/// Keeps a person's playbook, replacing one of that name; the agent checks it and names line and field of an error.
#[utoipa::path(put, path = "/playbooks/{name}", tag = "playbooks", params(("name" = String, Path, description = "Playbook")),
    request_body = PlaybookText, responses((status = 200, body = Told), LoggedIn, Body, Agent))]
pub(super) async fn save(
    State(app): State<Arc<App>>,
    person: Person,
    Path(name): Path<String>,
    Json(request): Json<PlaybookText>,
) -> Result<Answered<Told>, Refusal> {
    claimed(&app)?;
    check_name(&name)?;
    if request.text.len() > TEXT_MAX {
        return Err(Refusal::new("too-long", 413, "The playbook is too long").with(format!(
            "text: {} bytes; at most {TEXT_MAX} are taken",
            request.text.len()
        )));
    }
    if let Some(inside) = named(&request.text).filter(|inside| *inside != name) {
        return Err(
            Refusal::new("bad-name", 422, "The playbook calls itself something else")
                .with(format!("name: {inside:?} in the text, {name:?} in the path")),
        );
    }
    let command = Command::SavePlaybook {
        text: request.text,
        actor: person.name.clone(),
    };
    let answer = told(app.ask_agent(command).await?)?;
    let message = format!("{} saved playbook {name}", person.name);
    let event = NewEvent::new(
        "person.saved_playbook",
        Severity::Info,
        message,
        json!({ "playbook": name }),
    );
    app.record_done(event, &person.name).await;
    Ok(answer)
}

/// Forgets a person's playbook; a built-in one is refused.
#[utoipa::path(delete, path = "/playbooks/{name}", tag = "playbooks", params(("name" = String, Path, description = "Playbook")),
    responses((status = 200, body = Told), LoggedIn, Agent, (status = 404, description = "`playbook-unknown`: there is none of that name")))]
pub(super) async fn forget(
    State(app): State<Arc<App>>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Answered<Told>, Refusal> {
    claimed(&app)?;
    let known = app.hub(|hub| hub.playbooks().iter().find(|one| one.name == name).map(|one| one.own));
    match known {
        Some(true) => {}
        Some(false) => {
            return Err(
                Refusal::new("playbook-built-in", 409, "This playbook is part of the box")
                    .with(format!("{name:?} cannot be taken away")),
            );
        }
        None => {
            return Err(
                Refusal::new("playbook-unknown", 404, "There is no such playbook").with(format!("{:?}", shown(&name)))
            );
        }
    }
    let command = Command::ForgetPlaybook {
        playbook: name.clone(),
        actor: person.name.clone(),
    };
    let answer = told(app.ask_agent(command).await?)?;
    let message = format!("{} took away playbook {name}", person.name);
    let event = NewEvent::new(
        "person.forgot_playbook",
        Severity::Info,
        message,
        json!({ "playbook": name }),
    );
    app.record_done(event, &person.name).await;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_inside_is_read_however_its_key_is_spelt() {
        for (text, name) in [
            ("# x\n name = \"mine\" # y\n", Some("mine")),
            ("about = \"name = x\"\nname='a'\n", Some("a")),
            ("\"name\" = \"other\"\n", Some("other")),
            ("'name' = \"other\"\n[[step]]\nphase = \"write\"\n", Some("other")),
            ("about = '''\nname = \"a\"\n'''\nname = \"other\"\n", Some("other")),
            ("\"na\\u006de\" = \"other\"\n", Some("other")),
            ("name = 3", None),
            ("named = \"x\"", None),
            ("name = \"a\"\nname = \"b\"", None),
        ] {
            assert_eq!(named(text).as_deref(), name, "{text}");
        }
    }
}

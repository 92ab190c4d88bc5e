//! Factory reset and power-off. Neither happens while a drive is being tested, unless a person says so.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};
use wire::supervisor::Request as Order;

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Supervised, Tries};
use crate::http::door::body::Json;
use crate::http::people::account::check_own;
use crate::http::people::person::Person;
use crate::hub::Presence;

/// Refuses while a drive is being tested. Jobs of an agent that does not run stand still, and keep nobody from a way out.
pub(super) fn nothing_runs(app: &App) -> Result<(), Refusal> {
    let now = app.clock.now();
    let (running, agent) = app.hub(|hub| (hub.testing(now), hub.presence(now)));
    if running == 0 {
        return Ok(());
    }
    Err(Refusal::new("jobs-running", 409, "Drives are being tested").with(barred(running, agent)))
}

/// How many jobs bar the way, and what can be done about it.
fn barred(running: usize, agent: Option<Presence>) -> String {
    let (jobs, them, their) = match running {
        1 => ("job", "it", "its"),
        _ => ("jobs", "them", "their"),
    };
    let way_out = match agent {
        Some(Presence::Here) | None => format!("wait for {them} or abort {them}"),
        Some(Presence::Restarting | Presence::Silent | Presence::Down) => format!(
            "{their} agent is not connected and may be at {them} all the same: wait for the agent, or restart the box"
        ),
    };
    format!("{running} {jobs}; {way_out}")
}

/// Body of [`reset`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Reset {
    /// One's own password.
    password: String,
    /// The box's name, typed by hand.
    confirm: String,
}

/// Factory reset: the box reboots and forgets everything; the drives under test are left alone. Jobs that stand still because the
/// agent does not run are forgotten unfinished.
#[utoipa::path(post, path = "/reset", operation_id = "factory_reset", tag = "box", request_body = Reset,
    responses((status = 202, description = "The box marks its medium and reboots; where the medium does not take the mark, a banner says so and it does not"), LoggedIn, Body, Tries, Supervised,
        (status = 403, description = "`password-wrong`"),
        (status = 409, description = "`jobs-running`"), (status = 422, description = "`not-confirmed`")))]
pub(super) async fn reset(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Reset>,
) -> Result<StatusCode, Refusal> {
    let name = app.hub(|hub| hub.name().to_owned());
    confirmed(&form.confirm, &name)?;
    check_own(&app, &person, form.password).await?;
    nothing_runs(&app)?;
    supervised(&app, "Nothing here can reset this box")?;
    let unfinished = app.hub(|hub| hub.open_jobs().count());
    let with = match unfinished {
        0 => String::new(),
        1 => "; 1 burn-in that stands still is forgotten with it".to_owned(),
        count => format!("; {count} burn-ins that stand still are forgotten with it"),
    };
    let message = format!("{} ordered a factory reset{with}", person.name);
    let data = json!({ "unfinished": unfinished });
    app.record_done(
        NewEvent::new("box.reset", Severity::Warning, message, data),
        &person.name,
    )
    .await;
    order(&app, Order::Reset {})?;
    Ok(StatusCode::ACCEPTED)
}

fn confirmed(typed: &str, name: &str) -> Result<(), Refusal> {
    match typed.trim() == name {
        true => Ok(()),
        false => {
            Err(Refusal::new("not-confirmed", 422, "Type the box's name to confirm").with(format!("confirm: {name:?}")))
        }
    }
}

fn supervised(app: &App, title: &str) -> Result<(), Refusal> {
    match app.hub(crate::hub::Hub::is_supervised) {
        true => Ok(()),
        false => Err(Refusal::new("no-supervisor", 503, title).with("it is not run by Kiln's supervisor")),
    }
}

fn order(app: &App, order: Order) -> Result<(), Refusal> {
    let busy = |_| Refusal::new("busy", 503, "The supervisor does not listen").with("try again");
    app.life.orders.try_send(order).map_err(busy)
}

/// Body of [`power_off`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PowerOff {
    /// The box's name, typed by hand: nobody switches it on again from afar.
    confirm: String,
    /// Also while drives are being tested: each job writes down where it is and goes on after the next start.
    #[serde(default)]
    while_testing: bool,
}

/// Switches the box off, in order.
#[utoipa::path(post, path = "/power-off", operation_id = "power_off", tag = "box", request_body = PowerOff,
    responses((status = 202, description = "The box switches itself off"), LoggedIn, Body, Supervised,
        (status = 409, description = "`jobs-running`: say `while_testing` if they shall wait for the next start"),
        (status = 422, description = "`not-confirmed`")))]
pub(super) async fn power_off(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<PowerOff>,
) -> Result<StatusCode, Refusal> {
    confirmed(&form.confirm, &app.hub(|hub| hub.name().to_owned()))?;
    if !form.while_testing {
        nothing_runs(&app)?;
    }
    supervised(&app, "Nothing here can switch this box off")?;
    let message = format!("{} switched the box off", person.name);
    let data = json!({ "while_testing": form.while_testing });
    app.record_done(
        NewEvent::new("box.power_off", Severity::Warning, message, data),
        &person.name,
    )
    .await;
    let why = format!("power-off, asked for by {}", person.name);
    order(&app, Order::PowerOff { why })?;
    Ok(StatusCode::ACCEPTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_is_told_as_one_and_several_as_several() {
        let told = |running| barred(running, Some(Presence::Here));
        assert_eq!(told(1), "1 job; wait for it or abort it");
        assert_eq!(told(2), "2 jobs; wait for them or abort them");
        assert!(barred(1, Some(Presence::Silent)).starts_with("1 job; its agent is not connected and may be at it"));
    }
}

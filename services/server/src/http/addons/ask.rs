//! What a person asks of an add-on: actions that its manifest declares, and its own API through the proxy.
//!
//! ```text
//!  action ─► declared? ─► values fit? ─► destructive: ticks, password, CONFIRM ─► kept in the log ─► its address, or a command
//!  proxy  ─► GET: a read of /api/…   POST: only what the manifest declares and does not gate
//! ```
//!
//! No road leads around the gate of the box's own drives: the built-in agent takes what stops or holds a job here, and
//! everything else by plan, arm and start alone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use wire::command::Command;
use wire::event::{NewEvent, Severity};
use wire::manifest::Safety;

use super::or_empty;
use super::registry::{check_password, find};
use crate::addon::Addon;
use crate::addon::asked::{self, Asked};
use crate::addon::outcall::{self, Origin};
use crate::addon::replies;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, OfAddon, Stored, Tries};
use crate::http::door::body::{Json, Text};
use crate::http::people::person::Person;
use crate::hub::{AGENT, Input};

/// Longest body that the proxy sends on, in bytes. Source: Vigil, proxy.
const BODY_MAX: usize = 64 << 10;

/// How long the proxy waits for a read.
const READ: Duration = Duration::from_secs(30);

/// Body of [`action`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Act {
    /// The component of the manifest.
    #[serde(default)]
    component_id: String,
    /// The action as the manifest names it.
    action: String,
    /// The form's values.
    #[serde(default, deserialize_with = "or_empty")]
    #[schema(value_type = Object)]
    data: Map<String, Value>,
    /// The person's password, for destructive actions; never sent on.
    #[serde(default, rename = "_password")]
    password: Option<String>,
    /// `CONFIRM`, for destructive actions; never sent on.
    #[serde(default)]
    confirm: Option<String>,
}

/// What an add-on answered, as it came: what it says is between it and its own pages. Of the burn-in agent, `status` and `answer`.
#[derive(Debug, ToSchema)]
#[schema(value_type = Value)]
#[allow(
    dead_code,
    reason = "the document alone speaks of it: the answer is passed on unread"
)]
pub(super) struct AddonAnswer(Value);

/// Tells an add-on's page what was refused, as well as who asked.
pub(super) async fn refuse(app: &App, addon: u64, refusal: Refusal) -> Refusal {
    let what = format!("what a person asked for was refused: {refusal}");
    app.feed(Input::Noted { addon, what }).await;
    refusal
}

fn answer(status: u16, is_json: bool, body: impl Into<axum::body::Body>) -> Response {
    // What an add-on sends is never shown as a page of this box: it is JSON or plain text.
    let kind = if is_json {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, [(CONTENT_TYPE, HeaderValue::from_static(kind))], body.into()).into_response()
}

/// The add-on's address; `None` where it listens nowhere.
pub(in crate::http) fn origin(addon: &Addon) -> Result<Option<Origin>, Refusal> {
    if addon.url.is_empty() {
        return Ok(None);
    }
    Origin::parse(&addon.url)
        .map(Some)
        .map_err(|what| Refusal::new("bad-url", 409, "The add-on's address cannot be used").with(what))
}

fn use_the_gate() -> Refusal {
    Refusal::new("use-the-gate", 409, "The box's own drives are erased only through the gate").with(
        "POST /api/v1/plans, /arm and /start; of the agent's actions cancel, pause and resume with a job_id can be asked here",
    )
}

async fn of_agent(app: &App, person: &Person, form: &Act) -> Result<Response, Refusal> {
    let job = form.data.get("job_id").and_then(Value::as_str).unwrap_or("");
    let job = job
        .parse()
        .map_err(|_| Refusal::new("bad-form", 422, "This names no job").with("field \"job_id\": expected a job's id"));
    let actor = person.name.clone();
    let command = match form.action.as_str() {
        "cancel" | "abort" => Command::Abort { job: job?, actor },
        "pause" => Command::Pause { job: job?, actor },
        "resume" => Command::Resume { job: job?, actor },
        _ => return Err(use_the_gate()),
    };
    let answered = app.ask_agent(command).await?;
    Ok(answer(
        200,
        true,
        json!({ "status": "ok", "answer": answered }).to_string(),
    ))
}

/// What was asked for, if the add-on's manifest declares it. Of an add-on that has shown no manifest nobody knows what an
/// action does: it is taken as the gravest.
fn declared(addon: &Addon, form: &Act) -> Result<Asked, Refusal> {
    if addon.manifest.is_none() {
        return Ok(Asked {
            safety: Safety::Destructive,
            gates: Vec::new(),
            endpoint: None,
            fields: Vec::new(),
        });
    }
    let manifest = asked::manifest(&addon.manifest.value()).ok_or_else(|| {
        Refusal::new("bad-manifest", 409, "The add-on's manifest cannot be read").with("let it connect again")
    })?;
    asked::find(&manifest, &form.component_id, &form.action, &form.data).ok_or_else(|| {
        let detail = format!(
            "component {:?} declares no action {:?} in the add-on's manifest",
            form.component_id.chars().take(60).collect::<String>(),
            form.action
        );
        Refusal::new("not-declared", 403, "The add-on's manifest does not declare this").with(detail)
    })
}

/// Asks an add-on for an action: over its address, else down its socket.
///
/// The action must be declared by the manifest for that component. One that destroys (a form with a gated field, or what is
/// declared or called so) needs each gated field of a form ticked, the person's password in `_password`, and `CONFIRM` in `confirm`.
/// The add-on's answer is passed back as it came, with its status.
#[utoipa::path(post, path = "/api/addons/{id}/action", operation_id = "addon_action", tag = "addons", params(("id" = u64, Path, description = "Add-on")), request_body = Act,
    responses((status = 200, description = "The add-on's answer; it may have any status", content((AddonAnswer = "application/json"), (String = "text/plain"))), LoggedIn, OfAddon, Tries,
        (status = 400, description = "`bad-action`, `bad-json`, `bad-body`"),
        (status = 408, description = "`slow`"),
        (status = 413, description = "`too-long`"),
        (status = 415, description = "`not-json`"),
        (status = 403, description = "`gate`: the detail names what is missing; `not-declared`"),
        (status = 409, description = "`use-the-gate`: the box's own drives; `addon-disabled`, `bad-manifest`, `bad-url`; or refused by the agent"),
        (status = 422, description = "`bad-form`: the detail names each field"),
        (status = 502, description = "`addon-unreachable`, `addon-redirects`, `addon-too-long`"),
        (status = 503, description = "`addon-away`, `addon-busy`, `agent-away`, `store`"),
        (status = 504, description = "`addon-late`, `agent-late`, `agent-unsure`")))]
pub(super) async fn action(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(form): Json<Act>,
) -> Result<Response, Refusal> {
    let addon = find(&app, &id)?;
    let number = addon.id;
    match act(&app, &person, addon, form).await {
        Ok(response) => Ok(response),
        Err(refusal) => Err(refuse(&app, number, refusal).await),
    }
}

async fn act(app: &App, person: &Person, addon: Addon, mut form: Act) -> Result<Response, Refusal> {
    if !asked::is_action(&form.action) {
        return Err(Refusal::new("bad-action", 400, "This cannot be an action")
            .with("action: 1 to 64 letters, digits, _ and -"));
    }
    if addon.id == AGENT {
        return of_agent(app, person, &form).await;
    }
    if !addon.enabled {
        return Err(Refusal::new("addon-disabled", 409, "The add-on is disabled"));
    }
    // Existing pages put both beside the values. A field of the form may be called `confirm`; this one is not.
    // `confirm_destructive` is also what existing burn-in manifests call the tick itself: then it stays until it was checked.
    let inner = |form: &mut Act, key| match form.data.get(key) {
        Some(Value::String(text)) if key == "_password" || text == asked::CONFIRM => {
            let text = text.clone();
            form.data.remove(key);
            Some(text)
        }
        _ => None,
    };
    let (password, confirm) = (inner(&mut form, "_password"), inner(&mut form, "confirm_destructive"));
    form.password = form.password.or(password);
    form.confirm = form.confirm.or(confirm);
    let mut asked = declared(&addon, &form)?;
    let flaws = asked::flaws(&asked.fields, &form.data);
    if !flaws.is_empty() {
        return Err(Refusal::new("bad-form", 422, "The form's values do not fit").with(flaws.join("; ")));
    }
    let origin = origin(&addon)?;
    let road = origin.as_ref().map(|_| road(&asked, &form)).transpose()?;
    if let (Some((method, path)), Some(manifest)) = (&road, asked::manifest(&addon.manifest.value())) {
        // A value in the path may make it another action's, which has a gate.
        asked.safety = asked
            .safety
            .max(asked::of_path(&manifest, method.as_str(), path).unwrap_or(asked.safety));
    }
    let missing = asked::missing(&asked, &form.data, form.password.as_deref(), form.confirm.as_deref());
    if !missing.is_empty() {
        return Err(
            Refusal::new("gate", 403, "This destroys something and needs all of the gate").with(missing.join("; ")),
        );
    }
    if asked.safety == Safety::Destructive {
        check_password(app, person, form.password.take().unwrap_or_default()).await?;
    }
    let sender = app.addon_sender(addon.id);
    if origin.is_none() && sender.is_none() {
        return Err(replies::not_there().into());
    }
    if asked.safety != Safety::Read {
        // On the medium before it leaves.
        let grave = asked.safety == Safety::Destructive;
        let severity = if grave { Severity::Warning } else { Severity::Info };
        let message = format!("{} asked add-on {} for {}", person.name, addon.name, form.action);
        let data = json!({ "addon_id": addon.id, "component_id": form.component_id, "action": form.action, "destructive": grave });
        app.record_act(NewEvent::new("addon.action", severity, message, data), &person.name)
            .await?;
    }
    for secret in ["_password", "confirm_destructive"] {
        form.data.remove(secret);
    }
    let data = Value::Object(form.data);
    let Some((origin, (method, path))) = origin.zip(road) else {
        let sender = sender.ok_or_else(replies::not_there)?;
        let answered = app
            .replies
            .ask(
                addon.id,
                &sender,
                &form.component_id,
                &form.action,
                data,
                replies::PATIENCE,
            )
            .await?;
        return Ok(answer(answered.status, true, answered.body.to_string()));
    };
    let body = Some(data.to_string().into_bytes());
    let reply = app
        .call_addon(addon.id, &origin, method, &path, body, replies::PATIENCE)
        .await?;
    Ok(answer(reply.status, reply.is_json, reply.body))
}

/// Method and path by which the add-on is asked over its address.
fn road(asked: &Asked, form: &Act) -> Result<(Method, String), Refusal> {
    let (method, path) = match &asked.endpoint {
        Some((method, pattern)) => {
            let path = asked::fill(pattern, &form.data).ok_or_else(|| {
                Refusal::new("bad-form", 422, "The form's values do not fit")
                    .with(format!("{pattern}: expected a value for each {{…}}"))
            })?;
            (method.parse().unwrap_or(Method::POST), path)
        }
        None => (Method::POST, format!("/api/{}", form.action)),
    };
    outcall::check_path(&path)
        .map_err(|what| Refusal::new("bad-path", 409, "The manifest names a path that is not asked").with(what))?;
    Ok((method, path))
}

/// Query of the proxy.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Through {
    /// Path of the add-on's API, from /api/.
    path: Option<String>,
    /// PUT, PATCH or DELETE instead of POST.
    method: Option<String>,
}

type Asks = Result<Query<Through>, axum::extract::rejection::QueryRejection>;

fn through(query: Asks) -> Result<(String, Option<String>), Refusal> {
    let bad = |detail: String| Refusal::new("bad-path", 400, "This path is not asked of an add-on").with(detail);
    let Query(query) = query.map_err(|error| bad(error.body_text()))?;
    let path = query
        .path
        .ok_or_else(|| bad("path: expected one that begins with /api/".to_owned()))?;
    outcall::check_path(&path).map_err(bad)?;
    Ok((path, query.method.map(|method| method.to_ascii_uppercase())))
}

fn must_listen(addon: &Addon) -> Result<Origin, Refusal> {
    if !addon.enabled {
        return Err(Refusal::new("addon-disabled", 409, "The add-on is disabled"));
    }
    origin(addon)?.ok_or_else(|| {
        Refusal::new("no-address", 409, "The add-on has no address")
            .with("it was registered without a url; ask its sources instead")
    })
}

/// Whether a GET of this path only looks, as far as the manifest says: a button may name a GET that does more, and an add-on
/// that does not look at the method does by GET what its action does by POST.
///
/// # Errors
/// `gate`.
pub(super) fn only_looks(addon: &Addon, path: &str) -> Result<(), Refusal> {
    // Most manifests name neither, and reading one takes its time.
    let text = addon.manifest.text();
    let rest = path.strip_prefix("/api/").unwrap_or(path);
    let word = rest
        .split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c))
        .next();
    let word = word.unwrap_or("").to_ascii_lowercase();
    if !text.contains("GET") && !text.contains("\\u") && !text.to_ascii_lowercase().contains(&word) {
        return Ok(());
    }
    let value = addon.manifest.value();
    let Some(manifest) = asked::manifest(&value) else {
        return Ok(());
    };
    let declared = asked::of_path(&manifest, "GET", path);
    if declared.is_some_and(|safety| safety != Safety::Read) {
        return Err(
            Refusal::new("gate", 403, "The manifest declares this GET as more than a look")
                .with("POST /api/addons/{id}/action for the button that names it"),
        );
    }
    if manifest.declared_call(path) == Some(Safety::Destructive) && !is_looked_at(&value, path) {
        return Err(
            Refusal::new("gate", 403, "This is the path of an action that destroys something")
                .with("POST /api/addons/{id}/action with the ticks, _password and confirm"),
        );
    }
    Ok(())
}

/// Whether a page looks at this path: its settings, or what a manifest has it show or fill a form from.
fn is_looked_at(manifest: &Value, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    path == "/api/config" || names_a_look(manifest, path)
}

fn names_a_look(manifest: &Value, path: &str) -> bool {
    const LOOKS: [&str; 4] = ["source", "prefill_endpoint", "expand_endpoint", "pools_endpoint"];
    match manifest {
        Value::Object(parts) => parts.iter().any(|(name, value)| match value.as_str() {
            Some(text) => LOOKS.contains(&name.as_str()) && text.split('?').next() == Some(path),
            None => names_a_look(value, path),
        }),
        Value::Array(parts) => parts.iter().any(|part| names_a_look(part, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Reads from an add-on's own API.
#[utoipa::path(get, path = "/api/addons/{id}/proxy", operation_id = "addon_proxy_read", tag = "addons", params(("id" = u64, Path, description = "Add-on"), Through),
    responses((status = 200, description = "The add-on's answer; it may have any status", content((AddonAnswer = "application/json"), (String = "text/plain"))), LoggedIn, OfAddon,
        (status = 400, description = "`bad-path`"),
        (status = 403, description = "`gate`: the manifest declares this GET as more than a look, or the path is that of an action that destroys"),
        (status = 405, description = "`method-in-query`: a GET only reads"),
        (status = 409, description = "`no-address`, `addon-disabled`, `bad-url`"),
        (status = 502, description = "`addon-unreachable`, `addon-redirects`, `addon-too-long`"),
        (status = 504, description = "`addon-late`")))]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
    query: Asks,
) -> Result<Response, Refusal> {
    let addon = find(&app, &id)?;
    let asked = async {
        let (path, method) = through(query)?;
        if method.is_some_and(|method| method != "GET") {
            return Err(
                Refusal::new("method-in-query", 405, "A GET only reads").with("method: send a POST for anything else")
            );
        }
        let origin = must_listen(&addon)?;
        only_looks(&addon, &path)?;
        let reply = app
            .call_addon(addon.id, &origin, Method::GET, &path, None, READ)
            .await?;
        Ok(reply)
    };
    match asked.await {
        Ok(reply) => Ok(answer(reply.status, reply.is_json, reply.body)),
        Err(refusal) => Err(refuse(&app, addon.id, refusal).await),
    }
}

/// Writes through an add-on's own API what its manifest declares and does not gate.
#[utoipa::path(post, path = "/api/addons/{id}/proxy", operation_id = "addon_proxy_write", tag = "addons", params(("id" = u64, Path, description = "Add-on"), Through), request_body(content = String, content_type = "application/json"),
    responses((status = 200, description = "The add-on's answer; it may have any status", content((AddonAnswer = "application/json"), (String = "text/plain"))), LoggedIn, OfAddon, Stored,
        (status = 400, description = "`bad-path`, `bad-body`"),
        (status = 403, description = "`not-declared`: the manifest declares no such request; `gate`: it is gated, ask for the action"),
        (status = 405, description = "`method-in-query`: none of POST, PUT, PATCH, DELETE"),
        (status = 408, description = "`slow`"),
        (status = 409, description = "`use-the-gate`, `no-address`, `addon-disabled`, `bad-url`"),
        (status = 413, description = "`too-long`: the body has more than 64 KiB"),
        (status = 502, description = "`addon-unreachable`, `addon-redirects`, `addon-too-long`"),
        (status = 504, description = "`addon-late`")))]
pub(super) async fn write(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    query: Asks,
    Text(body): Text,
) -> Result<Response, Refusal> {
    let addon = find(&app, &id)?;
    match write_through(&app, &person, &addon, query, body).await {
        Ok(reply) => Ok(answer(reply.status, reply.is_json, reply.body)),
        Err(refusal) => Err(refuse(&app, addon.id, refusal).await),
    }
}

async fn write_through(
    app: &App,
    person: &Person,
    addon: &Addon,
    query: Asks,
    body: String,
) -> Result<outcall::Reply, Refusal> {
    let (path, method) = through(query)?;
    if addon.id == AGENT {
        return Err(use_the_gate());
    }
    let method = method.unwrap_or_else(|| "POST".to_owned());
    if !["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
        return Err(Refusal::new("method-in-query", 405, "This is no method that writes")
            .with("method: POST, PUT, PATCH or DELETE"));
    }
    if body.len() > BODY_MAX {
        return Err(
            Refusal::new("too-long", 413, "The body is too long").with(format!("at most {BODY_MAX} bytes are sent on"))
        );
    }
    if !body.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err() {
        return Err(Refusal::new("bad-body", 400, "The body is no JSON"));
    }
    let origin = must_listen(addon)?;
    let safety = asked::manifest(&addon.manifest.value())
        .and_then(|manifest| asked::of_path(&manifest, &method, &path))
        .ok_or_else(|| {
            Refusal::new("not-declared", 403, "The add-on's manifest declares no such request")
                .with(format!("{method} {path}"))
        })?;
    if safety == Safety::Destructive {
        return Err(Refusal::new("gate", 403, "This destroys something and needs the gate")
            .with("POST /api/addons/{id}/action with the ticks, _password and confirm"));
    }
    let message = format!("{} sent {method} {path} to add-on {}", person.name, addon.name);
    let data = json!({ "addon_id": addon.id, "method": method, "path": path });
    app.record_act(
        NewEvent::new("addon.action", Severity::Info, message, data),
        &person.name,
    )
    .await?;
    let body = (!body.is_empty()).then(|| body.into_bytes());
    let method = method.parse().unwrap_or(Method::POST);
    let reply = app
        .call_addon(addon.id, &origin, method, &path, body, replies::PATIENCE)
        .await?;
    Ok(reply)
}

//! Host agents, on the paths and with the bodies of the Vigil agent protocol: enrolment, authentication, reports.
//!
//! An agent that reports drives is not an add-on: it has a key of its own, opens no socket, and sends whole smartctl
//! documents. Its secrets are kept as hashes only.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json as Answered};
use health::book::{Admitted, Packed};
use health::enrol::{self, Agent, Auth};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use super::identify;
use crate::app::App;
use crate::auth::secret;
use crate::clock::Now;
use crate::fleet::{REPORTS_RULE, Road};
use crate::http::Peer;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored, Tries};
use crate::http::door::body::{Json, SHORT};
use crate::http::people::person::{Person, bearer};
use crate::http::task::blocking;
use crate::http::told::host::{
    HostAgent, HostAgentAdmitted, HostAgents, HostToken, HostTokenMade, HostTokens, ServerKey,
};
use crate::http::told::smart::{HostReport, HostReportTaken};

/// Longest life of a token in seconds: ten years.
const TOKEN_MOST: u64 = 10 * 365 * 86_400;

impl From<health::Failure> for Refusal {
    fn from(failure: health::Failure) -> Self {
        match failure {
            health::Failure::Refused(problem) => problem.into(),
            health::Failure::Store(error) => error.into(),
        }
    }
}

fn count(app: &App, road: Road, peer: Peer) -> Result<(), Refusal> {
    // The address of the connection: what a header says of it is the sender's own word.
    app.fleet
        .count(road, app.clock.now(), &peer.key())
        .map_err(Refusal::wait)
}

fn public_key(app: &App) -> String {
    use base64::Engine;
    let bytes = hex::decode(app.gate(|gate| gate.public_key())).unwrap_or_default();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Seconds are enough, and what existing agents read.
fn seconds(at: wire::Time) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn admitted(app: &App, done: Admitted, session: String) -> HostAgentAdmitted {
    HostAgentAdmitted {
        agent_id: done.agent_id,
        hostname: done.hostname,
        session_token: session,
        session_expires: seconds(done.ends),
        server_public_key: public_key(app),
    }
}

/// Body of [`register`].
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = HostRegister)]
pub(super) struct Register {
    /// A person's token; an agent whose key is known needs none.
    #[serde(default)]
    token: Option<String>,
    hostname: String,
    /// Name for people; the host name where there is none.
    #[serde(default)]
    name: Option<String>,
    /// What the agent calls its machine.
    fingerprint: String,
    /// Ed25519 public key: 32 bytes in base64.
    public_key: String,
    /// Seconds since 1970; with `signature`.
    #[serde(default)]
    timestamp: Option<i64>,
    /// Proof of the key, as `/api/v1/agents/auth` has it; of an agent that has no number yet, number 0 is signed.
    #[serde(default)]
    signature: Option<String>,
}

/// Whether somebody who comes with a key that is known, or signs, may have a session of its agent; with the signature. The key itself is no
/// secret. Existing agents bring their fingerprint and no signature; whoever has neither the fingerprint of that agent nor a
/// good token has to sign.
fn prove(
    app: &App,
    form: &Register,
    known: Option<&Agent>,
    token: Option<&str>,
    now: wire::Time,
) -> Result<Option<Auth>, Refusal> {
    if let Some(signature) = &form.signature {
        let auth = Auth {
            agent_id: known.map_or(0, |agent| agent.id),
            fingerprint: form.fingerprint.clone(),
            timestamp: form.timestamp.unwrap_or(0),
            signature: signature.clone(),
        };
        auth.check(now)?;
        match known {
            Some(agent) => agent.clone().believe(&auth, now)?,
            None => auth.signed_by(&form.public_key)?,
        }
        return Ok(Some(auth));
    }
    let Some(known) = known else { return Ok(None) };
    if known.fingerprint == form.fingerprint {
        return Ok(None);
    }
    let tokens = app.fleet.book.tokens()?;
    let good = tokens.iter().any(|kept| {
        Some(kept.hash.as_str()) == token && kept.used_at.is_none() && kept.expires_at.is_none_or(|end| end > now)
    });
    good.then_some(None).ok_or_else(|| {
        Refusal::new("proof-needed", 401, "The key alone is no proof").with(
            "fingerprint: another than this agent had; sign in at /api/v1/agents/auth, or send timestamp and signature, or a new token",
        )
    })
}

/// Enrols a host agent with a person's token, or knows it again by its key.
#[utoipa::path(post, path = "/api/v1/agents/register", operation_id = "host_agent_register", tag = "hosts", security(()), request_body = Register,
    responses((status = 200, body = HostAgentAdmitted), Tries, Stored,
        (status = 400, description = "`bad-json`, `bad-body`, `bad-field`: the detail names the field"),
        (status = 401, description = "`token-wrong`: the token is wrong, used or expired, and the key is not known; `proof-needed`: the key is known with another fingerprint; `signature-wrong`, `clock-off`, `replayed`"),
        (status = 408, description = "`slow`"),
        (status = 409, description = "`fingerprint-taken`: this machine is enrolled with another key; `full`"),
        (status = 413, description = "`too-long`"),
        (status = 415, description = "`not-json`")))]
pub(super) async fn register(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    form: Result<Json<Register, SHORT>, Refusal>,
) -> Result<Answered<HostAgentAdmitted>, Refusal> {
    count(&app, Road::Register, peer)?;
    let Json(form) = form?;
    let now = app.clock.now();
    let session = secret::new();
    let token = form.token.as_deref().filter(|token| !token.is_empty());
    let token = token.map(secret::hash);
    // One that is over is as good as none, also where the book, which knows the time that people read alone, would take it.
    let over = |hash: &str| -> Result<bool, Refusal> {
        let kept = app.fleet.book.tokens()?;
        Ok(kept
            .iter()
            .any(|kept| kept.hash == hash && app.fleet.is_over(kept, now)))
    };
    let token = match token {
        Some(hash) if !over(&hash)? => Some(hash),
        _ => None,
    };
    let known = app.fleet.book.agents()?;
    let known = known.iter().find(|agent| agent.public_key == form.public_key);
    let signed = prove(&app, &form, known, token.as_deref(), now.wall).inspect_err(|refusal| {
        tracing::warn!(from = peer.key(), host = form.hostname, %refusal, "a registration of a host agent was refused");
    })?;
    let by_key = known.is_some() && form.signature.is_none();
    let wanted = enrol::Register {
        hostname: form.hostname,
        name: form.name.unwrap_or_default(),
        fingerprint: form.fingerprint,
        public_key: form.public_key,
        signed,
    };
    let done = app
        .fleet
        .book
        .register(wanted, token, secret::hash(&session), now.wall)
        .await?;
    if done.is_new {
        let message = format!("A host agent for {} was enrolled from {}", done.hostname, peer.key());
        let data = json!({ "agent_id": done.agent_id, "hostname": done.hostname, "from": peer.key() });
        app.record("host.enrolled", Severity::Info, message, data).await;
    } else if by_key {
        let message = format!(
            "The host agent of {} got a session from {} by its key and fingerprint, without a signature",
            done.hostname,
            peer.key()
        );
        let data = json!({ "agent_id": done.agent_id, "hostname": done.hostname, "from": peer.key() });
        app.record_of_host(NewEvent::new("host.readmitted", Severity::Info, message, data))
            .await;
    }
    Ok(Answered(admitted(&app, done, session)))
}

/// Body of [`authenticate`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Authenticate {
    agent_id: u64,
    fingerprint: String,
    /// Seconds since 1970.
    timestamp: i64,
    /// Ed25519 over `{agent_id}:{fingerprint}:{timestamp}`, in base64.
    signature: String,
}

/// Gives a host agent a session of an hour for a signature.
#[utoipa::path(post, path = "/api/v1/agents/auth", operation_id = "host_agent_auth", tag = "hosts", security(()), request_body = Authenticate,
    responses((status = 200, body = HostAgentAdmitted), Tries, Stored,
        (status = 400, description = "`bad-json`, `bad-body`, `bad-field`: the detail names the field"),
        (status = 401, description = "`agent-unknown`, `signature-wrong`, `clock-off`: more than five minutes apart, `replayed`: used before"),
        (status = 403, description = "`fingerprint-taken`: another agent has this fingerprint"),
        (status = 408, description = "`slow`"),
        (status = 413, description = "`too-long`"),
        (status = 415, description = "`not-json`")))]
pub(super) async fn authenticate(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    form: Result<Json<Authenticate, SHORT>, Refusal>,
) -> Result<Answered<HostAgentAdmitted>, Refusal> {
    count(&app, Road::Authenticate, peer)?;
    let Json(form) = form?;
    let session = secret::new();
    let auth = Auth {
        agent_id: form.agent_id,
        fingerprint: form.fingerprint,
        timestamp: form.timestamp,
        signature: form.signature,
    };
    let now = app.clock.now().wall;
    let done = app.fleet.book.authenticate(auth, secret::hash(&session), now).await?;
    Ok(Answered(admitted(&app, done, session)))
}

/// The key with which this box signs, in base64.
#[utoipa::path(get, path = "/api/v1/server/pubkey", operation_id = "server_pubkey", tag = "hosts", security(()), responses((status = 200, body = ServerKey)))]
pub(super) async fn pubkey(State(app): State<Arc<App>>) -> Answered<ServerKey> {
    Answered(ServerKey {
        public_key: public_key(&app),
    })
}

fn session_of(app: &App, headers: &HeaderMap) -> Result<Agent, Refusal> {
    let wrong =
        |what: &str| Refusal::new("session-wrong", 401, "The agent's session is missing or has ended").with(what);
    let session = bearer(headers).ok_or_else(|| wrong("Authorization: Bearer SESSION"))?;
    let found = app.fleet.book.agent_of(&secret::hash(session), app.clock.now().wall)?;
    found.ok_or_else(|| wrong("sign in anew at /api/v1/agents/auth"))
}

/// Takes a report: whole `smartctl -x --json` documents of a host's drives.
///
/// A drive that says nothing of its health is named in `rejected` and costs the others nothing.
#[utoipa::path(post, path = "/api/report", operation_id = "host_report", tag = "hosts", security(("bearer" = [])), request_body = HostReport,
    responses((status = 200, body = HostReportTaken), Stored, Tries,
        (status = 400, description = "`bad-json`, `bad-body`, `bad-report`: the detail names every field"),
        (status = 401, description = "`session-wrong`: no session or an ended one; `agent-unknown`"),
        (status = 408, description = "`slow`"),
        (status = 409, description = "`host-taken`: another agent reports for this host; `full`"),
        (status = 413, description = "`too-long`"),
        (status = 415, description = "`not-json`")))]
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Result<Answered<HostReportTaken>, Refusal> {
    use axum::extract::FromRequest;
    // Before the body is read: a stranger's megabyte is not waited for.
    let agent = session_of(&app, &headers)?;
    let seat = app.fleet.intake.seat(app.clock.now().mono);
    if let Err(wait) = app.fleet.count_report(app.clock.now(), agent.id) {
        tracing::warn!(
            agent = agent.id,
            host = agent.hostname,
            "a host agent reports too often"
        );
        return Err(Refusal::too_often(wait, REPORTS_RULE));
    }
    let Json(body) = Json::<Value>::from_request(request, &()).await?;
    let now = app.clock.now();
    let report = health::report(&body, now.wall).map_err(|flaws| {
        let all: Vec<String> = flaws.iter().take(20).map(ToString::to_string).collect();
        Refusal::new("bad-report", 400, "The report cannot be taken").with(all.join("; "))
    })?;
    let address: Option<IpAddr> = match peer {
        Peer::Tcp(address) => Some(address.ip().to_canonical()),
        Peer::Local => None,
    };
    let (hostname, at, rejected, warnings) = (
        report.hostname.clone(),
        report.at,
        report.rejected.clone(),
        report.warnings.clone(),
    );
    // One number for the answer and for how long it is waited for, whatever is chosen meanwhile.
    let interval = app.report_interval();
    let taken = app.fleet.book.take(agent.id, report, address, interval, now.wall);
    let taken = taken.await?;
    // A copy for who reads whole reports: the report itself is taken. To pack a megabyte takes longer than a request may hold a
    // thread.
    let whole = blocking(move || Packed::of(&body.to_string())).await.unwrap_or(None);
    if let Err(error) = app.fleet.book.keep_last(hostname.clone(), at, whole).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "{hostname}'s last report is not kept whole"
        );
    }
    app.fleet.heard(&hostname, now);
    app.tell_of_drives().await?;
    seat.taken(app.clock.now().mono);
    let warnings: Vec<String> = warnings.into_iter().chain(taken.full).collect();
    Ok(Answered(HostReportTaken {
        status: "ok",
        report_interval_seconds: interval,
        drives: taken.drives,
        rejected,
        warnings,
    }))
}

/// The enrolled host agents.
#[utoipa::path(get, path = "/api/v1/agents", operation_id = "host_agents", tag = "hosts", responses((status = 200, body = HostAgents), LoggedIn, Stored))]
pub(super) async fn agents(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HostAgents>, Refusal> {
    let agents: Vec<HostAgent> = app.fleet.book.agents()?.iter().map(HostAgent::from).collect();
    Ok(Answered(HostAgents {
        count: agents.len(),
        agents,
    }))
}

fn number(text: &str, unknown: impl Fn() -> Refusal) -> Result<u64, Refusal> {
    text.parse().map_err(|_| unknown())
}

/// Takes a host agent away, with its host, drives and histories.
#[utoipa::path(delete, path = "/api/v1/agents/{id}", operation_id = "host_agent_remove", tag = "hosts", params(("id" = String, Path, description = "Number of the agent")),
    responses((status = 200, body = Value), LoggedIn, Stored, (status = 404, description = "`agent-unknown`")))]
pub(super) async fn drop_agent(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<Value>, Refusal> {
    let unknown = || Refusal::new("agent-unknown", 404, "There is no such agent");
    let id = number(&id, unknown)?;
    let hostname = app.fleet.book.drop_agent(id).await?.ok_or_else(unknown)?;
    let message = format!("{} took away the agent of host {hostname}", person.name);
    let event = NewEvent::new(
        "host.removed",
        Severity::Info,
        message,
        json!({ "agent_id": id, "hostname": hostname }),
    );
    app.record_done(event, &person.name).await;
    Ok(Answered(json!({ "status": "deleted", "hostname": hostname })))
}

/// Body of [`blink`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Identify {
    /// The host's name of the drive: `/dev/sda`.
    device: String,
    /// `on` or `off`; some agents know other words.
    #[serde(default)]
    mode: Option<String>,
}

/// Longest name of a device in characters: it stands in the event log. Source: the longest name of a file.
const DEVICE_MAX: usize = 255;

/// Longest word for what the light shall do, in bytes.
const MODE_MAX: usize = 32;

/// A bay was lit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostLit {
    /// `ok`.
    status: &'static str,
    /// As it was asked for.
    device: String,
    /// As it was asked for.
    mode: String,
    /// What the host's agent said, as it came.
    answer: Value,
}

/// Asks a host's agent to light a bay; only where the agent said that it can and listens.
#[utoipa::path(post, path = "/api/v1/agents/{id}/identify", operation_id = "host_identify", tag = "hosts", params(("id" = String, Path, description = "Host name")), request_body = Identify,
    responses((status = 200, body = HostLit), LoggedIn, Body, Stored,
        (status = 404, description = "`host-unknown`"),
        (status = 409, description = "`identify-absent`: its agent cannot, or does not listen"),
        (status = 422, description = "`bad-device`: the detail names the field"),
        (status = 502, description = "`agent-odd`: its agent could not be reached or refused"),
        (status = 504, description = "`agent-late`")))]
pub(super) async fn blink(
    State(app): State<Arc<App>>,
    person: Person,
    Path(hostname): Path<String>,
    Json(form): Json<Identify>,
) -> Result<Answered<HostLit>, Refusal> {
    let mode = form.mode.unwrap_or_else(|| "on".to_owned());
    let bad = |what: &str| Refusal::new("bad-device", 422, "This is no device that could be lit").with(what);
    if !(1..=DEVICE_MAX).contains(&form.device.chars().count()) || form.device.chars().any(char::is_control) {
        return Err(bad("device: 1 to 255 characters, none of them a control"));
    }
    if !(1..=MODE_MAX).contains(&mode.len()) || !mode.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        return Err(bad("mode: 1 to 32 letters, digits, _ and -"));
    }
    let host = app
        .fleet
        .book
        .hosts()?
        .into_iter()
        .find(|host| host.hostname == hostname);
    let host = host.ok_or_else(|| Refusal::new("host-unknown", 404, "There is no such host"))?;
    let answer = identify::ask(&host, &form.device, &mode).await?;
    let message = format!("{} asked {hostname} to light {}", person.name, form.device);
    app.record_done(
        NewEvent::new(
            "host.identify",
            Severity::Info,
            message,
            json!({ "hostname": hostname }),
        ),
        &person.name,
    )
    .await;
    Ok(Answered(HostLit {
        status: "ok",
        device: form.device,
        mode,
        answer,
    }))
}

/// Body of [`new_token`].
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = HostNewToken)]
pub(super) struct NewToken {
    #[serde(default)]
    name: String,
    /// Seconds until it ends; none or 0 for never.
    #[serde(default)]
    expires_in: Option<u64>,
}

/// Tokens with which host agents are enrolled, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "host_tokens", tag = "hosts", responses((status = 200, body = HostTokens), LoggedIn, Stored))]
pub(super) async fn tokens(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HostTokens>, Refusal> {
    let tokens: Vec<HostToken> = app.fleet.book.tokens()?.iter().map(HostToken::from).collect();
    Ok(Answered(HostTokens {
        count: tokens.len(),
        tokens,
    }))
}

/// Makes a token that admits one host agent; it is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "host_token_make", tag = "hosts", request_body = NewToken,
    responses((status = 200, body = HostTokenMade), LoggedIn, Stored,
        (status = 400, description = "`bad-json`, `bad-body`, `bad-field`: the detail names the field"),
        (status = 408, description = "`slow`"),
        (status = 409, description = "`full`"),
        (status = 413, description = "`too-long`"),
        (status = 415, description = "`not-json`")))]
pub(super) async fn new_token(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<NewToken>,
) -> Result<Answered<HostTokenMade>, Refusal> {
    enrol::check_name(&form.name)?;
    let Now { mono, wall: now } = app.clock.now();
    let lasts = form
        .expires_in
        .map(std::time::Duration::from_secs)
        .filter(|lasts| !lasts.is_zero());
    let ends = match form.expires_in.unwrap_or(0) {
        0 => None,
        n if n > TOKEN_MOST => {
            let what = format!("expires_in: {n} s; at most {TOKEN_MOST}, or 0 for never");
            return Err(Refusal::new("bad-field", 400, "A field cannot be taken").with(what));
        }
        n => now.checked_add(std::time::Duration::from_secs(n)).ok(),
    };
    let text = secret::new();
    let token = app
        .fleet
        .book
        .new_token(form.name, secret::hash(&text), now, ends)
        .await?;
    if let Some(lasts) = lasts {
        app.fleet.made(token.id, mono + lasts, mono);
    }
    let message = format!("{} made token {} for a host agent", person.name, token.id);
    app.record_done(
        NewEvent::new(
            "host.token_made",
            Severity::Info,
            message,
            json!({ "token_id": token.id }),
        ),
        &person.name,
    )
    .await;
    let view = HostToken::from(&token);
    Ok(Answered(HostTokenMade { view, token: text }))
}

/// Takes a token away; an agent that used it stays.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "host_token_remove", tag = "hosts", params(("id" = String, Path, description = "Number of the token")),
    responses((status = 200, body = Value), LoggedIn, Stored, (status = 404, description = "`token-unknown`")))]
pub(super) async fn drop_token(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<Value>, Refusal> {
    let unknown = || Refusal::new("token-unknown", 404, "There is no such token");
    let id = number(&id, unknown)?;
    if !app.fleet.book.drop_token(id).await? {
        return Err(unknown());
    }
    let message = format!("{} took away token {id} for host agents", person.name);
    app.record_done(
        NewEvent::new("host.token_removed", Severity::Info, message, json!({ "token_id": id })),
        &person.name,
    )
    .await;
    Ok(Answered(json!({ "status": "deleted" })))
}

//! Add-ons over HTTP, on the paths and with the bodies of the Vigil add-on protocol.
//!
//! Enrolment in two phases: a person makes a token and registers the add-on with it; the add-on connects with the
//! token and its manifest. Or, as the document says: the person registers, and the daemon goes straight to the
//! WebSocket with number and token.

use std::sync::Arc;

use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answered};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wire::event::{NewEvent, Severity};

use super::or_empty;
use crate::addon::outcall::Origin;
use crate::addon::{Addon, Sent, Taken, check_name, read_manifest};
use crate::app::App;
use crate::auth::credential::Kind;
use crate::auth::vault::Token;
use crate::http::Peer;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, OfAddon, Stored, Tries};
use crate::http::door::body::Json;
use crate::http::people::person::{self, Person};
use crate::http::told::NEVER;
use crate::http::told::addon::{
    AddonConnected, AddonRegistered, AddonShown, AddonToken, AddonTokenMade, AddonTokenRotated, AddonUpdates, AddonView,
};
use crate::hub::{AGENT, Input, MANIFESTS};

fn unknown(id: &str) -> Refusal {
    let shown: String = id.chars().take(40).collect();
    Refusal::new("addon-unknown", 404, "add-on not found").with(format!("add-on {shown:?}"))
}

/// The add-on with this number in a path.
pub(in crate::http) fn find(app: &App, id: &str) -> Result<Addon, Refusal> {
    id.parse()
        .ok()
        .and_then(|id| app.addons.get(id))
        .ok_or_else(|| unknown(id))
}

fn act(kind: &str, message: String, data: Value) -> NewEvent {
    NewEvent::new(kind, Severity::Info, message, data)
}

/// Checks the add-on token of a request; counts wrong ones of the peer.
///
/// A right one gets in however many wrong ones came from its address: behind one address there are many add-ons, and none
/// shuts the others out. That helps nobody to guess: a token has 256 random bits, and is looked up by its hash, in the same
/// time whether it is right, nearly right or wrong.
pub(super) fn check_token(app: &App, peer: Peer, token: Option<&str>) -> Result<Token, Refusal> {
    let now = app.clock.now();
    if let Some(found) = token.and_then(|token| app.vault.token(token, now)) {
        return Ok(found);
    }
    let key = peer.key();
    let allowed = app.tokens(|limit| {
        let allowed = limit.allow(now.mono, &key);
        // Who shows none has guessed nothing.
        if allowed.is_ok() && token.is_some() {
            limit.failed(now.mono, &key);
        }
        allowed
    });
    allowed.map_err(Refusal::wait)?;
    Err(Refusal::new("token-wrong", 401, "The add-on token is missing or wrong").with("Authorization: Bearer TOKEN"))
}

/// The add-ons, the built-in agent first.
#[utoipa::path(get, path = "/api/addons", operation_id = "addons", tag = "addons", responses((status = 200, body = Vec<AddonView>), LoggedIn))]
pub(super) async fn list(State(app): State<Arc<App>>, _: Person) -> Answered<Vec<AddonView>> {
    Answered(
        app.addons
            .list()
            .iter()
            .map(|addon| AddonView::of(&app, addon))
            .collect(),
    )
}

/// One add-on; the same again as `addon` beside its `manifest`, as existing dashboards read it.
#[utoipa::path(get, path = "/api/addons/{id}", operation_id = "addon", tag = "addons", params(("id" = u64, Path, description = "Add-on")), responses((status = 200, body = AddonShown), LoggedIn, OfAddon))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Answered<AddonShown>, Refusal> {
    let addon = find(&app, &id)?;
    let view = AddonView::of(&app, &addon);
    Ok(Answered(AddonShown {
        addon: view.clone(),
        view,
        manifest: addon.manifest.value(),
    }))
}

/// Body of [`new_token`].
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AddonNewToken)]
pub(super) struct NewToken {
    #[serde(default, deserialize_with = "or_empty")]
    name: String,
}

/// Makes an add-on token; it is shown this once. It is good for an hour, a time of one's own is not read; once an add-on is
/// registered with it, until it is taken away.
#[utoipa::path(post, path = "/api/addons/tokens", operation_id = "addon_token_make", tag = "addons", request_body = NewToken,
    responses((status = 201, body = AddonTokenMade), LoggedIn, Body, Stored))]
pub(super) async fn new_token(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<NewToken>,
) -> Result<Response, Refusal> {
    if !form.name.is_empty() {
        check_name(&form.name)?;
    }
    let now = app.clock.now();
    let (token, id, expires) = app.vault.new_token(&form.name, now).await?;
    let message = format!("{} made add-on token {id}", person.name);
    app.record_done(
        act(
            "addon.token_made",
            message,
            json!({ "token_id": id, "name": form.name }),
        ),
        &person.name,
    )
    .await;
    let body = AddonTokenMade {
        id,
        token,
        name: form.name,
        created_at: now.wall,
        expires_at: Some(expires),
    };
    Ok((StatusCode::CREATED, Answered(body)).into_response())
}

/// The add-on tokens, without the secrets, which nobody has.
#[utoipa::path(get, path = "/api/addons/tokens", operation_id = "addon_tokens", tag = "addons", responses((status = 200, body = Vec<AddonToken>), LoggedIn))]
pub(super) async fn tokens(State(app): State<Arc<App>>, _: Person) -> Answered<Vec<AddonToken>> {
    let rows = app
        .vault
        .tokens()
        .into_iter()
        .filter_map(|credential| match credential.kind {
            Kind::AddonToken { id, name, addon } => Some(AddonToken {
                id,
                name,
                addon_id: addon,
                created_at: credential.created,
                expires_at: credential.expires,
            }),
            Kind::User { .. } | Kind::Session { .. } => None,
        });
    Answered(rows.collect())
}

/// Takes an add-on token away.
#[utoipa::path(delete, path = "/api/addons/tokens/{id}", operation_id = "addon_token_revoke", tag = "addons", params(("id" = u64, Path, description = "Token")),
    responses((status = 204, description = "It is gone"), LoggedIn, Stored, (status = 404, description = "`token-unknown`")))]
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let unknown = || Refusal::new("token-unknown", 404, "There is no such token");
    let id: u64 = id.parse().map_err(|_| unknown())?;
    let keys = app.vault.keys_of_token(id);
    if !app.vault.revoke(id).await? {
        return Err(unknown());
    }
    for key in keys {
        app.close_token(&key).await;
    }
    let message = format!("{} took away add-on token {id}", person.name);
    app.record_done(
        act("addon.token_revoked", message, json!({ "token_id": id })),
        &person.name,
    )
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of [`register`].
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AddonRegister)]
pub(super) struct Register {
    name: String,
    /// Where it listens; empty where it does not.
    #[serde(default, deserialize_with = "or_empty")]
    url: String,
    /// A token made before; without one a new one is made, and shown in the answer this once.
    #[serde(default)]
    token: Option<String>,
    /// Its manifest, where it is at hand; else the add-on sends it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    manifest: Option<Sent>,
}

/// Registers an add-on with a token, which belongs to it from then on; gives its number and the token that the daemon needs.
#[utoipa::path(post, path = "/api/addons/register", operation_id = "addon_register", tag = "addons", request_body = Register,
    responses((status = 201, body = AddonRegistered), LoggedIn, Body, Stored, (status = 409, description = "`token-used`: the token belongs to another add-on; `addons-full`")))]
pub(super) async fn register(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<Register>,
) -> Result<Response, Refusal> {
    check_name(&form.name)?;
    if !form.url.is_empty() {
        let bad = |what| Refusal::new("bad-url", 400, "This is not an add-on's address").with(what);
        Origin::parse(&form.url).map_err(bad)?;
    }
    // Looked at before anything is made: a bad manifest costs neither token nor number.
    let manifest = match form.manifest {
        Some(manifest) => Some(read_manifest(manifest).await?),
        None => None,
    };
    let now = app.clock.now();
    let secret = match form.token {
        Some(token) if !token.is_empty() => token,
        _ => app.vault.new_token(&form.name, now).await?.0,
    };
    let token = app.vault.token(&secret, now);
    let token = token.ok_or_else(|| Refusal::new("token-wrong", 401, "The add-on token is wrong or has ended"))?;
    if token.addon.is_some() {
        return Err(
            Refusal::new("token-used", 409, "The add-on token belongs to another add-on").with("make a new one"),
        );
    }
    let mut addon = app.addons.add(now.wall, &form.name, &form.url).await?;
    let mut words = Vec::new();
    if let Some(taken) = manifest {
        words = taken.words;
        let kept = app.addons.update(addon.id, |row| {
            (row.version, row.description, row.manifest) = (taken.version, taken.description, taken.kept);
        });
        addon = kept.await?.unwrap_or(addon);
    }
    let bound = app.vault.bind(&token, addon.id).await;
    if !matches!(bound, Ok(true)) {
        // Two asked for the same token at once and the other was first, or the medium did not take it.
        app.addons.remove(addon.id).await?;
        bound?;
        return Err(
            Refusal::new("token-used", 409, "The add-on token belongs to another add-on").with("make a new one"),
        );
    }
    app.feed(Input::Known {
        addon: addon.id,
        name: addon.name.clone(),
        last_seen: None,
        enabled: true,
    })
    .await;
    note(&app, addon.id, words).await;
    let message = format!("{} registered add-on {}", person.name, addon.name);
    app.record_done(
        act("addon.registered", message, json!({ "addon_id": addon.id })),
        &person.name,
    )
    .await;
    let mut view = AddonView::of(&app, &addon);
    // Here alone existing servers are known to answer a time for what nobody has heard; null elsewhere says it plainly.
    view.last_seen.get_or_insert(NEVER);
    let made = AddonRegistered {
        addon: view,
        token: secret,
    };
    Ok((StatusCode::CREATED, Answered(made)).into_response())
}

/// Lines for an add-on's log that come with no frame of its own.
async fn note(app: &App, addon: u64, words: Vec<String>) {
    for what in words {
        app.feed(Input::Noted { addon, what }).await;
    }
}

/// Tells the hub of an add-on as it is now; of one that was taken away meanwhile, that it is gone.
async fn know(app: &App, addon: &Addon) {
    app.feed(Input::Known {
        addon: addon.id,
        name: addon.name.clone(),
        last_seen: addon.last_seen,
        enabled: addon.enabled,
    })
    .await;
    if app.addons.get(addon.id).is_none() {
        app.feed(Input::Forgotten { addon: addon.id }).await;
    }
}

/// Body of [`connect`] and [`upsert`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct WithManifest {
    #[schema(value_type = Object)]
    manifest: Sent,
}

/// The add-on brings its manifest, with its own token.
#[utoipa::path(post, path = "/api/addons/connect", operation_id = "addon_connect", tag = "addons", request_body = WithManifest, security(("bearer" = [])),
    responses((status = 200, body = AddonConnected), Body, Tries, Stored, OfAddon,
        (status = 401, description = "`token-wrong`"), (status = 412, description = "`token-unbound`: register first")))]
pub(super) async fn connect(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Answered<AddonConnected>, Refusal> {
    // The token before the body: whoever has none gets no megabyte of this box's memory.
    let secret = person::bearer(request.headers()).map(str::to_owned);
    let secret = secret.as_deref();
    let token = check_token(&app, peer, secret)?;
    let Some(id) = token.addon else {
        return Err(Refusal::new("token-unbound", 412, "Token not yet bound to an add-on")
            .with("complete the registration on the dashboard first; then try again"));
    };
    let known = app.addons.get(id).ok_or_else(|| unknown(&id.to_string()))?;
    if !known.enabled {
        return Err(Refusal::new("addon-disabled", 403, "add-on is disabled"));
    }
    if let Err(wait) = app.manifest_room(id) {
        let what = format!("{MANIFESTS}; the one that came by POST /api/addons/connect was not looked at");
        app.feed(Input::Noted { addon: id, what }).await;
        return Err(Refusal::too_often(wait, MANIFESTS));
    }
    let read = async {
        let Json(form): Json<WithManifest> = Json::from_request(request, &()).await?;
        let read = read_manifest(form.manifest).await?;
        Ok::<_, Refusal>(read)
    };
    let Taken {
        version,
        description,
        kept: manifest,
        words,
        ..
    } = match read.await {
        Ok(read) => read,
        Err(refusal) => {
            let what = format!("the manifest that came by POST /api/addons/connect was not taken: {refusal}");
            app.feed(Input::Noted { addon: id, what }).await;
            return Err(refusal);
        }
    };
    let (previous, now) = (known.version, app.clock.now().wall);
    let kept = app.addons.update(id, move |addon| {
        addon.version = version;
        addon.description = description;
        addon.manifest = manifest;
        addon.enrolled = true;
        addon.updated = now;
    });
    let addon = kept.await?.ok_or_else(|| unknown(&id.to_string()))?;
    let session: String = secret.unwrap_or("").chars().take(16).collect();
    app.feed(Input::Met { addon: id }).await;
    note(&app, id, words.clone()).await;
    Ok(Answered(AddonConnected {
        addon_id: id,
        session_id: session,
        addon: AddonView::of(&app, &addon),
        previous_version: (previous != addon.version && previous != "0.0.0").then_some(previous),
        warnings: words,
    }))
}

/// Uploads a manifest; an add-on of that name gets it, else there is a new one.
#[utoipa::path(post, path = "/api/addons", operation_id = "addon_upsert", tag = "addons", request_body = WithManifest,
    responses((status = 200, body = AddonView), (status = 201, body = AddonView), LoggedIn, Body, Stored, (status = 404, description = "`addon-unknown`: it was taken away meanwhile")))]
pub(super) async fn upsert(
    State(app): State<Arc<App>>,
    person: Person,
    Json(form): Json<WithManifest>,
) -> Result<Response, Refusal> {
    let Taken {
        name,
        version,
        description,
        kept: manifest,
        words,
    } = read_manifest(form.manifest).await?;
    let now = app.clock.now().wall;
    let known = app
        .addons
        .list()
        .into_iter()
        .find(|addon| addon.name == name && addon.id != AGENT);
    let (status, id) = match known {
        Some(addon) => (StatusCode::OK, addon.id),
        None => (StatusCode::CREATED, app.addons.add(now, &name, "").await?.id),
    };
    let kept = app.addons.update(id, |row| {
        row.version = version;
        row.description = description;
        row.manifest = manifest;
        row.updated = now;
    });
    // Taken away since it was looked for: it does not come back, nor does another get what was meant for it.
    let addon = kept.await?.ok_or_else(|| unknown(&id.to_string()))?;
    know(&app, &addon).await;
    note(&app, addon.id, words).await;
    let message = format!("{} uploaded the manifest of add-on {name}", person.name);
    app.record_done(
        act("addon.manifest", message, json!({ "addon_id": addon.id })),
        &person.name,
    )
    .await;
    Ok((status, Answered(AddonView::of(&app, &addon))).into_response())
}

/// Body of [`enable`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Enable {
    enabled: bool,
    password: String,
}

/// Body of [`remove`].
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Remove {
    password: String,
}

pub(super) async fn check_password(app: &App, person: &Person, password: String) -> Result<(), Refusal> {
    let key = format!("arm:{}", person.name);
    let now = app.clock.now();
    app.logins(|limit| limit.allow(now.mono, &key)).map_err(Refusal::wait)?;
    app.logins(|limit| limit.failed(now.mono, &key));
    let hash = app.vault.user(&person.name).map(|(_, hash)| hash);
    if !app.hasher.verify(password, hash).await? {
        return Err(Refusal::new("password-wrong", 403, "The password is wrong"));
    }
    app.logins(|limit| limit.succeeded(&key));
    Ok(())
}

fn not_the_agent(addon: &Addon) -> Result<(), Refusal> {
    if addon.id == AGENT {
        return Err(Refusal::new("built-in", 409, "The burn-in agent is part of the box")
            .with("it cannot be taken away or disabled"));
    }
    Ok(())
}

/// Lets an add-on connect, or no longer.
#[utoipa::path(put, path = "/api/addons/{id}/enabled", operation_id = "addon_enable", tag = "addons", params(("id" = u64, Path, description = "Add-on")), request_body = Enable,
    responses((status = 200, body = AddonView), LoggedIn, Body, OfAddon, Tries, Stored,
        (status = 403, description = "`password-wrong`"), (status = 409, description = "`built-in`: the agent is part of the box")))]
pub(super) async fn enable(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(form): Json<Enable>,
) -> Result<Answered<AddonView>, Refusal> {
    let addon = find(&app, &id)?;
    not_the_agent(&addon)?;
    check_password(&app, &person, form.password).await?;
    let now = app.clock.now().wall;
    let changed = app.addons.update(addon.id, |row| {
        row.enabled = form.enabled;
        row.updated = now;
    });
    let addon = changed.await?.ok_or_else(|| unknown(&id))?;
    know(&app, &addon).await;
    if !addon.enabled {
        app.close_addon(addon.id).await;
    }
    let word = if addon.enabled { "enabled" } else { "disabled" };
    let message = format!("{} {word} add-on {}", person.name, addon.name);
    app.record_done(
        act(&format!("addon.{word}"), message, json!({ "addon_id": addon.id })),
        &person.name,
    )
    .await;
    Ok(Answered(AddonView::of(&app, &addon)))
}

/// Takes an add-on away, with its tokens.
#[utoipa::path(delete, path = "/api/addons/{id}", operation_id = "addon_remove", tag = "addons", params(("id" = u64, Path, description = "Add-on")), request_body = Remove,
    responses((status = 204, description = "It is gone"), LoggedIn, Body, OfAddon, Tries, Stored,
        (status = 403, description = "`password-wrong`"), (status = 409, description = "`built-in`: the agent is part of the box")))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
    Json(form): Json<Remove>,
) -> Result<StatusCode, Refusal> {
    let addon = find(&app, &id)?;
    not_the_agent(&addon)?;
    check_password(&app, &person, form.password).await?;
    app.vault.revoke_of(addon.id).await?;
    app.addons.remove(addon.id).await?;
    // One that was made while it went.
    app.vault.revoke_of(addon.id).await?;
    app.feed(Input::Forgotten { addon: addon.id }).await;
    app.listeners.end(addon.id);
    let message = format!("{} took away add-on {}", person.name, addon.name);
    app.record_done(
        act("addon.removed", message, json!({ "addon_id": addon.id })),
        &person.name,
    )
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an add-on a new token; the old one opens nothing any more. A connection that stands is not touched.
#[utoipa::path(post, path = "/api/addons/{id}/rotate-token", operation_id = "addon_token_rotate", tag = "addons", params(("id" = u64, Path, description = "Add-on")),
    responses((status = 200, body = AddonTokenRotated), LoggedIn, OfAddon, Stored, (status = 409, description = "`built-in`: the agent's token is made at each boot")))]
pub(super) async fn rotate_token(
    State(app): State<Arc<App>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Answered<AddonTokenRotated>, Refusal> {
    let addon = find(&app, &id)?;
    not_the_agent(&addon)?;
    let (token, number) = app.vault.rotate(addon.id, &addon.name, app.clock.now()).await?;
    let message = format!("{} gave add-on {} a new token", person.name, addon.name);
    app.record_done(
        act(
            "addon.token_rotated",
            message,
            json!({ "addon_id": addon.id, "token_id": number }),
        ),
        &person.name,
    )
    .await;
    Ok(Answered(AddonTokenRotated { token, id: number }))
}

/// The container image of an add-on and the tag that its deploy wizard starts with. Source: existing servers look into the
/// first wizard; `docker_image` stands beside the pages.
fn image(manifest: &Value) -> (Option<String>, Option<String>) {
    let text = |value: &Value, key: &str| value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let pages = manifest["pages"].as_array().into_iter().flatten();
    let mut wizards = pages
        .flat_map(|page| page["components"].as_array().into_iter().flatten())
        .filter(|component| component["type"] == "deploy-wizard")
        .map(|component| &component["config"]["docker"]);
    match wizards.find(|docker| docker["image"].is_string()) {
        Some(docker) => {
            let tag = text(docker, "default_tag").unwrap_or_else(|| "latest".to_owned());
            (text(docker, "image"), Some(tag))
        }
        None => (text(manifest, "docker_image"), None),
    }
}

/// Whether there is a newer version of an add-on, as far as this box knows: it asks nobody outside the network for one.
#[utoipa::path(get, path = "/api/addons/{id}/check-updates", operation_id = "addon_check_updates", tag = "addons", params(("id" = u64, Path, description = "Add-on")),
    responses((status = 200, body = AddonUpdates), LoggedIn, OfAddon))]
pub(super) async fn check_updates(
    State(app): State<Arc<App>>,
    _: Person,
    Path(id): Path<String>,
) -> Result<Answered<AddonUpdates>, Refusal> {
    let addon = find(&app, &id)?;
    let (image, tag) = image(&addon.manifest.value());
    let message = match image {
        None => "No container image is named in the manifest",
        Some(_) => {
            "This box does not ask registries for versions of add-ons; an add-on that is updated shows its new version when it connects"
        }
    };
    Ok(Answered(AddonUpdates {
        addon_id: addon.id,
        update_available: false,
        current_version: addon.version,
        latest_version: None,
        current_tag: tag,
        latest_tag: None,
        image: image.clone(),
        docker_image: image,
        checked: false,
        message: message.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_that_of_the_first_wizard() {
        let wizard = |docker: Value| json!({ "type": "deploy-wizard", "config": { "docker": docker } });
        let manifest = json!({ "docker_image": "other", "pages": [{}, { "components": [
            { "type": "form" }, wizard(json!({})), wizard(json!({ "image": "ghcr.io/a/b", "default_tag": "2" })) ] }] });
        assert_eq!(image(&manifest), (Some("ghcr.io/a/b".into()), Some("2".into())));
        assert_eq!(image(&json!({ "docker_image": "x" })), (Some("x".into()), None));
        assert_eq!(image(&Value::Null), (None, None));
    }
}

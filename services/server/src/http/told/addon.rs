//! Add-ons and their tokens.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wire::Time;
use wire::boxes::Liveness;

use crate::addon::Addon;
use crate::app::App;

/// An add-on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AddonView {
    /// Number; 1 is the burn-in agent.
    pub id: u64,
    /// In words.
    pub name: String,
    /// As its manifest says.
    pub version: String,
    /// As its manifest says.
    pub description: String,
    /// Where it listens; empty where it does not.
    pub url: String,
    /// Its manifest as it was sent; until one has come, one with an empty page, as existing dashboards expect.
    pub manifest_json: String,
    /// Whether its own manifest has come.
    pub has_manifest: bool,
    /// Whether it is heard.
    pub status: Liveness,
    /// Whether it may connect.
    pub enabled: bool,
    /// Whether a connection of it stands.
    pub connected: bool,
    /// When it was heard last.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen: Option<Time>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When it or its manifest was changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
}

/// What stands in the place of a manifest that has not come. Source: Vigil, `POST /api/addons/register`.
fn stub(addon: &Addon) -> String {
    json!({ "name": addon.name, "version": addon.version, "description": "Awaiting connection",
        "pages": [{ "id": "default", "title": "Status", "components": [] }] })
    .to_string()
}

impl AddonView {
    /// How `addon` is now.
    pub(crate) fn of(app: &App, addon: &Addon) -> Self {
        let (status, seen) = app.hub(|hub| hub.addon(app.clock.now(), addon.id));
        Self {
            id: addon.id,
            name: addon.name.clone(),
            version: addon.version.clone(),
            description: addon.description.clone(),
            url: addon.url.clone(),
            manifest_json: if addon.manifest.is_none() {
                stub(addon)
            } else {
                addon.manifest.text().to_owned()
            },
            has_manifest: !addon.manifest.is_none(),
            status,
            enabled: addon.enabled,
            connected: app.hub(|hub| hub.is_connected(addon.id)),
            last_seen: seen.or(addon.last_seen),
            created_at: addon.created,
            updated_at: addon.updated,
        }
    }
}

/// An add-on with its manifest; the same again as `addon`, as existing dashboards read it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonShown {
    /// The add-on.
    #[serde(flatten)]
    pub view: AddonView,
    /// The same.
    pub addon: AddonView,
    /// Its manifest, null where none has come.
    pub manifest: Value,
}

/// An add-on's token, without its secret, which nobody has.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonToken {
    /// Number.
    pub id: u64,
    /// In words.
    pub name: String,
    /// The add-on that it belongs to.
    #[schema(required)]
    pub addon_id: Option<u64>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When it ends; null for never.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub expires_at: Option<Time>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonTokenMade {
    /// Number.
    pub id: u64,
    /// The secret, shown this once.
    pub token: String,
    /// In words.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When it ends; null for never.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub expires_at: Option<Time>,
}

/// The token that takes the place of another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonTokenRotated {
    /// The secret, shown this once.
    pub token: String,
    /// Number.
    pub id: u64,
}

/// An add-on that was registered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonRegistered {
    /// The add-on.
    pub addon: AddonView,
    /// The token that its daemon needs.
    pub token: String,
}

/// An add-on that brought its manifest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonConnected {
    /// Its number.
    pub addon_id: u64,
    /// The beginning of its token, as existing servers answer.
    pub session_id: String,
    /// The add-on.
    pub addon: AddonView,
    /// The version that it had before, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    /// What of its manifest was left out, or is not as the rules ask; its page says the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What is known of newer versions of an add-on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddonUpdates {
    /// Its number.
    pub addon_id: u64,
    /// Whether there is one.
    pub update_available: bool,
    /// The version that runs.
    pub current_version: String,
    /// The newest.
    #[schema(required)]
    pub latest_version: Option<String>,
    /// The tag that its deploy wizard starts with.
    #[schema(required)]
    pub current_tag: Option<String>,
    /// The newest.
    #[schema(required)]
    pub latest_tag: Option<String>,
    /// Its container image.
    #[schema(required)]
    pub image: Option<String>,
    /// The same.
    #[schema(required)]
    pub docker_image: Option<String>,
    /// Whether anybody was asked.
    pub checked: bool,
    /// In words.
    pub message: String,
}

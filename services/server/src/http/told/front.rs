//! What is told to everybody, and to who logs in: liveness, versions, logins.

use serde::Serialize;
use utoipa::ToSchema;
use wire::Time;

/// Whether the server serves, with the fields that clients of the specified systems look for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// The same as yes or no.
    pub ok: bool,
    /// `kiln`.
    pub service: &'static str,
    /// The box's name.
    pub name: String,
    /// Version of the server.
    pub version: &'static str,
    /// Since the server started.
    pub uptime_seconds: u64,
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Time,
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    pub time: Time,
    /// Whether the box belongs to somebody.
    pub claimed: bool,
    /// `ok` or `stuck`.
    pub db: &'static str,
    /// `ok` or `stuck`.
    pub database: &'static str,
    /// `online`, `degraded` or `offline`.
    pub agent: &'static str,
}

/// Version of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// It.
    pub version: &'static str,
    /// `kiln`.
    pub name: &'static str,
}

/// Whether there is a newer version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionCheck {
    /// Version of the server.
    pub current_version: &'static str,
    /// Always null: nobody is asked.
    #[schema(required)]
    pub latest_version: Option<String>,
    /// Whether there is one.
    pub update_available: bool,
    /// Whether anybody was asked.
    pub checked: bool,
}

/// Whether somebody is logged in, and whether the box is claimed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuthStatus {
    /// Whether the request came with a session.
    pub authenticated: bool,
    /// Always true: there is no box without a login.
    pub auth_enabled: bool,
    /// Whose session it is; null without one.
    #[schema(required)]
    pub username: Option<String>,
    /// Always false: nobody has a password that somebody else set.
    pub must_change_password: bool,
    /// Whether the box belongs to somebody.
    pub claimed: bool,
}

/// A login of an existing Vigil client.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VigilLogin {
    /// Always true.
    pub success: bool,
    /// For `Authorization: Bearer`, good for 24 h.
    pub token: String,
    /// User name.
    pub username: String,
    /// Always false: nobody has a password that somebody else set.
    pub must_change_password: bool,
}

/// A logout of an existing Vigil client.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VigilLogout {
    /// Always true.
    pub success: bool,
    /// `logged_out`.
    pub status: &'static str,
}

/// Who is logged in, as existing Vigil clients ask.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VigilMe {
    /// User name.
    pub username: String,
    /// When the session ends.
    #[schema(value_type = String, format = DateTime)]
    pub session_expires: Time,
    /// Always false: nobody has a password that somebody else set.
    pub must_change_password: bool,
}

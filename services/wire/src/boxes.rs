//! What the box says of itself, and what people send to it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{
    DriveId, JobId, Time,
    frame::LogLine,
    gate::{Armed, Plan, Typed},
    job::Progress,
    supervisor::Status,
};

/// The box at one glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct BoxView {
    /// Host name.
    pub name: String,
    /// Version of the software.
    pub version: String,
    /// SHA-256, in hex, of the list of what the running image is made of (`GET /api/v1/sbom`); `None` outside an image, or without a login.
    pub sbom: Option<String>,
    /// Whether somebody has claimed it.
    pub claimed: bool,
    /// What everybody has to know, worst first; without a login only whether there is any.
    pub banners: Vec<Banner>,
    /// The burn-in agent.
    pub agent: AgentView,
    /// What the supervisor says; `None` where the server does not run under it, or without a login.
    pub supervisor: Option<Status>,
    /// The box's clock.
    #[schema(value_type = String, format = DateTime)]
    pub now: Time,
}

/// Something that everybody who looks at the box has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Banner {
    /// `info`, `warning` or `critical`.
    pub severity: crate::event::Severity,
    /// In a sentence, with what to do.
    pub text: String,
}

/// Whether the burn-in agent can be talked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct AgentView {
    /// Liveness.
    pub state: Liveness,
    /// Last frame from it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Time>,
}

/// Liveness of an add-on, from its heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Liveness {
    /// Heard in time.
    Online,
    /// Three heartbeats missed, or reported late by the supervisor.
    Degraded,
    /// Not connected.
    Offline,
}

/// `progress` in the page's stream: how far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobProgress {
    /// The job.
    pub job: JobId,
    /// How far it is.
    pub progress: Progress,
}

/// `log` in the page's stream: one more line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobLine {
    /// The job it is about, if it is about one.
    pub job: Option<JobId>,
    /// The line.
    pub line: LogLine,
}

/// `POST /api/v1/claim`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Claim {
    /// The code on the console.
    pub code: String,
    /// Name of the first person.
    pub username: String,
    /// Password, 8 characters at least.
    pub password: String,
}

/// `POST /api/v1/session`: a user name or an e-mail address, and the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Login {
    /// User name; `email` is read as the same.
    #[serde(alias = "email")]
    pub username: String,
    /// Password.
    pub password: String,
}

/// `GET /api/v1/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Session {
    /// Who is logged in.
    pub username: String,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Time,
}

/// `POST /api/v1/plans`; answered with a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The drives.
    pub drives: Vec<DriveId>,
    /// Name of the playbook.
    pub playbook: String,
    /// What was chosen beside it.
    #[serde(default)]
    pub options: crate::options::PlanOptions,
}

/// `POST /api/v1/plans/{id}/arm`; answered with an [`Armed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmRequest {
    /// Password of the person who arms.
    pub password: String,
    /// What was typed for each drive.
    pub confirm: Typed,
}

/// `POST /api/v1/plans/{id}/start`: the [`Armed`] as it came, and nothing beside it; answered with [`Started`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// As in [`Armed`].
    pub ticket: String,
    /// As in [`Armed`].
    pub signature: String,
}

impl From<StartRequest> for Armed {
    fn from(request: StartRequest) -> Self {
        Self {
            ticket: request.ticket,
            signature: request.signature,
        }
    }
}

/// Answer to a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Started {
    /// The jobs, in the order of the plan's drives.
    pub jobs: Vec<JobId>,
}

/// `POST /api/v1/scans`: playbooks that only read; answered with [`Started`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// The drives, 1 to 128.
    pub drives: Vec<DriveId>,
    /// Name of the playbook.
    pub playbook: String,
}

/// `POST /api/v1/drives/{id}/locate`; answered with [`Told`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LocateRequest {
    /// On, for five minutes at most, or off.
    pub on: bool,
}

/// Most characters of a bay's name: one line of a label.
pub const BAY_NAME_MAX: usize = 64;

/// `PUT /api/v1/drives/{id}/bay`; answered with [`Told`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct BayRequest {
    /// What the bay where the drive sits, or sat last, is called from now on: one line of at most 64 characters; empty takes
    /// the name away.
    pub bay: String,
}

/// `PUT /api/v1/playbooks/{name}`; answered with [`Told`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct PlaybookText {
    /// Its TOML text, at most 64 KiB; `name` in it is the name in the path.
    pub text: String,
}

/// What was done, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Told {
    /// The sentence.
    pub told: String,
}

/// `POST /api/v1/certificates/check`; the certificate itself may be sent as a body that is no JSON by its content type instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The certificate's text, byte for byte, or that of its QR code.
    pub text: String,
    /// Keys that the reader knows besides those of this box: lines `key FINGERPRINT NAME` and `revoked ID WHY`.
    #[serde(default)]
    pub trust: String,
}

/// A certificate that this box signed, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CertificateEntry {
    /// The job.
    pub job: JobId,
    /// The drive.
    pub drive: DriveId,
    /// Model.
    pub model: String,
    /// Serial.
    pub serial: String,
    /// Serial that the drive itself told, as its job has it; `None` in lists of earlier versions, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub own_serial: Option<String>,
    /// Capacity.
    pub capacity: crate::Bytes,
    /// Playbook.
    pub playbook: String,
    /// The verdict's word.
    pub outcome: Option<crate::job::Outcome>,
    /// Its id, key, time, and whether it was revoked.
    pub info: crate::certificate::CertificateInfo,
}

/// A plan with the server's word on whether the person who asked may arm it.
pub type Planned = Plan;

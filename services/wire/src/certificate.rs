//! What jobs and frames say of certificates; the certificate itself is the crate `certificate`'s.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::job::{Job, Outcome};
use crate::{Bytes, DriveId, JobId, Time};

/// How long a certificate speaks for a drive, in days.
///
/// A choice, not a measurement: drives fail at 1–2 % a year (Backblaze, drive stats), and what a
/// surface test saw says little about a drive that worked on for longer than that.
pub const VALID_DAYS: i64 = 365;

/// What a job says of its certificate; the certificate itself is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CertificateInfo {
    /// Its id, as printed on it.
    pub id: String,
    /// SHA-256 over the public key, hexadecimal.
    pub key: String,
    /// When it was signed.
    #[schema(value_type = String, format = DateTime)]
    pub made: Time,
    /// Why it was revoked on this box, and when: the same drive failed later.
    pub revoked: Option<Revocation>,
}

/// A certificate that no longer holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Revocation {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// The job that found it.
    pub job: JobId,
    /// In words.
    pub why: String,
}

impl Revocation {
    /// By a job in which the same drive failed; `otherwise` is the time where the job names no end.
    pub fn by(failed: &Job, otherwise: Time) -> Self {
        Self {
            at: failed.ended.unwrap_or(otherwise),
            job: failed.id,
            why: match &failed.verdict {
                Some(verdict) => format!("the same drive failed a later burn-in: {}", verdict.summary),
                None => "the same drive failed a later burn-in".to_owned(),
            },
        }
    }
}

/// A certificate as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CertificateText {
    /// The job it is of.
    pub job: JobId,
    /// Canonical JSON with its signature, byte for byte.
    pub text: String,
}

/// What a check of a certificate came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CertificateCheck {
    /// Whether it may be relied on.
    pub standing: Standing,
    /// Why it stands so, in a sentence.
    pub told: String,
    /// Whether the signature is that of the key that the certificate names, over exactly what it says.
    pub signature_good: bool,
    /// SHA-256 over the public key, 64 hexadecimal digits; `None` where the text names no key.
    pub key: Option<String>,
    /// Under which name the reader knows that key; `None`: not at all.
    pub known_as: Option<String>,
    /// Whether `valid_until` has passed.
    pub expired: bool,
    /// Whether it says that it was made more than a day from now: a clock was wrong. A box of an older version does not tell.
    #[serde(default)]
    pub not_yet_valid: bool,
    /// Whether it was revoked.
    pub revocation: RevocationState,
    /// What it says; only where the signature is good.
    pub says: Option<CertificateFacts>,
}

/// Whether a certificate may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The signature is good and by a key that the reader knows; neither expired nor known to be revoked.
    Trusted,
    /// The signature is good, by a key that the reader does not know.
    UnknownKey,
    /// The signature of the signed file inside is good, and neither expired nor known to be revoked, by whatever key; the page or PDF around
    /// it is not what this version draws. Another version drew it, or it was changed: what it shows is not confirmed.
    OtherDrawing,
    /// It is damaged, forged, expired, not yet valid or revoked, or no certificate.
    Bad,
}

/// What is known of a certificate's revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RevocationState {
    /// Only the box that signed it knows, and it was not asked.
    Unknown,
    /// The box that signed it has not revoked it.
    Standing,
    /// It was revoked.
    Revoked(Revocation),
    /// Nobody knows yet: a burn-in of the same drive found what fails it, and has no verdict.
    Doubted {
        /// What it found and what to do, within a sentence.
        why: String,
    },
    /// The reader's own trust file says so; where it was signed nothing is known of that.
    TrustFile {
        /// With what reason.
        why: String,
    },
}

/// The essence of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CertificateFacts {
    /// Its id, as printed on it.
    pub id: String,
    /// The drive; `None` where only the code on paper was checked.
    pub drive: Option<DriveId>,
    /// Model.
    pub model: String,
    /// Serial.
    pub serial: String,
    /// Capacity.
    pub capacity: Bytes,
    /// The verdict's word.
    pub outcome: Outcome,
    /// When it was signed.
    #[schema(value_type = String, format = DateTime)]
    pub made: Time,
    /// Until when it speaks for the drive.
    #[schema(value_type = String, format = DateTime)]
    pub valid_until: Time,
    /// SHA-256 over what was signed, 64 hexadecimal digits.
    pub digest: String,
}

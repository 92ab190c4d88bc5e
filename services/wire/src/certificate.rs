//! What jobs and frames say of certificates; the certificate itself is the crate `certificate`'s.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{JobId, Time};

/// What a job says of its certificate; the certificate itself is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CertificateInfo {
    /// Its id, as printed on it.
    pub id: String,
    /// SHA-256 over the public key, hexadecimal.
    pub key: String,
    /// When it was signed.
    pub made: Time,
    /// Why it was revoked on this box, and when: the same drive failed later.
    pub revoked: Option<Revocation>,
}

/// A certificate that no longer holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Revocation {
    /// When.
    pub at: Time,
    /// The job that found it.
    pub job: JobId,
    /// In words.
    pub why: String,
}

/// A certificate as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CertificateText {
    /// The job it is of.
    pub job: JobId,
    /// Canonical JSON with its signature, byte for byte.
    pub text: String,
}

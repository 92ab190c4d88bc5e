//! Whether a certificate was revoked, asked where it was signed: on this computer, or at a box.

use std::path::PathBuf;

use anyhow::Context;
use certificate::check::WORDS_MAX;
use certificate::revoke::Remembered;
use http::{Method, Uri};
use serde_json::json;
use wire::certificate::{CertificateCheck, Revocation, RevocationState};
use wire::shown::brief;

use crate::remote::{Remote, RemoteArgs};
use crate::{burn, seals};

/// Who was asked beside this computer.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nobody.
    Nobody,
    /// A box that gave no answer.
    Silent(Uri),
    /// A box.
    Box(Uri),
}

impl Asked {
    /// Why nothing is known, in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Nobody => "only who signed it can tell, and was not asked".to_owned(),
            Self::Silent(url) => format!("{url} was asked and gave no answer"),
            Self::Box(url) => format!("{url} does not remember that it signed it"),
        }
    }
}

/// What is known of the revocation of a certificate that was checked, and who was asked. A box hears of one whose signature is
/// good alone; what keeps it from answering is told.
pub(super) fn revocations(
    bare: &CertificateCheck,
    text: &str,
    state: Option<PathBuf>,
    remote: Option<&RemoteArgs>,
) -> (Remembered, Asked) {
    let mut remembered = here(state);
    let Some(remote) = remote.filter(|_| bare.signature_good) else {
        return (remembered, Asked::Nobody);
    };
    match told_by(remote, text) {
        Ok(told) => {
            remember(&mut remembered, bare, told);
            (remembered, Asked::Box(remote.url.clone()))
        }
        Err(error) => {
            tell!("kiln cert: {error:#}");
            (remembered, Asked::Silent(remote.url.clone()))
        }
    }
}

/// What is known on this computer; what keeps it from being known is told.
pub(super) fn here(state: Option<PathBuf>) -> Remembered {
    seals::known(&burn::folder(state)).unwrap_or_else(|why| {
        tell!("kiln cert: what was revoked on this computer is not known: {why}");
        Remembered::new()
    })
}

fn told_by(remote: &RemoteArgs, text: &str) -> anyhow::Result<CertificateCheck> {
    let request = json!({ "text": text });
    let told = Remote::log_in(remote)?.json(Method::POST, "/api/v1/certificates/check", &request)?;
    serde_json::from_value(told).context("the box's answer")
}

/// Adds what a box told of this certificate; what is revoked here stays so.
fn remember(remembered: &mut Remembered, bare: &CertificateCheck, told: CertificateCheck) {
    let id = |check: &CertificateCheck| check.says.as_ref().map(|says| says.id.clone());
    let (Some(own), Some(key)) = (id(bare), bare.key.as_ref().and_then(|key| key.parse().ok())) else {
        return;
    };
    if id(&told).as_ref() != Some(&own) || told.key != bare.key {
        return;
    }
    let revoked = match told.revocation {
        // It was given no trust file.
        RevocationState::Unknown | RevocationState::TrustFile { .. } => return,
        RevocationState::Standing => None,
        RevocationState::Revoked(told) => Some(Revocation {
            why: brief(&told.why, WORDS_MAX),
            ..told
        }),
    };
    let here = remembered.remove(&own).filter(|(by, _)| *by == key);
    remembered.insert(own, (key, here.and_then(|(_, here)| here).or(revoked)));
}

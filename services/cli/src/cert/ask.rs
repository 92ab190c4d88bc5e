//! Whether a certificate was revoked, asked where it was signed: on this computer, or at a box.

use std::path::PathBuf;

use anyhow::Context;
use certificate::check::WORDS_MAX;
use certificate::revoke::{self, Remembered};
use http::{Method, Uri};
use serde_json::json;
use wire::boxes::CertificateEntry;
use wire::certificate::{CertificateCheck, Revocation, RevocationState};
use wire::shown::brief;

use crate::burn::Unended;
use crate::remote::{Remote, RemoteArgs};
use crate::{burn, seals};

/// Who was asked beside this computer.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nobody.
    Nobody,
    /// A box that was not asked in the end, or gave no answer: why was told.
    Silent(Uri),
    /// A box.
    Box(Uri),
}

impl Asked {
    /// Why nothing is known, in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Nobody => "only who signed it can tell, and was not asked".to_owned(),
            Self::Silent(url) => format!("nothing was learned of it from {url}"),
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
    let state = burn::folder(state);
    let listed = seals::known(&state).unwrap_or_else(|why| {
        tell!("kiln cert: what was revoked on this computer is not known: {why}");
        Vec::new()
    });
    let doubts = doubts(&listed, &burn::unended(&state));
    let mut remembered = revoke::remembered(listed);
    for (id, why) in doubts {
        if let Some((_, known)) = remembered.get_mut(&id) {
            *known = RevocationState::Doubted { why };
        }
    }
    remembered
}

/// The certificates that would be revoked if what has no verdict yet ended as it stands, and why.
fn doubts(listed: &[CertificateEntry], unended: &[Unended]) -> Vec<(String, String)> {
    let doubt = |entry: &CertificateEntry| {
        let by = unended.iter().find(|one| revoke::is_doubted(entry, &one.job))?;
        Some((entry.info.id.clone(), by.words()))
    };
    listed.iter().filter_map(doubt).collect()
}

fn told_by(remote: &RemoteArgs, text: &str) -> anyhow::Result<CertificateCheck> {
    let request = json!({ "text": text });
    let told = Remote::log_in(remote)?.json(Method::POST, "/api/v1/certificates/check", &request)?;
    serde_json::from_value(told).context("the box's answer")
}

/// Adds what a box told of this certificate; what is revoked or in doubt here stays so.
fn remember(remembered: &mut Remembered, bare: &CertificateCheck, told: CertificateCheck) {
    let id = |check: &CertificateCheck| check.says.as_ref().map(|says| says.id.clone());
    let (Some(own), Some(key)) = (id(bare), bare.key.as_ref().and_then(|key| key.parse().ok())) else {
        return;
    };
    if id(&told).as_ref() != Some(&own) || told.key != bare.key {
        return;
    }
    let told = match told.revocation {
        // It was given no trust file.
        RevocationState::Unknown | RevocationState::TrustFile { .. } => return,
        RevocationState::Revoked(by) => RevocationState::Revoked(Revocation {
            why: brief(&by.why, WORDS_MAX),
            ..by
        }),
        RevocationState::Doubted { why } => RevocationState::Doubted {
            why: brief(&why, WORDS_MAX),
        },
        RevocationState::Standing => RevocationState::Standing,
    };
    let here = remembered.remove(&own).filter(|(by, _)| *by == key);
    let known = match here {
        Some((_, here)) => worse(here, told),
        None => told,
    };
    remembered.insert(own, (key, known));
}

/// The worse of what is known in two places: what is revoked in one of them is, and so is what is in doubt there.
fn worse(here: RevocationState, told: RevocationState) -> RevocationState {
    let rank = |known: &RevocationState| match known {
        RevocationState::Revoked(_) => 2,
        RevocationState::Doubted { .. } => 1,
        RevocationState::Unknown | RevocationState::Standing | RevocationState::TrustFile { .. } => 0,
    };
    if rank(&told) > rank(&here) { told } else { here }
}

#[cfg(test)]
mod tests {
    use wire::{JobId, Time};

    use super::*;

    #[test]
    fn what_is_worse_in_one_of_two_places_counts() {
        let revoked = RevocationState::Revoked(Revocation {
            at: Time::UNIX_EPOCH,
            job: JobId::now(),
            why: "it failed".to_owned(),
        });
        let doubted = RevocationState::Doubted {
            why: "it has found one finding".to_owned(),
        };
        let all = [RevocationState::Standing, doubted, revoked];
        for (at, here) in all.iter().enumerate() {
            for (other, told) in all.iter().enumerate() {
                assert_eq!(worse(here.clone(), told.clone()), all[at.max(other)]);
            }
        }
    }
}

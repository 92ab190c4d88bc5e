//! Whether a certificate may be relied on, and why.
//!
//! Three questions, kept apart: is the signature that of the key it names (mathematics), does the reader
//! know that key (trust), and does it still hold (time, revocation). Whether the *drive* is good is none
//! of them: a certificate of a FAILED drive can be trusted, and says FAILED.

use std::fmt::Display;

use wire::Time;
use wire::certificate::{CertificateCheck, CertificateFacts, RevocationState, Standing};
use wire::shown::brief;

use crate::carrier::{self, Carried};
use crate::certificate::valid_until;
use crate::key::{Fingerprint, PublicKey};
use crate::report::day;
use crate::revoke::{Remembered, reason};
use crate::signed::{Bad, Signed};
use crate::stamp::{self, BadStamp, NAME_MAX, Says, Stamp};
use crate::trust::Trust;

/// How far another clock may be ahead of ours before what it signed lies in the future: a day, so that no time zone and no
/// clock that lags a little makes a good certificate bad.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Characters that are told of a reason or of a key's name: four rows of a narrow screen. Somebody else may have written a trust file, or
/// a box's answer.
pub const WORDS_MAX: usize = 300;

/// What is known of revocations, by certificate id.
#[derive(Clone, Copy, Debug)]
pub enum Revocations<'a> {
    /// Who signed was not asked.
    Unknown,
    /// Every certificate that is remembered where it was signed, revoked or not. Of another key's certificate of that id, and
    /// of one that is no longer remembered, nothing is known.
    Of(&'a Remembered),
}

/// Checks a signed certificate, the page made of it, its PDF in a `data:` URL, or the text of its QR code.
pub fn check(text: &str, trust: &Trust, now: Time, revocations: Revocations<'_>) -> CertificateCheck {
    if text.starts_with("%PDF-") {
        return bad(
            "This is a PDF that was sent as text, which changes it: nothing can be said of it. Send the file itself, take out \
             the signed file attached to it, or paste the text of its QR code."
                .to_owned(),
        );
    }
    if text.starts_with("<!doctype html>") || text.starts_with(carrier::PDF_URL) {
        return match carrier::open(text.as_bytes()) {
            Ok(carried) => check_carried(&carried, trust, now, revocations),
            Err(why) => no_good(why),
        };
    }
    if text.starts_with(stamp::FIRST) {
        return match Stamp::parse(text) {
            Ok(stamp) if stamp.verifies() => judge(of_stamp(&stamp), trust, now, revocations),
            Err(why @ (BadStamp::Control { .. } | BadStamp::Name { .. } | BadStamp::Id)) => no_good(why),
            Ok(_) | Err(BadStamp::Spelling) => {
                bad("The signature of this code is bad: it was damaged or changed.".to_owned())
            }
        };
    }
    match Signed::parse(text) {
        Ok(signed) => judge(of_signed(&signed), trust, now, revocations),
        Err(why @ (Bad::Signature | Bad::NotCanonical | Bad::Stamp)) => bad(format!(
            "The signature is bad: {why}. This certificate was damaged or changed."
        )),
        Err(why) => no_good(why),
    }
}

/// Checks what was taken out of a file. However well its key is known, a page or PDF that this version draws otherwise is confirmed by
/// nobody as a whole: it may show PASSED around a certificate that says FAILED.
pub fn check_carried(carried: &Carried, trust: &Trust, now: Time, revocations: Revocations<'_>) -> CertificateCheck {
    let mut result = check(&carried.text, trust, now, revocations);
    if let Some(other) = &carried.other {
        result.told += &format!(" {other}");
        if result.standing != Standing::Bad {
            result.standing = Standing::OtherDrawing;
        }
    }
    result
}

/// What is told of a file in which there is no certificate, and `why`.
pub fn no_good(why: impl Display) -> CertificateCheck {
    bad(format!("This is no good certificate: {why}."))
}

fn bad(told: String) -> CertificateCheck {
    CertificateCheck {
        standing: Standing::Bad,
        told,
        signature_good: false,
        key: None,
        known_as: None,
        expired: false,
        not_yet_valid: false,
        revocation: RevocationState::Unknown,
        says: None,
    }
}

fn of_signed(signed: &Signed) -> (CertificateFacts, Option<Fingerprint>) {
    let certificate = signed.certificate();
    let facts = CertificateFacts {
        drive: Some(certificate.drive.id.clone()),
        made: certificate.made,
        valid_until: certificate.valid_until,
        ..facts(&signed.stamp().says)
    };
    (facts, Some(signed.key().fingerprint()))
}

fn of_stamp(stamp: &Stamp) -> (CertificateFacts, Option<Fingerprint>) {
    let key = PublicKey::parse(&stamp.says.key).map(PublicKey::fingerprint);
    (facts(&stamp.says), key)
}

/// What file and paper tell alike: whoever has a key may sign names of any length, and none may take the place of what is told of them.
fn facts(says: &Says) -> CertificateFacts {
    CertificateFacts {
        id: says.id.clone(),
        drive: None,
        model: brief(&says.model, NAME_MAX),
        serial: brief(&says.serial, NAME_MAX),
        capacity: says.capacity,
        outcome: says.outcome,
        made: says.made,
        valid_until: says.valid_until,
        digest: says.digest.clone(),
    }
}

/// Why a certificate was revoked, within a sentence, and no longer than [`WORDS_MAX`].
pub fn why(text: &str) -> String {
    brief(reason(text), WORDS_MAX)
}

fn judge(
    (mut says, key): (CertificateFacts, Option<Fingerprint>),
    trust: &Trust,
    now: Time,
    revocations: Revocations<'_>,
) -> CertificateCheck {
    let Some(key) = key else {
        return bad("This is no good certificate: the key that it names is no Ed25519 key.".to_owned());
    };
    let revocation = revocation(&says.id, key, trust, revocations);
    let known_as = trust.name(key).map(|name| brief(name, WORDS_MAX));
    // Nobody vouches for longer than that, whatever the maker wrote.
    says.valid_until = says.valid_until.min(valid_until(says.made));
    let expired = now > says.valid_until;
    let not_yet_valid = says.made.duration_since(now) > AHEAD;
    let (standing, mut told) = if let RevocationState::Revoked(revoked) = &revocation {
        (
            Standing::Bad,
            format!(
                "The signature is good, but it was revoked on {}: {}.",
                day(revoked.at),
                why(&revoked.why)
            ),
        )
    } else if let RevocationState::TrustFile { why } = &revocation {
        (
            Standing::Bad,
            format!("The signature is good, but your trust file says that it is revoked: {why}."),
        )
    } else if not_yet_valid {
        (
            Standing::Bad,
            format!(
                "The signature is good, but it says that it was made on {}, and that is still to come: the clock of the box \
                 that made it was wrong, or this one is.",
                day(says.made)
            ),
        )
    } else if expired {
        (
            Standing::Bad,
            format!(
                "The signature is good, but it was valid until {} only.",
                day(says.valid_until)
            ),
        )
    } else if let Some(name) = &known_as {
        (
            Standing::Trusted,
            format!("The signature is good, by a key that you know: {name}."),
        )
    } else {
        (
            Standing::UnknownKey,
            "The signature is good, but by a key that you do not know: compare its fingerprint with one that the \
             maker gave you."
                .to_owned(),
        )
    };
    if let RevocationState::Doubted { why } = &revocation
        && standing != Standing::Bad
    {
        told += &format!(" Whether it still holds is not known: {why}.");
    }
    CertificateCheck {
        standing,
        told,
        signature_good: true,
        key: Some(key.to_hex()),
        known_as,
        expired,
        not_yet_valid,
        revocation,
        says: Some(says),
    }
}

/// What is known of a certificate's revocation: where it was signed, else by the reader's trust file.
fn revocation(id: &str, key: Fingerprint, trust: &Trust, revocations: Revocations<'_>) -> RevocationState {
    let known = match revocations {
        Revocations::Of(list) => list.get(id).filter(|(by, _)| *by == key),
        Revocations::Unknown => None,
    };
    match (known, trust.revoked(id)) {
        (Some((_, revoked @ RevocationState::Revoked(_))), _) => revoked.clone(),
        (_, Some(told)) => RevocationState::TrustFile { why: why(told) },
        (Some((_, known)), None) => known.clone(),
        (None, None) => RevocationState::Unknown,
    }
}

//! What is drawn around a signed file is believed only where this version draws it so. Another version may draw a good certificate
//! otherwise, and so may whoever sells the drive.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certificate::{Revocations, SOFTWARE, Signed, Trust, check, page, pdf};
use common::{failed, key, sign, sign_as_older, time};
use wire::certificate::{CertificateCheck, Standing};
use wire::job::Outcome;

fn told(text: &str, trust: &str, now: &str) -> CertificateCheck {
    let trust = Trust::parse(trust).unwrap();
    check(text, &trust, time(now), Revocations::Unknown)
}

fn known() -> String {
    format!("key {} the bench\n", key().public().fingerprint().to_hex())
}

/// The one place of a text's that is this.
fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes());
    let (before, rest) = bytes.split_at(at.unwrap());
    [before, to.as_bytes(), &rest[from.len()..]].concat()
}

fn url(pdf: &[u8]) -> String {
    format!("data:application/pdf;base64,{}", STANDARD.encode(pdf))
}

/// Page and PDF with other things around the same signed file.
fn redrawn(signed: &Signed) -> [String; 2] {
    let page = changed(page::html(signed).as_bytes(), ">FAILED<", ">PASSED<");
    let pdf = changed(&pdf::pdf(signed), "/Creator (Kiln)", "/Creator (Kilm)");
    [String::from_utf8(page).unwrap(), url(&pdf)]
}

const NOW: &str = "2026-12-24T18:00:00Z";

#[test]
fn by_another_version_it_is_judged_by_what_was_signed_and_never_trusted() {
    let older = sign_as_older(&failed());
    for same in [page::html(&older), url(&pdf::pdf(&older))] {
        assert_eq!(told(&same, &known(), NOW), told(older.text(), &known(), NOW));
    }
    for other in redrawn(&older) {
        let result = told(&other, &known(), NOW);
        assert_eq!(result.standing, Standing::OtherDrawing, "{}", result.told);
        assert!(result.signature_good && result.known_as.as_deref() == Some("the bench"));
        assert_eq!(result.says.unwrap().outcome, Outcome::Failed, "whatever it shows");
        for part in [
            "The signature is good",
            SOFTWARE,
            "the certificate in it is by kiln 0.1.0)",
            "Believe what is told here, and nothing that it shows.",
        ] {
            assert!(result.told.contains(part), "{part:?} is not in {}", result.told);
        }
        let unknown = told(&other, "", NOW);
        assert_eq!((unknown.standing, unknown.known_as), (Standing::OtherDrawing, None));
        let revoked = format!("{}revoked {} it failed\n", known(), older.certificate().id);
        for (trust, now) in [(&revoked, NOW), (&known(), "2028-01-01T00:00:00Z")] {
            let bad = told(&other, trust, now);
            assert_eq!(
                (bad.standing, bad.signature_good),
                (Standing::Bad, true),
                "{}",
                bad.told
            );
        }
    }
}

#[test]
fn of_a_certificate_of_this_version_it_is_bad() {
    for other in redrawn(&sign(&failed())) {
        let result = told(&other, &known(), NOW);
        assert_eq!((result.standing, result.signature_good), (Standing::Bad, false));
        assert!(result.told.contains("it was changed, saved anew"), "{}", result.told);
    }
}

#[test]
fn with_another_signed_file_in_it_is_bad_by_whatever_version() {
    for signed in [sign(&failed()), sign_as_older(&failed())] {
        let (page, pdf) = (page::html(&signed), pdf::pdf(&signed));
        let forged = signed
            .text()
            .replace("\"outcome\":\"FAILED\"", "\"outcome\":\"PASSED\"");
        let inside = |text: &str| STANDARD.encode(text);
        let page = changed(page.as_bytes(), &inside(signed.text()), &inside(&forged));
        for bad in [
            String::from_utf8(page).unwrap(),
            url(&changed(&pdf, signed.text(), &forged)),
        ] {
            let result = told(&bad, &known(), NOW);
            assert_eq!((result.standing, result.signature_good), (Standing::Bad, false));
            assert_eq!(result.says, None);
        }
    }
}

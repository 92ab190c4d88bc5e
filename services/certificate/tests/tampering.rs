//! A certificate is good as it was signed, and bad after any change at all.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use certificate::report::Report;
use certificate::{Bad, Certificate, Key, Revocations, Signed, Stamp, Trust, check};
use common::{code_by_hand, failed, file_by_hand, key, maker, passed, sign, sign_by_hand, time};
use proptest::prelude::*;
use wire::certificate::{Revocation, RevocationState, Standing};
use wire::job::{FaultKind, Finding, Job, JobState, Outcome};
use wire::unproven::{FAILED_OR_REFUSED, GIVEN_UP, NOT_REPRODUCED, NOT_TRIED_AGAIN};
use wire::{Lba, Time};

fn now() -> Time {
    time("2026-12-24T18:00:00Z")
}

fn knows() -> Trust {
    let mut trust = Trust::none();
    trust.add(key().public().fingerprint(), "kiln-bench-2");
    trust
}

fn standing(text: &str) -> Standing {
    check(text, &knows(), now(), Revocations::Unknown).standing
}

#[test]
fn as_signed_it_is_trusted_and_says_what_the_job_said() {
    for job in [passed(), failed()] {
        let signed = sign(&job);
        let result = check(signed.text(), &knows(), now(), Revocations::Unknown);
        assert_eq!(result.standing, Standing::Trusted, "{}", result.told);
        assert_eq!(result.known_as.as_deref(), Some("kiln-bench-2"));
        assert_eq!(result.revocation, RevocationState::Unknown);
        let says = result.says.unwrap();
        assert_eq!(says.outcome, job.verdict.as_ref().unwrap().outcome);
        assert_eq!((says.serial, says.capacity), (job.serial.clone(), job.capacity));
        let read = Signed::parse(signed.text()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(
            read.certificate().smart[2].before,
            Some(i64::MAX),
            "beyond 2^53 stays exact"
        );
        assert_eq!(
            standing(&format!("{}\n", signed.text())),
            Standing::Trusted,
            "one line feed is forgiven"
        );
        assert_eq!(Signed::parse(&format!("\u{feff}{}", signed.text())), Err(Bad::Marked));
    }
}

#[test]
fn the_same_job_gives_the_same_bytes() {
    assert_eq!(sign(&passed()).text(), sign(&passed()).text());
}

#[test]
fn unknown_keys_time_and_revocation_are_told_apart() {
    let signed = sign(&passed());
    fn of(
        signed: &Signed,
        trust: &Trust,
        now: Time,
        revocations: Revocations<'_>,
    ) -> wire::certificate::CertificateCheck {
        check(signed.text(), trust, now, revocations)
    }
    let unknown = of(&signed, &Trust::none(), now(), Revocations::Unknown);
    assert_eq!(unknown.standing, Standing::UnknownKey);
    assert!(unknown.signature_good && unknown.known_as.is_none());

    let until = signed.certificate().valid_until;
    assert_eq!(
        of(&signed, &knows(), until, Revocations::Unknown).standing,
        Standing::Trusted
    );
    let late = of(&signed, &knows(), time("2027-11-19T14:22:07Z"), Revocations::Unknown);
    assert!(
        late.standing == Standing::Bad && late.expired && !late.not_yet_valid && late.signature_good,
        "{}",
        late.told
    );

    let own = key().public().fingerprint();
    let mut list = BTreeMap::new();
    assert_eq!(
        of(&signed, &knows(), now(), Revocations::Of(&list)).revocation,
        RevocationState::Unknown,
        "the box forgot it, and with it whether it was revoked"
    );
    list.insert(signed.certificate().id.clone(), (own, RevocationState::Standing));
    assert_eq!(
        of(&signed, &knows(), now(), Revocations::Of(&list)).revocation,
        RevocationState::Standing
    );
    let revocation = Revocation {
        at: now(),
        job: wire::JobId::now(),
        why: "the same drive failed later".into(),
    };
    list.insert(
        signed.certificate().id.clone(),
        (own, RevocationState::Revoked(revocation.clone())),
    );
    let revoked = of(&signed, &knows(), now(), Revocations::Of(&list));
    assert!(
        revoked.standing == Standing::Bad && revoked.told.contains("failed later"),
        "{}",
        revoked.told
    );
    let other = Key::from_seed(&[1; 32]).public().fingerprint();
    list.insert(
        signed.certificate().id.clone(),
        (other, RevocationState::Revoked(revocation.clone())),
    );
    let foreign = of(&signed, &knows(), now(), Revocations::Of(&list));
    assert_eq!(
        foreign.revocation,
        RevocationState::Unknown,
        "another box cannot speak for it"
    );

    let text = format!("key {} b\nrevoked {} bent\n", own.to_hex(), signed.certificate().id);
    let trust = Trust::parse(&text).unwrap();
    let why = "a burn-in has found one finding".to_owned();
    list.insert(signed.certificate().id.clone(), (own, RevocationState::Doubted { why }));
    let doubted = of(&signed, &knows(), now(), Revocations::Of(&list));
    assert_eq!(doubted.standing, Standing::Trusted, "nothing was taken back");
    assert!(
        doubted.told.ends_with("not known: a burn-in has found one finding."),
        "{}",
        doubted.told
    );
    assert!(matches!(doubted.revocation, RevocationState::Doubted { .. }));
    for known in [Revocations::Unknown, Revocations::Of(&list)] {
        let told = of(&signed, &trust, now(), known);
        assert_eq!(told.standing, Standing::Bad);
        let why = "bent".to_owned();
        assert_eq!(
            told.revocation,
            RevocationState::TrustFile { why },
            "what a program reads"
        );
    }
    list.insert(
        signed.certificate().id.clone(),
        (own, RevocationState::Revoked(revocation)),
    );
    let told = of(&signed, &trust, now(), Revocations::Of(&list));
    assert!(
        matches!(told.revocation, RevocationState::Revoked(_)),
        "who signed it knows more"
    );
}

/// A trust file knows one spelling of each id: in another one a key's owner would sign what no line of it revokes.
#[test]
fn an_id_that_a_revocation_would_not_find_is_bad_in_every_form() {
    let own = sign(&passed()).certificate().clone();
    let trust = |id: &str| {
        let print = key().public().fingerprint().to_hex();
        Trust::parse(&format!("key {print} b\nrevoked {id} bent\n")).unwrap()
    };
    for id in [own.id.to_lowercase(), format!("{} ", own.id), own.id.replace('-', "")] {
        let certificate = Certificate {
            id: id.clone(),
            ..own.clone()
        };
        assert!(Signed::sign(&certificate, &key()).is_err(), "{id}");
        for text in [file_by_hand(&certificate), code_by_hand(&certificate)] {
            let told = check(&text, &trust(&id), now(), Revocations::Unknown);
            assert_eq!(told.standing, Standing::Bad, "{id}: {text}");
            assert!(told.told.contains("its id is not spelt"), "{id}: {}", told.told);
            assert!(told.says.is_none());
        }
    }
    for text in [file_by_hand(&own), code_by_hand(&own)] {
        let told = check(&text, &knows(), now(), Revocations::Unknown);
        assert_eq!(told.standing, Standing::Trusted, "{}", told.told);
        let told = check(&text, &trust(&own.id), now(), Revocations::Unknown);
        assert!(
            told.standing == Standing::Bad && told.told.contains("bent"),
            "{}",
            told.told
        );
    }
}

/// Of names without a bound a screen shows the end alone, which anybody with a key of their own may write: "TRUSTED".
#[test]
fn whatever_a_certificate_says_is_told_in_a_few_lines() {
    let mut long = sign(&passed()).certificate().clone();
    long.drive.model = format!("ST1{}TRUSTED: {}", " ".repeat(5_000), "x".repeat(5_000));
    long.drive.serial = format!("Z{}1", "\u{2003}".repeat(40));
    let check = |text: &str| check(text, &knows(), now(), Revocations::Unknown);
    let signed = Signed::sign(&long, &key()).unwrap();
    for text in [signed.text().to_owned(), signed.stamp().text()] {
        let says = check(&text).says.unwrap();
        assert_eq!((says.model.as_str(), says.serial.as_str()), ("ST1", "Z 1"));
    }
    let code = check(&code_by_hand(&long));
    assert!(code.standing == Standing::Bad && code.says.is_none(), "{}", code.told);
    assert!(code.told.contains("its model is longer than 60"), "{}", code.told);

    let mut strange = serde_json::to_value(sign(&passed()).certificate()).unwrap();
    strange["verdict"]["outcome"] = format!("{}TRUSTED", "x ".repeat(5_000)).into();
    let body = certificate::canonical::of_value(&strange).unwrap();
    let signature = sign_by_hand("kiln-certificate-v1", &body);
    let file = serde_json::json!({"certificate": strange, "signature": signature, "stamp": ""});
    let told = check(&certificate::canonical::of_value(&file).unwrap());
    assert!(
        told.standing == Standing::Bad && told.told.contains("unknown variant"),
        "{}",
        told.told
    );
    assert!(told.told.chars().count() < 250, "{}", told.told);

    let (print, id) = (key().public().fingerprint().to_hex(), long.id);
    let words = "word ".repeat(1_000);
    let trust = Trust::parse(&format!("key {print} {words}\nrevoked {id} {words}\n")).unwrap();
    let told = certificate::check(signed.text(), &trust, now(), Revocations::Unknown);
    assert!(told.told.chars().count() < 400, "{}", told.told);
    assert!(told.known_as.unwrap().chars().count() <= 300);
}

#[test]
fn a_wrong_clock_makes_nothing_that_holds_for_decades() {
    let mut certificate = sign(&passed()).certificate().clone();
    certificate.made = time("2099-01-01T00:00:00Z");
    certificate.valid_until = time("2099-12-31T00:00:00Z");
    let signed = Signed::sign(&certificate, &key()).unwrap();
    let at = |now: &str| check(signed.text(), &knows(), time(now), Revocations::Unknown);
    let early = at("2026-12-24T18:00:00Z");
    assert!(
        early.standing == Standing::Bad && early.not_yet_valid && early.told.contains("still to come"),
        "{}",
        early.told
    );
    assert_eq!(
        at("2098-12-31T12:00:00Z").standing,
        Standing::Trusted,
        "half a day is a clock's right"
    );
    assert_eq!(at("2099-06-01T00:00:00Z").standing, Standing::Trusted);

    certificate.made = now();
    certificate.valid_until = time("9999-01-01T00:00:00Z");
    let signed = Signed::sign(&certificate, &key()).unwrap();
    let late = check(
        signed.text(),
        &knows(),
        time("2028-01-01T00:00:00Z"),
        Revocations::Unknown,
    );
    assert!(late.standing == Standing::Bad && late.expired, "{}", late.told);
}

/// Every byte, with a bit of it flipped: none may go unseen.
#[test]
fn one_flipped_bit_in_any_byte_is_bad() {
    let mut job = passed();
    // Short, so that each of its bytes can be tried.
    job.surface.truncate(1);
    job.surface[0].zones.truncate(2);
    job.timeline.truncate(1);
    let signed = sign(&job);
    let text = format!("{}\n", signed.text());
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1 << (at % 8);
        let changed = String::from_utf8_lossy(&bytes);
        let result = check(&changed, &knows(), now(), Revocations::Unknown);
        assert_eq!(result.standing, Standing::Bad, "byte {at}: {}", result.told);
        assert!(result.says.is_none(), "byte {at}: what is not signed is not shown");
    }
}

#[test]
fn what_reads_alike_but_is_spelt_otherwise_is_bad() {
    let signed = sign(&passed());
    let text = signed.text();
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let more = text.replacen("{\"certificate\"", "{\"also\":1,\"certificate\"", 1);
    let twice = text.replacen("\"format\"", "\"format\":\"kiln-certificate\",\"format\"", 1);
    for changed in [
        serde_json::to_string_pretty(&value).unwrap(),
        text.replace("\"sector\":512", "\"sector\":512.0"),
        text.replace("\"sector\":512", "\"sector\": 512"),
        text.replace("PASSED", "P\\u0041SSED"),
        format!(" {text}"),
        format!("{text}\n\n"),
        format!("{text}{text}"),
        more,
        twice,
    ] {
        assert_ne!(changed, text);
        assert_eq!(standing(&changed), Standing::Bad, "{}", &changed[..60]);
    }
}

#[test]
fn parts_of_other_certificates_do_not_fit() {
    let (a, b) = (sign(&passed()), sign(&failed()));
    let take = |text: &str, name: &str| -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(text).unwrap()[name].clone()
    };
    for name in ["certificate", "signature", "stamp"] {
        let mut value: serde_json::Value = serde_json::from_str(b.text()).unwrap();
        value[name] = take(a.text(), name);
        let mixed = certificate::canonical::of_value(&value).unwrap();
        assert_eq!(standing(&mixed), Standing::Bad, "{name}");
    }
    // Signed again by somebody else who keeps the box's key in it.
    let thief = Key::from_seed(&[9; 32]);
    assert!(Signed::sign(a.certificate(), &thief).is_err());
    // Signed again by somebody else under their own key: good, and unknown.
    let mut stolen = a.certificate().clone();
    stolen.key = thief.public().to_hex();
    let stolen = Signed::sign(&stolen, &thief).unwrap();
    assert_eq!(standing(stolen.text()), Standing::UnknownKey);
}

#[test]
fn a_job_that_is_not_over_gets_none() {
    let made = now();
    let of = |job: &Job| Certificate::of(job, &maker(), key().public(), made);
    let mut job = passed();
    job.state = JobState::Running;
    assert!(of(&job).is_none());
    job.state = JobState::Finished;
    assert!(of(&job).is_some());
    job.verdict = None;
    assert!(of(&job).is_none());
}

#[test]
fn a_job_of_many_steps_still_fits_a_frame() {
    let mut job = passed();
    let surface = job.surface[0].clone();
    job.surface = vec![surface; 40];
    job.timeline = (0..512).map(|_| job.timeline[0].clone()).collect();
    job.findings = failed().findings;
    let signed = sign(&job);
    let frame = serde_json::to_string(signed.text()).unwrap();
    assert!(frame.len() < 480 * 1024, "{}", frame.len());
    assert_eq!(signed.certificate().surface.len(), 40);
}

/// Each pass tells of a bad sector anew.
#[test]
fn sectors_of_one_kind_are_counted_once_however_many_passes_told_of_them() {
    let mut job = failed();
    let told = job.findings.clone();
    job.findings
        .extend(told.into_iter().map(|finding| Finding { step: 6, ..finding }));
    let kinds = |job: &Job| sign(job).certificate().findings.kinds.clone();
    let sectors = |job: &Job| kinds(job).iter().map(|kind| kind.sectors).collect::<Vec<u64>>();
    assert_eq!(sectors(&job), sectors(&failed()));
    assert_eq!(kinds(&job).iter().map(|kind| kind.findings).sum::<u64>(), 140);
}

/// The findings that are listed stand in the order of their steps: the last would never be among the first fifty.
#[test]
fn a_kind_that_comes_last_is_listed_where_there_are_many() {
    let mut job = failed();
    let first = job.findings[0].clone();
    job.findings.extend((0..100).map(|n| Finding {
        lba: Some(Lba(n)),
        ..first.clone()
    }));
    job.findings.push(Finding {
        kind: FaultKind::Reset,
        lba: None,
        detail: "the last".to_owned(),
        ..first
    });
    let certificate = sign(&job).certificate().clone();
    assert_eq!(certificate.findings.listed.len(), 50);
    assert!(certificate.findings.listed.iter().any(|f| f.kind == FaultKind::Reset));
    let report = Report::of(&sign(&job));
    let found = report.sections.iter().find(|s| s.title == "What was found").unwrap();
    assert!(
        found.rows.iter().any(|(_, told)| told.ends_with("the last")),
        "{:?}",
        found.rows
    );
    assert_eq!(found.rows.last().unwrap().1, "counted above");
}

/// An access that failed with a bad sector of its neighbour, or once, covers hundreds of sectors that are not bad.
#[test]
fn sectors_of_what_did_not_show_again_are_not_counted_as_bad() {
    let mut job = failed();
    let of = |lba, sectors, detail: &str| Finding {
        kind: FaultKind::ReadError,
        lba: Some(Lba(lba)),
        sectors,
        found: None,
        detail: detail.to_owned(),
        ..failed().findings[0].clone()
    };
    let medium = "unrecovered medium error (No data available)";
    let located = of(1_000, 8, &format!("{medium}; could not be read when tried again"));
    job.findings = vec![located];
    for (at, word) in (0..).zip([NOT_REPRODUCED, NOT_TRIED_AGAIN, GIVEN_UP, FAILED_OR_REFUSED]) {
        let lba = at * 1_024;
        let detail = format!("{medium} within 512 sectors from LBA {lba}; {word}");
        job.findings.push(of(lba, 512, &detail));
    }
    let kinds = sign(&job).certificate().findings.kinds.clone();
    let told: Vec<_> = kinds
        .iter()
        .map(|kind| (kind.kind, kind.findings, kind.sectors))
        .collect();
    assert_eq!(told, [(FaultKind::ReadError, 5, 8)]);
}

#[test]
fn the_stamp_alone_is_checked_and_bears_no_change() {
    let signed = sign(&passed());
    let text = signed.stamp().text();
    let result = check(&text, &knows(), now(), Revocations::Unknown);
    assert_eq!(result.standing, Standing::Trusted, "{}", result.told);
    let says = result.says.unwrap();
    assert_eq!((says.outcome, says.digest.as_str()), (Outcome::Passed, signed.digest()));
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1 << (at % 8);
        assert_eq!(standing(&String::from_utf8_lossy(&bytes)), Standing::Bad, "byte {at}");
    }
    assert_eq!(standing(&text.replace("PASSED", "FAILED")), Standing::Bad);
    assert_eq!(
        standing(&text.replace('\n', "\r\n")),
        Standing::Trusted,
        "a scanner's line ends"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_splice_is_bad(at in 0_usize..100_000, cut in 0_usize..40, new in "[ -~]{0,12}") {
        static SIGNED: OnceLock<Signed> = OnceLock::new();
        let text = SIGNED.get_or_init(|| sign(&passed())).text();
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(end));
        let changed = format!("{}{new}{}", &text[..at], &text[end..]);
        prop_assume!(changed != text);
        prop_assert_eq!(standing(&changed), Standing::Bad);
    }

    #[test]
    fn any_text_at_all_is_judged_without_a_panic(text in ".{0,400}") {
        prop_assert_eq!(standing(&text), Standing::Bad);
        let _ = Stamp::parse(&format!("KILN CERTIFICATE 1\n{text}"));
    }
}

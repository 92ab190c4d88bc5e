//! Masked secrets, and what a form refuses.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn secrets_are_masked_and_come_back() {
    let generic = provider("generic").unwrap();
    let kept = fields(&[
        ("webhook_url", "https://example.org/hook?key=geheim"),
        ("headers", "X-Api-Key: geheim1\nX-Plain: geheim2"),
        ("secret", "whsec_geheim"),
    ]);
    let shown = generic.masked(&kept);
    assert!(!format!("{shown:?}").contains("geheim"), "{shown:?}");
    assert_eq!(shown["webhook_url"], format!("https://example.org/{MASK}"));
    assert_eq!(generic.unmasked(&shown, &kept).unwrap(), kept);
    let mut other = shown.clone();
    other.insert("headers".into(), format!("x-api-key: {MASK}\nX-New: 1"));
    assert_eq!(
        generic.unmasked(&other, &kept).unwrap()["headers"],
        "X-Api-Key: geheim1\nX-New: 1"
    );
}

#[test]
fn a_masked_secret_goes_to_no_other_server() {
    let gotify = provider("gotify").unwrap();
    let kept = fields(&[("server_url", "https://mine.example"), ("app_token", "Ageheim")]);
    let stolen = fields(&[("server_url", "https://theirs.example"), ("app_token", MASK)]);
    assert_eq!(gotify.unmasked(&stolen, &kept).unwrap_err().field, "app_token");
    let typed = fields(&[("server_url", "https://theirs.example"), ("app_token", "Aneu")]);
    assert_eq!(gotify.unmasked(&typed, &kept).unwrap(), typed);
}

#[test]
fn a_masked_secret_goes_no_less_safely() {
    let email = provider("email").unwrap();
    let kept = fields(&[("host", "mail.example"), ("password", "geheim")]);
    let with = |key, value| fields(&[("host", "mail.example"), ("password", MASK), (key, value)]);
    for (key, value) in [("security", "none"), ("insecure", "true")] {
        let refused = email.unmasked(&with(key, value), &kept).unwrap_err();
        assert_eq!(refused.field, "password", "{key}");
    }
    let open = fields(&[("host", "mail.example"), ("password", "geheim"), ("security", "none")]);
    for kept in [kept, open] {
        let safer = email.unmasked(&with("security", "starttls"), &kept).unwrap();
        assert_eq!(safer["password"], "geheim");
    }
}

#[test]
fn a_form_is_checked_field_by_field() {
    let email = provider("email").unwrap();
    let good = [("host", "smtp.example"), ("from", "a@b.c"), ("to", "d@e.f")];
    assert!(email.clean(&fields(&good)).is_ok());
    for (change, field) in [
        (("to", " "), "to"),
        (("port", "fünf"), "port"),
        (("security", "sometimes"), "security"),
        (("insecure", "yes"), "insecure"),
        (("host", "a\nb"), "host"),
        (("colour", "red"), "colour"),
    ] {
        let mut bad = fields(&good);
        bad.insert(change.0.into(), change.1.into());
        assert_eq!(email.clean(&bad).unwrap_err().field, field);
    }
}

#[test]
fn every_password_field_is_hidden() {
    for provider in PROVIDERS {
        for field in provider.fields {
            let hidden = field.shown != Shown::Plain;
            assert_eq!(
                field.kind == Kind::Password,
                field.shown == Shown::Never,
                "{} {}",
                provider.name,
                field.key
            );
            assert!(
                hidden
                    || !["token", "secret", "password", "key"]
                        .iter()
                        .any(|w| field.key.ends_with(w))
                    || field.key.ends_with("_key") && provider.name == "generic",
                "{} {}",
                provider.name,
                field.key
            );
        }
    }
}

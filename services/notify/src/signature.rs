//! Signatures of webhooks as Standard Webhooks say: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
//!
//! `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`. A secret that begins with `whsec_` is base64; any
//! other is taken as the bytes that it is. Several secrets give several signatures with blanks between, so that a
//! receiver can change its secret at leisure. Checked in `tests/judges.rs` by the `standardwebhooks` package.
//!
//! Source: Standard Webhooks specification, "Verifying webhook authenticity".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use wire::Time;

use crate::channel::Secret;

/// The three headers.
pub(crate) fn headers(secrets: &[Secret], id: &str, now: Time, body: &[u8]) -> Vec<(String, String)> {
    let timestamp = now.as_second().to_string();
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| sign(secret, id, &timestamp, body))
        .collect();
    vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), timestamp),
        ("webhook-signature".to_owned(), signatures.join(" ")),
    ]
}

fn sign(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = secret
        .0
        .strip_prefix("whsec_")
        .and_then(|text| STANDARD.decode(text).ok())
        .unwrap_or_else(|| secret.0.as_bytes().to_vec());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_secret_signs() {
        let secrets = [
            Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
            Secret("plain".into()),
        ];
        let now = Time::from_second(1_614_265_330).unwrap();
        let headers = headers(
            &secrets,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            now,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(headers[1].1, "1614265330");
        let signatures: Vec<&str> = headers[2].1.split(' ').collect();
        // The specification's own example.
        assert_eq!(signatures[0], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signatures.len(), 2);
    }
}

//! Random secrets and their SHA-256, the only form in which one is kept.

use http::HeaderValue;
use sha2::{Digest, Sha256};

/// Random bytes from the kernel.
///
/// # Panics
/// When the kernel has no randomness to give: nothing here may go on with a guessable secret.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes once it has booted");
    bytes
}

/// A new secret: 32 random bytes as 64 hexadecimal digits.
pub fn new() -> String {
    hex::encode(random::<32>())
}

/// SHA-256 of a secret in hexadecimal digits. Its secrets have 256 random bits, so no slow hash is needed.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A token that was shown to us, for as long as whoever showed it is here. It is not printed, and never on the medium.
#[derive(Clone)]
pub struct Bearer(String);

impl Bearer {
    /// This token.
    pub fn new(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// It as the value of `Authorization`; `None` where it can be none.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_token_that_was_shown_is_sent_and_not_printed() {
        let token = new();
        let bearer = Bearer::new(&token);
        let value = bearer.authorization().unwrap();
        assert_eq!(value.to_str().unwrap(), format!("Bearer {token}"));
        assert!(!format!("{bearer:?} {value:?}").contains(&token));
        assert_eq!(Bearer::new("a\nb").authorization(), None, "no way into the request");
    }
}

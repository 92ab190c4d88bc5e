//! The key that signs, its public half, and the fingerprint that people compare.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// A signing key. Made from 32 random bytes that its owner keeps.
#[derive(Clone)]
pub struct Key(SigningKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public().fingerprint())
    }
}

impl Key {
    /// The key of 32 random bytes (the seed of RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signature over `prefix ‖ text`, 128 hexadecimal digits.
    pub(crate) fn sign(&self, prefix: &[u8], text: &str) -> String {
        hex::encode(self.0.sign(&[prefix, text.as_bytes()].concat()).to_bytes())
    }
}

/// The public half of a [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = lower_hex(text)?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        // A key of small order would let one signature fit many texts.
        (!key.is_weak()).then_some(Self(key))
    }

    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0.to_bytes())
    }

    /// What people compare.
    pub fn fingerprint(self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.0.to_bytes()).into())
    }

    /// Whether `signature` (128 lower-case digits) is this key's over `prefix ‖ text`.
    pub(crate) fn verifies(self, prefix: &[u8], text: &str, signature: &str) -> bool {
        let Some(bytes) = lower_hex::<64>(signature) else {
            return false;
        };
        let signed = [prefix, text.as_bytes()].concat();
        self.0.verify_strict(&signed, &Signature::from_bytes(&bytes)).is_ok()
    }
}

/// Exactly `N` bytes in lower-case digits: one spelling, so that a changed letter case is a change.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = hex::decode(text).ok()?.try_into().ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

/// SHA-256 over a public key's 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fingerprint: expected 64 hexadecimal digits, with or without blanks, colons or dashes")]
pub struct BadFingerprint(String);

impl Fingerprint {
    /// 64 lower-case digits, as in machine-read fields.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Sixteen groups of four digits: what is printed and compared.
    pub fn groups(self) -> String {
        groups(&self.to_hex())
    }
}

/// Hexadecimal digits in groups of four.
pub fn groups(hex: &str) -> String {
    let mut text = String::with_capacity(hex.len() * 5 / 4);
    for (index, digit) in hex.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.groups())
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '-')).collect();
        let bytes = hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| BadFingerprint(text.chars().take(100).collect()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_fingerprint_reads_in_every_spelling() {
        let print = Key::from_seed(&[7; 32]).public().fingerprint();
        for text in [
            print.to_hex(),
            print.groups(),
            print.to_hex().to_uppercase(),
            print.groups().replace(' ', ":"),
        ] {
            assert_eq!(text.parse::<Fingerprint>().unwrap(), print);
        }
        assert_eq!(print.groups().split(' ').count(), 16);
        assert!("12".parse::<Fingerprint>().is_err());
    }

    #[test]
    fn only_one_spelling_of_key_and_signature_is_taken() {
        let key = Key::from_seed(&[7; 32]);
        let public = key.public();
        assert_eq!(PublicKey::parse(&public.to_hex()), Some(public));
        assert_eq!(PublicKey::parse(&public.to_hex().to_uppercase()), None);
        let signature = key.sign(b"a\n", "text");
        assert!(public.verifies(b"a\n", "text", &signature));
        assert!(!public.verifies(b"b\n", "text", &signature));
        assert!(!public.verifies(b"a\n", "text", &signature.to_uppercase()));
        assert_eq!(PublicKey::parse(&"00".repeat(32)), None, "a key of small order");
    }

    /// RFC 8032 §7.1, test 1: seed and public key.
    #[test]
    fn the_key_is_that_of_the_rfc() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = Key::from_seed(&seed.try_into().unwrap());
        assert_eq!(
            key.public().to_hex(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }
}

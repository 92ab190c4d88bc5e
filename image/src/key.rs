//! Ed25519 keys that slots are signed with, in the files that `openssl` makes and reads.
//!
//! A private key is PKCS #8 (RFC 8410, `-----BEGIN PRIVATE KEY-----`), a public one `SubjectPublicKeyInfo`: `openssl
//! genpkey -algorithm ed25519` makes the first, `openssl pkey -pubout` the second from it. Both have one shape each for
//! Ed25519, a fixed head before 32 bytes, so no DER reader is needed; another shape is an error that says what to do.
//!
//! Without a key of its own a build signs with the **development key**, which is made from a sentence and therefore the
//! same for everybody: two people who build the same tree get the same bytes, and a signature by it proves that a slot is
//! whole, never who made it. `inspect` and `verify` say so.

use crate::error::{At, Error, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// PKCS #8 of an Ed25519 key up to its 32 bytes (RFC 8410, §7).
const PRIVATE_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// `SubjectPublicKeyInfo` of an Ed25519 key up to its 32 bytes (RFC 8410, §4).
const PUBLIC_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// What the development key is made of. It is no secret, and must not become one: images are reproducible with it.
const DEVELOPMENT: &[u8] = b"Kiln's development key: everybody has it, so it proves nothing about who signed.";

/// A key that signs.
#[derive(Debug, Clone)]
pub struct Key(SigningKey);

/// The public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Public(VerifyingKey);

impl Key {
    /// The key that everybody has.
    #[must_use]
    pub fn development() -> Self {
        Self(SigningKey::from_bytes(&Sha256::digest(DEVELOPMENT).into()))
    }

    /// Reads a private key.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else; the message names the command that makes one.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).at("reading the signing key", path)?;
        let seed = pem(&text, "PRIVATE KEY", &PRIVATE_HEAD).map_err(|what| Error::Key {
            file: path.to_owned(),
            what,
            make: "`kiln-image key --out FILE`, or `openssl genpkey -algorithm ed25519 -out FILE`",
        })?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Makes a new key: `path` for its owner's eyes only, and its public half beside it as `path.pub`.
    ///
    /// # Errors
    /// When one of the files exists already or cannot be written.
    pub fn make(path: &Path) -> Result<(Self, PathBuf)> {
        let mut seed = [0u8; 32];
        fs::File::open("/dev/urandom")
            .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut seed))
            .at("reading", "/dev/urandom")?;
        let key = Self(SigningKey::from_bytes(&seed));
        let mut name = path.as_os_str().to_owned();
        name.push(".pub");
        let public = PathBuf::from(name);
        let private = to_pem("PRIVATE KEY", &PRIVATE_HEAD, &seed);
        for (file, mode, text) in [(path, 0o600, private), (&public, 0o644, key.public().pem())] {
            let mut new = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(file)
                .at("making", file)?;
            new.write_all(text.as_bytes()).at("writing", file)?;
        }
        Ok((key, public))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> Public {
        Public(self.0.verifying_key())
    }

    /// As update bundles need it.
    #[must_use]
    pub fn for_bundles(&self) -> bundle::Key {
        bundle::Key::from_seed(&self.0.to_bytes())
    }

    /// Signs. Ed25519 is deterministic: the same bytes give the same signature.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl Public {
    /// From 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().filter(|k| !k.is_weak()).map(Self)
    }

    /// Reads a public key file.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).at("reading the public key", path)?;
        let wrong = |what| Error::Key {
            file: path.to_owned(),
            what,
            make: "`openssl pkey -in FILE -pubout -out FILE.pub`",
        };
        let bytes = pem(&text, "PUBLIC KEY", &PUBLIC_HEAD).map_err(wrong)?;
        Self::from_bytes(&bytes).ok_or_else(|| wrong("its 32 bytes are no point of the curve that may be used".into()))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// As a file.
    #[must_use]
    pub fn pem(&self) -> String {
        to_pem("PUBLIC KEY", &PUBLIC_HEAD, &self.bytes())
    }

    /// What people compare: the first half of the SHA-256 of the 32 bytes, in groups of four.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hex = hex::encode(&Sha256::digest(self.bytes())[..16]);
        let groups: Vec<&str> = (0..8).map(|n| &hex[n * 4..n * 4 + 4]).collect();
        groups.join("-")
    }

    /// Whether this is the key that everybody has.
    #[must_use]
    pub fn is_development(&self) -> bool {
        *self == Key::development().public()
    }

    /// Fingerprint, and what is to be known about the key, in words.
    #[must_use]
    pub fn described(&self) -> String {
        let print = self.fingerprint();
        if self.is_development() {
            format!("{print} (the development key, which everybody has: the bytes are whole, their maker is unknown)")
        } else {
            print
        }
    }

    /// Whether the signature over these bytes is this key's.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(bytes, &signature).is_ok()
    }
}

fn to_pem(label: &str, head: &[u8], bytes: &[u8; 32]) -> String {
    let body = STANDARD.encode([head, bytes].concat());
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// The 32 bytes behind `head` in a PEM file.
fn pem(text: &str, label: &str, head: &[u8]) -> Result<[u8; 32], String> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let body = text
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end))
        .ok_or_else(|| format!("it has no line `{begin}`"))?
        .0;
    let body: String = body.split_whitespace().collect();
    let der = STANDARD
        .decode(body)
        .map_err(|e| format!("its body is not base64: {e}"))?;
    der.strip_prefix(head)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "it is no Ed25519 key".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The keys of RFC 8410, §10: example 1 and the public half of it.
    const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_keys_of_the_rfc_are_read_and_belong_together() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("k"), dir.path().join("k.pub"));
        fs::write(&private, RFC_PRIVATE).unwrap();
        fs::write(&public, RFC_PUBLIC).unwrap();
        let key = Key::read(&private).unwrap();
        assert_eq!(key.public(), Public::read(&public).unwrap());
        assert_eq!(key.public().pem(), RFC_PUBLIC);
        let signature = key.sign(b"slot");
        assert!(key.public().verifies(b"slot", &signature) && !key.public().verifies(b"slut", &signature));
    }

    #[test]
    fn a_new_key_is_read_back_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("release.pem");
        let (key, public) = Key::make(&path).unwrap();
        assert_eq!(Key::read(&path).unwrap().public(), key.public());
        assert_eq!(Public::read(&public).unwrap(), key.public());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Key::make(&path).is_err(), "an existing key was overwritten");
        assert!(!key.public().is_development() && Key::development().public().is_development());
    }

    #[test]
    fn what_is_no_key_is_told_with_the_command_that_makes_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        for (text, part) in [
            ("", "no line `-----BEGIN PRIVATE KEY-----`"),
            (RFC_PUBLIC, "no line"),
            (
                "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----",
                "not base64",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
                "no Ed25519 key",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let told = Key::read(&path).unwrap_err().to_string();
            assert!(told.contains(part) && told.contains("openssl genpkey"), "{told}");
        }
    }
}

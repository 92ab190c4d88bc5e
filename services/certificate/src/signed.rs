//! A certificate with its signature: the text that is kept, sent and handed over.
//!
//! `{"certificate":{…},"signature":"…","stamp":"…"}` in canonical form. `signature` is over the
//! canonical form of `certificate`; `stamp` is over the few lines that fit a QR code
//! ([`crate::stamp`]), which follow from the certificate.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use wire::job::Job;
use wire::shown::brief;

use crate::canonical::{self, NotCanonical};
use crate::certificate::{Certificate, FORMAT, TEXT_MAX, VERSION};
use crate::id;
use crate::key::{Key, PublicKey};
use crate::stamp::Stamp;

/// Domain separation: signature = Ed25519(prefix ‖ canonical certificate).
pub const PREFIX: &[u8] = b"kiln-certificate-v1\n";

/// Characters that are told of what is wrong with a certificate's shape.
const SHAPE_MAX: usize = 160;

/// A certificate whose signature is good. It says nothing of whether its key is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    certificate: Certificate,
    key: PublicKey,
    text: String,
    digest: String,
    stamp: Stamp,
}

/// Why a certificate could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum Unsignable {
    /// It has no canonical form.
    #[error("the certificate of {id} has no canonical form")]
    NotCanonical {
        /// Its id.
        id: String,
        /// Why.
        #[source]
        cause: NotCanonical,
    },
    /// It is too long.
    #[error("the certificate of {id} has {bytes} bytes; expected at most {TEXT_MAX}")]
    TooLong {
        /// Its id.
        id: String,
        /// Its length.
        bytes: usize,
    },
    /// It names another key than the one that is to sign it.
    #[error("the certificate of {id} names another key")]
    OtherKey {
        /// Its id.
        id: String,
    },
    /// What was signed does not read back as what was meant.
    #[error("the certificate of {id} does not read back")]
    ReadBack {
        /// Its id.
        id: String,
        /// Why.
        #[source]
        cause: Bad,
    },
}

/// Why a text is no good certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It is longer than any certificate.
    #[error("it has {0} bytes; a certificate has at most {TEXT_MAX}")]
    TooLong(usize),
    /// It is not JSON.
    #[error("it is no JSON: {0}")]
    NoJson(String),
    /// It begins with a byte order mark.
    #[error(
        "it begins with a byte order mark, which an editor put there and nobody signed: take the file as it was handed over, or \
         remove its first three bytes"
    )]
    Marked,
    /// It is JSON, but not a certificate.
    #[error("it is no certificate: {0}")]
    Shape(String),
    /// It is of a version that this program does not know.
    #[error(
        "it is of version {0}, and this program reads version {VERSION}: its signature was not checked; another Kiln can"
    )]
    Version(u64),
    /// Something in it is spelt otherwise than it was when signed.
    #[error("it is not in the form that was signed: something was added, removed or changed")]
    NotCanonical,
    /// The key that it names is none.
    #[error("the key that it names is no Ed25519 key")]
    Key,
    /// The signature is not that of its key over what it says.
    #[error("the signature does not fit what it says")]
    Signature,
    /// A revocation would not find it.
    #[error("its id is not spelt as Kiln spells one (KC-7Q2M-9F3K-XB4T), and no revocation would find it")]
    Id,
    /// The stamp (the short form on paper) does not fit.
    #[error("the stamp does not fit what it says")]
    Stamp,
}

/// Whether a text that was signed is the certificate that the job has now, by its id in canonical spelling alone: the signature is
/// not looked at.
pub fn is_of(text: &str, job: &Job) -> bool {
    let own = job.certificate.as_ref();
    own.is_some_and(|info| text.contains(&format!("\"id\":\"{}\"", info.id)))
}

impl Signed {
    /// Signs a certificate that names this key.
    ///
    /// # Errors
    /// When it has no canonical form, is too long, or names another key.
    pub fn sign(certificate: &Certificate, key: &Key) -> Result<Self, Unsignable> {
        let id = || certificate.id.clone();
        if certificate.key != key.public().to_hex() {
            return Err(Unsignable::OtherKey { id: id() });
        }
        let not_canonical = |cause| Unsignable::NotCanonical { id: id(), cause };
        let body = canonical::of(certificate).map_err(not_canonical)?;
        let stamp = Stamp::of(certificate, &digest(&body), key);
        let value = |cause| not_canonical(NotCanonical::NoJson(cause));
        let mut members = Map::new();
        members.insert("certificate".into(), serde_json::from_str(&body).map_err(value)?);
        members.insert("signature".into(), key.sign(PREFIX, &body).into());
        members.insert("stamp".into(), stamp.signature().into());
        let text = canonical::of_value(&Value::Object(members)).map_err(not_canonical)?;
        if text.len() > TEXT_MAX {
            return Err(Unsignable::TooLong {
                id: id(),
                bytes: text.len(),
            });
        }
        Self::parse(&text).map_err(|cause| Unsignable::ReadBack { id: id(), cause })
    }

    /// Takes a text whose signature is good. One end of a line at its end is forgiven.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Bad> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.len() > TEXT_MAX {
            return Err(Bad::TooLong(text.len()));
        }
        if text.starts_with('\u{feff}') {
            return Err(Bad::Marked);
        }
        let value: Value = serde_json::from_str(text).map_err(|e| Bad::NoJson(e.to_string()))?;
        let field = |name: &str| {
            value
                .get(name)
                .ok_or_else(|| Bad::Shape(format!("`{name}` is missing")))
        };
        let words = |name: &str| {
            field(name)?
                .as_str()
                .ok_or_else(|| Bad::Shape(format!("`{name}` is no text")))
        };
        let body = field("certificate")?;
        if body.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(Bad::Shape(format!("`certificate.format` is not {FORMAT:?}")));
        }
        match body.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(Bad::Version(version)),
            None => return Err(Bad::Shape("`certificate.version` is no number".to_owned())),
        }
        if value.as_object().is_none_or(|members| members.len() != 3) {
            return Err(Bad::Shape(
                "expected `certificate`, `signature` and `stamp` alone".to_owned(),
            ));
        }
        if canonical::of_value(&value).ok().as_deref() != Some(text) {
            return Err(Bad::NotCanonical);
        }
        let body_text = canonical::of_value(body).map_err(|_| Bad::NotCanonical)?;
        let key = body.get("key").and_then(Value::as_str).and_then(PublicKey::parse);
        let key = key.ok_or(Bad::Key)?;
        if !key.verifies(PREFIX, &body_text, words("signature")?) {
            return Err(Bad::Signature);
        }
        let certificate: Certificate = serde_json::from_value(body.clone())
            // It repeats what it does not understand, however long that is.
            .map_err(|e| Bad::Shape(brief(&e.to_string(), SHAPE_MAX)))?;
        if !id::is_spelt(&certificate.id) {
            return Err(Bad::Id);
        }
        let digest = digest(&body_text);
        let stamp = Stamp::with_signature(&certificate, &digest, words("stamp")?);
        if !stamp.verifies() {
            return Err(Bad::Stamp);
        }
        Ok(Self {
            certificate,
            key,
            text: text.to_owned(),
            digest,
            stamp,
        })
    }

    /// What it says.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whose signature it bears.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The text, byte for byte as signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 over the canonical certificate, 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What its QR code carries.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// What a job says of it.
    pub fn info(&self) -> wire::certificate::CertificateInfo {
        wire::certificate::CertificateInfo {
            id: self.certificate.id.clone(),
            key: self.key.fingerprint().to_hex(),
            made: self.certificate.made,
            revoked: None,
        }
    }
}

fn digest(body: &str) -> String {
    hex::encode(Sha256::digest(body.as_bytes()))
}

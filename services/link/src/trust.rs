//! Which certificate is taken for a server's.
//!
//! A box vouches for itself, so that it is known by the fingerprint that its console shows; other servers by who signed
//! their certificate. What is not known is refused before anything is sent, and the fingerprint that was met is told, so
//! that a person can compare it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};

/// Who is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Servers whose certificate one of Mozilla's list has signed.
    #[default]
    Public,
    /// Servers whose certificate is in this PEM file, or is signed by one that is. The name counts for both; of one that is
    /// in the file itself neither its time nor whether it may sign others does.
    File(PathBuf),
    /// The server with this certificate, whatever name it bears.
    Fingerprint(Fingerprint),
    /// Nobody: only to be told the fingerprint.
    Nobody,
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, as the box's console shows them")]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    /// As people type it: colons, dashes and blanks are free.
    fn from_str(typed: &str) -> Result<Self, BadFingerprint> {
        let digits: String = typed.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(&digits, &mut bytes).map_err(|_| BadFingerprint)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if n == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum BadTrust {
    /// The file with certificates.
    #[error("certificates of {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The library's reason.
    #[error("certificates")]
    Tls(#[from] Error),
}

/// A certificate that is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its certificate has the fingerprint {met}{}", .why.as_ref().map(|why| format!(" and is not known here ({why})")).unwrap_or_default())]
pub struct Stranger {
    /// Its fingerprint.
    pub met: Fingerprint,
    /// What the signatures lack; `None` where only the fingerprint counts.
    pub why: Option<String>,
}

impl Stranger {
    /// The certificate for which a TLS handshake ended; `None` where it ended otherwise.
    pub fn of(error: &io::Error) -> Option<&Self> {
        let Error::InvalidCertificate(CertificateError::Other(other)) = error.get_ref()?.downcast_ref::<Error>()?
        else {
            return None;
        };
        other.0.downcast_ref()
    }
}

/// Whether a TLS handshake ended because the other end speaks something else.
pub(crate) fn speaks_no_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidMessage(_)))
}

impl Trust {
    /// How to connect to whom is believed. A file is read anew each time, so that a renewed certificate counts.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn config(&self) -> Result<Arc<ClientConfig>, BadTrust> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let signed = |roots: RootCertStore| {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| error.to_string())
        };
        let known = match self {
            Self::Public => {
                let roots = RootCertStore {
                    roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
                };
                Known::Signed {
                    by: signed(roots).map_err(Error::General)?,
                    own: Vec::new(),
                }
            }
            Self::File(path) => {
                let bad = |why: String| BadTrust::File {
                    path: path.clone(),
                    why,
                };
                let mut certs = Vec::new();
                for cert in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
                    certs.push(cert.map_err(|error| bad(error.to_string()))?);
                }
                let mut roots = RootCertStore::empty();
                // A bundle of hundreds may hold one that is not understood; the others count.
                roots.add_parsable_certificates(certs.iter().cloned());
                if roots.is_empty() {
                    return Err(bad("there is none in it".to_owned()));
                }
                Known::Signed {
                    by: signed(roots).map_err(bad)?,
                    own: certs,
                }
            }
            Self::Fingerprint(wanted) => Known::Pinned(Some(*wanted)),
            Self::Nobody => Known::Pinned(None),
        };
        let judge = Judge {
            known,
            provider: Arc::clone(&provider),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

/// Why a certificate is not believed, so that a person sees what to do.
#[expect(clippy::wildcard_enum_match_arm, reason = "of the rest it says itself what it is")]
fn words(why: &CertificateError) -> String {
    let day = |time: &UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let time = wire::Time::from_second(second).unwrap_or(wire::Time::MAX);
        time.strftime("%Y-%m-%d").to_string()
    };
    match why {
        CertificateError::UnknownIssuer => "nobody who is believed here has signed it".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => format!(
            "it ended on {}, and this machine's clock says {}",
            day(not_after),
            day(time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "it begins on {}, and this machine's clock says {}",
            day(not_before),
            day(time)
        ),
        other => other.to_string(),
    }
}

#[derive(Debug)]
enum Known {
    Signed {
        by: Arc<WebPkiServerVerifier>,
        /// Certificates that are believed as they are: one that a server made itself may sign others, and is no server's
        /// by the rules then.
        own: Vec<CertificateDer<'static>>,
    },
    Pinned(Option<Fingerprint>),
}

/// Judges certificates, and tells the fingerprint of one that is refused.
#[derive(Debug)]
struct Judge {
    known: Known,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let met = Fingerprint(Sha256::digest(cert).into());
        let why = match &self.known {
            Known::Pinned(Some(wanted)) if *wanted == met => return Ok(ServerCertVerified::assertion()),
            Known::Pinned(_) => None,
            Known::Signed { by, own } => {
                let verified = match own.contains(cert) {
                    true => ParsedCertificate::try_from(cert)
                        .and_then(|cert| verify_server_name(&cert, name))
                        .map(|()| ServerCertVerified::assertion()),
                    false => by.verify_server_cert(cert, between, name, ocsp, now),
                };
                match verified {
                    Ok(verified) => return Ok(verified),
                    Err(Error::InvalidCertificate(why)) => Some(words(&why)),
                    Err(error) => Some(error.to_string()),
                }
            }
        };
        Err(CertificateError::Other(OtherError(Arc::new(Stranger { met, why }))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use super::*;

    #[test]
    fn fingerprints_are_taken_as_people_type_them() {
        let bytes: [u8; 32] = std::array::from_fn(|n| n as u8 * 7);
        let known = Fingerprint(bytes);
        assert_eq!(known.to_string().parse(), Ok(known));
        assert_eq!(hex::encode(bytes).parse(), Ok(known));
        for bad in ["", "AB:CD", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(BadFingerprint), "{bad}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let told = |path: PathBuf| Trust::File(path).config().unwrap_err().to_string();
        assert!(told(path.clone()).contains("ca.pem"));
        std::fs::write(&path, "no certificate\n").unwrap();
        assert!(told(path).contains("there is none in it"));
    }
}

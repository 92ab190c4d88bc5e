//! Which certificates are trusted: Mozilla's list, which is compiled in because a box has no other, and a site's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// A site's certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not read, or no certificates in PEM.
    #[error("{path}: expected certificates in PEM: {why}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        why: String,
    },
    /// The library refused its own settings.
    #[error("setting up TLS")]
    Setup(#[from] rustls::Error),
}

/// The certificates that are trusted, ready for use.
#[derive(Clone)]
pub struct Roots {
    pub(super) strict: Arc<ClientConfig>,
    pub(super) lax: Arc<ClientConfig>,
    /// The site's own, for mail, which sets itself up.
    pub(super) own: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roots({} of the site's own)", self.own.len())
    }
}

impl Roots {
    /// Mozilla's list, and the certificates of a PEM file where one is given.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn new(file: Option<&Path>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut store = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let mut own = Vec::new();
        if let Some(path) = file {
            let bad = |why: String| TlsError::Pem {
                path: path.to_owned(),
                why,
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
                own.push(certificate.map_err(|error| bad(error.to_string()))?);
            }
            // A bundle of hundreds may hold one that is not understood; the others count.
            store.add_parsable_certificates(own.iter().cloned());
            if own.is_empty() {
                return Err(bad("there is none in it".to_owned()));
            }
        }
        let begin = || ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let strict = begin()?.with_root_certificates(store).with_no_client_auth();
        let lax = begin()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(Arc::clone(&provider))))
            .with_no_client_auth();
        Ok(Self {
            strict: Arc::new(strict),
            lax: Arc::new(lax),
            own,
        })
    }
}

/// An error's words, and what to do where the server's certificate signed itself: none can be trusted that is both a server's and an
/// authority's, also where the site names it.
pub(super) fn with_way_out(words: String) -> String {
    match words.contains("CaUsedAsEndEntity") {
        true => format!(
            "{words}. The server's certificate is its own authority, which makes no trust: have it signed by another one and name that in \
             SSL_CERT_FILE, or set \"Accept any certificate\" (verify=no in a URL)"
        ),
        false => words,
    }
}

/// Takes any certificate: for a channel whose form says so. The handshake's signature is still checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_signed_itself_is_told_with_the_way_out() {
        let error = webpki_error("CaUsedAsEndEntity");
        assert!(with_way_out(error).contains("verify=no"));
        let error = webpki_error("UnknownIssuer");
        assert_eq!(with_way_out(error.clone()), error);
    }

    /// As rustls words it.
    fn webpki_error(why: &str) -> String {
        format!("TLS with mail.test: invalid peer certificate: Other(OtherError({why}))")
    }
}

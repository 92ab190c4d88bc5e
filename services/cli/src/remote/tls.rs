//! Which certificate is taken for the box's.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};

/// A certificate that is not the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("its certificate has the fingerprint {met}")]
struct Stranger {
    met: String,
}

/// Takes the certificate with this fingerprint, whatever name it bears; none when there is no fingerprint.
#[derive(Debug)]
struct Pinned {
    wanted: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let met: [u8; 32] = Sha256::digest(cert).into();
        if self.wanted == Some(met) {
            return Ok(ServerCertVerified::assertion());
        }
        let stranger = Stranger { met: text(&met) };
        Err(CertificateError::Other(OtherError(Arc::new(stranger))).into())
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

fn text(fingerprint: &[u8; 32]) -> String {
    let pairs: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// A fingerprint as people type it: 64 hexadecimal digits, colons and blanks free.
fn parse(typed: &str) -> Result<[u8; 32]> {
    let digits: String = typed.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
    let mut bytes = [0; 32];
    hex::decode_to_slice(&digits, &mut bytes).map_err(|_| {
        anyhow!("--fingerprint {typed}: expected 64 hexadecimal digits, as the box's console shows them")
    })?;
    Ok(bytes)
}

/// How to connect to the box with this fingerprint, or to one that `ca` vouches for.
pub(super) fn config(fingerprint: Option<&str>, ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let certs = CertificateDer::pem_file_iter(path).with_context(|| format!("--ca {}", path.display()))?;
            for cert in certs {
                roots.add(cert.with_context(|| format!("--ca {}", path.display()))?)?;
            }
            if roots.is_empty() {
                bail!("--ca {}: there is no certificate in it", path.display());
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?
        }
        None => Arc::new(Pinned {
            wanted: fingerprint.map(parse).transpose()?,
            provider: Arc::clone(&provider),
        }),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Why there is no connection, with what to do.
pub(super) fn explain(error: std::io::Error) -> anyhow::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    if let Some(Error::InvalidCertificate(CertificateError::Other(other))) = inner
        && let Some(stranger) = other.0.downcast_ref::<Stranger>()
    {
        return anyhow!(
            "this box is not known: {stranger}. Compare it with the one on the box's console; if it is the same, give it with --fingerprint. Nothing was sent"
        );
    }
    anyhow!("no TLS with the box: {error}. Nothing was sent")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fingerprints_are_taken_as_people_type_them() {
        let bytes: [u8; 32] = std::array::from_fn(|n| n as u8 * 7);
        assert_eq!(parse(&text(&bytes)).unwrap(), bytes);
        assert_eq!(parse(&hex::encode(bytes)).unwrap(), bytes);
        for bad in ["", "AB:CD", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert!(parse(bad).unwrap_err().to_string().contains("64 hexadecimal"), "{bad}");
        }
    }
}

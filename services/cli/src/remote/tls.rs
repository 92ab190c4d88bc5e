//! Which certificate is taken for the box's, in the command line's words.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use link::{Stranger, Trust};
use rustls::ClientConfig;

/// How to connect to the box with this fingerprint, or to one that `ca` vouches for.
pub(super) fn config(fingerprint: Option<&str>, ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let trust = match (ca, fingerprint) {
        (Some(file), _) => Trust::File(file.to_owned()),
        (None, Some(typed)) => Trust::Fingerprint(typed.parse().with_context(|| format!("--fingerprint {typed}"))?),
        (None, None) => Trust::Nobody,
    };
    trust.config().context("--ca")
}

/// Why there is no connection, with what to do.
pub(super) fn explain(error: std::io::Error) -> anyhow::Error {
    match Stranger::of(&error) {
        Some(stranger) => anyhow!(
            "this box is not known: {stranger}. Compare it with the one on the box's console; if it is the same, give it with --fingerprint. Nothing was sent"
        ),
        None => anyhow!("no TLS with the box: {error}. Nothing was sent"),
    }
}

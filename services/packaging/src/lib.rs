//! The burn-in agent as people without a box of ours take it: release archives, and container images made without Docker.
//!
//! | part | what |
//! |---|---|
//! | [`tar`] | ustar archives whose bytes depend on their content alone |
//! | [`release`] | `vigil-burnin-linux-ARCH.tar.gz` with the binary `vigil-burnin` |
//! | [`oci`] | one image as an OCI layout, by the image format's specification 1.1 |
//! | [`tools`] | Debian's programs that the agent runs (smartctl, mkfs), with the libraries that they need |
//! | `image::sbom` | what is in it, as SPDX 2.3 |
//!
//! The same inputs give the same bytes: no time, no user, no order of a folder gets in. Tested beside the code, and in
//! `tests/` by reading everything back with other programs (tar, skopeo, umoci) and running the entry point from the
//! unpacked layer.

#![warn(unreachable_pub)]

pub mod oci;
pub mod release;
pub mod tar;
pub mod tools;

/// Name of the program, of its archive and its image: that of existing set-ups.
pub const NAME: &str = "vigil-burnin";

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

/// Compresses with gzip, without name or time in its head.
///
/// # Errors
/// Never for bytes in memory; the compressor's word for it.
pub fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes)?;
    encoder.finish()
}

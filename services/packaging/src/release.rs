//! The release archive: `vigil-burnin-linux-ARCH.tar.gz`, unpacked where one stands, with the binary beside its recipes.

use crate::NAME;
use crate::tar::{Entry, Tree, write};

/// The systemd unit.
pub const UNIT: &str = include_str!("../recipes/vigil-burnin.service");

/// The compose file.
pub const COMPOSE: &str = include_str!("../recipes/docker-compose.yml");

const LICENSE: &str = include_str!("../../../LICENSE");

/// File name of the archive of an architecture, in the words of container images.
#[must_use]
pub fn name(arch: &str) -> String {
    format!("{NAME}-linux-{arch}.tar.gz")
}

/// Its bytes.
///
/// # Errors
/// When an entry cannot be written.
pub fn archive(binary: Vec<u8>, sbom: &str) -> anyhow::Result<Vec<u8>> {
    let file = |text: &str| Entry::File(text.as_bytes().to_vec(), 0o644);
    let tree = Tree::from([
        (NAME.to_owned(), Entry::File(binary, 0o755)),
        (format!("{NAME}.service"), file(UNIT)),
        ("docker-compose.yml".to_owned(), file(COMPOSE)),
        ("LICENSE".to_owned(), file(LICENSE)),
        ("sbom.spdx.json".to_owned(), file(sbom)),
    ]);
    Ok(crate::gzip(&write(&tree)?)?)
}

//! The release archive: `vigil-burnin-linux-ARCH.tar.gz`, unpacked where one stands, with the binary beside its manifest and
//! its recipes.

use crate::NAME;
use crate::tar::{Entry, Tree, write};

/// The systemd unit.
pub const UNIT: &str = include_str!("../recipes/vigil-burnin.service");

/// The compose file.
pub const COMPOSE: &str = include_str!("../recipes/docker-compose.yml");

/// What the agent shows of itself: to look at, to check with `kiln addon validate`, to upload.
pub const MANIFEST: &str = include_str!("../../agent/manifest.json");

const LICENSE: &str = include_str!("../../../LICENSE");

/// Refuses a program that does not run anywhere by itself: one with a loader or libraries, or for another machine than
/// `arch`.
///
/// # Errors
/// Says what it needs, or what it is.
pub fn check(binary: &[u8], arch: &str) -> anyhow::Result<()> {
    // Source: elf.h, EM_X86_64 and EM_AARCH64, at offset 18 of the header.
    let machine = binary.get(18..20).map(|at| u16::from_le_bytes([at[0], at[1]]));
    let wanted = match arch {
        "amd64" => 62,
        "arm64" => 183,
        other => anyhow::bail!("{other}: expected amd64 or arm64"),
    };
    let Some(needs) = image::elf::needs(binary) else {
        anyhow::bail!("it is no 64-bit ELF program");
    };
    anyhow::ensure!(
        machine == Some(wanted),
        "it is not for {arch} (ELF machine {machine:?}, expected {wanted})"
    );
    anyhow::ensure!(
        needs.loader.is_none() && needs.libraries.is_empty(),
        "it is not static: it needs {}; build it as the image builder does",
        needs
            .loader
            .into_iter()
            .chain(needs.libraries)
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(())
}

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
        ("manifest.json".to_owned(), file(MANIFEST)),
        ("LICENSE".to_owned(), file(LICENSE)),
        ("sbom.spdx.json".to_owned(), file(sbom)),
    ]);
    Ok(crate::gzip(&write(&tree)?)?)
}

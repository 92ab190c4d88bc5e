//! A slot: one folder of the boot partition that is a whole version of the system, with a manifest of its hashes.

use crate::{
    board::Board,
    error::{At, Error, Result},
    lock::{Lock, Locked},
    packages::sha256_file,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// A file of the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileNote {
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// A Debian package that the slot is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageNote {
    /// Name.
    pub name: String,
    /// Debian version.
    pub version: String,
    /// SHA-256 of the `.deb`, in hex.
    pub sha256: String,
}

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of Kiln.
    pub version: String,
    /// Board it is for.
    pub board: String,
    /// Processor architecture.
    pub arch: String,
    /// Kernel release.
    pub kernel: String,
    /// Files of the slot by name.
    pub files: BTreeMap<String, FileNote>,
    /// What it was made of.
    pub packages: Vec<PackageNote>,
}

impl Manifest {
    /// Describes the files of a slot.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(board: &Board, kernel: &str, lock: &Lock, files: &[(&str, &Path)]) -> Result<Self> {
        let mut notes = BTreeMap::new();
        for (name, path) in files {
            let size = path.metadata().at("examining", *path)?.len();
            let sha256 = sha256_file(path)?;
            notes.insert((*name).to_owned(), FileNote { size, sha256 });
        }
        let note = |p: Locked| PackageNote {
            name: p.name,
            version: p.version,
            sha256: p.sha256,
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            board: board.name.clone(),
            arch: board.arch.name().to_owned(),
            kernel: kernel.to_owned(),
            files: notes,
            packages: lock.packages().into_iter().map(note).collect(),
        })
    }

    /// As it stands on the boot partition.
    ///
    /// # Errors
    /// Never for a manifest that we made; the serializer's error otherwise.
    pub fn json(&self) -> Result<Vec<u8>> {
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|e| Error::Incomplete(format!("writing manifest.json: {e}")))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// Field and line, and what is expected.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| format!("manifest.json: {e}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_malformed_manifest_names_field_and_line() {
        let e = Manifest::parse(b"{\"version\":\"1\",\n\"colour\":2}").unwrap_err();
        assert!(
            e.contains("manifest.json") && e.contains("colour") && e.contains("line 2") && e.contains("expected"),
            "{e}"
        );
        let e = Manifest::parse(b"{\"version\":1}").unwrap_err();
        assert!(e.contains("expected a string"), "{e}");
    }
}

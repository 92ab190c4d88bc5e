//! A slot: one folder of the boot partition (`a/` or `b/`) that is a whole version of the system: kernel, initramfs,
//! system, and `manifest.json` with their hashes, which `manifest.sig` signs. One thing to sign, download and roll back.
//!
//! The manifest and its signature are checked by `kiln-image verify` and where a bundle is made. Neither GRUB nor PID 1 checks them when the box starts (see
//! `boards/README.md` for what Secure Boot does and does not protect), nor does PID 1's writer: a bundle is signed as a whole, by
//! the update keys (`services/bundle`).

use crate::{
    board::Board,
    error::{At, Error, Result},
    lock::{Lock, Locked},
    packages::sha256_file,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

/// What [`Manifest::format`] must say.
pub const FORMAT: &str = "kiln-slot/1";
/// Files without which a slot is none.
pub const NEEDED: [&str; 3] = ["vmlinuz", "initrd", "system.erofs"];
/// Files of a slot's folder that the manifest cannot list.
pub const ABOUT: [&str; 2] = ["manifest.json", "manifest.sig"];

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
    /// [`FORMAT`]: what was signed is a slot's manifest of this shape, and nothing else.
    pub format: String,
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
            format: FORMAT.to_owned(),
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
        let this: Self = serde_json::from_slice(bytes).map_err(|e| format!("manifest.json: {e}"))?;
        if this.format != FORMAT {
            return Err(format!(
                "manifest.json: field `format` is {:?}; expected {FORMAT:?}",
                this.format
            ));
        }
        for (name, note) in &this.files {
            let plain = |part: &str| {
                !part.starts_with('.') && !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
            };
            if !name.split('/').all(plain) || ABOUT.contains(&name.as_str()) {
                return Err(format!(
                    "manifest.json: field `files` names {name:?}; expected the path of a file in the slot's folder"
                ));
            }
            if note.sha256.len() != 64 || !note.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(format!(
                    "manifest.json: field `files.{name}.sha256` is {:?}; expected 64 hexadecimal digits in lower case",
                    note.sha256
                ));
            }
        }
        if let Some(missing) = NEEDED.iter().find(|n| !this.files.contains_key(**n)) {
            return Err(format!("manifest.json: field `files` does not list {missing}"));
        }
        Ok(this)
    }

    /// Checks a file of the slot's folder against its note.
    ///
    /// # Errors
    /// What differs: that it is not listed, its size, or its hash.
    pub fn check(&self, name: &str, bytes: &[u8]) -> std::result::Result<(), String> {
        let Some(note) = self.files.get(name) else {
            return Err(format!("{name} is in the slot's folder and not in its manifest.json"));
        };
        if bytes.len() as u64 != note.size {
            return Err(format!(
                "{name} has {} bytes; its manifest.json says {}",
                bytes.len(),
                note.size
            ));
        }
        let sum = hex::encode(Sha256::digest(bytes));
        if sum != note.sha256 {
            return Err(format!(
                "{name} has SHA-256 {sum}; its manifest.json says {}",
                note.sha256
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn manifest() -> Manifest {
        let note = |name: &str| {
            let sha256 = hex::encode(Sha256::digest(name));
            let size = name.len() as u64;
            (name.to_owned(), FileNote { size, sha256 })
        };
        Manifest {
            format: FORMAT.into(),
            version: "1".into(),
            board: "x86-64".into(),
            arch: "x86_64".into(),
            kernel: "6".into(),
            files: NEEDED.map(note).into(),
            packages: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_is_read_back_and_each_kind_of_damage_is_told() {
        let m = manifest();
        assert_eq!(Manifest::parse(&m.json().unwrap()).unwrap(), m);
        m.check("initrd", b"initrd").unwrap();
        for (name, bytes, part) in [
            ("initrd", b"initrD".as_slice(), "SHA-256"),
            ("initrd", b"init", "has 4 bytes; its manifest.json says 6"),
            ("dtb/x.dtb", b"", "not in its manifest.json"),
        ] {
            let told = m.check(name, bytes).unwrap_err();
            assert!(told.contains(part) && told.starts_with(name), "{told}");
        }
    }

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

    #[test]
    fn what_a_manifest_may_not_say_names_the_field() {
        let told = |change: &dyn Fn(&mut Manifest)| {
            let mut m = manifest();
            change(&mut m);
            Manifest::parse(&m.json().unwrap()).unwrap_err()
        };
        assert!(told(&|m| m.format = "kiln-slot/2".into()).contains("expected \"kiln-slot/1\""));
        assert!(told(&|m| drop(m.files.remove("initrd"))).contains("does not list initrd"));
        for name in [
            "../b/initrd",
            "/etc/passwd",
            "a//b",
            ".",
            "manifest.sig",
            "a\\b",
            "a\nb",
        ] {
            let note = manifest().files["initrd"].clone();
            let e = told(&|m| drop(m.files.insert(name.into(), note.clone())));
            assert!(e.contains("expected the path of a file"), "{name}: {e}");
        }
        let bad = told(&|m| m.files.get_mut("initrd").unwrap().sha256 = "AB".repeat(32));
        assert!(bad.contains("`files.initrd.sha256`"), "{bad}");
    }
}

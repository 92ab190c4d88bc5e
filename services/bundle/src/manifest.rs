//! `manifest`: what a bundle holds, for which machine, and the SHA-256 of each MiB of it.
//!
//! Its bytes are canonical: the fields in alphabetical order, no white space, no number but whole ones (RFC 8785 gives the
//! same). A reader refuses any other spelling, so that one meaning has one set of bytes and one signature.

use serde::{Deserialize, Serialize};

use crate::version::is_version;
use crate::{Hash, Refused};

/// Bytes of a chunk; the last one of a file may be shorter.
pub const CHUNK: u64 = CHUNK_LEN as u64;
/// [`CHUNK`] as the length of a buffer.
const CHUNK_LEN: usize = 1 << 20;
/// What [`Manifest::format`] must say.
const FORMAT: &str = "kiln-bundle/1";
/// Files without which a slot is none.
pub const NEEDED: [&str; 5] = ["initrd", "manifest.json", "manifest.sig", "system.erofs", "vmlinuz"];
/// Most files of a slot.
const FILES: usize = 16;
/// Most bytes of all files: two slots and the boot loader's files share 512 MiB.
const BYTES: u64 = 248 << 20;

/// What a bundle holds. The order of the fields is that of the alphabet, see above.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Processor, as `board.toml` has it.
    pub arch: String,
    /// Board.
    pub board: String,
    /// When its source was committed, in seconds since 1970.
    pub built: u64,
    /// The files, by name in ascending order; their bytes follow the head in this order.
    pub files: Vec<File>,
    /// [`FORMAT`].
    format: String,
    /// The oldest version that can install it.
    pub min_version: String,
    /// Its version.
    pub version: String,
}

/// A file of the slot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// SHA-256 of each MiB.
    pub chunks: Vec<Hash>,
    /// Name in the slot's folder.
    pub name: String,
    /// Bytes, at least 1.
    pub size: u64,
}

/// A chunk of a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk<'a> {
    /// Its file's place in [`Manifest::files`].
    pub file: usize,
    /// Its file's name.
    pub name: &'a str,
    /// Its number in its file.
    pub number: usize,
    /// Where it begins in the file, in bytes.
    pub at: u64,
    /// Where it begins after the bundle's head, in bytes.
    pub offset: u64,
    /// Bytes, 1 to [`CHUNK`].
    pub len: usize,
    /// What its bytes must hash to.
    pub hash: Hash,
}

impl Manifest {
    /// Of these files; they are put in order.
    ///
    /// # Errors
    /// What a manifest may not say.
    pub fn new(
        (board, arch): (&str, &str),
        (version, min_version): (&str, &str),
        built: u64,
        files: &[(&str, &[u8])],
    ) -> Result<Self, Refused> {
        let mut files: Vec<File> = files
            .iter()
            .map(|(name, bytes)| File {
                chunks: bytes.chunks(CHUNK_LEN).map(Hash::of).collect(),
                name: (*name).to_owned(),
                size: bytes.len() as u64,
            })
            .collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let this = Self {
            arch: arch.to_owned(),
            board: board.to_owned(),
            built,
            files,
            format: FORMAT.to_owned(),
            min_version: min_version.to_owned(),
            version: version.to_owned(),
        };
        this.check().map_err(malformed)?;
        Ok(this)
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// Field and what is expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let this: Self = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
        this.check().map_err(malformed)?;
        if this.bytes() != bytes {
            return Err(malformed("it is not spelled canonically".into()));
        }
        Ok(this)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("field `format` is {:?}; expected {FORMAT:?}", self.format));
        }
        for (field, v) in [("version", &self.version), ("min_version", &self.min_version)] {
            if !is_version(v) {
                return Err(format!(
                    "field `{field}` is {v:?}; expected numbers with dots, as 1.2.3"
                ));
            }
        }
        for (field, v) in [("board", &self.board), ("arch", &self.arch)] {
            if v.is_empty() || v.len() > 64 || !v.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(format!("field `{field}` is {v:?}; expected 1 to 64 letters and digits"));
            }
        }
        if self.files.len() > FILES || !self.files.windows(2).all(|w| w[0].name < w[1].name) {
            return Err(format!(
                "field `files`: expected at most {FILES}, by name in ascending order"
            ));
        }
        for f in &self.files {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
            let named = (1..=64).contains(&f.name.len())
                && f.name.bytes().all(plain)
                && !f.name.starts_with('.')
                && !f.name.ends_with('.');
            if !named {
                return Err(format!(
                    "field `files` names {:?}; expected a name of a-z 0-9 . - _",
                    f.name
                ));
            }
            if f.size == 0 || f.size > BYTES || f.chunks.len() as u64 != f.size.div_ceil(CHUNK) {
                return Err(format!(
                    "field `files`: {} has {} bytes and {} chunks; expected at least a byte, and a chunk for each MiB",
                    f.name,
                    f.size,
                    f.chunks.len()
                ));
            }
        }
        if let Some(missing) = NEEDED.iter().find(|n| !self.files.iter().any(|f| f.name == **n)) {
            return Err(format!("field `files` does not list {missing}"));
        }
        if self.size() > BYTES {
            return Err(format!(
                "its files have {} bytes; a slot has room for {BYTES}",
                self.size()
            ));
        }
        Ok(())
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, f| sum.saturating_add(f.size))
    }

    /// Every chunk, in the order of the bundle.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk<'_>> {
        let mut begin = 0;
        self.files.iter().enumerate().flat_map(move |(file, f)| {
            let base = begin;
            begin += f.size;
            f.chunks.iter().enumerate().map(move |(number, hash)| {
                let at = number as u64 * CHUNK;
                Chunk {
                    file,
                    name: &f.name,
                    number,
                    at,
                    offset: base + at,
                    len: (f.size - at).min(CHUNK) as usize,
                    hash: *hash,
                }
            })
        })
    }
}

fn malformed(what: String) -> Refused {
    Refused::Malformed { part: "manifest", what }
}

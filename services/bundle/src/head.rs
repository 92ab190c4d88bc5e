//! A bundle's head: magic, manifest, and who signed it; then the bytes of the files follow.
//!
//! ```text
//! KILNBNDL1\n │ u32 length │ manifest, canonical JSON │ u32 length │ signatures, canonical JSON │ file │ file │ …
//! ```
//! Lengths are big-endian. A signature is plain Ed25519 over the manifest's bytes: `openssl pkeyutl -verify -rawin` checks
//! it, too. `format` inside says what was signed, so that no other signed text can be taken for a manifest.

use serde::{Deserialize, Serialize};

use crate::keys::MOST;
use crate::{Key, KeySet, Manifest, Refused, Rotation, Signature, newer};

/// First bytes of a bundle.
pub const MAGIC: &[u8; 10] = b"KILNBNDL1\n";
/// Longest manifest, in bytes: 248 chunks take 20 kB.
const MANIFEST_MAX: u32 = 256 << 10;
/// Longest signatures, in bytes.
const SIGNATURES_MAX: u32 = 256 << 10;

/// What stands before the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What the bundle holds.
    pub manifest: Manifest,
    /// Who vouches for it.
    vouched: Vouched,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vouched {
    /// Sets of keys newer than the box may have.
    rotations: Vec<Rotation>,
    /// Over the manifest's bytes.
    signatures: Vec<Signature>,
}

/// The box that a bundle is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Board.
    pub board: String,
    /// Processor.
    pub arch: String,
    /// The version that runs.
    pub running: String,
    /// The keys that count.
    pub keys: KeySet,
    /// Whether an older version than the running one was asked for.
    pub downgrade: bool,
}

impl Head {
    /// Signs a manifest; the same keys give the same bytes.
    pub fn sign(manifest: Manifest, rotations: Vec<Rotation>, keys: &[&Key]) -> Self {
        let bytes = manifest.bytes();
        let signatures = keys.iter().map(|k| k.sign(&bytes)).collect();
        Self {
            manifest,
            vouched: Vouched { rotations, signatures },
        }
    }

    /// As it stands in the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let vouched = serde_json::to_vec(&self.vouched).unwrap_or_default();
        for part in [self.manifest.bytes(), vouched] {
            out.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(part);
        }
        out
    }

    /// Reads a head; nothing of it is trusted yet.
    ///
    /// # Errors
    /// What is malformed, or that something is missing or left over.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        match head_len(bytes)? {
            Some(len) if len == bytes.len() => {}
            Some(len) if len < bytes.len() => return Err(Refused::Trailing { end: len as u64 }),
            _ => {
                return Err(Refused::Truncated {
                    got: bytes.len() as u64,
                    expected: 0,
                });
            }
        }
        let rest = &bytes[MAGIC.len()..];
        let (manifest, rest) = part(rest).ok_or(Refused::NotABundle)?;
        let (signatures, _) = part(rest).ok_or(Refused::NotABundle)?;
        let malformed = |what: String| Refused::Malformed {
            part: "signatures",
            what,
        };
        let vouched: Vouched = serde_json::from_slice(signatures).map_err(|e| malformed(e.to_string()))?;
        let many = vouched.signatures.len() > MOST || vouched.rotations.len() > MOST;
        if many || vouched.rotations.iter().any(|r| r.signatures.len() > 2 * MOST) {
            return Err(malformed(format!(
                "expected at most {MOST} signatures and sets of keys"
            )));
        }
        if serde_json::to_vec(&vouched).unwrap_or_default() != signatures {
            return Err(malformed("they are not spelled canonically".into()));
        }
        Ok(Self {
            manifest: Manifest::parse(manifest)?,
            vouched,
        })
    }

    /// Sets of keys that it brings, as they were signed.
    pub fn rotations(&self) -> &[Rotation] {
        &self.vouched.rotations
    }

    /// Bytes of the whole bundle.
    pub fn total(&self) -> u64 {
        self.bytes().len() as u64 + self.manifest.size()
    }
}

/// A part behind its length.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

/// Bytes of the head, as soon as enough of it is there to tell.
///
/// # Errors
/// It is none, or one of its parts is longer than any.
pub fn head_len(bytes: &[u8]) -> Result<Option<usize>, Refused> {
    let magic = bytes.len().min(MAGIC.len());
    if bytes[..magic] != MAGIC[..magic] {
        return Err(Refused::NotABundle);
    }
    let mut at = MAGIC.len();
    for (name, most) in [("manifest", MANIFEST_MAX), ("signatures", SIGNATURES_MAX)] {
        let Some(len) = bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>()) else {
            return Ok(None);
        };
        let len = u32::from_be_bytes(*len);
        if len > most {
            return Err(Refused::Malformed {
                part: name,
                what: format!("it would have {len} bytes; at most {most} are expected"),
            });
        }
        at += 4 + len as usize;
    }
    Ok(Some(at))
}

/// Whether this box takes the bundle with this head: signatures first, then board and versions.
///
/// # Errors
/// Why not.
pub fn accept(head: &[u8], target: &Target) -> Result<Manifest, Refused> {
    let head = Head::parse(head)?;
    let keys = target.keys.follow(&head.vouched.rotations)?;
    let m = head.manifest;
    keys.check("manifest", &m.bytes(), &head.vouched.signatures)?;
    if (m.board.as_str(), m.arch.as_str()) != (target.board.as_str(), target.arch.as_str()) {
        return Err(Refused::OtherBoard {
            bundle: format!("{} ({})", m.board, m.arch),
            here: format!("{} ({})", target.board, target.arch),
        });
    }
    let running = target.running.clone();
    if newer(&m.min_version, &running) {
        let needs = m.min_version;
        return Err(Refused::TooFar { needs, running });
    }
    if newer(&running, &m.version) && !target.downgrade {
        return Err(Refused::Older {
            bundle: m.version,
            running,
        });
    }
    Ok(m)
}

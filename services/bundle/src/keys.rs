//! Keys: which count, how many of them must have signed, and how a newer set takes an older one's place.
//!
//! A box carries one [`KeySet`]. A bundle may bring newer sets, each with the version after the one before it, signed by the
//! threshold of the set before it *and* by its own: so whoever takes over proves to hold the new keys, and losing fewer than
//! a threshold of keys is no loss. A signature that does not fit is never passed over, whoever's it is.

use std::collections::BTreeSet;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::hash::digits;
use crate::{Hash, Refused};

/// What [`KeySet::format`] must say.
const FORMAT: &str = "kiln-keys/1";
/// Most keys of a set, and most signatures of anything.
pub(crate) const MOST: usize = 16;

/// A public Ed25519 key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Public(#[serde(with = "digits")] pub [u8; 32]);

impl Public {
    /// What people compare: the first half of the SHA-256 of its bytes, in groups of four.
    pub fn fingerprint(&self) -> String {
        let text = hex::encode(&Hash::of(&self.0).0[..16]);
        let groups: Vec<&str> = (0..8).map(|n| &text[n * 4..n * 4 + 4]).collect();
        groups.join("-")
    }

    /// The point of the curve; `None` where it is none, or one that proves nothing.
    fn point(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&self.0).ok().filter(|k| !k.is_weak())
    }
}

/// A key that signs.
#[derive(Clone)]
pub struct Key(SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.public().fingerprint())
    }
}

impl Key {
    /// From its 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> Public {
        Public(self.0.verifying_key().to_bytes())
    }

    /// Signs. Ed25519 is deterministic: the same bytes give the same signature.
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        Signature {
            key: self.public(),
            signature: self.0.sign(bytes).to_bytes(),
        }
    }
}

/// Who signed, and the signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The key.
    pub key: Public,
    /// Ed25519 over the bytes as they stand.
    #[serde(with = "digits")]
    pub signature: [u8; 64],
}

/// The keys that count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    /// [`FORMAT`]: what was signed is a set of keys, and nothing else.
    format: String,
    /// The keys.
    pub keys: Vec<Public>,
    /// How many of them must have signed, from 1.
    pub threshold: usize,
    /// From 1; a newer set has the next number.
    pub version: u32,
}

impl KeySet {
    /// A set of these keys.
    ///
    /// # Errors
    /// No key, too many, one twice, or a threshold that cannot be met.
    pub fn new(version: u32, threshold: usize, mut keys: Vec<Public>) -> Result<Self, Refused> {
        keys.sort_unstable();
        let set = Self {
            format: FORMAT.to_owned(),
            keys,
            threshold,
            version,
        };
        set.checked()
    }

    /// Reads a set.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let set: Self = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
        set.checked()
    }

    /// Its canonical bytes, which are what is signed.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn checked(self) -> Result<Self, Refused> {
        if self.format != FORMAT {
            return Err(malformed(format!(
                "field `format` is {:?}; expected {FORMAT:?}",
                self.format
            )));
        }
        if self.keys.is_empty() || self.keys.len() > MOST || !self.keys.windows(2).all(|w| w[0] < w[1]) {
            return Err(malformed(format!(
                "field `keys`: expected 1 to {MOST} different keys in ascending order"
            )));
        }
        if let Some(k) = self.keys.iter().find(|k| k.point().is_none()) {
            return Err(malformed(format!("field `keys`: {} is no key", hex::encode(k.0))));
        }
        if self.threshold == 0 || self.threshold > self.keys.len() || self.version == 0 {
            return Err(malformed(format!(
                "fields `threshold` {} and `version` {}; expected a threshold from 1 to {} and a version from 1",
                self.threshold,
                self.version,
                self.keys.len()
            )));
        }
        Ok(self)
    }

    /// Checks that the threshold of this set has signed `bytes`, and that no signature there is wrong.
    ///
    /// # Errors
    /// A signature that does not fit, none by a key of this set, or too few.
    pub fn check(&self, part: &'static str, bytes: &[u8], signatures: &[Signature]) -> Result<(), Refused> {
        let mut ours = BTreeSet::new();
        for s in signatures {
            let bad = || Refused::BadSignature {
                key: s.key.fingerprint(),
                part,
            };
            let point = s.key.point().ok_or_else(bad)?;
            let signature = ed25519_dalek::Signature::from_bytes(&s.signature);
            point.verify_strict(bytes, &signature).map_err(|_| bad())?;
            if self.keys.contains(&s.key) {
                ours.insert(s.key);
            }
        }
        match ours.len() {
            0 => {
                let by: Vec<String> = signatures.iter().map(|s| s.key.fingerprint()).collect();
                let by = if by.is_empty() {
                    "nobody".to_owned()
                } else {
                    by.join(" and ")
                };
                Err(Refused::WrongKey { by })
            }
            have if have < self.threshold => Err(Refused::TooFewSignatures {
                have,
                need: self.threshold,
            }),
            _ => Ok(()),
        }
    }

    /// Follows the sets that a bundle brings; the set that counts after them. Sets that this box has passed already are
    /// looked at no further.
    ///
    /// # Errors
    /// A set that does not follow, or that the one before it has not signed.
    pub fn follow(&self, rotations: &[Rotation]) -> Result<KeySet, Refused> {
        let mut now = self.clone();
        for r in rotations {
            let set = r.set.clone().checked()?;
            if set.version <= now.version {
                continue;
            }
            let wrong = |what: String| Refused::Rotation {
                version: set.version,
                what,
            };
            if set.version != now.version + 1 {
                return Err(wrong(format!(
                    "does not follow version {}: the ones between are missing",
                    now.version
                )));
            }
            let bytes = set.bytes();
            for (whose, keys) in [("the keys before it", &now), ("its own keys", &set)] {
                keys.check("key set", &bytes, &r.signatures)
                    .map_err(|e| wrong(format!("{whose} have not signed as they must: {e}")))?;
            }
            now = set;
        }
        Ok(now)
    }
}

fn malformed(what: String) -> Refused {
    Refused::Malformed { part: "key set", what }
}

/// A newer set, and who vouches for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The set.
    pub set: KeySet,
    /// By the threshold of the set before it, and by its own.
    pub signatures: Vec<Signature>,
}

impl Rotation {
    /// A set, signed by all of these keys.
    pub fn new(set: KeySet, by: &[&Key]) -> Self {
        let bytes = set.bytes();
        let signatures = by.iter().map(|k| k.sign(&bytes)).collect();
        Self { set, signatures }
    }
}

//! `manifest.sig`: who signed a slot's `manifest.json`.
//!
//! ```json
//! { "signatures": [ { "key": "32 bytes in hex", "signature": "64 bytes in hex" } ] }
//! ```
//! A signature is plain Ed25519 over the bytes of `manifest.json` as they stand in the slot, so there is no canonical form
//! to disagree about, and `openssl pkeyutl -verify -rawin` checks it too. There may be several, for keys that are being
//! exchanged; every one of them must be right.

use crate::{
    error::{Error, Result},
    key::{Key, Public},
};
use serde::{Deserialize, Serialize};

/// Most signatures of one slot.
const MOST: usize = 16;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    key: String,
    signature: String,
}

impl Signatures {
    /// Signs the bytes of a manifest.
    #[must_use]
    pub fn of(manifest: &[u8], key: &Key) -> Self {
        Self {
            signatures: vec![Signature {
                key: hex::encode(key.public().bytes()),
                signature: hex::encode(key.sign(manifest)),
            }],
        }
    }

    /// As it stands on the boot partition.
    ///
    /// # Errors
    /// Never for signatures that we made; the serializer's error otherwise.
    pub fn json(&self) -> Result<Vec<u8>> {
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|e| Error::Incomplete(format!("writing manifest.sig: {e}")))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads the file and checks every signature over these bytes of a manifest; gives the keys that signed.
    ///
    /// # Errors
    /// What is wrong, naming field and line, or the key whose signature does not fit.
    pub fn check(file: &[u8], manifest: &[u8]) -> std::result::Result<Vec<Public>, String> {
        let this: Self = serde_json::from_slice(file).map_err(|e| format!("manifest.sig: {e}"))?;
        if this.signatures.is_empty() || this.signatures.len() > MOST {
            return Err(format!(
                "manifest.sig: field `signatures` has {} entries; expected 1 to {MOST}",
                this.signatures.len()
            ));
        }
        let check = |(n, s): (usize, &Signature)| {
            let bytes = decoded::<32>(&s.key).ok_or_else(|| field(n, "key", "64 hexadecimal digits"))?;
            let key = Public::from_bytes(&bytes).ok_or_else(|| field(n, "key", "a point of the curve"))?;
            let signature =
                decoded::<64>(&s.signature).ok_or_else(|| field(n, "signature", "128 hexadecimal digits"))?;
            if key.verifies(manifest, &signature) {
                Ok(key)
            } else {
                Err(format!(
                    "manifest.sig: signature {n} by key {} does not fit manifest.json: one of the two was changed",
                    key.fingerprint()
                ))
            }
        };
        this.signatures.iter().enumerate().map(check).collect()
    }
}

fn field(n: usize, name: &str, expected: &str) -> String {
    format!("manifest.sig: field `signatures[{n}].{name}` is malformed; expected {expected}")
}

fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_signature_is_checked_and_any_change_is_told() {
        let key = Key::development();
        let file = Signatures::of(b"manifest", &key).json().unwrap();
        assert_eq!(Signatures::check(&file, b"manifest").unwrap(), [key.public()]);
        assert_eq!(
            file,
            Signatures::of(b"manifest", &key).json().unwrap(),
            "the same bytes"
        );
        let told = Signatures::check(&file, b"manifesT").unwrap_err();
        assert!(
            told.contains("does not fit") && told.contains(&key.public().fingerprint()),
            "{told}"
        );
    }

    #[test]
    fn one_wrong_signature_among_right_ones_is_not_overlooked() {
        let key = Key::development();
        let mut both = Signatures::of(b"manifest", &key);
        both.signatures.extend(Signatures::of(b"another", &key).signatures);
        let told = Signatures::check(&both.json().unwrap(), b"manifest").unwrap_err();
        assert!(told.contains("signature 1"), "{told}");
    }

    #[test]
    fn malformed_files_name_the_field() {
        for (file, part) in [
            (r#"{"signatures":[]}"#, "has 0 entries; expected 1 to 16"),
            (r#"{"signatures":[{"key":"00","signature":""}]}"#, "`signatures[0].key`"),
            (r#"{"signatures":[{"key":1}]}"#, "expected a string"),
            (r#"{"signature":[]}"#, "unknown field `signature`"),
            ("", "EOF"),
        ] {
            let told = Signatures::check(file.as_bytes(), b"").unwrap_err();
            assert!(told.contains(part), "{told}");
        }
        let weak = format!(r#"{{"signatures":[{{"key":"{}","signature":""}}]}}"#, "00".repeat(32));
        assert!(
            Signatures::check(weak.as_bytes(), b"")
                .unwrap_err()
                .contains("point of the curve")
        );
    }
}

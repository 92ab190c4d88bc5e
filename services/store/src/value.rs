//! Values: JSON under a checksum.
//!
//! ```text
//! offset 0  4 bytes  CRC-32C, little endian, over key bytes ‖ JSON
//! offset 4  n bytes  JSON
//! ```
//!
//! LMDB has no checksums of its own; with this one a flipped bit on the stick, or a value under another's key, is
//! found by the check at start and by each read, and is never taken for data.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checksum of a value under its key.
fn checksum(key: &[u8], json: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), json)
}

/// Encodes `value` as it is stored under `key`.
pub(crate) fn encode<V: Serialize + ?Sized>(key: &[u8], value: &V) -> serde_json::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let sum = checksum(key, &bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// The JSON of a stored value, once its checksum is right.
pub(crate) fn json<'b>(key: &[u8], bytes: &'b [u8]) -> Result<&'b [u8], String> {
    let (sum, json) = bytes.split_at_checked(4).ok_or("it is shorter than its checksum")?;
    if sum != checksum(key, json).to_le_bytes() {
        return Err("its checksum is wrong".to_owned());
    }
    Ok(json)
}

/// The JSON of a stored value, whatever its checksum; `None` where it is no text.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.get(4..)?).ok()
}

/// Decodes a stored value.
pub(crate) fn decode<V: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<V, String> {
    serde_json::from_slice(json(key, bytes)?).map_err(|e| e.to_string())
}

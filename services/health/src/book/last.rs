//! The last report of each host as it came, whole: what existing dashboards draw everything from.

use std::io::{Read as _, Write as _};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use wire::Time;

use super::Book;
use crate::tables::{HOSTS, LAST};

/// Longest report that is kept whole, packed, in bytes of base64: of 200 hosts 50 MiB, a fifth of the store. The longest body
/// of a request, 1 MiB of documents, packs to less.
const PACKED_MAX: usize = 256 << 10;

/// Longest report that is unpacked, in bytes: no body of a request is as long.
const WHOLE_MAX: u64 = 2 << 20;

/// A report, deflated and in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed(String);

impl Packed {
    /// Packs a report's text; `None` where it is too long to be kept.
    pub fn of(text: &str) -> Option<Self> {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(text.as_bytes()).ok()?;
        let packed = STANDARD.encode(deflate.finish().ok()?);
        (packed.len() <= PACKED_MAX).then_some(Self(packed))
    }

    /// Its text; `None` where it cannot be read.
    pub fn text(&self) -> Option<String> {
        let bytes = STANDARD.decode(&self.0).ok()?;
        let mut text = String::new();
        let mut inflate = DeflateDecoder::new(bytes.as_slice()).take(WHOLE_MAX);
        inflate.read_to_string(&mut text).ok()?;
        Some(text)
    }
}

impl Book {
    /// Keeps a host's report that was taken, whole. One that is older than what is known is not its last; in the place of one
    /// that is too long none is kept.
    ///
    /// # Errors
    /// The medium.
    pub async fn keep_last(&self, hostname: String, at: Time, packed: Option<Packed>) -> store::Result<()> {
        self.store
            .write(move |w| {
                let known = HOSTS.get(w, hostname.as_str())?;
                match (known, packed) {
                    (Some(host), _) if at < host.last_report => Ok(()),
                    (Some(_), Some(packed)) => LAST.put(w, hostname.as_str(), &packed),
                    _ => LAST.delete(w, hostname.as_str()).map(drop),
                }
            })
            .await
    }

    /// A host's last report, whole; `None` where none is kept.
    ///
    /// # Errors
    /// The medium.
    pub fn last(&self, hostname: &str) -> store::Result<Option<String>> {
        let packed = self.store.read(|r| LAST.get(r, hostname))?;
        Ok(packed.and_then(|packed| packed.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_as_it_was_and_what_is_too_long_is_not_kept() {
        let text = r#"{"hostname":"nas","drives":[]}"#.repeat(30_000);
        let packed = Packed::of(&text);
        assert_eq!(packed.and_then(|packed| packed.text()), Some(text));
        // Not to be packed: each character follows from a generator, not from the one before.
        let mut seed = 1_u64;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + (seed >> 58) as u8)
        });
        assert_eq!(Packed::of(&noise.take(1 << 20).collect::<String>()), None);
        assert_eq!(Packed("AAAA".into()).text(), None);
    }
}

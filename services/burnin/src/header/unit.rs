//! One unit of a header: 512 bytes that tell their own position, their job and a piece of the payload.

use super::{Header, places};
use crate::device::Geometry;
use crate::pattern::{JobKey, UNIT, WORDS};
use crate::playbook::PASSES;

/// Units in each header.
pub const UNITS: usize = 32;

/// Its number goes up with the pattern: what an older engine wrote is nobody's to go on with.
const MAGIC: [u8; 8] = *b"KILNHDR3";
/// Stands instead where the job ended before its end: it is not gone on with.
const ENDED: [u8; 8] = *b"KILNEND1";

const PAYLOAD: usize = 468;

/// Bytes of payload in a whole header.
pub(super) const PAYLOAD_MAX: usize = UNITS * PAYLOAD;

/// What a unit tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told<'a> {
    pub unit: u64,
    pub number: usize,
    /// Number of the write whose sweep wrote it; 0 where none did.
    pub pass: u8,
    pub count: usize,
    pub length: usize,
    pub key: JobKey,
    pub payload: &'a [u8],
}

fn write(unit: u64, number: usize, pass: u8, key: JobKey, bytes: &[u8]) -> [u8; UNIT] {
    write_as(MAGIC, (unit, number, pass), key, bytes)
}

/// A unit that tells that the job with this key has ended.
pub(super) fn ended(unit: u64, key: JobKey) -> [u8; UNIT] {
    write_as(ENDED, (unit, 0, 0), key, &[])
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a payload fits `UNITS` units: `Header::pack` lets no longer one through"
)]
fn write_as(magic: [u8; 8], (unit, number, pass): (u64, usize, u8), key: JobKey, bytes: &[u8]) -> [u8; UNIT] {
    let mut out = [0; UNIT];
    let count = bytes.len().div_ceil(PAYLOAD).max(1);
    // Units beyond the payload repeat it from the beginning, so that a damaged one has another chance.
    let number = number % count;
    let piece = &bytes[(number * PAYLOAD).min(bytes.len())..((number + 1) * PAYLOAD).min(bytes.len())];
    out[..8].copy_from_slice(&magic);
    out[8..16].copy_from_slice(&unit.to_le_bytes());
    (out[16], out[17]) = (number as u8, pass);
    out[18..20].copy_from_slice(&(count as u16).to_le_bytes());
    out[20..24].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    out[24..40].copy_from_slice(&key.0);
    out[40..40 + piece.len()].copy_from_slice(piece);
    let sum = crc32c::crc32c(&out[..508]);
    out[508..].copy_from_slice(&sum.to_le_bytes());
    out
}

/// What these 512 bytes tell; `None` for anything that is no unit of a header.
pub(super) fn read(bytes: &[u8]) -> Option<Told<'_>> {
    read_as(MAGIC, bytes)
}

/// Whether the drive's first 512 bytes tell that the job with this key has ended, and that its format was begun.
pub(crate) fn ends(data: &[u64], key: JobKey) -> bool {
    let bytes: Vec<u8> = data.iter().flat_map(|w| w.to_ne_bytes()).collect();
    read_ended(&bytes) == Some((0, key))
}

/// Position and key of a unit that tells of an ended job; `None` for anything else.
pub(super) fn read_ended(bytes: &[u8]) -> Option<(u64, JobKey)> {
    read_as(ENDED, bytes).map(|told| (told.unit, told.key))
}

fn read_as(magic: [u8; 8], bytes: &[u8]) -> Option<Told<'_>> {
    let bytes: &[u8; UNIT] = bytes.try_into().ok()?;
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let four = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    if bytes[..8] != magic || four(508) != crc32c::crc32c(&bytes[..508]) {
        return None;
    }
    let (number, count, length) = (usize::from(bytes[16]), half(18), four(20) as usize);
    if count == 0
        || count > UNITS
        || number >= count
        || length > count * PAYLOAD
        || length + PAYLOAD <= count * PAYLOAD && length > 0
    {
        return None;
    }
    let rest = length.saturating_sub(number * PAYLOAD).min(PAYLOAD);
    Some(Told {
        unit: word(8),
        number,
        pass: bytes[17],
        count,
        length,
        key: JobKey(bytes[24..40].try_into().expect("sixteen bytes")),
        payload: &bytes[40..40 + rest],
    })
}

/// The unit's position that a header unit of this job names; `None` for anything else.
pub(crate) fn own(data: &[u64], key: JobKey) -> Option<u64> {
    if data.first() != Some(&u64::from_ne_bytes(MAGIC)) {
        return None;
    }
    let bytes: Vec<u8> = data.iter().flat_map(|w| w.to_ne_bytes()).collect();
    read(&bytes).filter(|told| told.key == key).map(|told| told.unit)
}

/// Whether 512 bytes begin as a header's unit does, be it damaged, another job's, or the mark of an end.
pub(crate) fn looks_like_one(data: &[u64]) -> bool {
    [MAGIC, ENDED]
        .map(u64::from_ne_bytes)
        .iter()
        .any(|magic| data.first() == Some(magic))
}

/// A job's header as it stands on the drive.
#[derive(Clone, Debug)]
pub struct Image {
    key: JobKey,
    payload: Vec<u8>,
    /// First unit and number of units of each place.
    places: Vec<(u64, u64)>,
}

impl Image {
    /// Of this header; `None` on a drive without room for it.
    pub fn new(header: &Header) -> Option<Self> {
        Self::at(header, header.geometry)
    }

    fn at(header: &Header, geometry: Geometry) -> Option<Self> {
        let units = geometry.units();
        let places: Vec<(u64, u64)> = places(geometry)
            .into_iter()
            .map(|(lba, long)| (lba * units, long * units))
            .collect();
        (!places.is_empty()).then_some(())?;
        Some(Self {
            key: header.key,
            payload: header.pack()?,
            places,
        })
    }

    /// The units `first..first + count` that belong to the header.
    pub fn units(&self, first: u64, count: u64) -> impl Iterator<Item = u64> + '_ {
        self.places
            .iter()
            .flat_map(move |(at, long)| first.max(*at)..(first + count).min(at + long))
    }

    /// Whether a unit belongs to the header.
    pub fn covers(&self, unit: u64) -> bool {
        self.places.iter().any(|(at, long)| unit >= *at && unit - at < *long)
    }

    /// What stands in a unit that belongs to it, written in this pass; the probe's and the samples' come before the first.
    pub fn unit(&self, unit: u64, pass: u8) -> Option<[u64; WORDS]> {
        let (at, _) = self.places.iter().find(|(at, long)| unit >= *at && unit - at < *long)?;
        let pass = if pass <= PASSES { pass } else { 0 };
        let number = usize::try_from(unit - at).ok()?;
        let bytes = write(unit, number, pass, self.key, &self.payload);
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::header::tests::header;

    #[test]
    fn every_unit_of_an_image_names_its_place_and_job() {
        let header = header(Some("{}".repeat(300)));
        let image = Image::new(&header).unwrap();
        for unit in image.units(0, 40_000) {
            assert!(image.covers(unit));
            assert_eq!(own(&image.unit(unit, 2).unwrap(), header.key), Some(unit));
            assert_eq!(own(&image.unit(unit, 2).unwrap(), JobKey([1; 16])), None);
        }
        assert_eq!(image.units(0, 40_000).count(), 4 * UNITS);
        assert!(!image.covers(0) && image.unit(0, 2).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_a_changed_one_is_seen(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..512, with in 1_u8..=255, length in 0_usize..900) {
            let _ = read(&bytes);
            let payload: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut unit = write(77, 0, 9, JobKey([3; 16]), &payload);
            prop_assert_eq!(read(&unit).map(|told| (told.unit, told.pass, told.length)), Some((77, 9, length)));
            unit[at] ^= with;
            prop_assert_eq!(read(&unit), None);
        }
    }
}

//! What a drive itself keeps of the job that erases it: who, what, with which key, and SMART as it was before.
//!
//! ```text
//!  places:  1 MiB │ a third │ two thirds │ 1 MiB before the end      16 KiB each, on physical sectors
//!  unit:    magic 8 │ own position 8 │ number 1 │ pass 1 │ of 2 │ length 4 │ key 16 │ payload 468 │ CRC-32C 4
//!  payload: JSON of [`Header`], deflated
//! ```
//!
//! Each unit of 512 bytes tells its own position, so a misplaced one is told like any misplaced data. The places are
//! written first in each session, hold their header through every sweep (which writes it anew with the number of its pass,
//! and compares it), and are given the job's last pattern and read back at its very end. So a lost checkpoint is found again from the drive ([`find`]), on any
//! box, and the drive proves that it is the job's from its first flush on. A job that ends before its end (too many errors, a
//! false capacity) has its headers marked as ended ([`retire`]), so that nobody goes on with it. A drive below 512 KiB has no room for it.
//! Tested here, in `tests/headers.rs`, and by the fuzz target `header`.

mod find;
mod frontier;
mod marks;
mod unit;

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use wire::options::PlanOptions;
use wire::{DriveId, Time};

pub(crate) use find::ours_at;
pub use find::{ended_by, find, formatted_by, holds_ours, is_readable, retire};
pub use frontier::recover;
pub use unit::{Image, UNITS};
pub(crate) use unit::{ends, looks_like_one, own};

use crate::device::Geometry;
use crate::ours::Front;
use crate::pattern::{JobKey, UNIT};
use crate::playbook::{Step, erases, moves_data};
use crate::worker::Order;

/// Bytes of each header.
pub const BYTES: u64 = (UNITS * UNIT) as u64;

/// Pass by which header data is called where it does not belong.
pub const HEADER_PASS: u8 = 0xF2;

/// Longest payload once inflated.
const JSON_MAX: u64 = 256 << 10;

/// What the caller wants the drive to keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The job's id, or another name for it.
    pub job: String,
    /// Which drive this is: headers on another one prove nothing.
    pub drive: DriveId,
    /// Name of the playbook.
    pub playbook: String,
    /// What was chosen beside it.
    pub options: PlanOptions,
    /// When it was started.
    pub started: Time,
    /// SMART before the first write, as compact JSON; left out where it does not fit.
    pub baseline: Option<String>,
    /// What stood at the drive's beginning before the first write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<Front>,
}

/// A header: everything to go on with but the progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The job's secret.
    pub key: JobKey,
    /// Size and sectors of the drive.
    pub geometry: Geometry,
    /// All steps of the playbook.
    pub steps: Vec<Step>,
    /// What the caller wanted kept.
    pub note: Note,
}

impl Header {
    /// The header of an order; `None` where it asks for none.
    pub fn of(order: &Order) -> Option<Self> {
        Some(Self {
            key: order.key,
            geometry: order.geometry,
            steps: order.steps.clone(),
            note: order.header.clone()?,
        })
    }

    /// As bytes that fit the units; without the baseline where it is too long, `None` where even that is.
    fn pack(&self) -> Option<Vec<u8>> {
        let shorter = || Self {
            note: Note {
                baseline: None,
                ..self.note.clone()
            },
            ..self.clone()
        };
        deflate(self)
            .filter(|bytes| bytes.len() <= unit::PAYLOAD_MAX)
            .or_else(|| deflate(&shorter()).filter(|bytes| bytes.len() <= unit::PAYLOAD_MAX))
    }

    /// From the bytes of the units; never panics, whatever they are.
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut json = Vec::new();
        DeflateDecoder::new(bytes).take(JSON_MAX).read_to_end(&mut json).ok()?;
        let header: Self = serde_json::from_slice(&json).ok()?;
        header.geometry.check().ok()?;
        (header.steps.len() <= crate::playbook::STEPS_MAX).then_some(header)
    }
}

fn deflate(header: &Header) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(header).ok()?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&json).ok()?;
    encoder.finish().ok()
}

/// What the drive's first 512 bytes are from where its format begins until its table is written there: that the job with this key has
/// ended. So no older record of it goes on with what is not its pattern any more, and a format that was cut off knows its drive.
pub(crate) fn formatting(key: JobKey) -> [u8; UNIT] {
    unit::ended(0, key)
}

/// Whether a job of these steps keeps headers on such a drive: each that changes what the drive holds, where there is room.
pub fn kept_by(steps: &[Step], geometry: Geometry) -> bool {
    let erases = |step: &Step| moves_data(step.phase) && erases(step.phase);
    steps.iter().any(erases) && !places(geometry).is_empty()
}

/// First sector and number of sectors of each place, upwards; none on a drive that is too small.
pub fn places(geometry: Geometry) -> Vec<(u64, u64)> {
    let sector = u64::from(geometry.sector);
    let grain = geometry.grain();
    let long = BYTES.div_ceil(sector).next_multiple_of(grain);
    if geometry.sectors < long.saturating_mul(32) {
        return Vec::new();
    }
    let margin = ((1 << 20) / sector).min(geometry.sectors / 16);
    let third = geometry.sectors / 3;
    [margin, third, 2 * third, geometry.sectors - margin - long]
        .map(|lba| (lba / grain * grain, long))
        .to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::playbook::Playbook;

    pub(super) fn header(baseline: Option<String>) -> Header {
        Header {
            key: JobKey([5; 16]),
            geometry: Geometry {
                sectors: 40_000,
                sector: 512,
                physical: 4096,
            },
            steps: Playbook::named("thorough").unwrap().steps().to_vec(),
            note: Note {
                job: "01J".to_owned(),
                drive: DriveId::from_serial("Model", "WD-1", 40_000 * 512).unwrap(),
                playbook: "thorough".to_owned(),
                options: PlanOptions::default(),
                started: Time::UNIX_EPOCH,
                baseline,
                front: None,
            },
        }
    }

    #[test]
    fn what_is_packed_unpacks_and_a_baseline_that_does_not_fit_is_left_out() {
        let small = header(Some("{\"a\":1}".to_owned()));
        assert_eq!(Header::unpack(&small.pack().unwrap()).unwrap(), small);
        let noise: String = (0..40_000_u64)
            .map(|n| char::from(b'a' + (crate::pattern::mix64(n) % 26) as u8))
            .collect();
        let large = header(Some(noise));
        let read = Header::unpack(&large.pack().unwrap()).unwrap();
        assert_eq!((read.note.baseline, read.key), (None, large.key));
    }

    #[test]
    fn places_are_four_apart_and_on_physical_sectors() {
        for (sectors, sector, physical) in [(1_024, 512, 512), (39_062_500_000, 512, 4096), (2_000_003, 4096, 4096)] {
            let geometry = Geometry {
                sectors,
                sector,
                physical,
            };
            let places = places(geometry);
            assert_eq!(places.len(), 4);
            assert!(places.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0));
            assert!(
                places
                    .iter()
                    .all(|(lba, long)| lba % geometry.grain() == 0 && lba + long <= sectors)
            );
        }
        let small = Geometry {
            sectors: 1_000,
            sector: 512,
            physical: 512,
        };
        assert!(places(small).is_empty());
    }
}

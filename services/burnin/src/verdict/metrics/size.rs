//! The size that the drive itself tells against the size that was tested.
//!
//! A bridge that counts sectors in 32 bits shows the rest of a large disk's division by 2 TiB, a controller may show a part,
//! a drive of NVMe may be divided into name spaces of which this box has one, a disk with two actuators into two logical units: what was written and read back is then not
//! the drive that the serial number names.

use drive::overlay::Overlay;
use wire::Bytes;

use super::Metrics;
use crate::verdict::Case;

/// Largest difference that is rounding, in bytes: bridges keep a few sectors, controllers a megabyte for themselves.
const ROUNDING: u64 = 1 << 20;

/// Parts of the drive's size of which one is rounding, too: sizes told in whole megabytes or in other units.
const PARTS: u64 = 10_000;

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    match case.overlay {
        // What a host protected area hides is told as that.
        Some(Overlay::Hidden(sectors)) => {
            metrics.put("coverage.overlay", sectors.saturating_sub(case.kernel.hidden) as f64);
        }
        Some(Overlay::Nothing) => metrics.put("coverage.overlay", 0.0),
        Some(Overlay::NotLooked(why)) => metrics.say("coverage.overlay_unknown", 1.0, why.clone()),
        None => {}
    }
    let told = [case.first(), case.last()].into_iter().flatten();
    let whole = told.filter_map(|snapshot| snapshot.capacity).max();
    let tested = case.evidence.geometry.bytes();
    let untested = whole.map(|whole| (whole, whole.saturating_sub(tested)));
    match untested.filter(|(whole, left)| *left > ROUNDING && *left > whole / PARTS) {
        // A drive that tells all of its size tells that of its other units, too.
        Some((whole, left)) if left >= case.beside.0 => {
            let figures = format!("the drive tells {}, this box sees {}", Bytes(whole), Bytes(tested));
            metrics.say("coverage.untested_bytes", left as f64, figures);
        }
        _ if case.beside.0 > 0 => {
            let figures = format!("other logical units with its serial number have {}", case.beside);
            metrics.say("coverage.untested_bytes", case.beside.0 as f64, figures);
        }
        _ if untested.is_some() => metrics.put("coverage.untested_bytes", 0.0),
        _ => {}
    }
}

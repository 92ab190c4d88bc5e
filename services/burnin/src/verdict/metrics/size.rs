//! The size that the drive itself tells against the size that was tested.
//!
//! A bridge that counts sectors in 32 bits shows the rest of a large disk's division by 2 TiB, a controller may show a part,
//! a drive of NVMe may be divided into name spaces of which this box has one: what was written and read back is then not
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
        Some(Overlay::Hidden(sectors)) => metrics.put("coverage.overlay", sectors.saturating_sub(case.hidden) as f64),
        Some(Overlay::Nothing) => metrics.put("coverage.overlay", 0.0),
        Some(Overlay::NotLooked(why)) => metrics.say("coverage.overlay_unknown", 1.0, why.clone()),
        None => {}
    }
    let told = [case.first(), case.last()].into_iter().flatten();
    let Some(whole) = told.filter_map(|snapshot| snapshot.capacity).max() else {
        return;
    };
    let tested = case.evidence.geometry.bytes();
    let untested = whole.saturating_sub(tested);
    if untested > ROUNDING && untested > whole / PARTS {
        let figures = format!("the drive tells {}, this box sees {}", Bytes(whole), Bytes(tested));
        metrics.say("coverage.untested_bytes", untested as f64, figures);
    } else {
        metrics.put("coverage.untested_bytes", 0.0);
    }
}

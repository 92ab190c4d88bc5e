//! Whether a limit of pace held a drive back, or stood above what the drive does by itself.
//!
//! With a limit of all drives each has one of its own, however far below it runs. Where it waits for its turn it is measured above the
//! limit, never below: what stays below is the drive's own speed, and no limit excuses it.

use super::figures;
use crate::evidence::{Record, Zone};
use crate::pace::Allowed;

/// Whether limits took so much of the time that the mean may not be the drive's own; `took`: nanoseconds that it was at work.
pub(super) fn held(allowed: &Allowed, took: f64) -> bool {
    let used = || allowed.least as f64 >= took * figures().limit_used.value;
    allowed.limited && allowed.lowest.is_none_or(|_| used())
}

/// Whether some zone came so near to the lowest limit that its accesses may have waited, which changes rates and latencies alike.
pub(super) fn touched(record: &Record) -> bool {
    let near = |lowest: u64| {
        // Nanoseconds that a zone's bytes take at the rate that is near.
        let time = |zone: &Zone| zone.0 as f64 * 1e9 / (lowest as f64 * figures().limit_near.value);
        record
            .zones
            .zones()
            .iter()
            .any(|zone| zone.0 > 0 && zone.1 as f64 <= time(zone))
    };
    record.allowed.limited && record.allowed.lowest.is_none_or(near)
}

//! A drive that tells another size than when its burn-in was kept. That one is not gone on with, and not forgotten without a word: what
//! it found may tell why the size is another. Pure; tested below, and by whole burn-ins in `tests/kept/other_size.rs`.

use burnin::device::Geometry;
use wire::job::Outcome;
use wire::{Bytes, DriveId};

use super::remains::Remains;
use super::state::Found;

/// What the same drive is called where it tells this capacity; `None` of one with a WWN, which is called the same at each, and at the
/// capacity that it has.
pub(super) fn called(drive: &DriveId, capacity: u64) -> Option<DriveId> {
    let (name, now) = drive.as_str().strip_prefix("sn-")?.rsplit_once('-')?;
    let other = now != capacity.to_string();
    other.then(|| DriveId::parse(&format!("sn-{name}-{capacity}")).ok())?
}

/// Why a checkpoint of a drive of this size is none of the drive as it is now; `None` where it may be.
pub(super) fn refused(then: Geometry, now: Geometry) -> Option<String> {
    let bytes = |of: Geometry| Bytes(of.sectors.saturating_mul(u64::from(of.sector)));
    match (bytes(then), bytes(now)) {
        _ if then == now => None,
        (then, now) if then != now => Some(differ(then, now)),
        _ => Some(format!(
            "its burn-in was of sectors of {} bytes ({} physical), and the drive tells {} ({}) now",
            then.sector, then.physical, now.sector, now.physical
        )),
    }
}

/// The same of what is kept by another name; `None` of what came to a good end: nothing of it could be forgotten, and the drive may well
/// be another one in the same dock.
pub(super) fn kept(then: Bytes, now: Bytes, found: &Found) -> Option<String> {
    if let Found::Ended(over) = found
        && matches!(over.outcome, Some(Outcome::Passed | Outcome::Warn))
    {
        return None;
    }
    let interrupted = |left: Option<Remains>| match left.and_then(|left| left.words()) {
        Some(words) => format!("was interrupted, and had found something ({words})"),
        None => "was interrupted".to_owned(),
    };
    let state = match found {
        Found::Nothing => interrupted(None),
        Found::Begun(saved) => interrupted(Some(Remains::of(saved))),
        Found::Good(found) => interrupted(Some(Remains::of(&found.0))),
        Found::Ended(over) => over.words(),
        Found::Bad(why, _) | Found::Unreadable(why) => format!("is not known: {why}"),
    };
    Some(format!(
        "a drive of its model and serial number told {then} ({} bytes), and it tells {now} ({} bytes); that one's burn-in {state}. One \
         that begins anew counts nothing of it",
        then.0, now.0
    ))
}

/// To the byte: a hidden area may be smaller than what words tell apart.
fn differ(then: Bytes, now: Bytes) -> String {
    format!(
        "its burn-in was of {then} ({} bytes), and the drive tells {now} ({} bytes) now",
        then.0, now.0
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::burn::state::tests::each;

    #[test]
    fn a_drive_is_called_otherwise_at_another_capacity() {
        let of = |serial: &str, capacity| DriveId::from_serial("M", serial, capacity).unwrap();
        assert_eq!(called(&of("S-123", 1000), 900), Some(of("S-123", 900)));
        assert_eq!(called(&of("S-123", 1000), 1000), None, "it is the same");
        let wwn = DriveId::from_wwn("5000500011112222").unwrap();
        assert_eq!(called(&wwn, 900), None, "it holds no capacity");
    }

    #[test]
    fn a_checkpoint_is_of_one_size_alone() {
        let of = |sectors, sector, physical| Geometry {
            sectors,
            sector,
            physical,
        };
        let now = of(1000, 512, 4096);
        let told = |then| refused(then, now);
        assert_eq!(told(now), None);
        let shorter = told(of(999, 512, 4096)).unwrap();
        assert!(
            shorter.contains("511 kB (511488 bytes)") && shorter.contains("512 kB (512000 bytes)"),
            "{shorter}"
        );
        let other = told(of(125, 4096, 4096)).unwrap();
        assert!(
            other.contains("4096 bytes (4096 physical)") && other.contains("512 (4096)"),
            "{other}"
        );
        assert!(told(of(1000, 512, 512)).is_some(), "the engine refuses it, too");
    }

    #[test]
    fn what_is_kept_at_another_size_is_told_whatever_became_of_it() {
        for (name, found) in each() {
            let told = kept(Bytes(64 << 20), Bytes(60 << 20), &found);
            let Some(told) = told else {
                assert_eq!(name, "ended", "it passed");
                continue;
            };
            let part = match name {
                "begun" | "a place" => "was interrupted, and had found something (2 resets)",
                "damaged" => "cannot be used",
                "unreadable" => "a finding cannot be read",
                _ => "was interrupted",
            };
            assert!(
                told.contains("67.1 MB (67108864 bytes)") && told.contains(part),
                "{name}: {told}"
            );
        }
    }
}

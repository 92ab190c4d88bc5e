//! How long a self-test may take, from what the drive itself announces. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::smart::{Protocol, Snapshot};

/// Times of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What the drive announces, or what is usual where it announces nothing.
    pub announced: Duration,
    /// After this the test counts as never ending: three times the announced, and ten minutes. Drives take far longer
    /// than announced while a host uses them. Source: smartmontools FAQ.
    pub longest: Duration,
    /// How often to look: often enough for a bar that moves, rarely enough not to slow the test.
    pub every: Duration,
}

/// Limits of a test of `kind` on the drive that told `before`.
pub fn limits(kind: Kind, before: &Snapshot) -> Limits {
    let told = match kind {
        Kind::Short => before.self_test.short_minutes,
        Kind::Extended => before.self_test.extended_minutes,
    };
    let announced = told.filter(|minutes| *minutes > 0).map_or_else(
        || usual(kind, before),
        |minutes| Duration::from_secs(60 * u64::from(minutes)),
    );
    Limits {
        announced,
        longest: announced * 3 + Duration::from_mins(10),
        every: (announced / 60).clamp(Duration::from_secs(5), Duration::from_mins(5)),
    }
}

/// What a test takes where the drive does not say: two minutes for a short one (ACS-5 and NVMe 2.0 §8.6 both ask for
/// that), for an extended one its whole surface at a slow 60 MB/s (disks) or 200 MB/s (flash), at least an hour.
fn usual(kind: Kind, before: &Snapshot) -> Duration {
    match kind {
        Kind::Short => Duration::from_mins(2),
        Kind::Extended => {
            let pace = if before.protocol == Protocol::Nvme || before.rpm == Some(0) {
                200_000_000
            } else {
                60_000_000
            };
            Duration::from_secs((before.capacity.unwrap_or(0) / pace).clamp(3_600, 7 * 86_400))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::SelfTestAbility;

    #[test]
    fn the_drives_own_minutes_count() {
        let mut drive = Snapshot {
            self_test: SelfTestAbility {
                supported: Some(true),
                log_told: true,
                short_minutes: Some(2),
                extended_minutes: Some(1479),
            },
            capacity: Some(14_000_519_643_136),
            ..Snapshot::default()
        };
        let minutes = |d: Duration| d.as_secs() / 60;
        let long = limits(Kind::Extended, &drive);
        assert_eq!((minutes(long.announced), minutes(long.longest)), (1479, 4447));
        assert_eq!(long.every, Duration::from_mins(5));
        assert_eq!(limits(Kind::Short, &drive).every, Duration::from_secs(5));
        // 0 and nothing both mean that it does not say.
        drive.self_test.extended_minutes = Some(0);
        assert_eq!(
            minutes(limits(Kind::Extended, &drive).announced),
            14_000_519_643_136 / 60_000_000 / 60
        );
        assert_eq!(minutes(limits(Kind::Extended, &Snapshot::default()).announced), 60);
    }
}

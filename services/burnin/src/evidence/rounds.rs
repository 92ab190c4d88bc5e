//! How fast the rounds of a repeated step were: their sum hides one that was slow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pace::Allowed;
use crate::pace::allowed::is_first;

/// What a round must have moved of its drive to be judged, in percent: of less an earlier session may have had the rest.
const WHOLE: u128 = 90;

/// One round: what it moved and what that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Bytes.
    pub bytes: u64,
    /// Nanoseconds of the drive's time.
    pub nanos: u64,
    /// Bytes in the first twentieth of the drive.
    pub first_bytes: u64,
    /// Nanoseconds of the drive's time there.
    pub first_nanos: u64,
    /// How fast it was allowed to go: limits come and go from round to round.
    #[serde(default, skip_serializing_if = "Allowed::is_untold")]
    pub allowed: Allowed,
}

/// The round under way, and the worst of those that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    #[serde(default)]
    now: Round,
    /// The one with the lowest rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slowest: Option<Round>,
    /// The one that was slowest beside its first twentieth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steepest: Option<Round>,
}

impl Round {
    /// Bytes a nanosecond; `None` where nothing was measured.
    pub fn rate(&self) -> Option<f64> {
        rate(self.bytes, self.nanos)
    }

    /// The same of the first twentieth, or what that was allowed where it is less.
    pub fn first_rate(&self) -> Option<f64> {
        rate(self.first_bytes, self.first_nanos).map(|own| self.allowed.at_most(own))
    }

    /// Whether it knows the limits of all of its first twentieth: an earlier version kept them of all rounds together.
    pub fn knows_limits(&self) -> bool {
        self.allowed.bytes >= self.first_bytes
    }

    fn share(&self) -> Option<f64> {
        Some(self.rate()? / self.first_rate()?)
    }

    /// Whether the numbers are ones that adding up could give.
    fn is_possible(&self) -> bool {
        let all = [self.bytes, self.nanos, self.first_bytes, self.first_nanos];
        all.into_iter().all(|number| number < 1 << 62)
    }
}

impl Rounds {
    /// Adds `bytes` from sector `lba` on, of a drive of `sectors`, that took `time` of its time; `limit` as of [`Allowed::add`].
    pub fn add(&mut self, lba: u64, sectors: u64, bytes: u64, time: Duration, limit: Option<u64>) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let now = &mut self.now;
        now.allowed.add(lba, sectors, bytes, time, limit);
        now.bytes = now.bytes.saturating_add(bytes);
        now.nanos = now.nanos.saturating_add(nanos);
        if is_first(lba, sectors) {
            now.first_bytes = now.first_bytes.saturating_add(bytes);
            now.first_nanos = now.first_nanos.saturating_add(nanos);
        }
    }

    /// A round over a drive of so many bytes ended.
    pub fn end(&mut self, drive: u64) {
        let round = std::mem::take(&mut self.now);
        if u128::from(round.bytes) * 100 >= u128::from(drive) * WHOLE {
            keep_lower(&mut self.slowest, round, Round::rate);
            keep_lower(&mut self.steepest, round, Round::share);
        }
    }

    /// The worst of those that ended: the slowest, and the slowest beside its own first twentieth.
    pub fn worst(&self) -> impl Iterator<Item = &Round> {
        self.slowest.iter().chain(&self.steepest)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the numbers are ones that adding up could give.
    pub(crate) fn are_possible(&self) -> bool {
        self.worst().chain([&self.now]).all(Round::is_possible)
    }
}

fn rate(bytes: u64, nanos: u64) -> Option<f64> {
    (bytes > 0 && nanos > 0).then(|| bytes as f64 / nanos as f64)
}

/// Keeps `round` where its number is lower than that of the one that is kept.
fn keep_lower(kept: &mut Option<Round>, round: Round, of: fn(&Round) -> Option<f64>) {
    let Some(new) = of(&round) else { return };
    if kept.as_ref().and_then(of).is_none_or(|old| new < old) {
        *kept = Some(round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round over 100 parts of 1 MB, each of which takes so many milliseconds, in the first twentieth and behind it.
    fn round(rounds: &mut Rounds, parts: u64, (first, behind): (u64, u64)) {
        for at in 0..parts {
            let ms = if at < 5 { first } else { behind };
            rounds.add(at, 100, 1_000_000, Duration::from_millis(ms), None);
        }
        rounds.end(100_000_000);
    }

    /// While its worker waits a disk reads ahead, and is then measured at the interface's speed.
    #[test]
    fn the_beginning_of_a_round_counts_as_what_it_was_allowed_in_that_round() {
        let first = |limits: [Option<u64>; 2]| {
            let mut rounds = Rounds::default();
            for limit in limits {
                for at in 0..100 {
                    rounds.add(at, 100, 1_000_000, Duration::from_millis(1), limit);
                }
                rounds.end(100_000_000);
            }
            let least = rounds.worst().filter_map(Round::first_rate).reduce(f64::max);
            least.map(|rate| (rate * 1000.0).round())
        };
        assert_eq!(first([Some(50_000_000), Some(50_000_000)]), Some(50.0));
        assert_eq!(first([Some(5_000_000_000), Some(5_000_000_000)]), Some(1000.0));
        assert_eq!(first([None, Some(50_000_000)]), Some(1000.0), "another round's limit");
    }

    #[test]
    fn the_worst_rounds_stand_whatever_follows_and_parts_of_one_are_none() {
        let mut rounds = Rounds::default();
        round(&mut rounds, 89, (1000, 1000));
        assert!(rounds.is_empty());
        for (first, behind) in [(5, 5), (60, 60), (5, 50), (5, 5)] {
            round(&mut rounds, 100, (first, behind));
        }
        let told: Vec<_> = rounds.worst().map(|round| (round.nanos, round.first_nanos)).collect();
        assert_eq!(told, [(6_000_000_000, 300_000_000), (4_775_000_000, 25_000_000)]);
        assert!(rounds.are_possible());
        let text = serde_json::to_string(&rounds).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Rounds>(&text).ok(), Some(rounds));
    }
}

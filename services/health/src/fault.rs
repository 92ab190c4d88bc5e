//! Faults: what an alert is about one by one (bits, attributes, counters, devices), and which of them are news.
//!
//! ```text
//!           bad: told              well                    well for long enough
//!  unknown ───────────► standing ────────► resting ──────────────────────────────► unknown
//!                        ▲ worse: told       │
//!                        └───────────────────┘ bad: told only where it is worse than it ever was
//! ```
//!
//! What a reading does not tell of stays as it was ([`with_untold`]): no fault falls but by a word that it is well.
//! Beginning and end of an alert are [`crate::alert`]'s. Tested over random sequences of readings in `tests/alerts.rs`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use wire::Time;

/// How long a state must be well before its return is news: a bit of heat comes and goes with the time of day, and a value at its
/// threshold from report to report.
pub const REST: SignedDuration = SignedDuration::from_hours(24);

/// The same of a pool's device: three reports as agents are told to send them where nobody chose. One with a loose cable comes and goes
/// from report to report; one that is out again behind that is another loss, and may be a new drive in the old one's bay.
pub const DEVICE_REST: SignedDuration = SignedDuration::from_hours(3);

/// Most faults that rest; of more the longest well are let go. A host may call its devices by another name in each report.
const RESTING_MAX: usize = 64;

/// A fault that an alert knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The highest count since it was told; of what is not counted 1.
    pub count: f64,
    /// Since when each reading that tells of it says that it is well; `None` while it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well: Option<Time>,
    /// Of a pool's device: it was lost while the pool was online, as a spare, a cache or a log is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spare: bool,
}

/// Faults by name.
pub type Faults = BTreeMap<String, Fault>;

/// What is bad by a reading: counts by name, 0 for what is well.
pub type Bad = BTreeMap<String, f64>;

/// What has no count, by name: each counts as often as it is named.
pub fn named(names: Vec<String>) -> Bad {
    let mut bad = Bad::new();
    for name in names {
        *bad.entry(name).or_default() += 1.0;
    }
    bad
}

/// Those that stand, with their counts.
pub fn standing(faults: &Faults) -> impl Iterator<Item = (&str, f64)> {
    let standing = faults.iter().filter(|(_, fault)| fault.well.is_none());
    standing.map(|(name, fault)| (name.as_str(), fault.count))
}

/// Adds to what a reading says is bad what `stands` and is `untold` by it.
pub fn with_untold<'f>(
    mut bad: Bad,
    stands: impl Iterator<Item = (&'f str, f64)>,
    untold: impl Fn(&str) -> bool,
) -> Bad {
    for (name, count) in stands.filter(|(name, _)| untold(name)) {
        bad.entry(name.to_owned()).or_insert(count);
    }
    bad
}

/// What is known when all that is `bad` is so at `now`, and all else well; and those of these that are new or worse. What is well for
/// `rest` is forgotten, so that its return is news.
pub fn step(mut faults: Faults, mut bad: Bad, rest: SignedDuration, now: Time) -> (Faults, Bad) {
    bad.retain(|_, count| *count > 0.0);
    for (_, fault) in faults.iter_mut().filter(|(name, _)| !bad.contains_key(*name)) {
        fault.well.get_or_insert(now);
    }
    faults.retain(|_, fault| {
        // A clock that was ahead keeps nothing for longer.
        fault.well = fault.well.map(|since| since.min(now));
        fault.well.is_none_or(|since| now.duration_since(since) < rest)
    });
    let mut news = Bad::new();
    for (name, count) in bad {
        let known = faults.get(&name);
        let (highest, spare) = known.map_or((0.0, false), |fault| (fault.count, fault.spare));
        if count > highest {
            news.insert(name.clone(), count);
        }
        let count = count.max(highest);
        let well = None;
        faults.insert(name, Fault { count, well, spare });
    }
    let mut resting: Vec<(Time, String)> = faults
        .iter()
        .filter_map(|(name, fault)| Some((fault.well?, name.clone())))
        .collect();
    resting.sort_unstable();
    for (_, name) in resting.iter().rev().skip(RESTING_MAX) {
        faults.remove(name);
    }
    (faults, news)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(hours: i64) -> Time {
        Time::from_second(hours * 3600).unwrap()
    }

    #[test]
    fn a_clock_that_was_ahead_silences_nothing_for_longer() {
        let bad = || named(vec!["a bit".to_owned()]);
        let (faults, news) = step(Faults::new(), bad(), REST, at(0));
        assert_eq!(news, bad());
        let (faults, _) = step(faults, Bad::new(), REST, at(24 * 365));
        let (faults, _) = step(faults, Bad::new(), REST, at(1));
        let (_, news) = step(faults.clone(), bad(), REST, at(24));
        assert!(news.is_empty(), "well for 23 hours");
        assert_eq!(step(faults, bad(), REST, at(25)).1, bad());
    }

    #[test]
    fn names_that_come_and_go_fill_nothing() {
        let mut faults = Faults::new();
        for number in 0..1000 {
            let (after, news) = step(faults, named(vec![format!("disk {number}")]), REST, Time::UNIX_EPOCH);
            assert_eq!(news.len(), 1);
            faults = after;
        }
        assert_eq!(faults.len(), RESTING_MAX + 1);
        assert_eq!(standing(&faults).collect::<Vec<_>>(), [("disk 999", 1.0)]);
    }
}

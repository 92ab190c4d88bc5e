//! Which entry of the log is this test's own: the one that was not there before. Pure.
//!
//! Drives keep 20 or 21 entries, newest first; a new one pushes the others down. Hours cannot tell them apart: ATA counts
//! them in 16 bits, some drives freeze them, QEMU invents them.

use super::Kind;
use crate::smart::SelfTest;

/// What the log says of this test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// Its entry.
    Entry(SelfTest),
    /// No entry that was not there before.
    None,
}

/// Entries of the smallest full log: NVMe and SCSI keep 20, ATA 21.
const FULL: usize = 20;

/// The entry of kind `kind` that is in `after` and was not in `before`; both newest first.
///
/// Where several are new, the oldest of the kind is taken: the drive runs one test at a time, and this one was started
/// first. Where the log was full of equal entries and still is, none can be told to be new.
pub fn own(kind: Kind, before: &[SelfTest], after: &[SelfTest]) -> Own {
    let (before, after) = (ended(before), ended(after));
    let pushed = (0..after.len()).find(|&new| continues(&before, &after[new..]));
    // A log that is not full keeps all that it had: a new entry like an old one is one more of them. Without a stretch that
    // both share the log was cleared (or is another one): then an entry like an old one is old.
    let full = after.len() >= FULL && after.len() >= before.len();
    let count = |log: &[&SelfTest], entry: &SelfTest| log.iter().filter(|e| **e == entry).count();
    let is_new = |entry: &SelfTest| full && pushed.is_some() || count(&after, entry) > count(&before, entry);
    let own = after[..pushed.unwrap_or(after.len())]
        .iter()
        .rev()
        .find(|entry| kind.matches(&entry.kind) && is_new(entry));
    own.map_or(Own::None, |entry| Own::Entry((*entry).clone()))
}

/// The entries of tests that are over; a drive may list the running one, too.
fn ended(log: &[SelfTest]) -> Vec<&SelfTest> {
    log.iter()
        .filter(|entry| !entry.status.to_ascii_lowercase().contains("in progress"))
        .collect()
}

/// Whether `rest` is what `before` became when newer entries pushed it down: its start, and all of it unless the log is
/// full.
fn continues(before: &[&SelfTest], rest: &[&SelfTest]) -> bool {
    rest.len() <= before.len() && *rest == before[..rest.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(kind: &str, hours: u64, passed: Option<bool>) -> SelfTest {
        SelfTest {
            kind: kind.to_owned(),
            status: match passed {
                Some(true) => "Completed without error",
                Some(false) => "Completed: read failure",
                None => "Aborted by host",
            }
            .to_owned(),
            passed,
            hours: Some(hours),
            lba: None,
        }
    }

    fn log(hours: &[u64]) -> Vec<SelfTest> {
        hours.iter().map(|h| entry("Short offline", *h, Some(true))).collect()
    }

    #[test]
    fn only_what_was_not_there_before_is_own() {
        let before = log(&[100, 50, 20]);
        assert_eq!(own(Kind::Short, &before, &before), Own::None);
        assert_eq!(
            own(Kind::Short, &before, &log(&[101, 100, 50, 20])),
            Own::Entry(log(&[101])[0].clone())
        );
        assert_eq!(own(Kind::Short, &[], &log(&[7])), Own::Entry(log(&[7])[0].clone()));
        // The same hour and the same result: one entry more is one entry more.
        assert_eq!(
            own(Kind::Short, &log(&[7]), &log(&[7, 7])),
            Own::Entry(log(&[7])[0].clone())
        );
        // An old pass of the other kind above a failure of ours.
        let failed = entry("Extended offline", 101, Some(false));
        let mut after = vec![entry("Short offline", 102, Some(true)), failed.clone()];
        after.extend(before.clone());
        assert_eq!(own(Kind::Extended, &before, &after), Own::Entry(failed));
        assert_eq!(own(Kind::Extended, &before, &log(&[101, 100, 50, 20])), Own::None);
    }

    #[test]
    fn a_full_log_drops_its_oldest() {
        let before: Vec<u64> = (0..21).rev().collect();
        let mut after = vec![21];
        after.extend(&before[..20]);
        assert_eq!(
            own(Kind::Short, &log(&before), &log(&after)),
            Own::Entry(log(&[21])[0].clone())
        );
        // Full of equal entries: nothing can be said.
        assert_eq!(own(Kind::Short, &log(&[5; 21]), &log(&[5; 21])), Own::None);
    }

    #[test]
    fn a_log_that_was_cleared_has_only_new_entries() {
        assert_eq!(
            own(Kind::Short, &log(&[9, 8]), &log(&[10])),
            Own::Entry(log(&[10])[0].clone())
        );
        assert_eq!(own(Kind::Short, &log(&[9, 8]), &[]), Own::None);
        // A log that lost its newest entry has no new one.
        assert_eq!(own(Kind::Short, &log(&[9, 8, 7]), &log(&[8, 7])), Own::None);
    }

    #[test]
    fn a_running_entry_is_neither_old_nor_new() {
        let running = SelfTest {
            status: "Self-test routine in progress 90%".into(),
            passed: None,
            ..entry("Short offline", 100, None)
        };
        let before = log(&[100]);
        assert_eq!(own(Kind::Short, &before, &[running, before[0].clone()]), Own::None);
    }

    /// Logs in which entries are often alike.
    fn logs(longest: usize) -> impl Strategy<Value = Vec<SelfTest>> {
        let one = (any::<bool>(), 0_u64..4, 0..3_u8).prop_map(|(short, hours, passed)| {
            let kind = if short { "Short offline" } else { "Extended offline" };
            entry(kind, hours, [Some(true), Some(false), None][usize::from(passed)])
        });
        proptest::collection::vec(one, 0..longest)
    }

    proptest! {
        #[test]
        fn what_was_there_before_is_never_own(old in logs(22), new in logs(4), lost in 0_usize..4) {
            for kind in [Kind::Short, Kind::Extended] {
                prop_assert_eq!(own(kind, &old, &old), Own::None);
                if lost <= old.len() {
                    prop_assert_eq!(own(kind, &old, &old[lost..]), Own::None, "it lost its newest entries");
                }
                let mut after = new.clone();
                after.extend(old.iter().cloned());
                after.truncate(21);
                if let Own::Entry(entry) = own(kind, &old, &after) {
                    prop_assert!(new.contains(&entry));
                }
                // In a log that is not full, the first new entry of the kind is found, unless another is like it.
                let first = new.iter().rev().find(|e| kind.matches(&e.kind));
                if let Some(first) = first.filter(|_| old.len() + new.len() < FULL) {
                    match own(kind, &old, &after) {
                        Own::Entry(entry) => prop_assert!(new.contains(&entry)),
                        Own::None => prop_assert!(old.contains(first), "{:?}", first),
                    }
                }
            }
        }
    }
}

//! Which entry of the log is this test's own: the one that was not there before. Pure.
//!
//! Drives keep 20 or 21 entries, newest first; a new one pushes the others down. An ATA drive has two logs of the same tests, and
//! smartctl shows the standard one where the extended one cannot be read: that may show older entries, which are not new.
//!
//! | before | after | what is this test's own |
//! |---|---|---|
//! | `C B A` | `X C B A` | `X` |
//! | 19 entries | `X`, those 19, an older one | `X` |
//! | 19 entries and more | the same, shifted by an entry like an old one | perhaps that one |
//! | none, or nothing that both share | `X Y Z` | perhaps one of them |
//!
//! What is perhaps its own its hours may prove ([`super::hours`]), or that the log was empty ([`super::empty`]). That a SAS disk's
//! log full of equal entries has another one like them, what it shows while the test runs may prove ([`super::full`]). Hours alone
//! cannot tell entries apart: ATA counts them in 16 bits, some drives freeze them, QEMU invents them.

use super::Kind;
use crate::smart::SelfTest;

/// What the log says of this test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// Its entry.
    Entry(SelfTest),
    /// One of these is its own, or all are older ones that were not seen before; oldest first.
    Unproven(Vec<SelfTest>),
    /// No entry that was not there before.
    None,
}

/// Entries of the smallest full log, beyond which older ones may be unseen: one sector of the extended log has 19, SCSI and NVMe
/// keep 20, the standard ATA log 21.
const FULL: usize = 19;

/// The entry of kind `kind` that is in `after` and was not in `before`; both newest first.
///
/// Where several are new, the oldest of the kind is taken: the drive runs one test at a time, and this one was started
/// first. Where the log was full of equal entries and still is, none can be told to be new.
pub fn own(kind: Kind, before: &[SelfTest], after: &[SelfTest]) -> Own {
    let full = before.len() >= FULL;
    let (before, after) = (ended(before), ended(after));
    let pushed = pushed(&before, &after, full);
    let count = |log: &[&SelfTest], entry: &SelfTest| log.iter().filter(|e| **e == entry).count();
    let is_more = |entry: &SelfTest| count(&after, entry) > count(&before, entry);
    let new = after[..pushed.unwrap_or(after.len())].iter().rev().copied();
    let mut new = new.filter(|entry| kind.matches(&entry.kind)).peekable();
    let found: Vec<&SelfTest> = match (pushed, new.peek()) {
        // A full log may have pushed out an entry like the new one, and logs that repeat themselves fit in more than one place.
        (Some(_), Some(first)) if full => {
            if !before.iter().any(|entry| is_same_test(entry, first)) {
                return Own::Entry((*first).clone());
            }
            // A log that lost its newest entry has no new one.
            new.filter(|_| after.len() >= before.len()).collect()
        }
        // A log that is not full keeps all that it had: a new entry like an old one is one more of them.
        (Some(_), _) => match new.find(|entry| is_more(entry)) {
            Some(entry) => return Own::Entry(entry.clone()),
            None => Vec::new(),
        },
        // The log was empty, was cleared, or is another one: then an entry like an old one is old.
        (None, _) => new.filter(|entry| is_more(entry)).collect(),
    };
    if found.is_empty() {
        return Own::None;
    }
    Own::Unproven(found.into_iter().cloned().collect())
}

/// The entries of tests that are over; a drive may list the running one, too.
pub(super) fn ended(log: &[SelfTest]) -> Vec<&SelfTest> {
    log.iter()
        .filter(|entry| !entry.status.to_ascii_lowercase().contains("in progress"))
        .collect()
}

/// How many entries at the head of `after` are newer than `before`; `None` where nothing shows that both are of one log.
fn pushed(before: &[&SelfTest], after: &[&SelfTest], full: bool) -> Option<usize> {
    let place = |alike: fn(&SelfTest, &SelfTest) -> bool| {
        (0..after.len()).find(|&new| {
            let rest = &after[new..];
            let shared = rest.len().min(before.len());
            // A log that was not full has no older entries to show later; of a full one a few equal entries may be chance.
            let fits = if full {
                shared >= new
            } else {
                rest.len() <= before.len()
            };
            shared > 0 && fits && rest.iter().zip(before).all(|(now, then)| alike(now, then))
        })
    };
    place(|now, then| now == then).or_else(|| place(is_same_test))
}

/// Whether two entries may be of one test: the standard log has fewer bits for the sector than the extended one.
fn is_same_test(one: &SelfTest, other: &SelfTest) -> bool {
    (&one.kind, &one.status, one.passed, one.hours) == (&other.kind, &other.status, other.passed, other.hours)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a drive tells it.
    pub(in crate::selftest) fn entry(kind: &str, hours: u64, passed: Option<bool>) -> SelfTest {
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
        // The log of one sector at the start, the longer one later: what is older was not seen, and is not new.
        for size in [19, 20] {
            assert_eq!(own(Kind::Short, &log(&before[..size]), &log(&before)), Own::None);
            assert_eq!(
                own(Kind::Short, &log(&before[..size]), &log(&after)),
                Own::Entry(log(&[21])[0].clone())
            );
        }
        // Its new entry is like an old one.
        after[0] = 20;
        assert_eq!(own(Kind::Short, &log(&before), &log(&after)), Own::Unproven(log(&[20])));
        // One that repeats itself and lost its newest looks as if it were pushed.
        let twos: Vec<u64> = (0..21).map(|n| n % 2).collect();
        assert_eq!(own(Kind::Short, &log(&twos), &log(&twos[1..])), Own::None);
        // Full of equal entries: nothing can be said.
        assert_eq!(own(Kind::Short, &log(&[5; 21]), &log(&[5; 21])), Own::None);
    }

    #[test]
    fn a_log_that_was_cleared_or_empty_or_not_told_has_perhaps_only_new_entries() {
        assert_eq!(own(Kind::Short, &[], &log(&[7])), Own::Unproven(log(&[7])));
        assert_eq!(own(Kind::Short, &log(&[9, 8]), &log(&[10])), Own::Unproven(log(&[10])));
        assert_eq!(
            own(Kind::Short, &log(&[9, 8]), &log(&[11, 9, 10])),
            Own::Unproven(log(&[10, 11]))
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

    fn told(own: Own) -> Vec<SelfTest> {
        match own {
            Own::Entry(entry) => vec![entry],
            Own::Unproven(entries) => entries,
            Own::None => Vec::new(),
        }
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
                for entry in told(own(kind, &old, &after)) {
                    prop_assert!(new.contains(&entry));
                }
                // In a log that is not full, the first new entry of the kind is found, unless another is like it.
                let first = new.iter().rev().find(|e| kind.matches(&e.kind));
                if let Some(first) = first.filter(|_| old.len() + new.len() < FULL) {
                    let found = told(own(kind, &old, &after));
                    prop_assert!(!found.is_empty() || old.contains(first), "{:?}", first);
                }
            }
        }
    }
}

//! A self-test's result is never an entry that was there before, whatever the log looks like; and no document panics.
#![no_main]

use std::time::Duration;

use drive::selftest::{Kind, Own, Running, Step, own};
use drive::smart::{SelfTest, Snapshot, parse};
use libfuzzer_sys::fuzz_target;
use wire::job::SelfTestOutcome;

/// Entries of two bytes each: kind and result, hours; six times as many as any drive keeps.
fn log(bytes: &[u8]) -> Vec<SelfTest> {
    let entry = |pair: &[u8]| SelfTest {
        kind: if pair[0] & 1 == 0 { "Short offline" } else { "Extended offline" }.to_owned(),
        status: if pair[0] & 14 == 14 { "Self-test routine in progress" } else { "Completed" }.to_owned(),
        passed: [Some(true), Some(false), None, Some(true)][usize::from(pair[0] >> 4 & 3)],
        hours: Some(u64::from(pair[1])),
        lba: None,
    };
    bytes.chunks_exact(2).take(128).map(entry).collect()
}

fuzz_target!(|bytes: &[u8]| {
    // Documents as they come.
    if let Ok(now) = parse(bytes) {
        let mut running = Running::new(Kind::Short, &Snapshot::default(), false);
        let _ = running.step(Duration::from_secs(60), &now);
        let mut same = Running::new(Kind::Short, &now, true);
        if let Step::Ended(test) = same.step(Duration::from_secs(60), &now) {
            assert_eq!(test.outcome, SelfTestOutcome::Unknown, "nothing is new");
        }
    }
    let Some((&split, rest)) = bytes.split_first() else { return };
    let (new, old) = rest.split_at(usize::from(split) % (rest.len() + 1) / 2 * 2);
    let (new, old) = (log(new), log(old));
    for kind in [Kind::Short, Kind::Extended] {
        assert_eq!(own(kind, &old, &old), Own::None);
        let mut after = new.clone();
        after.extend(old.iter().cloned());
        after.truncate(21);
        if let Own::Entry(entry) = own(kind, &old, &after) {
            assert!(new.contains(&entry), "an entry of the log before");
        }
        // A log that lost entries has no new one.
        for lost in 0..old.len().min(4) {
            assert_eq!(own(kind, &old, &old[lost..]), Own::None, "lost {lost}");
        }
    }
});

//! Alerts over random sequences of readings: each fault is told when it comes or gets worse, and again only where a reading in between
//! said that it was well for long enough.
#![allow(clippy::unwrap_used, reason = "tests")]

use health::Reading;
use health::alert::{Alerts, Change, judge, judge_pool};
use health::pool::pools;
use health::reading::{Attribute, Medium, Protocol};
use proptest::prelude::*;
use serde_json::json;
use wire::Time;

/// Minutes since the reading before, and what it says of three parts: nothing, well (0), or how bad.
type Step = (i64, [Option<u64>; 3]);

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Nothing,
    Fault,
    Over,
}

const DAY: i64 = 24 * 60;
const THREE_HOURS: i64 = 3 * 60;

fn steps(worst: u64) -> impl Strategy<Value = Vec<Step>> {
    let minutes = prop_oneof![Just(0_i64), 1..DAY, Just(THREE_HOURS), Just(DAY), DAY..3 * DAY];
    let part = prop::option::weighted(0.75, prop_oneof![2 => Just(0), 3 => 1..=worst]);
    prop::collection::vec((minutes, [part.clone(), part.clone(), part]), 1..24)
}

/// A protocol that tells of all its parts or of none.
fn all_or_none(steps: Vec<Step>) -> Vec<Step> {
    let whole = |parts: [Option<u64>; 3]| if parts.contains(&None) { [None; 3] } else { parts };
    steps
        .into_iter()
        .map(|(minutes, parts)| (minutes, whole(parts)))
        .collect()
}

/// What must be heard, from the whole history at each step. A part is well for long enough where a reading says so, none says otherwise
/// up to another one, and `rest` minutes lie between these two.
fn due(steps: &[Step], rest: i64) -> Vec<Heard> {
    let mut at = 0;
    let steps: Vec<Step> = steps
        .iter()
        .map(|(minutes, parts)| {
            at += minutes;
            (at, *parts)
        })
        .collect();
    let last = |i: usize, part: usize| steps[..=i].iter().rev().find_map(|(_, parts)| parts[part]).unwrap_or(0);
    let stands = |i: usize| (0..3).any(|part| last(i, part) > 0);
    let is_bad = |i: usize, part: usize| steps[i].1[part].is_some_and(|count| count > 0);
    let rested = |part: usize, from: usize, to: usize| {
        (from + 1..to).any(|well| {
            let until = (well..to).find(|k| is_bad(*k, part)).unwrap_or(to);
            steps[well].1[part] == Some(0) && (well + 1..=until).any(|k| steps[k].0 - steps[well].0 >= rest)
        })
    };
    let mut begin = 0;
    (0..steps.len())
        .map(|i| match (i > 0 && stands(i - 1), stands(i)) {
            (false, false) => Heard::Nothing,
            (true, false) => Heard::Over,
            (false, true) => {
                begin = i;
                Heard::Fault
            }
            (true, true) => {
                let worse = |part: usize| {
                    let known = |k: usize| steps[k].1[part] >= steps[i].1[part] && !rested(part, k, i);
                    is_bad(i, part) && !(begin..i).any(known)
                };
                if (0..3).any(worse) {
                    Heard::Fault
                } else {
                    Heard::Nothing
                }
            }
        })
        .collect()
}

/// What is heard.
fn heard(
    steps: &[Step],
    mut judge: impl FnMut(&Alerts, [Option<u64>; 3], Time) -> (Alerts, Vec<Change>),
) -> Vec<Heard> {
    let (mut alerts, mut minutes) = (Alerts::new(), 0);
    steps
        .iter()
        .map(|(more, parts)| {
            minutes += more;
            let (after, changes) = judge(&alerts, *parts, Time::from_second(minutes * 60).unwrap());
            alerts = after;
            match changes.as_slice() {
                [] => Heard::Nothing,
                [change] if change.resolved => Heard::Over,
                [_] => Heard::Fault,
                more => panic!("{more:?}"),
            }
        })
        .collect()
}

fn counted(key: &str, count: u64) -> Attribute {
    Attribute {
        key: key.to_owned(),
        name: key.to_owned(),
        count,
        ..Attribute::default()
    }
}

fn sas(parts: [Option<u64>; 3]) -> Reading {
    let keys = ["read_uncorrected", "write_uncorrected", "verify_uncorrected"];
    let rows = keys
        .iter()
        .zip(parts)
        .filter_map(|(key, count)| Some(counted(key, count?)));
    Reading {
        protocol: Protocol::Scsi,
        attributes: rows.collect(),
        ..Reading::default()
    }
}

/// `bits`: which of the controller's warning stand for the parts.
fn nvme(bits: [u32; 3], parts: [Option<u64>; 3]) -> Reading {
    let set = bits
        .iter()
        .zip(parts)
        .map(|(bit, on)| Some(on? << bit))
        .sum::<Option<u64>>();
    Reading {
        protocol: Protocol::Nvme,
        medium: Medium::Flash,
        attributes: set.map(|set| counted("critical_warning", set)).into_iter().collect(),
        ..Reading::default()
    }
}

/// Rows of one name, at their thresholds or not, or without a value.
fn ata(parts: [Option<u64>; 3]) -> Reading {
    let row = |key: &str, failing: Option<u64>| Attribute {
        name: "Unknown_Attribute".to_owned(),
        value: failing.map(|on| if on > 0 { 10 } else { 100 }),
        threshold: failing.map(|_| 36),
        prefail: true,
        ..counted(key, 0)
    };
    let rows = ["170", "180", "181"]
        .iter()
        .zip(parts)
        .map(|(key, failing)| row(key, failing));
    Reading {
        protocol: Protocol::Ata,
        attributes: rows.chain([row("9", Some(0))]).collect(),
        ..Reading::default()
    }
}

/// A pool that is degraded by one device throughout, and by its others now and then.
fn pool(parts: [Option<u64>; 3], turn: usize) -> serde_json::Value {
    let state = |bad: u64| match bad {
        0 => "ONLINE",
        1 => "DEGRADED",
        _ => ["FAULTED", "OFFLINE", "REMOVED", "UNAVAIL"][turn % 4],
    };
    let devices = ["sda", "replacing-0", "replacing-0"]
        .iter()
        .zip(parts)
        .map(|(name, bad)| match bad {
            Some(bad) => json!({ "name": name, "state": state(bad) }),
            None => json!({ "name": name }),
        });
    json!({ "pools": [{ "name": "tank", "health": "DEGRADED", "devices": devices.collect::<Vec<_>>() }] })
}

proptest! {
    #[test]
    fn a_counter_is_told_again_only_behind_a_zero(steps in steps(5)) {
        let told = heard(&steps, |alerts, parts, now| judge(alerts, &sas(parts), None, now));
        prop_assert_eq!(told, due(&steps, 0));
    }

    #[test]
    fn a_bit_is_told_again_only_behind_a_day_without_it(steps in steps(1)) {
        let steps = all_or_none(steps);
        for bits in [[0, 1, 3], [1, 6, 7]] {
            let told = heard(&steps, |alerts, parts, now| judge(alerts, &nvme(bits, parts), None, now));
            prop_assert_eq!(told, due(&steps, DAY));
        }
    }

    #[test]
    fn a_row_is_told_again_only_behind_a_day_above_its_threshold(steps in steps(1)) {
        let told = heard(&steps, |alerts, parts, now| judge(alerts, &ata(parts), None, now));
        prop_assert_eq!(told, due(&steps, DAY));
    }

    #[test]
    fn a_device_is_told_again_only_behind_three_hours_in_service(mut steps in steps(2)) {
        // The pool's alert begins with the first report, and its own word keeps it.
        steps.insert(0, (0, [Some(2), None, None]));
        for (_, parts) in &mut steps {
            parts[0] = Some(2);
        }
        let mut turn = 0;
        let told = heard(&steps, |alerts, parts, now| {
            turn += 1;
            judge_pool(alerts, &pools(&pool(parts, turn))[0], now)
        });
        prop_assert_eq!(told, due(&steps, THREE_HOURS));
    }
}

//! What a checkpoint keeps, refuses and costs.
#![allow(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;

use super::*;
use crate::findings::Fault;
use crate::playbook::plain;

fn sample() -> Checkpoint {
    let geometry = Geometry {
        sectors: 5_000,
        sector: 512,
        physical: 4096,
    };
    let steps = plain(&[Phase::SmartBefore, Phase::Probe, Phase::Write, Phase::Verify]);
    let mut evidence = Evidence::new(geometry, &steps);
    evidence
        .defects
        .add((3, Phase::Verify), 7, 3, Fault::Moved { shift: -4, fresh: true });
    Checkpoint {
        key: JobKey([7; 16]),
        geometry,
        steps,
        step: 3,
        frontier: 4_096,
        holds: Some(Holds {
            fill: Fill::Keyed,
            pass: 1,
            step: 2,
        }),
        evidence,
    }
}

#[test]
fn what_a_test_came_to_is_told_from_what_it_stands_at() {
    let mut sample = sample();
    let geometry = sample.geometry;
    sample.frontier = geometry.sectors;
    assert!(!sample.is_of_the_end(), "its steps are not over");
    for record in &mut sample.evidence.phases {
        record.status = PhaseStatus::Done;
    }
    let end = Checkpoint::of_the_end(sample.key, &sample.steps, Some(&sample.encode()), &sample.evidence).unwrap();
    assert_eq!((end.step, end.frontier, end.holds), (3, geometry.sectors, sample.holds));
    let end = Checkpoint::decode(&end.encode()).unwrap();
    assert!(end.is_of_the_end());
    let nothing = Evidence::new(geometry, &[]);
    assert_eq!(Checkpoint::of_the_end(sample.key, &[], None, &nothing), None);
}

#[test]
fn what_is_encoded_decodes() {
    assert_eq!(Checkpoint::decode(&sample().encode()).unwrap(), sample());
}

/// What 24 drives write down anew each half minute decides what a day of checkpoints costs; the agent measures that over texts of
/// these lengths (`jobs`). This drive's pace and accesses vary more than those of most.
#[test]
fn what_a_checkpoint_of_a_long_burn_in_has_anew_is_small() {
    let steps = crate::playbook::Playbook::named("thorough").unwrap().steps().to_vec();
    let mut checkpoint = sample();
    let geometry = Geometry {
        sectors: 39_062_500_000,
        sector: 512,
        physical: 4096,
    };
    checkpoint.evidence = Evidence::new(geometry, &steps);
    let mut seed = 1;
    for record in &mut checkpoint.evidence.phases {
        for n in 0..40_000_u64 {
            let noise = crate::sim::next_random(&mut seed);
            // Most within a third, one of a hundred up to a second.
            let long = if noise.is_multiple_of(100) {
                noise % 1_000_000_000
            } else {
                0
            };
            let time = std::time::Duration::from_nanos(3_000_000 + noise % 900_000 + long);
            let lba = n * (geometry.sectors / 40_000);
            record.zones.add((lba, 1024), geometry.sectors, 512 << 10, time, time);
            record.latency.add(time);
        }
        record.done.0 = 12_345_678_901_234;
    }
    (
        checkpoint.geometry,
        checkpoint.steps,
        checkpoint.step,
        checkpoint.frontier,
    ) = (geometry, steps, 6, 17_000_000_000);
    let text = checkpoint.encode();
    let read = Checkpoint::decode(&text).unwrap();
    assert_eq!(
        read.encode().len(),
        text.len(),
        "packing loses nothing more the second time"
    );
    let rows: Vec<&str> = split(&text).collect();
    let long: Vec<usize> = rows.iter().map(|row| row.len()).collect();
    eprintln!("rows of {long:?} bytes");
    assert!(
        matches!(long[..], [anew, seldom] if anew < 7_000 && seldom < 40_000),
        "{long:?} bytes"
    );
    let mut later = read;
    later.frontier += 1 << 30;
    let own = later.step;
    later.evidence.step_mut(own).unwrap().seconds += 28.0;
    let later = later.encode();
    assert_eq!(
        split(&later).skip(1).collect::<Vec<_>>(),
        rows[1..],
        "it is written down again"
    );
}

/// A drive with findings all day long has its checkpoints write down little more than one without: each step's newest stand in the
/// row that is written anyway, and the others in rows that are short.
#[test]
fn findings_all_along_are_written_down_with_what_is_anew() {
    let mut checkpoint = sample();
    let geometry = Geometry {
        sectors: 39_062_500_000,
        sector: 512,
        physical: 4096,
    };
    checkpoint.geometry = geometry;
    checkpoint.steps = crate::playbook::Playbook::named("thorough").unwrap().steps().to_vec();
    checkpoint.evidence = Evidence::new(geometry, &checkpoint.steps);
    let sweeps: Vec<u16> = checkpoint
        .evidence
        .phases
        .iter()
        .filter(|record| record.phase == Phase::Verify)
        .map(|record| record.step)
        .collect();
    let (mut seed, mut pairs, mut longest, mut anew, mut changed) = (1, 0, 0, 0, 0);
    let mut last: Option<Vec<String>> = None;
    let each = RUNS_MAX as u64 / 2;
    let findings = sweeps.iter().flat_map(|step| (0..each).map(move |n| (*step, n)));
    for (n, (step, nth)) in findings.enumerate() {
        let noise = crate::sim::next_random(&mut seed);
        let into = nth * (geometry.sectors / each);
        let order = checkpoint.evidence.step(step).unwrap().work.order;
        let lba = match order {
            Direction::Forward => into,
            Direction::Reverse => geometry.sectors - 1 - into,
        };
        let fault = match noise % 4 {
            0 => Fault::Flips { bits: 1 },
            1 => Fault::Read { errno: 5 },
            2 => Fault::Moved {
                shift: (noise >> 20).cast_signed(),
                fresh: true,
            },
            _ => Fault::Stale { pass: 1 },
        };
        checkpoint.step = step;
        checkpoint.frontier = into + 1;
        let evidence = &mut checkpoint.evidence;
        evidence.defects.add((step, Phase::Verify), lba, 1, fault);
        evidence.incident(Incident {
            at_ms: noise % 86_400_000,
            kind: FaultKind::Slow,
            step,
            phase: Phase::Verify,
            lba: Some(wire::Lba(lba)),
            sectors: 1_024,
            detail: format!("a read of 1024 sectors took {} ms", noise % 30_000),
        });
        if n % 50 > 1 {
            continue;
        }
        let text = checkpoint.encode();
        let read = Checkpoint::decode(&text).unwrap();
        assert!(read == checkpoint && read.encode() == text, "finding {n}");
        let rows: Vec<String> = split(&text).map(str::to_owned).collect();
        anew = anew.max(rows[0].len());
        longest = rows[2..].iter().map(String::len).max().unwrap_or(0).max(longest);
        if n % 50 == 1
            && let Some(before) = &last
        {
            pairs += 1;
            changed += rows
                .iter()
                .enumerate()
                .skip(1)
                .filter(|(at, row)| before.get(*at) != Some(row))
                .count();
        }
        last = Some(rows);
    }
    eprintln!("{changed} rows of up to {longest} bytes changed by {pairs} findings, {anew} anew");
    // With the paces and accesses of a long step, which this one lacks, less than 8,000.
    assert!(longest < 1_900 && anew < 2_500, "rows of {longest} and {anew} bytes");
    assert!(
        pairs > 50 && changed * 4 < pairs,
        "{changed} rows changed by {pairs} findings"
    );
}

#[test]
fn another_version_and_impossible_content_are_told() {
    let text = sample().encode();
    for other in [VERSION - 1, VERSION + 1] {
        let text = text.replacen(&format!(" {VERSION} "), &format!(" {other} "), 1);
        let told = Checkpoint::decode(&text).unwrap_err().to_string();
        assert!(told.contains(&format!("version {other}")), "{told}");
    }
    let beyond = Checkpoint {
        frontier: 5_001,
        ..sample()
    };
    assert!(matches!(Checkpoint::decode(&beyond.encode()), Err(Error::Content(_))));
    let mut outside = sample();
    outside.evidence.defects.add((3, Phase::Verify), 4_999, 2, Fault::Zeros);
    assert!(matches!(Checkpoint::decode(&outside.encode()), Err(Error::Content(_))));
    let nowhere = Checkpoint { step: 0, ..sample() };
    assert!(matches!(Checkpoint::decode(&nowhere.encode()), Err(Error::Content(_))));
}

/// Half an hour of a fast SSD's seeks is many times its capacity: a checkpoint that refuses them takes a good drive for a lost one.
#[test]
fn what_seeks_move_is_bounded_by_no_capacity() {
    let seek = Step {
        seconds: 1_800,
        ..Step::from(Phase::Seek)
    };
    let steps = [plain(&[Phase::Write, Phase::Verify]), vec![seek]].concat();
    let geometry = Geometry {
        sectors: 250_000_000_000 / 512,
        sector: 512,
        physical: 4096,
    };
    let with = |step: usize, done: u64| {
        let mut evidence = Evidence::new(geometry, &steps);
        evidence.phases[step].seconds = 1_700.0;
        evidence.phases[step].done.0 = done;
        let checkpoint = Checkpoint {
            geometry,
            steps: steps.clone(),
            step: 2,
            frontier: 0,
            evidence,
            ..sample()
        };
        Checkpoint::decode(&checkpoint.encode()).map(|read| read == checkpoint)
    };
    for done in [0, 250_000_000_000, 4_398_046_511_104 + 65_536, 13_000_000_000_000_000] {
        assert!(with(2, done).unwrap(), "{done}");
    }
    assert!(matches!(with(2, u64::MAX), Err(Error::Content(_))));
    assert!(
        matches!(with(1, 4_398_046_511_104 + 65_536), Err(Error::Content(_))),
        "a sweep comes by once"
    );
}

proptest! {
    #[test]
    fn any_cut_or_changed_byte_is_seen(cut in 0_usize..2_000, at in 0_usize..2_000, with in 1_u8..128) {
        let text = sample().encode();
        prop_assert!(Checkpoint::decode(&text[..cut.min(text.len() - 1)]).is_err());
        let mut bytes = text.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= with;
        if let Ok(changed) = String::from_utf8(bytes) && let Ok(read) = Checkpoint::decode(&changed) {
            // Only the head's spelling can change without changing what it says (a hexadecimal digit's case).
            prop_assert_eq!(read, sample());
        }
    }

    #[test]
    fn decode_never_panics(text in ".{0,300}", body in ".{0,100}") {
        let _ = Checkpoint::decode(&text);
        let framed = frame([body.as_bytes(), b"{}"]);
        let _ = Checkpoint::decode(&framed);
    }
}

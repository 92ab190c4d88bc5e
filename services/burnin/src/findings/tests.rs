#![allow(clippy::unwrap_used, reason = "tests")]

use wire::Lba;
use wire::job::FaultKind;

use super::*;
use crate::device::Geometry;
use crate::header::{HEADER_PASS, places};
use crate::pipeline::PROBE_PASS;

const GEOMETRY: Geometry = Geometry {
    sectors: 10_000,
    sector: 512,
    physical: 512,
};

fn kinds(defects: &Defects) -> Vec<(FaultKind, u64, u64)> {
    defects
        .findings(GEOMETRY)
        .into_iter()
        .map(|f| (f.kind, f.lba.unwrap().0, f.sectors))
        .collect()
}

#[test]
fn neighbours_join_in_any_order_and_count_once() {
    let mut defects = Defects::default();
    for lba in [5, 9, 7, 6, 8, 5, 20] {
        defects.add((2, Phase::Verify), lba, 1, Fault::Zeros);
    }
    defects.add((1, Phase::Write), 8, 3, Fault::Write { errno: 5 });
    assert_eq!(defects.bad_sectors(), 7);
    assert_eq!(defects.bad_sectors_in(0..8), 3);
    assert_eq!(
        kinds(&defects),
        [
            (FaultKind::WriteError, 8, 3),
            (FaultKind::Zeroed, 5, 5),
            (FaultKind::Zeroed, 20, 1)
        ]
    );
    assert!(defects.covers(2, 9) && !defects.covers(2, 10));
}

#[test]
fn what_was_wrong_once_and_shows_again_is_told_as_what_it_is() {
    let mut defects = Defects::default();
    defects.add((1, Phase::Verify), 10, 5, Fault::Transient);
    defects.add((2, Phase::Verify), 12, 1, Fault::Zeros);
    for (lba, fault) in [
        (12, Fault::Zeros),
        (13, Fault::Transient),
        (10, Fault::Zeros),
        (12, Fault::Ones),
    ] {
        defects.add((1, Phase::Verify), lba, 1, fault);
    }
    let runs: Vec<_> = defects
        .runs()
        .map(|run| (run.step, run.first, run.count, run.fault))
        .collect();
    assert_eq!(
        runs,
        [
            (1, 10, 1, Fault::Zeros),
            (1, 11, 1, Fault::Transient),
            (1, 12, 1, Fault::Zeros),
            (1, 13, 2, Fault::Transient),
            (2, 12, 1, Fault::Zeros),
        ]
    );
    assert_eq!(defects.bad_sectors(), 5);
}

#[test]
fn one_shift_over_the_whole_drive_is_a_wrap_around() {
    let mut defects = Defects::default();
    defects.add(
        (2, Phase::Verify),
        0,
        2_000,
        Fault::Moved {
            shift: 8_000,
            fresh: true,
        },
    );
    defects.add(
        (2, Phase::Verify),
        2_000,
        4_000,
        Fault::Moved {
            shift: 4_000,
            fresh: true,
        },
    );
    assert!(kinds(&defects).iter().all(|(kind, ..)| *kind == FaultKind::WrapAround));
    assert!(
        defects.findings(GEOMETRY)[0].detail.contains("only 2.05 MB"),
        "{:?}",
        defects.findings(GEOMETRY)
    );
}

#[test]
fn a_wrap_around_is_one_in_whatever_order_it_was_written() {
    let forward_but_one_overtaken = [(0, 5_990, 4_000), (5_996, 4, 4_000), (9_990, 6, -4_000)];
    let reverse = [(4_000, 4_000, -4_000), (8_000, 2_000, -8_000)];
    for runs in [&forward_but_one_overtaken[..], &reverse] {
        let mut defects = Defects::default();
        for (first, count, shift) in runs {
            defects.add(
                (2, Phase::Verify),
                *first,
                *count,
                Fault::Moved {
                    shift: *shift,
                    fresh: true,
                },
            );
        }
        for told in defects.findings(GEOMETRY) {
            assert_eq!(told.kind, FaultKind::WrapAround, "{told:?}");
            assert!(told.detail.contains("only 2.05 MB"), "{told:?}");
        }
    }
}

/// The first 300 sectors are stored apart, and what is behind them has 3,700 places.
#[test]
fn a_front_that_does_not_wrap_is_stored_too() {
    let mut defects = Defects::default();
    for (first, count, shift) in [(300, 2_300, 7_400), (2_600, 3_700, 3_700)] {
        let fault = Fault::Moved { shift, fresh: true };
        defects.add((2, Phase::Verify), first, count, fault);
    }
    for told in defects.findings(GEOMETRY) {
        assert_eq!(told.kind, FaultKind::WrapAround, "{told:?}");
        assert!(told.detail.contains("only 2.05 MB"), "{told:?}");
    }
}

/// A drive that keeps one of several blocks of 64 KiB alike by a weak hash: every shift is a multiple of the block, but what should be
/// in one cell comes from several places.
#[test]
fn blocks_that_a_drive_takes_for_equal_are_no_wrap_around() {
    let geometry = Geometry {
        sectors: 128 * 1024,
        ..GEOMETRY
    };
    let mut defects = Defects::default();
    // Of the blocks from the 49th on each holds one of the first 49.
    for block in 49..1024_i64 {
        let of = (block * 31 + 48) % 49;
        let shift = (of - block) * 128;
        let at = u64::try_from(block * 128).unwrap();
        defects.add((2, Phase::Verify), at, 128, Fault::Moved { shift, fresh: true });
    }
    for told in defects.findings(geometry) {
        assert_eq!(told.kind, FaultKind::Misdirected, "{told:?}");
    }
}

#[test]
fn exchanged_stretches_are_no_wrap_around_wherever_they_are() {
    for (first, count, shift) in [
        (0, 8, 9_992),
        (0, 8, 9_984),
        (0, 5_000, 5_000),
        (0, 1, 9_999),
        (40, 9, 700),
    ] {
        let mut defects = Defects::default();
        let mut add = |first, shift| defects.add((2, Phase::Verify), first, count, Fault::Moved { shift, fresh: true });
        add(first, shift);
        add(first + shift.unsigned_abs(), -shift);
        let told = defects.findings(GEOMETRY);
        assert_eq!(told.len(), 2, "{told:?}");
        for told in told {
            assert_eq!(told.kind, FaultKind::Misdirected, "{told:?}");
            assert!(told.detail.contains("the two are exchanged"), "{told:?}");
        }
    }
}

/// Headers stand through an exchange, and cut its runs.
#[test]
fn exchanged_halves_are_told_as_such_also_where_a_header_lies_between() {
    let mut defects = Defects::default();
    for (first, count, shift) in [(0, 700, 5_000), (732, 4_268, 5_000), (5_000, 5_000, -5_000)] {
        defects.add((2, Phase::Verify), first, count, Fault::Moved { shift, fresh: true });
    }
    for told in defects.findings(GEOMETRY) {
        assert_eq!(told.kind, FaultKind::Misdirected, "{told:?}");
        assert!(told.detail.contains("the two are exchanged"), "{told:?}");
    }
}

#[test]
fn one_sector_with_a_foreign_tag_is_a_misdirected_access() {
    let mut defects = Defects::default();
    defects.add((2, Phase::Verify), 100, 1, Fault::Moved { shift: 50, fresh: true });
    defects.add((2, Phase::Verify), 150, 1, Fault::Zeros);
    let told = defects.findings(GEOMETRY);
    assert_eq!((told[0].kind, told[0].found), (FaultKind::Misdirected, Some(Lba(150))));
    assert!(told[0].detail.contains("a write went"), "{told:?}");
    assert!(told[1].detail.contains("lies at LBA 100"), "{told:?}");
}

#[test]
fn a_tail_of_zeros_is_missing_capacity() {
    let mut defects = Defects::default();
    defects.add((2, Phase::Verify), 6_000, 4_000, Fault::Zeros);
    assert_eq!(kinds(&defects), [(FaultKind::Truncated, 6_000, 4_000)]);
}

/// A drive that takes what it is given until it is full keeps the probe of its end, and the headers.
#[test]
fn a_tail_in_which_the_probe_was_stored_is_missing_capacity_all_the_same() {
    let stale = |pass| Fault::Stale { pass };
    let tail = |patch| {
        let mut defects = Defects::default();
        defects.add((2, Phase::Verify), 6_000, 2_000, Fault::Foreign);
        defects.add((2, Phase::Verify), 8_000, 8, patch);
        defects.add((2, Phase::Verify), 8_008, 1_992, Fault::Zeros);
        defects
    };
    for pass in [PROBE_PASS, HEADER_PASS] {
        assert_eq!(kinds(&tail(stale(pass))), [(FaultKind::Truncated, 6_000, 4_000)]);
    }
    // At the end of the job the pattern itself comes there, and a little of it the drive may keep.
    let (header, long) = places(GEOMETRY)[3];
    for (at, one) in [(header, true), (header + 1, false)] {
        let mut kept = Defects::default();
        kept.add((2, Phase::Verify), 6_000, at - 6_000, Fault::Zeros);
        kept.add((2, Phase::Verify), at + long, 10_000 - at - long, Fault::Zeros);
        assert_eq!(
            kinds(&kept)[0] == (FaultKind::Truncated, 6_000, 4_000),
            one,
            "{:?}",
            kinds(&kept)
        );
    }
    // What an earlier pass wrote there was stored, and a hole in the midst is none.
    let told = kinds(&tail(stale(1)));
    assert!(told.contains(&(FaultKind::Stale, 8_000, 8)), "{told:?}");
    let mut hole = Defects::default();
    hole.add((2, Phase::Verify), 6_000, 1_000, Fault::Zeros);
    hole.add((2, Phase::Verify), 7_000, 8, stale(PROBE_PASS));
    let told = kinds(&hole);
    assert!(told.iter().all(|(kind, ..)| *kind != FaultKind::Truncated), "{told:?}");
}

#[test]
fn a_hostile_drive_does_not_fill_the_memory() {
    let mut defects = Defects::default();
    for lba in 0..20_000 {
        defects.add((2, Phase::Verify), lba * 2, 1, Fault::Zeros);
    }
    assert_eq!((defects.runs().count(), defects.bad_sectors()), (RUNS_MAX, 20_000));
    let text = serde_json::to_string(&defects).unwrap();
    assert_eq!(serde_json::from_str::<Defects>(&text).unwrap(), defects);
}

#[test]
fn beyond_the_runs_that_are_kept_a_bad_sector_is_one_however_often_it_is_seen_and_of_its_own_class() {
    let mut defects = Defects::default();
    for step in [1, 3, 5] {
        for lba in 0..20_000 {
            defects.add((step, Phase::Verify), lba * 2, 1, Fault::Flips { bits: 1 });
        }
        // The headers' places, and seeks.
        for lba in [0, 2, 30_000, 30_000] {
            defects.add_one(again(step), lba, Fault::Flips { bits: 1 });
        }
    }
    assert_eq!(defects.bad_sectors(), 20_000);
    assert_eq!(
        defects.bad_sectors_in(0..15_000),
        15_000,
        "they may lie anywhere, but no more than there are"
    );
    for lba in 0..7_000 {
        defects.add((7, Phase::Verify), 50_001 + lba * 2, 1, Fault::Read { errno: 5 });
    }
    assert!(defects.add_one(again(8), 60_000, Fault::Foreign));
    assert!(!defects.add_one(again(8), 60_000, Fault::Foreign));
    let of = |class| defects.beyond(|other| other == class);
    assert_eq!(
        (of(Class::Bits), of(Class::Read), of(Class::Content)),
        (15_904, 7_000, 1)
    );
    let text = serde_json::to_string(&defects).unwrap();
    assert_eq!(serde_json::from_str::<Defects>(&text).unwrap(), defects);
    for (older, class) in [
        (r#"{"runs":[],"beyond":9}"#, Class::Bits),
        (r#"{"runs":[],"beyond":9,"beyond_by":[[3,"read",9]]}"#, Class::Read),
    ] {
        let older: Defects = serde_json::from_str(older).unwrap();
        assert_eq!((older.bad_sectors(), older.beyond(|of| of == class)), (9, 9));
    }
}

/// A visit of a step that may have come to the sector before.
fn again(step: u16) -> Visit {
    Visit {
        step,
        phase: Phase::Seek,
        round: 0,
        again: true,
    }
}

/// A soak has thousands of rounds: what is kept of them is no more than of a few, and no class is forgotten.
#[test]
fn the_rounds_of_a_soak_do_not_add_up_nor_fill_the_memory() {
    let mut defects = Defects::default();
    for lba in 0..RUNS_MAX as u64 {
        defects.add((1, Phase::Verify), lba * 2, 1, Fault::Zeros);
    }
    let mut see = |round, from: u64, count: u64, fault| {
        let visit = Visit {
            step: 1,
            phase: Phase::Verify,
            round,
            again: false,
        };
        for lba in from..from + count {
            defects.add_one(visit, 100_000 + lba * 2, fault);
        }
    };
    see(7, 0, 3, Fault::Read { errno: 5 });
    for round in 8..500 {
        see(round, 0, 50 + u64::from(round % 40), Fault::Zeros);
        see(round, 500, 20, Fault::Torn);
    }
    let of = |class| defects.beyond(|other| other == class);
    assert_eq!((of(Class::Read), of(Class::Content), of(Class::Bits)), (3, 89, 20));
    assert_eq!(defects.bad_sectors(), RUNS_MAX as u64 + 89 + 20);
    assert!(defects.beyond.rows().len() < 20, "{:?}", defects.beyond);
}

#[test]
fn what_shows_again_as_worse_is_told_also_where_nothing_more_is_kept() {
    let mut defects = Defects::default();
    for lba in 0..5_000 {
        defects.add((1, Phase::Verify), lba * 4, 3, Fault::Transient);
    }
    defects.add((1, Phase::Verify), 9, 1, Fault::Zeros);
    assert_eq!(defects.beyond(|class| class == Class::Content), 1);
    // A sector by itself leaves its place to what shows again.
    let mut defects = Defects::default();
    for lba in 0..5_000 {
        defects.add((1, Phase::Verify), lba * 2, 1, Fault::Transient);
    }
    defects.add((1, Phase::Verify), 8, 1, Fault::Zeros);
    let placed = defects.runs().find(|run| run.first == 8).map(|run| run.fault);
    assert_eq!((placed, defects.bad_sectors()), (Some(Fault::Zeros), 5_000));
}

#[test]
fn a_tail_behind_other_holes_is_no_figure_of_what_is_stored() {
    let mut defects = Defects::default();
    defects.add((2, Phase::Verify), 2_048, 32, Fault::Zeros);
    defects.add((2, Phase::Verify), 6_000, 4_000, Fault::Zeros);
    let told = defects.findings(GEOMETRY);
    assert_eq!(told[0].kind, FaultKind::Truncated);
    assert!(
        told[0].detail.contains("at most 3.07 MB, and not all of that"),
        "{told:?}"
    );
}

#![allow(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;

use super::*;
use crate::Verdict;
use crate::unit::CHECK_CONDITION;

const WWN: u64 = 0x5000_C500_1234_5670;
const START: Duration = Duration::ZERO;

fn disk() -> SasDisk {
    SasDisk::new(1 << 21, "PLD0001", WWN)
}

fn data(disk: &mut SasDisk, now: Duration, cdb: &[u8]) -> Vec<u8> {
    let reply = disk.command(now, cdb, &[]);
    assert_eq!(reply.status, GOOD, "{cdb:02X?}: {reply:?}");
    reply.data
}

fn log(disk: &mut SasDisk, now: Duration, code: u8, subpage: u8) -> Vec<u8> {
    data(disk, now, &[0x4D, 0, 0x40 | code, subpage, 0, 0, 0, 0xFF, 0xFF, 0])
}

/// The value of a parameter of a log page.
fn parameter(page: &[u8], code: usize) -> Vec<u8> {
    let mut rest = &page[4..];
    while number(rest, 0, 2) != code {
        rest = &rest[4 + usize::from(rest[3])..];
    }
    rest[4..4 + usize::from(rest[3])].to_vec()
}

fn test(disk: &mut SasDisk, now: Duration, code: u8) -> Reply {
    disk.command(now, &[0x1D, code << 5, 0, 0, 0, 0], &[])
}

#[test]
fn every_log_page_is_listed_and_as_long_as_it_says() {
    let mut disk = disk();
    let list = log(&mut disk, START, 0, 0xFF);
    let pairs: Vec<&[u8]> = list[4..].chunks(2).collect();
    assert!(pairs.is_sorted());
    let short: Vec<u8> = pairs.iter().filter(|pair| pair[1] == 0).map(|pair| pair[0]).collect();
    assert_eq!(log(&mut disk, START, 0, 0)[4..], short);
    assert_eq!(short, [0, 2, 3, 5, 6, 0x0D, 0x0E, 0x10, 0x15, 0x18, 0x2F]);
    for pair in pairs {
        let page = log(&mut disk, START, pair[0], pair[1]);
        assert_eq!(
            (page[0] & 0x3F, page[1], page[0] & 0x40 != 0),
            (pair[0], pair[1], pair[1] != 0)
        );
        assert_eq!(page.len(), 4 + number(&page, 2, 4));
        let mut rest = if pair[0] == 0 { &[] } else { &page[4..] };
        let mut before = None;
        while !rest.is_empty() {
            assert!(before < Some(number(rest, 0, 2)), "{pair:?}");
            before = Some(number(rest, 0, 2));
            rest = &rest[4 + usize::from(rest[3])..];
        }
    }
    // From a parameter on.
    let cdb = [0x4D, 0, 0x43, 0, 0, 0, 5, 1, 0, 0];
    assert_eq!(data(&mut disk, START, &cdb).len(), 4 + 2 * 12);
}

#[test]
fn what_a_test_changes_is_told() {
    let mut disk = disk();
    (disk.celsius, disk.trip, disk.exception) = (51, 60, (0x5D, 0x10));
    disk.phys[0].invalid_dwords = 7;
    assert_eq!(parameter(&log(&mut disk, START, 0x0D, 0), 0), [0, 51]);
    assert_eq!(parameter(&log(&mut disk, START, 0x2F, 0), 0), [0x5D, 0x10, 51, 60]);
    assert_eq!(number(&parameter(&log(&mut disk, START, 0x18, 0), 1), 36, 40), 7);
    assert_eq!(
        number(&parameter(&log(&mut disk, START, 0x18, 0), 1), 12, 20) as u64,
        disk.address()
    );
    let minutes = parameter(&log(&mut disk, Duration::from_mins(3), 0x15, 0), 0);
    assert_eq!(number(&minutes, 0, 4) as u64, disk.minutes_before + 3);
}

#[test]
fn a_sector_is_pending_when_it_was_found_and_a_grown_defect_when_it_was_written() {
    let mut disk = disk();
    disk.medium.unreadable.extend([100, 200]);
    let now = Duration::from_hours(2);
    for (cdb, status) in [
        ([0x28, 0, 0, 0, 0, 0, 0, 0, 10, 0], GOOD),
        ([0x28, 0, 0, 0, 0, 90, 0, 0, 20, 0], CHECK_CONDITION),
        ([0x2F, 0, 0, 0, 0, 190, 0, 0, 20, 0], CHECK_CONDITION),
        ([0x2F, 0, 0, 0, 0, 0, 0, 0, 3, 0], GOOD),
    ] {
        assert_eq!(disk.command(now, &cdb, &[]).status, status);
    }
    for (page, bytes) in [(3, 10 * 512), (5, 3 * 512)] {
        let page = log(&mut disk, now, page, 0);
        assert_eq!(number(&parameter(&page, 6), 0, 8), 1);
        assert_eq!(number(&parameter(&page, 5), 0, 8), bytes);
    }
    let pending = log(&mut disk, now, 0x15, 1);
    assert_eq!(number(&parameter(&pending, 0), 0, 4), 2);
    assert_eq!(number(&parameter(&pending, 1), 0, 4), 26_282);
    assert_eq!(number(&parameter(&pending, 2), 4, 12), 200);
    disk.command(now, &[0x2A, 0, 0, 0, 0, 100, 0, 0, 1, 0], &[0; 512]);
    assert_eq!(number(&parameter(&log(&mut disk, now, 0x15, 1), 0), 0, 4), 1);
    disk.grown_defects = 4;
    // Five, of which the room is for two.
    let list = data(&mut disk, now, &[0xB7, 0x0C, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0]);
    assert_eq!((list.len(), &list[..8]), (24, &[0, 0x0C, 0, 0, 0, 0, 0, 40][..]));
    let list = data(&mut disk, now, &[0x37, 0, 0x0C, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!((list.len(), &list[..4]), (44, &[0, 0x0C, 0, 40][..]));
    // The primary list is empty.
    let list = data(&mut disk, now, &[0x37, 0, 0x14, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(list, [0, 0x14, 0, 0]);
}

#[test]
fn a_self_test_progresses_and_its_result_is_kept() {
    let mut disk = disk();
    let at = Duration::from_secs;
    disk.tests.short = at(100);
    assert_eq!(test(&mut disk, at(10), 1), Reply::good());
    let sense = data(&mut disk, at(60), &[0x03, 0, 0, 0, 18, 0]);
    assert_eq!(
        (sense[2], &sense[12..14], &sense[15..18]),
        (0, &[4, 9][..], &[0x80, 0x80, 0][..])
    );
    assert_eq!(parameter(&log(&mut disk, at(60), 0x10, 0), 1)[0], 0x2F);
    // One at a time.
    let second = test(&mut disk, at(60), 2);
    assert_eq!(
        (second.status, second.sense[2], second.sense[12]),
        (CHECK_CONDITION, sense::NOT_READY, 4)
    );
    // It is over.
    assert_eq!(data(&mut disk, at(110), &[0x03, 0, 0, 0, 18, 0])[12], 0);
    disk.tests.verdict = Verdict::FailsAt(1 << 20);
    assert_eq!(test(&mut disk, at(200), 2), Reply::good());
    let half = at(200) + disk.tests.extended / 2;
    assert!(disk.tests.is_running(half.saturating_sub(at(1))));
    assert!(!disk.tests.is_running(half));
    disk.tests.verdict = Verdict::NeverEnds;
    assert_eq!(test(&mut disk, half, 1), Reply::good());
    let late = half + Duration::from_hours(1000);
    assert_eq!(data(&mut disk, late, &[0x03, 0, 0, 0, 18, 0])[16..18], [0xE6, 0x66]);
    assert_eq!(test(&mut disk, late, 4), Reply::good());
    assert_eq!(test(&mut disk, late, 4).status, CHECK_CONDITION);
    let page = log(&mut disk, late, 0x10, 0);
    assert_eq!(page.len(), 4 + 20 * 20);
    let entries: Vec<Vec<u8>> = (1..=20).map(|n| parameter(&page, n)).collect();
    assert_eq!(
        entries.iter().map(|entry| entry[0]).collect::<Vec<_>>()[..4],
        [0x21, 0x47, 0x20, 0]
    );
    assert_eq!(entries[1][4..15], [0, 0, 0, 0, 0, 0x10, 0, 0, 3, 0x11, 0]);
    assert_eq!(number(&entries[1], 2, 4), 26_284);
}

#[test]
fn the_default_self_test_is_over_at_once() {
    let mut disk = disk();
    assert_eq!(disk.command(START, &[0x1D, 4, 0, 0, 0, 0], &[]), Reply::good());
    disk.tests.verdict = Verdict::FailsAt(1);
    let failed = disk.command(START, &[0x1D, 4, 0, 0, 0, 0], &[]);
    assert_eq!(
        (failed.sense[2], failed.sense[12], failed.sense[13]),
        (sense::HARDWARE_ERROR, 0x3E, 3)
    );
    for refused in [
        [0x1D, 0x24, 0, 0, 0, 0],
        [0x1D, 0x60, 0, 0, 0, 0],
        [0x1D, 0x10, 0, 0, 8, 0],
    ] {
        assert_eq!(disk.command(START, &refused, &[0; 8]).sense[12], 0x24);
    }
}

#[test]
fn mode_pages_come_in_both_forms_and_in_order() {
    let mut disk = disk();
    for control in 0..4_u8 {
        for (first, header) in [(0x1A, 4), (0x5A, 8)] {
            let code = control << 6 | 0x3F;
            let cdb = match first {
                0x1A => vec![first, 0, code, 0xFF, 255, 0],
                _ => vec![first, 0, code, 0xFF, 0, 0, 0, 4, 0, 0],
            };
            let all = data(&mut disk, START, &cdb);
            let told = if header == 4 {
                number(&all, 0, 1) + 1
            } else {
                number(&all, 0, 2) + 2
            };
            assert_eq!(all.len(), told);
            let (mut rest, mut seen) = (&all[header + 8..], Vec::new());
            while !rest.is_empty() {
                let long = rest[0] & 0x40 != 0;
                seen.push((rest[0] & 0x3F, if long { rest[1] } else { 0 }));
                rest = &rest[if long {
                    4 + number(rest, 2, 4)
                } else {
                    2 + usize::from(rest[1])
                }..];
            }
            assert_eq!(seen, [(1, 0), (8, 0), (0x0A, 0), (0x19, 0), (0x19, 1), (0x1C, 0)]);
        }
    }
    let control = data(&mut disk, START, &[0x1A, 8, 0x0A, 0, 255, 0]);
    assert_eq!(number(&control, 4 + 10, 4 + 12) as u64, disk.tests.extended.as_secs());
    assert_eq!(
        disk.command(START, &[0x1A, 0, 0x05, 0, 255, 0], &[]).status,
        CHECK_CONDITION
    );
}

#[test]
fn mode_select_changes_what_may_be_changed_and_nothing_else() {
    let mut disk = disk();
    // As `sd` does it: the page as it was told, with another bit.
    let mut list = data(&mut disk, START, &[0x1A, 8, 0x08, 0, 255, 0]);
    list[0] = 0;
    list[4] &= 0x3F;
    list[6] |= 0x04;
    let cdb = [0x15, 0x11, 0, 0, u8::try_from(list.len()).unwrap(), 0];
    assert_eq!(disk.command(START, &cdb, &list), Reply::good());
    assert!(disk.write_cache());
    list[6] = 0x10;
    list[8] ^= 0xFF;
    assert_eq!(disk.command(START, &cdb, &list).sense[12], 0x26);
    assert!(disk.write_cache());
    assert_eq!(disk.command(START, &cdb, &list[..10]).sense[12], 0x1A);
}

#[test]
fn it_says_who_it_is() {
    let mut disk = disk();
    let told = data(&mut disk, START, &[0x12, 0, 0, 0, 96, 0]);
    assert_eq!((told.len(), usize::from(told[4]) + 5, told[0], told[7]), (96, 96, 0, 2));
    assert_eq!(told[8..36], *b"PLAYED  SAS DISK        0001");
    let pages = data(&mut disk, START, &[0x12, 1, 0, 0, 255, 0]);
    assert!(pages[4..].is_sorted());
    for code in &pages[4..] {
        let page = data(&mut disk, START, &[0x12, 1, *code, 1, 0, 0]);
        assert_eq!((page[1], page.len()), (*code, 4 + number(&page, 2, 4)));
    }
    let names = data(&mut disk, START, &[0x12, 1, 0x83, 1, 0, 0]);
    assert_eq!(names[8..16], WWN.to_be_bytes());
    assert_eq!(
        (&names[16..20], &names[20..28]),
        (&[0x61, 0x93, 0, 8][..], &disk.address().to_be_bytes()[..])
    );
    assert_eq!(
        disk.command(START, &[0x12, 1, 0x89, 0, 255, 0], &[]).status,
        CHECK_CONDITION
    );
    // RECEIVE DIAGNOSTIC RESULTS, SECURITY PROTOCOL IN.
    for unknown in [0x1C, 0xA2] {
        assert_eq!(disk.command(START, &[unknown; 12], &[]).sense[12], 0x20);
    }
}

proptest! {
    #[test]
    fn no_command_panics(
        cdb: [u8; 32],
        length in 0_usize..33,
        sent in proptest::collection::vec(any::<u8>(), 0..600),
        seconds in prop_oneof![0_u64..100_000, any::<u64>()],
    ) {
        let mut disk = disk();
        let now = Duration::from_secs(seconds);
        let own = [0x03, 0x12, 0x15, 0x1A, 0x1D, 0x28, 0x2F, 0x37, 0x4D, 0x55, 0x5A, 0x8F, 0xB7];
        for first in own.into_iter().chain([cdb[0]]) {
            let mut cdb = cdb;
            cdb[0] = first;
            let reply = disk.command(now, &cdb[..length], &sent);
            prop_assert_eq!(reply.status == GOOD, reply.sense.is_empty());
        }
        for (code, subpage) in [(0x10, 0), (0x15, 0), (0x15, 1)] {
            log(&mut disk, now, code, subpage);
        }
    }
}

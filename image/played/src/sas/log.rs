//! Log pages of a SAS disk (SPC-4, 7.3; SBC-3, 6.4; SPL-3, 9.2.8.1).

use std::time::Duration;

use super::{Errors, Phy, SasDisk};
use crate::inquiry::{SAS, length, number, text};
use crate::medium::SECTOR;
use crate::sense;
use crate::unit::Reply;

/// Control byte of a counter, of text, and of a binary list (SPC-4, 7.3.2.2.2).
const COUNTER: u8 = 0x00;
const ASCII: u8 = 0x01;
const BINARY: u8 = 0x03;

/// The pages, by code and subpage; without those that list them.
const PAGES: [(u8, u8); 12] = [
    (0x02, 0),
    (0x03, 0),
    (0x05, 0),
    (0x06, 0),
    (0x0D, 0),
    (0x0E, 0),
    (0x10, 0),
    (0x15, 0),
    (0x15, 1),
    (0x18, 0),
    (0x2F, 0),
    (0x00, 0),
];

/// Most pending defects that are told: what the page's length has room for.
const PENDING: usize = 4000;

/// A parameter: its code, its control byte, its value.
type Parameter = (u16, u8, Vec<u8>);

/// LOG SENSE (SPC-4, 6.8).
pub(super) fn sense(disk: &mut SasDisk, now: Duration, cdb: &[u8]) -> Reply {
    let [code, subpage] = [number(cdb, 2, 3) & 0x3F, number(cdb, 3, 4)];
    // Cumulative values only, and nothing is saved.
    if number(cdb, 1, 2) & 3 != 0 || number(cdb, 2, 3) >> 6 != 1 {
        return Reply::check(sense::invalid_field());
    }
    let body: Vec<u8> = match (code, subpage) {
        (0, 0) => listed()
            .filter(|(_, subpage)| *subpage == 0)
            .map(|(code, _)| code)
            .collect(),
        (0, 0xFF) => listed().flat_map(|(code, subpage)| [code, subpage]).collect(),
        _ => match parameters(disk, now, (code, subpage)) {
            Some(all) => all
                .into_iter()
                .filter(|(code, ..)| usize::from(*code) >= number(cdb, 5, 7))
                .flat_map(bytes)
                .collect(),
            None => return Reply::check(sense::invalid_field()),
        },
    };
    let mut page = vec![
        u8::try_from(code).unwrap_or_default(),
        u8::try_from(subpage).unwrap_or_default(),
    ];
    page[0] |= if subpage == 0 { 0 } else { 0x40 };
    page.extend(length(&body));
    page.extend(body);
    Reply::of(page, number(cdb, 7, 9))
}

/// What the lists of pages tell, in order.
fn listed() -> impl Iterator<Item = (u8, u8)> {
    let mut all = PAGES.to_vec();
    all.push((0x00, 0xFF));
    all.sort_unstable();
    all.into_iter()
}

fn bytes((code, control, value): Parameter) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&code.to_be_bytes()[..], &[control, length], &value].concat()
}

fn parameters(disk: &mut SasDisk, now: Duration, page: (usize, usize)) -> Option<Vec<Parameter>> {
    let minutes = disk.minutes_before;
    let hours = |at: Duration| (minutes + at.as_secs() / 60) / 60;
    let sector = SECTOR as u64;
    Some(match page {
        (0x02, 0) => errors(disk.write, disk.medium.moved.written * sector),
        (0x03, 0) => errors(disk.read, disk.medium.moved.read * sector),
        (0x05, 0) => errors(disk.verify, disk.verified * sector),
        (0x06, 0) => vec![(0, COUNTER, disk.non_medium.to_be_bytes().to_vec())],
        (0x0D, 0) => vec![(0, BINARY, vec![0, disk.celsius]), (1, BINARY, vec![0, disk.trip])],
        (0x0E, 0) => cycles(disk),
        (0x10, 0) => (1..)
            .zip(disk.tests.parameters(now, hours))
            .map(|(n, result)| (n, BINARY, result))
            .collect(),
        // Background scan results: power-on minutes; no scan runs (SBC-3, 6.4.2).
        (0x15, 0) => {
            let minutes = minutes + now.as_secs() / 60;
            let mut status = u32::try_from(minutes).unwrap_or(u32::MAX).to_be_bytes().to_vec();
            status.resize(12, 0);
            vec![(0, BINARY, status)]
        }
        // Pending defects (SBC-4, 6.4.8): their number, then each with the hour it was found at.
        (0x15, 1) => {
            let mut found = disk.pending();
            found.truncate(PENDING);
            let count = u32::try_from(found.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
            let each = |(at, lba): (Duration, u64)| {
                let hour = u32::try_from(hours(at)).unwrap_or(u32::MAX);
                [&hour.to_be_bytes()[..], &lba.to_be_bytes()].concat()
            };
            let each = (1..).zip(found).map(|(n, defect)| (n, BINARY, each(defect)));
            std::iter::once((0, BINARY, count)).chain(each).collect()
        }
        (0x18, 0) => (1..)
            .zip(disk.phys)
            .map(|(n, phy)| (n, BINARY, port(disk, n, phy)))
            .collect(),
        // Informational exceptions (SPC-4, 7.3.11): and, as most disks do, the temperature that trips.
        (0x2F, 0) => vec![(
            0,
            BINARY,
            vec![disk.exception.0, disk.exception.1, disk.celsius, disk.trip],
        )],
        _ => return None,
    })
}

/// The counters of pages 02, 03 and 05 (SPC-4, 7.3.8).
fn errors(counted: Errors, bytes: u64) -> Vec<Parameter> {
    let Errors { corrected, uncorrected } = counted;
    let values = [corrected, 0, 0, corrected, corrected, bytes, uncorrected];
    (0..)
        .zip(values)
        .map(|(code, value)| (code, COUNTER, value.to_be_bytes().to_vec()))
        .collect()
}

/// Start-stop cycles (SPC-4, 7.3.22), of which it was made for as many as disks are.
fn cycles(disk: &SasDisk) -> Vec<Parameter> {
    let count = |number: u32| number.to_be_bytes().to_vec();
    vec![
        (1, ASCII, text(&disk.made, 6)),
        (2, ASCII, text("", 6)),
        (3, BINARY, count(50_000)),
        (4, BINARY, count(disk.starts)),
        (5, BINARY, count(600_000)),
        (6, BINARY, count(disk.loads)),
    ]
}

/// A port of one phy (SPL-3, 9.2.8.1): the first one leads to a controller, the second nowhere.
fn port(disk: &SasDisk, number: u16, phy: Phy) -> Vec<u8> {
    let mut data = vec![SAS, 0, 0, 1];
    data.extend(descriptor(disk, number, 0x30));
    data.resize(32, 0);
    data.resize(36, 0);
    let counters = [
        phy.invalid_dwords,
        phy.disparity_errors,
        phy.lost_synchronizations,
        phy.reset_problems,
    ];
    data.extend(counters.iter().flat_map(|count| count.to_be_bytes()));
    data.resize(4 + 52, 0);
    data
}

/// The first 32 bytes of a phy's descriptor, which mode page 19/01 begins with as well (SPL-3, 9.2.7.4): who is at either
/// end.
pub(super) fn descriptor(disk: &SasDisk, port: u16, length: u8) -> Vec<u8> {
    let address = disk.address() + u64::from(port.saturating_sub(1));
    let phy = u8::try_from(port.saturating_sub(1)).unwrap_or_default();
    let mut data = vec![0, phy, 0, length];
    let linked = port == 1;
    // An end device at 12 Gbit/s since power-on, which is an initiator by SSP, STP and SMP; else nothing at no rate.
    data.extend(if linked { [0x11, 0x1B, 0x0E, 0] } else { [0; 4] });
    data.extend(address.to_be_bytes());
    data.extend(if linked { disk.controller } else { 0 }.to_be_bytes());
    data.resize(32, 0);
    data
}

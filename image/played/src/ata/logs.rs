//! Logs of the disk, by READ LOG EXT and by SMART READ LOG (ACS-3, 7.24; annex A).

use std::time::Duration;

use super::page::Page;
use super::{Answer, Task, identify, part, smart};
use crate::sata::SataDisk;

/// Degrees Celsius up to which the disk may work.
const HOTTEST: u64 = 60;

/// READ LOG EXT and READ LOG DMA EXT: the log's address in bits 7:0, the page's number in 39:32 and 15:8.
pub(super) fn read(disk: &SataDisk, now: Duration, task: &Task) -> Answer {
    let lba = task.lba.to_le_bytes();
    part(
        &of_general(disk, now, lba[0]),
        u16::from_be_bytes([lba[4], lba[1]]),
        task.count,
    )
}

/// Pages of a log of general purpose logging; none where there is no such log.
fn of_general(disk: &SataDisk, now: Duration, address: u8) -> Vec<Vec<u8>> {
    match address {
        0x00 => vec![directory(|address| of_general(disk, now, address))],
        // Extended comprehensive SMART error log: no error yet.
        0x03 => vec![Page::blank().number(0, 1, 1).sealed()],
        0x07 => vec![disk.tests.extended_log()],
        0x11 => vec![link_counters(disk, now)],
        0x04 | 0x30 => of_either(disk, now, address),
        _ => Vec::new(),
    }
}

/// Pages of a log of SMART READ LOG; none where there is no such log.
pub(super) fn of_smart(disk: &SataDisk, now: Duration, address: u8) -> Vec<Vec<u8>> {
    match address {
        0x00 => vec![directory(|address| of_smart(disk, now, address))],
        0x01 => vec![smart::no_errors()],
        0x06 => vec![disk.tests.log()],
        0x09 => vec![smart::no_spans()],
        0x04 | 0x30 => of_either(disk, now, address),
        _ => Vec::new(),
    }
}

/// Pages of a log that both commands read: device statistics (A.5), IDENTIFY DEVICE data.
fn of_either(disk: &SataDisk, now: Duration, address: u8) -> Vec<Vec<u8>> {
    match address {
        0x04 => {
            let blank = || Page::blank().done();
            let general = general_statistics(disk, now).done();
            vec![
                list(&[0, 1, 5]),
                general,
                blank(),
                blank(),
                blank(),
                temperatures(disk).done(),
            ]
        }
        0x30 => vec![list(&[0, 1]), identify(disk)],
        _ => Vec::new(),
    }
}

/// Log directory: how many pages each log has.
fn directory(log: impl Fn(u8) -> Vec<Vec<u8>>) -> Vec<u8> {
    let mut page = Page::blank();
    page.word(0, 1);
    for address in 1..=u8::MAX {
        page.word(address.into(), u16::try_from(log(address).len()).unwrap_or_default());
    }
    page.done()
}

/// A page that begins with revision 1 and its number.
fn numbered(number: u8) -> Page {
    let mut page = Page::blank();
    page.number(0, 2, 1).number(2, 1, number.into());
    page
}

/// The first page of a log, which lists those that are supported.
fn list(pages: &[u8]) -> Vec<u8> {
    let mut list = numbered(0);
    list.number(8, 1, pages.len() as u64);
    for (at, page) in (9..).zip(pages) {
        list.number(at, 1, (*page).into());
    }
    list.done()
}

/// Puts a statistic of `size` bytes, supported and valid.
fn statistic(page: &mut Page, at: usize, size: usize, value: u64) {
    page.number(at, size, value).number(at + 7, 1, 0xC0);
}

/// General statistics, page 01h (A.5.4): power-on resets, hours, sectors written and read.
fn general_statistics(disk: &SataDisk, now: Duration) -> Page {
    let mut page = numbered(1);
    let raw = |number| smart::raw(disk, now, number);
    statistic(&mut page, 8, 4, raw(12));
    statistic(&mut page, 16, 4, raw(9));
    statistic(&mut page, 24, 6, raw(241));
    statistic(&mut page, 40, 6, raw(242));
    page
}

/// Temperature statistics, page 05h (A.5.8): now, highest, lowest, and between which the disk may work.
fn temperatures(disk: &SataDisk) -> Page {
    let mut page = numbered(5);
    let [lowest, highest] = disk.extremes();
    for (at, celsius) in [(8, disk.celsius), (32, highest), (40, lowest)] {
        statistic(&mut page, at, 1, celsius.cast_unsigned().into());
    }
    statistic(&mut page, 88, 1, HOTTEST);
    statistic(&mut page, 104, 1, 0);
    page
}

/// Phy event counters, 11h (SATA 3.1): a counter's number with its size in words at bit 12, then the counter.
fn link_counters(disk: &SataDisk, now: Duration) -> Vec<u8> {
    let errors = smart::raw(disk, now, 199).min(0xFFFF);
    let mut page = Page::blank();
    // Commands that failed for a bad checksum; changes to not ready; frames at COMRESET; bad checksums, device to host.
    for (at, (number, count)) in (4..)
        .step_by(4)
        .zip([(0x001, errors), (0x009, 1), (0x00A, 1), (0x00B, errors)])
    {
        page.number(at, 2, 0x1000 | number).number(at + 2, 2, count);
    }
    page.sealed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::medium::SECTOR;
    use crate::sata::tests::disk;

    fn page(disk: &SataDisk, address: u8, number: u8, count: u16) -> Answer {
        let task = Task {
            lba: u64::from_le_bytes([address, number, 0, 0, 0, 0, 0, 0]),
            count,
            ..Task::default()
        };
        read(disk, Duration::ZERO, &task)
    }

    #[test]
    fn the_directory_names_the_logs_that_can_be_read_and_no_other() {
        let disk = disk();
        let directory = page(&disk, 0, 0, 1).data.unwrap();
        let mut named = Vec::new();
        for address in 1..=u8::MAX {
            let pages = u16::from(directory[2 * usize::from(address)]);
            match pages {
                0 => assert!(page(&disk, address, 0, 1).failed()),
                _ => {
                    named.push(address);
                    let whole = page(&disk, address, 0, pages).data.unwrap();
                    assert_eq!(whole.len(), usize::from(pages) * SECTOR);
                }
            }
            assert!(page(&disk, address, 0, pages + 1).failed() && page(&disk, address, 0, 0).failed());
        }
        assert_eq!(named, [0x03, 0x04, 0x07, 0x11, 0x30]);
        let smart = of_smart(&disk, Duration::ZERO, 0).concat();
        assert_eq!(
            [0x01, 0x04, 0x06, 0x09, 0x30].map(|log| smart[2 * log]),
            [1, 6, 1, 1, 2]
        );
    }

    #[test]
    fn statistics_are_what_the_disk_did_and_how_warm_it_was() {
        let mut disk = disk();
        disk.medium.write(0, &[0; 2 * SECTOR]);
        disk.medium.read(0, 9).unwrap();
        (disk.celsius, disk.attributes.get_mut(&199).unwrap().raw) = (-2, 0x1_0000);
        let general = page(&disk, 4, 1, 1).data.unwrap();
        assert_eq!(general[..8], [1, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(general[16..24], [100, 0, 0, 0, 0, 0, 0, 0xC0]);
        assert_eq!((general[24], general[40], general[48 + 7]), (2, 9, 0));
        let heat = page(&disk, 4, 5, 1).data.unwrap();
        assert_eq!(
            (heat[2], heat[8], heat[15], heat[40], heat[88]),
            (5, 0xFE, 0xC0, 0xFE, 60)
        );
        assert_eq!(page(&disk, 0x11, 0, 1).data.unwrap()[4..8], [0x01, 0x10, 0xFF, 0xFF]);
        assert_eq!(page(&disk, 0x30, 1, 1).data.unwrap(), identify(&disk));
    }
}

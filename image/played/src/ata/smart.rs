//! SMART: attributes and their thresholds, the commands of the feature set, and its logs (ACS-3, 7.48).
//!
//! What an attribute means, ACS-3 leaves to vendors; the pages are ATA/ATAPI-5's and before, which every vendor kept.

use std::collections::BTreeMap;
use std::time::Duration;

use super::page::Page;
use super::selftest::Kind;
use super::{Answer, Task, logs, part};
use crate::sata::SataDisk;

/// One attribute of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Status flags; bit 0: at its threshold it foretells a failure.
    pub flags: u16,
    /// Normalized, 1 to 253, higher is better.
    pub value: u8,
    /// Lowest `value` that there was.
    pub worst: u8,
    /// `value` at which it fails.
    pub threshold: u8,
    /// Raw value, 48 bits.
    pub raw: u64,
}

impl Attribute {
    /// Whether it foretells a failure now.
    fn fails(&self) -> bool {
        self.flags & 1 != 0 && self.value <= self.threshold
    }
}

/// Attributes of a disk that is as good as new: number, flags, threshold and raw value.
const AS_NEW: [(u8, u16, u8, u64); 17] = [
    (1, 0x002F, 51, 0),
    (3, 0x0027, 21, 4000),
    (4, 0x0032, 0, 12),
    (5, 0x0033, 10, 0),
    (7, 0x002E, 0, 0),
    (9, 0x0032, 0, 100),
    (10, 0x0032, 0, 0),
    (12, 0x0032, 0, 12),
    (187, 0x0032, 0, 0),
    (188, 0x0032, 0, 0),
    (194, 0x0022, 0, 0),
    (196, 0x0032, 0, 0),
    (197, 0x0032, 0, 0),
    (198, 0x0030, 0, 0),
    (199, 0x0032, 0, 0),
    (241, 0x0032, 0, 0),
    (242, 0x0032, 0, 0),
];

/// Most attributes that a page holds.
const ATTRIBUTES: usize = 30;

/// The attributes of a disk that is as good as new.
pub(crate) fn as_new() -> BTreeMap<u8, Attribute> {
    let of = |(number, flags, threshold, raw)| {
        let attribute = Attribute {
            flags,
            value: 100,
            worst: 100,
            threshold,
            raw,
        };
        (number, attribute)
    };
    AS_NEW.into_iter().map(of).collect()
}

/// The attributes as the disk shows them: what a test set, and what happened since.
fn shown(disk: &SataDisk, now: Duration) -> BTreeMap<u8, Attribute> {
    let mut shown = disk.attributes.clone();
    for number in disk.attributes.keys() {
        let raw = raw(disk, now, *number);
        shown.entry(*number).and_modify(|attribute| attribute.raw = raw);
    }
    shown
}

/// Raw value of an attribute as the disk shows it; 0 for one that it does not have.
pub(super) fn raw(disk: &SataDisk, now: Duration, number: u8) -> u64 {
    let set = disk.attributes.get(&number).map_or(0, |attribute| attribute.raw);
    let happened = match number {
        5 | 196 => disk.medium.cured,
        9 => now.as_secs() / 3600,
        // Now, lowest and highest, in 16 bits each.
        194 => {
            let [lowest, highest] = disk.extremes();
            let [now, lowest, highest] = [disk.celsius, lowest, highest].map(|t| u64::from(t.cast_unsigned()));
            return now | lowest << 16 | highest << 32;
        }
        197 => disk.medium.unreadable.len() as u64,
        241 => disk.medium.moved.written,
        242 => disk.medium.moved.read,
        _ => 0,
    };
    set.saturating_add(happened)
}

/// Hours of a life, as a log entry holds them.
fn hours(disk: &SataDisk, now: Duration) -> u16 {
    u16::try_from(raw(disk, now, 9) & 0xFFFF).unwrap_or_default()
}

/// Ends a self-test whose time has come.
pub(crate) fn settle(disk: &mut SataDisk, now: Duration) {
    let hours = hours(disk, now);
    disk.tests.settle(now, hours, disk.medium.sectors());
}

/// SMART READ DATA: 12 bytes an attribute from byte 2 on, then what the disk can.
fn data(disk: &SataDisk, now: Duration) -> Vec<u8> {
    let mut page = Page::blank();
    page.number(0, 2, 16);
    for (slot, (number, attribute)) in shown(disk, now).into_iter().take(ATTRIBUTES).enumerate() {
        let at = 2 + 12 * slot;
        page.number(at, 1, number.into())
            .number(at + 1, 2, attribute.flags.into())
            .number(at + 3, 1, attribute.value.into())
            .number(at + 4, 1, attribute.worst.into())
            .number(at + 5, 6, attribute.raw);
    }
    let [short, extended] = disk.tests.polling();
    // Off-line data collection never ran, and self-tests may.
    page.number(363, 1, disk.tests.status(now).into())
        // Off-line commands, surface scan, self-tests, a selective one; attributes are saved; errors are logged.
        .number(367, 1, 0x59)
        .number(368, 2, 0x0003)
        .number(370, 1, 0x01)
        // In minutes; where one byte is too small, the word after it.
        .number(372, 1, short.min(0xFF).into())
        .number(373, 1, extended.min(0xFF).into());
    if extended >= 0xFF {
        page.number(375, 2, extended.into());
    }
    page.sealed()
}

/// SMART READ THRESHOLDS: 12 bytes an attribute from byte 2 on.
fn thresholds(disk: &SataDisk) -> Vec<u8> {
    let mut page = Page::blank();
    page.number(0, 2, 16);
    for (slot, (number, attribute)) in disk.attributes.iter().take(ATTRIBUTES).enumerate() {
        let at = 2 + 12 * slot;
        page.number(at, 1, (*number).into())
            .number(at + 1, 1, attribute.threshold.into());
    }
    page.sealed()
}

/// SMART EXECUTE OFF-LINE IMMEDIATE. Not in captive mode; a selective test has no spans, as none can be written.
fn execute(disk: &mut SataDisk, now: Duration, subcommand: u8) -> Answer {
    let hours = hours(disk, now);
    match subcommand {
        // Off-line data collection: done at once.
        0x00 => {}
        0x01 => disk.tests.start(Kind::Short, now, hours),
        0x02 => disk.tests.start(Kind::Extended, now, hours),
        0x7F => disk.tests.abort(now, hours),
        _ => return Answer::aborted(),
    }
    Answer::done()
}

/// Address that every SMART command carries, in bits 23:8.
const SIGNATURE: u64 = 0xC24F;
/// The same where SMART RETURN STATUS tells of a threshold exceeded.
const EXCEEDED: u64 = 0x2CF4;

/// The commands of the feature set, by their feature.
pub(super) fn command(disk: &mut SataDisk, now: Duration, task: &Task) -> Answer {
    let feature = task.features & 0xFF;
    // ENABLE OPERATIONS is the one that needs none.
    if task.lba >> 8 & 0xFFFF != SIGNATURE || !(disk.smart_enabled || feature == 0xD8) {
        return Answer::aborted();
    }
    let low = task.lba.to_le_bytes()[0];
    match feature {
        0xD0 => Answer::with(data(disk, now)),
        0xD1 => Answer::with(thresholds(disk)),
        // Autosave, save, automatic off-line: a setting without effect.
        0xD2 | 0xD3 | 0xDB => Answer::done(),
        0xD4 => execute(disk, now, low),
        0xD5 => part(&logs::of_smart(disk, now, low), 0, task.count & 0xFF),
        0xD8 | 0xD9 => {
            disk.smart_enabled = feature == 0xD8;
            Answer::done()
        }
        0xDA => {
            let fails = disk.failing || disk.attributes.values().any(Attribute::fails);
            Answer::at(if fails { EXCEEDED } else { SIGNATURE } << 8)
        }
        _ => Answer::aborted(),
    }
}

/// Summary SMART error log, 01h (ACS-3, annex A): no error yet.
pub(super) fn no_errors() -> Vec<u8> {
    Page::blank().number(0, 1, 1).sealed()
}

/// Selective self-test log, 09h (ACS-3, annex A): no span to test.
pub(super) fn no_spans() -> Vec<u8> {
    Page::blank().number(0, 2, 1).sealed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ata::page::sum;
    use crate::medium::SECTOR;
    use crate::sata::tests::disk;
    use crate::unit::Unit;

    fn smart(disk: &mut SataDisk, now: Duration, feature: u16, low: u8) -> Answer {
        settle(disk, now);
        let task = Task {
            features: feature,
            count: 1,
            lba: SIGNATURE << 8 | u64::from(low),
            ..Task::default()
        };
        command(disk, now, &task)
    }

    fn raws(disk: &mut SataDisk, now: Duration) -> BTreeMap<u8, u64> {
        let page = smart(disk, now, 0xD0, 0).data.unwrap();
        assert_eq!(sum(&page), 0);
        let raw =
            |entry: &[u8]| u64::from_le_bytes([entry[5], entry[6], entry[7], entry[8], entry[9], entry[10], 0, 0]);
        page[2..362]
            .chunks_exact(12)
            .map(|entry| (entry[0], raw(entry)))
            .collect()
    }

    #[test]
    fn attributes_tell_what_happened_to_the_medium() {
        let mut disk = disk();
        disk.medium.unreadable.extend([7, 8]);
        disk.attributes.get_mut(&5).unwrap().raw = 40;
        disk.medium.write(8, &[0; 3 * SECTOR]);
        disk.medium.read(100, 5).unwrap();
        for celsius in [50, -3, 44] {
            disk.celsius = celsius;
            disk.command(Duration::ZERO, &[0; 6], &[]);
        }
        let raws = raws(&mut disk, Duration::from_hours(3));
        let want = [
            (5, 41),
            (9, 103),
            (196, 1),
            (197, 1),
            (241, 3),
            (242, 5),
            (194, 0x32_00FD_002C),
        ];
        for (number, raw) in want {
            assert_eq!(raws[&number], raw, "{number}");
        }
    }

    #[test]
    fn an_attribute_at_its_threshold_is_a_failure() {
        let mut disk = disk();
        let status = |disk: &mut SataDisk| smart(disk, Duration::ZERO, 0xDA, 0).registers.lba;
        disk.attributes.get_mut(&9).unwrap().value = 0;
        assert_eq!(status(&mut disk), 0xC2_4F00, "it foretells none");
        disk.attributes.get_mut(&5).unwrap().value = 10;
        assert_eq!(status(&mut disk), 0x2C_F400);
        let page = smart(&mut disk, Duration::ZERO, 0xD1, 0).data.unwrap();
        assert_eq!((page[2 + 3 * 12], page[3 + 3 * 12]), (5, 10));
    }

    #[test]
    fn self_tests_are_started_told_of_logged_and_aborted() {
        let mut disk = disk();
        let now = Duration::from_mins;
        for captive in [0x81, 0x82, 0x04] {
            assert!(smart(&mut disk, now(0), 0xD4, captive).failed());
        }
        assert!(!smart(&mut disk, now(0), 0xD4, 2).failed());
        let page = smart(&mut disk, now(60), 0xD0, 0).data.unwrap();
        assert_eq!((page[363], page[372], page[373]), (0xF5, 2, 120));
        assert!(!smart(&mut disk, now(61), 0xD4, 0x7F).failed());
        let log = smart(&mut disk, now(62), 0xD5, 6).data.unwrap();
        assert_eq!((&log[2..6], log[508]), (&[2, 0x15, 101, 0][..], 1));
    }

    #[test]
    fn nothing_is_told_when_smart_is_off_or_the_signature_is_wrong() {
        let mut disk = disk();
        let wrong = Task {
            features: 0xD0,
            ..Task::default()
        };
        assert!(command(&mut disk, Duration::ZERO, &wrong).failed());
        assert!(!smart(&mut disk, Duration::ZERO, 0xD9, 0).failed());
        assert!(smart(&mut disk, Duration::ZERO, 0xDA, 0).failed());
        assert!(!smart(&mut disk, Duration::ZERO, 0xD8, 0).failed());
        assert!(!smart(&mut disk, Duration::ZERO, 0xDA, 0).failed());
        assert!(smart(&mut disk, Duration::ZERO, 0xD5, 0xE0).failed(), "no SCT");
    }
}

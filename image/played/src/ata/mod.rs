//! The SATA device itself: a command comes in its registers, an answer goes out in them, data beside (ACS-3, clause 7).
//!
//! ```text
//!  passthrough   SCSI's envelope of a command and of the registers after it
//!  identify      IDENTIFY DEVICE
//!  smart         attributes, thresholds, SMART's commands and logs of 28 bits
//!  selftest      self-tests, and both logs of them
//!  logs          READ LOG EXT: directory, errors, statistics, link counters
//!  page          512 bytes, filled field by field
//! ```
//!
//! It knows no command that writes anything but a setting: data goes by SCSI's own commands, and every other one
//! aborts.

mod identify;
mod logs;
mod page;
pub(crate) mod passthrough;
pub(crate) mod selftest;
pub(crate) mod smart;

use std::time::Duration;

pub(crate) use identify::identify;

use crate::sata::SataDisk;

/// Device ready, seek complete (ACS-3, clause 6).
const READY: u8 = 0x50;

/// What the host writes to the registers. Fields have their 48-bit widths; in a command of 28 bits the upper bytes are
/// zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    /// Whether the command came with all 48 bits.
    extend: bool,
    features: u16,
    count: u16,
    lba: u64,
    command: u8,
}

/// What the host reads from the registers after a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    error: u8,
    count: u16,
    lba: u64,
    device: u8,
    status: u8,
}

/// What the device answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    registers: Registers,
    /// What a data-in command brings; `None` from one that moves none.
    data: Option<Vec<u8>>,
}

impl Answer {
    /// Command completed.
    fn done() -> Self {
        let registers = Registers {
            status: READY,
            ..Registers::default()
        };
        Self { registers, data: None }
    }

    /// Command completed, with data.
    fn with(data: Vec<u8>) -> Self {
        Self {
            data: Some(data),
            ..Self::done()
        }
    }

    /// Command aborted: status bit ERR, error bit ABRT.
    fn aborted() -> Self {
        let mut answer = Self::done();
        answer.registers.status |= 0x01;
        answer.registers.error = 0x04;
        answer
    }

    /// Command completed, with an address in the registers.
    fn at(lba: u64) -> Self {
        let mut answer = Self::done();
        answer.registers.lba = lba;
        answer
    }

    fn failed(&self) -> bool {
        self.registers.status & 0x01 != 0
    }
}

/// `count` pages from the one of number `first` on of a log that consists of `pages`; aborted where they are not in it.
fn part(pages: &[Vec<u8>], first: u16, count: u16) -> Answer {
    let (first, count) = (usize::from(first), usize::from(count));
    match pages.get(first..first + count) {
        Some(pages) if count > 0 => Answer::with(pages.concat()),
        _ => Answer::aborted(),
    }
}

/// Carries out one command.
fn carry_out(disk: &mut SataDisk, now: Duration, task: &Task) -> Answer {
    match task.command {
        // IDENTIFY DEVICE.
        0xEC => Answer::with(identify(disk)),
        // SMART.
        0xB0 => smart::command(disk, now, task),
        // READ LOG EXT, READ LOG DMA EXT.
        0x2F | 0x47 => logs::read(disk, now, task),
        // READ NATIVE MAX ADDRESS, and its EXT: in the first, bits 27:24 stand in the device register.
        0xF8 => disk.native.map_or_else(Answer::aborted, |sectors| {
            let last = sectors.saturating_sub(1).min(0x0FFF_FFFF);
            let mut answer = Answer::at(last & 0x00FF_FFFF);
            answer.registers.device = 0x40 | last.to_le_bytes()[3];
            answer
        }),
        0x27 => disk
            .native
            .map_or_else(Answer::aborted, |sectors| Answer::at(sectors.saturating_sub(1))),
        // CHECK POWER MODE: active or idle.
        0xE5 => {
            let mut answer = Answer::done();
            answer.registers.count = 0xFF;
            answer
        }
        // STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE, FLUSH CACHE and its EXT.
        0xE0..=0xE3 | 0xE7 | 0xEA => Answer::done(),
        // SET FEATURES: write cache on, off; transfer mode, look-ahead on, off.
        0xEF => match task.features & 0xFF {
            on @ (0x02 | 0x82) => {
                disk.write_cache = on == 0x02;
                Answer::done()
            }
            0x03 | 0x55 | 0xAA => Answer::done(),
            _ => Answer::aborted(),
        },
        // SET MAX, DEVICE CONFIGURATION and the rest.
        _ => Answer::aborted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sata::tests::disk;

    fn give(disk: &mut SataDisk, command: u8, features: u16) -> Answer {
        let task = Task {
            features,
            command,
            ..Task::default()
        };
        carry_out(disk, Duration::ZERO, &task)
    }

    #[test]
    fn a_hidden_area_is_told_where_there_is_one_and_cannot_be_changed() {
        let mut disk = disk();
        assert!(give(&mut disk, 0x27, 0).failed(), "no such feature");
        disk.native = Some(0x1_2345_6789);
        assert_eq!(give(&mut disk, 0x27, 0).registers.lba, 0x1_2345_6788);
        let short = give(&mut disk, 0xF8, 0).registers;
        assert_eq!((short.device, short.lba), (0x4F, 0x00FF_FFFF), "more than 28 bits hold");
        for refused in [0x37, 0xF9, 0xB1, 0x78] {
            assert!(give(&mut disk, refused, 0).failed());
        }
    }

    #[test]
    fn power_is_always_on_and_the_write_cache_is_as_it_was_set() {
        let mut disk = disk();
        assert_eq!(give(&mut disk, 0xE5, 0).registers.count, 0xFF);
        for (feature, on) in [(0x82, false), (0x02, true)] {
            assert!(!give(&mut disk, 0xEF, feature).failed());
            assert_eq!(disk.write_cache, on);
            assert_eq!(identify(&disk)[2 * 85] & 0x20 != 0, on);
        }
        assert!(give(&mut disk, 0xEF, 0x99).failed());
    }
}

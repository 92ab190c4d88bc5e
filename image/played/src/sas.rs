//! A SAS disk as `sd`, `sg` and smartctl see one (SPC-4, SBC-3, SPL-3): two ports of which one is linked, log and mode
//! pages, self-tests, a list of grown defects.
//!
//! A sector that a read comes to and that cannot be read is counted, and pending until it is written; then it is a
//! grown defect. All else that it tells is what its fields say.

mod log;
mod mode;
mod self_test;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self_test::SelfTests;

use crate::block;
use crate::inquiry::{DISK, Identity, number};
use crate::medium::Medium;
use crate::sense;
use crate::unit::{GOOD, Reply, Unit};

/// Errors of one kind of command (SPC-4, 7.3.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Corrected without delay.
    pub corrected: u64,
    /// Not corrected.
    pub uncorrected: u64,
}

/// What a phy counts (SPL-3, 9.2.8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phy {
    /// INVALID DWORD COUNT.
    pub invalid_dwords: u32,
    /// RUNNING DISPARITY ERROR COUNT.
    pub disparity_errors: u32,
    /// LOSS OF DWORD SYNCHRONIZATION.
    pub lost_synchronizations: u32,
    /// PHY RESET PROBLEM.
    pub reset_problems: u32,
}

/// A SAS disk. Everything public may be changed while it answers.
#[derive(Clone, Debug)]
pub struct SasDisk {
    /// What it stores.
    pub medium: Medium,
    /// T10 vendor identification, 8 characters.
    pub vendor: String,
    /// Product identification, 16 characters.
    pub product: String,
    /// Product revision level, 4 characters.
    pub revision: String,
    /// Serial number.
    pub serial: String,
    /// NAA name of the logical unit; its ports have the two addresses behind it, its device the third.
    pub wwn: u64,
    /// SAS address of the controller that the first port leads to.
    pub controller: u64,
    /// Turns in a minute; 1 for a disk that does not turn.
    pub rotation: u16,
    /// Degrees Celsius; 255: not known.
    pub celsius: u8,
    /// Degrees Celsius above which it should not be run; 255: not known.
    pub trip: u8,
    /// Sectors it had replaced before; those that the medium cured are added.
    pub grown_defects: u32,
    /// Errors of reading; a read that fails is added.
    pub read: Errors,
    /// Errors of writing.
    pub write: Errors,
    /// Errors of verifying; a VERIFY that fails is added.
    pub verify: Errors,
    /// Errors that have nothing to do with the medium.
    pub non_medium: u64,
    /// Year and week of its making, `202508`.
    pub made: String,
    /// How often it was spun up.
    pub starts: u32,
    /// How often its heads were loaded.
    pub loads: u32,
    /// Minutes that it was on before the target began.
    pub minutes_before: u64,
    /// ASC and ASCQ of the exception that it tells: 0, 0 for a good one, 5D xx for one that is about to fail.
    pub exception: (u8, u8),
    /// Its phys, one for each port.
    pub phys: [Phy; 2],
    /// Its self-tests.
    pub tests: SelfTests,
    verified: u64,
    /// Unreadable sectors that a command came to, and when.
    found: BTreeMap<u64, Duration>,
    modes: mode::Modes,
}

impl SasDisk {
    /// A healthy disk of `sectors` sectors, three years old.
    #[must_use]
    pub fn new(sectors: u64, serial: &str, wwn: u64) -> Self {
        Self {
            medium: Medium::new(sectors),
            vendor: "PLAYED".to_owned(),
            product: "SAS DISK".to_owned(),
            revision: "0001".to_owned(),
            serial: serial.to_owned(),
            wwn,
            controller: 0x5000_0000_0000_0001,
            rotation: 7200,
            celsius: 34,
            trip: 65,
            grown_defects: 0,
            read: Errors::default(),
            write: Errors::default(),
            verify: Errors::default(),
            non_medium: 0,
            made: "202340".to_owned(),
            starts: 41,
            loads: 1204,
            minutes_before: 26_280 * 60,
            exception: (0, 0),
            phys: [Phy::default(); 2],
            tests: SelfTests::default(),
            verified: 0,
            found: BTreeMap::new(),
            modes: mode::Modes::default(),
        }
    }

    /// SAS address of the port that answers: what a shelf tells of the slot it sits in.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.wwn.wrapping_add(1)
    }

    /// Name of the device. QEMU's mptsas takes that for the address of the port (`hw/scsi/scsi-generic.c` reads the last
    /// designator of unit or device): behind it, this is what a shelf has to tell.
    #[must_use]
    pub fn device(&self) -> u64 {
        self.wwn.wrapping_add(3)
    }

    /// Whether written data may stay in its memory (WCE).
    #[must_use]
    pub fn write_cache(&self) -> bool {
        self.modes.write_cache()
    }

    /// Unreadable sectors that were found and not written since, with when they were found.
    fn pending(&mut self) -> Vec<(Duration, u64)> {
        self.found.retain(|lba, _| self.medium.unreadable.contains(lba));
        self.found.iter().map(|(lba, at)| (*at, *lba)).collect()
    }

    fn inquire(&self, cdb: &[u8]) -> Reply {
        let identity = Identity {
            kind: DISK,
            vendor: &self.vendor,
            product: &self.product,
            revision: &self.revision,
            serial: &self.serial,
            name: self.wwn,
            port: self.address(),
            device: self.device(),
        };
        // Extended INQUIRY data (SPC-4, 7.8.7): minutes of an extended self-test.
        let mut extended = vec![0; 60];
        let minutes = u16::try_from(self.tests.extended.as_secs().div_ceil(60)).unwrap_or(u16::MAX);
        extended[6..8].copy_from_slice(&minutes.to_be_bytes());
        // Block limits (SBC-3, 6.6.4): as many as the block layer moves.
        let mut limits = vec![0; 60];
        limits[4..8].copy_from_slice(&65_536_u32.to_be_bytes());
        // Block device characteristics (SBC-3, 6.6.2): turning, 3.5 inches.
        let mut shape = vec![0; 60];
        shape[0..2].copy_from_slice(&self.rotation.to_be_bytes());
        shape[3] = 2;
        identity.inquire(cdb, &[(0x86, extended), (0xB0, limits), (0xB1, shape)])
    }

    /// READ DEFECT DATA (10) and (12) (SBC-3, 5.14 and 5.15): the grown ones; where they lie is made up.
    fn defects(&self, cdb: &[u8]) -> Reply {
        let long = number(cdb, 0, 1) == 0xB7;
        let asked = number(cdb, if long { 1 } else { 2 }, if long { 2 } else { 3 });
        let entry = match asked & 7 {
            // Short block, long block, bytes from index, physical sector.
            0 => 4,
            3..=5 => 8,
            _ => return Reply::check(sense::invalid_field()),
        };
        let (room, first) = match long {
            true => (number(cdb, 6, 10), number(cdb, 2, 6)),
            false => (number(cdb, 7, 9), 0),
        };
        let grown = u64::from(self.grown_defects).saturating_add(self.medium.cured);
        let wanted = if asked & 0x08 == 0 {
            0
        } else {
            grown.saturating_sub(first as u64)
        };
        let bytes = wanted.saturating_mul(entry as u64);
        // A primary list that was asked for is empty.
        let mut data = vec![0, asked.to_be_bytes()[7] & 0x1F];
        if long {
            data.extend([0, 0]);
            data.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
        } else {
            data.extend(u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes());
        }
        for at in (first as u64..).take(usize::try_from(wanted).unwrap_or(usize::MAX)) {
            if data.len() >= room {
                break;
            }
            data.extend(&(at * 4096).to_be_bytes()[8 - entry..]);
        }
        Reply::of(data, room)
    }

    /// What all disks answer, and what this one counts of it.
    /// Locks it by its own encryption: it tells so, and lets nobody read or write.
    pub fn lock(&mut self) {
        self.medium.locked = Some((sense::DATA_PROTECT, sense::ACCESS_DENIED));
    }

    /// SECURITY PROTOCOL IN (SPC-4, 6.40): Level 0 Discovery (TCG Storage Architecture Core Specification 2.01, 3.3.6) of a disk
    /// that knows locking, has it enabled, and is locked.
    fn security(cdb: &[u8]) -> Reply {
        if number(cdb, 1, 4) != 0x01_0001 {
            return Reply::check(sense::invalid_field());
        }
        let mut page = vec![0; 48];
        page.extend([0, 2, 0x10, 12, 0b111]);
        page.resize(64, 0);
        page[3] = 60;
        Reply::of(page, number(cdb, 6, 10))
    }

    fn block(&mut self, now: Duration, cdb: &[u8], sent: &[u8]) -> Reply {
        let Some(reply) = block::command(&mut self.medium, cdb, sent) else {
            return Reply::check(sense::no_such_command());
        };
        let verifies = matches!(cdb.first(), Some(0x2F | 0x8F));
        if verifies && reply.status == GOOD {
            let long = cdb.first() == Some(&0x8F);
            self.verified += if long { number(cdb, 10, 14) } else { number(cdb, 7, 9) } as u64;
        }
        if reply.sense.get(2) == Some(&sense::MEDIUM_ERROR) {
            let errors = if verifies { &mut self.verify } else { &mut self.read };
            errors.uncorrected += 1;
            if reply.sense[0] & 0x80 != 0 {
                self.found.entry(number(&reply.sense, 3, 7) as u64).or_insert(now);
            }
        }
        reply
    }
}

impl Unit for SasDisk {
    fn command(&mut self, now: Duration, cdb: &[u8], sent: &[u8]) -> Reply {
        match cdb.first() {
            Some(0x03) => match self.tests.progress(now) {
                Some(sense) => Reply::of(sense, number(cdb, 4, 5)),
                None => self.block(now, cdb, sent),
            },
            Some(0x12) => self.inquire(cdb),
            Some(0x15 | 0x55) => mode::select(self, cdb, sent),
            Some(0x1A | 0x5A) => mode::sense(self, cdb),
            Some(0x1D) => self.tests.send(now, cdb, self.medium.sectors()),
            Some(0x37 | 0xB7) => self.defects(cdb),
            Some(0x4D) => log::sense(self, now, cdb),
            Some(0xA2) if self.medium.locked.is_some() => Self::security(cdb),
            _ => self.block(now, cdb, sent),
        }
    }
}

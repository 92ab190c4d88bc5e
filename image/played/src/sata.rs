//! A SATA disk as a SAS controller shows it: SCSI commands by SAT-4, the passed-through ones to the ATA device.
//!
//! A test changes its public fields while the guest runs. What follows from them (attributes, statistics, logs) is made
//! when the host asks. Whether it is a disk to a kernel and to smartctl, the boot tests say.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ata;
pub use crate::ata::selftest::{Kind, SelfTests};
pub use crate::ata::smart::Attribute;
use crate::inquiry::{INVALID_PARAMETER, length, refused, text};
use crate::medium::Medium;
use crate::unit::{Reply, Unit};
use crate::{block, sense};

/// A SATA disk of 3.5 inches and 7200 revolutions a minute behind a SAS controller.
#[derive(Clone, Debug)]
pub struct SataDisk {
    /// What it stores; its unreadable sectors are pending (197), those that a write cured are reallocated (5, 196).
    pub medium: Medium,
    /// Model, up to 40 characters of ASCII.
    pub model: String,
    /// Serial number, up to 20 characters of ASCII.
    pub serial: String,
    /// Firmware revision, up to 8 characters of ASCII.
    pub firmware: String,
    /// World wide name.
    pub wwn: u64,
    /// Temperature, degrees Celsius. The disk keeps the highest and the lowest that it had at any command.
    pub celsius: i8,
    /// SMART attributes by number; what happens to the disk adds to the raw values of 5, 9, 196, 197, 241 and 242, and
    /// is that of 194.
    pub attributes: BTreeMap<u8, Attribute>,
    /// Whether SMART RETURN STATUS tells of a threshold exceeded, whatever the attributes say.
    pub failing: bool,
    /// Self-tests.
    pub tests: SelfTests,
    /// Sectors with those that a host protected area hides; `None` for a disk that knows no such area.
    pub native: Option<u64>,
    /// Whether an ATA password is set.
    pub password: bool,
    pub(crate) smart_enabled: bool,
    pub(crate) write_cache: bool,
    /// Lowest and highest temperature at any command.
    felt: Option<[i8; 2]>,
}

impl SataDisk {
    /// A disk that is as good as new, at 30 °C.
    #[must_use]
    pub fn new(medium: Medium, model: &str, serial: &str, wwn: u64) -> Self {
        Self {
            medium,
            model: model.to_owned(),
            serial: serial.to_owned(),
            firmware: "PL010001".to_owned(),
            wwn,
            celsius: 30,
            attributes: ata::smart::as_new(),
            failing: false,
            tests: SelfTests::default(),
            native: None,
            password: false,
            smart_enabled: true,
            write_cache: true,
            felt: None,
        }
    }

    /// Locks it by a password: it tells so, and aborts whatever reads or writes.
    pub fn lock(&mut self) {
        self.password = true;
        self.medium.locked = Some((sense::ABORTED_COMMAND, (0, 0)));
    }

    /// Lowest and highest temperature that there was.
    pub(crate) fn extremes(&self) -> [i8; 2] {
        let [lowest, highest] = self.felt.unwrap_or([self.celsius; 2]);
        [lowest.min(self.celsius), highest.max(self.celsius)]
    }

    /// Standard INQUIRY data (SPC-5, 6.7.2; SAT-4, INQUIRY), version SPC-4, with command queuing.
    fn standard(&self) -> Vec<u8> {
        let mut data = vec![0, 0, 6, 2, 31, 0, 0, 2];
        data.extend(b"ATA     ");
        data.extend(text(&self.model, 16));
        data.extend(&text(&self.firmware, 8)[4..]);
        data
    }

    /// Body of a page of vital product data; `None` for one that there is not.
    fn vital(&self, page: u8) -> Option<Vec<u8>> {
        let limits = |set: &[(usize, u8)]| {
            let mut body = vec![0; 60];
            for (at, byte) in set {
                body[at - 4] = *byte;
            }
            body
        };
        Some(match page {
            // Supported pages.
            0x00 => vec![0x00, 0x80, 0x83, 0x89, 0xB0, 0xB1],
            // Unit serial number, flush to the right as ATA disks have it.
            0x80 => text(&format!("{:>20}", self.serial), 20),
            // Device identification (SPC-5, 7.7.6; SAT-4, Device Identification): by T10 vendor and by NAA.
            0x83 => {
                let mut name = b"ATA     ".to_vec();
                name.extend(text(&self.model, 40));
                name.extend(text(&self.serial, 20));
                [
                    &[0x02, 0x01, 0, 68][..],
                    &name,
                    &[0x01, 0x03, 0, 8],
                    &self.wwn.to_be_bytes(),
                ]
                .concat()
            }
            // ATA information (SAT-4): who translates, the signature of a disk as a register frame, IDENTIFY DEVICE
            // data.
            0x89 => {
                let mut body = vec![0; 4];
                body.extend(b"KILN    PLAYED HBA      0001");
                body.extend([0x34, 0, 0x50, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
                body.extend([0xEC, 0, 0, 0]);
                body.extend(ata::identify(self));
                body
            }
            // Block limits (SBC-4): transfers of any number of sectors.
            0xB0 => limits(&[(7, 1)]),
            // Block device characteristics (SBC-4): 7200 a minute, 3.5 inches.
            0xB1 => limits(&[(4, 0x1C), (5, 0x20), (7, 2)]),
            _ => return None,
        })
    }

    fn inquiry(&self, cdb: &[u8; 32]) -> Reply {
        let room = usize::from(u16::from_be_bytes([cdb[3], cdb[4]]));
        match (cdb[1] & 1 != 0, cdb[2]) {
            (false, 0) => Reply::of(self.standard(), room),
            (false, _) => Reply::check(sense::invalid_field()),
            (true, page) => match self.vital(page) {
                Some(body) => Reply::of([&[0, page], &length(&body)[..], &body].concat(), room),
                None => Reply::check(sense::invalid_field()),
            },
        }
    }

    /// MODE SENSE (6) and (10): the caching page, alone or as all that there are (SPC-5, SBC-4).
    fn mode_sense(&self, cdb: &[u8; 32]) -> Reply {
        let (control, page, part) = (cdb[2] >> 6, cdb[2] & 0x3F, cdb[3]);
        if control == 3 {
            return refused(NO_SAVING);
        }
        if !matches!((page, part), (CACHING, 0) | (0x3F, 0 | 0xFF)) {
            return Reply::check(sense::invalid_field());
        }
        let mut body = Vec::new();
        if cdb[1] & 0x08 == 0 {
            let sectors = u32::try_from(self.medium.sectors()).unwrap_or(u32::MAX);
            body.extend([sectors.to_be_bytes(), [0, 0, 2, 0]].concat());
        }
        let described = u8::try_from(body.len()).unwrap_or_default();
        let mut caching = [0; CACHING_LENGTH];
        // WCE is what can be changed (control 1), and by default it is on (2).
        let on = self.write_cache || control != 0;
        (caching[0], caching[1], caching[2]) = (CACHING, 0x12, u8::from(on) << 2);
        body.extend(caching);
        let size = u8::try_from(body.len()).unwrap_or_default();
        match cdb[0] {
            0x1A => Reply::of([&[size + 3, 0, 0, described], &body[..]].concat(), cdb[4].into()),
            _ => {
                let room = usize::from(u16::from_be_bytes([cdb[7], cdb[8]]));
                Reply::of([&[0, size + 6, 0, 0, 0, 0, 0, described], &body[..]].concat(), room)
            }
        }
    }

    /// MODE SELECT (6) and (10): WCE of the caching page.
    fn mode_select(&mut self, cdb: &[u8; 32], sent: &[u8]) -> Reply {
        let (size, header, described) = match cdb[0] {
            0x15 => (usize::from(cdb[4]), 4, 3),
            _ => (usize::from(u16::from_be_bytes([cdb[7], cdb[8]])), 8, 7),
        };
        let list = &sent[..size.min(sent.len())];
        if list.is_empty() {
            return Reply::good();
        }
        let page = list
            .get(described)
            .and_then(|skipped| list.get(header + usize::from(*skipped)..));
        match page {
            Some([page, 0x12, set, rest @ ..]) if page & 0x7F == CACHING && rest.len() + 3 == CACHING_LENGTH => {
                self.write_cache = set & 0x04 != 0;
                Reply::good()
            }
            _ => refused(INVALID_PARAMETER),
        }
    }
}

/// Number of the caching mode page.
const CACHING: u8 = 0x08;
/// Bytes of it.
const CACHING_LENGTH: usize = 20;
/// SAVING PARAMETERS NOT SUPPORTED.
const NO_SAVING: (u8, u8) = (0x39, 0x00);

impl Unit for SataDisk {
    fn command(&mut self, now: Duration, cdb: &[u8], sent: &[u8]) -> Reply {
        self.felt = Some(self.extremes());
        ata::smart::settle(self, now);
        let mut padded = [0; 32];
        padded.iter_mut().zip(cdb).for_each(|(put, byte)| *put = *byte);
        let cdb = &padded;
        match cdb[0] {
            0x12 => self.inquiry(cdb),
            0x1A | 0x5A => self.mode_sense(cdb),
            0x15 | 0x55 => self.mode_select(cdb, sent),
            0x85 | 0xA1 => ata::passthrough::command(self, now, cdb),
            _ => block::command(&mut self.medium, cdb, sent).unwrap_or_else(|| Reply::check(sense::no_such_command())),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Verdict;
    use crate::unit::GOOD;

    /// A disk for the tests here and in `ata`.
    pub(crate) fn disk() -> SataDisk {
        SataDisk::new(
            Medium::new(1_000_000),
            "KILN PLAYED DISK 8TB",
            "PLAYED0001",
            0x5000_C500_1234_5678,
        )
    }

    fn page(disk: &mut SataDisk, page: u8) -> Reply {
        disk.command(Duration::ZERO, &[0x12, 1, page, 0xFF, 0xFF, 0], &[])
    }

    #[test]
    fn inquiry_names_the_disk_as_sat_does() {
        let mut disk = disk();
        let data = disk.command(Duration::ZERO, &[0x12, 0, 0, 0, 36, 0], &[]).data;
        assert_eq!(&data[8..], b"ATA     KILN PLAYED DISK0001");
        assert_eq!(usize::from(data[4]) + 5, data.len());
        for number in page(&mut disk, 0).data[4..].to_vec() {
            let data = page(&mut disk, number).data;
            assert_eq!(data[1], number);
            assert_eq!(usize::from(u16::from_be_bytes([data[2], data[3]])) + 4, data.len());
        }
        assert_eq!(&page(&mut disk, 0x80).data[4..], b"          PLAYED0001");
        assert!(
            page(&mut disk, 0x83)
                .data
                .ends_with(&[1, 3, 0, 8, 0x50, 0, 0xC5, 0, 0x12, 0x34, 0x56, 0x78])
        );
        let ata = page(&mut disk, 0x89).data;
        assert_eq!(
            (ata.len(), ata[36], ata[56], &ata[60..]),
            (572, 0x34, 0xEC, &ata::identify(&disk)[..])
        );
        assert_eq!(page(&mut disk, 0xB2), Reply::check(sense::invalid_field()));
    }

    #[test]
    fn the_write_cache_is_on_until_it_is_turned_off() {
        let mut disk = disk();
        let six = |disk: &mut SataDisk| disk.command(Duration::ZERO, &[0x1A, 0, 0x08, 0, 255, 0], &[]).data;
        let ten = |disk: &mut SataDisk| {
            disk.command(Duration::ZERO, &[0x5A, 8, 0x3F, 0, 0, 0, 0, 0, 255, 0], &[])
                .data
        };
        assert_eq!(
            six(&mut disk)[..15],
            [31, 0, 0, 8, 0, 0x0F, 0x42, 0x40, 0, 0, 2, 0, 8, 0x12, 4]
        );
        assert_eq!(ten(&mut disk)[..11], [0, 26, 0, 0, 0, 0, 0, 0, 8, 0x12, 4]);
        let mut list = ten(&mut disk);
        list[10] = 0;
        let reply = disk.command(Duration::ZERO, &[0x55, 0x10, 0, 0, 0, 0, 0, 0, 28, 0], &list);
        assert_eq!((reply.status, ten(&mut disk)[10]), (GOOD, 0));
        let reply = disk.command(Duration::ZERO, &[0x15, 0x10, 0, 0, 28, 0], &list);
        assert_eq!(reply.sense[12], 0x26, "the header of the other command");
        let reply = disk.command(Duration::ZERO, &[0x1A, 0, 0x1C, 0, 255, 0], &[]);
        assert_eq!(reply, Reply::check(sense::invalid_field()));
    }

    #[test]
    fn a_locked_disk_tells_so_and_moves_nothing() {
        let mut disk = disk();
        let word = |disk: &SataDisk| ata::identify(disk)[256];
        let read = [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0];
        assert_eq!(
            (word(&disk), disk.command(Duration::ZERO, &read, &[]).status),
            (0, GOOD)
        );
        disk.password = true;
        assert_eq!(
            (word(&disk), disk.command(Duration::ZERO, &read, &[]).status),
            (3, GOOD)
        );
        disk.lock();
        let reply = disk.command(Duration::ZERO, &read, &[]);
        assert_eq!((word(&disk), reply.sense[2]), (7, sense::ABORTED_COMMAND));
    }

    #[test]
    fn an_unknown_command_is_refused_as_such() {
        let reply = disk().command(Duration::ZERO, &[0xA3, 0x0C, 0, 0, 0, 0], &[]);
        assert_eq!(reply, Reply::check(sense::no_such_command()));
    }

    proptest! {
        #[test]
        fn no_command_panics(
            cdb in prop::collection::vec(any::<u8>(), 0..33),
            ata in (any::<u8>(), prop::sample::select(vec![0x27, 0x2F, 0x47, 0xB0, 0xE5, 0xEC, 0xEF, 0xF8])),
            sent in prop::collection::vec(any::<u8>(), 0..600),
            seconds in 0_u64..1 << 40,
            text in "\\PC{0,60}",
        ) {
            let mut disk = disk();
            (disk.model, disk.serial, disk.firmware) = (text.clone(), text.clone(), text);
            (disk.native, disk.celsius) = (Some(seconds), i8::MIN);
            disk.tests.verdict = Verdict::FailsAt(seconds);
            for first in [0x12, 0x1A, 0x5A, 0x15, 0x55, 0x85, 0xA1] {
                let mut cdb = cdb.clone();
                disk.command(Duration::from_secs(seconds), &cdb, &sent);
                if cdb.len() >= 16 {
                    cdb[0] = first;
                    disk.command(Duration::from_secs(seconds), &cdb, &sent);
                    // A command that is known, by a protocol that is, and SMART's signature.
                    (cdb[1], cdb[2]) = (4 << 1 | cdb[1] & 1, cdb[2] | 8);
                    (cdb[4], cdb[10], cdb[12]) = (ata.0 | 0xD0, 0x4F, 0xC2);
                    (cdb[9], cdb[14]) = (ata.1, ata.1);
                    disk.command(Duration::from_secs(seconds), &cdb, &sent);
                }
            }
        }
    }
}

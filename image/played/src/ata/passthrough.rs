//! ATA PASS-THROUGH (12) and (16): an ATA command in SCSI's envelope, and its registers as sense data (SAT-4, 12.2.2,
//! 12.2.3, 12.2.6).

use std::time::Duration;

use super::{Answer, Registers, Task, carry_out};
use crate::sata::SataDisk;
use crate::sense;
use crate::unit::{CHECK_CONDITION, GOOD, Reply};

/// RECOVERED ERROR, with ATA PASS-THROUGH INFORMATION AVAILABLE: nothing failed, the registers were asked for.
const INFORMATION: (u8, (u8, u8)) = (0x01, (0x00, 0x1D));
/// ABORTED COMMAND, as an error register of ABRT translates (SAT-4, ATA errors to sense keys).
const ABORTED: (u8, (u8, u8)) = (sense::ABORTED_COMMAND, (0x00, 0x00));

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    None,
    In,
    Out,
}

impl Direction {
    /// By the CDB's protocol and its `T_DIR`; `None` for a protocol that is not played.
    fn of(cdb: &[u8; 32]) -> Option<Self> {
        let to_host = cdb[2] & 0x08 != 0;
        match (cdb[1] >> 1 & 0x0F, to_host) {
            // Non-data.
            (3, _) => Some(Self::None),
            // PIO in, DMA, UDMA in; PIO out, DMA, UDMA out.
            (4 | 6 | 10, true) => Some(Self::In),
            (5 | 6 | 11, false) => Some(Self::Out),
            _ => None,
        }
    }
}

/// The registers that a CDB of 12 or 16 bytes brings (SAT-4, 12.2.2 and 12.2.3).
fn task(cdb: &[u8; 32]) -> Task {
    let number = |from: &[usize]| from.iter().fold(0_u64, |all, at| all << 8 | u64::from(cdb[*at]));
    let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    if cdb[0] == 0xA1 {
        return Task {
            extend: false,
            features: cdb[3].into(),
            count: cdb[4].into(),
            lba: number(&[7, 6, 5]),
            command: cdb[9],
        };
    }
    match cdb[1] & 0x01 != 0 {
        true => Task {
            extend: true,
            features: pair(cdb[3], cdb[4]),
            count: pair(cdb[5], cdb[6]),
            lba: number(&[11, 9, 7, 12, 10, 8]),
            command: cdb[14],
        },
        false => Task {
            extend: false,
            features: cdb[4].into(),
            count: cdb[6].into(),
            lba: number(&[12, 10, 8]),
            command: cdb[14],
        },
    }
}

/// How many bytes the CDB asks for: `T_LENGTH` names the register, `BYT_BLOK` the unit; as many as there are by length
/// 3.
fn room(cdb: &[u8; 32], task: &Task) -> usize {
    let unit = if cdb[2] & 0x04 != 0 { 512 } else { 1 };
    match cdb[2] & 0x03 {
        0 => 0,
        1 => usize::from(task.features) * unit,
        2 => usize::from(task.count) * unit,
        _ => usize::MAX,
    }
}

/// Descriptor-format sense data with the ATA Status Return descriptor (SPC-5, 4.4.2; SAT-4, 12.2.6):
///
/// ```text
/// 0  72h    1  key    2  code (2)    7  0Eh, bytes behind it
/// 8  09h, 0Ch, EXTEND, error, count (2), LBA 31:24, 7:0, 39:32, 15:8, 47:40, 23:16, device, status
/// ```
fn registers((key, (code, qualifier)): (u8, (u8, u8)), extend: bool, held: &Registers) -> Vec<u8> {
    // Only a command of 48 bits has the upper halves.
    let upper = |byte: u8| if extend { byte } else { 0 };
    let count = held.count.to_le_bytes();
    let lba = held.lba.to_le_bytes();
    let head = [0x72, key, code, qualifier, 0, 0, 0, 14];
    let described = [0x09, 0x0C, u8::from(extend), held.error, upper(count[1]), count[0]];
    let address = [upper(lba[3]), lba[0], upper(lba[4]), lba[1], upper(lba[5]), lba[2]];
    [&head[..], &described, &address, &[held.device, held.status]].concat()
}

/// Carries out either CDB, padded with zeros.
pub(crate) fn command(disk: &mut SataDisk, now: Duration, cdb: &[u8; 32]) -> Reply {
    let Some(direction) = Direction::of(cdb) else {
        return Reply::check(sense::invalid_field());
    };
    let task = task(cdb);
    let answer = match direction {
        // No command that takes data is known.
        Direction::Out => Answer::aborted(),
        Direction::None | Direction::In => carry_out(disk, now, &task),
    };
    let answer = match answer.data {
        // Its data has no way to the host.
        Some(_) if direction != Direction::In => Answer::aborted(),
        _ => answer,
    };
    let asked = cdb[2] & 0x20 != 0;
    let (status, sense) = match (answer.failed(), asked) {
        (true, _) => (CHECK_CONDITION, registers(ABORTED, task.extend, &answer.registers)),
        (false, true) => (CHECK_CONDITION, registers(INFORMATION, task.extend, &answer.registers)),
        (false, false) => (GOOD, Vec::new()),
    };
    Reply {
        status,
        sense,
        ..Reply::of(answer.data.unwrap_or_default(), room(cdb, &task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sata::tests::disk;
    use crate::unit::Unit;

    /// SMART RETURN STATUS, as smartctl asks.
    const STATUS: [u8; 16] = [0x85, 3 << 1, 0x2C, 0, 0xDA, 0, 0, 0, 0, 0, 0x4F, 0, 0xC2, 0, 0xB0, 0];

    #[test]
    fn return_status_says_in_the_registers_whether_the_disk_fails() {
        let mut disk = disk();
        for (failing, middle, high) in [(false, 0x4F, 0xC2), (true, 0xF4, 0x2C)] {
            disk.failing = failing;
            let reply = disk.command(Duration::ZERO, &STATUS, &[]);
            assert_eq!((reply.status, reply.data.len()), (CHECK_CONDITION, 0));
            let head = [0x72, 1, 0, 0x1D, 0, 0, 0, 14, 9, 12, 0, 0, 0, 0, 0, 0, 0];
            assert_eq!(reply.sense, [&head[..], &[middle, 0, high, 0, 0x50]].concat());
        }
    }

    #[test]
    fn a_command_of_twelve_bytes_brings_a_page() {
        let mut disk = disk();
        let cdb = [0xA1, 4 << 1, 0x0E, 0, 1, 0, 0, 0, 0, 0xEC, 0, 0];
        let reply = disk.command(Duration::ZERO, &cdb, &[]);
        assert_eq!((reply.status, reply.data), (GOOD, super::super::identify(&disk)));
    }

    #[test]
    fn all_48_bits_come_back_where_they_were_sent() {
        let mut disk = disk();
        disk.native = Some(0x1234_5678_9ABD);
        let mut cdb = [0; 16];
        (cdb[0], cdb[1], cdb[2], cdb[13], cdb[14]) = (0x85, 3 << 1 | 1, 0x20, 0x40, 0x27);
        let sense = disk.command(Duration::ZERO, &cdb, &[]).sense;
        assert_eq!(sense[10], 1);
        assert_eq!(sense[14..20], [0x56, 0xBC, 0x34, 0x9A, 0x12, 0x78]);
    }

    #[test]
    fn an_unknown_command_aborts_and_data_without_a_way_does_too() {
        // DOWNLOAD MICROCODE without data; IDENTIFY DEVICE as non-data; WRITE LOG EXT.
        for (protocol, direction, command) in [(3, 0, 0x92), (3, 0, 0xEC), (5, 0, 0x3F)] {
            let mut cdb = [0; 16];
            (cdb[0], cdb[1], cdb[2], cdb[6], cdb[14]) = (0x85, protocol << 1, direction | 0x06, 1, command);
            let reply = disk().command(Duration::ZERO, &cdb, &[0; 512]);
            assert_eq!(reply.sense[..4], [0x72, sense::ABORTED_COMMAND, 0, 0]);
            assert_eq!((reply.sense[11], reply.sense[21], reply.data.len()), (0x04, 0x51, 0));
        }
        let reply = disk().command(Duration::ZERO, &[0x85, 15 << 1, 0, 0, 0, 0], &[]);
        assert_eq!(reply.sense, sense::invalid_field());
    }
}

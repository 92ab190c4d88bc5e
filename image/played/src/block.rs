//! The commands that every disk answers alike (SBC-4, SPC-5): capacity, reading, writing, flushing.

use crate::medium::{Medium, SECTOR};
use crate::sense;
use crate::unit::{RESERVATION_CONFLICT, Reply};

/// Most sectors that one command moves: 32 MiB.
const MOST: u64 = 65_536;

/// Answers a command that is one of these; `None` for any other.
pub fn command(medium: &mut Medium, cdb: &[u8], sent: &[u8]) -> Option<Reply> {
    let be = |from: usize, to: usize| {
        (from..to).fold(0, |number, at| {
            number << 8 | u64::from(cdb.get(at).copied().unwrap_or_default())
        })
    };
    // Who asks who it is, or why a command failed, is told all the same (SPC-5, 5.14).
    if !matches!(cdb.first(), Some(0x03 | 0x12 | 0xA0))
        && let Some(code) = medium.attention.take()
    {
        return Some(Reply::check(sense::fixed(sense::UNIT_ATTENTION, code, None)));
    }
    Some(match cdb.first()? {
        // TEST UNIT READY, START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL, SYNCHRONIZE CACHE (10) and (16).
        0x00 | 0x1B | 0x1E | 0x35 | 0x91 => Reply::good(),
        // REQUEST SENSE: nothing to tell.
        0x03 => Reply::of(sense::fixed(0, (0, 0), None), be(4, 5) as usize),
        // READ (6), (10), (12), (16).
        0x08 => read(medium, be(1, 4) & 0x1F_FFFF, six(be(4, 5))),
        0x28 => read(medium, be(2, 6), be(7, 9)),
        0xA8 => read(medium, be(2, 6), be(6, 10)),
        0x88 => read(medium, be(2, 10), be(10, 14)),
        // WRITE (6), (10), (12), (16).
        0x0A => write(medium, be(1, 4) & 0x1F_FFFF, six(be(4, 5)), sent),
        0x2A => write(medium, be(2, 6), be(7, 9), sent),
        0xAA => write(medium, be(2, 6), be(6, 10), sent),
        0x8A => write(medium, be(2, 10), be(10, 14), sent),
        // VERIFY (10), (16): reads without sending.
        0x2F => verify(medium, be(2, 6), be(7, 9)),
        0x8F => verify(medium, be(2, 10), be(10, 14)),
        // READ CAPACITY (10).
        0x25 => {
            let last = u32::try_from(medium.sectors().saturating_sub(1)).unwrap_or(u32::MAX);
            Reply::of([last.to_be_bytes(), medium.block_length.to_be_bytes()].concat(), 8)
        }
        // SERVICE ACTION IN (16): READ CAPACITY (16).
        0x9E if be(1, 2) & 0x1F == 0x10 => {
            let mut data = medium.sectors().saturating_sub(1).to_be_bytes().to_vec();
            data.extend(medium.block_length.to_be_bytes());
            data.resize(32, 0);
            Reply::of(data, be(10, 14) as usize)
        }
        // REPORT LUNS: 0 alone.
        0xA0 => {
            let mut data = vec![0; 16];
            data[3] = 8;
            Reply::of(data, be(6, 10) as usize)
        }
        _ => return None,
    })
}

/// How many sectors the length byte of a command of six bytes means.
fn six(length: u64) -> u64 {
    if length == 0 { 256 } else { length }
}

/// Why these sectors can be neither read nor written, if so.
fn refused(medium: &Medium, lba: u64, count: u64) -> Option<Reply> {
    if medium.reserved {
        return Some(Reply {
            status: RESERVATION_CONFLICT,
            ..Reply::default()
        });
    }
    if !medium.holds(lba, count) {
        return Some(Reply::check(sense::fixed(
            sense::ILLEGAL_REQUEST,
            sense::OUT_OF_RANGE,
            None,
        )));
    }
    if let Some((key, code)) = medium.locked {
        return Some(Reply::check(sense::fixed(key, code, None)));
    }
    (count > MOST || medium.block_length != SECTOR as u32).then(|| Reply::check(sense::invalid_field()))
}

fn read(medium: &mut Medium, lba: u64, count: u64) -> Reply {
    if let Some(refusal) = refused(medium, lba, count) {
        return refusal;
    }
    match medium.read(lba, count) {
        Ok(data) => Reply::of(data, usize::MAX),
        Err(bad) => Reply::check(sense::fixed(
            sense::MEDIUM_ERROR,
            sense::UNRECOVERED_READ,
            u32::try_from(bad).ok(),
        )),
    }
}

fn verify(medium: &mut Medium, lba: u64, count: u64) -> Reply {
    let moved = medium.moved;
    let mut reply = read(medium, lba, count);
    medium.moved = moved;
    reply.data.clear();
    reply
}

fn write(medium: &mut Medium, lba: u64, count: u64, sent: &[u8]) -> Reply {
    if let Some(refusal) = refused(medium, lba, count) {
        return refusal;
    }
    if (sent.len() as u64) < count * SECTOR as u64 {
        return Reply::check(sense::invalid_field());
    }
    medium.write(lba, &sent[..count as usize * SECTOR]);
    Reply::good()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::unit::{CHECK_CONDITION, GOOD};

    fn disk() -> Medium {
        Medium::new(5000)
    }

    #[test]
    fn every_form_of_read_gives_what_every_form_of_write_wrote() {
        let sector = |n: u8| vec![n; SECTOR];
        for (n, write, read) in [
            (1_u8, vec![0x0A, 0, 0, 7, 1, 0], vec![0x08, 0, 0, 7, 1, 0]),
            (
                2,
                vec![0x2A, 0, 0, 0, 0, 7, 0, 0, 1, 0],
                vec![0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0],
            ),
            (
                3,
                vec![0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0],
                vec![0x88, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0],
            ),
            (
                4,
                vec![0xAA, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0],
                vec![0xA8, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0],
            ),
        ] {
            let mut medium = disk();
            assert_eq!(command(&mut medium, &write, &sector(n)), Some(Reply::good()));
            assert_eq!(command(&mut medium, &read, &[]).unwrap().data, sector(n));
        }
    }

    #[test]
    fn a_sector_that_cannot_be_read_is_named_and_one_behind_the_end_is_refused() {
        let mut medium = disk();
        medium.unreadable.insert(4321);
        let told = command(&mut medium, &[0x28, 0, 0, 0, 0x10, 0xD0, 0, 1, 0x20, 0], &[]).unwrap();
        assert_eq!(told.status, CHECK_CONDITION);
        assert_eq!((told.sense[0], told.sense[2]), (0xF0, sense::MEDIUM_ERROR));
        assert_eq!(told.sense[3..7], 4321_u32.to_be_bytes());
        let told = command(&mut medium, &[0x28, 0, 0, 0, 0x13, 0x87, 0, 0, 2, 0], &[]).unwrap();
        assert_eq!((told.sense[2], told.sense[12]), (sense::ILLEGAL_REQUEST, 0x21));
        assert_eq!(medium.moved.read, 0);
    }

    #[test]
    fn another_capacity_is_announced_once() {
        let mut medium = disk();
        medium.resize(9000);
        let told = command(&mut medium, &[0x00], &[]).unwrap();
        assert_eq!(
            (told.sense[2], told.sense[12], told.sense[13]),
            (sense::UNIT_ATTENTION, 0x2A, 0x09)
        );
        assert_eq!(
            command(&mut medium, &[0x25], &[]).unwrap().data[..4],
            8999_u32.to_be_bytes()
        );
    }

    #[test]
    fn a_disk_of_other_blocks_or_reserved_by_another_moves_nothing() {
        let read = [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0];
        let mut medium = disk();
        medium.reserved = true;
        assert_eq!(command(&mut medium, &read, &[]).unwrap().status, RESERVATION_CONFLICT);
        medium.reserved = false;
        medium.block_length = 520;
        assert_eq!(
            command(&mut medium, &[0x25], &[]).unwrap().data[4..],
            520_u32.to_be_bytes()
        );
        assert_eq!(command(&mut medium, &read, &[]).unwrap().status, CHECK_CONDITION);
    }

    proptest! {
        #[test]
        fn no_command_panics(cdb: [u8; 16], length in 0_usize..17, sent in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut medium = disk();
            for first in [cdb[0], 0x28, 0x2A, 0x88, 0x8A, 0x9E, 0x08, 0x0A] {
                let mut cdb = cdb;
                cdb[0] = first;
                if let Some(reply) = command(&mut medium, &cdb[..length], &sent) {
                    prop_assert_eq!(reply.status == GOOD, reply.sense.is_empty());
                }
            }
        }
    }
}

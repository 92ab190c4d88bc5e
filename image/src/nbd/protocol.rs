//! The NBD protocol, server side: fixed newstyle negotiation and simple replies.
//!
//! Written from `doc/proto.md` of the NBD project. Of the options `EXPORT_NAME`, GO, INFO, LIST and ABORT are answered,
//! every other one with UNSUP, which is what a client must be ready for. The export name does not matter: a socket is
//! a disk.

use std::io::{self, Read, Write};

use super::SECTOR;
use super::disk::{Disk, Refusal};

const MAGIC: &[u8; 8] = b"NBDMAGIC";
const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;

/// Handshake flags: fixed newstyle, no zeroes after `EXPORT_NAME` on request.
const HANDSHAKE: u16 = 1 | 2;
/// Transmission flags: `HAS_FLAGS`, `SEND_FLUSH`, `SEND_FUA`.
const TRANSMISSION: u16 = 1 | 4 | 8;

const OPT_EXPORT_NAME: u32 = 1;
const OPT_ABORT: u32 = 2;
const OPT_LIST: u32 = 3;
const OPT_INFO: u32 = 6;
const OPT_GO: u32 = 7;
const REP_ACK: u32 = 1;
const REP_SERVER: u32 = 2;
const REP_INFO: u32 = 3;
const REP_ERR_UNSUP: u32 = 0x8000_0001;
const INFO_EXPORT: u16 = 0;
const INFO_BLOCK_SIZE: u16 = 3;

const CMD_READ: u16 = 0;
const CMD_WRITE: u16 = 1;
const CMD_DISC: u16 = 2;
const CMD_FLUSH: u16 = 3;
const FLAG_FUA: u16 = 1;

const EIO: u32 = 5;
const EINVAL: u32 = 22;

/// Longest request that is taken, in bytes: the largest that clients send without having asked.
const MAX_REQUEST: u32 = 32 << 20;
/// Longest option that is taken, in bytes: a name of 4096 and its surroundings.
const MAX_OPTION: u32 = 8192;

/// Speaks with one client until it goes or the power does.
pub fn serve(stream: &mut (impl Read + Write), disk: &Disk) -> io::Result<()> {
    if negotiate(stream, disk)? {
        transmit(stream, disk)
    } else {
        Ok(())
    }
}

/// Answers options; true when the client wants to begin.
#[expect(clippy::cast_possible_truncation, reason = "a sector has 512 bytes")]
fn negotiate(stream: &mut (impl Read + Write), disk: &Disk) -> io::Result<bool> {
    let bytes = disk.sectors() * SECTOR as u64;
    let mut hello = Vec::from(*MAGIC);
    hello.extend(OPTION_MAGIC);
    hello.extend(HANDSHAKE.to_be_bytes());
    stream.write_all(&hello)?;
    let no_zeroes = u32::from_be_bytes(take(stream)?) & 2 != 0;
    loop {
        if &take::<8>(stream)? != OPTION_MAGIC {
            return Err(bad("option without its magic"));
        }
        let option = u32::from_be_bytes(take(stream)?);
        let length = u32::from_be_bytes(take(stream)?);
        let data = take_long(stream, length, MAX_OPTION)?;
        match option {
            OPT_EXPORT_NAME => {
                let mut answer = Vec::from(bytes.to_be_bytes());
                answer.extend(TRANSMISSION.to_be_bytes());
                answer.resize(answer.len() + if no_zeroes { 0 } else { 124 }, 0);
                stream.write_all(&answer)?;
                return Ok(true);
            }
            OPT_INFO | OPT_GO => {
                let mut export = Vec::from(INFO_EXPORT.to_be_bytes());
                export.extend(bytes.to_be_bytes());
                export.extend(TRANSMISSION.to_be_bytes());
                reply(stream, option, REP_INFO, &export)?;
                if wants_block_size(&data) {
                    let mut sizes = Vec::from(INFO_BLOCK_SIZE.to_be_bytes());
                    sizes.extend([SECTOR as u32, 4096, MAX_REQUEST].iter().flat_map(|n| n.to_be_bytes()));
                    reply(stream, option, REP_INFO, &sizes)?;
                }
                reply(stream, option, REP_ACK, &[])?;
                if option == OPT_GO {
                    return Ok(true);
                }
            }
            OPT_LIST => {
                reply(stream, option, REP_SERVER, &0_u32.to_be_bytes())?;
                reply(stream, option, REP_ACK, &[])?;
            }
            OPT_ABORT => {
                reply(stream, option, REP_ACK, &[])?;
                return Ok(false);
            }
            _ => reply(stream, option, REP_ERR_UNSUP, &[])?,
        }
    }
}

/// Whether the information requests at the end of an INFO or GO name the block size.
fn wants_block_size(data: &[u8]) -> bool {
    let Some((length, rest)) = data.split_first_chunk::<4>() else {
        return false;
    };
    let skip = usize::try_from(u32::from_be_bytes(*length))
        .unwrap_or(usize::MAX)
        .saturating_add(2);
    rest.get(skip..)
        .is_some_and(|requests| requests.chunks_exact(2).any(|r| r == INFO_BLOCK_SIZE.to_be_bytes()))
}

fn reply(stream: &mut impl Write, option: u32, kind: u32, data: &[u8]) -> io::Result<()> {
    let length = u32::try_from(data.len()).map_err(io::Error::other)?;
    let mut message = Vec::from(REPLY_MAGIC.to_be_bytes());
    message.extend(option.to_be_bytes());
    message.extend(kind.to_be_bytes());
    message.extend(length.to_be_bytes());
    message.extend(data);
    stream.write_all(&message)
}

/// Carries out requests one after another.
///
/// ```text
/// request: magic u32 | flags u16 | type u16 | cookie u64 | offset u64 | length u32 | data (write)
/// reply:   magic u32 | error u32 | cookie u64 | data (read)
/// ```
fn transmit(stream: &mut (impl Read + Write), disk: &Disk) -> io::Result<()> {
    loop {
        let head: [u8; 28] = take(stream)?;
        let field = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if field(0) != REQUEST_MAGIC {
            return Err(bad("request without its magic"));
        }
        let flags = u16::from_be_bytes([head[4], head[5]]);
        let command = u16::from_be_bytes([head[6], head[7]]);
        let offset = u64::from(field(16)) << 32 | u64::from(field(20));
        let length = field(24);
        let mut data = Vec::new();
        let outcome = match command {
            CMD_DISC => return Ok(()),
            CMD_READ if length > MAX_REQUEST => Err(Refusal::Invalid),
            CMD_READ => {
                data.resize(length as usize, 0);
                disk.read(offset, &mut data)
            }
            CMD_WRITE => {
                let payload = take_long(stream, length, MAX_REQUEST)?;
                disk.write(offset, &payload, flags & FLAG_FUA != 0)
            }
            CMD_FLUSH => disk.flush(),
            _ => Err(Refusal::Invalid),
        };
        let error = match outcome {
            Ok(()) => 0,
            Err(Refusal::Io) => EIO,
            Err(Refusal::Invalid) => EINVAL,
            Err(Refusal::Dead) => return Ok(()),
        };
        if error != 0 {
            data.clear();
        }
        let mut answer = Vec::with_capacity(16 + data.len());
        answer.extend(SIMPLE_REPLY_MAGIC.to_be_bytes());
        answer.extend(error.to_be_bytes());
        answer.extend(&head[8..16]);
        answer.extend(data);
        stream.write_all(&answer)?;
    }
}

fn take<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn take_long(stream: &mut impl Read, length: u32, limit: u32) -> io::Result<Vec<u8>> {
    if length > limit {
        return Err(bad("a message longer than any client sends"));
    }
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("NBD client sent {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::io::Cursor;

    /// What a client sent beforehand, and what the server answered.
    struct Wire {
        sent: Cursor<Vec<u8>>,
        answered: Vec<u8>,
    }

    impl Read for Wire {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.sent.read(buf)
        }
    }

    impl Write for Wire {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.answered.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn converse(parts: &[&[u8]], disk: &Disk) -> (io::Result<()>, Vec<u8>) {
        let mut wire = Wire {
            sent: Cursor::new(parts.concat()),
            answered: Vec::new(),
        };
        let result = serve(&mut wire, disk);
        (result, wire.answered)
    }

    #[test]
    fn unknown_options_are_refused_and_the_next_one_is_answered() {
        let disk = Disk::blank(1).unwrap();
        let (result, answer) = converse(
            &[
                &1_u32.to_be_bytes(),
                b"IHAVEOPT\0\0\0\x05\0\0\0\0",
                b"IHAVEOPT\0\0\0\x02\0\0\0\0",
            ],
            &disk,
        );
        assert!(result.is_ok());
        assert_eq!(answer.len(), 18 + 20 + 20);
        assert_eq!(&answer[18 + 12..18 + 16], REP_ERR_UNSUP.to_be_bytes());
    }

    #[test]
    fn an_option_of_four_gigabytes_ends_the_connection_without_taking_memory() {
        let disk = Disk::blank(1).unwrap();
        let (result, _) = converse(&[&1_u32.to_be_bytes(), b"IHAVEOPT\0\0\0\x07\xff\xff\xff\xff"], &disk);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn an_export_by_name_reads_and_a_bad_request_gets_an_error_without_data() {
        let disk = Disk::blank(1).unwrap();
        disk.write(512, &[7; 512], false).unwrap();
        let request = |command: u16, offset: u64, length: u32| {
            let mut r = Vec::from(REQUEST_MAGIC.to_be_bytes());
            r.extend(0_u16.to_be_bytes());
            r.extend(command.to_be_bytes());
            r.extend(99_u64.to_be_bytes());
            r.extend(offset.to_be_bytes());
            r.extend(length.to_be_bytes());
            r
        };
        let (result, answer) = converse(
            &[
                &3_u32.to_be_bytes(),
                b"IHAVEOPT\0\0\0\x01\0\0\0\x01x",
                &request(CMD_READ, 512, 512),
                &request(CMD_READ, 1 << 20, 512),
                &request(CMD_DISC, 0, 0),
            ],
            &disk,
        );
        assert!(result.is_ok());
        assert_eq!(&answer[18..26], (1_u64 << 20).to_be_bytes());
        let replies = &answer[28..];
        assert_eq!(replies.len(), 16 + 512 + 16);
        assert!(replies[16..16 + 512].iter().all(|b| *b == 7));
        assert_eq!(&replies[16 + 512 + 4..16 + 512 + 8], EINVAL.to_be_bytes());
    }
}

//! Protocol data units of iSCSI, as bytes (RFC 7143, 11): a header of 48 bytes, additional headers, data. Digests are never agreed on.
//!
//! ```text
//!   0      opcode, 40h: immediate     4      length of additional headers, words
//!   1      flags, 80h: final          5..8   length of the data, bytes
//!   2..4   by opcode                  8..16  LUN, or by opcode
//!  16..20  initiator task tag        20..48  by opcode
//! ```

use std::io::{self, ErrorKind, Read};

/// Bytes of a header.
pub(super) const HEADER: usize = 48;

/// A tag that stands for none.
pub(super) const NO_TAG: u32 = u32::MAX;

/// One protocol data unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pdu {
    /// Its header; lengths in it are right once it is made into bytes.
    pub header: [u8; HEADER],
    /// Additional headers, whole.
    pub additional: Vec<u8>,
    /// Its data segment, without padding.
    pub data: Vec<u8>,
}

impl Pdu {
    /// One of this opcode and these flags, for this task.
    pub(super) fn new(opcode: u8, flags: u8, task: u32) -> Self {
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&[opcode, flags]);
        let pdu = Self {
            header,
            additional: Vec::new(),
            data: Vec::new(),
        };
        pdu.with(16, task)
    }

    /// The same with a number of four bytes in its header.
    pub(super) fn with(mut self, at: usize, number: u32) -> Self {
        self.header[at..at + 4].copy_from_slice(&number.to_be_bytes());
        self
    }

    /// The same with data.
    pub(super) fn carrying(mut self, data: Vec<u8>) -> Self {
        self.data = data;
        self
    }

    /// The number of four bytes there in its header.
    pub(super) fn at(&self, at: usize) -> u32 {
        let mut number = [0; 4];
        number.copy_from_slice(&self.header[at..at + 4]);
        u32::from_be_bytes(number)
    }

    /// Its opcode.
    pub(super) fn opcode(&self) -> u8 {
        self.header[0] & 0x3F
    }

    /// Whether it is to be answered out of order, and takes no place among commands.
    pub(super) fn is_immediate(&self) -> bool {
        self.header[0] & 0x40 != 0
    }

    /// Whether all these bits of its flags are set.
    pub(super) fn has(&self, flags: u8) -> bool {
        self.header[1] & flags == flags
    }

    /// Reads the next one; `None` at the end of the stream.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        match from.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let mut additional = vec![0; usize::from(header[4]) * 4];
        from.read_exact(&mut additional)?;
        // At most 16 MiB, by the field's size.
        let length = usize::from(header[5]) << 16 | usize::from(header[6]) << 8 | usize::from(header[7]);
        let mut data = vec![0; length.next_multiple_of(4)];
        from.read_exact(&mut data)?;
        data.truncate(length);
        Ok(Some(Self {
            header,
            additional,
            data,
        }))
    }

    /// It as it goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        bytes[4] = (self.additional.len() / 4) as u8;
        bytes[5..8].copy_from_slice(&(self.data.len() as u32).to_be_bytes()[1..]);
        bytes.extend(&self.additional);
        bytes.extend(&self.data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}

//! What SCSI units say of themselves (SPC-4, 6.4 and 7.8), and the fields and texts that all their pages are made of.

use crate::sense;
use crate::unit::Reply;

/// SAS, as a protocol identifier (SPC-4, 7.6.1, table 477).
pub(crate) const SAS: u8 = 6;

/// INVALID FIELD IN PARAMETER LIST.
pub(crate) const INVALID_PARAMETER: (u8, u8) = (0x26, 0x00);
/// PARAMETER LIST LENGTH ERROR.
pub(crate) const SHORT_LIST: (u8, u8) = (0x1A, 0x00);

/// The big-endian number in `bytes[from..to]`; bytes that are not there count as 0.
pub(crate) fn number(bytes: &[u8], from: usize, to: usize) -> usize {
    (from..to).fold(0, |number, at| {
        number << 8 | usize::from(bytes.get(at).copied().unwrap_or_default())
    })
}

/// `text` as an ASCII field of `length` bytes, with spaces behind it (SPC-4, 4.4.1).
pub(crate) fn text(text: &str, length: usize) -> Vec<u8> {
    let ascii = |c: char| if (' '..='~').contains(&c) { c as u8 } else { b'?' };
    let mut field: Vec<u8> = text.chars().map(ascii).take(length).collect();
    field.resize(length, b' ');
    field
}

/// A length as a field of two bytes; pages here are kept below that.
pub(crate) fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// ILLEGAL REQUEST for the data that came with a command.
pub(crate) fn refused(why: (u8, u8)) -> Reply {
    Reply::check(sense::fixed(sense::ILLEGAL_REQUEST, why, None))
}

/// Peripheral device type of a disk (SPC-4, 6.4.2).
pub(crate) const DISK: u8 = 0x00;
/// Of an enclosure services device.
pub(crate) const ENCLOSURE: u8 = 0x0D;

/// Who a unit is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// Peripheral device type.
    pub kind: u8,
    pub vendor: &'a str,
    pub product: &'a str,
    pub revision: &'a str,
    pub serial: &'a str,
    /// NAA name of the logical unit.
    pub name: u64,
    /// SAS addresses of the target port that answers, and of the device.
    pub port: u64,
    pub device: u64,
}

impl Identity<'_> {
    /// Answers INQUIRY; `pages` are the vital product data pages beside 00, 80 and 83, by code and without header.
    pub(crate) fn inquire(&self, cdb: &[u8], pages: &[(u8, Vec<u8>)]) -> Reply {
        let (vital, code) = (number(cdb, 1, 2) & 1 != 0, cdb.get(2).copied().unwrap_or_default());
        let data = match (vital, code) {
            (false, 0) => self.standard(),
            (false, _) => return Reply::check(sense::invalid_field()),
            (true, 0x00) => self.page(
                0,
                &[
                    [0x00, 0x80, 0x83].to_vec(),
                    pages.iter().map(|(code, _)| *code).collect(),
                ]
                .concat(),
            ),
            (true, 0x80) => self.page(0x80, &text(self.serial, self.serial.len())),
            (true, 0x83) => self.page(0x83, &self.designators()),
            (true, _) => match pages.iter().find(|(own, _)| *own == code) {
                Some((code, body)) => self.page(*code, body),
                None => return Reply::check(sense::invalid_field()),
            },
        };
        Reply::of(data, number(cdb, 3, 5))
    }

    /// Standard INQUIRY data of 96 bytes (SPC-4, 6.4.2).
    fn standard(&self) -> Vec<u8> {
        // SPC-4, HISUP and response data format 2, several ports, command queueing; ENCSERV, without which Linux' `ses` takes
        // no unit for an enclosure.
        let services = if self.kind == ENCLOSURE { 0x40 } else { 0 };
        let mut data = vec![self.kind, 0, 6, 0x12, 91, 0, 0x10 | services, 0x02];
        data.extend(text(self.vendor, 8));
        data.extend(text(self.product, 16));
        data.extend(text(self.revision, 4));
        data.extend(text(self.serial, 20));
        data.resize(58, 0);
        // SAM-5, SPC-4; SES-3 or SBC-3 (SPC-4, annex F.8).
        let own = if self.kind == ENCLOSURE { 0x05_80 } else { 0x04_C0 };
        data.extend(
            [0x00_A0, 0x04_60, own]
                .iter()
                .flat_map(|version: &u16| version.to_be_bytes()),
        );
        data.resize(96, 0);
        data
    }

    fn page(&self, code: u8, body: &[u8]) -> Vec<u8> {
        [&[self.kind, code], &length(body)[..], body].concat()
    }

    /// Device Identification (SPC-4, 7.8.5): names of the unit, of the port by address and by number, of the device.
    fn designators(&self) -> Vec<u8> {
        let named = SAS << 4 | 1;
        let naa = |first: u8, kind: u8, name: u64| [&[first, kind, 0, 8], &name.to_be_bytes()[..]].concat();
        [
            naa(0x01, 0x03, self.name),
            naa(named, 0x93, self.port),
            vec![named, 0x94, 0, 4, 0, 0, 0, 1],
            naa(named, 0xA3, self.device),
        ]
        .concat()
    }
}

//! Mode pages of a SAS disk (SPC-4, 7.5; SBC-3, 6.5; SPL-3, 9.2.7).

use super::{SasDisk, log};
use crate::inquiry::{INVALID_PARAMETER, SAS, SHORT_LIST, length, number, refused};
use crate::sense;
use crate::unit::Reply;

/// All pages, or all subpages.
const ALL: u8 = 0x3F;
const ALL_SUBPAGES: u8 = 0xFF;

/// A page of the short form: its code, what it says by default, and which of that may be changed.
struct Page {
    code: u8,
    default: &'static [u8],
    mask: &'static [u8],
}

/// Those with something to change, and the protocol's own, in order.
const PAGES: [Page; 5] = [
    // Read-write error recovery (SBC-3, 6.5.8): AWRE and ARRE, 20 retries of a read and 5 of a write.
    Page {
        code: 0x01,
        default: &[0xC0, 20, 0, 0, 0, 0, 5, 0, 0, 0],
        mask: &[0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0, 0xFF, 0xFF],
    },
    // Caching (SBC-3, 6.5.5): WCE off, as SAS disks are delivered.
    Page {
        code: 0x08,
        default: &[
            0x10, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 32, 0, 0, 0, 0, 0, 0,
        ],
        mask: &[0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0],
    },
    // Control (SPC-4, 7.5.8): reordering without bounds; the time of an extended self-test comes in when it is sent.
    Page {
        code: 0x0A,
        default: &[0, 0x10, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0],
        mask: &[0x02, 0xF0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // SAS protocol-specific port (SPL-3, 9.2.7.2): an I_T nexus may be lost for 2 s.
    Page {
        code: 0x19,
        default: &[SAS, 0, 0x07, 0xD0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        mask: &[0x10, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    // Informational exceptions (SPC-4, 7.5.11; SBC-3, 6.5.6): told when asked (MRIE 6).
    Page {
        code: 0x1C,
        default: &[0x10, 0x06, 0, 0, 0, 0, 0, 0, 0, 1],
        mask: &[0x9D, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    },
];

/// What the pages say now, each beside [`PAGES`]' own.
#[derive(Clone, Debug)]
pub(super) struct Modes(Vec<Vec<u8>>);

impl Default for Modes {
    fn default() -> Self {
        Self(PAGES.iter().map(|page| page.default.to_vec()).collect())
    }
}

impl Modes {
    /// Whether written data may stay in memory (WCE).
    pub(super) fn write_cache(&self) -> bool {
        self.0[1][0] & 0x04 != 0
    }
}

/// MODE SENSE (6) and (10) (SPC-4, 6.13 and 6.14).
pub(super) fn sense(disk: &SasDisk, cdb: &[u8]) -> Reply {
    let long = number(cdb, 0, 1) == 0x5A;
    let byte = |at: usize| cdb.get(at).copied().unwrap_or_default();
    let (control, code, subpage) = (byte(2) >> 6, byte(2) & 0x3F, byte(3));
    let mut pages: Vec<u8> = Vec::new();
    for (page, now) in PAGES.iter().zip(&disk.modes.0) {
        if code != ALL && code != page.code {
            continue;
        }
        if matches!(subpage, 0 | ALL_SUBPAGES) {
            let mut value = match control {
                1 => page.mask.to_vec(),
                2 => page.default.to_vec(),
                _ => now.clone(),
            };
            if page.code == 0x0A && control != 1 {
                let seconds = u16::try_from(disk.tests.extended.as_secs()).unwrap_or(u16::MAX);
                value[8..10].copy_from_slice(&seconds.to_be_bytes());
            }
            // PS: it may be saved.
            pages.extend([0x80 | page.code, length(&value)[1]]);
            pages.extend(value);
        }
        if page.code == 0x19 && matches!(subpage, 1 | ALL_SUBPAGES) {
            let value = phys(disk, control == 1);
            pages.extend([0x40 | page.code, 1]);
            pages.extend(length(&value));
            pages.extend(value);
        }
    }
    if pages.is_empty() {
        return Reply::check(sense::invalid_field());
    }
    let blocks = if byte(1) & 0x08 == 0 { blocks(disk) } else { Vec::new() };
    // DPOFUA, and the length without itself.
    let header = if long {
        let rest = length(&[&[0; 6], &blocks[..], &pages].concat());
        let [high, low] = length(&blocks);
        vec![rest[0], rest[1], 0, 0x10, 0, 0, high, low]
    } else {
        let rest = u8::try_from(3 + blocks.len() + pages.len()).unwrap_or(u8::MAX);
        vec![rest, 0, 0x10, length(&blocks)[1]]
    };
    let room = if long { number(cdb, 7, 9) } else { number(cdb, 4, 5) };
    Reply::of([header, blocks, pages].concat(), room)
}

/// The short block descriptor (SBC-3, 6.5.2.2).
fn blocks(disk: &SasDisk) -> Vec<u8> {
    let count = u32::try_from(disk.medium.sectors()).unwrap_or(u32::MAX);
    // Three bytes of length behind a reserved one.
    [count, disk.medium.block_length & 0x00FF_FFFF]
        .map(u32::to_be_bytes)
        .concat()
}

/// The phys of both ports (SPL-3, 9.2.7.4): 1.5 to 12 Gbit/s.
fn phys(disk: &SasDisk, masked: bool) -> Vec<u8> {
    let mut data = vec![0, SAS, 0, 2];
    for number in [1, 2] {
        data.extend(log::descriptor(disk, number, 0));
        data.extend([0x88, 0xBB]);
        data.resize(data.len() + 14, 0);
    }
    if masked {
        data.fill(0);
    }
    data
}

/// MODE SELECT (6) and (10) (SPC-4, 6.11 and 6.12): all of it, or nothing.
pub(super) fn select(disk: &mut SasDisk, cdb: &[u8], sent: &[u8]) -> Reply {
    let long = number(cdb, 0, 1) == 0x55;
    let wanted = if long { number(cdb, 7, 9) } else { number(cdb, 4, 5) };
    if wanted == 0 {
        return Reply::good();
    }
    let (header, blocks) = if long {
        (8, number(sent, 6, 8))
    } else {
        (4, number(sent, 3, 4))
    };
    let Some(mut rest) = sent.get(..wanted).and_then(|list| list.get(header + blocks..)) else {
        return refused(SHORT_LIST);
    };
    // PF: the pages are standard ones. A descriptor may say what is, and no more.
    if number(cdb, 1, 2) & 0x10 == 0 {
        return Reply::check(sense::invalid_field());
    }
    let descriptor = &sent[header..header + blocks];
    if !matches!(blocks, 0 | 8) || blocks == 8 && number(descriptor, 5, 8) != disk.medium.block_length as usize {
        return refused(INVALID_PARAMETER);
    }
    let mut modes = disk.modes.clone();
    while let [code, size, behind @ ..] = rest {
        let Some(at) = PAGES.iter().position(|page| page.code == code & 0x7F) else {
            return refused(INVALID_PARAMETER);
        };
        let Some((mut value, behind)) = behind
            .split_at_checked(usize::from(*size))
            .map(|(a, b)| (a.to_vec(), b))
        else {
            return refused(SHORT_LIST);
        };
        rest = behind;
        let (page, now) = (&PAGES[at], &mut modes.0[at]);
        if value.len() != now.len() {
            return refused(INVALID_PARAMETER);
        }
        if page.code == 0x0A {
            value[8..10].fill(0);
        }
        let fixed = |at: usize| (value[at] ^ now[at]) & !page.mask[at];
        if (0..value.len()).any(|at| fixed(at) != 0) {
            return refused(INVALID_PARAMETER);
        }
        *now = value;
    }
    if !rest.is_empty() {
        return refused(SHORT_LIST);
    }
    disk.modes = modes;
    Reply::good()
}

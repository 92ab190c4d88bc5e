//! Sectors that a drive's own setting hides: a device configuration overlay (DCO), a host protected area (HPA), or an
//! accessible max address (AMAC), which took the place of both. The drive's own size tells of none, and the kernel of an HPA
//! alone, where it drives the disk itself: behind a SAS controller it does not.
//!
//! The drive is asked through the descriptor that is held, by commands that only read: IDENTIFY DEVICE says which of them it
//! knows, and only those are sent (DEVICE CONFIGURATION IDENTIFY; GET NATIVE MAX ADDRESS EXT, or READ NATIVE MAX ADDRESS EXT).
//! Decoding is pure; a drive, a controller or a right that refuses is told as "not looked at".
//!
//! It never ran on a device: tested over pages and registers made by the standards.
//! Source: ATA/ATAPI-7 §6.16.9 (IDENTIFY), §6.9 (DEVICE CONFIGURATION), §6.33 (READ NATIVE MAX ADDRESS EXT); ACS-4, ACCESSIBLE MAX
//! ADDRESS CONFIGURATION (78h) and words 119 and 120; SAT-4 §12.2.3 (ATA PASS-THROUGH (16)), §12.2.6 (ATA Status Return).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};
use wire::drive::Bus;

use crate::System;
use crate::identity::Identity;
use crate::sysfs::{DevNum, speaks_ata};

/// What a look for hidden sectors came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlay {
    /// Nothing is known; why, in words.
    NotLooked(String),
    /// The drive knows no such setting, or those that it knows hide nothing.
    Nothing,
    /// Sectors of 512 bytes that the drive could have and does not tell, by whichever setting.
    Hidden(u64),
}

impl Overlay {
    /// What two looks come to: what is hidden counts, and what was not looked at is not nothing.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            // Sectors that one setting hides are among those that another one does.
            (Self::Hidden(one), Self::Hidden(other)) => Self::Hidden(one.max(other)),
            (hidden @ Self::Hidden(_), _) | (_, hidden @ Self::Hidden(_)) => hidden,
            (Self::NotLooked(one), Self::NotLooked(other)) => Self::NotLooked(format!("{one}; {other}")),
            (not @ Self::NotLooked(_), Self::Nothing) | (Self::Nothing, not @ Self::NotLooked(_)) => not,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

/// Bytes of a page.
const PAGE: usize = 512;

/// Command and feature of an order.
type Order = [u8; 2];

/// IDENTIFY DEVICE.
const IDENTIFY: Order = [0xec, 0];

/// DEVICE CONFIGURATION IDENTIFY.
const CONFIGURATION_IDENTIFY: Order = [0xb1, 0xc2];

/// GET NATIVE MAX ADDRESS EXT, of ACCESSIBLE MAX ADDRESS CONFIGURATION. Its other features set an address, or freeze it.
const GET_NATIVE_MAX: Order = [0x78, 0];

/// READ NATIVE MAX ADDRESS EXT, of the host protected area.
const READ_NATIVE_MAX: Order = [0x27, 0];

/// Asks the drive that `file` holds; `None` for one that is not ATA, which has no such settings, and for one behind a bridge,
/// which may do anything with a command that it does not know.
pub fn look(system: &System, file: &File, identity: &Identity) -> Option<Overlay> {
    let ata = match identity.bus {
        Bus::Sata => true,
        // Its controller translates, as a SAS one does for a SATA disk.
        Bus::Scsi => file
            .metadata()
            .is_ok_and(|data| speaks_ata(system, DevNum::from_raw(data.rdev()))),
        Bus::Usb | Bus::Nvme | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => false,
    };
    let size = Size {
        bytes: identity.capacity.0,
        sector: u64::from(identity.logical_sector.max(512)),
    };
    ata.then(|| told(|what| page(file, what), |what| native(file, what), size))
}

/// What a drive shows.
#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    /// Bytes of its logical sector, in which it counts its addresses.
    sector: u64,
}

/// What a drive of this size tells, asked for pages and for its highest address.
fn told(
    page: impl Fn(Order) -> io::Result<[u8; PAGE]>,
    native: impl Fn(Order) -> io::Result<u64>,
    size: Size,
) -> Overlay {
    let known = match page(IDENTIFY).map(|page| Known::of(&page)) {
        Err(error) => return Overlay::NotLooked(format!("it was not asked: {error}")),
        Ok(None) => return Overlay::NotLooked("its IDENTIFY page says nothing of it".to_owned()),
        Ok(Some(known)) => known,
    };
    let area = match known.native {
        Native::None => Overlay::Nothing,
        Native::Short => {
            Overlay::NotLooked("it may have a protected area, and no addresses of 48 bits to ask by".to_owned())
        }
        Native::Asked(order) => match native(order) {
            Err(error) => Overlay::NotLooked(format!("it may have a protected area, and did not tell: {error}")),
            Ok(highest) => beyond(highest, size),
        },
    };
    let overlay = match known.overlays {
        false => Overlay::Nothing,
        true => match page(CONFIGURATION_IDENTIFY) {
            // A frozen overlay is refused with the same words.
            Err(error) => Overlay::NotLooked(format!("it has overlays, and refused to tell: {error}")),
            Ok(page) => hidden(&page, size),
        },
    };
    area.and(overlay)
}

fn word(page: &[u8; PAGE], at: usize) -> u16 {
    u16::from_le_bytes([page[2 * at], page[2 * at + 1]])
}

/// Which settings that hide sectors a drive knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    overlays: bool,
    native: Native,
}

/// How a drive is asked for its highest address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Native {
    /// It has none but the one that it shows.
    None,
    /// By this command.
    Asked(Order),
    /// It has a protected area, and addresses of 28 bits alone.
    Short,
}

impl Known {
    /// By an IDENTIFY page; `None` where its word 83 is not valid, which speaks for word 82, too.
    fn of(page: &[u8; PAGE]) -> Option<Self> {
        // Bits 15 and 14 are 01 where a word is valid.
        let valid = |at| (word(page, at) >> 14 == 1).then(|| word(page, at));
        let supported = valid(83)?;
        let bit = |word: u16, bit: u32| word >> bit & 1 == 1;
        let native = match () {
            () if valid(119).is_some_and(|word| bit(word, 8)) => Native::Asked(GET_NATIVE_MAX),
            () if !bit(word(page, 82), 10) => Native::None,
            () if bit(supported, 10) => Native::Asked(READ_NATIVE_MAX),
            () => Native::Short,
        };
        Some(Self {
            overlays: bit(supported, 11),
            native,
        })
    }
}

/// What a DEVICE CONFIGURATION IDENTIFY page says of a drive of this size.
fn hidden(page: &[u8; PAGE], size: Size) -> Overlay {
    let sum = page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if page[510] != 0xa5 || sum != 0 {
        return Overlay::NotLooked("its page of overlays has a wrong checksum".to_owned());
    }
    let highest = (3..7)
        .rev()
        .fold(0_u64, |all, at| all << 16 | u64::from(word(page, at)));
    // More than 48 bits no drive addresses.
    if highest == 0 || highest >= 1 << 48 {
        return Overlay::NotLooked(format!("its page of overlays names {highest} as its last sector"));
    }
    match (highest + 1).saturating_sub(size.bytes / size.sector) {
        0 => Overlay::Nothing,
        sectors => Overlay::Hidden(sectors * (size.sector / 512)),
    }
}

/// What its highest native address says of a drive of this size.
fn beyond(highest: u64, size: Size) -> Overlay {
    match (highest.saturating_add(1)).checked_sub(size.bytes / size.sector) {
        _ if highest >= 1 << 48 => Overlay::NotLooked(format!("it names {highest} as its last sector")),
        None => Overlay::NotLooked(format!("it names {highest} as its last sector, and shows more")),
        // Some disks tell one too many. Source: `drivers/ata/libata-core.c`, `ATA_QUIRK_HPA_SIZE`.
        Some(0 | 1) => Overlay::Nothing,
        Some(sectors) => Overlay::Hidden(sectors * (size.sector / 512)),
    }
}

/// An order that brings one page, as bytes of ATA PASS-THROUGH (16).
fn page_order([command, feature]: Order) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[0] = 0x85;
    // PIO data-in.
    cdb[1] = 4 << 1;
    // From the device, in blocks, whose number stands in the count.
    cdb[2] = 0b1110;
    cdb[4] = feature;
    cdb[6] = 1;
    cdb[14] = command;
    cdb
}

/// An order without data, of which the drive's registers are asked back.
fn register_order([command, feature]: Order) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[0] = 0x85;
    // No data, addresses of 48 bits.
    cdb[1] = 3 << 1 | 1;
    // CK_COND: the registers come as sense data, though nothing failed.
    cdb[2] = 1 << 5;
    cdb[4] = feature;
    // LBA, as READ NATIVE MAX ADDRESS EXT wants it.
    cdb[13] = 1 << 6;
    cdb[14] = command;
    cdb
}

/// The address in the registers that came as sense data.
///
/// ```text
/// 0  72h or 73h    7  length behind it    8  descriptor 09h, 0Ch, EXTEND, error, count (2),
///                                            LBA 31:24, 7:0, 39:32, 15:8, 47:40, 23:16, device, status
/// ```
///
/// # Errors
/// Why there is none, in words.
fn registers(sense: &[u8]) -> Result<u64, &'static str> {
    let format = sense.first().map(|byte| byte & 0x7f);
    // Other descriptors, and sense data of the old format, in which no address of 48 bits has room.
    let Some(&[9, 12, extend, _, _, _, b3, b0, b4, b1, b5, b2, _, status]) =
        sense.get(8..22).filter(|_| matches!(format, Some(0x72 | 0x73)))
    else {
        return Err("the controller did not hand its answer on");
    };
    // ERR and DF.
    if status & 0b10_0001 != 0 {
        return Err("the drive refused the command");
    }
    if extend & 1 == 0 {
        return Err("the controller handed on a part of its answer");
    }
    Ok(u64::from_be_bytes([0, 0, b5, b4, b3, b2, b1, b0]))
}

/// `struct sg_io_hdr` of the kernel's `scsi/sg.h`.
#[repr(C)]
struct SgIo {
    interface_id: libc::c_int,
    dxfer_direction: libc::c_int,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut libc::c_void,
    cmdp: *mut u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: libc::c_int,
    usr_ptr: *mut libc::c_void,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: libc::c_int,
    duration: u32,
    info: u32,
}

impl SgIo {
    /// How it ended.
    fn words(&self) -> String {
        format!(
            "status {}, host {}, driver {}, {} bytes missing",
            self.status, self.host_status, self.driver_status, self.resid
        )
    }
}

/// `SG_IO`. Source: `scsi/sg.h`.
const SG_IO: libc::c_ulong = 0x2285;

/// `SG_DXFER_FROM_DEV`.
const FROM_DEVICE: libc::c_int = -3;

/// `SG_DXFER_NONE`.
const NO_DATA: libc::c_int = -1;

/// Milliseconds that a drive may take; one that spins up takes 20 s.
const PATIENCE: u32 = 30_000;

/// Sends an order; what it brings stands in `data`, sense data in the second of what is returned.
fn send(file: &File, mut cdb: [u8; 16], data: &mut [u8]) -> io::Result<(SgIo, [u8; 32])> {
    let mut sense = [0_u8; 32];
    let mut request = SgIo {
        interface_id: libc::c_int::from(b'S'),
        dxfer_direction: if data.is_empty() { NO_DATA } else { FROM_DEVICE },
        cmd_len: cdb.len() as u8,
        mx_sb_len: sense.len() as u8,
        iovec_count: 0,
        dxfer_len: data.len() as u32,
        dxferp: data.as_mut_ptr().cast(),
        cmdp: cdb.as_mut_ptr(),
        sbp: sense.as_mut_ptr(),
        timeout: PATIENCE,
        flags: 0,
        pack_id: 0,
        usr_ptr: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: the header is the kernel's `sg_io_hdr`; the three buffers that it names have the lengths that it names and
    // outlive the call, which is over when it returns.
    if unsafe { libc::ioctl(file.as_raw_fd(), SG_IO as _, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((request, sense))
}

/// The page that an order brings.
fn page(file: &File, what: Order) -> io::Result<[u8; PAGE]> {
    let mut page = [0; PAGE];
    let (request, _) = send(file, page_order(what), &mut page)?;
    if request.status != 0 || request.host_status != 0 || request.driver_status != 0 || request.resid != 0 {
        return Err(io::Error::other(request.words()));
    }
    Ok(page)
}

/// The highest address that an order brings.
fn native(file: &File, what: Order) -> io::Result<u64> {
    let (request, sense) = send(file, register_order(what), &mut [])?;
    let sense = &sense[..usize::from(request.sb_len_wr).min(sense.len())];
    match registers(sense) {
        // Sense data alone says that a command went well, under a status that is none of success.
        Ok(highest) if request.host_status == 0 => Ok(highest),
        Ok(_) => Err(io::Error::other(request.words())),
        Err(why) => Err(io::Error::other(format!("{why} ({})", request.words()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// A drive of so many sectors of 512 bytes.
    fn of(sectors: u64) -> Size {
        Size {
            bytes: sectors * 512,
            sector: 512,
        }
    }

    /// A page whose last sector is `highest`, with its checksum.
    fn overlay_page(highest: u64) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page[0] = 2;
        page[6..14].copy_from_slice(&highest.to_le_bytes());
        page[510] = 0xa5;
        let sum = page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        page[511] = 0_u8.wrapping_sub(sum);
        page
    }

    #[test]
    fn what_is_beyond_the_size_that_is_shown_is_hidden() {
        // A disk of 1 TB, and the same cut down to 500 GB.
        let (whole, cut) = (1_953_525_168_u64, 976_773_168_u64);
        let page = overlay_page;
        assert_eq!(hidden(&page(whole - 1), of(whole)), Overlay::Nothing);
        assert_eq!(hidden(&page(whole - 1), of(cut)), Overlay::Hidden(whole - cut));
        // What tells less than the kernel sees is no overlay.
        assert_eq!(hidden(&page(cut - 1), of(whole)), Overlay::Nothing);
        for odd in [page(0), page(1 << 48), page(u64::MAX)] {
            assert!(matches!(hidden(&odd, of(cut)), Overlay::NotLooked(_)));
        }
    }

    #[test]
    fn a_page_with_a_wrong_checksum_tells_nothing() {
        let good = overlay_page(1_953_525_167);
        for at in [0, 8, 300, 510, 511] {
            let mut bad = good;
            bad[at] ^= 0x10;
            assert!(matches!(hidden(&bad, of(1)), Overlay::NotLooked(_)), "{at}");
        }
        assert!(matches!(hidden(&[0; PAGE], of(1)), Overlay::NotLooked(_)));
    }

    /// An IDENTIFY page with these words.
    fn identify(words: &[(usize, u16)]) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        for (at, word) in words {
            page[2 * at..2 * at + 2].copy_from_slice(&word.to_le_bytes());
        }
        page
    }

    #[test]
    fn only_a_valid_word_says_which_settings_there_are() {
        let known = |overlays, native| Some(Known { overlays, native });
        for (words, want) in [
            // As QEMU's disk.
            (&[(82, 0x4021), (83, 0x7400)][..], known(false, Native::None)),
            // As a disk of ATA-7, and one whose addresses have 28 bits.
            (
                &[(82, 0x7c6b), (83, 0x7f09)],
                known(true, Native::Asked(READ_NATIVE_MAX)),
            ),
            (&[(82, 0x7c6b), (83, 0x4b09)], known(true, Native::Short)),
            // As a disk of ACS-4; where its word is not valid, and where it knows both.
            (
                &[(82, 0x706b), (83, 0x7569), (119, 0x41de)],
                known(false, Native::Asked(GET_NATIVE_MAX)),
            ),
            (&[(82, 0x706b), (83, 0x7569), (119, 0xc1de)], known(false, Native::None)),
            (
                &[(82, 0x746b), (83, 0x7569), (119, 0x41de)],
                known(false, Native::Asked(GET_NATIVE_MAX)),
            ),
            // Not reported, all ones.
            (&[(82, 0x746b), (119, 0x41de)], None),
            (&[(83, 0xffff), (119, 0x41de)], None),
        ] {
            assert_eq!(Known::of(&identify(words)), want, "{words:x?}");
        }
    }

    #[test]
    fn orders_only_read() {
        assert_eq!(
            page_order(IDENTIFY),
            [0x85, 8, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xec, 0]
        );
        let overlay = [0x85, 8, 14, 0, 0xc2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xb1, 0];
        assert_eq!(page_order(CONFIGURATION_IDENTIFY), overlay);
        let native = |command| [0x85, 7, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, command, 0];
        assert_eq!(register_order(GET_NATIVE_MAX), native(0x78));
        assert_eq!(register_order(READ_NATIVE_MAX), native(0x27));
    }

    /// Sense data with the registers that name `highest`, as libata makes it.
    fn sense(highest: u64) -> [u8; 22] {
        let b = highest.to_le_bytes();
        let (head, tail) = ([0x72, 1, 0, 0x1d, 0, 0, 0, 14], [0x40, 0x50]);
        let answer = [9, 12, 1, 0, 0, 0, b[3], b[0], b[4], b[1], b[5], b[2]];
        [&head[..], &answer, &tail].concat().try_into().unwrap()
    }

    #[test]
    fn the_highest_address_is_taken_from_a_whole_answer_alone() {
        let good = sense(0x1234_5678_9abc);
        assert_eq!(registers(&good), Ok(0x1234_5678_9abc));
        assert_eq!(
            registers(&[good[..].to_vec(), vec![0; 10]].concat()),
            Ok(0x1234_5678_9abc)
        );
        let bent = |at: usize, byte: u8| {
            let mut sense = good;
            sense[at] = byte;
            registers(&sense)
        };
        // The old format, another descriptor; an abort, a device fault; 28 bits.
        for (told, why) in [
            (bent(0, 0x70), "did not hand"),
            (bent(8, 0), "did not hand"),
            (registers(&good[..21]), "did not hand"),
            (registers(&[]), "did not hand"),
            (bent(21, 0x51), "refused"),
            (bent(21, 0x70), "refused"),
            (bent(10, 0), "a part"),
        ] {
            assert!(told.is_err_and(|told| told.contains(why)), "{why}");
        }
    }

    const WHOLE: u64 = 1_953_525_168;
    const CUT: u64 = 976_773_168;

    /// A made-up drive of [`CUT`] sectors: its IDENTIFY page, and what it answers to the other commands, if they are sent.
    fn drive(
        known: io::Result<&[(usize, u16)]>,
        overlay: Option<io::Result<u64>>,
        highest: Option<(Order, io::Result<u64>)>,
    ) -> Overlay {
        let answers = std::cell::RefCell::new((Some(known), overlay, highest));
        let page = |what| {
            let mut answers = answers.borrow_mut();
            if what == IDENTIFY {
                return Ok(identify(answers.0.take().expect("asked once")?));
            }
            assert_eq!(what, CONFIGURATION_IDENTIFY);
            Ok(overlay_page(answers.1.take().expect("not to be asked")?))
        };
        let native = |what| {
            let (order, highest) = answers.borrow_mut().2.take().expect("not to be asked");
            assert_eq!(what, order);
            highest
        };
        told(page, native, of(CUT))
    }

    fn refused() -> io::Error {
        io::Error::from_raw_os_error(libc::EIO)
    }

    fn is_unknown(overlay: &Overlay, why: &str) -> bool {
        matches!(overlay, Overlay::NotLooked(told) if told.contains(why))
    }

    #[test]
    fn a_drive_is_asked_for_its_overlay_only_where_it_knows_them() {
        let (known, none) = (&[(83, 0x7c00)][..], &[(82, 0x4021), (83, 0x7400)][..]);
        assert_eq!(
            drive(Ok(known), Some(Ok(WHOLE - 1)), None),
            Overlay::Hidden(WHOLE - CUT)
        );
        assert_eq!(drive(Ok(known), Some(Ok(CUT - 1)), None), Overlay::Nothing);
        assert_eq!(drive(Ok(none), None, None), Overlay::Nothing);
        for (overlay, why) in [
            (drive(Ok(&[]), None, None), "says nothing"),
            (drive(Err(refused()), None, None), "it was not asked"),
            (drive(Ok(known), Some(Err(refused())), None), "refused to tell"),
        ] {
            assert!(is_unknown(&overlay, why), "{overlay:?}");
        }
    }

    #[test]
    fn a_drive_is_asked_for_its_highest_address_only_where_it_may_show_less() {
        let (amac, hpa) = (&[(83, 0x7400), (119, 0x4100)][..], &[(82, 0x0400), (83, 0x7400)][..]);
        for (known, order) in [(amac, GET_NATIVE_MAX), (hpa, READ_NATIVE_MAX)] {
            let of = |highest| drive(Ok(known), None, Some((order, highest)));
            assert_eq!(of(Ok(WHOLE - 1)), Overlay::Hidden(WHOLE - CUT));
            assert_eq!(of(Ok(CUT - 1)), Overlay::Nothing);
            assert_eq!(of(Ok(CUT)), Overlay::Nothing, "one too many");
            assert!(is_unknown(&of(Ok(0)), "shows more"));
            assert!(is_unknown(&of(Ok((1 << 48) | CUT)), "as its last sector"));
            assert!(is_unknown(&of(Err(refused())), "did not tell"));
        }
        assert!(is_unknown(
            &drive(Ok(&[(82, 0x0400), (83, 0x4000)]), None, None),
            "48 bits"
        ));
    }

    #[test]
    fn of_two_settings_the_one_that_hides_counts_and_one_that_was_not_looked_at_is_not_none() {
        let both = &[(82, 0x0400), (83, 0x7c00)][..];
        let of = |overlay, highest| drive(Ok(both), Some(overlay), Some((READ_NATIVE_MAX, highest)));
        assert_eq!(of(Ok(CUT - 1), Ok(CUT - 1)), Overlay::Nothing);
        assert_eq!(of(Ok(WHOLE - 1), Ok(CUT + 9)), Overlay::Hidden(WHOLE - CUT));
        assert_eq!(of(Err(refused()), Ok(CUT + 9)), Overlay::Hidden(10));
        assert_eq!(of(Ok(CUT + 9), Err(refused())), Overlay::Hidden(10));
        assert!(is_unknown(&of(Ok(CUT - 1), Err(refused())), "did not tell"));
        assert!(is_unknown(&of(Err(refused()), Ok(CUT - 1)), "refused to tell"));
        assert!(is_unknown(&of(Err(refused()), Err(refused())), "refused to tell"));
    }

    #[test]
    fn addresses_of_4_kib_are_told_in_sectors_of_512_bytes() {
        let size = Size {
            bytes: CUT * 4096,
            sector: 4096,
        };
        assert_eq!(beyond(CUT + 9, size), Overlay::Hidden(80));
        assert_eq!(hidden(&overlay_page(CUT + 9), size), Overlay::Hidden(80));
        assert_eq!(beyond(CUT - 1, size), Overlay::Nothing);
    }

    #[test]
    fn what_is_no_drive_is_not_looked_at() {
        let file = tempfile::tempfile().unwrap();
        let told = told(|what| page(&file, what), |what| native(&file, what), of(1));
        assert!(is_unknown(&told, "not asked"), "{told:?}");
        assert!(native(&file, GET_NATIVE_MAX).is_err());
    }

    /// The made-up tree has the number of no device, 0:0, which is what a plain file tells.
    #[test]
    fn only_ata_drives_without_a_bridge_are_asked() {
        let root = tempfile::tempdir().unwrap();
        let device = root.path().join("sys/dev/block/0:0/device");
        std::fs::create_dir_all(&device).unwrap();
        let file = tempfile::tempfile().unwrap();
        let looked = |bus| {
            let identity = Identity {
                id: None,
                model: String::new(),
                serial: String::new(),
                wwn: None,
                capacity: wire::Bytes(512),
                logical_sector: 512,
                bus,
            };
            look(&System::at(root.path()), &file, &identity).is_some()
        };
        let others = [Bus::Nvme, Bus::Usb, Bus::Virtio, Bus::Mmc, Bus::Loop, Bus::Other];
        let mut page = vec![0; 572];
        page[1] = 0x89;
        // A SAS disk; a SATA disk behind a SAS controller, by its name and by its page; neither where the page is none.
        for (attribute, bytes, ata) in [
            ("vendor", &b"SEAGATE \n"[..], false),
            ("vendor", b"ATA     \n", true),
            ("vendor", b"LSI     \n", false),
            ("vpd_pg89", b"", false),
            ("vpd_pg89", &page, true),
        ] {
            std::fs::write(device.join(attribute), bytes).unwrap();
            assert!(looked(Bus::Sata));
            assert_eq!(looked(Bus::Scsi), ata, "{attribute}");
            assert!(others.iter().all(|bus| !looked(*bus)));
        }
    }

    proptest! {
        #[test]
        fn any_page_is_decoded(bytes in prop::collection::vec(any::<u8>(), PAGE), shown in any::<u64>()) {
            let size = Size { bytes: shown, sector: 512 };
            let page: [u8; PAGE] = bytes.clone().try_into().unwrap();
            let _ = (hidden(&page, size), Known::of(&page), registers(&bytes[..32]), beyond(shown, size));
        }
    }
}

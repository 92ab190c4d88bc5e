//! Sectors that a device configuration overlay (DCO) hides: neither the kernel nor the drive's own size tells of them.
//!
//! The drive is asked through the descriptor that is held, by two commands that only read: IDENTIFY DEVICE, whose word 83
//! says whether it knows overlays, and only then DEVICE CONFIGURATION IDENTIFY. Decoding is pure; a drive, a controller or
//! a right that refuses is told as "not looked at".
//!
//! It never ran on a device: tested over pages made by the standard.
//! Source: ATA/ATAPI-7 §6.16.9 (IDENTIFY), §6.9 (DEVICE CONFIGURATION); SAT-4 §12.2.3 (ATA PASS-THROUGH (16)).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use serde::{Deserialize, Serialize};
use wire::drive::Bus;

use crate::identity::Identity;

/// What a look for an overlay came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlay {
    /// Nothing is known; why, in words.
    NotLooked(String),
    /// The drive knows none, or its overlay hides nothing.
    Nothing,
    /// Sectors of 512 bytes that the drive could have and does not tell; those of a host protected area are among them.
    Hidden(u64),
}

/// Bytes of a page.
const PAGE: usize = 512;

/// IDENTIFY DEVICE.
const IDENTIFY: [u8; 2] = [0xec, 0];

/// DEVICE CONFIGURATION IDENTIFY: command and feature.
const CONFIGURATION_IDENTIFY: [u8; 2] = [0xb1, 0xc2];

/// Asks the drive that `file` holds; `None` for one that is not ATA, which has none, and for one behind a bridge, which may do
/// anything with a command that it does not know.
pub fn look(file: &File, identity: &Identity) -> Option<Overlay> {
    (identity.bus == Bus::Sata).then(|| told(|what| ask(file, what), identity.capacity.0))
}

/// What a drive that shows `bytes` tells, asked by `ask`.
fn told(ask: impl Fn([u8; 2]) -> io::Result<[u8; PAGE]>, bytes: u64) -> Overlay {
    match ask(IDENTIFY).map(|page| knows_overlays(&page)) {
        Err(error) => Overlay::NotLooked(format!("it was not asked: {error}")),
        Ok(None) => Overlay::NotLooked("its IDENTIFY page says nothing of it".to_owned()),
        Ok(Some(false)) => Overlay::Nothing,
        Ok(Some(true)) => match ask(CONFIGURATION_IDENTIFY) {
            // A frozen overlay is refused with the same words.
            Err(error) => Overlay::NotLooked(format!("it has overlays, and refused to tell: {error}")),
            Ok(page) => hidden(&page, bytes),
        },
    }
}

fn word(page: &[u8; PAGE], at: usize) -> u16 {
    u16::from_le_bytes([page[2 * at], page[2 * at + 1]])
}

/// Whether an IDENTIFY page says that overlays are known; `None` where its word is not valid.
fn knows_overlays(page: &[u8; PAGE]) -> Option<bool> {
    // Bits 15 and 14 are 01 where the word is valid.
    (word(page, 83) >> 14 == 1).then(|| word(page, 83) >> 11 & 1 == 1)
}

/// What a DEVICE CONFIGURATION IDENTIFY page says of a drive that shows `bytes`.
fn hidden(page: &[u8; PAGE], bytes: u64) -> Overlay {
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
    match (highest + 1).saturating_sub(bytes / 512) {
        0 => Overlay::Nothing,
        sectors => Overlay::Hidden(sectors),
    }
}

/// An order that brings one page, as bytes of ATA PASS-THROUGH (16).
fn order([command, feature]: [u8; 2]) -> [u8; 16] {
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

/// `SG_IO`. Source: `scsi/sg.h`.
const SG_IO: libc::c_ulong = 0x2285;

/// `SG_DXFER_FROM_DEV`.
const FROM_DEVICE: libc::c_int = -3;

/// Milliseconds that a drive may take; one that spins up takes 20 s.
const PATIENCE: u32 = 30_000;

fn ask(file: &File, what: [u8; 2]) -> io::Result<[u8; PAGE]> {
    let (mut cdb, mut page, mut sense) = (order(what), [0_u8; PAGE], [0_u8; 32]);
    let mut request = SgIo {
        interface_id: libc::c_int::from(b'S'),
        dxfer_direction: FROM_DEVICE,
        cmd_len: cdb.len() as u8,
        mx_sb_len: sense.len() as u8,
        iovec_count: 0,
        dxfer_len: PAGE as u32,
        dxferp: page.as_mut_ptr().cast(),
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
    if request.status != 0 || request.host_status != 0 || request.driver_status != 0 || request.resid != 0 {
        return Err(io::Error::other(format!(
            "status {}, host {}, driver {}, {} bytes missing",
            request.status, request.host_status, request.driver_status, request.resid
        )));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// A page whose last sector is `highest`, with its checksum.
    fn page(highest: u64) -> [u8; PAGE] {
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
        assert_eq!(hidden(&page(whole - 1), whole * 512), Overlay::Nothing);
        assert_eq!(hidden(&page(whole - 1), cut * 512), Overlay::Hidden(whole - cut));
        // What tells less than the kernel sees is no overlay.
        assert_eq!(hidden(&page(cut - 1), whole * 512), Overlay::Nothing);
        for odd in [page(0), page(1 << 48), page(u64::MAX)] {
            assert!(matches!(hidden(&odd, cut * 512), Overlay::NotLooked(_)));
        }
    }

    #[test]
    fn a_page_with_a_wrong_checksum_tells_nothing() {
        let good = page(1_953_525_167);
        for at in [0, 8, 300, 510, 511] {
            let mut bad = good;
            bad[at] ^= 0x10;
            assert!(matches!(hidden(&bad, 512), Overlay::NotLooked(_)), "{at}");
        }
        assert!(matches!(hidden(&[0; PAGE], 512), Overlay::NotLooked(_)));
    }

    #[test]
    fn only_a_valid_word_says_whether_there_are_overlays() {
        let with = |word: u16| {
            let mut page = [0; PAGE];
            page[166..168].copy_from_slice(&word.to_le_bytes());
            knows_overlays(&page)
        };
        // As QEMU's disk, as a disk of ATA-7, not reported, all ones.
        assert_eq!(
            [0x7400, 0x7c00, 0, 0xffff].map(with),
            [Some(false), Some(true), None, None]
        );
    }

    #[test]
    fn orders_only_read() {
        assert_eq!(order(IDENTIFY), [0x85, 8, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xec, 0]);
        let overlay = [0x85, 8, 14, 0, 0xc2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xb1, 0];
        assert_eq!(order(CONFIGURATION_IDENTIFY), overlay);
    }

    /// A made-up drive: what its IDENTIFY page says, and what it answers to the second command, if that is sent.
    #[test]
    fn a_drive_is_asked_for_its_overlay_only_where_it_knows_them() {
        let (whole, cut) = (1_953_525_168_u64, 976_773_168_u64);
        let drive = |known: io::Result<u16>, overlay: Option<io::Result<u64>>| {
            let answers = std::cell::RefCell::new((Some(known), overlay));
            let ask = |what| {
                let mut answers = answers.borrow_mut();
                if what == IDENTIFY {
                    let mut page = [0; PAGE];
                    page[166..168].copy_from_slice(&answers.0.take().expect("asked once")?.to_le_bytes());
                    return Ok(page);
                }
                assert_eq!(what, CONFIGURATION_IDENTIFY);
                Ok(page(answers.1.take().expect("not to be asked")?))
            };
            told(ask, cut * 512)
        };
        let refused = || io::Error::from_raw_os_error(libc::EIO);
        assert_eq!(drive(Ok(0x7c00), Some(Ok(whole - 1))), Overlay::Hidden(whole - cut));
        assert_eq!(drive(Ok(0x7c00), Some(Ok(cut - 1))), Overlay::Nothing);
        assert_eq!(drive(Ok(0x7400), None), Overlay::Nothing);
        for (overlay, why) in [
            (drive(Ok(0), None), "says nothing"),
            (drive(Err(refused()), None), "it was not asked"),
            (drive(Ok(0x7c00), Some(Err(refused()))), "refused to tell"),
        ] {
            assert!(
                matches!(&overlay, Overlay::NotLooked(told) if told.contains(why)),
                "{overlay:?}"
            );
        }
    }

    #[test]
    fn what_is_no_drive_is_not_looked_at() {
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(told(|what| ask(&file, what), 512), Overlay::NotLooked(why) if why.contains("not asked")));
    }

    #[test]
    fn only_ata_drives_without_a_bridge_are_asked() {
        let file = tempfile::tempfile().unwrap();
        for (bus, looked) in [
            (Bus::Sata, true),
            (Bus::Scsi, false),
            (Bus::Nvme, false),
            (Bus::Usb, false),
            (Bus::Loop, false),
        ] {
            let identity = Identity {
                id: None,
                model: String::new(),
                serial: String::new(),
                wwn: None,
                capacity: wire::Bytes(512),
                logical_sector: 512,
                bus,
            };
            assert_eq!(look(&file, &identity).is_some(), looked, "{bus:?}");
        }
    }

    proptest! {
        #[test]
        fn any_page_is_decoded(bytes in prop::collection::vec(any::<u8>(), PAGE), shown in any::<u64>()) {
            let _ = hidden(&bytes.clone().try_into().unwrap(), shown);
            let _ = knows_overlays(&bytes.try_into().unwrap());
        }
    }
}

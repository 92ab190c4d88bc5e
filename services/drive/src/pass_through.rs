//! What a drive is asked by SCSI orders over an open descriptor, all of which only read: ATA commands (ATA PASS-THROUGH (16)), of which
//! a page is brought or the address that the drive's registers hold afterwards, and the page by which it tells of its own encryption.
//!
//! Source: SAT-4 §12.2.3 (ATA PASS-THROUGH (16)), §12.2.6 (ATA Status Return); SPC-4 §6.40 (SECURITY PROTOCOL IN); `scsi/sg.h` of the kernel.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Bytes of a page, as orders have it.
const PAGE_BYTES: u16 = 512;

/// The same.
pub(crate) const PAGE: usize = PAGE_BYTES as usize;

/// Command and feature of an order. There are none but these, and these only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order([u8; 2]);

impl Order {
    /// IDENTIFY DEVICE.
    pub(crate) const IDENTIFY: Self = Self([0xec, 0]);

    /// DEVICE CONFIGURATION IDENTIFY.
    pub(crate) const CONFIGURATION_IDENTIFY: Self = Self([0xb1, 0xc2]);

    /// GET NATIVE MAX ADDRESS EXT, of ACCESSIBLE MAX ADDRESS CONFIGURATION. Its other features set an address, or freeze it.
    pub(crate) const GET_NATIVE_MAX: Self = Self([0x78, 0]);

    /// READ NATIVE MAX ADDRESS EXT, of the host protected area.
    pub(crate) const READ_NATIVE_MAX: Self = Self([0x27, 0]);
}

/// An order that brings one page, as bytes of ATA PASS-THROUGH (16).
fn page_order(Order([command, feature]): Order) -> [u8; 16] {
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
fn register_order(Order([command, feature]): Order) -> [u8; 16] {
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

/// SECURITY PROTOCOL IN, by which Level 0 Discovery (protocol 01h, page 0001h) is asked for.
fn discovery_order() -> [u8; 12] {
    let mut cdb = [0; 12];
    cdb[0] = 0xa2;
    cdb[1] = 1;
    cdb[3] = 1;
    // Bytes that the answer may have, not blocks.
    cdb[8..10].copy_from_slice(&PAGE_BYTES.to_be_bytes());
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
#[expect(
    clippy::cast_possible_truncation,
    reason = "16 bytes of command at most, 32 of sense data, at most one page of data"
)]
fn send<const N: usize>(file: &File, mut cdb: [u8; N], data: &mut [u8]) -> io::Result<(SgIo, [u8; 32])> {
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
pub(crate) fn page(file: &File, what: Order) -> io::Result<[u8; PAGE]> {
    let mut page = [0; PAGE];
    let (request, _) = send(file, page_order(what), &mut page)?;
    if request.status != 0 || request.host_status != 0 || request.driver_status != 0 || request.resid != 0 {
        return Err(io::Error::other(request.words()));
    }
    Ok(page)
}

/// Level 0 Discovery of the Trusted Computing Group, as far as it fits.
///
/// # Errors
/// The drive knows nothing of it, or did not answer.
pub(crate) fn discovery(file: &File) -> io::Result<[u8; PAGE]> {
    let mut page = [0; PAGE];
    let (request, _) = send(file, discovery_order(), &mut page)?;
    // It brings as many bytes as it has, and what is missing stays zero.
    if request.status != 0 || request.host_status != 0 || request.driver_status != 0 {
        return Err(io::Error::other(request.words()));
    }
    Ok(page)
}

/// The highest address that an order brings.
pub(crate) fn native(file: &File, what: Order) -> io::Result<u64> {
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

    #[test]
    fn orders_only_read() {
        assert_eq!(
            page_order(Order::IDENTIFY),
            [0x85, 8, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xec, 0]
        );
        let overlay = [0x85, 8, 14, 0, 0xc2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xb1, 0];
        assert_eq!(page_order(Order::CONFIGURATION_IDENTIFY), overlay);
        let native = |command| [0x85, 7, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, command, 0];
        assert_eq!(register_order(Order::GET_NATIVE_MAX), native(0x78));
        assert_eq!(register_order(Order::READ_NATIVE_MAX), native(0x27));
        assert_eq!(discovery_order(), [0xa2, 1, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0]);
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

    #[test]
    fn what_is_no_drive_takes_no_order() {
        let file = tempfile::tempfile().unwrap();
        assert!(page(&file, Order::IDENTIFY).is_err());
        assert!(native(&file, Order::GET_NATIVE_MAX).is_err());
        assert!(discovery(&file).is_err());
    }

    proptest! {
        #[test]
        fn any_sense_data_is_decoded(sense in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = registers(&sense);
        }
    }
}

//! What an NVMe drive is asked by admin commands over an open descriptor, all of which only read.
//!
//! Never ran on a drive that encrypts. Source: NVMe Base Specification 2.0, §5.17 (Identify), §5.25 (Security Receive);
//! `linux/nvme_ioctl.h`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::pass_through::PAGE;

/// `struct nvme_passthru_cmd` of the kernel's `linux/nvme_ioctl.h`.
#[repr(C)]
#[derive(Default)]
struct Command {
    opcode: u8,
    flags: u8,
    rsvd1: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

nix::ioctl_readwrite!(nvme_admin, b'N', 0x41, Command);

/// Milliseconds that a drive may take.
const PATIENCE: u32 = 10_000;

/// What a command brings.
fn admin<const N: usize>(file: &File, opcode: u8, cdw10: u32, cdw11: u32) -> io::Result<[u8; N]> {
    let mut data = [0; N];
    let mut command = Command {
        opcode,
        addr: data.as_mut_ptr() as u64,
        data_len: u32::try_from(N).unwrap_or(u32::MAX),
        cdw10,
        cdw11,
        timeout_ms: PATIENCE,
        ..Command::default()
    };
    // SAFETY: the kernel's own struct, whose buffer has the length that it names and outlives the call, which is over when it returns.
    match unsafe { nvme_admin(file.as_raw_fd(), &raw mut command) }? {
        0 => Ok(data),
        status => Err(io::Error::other(format!("NVMe status {status:#x}"))),
    }
}

/// Level 0 Discovery of the Trusted Computing Group, as far as it fits.
///
/// # Errors
/// The drive does not take security commands, which it says before one is sent: one that it does not know would stand in its error log
/// for good. Or it did not answer.
pub(crate) fn discovery(file: &File) -> io::Result<[u8; PAGE]> {
    /// Identify, of the controller (CNS 01h), and the place of Optional Admin Command Support in what it brings.
    const IDENTIFY: (u8, u32, usize) = (0x06, 1, 256);
    /// Security Receive: protocol 01h, page 0001h.
    const RECEIVE: (u8, u32) = (0x82, 1 << 24 | 1 << 8);
    let controller: [u8; 4096] = admin(file, IDENTIFY.0, IDENTIFY.1, 0)?;
    if controller[IDENTIFY.2] & 1 == 0 {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    }
    admin(file, RECEIVE.0, RECEIVE.1, u32::try_from(PAGE).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_command_is_the_kernels() {
        assert_eq!(size_of::<Command>(), 72);
        assert_eq!(std::mem::offset_of!(Command, addr), 24);
        assert_eq!(std::mem::offset_of!(Command, cdw10), 40);
        assert_eq!(std::mem::offset_of!(Command, timeout_ms), 64);
    }

    #[test]
    fn what_is_no_nvme_drive_tells_nothing() {
        assert!(discovery(&tempfile::tempfile().unwrap()).is_err());
    }
}

//! From an open descriptor to a [`Device`]: what the kernel tells of it, and the best way to reach it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;

use super::{Device, Geometry, plain::Plain, uring::Uring};
use crate::worker::{Backend, Io};

nix::ioctl_read!(
    /// Size of a block device in bytes. Source: linux/fs.h.
    blkgetsize64, 0x12, 114, u64
);
nix::ioctl_read_bad!(
    /// Logical sector of a block device in bytes. Source: linux/fs.h.
    blksszget, libc::BLKSSZGET, i32
);
nix::ioctl_read_bad!(
    /// Physical sector of a block device in bytes. Source: linux/fs.h.
    blkpbszget, nix::request_code_none!(0x12, 123), u32
);
nix::ioctl_read!(
    /// The kernel's count of media, as of the one in a block device now; Linux 5.15. Source: linux/fs.h.
    blkgetdiskseq, 0x12, 128, u64
);

nix::ioctl_write_ptr_bad!(
    /// Discards a range of a block device: first byte and length. Source: linux/fs.h.
    blkdiscard,
    nix::request_code_none!(0x12, 119),
    [u64; 2]
);

/// Gives back `length` bytes from `offset` on; 0, or the kernel's error number. Punches a hole into a regular file.
pub(super) fn trim(file: &File, offset: u64, length: u64) -> Result<u64, i32> {
    let block = file.metadata().is_ok_and(|meta| meta.file_type().is_block_device());
    let done = if block {
        // SAFETY: the descriptor is open, the kernel reads two u64.
        unsafe { blkdiscard(file.as_raw_fd(), &raw const *&[offset, length]) }.map(drop)
    } else {
        let flags = nix::fcntl::FallocateFlags::FALLOC_FL_PUNCH_HOLE | nix::fcntl::FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else {
            return Err(libc::EINVAL);
        };
        nix::fcntl::fallocate(file, flags, offset, length)
    };
    match done {
        Ok(()) => Ok(0),
        // A device without the command answers so on some kernels.
        Err(nix::errno::Errno::ENOTTY) => Err(libc::EOPNOTSUPP),
        Err(errno) => Err(errno as i32),
    }
}

/// Bytes that a block device or file has now; 0 when it is gone or does not say.
pub(super) fn size(file: &File) -> u64 {
    let mut bytes = 0;
    // SAFETY: the descriptor is open, the kernel writes one u64.
    match unsafe { blkgetsize64(file.as_raw_fd(), &raw mut bytes) } {
        Ok(_) => bytes,
        // Asked second: nearly all are block devices, and this is asked after every access.
        Err(_) => match file.metadata() {
            Ok(meta) if !meta.file_type().is_block_device() => meta.len(),
            _ => 0,
        },
    }
}

/// The kernel's count of the medium in a block device; `None` where it tells none.
pub(super) fn medium(file: &File) -> Option<u64> {
    let mut count = 0;
    // SAFETY: the descriptor is open, the kernel writes one u64.
    unsafe { blkgetdiskseq(file.as_raw_fd(), &raw mut count) }.ok()?;
    Some(count)
}

/// Size and sectors of an open block device; a regular file counts as 512-byte sectors.
///
/// # Errors
/// When the kernel does not tell.
pub fn geometry(file: &File) -> io::Result<Geometry> {
    let bytes = size(file);
    let (mut sector, mut physical) = (512_i32, 512_u32);
    if file.metadata()?.file_type().is_block_device() {
        // SAFETY: the descriptor is open, the kernel writes one int.
        unsafe { blksszget(file.as_raw_fd(), &raw mut sector) }?;
        // SAFETY: the descriptor is open, the kernel writes one unsigned int.
        unsafe { blkpbszget(file.as_raw_fd(), &raw mut physical) }?;
    }
    let sector = u32::try_from(sector)
        .ok()
        .filter(|s| *s > 0)
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(Geometry {
        sectors: bytes / u64::from(sector),
        sector,
        physical: physical.max(sector),
    })
}

/// A device over an open descriptor by plain reads and writes: to ask a drive a few things, which needs no speed.
///
/// # Errors
/// As [`open`].
pub fn open_plain(file: File) -> io::Result<Box<dyn Device>> {
    let io = Io {
        backend: Backend::Sync,
        ..Io::default()
    };
    open(file, io).map(|(device, _)| device)
}

/// A device over an open descriptor, and a line about how it is reached.
///
/// # Errors
/// When neither way can be set up.
pub fn open(file: File, io: Io) -> io::Result<(Box<dyn Device>, String)> {
    let (depth, block) = (io.depth.max(1), io.block);
    if u64::from(depth) * u64::from(block) > Io::ARENA as u64 {
        let text = format!(
            "io: {depth} accesses of {block} bytes: expected at most {} bytes in all",
            Io::ARENA
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let file = match io.backend {
        Backend::Sync => file,
        Backend::Uring => match Uring::new(file.try_clone()?, depth, block) {
            Ok(uring) => return Ok((Box::new(uring), format!("io_uring {depth} × {} KiB", block >> 10))),
            // No io_uring in this kernel, or forbidden: the plain way does the same.
            Err(_) => file,
        },
    };
    let plain = Plain::new(file, depth.min(2), block)?;
    Ok((Box::new(plain), format!("pread/pwrite {} KiB", block >> 10)))
}

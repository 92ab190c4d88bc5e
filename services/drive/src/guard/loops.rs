//! Loop devices and what is behind them.
//!
//! The path that `/sys` tells may be any node of the drive (made by mknod, in a container's `/dev`, or deleted since), and the
//! loop driver holds its file in the kernel, where neither a process's descriptors nor a holder link show it. So the driver itself
//! is asked for the number of the device behind.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::unknown::Reader;
use crate::sysfs::DevNum;
use crate::system::System;

mod ioctls {
    // `LOOP_GET_STATUS64`. Source: linux/loop.h.
    nix::ioctl_read_bad!(loop_get_status64, 0x4C05, super::LoopInfo64);
}

/// `struct loop_info64`. Source: linux/loop.h.
#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    others: [u64; 2],
    numbers: [u32; 4],
    names: [u8; 160],
    init: [u64; 2],
}

/// A loop device that has something behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backed {
    /// Its kernel name.
    pub name: String,
    /// Path of what is behind, as it was when it was attached.
    pub path: String,
    /// Number of the device behind, 0:0 where that is a file; `None` if it could not be had.
    pub number: Option<DevNum>,
    /// What the file system calls what is behind; `None` if it could not be had.
    pub file: Option<Inode>,
}

/// A file by its file system's device and its number there, whatever path leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    device: u64,
    number: u64,
}

/// All of them.
pub(super) fn backed(system: &System, reader: &mut Reader) -> Vec<Backed> {
    let loops = reader.names(&system.path("sys/block"));
    loops
        .into_iter()
        .filter(|name| name.starts_with("loop"))
        .filter_map(|name| {
            let path = reader.text(&system.path("sys/block").join(&name).join("loop/backing_file"))?;
            let by_path = || {
                let behind = std::fs::metadata(system.path(&path)).ok()?;
                let file = Inode {
                    device: behind.dev(),
                    number: behind.ino(),
                };
                Some((DevNum::from_raw(behind.rdev()), file))
            };
            let (number, file) = asked(&system.path("dev").join(&name)).or_else(by_path).unzip();
            Some(Backed {
                name,
                path,
                number,
                file,
            })
        })
        .collect()
}

/// What the loop driver says of what is behind.
fn asked(node: &Path) -> Option<(DevNum, Inode)> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(node)
        .ok()?;
    let mut info = LoopInfo64 {
        device: 0,
        inode: 0,
        rdevice: 0,
        others: [0; 2],
        numbers: [0; 4],
        names: [0; 160],
        init: [0; 2],
    };
    // SAFETY: the descriptor is open for the call's length, and the pointer is to a structure of the kernel's layout.
    unsafe { ioctls::loop_get_status64(file.as_raw_fd(), &raw mut info) }.ok()?;
    let file = Inode {
        device: info.device,
        number: info.inode,
    };
    Some((DevNum::from_raw(info.rdevice), file))
}

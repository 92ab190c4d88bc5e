//! Loop devices and what is behind them.
//!
//! The path that `/sys` tells may be any node of the drive (made by mknod, in a container's `/dev`, or deleted since), and the
//! loop driver holds its file in the kernel, where neither a process's descriptors nor a holder link show it. So the driver itself
//! is asked for the number of the device behind. It asks the file system, and one that hangs (a network's, FUSE's) holds whoever asks
//! for ever: so a thread does, which is waited for once.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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

/// How long one is waited for, as long as a process is: file systems that live answer in microseconds, a network's in milliseconds.
const LONGEST: Duration = super::open::LONGEST;

/// What is behind a loop device, by the driver.
type Behind = Option<(DevNum, Inode)>;

/// Threads that have not come back, by what they ask of: there is one at most for each, and nobody waits for it again.
static STUCK: Mutex<BTreeMap<PathBuf, Receiver<Behind>>> = Mutex::new(BTreeMap::new());

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
            let (node, file) = (system.path("dev").join(&name), system.path(&path));
            let ask = {
                let node = node.clone();
                move || asked(&node).or_else(|| by_path(&file))
            };
            let (number, file) = in_time(node, LONGEST, ask).unzip();
            Some(Backed {
                name,
                path,
                number,
                file,
            })
        })
        .collect()
}

/// The answer of `ask` about `node`; `None` if it is none, or does not come within `longest`.
fn in_time(node: PathBuf, longest: Duration, ask: impl FnOnce() -> Behind + Send + 'static) -> Behind {
    let stuck = || STUCK.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = stuck().remove(&node);
    // What comes late was asked of what was behind it then.
    if let Some(waits) = earlier
        && waits.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty)
    {
        stuck().insert(node, waits);
        return None;
    }
    let (tell, told) = channel();
    let asks = move || {
        // Nobody listens any more where it took too long.
        let _late = tell.send(ask());
    };
    let _thread = std::thread::Builder::new().name("loop".to_owned()).spawn(asks);
    match told.recv_timeout(longest) {
        Ok(behind) => behind,
        Err(RecvTimeoutError::Timeout) => {
            stuck().insert(node, told);
            None
        }
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

/// What the file system says of the path that was told when it was attached.
fn by_path(path: &Path) -> Behind {
    let behind = std::fs::metadata(path).ok()?;
    let file = Inode {
        device: behind.dev(),
        number: behind.ino(),
    };
    Some((DevNum::from_raw(behind.rdev()), file))
}

/// What the loop driver says of what is behind.
fn asked(node: &Path) -> Behind {
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const BEHIND: Behind = Some((DevNum { major: 8, minor: 1 }, Inode { device: 2, number: 3 }));

    #[test]
    fn what_hangs_is_waited_for_once_and_asked_again_when_it_comes_back() {
        let (node, longest) = (PathBuf::from("/nowhere/loop7"), Duration::from_millis(50));
        let (goes_on, hangs) = channel::<()>();
        let hung = in_time(node.clone(), longest, move || {
            let _end = hangs.recv();
            BEHIND
        });
        assert_eq!(hung, None);
        let began = Instant::now();
        let never: fn() -> Behind = || unreachable!("one thread is stuck already");
        assert_eq!(in_time(node.clone(), Duration::from_mins(1), never), None);
        assert!(began.elapsed() < Duration::from_secs(30), "nobody waits for it again");
        assert_eq!(in_time(PathBuf::from("/nowhere/loop8"), longest, || BEHIND), BEHIND);
        drop(goes_on);
        // What it says late was asked of what was behind it then.
        let other = Some((DevNum { major: 8, minor: 2 }, Inode { device: 2, number: 4 }));
        let again = || in_time(node.clone(), longest, move || other);
        let told = std::iter::repeat_with(again).take(500).find(|told| {
            std::thread::sleep(Duration::from_millis(10));
            told.is_some()
        });
        assert_eq!(told, Some(other));
    }
}

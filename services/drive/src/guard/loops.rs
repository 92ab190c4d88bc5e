//! Loop devices and what is behind them.
//!
//! The path that `/sys` tells may be any node of the drive (made by mknod, in a container's `/dev`, or deleted since), and the
//! loop driver holds its file in the kernel, where neither a process's descriptors nor a holder link show it. So the driver itself
//! is asked for the number of the device behind. It asks the file system, and one that hangs (a network's, FUSE's) holds whoever asks
//! for ever: so threads do, which are waited for once.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// How long all of them are waited for, as long as a process is: file systems that live answer in microseconds, a network's in milliseconds.
const LONGEST: Duration = super::open::LONGEST;

/// What is behind a loop device, by the driver.
type Behind = Option<(DevNum, Inode)>;

/// Threads that did not come back in time, by what they ask of, and whether they have since: nobody waits for them again, nor begins
/// another one.
static STUCK: Mutex<BTreeMap<PathBuf, Arc<AtomicBool>>> = Mutex::new(BTreeMap::new());

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
    let loops = loops.into_iter().filter(|name| name.starts_with("loop"));
    let asked: Vec<_> = loops
        .filter_map(|name| {
            let path = backing(system, reader, &name)?;
            let (node, file) = (system.path("dev").join(&name), system.path(&path));
            let behind = node.clone();
            let asked = Asked::begin(node, move || asked(&behind).or_else(|| by_path(&file)));
            Some((name, path, asked))
        })
        .collect();
    // One that hangs hangs with all others of its file system.
    let until = Instant::now() + LONGEST;
    let told = asked.into_iter().filter_map(|(name, path, asked)| {
        let behind = asked.and_then(|asked| asked.end(until));
        known(system, reader, (name, path), behind)
    });
    told.collect()
}

/// The path of what is behind a loop device; `None` where nothing is.
fn backing(system: &System, reader: &mut Reader, name: &str) -> Option<String> {
    reader.text(&system.path("sys/block").join(name).join("loop/backing_file"))
}

/// What came of asking about a device; `None` where it said nothing because it has been detached since.
fn known(system: &System, reader: &mut Reader, (name, path): (String, String), behind: Behind) -> Option<Backed> {
    if behind.is_none() {
        backing(system, reader, &name)?;
    }
    let (number, file) = behind.unzip();
    Some(Backed {
        name,
        path,
        number,
        file,
    })
}

/// One that is asked by a thread of its own.
struct Asked {
    node: PathBuf,
    told: Receiver<Behind>,
    /// Whether the thread is at its end.
    ended: Arc<AtomicBool>,
}

impl Asked {
    /// Begins to ask about `node`; `None` while an earlier thread is stuck there.
    fn begin(node: PathBuf, ask: impl FnOnce() -> Behind + Send + 'static) -> Option<Self> {
        if stuck().get(&node).is_some_and(|ended| !ended.load(Ordering::Relaxed)) {
            return None;
        }
        let ended = Arc::new(AtomicBool::new(false));
        let (tell, told) = channel();
        let ends = Arc::clone(&ended);
        let asks = move || {
            // Nobody listens any more where it took too long.
            let _late = tell.send(ask());
            ends.store(true, Ordering::Relaxed);
        };
        std::thread::Builder::new().name("loop".to_owned()).spawn(asks).ok()?;
        Some(Self { node, told, ended })
    }

    /// What it says until then; `None` if nothing.
    fn end(self, until: Instant) -> Behind {
        match self.told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(behind) => {
                stuck().remove(&self.node);
                behind
            }
            Err(_) => {
                stuck().insert(self.node, self.ended);
                None
            }
        }
    }
}

fn stuck() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<AtomicBool>>> {
    STUCK.lock().unwrap_or_else(PoisonError::into_inner)
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
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const BEHIND: Behind = Some((DevNum { major: 8, minor: 1 }, Inode { device: 2, number: 3 }));

    #[test]
    fn one_that_is_detached_while_it_is_asked_is_no_use() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        let told = |behind| {
            let mut reader = Reader::default();
            let told = known(&system, &mut reader, ("loop7".into(), "/a/file".into()), behind);
            told.map(|backed| backed.number)
        };
        assert_eq!(told(None), None);
        assert_eq!(told(BEHIND), Some(Some(DevNum { major: 8, minor: 1 })));
        let dir = root.path().join("sys/block/loop7/loop");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("backing_file"), "/a/file\n").unwrap();
        assert_eq!(told(None), Some(None), "it is attached and says nothing");
    }

    #[test]
    fn what_hangs_is_waited_for_once_and_asked_again_when_it_comes_back() {
        let node = |n: u32| PathBuf::from(format!("/nowhere/loop{n}"));
        let (goes_on, hangs) = channel::<()>();
        let hangs = Arc::new(Mutex::new(hangs));
        let hung: Vec<Option<Asked>> = (0..3)
            .map(|n| {
                let hangs = Arc::clone(&hangs);
                let ask = move || {
                    let _end = hangs.lock().map(|hangs| hangs.recv());
                    BEHIND
                };
                Asked::begin(node(n), ask)
            })
            .collect();
        let until = Instant::now() + Duration::from_millis(50);
        for asked in hung {
            assert_eq!(asked.and_then(|asked| asked.end(until)), None);
        }
        let other = Asked::begin(node(3), || BEHIND);
        let long = Instant::now() + Duration::from_mins(1);
        assert_eq!(other.and_then(|asked| asked.end(long)), BEHIND);
        assert!(Asked::begin(node(0), || BEHIND).is_none(), "nobody waits for it again");
        drop(goes_on);
        // What it says late was asked of what was behind it then.
        let now = Some((DevNum { major: 8, minor: 2 }, Inode { device: 2, number: 4 }));
        let again = || Asked::begin(node(0), move || now).and_then(|asked| asked.end(long));
        let told = std::iter::repeat_with(again).take(500).find(|told| {
            std::thread::sleep(Duration::from_millis(10));
            told.is_some()
        });
        assert_eq!(told, Some(now));
    }
}

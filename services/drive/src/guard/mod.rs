//! The in-use guard: the last thing between a plan and a drive that something uses.
//!
//! [`facts`] collects what is known of a device, thinly and with I/O; [`mod@decide`] says yes or no, purely; [`Guard`] puts
//! them around the one descriptor that will be written, opened `O_RDWR | O_EXCL | O_DIRECT`. The exclusive open makes the
//! kernel itself refuse what it uses (a mount in any namespace, swap, md, dm, bcache), so the facts exist to give the
//! reason, and to refuse what the kernel does not use *now*: members of arrays and volumes that are not running, a
//! second Kiln stick, another drive in the same place; and what it does not exclude: processes that have it open without
//! `O_EXCL` or reach it by a node that takes commands, loop devices and exports. What would tell of a use and cannot be read is refused like one ([`Unknown`]).
//!
//! Tested by the tables in [`mod@decide`], over made-up trees in [`facts`], on loop devices in `tests/guard_loop.rs`, and
//! in QEMU by the image's boot tests.

pub mod decide;
pub mod facts;
mod given_up;
mod in_use;
mod loops;
mod nodes;
mod open;
mod refusal;
mod seat;
pub(crate) mod stuck;
mod targets;
mod tasks;
mod together;
mod unknown;

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use decide::{added, decide, same_content};
pub use facts::{Facts, Usage};
pub use given_up::GivenUp;
pub use in_use::InUse;
pub use refusal::{LOOK_AGAIN, Refusal};
pub use seat::{Place, Seat, Seats};
pub use stuck::Stuck;
pub use unknown::Unknown;

use nix::unistd::{AccessFlags, eaccess};

use crate::content::{ContentKind, Look};
use crate::identity::Identity;
use crate::no_size::NoSize;
use crate::probe::{self, NoLook, Prober};
use crate::sysfs::{DevNum, Device};
use crate::system::System;
use stuck::Accesses;
use wire::drive::Content;

mod ioctls {
    nix::ioctl_read_bad!(blksszget, libc::BLKSSZGET, libc::c_int);
    // `BLKROGET`. Source: linux/fs.h.
    nix::ioctl_read_bad!(blkroget, nix::request_code_none!(0x12, 94), libc::c_int);
}

/// Logical sector size of an open block device in bytes.
pub(crate) fn logical_sector(file: &File) -> io::Result<u32> {
    let mut size: libc::c_int = 0;
    // SAFETY: the descriptor is open for the borrow's length and the pointer is to an int of ours.
    unsafe { ioctls::blksszget(file.as_raw_fd(), &raw mut size) }?;
    u32::try_from(size).map_err(|_| io::Error::other("a negative sector size"))
}

fn is_read_only(file: &File) -> bool {
    let mut flag: libc::c_int = 0;
    // SAFETY: the descriptor is open for the borrow's length and the pointer is to an int of ours.
    unsafe { ioctls::blkroget(file.as_raw_fd(), &raw mut flag) }.is_ok() && flag != 0
}

/// Whether another process holds the drive's lock for itself: one that makes partitions or file systems, whose checker may have closed
/// the drive for a moment, or have it open without excluding anybody. udev shares it. Source: `systemd.io/BLOCK_DEVICE_LOCKING`.
fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        // It goes with the last descriptor, and this one may be held for days.
        Ok(()) => file.unlock().is_err(),
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}

/// How long a holder that nothing explains may still let go.
///
/// After a ring with registered files was closed the kernel holds its disk for another 20 to 40 ms (measured on 6.18),
/// so a burn-in right after another would be refused.
const LET_GO: Duration = Duration::from_secs(1);

/// How drives are guarded.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Where the kernel's file systems are.
    pub system: System,
    /// Who looks at content.
    pub prober: Prober,
    /// How long a look may take; a drive that takes longer is refused.
    pub deadline: Duration,
    /// Whether a loop device may be written: tests and benchmarks, by `--allow-loop`.
    pub allow_loop: bool,
    /// Which drives are held.
    pub seats: Seats,
}

/// A drive that may be written, held exclusively for as long as `file` is open; or one that is only read.
#[derive(Debug)]
pub struct Opened {
    /// Open `O_RDWR | O_EXCL | O_DIRECT | O_CLOEXEC`, or `O_RDONLY` where nothing is to be written, without `O_EXCL` where the drive
    /// may be in use.
    pub file: File,
    /// Who it is, read again through the descriptor's device number.
    pub identity: Identity,
    /// The device as the kernel describes it now.
    pub device: Device,
    /// What stands on it now.
    pub look: Look,
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            system: System::default(),
            prober: Prober::Reexec,
            deadline: probe::DEADLINE,
            allow_loop: false,
            seats: Seats::default(),
        }
    }
}

impl Guard {
    /// Opens the drive at `node` for erasing, if it is `expected` and nothing uses it.
    ///
    /// `lose` names the kinds of membership that the plan gives up; all others are refused. Plain content (file systems
    /// that are not mounted, partition tables) is not asked about here: the plan named it.
    ///
    /// # Errors
    /// The reason, with the drive untouched.
    pub fn open_for_erase(&self, expected: &Identity, node: &Path, lose: &[ContentKind]) -> Result<Opened, Refusal> {
        self.claim(expected, node, lose, true)
    }

    /// The same of a drive that nothing is to be written to yet: the descriptor takes no writes.
    ///
    /// # Errors
    /// As [`Guard::open_for_erase`].
    pub fn try_for_erase(&self, expected: &Identity, node: &Path, lose: &[ContentKind]) -> Result<Opened, Refusal> {
        self.claim(expected, node, lose, false)
    }

    /// Opens the drive exclusively; for writing where something is to be written (`write`). Who could not write is refused either way.
    fn claim(&self, expected: &Identity, node: &Path, lose: &[ContentKind], write: bool) -> Result<Opened, Refusal> {
        let open = |cause| Refusal::Open {
            node: node.to_owned(),
            cause,
        };
        // First without claiming it: a mounted drive is to be refused as mounted, not as busy.
        let reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(node)
            .map_err(open)?;
        if !reader.metadata().map_err(open)?.file_type().is_block_device() {
            return Err(Refusal::NotABlockDevice { node: node.to_owned() });
        }
        let number = device_number(&reader).map_err(open)?;
        let (device, _) = self.check_patiently(&reader, expected, lose)?;
        drop(reader);
        eaccess(node, AccessFlags::W_OK).map_err(|cause| open(cause.into()))?;

        let flags = libc::O_EXCL | libc::O_DIRECT | libc::O_NONBLOCK;
        let (begun, before) = (Instant::now(), self.accesses(&device.name));
        let file = loop {
            match File::options().read(true).write(write).custom_flags(flags).open(node) {
                Ok(file) => break file,
                Err(error) => {
                    let refusal = self.why_not_opened(error, node, expected, lose);
                    if !matches!(refusal, Refusal::InUse(InUse::Exclusive)) {
                        return Err(refusal);
                    }
                    if begun.elapsed() >= LET_GO {
                        // The ring of a process that is gone holds it, too, until its last access is back.
                        return Err(match self.hangs_since(before, &device.name) {
                            true => Refusal::Stuck(Stuck { process: None }),
                            false => refusal,
                        });
                    }
                    std::thread::sleep(LET_GO / 20);
                }
            }
        };
        if device_number(&file).map_err(open)? != number {
            return Err(Refusal::Exchanged { node: node.to_owned() });
        }
        let (device, look) = self.check_patiently(&file, expected, lose)?;
        Ok(Opened {
            identity: device.identity.clone(),
            file,
            device,
            look,
        })
    }

    /// Opens the drive at `node` so that nothing can be written through the descriptor, if it is `expected`; it may be in use.
    /// What stands on it does not matter, but that it lets somebody read it.
    ///
    /// # Errors
    /// The reason.
    pub fn open_for_reading(&self, expected: &Identity, node: &Path) -> Result<Opened, Refusal> {
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT | libc::O_NONBLOCK)
            .open(node)
            .map_err(|cause| Refusal::Open {
                node: node.to_owned(),
                cause,
            })?;
        let device = self.identified(&file, expected)?;
        let (fd, drive) = self.nodes(&file, &device);
        if let Some(lock) = probe::lock_with_deadline(&self.prober, (&fd, &drive), self.deadline) {
            return Err(Refusal::Secured(lock));
        }
        let look = Look {
            content: Content::Unknown,
            members: Vec::new(),
            kiln: false,
            unlisted: std::collections::BTreeSet::new(),
            lock: None,
        };
        Ok(Opened {
            identity: device.identity.clone(),
            file,
            device,
            look,
        })
    }

    /// The device behind a descriptor, if it is the drive that is `expected`; does no I/O on it.
    ///
    /// # Errors
    /// Why it is not.
    pub fn identified(&self, file: &File, expected: &Identity) -> Result<Device, Refusal> {
        let device = self.behind(file)?;
        expected.same_drive(&device.identity).map_err(Refusal::OtherDrive)?;
        Ok(device)
    }

    /// What stands on the drive now, where its open descriptor may (still) be written: the whole guard again.
    ///
    /// # Errors
    /// The reason it may not be written.
    pub fn look_again(&self, file: &File, expected: &Identity, lose: &[ContentKind]) -> Result<Look, Refusal> {
        self.check_patiently(file, expected, lose).map(|(_, look)| look)
    }

    /// Why a device that is not open would be refused, from what is known of it: for the list of drives. Does no I/O on
    /// the drive.
    pub fn view(&self, usage: &Usage, device: &Device, look: Option<&Look>) -> Option<Refusal> {
        let facts = Facts::of(&self.system, usage, device.clone(), look.cloned());
        decide(&facts, &device.identity, self.allow_loop, &[]).err()
    }

    /// [`Self::check`], once more for as long as another process may only be asking the drive something: smartctl opens
    /// SAS and USB drives for writing; or one that was killed may be about to end.
    fn check_patiently(
        &self,
        file: &File,
        expected: &Identity,
        lose: &[ContentKind],
    ) -> Result<(Device, Look), Refusal> {
        let begun = Instant::now();
        loop {
            match self.check(file, expected, lose) {
                Err(Refusal::InUse(InUse::Open { .. } | InUse::Locked) | Refusal::Stuck(_))
                    if begun.elapsed() < LET_GO =>
                {
                    std::thread::sleep(LET_GO / 20);
                }
                checked => return checked,
            }
        }
    }

    /// The whole disk behind a descriptor, as the kernel describes it now.
    fn behind(&self, file: &File) -> Result<Device, Refusal> {
        let number = device_number(file).map_err(|cause| Refusal::Open {
            node: PathBuf::from("?"),
            cause,
        })?;
        if crate::sysfs::is_partition(&self.system, number) {
            return Err(Refusal::NotAWholeDisk { number });
        }
        crate::sysfs::read_number(&self.system, number).ok_or_else(|| match NoSize::of_number(&self.system, number) {
            Some(why) => Refusal::NoSize { number, why },
            None => Refusal::Gone { number },
        })
    }

    fn check(&self, file: &File, expected: &Identity, lose: &[ContentKind]) -> Result<(Device, Look), Refusal> {
        let device = self.behind(file)?;
        let before = self.accesses(&device.name);
        // What the drive itself cannot read is a finding; without a look nobody knows what would be lost.
        let look = self
            .look(file, &device)
            .map_err(|no_look| match self.hangs_since(before, &device.name) {
                true => Refusal::Stuck(Stuck { process: None }),
                false => Refusal::NoLook(no_look),
            })?;
        // Asked only now that the descriptor is open, and that its content was looked at.
        let usage = Usage::now(&self.system);
        let mut facts = Facts::of(&self.system, &usage, device, Some(look.clone()));
        facts.device.read_only |= is_read_only(file);
        facts.locked = is_locked(file);
        decide(&facts, expected, self.allow_loop, lose)?;
        Ok((facts.device, look))
    }

    fn accesses(&self, name: &str) -> Option<Accesses> {
        Accesses::of(&self.system, name)
    }

    /// Whether accesses to the drive of this name were under way `before`, of which none has ended.
    fn hangs_since(&self, before: Option<Accesses>, name: &str) -> bool {
        let now = self.accesses(name);
        now.zip(before).is_some_and(|(now, before)| now.hang_since(before))
    }

    /// What stands on the drive behind a descriptor: the child opens that very device again, read-only and buffered.
    fn look(&self, file: &File, device: &Device) -> Result<Look, NoLook> {
        let (node, drive) = self.nodes(file, device);
        probe::probe_with_deadline(&self.prober, (&node, &drive), Some(device.number), self.deadline)
    }

    /// A descriptor as a child opens it, and the drive's own node.
    fn nodes(&self, file: &File, device: &Device) -> (PathBuf, PathBuf) {
        let node = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        (PathBuf::from(node), crate::sysfs::node(&self.system, &device.name))
    }

    /// The reason behind a failed exclusive open: what is found now, else the bare fact.
    fn why_not_opened(&self, error: io::Error, node: &Path, expected: &Identity, lose: &[ContentKind]) -> Refusal {
        match error.raw_os_error() {
            Some(libc::EROFS | libc::EACCES) => Refusal::InUse(InUse::WriteProtected),
            Some(libc::EBUSY) => {
                let again = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(node);
                match again.map(|reader| self.check(&reader, expected, lose)) {
                    Ok(Err(refusal)) => refusal,
                    Ok(Ok(_)) | Err(_) => Refusal::InUse(InUse::Exclusive),
                }
            }
            Some(_) | None => Refusal::Open {
                node: node.to_owned(),
                cause: error,
            },
        }
    }
}

fn device_number(file: &File) -> io::Result<DevNum> {
    Ok(DevNum::from_raw(file.metadata()?.rdev()))
}

/// [`Guard::open_for_erase`] with the guard of the service.
///
/// # Errors
/// The reason, with the drive untouched.
pub fn open_for_erase(expected: &Identity, node: &Path, lose: &[ContentKind]) -> Result<Opened, Refusal> {
    Guard::default().open_for_erase(expected, node, lose)
}

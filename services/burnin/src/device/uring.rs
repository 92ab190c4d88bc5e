//! `io_uring` with one registered file and registered buffers, restricted to what a burn-in needs.
//!
//! The ring is made disabled, told to accept only reads, writes and flushes of file 0
//! through registered buffers, and enabled: code that is taken over later cannot do
//! anything else with it. Kernels that lack a flag get the ring without it.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use io_uring::register::Restriction;
use io_uring::types::{Fixed, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};

use super::{Access, Arena, Device, Done, Op};

/// The registration call that lets go of the file. Source: `linux/io_uring.h`, `IORING_UNREGISTER_FILES`.
const UNREGISTER_FILES: u8 = 3;

/// Bytes of a logical sector.
struct Sector(u64);

/// A device over `io_uring`.
pub struct Uring {
    ring: ManuallyDrop<IoUring>,
    arena: ManuallyDrop<Arena>,
    file: File,
    sector: Sector,
    busy: Vec<bool>,
    /// Trims under way: `io_uring` carries none before Linux 6.12, so each has a thread for its ioctl.
    trims: (Sender<Done>, Receiver<Done>),
    trimming: usize,
    began: Instant,
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring")
            .field("file", &self.file)
            .field("arena", &self.arena)
            .finish_non_exhaustive()
    }
}

impl Uring {
    /// `depth` accesses of `block` bytes at once over `file`, which is best open with `O_DIRECT`.
    ///
    /// # Errors
    /// When the kernel has no `io_uring` or forbids it.
    pub fn new(file: File, depth: u32, block: u32) -> io::Result<Self> {
        let sector = Sector(u64::from(super::geometry(&file)?.sector));
        let arena = Arena::new(depth as usize, block as usize)?;
        // One entry more than slots, so that a flush fits beside them.
        let entries = (depth + 1).next_power_of_two();
        let (ring, disabled) = match restricted(entries) {
            Ok(ring) => (ring, true),
            Err(_) => (IoUring::new(entries)?, false),
        };
        ring.submitter().register_files(&[file.as_raw_fd()])?;
        let buffers: Vec<libc::iovec> = (0..arena.slots())
            .map(|slot| libc::iovec {
                iov_base: arena.slot(slot).cast(),
                iov_len: arena.block(),
            })
            .collect();
        // SAFETY: the arena outlives the ring: `Drop` frees it only when nothing is under way, after the ring.
        unsafe { ring.submitter().register_buffers(&buffers) }?;
        if disabled {
            let mut allowed = [
                Restriction::sqe_op(opcode::ReadFixed::CODE),
                Restriction::sqe_op(opcode::WriteFixed::CODE),
                Restriction::sqe_op(opcode::Fsync::CODE),
                Restriction::sqe_flags_required(squeue::Flags::FIXED_FILE.bits()),
                // To let go of the drive at once: a ring that is only closed holds it for some 30 ms more.
                Restriction::register_op(UNREGISTER_FILES),
            ];
            ring.submitter().register_restrictions(&mut allowed)?;
            ring.submitter().register_enable_rings()?;
        }
        Ok(Self {
            ring: ManuallyDrop::new(ring),
            busy: vec![false; arena.slots()],
            arena: ManuallyDrop::new(arena),
            file,
            sector,
            trims: channel(),
            trimming: 0,
            began: Instant::now(),
        })
    }
}

impl Uring {
    fn trim(&mut self, slot: usize, offset: u64, length: u64) -> io::Result<()> {
        let (file, results) = (self.file.try_clone()?, self.trims.0.clone());
        std::thread::Builder::new()
            .name("trim".to_owned())
            .stack_size(64 << 10)
            .spawn(move || {
                let result = super::open::trim(&file, offset, length);
                // Nobody listens any more when the ring is gone.
                let _ = results.send(Done { slot, result });
            })?;
        self.busy[slot] = true;
        self.trimming += 1;
        Ok(())
    }
}

impl Uring {
    /// A trim that has ended; waits for one where nothing else is under way.
    fn trimmed(&mut self, at_most: Duration) -> Option<Done> {
        if self.trimming == 0 {
            return None;
        }
        let alone = self.busy.iter().filter(|busy| **busy).count() <= self.trimming;
        let wait = if alone { at_most } else { Duration::ZERO };
        let done = self.trims.1.recv_timeout(wait).ok()?;
        self.trimming -= 1;
        self.busy[done.slot] = false;
        Some(done)
    }
}

/// How often a trim is looked at while other accesses are waited for.
const TRIM_LOOK: Duration = Duration::from_millis(10);

/// A ring with what the kernel offers: completions handled when they are asked for (6.1), at the next call (6.0), or at once.
fn restricted(entries: u32) -> io::Result<IoUring> {
    let deferred = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_r_disabled()
        .build(entries);
    deferred
        .or_else(|_| {
            IoUring::builder()
                .setup_single_issuer()
                .setup_coop_taskrun()
                .setup_r_disabled()
                .build(entries)
        })
        .or_else(|_| IoUring::builder().setup_r_disabled().build(entries))
}

impl Device for Uring {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn slots(&self) -> usize {
        self.arena.slots()
    }

    fn block(&self) -> usize {
        self.arena.block()
    }

    fn buffer(&mut self, slot: usize) -> &mut [u64] {
        assert!(!self.busy[slot], "the buffer of slot {slot} belongs to the kernel now");
        // SAFETY: the slot is not busy, so the kernel does not touch it; `&mut self` keeps everyone else away.
        unsafe { self.arena.words(slot) }
    }

    fn settle(&mut self, slot: usize) {
        super::buffers::evict(self.buffer(slot));
    }

    fn submit(&mut self, access: Access) -> io::Result<()> {
        let Access { slot, op, lba, sectors } = access;
        let (offset, length) = (lba * self.sector.0, sectors * self.sector.0);
        if self.busy[slot] {
            return Err(super::not_back(slot));
        }
        if op == Op::Trim {
            return self.trim(slot, offset, length);
        }
        assert!(
            length <= self.arena.block() as u64,
            "{access:?} does not fit slot {slot}"
        );
        let length = u32::try_from(length).map_err(io::Error::other)?;
        let index = u16::try_from(slot).map_err(io::Error::other)?;
        let entry = match op {
            Op::Read => opcode::ReadFixed::new(Fixed(0), self.arena.slot(slot), length, index)
                .offset(offset)
                .build(),
            Op::Write => opcode::WriteFixed::new(Fixed(0), self.arena.slot(slot), length, index)
                .offset(offset)
                .build(),
            Op::Flush | Op::Trim => opcode::Fsync::new(Fixed(0)).flags(FsyncFlags::DATASYNC).build(),
        }
        .user_data(slot as u64);
        // SAFETY: the buffer is registered, at least `length` long, and marked busy until its completion is reaped.
        unsafe { self.ring.submission().push(&entry) }.map_err(|_| io::Error::other("submission queue is full"))?;
        self.busy[slot] = true;
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        if let Some(done) = self.trimmed(at_most) {
            return Ok(Some(done));
        }
        let at_most = match self.trimming {
            0 => at_most,
            // The ring does not wake for a trim's thread.
            _ => at_most.min(TRIM_LOOK),
        };
        let mut next = self.ring.completion().next();
        if next.is_some() || !self.busy.contains(&true) {
            if !self.ring.submission().is_empty() {
                self.ring.submit()?;
            }
            if next.is_none() {
                std::thread::sleep(at_most.min(Duration::from_millis(10)));
            }
        } else {
            // Hands over what is queued and waits, in one call.
            let time = Timespec::from(at_most);
            match self
                .ring
                .submitter()
                .submit_with_args(1, &SubmitArgs::new().timespec(&time))
            {
                Ok(_) => {}
                Err(e)
                    if matches!(
                        e.raw_os_error(),
                        Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                    ) => {}
                Err(e) => return Err(e),
            }
            next = self.ring.completion().next();
        }
        let Some(entry) = next else {
            return Ok(self.trimmed(Duration::ZERO));
        };
        let slot = usize::try_from(entry.user_data()).map_err(io::Error::other)?;
        self.busy[slot] = false;
        let result = u64::try_from(entry.result()).map_err(|_| -entry.result());
        Ok(Some(Done { slot, result }))
    }

    fn size(&mut self) -> u64 {
        super::open::size(&self.file)
    }

    fn medium(&mut self) -> Option<u64> {
        super::open::medium(&self.file)
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        if self.busy.contains(&true) {
            // The kernel may still write into the buffers of an access that hangs: they stay for the rest of the process.
            return;
        }
        // Where it fails the drive is let go a moment later, when the ring is.
        let _ = self.ring.submitter().unregister_files();
        // SAFETY: dropped once, here; nothing is under way.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        // SAFETY: dropped once, after the ring that had it registered.
        unsafe { ManuallyDrop::drop(&mut self.arena) };
    }
}

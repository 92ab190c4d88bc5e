//! pread and pwrite on a thread of its own, so that a drive that hangs does not hang the job, nor hold another drive when its process is
//! killed.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::{Access, Arena, Device, Done, Op};

/// Stack of the thread: it holds a few numbers.
const STACK: usize = 64 << 10;

/// A device over plain system calls.
#[derive(Debug)]
pub struct Plain {
    arena: Arc<Arena>,
    file: Arc<File>,
    /// Bytes of a logical sector.
    sector: u64,
    busy: Vec<bool>,
    requests: SyncSender<Access>,
    results: Receiver<Done>,
    began: Instant,
}

impl Plain {
    /// `depth` buffers of `block` bytes; one access runs while the others are filled or compared.
    ///
    /// # Errors
    /// When there is no memory or no thread.
    pub fn new(file: File, depth: u32, block: u32) -> io::Result<Self> {
        let sector = u64::from(super::geometry(&file)?.sector);
        let arena = Arc::new(Arena::new(depth as usize, block as usize)?);
        let file = Arc::new(file);
        // A slot has at most one access under way, so neither channel ever fills.
        let (requests, inbox) = sync_channel::<Access>(depth as usize);
        let (outbox, results) = sync_channel(depth as usize);
        let (memory, shared) = (Arc::clone(&arena), Arc::clone(&file));
        let (tell, told) = sync_channel::<()>(0);
        std::thread::Builder::new()
            .name("drive".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let drive = super::apart::own(shared);
                drop(tell);
                while let Ok(access) = inbox.recv() {
                    let done = Done {
                        slot: access.slot,
                        result: carry(&drive, &memory, access, sector),
                    };
                    if outbox.send(done).is_err() {
                        return;
                    }
                }
            })?;
        // Nothing is ever sent: until the other end is dropped, `file` must not be.
        let _has_its_own = told.recv();
        Ok(Self {
            busy: vec![false; arena.slots()],
            arena,
            file,
            sector,
            requests,
            results,
            began: Instant::now(),
        })
    }
}

/// Carries one access through, over as many calls as the kernel wants.
fn carry(file: &File, arena: &Arena, access: Access, sector: u64) -> Result<u64, i32> {
    let fd = file.as_raw_fd();
    if access.op == Op::Flush {
        return match file.sync_data() {
            Ok(()) => Ok(0),
            Err(e) => Err(e.raw_os_error().unwrap_or(libc::EIO)),
        };
    }
    if access.op == Op::Trim {
        return super::open::trim(file, access.lba * sector, access.sectors * sector);
    }
    let length = usize::try_from(access.sectors * sector).map_err(|_| libc::EINVAL)?;
    let start = arena.slot(access.slot);
    let mut moved = 0;
    while moved < length {
        let offset = i64::try_from(access.lba * sector + moved as u64).map_err(|_| libc::EINVAL)?;
        // SAFETY: `moved < length <= block` by the assertion in `submit`, so it stays inside the slot.
        let at = unsafe { start.add(moved) };
        let count = match access.op {
            // SAFETY: the slot is busy, so only this thread touches it; `length - moved` bytes are left in it.
            Op::Read => unsafe { libc::pread(fd, at.cast(), length - moved, offset) },
            // SAFETY: as above.
            Op::Write | Op::Flush | Op::Trim => unsafe { libc::pwrite(fd, at.cast(), length - moved, offset) },
        };
        match usize::try_from(count) {
            Ok(0) => break,
            Ok(count) => moved += count,
            Err(_) => match io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) {
                libc::EINTR => {}
                errno => return Err(errno),
            },
        }
    }
    Ok(moved as u64)
}

impl Device for Plain {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn slots(&self) -> usize {
        self.arena.slots()
    }

    fn block(&self) -> usize {
        self.arena.block()
    }

    #[expect(clippy::cast_ptr_alignment, reason = "slots are whole pages on a page boundary")]
    fn buffer(&mut self, slot: usize) -> &mut [u64] {
        assert!(
            !self.busy[slot],
            "the buffer of slot {slot} belongs to the drive's thread now"
        );
        let start = self.arena.slot(slot).cast::<u64>();
        // SAFETY: `block` mapped, aligned, initialised bytes; not busy, so the thread stays away; `&mut self` does the rest.
        unsafe { std::slice::from_raw_parts_mut(start, self.arena.block() / 8) }
    }

    fn settle(&mut self, slot: usize) {
        super::buffers::evict(self.buffer(slot));
    }

    fn submit(&mut self, access: Access) -> io::Result<()> {
        if self.busy[access.slot] {
            return Err(super::not_back(access.slot));
        }
        // The thread works on the bare memory of the slot.
        assert!(
            access.op == Op::Trim || access.sectors * self.sector <= self.arena.block() as u64,
            "{access:?} does not fit its slot"
        );
        self.busy[access.slot] = true;
        self.requests
            .try_send(access)
            .map_err(|_| io::Error::other("the drive's thread is gone"))
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Done>> {
        match self.results.recv_timeout(at_most) {
            Ok(done) => {
                self.busy[done.slot] = false;
                Ok(Some(done))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the drive's thread is gone")),
        }
    }

    fn size(&mut self) -> u64 {
        super::open::size(&self.file)
    }

    fn medium(&mut self) -> Option<u64> {
        super::open::medium(&self.file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::{Path, PathBuf};

    use super::*;

    /// What each thread of this process has open that has `file` open, too.
    fn tables_with(file: &Path) -> Vec<Vec<PathBuf>> {
        let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
        let open = |task: std::fs::DirEntry| -> Vec<PathBuf> {
            let links = entries(task.path().join("fd"));
            links.filter_map(|link| std::fs::read_link(link.path()).ok()).collect()
        };
        let tables = entries("/proc/self/task".into()).map(open);
        tables.filter(|table| table.iter().any(|open| open == file)).collect()
    }

    #[test]
    fn a_thread_that_may_hang_on_a_drive_holds_that_one_alone_and_lets_go_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("drive"), dir.path().join("other"));
        std::fs::write(&path, vec![0; 1 << 16]).unwrap();
        let other = File::create(other).unwrap();
        let plain = Plain::new(File::open(&path).unwrap(), 2, 4096).unwrap();
        let tables = tables_with(&path);
        assert!(tables.contains(&vec![path.clone()]), "{tables:?}");
        drop(plain);
        let until = Instant::now() + Duration::from_mins(1);
        while !tables_with(&path).is_empty() {
            assert!(Instant::now() < until, "it stays open");
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(other);
    }
}

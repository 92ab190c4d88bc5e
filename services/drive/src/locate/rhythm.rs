//! The rhythm: three short bursts of reads and a pause. The schedule is pure; the player reads and never writes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::{elapsed, wait};

/// Length of a burst, and of the gap after it.
pub const BURST: Duration = Duration::from_millis(250);

/// Bursts before the pause: one looks like any access, three do not.
const BURSTS: u32 = 3;

/// The whole figure: three bursts with gaps take 1.5 s, then 1.5 s of rest.
pub const PERIOD: Duration = Duration::from_secs(3);

/// Places, evenly over the drive, one of which must answer before anybody is told of a rhythm.
const PLACES: u64 = 4;

/// Bytes of one read: small, so that disks seek and can be heard.
const READ: usize = 4096;

/// The leave to read a drive for a rhythm, until it is taken back; clones are one.
///
/// It is for drives at rest: on one that is tested nobody sees a rhythm, and its reads would be in the test's evidence.
#[derive(Debug, Clone)]
pub struct Leave(Arc<AtomicBool>);

impl Leave {
    /// One that is given, or is not.
    pub fn new(given: bool) -> Self {
        Self(Arc::new(AtomicBool::new(given)))
    }

    /// Takes it back: no read begins after this.
    pub fn take_back(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    pub(super) fn stands(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What is to be done at a moment, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Read until then.
    Read(Duration),
    /// Keep still until then.
    Rest(Duration),
}

/// What is to be done `elapsed` after the beginning; the duration is what is left of it.
#[expect(clippy::cast_possible_truncation, reason = "below the nanoseconds of `PERIOD`, 3e9")]
pub fn beat(elapsed: Duration) -> Beat {
    let at = Duration::from_nanos((elapsed.as_nanos() % PERIOD.as_nanos()) as u64);
    let step = (at.as_nanos() / BURST.as_nanos()) as u32;
    if step >= 2 * BURSTS {
        return Beat::Rest(PERIOD.saturating_sub(at));
    }
    let left = (BURST * (step + 1)).saturating_sub(at);
    if step.is_multiple_of(2) {
        Beat::Read(left)
    } else {
        Beat::Rest(left)
    }
}

/// The drive that a rhythm is played on.
pub(super) struct Player<'n, S> {
    pub(super) node: &'n Path,
    /// Its size.
    pub(super) bytes: u64,
    /// Whether the node is still that drive's.
    pub(super) is_same: S,
}

impl<S: Fn() -> bool> Player<'_, S> {
    /// Plays until stopped, `longest` is over, the leave is taken back or the drive is gone. Tells `began` first whether the drive answers
    /// at all; from then on a read that fails is no reason to end: its light may flicker all the same.
    ///
    /// Through the pause the drive is closed: what is taken away goes, also where the kernel waits for the last one to let go.
    pub(super) fn play(
        &self,
        longest: Duration,
        leave: &Leave,
        (began, stopped): (&Sender<io::Result<()>>, &Receiver<()>),
    ) {
        let (drive, mut buffer) = match ready(self.node, self.bytes, leave) {
            Ok(ready) => ready,
            Err(error) => return drop(began.send(Err(error))),
        };
        // Whoever waited may have gone on without it: only a stop ends it.
        let _heard = began.send(Ok(()));
        if wait(stopped, Duration::ZERO) {
            return;
        }
        let mut drive = Some(drive);
        let begun = Instant::now();
        let mut place = 0x9E37_79B9_7F4A_7C15_u64;
        while leave.stands() && elapsed(begun) < longest {
            match beat(elapsed(begun)) {
                Beat::Rest(time) => {
                    if time > BURST {
                        drive = None;
                    }
                    if wait(stopped, time) {
                        return;
                    }
                }
                Beat::Read(_) => {
                    if drive.is_none() && !(self.is_same)() {
                        return;
                    }
                    drive = drive.or_else(|| open(self.node).ok());
                    // A stop in the middle of a burst is seen at its end.
                    place = place
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let read = drive.as_ref().map(|drive| buffer.read(drive, self.at(place)));
                    if !matches!(read, Some(Ok(_))) && wait(stopped, BURST) {
                        return;
                    }
                }
            }
        }
    }

    /// The byte of a block that a number means.
    fn at(&self, place: u64) -> u64 {
        let blocks = (self.bytes / READ as u64).max(1);
        ((u128::from(place) * u128::from(blocks)) >> 64) as u64 * READ as u64
    }
}

/// The drive, open, after a read to which it answered.
fn ready(node: &Path, bytes: u64, leave: &Leave) -> io::Result<(File, Buffer)> {
    let (drive, mut buffer) = (open(node)?, Buffer::new()?);
    let mut last = io::Error::from(io::ErrorKind::UnexpectedEof);
    // One bad sector at the beginning does not keep a drive from being found.
    for place in 0..PLACES {
        if !leave.stands() {
            return Err(io::Error::other("it is being tested now"));
        }
        let at = bytes / PLACES / READ as u64 * READ as u64 * place;
        match buffer.read(&drive, at) {
            Ok(0) => {}
            Ok(_) => return Ok((drive, buffer)),
            // The drive's own word that it could not read what its light had flickered for.
            Err(error) if error.raw_os_error() == Some(libc::ENODATA) => return Ok((drive, buffer)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The drive for reading, past the cache: a cached read lights nothing.
fn open(node: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let open = |flags| File::options().read(true).custom_flags(flags).open(node);
    open(flags | libc::O_DIRECT).or_else(|_| open(flags))
}

/// One page, aligned as direct reads want it.
struct Buffer(std::ptr::NonNull<u8>, std::alloc::Layout);

impl Buffer {
    fn new() -> io::Result<Self> {
        let layout = std::alloc::Layout::from_size_align(READ, READ).map_err(io::Error::other)?;
        // SAFETY: the layout is not empty.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        let start = std::ptr::NonNull::new(start).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self(start, layout))
    }

    fn read(&mut self, drive: &File, at: u64) -> io::Result<usize> {
        let at = i64::try_from(at).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open for the borrow's length, and the buffer has READ bytes of ours.
        let got = unsafe { libc::pread(drive.as_raw_fd(), self.0.as_ptr().cast(), READ, at) };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout by `new`, and not freed before.
        unsafe { std::alloc::dealloc(self.0.as_ptr(), self.1) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_bursts_and_a_pause() {
        let shape: String = (0..24)
            .map(|step| match beat(Duration::from_millis(step * 125)) {
                Beat::Read(_) => '#',
                Beat::Rest(_) => '.',
            })
            .collect();
        assert_eq!(shape, "##..##..##..............");
        assert_eq!(beat(Duration::from_millis(100)), Beat::Read(Duration::from_millis(150)));
        assert_eq!(
            beat(Duration::from_millis(1500)),
            Beat::Rest(Duration::from_millis(1500))
        );
    }

    proptest! {
        #[test]
        fn it_repeats_and_every_beat_ends(ms in 0_u64..10_000_000) {
            let at = Duration::from_millis(ms);
            prop_assert_eq!(beat(at), beat(at + PERIOD));
            let (Beat::Read(left) | Beat::Rest(left)) = beat(at);
            prop_assert!(left > Duration::ZERO && left <= PERIOD);
        }
    }
}

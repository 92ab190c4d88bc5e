//! Fatal signals: PID 1 is replaced by a fresh image that goes on with the state of the last turn.
//!
//! The handler only makes system calls. It runs on a stack of its own, so that even an overflow of the main one is
//! survived. Children of the same binary never get here: `signals::reset_in_child` takes the handlers away.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::faults::{FAULTS_MAX, Faults};
use super::{exec, memfd};
use crate::core::Millis;
use crate::shell::clock;
use crate::shell::scratch::Scratch;

/// What cannot be gone on from.
pub const FATAL: [Signal; 6] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
    Signal::SIGSYS,
];
/// `record::FAULTS_NOW`, and the record and mark of `record`, as system calls want them.
const NOTED: &CStr = c"/run/kiln/faults";
const LAST: LastWord = LastWord {
    record: c"/var/lib/kiln/supervisor/last-reboot",
    new: c"/var/lib/kiln/supervisor/last-reboot.new",
    running: c"/var/lib/kiln/supervisor/running",
};
/// Bytes of the handler's stack.
const STACK: usize = 64 * 1024;

static SNAPSHOT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static SNAPSHOT_LEN: AtomicUsize = AtomicUsize::new(0);
static TIMES: [AtomicU64; FAULTS_MAX + 1] = [const { AtomicU64::new(0) }; FAULTS_MAX + 1];
/// Reboots by the ladder in a row before this boot, plus one; 0: not known yet.
static REBOOTS: AtomicU32 = AtomicU32::new(0);
/// The slot that runs, as a character; 0: none.
static SLOT: AtomicU32 = AtomicU32::new(0);
static OWNER: AtomicI32 = AtomicI32::new(0);

/// The state of the last turn, for the handler: two buffers, of which it sees the one that is complete.
#[derive(Debug, Default)]
pub struct Snapshot {
    shown: Vec<u8>,
    spare: Vec<u8>,
}

impl Snapshot {
    /// The buffer to be filled; it keeps its memory from turn to turn.
    pub fn spare(&mut self) -> &mut Vec<u8> {
        self.spare.clear();
        &mut self.spare
    }

    /// Shows the handler what was filled in.
    pub fn show(&mut self) {
        SNAPSHOT_LEN.store(0, Ordering::SeqCst);
        std::mem::swap(&mut self.shown, &mut self.spare);
        SNAPSHOT.store(self.shown.as_mut_ptr(), Ordering::SeqCst);
        SNAPSHOT_LEN.store(self.shown.len(), Ordering::SeqCst);
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        SNAPSHOT_LEN.store(0, Ordering::SeqCst);
    }
}

/// Recent faults, as they are counted over replacements.
pub fn faults() -> Faults {
    let mut f = Faults::default();
    for (to, from) in f.0.iter_mut().zip(&TIMES) {
        *to = from.load(Ordering::SeqCst);
    }
    f
}

/// Goes on counting from these.
pub fn set_faults(f: Faults) {
    for (to, from) in TIMES.iter().zip(f.0) {
        to.store(from, Ordering::SeqCst);
    }
}

/// Counts one more; `false` when there were too many to go on.
pub fn again(now: Millis) -> bool {
    let mut f = faults();
    let ok = f.again(now);
    set_faults(f);
    ok
}

/// What a last word has to tell besides the fault: reboots by the ladder in a row before this boot, and the slot that runs.
pub fn remember(reboots: u32, slot: &str) {
    REBOOTS.store(reboots.saturating_add(1), Ordering::SeqCst);
    SLOT.store(slot.chars().next().map_or(0, u32::from), Ordering::SeqCst);
}

/// Reboots by the ladder in a row before this boot, where that is known.
pub fn reboots() -> Option<u32> {
    REBOOTS.load(Ordering::SeqCst).checked_sub(1)
}

/// Installs the handlers, on a stack of their own.
///
/// # Errors
/// The kernel refused.
pub fn install() -> io::Result<()> {
    OWNER.store(nix::unistd::getpid().as_raw(), Ordering::SeqCst);
    // Kept for ever: the kernel knows its address.
    let stack = Box::leak(vec![0u8; STACK].into_boxed_slice());
    let alternate = libc::stack_t {
        ss_sp: stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: STACK,
    };
    // SAFETY: the stack is never freed and used by nobody else.
    if unsafe { libc::sigaltstack(&raw const alternate, std::ptr::null_mut()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let action = SigAction::new(
        SigHandler::Handler(on_fatal),
        SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER,
        SigSet::empty(),
    );
    for s in FATAL {
        // SAFETY: the handler makes system calls only and never returns to what failed.
        unsafe { sigaction(s, &action) }?;
    }
    Ok(())
}

extern "C" fn on_fatal(signal: c_int) {
    let me = nix::unistd::getpid().as_raw();
    // A second fault in here, or a child that still has this handler, ends in the ordinary way.
    if OWNER.swap(0, Ordering::SeqCst) == me {
        say(b"<27>kiln-init: a fatal signal: going on with a fresh image\n");
        let mut text = Scratch::<64>::new();
        let _ = write!(text, "signal {signal}");
        note(std::str::from_utf8(text.bytes()).unwrap_or_default());
        if again(clock::now()) {
            let (at, len) = (SNAPSHOT.load(Ordering::SeqCst), SNAPSHOT_LEN.load(Ordering::SeqCst));
            let heir = if at.is_null() || len == 0 {
                None
            } else {
                // SAFETY: pointer and length are of the buffer that `Snapshot` keeps until it shows the next one; the
                // length is 0 in between, and this thread is the only one.
                memfd::write(unsafe { std::slice::from_raw_parts(at, len) }).ok()
            };
            exec::replace(false, heir, &faults());
        } else {
            say(b"<26>kiln-init: the supervisor's faults do not stop: hard reboot\n");
        }
        if me == 1 {
            LAST.leave();
            // SAFETY: a plain number; the machine ends here.
            unsafe { libc::reboot(libc::RB_AUTOBOOT) };
        }
    }
    // SAFETY: plain numbers; no handler of ours is left for it.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: a plain number; the default action ends this process.
    unsafe { libc::raise(signal) };
}

/// Notes a fault where the next image, and a helper of its own, find it: in memory. System calls only.
pub fn note(text: &str) {
    if nix::unistd::getpid().as_raw() == 1 {
        append(NOTED, text.as_bytes());
    }
}

/// Where the last word of a PID 1 that cannot go on is left.
struct LastWord<'a> {
    record: &'a CStr,
    new: &'a CStr,
    running: &'a CStr,
}

impl LastWord<'_> {
    /// Leaves it: whole, or not at all. System calls only; what hangs here is ended by the hardware watchdog, which nobody feeds.
    fn leave(&self) {
        let mut text = Scratch::<192>::new();
        let why = "PID 1 met fatal signals that did not stop";
        let count = reboots().unwrap_or(0).saturating_add(1);
        let slot = char::from_u32(SLOT.load(Ordering::SeqCst)).filter(char::is_ascii_alphabetic);
        let _ = write!(text, "{{\"why\":\"{why}\",\"ladder\":true,\"reboots\":{count}");
        if let Some(slot) = slot {
            let _ = write!(text, ",\"slot\":\"{slot}\"");
        }
        let _ = text.write_char('}');
        if written(self.new, libc::O_TRUNC, &[text.bytes()]) {
            // SAFETY: paths that end with NUL.
            unsafe { libc::rename(self.new.as_ptr(), self.record.as_ptr()) };
            // SAFETY: a path that ends with NUL.
            unsafe { libc::unlink(self.running.as_ptr()) };
        } else if written(self.running, 0, &[text.bytes()]) {
            // There is no room for a file beside the mark of life, which has its place.
            // SAFETY: paths that end with NUL.
            unsafe { libc::rename(self.running.as_ptr(), self.record.as_ptr()) };
        }
        // SAFETY: takes nothing.
        unsafe { libc::sync() };
    }
}

fn append(path: &CStr, text: &[u8]) {
    written(path, libc::O_APPEND, &[text, b"\n"]);
}

/// Writes these parts, `how` being to append them, to begin with an empty file, or 0: over what is there. Flushes them; whether
/// all of it is on the medium. System calls only.
fn written(path: &CStr, how: c_int, parts: &[&[u8]]) -> bool {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC | how;
    // SAFETY: a path that ends with NUL and plain numbers.
    let fd = unsafe { libc::open(path.as_ptr(), flags, 0o640) };
    if fd < 0 {
        return false;
    }
    let mut whole = true;
    for part in parts {
        // SAFETY: a slice that outlives the call.
        let n = unsafe { libc::write(fd, part.as_ptr().cast(), part.len()) };
        whole &= usize::try_from(n) == Ok(part.len());
    }
    if how == 0 {
        let len = parts.iter().map(|p| p.len()).sum::<usize>();
        // SAFETY: our own descriptor.
        whole &= unsafe { libc::ftruncate(fd, libc::off_t::try_from(len).unwrap_or(0)) } == 0;
    }
    // SAFETY: our own descriptor.
    whole &= unsafe { libc::fsync(fd) } == 0;
    // SAFETY: our own descriptor.
    unsafe { libc::close(fd) };
    whole
}

/// One line to where the log goes: the kernel's ring, or standard error of an ordinary process.
fn say(line: &[u8]) {
    let ring = if nix::unistd::getpid().as_raw() == 1 {
        // SAFETY: a path that ends with NUL and plain numbers.
        unsafe { libc::open(c"/dev/kmsg".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) }
    } else {
        -1
    };
    let (fd, text) = if ring >= 0 {
        (ring, line)
    } else {
        (2, line.get(4..).unwrap_or_default())
    };
    // SAFETY: a slice that outlives the call.
    unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
    if ring >= 0 {
        // SAFETY: our own descriptor, which was just opened.
        unsafe { libc::close(ring) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::end::record::{Record, take};
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn the_last_word_counts_on_and_is_whole_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| CString::new(dir.path().join(name).as_os_str().as_bytes()).unwrap();
        let (record, new, running) = (at("last-reboot"), at("last-reboot.new"), at("running"));
        let last = LastWord {
            record: &record,
            new: &new,
            running: &running,
        };
        for (before, slot) in [(0, "a"), (4, "b"), (u32::MAX, "")] {
            take(dir.path());
            // Left over from a cut, and longer than what follows.
            std::fs::write(dir.path().join("last-reboot.new"), "x".repeat(500)).unwrap();
            remember(before, slot);
            last.leave();
            let found = take(dir.path());
            assert_eq!(
                found.record.unwrap(),
                Record {
                    why: "PID 1 met fatal signals that did not stop".into(),
                    ladder: true,
                    reboots: reboots().unwrap().saturating_add(1),
                    slot: slot.into(),
                    ..Record::default()
                }
            );
            assert!(!found.cut_short);
            assert_eq!(reboots().unwrap(), before.min(u32::MAX - 1));
        }
        // A full medium: the mark of life becomes the word.
        let beside = dir.path().join("last-reboot.new");
        std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
        remember(2, "a");
        std::fs::write(dir.path().join("running"), "x".repeat(500)).unwrap();
        last.leave();
        let found = take(dir.path());
        assert_eq!(found.record.map(|r| (r.reboots, r.slot)), Some((3, "a".to_owned())));
        assert!(!found.cut_short);
        // A medium that takes nothing: no half of a word, and the boot counts as cut short.
        std::fs::remove_file(dir.path().join("running")).unwrap();
        for nothing in [beside, dir.path().join("running")] {
            drop(std::fs::remove_file(&nothing));
            std::fs::create_dir(&nothing).unwrap();
        }
        last.leave();
        let found = take(dir.path());
        assert_eq!((found.record, found.cut_short), (None, true));
    }
}

//! Fatal signals: PID 1 is replaced by a fresh image that goes on with the state of the last turn.
//!
//! The handler only makes system calls. It runs on a stack of its own, so that even an overflow of the main one is
//! survived. Children of the same binary never get here: `signals::reset_in_child` takes the handlers away.

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

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
const NOTED: &std::ffi::CStr = c"/run/kiln/faults";
const RECORD: &std::ffi::CStr = c"/var/lib/kiln/supervisor/last-reboot";
const RUNNING: &std::ffi::CStr = c"/var/lib/kiln/supervisor/running";
/// Bytes of the handler's stack.
const STACK: usize = 64 * 1024;

static SNAPSHOT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static SNAPSHOT_LEN: AtomicUsize = AtomicUsize::new(0);
static TIMES: [AtomicU64; FAULTS_MAX + 1] = [const { AtomicU64::new(0) }; FAULTS_MAX + 1];
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
            leave();
            // SAFETY: a plain number; the machine ends here.
            unsafe { libc::reboot(libc::RB_AUTOBOOT) };
        }
    }
    // SAFETY: the default action ends this process when the signal is raised again.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Notes a fault where the next image, and a helper of its own, find it: in memory. System calls only.
pub fn note(text: &str) {
    if nix::unistd::getpid().as_raw() == 1 {
        append(NOTED, text.as_bytes());
    }
}

/// The last word of a PID 1 that cannot go on. What hangs here is ended by the hardware watchdog, which nobody feeds.
fn leave() {
    let mut record = Scratch::<160>::new();
    let why = "PID 1 met fatal signals that did not stop";
    let _ = write!(record, "{{\"why\":\"{why}\",\"ladder\":true,\"reboots\":1}}");
    append(RECORD, record.bytes());
    // SAFETY: flushes and removes by constants.
    unsafe {
        libc::unlink(RUNNING.as_ptr());
        libc::sync();
    }
}

fn append(path: &std::ffi::CStr, text: &[u8]) {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: a path that ends with NUL and plain numbers.
    let fd = unsafe { libc::open(path.as_ptr(), flags, 0o600) };
    if fd < 0 {
        return;
    }
    for part in [text, b"\n"] {
        // SAFETY: a slice that outlives the call.
        unsafe { libc::write(fd, part.as_ptr().cast(), part.len()) };
    }
    // SAFETY: our own descriptor.
    unsafe { libc::close(fd) };
}

/// One line to where the log goes: the kernel's ring, or standard error of an ordinary process.
fn say(line: &[u8]) {
    // SAFETY: opens, writes and closes with constants and a slice that outlives the calls.
    unsafe {
        let ring = if nix::unistd::getpid().as_raw() == 1 {
            libc::open(c"/dev/kmsg".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC)
        } else {
            -1
        };
        let (fd, text) = if ring >= 0 {
            (ring, line)
        } else {
            (2, line.get(4..).unwrap_or_default())
        };
        libc::write(fd, text.as_ptr().cast(), text.len());
        if ring >= 0 {
            libc::close(ring);
        }
    }
}

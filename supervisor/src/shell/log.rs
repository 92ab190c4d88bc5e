//! PID 1's own log: `/dev/kmsg` in the box (the journal reads it from there), standard error elsewhere.
//!
//! Writing to `/dev/kmsg` never blocks, and a line is put together without asking for memory. Each line carries a syslog
//! priority, so only what is wrong reaches the console, and nothing while a page stands there.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;

use super::printable::Printable;
use super::scratch::Scratch;

thread_local! {
    static KMSG: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Longest text of a line, in bytes: the kernel cuts a record at 1 KiB.
const LINE_MAX: usize = 900;

/// From now on log to the kernel's ring.
pub fn use_kmsg() {
    // Without this the kernel drops all but ten lines of a busy second.
    let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on\n");
    open();
}

fn open() {
    let file = File::options().write(true).open("/dev/kmsg").ok();
    KMSG.with(|k| *k.borrow_mut() = file);
}

/// A fact of life.
pub fn info(text: &str) {
    write(6, format_args!("{text}"));
}

/// A fact about a unit.
pub fn of_unit(unit: &str, text: &str) {
    write(6, format_args!("{unit}: {text}"));
}

/// Someone should know.
pub fn warn(text: &str) {
    write(4, format_args!("{text}"));
}

/// Someone should know of a unit.
pub fn warn_of(unit: &str, text: std::fmt::Arguments<'_>) {
    write(4, format_args!("{unit}: {text}"));
}

/// Someone must act.
pub fn error(text: &str) {
    write(3, format_args!("{text}"));
}

fn write(priority: u8, text: std::fmt::Arguments<'_>) {
    KMSG.with(|k| {
        let mut k = k.borrow_mut();
        let line = line(k.is_some().then_some(priority), text);
        let result = match k.as_mut() {
            Some(f) => f.write_all(line.bytes()),
            None => std::io::stderr().write_all(line.bytes()),
        };
        // There is nowhere left to tell a failed log.
        let _ = result;
    });
}

/// Facility `daemon` (sys/syslog.h), above the three bits of a priority.
const DAEMON: u8 = 3 << 3;

/// One line of the log; for the kernel's ring with its priority.
fn line(priority: Option<u8>, text: std::fmt::Arguments<'_>) -> Scratch<1000> {
    let mut body = Scratch::<LINE_MAX>::new();
    // What does not fit is cut off.
    let _ = body.write_fmt(text);
    let mut line = Scratch::<999>::new();
    if let Some(priority) = priority {
        let _ = write!(line, "<{}>", priority | DAEMON);
    }
    let _ = line.write_str("kiln-init: ");
    for (n, part) in std::str::from_utf8(body.bytes())
        .unwrap_or_default()
        .lines()
        .enumerate()
    {
        let _ = line.write_str(if n > 0 { "; " } else { "" });
        // The kernel puts a line on the console as it is.
        let _ = write!(line, "{}", Printable(part));
    }
    let mut ended = Scratch::<1000>::new();
    let _ = ended.write_str(std::str::from_utf8(line.bytes()).unwrap_or_default());
    let _ = ended.write_str("\n");
    ended
}

/// In a forked child whose descriptors were closed: opens the log again where it was open.
pub fn reopen() {
    let was_kmsg = KMSG.with(|k| k.borrow_mut().take().map(std::mem::forget).is_some());
    if was_kmsg {
        open();
    }
}

/// For a thread beside this one, which begins without a log of its own: run there, it has it log to where this one does.
pub fn beside() -> impl FnOnce() + Send {
    let file = KMSG.with(|k| k.borrow().as_ref().and_then(|f| f.try_clone().ok()));
    move || KMSG.with(|k| *k.borrow_mut() = file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_thread_beside_logs_to_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        KMSG.with(|k| *k.borrow_mut() = Some(file.reopen().unwrap()));
        let log = beside();
        let thread = std::thread::spawn(|| {
            log();
            warn("from the thread");
        });
        thread.join().unwrap();
        KMSG.with(|k| k.borrow_mut().take());
        let written = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(written, "<28>kiln-init: from the thread\n");
    }

    #[test]
    fn what_others_say_draws_nothing_where_the_kernel_shows_its_log() {
        let said = "\u{1b}[2J\u{1b}[Hclaim: EVIL\u{9b}1m\r\nsecond";
        let written = line(Some(4), format_args!("unit x: {said}"));
        let text = std::str::from_utf8(written.bytes()).unwrap_or_default();
        assert_eq!(
            text,
            "<28>kiln-init: unit x: \\u{1b}[2J\\u{1b}[Hclaim: EVIL\\u{9b}1m; second\n"
        );
        let long = line(Some(4), format_args!("{}", "\u{1b}".repeat(2_000)));
        assert!(
            long.bytes().len() <= 1000 && long.bytes().ends_with(b"\n"),
            "one record, and whole"
        );
    }
}

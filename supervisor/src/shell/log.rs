//! PID 1's own log: `/dev/kmsg` in the box (the journal reads it from there), standard error elsewhere.
//!
//! Writing to `/dev/kmsg` never blocks, and a line is put together without asking for memory. Each line carries a syslog
//! priority, so only what is wrong reaches the console.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;

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

/// Someone must act.
pub fn error(text: &str) {
    write(3, format_args!("{text}"));
}

fn write(priority: u8, text: std::fmt::Arguments<'_>) {
    let mut body = Scratch::<LINE_MAX>::new();
    // What does not fit is cut off.
    let _ = body.write_fmt(text);
    let mut line = Scratch::<1000>::new();
    KMSG.with(|k| {
        let mut k = k.borrow_mut();
        if k.is_some() {
            let _ = write!(line, "<{}>", priority | 24);
        }
        let _ = line.write_str("kiln-init: ");
        for (n, part) in std::str::from_utf8(body.bytes())
            .unwrap_or_default()
            .lines()
            .enumerate()
        {
            let _ = line.write_str(if n > 0 { "; " } else { "" });
            let _ = line.write_str(part);
        }
        let _ = line.write_str("\n");
        let result = match k.as_mut() {
            Some(f) => f.write_all(line.bytes()),
            None => std::io::stderr().write_all(line.bytes()),
        };
        // There is nowhere left to tell a failed log.
        let _ = result;
    });
}

/// In a forked child whose descriptors were closed: opens the log again where it was open.
pub fn reopen() {
    let was_kmsg = KMSG.with(|k| k.borrow_mut().take().map(std::mem::forget).is_some());
    if was_kmsg {
        open();
    }
}

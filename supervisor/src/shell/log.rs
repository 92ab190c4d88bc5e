//! PID 1's own log: `/dev/kmsg` in the box (the journal reads it from there), standard error elsewhere.
//!
//! Writing to `/dev/kmsg` never blocks. Each line carries a syslog priority, so only what is wrong reaches the console.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;

thread_local! {
    static KMSG: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Longest line, in bytes: the kernel cuts a record at 1 KiB.
const LINE_MAX: usize = 900;

/// From now on log to the kernel's ring.
pub fn use_kmsg() {
    // Without this the kernel drops all but ten lines of a busy second.
    let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on\n");
    let file = File::options().write(true).open("/dev/kmsg").ok();
    KMSG.with(|k| *k.borrow_mut() = file);
}

/// A fact of life.
pub fn info(text: &str) {
    write(6, text);
}

/// Someone should know.
pub fn warn(text: &str) {
    write(4, text);
}

/// Someone must act.
pub fn error(text: &str) {
    write(3, text);
}

fn write(priority: u8, text: &str) {
    let mut end = text.len().min(LINE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text[..end].replace('\n', "; ");
    KMSG.with(|k| {
        let result = match k.borrow_mut().as_mut() {
            Some(f) => f.write_all(format!("<{}>kiln-init: {text}\n", priority | 24).as_bytes()),
            None => std::io::stderr().write_all(format!("kiln-init: {text}\n").as_bytes()),
        };
        // There is nowhere left to tell a failed log.
        let _ = result;
    });
}

/// In a forked child whose descriptors were closed: opens the log again where it was open.
pub fn reopen() {
    let was_kmsg = KMSG.with(|k| k.borrow_mut().take().map(std::mem::forget).is_some());
    if was_kmsg {
        let file = File::options().write(true).open("/dev/kmsg").ok();
        KMSG.with(|k| *k.borrow_mut() = file);
    }
}

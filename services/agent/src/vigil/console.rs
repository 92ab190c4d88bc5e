//! Where a person at the machine reads: standard error, which is a service's log, and the kernel's console where there is
//! one. Never the connection to the server.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// Shows `text`. What cannot be written there is not: a console that takes nothing must not hold up the agent.
pub fn show(text: &str) {
    // Nothing better can be done about a closed standard error.
    let _closed = writeln!(std::io::stderr(), "{text}");
    let console = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open("/dev/console");
    if let Ok(mut console) = console {
        let _full = write!(console, "\r\n{text}\r\n");
    }
}

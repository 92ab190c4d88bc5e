//! `kiln`: the operator's command line. It runs the same engine as the box, in its own process.
//!
//! - [`burn`]: `kiln burn`, from targets to exit code.
//! - [`cert`]: `kiln cert verify` and `show`; [`playbook`]: `kiln playbook`; [`signing`]: the key of `kiln burn --cert`,
//!   [`seals`]: the list of what it signed.
//! - [`addon`]: `kiln addon validate`.
//! - [`life`]: `kiln backup`, `restore`, `debug-bundle`, over [`remote`], a box across the network; [`undo`]: what a signal must not leave
//!   behind of them.
//! - [`bench`]: the engine beside `badblocks` and `fio` on the same loop device (binary `kiln-bench`).
//!
//! Exit codes are a contract (`tests/contract/`, `tests/cert/`): `burn` 0 PASSED, 1 WARN, 2 FAILED,
//! 3 INCONCLUSIVE, 4 refused (nothing was written); `cert verify` 0 trusted, 1 unknown key, 2 bad; `addon validate` 0 valid, 2 flawed; 64 usage,
//! also a result of any command but `burn` that could not be written.

#![warn(unreachable_pub)]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes one line to standard error; one that nobody reads any more is no reason to stop a burn-in.
macro_rules! tell {
    ($($arg:tt)*) => {
        $crate::one_line(std::io::stderr(), format_args!($($arg)*))
    };
}

/// Writes one line to standard output, likewise: more of the same follows, and whoever gives the last of it tells that it was not written.
macro_rules! result {
    ($($arg:tt)*) => {
        $crate::one_line(std::io::stdout(), format_args!($($arg)*))
    };
}

/// What is told may hold words from outside (a drive's model, a certificate, a box's answer): they give a terminal no commands,
/// and begin no line of their own.
fn one_line(mut out: impl Write, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{}", wire::shown::line(&text.to_string()));
}

/// Lines as they are [shown](wire::shown), each of its own.
fn lines(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let lines: Vec<String> = texts
        .into_iter()
        .map(|text| wire::shown::line(text.as_ref()).into_owned())
        .collect();
    lines.join("\n")
}

/// Writes lines that are [shown](wire::shown) already to standard output.
fn write_out(text: &str) -> std::io::Result<()> {
    /// Whether a line stands there that was cut.
    static TORN: AtomicBool = AtomicBool::new(false);
    let mut out = std::io::stdout().lock();
    out.flush()?;
    // Past the buffer, which would keep the rest of what failed, and nobody knows what went out then.
    let mut file = File::from(out.as_fd().try_clone_to_owned()?);
    put(&mut file, &TORN, text)
}

/// Writes lines; those after one that was cut (`torn`), as on a disk that was full for a while, begin on a line of their own.
fn put(out: &mut impl Write, torn: &AtomicBool, text: &str) -> std::io::Result<()> {
    let begin = if torn.load(Ordering::Relaxed) { "\n" } else { "" };
    let text = format!("{begin}{text}\n");
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match out.write(left) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                let (written, rest) = left.split_at(taken);
                torn.store(!written.ends_with(b"\n"), Ordering::Relaxed);
                left = rest;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The same for a command that gives nothing else. Whoever closed the pipe, as `head` does, has read what they wanted.
///
/// # Errors
/// Why it was not written, in words.
fn give(text: &str) -> Result<(), String> {
    match write_out(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("the result could not be written: {error}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Exit code of a usage error. Source: sysexits.h, `EX_USAGE`.
pub const USAGE: u8 = 64;

pub mod addon;
pub mod bench;
pub mod burn;
pub mod cert;
pub mod file;
pub mod life;
mod list;
mod peers;
pub mod playbook;
pub mod remote;
pub mod seals;
pub mod signing;
pub mod undo;
pub mod update;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Takes so many bytes and is full then.
    struct Disk {
        holds: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.room -= taken;
            self.holds.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_result_after_one_that_was_cut_stands_on_a_line_of_its_own() {
        for (room, want) in [(0, "b\nsecond\n"), (3, "fir\nsecond\n"), (5, "first\nsecond\n")] {
            let mut disk = Disk {
                holds: Vec::new(),
                room,
            };
            let torn = AtomicBool::new(false);
            assert!(put(&mut disk, &torn, "first").is_err());
            // A single byte fits: the end of that line, or of none the beginning of the next.
            disk.room = 1;
            assert!(put(&mut disk, &torn, "between").is_err());
            disk.room = 100;
            put(&mut disk, &torn, "second").unwrap();
            let told = String::from_utf8(disk.holds).unwrap();
            assert_eq!(told, want, "{room}");
        }
    }
}

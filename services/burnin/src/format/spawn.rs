//! The parent's side: starts the child with the drive, confirms the identity, and hears what came of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use nix::libc;
use wire::Bytes;
use wire::options::{Formatted, Table};

use super::{Heard, Order, Said, confine};

/// Descriptor of the drive in the child. Source: contract between parent and child, as the worker's.
pub const DRIVE_FD: i32 = 3;

/// Runs `command` (which calls [`super::child`]) on the drive and waits for its end, at most `deadline`.
///
/// `drive` is the guarded descriptor; it must be the last one, and is closed here as soon as the child has its copy:
/// while anybody holds the whole drive exclusively, no partition can be claimed. `identity` is asked once, after the
/// table stands; `tell` hears everything that the child says on the way.
///
/// The answer's `problem` tells whatever went wrong, also with the child itself.
pub fn run(
    command: &mut Command,
    drive: File,
    order: &Order,
    deadline: Duration,
    identity: &mut dyn FnMut() -> Result<(), String>,
    tell: &mut dyn FnMut(&Said),
) -> Formatted {
    let end = Instant::now() + deadline;
    match talk(command, drive, order, end, identity, tell) {
        Ok(formatted) => formatted,
        Err(problem) => Formatted {
            table: Table::Auto,
            filesystem: order.request.filesystem,
            label: order.request.label.clone(),
            uuid: None,
            size: Bytes(0),
            checks: Vec::new(),
            problem: Some(problem),
        },
    }
}

/// A child that is killed and reaped when nobody waits for it any more.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let mut child = self.0.try_wait();
        if let Ok(None) = child {
            // In the kernel's hands it cannot be waited for here; whoever takes over orphans reaps it.
            std::thread::sleep(Duration::from_millis(50));
            child = self.0.try_wait();
        }
        drop(child);
    }
}

fn talk(
    command: &mut Command,
    drive: File,
    order: &Order,
    end: Instant,
    identity: &mut dyn FnMut() -> Result<(), String>,
    tell: &mut dyn FnMut(&Said),
) -> Result<Formatted, String> {
    let told = |what: &str, error: io::Error| format!("the formatter: {what}: {error}");
    let fd = drive.as_raw_fd();
    command
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    // SAFETY: between fork and exec only prctl, fcntl and dup2 are called, which are async-signal-safe; `fd` is open
    // until after the spawn.
    unsafe {
        command.pre_exec(move || {
            confine::die_with_parent()?;
            let done = if fd == DRIVE_FD {
                libc::fcntl(fd, libc::F_SETFD, 0)
            } else {
                libc::dup2(fd, DRIVE_FD)
            };
            if done < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(())
            }
        });
    }
    let mut child = Held(command.spawn().map_err(|e| told("starting it", e))?);
    drop(drive);
    let gone = || "the formatter is not connected".to_owned();
    let mut input = child.0.stdin.take().ok_or_else(gone)?;
    let output = child.0.stdout.take().ok_or_else(gone)?;
    let (sender, lines) = sync_channel(16);
    std::thread::Builder::new()
        .name("formatter".to_owned())
        .spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        })
        .map_err(|e| told("a thread for it", e))?;
    let mut send = |line: Vec<u8>| input.write_all(&line).and_then(|()| input.write_all(b"\n"));
    let json = |e: serde_json::Error| format!("the formatter: {e}");
    send(serde_json::to_vec(order).map_err(json)?).map_err(|e| told("its order", e))?;
    loop {
        let line = match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => line.map_err(|e| told("reading", e))?,
            Err(RecvTimeoutError::Timeout) => return Err("the formatter did not end in its time".to_owned()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the formatter ended without a word: it was killed, or failed".to_owned());
            }
        };
        let said: Said = serde_json::from_str(&line).map_err(json)?;
        tell(&said);
        match said {
            Said::Partitioned => {
                let heard = match identity() {
                    Ok(()) => Heard::Go,
                    Err(why) => Heard::Stop { why },
                };
                send(serde_json::to_vec(&heard).map_err(json)?).map_err(|e| told("answering it", e))?;
            }
            Said::At { .. } => {}
            Said::Done(formatted) => return Ok(formatted),
        }
    }
}

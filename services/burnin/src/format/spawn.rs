//! The parent's side: starts the child with the drive, confirms the identity, and hears what came of it.
//!
//! The child leads a process group of its own: a person's wish to end it, or its deadline, ends the program that it runs
//! together with it, and a terminal's interrupt reaches neither before whoever runs it has heard of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use wire::options::Formatted;

use super::silence::Silence;
use super::{Heard, Longest, NEXT_STEP, Order, Said, confine, unformatted};
use crate::hand_over::hand_over;

/// How often it is asked whether it is to end.
const ASK: Duration = Duration::from_millis(200);

/// Time for a killed child to be reaped. One in the kernel's hands (a drive that hangs) takes longer, and is left to a thread that waits
/// for nothing else.
const REAP: Duration = Duration::from_secs(5);

/// What the child's parent says and hears on the way.
#[allow(missing_debug_implementations, reason = "three closures")]
pub struct Ties<'a> {
    /// Whether the drive still is the one that was armed; asked before anything is written, before the file system is made,
    /// before its table is written, and when all is done.
    pub identity: &'a mut dyn FnMut() -> Result<(), String>,
    /// Hears everything that the child says.
    pub tell: &'a mut dyn FnMut(&Said),
    /// Why the child is to be ended before its end; asked every fifth of a second.
    pub cancel: &'a mut dyn FnMut() -> Option<String>,
}

/// Runs `command` (which calls [`super::child`]) on the drive and waits for its end, at most as `longest` says: a drive that hangs ends
/// the wait, though the child may hang there until it lets go.
///
/// `drive` is the guarded descriptor; it must be the last one, and is closed here as soon as the child has its copy:
/// while anybody holds the whole drive exclusively, no partition can be claimed.
///
/// The answer's `problem` tells whatever went wrong, also with the child itself, and why it was ended.
pub fn run(command: &mut Command, drive: File, order: &Order, longest: Longest, ties: Ties<'_>) -> Formatted {
    talk(command, drive, order, longest, ties).unwrap_or_else(|problem| unformatted(&order.request, problem))
}

/// A child that is killed, with what it started, and reaped when nobody waits for it any more.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // It leads a group by its own number, which passes to nobody before it is reaped.
        let Ok(group) = i32::try_from(self.0.id()).map(Pid::from_raw) else {
            return;
        };
        let _ended = killpg(group, Signal::SIGKILL);
        let until = Instant::now() + REAP;
        while let Ok(None) = self.0.try_wait() {
            if Instant::now() >= until {
                let reaper = std::thread::Builder::new().name("formatter-reaper".to_owned());
                // Without it a dead child stays in the list of processes.
                let _thread = reaper.spawn(move || waitpid(group, None));
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn talk(
    command: &mut Command,
    drive: File,
    order: &Order,
    longest: Longest,
    ties: Ties<'_>,
) -> Result<Formatted, String> {
    let begun = Instant::now();
    // Until the partition is laid; then the whole.
    let mut end = begun + longest.start.min(longest.whole);
    let mut silence = Silence::of(&drive);
    let told = |what: &str, error: io::Error| format!("the formatter: {what}: {error}");
    let fd = drive.as_raw_fd();
    command
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    // SAFETY: between fork and exec only prctl, fcntl and dup2 are called, which are async-signal-safe; `fd` is open
    // until after the spawn.
    unsafe {
        command.pre_exec(move || {
            confine::die_with_parent()?;
            hand_over(fd)
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
    let mut may_write = false;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let said: Option<Said> = match lines.recv_timeout(left.min(ASK)) {
            Ok(line) => Some(serde_json::from_str(&line.map_err(|e| told("reading", e))?).map_err(json)?),
            Err(RecvTimeoutError::Timeout) if left > ASK => None,
            Err(RecvTimeoutError::Timeout) => return Err(late(longest, end < begun + longest.whole)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(format!(
                    "the formatter ended without a word: it was killed, or failed; {NEXT_STEP}"
                ));
            }
        };
        if let Some(said) = &said {
            (ties.tell)(said);
        }
        if let Some(Said::Done(formatted)) = said {
            // Refused, it wrote nothing since it was asked last.
            let whose = if may_write { (ties.identity)() } else { Ok(()) };
            return ended(formatted, whose);
        }
        // What it has done by now stays, but nothing more is begun.
        if let Some(why) = (ties.cancel)() {
            return Err(format!("it was ended before its end: {why}"));
        }
        if silence.lasts(Instant::now()) >= longest.access {
            return Err(silent(longest.access));
        }
        if matches!(said, Some(Said::Laid | Said::Made)) {
            end = begun + longest.whole;
        }
        if matches!(said, Some(Said::Ready | Said::Laid | Said::Made)) {
            let heard = match (ties.identity)() {
                Ok(()) => Heard::Go,
                Err(why) => Heard::Stop { why },
            };
            may_write = heard == Heard::Go;
            send(serde_json::to_vec(&heard).map_err(json)?).map_err(|e| told("answering it", e))?;
        }
    }
}

/// What the child came to, by whose drive it is then. Whoever fails on a drive that is dying finds no identity either: what failed first is
/// the reason.
fn ended(formatted: Formatted, whose: Result<(), String>) -> Result<Formatted, String> {
    match (whose, formatted.problem.as_deref()) {
        (Ok(()), _) => Ok(formatted),
        (Err(why), None) => Err(exchanged(why)),
        (Err(why), Some(problem)) => Ok(Formatted {
            problem: Some(format!("{problem}; and {}", exchanged(why))),
            ..formatted
        }),
    }
}

/// Why nobody can tell what stands where: another drive may have got some of it.
fn exchanged(why: String) -> String {
    format!(
        "the drive's identity was not confirmed when all was done: {why}; look at what stands on the drive that is there now, and burn in \
         anew the one that was tested"
    )
}

/// Why it was ended: it took too long.
fn late(longest: Longest, by_start: bool) -> String {
    match by_start {
        true => format!(
            "its partition was not laid out within {} s; check the drive's power and cable, and burn it in again",
            longest.start.as_secs()
        ),
        false => format!("the formatter did not end in its time; {NEXT_STEP}"),
    }
}

/// Why it was ended: the drive hangs.
fn silent(access: Duration) -> String {
    format!(
        "the drive answered nothing for {} s while it was formatted; check its power and cable, and burn it in again",
        access.as_secs()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::Bytes;
    use wire::options::{FileSystem, Table};

    use super::*;

    #[test]
    fn what_failed_first_stays_the_reason_where_the_identity_fails_behind_it() {
        let formatted = |problem: Option<&str>| Formatted {
            table: Table::Auto,
            filesystem: FileSystem::Ext4,
            label: "photos".to_owned(),
            uuid: None,
            size: Bytes(0),
            checks: vec!["end of the drive blanked".to_owned()],
            problem: problem.map(str::to_owned),
        };
        let (made, failed) = (formatted(None), formatted(Some("mkfs.ext4 failed: Input/output error")));
        for formatted in [&made, &failed] {
            assert_eq!(ended(formatted.clone(), Ok(())).as_ref(), Ok(formatted));
        }
        let gone = || Err("it is not there".to_owned());
        let why = ended(made, gone()).unwrap_err();
        assert!(
            why.starts_with("the drive's identity was not confirmed when all was done: it is not there"),
            "{why}"
        );
        let told = ended(failed.clone(), gone()).unwrap();
        assert_eq!(told.checks, failed.checks);
        assert_eq!(
            told.problem,
            Some(format!("mkfs.ext4 failed: Input/output error; and {why}"))
        );
    }
}

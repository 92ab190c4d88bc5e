//! A child process with a deadline: what may hang on a drive hangs there, not here.
//!
//! A child in the kernel's hands (state D) cannot be killed; it is killed as soon as the drive lets go, and reaped by a
//! thread that waits for nothing else. Its caller has its answer long before. As long as one hangs so on a drive no other one is started
//! for that drive: each would hang beside it, until there are no processes left for the others. Their callers wait, each for its own
//! deadline: a disk that recovers a bad sector lets go later than a sensor's reader may take, and sooner than a self-test gives up.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How often it is looked whether a drive let go.
const LOOK: Duration = Duration::from_millis(50);

/// How long a child that was killed may take to end before its drive counts as one that holds it.
const ENDS: Duration = Duration::from_millis(200);

/// What waits for what on a drive: one that hangs there holds up those of its own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Asked by somebody who waits for the answer.
    Awaited,
    /// Asked in passing: nobody may have to wait because of it.
    InPassing,
}

/// Nodes of drives that hold a child which was killed, each as often as it holds one: several may have been under way.
static HOLDING: Mutex<Vec<(PathBuf, Kind)>> = Mutex::new(Vec::new());

fn holding() -> MutexGuard<'static, Vec<(PathBuf, Kind)>> {
    HOLDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a child printed and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Standard output, at most the limit.
    pub stdout: Vec<u8>,
    /// How it ended.
    pub status: ExitStatus,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It could not be started or waited for.
    #[error("starting {program}")]
    Start {
        /// The program.
        program: String,
        /// The operating system's reason.
        #[source]
        cause: io::Error,
    },
    /// No end within the deadline.
    #[error("no answer in {} s", .0.as_secs_f32())]
    Late(Duration),
    /// Nothing was started: another child hung on the drive all the while.
    #[error("the drive still holds a process that was ended because it did not answer")]
    Held,
    /// It printed more than the limit.
    #[error("it printed more than {0} bytes")]
    TooMuch(usize),
}

/// Runs `command` with no input and an environment of `PATH` alone; gives its output if it ends within `deadline` and
/// prints at most `limit` bytes. `node`: of the drive that it may hang on. Where that still holds another child, the wait for it is part of
/// `deadline`.
pub fn run(command: &mut Command, node: &Path, deadline: Duration, limit: usize) -> Result<Output, Failed> {
    run_as(Kind::Awaited, command, node, deadline, limit)
}

/// As [`run`], and where it hangs nobody else's question waits for it: for what may be left unanswered.
pub fn run_in_passing(command: &mut Command, node: &Path, deadline: Duration, limit: usize) -> Result<Output, Failed> {
    run_as(Kind::InPassing, command, node, deadline, limit)
}

fn run_as(kind: Kind, command: &mut Command, node: &Path, deadline: Duration, limit: usize) -> Result<Output, Failed> {
    let end = Instant::now() + deadline;
    while holding().iter().any(|(held, its)| held == node && *its == kind) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failed::Held);
        }
        std::thread::sleep(LOOK.min(left));
    }
    let abandon = |child| abandon(child, node, kind);
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |cause| Failed::Start {
        program: program.clone(),
        cause,
    };
    let mut child = command
        // Tokens and sockets in our environment are none of a tool's business.
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        // A terminal sends its Ctrl-C to the whole group in the foreground: what it ends of a drive is for our process to say.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(start)?;
    let Some(mut pipe) = child.stdout.take() else {
        abandon(child);
        return Err(start(io::Error::other("its output is not connected")));
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    let reader = std::thread::Builder::new()
        .name("child-output".to_owned())
        .spawn(move || {
            let mut bytes = Vec::new();
            let read = pipe.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes);
            // The receiver is gone only after the deadline.
            let _late = sender.send(read.map(|_| bytes));
        });
    if let Err(cause) = reader {
        abandon(child);
        return Err(start(cause));
    }
    let stdout = match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(Ok(bytes)) if bytes.len() <= limit => bytes,
        Ok(Ok(_)) => {
            abandon(child);
            return Err(Failed::TooMuch(limit));
        }
        Ok(Err(cause)) => {
            abandon(child);
            return Err(start(cause));
        }
        Err(_) => {
            abandon(child);
            return Err(Failed::Late(deadline));
        }
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Output { stdout, status }),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                abandon(child);
                return Err(Failed::Late(deadline));
            }
            Err(cause) => return Err(start(cause)),
        }
    }
}

/// Kills `child`; where it does not end by that, leaves the waiting to a thread of its own, and nothing is started for its drive until
/// it has ended.
fn abandon(child: Child, node: &Path, kind: Kind) {
    abandon_by(child, node, kind, |child| drop(child.kill()));
}

fn abandon_by(mut child: Child, node: &Path, kind: Kind, kill: impl FnOnce(&mut Child)) {
    // It may have ended by itself.
    kill(&mut child);
    let end = Instant::now() + ENDS;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => return,
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    let what = match kind {
        Kind::Awaited => "asked of it",
        Kind::InPassing => "counted on it",
    };
    tracing::warn!(node = %node.display(), "a drive holds a process that was killed; nothing more is {what} until it lets go");
    holding().push((node.to_owned(), kind));
    let its = node.to_owned();
    let reaper = std::thread::Builder::new()
        .name("child-reaper".to_owned())
        .spawn(move || {
            let _status = child.wait();
            lets_go(&its, kind);
        });
    if let Err(error) = reaper {
        tracing::warn!(%error, "a killed child stays unreaped");
        // Nobody would take it out again.
        lets_go(node, kind);
    }
}

/// A drive holds one child less.
fn lets_go(node: &Path, kind: Kind) {
    let mut holding = holding();
    if let Some(at) = holding.iter().position(|(held, its)| held == node && *its == kind) {
        holding.swap_remove(at);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sh(script: &str, deadline: Duration, limit: usize) -> Result<Output, Failed> {
        run(
            Command::new("sh").args(["-c", script]),
            Path::new("/dev/none"),
            deadline,
            limit,
        )
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn output_and_status_come_back() {
        let output = sh("printf hello; exit 5", LONG, 100).unwrap();
        assert_eq!(
            (output.stdout.as_slice(), output.status.code()),
            (&b"hello"[..], Some(5))
        );
    }

    #[test]
    fn one_that_hangs_is_late_though_its_output_is_closed() {
        let started = Instant::now();
        for script in ["exec sleep 300", "exec >&-; exec sleep 300"] {
            assert!(matches!(
                sh(script, Duration::from_millis(300), 100),
                Err(Failed::Late(_))
            ));
        }
        assert!(started.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn one_that_floods_is_stopped() {
        assert!(matches!(sh("exec yes", LONG, 1000), Err(Failed::TooMuch(1000))));
    }

    #[test]
    fn our_environment_stays_here() {
        let output = sh("env", LONG, 10_000).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("CARGO"), "{text}");
    }

    /// Source: `proc_pid_stat(5)`, the fifth field is the process group.
    #[test]
    fn the_terminals_signals_are_not_for_it() {
        let group = |stat: &str| stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap().to_owned();
        let output = sh("cat /proc/self/stat", LONG, 10_000).unwrap();
        let theirs = group(&String::from_utf8(output.stdout).unwrap());
        let ours = group(&std::fs::read_to_string("/proc/self/stat").unwrap());
        assert_ne!(theirs, ours);
    }

    #[test]
    fn one_that_is_missing_is_named() {
        let error = run(&mut Command::new("/no/such/tool"), Path::new("/dev/none"), LONG, 10).unwrap_err();
        assert!(error.to_string().contains("/no/such/tool"), "{error}");
    }

    /// A child that no signal ends, until what is returned is dropped.
    pub(crate) fn held_by(node: &Path) -> impl Send + 'static {
        held_as(Kind::Awaited, node)
    }

    fn held_as(kind: Kind, node: &Path) -> impl Send + 'static {
        let mut held = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let lets_go = held.stdin.take();
        abandon_by(held, node, kind, |_| {});
        lets_go
    }

    #[test]
    fn one_that_was_asked_in_passing_holds_up_its_own_kind_alone() {
        let node = Path::new("/dev/that-counts");
        let lets_go = held_as(Kind::InPassing, node);
        let (at_once, never) = (Duration::from_secs(20), Duration::from_millis(100));
        run(&mut Command::new("true"), node, at_once, 100).unwrap();
        assert!(matches!(
            run_in_passing(&mut Command::new("true"), node, never, 100),
            Err(Failed::Held)
        ));
        drop(lets_go);
        run_in_passing(&mut Command::new("true"), node, at_once, 100).unwrap();
    }

    #[test]
    fn a_drive_that_holds_a_child_is_not_asked_until_it_lets_go_and_then_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (begun, node) = (dir.path().join("begun"), Path::new("/dev/that-hangs"));
        let ask = |node: &Path, deadline: Duration| {
            let script = format!("echo x >> {}", begun.display());
            run(Command::new("sh").args(["-c", &script]), node, deadline, 100)
        };
        let (first, lets_go) = (held_by(node), held_by(node));
        drop(first);
        // By then the thread that waits for it has done so.
        std::thread::sleep(Duration::from_millis(200));
        for _ in 0..2 {
            assert!(matches!(ask(node, Duration::from_millis(100)), Err(Failed::Held)));
        }
        assert!(!begun.exists(), "nothing was started");
        ask(Path::new("/dev/another"), LONG).unwrap();
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(lets_go);
        });
        ask(node, LONG).unwrap();
        later.join().unwrap();
        assert_eq!(std::fs::read_to_string(&begun).unwrap().lines().count(), 2);
    }
}

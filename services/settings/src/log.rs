//! Where log lines go: the native journal's socket where there is one, else standard error.
//!
//! A line never waits. The journal is not critical, the server is: with the library's waiting socket a journal that is
//! stopped or full would hang every service at its next line. What finds no room is lost, and only the log is poorer.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// The journal's socket: the supervisor's journal in the box, journald under systemd.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// How often a journal that had no room at the start is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// Starts logging as `identifier`. The environment's `variable` (such as `agent=debug`) chooses what; `info` by default.
pub fn start(identifier: &str, variable: &str) {
    let filter = EnvFilter::try_from_env(variable).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let first = match journal(identifier) {
        // There is none.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            let plain = tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_ansi(false);
            registry.with(plain).init();
            return;
        }
        open => open.ok(),
    };
    let is_full = first.is_none();
    let (layer, handle) = reload::Layer::new(first);
    registry.with(layer).init();
    if is_full {
        let identifier = identifier.to_owned();
        std::thread::spawn(move || {
            let found = loop {
                std::thread::sleep(AGAIN);
                if let Ok(layer) = journal(&identifier) {
                    break layer;
                }
            };
            // It fails where the process is ending.
            let _ended = handle.reload(Some(found));
        });
    }
}

/// The journal's layer; `WouldBlock` where the journal has no room.
fn journal(identifier: &str) -> io::Result<tracing_journald::Layer> {
    let probe = UnixDatagram::unbound()?;
    probe.set_nonblocking(true)?;
    // The library asks in the same way, but waits for the answer.
    probe.send_to(&[], JOURNAL)?;
    let layer = never_waiting(tracing_journald::layer)??;
    Ok(layer.with_syslog_identifier(identifier.to_owned()))
}

/// Runs `open`, and lets none of the datagram sockets that were opened meanwhile wait.
fn never_waiting<T>(open: impl FnOnce() -> T) -> io::Result<T> {
    let before = opened()?;
    let made = open();
    for fd in opened()?.difference(&before) {
        // SAFETY: it was opened a moment ago and is only used in this turn; should another thread have closed it since, the
        // calls below fail or make another new datagram socket not wait.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        if getsockopt(&fd, sockopt::SockType) != Ok(SockType::Datagram) {
            continue;
        }
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    Ok(made)
}

/// The descriptors of this process.
fn opened() -> io::Result<BTreeSet<RawFd>> {
    let listed = std::fs::read_dir("/proc/self/fd")?;
    let numbers = listed.map(|entry| Ok(entry?.file_name().to_string_lossy().parse().ok()));
    let numbers: io::Result<Vec<Option<RawFd>>> = numbers.collect();
    // The listing's own descriptor is closed by now.
    Ok(numbers?.into_iter().flatten().filter(|fd| is_open(*fd)).collect())
}

fn is_open(fd: RawFd) -> bool {
    std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_journal_that_does_not_read_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("socket");
        let _stopped = UnixDatagram::bind(&at).unwrap();
        let ours = never_waiting(|| UnixDatagram::unbound().unwrap()).unwrap();
        let full = (0..100_000).find_map(|_| ours.send_to(b"MESSAGE=x\n", &at).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}

//! `kiln-init journal`: the log unit. Native journal datagrams, standard output of units and the kernel's ring come in;
//! a bounded ring in memory and rotated, compressed files on DATA come out, both in the Journal Export Format.
//!
//! Its sockets belong to PID 1, so a restart loses nothing that fits into their buffers. It never logs to itself. Files are
//! written only while state is on disk; a medium that fails is left alone until PID 1 says where state is again.

pub mod entry;
mod export;
mod store;

use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg};

use crate::shell::{cgroup, log, sockets};
use entry::{Entry, Sender};
use export::Export;
use store::Store;

/// Longest datagram, in bytes.
const DATAGRAM_MAX: usize = 256 * 1024;
/// Longest message in a memfd, in bytes; a longer one is cut.
const MEMFD_MAX: usize = 1 << 20;
/// Datagrams taken in one turn from one socket.
const BURST: usize = 512;

/// Runs until SIGTERM.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kiln-init journal: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    log::use_kmsg();
    let named = passed()?;
    let find = |name: &str| named.iter().position(|(n, _)| n == name);
    let missing = |name: &str| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("no socket named {name:?} was passed (LISTEN_FDS); expected native and stdout"),
        )
    };
    let native = find("native").ok_or_else(|| missing("native"))?;
    let stdout = find("stdout").ok_or_else(|| missing("stdout"))?;
    let export = find("export");
    let sockets: Vec<OwnedFd> = named.into_iter().map(|(_, fd)| fd).collect();
    let mut export = match export {
        Some(i) => Some(Export::new(UnixListener::from(sockets[i].try_clone()?))?),
        None => None,
    };
    let mut kmsg = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags_nonblock()
        .open("/dev/kmsg")
        .ok();
    let mut store = Store::new();
    let notify = Notify::from_env();
    notify.say("READY=1");
    let mut beaten = Instant::now();
    let mut buf = vec![0u8; DATAGRAM_MAX];
    loop {
        let mut fds = vec![
            PollFd::new(sockets[native].as_fd(), PollFlags::POLLIN),
            PollFd::new(sockets[stdout].as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(kmsg.as_ref().map(|k| PollFd::new(k.as_fd(), PollFlags::POLLIN)));
        fds.extend(export.iter().flat_map(Export::fds).map(|(fd, writes)| {
            let flags = if writes { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            PollFd::new(fd, flags)
        }));
        match poll(&mut fds, PollTimeout::from(1000u16)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        for _ in 0..BURST {
            let Some((sender, bytes)) = receive(&sockets[native], &mut buf) else {
                break;
            };
            // A logger that starts sends an empty datagram, to see whether somebody listens.
            if !bytes.is_empty() {
                store.add(Entry::native(&bytes, &sender));
            }
        }
        for _ in 0..BURST {
            let Some((sender, bytes)) = receive(&sockets[stdout], &mut buf) else {
                break;
            };
            for line in bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                store.add(Entry::line(line, &sender));
            }
        }
        if let Some(k) = &mut kmsg {
            for _ in 0..BURST {
                match k.read(&mut buf) {
                    Ok(n) => store.add(Entry::kernel(&buf[..n])),
                    // Records were overwritten before we came; the next read goes on.
                    Err(e) if e.raw_os_error() == Some(libc::EPIPE) => {}
                    Err(_) => break,
                }
            }
        }
        if let Some(e) = &mut export {
            e.serve(&store);
        }
        store.settle();
        // Only now: the beat says that everything was read and written.
        if beaten.elapsed() >= notify.every {
            beaten = Instant::now();
            notify.say("WATCHDOG=1");
        }
    }
}

/// One datagram and who sent it; a large message comes as a sealed memory file.
fn receive(socket: &OwnedFd, buf: &mut [u8]) -> Option<(Sender, Vec<u8>)> {
    let mut control = nix::cmsg_space!(libc::ucred, [libc::c_int; 1]);
    let mut sender = Sender::default();
    let mut file = None;
    let len = {
        let mut iov = [IoSliceMut::new(buf)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let m = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut iov, Some(&mut control), flags).ok()?;
        for c in m.cmsgs().into_iter().flatten() {
            match c {
                ControlMessageOwned::ScmCredentials(c) => {
                    sender = Sender {
                        pid: c.pid(),
                        uid: c.uid(),
                        unit: cgroup::unit_of(c.pid()),
                    };
                }
                ControlMessageOwned::ScmRights(fds) => {
                    for f in fds {
                        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
                        file = Some(unsafe { OwnedFd::from_raw_fd(f) });
                    }
                }
                _ => {}
            }
        }
        m.bytes
    };
    let bytes = match file.map(std::fs::File::from) {
        // Only a regular file: reading from a pipe could wait for ever.
        Some(f) if f.metadata().is_ok_and(|m| m.is_file()) => {
            let mut bytes = Vec::new();
            let _ = io::Seek::seek(&mut &f, io::SeekFrom::Start(0));
            let _ = f.take(MEMFD_MAX as u64).read_to_end(&mut bytes);
            bytes
        }
        Some(_) | None => buf[..len.min(buf.len())].to_vec(),
    };
    Some((sender, bytes))
}

/// The sockets that PID 1 passed, with their names.
fn passed() -> io::Result<Vec<(String, OwnedFd)>> {
    let count: i32 = std::env::var("LISTEN_FDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    names
        .split(':')
        .zip(3..3 + count.clamp(0, 16))
        .map(|(n, fd)| Ok((n.to_owned(), sockets::inherited(fd)?)))
        .collect()
}

/// The way to PID 1.
struct Notify {
    socket: Option<UnixDatagram>,
    every: Duration,
}

impl Notify {
    fn from_env() -> Notify {
        let socket = std::env::var("NOTIFY_SOCKET").ok().and_then(|p| {
            let s = UnixDatagram::unbound().ok()?;
            s.connect(p).ok()?;
            Some(s)
        });
        let usec: u64 = std::env::var("WATCHDOG_USEC")
            .ok()
            .and_then(|u| u.parse().ok())
            .unwrap_or(20_000_000);
        Notify {
            socket,
            every: Duration::from_micros(usec / 2),
        }
    }

    fn say(&self, text: &str) {
        if let Some(s) = &self.socket {
            let _ = s.send(text.as_bytes());
        }
    }
}

/// `O_NONBLOCK` without a second import at each use.
trait NonBlocking {
    fn custom_flags_nonblock(&mut self) -> &mut Self;
}

impl NonBlocking for std::fs::OpenOptions {
    fn custom_flags_nonblock(&mut self) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(self, libc::O_NONBLOCK)
    }
}

//! `kiln-init journal`: the log unit. Native journal datagrams, standard output of units and the kernel's ring come in;
//! a bounded ring in memory and rotated, compressed files on DATA come out, both in the Journal Export Format. What is left of
//! crashes and of earlier boots comes out for the server's debug bundle (`remains`).
//!
//! Its sockets belong to PID 1, so a restart loses nothing that fits into their buffers. It never logs to itself. Files are
//! written only while state is on disk; a medium that fails is left alone until PID 1 says where state is again.

pub(crate) mod earlier;
pub mod entry;
mod export;
mod lines;
mod remains;
mod senders;
mod store;

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::handover::fds;
use crate::shell::datagram::{self, Beside};
use crate::shell::{cgroup, clock, log, sockets};
use entry::{Entry, Sender};
use export::Export;
use lines::Lines;
use remains::Remains;
use store::Store;
pub(crate) use store::{boot, folder};

/// Longest datagram, in bytes.
const DATAGRAM_MAX: usize = 256 * 1024;
/// Longest message in a memfd, in bytes; a longer one is cut.
const MEMFD_MAX: usize = 8 << 20;
/// Datagrams taken in one turn from one socket.
const BURST: usize = 512;
/// Bytes after which no more is taken in a turn from one socket: those of the longest message. Whoever sends such without end must
/// not keep the journal from its heartbeat.
const TURN_MAX: usize = MEMFD_MAX;

/// Records of the kernel's ring that are taken before anything else at the start, where it has as many: they were there first.
const FIRST: usize = 64 << 10;

/// Turns in which what still waits in the sockets is taken once the journal is to end.
const LAST_TURNS: u32 = 32;

/// Runs until SIGTERM; then everything that has come is written.
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
    let (export, remains) = (find("export"), find("remains"));
    let sockets: Vec<OwnedFd> = named.into_iter().map(|(_, fd)| fd).collect();
    let mut export = match export {
        Some(i) => Some(Export::new(UnixListener::from(sockets[i].try_clone()?))?),
        None => None,
    };
    let mut remains = match remains {
        Some(i) => Some(Remains::new(
            UnixListener::from(sockets[i].try_clone()?),
            &folder(),
            &boot(),
        )?),
        None => None,
    };
    // What PID 1 gives to units as their standard output is bound there, below each one's name.
    let outputs = fds::unix_path(sockets[stdout].as_fd()).map(|p| sockets::outputs(&p));
    let mut kmsg = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags_nonblock()
        .open("/dev/kmsg")
        .ok();
    let stop = stop()?;
    let mut stopping = 0;
    let (mut store, mut lines) = (Store::new(), Lines::default());
    let mut buf = vec![0u8; DATAGRAM_MAX];
    let notify = Notify::from_env();
    notify.say("READY=1");
    if let Some(k) = &mut kmsg {
        read_kernel(k, &mut buf, FIRST, &mut store);
    }
    let (mut beaten, mut told) = (Instant::now(), None::<String>);
    let mut beside = Beside::room(datagram::FDS_MAX);
    loop {
        let mut fds = vec![
            PollFd::new(sockets[native].as_fd(), PollFlags::POLLIN),
            PollFd::new(sockets[stdout].as_fd(), PollFlags::POLLIN),
            PollFd::new(stop.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(kmsg.as_ref().map(|k| PollFd::new(k.as_fd(), PollFlags::POLLIN)));
        fds.extend(export.iter().flat_map(Export::fds).map(|(fd, writes)| {
            let flags = if writes { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            PollFd::new(fd, flags)
        }));
        fds.extend(
            remains
                .iter()
                .filter_map(Remains::fd)
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        match poll(&mut fds, PollTimeout::from(1000u16)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        // Its byte stays in the pipe, so that no later turn waits.
        let stopped = fds[2].any() == Some(true);
        let mut took = false;
        // First, since its lines bear a time of their own.
        if let Some(k) = &mut kmsg {
            took |= read_kernel(k, &mut buf, BURST, &mut store);
        }
        let outputs = outputs.as_deref();
        took |= take(
            sockets[native].as_fd(),
            &mut buf,
            &mut beside,
            outputs,
            |sender, bytes| {
                // A logger that starts sends an empty datagram, to see whether somebody listens.
                if !bytes.is_empty() {
                    store.add_native(&sender, clock::now(), bytes);
                }
            },
        );
        took |= take(
            sockets[stdout].as_fd(),
            &mut buf,
            &mut beside,
            outputs,
            |sender, bytes| {
                let now = clock::now();
                lines.take(sender, bytes, now, |s, l| store.add_of(s, now, Entry::line(l, s)));
            },
        );
        let now = clock::now();
        lines.due(now, |s, l| store.add_of(s, now, Entry::line(l, s)));
        if let Some(e) = &mut export {
            e.serve(&store);
        }
        if let Some(r) = &mut remains {
            r.serve();
        }
        if stopped {
            stopping += 1;
            if !took || stopping >= LAST_TURNS {
                lines.due(u64::MAX, |s, l| store.add_of(s, now, Entry::line(l, s)));
                store.finish();
                return Ok(());
            }
        }
        store.settle();
        if store.gave_up() != told.as_deref() {
            told = store.gave_up().map(str::to_owned);
            notify.say(&format!("STATUS={}", told.as_deref().unwrap_or_default()));
        }
        // Only now: the heartbeat says that everything was read and written.
        if beaten.elapsed() >= notify.every {
            beaten = Instant::now();
            notify.say("WATCHDOG=1");
        }
    }
}

/// Takes records of the kernel's, `most` at most, and tells whether there were any.
fn read_kernel(kmsg: &mut std::fs::File, buf: &mut [u8], most: usize, store: &mut Store) -> bool {
    let mut took = false;
    for _ in 0..most {
        match kmsg.read(buf) {
            Ok(n) => {
                took = true;
                store.add_kernel(&buf[..n]);
            }
            // Records were overwritten before we came; the next read goes on.
            Err(e) if e.raw_os_error() == Some(libc::EPIPE) => {}
            Err(_) => break,
        }
    }
    took
}

/// Takes what waits in a socket, [`BURST`] datagrams and [`TURN_MAX`] bytes at most, and tells whether there was any.
fn take(
    socket: BorrowedFd<'_>,
    buf: &mut [u8],
    beside: &mut Beside,
    outputs: Option<&Path>,
    mut each: impl FnMut(Sender, &[u8]),
) -> bool {
    let mut bytes_taken = 0;
    for n in 0..BURST {
        if bytes_taken >= TURN_MAX {
            break;
        }
        let Some((sender, bytes)) = receive(socket, buf, beside, outputs) else {
            return n > 0;
        };
        bytes_taken += bytes.len();
        each(sender, &bytes);
    }
    true
}

/// The next datagram and who sent it; a large message comes as a sealed memory file. What cannot be traced to its sender, or
/// carries more than that one file, is left out, as systemd does. Its unit is that by whose name its socket is bound in `outputs`:
/// its process may be gone, and its number another's. Other sockets' processes are asked for.
fn receive(
    socket: BorrowedFd<'_>,
    buf: &mut [u8],
    beside: &mut Beside,
    outputs: Option<&Path>,
) -> Option<(Sender, Vec<u8>)> {
    for _ in 0..BURST {
        let mut got = datagram::receive(socket, buf, beside).ok()?;
        let Some(c) = got.sender.filter(|_| !got.cut && got.fds.len() <= 1) else {
            continue;
        };
        let sender = Sender {
            pid: c.pid,
            uid: c.uid,
            unit: bound_in(outputs, beside.from()).or_else(|| cgroup::unit_of(c.pid)),
        };
        let large = got.fds.pop().and_then(|fd| large(fd.as_fd()));
        let bytes = large.unwrap_or_else(|| buf[..got.len.min(buf.len())].to_vec());
        return Some((sender, bytes));
    }
    None
}

/// The unit that a socket is named after.
fn bound_in(outputs: Option<&Path>, from: Option<&Path>) -> Option<String> {
    let from = from.filter(|from| from.parent() == outputs)?;
    Some(from.file_name()?.to_str()?.to_owned())
}

/// What a memory file holds, from its beginning. Only a regular file: reading from a pipe could wait for ever.
fn large(fd: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let kind = nix::sys::stat::fstat(fd).ok()?.st_mode & libc::S_IFMT;
    if kind != libc::S_IFREG {
        return None;
    }
    // A second number for what is no socket: its end waits for nobody.
    let mut file = std::fs::File::from(fd.try_clone_to_owned().ok()?);
    let mut bytes = Vec::new();
    let _ = io::Seek::seek(&mut file, io::SeekFrom::Start(0));
    let _ = file.take(MEMFD_MAX as u64).read_to_end(&mut bytes);
    Some(bytes)
}

/// Gets a byte when the journal is to end.
fn stop() -> io::Result<UnixStream> {
    let (rx, tx) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::low_level::pipe::register(signal, tx.try_clone()?)?;
    }
    Ok(rx)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::shell::fdstore::tests::lingering;
    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg, setsockopt, sockopt};
    use std::io::{IoSlice, Write};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_last_words_of_a_process_that_was_reaped_have_its_unit() {
        let dir = tempfile::tempdir().unwrap();
        let stdout = dir.path().join("stdout.sock");
        let to = UnixDatagram::bind(&stdout).unwrap();
        setsockopt(&to, sockopt::PassCred, &true).unwrap();
        sockets::make_outputs(&stdout).unwrap();
        let outputs = sockets::outputs(&stdout);
        // Twice: the next process's socket takes the name of the one before.
        for text in ["first", "second"] {
            let out = sockets::connected(&stdout, &outputs.join("server")).unwrap();
            let mut echo = std::process::Command::new("/bin/echo");
            echo.arg(text).stdout(out);
            assert!(echo.status().unwrap().success());
        }
        // One that is bound elsewhere is no unit's by its name.
        let other = UnixDatagram::bind(dir.path().join("agent")).unwrap();
        other.send_to(b"third\n", &stdout).unwrap();
        let (mut buf, mut beside) = (vec![0; 1024], Beside::room(datagram::FDS_MAX));
        for (text, unit) in [
            ("first\n", Some("server")),
            ("second\n", Some("server")),
            ("third\n", None),
        ] {
            let (sender, bytes) = receive(to.as_fd(), &mut buf, &mut beside, Some(&outputs)).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), text);
            assert_eq!(sender.unit.as_deref(), unit);
        }
    }

    #[test]
    fn large_messages_without_end_leave_time_for_a_heartbeat() {
        let (from, to) = UnixDatagram::pair().unwrap();
        setsockopt(&to, sockopt::PassCred, &true).unwrap();
        let file = tempfile::tempfile().unwrap();
        file.set_len(TURN_MAX as u64).unwrap();
        for _ in 0..3 {
            let fds = [file.as_raw_fd()];
            let iov = [IoSlice::new(b"")];
            sendmsg::<UnixAddr>(
                from.as_raw_fd(),
                &iov,
                &[ControlMessage::ScmRights(&fds)],
                MsgFlags::empty(),
                None,
            )
            .unwrap();
        }
        let (mut buf, mut beside) = (vec![0; 1024], Beside::room(datagram::FDS_MAX));
        for expected in [1, 1, 1, 0] {
            let mut count = 0;
            let took = take(to.as_fd(), &mut buf, &mut beside, None, |_, bytes| {
                assert_eq!(bytes.len(), TURN_MAX);
                count += 1;
            });
            assert_eq!((took, count), (expected > 0, expected));
        }
    }

    #[test]
    fn no_sender_is_made_up_and_more_than_one_file_is_left_out() {
        let (from, to) = UnixDatagram::pair().unwrap();
        setsockopt(&to, sockopt::PassCred, &true).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"MESSAGE=large").unwrap();
        let send = |text: &str, count: usize| {
            let fds = vec![file.as_raw_fd(); count];
            let rights = [ControlMessage::ScmRights(&fds)];
            let control = if count == 0 { &[][..] } else { &rights[..] };
            let iov = [IoSlice::new(text.as_bytes())];
            sendmsg::<UnixAddr>(from.as_raw_fd(), &iov, control, MsgFlags::empty(), None).unwrap();
        };
        for count in [2, 64, 253] {
            send("MESSAGE=forged", count);
        }
        // Whoever closes these last would wait for as long as their sender likes: alone, and as one too many.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for count in [1, 2] {
            let sockets: Vec<_> = (0..count).map(|_| lingering(&listener)).collect();
            let fds: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
            let iov = [IoSlice::new(b"MESSAGE=lingers")];
            let rights = [ControlMessage::ScmRights(&fds)];
            sendmsg::<UnixAddr>(from.as_raw_fd(), &iov, &rights, MsgFlags::empty(), None).unwrap();
            drop(sockets);
        }
        let begun = Instant::now();
        send("MESSAGE=small", 0);
        send("", 1);
        let (mut buf, mut beside) = (vec![0; 1024], Beside::room(datagram::FDS_MAX));
        for expected in ["MESSAGE=lingers", "MESSAGE=small", "MESSAGE=large"] {
            let (sender, bytes) = receive(to.as_fd(), &mut buf, &mut beside, None).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
            assert_eq!(sender.pid.unsigned_abs(), std::process::id());
        }
        assert!(receive(to.as_fd(), &mut buf, &mut beside, None).is_none());
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

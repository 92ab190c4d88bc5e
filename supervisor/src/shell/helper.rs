//! Children of the same binary for whatever may block: loading a module, probing the medium, drawing the console.
//!
//! A helper is forked without exec, speaks in lines over a socket of its own (each at most [`LINE_MAX`] bytes, one may
//! carry a descriptor), and may hang in the kernel for ever: PID 1 neither waits for it nor shares a descriptor with it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg, sendmsg,
    socketpair,
};
use nix::unistd::{ForkResult, Pid, fork};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};

use super::signals;

/// Longest message in either direction, in bytes.
pub const LINE_MAX: usize = 16 * 1024;

/// What a helper is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Watchdog and file-system modules, `/system`.
    Early,
    /// Walks `/sys` and loads a module for every device.
    Coldplug,
    /// Loads modules for devices that have just appeared.
    Hotplug,
    /// Modules that no device asks for, and watchdogs that had not been found.
    Late,
    /// Finds, mounts, keeps and probes the boot medium.
    Medium,
    /// Moves state into RAM.
    ToRam,
    /// Has a disk take commands again that was in the boot medium's place.
    Fence,
    /// Draws the console.
    Console,
    /// Listens to the power button.
    Button,
    /// Has dhcpcd look at an interface that has come.
    Network,
    /// Asks for the box's addresses.
    Addresses,
    /// Puts a debug bundle on the boot partition.
    Bundle,
    /// Writes an update.
    Update,
    /// Looks at the slots, and keeps the running one.
    Slots,
    /// Keeps faults of PID 1 itself on DATA.
    Faults,
    /// Last writes before the end.
    Farewell,
}

/// A running helper.
#[derive(Debug)]
pub struct Helper {
    /// What for.
    pub task: Task,
    /// Its process.
    pub pid: i32,
    socket: OwnedFd,
}

/// The helper's own end.
#[derive(Debug)]
pub struct Line(OwnedFd);

impl Line {
    /// A helper's end that nobody listens to.
    #[cfg(test)]
    pub(crate) fn unheard() -> io::Result<Line> {
        Line::pair().map(|(_, line)| line)
    }

    /// A helper's end, and that of who started it: a thread here.
    #[cfg(test)]
    pub(crate) fn pair() -> io::Result<(Helper, Line)> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Helper::of(Task::Medium, 0, ours), Line(theirs)))
    }

    /// Tells PID 1 one thing.
    pub fn say(&self, text: &str) {
        let _ = self.send(text, None);
    }

    /// Tells PID 1 one thing and hands it a descriptor.
    ///
    /// # Errors
    /// PID 1 is gone.
    pub fn give(&self, text: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.send(text, Some(fd.as_raw_fd()))
    }

    fn send(&self, text: &str, fd: Option<RawFd>) -> io::Result<()> {
        let mut end = text.len().min(LINE_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let iov = [IoSlice::new(&text.as_bytes()[..end])];
        let fds = fd.map(|f| [f]);
        let control: Vec<ControlMessage<'_>> = fds.iter().map(|f| ControlMessage::ScmRights(f)).collect();
        sendmsg::<UnixAddr>(self.0.as_raw_fd(), &iov, &control, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Waits for the next message of PID 1; `None` when it is gone.
    pub fn hear(&self) -> Option<String> {
        let mut buf = vec![0u8; LINE_MAX];
        loop {
            match nix::sys::socket::recv(self.0.as_raw_fd(), &mut buf, MsgFlags::empty()) {
                Ok(0) => return None,
                Ok(n) => return Some(String::from_utf8_lossy(&buf[..n]).into_owned()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}

/// What a helper heard within a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Text(String),
    /// Nothing so far.
    Nothing,
    /// PID 1 is gone.
    Closed,
}

impl Line {
    /// Waits for a message for at most `time`.
    pub fn hear_within(&self, time: std::time::Duration) -> Heard {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        // A time beyond what the kernel counts is none.
        let time = Timespec::try_from(time).ok();
        match super::sleep::sleep(&mut fds, time.as_ref()) {
            Ok(0) | Err(_) => Heard::Nothing,
            Ok(_) => self.hear().map_or(Heard::Closed, Heard::Text),
        }
    }
}

impl Helper {
    /// Forks; `work` runs in the child and its result is the exit status.
    ///
    /// # Errors
    /// No socket or no process could be made.
    pub fn start(task: Task, work: impl FnOnce(&Line) -> i32) -> io::Result<Helper> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        nix::fcntl::fcntl(&ours, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
        let blocked = signals::Blocked::all();
        // SAFETY: PID 1 has one thread, so the child may use everything that the parent could.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                drop(blocked);
                Ok(Helper {
                    task,
                    pid: child.as_raw(),
                    socket: ours,
                })
            }
            ForkResult::Child => {
                signals::reset_in_child();
                let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
                let line = keep_only(theirs);
                let status = line.map_or(101, |line| work(&line));
                // SAFETY: ends the child without running the parent's destructors.
                unsafe { libc::_exit(status) }
            }
        }
    }

    /// Sends it a message; dropped when it does not listen, since PID 1 never waits.
    pub fn tell(&self, text: &str) -> bool {
        text.len() <= LINE_MAX
            && nix::sys::socket::send(
                self.socket.as_raw_fd(),
                text.as_bytes(),
                MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
            )
            .is_ok()
    }

    /// The next thing it said, with the descriptor it gave, if any.
    pub fn next(&self) -> Option<(String, Option<OwnedFd>)> {
        let mut buf = [0u8; LINE_MAX];
        let mut control = nix::cmsg_space!([libc::c_int; 1]);
        let mut iov = [IoSliceMut::new(&mut buf)];
        let m = recvmsg::<UnixAddr>(
            self.socket.as_raw_fd(),
            &mut iov,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .ok()?;
        let mut fd = None;
        for c in m.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmRights(fds) = c {
                for f in fds {
                    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
                    fd = Some(unsafe { OwnedFd::from_raw_fd(f) });
                }
            }
        }
        let len = m.bytes;
        if len == 0 {
            return None;
        }
        Some((String::from_utf8_lossy(&buf[..len]).into_owned(), fd))
    }

    /// Goes on with one that an earlier image has started.
    pub fn of(task: Task, pid: i32, socket: OwnedFd) -> Helper {
        Helper { task, pid, socket }
    }

    /// Ends it; it may be stuck, so nobody waits.
    pub fn kill(&self) {
        let _ = nix::sys::signal::kill(Pid::from_raw(self.pid), nix::sys::signal::Signal::SIGKILL);
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Moves the helper's socket to descriptor 3 and closes everything else but standard input, output and error.
fn keep_only(socket: OwnedFd) -> Option<Line> {
    // SAFETY: dup3 onto 3 closes whatever was there in this process only.
    if socket.as_raw_fd() != 3 && unsafe { libc::dup3(socket.as_raw_fd(), 3, libc::O_CLOEXEC) } < 0 {
        return None;
    }
    // What is closed below is closed once.
    let _ = socket.into_raw_fd();
    // SAFETY: the child is single-threaded and forgets every object that owned one of these descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, 4u32, u32::MAX, 0u32) };
    crate::shell::log::reopen();
    // SAFETY: descriptor 3 is the socket that was just put there.
    Some(Line(unsafe { OwnedFd::from_raw_fd(3) }))
}

//! The kernel's uevents, sent on as they come.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::thread;

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use probe::Line;

use crate::{Out, send};

/// Multicast group of the kernel's own events.
const KERNEL: u32 = 1;

/// Starts a thread that sends every uevent on.
pub(crate) fn listen(out: Out) -> io::Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkKObjectUEvent,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
    thread::spawn(move || {
        let mut buffer = [0_u8; 16 * 1024];
        loop {
            // A lost message (ENOBUFS) shows in the test as an event that never came.
            let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) else {
                continue;
            };
            let keys: BTreeMap<String, String> = buffer[..length]
                .split(|b| *b == 0)
                .filter_map(|part| std::str::from_utf8(part).ok()?.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect();
            if send(&out, &Line::Uevent(keys)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

//! Only what comes from the local link is heard (RFC 6762 §5.5, §11): else whoever can send to the box from anywhere could have
//! it answer others with many times as much, and fill its memory with records that nobody has asked for.
//!
//! The responder looks at neither destination nor hop count, so the kernel does, in its sockets: in comes what was sent to the
//! group, which no router passes on, or with 255 hops left, which nothing has that a router has passed on. A question that a
//! neighbour's program sends to the box alone has fewer, and gets no answer; one to the group gets it. Tested: here over the
//! loopback; `tests/mdns.rs`, behind a router.

use std::fs;
use std::io;
use std::os::fd::RawFd;

use nix::sys::socket::{SockaddrStorage, getsockname};
use supervisor::bpf::{BYTE, EQUAL, HALF, RETURN, SHIFT, WORD};

use crate::retract::GROUP_V4;

/// Into the network header, from where a socket's filter else begins: at that of UDP (linux/filter.h).
const HEADER: u32 = libc::SKF_NET_OFF.cast_unsigned();
/// Offsets in the headers of IPv4 (RFC 791 §3.1) and IPv6 (RFC 8200 §3).
const VERSION: u32 = HEADER;
const V4_HOPS: u32 = HEADER + 8;
const V4_TO: u32 = HEADER + 16;
const V6_HOPS: u32 = HEADER + 7;
const V6_TO: u32 = HEADER + 24;
/// Begins an address of a group of IPv6 on the link (RFC 4291 §2.7): `ff02::fb` is the one that the responder is in.
const V6_LINK: u32 = 0xff02;
/// What a neighbour sends (RFC 6762 §11).
const HOPS: u32 = 255;

/// Has each of this process's sockets at `port` hear the local link alone.
///
/// # Errors
/// There is no such socket, or the kernel refused.
pub(crate) fn local_link_alone(port: u16) -> io::Result<()> {
    let is_ours = |fd: &RawFd| {
        let name = getsockname::<SockaddrStorage>(*fd);
        name.is_ok_and(|name| {
            let v4 = name.as_sockaddr_in().map(|name| name.port());
            v4.or(name.as_sockaddr_in6().map(|name| name.port())) == Some(port)
        })
    };
    let open = fs::read_dir("/proc/self/fd")?.flatten();
    let sockets: Vec<RawFd> = open
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(is_ours)
        .collect();
    if sockets.is_empty() {
        return Err(io::Error::other(format!("no socket at port {port}")));
    }
    sockets.into_iter().try_for_each(confine)
}

fn confine(socket: RawFd) -> io::Result<()> {
    let program = program();
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    let size = libc::socklen_t::try_from(size_of_val(&filter)).map_err(io::Error::other)?;
    let at = (&raw const filter).cast();
    // SAFETY: the kernel copies the program, which lives until the call is over, and writes nothing to it; the descriptor need
    // not be a socket.
    let done = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, at, size) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The filter as the kernel runs it. A jump counts what it leaves out.
fn program() -> [libc::sock_filter; 13] {
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    [
        op(BYTE, 0, 0, VERSION),
        op(SHIFT, 0, 0, 4),
        op(EQUAL, 4, 0, 6),
        op(WORD, 0, 0, V4_TO),
        op(EQUAL, 6, 0, GROUP_V4.to_bits()),
        op(BYTE, 0, 0, V4_HOPS),
        op(EQUAL, 4, 5, HOPS),
        op(HALF, 0, 0, V6_TO),
        op(EQUAL, 2, 0, V6_LINK),
        op(BYTE, 0, 0, V6_HOPS),
        op(EQUAL, 0, 1, HOPS),
        op(RETURN, 0, 0, u32::MAX),
        op(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
    use std::time::Duration;

    use nix::sys::socket::{setsockopt, sockopt};

    use super::*;

    #[test]
    fn what_a_router_may_have_passed_on_is_not_heard() {
        for own in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let Ok(socket) = UdpSocket::bind((own, 0)) else {
                assert!(own.is_ipv6(), "{own}");
                continue;
            };
            let at = socket.local_addr().unwrap();
            local_link_alone(at.port()).unwrap();
            let from = UdpSocket::bind((own, 0)).unwrap();
            for (hops, text) in [(64, "afar"), (254, "near"), (255, "next")] {
                match own {
                    IpAddr::V4(_) => from.set_ttl(hops).unwrap(),
                    IpAddr::V6(_) => setsockopt(&from, sockopt::Ipv6Ttl, &hops.cast_signed()).unwrap(),
                }
                from.send_to(text.as_bytes(), at).unwrap();
            }
            // One that is left out is gone by the time the next is there.
            socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
            let mut heard = [0; 8];
            let len = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..len], b"next", "{own}");
        }
    }

    #[test]
    fn a_responder_without_a_socket_is_none() {
        // Nothing here is at the port of the discard service.
        assert!(local_link_alone(9).is_err());
    }
}

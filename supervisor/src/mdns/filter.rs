//! Only what others on the local link send is heard.
//!
//! From the link (RFC 6762 §5.5, §11): else whoever can send to the box from anywhere could have it answer others with many times
//! as much, and fill its memory with records that nobody has asked for. From others: of two cards in one switch, each hears what
//! the other sends, and the box would take its own words for a rival's and give up its name to itself (§14).
//!
//! The responder looks at neither sender, destination nor hop count, so the kernel does, in its sockets: in comes what was sent to
//! the group, which no router passes on, or with 255 hops left, which nothing has that a router has passed on; but nothing from
//! the hardware address of one of the box's own cards, which stays the same while addresses come and go. A question that a
//! neighbour's program sends to the box alone has fewer hops, and gets no answer; one to the group gets it. Tested: here over the
//! loopback; `tests/mdns.rs`, behind a router and in a switch.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
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
/// Where a frame's sender stands (linux/filter.h, behind six bytes of the receiver's).
const FROM: u32 = libc::SKF_LL_OFF.cast_unsigned() + 6;
/// Most cards whose frames are left out: more than a machine has, and far below what a filter may hold (4096 operations).
const CARDS_MAX: usize = 64;

/// Hardware address of a card.
pub(crate) type Card = [u8; 6];

/// Hardware addresses of this machine's cards. The loopback has none.
pub(crate) fn cards() -> BTreeSet<Card> {
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|own| own.address?.as_link_addr()?.addr())
        .filter(|card| *card != Card::default())
        .collect()
}

/// Has each of this process's sockets at `port` hear the local link alone, without what these cards send.
///
/// # Errors
/// There is no such socket, or the kernel refused.
pub(crate) fn others_alone(port: u16, own: &BTreeSet<Card>) -> io::Result<()> {
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
    let program = program(own);
    sockets.into_iter().try_for_each(|socket| confine(socket, &program))
}

fn confine(socket: RawFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    let size = libc::socklen_t::try_from(size_of_val(&filter)).map_err(io::Error::other)?;
    let at = (&raw const filter).cast();
    // SAFETY: the kernel copies the program, which lives until the call is over, and writes nothing to it; the descriptor need
    // not be a socket.
    let done = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, at, size) };
    let error = Errno::last();
    // A responder that has said goodbye closes its own while this goes on.
    if done == 0 || [Errno::EBADF, Errno::ENOTSOCK].contains(&error) {
        Ok(())
    } else {
        Err(error.into())
    }
}

/// The filter as the kernel runs it. A jump counts what it leaves out.
fn program(own: &BTreeSet<Card>) -> Vec<libc::sock_filter> {
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let of_card = |card: &Card| {
        let [first @ .., fifth, sixth] = *card;
        [
            op(WORD, 0, 0, FROM),
            op(EQUAL, 0, 3, u32::from_be_bytes(first)),
            op(HALF, 0, 0, FROM + 4),
            op(EQUAL, 0, 1, u16::from_be_bytes([fifth, sixth]).into()),
            op(RETURN, 0, 0, 0),
        ]
    };
    let from_the_link = [
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
    ];
    let own = own.iter().take(CARDS_MAX).flat_map(of_card);
    own.chain(from_the_link).collect()
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
            others_alone(at.port(), &BTreeSet::from([[2, 0, 0, 0, 0, 1]])).unwrap();
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
    fn what_an_own_card_sends_is_not_heard() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = socket.local_addr().unwrap();
        let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        from.set_ttl(255).unwrap();
        // What the loopback brings is from a card of zeros.
        others_alone(at.port(), &[[0, 0, 0, 0, 0, 1], Card::default()].into()).unwrap();
        from.send_to(b"own", at).unwrap();
        others_alone(at.port(), &[[0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0]].into()).unwrap();
        from.send_to(b"other", at).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut heard = [0; 8];
        let len = socket.recv(&mut heard).unwrap();
        assert_eq!(&heard[..len], b"other");
    }

    #[test]
    fn a_responder_without_a_socket_is_none() {
        // Nothing here is at the port of the discard service.
        assert!(others_alone(9, &BTreeSet::new()).is_err());
    }
}

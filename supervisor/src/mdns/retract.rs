//! Takes back an address that the box has no more (RFC 6762 §10.1): who has kept it would call there for two minutes.
//!
//! The responder announces an address that is new by itself (§8.3), and is silent about one that goes. Where the box can
//! no more be heard nothing is said; the record's time runs out there. Tested: `tests/mdns.rs`.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt};

use crate::LABEL_MAX;

/// Port and groups of multicast DNS (RFC 6762 §3).
pub(crate) const PORT: u16 = 5353;
pub(crate) const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// A response with authority (RFC 6762 §18.2, §18.4).
const RESPONSE: [u8; 2] = [0x84, 0];
/// Class IN. Without the bit that flushes: it would take back the addresses that stay, too (§10.2).
const CLASS: [u8; 2] = [0, 1];

/// Tells every network that the box still is in that `name` (with `.local`) is no more at `address`.
pub(crate) fn address(name: &str, address: IpAddr) {
    let Some(message) = message(name, address) else {
        return;
    };
    let mut told = BTreeSet::new();
    for own in getifaddrs().into_iter().flatten() {
        let heard = own
            .flags
            .contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST)
            && !own.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let v4 = own.address.and_then(|a| Some(a.as_sockaddr_in()?.ip()));
        let v6 = own.address.is_some_and(|a| a.as_sockaddr_in6().is_some());
        if !heard || !(v4.is_some() || v6) || !told.insert((own.interface_name.clone(), v6)) {
            continue;
        }
        // A link that has just gone takes nothing: nobody is left on it who could hear.
        let _ = match v4 {
            Some(v4) => send_v4(&message, v4),
            None => send_v6(&message, &own.interface_name),
        };
    }
}

/// From one of an interface's own addresses, which is what chooses the interface.
fn send_v4(message: &[u8], own: Ipv4Addr) -> io::Result<()> {
    let socket = port_of(AddressFamily::Inet, (own, PORT).into())?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(false)?;
    socket.send_to(message, (GROUP_V4, PORT)).map(drop)
}

fn send_v6(message: &[u8], interface: &str) -> io::Result<()> {
    let socket = port_of(AddressFamily::Inet6, (Ipv6Addr::UNSPECIFIED, PORT).into())?;
    setsockopt(&socket, sockopt::Ipv6MulticastHops, &255)?;
    socket.set_multicast_loop_v6(false)?;
    let to = SocketAddrV6::new(GROUP_V6, PORT, 0, if_nametoindex(interface)?);
    socket.send_to(message, to).map(drop)
}

/// A socket beside the responder's: what comes from another port is no response (RFC 6762 §6).
fn port_of(family: AddressFamily, own: SocketAddr) -> io::Result<UdpSocket> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Datagram, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    if family == AddressFamily::Inet6 {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(own))?;
    Ok(UdpSocket::from(fd))
}

/// One answer: `name` at `address`, with no time left. `None` for what is no name.
fn message(name: &str, address: IpAddr) -> Option<Vec<u8>> {
    let mut message = Vec::from([0, 0]);
    message.extend(RESPONSE);
    // Questions, answers, authorities, additional records.
    message.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len())
            .ok()
            .filter(|n| (1..=LABEL_MAX).contains(&usize::from(*n)))?;
        message.push(len);
        message.extend(label.bytes());
    }
    message.push(0);
    let (kind, bytes) = match address {
        IpAddr::V4(a) => (1, a.octets().to_vec()),
        IpAddr::V6(a) => (28, a.octets().to_vec()),
    };
    message.extend([0, kind]);
    message.extend(CLASS);
    message.extend([0; 4]);
    message.extend([0, u8::try_from(bytes.len()).ok()?]);
    message.extend(bytes);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_one_record_without_time_left() {
        let expected = b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x06kiln-1\x05local\0\0\x01\0\x01\0\0\0\0\0\x04\x0a\x4d\0\x09";
        let address = IpAddr::from([10, 77, 0, 9]);
        assert_eq!(message("kiln-1.local", address).as_deref(), Some(expected.as_slice()));
        for wrong in ["", "a..local", &format!("{}.local", "x".repeat(64))] {
            assert_eq!(message(wrong, address), None, "{wrong}");
        }
    }
}

//! The network as PID 1 sees it: loopback up, addresses watched. Everything else about it is dhcpcd's (`crate::network`).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};

/// `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR` (linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// Tells when an address or a link has changed.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    /// Begins to listen.
    ///
    /// # Errors
    /// The socket could not be made.
    pub fn listen() -> io::Result<Watch> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Watch(fd))
    }

    /// Whether anything has changed since the last call; a lost message counts as a change.
    pub fn changed(&self) -> bool {
        let mut buf = [0u8; 8192];
        let mut any = false;
        for _ in 0..256 {
            match recv(self.0.as_raw_fd(), &mut buf, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(nix::errno::Errno::ENOBUFS) => any = true,
                Err(_) => break,
            }
        }
        any
    }
}

impl From<OwnedFd> for Watch {
    /// Goes on with one that an earlier image has opened.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Addresses that others can reach: IPv4 first, link-local ones last; without loopback and link-local IPv6.
pub fn addresses() -> Vec<String> {
    let mut found: Vec<IpAddr> = nix::ifaddrs::getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|i| {
            let a = i.address?;
            a.as_sockaddr_in()
                .map(|v4| IpAddr::from(v4.ip()))
                .or_else(|| a.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
        })
        .filter(|a| match a {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        })
        .collect();
    found.sort_by_key(|a| (matches!(a, IpAddr::V4(v4) if v4.is_link_local()), *a));
    found.dedup();
    found.iter().take(16).map(ToString::to_string).collect()
}

fn control() -> io::Result<OwnedFd> {
    Ok(socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?)
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: `ifreq` is plain old data, for which zeros are valid.
    let mut r: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in r.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from.cast_signed() as libc::c_char;
    }
    r
}

fn ioctl(fd: &OwnedFd, number: libc::c_ulong, r: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: `r` is a valid ifreq that outlives the call.
    if unsafe { libc::ioctl(fd.as_raw_fd(), number as _, std::ptr::from_mut(r)) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Brings an interface up.
///
/// # Errors
/// What the kernel says.
pub fn up(name: &str) -> io::Result<()> {
    let fd = control()?;
    let mut r = request(name);
    r.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(1);
    ioctl(&fd, libc::SIOCSIFFLAGS, &mut r)
}

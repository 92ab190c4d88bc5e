//! Which addresses a message may be sent to.
//!
//! A box stands in somebody's network and tells servers in that network: private addresses are allowed, loopback too.
//! What is refused is what no alert channel is and what gives keys away in a cloud: link-local addresses (the metadata
//! services of every cloud are there), the metadata addresses outside it, multicast, broadcast, and "no address".
//! The check is made on the address that is connected to, after the name was resolved, so that a name cannot change
//! in between; redirects are never followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Metadata addresses outside the link-local range. Source: the documentation of Alibaba Cloud, AWS (IPv6), Oracle.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Names of metadata services.
const METADATA_NAMES: [&str; 3] = ["metadata", "metadata.google.internal", "metadata.goog"];

/// Why nothing is sent to `address`; `None` where it may be.
pub fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            let inner = match segments {
                // Mapped (::ffff:a.b.c.d), compatible (::a.b.c.d) and NAT64 (64:ff9b::a.b.c.d): what is inside counts.
                [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => true,
                [0, 0, 0, 0, 0, 0, high, _] => high != 0,
                // 6to4 carries it in front.
                [0x2002, high, low, ..] => {
                    return refused_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
                }
                _ => false,
            };
            if inner {
                return refused_v4(Ipv4Addr::from((u32::from(segments[6]) << 16) | u32::from(segments[7])));
            }
            if v6.is_unspecified() {
                Some("it is no address")
            } else if v6.is_unicast_link_local() || v6 == METADATA_V6 {
                Some("it is a link-local or metadata address")
            } else if v6.is_multicast() {
                Some("it is a multicast address")
            } else {
                None
            }
        }
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    if address.octets()[0] == 0 {
        Some("it is no address")
    } else if address.is_link_local() || METADATA_V4.contains(&address) {
        Some("it is a link-local or metadata address")
    } else if address.is_multicast() || address.is_broadcast() {
        Some("it is a multicast or broadcast address")
    } else {
        None
    }
}

/// Those of a host's addresses that may be connected to, in their order.
///
/// # Errors
/// None may: why the last one is refused, or nothing where there was none.
pub fn let_through(
    found: impl IntoIterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, Option<(IpAddr, &'static str)>> {
    let (mut good, mut bad) = (Vec::new(), None);
    for place in found {
        match refused(place.ip()) {
            Some(why) => bad = Some((place.ip(), why)),
            None => good.push(place),
        }
    }
    if good.is_empty() { Err(bad) } else { Ok(good) }
}

/// Looks at a host as it was typed, so that the form can tell at once.
///
/// # Errors
/// In words, when nothing would ever be sent there.
pub fn check_host(host: &str) -> Result<(), String> {
    let host = host.trim_end_matches('.');
    if METADATA_NAMES.iter().any(|name| host.eq_ignore_ascii_case(name)) {
        return Err(format!("nothing is sent to {host}: it is a metadata service"));
    }
    match host.parse::<IpAddr>().ok().and_then(refused) {
        Some(why) => Err(format!("nothing is sent to {host}: {why}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_addresses_that_are_let_through_are_left_to_connect_to() {
        let places = |list: &[&str]| list.iter().map(|p| p.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = places(&["[fe80::1]:80", "192.0.2.1:80", "169.254.169.254:80", "[2001:db8::1]:80"]);
        assert_eq!(let_through(mixed), Ok(places(&["192.0.2.1:80", "[2001:db8::1]:80"])));
        let none = let_through(places(&["[fe80::1]:80", "[fd00:ec2::254]:80"]));
        assert_eq!(none.unwrap_err().unwrap().0, IpAddr::V6(METADATA_V6));
        assert_eq!(let_through([]), Err(None));
    }

    #[test]
    fn metadata_is_refused_in_every_spelling_and_the_local_network_is_not() {
        for bad in [
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "::a9fe:a9fe",
            "fd00:ec2::254",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(refused(bad.parse().unwrap()).is_some(), "{bad}");
        }
        for good in [
            "127.0.0.1",
            "::1",
            "10.0.0.7",
            "192.168.1.9",
            "172.16.0.1",
            "8.8.8.8",
            "fd00::1",
            "2606:4700::1",
            "100.64.0.1",
        ] {
            assert_eq!(refused(good.parse().unwrap()), None, "{good}");
        }
        assert!(check_host("Metadata.Google.Internal.").is_err());
        assert!(check_host("169.254.169.254").is_err());
        assert!(check_host("nas.local").is_ok());
    }
}

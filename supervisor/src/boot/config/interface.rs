//! One network interface, as `kiln.toml` sets it.

use std::net::{IpAddr, Ipv4Addr};

use toml::{Table, Value};

use super::mistake::{Wrong, wrong_at};
use super::site::texts;

/// Settings of one network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Fixed addresses, at most one of each family, with the length of their network's prefix (1 to 32, 1 to 128); none: DHCP.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Default gateway of the fixed IPv4 address; IPv6 routers announce themselves.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Whether IPv6 is used on it; not said: it is.
    pub ipv6: Option<bool>,
    /// Whether it is left alone altogether; not said: it is not.
    pub off: Option<bool>,
}

impl Interface {
    /// Whether it is left alone altogether.
    pub fn is_off(&self) -> bool {
        self.off == Some(true)
    }

    /// What is expected in place of a gateway that no packet could take beside the fixed IPv4 address; `None` where it is possible.
    /// Without such an address DHCP brings one, and anything may be right.
    pub fn gateway_fault(&self) -> Option<String> {
        let gateway = self.gateway?;
        let (address, prefix) = self.addresses.iter().find_map(|(a, prefix)| match a {
            IpAddr::V4(a) => Some((*a, u32::from(*prefix))),
            IpAddr::V6(_) => None,
        })?;
        if gateway == address {
            return Some(format!(
                "the router's address: {gateway} is the box's own, by `address`"
            ));
        }
        // A network of one address has its gateway elsewhere (dhcpcd makes the way to it).
        let host = u32::MAX.checked_shr(prefix).filter(|host| *host != 0)?;
        let first = Ipv4Addr::from_bits(address.to_bits() & !host);
        if gateway.to_bits() & !host != first.to_bits() {
            return Some(format!("an address in {first}/{prefix}, the network of `address`"));
        }
        let place = match gateway.to_bits() & host {
            // A network of two has neither (RFC 3021).
            _ if host == 1 => return None,
            0 => "the network's own (the first)",
            part if part == host => "the one for all (the last)",
            _ => return None,
        };
        Some(format!(
            "the router's address: {gateway} is {place} of {first}/{prefix}"
        ))
    }
}

const ADDRESS: &str = "text like \"192.0.2.10/24\" or \"2001:db8::10/64\", or a list of such";
const HOST: &str =
    "an address that one computer can have: not its network's own (the first), nor the one for all (the last)";
const DNS: &str = "a list of addresses in quotes";

/// What is right of one interface's settings.
pub(super) fn interface(t: &Table, at: &[&str], wrong: &mut Vec<Wrong>) -> Interface {
    let mut i = Interface::default();
    for (key, value) in t {
        let expected = match (key.as_str(), value) {
            ("address", v) => match texts(v, |s| cidr(s).is_some()) {
                Some(list) if !list.iter().filter_map(|s| cidr(s)).all(is_of_one) => HOST,
                Some(list) => {
                    for a in list.iter().filter_map(|s| cidr(s)) {
                        if i.addresses.iter().all(|(b, _)| b.is_ipv4() != a.0.is_ipv4()) {
                            i.addresses.push(a);
                        }
                    }
                    if i.addresses.len() == list.len() {
                        continue;
                    }
                    "at most one IPv4 and one IPv6 address; the first of each is used"
                }
                None => ADDRESS,
            },
            ("gateway", v) => match v
                .as_str()
                .and_then(|s| s.parse().ok())
                .filter(|g| is_of_one((IpAddr::V4(*g), 32)))
            {
                Some(g) => {
                    i.gateway = Some(g);
                    continue;
                }
                None => "an IPv4 address in quotes (IPv6 routers announce themselves)",
            },
            ("dns", v) => match texts(v, |s| s.parse::<IpAddr>().is_ok()) {
                Some(list) => {
                    i.dns = list.iter().filter_map(|s| s.parse().ok()).collect();
                    continue;
                }
                None => DNS,
            },
            ("ipv6", Value::Boolean(b)) => {
                i.ipv6 = Some(*b);
                continue;
            }
            ("off", Value::Boolean(b)) => {
                i.off = Some(*b);
                continue;
            }
            ("ipv6" | "off", _) => "true or false",
            _ => "one of address, gateway, dns, ipv6, off",
        };
        wrong.push(wrong_at(&[at, &[key.as_str()]].concat(), expected));
    }
    if let Some(expected) = i.gateway_fault() {
        i.gateway = None;
        wrong.push(wrong_at(&[at, &["gateway"]].concat(), expected));
    }
    i
}

/// `192.0.2.10/24`: an address and its network's prefix.
fn cidr(s: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = s.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix: u8 = prefix.parse().ok()?;
    (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, prefix))
}

/// Whether one computer can have this address in a network with this prefix.
fn is_of_one((address, prefix): (IpAddr, u8)) -> bool {
    let usual = !(address.is_unspecified() || address.is_loopback() || address.is_multicast()) && prefix > 0;
    match address {
        IpAddr::V6(_) => usual,
        // Reserved from 240.0.0.0 on (RFC 1112 §4); a network of 31 bits has neither of the two (RFC 3021).
        IpAddr::V4(a) => {
            let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let part = a.to_bits() & host;
            usual && a.octets()[0] < 240 && (prefix > 30 || (part != 0 && part != host))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::config::site::Site;

    #[test]
    fn a_gateway_that_no_packet_can_take_is_told_for_its_own_reason_and_not_used() {
        for (address, gateway, expected) in [
            (
                "192.0.2.4/24",
                "192.0.2.4",
                Some("the router's address: 192.0.2.4 is the box's own, by `address`"),
            ),
            (
                "192.0.2.4/24",
                "192.0.3.1",
                Some("an address in 192.0.2.0/24, the network of `address`"),
            ),
            (
                "10.9.8.7/20",
                "10.9.16.1",
                Some("an address in 10.9.0.0/20, the network of `address`"),
            ),
            (
                "192.0.2.4/24",
                "192.0.2.0",
                Some("the router's address: 192.0.2.0 is the network's own (the first) of 192.0.2.0/24"),
            ),
            (
                "192.0.2.70/26",
                "192.0.2.127",
                Some("the router's address: 192.0.2.127 is the one for all (the last) of 192.0.2.64/26"),
            ),
            (
                "192.0.2.4/31",
                "192.0.2.6",
                Some("an address in 192.0.2.4/31, the network of `address`"),
            ),
            (
                "192.0.2.4/32",
                "192.0.2.4",
                Some("the router's address: 192.0.2.4 is the box's own, by `address`"),
            ),
            ("192.0.2.4/31", "192.0.2.5", None),
            ("192.0.2.5/31", "192.0.2.4", None),
            ("192.0.2.4/32", "10.0.0.1", None),
            ("10.9.8.7/20", "10.9.15.254", None),
            ("10.9.8.7/8", "10.255.255.254", None),
            ("fd00::9/64", "192.0.2.1", None),
        ] {
            let text = format!("[network]\ngateway='{gateway}'\naddress='{address}'\n");
            let (site, wrong) = Site::parse(&text);
            let told = expected.map(|e| format!("kiln.toml line 2, field `gateway`: expected {e}"));
            assert_eq!(wrong, told.into_iter().collect::<Vec<_>>(), "{text}");
            let first = &site.network[""];
            assert_eq!(
                (first.gateway.is_none(), first.addresses.len()),
                (expected.is_some(), 1),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_that_no_computer_has_is_told_and_not_used() {
        for address in [
            "192.0.2.0/24",
            "192.0.2.255/24",
            "0.0.0.0/0",
            "127.0.0.1/8",
            "224.0.0.5/24",
            "255.255.255.255/32",
            "240.0.0.5/24",
            "192.0.2.4/0",
            "::/64",
            "::1/128",
            "ff02::1/64",
        ] {
            let (site, wrong) = Site::parse(&format!("[network]\naddress='{address}'\ngateway='192.0.2.1'\n"));
            assert_eq!(site.network[""].addresses, [], "{address}");
            assert_eq!(
                wrong,
                [format!("kiln.toml line 2, field `address`: expected {HOST}")],
                "{address}"
            );
        }
        for address in [
            "192.0.2.0/31",
            "192.0.2.7/32",
            "10.0.0.255/8",
            "169.254.3.4/16",
            "fd00::/64",
            "fe80::1/64",
        ] {
            let (site, wrong) = Site::parse(&format!("[network]\naddress='{address}'\n"));
            assert_eq!(
                (site.network[""].addresses.len(), wrong.len()),
                (1, 0),
                "{address}: {wrong:?}"
            );
        }
        for gateway in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
            let (site, wrong) = Site::parse(&format!("[network]\ngateway='{gateway}'\n"));
            assert_eq!((site.network[""].gateway, wrong.len()), (None, 1), "{gateway}");
        }
    }
}

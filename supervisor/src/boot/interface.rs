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
    /// No IPv6 on it.
    pub no_ipv6: bool,
    /// Left alone altogether.
    pub off: bool,
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
                i.no_ipv6 = !b;
                continue;
            }
            ("off", Value::Boolean(b)) => {
                i.off = *b;
                continue;
            }
            ("ipv6" | "off", _) => "true or false",
            _ => "one of address, gateway, dns, ipv6, off",
        };
        wrong.push(wrong_at(&[at, &[key.as_str()]].concat(), expected));
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
    use crate::boot::site::Site;

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

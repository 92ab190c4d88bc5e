//! The pages beside the status: interfaces, and the end of the log. Read from the journal by the helper that draws, and from the
//! kernel by its child (`asked`), so both are there without network, server or state.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::Ipv6Addr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::asked::Asked;
use crate::journal::entry;
use crate::network::interfaces;
use crate::shell::printable::Printable;

/// Where the journal gives what it has.
const JOURNAL: &str = "/run/kiln/journal.sock";
/// Default gateways of IPv6 that are shown.
const GATEWAYS_MAX: usize = 4;
/// Flag of a route that leads to a router (linux/route.h).
const RTF_GATEWAY: u128 = 0x2;
/// Longest log that is read for the page, in bytes: what the journal keeps in memory.
const LOG_MAX: u64 = 16 << 20;

/// Interfaces with link, hardware address and addresses; routes and name servers.
pub(super) fn network(asked: &mut Asked) -> String {
    let begin = "\n  NETWORK\n\n";
    match asked.text(interfaces_and_routes) {
        Ok(text) => format!("{begin}{text}"),
        Err(e) if e.kind() == ErrorKind::TimedOut => format!(
            "{begin}  The kernel does not answer: the driver of a network card may hang. The log (key 3)\n  may tell which one; a restart (key p) starts it anew.\n"
        ),
        Err(e) => format!("{begin}  The kernel cannot be asked: {e}\n"),
    }
}

/// What [`network`] tells, asked of the kernel: it may not answer.
fn interfaces_and_routes() -> String {
    let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for i in nix::ifaddrs::getifaddrs().into_iter().flatten() {
        let Some(a) = i.address else { continue };
        let v4 = a.as_sockaddr_in().map(|a| a.ip().to_string());
        let text = v4.or_else(|| a.as_sockaddr_in6().map(|a| a.ip().to_string()));
        if let Some(text) = text {
            addresses.entry(i.interface_name).or_default().push(text);
        }
    }
    let sys = Path::new("/sys/class/net");
    let mut t = String::new();
    for (name, mac) in interfaces(sys) {
        let read = |f: &str| {
            fs::read_to_string(sys.join(&name).join(f))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let link = match (read("carrier").as_str(), read("speed").as_str()) {
            ("1", "" | "-1") => "cable connected".to_owned(),
            ("1", speed) => format!("cable connected, {speed} Mbit/s"),
            _ => "no cable".to_owned(),
        };
        t.push_str(&format!("  {name:<10}  {mac}  {link}\n"));
        for a in addresses.get(&name).into_iter().flatten() {
            t.push_str(&format!("              {a}\n"));
        }
    }
    if let Some(gateway) = fs::read_to_string("/proc/net/route").ok().and_then(|r| gateway(&r)) {
        t.push_str(&format!("  Gateway     {gateway}\n"));
    }
    for gateway in gateways6(&fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default()) {
        t.push_str(&format!("  Gateway     {gateway}\n"));
    }
    for l in fs::read_to_string("/etc/resolv.conf")
        .unwrap_or_default()
        .lines()
        .take(5)
    {
        t.push_str(&format!("  {l}\n"));
    }
    t
}

/// The default gateway, from the text of `/proc/net/route`: little-endian hexadecimal.
fn gateway(routes: &str) -> Option<std::net::Ipv4Addr> {
    routes.lines().skip(1).find_map(|l| {
        let mut words = l.split_whitespace().skip(1);
        let (to, via) = (words.next()?, words.next()?);
        let via = u32::from_str_radix(via, 16).ok().filter(|v| *v != 0)?;
        (to == "00000000").then(|| via.to_le_bytes().into())
    })
}

/// The default gateways of IPv6, from the text of `/proc/net/ipv6_route`, the preferred one first; one that is good on a single
/// link names its interface.
fn gateways6(routes: &str) -> Vec<String> {
    let mut found: Vec<(u32, String)> = routes.lines().filter_map(gateway6).collect();
    found.sort();
    found.dedup_by(|a, b| a.1 == b.1);
    found.truncate(GATEWAYS_MAX);
    found.into_iter().map(|(_, gateway)| gateway).collect()
}

/// Metric and gateway of a line that is a default route by a router (net/ipv6/route.c): destination, its prefix, source, its
/// prefix, gateway, metric, two counts, flags, interface; all but the last hexadecimal.
fn gateway6(line: &str) -> Option<(u32, String)> {
    let w: Vec<&str> = line.split_whitespace().collect();
    let [to, prefix, _, _, via, metric, _, _, flags, interface] = w.as_slice() else {
        return None;
    };
    let number = |hex: &str| u128::from_str_radix(hex, 16).ok();
    let is_default = number(to)? == 0 && number(prefix)? == 0 && number(flags)? & RTF_GATEWAY != 0;
    let via = Ipv6Addr::from_bits(number(via).filter(|via| is_default && *via != 0)?);
    let zone = if via.is_unicast_link_local() {
        format!("%{interface}")
    } else {
        String::new()
    };
    Some((u32::from_str_radix(metric, 16).ok()?, format!("{via}{zone}")))
}

/// The last `rows` lines of the log, each cut to `columns`.
pub(super) fn log(rows: usize, columns: usize) -> String {
    let mut t = String::from("\n  LOG\n\n");
    match exported() {
        Ok(bytes) => {
            for l in tail(&bytes, rows) {
                let shown = Printable(&l).to_string();
                t.push_str(&format!("  {}\n", shown.chars().take(columns).collect::<String>()));
            }
        }
        Err(e) => t.push_str(&format!("  The journal does not answer: {e}\n")),
    }
    t
}

/// All that the journal has in memory, in the Journal Export Format.
///
/// # Errors
/// It does not answer within some seconds.
pub(crate) fn exported() -> std::io::Result<Vec<u8>> {
    let s = UnixStream::connect(JOURNAL)?;
    s.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut bytes = Vec::new();
    s.take(LOG_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last messages of a log in export format, as `unit: message`.
pub(crate) fn tail(bytes: &[u8], rows: usize) -> Vec<String> {
    let mut all = std::collections::VecDeque::with_capacity(rows + 1);
    for e in entries(bytes) {
        let field = |name: &str| {
            let found = e.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| String::from_utf8_lossy(v).into_owned())
        };
        let who = field("SYSLOG_IDENTIFIER")
            .or_else(|| field("_KILN_UNIT"))
            .unwrap_or_default();
        let Some(message) = field("MESSAGE") else { continue };
        all.push_back(format!("{who}: {message}"));
        if all.len() > rows {
            all.pop_front();
        }
    }
    all.into()
}

/// Splits a log in export format into its entries' fields.
fn entries(bytes: &[u8]) -> Vec<Vec<(&str, &[u8])>> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (fields, behind) = entry::fields(rest);
        out.push(fields);
        rest = behind;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::entry::{Entry, Sender};

    #[test]
    fn the_last_lines_of_a_log_are_shown() {
        let sender = Sender {
            pid: 7,
            uid: 0,
            unit: Some("agent".into()),
        };
        let mut bytes = Vec::new();
        for n in 0..5 {
            bytes.extend(Entry::line(format!("line {n}").as_bytes(), &sender).0);
        }
        bytes.extend(
            Entry::native(
                b"MESSAGE\n\x09\0\0\0\0\0\0\0two\n\nrows\nSYSLOG_IDENTIFIER=server\n",
                &sender,
            )
            .flat_map(|e| e.0),
        );
        assert_eq!(
            tail(&bytes, 3),
            ["agent: line 3", "agent: line 4", "server: two\n\nrows"]
        );
        assert_eq!(tail(b"", 3), Vec::<String>::new());
        assert_eq!(tail(b"\n\n\nMESSAGE\n\xff", 3), Vec::<String>::new());
    }

    #[test]
    fn the_default_gateways_of_ipv6_are_found_the_preferred_one_first() {
        let zero = "0".repeat(32);
        let route = |to: &str, prefix: &str, via: &str, metric: &str, flags: &str, interface: &str| {
            format!("{to} {prefix} {zero} 00 {via} {metric} 00000001 00000000 {flags} {interface:>8}\n")
        };
        let link = "fe8000000000000050540000fe123456";
        let global = "20010db8000000000000000000000001";
        let text = [
            route(
                "20010db8000000000000000000000000",
                "40",
                &zero,
                "00000100",
                "00000001",
                "eth0",
            ),
            route(&zero, "00", link, "00000400", "00450003", "eth1"),
            route(&zero, "00", link, "00000400", "00450003", "eth1"),
            route(&zero, "00", global, "00000100", "00000003", "eth0"),
            route(&zero, "01", global, "00000001", "00000003", "eth2"),
            route(&zero, "00", &zero, "ffffffff", "00200200", "lo"),
            "x 00\n".to_owned(),
        ]
        .concat();
        assert_eq!(gateways6(&text), ["2001:db8::1", "fe80::5054:0:fe12:3456%eth1"]);
        assert_eq!(gateways6(""), Vec::<String>::new());
        let many: String = (1..=9u8)
            .map(|n| {
                route(
                    &zero,
                    "00",
                    &format!("{:032x}", 0x2001_0db8_u128 << 96 | u128::from(n)),
                    "00000001",
                    "00000003",
                    "eth0",
                )
            })
            .collect();
        assert_eq!(gateways6(&many).len(), GATEWAYS_MAX);
    }

    #[test]
    fn the_default_gateway_is_found() {
        let routes =
            "Iface\tDestination\tGateway \tFlags\neth0\t0002000A\t00000000\t0001\neth0\t00000000\t0202000A\t0003\n";
        assert_eq!(gateway(routes), Some([10, 0, 2, 2].into()));
        assert_eq!(gateway("Iface\n"), None);
    }
}

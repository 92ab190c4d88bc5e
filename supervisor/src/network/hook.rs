//! dhcpcd's hook: our own program in place of its shell scripts. dhcpcd itself sets addresses and routes; here name servers
//! and time servers of all interfaces are put together, for the resolver and for chrony, and the kernel's own IPv6 is switched
//! off where `kiln.toml` says so.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use super::{CONFIG, LEARNT, RESOLVER, config, read, replace, time};
use crate::boot::config::site::is_host;

/// The owner's name servers, among what the hook has learnt: it comes before all others, and no interface bears such a name.
const OWN: &str = "+kiln.own";

/// The kernel's settings of IPv6, a folder for each interface (Documentation/networking/ip-sysctl.rst).
const SETTINGS_V6: &str = "/proc/sys/net/ipv6/conf";

/// Most name servers that a resolver looks at (resolv.conf(5)).
const NAMESERVERS_MAX: usize = 3;

/// Most domains that every resolver searches in (resolv.conf(5)).
const SEARCH_MAX: usize = 6;

/// What one interface's protocol has told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    nameservers: Vec<String>,
    search: Option<String>,
    ntp: Vec<String>,
}

/// What to do with it.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// This is what holds now.
    Set(Told),
    /// It holds no more.
    Gone,
    /// Of no interest.
    None,
}

/// Called by dhcpcd with what has happened in its environment.
pub fn main() -> ExitCode {
    let vars = texts(std::env::vars_os());
    let var = |name: &str| vars.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v.as_str());
    let (interface, protocol) = (var("interface"), var("protocol"));
    if interface.is_empty() || !is_name(interface) || !is_name(protocol) {
        return ExitCode::SUCCESS;
    }
    let reason = var("reason");
    let done = match reason {
        // It is there, before anything of it is used; or its section of the configuration is read again.
        "PREINIT" | "RECONFIGURE" => read(Path::new(CONFIG))
            .map_err(|e| format!("{CONFIG}: {e}"))
            .and_then(|config| ipv6(Path::new(SETTINGS_V6), interface, &config)),
        _ => {
            let file = format!("{interface}.{protocol}");
            apply(Path::new(LEARNT), &file, reason, &change(reason, &vars)).map_err(|e| e.to_string())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("dhcp-hook: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Switches the kernel's IPv6 of an interface off or on, as `config` says: by `noipv6` dhcpcd leaves it alone, and the kernel
/// would go on to give it addresses of its own and those that routers advertise.
fn ipv6(settings: &Path, interface: &str, config: &str) -> Result<(), String> {
    let off = config::of(config, interface).lines().any(|l| l == config::NO_IPV6);
    let at = settings.join(interface).join("disable_ipv6");
    match fs::write(&at, if off { "1" } else { "0" }) {
        // A kernel without IPv6, or an interface that has gone.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(|e| format!("{}: {e}", at.display())),
    }
}

/// Whether this can be the name of an interface, or of dhcpcd's protocol for it.
fn is_name(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) && !s.starts_with('.')
}

/// Whether this is an address of a name server. One that is good on a single link names its interface: `fe80::1%eth0`.
fn is_server(s: &str) -> bool {
    match s.split_once('%') {
        None => s.parse::<IpAddr>().is_ok(),
        Some((address, zone)) => {
            !zone.is_empty() && is_name(zone) && address.parse::<Ipv6Addr>().is_ok_and(|a| a.is_unicast_link_local())
        }
    }
}

/// What a DHCP server sends need not be UTF-8: such a value is told with replacement characters, and costs none of the others.
fn texts(vars: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    let text = |s: OsString| s.to_string_lossy().into_owned();
    vars.map(|(key, value)| (text(key), text(value))).collect()
}

fn change(reason: &str, vars: &[(String, String)]) -> Change {
    match reason {
        "BOUND" | "RENEW" | "REBIND" | "REBOOT" | "INFORM" | "STATIC" | "TEST" | "BOUND6" | "RENEW6" | "REBIND6"
        | "REBOOT6" | "INFORM6" | "STATIC6" | "ROUTERADVERT" => Change::Set(told(vars)),
        "EXPIRE" | "NAK" | "RELEASE" | "STOP" | "STOPPED" | "FAIL" | "EXPIRE6" | "RELEASE6" | "STOP6" | "DEPARTED"
        | "NOCARRIER" => Change::Gone,
        _ => Change::None,
    }
}

fn told(vars: &[(String, String)]) -> Told {
    let mut told = Told::default();
    let mut listed = None;
    let addresses = |v: &str| -> Vec<String> {
        let good = v.split_whitespace().filter(|s| is_server(s));
        good.map(str::to_owned).collect()
    };
    for (key, value) in vars {
        match key.as_str() {
            "new_domain_name_servers" | "new_dhcp6_name_servers" => told.nameservers.extend(addresses(value)),
            _ if is_advertised(key, "_rdnss", "_servers", vars) => told.nameservers.extend(addresses(value)),
            "new_domain_search" | "new_dhcp6_domain_search" => listed = search(value).or(listed),
            _ if is_advertised(key, "_dnssl", "_search", vars) => listed = search(value).or(listed),
            "new_domain_name" if is_host(value) => told.search = Some(value.clone()),
            "new_ntp_servers" | "new_dhcp6_sntp_servers" => {
                told.ntp
                    .extend(value.split_whitespace().filter(|s| is_host(s)).map(str::to_owned));
            }
            _ => {}
        }
    }
    // A list to search in says more than the name of the network.
    told.search = listed.or(told.search);
    told
}

/// Whether a variable is one that a router has advertised, and has not taken back (RFC 8106: a lifetime of nothing).
fn is_advertised(key: &str, option: &str, end: &str, vars: &[(String, String)]) -> bool {
    let Some(this) = key
        .strip_suffix(end)
        .filter(|k| k.starts_with("nd") && k.contains(option))
    else {
        return false;
    };
    let lifetime = format!("{this}_lifetime");
    !vars.iter().any(|(k, v)| *k == lifetime && v == "0")
}

/// The domains of a list to search in.
fn search(list: &str) -> Option<String> {
    let names: Vec<&str> = list
        .split_whitespace()
        .filter(|s| is_host(s))
        .take(SEARCH_MAX)
        .collect();
    (!names.is_empty()).then(|| names.join(" "))
}

fn apply(learnt: &Path, file: &str, reason: &str, change: &Change) -> io::Result<()> {
    match change {
        Change::None => return Ok(()),
        Change::Gone if reason == "NOCARRIER" || reason == "DEPARTED" => {
            let (interface, _) = file.split_once('.').unwrap_or((file, ""));
            for e in fs::read_dir(learnt).into_iter().flatten().flatten() {
                if e.file_name().to_string_lossy().split('.').next() == Some(interface) {
                    let _ = fs::remove_file(e.path());
                }
            }
        }
        Change::Gone => drop(fs::remove_file(learnt.join(file))),
        Change::Set(told) => {
            let mut text: String = told.nameservers.iter().map(|s| format!("nameserver {s}\n")).collect();
            text.extend(told.search.iter().map(|s| format!("search {s}\n")));
            text.extend(told.ntp.iter().map(|s| format!("ntp {s}\n")));
            replace(&learnt.join(file), &text)?;
        }
    }
    let all = all(learnt);
    replace(Path::new(RESOLVER), &resolv_conf(&all))?;
    replace(Path::new(time::LEARNT), &time::sources(&all))?;
    // chrony may not be there yet; it reads the file when it starts.
    if Path::new(time::SOCKET).exists() {
        for order in orders(change) {
            let _ = Command::new("/usr/bin/chronyc")
                .args(["-h", time::SOCKET])
                .args(*order)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status();
        }
    }
    Ok(())
}

/// What chrony is told, in this order. The first has it look up the names of sources that are new; one that it looked up in
/// vain before there was a network it would look up again up to an hour later (chrony.conf(5), `server`), if it were not told
/// that there is one now.
fn orders(change: &Change) -> &'static [&'static [&'static str]] {
    match change {
        Change::Set(_) => &[&["reload", "sources"], &["online"]],
        Change::Gone => &[&["reload", "sources"]],
        Change::None => &[],
    }
}

/// Notes the owner's name servers, as lines for the resolver, and has them asked from now on, before any that somebody else names.
///
/// # Errors
/// One of the files could not be written.
pub(super) fn own(learnt: &Path, resolver: &Path, servers: &str) -> io::Result<()> {
    let noted = learnt.join(OWN);
    if servers.is_empty() && !noted.exists() {
        return Ok(());
    }
    replace(&noted, servers)?;
    replace(resolver, &resolv_conf(&all(learnt)))
}

/// Every file's lines, in the order of their names.
fn all(learnt: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(learnt)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e != "new"));
    files.sort();
    let text: String = files.iter().filter_map(|f| fs::read_to_string(f).ok()).collect();
    text.lines().map(str::to_owned).collect()
}

fn resolv_conf(lines: &[String]) -> String {
    let mut text = String::new();
    let mut seen = std::collections::BTreeSet::new();
    let servers = lines
        .iter()
        .filter(|l| l.starts_with("nameserver ") && seen.insert(l.as_str()));
    text.extend(servers.take(NAMESERVERS_MAX).map(|l| format!("{l}\n")));
    text.extend(
        lines
            .iter()
            .find(|l| l.starts_with("search "))
            .map(|l| format!("{l}\n")),
    );
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn vars(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn only_addresses_and_names_get_in() {
        let lease = vars(&[
            ("new_domain_name_servers", "10.0.2.3 evil\" 10.0.2.5%eth0"),
            ("new_domain_name", "lan.example"),
            ("new_ntp_servers", "10.0.2.4 a\nserver"),
            (
                "nd1_rdnss1_servers",
                "fd00::53 fe80::1%eth0 fe80::2%e\"0 fe80::3% fd00::54%eth0",
            ),
        ]);
        let Change::Set(t) = change("BOUND", &lease) else {
            panic!()
        };
        assert_eq!(t.nameservers, ["10.0.2.3", "fd00::53", "fe80::1%eth0"]);
        assert_eq!(
            (t.search.as_deref(), t.ntp),
            (
                Some("lan.example"),
                vec!["10.0.2.4".to_owned(), "a".into(), "server".into()]
            )
        );
        let Change::Set(t) = change("RENEW", &vars(&[("new_domain_name", "a b")])) else {
            panic!()
        };
        assert_eq!(t, Told::default());
        assert_eq!(change("PREINIT", &lease), Change::None);
    }

    #[test]
    fn an_interface_without_ipv6_has_none_of_the_kernels_either() {
        let dir = tempfile::tempdir().unwrap();
        for interface in ["eth0", "eth1"] {
            fs::create_dir(dir.path().join(interface)).unwrap();
        }
        let is = |interface: &str| fs::read_to_string(dir.path().join(interface).join("disable_ipv6")).unwrap();
        let (site, _) =
            crate::boot::config::site::Site::parse("[network.eth0]\nipv6=false\n[network.eth1]\nipv6=true\n");
        let config = config::dhcpcd(&site.network, &[], "");
        for interface in ["eth0", "eth1", "gone"] {
            ipv6(dir.path(), interface, &config).unwrap();
        }
        assert_eq!((is("eth0"), is("eth1")), ("1".to_owned(), "0".to_owned()));
        ipv6(dir.path(), "eth0", "").unwrap();
        assert_eq!(is("eth0"), "0", "kiln.toml says so no more");
        fs::remove_file(dir.path().join("eth1/disable_ipv6")).unwrap();
        fs::create_dir(dir.path().join("eth1/disable_ipv6")).unwrap();
        assert!(ipv6(dir.path(), "eth1", "").unwrap_err().contains("eth1/disable_ipv6"));
    }

    #[test]
    fn a_network_that_has_come_has_chrony_look_up_every_source_at_once() {
        let told = |change: &Change| orders(change).concat().join(" ");
        assert_eq!(told(&Change::Set(Told::default())), "reload sources online");
        assert_eq!(told(&Change::Gone), "reload sources");
        assert_eq!(told(&Change::None), "");
    }

    #[test]
    fn a_list_to_search_in_goes_before_the_networks_name() {
        let search = |list: &[(&str, &str)]| told(&vars(list)).search;
        let name = ("new_domain_name", "lan.example");
        let list = ("new_domain_search", "a.example b;c b.example");
        assert_eq!(search(&[list, name]).as_deref(), Some("a.example b.example"));
        assert_eq!(search(&[name, list]).as_deref(), Some("a.example b.example"));
        assert_eq!(
            search(&[name, ("new_domain_search", "b;c")]).as_deref(),
            Some("lan.example")
        );
        let six = "a b c d e f";
        assert_eq!(
            search(&[("new_dhcp6_domain_search", &format!("{six} g"))]).as_deref(),
            Some(six)
        );
    }

    #[test]
    fn what_a_router_takes_back_is_gone() {
        let advertised = |lifetimes: (&str, &str)| {
            told(&vars(&[
                ("nd1_rdnss1_lifetime", lifetimes.0),
                ("nd1_rdnss1_servers", "fe80::1%eth0"),
                ("nd1_dnssl1_lifetime", lifetimes.1),
                ("nd1_dnssl1_search", "home.example b;c"),
                ("nd2_rdnss1_servers", "fe80::2%eth0"),
            ]))
        };
        let all = advertised(("1800", "1800"));
        assert_eq!(all.nameservers, ["fe80::1%eth0", "fe80::2%eth0"]);
        assert_eq!(all.search.as_deref(), Some("home.example"));
        let less = advertised(("0", "0"));
        assert_eq!(less.nameservers, ["fe80::2%eth0"]);
        assert_eq!(less.search, None);
    }

    #[test]
    fn what_is_not_utf_8_costs_nothing_else() {
        use std::os::unix::ffi::OsStringExt;
        let raw = |s: &[u8]| OsString::from_vec(s.to_vec());
        let lease = texts(
            [
                (raw(b"new_domain_name"), raw(b"caf\xe9.example")),
                (raw(b"new_\xff"), raw(b"\xff")),
                (raw(b"new_domain_name_servers"), raw(b"10.0.2.3 \xfe")),
            ]
            .into_iter(),
        );
        let nameservers = vec!["10.0.2.3".to_owned()];
        assert_eq!(
            change("BOUND", &lease),
            Change::Set(Told {
                nameservers,
                ..Told::default()
            })
        );
    }

    #[test]
    fn the_owners_name_servers_are_asked_first_and_without_a_lease() {
        let dir = tempfile::tempdir().unwrap();
        let (learnt, resolver) = (dir.path().join("net"), dir.path().join("resolv.conf"));
        fs::create_dir(&learnt).unwrap();
        let asked = || fs::read_to_string(&resolver).unwrap();
        own(&learnt, &resolver, "nameserver 192.0.2.53\n").unwrap();
        assert_eq!(asked(), "nameserver 192.0.2.53\n", "nobody has answered yet");
        fs::write(learnt.join("-1.dhcp"), "nameserver 10.0.0.9\n").unwrap();
        fs::write(learnt.join("eth0.dhcp"), "nameserver 10.0.0.1\nnameserver 192.0.2.53\n").unwrap();
        fs::write(learnt.join("eth0.ra"), "nameserver fd00::1\n").unwrap();
        let wanted = "nameserver 192.0.2.53\nnameserver 10.0.0.9\nnameserver 10.0.0.1\n";
        assert_eq!(resolv_conf(&all(&learnt)), wanted);
        own(&learnt, &resolver, "").unwrap();
        assert_eq!(
            asked(),
            "nameserver 10.0.0.9\nnameserver 10.0.0.1\nnameserver 192.0.2.53\n"
        );
        assert!(
            !is_name(OWN.split('.').next().unwrap()),
            "an interface of that name would take it away"
        );
        let left = fs::read_dir(&learnt)
            .unwrap()
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|x| x == "new"));
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn interfaces_are_put_together_and_leave_again() {
        let dir = tempfile::tempdir().unwrap();
        let d = dir.path();
        fs::write(d.join("eth0.dhcp"), "nameserver 10.0.0.1\nsearch lan\nntp 10.0.0.2\n").unwrap();
        fs::write(d.join("eth0.ra"), "nameserver fd00::1\nnameserver fd00::2\n").unwrap();
        fs::write(
            d.join("eth1.dhcp"),
            "nameserver 10.0.0.1\nnameserver 10.1.0.1\nntp 10.0.0.2\n",
        )
        .unwrap();
        fs::write(d.join("eth1.new"), "nameserver 9.9.9.9\n").unwrap();
        let lines = all(d);
        assert_eq!(
            resolv_conf(&lines),
            "nameserver 10.0.0.1\nnameserver fd00::1\nnameserver fd00::2\nsearch lan\n"
        );
        assert_eq!(
            time::sources(&lines),
            "server 10.0.0.2 iburst prefer\npool 2.debian.pool.ntp.org iburst maxsources 4\n"
        );
    }
}

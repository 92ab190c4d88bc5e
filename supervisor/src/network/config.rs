//! The text of dhcpcd's configuration, from the owner's settings and the interfaces that are there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::boot::site::Interface;

/// What holds on every interface.
const GENERAL: &str = "\
# Made from kiln.toml at each start.
hostname
option domain_name_servers, domain_name, domain_search, classless_static_routes, interface_mtu, ntp_servers
option dhcp6_name_servers, dhcp6_domain_search, dhcp6_sntp_servers
require dhcp_server_identifier
slaac hwaddr
timeout 10
";

/// Begins the line that notes the first interface.
const FIRST: &str = "# The first interface: ";

/// The configuration. `present`: name and hardware address of each interface, in the order of the names. What is named and not
/// there yet has its section all the same: dhcpcd reads the file when an interface comes. `before`: the configuration that holds
/// now; which interface is the first one stays as it was.
pub fn dhcpcd(settings: &BTreeMap<String, Interface>, present: &[(String, String)], before: &str) -> String {
    let mut text = GENERAL.to_owned();
    let first_name = first(before).or(present.first().map(|(name, _)| name.as_str()));
    if let Some(name) = first_name.filter(|_| settings.contains_key("")) {
        let _ = writeln!(text, "{FIRST}{name}");
    }
    let there = present.iter().filter_map(|(name, mac)| {
        let first = settings.get("").filter(|_| first_name == Some(name.as_str()));
        Some((name, settings.get(name).or_else(|| settings.get(mac)).or(first)?))
    });
    let is_name = |key: &str| !key.is_empty() && !key.contains(':');
    let to_come = settings
        .iter()
        .filter(|(key, _)| is_name(key) && !present.iter().any(|(name, _)| name == *key));
    let named = there.chain(to_come);
    let (off, on): (Vec<_>, Vec<_>) = named.partition(|(_, i)| i.off);
    for (name, _) in off {
        let _ = writeln!(text, "denyinterfaces {name}");
    }
    for (name, i) in on {
        section(&mut text, name, i);
    }
    text
}

/// The interface that `[network]` itself is for, as the configuration notes it.
fn first(text: &str) -> Option<&str> {
    text.lines().find_map(|l| l.strip_prefix(FIRST))
}

/// What the configuration says of one interface; nothing where it is as every other.
pub fn of(text: &str, name: &str) -> String {
    let denied = format!("denyinterfaces {name}");
    if text.lines().any(|l| l == denied) {
        return denied;
    }
    let begin = format!("interface {name}");
    let section = text.lines().skip_while(|l| *l != begin).take_while(|l| !l.is_empty());
    section.map(|l| format!("{l}\n")).collect()
}

fn section(text: &mut String, name: &str, i: &Interface) {
    let _ = writeln!(text, "\ninterface {name}");
    for (six, mark) in [(false, ""), (true, "6")] {
        // dhcpcd keeps one of each family: of two, the last with the prefix of the first.
        if let Some((address, prefix)) = i.addresses.iter().find(|(a, _)| a.is_ipv6() == six) {
            let _ = writeln!(text, "static ip{mark}_address={address}/{prefix}");
        }
    }
    if let Some(gateway) = i.gateway {
        let _ = writeln!(text, "static routers={gateway}");
    }
    if !i.dns.is_empty() {
        let list: Vec<String> = i.dns.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "static domain_name_servers={}", list.join(" "));
    }
    if i.no_ipv6 {
        text.push_str("noipv6\nnoipv6rs\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::site::Site;

    fn present() -> Vec<(String, String)> {
        [
            ("eth0", "52:54:00:00:00:01"),
            ("eth1", "52:54:00:00:00:02"),
            ("eth2", "52:54:00:00:00:03"),
        ]
        .map(|(n, m)| (n.to_owned(), m.to_owned()))
        .to_vec()
    }

    fn made(toml: &str) -> String {
        let (site, errors) = Site::parse(toml);
        assert_eq!(errors, Vec::<String>::new());
        dhcpcd(&site.network, &present(), "")
    }

    #[test]
    fn without_settings_every_interface_asks_for_itself() {
        let text = made("");
        assert!(
            !text.contains("interface ") && !text.contains("noipv4ll") && text.contains("\nslaac hwaddr\n"),
            "{text}"
        );
    }

    #[test]
    fn the_first_by_no_name_others_by_name_and_hardware_address() {
        let text = made(
            "[network]\naddress='192.0.2.4/24'\ngateway='192.0.2.1'\ndns=['192.0.2.2','fd00::1']\n[network.eth1]\naddress=['fd00::9/64']\nipv6=true\n[network.\"52:54:00:00:00:03\"]\noff=true\n",
        );
        let (general, sections) = text.split_once("\ninterface eth0\n").unwrap_or_default();
        assert!(general.ends_with("denyinterfaces eth2\n"), "{text}");
        assert_eq!(
            sections,
            "static ip_address=192.0.2.4/24\nstatic routers=192.0.2.1\nstatic domain_name_servers=192.0.2.2 fd00::1\n\ninterface eth1\nstatic ip6_address=fd00::9/64\n"
        );
    }

    #[test]
    fn one_address_of_each_family_is_fixed_and_more_are_told() {
        let (site, wrong) =
            Site::parse("[network]\naddress=['192.0.2.4/24','fd00::9/64','10.0.0.5/8','fd01::9/48','10.0.0.6/8']\n");
        assert_eq!(
            wrong,
            [
                "kiln.toml line 2, field `address`: expected at most one IPv4 and one IPv6 address; the first of each is used"
            ]
        );
        let text = dhcpcd(&site.network, &present(), "");
        let fixed: Vec<&str> = text.lines().filter(|l| l.contains("address=")).collect();
        assert_eq!(
            fixed,
            ["static ip_address=192.0.2.4/24", "static ip6_address=fd00::9/64"]
        );
    }

    #[test]
    fn an_interface_that_is_to_come_is_named_where_its_name_is_known() {
        let text = made("[network.eth9]\naddress='192.0.2.4/24'\n[network.usb0]\noff=true\n");
        assert_eq!(of(&text, "eth9"), "interface eth9\nstatic ip_address=192.0.2.4/24\n");
        assert_eq!(of(&text, "usb0"), "denyinterfaces usb0");
        assert_eq!((of(&text, "eth0"), of(&text, "eth")), (String::new(), String::new()));
        assert!(!made("[network.\"52:54:00:00:00:09\"]\naddress='192.0.2.4/24'\n").contains("\ninterface "));
    }
}

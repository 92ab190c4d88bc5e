//! The text of dhcpcd's configuration, from the owner's settings and the interfaces that are there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::card;
use crate::boot::config::site::Interface;

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

/// Has dhcpcd leave an interface's IPv6 alone; the hook switches the kernel's own off there.
pub(super) const NO_IPV6: &str = "noipv6";

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
    let (there, _) = cards(settings, present, before);
    let is_name = |key: &str| !key.is_empty() && !key.contains(':');
    let to_come = settings
        .iter()
        .filter(|(key, _)| is_name(key) && !present.iter().any(|(name, _)| name == *key));
    let named = there.iter().map(|(name, i)| (name, i)).chain(to_come);
    let (off, on): (Vec<_>, Vec<_>) = named.partition(|(_, i)| i.is_off());
    for (name, _) in off {
        let _ = writeln!(text, "denyinterfaces {name}");
    }
    for (name, i) in on {
        section(&mut text, name, i);
    }
    text
}

/// What `kiln.toml` sets of each interface that is there, all of its sections together, and what they contradict each other in.
pub fn cards(
    settings: &BTreeMap<String, Interface>,
    present: &[(String, String)],
    before: &str,
) -> (Vec<(String, Interface)>, Vec<String>) {
    let first_name = first(before).or(present.first().map(|(name, _)| name.as_str()));
    let (mut cards, mut wrong) = (Vec::new(), Vec::new());
    for (name, mac) in present {
        let is_first = first_name == Some(name.as_str());
        let keys = [name.as_str(), mac.as_str(), ""];
        let sections: Vec<card::Section<'_>> = keys
            .iter()
            .filter(|key| !key.is_empty() || is_first)
            .filter_map(|key| Some((card::section(key), settings.get(*key)?)))
            .collect();
        if !sections.is_empty() {
            let (all, told) = card::together(name, &sections);
            cards.push((name.clone(), all));
            wrong.extend(told);
        }
    }
    (cards, wrong)
}

/// The owner's own name servers: of every interface that is there and in use, each once, as lines for the resolver.
pub fn own_servers(cards: &[(String, Interface)]) -> String {
    let mut text = String::new();
    for server in cards.iter().filter(|(_, i)| !i.is_off()).flat_map(|(_, i)| &i.dns) {
        let line = format!("nameserver {server}\n");
        if !text.contains(&line) {
            text.push_str(&line);
        }
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
    if i.ipv6 == Some(false) {
        let _ = writeln!(text, "{NO_IPV6}\nnoipv6rs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::config::site::Site;

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
    fn sections_for_one_interface_hold_together_also_for_the_first_one() {
        let text = made(
            "[network]\ndns=['192.0.2.2']\n[network.eth0]\naddress='192.0.2.4/24'\n[network.\"52:54:00:00:00:01\"]\nipv6=false\n[network.eth1]\ndns=['192.0.2.3']\n",
        );
        assert_eq!(
            of(&text, "eth0"),
            "interface eth0\nstatic ip_address=192.0.2.4/24\nstatic domain_name_servers=192.0.2.2\nnoipv6\nnoipv6rs\n"
        );
        assert_eq!(
            of(&text, "eth1"),
            "interface eth1\nstatic domain_name_servers=192.0.2.3\n"
        );
    }

    #[test]
    fn contradictions_between_sections_are_told_of_interfaces_that_are_there() {
        let (site, _) = Site::parse(
            "[network]\naddress='192.0.2.4/24'\n[network.eth0]\naddress='192.0.2.5/24'\n[network.eth9]\naddress='192.0.2.6/24'\n",
        );
        let (cards, wrong) = cards(&site.network, &present(), "");
        assert_eq!(cards, [("eth0".to_owned(), Interface::default())]);
        assert!(
            wrong.len() == 1 && wrong[0].contains("[network.eth0] and [network] are both for eth0"),
            "{wrong:?}"
        );
        // Which one is the first stays as it was noted.
        let noted = format!("{FIRST}eth1\n");
        assert_eq!(super::cards(&site.network, &present(), &noted).1, Vec::<String>::new());
    }

    #[test]
    fn the_owners_name_servers_are_those_of_interfaces_in_use() {
        let (site, _) = Site::parse(
            "[network]\ndns=['192.0.2.2','fd00::1']\n[network.eth1]\ndns=['192.0.2.3','192.0.2.2']\n[network.eth2]\ndns=['192.0.2.9']\noff=true\n[network.eth9]\ndns=['192.0.2.10']\n",
        );
        let (cards, _) = cards(&site.network, &present(), "");
        assert_eq!(
            own_servers(&cards),
            "nameserver 192.0.2.2\nnameserver fd00::1\nnameserver 192.0.2.3\n"
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

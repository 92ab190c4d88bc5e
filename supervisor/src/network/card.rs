//! One network card and every section of `kiln.toml` that is for it: by its name, by its hardware address, and `[network]` for the
//! first one. They hold together; where two say different things, neither is used, and both are named.

use std::net::IpAddr;

use crate::boot::config::site::Interface;

/// A section of `kiln.toml` as a person knows it, and what it sets.
pub(super) type Section<'a> = (String, &'a Interface);

/// Name of the section that is kept under this key.
pub(super) fn section(key: &str) -> String {
    match key {
        "" => "[network]".to_owned(),
        mac if mac.contains(':') => format!("[network.\"{mac}\"]"),
        name => format!("[network.{name}]"),
    }
}

/// What all sections of a card say together, and what is wrong with that, in sentences.
pub(super) fn together(card: &str, sections: &[Section<'_>]) -> (Interface, Vec<String>) {
    let mut wrong = Vec::new();
    let of_family = |six: bool| {
        move |i: &Interface| -> Option<(IpAddr, u8)> { i.addresses.iter().copied().find(|(a, _)| a.is_ipv6() == six) }
    };
    let mut all = Interface {
        addresses: [false, true]
            .into_iter()
            .filter_map(|six| agreed(card, sections, "address", of_family(six), &mut wrong))
            .collect(),
        gateway: agreed(card, sections, "gateway", |i| i.gateway, &mut wrong),
        dns: Vec::new(),
        ipv6: agreed(card, sections, "ipv6", |i| i.ipv6, &mut wrong),
        off: agreed(card, sections, "off", |i| i.off, &mut wrong),
    };
    for server in sections.iter().flat_map(|(_, i)| &i.dns) {
        if !all.dns.contains(server) {
            all.dns.push(*server);
        }
    }
    if let Some(expected) = all.gateway_fault() {
        all.gateway = None;
        let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
        wrong.push(format!(
            "kiln.toml, {} for {card}, field `gateway`: expected {expected}; it is not used",
            names.join(" and ")
        ));
    }
    (all, wrong)
}

/// What those sections that say anything of it agree on; nothing where they contradict each other, which is told.
fn agreed<T: PartialEq>(
    card: &str,
    sections: &[Section<'_>],
    key: &str,
    said: impl Fn(&Interface) -> Option<T>,
    wrong: &mut Vec<String>,
) -> Option<T> {
    let mut all = sections.iter().filter_map(|(name, i)| Some((name, said(i)?)));
    let (first, value) = all.next()?;
    let Some((other, _)) = all.find(|(_, v)| *v != value) else {
        return Some(value);
    };
    wrong.push(format!(
        "kiln.toml, {first} and {other} are both for {card} and differ in `{key}`: neither is used; keep one of the two"
    ));
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::config::site::Site;

    const MAC: &str = "52:54:00:00:00:01";

    /// What the sections of a file say together, in the order of their precedence.
    fn of(text: &str) -> (Interface, Vec<String>) {
        let (site, wrong) = Site::parse(text);
        assert_eq!(wrong, Vec::<String>::new());
        let sections: Vec<Section<'_>> = ["eth0", MAC, ""]
            .iter()
            .filter_map(|key| Some((section(key), site.network.get(*key)?)))
            .collect();
        together("eth0", &sections)
    }

    #[test]
    fn several_sections_for_one_card_hold_together() {
        let (all, wrong) = of(&format!(
            "[network]\ndns=['192.0.2.2','192.0.2.3']\ngateway='192.0.2.1'\n[network.eth0]\naddress='192.0.2.4/24'\ndns=['192.0.2.3','192.0.2.5']\n[network.\"{MAC}\"]\naddress=['fd00::9/64','192.0.2.4/24']\nipv6=true\n"
        ));
        assert_eq!(wrong, Vec::<String>::new());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let wanted = Interface {
            addresses: vec![(ip("192.0.2.4"), 24), (ip("fd00::9"), 64)],
            gateway: Some("192.0.2.1".parse().unwrap()),
            dns: ["192.0.2.3", "192.0.2.5", "192.0.2.2"].map(ip).to_vec(),
            ipv6: Some(true),
            off: None,
        };
        assert_eq!(all, wanted);
    }

    #[test]
    fn what_contradicts_itself_is_named_and_not_used() {
        for (text, key, first, other) in [
            (
                "[network]\naddress='192.0.2.4/24'\n[network.eth0]\naddress='192.0.2.5/24'\n",
                "address",
                "[network.eth0]",
                "[network]",
            ),
            (
                "[network]\naddress='192.0.2.4/16'\n[network.\"52:54:00:00:00:01\"]\naddress='192.0.2.4/24'\n",
                "address",
                "[network.\"52:54:00:00:00:01\"]",
                "[network]",
            ),
            (
                "[network]\ngateway='192.0.2.1'\n[network.eth0]\ngateway='192.0.2.2'\n",
                "gateway",
                "[network.eth0]",
                "[network]",
            ),
            (
                "[network.eth0]\noff=true\n[network.\"52:54:00:00:00:01\"]\noff=false\n",
                "off",
                "[network.eth0]",
                "[network.\"52:54:00:00:00:01\"]",
            ),
            (
                "[network.eth0]\nipv6=true\n[network]\nipv6=false\n",
                "ipv6",
                "[network.eth0]",
                "[network]",
            ),
        ] {
            let (all, wrong) = of(text);
            assert_eq!(all, Interface::default(), "{text}");
            assert_eq!(
                wrong,
                [format!(
                    "kiln.toml, {first} and {other} are both for eth0 and differ in `{key}`: neither is used; keep one of the two"
                )],
                "{text}"
            );
        }
    }

    #[test]
    fn a_gateway_of_one_section_has_to_fit_the_address_of_another() {
        let (all, wrong) = of("[network]\naddress='192.0.2.4/24'\n[network.eth0]\ngateway='10.0.0.1'\n");
        assert_eq!((all.gateway, all.addresses.len()), (None, 1));
        assert!(
            wrong.len() == 1
                && wrong[0].contains("[network.eth0] and [network] for eth0, field `gateway`")
                && wrong[0].contains("192.0.2.0/24"),
            "{wrong:?}"
        );
    }
}

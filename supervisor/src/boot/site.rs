//! `kiln.toml`: what the owner has set, read from the initramfs. A mistake is shown and the rest is used.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Host name.
    pub hostname: Option<String>,
    /// Environment for every unit.
    pub env: BTreeMap<String, String>,
    /// A fixed address instead of DHCP.
    pub network: Option<Fixed>,
}

/// A fixed IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Address.
    pub address: Ipv4Addr,
    /// Length of the network's prefix, 0 to 32.
    pub prefix: u8,
    /// Default gateway.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<String>,
}

/// Sections that other parts of the box read.
const OF_OTHERS: [&str; 6] = ["alerts", "console", "factory_reset", "listen", "tls", "fleet"];

impl Site {
    /// Reads the text; each mistake names line or field and what is expected.
    pub fn parse(text: &str) -> (Site, Vec<String>) {
        let mut site = Site::default();
        let mut errors = Vec::new();
        let table: toml::Table = match text.parse() {
            Ok(t) => t,
            Err(e) => {
                let e: toml::de::Error = e;
                let line = e.span().and_then(|s| crate::unit::place(text, s.start).0).unwrap_or(0);
                return (
                    site,
                    vec![format!("kiln.toml line {line}: {}", crate::unit::one_line(e.message()))],
                );
            }
        };
        let line = |key: &str| {
            text.lines()
                .position(|l| l.trim_start().trim_start_matches('[').starts_with(key))
                .map_or(0, |n| n + 1)
        };
        let mut bad = |key: &str, expected: &str| {
            errors.push(format!(
                "kiln.toml line {}, field `{key}`: expected {expected}",
                line(key)
            ))
        };
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("hostname", toml::Value::String(s)) if is_hostname(s) => site.hostname = Some(s.clone()),
                ("hostname", _) => bad("hostname", "text of 1 to 63 letters, digits and -"),
                ("env", toml::Value::Table(t)) => {
                    for (k, v) in t {
                        match v {
                            toml::Value::String(s) if is_variable(k) && !s.contains('\0') => {
                                site.env.insert(k.clone(), s.clone());
                            }
                            _ => bad(k, "a variable name of letters, digits and _, and a text in quotes"),
                        }
                    }
                }
                ("env", _) => bad("env", "a section [env]"),
                ("network", toml::Value::Table(t)) => match fixed(t) {
                    Ok(n) => site.network = n,
                    Err((field, expected)) => bad(field, expected),
                },
                ("network", _) => bad("network", "a section [network]"),
                (other, _) if OF_OTHERS.contains(&other) => {}
                (other, _) => bad(other, "one of hostname, [env], [network]"),
            }
        }
        (site, errors)
    }
}

fn fixed(t: &toml::Table) -> Result<Option<Fixed>, (&'static str, &'static str)> {
    const ADDRESS: (&str, &str) = ("address", "text like \"192.0.2.10/24\"");
    const GATEWAY: (&str, &str) = ("gateway", "an IPv4 address in quotes");
    const DNS: (&str, &str) = ("dns", "a list of addresses in quotes");
    let Some(address) = t.get("address") else {
        return Ok(None);
    };
    let (addr, prefix) = address.as_str().and_then(|s| s.split_once('/')).ok_or(ADDRESS)?;
    let gateway = match t.get("gateway") {
        None => None,
        Some(g) => Some(g.as_str().and_then(|s| s.parse().ok()).ok_or(GATEWAY)?),
    };
    let dns = match t.get("dns") {
        None => Vec::new(),
        Some(toml::Value::Array(a)) => a
            .iter()
            .map(|v| {
                v.as_str()
                    .filter(|s| s.parse::<std::net::IpAddr>().is_ok())
                    .map(str::to_owned)
                    .ok_or(DNS)
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(DNS),
    };
    let prefix = prefix.parse().ok().filter(|p: &u8| *p <= 32).ok_or(ADDRESS)?;
    Ok(Some(Fixed {
        address: addr.parse().map_err(|_| ADDRESS)?,
        prefix,
        gateway,
        dns,
    }))
}

fn is_hostname(s: &str) -> bool {
    (1..=63).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !s.starts_with('-')
}

/// Whether this can be the name of an environment variable.
pub fn is_variable(s: &str) -> bool {
    (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn what_is_right_is_used_and_what_is_wrong_is_named() {
        let (s, e) = Site::parse(
            "hostname = 'bench-3'\n[env]\nPORT = '80'\nBAD-NAME = 'x'\nN = 3\n[network]\naddress='192.0.2.4/24'\ngateway='192.0.2.1'\ndns=['1.1.1.1']\n[alerts]\nx=1\n",
        );
        assert_eq!(s.hostname.as_deref(), Some("bench-3"));
        assert_eq!(
            s.env.into_iter().collect::<Vec<_>>(),
            [("PORT".to_owned(), "80".to_owned())]
        );
        assert_eq!(s.network.unwrap().prefix, 24);
        assert_eq!(e.len(), 2, "{e:?}");
        assert!(
            e[0].contains("line 4, field `BAD-NAME`: expected a variable name"),
            "{e:?}"
        );

        let (_, e) = Site::parse("hostname = 'a b'\ncolour = 1\n[network]\naddress = '1.2.3.4'\n");
        assert_eq!(e.len(), 3, "{e:?}");
        let (s, e) = Site::parse("hostname = 'a\n");
        assert_eq!(s, Site::default());
        assert!(e[0].starts_with("kiln.toml line 1: "), "{e:?}");
    }

    #[test]
    fn the_file_of_the_image_is_right() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../rootfs/kiln.toml")).unwrap();
        let enabled: String = text
            .lines()
            .map(|l| {
                format!(
                    "{}\n",
                    l.strip_prefix("# ")
                        .filter(|l| l.contains('=') || l.starts_with('['))
                        .unwrap_or("")
                )
            })
            .collect();
        for t in [text, enabled] {
            assert_eq!(Site::parse(&t).1, Vec::<String>::new());
        }
    }
}

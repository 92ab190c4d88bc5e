//! An `http` or `https` address.

use super::{BadUrl, decode};

/// Where a request goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// With TLS.
    pub tls: bool,
    /// Name or address, without brackets, in small letters.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query; begins with a slash.
    pub target: String,
    /// User name and password from before the host, decoded.
    pub user: Option<(String, String)>,
}

impl std::fmt::Debug for Address {
    /// Path and query may hold secrets: only the origin is written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({}/…)", self.origin())
    }
}

impl Address {
    /// Reads `http://…` or `https://…`.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| BadUrl::new("scheme", "expected an address that begins with http:// or https://"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(BadUrl::new("scheme", "expected http:// or https://")),
        };
        if let Some(odd) = text
            .chars()
            .find(|c| c.is_control() || c.is_whitespace() || !c.is_ascii())
        {
            let what = format!("{odd:?} cannot stand in a URL; write it as %XX");
            return Err(BadUrl::new("url", what));
        }
        let rest = rest.split('#').next().unwrap_or("");
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((decode(name), decode(password))), place)
            }
            None => (None, authority),
        };
        let (host, port) = place_of(place)?;
        let target = match target.as_bytes().first() {
            Some(b'/') => target.to_owned(),
            _ => format!("/{target}"),
        };
        Ok(Self {
            tls,
            host,
            port: port.unwrap_or(if tls { 443 } else { 80 }),
            target,
            user,
        })
    }

    /// `https://host`, with the port where it is not the usual one.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == if self.tls { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The same server with another path below the one that it has.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let base = self.target.split('?').next().unwrap_or("").trim_end_matches('/');
        Self {
            target: format!("{base}/{}", path.trim_start_matches('/')),
            ..self.clone()
        }
    }

    /// With one more parameter.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        Self {
            target: format!("{}{mark}{}={}", self.target, super::encode(name), super::encode(value)),
            ..self.clone()
        }
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port`.
pub(super) fn place_of(place: &str) -> Result<(String, Option<u16>), BadUrl> {
    let bad_port = || BadUrl::new("port", "expected a number from 1 to 65535");
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (inside, after) = rest
            .split_once(']')
            .ok_or_else(|| BadUrl::new("host", "the ] of the IPv6 address is missing"))?;
        inside
            .parse::<std::net::Ipv6Addr>()
            .map_err(|_| BadUrl::new("host", "what stands in brackets is no IPv6 address"))?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or_else(bad_port)?),
        };
        (inside.to_ascii_lowercase(), port)
    } else {
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        if host.is_empty() {
            return Err(BadUrl::new("host", "is missing"));
        }
        let fits = host.len() <= 253 && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !fits {
            return Err(BadUrl::new(
                "host",
                "expected a name of letters, digits, dots and hyphens, or an address",
            ));
        }
        (host.to_ascii_lowercase(), port)
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(
            digits
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(bad_port)?,
        ),
        Some(_) => return Err(bad_port()),
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, origin, target) in [
            ("http://nas", "http://nas", "/"),
            ("HTTPS://Nas.Local:8443/a?b=c#d", "https://nas.local:8443", "/a?b=c"),
            ("http://nas?x=1", "http://nas", "/?x=1"),
            ("https://u:p%40@h:443/", "https://h", "/"),
            ("http://[FE80::1]:81/x", "http://[fe80::1]:81", "/x"),
            ("http://nas:", "http://nas", "/"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.origin().as_str(), address.target.as_str()),
                (origin, target),
                "{text}"
            );
        }
        let address = Address::parse("https://u:p%40@h/x").unwrap();
        assert_eq!(address.user, Some(("u".into(), "p@".into())));
        assert!(!format!("{address:?}").contains('x'));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("nas", "scheme"),
            ("ftp://nas", "scheme"),
            ("http://", "host"),
            ("http:///x", "host"),
            ("http://na s", "url"),
            ("http://nas/ä", "url"),
            ("http://nas:0", "port"),
            ("http://nas:65536", "port"),
            ("http://nas:8x", "port"),
            ("http://[::1", "host"),
            ("http://[nas]", "host"),
            ("http://[::1]8", "port"),
            ("http://a_b$c", "host"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err().part, part, "{text}");
        }
    }
}

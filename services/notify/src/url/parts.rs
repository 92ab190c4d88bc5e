//! A channel's URL in its parts, before anybody knows what they mean.

use super::BadUrl;
use super::address::place_of;
use super::decode;

/// `scheme://user:password@host:port/path/…?name=value&…`, decoded.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub scheme: String,
    pub user: Option<String>,
    pub password: Option<String>,
    /// As it stands there, not decoded, not checked.
    pub authority: String,
    pub path: Vec<String>,
    /// In order; names in small letters but for the first character's meaning (`+` header, `-` parameter, `:` key in
    /// Apprise; `@` header, `$` key in shoutrrr).
    pub query: Vec<(String, String)>,
}

impl Parts {
    pub(super) fn read(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| BadUrl::new("scheme", "expected something like ntfy://… or https://…"))?;
        let fits = (1..=20).contains(&scheme.len())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && scheme.as_bytes()[0].is_ascii_alphabetic();
        if !fits {
            return Err(BadUrl::new("scheme", "expected letters and digits before ://"));
        }
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before.split_once('/').unwrap_or((before, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (user, password) = match user.map(|user| user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)))) {
            Some((user, password)) => (Some(decode(user)), password.map(decode)),
            None => (None, None),
        };
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                // In a query a plus is a blank, but for the first character of a name, which says it is a header.
                let name = match name.strip_prefix('+') {
                    Some(rest) => format!("+{}", decode(&rest.replace('+', " "))),
                    None => decode(&name.replace('+', " ")),
                };
                (name, decode(&value.replace('+', " ")))
            })
            .collect();
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user: user.filter(|user| !user.is_empty()),
            password,
            authority: place.to_owned(),
            path: path.split('/').filter(|part| !part.is_empty()).map(decode).collect(),
            query,
        })
    }

    /// What stands in the place of the host, decoded: a token, mostly.
    pub(super) fn word(&self) -> String {
        decode(&self.authority)
    }

    /// Host and port.
    pub(super) fn place(&self) -> Result<(String, Option<u16>), BadUrl> {
        place_of(&self.authority)
    }

    /// `scheme://host[:port]` of a server.
    pub(super) fn origin(&self, tls: bool) -> Result<String, BadUrl> {
        let (host, port) = self.place()?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(format!("{}://{host}{port}", if tls { "https" } else { "http" }))
    }

    /// The value of the first parameter that has one of these names; names are compared without case.
    pub(super) fn get(&self, names: &[&str]) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, value)| !value.is_empty() && names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that is yes or no.
    ///
    /// # Errors
    /// When it is neither.
    pub(super) fn flag(&self, names: &[&str]) -> Result<Option<bool>, BadUrl> {
        let Some(value) = self.get(names) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "yes" | "true" | "1" | "on" | "y" | "t" => Ok(Some(true)),
            "no" | "false" | "0" | "off" | "n" | "f" => Ok(Some(false)),
            _ => Err(BadUrl::new(names.first().copied().unwrap_or("?"), "expected yes or no")),
        }
    }
}

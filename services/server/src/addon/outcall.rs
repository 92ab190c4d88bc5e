//! HTTP to an add-on's own address: one request on a connection of its own, to the address that a person registered and
//! to no other. Redirects are not followed, link-local and metadata addresses are refused after the name was resolved. Of
//! all secrets only the add-on's own token goes along: the one by which it knows its server.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wire::Problem;

use crate::auth::secret::Bearer;

/// Longest URL of an add-on in bytes. Source: Vigil, register.
pub const URL_MAX: usize = 512;

/// Longest answer that is passed back, in bytes. Source: Vigil, proxy.
pub const ANSWER_MAX: usize = 2 << 20;

/// Longest path with its query, in bytes.
const PATH_MAX: usize = 2048;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Where an add-on listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    tls: bool,
    host: String,
    port: u16,
    /// Path before every path, without a slash at its end.
    base: String,
}

/// What an add-on answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Whether it says that it is JSON.
    pub is_json: bool,
    /// Its body.
    pub body: Bytes,
}

impl Origin {
    /// Reads an add-on's address.
    ///
    /// # Errors
    /// What is wrong with it and what is expected.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.len() > URL_MAX {
            return Err(format!("url: at most {URL_MAX} bytes"));
        }
        let uri: http::Uri = url
            .parse()
            .map_err(|error| format!("url: {error}; expected http://host:port"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("url: expected http:// or https:// at the front".to_owned()),
        };
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let host = uri.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
        if host.is_empty() || authority.contains('@') {
            return Err("url: expected a host name or an address, without user name and password".to_owned());
        }
        if uri.query().is_some() || url.contains('#') {
            return Err("url: expected no query and no fragment".to_owned());
        }
        notify::guard::check_host(&host)?;
        let base = uri.path().trim_end_matches('/').to_owned();
        if base
            .to_ascii_lowercase()
            .replace("%2e", ".")
            .split('/')
            .any(|part| part == "..")
        {
            return Err("url: expected no \"..\"".to_owned());
        }
        Ok(Self {
            tls,
            host,
            port: port(&uri)?,
            base,
        })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The port of an address of http or https; where it names none, the one of its scheme.
///
/// # Errors
/// It names one that is none: nobody else is asked in its place.
pub fn port(uri: &http::Uri) -> Result<u16, String> {
    let after = uri.authority().map_or("", |all| {
        all.as_str().rsplit_once(']').map_or(all.as_str(), |(_, after)| after)
    });
    match (after.rsplit_once(':'), uri.scheme_str()) {
        (None, Some("https")) => Ok(443),
        (None, _) => Ok(80),
        (Some((_, port)), _) => match port.parse() {
            Ok(0) | Err(_) => Err("url: port: expected a number from 1 to 65535".to_owned()),
            Ok(port) => Ok(port),
        },
    }
}

/// Whether a path may be asked of an add-on.
///
/// # Errors
/// What is wrong with it.
pub fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with("/api/") {
        return Err("path: expected one that begins with /api/".to_owned());
    }
    if path.len() > PATH_MAX {
        return Err(format!("path: at most {PATH_MAX} bytes"));
    }
    let lower = path.to_ascii_lowercase();
    // A slash that is hidden makes two parts at the other end of what is one here; a letter that is hidden, another path.
    if ["%2f", "%5c", "%25"].into_iter().any(|hidden| lower.contains(hidden)) || hides_a_letter(&lower) {
        return Err(
            "path: expected slashes, backslashes, per cent signs, letters and digits to be written plainly".to_owned(),
        );
    }
    // Once encoded, twice encoded, or written as a backslash: nothing leads out of /api/.
    let plain = lower
        .replace("%25", "%")
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "\\");
    if plain.contains("..") || plain.contains('\\') || plain.contains("//") {
        return Err("path: expected no \"..\", no backslash and no empty part".to_owned());
    }
    let place = plain.split('?').next().unwrap_or("");
    if place.split('/').any(|part| part.split(';').next() == Some(".")) {
        return Err("path: expected no \".\" as a part, which the other end may leave out".to_owned());
    }
    if !path.bytes().all(|b| b.is_ascii_graphic()) || path.contains('#') {
        return Err("path: expected printable ASCII without blanks and #; others percent-encoded".to_owned());
    }
    // Some printable characters are no part of an address; the request could not even be made.
    let whole: Result<http::Uri, _> = path.parse();
    whole
        .map(drop)
        .map_err(|error| format!("path: {error}; expected such characters percent-encoded"))
}

/// Whether a percent-encoding stands for what needs none. Source: RFC 3986 §2.3.
fn hides_a_letter(lower: &str) -> bool {
    lower.split('%').skip(1).any(|rest| {
        let byte = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_none_or(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
    })
}

fn unreachable(why: impl std::fmt::Display) -> Problem {
    Problem::new(
        "addon-unreachable",
        502,
        "The add-on could not be reached at its address",
    )
    .with(why.to_string())
}

/// Asks an add-on, with its own token where that is at hand; `body` is JSON.
///
/// # Errors
/// `addon-unreachable`, `addon-late`, `addon-redirects`, `addon-too-long`.
pub async fn call(
    origin: &Origin,
    bearer: Option<&Bearer>,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
    patience: Duration,
) -> Result<Reply, Problem> {
    let asked = async {
        let stream = tokio::time::timeout(CONNECT, connect(origin))
            .await
            .map_err(|_| unreachable(format!("no connection within {} s", CONNECT.as_secs())))??;
        if !origin.tls {
            return speak(origin, bearer, method, path, body, stream).await;
        }
        let name = ServerName::try_from(origin.host.clone()).map_err(unreachable)?;
        let stream = tokio_rustls::TlsConnector::from(trust()?)
            .connect(name, stream)
            .await
            .map_err(unreachable)?;
        speak(origin, bearer, method, path, body, stream).await
    };
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| {
        Err(Problem::new("addon-late", 504, "The add-on did not answer in time")
            .with(format!("{} s", patience.as_secs())))
    })
}

async fn connect(origin: &Origin) -> Result<TcpStream, Problem> {
    let places = tokio::net::lookup_host((origin.host.as_str(), origin.port))
        .await
        .map_err(unreachable)?;
    // Looked at after the name was resolved, and no other address is connected to.
    let good = notify::guard::let_through(places).map_err(|refused| match refused {
        Some((address, why)) => unreachable(format!("nothing is sent to {address}: {why}")),
        None => unreachable("its name has no address"),
    })?;
    link::reach(good, CONNECT).await.map_err(unreachable)
}

/// The certificates that are trusted: Mozilla's list; a box has no other.
pub(crate) fn trust() -> Result<Arc<rustls::ClientConfig>, Problem> {
    static TRUST: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    if let Some(trust) = TRUST.get() {
        return Ok(Arc::clone(trust));
    }
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unreachable)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(TRUST.get_or_init(|| Arc::new(config))))
}

async fn speak<S>(
    origin: &Origin,
    bearer: Option<&Bearer>,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
    stream: S,
) -> Result<Reply, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let driving = tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", origin.base))
        .header("Host", origin.authority())
        .header("User-Agent", concat!("kiln/", env!("CARGO_PKG_VERSION")))
        .header("Accept", "application/json");
    if let Some(authorization) = bearer.and_then(Bearer::authorization) {
        request = request.header(http::header::AUTHORIZATION, authorization);
    }
    if body.is_some() {
        request = request.header("Content-Type", "application/json");
    }
    let request = request
        .body(Full::new(Bytes::from(body.unwrap_or_default())))
        .map_err(unreachable)?;
    let asked = async {
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(Problem::new(
                "addon-redirects",
                502,
                "The add-on answered with a redirect, which is not followed",
            )
            .with(format!("status {status}")));
        }
        // An interim answer opens a tunnel at whoever passes it on; above 599 there is none.
        if status.is_informational() || status.as_u16() >= 600 {
            return Err(unreachable(format!("it answered with status {}", status.as_u16())));
        }
        let kind = answer
            .headers()
            .get(http::header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let is_json = kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
        let body = Limited::new(answer.into_body(), ANSWER_MAX)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    Problem::new("addon-too-long", 502, "The add-on's answer is too long")
                        .with(format!("at most {ANSWER_MAX} bytes"))
                } else {
                    unreachable(error)
                }
            })?;
        Ok(Reply {
            status: status.as_u16(),
            is_json,
            body: body.to_bytes(),
        })
    };
    let reply = asked.await;
    driving.abort();
    reply
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_reason() {
        let origin = Origin::parse("http://10.0.0.5:9100/hub/").unwrap();
        assert_eq!(
            (origin.port, origin.base.as_str(), origin.authority().as_str()),
            (9100, "/hub", "10.0.0.5:9100")
        );
        assert_eq!(Origin::parse("https://[fd00::1]").unwrap().authority(), "[fd00::1]:443");
        for (url, word) in [
            ("ftp://a", "http://"),
            ("http://", "url"),
            ("http://user:pass@host", "user name"),
            ("http://169.254.169.254/latest", "metadata"),
            ("http://metadata.google.internal", "metadata"),
            ("http://host/?x=1", "query"),
            ("http://host/#x", "fragment"),
            ("http://host:99999", "1 to 65535"),
            ("http://host:0", "1 to 65535"),
            ("https://[::1]:70000/x", "1 to 65535"),
            ("http://host:", "1 to 65535"),
            ("http://host/a/%2e%2E/b", ".."),
            ("http://host/a/../b", ".."),
            ("javascript:alert(1)", "url"),
        ] {
            assert!(
                Origin::parse(url).unwrap_err().contains(word),
                "{url}: {:?}",
                Origin::parse(url)
            );
        }
        assert!(Origin::parse(&format!("http://{}", "x".repeat(512))).is_err());
    }

    #[test]
    fn no_path_leads_out_of_the_api() {
        for path in [
            "/api/agents",
            "/api/jobs/a%20b?x=1&y=2",
            "/api/config?agent_id=n1",
            "/api/sda.conf",
            "/api/x?path=/./y",
        ] {
            check_path(path).unwrap();
        }
        for path in [
            "",
            "/",
            "/api",
            "/apix/",
            "api/x",
            "/api/../etc",
            "/api/%2e%2e/x",
            "/api/%252e%252e/x",
            "/api/..%2fx",
            "/api/.%2e/x",
            "/api/a\\..\\b",
            "/api/%5c",
            "/api//evil.example",
            "/api/a b",
            "/api/a\r\nHost: x",
            "/api/ä",
            "/api/x#y",
            "/api/./x",
            "/api/x/.",
            "/api/x/.;y/z",
            "/api/%2e/x",
            "http://evil.example/api/",
            "//evil.example/api/",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_before_it_is_asked() {
        for path in ["/api/<x>", "/api/a`b", "/api/a^b"] {
            assert_eq!(check_path(path).is_ok(), path.parse::<http::Uri>().is_ok(), "{path}");
        }
        assert!(check_path("/api/<x>").is_err());
    }

    proptest! {
        #[test]
        fn what_is_let_through_is_one_plain_path(path in "/api/.{0,60}") {
            if check_path(&path).is_ok() {
                let uri: http::Uri = path.parse().unwrap();
                prop_assert!(uri.path().starts_with("/api/") && uri.host().is_none());
                prop_assert!(!uri.path().contains(".."));
            }
        }
    }
}

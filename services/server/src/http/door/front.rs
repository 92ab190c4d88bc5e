//! What every request passes first: the host it names, where it comes from, and the headers of every answer.
//!
//! - `Host` must be an address, `localhost`, the box's name or `*.local`: else a page of some other site whose name
//!   was pointed at this address (DNS rebinding) could talk to the box as if it were its own. Add-ons and host agents are asked
//!   for a token or a signature instead, which no such page has: they may call the box by whatever name their network gives it.
//! - A request that changes something and names an `Origin` must come from the box's own page.
//! - By cookie it needs `X-Requested-With: XMLHttpRequest` too, which no other site can make a browser send. A client
//!   that is no browser may leave `Origin` out; a browser never does.
//! - A page that is called in clear by port 80 moves to HTTPS; `/api`, `/ws` and `/health` answer on both. Any other port
//!   is forwarded by somebody, and where its HTTPS is nobody here knows.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, COOKIE, EXPECT, HOST, HeaderName, LOCATION,
    ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;

use super::left;
use crate::app::App;
use crate::http::Refusal;
use crate::http::people::person;
use crate::http::people::person::VIGIL_COOKIE;
use crate::tls::Way;

/// Everything comes from the box itself; nothing inline, no plug-ins, no frames.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Across a network.
    Tcp(SocketAddr),
    /// A process of this machine that may open the Unix socket.
    Local,
}

impl Peer {
    /// Its address; an IPv4 one as such, however it came.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Local => None,
            Self::Tcp(address) => Some(address.ip().to_canonical()),
        }
    }

    /// The key under which its failures are counted. An IPv6 network is one: its hosts have 2^64 addresses each.
    pub fn key(&self) -> String {
        match self.address() {
            None => "local".to_owned(),
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

/// Names under which the box may be called, besides addresses, `localhost` and `*.local`.
#[derive(Clone, Debug, Default)]
pub struct Hosts(pub Vec<String>);

impl Hosts {
    /// Whether a `Host` header names this box; `name` is its present host name.
    pub fn admits(&self, host: &str, name: &str) -> bool {
        let Some(bare) = without_port(host) else { return false };
        let bare = bare.trim_end_matches('.').to_ascii_lowercase();
        if let Some(v6) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return v6.parse::<std::net::Ipv6Addr>().is_ok();
        }
        bare.parse::<std::net::Ipv4Addr>().is_ok()
            || bare == "localhost"
            || bare.strip_suffix(".local").is_some_and(|label| !label.is_empty())
            || (!name.is_empty() && bare == name.to_ascii_lowercase())
            || self.0.iter().any(|own| own.to_ascii_lowercase() == bare)
    }
}

fn without_port(host: &str) -> Option<&str> {
    if host.starts_with('[') {
        let end = host.find(']')?;
        let (bare, rest) = host.split_at(end + 1);
        return (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(bare);
    }
    match host.split_once(':') {
        None => Some(host),
        Some((bare, port)) => is_port(port).then_some(bare),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

/// Whether add-ons and host agents ask for this path, with a token or a signature of their own.
fn is_of_daemons(headers: &HeaderMap, uri: &Uri) -> bool {
    let by_query = || {
        uri.query()
            .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("token=")))
    };
    let key = match uri.path() {
        "/api/addons/ws" => headers.contains_key(AUTHORIZATION) || by_query(),
        "/api/addons/connect" | "/api/report" => headers.contains_key(AUTHORIZATION),
        "/api/v1/agents/register" | "/api/v1/agents/auth" => true,
        _ => false,
    };
    let of_browsers = [COOKIE, ORIGIN, HeaderName::from_static("sec-fetch-site")];
    key && !of_browsers.iter().any(|name| headers.contains_key(name))
}

/// Why a request is turned away before anybody looks at its path. `opens`: whether a value is that of a session.
fn refused(
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
    host: Option<&str>,
    peer: Peer,
    (hosts, name): (&Hosts, &str),
    opens: impl Fn(&str) -> bool,
) -> Option<Refusal> {
    let host = host.unwrap_or("");
    if peer != Peer::Local && !hosts.admits(host, name) && !is_of_daemons(headers, uri) {
        let shown: String = host.chars().take(100).collect();
        return Some(
            Refusal::new("host-refused", 403, "This box is not called that").with(format!(
                "Host: {shown:?}; use its address, its name, or a name that ends in .local; other names stand in KILN_HOSTS"
            )),
        );
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let foreign = text(headers, ORIGIN).is_some_and(|origin| {
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    if foreign {
        return Some(Refusal::new(
            "origin-refused",
            403,
            "This request comes from another site's page",
        ));
    }
    let site = text(headers, HeaderName::from_static("sec-fetch-site")).unwrap_or("none");
    if !matches!(site, "same-origin" | "none") {
        return Some(Refusal::new(
            "origin-refused",
            403,
            "This request comes from another site's page",
        ));
    }
    // Vigil's name for it is anybody's: what some other program has set there lets nobody act, and must keep nobody from logging in.
    let has_cookie = person::own(headers).next().is_some() || person::named(headers, VIGIL_COOKIE).any(opens);
    let by_cookie = has_cookie && !headers.contains_key(AUTHORIZATION);
    let asked = text(headers, HeaderName::from_static("x-requested-with"))
        .is_some_and(|value| value.eq_ignore_ascii_case("XMLHttpRequest"));
    if by_cookie && !asked {
        return Some(Refusal::new("csrf", 403, "A header is missing").with("X-Requested-With: XMLHttpRequest"));
    }
    None
}

/// Why a path names nothing: undone, it is no text.
fn unreadable(path: &str) -> Option<Refusal> {
    percent_decode_str(path).decode_utf8().err().map(|_| {
        Refusal::new("bad-path", 400, "This path is no text").with("path: expected UTF-8 behind the percent signs")
    })
}

/// Where a page that was asked for in clear is by HTTPS.
fn moved(method: &Method, way: Way, host: Option<&str>, uri: &Uri) -> Option<HeaderValue> {
    let path = uri.path();
    let is = |top: &str| path == top || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    if way != Way::PlainBesideTls
        || !matches!(*method, Method::GET | Method::HEAD)
        || ["/api", "/ws", "/health", "/schemas"].into_iter().any(is)
    {
        return None;
    }
    let host = host?;
    let bare = without_port(host)?;
    let port = host.strip_prefix(bare)?;
    matches!(port, "" | ":80").then(|| {
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        HeaderValue::from_str(&format!("https://{bare}{rest}")).ok()
    })?
}

/// The middleware.
pub(crate) async fn front(
    State((app, hosts)): State<(Arc<App>, Arc<Hosts>)>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Local);
    let way = request.extensions().get::<Way>().copied().unwrap_or(Way::Plain);
    // What its body holds counts until it is answered.
    let share = app.bodies.share(peer.key());
    let (head, body) = request.into_parts();
    let (body, rest) = left::lend(body);
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(Arc::clone(&share));
    // Who waits to be told to send its body is told by the answer, and sends none.
    let waits = request.headers().contains_key(EXPECT);
    let name = app.hub(|hub| hub.name().to_owned());
    let host = text(request.headers(), HOST).or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let method = request.method().clone();
    // The path alone: a query may hold a token.
    let path = request.uri().path().to_owned();
    let opens = |value: &str| app.vault.session(value, app.clock.now()).is_some();
    let why = refused(
        (&method, request.uri()),
        request.headers(),
        host,
        peer,
        (&hosts, &name),
        opens,
    )
    .or_else(|| unreadable(&path));
    let mut response = match why {
        Some(refusal) => refusal.into_response(),
        None => match moved(&method, way, host, request.uri()) {
            Some(there) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, there)]).into_response(),
            None => next.run(request).await,
        },
    };
    if !rest.take(waits).await {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    tracing::debug!(%method, path, status = response.status().as_u16(), "request answered");
    let headers = response.headers_mut();
    // The page brings its own, which says the same.
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(CSP));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_own_names_are_hosts() {
        let hosts = Hosts(vec!["Bench.example.org".into()]);
        for good in [
            "10.0.0.7",
            "10.0.0.7:8080",
            "[fe80::1]",
            "[::1]:80",
            "localhost:7000",
            "kiln.local",
            "KILN",
            "bench.example.org:80",
            "kiln.local.:80",
        ] {
            assert!(hosts.admits(good, "kiln"), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            ".local",
            "kiln.local.evil.example",
            "[::1",
            "10.0.0.7:x",
            "10.0.0.7:80:80",
            "a b",
        ] {
            assert!(!hosts.admits(bad, "kiln"), "{bad}");
        }
        assert!(!Hosts::default().admits("", ""));
    }

    #[test]
    fn a_path_is_text() {
        for good in ["/", "/api/v1/jobs/1", "/caf%C3%A9", "/a%2Fb", "/100%", "/%zz"] {
            assert!(unreadable(good).is_none(), "{good}");
        }
        for bad in ["/api/addons/%ff%fe", "/api/v1/jobs/%ff", "/%C3"] {
            assert!(unreadable(bad).is_some(), "{bad}");
        }
    }

    fn verdict(method: Method, pairs: &[(&'static str, &'static str)]) -> Option<&'static str> {
        verdict_of(method, "/", pairs)
    }

    fn verdict_of(method: Method, uri: &'static str, pairs: &[(&'static str, &'static str)]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let peer = Peer::Tcp(([10, 0, 0, 9], 5000).into());
        let own = (&Hosts::default(), "kiln");
        let asked = (&method, &Uri::from_static(uri));
        let refusal = refused(asked, &headers, text(&headers, HOST), peer, own, |value| {
            value == "ours"
        })?;
        let body = format!("{refusal:?}");
        ["host-refused", "origin-refused", "csrf"]
            .into_iter()
            .find(|kind| body.contains(kind))
    }

    #[test]
    fn other_sites_cannot_make_a_browser_act() {
        const HOST_: (&str, &str) = ("host", "10.0.0.7");
        const COOKIE: (&str, &str) = ("cookie", "kiln_session=x");
        const ASKED: (&str, &str) = ("x-requested-with", "XMLHttpRequest");
        for (method, pairs, want) in [
            (Method::GET, vec![("host", "evil.example")], Some("host-refused")),
            (Method::GET, vec![], Some("host-refused")),
            (Method::GET, vec![HOST_, ("origin", "http://evil.example")], None),
            (
                Method::POST,
                vec![HOST_, COOKIE, ASKED, ("origin", "http://evil.example")],
                Some("origin-refused"),
            ),
            (
                Method::POST,
                vec![HOST_, COOKIE, ASKED, ("origin", "null")],
                Some("origin-refused"),
            ),
            (
                Method::POST,
                vec![HOST_, COOKIE, ASKED, ("origin", "http://10.0.0.7:81")],
                Some("origin-refused"),
            ),
            (
                Method::POST,
                vec![HOST_, COOKIE, ASKED, ("sec-fetch-site", "cross-site")],
                Some("origin-refused"),
            ),
            (
                Method::POST,
                vec![HOST_, COOKIE, ("origin", "http://10.0.0.7")],
                Some("csrf"),
            ),
            (
                Method::DELETE,
                vec![HOST_, COOKIE, ("x-requested-with", "curl")],
                Some("csrf"),
            ),
            (
                Method::POST,
                vec![HOST_, ("cookie", "__Host-kiln_session=x")],
                Some("csrf"),
            ),
            (Method::POST, vec![HOST_, ("cookie", "session=ours")], Some("csrf")),
            (Method::POST, vec![HOST_, ("cookie", "session=another's")], None),
            (
                Method::POST,
                vec![HOST_, COOKIE, ASKED, ("origin", "http://10.0.0.7")],
                None,
            ),
            (Method::POST, vec![HOST_, COOKIE, ASKED], None),
            (Method::POST, vec![HOST_, ("authorization", "Bearer x")], None),
            (Method::POST, vec![HOST_], None),
        ] {
            assert_eq!(verdict(method.clone(), &pairs), want, "{method} {pairs:?}");
        }
    }

    #[test]
    fn daemons_with_a_token_call_the_box_by_any_name_and_no_browser_does() {
        const NAME: (&str, &str) = ("host", "vigil-server:7000");
        const BEARER: (&str, &str) = ("authorization", "Bearer x");
        const ROADS: [(Method, &str); 5] = [
            (Method::GET, "/api/addons/ws?addon_id=1"),
            (Method::POST, "/api/addons/connect"),
            (Method::POST, "/api/report"),
            (Method::POST, "/api/v1/agents/register"),
            (Method::POST, "/api/v1/agents/auth"),
        ];
        for (method, road) in ROADS {
            assert_eq!(verdict_of(method.clone(), road, &[NAME, BEARER]), None, "{road}");
            for of_browser in [
                ("cookie", "a=b"),
                ("origin", "http://vigil-server:7000"),
                ("sec-fetch-site", "same-origin"),
            ] {
                let found = verdict_of(method.clone(), road, &[NAME, BEARER, of_browser]);
                assert_eq!(found, Some("host-refused"), "{road} {of_browser:?}");
            }
            let bare = verdict_of(method, road, &[NAME]);
            assert_eq!(bare.is_none(), road.contains("/agents/"), "{road} without a token");
        }
        for (road, want) in [
            ("/api/addons/ws?addon_id=1&token=x", None),
            ("/api/addons/ws?addon_id=1&tokens=x", Some("host-refused")),
            ("/api/addons", Some("host-refused")),
            ("/api/addons/ws/x?token=x", Some("host-refused")),
            ("/", Some("host-refused")),
        ] {
            assert_eq!(verdict_of(Method::GET, road, &[NAME]), want, "{road}");
        }
        assert_eq!(
            verdict_of(Method::GET, "/api/addons", &[NAME, BEARER]),
            Some("host-refused")
        );
    }

    #[test]
    fn pages_in_clear_move_and_nothing_else_does() {
        let to = |method: Method, way, host, uri: &'static str| {
            moved(&method, way, Some(host), &Uri::from_static(uri)).map(|value| value.to_str().unwrap_or("").to_owned())
        };
        let plain = Way::PlainBesideTls;
        for (host, uri, want) in [
            ("10.0.0.7", "/jobs/1?x=2", Some("https://10.0.0.7/jobs/1?x=2")),
            ("kiln.local:80", "/", Some("https://kiln.local/")),
            ("[fe80::1]", "/apis", Some("https://[fe80::1]/apis")),
            ("127.0.0.1:8080", "/", None),
            ("10.0.0.7", "/api/v1/box", None),
            ("10.0.0.7", "/health", None),
            ("10.0.0.7", "/ws/agent", None),
            ("10.0.0.7:x", "/", None),
        ] {
            assert_eq!(to(Method::GET, plain, host, uri).as_deref(), want, "{host}{uri}");
        }
        for way in [Way::Tls, Way::Plain] {
            assert_eq!(to(Method::GET, way, "10.0.0.7", "/"), None);
        }
        assert_eq!(to(Method::POST, plain, "10.0.0.7", "/"), None);
    }

    #[test]
    fn a_whole_ipv6_network_shares_its_failures() {
        let key = |text: &str| text.parse().map(|address| Peer::Tcp(address).key()).unwrap_or_default();
        assert_eq!(key("[2001:db8:1:2::1]:1"), key("[2001:db8:1:2:ffff::9]:2"));
        assert_eq!(key("[::ffff:10.0.0.1]:1"), key("10.0.0.1:2"));
    }
}

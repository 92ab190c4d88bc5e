//! Who is logged in: the session behind a request's cookie or bearer token.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use wire::Time;

use crate::app::App;
use crate::http::Refusal;
use crate::http::door::body::Still;

/// Name of the session's cookie that goes in clear.
pub(crate) const COOKIE_NAME: &str = "kiln_session";

/// Its name by TLS. Another one, because a browser lets no cookie that goes in clear take the place of one of TLS, whatever the
/// port; by its prefix it takes this one from this host by TLS alone. Source: RFC 6265bis §4.1.3.2, §5.7.
pub(crate) const TLS_COOKIE: &str = "__Host-kiln_session";

/// Its name for Vigil's clients.
pub(crate) const VIGIL_COOKIE: &str = "session";

/// A person with a session.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// User name.
    pub name: String,
    /// When the session ends.
    pub expires: Time,
    /// The session's secret, to end it or to look at it again.
    pub secret: String,
}

/// The values of the session's cookie: under its own names, then under Vigil's, which a program behind another port of the
/// same host may have used for its own.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    own(headers).chain(named(headers, VIGIL_COOKIE))
}

/// The values under its own names: first the one that nobody else on the network can have set.
pub(crate) fn own(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    named(headers, TLS_COOKIE).chain(named(headers, COOKIE_NAME))
}

/// The values of the cookies of this name.
pub(crate) fn named<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(move |pair| {
            let (its, value) = pair.trim().split_once('=')?;
            (its == name && !value.is_empty()).then_some(value)
        })
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// Who made a request with these headers.
pub(crate) fn of(app: &App, headers: &HeaderMap) -> Option<Person> {
    // A bearer token that is given is the one meant: the front has not looked at the cookie then.
    let person = |secret: &str| {
        let (name, expires) = app.vault.session(secret, app.clock.now())?;
        let secret = secret.to_owned();
        Some(Person { name, expires, secret })
    };
    match headers.contains_key(AUTHORIZATION) {
        true => person(bearer(headers)?),
        false => cookies(headers).find_map(person),
    }
}

impl Person {
    /// Whether the session goes on.
    pub(crate) fn is_still_in(&self, app: &App) -> bool {
        app.vault.session(&self.secret, app.clock.now()).is_some()
    }
}

impl FromRequestParts<Arc<App>> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let person = of(app, &parts.headers).ok_or_else(Refusal::logged_out)?;
        let (app, same) = (Arc::clone(app), person.clone());
        parts.extensions.insert(Still::new(move || same.is_still_in(&app)));
        Ok(person)
    }
}

impl OptionalFromRequestParts<Arc<App>> for Person {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Self>, Self::Rejection> {
        Ok(of(app, &parts.headers))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; kiln_session_old=1"));
        assert_eq!(cookies(&headers).next(), None);
        headers.append(COOKIE, HeaderValue::from_static("theme=dark;kiln_session=abc"));
        assert_eq!(cookies(&headers).collect::<Vec<_>>(), ["abc"]);
        headers.insert(
            COOKIE,
            HeaderValue::from_static("session=def; session=; kiln_session=abc; __Host-kiln_session=tls"),
        );
        assert_eq!(
            cookies(&headers).collect::<Vec<_>>(),
            ["tls", "abc", "def"],
            "the own ones count first"
        );
    }

    #[test]
    fn bearer_is_case_free_and_never_empty() {
        let mut headers = HeaderMap::new();
        for (value, want) in [
            ("Bearer x", Some("x")),
            ("bearer  x ", Some("x")),
            ("Bearer ", None),
            ("Basic x", None),
            ("x", None),
        ] {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            assert_eq!(bearer(&headers), want, "{value}");
        }
    }
}

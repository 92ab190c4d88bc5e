//! A bundle from an address: its head first, then only the ranges that the box lacks; what the box has is not asked for, and so
//! not judged. A server that knows no ranges sends it whole, as far as the last chunk that is lacking. A connection that breaks is
//! made again, from where it was, until nothing has come for ten minutes; an answer that will be no other is told at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HOST, LOCATION, RANGE, USER_AGENT};
use http::{Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming as Body;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use wire::Problem;
use wire::update::{HEAD_MAX, UpdateChunk};

use super::{Incoming, Owner, Pace, refused};
use crate::app::App;

/// Longest address, in bytes.
const URL_MAX: usize = 2048;
/// Redirects that are followed: downloads are often elsewhere.
const REDIRECTS: usize = 5;
/// How often at least a broken connection is made again without a single chunk having come.
const TRIES: u32 = 5;
/// For how long, too, once the update's head was taken: a router restarts in minutes. Before, the address may be a wrong one.
const AWAY: Duration = Duration::from_mins(10);
/// Longest pause between two tries, in seconds; each is a second longer than the one before.
const PAUSE_MAX: u32 = 30;
/// How long connecting, an answer's head, or a silence may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Uri);

impl Place {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it and what is expected.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url
            .parse()
            .map_err(|e| format!("url: {e}; expected http:// or https://"))?;
        let wrong = if url.len() > URL_MAX {
            Some(format!("at most {URL_MAX} bytes"))
        } else if !matches!(uri.scheme_str(), Some("http" | "https")) {
            Some("expected http:// or https://".into())
        } else if uri.host().is_none_or(str::is_empty) || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            Some("expected a host, without user name and password".into())
        } else {
            notify::guard::check_host(uri.host().unwrap_or_default()).err()
        };
        match wrong {
            Some(wrong) => Err(format!("url: {wrong}")),
            None => Ok(Self(uri)),
        }
    }

    /// Where a redirect leads.
    fn follow(&self, location: &str) -> Result<Self, String> {
        if location.starts_with("http://") || location.starts_with("https://") {
            return Self::parse(location);
        }
        let authority = self.0.authority().map_or("", http::uri::Authority::as_str);
        let scheme = self.0.scheme_str().unwrap_or("http");
        match location.strip_prefix("//") {
            Some(rest) => Self::parse(&format!("{scheme}://{rest}")),
            None if location.starts_with('/') => Self::parse(&format!("{scheme}://{authority}{location}")),
            None => Err(format!(
                "a redirect to {:?}; expected a whole address",
                wire::update::shown_address(location)
            )),
        }
    }
}

/// The network, or a server that may do better the next time.
fn broken(why: impl std::fmt::Display) -> Problem {
    Problem::new("update-unreachable", 502, "The update could not be fetched").with(why.to_string())
}

/// An answer that another try does not change.
pub(super) fn unfit(why: impl std::fmt::Display) -> Problem {
    Problem::new("update-unfit", 502, "The update could not be fetched").with(why.to_string())
}

/// Fetches it and hands it to the writer.
pub async fn fetch(app: &Arc<App>, place: Place, downgrade: bool, person: &str) -> Result<(), Problem> {
    let mut incoming = Incoming::new(downgrade, person, Owner::Download);
    let (mut failed, mut from, mut came) = (0, 0, Instant::now());
    loop {
        let outcome = once(app, &place, from, &mut incoming).await;
        if incoming.is_whole() {
            break;
        }
        let knows = incoming.knows_head();
        let why = match outcome {
            Ok(()) if !knows => {
                return Err(refused(
                    "truncated",
                    "the download ended before the update's head was whole".into(),
                ));
            }
            Ok(()) => broken("the server sends less than it says"),
            // Only the network is tried again; what the writer refuses stays refused.
            Err(problem) if problem.kind == "update-unreachable" => problem,
            Err(problem) => return Err(problem),
        };
        let next = incoming.run().map_or(0, |r| r.0);
        (failed, came) = if next > from {
            (0, Instant::now())
        } else {
            (failed + 1, came)
        };
        if failed >= TRIES && (!knows || came.elapsed() >= AWAY) {
            return Err(why);
        }
        tokio::time::sleep(Duration::from_secs(failed.min(PAUSE_MAX).into())).await;
        from = next;
        if !knows {
            incoming = Incoming::new(downgrade, person, Owner::Download);
        }
    }
    app.finish_update(person, &Owner::Download).await.map(drop)
}

/// One connection: from byte `from` to the end of what is lacking in one run.
async fn once(app: &App, place: &Place, from: u64, incoming: &mut Incoming) -> Result<(), Problem> {
    let run = incoming.run();
    let range = match run {
        None => format!("bytes={from}-"),
        Some((begin, end)) => format!("bytes={begin}-{}", end - 1),
    };
    let answer = tokio::time::timeout(PATIENCE, ask(place, &range))
        .await
        .map_err(|_| broken(format!("no answer within {} s", PATIENCE.as_secs())))??;
    let partial = answer.status() == StatusCode::PARTIAL_CONTENT;
    let header = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
    let begins = header(CONTENT_RANGE).and_then(|range| {
        let range = range.strip_prefix("bytes ")?;
        range.split('-').next()?.parse::<u64>().ok()
    });
    // Of all of it, whichever part this is.
    let size = match partial {
        true => header(CONTENT_RANGE).and_then(|range| range.rsplit('/').next()),
        false => header(CONTENT_LENGTH),
    };
    incoming.will_be(size.and_then(|bytes| bytes.parse().ok()));
    let wanted = run.map_or(from, |r| r.0);
    if partial && begins != Some(wanted) {
        return Err(unfit("the server sent another range than was asked for"));
    }
    if partial {
        incoming.go_on();
    } else {
        // The whole of it, once more from its first byte.
        incoming.rewind();
    }
    let mut body = answer.into_body();
    let mut taken = 0_u64;
    let mut pace = Pace::new(Instant::now());
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame())
            .await
            .map_err(|_| broken(format!("silence for {} s", PATIENCE.as_secs())))?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        taken += data.len() as u64;
        pace.took(Instant::now(), data.len()).map_err(broken)?;
        let pushed = Instant::now();
        incoming.push(app, &data).await?;
        pace.waited(pushed.elapsed());
        // A head is known by now to be one, or never will be; what is lacking is asked for by itself then.
        if run.is_none() && (incoming.knows_head() && partial || taken > u64::from(HEAD_MAX) && !incoming.knows_head())
        {
            break;
        }
        if incoming.is_whole() {
            break;
        }
    }
    Ok(())
}

async fn ask(place: &Place, range: &str) -> Result<Response<Body>, Problem> {
    let mut place = place.clone();
    for _ in 0..=REDIRECTS {
        let answer = ask_once(&place, range).await.map_err(broken)?;
        let status = answer.status();
        if status.is_redirection() {
            let location = answer.headers().get(LOCATION).and_then(|v| v.to_str().ok());
            let location = location.ok_or_else(|| broken("a redirect without an address"))?;
            place = place.follow(location).map_err(broken)?;
            continue;
        }
        if !status.is_success() {
            let told = format!("{} answered {status}", place.0.host().unwrap_or_default());
            let later = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            return Err(match status.is_client_error() && !later {
                true => unfit(told),
                false => broken(told),
            });
        }
        return Ok(answer);
    }
    Err(broken(format!("more than {REDIRECTS} redirects")))
}

async fn ask_once(Place(uri): &Place, range: &str) -> Result<Response<Body>, String> {
    let tls = uri.scheme_str() == Some("https");
    let port = crate::addon::outcall::port(uri)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let request = http::Request::get(path)
        .header(HOST, uri.authority().map_or("", http::uri::Authority::as_str))
        .header(USER_AGENT, concat!("kiln/", env!("CARGO_PKG_VERSION")))
        .header(RANGE, range)
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let found = tokio::net::lookup_host((host.as_str(), port))
        .await
        .map_err(|e| format!("{host}: {e}"))?;
    let good = notify::guard::let_through(found).map_err(|refused| match refused {
        Some((address, why)) => format!("nothing is fetched from {address}: {why}"),
        None => format!("{host} has no address"),
    })?;
    let stream = link::reach(good, PATIENCE).await.map_err(|e| format!("{host}: {e}"))?;
    if !tls {
        return exchange(TokioIo::new(stream), request).await;
    }
    let trust = crate::addon::outcall::trust().map_err(|p| p.title)?;
    let name = ServerName::try_from(host.clone()).map_err(|e| e.to_string())?;
    let stream = tokio_rustls::TlsConnector::from(trust)
        .connect(name, stream)
        .await
        .map_err(|e| format!("{host}: {e}"))?;
    exchange(TokioIo::new(stream), request).await
}

async fn exchange<S>(stream: S, request: http::Request<Empty<Bytes>>) -> Result<Response<Body>, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|e| e.to_string())
}

/// The first stretch of chunks that lie one after the other.
pub(super) fn first_run<'a>(need: impl IntoIterator<Item = &'a UpdateChunk>) -> Option<(u64, u64)> {
    let mut run: Option<(u64, u64)> = None;
    for c in need {
        let end = c.offset + u64::from(c.len);
        match &mut run {
            None => run = Some((c.offset, end)),
            Some((_, last)) if *last == c.offset => *last = end,
            Some(_) => break,
        }
    }
    run
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_reason() {
        for good in [
            "http://10.0.0.5:9100/kiln.kiln",
            "https://example.org/a?b=c",
            "http://[fd00::1]/x",
        ] {
            Place::parse(good).unwrap();
        }
        for (bad, word) in [
            ("ftp://a/b", "http://"),
            ("/a", "http://"),
            ("http://user:pass@host/", "user name"),
            ("http://169.254.169.254/latest", "url"),
        ] {
            assert!(Place::parse(bad).unwrap_err().contains(word), "{bad}");
        }
    }

    #[test]
    fn redirects_lead_on() {
        let from = Place::parse("https://example.org/a/b").unwrap();
        let to = |l: &str| from.follow(l).map(|p| p.0.to_string());
        assert_eq!(to("/c").unwrap(), "https://example.org/c");
        assert_eq!(to("http://other.org/x").unwrap(), "http://other.org/x");
        assert_eq!(to("//other.org/x").unwrap(), "https://other.org/x");
        assert!(to("c").is_err() && to("file:///etc/passwd").is_err());
        let why = to("c?token=geheim").unwrap_err();
        assert!(why.contains("\"c?…\"") && !why.contains("geheim"), "{why}");
    }

    #[test]
    fn a_run_ends_where_a_chunk_is_not_lacking() {
        let c = |number, offset, len| UpdateChunk { number, offset, len };
        assert_eq!(first_run(&[]), None);
        assert_eq!(first_run(&[c(0, 10, 5), c(1, 15, 5), c(3, 25, 5)]), Some((10, 20)));
    }
}

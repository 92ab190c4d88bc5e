//! The optional listener (`--listen ADDR`): the HTTP paths that existing servers ask of an add-on's URL.
//!
//! Every request needs the add-on token, as existing servers send it with what they forward. They send none with an action;
//! so `plan`, `start` and `execute` are heard without one, if no browser's page sends them, and lead to the same refusal or
//! the same gate as a frame. Connections, heads, bodies and their times are bounded. Plain HTTP: an existing server speaks
//! nothing else to an add-on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::{debug, info, warn};
use wire::{JobId, Problem, Time};

use super::ask::{self, Said, Wanted};
use super::{Who, shapes, window};
use crate::outbox::Outbox;
use crate::stop::Stop;
use crate::uplink::{self, FromServer};

/// Longest body: that of a forwarded request of existing servers.
const BODY_MAX: usize = 65_536;

/// A person's browser can be made to send what no server did: whatever bears the mark of a page is not a server's.
fn from_no_page(headers: &HeaderMap) -> Result<(), Problem> {
    let marks = ["origin", "sec-fetch-site", "sec-fetch-mode"];
    match marks.into_iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            let problem = Problem::new("origin-refused", 403, "This request comes from a page");
            Err(problem.with(format!(
                "It has the header {name}; without the add-on token only servers are heard."
            )))
        }
    }
}

/// Most connections at once.
const CONNECTIONS: usize = 32;

/// Longest time for a request's head, and for its body.
const SLOW: Duration = Duration::from_secs(15);

/// Longest life of a connection: a start opens and looks at every drive.
const LIFE: Duration = Duration::from_mins(2);

/// What the listener answers from.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Drives, jobs, histories.
    pub outbox: Outbox,
    /// Who decides what is asked.
    pub to_controller: mpsc::Sender<FromServer>,
    /// The add-on token.
    pub token: String,
    /// Who we are.
    pub who: Who,
    /// Since when the agent runs.
    pub since: Time,
}

/// Listens until `stop` turns true.
pub async fn run(listener: TcpListener, what: Listener, mut stop: Stop) {
    let what = Arc::new(what);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.asked() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Ok(seat) = Arc::clone(&room).try_acquire_owned() else {
            debug!(%peer, "too many connections: closed");
            continue;
        };
        let what = Arc::clone(&what);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let what = Arc::clone(&what);
                async move { Ok::<_, Infallible>(what.answer(request, peer).await) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(SLOW)
                .max_buf_size(BODY_MAX);
            // A peer that went away or was too slow: there is nobody to tell.
            let _over = timeout(LIFE, server.serve_connection(TokioIo::new(stream), service)).await;
            drop(seat);
        });
    }
}

/// Binds the listener.
///
/// # Errors
/// The operating system's reason.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    info!(address = %listener.local_addr()?, "listening for a Vigil server");
    Ok(listener)
}

impl Listener {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let said = match self.decide(request, peer).await {
            Ok(said) => said,
            Err(problem) => Said {
                status: problem.status,
                value: json!({ "error": format!("{}. {}", problem.title, problem.detail).trim(), "type": problem.kind }),
            },
        };
        let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Full::new(Bytes::from(said.value.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }

    async fn decide(&self, request: Request<Incoming>, peer: SocketAddr) -> Result<Said, Problem> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_end_matches('/').to_owned();
        let gate_step =
            head.method == Method::POST && matches!(path.as_str(), "/api/plan" | "/api/start" | "/api/execute");
        match bearer(&head.headers) {
            Some(given) if same(given, &self.token) => {}
            None if gate_step => from_no_page(&head.headers)?,
            _ => {
                let problem = Problem::new("unauthorized", 401, "The add-on token is missing or wrong");
                return Err(problem.with("Send it as Authorization: Bearer TOKEN."));
            }
        }
        let query = head.uri.query().unwrap_or_default().to_owned();
        match head.method {
            Method::GET => self.read(&path, &query, Time::now()),
            Method::DELETE => {
                let job = path.strip_prefix("/api/jobs/").and_then(|id| id.parse::<JobId>().ok());
                let job = job.ok_or_else(|| not_found(&path))?;
                self.put(Wanted::Cancel(job), peer).await
            }
            Method::POST => {
                let action = path.strip_prefix("/api/").filter(|action| !action.contains('/'));
                let action = action.ok_or_else(|| not_found(&path))?;
                let data = data(body).await?;
                self.put(ask::wanted(action, &data)?, peer).await
            }
            _ => Err(Problem::new("method", 405, "Expected GET, POST or DELETE")),
        }
    }

    async fn put(&self, wanted: Wanted, peer: SocketAddr) -> Result<Said, Problem> {
        uplink::put(&self.to_controller, wanted, peer.ip().to_string()).await
    }

    fn read(&self, path: &str, query: &str, now: Time) -> Result<Said, Problem> {
        let parameter = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let since = match parameter("time_range").or_else(|| parameter("range")) {
            None | Some("") => Time::UNIX_EPOCH,
            Some(text) => {
                let seconds = window::range(text).ok_or_else(|| {
                    let problem = Problem::new("range", 400, "The time range is wrong");
                    problem.with("Expected a number with m, h or d: 15m, 6h, 7d.")
                })?;
                Time::from_second(now.as_second().saturating_sub(seconds)).unwrap_or(Time::UNIX_EPOCH)
            }
        };
        let value = self.outbox.look(|drives, jobs, window| {
            let jobs: Vec<wire::job::Job> = match path {
                "/api/chart/history" | "/api/logs/history" | "/api/config" => Vec::new(),
                _ => jobs.values().cloned().collect(),
            };
            match path {
                "/api/agents" => Some(shapes::agents(drives, &jobs, &self.who, self.since, now)),
                "/api/jobs/active" => Some(shapes::active(&jobs, drives, &self.who, now)),
                "/api/jobs/history" => Some(shapes::history(&jobs, drives, &self.who, since, now)),
                "/api/smart/deltas" => Some(shapes::deltas(&jobs, now)),
                "/api/chart/history" => {
                    let mut readings = window.readings(since);
                    if let Some(component) = parameter("component_id") {
                        readings.retain(|_| component == super::manifest::TEMPERATURE);
                    }
                    Some(shapes::chart(&readings))
                }
                "/api/logs/history" => Some(shapes::logs(&window.lines(since))),
                "/api/config" => Some(json!({ "agent_id": self.who.host, "version": env!("CARGO_PKG_VERSION"),
                    "foreign_gate": self.who.gate })),
                _ => {
                    let id = path.strip_prefix("/api/jobs/")?.parse::<JobId>().ok()?;
                    let job = jobs.iter().find(|job| job.id == id)?;
                    Some(shapes::job(job, drives, &self.who, now))
                }
            }
        });
        let value = value.ok_or_else(|| not_found(path))?;
        Ok(Said { status: 200, value })
    }
}

fn not_found(path: &str) -> Problem {
    let path: String = path.chars().take(100).collect();
    Problem::new("not-found", 404, "There is nothing here").with(path)
}

async fn data(body: Incoming) -> Result<Map<String, Value>, Problem> {
    let wrong = |status, why: String| Problem::new("body", status, "The body cannot be read").with(why);
    let read = timeout(SLOW, Limited::new(body, BODY_MAX).collect()).await;
    let bytes = read
        .map_err(|_| wrong(408, "It came too slowly.".to_owned()))?
        .map_err(|error| wrong(413, format!("{error}; at most {BODY_MAX} bytes.")))?
        .to_bytes();
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(&bytes) {
        // The hub of existing add-ons nests what it does not know in `params`.
        Ok(Value::Object(mut object)) => {
            if let Some(Value::Object(nested)) = object.remove("params") {
                for (key, value) in nested {
                    object.entry(key).or_insert(value);
                }
            }
            Ok(object)
        }
        Ok(_) => Err(wrong(400, "Expected a JSON object.".to_owned())),
        Err(error) => Err(wrong(400, format!("Not JSON: {error}."))),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    Some(value.strip_prefix("Bearer ").unwrap_or_default().trim())
}

/// Whether two texts are equal, in a time that depends on the length alone.
fn same(given: &str, token: &str) -> bool {
    let differences = given
        .bytes()
        .zip(token.bytes())
        .fold(0, |found, (a, b)| found | (a ^ b));
    given.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_page_is_no_server() {
        let with =
            |name: &'static str| HeaderMap::from_iter([(header::HeaderName::from_static(name), "x".parse().unwrap())]);
        assert!(from_no_page(&with("user-agent")).is_ok());
        for name in ["origin", "sec-fetch-site", "sec-fetch-mode"] {
            assert_eq!(from_no_page(&with(name)).unwrap_err().status, 403, "{name}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(same("abc", "abc"));
        for other in ["", "ab", "abcd", "abd", "ABC"] {
            assert!(!same(other, "abc"), "{other}");
        }
    }
}

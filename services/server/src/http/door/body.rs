//! Request bodies: bytes of a bounded size that arrive within a bounded time, out of one budget that all requests share.
//!
//! Each request carries a [`Share`] from the front to its answer; what it has read counts for as long as it is worked on. A
//! request that finds no room is refused at once: to wait would make those hold on who hold the room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::BytesMut;
use http::Extensions;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::http::Refusal;

/// Longest body in bytes. Source: Vigil, request body cap.
pub(crate) const LONGEST: usize = 1 << 20;

/// Longest time for a body to arrive: a megabyte over a bad Wi-Fi link; a client that drips bytes is cut off.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(30);

/// Longest silence within a body.
const SILENCE: Duration = Duration::from_secs(10);

/// Longest body in bytes of who has shown nothing yet: a name, a password, a key.
pub(crate) const SHORT: usize = 16 << 10;

/// Bytes of bodies that all requests may hold together. A backup that is put back is held beside, one at a time.
pub(crate) const ALL: usize = 24 << 20;

/// Bytes of bodies that the requests from one address may hold together.
pub(crate) const OF_ONE: usize = 8 << 20;

/// Seconds after which a refused request may find room.
const ROOM_IN: u64 = 2;

#[derive(Debug, Default)]
struct Held {
    all: usize,
    peers: HashMap<String, usize>,
}

/// The budget of all bodies.
#[derive(Clone, Debug, Default)]
pub struct Bodies(Arc<Mutex<Held>>);

/// What one request holds of the budget; it is given back when the request is answered.
#[derive(Debug)]
pub struct Share {
    of: Bodies,
    peer: String,
    bytes: Mutex<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bodies {
    /// The share of a request from `peer`, which holds nothing yet.
    pub fn share(&self, peer: String) -> Arc<Share> {
        Arc::new(Share {
            of: self.clone(),
            peer,
            bytes: Mutex::new(0),
        })
    }

    /// Bytes that are held at this moment.
    pub fn held(&self) -> usize {
        lock(&self.0).all
    }
}

/// What an address may take by [`Share::begin`] though the budget is spent: a few others must not shut everybody out.
const FIRST: usize = 80 << 10;

/// Bytes beyond which that ends, too.
const HARD: usize = 4 * ALL;

impl Share {
    /// Takes room for more bytes; false where there is none.
    pub fn grow(&self, by: usize) -> bool {
        self.take(by, 0)
    }

    /// As [`Self::grow`]; an address that holds next to nothing finds room for its first 80 KiB nearly always.
    pub fn begin(&self, by: usize) -> bool {
        self.take(by, FIRST)
    }

    fn take(&self, by: usize, always: usize) -> bool {
        let mut held = lock(&self.of.0);
        let of_one = held.peers.get(&self.peer).copied().unwrap_or(0);
        let first = of_one + by <= always && held.all + by <= HARD;
        if held.all + by > ALL && !first || of_one + by > OF_ONE {
            return false;
        }
        held.all += by;
        *held.peers.entry(self.peer.clone()).or_default() += by;
        *lock(&self.bytes) += by;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = *lock(&self.bytes);
        if bytes == 0 {
            return;
        }
        let mut held = lock(&self.of.0);
        held.all -= bytes;
        if let Some(of_one) = held.peers.get_mut(&self.peer) {
            *of_one -= bytes;
            if *of_one == 0 {
                held.peers.remove(&self.peer);
            }
        }
    }
}

/// A JSON body of at most `MOST` bytes.
#[derive(Debug)]
pub(crate) struct Json<T, const MOST: usize = LONGEST>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MOST: usize> FromRequest<S> for Json<T, MOST> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if let Some(kind) = not_json(&request) {
            return Err(Refusal::new("not-json", 415, "The body must be JSON")
                .with(format!("Content-Type is {kind:?}; expected application/json")));
        }
        let bytes = read(request, MOST, ARRIVAL).await?;
        parsed(&bytes)
            .map(Self)
            .map_err(|why| Refusal::new("bad-json", 400, "The body is not what was expected").with(why))
    }
}

/// What a whole text is; else which field is not what was expected, and why.
fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut text).map_err(|error| {
        let (path, inner) = (error.path(), error.inner());
        // What is no JSON is wrong at a place of the text.
        match path.iter().next().filter(|_| inner.is_data()) {
            Some(_) => format!("{path}: {inner}"),
            None => inner.to_string(),
        }
    })?;
    text.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// The content type of a request that says that it is no JSON.
pub(crate) fn not_json(request: &Request) -> Option<String> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    (!is_json).then(|| kind.to_owned())
}

/// A body of text that may be JSON.
#[derive(Debug)]
pub(crate) struct Text(pub String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        String::from_utf8(read(request, LONGEST, ARRIVAL).await?.into())
            .map(Self)
            .map_err(|_| Refusal::new("bad-body", 400, "The body is no text").with("expected UTF-8"))
    }
}

/// Whether who sends a request may still: a body comes as slowly as its sender likes, and their session may end meanwhile.
#[derive(Clone)]
pub(crate) struct Still(Arc<dyn Fn() -> bool + Send + Sync>);

impl Still {
    /// Asks this once the body is there.
    pub(crate) fn new(may: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }
}

/// Reads a body of at most `most` bytes that arrives within `arrival`.
///
/// # Errors
/// `too-long` 413, `slow` 408, `bad-body` 400, `busy` 503; 401 where the session of its sender ended meanwhile.
pub(crate) async fn read(request: Request, most: usize, arrival: Duration) -> Result<bytes::Bytes, Refusal> {
    let (parts, body) = request.into_parts();
    let within = tokio::time::Instant::now() + arrival;
    let slow = |what: String| Refusal::new("slow", 408, "The body did not arrive in time").with(what);
    let whole = collect(&parts.extensions, body, most);
    match tokio::time::timeout_at(within, whole).await {
        Ok(Ok(_)) if parts.extensions.get::<Still>().is_some_and(|Still(may)| !may()) => Err(Refusal::logged_out()),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Broken::Silent)) => Err(slow(format!("nothing came for {} s", SILENCE.as_secs()))),
        Ok(Err(Broken::Refused(refusal))) => Err(refusal),
        Err(_) => Err(slow(format!("{} s", arrival.as_secs()))),
    }
}

enum Broken {
    Silent,
    Refused(Refusal),
}

async fn collect(extensions: &Extensions, mut body: Body, most: usize) -> Result<bytes::Bytes, Broken> {
    let too_long = || {
        let refusal = Refusal::new("too-long", 413, "The body is too long");
        Broken::Refused(refusal.with(format!("at most {most} bytes are taken")))
    };
    let expected = usize::try_from(axum::body::HttpBody::size_hint(&body).lower()).unwrap_or(usize::MAX);
    if expected > most {
        return Err(too_long());
    }
    let share = extensions.get::<Arc<Share>>();
    let mut taken = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame())
            .await
            .map_err(|_| Broken::Silent)?;
        let Some(frame) = frame else { return Ok(taken.freeze()) };
        let frame = frame.map_err(|error| {
            Broken::Refused(Refusal::new("bad-body", 400, "The body broke off").with(error.to_string()))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if taken.len() + data.len() > most {
            return Err(too_long());
        }
        if share.is_some_and(|share| !share.grow(data.len())) {
            return Err(Broken::Refused(Refusal::busy(ROOM_IN).with(format!(
                "the bodies that are being read take {ALL} bytes together and {OF_ONE} of one address; try again in {ROOM_IN} s"
            ))));
        }
        taken.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Asked {
        #[expect(dead_code, reason = "only read")]
        drives: Vec<Drive>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Drive {
        #[expect(dead_code, reason = "only read")]
        hours: u32,
    }

    #[test]
    fn a_body_that_is_not_what_was_expected_says_which_field() {
        for (text, begins) in [
            (
                r#"{"drives": [{"hours": 1}, {"hours": -1}]}"#,
                "drives[1].hours: invalid value",
            ),
            (r#"{"drives": [{}]}"#, "drives[0]: missing field `hours`"),
            ("[]", "invalid length 0"),
            ("{", "EOF while parsing"),
            (r#"{"drives": []} x"#, "trailing characters"),
        ] {
            let why = parsed::<Asked>(text.as_bytes()).unwrap_err();
            assert!(why.starts_with(begins), "{text}: {why}");
        }
        assert!(parsed::<Asked>(br#"{"drives": []} "#).is_ok());
    }

    #[test]
    fn the_budget_is_shared_and_given_back() {
        let bodies = Bodies::default();
        let share = |peer: &str| bodies.share(peer.to_owned());
        let first = share("a");
        assert!(first.grow(OF_ONE / 2) && first.grow(OF_ONE / 2));
        assert!(!first.grow(1) && !share("a").grow(1), "one address has its share");
        let others: Vec<_> = (0..ALL / OF_ONE - 1).map(|n| share(&format!("b{n}"))).collect();
        assert!(others.iter().all(|other| other.grow(OF_ONE)));
        let last = share("c");
        assert!(!last.grow(1), "and all have theirs");
        assert_eq!(bodies.held(), ALL);
        drop(first);
        assert!(last.grow(OF_ONE));
        drop((others, last));
        assert_eq!(bodies.held(), 0);
        assert!(lock(&bodies.0).peers.is_empty());
    }
}

//! What a handler leaves of a body. A connection with bytes of one request before the next one cannot be kept, and a client that
//! was not told so loses its next request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::timeout;

/// Most bytes that are taken to keep a connection: beyond that another one costs less.
const MOST: u64 = 64 << 10;

/// How long is waited for them.
const ARRIVAL: Duration = Duration::from_secs(1);

/// A body whose rest is still there when its reader has gone.
struct Lent(Arc<Mutex<Body>>);

impl Lent {
    fn with<T>(&self, look: impl FnOnce(&mut Body) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}

/// The rest of a body that was lent.
pub(super) struct Rest(Arc<Mutex<Body>>);

/// The same body for a handler, and what it will have left.
pub(super) fn lend(body: Body) -> (Body, Rest) {
    let shared = Arc::new(Mutex::new(body));
    (Body::new(Lent(Arc::clone(&shared))), Rest(shared))
}

impl Rest {
    /// Takes what is left, if that is little and there. `waits`: it is sent only when asked for (`Expect: 100-continue`), and is not.
    ///
    /// `false`: the connection has to end behind the answer.
    pub(super) async fn take(self, waits: bool) -> bool {
        // One that is still read is its reader's.
        let Ok(shared) = Arc::try_unwrap(self.0) else {
            return true;
        };
        let mut body = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        if body.is_end_stream() {
            return true;
        }
        if waits || body.size_hint().lower() > MOST {
            return false;
        }
        let all = async {
            let mut left = MOST;
            while let Some(frame) = body.frame().await {
                let length = frame.map_or(u64::MAX, |frame| frame.data_ref().map_or(0, |data| data.len() as u64));
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
            true
        };
        timeout(ARRIVAL, all).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn little_is_taken_and_neither_much_nor_what_does_not_come() {
        let (body, rest) = lend(Body::from("{}"));
        drop(body);
        assert!(rest.take(false).await);
        let (body, rest) = lend(Body::from(vec![0; 70 << 10]));
        drop(body);
        assert!(!rest.take(false).await);
        let endless = futures_util::stream::repeat_with(|| Ok::<_, axum::Error>(Bytes::from_static(&[0; 4096])));
        let (body, rest) = lend(Body::from_stream(endless));
        drop(body);
        assert!(!rest.take(false).await);
        let (body, rest) = lend(Body::from("{}"));
        drop(body);
        assert!(!rest.take(true).await, "nobody sends it");
        let (body, rest) = lend(Body::from_stream(futures_util::stream::pending::<
            Result<Bytes, axum::Error>,
        >()));
        drop(body);
        assert!(!rest.take(false).await);
    }

    #[tokio::test]
    async fn what_was_read_or_still_is_needs_nothing() {
        let (body, rest) = lend(Body::from("all"));
        assert_eq!(
            body.collect().await.map(http_body_util::Collected::to_bytes).ok(),
            Some("all".into())
        );
        assert!(rest.take(false).await);
        let (body, rest) = lend(Body::from(vec![0; 70 << 10]));
        assert!(rest.take(false).await);
        assert_eq!(body.size_hint().exact(), Some(70 << 10));
    }
}

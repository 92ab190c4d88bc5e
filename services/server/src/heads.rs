//! The heads of requests that have come in part: what all of them and those of one address may hold.
//!
//! Counted from a head's first byte until the router has the request, on every turn of a connection: so whoever is idle, or
//! listens, or has become a WebSocket counts nothing, and thousands of add-ons behind one address are no crowd. A connection
//! whose bytes find no room is closed: who sends heads whole holds room for an instant only.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::{Bodies, Share};

/// Longest head that is taken, in bytes.
pub const LONGEST: usize = 64 << 10;

/// What a head takes that has begun, beside its bytes: buffers of HTTP and TLS.
const BEGUN: usize = 16 << 10;

/// The budget of the heads on one listener: as large as that of the bodies, and beside it.
#[derive(Clone, Debug, Default)]
pub struct Heads(Bodies);

/// What one connection holds of the budget.
#[derive(Debug)]
pub struct Head {
    of: Bodies,
    peer: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What comes is part of a head.
    awaited: bool,
    bytes: usize,
    held: Option<Arc<Share>>,
}

impl Heads {
    /// Of a new connection, which waits for its first head.
    pub fn of(&self, peer: String) -> Arc<Head> {
        Arc::new(Head {
            of: self.0.clone(),
            peer,
            state: Mutex::new(State {
                awaited: true,
                bytes: 0,
                held: None,
            }),
        })
    }
}

impl Head {
    fn state(&self) -> MutexGuard<'_, State> {
        // What panicked while holding it left a count that is at most too small.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a handshake, which is given back with what is returned; `None` where there is none.
    pub fn handshake(&self) -> Option<Arc<Share>> {
        let share = self.of.share(self.peer.clone());
        share.grow(2 * BEGUN).then_some(share)
    }

    /// Bytes came; false where there is no room for them.
    fn came(&self, bytes: usize) -> bool {
        let mut state = self.state();
        let bytes = bytes.min(LONGEST - state.bytes);
        if !state.awaited || bytes == 0 {
            return true;
        }
        let begun = if state.held.is_none() { BEGUN } else { 0 };
        let held = state.held.get_or_insert_with(|| self.of.share(self.peer.clone()));
        let room = held.grow(begun + bytes);
        state.bytes += bytes;
        room
    }

    /// The head is whole, and its request under way.
    pub fn is_whole(&self) {
        *self.state() = State {
            awaited: false,
            bytes: 0,
            held: None,
        };
    }

    /// The request is answered: what comes next is a head again.
    pub fn is_awaited(&self) {
        self.state().awaited = true;
    }
}

/// A connection whose bytes count towards its head.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    head: Arc<Head>,
}

impl<S> Counted<S> {
    /// Counts the bytes of `stream`.
    pub fn new(stream: S, head: Arc<Head>) -> Self {
        Self { stream, head }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        match self.head.came(buf.filled().len() - before) {
            true => Poll::Ready(Ok(())),
            false => Poll::Ready(Err(std::io::Error::other(
                "too many requests have sent a part of their head",
            ))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_part_of_a_head_counts() {
        let heads = Heads::default();
        let one = heads.of("a".to_owned());
        assert_eq!(heads.0.held(), 0, "who says nothing counts nothing");
        assert!(one.came(100) && one.came(100));
        assert_eq!(heads.0.held(), BEGUN + 200);
        one.is_whole();
        assert!(one.came(1 << 30), "a body");
        assert_eq!(heads.0.held(), 0);
        one.is_awaited();
        assert!(one.came(1 << 30));
        assert_eq!(heads.0.held(), BEGUN + LONGEST, "more is not taken of one");
        let mut crowd: Vec<_> = (0..1000).map(|_| heads.of("a".to_owned())).collect();
        crowd.retain(|head| head.came(1));
        assert!((100..600).contains(&crowd.len()), "{}", crowd.len());
        assert!(
            heads.of("b".to_owned()).came(LONGEST),
            "one address leaves room for others"
        );
        drop((one, crowd));
        assert_eq!(heads.0.held(), 0);
    }
}

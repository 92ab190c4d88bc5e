//! The heads of requests that have no answer yet: what all of them and those of one address may hold.
//!
//! Counted from a head's first byte until the router has answered, on every turn of a connection: a head is held for as long as its body
//! is waited for. So whoever is idle, or listens, or has become a WebSocket counts nothing, and thousands of add-ons behind one address
//! are no crowd. A connection whose bytes find no room is closed: whose requests are whole holds room for as long as they take to answer,
//! and an address that holds nothing else finds room for one even where a few others have taken all of it.
//!
//! Apart from that, connections that are no WebSocket are counted for each address, with or without a byte: one
//! address must not take every seat by saying nothing, or little. And whoever asks and then takes nothing of the answer for half a
//! minute is cut off: what waits for it is memory, too. A WebSocket has deadlines of its own.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::http::{Bodies, Share};

/// Longest head that is taken, in bytes.
pub const LONGEST: usize = 64 << 10;

/// What a head takes that has begun, beside its bytes: buffers of HTTP and TLS.
const BEGUN: usize = 16 << 10;

/// Connections of one address that may wait for a head, for a body or for an answer: three quarters of [`crate::serve::seats::NETWORK`].
pub const WAITING: usize = crate::serve::seats::NETWORK / 4 * 3;

/// Longest time in which a client takes nothing of what it is sent: one that changes its network is back sooner.
pub const STALLED: Duration = Duration::from_secs(30);

/// What is held in one room of [`crate::serve::seats`]: bytes, in a budget as large as that of the bodies and beside it, and connections
/// that wait.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    bytes: Bodies,
    waiting: Waiting,
}

/// How many connections of each address wait.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<HashMap<String, usize>>>);

/// What one connection holds of it.
#[derive(Debug)]
pub struct Head {
    of: Bodies,
    waiting: Waiting,
    peer: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What comes is part of a head, not of a body.
    awaited: bool,
    /// It speaks WebSocket now.
    upgraded: bool,
    bytes: usize,
    held: Option<Arc<Share>>,
}

impl Waiting {
    fn one_more(&self, peer: &str) -> usize {
        let mut all = lock(&self.0);
        let of_it = all.entry(peer.to_owned()).or_default();
        *of_it += 1;
        *of_it
    }

    fn one_less(&self, peer: &str) {
        let mut all = lock(&self.0);
        if let Some(of_it) = all.get_mut(peer) {
            *of_it -= 1;
            if *of_it == 0 {
                all.remove(peer);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What panicked while holding it was arithmetic; the counts are whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heads {
    /// Of a new connection, which waits for its first head; `None` where too many of its address do.
    pub fn of(&self, peer: String) -> Option<Arc<Head>> {
        let waiting = self.waiting.one_more(&peer);
        // Made in any case: it counts itself out when it goes.
        let head = Arc::new(Head {
            of: self.bytes.clone(),
            waiting: self.waiting.clone(),
            peer,
            state: Mutex::new(State {
                awaited: true,
                upgraded: false,
                bytes: 0,
                held: None,
            }),
        });
        (waiting <= WAITING).then_some(head)
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        if !self.state().upgraded {
            self.waiting.one_less(&self.peer);
        }
    }
}

impl Head {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Room for a handshake, which is given back with what is returned; `None` where there is none.
    pub fn handshake(&self) -> Option<Arc<Share>> {
        let share = self.of.share(self.peer.clone());
        share.begin(2 * BEGUN).then_some(share)
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
        let room = held.begin(begun + bytes);
        state.bytes += bytes;
        room
    }

    /// The head is whole, and its request under way: what comes is its body.
    pub fn is_whole(&self) {
        self.state().awaited = false;
    }

    /// The connection becomes a WebSocket: no head comes any more, and its deadlines are its own.
    pub fn is_upgraded(&self) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.upgraded, true) {
            self.waiting.one_less(&self.peer);
        }
        (state.bytes, state.held) = (0, None);
    }

    /// The request is answered: what comes next is a head again.
    pub fn is_awaited(&self) {
        let mut state = self.state();
        state.awaited = true;
        (state.bytes, state.held) = (0, None);
    }
}

/// A connection whose bytes count towards its head, and whose client takes what it is sent.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    head: Arc<Head>,
    /// When it is cut off; only while it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Counted<S> {
    /// Counts the bytes of `stream`.
    pub fn new(stream: S, head: Arc<Head>) -> Self {
        Self {
            stream,
            head,
            stalled: None,
        }
    }

    /// What came of sending; an error where nothing was taken for [`STALLED`].
    fn in_time<T>(&mut self, cx: &mut Context<'_>, sent: Poll<std::io::Result<T>>) -> Poll<std::io::Result<T>> {
        if sent.is_ready() || self.head.state().upgraded {
            self.stalled = None;
            return sent;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        ready!(stalled.as_mut().poll(cx));
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the client takes nothing of its answer");
        Poll::Ready(Err(error))
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
        let sent = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.in_time(cx, sent)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.in_time(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_what_is_part_of_a_head_counts() {
        let heads = Heads::default();
        let one = heads.of("a".to_owned()).unwrap();
        assert_eq!(heads.bytes.held(), 0, "who says nothing counts nothing");
        assert!(one.came(100) && one.came(100));
        assert_eq!(heads.bytes.held(), BEGUN + 200);
        one.is_whole();
        assert!(one.came(1 << 30), "a body");
        assert_eq!(heads.bytes.held(), BEGUN + 200, "the head is held while its body comes");
        one.is_awaited();
        assert_eq!(heads.bytes.held(), 0);
        assert!(one.came(1 << 30));
        assert_eq!(heads.bytes.held(), BEGUN + LONGEST, "more is not taken of one");
        let mut crowd: Vec<_> = (0..1000).filter_map(|_| heads.of("a".to_owned())).collect();
        crowd.retain(|head| head.came(1));
        assert!((100..600).contains(&crowd.len()), "{}", crowd.len());
        assert!(
            heads.of("b".to_owned()).unwrap().came(LONGEST),
            "one address leaves room for others"
        );
        drop((one, crowd));
        assert_eq!(heads.bytes.held(), 0);
    }

    #[test]
    fn a_few_addresses_that_take_all_of_it_shut_nobody_else_out() {
        let heads = Heads::default();
        let take = |peer: &str| {
            let mut taken: Vec<_> = (0..200).filter_map(|_| heads.of(peer.to_owned())).collect();
            taken.retain(|head| head.came(LONGEST));
            taken
        };
        let few: Vec<_> = ["a", "b", "c", "d"].map(take).into();
        let other = heads.of("e".to_owned()).unwrap();
        assert!(other.came(LONGEST), "{} bytes are held", heads.bytes.held());
        assert!(!heads.of("e".to_owned()).unwrap().came(LONGEST), "one head of it");
        drop((few, other));
        assert_eq!(heads.bytes.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_but_as_a_websocket() {
        use tokio::io::AsyncWriteExt;
        let heads = Heads::default();
        let begun = tokio::time::Instant::now();
        let head = heads.of("a".to_owned()).unwrap();
        let (near, _far) = tokio::io::duplex(16);
        let mut stalled = Counted::new(near, Arc::clone(&head));
        let error = stalled.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (std::io::ErrorKind::TimedOut, STALLED));
        head.is_upgraded();
        let later = tokio::time::timeout(10 * STALLED, stalled.write_all(b"x"));
        assert!(later.await.is_err(), "it waits");
    }

    #[test]
    fn one_address_takes_not_every_seat_by_saying_nothing() {
        let heads = Heads::default();
        let mut silent: Vec<_> = (0..WAITING + 9).filter_map(|_| heads.of("a".to_owned())).collect();
        assert_eq!(silent.len(), WAITING);
        assert!(heads.of("b".to_owned()).is_some());
        let busy = silent.pop().unwrap();
        busy.is_whole();
        assert!(heads.of("a".to_owned()).is_none(), "its body may come for ever");
        busy.is_upgraded();
        busy.is_upgraded();
        let next = heads.of("a".to_owned()).unwrap();
        assert!(heads.of("a".to_owned()).is_none());
        drop(next);
        drop((silent, busy));
        assert!(lock(&heads.waiting.0).is_empty());
    }
}

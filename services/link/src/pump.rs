//! The task that owns one WebSocket: reads, writes, pings, keeps the deadlines, and ends with why.
//!
//! One task and one `poll` for both directions, so that a peer that sends and does not read, or reads and
//! does not send, is noticed by its deadline and never holds the other direction.
//!
//! A peer may take the answer to its ping as a receipt for what it sent before. So a ping goes to the consumer in its place
//! in the line ([`Ping`]), and its answer leaves when the consumer says so; until then nothing behind it is read. That this
//! end is alive is said at once, by a pong that answers no ping:
//!
//! ```text
//!   peer:  frame ─ frame ─ ping "7" ─────────────────────────────────────────┐
//!   here:                    └► pong "alive" ··· both are handled ··· pong "7" ─► read on
//! ```

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::{Sink, SinkExt, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, error::CapacityError};

use crate::budget::Share;
use crate::connection::{Closed, GOING_AWAY, Incoming, Out, Ping, Received};
use crate::counted::Counted;
use crate::limits::{CLOSING, Limits};

/// Most bytes read and thrown away after a close of ours, so that the peer's unread data does not reset
/// the connection before it has read the close frame.
const DRAIN: u64 = 8 << 20;

/// Close code: try again later (the registry of RFC 6455 §11.7).
const TRY_AGAIN: u16 = 1013;

/// Payload of the pong that answers no ping (RFC 6455 §5.5.3). Not empty, as many a ping's payload is, and not of eight bytes, as
/// a mark's is ([`crate::Sender::mark`]): nobody takes it as an answer.
const ALIVE: Bytes = Bytes::from_static(b"alive");

/// A ping that the consumer has not answered yet.
struct Asked {
    payload: Bytes,
    /// Ends without a word where it is not to be answered.
    answer: oneshot::Receiver<()>,
}

/// What the socket did.
struct Did {
    flushed: Poll<Result<(), Error>>,
    read: Poll<Option<Result<Message, Error>>>,
}

/// The task's ends of the channels to those who hold the connection.
pub(crate) struct Ends {
    /// What is to leave.
    pub(crate) orders: mpsc::Receiver<Out>,
    /// What came.
    pub(crate) deliver: mpsc::Sender<Incoming>,
    /// The greatest mark that came back.
    pub(crate) marks: watch::Sender<u64>,
    /// When anything came last.
    pub(crate) heard: watch::Sender<Instant>,
}

pub(crate) async fn run<S>(mut socket: WebSocketStream<Counted<S>>, limits: Limits, ends: Ends) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ends {
        mut orders,
        deliver,
        marks,
        heard,
    } = ends;
    let mut deaf_at = Instant::now() + limits.silence;
    let period = limits.ping.unwrap_or(limits.silence);
    let mut ping = interval_at(Instant::now() + period, period);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stuck_at: Option<Instant> = None;
    let mut undelivered: Option<Incoming> = None;
    let mut asked: Option<Asked> = None;
    // Whether a pong waits to leave: a peer that pings and does not read shall not make them pile up.
    let mut ponging = false;
    let mut orders_open = true;
    let share = socket.get_ref().share().cloned();
    let told = async || match &share {
        Some(share) => share.told().await,
        None => pending().await,
    };
    loop {
        let writing = stuck_at.is_some();
        let reading = undelivered.is_none() && asked.is_none() && !ponging;
        tokio::select! {
            biased;
            permit = deliver.reserve(), if undelivered.is_some() => {
                match (permit, undelivered.take()) {
                    (Ok(permit), Some(incoming)) => permit.send(incoming),
                    _ => return close(socket, GOING_AWAY, "not listening any more").await,
                }
                // While nobody took it nothing was read: the silence was ours.
                deaf_at = Instant::now() + limits.silence;
            }
            payload = answered(&mut asked) => {
                deaf_at = Instant::now() + limits.silence;
                if let Some(payload) = payload {
                    if let Err(error) = Pin::new(&mut socket).start_send(Message::Pong(payload)) {
                        return failed(socket, error, &limits).await;
                    }
                    ponging = true;
                    stuck_at.get_or_insert_with(|| Instant::now() + limits.write);
                }
            }
            order = orders.recv(), if !writing && orders_open => match order {
                Some(Out::Frame(text)) => {
                    if let Err(error) = Pin::new(&mut socket).start_send(Message::text(text)) {
                        return failed(socket, error, &limits).await;
                    }
                    stuck_at = Some(Instant::now() + limits.write);
                }
                Some(Out::Mark(mark)) => {
                    let ping = Message::Ping(Bytes::copy_from_slice(&mark.to_be_bytes()));
                    if let Err(error) = Pin::new(&mut socket).start_send(ping) {
                        return failed(socket, error, &limits).await;
                    }
                    stuck_at = Some(Instant::now() + limits.write);
                }
                Some(Out::Close { code, reason }) => return close(socket, code, &reason).await,
                None => orders_open = false,
            },
            did = turn(&mut socket, writing, reading) => {
                match did.flushed {
                    Poll::Ready(Ok(())) => (stuck_at, ponging) = (None, false),
                    Poll::Ready(Err(error)) => return failed(socket, error, &limits).await,
                    Poll::Pending => {}
                }
                match did.read {
                    Poll::Pending => {}
                    Poll::Ready(None) => return Closed::Gone,
                    Poll::Ready(Some(Err(error))) => return failed(socket, error, &limits).await,
                    Poll::Ready(Some(Ok(message))) => {
                        let now = Instant::now();
                        heard.send_replace(now);
                        deaf_at = now + limits.silence;
                        match message {
                            Message::Text(text) => {
                                undelivered = Some(Incoming::Message(Received::new(text.into(), share.as_ref())));
                            }
                            Message::Binary(bytes) => {
                                undelivered = Some(Incoming::Message(Received::new(bytes, share.as_ref())));
                            }
                            Message::Close(frame) => return closed_by_peer(&mut socket, frame).await,
                            Message::Pong(bytes) => {
                                uncount(share.as_ref(), &bytes);
                                let mark = <[u8; 8]>::try_from(&bytes[..]).map_or(0, u64::from_be_bytes);
                                marks.send_if_modified(|passed| mark > std::mem::replace(passed, mark.max(*passed)));
                            }
                            Message::Ping(payload) => {
                                uncount(share.as_ref(), &payload);
                                // The library has an answer ready for whatever leaves next: a pong of ours takes its place.
                                if let Err(error) = Pin::new(&mut socket).start_send(Message::Pong(ALIVE)) {
                                    return failed(socket, error, &limits).await;
                                }
                                ponging = true;
                                stuck_at.get_or_insert_with(|| Instant::now() + limits.write);
                                let (ping, answer) = Ping::new(payload.len());
                                undelivered = Some(Incoming::Ping(ping));
                                asked = Some(Asked { payload, answer });
                            }
                            Message::Frame(_) => {}
                        }
                    }
                }
            },
            _ = ping.tick(), if limits.ping.is_some() => {
                if let Err(error) = Pin::new(&mut socket).start_send(Message::Ping(Bytes::new())) {
                    return failed(socket, error, &limits).await;
                }
                stuck_at.get_or_insert_with(|| Instant::now() + limits.write);
            }
            () = sleep_until(deaf_at), if reading => {
                let silent = Closed::Silent(limits.silence.as_secs());
                close(socket, CloseCode::Policy.into(), "nothing heard for too long").await;
                return silent;
            }
            () = sleep_until(stuck_at.unwrap_or(deaf_at)), if writing => return Closed::Stuck(limits.write.as_secs()),
            () = told() => {
                close(socket, TRY_AGAIN, "too many unfinished messages").await;
                return Closed::Crowded;
            }
            () = deliver.closed() => return close(socket, GOING_AWAY, "not listening any more").await,
        }
    }
}

/// Waits until the consumer is done with the ping that it was asked about, and gives its payload if it is to be answered. Without a
/// ping it waits for ever.
async fn answered(asked: &mut Option<Asked>) -> Option<Bytes> {
    let Some(Asked { answer, .. }) = asked else {
        return pending().await;
    };
    let answers = answer.await.is_ok();
    asked.take().filter(|_| answers).map(|asked| asked.payload)
}

/// A control frame has been read and holds nothing any more.
fn uncount(share: Option<&Arc<Share>>, payload: &Bytes) {
    if let Some(share) = share {
        share.control(payload.len());
    }
}

/// Writes on what waits to leave and reads the next message, whichever is possible.
async fn turn<S>(socket: &mut WebSocketStream<S>, writing: bool, reading: bool) -> Did
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| {
        let mut did = Did {
            flushed: Poll::Pending,
            read: Poll::Pending,
        };
        if writing {
            did.flushed = Pin::new(&mut *socket).poll_flush(context);
        }
        if reading {
            did.read = Pin::new(&mut *socket).poll_next(context);
        }
        if did.flushed.is_ready() || did.read.is_ready() {
            Poll::Ready(did)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// The library gave up on the socket: tells the peer where that is still possible.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else the library says ends the socket, in its words"
)]
async fn failed<S>(socket: WebSocketStream<Counted<S>>, error: Error, limits: &Limits) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            let reason = format!("longer than {} bytes", limits.longest);
            close(socket, CloseCode::Size.into(), &reason).await;
            Closed::TooLong(limits.longest)
        }
        Error::Utf8(_) => {
            close(socket, CloseCode::Invalid.into(), "text that is not UTF-8").await;
            Closed::Protocol("text that is not UTF-8".to_owned())
        }
        Error::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => Closed::Gone,
        Error::Protocol(error) => {
            close(socket, CloseCode::Protocol.into(), "not the WebSocket protocol").await;
            Closed::Protocol(error.to_string())
        }
        Error::Io(error)
            if error.kind() == std::io::ErrorKind::ConnectionReset
                || error.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            Closed::Gone
        }
        other => Closed::Socket(other.to_string()),
    }
}

/// Sends a close frame and waits a moment for the peer to take it. What was received of it goes before that.
async fn close<S>(mut socket: WebSocketStream<Counted<S>>, code: u16, reason: &str) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame {
        code: code.into(),
        reason: reason.into(),
    };
    let lease = socket.get_mut().let_go();
    let work = async move {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            let mut rest = socket.into_inner().take(DRAIN);
            drop(lease);
            let mut buffer = vec![0; 16 * 1024];
            // Until the peer has closed its side; what it still says is not looked at.
            while rest.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        }
    };
    // A peer that does not take it within that time is left.
    let _late = timeout(CLOSING, work).await;
    Closed::Local(code)
}

/// The peer said goodbye: the library has queued the answer.
async fn closed_by_peer<S>(socket: &mut WebSocketStream<S>, frame: Option<CloseFrame>) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A peer that closed and does not read the answer is left.
    let _late = timeout(CLOSING, socket.flush()).await;
    match frame {
        Some(frame) => Closed::Peer {
            code: frame.code.into(),
            reason: frame.reason.to_string(),
        },
        None => Closed::Peer {
            code: CloseCode::Status.into(),
            reason: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use futures_util::StreamExt;
    use tokio::io::{AsyncWriteExt, DuplexStream};
    use tokio_tungstenite::tungstenite::protocol::Role;
    use wire::Frame;
    use wire::frame::{FRAME_MAX_ACCEPTED, FRAME_MAX_SENT, LogLine};

    use super::*;
    use crate::{Budget, Receiver, SendError, Sender, connection, serve};

    type Raw = WebSocketStream<DuplexStream>;

    /// A served connection and the bare WebSocket of its peer.
    async fn served(limits: Limits) -> (Sender, Receiver, Raw) {
        let (here, there) = tokio::io::duplex(4 << 20);
        let (sender, receiver) = serve(here, limits, "test", Some(&Budget::default())).await;
        (
            sender,
            receiver,
            WebSocketStream::from_raw_socket(there, Role::Client, None).await,
        )
    }

    fn log(message: String) -> Frame {
        Frame::Log(LogLine {
            level: "info".into(),
            message,
            ..LogLine::default()
        })
    }

    /// A log frame whose encoding has exactly `length` bytes.
    fn log_of(length: usize) -> Frame {
        let bare = log(String::new()).encode().len();
        log("x".repeat(length - bare))
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_ninety_seconds_ends_it_and_any_frame_or_pong_resets_the_clock() {
        let begin = Instant::now();
        let (_sender, mut receiver, mut raw) = served(Limits {
            ping: None,
            ..Limits::server()
        })
        .await;
        tokio::time::sleep(Duration::from_secs(89)).await;
        raw.send(Message::text(r#"{"type":"heartbeat","payload":null}"#))
            .await
            .unwrap();
        assert_eq!(receiver.recv().await, Ok(Frame::Heartbeat));
        tokio::time::sleep(Duration::from_secs(89)).await;
        raw.send(Message::Pong(Bytes::new())).await.unwrap();
        tokio::time::sleep(Duration::from_secs(89)).await;
        raw.send(Message::text("not a frame")).await.unwrap();
        assert_eq!(receiver.recv().await, Err(Closed::Silent(90)));
        let took = begin.elapsed().as_secs();
        assert!((3 * 89 + 90..3 * 89 + 94).contains(&took), "{took}");
        let Some(Ok(Message::Close(Some(frame)))) = raw.next().await else {
            panic!("no close frame")
        };
        assert_eq!(u16::from(frame.code), 1008);
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_pings_every_thirty_seconds() {
        let begin = Instant::now();
        let (_sender, _receiver, mut raw) = served(Limits::server()).await;
        for n in 1..=10 {
            assert!(matches!(raw.next().await, Some(Ok(Message::Ping(_)))));
            assert_eq!(begin.elapsed().as_secs(), 30 * n);
            raw.flush().await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_ends_that_say_nothing_stay_connected_by_ping_and_pong() {
        let (here, there) = tokio::io::duplex(1 << 16);
        let (server, _server_in) = serve(here, Limits::server(), "server", Some(&Budget::default())).await;
        let limits = Limits::client();
        let socket = WebSocketStream::from_raw_socket(
            Counted::new(there, None),
            Role::Client,
            Some(connection::config(&limits)),
        )
        .await;
        let (client, mut client_in) = connection::start(socket, limits, "client");
        tokio::spawn(async move { client_in.recv().await });
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(!server.is_over() && !client.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_comes_back_when_what_was_sent_before_has_been_read() {
        let (sender, _receiver, mut raw) = served(Limits::server()).await;
        let (mut passed, begun) = (sender.passed(), Instant::now());
        sender.send(&Frame::Heartbeat).await.unwrap();
        sender.mark(7).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(*passed.borrow_and_update(), 0, "nobody has read");
        assert!(sender.heard() <= begun, "and nobody has said anything");
        assert!(matches!(raw.next().await, Some(Ok(Message::Text(_)))));
        assert!(matches!(raw.next().await, Some(Ok(Message::Ping(_)))));
        raw.flush().await.unwrap();
        passed.changed().await.unwrap();
        assert_eq!(*passed.borrow_and_update(), 7);
        assert!(sender.heard() >= begun + Duration::from_secs(5));
        // Pongs that nobody asked for raise nothing.
        raw.send(Message::Pong(Bytes::from_static(b"x"))).await.unwrap();
        sender.mark(8).await;
        assert!(matches!(raw.next().await, Some(Ok(Message::Ping(_)))));
        raw.flush().await.unwrap();
        passed.changed().await.unwrap();
        assert_eq!(*passed.borrow(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_left_after_ten_seconds() {
        let (here, there) = tokio::io::duplex(64);
        let (sender, mut receiver) = serve(here, Limits::server(), "test", Some(&Budget::default())).await;
        let begin = Instant::now();
        sender.send(&log("x".repeat(1000))).await.unwrap();
        assert_eq!(receiver.recv().await, Err(Closed::Stuck(10)));
        assert_eq!(begin.elapsed().as_secs(), 10);
        drop(there);
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_frame_is_skipped_and_the_connection_goes_on() {
        let (_sender, mut receiver, mut raw) = served(Limits::server()).await;
        for bad in [
            "{",
            "[1]",
            r#"{"type":7}"#,
            r#"{"type":"progress","payload":{"percent":"50"}}"#,
        ] {
            raw.send(Message::text(bad)).await.unwrap();
        }
        raw.send(Message::binary(&b"\xff\xfe"[..])).await.unwrap();
        raw.send(Message::binary(&br#"{"type":"heartbeat"}"#[..]))
            .await
            .unwrap();
        assert_eq!(receiver.recv().await, Ok(Frame::Heartbeat));
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_message_is_taken_and_one_byte_more_is_1009() {
        let (_sender, mut receiver, mut raw) = served(Limits::server()).await;
        raw.send(Message::text(log_of(FRAME_MAX_ACCEPTED).encode()))
            .await
            .unwrap();
        assert!(matches!(receiver.recv().await, Ok(Frame::Log(_))));
        raw.send(Message::text(log_of(FRAME_MAX_ACCEPTED + 1).encode()))
            .await
            .unwrap();
        let Some(Ok(Message::Close(Some(frame)))) = raw.next().await else {
            panic!("no close frame")
        };
        assert_eq!(u16::from(frame.code), 1009);
        assert_eq!(receiver.recv().await, Err(Closed::TooLong(FRAME_MAX_ACCEPTED)));
        assert_eq!(
            receiver.recv().await,
            Err(Closed::TooLong(FRAME_MAX_ACCEPTED)),
            "the same when asked again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn too_long_a_frame_is_not_sent_and_the_connection_goes_on() {
        let (sender, _receiver, mut raw) = served(Limits::server()).await;
        sender.send(&log_of(FRAME_MAX_SENT)).await.unwrap();
        let error = sender.send(&log_of(FRAME_MAX_SENT + 1)).await.unwrap_err();
        assert_eq!(
            error,
            SendError::TooLong {
                kind: "log".into(),
                length: FRAME_MAX_SENT + 1,
                longest: FRAME_MAX_SENT
            }
        );
        sender.send(&Frame::Heartbeat).await.unwrap();
        assert_eq!(raw.next().await.unwrap().unwrap().len(), FRAME_MAX_SENT);
        assert!(
            raw.next()
                .await
                .unwrap()
                .unwrap()
                .to_text()
                .unwrap()
                .contains("heartbeat")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn shutting_down_says_1001_after_what_was_queued() {
        let (sender, mut receiver, mut raw) = served(Limits::server()).await;
        sender.send(&Frame::Heartbeat).await.unwrap();
        sender.shut_down().await;
        assert!(matches!(raw.next().await, Some(Ok(Message::Text(_)))));
        let Some(Ok(Message::Close(Some(frame)))) = raw.next().await else {
            panic!("no close frame")
        };
        assert_eq!(
            (u16::from(frame.code), frame.reason.as_str()),
            (1001, "server shutdown")
        );
        drop(raw);
        assert_eq!(receiver.recv().await, Err(Closed::Local(1001)));
        assert_eq!(sender.send(&Frame::Heartbeat).await, Err(SendError::Over));
    }

    #[tokio::test(start_paused = true)]
    async fn how_the_peer_went_is_told() {
        let (_sender, mut receiver, mut raw) = served(Limits::server()).await;
        raw.close(Some(CloseFrame {
            code: CloseCode::Away,
            reason: "bye".into(),
        }))
        .await
        .unwrap();
        assert_eq!(
            receiver.recv().await,
            Err(Closed::Peer {
                code: 1001,
                reason: "bye".into()
            })
        );

        let (_sender, mut receiver, raw) = served(Limits::server()).await;
        drop(raw);
        assert_eq!(receiver.recv().await, Err(Closed::Gone));
    }

    #[tokio::test(start_paused = true)]
    async fn a_consumer_that_is_slow_stops_the_reading_and_loses_nothing() {
        let (_sender, mut receiver, mut raw) = served(Limits::server()).await;
        let feeder = tokio::spawn(async move {
            for n in 0..1000 {
                raw.send(Message::text(log(n.to_string()).encode())).await.unwrap();
            }
            raw
        });
        tokio::time::sleep(Duration::from_mins(5)).await;
        for n in 0..1000 {
            let Ok(Frame::Log(line)) = receiver.recv().await else {
                panic!("closed at {n}")
            };
            assert_eq!(line.message, n.to_string());
        }
        drop(feeder.await.unwrap());
    }

    /// Reads on until the answer to this ping has come; `false` where it has not within five seconds.
    async fn answered(raw: &mut Raw, ping: &'static [u8]) -> bool {
        let answer = Message::Pong(Bytes::from_static(ping));
        let come = async { while raw.next().await.unwrap().unwrap() != answer {} };
        timeout(Duration::from_secs(5), come).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_is_answered_only_once_what_came_before_it_has_been_handled() {
        let (_sender, mut receiver, mut raw) = served(Limits::server()).await;
        for n in 0..3 {
            raw.send(Message::text(log(n.to_string()).encode())).await.unwrap();
        }
        raw.send(Message::Ping(Bytes::from_static(b"behind 2"))).await.unwrap();
        for n in 0..3 {
            assert_eq!(receiver.recv().await, Ok(log(n.to_string())));
            assert!(!answered(&mut raw, b"behind 2").await, "{n} is in work");
        }
        let asks_for_more = tokio::spawn(async move { receiver.recv().await });
        assert!(answered(&mut raw, b"behind 2").await);
        drop(raw);
        assert_eq!(asks_for_more.await.unwrap(), Err(Closed::Gone));
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_ping_waits_for_its_answer_this_end_says_that_it_lives_and_sends_what_there_is() {
        let (sender, mut receiver, mut raw) = served(Limits::server()).await;
        for ping in ["first", "second"] {
            raw.send(Message::Ping(ping.into())).await.unwrap();
            let Ok(Incoming::Ping(ping_in)) = receiver.next().await else {
                panic!("no ping")
            };
            sender.send(&Frame::Heartbeat).await.unwrap();
            let begin = Instant::now();
            assert_eq!(raw.next().await.unwrap().unwrap(), Message::Pong(ALIVE));
            assert!(matches!(raw.next().await, Some(Ok(Message::Text(_)))));
            // Longer than the longest silence: it is this end that does not read.
            while begin.elapsed() < Duration::from_secs(100) {
                assert!(matches!(raw.next().await, Some(Ok(Message::Ping(_)))));
            }
            match ping {
                "first" => drop(ping_in),
                _ => ping_in.answer(),
            }
        }
        raw.flush().await.unwrap();
        assert!(answered(&mut raw, b"second").await, "the first was dropped");
        assert!(!sender.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_before_the_goodbye_is_answered() {
        let (_sender, mut receiver, mut raw) = served(Limits::server()).await;
        raw.send(Message::Ping("last".into())).await.unwrap();
        raw.close(None).await.unwrap();
        let goodbye = tokio::spawn(async move { receiver.recv().await });
        assert!(answered(&mut raw, b"last").await);
        assert!(matches!(raw.next().await, Some(Ok(Message::Close(_)))));
        assert!(matches!(goodbye.await.unwrap(), Err(Closed::Peer { code: 1005, .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn who_pings_and_does_not_read_is_left_and_its_pongs_do_not_pile_up() {
        let begin = Instant::now();
        let (here, mut there) = tokio::io::duplex(256);
        let (_sender, mut receiver) = serve(here, Limits::server(), "test", Some(&Budget::default())).await;
        let pinger = tokio::spawn(async move {
            let mut pings = 0;
            // An empty ping, masked with zeroes.
            while there.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.is_ok() {
                pings += 1;
            }
            pings
        });
        assert_eq!(receiver.recv().await, Err(Closed::Stuck(10)));
        assert_eq!(begin.elapsed().as_secs(), 10);
        // What its half of the connection holds, what the other half and the read buffer hold.
        let pings = pinger.await.unwrap();
        assert!(pings < 1000, "{pings} were read");
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_receiver_closes_it() {
        let (sender, receiver, mut raw) = served(Limits::server()).await;
        drop(receiver);
        let Some(Ok(Message::Close(Some(frame)))) = raw.next().await else {
            panic!("no close frame")
        };
        assert_eq!(u16::from(frame.code), 1001);
        drop(raw);
        sender.over().await;
    }
}

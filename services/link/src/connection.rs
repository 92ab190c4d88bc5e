//! The two halves of a connection that programs hold: [`Sender`] and [`Receiver`].

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::warn;
use wire::Frame;
use wire::frame::BadFrame;

use crate::budget::{Budget, Hold, Share};
use crate::counted::Counted;
use crate::limits::{self, Limits};
use crate::pump;

/// Shortest time between two log lines about malformed frames of one connection; the rest is counted.
const GRUMBLE: Duration = Duration::from_secs(1);

/// Close code: this end is going away (RFC 6455 §7.4.1).
pub(crate) const GOING_AWAY: u16 = 1001;

/// Sends frames; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    out: mpsc::Sender<Out>,
    passed: watch::Receiver<u64>,
    heard: watch::Receiver<Instant>,
}

/// Takes frames. Dropping it closes the connection.
#[derive(Debug)]
pub struct Receiver {
    incoming: mpsc::Receiver<Incoming>,
    pump: JoinHandle<Closed>,
    closed: Option<Closed>,
    grumbles: Grumbles,
}

/// Log lines about malformed frames, held back when there are many.
#[derive(Debug)]
struct Grumbles {
    /// Who sends them.
    name: String,
    last: Option<Instant>,
    held_back: u64,
}

impl Grumbles {
    fn grumble(&mut self, error: &BadFrame, length: usize) {
        let now = Instant::now();
        if self.last.is_none_or(|last| now - last >= GRUMBLE) {
            let held_back = std::mem::take(&mut self.held_back);
            warn!(from = self.name, %error, length, held_back, "malformed frame skipped");
            self.last = Some(now);
        } else {
            self.held_back += 1;
        }
    }
}

/// One message as it came; nothing has looked into it yet.
#[derive(Debug)]
pub struct Received {
    /// Its bytes: JSON text, if the peer keeps to the protocol.
    pub bytes: Bytes,
    /// Its part of the server's room.
    _hold: Option<Hold>,
}

impl Received {
    pub(crate) fn new(bytes: Bytes, share: Option<&Arc<Share>>) -> Self {
        let _hold = share.map(|share| share.complete(bytes.len()));
        Self { bytes, _hold }
    }

    /// The frame in it.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn frame(&self) -> Result<Frame, BadFrame> {
        Frame::decode(&self.bytes)
    }
}

/// What came, in the order in which it came.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(Received),
    /// A ping.
    Ping(Ping),
}

/// A ping of the other end, which may take its answer as a receipt for all that it sent before: to be answered when that has been
/// handled. Until it is answered or dropped nothing more is read.
#[derive(Debug)]
pub struct Ping {
    answer: oneshot::Sender<()>,
    length: usize,
}

impl Ping {
    /// And what tells the task that owns the socket of its answer; `length` bytes came with it.
    pub(crate) fn new(length: usize) -> (Self, oneshot::Receiver<()>) {
        let (answer, answered) = oneshot::channel();
        (Self { answer, length }, answered)
    }

    /// Whether its answer may be taken as a receipt: a mark of [`Sender::mark`] is a number of eight bytes.
    pub fn may_be_a_mark(&self) -> bool {
        self.length == size_of::<u64>()
    }

    /// Answers it. One that is dropped instead stays without an answer, and the connection goes on.
    pub fn answer(self) {
        // An error means that the connection is over, which the receiving half tells.
        let _over = self.answer.send(());
    }
}

/// What is to leave.
#[derive(Debug)]
pub(crate) enum Out {
    /// A frame, encoded.
    Frame(String),
    /// A ping that bears a number; see [`Sender::mark`].
    Mark(u64),
    /// The last message.
    Close {
        /// Code of RFC 6455 §7.4.1.
        code: u16,
        /// At most 123 bytes.
        reason: String,
    },
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The other end said so.
    #[error("the other end closed it: {code} {reason:?}")]
    Peer {
        /// Its close code; 1005 where it gave none.
        code: u16,
        /// Its reason; often empty.
        reason: String,
    },
    /// It ended without a close frame: killed, unplugged, or replaced by another connection.
    #[error("the other end is gone without a word")]
    Gone,
    /// Nothing came for as long as [`Limits::silence`].
    #[error("nothing came for {0} s")]
    Silent(u64),
    /// A frame did not leave within [`Limits::write`].
    #[error("a frame could not be sent for {0} s; the other end does not read")]
    Stuck(u64),
    /// A message was longer than [`Limits::longest`]; closed with 1009.
    #[error("a message was longer than {0} bytes")]
    TooLong(usize),
    /// All connections together held too much that was not complete, and this one's part stood still for longest; closed
    /// with 1013.
    #[error("messages half received by all connections took too much room, and this one's stood still for longest")]
    Crowded,
    /// The other end broke the WebSocket protocol.
    #[error("the other end broke the WebSocket protocol: {0}")]
    Protocol(String),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(String),
    /// This end closed it.
    #[error("closed by this end ({0})")]
    Local(u16),
}

/// Why a frame was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The frame is longer than the protocol allows; it was not sent, and the connection goes on.
    #[error("a {kind} frame of {length} bytes; at most {longest} may be sent")]
    TooLong {
        /// Its type.
        kind: String,
        /// Length of its encoding in bytes.
        length: usize,
        /// Most that may be sent.
        longest: usize,
    },
    /// The queue is full (only from [`Sender::try_send`]).
    #[error("the connection is too slow: its queue is full")]
    Full,
    /// The connection is over.
    #[error("the connection is over")]
    Over,
}

impl Sender {
    /// Queues a frame; waits while the queue is full. That it was queued does not mean that it arrived.
    ///
    /// # Errors
    /// [`SendError::TooLong`] or [`SendError::Over`].
    pub async fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.out
            .send(Out::Frame(encode(frame)?))
            .await
            .map_err(|_| SendError::Over)
    }

    /// Queues a frame if there is room.
    ///
    /// # Errors
    /// As [`Sender::send`], and [`SendError::Full`] instead of waiting.
    pub fn try_send(&self, frame: &Frame) -> Result<(), SendError> {
        self.out
            .try_send(Out::Frame(encode(frame)?))
            .map_err(|error| match error {
                TrySendError::Full(_) => SendError::Full,
                TrySendError::Closed(_) => SendError::Over,
            })
    }

    /// Queues a ping that bears `mark`. An end that reads in order answers it when it has read every frame queued before, and
    /// one of ours when it has handled them; [`Sender::passed`] then gives `mark`. A protocol without receipts is told so what
    /// has arrived.
    pub async fn mark(&self, mark: u64) {
        // An error means that it is over, which the receiving half tells.
        let _over = self.out.send(Out::Mark(mark)).await;
    }

    /// The greatest mark that the other end has answered, 0 before the first; and a way to wait for the next.
    pub fn passed(&self) -> watch::Receiver<u64> {
        self.passed.clone()
    }

    /// When anything came from the other end last, a pong among it; before the first, when the connection began.
    pub fn heard(&self) -> Instant {
        *self.heard.borrow()
    }

    /// Closes the connection with a code and a reason, after the frames queued before.
    pub async fn close(&self, code: u16, reason: &str) {
        let reason = reason.chars().take(40).collect();
        // An error means that it is over already, which is what was asked for.
        let _over = self.out.send(Out::Close { code, reason }).await;
    }

    /// Closes the connection because this process stops: 1001 "server shutdown".
    pub async fn shut_down(&self) {
        self.close(GOING_AWAY, "server shutdown").await;
    }

    /// Whether the connection is over.
    pub fn is_over(&self) -> bool {
        self.out.is_closed()
    }

    /// Resolves once the connection is over.
    pub async fn over(&self) {
        self.out.closed().await;
    }
}

fn encode(frame: &Frame) -> Result<String, SendError> {
    let text = frame.encode();
    let longest = limits::longest_sent(frame);
    if text.len() > longest {
        let kind = limits::kind(frame).to_owned();
        return Err(SendError::TooLong {
            kind,
            length: text.len(),
            longest,
        });
    }
    Ok(text)
}

impl Receiver {
    /// The next frame; waits for it. May be dropped and called again (in a `select!`) without loss. Malformed frames
    /// are passed over. Who asks for the next one has handled those before: pings behind them are answered.
    ///
    /// # Errors
    /// Why the connection is over; the same again when called again.
    pub async fn recv(&mut self) -> Result<Frame, Closed> {
        loop {
            let received = self.recv_raw().await?;
            match received.frame() {
                Ok(frame) => return Ok(frame),
                Err(error) => self.grumbles.grumble(&error, received.bytes.len()),
            }
        }
    }

    /// The next message with its bytes, also a malformed one: for who relays or reports it. Pings are answered as by
    /// [`Receiver::recv`].
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    pub async fn recv_raw(&mut self) -> Result<Received, Closed> {
        loop {
            match self.next().await? {
                Incoming::Message(received) => return Ok(received),
                Incoming::Ping(ping) => ping.answer(),
            }
        }
    }

    /// The next message or ping: for who still has to do with earlier messages when it asks for the next one.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    pub async fn next(&mut self) -> Result<Incoming, Closed> {
        if let Some(incoming) = self.incoming.recv().await {
            return Ok(incoming);
        }
        if self.closed.is_none() {
            self.closed = Some(
                (&mut self.pump)
                    .await
                    .unwrap_or_else(|error| Closed::Socket(error.to_string())),
            );
        }
        Err(self.closed.clone().unwrap_or(Closed::Gone))
    }
}

/// Serves the server's end over a stream whose upgrade to WebSocket has been answered (see [`crate::accept`]).
///
/// `name` is who is at the other end, for the log; `budget` is that of all connections of this server, `None` for one that
/// is trusted and must not wait for the others.
pub async fn serve<S>(stream: S, limits: Limits, name: &str, budget: Option<&Budget>) -> (Sender, Receiver)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Counted::new(stream, budget.map(Budget::share));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(&limits))).await;
    start(socket, limits, name)
}

/// Settings of the WebSocket library.
pub(crate) fn config(limits: &Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(limits.buffer)
        .write_buffer_size(0)
        .max_message_size(Some(limits.longest))
        .max_frame_size(Some(limits.longest))
}

/// Starts the task that owns `socket`.
pub(crate) fn start<S>(socket: WebSocketStream<Counted<S>>, limits: Limits, name: &str) -> (Sender, Receiver)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (out, orders) = mpsc::channel(limits::QUEUE_OUT);
    let (deliver, incoming) = mpsc::channel(limits.queue);
    let (marks, passed) = watch::channel(0);
    let (hears, heard) = watch::channel(Instant::now());
    let ends = pump::Ends {
        orders,
        deliver,
        marks,
        heard: hears,
    };
    let pump = tokio::spawn(pump::run(socket, limits, ends));
    (
        Sender { out, passed, heard },
        Receiver {
            incoming,
            pump,
            closed: None,
            grumbles: Grumbles {
                name: name.to_owned(),
                last: None,
                held_back: 0,
            },
        },
    )
}

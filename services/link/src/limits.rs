//! The numbers of the add-on protocol.

use std::time::Duration;

use wire::Frame;
use wire::frame::{FRAME_MAX_ACCEPTED, FRAME_MAX_SENT};

/// What a connection keeps to. [`Limits::server`] and [`Limits::client`] are the protocol's.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest message accepted, in bytes; a longer one ends the connection with close code 1009.
    pub longest: usize,
    /// How often this end pings; `None` where the other end does.
    pub ping: Option<Duration>,
    /// Longest silence (no message, ping or pong) before the connection counts as dead.
    pub silence: Duration,
    /// Longest time that one frame may take to leave.
    pub write: Duration,
    /// Messages and pings that may wait to be taken; a full queue stops reading from the socket.
    pub queue: usize,
    /// Bytes asked of the socket at once; a longer message makes the buffer grow until it has been taken.
    pub buffer: usize,
}

/// Server pings: Vigil, protocol requirements.
const PING: Duration = Duration::from_secs(30);

/// Three pings' worth of silence: Vigil, protocol requirements.
const SILENCE: Duration = Duration::from_secs(90);

/// Write deadline: that of the existing client library.
const WRITE: Duration = Duration::from_secs(10);

/// Time for the other end to answer a close frame; a peer that does not is left.
pub(crate) const CLOSING: Duration = Duration::from_secs(2);

/// Frames that may wait to be sent; a full queue makes [`crate::Sender::send`] wait. A burst of one
/// event, one job and one progress for each of twenty drives fits.
pub(crate) const QUEUE_OUT: usize = 64;

/// Frames that may wait to be taken at a client's end, which has one connection; a full queue stops reading from the
/// socket.
const QUEUE_CLIENT: usize = 64;

/// The same at a server's end, which has thousands: with the longest frames, 2 MiB of one add-on at most.
const QUEUE_SERVER: usize = 4;

impl Limits {
    /// The server's end: accepts 512 KiB, pings every 30 s, gives up after 90 s of silence.
    pub fn server() -> Self {
        Self {
            longest: FRAME_MAX_ACCEPTED,
            ping: Some(PING),
            silence: SILENCE,
            write: WRITE,
            queue: QUEUE_SERVER,
            buffer: 4 * 1024,
        }
    }

    /// The add-on's end: as the server's, without pings of its own.
    pub fn client() -> Self {
        Self {
            ping: None,
            queue: QUEUE_CLIENT,
            buffer: 16 * 1024,
            ..Self::server()
        }
    }
}

/// Longest encoding that may be sent of a frame, in bytes: 64 KiB for the documented frames, 512 KiB
/// for those that only our own ends exchange.
pub(crate) fn longest_sent(frame: &Frame) -> usize {
    match frame {
        Frame::Heartbeat | Frame::Progress(_) | Frame::Log(_) | Frame::Notification(_) | Frame::Other { .. } => {
            FRAME_MAX_SENT
        }
        Frame::Hello(_)
        | Frame::Drives(_)
        | Frame::Job(_)
        | Frame::Event(_)
        | Frame::Playbooks(_)
        | Frame::Unfinished(_)
        | Frame::Certificate(_)
        | Frame::Command(_)
        | Frame::Result(_) => FRAME_MAX_ACCEPTED,
    }
}

/// A frame's type, as on the wire.
pub(crate) fn kind(frame: &Frame) -> &str {
    match frame {
        Frame::Heartbeat => "heartbeat",
        Frame::Progress(_) => "progress",
        Frame::Log(_) => "log",
        Frame::Notification(_) => "notification",
        Frame::Hello(_) => "hello",
        Frame::Drives(_) => "drives",
        Frame::Job(_) => "job",
        Frame::Event(_) => "event",
        Frame::Playbooks(_) => "playbooks",
        Frame::Unfinished(_) => "unfinished",
        Frame::Certificate(_) => "certificate",
        Frame::Command(_) => "command",
        Frame::Result(_) => "result",
        Frame::Other { kind, .. } => kind,
    }
}

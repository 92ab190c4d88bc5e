//! Typed connection of add-on frames over a WebSocket: every WebSocket end of the box uses it.
//!
//! A [`Sender`] and a [`Receiver`] stand for one connection; a task behind them owns the socket,
//! answers pings once what came before them has been handled, sends its own, keeps the limits of the
//! add-on protocol (frame sizes, read deadline, write deadline, close codes) and ends with a [`Closed`]
//! that says why. Clients come from [`Endpoint::connect`] and come back after [`Backoff`]; servers hand
//! an upgraded stream to [`serve`] after [`accept`] has made the answer's headers. A malformed frame is
//! logged and skipped, and the connection goes on.
//!
//! [`reach`] connects to whichever of a host's addresses answers; whoever calls out from the box uses it.
//!
//! What frames mean is decided elsewhere: nothing here looks into one. Tested beside the code with
//! paused time, and in `tests/sockets.rs` over TCP, a Unix socket and a hyper upgrade.

#![warn(unreachable_pub)]

mod backoff;
mod budget;
mod connection;
mod counted;
mod endpoint;
mod limits;
mod pump;
mod reach;
mod trust;
mod upgrade;

pub use backoff::Backoff;
pub use budget::Budget;
pub use connection::{Closed, Incoming, Ping, Received, Receiver, SendError, Sender, serve};
pub use endpoint::{BadEndpoint, ConnectError, Endpoint, Stream};
pub use limits::Limits;
pub use reach::{Unreached, reach, reach_host};
pub use trust::{BadFingerprint, BadTrust, Fingerprint, Stranger, Trust};
pub use upgrade::{NotWebSocket, accept};

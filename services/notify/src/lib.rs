//! `notify`: which event goes to which channel, when, in which words, and the way there.
//!
//! ```text
//!  event log ─► route (pure: rules, quiet hours, cool-down, digest) ─► queue ─► send ─► history
//!                 ▲                                                     │        │
//!               service (fields of a form, or a URL) ─► channel ────────┴────────┘
//! ```
//!
//! [`route`] decides; it is a function of the event, the settings, what was told before, and the time. [`Engine`] makes
//! its decisions durable: the place in the event log, what waits, what was told and what a digest collects are changed
//! in one transaction with the queue, so that over a restart nothing is lost and nothing is queued twice. [`Sender`]
//! carries messages out. What it does not do: it knows nothing about SMART or burn-ins beyond the words of an event.
//!
//! Tested beside the code (properties of the routing, both dialects of URLs), in `tests/services.rs` against servers
//! that play the services' documented interfaces, in `tests/mail.rs` against a real SMTP server, in
//! `tests/recipients.rs` against one that refuses some, in `tests/judges.rs` against Apprise and Standard Webhooks;
//! `fuzz/` has the parser of URLs.

#![warn(unreachable_pub)]

pub mod answer;
pub mod channel;
pub mod engine;
pub mod guard;
pub mod kinds;
pub mod message;
pub mod provider;
pub mod request;
pub mod route;
pub mod rule;
pub mod send;
pub mod service;
mod signature;
pub mod site;
pub mod url;

pub use channel::Channel;
pub use engine::Engine;
pub use message::{Facts, Message};
pub use rule::BadSetting;
pub use send::Sender;
pub use service::Service;
pub use wire::Time;

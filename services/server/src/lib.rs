//! `server`: the box's HTTP server, event log, add-on protocol and the server's half of the gate.
//!
//! ```text
//!  serve (accept loop) ─► http (router) ─► app (shared state) ─► hub (pure) ─► effects
//!                              │                │                               │
//!                              │                └─ gate, claim (pure)           ├─► scribe ─► LMDB ─► event log, stream
//!                              └─ page (embedded dashboard)                     └─► add-on connections, listeners
//! ```
//!
//! Pure, with time as an argument: [`hub`], [`gate`], [`auth::claim`], [`auth::limit`]. What it does not do: it opens
//! no drive and links neither `drive` nor `burnin`; whatever touches one is asked of the agent, which checks again.
//!
//! Tested beside the code and in `tests/server`: the real router on a clock that tests move, add-ons over real
//! WebSockets, the real binary killed and started again.

#![warn(unreachable_pub)]

pub mod acknowledged;
pub mod addon;
pub mod alerts;
pub mod app;
pub mod auth;
pub mod calls;
pub mod clock;
pub mod config;
pub mod docs;
pub mod fleet;
pub mod gate;
pub mod groups;
pub mod heap;
pub mod http;
pub mod hub;
pub mod key;
pub mod last_words;
pub mod life;
pub mod logs;
pub mod message;
pub(crate) mod note;
pub mod own;
pub mod page;
pub mod scribe;
pub mod serve;
pub mod supervisor;
pub mod tables;
pub mod tls;
pub mod update;

//! For tests only: Kiln's server as a program of its own, with what a test asks it by HTTP.
//!
//! Several packages' tests need the real server, which is another package's program. What goes wrong here panics: a test
//! that cannot go on must say why.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod ask;
mod program;
mod running;
mod server;

pub use ask::Login;
pub use program::server;
pub use running::Running;
pub use server::{LoggedIn, PASSWORD, Server, Started};

use std::time::Duration;

/// Longest time that one answer or one change may take: the machine that runs this may be slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

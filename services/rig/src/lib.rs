//! For tests only: Kiln's server as a program of its own, with what a test asks it by HTTP, and loop devices.
//!
//! Several packages' tests need the real server, which is another package's program, or a drive that they may do anything to.
//! What goes wrong here panics: a test that cannot go on must say why. Where the machine lacks something, a test says that it
//! did not run ([`not_run`]).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod ask;
mod loops;
mod memory;
mod program;
mod running;
mod server;
mod told;

pub use ask::Login;
pub use loops::{Loop, Loops};
pub use memory::pss;
pub use program::server;
pub use running::Running;
pub use server::{LoggedIn, PASSWORD, Server, Started};
pub use told::not_run;

use std::time::Duration;

/// Longest time that one answer or one change may take: the machine that runs this may be slow and busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

//! PID 1, as the server sees it: what it knows comes in and the claim code goes out by its control socket; heartbeats go to it.

pub mod control;
pub mod heartbeat;

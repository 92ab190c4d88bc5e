//! What each request passes: the front (host, origin, CSRF, headers), its body (bounded in size, time and memory), and how it is
//! refused.

pub(super) mod arrival;
pub(super) mod body;
pub(super) mod front;
mod left;
pub(super) mod refusal;

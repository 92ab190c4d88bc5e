//! Who is who: the claim, passwords, sessions, tokens; one credential table for all of them.

pub mod claim;
pub mod credential;
pub mod known;
pub mod limit;
pub mod password;
pub mod refused;
pub mod secret;
pub mod vault;

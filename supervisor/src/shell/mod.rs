//! x
pub mod spawn;

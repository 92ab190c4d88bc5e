//! x
pub const EXIT_EXEC: i32 = 203;
pub const EXIT_SETUP: i32 = 226;

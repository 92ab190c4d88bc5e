//! The end of a boot, and what the next one knows of it.
//!
//! `farewell` makes the last writes: a `record` of why, everything in the cache, DATA unmounted. The next boot takes the record,
//! and with it the watchdog's flag, marks of life and crash dumps (`pstore`); together they are why the box has booted.

pub(super) mod farewell;
pub mod pstore;
pub mod record;

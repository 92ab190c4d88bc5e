//! The monotonic clock, which goes on while PID 1 is stopped.

use crate::core::Millis;

/// Milliseconds since boot (`CLOCK_BOOTTIME`).
pub fn now() -> Millis {
    micros() / 1000
}

/// Microseconds since boot, of the same clock.
pub fn micros() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid, writable timespec for the length of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut ts) };
    u64::try_from(ts.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(ts.tv_nsec).unwrap_or(0) / 1000
}

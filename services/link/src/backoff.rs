//! How long to wait before the next try to connect.

use std::time::Duration;

/// Waits between tries: growing, bounded, started anew once a connection has worked.
///
/// ```text
/// try        1     2     3     4     5     6 …
/// network    2 s   4 s   8 s   16 s  32 s  60 s      2·2ⁿ s up to 60 s (add-on protocol, enrolment)
/// local      0.1 s 0.2 s 0.4 s 0.8 s 1.6 s 2 s       the server on this very box is back in a second or two
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    tries: u32,
}

impl Backoff {
    /// For a server across a network: 2·2ⁿ seconds, at most 60.
    pub fn network() -> Self {
        Self {
            first: Duration::from_secs(2),
            cap: Duration::from_mins(1),
            tries: 0,
        }
    }

    /// For a server on this box, behind a Unix socket: from a tenth of a second up to two seconds.
    pub fn local() -> Self {
        Self {
            first: Duration::from_millis(100),
            cap: Duration::from_secs(2),
            tries: 0,
        }
    }

    /// Wait before the next try; counts it.
    pub fn wait(&mut self) -> Duration {
        let wait = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.tries.min(30)))
            .min(self.cap);
        self.tries = self.tries.saturating_add(1);
        wait
    }

    /// The connection worked: the next wait is the first one again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_start_anew() {
        let mut backoff = Backoff::network();
        let waits: Vec<u64> = (0..8).map(|_| backoff.wait().as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.wait(), Duration::from_secs(2));
        for _ in 0..1000 {
            assert!(backoff.wait() <= Duration::from_mins(1));
        }
    }

    #[test]
    fn a_local_server_is_tried_five_times_within_four_seconds() {
        let mut backoff = Backoff::local();
        let all: Duration = (0..5).map(|_| backoff.wait()).sum();
        assert!(all < Duration::from_secs(4), "{all:?}");
    }
}

//! Which wrong logins are told: whoever tries passwords for days would fill the log, and send as many messages to people. Pure.

use std::time::Duration;

use crate::hub::bucket::Bucket;

/// Wrong logins that are told at once, whatever their addresses; after them one each [`EACH`]. As the agent's comings of a drive.
const BURST: f64 = 20.0;
const EACH: Duration = Duration::from_mins(5);

/// What is told of wrong logins.
#[derive(Debug)]
pub struct Refused {
    left: Bucket,
    untold: u64,
}

impl Refused {
    /// Nothing was told before.
    pub fn new(now: Duration) -> Self {
        Self {
            left: Bucket::new(now, BURST, 1.0 / EACH.as_secs_f64()),
            untold: 0,
        }
    }

    /// Takes note of one from `from`; in words where it is to be told, with how many were not told before it.
    pub fn one(&mut self, now: Duration, from: &str) -> Option<String> {
        if !self.left.take(now, 1.0) {
            self.untold += 1;
            return None;
        }
        Some(match std::mem::take(&mut self.untold) {
            0 => format!("A login from {from} failed"),
            1 => format!("A login from {from} failed, as one before it did that was not told"),
            more => format!("A login from {from} failed, as {more} before it did that were not told"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tries_on_is_told_now_and_then_with_a_count() {
        let mut refused = Refused::new(Duration::ZERO);
        let told: Vec<String> = (0..3_600)
            .filter_map(|second| refused.one(Duration::from_secs(second), "10.0.0.7"))
            .collect();
        assert!((31..=32).contains(&told.len()), "{}", told.len());
        assert!(told[..20].iter().all(|told| told == "A login from 10.0.0.7 failed"));
        assert!(told[20].contains("as 280 before it"), "{}", told[20]);
    }
}

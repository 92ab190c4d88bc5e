//! When a message that was not taken is tried again, and when a channel is given up. Pure.

use std::time::Duration;

use wire::Time;

use crate::answer::Failed;

/// Waits before each attempt. Source: Standard Webhooks, the table of its reference senders.
pub const WAITS: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];

/// A channel that nothing has reached for so long is switched off. Source: Standard Webhooks, five days.
pub const GIVE_UP: Duration = Duration::from_hours(5 * 24);

/// When the message is tried again after `attempts` attempts; `None` when it is given up.
pub(super) fn next(attempts: u32, failed: &Failed, now: Time) -> Option<Time> {
    let wait = *WAITS.get(usize::try_from(attempts).ok()?)?;
    if !failed.retry {
        return None;
    }
    now.checked_add(failed.after.map_or(wait, |after| after.max(wait))).ok()
}

/// Whether a channel that has been failing since `since`, and has just given a message up, is switched off.
pub(super) fn hopeless(since: Time, failed: &Failed, now: Time) -> bool {
    let long = now > since && now.duration_since(since).unsigned_abs() >= GIVE_UP;
    failed.gone || long
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let now = Time::UNIX_EPOCH;
        let failed = Failed::passing("x");
        let waits: Vec<Option<i64>> = (1..9)
            .map(|n| next(n, &failed, now).map(|at| at.duration_since(now).as_secs()))
            .collect();
        assert_eq!(
            waits,
            [
                Some(5),
                Some(300),
                Some(1800),
                Some(7200),
                Some(18_000),
                Some(36_000),
                Some(36_000),
                None
            ]
        );
        assert_eq!(next(1, &Failed::lasting("x"), now), None);
    }

    #[test]
    fn a_service_that_asks_for_a_longer_wait_gets_it() {
        let now = Time::UNIX_EPOCH;
        let mut failed = Failed::passing("x");
        failed.after = Some(Duration::from_secs(90));
        assert_eq!(next(1, &failed, now).unwrap().as_second(), 90);
        assert_eq!(next(2, &failed, now).unwrap().as_second(), 300);
    }

    #[test]
    fn five_days_or_gone() {
        let since = Time::UNIX_EPOCH;
        let later = |seconds| Time::from_second(seconds).unwrap();
        let failed = Failed::passing("x");
        assert!(!hopeless(since, &failed, later(5 * 86_400 - 1)));
        assert!(hopeless(since, &failed, later(5 * 86_400)));
        let gone = Failed { gone: true, ..failed };
        assert!(hopeless(since, &gone, since));
    }
}

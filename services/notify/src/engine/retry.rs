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

/// Attempts at a message that must arrive: the last of [`WAITS`] repeats until together they are [`GIVE_UP`]. Counted, because the
/// clock may be set meanwhile.
const MOST_ATTEMPTS: u32 = 18;

/// Waits before each further attempt at a message that must arrive and was answered by a redirect, until it is given up. A receiver may
/// act on it and redirect, and then each more tells somebody the same again; a login page in the network's way does so to all, and is
/// gone once somebody has logged in. So they are few, over most of a day. Chosen.
const REDIRECT_WAITS: [Duration; 3] = [
    Duration::from_mins(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];

/// When the message is tried again after `attempts` attempts, `redirects` of them answered so; `None` when it is given up.
///
/// One that `must` arrive is tried again whatever was answered: a proxy says 404 while what is behind it restarts.
pub(super) fn next(attempts: u32, redirects: u32, failed: &Failed, must: bool, now: Time) -> Option<Time> {
    let redirects = usize::try_from(redirects).ok()?;
    let wait = match WAITS.get(usize::try_from(attempts).ok()?) {
        _ if must && failed.redirects => *REDIRECT_WAITS.get(redirects.saturating_sub(1))?,
        Some(wait) => *wait,
        None if must && attempts < MOST_ATTEMPTS => WAITS[WAITS.len() - 1],
        None => return None,
    };
    if !must && !failed.retry {
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
            .map(|n| next(n, 0, &failed, false, now).map(|at| at.duration_since(now).as_secs()))
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
        assert_eq!(next(1, 0, &Failed::lasting("x"), false, now), None);
    }

    #[test]
    fn what_must_arrive_is_tried_for_five_days_whatever_was_answered() {
        let now = Time::UNIX_EPOCH;
        for failed in [Failed::passing("503"), Failed::lasting("404")] {
            let wait = |n| next(n, 0, &failed, true, now).map(|at| at.duration_since(now).unsigned_abs());
            let waits: Vec<Duration> = (1..).map_while(wait).collect();
            assert_eq!(waits[..2], WAITS[1..3]);
            assert!(waits.is_sorted() && waits.len() < 20, "{waits:?}");
            let all: Duration = waits.iter().sum();
            assert!((GIVE_UP..GIVE_UP + WAITS[7]).contains(&all), "{all:?}");
        }
    }

    /// Each more may be the same alert to somebody who has it.
    #[test]
    fn a_receiver_that_redirects_gets_what_must_arrive_four_times_within_a_day() {
        let now = Time::UNIX_EPOCH;
        let redirect = Failed {
            redirects: true,
            ..Failed::lasting("302")
        };
        for before in [0, 9] {
            let wait = |n| next(before + n, n, &redirect, true, now).map(|at| at.duration_since(now).unsigned_abs());
            let waits: Vec<Duration> = (1..).map_while(wait).collect();
            assert_eq!(waits.len(), 3, "after {before} other answers");
            assert!(waits.is_sorted() && waits.iter().sum::<Duration>() > Duration::from_hours(16));
        }
        assert_eq!(next(1, 1, &redirect, false, now), None);
        assert!(next(9, 4, &Failed::passing("503"), true, now).is_some());
    }

    #[test]
    fn a_service_that_asks_for_a_longer_wait_gets_it() {
        let now = Time::UNIX_EPOCH;
        let mut failed = Failed::passing("x");
        failed.after = Some(Duration::from_secs(90));
        assert_eq!(next(1, 0, &failed, false, now).unwrap().as_second(), 90);
        assert_eq!(next(2, 0, &failed, false, now).unwrap().as_second(), 300);
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

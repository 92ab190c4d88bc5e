//! What the supervisor hears: READY, then WATCHDOG as long as there is progress.
//!
//! A heartbeat is sent after LMDB has committed a write and read it back, from the task loop that also carries the
//! jobs: so it says that the loop turned and that the medium takes writes, not that a timer ticked. Slow drives are no
//! part of it; each has its own process.

use std::time::Duration;

use sd_notify::NotifyState;
use store::Store;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error, warn};

use crate::stop::Stop;

/// Beats where the supervisor asks for none: the store's health is watched all the same.
const UNASKED: Duration = Duration::from_secs(10);

/// Says `READY=1`, with what the agent is about to do.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says `STATUS=`: so many tests have begun and are not over. The console and the dashboard show it.
pub fn under_way(tests: usize) {
    notify(&[NotifyState::Status(&words(tests))]);
}

fn words(tests: usize) -> String {
    match tests {
        0 => "no test is under way".to_owned(),
        1 => "1 test is under way".to_owned(),
        more => format!("{more} tests are under way"),
    }
}

/// Says `STOPPING=1`.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "the supervisor was not told");
    }
}

/// Beats until `stop` turns true.
pub async fn run(store: Store, mut stop: Stop) {
    let period = sd_notify::watchdog_enabled().map_or(UNASKED, |deadline| deadline / 2);
    let mut beat = interval(period);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            () = stop.asked() => return,
        }
        // No time-out here: while the medium hangs there is no heartbeat, and the supervisor decides.
        match store.touch().await {
            Ok(_) => {
                if std::mem::take(&mut failing) {
                    warn!("the store takes writes again");
                }
                notify(&[NotifyState::Watchdog]);
            }
            // A full or read-only medium is no reason to be killed again and again: jobs go on, and it is told.
            Err(cause) => {
                if !std::mem::replace(&mut failing, true) {
                    error!(error = %cause, "the store does not take writes; jobs go on without new checkpoints");
                }
                notify(&[NotifyState::Watchdog]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn tests_are_counted_in_words() {
        let told = [0, 1, 24].map(super::words);
        assert_eq!(
            told,
            ["no test is under way", "1 test is under way", "24 tests are under way"]
        );
    }
}

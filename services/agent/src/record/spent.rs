//! How long something has gone on, over restarts of the agent and of the box. Pure.
//!
//! Not by the wall clock: a box without a clock of its own learns the time when it gets a network, years later or earlier than
//! it thought. What ends after so many minutes would end at once then, or never. What passes between two boots does not count.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time that has passed between looks within one boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    so_far: Duration,
    looked: Option<Moment>,
}

/// A moment by the kernel's clock, which begins anew with each boot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Moment {
    boot_id: String,
    up: Duration,
}

impl Spent {
    /// Begins, or goes on, `up` after the start of this boot; gives what has passed in all.
    pub fn look(&mut self, boot_id: &str, up: Duration) -> Duration {
        if let Some(last) = self.looked.as_ref().filter(|last| last.boot_id == boot_id) {
            self.so_far += up.saturating_sub(last.up);
        }
        self.looked = Some(Moment {
            boot_id: boot_id.to_owned(),
            up,
        });
        self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_over_restarts_of_the_agent_and_counts_nothing_between_two_boots() {
        let mut spent = Spent::default();
        let mut told = Vec::new();
        for (boot, up) in [
            ("one", 50),
            ("one", 60),
            ("one", 100),
            ("two", 9000),
            ("two", 9005),
            ("three", 3),
            ("three", 4),
        ] {
            told.push(spent.look(boot, Duration::from_secs(up)).as_secs());
            let kept = serde_json::to_string(&spent).ok();
            let kept = kept.and_then(|kept| serde_json::from_str(&kept).ok());
            assert_eq!(kept.as_ref(), Some(&spent));
        }
        assert_eq!(told, [0, 10, 50, 50, 55, 55, 56]);
    }
}

//! How many other drives were burned in behind the same controller meanwhile. Pure.

use serde::{Deserialize, Serialize};

/// A mean, each second in which the drive moved counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Company {
    seconds: u64,
    others: u64,
}

impl Company {
    /// One more second.
    pub fn add(&mut self, others: usize) {
        self.seconds = self.seconds.saturating_add(1);
        self.others = self.others.saturating_add(others as u64);
    }

    /// Whether there ever was any.
    pub fn is_any(self) -> bool {
        self.others > 0
    }

    /// Others on the mean; `None` where nothing moved.
    pub fn mean(self) -> Option<f64> {
        (self.seconds > 0).then(|| self.others as f64 / self.seconds as f64)
    }
}

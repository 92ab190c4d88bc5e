//! How many other drives were at work behind the same controller meanwhile. Pure.

use serde::{Deserialize, Serialize};

/// A mean, each look at a drive that moves counted once: the agent's each second, the command line's every ten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Company {
    #[serde(rename = "seconds")]
    looks: u64,
    others: u64,
}

impl Company {
    /// One more look.
    pub fn add(&mut self, others: usize) {
        self.looks = self.looks.saturating_add(1);
        self.others = self.others.saturating_add(others as u64);
    }

    /// Whether there ever was any.
    pub fn is_any(self) -> bool {
        self.others > 0
    }

    /// Others on the mean; `None` where nothing moved.
    pub fn mean(self) -> Option<f64> {
        (self.looks > 0).then(|| self.others as f64 / self.looks as f64)
    }
}

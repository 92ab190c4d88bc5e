//! The kernel's count of the drive's medium, and what went through under each.

use super::{Fault, Sim};

impl Sim {
    /// How many writes and trims went through while the kernel counted its medium so; from 1 on.
    pub fn written_under(&self, count: u64) -> u64 {
        self.written.get(&count).copied().unwrap_or(0)
    }

    /// The kernel's count of its medium now.
    pub(super) fn counted(&self) -> u64 {
        let ended = |(at, fault): (usize, &Fault)| match fault {
            Fault::Recounted { millis, .. } => self.is_over(at, *millis),
            _ => false,
        };
        1 + self
            .plan
            .faults
            .iter()
            .enumerate()
            .filter(|fault| ended(*fault))
            .count() as u64
    }
}

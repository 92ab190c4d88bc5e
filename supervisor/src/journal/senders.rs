//! How much one sender may write to the log: whoever babbles would else push what the others say out of memory and off the
//! medium, and wear that out.

use std::collections::BTreeMap;

use super::entry::Sender;
use crate::quota::{Quota, Rate};

/// Bytes of entries of one unit within a minute: some eight thousand lines, a quarter of what the ring holds.
const OF_ONE: Rate = Rate {
    most: 2 << 20,
    within: 60_000,
};
/// Senders that are counted one by one; units are fewer.
const SENDERS_MAX: usize = 128;

/// What they have written lately.
#[derive(Debug, Default)]
pub(super) struct Senders(BTreeMap<String, (Sender, Quota)>);

/// Messages of one sender that were left out.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub sender: Sender,
    pub count: u64,
}

impl LeftOut {
    fn of(sender: &Sender, quota: &mut Quota, now: u64) -> Option<Self> {
        let count = quota.left_out(OF_ONE, now)?;
        let sender = sender.clone();
        Some(Self { sender, count })
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kib, seconds) = (OF_ONE.most >> 10, OF_ONE.within / 1000);
        let count = self.count;
        write!(f, "{count} messages suppressed: more than {kib} KiB within {seconds} s")
    }
}

impl Senders {
    /// Whether an entry of so many bytes is taken at `now`, in milliseconds, and what was left out in a minute that it ends: to be
    /// told before it. All processes of a unit are one sender; those of no unit are one by their user.
    pub(super) fn takes(&mut self, sender: &Sender, now: u64, bytes: usize) -> (Option<LeftOut>, bool) {
        let mut name = sender.unit.clone().unwrap_or_else(|| format!("user {}", sender.uid));
        if self.0.len() >= SENDERS_MAX && !self.0.contains_key(&name) {
            name = "others".into();
        }
        let (sender, quota) = self.0.entry(name).or_insert_with(|| (sender.clone(), Quota::default()));
        // Who babbles on begins a new minute with this one, and nobody could ask for the old one's any more.
        let left_out = LeftOut::of(sender, quota, now);
        (left_out, quota.takes(OF_ONE, now, bytes as u64))
    }

    /// What was left out in minutes that are over, and told by nobody yet. Who has been silent since is forgotten.
    pub(super) fn left_out(&mut self, now: u64) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        self.0.retain(|_, (sender, quota)| {
            left_out.extend(LeftOut::of(sender, quota, now));
            !quota.is_over(OF_ONE, now)
        });
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_bounded_and_forgotten() {
        let mut s = Senders::default();
        let of = |uid| Sender {
            uid,
            ..Sender::default()
        };
        for uid in 0..1_000 {
            assert!(s.takes(&of(uid), 5_000, 100).1);
        }
        assert!(s.0.len() <= SENDERS_MAX + 1);
        assert!(s.left_out(5_000 + OF_ONE.within).is_empty());
        assert!(s.0.is_empty());
    }
}

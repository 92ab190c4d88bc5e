//! A numbered ring: the last so many things, each with a number that never comes twice.
//!
//! Streams (progress, log lines, telemetry) live in rings: bounded, in memory, lost with the process. Events do not:
//! they are in the log.

use std::collections::VecDeque;

/// The last `most` items.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    items: VecDeque<T>,
    most: usize,
    /// Number of the next item, from 1.
    next: u64,
}

impl<T> Ring<T> {
    /// An empty ring for at most `most` items.
    pub fn new(most: usize) -> Self {
        Self {
            items: VecDeque::new(),
            most,
            next: 1,
        }
    }

    /// An empty ring whose first item has the number after `number`.
    pub fn after_number(most: usize, number: u64) -> Self {
        Self {
            next: number + 1,
            ..Self::new(most)
        }
    }

    /// Adds an item, dropping the oldest when the ring is full; returns its number.
    pub fn push(&mut self, item: T) -> u64 {
        self.push_with(item, |_| {})
    }

    /// As [`Ring::push`]; `dropped` is handed what had to go.
    pub fn push_with(&mut self, item: T, dropped: impl FnOnce(T)) -> u64 {
        if self.items.len() >= self.most
            && let Some(oldest) = self.items.pop_front()
        {
            dropped(oldest);
        }
        self.items.push_back(item);
        self.next += 1;
        self.next - 1
    }

    /// Takes the oldest item out; the numbers of the others stay.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Number of the newest item ever added.
    pub fn newest(&self) -> u64 {
        self.next - 1
    }

    /// The items, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// The newest item.
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }

    /// Items with numbers greater than `after`, with their numbers, oldest first.
    pub fn after(&self, after: u64) -> impl Iterator<Item = (u64, &T)> {
        let first = self.next - self.items.len() as u64;
        (first..).zip(&self.items).filter(move |(number, _)| *number > after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_tail_of_everything_pushed(most in 1usize..20, count in 0u64..60, after in 0u64..70) {
            let mut ring = Ring::new(most);
            for n in 1..=count {
                prop_assert_eq!(ring.push(n), n);
            }
            let want: Vec<(u64, u64)> =
                (1..=count).filter(|n| *n > after && *n + most as u64 > count).map(|n| (n, n)).collect();
            let got: Vec<(u64, u64)> = ring.after(after).map(|(number, item)| (number, *item)).collect();
            prop_assert_eq!(got, want);
        }
    }
}

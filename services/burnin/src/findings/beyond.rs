//! Bad sectors of which no place is kept: counted by step, round and class.
//!
//! Several rounds and steps may see the same ones, so that the number is the largest of a round's; a step that comes to a place again
//! ([`Visit::again`]) counts no more than the first of a class.

use std::collections::BTreeMap;

use wire::job::Phase;

use super::Class;

/// When a sector was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Step that saw it.
    pub step: u16,
    /// That step's phase.
    pub phase: Phase,
    /// How often the step had been run to its end before.
    pub round: u32,
    /// Whether it may have come to the sector before in this round: by a seek, where it reads the headers once more, or where it goes
    /// back after an interruption. Of sectors without a place it is not known which they are, so that only the first of a class counts.
    pub again: bool,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beyond(BTreeMap<(u16, u32, Class), u64>);

impl Beyond {
    /// Of a checkpoint: step, round, class and number.
    pub(super) fn of(rows: impl IntoIterator<Item = (u16, u32, Class, u64)>) -> Self {
        let rows = rows.into_iter();
        Self(rows.map(|(step, round, class, n)| ((step, round, class), n)).collect())
    }

    /// For a checkpoint.
    pub(super) fn rows(&self) -> Vec<(u16, u32, Class, u64)> {
        let rows = self.0.iter();
        rows.map(|((step, round, class), n)| (*step, *round, *class, *n))
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that were counted, the same ones perhaps several times.
    pub(super) fn all(&self) -> u64 {
        self.0.values().fold(0, |all, n| all.saturating_add(*n))
    }

    /// Those of such classes, as the round of a step saw them that saw most.
    pub(super) fn most(&self, such: impl Fn(Class) -> bool) -> u64 {
        let mut rounds: BTreeMap<(u16, u32), u64> = BTreeMap::new();
        for ((step, round, class), count) in &self.0 {
            if such(*class) {
                let sum = rounds.entry((*step, *round)).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        rounds.into_values().max().unwrap_or(0)
    }

    /// Those of a step, as the round of it saw them that saw most.
    pub(super) fn of_step(&self, step: u16) -> u64 {
        let rows = self.0.iter().filter(|((of, ..), _)| *of == step);
        Self(rows.map(|(key, count)| (*key, *count)).collect()).most(|_| true)
    }

    /// Counts one; whether it did.
    pub(super) fn count(&mut self, visit: Visit, class: Class) -> bool {
        let Visit { step, round, again, .. } = visit;
        if !self.0.contains_key(&(step, round, class)) {
            self.forget_rounds(step, round);
        }
        let counted = self.0.entry((step, round, class)).or_default();
        let counts = !again || *counted == 0;
        *counted += u64::from(counts);
        counts
    }

    /// Keeps of the rounds of a step, of which a soak has thousands, those that saw most, in all and of a class, and `now`.
    fn forget_rounds(&mut self, step: u16, now: u32) {
        let mut most: BTreeMap<Option<Class>, (u64, u32)> = BTreeMap::new();
        let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
        for ((_, round, class), count) in self.0.iter().filter(|((of, ..), _)| *of == step) {
            let sum = sums.entry(*round).or_default();
            *sum = sum.saturating_add(*count);
            for (of, count) in [(Some(*class), *count), (None, *sum)] {
                let most = most.entry(of).or_default();
                *most = (*most).max((count, *round));
            }
        }
        let kept = |round: u32| round == now || most.values().any(|(_, of)| *of == round);
        self.0.retain(|(of, round, _), _| *of != step || kept(*round));
    }

    /// Takes sectors back, since the step comes to them again. One of a class stays: what may show only once is not forgotten.
    pub(super) fn take_back(&mut self, step: u16, round: u32, class: Class, sectors: u64) {
        if let Some(counted) = self.0.get_mut(&(step, round, class)) {
            *counted = counted.saturating_sub(sectors).max(1);
        }
    }
}

//! Wishes to get in without a password: PID 1 counts them within a boot; which of them are answered is kept here.
//!
//! A wish is answered when somebody has claimed the box with the code that it brought. Until then it stands, also where it was made
//! before the server was there to hear it, or the server has started again since; an answered one opens nothing again. That
//! is a note beside the store, not in it: a backup that is put back would undo it. Pure.

use serde::{Deserialize, Serialize};

/// The note's file.
pub(super) const NOTE: &str = "recovery.json";

/// How many wishes of one boot are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answered {
    boot_id: String,
    count: u32,
}

/// The wishes as this run of the server knows them.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    answered: Answered,
    /// Wishes that are answered, or for which the claim was opened.
    met: u32,
}

impl Recovery {
    /// As the run before left them.
    pub(super) fn of(answered: Answered) -> Self {
        let met = answered.count;
        Self { answered, met }
    }

    /// Which are answered.
    pub(super) fn answered(&self) -> &Answered {
        &self.answered
    }

    /// PID 1 has counted `wished` in this boot: whether there is one for which the claim was not opened yet.
    pub(super) fn hear(&mut self, boot_id: &str, wished: u32) -> bool {
        if self.answered.boot_id != boot_id {
            let boot_id = boot_id.to_owned();
            *self = Self::of(Answered { boot_id, count: 0 });
        }
        // A PID 1 that has lost its notes counts anew.
        self.answered.count = self.answered.count.min(wished);
        let before = std::mem::replace(&mut self.met, wished);
        wished > before
    }

    /// Somebody has claimed the box: all of them are answered.
    pub(super) fn answer(&mut self) {
        self.answered.count = self.met;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_stands_until_it_is_answered_and_counts_once() {
        let mut first = Recovery::default();
        assert!(!first.hear("a", 0));
        assert!(first.hear("a", 2), "made before the server heard anything");
        assert!(!first.hear("a", 2));
        assert!(first.hear("a", 3));
        // The server starts again: nobody has claimed the box yet.
        let mut again = Recovery::of(first.answered().clone());
        assert!(again.hear("a", 3));
        again.answer();
        let mut later = Recovery::of(again.answered().clone());
        assert!(!later.hear("a", 3), "it is answered");
        assert!(later.hear("a", 4));
        later.answer();
        assert!(!later.hear("a", 0), "PID 1 counts anew");
        let mut once_more = Recovery::of(later.answered().clone());
        assert!(once_more.hear("a", 1));
        once_more.answer();
        let mut next = Recovery::of(once_more.answered().clone());
        assert!(next.hear("b", 1), "another boot");
    }
}

//! What is given up with a drive: the memberships that one look found and a person was shown. Pure.

use crate::content::{ContentKind, Member};

/// Memberships that are given up with one drive. Every later look refuses what is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// For the guard: each kind once.
    pub kinds: Vec<ContentKind>,
    /// For people and for a plan's digest: each with its partition.
    pub words: Vec<String>,
}

impl GivenUp {
    /// Of what the look found that a person is shown.
    pub fn of(members: &[Member]) -> Self {
        let mut kinds: Vec<_> = members.iter().map(|member| member.kind).collect();
        kinds.sort();
        kinds.dedup();
        let mut words: Vec<_> = members.iter().map(Member::words).collect();
        words.sort();
        words.dedup();
        Self { kinds, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_place_is_told_once_and_nothing_that_was_not_found() {
        let luks = |partition| Member {
            partition,
            kind: ContentKind::Luks,
        };
        let given_up = GivenUp::of(&[luks(2), luks(0), luks(2)]);
        assert_eq!(given_up.kinds, [ContentKind::Luks]);
        assert_eq!(given_up.words, ["LUKS container", "partition 2: LUKS container"]);
        assert_eq!(GivenUp::of(&[]), GivenUp::default());
    }
}

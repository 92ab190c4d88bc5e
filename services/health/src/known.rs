//! What is known of values and models: the one data file `data/known.json`, with the source of each row.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alert::Kind;
use crate::reading::Protocol;

/// A value whose count matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CriticalAttribute)]
pub struct Critical {
    /// As [`crate::reading::Attribute::key`].
    pub key: String,
    /// Whose value it is.
    pub protocol: Protocol,
    /// Name for people.
    pub name: String,
    /// Which alert it feeds; some only cost score.
    pub alert: Option<Kind>,
    /// From this count on the alert is critical.
    pub critical_at: u64,
    /// Points of score that the first one costs.
    pub base: u32,
    /// Points that each doubling costs.
    pub step: u32,
    /// Most points that it can cost.
    pub most: u32,
    /// What it counts.
    pub meaning: String,
    /// Who says that it matters.
    pub source: String,
}

impl Critical {
    /// Points that `count` costs: nothing for none, then `base`, and `step` for each doubling, up to `most`.
    pub fn cost(&self, count: u64) -> u32 {
        count.checked_ilog2().map_or(0, |doublings| {
            (self.base + self.step.saturating_mul(doublings)).min(self.most)
        })
    }
}

/// What a maker rates a model for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WearSpec)]
pub struct Spec {
    /// Model as smartctl gives it.
    pub model: String,
    /// Terabytes (10¹² bytes) that may be written, 1..=1,000,000.
    pub tbw: u64,
    /// Who says so.
    #[serde(default)]
    pub source: String,
}

/// The file.
#[derive(Clone, Debug, Deserialize)]
pub struct Known {
    /// Values whose count matters.
    pub critical: Vec<Critical>,
    /// Rated endurance of some models.
    pub specs: Vec<Spec>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/known.json")).expect("the built-in file was read by this crate's tests")
});

/// The file's content.
pub fn known() -> &'static Known {
    &KNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_source_and_counts_cost_more_the_more_there_are() {
        for row in &known().critical {
            assert!(!row.source.is_empty() && !row.meaning.is_empty(), "{row:?}");
            assert!(row.base <= row.most, "{row:?}");
            assert_eq!(row.cost(0), 0);
            let costs: Vec<u32> = (0..64).map(|bit| row.cost(1 << bit)).collect();
            assert!(
                costs.is_sorted() && costs.last() == Some(&row.most),
                "{row:?}: {costs:?}"
            );
        }
        assert!(known().specs.iter().all(|spec| spec.tbw > 0 && !spec.source.is_empty()));
    }
}

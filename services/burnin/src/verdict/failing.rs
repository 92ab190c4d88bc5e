//! What fails a drive in the midst of its burn-in: by what was written and read up to now, whatever comes.
//!
//! Pace and long accesses are left to the end, which may excuse them by the link, by heat or by shingled recording. What the drive tells
//! of itself is [`heading`](crate::job::heading)'s.

use serde::{Deserialize, Serialize};
use wire::Lba;
use wire::job::Outcome;

use super::metrics::of_surface;
use super::{Case, Profile, Rules, placed};
use crate::evidence::Evidence;

/// Why a drive fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Id of the rule.
    pub rule: String,
    /// First sector that it counts; `None` where what it counts has no place, as a flush.
    pub lba: Option<Lba>,
    /// What it means, how much there is by now and where: `sectors could not be read (1 sector; first at LBA 7: …)`.
    pub words: String,
}

/// The first rule that fails the drive by what was written and read; `None` while there is none.
pub fn failing(evidence: &Evidence) -> Option<Failing> {
    let fired = Rules::built_in().fired(&of_surface(&Case::new(evidence)), Profile::Used);
    let hit = fired.into_iter().find(|hit| hit.outcome == Outcome::Failed)?;
    let (lba, place) = placed(evidence, &hit.id).unzip();
    let words = format!("{} ({}{})", hit.means, hit.value, place.unwrap_or_default());
    Some(Failing {
        rule: hit.id,
        lba,
        words,
    })
}

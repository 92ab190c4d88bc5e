//! What others behind the controller and a link that was disturbed explain of a drive's pace, and what they do not.
//!
//! An excuse must not take a warning away: what is slow even so is told by a rule of its own, which asks for more.

use super::pace::link_was_disturbed;
use crate::evidence::Record;
use crate::verdict::{Case, figures};

/// What may have slowed a read, beside its drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excuse {
    /// The company of the whole job: others on the mean, and seconds.
    company: Option<(f64, f64)>,
}

impl Excuse {
    /// Of a read; `None` where nothing beside its drive slowed it.
    pub(super) fn of(case: &Case<'_>, record: &Record) -> Option<Self> {
        (case.shared || link_was_disturbed(case, record)).then(|| {
            let seconds = case.evidence.phases.iter().map(|record| record.seconds).sum();
            let others = case.company.unwrap_or(figures().company_unknown.value);
            let company = case.shared.then_some((others, seconds));
            Self { company }
        })
    }

    /// How many times slower than its neighbourhood something that took so many seconds must be.
    pub(super) fn slower(self, took: f64) -> f64 {
        let figures = figures();
        let others = self.company.map_or(0.0, |(mean, seconds)| {
            // That many were there all the time, if they came for this alone; and a case has no more.
            let most = figures.company_unknown.value.max(2.0 * mean);
            (mean * seconds / took.max(1.0)).min(most)
        });
        figures.slower.value.max(figures.company_unfair.value * (1.0 + others))
    }
}

/// Whether there was so much company that it makes a mean over the whole drive.
pub(super) fn had_company(case: &Case<'_>) -> bool {
    case.shared && case.company.is_none_or(|mean| mean >= figures().company_least.value)
}

/// What the controller would give a drive alone that has this rate beside the others.
pub(super) fn alone(case: &Case<'_>, rate: f64) -> f64 {
    match had_company(case) {
        true => rate * (1.0 + case.company.unwrap_or(figures().company_unknown.value)),
        false => rate,
    }
}

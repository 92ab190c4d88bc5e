//! What others behind the controller and a link that was disturbed explain of a drive's pace, and what they do not.
//!
//! An excuse must not take a warning away: what is slow even so is told by a rule of its own, which asks for more.

use super::pace::link_was_disturbed;
use crate::evidence::Record;
use crate::verdict::{Case, figures};

/// The others behind a drive's controller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Company {
    /// How many they were on the mean over the whole job.
    pub(super) mean: f64,
    /// Seconds of that.
    seconds: f64,
}

impl Company {
    /// `None` where the drive had its controller to itself.
    pub(super) fn of(case: &Case<'_>) -> Option<Self> {
        case.shared.then(|| Self {
            mean: case.company.unwrap_or(figures().company_unknown.value),
            seconds: case.evidence.phases.iter().map(|record| record.seconds).sum(),
        })
    }

    /// How many they were on the mean while something took so many seconds, if they came for this alone.
    pub(super) fn within(self, took: f64) -> f64 {
        // That many were there all the time; and a case has no more.
        let most = figures().company_unknown.value.max(2.0 * self.mean);
        (self.mean * self.seconds / took.max(1.0)).min(most)
    }

    /// Whether so many may have been there while something took so many seconds that they weigh in the mean of that.
    pub(super) fn weighs(self, took: f64) -> bool {
        self.within(took) >= figures().company_least.value
    }
}

/// What may have slowed a read, beside its drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excuse {
    company: Option<Company>,
}

impl Excuse {
    /// Of a read; `None` where nothing beside its drive slowed it.
    pub(super) fn of(case: &Case<'_>, record: &Record) -> Option<Self> {
        let company = Company::of(case);
        (company.is_some() || link_was_disturbed(case, record)).then_some(Self { company })
    }

    /// How many times slower than its neighbourhood something that took so many seconds must be.
    pub(super) fn slower(self, took: f64) -> f64 {
        let figures = figures();
        let others = self.company.map_or(0.0, |company| company.within(took));
        figures.slower.value.max(figures.company_unfair.value * (1.0 + others))
    }
}

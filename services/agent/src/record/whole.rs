//! How far the job of a record is: [`Whole`] decides.

use burnin::job::Whole;

use super::Record;

impl Record {
    /// The job with all its steps, and how far it was told to be.
    pub fn whole(&self) -> Whole<'_> {
        let told = self.job.progress.as_ref();
        Whole {
            phases: &self.job.phases,
            smart_before: self.smart_before.as_ref(),
            told_percent: told.map_or(self.told_percent, |told| told.percent),
        }
    }
}

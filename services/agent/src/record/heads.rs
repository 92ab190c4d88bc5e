//! That a job heads for FAILED, once a job: by what its worker found, or by what its drive says of itself. Pure.

use burnin::verdict::Failing;
use wire::Lba;
use wire::job::{Job, Outcome, Phase, PhaseStatus};

use super::Record;

/// Why a job heads for FAILED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Id of the rule.
    pub rule: String,
    /// First bad sector, where it is about sectors.
    pub lba: Option<Lba>,
    /// What the rule's hit means, and its value.
    pub words: String,
}

impl Heads {
    /// By what was written and read.
    pub(super) fn found(why: &Failing) -> Self {
        Self {
            rule: why.rule.clone(),
            lba: why.lba,
            words: why.words.clone(),
        }
    }

    /// By what the drive says of itself.
    fn said(job: &Job) -> Option<Self> {
        let hit = job.heading.iter().find(|hit| hit.outcome == Outcome::Failed)?;
        Some(Self {
            rule: hit.id.clone(),
            lba: None,
            words: format!("{} ({})", hit.means, hit.value),
        })
    }
}

impl Record {
    /// What is to be told of this: nothing a second time, nor where a person has ended the job, whose end follows.
    pub(super) fn heads(&mut self, why: Heads) -> Option<Heads> {
        if self.told_failing || self.aborted_by.is_some() {
            return None;
        }
        self.told_failing = true;
        Some(why)
    }

    /// What is to be told of what the drive says of itself.
    pub fn heads_by_its_word(&mut self) -> Option<Heads> {
        Heads::said(&self.job).and_then(|why| self.heads(why))
    }

    /// The phase under way.
    pub fn phase(&self) -> Option<Phase> {
        let running = |status| status == PhaseStatus::Running;
        let state = self.job.phases.iter().rfind(|state| running(state.status))?;
        Some(state.phase)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::worker::Report;
    use drive::smart::Snapshot;

    use super::*;
    use crate::record::tests::{apply, record};

    fn found(failing: bool) -> Report {
        Report::Findings {
            findings: Vec::new(),
            bad_sectors: 1,
            failing: failing.then(|| Failing {
                rule: "read-error".into(),
                lba: Some(Lba(7)),
                words: "sectors could not be read (1 sector; first at LBA 7: EIO)".into(),
            }),
        }
    }

    #[test]
    fn that_a_job_heads_for_failed_is_told_once_whatever_interrupts_it() {
        let mut record = record();
        assert_eq!(
            apply(&mut record, &found(false)).heads,
            None,
            "it may be no fault of the drive's"
        );
        let told = apply(&mut record, &found(true)).heads.unwrap();
        assert_eq!((told.rule.as_str(), told.lba), ("read-error", Some(Lba(7))));
        assert_eq!(apply(&mut record, &found(true)).heads, None);
        let kept = serde_json::to_value(&record).unwrap();
        let mut record: Record = serde_json::from_value(kept).unwrap();
        record.restart();
        assert_eq!(apply(&mut record, &found(true)).heads, None, "after a restart, too");
        record.smart_before = Some(failing());
        crate::verdict::head(&mut record);
        assert_eq!(record.heads_by_its_word(), None, "nor for another reason");
    }

    #[test]
    fn what_a_drive_says_of_itself_is_told_where_it_fails_it() {
        let mut record = record();
        assert_eq!(record.heads_by_its_word(), None);
        record.smart_before = Some(Snapshot {
            passed: Some(true),
            ..failing()
        });
        crate::verdict::head(&mut record);
        assert_eq!(record.heads_by_its_word(), None);
        record.meanwhile.failing = true;
        crate::verdict::head(&mut record);
        let told = record.heads_by_its_word().unwrap();
        assert!(record.job.heading.iter().any(|hit| hit.id == told.rule), "{told:?}");
        assert_eq!(record.heads_by_its_word(), None);
    }

    #[test]
    fn whoever_ended_a_job_is_told_of_its_end_alone() {
        let mut record = record();
        record.aborted_by = Some("ann".into());
        assert_eq!(apply(&mut record, &found(true)).heads, None);
    }

    fn failing() -> Snapshot {
        Snapshot {
            passed: Some(false),
            ..Snapshot::default()
        }
    }
}

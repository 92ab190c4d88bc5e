//! Which jobs have the last word on a drive: the newest one, and the failures that no later job has disproved.
//!
//! "May I put my data on this drive?" is answered by them. The hub holds few jobs, the medium a thousand: which of them stay,
//! and which are looked up for a drive, is asked here in both places, so that no number of newer jobs makes a failure forgotten.
//!
//! Of a kept job only what is needed for that is read ([`Kept`]): its row has up to 60 kB of surfaces and time line, and they are
//! passed over. A table beside the jobs that says the same would be faster, and wrong once an older system had written to them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use store::{Table, View};
use wire::job::{Grounds, Job, JobState, Outcome, Phase, PhaseStatus};
use wire::{DriveId, JobId};

use crate::tables::{JOBS, JOBS_MAX};

/// Rows read at a time: together they may be megabytes.
const PAGE: usize = 32;

/// Jobs that stay however many failures stand: as many of the newest as the agent tells again when it connects (its 700 finished ones
/// and those under way), so that none is let go only to be told once more.
const STAY: usize = JOBS_MAX * 3 / 4;

/// The table of jobs, of which this module only reads.
const KEPT: Table<String, Kept> = Table::new(JOBS.name());

/// What of a kept job has a say in whether its drive is good.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: JobId,
    drive: DriveId,
    serial: String,
    state: JobState,
    verdict: Option<Verdict>,
    phases: Vec<PhaseState>,
}

#[derive(Serialize, Deserialize)]
struct Verdict {
    outcome: Outcome,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Serialize, Deserialize)]
struct Rule {
    id: String,
}

#[derive(Serialize, Deserialize)]
struct PhaseState {
    phase: Phase,
    status: PhaseStatus,
}

/// What a job says of its drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The job.
    pub job: JobId,
    /// Its drive.
    pub drive: DriveId,
    /// The drive's serial, as it was at the start.
    pub serial: String,
    /// Whether nothing more will happen to the job.
    over: bool,
    grounds: Grounds,
}

impl From<&Job> for Word {
    fn from(job: &Job) -> Self {
        Self {
            job: job.id,
            drive: job.drive.clone(),
            serial: job.serial.clone(),
            over: job.state.is_over(),
            grounds: job.grounds(),
        }
    }
}

impl From<Kept> for Word {
    fn from(kept: Kept) -> Self {
        let outcome = kept.verdict.as_ref().map(|verdict| verdict.outcome);
        let rules = kept.verdict.iter().flat_map(|verdict| &verdict.rules);
        let phases = kept.phases.iter().map(|state| (state.phase, state.status));
        Self {
            over: kept.state.is_over(),
            grounds: Grounds::of(&kept.state, outcome, rules.map(|rule| rule.id.as_str()), phases),
            job: kept.id,
            drive: kept.drive,
            serial: kept.serial,
        }
    }
}

/// The last words on each drive.
#[derive(Clone, Debug, Default)]
pub struct LastWords(BTreeMap<DriveId, Last>);

#[derive(Clone, Copy, Debug)]
struct Last {
    newest: JobId,
    failed: Option<Failed>,
}

/// A failure that stands, and those before it that do.
#[derive(Clone, Copy, Debug)]
struct Failed {
    job: JobId,
    grounds: Grounds,
    /// The newest of them at which the drive was asked for its own word: without it nobody knows that a later job has to ask again.
    asked: Option<JobId>,
}

impl LastWords {
    /// Of these words, which come in the order of their jobs' ids: the oldest first.
    pub fn of_all<'w>(words: impl IntoIterator<Item = &'w Word>) -> Self {
        let mut all: BTreeMap<DriveId, Last> = BTreeMap::new();
        for word in words {
            let before = all.get(&word.drive).and_then(|last| last.failed);
            let failed = match word.grounds {
                // What it said of itself at an earlier failure was not asked again by this one.
                grounds if grounds.failed => {
                    let earlier = before.and_then(|failed| failed.asked);
                    let asked = if grounds.own_word { Some(word.job) } else { earlier };
                    let own_word = asked.is_some();
                    Some(Failed {
                        job: word.job,
                        grounds: Grounds { own_word, ..grounds },
                        asked,
                    })
                }
                grounds => before.filter(|failed| !grounds.disproves(failed.grounds)),
            };
            let last = Last {
                newest: word.job,
                failed,
            };
            all.insert(word.drive.clone(), last);
        }
        Self(all)
    }

    /// The jobs that have the last word on a drive, three at most: from them alone the same follows.
    pub fn of(&self, drive: &DriveId) -> impl Iterator<Item = JobId> {
        let last = self.0.get(drive);
        let newest = last.map(|last| last.newest);
        newest.into_iter().chain(last.into_iter().flat_map(Last::failures))
    }

    /// The failures that stand.
    pub fn failures(&self) -> BTreeSet<JobId> {
        self.0.values().flat_map(Last::failures).collect()
    }
}

impl Last {
    fn failures(&self) -> impl Iterator<Item = JobId> + use<> {
        let failed = self.failed;
        let jobs = failed.map_or([None; 2], |failed| [Some(failed.job), failed.asked]);
        jobs.into_iter().flatten()
    }
}

/// What every job on the medium says, in the order of their ids.
///
/// # Errors
/// When the store cannot be read.
pub fn kept(r: &impl View) -> store::Result<Vec<Word>> {
    let mut words = Vec::new();
    let mut last = String::from("0");
    loop {
        let page = KEPT.after(r, last.as_str(), PAGE)?;
        let Some((key, _)) = page.last() else { return Ok(words) };
        last.clone_from(key);
        words.extend(page.into_iter().map(|(_, kept)| Word::from(kept)));
    }
}

/// The jobs on the medium that have the last word on these drives. One that is not over the agent tells itself, or nobody knows it.
///
/// # Errors
/// When the store cannot be read.
pub fn jobs_of(r: &impl View, drives: &BTreeSet<DriveId>) -> store::Result<Vec<Job>> {
    if drives.is_empty() {
        return Ok(Vec::new());
    }
    let words = kept(r)?;
    let last = LastWords::of_all(words.iter().filter(|word| word.over));
    let ids: BTreeSet<JobId> = drives.iter().flat_map(|drive| last.of(drive)).collect();
    let jobs = ids.into_iter().map(|id| JOBS.get(r, id.to_string().as_str()));
    Ok(jobs.collect::<store::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The newest `most` of these jobs and the failures among them that stand, the newest first; `words` in the order of their ids.
pub fn newest(words: &[Word], most: usize) -> Vec<JobId> {
    let stands = LastWords::of_all(words).failures();
    let recent = words.len().saturating_sub(most);
    let wanted = words.iter().enumerate().rev();
    let wanted = wanted.filter(|(at, word)| *at >= recent || stands.contains(&word.job));
    wanted.map(|(_, word)| word.job).collect()
}

/// Which `count` jobs go where there are too many: the oldest, but a failure that stands only where nothing else is left before
/// the newest [`STAY`], and one that is not over only where nothing but such is left there. `words` in the order of their ids.
pub fn to_go(words: &[Word], count: usize) -> Vec<JobId> {
    let stands = LastWords::of_all(words).failures();
    let old = &words[..words.len().saturating_sub(STAY).max(count).min(words.len())];
    let (over, under_way): (Vec<&Word>, Vec<&Word>) = old.iter().partition(|word| word.over);
    let (standing, others): (Vec<&Word>, Vec<&Word>) = over.into_iter().partition(|word| stands.contains(&word.job));
    let order = others.into_iter().chain(standing).chain(under_way);
    order.take(count).map(|word| word.job).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn drive(n: u8) -> DriveId {
        DriveId::from_serial("M", &format!("WD-{n:04}"), 1).unwrap()
    }

    fn id(n: usize) -> JobId {
        JobId(uuid::Uuid::from_u128(n as u128))
    }

    fn word(n: usize, of: u8, says: char) -> Word {
        Word {
            job: id(n),
            drive: drive(of),
            serial: String::new(),
            over: says != 'r',
            grounds: Grounds {
                failed: matches!(says, 'F' | 'f'),
                keeps: matches!(says, 'P' | 'p'),
                own_word: matches!(says, 'F' | 'P'),
            },
        }
    }

    fn words(text: &str) -> Vec<Word> {
        text.chars().enumerate().map(|(n, says)| word(n, 1, says)).collect()
    }

    #[test]
    fn a_failure_stands_until_a_later_job_has_disproved_it() {
        for (said, last) in [
            ("", vec![]),
            ("P", vec![0]),
            ("Fss", vec![0, 2]),
            ("FsPs", vec![3]),
            ("PFs", vec![1, 2]),
            ("FF", vec![1]),
            ("Fr", vec![0, 1]),
            // What it said of itself was not asked again.
            ("Fp", vec![0, 1]),
            ("FpP", vec![2]),
            ("fp", vec![1]),
            ("ffs", vec![1, 2]),
            // Nor by the failure that stands now.
            ("Ffp", vec![0, 1, 2]),
            ("FFffp", vec![1, 3, 4]),
            ("FfP", vec![2]),
        ] {
            let all = words(said);
            let of: BTreeSet<JobId> = LastWords::of_all(&all).of(&drive(1)).collect();
            assert_eq!(of, last.into_iter().map(id).collect::<BTreeSet<_>>(), "{said}");
            // Where all others were let go, the same is known.
            let rest: Vec<Word> = all.into_iter().filter(|word| of.contains(&word.job)).collect();
            assert_eq!(
                LastWords::of_all(&rest).of(&drive(1)).collect::<BTreeSet<_>>(),
                of,
                "{said}"
            );
        }
    }

    #[test]
    fn of_many_jobs_of_a_drive_the_failure_that_stands_is_among_those_that_are_told() {
        assert_eq!(newest(&words("FsPFssss"), 2), [7, 6, 3].map(id));
        assert_eq!(newest(&words("FPss"), 2), [3, 2].map(id));
        assert_eq!(newest(&words("Ffpss"), 2), [4, 3, 1, 0].map(id));
        assert_eq!(newest(&words("F"), 2), [id(0)]);
    }

    /// What is read of a row in passing says the same as the whole job.
    #[test]
    fn a_kept_job_says_what_the_job_says() {
        let job = |state: &str, outcome: Option<&str>, phase: &str, status: &str| -> serde_json::Value {
            serde_json::json!({
                "id": id(7), "drive": drive(1), "model": "M", "serial": "S", "capacity": 1, "sector": 512, "playbook": "standard", "actor": "ann",
                "state": { "kind": state }, "phases": [{ "phase": phase, "status": status, "seconds": 1.0, "bytes": 1 }], "progress": null,
                "findings": [], "bad_sectors": 0, "resumes": [], "surface": [], "smart": [], "started": "2026-11-20T15:00:00Z", "ended": null,
                "verdict": outcome.map(|outcome| serde_json::json!({ "outcome": outcome, "rules": [], "summary": "", "verified": 0, "engine": "" })),
            })
        };
        for state in ["running", "finished", "aborted"] {
            for outcome in [None, Some("PASSED"), Some("WARN"), Some("INCONCLUSIVE"), Some("FAILED")] {
                for (phase, status) in [("verify", "done"), ("verify", "interrupted"), ("scan", "done")] {
                    let value = job(state, outcome, phase, status);
                    let kept: Kept = serde_json::from_value(value.clone()).unwrap();
                    let job: Job = serde_json::from_value(value).unwrap();
                    assert_eq!(
                        Word::from(kept),
                        Word::from(&job),
                        "{state} {outcome:?} {phase} {status}"
                    );
                }
            }
        }
    }

    proptest! {
        /// As many go as must, the newest stay, a failure that stands goes only where every older job stands, too, and one under way
        /// after all of them.
        #[test]
        fn a_failure_that_stands_goes_last(
            said in prop::collection::vec((0_u8..40, prop::sample::select(vec!['s', 's', 's', 'P', 'F', 'r'])), 0..1200),
            count in 0_usize..300,
        ) {
            let words: Vec<Word> = said.iter().enumerate().map(|(n, (of, says))| word(n, *of, *says)).collect();
            let go = to_go(&words, count);
            prop_assert_eq!(go.len(), count.min(words.len()));
            let stands = LastWords::of_all(&words).failures();
            let old = words.len().saturating_sub(STAY).max(count).min(words.len());
            prop_assert!(go.iter().all(|gone| words[..old].iter().any(|word| word.job == *gone)));
            let under_way: BTreeSet<JobId> = words.iter().filter(|word| !word.over).map(|word| word.job).collect();
            let spare = |kept: &BTreeSet<JobId>| words[..old].iter().filter(|word| !kept.contains(&word.job)).count();
            let lost = |kept: &BTreeSet<JobId>| go.iter().filter(|gone| kept.contains(gone)).count();
            let either: BTreeSet<JobId> = stands.union(&under_way).copied().collect();
            prop_assert_eq!(lost(&either), go.len().saturating_sub(spare(&either)));
            prop_assert_eq!(lost(&under_way), go.len().saturating_sub(spare(&under_way)));
        }
    }
}

//! What is kept of a burn-in to go on with: everything but where it is kept ([`super::state`]).

use std::collections::BTreeMap;

use burnin::findings::keep_untold;
use burnin::pace::Company;
use burnin::playbook::Step;
use burnin::{ENGINE, Fingerprint, Front, JobKey};
use drive::kernel_log::Account;
use drive::medium::Medium;
use drive::overlay::Overlay;
use drive::smart::Snapshot;
use serde::{Deserialize, Serialize};
use wire::drive::Content;
use wire::job::{Finding, Outcome, PhaseState, Resume, SelfTest, TimePoint};
use wire::options::PlanOptions;
use wire::{Bytes, DriveId, JobId, Time};

use super::remains::{Remains, stepless};

/// Everything to go on with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// Which drive it is of; `None` in files of older versions.
    #[serde(default)]
    pub drive: Option<DriveId>,
    /// Its model, serial and capacity, by which it is known behind a bridge, too; empty in files of older versions.
    #[serde(default)]
    pub model: String,
    /// See [`Saved::model`].
    #[serde(default)]
    pub serial: String,
    /// See [`Saved::model`].
    #[serde(default)]
    pub capacity: Bytes,
    /// The medium that its last session was of.
    #[serde(default)]
    pub medium: Option<Medium>,
    /// The job's id.
    pub job: JobId,
    /// Its secret; `None` in files of older versions, whose checkpoints alone tell it.
    #[serde(default)]
    pub key: Option<JobKey>,
    /// Version of Kiln that kept it; empty in files of older versions.
    #[serde(default)]
    pub engine: String,
    /// When it was kept last.
    #[serde(default)]
    pub kept: Option<Time>,
    /// Name of the playbook.
    pub playbook: String,
    /// What was chosen beside it.
    pub options: PlanOptions,
    /// All steps.
    pub steps: Vec<Step>,
    /// The steps that this process does itself and has begun: where they stand.
    pub own: BTreeMap<u16, PhaseState>,
    /// Self-tests that ended.
    pub self_tests: Vec<SelfTest>,
    /// Temperature and throughput so far.
    pub timeline: Vec<TimePoint>,
    /// When the burn-in was started first.
    pub started: Time,
    /// SMART before the first write.
    pub smart_before: Option<Snapshot>,
    /// What the kernel told of the drive.
    #[serde(flatten)]
    pub kernel: Account,
    /// What a setting of the drive hides on it.
    #[serde(default)]
    pub overlay: Option<Overlay>,
    /// Why the drive could not be read when it was asked what stands on it, once that was so.
    #[serde(default)]
    pub unreadable: Option<String>,
    /// Whether it ever paused for heat.
    #[serde(default)]
    pub paused: bool,
    /// Whether the drive was reset while its headers were written, and was not asked for all of them since.
    #[serde(default)]
    pub doubted: bool,
    /// Whether other drives behind its controller were ever busy.
    #[serde(default)]
    pub shared: bool,
    /// How many they were; `None` where a session of an older version counted none, or gone on with one that did.
    #[serde(default)]
    pub company: Option<Company>,
    /// Whether what an earlier session kept of what it saw could not be read.
    #[serde(default)]
    pub torn: bool,
    /// What was told as found last, also after the checkpoint was taken.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What earlier sessions found and no checkpoint has.
    #[serde(default)]
    pub findings_before_loss: Vec<Finding>,
    /// What stood on a drive that is only read when it began.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// What stood at the beginning of one that is erased before its first write; `None` in files of older versions.
    #[serde(default)]
    pub front: Option<Front>,
    /// What stood on a drive that is written when it was agreed to lose that; `None` in files of older versions.
    #[serde(default)]
    pub agreed: Option<Content>,
    /// Where its sessions went on, the last one's among them from its beginning: its first checkpoint may never come.
    #[serde(default)]
    pub resumes: Vec<Resume>,
    /// The later burn-in, ended before its first write, whose findings count in this one already.
    #[serde(default)]
    pub took_in: Option<JobId>,
    /// How it ended before its end; then nobody goes on with it. `None` while it may be gone on with.
    #[serde(default)]
    pub ended: Option<Over>,
    /// The engine's checkpoint; empty before the first, when nothing on the drive proves whose it is.
    pub checkpoint: String,
}

impl Saved {
    /// What was found and is not among the findings `saved` in the checkpoint that is gone on from.
    pub(super) fn unkept(&self, saved: &[Finding]) -> Vec<Finding> {
        let mut lost = self.findings_before_loss.clone();
        keep_untold(&mut lost, &self.findings, saved);
        lost
    }

    /// What is left of another burn-in of the same drive counts for this one.
    pub(super) fn add(&mut self, left: &Remains) {
        for found in &left.findings {
            if !self.findings_before_loss.contains(found) {
                self.findings_before_loss.push(found.clone());
            }
        }
        for test in &left.failed {
            if !self.self_tests.iter().any(|own| stepless(own.clone()) == *test) {
                self.self_tests.push(test.clone());
            }
        }
        self.kernel.add(&left.kernel);
        self.overlay = Overlay::over_time(self.overlay.take(), left.overlay.clone());
        self.unreadable = self.unreadable.take().or_else(|| left.unreadable.clone());
        self.paused |= left.paused;
        self.doubted |= left.doubted;
        self.torn |= left.torn;
    }

    /// As it stands in its file: JSON whose last member is the checksum of all before it.
    ///
    /// # Errors
    /// Never, as far as is known.
    pub(super) fn sealed(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.pop();
        let sum = crc32c::crc32c(&text);
        text.extend_from_slice(format!("{SUM}{sum:08x}\"}}").as_bytes());
        Ok(text)
    }

    /// What is to be known of it before it is gone on with: another version kept it, or nobody did for long.
    pub(super) fn told(&self, now: Time) -> Option<String> {
        let other = match self.engine.as_str() {
            ENGINE => None,
            "" => Some("it was begun by an older version of Kiln".to_owned()),
            engine => Some(format!("it was begun by Kiln {engine}")),
        };
        let days = now.duration_since(self.kept.unwrap_or(self.started)).as_secs() / 86_400;
        let old = (days >= OLD_DAYS).then(|| format!("it was interrupted {days} days ago"));
        let told: Vec<String> = other.into_iter().chain(old).collect();
        (!told.is_empty()).then(|| told.join(", and "))
    }
}

/// What stands before the checksum of a file.
const SUM: &str = ",\"sum\":\"";

/// Whether a file is as it was kept; one of an older version has no checksum.
pub(super) fn is_whole(text: &[u8]) -> bool {
    let of = |text: &[u8]| {
        let (body, sum) = text.strip_suffix(b"\"}")?.split_last_chunk::<8>()?;
        let body = body.strip_suffix(SUM.as_bytes())?;
        Some(format!("{:08x}", crc32c::crc32c(body)).as_bytes() == sum)
    };
    of(text).unwrap_or(true)
}

/// Days after which a burn-in that is gone on with is told to be old: in a month a drive may have been anywhere.
const OLD_DAYS: i64 = 30;

/// A burn-in that ended before its end, with a verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Over {
    /// When.
    pub at: Time,
    /// Its verdict; `None` where this process ended before it was known.
    pub outcome: Option<Outcome>,
    /// Why it ended, in words.
    pub why: String,
    /// Whether its drive came through and was then formatted without that a table is known to stand: as long as it shows none, it is
    /// formatted anew. The checkpoint beside it is [of the end](burnin::Checkpoint::of_the_end) then.
    #[serde(default)]
    pub untabled: bool,
    /// Its whole result, to be told and signed again; `None` where it was not known yet, and in files of older versions. As any value:
    /// what another version cannot read of it leaves it ended all the same.
    #[serde(default)]
    pub result: Option<serde_json::Value>,
}

impl Over {
    /// In words, as the rest of a sentence about the burn-in.
    pub(super) fn words(&self) -> String {
        let word = self.outcome.map_or("", |outcome| outcome.word());
        let gap = if word.is_empty() { "" } else { " " };
        format!("ended{gap}{word} at {} ({})", self.at, self.why)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A burn-in that was just begun.
    pub(crate) fn saved() -> Saved {
        Saved {
            drive: None,
            model: String::new(),
            serial: String::new(),
            capacity: Bytes(0),
            medium: None,
            job: JobId::now(),
            key: None,
            engine: ENGINE.to_owned(),
            kept: None,
            playbook: "surface".to_owned(),
            options: PlanOptions::default(),
            steps: Vec::new(),
            own: BTreeMap::new(),
            self_tests: Vec::new(),
            timeline: Vec::new(),
            started: Time::UNIX_EPOCH,
            smart_before: None,
            kernel: Account::default(),
            overlay: None,
            unreadable: None,
            paused: false,
            doubted: false,
            shared: false,
            company: Some(Company::default()),
            torn: false,
            findings: Vec::new(),
            findings_before_loss: Vec::new(),
            fingerprint: None,
            front: None,
            agreed: None,
            resumes: Vec::new(),
            took_in: None,
            ended: None,
            checkpoint: String::new(),
        }
    }

    #[test]
    fn another_version_and_a_long_time_are_told() {
        let kept = |engine: &str, days: i64| {
            Saved {
                engine: engine.to_owned(),
                kept: Some(Time::UNIX_EPOCH),
                ..saved()
            }
            .told(Time::from_second(days * 86_400).unwrap())
        };
        assert_eq!(kept(ENGINE, 29), None);
        assert_eq!(kept(ENGINE, 30).unwrap(), "it was interrupted 30 days ago");
        assert_eq!(kept("9.9", 1).unwrap(), "it was begun by Kiln 9.9");
        assert!(
            kept("", 400)
                .unwrap()
                .contains("older version of Kiln, and it was interrupted 400")
        );
    }
}

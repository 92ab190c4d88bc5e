//! What is left of a burn-in that is not gone on with: what was seen of its drive stays seen.

use burnin::{Fingerprint, Front, JobKey};
use drive::kernel_log::Account;
use drive::overlay::Overlay;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wire::drive::Content;
use wire::job::{Finding, Resume, SelfTest, SelfTestOutcome};
use wire::{JobId, Time};

use super::saved::Saved;

/// What counts for the verdict of whatever begins anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Remains {
    /// The job's id, and its secret, where they can be read.
    pub job: Option<JobId>,
    /// See [`Remains::job`].
    pub key: Option<JobKey>,
    /// When it was started, where that can be read.
    pub started: Option<Time>,
    /// When it was kept last, where that can be read.
    pub kept: Option<Time>,
    /// What stood on its drive, where that is only read.
    pub fingerprint: Option<Fingerprint>,
    /// What stood at its beginning before its first write, where that is erased.
    pub front: Option<Front>,
    /// What stood on it when it was agreed to lose that, where it is known.
    pub agreed: Option<Content>,
    /// What it found.
    pub findings: Vec<Finding>,
    /// Self-tests that failed, without their steps.
    pub failed: Vec<SelfTest>,
    /// What the kernel told of its drive.
    pub kernel: Account,
    /// What a setting of the drive hides on its drive.
    pub overlay: Option<Overlay>,
    /// Why its drive could not be read when it was asked what stands on it.
    pub unreadable: Option<String>,
    /// Whether it ever paused for heat.
    pub paused: bool,
    /// Whether the drive was reset while its headers were written.
    pub doubted: bool,
    /// Whether what of it could not be read may have told of more.
    pub torn: bool,
    /// Where its sessions went on; of no interest to one that begins anew, which is another burn-in.
    pub resumes: Vec<Resume>,
}

impl Remains {
    /// Of a file that can be read whole.
    pub(super) fn of(saved: &Saved) -> Self {
        Self {
            job: Some(saved.job),
            key: saved.key,
            started: Some(saved.started),
            kept: saved.kept,
            fingerprint: saved.fingerprint.clone(),
            front: saved.front,
            agreed: saved.agreed.clone(),
            findings: saved.unkept(&[]),
            failed: failed(&saved.self_tests),
            kernel: saved.kernel.clone(),
            overlay: saved.overlay.clone(),
            unreadable: saved.unreadable.clone(),
            paused: saved.paused,
            doubted: saved.doubted,
            torn: saved.torn,
            resumes: saved.resumes.clone(),
        }
    }

    /// Of a file of another version; `None` where it is none at all.
    ///
    /// # Errors
    /// What of it must not be forgotten and cannot be read, in words.
    pub(super) fn read(text: &[u8]) -> Result<Option<Self>, &'static str> {
        let Ok(Value::Object(kept)) = serde_json::from_slice::<Value>(text) else {
            return Ok(None);
        };
        let read = |name: &str| kept.get(name).cloned().unwrap_or_default();
        let mut findings: Vec<Finding> = list(read("findings_before_loss")).ok_or("a finding")?;
        for found in list(read("findings")).ok_or("a finding")? {
            if !findings.contains(&found) {
                findings.push(found);
            }
        }
        let tests: Vec<SelfTest> = list(read("self_tests")).ok_or("the result of a self-test")?;
        Ok(Some(Self {
            job: one(read("job")),
            key: one(read("key")),
            started: one(read("started")),
            kept: one(read("kept")),
            fingerprint: one(read("fingerprint")),
            front: one(read("front")),
            agreed: one(read("agreed")),
            findings,
            failed: failed(&tests),
            kernel: Account {
                resets: one(read("resets")).unwrap_or_default(),
                resized: one(read("resized")).unwrap_or_default(),
                unheard: one(read("unheard")),
                hidden: one(read("hidden")).unwrap_or_default(),
            },
            overlay: one(read("overlay")),
            unreadable: one(read("unreadable")),
            paused: one(read("paused")).unwrap_or_default(),
            doubted: one(read("doubted")).unwrap_or_default(),
            // Every version writes its findings, none or some.
            torn: one(read("torn")).unwrap_or_default() || !kept.contains_key("findings"),
            resumes: one(read("resumes")).unwrap_or_default(),
        }))
    }

    /// What it saw of the drive, in words; `None` where it saw nothing bad.
    pub(super) fn words(&self) -> Option<String> {
        let count = |n: usize, what: &str| match n {
            0 => None,
            1 => Some(format!("one {what}")),
            n => Some(format!("{n} {what}s")),
        };
        let resets = usize::try_from(self.kernel.resets).unwrap_or(usize::MAX);
        let seen: Vec<String> = [
            count(self.findings.len(), "finding"),
            count(self.failed.len(), "failed self-test"),
            count(resets, "reset"),
            count(
                usize::from(self.unreadable.is_some()),
                "look at its content that failed",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!seen.is_empty()).then(|| seen.join(", "))
    }

    /// Whether the drive's header, which tells this job and key, is of the same burn-in.
    pub(super) fn is_of(&self, job: &str, key: JobKey) -> bool {
        match (self.key, self.job) {
            (Some(mine), _) => mine == key,
            (None, Some(mine)) => mine.to_string() == job,
            (None, None) => true,
        }
    }
}

/// Those that failed. They were of other steps than those of whatever begins anew.
fn failed(tests: &[SelfTest]) -> Vec<SelfTest> {
    let failed = tests.iter().filter(|test| test.outcome == SelfTestOutcome::Failed);
    failed.cloned().map(stepless).collect()
}

/// A self-test as it is told of another burn-in.
pub(super) fn stepless(test: SelfTest) -> SelfTest {
    SelfTest { step: None, ..test }
}

fn one<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

/// All of a list, or `None`; what is not there is empty.
fn list<T: DeserializeOwned>(value: Value) -> Option<Vec<T>> {
    if value.is_null() {
        return Some(Vec::new());
    }
    one(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_told_of_findings_and_does_not_is_torn() {
        for (text, torn) in [
            ("{}", Some(true)),
            (r#"{"job": 1}"#, Some(true)),
            (r#"{"job": 1, "Findings": [1]}"#, Some(true)),
            (r#"{"findings": []}"#, Some(false)),
            (r#"{"findings": [], "torn": true}"#, Some(true)),
            ("[]", None),
            ("", None),
        ] {
            let read = Remains::read(text.as_bytes()).map(|left| left.map(|left| left.torn));
            assert_eq!(read, Ok(torn), "{text}");
        }
        assert!(Remains::read(br#"{"findings": [1]}"#).is_err());
    }
}

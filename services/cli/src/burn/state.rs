//! Progress on this computer's disk, for `--resume`: one file a drive for what writes it and one for what reads it, replaced whole.
//!
//! A file that cannot be read is set aside under a dated name and told; the burn-in then begins anew.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use std::collections::BTreeMap;

use burnin::findings::keep_untold;
use burnin::playbook::Step;
use burnin::{Checkpoint, Fingerprint};
use drive::kernel_log::Unheard;
use drive::smart::Snapshot;
use serde::{Deserialize, Serialize};
use wire::job::{Finding, Outcome, PhaseState, SelfTest, TimePoint};
use wire::options::PlanOptions;
use wire::{DriveId, JobId, Time};

/// Everything to go on with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The job's id.
    pub job: JobId,
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
    /// Resets of the drive that the kernel told of.
    #[serde(default)]
    pub resets: u64,
    /// Why some of them may not be known.
    #[serde(default)]
    pub unheard: Option<Unheard>,
    /// Sectors of 512 bytes that it said are hidden.
    #[serde(default)]
    pub hidden: u64,
    /// Whether it ever paused for heat.
    #[serde(default)]
    pub paused: bool,
    /// Whether other drives behind its controller were ever busy.
    #[serde(default)]
    pub shared: bool,
    /// What was told as found last, also after the checkpoint was taken.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What earlier sessions found and no checkpoint has.
    #[serde(default)]
    pub findings_before_loss: Vec<Finding>,
    /// What stood on a drive that is only read when it began.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// How it ended before its end; then nobody goes on with it. `None` while it may be gone on with.
    #[serde(default)]
    pub ended: Option<Over>,
    /// The engine's checkpoint.
    pub checkpoint: String,
}

impl Saved {
    /// What was found and is not among the findings `saved` in the checkpoint that is gone on from.
    pub fn unkept(&self, saved: &[Finding]) -> Vec<Finding> {
        let mut lost = self.findings_before_loss.clone();
        keep_untold(&mut lost, &self.findings, saved);
        lost
    }
}

/// A burn-in that ended before its end, with a verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Over {
    /// When.
    pub at: Time,
    /// Its verdict; `None` where this process ended before it was known.
    pub outcome: Option<Outcome>,
    /// Why it ended, in words.
    pub why: String,
}

impl Over {
    /// In words, as the rest of a sentence about the burn-in.
    pub fn words(&self) -> String {
        let word = self.outcome.map_or("", |outcome| outcome.word());
        let gap = if word.is_empty() { "" } else { " " };
        format!("ended{gap}{word} at {} ({})", self.at, self.why)
    }
}

/// The directory, and of which burn-ins it is asked.
#[derive(Clone, Debug)]
pub(super) struct StateDir {
    dir: PathBuf,
    /// Whether of those that write their drive. One that only reads changes nothing of what another one left on it, and has a file of
    /// its own: it forgets none of those.
    erases: bool,
}

/// What was found for a drive.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Good(Box<(Saved, Checkpoint)>),
    /// It had ended with a verdict.
    Ended(Over),
    /// It could not be used and was set aside; in words, and what of it can still be read.
    SetAside(String, Option<Box<Saved>>),
}

impl StateDir {
    pub fn new(given: Option<PathBuf>, erases: bool) -> Result<Self, String> {
        let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let dir = given
            .or_else(|| from("XDG_STATE_HOME").map(|d| d.join("kiln")))
            .or_else(|| from("HOME").map(|d| d.join(".local/state/kiln")))
            .unwrap_or_else(|| PathBuf::from("/var/lib/kiln/burn"));
        fs::create_dir_all(&dir).map_err(|e| format!("--state {}: {e}", dir.display()))?;
        Ok(Self { dir, erases })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    fn file(&self, drive: &DriveId) -> PathBuf {
        let name: String = drive
            .as_str()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let kind = if self.erases { ".json" } else { "-read.json" };
        self.dir.join(name.chars().take(200).collect::<String>() + kind)
    }

    /// Replaces the drive's file: written beside, synced, renamed, directory synced.
    pub fn save(&self, drive: &DriveId, saved: &Saved) -> io::Result<()> {
        let path = self.file(drive);
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(saved)?)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// What there is for the drive.
    pub fn load(&self, drive: &DriveId) -> Found {
        let path = self.file(drive);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(e) => return Found::SetAside(format!("{}: {e}", path.display()), None),
        };
        let (why, left) = match serde_json::from_slice::<Saved>(&text) {
            Ok(Saved { ended: Some(over), .. }) => return Found::Ended(over),
            Ok(saved) => match Checkpoint::decode(&saved.checkpoint) {
                Ok(checkpoint) => return Found::Good(Box::new((saved, checkpoint))),
                Err(why) => (why.to_string(), Some(Box::new(saved))),
            },
            Err(why) => (why.to_string(), None),
        };
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let aside = path.with_extension(format!("bad-{now}"));
        let moved = match fs::rename(&path, &aside) {
            Ok(()) => format!("set aside as {}", aside.display()),
            Err(e) => format!("could not be set aside: {e}"),
        };
        Found::SetAside(format!("{} cannot be used ({why}); {moved}", path.display()), left)
    }

    /// How the drive's burn-in ended, where it ended before its end and nobody began another one since.
    pub fn ended(&self, drive: &DriveId) -> Option<Over> {
        let text = fs::read(self.file(drive)).ok()?;
        serde_json::from_slice::<Saved>(&text).ok()?.ended
    }

    /// Forgets the drive, once its burn-in has run to its end, or another one begins.
    pub fn forget(&self, drive: &DriveId) {
        let _ = fs::remove_file(self.file(drive));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_bad_file_is_set_aside_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(Some(dir.path().join("a/b")), true).unwrap();
        let drive = DriveId::from_serial("Loop device", "/dev/loop7", 1 << 20).unwrap();
        assert!(matches!(state.load(&drive), Found::Nothing));
        let saved = Saved {
            job: JobId::now(),
            playbook: "surface".to_owned(),
            options: PlanOptions::default(),
            steps: Vec::new(),
            own: BTreeMap::new(),
            self_tests: Vec::new(),
            timeline: Vec::new(),
            started: Time::UNIX_EPOCH,
            smart_before: None,
            resets: 0,
            unheard: None,
            hidden: 0,
            paused: false,
            shared: false,
            findings: Vec::new(),
            findings_before_loss: Vec::new(),
            fingerprint: None,
            ended: None,
            checkpoint: "kiln-checkpoint 2 00000000 2\n{}".to_owned(),
        };
        state.save(&drive, &saved).unwrap();
        assert!(state.ended(&drive).is_none());
        let Found::SetAside(told, left) = state.load(&drive) else {
            panic!("a bad checkpoint was taken")
        };
        assert_eq!(left.unwrap().job, saved.job, "what can still be read is not lost");
        assert!(told.contains("checksum") && told.contains("set aside as"), "{told}");
        let left: Vec<String> = fs::read_dir(&state.dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(left.len() == 1 && left[0].contains(".bad-20"), "{left:?}");
        assert!(matches!(state.load(&drive), Found::Nothing));
        let over = Saved {
            ended: Some(Over {
                at: Time::UNIX_EPOCH,
                outcome: Some(Outcome::Failed),
                why: "so much failed".to_owned(),
            }),
            ..saved
        };
        state.save(&drive, &over).unwrap();
        assert!(matches!(state.load(&drive), Found::Ended(_)));
        assert_eq!(
            state.ended(&drive).unwrap().words(),
            "ended FAILED at 1970-01-01T00:00:00Z (so much failed)"
        );
    }
}

//! Burn-ins without a verdict that have found what fails their drive: killed, or under way still. They take back nothing before somebody
//! goes on with them or gives them up, and until then nobody can say that what was signed of their drive holds.
//!
//! Read from the state folder's files, by the rules of whoever gives one up ([`Remains`], [`burnin::verdict`]); changes nothing. Tested
//! below, and by whole burn-ins in `tests/cert/`.

use std::fs;
use std::path::Path;

use burnin::Evidence;
use burnin::device::Geometry;
use burnin::verdict::{Case, judge};
use serde::Deserialize;
use serde::de::IgnoredAny;
use wire::job::{Job, Verdict};
use wire::options::PlanOptions;
use wire::{Bytes, DriveId};

use super::remains::Remains;
use super::under_way;
use crate::file;

/// One of them.
#[derive(Debug)]
pub(crate) struct Unended {
    /// As it would be if it ended now: with its failure.
    pub job: Job,
    /// What it found, in words.
    found: String,
    under_way: bool,
}

/// Those of a state folder.
pub(crate) fn all(state: &Path) -> Vec<Unended> {
    let paths = fs::read_dir(state)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path());
    let kept = paths.filter(|path| {
        path.extension()
            .is_some_and(|ending| ending == "json" || ending == "begun")
    });
    kept.filter_map(|path| {
        let (job, found) = failing(&file::kept(&path).ok()?)?;
        let under_way = under_way::is_held(&path.with_extension("lock"));
        Some(Unended { job, found, under_way })
    })
    .collect()
}

impl Unended {
    /// That nobody knows what comes of it, and what to do, within a sentence.
    pub(crate) fn words(&self) -> String {
        let Self { job, found, under_way } = self;
        let playbook = &job.playbook;
        match under_way {
            true => format!("a `{playbook}` of this drive that is under way has found {found}; wait for its end"),
            false => format!(
                "an interrupted `{playbook}` of this drive had found {found}; go on with it (`kiln burn --resume`), or begin it anew"
            ),
        }
    }
}

/// What is asked of a file beside its [`Remains`]; of another version's some is missing.
#[derive(Deserialize)]
struct Kept {
    drive: DriveId,
    #[serde(default)]
    model: String,
    #[serde(default)]
    serial: String,
    #[serde(default)]
    capacity: Bytes,
    #[serde(default)]
    playbook: String,
    #[serde(default)]
    options: PlanOptions,
    ended: Option<IgnoredAny>,
}

/// The burn-in that this text keeps, as a failure, and what it found; `None` where it has ended, or found nothing that fails its drive.
fn failing(text: &[u8]) -> Option<(Job, String)> {
    let kept: Kept = serde_json::from_slice(text)
        .ok()
        .filter(|kept: &Kept| kept.ended.is_none())?;
    let left = Remains::read(text).ok()??;
    let (id, when) = (left.job?, left.kept.or(left.started)?);
    let verdict = verdict(&left, &kept);
    let job = Job {
        model: kept.model,
        serial: kept.serial,
        capacity: kept.capacity,
        verdict: Some(verdict),
        ended: Some(when),
        ..Job::new(id, kept.drive, &kept.playbook, left.started.unwrap_or(when))
    };
    let found = left.words()?;
    certificate::revoke::has_failed(&job).then_some((job, found))
}

fn verdict(left: &Remains, kept: &Kept) -> Verdict {
    let sector = 512;
    let geometry = Geometry {
        sectors: kept.capacity.0 / u64::from(sector),
        sector,
        physical: sector,
    };
    let due: Vec<_> = left.failed.iter().map(|test| test.phase).collect();
    judge(&Case {
        profile: kept.options.profile,
        self_tests_due: &due,
        self_tests: &left.failed,
        kernel: &left.kernel,
        overlay: left.overlay.as_ref(),
        unreadable: left.unreadable.as_deref(),
        findings_before_loss: &left.findings,
        ..Case::new(&Evidence::new(geometry, &[]))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use drive::kernel_log::Account;
    use wire::Time;
    use wire::job::{Outcome, Phase, SelfTest, SelfTestOutcome};

    use super::*;
    use crate::burn::ended::Ended;
    use crate::burn::saved::tests::saved;
    use crate::burn::saved::{Over, Saved};
    use crate::burn::state::tests::finding;
    use crate::seals::tests::{ONE, OTHER, ended};

    fn of_drive(saved: Saved) -> Saved {
        let drive = DriveId::from_wwn(ONE);
        Saved { drive, ..saved }
    }

    #[test]
    fn what_fails_a_drive_is_told_until_its_burn_in_has_ended() {
        let found = || {
            of_drive(Saved {
                findings: vec![finding()],
                ..saved()
            })
        };
        let lost = || {
            of_drive(Saved {
                findings_before_loss: vec![finding()],
                ..saved()
            })
        };
        let test = SelfTest {
            phase: Phase::SelfTestShort,
            outcome: SelfTestOutcome::Failed,
            told: "read failure".to_owned(),
            lba: None,
            step: Some(1),
        };
        let tested = of_drive(Saved {
            self_tests: vec![test],
            ..saved()
        });
        let reset = of_drive(Saved {
            kernel: Account {
                resets: 1,
                ..Account::NOTHING
            },
            ..saved()
        });
        let ended = Over {
            at: Time::UNIX_EPOCH,
            outcome: Some(Outcome::Failed),
            why: String::new(),
            untabled: false,
            result: None,
        };
        let ended = Saved {
            ended: Some(ended),
            ..found()
        };
        for (name, saved, words) in [
            ("nothing", of_drive(saved()), None),
            ("found", found(), Some("one finding")),
            ("lost", lost(), Some("one finding")),
            ("self-test", tested, Some("one failed self-test")),
            ("a reset fails no drive", reset, None),
            ("ended", ended, None),
            ("no drive", Saved { drive: None, ..found() }, None),
        ] {
            let told = failing(&saved.sealed().unwrap());
            assert_eq!(told.as_ref().map(|(_, found)| found.as_str()), words, "{name}");
            assert!(told.is_none_or(|(job, _)| job.id == saved.job), "{name}");
        }
        assert!(failing(b"{").is_none() && failing(b"[]").is_none());
        let other = serde_json::json!({
            "drive": DriveId::from_wwn(ONE), "job": saved().job, "started": Time::UNIX_EPOCH, "findings": [finding()], "steps": "of another",
        });
        assert!(failing(other.to_string().as_bytes()).is_some(), "another version's");
    }

    #[test]
    fn all_files_of_a_folder_are_looked_at_and_who_holds_them() {
        let dir = tempfile::tempdir().unwrap();
        let text = of_drive(Saved {
            findings: vec![finding()],
            ..saved()
        })
        .sealed()
        .unwrap();
        for name in ["a.json", "a-read.json", "b.begun", "a.bad-20261130T000000Z"] {
            fs::write(dir.path().join(name), &text).unwrap();
        }
        fs::write(dir.path().join("certificates.json"), "[]").unwrap();
        let _held = under_way::UnderWay::begin(dir.path().join("b.lock")).unwrap().unwrap();
        let mut told: Vec<String> = all(dir.path()).iter().map(Unended::words).collect();
        told.sort();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].starts_with("a `surface` of this drive that is under way has found one finding"),
            "{told:?}"
        );
        assert!(told[1].contains("had found one finding; go on with it"), "{told:?}");
        assert_eq!(all(&dir.path().join("nowhere")).len(), 0);
    }

    #[test]
    fn a_result_that_it_would_refute_is_not_signed_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let passed = Ended::new("/dev/x".into(), ended(ONE, Outcome::Passed, None), Vec::new());
        assert_eq!(passed.revoked(dir.path()), None);
        let kept = of_drive(Saved {
            findings: vec![finding()],
            ..saved()
        });
        fs::write(dir.path().join("x-read.json"), kept.sealed().unwrap()).unwrap();
        let told = passed.revoked(dir.path()).unwrap();
        assert!(told.contains("not known: an interrupted `surface`"), "{told}");
        let other = Ended::new("/dev/x".into(), ended(OTHER, Outcome::Passed, None), Vec::new());
        assert_eq!(other.revoked(dir.path()), None);
        let since = Ended::new("/dev/x".into(), ended(ONE, Outcome::Passed, None), Vec::new());
        assert_eq!(since.revoked(dir.path()), None, "it passed after that");
    }
}

//! Kept results of a drive that has failed since: they are told and signed no more.
//!
//! What writes a drive and what reads it are kept apart, and behind a bridge a drive has another name: each result in the state
//! folder is looked at, by the rule that revokes certificates ([`certificate::revoke`]): when a drive fails, and once more before one
//! is signed. The drive is held meanwhile, so that no other burn-in replaces what is kept of it. Tested below, and by whole burn-ins in
//! `tests/cert/`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use certificate::revoke;
use wire::job::Job;

use super::ended::Ended;
use super::saved::Saved;
use crate::file;

/// Takes the results that a failure refutes out of what is kept; what is to be told of those that stay.
pub(super) fn take_back(state: &Path, failed: &Job) -> Vec<String> {
    let paths = match kept(state) {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![stays(state, &error)],
    };
    paths
        .filter_map(|path| replace(&path, failed).err().map(|error| stays(&path, &error)))
        .collect()
}

/// The kept failure of a job's drive that came after it, by the ids: it is long heard.
pub(super) fn by(state: &Path, job: &Job) -> Option<Job> {
    let results = kept(state).ok()?.filter_map(|path| {
        let saved: Saved = serde_json::from_slice(&file::kept(&path).ok()?).ok()?;
        Ended::job(saved.ended?.result.as_ref()?)
    });
    let mut failed = results.filter(|failed| revoke::is_refuted(job, failed, true));
    failed.next()
}

/// What is told of a result that this failure refutes.
pub(super) fn words(failed: &Job) -> String {
    let when = failed.ended.map(|at| format!(" at {at}")).unwrap_or_default();
    format!("since then the drive failed `{}`{when}", failed.playbook)
}

/// The files of a state folder that may keep a result.
fn kept(state: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let paths = fs::read_dir(state)?.flatten().map(|file| file.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")))
}

fn stays(path: &Path, error: &io::Error) -> String {
    format!(
        "{}: {error}: where a result is kept there that calls this drive good, --resume --cert still signs it; remove that file",
        path.display()
    )
}

/// Replaces one file, where a result in it is refuted. On a full disk the file goes: nobody signs what is not there.
fn replace(path: &Path, failed: &Job) -> io::Result<()> {
    // What cannot be read is not signed, either.
    let Ok(read) = file::kept(path) else { return Ok(()) };
    let Some(refuted) = refuted(&read, failed) else {
        return Ok(());
    };
    let text = refuted.sealed()?;
    match file::replace(path, &text) {
        // The folder is gone, and with it what would be signed.
        Err(_) if matches!(path.try_exists(), Ok(false)) => Ok(()),
        // Another one came into its place meanwhile, and is not what was refuted.
        Err(error) if !file::kept(path).is_ok_and(|now| now == read) => Err(error),
        Err(_) => fs::remove_file(path),
        Ok(()) => Ok(()),
    }
}

/// What is kept instead of this text; `None` where nothing in it is refuted.
fn refuted(text: &[u8], failed: &Job) -> Option<Saved> {
    let mut saved: Saved = serde_json::from_slice(text).ok()?;
    let over = saved.ended.as_mut()?;
    let job = Ended::job(over.result.as_ref()?)?;
    if !revoke::is_refuted(&job, failed, false) {
        return None;
    }
    over.result = None;
    over.why += &format!("; {}", words(failed));
    Some(saved)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::Time;
    use wire::job::Outcome;

    use super::*;
    use crate::burn::saved::Over;
    use crate::burn::saved::tests::saved;
    use crate::seals::tests::{ONE, OTHER, ended};

    fn saved_with(job: &Job) -> Saved {
        Saved {
            ended: Some(Over {
                at: Time::UNIX_EPOCH,
                outcome: Some(Outcome::Passed),
                why: "it ran to its end".to_owned(),
                untabled: false,
                result: Ended::new("/dev/x".into(), job.clone(), Vec::new()).kept(&[]),
            }),
            ..saved()
        }
    }

    #[test]
    fn what_calls_a_drive_good_is_signed_no_more_once_it_failed() {
        let dir = tempfile::tempdir().unwrap();
        let older = ended(ONE, Outcome::Failed, None);
        let jobs = [
            ("good.json", ended(ONE, Outcome::Passed, None)),
            ("bad.json", ended(ONE, Outcome::Failed, None)),
            ("other.json", ended(OTHER, Outcome::Passed, None)),
        ];
        for (name, job) in &jobs {
            fs::write(dir.path().join(name), serde_json::to_vec(&saved_with(job)).unwrap()).unwrap();
        }
        fs::write(dir.path().join("certificates.json"), "[]").unwrap();
        let signs = |name: &str| {
            let saved: Saved = serde_json::from_slice(&fs::read(dir.path().join(name)).unwrap()).unwrap();
            let over = saved.ended.unwrap();
            (over.result.is_some(), over.words())
        };
        let by = |job: &Job| by(dir.path(), job).map(|failed| failed.id);
        let [good, bad, other] = &jobs;
        assert_eq!(by(&good.1), Some(bad.1.id));
        assert_eq!(by(&bad.1), None, "it says so itself");
        assert_eq!(by(&other.1), None);
        assert_eq!(by(&ended(ONE, Outcome::Passed, None)), None, "it passed after that");
        assert_eq!(super::by(&dir.path().join("nowhere"), &good.1), None);
        assert_eq!(take_back(dir.path(), &older), [""; 0]);
        assert!(signs("good.json").0, "it passed after that");
        assert_eq!(take_back(dir.path(), &ended(ONE, Outcome::Failed, None)), [""; 0]);
        let (is_signed, words) = signs("good.json");
        assert!(
            !is_signed && words.contains("since then the drive failed `surface`"),
            "{words}"
        );
        assert!(signs("bad.json").0 && signs("other.json").0);
        assert_eq!(take_back(&dir.path().join("nowhere"), &older), [""; 0]);
    }
}

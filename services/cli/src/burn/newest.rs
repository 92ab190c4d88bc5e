//! Ids of new jobs: above all that the state folder knows, so that of two jobs the later one has the higher id, also on a computer
//! whose clock was set back or starts anew at each boot. By them a failure revokes what was said before it
//! ([`certificate::revoke`]).

use std::fs;
use std::path::Path;

use serde::Deserialize;
use wire::JobId;

use crate::{file, seals};

/// The id of a job that begins now.
pub(super) fn job(state: &Path) -> JobId {
    let files = fs::read_dir(state).into_iter().flatten().flatten();
    let read = |path: &Path| Some(serde_json::from_slice::<Kept>(&file::kept(path).ok()?).ok()?.job);
    let kept = files.filter_map(|file| read(&file.path()));
    // A list that cannot be read is told where it is written.
    let listed = seals::jobs(state).unwrap_or_default();
    JobId::after(kept.chain(listed).map(JobId::counted).max().unwrap_or(0))
}

/// What is asked of a file that is kept, whatever else stands in it.
#[derive(Deserialize)]
struct Kept {
    job: JobId,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::Outcome;

    use super::*;
    use crate::seals::tests::{ONE, ended};

    #[test]
    fn what_is_kept_and_what_is_listed_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let now = JobId::now();
        assert!(job(&dir.path().join("nowhere")) >= now);
        let ahead = |years: u64| JobId::after(now.millis() + years * 31_557_600_000);
        fs::write(
            dir.path().join("x-read.json"),
            format!("{{\"job\":\"{}\",\"a\":1}}", ahead(1)),
        )
        .unwrap();
        fs::write(dir.path().join("y.json"), "{").unwrap();
        let second = job(dir.path());
        assert!(ahead(1) < second && second < ahead(2), "{second}");
        let mut signed = ended(ONE, Outcome::Passed, Some("A"));
        signed.id = ahead(3);
        seals::note(dir.path(), &signed, false).unwrap();
        let third = job(dir.path());
        assert!(ahead(3) < third && third < ahead(4), "{third}");
        assert_ne!(
            third,
            job(dir.path()),
            "drives that begin together have ids of their own"
        );
    }

    #[test]
    fn an_id_that_no_clock_has_made_is_not_counted_on_from() {
        let dir = tempfile::tempdir().unwrap();
        let now = JobId::now();
        for damaged in [
            "ffffffff-ffff-7fff-bfff-ffffffffffff".to_owned(),
            JobId::after(JobId::HIGHEST).to_string(),
        ] {
            fs::write(dir.path().join("x.json"), format!("{{\"job\":\"{damaged}\"}}")).unwrap();
            let made = job(dir.path());
            assert!(now <= made && made.millis() < JobId::HIGHEST, "{damaged}: {made}");
        }
    }
}

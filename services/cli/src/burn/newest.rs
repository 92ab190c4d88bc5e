//! Ids of new jobs: above all that the state folder knows, so that of two jobs the later one has the higher id, also on a computer
//! whose clock was set back or starts anew at each boot. By them a failure revokes what was said before it
//! ([`certificate::revoke`]).

use std::fs;
use std::path::Path;

use serde::Deserialize;
use uuid::Uuid;
use wire::JobId;

use crate::seals;

/// Bits of an id below its time in milliseconds. Source: RFC 9562 §5.7.
const BELOW: u32 = 80;

/// The id of a job that begins now.
pub(super) fn job(state: &Path) -> JobId {
    let files = fs::read_dir(state).into_iter().flatten().flatten();
    let kept = files.filter_map(|file| Some(serde_json::from_slice::<Kept>(&fs::read(file.path()).ok()?).ok()?.job));
    // A list that cannot be read is told where it is written.
    let listed = seals::jobs(state).unwrap_or_default();
    above(kept.chain(listed).max(), JobId::now())
}

/// What is asked of a file that is kept, whatever else stands in it.
#[derive(Deserialize)]
struct Kept {
    job: JobId,
}

/// `now`, or, where the clock is behind, the same a millisecond after what is known.
fn above(known: Option<JobId>, now: JobId) -> JobId {
    let Some(known) = known.filter(|known| *known >= now) else {
        return now;
    };
    let time = (known.0.as_u128() >> BELOW) + 1;
    let rest = now.0.as_u128() & ((1 << BELOW) - 1);
    JobId(Uuid::from_u128(time << BELOW | rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::Outcome;

    use super::*;
    use crate::seals::tests::{ONE, ended};

    fn of(time: u128) -> JobId {
        JobId(Uuid::from_u128(time << BELOW | 0x7abc_8000_0000_0000_1234))
    }

    #[test]
    fn a_later_job_has_a_higher_id_whatever_the_clock_says() {
        assert_eq!(above(None, of(5)), of(5));
        assert_eq!(above(Some(of(4)), of(5)), of(5));
        assert_eq!(above(Some(of(5)), of(5)), of(6));
        assert_eq!(above(Some(of(900)), of(5)), of(901));
    }

    #[test]
    fn what_is_kept_and_what_is_listed_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let now = JobId::now();
        assert!(job(&dir.path().join("nowhere")) >= now);
        let ahead = |years: u128| of((now.0.as_u128() >> BELOW) + years * 31_557_600_000);
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
}

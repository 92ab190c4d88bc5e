//! Lists of certificates that were signed in one place, and what a drive that fails takes back of them: one rule for a box's
//! server and for `kiln burn`.

use std::collections::BTreeMap;

use wire::boxes::CertificateEntry;
use wire::certificate::{CertificateInfo, Revocation, RevocationState};
use wire::event::{NewEvent, Severity};
use wire::job::{Job, Outcome};
use wire::{Bytes, DriveId, JobId, Time};

use crate::key::Fingerprint;

/// What a list remembers, by certificate id: with which key it was signed, and what is known of its revocation.
pub type Remembered = BTreeMap<String, (Fingerprint, RevocationState)>;

/// What the event log calls a certificate that no longer holds.
pub const EVENT: &str = "certificate.revoked";

/// What is listed of a job's certificate; `None` where it has none.
pub fn entry(job: &Job) -> Option<CertificateEntry> {
    Some(CertificateEntry {
        job: job.id,
        drive: job.drive.clone(),
        model: job.model.clone(),
        serial: job.serial.clone(),
        own_serial: job.own_serial.clone(),
        capacity: job.capacity,
        playbook: job.playbook.clone(),
        outcome: job.verdict.as_ref().map(|verdict| verdict.outcome),
        info: job.certificate.clone()?,
    })
}

/// What [`crate::Revocations`] asks of a list.
pub fn remembered(entries: impl IntoIterator<Item = CertificateEntry>) -> Remembered {
    let told = |entry: CertificateEntry| {
        let known = entry
            .info
            .revoked
            .map_or(RevocationState::Standing, RevocationState::Revoked);
        Some((entry.info.id, (entry.info.key.parse().ok()?, known)))
    };
    entries.into_iter().filter_map(told).collect()
}

/// What was revoked once stays so, whatever an older telling of the same certificate says.
pub fn stay(told: Option<&mut CertificateInfo>, known: Option<&CertificateInfo>) {
    if let Some((told, known)) = told.zip(known).filter(|(told, known)| told.id == known.id) {
        told.revoked = told.revoked.take().or_else(|| known.revoked.clone());
    }
}

/// Why a certificate was revoked, within a sentence: a verdict's summary, and whatever a person wrote, may be one itself.
pub fn reason(why: &str) -> &str {
    match why.trim_end_matches('.') {
        "" => "no reason is given",
        why => why,
    }
}

/// Whether a job's drive failed in it.
pub fn has_failed(job: &Job) -> bool {
    let failed = |verdict: &wire::job::Verdict| verdict.outcome == Outcome::Failed;
    job.verdict.as_ref().is_some_and(failed)
}

/// Revokes a certificate that calls the drive of another job good which failed in that later on, or that of the very same job which
/// it has replaced; false where nothing of it changes.
///
/// `again`: that failure was heard before, in this place; job ids alone say then what came after it.
pub fn take_back(entry: &mut CertificateEntry, failed: &Job, again: bool) -> bool {
    if entry.info.revoked.is_some() {
        return false;
    }
    entry.info.revoked = taken_back(entry, failed, again);
    entry.info.revoked.is_some()
}

/// Whether a burn-in that has no verdict yet would take a certificate back, if it ended as it stands: `failing` is that end.
pub fn is_doubted(entry: &CertificateEntry, failing: &Job) -> bool {
    entry.info.revoked.is_none() && taken_back(entry, failing, false).is_some()
}

fn taken_back(entry: &CertificateEntry, failed: &Job, again: bool) -> Option<Revocation> {
    let word = Word {
        job: entry.job,
        said: Some(entry.info.made),
        outcome: entry.outcome,
        drive: &entry.drive,
        model: &entry.model,
        serial: &entry.serial,
        own_serial: entry.own_serial.as_deref(),
        capacity: entry.capacity,
    };
    let by = || Revocation::by(failed, entry.info.made);
    // A store that was put back runs a job to a second end, and each end is signed.
    let own = failed.certificate.as_ref().map(|info| info.id.as_str());
    if entry.job == failed.id && own != Some(entry.info.id.as_str()) && is_good(entry.outcome) && has_failed(failed) {
        let summary = failed.verdict.as_ref().map_or("", |verdict| verdict.summary.as_str());
        let why = format!("the same burn-in ended once more, and the drive failed: {summary}");
        return Some(Revocation { why, ..by() });
    }
    word.is_refuted(failed, again).then(by)
}

/// Revokes a certificate that calls a drive good which had failed in the very same job, as `known` of it says: a store that was put back runs
/// a job to a second end, and what the first one found stays found. False where nothing of it changes.
pub fn failed_before(entry: &mut CertificateEntry, known: &CertificateEntry) -> bool {
    let first = known.job == entry.job && known.info.id != entry.info.id && known.outcome == Some(Outcome::Failed);
    let takes = first && entry.info.revoked.is_none() && is_good(entry.outcome);
    if takes {
        had_failed(&mut entry.info, entry.job);
    }
    takes
}

/// Revokes what was signed at a second end of this job, at whose first one the drive had failed.
pub fn had_failed(info: &mut CertificateInfo, job: JobId) {
    info.revoked.get_or_insert_with(|| Revocation {
        at: info.made,
        job,
        why: "the same burn-in had ended before, and the drive had failed in it".to_owned(),
    });
}

/// How the event `certificate.revoked` tells it.
pub fn event(entry: &CertificateEntry, by: JobId) -> NewEvent {
    let CertificateEntry {
        model,
        serial,
        capacity,
        ..
    } = entry;
    let id = &entry.info.id;
    let which = if entry.job == by {
        "ended once more, and failed"
    } else {
        "failed a later burn-in"
    };
    let message = format!("Certificate {id} of {model} {serial} ({capacity}) no longer holds: the same drive {which}");
    let data = serde_json::json!({ "certificate": id, "failed_job": by });
    let mut event = NewEvent::new(EVENT, Severity::Warning, message, data);
    (event.job, event.drive) = (Some(entry.job), Some(entry.drive.clone()));
    event
}

/// The id of the certificate that such an event is of.
pub fn told_of(event: &NewEvent) -> Option<&str> {
    (event.kind == EVENT).then(|| event.data.get("certificate")?.as_str())?
}

/// Whether this verdict calls a drive good.
pub fn is_good(outcome: Option<Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Passed | Outcome::Warn))
}

/// Whether a job calls its drive good which failed in another one later on: it has no certificate any more, also where it had none.
/// `again` as with [`take_back`].
pub fn is_refuted(job: &Job, failed: &Job, again: bool) -> bool {
    let word = Word {
        job: job.id,
        said: job.ended,
        outcome: job.verdict.as_ref().map(|verdict| verdict.outcome),
        drive: &job.drive,
        model: &job.model,
        serial: &job.serial,
        own_serial: job.own_serial.as_deref(),
        capacity: job.capacity,
    };
    word.is_refuted(failed, again)
}

/// What a certificate or a job says of a drive, and when.
struct Word<'a> {
    job: JobId,
    said: Option<Time>,
    outcome: Option<Outcome>,
    drive: &'a DriveId,
    model: &'a str,
    serial: &'a str,
    own_serial: Option<&'a str>,
    capacity: Bytes,
}

impl Word<'_> {
    fn is_refuted(&self, failed: &Job, again: bool) -> bool {
        is_good(self.outcome) && has_failed(failed) && self.was_before(failed, again) && self.is_of_the_drive_of(failed)
    }

    /// Whether it was said before that job ended, so that an older failure that is told again takes back nothing newer.
    ///
    /// Job ids rise with time, whatever the clock does; one that was interrupted and gone on with keeps its id, and ends later than
    /// another one of a higher id. That is asked of the clock once, when the failure is heard first: a clock that starts anew at each
    /// boot puts before it what was said days after.
    fn was_before(&self, failed: &Job, again: bool) -> bool {
        let ended_later = |ended: Time| self.said.is_none_or(|said| said < ended);
        self.job < failed.id || !again && self.job != failed.id && failed.ended.is_some_and(ended_later)
    }

    /// Whether it is of a job's drive: by its id, or, behind a bridge that hides the world wide name, by its serial number. A
    /// bridge may leave the maker out of the model or cut it, and the kernel splits it at SCSI's eight characters for the maker; a dock's
    /// own serial is that of many drives, and no name of one that has told another.
    fn is_of_the_drive_of(&self, job: &Job) -> bool {
        let named = |serial: &str| DriveId::from_serial("", &serial.to_ascii_uppercase(), job.capacity.0);
        let own = job.own_serial.as_deref();
        let (mine, theirs) = (self.own_serial.unwrap_or(self.serial), own.unwrap_or(&job.serial));
        let serial = named(mine).is_some_and(|mine| named(theirs) == Some(mine));
        // Bridges that put a name of their own before the drive's leave it its serial; a dock has one for both of its bays.
        // What one told itself, and the other's name repeats, is no dock's either: what was signed before drives were asked has no word.
        let told = self.own_serial.is_some() || own.is_some();
        let (one, other) = (plain(self.model), plain(&job.model));
        let part_of = |part: &str, whole: &str| whole.ends_with(part) || whole.starts_with(part);
        let model = !one.is_empty() && !other.is_empty() && (part_of(&one, &other) || part_of(&other, &one));
        *self.drive == job.drive
            || serial
                && model
                && (told || !have_two_names(self.drive, &job.drive))
                && (self.may_have_been_cut(job) || self.may_have_shrunk_to(job))
    }

    /// Whether one of the two, and no more, was named by its world wide name, and the other may be it behind an old bridge, which hides
    /// that and cuts what is larger than it can address.
    fn may_have_been_cut(&self, job: &Job) -> bool {
        match (is_by_wwn(self.drive), is_by_wwn(&job.drive)) {
            (true, false) => job.capacity.0 <= BRIDGES && job.capacity < self.capacity,
            (false, true) => self.capacity.0 <= BRIDGES && self.capacity < job.capacity,
            (true, true) | (false, false) => false,
        }
    }

    /// Whether the capacities may be those of one drive where nothing tells a drive's serial from that of its dock, which is every
    /// drive's in it: equal, or less by under a tenth, as a host protected area or dying firmware makes it. A drive with a world wide
    /// name keeps that. Where it was behind a bridge, which hides that name and may keep some for itself, it may be more afterwards.
    fn may_have_shrunk_to(&self, job: &Job) -> bool {
        let (then, now) = (self.capacity.0, job.capacity.0);
        let less = |less: u64, most: u64| less < most && less > most - most / 10;
        match (is_by_wwn(self.drive), is_by_wwn(&job.drive)) {
            (true, true) => now == then,
            (false, true) => now == then || less(now, then) || less(then, now),
            (true | false, false) => now == then || less(now, then),
        }
    }
}

/// Bytes that an old bridge addresses at most: 2^32 sectors of 512.
const BRIDGES: u64 = 512 << 32;

/// A model without blanks and case.
fn plain(model: &str) -> String {
    let written = model.chars().filter(|c| !c.is_whitespace());
    written.map(|c| c.to_ascii_uppercase()).collect()
}

/// Whether both are named by a world wide name, and by two: such are two drives unless they say themselves that they are one.
pub fn have_two_names(one: &DriveId, other: &DriveId) -> bool {
    is_by_wwn(one) && is_by_wwn(other) && one != other
}

fn is_by_wwn(drive: &DriveId) -> bool {
    drive.as_str().starts_with("wwn-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::{JobState, Verdict};

    use super::*;

    const TB: u64 = 1_000_000_000_000;

    /// A job of the drive with this serial that came to `outcome`, and its certificate's id.
    fn ended(number: u64, outcome: Outcome, (wwn, capacity): (Option<&str>, u64), id: Option<&str>) -> Job {
        let by_serial = || DriveId::from_serial("WD80EFAX", "WD-1234", capacity);
        Job {
            model: "WD80EFAX".into(),
            serial: "WD-1234".into(),
            capacity: Bytes(capacity),
            sector: 512,
            actor: "ada".into(),
            state: JobState::Finished,
            verdict: Some(Verdict {
                outcome,
                rules: vec![],
                summary: "So it went.".into(),
                verified: Bytes(0),
                engine: "1".into(),
            }),
            certificate: id.map(|id| CertificateInfo {
                id: id.into(),
                key: "k".into(),
                made: Time::UNIX_EPOCH,
                revoked: None,
            }),
            ended: Some(Time::UNIX_EPOCH),
            ..Job::new(
                format!("0192f0c1-2345-7890-8abc-{number:012x}").parse().unwrap(),
                wwn.and_then(DriveId::from_wwn).or_else(by_serial).unwrap(),
                "surface",
                Time::UNIX_EPOCH,
            )
        }
    }

    #[test]
    fn a_job_that_ends_once_more_and_fails_takes_its_first_word_back() {
        let its = (None, TB);
        let mut first = entry(&ended(1, Outcome::Passed, its, Some("KC-1"))).unwrap();
        let standing = first.clone();
        assert!(!take_back(
            &mut first,
            &ended(1, Outcome::Passed, its, Some("KC-2")),
            false
        ));
        assert!(!take_back(
            &mut first,
            &ended(1, Outcome::Inconclusive, its, None),
            false
        ));
        assert!(
            !take_back(&mut first, &ended(1, Outcome::Failed, its, Some("KC-1")), false),
            "its own"
        );
        assert_eq!(first, standing);
        for (id, again) in [(Some("KC-2"), false), (Some("KC-2"), true), (None, true)] {
            let mut first = standing.clone();
            assert!(
                take_back(&mut first, &ended(1, Outcome::Failed, its, id), again),
                "{id:?}"
            );
            let why = first.info.revoked.unwrap().why;
            assert!(why.contains("ended once more") && why.contains("So it went."), "{why}");
        }
        let mut failed = entry(&ended(1, Outcome::Failed, its, Some("KC-2"))).unwrap();
        assert!(
            !take_back(&mut failed, &ended(1, Outcome::Failed, its, Some("KC-3")), false),
            "it says so"
        );
    }

    /// The kernel knows the dock's serial of each.
    #[test]
    fn a_drive_that_fails_takes_nothing_back_of_another_one_in_its_dock() {
        let (one, other) = (Some("5000c500a1b2c3d4"), Some("5000c500a1b2c3d5"));
        for ((then, told), (now, tells), is_taken) in [
            ((one, None), (other, None), false),
            ((one, Some("WX1")), (other, None), false),
            ((one, Some("WX1")), (other, Some("WX2")), false),
            // A bridge has a name of its own for it.
            ((one, Some("WX1")), (other, Some("wx1")), true),
            ((one, Some("WX1")), (one, None), true),
            // Said before drives were asked for their own, which the kernel had from the drive; and the other way round.
            ((one, None), (other, Some("WD-1234")), true),
            ((one, Some("WD-1234")), (other, None), true),
            ((None, Some("WX1")), (one, Some("WX2")), false),
            ((None, Some("WX1")), (one, Some("WX1")), true),
        ] {
            let mut passed = ended(1, Outcome::Passed, (then, TB), Some("KC-1"));
            passed.own_serial = told.map(str::to_owned);
            let mut failed = ended(2, Outcome::Failed, (now, TB), None);
            failed.own_serial = tells.map(str::to_owned);
            let taken = take_back(&mut entry(&passed).unwrap(), &failed, false);
            assert_eq!(taken, is_taken, "{then:?} {told:?}, then {now:?} {tells:?}");
            assert_eq!(is_refuted(&passed, &failed, false), is_taken);
        }
    }

    #[test]
    fn a_drive_that_shrank_before_it_failed_keeps_no_good_certificate() {
        let (one, other) = (Some("5000c500a1b2c3d4"), Some("5000c500a1b2c3d5"));
        for (then, now, is_taken) in [
            // Two behind bridges: a dock tells one serial of all its drives.
            ((None, TB), (None, TB), true),
            ((None, TB), (None, TB - 512), true),
            ((None, TB), (None, TB / 100 * 91), true),
            ((None, TB), (None, TB / 10 * 9), false),
            ((None, TB), (None, TB / 2), false),
            ((None, TB), (None, TB + 512), false),
            // An old bridge hid its name, and cut it.
            ((one, 3 * TB), (None, TB), true),
            ((None, TB), (one, 3 * TB), true),
            ((one, 8 * TB), (None, 3 * TB), false),
            ((one, TB), (None, 3 * TB), false),
            ((one, TB), (other, TB / 100 * 96), false),
            // A bridge kept some for itself.
            ((None, TB - (1 << 20)), (one, TB), true),
            // By the name alone.
            ((one, TB), (one, 0), true),
            ((one, TB), (other, TB), false),
            ((one, TB), (other, TB / 2), false),
        ] {
            let mut good = entry(&ended(1, Outcome::Passed, then, Some("KC-1"))).unwrap();
            let failed = ended(2, Outcome::Failed, now, None);
            assert_eq!(take_back(&mut good, &failed, false), is_taken, "{then:?}, then {now:?}");
        }
        let mut good = entry(&ended(1, Outcome::Passed, (None, TB), Some("KC-1"))).unwrap();
        let mut failed = ended(2, Outcome::Failed, (one, TB), None);
        failed.model = "ST8000".into();
        assert!(!take_back(&mut good, &failed, false), "another model");
        // As SCSI tells maker and model, and as a bridge cuts it.
        let mut spelt = |then: &str, now: &str| {
            let mut passed = ended(1, Outcome::Passed, (None, TB), Some("KC-1"));
            passed.model = then.into();
            let mut good = entry(&passed).unwrap();
            failed.model = now.into();
            take_back(&mut good, &failed, false)
        };
        for (then, now) in [
            ("WDC WD80EFAX-68KNBN0", "WDC WD80 EFAX-68KNBN0"),
            ("WDC WD80EFAX-68KNBN0", "WD80EFAX-68KNBN0"),
            ("WDC WD80EFAX-68K", "WDC WD80EFAX-68KNBN0"),
            ("wdc wd80efax-68knbn0", "WDC WD80EFAX-68KNBN0"),
        ] {
            assert!(spelt(then, now), "{then}, then {now}");
        }
        assert!(!spelt("WDC WD80EFAX-68KNBN0", "WDC WD80EFZX-68UW8N0"));
    }
}

//! The checkpoint that a job goes on from, and what is known by it.
//!
//! Where it is lost, the drive itself tells: by the header that the job keeps on it, which also proves that this is the
//! job's drive, and by the tags of what was written (`burnin::header`).

use std::time::Duration;

use burnin::header::{self, Header};
use burnin::job::{Again, Asker, Begin, Kept, Whose, Why};
use burnin::worker::Limits;
use burnin::{Blank, Checkpoint, Evidence, Front, JobKey, device};
use drive::medium::Medium;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, warn};
use wire::Time;
use wire::event::Severity;
use wire::job::PhaseStatus;

use super::{Halt, JobTask};
use crate::events::{self, Happening};
use crate::fingerprints;
use crate::hands::{Hands, Held, PROOF};
use crate::record::{Record, Strange, Trace};

/// Longest time for reading a lost job's place from its drive: a few hundred reads, some of them of bad sectors.
const RECOVER: Duration = Duration::from_mins(5);

/// Longest time for marking an ended job's headers.
const RETIRE: Duration = Duration::from_mins(1);

/// What a drive tells of a job.
struct Told {
    /// Whether some sector of it is a header of this very job.
    ours: bool,
    /// The header that most of its sectors tell.
    header: Option<Header>,
    /// Where that header's job stood.
    place: Option<Checkpoint>,
    /// Whether it bears this job's mark of a format.
    formatted: bool,
    /// Whether it bears the marks that this job left where it was ended.
    ended: bool,
    /// Whether it begins with what is not this job's, or holds some where that had written and signatures lie.
    used: bool,
}

/// How a job goes on, with the checkpoint that is kept, or without one.
enum GoesOn {
    Now,
    /// Once all of its headers prove the drive: it was reset before they stood.
    Doubted,
}

impl JobTask {
    /// Whether a drive that was let go of since it was armed is still the job's to go on with, and what of the job it
    /// carries.
    ///
    /// A kill between the first header and the first checkpoint leaves a job that knows nothing of what it wrote: its own
    /// header proves the drive then, and nothing else does where the content is no longer what was armed.
    ///
    /// # Errors
    /// Why nothing may be written to it.
    pub(super) async fn taken_up(&mut self, held: &Held) -> Result<Trace, Strange> {
        if !self.record.erases() {
            return Ok(Trace::LetGo);
        }
        let mut trace = Trace::Written;
        if self.checkpoint.is_none() && !self.record.saved {
            let told = self.told(held, None).await.map_err(|why| self.not_written(&why))?;
            let record = &self.record;
            trace = match self.again(Kept::Begun).begins(told.answer(record)) {
                Begin::Refused(why) => {
                    // What it holds says more than that it is another's, where that has a name.
                    let strange = record.strange(&held.fresh.content, Trace::LetGo);
                    let strange = strange.filter(|_| why == Why::Used);
                    return Err(strange.unwrap_or_else(|| self.not_written(&told.words(why, record))));
                }
                Begin::Anew { proven: false } => {
                    self.not_as_planned(&told);
                    Trace::LetGo
                }
                Begin::Anew { proven: true } | Begin::GoesOn | Begin::FromDrive => Trace::Written,
            };
        }
        let record = &self.record;
        let recounted = record.recounted(&self.medium(held));
        let recounted = match trace {
            Trace::LetGo => recounted,
            // What it wrote proves it, but for a constant: that a blank drive holds, too.
            Trace::Written if recounted.is_some() && self.rests_on_a_constant() => {
                let told = self.told(held, None).await.map_err(|why| self.not_written(&why))?;
                recounted.filter(|_| !told.ours)
            }
            Trace::Armed | Trace::Written => None,
        };
        let strange = recounted.or_else(|| record.strange(&held.fresh.content, trace));
        match strange {
            None if trace != Trace::Written => self.written_since(held).await,
            strange => strange,
        }
        .map_or(Ok(trace), Err)
    }

    /// Why nothing is written to a drive that shows no other signatures than it did when it was armed: something wrote to it since.
    pub(super) async fn written_since(&self, held: &Held) -> Option<Strange> {
        let then = self.record.fingerprint.as_ref()?;
        let written = fingerprints::was_written_since(then, held).await;
        written.then(|| self.record.written_since())
    }

    /// What the job itself has begun to write is no sign of somebody else, though its headers prove nothing after a reset.
    fn not_as_planned(&mut self, told: &Told) {
        if told.ours {
            self.record.fingerprint = None;
        }
    }

    /// The medium that is held, as the kernel counts it.
    pub(super) fn medium(&self, held: &Held) -> Medium {
        Medium {
            boot_id: self.means.boot_id.clone(),
            sequence: Hands::sequence(held),
        }
    }

    pub(super) fn rests_on_a_constant(&self) -> bool {
        let kept = self
            .checkpoint
            .as_deref()
            .and_then(|text| Checkpoint::decode(text).ok());
        kept.is_some_and(|checkpoint| burnin::rests_on_a_constant(&checkpoint))
    }

    /// This job, of which so much is kept. What was agreed on was agreed when it was armed.
    pub(super) fn again(&self, kept: Kept) -> Again {
        Again {
            erases: self.record.erases(),
            kept,
            agreed: false,
            doubted: self.record.doubted,
        }
    }

    fn not_written(&self, why: &str) -> Strange {
        Strange::unarmed(format!(
            "{}: {why}; nothing is written",
            events::drive_words(&self.record.job)
        ))
    }

    /// A checkpoint that cannot be used is set aside and told; the job then goes on from what the drive tells. It begins
    /// again only where the drive carries this job's header, or where there never was a checkpoint.
    /// Nothing may be written where the drive does not tell that it is this job's, or tells of another drive's burn-in, or of a later one.
    pub(super) async fn check_checkpoint(&mut self, held: &Held) -> Result<(), Halt> {
        match self.goes_on(held).await {
            Ok(GoesOn::Doubted) => self.still_doubted(held).await,
            Ok(GoesOn::Now) => {
                self.note_front(held).await;
                Ok(())
            }
            Err(why) => Err(Halt::Refused(why)),
        }
    }

    /// Before the first write of a job that erases: what stands where it is going to write, so that what somebody puts there while it is
    /// interrupted is told from that.
    async fn note_front(&mut self, held: &Held) {
        if !self.record.erases() || self.checkpoint.is_some() {
            return;
        }
        let (file, geometry) = (held.file.try_clone().ok(), self.record.geometry);
        let read = spawn_blocking(move || Front::of_file(file?, geometry));
        self.record.front = timeout(PROOF, read).await.ok().and_then(Result::ok).flatten();
        self.keep(None, Vec::new());
    }

    async fn goes_on(&mut self, held: &Held) -> Result<GoesOn, String> {
        if !self.record.erases() {
            self.check_what_is_read(held).await?;
        }
        let mut of_another_version = None;
        match self.checkpoint.take() {
            Some(text) => match Checkpoint::decode(&text) {
                Ok(checkpoint) if checkpoint.steps != self.record.steps => {
                    self.set_checkpoint_aside(&text, "it is of other steps, as an older version knew them");
                }
                Ok(checkpoint) if checkpoint.key == self.record.key && checkpoint.geometry == self.record.geometry => {
                    self.checkpoint = Some(text);
                    let is_doubted = self.record.doubted && self.record.erases();
                    return Ok(if is_doubted { GoesOn::Doubted } else { GoesOn::Now });
                }
                Ok(_) => self.set_checkpoint_aside(&text, "it belongs to another job or drive"),
                Err(cause) => {
                    self.set_checkpoint_aside(&text, &cause.to_string());
                    of_another_version =
                        matches!(cause, burnin::checkpoint::Error::Version(_)).then(|| cause.to_string());
                }
            },
            // A worker that ended before its first checkpoint may have written, and the drive stood by itself since.
            None if self.has_begun() || self.record.saved || self.trace == Trace::Written => self.record.restart(),
            None => return Ok(GoesOn::Now),
        }
        if self.record.erases() {
            self.recover(held, of_another_version).await?;
        }
        Ok(GoesOn::Now)
    }

    /// Whether some step that moves data was begun in an earlier session.
    pub(super) fn has_begun(&self) -> bool {
        let data = |state: &&wire::job::PhaseState| burnin::playbook::moves_data(state.phase);
        let mut data = self.record.job.phases.iter().filter(data);
        self.why.is_some() && data.any(|state| state.status != PhaseStatus::Pending)
    }

    /// What the drive tells of this job; with `limits` also where that stood.
    async fn told(&self, held: &Held, limits: Option<Limits>) -> Result<Told, String> {
        let file = held.file.try_clone().map_err(|error| error.to_string())?;
        let geometry = self.record.geometry;
        let mut keys = self.record.earlier_keys.clone();
        keys.push(self.record.key);
        let (steps, hang_ms) = (self.record.steps.clone(), self.means.limits.hang_ms);
        let (saved, front) = (self.record.saved, self.record.front);
        let read = spawn_blocking(move || {
            let mut device = device::open_plain(file).map_err(|error| error.to_string())?;
            let header = header::find(device.as_mut(), geometry);
            let place = match (&header, &limits) {
                (Some(header), Some(limits)) if header.geometry == geometry => {
                    header::recover(device.as_mut(), header, limits)
                }
                _ => None,
            };
            // Whatever stands there now: what a signature told of may have been taken off again. Another job's place is none to go on
            // from, and what cannot be read says nothing.
            let is_own = || header.as_ref().is_some_and(|header| keys.contains(&header.key));
            let over = place.as_ref().filter(|_| is_own()).is_some_and(|place| {
                let over = burnin::written_over(device.as_mut(), place, Blank::Others, hang_ms);
                over.ok().flatten().is_some()
            });
            let place = place.filter(|_| !over);
            let ours = header.as_ref().is_some_and(|header| keys.contains(&header.key))
                || keys
                    .iter()
                    .any(|key| header::holds_ours(device.as_mut(), geometry, *key) == Some(true));
            let formatted = header::formatted_by(device.as_mut(), geometry).is_some_and(|key| keys.contains(&key));
            let ended = header::ended_by(device.as_mut(), geometry, &keys);
            // One that had a checkpoint had come to its first sector: what stood there before is no excuse.
            let own = || header.as_ref().filter(|header| keys.contains(&header.key))?.note.front;
            let then = if saved { None } else { front.or_else(own) };
            let begins_with_others =
                |device| burnin::begins_with_others(device, geometry, (&keys, &steps), then, hang_ms);
            let used = over || ((saved || then.is_some()) && begins_with_others(device.as_mut()));
            Ok(Told {
                ours,
                header,
                place,
                formatted,
                ended,
                used,
            })
        });
        match timeout(RECOVER, read).await {
            Ok(Ok(told)) => told.map_err(|why: String| format!("it cannot be asked for this job's header: {why}")),
            Ok(Err(error)) => Err(format!("it could not be asked for this job's header: {error}")),
            Err(_) => Err(format!(
                "it does not answer within {} s when asked for this job's header",
                RECOVER.as_secs()
            )),
        }
    }

    /// Goes on from what the drive tells of this job, if it does. `of_another_version`: its checkpoint is, so its headers may be, too,
    /// and that this version finds none says nothing of the drive.
    async fn recover(&mut self, held: &Held, of_another_version: Option<String>) -> Result<(), String> {
        let told = self.told(held, Some(self.means.limits)).await?;
        let kept = if self.record.saved { Kept::Lost } else { Kept::Begun };
        let begin = self.again(kept).begins(told.answer(&self.record));
        let (Begin::FromDrive, Some(checkpoint)) = (begin, &told.place) else {
            let message = match begin {
                Begin::Refused(why @ Why::NoTrace) => {
                    let why = match of_another_version {
                        Some(cause) => format!(
                            "it was begun by another version of Kiln, whose data this one does not know ({cause}); nothing is written"
                        ),
                        None => why.words().to_owned(),
                    };
                    return Err(format!("{why}. Arm it again to begin anew"));
                }
                Begin::Refused(why) => return Err(told.words(why, &self.record)),
                Begin::Anew { proven: true } | Begin::GoesOn | Begin::FromDrive => {
                    "The drive is this job's by its own header; it begins again"
                }
                Begin::Anew { proven: false } => {
                    // Whatever stands there now, it must be what was armed.
                    self.trace = Trace::LetGo;
                    self.not_as_planned(&told);
                    "The drive tells nothing of this job; it begins again"
                }
            };
            self.log("warn", message.to_owned());
            return self.begin_again();
        };
        let message = format!(
            "The checkpoint of the burn-in of {} is lost; the drive's own header and tags tell where it goes on",
            events::drive_words(&self.record.job)
        );
        warn!(job = %self.record.job.id, "checkpoint made from the drive");
        self.log("warn", message.clone());
        let text = checkpoint.encode();
        self.record.saved = true;
        self.checkpoint = Some(text.clone());
        let happening = events::of_job(&self.record.job, "job.place_recovered", Severity::Warning, message);
        self.keep(Some(&text), vec![happening]);
        Ok(())
    }

    /// Begins again with another key: with the old one a drive that takes no writes any more would show what is expected of it,
    /// since it still holds what the lost session wrote.
    pub(super) fn begin_again(&mut self) -> Result<(), String> {
        self.record.begin_again(JobKey::random()?);
        self.keep(None, Vec::new());
        Ok(())
    }

    /// Marks the header of a job that a person ended: only its verdict is left of it, and no other box goes on with it.
    pub(super) async fn retire(&self, held: &Held) {
        let Ok(file) = held.file.try_clone() else { return };
        let (geometry, key) = (self.record.geometry, self.record.key);
        let marked = spawn_blocking(move || {
            device::open_plain(file).map(|mut device| header::retire(device.as_mut(), geometry, key))
        });
        match timeout(RETIRE, marked).await {
            Ok(Ok(Ok(_))) => {}
            // It is told by the verdict that it never passes what another box goes on with.
            _ => warn!(job = %self.record.job.id, "the headers of an ended job could not be marked"),
        }
    }

    /// The same on a drive that was let go of since: what somebody put on it was promised to stay, and the job to be aborted for it.
    pub(super) async fn retire_what_is_its_own(&mut self, held: &Held) {
        match self.taken_up(held).await {
            // Also where they prove nothing, since they were written in doubt: only what is its own header is written to.
            Ok(_) => self.retire(held).await,
            Err(strange) => self.log("warn", format!("The mark of the end is not written: {}", strange.why)),
        }
    }

    /// What was told after the checkpoint was taken stays told: of another drive's nothing is taken.
    pub(super) fn keep_findings(&mut self) {
        if !self.record.job.findings.is_empty() {
            let saved = self.evidence_so_far().findings();
            self.record.keep_findings(&saved);
        }
    }

    fn set_checkpoint_aside(&mut self, text: &str, why: &str) {
        let place = match self
            .means
            .jobs
            .set_checkpoint_aside(self.record.job.id, text, Time::now())
        {
            Ok(path) => path.display().to_string(),
            Err(cause) => {
                error!(%cause, "a bad checkpoint could not be set aside");
                "nowhere: the medium takes no file".to_owned()
            }
        };
        let message = format!(
            "The checkpoint of the burn-in of {} cannot be used ({why}); it lies at {place} now, and the burn-in goes on \
             from what the drive itself tells, if that is this job",
            events::drive_words(&self.record.job)
        );
        error!(job = %self.record.job.id, why, place, "checkpoint set aside");
        self.log("error", message.clone());
        let happening = Happening {
            notifications: Vec::new(),
            at: None,
            event: wire::event::NewEvent {
                data: serde_json::json!({ "path": place, "why": why }),
                ..events::of_job(
                    &self.record.job,
                    "agent.checkpoint_set_aside",
                    Severity::Warning,
                    message,
                )
                .event
            },
        };
        self.record.saved = true;
        self.record.restart();
        self.keep(None, vec![happening]);
    }

    /// All that is known when no worker can tell it any more: the last checkpoint's evidence, and beside it what was told since.
    pub(super) fn all_evidence(&mut self) -> Box<Evidence> {
        self.keep_findings();
        self.evidence_so_far()
    }

    /// The last checkpoint's evidence.
    fn evidence_so_far(&self) -> Box<Evidence> {
        let checkpoint = self
            .checkpoint
            .as_deref()
            .and_then(|text| Checkpoint::decode(text).ok());
        Box::new(checkpoint.map_or_else(
            || Evidence::new(self.record.geometry, &self.record.steps),
            |checkpoint| checkpoint.evidence,
        ))
    }
}

impl Told {
    /// What that is to this job.
    fn answer(&self, record: &Record) -> burnin::job::Told {
        burnin::job::Told::Headers {
            ours: self.ours,
            whose: match (self.formatted, self.ended) {
                (true, _) => Some(Whose::Formatted),
                (false, true) => Some(Whose::Ended),
                (false, false) => self.header.as_ref().map(|header| Whose::of(header, &asker(record))),
            },
            place: self.place.is_some(),
            used: self.used,
        }
    }

    /// Why nothing may be written, with what the header tells.
    fn words(&self, why: Why, record: &Record) -> String {
        let is_of_header = matches!(why, Why::Foreign(whose) if !matches!(whose, Whose::Formatted | Whose::Ended));
        let foreign = self.header.as_ref().filter(|_| is_of_header);
        let words = foreign.and_then(|header| Whose::of(header, &asker(record)).words(header, record.geometry));
        words.unwrap_or_else(|| why.words().to_owned())
    }
}

fn asker(record: &Record) -> Asker<'_> {
    Asker {
        drive: &record.job.drive,
        geometry: record.geometry,
        steps: &record.steps,
        key: Some(record.key),
        started: Some(record.job.started),
    }
}

/// The header of the job that wrote a drive while that had this size. Blocks as long as the drive does.
pub fn read_header(file: std::fs::File, geometry: device::Geometry) -> Option<Header> {
    sought_header(file, geometry).ok().flatten()
}

/// The same.
///
/// # Errors
/// When the drive cannot be read anywhere that a header may stand: what it carries is not known.
pub fn sought_header(file: std::fs::File, geometry: device::Geometry) -> Result<Option<Header>, String> {
    let mut device = device::open_plain(file).map_err(|error| error.to_string())?;
    let found = header::find(device.as_mut(), geometry);
    match found.is_some() || header::is_readable(device.as_mut(), geometry) {
        true => Ok(found.filter(|header| header.geometry == geometry)),
        false => Err("it cannot be read where a header may stand".to_owned()),
    }
}

/// [`burnin::is_as_left`] of the drive behind this descriptor.
///
/// # Errors
/// The same, and where it cannot be asked at all.
pub fn is_as_left(file: std::fs::File, header: &Header, limits: &Limits) -> Result<bool, String> {
    let mut device = device::open_plain(file).map_err(|error| error.to_string())?;
    burnin::is_as_left(device.as_mut(), header, limits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::JobKey;
    use burnin::header::Note;
    use wire::DriveId;
    use wire::options::PlanOptions;

    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_drive_that_carries_another_drives_or_a_later_burn_in_is_not_written() {
        let record = record();
        let header = |key: u8, drive: &DriveId, second: i64| Header {
            key: JobKey([key; 16]),
            geometry: record.geometry,
            steps: record.steps.clone(),
            note: Note {
                job: "01J".into(),
                drive: drive.clone(),
                playbook: "standard".into(),
                options: PlanOptions::default(),
                started: Time::from_second(second).unwrap(),
                baseline: None,
                front: None,
            },
        };
        let (own, other) = (
            record.job.drive.clone(),
            DriveId::parse("wwn-5000c500ffffffff").unwrap(),
        );
        let why_of = |header: Header, formatted: bool, used: bool| {
            let told = Told {
                ours: used,
                header: Some(header),
                place: None,
                formatted,
                ended: false,
                used,
            };
            let again = Again {
                erases: true,
                kept: if used { Kept::Lost } else { Kept::Begun },
                agreed: false,
                doubted: false,
            };
            match again.begins(told.answer(&record)) {
                Begin::Refused(why) => Some(told.words(why, &record)),
                Begin::GoesOn | Begin::FromDrive | Begin::Anew { .. } => None,
            }
        };
        let why = |header| why_of(header, false, false);
        assert_eq!(why(header(1, &own, 0)), None, "this very job");
        let marked = why_of(header(1, &own, 0), true, false).unwrap();
        assert!(marked.contains("was being formatted"), "{marked}");
        let used = why_of(header(1, &own, 0), false, true).unwrap();
        assert!(used.contains("something else wrote to it since"), "{used}");
        assert_eq!(why(header(2, &own, -60)), None, "what an aborted job left");
        assert!(why(header(2, &own, 60)).unwrap().contains("begun on it"));
        assert!(why(header(2, &other, -60)).unwrap().contains("another drive"));
    }
}

//! Drives that tell of a burn-in which this box does not know: of another box, or of a store that was lost.
//!
//! Nothing goes on by itself there: the box cannot know what happened meanwhile. It is told, and a person who arms the
//! same playbook with the same options for that drive lets it go on from where the drive says, if it is then as the burn-in left it
//! ([`burnin::is_as_left`]); any other start begins anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use burnin::header::Header;
use burnin::job::Whose;
use burnin::playbook::moves_data;
use burnin::worker::Limits;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tracing::{info, warn};
use wire::DriveId;
use wire::drive::{Content, Drive};
use wire::event::Severity;
use wire::job::PhaseStatus;
use wire::options::PlanOptions;

use super::start::Beginning;
use super::{Back, Controller};
use crate::events::{self, Happening};
use crate::gate;
use crate::hands::{Access, Hands, Held, identity};
use crate::job::{is_as_left, sought_header};
use crate::record::Record;

/// Longest look at one drive.
const LOOK: Duration = Duration::from_mins(2);

/// Longest look at the drives of a start, for which a person waits (`calls.rs` of the server counts it in).
const AT_START: Duration = Duration::from_mins(1);

impl Controller {
    /// Looks at drives that came, one after the other, for the header of a burn-in. One that a job works on is left alone.
    pub(super) fn look_for_offers(&mut self, list: &[Drive]) {
        let present: BTreeSet<DriveId> = list
            .iter()
            .filter(|drive| drive.present)
            .filter_map(|drive| drive.id.clone())
            .collect();
        self.looked_at.retain(|id, _| present.contains(id));
        self.offers.retain(|id, _| present.contains(id));
        let busy = self.busy();
        let due: Vec<(DriveId, Drive)> = list
            .iter()
            .filter(|drive| gate::may_carry_a_burn_in(drive))
            .filter_map(|drive| Some((drive.id.clone()?, drive.clone())))
            .filter(|(id, _)| !busy.contains(id))
            .filter(|(id, drive)| match self.looked_at.get(id) {
                None => true,
                // One that could not be read is asked again once something else is told of it.
                Some(unread) => unread.as_ref().is_some_and(|then| *then != drive.content),
            })
            .collect();
        if due.is_empty() {
            return;
        }
        self.looked_at.extend(due.iter().map(|(id, _)| (id.clone(), None)));
        let (hands, back, turn) = (self.means.hands.clone(), self.back.clone(), Arc::clone(&self.looking));
        tokio::spawn(async move {
            for (id, listed) in due {
                let _one_at_a_time = turn.lock().await;
                let content = listed.content.clone();
                let found = match look(&hands, listed).await {
                    Ok(None) => continue,
                    Ok(Some(header)) => Back::Found {
                        drive: id,
                        header: Box::new(header),
                    },
                    Err(why) => {
                        warn!(drive = %id, why, "a drive did not answer the look for a burn-in on it");
                        Back::NotAsked { drive: id, content }
                    }
                };
                let _stopped = back.send(found).await;
            }
        });
    }

    /// A drive could not be asked, while this was told of it; what is told by now may be something else.
    pub(super) fn not_asked(&mut self, drive: &DriveId, content: Content) {
        if let Some(looked_at) = self.looked_at.get_mut(drive) {
            *looked_at = Some(content);
            let list = Arc::clone(&self.means.drives.borrow());
            self.look_for_offers(&list);
        }
    }

    /// A drive tells of a burn-in.
    pub(super) fn found(&mut self, drive: DriveId, header: Header) {
        let is_own = header.note.drive == drive;
        // One that waits for its drive does so in vain, where a dock has another name for it.
        let goes_on = is_own && self.active.keys().any(|job| job.to_string() == header.note.job);
        if goes_on || self.ended.contains(&header.note.job) || self.busy().contains(&drive) {
            return;
        }
        let words = self
            .comings
            .seen()
            .get(&drive)
            .map_or_else(|| drive.to_string(), |known| known.words.clone());
        let message = match Whose::OtherDrive.words(&header, header.geometry).filter(|_| !is_own) {
            Some(why) => format!("{words}: {why}. Any start here begins anew, and writes over it"),
            None => format!(
                "{words} tells of a burn-in that this box does not know, begun {}, playbook {}. It does not go on by itself: arm \
                 the playbook {} with the same options for this drive to go on from where the drive tells; any other start \
                 begins anew",
                header.note.started.strftime("%Y-%m-%d %H:%M UTC"),
                header.note.playbook,
                header.note.playbook
            ),
        };
        info!(%drive, job = header.note.job, is_own, "a drive tells of an unknown burn-in");
        let data = serde_json::json!({
            "job": header.note.job,
            "playbook": header.note.playbook,
            "options": header.note.options,
            "started": header.note.started,
        });
        let happening = Happening::new("job.offered", Severity::Warning, Some(drive.clone()), message, data);
        self.means.outbox.event(happening);
        if is_own {
            self.offers.insert(drive, header);
        }
    }

    /// What the drives of a granted start tell of.
    pub(super) fn offers_of(&self, beginning: &Beginning) -> BTreeMap<DriveId, Header> {
        let drives = beginning.granted.iter().flat_map(|_| &beginning.drives);
        let offer = |drive: &DriveId| Some((drive.clone(), self.offers.get(drive)?.clone()));
        drives.filter_map(offer).collect()
    }

    /// Lets a new job go on where the drive's own header says, if a person armed just that and the drive is as that left it. True if so.
    pub(super) fn take_offer(&mut self, record: &mut Record, as_left: &BTreeSet<DriveId>) -> bool {
        let Some(header) = self.offers.remove(&record.job.drive) else {
            return false;
        };
        if !is_armed_again(&header, record) {
            return false;
        }
        if !as_left.contains(&record.job.drive) || !stood_then(&header, record) {
            let message = format!(
                "{}: it told of a burn-in, begun {}, playbook {}, that does not go on: something else wrote to the drive since, or the drive \
                 does not tell in time that nothing did. It begins anew",
                events::drive_words(&record.job),
                header.note.started.strftime("%Y-%m-%d %H:%M UTC"),
                header.note.playbook
            );
            warn!(drive = %record.job.drive, job = header.note.job, "an offered burn-in begins anew");
            let told = events::of_job(&record.job, "job.not_gone_on", Severity::Warning, message);
            self.means.outbox.event(told);
            return false;
        }
        adopt(record, &header);
        true
    }
}

/// Whether a person armed just what the header tells of. What is given up does not count: the first write may have taken it since, or it
/// was another drive's of the same plan.
fn is_armed_again(header: &Header, record: &Record) -> bool {
    let chosen = |options: &PlanOptions| PlanOptions {
        give_up: Vec::new(),
        ..options.clone()
    };
    header.note.playbook == record.job.playbook
        && chosen(&header.note.options) == chosen(&record.job.options)
        && header.steps == record.steps
        && header.geometry == record.geometry
}

/// Whether what stands on the drive now may have stood there when the burn-in began: a membership was given up then, or came since.
fn stood_then(header: &Header, record: &Record) -> bool {
    match record.content {
        Content::Unknown | Content::Empty | Content::Unreadable { .. } => true,
        Content::Found { .. } => header.note.options.give_up.contains(&record.job.drive),
    }
}

/// Those of the held drives that are as the offered burn-ins left them.
pub(super) async fn as_left(held: &[Held], mut offers: BTreeMap<DriveId, Header>, limits: Limits) -> BTreeSet<DriveId> {
    let mut looks = JoinSet::new();
    for held in held.iter().filter(|held| gate::may_carry_a_burn_in(&held.fresh)) {
        let offer = held.fresh.id.as_ref().and_then(|id| offers.remove_entry(id));
        let (Some((id, header)), Ok(file)) = (offer, held.file.try_clone()) else {
            continue;
        };
        looks.spawn(async move {
            let read = spawn_blocking(move || is_as_left(file, &header, &limits));
            matches!(timeout(AT_START, read).await, Ok(Ok(Ok(true)))).then_some(id)
        });
    }
    let mut found = BTreeSet::new();
    while let Some(look) = looks.join_next().await {
        found.extend(look.ok().flatten());
    }
    found
}

/// Makes a new job the one that the header tells of: its secret, its baseline; where it stood is read from the drive when
/// the job begins.
fn adopt(record: &mut Record, header: &Header) {
    record.key = header.key;
    let baseline = header.note.baseline.as_deref();
    record.smart_before = baseline.and_then(|text| serde_json::from_str(text).ok());
    record.told_baseline = true;
    let has_baseline = record.smart_before.is_some();
    for state in &mut record.job.phases {
        // What stood before the first write cannot be known again.
        if state.phase == wire::job::Phase::SmartBefore {
            state.status = match has_baseline {
                true => PhaseStatus::Done,
                false => PhaseStatus::Skipped,
            };
        }
        if moves_data(state.phase) {
            state.status = PhaseStatus::Interrupted;
        }
    }
    crate::verdict::head(record);
}

/// The header that a listed drive carries.
///
/// # Errors
/// Why it could not be asked.
async fn look(hands: &Hands, listed: Drive) -> Result<Option<Header>, String> {
    let expected = identity(&listed);
    let read = async {
        let held = hands.open(expected, listed, Access::Read).await;
        let Held { file, geometry, .. } = held.map_err(|problem| problem.to_string())?;
        // The engine tests no such drive, so none carries a header.
        let Ok(geometry) = geometry.check() else {
            return Ok(None);
        };
        let read = spawn_blocking(move || sought_header(file, geometry));
        read.await.map_err(|error| error.to_string())?
    };
    let silent = || format!("no answer within {} s", LOOK.as_secs());
    timeout(LOOK, read).await.unwrap_or_else(|_| Err(silent()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::header::Note;
    use wire::drive::Signature;

    use super::*;
    use crate::record::tests::record;

    /// The first write takes the mark that was given up, or leaves it at the drive's end; several drives of one plan are armed one by one.
    #[test]
    fn what_was_given_up_is_no_other_choice_and_what_came_since_is_not_what_stood_then() {
        let mut record = record();
        let drive = record.job.drive.clone();
        let other = DriveId::from_wwn("5000c500a1b2c3d5").unwrap();
        let mut header = Header {
            key: record.key,
            geometry: record.geometry,
            steps: record.steps.clone(),
            note: Note {
                job: "01J".into(),
                drive: drive.clone(),
                playbook: record.job.playbook.clone(),
                options: record.job.options.clone(),
                started: record.job.started,
                baseline: None,
                front: None,
            },
        };
        let member = Content::Found {
            signatures: vec![Signature {
                partition: 0,
                kind: "linux_raid_member".into(),
                label: None,
                uuid: None,
                name: None,
                used: None,
                mounted: None,
            }],
            summary: "md array member".into(),
        };
        for (then, now, content, stood) in [
            (vec![], vec![], Content::Empty, true),
            (vec![drive.clone()], vec![], Content::Empty, true),
            (vec![drive.clone()], vec![drive.clone()], member.clone(), true),
            (
                vec![other.clone(), drive.clone()],
                vec![drive.clone()],
                member.clone(),
                true,
            ),
            (vec![], vec![drive.clone()], member.clone(), false),
            (vec![other.clone()], vec![drive.clone()], member, false),
        ] {
            header.note.options.give_up = then;
            record.job.options.give_up = now;
            record.content = content;
            assert!(is_armed_again(&header, &record), "{:?}", header.note.options);
            assert_eq!(stood_then(&header, &record), stood, "{:?}", header.note.options);
        }
        header.note.options.soak_hours = Some(4);
        assert!(!is_armed_again(&header, &record));
    }
}

//! Drives that tell of a burn-in which this box does not know: of another box, or of a store that was lost.
//!
//! Nothing goes on by itself there: the box cannot know what happened meanwhile. It is told, and a person who arms the
//! same playbook with the same options for that drive lets it go on from where the drive says; any other start begins
//! anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use burnin::device::Geometry;
use burnin::header::Header;
use burnin::job::Whose;
use burnin::playbook::moves_data;
use tokio::time::timeout;
use tracing::{info, warn};
use wire::DriveId;
use wire::drive::Drive;
use wire::event::Severity;
use wire::job::PhaseStatus;

use super::{Back, Controller};
use crate::events::Happening;
use crate::gate;
use crate::hands::{Access, Hands, Held, identity};
use crate::job::read_header;
use crate::record::Record;

/// Longest look at one drive.
const LOOK: Duration = Duration::from_mins(2);

impl Controller {
    /// Looks at drives that came, one after the other, for the header of a burn-in. One that a job works on is left alone.
    pub(super) fn look_for_offers(&mut self, list: &[Drive]) {
        let present: BTreeSet<DriveId> = list
            .iter()
            .filter(|drive| drive.present)
            .filter_map(|drive| drive.id.clone())
            .collect();
        self.looked_at.retain(|id| present.contains(id));
        self.offers.retain(|id, _| present.contains(id));
        let busy = self.busy();
        let due: Vec<(DriveId, Drive)> = list
            .iter()
            .filter(|drive| gate::may_carry_a_burn_in(drive))
            .filter_map(|drive| Some((drive.id.clone()?, drive.clone())))
            .filter(|(id, _)| !busy.contains(id) && !self.looked_at.contains(id))
            .collect();
        if due.is_empty() {
            return;
        }
        self.looked_at.extend(due.iter().map(|(id, _)| id.clone()));
        let (hands, back, turn) = (self.means.hands.clone(), self.back.clone(), Arc::clone(&self.looking));
        tokio::spawn(async move {
            for (id, listed) in due {
                let _one_at_a_time = turn.lock().await;
                if let Some(header) = look(&hands, listed).await {
                    let _stopped = back
                        .send(Back::Found {
                            drive: id,
                            header: Box::new(header),
                        })
                        .await;
                }
            }
        });
    }

    /// A drive tells of a burn-in.
    pub(super) fn found(&mut self, drive: DriveId, header: Header) {
        let known = self.active.keys().any(|job| job.to_string() == header.note.job)
            || self.ended.contains(&header.note.job)
            || self.busy().contains(&drive);
        if known {
            return;
        }
        let words = self
            .comings
            .seen()
            .get(&drive)
            .map_or_else(|| drive.to_string(), |known| known.words.clone());
        let is_own = header.note.drive == drive;
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

    /// Lets a new job go on where the drive's own header says, if a person armed just that. True if so.
    pub(super) fn take_offer(&mut self, record: &mut Record) -> bool {
        let Some(header) = self.offers.remove(&record.job.drive) else {
            return false;
        };
        let same = header.note.playbook == record.job.playbook
            && header.note.options == record.job.options
            && header.steps == record.steps
            && header.geometry == record.geometry;
        if !same {
            return false;
        }
        adopt(record, &header);
        true
    }
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

async fn look(hands: &Hands, listed: Drive) -> Option<Header> {
    let expected = identity(&listed);
    let read = async {
        let held = hands.open(expected, listed, Access::Read).await.ok()?;
        let Held { file, geometry, .. } = held;
        let geometry: Geometry = geometry.check().ok()?;
        let read = tokio::task::spawn_blocking(move || read_header(file, geometry));
        read.await.ok()?
    };
    timeout(LOOK, read).await.unwrap_or_else(|_| {
        warn!("a drive did not answer the look for a burn-in on it");
        None
    })
}

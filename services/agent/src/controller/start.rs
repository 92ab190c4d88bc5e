//! From a granted start, or an asked-for scan, to running jobs: all drives are opened at once, all of them or none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burnin::{JobKey, Playbook};
use drive::Identity;
use drive::locate::Leave;
use drive::medium::Medium;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::{info, warn};
use wire::command::{Answer, CallOutcome};
use wire::drive::Drive;
use wire::gate::Armed;
use wire::options::PlanOptions;
use wire::{DriveId, JobId, Problem, Time};

use super::{Back, Controller, answer, offer};
use crate::events;
use crate::fingerprints;
use crate::gate::{self, Granted, Members};
use crate::hands::{Access, Hands, Held, identity};
use crate::record::{Begin, Record};

/// What jobs are begun with once their drives are held.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Drives, in the order of the jobs that are answered.
    pub(super) drives: Vec<DriveId>,
    /// The playbook.
    pub(super) book: Playbook,
    /// The grant, for what erases; `None` for what only reads.
    pub(super) granted: Option<Granted>,
    /// Who asked or armed.
    pub(super) actor: String,
}

impl Controller {
    pub(super) fn start(&mut self, armed: &Armed, reply: oneshot::Sender<CallOutcome>) {
        let list = Arc::clone(&self.means.drives.borrow());
        let busy = self.busy();
        let granted = match self
            .ledger
            .start(armed, self.trust.as_ref(), &list, &busy, self.epoch.elapsed())
        {
            Ok(granted) => granted,
            Err(problem) => {
                warn!(why = %problem, "a start was refused");
                answer(reply, Err(problem));
                return;
            }
        };
        let beginning = Beginning {
            drives: granted.plan.drives.iter().map(|drive| drive.id.clone()).collect(),
            book: granted.book.clone(),
            actor: granted.actor.clone(),
            granted: Some(granted),
        };
        self.open(beginning, &list, reply);
    }

    /// A playbook that only reads, over descriptors that take no writes; any other is refused here.
    pub(super) fn scan(
        &mut self,
        drives: Vec<DriveId>,
        name: &str,
        actor: String,
        reply: oneshot::Sender<CallOutcome>,
    ) {
        let list = Arc::clone(&self.means.drives.borrow());
        let beginning = self.books.find(name).and_then(|book| {
            if book.erases() {
                let problem = Problem::new("playbook-erases", 422, "This playbook writes to the drive");
                return Err(problem.with(format!("{name}: plan and arm it, or choose one that only reads: scan.")));
            }
            let busy = self.busy();
            gate::may_read(&drives, &list, &busy)?;
            Ok(Beginning {
                drives,
                book,
                granted: None,
                actor,
            })
        });
        match beginning {
            Ok(beginning) => self.open(beginning, &list, reply),
            Err(problem) => answer(reply, Err(problem)),
        }
    }

    pub(super) fn open(&mut self, beginning: Beginning, list: &Arc<Vec<Drive>>, reply: oneshot::Sender<CallOutcome>) {
        self.opening.extend(beginning.drives.iter().cloned());
        let left: Vec<Leave> = beginning
            .drives
            .iter()
            .filter_map(|drive| self.leaves.remove(drive))
            .collect();
        left.iter().for_each(Leave::take_back);
        if !left.is_empty() {
            self.tell_drives_again();
        }
        let (hands, back, list) = (self.means.hands.clone(), self.back.clone(), Arc::clone(list));
        let (offers, limits) = (self.offers_of(&beginning), self.means.limits);
        tokio::spawn(async move {
            let held = open_all(&hands, &beginning, &list).await;
            let opened = held.as_deref().unwrap_or_default();
            let as_left = offer::as_left(opened, offers, limits).await;
            let opened = Back::Opened {
                beginning: Box::new(beginning),
                held,
                as_left,
                reply,
            };
            let _stopped = back.send(opened).await;
        });
    }

    pub(super) async fn opened(
        &mut self,
        (beginning, as_left): (Beginning, &BTreeSet<DriveId>),
        held: Result<Vec<Held>, Problem>,
        reply: oneshot::Sender<CallOutcome>,
    ) {
        for drive in &beginning.drives {
            self.opening.remove(drive);
        }
        let started = match held {
            Ok(held) => self.begin(&beginning, held, as_left).await,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = &started {
            warn!(why = %problem, actor = beginning.actor, "a granted start ended before anything was written");
        }
        answer(reply, started.map(|jobs| Answer::Started { jobs }));
    }

    /// Writes the jobs down, then starts them.
    async fn begin(
        &mut self,
        beginning: &Beginning,
        held: Vec<Held>,
        as_left: &BTreeSet<DriveId>,
    ) -> Result<Vec<JobId>, Problem> {
        let fault = |title: &str, detail: String| Problem::new("agent-fault", 500, title).with(detail);
        let plain = PlanOptions::default();
        let options = beginning
            .granted
            .as_ref()
            .map_or(&plain, |granted| &granted.plan.options);
        let mut jobs = Vec::with_capacity(held.len());
        for held in held {
            held.geometry.check().map_err(|error| {
                let problem = Problem::new("drive-refused", 409, "The engine cannot test this drive");
                problem.with(format!("{}: {error}.", held.identity.words()))
            })?;
            let key = JobKey::random().map_err(|why| fault("No key for the job", why))?;
            let lose = match &held.access {
                Access::Erase(lose) => lose.clone(),
                Access::Read => Vec::new(),
            };
            let begin = Begin {
                id: self.means.jobs.next_id(),
                book: &beginning.book,
                options,
                lose: &lose,
                actor: &beginning.actor,
            };
            let identity = held.identity.clone();
            let record = Record::new(&held.fresh, identity, held.geometry, begin, key, Time::now());
            let mut record = record.ok_or_else(|| fault("A drive without identity", held.identity.words()))?;
            record.boot_id.clone_from(&self.means.boot_id);
            if let Some(Granted { seen, .. }) = &beginning.granted {
                record.fingerprint = seen.fingerprints.get(&record.job.drive).cloned();
                record.unreadable = seen.unread.get(&record.job.drive).cloned();
            }
            record.medium = Some(Medium {
                boot_id: self.means.boot_id.clone(),
                sequence: held.media,
            });
            let offered = beginning.granted.is_some() && self.take_offer(&mut record, as_left);
            let why = offered.then(|| "its box or its store was lost; armed again".to_owned());
            jobs.push((record, held, why));
        }
        let hold = self.means.outbox.hold();
        for (record, ..) in &mut jobs {
            // A medium that takes no writes is no reason to refuse: the copy in RAM and the server have the job.
            let told = vec![events::started(&record.job)];
            if let Err(cause) = self.means.jobs.save(record, None, &told).await {
                warn!(job = %record.job.id, error = %cause, "a job begins without being written down");
                self.means.outbox.tell_once(told);
            }
        }
        let mut ids = Vec::with_capacity(jobs.len());
        for (record, held, why) in jobs {
            info!(job = %record.job.id, drive = %record.job.drive, actor = beginning.actor, "job started");
            ids.push(record.job.id);
            self.means.outbox.job(record.job.clone());
            self.run_job(record, None, why, Some(held));
        }
        drop(hold);
        self.tell();
        Ok(ids)
    }
}

/// All drives, or none: a refusal lets go of the others, untouched.
async fn open_all(hands: &Hands, beginning: &Beginning, list: &[Drive]) -> Result<Vec<Held>, Problem> {
    let mut opening = JoinSet::new();
    for (index, id) in beginning.drives.iter().enumerate() {
        let listed = list
            .iter()
            .find(|drive| drive.present && drive.id.as_ref() == Some(id))
            .cloned();
        let access = match &beginning.granted {
            Some(granted) => Access::Erase(granted.lose.get(id).cloned().unwrap_or_default()),
            None => Access::Read,
        };
        let hands = hands.clone();
        opening.spawn(async move {
            let held = match listed {
                Some(listed) => {
                    let expected: Identity = identity(&listed);
                    hands.open(expected, listed, access).await
                }
                None => Err(Problem::new("drive-unknown", 404, "A drive is gone")),
            };
            (index, held)
        });
    }
    let mut all = BTreeMap::new();
    let mut refused = None;
    while let Some(joined) = opening.join_next().await {
        match joined {
            Ok((index, Ok(held))) => drop(all.insert(index, held)),
            Ok((_, Err(problem))) => refused = Some(problem),
            Err(error) => refused = Some(Problem::new("agent-fault", 500, error.to_string())),
        }
    }
    if let Some(problem) = refused {
        return Err(problem);
    }
    let held: Vec<Held> = all.into_values().collect();
    if let Some(granted) = &beginning.granted {
        let fresh: Vec<Drive> = held.iter().map(|held| held.fresh.clone()).collect();
        let ids = held
            .iter()
            .filter_map(|held| Some((held.fresh.id.clone()?, held.members.clone())));
        gate::fresh_matches((&granted.plan, &granted.book), &fresh, &ids.collect::<Members>())?;
        let media = held
            .iter()
            .filter_map(|held| Some((held.fresh.id.clone()?, held.media)));
        gate::same_media(granted, &media.collect())?;
        fingerprints::check(granted, &held).await?;
    }
    Ok(held)
}

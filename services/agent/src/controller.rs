//! The agent's centre: one task that owns the gate's ledger, knows which jobs run, and answers the server.
//!
//! Whatever may wait for a drive (a look before a plan, opening at a start) runs in a task of its own and comes back as
//! a message, so that one slow drive holds up neither another plan nor the heartbeat.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burnin::{JobKey, Playbook};
use ed25519_dalek::VerifyingKey;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use wire::command::{Answer, CallOutcome, Command};
use wire::drive::Drive;
use wire::event::Severity;
use wire::frame::Hello;
use wire::gate::Armed;
use wire::{DriveId, JobId, PlanId, Problem, Time};

use crate::events::{self, Happening, Known};
use crate::gate::{self, Ask, Granted, Ledger, Moment, Trust};
use crate::hands::{Held, identity};
use crate::heartbeat;
use crate::job::{JobTask, Means};
use crate::jobs::{KNOWN, Kept, PINS};
use crate::record::Record;
use crate::registry::Registry;
use crate::uplink::FromServer;

/// How long after its start the agent believes that a drive which was known is still to be found: walking the buses and
/// spinning up take time, and a restarted agent must not tell that all drives went and came back.
const SETTLE: Duration = Duration::from_secs(15);

/// A job that is not over.
#[derive(Debug)]
struct Active {
    drive: DriveId,
    aborts: mpsc::Sender<String>,
}

/// What tasks of ours bring back.
#[derive(Debug)]
enum Back {
    /// Fresh looks are there: the plan can be made.
    Looked {
        drives: Vec<DriveId>,
        playbook: String,
        list: Arc<Vec<Drive>>,
        reply: oneshot::Sender<CallOutcome>,
    },
    /// All drives of a granted start are held, or one is not.
    Opened {
        granted: Granted,
        held: Result<Vec<Held>, Problem>,
        reply: oneshot::Sender<CallOutcome>,
    },
}

/// The centre.
#[derive(Debug)]
pub struct Controller {
    means: Means,
    registry: Registry,
    ledger: Ledger,
    trust: Option<Trust>,
    distrusted: bool,
    active: BTreeMap<JobId, Active>,
    /// Drives that are being opened for a granted start.
    opening: BTreeSet<DriveId>,
    known: BTreeMap<DriveId, Known>,
    epoch: Instant,
    tasks: JoinSet<JobId>,
    back: mpsc::Sender<Back>,
}

impl Controller {
    /// A controller that knows what was known when the agent ended last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(means: Means, registry: Registry) -> store::Result<(Self, Inbox)> {
        let known = means
            .jobs
            .store()
            .read(|r| KNOWN.all(r))?
            .into_iter()
            .map(|(_, known)| (known.id.clone(), known));
        let known = known.collect();
        let (back, backs) = mpsc::channel(64);
        let controller = Self {
            means,
            registry,
            ledger: Ledger::default(),
            trust: None,
            distrusted: false,
            active: BTreeMap::new(),
            opening: BTreeSet::new(),
            known,
            epoch: Instant::now(),
            tasks: JoinSet::new(),
            back,
        };
        Ok((controller, Inbox { backs }))
    }

    /// Takes up the jobs that were not over, and tells of all.
    pub fn take_up(&mut self, kept: Vec<Kept>) {
        for Kept { record, checkpoint } in kept {
            self.means.outbox.job(record.job.clone());
            if record.job.state.is_over() {
                continue;
            }
            let why = record.interruption(&self.means.boot_id);
            info!(job = %record.job.id, drive = %record.job.drive, why, "taking up a job");
            self.run_job(record, checkpoint, Some(why), None);
        }
        self.tell();
    }

    /// Runs until the agent stops and every job has parked.
    pub async fn run(mut self, mut inbox: Inbox, mut from_server: mpsc::Receiver<FromServer>) {
        let mut stop = self.means.stop.clone();
        let mut drives = self.means.drives.clone();
        let settled = tokio::time::sleep(SETTLE);
        tokio::pin!(settled);
        let mut settling = true;
        loop {
            tokio::select! {
                () = &mut settled, if settling => {
                    settling = false;
                    let list = Arc::clone(&drives.borrow_and_update());
                    self.drives_changed(&list);
                }
                changed = drives.changed() => {
                    if changed.is_err() {
                        error!("the list of drives ended");
                        break;
                    }
                    let list = Arc::clone(&drives.borrow_and_update());
                    self.drives_changed(&list);
                }
                Some(message) = from_server.recv() => match message {
                    FromServer::Hello(hello) => self.hello(&hello).await,
                    FromServer::Call(call, reply) => self.call(call.command, reply),
                },
                Some(back) = inbox.backs.recv() => self.back(back).await,
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(id) => self.job_ended(id),
                    Err(error) => error!(%error, "a job's task failed"),
                },
                () = stop.asked() => break,
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn drives_changed(&mut self, list: &[Drive]) {
        self.ledger.drives_changed(list);
        self.means.outbox.drives(list.to_vec());
        let mut now = events::known(list);
        if self.epoch.elapsed() < SETTLE {
            for (id, drive) in &self.known {
                now.entry(id.clone()).or_insert_with(|| drive.clone());
            }
        }
        for happening in events::comings_and_goings(&self.known, &now) {
            self.means.outbox.event(happening);
        }
        if now != self.known {
            self.known.clone_from(&now);
            self.means
                .jobs
                .store()
                .write(move |w| {
                    KNOWN.clear(w)?;
                    for (id, known) in &now {
                        KNOWN.put(w, id.as_str(), known)?;
                    }
                    Ok(())
                })
                .forget();
        }
        self.tell();
    }

    fn tell(&self) {
        heartbeat::status(&format!(
            "{} drives, {} jobs under way",
            self.known.len(),
            self.active.len()
        ));
    }

    /// Pins the first gate key; another one later is not obeyed.
    async fn hello(&mut self, hello: &Hello) {
        let pins = self
            .means
            .jobs
            .store()
            .read(|r| Ok((PINS.get(r, "gate_key")?, PINS.get(r, "box_id")?)));
        let (key, box_id) = match pins {
            Ok(pins) => pins,
            Err(cause) => {
                error!(error = %cause, "the pinned gate key cannot be read; nothing will be erased");
                return;
            }
        };
        let Some(new) = parse_key(&hello.gate_key) else {
            warn!("the server's gate key is not 64 hexadecimal digits of a key; nothing will be erased");
            self.trust = None;
            return;
        };
        if let (Some(key), Some(box_id)) = (key, box_id) {
            if key != hello.gate_key || box_id != hello.box_id {
                self.distrust();
                return;
            }
        } else {
            let (gate_key, id) = (hello.gate_key.clone(), hello.box_id.clone());
            let pinned = self.means.jobs.store().write(move |w| {
                PINS.put(w, "gate_key", &gate_key)?;
                PINS.put(w, "box_id", &id)
            });
            if let Err(cause) = pinned.await {
                error!(error = %cause, "the gate key could not be pinned; nothing will be erased");
                return;
            }
            info!(box_id = hello.box_id, "gate key pinned");
        }
        self.trust = Some(Trust {
            key: new,
            box_id: hello.box_id.clone(),
            claimed: hello.claimed,
        });
    }

    fn distrust(&mut self) {
        self.trust = None;
        if !std::mem::replace(&mut self.distrusted, true) {
            let message = "The server's gate key is not the one that the agent pinned when they first met; nothing will be \
                           erased. If the server was set up anew, reset the box to factory settings, or delete the agent's state."
                .to_owned();
            error!(message, "gate key changed");
            let data = serde_json::Value::Null;
            self.means.outbox.event(Happening::new(
                "agent.gate_key_changed",
                Severity::Critical,
                None,
                message,
                data,
            ));
        }
    }

    fn call(&mut self, command: Command, reply: oneshot::Sender<CallOutcome>) {
        match command {
            Command::Plan {
                drives,
                playbook,
                options: _,
            } => {
                if let Err(error) = Playbook::named(&playbook) {
                    let problem =
                        Problem::new("playbook-unknown", 422, "There is no such playbook").with(error.to_string());
                    answer(reply, Err(problem));
                    return;
                }
                let (registry, back) = (self.registry.clone(), self.back.clone());
                tokio::spawn(async move {
                    let list = registry.look_now(&drives).await;
                    // The controller is gone only when the agent stops.
                    let _stopped = back
                        .send(Back::Looked {
                            drives,
                            playbook,
                            list,
                            reply,
                        })
                        .await;
                });
            }
            Command::Start(armed) => self.start(&armed, reply),
            Command::Scan { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Locate { .. }
            | Command::SavePlaybook { .. }
            | Command::ForgetPlaybook { .. } => {
                answer(
                    reply,
                    Err(Problem::new(
                        "command-unknown",
                        422,
                        "This agent does not know that command",
                    )),
                );
            }
            Command::Abort { job, actor } => {
                let result = match self.active.get(&job) {
                    Some(active) => match active.aborts.try_send(actor) {
                        // A full queue holds an abort already.
                        Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(Answer::Aborted),
                        Err(mpsc::error::TrySendError::Closed(_)) => Err(over(job)),
                    },
                    None => Err(over(job)),
                };
                answer(reply, result);
            }
        }
    }

    /// Drives that a job runs on or that are being opened for one.
    fn busy(&self) -> BTreeSet<DriveId> {
        self.active
            .values()
            .map(|active| active.drive.clone())
            .chain(self.opening.iter().cloned())
            .collect()
    }

    fn start(&mut self, armed: &Armed, reply: oneshot::Sender<CallOutcome>) {
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
        self.opening
            .extend(granted.plan.drives.iter().map(|drive| drive.id.clone()));
        let (hands, back) = (self.means.hands.clone(), self.back.clone());
        tokio::spawn(async move {
            let mut opening = JoinSet::new();
            for (index, planned) in granted.plan.drives.iter().enumerate() {
                let listed = list
                    .iter()
                    .find(|drive| drive.present && drive.id.as_ref() == Some(&planned.id))
                    .cloned();
                let hands = hands.clone();
                opening.spawn(async move {
                    let held = match listed {
                        Some(listed) => hands.open(identity(&listed), listed).await,
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
            // All or none: a refusal lets go of the others, untouched.
            let held = match refused {
                Some(problem) => Err(problem),
                None => {
                    let held: Vec<Held> = all.into_values().collect();
                    let fresh: Vec<Drive> = held.iter().map(|held| held.fresh.clone()).collect();
                    gate::fresh_matches(&granted.plan, &fresh).map(|()| held)
                }
            };
            let _stopped = back.send(Back::Opened { granted, held, reply }).await;
        });
    }

    async fn back(&mut self, back: Back) {
        match back {
            Back::Looked {
                drives,
                playbook,
                list,
                reply,
            } => {
                let mut nonce = [0; 32];
                if let Err(error) = getrandom::fill(&mut nonce) {
                    answer(
                        reply,
                        Err(Problem::new("agent-fault", 500, "No random numbers").with(error.to_string())),
                    );
                    return;
                }
                let moment = Moment {
                    now: self.epoch.elapsed(),
                    wall: Time::now(),
                    id: PlanId::now(),
                    nonce,
                };
                let ask = Ask {
                    drives: &drives,
                    playbook: &playbook,
                };
                let plan = self.ledger.plan(&ask, &list, &self.busy(), moment);
                answer(reply, plan.map(Answer::Planned));
            }
            Back::Opened { granted, held, reply } => {
                for drive in &granted.plan.drives {
                    self.opening.remove(&drive.id);
                }
                let started = match held {
                    Ok(held) => self.begin(&granted, held).await,
                    Err(problem) => Err(problem),
                };
                if let Err(problem) = &started {
                    warn!(why = %problem, actor = granted.actor, "a granted start ended before anything was written");
                }
                answer(reply, started.map(|jobs| Answer::Started { jobs }));
            }
        }
    }

    /// Writes the jobs down, then starts them.
    async fn begin(&mut self, granted: &Granted, held: Vec<Held>) -> Result<Vec<JobId>, Problem> {
        let fault = |title: &str, detail: String| Problem::new("agent-fault", 500, title).with(detail);
        let book = Playbook::named(&granted.plan.playbook).map_err(|error| fault("No playbook", error.to_string()))?;
        let mut jobs = Vec::with_capacity(held.len());
        for held in held {
            held.geometry.check().map_err(|error| {
                let problem = Problem::new("drive-refused", 409, "The engine cannot test this drive");
                problem.with(format!("{}: {error}.", held.identity.words()))
            })?;
            let mut key = [0; 16];
            getrandom::fill(&mut key).map_err(|error| fault("No random numbers", error.to_string()))?;
            let record = Record::new(
                &held.fresh,
                held.identity.clone(),
                held.geometry,
                &book,
                &granted.actor,
                JobKey(key),
                Time::now(),
            );
            let mut record = record.ok_or_else(|| fault("A drive without identity", held.identity.words()))?;
            record.boot_id.clone_from(&self.means.boot_id);
            jobs.push((record, held));
        }
        let hold = self.means.outbox.hold();
        for (record, _) in &mut jobs {
            // A medium that takes no writes is no reason to refuse: the copy in RAM and the server have the job.
            let told = vec![events::started(&record.job)];
            if let Err(cause) = self.means.jobs.save(record, None, &told).await {
                warn!(job = %record.job.id, error = %cause, "a job begins without being written down");
                self.means.outbox.tell_once(told);
            }
        }
        let mut ids = Vec::with_capacity(jobs.len());
        for (record, held) in jobs {
            info!(job = %record.job.id, drive = %record.job.drive, actor = granted.actor, "job started");
            ids.push(record.job.id);
            self.means.outbox.job(record.job.clone());
            self.run_job(record, None, None, Some(held));
        }
        drop(hold);
        self.tell();
        Ok(ids)
    }

    fn run_job(&mut self, record: Record, checkpoint: Option<String>, why: Option<String>, held: Option<Held>) {
        let (aborts, receiver) = mpsc::channel(1);
        self.active.insert(
            record.job.id,
            Active {
                drive: record.job.drive.clone(),
                aborts,
            },
        );
        let task = JobTask::new(self.means.clone(), record, checkpoint, why, receiver);
        self.tasks.spawn(task.run(held));
    }

    fn job_ended(&mut self, id: JobId) {
        if let Some(active) = self.active.remove(&id) {
            self.registry.refresh(&active.drive);
        }
        self.tell();
    }
}

/// Where the controller's own tasks report to.
#[derive(Debug)]
pub struct Inbox {
    backs: mpsc::Receiver<Back>,
}

fn over(job: JobId) -> Problem {
    Problem::new("job-over", 409, "This job is over or unknown").with(job.to_string())
}

fn answer(reply: oneshot::Sender<CallOutcome>, result: Result<Answer, Problem>) {
    let outcome = match result {
        Ok(answer) => CallOutcome::Ok(answer),
        Err(problem) => CallOutcome::Error(problem),
    };
    // The connection went away: nobody waits for it.
    let _gone = reply.send(outcome);
}

fn parse_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = hex::decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

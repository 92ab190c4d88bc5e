//! The agent's centre: one task that owns the gate's ledger, knows which jobs run, and answers the server.
//!
//! Whatever may wait for a drive (a look before a plan, opening at a start) runs in a task of its own and comes back as
//! a message, so that one slow drive holds up neither another plan nor the heartbeat.

mod comings;
mod command;
mod failed;
mod foreign;
mod lights;
mod lit;
mod locate;
mod offer;
mod ration;
mod refusals;
mod start;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burnin::Playbook;
use burnin::header::Header;
use drive::locate::{Leave, Locating, Slot};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, info};
use wire::command::{Answer, CallOutcome};
use wire::drive::{Content, Drive};
use wire::options::PlanOptions;
use wire::{DriveId, JobId, Problem};

use self::comings::{Comings, Seat};
use self::refusals::Refusals;
use crate::backup::Pages;
use crate::books::Books;
use crate::events;
use crate::gate::{Ledger, Members, Seen, Trust};
use crate::hands::Held;
use crate::heartbeat;
use crate::job::wishes::{self, Wished, Wishes};
use crate::job::{JobTask, Means, Wish};
use crate::jobs::{KNOWN, Kept};
use crate::record::Record;
use crate::registry::Registry;
use crate::uplink::FromServer;
use lit::Lit;
use locate::Located;
use start::Beginning;

pub(crate) use lit::LIT;

/// How long after its start the agent believes that a drive which was known is still to be found: walking the buses and
/// spinning up take time, and a restarted agent must not tell that all drives went and came back.
const SETTLE: Duration = Duration::from_secs(15);

/// A job that is not over.
#[derive(Debug)]
struct Active {
    drive: DriveId,
    wishes: Wishes,
    /// What of all that was answered stands: a task that fails takes along what it has not heard.
    wished: Option<Wish>,
    /// The task that works on it.
    task: tokio::task::Id,
    /// How many of its tasks failed.
    failures: u32,
}

impl Active {
    /// Whether an abort was answered, which nothing takes back.
    fn is_aborted(&self) -> bool {
        matches!(self.wished, Some(Wish::Abort(_)))
    }
}

/// What tasks of ours bring back.
#[derive(Debug)]
enum Back {
    /// Fresh looks are there: the plan can be made.
    Looked {
        drives: Vec<DriveId>,
        book: Box<Playbook>,
        options: PlanOptions,
        list: Arc<Vec<Drive>>,
        members: Members,
        seen: Seen,
        reply: oneshot::Sender<CallOutcome>,
    },
    /// All drives of a granted start are held, or one is not.
    Opened {
        beginning: Box<Beginning>,
        held: Result<Vec<Held>, Problem>,
        /// Drives that are as the burn-ins left them that were offered.
        as_left: BTreeSet<DriveId>,
        reply: oneshot::Sender<CallOutcome>,
    },
    /// A drive tells of a burn-in.
    Found { drive: DriveId, header: Box<Header> },
    /// A drive could not be asked for one, while this was told of it.
    NotAsked { drive: DriveId, content: Content },
    /// What a foreign server asked for came to something.
    Answered {
        outcome: CallOutcome,
        reply: foreign::Reply,
    },
    /// A drive's light was turned; `out`: the slots, where they are known, in which it is out, as far as it can be put out.
    Located {
        drive: DriveId,
        lit: Option<Locating>,
        out: Vec<Option<Slot>>,
    },
    /// A slot that an earlier agent left lit was put out; `out`: it took the order.
    Darkened { slot: Slot, out: bool },
}

/// The centre.
#[derive(Debug)]
pub struct Controller {
    means: Means,
    registry: Registry,
    ledger: Ledger,
    books: Books,
    trust: Option<Trust>,
    distrusted: bool,
    /// Whether it was told that another server greets as ours does.
    posed: bool,
    /// Whether a foreign server may ask for burn-ins.
    foreign_gate: bool,
    /// When a code was shown last.
    coded: Option<Instant>,
    /// What of the refusals is told.
    refusals: Refusals,
    active: BTreeMap<JobId, Active>,
    /// Drives that are being opened for a granted start.
    opening: BTreeSet<DriveId>,
    comings: Comings,
    /// Jobs that are over, as text.
    ended: BTreeSet<String>,
    /// The backup that the server is taking.
    backup: Pages,
    located: Located,
    /// Whose light may be on, over restarts.
    lit: Lit,
    /// Drives that may be read to show them, until a job opens them.
    leaves: BTreeMap<DriveId, Leave>,
    /// Drives that tell of burn-ins which this box does not know.
    offers: BTreeMap<DriveId, Header>,
    /// Drives that were looked at for that since they came; what was told of one that could not be read then.
    looked_at: BTreeMap<DriveId, Option<Content>>,
    /// Held by the one who looks.
    looking: Arc<tokio::sync::Mutex<()>>,
    epoch: Instant,
    tasks: JoinSet<JobId>,
    back: mpsc::Sender<Back>,
}

impl Controller {
    /// A controller that knows what was known when the agent ended last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(means: Means, registry: Registry, books: Books, foreign_gate: bool) -> store::Result<(Self, Inbox)> {
        let known = means
            .jobs
            .store()
            .read(|r| KNOWN.all(r))?
            .into_iter()
            .map(|(_, known)| (known.id.clone(), known));
        let lit = Lit::open(means.jobs.store().clone())?;
        let comings = Comings::new(known.collect());
        let (back, backs) = mpsc::channel(64);
        let controller = Self {
            means,
            registry,
            ledger: Ledger::default(),
            books,
            trust: None,
            distrusted: false,
            posed: false,
            foreign_gate,
            coded: None,
            refusals: Refusals::new(Instant::now()),
            active: BTreeMap::new(),
            opening: BTreeSet::new(),
            comings,
            ended: BTreeSet::new(),
            backup: Pages::default(),
            located: Located::new(),
            lit,
            leaves: BTreeMap::new(),
            offers: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            looking: Arc::default(),
            epoch: Instant::now(),
            tasks: JoinSet::new(),
            back,
        };
        Ok((controller, Inbox { backs }))
    }

    /// Takes up the jobs that were not over, and tells of all.
    pub fn take_up(&mut self, kept: Vec<Kept>) {
        for Kept { mut record, checkpoint } in kept {
            let why = record.was_interrupted(&self.means.boot_id);
            record.taken_up_after(&why);
            if record.job.verdict.is_none() {
                // An older agent kept none of it.
                crate::verdict::head(&mut record);
            }
            self.means.outbox.job(record.job.clone());
            if record.job.state.is_over() {
                self.ended.insert(record.job.id.to_string());
                continue;
            }
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
            let due = self.comings.due();
            let untold = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
            tokio::select! {
                () = untold, if due.is_some() => {
                    let list = Arc::clone(&drives.borrow_and_update());
                    self.drives_changed(&list);
                }
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
                    FromServer::Hello(hello, known) => {
                        self.hello(&hello).await;
                        // The connection may have ended meanwhile.
                        let _gone = known.send(self.trust.is_some());
                    }
                    FromServer::Posed(server) => self.posed(&server),
                    FromServer::Call(call, reply) => self.call(call.command, reply),
                    FromServer::Asked(wanted, from, reply) => self.asked(wanted, &from, reply),
                },
                Some(back) = inbox.backs.recv() => self.back(back).await,
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(id) => self.job_ended(id),
                    Err(failure) => self.task_failed(failure).await,
                },
                () = stop.asked() => break,
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn drives_changed(&mut self, list: &[Drive]) {
        self.ledger.drives_changed(list);
        let mut now = events::known(list);
        let settling = self.epoch.elapsed() < SETTLE;
        for (id, drive) in self.comings.seen() {
            if settling || events::is_twin(drive, list) {
                now.entry(id.clone()).or_insert_with(|| drive.clone());
            }
        }
        // Before another drive is seen in the place of one that is gone.
        let told = self.comings.told().clone();
        let (bays, registry) = (&self.means.bays, &self.registry);
        let place = |id: &DriveId, seat| match seat {
            Seat::Present => registry
                .place(id)
                .map_or_else(String::new, |place| bays.words_at(&place)),
            Seat::Last => bays.words(id),
        };
        let happened = self.comings.are(now, Instant::now(), place);
        for id in self.comings.seen().keys() {
            if let Some(place) = self.registry.place(id) {
                self.means.bays.saw(&place, id);
            }
        }
        self.put_out_what_moved(list);
        self.tell_drives(list);
        for happening in happened {
            self.means.outbox.event(happening);
        }
        if told != *self.comings.told() {
            let now = self.comings.told().clone();
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
        if self.epoch.elapsed() >= SETTLE {
            self.look_for_offers(list);
        }
        self.put_out_what_was_left(list);
        self.tell();
    }

    /// Tells the drives, each with the name of its bay.
    fn tell_drives(&self, list: &[Drive]) {
        let mut drives = list.to_vec();
        for drive in &mut drives {
            drive.bay = drive.id.as_ref().and_then(|id| self.means.bays.named(id));
            drive.shown_until = drive.id.as_ref().and_then(|id| self.shown_until(id));
        }
        self.means.outbox.drives(drives);
    }

    /// The list as it is, where something that is told with it has changed.
    fn tell_drives_again(&self) {
        let list = Arc::clone(&self.means.drives.borrow());
        self.tell_drives(&list);
    }

    fn tell(&self) {
        heartbeat::under_way(self.active.len());
    }

    /// Drives that a job runs on or that are being opened for one.
    fn busy(&self) -> BTreeSet<DriveId> {
        self.active
            .values()
            .map(|active| active.drive.clone())
            .chain(self.opening.iter().cloned())
            .collect()
    }

    async fn back(&mut self, back: Back) {
        match back {
            Back::Looked {
                drives,
                book,
                options,
                list,
                members,
                seen,
                reply,
            } => self.looked((drives, *book, options), &list, (&members, &seen), reply),
            Back::Opened {
                beginning,
                held,
                as_left,
                reply,
            } => self.opened((*beginning, &as_left), held, reply).await,
            Back::Found { drive, header } => self.found(drive, *header),
            Back::NotAsked { drive, content } => self.not_asked(&drive, content),
            Back::Answered { outcome, reply } => self.answered(outcome, reply),
            Back::Located { drive, lit, out } => self.located(drive, lit, &out),
            Back::Darkened { slot, out } => self.lit.darkened(&slot, out),
        }
    }

    fn run_job(&mut self, record: Record, checkpoint: Option<String>, why: Option<String>, held: Option<Held>) {
        self.spawn(record, |means, record, wishes| {
            Box::new(JobTask::new(means, record, checkpoint, why, wishes)).run(held)
        });
    }

    /// Gives the job to a task of its own.
    fn spawn<T>(&mut self, record: Record, task: impl FnOnce(Means, Record, Wished) -> T)
    where
        T: Future<Output = JobId> + Send + 'static,
    {
        let (wishes, receiver) = wishes::channel();
        let (id, drive) = (record.job.id, record.job.drive.clone());
        let wished = record.aborted_by.clone().map(Wish::Abort);
        let task = self.tasks.spawn(task(self.means.clone(), record, receiver)).id();
        let failures = 0;
        self.active.insert(
            id,
            Active {
                drive,
                wishes,
                wished,
                task,
                failures,
            },
        );
    }

    fn job_ended(&mut self, id: JobId) {
        self.ended.insert(id.to_string());
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
    Problem::new("job-over", 409, "This job is over, or not under way").with(job.to_string())
}

/// A person ended it, and its last steps are under way.
fn aborted(job: JobId) -> Problem {
    Problem::new("job-aborted", 409, "This job was aborted, and ends").with(job.to_string())
}

/// Half a file system helps nobody.
fn formats(job: JobId) -> Problem {
    let problem = Problem::new("job-formats", 409, "The drive is being formatted, which is not paused");
    problem.with(format!(
        "{job}: it ends in a minute. Abort it to end the format at once."
    ))
}

/// Nothing is kept of it here: it was never this agent's, or went with a store that was set aside.
fn unknown(job: JobId) -> Problem {
    Problem::new("job-unknown", 404, "The agent has no such job").with(job.to_string())
}

fn answer(reply: oneshot::Sender<CallOutcome>, result: Result<Answer, Problem>) {
    let outcome = match result {
        Ok(answer) => CallOutcome::Ok(answer),
        Err(problem) => CallOutcome::Error(problem),
    };
    // The connection went away: nobody waits for it.
    let _gone = reply.send(outcome);
}

//! What is to be told to the server: kept while it is away, in order, bounded.
//!
//! Two kinds, two policies:
//! - **Events** (with their notifications) are written to LMDB first and sent from there, with a number that rises
//!   for ever. They stay until the server's `hello` says that it has them; a server that was killed in between
//!   gets them again, and drops what it knows by the number. At most [`SPOOL_MAX`], the oldest are given up first.
//!   What was given up is counted, and told as an event at the next connection ([`Outbox::own_up`]). A server that says
//!   no `hello` gives no such receipt; there the answer to a numbered ping does ([`crate::uplink`]).
//! - **State** (drives, jobs, progress, temperatures) is not kept in order: only the newest is sent. Log lines are a ring
//!   of [`LOGS_MAX`]; the next one says how many are missing. SMART documents are a ring of [`READINGS_MAX`].
//!
//! The numbers survive a lost store: they are at least the clock's microseconds, and [`Outbox::acknowledge`] numbers
//! anew when the server has seen more than this store ever gave out.

mod room;
mod spool;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use link::SendError;
use store::{Pending, Store};
use tokio::sync::{Notify, oneshot};
use tracing::{error, warn};
use wire::drive::Drive;
use wire::event::Severity;
use wire::frame::{FRAME_MAX_SENT, LogLine, ProgressFrame};
use wire::job::{Job, JobState};
use wire::playbook::PlaybookInfo;
use wire::{DriveId, Frame, JobId, Time};

use crate::events::Happening;
use crate::histories;
use crate::jobs::past;
use crate::vigil::frames;
use crate::vigil::window::{Reading, Window};
use crate::vigil::{Who, inventory, manifest};

pub use spool::{NUMBERS, SPOOL, SPOOL_MAX, spool};

/// Most log lines kept while the server is away.
pub const LOGS_MAX: usize = 1_000;

/// Seconds after its end in which a job's last progress and SMART rows are told on a new connection.
const FRESH: i64 = 600;

/// Most SMART documents kept while the server is away, of some 20 KiB each.
const READINGS_MAX: usize = 64;

/// Most certificates taken at once: each may have 400 KiB.
const CERTIFICATES_AT_ONCE: usize = 4;

/// The event that tells of what does not fit a frame.
const TOO_LONG: &str = "agent.too_long";

/// The outbox; clones share it.
#[derive(Clone, Debug)]
pub struct Outbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    drives: Vec<Drive>,
    drives_dirty: bool,
    /// Keys of drives of which it was told that not all that stands on them fits a frame.
    shortened: BTreeSet<String>,
    /// Kinds of frames of which it was told that one was too long.
    too_long: BTreeSet<String>,
    jobs: BTreeMap<JobId, Job>,
    jobs_dirty: BTreeSet<JobId>,
    /// Whether `jobs` are all that the medium has: which are not over says nothing before that.
    jobs_whole: bool,
    unfinished_dirty: bool,
    progress: BTreeMap<JobId, ProgressFrame>,
    /// Jobs that wait, or go on after that, of which it is to be told where they stand.
    standing: BTreeSet<JobId>,
    playbooks: Option<Vec<PlaybookInfo>>,
    playbooks_dirty: bool,
    /// Jobs whose certificate the server may lack.
    certificates: BTreeSet<JobId>,
    logs: VecDeque<LogLine>,
    logs_lost: u64,
    /// SMART documents for our own server's histories.
    readings: VecDeque<Frame>,
    /// Newest temperature by curve.
    charts: BTreeMap<String, (i32, Time)>,
    window: Window,
    /// Events that LMDB did not take (full medium): sent once, without a number.
    unspooled: VecDeque<Once>,
    /// Who waits for those that a connection was given and has not sent yet.
    sending: Vec<oneshot::Sender<()>>,
    /// Ends of jobs that are being written down: no event is read meanwhile.
    holds: usize,
}

impl State {
    /// Jobs that wait.
    fn waiting(&self) -> BTreeSet<JobId> {
        let waiting = self.jobs.values().filter(|job| waits(job));
        waiting.map(|job| job.id).collect()
    }
}

fn waits(job: &Job) -> bool {
    matches!(job.state, JobState::Waiting { .. })
}

/// An event that is told once.
#[derive(Debug)]
struct Once {
    happening: Happening,
    /// The job whose end it tells, where that is to be written down still.
    of: Option<JobId>,
    /// Who waits for it to be told.
    told: Option<oneshot::Sender<()>>,
}

/// To whom it is told.
#[derive(Clone, Debug)]
pub struct To {
    /// Who speaks.
    pub who: Who,
    /// Whether it is a server of ours.
    pub home: bool,
}

/// As long as it lives no event is told: see [`Outbox::hold`].
#[derive(Debug)]
pub struct Hold(Outbox);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.state().holds -= 1;
        self.0.inner.wake.notify_one();
    }
}

impl Outbox {
    /// An outbox over `store`.
    pub fn new(store: Store) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                state: Mutex::default(),
                wake: Notify::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment; a panic in between leaves nothing half done.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All drives as they are now.
    pub fn drives(&self, drives: Vec<Drive>) {
        let mut state = self.state();
        state.drives = drives;
        state.drives_dirty = true;
        drop(state);
        self.inner.wake.notify_one();
    }

    /// A job as it is now.
    pub fn job(&self, job: Job) {
        let mut state = self.state();
        state.jobs_dirty.insert(job.id);
        let (waits, id) = (waits(&job), job.id);
        if job.state.is_over() || waits {
            state.progress.remove(&id);
        }
        let waited = state.jobs.insert(id, job).is_some_and(|before| self::waits(&before));
        if waits || waited {
            state.standing.insert(id);
        }
        drop(state);
        self.inner.wake.notify_one();
    }

    /// All jobs that the medium has were told here: those that the server has beside them are lost.
    pub fn jobs_whole(&self) {
        self.state().jobs_whole = true;
    }

    /// Jobs that retention has dropped are no longer told.
    pub fn forget_jobs(&self, gone: &[JobId]) {
        let mut state = self.state();
        for id in gone {
            state.jobs.remove(id);
            state.jobs_dirty.remove(id);
        }
    }

    /// How far a job is.
    pub fn progress(&self, job: JobId, progress: ProgressFrame) {
        self.state().progress.insert(job, progress);
        self.inner.wake.notify_one();
    }

    /// The playbooks that there are.
    pub fn playbooks(&self, playbooks: Vec<PlaybookInfo>) {
        let mut state = self.state();
        state.playbooks = Some(playbooks);
        state.playbooks_dirty = true;
        drop(state);
        self.inner.wake.notify_one();
    }

    /// A job has a certificate.
    pub fn certificate(&self, job: JobId) {
        self.state().certificates.insert(job);
        self.inner.wake.notify_one();
    }

    /// The server has certificates of these jobs; it gets those of all others, and of those whose end it has not heard: what it has
    /// may be of an earlier end, from before this store was put back.
    pub fn certificates_but(&self, known: &[JobId]) {
        let read = self
            .inner
            .store
            .read(|r| Ok((past::CERTIFICATES.keys(r)?, SPOOL.all(r)?)));
        match read {
            Ok((keys, waiting)) => {
                let unheard: BTreeSet<JobId> = waiting.iter().filter_map(|(_, told)| told.event.job).collect();
                let ids = keys.into_iter().filter_map(|key| key.parse::<JobId>().ok());
                let due = ids.filter(|id| !known.contains(id) || unheard.contains(id));
                self.state().certificates = due.collect();
                self.inner.wake.notify_one();
            }
            Err(cause) => error!(error = %cause, "the certificates could not be read"),
        }
    }

    /// A log line.
    pub fn log(&self, line: LogLine) {
        let mut state = self.state();
        if state.logs.len() >= LOGS_MAX {
            state.logs.pop_front();
            state.logs_lost = state.logs_lost.saturating_add(1);
        }
        state.window.line(line.clone(), Time::now());
        state.logs.push_back(line);
        drop(state);
        self.inner.wake.notify_one();
    }

    /// What a drive's SMART said at a moment; the oldest is given up where too many wait.
    pub fn reading(&self, drive: &DriveId, document: serde_json::Value, at: Time) {
        let frame = histories::frame(drive, document, at);
        let length = frame.encode().len();
        if length > FRAME_MAX_SENT {
            warn!(%drive, length, "a SMART document is too long for a frame and stands in no history");
            return;
        }
        let mut state = self.state();
        if state.readings.len() >= READINGS_MAX {
            state.readings.pop_front();
        }
        state.readings.push_back(frame);
        drop(state);
        self.inner.wake.notify_one();
    }

    /// Something that must not be lost. Returns at once; it is sent after it is on the medium.
    pub fn event(&self, happening: Happening) {
        let told = vec![happening.clone()];
        let written = self.inner.store.write(move |w| spool(w, &[happening]));
        self.tell_after(written, told);
    }

    /// Tells what `written` put into the spool as soon as it is on the medium; where it fails, once and from here.
    pub fn tell_after(&self, written: Pending<()>, told: Vec<Happening>) {
        if told.is_empty() {
            written.forget();
            return;
        }
        let outbox = self.clone();
        tokio::spawn(async move {
            match written.await {
                Ok(()) => outbox.inner.wake.notify_one(),
                Err(cause) => {
                    error!(event = told[0].event.kind, error = %cause, "an event was not written down; it is sent once");
                    outbox.tell_once(told);
                }
            }
        });
    }

    /// Tells what the store did not take, once and without a number.
    pub fn tell_once(&self, told: Vec<Happening>) {
        drop(self.telling(None, told));
    }

    /// The same of the end `of` a job; resolves once a connection has sent all of it, and to an error where there was no room, where it
    /// was taken back ([`Outbox::untold`]), or where sending failed.
    pub fn telling(&self, of: Option<JobId>, happenings: Vec<Happening>) -> oneshot::Receiver<()> {
        let (told, telling) = oneshot::channel();
        let mut state = self.state();
        let room = LOGS_MAX.saturating_sub(state.unspooled.len());
        let all = happenings.len();
        let once = |happening| Once {
            happening,
            of,
            told: None,
        };
        state.unspooled.extend(happenings.into_iter().take(room).map(once));
        // They go in this order: with the last one all are told.
        if let Some(last) = state.unspooled.back_mut().filter(|_| (1..=room).contains(&all)) {
            last.told = Some(told);
        }
        drop(state);
        self.inner.wake.notify_one();
        telling
    }

    /// Takes back what no connection was given of a job's end, so that it is written down with it.
    pub fn untold(&self, of: JobId) -> Vec<Happening> {
        let mut state = self.state();
        let all = std::mem::take(&mut state.unspooled);
        let (back, rest): (VecDeque<Once>, VecDeque<Once>) = all.into_iter().partition(|once| once.of == Some(of));
        state.unspooled = rest;
        back.into_iter().map(|once| once.happening).collect()
    }

    /// What [`Outbox::take`] gave last was sent, or (`all`: not) could not be.
    pub fn sent(&self, all: bool) {
        let sending = std::mem::take(&mut self.state().sending);
        for told in sending.into_iter().filter(|_| all) {
            // Nobody may wait for it any more.
            let _ = told.send(());
        }
    }

    /// Holds events back while the end of a job is written down, so that its event is not heard before its last state.
    pub fn hold(&self) -> Hold {
        self.state().holds += 1;
        Hold(self.clone())
    }

    /// Takes the drives' temperatures, for a chart and for who asks later.
    pub fn glance(&self, now: Time) {
        let mut guard = self.state();
        let state = &mut *guard;
        for (key, value) in frames::temperatures(&state.drives) {
            state.window.reading(Reading {
                key: key.clone(),
                value,
                at: now,
            });
            state.charts.insert(key, (value, now));
        }
        // Whoever has not heard of a job for some minutes takes it for one that is gone.
        state.standing.append(&mut state.waiting());
        drop(guard);
        self.inner.wake.notify_one();
    }

    /// The agent's manifest, with the drives that there are.
    pub fn manifest(&self, who: &Who) -> serde_json::Value {
        manifest::manifest(&self.state().drives, who)
    }

    /// Looks at all drives, jobs and the last lines and temperatures.
    pub fn look<T>(&self, with: impl FnOnce(&[Drive], &BTreeMap<JobId, Job>, &Window) -> T) -> T {
        let state = self.state();
        with(&state.drives, &state.jobs, &state.window)
    }

    /// Marks everything as not told yet: a new connection begins.
    pub fn tell_all(&self) {
        let mut state = self.state();
        state.drives_dirty = true;
        state.playbooks_dirty = true;
        state.unfinished_dirty = true;
        state.jobs_dirty = state.jobs.keys().copied().collect();
        state.standing = state.waiting();
        drop(state);
        self.inner.wake.notify_one();
    }

    /// Resolves when there may be something to send.
    pub async fn ready(&self) {
        self.inner.wake.notified().await;
    }

    /// What is to be sent now. `cursor` is the number of the last event sent on this connection and moves on.
    ///
    /// A certificate comes before the state of its job, which tells that there is one; that state before the job's events, so that
    /// whoever hears of an event can show the job.
    pub fn take(&self, cursor: &mut u64, to: &To) -> Vec<Frame> {
        let now = Time::now();
        let mut frames = if to.home { self.take_certificates() } else { Vec::new() };
        frames.extend(self.take_drives(to));
        {
            let mut guard = self.state();
            let state = &mut *guard;
            if std::mem::take(&mut state.playbooks_dirty) && to.home {
                frames.extend(state.playbooks.clone().map(Frame::Playbooks));
            }
            if to.home {
                frames.extend(state.readings.drain(..));
            }
            // Those whose certificate did not go along wait for it: the next turn is due already.
            let waits = |id: &JobId| to.home && state.certificates.contains(id);
            let (later, jobs): (BTreeSet<JobId>, BTreeSet<JobId>) =
                std::mem::take(&mut state.jobs_dirty).into_iter().partition(waits);
            let waiting = !later.is_empty();
            state.jobs_dirty = later;
            for id in jobs {
                let Some(job) = state.jobs.get(&id) else { continue };
                if to.home {
                    frames.push(Frame::Job(Box::new(job.clone())));
                }
                let fresh = |ended: Time| now.as_second() - ended.as_second() < FRESH;
                if job.state.is_over() && job.ended.is_none_or(fresh) {
                    frames.extend(frames::smart(job));
                    frames.push(frames::over(job, &to.who, now));
                }
            }
            // Behind them all: the end of one that is over comes from itself.
            if to.home && state.jobs_whole && !waiting && std::mem::take(&mut state.unfinished_dirty) {
                let unfinished = state.jobs.values().filter(|job| !job.state.is_over());
                frames.push(Frame::Unfinished(unfinished.map(|job| job.id).collect()));
            }
            for id in std::mem::take(&mut state.standing) {
                let of = state.jobs.get(&id);
                if let Some(job) = of.filter(|job| !job.state.is_over() && !state.progress.contains_key(&id)) {
                    frames.push(frames::stands(job, &to.who, now));
                }
            }
            for (id, told) in std::mem::take(&mut state.progress) {
                frames.push(frames::progress(&told, state.jobs.get(&id), &to.who, to.home, now));
            }
            let charts = std::mem::take(&mut state.charts);
            frames.extend(charts.iter().map(|(key, (value, at))| frames::chart(key, *value, *at)));
            let lost = std::mem::take(&mut state.logs_lost);
            if lost > 0 {
                let line = LogLine {
                    level: "warn".to_owned(),
                    message: format!("{lost} older log lines are lost: no server took them"),
                    source: to.who.host.clone(),
                    job_id: None,
                    timestamp: Some(now.to_string()),
                };
                frames.push(frames::log(&line, now));
            }
            frames.extend(state.logs.drain(..).map(|line| frames::log(&line, now)));
            for once in state.unspooled.drain(..) {
                push(&mut frames, once.happening, None, to, now);
                state.sending.extend(once.told);
            }
            if state.holds > 0 || waiting {
                return frames;
            }
        }
        for (number, happening) in self.spooled(*cursor) {
            *cursor = number;
            push(&mut frames, happening, Some(number), to, now);
        }
        frames
    }
}

impl Outbox {
    /// The drives, where they changed.
    fn take_drives(&self, to: &To) -> Option<Frame> {
        let drives = {
            let mut state = self.state();
            std::mem::take(&mut state.drives_dirty).then(|| state.drives.clone())?
        };
        if !to.home {
            return Some(inventory::frame(&drives, &to.who));
        }
        let (frame, shortened) = room::drives(&drives);
        let keys = shortened.iter().map(|drive| drive.key.clone()).collect();
        let before = std::mem::replace(&mut self.state().shortened, keys);
        for drive in shortened.iter().filter(|drive| !before.contains(&drive.key)) {
            let message = format!(
                "{} {} holds so many partitions and labels that, with those of all drives, they do not fit a message: the \
                 dashboard shows their summary alone. Pull drives that hold as many to see all of them",
                drive.model, drive.serial
            );
            let id = drive.id.clone();
            self.event(Happening::new(
                TOO_LONG,
                Severity::Info,
                id,
                message,
                serde_json::Value::Null,
            ));
        }
        Some(frame)
    }

    /// A frame that is longer than a connection takes: what it tells is missing at the server, which is told once for each kind.
    pub fn too_long(&self, error: &SendError) {
        let SendError::TooLong { kind, length, longest } = error else {
            return;
        };
        if !self.state().too_long.insert(kind.clone()) {
            return;
        }
        let message = format!(
            "A message of the agent ({kind}) has {length} bytes, and one holds {longest}: it was not sent, and the dashboard goes on \
             showing what it knew before. Fewer of what it lists (drives, playbooks) fit again"
        );
        let data = serde_json::json!({ "frame": kind, "length": length, "longest": longest });
        self.event(Happening::new(TOO_LONG, Severity::Warning, None, message, data));
    }

    /// A few certificates that the server may lack.
    fn take_certificates(&self) -> Vec<Frame> {
        let due: Vec<JobId> = {
            let mut state = self.state();
            let due: Vec<JobId> = state.certificates.iter().take(CERTIFICATES_AT_ONCE).copied().collect();
            state.certificates.retain(|id| !due.contains(id));
            if !state.certificates.is_empty() {
                self.inner.wake.notify_one();
            }
            due
        };
        let texts = due.into_iter().filter_map(|job| {
            let text = past::certificate(&self.inner.store, job);
            text.unwrap_or_else(|cause| {
                error!(%job, error = %cause, "a certificate could not be read");
                None
            })
        });
        texts.map(Frame::Certificate).collect()
    }
}

/// An event that has waited so long for the server tells when it happened, for the log has the time at which it came.
const WAITED: Duration = Duration::from_secs(30);

/// The facts of an event that happened `at` and is told now; `happened_at` among them where it waited.
fn waited(data: serde_json::Value, at: Option<Time>, now: Time) -> serde_json::Value {
    let has_waited = |at: &Time| now.as_second().saturating_sub(at.as_second()) >= WAITED.as_secs().cast_signed();
    let Some(at) = at.filter(has_waited) else { return data };
    let mut facts = match data.is_null() {
        true => serde_json::json!({}),
        false => data,
    };
    // Facts of another form stay as they are.
    if let Some(members) = facts.as_object_mut() {
        members.insert("happened_at".to_owned(), at.to_string().into());
    }
    facts
}

fn push(frames: &mut Vec<Frame>, happening: Happening, origin: Option<u64>, to: &To, now: Time) {
    if !to.home {
        frames.extend(frames::happening(&happening, origin, &to.who, now));
        return;
    }
    frames.push(Frame::Event(wire::event::NewEvent {
        origin,
        data: waited(happening.event.data, happening.at, now),
        ..happening.event
    }));
    frames.extend(happening.notifications.into_iter().map(Frame::Notification));
}

#[cfg(test)]
mod tests;

//! The server's shell: what all requests share, and the way effects of the hub take into the world.
//!
//! The hub, the claim and the gate are pure and live behind mutexes that are held for microseconds and never over an
//! `await`. Everything that has to be kept goes through the [`Scribe`].

mod addon;
mod agent;
mod listeners;
mod past;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{Check, Store};
use tokio::sync::{broadcast, mpsc, watch};
use wire::boxes::Banner;
use wire::event::{Actor, NewEvent, Severity};
use wire::job::Job;
use wire::{DriveId, Problem};

use crate::addon::Addons;
use crate::addon::replies::Replies;
use crate::alerts::{self, Alerts};
use crate::auth::claim::{Claim, Code};
use crate::auth::known::Known;
use crate::auth::limit::Limit;
use crate::auth::password::{self, Hasher};
use crate::auth::refused::Refused;
use crate::auth::secret::{self, Bearer};
use crate::auth::vault::Vault;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::fleet::{self, Fleet};
use crate::gate::Gate;
use crate::http::Bodies;
use crate::hub::liveness::Watch;
use crate::hub::throttle::Room;
use crate::hub::{AGENT, Effect, Hub, Input, Past};
use crate::key::Keys;
use crate::life::backup::shelf::Shelf;
use crate::life::{self, Life};
use crate::message::Message;
use crate::own;
use crate::scribe::{self, Keep, Scribe};
use crate::tables;
use crate::update::Updates;
pub use addon::Came;
pub use listeners::{Hearing, Listeners};
use past::past;
pub use past::{events, events_of};

/// Messages that a slow listener may lag behind; then it gets a fresh snapshot instead.
const STREAM: usize = 1024;

/// How often entries are taken out of tables because nothing can read them: once a table, and some that are not of their table's
/// kind in another way.
const ONE_BY_ONE: usize = 64;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Directory of its state.
    pub data: PathBuf,
    /// Host name.
    pub name: String,
    /// User name and password with which an unclaimed box claims itself.
    pub admin: Option<(String, String)>,
    /// Token of the built-in agent; `None` where the box has none.
    pub agent_token: Option<String>,
    /// How the store's file is checked.
    pub check: Check,
    /// The clock.
    pub clock: Clock,
    /// How heartbeats of add-ons are watched.
    pub watch: Watch,
    /// What the environment says about alerts.
    pub alerts: alerts::Settings,
    /// Largest size of the store's file in bytes.
    pub map_size: usize,
    /// What was set and is not used, a sentence each.
    pub wrong: Vec<String>,
}

/// Why a request was not done: a refusal, or the medium.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, with words for the person.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("opening the store")]
    Store(#[from] store::Error),
    /// The keys.
    #[error("opening the keys")]
    Keys(#[from] crate::key::Error),
    /// The password with which the box was to claim itself.
    #[error("ADMIN_PASSWORD: {0}")]
    Password(#[from] password::Error),
}

/// What the tasks of [`past`] are asked.
#[derive(Debug)]
struct Asked {
    recalled: mpsc::Receiver<Vec<DriveId>>,
    amended: mpsc::Receiver<Job>,
}

/// A connected add-on.
#[derive(Debug)]
struct Linked {
    addon: u64,
    /// Where it comes from.
    from: String,
    /// Key of the token that it came with.
    token: String,
    /// That token; here alone, and for no longer than the connection.
    bearer: Bearer,
    sender: link::Sender,
}

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// Time.
    pub clock: Clock,
    /// The medium.
    pub store: Store,
    /// Credentials.
    pub vault: Vault,
    /// Where passwords are hashed.
    pub hasher: Hasher,
    /// Add-ons.
    pub addons: Addons,
    /// What has to be kept.
    pub scribe: Scribe,
    /// What everybody who looks at the box is told.
    pub stream: broadcast::Sender<Message>,
    /// Who looks at which add-on.
    pub listeners: Listeners,
    /// Commands to add-ons that wait for their result.
    pub replies: Replies,
    /// Whether add-on 1 is the box's own agent.
    pub(crate) has_agent: bool,
    /// What of the box's life this side has a hand in.
    pub life: Life,
    /// Updates.
    pub update: Updates,
    /// Other computers that report their drives.
    pub fleet: Fleet,
    /// Who is told what.
    pub alerts: Alerts,
    /// True once the server is stopping.
    pub stopping: watch::Sender<bool>,
    /// The claim code that the console shows.
    pub console: watch::Sender<Option<String>>,
    /// Whose turn it is to say, or take back, that the end of a job was seen: the hub hears of them as they were written.
    pub(crate) acknowledging: tokio::sync::Mutex<()>,
    hub: Mutex<Hub>,
    claim: Mutex<Claim>,
    gate: Mutex<Gate>,
    logins: Mutex<Limit>,
    refused: Mutex<Refused>,
    known: Mutex<Known>,
    tokens: Mutex<Limit>,
    calls: Calls,
    /// Drives whose newest job is to be looked up, see [`past::recall_each`].
    recalls: mpsc::Sender<Vec<DriveId>>,
    links: Mutex<HashMap<u64, Linked>>,
    connections: AtomicU64,
    /// Bytes that the throttles of all add-ons hold back.
    held: Room,
    /// Bytes that the bodies of all requests hold.
    pub bodies: Bodies,
    /// Bytes of messages that add-ons have sent in part, or whole and nobody has taken yet.
    pub messages: link::Budget,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What panicked while holding it was in a pure function; its state is as good as it was before.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// Opens everything and starts the tasks that belong to it.
    ///
    /// # Errors
    /// When the data directory cannot be used at all. What is corrupt in it is set aside and told, and is no error.
    pub async fn start(setup: Setup) -> Result<Arc<Self>, StartError> {
        let options = store::Options {
            schema: tables::SCHEMA,
            check: setup.check.clone(),
            map_size: setup.map_size,
            ..store::Options::new(tables::NAMES)
        };
        let open = || {
            let (dir, options) = (setup.data.clone(), options.clone());
            tokio::task::spawn_blocking(move || store::open(&dir, &options))
        };
        let opened = open().await.map_err(|_| store::Error::Closed)??;
        let (mut store, mut aside) = (opened.store, opened.set_aside);
        // Before anything else has read what would be replaced.
        let stays = life::backup::Stays::of(&store);
        let restored = life::backup::take_up(&setup.data, &options, stays).await;
        if matches!(restored, Ok(true)) {
            drop(store);
            let opened = open().await.map_err(|_| store::Error::Closed)??;
            (store, aside) = (opened.store, opened.set_aside.or(aside));
        }
        let keys = Keys::open(&setup.data)?;
        let mut taken_out: Vec<store::TakenOut> = Vec::new();
        let (app, asked) = loop {
            let begun = Self::begin(&setup, &store, &keys).await;
            let Err(StartError::Store(store::Error::Value { table, key, why })) = begun else {
                break begun?;
            };
            // One that is taken out is not read again: more in a row are of tables that nobody can take out.
            if taken_out.len() > ONE_BY_ONE {
                return Err(store::Error::Value { table, key, why }.into());
            }
            let from = store.clone();
            let taken = tokio::task::spawn_blocking(move || match tables::take_out(&from, table)? {
                Some(all) => Ok(all),
                None => from.take_out(table, &key, &why),
            });
            taken_out.push(taken.await.map_err(|_| store::Error::Closed)??);
        };
        app.tell_what_was_set_aside(&setup.data, aside, &keys.set_aside).await;
        app.tell_what_was_taken_out(&setup.data, taken_out).await;
        app.tell_what_is_not_used(&setup.wrong).await;
        app.tell_what_was_put_back(restored).await;
        app.note_what_is_kept().await;
        app.spawn_tasks(asked);
        Ok(app)
    }

    /// Has the number of the newest backup noted where memory finds it, should the medium be pulled.
    async fn note_what_is_kept(&self) {
        let shelf = Shelf::below(&self.life.data);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || shelf.note()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the newest backup's number was not noted"
            );
        }
    }

    /// Tells what became of a backup that waited for this start: whoever ordered it was answered before.
    async fn tell_what_was_put_back(&self, restored: Result<bool, life::backup::Error>) {
        let (kind, message) = match restored {
            Ok(false) => return,
            Ok(true) => ("box.restored", "The box goes on with the state of a backup".to_owned()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a backup was not put back");
                let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
                let why: Vec<String> = chain.map(ToString::to_string).collect();
                let why = why.join(": ");
                let message = match error {
                    life::backup::Error::Ended => format!(
                        "A backup may not have been put back: {why}. Look at what is there; where it is not the backup's, bring it again"
                    ),
                    life::backup::Error::Waits(..) => format!(
                        "A backup was not put back: {why}. The server goes on with what it had; its next start tries again"
                    ),
                    life::backup::Error::Store(_)
                    | life::backup::Error::File(..)
                    | life::backup::Error::Seal(_)
                    | life::backup::Error::Full(_)
                    | life::backup::Error::Schema { .. }
                    | life::backup::Error::Table { .. }
                    | life::backup::Error::Damaged { .. }
                    | life::backup::Error::Rows(_) => format!(
                        "A backup was not put back: {why}. The server goes on with what it had; drives' records may be the backup's already. Bring it again"
                    ),
                };
                ("box.not_restored", message)
            }
        };
        self.record(kind, Severity::Warning, message, serde_json::json!({}))
            .await;
    }

    /// Reads what is kept and makes of it what all requests share; nothing runs yet but the scribe. The other value is what
    /// the tasks are asked ([`Self::spawn_tasks`]).
    async fn begin(setup: &Setup, store: &Store, keys: &Keys) -> Result<(Arc<Self>, Asked), StartError> {
        let clock = setup.clock.clone();
        let now = clock.now();
        let vault = Vault::open(store.clone())?;
        let hasher = Hasher::default();
        if !vault.has_users()
            && let Some((name, password)) = &setup.admin
        {
            let hash = hasher.hash(password.clone()).await?;
            vault.add_user(name, hash, now).await?;
            tracing::info!(user = name, "the box claimed itself with ADMIN_PASSWORD");
        }
        let addons = Addons::open(store.clone())?;
        if let Some(token) = &setup.agent_token {
            addons.ensure_agent(now.wall).await?;
            vault.admit(token, AGENT, now);
        }
        let claimed = vault.has_users();
        let claim = if claimed {
            Claim::closed()
        } else {
            Claim::open(Code::from_random(secret::random()))
        };
        let code = claim.code().map(Code::text);
        let fleet = Fleet::new(store.clone());
        let hub = Hub::new(
            now,
            &setup.name,
            claimed,
            setup.agent_token.is_some(),
            Past {
                watch: setup.watch,
                smart_words: own::smart_words(&fleet.book)?,
                heard: addons
                    .list()
                    .into_iter()
                    .find(|addon| addon.id == AGENT)
                    .and_then(|addon| addon.last_seen),
                ..past(store)?
            },
        );
        // Before the scribe: what cannot be read ends this here.
        let alerts = Alerts::open(store.clone(), &setup.alerts, now.wall).await?;
        let stream = broadcast::channel(STREAM).0;
        let (recalls, recalled) = mpsc::channel(past::RECALLS);
        let (amend, amended) = mpsc::channel(past::AMENDED);
        let app = Arc::new(Self {
            scribe: Scribe::start(store.clone(), stream.clone(), amend, clock.clone()),
            clock,
            vault,
            hasher,
            addons,
            stream,
            listeners: Listeners::default(),
            replies: Replies::default(),
            has_agent: setup.agent_token.is_some(),
            life: Life::new(setup.data.clone()),
            update: Updates::default(),
            fleet,
            alerts,
            stopping: watch::channel(false).0,
            console: watch::channel(code).0,
            acknowledging: tokio::sync::Mutex::default(),
            hub: Mutex::new(hub),
            claim: Mutex::new(claim),
            gate: Mutex::new(Gate::new(keys.gate.clone(), keys.box_id.clone())),
            // Five wrong passwords a minute from one address; ten wrong tokens.
            logins: Mutex::new(Limit::new(5, Duration::from_mins(1))),
            refused: Mutex::new(Refused::new(now.mono)),
            known: Mutex::default(),
            tokens: Mutex::new(Limit::new(10, Duration::from_mins(1))),
            calls: Calls::default(),
            recalls,
            links: Mutex::default(),
            connections: AtomicU64::new(1),
            held: Room::default(),
            bodies: Bodies::default(),
            messages: link::Budget::default(),
            store: store.clone(),
        });
        for addon in app.addons.list() {
            app.feed(Input::Known {
                addon: addon.id,
                name: addon.name,
                last_seen: addon.last_seen,
                enabled: addon.enabled,
            })
            .await;
        }
        Ok((app, Asked { recalled, amended }))
    }

    fn spawn_tasks(self: &Arc<Self>, asked: Asked) {
        tokio::spawn(fleet::watch(Arc::downgrade(self)));
        tokio::spawn(past::recall_each(Arc::downgrade(self), asked.recalled));
        tokio::spawn(past::amend_each(Arc::downgrade(self), asked.amended));
        self.alerts.start(self);
        let app = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut ticks = 0_u64;
            loop {
                tick.tick().await;
                let Some(app) = app.upgrade() else { return };
                app.feed(Input::Tick).await;
                ticks += 1;
                app.life.brought.drop_late(app.clock.now().mono);
                if ticks.is_multiple_of(60) {
                    app.keep_seen().await;
                }
                if ticks.is_multiple_of(300)
                    && let Err(error) = app.vault.sweep(app.clock.now()).await
                {
                    tracing::warn!(%error, "ended sessions were not taken out of the table");
                }
            }
        });
        let app = Arc::downgrade(self);
        let mut trouble = self.scribe.trouble();
        tokio::spawn(async move {
            while trouble.changed().await.is_ok() {
                let text = trouble.borrow_and_update().clone();
                let Some(app) = app.upgrade() else { return };
                let severity = Severity::Critical;
                let banner = text.map(|text| Banner { severity, text });
                app.feed(Input::Banner { key: "full", banner }).await;
            }
        });
        let app = Arc::downgrade(self);
        let store = self.store.clone();
        tokio::spawn(async move {
            let found = tokio::task::spawn_blocking(move || scribe::retain::verify(&store)).await;
            let (Ok(Ok(Some(seq))), Some(app)) = (found, app.upgrade()) else {
                return;
            };
            tracing::error!(seq, "the event log's chain is broken");
            let text = format!("The event log was changed from outside: its chain breaks at event {seq}");
            let banner = Some(Banner {
                severity: Severity::Critical,
                text,
            });
            app.feed(Input::Banner { key: "chain", banner }).await;
        });
    }

    /// Feeds the hub and carries out what follows.
    pub async fn feed(&self, input: Input) {
        let now = self.clock.now();
        let mut keep = Vec::new();
        let mut later = Vec::new();
        {
            let mut hub = lock(&self.hub);
            for effect in hub.step(now, input) {
                match effect {
                    // Sent while the hub is held, so that messages leave in the order of what they tell.
                    Effect::Stream(stream) => {
                        let _listeners = self.stream.send(Message::of(now, &hub, &stream));
                    }
                    Effect::Telemetry { addon, number, item } => {
                        self.listeners.tell(addon, number, &item);
                    }
                    Effect::Event(event, actor) => keep.push(Keep::Event(event, actor, now.wall)),
                    Effect::SaveJob(job) => keep.push(Keep::Job(job)),
                    Effect::SaveDrives(drives) => keep.push(Keep::Drives(drives)),
                    Effect::SavePlaybooks(playbooks) => keep.push(Keep::Playbooks(playbooks)),
                    Effect::SaveCertificate(certificate) => keep.push(Keep::Certificate(certificate)),
                    Effect::SaveLine { job, line } => keep.push(Keep::Line(job, line)),
                    Effect::Remember(remembered) => keep.push(Keep::Remember(remembered)),
                    Effect::Reply(reply) => self.calls.reply(reply),
                    Effect::AgentGone => self.calls.fail_all(),
                    Effect::Refused { addon, what } => self.tell_sender(addon, what),
                    effect @ (Effect::Replace(_)
                    | Effect::Dismiss(..)
                    | Effect::Result { .. }
                    | Effect::Recall(_)
                    | Effect::Abandon(_)
                    | Effect::Hello) => later.push(effect),
                }
            }
        }
        self.scribe.keep(keep).await;
        for effect in later {
            match effect {
                Effect::Replace(connection) => {
                    let linked = lock(&self.links).remove(&connection);
                    if let Some(linked) = linked {
                        linked.sender.close(1001, "a newer connection took its place").await;
                    }
                }
                Effect::Dismiss(connection, why) => {
                    let linked = lock(&self.links).remove(&connection);
                    if let Some(linked) = linked {
                        linked.sender.close(1008, why).await;
                    }
                }
                Effect::Result { addon, payload } => {
                    if let Err(what) = self.replies.result(addon, payload) {
                        let what = format!("a result: {what}");
                        Box::pin(self.feed(Input::Word { addon, what })).await;
                    }
                }
                Effect::Recall(drives) => {
                    let sent = self.recalls.send(drives).await;
                    if sent.is_err() {
                        tracing::error!("nobody looks up earlier jobs of drives any more");
                    }
                }
                Effect::Abandon(job) => self.abandon(job).await,
                Effect::Hello => self.say_hello().await,
                // Carried out while the hub was held.
                Effect::Event(..)
                | Effect::SaveJob(_)
                | Effect::SaveDrives(_)
                | Effect::SavePlaybooks(_)
                | Effect::SaveCertificate(_)
                | Effect::SaveLine { .. }
                | Effect::Remember(_)
                | Effect::Stream(_)
                | Effect::Telemetry { .. }
                | Effect::Reply(_)
                | Effect::Refused { .. }
                | Effect::AgentGone => {}
            }
        }
    }

    /// Tells an add-on what of it was not taken. One that does not read has it in its log alone: nobody waits for it. The box's own
    /// agent has its log in the journal.
    fn tell_sender(&self, addon: u64, what: String) {
        if addon == AGENT && self.has_agent {
            return;
        }
        let frame = wire::Frame::Other {
            kind: "error".to_owned(),
            payload: serde_json::json!({ "message": what }),
        };
        for linked in lock(&self.links).values().filter(|linked| linked.addon == addon) {
            let _full_or_over = linked.sender.try_send(&frame);
        }
    }

    /// Looks at the hub.
    pub fn hub<T>(&self, look: impl FnOnce(&Hub) -> T) -> T {
        look(&lock(&self.hub))
    }

    /// The claim.
    pub fn claim<T>(&self, work: impl FnOnce(&mut Claim) -> T) -> T {
        let mut claim = lock(&self.claim);
        let done = work(&mut claim);
        self.console.send_if_modified(|shown| {
            let code = claim.code().map(Code::text);
            let changed = *shown != code;
            *shown = code;
            changed
        });
        done
    }

    /// The gate.
    pub fn gate<T>(&self, work: impl FnOnce(&mut Gate) -> T) -> T {
        work(&mut lock(&self.gate))
    }

    /// What is told of wrong passwords.
    pub fn refused<T>(&self, work: impl FnOnce(&mut Refused) -> T) -> T {
        work(&mut lock(&self.refused))
    }

    /// The limit of wrong passwords.
    pub fn logins<T>(&self, work: impl FnOnce(&mut Limit) -> T) -> T {
        work(&mut lock(&self.logins))
    }

    /// The addresses from which a password was right.
    pub fn known<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut lock(&self.known))
    }

    /// The limit of wrong tokens.
    pub fn tokens<T>(&self, work: impl FnOnce(&mut Limit) -> T) -> T {
        work(&mut lock(&self.tokens))
    }

    /// Records an event of the server's own.
    pub async fn record(&self, kind: &str, severity: Severity, message: String, data: serde_json::Value) {
        let event = NewEvent::new(kind, severity, message, data);
        let actor = Actor::new("server", "server");
        self.scribe
            .keep(vec![Keep::Event(event, actor, self.clock.now().wall)])
            .await;
    }

    /// Records what a person has done, and waits until that is on the medium. Where the medium does not take it, it is held like all that
    /// happens: what was done stands, and nobody is told that it was not. Of what ends this process only the count is left then.
    pub async fn record_done(&self, event: NewEvent, person: &str) {
        let Err(error) = self.record_act(event.clone(), person).await else {
            return;
        };
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            kind = event.kind,
            "what a person did waits for the store"
        );
        let keep = Keep::Event(event, Actor::new("person", person), self.clock.now().wall);
        self.scribe.keep(vec![keep]).await;
    }

    /// Records what a person is about to do, or tried, and waits until it is on the medium.
    ///
    /// # Errors
    /// When the medium does not take it.
    pub async fn record_act(&self, event: NewEvent, person: &str) -> store::Result<()> {
        let actor = Actor::new("person", person);
        self.scribe
            .kept(vec![Keep::Event(event, actor, self.clock.now().wall)])
            .await
    }
}

/// Resolves once the server is stopping.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender, and the server with it, is gone.
    let _gone = stopping.wait_for(|stopping| *stopping).await.map(|_| ());
}

//! Other computers that report their drives: the book of [`health`], its limits, and the watch for silence.
//!
//! What a report changes is written in one commit together with the events that tell of it; those wait in an outbox
//! until the event log has them, so that a cut of power between the two loses none.

mod intake;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use health::Book;
use health::enrol::Token;
use wire::event::{Actor, NewEvent, Severity};

use crate::app::App;
use crate::auth::credential::SET_BACK;
use crate::auth::limit::Limit;
use crate::clock::Now;
use crate::hub::bucket::Bucket;
use crate::scribe::Keep;
use crate::tables::STATE;
pub use intake::Counted;
use intake::Intake;

/// Registrations and authentications a minute from one address. Source: Vigil, rate limits of the agent routes.
const A_MINUTE: usize = 10;

/// Reports a minute of one agent: the shortest interval that agents can be told is a minute, and one that starts again may
/// report a few times more.
const REPORTS: usize = 20;

/// The same in words.
pub const REPORTS_RULE: &str = "an agent may report 20 times a minute";

/// Events of one host in the event log: at once, and a second after that. A rack of drives that fails at once fits; a host
/// whose drives fail and heal with every report cannot push the events of the others out.
const EVENTS: (f64, f64) = (600.0, 1.0 / 60.0);

/// Seconds between reports that agents can be told. Source: Vigil, report interval.
pub const INTERVALS: [u64; 6] = [60, 900, 1800, 3600, 43_200, 86_400];

/// What agents are told where nobody chose.
pub const INTERVAL: u64 = 3600;

/// Key in the state table: the chosen interval.
const INTERVAL_KEY: &str = "hosts.report-interval";

/// A host is silent after so many of the intervals that it was told, but not before ten minutes.
const MISSED: u32 = 3;
const LEAST_SILENCE: Duration = Duration::from_mins(10);

/// How often silence is looked for.
const LOOK: Duration = Duration::from_secs(30);

/// Everything about other computers.
#[derive(Debug)]
pub struct Fleet {
    /// Agents, hosts, drives, histories.
    pub book: Book,
    /// How their reports are taken in.
    pub intake: Intake,
    registrations: Mutex<Limit>,
    authentications: Mutex<Limit>,
    reports: Mutex<Limit>,
    /// Room in the event log for each host, and how many events there was none for.
    shares: Mutex<HashMap<String, (Bucket, u64)>>,
    /// When each host was last heard, by the clock that only goes forward: the wall clock of a box may jump by years.
    heard: Mutex<HashMap<String, Duration>>,
    /// When the tokens that were made by this process end, by the clock that only goes forward.
    ends: Mutex<HashMap<u64, Duration>>,
    /// Held while events go from the outbox to the log, so that none goes twice.
    telling: tokio::sync::Mutex<()>,
}

/// Which of the limited routes.
#[derive(Clone, Copy, Debug)]
pub enum Road {
    /// Registration.
    Register,
    /// Authentication.
    Authenticate,
}

impl Fleet {
    /// The fleet of a store.
    pub fn new(store: store::Store) -> Self {
        let limit = || Mutex::new(Limit::new(A_MINUTE, Duration::from_mins(1)));
        Self {
            book: Book::new(store),
            intake: Intake::default(),
            registrations: limit(),
            authentications: limit(),
            reports: Mutex::new(Limit::new(REPORTS, Duration::from_mins(1))),
            shares: Mutex::default(),
            heard: Mutex::default(),
            ends: Mutex::default(),
            telling: tokio::sync::Mutex::default(),
        }
    }

    /// Counts a request of `peer`; every one counts, good or bad.
    ///
    /// # Errors
    /// How long to wait.
    pub fn count(&self, road: Road, now: Now, peer: &str) -> Result<(), Duration> {
        let limit = match road {
            Road::Register => &self.registrations,
            Road::Authenticate => &self.authentications,
        };
        let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
        limit.allow(now.mono, peer)?;
        limit.failed(now.mono, peer);
        Ok(())
    }

    /// Remembers when a token that was made just now ends.
    pub fn made(&self, token: u64, end: Duration, now: Duration) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is over is so by its length, too.
        ends.retain(|_, end| *end > now);
        ends.insert(token, end);
    }

    /// Whether a token has ended by the clock that only goes forward: one of an earlier process after its whole length at the
    /// latest, and at once where it was made in what is the future now.
    pub fn is_over(&self, token: &Token, now: Now) -> bool {
        let Some(expires) = token.expires_at else { return false };
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = ends.get(&token.id) {
            now.mono >= *end
        } else {
            let lasts = Duration::try_from(expires.duration_since(token.created_at)).unwrap_or_default();
            let latest = now.wall.checked_add(SET_BACK).unwrap_or(wire::Time::MAX);
            now.mono >= lasts || token.created_at > latest
        }
    }

    /// Counts a report of an agent.
    ///
    /// # Errors
    /// How long to wait.
    pub fn count_report(&self, now: Now, agent: u64) -> Result<(), Duration> {
        let mut limit = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let key = agent.to_string();
        limit.allow(now.mono, &key)?;
        limit.failed(now.mono, &key);
        Ok(())
    }

    /// What of an event of a host goes to the log: itself, with the one before it that tells how many there was no room
    /// for, or nothing.
    fn within_share(&self, now: Now, event: NewEvent) -> Vec<NewEvent> {
        let host = event.data["hostname"].as_str().unwrap_or("").to_owned();
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() > usize::try_from(health::tables::HOSTS_MAX).unwrap_or(usize::MAX) {
            // Hosts come and go; a full bucket is what a new one gets.
            shares.retain(|_, (bucket, lost)| *lost > 0 || bucket.until(now.mono, EVENTS.0) > Duration::ZERO);
        }
        let fresh = || (Bucket::new(now.mono, EVENTS.0, EVENTS.1), 0);
        let (bucket, lost) = shares.entry(host.clone()).or_insert_with(fresh);
        if !bucket.take(now.mono, 1.0) {
            *lost += 1;
            tracing::warn!(host, "the host's drives change more often than the event log tells");
            return Vec::new();
        }
        let told = match std::mem::take(lost) {
            0 => None,
            lost => Some(NewEvent::new(
                "host.too_many_events",
                Severity::Warning,
                format!("{lost} changes of drives of {host} were not told: more than 600 at once and one a minute"),
                serde_json::json!({ "hostname": host, "left_out": lost }),
            )),
        };
        told.into_iter().chain([event]).collect()
    }

    /// Takes note that a host was heard.
    pub fn heard(&self, hostname: &str, now: Now) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(hostname.to_owned(), now.mono);
    }

    /// Hosts that have said nothing for too long, with words: each by the interval that it was told, since it learns another with
    /// its next report, else by `interval`. One that has not spoken since this process started is given the whole time from then.
    fn silent(&self, now: Now, interval: u64) -> store::Result<BTreeMap<String, String>> {
        let hosts = self.book.hosts()?;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|name, _| hosts.iter().any(|host| host.hostname == *name));
        let quiet = hosts.into_iter().filter(|host| {
            let last = heard.get(&host.hostname).copied().unwrap_or(Duration::ZERO);
            let told = host.told_interval.filter(|seconds| INTERVALS.contains(seconds));
            let patience = (Duration::from_secs(told.unwrap_or(interval)) * MISSED).max(LEAST_SILENCE);
            now.mono.saturating_sub(last) > patience
        });
        Ok(quiet
            .map(|host| {
                let words = format!("no report since {}", host.last_seen.strftime("%Y-%m-%d %H:%M UTC"));
                (host.hostname, words)
            })
            .collect())
    }
}

impl App {
    /// Seconds between reports that agents are told.
    pub fn report_interval(&self) -> u64 {
        let chosen = self.store.read(|r| STATE.get(r, INTERVAL_KEY)).ok().flatten();
        chosen
            .and_then(|value| value.as_u64())
            .filter(|seconds| INTERVALS.contains(seconds))
            .unwrap_or(INTERVAL)
    }

    /// Chooses it; one of [`INTERVALS`].
    ///
    /// # Errors
    /// The medium.
    pub async fn set_report_interval(&self, seconds: u64) -> store::Result<()> {
        self.store
            .write(move |w| STATE.put(w, INTERVAL_KEY, &seconds.into()))
            .await
    }

    /// Takes the events of the outbox to the log.
    ///
    /// # Errors
    /// The medium; they stay in the outbox then.
    pub async fn tell_of_drives(&self) -> store::Result<()> {
        let _alone = self.fleet.telling.lock().await;
        loop {
            let waiting = self.fleet.book.outbox()?;
            let Some(last) = waiting.last().map(|(number, _)| *number) else {
                return Ok(());
            };
            let now = self.clock.now();
            let keep = waiting
                .into_iter()
                .flat_map(|(_, event)| self.fleet.within_share(now, event))
                .map(|event| Keep::Event(event, Actor::new("server", "health"), now.wall));
            self.scribe.kept(keep.collect()).await?;
            self.fleet.book.logged(last).await?;
        }
    }

    /// Records something about a host within its share of the event log.
    pub async fn record_of_host(&self, event: NewEvent) {
        let now = self.clock.now();
        let keep = self.fleet.within_share(now, event).into_iter();
        let keep = keep.map(|event| Keep::Event(event, Actor::new("server", "server"), now.wall));
        self.scribe.keep(keep.collect()).await;
    }

    /// Looks for hosts that fell silent, and takes events to the log that were left over.
    ///
    /// # Errors
    /// The medium.
    pub async fn look_for_silence(&self) -> store::Result<()> {
        let now = self.clock.now();
        let silent = self.fleet.silent(now, self.report_interval())?;
        if !silent.is_empty() {
            self.fleet.book.listen(silent, now.wall).await?;
        }
        self.tell_of_drives().await
    }
}

/// Looks for silence now and then, for as long as the server lives.
pub async fn watch(app: std::sync::Weak<App>) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(app): Option<Arc<App>> = app.upgrade() else {
            return;
        };
        if let Err(error) = app.look_for_silence().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "silent hosts were not looked for"
            );
        }
    }
}

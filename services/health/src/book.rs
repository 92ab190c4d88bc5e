//! The book: agents, hosts, drives and histories on the medium; what a report changes is one commit.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::json;
use store::{Store, Write};
use wire::event::{NewEvent, Severity};
use wire::{DriveId, Problem, Time};

use crate::alert::{self, Alerts, Change};
use crate::enrol::{Agent, Auth, Register, Token};
use crate::known::{Spec, known};
use crate::reading::Reading;
use crate::report::Report;
use crate::score::score;
use crate::tables::{
    AGENTS, DRIVES, DRIVES_MAX, Drive, ENROLLED_MAX, HOSTS, HOSTS_MAX, Host, NUMBERS, OUTBOX, POINTS, Point, SPECS,
    SPECS_MAX, TOKENS, drive_id,
};
use crate::{pool, thin, wear};

/// Points of one drive that are read at once.
const POINTS_READ: usize = 4 * thin::MOST;

/// After so many points a history is thinned.
const THIN_EVERY: u64 = 16;

/// Host name under which this box's own drives stand; no host agent can have it, for the blank in it.
pub const THIS_BOX: &str = "this box";

/// Most drives of this box itself: half of the room. A bench sees hundreds in a year; those longest gone make place.
const OWN_MAX: usize = 256;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, with words.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The medium failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

type Done<T> = Result<T, Failure>;

/// The book.
#[derive(Clone, Debug)]
pub struct Book {
    store: Store,
}

/// An agent with a new session.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Number.
    pub agent_id: u64,
    /// Host it reports for.
    pub hostname: String,
    /// When the session ends.
    pub ends: Time,
    /// Whether it is a new agent.
    pub is_new: bool,
}

/// What became of a report.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Drives that were taken.
    pub drives: usize,
    /// Drives that there was no room for.
    pub full: Vec<String>,
}

/// What this box's own agent read of one of its drives.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// What the drive said.
    pub reading: Reading,
    /// Its id, for the events.
    pub drive: Option<DriveId>,
    /// When it said so.
    pub at: Time,
    /// Serials of all drives that are plugged in.
    pub present: Vec<String>,
}

fn unknown_agent() -> Problem {
    Problem::new("agent-unknown", 401, "There is no such agent").with("register with a token first")
}

impl Book {
    /// The book in a store that was opened with [`crate::tables::NAMES`].
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Runs a write whose work may refuse; it does so before it has written anything.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_, '_>) -> store::Result<Result<T, Problem>> + Send + 'static,
    ) -> Done<T> {
        self.store.write(work).await?.map_err(Failure::Refused)
    }

    /// Makes a token; its hash alone is kept.
    ///
    /// # Errors
    /// `full` at [`ENROLLED_MAX`] tokens; the medium.
    pub async fn new_token(&self, name: String, hash: String, now: Time, expires_at: Option<Time>) -> Done<Token> {
        self.change(move |w| {
            if TOKENS.len(w)? >= ENROLLED_MAX {
                return Ok(Err(
                    Problem::new("full", 409, "There are too many tokens").with("take used ones away")
                ));
            }
            let id = NUMBERS.bump(w, "host-token")?;
            let token = Token {
                id,
                name,
                hash,
                created_at: now,
                expires_at,
                used_at: None,
                used_by: None,
            };
            TOKENS.put(w, &id, &token)?;
            Ok(Ok(token))
        })
        .await
    }

    /// All tokens.
    ///
    /// # Errors
    /// The medium.
    pub fn tokens(&self) -> store::Result<Vec<Token>> {
        Ok(self
            .store
            .read(|r| TOKENS.all(r))?
            .into_iter()
            .map(|(_, token)| token)
            .collect())
    }

    /// Takes a token away; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_token(&self, id: u64) -> store::Result<bool> {
        self.store.write(move |w| TOKENS.delete(w, &id)).await
    }

    /// Enrols an agent, or knows it again by its key; `token` and `session` are hashes.
    ///
    /// # Errors
    /// `bad-field` 400, `token-wrong` 401, `fingerprint-taken` 409, `full` 409; the medium.
    pub async fn register(&self, form: Register, token: Option<String>, session: String, now: Time) -> Done<Admitted> {
        form.check()?;
        self.change(move |w| {
            let agents: Vec<Agent> = AGENTS.all(w)?.into_iter().map(|(_, agent)| agent).collect();
            if agents
                .iter()
                .any(|a| a.fingerprint == form.fingerprint && a.public_key != form.public_key)
            {
                return Ok(Err(Problem::new(
                    "fingerprint-taken",
                    409,
                    "This machine is enrolled with another key",
                )
                .with("take the old agent away, or bring its key back")));
            }
            let known = agents.into_iter().find(|a| a.public_key == form.public_key);
            let is_new = known.is_none();
            let mut agent = match known {
                Some(agent) => agent,
                None => {
                    let tokens = TOKENS.all(w)?;
                    let found = tokens
                        .into_iter()
                        .map(|(_, t)| t)
                        .find(|t| Some(&t.hash) == token.as_ref());
                    let wrong =
                        |why: &str| Problem::new("token-wrong", 401, "The registration token is not good").with(why);
                    let mut token = match found {
                        None => return Ok(Err(wrong("it is missing, wrong or taken away"))),
                        Some(t) if t.used_at.is_some() => {
                            return Ok(Err(wrong("it was used already; each admits one agent")));
                        }
                        Some(t) if t.expires_at.is_some_and(|end| end <= now) => {
                            return Ok(Err(wrong("it has expired")));
                        }
                        Some(t) => t,
                    };
                    if AGENTS.len(w)? >= ENROLLED_MAX {
                        return Ok(Err(
                            Problem::new("full", 409, "There are too many agents").with("take some away")
                        ));
                    }
                    let id = NUMBERS.bump(w, "host-agent")?;
                    token.used_at = Some(now);
                    token.used_by = Some(id);
                    TOKENS.put(w, &token.id.clone(), &token)?;
                    // The person who gave the token says who this host is now.
                    if let Some(mut host) = HOSTS.get(w, form.hostname.as_str())? {
                        host.agent_id = id;
                        HOSTS.put(w, form.hostname.as_str(), &host)?;
                    }
                    Agent {
                        id,
                        name: if form.name.is_empty() {
                            form.hostname.clone()
                        } else {
                            form.name.clone()
                        },
                        hostname: form.hostname.clone(),
                        fingerprint: String::new(),
                        public_key: form.public_key.clone(),
                        registered_at: now,
                        last_auth_at: now,
                        last_seen_at: None,
                        sessions: Vec::new(),
                        seen: Vec::new(),
                    }
                }
            };
            agent.fingerprint.clone_from(&form.fingerprint);
            let ends = agent.admit(&session, now);
            AGENTS.put(w, &agent.id, &agent)?;
            Ok(Ok(Admitted {
                agent_id: agent.id,
                hostname: agent.hostname,
                ends,
                is_new,
            }))
        })
        .await
    }

    /// Gives a session for a signature; `session` is a hash.
    ///
    /// # Errors
    /// `bad-field` 400, `clock-off`, `agent-unknown`, `signature-wrong`, `replayed` 401; the medium.
    pub async fn authenticate(&self, auth: Auth, session: String, now: Time) -> Done<Admitted> {
        auth.check(now)?;
        self.change(move |w| {
            let Some(mut agent) = AGENTS.get(w, &auth.agent_id)? else {
                return Ok(Err(unknown_agent()));
            };
            let others = AGENTS.all(w)?;
            if others
                .iter()
                .any(|(id, a)| *id != agent.id && a.fingerprint == auth.fingerprint)
            {
                return Ok(Err(Problem::new(
                    "fingerprint-taken",
                    403,
                    "Another agent has this fingerprint",
                )));
            }
            if let Err(problem) = agent.believe(&auth, now) {
                return Ok(Err(problem));
            }
            let ends = agent.admit(&session, now);
            AGENTS.put(w, &agent.id, &agent)?;
            Ok(Ok(Admitted {
                agent_id: agent.id,
                hostname: agent.hostname,
                ends,
                is_new: false,
            }))
        })
        .await
    }

    /// The agent whose session this is; `session` is a hash.
    ///
    /// # Errors
    /// The medium.
    pub fn agent_of(&self, session: &str, now: Time) -> store::Result<Option<Agent>> {
        let agents = self.store.read(|r| AGENTS.all(r))?;
        Ok(agents
            .into_iter()
            .map(|(_, agent)| agent)
            .find(|agent| agent.has(session, now)))
    }

    /// All agents.
    ///
    /// # Errors
    /// The medium.
    pub fn agents(&self) -> store::Result<Vec<Agent>> {
        Ok(self
            .store
            .read(|r| AGENTS.all(r))?
            .into_iter()
            .map(|(_, agent)| agent)
            .collect())
    }

    /// Takes an agent away with its host and all its drives and histories; its host name, or `None` if there is none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_agent(&self, id: u64) -> store::Result<Option<String>> {
        self.store
            .write(move |w| {
                let Some(agent) = AGENTS.get(w, &id)? else {
                    return Ok(None);
                };
                AGENTS.delete(w, &id)?;
                if HOSTS
                    .get(w, agent.hostname.as_str())?
                    .is_some_and(|host| host.agent_id == id)
                {
                    forget(w, &agent.hostname)?;
                }
                Ok(Some(agent.hostname))
            })
            .await
    }

    /// Takes a host away with its drives and histories; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_host(&self, hostname: String) -> store::Result<bool> {
        self.store.write(move |w| forget(w, &hostname)).await
    }

    /// Takes a report of an agent.
    ///
    /// # Errors
    /// `host-taken` 409, `full` 409; the medium.
    pub async fn take(&self, agent_id: u64, report: Report, address: Option<IpAddr>, now: Time) -> Done<Taken> {
        self.change(move |w| {
            let Some(mut agent) = AGENTS.get(w, &agent_id)? else {
                return Ok(Err(unknown_agent()));
            };
            let known = HOSTS.get(w, report.hostname.as_str())?;
            if let Some(other) = known
                .as_ref()
                .map(|host| host.agent_id)
                .filter(|other| *other != agent_id)
                && AGENTS.get(w, &other)?.is_some()
            {
                return Ok(Err(Problem::new(
                    "host-taken",
                    409,
                    "Another agent reports for this host",
                )
                .with(format!(
                    "hostname {}: agent {other}; give this agent another host name, or take that agent away",
                    report.hostname
                ))));
            }
            if known.is_none() && HOSTS.len(w)? >= HOSTS_MAX {
                return Ok(Err(
                    Problem::new("full", 409, "There are too many hosts").with("take some away")
                ));
            }
            let old = known.as_ref().is_some_and(|host| report.at < host.last_report);
            let alerts = known.as_ref().map(|host| host.alerts.clone()).unwrap_or_default();
            let (alerts, changes) = alert::silence(&alerts, None, now);
            for change in changes {
                OUTBOX.append(w, &event(&change, &report.hostname, None))?;
            }
            let mut of_pools = known.as_ref().map(|host| host.pools.clone()).unwrap_or_default();
            if !old {
                for event in pools(&mut of_pools, &report) {
                    OUTBOX.append(w, &event)?;
                }
            }
            let taken = drives(w, &report, old)?;
            let rejected = report.rejected.iter().map(|r| r.why.clone());
            let host = Host {
                agent_id,
                agent_version: report.agent_version,
                first_seen: known.as_ref().map_or(now, |host| host.first_seen),
                last_seen: now,
                last_report: known.as_ref().map_or(report.at, |host| host.last_report.max(report.at)),
                reports: known.as_ref().map_or(0, |host| host.reports) + 1,
                rejected: rejected.chain(taken.full.iter().cloned()).take(32).collect(),
                led_identify: report.led_identify,
                listen_addr: report.listen_addr,
                address,
                zfs: report.zfs,
                alerts,
                pools: of_pools,
                hostname: report.hostname,
            };
            HOSTS.put(w, host.hostname.as_str(), &host)?;
            agent.hostname = host.hostname;
            agent.last_seen_at = Some(now);
            AGENTS.put(w, &agent_id, &agent)?;
            Ok(Ok(taken))
        })
        .await
    }

    /// Takes a reading of one of this box's own drives; false where there is no room for it.
    ///
    /// # Errors
    /// The medium.
    pub async fn take_own(&self, own: Own) -> store::Result<bool> {
        self.store
            .write(move |w| {
                let id = drive_id(THIS_BOX, &own.reading);
                if DRIVES.get(w, id.as_str())?.is_none() {
                    make_place(w)?;
                }
                let taken = drive(w, THIS_BOX, &own.reading, own.at, own.drive.as_ref())?;
                let here: Vec<String> = own.present.iter().map(|serial| plain(serial)).collect();
                for (other, mut drive) in DRIVES.all(w)?.into_iter().filter(|(_, d)| d.hostname == THIS_BOX) {
                    let present = other == id || here.contains(&plain(&drive.reading.serial));
                    if drive.present != present {
                        drive.present = present;
                        DRIVES.put(w, other.as_str(), &drive)?;
                    }
                }
                Ok(taken.is_some())
            })
            .await
    }

    /// Tells of hosts that fell silent: for each whose `silent` gives words, once.
    ///
    /// # Errors
    /// The medium.
    pub async fn listen(&self, silent: BTreeMap<String, String>, now: Time) -> store::Result<()> {
        self.store
            .write(move |w| {
                for (hostname, words) in silent {
                    let Some(mut host) = HOSTS.get(w, hostname.as_str())? else {
                        continue;
                    };
                    let (alerts, changes) = alert::silence(&host.alerts, Some(words), now);
                    if changes.is_empty() {
                        continue;
                    }
                    for change in changes {
                        OUTBOX.append(w, &event(&change, &hostname, None))?;
                    }
                    host.alerts = alerts;
                    HOSTS.put(w, hostname.as_str(), &host)?;
                }
                Ok(())
            })
            .await
    }

    /// Events that wait to be logged, oldest first.
    ///
    /// # Errors
    /// The medium.
    pub fn outbox(&self) -> store::Result<Vec<(u64, NewEvent)>> {
        self.store.read(|r| OUTBOX.after(r, &0, 256))
    }

    /// Takes logged events away.
    ///
    /// # Errors
    /// The medium.
    pub async fn logged(&self, up_to: u64) -> store::Result<()> {
        self.store
            .write(move |w| {
                for (number, _) in OUTBOX.all(w)? {
                    if number <= up_to {
                        OUTBOX.delete(w, &number)?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// All hosts.
    ///
    /// # Errors
    /// The medium.
    pub fn hosts(&self) -> store::Result<Vec<Host>> {
        Ok(self
            .store
            .read(|r| HOSTS.all(r))?
            .into_iter()
            .map(|(_, host)| host)
            .collect())
    }

    /// All drives that `wanted` wants.
    ///
    /// # Errors
    /// The medium.
    pub fn drives(&self, wanted: impl Fn(&Drive) -> bool) -> store::Result<Vec<Drive>> {
        let all = self.store.read(|r| DRIVES.all(r))?.into_iter().map(|(_, drive)| drive);
        let mut those: Vec<Drive> = all.filter(|drive| wanted(drive)).collect();
        those.sort_by(|a, b| (&a.hostname, &a.reading.device).cmp(&(&b.hostname, &b.reading.device)));
        Ok(those)
    }

    /// A drive's history since a moment, oldest first.
    ///
    /// # Errors
    /// The medium.
    pub fn points(&self, drive: &str, since: Time) -> store::Result<Vec<(i64, Point)>> {
        let after = u64::try_from(since.as_second()).unwrap_or(0).saturating_sub(1);
        let points = self.store.read(|r| POINTS.after_of(r, drive, after, POINTS_READ))?;
        Ok(points
            .into_iter()
            .map(|(at, point)| (i64::try_from(at).unwrap_or(i64::MAX), point))
            .collect())
    }

    /// Gives a drive a name; false if there is no such drive.
    ///
    /// # Errors
    /// The medium.
    pub async fn name(&self, id: String, alias: String) -> store::Result<bool> {
        self.store
            .write(move |w| {
                let Some(mut drive) = DRIVES.get(w, id.as_str())? else {
                    return Ok(false);
                };
                drive.alias = alias;
                DRIVES.put(w, id.as_str(), &drive)?;
                Ok(true)
            })
            .await
    }

    /// Takes points away that are older than `before`; says how many.
    ///
    /// # Errors
    /// The medium.
    pub async fn clean(&self, before: Time) -> store::Result<usize> {
        let before = u64::try_from(before.as_second()).unwrap_or(0);
        self.store
            .write(move |w| {
                let mut gone = 0;
                for (id, _) in DRIVES.all(w)? {
                    for (at, _) in POINTS.after_of(w, &id, 0, POINTS_READ)? {
                        if at < before && POINTS.delete(w, &(id.clone(), at))? {
                            gone += 1;
                        }
                    }
                }
                Ok(gone)
            })
            .await
    }

    /// All ratings: those that people told, then the built-in ones of other models.
    ///
    /// # Errors
    /// The medium.
    pub fn specs(&self) -> store::Result<Vec<Spec>> {
        let mut all: Vec<Spec> = self
            .store
            .read(|r| SPECS.all(r))?
            .into_iter()
            .map(|(_, spec)| spec)
            .collect();
        let more: Vec<Spec> = known()
            .specs
            .iter()
            .filter(|k| !all.iter().any(|s| s.model == k.model))
            .cloned()
            .collect();
        all.extend(more);
        Ok(all)
    }

    /// Keeps a rating.
    ///
    /// # Errors
    /// `full` 409; the medium.
    pub async fn put_spec(&self, spec: Spec) -> Done<()> {
        self.change(move |w| {
            if SPECS.get(w, spec.model.as_str())?.is_none() && SPECS.len(w)? >= SPECS_MAX {
                return Ok(Err(Problem::new("full", 409, "There are too many ratings")));
            }
            SPECS.put(w, spec.model.as_str(), &spec)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Forgets a rating that a person told; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_spec(&self, model: String) -> store::Result<bool> {
        self.store.write(move |w| SPECS.delete(w, model.as_str())).await
    }
}

/// The rating of a model, told by people or built in.
fn spec_of(w: &Write<'_, '_>, model: &str) -> store::Result<Option<Spec>> {
    if model.is_empty() {
        return Ok(None);
    }
    let told = SPECS.get(w, model)?;
    Ok(told.or_else(|| known().specs.iter().find(|spec| spec.model == model).cloned()))
}

/// Takes a host, its drives and their histories out of the book; false if there was none.
fn forget(w: &mut Write<'_, '_>, hostname: &str) -> store::Result<bool> {
    for (id, drive) in DRIVES.all(w)? {
        if drive.hostname == hostname {
            POINTS.delete_of(w, &id)?;
            DRIVES.delete(w, id.as_str())?;
        }
    }
    HOSTS.delete(w, hostname)
}

/// A serial as it is compared: translation layers pad and case it differently.
fn plain(serial: &str) -> String {
    let plain = serial.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|c| c.to_ascii_uppercase()).collect()
}

/// Takes the own drive out of the book that is longest gone, where there are too many for one more.
fn make_place(w: &mut Write<'_, '_>) -> store::Result<()> {
    let all = DRIVES.all(w)?;
    let full = all.len() as u64 >= DRIVES_MAX;
    let own: Vec<Drive> = all
        .into_iter()
        .map(|(_, drive)| drive)
        .filter(|drive| drive.hostname == THIS_BOX)
        .collect();
    let oldest = own
        .iter()
        .filter(|drive| !drive.present)
        .min_by_key(|drive| drive.last_seen);
    match oldest.filter(|_| full || own.len() >= OWN_MAX) {
        None => Ok(()),
        Some(gone) => {
            POINTS.delete_of(w, &gone.id)?;
            DRIVES.delete(w, gone.id.as_str()).map(drop)
        }
    }
}

/// Writes the drives of a report. One that is older than what is known only adds to the history.
fn drives(w: &mut Write<'_, '_>, report: &Report, old: bool) -> store::Result<Taken> {
    let mut taken = Taken::default();
    let mut here = Vec::new();
    for reading in &report.drives {
        match drive(w, &report.hostname, reading, report.at, None)? {
            Some(id) => {
                taken.drives += 1;
                here.push(id);
            }
            None => taken.full.push(format!(
                "{}: there is no room for more than {DRIVES_MAX} drives",
                reading.device
            )),
        }
    }
    if !old {
        for (id, mut drive) in DRIVES.all(w)? {
            let present = here.contains(&id);
            if drive.hostname == report.hostname && drive.present != present {
                drive.present = present;
                DRIVES.put(w, id.as_str(), &drive)?;
            }
        }
    }
    Ok(taken)
}

/// Writes what one drive said `at` a moment; its key, or `None` where there is no room for it.
fn drive(
    w: &mut Write<'_, '_>,
    hostname: &str,
    reading: &Reading,
    at: Time,
    called: Option<&DriveId>,
) -> store::Result<Option<String>> {
    let id = drive_id(hostname, reading);
    let before = DRIVES.get(w, id.as_str())?;
    if before.is_none() && DRIVES.len(w)? >= DRIVES_MAX {
        return Ok(None);
    }
    let spec = spec_of(w, &reading.model)?;
    let score = score(reading, spec.as_ref());
    let point = Point {
        values: reading.attributes.iter().map(|a| (a.key.clone(), a.count)).collect(),
        temperature: reading.temperature,
        score: score.score,
        wear: wear::view(reading, spec.as_ref()).percent_used,
        written: reading.written,
    };
    let second = u64::try_from(at.as_second()).unwrap_or(0);
    POINTS.put(w, &(id.clone(), second), &point)?;
    let reports = before.as_ref().map_or(0, |drive| drive.reports) + 1;
    if reports.is_multiple_of(THIN_EVERY) {
        let moments: Vec<i64> = POINTS
            .after_of(w, &id, 0, POINTS_READ)?
            .into_iter()
            .map(|(at, _)| i64::try_from(at).unwrap_or(i64::MAX))
            .collect();
        let newest = moments.last().copied().unwrap_or(0).max(at.as_second());
        for gone in thin::gone(&moments, newest) {
            POINTS.delete(w, &(id.clone(), u64::try_from(gone).unwrap_or(0)))?;
        }
    }
    if let Some(before) = before.as_ref().filter(|drive| at < drive.last_seen) {
        let drive = Drive {
            reports,
            ..before.clone()
        };
        DRIVES.put(w, id.as_str(), &drive)?;
        return Ok(Some(id));
    }
    let alerts = before.as_ref().map_or_else(Alerts::new, |drive| drive.alerts.clone());
    let (alerts, changes) = alert::judge(&alerts, reading, spec.as_ref(), at);
    let drive = Drive {
        id: id.clone(),
        hostname: hostname.to_owned(),
        alias: before.as_ref().map(|drive| drive.alias.clone()).unwrap_or_default(),
        first_seen: before.as_ref().map_or(at, |drive| drive.first_seen),
        last_seen: at,
        present: true,
        reports,
        reading: reading.clone(),
        score,
        alerts,
    };
    for change in changes {
        let told = NewEvent {
            drive: called.cloned(),
            ..event(&change, hostname, Some(&drive))
        };
        OUTBOX.append(w, &told)?;
    }
    DRIVES.put(w, id.as_str(), &drive)?;
    Ok(Some(id))
}

/// Judges the ZFS pools of a report; the events that tell what has changed.
fn pools(alerts: &mut BTreeMap<String, Alerts>, report: &Report) -> Vec<NewEvent> {
    let mut events = Vec::new();
    for pool in pool::pools(&report.zfs) {
        let before = alerts.get(&pool.name).cloned().unwrap_or_default();
        let (after, changes) = alert::judge_pool(&before, &pool, report.at);
        let host = &report.hostname;
        events.extend(changes.iter().map(|change| of_pool(change, host, &pool.name)));
        match after.is_empty() {
            true => drop(alerts.remove(&pool.name)),
            // Names that come and go must not fill the host's row.
            false if alerts.len() < pool::POOLS_MAX || alerts.contains_key(&pool.name) => {
                alerts.insert(pool.name, after);
            }
            false => {}
        }
    }
    events
}

/// The event of a pool's change, with the name that existing clients know it by.
fn of_pool(change: &Change, hostname: &str, pool: &str) -> NewEvent {
    let mut told = event(change, hostname, None);
    told.message = format!("{hostname} ZFS pool {pool}: {}", change.message);
    told.data["pool"] = pool.into();
    let critical = change.severity == Severity::Critical;
    let name = match (
        change.kind == alert::Kind::PoolHealth,
        change.kind == alert::Kind::PoolFull,
    ) {
        (true, _) if critical => "zfs_pool_faulted",
        (true, _) => "zfs_pool_degraded",
        (_, true) if critical => "zfs_capacity_critical",
        (_, true) => "zfs_capacity_warning",
        (false, false) => "zfs_vdev_errors",
    };
    if !change.resolved {
        told.data["event_type"] = name.into();
    }
    told
}

/// The event of a change.
pub fn event(change: &Change, hostname: &str, drive: Option<&Drive>) -> NewEvent {
    let kind = if change.resolved {
        "drive.alert_resolved"
    } else {
        "drive.alert"
    };
    let what = match drive {
        Some(drive) => {
            let r = &drive.reading;
            let called = if drive.alias.is_empty() { &r.model } else { &drive.alias };
            let serial = if r.serial.is_empty() { "no serial" } else { &r.serial };
            format!("{hostname} {} ({called}, {serial})", r.device)
        }
        None => hostname.to_owned(),
    };
    let reading = drive.map(|drive| &drive.reading);
    let data = json!({
        "alert": change.kind,
        "hostname": hostname,
        "host": hostname,
        "device": reading.map(|r| &r.device),
        "model": reading.map(|r| &r.model),
        "serial": reading.map(|r| &r.serial),
        "drive_key": drive.map(|drive| &drive.id),
        "value": change.value,
        "was": change.was,
        "since": change.since,
    });
    NewEvent::new(kind, change.severity, format!("{what}: {}", change.message), data)
}

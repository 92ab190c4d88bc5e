//! The engine's books: services, queue and history, and what each change does to them.

use std::collections::BTreeMap;

use serde::Deserialize;
use store::{View, Write};
use tokio::sync::watch;
use wire::event::Severity;
use wire::{Problem, Time};

use super::{
    COLLECTED, Changed, Delivery, Engine, HISTORY, HISTORY_MAX, Index, QUEUE, QUEUE_MAX, Refused, SERVICES, STATE,
    Status, TOLD, TOLD_MAX, Waiting, dropped_key, due_key, lock,
};
use crate::answer::Failed;
use crate::message::Message;
use crate::service::{SERVICES_MAX, Service};

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub now: Time,
    pub answer: String,
    pub failed: Option<Failed>,
    pub next: Option<Time>,
}

/// Adds a line to the history, which keeps its bound.
pub(super) fn note(w: &mut Write<'_, '_>, mut line: Delivery) -> store::Result<u64> {
    let id = HISTORY.append(w, &line)?;
    line.id = id;
    HISTORY.put(w, &id, &line)?;
    if HISTORY.len(w)? > HISTORY_MAX + 100 {
        HISTORY.keep_last(w, HISTORY_MAX)?;
    }
    Ok(id)
}

/// Why a message makes room for another.
pub(super) fn no_place() -> String {
    format!("{QUEUE_MAX} messages wait for this channel")
}

/// Puts a message into the queue; where that is full, something older makes room.
pub(super) fn enqueue(
    w: &mut Write<'_, '_>,
    changed: &mut Changed,
    waiting: &Index,
    service: &Service,
    message: Message,
    now: Time,
) -> store::Result<()> {
    let own: Vec<u64> = waiting
        .iter()
        .filter(|(id, (of, _))| *of == service.id && !changed.gone.contains(id))
        .map(|(id, _)| *id)
        .chain(
            changed
                .queued
                .iter()
                .filter(|(id, of, _)| *of == service.id && !changed.gone.contains(id))
                .map(|(id, _, _)| *id),
        )
        .collect();
    if own.len() >= QUEUE_MAX {
        let critical = |message: &Message| message.severity == Severity::Critical;
        let mut victim = own.first().copied().filter(|_| critical(&message));
        for id in &own {
            let harmless = QUEUE.get(w, id)?.is_none_or(|waiting| !critical(&waiting.message));
            if harmless {
                victim = Some(*id);
                break;
            }
        }
        let give_up = |line: &mut Delivery| {
            line.status = Status::Failed;
            line.next_at = None;
            line.error_message = format!("given up: {}", no_place());
        };
        // Where only criticals wait, they stay.
        let Some(id) = victim else {
            let mut line = Delivery::of(service, &message, now);
            give_up(&mut line);
            return note(w, line).map(|_| ());
        };
        if let Some(old) = QUEUE.get(w, &id)? {
            QUEUE.delete(w, &id)?;
            change_line(w, old.history, give_up)?;
            if critical(&old.message) && old.done.is_empty() {
                changed.lost.push((service.id, old.message));
            }
        }
        changed.gone.push(id);
    }
    let history = note(w, Delivery::of(service, &message, now))?;
    let waiting = Waiting {
        service: service.id,
        message,
        attempts: 0,
        before: 0,
        redirects: 0,
        next: now,
        done: std::collections::BTreeSet::new(),
        history,
    };
    let id = QUEUE.append(w, &waiting)?;
    changed.queued.push((id, service.id, now));
    Ok(())
}

fn change_line(w: &mut Write<'_, '_>, id: u64, change: impl FnOnce(&mut Delivery)) -> store::Result<()> {
    // A line that the bound took away is gone.
    let Some(mut line) = HISTORY.get(w, &id)? else {
        return Ok(());
    };
    change(&mut line);
    HISTORY.put(w, &id, &line)
}

/// Writes down what became of an attempt.
pub(super) fn settle(w: &mut Write<'_, '_>, id: u64, mut waiting: Waiting, outcome: &Outcome) -> store::Result<()> {
    // Removed while it was under way: it stays removed, and its line says why.
    if outcome.next.is_some() && QUEUE.get(w, &id)?.is_none() {
        return Ok(());
    }
    change_line(w, waiting.history, |line| {
        line.attempts = waiting.attempts;
        line.next_at = outcome.next;
        line.error_message = outcome
            .failed
            .as_ref()
            .map(|failed| failed.words.clone())
            .unwrap_or_default();
        line.status = match (&outcome.failed, outcome.next) {
            (None, _) => {
                line.sent_at = Some(outcome.now);
                line.answer.clone_from(&outcome.answer);
                Status::Sent
            }
            (Some(_), Some(_)) => Status::Retrying,
            (Some(_), None) => Status::Failed,
        };
    })?;
    match outcome.next {
        Some(next) => {
            waiting.next = next;
            QUEUE.put(w, &id, &waiting)
        }
        None => QUEUE.delete(w, &id).map(|_| ()),
    }
}

/// Has the criticals of these messages tried at once, with their waits anew, since their channel was mended; which they are.
fn renew(w: &mut Write<'_, '_>, messages: &[u64], now: Time) -> store::Result<Vec<u64>> {
    let mut anew = Vec::new();
    for id in messages {
        let waiting = QUEUE.get(w, id)?;
        let Some(mut waiting) = waiting.filter(|waiting| waiting.message.severity == Severity::Critical) else {
            continue;
        };
        (waiting.before, waiting.redirects, waiting.next) = (waiting.attempts, 0, now);
        change_line(w, waiting.history, |line| line.next_at = Some(now))?;
        QUEUE.put(w, id, &waiting)?;
        anew.push(*id);
    }
    Ok(anew)
}

/// Keeps the memory of cool-downs within its bound: the oldest fifth goes.
pub(super) fn forget(w: &mut Write<'_, '_>) -> store::Result<()> {
    if TOLD.len(w)? <= TOLD_MAX {
        return Ok(());
    }
    let mut all = TOLD.all(w)?;
    all.sort_by_key(|(_, at)| *at);
    let fifth = all.len() / 5;
    for (key, _) in all.into_iter().take(fifth) {
        TOLD.delete(w, key.as_str())?;
    }
    Ok(())
}

fn health_key(service: u64) -> String {
    format!("health:{service}")
}

/// What is known of a locked channel's health, as [`Service`] has it. Kept as a list, in this order.
#[derive(Deserialize)]
pub(super) struct Health {
    pub failing_since: Option<Time>,
    pub disabled_why: Option<String>,
    #[serde(default)]
    pub lost: u32,
}

/// The health of a locked channel.
pub(super) fn health(view: &impl View, service: u64) -> store::Result<Option<Health>> {
    let found = STATE.get(view, health_key(service).as_str())?;
    Ok(found.and_then(|value| serde_json::from_value(value).ok()))
}

/// Keeps what is known of a channel's health.
pub(super) fn keep_health(w: &mut Write<'_, '_>, service: &Service) -> store::Result<()> {
    let id = service.id;
    if service.locked {
        let health = serde_json::json!([service.failing_since, service.disabled_why, service.lost]);
        return STATE.put(w, health_key(id).as_str(), &health);
    }
    // What a person has made of it meanwhile holds.
    match SERVICES.get(w, &id)? {
        Some(kept) if kept.updated_at == service.updated_at => SERVICES.put(w, &id, service),
        Some(_) | None => Ok(()),
    }
}

impl Engine {
    /// All channels: those that people made, then those that the environment sets.
    pub fn services(&self) -> Vec<Service> {
        self.services
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// One channel.
    pub fn service(&self, id: u64) -> Option<Service> {
        self.services().into_iter().find(|service| service.id == id)
    }

    /// How many messages wait for each channel.
    pub fn waiting(&self) -> BTreeMap<u64, usize> {
        let mut out = BTreeMap::new();
        for (service, _) in lock(&self.index).values() {
            *out.entry(*service).or_insert(0) += 1;
        }
        out
    }

    pub(super) fn with_services(&self, change: impl FnOnce(&mut Vec<Service>)) {
        let mut services = self.services.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut services);
        // While nobody else changes them.
        for (told, now) in [(&self.off, off(&services)), (&self.lost, lost(&services))] {
            told.send_if_modified(|told| {
                let is_new = *told != now;
                *told = now;
                is_new
            });
        }
    }

    /// The names of the channels that switched themselves off, since nothing reaches whoever they told; it tells of every change.
    pub fn off(&self) -> watch::Receiver<Vec<String>> {
        self.off.subscribe()
    }

    /// The names of the channels through which a critical reached nobody, and nothing anybody since; it tells of every change.
    pub fn lost(&self) -> watch::Receiver<Vec<String>> {
        self.lost.subscribe()
    }

    /// Keeps a new channel; it gets its number.
    ///
    /// # Errors
    /// When there are too many, or the medium fails.
    pub async fn add(&self, mut service: Service) -> Result<Service, Refused> {
        let _one_at_a_time = self.changing.lock().await;
        if self.services().len() >= SERVICES_MAX {
            let problem = Problem::new("too-many", 409, "There are too many alert channels");
            return Err(problem.with(format!("at most {SERVICES_MAX}; remove one first")).into());
        }
        let kept = service.clone();
        let id = self
            .store
            .write(move |w| {
                let id = SERVICES.append(w, &kept)?;
                SERVICES.put(w, &id, &Service { id, ..kept.clone() })?;
                Ok(id)
            })
            .await?;
        service.id = id;
        let added = service.clone();
        self.with_services(|services| {
            let people = services
                .iter()
                .position(|service| service.locked)
                .unwrap_or(services.len());
            services.insert(people, added);
        });
        Ok(service)
    }

    /// Changes the settings of a channel as they are at this moment, and no other change comes in between. `change` checks them, and
    /// may refuse; what stays the same is not written. `updated_at` is another with each change, also where the clock stands.
    ///
    /// # Errors
    /// When the channel is gone, or the environment's and this is more than [`Service::switched_on`], or the medium fails.
    pub async fn update<E: From<Refused>>(
        &self,
        id: u64,
        now: Time,
        change: impl FnOnce(&mut Service) -> Result<(), E>,
    ) -> Result<Service, E> {
        let _one_at_a_time = self.changing.lock().await;
        let old = self.known(id).map_err(Refused::from)?;
        let mut service = old.clone();
        change(&mut service)?;
        (service.updated_at, service.set_at) = (old.updated_at, old.set_at);
        // That it switched itself off is not what its owner has written down.
        let is_back = old.disabled_why.is_some() && service == old.clone().switched_on();
        if !is_back {
            changeable(&old).map_err(Refused::from)?;
        }
        if service == old {
            return Ok(old);
        }
        service.updated_at = match old.updated_at == now {
            true => now.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(now),
            false => now,
        };
        let is_set_anew = !service.is_set_as(&old);
        service.set_at = Some(if is_set_anew { service.updated_at } else { old.set_at() });
        self.replace(&old, service.clone(), now).await?;
        Ok(service)
    }

    /// Replaces the settings of a channel. What a digest had collected is told by the new ones; criticals that wait for a channel that
    /// was mended are tried at once.
    async fn replace(&self, old: &Service, service: Service, now: Time) -> Result<(), Refused> {
        let timing = old.digest != service.digest || old.quiet_hours != service.quiet_hours;
        let mended = service.enabled && (!old.enabled || old.fields != service.fields);
        let own = if mended {
            self.waiting_for(service.id)
        } else {
            Vec::new()
        };
        let (id, kept) = (service.id, service.clone());
        let anew = self
            .store
            .write(move |w| {
                let anew = renew(w, &own, now)?;
                if timing && !COLLECTED.last_n_of(w, &id.to_string(), 1)?.is_empty() {
                    let digest = kept
                        .digest
                        .as_ref()
                        .filter(|digest| digest.enabled)
                        .and_then(|digest| digest.next(now));
                    let due = digest.unwrap_or(now);
                    STATE.put(w, due_key(id).as_str(), &due.to_string().into())?;
                }
                if kept.locked {
                    keep_health(w, &kept)?;
                } else {
                    SERVICES.put(w, &id, &kept)?;
                }
                Ok(anew)
            })
            .await?;
        self.with_services(|services| {
            if let Some(place) = services.iter_mut().find(|place| place.id == id) {
                *place = service;
            }
        });
        // After the settings: an attempt that is settled meanwhile sees those, or what it has put off is put on here.
        self.put_on(&anew, now);
        if mended {
            lock(&self.quiet).remove(&id);
        }
        self.wake();
        Ok(())
    }

    /// Removes a channel with everything that waits for it; the history stays.
    ///
    /// # Errors
    /// When the channel is gone or the environment's, or the medium fails.
    pub async fn remove(&self, id: u64) -> Result<(), Refused> {
        let _one_at_a_time = self.changing.lock().await;
        changeable(&self.known(id)?)?;
        let own = self.waiting_for(id);
        let doomed = own.clone();
        self.store
            .write(move |w| {
                for waiting in &doomed {
                    if let Some(old) = QUEUE.get(w, waiting)? {
                        change_line(w, old.history, |line| {
                            line.status = Status::Failed;
                            line.next_at = None;
                            "the channel was removed".clone_into(&mut line.error_message);
                        })?;
                    }
                    QUEUE.delete(w, waiting)?;
                }
                COLLECTED.delete_of(w, &id.to_string())?;
                STATE.delete(w, due_key(id).as_str())?;
                STATE.delete(w, dropped_key(id).as_str())?;
                SERVICES.delete(w, &id).map(|_| ())
            })
            .await?;
        let mut index = lock(&self.index);
        for id in own {
            index.remove(&id);
        }
        drop(index);
        self.with_services(|services| services.retain(|service| service.id != id));
        Ok(())
    }

    /// The messages that wait for one channel.
    fn waiting_for(&self, service: u64) -> Vec<u64> {
        let index = lock(&self.index);
        let own = index.iter().filter(|(_, (of, _))| *of == service);
        own.map(|(id, _)| *id).collect()
    }

    /// Makes these messages due.
    fn put_on(&self, messages: &[u64], now: Time) {
        for (id, waiting) in lock(&self.index).iter_mut() {
            if messages.contains(id) {
                waiting.1 = now;
            }
        }
    }

    /// Has a locked channel, which is on again with this start, try at once what it held. A store that does not take that keeps no box
    /// from starting: what waits goes when it is due.
    pub(super) async fn begin_anew(&self, service: Service) {
        let (own, now) = (self.waiting_for(service.id), service.updated_at);
        let begun = self.store.write(move |w| {
            keep_health(w, &service)?;
            renew(w, &own, now)
        });
        match begun.await {
            Ok(anew) => self.put_on(&anew, now),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what a channel held was not put on"
            ),
        }
    }

    fn known(&self, id: u64) -> Result<Service, Problem> {
        self.service(id).ok_or_else(|| {
            Problem::new("service-unknown", 404, "There is no such alert channel").with(format!("id: {id}"))
        })
    }

    /// Changes what is known of a channel's health.
    pub(super) async fn change(&self, id: u64, change: impl FnOnce(&mut Service) + Send) -> store::Result<()> {
        let mut changed = None;
        self.with_services(|services| {
            if let Some(service) = services.iter_mut().find(|service| service.id == id) {
                change(service);
                changed = Some(service.clone());
            }
        });
        let Some(service) = changed else { return Ok(()) };
        self.store.write(move |w| keep_health(w, &service)).await
    }

    /// The newest lines of the history, the newest first; of one channel, where it is named.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(&self, service: Option<u64>, limit: usize) -> store::Result<Vec<Delivery>> {
        let read = if service.is_some() { usize::MAX } else { limit };
        let mut lines: Vec<Delivery> = self
            .store
            .read(|r| HISTORY.last_n(r, read))?
            .into_iter()
            .map(|(_, line)| line)
            .filter(|line| service.is_none_or(|service| line.setting_id == service))
            .collect();
        lines.reverse();
        lines.truncate(limit);
        Ok(lines)
    }
}

/// Refuses what its owner has written down elsewhere.
fn changeable(service: &Service) -> Result<(), Problem> {
    if service.locked {
        let problem = Problem::new("locked", 409, "This channel is set in kiln.toml or the environment");
        return Err(problem.with("change [alerts] or KILN_ALERT_URLS there; it is shown here, not kept here"));
    }
    Ok(())
}

/// The names of those that switched themselves off.
pub(super) fn off(services: &[Service]) -> Vec<String> {
    let off = services.iter().filter(|service| service.disabled_why.is_some());
    off.map(|service| service.name.clone()).collect()
}

/// The names of those through which a critical reached nobody; one that a person has switched off is meant to reach nobody.
pub(super) fn lost(services: &[Service]) -> Vec<String> {
    let is_wanted = |service: &&Service| service.enabled || service.disabled_why.is_some();
    let lost = services.iter().filter(|service| service.lost > 0).filter(is_wanted);
    lost.map(|service| service.name.clone()).collect()
}

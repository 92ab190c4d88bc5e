//! Alerts that somebody is asked to acknowledge, and what goes on to the second line when nobody does.
//!
//! ```text
//!  event ─► first line, at once
//!       └─► open ──acknowledged──► kept as what was
//!             └──in time by nobody──► second line, once a channel
//! ```
//!
//! A channel is of the second line where its `escalate_after_secs` is not 0. Its own rules, severities and cool-down say
//! whether an event is for it; the time runs from the moment at which the first line was told. Quiet hours and digest are
//! looked at when its turn comes. What nobody has to look after (`info`) opens no alert. Opening stands in the same
//! transaction as the first line's messages, going on in the same as the second line's: over a restart each happens once.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{Table, View, Write};
use tokio::sync::watch;
use utoipa::ToSchema;
use wire::Time;
use wire::event::{Event, NewEvent, Severity};

use super::{Changed, Engine, Host, TOLD, book, digest, lock, recall};
use crate::message::{self, BODY_MAX, Facts, Message, cut};
use crate::route::{Decision, Routed, is_cooling, remembered, when};
use crate::service::{ESCALATE, Service};

/// The alerts, by the number of their event.
pub(super) const ALERTS: Table<u64, Kept> = Table::new("alert-open");

/// Alerts kept; with its event one has about 3 kB, together 1.5 MB.
const ALERTS_MAX: usize = 500;

/// Unacknowledged alerts in memory: when each goes on next, `None` where all have been told.
pub(super) type Open = BTreeMap<u64, Option<Time>>;

/// An alert that somebody is asked to acknowledge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertOpen)]
pub struct Alert {
    /// Number of its event in the log.
    pub id: u64,
    /// The event's kind.
    pub event_type: String,
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// The event in a sentence.
    pub message: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// The channels of the second line that want it.
    pub steps: Vec<Step>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Time>,
}

/// One channel that is told unless somebody acknowledges the alert before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertStep)]
pub struct Step {
    /// Number of the channel.
    pub service_id: u64,
    /// Its name then.
    pub service_name: String,
    /// When it is its turn.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Time,
    /// When it was told.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub told_at: Option<Time>,
}

/// An alert with its event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    alert: Alert,
    event: Event,
}

impl Alert {
    /// When it goes on next.
    fn next(&self) -> Option<Time> {
        let waiting = self.steps.iter().filter(|step| step.told_at.is_none());
        waiting.map(|step| step.due_at).min()
    }
}

/// The channels of the second line that an event is for.
pub(super) fn steps(event: &Event, routed: &[Routed], services: &[Service], now: Time) -> Vec<Step> {
    if event.severity == Severity::Info {
        return Vec::new();
    }
    let wanted = routed.iter().filter(|one| !matches!(one.decision, Decision::Keep(_)));
    wanted
        .filter_map(|one| services.iter().find(|service| service.id == one.service))
        .filter(|service| service.escalate_after_secs > 0)
        .map(|service| Step {
            service_id: service.id,
            service_name: service.name.clone(),
            due_at: after(now, service.escalate_after_secs),
            told_at: None,
        })
        .collect()
}

/// When a wait of so many seconds that begins now is over.
pub(super) fn after(now: Time, seconds: i64) -> Time {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// A time in words: whole minutes, else seconds.
fn span(seconds: i64) -> String {
    match (seconds / 60, seconds % 60) {
        (minutes, 0) => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}

/// Says in the first line's message to whom it goes on, and where that is stopped.
pub(super) fn announce(message: &mut Message, steps: &[Step], facts: &Facts, now: Time) {
    let Some(first) = steps.iter().min_by_key(|step| step.due_at) else {
        return;
    };
    let after = span(first.due_at.duration_since(now).as_secs());
    let place = match facts.url.as_str() {
        "" => "on the box, settings, alerts".to_owned(),
        url => format!("{url}/settings/alerts"),
    };
    let line = format!(
        "\nIt goes on to {} after {after} unless somebody acknowledges it: {place}",
        first.service_name
    );
    message.body = format!(
        "{}{line}",
        cut(&message.body, BODY_MAX - line.chars().count().min(BODY_MAX))
    );
}

/// The message for the second line.
fn raised(event: &Event, facts: &Facts, service: u64, waited: i64) -> Message {
    let mut message = message::of_event(event, facts, service);
    message.title = cut(&format!("Not acknowledged: {}", message.title), message::TITLE_MAX);
    let line = format!("Nobody acknowledged this for {}.\n", span(waited));
    message.body = cut(&format!("{line}{}", message.body), BODY_MAX);
    message
}

/// Opens an alert with these steps; none opens nothing.
pub(super) fn open(
    w: &mut Write<'_, '_>,
    changed: &mut Changed,
    event: &Event,
    facts: &Facts,
    steps: Vec<Step>,
) -> store::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let message = message::of_event(event, facts, 0);
    let alert = Alert {
        id: event.seq,
        event_type: message.event_type,
        severity: event.severity,
        title: message.title,
        message: cut(&event.message, 1000),
        at: event.ts,
        steps,
        acknowledged_by: None,
        acknowledged_at: None,
    };
    changed.open.push((alert.id, alert.next()));
    changed.fresh.push(alert.id);
    let event = event.clone();
    ALERTS.put(
        w,
        &alert.id,
        &Kept {
            alert: alert.clone(),
            event,
        },
    )?;
    let all = ALERTS.all(w)?;
    for id in given_up(all.iter().map(|(_, kept)| &kept.alert)) {
        ALERTS.delete(w, &id)?;
        changed.closed.push(id);
    }
    Ok(())
}

/// Which of these alerts give way to newer ones: first those that somebody acknowledged, then those of which everybody was told, then
/// warnings; of each the oldest.
fn given_up<'a>(all: impl Iterator<Item = &'a Alert>) -> Vec<u64> {
    let mut all: Vec<_> = all
        .map(|alert| {
            let waits = alert.acknowledged_at.is_none();
            let untold = waits && alert.next().is_some();
            (waits, untold, untold.then_some(alert.severity), alert.id)
        })
        .collect();
    all.sort_unstable();
    all.truncate(all.len().saturating_sub(ALERTS_MAX));
    all.into_iter().map(|(.., id)| id).collect()
}

/// What of the alerts is held in memory.
pub(super) fn read(view: &impl View) -> store::Result<Open> {
    let all = ALERTS.all(view)?.into_iter().map(|(_, kept)| kept.alert);
    Ok(all
        .filter(|alert| alert.acknowledged_at.is_none())
        .map(|alert| (alert.id, alert.next()))
        .collect())
}

/// Gives the turns of the second line that wait the times that `due` says; when each alert of which one has changed goes on now.
pub(super) fn redate(w: &mut Write<'_, '_>, due: impl Fn(&Step) -> Time) -> store::Result<Open> {
    let mut moved = Open::new();
    for (id, mut kept) in ALERTS.all(w)? {
        if kept.alert.acknowledged_at.is_some() {
            continue;
        }
        let before = kept.clone();
        let steps = kept.alert.steps.iter_mut().filter(|step| step.told_at.is_none());
        for step in steps {
            step.due_at = due(step);
        }
        if kept != before {
            ALERTS.put(w, &id, &kept)?;
            moved.insert(id, kept.alert.next());
        }
    }
    Ok(moved)
}

impl Engine {
    fn open_alerts(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is held in memory, and tells how many alerts are open where that has changed.
    fn with_open(&self, change: impl FnOnce(&mut Open)) {
        let mut open = self.open_alerts();
        change(&mut open);
        let count = open.len();
        drop(open);
        self.unacknowledged
            .send_if_modified(|told| std::mem::replace(told, count) != count);
    }

    pub(super) fn apply_open(&self, changed: &Changed) {
        if changed.open.is_empty() && changed.closed.is_empty() {
            return;
        }
        self.with_open(|open| {
            // Who acknowledged one since it was read has taken it out; only what is new, or still there, is put in.
            let still = |id: &u64| changed.fresh.contains(id) || open.contains_key(id);
            let put: Vec<_> = changed.open.iter().copied().filter(|(id, _)| still(id)).collect();
            open.extend(put);
            open.retain(|id, _| !changed.closed.contains(id));
        });
    }

    /// How many alerts nobody has acknowledged; it tells of every change.
    pub fn unacknowledged(&self) -> watch::Receiver<usize> {
        self.unacknowledged.subscribe()
    }

    /// When the next alert goes on.
    pub(super) fn next_escalation(&self) -> Option<Time> {
        self.open_alerts().values().filter_map(|next| *next).min()
    }

    /// The alerts, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alerts(&self) -> store::Result<Vec<Alert>> {
        let all = self.store.read(|r| ALERTS.all(r))?;
        Ok(all.into_iter().rev().map(|(_, kept)| kept.alert).collect())
    }

    /// Takes note that somebody looks after an alert; with whether that is new, and `None` where there is no such alert.
    ///
    /// # Errors
    /// When the medium fails.
    pub async fn acknowledge(&self, id: u64, by: &str, now: Time) -> store::Result<Option<(Alert, bool)>> {
        let by = by.to_owned();
        let done = self
            .store
            .write(move |w| {
                let Some(mut kept) = ALERTS.get(w, &id)? else {
                    return Ok(None);
                };
                let fresh = kept.alert.acknowledged_at.is_none();
                if fresh {
                    kept.alert.acknowledged_by = Some(by);
                    kept.alert.acknowledged_at = Some(now);
                    ALERTS.put(w, &id, &kept)?;
                }
                Ok(Some((kept.alert, fresh)))
            })
            .await?;
        if done.is_some() {
            self.with_open(|open| {
                open.remove(&id);
            });
        }
        Ok(done)
    }

    /// Takes over turns that were moved.
    pub(super) fn put_steps(&self, moved: &Open) {
        self.with_open(|open| {
            for (id, next) in open.iter_mut() {
                *next = moved.get(id).copied().unwrap_or(*next);
            }
        });
    }

    /// Queues for the second line what nobody has acknowledged in time.
    pub(super) async fn escalate(&self, host: &dyn Host) -> store::Result<()> {
        let now = host.now();
        let is_due = move |at: Time| {
            // What lies beyond the longest wait was written under another clock.
            let odd = now
                .checked_add(SignedDuration::from_secs(*ESCALATE.end()))
                .is_ok_and(|farthest| at > farthest);
            at <= now || odd
        };
        let due: Vec<u64> = self
            .open_alerts()
            .iter()
            .filter(|(_, next)| next.is_some_and(is_due))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(kept) = self.store.read(|r| ALERTS.get(r, &id))? else {
                self.with_open(|open| {
                    open.remove(&id);
                });
                continue;
            };
            let facts = host.facts(Some(&kept.event));
            let (services, waiting) = (self.services(), lock(&self.index).clone());
            let (changed, told) = self
                .store
                .write(move |w| {
                    let mut changed = Changed::default();
                    let mut told: Vec<(String, String)> = Vec::new();
                    // Read again: somebody may have acknowledged it meanwhile.
                    let Some(mut kept) = ALERTS.get(w, &id)?.filter(|kept| kept.alert.acknowledged_at.is_none()) else {
                        changed.closed.push(id);
                        return Ok((changed, told));
                    };
                    let Kept { alert, event } = &mut kept;
                    let mut cooling = Vec::new();
                    for step in alert
                        .steps
                        .iter_mut()
                        .filter(|step| step.told_at.is_none() && is_due(step.due_at))
                    {
                        let service = services.iter().find(|service| service.id == step.service_id);
                        // One that was taken away or switched off meanwhile is told nothing.
                        let Some(service) = service.filter(|service| service.enabled) else {
                            step.told_at = Some(now);
                            continue;
                        };
                        // Of a burst that opened before the first of it was told, the rest cools down with it.
                        if is_cooling(event, &facts, service, |key| recall(w, key), now) {
                            cooling.push(step.service_id);
                            continue;
                        }
                        step.told_at = Some(now);
                        match when(event.severity, service, now) {
                            Decision::Collect(at) => digest::collect(w, service.id, event, &facts, at)?,
                            Decision::Send | Decision::Keep(_) => {
                                let message = raised(event, &facts, service.id, service.escalate_after_secs);
                                book::enqueue(w, &mut changed, &waiting, service, message, now)?;
                            }
                        }
                        if let Some(key) = remembered(event, &facts, service) {
                            TOLD.put(w, key.as_str(), &now)?;
                        }
                        told.push((service.name.clone(), alert.title.clone()));
                    }
                    alert.steps.retain(|step| !cooling.contains(&step.service_id));
                    changed.open.push((id, alert.next()));
                    ALERTS.put(w, &id, &kept)?;
                    Ok((changed, told))
                })
                .await?;
            for (name, title) in told {
                let text = format!("Nobody acknowledged {title:?}: it went on to alert channel {name:?}");
                let data = serde_json::json!({ "alert": id });
                host.record(NewEvent::new("alerts.escalated", Severity::Info, text, data));
            }
            self.take(host, changed).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_waits_for_the_second_line_gives_way_to_no_warning() {
        let alert = |id: u64, severity| Alert {
            id,
            event_type: "job.failed".into(),
            severity,
            title: String::new(),
            message: String::new(),
            at: Time::UNIX_EPOCH,
            steps: vec![Step {
                service_id: 1,
                service_name: "boss".into(),
                due_at: Time::UNIX_EPOCH,
                told_at: None,
            }],
            acknowledged_by: None,
            acknowledged_at: None,
        };
        let mut all = vec![alert(1, Severity::Critical)];
        let most = ALERTS_MAX as u64;
        all.extend((2..=most).map(|id| alert(id, Severity::Warning)));
        assert!(given_up(all.iter()).is_empty());
        all.push(alert(most + 1, Severity::Warning));
        assert_eq!(given_up(all.iter()), [2]);
        all[300].steps[0].told_at = Some(Time::UNIX_EPOCH);
        assert_eq!(given_up(all.iter()), [301]);
        all[400].acknowledged_at = Some(Time::UNIX_EPOCH);
        assert_eq!(given_up(all.iter()), [401]);
        all[400].acknowledged_at = None;
        all.push(alert(most + 2, Severity::Critical));
        assert_eq!(given_up(all.iter()), [301, 2]);
    }
}

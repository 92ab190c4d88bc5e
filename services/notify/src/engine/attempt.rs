//! One attempt at one message: it is made, what became of it is settled, and its channel is judged by it.
//!
//! Settling is one transaction. Where the store does not take that (it is full), what became of the attempt is remembered and settled
//! again, and nobody is sent the message anew. Tested in `tests.rs`.

use std::collections::BTreeSet;

use wire::Time;
use wire::event::{NewEvent, Severity};

use super::{AFTER_FAILURE, Delivery, Engine, Host, QUEUE, Status, Waiting, book, lock, retry};
use crate::answer::Failed;
use crate::message::{self, Facts, Message};
use crate::send::Attempt;
use crate::service::Service;

/// An attempt that is to be settled.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub waiting: Waiting,
    pub attempt: Attempt,
    /// When the settings that it was made with were changed last; `None` where the channel was gone.
    pub set_at: Option<Time>,
}

impl Engine {
    /// One attempt at one message, settled.
    pub(super) async fn attempt(&self, host: &dyn Host, id: u64) {
        let mut waiting = match self.store.read(|r| QUEUE.get(r, &id)) {
            Ok(Some(waiting)) => waiting,
            Ok(None) => {
                lock(&self.index).remove(&id);
                lock(&self.unsettled).remove(&id);
                return;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a message that waits was not read"
                );
                // Unreadable now, perhaps not later; not at once.
                self.put_off(id, host.now());
                return;
            }
        };
        let before = lock(&self.unsettled).remove(&id);
        if let Some(tried) = before {
            return self.settle_or_remember(host, id, tried).await;
        }
        // The name may have come since: a box learns it from a network card, or its owner has given it another.
        waiting.message.readdress(&host.facts(None));
        let service = self.service(waiting.service);
        let set_at = service.as_ref().map(|service| service.updated_at);
        let attempt = match service {
            None => given_up("the channel was removed"),
            Some(service) if !service.enabled => given_up("the channel is switched off"),
            Some(service) => match service.channel() {
                Ok(channel) => {
                    let sent = self.sender.send(&channel, &waiting.message, &waiting.done, host.now());
                    service.scrubbed(sent.await)
                }
                Err(bad) => given_up(&format!("the channel cannot be used: {bad}")),
            },
        };
        let tried = Tried {
            waiting,
            attempt,
            set_at,
        };
        self.settle_or_remember(host, id, tried).await;
    }

    /// Settles an attempt; where the store does not take that, it is tried again, and not the message.
    async fn settle_or_remember(&self, host: &dyn Host, id: u64, tried: Tried) {
        if let Err(error) = self.settle(host, id, tried.clone()).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what became of a message was not kept; it is tried again"
            );
            let waits = lock(&self.index).contains_key(&id);
            if waits {
                lock(&self.unsettled).insert(id, tried);
            }
            self.put_off(id, host.now());
        }
    }

    fn put_off(&self, id: u64, now: Time) {
        if let Some((_, next)) = lock(&self.index).get_mut(&id) {
            *next = now.checked_add(AFTER_FAILURE).unwrap_or(now);
        }
    }

    pub(super) async fn settle(&self, host: &dyn Host, id: u64, tried: Tried) -> store::Result<()> {
        let Tried {
            mut waiting,
            attempt,
            set_at,
        } = tried;
        let now = host.now();
        let service = waiting.service;
        waiting.attempts += 1;
        waiting.redirects += u32::from(attempt.failed.as_ref().is_some_and(|failed| failed.redirects));
        let news = attempt.done.len() > waiting.done.len();
        waiting.done = attempt.done;
        let reached_nobody = waiting.done.is_empty();
        let mended = self.is_mended(service, set_at);
        if mended {
            (waiting.before, waiting.redirects) = (waiting.attempts, 0);
        }
        let failed = attempt.failed.as_ref();
        self.wait_as_asked(service, failed.filter(|_| !mended), now);
        // Whom one target of several refuses for good may have left; somebody has it.
        let must = waiting.message.severity == Severity::Critical && reached_nobody && self.service(service).is_some();
        let next = failed.and_then(|failed| match mended {
            true => Some(now),
            false => retry::next(waiting.attempts - waiting.before, waiting.redirects, failed, must, now),
        });
        let outcome = book::Outcome {
            now,
            answer: attempt.answer,
            failed: failed.cloned(),
            next,
        };
        let (kept, message) = (waiting.clone(), waiting.message);
        self.store.write(move |w| book::settle(w, id, kept, &outcome)).await?;
        match next {
            Some(next) => {
                let mut index = lock(&self.index);
                // Or mended while that was written.
                let next = if self.is_mended(service, set_at) { now } else { next };
                index.insert(id, (service, next));
            }
            None => {
                lock(&self.index).remove(&id);
            }
        }
        let given_up = next.is_none();
        let lost = given_up && must;
        if let Some(failed) = failed.filter(|_| lost) {
            self.tell_lost(host, service, &message, &failed.words);
        }
        let failed = match failed {
            // A channel of which one chat is gone still reaches the others.
            failed if news || failed.is_none() => None,
            _ if self.is_mended(service, set_at) => return Ok(()),
            failed if reached_nobody => failed,
            // Those it reached earlier were not tried again: nothing is known of them now.
            _ => return Ok(()),
        };
        self.judge(host, service, failed, (given_up, lost), now).await
    }

    /// Whether a person has made other settings than those of `set_at` meanwhile: what came of those says nothing of these, which are
    /// tried at once. They may be made at any moment, so this is asked again after each wait.
    fn is_mended(&self, service: u64, set_at: Option<Time>) -> bool {
        let current = self.service(service).filter(|service| service.enabled);
        current.is_some_and(|current| set_at.is_some_and(|set_at| current.updated_at != set_at))
    }

    /// Sends a channel nothing for as long as its service asked for; at once where it asked for nothing.
    fn wait_as_asked(&self, service: u64, failed: Option<&Failed>, now: Time) {
        let asked = failed.and_then(|failed| failed.after);
        let until = asked.and_then(|after| now.checked_add(after).ok());
        let mut quiet = lock(&self.quiet);
        match until {
            Some(until) => quiet.insert(service, until),
            None => quiet.remove(&service),
        };
    }

    /// Says that a critical reached nobody: in the history alone, nobody would look for it.
    pub(super) fn tell_lost(&self, host: &dyn Host, id: u64, message: &Message, why: &str) {
        let Some(service) = self.service(id) else { return };
        let text = format!(
            "Critical alert {:?} reached nobody through alert channel {:?} and is given up: {why}",
            message.title, service.name
        );
        let data = serde_json::json!({ "service_id": id, "service_type": service.service_type });
        host.record(NewEvent {
            drive: message.event.as_ref().and_then(|event| event.drive.clone()),
            // A warning: as a critical it would itself be tried for days and told when it is given up, for ever.
            ..NewEvent::new("alerts.given_up", Severity::Warning, text, data)
        });
    }

    /// Remembers whether the channel works, and switches it off when it is hopeless. Of the message it says whether it was given
    /// up, and whether it was a critical that reached nobody.
    async fn judge(
        &self,
        host: &dyn Host,
        id: u64,
        failed: Option<&Failed>,
        (given_up, lost): (bool, bool),
        now: Time,
    ) -> store::Result<()> {
        let Some(service) = self.service(id) else { return Ok(()) };
        let lost = failed.map_or(0, |_| service.lost + u32::from(lost));
        let since = failed.map(|_| service.failing_since.unwrap_or(now));
        let hopeless = match (failed, since) {
            (Some(failed), Some(since)) => {
                (given_up || failed.gone) && service.enabled && retry::hopeless(since, failed, now)
            }
            _ => false,
        };
        if since == service.failing_since && lost == service.lost && !hopeless {
            return Ok(());
        }
        let why = hopeless.then(|| {
            let words = failed.map_or("", |failed| failed.words.as_str());
            format!(
                "nothing reached it since {}: {words}",
                since.unwrap_or(now).strftime("%Y-%m-%d %H:%M UTC")
            )
        });
        let told = why.clone();
        self.change(id, move |service| {
            service.failing_since = since;
            service.lost = lost;
            if told.is_some() {
                service.enabled = false;
                service.disabled_why = told;
            }
        })
        .await?;
        if let Some(why) = why {
            tracing::warn!(service = id, "an alert channel switched itself off");
            let text = format!(
                "Alert channel {:?} switched itself off: {why}. Mend it and switch it on again in the settings",
                service.name
            );
            let data = serde_json::json!({ "service_id": id, "service_type": service.service_type });
            host.record(NewEvent::new("alerts.channel_disabled", Severity::Warning, text, data));
        }
        Ok(())
    }

    /// Sends a test message at once; it stands in the history like any other.
    ///
    /// # Errors
    /// When the history cannot be written. That the service did not take it is no error.
    pub async fn test(
        &self,
        service: &Service,
        facts: &Facts,
        words: &str,
        now: Time,
    ) -> store::Result<Result<String, Failed>> {
        let id = format!("kiln-test-{}", uuid::Uuid::now_v7());
        let message = message::test(facts, &service.name, words, id, now);
        let attempt = match service.channel() {
            Ok(channel) => {
                let attempt = self.sender.send(&channel, &message, &BTreeSet::new(), now).await;
                service.scrubbed(attempt)
            }
            Err(bad) => given_up(&bad.to_string()),
        };
        let mut line = Delivery::of(service, &message, now);
        line.attempts = 1;
        line.next_at = None;
        match &attempt.failed {
            None => {
                line.status = Status::Sent;
                line.sent_at = Some(now);
                line.answer.clone_from(&attempt.answer);
            }
            Some(failed) => {
                line.status = Status::Failed;
                line.error_message.clone_from(&failed.words);
            }
        }
        self.store.write(move |w| book::note(w, line).map(|_| ())).await?;
        Ok(match attempt.failed {
            Some(failed) => Err(failed),
            None => Ok(attempt.answer),
        })
    }
}

fn given_up(words: &str) -> Attempt {
    Attempt {
        failed: Some(Failed::lasting(words)),
        ..Attempt::default()
    }
}

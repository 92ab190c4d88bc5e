//! From the event log to the queue: what each new event comes to on each channel.

use wire::event::Event;

use super::{BATCH, CURSOR, Changed, Engine, Host, STATE, TOLD, book, digest, escalation, lock, recall};
use crate::message::{self, Facts};
use crate::route::{Decision, route};

impl Engine {
    /// Takes the next events of the log; says whether there are more.
    pub(super) async fn follow(&self, host: &dyn Host) -> store::Result<bool> {
        let events = self.events;
        let (batch, more) = self.store.read(|r| {
            let cursor = STATE.get(r, CURSOR)?.and_then(|value| value.as_u64()).unwrap_or(0);
            let batch = events.after(r, &cursor, BATCH)?;
            let more = batch.len() == BATCH;
            Ok((batch, more))
        })?;
        let Some(last) = batch.last().map(|(seq, _)| *seq) else {
            return Ok(false);
        };
        let batch: Vec<(Event, Facts)> = batch
            .into_iter()
            .map(|(_, event)| {
                let facts = host.facts(Some(&event));
                (event, facts)
            })
            .collect();
        let (services, now, waiting) = (self.services(), host.now(), lock(&self.index).clone());
        let changed = self
            .store
            .write(move |w| {
                let mut changed = Changed::default();
                for (event, facts) in &batch {
                    let routed = route(event, facts, &services, |key| recall(w, key), now);
                    let steps = escalation::steps(event, &routed, &services, now);
                    for routed in routed {
                        let Some(service) = services.iter().find(|service| service.id == routed.service) else {
                            continue;
                        };
                        match routed.decision {
                            Decision::Keep(_) => continue,
                            // Of the second line: its turn comes later, or, with what nobody has to look after, never. Its
                            // cool-down begins when it is told.
                            _ if service.escalate_after_secs > 0 => continue,
                            Decision::Send => {
                                let mut message = message::of_event(event, facts, service.id);
                                escalation::announce(&mut message, &steps, facts, now);
                                book::enqueue(w, &mut changed, &waiting, service, message, now)?;
                            }
                            Decision::Collect(due) => {
                                digest::collect(w, service.id, event, facts, due)?;
                            }
                        }
                        if let Some(key) = routed.remember {
                            TOLD.put(w, key.as_str(), &now)?;
                        }
                    }
                    escalation::open(w, &mut changed, event, facts, steps)?;
                }
                book::forget(w)?;
                STATE.put(w, CURSOR, &last.into())?;
                Ok(changed)
            })
            .await?;
        self.take(host, changed).await?;
        Ok(more)
    }
}

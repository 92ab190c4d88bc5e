//! Digests: what is collected for one, and the message that it becomes.

use store::Write;
use wire::Time;
use wire::event::{Event, Severity};

use super::{COLLECTED, COLLECTED_MAX, Changed, Engine, Host, Line, STATE, book, dropped_key, due_key, lock};
use crate::message::{BODY_MAX, Facts, Message, cut, of_event, one_line};
use crate::route::{Decision, when};
use crate::service::Service;

/// Adds an event to what a channel's next digest tells.
pub(super) fn collect(
    w: &mut Write<'_, '_>,
    service: u64,
    event: &Event,
    facts: &Facts,
    due: Time,
) -> store::Result<()> {
    let of = service.to_string();
    let message = of_event(event, facts, service);
    let line = Line {
        time: event.ts,
        severity: event.severity,
        title: message.title,
        text: cut(&one_line(&event.message), 300),
    };
    COLLECTED.append_to(w, &of, &line)?;
    let gone = COLLECTED.keep_last_of(w, &of, COLLECTED_MAX)?;
    if gone > 0 {
        let key = dropped_key(service);
        let before = STATE
            .get(w, key.as_str())?
            .and_then(|value| value.as_u64())
            .unwrap_or(0);
        STATE.put(w, key.as_str(), &(before + gone as u64).into())?;
    }
    let key = due_key(service);
    if STATE.get(w, key.as_str())?.is_none() {
        STATE.put(w, key.as_str(), &due.to_string().into())?;
    }
    Ok(())
}

impl Engine {
    async fn put_due(&self, key: String, due: Time) -> store::Result<()> {
        self.store
            .write(move |w| STATE.put(w, key.as_str(), &due.to_string().into()))
            .await
    }

    /// Queues the digests that are due.
    pub(super) async fn send_digests(&self, host: &dyn Host) -> store::Result<()> {
        let now = host.now();
        for service in self.services() {
            let key = due_key(service.id);
            let Some(due) = self.store.read(|r| STATE.get(r, key.as_str()))? else {
                continue;
            };
            let kept: Time = due.as_str().and_then(|text| text.parse().ok()).unwrap_or(now);
            // What lies farther ahead than a digest that begins now was written under a clock that was ahead.
            let due = match when(Severity::Warning, &service, now) {
                Decision::Collect(at) => kept.min(at),
                Decision::Send | Decision::Keep(_) => kept.min(now),
            };
            if due > now {
                if due < kept {
                    self.put_due(key, due).await?;
                }
                continue;
            }
            if let Some(until) = service.quiet_hours.as_ref().and_then(|quiet| quiet.until(now)) {
                self.put_due(key, until).await?;
                continue;
            }
            let facts = host.facts(None);
            let waiting = lock(&self.index).clone();
            let changed = self
                .store
                .write(move |w| {
                    let of = service.id.to_string();
                    let lines: Vec<Line> = COLLECTED
                        .after_of(w, &of, 0, usize::MAX)?
                        .into_iter()
                        .map(|(_, line)| line)
                        .collect();
                    let dropped_key = dropped_key(service.id);
                    let dropped = STATE
                        .get(w, dropped_key.as_str())?
                        .and_then(|value| value.as_u64())
                        .unwrap_or(0);
                    let mut changed = Changed::default();
                    if !lines.is_empty() && service.enabled {
                        let message = message(&service, &facts, &lines, dropped, due);
                        book::enqueue(w, &mut changed, &waiting, &service, message, now)?;
                    }
                    COLLECTED.delete_of(w, &of)?;
                    STATE.delete(w, dropped_key.as_str())?;
                    STATE.delete(w, due_key(service.id).as_str())?;
                    Ok(changed)
                })
                .await?;
            self.take(host, changed).await?;
        }
        Ok(())
    }
}

/// The message of a digest; one line alone is told as itself.
fn message(service: &Service, facts: &Facts, lines: &[Line], dropped: u64, due: Time) -> Message {
    let severity = lines.iter().map(|line| line.severity).max().unwrap_or(Severity::Info);
    let all = lines.len() as u64 + dropped;
    let (title, body) = match lines {
        [only] if dropped == 0 => (only.title.clone(), only.text.clone()),
        _ => {
            let warnings = lines.iter().filter(|line| line.severity >= Severity::Warning).count();
            let mut title = format!("{all} messages");
            if warnings > 0 {
                title.push_str(&format!(", {warnings} of them warnings"));
            }
            if !facts.host.is_empty() {
                title.push_str(&format!(" from {}", facts.host));
            }
            let mut body = String::new();
            if dropped > 0 {
                body.push_str(&format!(
                    "{dropped} earlier ones are left out; they stand in the event log.\n"
                ));
            }
            for line in lines {
                let sign = if line.severity >= Severity::Warning { '!' } else { '-' };
                body.push_str(&format!("{sign} {} {}\n", line.time.strftime("%m-%d %H:%M"), line.text));
            }
            (title, body)
        }
    };
    let link = (!facts.url.is_empty()).then(|| format!("{}/events", facts.url));
    let mut body = cut(body.trim_end(), BODY_MAX);
    if let Some(link) = &link {
        body.push('\n');
        body.push_str(link);
    }
    Message {
        id: format!("kiln-digest-{}-{}", service.id, due.as_second()),
        title: one_line(&title),
        body,
        severity,
        event_type: "digest".to_owned(),
        time: due,
        host: facts.host.clone(),
        serial: String::new(),
        link,
        event: None,
    }
}

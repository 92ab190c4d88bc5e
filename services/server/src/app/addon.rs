//! One connection of an add-on, from the upgrade to its end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use link::{Closed, Incoming, Ping};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until};
use wire::frame::{FRAME_MAX_SENT, Read};
use wire::{Frame, Problem};

use super::{App, Linked, lock};
use crate::addon::outcall::{self, Origin, Reply};
use crate::addon::{Kept, Sent, Taken, read_manifest};
use crate::auth::secret::Bearer;
use crate::hub::throttle::{self, Throttle, Verdict};
use crate::hub::{AGENT, Input, MANIFESTS};
use crate::own;

/// A day: how long an add-on without held frames waits for nothing.
const NOTHING_DUE: Duration = Duration::from_hours(24);

/// Most names of components that a connection's frames have and that are looked up in the manifest; no manifest has as many.
const COMPONENTS: usize = 200;

/// The outer object of a frame; its payload is not looked into.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// A connection that is served.
struct Served {
    addon: u64,
    connection: u64,
    /// Whether it is the box's own agent, whose frames are not throttled and say more.
    built_in: bool,
    /// Whether it enrolled by `connect`: then it may send long frames.
    enrolled: bool,
    first: bool,
    /// Names of components in its frames, and whether the manifest has them; looked up anew when a manifest comes.
    components: BTreeMap<String, bool>,
}

/// How a connection of an add-on came.
#[derive(Debug)]
pub struct Came {
    /// Whether the add-on enrolled by `connect`.
    pub enrolled: bool,
    /// From where, for its log.
    pub from: String,
    /// Key of the token.
    pub token: String,
    /// The token.
    pub bearer: Bearer,
}

/// A connection that was heard so lately was no dead one when another took its place.
const LIVELY: Duration = Duration::from_secs(10);

impl App {
    /// Serves one connection of an add-on to its end. One that has not enrolled by `connect` keeps to the documented
    /// 64 KiB a message; only its first one, if that is its manifest, may be longer.
    pub async fn serve_addon(&self, addon: u64, came: Came, sender: link::Sender, mut receiver: link::Receiver) {
        let Came {
            enrolled,
            from,
            token,
            bearer,
        } = came;
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        let rival = self.newest(addon, |other| {
            let talks = !other.sender.is_over() && other.sender.heard().elapsed() < LIVELY;
            talks.then(|| other.from.clone())
        });
        let linked = Linked {
            addon,
            from: from.clone(),
            token,
            bearer,
            sender: sender.clone(),
        };
        let key = linked.token.clone();
        lock(&self.links).insert(connection, linked);
        // Looked at again now that whoever takes it away finds the connection: between the request and here both may have gone.
        if !self.addons.get(addon).is_some_and(|row| row.enabled) || !self.vault.is_token(&key) {
            lock(&self.links).remove(&connection);
            return sender.close(1008, "it may no longer connect").await;
        }
        self.feed(Input::Connected { addon, connection }).await;
        if let Some(other) = rival.flatten() {
            let what = format!(
                "a connection from {from} took the place of one from {other} that was still talking; are two daemons running with \
                 this add-on's number?"
            );
            self.feed(Input::Noted { addon, what }).await;
        }
        let mut served = Served {
            addon,
            connection,
            built_in: addon == AGENT && self.has_agent,
            enrolled,
            first: true,
            components: BTreeMap::new(),
        };
        let mut throttle = Throttle::new(self.clock.now().mono, self.held.clone());
        let why = loop {
            let due = throttle.due(self.clock.now().mono);
            let received = tokio::select! {
                received = receiver.next() => received,
                () = sleep_until(Instant::now() + due.unwrap_or(NOTHING_DUE)), if due.is_some() => {
                    while let Some(held) = throttle.release(self.clock.now().mono) {
                        self.feed_held(&served, &held).await;
                    }
                    continue;
                }
            };
            let received = match received {
                Ok(Incoming::Message(received)) => received,
                Ok(Incoming::Ping(ping)) => {
                    self.acknowledge(ping).await;
                    continue;
                }
                Err(closed) => {
                    if is_its_fault(&closed) {
                        let what = format!("the connection was closed: {closed}");
                        self.feed(Input::Word { addon, what }).await;
                    }
                    break closed.to_string();
                }
            };
            match self.take_message(&mut served, &mut throttle, &received).await {
                Ok(()) => {}
                Err(what) => {
                    sender.close(1009, "longer than 65536 bytes").await;
                    break what;
                }
            }
            if !served.built_in {
                let now = self.clock.now().mono;
                if let Some(what) = throttle.word(now) {
                    self.feed(Input::Word { addon, what }).await;
                }
                let rest = throttle.pause(now, received.bytes.len());
                if rest > Duration::ZERO {
                    tokio::time::sleep(rest).await;
                }
            }
        };
        while let Some(held) = throttle.rest() {
            self.feed_held(&served, &held).await;
        }
        tracing::info!(addon, connection, why, "an add-on's connection is over");
        lock(&self.links).remove(&connection);
        self.feed(Input::Closed { addon, connection, why }).await;
        if self.hub(|hub| !hub.is_connected(addon)) {
            self.replies.fail_all_of(addon);
        }
    }

    /// Answers an add-on's ping; one that may be a mark once what was sent before it is on the medium: who sent it may take the
    /// answer as a receipt, and forget. While the store takes nothing there is none, and it sends all of that again when it comes
    /// back. Libraries that ping with anything else only ask whether somebody is there, and hang up where nobody says so.
    async fn acknowledge(&self, ping: Ping) {
        if !ping.may_be_a_mark() || self.scribe.kept(Vec::new()).await.is_ok() {
            ping.answer();
        }
    }

    /// Takes one message; an error is why the connection has to end.
    async fn take_message(
        &self,
        served: &mut Served,
        throttle: &mut Throttle,
        received: &link::Received,
    ) -> Result<(), String> {
        let (addon, connection) = (served.addon, served.connection);
        let malformed = |what: String| Input::Malformed {
            addon,
            connection,
            what,
        };
        let envelope = serde_json::from_slice::<Envelope<'_>>(&received.bytes);
        let kind = envelope
            .as_ref()
            .map(|envelope| envelope.kind.clone())
            .unwrap_or_default();
        let is_manifest = kind == "manifest";
        if !served.enrolled && received.bytes.len() > FRAME_MAX_SENT && !(is_manifest && served.first) {
            let length = received.bytes.len();
            let what = format!(
                "it has {length} bytes; at most {FRAME_MAX_SENT} are taken; the connection was closed with 1009"
            );
            self.feed(malformed(what.clone())).await;
            return Err(what);
        }
        served.first = false;
        let raw = envelope.as_ref().ok().and_then(|envelope| envelope.payload);
        if is_manifest {
            served.components.clear();
            self.take_manifest(served, raw).await;
            return Ok(());
        }
        if served.built_in && kind == own::KIND {
            self.take_own_drive(raw.map_or("null", RawValue::get)).await;
            return Ok(());
        }
        // The answer to a command of ours; between server and built-in agent it has a form of its own.
        if kind == "result" && !served.built_in {
            let payload: Value = raw
                .and_then(|raw| serde_json::from_str(raw.get()).ok())
                .unwrap_or_default();
            let frame = Frame::Other {
                kind: kind.into_owned(),
                payload,
            };
            self.feed(Input::Frame {
                addon,
                connection,
                frame,
                payload: text(raw),
            })
            .await;
            return Ok(());
        }
        let (frame, payload) = if served.built_in {
            match received.frame() {
                Ok(frame) => (frame, text(raw)),
                Err(error) => {
                    self.feed(malformed(error.to_string())).await;
                    return Ok(());
                }
            }
        } else {
            let read = match (Frame::read(&received.bytes), &envelope) {
                (Ok(read), Ok(_)) => read,
                // "type" or "payload" twice: one reader takes the first, another the last.
                (Ok(_), Err(error)) => {
                    self.feed(malformed(format!("{error}; expected it once"))).await;
                    return Ok(());
                }
                (Err(error), _) => {
                    self.feed(malformed(error.to_string())).await;
                    return Ok(());
                }
            };
            if !read.warnings.is_empty() {
                let what = format!("a frame was corrected: {}", read.warnings.join("; "));
                self.feed(Input::Word { addon, what }).await;
            }
            if let Some(what) = self.unknown_component(served, &kind, &read.payload) {
                self.feed(Input::Word { addon, what }).await;
            }
            let payload = relayed(&read, raw);
            (read.frame, payload)
        };
        if served.built_in {
            self.feed(Input::Frame {
                addon,
                connection,
                frame,
                payload,
            })
            .await;
            return Ok(());
        }
        let key = throttle::key(&frame);
        match (throttle.judge(self.clock.now().mono, &frame, key.as_deref()), key) {
            (Verdict::Take, _) => {
                self.feed(Input::Frame {
                    addon,
                    connection,
                    frame,
                    payload,
                })
                .await;
            }
            (Verdict::Hold, Some(key)) => throttle.hold(&key, &received.bytes),
            (Verdict::Hold, None) | (Verdict::Drop, _) => {}
        }
        Ok(())
    }

    /// What to say of a frame whose component is not in the manifest, once for each: no page shows it.
    fn unknown_component(&self, served: &mut Served, kind: &str, payload: &Value) -> Option<String> {
        let id = payload.get("component_id")?.as_str().filter(|id| !id.is_empty())?;
        let of_components = matches!(kind, "progress" | "log" | "chart" | "metric" | "smart" | "attributes");
        if !of_components || served.components.len() >= COMPONENTS || served.components.contains_key(id) {
            return None;
        }
        let manifest = self.addons.get(served.addon)?.manifest;
        // Before there is a manifest nothing can be missing in it.
        let is_known = manifest.is_none() || manifest.has_component(id);
        if !manifest.is_none() {
            served.components.insert(id.to_owned(), is_known);
        }
        let id: String = id.chars().take(60).collect();
        (!is_known).then(|| {
            format!("frame \"{kind}\": component_id: no component {id:?} is in the manifest; it is taken, and no page shows it")
        })
    }

    /// Feeds a frame that was held back: it could be read when it came, and its sender was told then what was corrected.
    async fn feed_held(&self, served: &Served, bytes: &[u8]) {
        let Ok(read) = Frame::read(bytes) else { return };
        let envelope = serde_json::from_slice::<Envelope<'_>>(bytes).ok();
        let payload = relayed(&read, envelope.and_then(|envelope| envelope.payload));
        self.feed(Input::Frame {
            addon: served.addon,
            connection: served.connection,
            frame: read.frame,
            payload,
        })
        .await;
    }

    /// Keeps the manifest that an add-on sent down its socket, and tells its page.
    async fn take_manifest(&self, served: &Served, raw: Option<&RawValue>) {
        let (addon, connection) = (served.addon, served.connection);
        let sent = raw.and_then(|raw| serde_json::from_str::<Sent>(raw.get()).ok());
        let manifest = sent.unwrap_or(Sent {
            kept: Kept::default(),
            value: Value::Null,
            length: 0,
        });
        if let Err(wait) = self.manifest_room(addon) {
            let what = format!(
                "the manifest was not taken: {MANIFESTS}; send it again in {} s",
                wait.as_secs() + 1
            );
            return self.feed(Input::Word { addon, what }).await;
        }
        let kept = match read_manifest(manifest).await {
            Ok(taken) => {
                let now = self.clock.now().wall;
                let told = serde_json::json!({ "name": taken.name, "version": taken.version });
                for what in &taken.words {
                    let what = what.clone();
                    self.feed(Input::Word { addon, what }).await;
                }
                let Taken {
                    version,
                    description,
                    kept,
                    ..
                } = taken;
                let kept = self.addons.update(addon, move |row| {
                    let same = row.version == version && row.manifest == kept;
                    row.version = version;
                    row.description = description;
                    row.manifest = kept;
                    if !same {
                        row.updated = now;
                    }
                });
                match kept.await {
                    Ok(None) => return,
                    Ok(Some(_)) => Ok(told),
                    Err(error) => Err(error.to_string()),
                }
            }
            Err(problem) => {
                // A line for each flaw: one line alone would be cut.
                for flaw in problem.detail.lines() {
                    let what = format!("the manifest was not taken: {flaw}");
                    self.feed(Input::Malformed {
                        addon,
                        connection,
                        what,
                    })
                    .await;
                }
                return;
            }
        };
        let input = match kept {
            Ok(told) => {
                let payload = told.to_string().into();
                let frame = Frame::Other {
                    kind: "manifest".to_owned(),
                    payload: told,
                };
                Input::Frame {
                    addon,
                    connection,
                    frame,
                    payload,
                }
            }
            Err(what) => Input::Malformed {
                addon,
                connection,
                what,
            },
        };
        self.feed(input).await;
    }

    /// Whether an add-on may bring its manifest now: it is written to the medium, and told to everybody.
    ///
    /// # Errors
    /// How long to wait.
    pub fn manifest_room(&self, addon: u64) -> Result<(), Duration> {
        let now = self.clock.now().mono;
        lock(&self.hub).manifest_room(now, addon)
    }

    /// Closes the connections of an add-on that may no longer connect.
    pub async fn close_addon(&self, addon: u64) {
        self.close_those(|linked| linked.addon == addon, "add-on is disabled")
            .await;
    }

    /// Closes the connections that were opened with a token that was taken away.
    pub async fn close_token(&self, key: &str) {
        self.close_those(|linked| linked.token == key, "its token was taken away")
            .await;
    }

    async fn close_those(&self, those: impl Fn(&Linked) -> bool, why: &str) {
        let senders: Vec<_> = {
            let links = lock(&self.links);
            links
                .values()
                .filter(|linked| those(linked))
                .map(|linked| linked.sender.clone())
                .collect()
        };
        for sender in senders {
            sender.close(1008, why).await;
        }
    }

    /// Of the newest connection of an add-on.
    fn newest<T>(&self, addon: u64, of: impl FnOnce(&Linked) -> T) -> Option<T> {
        // Numbers rise: the greatest is the newest.
        let links = lock(&self.links);
        let of_it = links.iter().filter(|(_, linked)| linked.addon == addon);
        of_it.max_by_key(|(number, _)| **number).map(|(_, linked)| of(linked))
    }

    /// The newest connection of an add-on.
    pub(crate) fn addon_sender(&self, addon: u64) -> Option<link::Sender> {
        self.newest(addon, |linked| linked.sender.clone())
    }

    /// Asks an add-on at its own address, with the token that its connection was opened with, as existing servers do. While it
    /// has no connection it is asked without: here are only hashes of tokens.
    ///
    /// # Errors
    /// As [`outcall::call`].
    pub(crate) async fn call_addon(
        &self,
        addon: u64,
        origin: &Origin,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        patience: Duration,
    ) -> Result<Reply, Problem> {
        let bearer = self.newest(addon, |linked| linked.bearer.clone());
        outcall::call(origin, bearer.as_ref(), method, path, body, patience).await
    }

    /// Says goodbye to all add-ons: the server is stopping.
    pub async fn shut_down(&self) {
        self.stopping.send_replace(true);
        let senders: Vec<_> = lock(&self.links).values().map(|linked| linked.sender.clone()).collect();
        for sender in senders {
            sender.shut_down().await;
        }
        self.alerts.settle().await;
        self.keep_seen().await;
    }

    /// Keeps when each add-on was heard last.
    pub(super) async fn keep_seen(&self) {
        let seen = self.hub(crate::hub::Hub::seen);
        if let Err(error) = self.addons.saw(seen).await {
            tracing::warn!(%error, "when the add-ons were heard last was not stored");
        }
    }
}

/// Whether a connection ended by what the add-on sent, or did not send: then its own log says so.
fn is_its_fault(closed: &Closed) -> bool {
    match closed {
        Closed::TooLong(_) | Closed::Protocol(_) | Closed::Crowded | Closed::Silent(_) | Closed::Stuck(_) => true,
        Closed::Peer { .. } | Closed::Gone | Closed::Socket(_) | Closed::Local(_) => false,
    }
}

/// A frame's payload as others get it: as it came, unless something of it was corrected or put into our words. Of a
/// notification always as it was read: its bytes may say a key twice, a reserved word in the first.
fn relayed(read: &Read, raw: Option<&RawValue>) -> Arc<str> {
    if read.as_it_came && !matches!(read.frame, Frame::Notification(_)) {
        return text(raw);
    }
    read.payload.to_string().into()
}

/// A payload on one line, as it came where it came on one line.
fn text(raw: Option<&RawValue>) -> Arc<str> {
    let text = raw.map_or("null", RawValue::get);
    if !text.contains(['\n', '\r']) {
        return text.into();
    }
    // Line ends stand between tokens only; in strings they are escaped.
    match serde_json::from_str::<Value>(text) {
        Ok(value) => value.to_string().into(),
        Err(_) => "null".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_payload_is_shown_as_it_came_on_one_line() {
        let of = |frame: &str| text(serde_json::from_str::<Envelope<'_>>(frame).unwrap().payload).to_string();
        assert_eq!(
            of(r#"{"type":"x","payload":{"z":1.50, "a":12345678901234567890123}}"#),
            r#"{"z":1.50, "a":12345678901234567890123}"#
        );
        assert_eq!(of("{\"type\":\"x\",\"payload\":{\n\"a\":\r\n[1]}}"), r#"{"a":[1]}"#);
        assert_eq!(of(r#"{"type":"x"}"#), "null");
        assert_eq!(of(r#"{"type":"x","payload":null}"#), "null");
        assert_eq!(of(r#"{"type":"x","payload":"a\nb"}"#), r#""a\nb""#);
    }
}

//! Whom the agent obeys: the server on this machine, by the first gate key that it met there. One over the network is never obeyed,
//! whatever key it names ([`crate::uplink`]): a Vigil server verifies nothing, and whoever is between needs no more than a word.

use ed25519_dalek::VerifyingKey;
use tracing::{error, info, warn};
use wire::event::Severity;
use wire::frame::Hello;

use super::Controller;
use crate::events::Happening;
use crate::gate::Trust;
use crate::jobs::PINS;

impl Controller {
    /// Pins the first gate key; another one later is not obeyed.
    pub(super) async fn hello(&mut self, hello: &Hello) {
        let pins = self
            .means
            .jobs
            .store()
            .read(|r| Ok((PINS.get(r, "gate_key")?, PINS.get(r, "box_id")?)));
        let (key, box_id) = match pins {
            Ok(pins) => pins,
            Err(cause) => {
                error!(error = %cause, "the pinned gate key cannot be read; nothing will be erased");
                return;
            }
        };
        let Some(new) = parse_key(&hello.gate_key) else {
            warn!("the server's gate key is not 64 hexadecimal digits of a key; nothing will be erased");
            self.trust = None;
            return;
        };
        if let (Some(key), Some(box_id)) = (key, box_id) {
            if key != hello.gate_key || box_id != hello.box_id {
                self.distrust();
                return;
            }
        } else {
            let (gate_key, id) = (hello.gate_key.clone(), hello.box_id.clone());
            let pinned = self.means.jobs.store().write(move |w| {
                PINS.put(w, "gate_key", &gate_key)?;
                PINS.put(w, "box_id", &id)
            });
            if let Err(cause) = pinned.await {
                error!(error = %cause, "the gate key could not be pinned; nothing will be erased");
                return;
            }
            info!(box_id = hello.box_id, "gate key pinned");
        }
        // After a store was lost only the server knows them.
        self.means.jobs.saw(&hello.known_jobs);
        self.trust = Some(Trust {
            key: new,
            box_id: hello.box_id.clone(),
            claimed: hello.claimed,
        });
    }

    fn distrust(&mut self) {
        self.trust = None;
        if !std::mem::replace(&mut self.distrusted, true) {
            let message = "The server's gate key is not the one that the agent pinned when they first met; nothing will be \
                           erased. If the server was set up anew, reset the box to factory settings, or delete the agent's state.";
            error!(message, "gate key changed");
            self.alarm("agent.gate_key_changed", message.to_owned());
        }
    }

    /// Tells, once, that a server over the network greets as ours does; nothing is pinned, and nothing done at its word.
    pub(super) fn posed(&mut self, server: &str) {
        if !std::mem::replace(&mut self.posed, true) {
            let message = format!(
                "The server at {server} greets as this box's own. Only the one behind this machine's Unix socket is that; nothing will \
                 be erased at the word of another. If it is a Kiln server on this machine, name the socket that it was given with --unix: \
                 VIGIL_SERVER_URL=unix:/PATH. If it is a Vigil server, it was tampered with, or somebody is between: reach it by https."
            );
            error!(message, "another server greets as this box's own");
            self.alarm("agent.false_greeting", message);
        }
    }

    fn alarm(&self, kind: &str, message: String) {
        let data = serde_json::Value::Null;
        let happening = Happening::new(kind, Severity::Critical, None, message, data);
        self.means.outbox.event(happening);
    }
}

fn parse_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = hex::decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

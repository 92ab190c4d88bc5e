//! Whom the agent obeys: the first gate key that it met.

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
                           erased. If the server was set up anew, reset the box to factory settings, or delete the agent's state."
                .to_owned();
            error!(message, "gate key changed");
            let data = serde_json::Value::Null;
            self.means.outbox.event(Happening::new(
                "agent.gate_key_changed",
                Severity::Critical,
                None,
                message,
                data,
            ));
        }
    }
}

fn parse_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = hex::decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

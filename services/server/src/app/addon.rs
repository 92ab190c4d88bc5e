//! One connection of an add-on, from the upgrade to its end.

use std::sync::atomic::Ordering;

use wire::frame::{FRAME_MAX_SENT, Frame};

use super::{App, Linked, lock};
use crate::addon::read_manifest;
use crate::hub::Input;

impl App {
    /// Serves one connection of an add-on to its end. One that has not `enrolled` by `connect` keeps to the documented
    /// 64 KiB a message; only its first one, if that is its manifest, may be longer.
    pub async fn serve_addon(&self, addon: u64, enrolled: bool, sender: link::Sender, mut receiver: link::Receiver) {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        lock(&self.links).insert(
            connection,
            Linked {
                addon,
                sender: sender.clone(),
            },
        );
        self.feed(Input::Connected { addon, connection }).await;
        let mut first = true;
        let why = loop {
            let received = match receiver.recv_raw().await {
                Ok(received) => received,
                Err(closed) => break closed.to_string(),
            };
            let frame = received.frame();
            let is_manifest = matches!(&frame, Ok(Frame::Other { kind, .. }) if kind == "manifest");
            if !enrolled && received.bytes.len() > FRAME_MAX_SENT && !(is_manifest && first) {
                let what = format!(
                    "it has {} bytes; at most {FRAME_MAX_SENT} are taken",
                    received.bytes.len()
                );
                self.feed(Input::Malformed {
                    addon,
                    connection,
                    what: what.clone(),
                })
                .await;
                sender.close(1009, "longer than 65536 bytes").await;
                break what;
            }
            first = false;
            match frame {
                Ok(frame) => {
                    let payload = payload(&received.bytes);
                    if is_manifest && let Err(what) = self.take_manifest(addon, &payload).await {
                        self.feed(Input::Malformed {
                            addon,
                            connection,
                            what,
                        })
                        .await;
                    }
                    self.feed(Input::Frame {
                        addon,
                        connection,
                        frame,
                        payload,
                    })
                    .await;
                }
                Err(error) => {
                    self.feed(Input::Malformed {
                        addon,
                        connection,
                        what: error.to_string(),
                    })
                    .await
                }
            }
        };
        tracing::info!(addon, connection, why, "an add-on's connection is over");
        lock(&self.links).remove(&connection);
        self.feed(Input::Closed { addon, connection, why }).await;
        let seen = self.hub(|hub| hub.addon(self.clock.now(), addon).1);
        if let Some(mut row) = self.addons.get(addon) {
            row.last_seen = seen;
            if let Err(error) = self.addons.put(row).await {
                tracing::warn!(addon, %error, "when the add-on was seen last was not stored");
            }
        }
    }

    /// Keeps the manifest that an add-on sent down its socket.
    async fn take_manifest(&self, addon: u64, manifest: &serde_json::Value) -> Result<(), String> {
        let (_, version, description) = read_manifest(manifest).map_err(|problem| problem.to_string())?;
        let Some(mut row) = self.addons.get(addon) else {
            return Ok(());
        };
        (row.version, row.description) = (version, description);
        row.manifest = manifest.clone();
        row.updated = self.clock.now().wall;
        self.addons.put(row).await.map_err(|error| error.to_string())
    }

    /// Closes the connections of an add-on that may no longer connect.
    pub async fn close_addon(&self, addon: u64) {
        let senders: Vec<_> = {
            let links = lock(&self.links);
            links
                .values()
                .filter(|l| l.addon == addon)
                .map(|l| l.sender.clone())
                .collect()
        };
        for sender in senders {
            sender.close(1008, "add-on is disabled").await;
        }
    }

    /// Says goodbye to all add-ons: the server is stopping.
    pub async fn shut_down(&self) {
        self.stopping.send_replace(true);
        let senders: Vec<_> = lock(&self.links).values().map(|linked| linked.sender.clone()).collect();
        for sender in senders {
            sender.shut_down().await;
        }
    }
}

/// The payload of a frame as it came, with the fields that we do not know.
fn payload(bytes: &[u8]) -> serde_json::Value {
    let whole: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    match whole {
        serde_json::Value::Object(mut fields) => fields.remove("payload").unwrap_or_default(),
        _ => serde_json::Value::Null,
    }
}

//! The life of the box as far as the server has a hand in it: who may get in again, backup, reset, what is sent to
//! whoever helps.
//!
//! What only PID 1 can do (reset, reboot) is ordered over its control socket, which [`crate::supervisor::control`] holds.

pub mod backup;
mod brought;
pub mod contents;
pub mod debug;
mod recovery;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError};

use serde_json::json;
use tokio::sync::{Mutex, Notify, OwnedRwLockWriteGuard, RwLock, mpsc};
use wire::event::Severity;
use wire::supervisor::Request;

use crate::app::App;
use crate::auth::claim::Code;
use crate::auth::secret;
use crate::hub::Input;
use crate::note::Note;
use crate::tls::Shown;
use brought::Brought;
use recovery::Recovery;

/// Orders that may wait for the supervisor to listen.
const ORDERS: usize = 8;

/// What this side of the box keeps.
#[derive(Debug)]
pub struct Life {
    /// The directory of the server's state.
    pub data: PathBuf,
    /// The TLS certificate, where the server speaks TLS.
    pub certificate: OnceLock<Shown>,
    /// Where the list of what the image is made of lies, once it was found.
    pub(crate) bill: OnceLock<PathBuf>,
    /// Orders to PID 1.
    pub orders: mpsc::Sender<Request>,
    /// Where [`crate::supervisor::control`] takes them from.
    pub(crate) ordered: Mutex<mpsc::Receiver<Request>>,
    /// Told when the server has to start again, because what it would read has changed.
    pub restart: Notify,
    /// A backup that was sent and waits for its passphrase.
    pub(crate) brought: Brought,
    /// Held while a backup is being made, brought or put back.
    pub(crate) bringing: Arc<Mutex<()>>,
    /// Held together by those who arm and start, until that is recorded, and alone by who puts a backup back: what would be
    /// recorded meanwhile would be missing in what is laid down.
    pub(crate) starting: Arc<RwLock<()>>,
    /// That lock, once a backup is laid down: until the server starts again.
    pub(crate) laid_down: OnceLock<OwnedRwLockWriteGuard<()>>,
    /// Wishes at the console to get in without a password.
    recovery: std::sync::Mutex<Recovery>,
}

impl Life {
    /// With its state in `data`.
    pub fn new(data: PathBuf) -> Self {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let answered = Note(data.join(recovery::NOTE)).read().unwrap_or_default();
        Self {
            data,
            certificate: OnceLock::new(),
            bill: OnceLock::new(),
            orders,
            ordered: Mutex::new(ordered),
            restart: Notify::new(),
            brought: Brought::default(),
            bringing: Arc::default(),
            starting: Arc::default(),
            laid_down: OnceLock::new(),
            recovery: std::sync::Mutex::new(Recovery::of(answered)),
        }
    }

    /// Looks at the wishes for recovery, and keeps which of them are answered where that has changed.
    async fn recovery<T>(&self, work: impl FnOnce(&mut Recovery) -> T) -> T {
        let (done, changed) = {
            let mut recovery = self.recovery.lock().unwrap_or_else(PoisonError::into_inner);
            let before = recovery.answered().clone();
            let done = work(&mut recovery);
            (done, Some(recovery.answered().clone()).filter(|now| *now != before))
        };
        if let Some(answered) = changed {
            let note = Note(self.data.join(recovery::NOTE));
            let written = tokio::task::spawn_blocking(move || note.write(&answered)).await;
            if !matches!(written, Ok(Ok(()))) {
                tracing::warn!(?written, "which wishes for recovery are answered is not noted");
            }
        }
        done
    }
}

impl App {
    /// Somebody at the console has asked to get in without a password, `wished` times in this boot: the box gets a new
    /// claim code, shown on the console alone. Who types it sets a password; nothing is lost, running jobs go on. A wish
    /// that nobody has answered so stands when the server starts again.
    pub async fn recover(&self, boot_id: &str, wished: u32) {
        if !self.life.recovery(|recovery| recovery.hear(boot_id, wished)).await {
            return;
        }
        self.claim(|claim| claim.reopen(Code::from_random(secret::random())));
        self.feed(Input::Recovering).await;
        let message = "Somebody at the console asked to get in without a password; a claim code is shown there";
        self.record("box.recovery", Severity::Warning, message.to_owned(), json!({}))
            .await;
    }

    /// Somebody has claimed the box: the wishes so far are answered.
    pub(crate) async fn recovered(&self) {
        self.life.recovery(Recovery::answer).await;
    }
}

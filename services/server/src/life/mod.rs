//! The life of the box as far as the server has a hand in it: who may get in again, backup, reset, what is sent to
//! whoever helps.
//!
//! What only PID 1 can do (reset, reboot) is ordered over its control socket, which [`crate::control`] holds.

pub mod backup;
pub mod debug;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::json;
use tokio::sync::{Mutex, Notify, mpsc};
use wire::event::Severity;
use wire::supervisor::Request;

use crate::app::App;
use crate::auth::claim::Code;
use crate::auth::secret;
use crate::hub::Input;
use crate::tls::Shown;

/// Orders that may wait for the supervisor to listen.
const ORDERS: usize = 8;

/// What this side of the box keeps.
#[derive(Debug)]
pub struct Life {
    /// The directory of the server's state.
    pub data: PathBuf,
    /// The TLS certificate, where the server speaks TLS.
    pub certificate: OnceLock<Shown>,
    /// Orders to PID 1.
    pub orders: mpsc::Sender<Request>,
    /// Where [`crate::control`] takes them from.
    pub(crate) ordered: Mutex<mpsc::Receiver<Request>>,
    /// Told when the server has to start again, because what it would read has changed.
    pub restart: Notify,
    /// A backup that was sent and waits for its passphrase: whose, and the file.
    pub(crate) brought: std::sync::Mutex<Option<(String, backup::Held)>>,
    /// Held while a backup is being made, brought or put back.
    pub(crate) bringing: Arc<Mutex<()>>,
    /// How many wishes for recovery were seen; `u32::MAX` until the supervisor was heard first.
    recoveries: AtomicU32,
}

impl Life {
    /// With its state in `data`.
    pub fn new(data: PathBuf) -> Self {
        let (orders, ordered) = mpsc::channel(ORDERS);
        Self {
            data,
            certificate: OnceLock::new(),
            orders,
            ordered: Mutex::new(ordered),
            restart: Notify::new(),
            brought: std::sync::Mutex::default(),
            bringing: Arc::default(),
            recoveries: AtomicU32::new(u32::MAX),
        }
    }

    /// Whether `wished` is a new wish. The first count that is heard was answered by the server's run before.
    fn is_new(&self, wished: u32) -> bool {
        let before = self.recoveries.swap(wished, Ordering::Relaxed);
        before != u32::MAX && wished > before
    }
}

impl App {
    /// Somebody at the console has asked to get in without a password, `wished` times in this boot: the box gets a new
    /// claim code, shown on the console alone. Who types it sets a password; nothing is lost, running jobs go on.
    pub async fn recover(&self, wished: u32) {
        if !self.life.is_new(wished) {
            return;
        }
        self.claim(|claim| claim.reopen(Code::from_random(secret::random())));
        self.feed(Input::Recovering).await;
        let message = "Somebody at the console asked to get in without a password; a claim code is shown there";
        self.record("box.recovery", Severity::Warning, message.to_owned(), json!({}))
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_counts_once_and_not_those_of_the_run_before() {
        let life = Life::new(PathBuf::new());
        assert!(!life.is_new(2), "the run before has answered these");
        assert!(!life.is_new(2));
        assert!(life.is_new(3));
        assert!(!life.is_new(3));
        assert!(!life.is_new(0), "PID 1 was replaced and counts anew");
        assert!(life.is_new(1));
    }
}

//! The heartbeat to the supervisor: only sent when something real was done since the last one.
//!
//! A beat means: this runtime turned, the hub was looked at, and a transaction of the store was written, flushed and
//! read back. A timer alone proves nothing. It needs no free file: a server that serves as many as it may is not dead.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::app::App;

/// How often the store is touched when nobody asks for beats.
const UNASKED: Duration = Duration::from_secs(30);

/// Whoever started this process and wants to hear of it.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    /// Where it listens. Looked up at each send: it may have made that anew.
    at: OsString,
}

impl Supervisor {
    /// The one that the environment names (`NOTIFY_SOCKET`); `None` where there is none.
    pub fn of_environment() -> Option<Self> {
        let at = std::env::var_os("NOTIFY_SOCKET")?;
        match UnixDatagram::unbound() {
            Ok(socket) => Some(Self { socket, at }),
            Err(error) => {
                tracing::error!(%error, "the supervisor cannot be told anything");
                None
            }
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = self.socket.send_to(lines.as_bytes(), &self.at) {
            tracing::warn!(%error, "the supervisor was not told");
        }
    }
}

/// Tells the supervisor that the server serves, then beats until it stops.
pub async fn run(app: Arc<App>, supervisor: Option<Supervisor>) {
    let notify = |states: &[NotifyState<'_>]| {
        if let Some(supervisor) = &supervisor {
            supervisor.tell(states);
        }
    };
    let asked = sd_notify::watchdog_enabled();
    let every = asked.map_or(UNASKED, |limit| limit / 2);
    let mut stopping = app.stopping.subscribe();
    let mut ready = false;
    loop {
        match app.store.touch().await {
            Ok(_) => {
                let now = app.clock.now();
                let status = app.hub(|hub| {
                    let running = hub.jobs().filter(|job| !job.state.is_over()).count();
                    format!(
                        "{} drives, {running} jobs running, agent {:?}",
                        hub.drives().len(),
                        hub.agent(now).state
                    )
                });
                if !std::mem::replace(&mut ready, true) {
                    notify(&[NotifyState::Ready]);
                }
                notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            }
            // To be started again makes no room, and would lose what waits for it.
            Err(error @ store::Error::Full(_)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store is full");
                if !std::mem::replace(&mut ready, true) {
                    notify(&[NotifyState::Ready]);
                }
                notify(&[NotifyState::Watchdog, NotifyState::Status("the store is full")]);
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store took no transaction: no heartbeat"
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = crate::app::stopped(&mut stopping) => {
                notify(&[NotifyState::Stopping]);
                return;
            }
        }
    }
}

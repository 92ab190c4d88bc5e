//! Calls to the burn-in agent: a command goes down its connection, its reply comes back as a frame.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use wire::Problem;
use wire::command::{Answer, Call, CallOutcome, Command, Reply};
use wire::frame::Frame;

use crate::hub::Presence;

/// Calls that may wait for their reply at once.
const WAITING_MAX: usize = 64;

/// The calls that wait.
#[derive(Debug, Default)]
pub struct Calls {
    waiting: Mutex<HashMap<String, oneshot::Sender<CallOutcome>>>,
}

/// The problem of an agent that cannot be reached.
pub fn away(agent: Option<Presence>) -> Problem {
    let next = match agent {
        Some(Presence::Here | Presence::Restarting) | None => {
            "it is restarted by itself, so try again in a few seconds"
        }
        Some(Presence::Silent) => "it has been away for minutes: restart the box if it does not come back",
        Some(Presence::Down) => {
            "it does not run, and the box's banners say why: mend that, or restart the box to try again"
        }
    };
    Problem::new("agent-away", 503, "The burn-in agent is not connected")
        .with(format!("nothing was started or changed; {next}"))
}

/// How long an answer may take: an abort and a plan look at drives, a start opens and guards each of them.
fn patience(command: &Command) -> Duration {
    match command {
        Command::Plan { .. }
        | Command::Abort { .. }
        | Command::Scan { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Locate { .. }
        | Command::NameBay { .. }
        | Command::SavePlaybook { .. }
        | Command::ForgetPlaybook { .. } => Duration::from_secs(20),
        // Rows of a whole page are read or written at a medium that may be slow.
        Command::Start(_) | Command::Backup { .. } | Command::Restore { .. } => Duration::from_secs(30),
    }
}

impl Calls {
    /// Sends `command` down `sender` and waits for the reply.
    ///
    /// # Errors
    /// The agent's own refusal; `agent-away` when the connection ends; `agent-late` when no reply comes.
    pub async fn call(&self, sender: &link::Sender, command: Command) -> Result<Answer, Problem> {
        let patience = patience(&command);
        let id = uuid::Uuid::now_v7().to_string();
        let (tell, reply) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= WAITING_MAX {
                return Err(
                    Problem::new("busy", 503, "The burn-in agent has too much to answer").with("try again in a moment")
                );
            }
            waiting.insert(id.clone(), tell);
        }
        // However this ends, the call is no longer waited for.
        let _forget = Forget { calls: self, id: &id };
        let frame = Frame::Command(Call {
            id: id.clone(),
            command,
        });
        sender.send(&frame).await.map_err(|error| match error {
            link::SendError::TooLong { .. } => {
                Problem::new("too-long", 413, "The request is too long").with(error.to_string())
            }
            link::SendError::Full | link::SendError::Over => away(Some(Presence::Restarting)),
        })?;
        match tokio::time::timeout(patience, reply).await {
            Ok(Ok(CallOutcome::Ok(answer))) => Ok(answer),
            Ok(Ok(CallOutcome::Error(problem))) => Err(problem),
            Ok(Err(_)) => Err(away(Some(Presence::Restarting))),
            Err(_) => Err(
                Problem::new("agent-late", 504, "The burn-in agent did not answer in time").with(format!(
                    "{} s; look at the list of jobs before trying again",
                    patience.as_secs()
                )),
            ),
        }
    }

    /// A reply has come.
    pub fn reply(&self, reply: Reply) {
        let waiting = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&reply.id);
        match waiting {
            // Who called may have gone.
            Some(tell) => drop(tell.send(reply.outcome)),
            None => tracing::debug!(id = reply.id, "a reply nobody waits for"),
        }
    }

    /// The connection is over: whoever waits is told.
    pub fn fail_all(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Forget<'a> {
    calls: &'a Calls,
    id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.calls
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(self.id);
    }
}

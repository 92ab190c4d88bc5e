//! The built-in agent: who the box is goes to it first, commands after that.

use store::Store;
use wire::command::{Answer, Command};
use wire::frame::{Frame, Hello};
use wire::{JobId, Problem};

use super::App;
use crate::calls::{self, Asked};
use crate::hub::{AGENT, Hub};
use crate::scribe;
use crate::tables::{CERTIFICATES, STATE};

impl App {
    /// Asks the burn-in agent.
    ///
    /// # Errors
    /// Its refusal, that it cannot be reached, or that its answer did not come.
    pub async fn ask_agent(&self, command: Command) -> Result<Answer, Problem> {
        self.call_agent(command).await?.answer().await
    }

    /// Sends the burn-in agent a command; its answer is to be waited for.
    ///
    /// # Errors
    /// When the command has not left.
    pub(crate) async fn call_agent(&self, command: Command) -> Result<Asked<'_>, Problem> {
        let sender = self.agent_sender().ok_or_else(|| {
            let now = self.clock.now();
            calls::away(self.hub(|hub| hub.presence(now)))
        })?;
        self.calls.ask(&sender, command).await
    }

    pub(super) fn agent_sender(&self) -> Option<link::Sender> {
        self.addon_sender(AGENT)
    }

    /// Has the agent end a job that is over here. Its answer comes over the connection that waits for this, and tells nothing: the job's end
    /// does, and where the command is lost the agent tells of the job once more.
    pub(super) async fn abandon(&self, job: JobId) {
        let command = Command::Abort {
            job,
            actor: "the box, where it was over already".to_owned(),
        };
        if let Err(problem) = self.call_agent(command).await.map(drop) {
            tracing::warn!(%job, ?problem, "the agent was not told that a job is over");
        }
    }

    pub(super) async fn say_hello(&self) {
        let Some(sender) = self.agent_sender() else { return };
        let (box_id, gate_key) = self.gate(|gate| (gate.box_id().to_owned(), gate.public_key()));
        // What came over the connection before may still wait to be written; it counts as seen only once it is.
        if let Err(error) = self.scribe.kept(Vec::new()).await {
            tracing::warn!(%error, "what the agent sent last is not stored; it will send it again");
        }
        let seen = self.store.read(|r| STATE.get(r, scribe::EVENTS_SEEN));
        let events_seen = seen.ok().flatten().and_then(|v| v.as_u64()).unwrap_or(0);
        let claimed = self.hub(Hub::is_claimed);
        let store = self.store.clone();
        let known = tokio::task::spawn_blocking(move || known_jobs(&store)).await;
        let hello = Hello {
            box_id,
            gate_key,
            claimed,
            known_jobs: known.unwrap_or_default(),
            events_seen,
        };
        if let Err(error) = sender.send(&Frame::Hello(hello)).await {
            tracing::warn!(%error, "the agent was not told who the box is");
        }
    }
}

/// The jobs whose certificates are here. What is damaged, which the store's checksum tells, the agent tells again. Signatures were
/// checked before anything was kept: all of them once more took 2.7 ms each, before each greeting.
fn known_jobs(store: &Store) -> Vec<JobId> {
    let read = store.read(|r| {
        let mut keys = CERTIFICATES.keys(r)?;
        keys.retain(|key| CERTIFICATES.get(r, key).is_ok_and(|text| text.is_some()));
        Ok(keys)
    });
    let keys = read.unwrap_or_default();
    keys.iter().filter_map(|key| key.parse().ok()).collect()
}

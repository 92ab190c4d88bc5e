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
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Locate { .. }
        | Command::NameBay { .. }
        | Command::SavePlaybook { .. }
        | Command::ForgetPlaybook { .. } => Duration::from_secs(20),
        // Rows of a whole page are read or written at a medium that may be slow.
        Command::Backup { .. } | Command::Restore { .. } => Duration::from_secs(30),
        // The agent gives a drive 60 s to be opened, all of them at once (`OPEN` in its `hands.rs`), 20 to show what stands on it
        // (`fingerprints.rs`), and 60 to show that its lost burn-in is gone on with (`offer.rs`); then it writes the jobs down.
        Command::Start(_) | Command::Scan { .. } => Duration::from_secs(145),
    }
}

/// How long a reply that is late is still listened for, after a start: so that the log tells what came of it.
const LATE: Duration = Duration::from_mins(10);

/// What may have come of a command that has left and is not answered; and what to do. `None` where it changes nothing.
fn doubt(command: &Command) -> Option<&'static str> {
    match command {
        Command::Plan { .. } | Command::Backup { .. } => None,
        Command::Start(_) | Command::Scan { .. } => {
            Some("it is not known whether it was started; look at the bench before trying again")
        }
        Command::Abort { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Locate { .. }
        | Command::NameBay { .. }
        | Command::SavePlaybook { .. }
        | Command::ForgetPlaybook { .. }
        | Command::Restore { .. } => Some("it is not known whether it was done; look before trying again"),
    }
}

/// Whether this problem leaves open what came of a command: the agent may have done it, or be doing it.
pub fn is_unanswered(problem: &Problem) -> bool {
    matches!(problem.kind.as_str(), "agent-late" | "agent-unsure" | "agent-odd")
}

fn result(outcome: CallOutcome) -> Result<Answer, Problem> {
    match outcome {
        CallOutcome::Ok(answer) => Ok(answer),
        CallOutcome::Error(problem) => Err(problem),
    }
}

/// A call that waits for its reply.
#[derive(Debug)]
pub struct Asked<'a> {
    patience: Duration,
    doubt: Option<&'static str>,
    reply: oneshot::Receiver<CallOutcome>,
    /// However this ends, the call is no longer waited for.
    _forget: Forget<'a>,
}

impl Asked<'_> {
    /// The reply, within the time that such a command may take.
    ///
    /// # Errors
    /// The agent's own refusal. Where the connection ends, `agent-unsure`, or `agent-away` for a command that changes nothing;
    /// `agent-late` when no reply comes: then there may be one still, for [`Self::late`].
    pub async fn answer(&mut self) -> Result<Answer, Problem> {
        match tokio::time::timeout(self.patience, &mut self.reply).await {
            Ok(Ok(outcome)) => result(outcome),
            Ok(Err(_)) => Err(match self.doubt {
                Some(doubt) => {
                    Problem::new("agent-unsure", 504, "The burn-in agent was gone before it answered").with(doubt)
                }
                None => away(Some(Presence::Restarting)),
            }),
            Err(_) => {
                let doubt = self.doubt.unwrap_or("nothing was changed; try again");
                let problem = Problem::new("agent-late", 504, "The burn-in agent did not answer in time");
                Err(problem.with(format!("{} s; {doubt}", self.patience.as_secs())))
            }
        }
    }

    /// The reply that was late; `None` where none comes any more.
    pub async fn late(mut self) -> Option<Result<Answer, Problem>> {
        let outcome = tokio::time::timeout(LATE, &mut self.reply).await.ok()?.ok()?;
        Some(result(outcome))
    }
}

impl Calls {
    /// Sends `command` down `sender`; its reply is to be waited for.
    ///
    /// # Errors
    /// When it has not left: `busy`, `too-long`, or `agent-away` when the connection is over.
    pub async fn ask(&self, sender: &link::Sender, command: Command) -> Result<Asked<'_>, Problem> {
        let (asked, call) = self.wait_for(command)?;
        sender.send(&Frame::Command(call)).await.map_err(|error| match error {
            link::SendError::TooLong { .. } => {
                Problem::new("too-long", 413, "The request is too long").with(error.to_string())
            }
            link::SendError::Full | link::SendError::Over => away(Some(Presence::Restarting)),
        })?;
        Ok(asked)
    }

    /// A call that is waited for from now on.
    fn wait_for(&self, command: Command) -> Result<(Asked<'_>, Call), Problem> {
        let id = uuid::Uuid::now_v7().to_string();
        let (tell, reply) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            return Err(
                Problem::new("busy", 503, "The burn-in agent has too much to answer").with("try again in a moment")
            );
        }
        waiting.insert(id.clone(), tell);
        let asked = Asked {
            patience: patience(&command),
            doubt: doubt(&command),
            reply,
            _forget: Forget {
                calls: self,
                id: id.clone(),
            },
        };
        Ok((asked, Call { id, command }))
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

#[derive(Debug)]
struct Forget<'a> {
    calls: &'a Calls,
    id: String,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.calls
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::JobId;
    use wire::gate::Armed;

    use super::*;

    fn start() -> Command {
        Command::Start(Armed {
            ticket: "{}".into(),
            signature: "00".into(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_is_waited_for_while_its_drives_are_opened_and_a_late_reply_is_still_heard() {
        let calls = Calls::default();
        let (mut asked, call) = calls.wait_for(start()).unwrap();
        let soon = tokio::time::timeout(Duration::from_secs(70), asked.answer()).await;
        assert!(soon.is_err(), "{soon:?}");
        let late = asked.answer().await.unwrap_err();
        assert_eq!((late.kind.as_str(), late.status), ("agent-late", 504));
        assert!(late.detail.contains("look at the bench"), "{late}");
        assert!(is_unanswered(&late));
        let answer = Answer::Started {
            jobs: vec![JobId::now()],
        };
        calls.reply(Reply {
            id: call.id,
            outcome: CallOutcome::Ok(answer.clone()),
        });
        assert_eq!(asked.late().await, Some(Ok(answer)));
        let (mut silent, _) = calls.wait_for(start()).unwrap();
        assert!(silent.answer().await.is_err());
        assert_eq!(silent.late().await, None);
        assert!(calls.waiting.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_lost_connection_is_no_word_that_nothing_was_done() {
        let calls = Calls::default();
        let (mut begun, _) = calls.wait_for(start()).unwrap();
        let (mut read, _) = calls.wait_for(Command::Backup { from: 0 }).unwrap();
        calls.fail_all();
        let (begun, read) = (begun.answer().await.unwrap_err(), read.answer().await.unwrap_err());
        assert_eq!(begun.kind, "agent-unsure");
        assert!(
            is_unanswered(&begun) && !begun.to_string().contains("nothing was"),
            "{begun}"
        );
        assert_eq!(read.kind, "agent-away");
    }
}

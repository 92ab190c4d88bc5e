//! What a foreign Vigil server asks. It verifies nothing, so nothing is done at its word alone: everything is refused, and
//! with `KILN_ALLOW_FOREIGN_GATE=1` the agent runs both steps of the gate itself ([`crate::gate`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use store::Pending;
use tokio::sync::oneshot;
use tracing::warn;
use wire::command::{Answer, CallOutcome};
use wire::drive::Drive;
use wire::gate::{Plan, is_by_wwn};
use wire::{DriveId, Problem};

use super::command::kept;
use super::start::Beginning;
use super::{Back, Controller};
use crate::gate;
use crate::job::Wish;
use crate::vigil::ask::{Said, Wanted};
use crate::vigil::{console, target};

/// Shortest time between two codes on the console, so that nobody can fill it.
const CODES: Duration = Duration::from_secs(5);

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<Said, Problem>>;

impl Controller {
    pub(super) fn asked(&mut self, wanted: Wanted, from: &str, reply: Reply) {
        let actor = format!("foreign server {from}");
        let done = self.may_ask().and_then(|()| match wanted {
            Wanted::Plan {
                targets,
                playbook,
                options,
            } => {
                let list = Arc::clone(&self.means.drives.borrow());
                let drives = named(&targets, &list)?;
                if self.coded.is_some_and(|coded| coded.elapsed() < CODES) {
                    let problem = Problem::new("plan-too-often", 429, "Plans come too fast");
                    return Err(problem.with("Wait a few seconds before the next one."));
                }
                let (planned, answer) = oneshot::channel();
                self.plan(drives, &playbook, *options, planned);
                Ok(Under::Way(answer))
            }
            Wanted::Start { code, serials } => {
                let list = Arc::clone(&self.means.drives.borrow());
                let busy = self.busy();
                let now = self.epoch.elapsed();
                let granted = self.ledger.start_by_code(&code, &serials, &actor, &list, &busy, now)?;
                let beginning = Beginning {
                    drives: granted.plan.drives.iter().map(|drive| drive.id.clone()).collect(),
                    book: granted.book.clone(),
                    actor: granted.actor.clone(),
                    granted: Some(granted),
                };
                let (started, answer) = oneshot::channel();
                self.open(beginning, &list, started);
                Ok(Under::Way(answer))
            }
            Wanted::Scan { targets, playbook } => {
                let list = Arc::clone(&self.means.drives.borrow());
                let drives = named(&targets, &list)?;
                let (started, answer) = oneshot::channel();
                self.scan(drives, &playbook, actor.clone(), started);
                Ok(Under::Way(answer))
            }
            Wanted::Cancel(job) => self
                .wish(job, Wish::Abort(actor.clone()))
                .map(|wish| Under::Kept(wish, json!({ "status": "cancelled", "job_id": job.to_string() }))),
            Wanted::Pause(job) => self
                .wish(job, Wish::Pause(actor.clone()))
                .map(|wish| Under::Kept(wish, json!({ "status": "paused", "job_id": job.to_string() }))),
            Wanted::Resume(job) => self
                .wish(job, Wish::Resume(actor.clone()))
                .map(|wish| Under::Kept(wish, json!({ "status": "running", "job_id": job.to_string() }))),
        });
        match done {
            Err(problem) => {
                match self.refusals.tell(Instant::now()) {
                    Some(0) => warn!(actor, why = %problem, "refused"),
                    Some(untold) => warn!(actor, untold, why = %problem, "refused, like others before it"),
                    None => {}
                }
                say(reply, Err(problem));
            }
            Ok(Under::Kept(wish, value)) => drop(tokio::spawn(async {
                kept(wish).await;
                say(reply, Ok(Said { status: 200, value }));
            })),
            Ok(Under::Way(answer)) => {
                let back = self.back.clone();
                tokio::spawn(async move {
                    let gone = || Problem::new("agent-busy", 503, "The agent stops");
                    let outcome = answer.await.unwrap_or_else(|_| CallOutcome::Error(gone()));
                    let _stopped = back.send(Back::Answered { outcome, reply }).await;
                });
            }
        }
    }

    /// Whether a foreign server may ask for anything.
    fn may_ask(&self) -> Result<(), Problem> {
        if self.trust.is_some() || self.distrusted {
            let problem = Problem::new("use-the-gate", 409, "This agent has a server of its own");
            return Err(problem.with("Burn-ins are planned, armed and started on its page."));
        }
        if self.foreign_gate {
            return Ok(());
        }
        let problem = Problem::new("foreign-server", 403, "On this server the agent only reads");
        Err(problem.with(
            "A Vigil server verifies no confirmation, and nothing that is said over the network proves another, so nothing is done at \
             its word. Burn-ins are started at the Kiln server of the agent's own machine, which it is given by its socket \
             (VIGIL_SERVER_URL=unix:/PATH), or with KILN_ALLOW_FOREIGN_GATE=1 in the agent's environment, which makes it ask for a \
             code from its own console.",
        ))
    }

    /// A plan, start or scan that was asked for came to something.
    pub(super) fn answered(&mut self, outcome: CallOutcome, reply: Reply) {
        let said = match outcome {
            CallOutcome::Error(problem) => Err(problem),
            CallOutcome::Ok(Answer::Planned(plan)) => self.show_code(&plan),
            CallOutcome::Ok(Answer::Started { jobs }) => {
                let ids: Vec<String> = jobs.iter().map(ToString::to_string).collect();
                let value = json!({ "status": "accepted", "job_id": ids.first(), "job_ids": ids });
                Ok(Said { status: 202, value })
            }
            // A foreign server never gets what the agent keeps.
            CallOutcome::Ok(Answer::Records { .. }) => Err(Problem::new("foreign-server", 403, "This stays here")),
            CallOutcome::Ok(Answer::Aborted) => Ok(Said {
                status: 200,
                value: json!({ "status": "cancelled" }),
            }),
            CallOutcome::Ok(Answer::Done { told }) => Ok(Said {
                status: 200,
                value: json!({ "status": "done", "message": told }),
            }),
        };
        say(reply, said);
    }

    /// Shows the plan's code where only a person at the machine reads, and tells the server everything but the code.
    fn show_code(&mut self, plan: &Plan) -> Result<Said, Problem> {
        let mut random = [0; 5];
        getrandom::fill(&mut random)
            .map_err(|error| Problem::new("agent-fault", 500, "No random numbers").with(error.to_string()))?;
        let code = gate::code(random);
        self.ledger.ask_for_code(plan.id, code.clone());
        self.coded = Some(Instant::now());
        let drives: Vec<String> = plan
            .drives
            .iter()
            .map(|drive| {
                let wwn = match is_by_wwn(&drive.label, &drive.serial) {
                    true => format!(", WWN {}", drive.label),
                    false => String::new(),
                };
                format!(
                    "{} {}{wwn} ({}): {}",
                    drive.model,
                    drive.serial,
                    drive.capacity,
                    drive.content.words()
                )
            })
            .collect();
        let lost = drives.join("\n  ");
        console::show(&format!(
            "A Vigil server asks to ERASE, with the playbook {}:\n  {lost}\nTo allow it, give this code there within {} s: {code}",
            plan.playbook, plan.seconds
        ));
        warn!(
            code,
            playbook = plan.playbook,
            drives = lost,
            "a foreign server's plan waits for this code"
        );
        let shown: Vec<serde_json::Value> = plan
            .drives
            .iter()
            .map(|drive| {
                json!({ "model": drive.model, "capacity_bytes": drive.capacity.0, "content": drive.content.words(),
                    "id": drive.id, "given_up": drive.given_up })
            })
            .collect();
        Ok(Said {
            status: 428,
            value: json!({ "status": "code-needed", "plan": plan.id.to_string(), "playbook": plan.playbook,
                "drives": shown, "seconds": plan.seconds,
                "message": "Nothing was started. The agent shows a code on its console and in its log: send it as `code`, with \
                            the full serial number of each drive as `serials`, or its WWN where the console shows one." }),
        })
    }
}

enum Under {
    Way(oneshot::Receiver<CallOutcome>),
    Kept(Pending<()>, serde_json::Value),
}

/// The drives that a form names, each exactly one.
fn named(targets: &[String], list: &[Drive]) -> Result<Vec<DriveId>, Problem> {
    let one = |text: &String| target::one(text, target::node(text).as_deref(), list);
    targets.iter().map(one).collect()
}

fn say(reply: Reply, said: Result<Said, Problem>) {
    // The connection went away: nobody waits for it.
    let _gone = reply.send(said);
}

//! What the server asks, one command after the other. What may wait for a drive or a medium is done in a task of its own.

use tokio::sync::{mpsc, oneshot};
use wire::command::{Answer, CallOutcome, Command};
use wire::event::Severity;
use wire::options::PlanOptions;
use wire::{DriveId, JobId, PlanId, Problem, Time};

use super::{Back, Controller, answer, over};
use crate::events::Happening;
use crate::gate::{Ask, Members, Moment};
use crate::job::Wish;

impl Controller {
    pub(super) fn call(&mut self, command: Command, reply: oneshot::Sender<CallOutcome>) {
        match command {
            Command::Plan {
                drives,
                playbook,
                options,
            } => self.plan(drives, &playbook, options, reply),
            Command::Start(armed) => self.start(&armed, reply),
            Command::Scan {
                drives,
                playbook,
                actor,
            } => self.scan(drives, &playbook, actor, reply),
            Command::Pause { job, actor } => answer(reply, self.pause(job, actor)),
            Command::Resume { job, actor } => answer(reply, self.resume(job, actor)),
            Command::Locate { drive, on, actor } => self.locate(drive, on, &actor, reply),
            Command::SavePlaybook { text, actor } => {
                let saved = self.books.save(&text).map(|name| {
                    self.books_changed("playbook.saved", format!("{actor} saved the playbook {name}"));
                    Answer::Done {
                        told: format!("The playbook {name} is kept."),
                    }
                });
                answer(reply, saved);
            }
            Command::ForgetPlaybook { playbook, actor } => {
                let forgotten = self.books.forget(&playbook).map(|()| {
                    self.books_changed("playbook.forgotten", format!("{actor} deleted the playbook {playbook}"));
                    Answer::Done {
                        told: format!("The playbook {playbook} is gone."),
                    }
                });
                answer(reply, forgotten);
            }
            Command::Abort { job, actor } => {
                answer(reply, self.wish(job, Wish::Abort(actor)).map(|()| Answer::Aborted));
            }
        }
    }

    pub(super) fn plan(
        &self,
        drives: Vec<DriveId>,
        playbook: &str,
        options: PlanOptions,
        reply: oneshot::Sender<CallOutcome>,
    ) {
        let book = self.books.find(playbook).and_then(|book| match options.soak_hours {
            None => Ok(book),
            Some(hours) => book.soaked(hours).map_err(|error| {
                Problem::new("options-wrong", 422, "These options cannot be followed").with(format!("{error}."))
            }),
        });
        let book = match book {
            Ok(book) => book,
            Err(problem) => {
                answer(reply, Err(problem));
                return;
            }
        };
        if !book.erases() && options.format.is_none() {
            let problem = Problem::new(
                "playbook-reads",
                422,
                "This playbook only reads: nothing has to be armed",
            );
            answer(reply, Err(problem.with("Start it as a scan.")));
            return;
        }
        let (registry, back) = (self.registry.clone(), self.back.clone());
        tokio::spawn(async move {
            let (list, members) = registry.look_now(&drives).await;
            // The controller is gone only when the agent stops.
            let _stopped = back
                .send(Back::Looked {
                    drives,
                    book: Box::new(book),
                    options,
                    list,
                    members,
                    reply,
                })
                .await;
        });
    }

    /// Fresh looks are there: the plan can be made.
    pub(super) fn looked(
        &mut self,
        ask: (Vec<DriveId>, burnin::Playbook, PlanOptions),
        list: &[wire::drive::Drive],
        members: &Members,
        reply: oneshot::Sender<CallOutcome>,
    ) {
        let mut nonce = [0; 32];
        if let Err(error) = getrandom::fill(&mut nonce) {
            let problem = Problem::new("agent-fault", 500, "No random numbers").with(error.to_string());
            answer(reply, Err(problem));
            return;
        }
        let moment = Moment {
            now: self.epoch.elapsed(),
            wall: Time::now(),
            id: PlanId::now(),
            nonce,
        };
        let (drives, book, options) = ask;
        let ask = Ask {
            drives: &drives,
            book: &book,
            options: &options,
            members,
        };
        let plan = self.ledger.plan(&ask, list, &self.busy(), moment);
        answer(reply, plan.map(Answer::Planned));
    }

    pub(super) fn wish(&self, job: JobId, wish: Wish) -> Result<(), Problem> {
        let active = self.active.get(&job).ok_or_else(|| over(job))?;
        match active.wishes.try_send(wish) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                let problem = Problem::new("job-busy", 503, "The job has not answered the last command yet");
                Err(problem.with("Try again in a moment."))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(over(job)),
        }
    }

    fn pause(&self, job: JobId, actor: String) -> Result<Answer, Problem> {
        self.wish(job, Wish::Pause(actor))?;
        Ok(Answer::Done {
            told: "The job is held as soon as its present access is over; it goes on when it is resumed.".to_owned(),
        })
    }

    fn resume(&self, job: JobId, actor: String) -> Result<Answer, Problem> {
        self.wish(job, Wish::Resume(actor))?;
        Ok(Answer::Done {
            told: "The job goes on.".to_owned(),
        })
    }

    pub(super) fn books_changed(&self, kind: &str, message: String) {
        self.means.outbox.playbooks(self.books.infos());
        let data = serde_json::Value::Null;
        self.means
            .outbox
            .event(Happening::new(kind, Severity::Info, None, message, data));
    }
}

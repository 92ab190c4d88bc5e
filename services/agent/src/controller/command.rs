//! What the server asks, one command after the other. What may wait for a drive or a medium is done in a task of its own.

use std::path::Path;
use std::time::Duration;

use store::Pending;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{error, info, warn};
use wire::command::{Answer, BackupRow, CallOutcome, Command};
use wire::drive::Drive;
use wire::event::Severity;
use wire::options::PlanOptions;
use wire::{DriveId, JobId, PlanId, Problem, Time};

use super::{Back, Controller, aborted, answer, formats, over, unknown};
use crate::backup;
use crate::events::Happening;
use crate::fingerprints;
use crate::gate::{Ask, Media, Members, Moment, Seen};
use crate::job::Wish;
use crate::job::wishes::Refused;

/// Longest time in which an answer waits for the medium.
const KEPT: Duration = Duration::from_secs(3);

/// Time for an answer to leave before the agent ends.
const RESTART: Duration = Duration::from_millis(500);

impl Controller {
    pub(super) fn call(&mut self, command: Command, reply: oneshot::Sender<CallOutcome>) {
        // What ends or holds a job stays possible when the server was set up anew; nothing else does.
        let always = matches!(command, Command::Abort { .. } | Command::Pause { .. });
        if self.trust.is_none() && !always {
            let problem = Problem::new("not-trusted", 403, "This is not the server that the agent knows");
            answer(
                reply,
                Err(problem.with("Its gate key is not the pinned one; nothing is done at its word.")),
            );
            return;
        }
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
            Command::Pause { job, actor } => {
                let told = "The job is held as soon as its present access is over; it goes on when it is resumed.";
                let told = told.to_owned();
                answer_kept(reply, self.wish(job, Wish::Pause(actor)), Answer::Done { told });
            }
            Command::Resume { job, actor } => {
                let told = "The job goes on.".to_owned();
                answer_kept(reply, self.wish(job, Wish::Resume(actor)), Answer::Done { told });
            }
            Command::Locate { drive, on, actor } => self.locate(drive, on, actor, reply),
            Command::NameBay { drive, bay, actor } => self.name_bay(&drive, &bay, &actor, reply),
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
            Command::Backup { from } => {
                let (store, ended) = (self.means.jobs.store(), &self.ended);
                answer(reply, self.backup.page(store, &self.books, ended, from));
            }
            Command::Restore {
                rows,
                first,
                last,
                actor,
            } => answer(reply, self.restore(&rows, first, last, &actor)),
            Command::Abort { job, actor } => {
                answer_kept(reply, self.wish(job, Wish::Abort(actor)), Answer::Aborted);
            }
        }
    }

    /// Lays a backup down; with its last rows the agent ends, in order, and is started again by whoever supervises.
    fn restore(&self, rows: &[BackupRow], first: bool, last: bool, actor: &str) -> Result<Answer, Problem> {
        if !self.active.is_empty() || !self.opening.is_empty() {
            let problem = Problem::new("jobs-running", 409, "Drives are being tested");
            return Err(problem.with("Wait for them or abort them."));
        }
        let dir = self.means.jobs.store().path().parent().unwrap_or(Path::new("."));
        backup::lay_down(dir, rows, first, last)?;
        if last {
            info!(actor, "a backup is put back: starting again");
            // After the answer has left.
            tokio::spawn(async {
                tokio::time::sleep(RESTART).await;
                if let Err(error) = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM) {
                    error!(%error, "the agent does not start again by itself");
                }
            });
        }
        Ok(Answer::Done {
            told: "The agent's part is laid down.".to_owned(),
        })
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
        let (registry, hands, back) = (self.registry.clone(), self.means.hands.clone(), self.back.clone());
        // What a job runs on is refused, and its reads are being timed.
        let mut idle: Vec<Drive> = registry.drives().borrow().as_ref().clone();
        let busy = self.busy();
        idle.retain(|drive| {
            drive.present
                && drive
                    .id
                    .as_ref()
                    .is_some_and(|id| drives.contains(id) && !busy.contains(id))
        });
        tokio::spawn(async move {
            let look = async || tokio::join!(registry.look_now(&drives), fingerprints::of_listed(&hands, &idle));
            let (((list, members), (fingerprints, unread)), media) = counted(|| registry.media(&drives), look).await;
            // The controller is gone only when the agent stops.
            let _stopped = back
                .send(Back::Looked {
                    drives,
                    book: Box::new(book),
                    options,
                    list,
                    members,
                    seen: Seen {
                        media,
                        fingerprints,
                        unread,
                    },
                    reply,
                })
                .await;
        });
    }

    /// Fresh looks are there: the plan can be made.
    pub(super) fn looked(
        &mut self,
        ask: (Vec<DriveId>, burnin::Playbook, PlanOptions),
        list: &[Drive],
        (members, seen): (&Members, &Seen),
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
            seen,
        };
        let plan = self.ledger.plan(&ask, list, &self.busy(), moment);
        answer(reply, plan.map(Answer::Planned));
    }

    /// Hands a wish to its job; it is to be answered once it is kept, too: a kill in between must not take it back.
    pub(super) fn wish(&mut self, job: JobId, wish: Wish) -> Result<Pending<()>, Problem> {
        let Some(active) = self.active.get_mut(&job) else {
            return Err(match self.means.jobs.newest(job) {
                Ok(None) => unknown(job),
                // One that nobody works on and that is not over is taken up at the next start.
                Ok(Some(_)) | Err(_) => over(job),
            });
        };
        if active.is_aborted() && !matches!(wish, Wish::Abort(_)) {
            return Err(aborted(job));
        }
        active.wishes.put(wish.clone()).map_err(|refused| match refused {
            Refused::Over => over(job),
            Refused::Formats => formats(job),
        })?;
        let kept = self.means.jobs.wish(job, &wish);
        active.wished = Some(wish.after(active.wished.take()));
        Ok(kept)
    }

    pub(super) fn books_changed(&self, kind: &str, message: String) {
        self.means.outbox.playbooks(self.books.infos());
        let data = serde_json::Value::Null;
        self.means
            .outbox
            .event(Happening::new(kind, Severity::Info, None, message, data));
    }
}

pub(super) fn answer_kept(reply: oneshot::Sender<CallOutcome>, wished: Result<Pending<()>, Problem>, told: Answer) {
    match wished {
        Ok(wish) => drop(tokio::spawn(async {
            kept(wish).await;
            answer(reply, Ok(told));
        })),
        Err(problem) => answer(reply, Err(problem)),
    }
}

/// Waits until what a person wishes is on the medium. The job heard it in any case: where it cannot be kept, that is no refusal.
pub(super) async fn kept(wish: Pending<()>) {
    match timeout(KEPT, wish).await {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => warn!(error = %cause, "a wish was not written down"),
        Err(_) => warn!("a wish is not written down yet; the medium is slow"),
    }
}

/// A look at drives, and the count of their media that stood already before it.
///
/// The look's own open can make the kernel count a removable drive anew, and the plan would be void at its start: then it is
/// looked once more. A count that still changes stays the first one, by which the start is refused.
async fn counted<T, C, L>(count: impl Fn() -> C, look: impl Fn() -> L) -> (T, Media)
where
    C: Future<Output = Media>,
    L: Future<Output = T>,
{
    let before = count().await;
    let looked = look().await;
    let then = count().await;
    if then == before {
        return (looked, before);
    }
    let looked = look().await;
    let stands = count().await == then;
    (looked, if stands { then } else { before })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_count_that_the_look_itself_changed_is_taken_from_a_second_look() {
        let id = DriveId::from_serial("M", "S1", 1).unwrap();
        for (counts, looks, wanted) in [
            ([7, 7, 7], 1, 7),
            ([7, 8, 8], 2, 8),
            ([7, 8, 9], 2, 7),
            ([7, 8, 7], 2, 7),
        ] {
            let (asked, looked) = (Cell::new(0_usize), Cell::new(0));
            let count = || {
                let now = counts[asked.replace(asked.get() + 1)];
                std::future::ready(Media::from([(id.clone(), now)]))
            };
            let look = || std::future::ready(looked.replace(looked.get() + 1));
            let (last, media) = counted(count, look).await;
            assert_eq!((looked.get(), last), (looks, looks - 1), "{counts:?}");
            assert_eq!(media[&id], wanted, "{counts:?}");
        }
    }
}

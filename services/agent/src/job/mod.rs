//! One job from start to verdict: a task that waits for its drive, works through the playbook's steps, and keeps what
//! they tell.
//!
//! ```text
//!  wait for the drive ─► hold it (guard) ─► own steps ─► worker ⇄ own steps between ─► own steps ─► verdict
//!        ▲                 (SMART, self-tests)   │  │                   (SMART, partition, format)
//!        └── agent or box restarted ◄── parked ◄─┘  └─► worker ended: again from the checkpoint,
//!                                                       on the same descriptor, checked again
//! ```
//!
//! One way around that loop is a [`round`]. Steps that move data are the worker's, one a [`session`], of which [`course`] knows how far it is and [`report`] what it tells;
//! all others are done here ([`steps`]). A drive that goes away while the agent
//! watches ends its job; a drive that is not there when the agent starts is waited for. A person may pause a job
//! ([`pause`]) and heat may ([`hold`]); the worker then stays where it is. Nothing here decides what a fault means:
//! that is `burnin::verdict`.

mod checkpoint;
mod course;
mod crashes;
mod doubt;
mod end;
mod format;
mod hold;
mod keep;
mod pause;
mod report;
mod resets;
mod round;
mod selftest;
mod session;
mod steps;
mod turn;
mod wait;
pub mod wishes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use burnin::Evidence;
use burnin::evidence::Stop as Stopped;
use burnin::format::{Turn, Turns};
use burnin::worker::Limits;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use wire::JobId;
use wire::drive::Drive;

use crate::bays::BayBook;
use crate::hands::{Access, Hands, Held};
use crate::jobs::Jobs;
use crate::notary::Notary;
use crate::outbox::Outbox;
use crate::pacing::{Pacer, Share};
use crate::record::{Record, Strange, Trace};
use crate::stop::Stop;

use format::NoFormat;
use round::{End, Halt, Rounds};

pub use checkpoint::{is_as_left, read_header, sought_header};

/// What a job needs of the agent.
#[derive(Clone, Debug)]
pub struct Means {
    /// Guard and smartctl.
    pub hands: Hands,
    /// Where jobs are kept.
    pub jobs: Jobs,
    /// Where it is told.
    pub outbox: Outbox,
    /// Where each drive sits, or sat last.
    pub bays: BayBook,
    /// Who signs certificates.
    pub notary: Notary,
    /// Who shares the box's limits.
    pub pacer: Pacer,
    /// How many drives are formatted at once.
    pub turns: Turns,
    /// All drives as they are now.
    pub drives: watch::Receiver<Arc<Vec<Drive>>>,
    /// Turns true when the agent stops.
    pub stop: Stop,
    /// Limits of every worker.
    pub limits: Limits,
    /// Kernel's id of this boot.
    pub boot_id: String,
    /// How many seconds count for one where heat is waited out: 1; more in tests.
    pub heat_clock: u32,
    /// What is read in place of the kernel's log; in tests.
    pub kernel_log: Option<std::path::PathBuf>,
    /// How many times more a job's task fails; in tests.
    pub failures: Arc<AtomicU32>,
    /// Where alone it does; in tests.
    pub fail_place: Option<String>,
}

impl Means {
    /// Fails as often as a test asks for it: nothing else can be relied on to be a fault of ours.
    fn fail_if_asked(&self, place: &str) {
        if self.fail_place.as_ref().is_some_and(|asked| asked != place) {
            return;
        }
        let once_less = |left: u32| left.checked_sub(1);
        let asked = self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, once_less);
        assert!(asked.is_err(), "a failure was asked for {place}");
    }
}

/// What a person asks of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// End it.
    Abort(String),
    /// Hold it.
    Pause(String),
    /// Let it go on.
    Resume(String),
}

impl Wish {
    /// What stands of this wish after an earlier one: nothing takes an abort back, and else the last one counts.
    #[must_use]
    pub fn after(self, earlier: Option<Self>) -> Self {
        earlier
            .filter(|earlier| matches!(earlier, Self::Abort(_)))
            .unwrap_or(self)
    }

    /// Writes into the record what was answered to a person, whether the job's task had heard it or not.
    pub fn stands_in(&self, record: &mut Record) {
        match self {
            Self::Abort(actor) => drop(record.aborted_by.get_or_insert_with(|| actor.clone())),
            Self::Pause(actor) => drop(record.paused.get_or_insert_with(|| actor.clone())),
            Self::Resume(_) => record.paused = None,
        }
    }

    /// Whether the record says so already.
    pub fn is_in(&self, record: &Record) -> bool {
        match self {
            Self::Abort(_) => record.aborted_by.is_some(),
            Self::Pause(_) => record.paused.is_some(),
            Self::Resume(_) => record.paused.is_none(),
        }
    }
}

/// One job.
#[derive(Debug)]
pub struct JobTask {
    means: Means,
    record: Record,
    checkpoint: Option<String>,
    /// Why the next session is a resumption; `None` for the first one.
    why: Option<String>,
    wishes: Wished,
    abort_by: Option<String>,
    /// What it may have left on the drive that it holds.
    trace: Trace,
    /// Whether the last worker's headers are known to have gone to the medium that is held.
    settled: bool,
    /// Why the drive that it holds is another one.
    stranger: Option<String>,
    share: Option<Share>,
    /// To be formatted.
    turn: Option<Turn>,
    resets: Option<resets::Resets>,
    /// When this session of the agent took the job up, for the clock of heat.
    began: Instant,
}

use course::Reason;
use wishes::Wished;

/// How a session with one worker ended.
enum Session {
    /// It ran to its end, or stopped by itself.
    Done(Box<Evidence>),
    /// The agent stops; the checkpoint is kept.
    Parked,
    /// A person ended it.
    Aborted(Option<Box<Evidence>>),
    /// The drive is gone.
    Gone(Option<Box<Evidence>>),
    /// Another drive answers: nothing more is done to it.
    Refused(Box<Evidence>),
    /// The worker ended without a result.
    Crashed(String),
}

/// How steps of the agent's own ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Done,
    Parked,
    Aborted,
    Gone,
    /// Another drive answers; [`JobTask::stranger`] says why.
    Stranger,
}

/// Why there is no held drive.
enum NoDrive {
    Parked,
    Aborted,
    /// A format of it was interrupted, and it is not to be had, or not as that left it.
    Used(Strange),
}

impl JobTask {
    /// A job that `record` and `checkpoint` describe; `why` says why it was interrupted.
    pub fn new(means: Means, record: Record, checkpoint: Option<String>, why: Option<String>, wishes: Wished) -> Self {
        Self {
            means,
            record,
            checkpoint,
            why,
            wishes,
            abort_by: None,
            trace: Trace::Armed,
            settled: false,
            stranger: None,
            share: None,
            turn: None,
            resets: None,
            began: Instant::now(),
        }
    }

    /// Runs until the verdict, or until the agent stops.
    pub async fn run(mut self: Box<Self>, held: Option<Held>) -> JobId {
        self.record.take_up(&self.means.boot_id);
        if self.record.formatting {
            self.abort_by.clone_from(&self.record.aborted_by);
            if self.has_formatted() {
                // Only its end was not written down any more.
                return self.conclude(None, None).await;
            }
            return match self.take_up_format().await {
                // Its test is over, and known whole: of what the formatter began nothing is read back.
                Ok(held) => self.conclude(None, Some(held)).await,
                Err(NoFormat::Parked) => self.park().await,
                Err(NoFormat::Cut(left)) => {
                    self.format_was_cut(left.as_deref());
                    self.conclude(None, None).await
                }
            };
        }
        if let Some(actor) = self.record.aborted_by.clone() {
            self.abort_by = Some(actor);
            return self.end_aborted(None).await;
        }
        self.record.work_again();
        let mut rounds = Rounds::default();
        let mut held = held;
        let end = loop {
            match self.round(held, &mut rounds).await {
                Ok(still_held) => held = still_held,
                Err(end) => break end,
            }
        };
        match end {
            End::Parked => self.park().await,
            End::Aborted(held) => self.end_aborted(held).await,
            End::Concluded(evidence, held) => self.conclude(evidence, held).await,
            End::Lost(evidence) => self.lost(evidence).await,
            End::Refused(why) => self.refuse(why).await,
        }
    }

    /// Ends a job in which the agent itself failed more than once, with what is known: its drive is not asked for anything.
    pub async fn give_up(mut self: Box<Self>, why: String) -> JobId {
        self.record.take_up(&self.means.boot_id);
        self.abort_by.clone_from(&self.record.aborted_by);
        if self.record.formatting && !self.has_formatted() {
            self.format_was_cut(None);
        }
        let mut evidence = self.all_evidence();
        evidence.stopped = Some(Stopped::Engine { why });
        self.conclude(Some(evidence), None).await
    }

    /// The drive must not be written: the job ends with what is known.
    async fn refuse(mut self: Box<Self>, why: String) -> JobId {
        self.log("error", format!("Nothing is written to the drive: {why}"));
        let mut evidence = self.all_evidence();
        evidence.end_by(Stopped::Engine { why });
        self.conclude(Some(evidence), None).await
    }

    /// Ends a job that was aborted while nothing was under way. Its headers are marked, where its drive is there and still is as the job left
    /// it, so that no other box goes on with it, and a self-test that an earlier session of it began is ended.
    async fn end_aborted(mut self: Box<Self>, held: Option<Held>) -> JobId {
        if held.is_some() {
            return Box::pin(self.conclude(None, held)).await;
        }
        let asks = self.record.erases() || self.record.self_test.is_some();
        let listed = match asks {
            true => self.listed_soon().await,
            false => Ok(None),
        };
        let Ok(listed) = listed else {
            return self.park().await;
        };
        if let Some(listed) = listed {
            let opened = self
                .means
                .hands
                .open(self.record.identity.clone(), listed, self.access());
            if let Ok(held) = opened.await {
                self.end_self_test(&held).await;
                if self.record.erases() {
                    self.retire_what_is_its_own(&held).await;
                }
            }
        }
        Box::pin(self.conclude(None, None)).await
    }

    /// The drive went away: the job ends with what is known.
    async fn lost(mut self: Box<Self>, evidence: Option<Box<Evidence>>) -> JobId {
        let mut evidence = evidence.unwrap_or_else(|| self.all_evidence());
        evidence.end_by(Stopped::Disconnected);
        self.conclude(Some(evidence), None).await
    }

    /// What the drive is to be opened for.
    fn access(&self) -> Access {
        match self.record.erases() {
            true => Access::Erase(self.record.lose.clone()),
            false => Access::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn what_was_answered_last_stands_and_an_abort_for_good() {
        let by = |name: &str| name.to_owned();
        let all = [Wish::Pause(by("ann")), Wish::Resume(by("bob")), Wish::Abort(by("eve"))];
        for earlier in &all {
            for later in &all {
                let stands = later.clone().after(Some(earlier.clone()));
                let wanted = if matches!(earlier, Wish::Abort(_)) {
                    earlier
                } else {
                    later
                };
                assert_eq!(&stands, wanted);
                let mut kept = record();
                earlier.stands_in(&mut kept);
                stands.stands_in(&mut kept);
                assert_eq!(kept.aborted_by.is_some(), matches!(stands, Wish::Abort(_)));
                if !matches!(stands, Wish::Abort(_)) {
                    assert_eq!(
                        kept.paused.is_some(),
                        matches!(stands, Wish::Pause(_)),
                        "{earlier:?} {later:?}"
                    );
                }
            }
        }
    }
}

//! One round of a job: its drive is taken in hand, what is due before the worker is done, the worker runs, and how that ended
//! says whether there is another round.

use burnin::Evidence;
use burnin::evidence::Stop as Stopped;
use drive::guard::Place;
use drive::overlay::Overlay;
use tracing::warn;
use wire::job::JobState;

use super::crashes::{Crashes, Next};
use super::{JobTask, NoDrive, Own, Session};
use crate::hands::{Hands, Held};
use crate::record::Trace;

/// How the rounds of a job end.
pub(super) enum End {
    /// The agent stops.
    Parked,
    /// A person ended it while nothing was under way; with its drive where that is held.
    Aborted(Option<Held>),
    /// With what is known, and the drive where it can still be asked.
    Concluded(Option<Box<Evidence>>, Option<Held>),
    /// The drive went away.
    Lost(Option<Box<Evidence>>),
    /// The drive must not be written, and why.
    Refused(String),
}

/// Why no worker begins with the drive that is held.
pub(super) enum Halt {
    Parked,
    Aborted,
    /// Nothing is in its place any more, or something else.
    Gone,
    /// It holds something else than what may be erased.
    Refused(String),
    /// It may not be used at present.
    NotNow(String),
}

/// What a round knows of those before it.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    crashes: Crashes,
    /// Whether its drive may be touched: those of one start are one after the other.
    had_its_turn: bool,
}

impl JobTask {
    /// Goes around once; gives the drive that the next round holds still.
    ///
    /// # Errors
    /// How the job ends, when this was the last one.
    pub(super) async fn round(&mut self, held: Option<Held>, rounds: &mut Rounds) -> Result<Option<Held>, End> {
        match self.turn(rounds).await {
            Own::Done => {}
            Own::Aborted => return Err(End::Aborted(held)),
            Own::Parked | Own::Gone | Own::Stranger => return Err(End::Parked),
        }
        let drive = match held {
            Some(held) => held,
            None => match self.wait_for_drive().await {
                Ok(held) => held,
                Err(NoDrive::Parked) => return Err(End::Parked),
                Err(NoDrive::Aborted) => return Err(End::Aborted(None)),
                Err(NoDrive::Used(strange)) => return Err(End::Refused(strange.why)),
            },
        };
        match self.prepare(&drive).await {
            Ok(()) => {}
            Err(Halt::Parked) => return Err(End::Parked),
            Err(Halt::Aborted) => return Err(End::Concluded(None, Some(drive))),
            Err(Halt::Gone) => return Err(End::Lost(None)),
            Err(Halt::Refused(why)) => return Err(End::Refused(why)),
            Err(Halt::NotNow(why)) => {
                self.log("warn", format!("The drive may not be written now: {why}"));
                return Ok(None);
            }
        }
        self.share = Some(self.means.pacer.join(self.record.job.id, &drive.syspath));
        let session = self.session(&drive).await;
        // What comes now moves nothing, and may take hours: self-tests, a format, waiting for the drive.
        self.share = None;
        if self.note_resets(true).await {
            self.doubt_later();
        }
        Err(match session {
            Session::Done(evidence) if evidence.stopped == Some(Stopped::Disconnected) => {
                End::Concluded(Some(evidence), None)
            }
            Session::Done(evidence) => End::Concluded(Some(evidence), Some(drive)),
            Session::Aborted(evidence) => End::Concluded(evidence, Some(drive)),
            Session::Refused(evidence) => End::Concluded(Some(evidence), None),
            Session::Gone(evidence) => End::Lost(evidence),
            Session::Parked => End::Parked,
            Session::Crashed(why) => return self.crashed(why, drive, &mut rounds.crashes).await,
        })
    }

    /// Waits while it is paused and, before its first round, until its drive may be touched.
    async fn turn(&mut self, rounds: &mut Rounds) -> Own {
        loop {
            match self.wait_while_paused().await {
                Own::Done => {}
                ended @ (Own::Parked | Own::Aborted | Own::Gone | Own::Stranger) => return ended,
            }
            if rounds.had_its_turn {
                return Own::Done;
            }
            match self.breathe(self.means.pacer.until_touch()).await {
                Own::Done | Own::Gone | Own::Stranger => {}
                ended @ (Own::Parked | Own::Aborted) => return ended,
            }
            // Drives of jobs that were paused meanwhile are touched whenever a person lets these go on.
            rounds.had_its_turn = self.record.paused.is_none();
        }
    }

    /// Everything that is due before a worker: what the drive is, whether it is still the job's, and the agent's own steps.
    async fn prepare(&mut self, drive: &Held) -> Result<(), Halt> {
        if self.record.job.state != JobState::Running {
            self.set_state(JobState::Running, Vec::new());
        }
        self.record.rotation = drive.fresh.rotation;
        self.record.link_mbps = drive.fresh.link_mbps;
        self.record.shingled.clone_from(&drive.shingled);
        self.record.beside = self.record.beside.max(drive.beside);
        self.count_resets(drive);
        self.check_checkpoint(drive).await?;
        self.keep_findings();
        // Before SMART: a drive that refuses may write that into its error log.
        if Overlay::is_open(self.record.overlay.as_ref()) && self.record.smart_before.is_none() {
            let told = self.means.hands.overlay(drive).await;
            self.record.overlay = Overlay::over_time(self.record.overlay.take(), told);
        }
        match self.own_steps(drive, self.next_data()).await {
            Own::Done => {}
            Own::Parked => return Err(Halt::Parked),
            Own::Aborted => return Err(Halt::Aborted),
            Own::Gone => return Err(Halt::Gone),
            Own::Stranger => return Err(Halt::Refused(self.stranger.take().unwrap_or_default())),
        }
        self.ready(drive).await?;
        if self.record.erases() {
            self.trace = Trace::Written;
        }
        if Hands::place(drive) != Place::Same && self.doubt(drive).await.is_some() {
            return Err(Halt::Gone);
        }
        Ok(())
    }

    /// What is asked right before a worker begins: nothing is written after an abort or in a pause, and a pause is when a person
    /// exchanges a drive.
    async fn ready(&mut self, drive: &Held) -> Result<(), Halt> {
        loop {
            match self.heed_wishes().await {
                Own::Aborted => return Err(Halt::Aborted),
                Own::Parked => return Err(Halt::Parked),
                Own::Done | Own::Gone | Own::Stranger => {}
            }
            if self.record.erases() && self.trace != Trace::Written {
                // Self-tests take hours, and a dock does not tell that its drive was exchanged.
                match self.means.hands.look(drive).await {
                    Ok(content) => {
                        let strange = match self.record.strange(&content, self.trace) {
                            None => self.written_since(drive).await,
                            strange => strange,
                        };
                        if let Some(strange) = strange {
                            return Err(Halt::Refused(strange.why));
                        }
                    }
                    Err(why) => return Err(Halt::NotNow(why)),
                }
            }
            if self.wishes.is_empty() {
                return Ok(());
            }
        }
    }

    /// A worker ended without a result: the next round goes on from the last checkpoint, unless too many did.
    async fn crashed(&mut self, why: String, drive: Held, crashes: &mut Crashes) -> Result<Option<Held>, End> {
        let next = crashes.next(self.place(), self.record.job.resumes.len());
        warn!(job = %self.record.job.id, why, ?next, "a worker ended without a result");
        let Next::After(pause) = next else {
            let mut evidence = self.all_evidence();
            let why = format!("{why}; {}", crashes.words());
            evidence.stopped = Some(Stopped::Engine { why });
            return Err(End::Concluded(Some(evidence), Some(drive)));
        };
        self.log("warn", format!("{why}; going on from the last checkpoint"));
        match self.breathe(pause).await {
            Own::Done | Own::Gone | Own::Stranger => {}
            Own::Aborted => return Err(End::Concluded(None, Some(drive))),
            Own::Parked => return Err(End::Parked),
        }
        if self.is_gone(&drive) {
            return Err(End::Lost(None));
        }
        self.why = Some(self.record.interrupted_by(&why));
        if let Err(why) = self.means.hands.check(&drive).await {
            self.log("warn", format!("The drive may not be used any more: {why}"));
            return Ok(None);
        }
        Ok(Some(drive))
    }
}

//! The steps that the agent does itself: SMART before and after here, self-tests in [`super::selftest`]. Partition and
//! format come at the very end, where the outcome is known: [`super::end`].

use burnin::heat::celsius;
use burnin::job::switched;
use burnin::verdict::lacks;
use burnin::{Checkpoint, timeline};
use drive::selftest::Kind;
use drive::smart::Snapshot;
use drive::smart::run::again;
use tokio::time::Instant;
use wire::job::{Phase, PhaseStatus};
use wire::{Bytes, Time};

use super::{JobTask, Own};
use crate::hands::{Held, NoSmart};
use crate::verdict::head;

impl JobTask {
    /// The step of the worker that comes next: where the checkpoint stands, else the first one that moves data.
    pub(super) fn next_data(&self) -> u16 {
        let text = self.checkpoint.as_deref();
        let checkpoint = text.and_then(|text| Checkpoint::decode(text).ok());
        checkpoint.map_or_else(|| self.record.first_data(), |checkpoint| checkpoint.step)
    }

    /// Does what is due before the step `until`.
    pub(super) async fn own_steps(&mut self, held: &Held, until: u16) -> Own {
        loop {
            // SMART and the start of a self-test may take minutes on a sick drive, in which nobody listens.
            if self.is_aborted() {
                self.end_self_test(held).await;
                return Own::Aborted;
            }
            let Some((step, phase)) = self.record.due(until) else {
                return Own::Done;
            };
            let ended = match (phase, Kind::of(phase)) {
                (_, Some(kind)) => self.self_test(held, step, kind).await,
                // Nothing else is the agent's before the end.
                (_, None) => self.smart(held, step, phase).await,
            };
            // An extended self-test takes hours, in which the link may fail as well.
            self.note_resets(true).await;
            if ended != Own::Done {
                return ended;
            }
        }
    }

    /// smartctl names another drive than the one that was armed: the job ends.
    pub(super) fn other_drive(&mut self, why: &str) -> Own {
        self.stranger = Some(format!(
            "smartctl names another drive than the one that was armed ({why}). Plug the drive in directly, without a dock \
             that answers for another one, and arm it again"
        ));
        Own::Stranger
    }

    /// Reads SMART; [`Own::Parked`] where the agent was asked to stop meanwhile.
    pub(super) async fn smart(&mut self, held: &Held, step: u16, phase: Phase) -> Own {
        let began = Instant::now();
        self.set_step(step, PhaseStatus::Running, 0.0);
        let told = phase != Phase::SmartBefore && self.record.smart_before.is_some();
        let mut pauses = again(held.identity.bus, told).iter();
        let mut short: Option<(Snapshot, _)> = None;
        let result = loop {
            let result = tokio::select! {
                result = self.means.hands.smart(held) => result,
                () = self.means.stop.asked() => {
                    self.set_step(step, PhaseStatus::Pending, 0.0);
                    return Own::Parked;
                }
            };
            let result = match (result, short.take()) {
                // What was told in part is more than nothing.
                (Err(NoSmart::Unreadable(_)), Some(short)) => Ok(short),
                (Ok((mut whole, document)), Some((short, _))) => {
                    whole.switch = whole.switch.after(short.switch);
                    Ok((whole, document))
                }
                (result, _) => result,
            };
            let before = self.record.smart_before.as_ref().filter(|_| told);
            let why = match &result {
                Ok((snapshot, _)) => lacks(before, snapshot, self.record.rotation),
                Err(NoSmart::Unreadable(why)) => Some(why.clone()),
                Err(NoSmart::OtherDrive(_)) => None,
            };
            let (Some(why), None, Some(pause)) = (why, &self.abort_by, pauses.next()) else {
                break result;
            };
            self.log(
                "warn",
                format!("SMART could not be read whole and is asked for again: {why}"),
            );
            match self.breathe(*pause).await {
                Own::Parked => {
                    self.set_step(step, PhaseStatus::Pending, 0.0);
                    return Own::Parked;
                }
                // What was told in part stays told; whoever comes next sees the abort.
                Own::Aborted if result.is_ok() => break result,
                Own::Aborted => {
                    self.set_step(step, PhaseStatus::Interrupted, began.elapsed().as_secs_f64());
                    return Own::Aborted;
                }
                Own::Done | Own::Gone | Own::Stranger => {}
            }
            if self.is_gone(held) {
                break result;
            }
            short = result.ok();
        };
        let status = match result {
            Ok((snapshot, document)) => {
                let point = self.record.point(step, Bytes(0), celsius(snapshot.temperature));
                timeline::mark(&mut self.record.job.timeline, point);
                if let Some(word) = switched(snapshot.switch) {
                    self.log("warn", word.to_owned());
                }
                if let Some(id) = held.fresh.id.as_ref().filter(|_| !snapshot.is_switched_off()) {
                    self.means.outbox.reading(id, document, Time::now());
                }
                if phase == Phase::SmartBefore {
                    self.record.smart_before = Some(snapshot);
                    head(&mut self.record);
                } else {
                    self.record.smart_after = Some(snapshot);
                }
                PhaseStatus::Done
            }
            Err(NoSmart::OtherDrive(why)) => {
                self.set_step(step, PhaseStatus::Interrupted, began.elapsed().as_secs_f64());
                return self.other_drive(&why);
            }
            Err(NoSmart::Unreadable(why)) => {
                self.log("warn", format!("{} could not be read: {why}", phase.label()));
                if phase == Phase::SmartAfter {
                    // What an earlier session was told is not what the drive tells now.
                    self.record.smart_after = None;
                }
                PhaseStatus::Skipped
            }
        };
        self.set_step(step, status, began.elapsed().as_secs_f64());
        Own::Done
    }
}

//! Heat: when the worker of a hot drive waits, and when the job is given up. The decision is `burnin::heat`'s.

use std::time::Duration;

use burnin::heat::{Decision, Heat, Limits};
use burnin::timeline;
use drive::temperature::Waking;
use wire::drive::Bus;
use wire::job::JobState;
use wire::{Bytes, Celsius};

use super::{JobTask, Reason};
use crate::events;
use crate::hands::Held;
use crate::worker::Worker;

/// How often the temperature is looked at, also where nothing else happens.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// Why a worker does not move at present.
#[derive(Debug)]
pub(super) struct Holds {
    paused: bool,
    hot: Option<String>,
    waking: Waking,
}

impl Holds {
    /// Of a drive on this bus.
    pub(super) fn of(bus: Bus) -> Self {
        Self {
            paused: false,
            hot: None,
            waking: Waking::of(bus),
        }
    }

    pub(super) fn any(&self) -> bool {
        self.paused || self.hot.is_some()
    }
}

impl JobTask {
    /// The newest reading of the temperature: that which decided about its heat, else what is listed of it.
    pub(super) fn newest_temperature(&self, holds: &Holds) -> Option<Celsius> {
        holds.waking.newest(self.heat_clock(), self.temperature())
    }

    /// The clock of its heat.
    fn heat_clock(&self) -> Duration {
        self.began.elapsed() * self.means.heat_clock
    }
}

impl JobTask {
    /// At which temperatures this job's drive pauses and goes on.
    pub(super) fn heat_limits(&self) -> Limits {
        Limits::of_drive(self.record.rotation, self.record.smart_before.as_ref())
    }

    /// Takes a reading of the temperature to heart; gives the reason to end the worker where it will not cool.
    pub(super) async fn mind_heat(
        &mut self,
        held: &Held,
        heat: &mut Heat,
        holds: &mut Holds,
        worker: &mut Worker,
    ) -> Option<Reason> {
        let now = self.heat_clock();
        if self.record.paused.is_some() {
            heat.restart_patience(now);
        }
        let told = self.temperature_of(held);
        if holds.waking.is_due(now, holds.hot.is_some(), told) {
            holds.waking.took(self.reading(held).await, told);
        }
        let reading = holds.waking.newest(now, told);
        let decision = heat.step(now, reading)?;
        let step = self.record.job.progress.as_ref().map_or(0, |progress| progress.step);
        let point = self.record.point(step, Bytes(0), reading);
        timeline::mark(&mut self.record.job.timeline, point);
        self.means.jobs.sample(&self.record);
        match decision {
            Decision::Pause { at } => {
                let why = format!("{at}: too hot; it goes on at {}", heat.limits().resume);
                self.log("warn", format!("Pausing at {why}"));
                holds.hot = Some(why);
                self.record.was_hot = true;
                self.apply_holds(holds, worker).await;
                let told = vec![events::too_hot(&self.record.job, at, heat.limits().resume)];
                self.set_state(self.held_state(holds), told);
                None
            }
            Decision::Resume { at } => {
                holds.hot = None;
                self.log("info", format!("Cooled to {at}"));
                if let Some(doubt) = self.doubt(held).await {
                    worker
                        .stop("it stood still to cool, and does not show this job's header")
                        .await;
                    return Some(doubt);
                }
                self.apply_holds(holds, worker).await;
                let told = vec![events::cooled(&self.record.job, at)];
                self.set_state(self.held_state(holds), told);
                None
            }
            Decision::GiveUp(last) => {
                let why = heat.limits().gave_up(last);
                self.log("error", format!("Giving up: {why}"));
                worker.stop(&format!("too hot: {why}")).await;
                self.record.too_hot = Some(why);
                Some(Reason::Hot)
            }
        }
    }

    /// Takes what a person holds into account.
    pub(super) async fn mind_pause(&mut self, holds: &mut Holds, worker: &mut Worker) {
        holds.paused = self.record.paused.is_some();
        self.apply_holds(holds, worker).await;
        let state = self.held_state(holds);
        if state != self.record.job.state {
            self.set_state(state, Vec::new());
        }
    }

    pub(super) async fn apply_holds(&mut self, holds: &Holds, worker: &mut Worker) {
        match self.held_state(holds) {
            JobState::Waiting { why } => {
                worker.hold(&why).await;
                self.rests(true);
            }
            JobState::Running | JobState::Finished | JobState::Aborted => {
                self.rests(false);
                // While nobody listened others may have got its share.
                if let Some(rate) = self.share.as_ref().map(crate::pacing::Share::rate) {
                    worker.pace(rate).await;
                }
                worker.release().await;
            }
        }
    }

    /// Whether its drive moves nothing for now, so that others have its share of the box's limits.
    pub(super) fn rests(&self, rests: bool) {
        if let Some(share) = &self.share {
            share.rests(rests);
        }
    }

    fn held_state(&self, holds: &Holds) -> JobState {
        match (&self.record.paused, &holds.hot) {
            (Some(_), _) => self.waits(),
            (None, Some(why)) => JobState::Waiting { why: why.clone() },
            (None, None) => JobState::Running,
        }
    }
}

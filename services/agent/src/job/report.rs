//! What a worker's reports set going.

use burnin::timeline;
use burnin::worker::Report;
use drive::guard::Place;
use wire::{Bytes, Celsius, Time};

use super::JobTask;
use super::course::{Course, Reason};
use super::doubt::DOUBT;
use crate::events;
use crate::hands::{Hands, Held};
use crate::worker::Worker;

impl JobTask {
    /// Hears one report of a worker that goes on. `why`: why the session is a resumption.
    pub(super) async fn hear(
        &mut self,
        held: &Held,
        report: Report,
        why: Option<&str>,
        course: &mut Course,
        worker: &mut Worker,
    ) {
        // A line may tell of a bad sector, too.
        if matches!(
            report,
            Report::Checkpoint { .. } | Report::Findings { .. } | Report::Log { .. }
        ) && !self.counts(held, course, worker).await
        {
            return;
        }
        let temperature = self.newest_temperature(&course.holds);
        self.take(&report, why, temperature);
        let recounted = report == Report::Recounted;
        match report {
            Report::Started { .. } => {
                // Its worker found it to be the job's, by more than a constant.
                if !self.rests_on_a_constant() {
                    self.record.medium = Some(self.medium(held));
                }
                if course.holds.any() {
                    // It may have been too hot before its worker's first word.
                    self.mind_pause(&mut course.holds, worker).await;
                }
            }
            Report::Checkpoint { .. } => {
                if course.settles() {
                    self.settled |= Hands::place(held) == Place::Same;
                }
            }
            Report::PhaseStarted { .. }
            | Report::Progress { .. }
            | Report::Log { .. }
            | Report::Yield { .. }
            | Report::Recounted
            | Report::Findings { .. }
            | Report::PhaseDone { .. }
            | Report::Done { .. } => {}
        }
        if course.ends() {
            return;
        }
        course.live();
        if recounted || (self.record.doubted && self.record.saved) {
            let doubt = self.whose(held, true, &course.holds, worker).await;
            course.end_if(doubt);
        }
    }

    /// Whether what the worker tells of its drive counts: the kernel tells a reset before anything is read behind it.
    async fn counts(&mut self, held: &Held, course: &mut Course, worker: &mut Worker) -> bool {
        if !course.ends() {
            if self.note_resets(true).await {
                let doubt = self.whose(held, true, &course.holds, worker).await;
                course.end_if(doubt);
            } else if Hands::place(held) != Place::Same && self.is_another(held).await {
                worker.stop(DOUBT).await;
                course.end(Reason::Gone);
                course.strange = Some(true);
            }
        }
        if course.strange.is_none() && matches!(course.reason, Reason::Doubt | Reason::Gone | Reason::Stranger) {
            course.strange = Some(self.is_another(held).await);
            course.wait();
        }
        course.strange != Some(true)
    }

    /// A point of the time line, where one is due.
    pub(super) fn sample(&mut self, rate: Bytes, temperature: Option<Celsius>) {
        let Some(step) = self.record.job.progress.as_ref().map(|progress| progress.step) else {
            return;
        };
        let point = self.record.point(step, rate, temperature);
        if timeline::sample(&mut self.record.job.timeline, point) {
            self.means.jobs.sample(&self.record);
        }
    }

    /// Takes one report, keeps and tells what it means.
    pub(super) fn take(&mut self, report: &Report, why: Option<&str>, temperature: Option<Celsius>) {
        // The first checkpoint and that there is one stand in one commit.
        let first = !self.record.saved;
        let effects = self.record.apply(report, why, temperature, Time::now());
        if let Report::Progress { progress, .. } = report {
            if let Some(share) = &self.share {
                self.record.beside(share.measured(progress.rate.0));
            }
            self.sample(progress.rate, temperature);
        }
        if let Some(line) = effects.log {
            self.log("info", line);
        }
        if let Some(progress) = effects.progress {
            self.means.outbox.progress(self.record.job.id, progress);
        }
        let mut told = Vec::new();
        if let Some(why) = effects.heads {
            told.push(events::failing(&self.record.job, self.record.phase(), &why));
        }
        if let Some(resume) = effects.resumed {
            self.log(
                "info",
                format!(
                    "Going on in phase {} at {} after: {}",
                    resume.phase.label(),
                    resume.from,
                    resume.why
                ),
            );
            told.push(events::resumed(&self.record.job, &resume));
        }
        if let Some(phase) = effects.finished {
            told.push(events::phase_finished(&self.record.job, &phase));
        }
        if let (Report::Checkpoint { text, waits }, true) = (report, told.is_empty() && !first) {
            self.means.outbox.job(self.record.job.clone());
            self.means.jobs.save_checkpoint(&mut self.record, text, *waits).forget();
        } else if effects.checkpoint.is_some() || effects.changed || !told.is_empty() {
            self.keep(effects.checkpoint.as_deref(), told);
        }
        if effects.checkpoint.is_some() {
            self.checkpoint = effects.checkpoint;
            self.means.fail_if_asked("behind a checkpoint");
        }
    }
}

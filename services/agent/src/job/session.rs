//! One worker, from its start to its end, and what its reports set going.

use super::*;

/// Time for a worker to take a checkpoint and end when asked: one access of the longest allowed kind.
const STOPPING: Duration = Duration::from_secs(20);

/// Time for a worker to end by itself after its drive is gone.
const DISCONNECTING: Duration = Duration::from_secs(10);

/// A worker that says nothing for this long hangs; its own limit for one access is four minutes.
const SILENCE: Duration = Duration::from_secs(600);

impl JobTask {
    /// One worker, from its start to its end.
    pub(super) async fn session(&mut self, held: &Held) -> Session {
        let resume = match (&self.checkpoint, &self.why) {
            (Some(text), why) => Some(Resumption {
                checkpoint: text.clone(),
                why: why.clone().unwrap_or_else(|| "worker ended".to_owned()),
                at: Time::now(),
            }),
            (None, _) => None,
        };
        let why = self.why.take();
        let order = Order {
            key: self.record.key,
            geometry: self.record.geometry,
            phases: self.record.job.phases.iter().map(|state| state.phase).collect(),
            limits: self.means.limits,
            io: Io::default(),
            resume,
            pace: None,
        };
        let mut worker = match Worker::start(self.record.job.id, &held.file, order).await {
            Ok(worker) => worker,
            Err(error) => {
                sleep(Duration::from_secs(1)).await;
                return Session::Crashed(format!("worker could not be started: {error}"));
            }
        };
        info!(job = %self.record.job.id, pid = worker.pid(), "worker started");
        let mut reason = Reason::None;
        let mut until = Instant::now() + SILENCE;
        loop {
            let asked = reason != Reason::None;
            tokio::select! {
                report = worker.report() => match report {
                    Some(Report::Done { evidence }) => {
                        self.take(&Report::Done { evidence: evidence.clone() }, None);
                        let word = worker.end(Duration::from_secs(5)).await;
                        info!(job = %self.record.job.id, word, stopped = ?evidence.stopped, "worker done");
                        return match (reason, &evidence.stopped) {
                            (Reason::Stop, Some(Stopped::Asked { .. })) => Session::Parked,
                            (Reason::Abort, _) => Session::Aborted(Some(evidence)),
                            (Reason::Gone, _) => Session::Gone(Some(evidence)),
                            (Reason::None | Reason::Stop, _) => Session::Done(evidence),
                        };
                    }
                    Some(report) => {
                        self.take(&report, why.as_deref());
                        if !asked {
                            until = Instant::now() + SILENCE;
                        }
                    }
                    None => {
                        let word = worker.end(Duration::from_secs(5)).await;
                        return match reason {
                            Reason::None => Session::Crashed(word),
                            Reason::Stop => Session::Parked,
                            Reason::Abort => Session::Aborted(None),
                            Reason::Gone => Session::Gone(None),
                        };
                    }
                },
                actor = self.aborts.recv(), if !asked => {
                    let actor = actor.unwrap_or_default();
                    worker.stop(&format!("aborted by {actor}")).await;
                    self.abort_by = Some(actor);
                    reason = Reason::Abort;
                    until = Instant::now() + STOPPING;
                }
                () = self.means.stop.asked(), if !asked => {
                    worker.stop("the agent stops").await;
                    reason = Reason::Stop;
                    until = Instant::now() + STOPPING;
                }
                changed = self.means.drives.changed(), if !asked => {
                    if changed.is_ok() && self.listed().is_none() {
                        // Its accesses fail at once, as a rule, and it ends by itself with what it knows.
                        self.log("warn", "The drive is gone".to_owned());
                        reason = Reason::Gone;
                        until = Instant::now() + DISCONNECTING;
                    }
                }
                () = sleep_until(until) => {
                    let word = worker.end(Duration::ZERO).await;
                    return match reason {
                        Reason::None => Session::Crashed(format!("worker said nothing for {} s; {word}", SILENCE.as_secs())),
                        Reason::Stop => Session::Parked,
                        Reason::Abort => Session::Aborted(None),
                        Reason::Gone => Session::Gone(None),
                    };
                }
            }
        }
    }

    /// Takes one report, keeps and tells what it means.
    pub(super) fn take(&mut self, report: &Report, why: Option<&str>) {
        let temperature = self.temperature();
        let effects = self.record.apply(report, why, temperature, Time::now());
        if let Some(line) = effects.log {
            self.log("info", line);
        }
        if let Some(progress) = effects.progress {
            self.means.outbox.progress(self.record.job.id, progress);
        }
        let mut told = Vec::new();
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
        if effects.checkpoint.is_some() || effects.changed || !told.is_empty() {
            self.keep(effects.checkpoint.as_deref(), told);
        }
        if effects.checkpoint.is_some() {
            self.checkpoint = effects.checkpoint;
        }
    }
}

/// Why a worker was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    None,
    Stop,
    Abort,
    Gone,
}

//! What is kept of a job, and how a worker's reports change it. Pure; [`crate::jobs`] keeps it, [`crate::job`] runs it.
//!
//! [`apply`](Record::apply): a worker's reports. [`strange`](Record::strange): whether the drive still is the one that
//! was armed. [`findings`](Record::keep_findings): what was once found stays found.

mod findings;
mod heads;
mod names;
#[cfg(test)]
mod older;
mod report;
mod spent;
mod strange;
mod whole;

use burnin::device::Geometry;
use burnin::pace::Company;
use burnin::playbook::{Step, erases, first_data, is_of_formatter, is_own, moves_data};
use burnin::{Fingerprint, Front, JobKey, Playbook};
use drive::Identity;
use drive::content::ContentKind;
use drive::kernel_log::Account;
use drive::medium::Medium;
use drive::overlay::Overlay;
use drive::selftest::Running;
use drive::smart::{Meanwhile, Snapshot};
use serde::{Deserialize, Serialize};
use wire::drive::{Content, Drive, Rotation};
use wire::frame::LogLine;
use wire::job::{Finding, Job, JobState, Phase, PhaseState, PhaseStatus, Resume, TimePoint};
use wire::options::PlanOptions;
use wire::{Bytes, Celsius, JobId, Time};

pub use heads::Heads;
pub use report::{Effects, progress_frame};
pub use spent::Spent;
pub use strange::{Strange, Trace};

/// All that is kept of a job: what the server is told, and what only its own task and the verdict need. One row of the table of jobs,
/// written whole; [`Record::revision`] tells a later one from an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What is told.
    pub job: Job,
    /// The pattern's secret.
    pub key: JobKey,
    /// Size and sectors that the drive had when it was armed.
    pub geometry: Geometry,
    /// The drive, compared again before each session.
    pub identity: Identity,
    /// Kernel's id of the boot in which it last ran.
    pub boot_id: String,
    /// Whether the agent stopped it in order, with a checkpoint.
    pub parked: bool,
    /// Why it was interrupted since it last went on, the oldest first: an agent may come and go before the drive is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupted: Vec<String>,
    /// SMART before; `None` when it was not read yet or could not be.
    pub smart_before: Option<Snapshot>,
    /// What the drive said of its health in readings beside those before and after: it may come and go.
    #[serde(default)]
    pub meanwhile: Meanwhile,
    /// What stood on the drive when it was armed; a drive that holds something else later is not gone on with.
    #[serde(default = "nothing_known")]
    pub content: Content,
    /// Why it could not be read then at a place that tells nothing of its content, by its own word.
    #[serde(default)]
    pub unreadable: Option<String>,
    /// The playbook's steps as they were planned; empty in records of older agents, which knew phases alone.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Memberships that were given up with the drive.
    #[serde(default)]
    pub lose: Vec<ContentKind>,
    /// Platters or flash, for limits.
    #[serde(default = "not_told")]
    pub rotation: Rotation,
    /// Megabits a second of the drive's link, as it was in the last session; `None` where nothing tells it.
    #[serde(default)]
    pub link_mbps: Option<u32>,
    /// By what the drive declares itself shingled.
    #[serde(default)]
    pub shingled: Option<String>,
    /// Bytes of other logical units with its serial number, the most that were seen.
    #[serde(default)]
    pub beside: Bytes,
    /// Who paused it; `None` while it is not paused.
    #[serde(default)]
    pub paused: Option<String>,
    /// Who ended it before its end; then nothing more is written to its drive.
    #[serde(default)]
    pub aborted_by: Option<String>,
    /// The self-test that the drive runs for it.
    #[serde(default)]
    pub self_test: Option<SelfTestUnderWay>,
    /// Why the drive would not cool; then the job ended.
    #[serde(default)]
    pub too_hot: Option<String>,
    /// Whether its drive is being partitioned or formatted, or was.
    #[serde(default)]
    pub formatting: bool,
    /// Whether it paused for heat.
    #[serde(default)]
    pub was_hot: bool,
    /// Whether its drive ever shared its controller with another job's.
    #[serde(default)]
    pub shared: bool,
    /// How far the whole job was when its worker ended, in percent.
    #[serde(default)]
    pub told_percent: f64,
    /// With how many; `None` where an older agent, which did not note it, began the job: what is noted since is not the whole of it.
    #[serde(default)]
    pub company: Option<Company>,
    /// SMART after the last write, where a step has read it.
    #[serde(default)]
    pub smart_after: Option<Snapshot>,
    /// Whether a checkpoint was ever kept: then the drive carries the job, whatever is lost besides.
    #[serde(default)]
    pub saved: bool,
    /// Whether the drive was reset while its headers were being written, so that another one may hold some of them: it is asked for all.
    #[serde(default)]
    pub doubted: bool,
    /// Whether SMART from before is what a header on the drive told, and not what this box read.
    #[serde(default)]
    pub told_baseline: bool,
    /// Keys that it wrote with before it began again, the last ones: their headers prove the drive, too.
    #[serde(default)]
    pub earlier_keys: Vec<JobKey>,
    /// What the kernel told of the drive.
    #[serde(flatten)]
    pub kernel: Account,
    /// What a setting of the drive hides on it; `None` where nobody looked.
    #[serde(default)]
    pub overlay: Option<Overlay>,
    /// What stood on its drive when a job that only reads began: nothing else tells it from another one. Of a job that erases what stood
    /// there when it was planned, until its first checkpoint: nothing else tells that somebody put something there which changes no signature.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// What stood at the beginning of its drive before the first write of a job that erases.
    #[serde(default)]
    pub front: Option<Front>,
    /// How the kernel counted its medium when it was armed; `None` in records of older agents.
    #[serde(default)]
    pub medium: Option<Medium>,
    /// Whether it was told that it is heading for FAILED: once a job, whatever interrupts it.
    #[serde(default)]
    pub told_failing: bool,
    /// What was found and is not in the evidence: by a session whose checkpoint was lost, or after the last checkpoint.
    pub findings_before_loss: Vec<Finding>,
    /// Raised at each change; of two copies the higher one counts.
    pub revision: u64,
}

/// What a job begins with, beside its drive.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// Its id, that sorts after those of all jobs before it.
    pub id: JobId,
    /// The playbook as it was planned.
    pub book: &'a Playbook,
    /// What was chosen beside it.
    pub options: &'a PlanOptions,
    /// Memberships that are given up.
    pub lose: &'a [ContentKind],
    /// Who armed it.
    pub actor: &'a str,
}

/// A self-test that was started on the drive and has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfTestUnderWay {
    /// The step that it belongs to.
    pub step: u16,
    /// What tells its end.
    pub running: Running,
    /// When it was started, by the wall clock, which is set meanwhile: earlier versions counted by it.
    pub since: Time,
    /// How long it has run.
    #[serde(default)]
    pub spent: Spent,
}

fn not_told() -> Rotation {
    Rotation::Unknown
}

fn nothing_known() -> Content {
    Content::Unknown
}

impl Record {
    /// A job that begins; `None` for a drive without identity.
    pub fn new(
        drive: &Drive,
        identity: Identity,
        geometry: Geometry,
        begin: Begin<'_>,
        key: JobKey,
        now: Time,
    ) -> Option<Self> {
        let steps = burnin::job::steps(begin.book, begin.options);
        let job = Job {
            model: drive.model.clone(),
            serial: drive.serial.clone(),
            capacity: drive.capacity,
            sector: drive.logical_sector,
            actor: begin.actor.to_owned(),
            phases: steps.iter().map(Step::pending).collect(),
            options: begin.options.clone(),
            ..Job::new(begin.id, drive.id.clone()?, &begin.book.name, now)
        };
        Some(Self {
            content: drive.content.clone(),
            lose: begin.lose.to_vec(),
            rotation: drive.rotation,
            ..Self::of(job, steps, key, geometry, identity)
        })
    }

    /// So many others share its drive's controller just now.
    pub fn beside(&mut self, others: usize) {
        self.shared |= others > 0;
        if let Some(company) = &mut self.company {
            company.add(others);
        }
    }

    /// Of a job of which nothing was done yet, on a drive of which nobody told more than this.
    fn of(job: Job, steps: Vec<Step>, key: JobKey, geometry: Geometry, identity: Identity) -> Self {
        Self {
            job,
            key,
            geometry,
            identity,
            boot_id: String::new(),
            parked: false,
            interrupted: Vec::new(),
            smart_before: None,
            meanwhile: Meanwhile::default(),
            content: Content::Empty,
            unreadable: None,
            steps,
            lose: Vec::new(),
            rotation: Rotation::Unknown,
            link_mbps: None,
            shingled: None,
            beside: Bytes(0),
            paused: None,
            aborted_by: None,
            self_test: None,
            too_hot: None,
            was_hot: false,
            shared: false,
            told_percent: 0.0,
            company: Some(Company::default()),
            formatting: false,
            smart_after: None,
            saved: false,
            doubted: false,
            told_baseline: false,
            earlier_keys: Vec::new(),
            fingerprint: None,
            front: None,
            medium: None,
            kernel: Account::default(),
            overlay: None,
            told_failing: false,
            findings_before_loss: Vec::new(),
            revision: 0,
        }
    }

    /// Whether the job changes what its drive holds. One that does not is given a descriptor that takes no writes.
    pub fn erases(&self) -> bool {
        self.steps.iter().any(|step| erases(step.phase)) || self.job.options.format.is_some()
    }

    /// Whether its drive is partitioned or formatted at the end.
    pub fn formats(&self) -> bool {
        let is = |step: &Step| is_of_formatter(step.phase);
        self.job.options.format.is_some() || self.steps.iter().any(is)
    }

    /// A point of its time line, as of now.
    pub fn point(&self, step: u16, rate: Bytes, temperature: Option<Celsius>) -> TimePoint {
        TimePoint {
            at: Time::now(),
            step,
            temperature,
            rate,
            bad_sectors: self.job.bad_sectors,
        }
    }

    /// Notes why the job was interrupted, judged at the start of an agent that finds it unfinished, and tells all that did since it last
    /// went on.
    pub fn was_interrupted(&mut self, boot_id: &str) -> String {
        let why = match (self.boot_id == boot_id, self.parked) {
            (true, true) => "the agent was restarted",
            (true, false) => "the agent ended without warning",
            (false, true) => "the box was restarted",
            (false, false) => "power cut or reset",
        };
        self.interrupted_by(why)
    }

    /// The same of an interruption whose reason is known.
    pub fn interrupted_by(&mut self, why: &str) -> String {
        // Each once: a box may be started many times without the drive.
        if !self.interrupted.iter().any(|known| known == why) {
            self.interrupted.push(why.to_owned());
        }
        self.interrupted.join(", then ")
    }

    /// It goes on, or its format does.
    pub fn goes_on(&mut self, resume: Resume) {
        self.interrupted.clear();
        self.job.resumes.push(resume);
    }

    /// Begins another session.
    pub fn take_up(&mut self, boot_id: &str) {
        boot_id.clone_into(&mut self.boot_id);
        self.parked = false;
        if self.steps.is_empty() {
            self.steps = self.job.phases.iter().map(|state| Step::from(state.phase)).collect();
        }
    }

    /// The drive is worked on again, and what the agent does itself and was cut short is taken again.
    pub fn work_again(&mut self) {
        let own = (0..).zip(&mut self.job.phases);
        let own = own.filter(|(_, state)| !moves_data(state.phase));
        burnin::job::take_again(own, &mut self.job.self_tests);
        // So is what was given up for heat; that it was hot stands.
        self.too_hot = None;
    }

    /// The state of a job that is taken up after an interruption, until it has its drive.
    pub fn taken_up_after(&mut self, interruption: &str) {
        if self.paused.is_none() && !self.job.state.is_over() {
            self.job.state = JobState::Waiting {
                why: format!("taken up again: {interruption}"),
            };
        }
    }

    /// The step's state, to be changed.
    pub fn step_mut(&mut self, step: u16) -> Option<&mut PhaseState> {
        self.job.phases.get_mut(usize::from(step))
    }

    /// The first step before `until` that the agent does itself and that is still to be done.
    pub fn due(&self, until: u16) -> Option<(u16, Phase)> {
        let mut steps = (0..until).zip(&self.job.phases);
        let (step, state) = steps.find(|(_, state)| is_own(state.phase) && state.status == PhaseStatus::Pending)?;
        Some((step, state.phase))
    }

    /// The first step that moves data; the number of steps where none does.
    pub fn first_data(&self) -> u16 {
        first_data(&self.steps)
    }

    /// The number of steps.
    pub fn behind_all(&self) -> u16 {
        u16::try_from(self.steps.len()).unwrap_or(u16::MAX)
    }
}

/// A line of a job's log.
pub fn log_line(job: &Job, level: &str, message: String, now: Time) -> LogLine {
    LogLine {
        level: level.to_owned(),
        message,
        source: format!("{} {}", job.model, job.serial),
        job_id: Some(job.id.to_string()),
        timestamp: Some(now.to_string()),
    }
}
#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use burnin::worker::Report;
    use wire::Celsius;
    use wire::drive::Bus;

    use super::*;

    pub(crate) fn record() -> Record {
        let job = crate::events::tests::job();
        let identity = Identity {
            id: Some(job.drive.clone()),
            model: job.model.clone(),
            serial: job.serial.clone(),
            wwn: None,
            capacity: job.capacity,
            logical_sector: 512,
            bus: Bus::Sata,
        };
        // Without self-tests, partition or format: what the tests of other modules count on.
        let steps: Vec<Step> = [
            Phase::SmartBefore,
            Phase::Probe,
            Phase::Write,
            Phase::Verify,
            Phase::SmartAfter,
        ]
        .map(Step::from)
        .to_vec();
        let phases = steps.iter().map(Step::pending).collect();
        let geometry = Geometry {
            sectors: 1000,
            sector: 512,
            physical: 512,
        };
        Record {
            boot_id: "now".into(),
            ..Record::of(Job { phases, ..job }, steps, JobKey([1; 16]), geometry, identity)
        }
    }

    pub(crate) fn apply(record: &mut Record, report: &Report) -> Effects {
        record.apply(report, None, Some(Celsius(41)), Time::UNIX_EPOCH)
    }

    #[test]
    fn an_interruption_is_named_by_boot_and_manner() {
        for (boot, parked, why) in [
            ("now", false, "the agent ended without warning"),
            ("later", false, "power cut or reset"),
            ("now", true, "the agent was restarted"),
            ("later", true, "the box was restarted"),
        ] {
            let mut record = record();
            record.parked = parked;
            assert_eq!(record.was_interrupted(boot), why);
        }
    }

    #[test]
    fn interruptions_before_the_drive_is_back_are_all_told_and_those_before_the_last_session_are_not() {
        let mut record = record();
        record.was_interrupted("later");
        record.take_up("later");
        for _ in 0..3 {
            let kept = serde_json::to_string(&record).unwrap();
            record = serde_json::from_str(&kept).unwrap();
            assert_eq!(
                record.was_interrupted("later"),
                "power cut or reset, then the agent ended without warning"
            );
        }
        let started = Report::Started {
            step: 3,
            phase: Phase::Verify,
            from: Bytes(4096),
            engine: "e".into(),
        };
        assert!(
            record
                .interrupted_by("the worker was killed")
                .ends_with(", then the worker was killed")
        );
        record.apply(&started, Some("all"), None, Time::UNIX_EPOCH);
        assert_eq!(record.was_interrupted("later"), "the agent ended without warning");
    }

    #[test]
    fn a_step_of_the_agents_own_that_was_cut_short_is_taken_again() {
        let mut record = record();
        record.parked = true;
        for cut in [PhaseStatus::Running, PhaseStatus::Interrupted] {
            for step in [0, 4] {
                record.step_mut(step).unwrap().status = cut;
                record.take_up("later");
                record.work_again();
                assert_eq!(
                    record.step_mut(step).unwrap().status,
                    PhaseStatus::Pending,
                    "{step} was {cut:?}"
                );
            }
        }
        assert!(!record.parked && record.boot_id == "later");
        record.step_mut(0).unwrap().status = PhaseStatus::Done;
        record.step_mut(2).unwrap().status = PhaseStatus::Running;
        record.work_again();
        assert_eq!(record.due(2), None);
        assert_eq!(record.due(5), Some((4, Phase::SmartAfter)));
        assert_eq!(record.step_mut(2).unwrap().status, PhaseStatus::Running);
        assert_eq!((record.first_data(), record.behind_all()), (1, 5));
    }

    /// What the drive told before a power cut is not what it tells after it.
    #[test]
    fn smart_after_is_read_again_by_a_session_that_goes_on() {
        let mut record = record();
        for state in &mut record.job.phases {
            state.status = PhaseStatus::Done;
        }
        record.take_up("later");
        record.work_again();
        assert_eq!(record.due(5), Some((4, Phase::SmartAfter)));
        assert_eq!(record.step_mut(0).unwrap().status, PhaseStatus::Done);
    }

    #[test]
    fn a_self_test_that_is_made_again_leaves_neither_its_entry_nor_its_heat() {
        let mut record = record();
        let state = PhaseState {
            phase: Phase::SelfTestShort,
            status: PhaseStatus::Interrupted,
            ..record.job.phases[0].clone()
        };
        record.job.phases.push(state);
        record.too_hot = Some("it did not cool".to_owned());
        record.was_hot = true;
        record.job.self_tests = vec![wire::job::SelfTest {
            step: Some(5),
            phase: Phase::SelfTestShort,
            outcome: wire::job::SelfTestOutcome::Aborted,
            told: "ended for heat".to_owned(),
            lba: None,
        }];
        record.work_again();
        assert!(record.job.self_tests.is_empty() && record.too_hot.is_none() && record.was_hot);
        assert_eq!(record.job.phases[5].status, PhaseStatus::Pending);
    }

    #[test]
    fn a_job_that_is_taken_up_says_so_until_it_has_its_drive() {
        let stopped = JobState::Waiting {
            why: "the agent stops".to_owned(),
        };
        for (paused, state, want) in [
            (None, stopped.clone(), "taken up again: the agent was restarted"),
            (None, JobState::Running, "taken up again: the agent was restarted"),
            (Some("ann".to_owned()), stopped, "the agent stops"),
        ] {
            let mut record = record();
            (record.paused, record.job.state) = (paused, state);
            record.taken_up_after("the agent was restarted");
            let told = &record.job.state;
            assert!(matches!(told, JobState::Waiting { why } if why == want), "{told:?}");
        }
        let mut record = record();
        record.job.state = JobState::Aborted;
        record.taken_up_after("power cut or reset");
        assert_eq!(record.job.state, JobState::Aborted);
    }

    #[test]
    fn a_record_of_an_older_agent_gets_its_steps_from_its_phases() {
        let mut record = record();
        let steps = std::mem::take(&mut record.steps);
        record.take_up("later");
        assert_eq!(record.steps, steps);
        assert!(record.erases());
        record.steps = vec![Step::from(Phase::Scan)];
        assert!(!record.erases());
    }
}

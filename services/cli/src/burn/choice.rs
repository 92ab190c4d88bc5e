//! What is to be done: playbook and options from the command line, and the steps that follow from them.

use burnin::Playbook;
use burnin::format;
use burnin::playbook::{self, Step};
use wire::job::Phase;
use wire::options::{FileSystem, FormatRequest, PlanOptions, Profile, Table};

use super::target::Target;
use super::{Args, Stop};

/// What is to be done with each drive.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The playbook, soaked where that was asked for.
    pub playbook: Playbook,
    /// What goes into the plan's digest.
    pub options: PlanOptions,
    /// The playbook's steps, and behind them those of `--format`.
    pub steps: Vec<Step>,
}

impl Choice {
    /// From the command line; everything that can be known to be wrong is told here.
    pub fn of(args: &Args) -> Result<Self, Stop> {
        let usage = |error: &dyn std::fmt::Display| Stop::Usage(error.to_string());
        let mut playbook = crate::playbook::load(&args.playbook).map_err(Stop::Usage)?;
        if let Some(hours) = args.soak {
            playbook = playbook.soaked(hours).map_err(|e| usage(&e))?;
        }
        let profile = args.profile.into();
        if profile == Profile::New && !playbook.wants_smart() {
            return Err(Stop::Usage(format!(
                "--profile new: `{}` asks for no SMART, by which alone a drive is judged as new; choose a playbook that does, \
                 as `standard`, or `--profile used`",
                playbook.name
            )));
        }
        let request = args.format.map(|filesystem| FormatRequest {
            table: args.table.into(),
            filesystem: filesystem.into(),
            reserved_percent: args.reserved,
            label: args.label.clone(),
        });
        let mut steps = playbook.steps().to_vec();
        if let Some(request) = &request {
            if !playbook.formats() {
                return Err(Stop::Usage(format!(
                    "--format: `{}` does not write and read back every block, and only a drive that came through that is \
                     formatted",
                    playbook.name
                )));
            }
            let has = |steps: &[Step], phase| steps.iter().any(|step| step.phase == phase);
            if !has(&steps, Phase::Partition) {
                steps.push(Phase::Partition.into());
            }
            if request.filesystem != FileSystem::Raw && !has(&steps, Phase::Format) {
                steps.push(Phase::Format.into());
            }
        }
        let choice = Self {
            playbook,
            options: PlanOptions {
                profile,
                format: request,
                give_up: Vec::new(),
                soak_hours: args.soak,
            },
            steps,
        };
        if let Some(request) = choice.request() {
            format::check(&request).map_err(|e| usage(&e))?;
            format::available(request.filesystem).map_err(|e| usage(&e))?;
        }
        Ok(choice)
    }

    /// Whether the drive's content is lost.
    pub fn erases(&self) -> bool {
        self.steps.iter().any(|step| playbook::erases(step.phase))
    }

    /// What is to be made: what was chosen, else what the playbook's own steps ask for.
    pub fn request(&self) -> Option<FormatRequest> {
        let has = |phase| self.steps.iter().any(|step| step.phase == phase);
        let plain = |filesystem| FormatRequest {
            table: Table::Auto,
            filesystem,
            reserved_percent: 0,
            label: String::new(),
        };
        match &self.options.format {
            Some(request) => Some(request.clone()),
            None if has(Phase::Format) => Some(plain(FileSystem::Ext4)),
            None if has(Phase::Partition) => Some(plain(FileSystem::Raw)),
            None => None,
        }
    }

    /// Whether it asks for SMART.
    pub fn wants_smart(&self) -> bool {
        self.playbook.wants_smart()
    }

    /// Self-tests that it asks for.
    pub fn self_tests(&self) -> Vec<Phase> {
        let is = |phase: &Phase| matches!(phase, Phase::SelfTestShort | Phase::SelfTestExtended);
        self.steps.iter().map(|step| step.phase).filter(is).collect()
    }

    /// Takes up `--give-up`: each names one of the targets.
    pub fn give_up(&mut self, targets: &[Target], names: &[String]) -> Result<(), Stop> {
        for name in names {
            let target = targets.iter().find(|target| target.is_named(name));
            let id = target.and_then(|target| target.device.as_ref().ok()?.identity.id.clone());
            let Some(id) = id else {
                return Err(Stop::Usage(format!(
                    "--give-up {name} names none of the drives to burn in"
                )));
            };
            self.options.give_up.push(id);
        }
        self.options.give_up.sort();
        self.options.give_up.dedup();
        Ok(())
    }
}

//! What is to be done: playbook and options from the command line, and the steps that follow from them.

use burnin::Playbook;
use burnin::playbook::{self, Step};
use burnin::{format, job};
use wire::job::Phase;
use wire::options::{FormatRequest, PlanOptions, Table};

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
    pub(super) fn of(args: &Args) -> Result<Self, Stop> {
        let mut playbook =
            crate::playbook::load(args.playbook.as_deref().unwrap_or("standard")).map_err(Stop::Usage)?;
        if let Some(hours) = args.soak {
            playbook = playbook.soaked(hours).map_err(|error| Stop::Usage(error.to_string()))?;
        }
        let options = PlanOptions {
            profile: args.profile.into(),
            format: format_of(args, &playbook)?,
            give_up: Vec::new(),
            soak_hours: args.soak,
            stop_at_first: args.stop_at_first,
        };
        job::follow(&playbook, &options, format::available).map_err(|error| Stop::Usage(format!("--{error}")))?;
        Ok(Self {
            steps: job::steps(&playbook, &options),
            playbook,
            options,
        })
    }

    /// Whether the drive's content is lost.
    pub(super) fn erases(&self) -> bool {
        self.steps.iter().any(|step| playbook::erases(step.phase))
    }

    /// What is to be made.
    pub(super) fn request(&self) -> Option<FormatRequest> {
        job::request(&self.steps, &self.options)
    }

    /// Whether it asks for SMART.
    pub(super) fn wants_smart(&self) -> bool {
        self.playbook.wants_smart()
    }

    /// Self-tests that it asks for.
    pub(super) fn self_tests(&self) -> Vec<Phase> {
        let is = |phase: &Phase| matches!(phase, Phase::SelfTestShort | Phase::SelfTestExtended);
        self.steps.iter().map(|step| step.phase).filter(is).collect()
    }

    /// Takes up `--give-up`: each names one of the targets.
    pub(super) fn give_up(&mut self, targets: &[Target], names: &[String]) -> Result<(), Stop> {
        for name in names {
            let mut named = targets.iter().filter(|target| target.is_named(name));
            let target = named.next();
            if named.next().is_some() {
                return Err(Stop::Usage(format!(
                    "--give-up {name} names two of the drives: name each by its WWN"
                )));
            }
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

/// What is to be made in place of what the playbook makes; `None` where the command line does not say.
fn format_of(args: &Args, playbook: &Playbook) -> Result<Option<FormatRequest>, Stop> {
    let table = args.table.map(Table::from);
    if let Some(filesystem) = args.format {
        return Ok(Some(FormatRequest {
            table: table.unwrap_or(Table::Auto),
            filesystem: filesystem.into(),
            reserved_percent: args.reserved,
            label: args.label.clone(),
        }));
    }
    let Some(table) = table else { return Ok(None) };
    let Some(own) = job::request(playbook.steps(), &PlanOptions::default()) else {
        return Err(Stop::Usage(format!(
            "--table: the playbook {} makes no partition; add --format, or choose one that does, as preclear",
            playbook.name
        )));
    };
    Ok(Some(FormatRequest { table, ..own }))
}

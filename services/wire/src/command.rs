//! What the server asks of the burn-in agent, and what comes back.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    DriveId, JobId, Problem,
    gate::{Armed, Plan},
};

/// One request to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "name", content = "args", rename_all = "snake_case")]
pub enum Command {
    /// Say what erasing these drives would lose, and open a two-minute window for it.
    Plan {
        /// The drives.
        drives: Vec<DriveId>,
        /// Name of the playbook.
        playbook: String,
    },
    /// Start what was armed.
    Start(Armed),
    /// End a job; its verdict is INCONCLUSIVE.
    Abort {
        /// The job.
        job: JobId,
        /// Who asked for it.
        actor: String,
    },
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "name", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Command::Plan`].
    Planned(Plan),
    /// To [`Command::Start`]: the jobs, in the order of the plan's drives.
    Started {
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// To [`Command::Abort`].
    Aborted,
}

/// A command on its way, with the id that its result bears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Call {
    /// Chosen by the server, unique on a connection.
    pub id: String,
    /// What is asked.
    pub command: Command,
}

/// The result of a [`Call`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Reply {
    /// The call's id.
    pub id: String,
    /// What it came to.
    pub outcome: CallOutcome,
}

/// Done, or why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// Done.
    Ok(Answer),
    /// Refused or failed.
    Error(Problem),
}

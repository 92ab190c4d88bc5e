//! What the server asks of the burn-in agent, and what comes back.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{
    DriveId, JobId, Problem,
    gate::{Armed, Plan},
    options::PlanOptions,
};

/// One request to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "name", content = "args", rename_all = "snake_case")]
pub enum Command {
    /// Say what erasing these drives would lose, and open a two-minute window for it.
    Plan {
        /// The drives.
        drives: Vec<DriveId>,
        /// Name of the playbook.
        playbook: String,
        /// What was chosen beside it.
        #[serde(default)]
        options: PlanOptions,
    },
    /// Start what was armed.
    Start(Armed),
    /// Run a playbook that only reads; refused for any other. Needs no plan, and opens the drives for reading alone.
    Scan {
        /// The drives.
        drives: Vec<DriveId>,
        /// Name of the playbook.
        playbook: String,
        /// Who asked for it.
        actor: String,
    },
    /// Hold a job at its next checkpoint until it is resumed.
    Pause {
        /// The job.
        job: JobId,
        /// Who asked for it.
        actor: String,
    },
    /// Let a paused job go on.
    Resume {
        /// The job.
        job: JobId,
        /// Who asked for it.
        actor: String,
    },
    /// Make a drive findable: its enclosure's light, else a rhythm of reads.
    Locate {
        /// The drive.
        drive: DriveId,
        /// On or off; on ends by itself after five minutes.
        on: bool,
        /// Who asked for it.
        actor: String,
    },
    /// Name the bay where a drive sits, or sat last.
    NameBay {
        /// The drive.
        drive: DriveId,
        /// The bay's name, at most [`BAY_NAME_MAX`](crate::boxes::BAY_NAME_MAX) characters; empty takes it away.
        bay: String,
        /// Who asked for it.
        actor: String,
    },
    /// Keep a person's playbook, replacing one of that name.
    SavePlaybook {
        /// Its TOML text.
        text: String,
        /// Who.
        actor: String,
    },
    /// Forget a person's playbook; a built-in one is refused.
    ForgetPlaybook {
        /// Its name.
        playbook: String,
        /// Who.
        actor: String,
    },
    /// Give a page of what the agent keeps, for a backup.
    Backup {
        /// Number of the first row.
        #[ts(as = "f64")]
        from: u64,
    },
    /// Lay rows of a backup down. With the last of them the agent starts again and has only what is in them; refused
    /// while jobs run.
    Restore {
        /// The rows.
        rows: Vec<BackupRow>,
        /// Whether these are the first.
        first: bool,
        /// Whether these are the last.
        last: bool,
        /// Who asked for it.
        actor: String,
    },
    /// End a job; its verdict is INCONCLUSIVE.
    Abort {
        /// The job.
        job: JobId,
        /// Who asked for it.
        actor: String,
    },
}

/// One entry of what the agent keeps, as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct BackupRow {
    /// Its table.
    pub table: String,
    /// The key's bytes.
    pub key: String,
    /// The value's bytes.
    pub value: String,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "name", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Command::Plan`].
    Planned(Plan),
    /// To [`Command::Start`] and [`Command::Scan`]: the jobs, in the order of the plan's drives.
    Started {
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// To [`Command::Abort`].
    Aborted,
    /// To [`Command::Backup`].
    Records {
        /// The rows.
        rows: Vec<BackupRow>,
        /// Number of the row after them; nothing where these were the last.
        #[ts(as = "Option<f64>")]
        next: Option<u64>,
    },
    /// To the other commands, in a sentence: "Enclosure light of bay 3 is on".
    Done {
        /// What was done.
        told: String,
    },
}

/// A command on its way, with the id that its result bears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Call {
    /// Chosen by the server, unique on a connection.
    pub id: String,
    /// What is asked.
    pub command: Command,
}

/// The result of a [`Call`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Reply {
    /// The call's id.
    pub id: String,
    /// What it came to.
    pub outcome: CallOutcome,
}

/// Done, or why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// Done.
    Ok(Answer),
    /// Refused or failed.
    Error(Problem),
}

//! After a burn-in: a partition table, a file system on it, and the proof that both are there.
//!
//! ```text
//!  parent (agent, CLI)                     child: one process, one drive, minutes
//!  plan ─► check of tools                    │
//!  spawn, drive as descriptor 3 ────────────►│ tools, size and table made ready
//!  (its own copy is closed)                  │
//!      ◄────────────────────── Said::Ready ──│
//!  identity read again ─── Heard::Go ───────►│ drive's end blanked, kernel told of the partition, descriptor closed
//!      │                                     │ until nobody holds the partition
//!      ◄────────────────────── Said::Laid ───│
//!  identity read again ─── Heard::Go ───────►│ mkfs ─► its own checker ─► mounted read-only ─► every copy
//!      │                                     │         (tools under landlock)   (own mount namespace)
//!      │                                     │ drive claimed, once nobody holds it
//!      ◄────────────────────── Said::Made ───│
//!  identity read again ─── Heard::Go ───────►│ table written, its first sector last, read again past the cache
//!      ◄────────────────────── Said::Done ───│
//!  identity read again
//! ```
//!
//! The table comes last: it is what makes a drive a formatted one. Whoever is cut off before it (a kill, a power cut) leaves a drive
//! without any, which shows the burn-in's pattern in all other places, proves by it whose it is, and is formatted anew.
//!
//! [`layout`] decides and [`table`] encodes, both pure; [`tool`] knows the programs; [`make`] does it in
//! the child and [`spawn`] is the parent's side. Between closing the drive and `mkfs` the child holds it
//! open for reading, so that its device number cannot pass to another drive, and the parent compares the
//! identity before anything is written, before each `mkfs`, before the table, and when all is done. What waits comes before the
//! question, since it may last as long as an exchange; behind the answer the drive itself must begin with the mark of this format, as a
//! dock's next drive does not. A check that could not be done is a problem, never a silent pass. Tested on loop
//! devices with `sfdisk`, `sgdisk` and the tools themselves in `tests/format/`.

mod confine;
mod disk;
pub(crate) mod ext4;
pub mod layout;
mod make;
mod mounted;
mod request;
mod scrub;
mod silence;
mod spawn;
pub mod table;
mod tool;
pub mod turns;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::Bytes;
use wire::options::{FormatRequest, Formatted, Table};

use crate::pattern::JobKey;
use crate::worker::HANG_MS;

pub(crate) use layout::ALIGN;
pub use layout::{Layout, Unfit, plan};
pub use make::child;
pub use request::{BadRequest, check};
pub use spawn::{Ties, run};
pub use tool::{Missing, available};
pub use turns::{Turn, Turns};

/// What a formatter may take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Longest {
    /// All of it.
    pub whole: Duration,
    /// From its start until the partition is laid.
    pub start: Duration,
    /// One access of the drive: as long as none ends while one is under way.
    pub access: Duration,
}

/// What it may take where nobody names another.
pub const LONGEST: Longest = Longest {
    // Chosen: without lazy tables a large disk takes hours, and a check reads a few gigabytes of it.
    whole: Duration::from_hours(2),
    // A few accesses, of which one may be tried again and again; and the child waits for the drive's lock, for the kernel, for the
    // partition's node, and until nobody holds that.
    start: ACCESS.saturating_add(disk::PATIENCE.saturating_mul(4)),
    access: ACCESS,
};

/// As in a burn-in.
const ACCESS: Duration = Duration::from_millis(HANG_MS);

/// What to do with a drive whose format failed once it had begun: its test is over, and not gone on with.
const NEXT_STEP: &str = "burn the drive in anew, or format it by hand and check that";

/// What came of a format whose computer or process was cut off; `left`: why it is not made anew, where that was tried.
pub fn cut_off(request: &FormatRequest, left: Option<&str>) -> Formatted {
    let then = match left {
        // What stands there may be somebody's: nobody is told to format that.
        Some(why) => format!("and is not made anew: {why}"),
        None => "and the drive is to be formatted anew".to_owned(),
    };
    unformatted(request, format!("it was interrupted, {then}"))
}

/// What came of a format that did not come to its end; no table is known to stand.
pub fn unformatted(request: &FormatRequest, problem: String) -> Formatted {
    Formatted {
        table: Table::Auto,
        filesystem: request.filesystem,
        label: request.label.clone(),
        uuid: None,
        size: Bytes(0),
        checks: Vec::new(),
        problem: Some(problem),
    }
}

/// What the parent tells the child: the first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The whole drive's node.
    pub node: PathBuf,
    /// Capacity in bytes, as armed.
    pub capacity: u64,
    /// Logical sector in bytes.
    pub sector: u32,
    /// What is to be made.
    pub request: FormatRequest,
    /// The secret of the job that tested the drive.
    pub key: JobKey,
}

/// What the child tells, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// All is there, and nothing is written yet. The child waits for [`Heard`].
    Ready,
    /// The kernel shows the partition; nothing stands in it, and no table on the drive. The child waits for [`Heard`]. Said again where
    /// somebody held the partition when its file system was to be made.
    Laid,
    /// The file system is made and verified, the drive is claimed, and the table comes next. The child waits for [`Heard`].
    Made,
    /// What it is at: "mkfs.ext4".
    At {
        /// In words.
        what: String,
    },
    /// The end.
    Done(Formatted),
}

/// What the parent answers to [`Said::Ready`], [`Said::Laid`] and [`Said::Made`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Heard {
    /// The identity is still the armed one.
    Go,
    /// It is not, or cannot be read.
    Stop {
        /// In words.
        why: String,
    },
}

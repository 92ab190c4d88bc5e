//! What is wrong with one sector, and what the rules tell apart of it.

use serde::{Deserialize, Serialize};

use crate::device::errno_text;
use crate::header::HEADER_PASS;
use crate::pipeline::{PROBE_PASS, SAMPLE_PASS};

/// Inverted bits in 512 bytes up to which damage is called a bit flip rather than corruption.
pub(crate) const FLIPS_MAX: u64 = 64;

/// What is wrong with one sector, from its own content or its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Its own data with so many bits inverted.
    Flips {
        /// Inverted bits of the first damaged 512 bytes.
        bits: u32,
    },
    /// Partly its own data.
    Torn,
    /// Zero bits only.
    Zeros,
    /// One bits only.
    Ones,
    /// Nothing of this job.
    Foreign,
    /// Its own data of another pass.
    Stale {
        /// That pass.
        pass: u8,
    },
    /// The data of the sector `shift` further on.
    Moved {
        /// Sector found minus sector asked for.
        shift: i64,
        /// Whether it was written in the pass that was asked for.
        fresh: bool,
    },
    /// Wrong once, right on every re-read.
    Transient,
    /// Unreadable, also when tried again.
    Read {
        /// The kernel's error number.
        errno: i32,
    },
    /// Unwritable, also when tried again.
    Write {
        /// The kernel's error number.
        errno: i32,
    },
}

impl Fault {
    /// Whether bad memory or a bad memory bus of the host gives the same: wrong bits that nothing else explains.
    ///
    /// Other sectors' data, old data, zeros and errors are nothing that a bad cell makes.
    pub fn may_be_memory(self) -> bool {
        self.class().may_be_memory()
    }

    /// What the rules tell apart of it.
    pub fn class(self) -> Class {
        match self {
            Self::Flips { .. } | Self::Torn => Class::Bits,
            Self::Zeros | Self::Ones | Self::Foreign | Self::Stale { .. } => Class::Content,
            Self::Moved { .. } => Class::Misplaced,
            Self::Transient => Class::Transient,
            Self::Read { .. } => Class::Read,
            Self::Write { .. } => Class::Write,
        }
    }

    /// In words, by what the sector itself shows; what it means may show over the whole drive alone.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Flips { bits } => format!("{bits} {} of 4096 differ", if bits == 1 { "bit" } else { "bits" }),
            Self::Torn => "part of the sector is not what was written".to_owned(),
            Self::Zeros => "reads as zeros".to_owned(),
            Self::Ones => "reads as ones".to_owned(),
            Self::Foreign => "holds nothing that was written in this job".to_owned(),
            Self::Stale { pass } => format!("holds its data of {}", pass_words(pass)),
            Self::Moved { .. } => "holds the data of another sector".to_owned(),
            Self::Transient => "differed once: cable, memory and controller are suspects".to_owned(),
            Self::Read { errno } => error(errno, "read"),
            Self::Write { errno } => error(errno, "written"),
        }
    }

    /// Whether two neighbours with these faults make one run.
    pub(super) fn joins(self, other: Self) -> bool {
        match (self, other) {
            (Self::Flips { bits: a }, Self::Flips { bits: b }) => {
                (u64::from(a) <= FLIPS_MAX) == (u64::from(b) <= FLIPS_MAX)
            }
            (a, b) => a == b,
        }
    }
}

/// Faults that the rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Its own data with wrong bits.
    Bits,
    /// Other content than what was written: zeros, ones, old or foreign data.
    Content,
    /// Another sector's data.
    Misplaced,
    /// Wrong once.
    Transient,
    /// Unreadable.
    Read,
    /// Unwritable.
    Write,
}

impl Class {
    /// See [`Fault::may_be_memory`].
    pub fn may_be_memory(self) -> bool {
        match self {
            Self::Bits | Self::Transient => true,
            Self::Content | Self::Misplaced | Self::Read | Self::Write => false,
        }
    }
}

/// A pass as it is called in findings.
fn pass_words(pass: u8) -> String {
    match pass {
        PROBE_PASS => "the capacity probe".to_owned(),
        SAMPLE_PASS => "the samples".to_owned(),
        HEADER_PASS => "the job's header".to_owned(),
        pass => format!("pass {pass}"),
    }
}

fn error(errno: i32, done: &str) -> String {
    format!("{}; could not be {done} when tried again", errno_text(errno))
}

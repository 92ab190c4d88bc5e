//! The process around one job: what goes in, what comes out, and the loop that carries it.
//!
//! One line of JSON each: [`Input`] on standard input, [`Report`] on standard output. The
//! agent opens and guards the drive, reads SMART before, spawns the worker with the open
//! descriptor, writes an [`Order`], keeps every [`Report::Checkpoint`] and, after
//! [`Report::Done`], reads SMART again and asks [`crate::verdict::judge`]. The worker opens
//! nothing and needs no privilege; standard input's end means that the agent is gone, and it
//! stops. Tested over a real descriptor in `tests/worker.rs`.

mod run;

use serde::{Deserialize, Serialize};
use wire::drive::{Bus, Rotation};
use wire::job::{Finding, Phase, PhaseState, Progress, Surface};
use wire::{Bytes, Time};

pub use run::{Error, run};

use crate::device::Geometry;
use crate::evidence::Evidence;
use crate::header::Note;
use crate::pattern::JobKey;
use crate::playbook::Step;
use crate::verdict::Failing;

/// What the agent tells a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// The job; the first line.
    Order(Box<Order>),
    /// Take a checkpoint and stop; it can go on later.
    Stop {
        /// Who or why, for the evidence.
        why: String,
    },
    /// Go no faster than this from now on; see [`crate::pace`].
    Pace {
        /// Bytes a second; `None`: as fast as the drive goes; 0: wait.
        bytes_per_s: Option<u64>,
    },
    /// Begin no further access until [`Input::Release`], and keep a checkpoint; see [`crate::heat`].
    Hold {
        /// Who or why, for the log.
        why: String,
    },
    /// Go on after [`Input::Hold`].
    Release,
    /// The drive has proved itself under this count of the kernel's: it may be written; the answer to [`Report::Recounted`].
    Medium {
        /// As [`Order::medium`].
        count: u64,
    },
    /// The parent has done its own steps before this one; the answer to [`Report::Yield`].
    Go {
        /// The step that waited.
        step: u16,
    },
}

/// One job for a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The job's secret: 16 random bytes, the same over all sessions of a job.
    pub key: JobKey,
    /// Size and sectors that the drive had when it was armed; another size stops the job.
    pub geometry: Geometry,
    /// All steps of the playbook; those that move no data are the parent's.
    pub steps: Vec<Step>,
    /// What the drive itself is to keep of the job, so that it can go on without a checkpoint; `None`: nothing.
    #[serde(default)]
    pub header: Option<Note>,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// How to reach the drive.
    #[serde(default)]
    pub io: Io,
    /// Go on from a checkpoint.
    #[serde(default)]
    pub resume: Option<Resumption>,
    /// Whether an earlier session found what fails the drive and is in no checkpoint ([`crate::findings::fails`]): to
    /// [`Limits::stop_at_first`] that is the first fault.
    #[serde(default)]
    pub failed_before: bool,
    /// Pace to begin with, in bytes a second, as in [`Input::Pace`]; 0: wait until another is told.
    #[serde(default)]
    pub pace: Option<u64>,
    /// The kernel's count (`diskseq`) of the medium that may be written, of a removable drive: under another nothing is begun.
    #[serde(default)]
    pub medium: Option<u64>,
}

/// Where and why a job goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumption {
    /// The last [`Report::Checkpoint`]'s text.
    pub checkpoint: String,
    /// Why it had been interrupted: "power cut or reset", "worker ended" …
    pub why: String,
    /// When it goes on.
    pub at: Time,
}

/// How to reach the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// Which system calls.
    pub backend: Backend,
    /// Bytes of one access: a multiple of 4096, at most [`Io::ARENA`] divided by `depth`.
    pub block: u32,
    /// Accesses under way at once.
    pub depth: u32,
}

/// Which system calls carry the accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// `io_uring`; where the kernel has none, as `Sync`.
    Uring,
    /// pread and pwrite.
    Sync,
}

impl Io {
    /// Bytes of buffers of one worker: one huge page.
    pub const ARENA: usize = 2 << 20;

    /// What suits a drive: few large accesses for platters, more and smaller ones for flash.
    ///
    /// One arena holds them all, so that a worker stays below 4.5 MiB.
    pub fn for_drive(bus: Bus, rotation: Rotation) -> Self {
        let (block, depth) = match (bus, rotation) {
            (_, Rotation::Spinning { .. }) | (Bus::Usb | Bus::Mmc, _) => (512 << 10, 4),
            (Bus::Loop, _) => (1 << 20, 2),
            (Bus::Nvme | Bus::Sata | Bus::Scsi | Bus::Virtio | Bus::Other, _) => (256 << 10, 8),
        };
        Self {
            backend: Backend::Uring,
            block,
            depth,
        }
    }
}

impl Default for Io {
    /// Four accesses of 512 KiB: a disk is kept busy by two, and the buffers fit one huge page.
    fn default() -> Self {
        Self {
            backend: Backend::Uring,
            block: 512 << 10,
            depth: 4,
        }
    }
}

/// Limits of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Longest time between two checkpoints, in seconds.
    pub checkpoint_s: u64,
    /// Milliseconds from a session's beginning to the next moment at which all jobs of a box take their checkpoints, and every
    /// [`Self::checkpoint_s`] from there on: one commit then carries them together. `None`: each takes its own.
    pub checkpoint_in_ms: Option<u64>,
    /// Most bytes between two checkpoints, and between two flushes of the drive.
    pub checkpoint_bytes: u64,
    /// Bytes of checkpoints a day, sooner than every [`Self::checkpoint_s`] seconds they are taken only within it. The drive is flushed
    /// by [`Self::checkpoint_bytes`] all the same.
    pub checkpoint_day_bytes: u64,
    /// Bytes of checkpoints that a session may take before [`Self::checkpoint_day_bytes`] counts.
    pub checkpoint_credit_bytes: u64,
    /// Bytes before the checkpoint that are read and compared again after an interruption.
    pub rewind_bytes: u64,
    /// An access longer than this many milliseconds is told as slow.
    pub slow_ms: u64,
    /// An access longer than this many milliseconds ends the job.
    pub hang_ms: u64,
    /// Times a difference or a failing sector is tried again.
    pub rereads: u32,
    /// Blocks with differences that are read again; later ones are believed at once.
    pub reread_blocks: u32,
    /// Tests of the host's own buffers in a session, after wrong data that memory may be blamed for.
    pub memory_tests: u32,
    /// Failing sectors located in each GiB; further blocks there are told as a whole.
    pub located_per_gib: u32,
    /// Accesses that may fail before the job ends as [`crate::evidence::Stop::TooManyErrors`].
    pub errors_max: u64,
    /// Whether a capacity that the probe proved false ends the job.
    pub stop_on_fake: bool,
    /// Whether the first fault that fails the drive by what was written and read ends the job as [`crate::evidence::Stop::FirstFault`].
    pub stop_at_first: bool,
    /// Bytes of one trim.
    pub trim_bytes: u64,
    /// Most random seeks of a step, whatever its time.
    pub seeks_max: u64,
}

/// [`Limits::slow_ms`] where nobody names another: a drive that takes 10 s for one access is retrying.
pub const SLOW_MS: u64 = 10_000;

/// [`Limits::hang_ms`] where nobody names another: the kernel gives a SCSI command 30 s and five retries before it tells an error.
pub const HANG_MS: u64 = 240_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Half a minute, less the two seconds that one may wait for those of other jobs.
            checkpoint_s: 28,
            checkpoint_in_ms: None,
            checkpoint_bytes: 8 << 30,
            // A gigabyte a day for 24 drives: what a cheap stick stands for ten years.
            checkpoint_day_bytes: 1_000_000_000 / 24,
            checkpoint_credit_bytes: 8 << 20,
            rewind_bytes: 1 << 30,
            slow_ms: SLOW_MS,
            hang_ms: HANG_MS,
            rereads: 3,
            reread_blocks: 256,
            memory_tests: 16,
            located_per_gib: 64,
            errors_max: 20_000,
            stop_on_fake: true,
            stop_at_first: false,
            trim_bytes: 1 << 30,
            seeks_max: u64::MAX,
        }
    }
}

impl Limits {
    /// The ordinary ones, but with so many bytes at most between two checkpoints, and no more read again.
    pub fn with_checkpoints(bytes: Option<u64>) -> Self {
        let ordinary = Self::default();
        Self {
            checkpoint_bytes: bytes.unwrap_or(ordinary.checkpoint_bytes),
            rewind_bytes: ordinary.rewind_bytes.min(bytes.unwrap_or(u64::MAX)),
            ..ordinary
        }
    }
}

/// What a worker tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Report {
    /// It began, or went on.
    Started {
        /// The step it is in.
        step: u16,
        /// That step's phase.
        phase: Phase,
        /// Where it goes on in that step; 0 for a fresh start.
        from: Bytes,
        /// Kernel of the pattern, and the way to the drive: `avx512, io_uring 4 × 512 KiB`.
        engine: String,
    },
    /// A step began, maybe once more where steps repeat.
    PhaseStarted {
        /// Which.
        step: u16,
        /// Its phase.
        phase: Phase,
    },
    /// The step does not begin before [`Input::Go`]: between it and the last one stand steps of the parent.
    Yield {
        /// Which.
        step: u16,
    },
    /// The kernel counts another medium than the one that may be written, or counted it anew as after a reset: nothing is begun before
    /// [`Input::Medium`].
    Recounted,
    /// About once a second. Job-wide figures are over the phases that move data; `temperature` is the agent's to fill.
    Progress {
        /// How far it is.
        progress: Progress,
        /// Seconds that it was at work on its steps, in all sessions.
        spent: f64,
    },
    /// Keep this: everything before it is on stable storage.
    Checkpoint {
        /// Opaque; goes into [`Resumption::checkpoint`] as it is.
        text: String,
        /// Whether it may wait for those of other jobs: only its own step goes on from it, so an older one costs no more than the time
        /// between. One with which a step or the end begins may not: what is written next would belie the one before it.
        #[serde(default)]
        waits: bool,
    },
    /// All that has been found so far; replaces what an earlier report said.
    Findings {
        /// Most telling first, at most [`wire::job::FINDINGS_MAX`].
        findings: Vec<Finding>,
        /// Bad sectors in all.
        bad_sectors: u64,
        /// Why the drive fails by them, though the job goes on.
        #[serde(default)]
        failing: Option<Failing>,
    },
    /// A step ended.
    PhaseDone {
        /// Which.
        step: u16,
        /// Its state.
        state: PhaseState,
        /// What it measured.
        surface: Option<Surface>,
    },
    /// A line for the job's log.
    Log {
        /// In words.
        text: String,
    },
    /// It ended; [`Evidence::stopped`] says whether before its end. Nothing follows.
    Done {
        /// Everything that was seen.
        evidence: Box<Evidence>,
    },
}

//! One step of a playbook, after repeats were unrolled: what both the agent and the worker work through by its index.

use serde::{Deserialize, Serialize};
use wire::job::{Phase, PhaseState};

/// One step; its index in [`super::Playbook::steps`] is its number everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it does.
    pub phase: Phase,
    /// Which bytes are written, or expected to be read.
    #[serde(default)]
    pub fill: Fill,
    /// In which order of LBAs it sweeps.
    #[serde(default)]
    pub order: Direction,
    /// How long it goes on, in seconds, where it ends by time ([`Phase::Seek`]); else 0.
    #[serde(default)]
    pub seconds: u64,
    /// Number of the write whose bytes it writes or expects, 1 to [`PASSES`]; 0 where it does neither.
    #[serde(default)]
    pub pass: u8,
    /// The block of steps that is repeated for a time, if it is part of one.
    #[serde(default)]
    pub soak: Option<Soak>,
}

/// Highest pass number of a write; the capacity probe and the samples have their own above it.
pub const PASSES: u8 = 200;

/// A block of steps that is repeated until its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Soak {
    /// First step of the block.
    pub first: u16,
    /// Last step of the block.
    pub last: u16,
    /// For how long, in seconds of work: interruptions do not count.
    pub seconds: u64,
}

/// Which bytes a step writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The job's own pattern: every word tells its position and pass.
    #[default]
    Keyed,
    /// The job's pattern of the pass before with every bit inverted: after a keyed write each cell holds the other value.
    Complement,
    /// 0xAA everywhere.
    Aa,
    /// 0x55 everywhere.
    #[serde(rename = "55")]
    Fives,
    /// 0xFF everywhere.
    Ff,
    /// Zeros everywhere.
    #[serde(rename = "00")]
    Zeros,
}

impl Fill {
    /// The word that is repeated, for a constant.
    pub fn constant(self) -> Option<u64> {
        match self {
            Self::Keyed | Self::Complement => None,
            Self::Aa => Some(0xAAAA_AAAA_AAAA_AAAA),
            Self::Fives => Some(0x5555_5555_5555_5555),
            Self::Ff => Some(u64::MAX),
            Self::Zeros => Some(0),
        }
    }

    /// Whether what is read back tells where it was written.
    pub fn is_keyed(self) -> bool {
        self.constant().is_none()
    }

    /// As in a playbook.
    pub fn label(self) -> &'static str {
        match self {
            Self::Keyed => "keyed",
            Self::Complement => "complement",
            Self::Aa => "aa",
            Self::Fives => "55",
            Self::Ff => "ff",
            Self::Zeros => "00",
        }
    }
}

/// In which order a step sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From LBA 0 upwards.
    #[default]
    Forward,
    /// From the last LBA downwards.
    Reverse,
}

impl From<Phase> for Step {
    fn from(phase: Phase) -> Self {
        Self {
            phase,
            fill: Fill::default(),
            order: Direction::default(),
            seconds: 0,
            pass: u8::from(matches!(
                phase,
                Phase::Write | Phase::Verify | Phase::Seek | Phase::TrimCheck
            )),
            soak: None,
        }
    }
}

impl Step {
    /// It before it begins, as others see it.
    pub fn pending(&self) -> PhaseState {
        PhaseState::pending(self.phase, self.note())
    }

    /// What tells it from other steps of the same phase: `pass 2, complement, backwards`.
    pub fn note(&self) -> String {
        let mut words = Vec::new();
        if matches!(self.phase, Phase::Write | Phase::Verify) {
            if self.pass > 1 {
                words.push(format!("pass {}", self.pass));
            }
            if self.fill != Fill::Keyed {
                words.push(self.fill.label().to_owned());
            }
        }
        if self.order == Direction::Reverse {
            words.push("backwards".to_owned());
        }
        if self.seconds > 0 {
            words.push(duration(self.seconds));
        }
        if let Some(soak) = self.soak {
            words.push(format!("repeated for {}", duration(soak.seconds)));
        }
        words.join(", ")
    }

    /// In words: `Write (pass 2, complement, backwards)`.
    pub fn words(&self) -> String {
        let note = self.note();
        if note.is_empty() {
            self.phase.label().to_owned()
        } else {
            format!("{} ({note})", self.phase.label())
        }
    }
}

/// `30 minutes`, `24 hours`.
fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        s if s > 0 && s.is_multiple_of(3600) => (s / 3600, "hour"),
        s if s > 0 && s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Steps of these phases with nothing chosen: one pass of the keyed pattern, upwards.
pub fn plain(phases: &[Phase]) -> Vec<Step> {
    phases.iter().copied().map(Step::from).collect()
}

/// Whether a step is done by whoever runs the worker, and where it stands: partition and format wait for the outcome.
pub fn is_own(phase: Phase) -> bool {
    !moves_data(phase) && !is_of_formatter(phase)
}

/// Whether a phase is the formatter's, which does both of them in one, on a drive that came through.
pub fn is_of_formatter(phase: Phase) -> bool {
    matches!(phase, Phase::Partition | Phase::Format)
}

/// Number of the first step that moves data; how many there are where none does.
pub fn first_data(steps: &[Step]) -> u16 {
    let at = steps.iter().position(|step| moves_data(step.phase));
    u16::try_from(at.unwrap_or(steps.len())).unwrap_or(u16::MAX)
}

/// Whether a phase reads or writes the drive's sectors: then a worker runs it.
pub fn moves_data(phase: Phase) -> bool {
    match phase {
        Phase::Probe
        | Phase::Sample
        | Phase::Write
        | Phase::Verify
        | Phase::Seek
        | Phase::Trim
        | Phase::TrimCheck
        | Phase::Scan => true,
        Phase::SmartBefore
        | Phase::SmartAfter
        | Phase::SelfTestShort
        | Phase::SelfTestExtended
        | Phase::Partition
        | Phase::Format => false,
    }
}

/// Whether a phase changes what the drive holds.
pub fn erases(phase: Phase) -> bool {
    phase.erases()
}

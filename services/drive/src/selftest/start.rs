//! Starting a self-test: what the drive tells before, why none runs, and what smartctl's answer to the order says.

use std::path::Path;
use std::time::Duration;

use wire::job::SelfTestOutcome;

use super::{Kind, NOT_DONE, Running, ended, is_garbled, limits, words};
use crate::identity::Identity;
use crate::smart::{Protocol, Smartctl, Snapshot, Unreadable};

/// How often a drive is asked that runs another self-test.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// How long another self-test's end is waited for at least: an extended one of a large disk takes a day. One that the drive
/// announces for longer is waited for as long as our own would be.
pub(super) const OTHERS: Duration = Duration::from_hours(24);

/// How long the end of our own self-test is waited for that was given up and still runs: the drive's status may lag behind our order
/// to end it, and one that sticks does so for ever.
const STUCK: Duration = Duration::from_mins(3);

/// How long a drive is asked whose SMART was read before and does not come now: as long as for any other reading of it
/// (`smart::run::again`).
pub(super) const UNTOLD: Duration = Duration::from_secs(30);

/// Why no self-test runs.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The drive, the way to it, or this smartctl has none.
    #[error("no {} self-test: {why}", .kind.argument())]
    Unsupported {
        /// Which.
        kind: Kind,
        /// In words.
        why: String,
    },
    /// Another one runs; it is not ours to end.
    #[error("another self-test runs on the drive ({remaining} % left)")]
    Busy {
        /// Share left, in percent.
        remaining: u8,
        /// After this an extended one of this drive counts as never ending.
        longest: Duration,
    },
    /// One of ours still runs, which was given up and did not end by our order.
    #[error("an earlier self-test, which was given up, still runs on the drive ({remaining} % left)")]
    Stuck {
        /// Share left, in percent.
        remaining: u8,
    },
    /// Another drive answers in its place: nothing may be done to it.
    #[error("another drive answers: {0}")]
    OtherDrive(String),
    /// Its SMART was read before, and tells nothing now, or no self-test log, or one with a wrong checksum. So much is known that it
    /// has some: a bridge is busy, or the drive is.
    #[error("its SMART was read before and tells nothing of use now: {0}")]
    Silent(String),
    /// The drive's log could not be read, or the command failed.
    #[error("the self-test could not be started: {0}")]
    Failed(String),
}

impl NotStarted {
    /// How long to wait before it is tried again, `waited` after the first try; `None` where this is its end.
    ///
    /// Another one that runs may be the job's own, started a moment before its process was killed.
    pub fn again(&self, waited: Duration) -> Option<Duration> {
        match self {
            Self::Busy { longest, .. } => (waited < OTHERS.max(*longest)).then_some(BUSY),
            Self::Stuck { .. } => (waited < STUCK).then_some(BUSY),
            Self::Silent(_) => (waited < UNTOLD).then_some(BUSY),
            Self::Unsupported { .. } | Self::OtherDrive(_) | Self::Failed(_) => None,
        }
    }

    /// What is waited for where it is tried again, in words.
    pub fn waits(&self) -> String {
        match self {
            Self::Busy { .. } | Self::Stuck { .. } => format!("{self}; waiting for its end"),
            Self::Silent(_) | Self::Unsupported { .. } | Self::OtherDrive(_) | Self::Failed(_) => {
                format!("{self}; it is asked again")
            }
        }
    }

    /// The entry for `Job::self_tests`.
    pub fn told(&self, kind: Kind) -> wire::job::SelfTest {
        let outcome = match self {
            Self::Unsupported { .. } => SelfTestOutcome::Unsupported,
            Self::Busy { .. } | Self::Stuck { .. } | Self::OtherDrive(_) | Self::Silent(_) | Self::Failed(_) => {
                SelfTestOutcome::Unknown
            }
        };
        ended(kind, outcome, self.to_string(), None)
    }
}

/// Starts a self-test on the drive at `node`, which must be `expected`. Never ends another one that runs.
///
/// # Errors
/// Why none runs; [`NotStarted::told`] makes the job's entry of it.
pub fn start(smartctl: &Smartctl, node: &Path, expected: &Identity, kind: Kind) -> Result<Running, NotStarted> {
    match start_beside_none(smartctl, node, expected, kind) {
        Err(NotStarted::Busy { remaining, .. }) if smartctl.has_stuck_test(expected) => {
            Err(NotStarted::Stuck { remaining })
        }
        started => started,
    }
}

/// The same, which takes any other test for somebody else's.
fn start_beside_none(smartctl: &Smartctl, node: &Path, expected: &Identity, kind: Kind) -> Result<Running, NotStarted> {
    let told_log = smartctl.has_told_log(expected);
    let mut before = baseline(smartctl, node, expected, kind)?;
    if let Some(remaining) = before.self_test_remaining {
        return Err(busy(remaining, &before));
    }
    // What runs later is another's.
    smartctl.note_stuck_test(expected, false);
    if hides_log(&before) {
        // One failed command is no word on what the drive can do.
        before = baseline(smartctl, node, expected, kind)?;
        if let Some(remaining) = before.self_test_remaining {
            return Err(busy(remaining, &before));
        }
    }
    if hides_log(&before) && told_log {
        return Err(NotStarted::Silent("its self-test log is not among it".to_owned()));
    }
    if let Some(why) = lacks(&before) {
        return Err(NotStarted::Unsupported { kind, why });
    }
    // Against a wrong entry a true old one would be new later.
    if is_garbled(&before) {
        return Err(NotStarted::Silent(
            "its self-test log comes with a wrong checksum".to_owned(),
        ));
    }
    let answer = smartctl
        .order(node, expected, &["-t", kind.argument()])
        .map_err(|error| NotStarted::Failed(words(&error)))?;
    understood(kind, &before, &answer).map(|begun| Running::new(kind, &before, begun))
}

/// What the drive tells before the start.
fn baseline(smartctl: &Smartctl, node: &Path, expected: &Identity, kind: Kind) -> Result<Snapshot, NotStarted> {
    let told = smartctl.has_told(expected);
    smartctl.read(node, expected).map_err(|error| match error {
        // An answer without a serial is as good as none.
        Unreadable::Nothing(_) | Unreadable::OtherDrive { certain: false, .. } if told => {
            NotStarted::Silent(words(&error))
        }
        Unreadable::Nothing(_) | Unreadable::SwitchedOff { .. } => NotStarted::Unsupported {
            kind,
            why: words(&error),
        },
        Unreadable::OtherDrive { certain: true, .. } => NotStarted::OtherDrive(words(&error)),
        Unreadable::Run(_) | Unreadable::OtherDrive { .. } | Unreadable::Asleep => NotStarted::Failed(words(&error)),
    })
}

/// Which one runs no drive tells: it may be the longest.
pub(super) fn busy(remaining: u8, before: &Snapshot) -> NotStarted {
    let longest = limits(Kind::Extended, before).longest;
    NotStarted::Busy { remaining, longest }
}

/// Whether no self-test log was told; SCSI tells an empty one and none alike.
fn hides_log(before: &Snapshot) -> bool {
    before.protocol != Protocol::Scsi && !before.self_test.log_told
}

/// Why the drive cannot do it, as far as its own document tells.
pub(super) fn lacks(before: &Snapshot) -> Option<String> {
    if before.self_test.supported == Some(false) {
        return Some("the drive says that it has no self-tests".to_owned());
    }
    // Source: smartmontools NEWS, 7.4: "-t short|long" for NVMe. Before it the option was accepted and did nothing.
    if before.protocol == Protocol::Nvme && before.smartctl.is_some_and(|version| version < (7, 4)) {
        return Some("smartctl before 7.4 cannot start one on NVMe".to_owned());
    }
    // Source: smartmontools NEWS, 7.3: JSON values of the SCSI self-test log. Without them no end would ever be seen.
    if before.protocol == Protocol::Scsi && before.smartctl.is_some_and(|version| version < (7, 3)) {
        return Some("smartctl before 7.3 does not tell the log of SCSI self-tests".to_owned());
    }
    if hides_log(before) {
        return Some("its self-test log cannot be read, so no result could be told to be this test's own".to_owned());
    }
    None
}

/// Whether smartctl's answer to `-t` says that the test began; `Ok(false)` where it says neither yes nor no. `before`: what the
/// drive told last.
pub(super) fn understood(kind: Kind, before: &Snapshot, answer: &crate::smart::Answer) -> Result<bool, NotStarted> {
    let text = answer.text();
    let lower = text.to_ascii_lowercase();
    if lower.contains("can't start self-test without aborting") {
        let left = lower.split_once('(').and_then(|(_, rest)| rest.split_once('%'));
        let remaining = left.and_then(|(number, _)| number.trim().parse().ok()).unwrap_or(100);
        return Err(busy(remaining, before));
    }
    let refused = [
        "not support",
        "unsupported",
        "invalid field",
        "invalid opcode",
        "not implemented",
    ];
    if refused.iter().any(|words| lower.contains(words)) {
        return Err(NotStarted::Unsupported { kind, why: text });
    }
    match answer.status & NOT_DONE {
        0 => Ok(lower.contains("has begun")),
        // Bit 0: this smartctl does not know the option for this kind of drive.
        status if status & 1 == 1 => Err(NotStarted::Unsupported { kind, why: text }),
        _ => Err(NotStarted::Failed(text)),
    }
}

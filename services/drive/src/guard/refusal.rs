//! A refusal: why a drive may not be written.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::in_use::InUse;
use super::stuck::Stuck;
use super::unknown::Unknown;
use crate::identity::Differs;
use crate::lock::Lock;
use crate::no_size::NoSize;
use crate::probe::NoLook;
use crate::sysfs::DevNum;

/// Why a drive may not be written. Nothing was written when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something uses it.
    #[error("{0}")]
    InUse(InUse),
    /// Nobody knows whether something uses it.
    #[error("whether something uses it could not be found out: {0}")]
    UseUnknown(Unknown),
    /// The kernel still holds it for an access that does not come back.
    #[error("{0}")]
    Stuck(Stuck),
    /// It has no identity that could be trusted.
    #[error("it reports neither a serial number nor a WWN, so it cannot be told from another drive")]
    NoIdentity,
    /// Another device tells the same identity.
    #[error("it reports the same identity as {}", .others.join(" and "))]
    SameIdentity {
        /// Kernel names of the others.
        others: Vec<String>,
    },
    /// It is another drive than the plan names.
    #[error("it is another drive than the plan names: its {0}")]
    OtherDrive(Differs),
    /// It holds something else than when its erasure was agreed to, and nothing was written since: another drive may
    /// answer in its place.
    #[error(
        "it holds \"{now}\" now and held \"{agreed}\" when its erasure was agreed to, before anything was written to it"
    )]
    OtherContent {
        /// What it held, in words.
        agreed: String,
        /// What it holds, in words.
        now: String,
    },
    /// A loop device, and nobody allowed one.
    #[error("it is a loop device; only --allow-loop admits one")]
    Loop,
    /// It takes writes only in sequence, zone by zone.
    #[error("it is a host-managed zoned disk, which can only be written in sequence, zone by zone")]
    HostManaged,
    /// It lets nobody at what is on it.
    #[error("{0}")]
    Secured(Lock),
    /// The node is a partition.
    #[error("device {number} is a partition; whole drives only")]
    NotAWholeDisk {
        /// Its number.
        number: DevNum,
    },
    /// The node is no block device.
    #[error("{node} is not a block device")]
    NotABlockDevice {
        /// The path.
        node: PathBuf,
    },
    /// The kernel gives it no size.
    #[error("device {number}: {why}")]
    NoSize {
        /// Its number.
        number: DevNum,
        /// Most likely.
        why: NoSize,
    },
    /// The kernel does not know the device any more, or it is no drive.
    #[error("device {number} is gone, or is not a drive")]
    Gone {
        /// Its number.
        number: DevNum,
    },
    /// The node became another device while it was being opened.
    #[error("{node} became another device while it was being opened")]
    Exchanged {
        /// The path.
        node: PathBuf,
    },
    /// What stands on it could not be looked at, so nobody knows whether it belongs to something.
    #[error("what stands on it could not be looked at; try again, and check its power and cable if it stays so")]
    NoLook(#[source] NoLook),
    /// It could not be opened.
    #[error("opening {node}")]
    Open {
        /// The path.
        node: PathBuf,
        /// The operating system's reason.
        #[source]
        cause: io::Error,
    },
}

/// Pauses after which a drive is asked for again that was refused before its format: one that spins up after hours of
/// self-tests, or that another program has open for a moment, is no reason to leave a good one unformatted.
pub const LOOK_AGAIN: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(25)];

impl Refusal {
    /// Whether it says that the drive which was meant is not there: another one is in its place, or none.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Refusal::OtherDrive(_)
                | Refusal::OtherContent { .. }
                | Refusal::Exchanged { .. }
                | Refusal::NoSize { .. }
                | Refusal::Gone { .. }
        )
    }

    /// A stable word for the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Refusal::InUse(use_) => use_.kind(),
            Refusal::UseUnknown(_) => "use-unknown",
            Refusal::Stuck(_) => Stuck::KIND,
            Refusal::NoIdentity => "no-identity",
            Refusal::SameIdentity { .. } => "same-identity",
            Refusal::OtherDrive(_) => "other-drive",
            Refusal::OtherContent { .. } => "other-content",
            Refusal::Loop => "loop",
            Refusal::HostManaged => "host-managed",
            Refusal::Secured(_) => "drive-locked",
            Refusal::NotAWholeDisk { .. } => "partition",
            Refusal::NotABlockDevice { .. } => "not-a-block-device",
            Refusal::NoSize { .. } => "no-size",
            Refusal::Gone { .. } => "gone",
            Refusal::Exchanged { .. } => "exchanged",
            Refusal::NoLook(_) => "no-look",
            Refusal::Open { .. } => "open",
        }
    }

    /// The refusal as the dashboard shows it.
    pub fn view(&self) -> wire::drive::Refused {
        let mut reason = self.to_string();
        if let Some(source) = std::error::Error::source(self) {
            reason = format!("{reason}: {source}");
        }
        wire::drive::Refused {
            kind: self.kind().to_owned(),
            reason,
        }
    }
}

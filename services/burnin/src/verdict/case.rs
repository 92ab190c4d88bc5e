//! What a verdict is about: everything that is known of one burn-in.

use std::time::Duration;

use drive::kernel_log::Account;
use drive::overlay::Overlay;
use drive::smart::{Meanwhile, Snapshot};
use wire::Bytes;
use wire::drive::{Bus, Rotation};
use wire::job::{Finding, Phase, Resume, SelfTest, TimePoint};
use wire::meaning::Meaning;
use wire::options::{Formatted, Profile};

use super::Peer;
use crate::evidence::Evidence;
use crate::platters::spins;

/// What a verdict is about. Begin with [`Case::new`] and set what is known; what is left out is not known, or was not
/// asked for.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What the engine saw.
    pub evidence: &'a Evidence,
    /// Whether the playbook asks for SMART.
    pub wants_smart: bool,
    /// SMART before the first write; `None` where it could not be read or was lost.
    pub before: Option<&'a Snapshot>,
    /// SMART after.
    pub after: Option<&'a Snapshot>,
    /// What it told of its health in readings between them.
    pub meanwhile: Meanwhile,
    /// What the owner expects.
    pub profile: Profile,
    /// Self-tests that the playbook asks for, one entry a step ([`Phase::SelfTestShort`], [`Phase::SelfTestExtended`]).
    pub self_tests_due: &'a [Phase],
    /// What came of those that were begun, or could not be.
    pub self_tests: &'a [SelfTest],
    /// Whether the drive was to be partitioned or formatted, and that was tried.
    pub wants_format: bool,
    /// What came of it.
    pub formatted: Option<&'a Formatted>,
    /// Temperature and throughput over time.
    pub timeline: &'a [TimePoint],
    /// Platters or flash, as the kernel knows it.
    pub rotation: Rotation,
    /// How it is attached; [`Bus::Other`] where nobody says.
    pub bus: Bus,
    /// Megabits a second of its link; `None` where nobody says.
    pub link_mbps: Option<u32>,
    /// By what the drive declares itself shingled: `zoned=host-aware`, `trim on a disk`.
    pub smr: Option<&'a str>,
    /// Why the job was given up for heat.
    pub too_hot: Option<&'a str>,
    /// Whether it paused for heat meanwhile.
    pub paused_for_heat: bool,
    /// Whether other drives behind its controller were burned in meanwhile: what they take is no fault of this one.
    pub shared: bool,
    /// How many they were on the mean; `None` where nobody counted.
    pub company: Option<f64>,
    /// Why the drive could not be read when it was asked what stands on it; `None` where it could.
    pub unreadable: Option<&'a str>,
    /// What the kernel told of the drive during the job, beside what the engine saw.
    pub kernel: &'a Account,
    /// What a setting of the drive hides on it; `None` where nobody looked, or the drive is not ATA.
    pub overlay: Option<&'a Overlay>,
    /// Bytes of other logical units that bear its serial number: parts of the same drive, of which this job knows nothing.
    pub beside: Bytes,
    /// What was found and is not in the evidence: by a session whose checkpoint was lost, or after the last checkpoint.
    pub findings_before_loss: &'a [Finding],
    /// Interruptions that the job has on record. The engine's own list lacks those behind which no checkpoint followed; see
    /// `Case::interruptions`.
    pub resumes: &'a [Resume],
    /// How long the job has lasted by this computer's clock, pauses and interruptions included; `None` where it is not known.
    pub lasted: Option<Duration>,
    /// Other drives of the same model that the box knows.
    pub peers: &'a [Peer],
}

/// What an attribute counts, of a drive with platters, without, or of which that is not known.
pub(super) fn meaning(id: u16, name: &str, spins: Option<bool>) -> Option<Meaning> {
    // Flash has neither. A name that says so is believed, since a bridge may call a disk flash.
    let of_platters = |meaning: &Meaning| matches!(meaning, Meaning::SpinRetry | Meaning::Helium);
    let unnamed = spins == Some(false) && name.to_ascii_lowercase().starts_with("unknown");
    let meaning = Meaning::of(id, name).filter(|_| !is_of_link(id, name, spins));
    meaning.filter(|meaning| !(unnamed && of_platters(meaning)))
}

/// Whether it is how often a drive's link went slower: what smartctl calls a downshift, and 183 of disks, which it calls as it calls
/// that of flash where its database does not know the disk. Source: smartmontools `drivedb.h`, default entry, `SATA_Downshift_Count`
/// and its like (`SATA_Iface_Downshift`, `SATA_Interfac_Downshift`).
pub(super) fn is_of_link(id: u16, name: &str, spins: Option<bool>) -> bool {
    let of_disk = id == 183 && spins == Some(true) && Meaning::of(id, name) == Some(Meaning::GrownBadBlocks);
    of_disk || name.to_ascii_lowercase().contains("downshift")
}

impl<'a> Case<'a> {
    /// A case of which only the evidence is known, without SMART, for a used drive.
    pub fn new(evidence: &'a Evidence) -> Self {
        Self {
            evidence,
            wants_smart: false,
            before: None,
            after: None,
            meanwhile: Meanwhile::default(),
            profile: Profile::Used,
            self_tests_due: &[],
            self_tests: &[],
            wants_format: false,
            formatted: None,
            timeline: &[],
            rotation: Rotation::Unknown,
            bus: Bus::Other,
            link_mbps: None,
            smr: None,
            too_hot: None,
            paused_for_heat: false,
            shared: false,
            company: None,
            unreadable: None,
            kernel: &Account::NOTHING,
            overlay: None,
            beside: Bytes(0),
            findings_before_loss: &[],
            resumes: &[],
            lasted: None,
            peers: &[],
        }
    }

    /// All interruptions that are known: the longer of the job's list and the engine's.
    pub(super) fn interruptions(&self) -> &'a [Resume] {
        let engines = self.evidence.resumes.as_slice();
        if engines.len() > self.resumes.len() {
            engines
        } else {
            self.resumes
        }
    }

    /// SMART before, if there is anything about health in it.
    pub(super) fn first(&self) -> Option<&'a Snapshot> {
        self.before.filter(|snapshot| snapshot.tells_health())
    }

    /// SMART after, if there is anything about health in it.
    pub(super) fn last(&self) -> Option<&'a Snapshot> {
        self.after.filter(|snapshot| snapshot.tells_health())
    }

    /// Whether it is known to have platters. Virtual disks look like rotating ones; only revolutions that are told prove some.
    pub(super) fn has_platters(&self) -> bool {
        let kernel = matches!(self.rotation, Rotation::Spinning { rpm: Some(_) });
        let told = self.last().or(self.first()).and_then(|told| told.rpm);
        kernel || told.is_some_and(|rpm| rpm > 0)
    }

    /// Whether it has platters, as far as anybody knows.
    pub(super) fn spins(&self) -> Option<bool> {
        spins(self.rotation, self.last().or(self.first()))
    }
}

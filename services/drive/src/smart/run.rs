//! Running smartctl: in a child with a deadline, with the right `-d` type found by trying, and only believed when its
//! document carries the expected drive.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use wire::drive::Bus;

use super::parse::{DOCUMENT_MAX, NotSmart, parse};
use super::snapshot::Snapshot;
use crate::child::{self, Failed};
use crate::identity::Identity;

/// smartctl, and how long it may take.
#[derive(Debug, Clone)]
pub struct Smartctl {
    /// The program.
    pub program: PathBuf,
    /// For each call. A drive that spins up takes 20 s; the kernel's own time-out for one command is 30 s.
    pub deadline: Duration,
}

impl Default for Smartctl {
    fn default() -> Self {
        Smartctl {
            program: PathBuf::from("smartctl"),
            deadline: Duration::from_secs(60),
        }
    }
}

/// Why a drive's SMART could not be read. Not the drive's fault as such: a virtual disk has none, a bridge may hide it.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// smartctl could not be run or did not answer in time.
    #[error("running smartctl")]
    Run(#[source] Failed),
    /// No `-d` type gave anything about health; the last answer.
    #[error("no health data{}", .0.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    Nothing(Option<String>),
    /// The answer is of another drive (or a bridge that hides which).
    #[error("the answer is of serial {found:?}, expected {expected:?}")]
    OtherDrive {
        /// Serial of the drive that was asked for.
        expected: String,
        /// Serial in the answer.
        found: String,
    },
}

/// `-d` types to try behind USB when smartctl does not know the bridge. Source: `smartctl(8)`, in the order in which
/// bridges are common.
const USB_TYPES: [&str; 8] = [
    "sat",
    "scsi",
    "sntrealtek",
    "sntjmicron",
    "sntasmedia",
    "usbjmicron",
    "usbsunplus",
    "usbcypress",
];

impl Smartctl {
    /// Reads the health of the drive at `node`, which must be `expected`.
    ///
    /// # Errors
    /// When nothing could be read, or it is of another drive: never a snapshot that could belong to someone else.
    pub fn read(&self, node: &Path, expected: &Identity) -> Result<Snapshot, Unreadable> {
        let mut last = None;
        for kind in std::iter::once(None).chain(types(expected.bus).iter().map(|kind| Some(*kind))) {
            let output = self.call(node, kind).map_err(Unreadable::Run)?;
            match parse(&output) {
                Ok(snapshot) if snapshot.tells_health() => return accept(snapshot, expected),
                Ok(snapshot) => {
                    last = snapshot
                        .messages
                        .into_iter()
                        .map(|message| message.text)
                        .next_back()
                        .or(last)
                }
                Err(NotSmart::NoDevice(why)) => last = Some(why),
                Err(error @ (NotSmart::Json(_) | NotSmart::TooLong(_))) => last = Some(error.to_string()),
            }
        }
        Err(Unreadable::Nothing(last))
    }

    fn call(&self, node: &Path, kind: Option<&str>) -> Result<Vec<u8>, Failed> {
        let mut command = Command::new(&self.program);
        // `c`: JSON without line breaks. `-x`: everything. The exit status is a bit mask that is in the JSON, too.
        command.args(["--json=c", "-x"]);
        if let Some(kind) = kind {
            command.args(["-d", kind]);
        }
        Ok(child::run(command.arg(node), self.deadline, DOCUMENT_MAX)?.stdout)
    }
}

/// `-d` types to try after smartctl's own guess.
fn types(bus: Bus) -> &'static [&'static str] {
    match bus {
        Bus::Usb => &USB_TYPES,
        Bus::Sata => &["sat"],
        Bus::Scsi => &["scsi", "sat"],
        Bus::Nvme | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => &[],
    }
}

/// The snapshot, if it carries the expected serial or world wide name.
fn accept(snapshot: Snapshot, expected: &Identity) -> Result<Snapshot, Unreadable> {
    // Serials are padded and cased differently on the way through translation layers.
    let plain = |text: &str| -> String {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect()
    };
    let found = snapshot.serial.clone().unwrap_or_default();
    let same_serial = !plain(&found).is_empty() && plain(&found) == plain(&expected.serial);
    let same_name = snapshot.wwn.is_some() && snapshot.wwn == expected.wwn;
    if same_serial || same_name {
        Ok(snapshot)
    } else {
        Err(Unreadable::OtherDrive {
            expected: expected.serial.clone(),
            found,
        })
    }
}

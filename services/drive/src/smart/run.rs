//! Running smartctl: in a child with a deadline, with the right `-d` type found by trying and remembered, and only
//! believed when its document carries the expected drive.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use wire::drive::Bus;

use super::accept::accept;
use super::remembered::{Remembered, Worked};
use crate::child::{self, Failed};
use crate::identity::Identity;
use ::smart::{DOCUMENT_MAX, Farm, NotSmart, Protocol, Snapshot, Switch, forget_printed, parse};

/// Pauses after which a drive that was read before is asked for its SMART again: a bridge may answer the first command after
/// hours of others with an error, and one reading that is missing costs the whole burn-in its comparison.
const AGAIN: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(15)];

/// The pauses after which a drive that could not be read is asked again; none where it cannot be expected to tell anything.
/// `told`: whether it was read before.
pub fn again(bus: Bus, told: bool) -> &'static [Duration] {
    match bus {
        _ if told => &AGAIN,
        Bus::Sata | Bus::Scsi | Bus::Nvme | Bus::Usb => &AGAIN[..2],
        Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => &[],
    }
}

/// smartctl, how long it may take, and which `-d` type worked for which drive.
#[derive(Debug, Clone)]
pub struct Smartctl {
    /// The program.
    pub program: PathBuf,
    /// For each call. A drive that spins up takes 20 s; the kernel's own time-out for one command is 30 s.
    pub deadline: Duration,
    /// For finding the type by trying: a bridge that hangs on one type is not asked for ever.
    pub budget: Duration,
    /// For a type that worked before and fails: so long it alone is asked, at each reading. A bridge or an HBA may lose one command,
    /// and another type may then tell less of the same drive.
    pub patience: Duration,
    /// Types that worked; clones share it.
    pub remembered: Remembered,
}

impl Default for Smartctl {
    fn default() -> Self {
        Smartctl {
            program: PathBuf::from("smartctl"),
            deadline: Duration::from_mins(1),
            budget: Duration::from_secs(150),
            // The sum of `AGAIN`: its last try is open to all types.
            patience: AGAIN.iter().sum(),
            remembered: Remembered::default(),
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
    #[error("the answer is of drive {found:?}, expected {expected:?}")]
    OtherDrive {
        /// Serial of the drive that was asked for, or its world wide name where that differs.
        expected: String,
        /// Serial in the answer, or the world wide name where that differs.
        found: String,
        /// Whether both tell who they are, so that it cannot be the same drive. A bridge's own serial proves nothing.
        certain: bool,
    },
    /// Its SMART is switched off, so that it tells who it is and nothing else.
    #[error("SMART is switched off on this drive")]
    SwitchedOff {
        /// The `-d` type that told so.
        kind: Option<String>,
        /// What it tells.
        told: Box<(Snapshot, Value)>,
    },
    /// It is in standby, and was not to be woken.
    #[error("the drive is in standby and was left asleep")]
    Asleep,
}

/// An error with its causes, in one line.
pub fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// `-d` types to try behind USB when smartctl does not know the bridge. Source: `smartctl(8)`, in the order in which
/// bridges are common.
const USB_TYPES: [&str; 10] = [
    "sat",
    "sntrealtek",
    "sntjmicron",
    "sntasmedia",
    "sat,12",
    "scsi",
    "usbjmicron",
    "usbsunplus",
    "usbcypress",
    "usbprolific",
];

/// Exit status that smartctl is told to use for a drive in standby. Its bit 0 alone would mean a wrong command line,
/// after which no other bit can be set, so no other outcome gives this number.
const ASLEEP: u8 = 77;

/// What smartctl said to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Exit status, a bit mask. Source: `smartctl(8)`.
    pub status: u8,
    /// Its messages and printed lines.
    pub lines: Vec<String>,
}

impl Answer {
    /// What it said, in one line without its banner.
    pub fn text(&self) -> String {
        let said = self.lines.iter().map(|line| line.trim()).filter(|line| {
            !line.is_empty()
                && !line.starts_with("smartctl ")
                && !line.starts_with("Copyright")
                && !line.starts_with("===")
        });
        let text = said.collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            format!("smartctl exited with status {}", self.status)
        } else {
            text.chars().take(400).collect()
        }
    }
}

/// What one call gave.
enum Call {
    /// The drive's document, of the right drive: read, and as it came.
    Told(Box<(Snapshot, Value)>),
    /// Nothing of use, and what was said instead.
    Nothing(Option<String>),
}

/// What was told, and the `-d` type that it took.
type Found = (Box<(Snapshot, Value)>, Option<String>);

impl Smartctl {
    /// Reads everything that the drive tells of its health; it must be `expected`. Wakes a sleeping drive.
    ///
    /// # Errors
    /// When nothing could be read, or it is of another drive: never a snapshot that could belong to someone else.
    pub fn read(&self, node: &Path, expected: &Identity) -> Result<Snapshot, Unreadable> {
        self.read_whole(node, expected).map(|(snapshot, _)| snapshot)
    }

    /// The same, with smartctl's document beside it, for whoever keeps histories.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_whole(&self, node: &Path, expected: &Identity) -> Result<(Snapshot, Value), Unreadable> {
        let (told, kind) = self.find(node, expected, &["-x"])?;
        let (mut snapshot, document) = *told;
        if Self::wants_farm(&snapshot) {
            snapshot.farm = self.farm(node, kind.as_deref(), expected).unwrap_or_default();
        }
        Ok((snapshot, document))
    }

    /// The same for a job, to which a drive whose SMART is off tells that as well: [`Switch::Off`].
    ///
    /// `may_set`: it is switched on first, once, and read again ([`Switch::SwitchedOn`]); the drive keeps that setting. Where that
    /// reading fails, the next one tells it. Only a job that may erase its drive may: what a drive whose data stay is set to is its owner's.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_for_job(
        &self,
        node: &Path,
        expected: &Identity,
        may_set: bool,
    ) -> Result<(Snapshot, Value), Unreadable> {
        let (kind, off) = match self.read_whole(node, expected) {
            Err(Unreadable::SwitchedOff { kind, told }) => (kind, told),
            read if may_set => return self.ordered(expected, read),
            read => return read,
        };
        if !may_set {
            return Ok(*off);
        }
        // Whatever it says to the order: what it tells then is the proof.
        self.remembered.order(expected);
        if self.call(node, kind.as_deref(), "--json=c", &["-s", "on"]).is_err() {
            return Ok(*off);
        }
        match self.read_whole(node, expected) {
            Err(Unreadable::SwitchedOff { told, .. }) => {
                self.remembered.take_order(expected);
                Ok(*told)
            }
            read => self.ordered(expected, read),
        }
    }

    /// What a drive whose SMART is on told, and whether it was switched on for that.
    fn ordered(
        &self,
        drive: &Identity,
        read: Result<(Snapshot, Value), Unreadable>,
    ) -> Result<(Snapshot, Value), Unreadable> {
        let (mut snapshot, document) = read?;
        if self.remembered.take_order(drive) {
            snapshot.switch = Switch::SwitchedOn;
        }
        Ok((snapshot, document))
    }

    /// The document of a drive that nobody is at work on; one in standby is left asleep.
    ///
    /// # Errors
    /// As [`Self::read`], and when it sleeps.
    pub fn at_rest(&self, node: &Path, expected: &Identity) -> Result<Value, Unreadable> {
        let no_check = format!("standby,{ASLEEP}");
        self.find(node, expected, &["-n", &no_check, "-x"])
            .map(|(told, _)| told.1)
    }

    /// Takes over with which type an earlier process read this drive; what this one found counts more.
    pub fn recall(&self, drive: &Identity, read: &Snapshot) {
        // A snapshot may come from the drive itself: no other words than ours get to smartctl.
        let kind = types(drive.bus).iter().find(|kind| **kind == read.device_type);
        if let (Some(kind), false) = (kind, self.knows(drive)) {
            self.remembered.put(drive, Some(kind), read);
        }
    }

    /// Whether the way to ask this drive was found before: then no type has to be tried.
    pub fn knows(&self, drive: &Identity) -> bool {
        self.remembered.get(drive).is_some()
    }

    /// Whether this drive ever told anything of its health.
    pub fn has_told(&self, drive: &Identity) -> bool {
        self.remembered.has_told(drive)
    }

    /// Whether it ever told a self-test log.
    pub fn has_told_log(&self, drive: &Identity) -> bool {
        self.remembered.has_told_log(drive)
    }

    /// Whether a self-test of ours was given up on this drive and was not seen to end.
    pub(crate) fn has_stuck_test(&self, drive: &Identity) -> bool {
        self.remembered.has_stuck_test(drive)
    }

    /// Notes so, or that none is.
    pub(crate) fn note_stuck_test(&self, drive: &Identity, is_stuck: bool) {
        self.remembered.note_stuck_test(drive, is_stuck);
    }

    /// Reads identity, status and attributes alone, and leaves a drive in standby asleep: for polling. Where a type worked
    /// before, no other one is tried: a bridge may be busy, and strange commands do it no good.
    ///
    /// # Errors
    /// As [`Self::read`], and when it sleeps.
    pub fn glance(&self, node: &Path, expected: &Identity) -> Result<Snapshot, Unreadable> {
        let no_check = format!("standby,{ASLEEP}");
        let what = ["-n", &no_check, "-i", "-H", "-A"];
        let Some(kind) = self.remembered.get(expected) else {
            return self.find(node, expected, &what).map(|(told, _)| told.0);
        };
        match self.ask(node, kind.as_deref(), expected, &what)? {
            Call::Told(told) => Ok(told.0),
            Call::Nothing(why) => Err(Unreadable::Nothing(why)),
        }
    }

    /// Gives smartctl an order (`-t short`, `-X`) for the drive, with the type that worked for it.
    ///
    /// The document of an order carries no serial; that the drive is `expected` is known from the reading before.
    ///
    /// # Errors
    /// When smartctl could not be run or did not answer.
    pub fn order(&self, node: &Path, expected: &Identity, order: &[&str]) -> Result<Answer, Unreadable> {
        let kind = match self.remembered.get(expected) {
            Some(kind) => kind,
            None => self.find(node, expected, &["-x"])?.1,
        };
        // `o`: the printed lines, too; for orders they are all there is.
        let output = self
            .call(node, kind.as_deref(), "--json=co", order)
            .map_err(Unreadable::Run)?;
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let strings = |value: &Value| -> Vec<String> {
            let all = value.as_array().into_iter().flatten().take(256);
            all.filter_map(|line| line.as_str().or_else(|| line["string"].as_str()).map(str::to_owned))
                .collect()
        };
        let mut lines = strings(&json["smartctl"]["messages"]);
        lines.extend(strings(&json["smartctl"]["output"]));
        if !json.is_object() {
            lines.extend(
                String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .take(256)
                    .map(str::to_owned),
            );
        }
        let told = json["smartctl"]["exit_status"]
            .as_u64()
            .and_then(|status| u8::try_from(status).ok());
        let status = output.status.code().and_then(|code| u8::try_from(code).ok());
        Ok(Answer {
            status: told.unwrap_or(0) | status.unwrap_or(2),
            lines,
        })
    }

    /// Tries the type that worked first, and it alone until it has failed for [`Self::patience`]; then smartctl's own guess, then all
    /// types that the bus can have. At a SCSI node a single word on health is only what remains where no type tells counters.
    fn find(&self, node: &Path, expected: &Identity, what: &[&str]) -> Result<Found, Unreadable> {
        let begun = Instant::now();
        let mut last = None;
        let mut other = None;
        let mut bare: Option<Found> = None;
        let worked = self.remembered.worked(expected);
        let guesses = std::iter::once(None).chain(types(expected.bus).iter().map(|kind| Some((*kind).to_owned())));
        let mut order: Vec<Option<String>> = worked.iter().map(|worked| worked.kind.clone()).chain(guesses).collect();
        // The drive's own command set may tell more by now; smartctl's guess knows it.
        if worked.as_ref().is_some_and(Worked::is_bare_scsi) {
            order.insert(0, None);
        }
        let mut tried: Vec<Option<String>> = Vec::new();
        for kind in order {
            if tried.contains(&kind) {
                continue;
            }
            if !tried.is_empty() && begun.elapsed() > self.budget {
                last = Some(format!(
                    "none of {} types answered within {} s",
                    tried.len(),
                    self.budget.as_secs()
                ));
                break;
            }
            let is_known = worked.as_ref().is_some_and(|worked| worked.kind == kind);
            match self.ask(node, kind.as_deref(), expected, what) {
                Ok(Call::Told(told)) if worked.as_ref().is_some_and(|w| w.outdoes(kind.as_deref(), &told.0)) => {
                    let kind = kind.as_deref().unwrap_or("auto");
                    last = Some(format!("it tells less as {kind} than it did as another type"));
                }
                // Only a SCSI node may be an ATA disk's as well.
                Ok(Call::Told(told)) if told.0.tells_counters() || is_known || expected.bus != Bus::Scsi => {
                    self.remembered.put(expected, kind.as_deref(), &told.0);
                    return Ok((told, kind));
                }
                Ok(Call::Told(told)) => bare = bare.or(Some((told, kind.clone()))),
                Ok(Call::Nothing(why)) => last = why.or(last),
                // A bridge may answer one type for itself and the next one for its drive.
                Err(error @ Unreadable::OtherDrive { certain, .. }) if expected.bus == Bus::Usb => {
                    other = other.filter(|_| !certain).or(Some(error));
                }
                // A type that hangs, or answers without a serial, takes nothing from what another one told.
                Err(Unreadable::Run(_) | Unreadable::OtherDrive { certain: false, .. }) if bare.is_some() => {}
                Err(error) => return Err(error),
            }
            let is_patient = || self.remembered.failed(expected, begun).elapsed() < self.patience;
            if is_known && bare.is_none() && is_patient() {
                return Err(other.unwrap_or(Unreadable::Nothing(last)));
            }
            tried.push(kind);
        }
        if let Some((told, kind)) = bare {
            self.remembered.put(expected, kind.as_deref(), &told.0);
            return Ok((told, kind));
        }
        self.remembered.lose(expected);
        Err(other.unwrap_or(Unreadable::Nothing(last)))
    }

    fn ask(&self, node: &Path, kind: Option<&str>, expected: &Identity, what: &[&str]) -> Result<Call, Unreadable> {
        // `o`: the printed lines, too, where alone wrong checksums stand.
        let output = self.call(node, kind, "--json=co", what).map_err(Unreadable::Run)?;
        if output.status.code() == Some(i32::from(ASLEEP)) {
            return Err(Unreadable::Asleep);
        }
        let Some(status) = output.status.code().and_then(|code| u8::try_from(code).ok()) else {
            return Ok(Call::Nothing(Some(format!(
                "smartctl did not end by itself: {}",
                output.status
            ))));
        };
        Ok(Call::Nothing(match parse(&output.stdout) {
            Ok(mut snapshot) if snapshot.tells_health() => {
                snapshot.exit_status = Some(snapshot.exit_status.unwrap_or(0) | status);
                // smartctl tells `sat,12` as `sat`; asked as that a bridge may have no answer.
                if let Some(kind) = kind {
                    kind.clone_into(&mut snapshot.device_type);
                }
                let mut document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                forget_printed(&mut document);
                return accept(snapshot, expected).map(|snapshot| Call::Told(Box::new((snapshot, document))));
            }
            Ok(snapshot) if snapshot.is_switched_off() => {
                let kind = kind.map(str::to_owned);
                let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
                let told = Box::new((accept(snapshot, expected)?, document));
                return Err(Unreadable::SwitchedOff { kind, told });
            }
            Ok(snapshot) => snapshot.messages.into_iter().map(|message| message.text).next_back(),
            Err(NotSmart::NoDevice(why)) => Some(why),
            Err(error @ (NotSmart::Json(_) | NotSmart::TooLong(_))) => Some(error.to_string()),
        }))
    }

    /// Whether FARM is worth a call: Seagate's, on a smartctl that knows it, and not told yet. That it is absent `-x` says
    /// also of drives that smartctl does not take for Seagate's, and only `-l farm` tells them apart.
    fn wants_farm(snapshot: &Snapshot) -> bool {
        // Source: smartmontools NEWS, 7.4.
        let knows = snapshot.smartctl.is_some_and(|version| version >= (7, 4));
        let kind = matches!(snapshot.protocol, Protocol::Ata | Protocol::Scsi);
        snapshot.seagate && snapshot.rpm != Some(0) && kind && knows && !matches!(snapshot.farm, Farm::Told { .. })
    }

    /// Seagate's field log; `None` where that could not be told.
    fn farm(&self, node: &Path, kind: Option<&str>, expected: &Identity) -> Option<Farm> {
        let output = self.call(node, kind, "--json=co", &["-i", "-l", "farm"]).ok()?;
        Some(accept(parse(&output.stdout).ok()?, expected).ok()?.farm)
    }

    fn call(&self, node: &Path, kind: Option<&str>, json: &str, what: &[&str]) -> Result<child::Output, Failed> {
        let mut command = Command::new(&self.program);
        // `c`: JSON without line breaks.
        command.arg(json).args(what);
        if let Some(kind) = kind {
            command.args(["-d", kind]);
        }
        child::run(command.arg(node), node, self.deadline, DOCUMENT_MAX)
    }
}

/// `-d` types to try after smartctl's own guess.
fn types(bus: Bus) -> &'static [&'static str] {
    match bus {
        Bus::Usb => &USB_TYPES,
        Bus::Sata => &["sat"],
        Bus::Scsi => &["scsi", "sat"],
        Bus::Nvme => &["nvme"],
        Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => &[],
    }
}

//! Every target through the guard: one refusal refuses all.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use burnin::{Fingerprint, device, format};
use drive::content::ContentKind;
use drive::guard::{GivenUp, Guard, InUse, Refusal};
use drive::identity::Identity;
use drive::sysfs::{self, Device};
use wire::drive::{Content, Refused};
use wire::gate::{PlanDrive, Told, labels};

use super::again::quote;
use super::choice::Choice;
use super::target::Target;
use super::{Args, Stop, fingerprints, print_refused};

/// A target that passed the guard.
pub(super) struct Ready {
    pub target: Target,
    pub held: Held,
    pub plan: PlanDrive,
}

/// An open drive.
pub(super) struct Held {
    /// Exclusive for writing; for a playbook that changes nothing open for reading alone.
    pub file: File,
    pub identity: Identity,
    pub device: Device,
    /// Memberships that are given up: what the first look found.
    pub lose: Vec<ContentKind>,
    /// Kinds of what stands where a first partition would, where it has no table.
    pub unlisted: BTreeSet<String>,
    /// What stood at some places when it was told what would be erased; `None` where nothing is, or it could not be asked.
    pub seen: Option<Fingerprint>,
    /// Why it could not be read at one of them, by its own word.
    pub unread: Option<String>,
}

impl Held {
    pub(super) fn geometry(&self) -> device::Geometry {
        let sector = self.identity.logical_sector;
        device::Geometry {
            sectors: self.identity.capacity.0 / u64::from(sector.max(1)),
            sector,
            physical: self.device.physical_sector.max(sector),
        }
    }
}

/// Guards every target.
pub(super) fn admit(args: &Args, guard: &Guard, choice: &Choice, targets: Vec<Target>) -> Result<Vec<Ready>, Stop> {
    let mut ready = Vec::new();
    let mut refused: Vec<(PathBuf, Refused)> = Vec::new();
    for target in targets {
        match one(guard, choice, &target, args.dry_run) {
            Ok((held, plan)) => ready.push(Ready { target, held, plan }),
            Err(refusal) => {
                let view = refusal.view();
                let reason = view.reason + &how(&refusal, &target.id());
                refused.push((target.node, Refused { reason, ..view }));
            }
        }
    }
    if let (true, Some(request)) = (refused.is_empty(), choice.request()) {
        let misfit = |r: &Ready| {
            let error = format::plan(r.plan.capacity.0, r.plan.sector, &request).err()?;
            Some(refusal(r, "format", error.to_string()))
        };
        refused.extend(ready.iter().filter_map(misfit));
    }
    if refused.is_empty() && choice.erases() {
        refused = label(guard, &mut ready);
    }
    if refused.is_empty() {
        if choice.erases() {
            fingerprints::see(&mut ready);
        }
        return Ok(ready);
    }
    let mut lines = Vec::new();
    for (node, refused) in refused {
        lines.push(format!("{} is refused: {}", node.display(), refused.reason));
        print_refused(args, &node, &refused.kind, &refused.reason);
    }
    Err(Stop::Refused(format!("{}; nothing was written", lines.join("; "))))
}

/// What is typed to have a drive all the same, where something allows that.
fn how(refusal: &Refusal, id: &str) -> String {
    match matches!(refusal, Refusal::InUse(InUse::Member { .. })) {
        true => format!(" (to give it up all the same: --give-up {})", quote(id.as_ref())),
        false => String::new(),
    }
}

fn refusal(ready: &Ready, kind: &str, reason: String) -> (PathBuf, Refused) {
    let kind = kind.to_owned();
    (ready.target.node.clone(), Refused { kind, reason })
}

/// What has to be typed for each drive, beside the others that are plugged in; the drives for which nothing tells them apart.
fn label(guard: &Guard, ready: &mut [Ready]) -> Vec<(PathBuf, Refused)> {
    let mut beside = sysfs::walk(&guard.system);
    beside.retain(|device| !ready.iter().any(|r| r.held.device.number == device.number));
    let chosen: Vec<Told<'_>> = ready.iter().map(|r| told_by(&r.held.identity)).collect();
    let known: Vec<Told<'_>> = beside.iter().map(|device| told_by(&device.identity)).collect();
    let labels = labels(&chosen, &known);
    let mut refused = Vec::new();
    for (r, label) in ready.iter_mut().zip(labels) {
        match label {
            Some(label) => r.plan.label = label,
            None => refused.push(refusal(
                r,
                "same-serial",
                "it tells the serial number of another drive that is plugged in, and no WWN of its own: unplug the other"
                    .to_owned(),
            )),
        }
    }
    refused
}

fn told_by(identity: &Identity) -> Told<'_> {
    Told {
        serial: &identity.serial,
        wwn: identity.wwn.as_deref(),
    }
}

fn one(guard: &Guard, choice: &Choice, target: &Target, dry_run: bool) -> Result<(Held, PlanDrive), Refusal> {
    let device = match &target.device {
        Ok(device) => device,
        Err(kind) => return Err(kind.refusal(&target.node)),
    };
    if !choice.erases() {
        if device.identity.id.is_none() {
            return Err(Refusal::NoIdentity);
        }
        // Whoever uses it may go on.
        let opened = guard.open_for_reading(&device.identity, &target.node)?;
        let held = Held {
            file: opened.file,
            identity: opened.identity,
            device: opened.device,
            lose: Vec::new(),
            unlisted: BTreeSet::new(),
            seen: None,
            unread: None,
        };
        let plan = plan(&held.identity, Content::Unknown, Vec::new()).ok_or(Refusal::NoIdentity)?;
        return Ok((held, plan));
    }
    let gives_up = device
        .identity
        .id
        .as_ref()
        .is_some_and(|id| choice.options.give_up.contains(id));
    let first: &[ContentKind] = if gives_up { &ContentKind::ALL } else { &[] };
    let opened = match dry_run {
        true => guard.try_for_erase(&device.identity, &target.node, first)?,
        false => guard.open_for_erase(&device.identity, &target.node, first)?,
    };
    let given_up = GivenUp::of(&opened.look.members);
    let content = drive::probe::counted(&guard.prober, (&target.node, &target.node), opened.look.content);
    let plan = plan(&opened.identity, content, given_up.words).ok_or(Refusal::NoIdentity)?;
    let held = Held {
        file: opened.file,
        identity: opened.identity,
        device: opened.device,
        lose: given_up.kinds,
        unlisted: opened.look.unlisted,
        seen: None,
        unread: None,
    };
    Ok((held, plan))
}

fn plan(identity: &Identity, content: Content, given_up: Vec<String>) -> Option<PlanDrive> {
    Some(PlanDrive {
        id: identity.id.clone()?,
        model: identity.model.clone(),
        serial: identity.serial.clone(),
        capacity: identity.capacity,
        sector: identity.logical_sector,
        content,
        given_up,
        label: String::new(),
    })
}

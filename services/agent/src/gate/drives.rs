//! A drive against a plan: whether it may be named in one, and whether it still is what was planned.

use std::collections::BTreeSet;

use burnin::playbook::Playbook;
use drive::content::ContentKind;
use drive::guard::GivenUp;
use wire::drive::{Content, Drive, Refused};
use wire::gate::{PLAN_DRIVES_MAX, Plan, PlanDrive, digest, is_by_wwn, same_serial};
use wire::options::PlanOptions;
use wire::{DriveId, Problem, Time};

use super::{Fingerprints, Granted, Media, Members};

/// Whether a second device tells the drive's identity: one that a job holds, or held a moment ago, is listed by it all the same.
pub fn has_twin(drive: &Drive) -> bool {
    let why = drive.refused.as_ref();
    why.is_some_and(|refused| refused.kind == "same-identity")
}

/// Whether a drive is refused for nothing, or for what stands on it alone, which belongs to something that does not run.
fn may_be_given_up(drive: &Drive) -> bool {
    let membership = |refused: &Refused| ContentKind::ALL.iter().any(|kind| kind.refusal() == refused.kind);
    drive.refused.as_ref().is_none_or(membership)
}

/// Whether a drive may carry a burn-in to go on with: it is there, was looked at, nothing uses it, and nobody put it to use since. A
/// member's mark on the whole of it is no reason against that: an array has its own at the drive's end, which the first write reaches last.
/// A partition table or a file system stands at the beginning, which that write took first.
pub fn may_carry_a_burn_in(drive: &Drive) -> bool {
    let is_left_over = match &drive.content {
        Content::Unknown => false,
        Content::Empty | Content::Unreadable { .. } => true,
        Content::Found { signatures, .. } => {
            drive.refused.is_some() && signatures.iter().all(|signature| signature.partition == 0)
        }
    };
    drive.present && is_left_over && may_be_given_up(drive)
}

/// The one present drive with this identity, if no job runs on it.
fn one<'a>(id: &DriveId, drives: &'a [Drive], busy: &BTreeSet<DriveId>) -> Result<&'a Drive, Problem> {
    let mut present = drives
        .iter()
        .filter(|drive| drive.present && drive.id.as_ref() == Some(id));
    let drive = present.next().ok_or_else(|| {
        Problem::new("drive-unknown", 404, "No such drive is plugged in")
            .with(format!("{id} is not among the present drives."))
    })?;
    if has_twin(drive) || present.next().is_some() {
        let problem = Problem::new("drive-refused", 409, "Two devices tell the same identity");
        return Err(problem.with(format!(
            "{id}: unplug one of them; which one would be erased cannot be known."
        )));
    }
    if busy.contains(id) {
        let problem = Problem::new("drive-busy", 409, "A job is running on this drive");
        return Err(problem.with(format!("{}: wait for its end or abort it.", name(drive))));
    }
    Ok(drive)
}

/// The one present drive with this identity, if it may be erased.
pub(super) fn offered<'a>(
    id: &DriveId,
    drives: &'a [Drive],
    busy: &BTreeSet<DriveId>,
    give_up: &[DriveId],
) -> Result<&'a Drive, Problem> {
    let drive = one(id, drives, busy)?;
    if let Some(refused) = &drive.refused {
        let membership = may_be_given_up(drive);
        if !(membership && give_up.contains(id)) {
            let problem = Problem::new("drive-refused", 409, "This drive is in use or must not be erased");
            let how = match membership {
                true => " To give it up all the same, name the drive in the plan's option give_up.",
                false => "",
            };
            return Err(problem.with(format!("{}: {}.{how}", name(drive), refused.reason)));
        }
    }
    match drive.content {
        Content::Unknown => {
            let problem = Problem::new("content-unknown", 409, "What is on this drive is not known yet");
            Err(problem.with(format!(
                "{} has not answered the first look at it; try again in a moment.",
                name(drive)
            )))
        }
        Content::Empty | Content::Found { .. } | Content::Unreadable { .. } => Ok(drive),
    }
}

/// Whether these drives can be read by a job that writes nothing: present, each once, told apart, and not busy. They may
/// be in use.
///
/// # Errors
/// Names the drive, and what to do.
pub fn may_read(ids: &[DriveId], drives: &[Drive], busy: &BTreeSet<DriveId>) -> Result<(), Problem> {
    if ids.is_empty() || ids.len() > PLAN_DRIVES_MAX {
        let title = format!("A scan names 1 to {PLAN_DRIVES_MAX} drives");
        return Err(Problem::new("plan-empty", 422, title));
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Problem::new("drive-twice", 422, "A scan names each drive once").with(id.to_string()));
        }
        one(id, drives, busy)?;
    }
    Ok(())
}

fn name(drive: &Drive) -> String {
    format!("{} {} ({})", drive.model, drive.serial, drive.capacity)
}

/// What is given up with this drive, in words; nothing where the plan's options do not name it.
pub(super) fn given_up(id: &DriveId, options: &PlanOptions, members: &Members) -> Vec<String> {
    if !options.give_up.contains(id) {
        return Vec::new();
    }
    let members = members.get(id).map(Vec::as_slice).unwrap_or_default();
    GivenUp::of(members).words
}

pub(super) fn plan_drive(id: &DriveId, drive: &Drive, given_up: Vec<String>, label: String) -> PlanDrive {
    PlanDrive {
        id: id.clone(),
        model: drive.model.clone(),
        serial: drive.serial.clone(),
        capacity: drive.capacity,
        sector: drive.logical_sector,
        content: drive.content.clone(),
        given_up,
        label,
    }
}

/// What is different from what was planned; `None` while nothing is, and while a look at the content is outstanding.
pub(super) fn changed(planned: &PlanDrive, drives: &[Drive]) -> Option<String> {
    let mut present = drives
        .iter()
        .filter(|drive| drive.present && drive.id.as_ref() == Some(&planned.id));
    let what = format!("{} {}", planned.model, planned.serial);
    let Some(drive) = present.next() else {
        return Some(format!("{what} is gone, or another drive is in its place"));
    };
    if has_twin(drive) || present.next().is_some() {
        return Some(format!("a second device with the identity of {what} was plugged in"));
    }
    if (&drive.model, &drive.serial, drive.capacity, drive.logical_sector)
        != (&planned.model, &planned.serial, planned.capacity, planned.sector)
    {
        return Some(format!("{what} tells another model, serial, capacity or sector size"));
    }
    let is_twin = |other: &Drive| other.present && other.id != drive.id && same_serial(&other.serial, &planned.serial);
    if !is_by_wwn(&planned.label, &planned.serial) && drives.iter().any(is_twin) {
        return Some(format!(
            "a second drive with the serial number of {what} was plugged in"
        ));
    }
    match &drive.content {
        // Not read is not changed; the look on the open descriptor decides ([`fresh_matches`]).
        Content::Unknown | Content::Unreadable { .. } => None,
        now @ (Content::Empty | Content::Found { .. }) => now.has_changed_since(&planned.content).then(|| {
            format!(
                "the content of {what} was \"{}\" and is now \"{}\"",
                planned.content.words(),
                now.words()
            )
        }),
    }
}

/// Whether a drive that was there `since` then was plugged in anew, by the kernel's count of media: two blank ones in a dock tell the same.
pub(super) fn came_anew(planned: &PlanDrive, since: Time, drives: &[Drive]) -> Option<String> {
    let mut present = drives.iter().filter(|drive| drive.present);
    let drive = present.find(|drive| drive.id.as_ref() == Some(&planned.id))?;
    (drive.since != since).then(|| anew(planned))
}

fn anew(planned: &PlanDrive) -> String {
    let (model, serial) = (&planned.model, &planned.serial);
    format!("{model} {serial} was plugged in anew or reset, or another drive came into its place")
}

pub(super) fn changed_problem(why: String) -> Problem {
    Problem::new("plan-changed", 409, "A drive changed after the plan was made")
        .with(format!("{why}. Make a new plan."))
}

/// Whether the media that are held are those that were planned, by the kernel's count: the list may have been read before an exchange
/// that the opening came after, and two blank drives in a dock tell the same.
///
/// # Errors
/// Names the drive.
pub fn same_media(granted: &Granted, held: &Media) -> Result<(), Problem> {
    let mut planned = granted.plan.drives.iter();
    let counted = |id| {
        granted
            .seen
            .media
            .get(id)
            .zip(held.get(id))
            .is_some_and(|(then, now)| then == now)
    };
    match planned.find(|drive| !counted(&drive.id)) {
        Some(other) => Err(changed_problem(anew(other))),
        None => Ok(()),
    }
}

/// Whether what the plan saw at some places of the drives stands there still, by two later looks: an archive, an encrypted volume that
/// hides what it is, or a file put into a known file system change none of its signatures.
///
/// # Errors
/// Names the drive.
pub fn not_written_since(granted: &Granted, (now, again): (&Fingerprints, &Fingerprints)) -> Result<(), Problem> {
    let mut planned = granted.plan.drives.iter();
    let written = |id| {
        let then = granted.seen.fingerprints.get(id)?;
        Some(then.was_written_since(now.get(id)?, again.get(id)?))
    };
    match planned.find(|drive| written(&drive.id) == Some(true)) {
        Some(drive) => Err(changed_problem(format!(
            "something wrote to {} {} since",
            drive.model, drive.serial
        ))),
        None => Ok(()),
    }
}

/// Whether what was read afresh on the open descriptors is what the plan says; to be asked once for all drives,
/// in the plan's order, before the first byte is written.
///
/// # Errors
/// Says what is different.
pub fn fresh_matches((plan, book): (&Plan, &Playbook), fresh: &[Drive], members: &Members) -> Result<(), Problem> {
    for planned in &plan.drives {
        if let Some(why) = changed(planned, fresh) {
            return Err(changed_problem(why));
        }
    }
    let found: Option<Vec<PlanDrive>> = plan
        .drives
        .iter()
        .map(|planned| {
            let drive = fresh.iter().find(|drive| drive.id.as_ref() == Some(&planned.id))?;
            Some(plan_drive(
                &planned.id,
                drive,
                given_up(&planned.id, &plan.options, members),
                planned.label.clone(),
            ))
        })
        .collect();
    match found {
        Some(found) if digest((&plan.playbook, &book.steps_text()), &plan.options, &found) == plan.digest => Ok(()),
        _ => Err(changed_problem(
            "a drive could not be read again as it was planned".to_owned(),
        )),
    }
}

//! What a person chose beside drives and playbook: refused precisely where it cannot be done. Pure.

use std::collections::BTreeSet;

use burnin::format;
use wire::Problem;
use wire::drive::Drive;
use wire::options::{PlanOptions, Profile};

use super::{Ask, Lose};

/// Refuses options that name other drives than the plan's, or that no drive of it or the playbook can follow.
pub(super) fn check(ask: &Ask<'_>) -> Result<(), Problem> {
    let PlanOptions {
        profile,
        format: request,
        give_up,
        ..
    } = ask.options;
    let wrong = |detail: String| Problem::new("options-wrong", 422, "These options cannot be followed").with(detail);
    let mut seen = BTreeSet::new();
    for id in give_up {
        if !ask.drives.contains(id) {
            return Err(wrong(format!(
                "give_up names {id}, which is not among the plan's drives."
            )));
        }
        if !seen.insert(id) {
            return Err(wrong(format!("give_up names {id} twice.")));
        }
    }
    if *profile == Profile::New && !ask.book.wants_smart() {
        return Err(wrong(format!(
            "profile: the playbook {} asks for no SMART, by which alone a drive is judged as new. Choose a playbook that \
             does, as standard, or the profile used.",
            ask.book.name
        )));
    }
    if let Some(request) = request {
        if !ask.book.formats() {
            return Err(wrong(format!(
                "format: the playbook {} does not write and read back every block; only a drive that was tested whole is \
                 formatted. Choose another playbook, or no format.",
                ask.book.name
            )));
        }
        format::check(request).map_err(|error| wrong(format!("format: {error}.")))?;
        format::available(request.filesystem).map_err(|error| wrong(format!("format: {error}.")))?;
    }
    Ok(())
}

/// Refuses a format that does not fit a drive of the plan.
pub(super) fn fits(ask: &Ask<'_>, drives: &[&Drive]) -> Result<(), Problem> {
    let Some(request) = &ask.options.format else {
        return Ok(());
    };
    for drive in drives {
        format::plan(drive.capacity.0, drive.logical_sector, request).map_err(|error| {
            let problem = Problem::new("options-wrong", 422, "These options cannot be followed");
            problem.with(format!("format: {} {}: {error}.", drive.model, drive.serial))
        })?;
    }
    Ok(())
}

/// The kinds of membership that are given up, of the drives that are named for it.
pub(super) fn lose(ask: &Ask<'_>) -> Lose {
    let named = ask.options.give_up.iter();
    named
        .filter_map(|id| {
            let mut kinds: Vec<_> = ask.members.get(id)?.iter().map(|member| member.kind).collect();
            kinds.sort();
            kinds.dedup();
            Some((id.clone(), kinds))
        })
        .collect()
}

//! What a person chose beside drives and playbook: refused precisely where it cannot be done. Pure.

use std::collections::BTreeSet;

use burnin::{format, job};
use drive::guard::GivenUp;
use wire::Problem;
use wire::drive::Drive;

use super::{Ask, Lose};

/// Refuses options that name other drives than the plan's, or that no drive of it or the playbook can follow.
pub(super) fn check(ask: &Ask<'_>) -> Result<(), Problem> {
    let wrong = |detail: String| Problem::new("options-wrong", 422, "These options cannot be followed").with(detail);
    let mut seen = BTreeSet::new();
    for id in &ask.options.give_up {
        if !ask.drives.contains(id) {
            return Err(wrong(format!(
                "give_up names {id}, which is not among the plan's drives."
            )));
        }
        if !seen.insert(id) {
            return Err(wrong(format!("give_up names {id} twice.")));
        }
    }
    job::follow(ask.book, ask.options, format::available).map_err(|error| wrong(format!("{error}.")))
}

/// Refuses a format that does not fit a drive of the plan.
pub(super) fn fits(ask: &Ask<'_>, drives: &[&Drive]) -> Result<(), Problem> {
    let Some(request) = job::request(ask.book.steps(), ask.options) else {
        return Ok(());
    };
    for drive in drives {
        format::plan(drive.capacity.0, drive.logical_sector, &request).map_err(|error| {
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
        .filter_map(|id| Some((id.clone(), GivenUp::of(ask.members.get(id)?).kinds)))
        .collect()
}

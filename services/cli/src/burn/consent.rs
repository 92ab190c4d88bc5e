//! Whether a person agreed: `--yes-erase` for each drive, and on a terminal its last four characters.

use std::io::{BufRead, Write};

use wire::gate::{PlanDrive, typed_matches};
use wire::shown;

use super::{Stop, target::Target};

/// Every drive is named by one `--yes-erase`, and none names a drive that is not a target.
pub(super) fn erasable(targets: &[Target], yes: &[String]) -> Result<(), Stop> {
    if let Some(target) = targets.iter().find(|t| !yes.iter().any(|id| t.is_named(id))) {
        let id = target.id();
        return Err(Stop::Usage(format!(
            "everything on {} will be lost: agree with --yes-erase {id} (nothing was written)",
            target.node.display()
        )));
    }
    let names_two = |id: &&String| targets.iter().filter(|t| t.is_named(id)).count() > 1;
    if let Some(id) = yes.iter().find(names_two) {
        return Err(Stop::Usage(format!(
            "--yes-erase {id} names two of the drives: burn them in one at a time, or name each by its WWN (nothing was written)"
        )));
    }
    match yes.iter().find(|id| !targets.iter().any(|t| t.is_named(id))) {
        Some(id) => Err(Stop::Usage(format!(
            "--yes-erase {id} names none of the drives to burn in (nothing was written)"
        ))),
        None => Ok(()),
    }
}

/// Asks for each drive's label on the terminal.
pub(super) fn ask(drives: &[PlanDrive]) -> Result<(), Stop> {
    let mut input = std::io::stdin().lock();
    for drive in drives {
        let (model, serial) = (shown::line(&drive.model), shown::line(&drive.serial));
        let _ = write!(
            std::io::stderr(),
            "{model} {serial}: type {} to erase it: ",
            hint(drive)
        );
        let _ = std::io::stderr().flush();
        let mut typed = String::new();
        let read = input.read_line(&mut typed);
        if read.is_err() || !typed_matches(&drive.label, &drive.serial, &typed) {
            return Err(Stop::Refused(format!(
                "{} was not confirmed; nothing was written",
                drive.serial
            )));
        }
    }
    Ok(())
}

fn hint(drive: &PlanDrive) -> &'static str {
    if drive.label.len() == 4 {
        "the last four characters of its serial number"
    } else {
        "its whole serial number"
    }
}

//! Whether a person agreed: `--yes-erase` for each drive, and on a terminal its last four characters.

use std::io::{BufRead, Write};

use drive::sysfs::Device;
use wire::gate::{PlanDrive, is_by_wwn, typed_matches};
use wire::shown;

use super::Stop;
use super::again::quote;
use super::target::{Target, is_named};

/// Every drive is named by one `--yes-erase`, and none names a drive that is not a target, also beside one that is; `present` are all
/// that are plugged in.
pub(super) fn erasable(targets: &[Target], present: &[Device], yes: &[String]) -> Result<(), Stop> {
    // One that nothing names cannot be agreed to: it is refused, with why, before anything is written.
    let is_nameless = |target: &Target| {
        let device = target.device.as_ref();
        device.map_or(true, |device| device.identity.id.is_none())
    };
    let is_agreed = |target: &Target| is_nameless(target) || yes.iter().any(|id| target.is_named(id));
    if let Some(target) = targets.iter().find(|target| !is_agreed(target)) {
        let id = quote(target.id().as_ref());
        return Err(Stop::Usage(format!(
            "everything on {} will be lost: agree with --yes-erase {id} (nothing was written)",
            target.node.display()
        )));
    }
    let identity = |target: &Target| {
        let device = target.device.as_ref().ok()?;
        device.identity.id.clone()
    };
    // Of several with one identity no name says which is meant: the guard refuses them, and says so.
    let names_two = |id: &&String| {
        let mut named = targets.iter().filter(|target| target.is_named(id)).map(identity);
        let first = named.next();
        named.any(|other| other.is_none() || first.as_ref() != Some(&other))
    };
    if let Some(id) = yes.iter().find(names_two) {
        return Err(Stop::Usage(format!(
            "--yes-erase {id} names two of the drives: burn them in one at a time, or name each by its WWN (nothing was written)"
        )));
    }
    let names_none = |id: &&String| !targets.iter().any(|t| is_nameless(t) || t.is_named(id));
    if let Some(id) = yes.iter().find(names_none) {
        return Err(Stop::Usage(format!(
            "--yes-erase {id} names none of the drives to burn in (nothing was written)"
        )));
    }
    let is_target = |device: &Device| {
        targets
            .iter()
            .any(|t| t.device.as_ref().is_ok_and(|d| d.number == device.number))
    };
    let is_twin = |device: &Device| {
        device.identity.id.is_some() && targets.iter().any(|target| identity(target) == device.identity.id)
    };
    let is_other = |device: &Device| !is_target(device) && !is_twin(device);
    let beside = |id: &String| present.iter().find(|device| is_other(device) && is_named(device, id));
    if let Some((id, other)) = yes.iter().find_map(|id| Some((id, beside(id)?))) {
        return Err(Stop::Usage(format!(
            "--yes-erase {id} names {}, too, which is not to be burnt in: name the drive by its WWN, or unplug the other \
             (nothing was written)",
            other.name
        )));
    }
    Ok(())
}

/// Asks for each drive's label on the terminal; each with where it is, in words.
///
/// # Errors
/// Which drive was not agreed to, in words.
pub(super) fn ask<'a>(drives: impl Iterator<Item = (&'a PlanDrive, String)>) -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    for (drive, place) in drives {
        let named = words(drive);
        let _ = write!(
            std::io::stderr(),
            "{} at {}: type {} to erase it: ",
            shown::line(&named),
            shown::line(&place),
            hint(drive)
        );
        let _ = std::io::stderr().flush();
        let mut typed = String::new();
        let read = input.read_line(&mut typed);
        if read.is_err() || !typed_matches(&drive.label, &drive.serial, &typed) {
            return Err(format!("{named} was not confirmed"));
        }
    }
    Ok(())
}

/// Model and serial; without a serial what else is typed for it.
fn words(drive: &PlanDrive) -> String {
    let serial = match drive.serial.trim() {
        "" => &drive.label,
        _ => &drive.serial,
    };
    format!("{} {serial}", drive.model).trim().to_owned()
}

fn hint(drive: &PlanDrive) -> &'static str {
    if is_by_wwn(&drive.label, &drive.serial) {
        "its world wide name"
    } else if drive.label.len() == 4 {
        "the last four characters of its serial number"
    } else {
        "its whole serial number"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::target::made_up;
    use super::*;

    #[test]
    fn an_id_that_names_two_drives_agrees_to_none() {
        let (one, two) = ("5000c500a1b2c3d4", "5000c500a1b2c3d5");
        let targets = [
            made_up("/dev/sda", "M", "ABCD", one),
            made_up("/dev/sdb", "N", "abcd", two),
        ];
        let agreed = |yes: &[&str]| {
            erasable(
                &targets,
                &[],
                &yes.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(),
            )
        };
        for yes in [&["ABCD"][..], &["ABCD", one, two]] {
            let Err(Stop::Usage(why)) = agreed(yes) else {
                panic!("{yes:?}")
            };
            assert!(why.contains("ABCD names two of the drives"), "{why}");
        }
        agreed(&[one, two]).unwrap();
        assert!(agreed(&[one]).is_err());
    }

    /// Pasted as it stood, its second part was another target.
    #[test]
    fn what_agrees_is_told_as_a_shell_reads_it() {
        let target = made_up("/dev/sda", "M", "WD 1", "5000c500a1b2c3d4");
        let Err(Stop::Usage(why)) = erasable(&[target], &[], &[]) else {
            panic!("nobody agreed")
        };
        assert!(why.contains("--yes-erase 'WD 1' (nothing"), "{why}");
    }

    #[test]
    fn a_drive_without_a_serial_is_told_by_its_wwn() {
        let drive = |model: &str, serial: &str| PlanDrive {
            id: wire::DriveId::from_wwn("5000c500a1b2c3d4").unwrap(),
            model: model.into(),
            serial: serial.into(),
            capacity: wire::Bytes(1),
            sector: 512,
            content: wire::drive::Content::Unknown,
            given_up: Vec::new(),
            label: "5000C500A1B2C3D4".into(),
        };
        assert_eq!(words(&drive("M", "ZRT10W3P")), "M ZRT10W3P");
        assert_eq!(words(&drive("M", "")), "M 5000C500A1B2C3D4");
        assert_eq!(words(&drive("", " ")), "5000C500A1B2C3D4");
    }

    /// A dock that tells its own serial number for both of its bays: after their names swapped, the same line erased the other drive.
    #[test]
    fn an_id_that_another_plugged_in_drive_tells_agrees_to_nothing() {
        let (one, two) = ("5000c500a1b2c3d4", "5000c500a1b2c3d5");
        let target = made_up("/dev/sdb", "M", "DOCK", one);
        let mut other = made_up("", "M", "dock", two).device.unwrap();
        other.name = "sdc".into();
        other.number.minor += 16;
        let present = [target.device.clone().unwrap(), other];
        let targets = [target];
        let agreed = |yes: &[&str]| {
            let yes: Vec<String> = yes.iter().map(|id| (*id).to_owned()).collect();
            erasable(&targets, &present, &yes)
        };
        for yes in [&["DOCK"][..], &["DOCK", one]] {
            let Err(Stop::Usage(why)) = agreed(yes) else {
                panic!("{yes:?}")
            };
            assert!(why.contains("names sdc, too"), "{why}");
        }
        agreed(&[one]).unwrap();
    }

    /// Two paths to one drive: whatever is typed names both, and the guard says what to do.
    #[test]
    fn a_drive_that_is_plugged_in_twice_is_left_to_the_guard() {
        let wwn = "5000c500a1b2c3d4";
        let target = made_up("/dev/sdb", "M", "ONE", wwn);
        let mut twin = made_up("", "M", "ONE", wwn).device.unwrap();
        twin.name = "sdc".into();
        twin.number.minor += 16;
        let present = [target.device.clone().unwrap(), twin];
        let targets = [target];
        for id in ["ONE", wwn] {
            erasable(&targets, &present, &[id.to_owned()]).unwrap();
        }
        assert!(erasable(&targets, &present, &[]).is_err());
        let both = [
            made_up("/dev/sdb", "M", "ONE", wwn),
            made_up("/dev/sdc", "M", "ONE", wwn),
        ];
        erasable(&both, &present, &[wwn.to_owned()]).unwrap();
    }

    #[test]
    fn a_drive_that_nothing_names_is_left_to_the_guard() {
        let mut target = made_up("/dev/nullb0", "", "", "5000c500a1b2c3d4");
        let device = target.device.as_mut().unwrap();
        device.identity.id = None;
        device.identity.wwn = None;
        let targets = [target];
        for yes in [&[][..], &["/dev/nullb0".to_owned()]] {
            erasable(&targets, &[], yes).unwrap();
        }
    }
}

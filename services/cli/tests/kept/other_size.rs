//! A drive that tells another size than when its burn-in was kept, and another drive by its name.

use std::fs;

use serde_json::json;

use crate::common::{Loop, code, interrupted, object, resize, text};
use crate::{kept, kept_of};

/// Refused by the plan as by the burn-in, with both sizes and what to do.
fn refused_by_its_size(drive: &Loop, (then, now): (&str, &str)) {
    let written = || fs::metadata(drive.file()).unwrap().modified().unwrap();
    let before = written();
    for more in [&["--dry-run"][..], &[]] {
        let output = drive.burn(&[&["--playbook", "surface", "--resume"], more].concat());
        let told = text(&output);
        assert_eq!(code(&output), 4, "{more:?}: {told}");
        let result = object(&output);
        assert_eq!(result["refused"]["kind"], "not-resumed", "{result}");
        let reason = result["refused"]["reason"].as_str().unwrap();
        assert!(reason.contains(then) && reason.contains(now), "{reason}");
        assert!(
            told.contains("without --resume") && told.contains("nothing was written"),
            "{told}"
        );
    }
    assert_eq!(written(), before, "it was written");
}

/// Without a WWN a drive's identity holds its capacity, and another one is another name.
#[test]
fn a_burn_in_of_a_drive_that_tells_another_size_is_not_forgotten() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    resize(&drive, 500 << 20);
    refused_by_its_size(&drive, ("629 MB", "524 MB"));
    let path = kept(&drive, 600 << 20);
    let mut saved = kept_of(&path);
    saved["ended"] =
        json!({ "at": "2026-01-01T00:00:00Z", "outcome": "INCONCLUSIVE", "why": "the drive told another capacity" });
    fs::write(&path, saved.to_string()).unwrap();
    refused_by_its_size(&drive, ("629 MB", "ended INCONCLUSIVE at 2026-01-01"));
    let output = drive.burn(&["--playbook", "quick"]);
    assert!(object(&output)["verdict"].is_object(), "begun anew: {}", text(&output));
    let output = drive.burn(&["--playbook", "quick", "--resume"]);
    assert!(text(&output).contains("ran to its end"), "its own: {}", text(&output));
}

/// A dock tells one model and serial number of all its drives, and the one beside came to its verdict.
#[test]
fn another_drive_by_the_name_of_one_that_passed_begins() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let output = drive.burn(&["--playbook", "surface"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    resize(&drive, 24 << 20);
    // With data on it that nobody can tell, only where that is agreed to without any talk of going on.
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(text(&output).contains("data of no known kind"), "{}", text(&output));
    fs::File::options()
        .write(true)
        .open(drive.file())
        .unwrap()
        .set_len(0)
        .unwrap();
    resize(&drive, 24 << 20);
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
}

/// As of a drive with a WWN, which has one name at each size.
#[test]
fn a_plan_to_go_on_tells_that_the_drive_has_another_size() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    resize(&drive, 500 << 20);
    let mut saved = kept_of(&kept(&drive, 600 << 20));
    let id = saved["drive"].as_str().unwrap();
    saved["drive"] = id.replace(&(600 << 20).to_string(), &(500 << 20).to_string()).into();
    fs::remove_file(kept(&drive, 600 << 20)).unwrap();
    fs::write(kept(&drive, 500 << 20), saved.to_string()).unwrap();
    refused_by_its_size(&drive, ("629 MB", "524 MB"));
}

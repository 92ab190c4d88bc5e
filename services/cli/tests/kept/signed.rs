//! What ended is told and signed, at once and again, and for nothing else.

use std::fs::{self, File};
use std::path::Path;

use crate::common::{
    Loop, TEST_FIRST, TEST_LAST, code, object, smartctl_that_waits, start, text, until_called, waiting_smartctl,
};
use crate::{kept, refused_as_ended, with_book, with_state};

/// The other drive may take days, and a kill then take with it what was never told.
#[test]
fn each_drive_is_told_and_signed_as_it_ends() {
    use std::io::{BufRead, BufReader};
    let (Some(first), Some(second)) = (Loop::new(48 << 20), Loop::new(48 << 20)) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    // Of the second drive it never comes back.
    let smartctl = smartctl_that_waits(dir.path(), &second.node);
    fs::write(at("mine.toml"), TEST_FIRST).unwrap();
    let (certs, book) = (at("certs"), at("mine.toml"));
    let both = [&second.node, "--yes-erase", &second.node];
    let line = ["--playbook", &book, "--smartctl", &smartctl, "--cert", &certs];
    let mut burn = start(&first, &[&both[..], &line].concat());
    let mut told = String::new();
    BufReader::new(burn.stdout.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["path"], first.node.as_str());
    let id = told["certificate"]["id"].as_str().unwrap();
    let file = Path::new(&certs).join(format!("{id}.json"));
    assert!(file.exists(), "{told}");
    assert!(burn.try_wait().unwrap().is_none(), "the second one is held");
    burn.kill().unwrap();
    burn.wait().unwrap();
    File::create(at("go")).unwrap();

    // Lost all the same: it is told and signed again, and the other one goes on.
    fs::remove_file(&file).unwrap();
    let output = first.burn(&[&both[..], &line, &["--resume"]].concat());
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{}", text(&output));
    for name in ["id", "verdict", "phases", "ended", "certificate"] {
        assert_eq!(lines[0][name], told[name], "{name}");
    }
    assert!(file.exists(), "{}", text(&output));
    assert_eq!(lines[1]["path"], second.node.as_str());
    assert_eq!(lines[1]["verdict"]["verified"], 48 << 20);
}

/// A verdict that is kept is had again, and nothing is written for it.
#[test]
fn what_ended_is_told_and_signed_again_where_a_certificate_is_asked_for() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let first = drive.burn(&["--playbook", "surface"]);
    assert_eq!(code(&first), 0, "{}", text(&first));
    let written = || fs::metadata(drive.file()).unwrap().modified().unwrap();
    let before = written();
    refused_as_ended(&drive, &["--playbook", "surface"], "PASSED");
    let cert = drive.state().with_extension("pdf");
    let again = ["--playbook", "surface", "--resume", "--cert", cert.to_str().unwrap()];
    let other = drive.burn(&[&["--playbook", "quick"], &again[2..]].concat());
    assert_eq!(code(&other), 4, "what was not done: {}", text(&other));
    for _ in 0..2 {
        let output = drive.burn(&again);
        assert_eq!(code(&output), 0, "{}", text(&output));
        let (told, first) = (object(&output), object(&first));
        assert_eq!((&told["id"], &told["ended"]), (&first["id"], &first["ended"]));
        assert_eq!(written(), before, "it was written");
        let check = crate::common::kiln(&["cert", "verify", cert.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(code(&check), 1, "{}", text(&check));
    }
}

/// A state folder that was copied, or a file in it that was renamed.
#[test]
fn what_ended_is_not_signed_again_for_another_drive() {
    let (Some(drive), Some(other)) = (Loop::new(32 << 20), Loop::new(32 << 20)) else {
        return;
    };
    let first = drive.burn(&["--playbook", "surface"]);
    assert_eq!(code(&first), 0, "{}", text(&first));
    let text_of = fs::read(kept(&drive, 32 << 20)).unwrap();
    let mut older: serde_json::Value = serde_json::from_slice(&text_of).unwrap();
    let members = older.as_object_mut().unwrap();
    members.retain(|name, _| name != "drive" && name != "sum");
    fs::create_dir_all(other.state()).unwrap();
    let cert = other.state().with_extension("json");
    let again = ["--playbook", "surface", "--resume", "--cert", cert.to_str().unwrap()];
    for kept_text in [text_of, older.to_string().into_bytes()] {
        fs::write(kept(&other, 32 << 20), kept_text).unwrap();
        let told = other.burn(&again);
        assert_eq!(code(&told), 4, "{}", text(&told));
        assert!(!cert.exists(), "it was signed");
    }
}

/// A certificate speaks of the steps that were run, not of what stands in the file now.
#[test]
fn what_ended_is_not_signed_again_for_a_playbook_that_was_changed() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let book = drive.state().with_file_name("mine.toml");
    let of = |order: &str| {
        let step = |phase: &str| format!("[[step]]\ndo = \"{phase}\"\n{order}");
        let text = ["name = \"mine\"\nabout = \"x\"\n", &step("write"), &step("verify")].concat();
        fs::write(&book, text).unwrap();
    };
    let cert = drive.state().with_extension("json");
    let with = ["--playbook", book.to_str().unwrap()];
    let again = [&with[..], &["--resume", "--cert", cert.to_str().unwrap()]].concat();
    of("");
    let first = drive.burn(&with);
    assert_eq!(code(&first), 0, "{}", text(&first));
    of("order = \"reverse\"\n");
    let other = drive.burn(&again);
    assert_eq!(code(&other), 4, "{}", text(&other));
    assert!(!cert.exists(), "it was signed");
    of("");
    let same = drive.burn(&again);
    assert_eq!(code(&same), 0, "{}", text(&same));
    assert!(cert.exists(), "{}", text(&same));
}

/// Known before hours are spent, not after.
#[test]
fn a_list_of_certificates_that_cannot_be_written_is_told_before_anything_is_begun() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let cert = drive.state().with_extension("json");
    let line = ["--playbook", "surface", "--cert", cert.to_str().unwrap()];
    assert_eq!(code(&drive.burn(&line)), 0);
    let before = fs::read(drive.file()).unwrap();
    let signed = fs::read(&cert).unwrap();
    let read_only = "mount --bind $1 $1 && mount -o remount,bind,ro $1";
    let output = with_state(&drive, read_only, &drive.command(&line)).output().unwrap();
    let told = text(&output);
    assert_eq!(code(&output), 64, "{told}");
    assert!(
        told.contains("the list of certificates") && told.contains("--state"),
        "{told}"
    );
    assert!(fs::read(drive.file()).unwrap() == before, "it was written to");
    assert_eq!(fs::read(&cert).unwrap(), signed);
    let none = with_state(&drive, read_only, &drive.command(&line[..2]))
        .output()
        .unwrap();
    assert_eq!(code(&none), 0, "no certificate is asked for: {}", text(&none));
}

/// Somebody tidied up: the list begins anew, and the certificate stands in it.
#[test]
fn a_state_folder_that_was_removed_meanwhile_costs_no_certificate() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let line = with_book(dir.path(), TEST_LAST);
    let cert = dir.path().join("good.json");
    let line = line.each_ref().map(String::as_str);
    let burn = start(&drive, &[&line[..], &["--cert", cert.to_str().unwrap()]].concat());
    until_called(dir.path());
    fs::remove_dir_all(drive.state()).unwrap();
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    assert!(cert.exists(), "{}", text(&output));
    let list = fs::read_to_string(drive.state().join("certificates.json")).unwrap();
    let id = object(&output)["certificate"]["id"].as_str().unwrap().to_owned();
    assert!(list.contains(&id), "{list}");
    assert!(text(&output).contains("was removed meanwhile"), "{}", text(&output));
}

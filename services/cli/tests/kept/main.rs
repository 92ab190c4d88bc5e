//! What `kiln burn` keeps for `--resume`, on real loop devices: a fault that was found before a kill counts, whatever is gone on
//! from, and what has its verdict is refused.
//!
//! Needs root and loop devices; prints `NOT RUN` and passes without them.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod marked;
mod other_size;
mod signed;
mod written_over;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{
    Loop, TEST_FIRST, caught, code, fifo, in_time, interrupted, object, signal, start, text, until, until_called,
    waiting_smartctl,
};
use serde_json::json;

/// Where progress of a burn-in that writes is kept.
fn kept(drive: &Loop, bytes: u64) -> PathBuf {
    let name = format!("sn-Loop_device-{}-{bytes}.json", drive.node.replace('/', "_"));
    drive.state().join(name)
}

/// What has its verdict is refused, and not a byte of the drive changes.
fn refused_as_ended(drive: &Loop, line: &[&str], outcome: &str) {
    let written = || fs::metadata(drive.file()).unwrap().modified().unwrap();
    let before = written();
    let output = drive.burn(&[line, &["--resume"]].concat());
    assert_eq!(code(&output), 4, "{}", text(&output));
    let told = text(&output);
    for part in [
        &format!("ended {outcome} at"),
        "ran to its end",
        "with --cert",
        "without --resume",
        "nothing was written",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(written(), before, "it was written");
}

#[test]
fn ctrl_c_is_3_tells_how_to_go_on_and_resume_passes() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    // What a computer under load reads slowly for a while is told as a slow region of the drive: that says nothing here.
    let told = caught(|| {
        let (output, told) = interrupted(&drive);
        assert_eq!(code(&output), 3, "{told}");
        assert_eq!(told["verdict"]["outcome"], "INCONCLUSIVE");
        assert_eq!(told["state"]["kind"], "aborted");
        assert_eq!(fs::read_dir(drive.state()).unwrap().count(), 1);

        // Who forgets the playbook's name does not lose what was done.
        let output = drive.burn(&["--resume"]);
        let told = text(&output);
        assert_eq!(code(&output), 4, "{told}");
        assert!(
            told.contains("give `--resume --playbook surface`") && told.contains("nothing was written"),
            "{told}"
        );

        let output = drive.burn(&["--playbook", "surface", "--resume"]);
        let told = object(&output);
        if only_slow(&told) {
            return None;
        }
        assert_eq!(code(&output), 0, "{told} {}", text(&output));
        Some(told)
    });
    assert_eq!(told["verdict"]["outcome"], "PASSED");
    assert_eq!(told["verdict"]["verified"], 600 << 20);
    assert_eq!(told["resumes"].as_array().unwrap().len(), 1);
    assert!(
        told["verdict"]["summary"]
            .as_str()
            .unwrap()
            .contains("went on after one interruption"),
        "{told}"
    );
    refused_as_ended(&drive, &["--playbook", "surface"], "PASSED");
}

/// The kernel refuses such writes and asks the drive nothing: they say nothing of it.
#[test]
fn a_drive_that_is_write_protected_meanwhile_is_not_at_fault() {
    let Some(drive) = Loop::new(160 << 20) else { return };
    let set = |what: &str| {
        let set = Command::new("blockdev").args([what, &drive.node]).status();
        assert!(set.unwrap().success());
    };
    let line = [
        "--playbook",
        "surface",
        "--rate-drive",
        "100M",
        "--checkpoint-bytes",
        "8388608",
    ];
    let mut burn = start(&drive, &line);
    until(&mut burn, "Write");
    set("--setro");
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(code(&output), 3, "{told}");
    assert!(told["findings"].as_array().unwrap().is_empty(), "{told}");
    assert!(
        told["verdict"]["summary"]
            .as_str()
            .unwrap()
            .contains("blockdev --setro"),
        "{told}"
    );
    let refused = drive.burn(&[&line[..], &["--resume"]].concat());
    assert_eq!(code(&refused), 4, "{}", text(&refused));
    set("--setrw");
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(object(&output)["verdict"]["verified"], 160 << 20, "{}", text(&output));
    assert!(code(&output) < 2, "{}", text(&output));
}

/// Whether nothing but the speed of the drive was found fault with, and something of that was.
fn only_slow(told: &serde_json::Value) -> bool {
    let rules = told["verdict"]["rules"].as_array().unwrap();
    let mut bad = rules.iter().filter(|rule| rule["outcome"] != "PASSED").peekable();
    let speed = [
        "slow-region",
        "slow-outliers",
        "slow-access",
        "slow-access-disturbed",
        "writes-pause",
    ];
    bad.peek().is_some() && bad.all(|rule| speed.iter().any(|id| rule["id"] == *id))
}

/// A look at the drive meanwhile changes nothing of it, and forgets nothing of what writes it.
#[test]
fn a_scan_meanwhile_leaves_an_interrupted_burn_in_to_go_on_with() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    let scan = drive.burn(&["--playbook", "scan"]);
    assert_eq!(code(&scan), 1, "{}", text(&scan));
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    let told = object(&output);
    assert_eq!(code(&output), 0, "{told}");
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");
    assert!(!text(&output).contains("nothing is kept"), "{}", text(&output));
}

#[test]
fn a_killed_burn_in_goes_on_and_a_corrupt_checkpoint_is_set_aside() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    fs::create_dir_all(drive.state()).unwrap();
    let path = kept(&drive, 64 << 20);
    fs::write(&path, "{\"playbook\":\"surface\",\"started\":").unwrap();
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 1, "{}", text(&output));
    let told = object(&output);
    assert_eq!(
        told["verdict"]["rules"][0]["id"], "evidence-lost",
        "nobody knows what stood in it"
    );
    assert!(told["notes"][0].as_str().unwrap().contains("set aside"), "{told}");
    let left: Vec<String> = fs::read_dir(drive.state())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".bad-"))
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// Burns it in, up to a kill once all was written.
fn killed_while_it_reads(drive: &Loop, line: &[&str]) {
    caught(|| {
        let mut child = start(drive, line);
        until(&mut child, "Read back and verify");
        signal(&child, libc::SIGKILL);
        let first = child.wait_with_output().unwrap();
        first.stdout.is_empty().then_some(())
    });
}

/// What is kept of it.
fn kept_of(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A session that was cut off before its first checkpoint is on record nowhere but there.
#[test]
fn an_interruption_before_a_sessions_first_checkpoint_counts() {
    let Some(drive) = Loop::new(160 << 20) else { return };
    let burn = ["--playbook", "surface", "--checkpoint-bytes", "16777216"];
    killed_while_it_reads(&drive, &burn);
    let path = kept(&drive, 160 << 20);
    let mut saved = kept_of(&path);
    saved["resumes"] =
        json!([{ "at": "2026-01-01T00:00:00Z", "why": "power cut", "phase": "write", "step": 1, "from": 0 }]);
    fs::write(&path, saved.to_string()).unwrap();
    let output = drive.burn(&[&burn[..], &["--resume"]].concat());
    let told = object(&output);
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(told["resumes"][0]["why"], "power cut", "{told}");
    let summary = told["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("after 2 interruptions"), "{told}");
    assert_eq!(kept_of(&path)["resumes"].as_array().map(Vec::len), Some(2));
}

/// Where this computer's state is lost the drive tells how far it was, and nobody what was seen until then.
#[test]
fn what_goes_on_from_the_drive_alone_is_never_passed() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    // As on a large drive after its first hour: more was written than may lie behind the last checkpoint.
    let burn = ["--playbook", "surface", "--checkpoint-bytes", "16777216"];
    killed_while_it_reads(&drive, &burn);
    fs::remove_dir_all(drive.state()).unwrap();
    let output = drive.burn(&[&burn[..], &["--resume"]].concat());
    assert_eq!(code(&output), 1, "{}", text(&output));
    let told = object(&output);
    assert_eq!(told["verdict"]["outcome"], "WARN");
    assert_eq!(told["verdict"]["rules"][0]["id"], "evidence-lost");
}

/// Rules about what an earlier session saw.
const SEEN: [&str; 5] = [
    "findings-before-loss",
    "resets",
    "hidden-area",
    "hidden-overlay",
    "unreadable-before",
];

/// Goes on with a burn-in that a signal ended, after its state was changed: what is told then has these findings and rules.
fn remembered(rules: &[&str], change: impl FnOnce(&mut serde_json::Value)) {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    let path = kept(&drive, 600 << 20);
    let mut saved = kept_of(&path);
    saved["findings"] = serde_json::json!([{
        "step": 0, "kind": "transient", "lba": 77, "sectors": 1, "found": null, "phase": "write", "detail": "once"
    }]);
    saved["resets"] = 7.into();
    saved["hidden"] = 9.into();
    saved["overlay"] = json!({ "hidden": 2057 });
    saved["unreadable"] = "Input/output error".into();
    change(&mut saved);
    fs::write(&path, saved.to_string()).unwrap();
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    let told = object(&output);
    let found = told["verdict"]["rules"].as_array().unwrap();
    for id in rules {
        assert!(found.iter().any(|rule| rule["id"] == *id), "{id}: {told}");
    }
    assert_eq!(told["findings"][0]["lba"], 77);
}

/// What was told as found and is in no checkpoint stays found.
#[test]
fn a_finding_and_a_hidden_area_of_a_killed_session_are_not_forgotten() {
    remembered(&SEEN, |_| {});
}

/// Also where nothing tells how far it was, and it begins anew.
#[test]
fn what_was_found_is_not_forgotten_with_a_damaged_checkpoint() {
    remembered(&SEEN, |saved| {
        let text = saved["checkpoint"].as_str().unwrap();
        saved["checkpoint"] = format!("{}AAAAA", &text[..text.len() - 5]).into();
    });
}

/// Before its first checkpoint nothing on the drive proves whose it is, and it begins anew.
#[test]
fn what_was_found_before_the_first_checkpoint_is_not_forgotten() {
    remembered(&SEEN, |saved| {
        saved["checkpoint"] = "".into();
    });
}

/// As another version of Kiln may have had them under the same name.
#[test]
fn what_was_found_by_other_steps_is_not_forgotten() {
    remembered(&SEEN, |saved| {
        saved["steps"].as_array_mut().unwrap().pop();
    });
}

/// As an older or a newer version may have written it.
#[test]
fn what_another_version_found_is_not_forgotten() {
    remembered(&SEEN, |saved| {
        let kept = saved.as_object_mut().unwrap();
        for name in ["key", "engine", "kept", "self_tests"] {
            kept.remove(name);
        }
    });
}

#[test]
fn a_self_test_that_failed_before_a_kill_is_not_forgotten() {
    remembered(&["job-self-test-failed"], |saved| {
        saved["self_tests"] =
            json!([{ "phase": "self_test_short", "outcome": "failed", "told": "read failure", "lba": null }]);
        saved["checkpoint"] = "".into();
    });
}

/// Goes on with a burn-in that was killed before its own headers stood, of a drive that carries those of another one.
fn over_anothers_headers(change: impl FnOnce(&mut serde_json::Value)) -> Option<(Vec<u8>, Vec<u8>, Output)> {
    let drive = Loop::new(160 << 20)?;
    let burn = ["--playbook", "surface", "--checkpoint-bytes", "16777216"];
    killed_while_it_reads(&drive, &burn);
    let path = kept(&drive, 160 << 20);
    let mut saved = kept_of(&path);
    saved["checkpoint"] = "".into();
    saved["key"] = "00112233445566778899aabbccddeeff".into();
    change(&mut saved);
    fs::write(&path, saved.to_string()).unwrap();
    let before = fs::read(drive.file()).unwrap();
    let output = drive.burn(&[&burn[..], &["--resume"]].concat());
    Some((before, fs::read(drive.file()).unwrap(), output))
}

/// A header that an earlier burn-in left is not the one of a burn-in that was killed before its own stood.
#[test]
fn what_an_earlier_burn_in_left_on_the_drive_is_not_gone_on_with() {
    let Some((_, _, output)) = over_anothers_headers(|_| {}) else {
        return;
    };
    let told = object(&output);
    let note = told["notes"][0].as_str().unwrap();
    assert!(
        note.contains("earlier burn-in") && note.contains("begins anew"),
        "{note}"
    );
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(0), "{told}");
}

/// Another computer may have burnt it in meanwhile: going on is no leave to write over that.
#[test]
fn what_was_begun_on_the_drive_since_is_not_written_over() {
    let earlier = |saved: &mut serde_json::Value| saved["started"] = "2001-01-01T00:00:00Z".into();
    let Some((before, after, output)) = over_anothers_headers(earlier) else {
        return;
    };
    assert!(before == after, "it was written to: {}", text(&output));
    assert_eq!(code(&output), 4, "{}", text(&output));
    let reason = object(&output)["refused"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("begun on it since"), "{reason}");
}

/// That it was begun is kept before anything is done, and the next one begins anew without a question to the drive's old header.
#[test]
fn a_burn_in_that_was_killed_before_its_first_write_begins_anew() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let line = with_test_first(dir.path());
    let line = line.each_ref().map(String::as_str);
    let mut burn = drive
        .command(&line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until_called(dir.path());
    burn.kill().unwrap();
    burn.wait().unwrap();
    File::create(dir.path().join("go")).unwrap();
    let saved = kept_of(&kept(&drive, 48 << 20));
    assert_eq!(saved["checkpoint"], "");
    let output = drive.burn(&[&line[..], &["--resume"]].concat());
    let told = object(&output);
    let note = told["notes"][0].as_str().unwrap();
    assert!(
        note.contains("before its first checkpoint") && note.contains("begins anew"),
        "{note}"
    );
    assert_eq!(told["verdict"]["verified"], 48 << 20, "{told}");
}

/// The same command where this was done to the state folder (`$1`), for it alone.
fn with_state(drive: &Loop, mount: &str, command: &Command) -> Command {
    fs::create_dir_all(drive.state()).unwrap();
    let mut inside = Command::new("unshare");
    inside.args([
        "--mount",
        "sh",
        "-c",
        &format!("{mount} && shift && exec \"$0\" \"$@\""),
    ]);
    inside
        .arg(command.get_program())
        .arg(drive.state())
        .args(command.get_args());
    inside.stdin(Stdio::null());
    inside
}

/// After a kill nobody could tell it any more.
#[test]
fn progress_that_cannot_be_kept_is_told_at_once() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let burn = drive.command(&["--playbook", "surface"]);
    let output = with_state(&drive, "mount -t tmpfs -o ro none $1", &burn)
        .output()
        .unwrap();
    let (told, screen) = (object(&output), text(&output));
    let at = screen.find("could not be kept").unwrap_or_else(|| panic!("{screen}"));
    assert!(at < screen.find("Write").unwrap(), "told after it had begun: {screen}");
    assert!(told["notes"].to_string().contains("could not be kept"), "{told}");
}

#[test]
fn a_fifo_in_the_place_of_what_is_kept_is_told_and_not_waited_for() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    fs::create_dir_all(drive.state()).unwrap();
    let path = kept(&drive, 16 << 20);
    fifo(&path);
    let output = in_time(&mut drive.command(&["--playbook", "surface", "--resume"]));
    assert_eq!(code(&output), 4, "{}", text(&output));
    let expected = format!("{}: it is a FIFO; expected a regular file", path.display());
    assert!(text(&output).contains(&expected), "{}", text(&output));
}

/// Whoever adds or forgets an option does not lose what was done, also where nothing is kept here but the drive's own header.
#[test]
fn with_other_options_an_interrupted_burn_in_is_not_begun_anew_by_resume() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    let aside = drive.state().with_extension("aside");
    for kept in [true, false] {
        if !kept {
            fs::rename(drive.state(), &aside).unwrap();
        }
        for line in [
            &["--playbook", "surface", "--format", "ext4", "--resume"][..],
            &["--playbook", "surface", "--format", "ext4", "--resume", "--dry-run"],
            &["--playbook", "quick", "--resume"],
            // It changes no step.
            &["--playbook", "surface", "--stop-at-first", "--resume"],
        ] {
            let output = drive.burn(line);
            let told = text(&output);
            assert_eq!(code(&output), 4, "{kept}, {line:?}: {told}");
            assert!(
                told.contains("to go on with it, give `--resume --playbook surface`"),
                "{told}"
            );
            assert!(told.contains("begin anew without --resume"), "{told}");
        }
    }
    fs::rename(&aside, drive.state()).unwrap();
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    let told = object(&output);
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");
}

/// What is given up by a new burn-in is told, with what it had found.
#[test]
fn a_burn_in_that_is_given_up_is_told() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    // Before anybody agrees to it, with the way to go on.
    let dry = drive.burn(&["--playbook", "quick", "--dry-run"]);
    let told = &object(&dry)["interrupted"][0];
    assert!(told["words"].as_str().unwrap().contains("`surface`"), "{told}");
    assert_eq!(told["resume"], "--resume --playbook surface");
    let words = text(&dry);
    assert!(
        words.contains("will be given up") && words.contains("to go on with it instead: --resume --playbook surface"),
        "{words}"
    );
    let output = drive.burn(&["--playbook", "quick"]);
    let words = text(&output);
    assert!(words.find("will be given up") < words.find("is given up"), "{words}");
    let told = object(&output);
    let note = told["notes"][0].as_str().unwrap();
    assert!(note.contains("`surface`") && note.contains("given up"), "{note}");
}

/// A new one that is refused at its last look has written nothing: the earlier one goes on as if it had never been.
#[test]
fn a_new_burn_in_that_is_refused_leaves_the_earlier_one_to_go_on_with() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    interrupted(&drive);
    let before = fs::read(kept(&drive, 600 << 20)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let line = with_test_first(dir.path());
    let line = line.each_ref().map(String::as_str);
    let burn = drive
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until_called(dir.path());
    // Somebody takes it into use meanwhile.
    let above = rig::Loop::over(Path::new(&drive.node));
    File::create(dir.path().join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    drop(above.unwrap());
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert_eq!(fs::read(kept(&drive, 600 << 20)).unwrap(), before);
    assert_eq!(fs::read_dir(drive.state()).unwrap().count(), 1, "nothing else is left");
}

/// So has one that is killed there, or cut off with the power. What it had found counts, for it is of the same drive.
#[test]
fn a_new_burn_in_that_is_killed_before_its_first_write_leaves_the_earlier_one_to_go_on_with() {
    for failed in [false, true] {
        let Some(drive) = Loop::new(600 << 20) else { return };
        interrupted(&drive);
        let earlier = kept(&drive, 600 << 20);
        let before = fs::read(&earlier).unwrap();
        let dir = tempfile::tempdir().unwrap();
        waiting_smartctl(dir.path());
        let mut burn = drive.command(&with_test_first(dir.path()).each_ref().map(String::as_str));
        let mut burn = burn.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until_called(dir.path());
        burn.kill().unwrap();
        burn.wait().unwrap();
        File::create(dir.path().join("go")).unwrap();
        assert!(fs::read(&earlier).unwrap() == before, "the earlier one is lost");
        if failed {
            let path = earlier.with_extension("begun");
            let mut saved = kept_of(&path);
            saved["self_tests"] =
                json!([{ "phase": "self_test_short", "outcome": "failed", "told": "read failure", "lba": null }]);
            fs::write(&path, saved.to_string()).unwrap();
        }
        let output = drive.burn(&["--playbook", "surface", "--resume"]);
        let told = object(&output);
        assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");
        assert_eq!(told["verdict"]["outcome"] == "FAILED", failed, "{told}");
        assert_eq!(told["verdict"]["verified"], 600 << 20, "{told}");
        assert_eq!(
            told["notes"].to_string().contains("one failed self-test"),
            failed,
            "{told}"
        );
        let left = fs::read_dir(drive.state())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        // What was learnt of the model stays.
        let left: Vec<_> = left.filter(|name| !name.to_string_lossy().contains("peers")).collect();
        assert_eq!(left.len(), 1, "nothing else is left: {left:?}");
    }
}

/// The arguments for a burn-in with the smartctl in this directory and a self-test first.
fn with_test_first(dir: &Path) -> [String; 4] {
    with_book(dir, TEST_FIRST)
}

/// A playbook of one's own, and the smartctl of [`waiting_smartctl`].
fn with_book(dir: &Path, text: &str) -> [String; 4] {
    let book = dir.join("mine.toml");
    fs::write(&book, text).unwrap();
    let path = |path: PathBuf| path.to_str().unwrap().to_owned();
    [
        "--playbook".to_owned(),
        path(book),
        "--smartctl".to_owned(),
        path(dir.join("smartctl")),
    ]
}

#[test]
fn a_new_burn_in_leaves_nothing_of_an_earlier_one_to_go_on_with() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    fs::create_dir_all(drive.state()).unwrap();
    let path = kept(&drive, 64 << 20);
    fs::write(&path, "earlier").unwrap();
    let mut child = start(&drive, &["--playbook", "surface", "--io", "sync"]);
    until(&mut child, "Write");
    signal(&child, libc::SIGKILL);
    child.wait().unwrap();
    let left = fs::read(&path).unwrap_or_default();
    assert_ne!(left, b"earlier", "its pattern is being overwritten");
}

/// Where its headers have given way to a constant a blank disk in the same dock looks like the burn-in's.
#[test]
fn a_medium_that_is_counted_anew_is_not_what_a_burn_in_of_zeros_left() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    waiting_smartctl(dir.path());
    let zeros = "name = \"mine\"\nabout = \"x\"\n[[step]]\ndo = \"probe\"\n[[step]]\ndo = \"write\"\npattern = \"00\"\n[[step]]\n\
                do = \"verify\"\n[[step]]\ndo = \"self_test_short\"\n";
    let line = with_book(dir.path(), zeros);
    let line = line.each_ref().map(String::as_str);
    let mut burn = drive.command(&line);
    let mut burn = burn.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_called(dir.path());
    burn.kill().unwrap();
    burn.wait().unwrap();
    File::create(dir.path().join("go")).unwrap();
    let path = kept(&drive, 64 << 20);
    let own = fs::read(&path).unwrap();
    let mut other = kept_of(&path);
    other["medium"]["sequence"] = json!(other["medium"]["sequence"].as_u64().unwrap() + 1);
    fs::write(&path, other.to_string()).unwrap();
    let again = [&line[..], &["--resume"]].concat();
    let refused = drive.burn(&again);
    assert_eq!(code(&refused), 4, "{}", text(&refused));
    assert!(
        text(&refused).contains("exchanged or reset since"),
        "{}",
        text(&refused)
    );
    fs::write(&path, own).unwrap();
    let same = drive.burn(&again);
    assert_eq!(object(&same)["verdict"]["verified"], 64 << 20, "{}", text(&same));
}

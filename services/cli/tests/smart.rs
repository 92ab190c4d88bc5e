//! SMART over `kiln burn`, with a smartctl that plays one drive. On a real loop device; needs root, prints `NOT RUN` without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[allow(dead_code, reason = "the agent's tests play more")]
#[path = "../../agent/tests/common/smart.rs"]
mod played;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Loop, TEST_LAST, caught, code, kiln, object, resize, signal, start, text, until, until_called};
use played::Smartctl;

const SMART_AROUND: &str = r#"
name = "mine"
about = "SMART around a pass"
[[step]]
do = "smart_before"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "smart_after"
"#;

/// Answers as a good drive; once that is written, not for four seconds, or not all: the first pause before it is asked again is longer.
const SCRIPT: &str = r#"#!/bin/sh
cd DIR || exit 2
if [ "$(head -c 512 drive | tr -d '\000' | wc -c)" -gt 0 ]; then
  [ -e until ] || echo $(($(date +%s) + 4)) > until
  [ "$(date +%s)" -lt "$(cat until)" ] && FAILS
fi
for a; do case "$a" in /dev/*) node=$a;; esac; done
printf '{"smartctl":{"exit_status":'${in_part:-0}',"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"%s","smart_status":{"passed":true},"power_on_time":{"hours":100},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"flags":{"prefailure":true},"raw":{"value":0,"string":"0"}}]}}' "$node"
"#;

/// A bridge answers the first command after a long sweep with an error.
#[test]
fn smart_that_fails_for_a_moment_is_asked_for_again() {
    // Nothing is told, or one command of several failed.
    for fails in ["exit 1", "in_part=4"] {
        asked_again(fails);
    }
}

/// A burn-in with that for smartctl, in the folder that is given back.
fn burn_asking(drive: &Loop, script: &str) -> (tempfile::TempDir, std::process::Output) {
    burn_in(&drive.state(), drive, script)
}

/// The same with this state folder.
fn burn_in(state: &Path, drive: &Loop, script: &str) -> (tempfile::TempDir, std::process::Output) {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(drive.file(), dir.path().join("drive")).unwrap();
    let program = dir.path().join("smartctl");
    fs::write(&program, script.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let book = dir.path().join("mine.toml");
    fs::write(&book, SMART_AROUND).unwrap();
    let mut burn = kiln(&[
        "burn",
        &drive.node,
        "--yes-erase",
        &drive.node,
        "--allow-loop",
        "--json",
    ]);
    burn.arg("--state").arg(state).arg("--playbook").arg(&book);
    let output = burn.arg("--smartctl").arg(&program).output().unwrap();
    (dir, output)
}

/// What is known at once is told at once: the test itself takes a day.
#[test]
fn what_the_drive_says_of_itself_at_the_start_is_told_before_the_first_write() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let fails = SCRIPT
        .replace("FAILS", "in_part=0")
        .replace(r#""passed":true"#, r#""passed":false"#);
    let (_dir, output) = burn_asking(&drive, &fails);
    let told = text(&output);
    let place = |what: &str| told.find(what).unwrap_or_else(|| panic!("{what}: {told}"));
    assert_eq!(code(&output), 2, "{told}");
    let heading = place("Heading for FAILED: the drive itself says that it fails (1 verdict)");
    assert_eq!(told.matches("Heading for").count(), 1, "{told}");
    assert!(heading < place("Write"), "{told}");
}

#[test]
fn smart_that_is_off_is_switched_on_by_a_test_that_erases_and_told() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let off = r#"cd DIR || exit 2
case "$*" in *"-s on"*) echo on >> switched; exit 0;; esac
for a; do case "$a" in /dev/*) node=$a;; esac; done
[ -e switched ] || { printf '{"smartctl":{"exit_status":0,"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"%s","smart_support":{"available":true,"enabled":false}}' "$node"; exit 0; }"#;
    let script = SCRIPT.replace("cd DIR || exit 2", off).replace("FAILS", "true");
    let (dir, output) = burn_asking(&drive, &script);
    let switched = fs::read_to_string(dir.path().join("switched")).unwrap();
    assert_eq!(switched, "on\n", "once");
    assert!(
        text(&output).contains("was switched off on this drive, and was switched on"),
        "{}",
        text(&output)
    );
    let told = object(&output);
    let rules = told["verdict"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "smart-switched-on"), "{told}");
}

/// As on a box: by what the state folder has of those that ended before.
#[test]
fn a_drive_that_is_unlike_others_of_its_model_is_told() {
    let drives: Vec<Loop> = (0..4).map_while(|_| Loop::new(48 << 20)).collect();
    let state = tempfile::tempdir().unwrap();
    for (n, drive) in drives.iter().enumerate() {
        let good = SCRIPT.replace("FAILS", "true");
        let worn = good.replace(
            r#""raw":{"value":0,"string":"0"}"#,
            r#""raw":{"value":12,"string":"12"}"#,
        );
        let (_dir, output) = burn_in(state.path(), drive, if n == 3 { &worn } else { &good });
        let told = object(&output);
        let rules = told["verdict"]["rules"].as_array().unwrap();
        let unlike = rules.iter().any(|rule| rule["id"] == "population-smart");
        assert_eq!(unlike, n == 3, "drive {n}: {told}");
    }
}

fn asked_again(fails: &str) {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let (dir, output) = burn_asking(&drive, &SCRIPT.replace("FAILS", fails));
    assert!(dir.path().join("until").exists(), "it was not asked after the write");
    assert!(text(&output).contains("asked for again"), "{}", text(&output));
    let told = object(&output);
    let after = told["phases"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&after["phase"], &after["status"]),
        (&"smart_after".into(), &"done".into()),
        "{told}"
    );
    assert_ne!(told["verdict"]["outcome"], "INCONCLUSIVE", "{told}");
    for step in [0, 3] {
        let line = told["timeline"].as_array().unwrap();
        assert!(line.iter().any(|point| point["step"] == step), "step {step}: {told}");
    }
}

/// Answers as a good drive; once that is written, only while `go` lies beside it. With `hang` it waits for that.
const HELD: &str = r#"#!/bin/sh
cd DIR || exit 2
if [ "$(head -c 512 drive | tr -d '\000' | wc -c)" -gt 0 ]; then
  : > called
  while [ -e hang ] && [ ! -e go ]; do sleep 0.05; done
  [ -e go ] || exit 1
fi
for a; do case "$a" in /dev/*) node=$a;; esac; done
printf '{"smartctl":{"exit_status":0,"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"%s","smart_status":{"passed":true},"power_on_time":{"hours":100},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"flags":{"prefailure":true},"raw":{"value":0,"string":"0"}}]}}' "$node"
"#;

fn held(drive: &Loop) -> (tempfile::TempDir, [String; 4]) {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(drive.file(), dir.path().join("drive")).unwrap();
    let (program, book) = (dir.path().join("smartctl"), dir.path().join("mine.toml"));
    fs::write(&program, HELD.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(&book, SMART_AROUND).unwrap();
    let word = |path: &Path| path.to_str().unwrap().to_owned();
    let line = [
        "--playbook".to_owned(),
        word(&book),
        "--smartctl".to_owned(),
        word(&program),
    ];
    (dir, line)
}

/// What a signal kept from being read is not what the drive does not tell.
#[test]
fn a_signal_while_smart_after_is_asked_for_again_is_inconclusive_and_gone_on_from() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let (dir, line) = held(&drive);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let mut burn = start(&drive, &line);
    until(&mut burn, "asked for again");
    signal(&burn, libc::SIGINT);
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(code(&output), 3, "{told}");
    assert_eq!(told["phases"][3]["status"], "interrupted", "{told}");
    fs::write(dir.path().join("go"), "").unwrap();
    let output = drive.burn(&[&line[..], &["--resume"]].concat());
    let told = object(&output);
    assert!(code(&output) < 2, "{told}");
    assert_eq!(told["phases"][3]["status"], "done", "{told}");
}

/// A terminal sends its Ctrl-C to everybody in the foreground: a tool that asks the drive is none of them.
#[test]
fn the_terminals_signal_ends_no_tool_that_asks_the_drive() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let (dir, line) = held(&drive);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    fs::write(dir.path().join("hang"), "").unwrap();
    let mut command = drive.command(&line);
    let mut command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command = command.process_group(0);
    let burn = command.spawn().unwrap();
    until_called(dir.path());
    // SAFETY: a signal to the group of a child of this process that has not been waited for.
    unsafe { libc::kill(-i32::try_from(burn.id()).unwrap(), libc::SIGINT) };
    std::thread::sleep(std::time::Duration::from_millis(500));
    fs::write(dir.path().join("go"), "").unwrap();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(told["phases"][3]["status"], "done", "{told}");
    assert!(code(&output) < 2, "{told}");
}

/// Hours of a self-test behind a burn-in that ended before its end could change nothing; what SMART tells may.
#[test]
fn behind_a_burn_in_that_its_drive_ended_smart_is_read_and_no_self_test_begins() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    let smartctl = Smartctl::new(1);
    let program = smartctl.program();
    let book = program.with_file_name("mine.toml");
    let steps = ["self_test_extended", "smart_after"].map(|step| format!("[[step]]\ndo = \"{step}\"\n"));
    let before = SMART_AROUND.replace("[[step]]\ndo = \"smart_after\"\n", "");
    fs::write(&book, before + &steps.concat()).unwrap();
    let line = [
        "--io",
        "sync",
        "--playbook",
        book.to_str().unwrap(),
        "--smartctl",
        program.to_str().unwrap(),
    ];
    let output = caught(|| {
        resize(&drive, 600 << 20);
        let mut burn = start(&drive, &line);
        until(&mut burn, "Write");
        // One that was through before this came to its self-test.
        let _earlier = fs::remove_file(program.with_file_name("orders"));
        // Held meanwhile: what it writes makes the file as long as it was.
        signal(&burn, libc::SIGSTOP);
        resize(&drive, 8 << 20);
        signal(&burn, libc::SIGCONT);
        let output = burn.wait_with_output().unwrap();
        // Where the kernel was asked sooner than the drive, it is another drive that came.
        let told = text(&output).contains("another medium");
        (code(&output) != 0 && !told).then_some(output)
    });
    let told = object(&output);
    assert_eq!(code(&output), 3, "{told}");
    assert!(rules(&told).contains(&"other-capacity"), "{told}");
    assert_eq!(told["phases"][3]["status"], "skipped", "{told}");
    assert_eq!(told["phases"][4]["status"], "done", "{told}");
    assert!(smartctl.orders().is_empty(), "{:?}", smartctl.orders());
}

/// A burn-in whose self-tests grow too hot, so many of them: its exit code, what it told, and what the drive was ordered to do.
fn hot(tests: u32) -> Option<(i32, serde_json::Value, Vec<String>)> {
    hot_and(tests, |_| {})
}

/// The same of a drive with something else besides.
fn hot_and(tests: u32, and: fn(&Smartctl)) -> Option<(i32, serde_json::Value, Vec<String>)> {
    let drive = Loop::new(48 << 20)?;
    let smartctl = Smartctl::new(1);
    smartctl.hot(66, tests);
    and(&smartctl);
    let program = smartctl.program();
    let book = program.with_file_name("mine.toml");
    fs::write(&book, TEST_LAST).unwrap();
    let output = drive.burn(&[
        "--playbook",
        book.to_str().unwrap(),
        "--smartctl",
        program.to_str().unwrap(),
    ]);
    assert!(
        text(&output).contains("ending the self-test at 66"),
        "{}",
        text(&output)
    );
    Some((code(&output), object(&output), smartctl.orders()))
}

fn rules(told: &serde_json::Value) -> Vec<&str> {
    let rules = told["verdict"]["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect()
}

/// A self-test cannot be paused.
#[test]
fn a_self_test_that_grows_too_hot_is_ended_and_starts_again_when_cool() {
    let Some((code, told, orders)) = hot(1) else { return };
    assert_eq!(orders, ["start short", "abort", "start short"]);
    assert_eq!(told["self_tests"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["self_tests"][0]["outcome"], "passed", "{told}");
    assert!(rules(&told).contains(&"heat-paused"), "{told}");
    assert!(code < 2, "{told}");
    let line = told["timeline"].as_array().unwrap();
    let hot = line
        .iter()
        .any(|point| point["step"] == 2 && point["temperature"] == 66);
    assert!(hot, "the time line ends with the engine: {told}");
}

/// A self-test that runs on does not let its drive cool: it is told to end until it does.
#[test]
fn a_hot_drive_that_did_not_end_its_self_test_is_told_again() {
    let Some((code, told, orders)) = hot_and(1, |drive| drive.deaf(1)) else {
        return;
    };
    assert_eq!(orders, ["start short", "abort", "abort", "start short"]);
    assert_eq!(told["self_tests"][0]["outcome"], "passed", "{told}");
    assert!(code < 2, "{told}");
}

/// What it told counts: one that is begun anew could pass.
#[test]
fn a_hot_self_test_that_failed_before_it_could_be_ended_has_failed() {
    let Some((code, told, orders)) = hot_and(1, Smartctl::fails_hot) else {
        return;
    };
    assert_eq!(orders, ["start short"]);
    assert_eq!(told["self_tests"][0]["outcome"], "failed", "{told}");
    assert_eq!(code, 2, "{told}");
}

#[test]
fn a_self_test_that_grows_too_hot_each_time_is_given_up_and_inconclusive() {
    let Some((code, told, orders)) = hot(9) else { return };
    assert_eq!(orders, ["start short", "abort"].repeat(4));
    assert_eq!(code, 3, "{told}");
    let why = told["self_tests"][0]["told"].as_str().unwrap();
    assert!(
        why.contains("ended for heat") && why.contains("each of 4 tries"),
        "{why}"
    );
    assert!(rules(&told).contains(&"too-hot"), "{told}");
}

/// Maybe it is this burn-in's own, from before a kill: it goes on in the drive. Its heat is waited out, and it is not ended.
#[test]
fn a_self_test_that_somebody_else_runs_is_waited_for() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let smartctl = Smartctl::new(1);
    smartctl.hot(66, 1);
    let program = smartctl.program();
    let book = program.with_file_name("mine.toml");
    fs::write(&book, TEST_LAST.replace("self_test_short", "self_test_extended")).unwrap();
    let other = Command::new(&program).args(["-t", "short", &drive.node]).output();
    assert!(other.unwrap().status.success());
    let line = [
        "--playbook",
        book.to_str().unwrap(),
        "--smartctl",
        program.to_str().unwrap(),
    ];
    let mut burn = start(&drive, &line);
    until(&mut burn, "too hot by another self-test");
    smartctl.cut();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    assert_eq!(smartctl.orders(), ["start short", "start long"], "{told}");
    assert_eq!(told["self_tests"][0]["outcome"], "passed", "{told}");
    assert!(rules(&told).contains(&"heat-paused"), "{told}");
}

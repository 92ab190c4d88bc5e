//! SMART over `kiln burn`, with a smartctl that plays one drive. On a real loop device; needs root, prints `NOT RUN` without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Loop, object, text};

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

/// Answers as a good drive; once that is written, not for four seconds: the first pause before it is asked again is longer.
const SCRIPT: &str = r#"#!/bin/sh
cd DIR || exit 2
if [ "$(head -c 512 drive | tr -d '\000' | wc -c)" -gt 0 ]; then
  [ -e until ] || echo $(($(date +%s) + 4)) > until
  [ "$(date +%s)" -lt "$(cat until)" ] && exit 1
fi
for a; do case "$a" in /dev/*) node=$a;; esac; done
printf '{"smartctl":{"exit_status":0,"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"%s","smart_status":{"passed":true},"power_on_time":{"hours":100},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"flags":{"prefailure":true},"raw":{"value":0,"string":"0"}}]}}' "$node"
"#;

/// A bridge answers the first command after a long sweep with an error.
#[test]
fn smart_that_fails_for_a_moment_is_asked_for_again() {
    let Some(drive) = Loop::new(48 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(drive.file(), dir.path().join("drive")).unwrap();
    let program = dir.path().join("smartctl");
    fs::write(&program, SCRIPT.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let book = dir.path().join("mine.toml");
    fs::write(&book, SMART_AROUND).unwrap();
    let output = drive.burn(&[
        "--playbook",
        book.to_str().unwrap(),
        "--smartctl",
        program.to_str().unwrap(),
    ]);
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
}

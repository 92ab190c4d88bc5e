//! Files, addresses and variables that are not what a command asks for: told at once, named, with what is expected.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Output;

use common::{code, kiln};

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A box that is not there: nothing may be asked of it.
const BACKUP: [&str; 5] = ["backup", "--box", "http://127.0.0.1:1", "-o", "no-backup"];

#[test]
fn what_has_no_end_is_refused_and_not_read_into_memory() {
    let cert = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let cert = cert.to_str().unwrap();
    for (arguments, expected) in [
        (&["cert", "verify", cert, "--trust", "/dev/zero"][..], 64),
        (&["restore", "--box", "http://127.0.0.1:1", "--yes", "/dev/zero"], 1),
    ] {
        let output = kiln(arguments)
            .env("KILN_PASSWORD", "x")
            .env("KILN_PASSPHRASE", "y")
            .output()
            .unwrap();
        assert_eq!(code(&output), expected, "{output:?}");
        assert!(told(&output).contains("/dev/zero: more than "), "{output:?}");
    }
    for option in ["--passphrase-file", "--password-file"] {
        let output = kiln(&BACKUP).args([option, "/dev/zero"]).output().unwrap();
        assert_eq!(code(&output), 1, "{output:?}");
    }
}

#[test]
fn a_playbook_that_is_no_file_is_told_as_what_it_is_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("mine.toml");
    common::fifo(&fifo);
    let fifo = fifo.to_str().unwrap();
    let folder = dir.path().to_str().unwrap();
    for (path, what) in [(fifo, "a FIFO"), ("/dev/zero", "a device"), (folder, "a folder")] {
        let output = common::in_time(&mut kiln(&["playbook", "check", path]));
        assert_eq!(code(&output), 64, "{output:?}");
        let expected = format!("{path}: it is {what}; expected a regular file");
        assert!(told(&output).contains(&expected), "{output:?}");
    }
}

#[test]
fn a_certificate_that_is_no_such_is_told_by_the_limit_and_not_by_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image");
    std::fs::File::create(&file).unwrap().set_len(50 << 20).unwrap();
    let file = file.to_str().unwrap();
    for line in [
        &["cert", "verify", file][..],
        &["cert", "show", file, "--html", "/nosuch/page"],
    ] {
        let output = kiln(line).output().unwrap();
        assert_eq!(code(&output), 2, "{output:?}");
        let all = [output.stdout.clone(), output.stderr.clone()].concat();
        assert!(String::from_utf8_lossy(&all).contains("more than 8 MiB"), "{output:?}");
    }
}

#[test]
fn a_password_that_does_not_come_is_told_with_every_way_to_give_it() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let output = kiln(&BACKUP).arg("--passphrase-file").arg(&empty).output().unwrap();
    assert!(told(&output).contains("its first line is empty"), "{output:?}");
    let output = kiln(&BACKUP)
        .env("KILN_PASSPHRASE", OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    assert!(told(&output).contains("KILN_PASSPHRASE is no UTF-8"), "{output:?}");
}

#[test]
fn a_port_that_is_none_is_never_another_one() {
    let out = tempfile::tempdir().unwrap();
    for url in ["http://127.0.0.1:99999", "http://127.0.0.1:x", "http://127.0.0.1:"] {
        let output = kiln(&["backup", "--box", url, "-o"])
            .arg(out.path().join("backup"))
            .env("KILN_PASSWORD", "x")
            .env("KILN_PASSPHRASE", "y")
            .output()
            .unwrap();
        assert_ne!(code(&output), 0);
        assert!(told(&output).contains("port"), "{url}: {output:?}");
    }
}

#[test]
fn an_update_that_is_empty_is_no_update() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("empty");
    std::fs::write(&file, "").unwrap();
    let output = kiln(&["update", "--box", "http://127.0.0.1:1"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    assert!(told(&output).contains("this is no Kiln update"), "{output:?}");
}

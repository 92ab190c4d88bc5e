//! `kiln backup`, `restore` and `debug-bundle` against the real server, by TLS and in clear.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rig::{PASSWORD, Server, Started};

fn started(data: &Path, user: &str) -> Started {
    Server::over(data).user(user).listening()
}

/// What somebody types, with the password of the first user.
fn kiln(server: &Started, scheme: &str, user: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(arguments)
        .args(["--box", &format!("{scheme}://{}", server.address), "--user", user])
        .env("KILN_PASSWORD", PASSWORD)
        .env("KILN_PASSPHRASE", "a long passphrase")
        .env_remove("KILN_FINGERPRINT")
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn nothing_is_sent_to_a_box_that_is_not_known_and_a_pinned_one_is_asked() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = started(data.path(), "admin");
    let file = out.path().join("debug.tar.gz");
    let ask = |more: &[&str]| {
        let arguments = [&["debug-bundle", "--out", file.to_str().unwrap()], more].concat();
        kiln(&server, "https", "admin", &arguments)
    };
    let stranger = ask(&[]);
    assert_eq!(stranger.status.code(), Some(1));
    let words = told(&stranger);
    assert!(
        words.contains("not known") && words.contains("Nothing was sent"),
        "{words}"
    );
    assert!(!file.exists(), "what was begun does not stay");
    let fingerprint = words
        .split_whitespace()
        .find(|word| word.matches(':').count() == 31)
        .unwrap();
    let fingerprint = fingerprint.trim_end_matches('.').to_owned();
    // A true one begins with any byte.
    let byte = if fingerprint.starts_with("00") { "01" } else { "00" };
    let wrong = format!("{byte}{}", &fingerprint[2..]);
    assert_eq!(ask(&["--fingerprint", &wrong]).status.code(), Some(1));
    let good = ask(&["--fingerprint", &fingerprint]);
    assert_eq!(good.status.code(), Some(0), "{}", told(&good));
    let listed = Command::new("tar").arg("tzf").arg(&file).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("/box.json"));
    let again = ask(&["--fingerprint", &fingerprint]);
    assert!(
        told(&again).contains("--out"),
        "a file that is there is not replaced: {}",
        told(&again)
    );
}

#[test]
fn a_command_that_is_over_leaves_no_session_behind() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = started(data.path(), "admin");
    let file = out.path().join("debug.tar.gz");
    let ran = kiln(
        &server,
        "http",
        "admin",
        &["debug-bundle", "--out", file.to_str().unwrap()],
    );
    assert_eq!(ran.status.code(), Some(0), "{}", told(&ran));
    let sessions = server.login().get("/api/v1/sessions");
    assert_eq!(sessions.as_array().unwrap().len(), 1, "the one that asks: {sessions}");
}

#[test]
fn a_backup_goes_from_box_to_box() {
    let (one, other, out) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let file = out.path().join("box.backup");
    let path = file.to_str().unwrap();
    let first = started(one.path(), "ada");
    let taken = kiln(&first, "http", "ada", &["backup", "--out", path]);
    assert_eq!(taken.status.code(), Some(0), "{}", told(&taken));
    assert!(told(&taken).contains("in clear"));

    let mut second = started(other.path(), "bea");
    let unsure = kiln(&second, "http", "bea", &["restore", path]);
    assert!(told(&unsure).contains("--yes"), "{}", told(&unsure));
    let wrong = kiln(&second, "http", "ada", &["restore", "--yes", path]);
    assert!(
        told(&wrong).contains("User name or password is wrong"),
        "{}",
        told(&wrong)
    );
    let put = kiln(&second, "http", "bea", &["restore", "--yes", path]);
    assert_eq!(put.status.code(), Some(0), "{}", told(&put));
    // It ends by itself; whoever supervises starts it again.
    let patience = Instant::now() + Duration::from_mins(1);
    while second.ended().is_none() {
        assert!(Instant::now() < patience, "the server goes on with the old state");
        std::thread::sleep(Duration::from_millis(50));
    }
    let third = started(other.path(), "bea");
    let file = out.path().join("again.backup");
    let path = file.to_str().unwrap();
    assert_eq!(
        kiln(&third, "http", "bea", &["backup", "--out", path]).status.code(),
        Some(1)
    );
    assert_eq!(
        kiln(&third, "http", "ada", &["backup", "--out", path]).status.code(),
        Some(0)
    );
}

/// An address that makes no sense is a usage error of each command, before anything is asked or read; a password in it is not repeated.
#[test]
fn an_address_with_a_password_or_without_a_scheme_is_64_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    for (address, part) in [
        ("http://bob:s3cret@127.0.0.1", "--user and --password-file"),
        ("https://bob:s3cret@127.0.0.1:99999", "--user and --password-file"),
        ("bob:s3cret@127.0.0.1", "--user and --password-file"),
        ("foo", "expected http:// or https://"),
    ] {
        for line in [
            &["backup", "--out", out][..],
            &["restore", "/nowhere", "--yes"],
            &["debug-bundle", "--out", out],
            &["update", "/nowhere"],
            &["update", "--back"],
        ] {
            let mut kiln = Command::new(env!("CARGO_BIN_EXE_kiln"));
            let output = kiln.args(line).args(["--box", address]).output().unwrap();
            assert_eq!(output.status.code(), Some(64), "{line:?}: {}", told(&output));
            assert!(told(&output).contains(part), "{line:?}: {}", told(&output));
            assert!(!told(&output).contains("s3cret"), "{line:?}: {}", told(&output));
            assert!(!Path::new(out).exists());
        }
    }
}

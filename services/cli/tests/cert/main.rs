//! `kiln cert verify` as a contract: 0 trusted, 1 valid but not confirmed, 2 bad, 64 usage.

#![allow(
    clippy::unwrap_used,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "tests"
)]

#[path = "../common/mod.rs"]
mod common;
mod place;
mod revoked;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use certificate::{Certificate, Key, Maker, SOFTWARE, Signed, page, pdf};
use common::{Loop, code, interrupted_in, kiln, object, played, text};
use rig::{PASSWORD, Server};
use serde_json::{Value, json};
use wire::job::{Job, JobState, Outcome, Verdict};
use wire::{Bytes, DriveId, JobId, Time};

fn key() -> Key {
    Key::from_seed(&[5; 32])
}

fn signed(made: Time) -> Signed {
    of("TEST MODEL", made)
}

/// Of a drive that tells this model.
fn of(model: &str, made: Time) -> Signed {
    by(SOFTWARE, model, made)
}

/// Signed by this version of Kiln.
fn by(software: &str, model: &str, made: Time) -> Signed {
    let job = Job {
        model: model.into(),
        serial: "T-1234".into(),
        capacity: Bytes(4_000_787_030_016),
        sector: 512,
        actor: "x".into(),
        state: JobState::Finished,
        verdict: Some(Verdict {
            outcome: Outcome::Failed,
            rules: vec![],
            summary: "Bad.".into(),
            verified: Bytes(0),
            engine: "test".into(),
        }),
        ended: Some(made),
        ..Job::new(
            JobId::now(),
            DriveId::from_wwn("5000c500a1b2c3d4").unwrap(),
            "surface",
            made,
        )
    };
    let maker = Maker {
        id: "box".into(),
        name: "bench".into(),
        software: software.into(),
    };
    let certificate = Certificate::of(&job, &maker, key().public(), made).unwrap();
    Signed::sign(&certificate, &key()).unwrap()
}

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn trust(&self) -> String {
        let print = key().public().fingerprint();
        self.put("trust", format!("# keys\nkey {} the bench\n", print.groups()))
    }
}

fn verify(args: &[&str]) -> Output {
    // Whatever the user of this computer has signed.
    let mut command = kiln(&[&["cert", "verify"], args].concat());
    let command = command
        .env("XDG_STATE_HOME", "/nonexistent")
        .env("KILN_PASSWORD", PASSWORD);
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn trusted_is_0_unknown_is_1_in_every_form() {
    let desk = Desk::new();
    let signed = signed(Time::now());
    let trust = desk.trust();
    for (name, bytes) in [
        ("c.json", signed.text().as_bytes().to_vec()),
        ("c.html", page::html(&signed).into_bytes()),
        ("c.pdf", pdf::pdf(&signed)),
        ("scanned.txt", signed.stamp().text().into_bytes()),
    ] {
        let file = desk.put(name, bytes);
        let known = verify(&[&file, "--trust", &trust]);
        assert_eq!(code(&known), 0, "{name}: {}{}", out(&known), text(&known));
        let told = out(&known);
        for part in [
            "TRUSTED: it says FAILED of the drive. The signature is good, by a key that you know",
            "signature:   good",
            "the bench",
            &key().public().fingerprint().groups(),
            "valid until:",
            "revocation:  unknown: only who signed it can tell, and was not asked",
            "FAILED  TEST MODEL T-1234",
            &signed.certificate().id,
        ] {
            assert!(told.contains(part), "{name}: {part:?} is not in {told}");
        }
        let unknown = verify(&[&file]);
        assert_eq!(code(&unknown), 1, "{name}");
        assert!(out(&unknown).contains("not known to you"));
        let json = object(&verify(&[&file, "--json", "--trust", &trust]));
        assert_eq!(json["standing"], "trusted");
        assert_eq!(json["says"]["outcome"], "FAILED");
        assert_eq!(json["revocation"]["kind"], "unknown");
    }
}

/// Whoever has a key can sign any model: here one that clears the screen and writes another result over the real one.
#[test]
fn what_a_certificate_says_gives_the_terminal_no_commands() {
    let desk = Desk::new();
    let model = "X\u{1b}[2J\u{1b}[HTRUSTED: good\r\nTRUSTED\u{9b}1A\u{202e}DETSURT";
    let signed = of(model, Time::now());
    let print = key().public().fingerprint();
    let trust = desk.put("trust", format!("\u{feff}key {} \u{1b}[Hthe bench\n", print.groups()));
    for (name, bytes) in [
        ("c.json", signed.text().as_bytes().to_vec()),
        ("c.html", page::html(&signed).into_bytes()),
        ("c.pdf", pdf::pdf(&signed)),
    ] {
        let file = desk.put(name, bytes);
        let unknown = verify(&[&file]);
        assert_eq!(code(&unknown), 1, "{name}: {}{}", out(&unknown), text(&unknown));
        let told = out(&unknown);
        let hidden = |c: char| wire::shown::is_hidden(c) && c != '\n';
        assert!(!told.contains(hidden), "{name}: {told:?}");
        assert!(
            told.contains("X [2J [HTRUSTED: good TRUSTED 1A\\u{202e}DETSURT T-1234,"),
            "{told:?}"
        );
        let begins = |line: &&str| line.starts_with("TRUSTED");
        assert_eq!(told.lines().filter(begins).count(), 0, "{told}");

        let known = verify(&[&file, "--trust", &trust]);
        assert_eq!(code(&known), 0, "{name}: {}{}", out(&known), text(&known));
        assert!(!out(&known).contains(hidden), "{name}: {:?}", out(&known));
        assert_eq!(out(&known).lines().filter(begins).count(), 1);
        let json = verify(&[&file, "--json"]);
        assert!(!out(&json).contains(hidden), "{name}: {:?}", out(&json));
        assert_eq!(
            object(&json)["says"]["model"],
            "X [2J [HTRUSTED: good TRUSTED 1A\u{202e}DETSURT"
        );
    }
    // What paper carries has none of them; see `certificate::stamp` for one that has.
    let scanned = desk.put("scanned.txt", signed.stamp().text());
    assert_eq!(code(&verify(&[&scanned])), 1);
}

/// Blanks that fill a screen, and behind them what would be told of a certificate that is trusted.
#[test]
fn no_name_in_a_certificate_scrolls_away_what_is_told_of_it() {
    let desk = Desk::new();
    let model = format!("ST1{}TRUSTED: it says PASSED of the drive.", " ".repeat(80 * 60));
    let signed = of(&model, Time::now());
    for (name, bytes) in [("c.json", signed.text()), ("scanned.txt", &signed.stamp().text())] {
        let told = verify(&[&desk.put(name, bytes)]);
        assert_eq!(code(&told), 1, "{name}: {}", text(&told));
        let rows: usize = out(&told).lines().map(|line| line.chars().count().div_ceil(80)).sum();
        assert!(rows < 24, "{name}: {}", out(&told));
        assert!(!out(&told).contains("TRUSTED:"), "{name}: {}", out(&told));
        assert_eq!(out(&told).lines().last(), Some("standing:    VALID, BY AN UNKNOWN KEY"));
    }
    let bad = desk.put("bad.json", signed.text().replace("FAILED", "PASSED"));
    assert_eq!(out(&verify(&[&bad])).lines().last(), Some("standing:    BAD"));
}

#[test]
fn bad_is_2_however_it_was_made_bad() {
    let desk = Desk::new();
    let now = signed(Time::now());
    let trust = desk.trust();
    let old: Time = "2020-01-01T00:00:00Z".parse().unwrap();
    let revoked = desk.put(
        "revoked",
        format!(
            "key {} b\nrevoked {} it failed\n",
            key().public().fingerprint().to_hex(),
            now.certificate().id
        ),
    );
    let good = desk.put("good.json", now.text());
    assert_eq!(code(&verify(&[&good, "--trust", &revoked])), 2);
    let id = &now.certificate().id;
    for (why, told) in [("", "no reason is given."), (" it failed.", "it failed.")] {
        let revoked = desk.put("revoked", format!("revoked {id}{why}\n"));
        let output = verify(&[&good, "--trust", &revoked]);
        assert_eq!(code(&output), 2);
        let first = out(&output).lines().next().unwrap().to_owned();
        assert!(first.ends_with(&format!("it is revoked: {told}")), "{first}");
        let told = out(&output);
        assert!(told.contains("revocation:  REVOKED by your trust file: "), "{told}");
        let json = object(&verify(&[&good, "--trust", &revoked, "--json"]));
        let why = if why.is_empty() {
            "no reason is given"
        } else {
            "it failed"
        };
        assert_eq!(json["revocation"], json!({ "kind": "trust_file", "why": why }));
    }
    for (name, bytes) in [
        ("verdict.json", now.text().replace("FAILED", "PASSED").into_bytes()),
        ("serial.json", now.text().replace("T-1234", "T-1235").into_bytes()),
        ("cut.json", now.text().as_bytes()[..now.text().len() - 10].to_vec()),
        ("space.json", format!(" {}", now.text()).into_bytes()),
        ("old.json", signed(old).text().as_bytes().to_vec()),
        ("empty", Vec::new()),
        ("binary", vec![0xff; 300]),
        ("other.json", b"{\"a\":1}".to_vec()),
        ("page.html", page::html(&now).replace("FAILED", "PASSED").into_bytes()),
        (
            "scanned.txt",
            now.stamp().text().replace("FAILED", "PASSED").into_bytes(),
        ),
        ("huge", vec![b' '; 9 << 20]),
    ] {
        let file = desk.put(name, bytes);
        let output = verify(&[&file, "--trust", &trust]);
        assert_eq!(code(&output), 2, "{name}: {}", out(&output));
        assert!(out(&output).starts_with("BAD: "), "{name}: {}", out(&output));
    }
    let early = signed(Time::now() + Duration::from_hours(240));
    let early = desk.put("early.json", early.text());
    let told = out(&verify(&[&early, "--trust", &trust]));
    assert!(
        told.contains("still to come") && told.contains("(not valid yet)"),
        "{told}"
    );
    let json = object(&verify(&[&early, "--trust", &trust, "--json"]));
    assert_eq!(
        (&json["standing"], &json["not_yet_valid"]),
        (&json!("bad"), &json!(true))
    );
    let mut bytes = pdf::pdf(&now);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert_eq!(code(&verify(&[&desk.put("c.pdf", bytes), "--trust", &trust])), 2);
}

/// The one place of a file's that is this.
fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes());
    let (before, rest) = bytes.split_at(at.unwrap());
    [before, to.as_bytes(), &rest[from.len()..]].concat()
}

/// A script that takes 0 for good must not be shown PASSED around a certificate that says FAILED, whoever signed it.
#[test]
fn another_drawing_is_1_by_another_version_and_2_by_this_one() {
    let desk = Desk::new();
    let trust = desk.trust();
    for (software, expected) in [("kiln 0.1.0", 1), (SOFTWARE, 2)] {
        let signed = by(software, "TEST MODEL", Time::now());
        let (page, pdf) = (page::html(&signed).into_bytes(), pdf::pdf(&signed));
        for (name, same, from, to) in [
            ("c.html", &page, ">FAILED<", ">PASSED<"),
            ("c.pdf", &pdf, "/Creator (Kiln)", "/Creator (Kilm)"),
        ] {
            let output = verify(&[&desk.put(name, same), "--trust", &trust]);
            assert_eq!(code(&output), 0, "{name} by {software}: {}", out(&output));
            let file = desk.put(name, changed(same, from, to));
            for args in [&[&file, "--trust", &trust][..], &[&file]] {
                let output = verify(args);
                assert_eq!(code(&output), expected, "{name} by {software}: {}", out(&output));
            }
            let told = out(&verify(&[&file, "--trust", &trust]));
            let json = object(&verify(&[&file, "--trust", &trust, "--json"]));
            let made = desk.dir.path().join("made.json");
            let shown = kiln(&["cert", "show", &file, "--json", made.to_str().unwrap()]).output();
            if expected == 2 {
                assert!(told.starts_with("BAD: ") && told.contains("it was changed"), "{told}");
                assert_eq!((&json["standing"], code(&shown.unwrap())), (&json!("bad"), 2));
                continue;
            }
            for part in [
                "VALID, BUT WHAT IT SHOWS IS NOT CONFIRMED: it says FAILED of the drive. The signature is good, by a key that you know",
                "another version drew it (the certificate in it is by kiln 0.1.0), or somebody changed it",
                "signature:   good",
                "FAILED  TEST MODEL T-1234",
                "standing:    VALID, BUT WHAT IT SHOWS IS NOT CONFIRMED",
            ] {
                assert!(told.contains(part), "{name}: {part:?} is not in {told}");
            }
            assert_eq!(json["standing"], "other_drawing");
            assert_eq!(code(&shown.unwrap()), 0);
            assert_eq!(fs::read_to_string(made).unwrap(), signed.text());
        }
        let forged = desk.put(
            "forged.pdf",
            changed(&pdf, "\"outcome\":\"FAILED\"", "\"outcome\":\"PASSED\""),
        );
        let output = verify(&[&forged, "--trust", &trust]);
        assert_eq!(code(&output), 2, "{}", out(&output));
        assert!(out(&output).contains("signature:   bad"), "{}", out(&output));
    }
}

#[test]
fn a_check_that_nobody_could_read_is_64() {
    let desk = Desk::new();
    let file = desk.put("c.json", signed(Time::now()).text());
    let trust = desk.trust();
    let mut command = kiln(&["cert", "verify", &file, "--trust", &trust, "--json"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(code(&output), 64, "{}", text(&output));
    assert!(text(&output).contains("could not be written"), "{}", text(&output));
}

#[test]
fn usage_is_64() {
    let desk = Desk::new();
    let file = desk.put("c.json", signed(Time::now()).text());
    let bad_trust = desk.put("bad", "key 12\n");
    for (args, part) in [
        (vec!["cert"], "verify"),
        (vec!["cert", "verify"], "FILE"),
        (vec!["cert", "verify", "/nowhere/c.json"], "/nowhere/c.json"),
        (vec!["cert", "verify", &file, "--trust", "/nowhere/t"], "/nowhere/t"),
        (vec!["cert", "verify", &file, "--trust", &bad_trust], "line 1"),
        (vec!["cert", "verify", &file, "--what"], "--what"),
        (
            vec!["cert", "verify", &file, "--box", "kiln.local"],
            "expected http:// or https://",
        ),
        (
            vec![
                "cert",
                "verify",
                &file,
                "--box",
                "https://kiln.local",
                "--ca",
                "/nowhere/ca",
            ],
            "/nowhere/ca",
        ),
        (vec!["cert", "show", &file], "--html"),
    ] {
        let output = kiln(&args).output().unwrap();
        assert_eq!(code(&output), 64, "{args:?}: {}", text(&output));
        assert!(text(&output).contains(part), "{args:?}: {}", text(&output));
    }
}

#[test]
fn show_makes_every_form_of_a_good_one_and_nothing_of_a_bad_one() {
    let desk = Desk::new();
    let signed = signed(Time::now());
    let file = desk.put("c.json", signed.text());
    let outs = ["a.html", "a.pdf", "a.json"].map(|n| desk.dir.path().join(n));
    let [html, pdf, json] = outs.each_ref().map(|p| p.to_str().unwrap());
    let output = kiln(&["cert", "show", &file, "--html", html, "--pdf", pdf, "--json", json])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output));
    for made in [html, pdf, json] {
        assert_eq!(code(&verify(&[made])), 1, "{made}");
    }
    assert_eq!(fs::read_to_string(json).unwrap(), signed.text());
    let bad = desk.put("bad.json", signed.text().replace("FAILED", "PASSED"));
    let never = desk.dir.path().join("never.html");
    let output = kiln(&["cert", "show", &bad, "--html", never.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(!never.exists());
}

/// What lay there may be the only one.
#[test]
fn show_on_a_full_disk_leaves_what_was_there() {
    let desk = Desk::new();
    let file = desk.put("c.json", signed(Time::now()).text());
    let small = desk.dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let script = "mount -t tmpfs -o size=8k none \"$1\" && echo precious > \"$1/a.html\" && ln -s a.html \"$1/link.html\" || exit 9
        \"$0\" cert show \"$2\" --html \"$1/a.html\"; echo $?
        \"$0\" cert show \"$2\" --html \"$1/link.html\"; echo $?
        cat \"$1/a.html\"; ls -A \"$1\"
        \"$0\" cert show \"$2\" --html /dev/stdout | head -c 9";
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_kiln")])
        .arg(&small)
        .arg(&file)
        .output()
        .unwrap();
    if code(&output) == 9 {
        return;
    }
    assert_eq!(
        out(&output).to_ascii_lowercase(),
        "64\n64\nprecious\na.html\nlink.html\n<!doctype",
        "{}",
        text(&output)
    );
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = kiln(&["cert", "verify", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(signed(Time::now()).text().as_bytes())
        .unwrap();
    assert_eq!(code(&child.wait_with_output().unwrap()), 1);
}

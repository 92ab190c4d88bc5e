//! `kiln cert verify` as a contract: 0 trusted, 1 valid by an unknown key, 2 bad, 64 usage.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use certificate::{Certificate, Key, Maker, Signed, page, pdf};
use common::{Loop, code, kiln, object, played, text};
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
    let job = Job {
        id: JobId::now(),
        drive: DriveId::from_wwn("5000c500a1b2c3d4").unwrap(),
        model: model.into(),
        serial: "T-1234".into(),
        capacity: Bytes(4_000_787_030_016),
        sector: 512,
        playbook: "surface".into(),
        actor: "x".into(),
        state: JobState::Finished,
        phases: vec![],
        progress: None,
        findings: vec![],
        bad_sectors: 0,
        verdict: Some(Verdict {
            outcome: Outcome::Failed,
            rules: vec![],
            summary: "Bad.".into(),
            verified: Bytes(0),
            engine: "test".into(),
        }),
        resumes: vec![],
        surface: vec![],
        smart: vec![],
        self_tests: vec![],
        timeline: vec![],
        options: Default::default(),
        formatted: None,
        certificate: None,
        started: made,
        ended: Some(made),
    };
    let maker = Maker {
        id: "box".into(),
        name: "bench".into(),
        software: "kiln".into(),
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
            told.contains("X\\u{1b}[2J\\u{1b}[HTRUSTED: good\\u{d}\\u{a}TRUSTED"),
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
        assert_eq!(object(&json)["says"]["model"], model, "a program reads what was signed");
    }
    // What paper carries has none of them; see `certificate::stamp` for one that has.
    let scanned = desk.put("scanned.txt", signed.stamp().text());
    assert_eq!(code(&verify(&[&scanned])), 1);
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
    let mut bytes = pdf::pdf(&now);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert_eq!(code(&verify(&[&desk.put("c.pdf", bytes), "--trust", &trust])), 2);
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

#[test]
fn what_was_signed_here_is_revoked_once_the_drive_fails() {
    let (Some(drive), Some(other)) = (Loop::new(32 << 20), Loop::new(16 << 20)) else {
        return;
    };
    let desk = Desk::new();
    let (state, elsewhere) = (drive.state(), desk.dir.path().join("elsewhere"));
    let (state, elsewhere) = (state.to_str().unwrap(), elsewhere.to_str().unwrap());
    let signed = |drive: &Loop, name: &str, playbook: &str| {
        let file = desk.dir.path().join(name);
        let file = file.to_str().unwrap();
        let mut burn = kiln(&["burn", &drive.node, "--allow-loop", "--json", "--state", state]);
        burn.args(["--playbook", playbook, "--cert", file]);
        if playbook != "scan" {
            burn.args(["--yes-erase", &drive.node]);
        }
        (burn.output().unwrap(), file.to_owned())
    };
    let (passed, good) = signed(&drive, "good.json", "surface");
    assert_eq!(code(&passed), 0, "{}", text(&passed));
    let (passed, others) = signed(&other, "other.json", "surface");
    assert_eq!(code(&passed), 0, "{}", text(&passed));
    let key = object(&verify(&[&good, "--json"]))["key"].as_str().unwrap().to_owned();
    let trust = desk.put("trust", format!("key {key} my own\n"));
    let check = |file: &str, state: &str| verify(&[file, "--trust", &trust, "--state", state]);
    for file in [&good, &others] {
        let told = check(file, state);
        assert_eq!(code(&told), 0, "{}", out(&told));
        assert!(out(&told).contains("revocation:  not revoked"), "{}", out(&told));
    }

    // Its second half is gone, which the kernel tells as read errors. A scan that nobody has certified tells it, too.
    let half = File::options().write(true).open(drive.file()).unwrap();
    half.set_len(16 << 20).unwrap();
    let scan = [
        "burn",
        &drive.node,
        "--allow-loop",
        "--json",
        "--playbook",
        "scan",
        "--state",
        state,
    ];
    let failed = kiln(&scan).output().unwrap();
    assert_eq!(code(&failed), 2, "{}", text(&failed));
    let id = object(&verify(&[&good, "--json"]))["says"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = format!("certificate {id} holds no longer: the drive failed");
    assert!(text(&failed).contains(&told), "{}", text(&failed));
    assert!(object(&failed)["notes"].as_array().unwrap().contains(&json!(told)));
    let revoked = check(&good, state);
    assert_eq!(code(&revoked), 2, "{}", out(&revoked));
    assert!(
        out(&revoked).contains("revocation:  REVOKED: the same drive failed a later burn-in"),
        "{}",
        out(&revoked)
    );
    let revoked = object(&verify(&[&good, "--json", "--state", state]));
    assert_eq!(revoked["revocation"]["kind"], "revoked");
    assert_eq!(revoked["revocation"]["job"], object(&failed)["id"]);

    // Not the other drive's, not what says itself that the drive is bad, and elsewhere nobody knows.
    assert_eq!(code(&check(&others, state)), 0);
    let (failed, bad) = signed(&drive, "bad.json", "scan");
    assert_eq!(code(&failed), 2, "{}", text(&failed));
    assert_eq!(code(&check(&bad, state)), 0);
    let unknown = check(&good, elsewhere);
    assert_eq!(code(&unknown), 0);
    assert!(out(&unknown).contains("revocation:  unknown"), "{}", out(&unknown));

    // A list that cannot be read is told, and what is in it is no longer known.
    fs::write(drive.state().join("certificates.json"), "[").unwrap();
    let unread = check(&good, state);
    assert_eq!(code(&unread), 0);
    assert!(text(&unread).contains("certificates.json"), "{}", text(&unread));
}

/// Neither what was kept to be signed later, nor what was signed and revoked.
#[test]
fn a_result_is_signed_no_more_once_the_drive_failed() {
    for is_certified in [false, true] {
        let Some(drive) = Loop::new(32 << 20) else { return };
        let desk = Desk::new();
        let path = |name: &str| desk.dir.path().join(name).to_str().unwrap().to_owned();
        let (good, late, state) = (path("good.json"), path("late.pdf"), drive.state());
        let cert = ["--cert", &good];
        let cert = if is_certified { &cert[..] } else { &[] };
        let passed = drive.burn(&[&["--playbook", "surface"], cert].concat());
        assert_eq!(code(&passed), 0, "{}", text(&passed));
        let files = || fs::read_dir(&state).unwrap().map(|file| file.unwrap().path());
        let list = state.join("certificates.json");
        let kept = files().find(|file| file.extension().is_some_and(|ending| ending == "json") && *file != list);
        let (kept, before) = (kept.clone().unwrap(), fs::read(kept.unwrap()).unwrap());

        let half = File::options().write(true).open(drive.file()).unwrap();
        half.set_len(16 << 20).unwrap();
        let mut scan = kiln(&[
            "burn",
            &drive.node,
            "--allow-loop",
            "--json",
            "--playbook",
            "scan",
            "--state",
        ]);
        let failed = scan.arg(&state).output().unwrap();
        assert_eq!(code(&failed), 2, "{}", text(&failed));

        let again = || drive.burn(&["--playbook", "surface", "--resume", "--cert", &late]);
        let refused = again();
        assert_eq!(code(&refused), 4, "{}", text(&refused));
        assert!(
            text(&refused).contains("since then the drive failed `scan`"),
            "{}",
            text(&refused)
        );
        // As a folder that holds the result still.
        fs::write(&kept, before).unwrap();
        let refused = again();
        assert_eq!(code(&refused), 4, "{}", text(&refused));
        let why = match is_certified {
            true => "its certificate was revoked on",
            false => "since then the drive failed `scan`",
        };
        assert!(text(&refused).contains(why), "{}", text(&refused));
        assert!(!PathBuf::from(&late).exists());
        if is_certified {
            let show = |state: &str| {
                let shown = kiln(&["cert", "show", &good, "--pdf", &late, "--state", state]).output();
                shown.unwrap()
            };
            let shown = show(state.to_str().unwrap());
            assert_eq!(code(&shown), 2, "{}", text(&shown));
            assert!(text(&shown).contains("it was revoked on"), "{}", text(&shown));
            assert!(!PathBuf::from(&late).exists());
            assert_eq!(code(&show(&path("elsewhere"))), 0, "elsewhere nobody knows");
        }
    }
}

/// The self-tests that are left may take hours, and a kill then must not lose what is known of the drive.
#[test]
fn a_failure_that_ends_the_engine_early_counts_before_the_self_tests_that_are_left() {
    const SIZE: u64 = 600 << 20;
    let Some(drive) = Loop::new(SIZE) else { return };
    let desk = Desk::new();
    let dir = desk.dir.path();
    let (late, state) = (dir.join("late.pdf"), drive.state());
    let scan = |more: &[&str]| {
        let mut scan = kiln(&["burn", &drive.node, "--allow-loop", "--json", "--playbook", "scan"]);
        scan.arg("--state").arg(&state).args(more).output().unwrap()
    };
    // A WARN, since nothing was compared; that calls a drive good, too.
    let passed = scan(&[]);
    assert_eq!(code(&passed), 1, "{}", text(&passed));

    common::waiting_smartctl(dir);
    let (book, program) = (desk.put("mine.toml", TEST_LAST), dir.join("smartctl"));
    let line = [
        "--playbook",
        &book,
        "--smartctl",
        program.to_str().unwrap(),
        "--io",
        "sync",
    ];
    // Of what erases.
    let kept = || -> Option<Value> {
        let files = fs::read_dir(&state).unwrap().map(|file| file.unwrap().path());
        let is = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(".json") && !name.ends_with("-read.json") && name != "certificates.json"
        };
        serde_json::from_slice(&fs::read(files.into_iter().find(is)?).ok()?).ok()
    };
    common::caught(|| {
        common::resize(&drive, SIZE);
        let _none = fs::remove_file(dir.join("called"));
        let mut burn = common::start(&drive, &line);
        common::until(&mut burn, "Read back and verify");
        common::damage(&drive.file(), SIZE / 2);
        let has_found = || kept().is_some_and(|kept| kept["findings"].as_array().is_some_and(|all| !all.is_empty()));
        while !has_found() && !dir.join("called").exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        common::resize(&drive, 8 << 20);
        common::until_called(dir);
        common::signal(&burn, libc::SIGKILL);
        burn.wait().unwrap();
        // What it did not come to read again says nothing of the drive.
        kept().filter(|kept| {
            let ended = &kept["ended"];
            ended["why"] == "the drive told another capacity" && ended["outcome"] == "FAILED"
        })
    });
    common::resize(&drive, SIZE);
    let again = ["--resume", "--cert", late.to_str().unwrap()];
    let refused = scan(&again);
    assert_eq!(code(&refused), 4, "{}", text(&refused));
    assert!(
        text(&refused).contains("since then the drive failed `last`"),
        "{}",
        text(&refused)
    );
    assert!(!late.exists());
    // And it can be told and signed, as what it is.
    let told = drive.burn(&[&["--playbook", &book], &again[..]].concat());
    assert_eq!(code(&told), 2, "{}", text(&told));
    assert!(late.exists());
}

/// A playbook whose self-test comes after the engine's work.
const TEST_LAST: &str = r#"
name = "last"
about = "a self-test after the last read"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
"#;

/// A folder that takes no file; unmounted when dropped.
struct ReadOnly(tempfile::TempDir);

impl ReadOnly {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "ro", "none"]).arg(dir.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

/// Hours later it would be told of nobody's use.
#[test]
fn a_place_that_takes_no_file_is_told_before_anything_is_written() {
    let (Some(drive), Some(folder)) = (Loop::new(4 << 20), ReadOnly::new()) else {
        return;
    };
    for place in [folder.0.path().to_owned(), folder.0.path().join("c.json")] {
        let output = drive.burn(&["--playbook", "surface", "--cert", place.to_str().unwrap()]);
        assert_eq!(code(&output), 64, "{}", text(&output));
        assert!(text(&output).contains("no file can be written"), "{}", text(&output));
    }
    assert!(fs::read(drive.file()).unwrap().iter().all(|byte| *byte == 0));
    assert!(!drive.state().exists());
}

#[test]
fn a_certificate_whose_place_is_gone_lies_in_the_state_folder() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let desk = Desk::new();
    let dir = desk.dir.path();
    common::waiting_smartctl(dir);
    let (book, program) = (desk.put("mine.toml", common::TEST_FIRST), dir.join("smartctl"));
    let gone = dir.join("gone");
    fs::create_dir(&gone).unwrap();
    let cert = gone.join("c.html");
    let line = ["--playbook", &book, "--smartctl", program.to_str().unwrap(), "--cert"];
    let burn = common::start(&drive, &[&line[..], &[cert.to_str().unwrap()]].concat());
    common::until_called(dir);
    fs::remove_dir_all(&gone).unwrap();
    File::create(dir.join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    let id = told["certificate"]["id"].as_str().unwrap();
    let file = drive.state().join(format!("{id}.json"));
    assert!(told["notes"].to_string().contains(file.to_str().unwrap()), "{told}");
    assert_eq!(code(&verify(&[file.to_str().unwrap()])), 1);
}

/// A box that says this of the revocation of whatever certificate it is asked for.
fn box_that_says(of: &Signed, revocation: Value) -> String {
    let standing = if revocation["kind"] == "revoked" {
        "bad"
    } else {
        "trusted"
    };
    let answer = json!({
        "standing": standing, "told": "", "signature_good": true, "key": of.key().fingerprint().to_hex(),
        "known_as": "kiln, this box", "expired": false, "revocation": revocation,
        "says": {
            "id": of.certificate().id, "drive": null, "model": "", "serial": "", "capacity": 1, "outcome": "PASSED",
            "made": Time::now(), "valid_until": Time::now(), "digest": of.digest(),
        },
    });
    let address = played(move |asked| match asked {
        "POST /api/auth/login" => Some(json!({ "token": "t" })),
        "POST /api/v1/certificates/check" => (answer["revocation"] != Value::Null).then(|| answer.clone()),
        asked => panic!("{asked}"),
    });
    format!("http://{address}")
}

#[test]
fn a_box_is_asked_whether_it_revoked_it() {
    let desk = Desk::new();
    let (own, trust) = (signed(Time::now()), desk.trust());
    let file = desk.put("c.json", own.text());
    let by = json!({ "kind": "revoked", "at": Time::now(), "job": JobId::now(), "why": "the same drive failed" });
    let ask = |told_of: &Signed, revocation: Value| {
        let box_ = box_that_says(told_of, revocation);
        verify(&[&file, "--trust", &trust, "--box", &box_])
    };
    let other = signed(Time::now());
    for (told_of, revocation, exit, word) in [
        (&own, json!({ "kind": "standing" }), 0, "not revoked"),
        (&own, by.clone(), 2, "REVOKED: the same drive failed"),
        (
            &own,
            json!({ "kind": "unknown" }),
            0,
            "does not remember that it signed it",
        ),
        (&own, Value::Null, 0, "gave no answer"),
        // What is told of another certificate says nothing of this one.
        (&other, by, 0, "unknown"),
    ] {
        let told = ask(told_of, revocation);
        assert_eq!(code(&told), exit, "{}{}", out(&told), text(&told));
        assert!(out(&told).contains(word), "{word}: {}{}", out(&told), text(&told));
    }

    let data = tempfile::tempdir().unwrap();
    let server = Server::over(data.path()).user("admin").listening();
    let real = format!("http://{}", server.address);
    for form in [own.text().to_owned(), page::html(&own), own.stamp().text()] {
        let told = verify(&[&desk.put("form", form), "--box", &real]);
        assert_eq!(code(&told), 1, "{}", text(&told));
        assert!(
            out(&told).contains("does not remember"),
            "{}{}",
            out(&told),
            text(&told)
        );
    }
    let refused = kiln(&["cert", "verify", &file, "--trust", &trust, "--box", &real])
        .env("KILN_PASSWORD", "another")
        .output()
        .unwrap();
    assert_eq!(code(&refused), 0);
    assert!(out(&refused).contains("gave no answer"), "{}", out(&refused));
    assert!(text(&refused).contains("password is wrong"), "{}", text(&refused));
}

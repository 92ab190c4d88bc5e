//! What a later failure does to what was signed: on this computer, and as a box tells it.

use super::*;

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
    let failed = drive.burn(&["--playbook", "scan"]);
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
    assert!(!out(&revoked).contains(".."), "{}", out(&revoked));
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

/// The list of what was signed lies where certificates may be put, and has the same ending.
#[test]
fn a_certificate_replaces_nothing_but_a_certificate() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    fs::create_dir_all(drive.state()).unwrap();
    let good = drive.state().join("good.json");
    for (name, want) in [("good.json", 0), ("certificates.json", 64), ("good.json", 0)] {
        let place = drive.state().join(name);
        let output = drive.burn(&["--playbook", "surface", "--cert", place.to_str().unwrap()]);
        assert_eq!(code(&output), want, "{}", text(&output));
    }
    assert_eq!(
        code(&verify(&[
            good.to_str().unwrap(),
            "--state",
            drive.state().to_str().unwrap()
        ])),
        1
    );
}

/// Killed, it revoked nothing; and who begins anew does not hear of it in that one's verdict.
#[test]
fn what_a_killed_burn_in_found_revokes_though_it_is_given_up() {
    for found in [false, true] {
        let Some(drive) = Loop::new(160 << 20) else { return };
        let desk = Desk::new();
        let good = desk.dir.path().join("good.json");
        let good = good.to_str().unwrap();
        let line = ["--playbook", "surface", "--checkpoint-bytes", "16777216"];
        let passed = drive.burn(&[&line[..], &["--cert", good]].concat());
        assert_eq!(code(&passed), 0, "{}", text(&passed));
        interrupted_in(&drive, libc::SIGINT, &line);
        let files = fs::read_dir(drive.state()).unwrap();
        let kept = files
            .map(|file| file.unwrap().path())
            .find(|path| {
                path.extension().is_some_and(|ending| ending == "json") && !path.ends_with("certificates.json")
            })
            .unwrap();
        let mut saved: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
        if found {
            saved["findings_before_loss"] = json!([{
                "step": 0, "kind": "bit_flip", "lba": 77, "sectors": 1, "found": null, "phase": "verify", "detail": "1 bit differs"
            }]);
        }
        fs::write(&kept, saved.to_string()).unwrap();
        // Nobody has gone on with it yet, and nobody can say that it holds.
        let (state, page) = (drive.state(), desk.dir.path().join("page.pdf"));
        let state = state.to_str().unwrap();
        let told = verify(&[good, "--state", state]);
        assert_eq!(code(&told), 1, "{}", out(&told));
        let doubt = "revocation:  unknown: an interrupted `surface` of this drive had found one finding; go on with it";
        let word = if found { doubt } else { "revocation:  not revoked" };
        assert!(out(&told).contains(word), "{}", out(&told));
        let json = object(&verify(&[good, "--state", state, "--json"]));
        assert_eq!(json["revocation"]["kind"], if found { "doubted" } else { "standing" });
        let show = kiln(&["cert", "show", good, "--pdf", page.to_str().unwrap(), "--state", state]).output();
        let show = show.unwrap();
        assert_eq!(code(&show), if found { 2 } else { 0 }, "{}", text(&show));
        assert_eq!(page.exists(), !found);
        if found {
            assert!(
                text(&show).contains("not known: an interrupted `surface`"),
                "{}",
                text(&show)
            );
        }
        let later = desk.dir.path().join("later.json");
        let later = later.to_str().unwrap();
        let scan = drive.burn(&["--playbook", "scan", "--cert", later]);
        assert!(code(&scan) < 2, "{}", text(&scan));
        let anew = drive.burn(&line);
        assert_eq!(code(&anew), 0, "{}", text(&anew));
        let state = drive.state();
        let told = verify(&[good, "--state", state.to_str().unwrap()]);
        assert_eq!(code(&told), if found { 2 } else { 1 }, "{}", out(&told));
        let newer = verify(&[later, "--state", state.to_str().unwrap()]);
        assert_eq!(code(&newer), 1, "what was signed since: {}", out(&newer));
    }
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
        let failed = drive.burn(&["--playbook", "scan"]);
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
        assert!(!text(&refused).contains(".."), "{}", text(&refused));
        assert!(!PathBuf::from(&late).exists());
        if is_certified {
            let show = |state: &str| {
                let shown = kiln(&["cert", "show", &good, "--pdf", &late, "--state", state]).output();
                shown.unwrap()
            };
            let shown = show(state.to_str().unwrap());
            assert_eq!(code(&shown), 2, "{}", text(&shown));
            assert!(text(&shown).contains("it was revoked on"), "{}", text(&shown));
            assert!(!text(&shown).contains(".;"), "{}", text(&shown));
            assert!(!PathBuf::from(&late).exists());
            assert_eq!(code(&show(&path("elsewhere"))), 0, "elsewhere nobody knows");
        }
    }
}

/// SMART after may take minutes on a sick drive, and a kill then must not lose what is known of it.
#[test]
fn a_failure_that_ends_the_engine_early_counts_before_smart_is_read_after_it() {
    const SIZE: u64 = 600 << 20;
    let Some(drive) = Loop::new(SIZE) else { return };
    let desk = Desk::new();
    let dir = desk.dir.path();
    let (late, state) = (dir.join("late.pdf"), drive.state());
    let scan = |more: &[&str]| drive.burn(&[&["--playbook", "scan"], more].concat());
    // A WARN, since nothing was compared; that calls a drive good, too.
    let passed = scan(&[]);
    assert_eq!(code(&passed), 1, "{}", text(&passed));

    common::waiting_smartctl(dir);
    let steps = ["smart_before", "write", "verify", "smart_after"].map(|step| format!("[[step]]\ndo = \"{step}\"\n"));
    let book = format!("name = \"mine\"\nabout = \"SMART around a pass\"\n{}", steps.concat());
    let (book, program) = (desk.put("mine.toml", &book), dir.join("smartctl"));
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
        // SMART before is not waited for.
        desk.put("go", "");
        let mut burn = common::start(&drive, &line);
        common::until(&mut burn, "Read back and verify");
        for name in ["called", "go"] {
            fs::remove_file(dir.join(name)).unwrap();
        }
        common::damage(&drive.file(), SIZE / 2);
        let has_found = || kept().is_some_and(|kept| kept["findings"].as_array().is_some_and(|all| !all.is_empty()));
        // Where it had asked before the files were removed, it ends without asking again.
        let is_asking = || dir.join("called").exists();
        while !has_found() && !is_asking() && burn.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(50));
        common::resize(&drive, 8 << 20);
        while !is_asking() {
            if burn.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
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
        text(&refused).contains("since then the drive failed `mine`"),
        "{}",
        text(&refused)
    );
    assert!(!late.exists());
    // And it can be told and signed, as what it is.
    let told = drive.burn(&[&["--playbook", &book], &again[..]].concat());
    assert_eq!(code(&told), 2, "{}", text(&told));
    assert!(late.exists());
}

/// A dock gave its place to another drive, and nothing told of it before smartctl did: which of them failed nobody knows.
#[test]
fn what_was_signed_of_a_drive_stays_where_smartctl_names_another_one_behind_the_first_fault() {
    const SIZE: u64 = 160 << 20;
    let Some(drive) = Loop::new(SIZE) else { return };
    let desk = Desk::new();
    let dir = desk.dir.path();
    let good = dir.join("good.json");
    let good = good.to_str().unwrap();
    let state = drive.state();
    let passed = drive.burn(&["--playbook", "surface", "--cert", good]);
    assert_eq!(code(&passed), 0, "{}", text(&passed));

    let told = r#"{"smartctl":{"exit_status":0,"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"OTHER-9999","smart_status":{"passed":true}}"#;
    let program = desk.put(
        "smartctl",
        format!("#!/bin/sh\n[ -e {}/other ] || exit 1\necho '{told}'\n", dir.display()),
    );
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let steps = ["smart_before", "write", "verify", "smart_after"].map(|step| format!("[[step]]\ndo = \"{step}\"\n"));
    let book = desk.put(
        "mine.toml",
        format!("name = \"mine\"\nabout = \"SMART around one pass\"\n{}", steps.concat()),
    );
    let line = [
        "--playbook",
        &book,
        "--smartctl",
        &program,
        "--stop-at-first",
        "--rate-drive",
        "100M",
    ];
    let ended = common::caught(|| {
        let mut burn = common::start(&drive, &line);
        common::until(&mut burn, "Read back and verify");
        desk.put("other", "");
        common::damage(&drive.file(), SIZE - (8 << 20));
        let ended = burn.wait_with_output().unwrap();
        fs::remove_file(dir.join("other")).unwrap();
        // It had read on past the place, or not yet.
        (code(&ended) != 0).then_some(ended)
    });
    assert_eq!(code(&ended), 3, "{}", text(&ended));
    let told = object(&ended);
    assert!(told.to_string().contains("OTHER-9999"), "{told}");
    let verified = verify(&[good, "--json", "--state", state.to_str().unwrap()]);
    assert_eq!(
        object(&verified)["revocation"]["kind"],
        "standing",
        "{}",
        out(&verified)
    );
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
        (&own, Value::Null, 0, "nothing was learned of it from"),
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
    assert!(
        out(&refused).contains("nothing was learned of it from"),
        "{}",
        out(&refused)
    );
    assert!(text(&refused).contains("password is wrong"), "{}", text(&refused));
}

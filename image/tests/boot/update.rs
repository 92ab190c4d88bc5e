//! Updates on the whole box: written while it works, tried, kept. The power is cut in `cuts.rs`; systems that do not come up are
//! in `trial.rs`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bundle::{Head, head_len};
use image::board::Board;
use image::cpio::{Archive, Node};
use image::cross::Binaries;
use image::key::Key;
use image::qemu::http::Response;
use image::qemu::{Arch, Bus, Vm};
use image::signature::Signatures;
use image::slot::{FileNote, Manifest};
use image::update::{Files, Making, of_image, write};
use image::workspace::Workspace;
use sha2::{Digest, Sha256};
use wire::job::{Outcome, Phase};
use wire::update::{SlotState, UpdateNeeds, UpdateOutcome, UpdateState};

use crate::bench::{Bench, PASSWORD};
use crate::images::image;
use crate::lab::{BOOT, JOB, Lab, SOON};

/// From the restart until a new system is kept: the boot, and a minute of calm; or until three starts have failed.
const KEPT: Duration = Duration::from_mins(7);
/// Three minutes until a start has failed, and two boots.
pub(crate) const FAILS: Duration = Duration::from_mins(10);

/// More members for an initramfs: the last of two with one name counts.
pub(crate) fn more(initrd: &mut Vec<u8>, members: &[(&str, Node)]) {
    let mut a = Archive::default();
    for (name, node) in members {
        a.add(name, node.clone());
    }
    // The kernel wants each archive to begin at a multiple of four.
    initrd.resize(initrd.len().next_multiple_of(512), 0);
    initrd.extend(a.bytes());
}

/// Files of the test image's system with another version and something changed.
pub(crate) fn system(version: &str, change: impl Fn(&mut Files)) -> Files {
    let mut files = of_image(image(Arch::X86_64)).unwrap();
    change(&mut files);
    let mut m = Manifest::parse(&files["manifest.json"]).unwrap();
    version.clone_into(&mut m.version);
    for (name, note) in &mut m.files {
        *note = FileNote {
            size: files[name].len() as u64,
            sha256: hex::encode(Sha256::digest(&files[name])),
        };
    }
    let json = m.json().unwrap();
    files.insert(
        "manifest.sig".into(),
        Signatures::of(&json, &Key::development()).json().unwrap(),
    );
    files.insert("manifest.json".into(), json);
    files
}

/// A bundle by the development update key, which the test image trusts.
pub(crate) fn bundle(dir: &Path, files: &Files) -> PathBuf {
    let out = dir.join("update.kiln");
    write(&Workspace::find(), files, &Making::default(), &out).unwrap();
    out
}

/// A bundle of a system that works, and differs in two files.
pub(crate) fn next_version(dir: &Path, version: &str) -> PathBuf {
    let files = system(version, |f| {
        more(
            f.get_mut("initrd").unwrap(),
            &[("etc/next", Node::File(0o644, vec![1; 100]))],
        );
    });
    bundle(dir, &files)
}

pub(crate) fn state(bench: &Bench) -> UpdateState {
    bench.get("/update")
}

/// The same, once PID 1 has told of both slots.
pub(crate) fn slots_told(bench: &Bench) -> UpdateState {
    bench.until("the slots on the page", SOON, || {
        let s = state(bench);
        if s.view.slots.len() == 2 {
            Ok(s)
        } else {
            Err(format!("{s:?}"))
        }
    })
}

/// Waits until the slot that runs is kept.
pub(crate) fn is_kept(bench: &Bench, name: &str) -> UpdateState {
    bench.until("the new system kept", KEPT, || {
        let s = state(bench);
        if slot(&s, name).state == SlotState::Good && slot(&s, name).running {
            Ok(s)
        } else {
            Err(format!("{s:#?}"))
        }
    })
}

/// Sends what the box lacks, and has it compare and switch; how much that was.
pub(crate) fn send(bench: &Bench, path: &Path, pace: Duration) -> Result<UpdateNeeds, String> {
    let needs = lay(bench, path, pace)?;
    finish(bench)?;
    Ok(needs)
}

/// Sends what the box lacks. `pace` is waited between two chunks.
pub(crate) fn lay(bench: &Bench, path: &Path, pace: Duration) -> Result<UpdateNeeds, String> {
    let all = std::fs::read(path).unwrap();
    let head = &all[..head_len(&all).unwrap().unwrap()];
    let needs = ask(bench, "POST", "/update/begin", head)?;
    let needs: UpdateNeeds = serde_json::from_slice(&needs.body).map_err(|e| e.to_string())?;
    for c in &needs.need {
        let at = c.offset as usize;
        ask(
            bench,
            "PUT",
            &format!("/update/chunks/{}", c.number),
            &all[at..at + c.len as usize],
        )?;
        std::thread::sleep(pace);
    }
    Ok(needs)
}

/// Has the box compare all of it and switch.
pub(crate) fn finish(bench: &Bench) -> Result<(), String> {
    ask(bench, "POST", "/update/finish", &[]).map(drop)
}

fn ask(bench: &Bench, method: &str, path: &str, body: &[u8]) -> Result<Response, String> {
    let answer = bench.bytes(method, path, body).map_err(|e| e.to_string())?;
    if answer.status / 100 == 2 {
        Ok(answer)
    } else {
        Err(answer.text())
    }
}

/// Restarts into it, or into what the box goes back to.
pub(crate) fn restart(vm: &mut Vm, bench: &Bench) {
    let mark = vm.mark();
    assert_eq!(bench.call("POST", "/update/reboot", None).unwrap().status, 202);
    vm.wait_console_after(mark, "dashboard: http", FAILS).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
}

pub(crate) fn slot(state: &UpdateState, name: &str) -> wire::update::SlotView {
    state
        .view
        .slots
        .iter()
        .find(|s| s.name == name)
        .cloned()
        .unwrap_or_else(|| panic!("{state:#?}"))
}

#[test]
fn an_update_is_written_while_a_job_runs_tried_and_kept_and_the_job_goes_on() {
    let lab = Lab::new();
    let path = next_version(lab.path(), "0.2.0");
    let drive = image::qemu::Drive::new(Bus::Scsi, "UPDRIVE1", lab.blank("UPDRIVE1", 256)).speed(3_000_000);
    let (mut vm, bench) = lab.boot([drive]);
    let before = slots_told(&bench);
    assert_eq!(slot(&before, "a").state, SlotState::Good);
    assert_eq!(slot(&before, "b").state, SlotState::Empty);
    let job = bench.burn(&["UPDRIVE1"], "surface")[0];
    bench.wait_bytes(&job, Phase::Write, 8 << 20);

    // What is not signed by a key that the image trusts is refused, and so is what was changed on the way.
    let all = std::fs::read(&path).unwrap();
    let head = Head::parse(&all[..head_len(&all).unwrap().unwrap()]).unwrap();
    let stranger = Head::sign(head.manifest.clone(), vec![], &[&bundle::Key::from_seed(&[9; 32])]).bytes();
    let refused = bench.bytes("POST", "/update/begin", &stranger).unwrap();
    assert_eq!(
        (refused.status, refused.text().contains("update-wrong-key")),
        (422, true),
        "{}",
        refused.text()
    );
    let begun = Instant::now();
    let needs = send(&bench, &path, Duration::ZERO).unwrap();
    println!(
        "{} MiB: {} copied from the running system, {} sent, in {:?}",
        needs.chunks,
        needs.copied,
        needs.need.len(),
        begun.elapsed()
    );
    assert!(
        needs.copied * 10 > needs.chunks * 8,
        "most of it is in the box already: {needs:?}"
    );
    // The writer answers before PID 1 has told everybody.
    let written = bench.until("the slot on trial on the page", SOON, || {
        let seen = state(&bench);
        match (slot(&seen, "b").state, slot(&seen, "b").next) {
            (SlotState::Trying, true) => Ok(seen),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(slot(&written, "b").version.as_deref(), Some("0.2.0"));

    restart(&mut vm, &bench);
    let bench = Bench::login(&vm);
    let boot = bench.status().supervisor.unwrap().boot;
    assert_eq!((boot.slot.as_str(), boot.why.as_str()), ("b", "preferred"));
    assert!(boot.reason.contains("reboot into version 0.2.0"), "{boot:?}");
    let kept = bench.until("the new system kept", KEPT, || {
        let s = state(&bench);
        let is_kept = s.view.last.as_ref().is_some_and(|l| l.outcome == UpdateOutcome::Kept);
        if is_kept { Ok(s) } else { Err(format!("{s:#?}")) }
    });
    assert_eq!(
        (slot(&kept, "b").state, slot(&kept, "b").running),
        (SlotState::Good, true)
    );
    assert_eq!(slot(&kept, "a").state, SlotState::Good, "the way back stays");
    assert_eq!(kept.view.trial, None);
    // An older one is refused now, and taken when it is asked for.
    let older = bundle(lab.path(), &system("0.1.9", |_| {}));
    let told = send(&bench, &older, Duration::ZERO).unwrap_err();
    assert!(told.contains("update-older") && told.contains("0.2.0"), "{told}");

    let done = bench.verdict(&job, JOB);
    let verdict = done.verdict.clone().unwrap();
    assert_eq!(
        (verdict.outcome, verdict.verified.0),
        (Outcome::Passed, 256 << 20),
        "{done:#?}"
    );
    assert!(
        done.resumes.first().is_some_and(|r| r.from.0 > 0),
        "it did not go on where it was: {:?}",
        done.resumes
    );
}

/// The command line's program: of the folder that `KILN_PROGRAMS` names, else as it is handed out.
fn kiln() -> PathBuf {
    if let Some(folder) = std::env::var_os("KILN_PROGRAMS") {
        return PathBuf::from(folder).join("kiln");
    }
    let ws = Workspace::find();
    let board = Board::load(&ws.boards(), "x86-64").unwrap();
    let built = Binaries::build_these(&ws, &board, false, &[("cli", "kiln")]);
    built.unwrap().path("kiln")
}

#[test]
fn kiln_update_sends_a_file_from_another_computer_restarts_the_box_and_waits_until_the_new_system_is_kept() {
    let kiln = kiln();
    let lab = Lab::new();
    let path = next_version(lab.path(), "0.2.0");
    // A box that has its name from the start has one certificate for good.
    let uuid = "6b696c6e-5db1-4c39-9e51-7c0a4dd1f0aa";
    let (mut vm, bench) = lab.start(lab.machine(Bus::Virtio, None).uuid(uuid));
    slots_told(&bench);
    let line = vm.wait_console("certificate: SHA-256 ", SOON).unwrap();
    let fingerprint = line.rsplit("SHA-256 ").next().unwrap().trim().to_owned();
    let update = |fingerprint: &str, password: &str| {
        let out = std::process::Command::new(&kiln)
            .arg("update")
            .arg(&path)
            .args(["--reboot", "--fingerprint", fingerprint])
            .arg("--box")
            .arg(format!("https://{}", bench.address()))
            .env("KILN_PASSWORD", password)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (said, told) = (text(&out.stdout), text(&out.stderr));
        println!("kiln update: {}\n{said}{told}", out.status);
        (out.status.success(), said, told)
    };
    // Another box's certificate, or another's password: nothing is sent.
    let first = if fingerprint.starts_with("00") { "01" } else { "00" };
    let other = format!("{first}{}", &fingerprint[2..]);
    assert!(!update(&other, PASSWORD).0 && !update(&fingerprint, "guess-guess").0);
    assert_eq!(slot(&state(&bench), "b").state, SlotState::Empty);

    let (done, said, told) = update(&fingerprint, PASSWORD);
    assert!(
        done && said.contains("version 0.2.0 is written to slot b"),
        "{said}{told}"
    );
    assert!(told.contains("are in the box already"), "{told}");
    let s = state(&Bench::login(&vm));
    assert_eq!((slot(&s, "b").state, slot(&s, "b").running), (SlotState::Good, true));
    assert_eq!(slot(&s, "a").state, SlotState::Good);
}

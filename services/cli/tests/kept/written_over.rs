//! A drive that something else wrote to while its burn-in was interrupted.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Loop, PATIENCE, code, interrupted_past, kiln, let_go, object, signal, start, text, until};
use crate::{kept, kept_of, killed_while_it_reads};

/// How large, in bytes: at [`RATE`] it is still written when a signal comes.
const SIZE: u64 = 160 << 20;

/// Slow enough to be caught, and checkpoints that come often.
const RATE: [&str; 4] = ["--rate-drive", "100M", "--checkpoint-bytes", "8388608"];

/// An MBR with one partition of 64 MiB, as `sfdisk` writes it: everything else in its sector is zero.
fn table() -> Vec<u8> {
    let mut sector = vec![0; 512];
    sector[440..444].copy_from_slice(&[1, 2, 3, 4]);
    let entry = [0, 0x20, 0x21, 0, 0x07, 0x29, 0x28, 0x08, 0, 8, 0, 0, 0, 0, 2, 0];
    sector[446..462].copy_from_slice(&entry);
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    sector
}

/// What `mkswap` leaves: its first 1024 bytes are the boot loader's.
fn swap() -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[1024..1032].copy_from_slice(&[1, 0, 0, 0, 0xff, 0x3f, 0, 0]);
    page[1036..1052].fill(7);
    page[4086..].copy_from_slice(b"SWAPSPACE2");
    page
}

/// What no table tells the kind of, as a volume that is encrypted as a whole.
fn hidden() -> Vec<u8> {
    (1_u32..)
        .flat_map(|n| n.wrapping_mul(0x9E37_79B1).to_le_bytes())
        .take(128 << 10)
        .collect()
}

fn put(drive: &Loop, bytes: &[u8], at: u64) {
    let file = File::options().write(true).open(drive.file()).unwrap();
    file.write_all_at(bytes, at).unwrap();
    file.sync_all().unwrap();
}

/// How `kiln burn` with these arguments goes on with a burn-in that was interrupted after it had a checkpoint behind its first sectors, once these bytes were put
/// there.
fn resumed(drive: &Loop, line: &[&str], (bytes, at): (&[u8], u64)) -> Output {
    interrupted_past(drive, libc::SIGINT, &[line, &RATE].concat(), 1);
    put(drive, bytes, at);
    let before = fs::read(drive.file()).unwrap();
    let output = drive.burn(&[line, &RATE, &["--resume"]].concat());
    if code(&output) == 4 {
        assert!(fs::read(drive.file()).unwrap() == before, "it was written to");
    }
    output
}

/// Windows does it when it sees the drive, and calls it initialising.
#[test]
fn what_something_else_wrote_to_an_interrupted_drive_is_no_fault_of_the_drive() {
    for (bytes, word) in [(table(), "MBR"), (swap(), "swap"), (hidden(), "not this burn-in's")] {
        let Some(drive) = Loop::new(SIZE) else { return };
        let good = drive.state().with_file_name("good.json");
        let good = good.to_str().unwrap();
        let line = ["--playbook", "surface"];
        let passed = drive.burn(&[&line[..], &["--cert", good]].concat());
        assert_eq!(code(&passed), 0, "{}", text(&passed));
        let output = resumed(&drive, &line, (&bytes, 0));
        let told = text(&output);
        assert_eq!(code(&output), 4, "{told}");
        for part in [
            "something else wrote to it since",
            word,
            "begin anew",
            "nothing was written",
        ] {
            assert!(told.contains(part), "{part:?}: {told}");
        }
        assert_eq!(object(&output)["refused"]["kind"], "not-resumed");
        let state = drive.state();
        let check = ["cert", "verify", good, "--state", state.to_str().unwrap()];
        let check = kiln(&check).output().unwrap();
        assert_eq!(code(&check), 1, "{}", String::from_utf8_lossy(&check.stdout));
    }
}

/// Read back to its end it would have come through, and carried that.
#[test]
fn what_something_else_wrote_is_found_where_all_was_written() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    let line = ["--playbook", "surface", "--checkpoint-bytes", "16777216"];
    killed_while_it_reads(&drive, &line);
    let unknown = hidden();
    for (bytes, found, lost) in [
        (&table(), false, false),
        (&table(), true, false),
        (&unknown, false, false),
        (&unknown, false, true),
        (&table(), false, true),
    ] {
        put(&drive, bytes, 0);
        if found {
            let mut saved = kept_of(&kept(&drive, 600 << 20));
            saved["findings"] = once();
            fs::write(kept(&drive, 600 << 20), saved.to_string()).unwrap();
        }
        if lost {
            let _ = fs::remove_dir_all(drive.state());
        }
        let before = fs::read(drive.file()).unwrap();
        let output = drive.burn(&[&line[..], &["--resume"]].concat());
        let told = text(&output);
        assert_eq!(code(&output), 4, "{told}");
        assert!(fs::read(drive.file()).unwrap() == before, "it was written to: {told}");
        assert!(told.contains("something else wrote to it since"), "{told}");
        assert_eq!(told.contains("MBR"), *bytes == table(), "{told}");
    }
}

/// An array is made anew over it and taken apart again: nothing tells what it was, and where its mark stood there are zeros. Read back,
/// they were a fault of the drive. Nothing is kept of it, or a checkpoint that cannot be used, beside what stood there before.
#[test]
fn what_something_else_wrote_and_took_away_again_is_no_fault_of_a_drive_whose_checkpoint_is_lost() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    let line = ["--playbook", "surface", "--checkpoint-bytes", "16777216"];
    killed_while_it_reads(&drive, &line);
    put(&drive, &[0; 4096], 4096);
    let path = kept(&drive, 600 << 20);
    let mut saved = kept_of(&path);
    assert_eq!(saved["agreed"]["state"], "empty", "{saved}");
    saved["checkpoint"] = "cut off".into();
    let before = fs::read(drive.file()).unwrap();
    for is_lost in [false, true] {
        match is_lost {
            true => fs::remove_dir_all(drive.state()).unwrap(),
            false => fs::write(&path, saved.to_string()).unwrap(),
        }
        let output = drive.burn(&[&line[..], &["--give-up", &drive.node, "--resume"]].concat());
        let told = text(&output);
        assert_eq!(code(&output), 4, "{told}");
        assert!(fs::read(drive.file()).unwrap() == before, "it was written to: {told}");
        for part in [
            "LBA 8, which it had written already, is not as it left it",
            "begin anew",
        ] {
            assert!(told.contains(part), "{part:?}: {told}");
        }
    }
}

/// As on another computer, or where somebody tidied up: the drive's headers tell that it was begun, and it was put to use since.
#[test]
fn what_was_put_on_an_interrupted_drive_is_not_erased_where_nothing_is_kept_of_it() {
    for spoil in [None, Some(""), Some("{\"version\":")] {
        for (playbook, again) in [("surface", "surface"), ("surface", "standard")] {
            let Some(drive) = Loop::new(SIZE) else { return };
            interrupted_past(
                &drive,
                libc::SIGINT,
                &[&["--playbook", playbook], &RATE[..]].concat(),
                1,
            );
            put(&drive, &table(), 0);
            put(&drive, &swap(), 1 << 20);
            match spoil {
                Some(bytes) => fs::write(kept(&drive, SIZE), bytes).unwrap(),
                None => fs::remove_dir_all(drive.state()).unwrap(),
            }
            let before = fs::read(drive.file()).unwrap();
            let output = drive.burn(&[&["--playbook", again, "--resume"], &RATE[..]].concat());
            let told = text(&output);
            assert!(fs::read(drive.file()).unwrap() == before, "it was written to: {told}");
            assert_eq!(code(&output), 4, "{spoil:?}, {again}: {told}");
            assert!(told.contains("MBR"), "{told}");
            // The same whoever says so at once what may be lost.
            let anew = drive.burn(&["--playbook", "surface"]);
            assert_eq!(code(&anew), 0, "{}", text(&anew));
        }
    }
}

/// Killed before its first checkpoint, or with one that knows of headers alone: what stands there now was never agreed to be lost.
#[test]
fn what_was_put_on_a_drive_before_its_interrupted_burn_in_had_written_there_is_not_erased() {
    for (bytes, with_checkpoint, word) in [
        (table(), false, "MBR"),
        (swap(), false, "swap"),
        (hidden(), false, "not this burn-in's"),
        (table(), true, "MBR"),
        (swap(), true, "swap"),
        (hidden(), true, "not this burn-in's"),
    ] {
        let Some(drive) = Loop::new(SIZE) else { return };
        let line = ["--playbook", "surface", "--rate-drive", "4M"];
        killed_as_it_begins_to_write(&drive, &line, with_checkpoint);
        put(&drive, &bytes, 0);
        let before = fs::read(drive.file()).unwrap();
        let output = drive.burn(&[&line[..], &["--resume"]].concat());
        let told = text(&output);
        assert!(fs::read(drive.file()).unwrap() == before, "it was written to: {told}");
        assert_eq!(code(&output), 4, "{told}");
        for part in ["something else wrote to it since", word] {
            assert!(told.contains(part), "{part:?}: {told}");
        }
    }
}

/// Nor where it had found something.
#[test]
fn what_was_put_on_a_drive_that_had_a_fault_is_not_erased_where_it_had_not_written_yet() {
    let Some(drive) = Loop::new(SIZE) else { return };
    let line = ["--playbook", "surface", "--rate-drive", "4M"];
    killed_as_it_begins_to_write(&drive, &line, true);
    let mut saved = kept_of(&kept(&drive, SIZE));
    saved["findings"] = once();
    fs::write(kept(&drive, SIZE), saved.to_string()).unwrap();
    put(&drive, &table(), 0);
    let before = fs::read(drive.file()).unwrap();
    let output = drive.burn(&[&line[..], &["--resume"]].concat());
    assert!(
        fs::read(drive.file()).unwrap() == before,
        "it was written to: {}",
        text(&output)
    );
    assert_eq!(code(&output), 4, "{}", text(&output));
}

/// One finding.
fn once() -> serde_json::Value {
    serde_json::json!([{
        "step": 0, "kind": "transient", "lba": 77, "sectors": 1, "found": null, "phase": "write", "detail": "once"
    }])
}

/// Of a GPT its copy at the end stays when the beginning is gone: that is what is left of what was agreed on.
#[test]
fn what_is_left_of_the_old_content_stops_no_burn_in_that_had_just_begun_to_write() {
    let Some(drive) = Loop::new(SIZE) else { return };
    let made = Command::new("sfdisk")
        .arg(drive.file())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let mut made = made.unwrap();
    made.stdin.take().unwrap().write_all(b"label: gpt\n,8M\n,\n").unwrap();
    assert!(made.wait().unwrap().success());
    let line = ["--playbook", "surface", "--rate-drive", "4M"];
    for with_checkpoint in [false, true] {
        killed_as_it_begins_to_write(&drive, &line, with_checkpoint);
    }
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(object(&output)["verdict"]["verified"], SIZE, "{}", text(&output));
}

/// Kills a burn-in, or one that goes on, as soon as it writes, or has kept a checkpoint.
fn killed_as_it_begins_to_write(drive: &Loop, line: &[&str], with_checkpoint: bool) {
    let goes_on = drive.state().is_dir();
    let mut child = start(drive, &[line, if goes_on { &["--resume"][..] } else { &[] }].concat());
    until(&mut child, "Write");
    let path = kept(drive, SIZE);
    let begun = Instant::now();
    while with_checkpoint && !fs::read_to_string(&path).is_ok_and(|told| told.contains("kiln-checkpoint")) {
        assert!(begun.elapsed() < PATIENCE, "no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, libc::SIGKILL);
    child.wait_with_output().unwrap();
    let_go(drive);
}

/// What stood there before is what was agreed to erase.
#[test]
fn what_stood_where_an_interrupted_burn_in_had_not_written_yet_is_erased_as_agreed() {
    let Some(drive) = Loop::new(SIZE) else { return };
    put(&drive, &table(), 0);
    let book = drive.state().with_file_name("mine.toml");
    let text_of =
        "name = \"mine\"\nabout = \"x\"\n[[step]]\ndo = \"write\"\norder = \"reverse\"\n[[step]]\ndo = \"verify\"\n";
    fs::write(&book, text_of).unwrap();
    let output = resumed(&drive, &["--playbook", book.to_str().unwrap()], (&[], 0));
    let told = object(&output);
    assert!(text(&output).contains("MBR, 1 partition"), "{}", text(&output));
    assert_eq!(told["resumes"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["verdict"]["verified"], SIZE, "{told}");
}

/// As a drive brings it back that lost the write over it, before or after it was found.
#[test]
fn what_stood_there_before_and_is_back_is_a_lost_write_of_the_drive() {
    let Some(drive) = Loop::new(SIZE) else { return };
    put(&drive, &table(), 0);
    let output = resumed(&drive, &["--playbook", "surface"], (&table(), 0));
    let told = object(&output);
    assert_eq!(code(&output), 2, "{told}");
    assert_eq!(told["verdict"]["outcome"], "FAILED", "{told}");
    assert_eq!(told["findings"][0]["lba"], 0, "{told}");
}

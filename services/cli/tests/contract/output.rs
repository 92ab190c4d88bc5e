//! What is told on standard output and error: where it cannot be written, and where it is no text.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use crate::common::{self, Loop, caught, code, kiln, text};

#[test]
fn a_result_that_nobody_could_read_is_not_0() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = drive.command(&["--playbook", "surface"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(text(&output).contains("could not be written"), "{}", text(&output));
    assert!(text(&output).contains("--resume --cert FILE"), "{}", text(&output));
}

/// In words, too: a script may have its exit code alone.
#[test]
fn a_verdict_in_words_that_nobody_could_read_is_told_elsewhere_and_is_not_0() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let burn = || {
        let mut burn = kiln(&["burn", &drive.node, "--yes-erase", &drive.node, "--allow-loop"]);
        burn.args(["--playbook", "surface", "--state"]).arg(drive.state());
        burn
    };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = burn().stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    let told = text(&output);
    assert_eq!(code(&output), 3, "{told}");
    let verdict = format!("PASSED  Loop device {0} ({0})", drive.node);
    assert!(
        told.contains("could not be written") && told.contains(&verdict),
        "{told}"
    );
    // Whoever closes a pipe before the verdict comes has not read it.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = burn().stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = closed.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(text(&output).contains(&verdict), "{}", text(&output));
}

#[test]
fn a_plan_that_nobody_could_read_is_not_0() {
    let Some(drive) = Loop::new(1 << 20) else { return };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = drive.command(&["--playbook", "surface", "--dry-run"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", text(&output));
}

#[test]
fn what_nobody_could_read_is_64_whatever_it_came_to() {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("mine.toml");
    fs::write(&book, common::TEST_FIRST).unwrap();
    let book = book.to_str().unwrap();
    let valid = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/cases/manifest-vigil.json");
    let valid = valid.to_str().unwrap();
    for (args, done) in [
        (&["playbook", "list"][..], 0),
        (&["playbook", "list", "--json"], 0),
        (&["playbook", "show", "standard"], 0),
        (&["playbook", "check", book], 0),
        (&["playbook", "check", book, "--json"], 0),
        (&["addon", "schema"], 0),
        (&["addon", "validate", valid], 0),
        (&["addon", "validate", valid, "--json"], 0),
        (&["addon", "validate", book], 2),
        (&["addon", "validate", book, "--json"], 2),
        (&["cert", "verify", book], 2),
        (&["cert", "verify", book, "--json"], 2),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = kiln(args).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(code(&output), 64, "{args:?}: {}", text(&output));
        assert!(text(&output).contains("could not be written"), "{}", text(&output));
        // Whoever closes a pipe has read what they wanted, as `head` does.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = kiln(args).stdout(writer).spawn().unwrap();
        assert_eq!(closed.wait().unwrap().code(), Some(done), "{args:?}");
    }
}

/// A path may hold any bytes.
#[test]
fn how_to_go_on_is_told_also_where_an_argument_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let Some(drive) = Loop::new(600 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join(std::ffi::OsStr::from_bytes(b"st\xffate"));
    let (output, told) = caught(|| {
        let node = &drive.node;
        let mut burn = kiln(&[
            "burn",
            node,
            "--yes-erase",
            node,
            "--allow-loop",
            "--playbook",
            "surface",
        ]);
        burn.args(["--io", "sync", "--state"]).arg(&state);
        let log = dir.path().join("log");
        let mut burn = burn.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let told = || fs::read_to_string(&log).unwrap();
        while !told().contains("Write") && burn.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        common::signal(&burn, libc::SIGINT);
        let output = burn.wait_with_output().unwrap();
        (code(&output) != 0).then(|| (output, told()))
    });
    assert_eq!(code(&output), 3, "{told}");
    assert!(told.contains("to go on: kiln burn --resume "), "{told}");
    assert!(told.contains(r"st\xffate'"), "{told}");
}

/// The disk was full for the first drive, and no longer for the second.
#[test]
fn a_result_that_was_cut_spoils_no_other() {
    let (Some(first), Some(second)) = (Loop::new(16 << 20), Loop::new(16 << 20)) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let smartctl = common::smartctl_that_waits(dir.path(), &second.node);
    fs::write(at("mine.toml"), common::TEST_FIRST).unwrap();
    fs::create_dir(at("small")).unwrap();
    let book = at("mine.toml");
    let both = [&second.node, "--yes-erase", &second.node];
    let burn = first.command(&[&both[..], &["--playbook", &book, "--smartctl", &smartctl]].concat());
    // Some 600 bytes of room in the last page, then more.
    let script = "cd \"$1\" && shift && mount -t tmpfs -o size=64k none small && head -c 61440 /dev/zero > small/ballast || exit 9
        head -c 3500 /dev/zero | tr '\\0' '\\n' > small/out
        \"$0\" \"$@\" >> small/out 2> told & burn=$!
        while kill -0 $burn && ! grep -q 'could not be written' told; do sleep 0.05; done
        rm small/ballast; : > go; wait $burn; cat small/out";
    let mut inside = std::process::Command::new("unshare");
    inside.args(["--mount", "sh", "-c", script]).arg(burn.get_program());
    let output = inside.arg(dir.path()).args(burn.get_args()).output().unwrap();
    if code(&output) == 9 {
        return;
    }
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<&str> = told.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        serde_json::from_str::<serde_json::Value>(lines[0]).is_err(),
        "it was not cut: {told}"
    );
    let whole: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(whole["path"], second.node.as_str());
}

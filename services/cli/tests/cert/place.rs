//! Where a certificate is put: asked for before anything is written, and what becomes of one whose place is gone.

use super::*;

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

/// A thesis is a PDF, too.
#[test]
fn what_is_no_certificate_of_the_drive_is_told_before_anything_is_written() {
    let (Some(drive), Some(other)) = (Loop::new(4 << 20), Loop::new(4 << 20)) else {
        return;
    };
    let desk = Desk::new();
    let cert = desk.dir.path().join("drive.pdf");
    let cert = cert.to_str().unwrap();
    let signed = other.burn(&["--playbook", "surface", "--cert", cert]);
    assert_eq!(code(&signed), 0, "{}", text(&signed));
    let of_other = fs::read(cert).unwrap();
    for (place, part) in [
        (desk.put("thesis.pdf", "%PDF-1.7 precious"), "is no certificate"),
        (desk.put("mine.html", "<!doctype html>precious"), "is no certificate"),
        (desk.put("notes.json", "precious"), "is no certificate"),
        (cert.to_owned(), "the certificate of another drive"),
    ] {
        let before = fs::read(&place).unwrap();
        let output = drive.burn(&["--playbook", "surface", "--cert", &place]);
        assert_eq!(code(&output), 64, "{place}: {}", text(&output));
        assert!(text(&output).contains(part), "{place}: {}", text(&output));
        assert_eq!(fs::read(&place).unwrap(), before, "{place}");
    }
    assert!(fs::read(drive.file()).unwrap().iter().all(|byte| *byte == 0));
    // One of the same drive gives way.
    let again = other.burn(&["--playbook", "surface", "--cert", cert]);
    assert_eq!(code(&again), 0, "{}", text(&again));
    assert_ne!(fs::read(cert).unwrap(), of_other);
}

/// Two drives burnt in at once with one name in mind: the second certificate is not lost, and neither is the first.
#[test]
fn what_came_into_its_place_meanwhile_stays_and_the_certificate_lies_in_the_state_folder() {
    let (Some(drive), Some(other)) = (Loop::new(16 << 20), Loop::new(4 << 20)) else {
        return;
    };
    let desk = Desk::new();
    let dir = desk.dir.path();
    common::waiting_smartctl(dir);
    let (book, program) = (desk.put("mine.toml", common::TEST_FIRST), dir.join("smartctl"));
    let cert = dir.join("c.json");
    let cert = cert.to_str().unwrap();
    let line = [
        "--playbook",
        &book,
        "--smartctl",
        program.to_str().unwrap(),
        "--cert",
        cert,
    ];
    let burn = common::start(&drive, &line);
    common::until_called(dir);
    let first = other.burn(&["--playbook", "surface", "--cert", cert]);
    assert_eq!(code(&first), 0, "{}", text(&first));
    let of_other = fs::read(cert).unwrap();
    File::create(dir.join("go")).unwrap();
    let output = burn.wait_with_output().unwrap();
    let told = object(&output);
    let file = drive
        .state()
        .join(format!("{}.json", told["certificate"]["id"].as_str().unwrap()));
    let notes = told["notes"].to_string();
    assert!(
        notes.contains("the certificate of another drive") && notes.contains(file.to_str().unwrap()),
        "{notes}"
    );
    assert_eq!(code(&verify(&[file.to_str().unwrap()])), 1);
    assert_eq!(fs::read(cert).unwrap(), of_other);
}

/// Whatever lies beside it is somebody's.
#[test]
fn a_certificate_is_written_over_nothing_that_lies_beside_its_place() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let desk = Desk::new();
    let dir = desk.dir.path();
    let (notes, theirs) = (desk.put("drive.new", "mine"), desk.put("theirs", "precious"));
    std::os::unix::fs::symlink(&theirs, dir.join("two.new")).unwrap();
    for name in ["drive.PDF", "two.json"] {
        let cert = dir.join(name);
        let output = drive.burn(&["--playbook", "surface", "--cert", cert.to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}", text(&output));
        assert!(fs::symlink_metadata(&cert).unwrap().is_file(), "{name}");
        assert_eq!(code(&verify(&[cert.to_str().unwrap()])), 1, "{name}");
    }
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "precious");
    assert_eq!(fs::read_dir(dir).unwrap().count(), 5, "something is left behind");
}

/// The kernel takes such a name for a folder.
#[test]
fn a_name_with_a_slash_behind_it_is_no_file() {
    let Some(drive) = Loop::new(4 << 20) else { return };
    let desk = Desk::new();
    for name in ["x.json/", "x.json/.", "folder/"] {
        let place = desk.dir.path().join(name);
        let output = drive.burn(&["--playbook", "surface", "--cert", place.to_str().unwrap()]);
        assert_eq!(code(&output), 64, "{name}: {}", text(&output));
        assert!(
            text(&output).contains("there is no such folder: make it first"),
            "{}",
            text(&output)
        );
    }
    assert!(fs::read(drive.file()).unwrap().iter().all(|byte| *byte == 0));
}

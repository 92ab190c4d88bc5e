//! `kiln-image` as a person meets it: damage, wrong files and wrong flags are named with what is expected.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, os::unix::fs::FileExt, path::Path, process::Command};

use image::{
    assemble::{Parts, Slot, write_disk},
    fat32::Source,
    grub::Env,
};

fn kiln_image(args: &[&str]) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_kiln-image"))
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), text)
}

fn disk(path: &Path, manifest: &[u8]) {
    let files = [
        ("EFI/debian/grubenv", Env::fresh().bytes()),
        ("a/manifest.json", manifest.to_vec()),
        ("kiln.toml", Vec::new()),
    ];
    let none = Path::new("/nonexistent").to_owned();
    let parts = Parts {
        slot: Slot {
            vmlinuz: none.clone(),
            initrd: none.clone(),
            system: none,
        },
        boot: files.map(|(n, b)| (n.to_owned(), Source::Bytes(b))).into(),
        bios: None,
    };
    write_disk(&parts, path).unwrap();
}

/// A manifest with the files that every slot has.
fn manifest() -> Vec<u8> {
    let note = format!(r#"{{"size":0,"sha256":"{}"}}"#, "0".repeat(64));
    format!(
        r#"{{"format":"kiln-slot/1","version":"1","board":"x86-64","arch":"x86_64","kernel":"6",
        "files":{{"vmlinuz":{note},"initrd":{note},"system.erofs":{note}}},"packages":[]}}"#
    )
    .into_bytes()
}

#[test]
fn an_image_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.img");
    disk(&path, &manifest());
    let (ok, text) = kiln_image(&["inspect", path.to_str().unwrap()]);
    assert!(ok, "{text}");
    for needed in [
        "boot",
        "/a/manifest.json",
        "0 bytes of no sector",
        "prefer=a",
        "Kiln 1 for x86-64",
        "not signed",
    ] {
        assert!(text.contains(needed), "{needed} is missing in\n{text}");
    }
}

#[test]
fn damage_is_told_by_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.img");
    disk(&path, &manifest());
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[9], 1024 + 3).unwrap();
    let (ok, text) = kiln_image(&["inspect", path.to_str().unwrap()]);
    assert!(
        !ok && text.contains("partition table") && text.contains("damaged"),
        "{text}"
    );

    disk(&path, b"{\"version\": 1}");
    let (ok, text) = kiln_image(&["inspect", path.to_str().unwrap()]);
    assert!(
        !ok && text.contains("manifest.json") && text.contains("expected a string"),
        "{text}"
    );

    fs::write(&path, "no image").unwrap();
    let (ok, text) = kiln_image(&["verify", path.to_str().unwrap(), "--board", "x86-64"]);
    assert!(
        !ok && text.contains("d.img") && text.contains("expected a disk image"),
        "{text}"
    );
}

#[test]
fn an_incomplete_image_does_not_verify() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.img");
    disk(&path, &manifest());
    let (ok, text) = kiln_image(&["verify", path.to_str().unwrap(), "--board", "arm64"]);
    assert!(!ok && text.contains("has no EFI/debian/grub.cfg"), "{text}");
}

#[test]
fn wrong_flags_and_boards_say_what_there_is() {
    let (ok, text) = kiln_image(&["boards"]);
    assert!(ok && text.contains("x86-64") && text.contains("arm64"), "{text}");
    let (ok, text) = kiln_image(&["verify", "/dev/null", "--board", "toaster"]);
    assert!(
        !ok && text.contains("toaster") || text.contains("expected a disk image"),
        "{text}"
    );
    let (ok, text) = kiln_image(&["build", "--board", "toaster", "--out", "/dev/null"]);
    assert!(!ok && text.contains("toaster") && text.contains("x86-64"), "{text}");
    let (ok, text) = kiln_image(&["build", "--bord", "x86-64"]);
    assert!(!ok && text.contains("--bord") && text.contains("--board"), "{text}");
    let (ok, text) = kiln_image(&["run", "--drives", "99"]);
    assert!(!ok && text.contains("99") && text.contains("12"), "{text}");
    let (ok, text) = kiln_image(&["flash", "/dev/null", "/dev/null"]);
    assert!(!ok && text.contains("not a block device"), "{text}");
}

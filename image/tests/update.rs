//! `kiln-image bundle`, `keygen` and `keys`: what they make is taken by a box that trusts the keys, and by no other.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use bundle::{KeySet, Refused, Target, Verifier};
use image::cpio::{Archive, Node};
use image::fat32::{self, SECTOR, Source};
use image::gpt::{BOOT_FIRST, BOOT_SECTORS, TOTAL};
use image::key::Key;
use image::signature::Signatures;
use image::slot::{FORMAT, FileNote, Manifest};
use image::update::{Files, Making, write};
use image::workspace::Workspace;
use sha2::{Digest, Sha256};

/// A slot's files with made-up bytes, noted and signed as the builder does it.
fn files() -> Files {
    let files: Files = [("vmlinuz", 700_000), ("initrd", 1 << 20), ("system.erofs", 2_500_000)]
        .map(|(n, len)| {
            (
                n.to_owned(),
                (0..len)
                    .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
                    .collect(),
            )
        })
        .into();
    signed(files)
}

/// With a manifest of these files, and its signature.
fn signed(mut files: Files) -> Files {
    let note = |b: &Vec<u8>| FileNote {
        size: b.len() as u64,
        sha256: hex::encode(Sha256::digest(b)),
    };
    let manifest = Manifest {
        format: FORMAT.into(),
        version: "0.2.0".into(),
        board: "x86-64".into(),
        arch: "x86_64".into(),
        kernel: "6".into(),
        files: files.iter().map(|(n, b)| (n.clone(), note(b))).collect(),
        packages: vec![],
    };
    let manifest = manifest.json().unwrap();
    files.insert(
        "manifest.sig".into(),
        Signatures::of(&manifest, &Key::development()).json().unwrap(),
    );
    files.insert("manifest.json".into(), manifest);
    files
}

/// An image whose slot a has these files; sparse.
fn image(path: &Path) {
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    file.set_len(TOTAL * SECTOR).unwrap();
    let sources = files()
        .into_iter()
        .map(|(n, b)| (format!("a/{n}"), Source::Bytes(b)))
        .collect();
    fat32::write(&mut file, path, BOOT_FIRST, BOOT_SECTORS, "KILN", &sources).unwrap();
}

#[test]
fn a_bundle_is_made_of_what_its_slot_vouches_for_and_is_as_old_as_its_system() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("x.kiln");
    let made = |files: &Files| {
        let making = Making {
            keys: vec![Key::development()],
            ..Making::default()
        };
        write(&Workspace::find(), files, &making, &out).map_err(|e| e.to_string())
    };
    let mut files = files();
    let late = made(&files).unwrap().built;
    let mut initrd = Archive::default();
    initrd.add(
        "kiln/board.toml",
        Node::File(0o644, b"name = \"x\"\nbuilt = 1700000001\n".to_vec()),
    );
    files.insert("initrd".into(), initrd.bytes());
    for about in ["manifest.json", "manifest.sig"] {
        files.remove(about);
    }
    let files = signed(files);
    assert_eq!(made(&files).unwrap().built, 1_700_000_001);
    assert!(late > 1_700_000_001, "what does not say so is as old as this tree");

    type Damage = fn(&mut Files);
    let damages: [(Damage, &str); 4] = [
        (|f| f.get_mut("vmlinuz").unwrap()[7] ^= 1, "vmlinuz has SHA-256"),
        (
            |f| f.get_mut("manifest.json").unwrap().push(b' '),
            "does not fit manifest.json",
        ),
        (|f| drop(f.remove("manifest.sig")), "no manifest.sig"),
        (
            |f| drop(f.insert("late.ko".into(), vec![1])),
            "not in its manifest.json",
        ),
    ];
    for (damage, part) in damages {
        let mut files = files.clone();
        damage(&mut files);
        let told = made(&files).unwrap_err();
        assert!(told.contains(part), "expected {part:?} in {told:?}");
    }
}

fn kiln_image(dir: &Path, args: &[&str]) -> Result<String, String> {
    let out = Command::new(env!("CARGO_BIN_EXE_kiln-image"))
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap();
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    if out.status.success() {
        Ok(text(&out.stdout))
    } else {
        Err(text(&out.stderr))
    }
}

fn takes(bundle: &Path, keys: &Path) -> Result<Vec<u8>, Refused> {
    let mut v = Verifier::new(Target {
        board: "x86-64".into(),
        arch: "x86_64".into(),
        running: "0.1.0".into(),
        keys: KeySet::parse(&std::fs::read(keys).unwrap())?,
        downgrade: false,
    });
    let mut out = Vec::new();
    for part in std::fs::read(bundle).unwrap().chunks(300_001) {
        out.extend(v.push(part)?.into_iter().flat_map(|p| p.bytes));
    }
    v.finish().map(|()| out)
}

#[test]
fn a_bundle_is_made_of_an_image_twice_the_same_and_taken_by_its_keys_alone() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let p = |name: &str| -> PathBuf { d.join(name) };
    image(&p("kiln.img"));
    for n in ["one", "two", "three", "new"] {
        kiln_image(d, &["keygen", "--out", n]).unwrap();
    }
    let keys = [
        "keys",
        "--out",
        "old.json",
        "--threshold",
        "2",
        "one.pub",
        "two.pub",
        "three.pub",
    ];
    kiln_image(d, &keys).unwrap();
    let make = |out: &str, more: &[&str]| {
        let args = ["bundle", "--board", "x86-64", "--image", "kiln.img", "--out", out];
        kiln_image(d, &[&args, more].concat())
    };
    let told = make("two.kiln", &["--key", "one", "--key", "three"]).unwrap();
    assert!(told.contains("version 0.2.0 for x86-64"), "{told}");
    make("again.kiln", &["--key", "one", "--key", "three"]).unwrap();
    assert_eq!(
        std::fs::read(p("two.kiln")).unwrap(),
        std::fs::read(p("again.kiln")).unwrap()
    );
    let whole: Vec<u8> = files().into_values().flatten().collect();
    assert_eq!(takes(&p("two.kiln"), &p("old.json")).unwrap(), whole);

    make("one.kiln", &["--key", "one"]).unwrap();
    assert_eq!(
        takes(&p("one.kiln"), &p("old.json")).unwrap_err().kind(),
        "too-few-signatures"
    );
    make("new.kiln", &["--key", "new"]).unwrap();
    assert_eq!(takes(&p("new.kiln"), &p("old.json")).unwrap_err().kind(), "wrong-key");
    // The old keys vouch for the new one; then it is taken.
    let vouch = [
        "keys",
        "--out",
        "next.json",
        "--version",
        "2",
        "new.pub",
        "--vouch",
        "one",
        "--vouch",
        "two",
        "--vouch",
        "new",
    ];
    kiln_image(d, &vouch).unwrap();
    make("rotated.kiln", &["--key", "new", "--rotation", "next.json"]).unwrap();
    assert_eq!(takes(&p("rotated.kiln"), &p("old.json")).unwrap(), whole);
    make("far.kiln", &["--key", "one", "--key", "two", "--min-version", "0.1.5"]).unwrap();
    assert_eq!(takes(&p("far.kiln"), &p("old.json")).unwrap_err().kind(), "too-far");

    let told = make("x.kiln", &["--key", "one.pub"]).unwrap_err();
    assert!(told.contains("PRIVATE KEY"), "{told}");
    let told = kiln_image(d, &["keys", "--out", "x.json", "--threshold", "2", "one.pub"]).unwrap_err();
    assert!(told.contains("threshold"), "{told}");
    let told = kiln_image(
        d,
        &[
            "bundle", "--board", "arm64", "--image", "kiln.img", "--out", "y.kiln", "--key", "one",
        ],
    );
    assert!(told.unwrap_err().contains("the image is for board x86-64"));
}

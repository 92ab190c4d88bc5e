//! The boot partition's file system over random trees: what is written is read back, whole and contiguous, and
//! `fsck.vfat` (where it is installed) finds nothing to say.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests"
)]

use image::fat32::{Reader, SECTOR, Source, write};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs::File, path::Path, process::Command};

const SECTORS: u64 = 300 * 2048;
const FIRST: u64 = 0;

fn make(path: &Path, files: &BTreeMap<String, Source>) {
    let mut f = File::create_new(path).unwrap();
    f.set_len(SECTORS * SECTOR).unwrap();
    write(&mut f, path, FIRST, SECTORS, "KILN", files).unwrap();
}

fn check(files: &BTreeMap<String, Source>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fat.img");
    make(&path, files);
    let file = File::open(&path).unwrap();
    let reader = Reader::open(&file, FIRST).unwrap();
    let entries = reader.walk().unwrap();
    for (name, source) in files {
        let Source::Bytes(bytes) = source else { unreachable!() };
        let e = entries
            .iter()
            .find(|e| &e.path == name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(&reader.read(e).unwrap(), bytes, "{name}");
        assert!(reader.contiguous(e).unwrap(), "{name} is in pieces");
    }
    assert_eq!(entries.iter().filter(|e| !e.is_dir).count(), files.len());
    match Command::new("fsck.vfat").args(["-n", "-v"]).arg(&path).output() {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout)),
        Err(_) => rig::not_run("fsck.vfat is not installed"),
    }
}

fn tree() -> impl Strategy<Value = BTreeMap<String, Source>> {
    let name = prop_oneof![
        "[a-z]{1,8}",
        "[A-Z]{1,8}\\.[A-Z]{3}",
        "[a-zA-Z0-9_-]{1,30}\\.[a-z]{1,6}",
        "[äöü a-z]{1,20}x"
    ];
    let file = (
        prop::collection::vec("[a-z]{1,10}", 0..3),
        name,
        prop::collection::vec(any::<u8>(), 0..9000),
    );
    prop::collection::vec(file, 1..60).prop_map(|files| {
        let mut tree = BTreeMap::new();
        let mut seen = std::collections::HashSet::new();
        for (dirs, name, bytes) in files {
            // Directories carry a suffix that no file has, and case alone does not tell names apart on FAT.
            let mut path: String = dirs.iter().map(|d| format!("{d}-d/")).collect();
            path.push_str(&name);
            if seen.insert(path.to_lowercase()) {
                tree.insert(path, Source::Bytes(bytes));
            }
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn any_tree_comes_back(files in tree()) {
        check(&files);
    }
}

#[test]
fn a_directory_of_many_long_names_needs_several_clusters() {
    let files = (0..300)
        .map(|i| {
            (
                format!("d/a rather long file name {i}.text"),
                Source::Bytes(vec![i as u8; 10]),
            )
        })
        .collect();
    check(&files);
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files: BTreeMap<_, _> = [
        ("a/vmlinuz", vec![1; 70_000]),
        ("kiln.toml", vec![2; 5]),
        ("empty", vec![]),
    ]
    .map(|(n, b)| (n.to_owned(), Source::Bytes(b)))
    .into();
    let paths = ["1", "2"].map(|n| dir.path().join(n));
    for p in &paths {
        make(p, &files);
    }
    assert!(std::fs::read(&paths[0]).unwrap() == std::fs::read(&paths[1]).unwrap());
}

#[test]
fn what_does_not_fit_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fat.img");
    let big = dir.path().join("big");
    File::create(&big).unwrap().set_len(SECTORS * SECTOR).unwrap();
    let mut f = File::create_new(&path).unwrap();
    f.set_len(SECTORS * SECTOR).unwrap();
    let e = write(
        &mut f,
        &path,
        0,
        SECTORS,
        "KILN",
        &[("big".to_owned(), Source::File(big))].into(),
    )
    .unwrap_err();
    assert!(e.to_string().contains("full"), "{e}");
    let e = write(&mut f, &path, 0, 1000, "KILN", &BTreeMap::new()).unwrap_err();
    assert!(e.to_string().contains("FAT32"), "{e}");
}

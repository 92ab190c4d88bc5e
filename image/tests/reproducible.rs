//! The builder run twice on the same inputs gives the same bytes.
//!
//! The first test does it with made-up files through every writer of ours (file system, tables, archive, environment
//! block), in a second. The second makes both boards' whole images twice in empty folders, mkfs.erofs and grub-mkimage
//! included; it needs the packages (`--features boot-tests`).
#![allow(clippy::unwrap_used, reason = "tests")]

use image::{
    assemble::{Parts, Slot, write_disk},
    cpio::{Archive, Node},
    fat32::Source,
    grub::Env,
};
use std::path::Path;

/// The same parts, put together in this or the opposite order, from files of different names.
fn parts(dir: &Path, backwards: bool) -> Parts {
    let mut archive = Archive::default();
    let mut members = vec![
        ("init", Node::File(0o755, vec![1; 5000])),
        ("etc/hosts", Node::File(0o644, b"x".to_vec())),
        ("lib", Node::Link("usr/lib".into())),
    ];
    if backwards {
        members.reverse();
    }
    for (p, n) in members {
        archive.add(p, n);
    }
    let initrd = dir.join(if backwards { "one" } else { "other" });
    std::fs::write(&initrd, archive.bytes()).unwrap();
    let mut files = vec![
        ("a/initrd".to_owned(), Source::File(initrd.clone())),
        ("a/system.erofs".to_owned(), Source::Bytes(vec![7; 100_000])),
        ("EFI/debian/grubenv".to_owned(), Source::Bytes(Env::fresh().bytes())),
        ("kiln.toml".to_owned(), Source::Bytes(vec![])),
    ];
    if backwards {
        files.reverse();
    }
    Parts {
        slot: Slot {
            vmlinuz: initrd.clone(),
            initrd: initrd.clone(),
            system: initrd,
        },
        boot: files.into_iter().collect(),
        bios: Some(([0xcc; 512], vec![3; 2000])),
    }
}

/// Whether two files have the same bytes.
fn same(a: &Path, b: &Path) -> bool {
    use std::io::Read;
    let mut files = [a, b].map(|p| std::fs::File::open(p).unwrap());
    let mut buffers = [vec![0; 1 << 20], vec![0; 1 << 20]];
    loop {
        let [n, m] = [0, 1].map(|i| {
            let mut filled = 0;
            while filled < buffers[i].len() {
                match files[i].read(&mut buffers[i][filled..]).unwrap() {
                    0 => break,
                    k => filled += k,
                }
            }
            filled
        });
        if n != m || buffers[0][..n] != buffers[1][..n] {
            return false;
        }
        if n == 0 {
            return true;
        }
    }
}

#[test]
fn the_same_parts_give_the_same_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disks = [false, true].map(|backwards| {
        let out = dir
            .path()
            .join("a folder that is not there yet")
            .join(format!("{backwards}.img"));
        write_disk(&parts(dir.path(), backwards), &out).unwrap();
        out
    });
    assert!(same(&disks[0], &disks[1]));
    let mut other = parts(dir.path(), false);
    other.boot.insert("kiln.toml".into(), Source::Bytes(vec![1]));
    let out = dir.path().join("other.img");
    write_disk(&other, &out).unwrap();
    assert!(!same(&out, &disks[0]), "the comparison sees one byte");
}

#[cfg(feature = "boot-tests")]
#[test]
fn a_board_built_twice_from_scratch_is_the_same() {
    use image::{
        assemble::{self, Options},
        board::Board,
        cross::Binaries,
        inspect::Image,
        loader::Loader,
        workspace::Workspace,
    };
    let ws = Workspace::find();
    for name in ["x86-64", "arm64"] {
        let board = Board::load(&ws.boards(), name).unwrap();
        let binaries = Binaries::build(&ws, &board, false).unwrap();
        let works = [1, 2].map(|_| tempfile::tempdir().unwrap());
        let disks = works.each_ref().map(|work| {
            let options = Options {
                work: Some(work.path().to_owned()),
                ..Options::default()
            };
            let out = work.path().join("disk.img");
            write_disk(&assemble::parts(&ws, &board, &binaries, &options).unwrap(), &out).unwrap();
            let loader = Loader::at_hand(&ws, &board).unwrap();
            assert!(loader.is_some(), "its packages have just been fetched");
            Image::open(&out).unwrap().verify(&board, &[], loader.as_ref()).unwrap();
            out
        });
        assert!(same(&disks[0], &disks[1]), "{name}");
    }
}

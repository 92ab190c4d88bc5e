//! Over file systems that the box's own call of `mke2fs` made, with the real `e2fsck`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::boot::data::filesystem::MAKING;

const SIZE: u64 = 48 << 20;
const TEXT: &str = "history of this box\n";

struct Medium {
    dir: tempfile::TempDir,
    part: PathBuf,
    calls: Vec<Vec<String>>,
}

fn tool(name: &str, args: &[&str]) -> std::process::Output {
    let path = "/usr/sbin:/sbin:/usr/bin:/bin";
    let run = Command::new(name).args(args).env("PATH", path).output();
    run.expect("mke2fs, e2fsck and debugfs are in e2fsprogs")
}

impl Medium {
    fn blank() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("data");
        File::create(&part).unwrap().set_len(SIZE).unwrap();
        let calls = Vec::new();
        Medium { dir, part, calls }
    }

    /// DATA with a file in it.
    fn used() -> Self {
        let medium = Self::blank();
        medium.make();
        let file = medium.dir.path().join("file");
        fs::write(&file, TEXT).unwrap();
        medium.debugfs(&format!("write {} kept", file.display()));
        assert_eq!(medium.content(), TEXT);
        medium
    }

    fn make(&self) {
        let mut args = MAKING.to_vec();
        let node = self.part.to_string_lossy();
        args.push(&node);
        assert!(tool("mke2fs", &args).status.success());
    }

    fn debugfs(&self, what: &str) -> String {
        let out = tool("debugfs", &["-w", "-R", what, &self.part.to_string_lossy()]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn content(&self) -> String {
        self.debugfs("cat kept")
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(&self.part).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    fn lose_superblock(&self) {
        self.write(1024, &[0; SUPERBLOCK]);
    }

    fn settle(&mut self) -> Result<Fate, String> {
        self.settle_after(&mut || {})
    }

    /// `again`: what happens to the medium between two looks.
    fn settle_after(&mut self, again: &mut dyn FnMut()) -> Result<Fate, String> {
        let (part, calls) = (self.part.clone(), &mut self.calls);
        settle(&part, again, &mut |options| {
            calls.push(options.iter().map(|o| (*o).to_owned()).collect());
            let mut args = options.to_vec();
            let node = part.to_string_lossy();
            args.push(&node);
            tool("e2fsck", &args).status.code()
        })
    }
}

#[test]
fn a_lost_superblock_costs_nothing_of_what_is_on_it() {
    let mut m = Medium::used();
    m.lose_superblock();
    assert_ne!(m.content(), TEXT, "the superblock is still there");
    assert_eq!(m.settle(), Ok(Fate::Revived));
    assert_eq!(m.content(), TEXT);
    assert_eq!(m.calls.len(), 1);
}

#[test]
fn a_later_copy_is_taken_where_the_first_is_lost_too() {
    let mut m = Medium::used();
    m.write(0, &[0; BLANK]);
    let first = Place {
        group: 1,
        block_size: 1024,
    };
    m.write(first.at(), &[0; SUPERBLOCK]);
    assert_eq!(m.settle(), Ok(Fate::Revived));
    assert_eq!(m.content(), TEXT);
    assert_eq!(m.calls, [["-f", "-y", "-b", "24577", "-B", "1024"]]);
}

#[test]
fn a_blank_partition_is_new_and_nothing_is_asked() {
    let mut m = Medium::blank();
    let mut looks = 1;
    assert_eq!(m.settle_after(&mut || looks += 1), Ok(Fate::New));
    assert!(m.calls.is_empty() && looks == 2);
}

/// The medium reads as `once` before the second look, and as what it holds from then on.
fn reads_once(m: &mut Medium, once: &[u8]) -> Result<Fate, String> {
    let (part, aside) = (m.part.clone(), m.dir.path().join("aside"));
    fs::rename(&part, &aside).unwrap();
    File::create(&part).unwrap().set_len(SIZE).unwrap();
    m.write(0, once);
    m.settle_after(&mut || fs::rename(&aside, &part).unwrap())
}

#[test]
fn a_medium_that_reads_wrong_once_is_not_made_anew() {
    for once in [&[0; 1][..], &[0xA5; BLANK][..], b"XFSB"] {
        let mut m = Medium::used();
        assert_eq!(reads_once(&mut m, once), Ok(Fate::There), "{:?}", &once[..1]);
        assert!(m.calls.is_empty(), "nothing is repaired");
        assert_eq!(m.content(), TEXT);
    }
    // One that has lost its superblock besides, and one that shows nothing only at the second look.
    let mut m = Medium::used();
    m.lose_superblock();
    assert_eq!(reads_once(&mut m, &[0]), Ok(Fate::Revived));
    assert_eq!(m.content(), TEXT);
    let mut m = Medium::blank();
    let why = reads_once(&mut m, &[0xA5; BLANK]).unwrap_err();
    assert!(why.contains("reads differently"), "{why}");
}

#[test]
fn garbage_everywhere_is_told_as_lost() {
    let mut m = Medium::blank();
    let mut x = 0x2545_f491_4f6c_dd1d_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()[3]
    })
    .take(usize::try_from(SIZE).unwrap())
    .collect();
    m.write(0, &noise);
    assert_eq!(m.settle(), Ok(Fate::Lost));
    assert_eq!(m.calls, [["-f", "-y"]]);
}

/// A stick with an older DATA that was flashed again: the image has zeros for the first MiB.
#[test]
fn a_fresh_medium_does_not_bring_back_what_the_stick_was_before() {
    let mut m = Medium::used();
    m.write(0, &vec![0; 1 << 20]);
    note_new(&m.part).unwrap();
    assert_eq!(m.settle(), Ok(Fate::New));
    // Without the note it would.
    let note = fs::read(&m.part).unwrap()[..512].to_vec();
    m.write(0, &[0; 512]);
    assert_eq!(m.settle(), Ok(Fate::Revived));
    // Making it takes the note away, and what is lost afterwards is no new medium.
    m.write(0, &vec![0; 1 << 20]);
    m.write(0, &note);
    forget(&m.part).unwrap();
    m.make();
    made(&m.part).unwrap();
    assert!(!fs::read(&m.part).unwrap().starts_with(NEW));
    m.lose_superblock();
    assert_eq!(m.settle(), Ok(Fate::Revived));
}

#[test]
fn the_note_is_for_what_has_neither_a_superblock_nor_a_mark() {
    let m = Medium::used();
    let before = fs::read(&m.part).unwrap();
    note_new(&m.part).unwrap();
    made(&m.part).unwrap();
    assert!(fs::read(&m.part).unwrap() == before);
    let m = Medium::blank();
    reset::ask(&m.part).unwrap();
    note_new(&m.part).unwrap();
    assert!(reset::asked(&m.part));
}

#[test]
fn after_a_reset_that_was_cut_short_nothing_of_the_old_comes_back() {
    let mut m = Medium::used();
    forget(&m.part).unwrap();
    // mke2fs takes mark and superblock away first, and writes its own last.
    m.write(0, &[0; 4096]);
    assert_eq!(m.settle(), Ok(Fate::Lost));
    m.make();
    assert_eq!(m.content(), "");
}

#[test]
fn anothers_file_system_is_left_alone() {
    for (at, signature, name) in OTHERS {
        let mut m = Medium::used();
        m.lose_superblock();
        m.write(at as u64, signature);
        let before = fs::read(&m.part).unwrap();
        let why = m.settle().unwrap_err();
        assert!(why.contains(name), "{why}");
        assert!(m.calls.is_empty() && fs::read(&m.part).unwrap() == before);
    }
}

#[test]
fn what_cannot_be_judged_is_not_made_anew() {
    let mut m = Medium::used();
    m.lose_superblock();
    // Copies that e2fsck makes nothing of, and an e2fsck that did not come to its end.
    for status in [Some(8), Some(12), Some(16), Some(32), Some(128), None] {
        let mut calls = 0;
        let settled = settle(&m.part, &mut || {}, &mut |_| {
            calls += 1;
            status
        });
        assert!(settled.is_err() && calls == 3, "{status:?}: {settled:?}, {calls}");
    }
    m = Medium::blank();
    m.write(5000, b"something");
    for (status, fate) in [
        (Some(1), Some(Fate::Revived)),
        (Some(8), Some(Fate::Lost)),
        (Some(32), None),
        (None, None),
    ] {
        assert_eq!(settle(&m.part, &mut || {}, &mut |_| status).ok(), fate, "{status:?}");
    }
    // The beginning cannot be read: a folder answers each read with an error.
    assert!(settle(m.dir.path(), &mut || {}, &mut |_| Some(8)).is_err());
}

#[test]
fn a_block_that_cannot_be_read_is_not_blank() {
    let place = places().next().unwrap();
    let head = vec![0; HEAD];
    assert_eq!(holds(&head, &[(place, Some(vec![0; SUPERBLOCK]))]), Holds::Nothing);
    assert_eq!(holds(&head, &[(place, None)]), Holds::Garbage);
    assert_eq!(
        holds(&head[..4096], &[]),
        Holds::Nothing,
        "a partition smaller than that"
    );
}

#[test]
fn copies_are_looked_for_where_mke2fs_puts_them() {
    for (size, block_size) in [(SIZE, 1024), (1 << 30, 4096)] {
        let m = Medium::blank();
        // Nothing of it is written: a file with a hole.
        File::options()
            .write(true)
            .open(&m.part)
            .unwrap()
            .set_len(size)
            .unwrap();
        let mut args = vec!["-n"];
        args.extend(&MAKING[1..]);
        let node = m.part.to_string_lossy();
        args.push(&node);
        let out = tool("mke2fs", &args);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let (_, listed) = text.split_once("stored on blocks:").expect("mke2fs lists them");
        let listed: Vec<u64> = listed
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok())
            .collect();
        let ours: Vec<u64> = places()
            .filter(|p| p.block_size == block_size && p.at() < size)
            .map(Place::block)
            .collect();
        assert!(!listed.is_empty() && ours == listed, "{ours:?} {text}");
    }
}

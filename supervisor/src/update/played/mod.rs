//! A medium that is played, for the tests of this folder: a boot partition as the image's own writer makes it, below a cache whose
//! sectors reach it at a flush, or by luck.
//!
//! | part | what |
//! |---|---|
//! | `writes` | a whole update, and what may not be written |
//! | `cuts` | the power is cut at every write |
//! | `settled` | how a start after an update ends |
//! | `damaged` | files of people's, and of a slot, that are damaged |
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a failed unwrap is a failed test"
)]

mod cuts;
mod damaged;
mod settled;
mod writes;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::OnceLock;

use bundle::env::Env;
use bundle::fat::{Read, SECTOR};
use bundle::{CHUNK, Head, Key, KeySet, Manifest, Target};
use image::fat32::Source;
use wire::update::UpdateNeeds;

use super::partition::Medium;
use super::slots::Slots;
use super::writer::{Refusal, Writer};

/// Sectors of the smallest FAT32 of ours.
const SECTORS: u64 = 540_672;

type Files = Vec<(&'static str, Vec<u8>)>;

/// Files of a system; `kind` makes them differ, but for the kernel, which two of them share.
fn system(kind: u64) -> &'static Files {
    static MADE: [OnceLock<Files>; 10] = [const { OnceLock::new() }; 10];
    MADE[kind as usize].get_or_init(|| make(kind))
}

fn make(kind: u64) -> Files {
    let bytes = |seed: u64, len: u64| {
        let mut x = seed;
        let mut next = || {
            // Marsaglia's xorshift64.
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        };
        (0..len).map(|_| next()).collect::<Vec<u8>>()
    };
    let manifest = format!("{{\"version\":\"{kind}.0\"}}").into_bytes();
    vec![
        ("initrd", bytes(kind * 10 + 1, CHUNK)),
        ("manifest.json", manifest),
        ("manifest.sig", bytes(kind * 10 + 2, 300)),
        ("system.erofs", bytes(kind * 10 + 3, CHUNK + 4097)),
        ("vmlinuz", bytes(7, CHUNK / 2)),
    ]
}

/// A boot partition with slot a (version 1) and, where asked for, an older slot b (version 9).
fn partition(with_b: bool, env: &Env) -> Rc<File> {
    let mut sources = BTreeMap::new();
    let mut put = |path: String, bytes: Vec<u8>| drop(sources.insert(path, Source::Bytes(bytes)));
    put("EFI/debian/grubenv".into(), env.bytes());
    put("EFI/BOOT/BOOTX64.EFI".into(), vec![7; 5000]);
    put("kiln.toml".into(), b"hostname = \"shelf\"\n".to_vec());
    for (slot, kind) in [("a", 1), ("b", 9)].iter().take(1 + usize::from(with_b)) {
        for (name, bytes) in system(*kind) {
            put(format!("{slot}/{name}"), bytes.clone());
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(SECTORS * SECTOR).unwrap();
    image::fat32::write(&mut file, "played".as_ref(), 0, SECTORS, "KILN", &sources).unwrap();
    Rc::new(file)
}

/// A medium with a volatile cache.
#[derive(Clone)]
struct Disk {
    base: Rc<File>,
    kept: BTreeMap<u64, [u8; 512]>,
    /// In the order of writing.
    cache: Vec<(u64, [u8; 512])>,
    /// What a reader sees: both.
    seen: BTreeMap<u64, [u8; 512]>,
    /// Acts until the power goes.
    acts_left: usize,
    acts: usize,
    /// It says that it has flushed, and has not.
    lies: bool,
}

impl Disk {
    fn new(base: &Rc<File>) -> Self {
        Self {
            base: Rc::clone(base),
            kept: BTreeMap::new(),
            cache: Vec::new(),
            seen: BTreeMap::new(),
            acts_left: usize::MAX,
            acts: 0,
            lies: false,
        }
    }

    fn act(&mut self) -> io::Result<()> {
        self.acts_left = self.acts_left.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        self.acts += 1;
        Ok(())
    }

    /// After a power cut: of the sectors in the cache, those arrive that `arrives` names by their place in it.
    fn cut(mut self, arrives: impl Fn(usize) -> bool) -> Self {
        for (n, (sector, bytes)) in self.cache.drain(..).enumerate() {
            if arrives(n) {
                self.kept.insert(sector, bytes);
            }
        }
        self.seen = self.kept.clone();
        self.acts_left = usize::MAX;
        self.lies = false;
        self
    }
}

impl Read for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.base.read_exact_at(buffer, offset)?;
        let end = offset + buffer.len() as u64;
        for (sector, bytes) in self.seen.range(offset / SECTOR..end.div_ceil(SECTOR)) {
            let at = sector * SECTOR;
            let (from, to) = (at.max(offset), (at + SECTOR).min(end));
            if from < to {
                buffer[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
            }
        }
        Ok(())
    }
}

impl Medium for Disk {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(
            offset.is_multiple_of(SECTOR) && bytes.len().is_multiple_of(512),
            "whole sectors"
        );
        self.act()?;
        for (n, b) in bytes.chunks_exact(512).enumerate() {
            let (sector, bytes) = (offset / SECTOR + n as u64, b.try_into().unwrap());
            self.cache.push((sector, bytes));
            self.seen.insert(sector, bytes);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.act()?;
        if !self.lies {
            self.kept.extend(self.cache.drain(..));
        }
        Ok(())
    }
}

fn key() -> Key {
    Key::from_seed(&[1; 32])
}

fn target() -> Target {
    Target {
        board: "x86-64".into(),
        arch: "x86_64".into(),
        running: "1.0".into(),
        keys: KeySet::new(1, 1, vec![key().public()]).unwrap(),
        downgrade: false,
    }
}

/// Version 2, and its head.
fn update() -> (Manifest, Vec<u8>) {
    let files: Vec<(&str, &[u8])> = system(2).iter().map(|(n, b)| (*n, b.as_slice())).collect();
    let m = Manifest::new(("x86-64", "x86_64"), ("2.0", "0"), 1, &files).unwrap();
    let head = Head::sign(m.clone(), Vec::new(), &[&key()]).bytes();
    (m, head)
}

/// Bytes of chunk `number` of version 2.
fn chunk(m: &Manifest, number: u32) -> Vec<u8> {
    let c = m.chunks().nth(number as usize).unwrap();
    let (_, bytes) = system(2).iter().find(|(n, _)| *n == c.name).unwrap();
    bytes[c.at as usize..c.at as usize + c.len].to_vec()
}

/// Sends the whole update; what it needed.
fn send(disk: &mut Disk) -> Result<UpdateNeeds, Refusal> {
    let (m, head) = update();
    let (mut w, needs) = Writer::begin(disk, &head, &target(), "a", &mut |_| {})?;
    for c in &needs.need {
        w.chunk(disk, c.number, &chunk(&m, c.number))?;
    }
    w.finish(disk, &|| false, |_, _| Ok(()))?;
    Ok(needs)
}

/// Which version is whole in a slot.
fn whole(slots: &Slots, disk: &Disk, slot: &str) -> Option<u64> {
    [1, 2, 9].into_iter().find(|&kind| {
        system(kind).iter().all(|(name, bytes)| {
            let e = slots.file(slot, name);
            e.is_some_and(|e| slots.volume.file(disk, e).is_ok_and(|b| b == *bytes))
        })
    })
}

/// The slot that `grub.cfg` starts: written from that file, not from the code under test.
fn grub_starts(slots: &Slots) -> &'static str {
    let var = |n: &str| slots.env.as_ref().ok().and_then(|e| e.get(n)).unwrap_or("").to_owned();
    let there = |s: &str| {
        ["vmlinuz", "initrd", "system.erofs"]
            .iter()
            .all(|n| slots.file(s, n).is_some_and(|e| e.size > 0))
    };
    let (prefer, other) = if var("prefer") == "b" { ("b", "a") } else { ("a", "b") };
    let counts = |s: &str| matches!(var(s).as_str(), "good" | "trying") && there(s);
    let spent = var(prefer) == "trying" && !matches!(var("left").as_str(), "1" | "2" | "3");
    if counts(prefer) && !spent {
        return prefer;
    }
    if counts(other) {
        return other;
    }
    // Nothing may be started: the last one that was kept, else the preferred one, else what is there.
    let kept = ["a", "b"].into_iter().find(|s| var("kept") == *s && there(s));
    kept.unwrap_or(if there(prefer) { prefer } else { other })
}

/// What must hold after every cut; the slot that GRUB starts.
fn checked(disk: &Disk) -> Result<&'static str, String> {
    let slots = Slots::read(disk)?;
    slots.env.clone()?;
    if whole(&slots, disk, "a") != Some(1) {
        return Err("the system that runs is damaged".into());
    }
    for (path, bytes) in [
        ("kiln.toml", b"hostname = \"shelf\"\n".to_vec()),
        ("EFI/BOOT/BOOTX64.EFI", vec![7; 5000]),
    ] {
        let e = slots.volume.find(path).ok_or(format!("{path} is gone"))?;
        if slots.volume.file(disk, e)? != bytes {
            return Err(format!("{path} is damaged"));
        }
    }
    let started = grub_starts(&slots);
    match whole(&slots, disk, started) {
        Some(_) => Ok(started),
        None => Err(format!("GRUB starts slot {started}, which is half of something")),
    }
}

fn env(b: &str) -> Env {
    Env::fresh().with("b", b)
}

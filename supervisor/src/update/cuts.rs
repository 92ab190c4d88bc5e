//! The power is cut at every write of an update, any unflushed sectors are lost, and the update is sent again.
//!
//! The medium is played: a boot partition as the image's own writer makes it, below a cache whose sectors reach it at a flush,
//! or by luck. After every cut the slot that runs must be whole, what GRUB would start must be whole, and the same update must go
//! on and end well.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::OnceLock;

use bundle::env::Env;
use bundle::fat::{Read, SECTOR};
use bundle::{CHUNK, Head, Key, KeySet, Manifest, Target};
use image::fat32::Source;
use proptest::prelude::*;
use wire::update::{SlotState, UpdateNeeds, UpdateOutcome};

use super::notes::{self, TrialNote};
use super::partition::Medium;
use super::settle::{self, Start};
use super::slots::Slots;
use super::writer::{Refusal, Writer};
use crate::boot::record::{Record, Traces};

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
        assert!(offset % SECTOR == 0 && bytes.len() % 512 == 0, "whole sectors");
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
    w.finish(disk, |_, _| Ok(()))?;
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
    if (counts(prefer) && !spent) || !counts(other) {
        prefer
    } else {
        other
    }
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

/// Acts of a whole update.
fn acts(base: &Rc<File>) -> usize {
    let mut disk = Disk::new(base);
    send(&mut disk).unwrap();
    disk.acts
}

/// Cuts after `acts` acts, checks, sends again, checks.
fn cut_and_resume(base: &Rc<File>, acts: usize, arrives: impl Fn(usize) -> bool) -> Result<UpdateNeeds, String> {
    let mut disk = Disk::new(base);
    disk.acts_left = acts;
    let _ = send(&mut disk);
    let mut disk = disk.cut(&arrives);
    let started = checked(&disk)?;
    if started == "b" && whole(&Slots::read(&disk)?, &disk, "b") == Some(2) {
        // The switch has arrived; it is what the next start tries.
        return Err("switched".into());
    }
    let needs = send(&mut disk).map_err(|e| e.text)?;
    // The last flush has been: nothing may be lost any more.
    let disk = disk.cut(|_| false);
    let slots = Slots::read(&disk)?;
    assert_eq!((checked(&disk)?, whole(&slots, &disk, "b")), ("b", Some(2)));
    assert_eq!(slots.view("a")[1].state, SlotState::Trying);
    Ok(needs)
}

#[test]
fn an_update_is_written_copies_what_runs_and_is_the_next_to_be_started() {
    for (with_b, word) in [(false, "bad"), (true, "good"), (true, "bad"), (true, "trying")] {
        let base = partition(with_b, &env(word));
        let mut disk = Disk::new(&base);
        let needs = send(&mut disk).unwrap();
        // The kernel is the running one's: nobody sends it.
        assert_eq!((needs.chunks, needs.copied + needs.found), (6, 1));
        assert!(with_b || needs.copied == 1, "{needs:?}");
        assert_eq!(needs.need.len(), 5);
        let disk = disk.cut(|_| false);
        let slots = Slots::read(&disk).unwrap();
        let view = slots.view("a");
        assert_eq!(
            (view[1].state, view[1].tries_left, view[1].next),
            (SlotState::Trying, 3, true)
        );
        assert_eq!(view[1].version.as_deref(), Some("2.0"));
        assert_eq!(whole(&slots, &disk, "b"), Some(2));
        assert_eq!(checked(&disk), Ok("b"));
        fsck(&disk);
    }
}

/// Another reader than ours finds nothing to say.
fn fsck(disk: &Disk) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(SECTORS * SECTOR).unwrap();
    let mut bytes = vec![0; 1 << 20];
    for at in (0..SECTORS * SECTOR).step_by(1 << 20) {
        disk.read_at(at, &mut bytes).unwrap();
        if bytes.iter().any(|b| *b != 0) {
            file.as_file().write_all_at(&bytes, at).unwrap();
        }
    }
    let run = std::process::Command::new("fsck.vfat")
        .args(["-n", "-v"])
        .arg(file.path())
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output();
    let Ok(out) = run else {
        let _ = writeln!(
            io::stderr(),
            "NOT RUN: fsck.vfat over the updated boot partition: it is not installed"
        );
        return;
    };
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}");
}

#[test]
fn a_cut_at_each_write_leaves_whole_systems_and_the_update_goes_on() {
    for base in [partition(true, &env("good")), partition(false, &env("bad"))] {
        let acts = acts(&base);
        assert!(acts > 15, "{acts}");
        let mut switched = 0;
        for at in 0..acts {
            for kind in 0..4 {
                let arrives = |n: usize| [true, false, n % 2 == 0, n % 2 == 1][kind];
                match cut_and_resume(&base, at, arrives) {
                    Err(e) if e == "switched" => switched += 1,
                    Err(e) => panic!("cut after act {at} of {acts}, kind {kind}: {e}"),
                    // All arrived: what was sent before the cut is not sent again.
                    Ok(needs) if kind == 0 && at == acts - 3 => assert_eq!((needs.need.len(), needs.found), (0, 6)),
                    Ok(_) => {}
                }
            }
        }
        assert!((1..=2).contains(&switched), "the switch is one write: {switched}");
    }
}

/// The test above is able to fail.
#[test]
fn a_medium_that_lies_about_flushes_is_seen_to_do_harm() {
    let base = partition(true, &env("good"));
    let mut disk = Disk::new(&base);
    disk.lies = true;
    send(&mut disk).unwrap();
    let last = disk.cache.len() - 1;
    // Only the switch has arrived: the folder is the old one, half of its files' clusters are new.
    let harm = disk.cut(|n| n == last || n % 2 == 0);
    assert!(checked(&harm).is_err());
}

#[test]
fn what_the_medium_loses_is_found_before_the_switch() {
    struct Loses(Disk, u64);
    impl Read for Loses {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.0.read_at(offset, buffer)
        }
    }
    impl Medium for Loses {
        fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            // The medium swallows the big writes from some place on.
            let lost = bytes.len() > 100_000 && offset > self.1;
            if lost { Ok(()) } else { self.0.write_at(offset, bytes) }
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
    let base = partition(false, &env("bad"));
    let mut disk = Loses(Disk::new(&base), 0);
    let (m, head) = update();
    let (mut w, needs) = Writer::begin(&mut disk, &head, &target(), "a", &mut |_| {}).unwrap();
    for c in &needs.need {
        w.chunk(&mut disk, c.number, &chunk(&m, c.number)).unwrap();
    }
    let e = w.finish(&mut disk, |_, _| Ok(())).unwrap_err();
    assert_eq!((e.kind, e.text.contains("replace it")), ("medium", true), "{e:?}");
    assert_eq!(checked(&disk.0), Ok("a"));
}

#[test]
fn what_may_not_be_written_is_refused_and_nothing_changes() {
    let (m, head) = update();
    let begin = |base: &Rc<File>, running: &str, target: &Target| {
        let mut disk = Disk::new(base);
        let told = Writer::begin(&mut disk, &head, target, running, &mut |_| {})
            .map(drop)
            .unwrap_err();
        (told.kind, disk.acts)
    };
    let good = partition(true, &env("good"));
    let trial = partition(true, &env("trying").with("prefer", "b").with("left", "2"));
    assert_eq!(
        begin(&trial, "b", &target()),
        ("on-trial", 0),
        "the only proven system is not given away"
    );
    let other = Target {
        board: "arm64".into(),
        ..target()
    };
    assert_eq!(begin(&good, "a", &other), ("other-board", 0));
    let mut disk = Disk::new(&good);
    let (mut w, needs) = Writer::begin(&mut disk, &head, &target(), "a", &mut |_| {}).unwrap();
    let mut bytes = chunk(&m, needs.need[0].number);
    bytes[3] ^= 1;
    let acts = disk.acts;
    assert_eq!(
        w.chunk(&mut disk, needs.need[0].number, &bytes).unwrap_err().kind,
        "chunk"
    );
    assert_eq!(w.chunk(&mut disk, 99, &bytes).unwrap_err().kind, "no-chunk");
    assert_eq!(disk.acts, acts, "a byte that was not verified was written");
    assert_eq!(w.finish(&mut disk, |_, _| Ok(())).unwrap_err().kind, "incomplete");
    assert_eq!(checked(&disk), Ok("a"));
    // Where the trial cannot be noted, there is no switch.
    let mut disk = Disk::new(&good);
    let (mut w, needs) = Writer::begin(&mut disk, &head, &target(), "a", &mut |_| {}).unwrap();
    for c in &needs.need {
        w.chunk(&mut disk, c.number, &chunk(&m, c.number)).unwrap();
    }
    assert!(
        w.finish(&mut disk, |_, _| Err("DATA is full".into()))
            .unwrap_err()
            .text
            .contains("DATA")
    );
    assert_eq!(checked(&disk), Ok("a"));
}

fn start(slot: &str, why: &str, left: &str, traces: Traces) -> Start {
    Start {
        slot: slot.into(),
        why: why.into(),
        left: left.into(),
        traces,
        now: wire::Time::UNIX_EPOCH,
    }
}

fn ended(slot: &str, why: &str) -> Traces {
    Traces {
        record: Some(Record {
            why: why.into(),
            slot: slot.into(),
            ..Record::default()
        }),
        ..Traces::default()
    }
}

#[test]
fn a_trial_that_is_won_is_kept_and_one_that_is_lost_tells_why() {
    let dir = tempfile::tempdir().unwrap();
    let written = |left: &str| {
        let mut disk = Disk::new(&partition(false, &env("bad")));
        send(&mut disk).unwrap();
        let mut slots = Slots::read(&disk).unwrap();
        let env = slots.env.clone().unwrap().with("left", left);
        slots.set(&mut disk, env).unwrap();
        let note = TrialNote {
            slot: "b".into(),
            version: "2.0".into(),
            failed: vec![],
        };
        notes::set_trial(dir.path(), Some(&note)).unwrap();
        disk
    };
    // Won at the second try.
    let mut disk = written("2");
    let s = settle::settle(
        &mut disk,
        dir.path(),
        &start("b", "preferred", "2", ended("a", "asked for")),
    )
    .unwrap();
    assert!(s.on_trial && !s.heal);
    let s = settle::settle(
        &mut disk,
        dir.path(),
        &start("b", "preferred", "1", ended("b", "agent not READY in 180 s")),
    )
    .unwrap();
    assert!(s.on_trial);
    let s = settle::keep(&mut disk, dir.path(), &start("b", "preferred", "1", Traces::default())).unwrap();
    let last = s.last.unwrap();
    assert_eq!(last.outcome, UpdateOutcome::Kept);
    assert!(
        last.text.contains("after 1 failed starts (agent not READY in 180 s)"),
        "{}",
        last.text
    );
    let view = Slots::read(&disk).unwrap().view("b");
    assert_eq!(
        (view[0].state, view[1].state, view[1].next),
        (SlotState::Good, SlotState::Good, true)
    );
    assert_eq!(notes::trial(dir.path()), None);
    // An ordinary start says nothing and writes nothing.
    let acts = disk.acts;
    let s = settle::settle(
        &mut disk,
        dir.path(),
        &start("b", "preferred", "0", ended("b", "asked for")),
    )
    .unwrap();
    assert_eq!((s.on_trial, s.last.unwrap(), disk.acts), (false, last, acts));

    // Lost three times.
    let mut disk = written("2");
    settle::settle(
        &mut disk,
        dir.path(),
        &start("b", "preferred", "2", ended("a", "asked for")),
    )
    .unwrap();
    for left in ["1", "0"] {
        let failed = ended("b", "server not READY in 180 s");
        settle::settle(&mut disk, dir.path(), &start("b", "preferred", left, failed)).unwrap();
    }
    let mut slots = Slots::read(&disk).unwrap();
    let spent = slots.env.clone().unwrap().with("b", "bad").with("left", "0");
    slots.set(&mut disk, spent).unwrap();
    let s = settle::settle(
        &mut disk,
        dir.path(),
        &start("a", "tries-spent", "0", ended("b", "server not READY in 180 s")),
    )
    .unwrap();
    let last = s.last.unwrap();
    assert_eq!(
        (last.outcome, last.version.as_deref()),
        (UpdateOutcome::FellBack, Some("2.0"))
    );
    assert_eq!(
        last.text,
        "slot B (2.0) failed 3 times: server not READY in 180 s. The system in slot A runs again"
    );
    let slots = Slots::read(&disk).unwrap();
    assert_eq!((slots.variable("prefer"), slots.variable("b")), ("a", "bad"));

    // Its kernel crashed each time, long before anything could be written down.
    let mut disk = written("3");
    let traces = Traces {
        panic: Some("Kernel panic - not syncing: Attempted to kill init!".into()),
        ..ended("a", "asked for")
    };
    let s = settle::settle(&mut disk, dir.path(), &start("a", "tries-spent", "0", traces)).unwrap();
    assert!(
        s.last.unwrap().text.contains("its kernel crashed (Kernel panic"),
        "the dump tells"
    );

    // Firmware did not take its kernel; nobody had noted the trial.
    let mut disk = written("2");
    notes::set_trial(dir.path(), None).unwrap();
    let s = settle::settle(
        &mut disk,
        dir.path(),
        &start("a", "kernel-refused", "2", Traces::default()),
    )
    .unwrap();
    assert!(s.last.unwrap().text.contains("Secure Boot"));
    assert_eq!(Slots::read(&disk).unwrap().variable("b"), "bad");

    // The cut came between the note and the switch.
    let mut disk = Disk::new(&partition(false, &env("bad")));
    let note = TrialNote {
        slot: "b".into(),
        ..TrialNote::default()
    };
    notes::set_trial(dir.path(), Some(&note)).unwrap();
    let s = settle::settle(&mut disk, dir.path(), &start("a", "preferred", "0", Traces::default())).unwrap();
    assert_eq!(s.last.unwrap().outcome, UpdateOutcome::Failed);
    assert_eq!(notes::trial(dir.path()), None);
}

#[test]
fn an_environment_block_that_is_garbage_is_written_anew_once_the_start_has_proven_itself() {
    let dir = tempfile::tempdir().unwrap();
    for garbage in [vec![0u8; 1024], vec![0xa5; 1024], {
        let mut half = env("good").bytes();
        half[512..].fill(0);
        half
    }] {
        let mut disk = Disk::new(&partition(true, &env("good")));
        let slots = Slots::read(&disk).unwrap();
        let at = slots
            .volume
            .geometry()
            .offset(slots.volume.find("EFI/debian/grubenv").unwrap().chain[0]);
        disk.write_at(at, &garbage).unwrap();
        let this = start("a", "preferred", "0", Traces::default());
        let s = settle::settle(&mut disk, dir.path(), &this).unwrap();
        assert_eq!((s.on_trial, s.heal), (false, true));
        settle::keep(&mut disk, dir.path(), &this).unwrap();
        let slots = Slots::read(&disk).unwrap();
        assert_eq!(
            (slots.variable("prefer"), slots.variable("a"), slots.variable("b")),
            ("a", "good", "good")
        );
        assert!(!settle::settle(&mut disk, dir.path(), &this).unwrap().heal);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("KILN_LONG").is_some() { 1_000 } else { 24 }))]
    #[test]
    fn any_cut_with_any_lost_sectors_leaves_whole_systems(place in 0.0..1.0_f64, lost: u64, density in 1_u64..5) {
        thread_local!(static BASE: (Rc<File>, usize) = {
            let base = partition(true, &env("good"));
            let acts = acts(&base);
            (base, acts)
        });
        let (base, acts) = BASE.with(Clone::clone);
        let at = (acts as f64 * place) as usize;
        let arrives = |n: usize| (lost ^ n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) % density == 0;
        match cut_and_resume(&base, at, arrives) {
            Err(e) if e != "switched" => prop_assert!(false, "{e}"),
            _ => {}
        }
    }
}

//! A boot partition with damaged files: a person's, or our own debug bundle, cut while it was saved; a slot's; the boot loader's.

use std::rc::Rc;

use bundle::fat::{CLUSTER, DIRECTORY, END, ENTRY, Read, SECTOR, Volume, entry};
use image::fat32::Source;
use wire::update::SlotState;

use super::super::back::Order;
use super::super::partition::Medium;
use super::super::settle;
use super::super::slots::Slots;
use super::settled::start;
use super::{Disk, SECTORS, checked, env, partition, send, whole};
use crate::boot::end::record::Traces;

/// A boot partition that is damaged by hand.
struct Damaged {
    disk: Disk,
    volume: Volume,
}

impl Damaged {
    fn new(with_b: bool, b: &str) -> Self {
        let disk = Disk::new(&partition(with_b, &env(b)));
        let volume = Volume::read(&disk).unwrap();
        Self { disk, volume }
    }

    /// Where a cluster's value is in the first table.
    fn at(&self, cluster: u32) -> u64 {
        self.volume.geometry().reserved * SECTOR + u64::from(cluster) * 4
    }

    fn next(&self, cluster: u32) -> u32 {
        let mut value = [0; 4];
        self.disk.read_at(self.at(cluster), &mut value).unwrap();
        u32::from_le_bytes(value)
    }

    fn set_next(&mut self, cluster: u32, value: u32) {
        let g = self.volume.geometry();
        for table in 0..2 {
            self.over(self.at(cluster) + table * g.fat * SECTOR, &value.to_le_bytes());
        }
    }

    fn over(&mut self, at: u64, bytes: &[u8]) {
        let mut sector = [0; SECTOR as usize];
        self.disk.read_at(at / SECTOR * SECTOR, &mut sector).unwrap();
        sector[(at % SECTOR) as usize..][..bytes.len()].copy_from_slice(bytes);
        self.disk.write_at(at / SECTOR * SECTOR, &sector).unwrap();
    }

    /// The first clusters that nobody has: an update would be put there.
    fn free(&self) -> u32 {
        (2..END).find(|c| self.next(*c) == 0).unwrap()
    }

    /// Puts an entry into the root.
    fn name(&mut self, short: &[u8; 11], attribute: u8, first: u32, size: u32) {
        let root = self.volume.geometry().offset(self.volume.root()[0]);
        let mut folder = vec![0; CLUSTER as usize];
        self.disk.read_at(root, &mut folder).unwrap();
        let free = folder.chunks(ENTRY).position(|e| e[0] == 0).unwrap();
        self.over(root + (free * ENTRY) as u64, &entry(short, attribute, 0, first, size));
    }

    fn chain(&self, path: &str) -> Vec<u32> {
        self.volume.find(path).unwrap().chain.clone()
    }

    fn content(&self, cluster: u32) -> Vec<u8> {
        let mut bytes = vec![0; CLUSTER as usize];
        let at = self.volume.geometry().offset(cluster);
        self.disk.read_at(at, &mut bytes).unwrap();
        bytes
    }

    /// From now on this counts as what is on the medium.
    fn done(&mut self) {
        self.disk.flush().unwrap();
        self.disk.acts = 0;
    }
}

/// Everything that changes the boot partition works, and none of these clusters is written to.
fn all_goes_on(mut d: Damaged, kept: &[u32], case: &str) {
    let dir = tempfile::tempdir().unwrap();
    for (n, c) in kept.iter().enumerate() {
        // What is in a slot's file stays what it is.
        if d.next(*c) == 0 {
            let at = d.volume.geometry().offset(*c);
            d.disk.write_at(at, &vec![0xA0 + n as u8; CLUSTER as usize]).unwrap();
        }
    }
    d.done();
    let before: Vec<_> = kept.iter().map(|c| d.content(*c)).collect();
    let slots = Slots::read(&d.disk).unwrap();
    assert_eq!(slots.damage().count(), 1, "{case}");
    assert!(
        slots.damage().all(|(_, told)| told.starts_with("KILNDBG.TGZ: ")),
        "{case}"
    );
    send(&mut d.disk).unwrap_or_else(|e| panic!("{case}: {e:?}"));
    let slots = Slots::read(&d.disk).unwrap();
    assert_eq!(
        (whole(&slots, &d.disk, "b"), checked(&d.disk)),
        (Some(2), Ok("b")),
        "{case}"
    );
    for (c, bytes) in kept.iter().zip(&before) {
        assert_eq!(d.content(*c), *bytes, "{case}: cluster {c}");
        assert_ne!(d.next(*c), 0, "{case}: cluster {c} counts as free");
    }
    // The same update gets the same places.
    assert_eq!(send(&mut d.disk).unwrap().need.len(), 0, "{case}");
    let at = |slot: &str| start(slot, "preferred", "2", Traces::default());
    assert!(settle::settle(&mut d.disk, dir.path(), &at("b")).unwrap().on_trial);
    settle::keep(&mut d.disk, dir.path(), &at("b")).unwrap();
    assert_eq!(Slots::read(&d.disk).unwrap().state("b"), SlotState::Good);
    let order = Order {
        why: "asked for".into(),
        bad: false,
    };
    settle::back(&mut d.disk, dir.path(), &at("b"), &order).unwrap();
    assert_eq!(checked(&d.disk), Ok("a"), "{case}");
}

#[test]
fn a_torn_file_of_a_persons_hinders_nothing_and_is_never_written_into() {
    const NAME: &[u8; 11] = b"KILNDBG TGZ";
    // Their entry came before the table did: all of it, or from the second cluster on.
    let mut d = Damaged::new(false, "bad");
    let s = d.free();
    d.name(NAME, 0x20, s, 5000);
    all_goes_on(d, &[s], "its cluster is free");
    let mut d = Damaged::new(false, "bad");
    let s = d.free() + 9;
    d.name(NAME, 0x20, s, 5000);
    d.set_next(s, s + 1);
    all_goes_on(d, &[s, s + 1], "its second cluster is free");
    for (next, case) in [
        (s, "a loop"),
        (1, "no cluster"),
        (0x0fff_fff0, "past the end"),
        (END, "short"),
    ] {
        let mut d = Damaged::new(true, "good");
        let s = d.free();
        d.name(NAME, 0x20, s, 9000);
        d.set_next(s, if case == "a loop" { s } else { next });
        all_goes_on(d, &[s], case);
    }
    // Two have the same clusters, and one of the two is replaced.
    for at in [0, 3] {
        let mut d = Damaged::new(true, "good");
        let b = d.chain("b/system.erofs");
        d.name(NAME, 0x20, b[at], 5000);
        all_goes_on(d, &b[at..], "in the slot that is replaced");
    }
}

#[test]
fn a_damaged_folder_of_a_persons_hinders_an_update_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut d = Damaged::new(true, "good");
    let s = d.free();
    d.name(b"PHOTOS     ", DIRECTORY, s, 0);
    d.done();
    let told = send(&mut d.disk).unwrap_err();
    assert_eq!((told.kind, d.disk.acts), ("medium", 0));
    assert!(
        told.text.contains("/PHOTOS") && told.text.contains("another computer"),
        "{told:?}"
    );
    let at = start("a", "preferred", "0", Traces::default());
    settle::keep(&mut d.disk, dir.path(), &at).unwrap();
    let order = Order {
        why: "asked for".into(),
        bad: true,
    };
    settle::back(&mut d.disk, dir.path(), &at, &order).unwrap();
    assert_eq!(checked(&d.disk), Ok("b"));
    // One that contains itself is looked into once.
    let mut d = Damaged::new(false, "bad");
    let s = d.free();
    d.name(b"PHOTOS     ", DIRECTORY, s, 0);
    d.set_next(s, END);
    let inside = entry(b"AGAIN      ", DIRECTORY, 0, s, 0);
    d.over(d.volume.geometry().offset(s), &inside);
    let slots = Slots::read(&d.disk).unwrap();
    let told: Vec<String> = slots.damage().map(|(_, told)| told).collect();
    assert_eq!(
        told,
        [format!("PHOTOS/AGAIN: its chain runs into another one at cluster {s}")]
    );
}

#[test]
fn a_damaged_slot_is_no_good_one_and_can_be_replaced() {
    for name in ["b/initrd", "b/vmlinuz", "b/manifest.json"] {
        let mut d = Damaged::new(true, "good");
        let c = *d.chain(name).last().unwrap();
        d.set_next(c, 0);
        d.done();
        let slots = Slots::read(&d.disk).unwrap();
        assert_eq!((slots.state("a"), slots.state("b")), (SlotState::Good, SlotState::Bad));
        send(&mut d.disk).unwrap();
        assert_eq!(checked(&d.disk), Ok("b"), "{name}");
        assert_eq!(Slots::read(&d.disk).unwrap().damage().count(), 0, "{name}");
    }
    // The one that runs is damaged: the other is all that there is, if it is proven.
    for (b, taken) in [("good", false), ("bad", true)] {
        let mut d = Damaged::new(true, b);
        let c = *d.chain("a/initrd").last().unwrap();
        d.set_next(c, 0);
        d.done();
        let sent = send(&mut d.disk);
        assert_eq!(
            sent.as_ref().map(|_| ()).map_err(|e| e.kind),
            if taken { Ok(()) } else { Err("on-trial") }
        );
        assert!(taken || d.disk.acts == 0);
    }
}

#[test]
fn nobody_is_told_to_take_a_system_of_the_box_away() {
    let mut d = Damaged::new(true, "bad");
    let (file, folder) = (d.chain("a/initrd"), d.chain("a"));
    d.set_next(file[1], 0);
    d.set_next(folder[0], 0);
    d.done();
    let slots = Slots::read(&d.disk).unwrap();
    let told: Vec<String> = slots.damage().map(|(e, told)| settle::warning(e, &told)).collect();
    assert_eq!(told.len(), 2);
    for text in &told {
        assert!(text.contains("send an update") && !text.contains("remove"), "{text}");
    }
    let refused = send(&mut d.disk).unwrap_err();
    assert_eq!((refused.kind, d.disk.acts), ("medium", 0));
    assert!(
        refused.text.contains("folder /a ") && !refused.text.contains("remove"),
        "{refused:?}"
    );
    // What a person has put there is theirs to remove.
    let mut d = Damaged::new(true, "good");
    let s = d.free();
    d.name(b"KILNDBG TGZ", 0x20, s, 5000);
    let slots = Slots::read(&d.disk).unwrap();
    let told: Vec<String> = slots.damage().map(|(e, told)| settle::warning(e, &told)).collect();
    assert!(told.len() == 1 && told[0].contains("or remove the file"), "{told:?}");
}

#[test]
fn damage_where_the_boot_loader_reads_is_an_error_that_names_it() {
    for name in ["EFI/debian/grubenv", "EFI/BOOT/BOOTX64.EFI", "EFI/debian", "EFI"] {
        let mut d = Damaged::new(true, "good");
        let c = *d.chain(name).last().unwrap();
        d.set_next(c, 0);
        let told = Slots::read(&d.disk).unwrap_err();
        assert!(
            told.contains(&format!("damaged: {name}: its chain is broken")),
            "{told}"
        );
    }
}

/// A damaged folder in which every entry drags the same long chain along would take more memory than a box has.
#[test]
fn files_that_share_one_long_chain_take_no_memory_of_their_own() {
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(SECTORS * SECTOR).unwrap();
    let sources = [("BIG".to_owned(), Source::Bytes(vec![1; 4 << 20]))].into();
    image::fat32::write(&mut file, "played".as_ref(), 0, SECTORS, "KILN", &sources).unwrap();
    let mut disk = Disk::new(&Rc::new(file));
    let volume = Volume::read(&disk).unwrap();
    let at = volume.geometry().offset(volume.root()[0]);
    let mut folder = vec![0; CLUSTER as usize];
    disk.read_at(at, &mut folder).unwrap();
    let entry = folder.chunks(ENTRY).find(|e| e.starts_with(b"BIG ")).unwrap().to_vec();
    for free in folder.chunks_mut(ENTRY).filter(|e| e[0] == 0) {
        free.copy_from_slice(&entry);
    }
    disk.write_at(at, &folder).unwrap();
    let volume = Volume::read(&disk).unwrap();
    let (first, others) = volume.entries().split_first().unwrap();
    assert_eq!((first.chain.len(), first.damage.as_ref()), (1024, None));
    assert!(others.len() > 100);
    for e in others {
        assert_eq!(e.chain.len(), 1);
        assert!(e.damage.as_ref().unwrap().contains("runs into another one"));
    }
}

//! What a drive announces by a line in the kernel's log, with the drive's directory as [`drive::sysfs`] tells it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/tree.rs"]
mod tree;

use std::sync::mpsc::channel;
use std::time::Duration;

use drive::kernel_log::{Follower, Told, Unheard};
use drive::sysfs;
use tree::{SATA, Tree};

const RESCAN: &str = "sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/rescan";

/// Two disks behind AHCI, and a log with one line.
fn two_disks() -> Tree {
    let mut tree = Tree::new();
    let attributes: [(&str, &[u8]); 2] = [("model", b"WDC WD40EFRX-68W\n"), ("type", b"0\n")];
    tree.disk("sda", SATA, 7_814_037_168, &attributes);
    let other = SATA.replace("ata3/host2/target2:0:0/2:0:0:0", "ata4/host3/target3:0:0/3:0:0:0");
    tree.disk("sdb", &other, 7_814_037_168, &attributes);
    tree.put("kmsg", "[ 1.0] x\n");
    tree
}

/// What the followers of both disks hear of `line`, and what they missed.
fn hear(tree: &Tree, line: &str) -> [(Told, Option<Unheard>); 2] {
    let (system, log) = (tree.system(), tree.root.path().join("kmsg"));
    let mut disks = sysfs::walk(&system);
    disks.sort_by(|one, other| one.name.cmp(&other.name));
    let mut followers: Vec<Follower> = disks
        .iter()
        .map(|disk| Follower::reading(&system, &disk.syspath, Some(&log)))
        .collect();
    tree.put("kmsg", format!("[ 1.0] x\n[ 9.0] {line}\n"));
    let heard = followers.iter_mut().map(|follower| {
        let told = follower.look();
        (told, follower.unheard().cloned())
    });
    heard.collect::<Vec<_>>().try_into().unwrap()
}

/// As an array grows, or a dock has another disk.
#[test]
fn a_drive_that_announces_another_capacity_is_asked_for_it_and_whose_it_is() {
    for (there, asks) in [(true, "has asked for it"), (false, "could not be made to ask")] {
        let tree = two_disks();
        match there {
            true => tree.put(RESCAN, ""),
            false => std::fs::create_dir(tree.root.path().join(RESCAN)).unwrap(),
        }
        let [(told, unheard), other] = hear(&tree, "sd 2:0:0:0: Capacity data has changed");
        let resized = told.resized.unwrap();
        assert!(resized.contains(asks), "{resized}");
        assert!(told.resets.is_empty() && told.heard, "the drive may be another");
        assert_eq!(unheard.is_none(), there, "{unheard:?}");
        if there {
            assert_eq!(std::fs::read_to_string(tree.root.path().join(RESCAN)).unwrap(), "1");
        }
        assert_eq!(other, (Told::default(), None));
    }
}

/// The kernel asks within the write, and a bridge that was reset a moment ago may let it wait for minutes.
#[test]
fn a_drive_that_does_not_tell_its_capacity_keeps_nobody_who_follows_the_log() {
    let tree = two_disks();
    let rescan = tree.root.path().join(RESCAN);
    tree.put(RESCAN, "");
    std::fs::remove_file(&rescan).unwrap();
    nix::unistd::mkfifo(&rescan, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (tell, heard) = channel();
    let line = "sd 2:0:0:0: Capacity data has changed";
    std::thread::spawn(move || {
        let looked = hear(&tree, &format!("{line}\n[ 9.1] {line}\n[ 9.2] {line}"));
        tell.send((looked, tree)).is_ok()
    });
    let looked = heard.recv_timeout(Duration::from_secs(20));
    // What was asked for comes in the end, and once for all lines of a look; whoever waits still is let go.
    assert_eq!(std::fs::read_to_string(&rescan).unwrap(), "1");
    let ([(told, unheard), other], _tree) = looked.expect("the look came back");
    let resized = told.resized.unwrap();
    assert!(resized.contains("the kernel is asking for it"), "{resized}");
    assert_eq!((told.heard, unheard), (true, None));
    assert_eq!(other, (Told::default(), None));
}

#[test]
fn a_drive_that_announces_another_name_is_asked_whose_it_is() {
    let [told, other] = hear(&two_disks(), "sd 2:0:0:0: Inquiry data has changed");
    let doubted = Told {
        heard: true,
        ..Told::default()
    };
    assert_eq!(told, (doubted, None));
    assert_eq!(other, (Told::default(), None));
}

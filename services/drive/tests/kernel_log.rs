//! What a drive announces by a line in the kernel's log, with the drive's directory as [`drive::sysfs`] tells it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/tree.rs"]
mod tree;

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use drive::kernel_log::{Follower, Told, Unheard};
use drive::sysfs;
use tree::{SATA, Tree};

const RESCAN: &str = "sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/rescan";

const CAPACITY: &str = "sd 2:0:0:0: Capacity data has changed";

const ANNOUNCED: &str = "the drive announces another capacity; the kernel is asking for it";

const NOTHING: Told = Told {
    resets: Vec::new(),
    resized: None,
    heard: false,
};

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

/// Those who follow the log for each of them.
fn followers(tree: &Tree) -> [Follower; 2] {
    let (system, log) = (tree.system(), tree.root.path().join("kmsg"));
    let mut disks = sysfs::walk(&system);
    disks.sort_by(|one, other| one.name.cmp(&other.name));
    let reading = |disk: &sysfs::Device| Follower::reading(&system, &disk.syspath, Some(&log));
    disks.iter().map(reading).collect::<Vec<_>>().try_into().unwrap()
}

/// What one hears at a look, and what it missed until then.
fn look(follower: &mut Follower) -> (Told, Option<Unheard>) {
    let told = follower.look();
    (told, follower.unheard().cloned())
}

/// What the followers of both disks hear of `line`, and those that hear it.
fn hear(tree: &Tree, line: &str) -> ([(Told, Option<Unheard>); 2], [Follower; 2]) {
    let mut followers = followers(tree);
    tree.put("kmsg", format!("[ 1.0] x\n[ 9.0] {line}\n"));
    (followers.each_mut().map(look), followers)
}

/// Waits until that is so, or has to be told that it is not.
fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As an array grows, or a dock has another disk.
#[test]
fn a_drive_that_announces_another_capacity_is_asked_for_it_and_whose_it_is() {
    let tree = two_disks();
    tree.put(RESCAN, "");
    let ([(told, unheard), other], mut followers) = hear(&tree, CAPACITY);
    assert_eq!(told.resized.as_deref(), Some(ANNOUNCED));
    assert!(told.resets.is_empty() && told.heard, "the drive may be another");
    assert_eq!((unheard, other), (None, (Told::default(), None)));
    let rescan = tree.root.path().join(RESCAN);
    until(|| std::fs::read_to_string(&rescan).is_ok_and(|text| text == "1"));
    assert_eq!(std::fs::read_to_string(rescan).unwrap(), "1");
    assert_eq!(followers.each_mut().map(look), [const { (NOTHING, None) }; 2]);
}

/// Who waited longer than for the line would not know it.
#[test]
fn a_kernel_that_cannot_be_made_to_ask_is_told_when_it_says_so() {
    let tree = two_disks();
    std::fs::create_dir(tree.root.path().join(RESCAN)).unwrap();
    let ([(told, _), _], mut followers) = hear(&tree, CAPACITY);
    assert!(told.heard && told.resized.is_some(), "{told:?}");
    let mut late = told.resized.filter(|text| text != ANNOUNCED);
    until(|| {
        late = late.take().or_else(|| followers[0].look().resized);
        late.is_some()
    });
    let late = late.unwrap();
    assert!(late.contains("could not be made to ask"), "{late}");
    assert_eq!(followers[0].unheard(), Some(&Unheard::Log(late)));
    assert_eq!(look(&mut followers[0]).0, NOTHING, "told once");
    assert_eq!(look(&mut followers[1]), (NOTHING, None));
}

/// The kernel asks within the write, and a bridge that was reset a moment ago may let it wait for minutes; meanwhile who writes to the drive
/// has to hear that it may be another one.
#[test]
fn a_drive_that_does_not_tell_its_capacity_keeps_nobody_who_follows_the_log() {
    let tree = two_disks();
    let rescan = tree.root.path().join(RESCAN);
    tree.put(RESCAN, "");
    std::fs::remove_file(&rescan).unwrap();
    nix::unistd::mkfifo(&rescan, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        let begun = Instant::now();
        let looked = hear(&tree, &format!("{CAPACITY}\n[ 9.1] {CAPACITY}\n[ 9.2] {CAPACITY}"));
        tell.send((begun.elapsed(), looked, tree)).is_ok()
    });
    let looked = heard.recv_timeout(Duration::from_secs(20));
    // What was asked for comes in the end, and once for all lines of a look; whoever waits still is let go.
    assert_eq!(std::fs::read_to_string(&rescan).unwrap(), "1");
    let (took, ([(told, unheard), other], mut followers), tree) = looked.expect("the look came back");
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!(told.resized.as_deref(), Some(ANNOUNCED));
    assert_eq!((told.heard, unheard), (true, None));
    assert_eq!(other, (Told::default(), None));
    // Once more for what is announced while it asks, than which its answer may be older.
    let mut log = std::fs::read_to_string(tree.root.path().join("kmsg")).unwrap();
    for line in ["[ 10.0]", "[ 11.0]", "[ 12.0]"] {
        log += &format!("{line} {CAPACITY}\n");
        tree.put("kmsg", &log);
        assert_eq!(followers[0].look().resized.as_deref(), Some(ANNOUNCED));
    }
    for time in ["while it asked", "behind that"] {
        let (tell, asked) = channel();
        let file = rescan.clone();
        std::thread::spawn(move || tell.send(std::fs::read_to_string(file).unwrap()).is_ok());
        let mut text = None;
        until(|| {
            assert_eq!(followers[0].look(), NOTHING);
            text = asked.try_recv().ok();
            text.is_some()
        });
        assert_eq!(text.as_deref(), Some("1"), "{time}");
    }
}

#[test]
fn a_drive_that_announces_another_name_is_asked_whose_it_is() {
    let ([told, other], _) = hear(&two_disks(), "sd 2:0:0:0: Inquiry data has changed");
    let doubted = Told {
        heard: true,
        ..Told::default()
    };
    assert_eq!(told, (doubted, None));
    assert_eq!(other, (Told::default(), None));
}

//! A whole update: written, copied from what runs, found sound by another reader; and what is refused.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use bundle::Target;
use bundle::fat::{Read, SECTOR};
use wire::update::SlotState;

use super::super::partition::Medium;
use super::super::slots::Slots;
use super::super::writer::Writer;
use super::{Disk, SECTORS, checked, chunk, env, grub_starts, partition, send, target, update, whole};

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
        return rig::not_run("fsck.vfat over the updated boot partition: it is not installed");
    };
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}");
}

#[test]
fn the_slot_that_is_told_as_the_next_is_the_one_that_grub_takes() {
    let mut told = 0;
    for with_b in [true, false] {
        let mut slots = Slots::read(&Disk::new(&partition(with_b, &env("good")))).unwrap();
        for prefer in ["a", "b"] {
            for a in ["good", "trying", "bad", "garbage"] {
                for b in ["good", "trying", "bad"] {
                    for left in ["3", "0", "x"] {
                        for kept in ["a", "b", ""] {
                            let env = env(b).with("a", a).with("prefer", prefer).with("left", left);
                            slots.env = Ok(env.with("kept", kept));
                            let next = slots.view("a").into_iter().find(|s| s.next).unwrap().name;
                            let case = (with_b, prefer, a, b, left, kept);
                            assert_eq!(next, grub_starts(&slots), "{case:?}");
                            told += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(told, 2 * 2 * 4 * 3 * 3 * 3);
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
    let e = w.finish(&mut disk, &|| false, |_, _| Ok(())).unwrap_err();
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
    let left = partition(true, &env("good").with("a", "bad"));
    assert_eq!(
        begin(&left, "a", &target()),
        ("on-trial", 0),
        "nor is the one in the other slot"
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
    assert_eq!(
        w.finish(&mut disk, &|| false, |_, _| Ok(())).unwrap_err().kind,
        "incomplete"
    );
    assert_eq!(checked(&disk), Ok("a"));
    // One that is given up before or while everything is compared is not switched to, and goes on the next time.
    for after in [0, 3] {
        let mut disk = Disk::new(&good);
        let (mut w, needs) = Writer::begin(&mut disk, &head, &target(), "a", &mut |_| {}).unwrap();
        for c in &needs.need {
            w.chunk(&mut disk, c.number, &chunk(&m, c.number)).unwrap();
        }
        let compared = std::cell::Cell::new(0);
        let given_up = || compared.replace(compared.get() + 1) >= after;
        let told = w.finish(&mut disk, &given_up, |_, _| Ok(())).unwrap_err();
        assert_eq!((told.kind, checked(&disk)), ("given-up", Ok("a")));
        assert_eq!(send(&mut disk).unwrap().need.len(), 0);
        assert_eq!(checked(&disk), Ok("b"));
    }
    // Where the trial cannot be noted, there is no switch.
    let mut disk = Disk::new(&good);
    let (mut w, needs) = Writer::begin(&mut disk, &head, &target(), "a", &mut |_| {}).unwrap();
    for c in &needs.need {
        w.chunk(&mut disk, c.number, &chunk(&m, c.number)).unwrap();
    }
    assert!(
        w.finish(&mut disk, &|| false, |_, _| Err("DATA is full".into()))
            .unwrap_err()
            .text
            .contains("DATA")
    );
    assert_eq!(checked(&disk), Ok("a"));
}

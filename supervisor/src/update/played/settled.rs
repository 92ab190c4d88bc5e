//! How the start after an update ends: a trial that is won or lost, a switch that never came, a block that is garbage.

use wire::update::{LastUpdate, SlotState, UpdateOutcome};

use super::super::back::Order;
use super::super::notes::{self, TrialNote};
use super::super::partition::Medium;
use super::super::settle::{self, Start};
use super::super::slots::Slots;
use super::{Disk, env, partition, send};
use crate::boot::end::record::{Record, Traces};

pub(super) fn start(slot: &str, why: &str, left: &str, traces: Traces) -> Start {
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
    // What `grub-editenv create` leaves, and a block in which a word is lost: GRUB takes what it does not name for good.
    let empty = format!("{:#<1024}", "# GRUB Environment Block\n").into_bytes();
    let lost = String::from_utf8(env("good").bytes())
        .unwrap()
        .replace("\na=good\n", "\nx=good\n");
    for garbage in [vec![0u8; 1024], vec![0xa5; 1024], empty, lost.into_bytes(), {
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
        assert!(
            Slots::read(&disk)
                .unwrap()
                .env
                .unwrap_err()
                .contains("environment block")
        );
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

#[test]
fn in_safe_mode_a_block_that_is_mended_opens_the_way_back_and_to_an_update() {
    let dir = tempfile::tempdir().unwrap();
    let this = start("a", "preferred", "0", Traces::default());
    let damaged = || {
        let mut disk = Disk::new(&partition(true, &env("good")));
        let slots = Slots::read(&disk).unwrap();
        let file = slots.volume.find("EFI/debian/grubenv").unwrap().chain[0];
        disk.write_at(slots.volume.geometry().offset(file), &[0; 1024]).unwrap();
        disk
    };
    let order = Order {
        why: "asked for by ada".into(),
        bad: true,
    };
    let mut disk = damaged();
    assert_eq!(send(&mut disk).unwrap_err().kind, "on-trial");
    assert!(settle::back(&mut disk, dir.path(), &this, &order).is_err());
    let s = settle::mend(&mut disk, dir.path(), &this).unwrap();
    assert!(!s.heal && s.last.is_none(), "nothing is said of the running system");
    let view = Slots::read(&disk).unwrap().view("a");
    assert_eq!(
        (view[0].state, view[0].next, view[1].state),
        (SlotState::Good, true, SlotState::Good)
    );
    let mut other = disk.clone();
    send(&mut other).unwrap();
    settle::back(&mut disk, dir.path(), &this, &order).unwrap();
    // One that can be read is not touched.
    let acts = other.acts;
    settle::mend(&mut other, dir.path(), &this).unwrap();
    assert_eq!(other.acts, acts);
}

#[test]
fn a_block_that_is_made_anew_does_not_vouch_for_a_system_that_had_failed() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&partition(true, &env("good")));
    let slots = Slots::read(&disk).unwrap();
    let file = slots.volume.find("EFI/debian/grubenv").unwrap().chain[0];
    disk.write_at(slots.volume.geometry().offset(file), &[0; 1024]).unwrap();
    let last = LastUpdate {
        at: wire::Time::UNIX_EPOCH,
        version: Some("9.0".into()),
        slot: "b".into(),
        outcome: UpdateOutcome::FellBack,
        text: "slot B (9.0) failed 3 times".into(),
    };
    notes::set_last(dir.path(), &last).unwrap();
    let this = start("a", "preferred", "0", Traces::default());
    settle::keep(&mut disk, dir.path(), &this).unwrap();
    let slots = Slots::read(&disk).unwrap();
    assert_eq!((slots.variable("a"), slots.variable("b")), ("good", "bad"));
}

/// A second update takes the slot of one that was never started, and does not come to its end.
#[test]
fn a_system_that_gave_way_before_its_trial_is_not_said_to_wait_or_to_have_failed() {
    let dir = tempfile::tempdir().unwrap();
    let note = TrialNote {
        slot: "b".into(),
        version: "2.0".into(),
        failed: vec![],
    };
    notes::set_trial(dir.path(), Some(&note)).unwrap();
    let now = wire::Time::UNIX_EPOCH;
    assert_eq!(
        settle::emptied(dir.path(), "a", "2.5", now),
        None,
        "nothing waits there"
    );
    let told = settle::emptied(dir.path(), "b", "2.5", now).unwrap();
    assert!(
        told.text.contains("version 2.0") && told.text.contains("gave way to version 2.5"),
        "{}",
        told.text
    );
    assert_eq!(
        (told.outcome, notes::last(dir.path())),
        (UpdateOutcome::Failed, Some(told.clone()))
    );
    assert_eq!(settle::emptied(dir.path(), "b", "2.6", now), None, "it is told once");
    let mut disk = Disk::new(&partition(true, &env("bad")));
    let this = start("a", "preferred", "0", Traces::default());
    let settled = settle::settle(&mut disk, dir.path(), &this).unwrap();
    assert_eq!(settled.last, Some(told), "the next start says nothing else");
}

#[test]
fn the_way_back_is_one_sector_and_leads_only_to_what_has_proven_itself() {
    let order = |bad| Order {
        why: "asked for by ada".into(),
        bad,
    };
    let this = start("a", "preferred", "0", Traces::default());
    for (bad, word) in [(false, "good"), (true, "bad")] {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(&partition(true, &env("good")));
        let why = settle::back(&mut disk, dir.path(), &this, &order(bad)).unwrap();
        assert_eq!(why, "back to the system in slot B (9.0), asked for by ada");
        let slots = Slots::read(&disk).unwrap();
        assert_eq!(
            (slots.variable("prefer"), slots.variable("a"), slots.variable("b")),
            ("b", word, "good")
        );
        // The next start says nothing of an update, unless the ladder has left a system.
        let next = start("b", "preferred", "0", ended("a", &why));
        let s = settle::settle(&mut disk, dir.path(), &next).unwrap();
        assert_eq!((s.on_trial, s.last.is_some()), (false, bad));
        if let Some(last) = s.last {
            assert_eq!(last.outcome, UpdateOutcome::FellBack);
            assert!(last.text.starts_with("slot A (1.0) was left: back to"), "{}", last.text);
        }
    }
    for (other, with_b) in [("bad", true), ("trying", true), ("good", false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(&partition(with_b, &env(other)));
        let acts = disk.acts;
        let refused = settle::back(&mut disk, dir.path(), &this, &order(true)).unwrap_err();
        assert!(refused.contains("slot B"), "{refused}");
        assert_eq!(disk.acts, acts, "nothing is written");
    }
    // A system on trial that a person leaves has not proven itself, and is not tried again.
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&partition(true, &env("trying").with("prefer", "b")));
    settle::back(
        &mut disk,
        dir.path(),
        &start("b", "preferred", "2", Traces::default()),
        &order(false),
    )
    .unwrap();
    let slots = Slots::read(&disk).unwrap();
    assert_eq!((slots.variable("prefer"), slots.variable("b")), ("a", "bad"));
}

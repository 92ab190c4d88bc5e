//! The power is cut at every write of an update, any unflushed sectors are lost, and the update is sent again.
//!
//! After every cut the slot that runs must be whole, what GRUB would start must be whole, and the same update must go on and end
//! well.

use std::fs::File;
use std::rc::Rc;

use proptest::prelude::*;
use wire::update::{SlotState, UpdateNeeds};

use super::super::slots::Slots;
use super::{Disk, checked, env, partition, send, whole};

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
fn a_cut_at_each_write_leaves_whole_systems_and_the_update_goes_on() {
    // The last one is safe mode's: both have failed, and the one that is overwritten was kept last.
    let both_bad = env("bad").with("a", "bad").with("kept", "b");
    for base in [
        partition(true, &env("good")),
        partition(false, &env("bad")),
        partition(true, &both_bad),
    ] {
        let acts = acts(&base);
        assert!(acts > 15, "{acts}");
        let mut switched = 0;
        for at in 0..acts {
            for kind in 0..4 {
                let arrives = |n: usize| [true, false, n.is_multiple_of(2), n % 2 == 1][kind];
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
        let arrives = |n: usize| (lost ^ n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).is_multiple_of(density);
        match cut_and_resume(&base, at, arrives) {
            Err(e) if e != "switched" => prop_assert!(false, "{e}"),
            _ => {}
        }
    }
}

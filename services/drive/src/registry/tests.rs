//! The registry by tables and by a property over random histories.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::time::Duration;

use proptest::prelude::*;
use wire::Bytes;
use wire::drive::Bus;

use super::*;
use crate::identity::Identity;
use crate::sysfs::DevNum;
use wire::drive::Rotation;

fn device(place: u8, serial: u8, sequence: u64) -> Device {
    let serial = if serial == 0 {
        String::new()
    } else {
        format!("SERIAL{serial}")
    };
    Device {
        name: format!("sd{}", char::from(b'a' + place)),
        syspath: format!("devices/x{place}/block/sd{}", char::from(b'a' + place)),
        number: DevNum {
            major: 8,
            minor: u32::from(place) * 16,
        },
        sequence,
        identity: Identity {
            id: DriveId::from_serial("MODEL", &serial, 1000),
            model: "MODEL".into(),
            serial,
            wwn: None,
            capacity: Bytes(1000),
            logical_sector: 512,
            bus: Bus::Sata,
        },
        physical_sector: 512,
        rotation: Rotation::Unknown,
        link_mbps: None,
        shingled: None,
        beside: Bytes(0),
        host_managed: false,
        location: String::new(),
        removable: false,
        read_only: false,
        partitions: Vec::new(),
    }
}

fn at(second: i64) -> Time {
    Time::from_second(second).unwrap()
}

#[test]
fn a_drive_comes_is_looked_at_and_goes() {
    let mut registry = Registry::default();
    let a = device(0, 1, 1);
    let changes = registry.step(at(1), Input::Seen(a.clone()));
    assert_eq!(
        (changes.arrived.as_slice(), changes.visible),
        (&[Plug::of(&a)][..], true)
    );
    assert_eq!(
        registry.step(at(2), Input::Seen(a.clone())),
        Changes::default(),
        "seen again: nothing new"
    );

    let look = Look {
        content: Content::Empty,
        members: Vec::new(),
        kiln: false,
        unlisted: BTreeSet::new(),
        lock: None,
    };
    let began = Instant::now();
    assert!(
        registry
            .step(at(3), Input::Looked(Plug::of(&a), look.clone(), began))
            .visible
    );
    assert!(!registry.step(at(3), Input::Looked(Plug::of(&a), look, began)).visible);
    registry.step(at(4), Input::Warmth(Plug::of(&a), Some(Celsius(41))));
    let drive = &registry.drives()[0];
    assert_eq!(
        (drive.since, drive.temperature, &drive.content),
        (at(1), Some(Celsius(41)), &Content::Empty)
    );

    let changes = registry.step(
        at(9),
        Input::Gone {
            syspath: a.syspath.clone(),
        },
    );
    assert_eq!(changes.left, [Plug::of(&a)]);
    let drive = &registry.drives()[0];
    assert_eq!((drive.present, drive.since, drive.temperature), (false, at(9), None));
    assert_eq!(registry.find(&a.identity.id.unwrap()), None);
}

#[test]
fn a_late_answer_about_an_earlier_drive_is_dropped() {
    let mut registry = Registry::default();
    let (old, new) = (device(0, 1, 1), device(0, 2, 2));
    registry.step(at(1), Input::Seen(old.clone()));
    let changes = registry.step(at(2), Input::Seen(new.clone()));
    assert_eq!(
        (changes.left, changes.arrived),
        (vec![Plug::of(&old)], vec![Plug::of(&new)])
    );
    assert!(
        !registry
            .step(
                at(3),
                Input::Looked(Plug::of(&old), Look::unreadable("late"), Instant::now())
            )
            .visible
    );
    assert_eq!(registry.drives()[0].content, Content::Unknown);
}

#[test]
fn counts_of_an_overtaken_look_stay_as_long_as_the_same_stands_there() {
    let mut registry = Registry::default();
    let a = device(0, 1, 1);
    registry.step(at(1), Input::Seen(a.clone()));
    let full = |label: &str, used| Content::Found {
        signatures: vec![wire::drive::Signature {
            partition: 0,
            kind: "ntfs".to_owned(),
            label: Some(label.to_owned()),
            uuid: None,
            name: None,
            used,
            mounted: None,
        }],
        summary: used.map_or_else(String::new, |used: Bytes| format!("{used} used")),
    };
    let look = |content| Look {
        content,
        ..Look::unreadable("")
    };
    let used = Some(Bytes(3_100_000_000_000));
    let first = Instant::now();
    let planned = first + Duration::from_secs(2);
    registry.step(at(2), Input::Looked(Plug::of(&a), look(full("photos", None)), first));
    registry.step(at(4), Input::Looked(Plug::of(&a), look(full("photos", None)), planned));
    assert!(
        registry
            .step(at(5), Input::Counted(Plug::of(&a), full("photos", used)))
            .visible
    );
    assert_eq!(registry.drives()[0].content, full("photos", used));
    // A busy drive leaves no time to count: what was counted stands.
    registry.step(at(6), Input::Counted(Plug::of(&a), full("photos", None)));
    assert_eq!(registry.drives()[0].content, full("photos", used));
    registry.step(at(7), Input::Counted(Plug::of(&a), full("letters", used)));
    assert_eq!(
        registry.drives()[0].content,
        full("photos", used),
        "of what stood there before"
    );
}

#[test]
fn a_look_that_was_overtaken_changes_nothing() {
    let mut registry = Registry::default();
    let a = device(0, 1, 1);
    registry.step(at(1), Input::Seen(a.clone()));
    let look = |content| Look {
        content,
        members: Vec::new(),
        kiln: false,
        unlisted: BTreeSet::new(),
        lock: None,
    };
    let (older, newer) = (Instant::now(), Instant::now() + Duration::from_secs(1));
    registry.step(at(3), Input::Looked(Plug::of(&a), Look::unreadable("now"), newer));
    let late = registry.step(at(4), Input::Looked(Plug::of(&a), look(Content::Empty), older));
    assert!(!late.visible);
    assert_ne!(registry.drives()[0].content, Content::Empty);
    registry.step(at(5), Input::Looked(Plug::of(&a), look(Content::Empty), newer));
    assert_eq!(registry.drives()[0].content, Content::Empty);
}

#[test]
fn two_devices_with_one_identity_are_shown_and_not_offered() {
    let mut registry = Registry::default();
    let (a, b) = (device(0, 1, 1), device(1, 1, 2));
    registry.step(at(1), Input::Walked(vec![a.clone(), b.clone()]));
    let drives = registry.drives();
    assert_eq!(drives.len(), 2);
    assert_ne!(drives[0].key, drives[1].key);
    for drive in &drives {
        assert_eq!(
            (drive.id.as_ref(), drive.refused.as_ref().unwrap().kind.as_str()),
            (None, "same-identity")
        );
    }
    assert_eq!(registry.find(a.identity.id.as_ref().unwrap()), None);
    registry.step(at(2), Input::Gone { syspath: b.syspath });
    let drives = registry.drives();
    assert_eq!(
        (drives.len(), drives[0].id.is_some(), drives[0].refused.is_none()),
        (1, true, true)
    );
}

#[test]
fn a_drive_that_is_held_keeps_its_identity_when_another_one_tells_the_same() {
    let mut registry = Registry::default();
    let (a, b) = (device(0, 1, 1), device(1, 1, 2));
    let id = a.identity.id.clone().unwrap();
    registry.step(at(1), Input::Seen(a.clone()));
    assert!(registry.step(at(2), Input::Held([Plug::of(&a)].into())).visible);
    registry.step(at(3), Input::Seen(b.clone()));
    let told = |registry: &Registry| -> Vec<(Option<DriveId>, String)> {
        let drives = registry.drives().into_iter();
        drives.map(|drive| (drive.id, drive.refused.unwrap().kind)).collect()
    };
    let same = || "same-identity".to_owned();
    assert_eq!(told(&registry), [(Some(id.clone()), same()), (None, same())]);
    assert_eq!(registry.find(&id), Some(&a));
    // Both are held, or neither: nobody knows which one it is.
    registry.step(at(4), Input::Held([Plug::of(&a), Plug::of(&b)].into()));
    assert_eq!(told(&registry), [(None, same()), (None, same())]);
    registry.step(at(5), Input::Held([].into()));
    assert_eq!(told(&registry), [(None, same()), (None, same())]);
    assert_eq!(registry.find(&id), None);
    // Another medium in the place of the one that was held.
    registry.step(at(6), Input::Held([Plug::of(&a)].into()));
    registry.step(at(7), Input::Seen(device(0, 1, 3)));
    assert_eq!(told(&registry), [(None, same()), (None, same())]);
}

#[test]
fn a_device_without_identity_is_shown_and_not_offered() {
    let mut registry = Registry::default();
    let nameless = device(0, 0, 1);
    registry.step(at(1), Input::Seen(nameless.clone()));
    let drives = registry.drives();
    assert_eq!(drives[0].refused.as_ref().unwrap().kind, "no-identity");
    registry.step(
        at(2),
        Input::Gone {
            syspath: nameless.syspath,
        },
    );
    assert!(registry.drives().is_empty(), "without identity it is not remembered");
}

#[test]
fn a_new_size_is_looked_at_again() {
    let mut registry = Registry::default();
    let mut a = device(0, 1, 1);
    registry.step(at(1), Input::Seen(a.clone()));
    a.identity.capacity = Bytes(2000);
    let changes = registry.step(at(2), Input::Seen(a.clone()));
    assert_eq!((changes.altered, changes.visible), (vec![Plug::of(&a)], true));
}

proptest! {
    /// Whatever comes in whatever order: keys are unique, offered identities are unique, and what arrived and left
    /// adds up to what is there.
    #[test]
    fn the_list_is_consistent(steps in proptest::collection::vec((0_u8..5, 0_u8..4, 0_u64..3, 0_u8..5), 1..80)) {
        let mut registry = Registry::default();
        let mut there: BTreeSet<Plug> = BTreeSet::default();
        for (n, (place, serial, sequence, what)) in steps.into_iter().enumerate() {
            let device = device(place, serial, sequence);
            let input = match what {
                0 => Input::Gone { syspath: device.syspath },
                1 => Input::Walked(vec![device]),
                2 => Input::Used(Plug::of(&device), Some(Refused { kind: "mounted".into(), reason: String::new() })),
                3 => Input::Held([Plug::of(&device)].into()),
                _ => Input::Seen(device),
            };
            let changes = registry.step(at(i64::try_from(n).unwrap()), input);
            for plug in changes.left {
                prop_assert!(there.remove(&plug));
            }
            for plug in changes.arrived {
                prop_assert!(there.insert(plug));
            }
            let now: BTreeSet<Plug> = registry.devices().map(Plug::of).collect();
            prop_assert_eq!(&now, &there);
            let drives = registry.drives();
            let keys: BTreeSet<_> = drives.iter().map(|d| &d.key).collect();
            prop_assert_eq!(keys.len(), drives.len());
            for drive in drives.iter().filter(|d| d.present) {
                prop_assert!(drive.id.is_some() || drive.refused.is_some());
                if let Some(id) = &drive.id {
                    prop_assert_eq!(&registry.find(id).unwrap().name, &drive.kernel_name);
                }
            }
        }
    }
}

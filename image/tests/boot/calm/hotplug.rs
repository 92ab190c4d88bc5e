//! A drive that is plugged in or out is on the dashboard within two seconds of the kernel's word.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use image::qemu::http::Event as Sent;
use image::qemu::{Bus, Drive, Source};
use probe::Op;

use super::calm;
use crate::lab::SOON;

/// What is promised, from the uevent's arrival at the host to the event of the dashboard's stream.
const PROMISED: Duration = Duration::from_secs(2);

/// Waits for a `drives` event in which this serial is (not) present; the moment it came.
fn shown(stream: &Receiver<(Instant, Sent)>, serial: &str, present: bool) -> Instant {
    let deadline = Instant::now() + SOON;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (at, event) = stream
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("{serial} present={present} was not shown"));
        if event.kind != "drives" {
            continue;
        }
        let drives: Vec<wire::drive::Drive> = serde_json::from_str(&event.data).unwrap();
        if drives.iter().any(|d| d.serial == serial && d.present) == present {
            return at;
        }
    }
}

#[test]
fn a_drive_of_each_bus_is_shown_within_two_seconds_of_its_uevent_and_gone_likewise() {
    calm(|it| {
        let (lab, vm, bench) = (&it.lab, &mut it.vm, &it.bench);
        vm.probe().unwrap().op(Op::Uevents {}).unwrap();
        let stream = bench.stream(None);
        shown(&stream, "KILNBOOT", true);

        for (bus, serial) in [
            (Bus::Scsi, "HOTSCSI01"),
            (Bus::Nvme, "HOTNVME01"),
            (Bus::Usb, "HOTUSB001"),
            (Bus::Virtio, "HOTVIRT01"),
        ] {
            for (action, present) in [("add", true), ("remove", false)] {
                vm.probe().unwrap().forget_uevents();
                if present {
                    vm.plug(Drive::new(bus, serial, lab.blank(serial, 16))).unwrap();
                } else {
                    vm.pull(&serial.to_ascii_lowercase()).unwrap();
                }
                let whole_disk = |keys: &std::collections::BTreeMap<String, String>| {
                    let is = |key: &str, value: &str| keys.get(key).is_some_and(|v| v == value);
                    is("SUBSYSTEM", "block") && is("ACTION", action) && is("DEVTYPE", "disk")
                };
                let uevent = vm.probe().unwrap().uevent(whole_disk, SOON).unwrap();
                let took = shown(&stream, serial, present).saturating_duration_since(uevent.at);
                println!("{serial} {action}: {} ms after the uevent", took.as_millis());
                assert!(took <= PROMISED, "{serial} {action} took {took:?}");
            }
        }
    });
}

#[test]
fn identity_and_size_are_what_the_drive_says() {
    calm(|it| {
        let bench = &it.bench;
        let wwn = Drive::new(Bus::Sata, "SATA0001", Source::Raw("/".into())).wwn.unwrap();

        let seen = bench.offered("SATA0001");
        assert_eq!(
            (seen.model.as_str(), seen.capacity.0),
            ("KILN Spinner", 32 << 20),
            "{seen:#?}"
        );
        assert_eq!(seen.bus, wire::drive::Bus::Sata);
        assert_eq!(seen.rotation, wire::drive::Rotation::Spinning { rpm: Some(7200) });
        assert!(
            seen.wwn.as_ref().is_some_and(|w| w.contains(&format!("{wwn:x}"))),
            "{seen:#?}"
        );

        let seen = bench.drive("NVME0001", "with a temperature", |d| {
            d.present && d.temperature.is_some()
        });
        // QEMU's NVMe tells 50 °C through the kernel's sensor. Its SATA drive has no sensor: it does not say that it is SATA.
        assert!(seen.temperature.is_some_and(|t| (49..=51).contains(&t.0)), "{seen:#?}");
        assert_eq!(
            (seen.bus, seen.capacity.0),
            (wire::drive::Bus::Nvme, 48 << 20),
            "{seen:#?}"
        );
        assert_eq!(seen.rotation, wire::drive::Rotation::SolidState);
    });
}

//! Identity from made-up `/sys` trees: SATA behind AHCI, SAS, USB bridge, NVMe (plain and multipath), virtio, SD card, and
//! what must be ignored. The attribute names and layouts are those of Linux 6.12.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/tree.rs"]
mod tree;

use std::os::unix::fs::symlink;

use drive::guard::{Guard, Place, Seat, Usage};
use drive::no_size::NoSize;
use drive::probe::Prober;
use drive::sysfs::{self, DevNum, is_noise};
use drive::{Registry, registry::Input};
use tree::{SATA, Tree, pg80, pg83_naa};
use wire::drive::{Bus, Rotation};

#[test]
fn fault_14_each_bus_tells_who_the_drive_is() {
    let mut tree = Tree::new();
    let naa = [0x50, 0x01, 0x4e, 0xe2, 0xb3, 0x7a, 0x12, 0x34];
    tree.disk(
        "sda",
        SATA,
        7_814_037_168,
        &[
            ("vendor", b"ATA     \n"),
            ("model", b"WDC WD40EFRX-68W\n"),
            ("type", b"0\n"),
            ("vpd_pg80", &pg80("     WD-WCC4E1234567")),
            ("vpd_pg83", &pg83_naa(naa)),
            ("vpd_pgb1", b"\0\xb1\0\x3c\x15\x18"),
        ],
    );
    tree.disk(
        "sdb",
        "pci0000:00/0000:01:00.0/host3/port-3:0/end_device-3:0/target3:0:0/3:0:0:0",
        1_172_123_568,
        &[
            ("vendor", b"HITACHI \n"),
            ("model", b"H109060SESUN600G\n"),
            ("type", b"0\n"),
            ("vpd_pg80", &pg80("001307K2N4MX")),
        ],
    );
    let usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0";
    tree.disk(
        "sdc",
        usb,
        250_069_680,
        &[("vendor", b"JMicron \n"), ("model", b"Generic\n"), ("type", b"0\n")],
    );
    tree.put("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/idVendor", "152d\n");
    tree.put("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/serial", "DD56419883A1B\n");
    let nvme = "pci0000:00/0000:00:05.0/nvme/nvme0";
    let base = tree.disk(
        "nvme0n1",
        nvme,
        1_000_215_216,
        &[("model", b"Samsung SSD 970\n"), ("serial", b"S466NX0M776250H \n")],
    );
    tree.put(&format!("{base}/wwid"), "eui.0025385681b2c3d4\n");
    let base = tree.disk(
        "nvme1n2",
        "virtual/nvme-subsystem/nvme-subsys1",
        1000,
        &[("model", b"QEMU NVMe Ctrl\n"), ("serial", b"two\n")],
    );
    tree.put(&format!("{base}/nsid"), "2\n");
    tree.put(&format!("{base}/wwid"), "nvme.1b36-74776f-51454d55-00000002\n");
    let base = tree.disk("vda", "pci0000:00/0000:00:04.0/virtio1", 2048, &[]);
    tree.put(&format!("{base}/serial"), "disk-7\n");
    tree.disk(
        "mmcblk0",
        "platform/soc/mmc_host/mmc0/mmc0:aaaa",
        62_333_952,
        &[
            ("name", b"SC32G\n"),
            ("cid", b"035344534333324780afb1c3c4013a00\n"),
            ("serial", b"0xafb1c3c4\n"),
        ],
    );
    tree.disk(
        "sdd",
        "pci0000:00/0000:00:09.0/virtio5/host6/target6:0:0/6:0:0:0",
        64,
        &[
            ("vendor", b"QEMU    \n"),
            ("model", b"QEMU HARDDISK\n"),
            ("type", b"0\n"),
            ("vpd_pg80", &pg80("scsi-9")),
        ],
    );

    tree.put(
        "sys/devices/pci0000:00/0000:00:1f.2/ata3/link3/ata_link/link3/sata_spd",
        "3.0 Gbps\n",
    );
    tree.put("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/speed", "480\n");

    let drives = sysfs::walk(&tree.system());
    let links = drives.iter().filter_map(|d| Some((d.name.as_str(), d.link_mbps?)));
    assert_eq!(links.collect::<Vec<_>>(), [("sda", 3000), ("sdc", 480)]);
    let told: Vec<(&str, Bus, &str, &str, String, Rotation, &str)> = drives
        .iter()
        .map(|d| {
            let id = d.identity.id.as_ref().unwrap().to_string();
            (
                d.name.as_str(),
                d.identity.bus,
                d.identity.model.as_str(),
                d.identity.serial.as_str(),
                id,
                d.rotation,
                d.location.as_str(),
            )
        })
        .collect();
    let spinning = |rpm| Rotation::Spinning { rpm };
    #[rustfmt::skip]
    let want = [
        ("mmcblk0", Bus::Mmc, "SC32G", "035344534333324780afb1c3c4013a00", "sn-SC32G-035344534333324780afb1c3c4013a00-31914983424".to_owned(), Rotation::Unknown, "card slot 0"),
        ("nvme0n1", Bus::Nvme, "Samsung SSD 970", "S466NX0M776250H", "wwn-0025385681b2c3d4".to_owned(), Rotation::SolidState, "PCI 00:05.0, nvme0"),
        ("nvme1n2", Bus::Nvme, "QEMU NVMe Ctrl", "two", "sn-QEMU_NVMe_Ctrl-two-n2-512000".to_owned(), Rotation::SolidState, "nvme-subsys1"),
        ("sda", Bus::Sata, "WDC WD40EFRX-68W", "WD-WCC4E1234567", "wwn-50014ee2b37a1234".to_owned(), spinning(Some(5400)), "PCI 00:1f.2, SATA port 3"),
        ("sdb", Bus::Scsi, "HITACHI H109060SESUN600G", "001307K2N4MX", "sn-HITACHI_H109060SESUN600G-001307K2N4MX-600127266816".to_owned(), spinning(None), "PCI 01:00.0, SAS 3:0"),
        ("sdc", Bus::Usb, "JMicron Generic", "DD56419883A1B", "sn-JMicron_Generic-DD56419883A1B-128035676160".to_owned(), Rotation::Unknown, "PCI 00:14.0, USB 2-1"),
        ("sdd", Bus::Scsi, "QEMU QEMU HARDDISK", "scsi-9", "sn-QEMU_QEMU_HARDDISK-scsi-9-32768".to_owned(), spinning(None), "PCI 00:09.0, SCSI 6:0:0:0"),
        ("vda", Bus::Virtio, "Virtio disk", "disk-7", "sn-Virtio_disk-disk-7-1048576".to_owned(), Rotation::Unknown, "PCI 00:04.0"),
    ];
    for (told, want) in told.iter().zip(&want) {
        assert_eq!(told, want);
    }
    assert_eq!(told.len(), want.len());
    assert!(
        drives
            .iter()
            .all(|d| d.physical_sector == 4096 && d.identity.logical_sector == 512)
    );
}

#[test]
fn a_sata_disk_behind_a_sas_controller_is_asked_for_hidden_sectors() {
    let mut tree = Tree::new();
    let mut page = vec![0; 572];
    page[1] = 0x89;
    let sas = |unit: u8| {
        format!("pci0000:00/0000:01:00.0/host0/port-0:{unit}/end_device-0:{unit}/target0:0:{unit}/0:0:{unit}:0")
    };
    let usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0";
    tree.disk(
        "sda",
        &sas(0),
        1000,
        &[("vendor", b"SEAGATE \n"), ("type", b"0\n"), ("vpd_pg89", &page)],
    );
    tree.disk("sdb", &sas(1), 1000, &[("vendor", b"ATA     \n"), ("type", b"0\n")]);
    tree.disk("sdc", &sas(2), 1000, &[("vendor", b"SEAGATE \n"), ("type", b"0\n")]);
    tree.disk(
        "sdd",
        usb,
        1000,
        &[("vendor", b"ATA     \n"), ("type", b"0\n"), ("vpd_pg89", &page)],
    );
    let file = tempfile::tempfile().unwrap();
    for (name, bus, asked) in [
        ("sda", Bus::Scsi, true),
        ("sdb", Bus::Scsi, true),
        ("sdc", Bus::Scsi, false),
        ("sdd", Bus::Usb, false),
    ] {
        let device = sysfs::read(&tree.system(), name).unwrap();
        assert_eq!(device.identity.bus, bus, "{name}");
        // A plain file has the number of no device: here that is the disk's.
        let number = tree.root.path().join("sys/dev/block/0:0");
        symlink(tree.root.path().join("sys").join(&device.syspath), &number).unwrap();
        let told = drive::overlay::look(&tree.system(), &file, &device.identity);
        assert_eq!(told.is_some(), asked, "{name}: {told:?}");
        std::fs::remove_file(number).unwrap();
    }
}

#[test]
fn units_of_one_target_with_one_serial_number_are_one_drive() {
    let mut tree = Tree::new();
    let sas = "pci0000:00/0000:01:00.0/host0/port-0:1/end_device-0:1/target0:0:1";
    let usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0";
    for (name, parent, sectors, serial) in [
        // Two actuators, and an enclosure's own unit beside them.
        ("sda", format!("{sas}/0:0:1:0"), 1000, "ZBS0"),
        ("sdb", format!("{sas}/0:0:1:1"), 3000, "ZBS0"),
        ("sdc", format!("{sas}/0:0:1:2"), 500, "OTHER"),
        // The same number behind another target, two cards in one reader, and two that tell none.
        (
            "sdd",
            "pci0000:00/0000:01:00.0/host0/port-0:2/end_device-0:2/target0:0:2/0:0:2:0".to_owned(),
            700,
            "ZBS0",
        ),
        ("sde", format!("{usb}/4:0:0:0"), 100, "READER"),
        ("sdf", format!("{usb}/4:0:0:1"), 100, "READER"),
        (
            "sdg",
            "pci0000:00/0000:01:00.0/host0/target0:0:3/0:0:3:0".to_owned(),
            90,
            "    ",
        ),
        (
            "sdh",
            "pci0000:00/0000:01:00.0/host0/target0:0:3/0:0:3:1".to_owned(),
            90,
            "    ",
        ),
    ] {
        tree.disk(name, &parent, sectors, &[("type", b"0\n"), ("vpd_pg80", &pg80(serial))]);
    }
    let beside = |name| sysfs::read(&tree.system(), name).unwrap().beside.0 / 512;
    assert_eq!([beside("sda"), beside("sdb")], [3000, 1000]);
    assert!(
        ["sdc", "sdd", "sde", "sdf", "sdg", "sdh"]
            .iter()
            .all(|name| beside(name) == 0)
    );
}

#[test]
fn what_is_no_drive_is_ignored() {
    let mut tree = Tree::new();
    tree.disk("sr0", SATA, 100, &[("type", b"5\n")]);
    tree.disk(
        "sde",
        "pci0000:00/0000:00:1f.2/ata4/host3/target3:0:0/3:0:0:0",
        100,
        &[("type", b"13\n")],
    );
    tree.disk(
        "sdf",
        "pci0000:00/0000:00:1f.2/ata5/host4/target4:0:0/4:0:0:0",
        0,
        &[("type", b"0\n")],
    );
    let base = tree.disk("nvme0c0n1", "pci0000:00/0000:00:05.0/nvme/nvme0", 100, &[]);
    tree.put(&format!("{base}/hidden"), "1\n");
    for name in ["loop3", "ram0", "zram0", "nbd5", "dm-0", "md127", "bcache0", "fd0"] {
        tree.disk(name, &format!("virtual/{name}"), 100, &[]);
        assert!(is_noise(name), "{name}");
    }
    assert_eq!(sysfs::walk(&tree.system()), []);
    assert!(is_noise("mmcblk0boot0") && is_noise("mmcblk2rpmb"));
    for drive in ["sda", "sdaa", "nvme0n1", "vda", "mmcblk0", "xvda"] {
        assert!(!is_noise(drive), "{drive}");
    }
}

#[test]
fn two_bridges_with_one_serial_are_shown_and_refused() {
    let mut tree = Tree::new();
    for (n, name) in [(1, "sda"), (2, "sdb")] {
        let port = format!("pci0000:00/0000:00:14.0/usb2/2-{n}");
        tree.disk(
            name,
            &format!("{port}/2-{n}:1.0/host{n}/target{n}:0:0/{n}:0:0:0"),
            1000,
            &[("vendor", b"Cheap\n"), ("model", b"Bridge\n"), ("type", b"0\n")],
        );
        tree.put(&format!("sys/devices/{port}/idVendor"), "152d\n");
        tree.put(&format!("sys/devices/{port}/serial"), "20190716AB51\n");
    }
    let system = tree.system();
    let drives = sysfs::walk(&system);
    let mut registry = Registry::default();
    registry.step(wire::Time::now(), Input::Walked(drives.clone()));
    assert!(
        registry
            .drives()
            .iter()
            .all(|d| d.id.is_none() && d.refused.as_ref().unwrap().kind == "same-identity")
    );
    let guard = Guard {
        system: system.clone(),
        prober: Prober::InProcess,
        ..Guard::default()
    };
    let refusal = guard.view(&Usage::collect(&system), &drives[0], None).unwrap();
    assert_eq!(
        (refusal.kind(), refusal.to_string().contains("sdb")),
        ("same-identity", true)
    );
    let held = |registry: &mut Registry| -> Vec<String> {
        registry.step(wire::Time::now(), Input::Held(guard.seats.held()));
        let drives = registry.drives().into_iter();
        drives
            .filter(|drive| drive.id.is_some())
            .map(|drive| drive.kernel_name)
            .collect()
    };
    let seat = guard.seats.take(&system, &drives[1]);
    assert_eq!(held(&mut registry), [drives[1].name.as_str()]);
    drop(seat);
    assert!(held(&mut registry).is_empty());
}

#[test]
fn an_nvme_drive_sits_at_the_one_controller_that_leads_to_it() {
    let mut tree = Tree::new();
    let subsystem = "virtual/nvme-subsystem/nvme-subsys0";
    tree.disk("nvme0n2", subsystem, 1000, &[("model", b"M\n"), ("serial", b"S\n")]);
    let location = |tree: &Tree| sysfs::read(&tree.system(), "nvme0n2").unwrap().location;
    assert_eq!(location(&tree), "nvme-subsys0");
    for (name, pci, told) in [
        ("nvme3", "0000:02:00.0", "PCI 02:00.0, nvme3"),
        // Two lead to it.
        ("nvme4", "0000:03:00.0", "nvme-subsys0"),
    ] {
        let controller = format!("sys/devices/pci0000:00/0000:00:1c.0/{pci}/nvme/{name}");
        tree.put(&format!("{controller}/model"), "M\n");
        let link = tree.root.path().join(format!("sys/devices/{subsystem}/{name}"));
        symlink(tree.root.path().join(controller), link).unwrap();
        assert_eq!(location(&tree), told);
    }
}

#[test]
fn shingled_disks_are_known_by_zones_or_trim_and_host_managed_ones_are_refused() {
    let mut tree = Tree::new();
    let sata = |n: u32| format!("pci0000:00/0000:00:1f.2/ata{n}/host{n}/target{n}:0:0/{n}:0:0:0");
    // VPD page 0xb1: 7200 revolutions, or none told.
    let rpm: &[(&str, &[u8])] = &[("vpd_pgb1", b"\0\xb1\0\x3c\x1c\x20"), ("vpd_pg80", b"\0\x80\0\x04AB12")];
    let bases: Vec<String> = ["sda", "sdb", "sdc", "sdd", "sde"]
        .iter()
        .zip(1..)
        .map(|(name, n)| tree.disk(name, &sata(n), 1 << 20, if *name == "sdd" { &rpm[1..] } else { rpm }))
        .collect();
    tree.put(&format!("{}/queue/zoned", bases[0]), "host-aware\n");
    tree.put(&format!("{}/queue/zoned", bases[1]), "host-managed\n");
    for base in &bases[2..4] {
        tree.put(&format!("{base}/queue/discard_max_hw_bytes"), "2147450880\n");
    }
    tree.put(&format!("{}/queue/zoned", bases[4]), "none\n");
    tree.put(&format!("{}/queue/discard_max_hw_bytes", bases[4]), "0\n");
    let told = |name: &str| {
        let device = sysfs::read(&tree.system(), name).unwrap();
        (device.shingled, device.host_managed)
    };
    assert_eq!(told("sda"), (Some("zoned=host-aware".into()), false));
    assert_eq!(told("sdb"), (Some("zoned=host-managed".into()), true));
    assert_eq!(told("sdc"), (Some("a disk that takes trim commands".into()), false));
    assert_eq!(told("sdd"), (None, false), "a virtual disk that only looks like one");
    assert_eq!(told("sde"), (None, false));
}

/// Used drives from arrays come in sectors that Linux does not take: it shows them, without a size.
#[test]
fn a_disk_without_a_size_is_no_drive_and_tells_why() {
    let mut tree = Tree::new();
    let sas = "pci0000:00/0000:01:00.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0";
    let usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0";
    let nvme = "pci0000:00/0000:02:00.0/nvme/nvme0";
    for (name, parent, removable, why) in [
        ("sda", sas, "0\n", NoSize::Sectors),
        ("sdb", usb, "1\n", NoSize::Medium),
        ("sdc", &usb.replace("2-1", "2-2"), "0\n", NoSize::Medium),
        ("nvme0n1", nvme, "0\n", NoSize::Untold),
    ] {
        let base = tree.disk(name, parent, 0, &[]);
        tree.put(&format!("{base}/removable"), removable);
        let system = tree.system();
        let number = DevNum::parse(&system.text(format!("{base}/dev")).unwrap()).unwrap();
        assert!(sysfs::read(&system, name).is_none(), "{name}");
        assert_eq!(NoSize::of(&system, name), Some(why), "{name}");
        assert_eq!(NoSize::of_number(&system, number), Some(why), "{name}");
        assert!(why.to_string().starts_with("it tells no size"));
        let shown = sysfs::shown(&system, name);
        let told = shown.map(|device| (device.identity.capacity.0, device.identity.id));
        assert_eq!(told, (why == NoSize::Sectors).then_some((0, None)), "{name}");
        tree.put(&format!("{base}/size"), "1\n");
        assert_eq!(NoSize::of(&system, name), None, "{name}");
        // An optical drive without a disc is no drive either way.
        tree.put(&format!("{base}/size"), "0\n");
        tree.put(&format!("sys/devices/{parent}/type"), "5\n");
        assert_eq!(NoSize::of(&system, name), None, "{name}");
    }
    assert_eq!(NoSize::of(&tree.system(), "sdz"), None);
}

/// As a used drive of an array: somebody who plugs it in sees it, and why it cannot be had.
#[test]
fn a_drive_of_520_byte_sectors_is_listed_with_what_to_do_until_it_has_a_size() {
    let mut tree = Tree::new();
    let sas = "pci0000:00/0000:01:00.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0";
    let naa = [0x50, 0x00, 0xc5, 0x00, 0xa1, 0xb2, 0xc3, 0xd4];
    let base = tree.disk(
        "sda",
        sas,
        0,
        &[("model", b"X423_HCOBE900A10\n"), ("vpd_pg83", &pg83_naa(naa))],
    );
    let mut registry = Registry::default();
    let mut drives = |tree: &Tree| {
        registry.step(wire::Time::now(), Input::Walked(sysfs::walk_shown(&tree.system())));
        registry.drives()
    };
    let listed = drives(&tree);
    let [drive] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert_eq!((drive.id.clone(), drive.capacity.0), (None, 0));
    let refused = drive.refused.clone().unwrap();
    assert_eq!(refused.kind, "no-size");
    assert!(refused.reason.contains("sg_format"), "{refused:?}");
    assert_eq!(sysfs::walk(&tree.system()), Vec::new(), "it is no drive to write to");
    tree.put(&format!("{base}/size"), "2048\n");
    let listed = drives(&tree);
    let formatted: Vec<_> = listed
        .iter()
        .map(|drive| (drive.id.is_some(), drive.capacity.0))
        .collect();
    assert_eq!(formatted, [(true, 1 << 20)]);
}

/// A removable drive that was merely reset is counted anew, and so is one that was exchanged.
#[test]
fn a_drive_that_is_counted_anew_is_taken_up_where_it_proves_itself_and_else_is_another() {
    let mut tree = Tree::new();
    let usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0";
    let base = tree.disk("sdc", usb, 2048, &[("model", b"Reader\n"), ("vpd_pg80", &pg80("AB12"))]);
    // The number that a plain file tells as its own.
    tree.put(&format!("{base}/dev"), "0:0\n");
    symlink(tree.root.path().join(&base), tree.root.path().join("sys/dev/block/0:0")).unwrap();
    tree.put("dev/sdc", [0; 4096]);
    let count = |n: u32| tree.put(&format!("{base}/diskseq"), format!("{n}\n"));
    count(7);
    let seat = Seat::of(&tree.system(), &sysfs::read(&tree.system(), "sdc").unwrap());
    assert_eq!(seat.now(), Place::Same);
    count(8);
    assert_eq!(seat.now(), Place::Recounted);
    assert!(!seat.take_up(|_| false));
    assert_eq!(seat.now(), Place::Recounted, "it did not prove itself");
    let again = |_| {
        count(9);
        true
    };
    assert!(!seat.take_up(again), "nobody knows which of them answered");
    assert!(seat.take_up(|_| true));
    assert_eq!(seat.now(), Place::Same);
    count(10);
    tree.put(&format!("{base}/size"), "4096\n");
    assert_eq!(seat.now(), Place::Another, "of another size");
    assert!(!seat.take_up(|_| true));
    // A kernel before 5.15 counts none.
    std::fs::remove_file(tree.root.path().join(&base).join("diskseq")).unwrap();
    let seat = Seat::of(&tree.system(), &sysfs::read(&tree.system(), "sdc").unwrap());
    assert_eq!(seat.now(), Place::Same);
    tree.put(&format!("{base}/size"), "2048\n");
    assert_eq!(seat.now(), Place::Another, "of another size, and not counted");
    std::fs::remove_file(tree.root.path().join("sys/dev/block/0:0")).unwrap();
    assert_eq!(seat.now(), Place::Empty);
    assert!(!seat.take_up(|_| true));
}

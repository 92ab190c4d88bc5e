//! Identity from made-up `/sys` trees: SATA behind AHCI, SAS, USB bridge, NVMe (plain and multipath), virtio, SD card, and
//! what must be ignored. The attribute names and layouts are those of Linux 6.12.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use drive::guard::{Guard, Place, Seat, Usage};
use drive::probe::Prober;
use drive::sysfs::{self, is_noise};
use drive::{Registry, System, registry::Input};
use wire::drive::{Bus, Rotation};

struct Tree {
    root: tempfile::TempDir,
    minor: u32,
}

impl Tree {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("sys/block")).unwrap();
        std::fs::create_dir_all(root.path().join("sys/dev/block")).unwrap();
        Tree { root, minor: 0 }
    }

    fn system(&self) -> System {
        System::at(self.root.path())
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A disk at `devices/PARENT/block/NAME` with `size` sectors of 512 bytes and attributes below its `device`.
    fn disk(&mut self, name: &str, parent: &str, size: u64, attributes: &[(&str, &[u8])]) -> String {
        self.minor += 16;
        let base = match name.starts_with("nvme") {
            true => format!("sys/devices/{parent}/{name}"),
            false => format!("sys/devices/{parent}/block/{name}"),
        };
        self.put(&format!("{base}/size"), format!("{size}\n"));
        self.put(&format!("{base}/dev"), format!("8:{}\n", self.minor));
        self.put(&format!("{base}/hidden"), "0\n");
        self.put(&format!("{base}/ro"), "0\n");
        self.put(&format!("{base}/diskseq"), format!("{}\n", self.minor));
        self.put(&format!("{base}/queue/logical_block_size"), "512\n");
        self.put(&format!("{base}/queue/physical_block_size"), "4096\n");
        self.put(&format!("{base}/queue/rotational"), "1\n");
        self.put(&format!("sys/devices/{parent}/present"), "");
        symlink(
            self.root.path().join(format!("sys/devices/{parent}")),
            self.root.path().join(&base).join("device"),
        )
        .unwrap();
        symlink(
            self.root.path().join(&base),
            self.root.path().join("sys/block").join(name),
        )
        .unwrap();
        symlink(
            self.root.path().join(&base),
            self.root.path().join(format!("sys/dev/block/8:{}", self.minor)),
        )
        .unwrap();
        for (attribute, bytes) in attributes {
            self.put(&format!("sys/devices/{parent}/{attribute}"), bytes);
        }
        base
    }
}

fn pg80(serial: &str) -> Vec<u8> {
    [
        b"\0\x80\0",
        &[u8::try_from(serial.len()).unwrap()][..],
        serial.as_bytes(),
    ]
    .concat()
}

fn pg83_naa(name: [u8; 8]) -> Vec<u8> {
    [b"\0\x83\0\x0c\x01\x03\0\x08".as_slice(), &name].concat()
}

const SATA: &str = "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0";

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

    let drives = sysfs::walk(&tree.system());
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
}

/// Every use that leaves a mark in `/sys`, `/proc` or `/run`, on a partition of a drive.
#[test]
fn fault_13_each_mark_of_use_is_found() {
    let mut tree = Tree::new();
    let base = tree.disk(
        "sda",
        SATA,
        1000,
        &[("type", b"0\n"), ("vpd_pg80", &pg80("SER1")), ("model", b"M\n")],
    );
    let partition = PathBuf::from(&base).join("sda1");
    tree.put(&format!("{}/partition", partition.display()), "1\n");
    tree.put(&format!("{}/dev", partition.display()), "8:17\n");
    symlink(
        tree.root.path().join(&partition),
        tree.root.path().join("sys/dev/block/8:17"),
    )
    .unwrap();
    let system = tree.system();
    let guard = Guard {
        system: system.clone(),
        prober: Prober::InProcess,
        ..Guard::default()
    };
    let ask = || {
        let device = sysfs::read(&system, "sda").unwrap();
        guard
            .view(&Usage::collect(&system), &device, None)
            .map(|r| (r.kind(), r.to_string()))
    };
    assert_eq!(ask(), None);
    // What the guard asks of an open descriptor's number: a partition is no drive.
    let number = |text| sysfs::DevNum::parse(text).unwrap();
    assert!(sysfs::is_partition(&system, number("8:17")) && !sysfs::is_partition(&system, number("8:16")));
    assert_eq!(sysfs::read_number(&system, number("8:17")), None);
    assert_eq!(
        sysfs::read_number(&system, number("8:16")).unwrap().partitions[0].name,
        "sda1"
    );

    let root = tree.root.path();
    let undo = |path: &str| {
        let path = root.join(path);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap()
        } else {
            std::fs::remove_file(path).unwrap()
        }
    };
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        ("boot-disk", &[("run/kiln/boot-disk", "8:16\n")], "booted"),
        (
            "mounted",
            &[("proc/self/mountinfo", "30 1 8:17 / /mnt rw - ext4 /dev/sda1 rw\n")],
            "sda1 is mounted at /mnt",
        ),
        (
            "mounted",
            &[("proc/4711/mountinfo", "30 1 8:16 / /x rw - xfs /dev/sda rw\n")],
            "namespace of process 4711",
        ),
        (
            "btrfs-mounted",
            &[("sys/fs/btrfs/u-u-i-d/devices/sda1/dev", "8:17\n")],
            "mounted btrfs u-u-i-d",
        ),
        (
            "swap",
            &[("proc/swaps", "Filename Type Size\n/dev/sda1 partition 9 0 -2\n")],
            "sda1 is swap",
        ),
        (
            "md-active",
            &[(&format!("{}/holders/md0/dev", partition.display()), "9:0\n")],
            "array md0",
        ),
        (
            "lvm-active",
            &[
                (&format!("{base}/holders/dm-3/dev"), "253:3\n"),
                ("sys/block/dm-3/dm/uuid", "LVM-abc\n"),
                ("sys/block/dm-3/dm/name", "vg-home\n"),
            ],
            "vg-home",
        ),
        (
            "dm-crypt",
            &[
                (&format!("{base}/holders/dm-4/dev"), "253:4\n"),
                ("sys/block/dm-4/dm/uuid", "CRYPT-LUKS2-x\n"),
                ("sys/block/dm-4/dm/name", "secret\n"),
            ],
            "mapping secret",
        ),
        (
            "bcache-active",
            &[(&format!("{base}/holders/bcache0/dev"), "252:0\n")],
            "bcache0",
        ),
        ("holder", &[(&format!("{base}/holders/drbd0/dev"), "147:0\n")], "drbd0"),
        (
            "loop-backing",
            &[("sys/block/loop4/loop/backing_file", "/dev/sda1\n")],
            "loop4 is backed by sda1",
        ),
        ("write-protected", &[(&format!("{base}/ro"), "1\n")], "write-protected"),
    ];
    for (kind, files, sentence) in cases {
        for (path, text) in *files {
            tree.put(path, text);
        }
        let (found, reason) = ask().unwrap_or_else(|| panic!("{kind} is not seen"));
        assert_eq!(found, *kind, "{reason}");
        assert!(reason.contains(sentence), "{reason:?} lacks {sentence:?}");
        tree.put(&format!("{base}/ro"), "0\n");
        for (path, _) in *files {
            if !path.ends_with("/ro") {
                // The directory that makes the mark, where there is one.
                undo(
                    path.strip_suffix("/dev")
                        .or(path.strip_suffix("/dm/uuid"))
                        .or(path.strip_suffix("/dm/name"))
                        .filter(|p| root.join(p).exists())
                        .unwrap_or(if root.join(path).exists() { path } else { "run" }),
                );
                std::fs::create_dir_all(root.join("run")).unwrap();
            }
        }
        if root.join("sys/fs").exists() {
            undo("sys/fs");
        }
        if root.join("sys/block/loop4").exists() {
            undo("sys/block/loop4");
        }
        assert_eq!(ask(), None, "after {kind}");
    }
}

/// What would tell of a use and cannot be read (a folder in the place of a file), beside what is gone.
#[test]
fn what_cannot_be_read_is_refused_and_what_is_gone_is_not() {
    let mut tree = Tree::new();
    tree.disk("sdb", SATA, 1 << 20, &[("vpd_pg80", &pg80("AB12"))]);
    tree.put("dev/sdb", "");
    let root = tree.root.path();
    let system = tree.system();
    let put = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let folder = |path: &str| std::fs::create_dir_all(root.join(path)).unwrap();
    let link = |path: &str, to: &str| {
        folder(Path::new(path).parent().unwrap().to_str().unwrap());
        symlink(to, root.join(path)).unwrap();
    };
    let asked = || {
        let device = sysfs::read(&system, "sdb").unwrap();
        let usage = Usage::collect(&system).with_writers(&system);
        let refusal = Guard::default().view(&usage, &device, None);
        refusal.map(|refusal| (refusal.kind(), refusal.to_string()))
    };
    let process = || {
        put("proc/77/comm", b"qemu\n");
        put("proc/77/stat", b"77 (qemu) S 1 77");
    };
    type Case<'a> = (&'a dyn Fn(), Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (
            &|| folder("proc/77/maps"),
            Some("process 77 (qemu) has open cannot be read (maps: Is a directory"),
        ),
        (
            &|| link("proc/77/fd", "fd"),
            Some("process 77 (qemu) has open cannot be read (fd: Too many levels"),
        ),
        (
            &|| {
                link("proc/77/fd/3", "/nowhere");
                folder("proc/77/fdinfo/3");
            },
            Some("(fdinfo/3: Is a directory"),
        ),
        (
            // A path may be of any bytes: one such mapping must not hide the others.
            &|| {
                put(
                    "proc/77/maps",
                    b"7000-8000 rw-s 00000000 00:2a 7 /a\xff\n9000-a000 rw-s 00000000 00:05 77 /dev/sdb\n",
                );
                link("proc/77/map_files/9000-a000", "9000-a000");
            },
            Some("(map_files/9000-a000: Too many levels"),
        ),
        (
            &|| folder("proc/77/mountinfo"),
            Some("proc/77/mountinfo cannot be read: Is a directory"),
        ),
        (
            &|| folder("proc/swaps"),
            Some("proc/swaps cannot be read: Is a directory"),
        ),
        (
            &|| folder("run/kiln/boot-disk"),
            Some("run/kiln/boot-disk cannot be read: Is a directory"),
        ),
        (&|| put("run/kiln/boot-disk", b"8\n"), Some("it holds no device number")),
        (
            &|| folder("sys/block/loop4/loop/backing_file"),
            Some("backing_file cannot be read"),
        ),
        (
            &|| put("sys/block/loop4/loop/backing_file", b"/far/away\n"),
            Some("loop4 is backed by /far/away, and neither tells which drive that is on"),
        ),
        (
            &|| {
                put(
                    "sys/kernel/config/nvmet/subsystems/nqn/namespaces/1/device_path",
                    b"/far/sdb\n",
                )
            },
            Some("NVMe target (nqn, name space 1) exports /far/sdb, which cannot be found here"),
        ),
        (
            &|| link("sys/kernel/config/target/core", "core"),
            Some("target/core cannot be read"),
        ),
        // What is not there is no use: a descriptor closed meanwhile, a process that ended, no loop devices, no swap.
        (
            &|| {
                folder("proc/77/fd");
                link("proc/77/fd/3", "/nowhere");
            },
            None,
        ),
        (&|| folder("proc/78"), None),
        (&|| folder("sys/block/loop4"), None),
        (
            &|| put("sys/kernel/config/target/core/iblock_0/hba_info", b"HBA Index: 1\n"),
            None,
        ),
    ];
    for (n, (make, words)) in cases.iter().enumerate() {
        process();
        make();
        let found = asked();
        match words {
            Some(words) => {
                let (kind, reason) = found.unwrap_or_else(|| panic!("case {n}: {words}: passed over"));
                assert_eq!(kind, "use-unknown", "{reason}");
                assert!(reason.contains(words), "case {n}: {reason:?} lacks {words:?}");
            }
            None => assert_eq!(found, None, "case {n}"),
        }
        for made in ["proc", "run", "sys/block/loop4", "sys/kernel"] {
            let made = root.join(made);
            if made.exists() {
                std::fs::remove_dir_all(made).unwrap();
            }
        }
    }
    // Without a list of processes nobody knows any.
    assert_eq!(asked().unwrap().0, "use-unknown");
}

/// What the kernel's own targets have open is in no process's list of descriptors, and nvmet claims nothing.
#[test]
fn a_drive_that_this_kernel_exports_is_refused() {
    let mut tree = Tree::new();
    let base = tree.disk("sdb", SATA, 1 << 20, &[("vpd_pg80", &pg80("AB12"))]);
    tree.put(&format!("{base}/sdb1/partition"), "1\n");
    tree.put(&format!("{base}/sdb1/dev"), "8:17\n");
    tree.put("dev/sdb", "");
    tree.put("dev/sdbb", "");
    tree.put("dev/disk/by-id/x", "");
    symlink("../../sdb", tree.root.path().join("dev/disk/by-id/ata-AB12")).unwrap();
    let system = tree.system();
    let asked = || {
        let device = sysfs::read(&system, "sdb").unwrap();
        let refusal = Guard::default().view(&Usage::collect(&system), &device, None);
        refusal.map(|refusal| (refusal.kind(), refusal.to_string()))
    };
    let config = "sys/kernel/config";
    let lio = |store: &str| format!("{config}/target/core/{store}");
    let nvmet = format!("{config}/nvmet/subsystems/nqn.2026-01.box:one/namespaces/3");
    type Files = Vec<(String, &'static str)>;
    let cases: Vec<(Files, Option<&str>)> = vec![
        (
            vec![
                (format!("{nvmet}/device_path"), "/dev/sdb\n"),
                (format!("{nvmet}/enable"), "1\n"),
            ],
            Some("sdb is exported to other computers by this one's NVMe target (nqn.2026-01.box:one, name space 3)"),
        ),
        (
            vec![
                (format!("{nvmet}/device_path"), "/dev/sdb1\n"),
                (format!("{nvmet}/enable"), "1\n"),
            ],
            Some("sdb1 is exported"),
        ),
        (
            vec![
                (format!("{nvmet}/device_path"), "/dev/sdb\n"),
                (format!("{nvmet}/enable"), "0\n"),
            ],
            None,
        ),
        (vec![(format!("{nvmet}/device_path"), "(null)\n")], None),
        (
            vec![(lio("iblock_0/disk/udev_path"), "/dev/disk/by-id/ata-AB12\n")],
            Some("SCSI target (iblock_0/disk)"),
        ),
        (
            vec![
                (lio("fileio_1/by-hand/enable"), "1\n"),
                (
                    lio("fileio_1/by-hand/info"),
                    "Status: ACTIVATED  Max Queue Depth: 0\n TCM FILEIO ID: 0        File: /dev/sdb  Size: 536870912  Mode: Buffered-WCE\n",
                ),
            ],
            Some("SCSI target (fileio_1/by-hand)"),
        ),
        (
            vec![
                (lio("iblock_0/disk/udev_path"), "/dev/sdb\n"),
                (lio("iblock_0/disk/enable"), "0\n"),
            ],
            None,
        ),
        (vec![(lio("iblock_0/disk/udev_path"), "/dev/sdbb\n")], None),
    ];
    for (files, wanted) in cases {
        for (path, text) in &files {
            tree.put(path, text);
        }
        let found = asked();
        match wanted {
            None => assert_eq!(found, None, "{files:?}"),
            Some(sentence) => {
                let (kind, reason) = found.unwrap_or_else(|| panic!("not seen: {files:?}"));
                assert_eq!(kind, "exported", "{reason}");
                assert!(reason.contains(sentence), "{reason:?} lacks {sentence:?}");
            }
        }
        std::fs::remove_dir_all(tree.root.path().join(config)).unwrap();
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
    std::fs::remove_file(tree.root.path().join("sys/dev/block/0:0")).unwrap();
    assert_eq!(seat.now(), Place::Empty);
    assert!(!seat.take_up(|_| true));
}

//! What the guard finds of uses in made-up `/sys`, `/proc` and `/run` trees, each refused with its reason.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/tree.rs"]
mod tree;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use drive::guard::{Guard, Refusal, Usage};
use drive::probe::Prober;
use drive::sysfs;
use tree::{SATA, Tree, pg80};

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
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
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
                );
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

/// A guest's disk has no file in the kernel that hands it over, and one behind a USB port claims nothing.
#[test]
fn a_drive_that_a_guest_or_a_usb_host_has_from_this_kernel_is_refused() {
    let mut tree = Tree::new();
    let base = tree.disk("sdb", SATA, 1 << 20, &[("vpd_pg80", &pg80("AB12"))]);
    tree.put(&format!("{base}/sdb1/partition"), "1\n");
    tree.put(&format!("{base}/sdb1/dev"), "8:17\n");
    tree.put("dev/sdb", "");
    tree.put("srv/image", "");
    let system = tree.system();
    let guest = "sys/bus/xen-backend/devices/vbd-3-51712/physical_device";
    let usb = "sys/kernel/config/usb_gadget/g1/functions/mass_storage.usb0/lun.0/file";
    let (to_guest, to_host) = (
        "is exported to other computers by this one's Xen backend (vbd-3-51712)",
        "sdb is exported to other computers by this one's USB gadget (g1, mass_storage.usb0, lun.0)",
    );
    for (path, text, wanted) in [
        (guest, "8:10\n", Some(("exported", format!("sdb {to_guest}")))),
        (guest, "8:11\n", Some(("exported", format!("sdb1 {to_guest}")))),
        // Numbers are hexadecimal: this is 8:22. One that is not connected yet has none.
        (guest, "8:16\n", None),
        (guest, "0:0\n", None),
        (guest, "", None),
        (
            guest,
            "sdb\n",
            Some((
                "use-unknown",
                "physical_device cannot be read: it holds no device number".to_owned(),
            )),
        ),
        (usb, "/dev/sdb\n", Some(("exported", to_host.to_owned()))),
        (usb, "/srv/image\n", None),
        (usb, "", None),
        (
            usb,
            "/srv/gone\n",
            Some((
                "use-unknown",
                "exports /srv/gone, which cannot be found here".to_owned(),
            )),
        ),
    ] {
        tree.put(path, text);
        let device = sysfs::read(&system, "sdb").unwrap();
        let refusal = Guard::default().view(&Usage::collect(&system), &device, None);
        let found = refusal.as_ref().map(Refusal::kind);
        assert_eq!(found, wanted.as_ref().map(|(kind, _)| *kind), "{path}: {text}");
        if let (Some(refusal), Some((_, words))) = (refusal, wanted) {
            assert!(refusal.to_string().contains(&words), "{refusal} lacks {words:?}");
        }
        std::fs::remove_file(tree.root.path().join(path)).unwrap();
    }
    // Another kind of backend.
    tree.put("sys/bus/xen-backend/devices/vif-3-0/physical_device", "8:10\n");
    let device = sysfs::read(&system, "sdb").unwrap();
    assert!(Guard::default().view(&Usage::collect(&system), &device, None).is_none());
}

/// The number of `/dev/null`, which stands for a node that takes commands.
const NULL: &str = "1:3\n";

/// A virtual machine that was given a whole drive holds its `/dev/sgN` and never opens the block device.
#[test]
fn a_drive_of_which_a_node_that_takes_commands_is_open_for_writing_is_refused() {
    let nvme = "pci0000:00/0000:01:00.0/nvme/nvme0";
    let both = "virtual/nvme-subsystem/nvme-subsys0";
    for (name, parent, node, what) in [
        ("sda", SATA, "scsi_generic/sg0/dev", "sg0"),
        ("sda", SATA, "bsg/2:0:0:0/dev", "bsg/2:0:0:0"),
        ("nvme0n1", nvme, "ng0n1/dev", "ng0n1"),
        ("nvme0n1", nvme, "dev", "nvme0"),
        ("nvme0n1", both, "nvme3/dev", "nvme3"),
    ] {
        let mut tree = Tree::new();
        tree.disk(
            name,
            parent,
            1 << 20,
            &[("vpd_pg80", &pg80("AB12")), ("serial", b"AB12\n"), ("model", b"M\n")],
        );
        let node = format!("sys/devices/{parent}/{node}");
        tree.put(&node, NULL);
        tree.put("proc/77/comm", "qemu\n");
        tree.put("proc/77/stat", "77 (qemu) S 1 77");
        let flags = |octal: &str| tree.put("proc/77/fdinfo/9", format!("pos:\t0\nflags:\t{octal}\nmnt_id:\t3\n"));
        std::fs::create_dir_all(tree.root.path().join("proc/77/fd")).unwrap();
        symlink("/dev/null", tree.root.path().join("proc/77/fd/9")).unwrap();
        let system = tree.system();
        let guard = Guard {
            system: system.clone(),
            ..Guard::default()
        };
        let asked = || {
            let device = sysfs::read(&system, name).unwrap();
            let usage = Usage::collect(&system).with_writers(&system);
            let refusal = guard.view(&usage, &device, None);
            refusal.map(|refusal| (refusal.kind(), refusal.to_string()))
        };
        flags("0100002");
        let (kind, reason) = asked().unwrap_or_else(|| panic!("{what} is not seen"));
        assert_eq!(kind, "open-for-writing", "{reason}");
        assert!(
            reason.contains(&format!("process 77 (qemu) has {what} open for writing")),
            "{reason}"
        );
        // Killed, it is still there only because the kernel holds it.
        std::fs::create_dir_all(tree.root.path().join("proc/77/task/77")).unwrap();
        tree.put("proc/77/stat", "77 (qemu) D 1 77 77 0 -1 4194308");
        let (kind, reason) = asked().unwrap();
        assert!(
            kind == "stuck" && reason.contains("(77, qemu), which was ended"),
            "{reason}"
        );
        tree.put("proc/77/stat", "77 (qemu) S 1 77 77 0 -1 4194304");
        // Monitors read; and block devices are numbered apart.
        flags("0100000");
        assert_eq!(asked(), None, "{what}");
        flags("0100002");
        tree.put(&node, "1:4\n");
        assert_eq!(asked(), None, "{what}");
    }
}

/// nvmet hands over a controller with all that hangs below it, and has no descriptor of it.
#[test]
fn a_drive_whose_controller_this_kernel_exports_is_refused() {
    for (parent, controller) in [
        ("pci0000:00/0000:01:00.0/nvme/nvme0", "dev"),
        ("virtual/nvme-subsystem/nvme-subsys0", "nvme0/dev"),
    ] {
        let mut tree = Tree::new();
        tree.disk("nvme0n1", parent, 1 << 20, &[("serial", b"AB12\n"), ("model", b"M\n")]);
        tree.put(&format!("sys/devices/{parent}/{controller}"), "240:0\n");
        tree.put("dev/nvme0", "");
        let passthru = "sys/kernel/config/nvmet/subsystems/nqn/passthru";
        tree.put(&format!("{passthru}/device_path"), "/dev/nvme0\n");
        tree.put(&format!("{passthru}/enable"), "1\n");
        let system = tree.system();
        let guard = Guard {
            system: system.clone(),
            ..Guard::default()
        };
        let asked = || {
            let device = sysfs::read(&system, "nvme0n1").unwrap();
            let refusal = guard.view(&Usage::collect(&system), &device, None);
            refusal.map(|refusal| (refusal.kind(), refusal.to_string()))
        };
        let (kind, reason) = asked().expect("passed over");
        assert_eq!(kind, "exported", "{reason}");
        assert!(
            reason.contains("nvme0 is exported to other computers by this one's NVMe target (nqn, a whole controller)"),
            "{reason}"
        );
        tree.put(&format!("{passthru}/enable"), "0\n");
        assert_eq!(asked(), None, "{controller}");
        tree.put(&format!("{passthru}/enable"), "1\n");
        for (path, kind) in [("(null)\n", None), ("/dev/nvme7\n", Some("use-unknown"))] {
            tree.put(&format!("{passthru}/device_path"), path);
            assert_eq!(asked().map(|(kind, _)| kind), kind, "{path}");
        }
    }
}

//! Whose medium is whose: the box boots from its own, and neither writes to nor mounts what only looks like it.

use std::path::Path;
use std::process::Command;

use image::qemu::machine::blank_file;
use image::qemu::{Arch, Bus, Drive, Source, Vm};
use wire::supervisor::Medium;

use crate::bench::{Bench, PASSWORD};
use crate::images::image;
use crate::lab::{BOOT, Lab, SOON};

/// Those that are not the box's medium: as the firmware finds them before and after it.
const OTHERS: [&str; 3] = ["SECOND01", "COPYDRIV", "LABELLED"];

/// A whole copy of the test image.
fn copy(path: &Path) {
    let copied = Command::new("cp")
        .arg("--sparse=always")
        .arg(image(Arch::X86_64))
        .arg(path)
        .status();
    assert!(copied.unwrap().success());
}

/// A drive with partitions that bear our names, types and sizes in front of them, and a file system with a label.
fn labelled(path: &Path) {
    blank_file(path, 96).unwrap();
    let sgdisk = Command::new("sgdisk")
        .args(["-o", "-n", "1:2048:4095", "-t", "1:ef02", "-c", "1:BIOS boot"])
        .args(["-n", "2:4096:69631", "-t", "2:ef00", "-c", "2:boot"])
        .args(["-n", "3:69632:0", "-t", "3:8300", "-c", "3:DATA"])
        .arg(path)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(sgdisk.status.success(), "{sgdisk:?}");
    let offset = format!("offset={}", 69632 * 512);
    let mke2fs = Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-L", "DATA", "-E", &offset])
        .arg(path)
        .arg("12000")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(mke2fs.status.success(), "{mke2fs:?}");
}

/// That the box runs from its own medium and has none of the others mounted or offered.
fn right_one(vm: &mut Vm, bench: &Bench) {
    bench.until("state on the medium", SOON, || {
        let boot = bench.status().supervisor.map(|s| s.boot).ok_or("no supervisor")?;
        if boot.medium == Medium::Disk {
            Ok(())
        } else {
            Err(format!("{boot:?}"))
        }
    });
    let refused = |serial: &str| {
        let drive = bench.drive(serial, "refused", |d| d.present && d.refused.is_some());
        (drive.refused.map(|r| r.kind).unwrap_or_default(), drive.kernel_name)
    };
    assert_eq!(refused("KILNBOOT").0, "boot-disk");
    assert_eq!(refused("SECOND01").0, "kiln-stick");
    assert_eq!(refused("COPYDRIV").0, "kiln-stick");
    // Only its names are ours: it is a drive like any other, and what is on it is told before it is erased.
    let labelled = bench.offered("LABELLED");
    assert!(labelled.content.words().contains("DATA"), "{labelled:#?}");

    let probe = vm.probe().unwrap();
    let mounts = probe.read("/proc/1/mountinfo").unwrap();
    let mounted = |name: &str| mounts.contains(&format!(" /dev/{name}"));
    // The server shows each drive as it last knew it, and a stick's name changes from boot to boot: until the agent has told.
    bench.until("DATA on the box's own medium and on no other", SOON, || {
        let told = probe.read("/run/kiln/boot-disk");
        let own = refused("KILNBOOT").1;
        let others = OTHERS.map(|s| bench.drive(s, "present", |d| d.present).kernel_name);
        if mounted(&own) && !others.iter().any(|name| mounted(name)) {
            Ok(())
        } else {
            Err(format!("own {own}, others {others:?}, PID 1 says {told:?}: {mounts}"))
        }
    });
}

#[test]
fn of_two_sticks_a_copy_and_a_drive_labelled_like_ours_it_takes_its_own_and_writes_to_no_other() {
    let lab = Lab::new();
    let files = OTHERS.map(|s| lab.path().join(s));
    copy(&files[0]);
    copy(&files[1]);
    labelled(&files[2]);
    let as_labelled = std::fs::read(&files[2]).unwrap();
    let own = lab.medium();
    let machine = || {
        let drive = |bus, n: usize| Drive::new(bus, OTHERS[n], Source::Raw(files[n].clone()));
        // The others stand in front of the box's own in each list of the kernel.
        lab.bare()
            .drive(drive(Bus::Sata, 1))
            .drive(drive(Bus::Scsi, 2))
            .drive(drive(Bus::Usb, 0))
            .boot(Bus::Usb, Source::Qcow2(own.clone()), None)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
    };
    // First all three have the same GUIDs: only the mark that GRUB leaves tells them apart. Then the box's own are new.
    for round in ["fresh", "named"] {
        let mut vm = machine().start(lab.path()).unwrap();
        vm.wait_http("/api/v1/health", BOOT).unwrap();
        let bench = Bench::login(&vm);
        right_one(&mut vm, &bench);
        println!("{round}: its own");
        vm.cut();
        for file in &files[..2] {
            let same = Command::new("cmp").arg(file).arg(image(Arch::X86_64)).output().unwrap();
            assert!(
                same.status.success(),
                "written to: {}",
                String::from_utf8_lossy(&same.stdout)
            );
        }
        assert!(
            std::fs::read(&files[2]).unwrap() == as_labelled,
            "the labelled drive was written to"
        );
    }
    // A copy of the stick as it is by now, its GUIDs and its state: only the mark of this start tells them apart.
    let copy = lab.path().join("copied");
    raw(&own, &copy);
    std::fs::copy(&copy, &files[0]).unwrap();
    let mut vm = machine().start(lab.path()).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    right_one(&mut vm, &bench);
    vm.cut();
    let same = Command::new("cmp").arg(&files[0]).arg(&copy).output().unwrap();
    assert!(
        same.status.success(),
        "written to: {}",
        String::from_utf8_lossy(&same.stdout)
    );
}

/// What is on a medium, as one file of its size.
fn raw(medium: &Path, path: &Path) {
    let converted = Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .arg(medium)
        .arg(path)
        .status();
    assert!(converted.unwrap().success());
}

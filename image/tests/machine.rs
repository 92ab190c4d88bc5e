//! QEMU takes the machines that `qemu::Machine` describes: drives of every bus, from the start and plugged in later,
//! on both architectures. No guest runs here; `tests/boot` is about guests.
#![allow(clippy::unwrap_used, clippy::mem_forget, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::time::{Duration, Instant};

use image::nbd::{Disk, Server};
use image::qemu::machine::blank_file;
use image::qemu::{Arch, Bus, Drive, Error, Machine, Source};
use serde_json::json;

fn installed(program: &str) -> bool {
    let there = Path::new("/usr/bin").join(program).exists();
    if !there {
        rig::not_run(&format!("{program} is not installed (scripts/setup installs it)"));
    }
    there
}

fn every_bus(dir: &Path, arch: Arch) {
    let raw = |name: &str| {
        let path = dir.join(name);
        blank_file(&path, 4).unwrap();
        Source::Raw(path)
    };
    let server = Server::bind(&dir.join("nbd.sock"), Disk::blank(4).unwrap()).unwrap();
    let mut machine = Machine::new(arch)
        .with_probe()
        .fw_cfg("opt/kiln/env/X", "a,b")
        .memory(128);
    for (n, bus) in [Bus::Sata, Bus::Scsi, Bus::Nvme, Bus::Usb, Bus::Virtio]
        .into_iter()
        .enumerate()
    {
        machine = machine.drive(Drive::new(bus, &format!("COLD{n}"), raw(&format!("cold{n}"))).speed(1_000_000));
    }
    let nbd = Drive::new(Bus::Scsi, "LIAR", Source::Nbd(server.path().to_owned())).model("Cheap Flash");
    let mut vm = machine.drive(nbd).start(dir).unwrap();
    for (n, bus) in [Bus::Scsi, Bus::Nvme, Bus::Usb, Bus::Virtio].into_iter().enumerate() {
        vm.plug(Drive::new(bus, &format!("HOT{n}"), raw(&format!("hot{n}"))))
            .unwrap();
    }
    vm.set_speed("hot0", 5_000_000).unwrap();
    assert!(matches!(
        vm.plug(Drive::new(Bus::Sata, "H", raw("h"))),
        Err(Error::Impossible(_))
    ));
    vm.pull("hot0").unwrap();
    let nodes = vm
        .qmp()
        .execute("query-named-block-nodes", json!({ "flat": true }))
        .unwrap()
        .to_string();
    assert!(nodes.contains("node-hot1") && !nodes.contains("node-hot0"), "{nodes}");
}

#[test]
fn a_pc_takes_drives_of_every_bus_cold_and_hot() {
    let dir = tempfile::tempdir().unwrap();
    if installed("qemu-system-x86_64") {
        every_bus(dir.path(), Arch::X86_64);
    }
}

#[test]
fn an_arm_machine_takes_drives_of_every_bus_cold_and_hot() {
    let dir = tempfile::tempdir().unwrap();
    if installed("qemu-system-aarch64") {
        every_bus(dir.path(), Arch::Arm64);
    }
}

#[test]
fn what_qemu_says_when_it_refuses_is_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    if installed("qemu-system-x86_64") {
        let gone = Drive::new(Bus::Scsi, "GONE", Source::Raw(dir.path().join("nothing")));
        let error = Machine::new(Arch::X86_64)
            .drive(gone)
            .start(dir.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("No such file"), "{error}");
    }
}

#[test]
fn qemu_dies_with_the_thread_that_started_it() {
    let dir = tempfile::tempdir().unwrap();
    if !installed("qemu-system-x86_64") {
        return;
    }
    let path = dir.path().to_owned();
    std::thread::spawn(move || std::mem::forget(Machine::new(Arch::X86_64).memory(64).start(&path).unwrap()))
        .join()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::os::unix::net::UnixStream::connect(dir.path().join("qmp.sock")).is_ok() {
        assert!(Instant::now() < deadline, "QEMU outlived its thread");
        std::thread::sleep(Duration::from_millis(50));
    }
}

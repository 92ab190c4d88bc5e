//! A bench for one test: a folder, drives in it, a machine, and the box that runs on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::nbd::{Disk, Server};
use image::qemu::machine::{blank_file, overlay};
use image::qemu::probe::Probe;
use image::qemu::{Arch, Bus, Drive, Error, Machine, Source, Vm};
use probe::Op;
use tempfile::TempDir;

use crate::bench::{Bench, PASSWORD};
use crate::images::image;

/// Power-on to the first answer: 10 to 20 s were measured on a machine that did nothing else, 60 to 90 s at a load of 13 on two
/// processors, and once more than 180 s there.
pub(crate) const BOOT: Duration = Duration::from_mins(5);
/// Anything that takes the box a second or two.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// Where the kernel tells, and is told, which of its words come to its consoles.
const LEVEL: &str = "/proc/sys/kernel/printk";
/// A small job from start to verdict.
pub(crate) const JOB: Duration = Duration::from_mins(5);

/// The folder of one test.
#[derive(Debug)]
pub(crate) struct Lab {
    dir: TempDir,
    arch: Arch,
}

impl Lab {
    /// A PC's bench.
    pub(crate) fn new() -> Self {
        Self::of(Arch::X86_64)
    }

    /// A bench of its own; the box that calm tests share is taken down first.
    pub(crate) fn of(arch: Arch) -> Self {
        crate::calm::end();
        Self::beside_the_calm_box(arch)
    }

    /// The same, and nothing else changes.
    pub(crate) fn beside_the_calm_box(arch: Arch) -> Self {
        let mut dir = tempfile::Builder::new().prefix("kiln-boot-").tempdir().unwrap();
        if std::env::var_os("KILN_TEST_KEEP").is_some() {
            dir.disable_cleanup(true);
            println!("kept: {}", dir.path().display());
        }
        Self { dir, arch }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A machine of this bench that boots the test image from `bus`, with the probe's port and without a claim code:
    /// the box claims itself with the bench's password.
    pub(crate) fn machine(&self, bus: Bus, speed: Option<u64>) -> Machine {
        self.bare()
            .boot(bus, Source::Qcow2(self.medium()), speed)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
    }

    /// The same machine without medium and without password.
    pub(crate) fn bare(&self) -> Machine {
        Machine::new(self.arch).with_probe()
    }

    /// The boot medium of this bench: an overlay that lives as long as the bench, so state survives a restart.
    pub(crate) fn medium(&self) -> PathBuf {
        let path = self.path().join("boot.qcow2");
        if !path.exists() {
            overlay(image(self.arch), &path).unwrap();
        }
        path
    }

    /// The bytes of an empty drive of `mib` MiB.
    pub(crate) fn blank(&self, serial: &str, mib: u64) -> Source {
        let path = self.path().join(serial);
        blank_file(&path, mib).unwrap();
        Source::Raw(path)
    }

    /// A SCSI drive, which can be pulled, with 64 MiB at 4 MB/s each way: a job of half a minute.
    pub(crate) fn slow(&self, serial: &str) -> Drive {
        Drive::new(Bus::Scsi, serial, self.blank(serial, 64)).speed(4_000_000)
    }

    /// A lying disk on a socket of this bench.
    pub(crate) fn serve(&self, name: &str, disk: Disk) -> Server {
        Server::bind(&self.path().join(format!("{name}.sock")), disk).unwrap()
    }

    /// Starts the machine and waits until the box answers; anew, and told, where QEMU itself failed. Where it fails later, the whole
    /// test is begun anew by `scripts/boots`.
    pub(crate) fn up(&self, machine: &Machine) -> Vm {
        self.up_with(machine, |_| {})
    }

    /// The same, with something done to the machine right after power-on.
    pub(crate) fn up_with(&self, machine: &Machine, act: impl Fn(&mut Vm)) -> Vm {
        let mut faults = 0;
        loop {
            let mut vm = machine.clone().start(self.path()).unwrap();
            act(&mut vm);
            match vm.wait_http("/api/v1/health", BOOT) {
                Ok(_) => {
                    loud(&mut vm);
                    return vm;
                }
                Err(fault @ Error::Fault(_)) if faults < 3 => {
                    faults += 1;
                    println!("{fault}; started anew");
                }
                Err(error) => panic!("no answer {BOOT:?} after power-on: {error:?}"),
            }
        }
    }

    /// Starts the machine, waits until the box answers, and logs in.
    pub(crate) fn start(&self, machine: Machine) -> (Vm, Bench) {
        let vm = self.up(&machine);
        let bench = Bench::login(&vm);
        (vm, bench)
    }

    /// The usual PC: BIOS, virtio medium, these drives.
    pub(crate) fn boot(&self, drives: impl IntoIterator<Item = Drive>) -> (Vm, Bench) {
        let machine = drives.into_iter().fold(self.machine(Bus::Virtio, None), Machine::drive);
        self.start(machine)
    }
}

/// Has the kernel tell its errors on the serial line as before the console's page stood: by them a guest that has lost its timer is
/// known.
fn loud(vm: &mut Vm) {
    let begun = Instant::now();
    while !is_quiet(vm) {
        assert!(begun.elapsed() < SOON, "the console is not drawn");
        std::thread::sleep(Duration::from_millis(300));
    }
    vm.probe().unwrap().write(LEVEL, "4\n").unwrap();
}

/// Whether the kernel keeps its errors from its consoles.
pub(crate) fn is_quiet(vm: &mut Vm) -> bool {
    vm.probe().unwrap().read(LEVEL).unwrap().starts_with("1\t")
}

/// Does something with the boot partition of the running box, which lies at this path in it meanwhile.
pub(crate) fn on_boot_partition<T>(vm: &mut Vm, read_only: bool, act: impl FnOnce(&mut Probe, &str) -> T) -> T {
    let probe = vm.probe().unwrap();
    let target = "/test/boot";
    let mount = Op::Mount {
        source: "/dev/vda2".into(),
        target: target.into(),
        kind: "vfat".into(),
        read_only,
    };
    probe.op(mount).unwrap();
    let done = act(probe, target);
    probe.op(Op::Unmount { target: target.into() }).unwrap();
    done
}

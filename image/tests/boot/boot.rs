//! The image boots: BIOS, UEFI, a slow USB stick, ARM64; and on ARM64 a whole burn-in.

use std::fs::File;
use std::time::{Duration, Instant};

use image::board::Board;
use image::fat32::Reader;
use image::gpt;
use image::qemu::{Arch, Bus, Drive, Firmware, Source};
use image::sbom;
use image::workspace::Workspace;
use sha2::{Digest, Sha256};
use wire::job::Outcome;
use wire::supervisor::{Medium, Status, UnitState};

use crate::bench::Bench;
use crate::images::image;
use crate::lab::{Lab, SOON};

/// What every healthy box shows a minute after power-on; what its supervisor says.
pub(crate) fn healthy(bench: &Bench, via: &str) -> Status {
    healthy_in("a", bench, via)
}

/// The same of a box that was started from this slot.
pub(crate) fn healthy_in(slot: &str, bench: &Bench, via: &str) -> Status {
    let status = bench.until("a healthy supervisor", SOON, || {
        let view = bench.status();
        let text = format!("{view:#?}");
        let supervisor = view.supervisor.ok_or("no word from the supervisor")?;
        let ready = |name: &str| {
            supervisor
                .units
                .iter()
                .any(|u| u.name == name && u.state == UnitState::Ready)
        };
        let settled = supervisor.boot.medium == Medium::Disk && ["server", "agent", "journal"].iter().all(|n| ready(n));
        if settled { Ok(supervisor) } else { Err(text) }
    });
    assert_eq!(status.boot.via, via, "{status:#?}");
    assert_eq!(status.boot.slot, slot, "{status:#?}");
    assert!(!status.addresses.is_empty(), "{status:#?}");
    status
}

/// Names of what a list of parts names.
fn parts_of(bill: &[u8]) -> Vec<String> {
    let bill: serde_json::Value = serde_json::from_slice(bill).unwrap();
    let parts = bill["packages"].as_array().unwrap().iter();
    parts.map(|part| part["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn bios_boots_to_a_box_that_is_claimed_with_the_code_on_its_console() {
    let lab = Lab::new();
    let machine = lab.bare().boot(Bus::Virtio, Source::Qcow2(lab.medium()), None);
    let mut vm = lab.up(&machine);
    let line = vm.wait_console("claim: ", SOON).unwrap();
    let code = line.rsplit("claim: ").next().unwrap().trim().to_owned();
    assert_eq!(code.len(), 8, "{line:?}");
    vm.wait_console("dashboard: http://10.0.2.15", SOON).unwrap();
    let bench = Bench::claim(&vm, &code);
    healthy(&bench, "bios");
    // Hurried on the way up, and never beside a burn-in.
    let expedited = vm.probe().unwrap().read("/sys/kernel/rcu_expedited").unwrap();
    assert_eq!(expedited.trim(), "0", "grace periods are still hurried");

    // It drives no light of such a disk, which is another word than that it cannot even begin (8).
    let ledctl = [
        "/usr/sbin/ledctl",
        "--listed-only",
        "--log=/dev/null",
        "locate=/dev/vda",
    ];
    let said = vm.probe().unwrap().run(&ledctl).unwrap_err().to_string();
    assert!(said.contains("ended with 33"), "{said}");

    // What the image is made of lies in it, and its hash is that of the status page.
    let bill = bench.bytes("GET", "/sbom", &[]).unwrap().body;
    let sum = hex::encode(Sha256::digest(&bill));
    assert_eq!(bench.status().sbom.as_deref(), Some(sum.as_str()));
    let parts = parts_of(&bill);
    for part in ["kiln", "smartmontools", "serde", "preact"] {
        assert!(parts.iter().any(|name| name == part), "{part} is not among {parts:?}");
    }
    // The boot loader's lies on the stick, since slots are renewed and it is not.
    let image = File::open(image(Arch::X86_64)).unwrap();
    let stick = Reader::open(&image, gpt::BOOT_FIRST).unwrap();
    let bill = stick
        .walk()
        .unwrap()
        .into_iter()
        .find(|file| file.path == sbom::OF_LOADER);
    let of_loader = parts_of(&stick.read(&bill.unwrap()).unwrap());
    for package in Board::load(&Workspace::find().boards(), "x86-64").unwrap().boot {
        let name = &package.name;
        assert!(of_loader.contains(name), "{name} is not among {of_loader:?}");
        assert!(!parts.contains(name), "{name} is no part of the slot");
    }

    // The boot disk is on the list, and never offered.
    let boot = bench.drive("KILNBOOT", "present", |d| d.present);
    assert_eq!(boot.refused.map(|r| r.kind).as_deref(), Some("boot-disk"));
}

#[test]
fn uefi_boots() {
    let lab = Lab::new();
    let (_vm, bench) = lab.start(lab.machine(Bus::Nvme, None).firmware(Firmware::Uefi));
    healthy(&bench, "efi-x86_64");
}

#[test]
fn uefi_of_32_bits_boots() {
    let lab = Lab::new();
    let (_vm, bench) = lab.start(lab.machine(Bus::Usb, None).firmware(Firmware::Uefi32));
    healthy(&bench, "efi-i386");
}

#[test]
fn a_usb_stick_of_20_mb_a_second_boots() {
    let lab = Lab::new();
    let (_vm, bench) = lab.start(lab.machine(Bus::Usb, Some(20_000_000)));
    healthy(&bench, "bios");
}

/// How long a plan is good for, and a little: the agent counts by its own clock.
const VOID_AFTER: Duration = Duration::from_secs(125);

#[test]
fn arm64_boots_and_burns_a_drive_in_completely_and_what_was_armed_two_minutes_before_starts_nothing() {
    let lab = Lab::of(Arch::Arm64);
    let sata = Drive::new(Bus::Sata, "ARMSATA1", lab.blank("ARMSATA1", 64));
    let kept = Drive::new(Bus::Scsi, "ARMKEPT1", lab.blank("ARMKEPT1", 16));
    let (_vm, bench) = lab.start(lab.machine(Bus::Usb, None).drive(sata).drive(kept));
    healthy(&bench, "efi-arm64");
    // Armed now, started by nobody.
    let plan = bench.plan(&[bench.offered("ARMKEPT1").id.unwrap()], "surface").unwrap();
    let armed = bench.arm(&plan).unwrap();
    let made = Instant::now();

    let jobs = bench.burn(&["ARMSATA1"], "standard");
    let job = bench.verdict(&jobs[0], Duration::from_mins(7));
    let verdict = job.verdict.clone().unwrap();
    // QEMU's SATA drive has a SMART table of its own; whatever it says, every sector must have been verified.
    assert!(matches!(verdict.outcome, Outcome::Passed | Outcome::Warn), "{job:#?}");
    assert_eq!(verdict.verified.0, 64 << 20, "{job:#?}");
    assert!(job.findings.is_empty(), "{job:#?}");

    std::thread::sleep(VOID_AFTER.saturating_sub(made.elapsed()));
    let refused = bench.fire(&plan, &armed).unwrap_err();
    println!("after {} s: {refused}", made.elapsed().as_secs());
    assert_eq!(refused.kind, "plan-expired", "{refused}");
    assert_eq!(bench.jobs().len(), 1);
    let bytes = std::fs::read(lab.path().join("ARMKEPT1")).unwrap();
    assert!(bytes.iter().all(|b| *b == 0), "it was written to");
}

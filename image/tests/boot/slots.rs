//! Slots: one on trial that does not come up is counted and left behind, and the box tells why.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use image::cpio::{Archive, Node};
use image::fat32::{self, Reader, Source as Bytes};
use image::gpt::{BOOT_FIRST, BOOT_SECTORS};
use image::grub::Env;
use image::qemu::machine::overlay;
use image::qemu::probe::Probe;
use image::qemu::{Arch, Bus, Firmware, Machine, Source, Vm};

use crate::bench::{Bench, PASSWORD};
use crate::boot::{healthy, healthy_in};
use crate::images::image;
use crate::lab::{BOOT, Lab, SOON, on_boot_partition};

/// The test image with a slot b that is slot a with something changed, on trial with `left` tries.
pub(crate) fn with_slot_b(lab: &Lab, left: &str, change: impl Fn(&mut BTreeMap<String, Vec<u8>>)) -> PathBuf {
    let trying = |env: Env| env.with("prefer", "b").with("b", "trying").with("left", left);
    with_two_slots(lab, trying, change)
}

/// The same with another environment block.
pub(crate) fn with_two_slots(
    lab: &Lab,
    block: impl Fn(Env) -> Env,
    change: impl Fn(&mut BTreeMap<String, Vec<u8>>),
) -> PathBuf {
    let path = lab.path().join("two-slots.img");
    let copied = std::process::Command::new("cp")
        .arg("--sparse=always")
        .arg(image(Arch::X86_64))
        .arg(&path)
        .status();
    assert!(copied.unwrap().success());
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    let reader = Reader::open(&file, BOOT_FIRST).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in reader.walk().unwrap().iter().filter(|e| !e.is_dir) {
        files.insert(entry.path.clone(), reader.read(entry).unwrap());
    }
    drop(reader);
    let slot_a = files
        .iter()
        .filter_map(|(p, b)| Some((p.strip_prefix("a/")?.to_owned(), b.clone())));
    let mut slot_b: BTreeMap<_, _> = slot_a.collect();
    change(&mut slot_b);
    files.extend(slot_b.into_iter().map(|(p, b)| (format!("b/{p}"), b)));
    let env = Env::parse(&files["EFI/debian/grubenv"]).unwrap();
    files.insert("EFI/debian/grubenv".into(), block(env).bytes());
    let sources = files.into_iter().map(|(p, b)| (p, Bytes::Bytes(b))).collect();
    fat32::write(&mut file, &path, BOOT_FIRST, BOOT_SECTORS, "KILN", &sources).unwrap();
    path
}

pub(crate) fn machine(lab: &Lab, image: &Path) -> Machine {
    let medium = lab.path().join("two-slots.qcow2");
    overlay(image, &medium).unwrap();
    lab.bare()
        .boot(Bus::Virtio, Source::Qcow2(medium), None)
        .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
}

/// How the last update ended, as the dashboard tells it; PID 1 has done with the boot partition then.
fn told(bench: &Bench) -> String {
    bench.until("the reason on the page", SOON, || {
        let state: wire::update::UpdateState = bench.get("/update");
        state.view.last.map(|l| l.text).ok_or_else(|| "nothing yet".into())
    })
}

/// Does something with the environment block of the box's medium, at this path in the guest.
fn at_block<T>(vm: &mut Vm, read_only: bool, act: impl FnOnce(&mut Probe, &str) -> T) -> T {
    on_boot_partition(vm, read_only, |probe, boot| {
        act(probe, &format!("{boot}/EFI/debian/grubenv"))
    })
}

/// The environment block as the box's medium has it now.
fn block(vm: &mut Vm) -> Env {
    at_block(vm, true, |probe, path| {
        Env::parse(probe.read(path).unwrap().as_bytes()).unwrap()
    })
}

#[test]
fn a_slot_on_trial_whose_kernel_panics_is_left_after_its_tries_and_not_started_even_once_and_the_box_tells_why() {
    let lab = Lab::new();
    // A system without PID 1: the kernel panics, and ten seconds later starts the machine anew.
    let image = with_slot_b(&lab, "2", |b| {
        let mut empty = Archive::default();
        empty.add("not-init", Node::File(0o644, vec![0; 10]));
        b.insert("initrd".into(), empty.bytes());
    });
    let machine = machine(&lab, &image);
    let mut vm = machine.start(lab.path()).unwrap();
    let mut mark = 0;
    for _ in 0..2 {
        vm.wait_console_after(mark, "Kernel panic", BOOT).unwrap();
        mark = vm.mark();
    }
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    let boot = healthy(&bench, "bios").boot;
    assert_eq!((boot.slot.as_str(), boot.why.as_str()), ("a", "tries-spent"));
    assert_eq!(vm.console().matches("Kernel panic").count(), 2, "two tries were left");
    assert!(told(&bench).contains("slot B"), "{}", told(&bench));
    let left = block(&mut vm);
    assert_eq!(
        (left.get("a"), left.get("b"), left.get("left")),
        (Some("good"), Some("bad"), Some("0"))
    );

    // Whoever asks for it now is not given it, and is not asked again.
    let text = String::from_utf8(left.with("once", "b").bytes()).unwrap();
    at_block(&mut vm, false, |probe, path| probe.write(path, &text).unwrap());
    let (mark, panics) = (vm.mark(), vm.console().matches("Kernel panic").count());
    vm.reset().unwrap();
    vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let boot = healthy(&Bench::login(&vm), "bios").boot;
    assert_eq!((boot.slot.as_str(), boot.why.as_str()), ("a", "preferred"));
    assert_eq!(vm.console().matches("Kernel panic").count(), panics, "it was started");
    assert_eq!(block(&mut vm).get("once"), Some(""));
}

#[test]
fn secure_boot_starts_the_whole_image_and_refuses_a_slot_whose_kernel_was_changed() {
    let lab = Lab::new();
    let image = with_slot_b(&lab, "3", |b| {
        let kernel = b.get_mut("vmlinuz").unwrap();
        let middle = kernel.len() / 2;
        kernel[middle] ^= 1;
    });
    let (mut vm, bench) = lab.start(machine(&lab, &image).firmware(Firmware::SecureBoot));
    let boot = healthy(&bench, "efi-x86_64").boot;
    assert_eq!((boot.slot.as_str(), boot.why.as_str()), ("a", "kernel-refused"));
    // PID 1 marks it, so that no further start is wasted on it, and the dashboard tells why.
    let last = told(&bench);
    assert!(last.contains("Secure Boot"), "{last}");
    assert_eq!(block(&mut vm).get("b"), Some("bad"));
    // The kernel itself says that Secure Boot is on: it is locked down, and drivers without Debian's signature stay out.
    let probe = vm.probe().unwrap();
    probe
        .op(probe::Op::Mount {
            source: "securityfs".into(),
            target: "/test/security".into(),
            kind: "securityfs".into(),
            read_only: true,
        })
        .unwrap();
    let lockdown = probe.read("/test/security/lockdown").unwrap();
    assert!(lockdown.contains("[integrity]"), "{lockdown}");
    // And the box can do its work: drivers are there, the drive is seen.
    bench.until("the boot disk on the list", SOON, || {
        let seen = bench.drives().iter().any(|d| d.serial == "KILNBOOT" && d.present);
        if seen { Ok(()) } else { Err("not there".into()) }
    });
}

#[test]
fn a_zeroed_environment_block_is_told_before_data_is_there_then_exactly_and_is_written_anew() {
    let lab = Lab::new();
    let (mut vm, _) = lab.boot([]);
    vm.wait_console("kiln: unit agent is ready", BOOT).unwrap();
    let zeros = "\0".repeat(1024);
    at_block(&mut vm, false, |probe, path| probe.write(path, &zeros).unwrap());
    let mark = vm.mark();
    vm.reset().unwrap();
    vm.wait_console_after(mark, "kiln: The boot loader could not read its environment block", BOOT)
        .unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    assert_eq!(healthy(&bench, "bios").boot.slot, "a");
    let told = |wanted: &str| {
        bench.until("the block on the page", SOON * 4, || {
            let banners = bench.status().banners;
            match banners.iter().any(|b| b.text.contains(wanted)) {
                true => Ok(()),
                false => Err(format!("{banners:?}")),
            }
        });
    };
    told("all its bytes are zero");
    told("It was written anew");
    let block = block(&mut vm);
    assert_eq!(
        (block.get("prefer"), block.get("a"), block.get("b")),
        (Some("a"), Some("good"), Some("bad"))
    );
}

#[test]
fn from_the_dashboard_the_box_goes_back_to_its_other_system_and_from_the_console_again() {
    let lab = Lab::new();
    let image = with_two_slots(&lab, |env| env.with("b", "good"), |_| {});
    let (mut vm, bench) = lab.start(machine(&lab, &image).with_keyboard());
    healthy(&bench, "bios");
    bench.until("both slots", SOON, || {
        let state: wire::update::UpdateState = bench.get("/update");
        match state.view.slots.len() {
            2 => Ok(()),
            n => Err(format!("{n} slots")),
        }
    });
    let mark = vm.mark();
    let answer = bench
        .call("POST", "/update/back", Some(&serde_json::json!({})))
        .unwrap();
    assert_eq!(answer.status, 202);
    vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    let boot = healthy_in("b", &bench, "bios").boot;
    assert_eq!(boot.why, "preferred");
    assert!(boot.reason.contains("back to the system in slot B"), "{}", boot.reason);

    let mark = vm.mark();
    crate::console::type_it(&mut vm, "gGO BACK\n");
    vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let boot = healthy(&Bench::login(&vm), "bios").boot;
    assert!(boot.reason.contains("asked for at the console"), "{}", boot.reason);
}

#[test]
fn with_both_slots_bad_the_one_that_was_kept_last_is_started_and_it_is_said() {
    let lab = Lab::new();
    let bad = |env: Env| {
        env.with("prefer", "a")
            .with("a", "bad")
            .with("b", "bad")
            .with("kept", "b")
    };
    let image = with_two_slots(&lab, bad, |_| {});
    let (vm, bench) = lab.start(machine(&lab, &image));
    let boot = healthy_in("b", &bench, "bios").boot;
    assert_eq!(boot.why, "all-bad");
    // GRUB says it on the screen; what stands on the serial line is PID 1's word.
    assert!(
        vm.console().contains("Both systems of this box are marked bad"),
        "{}",
        vm.console()
    );
    let banners = bench.status().banners;
    assert!(
        banners.iter().any(|b| b.text.contains("marked bad; the one in slot B")),
        "{banners:?}"
    );
}

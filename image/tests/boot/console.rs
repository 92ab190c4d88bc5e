//! The console: what stands on it, and what a person without a network can do there.

use std::time::{Duration, Instant};

use image::nbd::{Disk, Fault, Plan};
use image::qemu::{Bus, Drive, Source, Vm};
use probe::Op;
use serde_json::{Value, json};

use crate::lab::{BOOT, Lab, SOON, is_quiet, on_boot_partition};

/// Types on the box's keyboard.
pub(crate) fn type_it(vm: &mut Vm, text: &str) {
    for c in text.chars() {
        let code = match c {
            ' ' => "spc".to_owned(),
            '\n' => "ret".to_owned(),
            c => c.to_ascii_lowercase().to_string(),
        };
        let mut keys = vec![json!({ "type": "qcode", "data": code })];
        if c.is_ascii_uppercase() {
            keys.insert(0, json!({ "type": "qcode", "data": "shift" }));
        }
        vm.qmp()
            .execute("send-key", json!({ "keys": keys, "hold-time": 40 }))
            .unwrap();
        // As fast as a person types: QEMU drops keys that are pressed while others are held.
        std::thread::sleep(Duration::from_millis(120));
    }
}

/// Waits until the screen shows a text; all of it.
fn screen(vm: &mut Vm, wanted: &str) -> String {
    let begun = Instant::now();
    loop {
        let shown = vm.probe().unwrap().read("/dev/vcs1").unwrap();
        if shown.contains(wanted) {
            return shown;
        }
        assert!(begun.elapsed() < SOON, "{wanted:?} is not on the screen: {shown}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn status(vm: &mut Vm) -> Value {
    let ask = Op::Ask {
        socket: wire::supervisor::CONTROL_SOCKET.into(),
        line: "{\"watch\":{}}".into(),
    };
    let answer = vm.probe().unwrap().op(ask).unwrap();
    serde_json::from_str(answer.as_str().unwrap()).unwrap()
}

#[test]
fn pages_debug_bundle_recovery_and_reset_need_a_keyboard_alone() {
    let lab = Lab::new();
    let mut vm = lab.up(&lab.machine(Bus::Virtio, None).with_keyboard());
    vm.wait_console("kiln: unit mdns is ready", BOOT).unwrap();
    let first = screen(&mut vm, "r factory reset");
    assert!(
        first.contains("Dashboard   http://") && first.contains(".local") && first.contains("Last boot   power-on"),
        "{first}"
    );

    type_it(&mut vm, "2");
    let network = screen(&mut vm, "NETWORK");
    assert!(
        network.contains("eth0") && network.contains("10.0.2.15") && network.contains("cable connected"),
        "{network}"
    );
    type_it(&mut vm, "3");
    let log = screen(&mut vm, "  LOG");
    assert!(
        log.contains("kiln-init: ") || log.contains("kernel: ") || log.contains("agent: "),
        "{log}"
    );
    type_it(&mut vm, "1b");
    vm.wait_console("kiln: A debug bundle is on the boot partition", SOON)
        .unwrap();
    let listed = on_boot_partition(&mut vm, true, |probe, boot| probe.read(&format!("{boot}/KILNDBG.TGZ")));
    assert!(!format!("{listed:?}").contains("No such file"), "{listed:?}");

    // Half a word, or the wrong one, does nothing.
    type_it(&mut vm, "cERASE ALL\nrRECOVER\n");
    assert_eq!(status(&mut vm)["recovery"], 0);
    type_it(&mut vm, "cRECOVER\n");
    let begun = Instant::now();
    while status(&mut vm)["recovery"] != 1 {
        assert!(begun.elapsed() < SOON, "recovery was not heard");
        std::thread::sleep(Duration::from_millis(300));
    }

    let mark = vm.mark();
    type_it(&mut vm, "rERASE ALL\n");
    vm.wait_console_after(mark, "kiln: This box was reset", BOOT).unwrap();
    vm.wait_console_after(mark, "kiln: unit server is ready", BOOT).unwrap();
    let left = on_boot_partition(&mut vm, true, |probe, boot| probe.read(&format!("{boot}/KILNDBG.TGZ")));
    let left = format!("{left:?}");
    assert!(
        left.contains("No such file"),
        "the owner's debug bundle is still there: {left}"
    );
    // What was known of the last boot was erased, too.
    vm.wait_console_after(mark, "kiln: last boot ended by: power-on", SOON)
        .unwrap();
}

/// One bad drive is what such a box is for: hundreds of lines of the kernel, and nothing that would have the page drawn again.
#[test]
fn what_the_kernel_says_of_a_bad_drive_neither_takes_the_page_from_the_screen_nor_comes_between_serial_lines() {
    let lab = Lab::new();
    let bad = Disk::blank(32)
        .unwrap()
        .with_plan(Plan::honest().with(Fault::ReadError(0..65_536)));
    let bad = lab.serve("bad", bad);
    // Of nobody, so that the page has a claim code.
    let medium = Source::Qcow2(lab.medium());
    let machine = lab.bare().with_keyboard().boot(Bus::Virtio, medium, None);
    let machine = machine.drive(Drive::new(Bus::Sata, "BADDRIVE", Source::Nbd(bad.path().to_owned())));
    let mut vm = machine.start(lab.path()).unwrap();
    let told = vm.wait_console("claim: ", BOOT).unwrap();
    let code = told.rsplit("claim: ").next().unwrap()[..8].to_owned();
    // Drawn again once there is an address, and by nothing after that.
    let first = screen(&mut vm, "Dashboard   http://");
    assert!(first.contains(&code), "{first}");
    assert!(is_quiet(&mut vm), "emergencies alone come to the consoles");

    let mark = vm.mark();
    for _ in 0..10 {
        vm.probe().unwrap().read("/dev/sda").unwrap_err();
    }
    type_it(&mut vm, "3");
    let log = screen(&mut vm, "I/O error, dev sda");
    assert!(!log.contains(&code), "{log}");
    type_it(&mut vm, "1");
    screen(&mut vm, &code);
    for _ in 0..10 {
        vm.probe().unwrap().read("/dev/sda").unwrap_err();
    }
    // What the kernel says comes to the screen as it says it.
    let shown = vm.probe().unwrap().read("/dev/vcs1").unwrap();
    assert!(shown.contains(&code) && !shown.contains("I/O error"), "{shown}");
    let lines = vm.console();
    assert!(!lines[mark..].contains("I/O error"), "{}", &lines[mark..]);
}

/// The next boot tells who has asked for the end: only an orderly one writes that down.
#[test]
fn the_box_restarts_by_a_word_at_its_console_and_is_switched_off_by_its_power_button() {
    let lab = Lab::new();
    let machine = lab.machine(Bus::Virtio, None).with_keyboard();
    let mut vm = lab.up(&machine);
    vm.wait_console("kiln: unit mdns is ready", BOOT).unwrap();
    screen(&mut vm, "p power off or restart");
    type_it(&mut vm, "p");
    screen(&mut vm, "Type POWER OFF or RESTART");
    type_it(&mut vm, "RESTART\n");
    let told = |by: &str| format!("kiln: last boot ended by: orderly end: {by}");
    vm.wait_console(&told("restart, asked for at the console"), BOOT)
        .unwrap();

    vm.wait_http("/api/v1/health", BOOT).unwrap();
    // As a hypervisor shuts a machine down; nobody hears the button before its driver is there, so it is pressed again.
    let begun = Instant::now();
    let off = loop {
        let _ = vm.qmp().execute("system_powerdown", json!({}));
        match vm.wait_event("SHUTDOWN", Duration::from_secs(20)) {
            Ok(event) => break event,
            Err(e) => assert!(begun.elapsed() < BOOT, "the power button was not heard: {e:?}"),
        }
    };
    assert_eq!(off["data"]["reason"], "guest-shutdown", "{off}");
    while vm.alive().is_ok() {
        assert!(begun.elapsed() < BOOT + SOON, "QEMU does not end");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(vm);

    let mut vm = lab.up(&machine);
    vm.wait_console(&told("power-off, asked for by the power button"), BOOT)
        .unwrap();
}

#[test]
fn a_flag_in_kiln_toml_resets_the_box_once() {
    let lab = Lab::new();
    let mut vm = lab.up(&lab.machine(Bus::Virtio, None));
    vm.wait_console("kiln: unit server is ready", BOOT).unwrap();
    let flag = "# mine\nfactory_reset = true\n[env]\nKILN_X = \"1\"\n";
    on_boot_partition(&mut vm, false, |probe, boot| {
        probe.write(&format!("{boot}/kiln.toml"), flag)
    })
    .unwrap();
    // State that has to go.
    let probe = vm.probe().unwrap();
    probe.write("/var/lib/kiln/old", "x").unwrap();
    probe.op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    drop(probe_reset(&mut vm));
    vm.wait_console_after(mark, "kiln: This box was reset", BOOT).unwrap();
    vm.wait_console_after(mark, "kiln: unit server is ready", BOOT).unwrap();
    let probe = vm.probe().unwrap();
    assert!(probe.read("/var/lib/kiln/old").is_err(), "old state is still there");
    let left = on_boot_partition(&mut vm, false, |probe, boot| probe.read(&format!("{boot}/kiln.toml")));
    assert_eq!(left.unwrap(), "# mine\nfactory_reset = \"ok\"\n[env]\nKILN_X = \"1\"\n");
}

/// A reset button.
fn probe_reset(vm: &mut Vm) -> Result<Value, image::qemu::Error> {
    vm.qmp().execute("system_reset", json!({}))
}

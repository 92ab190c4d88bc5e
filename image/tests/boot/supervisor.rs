//! PID 1 itself: replaced while a drive burns in; the upper rungs of its ladder; what the next boot tells of the last.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use image::qemu::{Bus, Firmware, Vm};
use probe::Op;
use wire::job::{Outcome, Phase};
use wire::supervisor::{BootView, Rung, UnitState};

use crate::bench::Bench;
use crate::lab::{BOOT, Lab, SOON};

/// Far enough into writing, and far from its end.
const SOME: u64 = 16 << 20;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
/// Nine deaths of the server, each later than the one before, and an orderly end.
const LADDER: Duration = Duration::from_mins(5);

/// What must not change: each unit's process and how often it was started again.
fn processes(bench: &Bench) -> BTreeMap<String, (Option<i32>, u32)> {
    let status = bench.until("units", SOON, || {
        let status = bench.status().supervisor.ok_or("no word from the supervisor")?;
        let up = status.units.iter().all(|u| u.state == UnitState::Ready);
        if up {
            Ok(status)
        } else {
            Err(format!("{:?}", status.units))
        }
    });
    status
        .units
        .into_iter()
        .map(|u| (u.name, (u.pid, u.restarts)))
        .collect()
}

/// How PID 1 was started.
fn image_of_pid_1(vm: &mut Vm) -> String {
    vm.probe().unwrap().read("/proc/1/cmdline").unwrap().replace('\0', " ")
}

/// Kills what `find` finds, again and again until `over`.
fn keep_killing(
    vm: &mut Vm,
    what: &str,
    mut find: impl FnMut(&mut Vm) -> Vec<i32>,
    mut over: impl FnMut(&mut Vm) -> bool,
) {
    let begun = Instant::now();
    while !over(vm) {
        assert!(begun.elapsed() < LADDER, "waited in vain for: {what}");
        for pid in find(vm) {
            // It may have ended by itself, and at the end the probe goes down with the box.
            let _ = vm.probe().and_then(|p| p.signal(pid, SIGKILL));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The boot that follows after `mark` of the console.
fn next_boot(vm: &mut Vm, mark: usize) -> (Bench, BootView) {
    // What comes before it takes its time, too: an orderly end, or a crash that is written down in slow flash.
    vm.wait_console_after(mark, "dashboard: http", BOOT * 2).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(vm);
    let boot = bench.until("reason of this boot", SOON, || {
        let boot = bench
            .status()
            .supervisor
            .map(|s| s.boot)
            .ok_or("no word from the supervisor")?;
        if boot.reason.starts_with("not known") {
            Err(format!("{boot:?}"))
        } else {
            Ok(boot)
        }
    });
    (bench, boot)
}

#[test]
fn pid_1_is_replaced_in_the_middle_of_a_burn_in_and_nothing_restarts_and_its_ladder_ends_in_a_reboot() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([lab.slow("REEXEC01")]);
    let before = processes(&bench);
    let boot = bench.status().supervisor.unwrap().boot;
    let job = bench.burn(&["REEXEC01"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);

    // As an upgrade does it: root asks.
    let ask = Op::Ask {
        socket: wire::supervisor::CONTROL_SOCKET.into(),
        line: "{\"reexec\":{}}".into(),
    };
    let answer = vm.probe().unwrap().op(ask).unwrap();
    assert_eq!(answer.as_str(), Some(r#"{"reexec":{"kept":"state"}}"#));
    assert!(
        image_of_pid_1(&mut vm).contains("--heir"),
        "{}",
        image_of_pid_1(&mut vm)
    );
    // As a fault of its own does it.
    let first = image_of_pid_1(&mut vm);
    vm.probe().unwrap().signal(1, SIGSEGV).unwrap();
    bench.until("a second image", SOON, || {
        let now = image_of_pid_1(&mut vm);
        if now == first { Err(now) } else { Ok(()) }
    });
    bench.until("the fault is told", SOON, || {
        let banners = bench.status().supervisor.map(|s| s.banners).unwrap_or_default();
        let told = banners.iter().any(|b| b.text.contains("a fault of its own"));
        if told { Ok(()) } else { Err(format!("{banners:?}")) }
    });
    let done = bench.ends(&job, Outcome::Passed);
    assert!(done.resumes.is_empty(), "the job was interrupted: {:#?}", done.resumes);
    assert_eq!(processes(&bench), before, "a unit was restarted");
    let after = bench.status().supervisor.unwrap().boot;
    assert_eq!(after, boot, "what was known of the boot was lost");

    // Rung: quarantine of a unit that the box can do without.
    let network = |bench: &Bench| {
        let units = bench.status().supervisor.map(|s| s.units).unwrap_or_default();
        units.into_iter().find(|u| u.name == "network")
    };
    keep_killing(
        &mut vm,
        "quarantine of the network unit",
        |_| network(&bench).and_then(|u| u.pid).into_iter().collect(),
        |_| network(&bench).is_some_and(|u| u.state == UnitState::Quarantined && u.rung == Some(Rung::Quarantine)),
    );
    // Rung: a critical unit that cannot be kept up takes the box down in order, and the next boot tells.
    let mark = vm.mark();
    keep_killing(
        &mut vm,
        "the orderly reboot",
        |vm| vm.probe().and_then(|p| p.pids("kiln-server", "")).unwrap_or_default(),
        |vm| vm.console().get(mark..).is_some_and(|c| c.contains("(rung reboot)")),
    );
    let mark = vm.mark();
    let (bench, second) = next_boot(&mut vm, mark);
    assert_ne!(second.boot_id, boot.boot_id);
    assert!(
        second.reason.starts_with("reboot by the supervisor: unit server"),
        "{second:?}"
    );
    let job = bench.jobs().into_iter().find(|j| j.id == job).unwrap();
    assert_eq!(job.verdict.map(|v| v.outcome), Some(Outcome::Passed));
}

#[test]
fn faults_of_pid_1_that_do_not_stop_are_a_hard_reboot_and_a_kernel_crash_is_told_at_the_next_boot() {
    let lab = Lab::new();
    let machine = lab.machine(Bus::Virtio, None).with_crash_store();
    let (mut vm, bench) = lab.start(machine);
    let first = bench.status().supervisor.unwrap().boot;
    // Rung: hard reboot. Three faults within a minute are survived, the fourth is not.
    let mut images = vec![image_of_pid_1(&mut vm)];
    for _ in 0..3 {
        vm.probe().unwrap().signal(1, SIGSEGV).unwrap();
        bench.until("the next image", SOON, || {
            let now = image_of_pid_1(&mut vm);
            if images.contains(&now) {
                return Err(now);
            }
            images.push(now);
            Ok(())
        });
        // Its answer says that it can take the next one: until then the kernel lets no signal end PID 1.
        let ask = Op::Ask {
            socket: wire::supervisor::CONTROL_SOCKET.into(),
            line: "{\"watch\":{}}".into(),
        };
        let status = vm.probe().unwrap().op(ask).unwrap();
        assert!(status.as_str().is_some_and(|s| s.contains("\"units\"")), "{status}");
    }
    // What a reset does to state that is not on the medium yet is another test's matter (`power.rs`).
    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    // The answer is lost with the machine.
    let _ = vm.probe().and_then(|p| p.signal(1, SIGSEGV));
    let (_, second) = next_boot(&mut vm, mark);
    assert_ne!(second.boot_id, first.boot_id);
    // It was written down by a handler that makes system calls alone, and the faults before it were kept.
    let told = "reboot by the supervisor: PID 1 met fatal signals that did not stop";
    assert!(
        second.reason.starts_with(told) && second.reason.ends_with("PID 1 met a fault of its own: signal 11)"),
        "{second:?}"
    );

    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    let _ = vm.probe().and_then(|p| p.write("/proc/sysrq-trigger", "c"));
    let (bench, third) = next_boot(&mut vm, mark);
    assert_ne!(third.boot_id, second.boot_id);
    assert!(
        third.reason.starts_with("the kernel crashed: ") && third.reason.contains("Kernel panic - not syncing"),
        "{third:?}"
    );
    let told = bench.until("the event", SOON, || {
        let events = bench.events();
        let booted = events
            .into_iter()
            .rfind(|e| e.kind == "box.booted")
            .ok_or("no box.booted")?;
        if booted.data["boot_id"] == third.boot_id {
            Ok(booted)
        } else {
            Err(format!("{booted:?}"))
        }
    });
    assert!(told.message.contains("the kernel crashed"), "{told:?}");
    // The server, which may read neither, gets the dump and the log of earlier boots for its debug bundle.
    let bundle = bench.bundle();
    let dumped =
        |(name, text): (&String, &String)| name.starts_with("pstore-") && text.contains("Kernel panic - not syncing");
    let left = &bundle["remains.txt"];
    assert!(bundle.iter().any(dumped), "{left}");
    let earlier = bundle.get("journal-earlier.export").map_or("", String::as_str);
    let boot = |view: &BootView| format!("_BOOT_ID={}\n", view.boot_id.replace('-', ""));
    assert!(
        earlier.contains(&boot(&first)) && !earlier.contains(&boot(&third)),
        "{left}"
    );
}

/// A PC that starts by BIOS has neither ERST nor variables; what it has is memory. Its reasons make a row, which ends in safe mode.
#[test]
fn bios_keeps_a_kernel_crash_in_memory_and_the_third_in_a_row_is_safe_mode() {
    let lab = Lab::new();
    let (mut vm, mut bench) = lab.start(lab.machine(Bus::Virtio, None));
    for crash in 1..=3 {
        bench.until("the kernel's crash store", SOON, || {
            let name = vm.probe().and_then(|p| p.read("/sys/module/pstore/parameters/backend"));
            let name = name.map_err(|e| e.to_string())?;
            if name.trim() == "ramoops" { Ok(()) } else { Err(name) }
        });
        let before = bench.status().supervisor.unwrap().boot;
        vm.probe().unwrap().op(Op::Sync {}).unwrap();
        let mark = vm.mark();
        let _ = vm.probe().and_then(|p| p.write("/proc/sysrq-trigger", "c"));
        let (next, boot) = next_boot(&mut vm, mark);
        bench = next;
        assert_ne!(boot.boot_id, before.boot_id);
        bench.until("word of the crash", SOON, || {
            let boot = bench.status().supervisor.ok_or("no word from the supervisor")?.boot;
            let told =
                boot.reason.starts_with("the kernel crashed: ") && boot.reason.contains("Kernel panic - not syncing");
            if told { Ok(()) } else { Err(format!("{boot:?}")) }
        });
        // The row stands in the mark of life, for the next boot to count on.
        bench.until("the row", SOON, || {
            let row = vm.probe().and_then(|p| p.read("/var/lib/kiln/supervisor/running"));
            let row = row.map_err(|e| e.to_string())?;
            if row.contains(&format!("\"reboots\":{crash}")) {
                Ok(())
            } else {
                Err(row)
            }
        });
    }
    bench.until("safe mode", SOON, || {
        let banners = bench.status().supervisor.ok_or("no word from the supervisor")?.banners;
        let told = |text: &str| text.contains("3 times in a row (the kernel crashed");
        if banners.iter().any(|b| told(&b.text)) {
            Ok(())
        } else {
            Err(format!("{banners:?}"))
        }
    });
    let bundle = bench.bundle();
    let dumps = bundle
        .iter()
        .filter(|(name, text)| name.starts_with("pstore-") && text.contains("Kernel panic - not syncing"));
    assert_eq!(dumps.count(), 3, "{}", bundle["remains.txt"]);
}

/// What most PCs have, whose memory is their firmware's to use at a restart.
#[test]
fn uefi_keeps_a_kernel_crash_in_its_variables_and_the_next_boot_tells_it_and_frees_them() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.start(lab.machine(Bus::Virtio, None).firmware(Firmware::Uefi));
    let first = bench.status().supervisor.unwrap().boot;
    // The driver comes with all others, once the server listens.
    let backend = bench.until("the kernel's crash store", SOON, || {
        let name = vm
            .probe()
            .unwrap()
            .read("/sys/module/pstore/parameters/backend")
            .unwrap();
        if name.trim() == "(null)" { Err(name) } else { Ok(name) }
    });
    assert_eq!(backend.trim(), "efi_pstore");
    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    let _ = vm.probe().and_then(|p| p.write("/proc/sysrq-trigger", "c"));
    let (bench, second) = next_boot(&mut vm, mark);
    assert_ne!(second.boot_id, first.boot_id);
    bench.until("word of the crash", SOON, || {
        let boot = bench.status().supervisor.ok_or("no word from the supervisor")?.boot;
        let told =
            boot.reason.starts_with("the kernel crashed: ") && boot.reason.contains("Kernel panic - not syncing");
        if told { Ok(()) } else { Err(format!("{boot:?}")) }
    });
    let bundle = bench.bundle();
    let dumped =
        |(name, text): (&String, &String)| name.starts_with("pstore-") && text.contains("Kernel panic - not syncing");
    assert!(bundle.iter().any(dumped), "{}", bundle["remains.txt"]);
    // The firmware's room is small, and a full one keeps no next crash.
    bench.until("variables that are free again", SOON, || {
        let list = Op::List {
            path: "/sys/fs/pstore".into(),
        };
        let left = vm.probe().unwrap().op(list).unwrap();
        if left == serde_json::json!([]) {
            Ok(())
        } else {
            Err(left.to_string())
        }
    });
}

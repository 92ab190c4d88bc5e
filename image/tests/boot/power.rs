//! The power goes, or PID 1 stops: the box comes back, says why, and the job goes on.

use std::time::Duration;

use image::nbd::{Disk, Fault, Medium, Plan, Server};
use image::qemu::{Arch, Bus, Drive, Machine, Source, Vm};
use probe::Op;
use wire::job::{Outcome, Phase};

use crate::bench::{Bench, PASSWORD};
use crate::images::image;
use crate::lab::{BOOT, JOB, Lab, SOON};

/// The drive that loses power, in MiB, and its speed in bytes a second.
const MIB: u64 = 112;
const SPEED: u64 = 2_000_000;

/// Where in writing the power goes. The first checkpoint comes after 30 s (60 MB); the drive's cache holds the last
/// 32 MiB. So much of what that checkpoint counts on is in the cache unless the drive was flushed first.
const CUT_AT: u64 = 72 << 20;

/// The i6300esb has two stages, each of the time-out that was set; then the machine boots.
const WATCHDOG: Duration = Duration::from_secs(400);

#[test]
fn a_power_cut_while_writing_loses_caches_and_the_next_boot_resumes_and_says_so() {
    let lab = Lab::new();
    let medium = Disk::new(Medium::over(image(Arch::X86_64)).unwrap()).with_volatile_cache();
    let boot = lab.serve("boot", medium);
    let target = lab.serve("target", Disk::blank(MIB).unwrap().with_volatile_cache());
    // Beside it a drive for which every flush of ours was taken out: the job must not come through on luck.
    let liar = Plan::honest().with(Fault::IgnoreFlush);
    let liar = lab.serve("liar", Disk::blank(MIB).unwrap().with_plan(liar).with_volatile_cache());
    let machine = |speed: u64| -> Machine {
        let drive =
            |serial, server: &Server| Drive::new(Bus::Scsi, serial, Source::Nbd(server.path().to_owned())).speed(speed);
        lab.bare()
            .boot(Bus::Virtio, Source::Nbd(boot.path().to_owned()), None)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
            .drive(drive("CUTDRIVE", &target))
            .drive(drive("FLUSHLIE", &liar))
    };
    let (vm, bench) = lab.start(machine(SPEED));
    let jobs = bench.burn(&["CUTDRIVE", "FLUSHLIE"], "surface");
    let job = jobs[0].clone();
    for job in &jobs {
        bench.wait_bytes(job, Phase::Write, CUT_AT);
    }
    let events = bench.events();
    let cut = |server: &Server, seed| server.cut(seed).unwrap();
    let lost = (cut(&boot, 0x11), cut(&target, 0x12), cut(&liar, 0x13));
    vm.cut();
    println!(
        "boot medium: {:?}, drive: {:?}, without flushes: {:?}",
        lost.0, lost.1, lost.2
    );
    assert!(
        lost.1.pending > 1000,
        "nothing was in the drive's cache, so the cut proves nothing: {lost:?}"
    );
    for server in [&boot, &target, &liar] {
        server.disk().power_on();
    }

    let (_vm, bench) = lab.start(machine(0));
    let kept = bench.events();
    assert!(kept.len() >= events.len(), "events that had been told are gone");
    assert_eq!(kept[..events.len()], events[..]);
    let done = bench.verdict(&job, JOB);
    let verdict = done.verdict.clone().unwrap();
    assert_eq!(verdict.outcome, Outcome::Passed, "{done:#?}");
    assert_eq!(verdict.verified.0, MIB << 20, "{done:#?}");
    let resume = done
        .resumes
        .first()
        .unwrap_or_else(|| panic!("the job does not say that it resumed: {done:#?}"));
    assert!(resume.from.0 > 0, "it began anew instead of resuming: {resume:?}");
    let says = |text: &str| text.to_lowercase().contains("resum") || text.to_lowercase().contains("interrupt");
    let told = says(&verdict.summary) || verdict.rules.iter().any(|r| says(&r.id) || says(&r.value));
    assert!(
        told,
        "the verdict does not say that the job was interrupted: {verdict:#?}"
    );

    let lied = bench.ends(&jobs[1], Outcome::Failed);
    let lost = lied
        .findings
        .iter()
        .any(|f| f.lba.is_some_and(|lba| lba.0 * 512 < CUT_AT));
    assert!(lost && !lied.resumes.is_empty(), "{lied:#?}");
}

#[test]
fn a_stopped_pid_1_is_reset_by_the_hardware_watchdog_and_the_second_boot_tells_why_and_finds_its_renamed_medium() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([]);
    let first = bench.status().supervisor.unwrap().boot;
    assert_eq!(named_by_grub(&mut vm), FRESH, "an image that nobody has booted");
    vm.probe().unwrap().op(Op::Freeze { pid: 1 }).unwrap();
    vm.wait_event("WATCHDOG", WATCHDOG).unwrap();
    let mark = vm.mark();
    vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    let second = bench.status().supervisor.unwrap().boot;
    assert_ne!(second.boot_id, first.boot_id, "the box was not reset");
    assert!(second.reason.to_lowercase().contains("watchdog"), "{second:?}");
    // The first boot gave the medium GUIDs of its own, and this boot has found it by them.
    let own = named_by_grub(&mut vm);
    assert!(own != FRESH && own.len() == FRESH.len(), "{own}");
    bench.until("state on the medium", SOON, || {
        let boot = bench.status().supervisor.map(|s| s.boot).ok_or("no supervisor")?;
        if boot.medium == wire::supervisor::Medium::Disk {
            Ok(())
        } else {
            Err(format!("{boot:?}"))
        }
    });
}

/// GUID of the boot partition in every fresh image.
const FRESH: &str = "4b696c6e-0000-4000-8000-000000000002";

/// The boot partition as GRUB named it on this boot's kernel command line.
fn named_by_grub(vm: &mut Vm) -> String {
    let line = vm.probe().unwrap().read("/proc/cmdline").unwrap();
    let word = line.split_whitespace().find_map(|w| w.strip_prefix("kiln.part="));
    word.unwrap_or_else(|| panic!("no kiln.part in {line:?}")).to_owned()
}

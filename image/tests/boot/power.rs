//! The power goes, or PID 1 stops: the box comes back, says why, and the job goes on.

use std::time::Duration;

use image::gpt::DATA_FIRST;
use image::nbd::{Disk, Fault, Medium, Plan, Server};
use image::qemu::{Arch, Bus, Drive, Machine, Source, Vm};
use probe::Op;
use serde_json::json;
use wire::job::{Outcome, Phase};

use crate::bench::{Bench, PASSWORD, USER};
use crate::images::image;
use crate::lab::{BOOT, JOB, Lab, SOON};

/// The drive that loses power, in MiB, and its speed in bytes a second.
const MIB: u64 = 112;
const SPEED: u64 = 2_000_000;

/// From where in writing on the next checkpoint is waited for, 28 s at most: the drive's cache of 32 MiB is full by then, so much of what
/// that checkpoint counts on is in it unless the drive was flushed first.
const LOOK_AT: u64 = 32 << 20;

/// How long after the flush the checkpoint is on the boot medium: it waits two seconds at most for others.
const WRITTEN: Duration = Duration::from_secs(5);

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
    let job = jobs[0];
    for job in &jobs {
        bench.wait_bytes(job, Phase::Write, LOOK_AT);
    }
    let flushes = || [&target, &liar].map(|server| server.disk().counters().flushes);
    let before = flushes();
    bench.until("the flushes of two checkpoints", SOON, || {
        let now = flushes();
        if now[0] > before[0] && now[1] > before[1] {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    });
    std::thread::sleep(WRITTEN);
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
    let lost = lied.findings.iter().any(|f| f.lba.is_some());
    assert!(lost && !lied.resumes.is_empty(), "{lied:#?}");
}

#[test]
fn a_stopped_pid_1_is_reset_by_the_hardware_watchdog_and_the_second_boot_tells_why_and_finds_its_renamed_medium() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([]);
    let status = bench.status().supervisor.unwrap();
    assert_eq!(status.watchdog, Some(30), "what its driver took");
    let first = status.boot;
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

/// The drive of the five cuts, in MiB, and how fast it takes what is written, in bytes a second.
const OFTEN_MIB: u64 = 320;
const TAKES: u64 = 4_000_000;
/// Between two checkpoints, in seconds, and how late one may be on a machine that is busy with other things.
const CHECKPOINT: u64 = 30;
const LATE: u64 = 10;

#[test]
fn after_each_of_five_power_cuts_the_job_goes_on_and_redoes_at_most_what_half_a_minute_brought() {
    let lab = Lab::new();
    let medium = Disk::new(Medium::over(image(Arch::X86_64)).unwrap()).with_volatile_cache();
    let boot = lab.serve("boot", medium);
    let target = lab.serve("target", Disk::blank(OFTEN_MIB).unwrap().with_volatile_cache());
    let machine = || -> Machine {
        let drive = Drive::new(Bus::Scsi, "OFTENCUT", Source::Nbd(target.path().to_owned())).write_speed(TAKES);
        lab.bare()
            .boot(Bus::Virtio, Source::Nbd(boot.path().to_owned()), None)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
            .drive(drive)
    };
    let written = || target.disk().counters().sectors_written * 512;
    let cut = |vm: Vm, seed: u64| {
        let lost = (boot.cut(seed).unwrap(), target.cut(seed ^ 0xff).unwrap());
        vm.cut();
        println!("cut {seed}: boot medium {:?}, drive {:?}", lost.0, lost.1);
        boot.disk().power_on();
        target.disk().power_on();
    };
    let (mut vm, mut bench) = lab.start(machine());
    let job = bench.burn(&["OFTENCUT"], "surface").remove(0);
    let mut from = 0;
    // Past a checkpoint, and soon after going on, in turn; the last one while reading back.
    for (n, further) in [(1, 140 << 20), (2, 8 << 20), (3, 140 << 20), (4, 8 << 20)] {
        bench.wait_bytes(&job, Phase::Write, from + further);
        let until = written();
        cut(vm, n);
        (vm, bench) = lab.start(machine());
        let on = bench.wait_job(&job, "on", JOB, |j| j.resumes.len() as u64 == n);
        let resume = on.resumes.last().unwrap().clone();
        println!("cut {n}: {} MiB had been written, on from {:?}", until >> 20, resume);
        assert_eq!(resume.phase, Phase::Write, "{on:#?}");
        assert!(
            resume.from.0 >= from,
            "it went back before an earlier checkpoint: {on:#?}"
        );
        if further > CHECKPOINT * TAKES {
            assert!(resume.from.0 > from, "no checkpoint in half a minute: {on:#?}");
        }
        from = resume.from.0;
    }
    bench.wait_job(&job, "reading back", JOB, |j| {
        j.progress.as_ref().is_some_and(|p| p.phase == Phase::Verify)
    });
    let redone = written() - (OFTEN_MIB << 20);
    let bound = 4 * (CHECKPOINT + LATE) * TAKES;
    println!(
        "written again after four cuts: {} MiB of at most {}",
        redone >> 20,
        bound >> 20
    );
    assert!(
        redone <= bound,
        "{redone} bytes were written again, at most {bound} may be"
    );
    cut(vm, 5);
    let (_vm, bench) = lab.start(machine());

    let done = bench.verdict(&job, JOB);
    let verdict = done.verdict.clone().unwrap();
    // A drive that is held to so many bytes a second lets some accesses wait for half a second.
    let slow = |hit: &&wire::job::RuleHit| hit.id == "slow-outliers" && hit.outcome == Outcome::Warn;
    let against = verdict.rules.iter().filter(|hit| hit.outcome != Outcome::Passed);
    let against: Vec<_> = against.filter(|hit| !slow(hit)).collect();
    assert!(against.is_empty(), "{done:#?}");
    assert_eq!(verdict.verified.0, OFTEN_MIB << 20, "{done:#?}");
    assert_eq!(done.resumes.len(), 5, "{done:#?}");
    let told = verdict.summary.to_lowercase().contains("interruption");
    assert!(told, "the verdict does not say that it was interrupted: {verdict:#?}");
}

/// What checkpoints and all else may cost a stick, in bytes a day.
const STICK_A_DAY: u64 = 1_000_000_000;
/// How long it is measured: two checkpoints of each job, and the block by which PID 1 proves the medium each minute.
const MEASURED: Duration = Duration::from_secs(2 * CHECKPOINT + LATE);

/// The superblock of the medium's DATA, as it would be after a loss of power now: whether its end was orderly.
fn data_is_clean(medium: &Disk) -> bool {
    let block = medium.medium(DATA_FIRST + 2, 2).unwrap();
    let word = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
    assert_eq!(word(0x38), 0xef53, "no ext4");
    // s_state: clean; s_feature_incompat: the journal need not be replayed.
    word(0x3a) & 1 == 1 && word(0x60) & 4 == 0
}

#[test]
fn burn_ins_write_less_than_a_gigabyte_a_day_to_the_medium_and_wait_while_the_box_is_switched_off_from_its_page() {
    let lab = Lab::new();
    let medium = Disk::new(Medium::over(image(Arch::X86_64)).unwrap()).with_volatile_cache();
    let boot = lab.serve("boot", medium);
    let drives = ["WEARSTK1", "WEARSTK2"].map(|s| Drive::new(Bus::Scsi, s, lab.blank(s, 256)).write_speed(1_500_000));
    let machine = || -> Machine {
        let box_alone = lab
            .bare()
            .boot(Bus::Virtio, Source::Nbd(boot.path().to_owned()), None)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD);
        drives.iter().cloned().fold(box_alone, Machine::drive)
    };
    let (mut vm, bench) = lab.start(machine());
    let jobs = bench.burn(&["WEARSTK1", "WEARSTK2"], "surface");
    // The first checkpoint of each is behind them, and what a boot writes.
    for job in &jobs {
        bench.wait_bytes(job, Phase::Write, 50 << 20);
    }
    let before = vm.written("boot").unwrap();
    std::thread::sleep(MEASURED);
    let wrote = vm.written("boot").unwrap() - before;
    for job in &jobs {
        let now = bench.job(job);
        assert!(
            now.progress.as_ref().is_some_and(|p| p.phase == Phase::Write),
            "it was over before the end was measured: {now:#?}"
        );
    }
    let day = wrote * 86_400 / MEASURED.as_secs();
    println!(
        "{} KiB in {} s with two burn-ins: {} MB an hour, {} MB a day",
        wrote >> 10,
        MEASURED.as_secs(),
        day / 24_000_000,
        day / 1_000_000
    );
    assert!(wrote > 0, "nothing was kept at all");
    assert!(day < STICK_A_DAY, "{day} bytes a day");

    let off = |body: serde_json::Value| {
        let answer = bench.call("POST", "/power-off", Some(&body)).unwrap();
        (answer.status, answer.text())
    };
    let name = bench.status().name;
    let (status, told) = off(json!({ "confirm": "kiln-0000", "while_testing": true }));
    assert!(status == 422 && told.contains("not-confirmed"), "{status} {told}");
    let (status, told) = off(json!({ "confirm": name }));
    assert!(status == 409 && told.contains("jobs-running"), "{status} {told}");
    assert!(!data_is_clean(boot.disk()), "it is in use");
    let (status, told) = off(json!({ "confirm": name, "while_testing": true }));
    assert_eq!(status, 202, "{told}");
    vm.wait_off(SOON).unwrap();
    assert!(data_is_clean(boot.disk()), "DATA was not unmounted: {}", vm.console());
    // The cord is pulled now: nothing is in the stick's cache any more.
    let lost = boot.cut(1).unwrap();
    assert_eq!(lost.pending, 0, "{lost:?}");
    drop(vm);
    boot.disk().power_on();

    let (_vm, bench) = lab.start(machine());
    let begun = bench.status().supervisor.unwrap().boot;
    assert!(
        begun.reason.contains(&format!("power-off, asked for by {USER}")),
        "{begun:?}"
    );
    for job in &jobs {
        let on = bench.wait_job(job, "on", JOB, |j| j.resumes.len() == 1);
        assert!(on.resumes[0].from.0 > 50 << 20, "it wrote down where it was: {on:#?}");
    }
}

/// GUID of the boot partition in every fresh image.
const FRESH: &str = "4b696c6e-0000-4000-8000-000000000002";

/// The boot partition as GRUB named it on this boot's kernel command line.
fn named_by_grub(vm: &mut Vm) -> String {
    let line = vm.probe().unwrap().read("/proc/cmdline").unwrap();
    let word = line.split_whitespace().find_map(|w| w.strip_prefix("kiln.part="));
    word.unwrap_or_else(|| panic!("no kiln.part in {line:?}")).to_owned()
}

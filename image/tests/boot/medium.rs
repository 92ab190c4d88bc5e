//! The medium under a box that works: pulled and put back, full, made read-only. Burn-ins go on each time, and it is told.

use std::time::Duration;

use image::qemu::{Bus, Drive, Source, Vm};
use probe::Op;
use wire::boxes::BoxView;
use wire::job::{Outcome, Phase};
use wire::supervisor::Medium;

use crate::bench::Bench;
use crate::lab::{BOOT, JOB, Lab, SOON};

/// Far enough into writing, and far from its end.
const SOME: u64 = 8 << 20;

/// How long the stick is away, in the ordinary run and with `KILN_LONG`.
fn away() -> Duration {
    Duration::from_secs(match std::env::var_os("KILN_LONG") {
        Some(_) => 600,
        None => 20,
    })
}

/// A drive that is busy for a minute and more each way.
fn slow(lab: &Lab, serial: &str) -> Drive {
    Drive::new(Bus::Scsi, serial, lab.blank(serial, 192)).speed(3_000_000)
}

/// Where state is kept.
fn medium(view: &BoxView) -> Option<Medium> {
    view.supervisor.as_ref().map(|s| s.boot.medium)
}

/// Waits until state is kept there; the box may be asked anew for a session, because the server starts again with its state.
fn kept_on(vm: &mut Vm, where_: Medium) -> Bench {
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(vm);
    bench.until(&format!("state on {where_:?}"), SOON * 3, || {
        let view = bench.status();
        if medium(&view) == Some(where_) {
            Ok(())
        } else {
            Err(format!("{view:#?}"))
        }
    });
    bench
}

/// Waits until a banner has this word.
fn told(bench: &Bench, word: &str) -> String {
    bench.until(&format!("banner with {word:?}"), SOON * 3, || {
        let view = bench.status();
        let own = view.supervisor.iter().flat_map(|s| s.banners.iter());
        let found = view.banners.iter().chain(own).find(|b| b.text.contains(word));
        found.map(|b| b.text.clone()).ok_or_else(|| format!("{view:#?}"))
    })
}

#[test]
#[ignore = "written, never run to its end yet"]
fn a_stick_pulled_under_load_and_put_back_is_written_to_again_and_nothing_is_lost() {
    let lab = Lab::new();
    let machine = lab.machine(Bus::Usb, None).drive(slow(&lab, "PUTBACK1"));
    let (mut vm, _) = lab.start(machine);
    let bench = kept_on(&mut vm, Medium::Disk);
    let boot_id = bench.status().supervisor.unwrap().boot.boot_id;
    let job = bench.burn(&["PUTBACK1"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);
    vm.pull("boot").unwrap();
    let bench = kept_on(&mut vm, Medium::Ram);
    println!("{}", told(&bench, "memory"));
    std::thread::sleep(away());

    let mut stick = Drive::new(Bus::Usb, "KILNBOOT", Source::Qcow2(lab.medium()));
    stick.id = "boot".into();
    vm.plug(stick).unwrap();
    let bench = kept_on(&mut vm, Medium::Disk);
    println!("{}", told(&bench, "The boot medium is back"));
    let stick = bench.drive("KILNBOOT", "refused", |d| d.present && d.refused.is_some());
    assert_eq!(stick.refused.map(|r| r.kind).as_deref(), Some("boot-disk"));
    let done = bench.verdict(&job, JOB);
    let verdict = done.verdict.clone().unwrap();
    assert_eq!(
        (verdict.outcome, verdict.verified.0),
        (Outcome::Passed, 192 << 20),
        "{done:#?}"
    );
    assert_eq!(
        bench.status().supervisor.unwrap().boot.boot_id,
        boot_id,
        "the box was reset"
    );

    // What was told while the stick was away is on it now, and outlives a restart.
    let before = bench.events();
    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    vm.reset().unwrap();
    vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    let bench = kept_on(&mut vm, Medium::Disk);
    let after = bench.events();
    assert!(
        after.len() >= before.len(),
        "{} events of {}",
        after.len(),
        before.len()
    );
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(bench.job(&job).verdict.map(|v| v.outcome), Some(Outcome::Passed));
}

#[test]
#[ignore = "written, never run to its end yet"]
fn a_full_medium_is_told_and_the_burn_in_goes_on_and_room_is_noticed() {
    let lab = Lab::new();
    let (mut vm, _) = lab.boot([slow(&lab, "FULLDATA")]);
    let bench = kept_on(&mut vm, Medium::Disk);
    let job = bench.burn(&["FULLDATA"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);
    let path = "/var/lib/kiln/filler".to_owned();
    let filled = vm.probe().unwrap().op(Op::Fill { path: path.clone() }).unwrap();
    println!("{filled} bytes");
    println!("{}", told(&bench, "full"));
    let done = bench.verdict(&job, JOB);
    let verdict = done.verdict.clone().unwrap();
    assert_eq!(
        (verdict.outcome, verdict.verified.0),
        (Outcome::Passed, 192 << 20),
        "{done:#?}"
    );
    assert_eq!(medium(&bench.status()), Some(Medium::Disk));

    vm.probe().unwrap().op(Op::Remove { path }).unwrap();
    bench.until("that there is room again", SOON * 3, || {
        let view = bench.status();
        let full = format!("{:?}", view.supervisor.as_ref().map(|s| &s.banners)).contains("full");
        if full { Err(format!("{view:#?}")) } else { Ok(()) }
    });
    // And it is used: what happens now is there after a cut.
    bench.until("the job on the medium", SOON, || {
        let kinds: Vec<String> = bench.events().into_iter().map(|e| e.kind).collect();
        if kinds.iter().any(|k| k == "job.passed") {
            Ok(())
        } else {
            Err(format!("{kinds:?}"))
        }
    });
}

#[test]
#[ignore = "written, never run to its end yet"]
fn a_medium_that_turns_read_only_is_left_for_memory_and_the_burn_in_goes_on() {
    let lab = Lab::new();
    let (mut vm, _) = lab.boot([slow(&lab, "RODATA01")]);
    let bench = kept_on(&mut vm, Medium::Disk);
    let boot_id = bench.status().supervisor.unwrap().boot.boot_id;
    let job = bench.burn(&["RODATA01"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);
    // The kernel meets an error in DATA's file system, and does what it was told to do then.
    let file = "/sys/fs/ext4/vda3/trigger_fs_error";
    vm.probe().unwrap().write(file, "a worn-out stick").unwrap();
    let bench = kept_on(&mut vm, Medium::Ram);
    println!("{}", told(&bench, "memory"));
    let done = bench.verdict(&job, JOB);
    let verdict = done.verdict.clone().unwrap();
    assert_eq!(
        (verdict.outcome, verdict.verified.0),
        (Outcome::Passed, 192 << 20),
        "{done:#?}"
    );
    assert_eq!(
        bench.status().supervisor.unwrap().boot.boot_id,
        boot_id,
        "the box was reset"
    );
}

//! Drives that lie, fail and go away: the verdict names kind and place, and the other jobs go on.

use std::time::Duration;

use image::nbd::{Disk, Fault, Plan, Server};
use image::qemu::{Bus, Defect, Drive, Source};
use wire::Lba;
use wire::drive::Content;
use wire::job::{FaultKind, Finding, Job, Outcome, Phase};

use crate::lab::{Lab, SOON};

/// Longest time to the verdict of a job whose drive does not answer: four minutes are the engine's patience.
const HANG: Duration = Duration::from_mins(8);

fn attached(bus: Bus, serial: &str, server: &Server) -> Drive {
    Drive::new(bus, serial, Source::Nbd(server.path().to_owned()))
}

/// Whether a finding of this kind covers the sector.
fn found(job: &Job, kind: FaultKind, sector: u64) -> bool {
    let covers = |lba: &Lba, sectors: u64| (lba.0..lba.0 + sectors).contains(&sector);
    job.findings
        .iter()
        .any(|f| f.kind == kind && f.lba.as_ref().is_some_and(|lba| covers(lba, f.sectors)))
}

#[test]
fn read_errors_also_at_the_start_a_forged_capacity_and_a_flipped_bit_fail_with_place_and_a_good_drive_passes() {
    let lab = Lab::new();
    let disk = |faults: Plan| Disk::blank(32).unwrap().with_plan(faults);
    let unreadable = lab.serve(
        "unreadable",
        disk(Plan::honest().with(Fault::ReadError(40_000..40_008))),
    );
    let forged = lab.serve("forged", disk(Plan::honest().with(Fault::Wrap { real: 32_768 })));
    let flips = lab.serve(
        "flips",
        disk(Plan::honest().with(Fault::FlipBit {
            sector: 12_345,
            bit: 77,
        })),
    );
    let headless = lab.serve("headless", disk(Plan::honest().with(Fault::ReadError(0..2048))));
    let good = lab.serve("good", disk(Plan::honest()));
    let (_vm, bench) = lab.boot([
        attached(Bus::Scsi, "NOSTART1", &headless),
        attached(Bus::Sata, "READERR1", &unreadable),
        attached(Bus::Scsi, "FORGED01", &forged),
        attached(Bus::Nvme, "BITFLIP1", &flips),
        attached(Bus::Scsi, "GOODONE1", &good),
    ]);
    // What stands on a drive whose first MiB cannot be read is not known, which is said; it is offered all the same.
    let seen = bench.offered("NOSTART1");
    assert!(matches!(seen.content, Content::Unreadable { .. }), "{seen:#?}");
    let jobs = bench.burn(&["READERR1", "FORGED01", "BITFLIP1", "GOODONE1", "NOSTART1"], "surface");

    let job = bench.ends(&jobs[0], Outcome::Failed);
    assert!(
        found(&job, FaultKind::ReadError, 40_000) && found(&job, FaultKind::ReadError, 40_007),
        "{job:#?}"
    );
    assert!(
        !found(&job, FaultKind::ReadError, 39_999) && !found(&job, FaultKind::ReadError, 40_008),
        "{job:#?}"
    );

    let job = bench.ends(&jobs[1], Outcome::Failed);
    let wrapped = job
        .findings
        .iter()
        .any(|f| f.kind == FaultKind::WrapAround && f.lba.is_some());
    assert!(wrapped, "{job:#?}");

    let job = bench.ends(&jobs[2], Outcome::Failed);
    assert!(found(&job, FaultKind::BitFlip, 12_345), "{job:#?}");
    assert_eq!(job.bad_sectors, 1, "{job:#?}");

    let job = bench.ends(&jobs[4], Outcome::Failed);
    for sector in [0, 1, 1000, 2047] {
        assert!(found(&job, FaultKind::ReadError, sector), "sector {sector}: {job:#?}");
    }
    assert!(!found(&job, FaultKind::ReadError, 2048), "{job:#?}");
    assert_eq!(job.bad_sectors, 2048, "{job:#?}");

    let job = bench.ends(&jobs[3], Outcome::Passed);
    assert_eq!(job.verdict.unwrap().verified.0, 32 << 20);
    // Not only the verdict: the pattern really is on the medium, everywhere.
    for sector in [0, 1, 30_000, 65_535] {
        let bytes = good.disk().medium(sector, 1).unwrap();
        assert!(bytes.iter().any(|b| *b != 0), "sector {sector} was never written");
    }
    assert!(
        good.disk().counters().flushes > 0,
        "a job that never flushed has verified the drive's cache"
    );
}

/// The first finding of this kind that covers the sector.
fn finding(job: &Job, kind: FaultKind, sector: u64) -> Finding {
    let covers = |f: &&Finding| f.lba.is_some_and(|lba| (lba.0..lba.0 + f.sectors).contains(&sector));
    let found = job.findings.iter().filter(|f| f.kind == kind).find(covers);
    found
        .unwrap_or_else(|| panic!("no {kind:?} at {sector}: {job:#?}"))
        .clone()
}

/// Lies that no drive tells of: whose data stands where, and which was forgotten.
#[test]
fn lost_misdirected_and_exchanged_data_is_told_apart_and_its_place_is_named() {
    let lab = Lab::new();
    let disk = |faults: Plan| Disk::blank(32).unwrap().with_plan(faults);
    let drops = lab.serve("drops", disk(Plan::honest().with(Fault::DropWrites(20_000..20_016))));
    let rewritten = Fault::MisdirectWrites {
        from: 24_000..24_008,
        by: 8_000,
    };
    let rewritten = lab.serve("rewritten", disk(Plan::honest().with(rewritten)));
    let reads = Fault::MisdirectReads {
        from: 28_000..28_008,
        by: 4_096,
    };
    let reads = lab.serve("reads", disk(Plan::honest().with(reads)));
    let refuses = lab.serve("refuses", disk(Plan::honest().with(Fault::WriteError(36_000..36_008))));
    let swaps = lab.serve("swaps", disk(Plan::honest()));
    let (_vm, bench) = lab.boot([
        attached(Bus::Scsi, "DROPS001", &drops),
        attached(Bus::Nvme, "REWRITES", &rewritten),
        attached(Bus::Sata, "MISREADS", &reads),
        attached(Bus::Scsi, "REFUSES1", &refuses),
        attached(Bus::Scsi, "SWAPS001", &swaps).speed(4_000_000),
    ]);
    let jobs = bench.burn(&["DROPS001", "REWRITES", "MISREADS", "REFUSES1", "SWAPS001"], "surface");
    // Between write and verify the drive begins to hold two sectors in each other's place.
    bench.wait_bytes(&jobs[4], Phase::Verify, 1 << 20);
    swaps
        .disk()
        .set_plan(Plan::honest().with(Fault::Swap { a: 60_001, b: 62_002 }));

    let job = bench.ends(&jobs[0], Outcome::Failed);
    assert_eq!(finding(&job, FaultKind::Zeroed, 20_000).sectors, 16, "{job:#?}");
    assert_eq!(job.bad_sectors, 16, "{job:#?}");

    // What it wrote over was written rightly later: only the victim shows.
    let job = bench.ends(&jobs[1], Outcome::Failed);
    assert_eq!(finding(&job, FaultKind::Zeroed, 24_000).sectors, 8, "{job:#?}");
    assert_eq!(job.bad_sectors, 8, "{job:#?}");

    let job = bench.ends(&jobs[2], Outcome::Failed);
    let told = finding(&job, FaultKind::Misdirected, 28_000);
    assert_eq!((told.found, told.sectors), (Some(Lba(32_096)), 8), "{job:#?}");
    assert_eq!(job.bad_sectors, 8, "{job:#?}");

    let job = bench.ends(&jobs[3], Outcome::Failed);
    assert_eq!(finding(&job, FaultKind::WriteError, 36_000).sectors, 8, "{job:#?}");

    let job = bench.ends(&jobs[4], Outcome::Failed);
    for (here, there) in [(60_001, 62_002), (62_002, 60_001)] {
        let told = finding(&job, FaultKind::Misdirected, here);
        assert_eq!(told.found, Some(Lba(there)), "{job:#?}");
        assert!(told.detail.contains("exchanged"), "{told:?}");
    }
    assert_eq!(job.bad_sectors, 2, "{job:#?}");
}

/// Behind each kind of controller: its driver and its retries decide what of an error reaches the engine.
#[test]
fn sectors_that_fail_behind_each_controller_are_named_exactly_and_an_error_that_comes_once_is_no_bad_sector() {
    let lab = Lab::new();
    let drive = |bus, serial: &str| Drive::new(bus, serial, lab.blank(serial, 32));
    let bad = |writes, sector| Defect {
        writes,
        sector,
        once: false,
    };
    let once = Defect {
        once: true,
        ..bad(false, 50_001)
    };
    let reads = [
        (Bus::Sata, "SATAREAD"),
        (Bus::Scsi, "SCSIREAD"),
        (Bus::Nvme, "NVMEREAD"),
        (Bus::Virtio, "VIRTREAD"),
        (Bus::Usb, "USBREAD1"),
    ];
    let mut drives: Vec<Drive> = reads
        .iter()
        .map(|(bus, serial)| {
            drive(*bus, serial)
                .defect(bad(false, 40_003))
                .defect(bad(false, 65_535))
        })
        .collect();
    drives.push(drive(Bus::Scsi, "SCSIWRIT").defect(bad(true, 30_007)));
    drives.push(drive(Bus::Virtio, "VIRTONCE").defect(once));
    let (_vm, bench) = lab.boot(drives);
    let mut serials: Vec<&str> = reads.iter().map(|(_, serial)| *serial).collect();
    serials.extend(["SCSIWRIT", "VIRTONCE"]);
    let jobs = bench.burn(&serials, "surface");

    for (job, serial) in jobs.iter().zip(&serials[..5]) {
        let job = bench.ends(job, Outcome::Failed);
        for sector in [40_003, 65_535] {
            assert!(
                found(&job, FaultKind::ReadError, sector),
                "{serial}, sector {sector}: {job:#?}"
            );
        }
        assert_eq!(job.bad_sectors, 2, "{serial}: {job:#?}");
    }
    let job = bench.ends(&jobs[5], Outcome::Failed);
    assert!(found(&job, FaultKind::WriteError, 30_007), "{job:#?}");
    // An error of the way there as much as of the drive, which does not show again.
    let job = bench.ends(&jobs[6], Outcome::Inconclusive);
    assert!(found(&job, FaultKind::Transient, 50_001), "{job:#?}");
    assert_eq!(job.bad_sectors, 0, "{job:#?}");
}

/// A bus without time-outs of its own (virtio), so that nothing but the engine ends the wait: by SATA and SCSI the kernel resets, for
/// which QEMU itself waits.
#[test]
fn an_access_that_takes_long_is_told_and_one_that_never_ends_holds_up_nobody_else() {
    let lab = Lab::new();
    let disk = |faults: Plan| Disk::blank(32).unwrap().with_plan(faults);
    let late = Fault::Delay {
        at: 40_000..40_008,
        by: Duration::from_secs(12),
    };
    let late = lab.serve("late", disk(Plan::honest().with(late)));
    let hangs = lab.serve("hangs", disk(Plan::honest()));
    let (mut vm, bench) = lab.boot([
        attached(Bus::Virtio, "LATE0001", &late),
        attached(Bus::Virtio, "HANGS001", &hangs).speed(2_000_000),
        lab.slow("BESIDE01"),
    ]);
    let jobs = bench.burn(&["LATE0001", "HANGS001", "BESIDE01"], "surface");
    bench.wait_bytes(&jobs[1], Phase::Write, 8 << 20);
    hangs.disk().set_plan(Plan::honest().with(Fault::Hang(50_000..50_008)));

    let beside = bench.ends(&jobs[2], Outcome::Passed);
    assert!(beside.findings.is_empty() && beside.resumes.is_empty(), "{beside:#?}");
    // Nothing was wrong but the time that it took, written and read.
    let job = bench.ends(&jobs[0], Outcome::Failed);
    assert!(found(&job, FaultKind::Slow, 40_000), "{job:#?}");
    assert_eq!(job.bad_sectors, 0, "{job:#?}");

    let job = bench.verdict(&jobs[1], HANG);
    assert_eq!(job.verdict.as_ref().unwrap().outcome, Outcome::Inconclusive, "{job:#?}");
    assert!(found(&job, FaultKind::Hang, 50_000), "{job:#?}");
    vm.wait_http("/api/v1/health", SOON).unwrap();
    // Where it answers again at last, it is a drive like any other.
    hangs.disk().set_plan(Plan::honest());
    bench.offered("HANGS001");
    let job = bench.burn(&["HANGS001"], "surface").remove(0);
    bench.ends(&job, Outcome::Passed);
}

#[test]
fn a_drive_pulled_in_the_middle_is_inconclusive_and_the_others_go_on() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([lab.slow("PULLED01"), lab.slow("STAYS001")]);
    let jobs = bench.burn(&["PULLED01", "STAYS001"], "surface");
    bench.wait_bytes(&jobs[0], Phase::Write, 8 << 20);
    vm.pull("pulled01").unwrap();

    let gone = bench.drive("PULLED01", "gone", |d| !d.present);
    assert!(!gone.present);
    let pulled = bench.ends(&jobs[0], Outcome::Inconclusive);
    assert!(
        pulled.findings.iter().any(|f| f.kind == FaultKind::Disconnect),
        "{pulled:#?}"
    );
    let stays = bench.ends(&jobs[1], Outcome::Passed);
    assert!(stays.resumes.is_empty(), "the other job was disturbed: {stays:#?}");
}

#[test]
fn a_stick_pulled_under_load_resets_nothing_and_the_job_passes() {
    let lab = Lab::new();
    let machine = lab.machine(Bus::Usb, None).drive(lab.slow("NOSTICK1"));
    let (mut vm, bench) = lab.start(machine);
    let boot = bench.until("state on the stick", SOON, || {
        let boot = bench.status().supervisor.map(|s| s.boot).ok_or("no supervisor")?;
        if boot.medium == wire::supervisor::Medium::Disk {
            Ok(boot)
        } else {
            Err(format!("{boot:?}"))
        }
    });
    let job = bench.burn(&["NOSTICK1"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, 8 << 20);
    vm.pull("boot").unwrap();

    // Services may restart over to RAM; then the session is gone and a person logs in again.
    std::thread::sleep(Duration::from_secs(5));
    vm.wait_http("/api/v1/health", SOON).unwrap();
    let bench = crate::bench::Bench::login(&vm);
    let done = bench.ends(&job, Outcome::Passed);
    assert_eq!(done.verdict.unwrap().verified.0, 64 << 20);
    let status = bench.status();
    let now = status.supervisor.as_ref().unwrap();
    assert_eq!(now.boot.boot_id, boot.boot_id, "the box was reset");
    assert_eq!(now.boot.medium, wire::supervisor::Medium::Ram, "{now:#?}");
    let told = status
        .banners
        .iter()
        .chain(&now.banners)
        .any(|b| b.text.to_lowercase().contains("medium"));
    assert!(told, "nothing tells that the medium is gone: {status:#?}");
}

//! What flash and shingled disks have of their own, through the image's drivers of SATA, SCSI, NVMe and virtio: trims that are carried
//! out, acknowledged alone, or refused; zones; pauses of writes; an NVMe drive's own log by the image's smartctl.

use std::time::Duration;

use image::nbd::{Disk, Fault, Plan, Server};
use image::qemu::{Bus, Drive, Source, Trims};
use wire::job::{Job, Outcome, Phase, PhaseStatus};

use crate::bench::came_to;
use crate::lab::{JOB, Lab};

/// Size of each drive.
const MIB: u64 = 64;

/// Flash that is burnt in with `ssd`: what it does with trims, and what is to be told of that.
const FLASH: [(&str, Bus, Trims, Option<&str>); 6] = [
    ("TRIMSATA", Bus::Sata, Trims::Done, None),
    ("TRIMSCSI", Bus::Scsi, Trims::Done, None),
    ("TRIMNVME", Bus::Nvme, Trims::Done, None),
    ("TRIMVIRT", Bus::Virtio, Trims::Done, None),
    ("TRIMKEPT", Bus::Sata, Trims::Ignored, Some("trim-kept")),
    ("TRIMNONE", Bus::Scsi, Trims::Unknown, Some("step-unsupported")),
];

/// NVMe drives, the warnings that they begin to tell of while they are written, and what is to be told of those.
const NVME: [(&str, u8, Outcome, &[&str]); 3] = [
    ("NVMEGOOD", 0, Outcome::Passed, &[]),
    ("NVMEWARM", 0b10, Outcome::Inconclusive, &["nvme-hot"]),
    ("NVMEFAIL", 0b100, Outcome::Failed, &["nvme-critical", "smart-failing"]),
];

/// Long enough for warnings to come in the midst of a write.
const SPEED: u64 = 4_000_000;

/// Places at which the writes of a disk pause, none of which is a header's.
const PAUSES: u64 = 12;

#[test]
fn trims_zones_pauses_and_warnings_are_told_as_they_are() {
    let lab = Lab::new();
    let drive = |bus, serial: &str| Drive::new(bus, serial, lab.blank(serial, MIB));
    let pausing = pausing(&lab);
    let mut drives = FLASH
        .map(|(serial, bus, trims, _)| drive(bus, serial).flash().trims(trims))
        .to_vec();
    drives.extend(NVME.map(|(serial, ..)| drive(Bus::Nvme, serial).speed(SPEED)));
    drives.extend([
        drive(Bus::Sata, "SHINGLED").trims(Trims::Done),
        Drive::new(Bus::Scsi, "PAUSES01", Source::Nbd(pausing.path().to_owned())),
        drive(Bus::Nvme, "ZONED001").zones(4 << 20),
    ]);
    let (mut vm, bench) = lab.boot(drives);
    let nvme = bench.burn(&NVME.map(|(serial, ..)| serial), "standard");
    for (job, (serial, bits, ..)) in nvme.iter().zip(NVME) {
        bench.wait_bytes(job, Phase::Write, 1 << 20);
        vm.set_warnings(&serial.to_ascii_lowercase(), bits).unwrap();
    }
    let flash = bench.burn(&FLASH.map(|(serial, ..)| serial), "ssd");
    let shingled = bench.burn(&["SHINGLED", "PAUSES01"], "standard");

    for (job, (_, bits, outcome, due)) in nvme.iter().zip(NVME) {
        let job = bench.verdict(job, JOB);
        told(&job, outcome, due);
        let row = |name: &str| {
            job.smart
                .iter()
                .find(|row| row.name == name)
                .unwrap_or_else(|| panic!("no {name}: {job:#?}"))
        };
        assert_eq!(
            (row("critical_warning").before, row("critical_warning").after),
            (Some(0), Some(bits.into()))
        );
        // Its own counter, which no rule finds to differ, is that of the writes.
        let written = row("bytes_written");
        let rose = (written.after.unwrap() - written.before.unwrap()).cast_unsigned() >> 20;
        assert!((MIB..MIB + MIB / 8).contains(&rose), "{written:?}");
    }
    for (job, due) in shingled.iter().zip([&["smr"][..], &["smr", "smart-unreadable"]]) {
        told(&bench.verdict(job, JOB), Outcome::Warn, due);
    }
    let zoned = bench.drive("ZONED001", "refused", |d| d.refused.is_some());
    assert_eq!(zoned.refused.unwrap().kind, "host-managed");
    let problem = bench.plan(&[zoned.id.unwrap()], "surface").expect_err("it was planned");
    assert_eq!(problem.kind, "drive-refused", "{problem}");
    for (job, (serial, bus, trims, rule)) in flash.iter().zip(FLASH) {
        // What QEMU has no SMART of.
        let unread = matches!(bus, Bus::Scsi | Bus::Virtio).then_some("smart-unreadable");
        let due: Vec<&str> = unread.into_iter().chain(rule).collect();
        let outcome = if due.is_empty() { Outcome::Passed } else { Outcome::Warn };
        let job = bench.verdict(job, JOB);
        told(&job, outcome, &due);
        let steps = job
            .phases
            .iter()
            .filter(|p| matches!(p.phase, Phase::Trim | Phase::TrimCheck));
        for step in steps {
            let due = match trims {
                Trims::Unknown => (PhaseStatus::Skipped, false),
                Trims::Ignored | Trims::Done => (PhaseStatus::Done, true),
            };
            assert_eq!((step.status, step.bytes.0 > 0), due, "{serial}: {step:#?}");
        }
    }
    let zoned = std::fs::read(lab.path().join("ZONED001")).unwrap();
    assert!(zoned.iter().all(|byte| *byte == 0), "a refused drive was written to");
}

/// A disk whose writes pause where its reads do not.
fn pausing(lab: &Lab) -> Server {
    let apart = (MIB << 20) / 512 / PAUSES;
    let plan = (0..PAUSES).fold(Plan::honest(), |plan, n| {
        let at = n * apart + apart / 4;
        let by = Duration::from_secs(3);
        plan.with(Fault::DelayWrites { at: at..at + 1, by })
    });
    lab.serve("pausing", Disk::blank(MIB).unwrap().with_plan(plan))
}

/// Asserts what a job came to, by exactly these rules, and that every block was verified.
fn told(job: &Job, outcome: Outcome, due: &[&str]) {
    assert_eq!(came_to(job), (outcome, due.iter().copied().collect()), "{job:#?}");
    assert_eq!(job.verdict.as_ref().map(|v| v.verified.0), Some(MIB << 20), "{job:#?}");
}

//! The playbooks that no other boot test follows, from their first step to their last, by the image's own kernel and tools.

use image::qemu::{Bus, Drive};
use wire::job::{Outcome, PhaseStatus, SelfTestOutcome};

use crate::bench::came_to;
use crate::format::tool;
use crate::lab::{JOB, Lab};
use crate::signatures;

/// Size of each drive.
const MIB: u64 = 64;

/// The playbook of the product, but for half an hour of its seeks.
const THOROUGH: &str = include_str!("../../../services/burnin/playbooks/thorough.toml");

/// The rule of playbooks that write one value everywhere.
const CONSTANT: &str = "constant-pattern-probed";

/// The rule of playbooks that do not write and read back every block.
const PART: &str = "not-whole-drive";

/// The rule of playbooks that read every block and write none.
const READ: &str = "only-read";

/// Drives, their playbooks, what they come to, and the one rule that takes something from it.
const JOBS: [(&str, Bus, &str, Outcome, Option<&str>); 6] = [
    ("THOROUGH", Bus::Sata, "thorough-soon", Outcome::Passed, None),
    ("BADBLOCK", Bus::Nvme, "badblocks", Outcome::Warn, Some(CONSTANT)),
    ("PRECLEAR", Bus::Sata, "preclear", Outcome::Warn, Some(CONSTANT)),
    ("ERASED01", Bus::Virtio, "erase", Outcome::Warn, Some(CONSTANT)),
    ("SCANNED1", Bus::Sata, "scan", Outcome::Warn, Some(READ)),
    ("QUICKLY1", Bus::Nvme, "quick", Outcome::Warn, Some(PART)),
];

#[test]
fn every_step_of_every_playbook_is_done_and_leaves_what_it_promises() {
    let lab = Lab::new();
    let file = |serial: &str| lab.path().join(serial);
    let drives = JOBS.map(|(serial, bus, ..)| Drive::new(bus, serial, lab.blank(serial, MIB)));
    // What was on them, which one keeps and the others do not.
    for serial in ["SCANNED1", "ERASED01", "PRECLEAR"] {
        signatures::ext4(&file(serial), 0);
    }
    let before = std::fs::read(file("SCANNED1")).unwrap();
    let (vm, bench) = lab.boot(drives);
    let soon = THOROUGH
        .replace("\"thorough\"", "\"thorough-soon\"")
        .replace("minutes = 30", "minutes = 1");
    bench.save_playbook("thorough-soon", &soon);
    let jobs = JOBS.map(|(serial, _, playbook, ..)| match playbook {
        "scan" => bench.scan(serial, playbook),
        _ => bench.burn(&[serial], playbook).remove(0),
    });
    for (id, (serial, _, _, outcome, rule)) in jobs.iter().zip(JOBS) {
        let job = bench.verdict(id, JOB);
        assert_eq!(came_to(&job), (outcome, rule.into_iter().collect()), "{job:#?}");
        assert!(
            job.findings.is_empty() && job.phases.iter().all(|p| p.status == PhaseStatus::Done),
            "{job:#?}"
        );
        if serial == "THOROUGH" {
            let own: Vec<_> = job.self_tests.iter().map(|t| t.outcome).collect();
            assert_eq!(own, [SelfTestOutcome::Passed; 2], "{job:#?}");
        }
    }

    vm.cut();
    assert!(std::fs::read(file("SCANNED1")).unwrap() == before, "a scan wrote");
    let zeros = |serial: &str, from: usize| {
        std::fs::read(file(serial)).unwrap()[from..]
            .iter()
            .all(|byte| *byte == 0)
    };
    assert!(zeros("ERASED01", 0), "not erased");
    let table = tool("sfdisk", &["--json"], &file("PRECLEAR"));
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    assert_eq!(
        table["partitiontable"]["partitions"].as_array().map(Vec::len),
        Some(1),
        "{table}"
    );
}

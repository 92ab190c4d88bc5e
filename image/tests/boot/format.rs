//! A burn-in that ends in a file system: made in the box by the image's own tools and kernel, and judged here by others.

use std::path::Path;
use std::process::Command;

use image::qemu::{Bus, Drive};
use wire::job::{Outcome, Phase, SelfTestOutcome};
use wire::options::{FileSystem, FormatRequest, PlanOptions, Table};

use crate::bench::SELF_TESTED;
use crate::lab::{JOB, Lab};

/// Where the one partition begins.
const FIRST: u64 = 1 << 20;

/// Not ASCII: exFAT's tools turn it into UTF-16 by the image's own locale.
const LABEL: &str = "Büro";

/// What is made on which drive: serial, bus, MiB, file system, table, what blkid calls it.
const MADE: [(&str, Bus, u64, FileSystem, Table, &str); 5] = [
    ("FMTEXT41", Bus::Sata, 64, FileSystem::Ext4, Table::Mbr, "ext4"),
    ("FMTEXFAT", Bus::Scsi, 64, FileSystem::Exfat, Table::Gpt, "exfat"),
    ("FMTXFS01", Bus::Scsi, 352, FileSystem::Xfs, Table::Auto, "xfs"),
    ("FMTBTRFS", Bus::Nvme, 160, FileSystem::Btrfs, Table::Gpt, "btrfs"),
    ("FMTSWAP1", Bus::Scsi, 32, FileSystem::Swap, Table::Mbr, "swap"),
];

/// What a tool of this machine says of a file that it must find sound.
pub(crate) fn tool(program: &str, arguments: &[&str], file: &Path) -> String {
    let out = Command::new(program)
        .args(arguments)
        .arg(file)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{program} {arguments:?}: {}\n{text}{}",
        out.status,
        String::from_utf8_lossy(&out.stderr)
    );
    text
}

#[test]
fn a_burn_in_with_a_self_test_ends_in_a_file_system_that_other_tools_find_sound() {
    let lab = Lab::new();
    let drives = MADE.map(|(serial, bus, mib, ..)| Drive::new(bus, serial, lab.blank(serial, mib)));
    let (vm, bench) = lab.boot(drives);
    bench.save_playbook("self-tested", SELF_TESTED);
    let jobs = MADE.map(|(serial, bus, _, filesystem, table, _)| {
        let options = PlanOptions {
            format: Some(FormatRequest {
                table,
                filesystem,
                reserved_percent: if filesystem == FileSystem::Ext4 { 2 } else { 0 },
                label: if filesystem == FileSystem::Swap { "" } else { LABEL }.into(),
            }),
            ..PlanOptions::default()
        };
        // Of QEMU's drives only the SATA one has a self-test.
        let playbook = if bus == Bus::Sata { "self-tested" } else { "surface" };
        bench.burn_with(serial, playbook, &options)
    });
    let mut wrong = Vec::new();
    for (id, (serial, bus, mib, filesystem, ..)) in jobs.iter().zip(MADE) {
        let job = bench.verdict(id, JOB);
        let verdict = job.verdict.clone().unwrap();
        let made = job.formatted.clone();
        println!("{serial}: {:?}, {made:?}", verdict.outcome);
        let sound = made
            .as_ref()
            .is_some_and(|m| m.problem.is_none() && m.filesystem == filesystem && !m.checks.is_empty());
        let judged = matches!(verdict.outcome, Outcome::Passed | Outcome::Warn) && verdict.verified.0 == mib << 20;
        if !sound || !judged {
            wrong.push(format!("{serial}: {job:#?}"));
        }
        if bus == Bus::Sata {
            let own: Vec<_> = job.self_tests.iter().map(|t| (t.phase, t.outcome)).collect();
            assert_eq!(own, [(Phase::SelfTestShort, SelfTestOutcome::Passed)], "{job:#?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The box is gone: what lies on the drives is read by the tools of this machine.
    vm.cut();
    for (serial, _, mib, filesystem, table, name) in MADE {
        let drive = lab.path().join(serial);
        let told = tool("sfdisk", &["--json"], &drive);
        let json: serde_json::Value = serde_json::from_str(&told).unwrap();
        let wanted = if table == Table::Gpt { "gpt" } else { "dos" };
        assert_eq!(json["partitiontable"]["label"], wanted, "{serial}: {told}");
        let parts = json["partitiontable"]["partitions"].as_array().unwrap();
        let size = parts[0]["size"].as_u64().unwrap() * 512;
        assert_eq!(
            (parts.len(), parts[0]["start"].as_u64()),
            (1, Some(FIRST / 512)),
            "{told}"
        );
        assert!(size > (mib << 20) - (3 << 20), "most of the drive is used: {told}");

        let part = lab.path().join("part");
        let all = std::fs::read(&drive).unwrap();
        std::fs::write(&part, &all[FIRST as usize..(FIRST + size) as usize]).unwrap();
        let known = tool("blkid", &["-p", "-o", "export"], &part);
        assert!(known.lines().any(|l| l == format!("TYPE={name}")), "{serial}: {known}");
        match filesystem {
            FileSystem::Ext4 => drop(tool("e2fsck", &["-f", "-n"], &part)),
            FileSystem::Exfat => drop(tool("fsck.exfat", &["-n"], &part)),
            FileSystem::Xfs => drop(tool("xfs_repair", &["-n", "-f"], &part)),
            FileSystem::Btrfs => drop(tool("btrfs", &["check", "--readonly"], &part)),
            FileSystem::Swap | FileSystem::Raw => {}
        }
        if filesystem != FileSystem::Swap {
            let label = tool("blkid", &["-p", "-o", "value", "-s", "LABEL"], &part);
            assert_eq!(label.trim_end(), LABEL, "{serial}");
        }
    }
}

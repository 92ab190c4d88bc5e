//! What a faulty drive shows, on real loop devices: between the write and its reading back the file below one is changed into what a drive
//! would hold that lost, moved or never stored what it was given. Each is told by its class, at its sectors, and fails the drive.
//!
//! The burn-in is killed as it begins to read back, and `--resume` reads what is there then, by the path that a drive is read by. What a
//! class means stands in burnin's README; the same over a simulated drive, and by the ten thousand, in `burnin/tests/faults.rs`.
//!
//! Needs root and loop devices; prints `NOT RUN` and passes without them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process::Child;
use std::time::Duration;

use burnin::Checkpoint;
use burnin::device::Geometry;
use burnin::header::places;
use common::{Loop, caught, code, foreign_data, let_go, object, signal, start, text};
use serde_json::Value;

/// Bytes of the drive.
const SIZE: usize = 64 << 20;

/// Bytes of its sectors.
const SECTOR: usize = 512;

/// Its sectors.
const END: u64 = (SIZE / SECTOR) as u64;

const FORWARD: &str = "[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n";

const BACKWARD: &str = "[[step]]\ndo = \"write\"\norder = \"reverse\"\n[[step]]\ndo = \"verify\"\n";

/// What `thorough` writes and reads back.
const TWICE: &str = "[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n[[step]]\ndo = \"write\"\npattern = \"complement\"\n\
                     order = \"reverse\"\n[[step]]\ndo = \"verify\"\norder = \"reverse\"\n";

/// One fault.
struct Row {
    steps: &'static str,
    /// Whether something stood on the drive before its first write; else zeros did.
    used: bool,
    /// What the drive holds becomes what the faulty one would hold; with what it held when it was read back first or, where that comes,
    /// before all.
    spoil: fn(&mut [u8], &[u8]),
    kind: &'static str,
    /// The sectors that are bad, in stretches: the first, and the one behind the last.
    bad: &'static [(u64, u64)],
    /// For the first of them: whose data stands there.
    found: Option<u64>,
    /// What else is told of the first.
    told: &'static str,
}

fn bytes(lbas: Range<u64>) -> Range<usize> {
    let at = |lba: u64| usize::try_from(lba).unwrap() * SECTOR;
    at(lbas.start)..at(lbas.end)
}

const ROWS: [Row; 10] = [
    Row {
        steps: FORWARD,
        used: false,
        spoil: |now, _| now[bytes(END / 4 * 3..END)].fill(0),
        kind: "truncated",
        bad: &[(END / 4 * 3, END)],
        found: None,
        told: "the drive stores only 50.3 MB",
    },
    Row {
        steps: FORWARD,
        used: false,
        spoil: |now, _| now.copy_within(bytes(END / 2..END), 0),
        kind: "wrap_around",
        bad: &[(0, END / 2)],
        found: Some(END / 2),
        told: "the drive stores only 33.6 MB",
    },
    Row {
        steps: BACKWARD,
        used: false,
        spoil: |now, _| now.copy_within(bytes(0..END / 2), SIZE / 2),
        kind: "wrap_around",
        bad: &[(END / 2, END)],
        found: Some(0),
        told: "the drive stores only 33.6 MB",
    },
    Row {
        steps: FORWARD,
        used: false,
        spoil: |now, _| now.copy_within(bytes(60_000..60_001), bytes(70_003..70_004).start),
        kind: "misdirected",
        bad: &[(70_003, 70_004)],
        found: Some(60_000),
        told: "LBA 60000",
    },
    Row {
        steps: FORWARD,
        used: false,
        spoil: |now, _| {
            let (front, back) = now.split_at_mut(bytes(0..70_003).end);
            front[bytes(60_000..60_001)].swap_with_slice(&mut back[..SECTOR]);
        },
        kind: "misdirected",
        bad: &[(60_000, 60_001), (70_003, 70_004)],
        found: Some(70_003),
        told: "the two are exchanged",
    },
    Row {
        steps: TWICE,
        used: false,
        spoil: |now, then| now[bytes(60_000..60_019)].copy_from_slice(&then[bytes(60_000..60_019)]),
        kind: "stale",
        bad: &[(60_000, 60_019)],
        found: None,
        told: "pass 1",
    },
    Row {
        steps: FORWARD,
        used: false,
        spoil: |now, then| now[bytes(60_000..60_019)].copy_from_slice(&then[bytes(60_000..60_019)]),
        kind: "zeroed",
        bad: &[(60_000, 60_019)],
        found: None,
        told: "zeros",
    },
    Row {
        steps: FORWARD,
        used: true,
        spoil: |now, then| now[bytes(60_000..60_019)].copy_from_slice(&then[bytes(60_000..60_019)]),
        kind: "lost_write",
        bad: &[(60_000, 60_019)],
        found: None,
        told: "nothing that was written in this job",
    },
    Row {
        steps: FORWARD,
        used: false,
        spoil: |now, _| now[bytes(60_000..60_001).start + 77] ^= 4,
        kind: "bit_flip",
        bad: &[(60_000, 60_001)],
        found: None,
        told: "1 bit of 4096",
    },
    Row {
        steps: TWICE,
        used: true,
        spoil: |now, _| now[bytes(60_000..60_001).start + 77] ^= 4,
        kind: "bit_flip",
        bad: &[(60_000, 60_001)],
        found: None,
        told: "1 bit of 4096",
    },
];

#[test]
fn what_a_drive_loses_moves_or_never_stores_is_told_by_its_class_at_its_sectors() {
    let geometry = Geometry {
        sectors: END,
        sector: 512,
        physical: 512,
    };
    let headers: Vec<Range<u64>> = places(geometry).into_iter().map(|(at, long)| at..at + long).collect();
    for row in ROWS {
        let Some(told) = told(&row) else { return };
        let name = format!("{} {:?}: {told}", row.kind, row.bad);
        let findings = told["findings"].as_array().unwrap();
        let of = |name: &'static str| findings.iter().map(move |finding| &finding[name]);
        assert!(of("kind").all(|kind| kind == row.kind), "{name}");
        let bad: BTreeSet<u64> = findings
            .iter()
            .flat_map(|finding| {
                let first = finding["lba"].as_u64().unwrap();
                first..first + finding["sectors"].as_u64().unwrap()
            })
            .collect();
        // The headers' places are written once more at the end, which this drive bears by then.
        let headers: BTreeSet<u64> = headers.iter().cloned().flatten().collect();
        let due: BTreeSet<u64> = row.bad.iter().flat_map(|(from, to)| *from..*to).collect();
        let differ: Vec<&u64> = bad
            .symmetric_difference(&due)
            .filter(|lba| !headers.contains(lba))
            .collect();
        assert!(
            differ.is_empty(),
            "{} are bad, {} are due; {name}",
            bad.len(),
            due.len()
        );
        let first = findings.iter().find(|finding| finding["lba"] == row.bad[0].0).unwrap();
        assert_eq!(first["found"].as_u64(), row.found, "{name}");
        assert!(first["detail"].as_str().unwrap().contains(row.told), "{name}");
        assert_eq!(told["verdict"]["outcome"], "FAILED", "{name}");
    }
}

/// What such a drive is told to be; `None` where there is no loop device.
fn told(row: &Row) -> Option<Value> {
    let rounds = row.steps.matches("verify").count();
    caught(|| {
        let Some(drive) = Loop::new(SIZE as u64) else {
            return Some(None);
        };
        let mut then = match row.used {
            true => foreign_data(SIZE as u64),
            false => vec![0; SIZE],
        };
        fs::write(drive.file(), &then).unwrap();
        let book = drive.state().with_file_name("mine.toml");
        fs::write(&book, format!("name = \"mine\"\nabout = \"x\"\n{}", row.steps)).unwrap();
        let line = ["--playbook", book.to_str().unwrap()];
        for round in 0..rounds {
            killed_before_it_reads(&drive, &line, round)?;
            if round + 1 < rounds {
                then = fs::read(drive.file()).unwrap();
            }
        }
        let mut now = fs::read(drive.file()).unwrap();
        (row.spoil)(&mut now, &then);
        let file = fs::File::options().write(true).open(drive.file()).unwrap();
        file.write_all_at(&now, 0).unwrap();
        file.sync_all().unwrap();
        let output = drive.burn(&[&line[..], &["--resume"]].concat());
        assert_eq!(code(&output), 2, "{} {:?}: {}", row.kind, row.bad, text(&output));
        Some(Some(object(&output)))
    })
}

/// Burns it in, or goes on, up to a kill once all was written in this round and nothing of it read back yet; `None` where it came further.
fn killed_before_it_reads(drive: &Loop, line: &[&str], round: usize) -> Option<()> {
    let resume: &[&str] = if round == 0 { &[] } else { &["--resume"] };
    let mut child = start(drive, &[line, resume].concat());
    until_each(&mut child, &["Write", "Read back and verify"]);
    let reads = u16::try_from(2 * round + 1).unwrap();
    let begins = || checkpoint(drive).is_some_and(|at| (at.step, at.frontier) == (reads, 0));
    while !begins() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(&child, libc::SIGKILL);
    child.wait().unwrap();
    let_go(drive);
    begins().then_some(())
}

/// What is kept to go on from; not what is only about to take its place.
fn checkpoint(drive: &Loop) -> Option<Checkpoint> {
    let mut files = fs::read_dir(drive.state()).ok()?.flatten().map(|file| file.path());
    let kept = files.find(|path| path.extension().is_some_and(|kind| kind == "json"))?;
    let kept: Value = serde_json::from_slice(&fs::read(kept).ok()?).ok()?;
    Checkpoint::decode(kept["checkpoint"].as_str()?).ok()
}

/// Waits for the beginning of each of these phases, one behind the other.
fn until_each(child: &mut Child, phases: &[&str]) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for phase in phases {
        let begins = |line: &String| line.ends_with(&format!(": {phase}"));
        let met = lines.find(|line| line.as_ref().is_ok_and(begins));
        assert!(met.is_some(), "it ended before {phase:?}");
    }
    // What follows is read away, so that the child never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
}

//! The same burn-in over `io_uring` and over pread/pwrite, on a real file: same bytes, same findings.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::unchecked_time_subtraction,
    reason = "tests"
)]

#[macro_use]
#[path = "common/through.rs"]
mod through;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use burnin::device::{self, Access, Device, Done, Geometry, Op};
use burnin::evidence::{Evidence, Stop};
use burnin::pattern::{JobKey, Pattern};
use burnin::playbook::plain;
use burnin::runner::{self, Session};
use burnin::sim::{Content, Plan, Sim};
use burnin::worker::{Backend, Io, Limits, Order};
use wire::job::{FaultKind, Phase, PhaseStatus};

/// Not a multiple of the block, so that the last access is short.
const BYTES: u64 = (5 << 20) + 12 * 512;

fn order(phases: &[Phase], io: Io) -> Order {
    Order {
        key: JobKey(*b"backends are one"),
        geometry: Geometry {
            sectors: BYTES / 512,
            sector: 512,
            physical: 512,
        },
        steps: plain(phases),
        header: None,
        limits: Limits::default(),
        io,
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    }
}

fn burn(file: &File, phases: &[Phase], io: Io) -> (Evidence, String) {
    let (mut device, way) = device::open(file.try_clone().unwrap(), io).unwrap();
    let evidence = runner::run(device.as_mut(), &order(phases, io), &way, &mut || None, &mut |_| {}).unwrap();
    (evidence, way)
}

fn drive() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(BYTES).unwrap();
    file
}

#[test]
fn both_ways_write_the_same_bytes_and_find_the_same_faults() {
    let mut content = Vec::new();
    let mut found = Vec::new();
    for (backend, block, depth) in [
        (Backend::Uring, 256 << 10, 8),
        (Backend::Sync, 1 << 20, 2),
        (Backend::Uring, 4096, 3),
        (Backend::Sync, 64 << 10, 1),
    ] {
        let io = Io { backend, block, depth };
        let mut file = drive();
        let (evidence, way) = burn(&file, &[Phase::Probe, Phase::Write, Phase::Verify], io);
        println!("{way}");
        assert!(
            evidence.defects.is_empty() && evidence.stopped.is_none(),
            "{way}: {evidence:?}"
        );
        assert!(evidence.phases.iter().all(|p| p.status == PhaseStatus::Done), "{way}");
        assert_eq!(evidence.verified().0, BYTES);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        content.push(bytes.clone());

        file.write_all_at(&[bytes[512 * 4000 + 9] ^ 0x10], 512 * 4000 + 9)
            .unwrap();
        file.write_all_at(&bytes[512 * 70..512 * 71], 512 * 71).unwrap();
        file.write_all_at(&[0; 512 * 12], BYTES - 512 * 12).unwrap();
        let (evidence, _) = burn(&file, &[Phase::Verify], io);
        let told: Vec<_> = evidence
            .findings()
            .into_iter()
            .map(|f| (f.kind, f.lba.unwrap().0, f.sectors, f.found))
            .collect();
        found.push(told);
    }
    assert!(content.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    assert_eq!(
        found[0]
            .iter()
            .map(|(kind, lba, sectors, _)| (*kind, *lba, *sectors))
            .collect::<Vec<_>>(),
        [
            (FaultKind::Misdirected, 71, 1),
            (FaultKind::BitFlip, 4000, 1),
            (FaultKind::Zeroed, BYTES / 512 - 12, 12)
        ]
    );
    assert_eq!(found[0][0].3.unwrap().0, 70);

    let pattern = Pattern::new(JobKey(*b"backends are one"));
    let mut want = vec![0; BYTES as usize / 8];
    pattern.fill(&mut want, 0, 1);
    let want: Vec<u8> = want.iter().flat_map(|w| w.to_ne_bytes()).collect();
    assert!(content[0] == want);
}

/// Its last bytes are no sector: they are neither tested nor touched, and no other capacity.
#[test]
fn a_file_that_ends_within_a_sector_is_tested_up_to_there() {
    for backend in [Backend::Uring, Backend::Sync] {
        let io = Io {
            backend,
            block: 64 << 10,
            depth: 2,
        };
        let file = drive();
        file.set_len(BYTES + 511).unwrap();
        file.write_all_at(&[7; 511], BYTES).unwrap();
        assert_eq!(device::geometry(&file).unwrap().sectors, BYTES / 512);
        let (evidence, way) = burn(&file, &[Phase::Probe, Phase::Write, Phase::Verify], io);
        assert_eq!(evidence.stopped, None, "{way}: {evidence:?}");
        assert!(evidence.defects.is_empty(), "{way}: {evidence:?}");
        assert_eq!(evidence.verified().0, BYTES, "{way}");
        let mut rest = [0; 511];
        file.read_exact_at(&mut rest, BYTES).unwrap();
        assert_eq!(rest, [7; 511], "{way}");
    }
}

#[test]
fn a_drive_that_shrinks_is_told_as_another_capacity() {
    for backend in [Backend::Uring, Backend::Sync] {
        let io = Io {
            backend,
            ..Io::default()
        };
        let file = drive();
        burn(&file, &[Phase::Write], io);
        file.set_len(BYTES / 2).unwrap();
        let (evidence, _) = burn(&file, &[Phase::Verify], io);
        let stopped = format!("{:?}", evidence.stopped);
        assert!(stopped.contains("Resized"), "{stopped}");
        assert!(evidence.defects.is_empty(), "{evidence:?}");
        file.set_len(0).unwrap();
        let (evidence, _) = burn(&file, &[Phase::Verify], io);
        assert_eq!(format!("{:?}", evidence.stopped), "Some(Disconnected)");
    }
}

#[test]
fn sizes_that_do_not_fit_the_buffers_are_refused() {
    let mut file = drive();
    file.write_all(b"x").unwrap();
    let io = Io {
        block: 1 << 20,
        depth: 4,
        ..Io::default()
    };
    let told = device::open(file, io).unwrap_err().to_string();
    assert!(told.contains("at most 2097152"), "{told}");
}

#[test]
fn both_ways_trim_and_look_at_what_is_left() {
    let phases = [
        Phase::Write,
        Phase::Verify,
        Phase::Trim,
        Phase::TrimCheck,
        Phase::Write,
        Phase::Verify,
    ];
    for backend in [Backend::Uring, Backend::Sync] {
        let io = Io {
            backend,
            block: 256 << 10,
            depth: 2,
        };
        let (evidence, way) = burn(&drive(), &phases, io);
        assert!(
            evidence.defects.is_empty() && evidence.stopped.is_none(),
            "{way}: {evidence:?}"
        );
        if let Some(why) = &evidence.phases[2].unsupported {
            rig::not_run(&format!("the temporary directory's file system has no holes: {why}"));
            continue;
        }
        for record in &evidence.phases {
            let seen = (record.status, record.kept);
            assert_eq!(
                seen,
                (PhaseStatus::Done, 0),
                "{way}: step {} {:?}",
                record.step,
                record.phase
            );
        }
    }
}

#[test]
fn another_capacity_is_seen_though_no_access_fails() {
    // 21 accesses and a flush, then 21 accesses: the last time one alone is left.
    for (backend, at) in [
        (Backend::Uring, 2),
        (Backend::Sync, 2),
        (Backend::Uring, 8),
        (Backend::Uring, 42),
    ] {
        let io = Io {
            backend,
            block: 256 << 10,
            depth: 4,
        };
        let file = drive();
        let (mut device, way) = device::open(file.try_clone().unwrap(), io).unwrap();
        let mut session = Session::new(device.as_ref(), &order(&[Phase::Write, Phase::Verify], io), &way).unwrap();
        let mut turns = 0;
        while !session.is_over() {
            session.step(device.as_mut());
            turns += 1;
            if turns == at {
                file.set_len(BYTES * 2).unwrap();
            }
        }
        let stopped = &session.evidence().stopped;
        assert!(
            matches!(stopped, Some(Stop::Resized { bytes }) if bytes.0 == BYTES * 2),
            "{way}: {stopped:?}"
        );
    }
}

/// A drive in whose place another one comes right after it was asked for its size, without a word.
#[derive(Debug)]
struct Exchanged {
    drive: Sim,
    /// How many times slower than the simulated one it is.
    slower: f64,
    /// Answers that are still the first drive's.
    answers: u32,
    /// When the other came, and the bytes that were sent to it since.
    since: Option<(Duration, u64)>,
}

impl Device for Exchanged {
    fn now(&self) -> Duration {
        self.drive.now().mul_f64(self.slower)
    }

    through!(drive);

    fn submit(&mut self, access: Access) -> std::io::Result<()> {
        if let (Op::Write, Some((_, bytes))) = (access.op, &mut self.since) {
            *bytes += access.sectors * 512;
        }
        self.drive.submit(access)
    }

    fn wait(&mut self, at_most: Duration) -> std::io::Result<Option<Done>> {
        self.drive.wait(at_most.div_f64(self.slower))
    }

    fn size(&mut self) -> u64 {
        if self.since.is_some() {
            return self.drive.size() * 2;
        }
        if self.answers == 0 {
            self.since = Some((self.now(), 0));
        }
        self.answers = self.answers.saturating_sub(1);
        self.drive.size()
    }
}

/// What another drive of another size takes at most before that is seen: 8 MiB, 100 ms, and what is under way.
#[test]
fn a_drive_exchanged_between_two_questions_takes_eight_mib_at_most() {
    let geometry = Geometry {
        sectors: (48 << 20) / 512,
        sector: 512,
        physical: 512,
    };
    let io = Io {
        backend: Backend::Sync,
        block: 256 << 10,
        depth: 4,
    };
    for (slower, answers) in [(1.0, 0), (1.0, 2), (0.02, 0), (0.02, 3), (20.0, 0), (20.0, 5)] {
        let drive = Sim::new(
            geometry,
            Plan::healthy(Content::Zeros),
            io.depth as usize,
            io.block as usize,
            1,
        );
        let mut device = Exchanged {
            drive,
            slower,
            answers,
            since: None,
        };
        let order = Order {
            geometry,
            ..order(&[Phase::Write, Phase::Verify], io)
        };
        let evidence = runner::run(&mut device, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert!(
            matches!(evidence.stopped, Some(Stop::Resized { .. })),
            "{:?}",
            evidence.stopped
        );
        let (came, bytes) = device.since.unwrap();
        let under_way = u64::from(io.block) * u64::from(io.depth);
        let told = format!(
            "{slower} times slower, after {answers} answers: {bytes} bytes in {:?}",
            device.now() - came
        );
        assert!(bytes > 0 && bytes <= (8 << 20) + under_way, "{told}");
        assert!(device.now() - came <= Duration::from_millis(200), "{told}");
        println!("{told}");
    }
}

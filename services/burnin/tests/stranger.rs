//! An interrupted job goes on only with a drive that holds what it wrote.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use burnin::device::{Access, Device, Geometry, Op};
use burnin::evidence::{Evidence, Stop};
use burnin::header::Note;
use burnin::pattern::JobKey;
use burnin::playbook::{Fill, Step, plain};
use burnin::runner::{self, Ask};
use burnin::sim::{Content, Fault, Origin, Plan, Sim, Trim};
use burnin::worker::{Io, Limits, Order, Report, Resumption};
use burnin::{Fingerprint, Front, Look, Proof, Proves, Shown, Still, Unread};
use wire::job::Phase;
use wire::options::PlanOptions;
use wire::{DriveId, Time};

const GEOMETRY: Geometry = Geometry {
    sectors: 3_000,
    sector: 512,
    physical: 4096,
};
/// With room for headers, and for what lies between them.
const WIDE: Geometry = Geometry {
    sectors: 40_000,
    ..GEOMETRY
};
const ALL: &[Phase] = &[Phase::Probe, Phase::Write, Phase::Verify];

fn order(phases: &[Phase]) -> Order {
    Order {
        key: JobKey([7; 16]),
        geometry: GEOMETRY,
        steps: plain(phases),
        header: None,
        limits: Limits {
            checkpoint_bytes: 40 << 10,
            rewind_bytes: 64 << 10,
            ..Limits::default()
        },
        io: Io {
            block: 8 << 10,
            ..Io::default()
        },
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    }
}

/// What the order's job asks of a drive; `true`: after its end.
fn prover(order: &Order) -> impl Fn(bool) -> Proof + use<> {
    let (key, geometry, steps) = (order.key, order.geometry, order.steps.clone());
    move |ended| Proof {
        key,
        geometry,
        steps: steps.clone(),
        ended,
    }
}

fn drive(plan: Plan) -> Sim {
    Sim::new(GEOMETRY, plan, 2, 8 << 10, 1)
}

fn run(sim: &mut Sim, order: &Order) -> (Evidence, Vec<String>) {
    let mut checkpoints = Vec::new();
    let evidence = runner::run(sim, order, "simulated", &mut || None, &mut |report| {
        if let Report::Checkpoint { text, .. } = report {
            checkpoints.push(text);
        }
    });
    (evidence.unwrap(), checkpoints)
}

fn going_on(order: &Order, checkpoint: &str) -> Order {
    let resume = Resumption {
        checkpoint: checkpoint.to_owned(),
        why: "power cut".to_owned(),
        at: Time::UNIX_EPOCH,
    };
    Order {
        resume: Some(resume),
        ..order.clone()
    }
}

/// Checkpoints before which something was flushed.
fn provable(text: &str) -> bool {
    let at = burnin::Checkpoint::decode(text).unwrap();
    let phase = at.steps[usize::from(at.step)].phase;
    phase == Phase::Verify || phase == Phase::Write && (at.frontier > 0 || at.step > 0)
}

#[test]
fn another_drive_of_the_same_name_and_size_is_not_written_to() {
    for phases in [ALL, &ALL[1..]] {
        let order = order(phases);
        let (evidence, checkpoints) = run(&mut drive(Plan::healthy(Content::Random)), &order);
        assert_eq!(evidence.stopped, None);
        let mut tried = 0;
        for text in checkpoints.iter().filter(|text| provable(text)) {
            for content in [Content::Zeros, Content::Ones, Content::Random] {
                let mut other = drive(Plan::healthy(content));
                let (evidence, _) = run(&mut other, &going_on(&order, text));
                assert!(
                    matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("another drive")),
                    "{evidence:#?}"
                );
                assert!(
                    (0..GEOMETRY.sectors).all(|lba| other.truth().origin(lba) == Origin::Before),
                    "it was written to"
                );
                tried += 1;
            }
        }
        assert!(tried > 30, "{tried}");
    }
}

/// An event, the verdict and the certificate count what the job went on after.
#[test]
fn a_job_that_does_not_go_on_tells_nobody_that_it_does() {
    let order = order(ALL);
    let mut own = drive(Plan::healthy(Content::Random));
    let (_, checkpoints) = run(&mut own, &order);
    let text = checkpoints.iter().rfind(|text| provable(text)).unwrap();
    let before = burnin::Checkpoint::decode(text).unwrap().evidence.resumes.len();
    let began = |sim: &mut Sim| {
        let mut began = 0;
        let evidence = runner::run(sim, &going_on(&order, text), "simulated", &mut || None, &mut |report| {
            began += usize::from(matches!(report, Report::Started { .. }));
        });
        (began, evidence.unwrap().resumes.len() - before)
    };
    assert_eq!(began(&mut own), (1, 1));
    assert_eq!(began(&mut drive(Plan::healthy(Content::Zeros))), (0, 0));
}

/// Its checkpoint remembered an interruption that the job had never gone on after, and the certificate counted both.
#[test]
fn a_job_that_ends_before_its_turn_has_gone_on_after_nothing() {
    let order = order(ALL);
    let mut own = drive(Plan::healthy(Content::Random));
    let (_, checkpoints) = run(&mut own, &order);
    let text = checkpoints.iter().rfind(|text| provable(text)).unwrap();
    let waiting = Order {
        pace: Some(0),
        ..going_on(&order, text)
    };
    let resumes = |text: &str| burnin::Checkpoint::decode(text).unwrap().evidence.resumes.len();
    let mut counted = Vec::new();
    let mut polls = 0;
    let mut stop = || {
        polls += 1;
        (polls == 8).then(|| Ask::Stop("cut".to_owned()))
    };
    let evidence = runner::run_asked(&mut own, &waiting, "simulated", &mut stop, &mut |report| {
        assert!(!matches!(report, Report::Started { .. }), "it was told to go on");
        if let Report::Checkpoint { text, .. } = report {
            counted.push(resumes(&text));
        }
    });
    counted.push(evidence.unwrap().resumes.len());
    assert!(counted.iter().all(|count| *count == resumes(text)), "{counted:?}");
    // Its turn comes: told first, then remembered.
    let (mut began, mut kept) = (0, Vec::new());
    let _ = runner::run(
        &mut own,
        &going_on(&order, text),
        "simulated",
        &mut || None,
        &mut |report| {
            began += usize::from(matches!(report, Report::Started { .. }));
            if let Report::Checkpoint { text, .. } = report {
                kept.push((began, resumes(&text)));
            }
        },
    );
    assert_eq!(kept.first(), Some(&(1, resumes(text) + 1)));
}

/// A place of the headers may lie where a dying drive tries for minutes, or for ever; the others tell whose it is.
#[test]
fn a_slow_place_of_the_headers_ends_no_job_and_one_that_hangs_does_with_its_reason() {
    let order = Order {
        header: Some(note()),
        ..order(ALL)
    };
    let mut own = drive(Plan::healthy(Content::Random));
    let (_, checkpoints) = run(&mut own, &order);
    let text = checkpoints.iter().find(|text| provable(text)).unwrap();
    let (lba, _) = burnin::header::places(GEOMETRY)[1];
    own.ages(Fault::Slow { lba, millis: 90_000 });
    let (evidence, _) = run(&mut own, &going_on(&order, text));
    assert_eq!(evidence.stopped, None, "{:?}", evidence.incidents);
    own.ages(Fault::Hang { lba });
    let (evidence, _) = run(&mut own, &going_on(&order, text));
    assert!(
        matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("not come back")),
        "{:?}",
        evidence.stopped
    );
}

/// Probe and samples leave gaps, and erase nevertheless: such a job keeps headers, too.
#[test]
fn a_job_without_a_write_knows_its_drive_from_its_first_checkpoint_on() {
    for phases in [&[Phase::Probe, Phase::Sample][..], &[Phase::Sample], &[Phase::Probe]] {
        let order = Order {
            header: Some(note()),
            ..order(phases)
        };
        let mut own = drive(Plan::healthy(Content::Random));
        let (evidence, checkpoints) = run(&mut own, &order);
        assert!(evidence.stopped.is_none() && evidence.defects.is_empty());
        assert!(!checkpoints.is_empty());
        // The first one, and some of the later ones.
        for text in checkpoints.iter().step_by(checkpoints.len() / 6 + 1) {
            let mut other = drive(Plan::healthy(Content::Random));
            let (evidence, _) = run(&mut other, &going_on(&order, text));
            assert!(matches!(evidence.stopped, Some(Stop::Engine { .. })), "{evidence:#?}");
            let untouched = |lba| other.truth().origin(lba) == Origin::Before;
            assert!((0..GEOMETRY.sectors).all(untouched), "it was written to");
            let (evidence, _) = run(&mut own, &going_on(&order, text));
            assert_eq!(evidence.stopped, None);
            assert!(evidence.defects.is_empty());
        }
    }
}

/// Nothing on the drive can prove a job that keeps no header and has only begun: it begins anew.
#[test]
fn a_job_that_nothing_proves_is_not_gone_on_with() {
    let order = order(&[Phase::Probe, Phase::Sample]);
    let (_, checkpoints) = run(&mut drive(Plan::healthy(Content::Random)), &order);
    for text in &checkpoints {
        let mut other = drive(Plan::healthy(Content::Random));
        let (evidence, _) = run(&mut other, &going_on(&order, text));
        assert!(
            matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("begin it anew")),
            "{evidence:#?}"
        );
        let untouched = |lba| other.truth().origin(lba) == Origin::Before;
        assert!((0..GEOMETRY.sectors).all(untouched), "it was written to");
    }
}

fn note() -> Note {
    Note {
        job: "job".to_owned(),
        drive: DriveId::from_serial("M", "S1", 20_480_000).unwrap(),
        playbook: "mine".to_owned(),
        options: PlanOptions::default(),
        started: Time::UNIX_EPOCH,
        baseline: None,
        front: None,
    }
}

/// A worker may run to its very end, where the headers give way to the pattern, while nobody hears it.
#[test]
fn its_own_drive_is_gone_on_with_from_any_checkpoint_when_the_end_was_not_heard() {
    let geometry = WIDE;
    let order = Order {
        geometry,
        header: Some(note()),
        limits: Limits {
            checkpoint_bytes: 1 << 20,
            ..order(ALL).limits
        },
        ..order(&ALL[1..])
    };
    let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let (whole, checkpoints) = run(&mut own, &order);
    assert!(whole.stopped.is_none() && whole.defects.is_empty());
    assert!(checkpoints.len() > 5, "{}", checkpoints.len());
    for text in &checkpoints {
        let (evidence, _) = run(&mut own, &going_on(&order, text));
        assert_eq!(evidence.stopped, None);
        assert_eq!(evidence.defects, whole.defects);
    }
}

#[test]
fn its_own_drive_is_gone_on_with_also_when_it_is_bad() {
    for faults in [
        vec![],
        vec![Fault::Flip { lba: 0, bit: 9 }],
        vec![Fault::DropWrite { lba: 0 }],
    ] {
        for phases in [ALL, &ALL[1..]] {
            let order = order(phases);
            let mut own = drive(Plan {
                faults: faults.clone(),
                ..Plan::healthy(Content::Random)
            });
            let (whole, checkpoints) = run(&mut own, &order);
            let last = checkpoints.iter().rfind(|text| provable(text)).unwrap();
            let (evidence, _) = run(&mut own, &going_on(&order, last));
            assert_eq!(evidence.stopped, whole.stopped);
            assert_eq!(evidence.defects, whole.defects, "{faults:?}");
        }
    }
}

fn zeros() -> Vec<Step> {
    let mut steps = plain(&[Phase::Probe, Phase::Write, Phase::Verify]);
    for step in &mut steps[1..] {
        step.fill = Fill::Zeros;
    }
    steps
}

/// What another job left: its own pattern over the whole drive, with a sector of zeros here and there.
fn somebody_elses(geometry: Geometry) -> Sim {
    let mut other = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let theirs = Order {
        geometry,
        key: JobKey([9; 16]),
        ..order(&[Phase::Write])
    };
    run(&mut other, &theirs);
    for n in (0..16).step_by(4) {
        other.buffer(0)[..64].fill(0);
        let access = Access {
            slot: 0,
            op: Op::Write,
            lba: n * (geometry.sectors / 16),
            sectors: 1,
        };
        other.submit(access).unwrap();
        while other.wait(Duration::from_secs(1)).unwrap().is_none() {}
    }
    other
}

/// Nearly every drive holds a sector of zeros somewhere; at the end of a job of zeros that proves nothing.
#[test]
fn a_sector_of_the_constant_does_not_make_another_drive_the_jobs() {
    let geometry = WIDE;
    let order = Order {
        geometry,
        header: Some(note()),
        steps: zeros(),
        ..order(ALL)
    };
    let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let (whole, checkpoints) = run(&mut own, &order);
    assert!(whole.stopped.is_none() && whole.defects.is_empty());
    let last = checkpoints.last().unwrap();
    let at = burnin::Checkpoint::decode(last).unwrap();
    assert_eq!(
        (at.step, at.frontier),
        (2, geometry.sectors),
        "the headers have given way"
    );
    let mut other = somebody_elses(geometry);
    let (evidence, _) = run(&mut other, &going_on(&order, last));
    assert!(
        matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("another drive")),
        "{evidence:#?}"
    );
    let (evidence, _) = run(&mut own, &going_on(&order, last));
    assert_eq!(evidence.stopped, None, "its own");
}

/// A power cut may come between any two of the headers' places giving way.
#[test]
fn its_own_drive_is_gone_on_with_whichever_headers_have_given_way_to_a_constant() {
    let geometry = WIDE;
    for trims in [false, true] {
        let mut steps = zeros();
        steps.extend(trims.then(|| Phase::Trim.into()));
        gives_way(geometry, steps);
    }
}

fn gives_way(geometry: Geometry, steps: Vec<Step>) {
    let order = Order {
        geometry,
        header: Some(note()),
        steps,
        ..order(ALL)
    };
    let new = || Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let mut own = new();
    let (whole, checkpoints) = run(&mut own, &order);
    assert!(whole.stopped.is_none() && whole.defects.is_empty());
    let last = checkpoints.last().unwrap();
    // The same job, stopped while its headers stand.
    let (mut before, stop) = (new(), std::cell::Cell::new(false));
    let told = runner::run(
        &mut before,
        &order,
        "simulated",
        &mut || stop.get().then(|| "a signal".to_owned()),
        &mut |report| {
            let verifies = matches!(
                report,
                Report::PhaseStarted {
                    phase: Phase::Verify,
                    ..
                }
            );
            stop.set(stop.get() || verifies);
        },
    );
    assert!(matches!(told.unwrap().stopped, Some(Stop::Asked { .. })));
    let places = burnin::header::places(geometry);
    let each = u64::try_from(own.block()).unwrap() / 512;
    for standing in 0..1_u32 << places.len() {
        for (n, (lba, long)) in places.iter().enumerate() {
            for lba in (*lba..lba + long).step_by(usize::try_from(each).unwrap()) {
                let mut data = vec![0; own.block() / 8];
                if standing >> n & 1 == 1 {
                    access(&mut before, Op::Read, (lba, each));
                    data.copy_from_slice(before.buffer(0));
                }
                own.buffer(0).copy_from_slice(&data);
                access(&mut own, Op::Write, (lba, each));
            }
        }
        let (evidence, _) = run(&mut own, &going_on(&order, last));
        assert_eq!(evidence.stopped, None, "headers that stand: {standing:04b}");
        assert_eq!(evidence.defects, whole.defects);
    }
}

/// What a playbook writes that leaves flash trimmed, how its drive takes that, and an interruption behind the closing writes.
fn trimmed_at_the_end(then: &[Phase], trim: Trim) -> (Order, Sim, String) {
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Trim]);
    steps.extend(plain(then));
    let order = Order {
        geometry: WIDE,
        header: Some(note()),
        steps,
        ..order(ALL)
    };
    let plan = Plan {
        trim,
        ..Plan::healthy(Content::Random)
    };
    let mut own = Sim::new(WIDE, plan, 2, 8 << 10, 1);
    let (whole, checkpoints) = run(&mut own, &order);
    assert_eq!(whole.stopped, None);
    (order, own, checkpoints.last().unwrap().clone())
}

/// Its headers have given way to the pattern, and its ends are blank, though nobody has formatted it: SMART and self-tests take hours.
#[test]
fn its_own_drive_that_a_trim_left_blank_is_gone_on_with() {
    for then in [&[Phase::TrimCheck][..], &[], &[Phase::Seek]] {
        for trim in [Trim::Zeros, Trim::Ignored, Trim::Refused] {
            let (order, mut own, last) = trimmed_at_the_end(then, trim);
            let (evidence, _) = run(&mut own, &going_on(&order, &last));
            assert_eq!(evidence.stopped, None, "{then:?} {trim:?}");
            assert!(evidence.defects.is_empty());
        }
    }
}

/// Behind a trim a format may come, and it spares nothing. Many file systems leave a first sector of zeros.
#[test]
fn a_trimmed_drive_that_somebody_uses_since_is_not_gone_on_with() {
    let (end, sixteenth) = (WIDE.sectors, WIDE.sectors / 16);
    let places = burnin::header::places(WIDE).into_iter().map(|(lba, _)| lba + 2);
    for lba in places.chain([0, 2, 128, end - 1, end - 128, sixteenth * 5]) {
        let (order, mut used, last) = trimmed_at_the_end(&[Phase::TrimCheck], Trim::Zeros);
        used.buffer(0)[..64].fill(0);
        used.buffer(0)[7] = 0xEF53;
        access(&mut used, Op::Write, (lba, 1));
        let before: Vec<Origin> = (0..end).map(|lba| used.truth().origin(lba)).collect();
        let (evidence, _) = run(&mut used, &going_on(&order, &last));
        assert!(
            matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("written to since")),
            "{lba}: {:?}",
            evidence.stopped
        );
        let mut same = (0..).zip(&before);
        assert!(
            same.all(|(lba, origin)| used.truth().origin(lba) == *origin),
            "{lba}: it was written to"
        );
    }
}

fn access(drive: &mut Sim, op: Op, (lba, sectors): (u64, u64)) {
    let access = Access {
        slot: 0,
        op,
        lba,
        sectors,
    };
    drive.submit(access).unwrap();
    while drive.wait(Duration::from_secs(1)).unwrap().is_none() {}
}

/// What a job of zeros asks at its end, and a blank drive with room for headers.
fn over_zeros() -> (Proof, Sim) {
    let geometry = WIDE;
    let proof = Proof {
        key: JobKey([7; 16]),
        geometry,
        steps: zeros(),
        ended: true,
    };
    let drive = Sim::new(geometry, Plan::healthy(Content::Zeros), 2, 8 << 10, 1);
    (proof, drive)
}

/// Most sectors of a drive that is not full are zeros; a file system's superblock lies near its beginning.
#[test]
fn a_nearly_empty_file_system_is_not_what_a_job_of_zeros_left() {
    let (proof, mut drive) = over_zeros();
    assert_eq!(
        proof.look(&mut drive).shown,
        Shown::Ours,
        "nothing tells it from the job's"
    );
    for lba in [2, proof.geometry.sectors - 1] {
        let (_, mut other) = over_zeros();
        other.buffer(0)[..64].fill(0);
        other.buffer(0)[7] = 0xEF53;
        access(&mut other, Op::Write, (lba, 1));
        assert_eq!(proof.look(&mut other).shown, Shown::Not, "{lba}");
    }
}

/// Hours behind the last read of a sweep: what the drive cannot give any more is told.
#[test]
fn what_fails_when_all_was_done_is_not_dropped() {
    let geometry = WIDE;
    let order = Order {
        geometry,
        header: Some(note()),
        ..order(ALL)
    };
    let lba = geometry.sectors / 16 * 5;
    let burnt_in = || {
        let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        assert_eq!(run(&mut own, &order).0.stopped, None);
        own
    };
    let looked = |fault: Fault| {
        let mut own = burnt_in();
        own.ages(fault);
        prover(&order)(true).look(&mut own)
    };
    let dead = looked(Fault::Stuck {
        from: 0,
        millis: 10,
        errno: libc::EIO,
    });
    assert!(dead.shown == Shown::Unknown && dead.is_blind(), "{dead:?}");
    let lasting = looked(Fault::ReadError { lba });
    let unread = |once| Unread {
        lba,
        sectors: 1,
        errno: Some(libc::EIO),
        once,
    };
    assert_eq!(
        (lasting.shown, lasting.unread.as_slice()),
        (Shown::Ours, &[unread(false)][..])
    );
    let passing = looked(Fault::ReadErrorOnce { lba });
    assert_eq!(
        (passing.is_blind(), passing.unread.as_slice()),
        (false, &[unread(true)][..])
    );
    let at_header = burnin::header::places(geometry)[1].0;
    for lba in [lba, at_header] {
        let hung = looked(Fault::Hang { lba });
        assert!(hung.is_blind(), "{hung:?}");
    }
    // What rotted in part, or holds another sector's data, is lost as well as what is overwritten.
    let bit: fn(&mut [u64]) = |data| data[9] ^= 1 << 17;
    let half: fn(&mut [u64]) = |data| data[..32].fill(0);
    let all: fn(&mut [u64]) = |data| data[..64].fill(7);
    for spoil in [bit, half, all] {
        let mut own = burnt_in();
        one_sector(&mut own, Op::Read, lba);
        assert_eq!(prover(&order)(true).look(&mut own).differs, None);
        one_sector(&mut own, Op::Read, lba);
        spoil(own.buffer(0));
        one_sector(&mut own, Op::Write, lba);
        assert_eq!(prover(&order)(true).look(&mut own).differs, Some(lba));
    }
    let mut own = burnt_in();
    one_sector(&mut own, Op::Read, lba + 1);
    one_sector(&mut own, Op::Write, lba);
    assert_eq!(prover(&order)(true).look(&mut own).differs, Some(lba));
    // The formatter of a session that was cut off may have been there.
    mark(&mut own, order.key);
    assert_eq!(prover(&order)(true).look(&mut own).differs, None);
    // Of a drive that is only read, too.
    let then = Fingerprint::of(&mut somebody_elses(geometry), geometry);
    let mut same = somebody_elses(geometry);
    let look = Look::of_read(&mut same, geometry, then.as_ref());
    assert_eq!((look.shown, look.is_blind()), (Shown::Ours, false));
    same.ages(Fault::ReadError { lba: 0 });
    let look = Look::of_read(&mut same, geometry, then.as_ref());
    assert_eq!((look.shown, look.is_blind()), (Shown::Ours, true));
}

/// Asked before a job goes on with a descriptor that it has, and before its drive is formatted.
#[test]
fn a_drive_shows_its_job_at_any_time_and_another_one_does_not() {
    let geometry = WIDE;
    let mut twice = plain(&[Phase::Write, Phase::Verify, Phase::Write, Phase::Verify]);
    for step in &mut twice[2..] {
        (step.fill, step.pass) = (Fill::Complement, 2);
    }
    for steps in [plain(ALL), plain(&[Phase::Probe, Phase::Sample]), zeros(), twice] {
        let order = Order {
            geometry,
            header: Some(note()),
            steps: steps.clone(),
            ..order(ALL)
        };
        let proof = prover(&order);
        let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        let mut turns = 0;
        let mut soon = || {
            turns += 1;
            (turns > 40).then(|| "in the middle".to_owned())
        };
        let cut = runner::run(&mut own, &order, "simulated", &mut soon, &mut |_| {}).unwrap();
        assert!(matches!(cut.stopped, Some(Stop::Asked { .. })), "{cut:#?}");
        assert_eq!(proof(false).look(&mut own).shown, Shown::Ours, "{steps:?}");
        let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        assert_eq!(run(&mut own, &order).0.stopped, None);
        let look = proof(true).look(&mut own);
        let healthy = Look {
            shown: Shown::Ours,
            ..Look::default()
        };
        assert_eq!(look, healthy, "{steps:?}");
        for ended in [false, true] {
            let shown = proof(ended).look(&mut somebody_elses(geometry)).shown;
            assert_eq!(shown, Shown::Not, "{steps:?} {ended}");
        }
    }
    let left_nothing = Proof {
        key: JobKey([7; 16]),
        geometry,
        steps: plain(&[Phase::Scan]),
        ended: true,
    };
    assert_eq!(left_nothing.look(&mut somebody_elses(geometry)).shown, Shown::Unknown);
}

/// A drive that came into the place of the job's between the last sector that was read back and the closing writes holds the pattern at the
/// headers' places, and nothing else of the job's.
#[test]
fn a_drive_that_only_the_closing_writes_went_to_is_not_the_jobs() {
    let geometry = WIDE;
    for steps in [plain(ALL), zeros()] {
        let order = Order {
            geometry,
            header: Some(note()),
            steps,
            ..order(ALL)
        };
        let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        assert_eq!(run(&mut own, &order).0.stopped, None);
        let mut other = somebody_elses(geometry);
        let closing = burnin::header::places(geometry);
        for lba in closing.into_iter().flat_map(|(lba, sectors)| lba..lba + sectors) {
            access(&mut own, Op::Read, (lba, 1));
            let written = own.buffer(0).to_vec();
            other.buffer(0).copy_from_slice(&written);
            access(&mut other, Op::Write, (lba, 1));
        }
        let proof = prover(&order)(true);
        assert_eq!(proof.look(&mut own).shown, Shown::Ours, "{:?}", order.steps);
        assert_eq!(proof.look(&mut other).shown, Shown::Not, "{:?}", order.steps);
    }
}

/// Of a drive that the kernel counts as another medium more is asked: neither the headers alone prove it, which a worker may have
/// written to another one, nor at the end their places, nor a constant.
#[test]
fn a_drive_that_was_counted_anew_shows_more_than_its_headers() {
    let geometry = WIDE;
    let blank = || Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let for_turns = |sim: &mut Sim, order: &Order, turns: u32| {
        let (mut turn, mut last) = (0, None);
        let mut soon = || {
            turn += 1;
            (turn > turns).then(|| "in the middle".to_owned())
        };
        let mut keep = |report: Report| {
            if let Report::Checkpoint { text, .. } = report {
                last = Some(burnin::Checkpoint::decode(&text).unwrap());
            }
        };
        runner::run(sim, order, "simulated", &mut soon, &mut keep).unwrap();
        last
    };
    for steps in [plain(&[Phase::Write, Phase::Verify]), zeros()] {
        let keyed = steps.iter().all(|step| step.fill.is_keyed());
        let order = Order {
            geometry,
            header: Some(note()),
            steps: steps.clone(),
            ..order(ALL)
        };
        let proof = prover(&order);
        let (mut own, mut other) = (blank(), blank());
        let place = for_turns(&mut own, &order, 4_000).unwrap();
        assert!(place.frontier > 0 || !keyed, "{place:?}");
        for_turns(&mut other, &order, 20);
        let place = Some(&place);
        assert_eq!(
            proof(false).look(&mut other).shown,
            Shown::Ours,
            "its headers are there"
        );
        assert_eq!(proof(false).of_recounted(&mut own, None), Shown::Unknown);
        assert_eq!(proof(false).of_recounted(&mut own, place), Shown::Ours, "{steps:?}");
        assert_eq!(
            proof(false).of_recounted(&mut somebody_elses(geometry), place),
            Shown::Not
        );
        if keyed {
            assert_eq!(proof(false).of_recounted(&mut other, place), Shown::Not);
        }
        let (mut own, mut other) = (blank(), somebody_elses(geometry));
        assert_eq!(run(&mut own, &order).0.stopped, None);
        for (lba, long) in burnin::header::places(geometry) {
            for lba in lba..lba + long {
                one_sector(&mut own, Op::Read, lba);
                let data = own.buffer(0)[..64].to_vec();
                other.buffer(0)[..64].copy_from_slice(&data);
                one_sector(&mut other, Op::Write, lba);
            }
        }
        let (ours, not) = match keyed {
            true => (Shown::Ours, Shown::Not),
            false => (Shown::Unknown, Shown::Unknown),
        };
        assert_eq!(proof(true).of_recounted(&mut own, place), ours, "{steps:?}");
        assert_eq!(proof(true).of_recounted(&mut other, place), not, "{steps:?}");
    }
}

/// Whoever asks a drive again that could not be read knows by it where that is in vain.
#[test]
fn what_leaves_nothing_that_would_prove_a_drive_counted_anew_is_told_without_a_read() {
    let trimmed = plain(&[Phase::Write, Phase::Verify, Phase::Trim]);
    let small = Geometry { sectors: 8, ..WIDE };
    for (steps, geometry, middle, end) in [
        (plain(&[Phase::Write, Phase::Verify]), WIDE, true, true),
        (zeros(), WIDE, true, false),
        (trimmed, WIDE, true, false),
        (plain(&[Phase::Scan]), WIDE, false, false),
        (plain(&[Phase::Write, Phase::Verify]), small, false, true),
    ] {
        for (ended, can) in [(false, middle), (true, end)] {
            let proof = Proof {
                key: JobKey([7; 16]),
                geometry,
                steps: steps.clone(),
                ended,
            };
            assert_eq!(proof.can_be_recounted(), can, "{proof:?}");
        }
    }
}

fn one_sector(sim: &mut Sim, op: Op, lba: u64) {
    let access = Access {
        slot: 0,
        op,
        lba,
        sectors: 1,
    };
    sim.submit(access).unwrap();
    sim.wait(Duration::from_secs(9)).unwrap();
}

/// A worker that went on for seconds after its drive was exchanged has left its pattern on the other one, too.
#[test]
fn a_stretch_of_its_pattern_behind_the_checkpoint_does_not_make_another_drive_the_jobs() {
    let geometry = WIDE;
    let order = Order {
        geometry,
        header: Some(note()),
        ..order(&ALL[1..])
    };
    let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let (_, checkpoints) = run(&mut own, &order);
    let early = &checkpoints[1];
    let frontier = burnin::Checkpoint::decode(early).unwrap().frontier;
    let mut other = somebody_elses(geometry);
    let (from, until) = (geometry.sectors / 2, geometry.sectors / 2 + 6_000);
    assert!(frontier < from, "{frontier}");
    let pattern = burnin::Pattern::new(order.key);
    for lba in (from..until).step_by(16) {
        pattern.fill(&mut other.buffer(0)[..16 * 64], lba, 1);
        let access = Access {
            slot: 0,
            op: Op::Write,
            lba,
            sectors: 16,
        };
        other.submit(access).unwrap();
        while other.wait(Duration::from_secs(1)).unwrap().is_none() {}
    }
    let (evidence, _) = run(&mut other, &going_on(&order, early));
    assert!(
        matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("another drive")),
        "{evidence:#?}"
    );
}

/// A trim leaves to the drive what it reads as, but for the headers' places: those are given the constant behind it.
#[test]
fn a_constant_that_was_trimmed_is_asked_for_where_the_trim_spared_it() {
    let geometry = WIDE;
    for fill in [Fill::Zeros, Fill::Aa] {
        for more in [&[Phase::Trim][..], &[Phase::Trim, Phase::TrimCheck]] {
            let mut steps = plain(&[ALL, more].concat());
            for step in &mut steps[1..] {
                step.fill = fill;
            }
            let order = Order {
                geometry,
                header: Some(note()),
                steps: steps.clone(),
                ..order(ALL)
            };
            let mut own = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
            let (whole, checkpoints) = run(&mut own, &order);
            assert_eq!(whole.stopped, None, "{steps:?}");
            let proof = Proof {
                key: order.key,
                geometry,
                steps,
                ended: true,
            };
            assert_eq!(proof.look(&mut own).shown, Shown::Ours, "{fill:?} {more:?}");
            assert_eq!(
                proof.look(&mut somebody_elses(geometry)).shown,
                Shown::Not,
                "{fill:?} {more:?}"
            );
            let last = checkpoints.last().unwrap();
            let (evidence, _) = run(&mut somebody_elses(geometry), &going_on(&order, last));
            assert!(
                matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("another drive")),
                "{evidence:#?}"
            );
            let (evidence, _) = run(&mut own, &going_on(&order, last));
            assert_eq!(evidence.stopped, None, "its own: {fill:?} {more:?}");
        }
    }
}

/// A dock's drive that is exchanged while the headers are written leaves some of them on each of the two.
#[test]
fn a_drive_that_holds_some_of_the_headers_alone_is_doubted() {
    let order = Order {
        header: Some(note()),
        ..order(&[Phase::Write, Phase::Verify])
    };
    let proof = prover(&order)(false);
    let mut whole = drive(Plan::healthy(Content::Random));
    with_headers(&mut whole, &order);
    assert_eq!(proof.of_doubted(&mut whole), Shown::Ours);
    for lost in burnin::header::places(GEOMETRY) {
        let mut exchanged = drive(Plan::healthy(Content::Random));
        with_headers(&mut exchanged, &order);
        for lba in lost.0..lost.0 + lost.1 {
            exchanged.buffer(0).fill(0);
            one_sector(&mut exchanged, Op::Write, lba);
        }
        assert_eq!(
            proof.look(&mut exchanged).shown,
            Shown::Ours,
            "as after a reset in the middle of a job"
        );
        assert_eq!(proof.of_doubted(&mut exchanged), Shown::Not, "{lost:?}");
        // What is read of it meanwhile is not held against the job's drive, and afterwards it is.
        assert!(proof.is_another(&mut exchanged, Proves::Rewritten), "{lost:?}");
        assert!(!proof.is_another(&mut exchanged, Proves::Headers), "{lost:?}");
        for (proves, still) in [
            (Proves::EveryHeader, Still::HalfWritten),
            (Proves::Rewritten, Still::HalfWritten),
            (Proves::Headers, Still::Ours),
        ] {
            assert_eq!(proof.still(&mut whole, proves), Still::Ours);
            assert_eq!(proof.still(&mut exchanged, proves), still, "{lost:?}");
        }
    }
}

/// Burns until the headers stand.
fn with_headers(sim: &mut Sim, order: &Order) {
    let mut session = runner::Session::new(sim, order, "simulated").unwrap();
    loop {
        let reports = session.step(sim);
        if reports.iter().any(|report| matches!(report, Report::Checkpoint { .. })) {
            return;
        }
        assert!(!session.is_over(), "{:?}", session.evidence().stopped);
    }
}

/// The sector with which a format begins, made by this job: `header` tells its layout.
fn mark(drive: &mut Sim, key: JobKey) {
    let mut sector = [0_u8; 512];
    sector[..8].copy_from_slice(b"KILNEND1");
    sector[18] = 1;
    sector[24..40].copy_from_slice(&key.0);
    let sum = crc32c::crc32c(&sector[..508]);
    sector[508..].copy_from_slice(&sum.to_le_bytes());
    for (word, bytes) in drive.buffer(0).iter_mut().zip(sector.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    access(drive, Op::Write, (0, 1));
}

/// What the formatter wrote behind its mark would read as faults.
#[test]
fn no_checkpoint_goes_on_with_a_drive_whose_format_was_begun() {
    let order = order(&[Phase::Write, Phase::Verify]);
    let mut drive = drive(Plan::healthy(Content::Random));
    let (evidence, checkpoints) = run(&mut drive, &order);
    assert!(evidence.stopped.is_none());
    let proof = prover(&order)(true);
    assert_eq!(proof.of_cut_format(&mut drive), Shown::Ours, "before the mark");
    mark(&mut drive, order.key);
    assert_eq!(proof.of_cut_format(&mut drive), Shown::Ours);
    let mut tried = 0;
    for text in checkpoints.iter().filter(|text| provable(text)) {
        let (evidence, _) = run(&mut drive, &going_on(&order, text));
        assert!(
            matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("was being formatted")),
            "{:?}",
            evidence.stopped
        );
        assert!(evidence.defects.is_empty());
        tried += 1;
    }
    assert!(tried > 3, "{tried}");
    // Another job's mark, and what somebody put there, are not its own.
    for other in [Some(JobKey([8; 16])), None] {
        match other {
            Some(key) => mark(&mut drive, key),
            None => {
                drive.buffer(0)[..64].fill(0x7878_7878);
                access(&mut drive, Op::Write, (0, 1));
            }
        }
        assert_eq!(proof.of_cut_format(&mut drive), Shown::Not, "{other:?}");
    }
}

/// A blank drive holds what a job of zeros wrote last, and none of it was tested.
#[test]
fn of_a_constant_only_the_mark_proves_a_cut_format() {
    let (proof, mut drive) = over_zeros();
    assert_eq!(proof.look(&mut drive).shown, Shown::Ours);
    assert_eq!(proof.of_cut_format(&mut drive), Shown::Not);
    mark(&mut drive, proof.key);
    assert_eq!(proof.of_cut_format(&mut drive), Shown::Ours);
}

/// The kernel shows the partition of a format until the drive is plugged in again: who finds it there may use it.
#[test]
fn what_stands_where_a_cut_formats_partition_begins_is_not_overwritten() {
    let geometry = WIDE;
    let order = Order {
        geometry,
        ..order(&[Phase::Write, Phase::Verify])
    };
    let mut drive = Sim::new(geometry, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    run(&mut drive, &order);
    mark(&mut drive, order.key);
    let proof = Proof {
        key: order.key,
        geometry,
        steps: order.steps,
        ended: true,
    };
    let mut xfs = [0; 512];
    xfs[..4].copy_from_slice(b"XFSB");
    let mut unfinished = xfs;
    unfinished[126] = 1;
    let mut tar = [0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    // A partition begins at the first mebibyte; where a superblock would be, mkfs may have written others' before.
    let begin = 2048;
    for (at, sector, shown) in [
        (begin, unfinished, Shown::Ours),
        (begin, xfs, Shown::Not),
        (begin, tar, Shown::Not),
        (begin + 3, tar, Shown::Not),
        (begin + 4, tar, Shown::Ours),
        (begin, [0; 512], Shown::Ours),
    ] {
        let write = |drive: &mut Sim, sector: [u8; 512]| {
            for (word, bytes) in drive.buffer(0).iter_mut().zip(sector.as_chunks::<8>().0) {
                *word = u64::from_ne_bytes(*bytes);
            }
            access(drive, Op::Write, (at, 1));
        };
        write(&mut drive, sector);
        assert_eq!(proof.of_cut_format(&mut drive), shown, "{at}: {:?}", &sector[..4]);
        write(&mut drive, [0; 512]);
    }
}

/// An archive or a hidden encrypted volume has no signature and leaves most headers: it is not written over, nor told as a fault.
#[test]
fn data_without_a_signature_that_was_put_on_an_interrupted_drive_is_not_written_over() {
    for phases in [ALL, &ALL[1..]] {
        let sim = || Sim::new(WIDE, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        let order = Order {
            geometry: WIDE,
            header: Some(Note {
                front: Front::of(&mut sim(), WIDE),
                ..note()
            }),
            ..order(phases)
        };
        let (_, checkpoints) = run(&mut sim(), &order);
        // From the first one on, in which a write has come to nothing yet, or the probe.
        let (first, later) = checkpoints.split_at(3);
        for text in first.iter().chain(later.iter().step_by(later.len() / 12)) {
            let at = burnin::Checkpoint::decode(text).unwrap();
            for long in [1, 16, 600] {
                let mut drive = sim();
                run_until(&mut drive, &order, text);
                // A sector alone may be the drive's fault, which the passes to come tell; but none where the job has not been.
                let refused = long > 1 || (1..16).all(|lba| drive.truth().origin(lba) == Origin::Before);
                put_to_use(&mut drive, long);
                let before: Vec<Origin> = (0..WIDE.sectors).map(|lba| drive.truth().origin(lba)).collect();
                let (evidence, _) = run(&mut drive, &going_on(&order, text));
                let context = format!(
                    "{long} sectors, step {} at {}: {:?}",
                    at.step, at.frontier, evidence.stopped
                );
                if refused {
                    assert!(
                        matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("something else wrote")),
                        "{context}"
                    );
                    assert!(evidence.defects.is_empty(), "{context}");
                    let same = (0..)
                        .zip(&before)
                        .all(|(lba, origin)| drive.truth().origin(lba) == *origin);
                    assert!(same, "{context}: it was written to");
                } else {
                    assert_eq!(evidence.stopped, None, "{context}");
                }
            }
        }
    }
}

/// Whoever sees that it is the wrong drive, pulls it and puts its old table back with `sfdisk` leaves the boot code as it finds it.
#[test]
fn a_table_that_was_put_back_into_what_a_job_wrote_is_not_written_over() {
    let constant = |fill: Fill| {
        let mut steps = plain(&ALL[1..]);
        for step in &mut steps {
            step.fill = fill;
        }
        steps
    };
    for steps in [
        plain(ALL),
        plain(&ALL[1..]),
        constant(Fill::Complement),
        constant(Fill::Aa),
    ] {
        let sim = || Sim::new(WIDE, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        let order = Order {
            geometry: WIDE,
            header: Some(note()),
            steps,
            ..order(ALL)
        };
        let (_, checkpoints) = run(&mut sim(), &order);
        let mut tried = 0;
        for text in checkpoints.iter().step_by(checkpoints.len() / 12) {
            let mut drive = sim();
            run_until(&mut drive, &order, text);
            if drive.truth().origin(0) == Origin::Before {
                continue;
            }
            access(&mut drive, Op::Read, (0, 1));
            let table = &mut drive.buffer(0)[55..64];
            table.fill(0x0083_0000_0008_0000);
            table[8] = u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0x55, 0xaa]);
            access(&mut drive, Op::Write, (0, 1));
            let (evidence, _) = run(&mut drive, &going_on(&order, text));
            let why = evidence.stopped;
            assert!(
                matches!(&why, Some(Stop::Engine { why }) if why.contains("something else wrote")),
                "{why:?}"
            );
            tried += 1;
        }
        assert!(tried > 5, "{tried}");
    }
}

/// What stood there when a job began excuses only one that never came to its first sector.
#[test]
fn what_stood_at_the_beginning_is_somebody_elses_where_nobody_knows_it() {
    let sim = || Sim::new(WIDE, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let order = order(ALL);
    let used = |drive: &mut Sim, then| {
        let of = (&[order.key][..], &order.steps[..]);
        burnin::begins_with_others(drive, WIDE, of, then, 1_000)
    };
    let then = Front::of(&mut sim(), WIDE);
    assert!(then.is_some());
    assert!(used(&mut sim(), None));
    assert!(!used(&mut sim(), then));
    let mut other = sim();
    put_to_use(&mut other, 32);
    assert!(used(&mut other, then));
    // A cut in its first write may leave a sector that cannot be read.
    other.ages(Fault::ReadError { lba: 0 });
    assert!(!used(&mut other, then));
}

/// Puts data on a drive that no signature tells, from its beginning on over so many sectors.
fn put_to_use(drive: &mut Sim, sectors: u64) {
    for first in (0..sectors).step_by(16) {
        for (word, n) in drive.buffer(0).iter_mut().zip(1_u64..) {
            *word = n << 32 | first;
        }
        access(drive, Op::Write, (first, 16.min(sectors - first)));
    }
}

/// Burns until this checkpoint is taken again, and cuts the power.
fn run_until(sim: &mut Sim, order: &Order, text: &str) {
    let mut session = runner::Session::new(sim, order, "simulated").unwrap();
    let due = burnin::Checkpoint::decode(text).unwrap();
    while !session.is_over() {
        for report in session.step(sim) {
            if let Report::Checkpoint { text, .. } = report {
                let at = burnin::Checkpoint::decode(&text).unwrap();
                if (at.step, at.frontier) >= (due.step, due.frontier) {
                    sim.power_cut();
                    return;
                }
            }
        }
    }
}

/// What was found there says nothing of the sectors beside it.
#[test]
fn a_finding_in_front_hides_no_data_that_was_put_there() {
    let order = Order {
        geometry: WIDE,
        header: Some(note()),
        ..order(&[Phase::Write, Phase::Verify, Phase::Write, Phase::Verify])
    };
    let sim = || {
        let plan = Plan::with(vec![
            Fault::FlipOnce { lba: 5, bit: 3 },
            Fault::FlipOnce { lba: 0, bit: 3 },
        ]);
        Sim::new(WIDE, plan, 2, 8 << 10, 1)
    };
    let (_, checkpoints) = run(&mut sim(), &order);
    let found = |text: &&String| {
        let at = burnin::Checkpoint::decode(text).unwrap();
        at.step > 1 && !at.evidence.defects.is_empty()
    };
    let text = checkpoints.iter().find(found).unwrap();
    let mut drive = sim();
    run_until(&mut drive, &order, text);
    put_to_use(&mut drive, 64);
    let (evidence, _) = run(&mut drive, &going_on(&order, text));
    let why = evidence.stopped;
    assert!(
        matches!(&why, Some(Stop::Engine { why }) if why.contains("something else wrote")),
        "{why:?}"
    );
}

/// Beside the constant that was written a bad sector is the drive's.
#[test]
fn a_wrong_first_sector_of_a_constant_is_a_fault() {
    let order = Order {
        geometry: WIDE,
        header: Some(note()),
        steps: zeros(),
        ..order(&[])
    };
    let sim = || Sim::new(WIDE, Plan::healthy(Content::Random), 2, 8 << 10, 1);
    let (_, checkpoints) = run(&mut sim(), &order);
    let begun = |text: &&String| burnin::Checkpoint::decode(text).unwrap().frontier > 2_000;
    let text = checkpoints.iter().find(begun).unwrap();
    let mut drive = sim();
    run_until(&mut drive, &order, text);
    drive.buffer(0)[..64].fill(0);
    drive.buffer(0)[7] = 1;
    access(&mut drive, Op::Write, (0, 1));
    let (evidence, _) = run(&mut drive, &going_on(&order, text));
    assert_eq!(evidence.stopped, None);
    assert_eq!(evidence.bad_sectors(), 1);
}

/// Where the pass or the trim that stands there is of a constant, an archive's zeros are not taken for it.
#[test]
fn an_archive_on_a_drive_of_constants_or_behind_a_trim_is_not_written_over() {
    let keyed = plain(&[Phase::Write, Phase::Verify, Phase::Trim, Phase::Write, Phase::Verify]);
    for (steps, at_step) in [(zeros(), 1), (zeros(), 2), (keyed, 3)] {
        let order = Order {
            geometry: WIDE,
            header: Some(note()),
            steps,
            ..order(&[])
        };
        let sim = || Sim::new(WIDE, Plan::healthy(Content::Random), 2, 8 << 10, 1);
        let (_, checkpoints) = run(&mut sim(), &order);
        let there = |text: &&String| {
            let at = burnin::Checkpoint::decode(text).unwrap();
            at.step == at_step && (at.frontier > 2_000 || at_step == 3)
        };
        let text = checkpoints.iter().find(there).unwrap();
        let mut drive = sim();
        run_until(&mut drive, &order, text);
        // Two sectors of a tar, and the zeros that fill it up.
        put_to_use(&mut drive, 2);
        drive.buffer(0).fill(0);
        access(&mut drive, Op::Write, (2, 14));
        let key = (&[order.key][..], &order.steps[..]);
        assert!(
            burnin::begins_with_others(&mut drive, WIDE, key, None, 1_000),
            "step {at_step}"
        );
        let (evidence, _) = run(&mut drive, &going_on(&order, text));
        let why = evidence.stopped;
        assert!(
            matches!(&why, Some(Stop::Engine { why }) if why.contains("something else wrote")),
            "step {at_step}: {why:?}"
        );
    }
}

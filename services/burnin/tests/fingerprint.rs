//! What a drive is known by that is only read, and what was written to it since.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use burnin::device::{Access, Device, Geometry, Op};
use burnin::sim::{Content, Fault, Plan, Sim};
use burnin::{Fingerprint, Shown};

const GEOMETRY: Geometry = Geometry {
    sectors: 3_000,
    sector: 512,
    physical: 4096,
};

/// The beginning of a place in the middle.
const MIDDLE: u64 = 1512;

fn drive(plan: Plan) -> Sim {
    Sim::new(GEOMETRY, plan, 2, 8 << 10, 1)
}

fn of(mut sim: Sim) -> Fingerprint {
    Fingerprint::of(&mut sim, GEOMETRY).unwrap()
}

/// Fills eight sectors with one word.
fn write(drive: &mut Sim, lba: u64, word: u64) {
    drive.buffer(0).fill(word);
    let access = Access {
        slot: 0,
        op: Op::Write,
        lba,
        sectors: 8,
    };
    drive.submit(access).unwrap();
    while drive.wait(Duration::from_secs(1)).unwrap().is_none() {}
}

/// A drive that is only read keeps nothing of its job: what stood on it tells, as far as it is not blank.
#[test]
fn a_drive_that_is_only_read_is_known_by_what_stood_on_it() {
    let other = || Sim::new(GEOMETRY, Plan::healthy(Content::Random), 2, 8 << 10, 2);
    let (full, blank) = (
        of(drive(Plan::healthy(Content::Random))),
        of(drive(Plan::healthy(Content::Zeros))),
    );
    assert_eq!(full.shown(&of(drive(Plan::healthy(Content::Random)))), Shown::Ours);
    assert_eq!(full.shown(&of(other())), Shown::Not);
    assert_eq!(full.shown(&blank), Shown::Not);
    assert_eq!(blank.shown(&full), Shown::Not);
    assert_eq!(blank.shown(&of(drive(Plan::healthy(Content::Zeros)))), Shown::Unknown);
    assert_eq!(blank.shown(&of(drive(Plan::healthy(Content::Ones)))), Shown::Not);
    // Some of it was written meanwhile, some of it can no longer be read.
    let mut used = drive(Plan::healthy(Content::Random));
    for lba in (0..GEOMETRY.sectors / 3).step_by(8) {
        write(&mut used, lba, lba);
    }
    assert_eq!(full.shown(&of(used)), Shown::Ours);
    let unreadable = (0..GEOMETRY.sectors).map(|lba| Fault::ReadError { lba }).collect();
    assert_eq!(full.shown(&of(drive(Plan::with(unreadable)))), Shown::Unknown);
    let text = serde_json::to_string(&full).unwrap();
    assert!(text.len() < 8192, "{} bytes in every record of the job", text.len());
    assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), full);
}

/// Between the plan of a burn-in and its start one place is enough, and a drive that gives other bytes at each read has no say.
#[test]
fn what_was_written_since_is_told_from_what_a_faulty_drive_shows() {
    let healthy = || drive(Plan::healthy(Content::Random));
    let (then, mut used) = (of(healthy()), healthy());
    assert!(!then.was_written_since(&then, &then));
    write(&mut used, 0, 7);
    let now = of(used);
    assert!(then.was_written_since(&now, &now));
    assert!(!then.was_written_since(&now, &then), "it gave other bytes once");
    let unreadable = of(drive(Plan::with(
        (0..GEOMETRY.sectors).map(|lba| Fault::ReadError { lba }).collect(),
    )));
    assert!(!then.was_written_since(&unreadable, &unreadable));
    assert!(!unreadable.was_written_since(&now, &now));
}

/// A drive with places that hang tells the others, and is asked for those alone when it is about to be written.
#[test]
fn a_look_has_an_end_and_takes_no_place_again_that_it_did_not_know() {
    let limit = Duration::from_secs(5);
    let in_time = |sim: &mut Sim| Fingerprint::in_time(sim, GEOMETRY, limit).0;
    let mut healthy = drive(Plan::healthy(Content::Random));
    let whole = in_time(&mut healthy);
    assert_eq!(whole, of(drive(Plan::healthy(Content::Random))));
    // The first place is told, and none behind the one that hangs.
    let hanging = || (GEOMETRY.sectors / 2..GEOMETRY.sectors).map(|lba| Fault::Hang { lba });
    let hangs = || drive(Plan::with(hanging().collect()));
    let mut slow = hangs();
    let until = slow.now() + 2 * limit;
    let part = in_time(&mut slow);
    assert!(slow.now() <= until, "{:?}", slow.now());
    assert_ne!(part, whole);
    assert!(!part.was_written_since(&whole, &whole));
    assert_eq!(
        part.again(&mut hangs(), GEOMETRY, limit),
        Ok(part.clone()),
        "what hangs is not asked"
    );
    // Who is about to write waits for it once, and has what it told before that.
    let mut slow = hangs();
    let until = slow.now() + 2 * limit;
    assert_eq!(whole.again_in_time(&mut slow, GEOMETRY, limit), part);
    assert!(slow.now() <= until, "{:?}", slow.now());
    let outlives = whole.again(&mut hangs(), GEOMETRY, limit).unwrap_err();
    assert!(outlives.contains("did not come back"), "{outlives}");
}

/// The job writes over it, and reads that back equal: nothing else keeps what the drive said before.
#[test]
fn a_look_tells_a_place_that_cannot_be_read_by_the_drives_own_word() {
    let limit = Duration::from_secs(5);
    let look = |faults| Fingerprint::in_time(&mut drive(Plan::with(faults)), GEOMETRY, limit).1;
    assert_eq!(look(Vec::new()), None);
    let half = GEOMETRY.sectors / 2..GEOMETRY.sectors;
    assert_eq!(
        look(half.map(|lba| Fault::ReadError { lba }).collect()).as_deref(),
        Some("LBA 1512: I/O error")
    );
    // Silence is no word on its medium.
    assert_eq!(look(vec![Fault::Hang { lba: 0 }]), None);
}

/// All that is asked in the midst of a reset fails within milliseconds.
#[test]
fn a_look_takes_no_link_that_is_reset_for_the_drives_own_word() {
    let limit = Duration::from_secs(5);
    let look = |sim: &mut Sim| Fingerprint::in_time(sim, GEOMETRY, limit);
    let whole = of(drive(Plan::healthy(Content::Random)));
    for (lba, millis) in [(0, 1), (0, 500), (MIDDLE, 500)] {
        let errno = libc::EIO;
        let reset = Fault::Absent { lba, millis, errno };
        let told = look(&mut drive(Plan::with(vec![reset])));
        assert_eq!(told, (whole.clone(), None), "{lba} {millis}");
    }
    let once = Fault::ReadErrorOnce { lba: 0 };
    assert_eq!(look(&mut drive(Plan::with(vec![once]))), (whole.clone(), None));
    // What fails each time stays told, with every place that was read since.
    let bad = Fault::ReadError { lba: 0 };
    let (mut seen, mut sim) = (
        look(&mut drive(Plan::with(vec![bad, once]))),
        drive(Plan::with(vec![bad])),
    );
    assert_eq!(seen.1.take().as_deref(), Some("LBA 0: I/O error"));
    assert_eq!(seen.0, of(sim));
    // One that answers nothing is not waited for any longer.
    let errno = libc::EIO;
    let (lba, millis) = (0, 100_000);
    sim = drive(Plan::with(vec![Fault::Absent { lba, millis, errno }]));
    assert_eq!(look(&mut sim).1.as_deref(), Some("LBA 0: I/O error"));
    assert!(sim.now() <= limit, "{:?}", sim.now());
    // Nor is a buffer used again of which a read has not come back.
    let hangs = (GEOMETRY.sectors - 8..GEOMETRY.sectors).map(|lba| Fault::Hang { lba });
    sim = drive(Plan::with(hangs.chain([bad]).collect()));
    assert_eq!(look(&mut sim).1.as_deref(), Some("LBA 0: I/O error"));
    assert!(sim.now() <= 2 * limit, "{:?}", sim.now());
}

/// Whoever plans waits a second longer than a look may take, and loses all of one that takes more.
#[test]
fn a_look_is_not_taken_again_where_it_would_outlast_its_time() {
    let limit = Duration::from_secs(5);
    let of_slow = |places: &[u64], millis| {
        let bad = |lba: &u64| [Fault::ReadError { lba: *lba }, Fault::Slow { lba: *lba, millis }];
        let mut sim = drive(Plan::with(places.iter().flat_map(bad).collect()));
        let told = Fingerprint::in_time(&mut sim, GEOMETRY, limit).1;
        (told, sim.now())
    };
    for (places, millis) in [
        (&[0][..], 3_000),
        (&[0, MIDDLE], 1_500),
        (&[0], 1_300),
        (&[0, MIDDLE], 700),
    ] {
        let (told, took) = of_slow(places, millis);
        assert_eq!(told.as_deref(), Some("LBA 0: I/O error"));
        assert!(took < limit, "{places:?} {millis}: {took:?}");
    }
    // A disk that has to spin up first is, though its first place took long.
    let millis = 2_500;
    let spins_up = vec![Fault::SlowOnce { lba: 0, millis }, Fault::ReadErrorOnce { lba: MIDDLE }];
    let told = Fingerprint::in_time(&mut drive(Plan::with(spins_up)), GEOMETRY, limit);
    assert_eq!(told, (of(drive(Plan::healthy(Content::Random))), None));
}

/// As a link that is reset once more, or a drive that the kernel has in its hands by then.
#[test]
fn a_place_that_does_not_come_back_when_it_is_read_again_takes_nothing_from_what_was_told() {
    let limit = Duration::from_secs(5);
    let lba = MIDDLE;
    let bad = of(drive(Plan::with(vec![Fault::ReadError { lba }])));
    let fails = [Fault::ReadErrorOnce { lba }, Fault::HangAgain { lba }];
    let mut sim = drive(Plan::with(fails.to_vec()));
    let told = Fingerprint::in_time(&mut sim, GEOMETRY, limit);
    assert_eq!(told, (bad, Some(format!("LBA {lba}: I/O error"))));
    // A second longer is what whoever plans waits.
    assert!(sim.now() < limit + Duration::from_secs(1), "{:?}", sim.now());
}

//! What QEMU's own drives cannot show, on disks that are played to the image's kernel and smartctl: heat, self-tests, attributes that
//! change under load, hidden areas, SAS.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use image::qemu::{Bus, Vm};
use played::medium::{Medium, Moved};
use played::sas::SasDisk;
use played::sata::SataDisk;
use played::{Controller, Shared, Starting, Verdict};
use wire::Celsius;
use wire::job::{Job, JobState, Outcome, Phase, SelfTestOutcome};

use crate::bench::{Bench, SELF_TESTED};
use crate::lab::{JOB, Lab};

/// Sectors of a played disk: 24 MiB.
const SECTORS: u64 = 49_152;

/// What all targets of a controller move a second, in bytes: a pass over one disk takes some seconds.
const SPEED: u64 = 4_000_000;

/// What a self-test of a played disk takes.
const TEST: Duration = Duration::from_secs(5);

/// World-wide names and SAS addresses of played things count from here.
const NAMES: u64 = 0x5000_C500_0000_1000;

/// Longest time until the agent has asked a drive for its temperature again.
const ASKED: Duration = Duration::from_mins(2);

fn shared<T>(unit: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(unit))
}

fn held<T>(unit: &Mutex<T>) -> MutexGuard<'_, T> {
    unit.lock().unwrap()
}

/// A box with these targets at one controller.
fn boot(lab: &Lab, targets: Vec<Shared>) -> (Controller, Vm, Bench) {
    let targets = (0..).zip(targets).collect();
    let controller = Controller::serve(&lab.path().join("played.sock"), targets, Some(SPEED)).unwrap();
    let machine = lab.machine(Bus::Virtio, None).played(controller.path());
    let (vm, bench) = lab.start(machine);
    (controller, vm, bench)
}

/// A SATA disk, of a model that no other has: they are not to be compared with one another.
fn sata((n, serial): (u64, &str)) -> Arc<Mutex<SataDisk>> {
    let model = format!("Played disk {n}");
    let mut disk = SataDisk::new(Medium::new(SECTORS), &model, serial, NAMES + 16 * n);
    disk.tests.short = TEST;
    shared(disk)
}

fn outcome(job: &Job) -> Option<Outcome> {
    job.verdict.as_ref().map(|verdict| verdict.outcome)
}

fn rules(job: &Job) -> Vec<&str> {
    job.verdict
        .iter()
        .flat_map(|v| &v.rules)
        .map(|hit| hit.id.as_str())
        .collect()
}

/// Asserts a job's outcome, and the rule that led to it.
fn judged(name: &str, job: &Job, due: Outcome, rule: Option<&str>) {
    println!("{name}: {:?} {:?}", outcome(job), rules(job));
    assert_eq!(outcome(job), Some(due), "{job:#?}");
    assert!(
        rule.is_none_or(|rule| rules(job).contains(&rule)),
        "no {rule:?}: {job:#?}"
    );
}

#[test]
fn a_hot_disk_pauses_alone_and_goes_on_when_it_has_cooled() {
    let lab = Lab::new();
    let [hot, cool] = [(1, "PLAYHOT1"), (2, "PLAYCOOL")].map(sata);
    let (_controller, _vm, bench) = boot(&lab, vec![hot.clone(), cool.clone()]);
    let jobs = bench.burn(&["PLAYHOT1", "PLAYCOOL"], "surface");
    bench.wait_bytes(&jobs[0], Phase::Write, 2 << 20);
    held(&hot).celsius = 64;
    let paused = |job: &Job| matches!(&job.state, JobState::Waiting { why } if why.contains("too hot"));
    bench.wait_job(&jobs[0], "paused for heat", ASKED, paused);
    // What was under way ends; from then on nothing moves.
    std::thread::sleep(Duration::from_secs(3));
    let written = held(&hot).medium.moved.written;
    assert_eq!(outcome(&bench.verdict(&jobs[1], JOB)), Some(Outcome::Passed));
    assert!(paused(&bench.job(&jobs[0])), "it went on at 64 °C");
    assert_eq!(
        held(&hot).medium.moved.written,
        written,
        "a drive that is too hot was written to"
    );

    held(&hot).celsius = 41;
    let done = bench.verdict(&jobs[0], JOB);
    let hottest = done.timeline.iter().filter_map(|point| point.temperature).max();
    assert_eq!(hottest, Some(Celsius(64)), "{done:#?}");
    let told: Vec<String> = bench.events().into_iter().map(|e| e.kind).collect();
    for kind in ["job.too_hot", "job.cooled"] {
        assert!(told.iter().any(|k| k == kind), "no {kind} in {told:?}");
    }
    assert!(
        matches!(outcome(&done), Some(Outcome::Passed | Outcome::Warn)),
        "{done:#?}"
    );
    assert_eq!(done.verdict.map(|v| v.verified.0), Some(SECTORS * 512));
}

/// Waits by the disk itself, which is sooner than by the job's page.
fn until_moved(disk: &Mutex<SataDisk>, is: impl Fn(Moved) -> bool) {
    let begun = Instant::now();
    while !is(held(disk).medium.moved) {
        assert!(begun.elapsed() < JOB, "{:?}", held(disk).medium.moved);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a part of what was written everywhere is read back.
fn until_verified(disk: &Mutex<SataDisk>) {
    until_moved(disk, |moved| moved.written >= SECTORS);
    let before = held(disk).medium.moved.read;
    until_moved(disk, |moved| moved.read >= before + SECTORS / 8);
}

/// The kernel keeps a disk whose target is away, and it is told nothing of one that is exchanged.
#[test]
fn a_disk_that_is_away_for_seconds_has_no_bad_sectors_and_an_exchanged_one_fails_nobody() {
    let lab = Lab::new();
    let names = ["PLAYAWAW", "PLAYAWAV", "PLAYEXCH"];
    let disks: Vec<_> = (1..).zip(names).map(sata).collect();
    let (controller, _vm, bench) = boot(&lab, disks.iter().map(|disk| disk.clone() as Shared).collect());
    let jobs = bench.burn(&names, "standard");
    let away = |target: u8| {
        controller.set_away(target, true);
        std::thread::sleep(Duration::from_secs(8));
        controller.set_away(target, false);
    };
    // All three at once: the others go on meanwhile.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until_moved(&disks[0], |moved| moved.written >= SECTORS / 4);
            away(0);
        });
        scope.spawn(|| {
            until_verified(&disks[1]);
            away(1);
        });
        until_verified(&disks[2]);
        let another = sata((4, "PLAYELSE"));
        let another = held(&another).clone();
        *held(&disks[2]) = another;
    });

    let over: Vec<Job> = jobs.iter().map(|id| bench.verdict(id, JOB)).collect();
    for (name, job) in names.iter().zip(&over).take(2) {
        judged(name, job, Outcome::Inconclusive, Some("error-not-reproduced"));
        assert_eq!(job.bad_sectors, 0, "{job:#?}");
    }
    judged(names[2], &over[2], Outcome::Inconclusive, Some("another-answered"));
    assert!(
        over[2].bad_sectors > 0,
        "what it held was not looked at: {:#?}",
        over[2]
    );
}

#[test]
fn self_tests_attributes_and_hidden_areas_of_sata_disks_are_judged() {
    let lab = Lab::new();
    let names = ["PLAYGOOD", "PLAYTEST", "PLAYSPAR", "PLAYCABL", "PLAYHIDE"];
    let disks: Vec<_> = (1..).zip(names).map(sata).collect();
    held(&disks[1]).tests.verdict = Verdict::FailsAt(5000);
    held(&disks[4]).native = Some(SECTORS + 2048);
    let (_controller, _vm, bench) = boot(&lab, disks.iter().map(|disk| disk.clone() as Shared).collect());
    bench.save_playbook("self-tested", SELF_TESTED);
    let jobs = bench.burn(&names, "self-tested");
    // A sector that goes bad and is replaced when it is written; and a cable that garbles words.
    bench.wait_bytes(&jobs[2], Phase::Write, 1 << 20);
    held(&disks[2]).medium.unreadable.insert(SECTORS - 100);
    bench.wait_bytes(&jobs[3], Phase::Write, 1 << 20);
    held(&disks[3]).attributes.entry(199).and_modify(|crc| crc.raw += 3);

    let over: Vec<Job> = jobs.iter().map(|id| bench.verdict(id, JOB)).collect();
    let wanted = [
        (Outcome::Passed, None),
        (Outcome::Failed, Some("job-self-test-failed")),
        (Outcome::Failed, Some("reallocated-grew")),
        (Outcome::Warn, Some("crc-errors")),
        (Outcome::Warn, Some("hidden-overlay")),
    ];
    for ((name, job), (due, rule)) in names.iter().zip(&over).zip(wanted) {
        judged(name, job, due, rule);
        let own: Vec<_> = job.self_tests.iter().map(|t| (t.phase, t.outcome)).collect();
        let result = match *name {
            "PLAYTEST" => SelfTestOutcome::Failed,
            _ => SelfTestOutcome::Passed,
        };
        assert_eq!(own, [(Phase::SelfTestShort, result)], "{job:#?}");
    }
}

#[test]
fn sas_disks_are_judged_by_their_log_pages() {
    let lab = Lab::new();
    let names = ["PLAYSAS1", "PLAYSAS2", "PLAYSAS3"];
    let disks: Vec<_> = (1..)
        .zip(names)
        .map(|(n, serial)| {
            let mut disk = SasDisk::new(SECTORS, serial, NAMES + 16 * n);
            disk.product = format!("PLAYED DISK {n}");
            disk.tests.short = TEST;
            shared(disk)
        })
        .collect();
    held(&disks[2]).tests.verdict = Verdict::FailsAt(5000);
    let (_controller, _vm, bench) = boot(&lab, disks.iter().map(|disk| disk.clone() as Shared).collect());
    bench.save_playbook("self-tested", SELF_TESTED);
    let jobs = bench.burn(&names, "self-tested");
    bench.wait_bytes(&jobs[1], Phase::Write, 1 << 20);
    held(&disks[1]).grown_defects += 2;

    let over: Vec<Job> = jobs.iter().map(|id| bench.verdict(id, JOB)).collect();
    let wanted = [
        (Outcome::Passed, None),
        (Outcome::Failed, Some("grown-defects-grew")),
        (Outcome::Failed, Some("job-self-test-failed")),
    ];
    for ((name, job), (due, rule)) in names.iter().zip(&over).zip(wanted) {
        judged(name, job, due, rule);
    }
}

#[test]
fn disks_that_cannot_be_burnt_in_say_why_and_one_that_starts_slowly_comes_later() {
    let lab = Lab::new();
    let [reserved, formatted, slow, grows] =
        [(1, "PLAYRESV"), (2, "PLAY520B"), (3, "PLAYSLOW"), (4, "PLAYGROW")].map(sata);
    held(&formatted).medium.block_length = 520;
    let starting = shared(Starting {
        unit: slow,
        ready: Duration::MAX,
    });
    let (_controller, _vm, bench) = boot(&lab, vec![reserved.clone(), formatted, starting.clone(), grows.clone()]);

    // The kernel gives it 100 seconds: it is still being waited for, though the page is there.
    assert!(bench.drives().iter().all(|d| d.serial != "PLAYSLOW"));
    held(&starting).ready = Duration::ZERO;
    bench.offered("PLAYSLOW");

    let odd = bench.drive("PLAY520B", "listed", |d| d.refused.is_some());
    assert_eq!(odd.refused.map(|refused| refused.kind), Some("no-size".to_owned()));
    let jobs = bench.burn(&["PLAYRESV", "PLAYGROW"], "surface");
    bench.wait_bytes(&jobs[0], Phase::Write, 1 << 20);
    held(&reserved).medium.reserved = true;
    bench.wait_bytes(&jobs[1], Phase::Write, 1 << 20);
    // The kernel notes it and does nothing.
    held(&grows).medium.resize(2 * SECTORS);
    for (job, rule) in jobs.iter().zip(["reserved-elsewhere", "other-capacity"]) {
        let job = bench.ends(job, Outcome::Inconclusive);
        assert!(rules(&job).contains(&rule), "{job:#?}");
    }
}

#[test]
fn disks_that_their_owner_has_locked_are_refused_and_what_is_known_of_others_warns() {
    let lab = Lab::new();
    let password = sata((1, "PLAYPASS"));
    held(&password).lock();
    let mut encrypted = SasDisk::new(SECTORS, "PLAYSED1", NAMES + 0x200);
    encrypted.lock();
    let opened = sata((3, "PLAYOPEN"));
    held(&opened).password = true;
    // Of which smartctl's database knows that it loses data.
    let buggy = sata((4, "PLAYBUGS"));
    held(&buggy).model = "SAMSUNG HD204UI".to_owned();
    held(&buggy).firmware = "1AQ10001".to_owned();
    let (_controller, _vm, bench) = boot(&lab, vec![password, shared(encrypted), opened, buggy]);
    for (serial, word) in [
        ("PLAYPASS", "locked by an ATA password"),
        ("PLAYSED1", "locked by its own encryption"),
    ] {
        let drive = bench.drive(serial, "refused", |d| d.refused.is_some());
        let refused = drive.refused.unwrap();
        assert!(
            refused.kind == "drive-locked" && refused.reason.contains(word),
            "{refused:#?}"
        );
    }
    // One whose password was given is open until it is without power.
    bench.save_playbook("self-tested", SELF_TESTED);
    let wanted = [("PLAYOPEN", "password-set"), ("PLAYBUGS", "known-fault")];
    let jobs = bench.burn(&wanted.map(|(serial, _)| serial), "self-tested");
    for ((serial, rule), job) in wanted.into_iter().zip(&jobs) {
        judged(serial, &bench.verdict(job, JOB), Outcome::Warn, Some(rule));
    }
}

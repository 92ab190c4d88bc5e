//! Random playbooks over random fault plans: every pattern, both directions, repeats, trim, headers.
//!
//! The oracle is the simulated drive itself: it knows of every read that brought other bytes than were last
//! acknowledged, and nothing of patterns. The set of bad sectors must equal that. Plans come from seeds; a failing one
//! names its seed. `KILN_PLANS` sets how many (default 1,000; with `KILN_LONG` a hundred times that).

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use burnin::device::Geometry;
use burnin::evidence::Evidence;
use burnin::header;
use burnin::pattern::Kernel;
use burnin::pipeline;
use burnin::playbook::{Direction, Fill, Playbook, Soak, Step, plain};
use burnin::runner;
use burnin::sheet::Sheet;
use burnin::sim::{Content, Fault, Plan, Sim, Trim};
use burnin::verdict::{Case, judge};
use burnin::worker::Report;
use common::{Dice, bad_lbas, faults, geometry, order, seeds};
use wire::Bytes;
use wire::job::{FaultKind, Outcome, Phase, PhaseStatus};

/// Some steps in an order that a playbook may have them in.
fn steps(dice: &mut Dice) -> Vec<Step> {
    let mut steps = Vec::new();
    let fills = [
        Fill::Keyed,
        Fill::Keyed,
        Fill::Complement,
        Fill::Aa,
        Fill::Fives,
        Fill::Ff,
        Fill::Zeros,
    ];
    for phase in [Phase::Probe, Phase::Sample] {
        if dice.below(3) == 0 {
            steps.push(Step::from(phase));
        }
    }
    for pass in 1..=1 + dice.below(3) as u8 {
        let fill = dice.one_of(&fills);
        let mut step = |phase| Step {
            fill,
            pass,
            order: dice.one_of(&[Direction::Forward, Direction::Reverse]),
            ..Step::from(phase)
        };
        steps.push(step(Phase::Write));
        steps.push(step(Phase::Verify));
        if dice.below(3) == 0 {
            let seek = Step::from(Phase::Seek);
            steps.push(Step {
                fill,
                pass,
                seconds: 1,
                ..seek
            });
        }
        if dice.below(4) == 0 {
            steps.push(Step::from(Phase::Trim));
            let check = Step::from(Phase::TrimCheck);
            steps.push(Step { fill, pass, ..check });
        }
    }
    steps
}

fn burn(seed: u64, dice: &mut Dice, geometry: Geometry, plan: Plan, steps: Vec<Step>) -> (Evidence, Sim) {
    let mut order = order(geometry, steps, dice);
    order.limits.stop_on_fake = false;
    order.limits.seeks_max = 40;
    order.limits.trim_bytes = u64::from(order.io.block) * 3;
    let mut sim = Sim::new(
        geometry,
        plan,
        1 + dice.below(5) as usize,
        order.io.block as usize,
        seed,
    );
    let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    (evidence, sim)
}

#[test]
fn a_healthy_drive_never_gives_an_alarm_whatever_the_playbook() {
    let mut kept = 0;
    for seed in seeds(1_000) {
        let mut dice = Dice(seed ^ 0x5_7e95);
        let steps = steps(&mut dice);
        let mut plan = Plan::healthy(dice.one_of(&[Content::Zeros, Content::Ones, Content::Random]));
        plan.volatile = dice.below(2) == 0;
        plan.trim = dice.one_of(&[
            Trim::Zeros,
            Trim::Zeros,
            Trim::Ignored,
            Trim::Refused,
            Trim::RefusedByDrive,
        ]);
        let trim = plan.trim;
        let geometry = geometry(&mut dice);
        let (evidence, sim) = burn(seed, &mut dice, geometry, plan, steps);
        assert!(
            evidence.defects.is_empty() && evidence.incidents.is_empty() && evidence.stopped.is_none(),
            "seed {seed}: {evidence:?}"
        );
        for record in &evidence.phases {
            let refused = matches!(trim, Trim::Refused | Trim::RefusedByDrive)
                && matches!(record.phase, Phase::Trim | Phase::TrimCheck);
            let due = if refused {
                PhaseStatus::Skipped
            } else {
                PhaseStatus::Done
            };
            assert_eq!(record.status, due, "seed {seed}: {record:?}");
            assert_eq!(record.unsupported.is_some(), refused, "seed {seed}");
            let done = if refused { Bytes(0) } else { record.total };
            assert!(record.total.0 == 0 || record.done == done, "seed {seed}: {record:?}");
            let keeps = trim == Trim::Ignored && record.phase == Phase::TrimCheck && record.work.fill != Fill::Zeros;
            assert_eq!(record.kept > 0, keeps, "seed {seed}: {record:?}");
            kept += record.kept;
        }
        let truth = sim.truth();
        let sectors = evidence.geometry.sectors;
        assert!(
            (0..sectors).all(|lba| truth.is_right(lba) && truth.was_seen(lba)),
            "seed {seed}"
        );
        assert_eq!(evidence.verified().0, evidence.geometry.bytes(), "seed {seed}");
    }
    assert!(kept > 0, "no plan ignored a trim");
}

#[test]
fn what_is_found_is_every_lie_whatever_the_playbook() {
    let mut kinds = BTreeSet::new();
    for seed in seeds(1_000) {
        let mut dice = Dice(seed ^ 0xbad_57e9);
        let steps = steps(&mut dice);
        let mut plan = Plan::with(Vec::new());
        plan.content = dice.one_of(&[Content::Zeros, Content::Ones, Content::Random]);
        plan.volatile = dice.below(2) == 0;
        let geometry = geometry(&mut dice);
        plan.faults = faults(&mut dice, geometry);
        plan.errno = dice.one_of(&[libc::EIO, libc::ENODATA]);
        let faults = plan.faults.clone();
        let text = format!("{plan:?}\n{steps:?}");
        let (evidence, sim) = burn(seed, &mut dice, geometry, plan, steps);
        let sectors = evidence.geometry.sectors;
        let mut due: BTreeSet<u64> = sim.lied().collect();
        due.extend((0..sectors).filter(|lba| sim.truth().fails(*lba)));
        assert_eq!(
            bad_lbas(&evidence),
            due,
            "seed {seed}: {text}\n{:#?}",
            evidence.findings()
        );
        assert_eq!(evidence.stopped, None, "seed {seed}");
        for finding in evidence.findings() {
            kinds.insert(finding.kind);
            let step = evidence
                .step(finding.step)
                .unwrap_or_else(|| panic!("seed {seed}: {finding:?}"));
            assert_eq!(step.phase, finding.phase, "seed {seed}");
        }
        let once = faults
            .iter()
            .any(|f| matches!(f, Fault::ReadErrorOnce { .. } | Fault::WriteErrorOnce { .. }));
        assert!(
            !once || !evidence.findings().is_empty(),
            "seed {seed}: an error that showed once was not told"
        );
    }
    for kind in [
        FaultKind::BitFlip,
        FaultKind::Corrupt,
        FaultKind::Misdirected,
        FaultKind::Stale,
        FaultKind::Transient,
    ] {
        assert!(kinds.contains(&kind), "no plan showed {kind:?}");
    }
}

#[test]
fn a_built_in_playbook_of_each_kind_runs_to_its_end() {
    for (name, book) in Playbook::all() {
        let mut dice = Dice(11);
        let geometry = geometry(&mut dice);
        let (evidence, sim) = burn(
            11,
            &mut dice,
            geometry,
            Plan::healthy(Content::Random),
            book.steps().to_vec(),
        );
        assert!(
            evidence.defects.is_empty() && evidence.stopped.is_none(),
            "{name}: {evidence:?}"
        );
        assert!(
            evidence
                .phases
                .iter()
                .all(|r| r.status == PhaseStatus::Done && r.rounds == 1),
            "{name}"
        );
        let wrote = (0..evidence.geometry.sectors).any(|lba| sim.truth().is_right(lba));
        assert_eq!(wrote, book.erases(), "{name}");
        assert_eq!(evidence.compares_all(), book.formats(), "{name}");
        assert_eq!(
            evidence.constant_only(),
            matches!(name, "erase" | "badblocks" | "preclear"),
            "{name}"
        );
        for surface in evidence.surfaces() {
            let accesses: u64 = surface.latencies.iter().sum();
            assert!(accesses > 0 && surface.latencies.len() < 40, "{name}");
        }
    }
}

/// Every bit both ways: what the second pass writes is the inverse of the first, wherever no header stands.
#[test]
fn the_second_write_of_thorough_inverts_every_bit_of_the_first() {
    for sector in [512, 4096] {
        let geometry = Geometry {
            sectors: 4_096,
            sector,
            physical: 4096,
        };
        let steps = Playbook::named("thorough").unwrap().steps().to_vec();
        let order = order(geometry, steps, &mut Dice(3));
        let sheet = Sheet::new(&order, Kernel::best());
        let words = geometry.sector as usize / 8;
        let written = |step: &Step| {
            let mut out = vec![0; words * geometry.sectors as usize];
            let (fill, pass) = (step.fill, step.pass);
            sheet.fill(&mut out, 0, pipeline::Content::Pattern { fill, pass });
            out
        };
        let writes: Vec<_> = order.steps.iter().filter(|step| step.phase == Phase::Write).collect();
        let [first, second] = writes[..] else {
            panic!("{writes:?}");
        };
        let (first, second) = (written(first), written(second));
        let places = header::places(geometry);
        let is_header = |lba: u64| places.iter().any(|(at, long)| (*at..at + long).contains(&lba));
        let mut inverse = 0;
        for (lba, (first, second)) in (0..).zip(first.chunks(words).zip(second.chunks(words))) {
            if !is_header(lba) {
                assert!(first.iter().zip(second).all(|(a, b)| *a == !*b), "LBA {lba}");
                inverse += 1;
            }
        }
        assert_eq!(
            inverse,
            geometry.sectors - places.iter().map(|(_, long)| long).sum::<u64>()
        );
    }
}

/// A write of a later pass that is lost leaves the pass before it, which is told as that, also where it is the bitwise inverse.
#[test]
fn a_lost_write_of_the_second_pass_is_told_as_the_first() {
    use Fill::{Complement, Keyed};
    for fills in [
        [Keyed, Complement],
        [Complement, Keyed],
        [Complement, Complement],
        [Keyed, Keyed],
    ] {
        let mut steps = Vec::new();
        for (fill, pass) in fills.into_iter().zip(1..) {
            let with = |step| Step { fill, pass, ..step };
            steps.extend(plain(&[Phase::Write, Phase::Verify]).into_iter().map(with));
        }
        let mut dice = Dice(4);
        let geometry = geometry(&mut dice);
        let lba = 30 / geometry.grain() * geometry.grain();
        let plan = Plan::with(vec![Fault::DropSecond { lba }]);
        let (evidence, _) = burn(4, &mut dice, geometry, plan, steps);
        let runs: Vec<_> = evidence
            .defects
            .runs()
            .map(|run| (run.step, run.first, run.fault))
            .collect();
        assert_eq!(
            runs,
            [(3, lba, burnin::findings::Fault::Stale { pass: 1 })],
            "{fills:?}"
        );
    }
}

#[test]
fn a_soak_repeats_its_block_until_its_time_is_over_and_every_round_has_its_own_pass() {
    let soak = Some(Soak {
        first: 0,
        last: 1,
        seconds: 3,
    });
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Seek]);
    steps[0].soak = soak;
    steps[1].soak = soak;
    steps[2].seconds = 1;
    let mut dice = Dice(5);
    let geometry = geometry(&mut dice);
    let (evidence, sim) = burn(5, &mut dice, geometry, Plan::healthy(Content::Zeros), steps);
    let rounds: Vec<u32> = evidence.phases.iter().map(|r| r.rounds).collect();
    assert!(rounds[0] > 5 && rounds[0] == rounds[1] && rounds[2] == 1, "{rounds:?}");
    let seconds: f64 = evidence.phases[..2].iter().map(|r| r.seconds).sum();
    assert!((3.0..4.0).contains(&seconds), "{seconds}");
    // A round has the time of one, and the slowest is slower than all together.
    for record in &evidence.phases[..2] {
        let moved: u64 = record.zones.zones().iter().map(|zone| zone.0).sum();
        let nanos: u64 = record.zones.zones().iter().map(|zone| zone.1).sum();
        let slowest = record.by_round.worst().next().unwrap();
        assert_eq!(slowest.bytes, moved / u64::from(record.rounds));
        assert!(slowest.nanos >= nanos / u64::from(record.rounds));
    }
    assert!(evidence.phases[2].by_round.is_empty());
    assert!(evidence.defects.is_empty() && evidence.stopped.is_none());
    assert!((0..evidence.geometry.sectors).all(|lba| sim.truth().is_right(lba)));
}

#[test]
fn what_is_left_of_a_job_holds_what_comes_after_its_soak() {
    let soak = Some(Soak {
        first: 0,
        last: 1,
        seconds: 10,
    });
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Seek]);
    steps[0].soak = soak;
    steps[1].soak = soak;
    steps[2].seconds = 5;
    let mut dice = Dice(6);
    let geometry = geometry(&mut dice);
    let mut order = order(geometry, steps, &mut dice);
    order.limits.seeks_max = 40;
    let mut sim = Sim::new(geometry, Plan::healthy(Content::Zeros), 2, order.io.block as usize, 6);
    let mut left = Vec::new();
    let mut keep = |report| {
        if let Report::Progress { progress, .. } = report
            && progress.step < 2
        {
            left.push(progress.eta_job);
        }
    };
    runner::run(&mut sim, &order, "simulated", &mut || None, &mut keep).unwrap();
    assert!(left.len() > 5, "{left:?}");
    for (now, then) in left.iter().zip(&left[1..]) {
        assert!(now > then && *then >= Some(5.0) && *now <= Some(15.0), "{left:?}");
    }
}

/// The time that the steps of a block took together.
fn soaked(evidence: &Evidence, soak: Soak) -> f64 {
    let block = evidence
        .phases
        .iter()
        .filter(|r| (soak.first..=soak.last).contains(&r.step));
    block.map(|r| r.seconds).sum()
}

/// What the drive cannot do ends no round: a block whose last step is skipped was done once, and passed as done for its hours.
#[test]
fn a_soak_that_ends_in_a_trim_check_takes_its_time_where_the_drive_refuses_trims() {
    let soak = Soak {
        first: 0,
        last: 3,
        seconds: 3,
    };
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck, Phase::Scan]);
    steps[..4].iter_mut().for_each(|step| step.soak = Some(soak));
    let mut dice = Dice(5);
    let mut plan = Plan::healthy(Content::Random);
    plan.trim = Trim::Refused;
    let geometry = geometry(&mut dice);
    let (evidence, _) = burn(5, &mut dice, geometry, plan, steps);
    let rounds: Vec<u32> = evidence.phases.iter().map(|r| r.rounds).collect();
    assert!(rounds[0] > 5 && rounds == [rounds[0], rounds[0], 0, 0, 1], "{rounds:?}");
    assert!(soaked(&evidence, soak) >= 3.0, "{evidence:?}");
    assert_eq!(evidence.phases[2].status, PhaseStatus::Skipped);
}

/// A step between the trim and its check changes nothing of that.
#[test]
fn a_check_of_a_trim_that_was_refused_is_skipped_wherever_it_comes() {
    let steps = plain(&[
        Phase::Write,
        Phase::Verify,
        Phase::Trim,
        Phase::Scan,
        Phase::TrimCheck,
        Phase::Write,
        Phase::Verify,
    ]);
    let mut dice = Dice(5);
    let mut plan = Plan::healthy(Content::Random);
    plan.trim = Trim::Refused;
    let geometry = geometry(&mut dice);
    let (evidence, _) = burn(5, &mut dice, geometry, plan, steps);
    let skipped: Vec<bool> = evidence
        .phases
        .iter()
        .map(|r| r.status == PhaseStatus::Skipped)
        .collect();
    assert_eq!(skipped, [false, false, true, false, true, false, false]);
}

/// Each round counts for itself: no drive keeps more sectors than it has.
#[test]
fn a_soak_over_a_drive_that_ignores_trims_tells_the_sectors_of_its_worst_round() {
    let soak = Soak {
        first: 0,
        last: 3,
        seconds: 3,
    };
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck]);
    for step in &mut steps {
        step.soak = Some(soak);
    }
    let mut dice = Dice(5);
    let mut plan = Plan::healthy(Content::Random);
    plan.trim = Trim::Ignored;
    let geometry = geometry(&mut dice);
    let (evidence, _) = burn(5, &mut dice, geometry, plan, steps);
    let check = &evidence.phases[3];
    assert!(check.rounds > 5, "{check:?}");
    assert!((1..=geometry.sectors).contains(&check.kept), "{check:?}");
    let verdict = judge(&Case::new(&evidence));
    let told = verdict.rules.iter().find(|hit| hit.id == "trim-kept");
    assert!(told.is_some_and(|hit| hit.value.starts_with("100")), "{verdict:?}");
}

/// The check looked for what a trim left, and not for what it took beside: the next write covered that.
#[test]
fn a_trim_that_takes_more_than_it_was_given_fails_the_drive_at_the_places_that_were_spared() {
    let mut dice = Dice(11);
    // Large enough for headers.
    let geometry = Geometry {
        sectors: 4_000,
        sector: 512,
        physical: 4096,
    };
    let mut steps = plain(&[Phase::Write, Phase::Trim, Phase::TrimCheck, Phase::Write, Phase::Verify]);
    steps[3].pass = 2;
    steps[4].pass = 2;
    for (trim, outcome) in [(Trim::Zeros, Outcome::Passed), (Trim::Beyond(1), Outcome::Failed)] {
        let mut plan = Plan::healthy(Content::Random);
        plan.trim = trim;
        let (evidence, _) = burn(11, &mut dice, geometry, plan, steps.clone());
        let verdict = judge(&Case::new(&evidence));
        assert_eq!(verdict.outcome, outcome, "{verdict:?}");
    }
}

/// Nothing of such a block can be done: it ends, and nobody says that it took its time.
#[test]
fn a_soak_of_trims_alone_ends_where_the_drive_refuses_them_and_is_not_passed() {
    let soak = Soak {
        first: 2,
        last: 3,
        seconds: 3_600,
    };
    let mut steps = plain(&[Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck]);
    steps[2..].iter_mut().for_each(|step| step.soak = Some(soak));
    let mut dice = Dice(5);
    let mut plan = Plan::healthy(Content::Random);
    plan.trim = Trim::Refused;
    let geometry = geometry(&mut dice);
    let (evidence, _) = burn(5, &mut dice, geometry, plan, steps);
    assert!(soaked(&evidence, soak) < 1.0, "{evidence:?}");
    let verdict = judge(&Case::new(&evidence));
    let short = verdict.rules.iter().find(|hit| hit.id == "soak-short");
    assert!(
        short.is_some_and(|hit| hit.outcome == Outcome::Inconclusive),
        "{verdict:?}"
    );
}

#[test]
fn a_healthy_drive_soaks_for_its_time_whatever_the_block_and_whatever_it_refuses() {
    let (mut refused, mut together) = (0, 0);
    for seed in seeds(150) {
        let mut dice = Dice(seed ^ 0x50a_4ed);
        let mut steps = steps(&mut dice);
        let writes: Vec<usize> = (0..steps.len()).filter(|at| steps[*at].phase == Phase::Write).collect();
        let first = writes[dice.below(writes.len() as u64) as usize];
        let last = first + dice.below((steps.len() - first) as u64) as usize;
        if steps[first..=last].iter().all(|step| step.phase != Phase::Trim) {
            continue;
        }
        let soak = Soak {
            first: first as u16,
            last: last as u16,
            seconds: 1,
        };
        steps[first..=last].iter_mut().for_each(|step| step.soak = Some(soak));
        let mut plan = Plan::healthy(dice.one_of(&[Content::Zeros, Content::Ones, Content::Random]));
        plan.trim = dice.one_of(&[Trim::Zeros, Trim::Ignored, Trim::Refused, Trim::RefusedByDrive]);
        let geometry = geometry(&mut dice);
        let text = format!("{plan:?}\n{steps:?}");
        let (evidence, _) = burn(seed, &mut dice, geometry, plan, steps);
        assert!(
            evidence.defects.is_empty() && evidence.incidents.is_empty() && evidence.stopped.is_none(),
            "seed {seed}: {text}\n{evidence:?}"
        );
        assert!(
            soaked(&evidence, soak) >= soak.seconds as f64,
            "seed {seed}: {text}\n{evidence:?}"
        );
        let rounds = evidence.phases[first].rounds;
        for (at, record) in evidence.phases.iter().enumerate() {
            let due = match record.unsupported {
                Some(_) => (PhaseStatus::Skipped, 0),
                None if (first..=last).contains(&at) => (PhaseStatus::Done, rounds),
                None => (PhaseStatus::Done, 1),
            };
            assert_eq!((record.status, record.rounds), due, "seed {seed}: {text}\n{record:?}");
            refused += u32::from(record.unsupported.is_some() && record.work.soak.is_some());
            together += u32::from(at == last && record.unsupported.is_some());
        }
        let short = judge(&Case::new(&evidence))
            .rules
            .into_iter()
            .find(|hit| hit.id == "soak-short");
        assert_eq!(short, None, "seed {seed}");
    }
    assert!(refused > 0 && together > 0, "{refused} {together}");
}

#[test]
fn a_scan_of_a_drive_with_data_changes_nothing_and_tells_what_cannot_be_read() {
    let faults = vec![
        Fault::ReadError { lba: 30 },
        Fault::Slow {
            lba: 35,
            millis: 15_000,
        },
    ];
    let mut dice = Dice(9);
    let geometry = geometry(&mut dice);
    let (evidence, sim) = burn(9, &mut dice, geometry, Plan::with(faults), plain(&[Phase::Scan]));
    let first = 30 / geometry.grain() * geometry.grain();
    let end = (first + geometry.grain()).min(geometry.sectors);
    assert_eq!(bad_lbas(&evidence), (first..end).collect());
    assert!(evidence.incidents_of(FaultKind::Slow) > 0);
    let before = burnin::sim::Origin::Before;
    assert!(
        (0..evidence.geometry.sectors).all(|lba| sim.truth().origin(lba) == before),
        "it was written to"
    );
    assert_eq!((evidence.verified().0, evidence.compares_all()), (0, false));
}

#[test]
fn false_capacity_is_told_as_that_with_headers_on_the_drive_too() {
    let geometry = Geometry {
        sectors: 4_096,
        sector: 512,
        physical: 512,
    };
    for (plan, kind) in [
        (
            Plan {
                real: Some(1_500),
                ..Plan::healthy(Content::Random)
            },
            FaultKind::WrapAround,
        ),
        (Plan::with(vec![Fault::Limbo { from: 3_000 }]), FaultKind::Truncated),
    ] {
        let mut dice = Dice(6);
        let (evidence, _) = burn(6, &mut dice, geometry, plan, plain(&[Phase::Write, Phase::Verify]));
        let findings = evidence.findings();
        assert_eq!(findings[0].kind, kind, "{findings:#?}");
        assert!(findings[0].detail.contains("stores only"), "{findings:#?}");
    }
}

#[test]
fn a_trim_that_fails_is_an_error_and_no_refusal() {
    for (trim, errors, status) in [
        (Trim::Fails, true, PhaseStatus::Skipped),
        (Trim::Refused, false, PhaseStatus::Skipped),
    ] {
        let mut dice = Dice(7);
        let mut plan = Plan::healthy(Content::Zeros);
        plan.trim = trim;
        let geometry = geometry(&mut dice);
        let steps = plain(&[Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck]);
        let (evidence, _) = burn(7, &mut dice, geometry, plan, steps);
        assert_eq!(evidence.incidents_of(FaultKind::WriteError) > 0, errors, "{trim:?}");
        assert_eq!(evidence.phases[2].status, status);
        assert_eq!(judge(&Case::new(&evidence)).outcome == Outcome::Failed, errors);
    }
}

/// What is located is bounded, and a bad sector that is met again takes nothing of it: not in seeks, and not in a later step.
#[test]
fn seeks_and_repeats_over_the_same_bad_sectors_name_these_alone() {
    let geometry = Geometry {
        sectors: 256,
        sector: 512,
        physical: 512,
    };
    let bad = [13, 22];
    let seek = Step {
        pass: 1,
        seconds: 1,
        ..Step::from(Phase::Seek)
    };
    let again = plain(&[Phase::Verify]);
    let steps = [plain(&[Phase::Write, Phase::Verify]), vec![seek], again.clone(), again].concat();
    let mut order = order(geometry, steps, &mut Dice(1));
    order.io.block = 512 * 64;
    order.limits.seeks_max = 200;
    order.limits.located_per_gib = 3;
    let plan = Plan::with(bad.map(|lba| Fault::ReadError { lba }).to_vec());
    let mut sim = Sim::new(geometry, plan, 3, order.io.block as usize, 1);
    let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    assert_eq!(bad_lbas(&evidence), BTreeSet::from(bad), "{:#?}", evidence.findings());
}

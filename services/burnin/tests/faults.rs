//! Random fault plans over the simulated drive: what is found equals what the oracle knows.
//!
//! The oracle (`sim::truth`) knows where each sector's content comes from and nothing of
//! patterns. Plans come from seeds; a failing one names its seed. `KILN_PLANS` sets how many
//! (default 10,000 healthy and 3,000 faulty; with `KILN_LONG` a hundred times that).

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::unchecked_time_subtraction,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;

use burnin::device::{Device, Geometry};
use burnin::evidence::Stop;
use burnin::playbook::plain;
use burnin::runner;
use burnin::sim::{Content, Fault, Origin, Plan, Sim, Trim};
use burnin::verdict::{Case, judge};
use burnin::worker::{Order, Report};
use common::{Dice, STANDARD, SURFACE, bad_lbas, bare as order, burn, faults, geometry, seeds};
use wire::job::{FaultKind, Outcome, Phase, PhaseStatus};

#[test]
fn a_healthy_drive_never_gives_an_alarm() {
    for seed in seeds(10_000) {
        let mut dice = Dice(seed);
        let geometry = geometry(&mut dice);
        let mut plan = Plan::healthy(dice.one_of(&[Content::Zeros, Content::Ones, Content::Random]));
        plan.volatile = dice.below(2) == 0;
        let phases: &[Phase] = if dice.below(2) == 0 { &SURFACE } else { &STANDARD };
        let order = order(geometry, plain(phases), &mut dice);
        let mut sim = Sim::new(
            geometry,
            plan,
            1 + dice.below(5) as usize,
            order.io.block as usize,
            seed,
        );
        let evidence = burn(&mut sim, &order);
        assert!(
            evidence.defects.is_empty() && evidence.incidents.is_empty(),
            "seed {seed}: {evidence:?}"
        );
        assert!(
            evidence
                .phases
                .iter()
                .all(|p| p.status == PhaseStatus::Done && p.done == p.total),
            "seed {seed}"
        );
        assert_eq!(evidence.verified().0, geometry.bytes(), "seed {seed}");
        assert!(
            (0..geometry.sectors).all(|lba| sim.truth().is_right(lba) && sim.truth().was_seen(lba)),
            "seed {seed}"
        );
    }
}

/// Kinds that a sector's real content may be called, from the plan and the origin alone.
fn kinds(sim: &Sim, plan: &Plan, geometry: Geometry, lba: u64) -> Vec<FaultKind> {
    let beside = |bad: u64| bad / geometry.grain() == lba / geometry.grain();
    let fades = |fault: &Fault| matches!(fault, Fault::Fades { lba: bad } if beside(*bad));
    if plan.faults.iter().any(fades) && sim.truth().fails(lba) {
        // What was seen before it faded is believed.
        return vec![FaultKind::ReadError, FaultKind::BitFlip];
    }
    for fault in &plan.faults {
        match fault {
            Fault::ReadError { lba: bad } if beside(*bad) => return vec![FaultKind::ReadError],
            Fault::WriteError { lba: bad } if beside(*bad) => return vec![FaultKind::WriteError],
            Fault::FlipOnce { lba: bad, .. } if *bad == lba => return vec![FaultKind::Transient],
            Fault::Flip { lba: bad, .. } if *bad == lba => return vec![FaultKind::BitFlip],
            Fault::Tear { lba: bad } if *bad == lba => return vec![FaultKind::Corrupt],
            _ => {}
        }
    }
    match sim.truth().origin(lba) {
        Origin::Write { lba: of, .. } if of == lba => vec![FaultKind::Stale],
        Origin::Write { .. } => vec![FaultKind::Misdirected],
        // What was there before cannot be told from garbage, nor a lost write over zeros from zeros.
        Origin::Before => match plan.content {
            Content::Zeros => vec![FaultKind::Zeroed, FaultKind::Truncated],
            Content::Ones => vec![FaultKind::Corrupt, FaultKind::Truncated],
            Content::Random => vec![FaultKind::LostWrite, FaultKind::Truncated],
        },
        // Another sector's damaged data was misdirected here.
        Origin::Damaged => vec![
            FaultKind::BitFlip,
            FaultKind::Corrupt,
            FaultKind::Misdirected,
            FaultKind::LostWrite,
        ],
    }
}

#[test]
fn what_is_found_is_what_the_oracle_knows() {
    let mut seen = BTreeSet::new();
    for seed in seeds(3_000) {
        let mut dice = Dice(seed ^ 0xfa_0175);
        let geometry = geometry(&mut dice);
        let mut plan = Plan::with(faults(&mut dice, geometry));
        plan.content = dice.one_of(&[Content::Zeros, Content::Ones, Content::Random]);
        plan.volatile = dice.below(2) == 0;
        plan.errno = dice.one_of(&[libc::EIO, libc::ENODATA]);
        let order = order(geometry, plain(&SURFACE), &mut dice);
        let mut sim = Sim::new(
            geometry,
            plan.clone(),
            1 + dice.below(4) as usize,
            order.io.block as usize,
            seed,
        );
        let evidence = burn(&mut sim, &order);

        let mut due: BTreeSet<u64> = sim.truth().bad().into_iter().collect();
        due.extend(plan.faults.iter().filter_map(|f| match f {
            Fault::FlipOnce { lba, .. } => Some(*lba),
            _ => None,
        }));
        assert_eq!(
            bad_lbas(&evidence),
            due,
            "seed {seed}: {plan:?}\n{:#?}",
            evidence.findings()
        );
        for finding in evidence.defects.findings(geometry) {
            let first = finding.lba.unwrap().0;
            for lba in first..first + finding.sectors {
                let may = kinds(&sim, &plan, geometry, lba);
                assert!(
                    may.contains(&finding.kind),
                    "seed {seed}: LBA {lba} is {may:?}, told as {finding:?}\n{plan:?}"
                );
            }
            if finding.kind == FaultKind::Misdirected
                && let Origin::Write { lba, .. } = sim.truth().origin(first)
            {
                assert_eq!(finding.found.unwrap().0, lba, "seed {seed}: {finding:?}");
            }
            seen.insert(finding.kind);
        }
        let once = plan
            .faults
            .iter()
            .filter(|f| matches!(f, Fault::ReadErrorOnce { .. } | Fault::WriteErrorOnce { .. }))
            .count();
        // Beside what stays unreadable it tells nothing more, and that may have been wrong before.
        let faded = plan
            .faults
            .iter()
            .any(|f| matches!(f, Fault::Fades { lba } if sim.truth().fails(*lba)));
        let is_error = |kind| matches!(kind, FaultKind::ReadError | FaultKind::WriteError);
        let told = !evidence.incidents.is_empty() || evidence.findings().iter().any(|f| is_error(f.kind));
        assert!(
            once == 0 || told || faded,
            "seed {seed}: an error that showed once was not told: {plan:?}"
        );
        assert_eq!(evidence.stopped, None, "seed {seed}");
    }
    for kind in [
        FaultKind::BitFlip,
        FaultKind::Corrupt,
        FaultKind::LostWrite,
        FaultKind::Misdirected,
        FaultKind::Zeroed,
        FaultKind::ReadError,
        FaultKind::WriteError,
        FaultKind::Transient,
    ] {
        assert!(seen.contains(&kind), "no plan showed {kind:?}");
    }
}

#[test]
fn a_drive_that_wraps_around_is_found_and_its_real_size_named() {
    for seed in seeds(300) {
        let mut dice = Dice(seed ^ 0x3a9);
        let geometry = Geometry {
            sectors: 400 + dice.below(2_000),
            sector: 512,
            physical: 512,
        };
        let order = order(geometry, plain(&SURFACE), &mut dice);
        let apart = u64::from(order.io.block) / 512 * 5;
        let real = apart + dice.below(geometry.sectors - apart - 8);
        let plan = Plan {
            real: Some(real),
            ..Plan::healthy(Content::Random)
        };
        let mut sim = Sim::new(geometry, plan, 4, order.io.block as usize, seed);
        let evidence = burn(&mut sim, &order);
        assert_eq!(
            bad_lbas(&evidence),
            sim.truth().bad().into_iter().collect(),
            "seed {seed}"
        );
        let findings = evidence.findings();
        assert!(
            findings.iter().all(|f| f.kind == FaultKind::WrapAround),
            "seed {seed}: {findings:?}"
        );
        assert!(findings[0].detail.contains("stores only"), "{findings:?}");
    }
}

#[test]
fn the_probe_finds_missing_capacity_in_seconds_and_ends_the_job() {
    let geometry = Geometry {
        sectors: 4_096,
        sector: 512,
        physical: 512,
    };
    for (plan, kind) in [
        (
            Plan {
                real: Some(1_024),
                ..Plan::healthy(Content::Random)
            },
            FaultKind::WrapAround,
        ),
        (Plan::with(vec![Fault::Limbo { from: 3_000 }]), FaultKind::Truncated),
        (
            Plan::with((3_000..4_096).map(|lba| Fault::DropWrite { lba }).collect()),
            FaultKind::Truncated,
        ),
    ] {
        let mut dice = Dice(5);
        let order = order(geometry, plain(&STANDARD), &mut dice);
        let mut sim = Sim::new(geometry, plan.clone(), 4, order.io.block as usize, 5);
        let evidence = burn(&mut sim, &order);
        assert_eq!(evidence.stopped, Some(Stop::FakeCapacity), "{plan:?}");
        let findings = evidence.findings();
        assert!(findings.iter().all(|f| f.kind == kind), "{findings:?}");
        if kind == FaultKind::Truncated {
            let [told] = &findings[..] else { panic!("{findings:?}") };
            let first = told.lba.unwrap().0;
            assert!((3_000..3_100).contains(&first), "{told:?}");
            assert_eq!(first + told.sectors, geometry.sectors, "{told:?}");
            assert!(told.detail.contains("stores at most"), "{told:?}");
        }
        assert_eq!(evidence.phase(Phase::Write).unwrap().status, PhaseStatus::Skipped);
    }
}

/// A disk of 512-byte sectors that are eight to a physical one.
const ADVANCED: Geometry = Geometry {
    sectors: 4_096,
    sector: 512,
    physical: 4096,
};

/// One physical sector that loses its writes is a defect like any other, wherever the probe looks: the write phase tells of it.
#[test]
fn a_lost_write_where_the_probe_looks_is_no_false_capacity() {
    for geometry in [
        ADVANCED,
        Geometry {
            physical: 512,
            ..ADVANCED
        },
    ] {
        let last = geometry.sectors - geometry.grain();
        for lba in [2_048, last] {
            let mut dice = Dice(5);
            let order = order(geometry, plain(&STANDARD), &mut dice);
            let mut sim = Sim::new(
                geometry,
                Plan::with(vec![Fault::DropWrite { lba }]),
                4,
                order.io.block as usize,
                5,
            );
            let evidence = burn(&mut sim, &order);
            assert_eq!(evidence.stopped, None, "LBA {lba} of {geometry:?}");
            assert!(!evidence.defects.is_empty());
            let findings = evidence.findings();
            let kinds = [FaultKind::LostWrite, FaultKind::Stale];
            assert!(findings.iter().all(|f| kinds.contains(&f.kind)), "{findings:#?}");
            assert!(findings.iter().any(|f| f.phase == Phase::Probe), "{findings:#?}");
            assert_eq!(bad_lbas(&evidence), (lba..lba + geometry.grain()).collect());
        }
    }
}

/// Reads that went to a wrong place tell of no capacity where the distance holds nowhere else.
#[test]
fn misdirected_reads_where_the_probe_looks_are_no_false_capacity() {
    for (one, other) in [((2_048, 1_024), (512, 256)), ((2_048, 64), (1_024, 520))] {
        let mut dice = Dice(5);
        let order = order(ADVANCED, plain(&STANDARD), &mut dice);
        let faults = [one, other].map(|(from, to)| Fault::MisdirectRead { from, to });
        let mut sim = Sim::new(ADVANCED, Plan::with(faults.to_vec()), 4, order.io.block as usize, 5);
        let evidence = burn(&mut sim, &order);
        assert_eq!(evidence.stopped, None, "{one:?} {other:?}");
        let findings = evidence.findings();
        let capacity = [FaultKind::WrapAround, FaultKind::Truncated];
        assert!(!findings.iter().any(|f| capacity.contains(&f.kind)), "{findings:#?}");
        assert!(
            findings.iter().any(|f| f.kind == FaultKind::Misdirected),
            "{findings:#?}"
        );
        assert!(bad_lbas(&evidence).contains(&one.0));
    }
}

/// What is read again begins and ends with whole physical sectors, and so does what is located in it.
#[test]
fn what_cannot_be_read_a_second_time_takes_no_neighbours_along() {
    let unreadable = 8..16;
    for wrong in [vec![3, 21], vec![11], vec![10, 13], vec![15, 30], vec![2, 8]] {
        let mut faults: Vec<Fault> = wrong.iter().map(|lba| Fault::Flip { lba: *lba, bit: 9 }).collect();
        faults.push(Fault::Fades { lba: 12 });
        let mut order = order(ADVANCED, plain(&SURFACE), &mut Dice(3));
        order.io.block = 4096 * 4;
        let mut sim = Sim::new(ADVANCED, Plan::with(faults), 3, order.io.block as usize, 3);
        let evidence = burn(&mut sim, &order);
        let due: BTreeSet<u64> = wrong.iter().copied().chain(unreadable.clone()).collect();
        assert_eq!(bad_lbas(&evidence), due, "{wrong:?}: {:#?}", evidence.findings());
    }
}

/// What was wrong once, and is right when it is read again beside what cannot be: each is told as what it is.
#[test]
fn what_cannot_be_read_a_second_time_proves_nothing_of_its_neighbours() {
    let faults = vec![
        Fault::FlipOnce { lba: 3, bit: 9 },
        Fault::Fades { lba: 12 },
        Fault::Flip { lba: 21, bit: 9 },
    ];
    let mut order = order(ADVANCED, plain(&SURFACE), &mut Dice(3));
    order.io.block = 4096 * 4;
    let mut sim = Sim::new(ADVANCED, Plan::with(faults), 3, order.io.block as usize, 3);
    let findings = burn(&mut sim, &order).findings();
    let mut told: Vec<_> = findings.iter().map(|f| (f.lba.unwrap().0, f.kind, f.sectors)).collect();
    told.sort_by_key(|(lba, ..)| *lba);
    let due = [
        (3, FaultKind::Transient, 1),
        (8, FaultKind::ReadError, 8),
        (21, FaultKind::BitFlip, 1),
    ];
    assert_eq!(told, due, "{findings:#?}");
}

/// The kernel makes one command of accesses that lie side by side: those that fail with a bad sector of another one have no part in it.
#[test]
fn what_failed_in_one_command_with_a_bad_sector_is_not_told_as_its_place() {
    let mut innocent = 0;
    for seed in seeds(600) {
        let mut dice = Dice(seed ^ 0x3e_26e5);
        let geometry = geometry(&mut dice);
        let bad = dice.below(geometry.sectors);
        let (fault, rule) = dice.one_of(&[
            (Fault::ReadError { lba: bad }, "read-error"),
            (Fault::WriteError { lba: bad }, "write-error"),
        ]);
        let plan = Plan {
            merges: true,
            ..Plan::with(vec![fault])
        };
        let order = order(geometry, plain(&SURFACE), &mut dice);
        let mut sim = Sim::new(geometry, plan, 5, order.io.block as usize, seed);
        let evidence = burn(&mut sim, &order);
        let first = bad / geometry.grain() * geometry.grain();
        let end = (first + geometry.grain()).min(geometry.sectors);
        assert_eq!(bad_lbas(&evidence), (first..end).collect(), "seed {seed}");
        let verdict = judge(&Case::new(&evidence));
        assert_eq!(verdict.outcome, Outcome::Failed, "seed {seed}");
        let hit = verdict.rules.iter().find(|hit| hit.id == rule);
        let sectors = match end - first {
            1 => "1 sector".to_owned(),
            n => format!("{n} sectors"),
        };
        assert_eq!(hit.map(|hit| &hit.value), Some(&sectors), "seed {seed}: {verdict:#?}");
        let place = format!("({sectors}; first at LBA {first}: ");
        assert!(verdict.summary.contains(&place), "seed {seed}: {}", verdict.summary);
        // The error is the medium's own word, and stays one.
        let medium = verdict.rules.iter().any(|hit| hit.id == "medium-error");
        assert_eq!(medium, !evidence.incidents.is_empty(), "seed {seed}: {evidence:#?}");
        innocent += evidence.incidents.len();
    }
    assert!(innocent > 0, "no access failed with a neighbour");
}

/// What the medium could not take is the drive's own word, also where it takes it on the second try; all else blames the link as well.
#[test]
fn a_write_that_failed_once_is_judged_by_who_failed_it() {
    for (fault, own) in [
        (Fault::WriteErrorOnce { lba: 100 }, FaultKind::WriteError),
        (Fault::ReadErrorOnce { lba: 100 }, FaultKind::ReadError),
    ] {
        for (errno, kind, outcome, rule) in [
            (libc::ENODATA, own, Outcome::Failed, "medium-error"),
            (
                libc::EIO,
                FaultKind::Transient,
                Outcome::Inconclusive,
                "error-not-reproduced",
            ),
            (
                libc::ETIMEDOUT,
                FaultKind::Transient,
                Outcome::Inconclusive,
                "error-not-reproduced",
            ),
            (
                libc::ENOLINK,
                FaultKind::Transient,
                Outcome::Inconclusive,
                "error-not-reproduced",
            ),
        ] {
            let order = order(ADVANCED, plain(&SURFACE), &mut Dice(4));
            let plan = Plan {
                errno,
                ..Plan::with(vec![fault])
            };
            let mut sim = Sim::new(ADVANCED, plan, 3, order.io.block as usize, 4);
            let evidence = burn(&mut sim, &order);
            let kinds: Vec<FaultKind> = evidence.incidents.iter().map(|told| told.kind).collect();
            assert_eq!(
                (kinds, evidence.defects.is_empty()),
                (vec![kind], true),
                "{fault:?}, {errno}"
            );
            let verdict = judge(&Case::new(&evidence));
            assert_eq!(verdict.outcome, outcome, "{fault:?}, {errno}: {verdict:#?}");
            let fired: Vec<&str> = verdict.rules.iter().map(|hit| hit.id.as_str()).collect();
            assert!(
                fired.contains(&rule) && !fired.contains(&"flush-error"),
                "{fault:?}, {errno}: {fired:?}"
            );
        }
    }
}

#[test]
fn a_tail_that_is_not_stored_is_called_truncated() {
    let geometry = Geometry {
        sectors: 4_096,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(6);
    let order = order(geometry, plain(&SURFACE), &mut dice);
    let plan = Plan::with(vec![Fault::Limbo { from: 3_000 }]);
    let mut sim = Sim::new(geometry, plan, 4, order.io.block as usize, 6);
    let evidence = burn(&mut sim, &order);
    let findings = evidence.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].kind, findings[0].sectors), (FaultKind::Truncated, 1_096));
}

#[test]
fn hang_slow_and_disconnect_are_evidence_with_a_place() {
    let geometry = Geometry {
        sectors: 500,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(7);
    let order = order(geometry, plain(&SURFACE), &mut dice);
    let burn = |fault| {
        let mut sim = Sim::new(geometry, Plan::with(vec![fault]), 3, order.io.block as usize, 7);
        let evidence = burn(&mut sim, &order);
        (evidence.stopped.clone(), evidence.incidents.clone(), evidence)
    };
    let (stopped, incidents, evidence) = burn(Fault::Hang { lba: 250 });
    assert_eq!(stopped, Some(Stop::Hung));
    assert_eq!(incidents[0].kind, FaultKind::Hang);
    assert!(
        incidents[0]
            .lba
            .is_some_and(|lba| lba.0 <= 250 && lba.0 + incidents[0].sectors > 250),
        "{incidents:?}"
    );
    assert_eq!(evidence.phase(Phase::Write).unwrap().status, PhaseStatus::Interrupted);

    let trim = Order {
        steps: plain(&[Phase::Trim]),
        ..order.clone()
    };
    let mut sim = Sim::new(geometry, Plan::with(vec![Fault::Hang { lba: 250 }]), 3, 8 << 10, 7);
    let told = self::burn(&mut sim, &trim).incidents[0].detail.clone();
    // Four times the patience of any other access.
    let waited = trim.limits.hang_ms * 4 / 1000;
    assert_eq!(told, format!("a trim has not come back for {waited} s"));

    let (stopped, incidents, _) = burn(Fault::Slow {
        lba: 99,
        millis: 12_000,
    });
    assert_eq!(
        (stopped, incidents.len(), incidents[0].kind),
        (None, 2, FaultKind::Slow),
        "{incidents:?}"
    );

    for fault in [Fault::Disconnect { lba: 480 }, Fault::Offline { lba: 480 }] {
        let (stopped, incidents, evidence) = burn(fault);
        assert_eq!(stopped, Some(Stop::Disconnected));
        assert_eq!(incidents.last().unwrap().kind, FaultKind::Disconnect);
        assert!(
            evidence.defects.is_empty(),
            "a drive that went away has no bad sectors: {evidence:?}"
        );
    }
}

/// A drive that is "becoming ready" for ever fails each access just before the kernel's patience is over, so none of them hangs: of
/// 20,000 errors the last would come after months.
#[test]
fn a_drive_that_does_nothing_for_an_hour_of_accesses_is_given_up() {
    let geometry = Geometry {
        sectors: 500,
        sector: 512,
        physical: 512,
    };
    let order = order(geometry, plain(&SURFACE), &mut Dice(7));
    let of = |millis, errno| {
        let stuck = Fault::Stuck {
            from: 250,
            millis,
            errno,
        };
        let mut sim = Sim::new(geometry, Plan::with(vec![stuck]), 3, order.io.block as usize, 7);
        let mut session = runner::Session::new(&sim, &order, "simulated").unwrap();
        while !session.is_over() {
            session.step(&mut sim);
        }
        (session.evidence().stopped.clone(), sim.now().as_secs())
    };
    let (stopped, seconds) = of(177_000, libc::EIO);
    assert_eq!(stopped, Some(Stop::Hung));
    assert!((1200..=3800).contains(&seconds), "{seconds} s");
    // One that fails at once does not, and neither does one that names its medium: that is an answer.
    assert_eq!(of(0, libc::EIO).0, None);
    assert_eq!(of(177_000, libc::ENODATA).0, None);
}

/// Who ends a job whose drive holds an access is told so, before the agent's patience with the worker is over.
#[test]
fn a_job_that_is_ended_while_its_drive_hangs_says_so_with_its_place() {
    let geometry = Geometry {
        sectors: 500,
        sector: 512,
        physical: 512,
    };
    let order = order(geometry, plain(&SURFACE), &mut Dice(7));
    let seconds = std::time::Duration::from_secs;
    // Ended so many seconds after the access began.
    let ended = |fault: Fault, after: u64| {
        let mut sim = Sim::new(geometry, Plan::with(vec![fault]), 3, order.io.block as usize, 7);
        let mut session = runner::Session::new(&sim, &order, "simulated").unwrap();
        // All before it takes milliseconds.
        while sim.now() < seconds(after) {
            session.step(&mut sim);
        }
        let asked = sim.now();
        session.stop(asked, "ended by ann");
        while !session.is_over() {
            session.step(&mut sim);
        }
        (session.evidence().clone(), sim.now() - asked)
    };
    for (after, within) in [(15, 1), (1, 10)] {
        let (evidence, took) = ended(Fault::Hang { lba: 250 }, after);
        assert!(took <= seconds(within), "{after} s: {took:?}");
        assert!(matches!(&evidence.stopped, Some(Stop::Asked { why }) if why == "ended by ann"));
        let held = evidence.held.clone().unwrap();
        assert!(
            held.starts_with("a write at LBA 2") && held.contains("had not come back for 1"),
            "{held}"
        );
        let told = judge(&Case::new(&evidence));
        assert_eq!(told.outcome, Outcome::Inconclusive);
        assert!(told.summary.contains("A write at LBA"), "{}", told.summary);
        // It is no finding: whoever only rests goes on without one, and it excuses none of the drive's other accesses.
        assert!(evidence.findings().is_empty(), "{:?}", evidence.findings());
    }
    // It answers, if slowly.
    let slow = Fault::Slow {
        lba: 250,
        millis: 9_000,
    };
    let (evidence, took) = ended(slow, 5);
    assert!(
        evidence.held.is_none() && evidence.incidents.is_empty() && took >= seconds(3),
        "{took:?} {:?}",
        evidence.incidents
    );
    assert!(matches!(evidence.stopped, Some(Stop::Asked { .. })));
}

#[test]
fn a_drive_that_another_computer_has_reserved_is_not_blamed() {
    let geometry = Geometry {
        sectors: 500,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(8);
    // From the first write on, in the middle of them, and after all but the last.
    for lba in [0, 250, 499] {
        for (times, phases) in [(0, &SURFACE[..]), (1, &STANDARD), (1, &[Phase::Trim, Phase::TrimCheck])] {
            let order = order(geometry, plain(phases), &mut dice);
            // Flushes that fail before are tried again, and then refused.
            let plan = Plan::with(vec![Fault::Reserved { lba }, Fault::FlushError { times }]);
            let mut sim = Sim::new(geometry, plan, 3, order.io.block as usize, 8);
            let evidence = burn(&mut sim, &order);
            assert_eq!(evidence.stopped, Some(Stop::Reserved), "{lba} {phases:?}");
            assert!(evidence.defects.is_empty(), "{evidence:?}");
            assert!(
                evidence.incidents.iter().all(|i| i.kind == FaultKind::Transient),
                "{evidence:?}"
            );
            let verdict = judge(&Case::new(&evidence));
            assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:?}");
            assert!(
                verdict.summary.contains("nother computer has reserved"),
                "{}",
                verdict.summary
            );
        }
    }
}

/// `EREMOTEIO` is a refusal and a failure of the hardware alike: a second try tells them apart, and so does a trim that went well before.
#[test]
fn a_trim_that_the_hardware_fails_is_not_taken_for_a_refusal() {
    let geometry = Geometry {
        sectors: 500,
        sector: 512,
        physical: 512,
    };
    let steps = plain(&[Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck]);
    let run = |faults: Vec<Fault>, trim, errno, slots, seed| {
        let mut order = order(geometry, steps.clone(), &mut Dice(seed));
        order.limits.trim_bytes = 10 << 10;
        let plan = Plan {
            errno,
            trim,
            ..Plan::with(faults)
        };
        let mut sim = Sim::new(geometry, plan, slots, order.io.block as usize, seed);
        burn(&mut sim, &order)
    };
    let once = |lba| vec![Fault::TrimErrorOnce { lba }];
    let always = |lba| vec![Fault::TrimError { lba }];
    for seed in seeds(60) {
        // A failure once: the step is done, and the error told; the first trim of all is no exception.
        for lba in [0, 200] {
            let evidence = run(once(lba), Trim::Zeros, libc::EREMOTEIO, 1 + seed as usize % 5, seed);
            let told: Vec<_> = evidence.incidents.iter().map(|told| (told.kind, told.phase)).collect();
            assert_eq!(
                told,
                [(FaultKind::Transient, Phase::Trim)],
                "seed {seed}, {lba}: {evidence:#?}"
            );
            assert_eq!(evidence.phases[2].status, PhaseStatus::Done, "seed {seed}, {lba}");
            let verdict = judge(&Case::new(&evidence));
            assert_eq!(
                verdict.outcome,
                Outcome::Inconclusive,
                "seed {seed}, {lba}: {verdict:#?}"
            );
        }
        // A failure for good after others went well, by either word that may be one.
        for errno in [libc::EREMOTEIO, libc::EINVAL] {
            let evidence = run(always(200), Trim::Zeros, errno, 1 + seed as usize % 5, seed);
            let kinds: BTreeSet<FaultKind> = evidence.incidents.iter().map(|told| told.kind).collect();
            assert_eq!(
                kinds,
                BTreeSet::from([FaultKind::Transient]),
                "seed {seed}, {errno}: {evidence:#?}"
            );
            assert_eq!(evidence.phases[2].status, PhaseStatus::Skipped, "seed {seed}, {errno}");
            let why = evidence.phases[2].unsupported.as_deref();
            assert_eq!(why, Some("a trim failed"), "seed {seed}, {errno}");
            let verdict = judge(&Case::new(&evidence));
            assert_eq!(
                verdict.outcome,
                Outcome::Inconclusive,
                "seed {seed}, {errno}: {verdict:#?}"
            );
        }
        // A refusal, whether the kernel knew of it, learns it now, or told those as done that it learnt it from.
        for trim in [Trim::Refused, Trim::RefusedByDrive, Trim::RefusedUntold] {
            let evidence = run(Vec::new(), trim, libc::EIO, 1 + seed as usize % 5, seed);
            assert!(evidence.incidents.is_empty(), "seed {seed}, {trim:?}: {evidence:#?}");
            assert_eq!(evidence.phases[2].status, PhaseStatus::Skipped, "seed {seed}, {trim:?}");
            let verdict = judge(&Case::new(&evidence));
            assert_eq!(verdict.outcome, Outcome::Warn, "seed {seed}, {trim:?}: {verdict:#?}");
        }
    }
}

/// A flush or a trim that fails is tried again like any other access: a drive that is being pulled fails all of them for a while.
#[test]
fn a_flush_or_a_trim_is_tried_again_before_it_is_held_against_the_drive() {
    let geometry = Geometry {
        sectors: 500,
        sector: 512,
        physical: 512,
    };
    let steps = plain(&[Phase::Trim, Phase::Write, Phase::Verify]);
    let mut order = order(geometry, steps, &mut Dice(7));
    order.limits.trim_bytes = 10 << 10;
    let run = |fault, errno| {
        let plan = Plan {
            errno,
            ..Plan::with(vec![fault])
        };
        let mut sim = Sim::new(geometry, plan, 3, order.io.block as usize, 7);
        burn(&mut sim, &order)
    };
    let (eio, own_word) = (libc::EIO, libc::ENODATA);
    for (fault, errno, kind, outcome) in [
        (
            Fault::FlushError { times: 1 },
            eio,
            FaultKind::Transient,
            Outcome::Inconclusive,
        ),
        (
            Fault::FlushError { times: 3 },
            eio,
            FaultKind::Transient,
            Outcome::Inconclusive,
        ),
        (
            // The first, and three more, since others went well meanwhile.
            Fault::FlushError { times: 5 },
            eio,
            FaultKind::WriteError,
            Outcome::Failed,
        ),
        (
            Fault::FlushError { times: 1 },
            own_word,
            FaultKind::WriteError,
            Outcome::Failed,
        ),
        (
            Fault::TrimErrorOnce { lba: 200 },
            eio,
            FaultKind::Transient,
            Outcome::Inconclusive,
        ),
        (
            Fault::TrimErrorOnce { lba: 200 },
            own_word,
            FaultKind::WriteError,
            Outcome::Failed,
        ),
        (
            Fault::DisconnectInFlush,
            eio,
            FaultKind::Disconnect,
            Outcome::Inconclusive,
        ),
        (
            Fault::Disconnect { lba: 200 },
            eio,
            FaultKind::Disconnect,
            Outcome::Inconclusive,
        ),
    ] {
        let evidence = run(fault, errno);
        let mut kinds: Vec<FaultKind> = evidence.incidents.iter().map(|told| told.kind).collect();
        kinds.dedup();
        assert_eq!(kinds, [kind], "{fault:?}: {evidence:#?}");
        assert_eq!(evidence.stopped.is_some(), kind == FaultKind::Disconnect, "{fault:?}");
        assert!(evidence.defects.is_empty(), "{fault:?}: {evidence:#?}");
        assert_eq!(judge(&Case::new(&evidence)).outcome, outcome, "{fault:?}");
    }
}

#[test]
fn a_dead_zone_is_bounded_in_work_and_told_as_a_whole() {
    let geometry = Geometry {
        sectors: 2_000,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(8);
    let mut order = order(geometry, plain(&SURFACE), &mut dice);
    order.io.block = 512 * 16;
    order.limits.located_per_gib = 8;
    let faults = (500..900).map(|lba| Fault::ReadError { lba }).collect();
    let mut sim = Sim::new(geometry, Plan::with(faults), 3, order.io.block as usize, 8);
    let evidence = burn(&mut sim, &order);
    let bad = bad_lbas(&evidence);
    assert!((500..900).all(|lba| bad.contains(&lba)));
    assert!(bad.len() < 400 + 2 * 16, "told {} sectors", bad.len());
    order.limits.errors_max = 20;
    let faults = (500..900).map(|lba| Fault::ReadError { lba }).collect();
    let mut sim = Sim::new(geometry, Plan::with(faults), 3, order.io.block as usize, 8);
    assert_eq!(burn(&mut sim, &order).stopped, Some(Stop::TooManyErrors));
}

/// Half of a block was read again and was right when the errors ran out, and of the other half nothing was tried by itself.
#[test]
fn what_was_read_is_not_told_as_unreadable_where_the_errors_run_out() {
    let geometry = Geometry {
        sectors: 256,
        sector: 512,
        physical: 512,
    };
    let mut order = order(geometry, plain(&SURFACE), &mut Dice(8));
    order.io.block = 512 * 64;
    for (errors_max, bad) in [(1, 0), (8, 1)] {
        order.limits.errors_max = errors_max;
        let plan = Plan::with(vec![Fault::ReadError { lba: 60 }]);
        let mut sim = Sim::new(geometry, plan, 1, order.io.block as usize, 8);
        let evidence = burn(&mut sim, &order);
        assert_eq!(evidence.stopped, Some(Stop::TooManyErrors));
        assert_eq!(bad_lbas(&evidence), (60..60 + bad).collect(), "{errors_max} errors");
        let outcome = judge(&Case::new(&evidence)).outcome;
        assert_eq!(outcome == Outcome::Failed, bad > 0, "{errors_max} errors: {outcome:?}");
    }
}

#[test]
fn what_shows_once_is_told_at_once() {
    // Who keeps what is told must have it before a cut, not a second later; the whole run takes less than one here.
    let geometry = Geometry {
        sectors: 400,
        sector: 512,
        physical: 512,
    };
    let mut dice = Dice(9);
    let mut order = order(geometry, plain(&SURFACE), &mut dice);
    order.io.block = 512 * 8;
    let plan = Plan::with(vec![Fault::FlipOnce { lba: 9, bit: 5 }]);
    let mut sim = Sim::new(geometry, plan, 3, order.io.block as usize, 9);
    let mut told = Vec::new();
    let mut emit = |report| match report {
        Report::Findings { findings, .. } if !findings.is_empty() => told.push("finding"),
        Report::PhaseDone { .. } => told.push("phase"),
        _ => {}
    };
    runner::run(&mut sim, &order, "simulated", &mut || None, &mut emit).unwrap();
    assert_eq!(told, ["phase", "finding", "phase", "finding"]);
}

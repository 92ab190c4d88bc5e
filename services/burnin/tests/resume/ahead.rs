//! A checkpoint that is older than what the job did since: the last one may be lost with the power.

use super::*;

/// Cuts the power and goes on from a checkpoint that the job had left behind: nothing is held against the drive, and nothing passes.
fn finds_itself_further(order: &mut Order, sim: &mut Sim, checkpoint: String, case: &str) {
    sim.kill();
    order.resume = Some(behind_a_cut(checkpoint));
    let mut session = Session::new(sim, order, "simulated").unwrap();
    while !session.is_over() {
        session.step(sim);
    }
    let evidence = session.evidence();
    assert!(evidence.defects.is_empty(), "{case}: {:?}", evidence.findings());
    assert!(
        matches!(&evidence.stopped, Some(Stop::Engine { why }) if why.contains("later pass")),
        "{case}: {:?}",
        evidence.stopped
    );
    assert_eq!(judge(&Case::new(evidence)).outcome, Outcome::Inconclusive, "{case}");
}

/// The last checkpoint before a write may be lost with the power, also in a block that is repeated, and also where that write is of a
/// constant, which tells no pass.
#[test]
fn a_cut_just_after_a_write_began_fails_no_healthy_drive() {
    let pair = |pass, fill, order| {
        [Phase::Write, Phase::Verify].map(|phase| Step {
            pass,
            fill,
            order,
            ..phase.into()
        })
    };
    for (fill, round) in [Fill::Complement, Fill::Aa, Fill::Zeros, Fill::Ff]
        .into_iter()
        .flat_map(|fill| [0, 1, 2].map(|round| (fill, round)))
    {
        let mut steps = [
            pair(1, Fill::Keyed, Direction::Forward),
            pair(2, fill, Direction::Reverse),
        ]
        .concat();
        for step in steps.iter_mut().filter(|_| round > 0) {
            step.soak = Some(Soak {
                first: 0,
                last: 3,
                seconds: 1,
            });
        }
        let mut order = order(steps, 2);
        let mut sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), 3, order.io.block as usize, 2);
        let (mut kept, mut begun) = (None, 0);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        while begun < round.max(1) {
            for report in session.step(&mut sim) {
                match report {
                    Report::Checkpoint { text, .. } if Checkpoint::decode(&text).unwrap().step == 1 => {
                        kept = Some(text);
                    }
                    Report::PhaseStarted { step: 2, .. } => begun += 1,
                    _ => {}
                }
            }
            assert!(!session.is_over(), "{fill:?}, round {round}: too few rounds");
        }
        for _ in 0..8 {
            session.step(&mut sim);
        }
        drop(session);
        finds_itself_further(&mut order, &mut sim, kept.unwrap(), &format!("{fill:?}, round {round}"));
    }
}

/// Passes go on from the rounds of a soak: what is stale then bears the number that a later step has in the playbook.
#[test]
fn a_lost_write_behind_a_soak_is_the_drives() {
    // Some ten rounds.
    let mut steps = plain(&[Phase::Write]);
    steps.extend(plain(&[Phase::Verify; 7]));
    for step in &mut steps {
        step.soak = Some(Soak {
            first: 0,
            last: 7,
            seconds: 1,
        });
    }
    for pass in 2..=24 {
        steps.extend(surface().into_iter().map(|step| Step { pass, ..step }));
    }
    let mut order = order(steps, 2);
    let mut sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), 3, order.io.block as usize, 2);
    let (mut kept, mut rounds, mut behind) = (None, 0, false);
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    while !behind || kept.is_none() {
        for report in session.step(&mut sim) {
            match report {
                Report::PhaseStarted { step: 0, .. } => rounds += 1,
                Report::PhaseStarted { step: 8, .. } => behind = true,
                Report::Checkpoint { text, .. } if behind => kept = Some(text),
                _ => {}
            }
        }
    }
    drop(session);
    assert!(
        (2..24).contains(&rounds),
        "{rounds} rounds: none of the later steps has that number"
    );
    sim.ages(Fault::DropWrite {
        lba: GEOMETRY.sectors / 2,
    });
    order.resume = kept.map(behind_a_cut);
    let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    assert_eq!(evidence.stopped, None, "{rounds} rounds");
    assert!(!evidence.defects.is_empty());
}

/// What a trim emptied that the lost checkpoint knew of is no fault of the drive; without a trim to come, it is.
#[test]
fn a_cut_just_after_a_trim_fails_no_healthy_drive() {
    for direction in [Direction::Forward, Direction::Reverse] {
        let step = |phase: Phase, pass| Step {
            pass,
            order: if phase == Phase::Verify {
                direction
            } else {
                Direction::Forward
            },
            ..phase.into()
        };
        let steps = vec![
            step(Phase::Write, 1),
            step(Phase::Verify, 1),
            step(Phase::Trim, 1),
            step(Phase::TrimCheck, 1),
            step(Phase::Write, 2),
            step(Phase::Verify, 2),
        ];
        let mut order = order(steps, 2);
        let mut sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), 3, order.io.block as usize, 2);
        let (mut kept, mut trimmed) = (None, false);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        while !trimmed {
            for report in session.step(&mut sim) {
                match report {
                    Report::Checkpoint { text, .. } if Checkpoint::decode(&text).unwrap().step == 1 => {
                        kept = Some(text);
                    }
                    Report::PhaseStarted { step: 3, .. } => trimmed = true,
                    _ => {}
                }
            }
            assert!(!session.is_over());
        }
        drop(session);
        finds_itself_further(&mut order, &mut sim, kept.unwrap(), &format!("{direction:?}"));
    }
}

/// What was read back in this session shows that no trim came there, nor behind it.
#[test]
fn a_drive_that_lost_data_before_its_trim_fails_also_after_an_interruption() {
    let steps = [Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck]
        .map(Step::from)
        .to_vec();
    let mut order = order(steps, 2);
    order.limits.trim_bytes = 50 << 10;
    let lost = Fault::DropWrite { lba: 1_400 };
    let plan = Plan {
        faults: vec![lost],
        ..Plan::healthy(Content::Zeros)
    };
    let mut sim = Sim::new(GEOMETRY, plan, 3, order.io.block as usize, 2);
    let mut kept = None;
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    while kept.is_none() {
        let reports = session.step(&mut sim);
        kept = reports.into_iter().find_map(|report| match report {
            Report::Checkpoint { text, .. } if Checkpoint::decode(&text).unwrap().step == 1 => Some(text),
            _ => None,
        });
        assert!(!session.is_over());
    }
    drop(session);
    sim.kill();
    order.resume = Some(behind_a_cut(kept.unwrap()));
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    while !session.is_over() {
        session.step(&mut sim);
    }
    let evidence = session.evidence();
    assert_eq!(evidence.stopped, None);
    assert_eq!(
        judge(&Case::new(evidence)).outcome,
        Outcome::Failed,
        "{:?}",
        evidence.findings()
    );
}

#[test]
fn a_checkpoint_older_than_the_drive_fails_no_healthy_drive() {
    let mut order = order(steps(2), 2);
    let mut sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), 3, order.io.block as usize, 2);
    let (mut kept, mut ahead) = (None, false);
    let mut session = Session::new(&sim, &order, "simulated").unwrap();
    while !ahead {
        for report in session.step(&mut sim) {
            match report {
                // Kept in the first verify; every later one is lost.
                Report::Checkpoint { text, .. } if Checkpoint::decode(&text).unwrap().step == 1 => {
                    kept.get_or_insert(text);
                }
                Report::PhaseStarted { step: 3, .. } => ahead = true,
                _ => {}
            }
        }
    }
    drop(session);
    finds_itself_further(&mut order, &mut sim, kept.unwrap(), "once");
}

/// How many rounds a soak did since its last checkpoint that was kept nobody knows.
#[test]
fn a_checkpoint_many_rounds_of_a_soak_older_fails_no_healthy_drive() {
    for (from, to) in [(0, 1), (0, 2), (0, 5), (1, 3), (2, 9)] {
        let mut steps = surface();
        for step in &mut steps {
            step.soak = Some(Soak {
                first: 0,
                last: 1,
                seconds: 3,
            });
        }
        let mut order = order(steps, 2);
        let mut sim = Sim::new(GEOMETRY, Plan::healthy(Content::Random), 3, order.io.block as usize, 2);
        let (mut kept, mut round) = (None, 0);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        while round <= to {
            for report in session.step(&mut sim) {
                match report {
                    Report::Checkpoint { text, .. }
                        if round == from + 1 && Checkpoint::decode(&text).unwrap().step == 1 =>
                    {
                        kept = kept.or(Some(text));
                    }
                    Report::PhaseStarted { step: 1, .. } => round += 1,
                    _ => {}
                }
            }
            assert!(!session.is_over(), "{from} to {to}: too few rounds");
        }
        drop(session);
        finds_itself_further(
            &mut order,
            &mut sim,
            kept.unwrap(),
            &format!("round {from}, drive at {to}"),
        );
    }
}

/// What reads as the constant of a later write, far behind where all is as it should be, is no trace of that write.
#[test]
fn a_lost_write_that_reads_as_a_later_constant_is_the_drives() {
    let zeros = |phase: Phase| Step {
        pass: 2,
        fill: Fill::Zeros,
        ..phase.into()
    };
    let steps = || [surface(), vec![zeros(Phase::Write), zeros(Phase::Verify)]].concat();
    for turns in [20, 60] {
        let mut order = order(steps(), turns);
        let lba = GEOMETRY.sectors - 200;
        let plan = Plan {
            content: Content::Zeros,
            ..Plan::with(vec![Fault::DropWrite { lba }])
        };
        let mut sim = Sim::new(GEOMETRY, plan, 3, order.io.block as usize, turns);
        cut(&mut sim, &mut order, turns);
        let unflushed = (order.limits.checkpoint_bytes + order.limits.rewind_bytes) / 512;
        assert!(lba > 2 * unflushed, "{lba} is not far behind {unflushed}");
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert_eq!(evidence.stopped, None, "{turns} turns");
        assert_eq!(judge(&Case::new(&evidence)).outcome, Outcome::Failed, "{turns} turns");
    }
}

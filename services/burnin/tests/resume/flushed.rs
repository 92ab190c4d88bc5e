//! Drives that acknowledge a flush and keep what they were given in a cache: a cut takes what stood in the checkpoint for certain.

use super::*;

/// The headers were flushed before the first checkpoint, and nothing else was: they alone tell, and only until they are written again.
#[test]
fn headers_that_a_cut_takes_are_lost_writes() {
    let places = header::places(GEOMETRY);
    let is_headers = |lba: u64| places.iter().any(|(at, long)| (*at..at + long).contains(&lba));
    for (seed, content) in (0..40).zip([Content::Random, Content::Zeros, Content::Ones].into_iter().cycle()) {
        for skip in [Skip::None, Skip::Between] {
            let plan = Plan {
                volatile: true,
                ..Plan::healthy(content)
            };
            let mut order = order(surface(), seed);
            // Later checkpoints would tell of later writes.
            order.limits.checkpoint_bytes = 1 << 30;
            let mut sim = Sim::new(GEOMETRY, plan, 2, order.io.block as usize, seed);
            sim.skip = skip;
            cut(&mut sim, &mut order, 14 + seed);
            assert!(order.resume.is_some(), "seed {seed}: no checkpoint");
            sim.skip = Skip::None;
            let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
            if evidence.stopped.is_some() {
                // Too little is left of them to know the drive by.
                assert_eq!(skip, Skip::Between, "seed {seed}: {:?}", evidence.stopped);
                continue;
            }
            let lost: Vec<u64> = evidence
                .defects
                .runs()
                .flat_map(|run| run.first..run.first + run.count)
                .collect();
            match skip {
                Skip::Between => {
                    assert!(
                        lost.len() > 8 && lost.iter().all(|lba| is_headers(*lba)),
                        "seed {seed}: {lost:?}"
                    );
                    let outcome = judge(&Case::new(&evidence)).outcome;
                    assert_eq!(outcome, Outcome::Failed, "seed {seed}");
                }
                Skip::None | Skip::AtEnd => assert!(faultless(&evidence, &sim), "seed {seed}: {lost:?}"),
            }
        }
    }
}

/// What a drive cannot do is skipped, and the headers have given way before it, one after the other.
#[test]
fn headers_that_gave_way_before_a_refused_trim_are_not_lost() {
    let steps = || {
        let zeros = |phase: Phase| Step {
            fill: Fill::Zeros,
            ..phase.into()
        };
        let trims = plain(&[Phase::Trim, Phase::TrimCheck]);
        [vec![zeros(Phase::Write), zeros(Phase::Verify)], trims].concat()
    };
    // So large that no header stands in the drive's ends, which are asked for the constant.
    let geometry = Geometry {
        sectors: 36_000,
        ..GEOMETRY
    };
    for more in 0..16 {
        let mut plan = volatile();
        plan.trim = Trim::Refused;
        let mut order = Order {
            geometry,
            ..order(steps(), more)
        };
        order.limits.checkpoint_bytes = 1 << 30;
        order.io.block = 256 << 10;
        let mut sim = Sim::new(geometry, plan, 2, order.io.block as usize, more);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let mut last = None;
        let mut left = more;
        while left > 0 || last.is_none() {
            left -= u64::from(last.is_some());
            for report in session.step(&mut sim) {
                if let Report::Checkpoint { text, .. } = report
                    && Checkpoint::decode(&text).unwrap().step == 2
                {
                    last = Some(text);
                }
            }
        }
        sim.power_cut();
        order.resume = last.map(behind_a_cut);
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        assert!(evidence.stopped.is_none(), "{more} turns: {:?}", evidence.stopped);
        assert!(evidence.defects.is_empty(), "{more} turns: {:?}", evidence.defects);
    }
}

/// What a bridge refuses is no failure of the drive, though it took trims behind the one before.
#[test]
fn a_drive_that_goes_on_behind_a_bridge_without_trims_refuses_them() {
    for trim in [Trim::Refused, Trim::RefusedByDrive] {
        let round = [Phase::Write, Phase::Verify, Phase::Trim, Phase::TrimCheck];
        let mut order = order(plain(&[round, round].concat()), 1);
        let plan = Plan {
            trim: Trim::Zeros,
            ..volatile()
        };
        let mut sim = Sim::new(GEOMETRY, plan, 2, order.io.block as usize, 1);
        let mut session = Session::new(&sim, &order, "simulated").unwrap();
        let mut last = None;
        while last.is_none() {
            for report in session.step(&mut sim) {
                if let Report::Checkpoint { text, .. } = report
                    && Checkpoint::decode(&text).unwrap().step >= 4
                {
                    last = Some(text);
                }
            }
        }
        sim.power_cut();
        sim.rehung(trim);
        order.resume = last.map(behind_a_cut);
        let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
        let why = evidence.phases[6].unsupported.clone().unwrap_or_default();
        assert!(why.contains("refuses a trim"), "{trim:?}: {evidence:#?}");
        assert!(evidence.incidents.is_empty(), "{trim:?}: {:?}", evidence.incidents);
    }
}

/// A read that does not come back ends the session before it began: its slot is not free any more.
#[test]
fn a_header_that_cannot_be_asked_for_ends_the_session() {
    let mut order = order(surface(), 1);
    order.limits.checkpoint_bytes = 1 << 30;
    let mut sim = Sim::new(GEOMETRY, volatile(), 2, order.io.block as usize, 1);
    cut(&mut sim, &mut order, 20);
    // Not the place's first sector, which alone is asked besides.
    let lba = header::places(GEOMETRY)[3].0 + 3;
    sim.ages(Fault::Hang { lba });
    let evidence = runner::run(&mut sim, &order, "simulated", &mut || None, &mut |_| {}).unwrap();
    let Some(Stop::Engine { why }) = &evidence.stopped else {
        panic!("{:?}", evidence.stopped);
    };
    assert!(why.contains("come back"), "{why}");
}

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

//! What twenty-four jobs take of a small box's memory: the real agent with its server, and its own workers, over loop devices.
//!
//! Everything that a job adds is there: headers, checkpoints, progress, the server's connection. The goals are for the shipped program,
//! which `KILN_TEST_AGENT` names (`scripts/test boot` does); what cargo builds for tests has other code.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{Bench, PATIENCE};

const DRIVES: u64 = 24;

/// Long enough for two checkpoints of each, which come every 28 s.
const WATCHED: Duration = Duration::from_mins(1);

/// Most of a worker, and of all of them with the agent, in MiB.
const WORKER: f64 = 4.5;
const TOGETHER: f64 = 110.0;

#[tokio::test]
async fn twenty_four_jobs_and_their_agent_fit_a_small_box() {
    if std::env::var_os("KILN_TEST_AGENT").is_none() {
        rig::not_run("the memory of twenty-four jobs: KILN_TEST_AGENT names no shipped agent");
        return;
    }
    // Of sizes that differ: no two drives are one.
    let sizes: Vec<u64> = (0..DRIVES).map(|n| 256 + n).collect();
    let Some(bench) = Bench::with(&sizes, true, &["--rate-drive", "1M"]).await else {
        return;
    };
    let jobs = bench.server.start_jobs(&bench.ids(), "surface").await;
    let limit = Instant::now() + PATIENCE;
    while bench.agent.workers().len() < jobs.len() {
        assert!(Instant::now() < limit, "{} workers", bench.agent.workers().len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let begun = Instant::now();
    let (mut one, mut agent, mut all) = (0.0_f64, 0.0_f64, 0.0_f64);
    while begun.elapsed() < WATCHED {
        let workers: Vec<f64> = bench.agent.workers().into_iter().filter_map(rig::pss).collect();
        assert_eq!(workers.len(), jobs.len(), "a worker ended");
        let own = rig::pss(bench.agent.pid()).unwrap();
        one = workers.iter().copied().fold(one, f64::max);
        agent = agent.max(own);
        all = all.max(workers.iter().sum::<f64>() + own);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("a worker at most {one:.2} MiB, the agent {agent:.2} MiB, together {all:.1} MiB");
    assert!(one <= WORKER, "a worker took {one:.2} MiB, at most {WORKER} are meant");
    assert!(all < TOGETHER, "all took {all:.1} MiB, at most {TOGETHER} are meant");
}

//! Any bytes as a checkpoint: refused, or good enough to go on with and to judge.
//!
//! The input is taken as it is, and its lines once more as JSON, packed as rows under a right checksum, so that the fuzzer gets past
//! the head.
#![no_main]
use std::time::Duration;

use burnin::Checkpoint;
use burnin::pipeline::Pipeline;
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order, Resumption};

fn go_on(text: &str) {
    let Ok(checkpoint) = Checkpoint::decode(text) else { return };
    assert_eq!(Checkpoint::decode(&checkpoint.encode()).ok().map(|c| c.frontier), Some(checkpoint.frontier));
    let order = Order {
        key: checkpoint.key,
        geometry: checkpoint.geometry,
        steps: checkpoint.steps.clone(),
        header: None,
        limits: Limits::default(),
        io: Io { block: checkpoint.geometry.physical, ..Io::default() },
        resume: Some(Resumption { checkpoint: text.to_owned(), why: String::new(), at: wire::Time::UNIX_EPOCH }),
        failed_before: false,
        pace: None,
        medium: None,
    };
    let evidence = match Pipeline::new(&order, "fuzz", Duration::ZERO) {
        Ok(mut pipeline) => {
            pipeline.begins(Duration::ZERO);
            let _ = pipeline.next(Duration::ZERO, 0);
            pipeline.tick(Duration::from_secs(2));
            pipeline.evidence().clone()
        }
        Err(_) => checkpoint.evidence,
    };
    let _ = judge(&Case { wants_smart: true, ..Case::new(&evidence) });
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    go_on(text);
    go_on(&burnin::checkpoint::frame(text.lines().map(str::as_bytes)));
});

//! Prints how fast each kernel makes and compares the pattern, in GB/s of CPU time, over 2 MiB of buffers.
//!
//! `cargo run --release -p burnin --example pattern_speed`

use std::hint::black_box;
use std::time::Instant;

use burnin::pattern::{JobKey, Kernel, Pattern};

/// One worker's buffers.
const WORDS: usize = (2 << 20) / 8;

/// Buffers made in one measurement: 2 GiB.
const TIMES: u64 = 1024;

fn main() {
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_here()) {
        let pattern = Pattern::with_kernel(JobKey(*b"how fast is this"), kernel);
        let mut data = vec![0; WORDS];
        let mut best = (0.0_f64, 0.0_f64);
        for _ in 0..5 {
            let start = Instant::now();
            for n in 0..TIMES {
                pattern.fill(black_box(&mut data), n * 4096, 1);
            }
            let fill = start.elapsed().as_secs_f64();
            let start = Instant::now();
            for _ in 0..TIMES {
                assert_eq!(pattern.differs(black_box(&data), 0, (TIMES - 1) * 4096, 1), None);
            }
            let differs = start.elapsed().as_secs_f64();
            let bytes = (TIMES * WORDS as u64 * 8) as f64 / 1e9;
            best = (best.0.max(bytes / fill), best.1.max(bytes / differs));
        }
        println!("{kernel:?}: fill {:.1} GB/s, compare {:.1} GB/s", best.0, best.1);
    }
}

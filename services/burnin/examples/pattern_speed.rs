//! Prints how fast each kernel makes and compares the pattern, in GB/s of CPU time, over 256 KiB (second-level
//! cache) and 2 MiB (a worker's buffers).
//!
//! `cargo run --release -p burnin --example pattern_speed`

use std::hint::black_box;
use std::time::Duration;

use burnin::pattern::{JobKey, Kernel, Pattern};

/// Buffers of which size, in KiB.
const SIZES: [usize; 2] = [256, 2048];

/// Bytes made in one measurement.
const BYTES: usize = 2 << 30;

/// CPU time of this process: other programs on the machine do not count, though they take cache from it.
fn cpu() -> Duration {
    let now =
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the kernel has this clock");
    Duration::from(now)
}

fn main() {
    for (kib, kernel) in SIZES
        .into_iter()
        .flat_map(|kib| Kernel::ALL.map(|kernel| (kib, kernel)))
    {
        if !kernel.is_here() {
            println!("{kernel:?}: NOT RUN, this processor has no such registers");
            continue;
        }
        let pattern = Pattern::with_kernel(JobKey(*b"how fast is this"), kernel);
        let mut data = vec![0; kib << 7];
        let times = (BYTES / (kib << 10)) as u64;
        let mut best = (0.0_f64, 0.0_f64);
        for _ in 0..5 {
            let start = cpu();
            for n in 0..times {
                pattern.fill(black_box(&mut data), n * 4096, 1);
            }
            let fill = cpu().saturating_sub(start).as_secs_f64();
            let start = cpu();
            for _ in 0..times {
                assert_eq!(pattern.differs(black_box(&data), 0, (times - 1) * 4096, 1), None);
            }
            let differs = cpu().saturating_sub(start).as_secs_f64();
            let bytes = BYTES as f64 / 1e9;
            best = (best.0.max(bytes / fill), best.1.max(bytes / differs));
        }
        println!(
            "{kernel:?} over {kib} KiB: fill {:.0} GB/s, compare {:.0} GB/s",
            best.0, best.1
        );
    }
}

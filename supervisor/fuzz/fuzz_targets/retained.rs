//! The kept initramfs: whatever it holds, the walk ends, and what is found lies inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use supervisor::boot::kernel::retained;

fuzz_target!(|bytes: &[u8]| {
    let read = |into: &mut [u8], at: u64| {
        into.copy_from_slice(&bytes[at as usize..][..into.len()]);
        Ok(())
    };
    if let Ok(part) = retained::find(bytes.len() as u64, read) {
        assert!(part.start < part.end && part.end <= bytes.len() as u64, "{part:?}");
    }
});

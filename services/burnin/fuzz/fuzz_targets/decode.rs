//! Any 512 bytes in place of a sector: told as something, and as its own data only when they are.
#![no_main]
use burnin::pattern::{JobKey, Pattern};

libfuzzer_sys::fuzz_target!(|input: ([u64; 64], u64, u8)| {
    let (mut data, unit, pass) = input;
    let unit = unit % burnin::pattern::UNITS_MAX;
    let pattern = Pattern::new(JobKey(*b"fuzz fuzz fuzz !"));
    let mut own = [0; 64];
    pattern.fill(&mut own, unit, pass);
    assert_eq!(pattern.decode(&data, unit, pass).is_none(), data == own);
    // The input as damage to the right data.
    for (word, own) in data.iter_mut().zip(own) {
        *word ^= own;
    }
    assert_eq!(pattern.decode(&data, unit, pass).is_none(), data == own);
});

//! Any bytes as GRUB's environment block: refused, or written back so that they are read the same, in one sector.
//!
//! The input is taken as it is, and once more as the lines of a block of the right size, so that the fuzzer gets past the
//! header.
#![no_main]
use image::grub::{BLOCK, Env};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = ["prefer", "a", "b", "left", "once"];

fn check(block: &[u8]) {
    let Ok(env) = Env::parse(block) else { return };
    let bytes = env.bytes();
    let again = Env::parse(&bytes).expect("what was parsed can be written");
    assert_eq!(bytes.len(), BLOCK);
    assert!(bytes[512..].iter().all(|b| *b == b'#'), "past the first sector");
    for name in NAMES {
        assert_eq!(env.get(name), again.get(name));
    }
}

fuzz_target!(|data: &[u8]| {
    check(data);
    let mut block = b"# GRUB Environment Block\n".to_vec();
    block.extend(data);
    block.resize(BLOCK, b'#');
    check(&block);
});

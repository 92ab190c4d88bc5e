//! A small bundle, and the box that it is for.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use bundle::{CHUNK, Head, Key, KeySet, Manifest, Target};

pub(crate) fn key(n: u8) -> Key {
    Key::from_seed(&[n; 32])
}

/// Files of a slot: some shorter than a chunk, one exactly of a chunk, one of two and a bit.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |seed: u64, len: u64| {
        let mut x = seed;
        let mut next = || {
            // Marsaglia's xorshift64.
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        };
        (0..len).map(|_| next()).collect::<Vec<u8>>()
    };
    vec![
        ("initrd", bytes(1, CHUNK)),
        ("manifest.json", bytes(2, 700)),
        ("manifest.sig", bytes(3, 300)),
        ("system.erofs", bytes(4, 2 * CHUNK + 4097)),
        ("vmlinuz", bytes(5, 10_000)),
    ]
}

pub(crate) fn manifest() -> Manifest {
    let files = files();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    Manifest::new(("x86-64", "x86_64"), ("1.2.0", "1.0"), 1, &files).unwrap()
}

/// Signed by key 1.
pub(crate) fn bundle() -> Vec<u8> {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES
        .get_or_init(|| {
            let mut all = Head::sign(manifest(), Vec::new(), &[&key(1)]).bytes();
            for (_, bytes) in files() {
                all.extend(bytes);
            }
            all
        })
        .clone()
}

/// A box that trusts key 1.
pub(crate) fn target() -> Target {
    Target {
        board: "x86-64".into(),
        arch: "x86_64".into(),
        running: "1.1.9".into(),
        keys: KeySet::new(1, 1, vec![key(1).public()]).unwrap(),
        downgrade: false,
    }
}

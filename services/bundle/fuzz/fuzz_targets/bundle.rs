//! A bundle from outside: head and files. Nothing may panic; portions must not matter; nothing unverified comes out.
#![no_main]

use bundle::{Hash, Head, Key, KeySet, Manifest, Target, Verifier};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let key = Key::from_seed(&[1; 32]);
    let keys = KeySet::new(1, 1, vec![key.public()]).expect("a set of one key");
    let target = |keys: KeySet| Target {
        board: "b".into(),
        arch: "a".into(),
        running: "1".into(),
        keys,
        downgrade: false,
    };
    // As it is, whole and byte by byte.
    let outcome = |portion: usize, bytes: &[u8]| {
        let mut v = Verifier::new(target(keys.clone()));
        let mut out = Vec::new();
        for part in bytes.chunks(portion.max(1)) {
            match v.push(part) {
                Ok(pieces) => out.extend(pieces),
                Err(e) => return Err(e),
            }
        }
        v.finish().map(|()| out)
    };
    assert_eq!(outcome(usize::MAX, data), outcome(7, data));
    if let Ok(head) = Head::parse(data) {
        assert_eq!(head.bytes(), data, "a second spelling of a head");
    }
    let _ = KeySet::parse(data);
    // As a manifest that somebody whom the box trusts has signed, with the rest as files.
    if let Ok(manifest) = Manifest::parse(data) {
        let mut all = Head::sign(manifest.clone(), Vec::new(), &[&key]).bytes();
        all.extend(data);
        let mut v = Verifier::new(target(keys));
        for piece in v.push(&all).unwrap_or_default() {
            let chunk = manifest.chunks().nth(piece.chunk).expect("a chunk of the manifest");
            assert_eq!(Hash::of(&piece.bytes), chunk.hash);
        }
    }
});

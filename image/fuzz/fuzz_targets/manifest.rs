//! Any bytes as a slot's manifest and as its signatures: refused with a reason, or written and read back the same.
#![no_main]
use image::{key::Key, signature::Signatures, slot::Manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match Manifest::parse(data) {
        Ok(manifest) => {
            let json = manifest.json().expect("what was parsed can be written");
            assert_eq!(Manifest::parse(&json).as_ref(), Ok(&manifest));
            for name in manifest.files.keys() {
                assert!(!name.starts_with('/') && !name.split('/').any(|p| p == ".."), "{name}");
            }
        }
        Err(told) => assert!(told.starts_with("manifest.json: ")),
    }
    // Nobody's bytes are a signature over these but the key's.
    let signed = b"a manifest that was signed";
    if let Ok(keys) = Signatures::check(data, signed) {
        let own = Signatures::of(signed, &Key::development()).json().expect("written");
        assert_eq!(Signatures::check(&own, signed).expect("our own"), keys);
    }
});

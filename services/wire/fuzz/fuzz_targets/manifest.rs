//! Any text as a manifest: read, taken in part, or refused with flaws; what was read reads again the same.
#![no_main]
use wire::manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(taken) = manifest::take(text) {
        let again = manifest::take(&taken.text).expect("what was taken can be taken");
        assert_eq!((&again.manifest, &again.text), (&taken.manifest, &taken.text));
    }
    match manifest::read_text(text) {
        Ok(read) => {
            let again = serde_json::to_value(&read).expect("a manifest is JSON");
            assert_eq!(manifest::read(&again, text.len()).as_ref(), Ok(&read));
            for (_, component) in read.components() {
                let _ = read.declared(component.id(), "delete");
            }
            let _ = read.declared_path("DELETE", "/api/jobs/1");
        }
        Err(flaws) => {
            assert!(!flaws.is_empty() && flaws.len() <= manifest::FLAWS_MAX + 1);
            // The types take whatever the description takes.
            assert!(flaws.iter().all(|flaw| flaw.expected != "what the reference says"), "{flaws:?}");
        }
    }
});

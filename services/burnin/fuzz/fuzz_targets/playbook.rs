//! Any text as a playbook: refused with a reason, or one that writes before it verifies.
#![no_main]
use wire::job::Phase;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match burnin::Playbook::from_toml("fuzz.toml", text) {
        Ok(book) => {
            let at = |phase| book.phases.iter().position(|p| *p == phase);
            assert!(at(Phase::Write).is_some() && at(Phase::Write) < at(Phase::Verify));
        }
        Err(error) => assert!(error.to_string().starts_with("playbook fuzz.toml: ")),
    }
});

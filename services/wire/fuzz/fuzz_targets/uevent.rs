//! Any bytes on the uevent socket: parsed or refused, and what was parsed keeps its promises.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = wire::uevent::Uevent::parse(bytes) {
        assert!(event.devpath.starts_with('/'));
        assert!(!event.devpath.split('/').any(|part| part == ".."));
    }
});

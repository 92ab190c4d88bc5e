//! Any bytes on the add-on socket: decoded or refused; what was decoded survives being sent again.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = wire::Frame::decode(bytes) {
        let again = wire::Frame::decode(frame.encode().as_bytes());
        assert!(again.is_ok(), "{again:?}");
    }
});

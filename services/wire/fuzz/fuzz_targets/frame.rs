//! Any bytes on the add-on socket: decoded or refused; what was decoded survives being sent again; what was read
//! leniently is read again without a word.
#![no_main]
use wire::Frame;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes) {
        let again = Frame::decode(frame.encode().as_bytes());
        assert!(again.is_ok(), "{again:?}");
    }
    if let Ok(read) = Frame::read(bytes) {
        if let Frame::Progress(progress) = &read.frame {
            assert!((0.0..=100.0).contains(&progress.percent));
            let again = serde_json::json!({ "type": "progress", "payload": read.payload }).to_string();
            let again = Frame::read(again.as_bytes()).expect("what was corrected is read");
            assert!(again.warnings.is_empty(), "{:?}", again.warnings);
            let Frame::Progress(second) = again.frame else { panic!("another frame") };
            // A float may come back as its neighbour; serde_json is built without `float_roundtrip` here.
            assert!((second.percent - progress.percent).abs() < 1e-9);
            assert_eq!((&second.job_id, &second.eta, second.bytes_done), (&progress.job_id, &progress.eta, progress.bytes_done));
        }
    }
});

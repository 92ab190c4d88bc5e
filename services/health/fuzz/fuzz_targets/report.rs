//! Any bytes as a report: read or refused with reasons; what was read is judged, scored and kept.
#![no_main]
use health::alert::{Alerts, judge};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = serde_json::from_slice(bytes) else { return };
    match health::report(&body, wire::Time::UNIX_EPOCH) {
        Err(flaws) => assert!(!flaws.is_empty()),
        Ok(report) => {
            for reading in &report.drives {
                let score = health::score::score(reading, None);
                assert!(score.score.is_none_or(|score| score <= 100));
                let (alerts, _) = judge(&Alerts::new(), reading, None, report.at);
                let (_, again) = judge(&alerts, reading, None, report.at);
                assert!(again.is_empty(), "{again:?}");
                assert!(serde_json::to_string(reading).is_ok());
            }
        }
    }
});

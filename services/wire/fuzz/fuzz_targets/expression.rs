//! Any text as a formula, and any JSON as a condition: read or refused; a value is finite and has four decimals at most.
#![no_main]
use std::collections::BTreeMap;

use wire::expression::{When, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(expr) = parse(text) {
        for value in [0.0, 1.0, -2.5, 1e300, f64::NAN] {
            let values: BTreeMap<String, f64> = expr.names().map(|name| (name.to_owned(), value)).collect();
            if let Ok(value) = expr.eval(&values) {
                assert!(value.is_finite() && (value != 0.0 || value.is_sign_positive()), "{value}");
            }
        }
    }
    let condition = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    if let Ok(when) = When::parse(&condition) {
        let values = when.fields().map(|field| (field.to_owned(), condition.clone())).collect();
        let _ = when.holds(&values);
        let _ = when.holds(&BTreeMap::new());
    }
});

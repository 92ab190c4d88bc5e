//! `kiln.toml`: what is not understood is named, and nothing of it is used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use supervisor::boot::site::{Site, is_variable};

fuzz_target!(|text: &str| {
    let (site, errors) = Site::parse(text);
    assert!(site.env.keys().all(|k| is_variable(k)));
    assert!(site.network.is_none_or(|n| n.prefix <= 32));
    assert!(errors.iter().all(|e| e.starts_with("kiln.toml line ")));
});

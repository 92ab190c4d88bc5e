//! Whatever stands in `[alerts]` of `kiln.toml` is answered; what is taken can be used, or says why not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notify::{Time, site};

fuzz_target!(|text: &str| {
    for service in site::read(text, Time::UNIX_EPOCH).services {
        assert!(service.disabled_why.is_some() || service.check().is_ok());
        assert!(service.locked);
    }
});

//! `kiln.toml`: what is not understood is named, and nothing of it is used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use supervisor::boot::config::site::{Site, is_variable};
use supervisor::network::config;

fuzz_target!(|text: &str| {
    let (site, errors) = Site::parse(text);
    assert!(site.env.keys().all(|k| is_variable(k)));
    for (address, prefix) in site.network.values().flat_map(|i| &i.addresses) {
        assert!((1..=if address.is_ipv4() { 32 } else { 128 }).contains(prefix));
    }
    let told = |e: &String| e.starts_with("kiln.toml line ") || e.ends_with(" more mistakes in kiln.toml");
    assert!(errors.iter().all(told), "{errors:?}");
    // No text of the owner's gets into another program's configuration as a line of its own.
    let made = config::dhcpcd(&site.network, &[("eth0".into(), "52:54:00:12:34:56".into())], "");
    let words = ["hostname", "option", "slaac", "noipv", "require", "interface", "static", "deny", "#", "timeout", "no"];
    assert!(made.lines().all(|l| l.is_empty() || words.iter().any(|w| l.starts_with(w))), "{made}");
});

//! A unit file: whatever its bytes, a unit within its bounds or one error that names the file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use supervisor::unit::Unit;

fuzz_target!(|text: &str| {
    match Unit::from_toml(Path::new("/etc/kiln/units/some.toml"), text) {
        Ok(u) => {
            assert!(u.exec.first().is_some_and(|p| p.starts_with('/')));
            assert!(u.listen.len() <= 16 && u.fd_store_max <= 64 && (1..=1000).contains(&u.burst));
            assert!(u.stop_timeout <= 86_400_000 && u.watchdog <= 86_400_000);
        }
        Err(e) => assert!(e.to_string().starts_with("/etc/kiln/units/some.toml")),
    }
});

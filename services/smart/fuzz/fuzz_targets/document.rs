//! Whatever smartctl prints is an error or a snapshot; a snapshot survives being stored and compared with itself.
#![no_main]

use smart::{Snapshot, delta, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(snapshot) = parse(bytes) else { return };
    let stored = serde_json::to_vec(&snapshot).expect("a snapshot is JSON");
    assert_eq!(serde_json::from_slice::<Snapshot>(&stored).expect("what was stored is read"), snapshot);
    assert!(delta(&snapshot, &snapshot).iter().all(|row| row.change() == Some(0)));
});

//! The state that a replaced PID 1 leaves: any bytes are refused or fit together, also behind a right head.
#![no_main]

use libfuzzer_sys::fuzz_target;
use supervisor::handover::envelope::{self, HEAD};
use supervisor::handover::state::State;

fuzz_target!(|bytes: &[u8]| {
    assert!(State::read(bytes, 1).is_err(), "a checksum by chance");
    let mut sealed = vec![0; HEAD];
    sealed.extend_from_slice(bytes);
    envelope::seal(&mut sealed, 1);
    if let Ok(state) = State::read(&sealed, 1) {
        assert_eq!(state.processes.len(), state.units.len());
    }
});
